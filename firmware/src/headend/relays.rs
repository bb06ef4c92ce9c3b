//! Relays that meters sit behind, and which meters these are.
//!
//! ```text
//! meter --title--> relay ==address of the relay==> head-end      what the meter asks or reports
//! meter <--title-- relay <==address of the relay== head-end      responses, requests and orders
//! ```
//!
//! A head-end is configured with titles and addresses of its relays; who sits behind which it
//! learns. A request of a meter that its key has proved, and that is answered, shows the way: from
//! the source address of the datagram on, whatever goes to the meter goes there. The relay learns
//! from the answer, so both ends know the way at the same time. Nobody can move the way of another
//! meter, and where everything is in clear nothing is safe, with relays as without.
//!
//! **Who enforces access.** The enforcement point of PANA sits at the head-end. It knows addresses,
//! and all that a relay forwards comes from one: so it asks for the session of the title that calls,
//! and lets nothing pass of a meter that has none. Who lies about his title passes this gate as he
//! would with a forged address; the MAC is what stops him. The access network itself lets nobody
//! talk to the relay who has not been authenticated.
//!
//! A way ends with the session, with a new authentication, when the meter speaks from elsewhere, and
//! when the relay has lost it: its `uat` and `netr` are in clear and name a request, not a meter.
//! They prove nothing, so they end nothing; the head-end asks the relay for a Trace of each meter
//! that waits for a response to a request of this number. Whoever the relay cannot trace is
//! addressed directly, at once, until it asks for something again.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::image::{Headend, Transmit};
use crate::c1222::acse::Header;
use crate::c1222::apdu::{self, Apdu, base};
use crate::c1222::aptitle::{ApTitle, NETWORK_ROOT, Title};
use crate::c1222::epsem::{Control, Mode, ResponseControl, put_service};
use crate::c1222::service::{Request, Response, ResponseCode, Trace};
use crate::crypto::Work;
use crate::meter::Channel;
use crate::time::{Duration, Instant};
use crate::wire::{Error, Writer};
use crate::{Reject, c1222};

/// Traces that wait for their responses.
const ASKED_MAX: usize = 64;
/// How long a response is expected.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);
/// Octets of an inquiry.
const INQUIRY_MAX: usize = 128;
/// Invocation ids of inquiries begin far from those of requests to meters, which begin with 0.
const FIRST_INVOCATION: u32 = 1 << 31;

/// A Trace that a relay has been asked for.
#[derive(Clone, Copy, Debug)]
struct Asked {
    relay: SocketAddr,
    /// Of the meter.
    rank: u32,
    /// The request to it that the relay could not deliver, if that is why.
    undelivered: Option<u32>,
    deadline: Instant,
}

/// The relays of an instance.
#[derive(Debug)]
pub(super) struct Relays {
    /// Titles by address.
    known: BTreeMap<SocketAddr, Title>,
    /// Addresses of relays by the ranks of meters behind them.
    ways: BTreeMap<u32, SocketAddr>,
    /// By invocation id.
    asked: BTreeMap<u32, Asked>,
    invocation: u32,
    outbox: VecDeque<(SocketAddr, Vec<u8>)>,
}

impl Default for Relays {
    fn default() -> Self {
        Self {
            known: BTreeMap::new(),
            ways: BTreeMap::new(),
            asked: BTreeMap::new(),
            invocation: FIRST_INVOCATION,
            outbox: VecDeque::new(),
        }
    }
}

impl Headend {
    /// Makes a relay known, which has this title and is at this address.
    pub fn add_relay(&mut self, title: Title, address: SocketAddr) {
        let relays = self.relays.get_or_insert_default();
        relays.known.insert(address, title);
    }

    /// The relay through which the meter with this rank is reached, if there is one.
    pub fn way_of(&self, rank: u32) -> Option<SocketAddr> {
        self.relays.as_ref()?.ways.get(&rank).copied()
    }

    /// The title of the relay at an address.
    pub(super) fn relay_at(&self, address: SocketAddr) -> Option<Title> {
        self.relays.as_ref()?.known.get(&address).copied()
    }

    /// From now on the meter is reached through `relay`, or without one.
    pub(super) fn take_way(&mut self, rank: u32, relay: Option<SocketAddr>) {
        if let Some(relays) = &mut self.relays {
            match relay {
                Some(relay) => relays.ways.insert(rank, relay),
                None => relays.ways.remove(&rank),
            };
        }
    }

    /// Takes what a relay says itself, in clear.
    pub(super) fn hear_relay(
        &mut self,
        source: SocketAddr,
        octets: &[u8],
        now: Instant,
    ) -> Result<(), Reject> {
        let (invocation, code, traced) = self.read_relay(source, octets).map_err(Reject::C1222)?;
        let relays = self.relays.as_deref_mut();
        let asked = relays.and_then(|relays| relays.take_asked(invocation, source, now));
        match asked {
            Some(asked) => {
                if !traced && self.way_of(asked.rank) == Some(source) {
                    self.take_way(asked.rank, None);
                    if let Some(invocation) = asked.undelivered {
                        self.resend(asked.rank, invocation, now);
                    }
                }
                Ok(())
            }
            None if code == ResponseCode::Ok => {
                Err(Reject::C1222(c1222::Reject::UnexpectedResponse))
            }
            None => {
                self.doubt(source, invocation, now);
                Err(Reject::Relay(code))
            }
        }
    }

    /// What a response of a relay answers, its code, and whether it is a Trace through the relay.
    fn read_relay(
        &self,
        source: SocketAddr,
        octets: &[u8],
    ) -> Result<(u32, ResponseCode, bool), c1222::Reject> {
        let apdu = Apdu::parse(octets)?;
        let header = apdu.header();
        let called = header.called.unwrap_or(ApTitle::UNASSIGNED);
        if !called.same(&self.config.title.get(), base(header)) {
            return Err(c1222::Reject::CalledTitle);
        }
        if apdu.control().mode() != Mode::Clear {
            // It has no keys.
            return Err(c1222::Reject::SecurityMode);
        }
        let invocation = header.called_invocation;
        let invocation = invocation.ok_or(c1222::Reject::UnexpectedResponse)?;
        let payload = apdu.payload()?;
        let service = payload.services().next();
        let response = Response::parse(service.ok_or(Error::Malformed("service list"))??)?;
        let own = self.relay_at(source);
        let is_own = |title: Result<ApTitle<'_>, Error>| {
            title.is_ok_and(|title| own.is_some_and(|own| title.same(&own.get(), &NETWORK_ROOT)))
        };
        let traced = response.code == ResponseCode::Ok && Trace::new(response.data).any(is_own);
        Ok((invocation, response.code, traced))
    }

    /// A relay could not deliver a request of this number: does it still know the way to those who
    /// may be meant?
    fn doubt(&mut self, relay: SocketAddr, invocation: u32, now: Instant) {
        let Some(relays) = &self.relays else {
            return;
        };
        let waits = |rank: u32| {
            let desk = self.commands.as_deref();
            desk.is_some_and(|desk| desk.waits_for(rank, invocation))
        };
        let behind = relays.ways.iter().filter(|(_, way)| **way == relay);
        let ranks: Vec<u32> = behind
            .map(|(rank, _)| *rank)
            .filter(|rank| waits(*rank))
            .collect();
        for rank in ranks {
            self.trace_way(rank, Some(invocation), now);
        }
    }

    /// Asks the relay of the meter, if it has one, for a Trace of the way between them.
    ///
    /// If there is none, the request `undelivered` to the meter is sent on another way.
    pub(super) fn trace_way(&mut self, rank: u32, undelivered: Option<u32>, now: Instant) {
        let (own, meter) = (self.config.title, self.subscribers.get(rank).title);
        if let Some(relays) = &mut self.relays {
            relays.trace(&own, (rank, undelivered), &meter, now);
        }
    }

    /// Writes the next inquiry to a relay to `out`.
    pub(super) fn poll_inquiry(&mut self, out: &mut [u8]) -> Option<Transmit> {
        let (destination, octets) = self.relays.as_deref_mut()?.outbox.pop_front()?;
        out.get_mut(..octets.len())?.copy_from_slice(&octets);
        Some(Transmit {
            destination,
            channel: Channel::C1222,
            len: octets.len(),
            retransmission: false,
        })
    }
}

impl Relays {
    /// Forgets the ways to all meters and what relays were asked, as a restart does.
    pub(super) fn forget(&mut self) {
        self.ways.clear();
        self.asked.clear();
        self.outbox.clear();
    }

    fn take_asked(&mut self, invocation: u32, relay: SocketAddr, now: Instant) -> Option<Asked> {
        let asked = *self.asked.get(&invocation)?;
        if asked.relay != relay || asked.deadline <= now {
            return None;
        }
        self.asked.remove(&invocation)
    }

    fn trace(
        &mut self,
        own: &Title,
        (rank, undelivered): (u32, Option<u32>),
        meter: &Title,
        now: Instant,
    ) {
        self.asked.retain(|_, asked| now < asked.deadline);
        let Some(&relay) = self.ways.get(&rank) else {
            return;
        };
        let (Some(title), true) = (self.known.get(&relay), self.asked.len() < ASKED_MAX) else {
            return;
        };
        let header = Header {
            called: Some(title.get()),
            calling: Some(own.get()),
            invocation: self.invocation,
            ..Header::default()
        };
        let control = Control::new(Mode::Clear, ResponseControl::Always);
        let request = Request::Trace(meter.get());
        let put = |writer: &mut Writer<'_>| put_service(writer, |writer| request.emit(writer));
        let mut out = vec![0; INQUIRY_MAX];
        let work = &mut Work::default();
        let Ok(len) = apdu::build(&header, control, None, None, &mut out, put, work) else {
            return;
        };
        out.truncate(len);
        self.outbox.push_back((relay, out));
        let deadline = now + RESPONSE_TIMEOUT;
        let asked = Asked {
            relay,
            rank,
            undelivered,
            deadline,
        };
        self.asked.insert(self.invocation, asked);
        self.invocation = self.invocation.wrapping_add(1).max(FIRST_INVOCATION);
    }
}
