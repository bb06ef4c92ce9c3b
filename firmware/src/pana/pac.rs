//! The PANA client (RFC 5191 §4, RFC 5609 §5).
//!
//! ```text
//!             start            PAR[S]             PAR[C] verified
//!      Idle --------> Discovering ----> Authenticating -----------> Open
//!       |  PAR[S] unsolicited               ^   ^   PAR of the PAA    |  reauthenticate
//!       +-----------------------------------+   +------<--------------+--> AwaitingNotification
//!                                           +------------<----------------------+ PNA[A]
//!      any -- PTR, lifetime, time-out, rejection --> Closed <-- PTA -- Terminating
//! ```
//!
//! Three rules go beyond RFC 5609, whose machines leave a gap there. A request that the host asks
//! for while another one is outstanding waits for its turn. A PING that is outstanding when the
//! re-authentication ends has to be answered first, because its repetitions are protected by the
//! old key. A message whose EAP packet is discarded is discarded as a whole, so that a forgery
//! leaves no trace.

mod authentication;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::eap;
use crate::memory::Visitor;
use crate::{Duration, Env, Instant};

use super::Reject;
use super::config::Config;
use super::exchange::{Arrival, Exchange, authenticate};
use super::header::{Flags, MessageType};
use super::key::{Association, Sender};
use super::message::{Message, ResultCode, TerminationCause};
use super::session::{
    Authentication, CloseCause, Deadlines, Events, Security, Wishes, check_ping_rate, encapsulate,
};

/// Where a PaC is in its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PacState {
    /// No session; an unsolicited PAR\[S\] starts one.
    Idle,
    /// PCI has been sent, no PAR\[S\] accepted yet.
    Discovering,
    /// The (re-)authentication phase.
    Authenticating,
    /// The access phase.
    Open,
    /// PNR\[A\] has been sent; access goes on.
    AwaitingReauthentication,
    /// PTR has been sent.
    Terminating,
    /// The session has ended; only [`Pac::start`] and [`Pac::reset`] lead on.
    Closed,
}

/// What a PaC tells its host.
#[derive(Debug)]
pub enum PacEvent {
    /// PAR\[C\] success has been verified and PAN\[C\] is about to leave.
    Authenticated {
        /// The Key-Id of the new PANA SA.
        key_id: u32,
        /// Session-Lifetime.
        lifetime: Duration,
        /// What EAP exported.
        keys: eap::Keys,
        /// Whether the session is new.
        kind: Authentication,
    },
    /// The PAA wants the PaC to obtain another IP address (RFC 5191 §4.1, I bit).
    AddressReconfiguration,
    /// The PAA answered a ping.
    PingAnswered,
    /// AVPs that arrived encrypted (RFC 6786), as a list of AVPs.
    Confidential(Box<[u8]>),
    /// The PAA rejected the PaC; the session is about to close.
    Rejected {
        /// Why.
        result_code: ResultCode,
    },
    /// The session has ended and its keys are gone.
    Closed {
        /// Why.
        cause: CloseCause,
    },
}

/// A PANA client with one session.
///
/// After every input drain [`Pac::poll_event`], then [`Pac::poll_transmit`], then ask
/// [`Pac::poll_timeout`]. Datagrams go to UDP port 716 of the PAA (or of the relay element).
#[derive(Debug)]
pub struct Pac<M> {
    config: Arc<Config>,
    peer: eap::Peer<M>,
    state: PacState,
    session_id: u32,
    exchange: Exchange,
    security: Security,
    deadlines: Deadlines,
    wishes: Wishes,
    /// AVPs that the next ping carries encrypted.
    confidential: Vec<u8>,
    ping_answered: Option<Instant>,
    reconfigure: bool,
    events: Events<PacEvent>,
}

impl<M: eap::PeerMethod> Pac<M> {
    /// A PaC without a session.
    pub fn new(config: Arc<Config>, peer: eap::Peer<M>) -> Self {
        Self {
            config,
            peer,
            state: PacState::Idle,
            session_id: 0,
            exchange: Exchange::default(),
            security: Security::default(),
            deadlines: Deadlines::default(),
            wishes: Wishes::default(),
            confidential: Vec::new(),
            ping_answered: None,
            reconfigure: false,
            events: Events::default(),
        }
    }

    /// Looks for a PAA by PCI; a session that exists is forgotten without notice.
    pub fn start(&mut self, env: &mut Env<'_>) {
        self.forget();
        self.state = PacState::Discovering;
        self.exchange.initiate(&self.config, env);
    }

    /// Forgets the session as a loss of power does.
    pub fn reset(&mut self) {
        self.forget();
        self.state = PacState::Idle;
        self.events = Events::default();
    }

    /// Starts a re-authentication as soon as no request is outstanding (RFC 5191 §4.3).
    pub fn reauthenticate(&mut self, env: &mut Env<'_>) {
        self.wishes.reauthenticate = self.has_access();
        self.grant_wishes(env);
    }

    /// Tests whether the PAA is alive (RFC 5191 §4.2).
    pub fn ping(&mut self, env: &mut Env<'_>) {
        self.wishes.ping = self.has_access();
        self.grant_wishes(env);
    }

    /// Pings with `avps`, a list of AVPs of at most 1,024 octets, encrypted (RFC 6786).
    ///
    /// Returns false if encryption was not negotiated or the list is too long.
    pub fn ping_confidentially(&mut self, avps: &[u8], env: &mut Env<'_>) -> bool {
        let encrypts = self.security.suite.is_some_and(|suite| suite.encryption);
        if !encrypts || avps.len() > super::CONFIDENTIAL_LEN_MAX {
            return false;
        }
        self.confidential.clear();
        self.confidential.extend_from_slice(avps);
        self.ping(env);
        true
    }

    /// Logs out; before access is granted the session is just forgotten (RFC 5191 §4.4).
    pub fn terminate(&mut self, env: &mut Env<'_>) {
        if self.security.association.is_some() {
            self.wishes.terminate = Some(TerminationCause::Logout);
            self.grant_wishes(env);
        } else if !matches!(self.state, PacState::Idle | PacState::Closed) {
            self.close(CloseCause::Terminated);
        }
    }

    /// Takes a UDP payload that arrived from the PAA or the relay element.
    pub fn handle_datagram(&mut self, octets: &[u8], env: &mut Env<'_>) -> Result<(), Reject> {
        let message = Message::parse(octets)?;
        let header = message.header;
        match header.kind {
            MessageType::Auth if header.is_request() && header.flags.contains(Flags::START) => {
                self.on_start(&message, env)?;
            }
            MessageType::Auth | MessageType::Termination | MessageType::Notification => {
                let sessionless = matches!(
                    self.state,
                    PacState::Idle | PacState::Discovering | PacState::Closed
                );
                if sessionless || header.session_id != self.session_id {
                    return Err(Reject::SessionUnknown);
                }
                if header.is_request() {
                    self.on_request(&message, env)?;
                } else {
                    self.on_answer(&message, env)?;
                }
            }
            MessageType::ClientInitiation | MessageType::Relay | MessageType::Unknown(_) => {
                return Err(Reject::MessageUnexpected);
            }
        }
        self.grant_wishes(env);
        Ok(())
    }

    /// Acts on every deadline that `env.now` has reached.
    pub fn handle_timeout(&mut self, env: &mut Env<'_>) {
        if let Some(cause) = self.deadlines.reached(env.now) {
            self.close(cause);
        } else if !self.exchange.handle_timeout(&self.config, env) {
            self.close(CloseCause::PeerUnreachable);
        }
    }

    /// When [`Pac::handle_timeout`] is due next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.earliest(self.exchange.deadline())
    }

    /// Copies the next message to `out` and returns its length.
    ///
    /// A message that does not fit is lost; [`super::MESSAGE_LEN_MAX`] octets always suffice.
    pub fn poll_transmit(&mut self, out: &mut [u8]) -> Option<usize> {
        while let Some(message) = self.exchange.poll_transmit() {
            if let Some(out) = out.get_mut(..message.len()) {
                out.copy_from_slice(message);
                return Some(message.len());
            }
        }
        None
    }

    /// The oldest event.
    pub fn poll_event(&mut self) -> Option<PacEvent> {
        self.events.pop()
    }

    /// Where the session is.
    pub const fn state(&self) -> PacState {
        self.state
    }

    /// Whether the PAA has granted access and it has not ended.
    pub const fn has_access(&self) -> bool {
        self.security.association.is_some()
    }

    /// Shows `visitor` what is looked at between messages of its own.
    pub fn visit_idle(&self, visitor: &mut impl Visitor) {
        visitor.visit(&self.security.association);
        visitor.visit(&self.exchange);
        visitor.visit(&self.deadlines);
        visitor.visit(&self.events);
        visitor.visit(&self.state);
    }

    /// The session identifier, zero before there is one.
    pub const fn session_id(&self) -> u32 {
        self.session_id
    }

    /// How many messages were sent once more (RFC 5191 §5.2, §9).
    pub const fn retransmissions(&self) -> u32 {
        self.exchange.repetitions()
    }

    /// When the session expires, once it is open.
    pub const fn expiry(&self) -> Option<Instant> {
        self.deadlines.expiry
    }

    /// The PANA SA in force.
    pub const fn association(&self) -> Option<&Association> {
        self.security.association.as_ref()
    }

    /// The EAP peer.
    pub const fn peer(&self) -> &eap::Peer<M> {
        &self.peer
    }

    /// The EAP peer, to be reconfigured between conversations.
    pub const fn peer_mut(&mut self) -> &mut eap::Peer<M> {
        &mut self.peer
    }

    fn on_request(&mut self, message: &Message<'_>, env: &mut Env<'_>) -> Result<(), Reject> {
        if self.exchange.classify(message)? == Arrival::Repeated {
            self.exchange.repeat_answer();
            return Ok(());
        }
        let flags = message.header.flags;
        match message.header.kind {
            MessageType::Auth if flags.contains(Flags::COMPLETE) => self.on_complete(message, env),
            MessageType::Auth => self.on_auth_request(message, env),
            MessageType::Termination => self.on_termination_request(message, env),
            _ if flags.contains(Flags::PING) => self.on_ping_request(message, env),
            _ => Err(Reject::MessageUnexpected),
        }
    }

    /// PTR ends the session as soon as it is answered (RFC 5191 §4.4).
    fn on_termination_request(
        &mut self,
        message: &Message<'_>,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        let key = self.security.auth_key().ok_or(Reject::MessageUnexpected)?;
        message.verify(key, env.work)?;
        let cause = message.termination_cause.ok_or(Reject::AvpMissing)?;
        self.exchange.accept(message);
        self.exchange
            .answer(&message.header)
            .finish(self.security.auth_key(), env.work);
        if self.state != PacState::Terminating {
            self.close(CloseCause::TerminatedByPeer(cause));
        }
        Ok(())
    }

    /// A ping is answered at a limited rate whenever there is an SA (RFC 5191 §4.2).
    fn on_ping_request(&mut self, message: &Message<'_>, env: &mut Env<'_>) -> Result<(), Reject> {
        let association = self
            .security
            .association
            .as_ref()
            .ok_or(Reject::MessageUnexpected)?;
        message.verify(association.auth(), env.work)?;
        check_ping_rate(&self.config, self.ping_answered, env.now)?;
        if let Some(octets) = message.encapsulated {
            let mut plaintext = Vec::from(octets);
            self.decrypt(association, message, &mut plaintext, env)?;
            self.events
                .push(PacEvent::Confidential(plaintext.into_boxed_slice()));
        }
        self.ping_answered = Some(env.now);
        self.exchange.accept(message);
        self.exchange
            .answer(&message.header)
            .finish(self.security.auth_key(), env.work);
        Ok(())
    }

    fn on_answer(&mut self, message: &Message<'_>, env: &mut Env<'_>) -> Result<(), Reject> {
        self.exchange.check_answer(message)?;
        authenticate(message, self.security.auth_key(), env.work)?;
        match message.header.kind {
            MessageType::Auth if message.eap.is_some() => return Err(Reject::EapMisplaced),
            MessageType::Auth => self.exchange.settle(),
            MessageType::Termination => self.close(CloseCause::Terminated),
            _ if message.header.flags.contains(Flags::REAUTHENTICATION) => {
                self.exchange.settle();
                self.peer.restart();
                self.begin_phase(env);
            }
            _ => {
                if let (Some(octets), Some(association)) =
                    (message.encapsulated, &self.security.association)
                {
                    let mut plaintext = Vec::from(octets);
                    self.decrypt(association, message, &mut plaintext, env)?;
                    self.events
                        .push(PacEvent::Confidential(plaintext.into_boxed_slice()));
                }
                self.exchange.settle();
                self.events.push(PacEvent::PingAnswered);
            }
        }
        Ok(())
    }

    /// Enters the re-authentication phase.
    fn begin_phase(&mut self, env: &mut Env<'_>) {
        self.security.nonces.clear();
        self.deadlines.authentication = Some(env.now + self.config.failed_session_timeout);
        self.state = PacState::Authenticating;
    }

    /// Sends what the host asked for, one request at a time.
    fn grant_wishes(&mut self, env: &mut Env<'_>) {
        if self.exchange.outstanding_kind().is_some() || self.state == PacState::Closed {
            return;
        }
        let Some(association) = &self.security.association else {
            return;
        };
        if let Some(cause) = self.wishes.terminate.take() {
            self.exchange.terminate(
                self.session_id,
                cause,
                association.auth(),
                &self.config,
                env,
            );
            self.state = PacState::Terminating;
            self.deadlines.authentication = None;
        } else if self.state == PacState::Open && core::mem::take(&mut self.wishes.reauthenticate) {
            self.send_notification(Flags::REAUTHENTICATION, env);
            self.state = PacState::AwaitingReauthentication;
        } else if self.state == PacState::Open && core::mem::take(&mut self.wishes.ping) {
            self.send_notification(Flags::PING, env);
        }
    }

    fn send_notification(&mut self, flags: Flags, env: &mut Env<'_>) {
        let mut request =
            self.exchange
                .request(MessageType::Notification, flags, self.session_id, env);
        if let Some(association) = &self.security.association {
            if flags == Flags::PING && !self.confidential.is_empty() {
                encapsulate(
                    &mut request,
                    association,
                    Sender::Pac,
                    &mut self.confidential,
                    env,
                );
            }
            request.finish(Some(association.auth()), env.work);
        }
        self.exchange.launch(&self.config, env);
    }

    fn close(&mut self, cause: CloseCause) {
        self.exchange.settle();
        self.security = Security::default();
        self.deadlines = Deadlines::default();
        self.wishes = Wishes::default();
        self.confidential.clear();
        self.peer.restart();
        self.state = PacState::Closed;
        self.events.push(PacEvent::Closed { cause });
    }

    fn forget(&mut self) {
        self.exchange.reset();
        self.security = Security::default();
        self.deadlines = Deadlines::default();
        self.wishes = Wishes::default();
        self.confidential.clear();
        self.peer.restart();
        self.session_id = 0;
        self.ping_answered = None;
        self.reconfigure = false;
    }
}
