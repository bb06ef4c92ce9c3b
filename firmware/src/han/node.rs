//! The network side of a device: finds its meter, joins, keeps its link key, starts over.
//!
//! ```text
//! Off -> Scanning -> Associating -> Polling -> Requesting -> Joined
//!           ^            | denied                 | no answer  | silence, expiry
//!           +-- Pausing <+------------------------+            +--> Requesting
//! ```
//!
//! What survives a loss of power: the installation key with its frame counters, and the channel of
//! the meter, where the next scan begins. A device that hears nothing for a while asks for a key;
//! one that gets no answer looks for its meter again.

use alloc::collections::VecDeque;

use super::command::{self, AssociationStatus, CAPABILITIES, Command};
use super::coordinator::{Content, Transmit};
use super::frame::{Address, BROADCAST, Endpoint, FrameKind, KeyIdentifier, SecurityLevel};
use super::key::{self, LinkKey, Received, SecuredKey};
use super::message::{Challenge, Message};
use super::policy::{CHANNELS, RESPONSE_WAIT};
use super::{Policy, Reject};
use crate::Env;
use crate::crypto::{Secret, Work};
use crate::time::{Duration, Instant, earlier};
use crate::ukmf::{KeySummary, Purpose, Usage as KeyUsage};

/// Key requests without an answer before a device looks for its meter anew.
const REQUESTS_MAX: u8 = 6;
/// Confirmations of a key at most, if none is acknowledged.
const CONFIRMS_MAX: u8 = 4;
/// Pause before a confirmation is repeated.
const CONFIRM_RETRY: Duration = Duration::from_secs(1);

/// How far a device has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Without power.
    Off,
    /// Waiting before the next scan.
    Pausing,
    /// Listening on a channel.
    Scanning { channel: u8, asked: bool },
    /// About to ask for association, or waiting to ask for the answer.
    Associating { asked: bool },
    /// About to ask for the answer, or waiting for it.
    Polling { asked: bool },
    /// Asking for a link key.
    Requesting { challenge: Challenge, tries: u8 },
    /// With a link key.
    Joined,
}

/// A network that a device has found.
#[derive(Clone, Copy, Debug)]
struct Network {
    pan: u16,
    channel: u8,
    coordinator: u64,
}

/// What a node tells its device.
#[derive(Clone, Debug)]
pub(super) enum NodeEvent {
    /// A link key is in use.
    KeyInstalled { key_id: u8 },
    /// A message of the meter.
    Message(Message),
    /// There is no link to the meter any more.
    Lost,
}

/// The network side of a device.
#[derive(Debug)]
pub(super) struct Node {
    policy: Policy,
    address: u64,
    install: SecuredKey,
    state: State,
    sequence: u8,
    /// Non-volatile: the channel where the meter was found.
    home: Option<u8>,
    network: Option<Network>,
    short: Option<u16>,
    current: Option<LinkKey>,
    retired: Option<LinkKey>,
    timer: Option<Instant>,
    /// When to confirm the link key, and how often that was done.
    confirm: Option<(Instant, u8)>,
    outbox: VecDeque<Message>,
    confirming: bool,
    events: VecDeque<NodeEvent>,
}

impl Node {
    pub(super) fn new(policy: Policy, address: u64, install: &Secret<16>, work: &mut Work) -> Self {
        Self {
            policy,
            address,
            install: SecuredKey::new(install, work),
            state: State::Off,
            sequence: 0,
            home: None,
            network: None,
            short: None,
            current: None,
            retired: None,
            timer: None,
            confirm: None,
            outbox: VecDeque::new(),
            confirming: false,
            events: VecDeque::new(),
        }
    }

    pub(super) fn power_on(&mut self, env: &mut Env<'_>) {
        if self.state == State::Off {
            // Many devices get power at the same moment.
            self.pause(Duration::from_secs(1), env);
        }
    }

    pub(super) fn power_off(&mut self) {
        self.state = State::Off;
        self.forget();
        self.timer = None;
        self.outbox.clear();
    }

    fn forget(&mut self) {
        self.network = None;
        self.short = None;
        self.current = None;
        self.retired = None;
        self.confirm = None;
        self.confirming = false;
    }

    pub(super) const fn is_on(&self) -> bool {
        !matches!(self.state, State::Off)
    }

    pub(super) const fn is_joined(&self) -> bool {
        matches!(self.state, State::Joined)
    }

    /// The channel that the receiver is on.
    pub(super) fn channel(&self) -> Option<u8> {
        match self.state {
            State::Off | State::Pausing => None,
            State::Scanning { channel, .. } => Some(channel),
            _ => self.network.map(|network| network.channel),
        }
    }

    pub(super) fn key(&self) -> Option<&KeySummary> {
        self.current.as_ref().map(|link| &link.summary)
    }

    pub(super) fn send(&mut self, message: Message) {
        self.outbox.push_back(message);
    }

    pub(super) fn poll_event(&mut self) -> Option<NodeEvent> {
        self.events.pop_front()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let keys = [&self.current, &self.retired];
        let keys = keys.into_iter().flatten().map(|link| link.deadline).min();
        let confirm = self.confirm.map(|(at, _)| at);
        earlier(self.timer, earlier(keys, confirm))
    }

    pub(super) fn handle_frame(
        &mut self,
        psdu: &[u8],
        channel: u8,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        let received = Received::parse(psdu)?;
        match received.header.kind {
            FrameKind::Beacon => self.handle_beacon(&received, channel, env),
            FrameKind::Command => self.handle_command(&received, env),
            FrameKind::Data => self.handle_data(&received, env),
            FrameKind::Ack => Err(Reject::Unexpected),
        }
    }

    fn handle_beacon(
        &mut self,
        received: &Received<'_>,
        channel: u8,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        // The answer to somebody else's scan.
        if !matches!(self.state, State::Scanning { .. }) {
            return Err(Reject::Foreign);
        }
        if received.header.security.is_some() {
            return Err(Reject::KeyUnknown);
        }
        let Some(Endpoint {
            pan,
            address: Address::Extended(coordinator),
        }) = received.header.source
        else {
            return Err(Reject::Foreign);
        };
        if !command::permits_joining(received.payload())? {
            return Err(Reject::Foreign);
        }
        self.network = Some(Network {
            pan,
            channel,
            coordinator,
        });
        self.state = State::Associating { asked: false };
        self.timer = Some(env.now);
        Ok(())
    }

    fn handle_command(&mut self, received: &Received<'_>, env: &mut Env<'_>) -> Result<(), Reject> {
        if received.header.security.is_some() {
            return Err(Reject::KeyUnknown);
        }
        // Beacon requests of other devices are for coordinators.
        let command = Command::parse(received.payload())?;
        self.check_ends(received)?;
        match (self.state, command) {
            (State::Polling { .. }, Command::AssociationResponse { short, status }) => {
                if status == AssociationStatus::Success {
                    self.short = Some(short);
                    self.request(env);
                } else {
                    self.pause(self.policy.pause.scaled(6, 1), env);
                }
                Ok(())
            }
            (_, Command::AssociationResponse { short, .. }) if self.short == Some(short) => {
                Err(Reject::Duplicate)
            }
            _ => Err(Reject::Unexpected),
        }
    }

    /// Whether a frame is from our coordinator to us.
    fn check_ends(&self, received: &Received<'_>) -> Result<(), Reject> {
        let network = self.network.ok_or(Reject::Foreign)?;
        let end = |address| Endpoint {
            pan: network.pan,
            address,
        };
        let own = [
            Some(end(Address::Extended(self.address))),
            self.short.map(|short| end(Address::Short(short))),
        ];
        let coordinator = Some(end(Address::Extended(network.coordinator)));
        let destination = received.header.destination;
        if received.header.source == coordinator
            && destination.is_some()
            && own.contains(&destination)
        {
            Ok(())
        } else {
            Err(Reject::Foreign)
        }
    }

    fn handle_data(&mut self, received: &Received<'_>, env: &mut Env<'_>) -> Result<(), Reject> {
        self.check_ends(received)?;
        let security = received.header.security.ok_or(Reject::Unsecured)?;
        let source = self.network.ok_or(Reject::Foreign)?.coordinator;
        match security.key {
            KeyIdentifier::Implicit if security.level != SecurityLevel::EncMic128 => {
                Err(Reject::SecurityLevel)
            }
            KeyIdentifier::Implicit => {
                let message = self.install.open(received, source, env.work)?;
                self.handle_transport(message, env)
            }
            KeyIdentifier::Index(_) if security.level < self.policy.level => {
                Err(Reject::SecurityLevel)
            }
            KeyIdentifier::Index(key_id) => {
                let link = self.link(key_id, env.now).ok_or(Reject::KeyUnknown)?;
                let message = link.open(received, source, env)?;
                self.take(message, env.now)
            }
            _ => Err(Reject::KeyUnknown),
        }
    }

    /// The link key with `key_id`, current or superseded.
    fn link(&mut self, key_id: u8, now: Instant) -> Option<&mut LinkKey> {
        let links = [self.current.as_mut(), self.retired.as_mut()];
        let mut links = links.into_iter().flatten();
        links.find(|link| link.summary.key_id == key_id && now < link.deadline)
    }

    /// Takes an authentic message under a link key.
    fn take(&mut self, message: Message, now: Instant) -> Result<(), Reject> {
        if self.state == State::Joined {
            self.timer = Some(now + self.policy.silence);
        }
        match message {
            Message::Usage(_) | Message::Text(_) | Message::DemandEvent(_) => {
                self.events.push_back(NodeEvent::Message(message));
                Ok(())
            }
            _ => Err(Reject::Unexpected),
        }
    }

    fn handle_transport(&mut self, message: Message, env: &mut Env<'_>) -> Result<(), Reject> {
        let Message::KeyTransport {
            challenge,
            key,
            key_id,
            lifetime_s,
        } = message
        else {
            return Err(Reject::Unexpected);
        };
        match self.state {
            State::Requesting {
                challenge: expected,
                ..
            } if challenge != expected => return Err(Reject::Challenge),
            State::Requesting { .. } | State::Joined => {}
            _ => return Err(Reject::Unexpected),
        }
        self.confirm = Some((env.now, 0));
        self.timer = Some(env.now + self.policy.silence);
        let joined = core::mem::replace(&mut self.state, State::Joined) == State::Joined;
        // The same key once more: only the confirmation was lost. Its counters must not restart.
        if joined && self.key().is_some_and(|link| link.key_id == key_id) {
            return Ok(());
        }
        let overlap = self.policy.overlap;
        self.retired = self.current.take().map(|mut current| {
            current.retire(env.now, overlap);
            current
        });
        let expiry = env.now + Duration::from_secs(lifetime_s.into());
        let summary = summary(key_id, env.now);
        self.current = Some(LinkKey::new(&key, summary, expiry, env.work));
        self.home = self.network.map(|network| network.channel);
        self.events.push_back(NodeEvent::KeyInstalled { key_id });
        Ok(())
    }

    pub(super) fn handle_timeout(&mut self, env: &mut Env<'_>) {
        for slot in [&mut self.current, &mut self.retired] {
            slot.take_if(|link| link.deadline <= env.now);
        }
        if self.state == State::Joined && self.current.is_none() {
            self.events.push_back(NodeEvent::Lost);
            self.request(env);
        }
        if self.timer.is_none_or(|at| env.now < at) {
            return;
        }
        self.timer = None;
        match self.state {
            State::Off => {}
            State::Pausing => {
                let channel = self.home.unwrap_or(*CHANNELS.start());
                let asked = false;
                self.state = State::Scanning { channel, asked };
            }
            State::Scanning { channel, .. } => self.scan_next(channel, env),
            // The pause is over: the answer should lie ready.
            State::Associating { asked: true } => self.state = State::Polling { asked: false },
            State::Associating { asked: false } => {}
            State::Polling { .. } => self.pause(self.policy.pause, env),
            State::Requesting { tries, .. } if tries >= REQUESTS_MAX => {
                self.pause(self.policy.pause, env);
            }
            State::Requesting { .. } => {}
            State::Joined => {
                self.events.push_back(NodeEvent::Lost);
                self.request(env);
            }
        }
    }

    /// Goes on to the next channel, or waits if all have been tried.
    fn scan_next(&mut self, channel: u8, env: &mut Env<'_>) {
        // A network that has moved is found by a scan from the first channel on.
        let tried_home = self.home.take() == Some(channel);
        let first = *CHANNELS.start();
        let next = if tried_home { first } else { channel + 1 };
        if CHANNELS.contains(&next) {
            let (channel, asked) = (next, false);
            self.state = State::Scanning { channel, asked };
        } else {
            self.pause(self.policy.pause, env);
        }
    }

    /// Gives the network up, waits for `least` to twice as long, then scans.
    fn pause(&mut self, least: Duration, env: &mut Env<'_>) {
        self.forget();
        let draw = u64::from(u32::from_be_bytes(env.random()));
        self.state = State::Pausing;
        self.timer = Some(env.now + least + least.scaled(draw, 1 << 32));
    }

    /// Asks for a link key.
    fn request(&mut self, env: &mut Env<'_>) {
        let challenge = env.random();
        self.state = State::Requesting {
            challenge,
            tries: 0,
        };
        self.timer = Some(env.now);
    }

    /// Writes the next frame to `out`.
    pub(super) fn poll_transmit(&mut self, out: &mut [u8], env: &mut Env<'_>) -> Option<Transmit> {
        match self.state {
            State::Off | State::Pausing => None,
            State::Scanning {
                channel,
                asked: false,
            } => {
                self.state = State::Scanning {
                    channel,
                    asked: true,
                };
                self.timer = Some(env.now + self.policy.scan);
                self.put_command(Command::BeaconRequest, out)
            }
            State::Associating { asked: false } => {
                self.state = State::Associating { asked: true };
                self.timer = Some(env.now + RESPONSE_WAIT);
                let capabilities = CAPABILITIES;
                self.put_command(Command::AssociationRequest { capabilities }, out)
            }
            State::Polling { asked: false } => {
                self.state = State::Polling { asked: true };
                self.timer = Some(env.now + RESPONSE_WAIT);
                self.put_command(Command::DataRequest, out)
            }
            State::Requesting { challenge, tries }
                if tries < REQUESTS_MAX && self.timer.is_none_or(|at| at <= env.now) =>
            {
                let tries = tries + 1;
                self.state = State::Requesting { challenge, tries };
                self.timer = Some(env.now + self.policy.key_retry.scaled(tries.into(), 1));
                self.put_request(challenge, out, env)
            }
            State::Joined => self.put_message(out, env),
            State::Scanning { .. }
            | State::Associating { .. }
            | State::Polling { .. }
            | State::Requesting { .. } => None,
        }
    }

    /// What became of the frame written last.
    pub(super) fn confirm(&mut self, delivered: bool, now: Instant) {
        if !core::mem::take(&mut self.confirming) {
            return;
        }
        self.confirm = match self.confirm {
            Some((_, count)) if !delivered && count < CONFIRMS_MAX => {
                Some((now + CONFIRM_RETRY, count))
            }
            _ => None,
        };
    }

    fn put_command(&mut self, command: Command, out: &mut [u8]) -> Option<Transmit> {
        let everybody = Endpoint {
            pan: BROADCAST,
            address: Address::Short(BROADCAST),
        };
        let (destination, source) = match self.network {
            Some(_) => (self.coordinator(), self.own()),
            None => (Some(everybody), None),
        };
        let header = key::header(FrameKind::Command, self.number(), destination, source);
        let len = key::put_plain(&header, out, |writer| command.emit(writer)).ok()?;
        let acknowledged = self.network.is_some();
        self.transmit(len, acknowledged, Content::Joining)
    }

    fn put_request(
        &mut self,
        challenge: Challenge,
        out: &mut [u8],
        env: &mut Env<'_>,
    ) -> Option<Transmit> {
        let header = key::header(
            FrameKind::Data,
            self.number(),
            self.coordinator(),
            self.own(),
        );
        let level = (SecurityLevel::EncMic128, KeyIdentifier::Implicit);
        let message = Message::KeyRequest(challenge);
        let target = (out, &mut *env.work);
        let len = self
            .install
            .seal(header, level, self.address, &message, target)
            .ok()?;
        self.transmit(len, true, Content::Key)
    }

    fn put_message(&mut self, out: &mut [u8], env: &mut Env<'_>) -> Option<Transmit> {
        let (message, content) = match self.confirm {
            Some((at, count)) if at <= env.now => {
                // Until its fate is known there is no other confirmation.
                self.confirm = Some((Instant::FAR_FUTURE, count + 1));
                self.confirming = true;
                (Message::KeyConfirm, Content::Key)
            }
            _ => (self.outbox.pop_front()?, Content::Note),
        };
        let header = key::header(
            FrameKind::Data,
            self.number(),
            self.coordinator(),
            self.own(),
        );
        let (level, address) = (self.policy.level, self.address);
        let link = self.current.as_mut()?;
        let len = link.seal(header, level, address, &message, (out, env));
        self.transmit(len.ok()?, true, content)
    }

    fn transmit(&self, len: usize, acknowledged: bool, content: Content) -> Option<Transmit> {
        Some(Transmit {
            len,
            channel: self.channel()?,
            acknowledged,
            slot: None,
            content,
        })
    }

    fn number(&mut self) -> u8 {
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        sequence
    }

    fn coordinator(&self) -> Option<Endpoint> {
        self.network.map(|network| Endpoint {
            pan: network.pan,
            address: Address::Extended(network.coordinator),
        })
    }

    fn own(&self) -> Option<Endpoint> {
        self.network.map(|network| Endpoint {
            pan: network.pan,
            address: Address::Extended(self.address),
        })
    }
}

/// A device is not told more of its key than this.
const fn summary(key_id: u8, now: Instant) -> KeySummary {
    KeySummary {
        kid32: 0,
        key_id,
        purpose: Purpose::HanLink,
        index: 0,
        name: [0; 8],
        created: now,
        activated: Some(now),
        superseded: None,
        ended: None,
        reason: None,
        tx: KeyUsage {
            first: None,
            last: None,
            messages: 0,
            octets: 0,
        },
        rx: KeyUsage {
            first: None,
            last: None,
            messages: 0,
            octets: 0,
        },
    }
}
