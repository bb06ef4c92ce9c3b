//! A head-end instance as its host sees it.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use super::commands::CommandReport;
use super::config::{Config, Subscription};
use super::desk::Desk;
use super::group::Groups;
use super::relays::Relays;
use super::request::RequestReport;
use super::subscriber::Subscribers;
use crate::c1222::notice::Notice;
use crate::c1222::outbox::{DATAGRAM_LEN_DEFAULT, Outbox};
use crate::eap::Authenticator;
use crate::eap::psk::PskServer;
use crate::memory::Visitor;
use crate::meter::{Channel, Interval, end_reason};
use crate::pana::{Authentication, Authorizer, Decision, EnforcementPoint, LinkId, Paa, PaaEvent};
use crate::pana::{PaaSession, SessionRef, TerminationCause};
use crate::time::{Duration, Instant, earlier};
use crate::ukmf::{EndReason, KeyEvent, KeySummary};
use crate::{Env, Reject, c1222};

/// The access network is one link to the enforcement point of the head-end.
pub(super) const ACCESS_NETWORK: LinkId = LinkId(0);
/// Part of the session lifetime after which the head-end re-authenticates a meter that has not
/// done so itself, in thousandths.
const FALLBACK_PERMILLE: u64 = 950;

/// Names a deadline of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// Of the PANA session in this slot.
    Session(u32),
    /// Of the keys and the unfinished messages of the meter with this rank.
    Subscriber(u32),
    /// Of the orders to switches and requests to meters: see [`Headend::next_command`].
    Commands,
}

/// An access to a store outside of the instance, which takes time of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreAccess {
    /// Credentials of a meter were fetched.
    CredentialLookup,
    /// A derived key was written.
    KeyWrite,
}

/// A datagram that was written to the host's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub destination: SocketAddr,
    /// Which port it leaves from.
    pub channel: Channel,
    /// Its length.
    pub len: usize,
    /// Whether it repeats an earlier datagram.
    pub retransmission: bool,
}

/// What the host learns about a meter.
#[derive(Clone, Copy, Debug)]
pub enum HeadendEvent {
    /// PAN\[C\] was verified: the meter has access.
    Authenticated,
    /// An authentication failed.
    AuthenticationFailed,
    /// A key was erased.
    KeyEnded(KeySummary),
    /// An interval was delivered, or the meter has said that it measured nothing then.
    Interval(Interval),
    /// The registers were read: energy delivered since the meter is new, in Wh.
    Register(u64),
    /// A meter has lost power, or has it back.
    Notice(Notice),
    /// An order to the switch has ended.
    Command(CommandReport),
    /// A request has ended.
    Request(RequestReport),
    /// Something was discarded that no datagram at hand is to blame for.
    Discarded(Reject),
}

/// What an instance knows of the session in a slot beyond the session itself.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// The meter that it belongs to, once EAP has told.
    owner: Option<u32>,
    /// When the head-end re-authenticates the meter, if the meter does not.
    fallback: Option<Instant>,
    /// Retransmissions that the host has been told of.
    retransmissions: u32,
}

/// The protocol software of one head-end instance.
pub struct Headend {
    pub(super) config: Arc<Config>,
    pub(super) paa: Paa<PskServer>,
    pub(super) subscribers: Subscribers,
    /// PANA Key-Id of each meter's latest authentication; never repeats, over all sessions.
    key_ids: Vec<u32>,
    pub(super) enforcement: EnforcementPoint,
    /// What is known of the session in each slot.
    slots: Vec<Slot>,
    /// Sessions with messages to send.
    talking: VecDeque<SessionRef>,
    /// A C12.22 response to send.
    pub(super) response: Outbox,
    pub(super) response_to: Option<SocketAddr>,
    /// Orders to switches and requests to meters, once there are any.
    pub(super) commands: Option<Box<Desk>>,
    /// Groups of meters, where there are any.
    pub(super) groups: Option<Box<Groups>>,
    /// Relays, where meters sit behind any.
    pub(super) relays: Option<Box<Relays>>,
    pub(super) touched: Vec<Alarm>,
    key_writes: u32,
    pub(super) events: VecDeque<(u32, HeadendEvent)>,
}

impl Headend {
    /// An instance without subscribers; draws the secrets of its stateless answers from `env`.
    pub fn new(config: Arc<Config>, env: &mut Env<'_>) -> Self {
        Self {
            paa: agent(&config, env),
            config,
            subscribers: Subscribers::default(),
            key_ids: Vec::new(),
            enforcement: EnforcementPoint::new(),
            slots: Vec::new(),
            talking: VecDeque::new(),
            response: Outbox::default(),
            response_to: None,
            commands: None,
            groups: None,
            relays: None,
            touched: Vec::new(),
            key_writes: 0,
            events: VecDeque::new(),
        }
    }

    /// Adds a meter; ranks count from zero in the order of the calls.
    pub fn subscribe(&mut self, subscription: Subscription) {
        self.subscribers.add(&self.config, subscription);
        self.key_ids.push(0);
    }

    /// Shows `visitor` what the instance keeps about the meter with this rank.
    pub fn visit_subscriber(&self, rank: u32, visitor: &mut impl Visitor) {
        visitor.visit(self.subscribers.get(rank));
    }

    /// Shows `visitor` the key that the next message of the meter with this rank is protected with.
    pub fn visit_keys(&self, rank: u32, visitor: &mut impl Visitor) {
        self.subscribers.get(rank).keys.visit_memory(visitor);
    }

    /// Takes the UDP payload of a datagram; `utc` is the time in seconds since 1970.
    ///
    /// C12.22 messages are decrypted in place.
    pub fn handle_datagram(
        &mut self,
        channel: Channel,
        source: SocketAddr,
        octets: &mut [u8],
        utc: u32,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        match channel {
            Channel::Pana => self.handle_pana(source, octets, env),
            Channel::C1222 => self.handle_c1222(source, octets, utc, env),
        }
    }

    /// Acts on the deadlines behind `alarm` that `env.now` has reached.
    pub fn handle_timeout(&mut self, alarm: Alarm, env: &mut Env<'_>) {
        match alarm {
            Alarm::Session(slot) => {
                let Some(session) = self.session_at(slot) else {
                    return;
                };
                let state = &mut self.slots[slot as usize];
                let fall_back = state.fallback.take_if(|at| *at <= env.now).is_some();
                self.paa.handle_timeout(session, env);
                if fall_back {
                    self.paa.reauthenticate(session, env);
                }
                self.settle(session, env);
            }
            Alarm::Subscriber(rank) => {
                self.subscribers.get_mut(rank).handle_timeout(env.now);
                self.collect_key_events(rank);
            }
            Alarm::Commands => {}
        }
    }

    /// The deadline behind `alarm`, if there is one.
    pub fn deadline(&self, alarm: Alarm) -> Option<Instant> {
        match alarm {
            Alarm::Session(slot) => {
                let protocol = self.paa.poll_timeout(self.session_at(slot)?);
                let fallback = self.slots.get(slot as usize)?.fallback;
                earlier(protocol, fallback)
            }
            Alarm::Subscriber(rank) => self.subscribers.get(rank).poll_timeout(),
            Alarm::Commands => earlier(self.desk_deadline(), self.groups_deadline()),
        }
    }

    /// The next deadline that the latest call may have moved.
    pub fn poll_touched(&mut self) -> Option<Alarm> {
        self.touched.pop()
    }

    /// The address of the peer behind `alarm`, where randomness depends on it.
    pub fn peer_of(&self, alarm: Alarm) -> Option<SocketAddr> {
        match alarm {
            Alarm::Session(slot) => {
                let session = self.session_at(slot)?;
                Some(self.paa.session(session)?.pac())
            }
            Alarm::Subscriber(_) | Alarm::Commands => None,
        }
    }

    /// The next access to an outside store that the latest call made.
    pub fn poll_store_access(&mut self) -> Option<StoreAccess> {
        if self.subscribers.take_lookup() {
            return Some(StoreAccess::CredentialLookup);
        }
        let left = self.key_writes.checked_sub(1)?;
        self.key_writes = left;
        Some(StoreAccess::KeyWrite)
    }

    /// The oldest event, with the rank of its meter.
    pub fn poll_event(&mut self) -> Option<(u32, HeadendEvent)> {
        self.events.pop_front()
    }

    /// Writes the next datagram to `out`.
    pub fn poll_transmit(&mut self, out: &mut [u8]) -> Option<Transmit> {
        if let Some(destination) = self.response_to {
            if let Some((len, retransmission)) = self.response.poll(DATAGRAM_LEN_DEFAULT, out) {
                return Some(Transmit {
                    destination,
                    channel: Channel::C1222,
                    len,
                    retransmission,
                });
            }
            self.response_to = None;
        }
        if let Some(request) = self.poll_command(out) {
            return Some(request);
        }
        if let Some(inquiry) = self.poll_inquiry(out) {
            return Some(inquiry);
        }
        let paa = &mut self.paa;
        let pana = |transmit: crate::pana::Transmit, retransmission| Transmit {
            destination: transmit.destination,
            channel: Channel::Pana,
            len: transmit.len,
            retransmission,
        };
        if let Some(reply) = paa.poll_reply(out) {
            return Some(pana(reply, false));
        }
        while let Some(&session) = self.talking.front() {
            if let Some(transmit) = paa.poll_transmit(session, out) {
                let slot = session.slot() as usize;
                let sent = paa.session(session).map_or(0, PaaSession::retransmissions);
                let known = core::mem::replace(&mut self.slots[slot].retransmissions, sent);
                return Some(pana(transmit, sent > known));
            }
            self.talking.pop_front();
        }
        None
    }

    /// Loses all sessions and keys, as a restart without a stored state does.
    pub fn forget_sessions(&mut self, env: &mut Env<'_>) {
        self.paa = agent(&self.config, env);
        self.enforcement = EnforcementPoint::new();
        self.slots.clear();
        self.talking.clear();
        self.response_to = None;
        if let Some(relays) = &mut self.relays {
            relays.forget();
        }
        for rank in 0..self.key_ids.len() as u32 {
            let subscriber = self.subscribers.get_mut(rank);
            subscriber.session = None;
            subscriber.place = None;
            subscriber.registered_until = Instant::ZERO;
            subscriber.node.forget_all();
            subscriber.keys.erase_all(EndReason::Reboot, env.now);
            self.collect_key_events(rank);
            self.part(rank, EndReason::Reboot, env.now);
        }
    }

    /// Re-authenticates a meter ahead of time (RFC 5191 §4.3), if it has a session.
    pub fn reauthenticate(&mut self, rank: u32, env: &mut Env<'_>) {
        if let Some(session) = self.subscribers.get(rank).session {
            self.paa.reauthenticate(session, env);
            self.settle(session, env);
        }
    }

    /// Ends the session of a meter (RFC 5191 §4.4).
    pub fn terminate(&mut self, rank: u32, env: &mut Env<'_>) {
        if let Some(session) = self.subscribers.get(rank).session {
            self.paa
                .terminate(session, TerminationCause::Administrative, env);
            self.settle(session, env);
        }
    }

    /// The address from which the meter with this rank has its session, if it has one.
    pub fn place(&self, rank: u32) -> Option<IpAddr> {
        self.subscribers.get(rank).place
    }

    /// Sessions that exist and, of these, sessions that are being established.
    pub fn session_counts(&self) -> (usize, u32) {
        (self.paa.session_count(), self.paa.half_open_count())
    }

    /// Keys that are not erased, with the rank of their meter.
    pub fn live_keys(&self) -> impl Iterator<Item = (u32, &KeySummary)> {
        let own = self
            .subscribers
            .iter()
            .flat_map(|(rank, subscriber)| subscriber.keys.keys().map(move |key| (rank, key)));
        own.chain(self.group_keys())
    }

    fn session_at(&self, slot: u32) -> Option<SessionRef> {
        self.paa.session_at(slot)
    }

    fn handle_pana(
        &mut self,
        source: SocketAddr,
        octets: &[u8],
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        let config = &self.config;
        let mut authorizer = Grants {
            subscribers: &self.subscribers,
            key_ids: &mut self.key_ids,
            lifetime: config.session_lifetime,
            one_place: config.one_place,
        };
        let session = self
            .paa
            .handle_datagram(source, octets, &self.subscribers, &mut authorizer, env)
            .map_err(Reject::Pana)?;
        if let Some(session) = session {
            self.settle(session, env);
        }
        Ok(())
    }

    /// Lets the events of a session take effect and notes what has to be sent and watched.
    fn settle(&mut self, session: SessionRef, env: &mut Env<'_>) {
        let slot = session.slot() as usize;
        if slot >= self.slots.len() {
            self.slots.resize(slot + 1, Slot::default());
        }
        while let Some(event) = self.paa.poll_event(session) {
            self.on_session_event(session, event, env);
        }
        self.talking.push_back(session);
        self.touched.push(Alarm::Session(session.slot()));
    }

    fn on_session_event(&mut self, session: SessionRef, event: PaaEvent, env: &mut Env<'_>) {
        match event {
            PaaEvent::KeysReady {
                key_id,
                lifetime,
                keys,
                identity,
                ..
            } => {
                let Some(rank) = self.subscribers.find_identity(&identity) else {
                    return;
                };
                self.slots[session.slot() as usize].owner = Some(rank);
                let subscriber = self.subscribers.get_mut(rank);
                let (emsk, session_id) = (&keys.emsk, keys.session_id.as_bytes());
                let title = subscriber.title;
                let content = title.get().content();
                let installed = subscriber
                    .keys
                    .install(emsk, session_id, key_id, content, lifetime, env);
                self.key_writes += u32::from(installed.is_ok());
                self.collect_key_events(rank);
            }
            PaaEvent::Authenticated {
                key_id,
                lifetime,
                kind,
            } => {
                let at = env.now + lifetime.scaled(FALLBACK_PERMILLE, 1_000);
                self.slots[session.slot() as usize].fallback = Some(at);
                self.on_authenticated(session, key_id, kind, env);
            }
            PaaEvent::Closed { cause } => self.on_closed(session, end_reason(cause), env),
            PaaEvent::Rejected { .. } => {
                if let Some(rank) = self.owner(session) {
                    self.events
                        .push_back((rank, HeadendEvent::AuthenticationFailed));
                }
            }
            PaaEvent::AddressChanged { pac, .. } => {
                // The old address stays closed: it may be somebody else's by now.
                self.enforcement.open(pac.ip(), ACCESS_NETWORK);
                if let Some(rank) = self.owner(session) {
                    self.subscribers.get_mut(rank).place = Some(pac.ip());
                    self.take_way(rank, None);
                }
            }
            PaaEvent::Replaced { .. } | PaaEvent::PingAnswered => {}
        }
    }

    fn on_authenticated(
        &mut self,
        session: SessionRef,
        key_id: u32,
        kind: Authentication,
        env: &mut Env<'_>,
    ) {
        let Some(rank) = self.owner(session) else {
            return;
        };
        let place = self.paa.session(session).map(|session| session.pac().ip());
        if let Some(pac) = place {
            self.enforcement.open(pac, ACCESS_NETWORK);
        }
        let subscriber = self.subscribers.get_mut(rank);
        subscriber.session = Some(session);
        subscriber.place = place;
        subscriber.keys.activate(key_id, env);
        if kind == Authentication::Initial {
            // It may be somewhere else now.
            self.take_way(rank, None);
            let subscriber = self.subscribers.get_mut(rank);
            // A new session means that the meter has lost the keys of an older one.
            subscriber
                .keys
                .erase_others(key_id, EndReason::Reboot, env.now);
        }
        self.collect_key_events(rank);
        self.welcome(rank, kind == Authentication::Initial, env.now);
        self.events.push_back((rank, HeadendEvent::Authenticated));
    }

    fn on_closed(&mut self, session: SessionRef, reason: EndReason, env: &mut Env<'_>) {
        let Some(rank) = self.owner(session) else {
            return;
        };
        self.slots[session.slot() as usize] = Slot::default();
        let subscriber = self.subscribers.get_mut(rank);
        if subscriber.session != Some(session) {
            return;
        }
        subscriber.session = None;
        subscriber.place = None;
        subscriber.keys.erase_all(reason, env.now);
        if let Some(pac) = self.paa.session(session) {
            self.enforcement.close(pac.pac().ip(), ACCESS_NETWORK);
        }
        self.take_way(rank, None);
        self.part(rank, reason, env.now);
        self.collect_key_events(rank);
    }

    fn owner(&self, session: SessionRef) -> Option<u32> {
        self.slots.get(session.slot() as usize)?.owner
    }

    pub(super) fn collect_key_events(&mut self, rank: u32) {
        let subscriber = self.subscribers.get_mut(rank);
        while let Some(event) = subscriber.keys.poll_event() {
            if let KeyEvent::Ended(summary) = event {
                self.events
                    .push_back((rank, HeadendEvent::KeyEnded(summary)));
            }
        }
        for _ in 0..subscriber.take_dropped() {
            let reject = Reject::C1222(c1222::Reject::SegmentsMissing);
            self.events
                .push_back((rank, HeadendEvent::Discarded(reject)));
        }
        self.touched.push(Alarm::Subscriber(rank));
    }
}

impl core::fmt::Debug for Headend {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Headend")
            .field("subscribers", &self.key_ids.len())
            .field("sessions", &self.session_counts())
            .finish_non_exhaustive()
    }
}

/// Grants access to every subscriber that EAP has authenticated.
struct Grants<'a> {
    subscribers: &'a Subscribers,
    key_ids: &'a mut Vec<u32>,
    lifetime: Duration,
    one_place: bool,
}

impl Authorizer for Grants<'_> {
    fn authorize(&mut self, identity: &[u8], pac: SocketAddr) -> Decision {
        let Some(rank) = self.subscribers.find_identity(identity) else {
            return Decision::Deny { key_id: 0 };
        };
        let key_id = &mut self.key_ids[rank as usize];
        *key_id = key_id.wrapping_add(1);
        let place = self.subscribers.get(rank).place;
        if self.one_place && place.is_some_and(|place| place != pac.ip()) {
            return Decision::Deny { key_id: *key_id };
        }
        Decision::Grant {
            key_id: *key_id,
            lifetime: self.lifetime,
        }
    }
}

fn agent(config: &Arc<Config>, env: &mut Env<'_>) -> Paa<PskServer> {
    let (identity, eap) = (Arc::clone(&config.server_identity), config.eap);
    let make = move || Authenticator::new(PskServer::new(Arc::clone(&identity)), eap);
    Paa::new(Arc::clone(&config.pana), Box::new(make), env)
}
