//! Membership in groups: orders of demand response under a group key, and what is said about them.
//!
//! ```text
//! order under a group key --titles, key, clock, replay, MAC, one order--> the switch
//!                                                                          | after a random pause
//!            MT2 under the meter's own key, one way  <---------------------+
//! ```
//!
//! Group keys are volatile. Under one, a meter takes a single message of one kind: an encrypted
//! one-way write of ST7 with a limit or a release of demand response, called by the group's title.
//! Everything else is discarded, so whoever steals a group key can neither read a meter nor open its
//! switch. Keys and replay windows are those of UKMF, see [`ukmf::group`](crate::ukmf::group).

use alloc::vec::Vec;

use super::association::DEVICE_CLASS;
use super::device::{Device, DeviceConfig};
use crate::Env;
use crate::c1219::procedure::{Initiate, ProcedureId};
use crate::c1219::switch::{self, SwitchCommand};
use crate::c1222::acse::Qualifier;
use crate::c1222::apdu::Apdu;
use crate::c1222::epsem::{Mode, Payload, ResponseControl, put_service};
use crate::c1222::node::{Node, Options};
use crate::c1222::outbox::{DATAGRAM_LEN_DEFAULT, Outbox};
use crate::c1222::reject::Reject;
use crate::c1222::service::{Request, Selector, TableId, Write};
use crate::crypto::eax_prime::EaxPrimeKey;
use crate::time::{Duration, Instant, earlier};
use crate::ukmf::group::{self, CONFIRMATION_TABLE, Confirmation, GroupKey};
use crate::ukmf::{EndReason, KeyReject, KeyStore, KeySummary, Replay, ReplayWindow};
use crate::wire::{Error, Writer};

/// Groups that a meter is a member of at most.
const GROUPS_MAX: usize = 4;
/// Octets of a confirmation with its protection.
const CONFIRMATION_MAX: usize = 128;
/// The procedure of an order, which posts no result.
const ORDER: ProcedureId = ProcedureId(switch::PROCEDURE.0 | 2 << 12);

/// One membership.
#[derive(Debug)]
struct Membership {
    key: EaxPrimeKey,
    summary: KeySummary,
    expiry: Instant,
    terms: GroupKey,
    seen: ReplayWindow,
}

/// The groups of a meter.
#[derive(Debug, Default)]
pub(super) struct Memberships {
    members: Vec<Membership>,
    /// What is to be confirmed, and when.
    due: Option<(Instant, Confirmation)>,
    outbox: Outbox,
    ended: Vec<KeySummary>,
}

/// Whether `octets` are a message under a group key.
pub(super) fn is_order(octets: &[u8]) -> bool {
    Apdu::parse(octets).is_ok_and(|apdu| {
        let authentication = apdu.header().authentication;
        apdu.control().mode() != Mode::Clear
            && authentication.is_some_and(|with| group::is_group(with.key_id()))
    })
}

impl Memberships {
    /// Takes a key in place of the one before; a key that is over already is none.
    pub(super) fn join(&mut self, key: &GroupKey, utc: u32, env: &mut Env<'_>) {
        let now = env.now;
        self.end_where(EndReason::Superseded, now, |member| {
            member.summary.key_id == key.key_id
        });
        if self.members.len() == GROUPS_MAX {
            let oldest = self.members[0].summary.key_id;
            self.end_where(EndReason::Displaced, now, |member| {
                member.summary.key_id == oldest
            });
        }
        let left_s = key.expires_utc.saturating_sub(utc);
        if left_s == 0 {
            return;
        }
        self.members.push(Membership {
            key: EaxPrimeKey::new(key.key.expose(), env.work),
            summary: key.summary(now),
            expiry: now + Duration::from_secs(left_s.into()),
            terms: key.clone(),
            seen: ReplayWindow::new(),
        });
    }

    /// Erases all keys.
    pub(super) fn end_all(&mut self, reason: EndReason, now: Instant) {
        self.end_where(reason, now, |_| true);
        self.due = None;
        self.outbox.clear();
    }

    fn end_where(
        &mut self,
        reason: EndReason,
        now: Instant,
        mut ends: impl FnMut(&Membership) -> bool,
    ) {
        for member in self.members.extract_if(.., |member| ends(member)) {
            self.ended.push(KeySummary {
                ended: Some(now),
                reason: Some(reason),
                ..member.summary
            });
        }
    }

    /// The next key that was erased.
    pub(super) fn poll_ended(&mut self) -> Option<KeySummary> {
        self.ended.pop()
    }

    /// What somebody finds who reads out the memory.
    pub(super) fn memory(&self) -> impl Iterator<Item = &GroupKey> {
        self.members.iter().map(|member| &member.terms)
    }

    /// Keys that are not erased.
    pub(super) fn live_keys(&self) -> impl Iterator<Item = &KeySummary> {
        self.members.iter().map(|member| &member.summary)
    }

    /// Takes an order under a group key, decrypted in place.
    pub(super) fn receive(
        &mut self,
        node: &Node,
        (device, config): (&mut Device, &DeviceConfig),
        octets: &mut [u8],
        (utc, env): (u32, &mut Env<'_>),
    ) -> Result<(), Reject> {
        let len = octets.len();
        let now = env.now;
        let mut apdu = Apdu::parse_mut(octets)?;
        let header = *apdu.header();
        let authentication = header.authentication.ok_or(Reject::NoAuthentication)?;
        let (key_id, invocation) = (authentication.key_id(), header.invocation);
        node.check_group(&apdu, &group::title(key_id))?;
        if header.called_invocation.is_some() {
            return Err(Reject::UnexpectedResponse);
        }
        if apdu.control().mode() != Mode::Encrypted {
            return Err(Reject::SecurityMode);
        }
        if apdu.control().response() != ResponseControl::Never {
            return Err(Reject::GroupResponse);
        }
        let member = self
            .members
            .iter_mut()
            .find(|member| member.summary.key_id == key_id)
            .ok_or(Reject::Key(KeyReject::Unknown))?;
        if member.expiry <= now {
            return Err(Reject::Key(KeyReject::Expired));
        }
        if authentication.utc().abs_diff(utc) > u32::from(member.terms.freshness_s) {
            return Err(Reject::AcceptanceWindow);
        }
        if invocation < member.terms.first_invocation {
            return Err(Reject::Replay(Replay::TooOld));
        }
        member.seen.check(invocation)?;
        apdu.open(&member.key, authentication, env.work)?;
        member.seen.record(invocation);
        member.summary.rx.record(len, now);
        let (sequence, command) = order(&apdu.into_payload()?)?;
        let result = device.order_group(config, command, sequence, (utc, now));
        let draw = u64::from_be_bytes(env.random());
        let width = 1_000_000 * u128::from(member.terms.confirm_within_ms);
        let pause = Duration::from_nanos(((width * u128::from(draw)) >> 64) as u64);
        let confirmation = Confirmation {
            key_id,
            generation: member.summary.kid32,
            sequence,
            result,
        };
        self.due = Some((now + pause, confirmation));
        Ok(())
    }

    /// Erases keys whose time is over, and confirms what is to be confirmed.
    pub(super) fn handle_timeout(
        &mut self,
        node: &mut Node,
        keys: &mut KeyStore,
        utc: u32,
        env: &mut Env<'_>,
    ) {
        let now = env.now;
        self.end_where(EndReason::Expired, now, |member| member.expiry <= now);
        let Some((_, confirmation)) = self.due.take_if(|(at, _)| *at <= now) else {
            return;
        };
        let options = Options {
            mode: Mode::Encrypted,
            response: ResponseControl::Never,
            qualifier: Some(Qualifier::NOTIFICATION),
            ed_class: Some(DEVICE_CLASS),
            terse: false,
        };
        let put = |writer: &mut Writer<'_>| put_confirmation(&confirmation, writer);
        let mut message = [0; CONFIRMATION_MAX];
        // Without a key nothing is said, and the head-end gives the order to this meter alone.
        if let Ok(sent) = node.request(&options, keys, utc, &mut message, put, env) {
            self.outbox.put(&message[..sent.len], false);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let expiry = self.members.iter().map(|member| member.expiry).min();
        earlier(expiry, self.due.map(|(at, _)| at))
    }

    /// Copies the confirmation that is to be sent to `out`.
    pub(super) fn poll_transmit(&mut self, out: &mut [u8]) -> Option<(usize, bool)> {
        self.outbox.poll(DATAGRAM_LEN_DEFAULT, out)
    }
}

fn put_confirmation(confirmation: &Confirmation, writer: &mut Writer<'_>) -> Result<(), Error> {
    let mut data = [0; Confirmation::LEN];
    confirmation.emit(&mut Writer::new(&mut data))?;
    let write = Request::Write(Write {
        table: CONFIRMATION_TABLE,
        selector: Selector::Full,
        data: &data,
    });
    put_service(writer, |writer| write.emit(writer))
}

/// The only thing that a group may be told: one limit or release, and its sequence number.
fn order(payload: &Payload<'_>) -> Result<(u8, SwitchCommand), Reject> {
    let mut services = payload.services();
    let (Some(service), None) = (services.next(), services.next()) else {
        return Err(Reject::GroupService);
    };
    let Request::Write(write) = Request::parse(service?)? else {
        return Err(Reject::GroupService);
    };
    if write.table != TableId::standard(7) || write.selector != Selector::Full {
        return Err(Reject::GroupService);
    }
    let initiate = Initiate::parse(write.data)?;
    if initiate.procedure != ORDER {
        return Err(Reject::GroupService);
    }
    let command = SwitchCommand::parse(initiate.parameters)?;
    if command.action.is_response() {
        Ok((initiate.sequence, command))
    } else {
        Err(Reject::GroupService)
    }
}

/// Writes the service of an order.
pub(crate) fn put_order(
    command: SwitchCommand,
    sequence: u8,
    writer: &mut Writer<'_>,
) -> Result<(), Error> {
    let mut parameters = [0; SwitchCommand::LEN_MAX];
    let mut parameters = Writer::new(&mut parameters);
    command.emit(&mut parameters)?;
    let mut data = [0; 3 + SwitchCommand::LEN_MAX];
    let mut data = Writer::new(&mut data);
    Initiate {
        procedure: ORDER,
        sequence,
        parameters: parameters.written(),
    }
    .emit(&mut data)?;
    let write = Request::Write(Write {
        table: TableId::standard(7),
        selector: Selector::Full,
        data: data.written(),
    });
    put_service(writer, |writer| write.emit(writer))
}
