//! The coordinator in the meter: lets enrolled devices in, hands out keys, sends updates.
//!
//! ```text
//! device                                   coordinator
//!   | -- beacon request (broadcast) ---------> |
//!   | <----------------------------- beacon -- |
//!   | -- association request ----------------> |   enrolled?
//!   | -- data request -----------------------> |
//!   | <--------------- association response -- |
//!   | -- key request (challenge) ------------> |   under the installation key
//!   | <------------ key transport (link key) - |   under the installation key
//!   | -- key confirm ------------------------> |   under the link key
//!   | <----------------- usage, every 5 s ---- |   under the link key
//! ```
//!
//! Link keys are derived by UKMF for purpose 03 from every authentication of the meter, one for
//! each device, so that a device cannot read what another one gets. A new authentication offers
//! every device a new key; the old one stays in use until the device confirms, at most for the
//! overlap. A device that asks anew has lost its key: it gets the next one of the array, because
//! its frame counters have started again and no counter may be used twice under one key.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::command::{self, AssociationStatus, Command};
use super::frame::{Address, BROADCAST, Endpoint, FrameKind, KeyIdentifier, SecurityLevel};
use super::key::{self, Received};
use super::message::{DemandEvent, EventAnswer, Message, Text, Usage};
use super::peer::{Note, Peer};
use super::{Policy, Reject};
use crate::Env;
use crate::crypto::{Secret, Work};
use crate::time::{Duration, Instant, earlier};
use crate::ukmf::{EndReason, KeySummary, RootKey};

/// The short address of the coordinator.
const OWN_SHORT: u16 = 0x0000;
/// Devices of one network at most.
pub const DEVICES_MAX: usize = 16;

/// A device that may join.
#[derive(Clone, Debug)]
pub struct Enrolment {
    /// Its EUI-64.
    pub address: u64,
    /// Its installation key.
    pub key: Secret<16>,
}

/// A frame that was written to the host's buffer.
///
/// The host sends it by CSMA/CA, repeats it if it asks for an acknowledgement and gets none, and
/// then tells what became of it (MCPS-DATA.confirm, IEEE 802.15.4-2006 §7.1.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Its length.
    pub len: usize,
    /// The channel that it belongs on.
    pub channel: u8,
    /// Whether it is to be acknowledged.
    pub acknowledged: bool,
    /// The place of the enrolled device that a frame of the coordinator is for.
    pub slot: Option<u8>,
    /// What it is.
    pub content: Content,
}

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// Beacons and MAC commands.
    Joining,
    /// Key requests, transports and confirmations.
    Key,
    /// Updates.
    Usage,
    /// Texts, demand events and answers.
    Note,
}

impl Content {
    /// Every content.
    pub const ALL: [Self; 4] = [Self::Joining, Self::Key, Self::Usage, Self::Note];

    /// The name in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Key => "key",
            Self::Usage => "usage",
            Self::Note => "note",
        }
    }
}

/// What the host learns; `slot` is the place of the device among the enrolments.
#[derive(Clone, Copy, Debug)]
pub enum CoordinatorEvent {
    /// A device has got a short address.
    Associated {
        /// The device.
        slot: u8,
    },
    /// A device has shown that it has its new link key.
    KeyConfirmed {
        /// The device.
        slot: u8,
        /// Id of the key.
        key_id: u8,
    },
    /// A link key was erased; its array index has the slot in the low octet.
    KeyEnded(KeySummary),
    /// An update was sent.
    Updated {
        /// The device.
        slot: u8,
        /// Whether it was acknowledged.
        delivered: bool,
    },
    /// A device has answered a demand event.
    Answered {
        /// The device.
        slot: u8,
        /// The answer.
        answer: EventAnswer,
    },
}

/// What was written last and awaits its confirmation.
#[derive(Clone, Copy, Debug)]
enum InFlight {
    Other,
    Usage { slot: usize },
    Note { slot: usize },
}

/// What the link keys of one authentication come from.
pub(super) struct Source {
    pub(super) root: RootKey,
    pub(super) session_id: Box<[u8]>,
    pub(super) title: Box<[u8]>,
    pub(super) kid32: u32,
    pub(super) key_id: u8,
    pub(super) expiry: Instant,
}

/// The coordinator.
///
/// Enrolments, short addresses and the frame counters of installation keys are non-volatile.
#[derive(Debug)]
pub struct Coordinator {
    policy: Policy,
    address: u64,
    pan: u16,
    peers: Vec<Peer>,
    powered: bool,
    source: Option<Source>,
    sequence: u8,
    beacon_due: bool,
    /// A stranger who is to hear that access is denied, and whether he has asked for the answer.
    denied: Option<(u64, bool)>,
    next_update: Option<Instant>,
    in_flight: Option<InFlight>,
    events: VecDeque<CoordinatorEvent>,
}

impl Coordinator {
    /// A coordinator without power, with the EUI-64 `address`, for the PAN `pan`.
    ///
    /// Enrolments beyond [`DEVICES_MAX`] are left out.
    pub fn new(
        policy: Policy,
        address: u64,
        pan: u16,
        enrolments: &[Enrolment],
        work: &mut Work,
    ) -> Self {
        let enrolments = enrolments.iter().take(DEVICES_MAX);
        Self {
            policy,
            address,
            pan,
            peers: enrolments.map(|device| Peer::new(device, work)).collect(),
            powered: false,
            source: None,
            sequence: 0,
            beacon_due: false,
            denied: None,
            next_update: None,
            in_flight: None,
            events: VecDeque::new(),
        }
    }

    /// The firmware starts.
    pub fn power_on(&mut self) {
        self.powered = true;
    }

    /// Power is lost: what was to be sent is forgotten. Keys are the matter of [`Self::erase`].
    pub fn power_off(&mut self) {
        self.powered = false;
        self.beacon_due = false;
        self.denied = None;
        self.next_update = None;
        self.in_flight = None;
        for peer in &mut self.peers {
            peer.forget_traffic();
        }
    }

    /// The meter has authenticated: every device is offered a link key of that authentication.
    pub fn install(
        &mut self,
        root: RootKey,
        (session_id, title): (&[u8], &[u8]),
        (kid32, key_id): (u32, u8),
        lifetime: Duration,
        env: &mut Env<'_>,
    ) {
        let source = Source {
            root,
            session_id: session_id.into(),
            title: title.into(),
            kid32,
            key_id,
            expiry: env.now + lifetime,
        };
        let overlap = self.policy.overlap;
        for (slot, peer) in self.peers.iter_mut().enumerate() {
            let events = &mut |summary| self.events.push_back(CoordinatorEvent::KeyEnded(summary));
            peer.keys.succeed(&source, slot, overlap, env, events);
        }
        self.source = Some(source);
    }

    /// Erases every link key at once.
    pub fn erase(&mut self, reason: EndReason, now: Instant) {
        self.source = None;
        self.next_update = None;
        for peer in &mut self.peers {
            let events = &mut |summary| self.events.push_back(CoordinatorEvent::KeyEnded(summary));
            peer.keys.erase(reason, now, events);
        }
    }

    /// Tells every device of a demand event, once it has a key.
    pub fn announce(&mut self, event: DemandEvent) {
        for peer in &mut self.peers {
            peer.notes.push(Note::Event(event));
        }
    }

    /// Tells every device a text, once it has a key.
    pub fn say(&mut self, text: Text) {
        for peer in &mut self.peers {
            peer.notes.push(Note::Text(text));
        }
    }

    /// Takes a frame off the air.
    pub fn handle_frame(&mut self, psdu: &[u8], env: &mut Env<'_>) -> Result<(), Reject> {
        let received = Received::parse(psdu)?;
        match received.header.kind {
            FrameKind::Command => self.handle_command(&received),
            FrameKind::Data => self.handle_data(&received, env),
            FrameKind::Beacon | FrameKind::Ack => Err(Reject::Unexpected),
        }
    }

    fn handle_command(&mut self, received: &Received<'_>) -> Result<(), Reject> {
        if received.header.security.is_some() {
            return Err(Reject::KeyUnknown);
        }
        let everybody = Address::Short(BROADCAST);
        let command = Command::parse(received.payload())?;
        let destination = received.header.destination.ok_or(Reject::Foreign)?;
        if command == Command::BeaconRequest {
            if destination.address != everybody || ![BROADCAST, self.pan].contains(&destination.pan)
            {
                return Err(Reject::Foreign);
            }
            self.beacon_due = true;
            return Ok(());
        }
        self.check_destination(destination)?;
        let Some(Endpoint {
            address: Address::Extended(address),
            ..
        }) = received.header.source
        else {
            return Err(Reject::Foreign);
        };
        let peer = self.peers.iter_mut().find(|peer| peer.address == address);
        match (command, peer) {
            (Command::AssociationRequest { .. }, Some(peer)) => {
                peer.association.requested();
                Ok(())
            }
            (Command::AssociationRequest { .. }, None) => {
                self.denied = Some((address, false));
                Err(Reject::NotEnrolled)
            }
            (Command::DataRequest, Some(peer)) => peer.association.polled(),
            (Command::DataRequest, None) => match &mut self.denied {
                Some((denied, polled)) if *denied == address => {
                    *polled = true;
                    Ok(())
                }
                _ => Err(Reject::NotEnrolled),
            },
            _ => Err(Reject::Unexpected),
        }
    }

    fn handle_data(&mut self, received: &Received<'_>, env: &mut Env<'_>) -> Result<(), Reject> {
        self.check_destination(received.header.destination.ok_or(Reject::Foreign)?)?;
        let security = received.header.security.ok_or(Reject::Unsecured)?;
        let Some(Endpoint {
            address: Address::Extended(address),
            ..
        }) = received.header.source
        else {
            return Err(Reject::Foreign);
        };
        let slot = self.peers.iter().position(|peer| peer.address == address);
        let slot = slot.ok_or(Reject::NotEnrolled)?;
        match security.key {
            KeyIdentifier::Implicit if security.level != SecurityLevel::EncMic128 => {
                Err(Reject::SecurityLevel)
            }
            KeyIdentifier::Implicit => self.handle_key_request(slot, received, env),
            KeyIdentifier::Index(_) if security.level < self.policy.level => {
                Err(Reject::SecurityLevel)
            }
            KeyIdentifier::Index(key_id) => self.handle_message(slot, key_id, received, env),
            _ => Err(Reject::KeyUnknown),
        }
    }

    fn check_destination(&self, destination: Endpoint) -> Result<(), Reject> {
        let own = [Address::Short(OWN_SHORT), Address::Extended(self.address)];
        if destination.pan == self.pan && own.contains(&destination.address) {
            Ok(())
        } else {
            Err(Reject::Foreign)
        }
    }

    fn handle_key_request(
        &mut self,
        slot: usize,
        received: &Received<'_>,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        let peer = &mut self.peers[slot];
        let address = peer.address;
        let message = peer.install.open(received, address, env.work)?;
        let Message::KeyRequest(challenge) = message else {
            return Err(Reject::Unexpected);
        };
        // A key that ends before it has arrived is of no use.
        let worthwhile = env.now + self.policy.key_retry;
        let source = self.source.as_ref();
        let source = source.filter(|source| worthwhile < source.expiry);
        let events = &mut |summary| self.events.push_back(CoordinatorEvent::KeyEnded(summary));
        peer.keys.request(challenge, source, slot, env, events)
    }

    fn handle_message(
        &mut self,
        slot: usize,
        key_id: u8,
        received: &Received<'_>,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        let peer = &mut self.peers[slot];
        let address = peer.address;
        let message = peer.keys.open(key_id, received, address, env)?;
        let overlap = self.policy.overlap;
        let events = &mut |summary| self.events.push_back(CoordinatorEvent::KeyEnded(summary));
        if peer.keys.confirm(key_id, overlap, env.now, events) {
            let slot = slot as u8;
            let event = CoordinatorEvent::KeyConfirmed { slot, key_id };
            self.events.push_back(event);
            // The device shows something at once.
            self.next_update = Some(env.now);
        }
        match message {
            Message::KeyConfirm => Ok(()),
            Message::EventAnswer(answer) => {
                let slot = slot as u8;
                let event = CoordinatorEvent::Answered { slot, answer };
                self.events.push_back(event);
                Ok(())
            }
            _ => Err(Reject::Unexpected),
        }
    }

    /// Acts on every deadline that `env.now` has reached; `reading` is what the meter measures.
    pub fn handle_timeout(&mut self, reading: &Usage, env: &mut Env<'_>) {
        self.source.take_if(|source| source.expiry <= env.now);
        for peer in &mut self.peers {
            let events = &mut |summary| self.events.push_back(CoordinatorEvent::KeyEnded(summary));
            peer.keys.expire(env.now, events);
        }
        if !self.powered || self.next_update.is_none_or(|at| env.now < at) {
            return;
        }
        let mut keyed = false;
        for peer in self.peers.iter_mut().filter(|peer| peer.keys.is_usable()) {
            peer.usage = Some(*reading);
            keyed = true;
        }
        self.next_update = keyed.then(|| env.now + self.policy.update_period);
    }

    /// When [`Self::handle_timeout`] or [`Self::poll_transmit`] has something to do next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let powered = self.powered;
        let peers = self.peers.iter().map(|peer| {
            let traffic = powered.then(|| peer.poll_transmit_time()).flatten();
            earlier(peer.keys.poll_timeout(), traffic)
        });
        peers.fold(self.next_update.filter(|_| powered), earlier)
    }

    /// The oldest event.
    pub fn poll_event(&mut self) -> Option<CoordinatorEvent> {
        self.events.pop_front()
    }

    /// Link keys that are not erased, for reports.
    pub fn live_keys(&self) -> impl Iterator<Item = &KeySummary> {
        self.peers.iter().flat_map(|peer| peer.keys.live())
    }

    /// Writes the next frame to `out`, which has room for the longest one.
    ///
    /// The frame before it must have been confirmed.
    pub fn poll_transmit(&mut self, out: &mut [u8], env: &mut Env<'_>) -> Option<Transmit> {
        if !self.powered {
            return None;
        }
        if core::mem::take(&mut self.beacon_due) {
            return self.put_beacon(out);
        }
        if let Some((address, true)) = self.denied {
            self.denied = None;
            return self.put_association(
                (address, None),
                BROADCAST,
                AssociationStatus::AccessDenied,
                out,
            );
        }
        (0..self.peers.len()).find_map(|slot| self.poll_peer(slot, out, env))
    }

    /// What became of the frame that [`Self::poll_transmit`] wrote last.
    pub fn confirm(&mut self, delivered: bool, now: Instant) {
        match self.in_flight.take() {
            Some(InFlight::Usage { slot }) => {
                let slot = slot as u8;
                let event = CoordinatorEvent::Updated { slot, delivered };
                self.events.push_back(event);
            }
            Some(InFlight::Note { slot }) => {
                let retry = now + self.policy.key_retry;
                self.peers[slot].notes.confirm(delivered, retry);
            }
            Some(InFlight::Other) | None => {}
        }
    }

    fn put_beacon(&mut self, out: &mut [u8]) -> Option<Transmit> {
        let header = key::header(FrameKind::Beacon, self.number(), None, self.own());
        let len = key::put_plain(&header, out, command::put_beacon).ok()?;
        Some(self.transmit(len, None, Content::Joining, InFlight::Other))
    }

    fn put_association(
        &mut self,
        (address, slot): (u64, Option<u8>),
        short: u16,
        status: AssociationStatus,
        out: &mut [u8],
    ) -> Option<Transmit> {
        let destination = self.endpoint(Address::Extended(address));
        let header = key::header(FrameKind::Command, self.number(), destination, self.own());
        let response = Command::AssociationResponse { short, status };
        let len = key::put_plain(&header, out, |writer| response.emit(writer)).ok()?;
        let mut sent = self.transmit(len, slot, Content::Joining, InFlight::Other);
        sent.acknowledged = true;
        Some(sent)
    }

    fn poll_peer(&mut self, slot: usize, out: &mut [u8], env: &mut Env<'_>) -> Option<Transmit> {
        let short = slot as u16 + 1;
        if self.peers[slot].association.answer() {
            let slot = slot as u8;
            self.events.push_back(CoordinatorEvent::Associated { slot });
            let address = self.peers[usize::from(slot)].address;
            return self.put_association(
                (address, Some(slot)),
                short,
                AssociationStatus::Success,
                out,
            );
        }
        if !self.peers[slot].association.is_complete() {
            return None;
        }
        let destination = self.endpoint(Address::Short(short));
        let header = key::header(FrameKind::Data, self.sequence, destination, self.own());
        let (own, level, retry) = (self.address, self.policy.level, self.policy.key_retry);
        let peer = &mut self.peers[slot];
        if let Some(transport) = peer.keys.transport(env.now, retry) {
            let level = (SecurityLevel::EncMic128, KeyIdentifier::Implicit);
            let target = (&mut *out, &mut *env.work);
            let len = peer.install.seal(header, level, own, &transport, target);
            self.number();
            return Some(self.transmit(len.ok()?, Some(slot as u8), Content::Key, InFlight::Other));
        }
        let (message, content, in_flight) = if let Some(note) = peer.notes.due(env.now) {
            (note, Content::Note, InFlight::Note { slot })
        } else {
            let usage = Message::Usage(peer.usage.take()?);
            (usage, Content::Usage, InFlight::Usage { slot })
        };
        let key = peer.keys.sending(env.now)?;
        let len = key.seal(header, level, own, &message, (out, env)).ok()?;
        self.number();
        Some(self.transmit(len, Some(slot as u8), content, in_flight))
    }

    fn transmit(
        &mut self,
        len: usize,
        slot: Option<u8>,
        content: Content,
        in_flight: InFlight,
    ) -> Transmit {
        self.in_flight = Some(in_flight);
        Transmit {
            len,
            channel: self.policy.channel,
            acknowledged: slot.is_some(),
            slot,
            content,
        }
    }

    /// The sequence number of a frame; the next one has another.
    fn number(&mut self) -> u8 {
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        sequence
    }

    fn own(&self) -> Option<Endpoint> {
        self.endpoint(Address::Extended(self.address))
    }

    fn endpoint(&self, address: Address) -> Option<Endpoint> {
        Some(Endpoint {
            pan: self.pan,
            address,
        })
    }
}

impl core::fmt::Debug for Source {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Source")
            .field("kid32", &self.kid32)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
impl Coordinator {
    /// The keys of a device.
    pub(super) fn keys(&self, slot: usize) -> &super::peer::Keys {
        &self.peers[slot].keys
    }
}
