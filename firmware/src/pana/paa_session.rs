//! One session of the PANA authentication agent (RFC 5191 §4, RFC 5609 §6).
//!
//! ```text
//!                PAN[S]                  EAP success            PAN[C] verified
//!  Starting -------------> Authenticating ----------> Completing ----------------> Open
//!                           ^    | EAP failure: Completing, then Closed              |
//!                           +----+------------ PNR[A], or wish of the host ----------+
//!  any -- PTR, lifetime, time-out, rejection --> Closed <-- PTA -- Terminating
//! ```
//!
//! The gaps of RFC 5609 are closed as in the PaC: requests of the host wait for their turn, and a
//! message whose EAP packet is discarded is discarded as a whole. If both ends start a
//! re-authentication at once, PNR\[A\] is answered and the PAR that is under way repeated, because
//! the PaC discards every PAR until it has PNA\[A\].

mod authentication;
mod host;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::eap;
use crate::wire::Writer;
use crate::{Duration, Env, Instant};

use super::avp::{Avps, Code};
use super::config::Config;
use super::exchange::{Arrival, Exchange, authenticate};
use super::header::{Flags, Header, MessageType};
use super::key::{AES128_CTR, Association, Sender};
use super::message::{Emitter, Message, ResultCode, TerminationCause};
use super::session::{
    CloseCause, Deadlines, Events, Security, Wishes, check_ping_rate, encapsulate,
};
use super::{CONFIDENTIAL_LEN_MAX, Reject, relay};

pub use host::{Authorizer, Decision, PaaEvent, PaaState, Transmit};

/// What PAR\[C\] announced, until PAN\[C\] confirms it.
#[derive(Debug)]
struct Completion {
    result_code: ResultCode,
    lifetime: Duration,
    /// The SA that PAR\[C\] announces, if EAP exported an MSK.
    association: Option<Association>,
}

/// The state that a PAA keeps for one PaC.
///
/// After every input drain [`PaaSession::poll_event`], then [`PaaSession::poll_transmit`], then
/// ask [`PaaSession::poll_timeout`].
#[derive(Debug)]
pub struct PaaSession<M> {
    config: Arc<Config>,
    authenticator: eap::Authenticator<M>,
    state: PaaState,
    session_id: u32,
    pac: SocketAddr,
    relay: Option<SocketAddr>,
    exchange: Exchange,
    security: Security,
    completion: Option<Box<Completion>>,
    deadlines: Deadlines,
    wishes: Wishes,
    ping_answered: Option<Instant>,
    events: Events<PaaEvent>,
}

impl<M: eap::ServerMethod> PaaSession<M> {
    /// A session with the PaC at `pac`, whose PAR\[S\] is ready to be sent.
    ///
    /// `session_id` has to be unique among the sessions of the PAA.
    pub fn new(
        config: Arc<Config>,
        authenticator: eap::Authenticator<M>,
        session_id: u32,
        pac: SocketAddr,
        relay: Option<SocketAddr>,
        env: &mut Env<'_>,
    ) -> Self {
        let mut session = Self::bare(config, authenticator, session_id, pac, relay);
        let mut buffer = [0; eap::MTU];
        let mut packet = Writer::new(&mut buffer);
        if session.config.optimized && session.authenticator.start(&mut packet, env).is_err() {
            session.close(CloseCause::EapFailed);
            return session;
        }
        let flags = start_flags(&session.config);
        let mut request = session
            .exchange
            .request(MessageType::Auth, flags, session_id, env);
        emit_offer(&mut request, &session.config, packet.written());
        request.finish(None, env.work);
        session.exchange.launch(&session.config, env);
        session
    }

    /// A session whose PAR\[S\], `first_request`, has been sent without keeping state.
    pub(super) fn resume(
        config: Arc<Config>,
        authenticator: eap::Authenticator<M>,
        first_request: &[u8],
        header: &Header,
        pac: SocketAddr,
        relay: Option<SocketAddr>,
    ) -> Self {
        let mut session = Self::bare(config, authenticator, header.session_id, pac, relay);
        session.exchange.adopt(first_request, header);
        session
    }

    fn bare(
        config: Arc<Config>,
        authenticator: eap::Authenticator<M>,
        session_id: u32,
        pac: SocketAddr,
        relay: Option<SocketAddr>,
    ) -> Self {
        Self {
            config,
            authenticator,
            state: PaaState::Starting,
            session_id,
            pac,
            relay,
            exchange: Exchange::default(),
            security: Security::default(),
            completion: None,
            deadlines: Deadlines::default(),
            wishes: Wishes::default(),
            ping_answered: None,
            events: Events::default(),
        }
    }

    /// Takes a message from `source`, which arrived through the relay element `relay` if any.
    ///
    /// `octets` is a PANA message, not the PRY around it.
    pub fn handle_message(
        &mut self,
        source: SocketAddr,
        relay: Option<SocketAddr>,
        octets: &[u8],
        credentials: &M::Credentials,
        authorizer: &mut dyn Authorizer,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        let message = Message::parse(octets)?;
        self.handle_parsed((source, relay), &message, credentials, authorizer, env)
    }

    pub(super) fn handle_parsed(
        &mut self,
        origin: (SocketAddr, Option<SocketAddr>),
        message: &Message<'_>,
        credentials: &M::Credentials,
        authorizer: &mut dyn Authorizer,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        if self.state == PaaState::Closed || message.header.session_id != self.session_id {
            return Err(Reject::SessionUnknown);
        }
        // Before there is an SA nothing proves that a new address belongs to the same PaC.
        let moved = origin != (self.pac, self.relay);
        if moved && self.security.association.is_none() {
            return Err(Reject::AddressMismatch);
        }
        if message.header.is_request() {
            if self.exchange.classify(message)? == Arrival::Repeated {
                self.exchange.repeat_answer();
                return Ok(());
            }
            self.on_request(message, credentials, authorizer, env)?;
        } else {
            self.exchange.check_answer(message)?;
            self.on_answer(message, credentials, authorizer, env)?;
        }
        if moved {
            (self.pac, self.relay) = origin;
            let (pac, relay) = origin;
            self.events.push(PaaEvent::AddressChanged { pac, relay });
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

    /// When [`PaaSession::handle_timeout`] is due next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.earliest(self.exchange.deadline())
    }

    /// Writes the next message to `out`, wrapped for the relay element if there is one.
    ///
    /// A message that does not fit is lost; [`super::MESSAGE_LEN_MAX`] octets always suffice.
    pub fn poll_transmit(&mut self, out: &mut [u8]) -> Option<Transmit> {
        while let Some(message) = self.exchange.poll_transmit() {
            let (destination, len) = match self.relay {
                Some(relay) => (relay, relay::wrap(self.pac, message, out).ok()),
                None => {
                    let buffer = out.get_mut(..message.len());
                    let len = buffer.map(|buffer| {
                        buffer.copy_from_slice(message);
                        message.len()
                    });
                    (self.pac, len)
                }
            };
            if let Some(len) = len {
                return Some(Transmit { destination, len });
            }
        }
        None
    }

    /// The oldest event.
    pub fn poll_event(&mut self) -> Option<PaaEvent> {
        self.events.pop()
    }

    /// Starts a re-authentication as soon as no request is outstanding (RFC 5191 §4.3).
    pub fn reauthenticate(&mut self, env: &mut Env<'_>) {
        self.wishes.reauthenticate = self.security.association.is_some();
        self.grant_wishes(env);
    }

    /// Tests whether the PaC is alive (RFC 5191 §4.2).
    pub fn ping(&mut self, env: &mut Env<'_>) {
        self.wishes.ping = self.security.association.is_some();
        self.grant_wishes(env);
    }

    /// Ends the session; before access is granted it is just forgotten (RFC 5191 §4.4).
    pub fn terminate(&mut self, cause: TerminationCause, env: &mut Env<'_>) {
        if self.security.association.is_some() {
            self.wishes.terminate = Some(cause);
            self.grant_wishes(env);
        } else if self.state != PaaState::Closed {
            self.close(CloseCause::Terminated);
        }
    }

    /// Where the session is.
    pub const fn state(&self) -> PaaState {
        self.state
    }

    /// Whether the session is being established: it has not been open yet, nor has it ended.
    pub fn is_half_open(&self) -> bool {
        self.security.association.is_none() && self.state != PaaState::Closed
    }

    /// The session identifier.
    pub const fn session_id(&self) -> u32 {
        self.session_id
    }

    /// Address and port of the PaC.
    pub const fn pac(&self) -> SocketAddr {
        self.pac
    }

    /// The relay element in between, if there is one.
    pub const fn relay(&self) -> Option<SocketAddr> {
        self.relay
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

    /// The identity that EAP authenticated last.
    pub fn identity(&self) -> Option<&[u8]> {
        self.authenticator.peer_identity()
    }

    /// The EAP authenticator.
    pub const fn authenticator(&self) -> &eap::Authenticator<M> {
        &self.authenticator
    }

    /// Whether an event or a message waits to be fetched.
    pub fn has_output(&self) -> bool {
        self.exchange.has_output() || !self.events.is_empty()
    }

    pub(super) fn push_event(&mut self, event: PaaEvent) {
        self.events.push(event);
    }

    fn on_request(
        &mut self,
        message: &Message<'_>,
        credentials: &M::Credentials,
        authorizer: &mut dyn Authorizer,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        let flags = message.header.flags;
        match message.header.kind {
            MessageType::Auth => self.on_auth_request(message, credentials, authorizer, env),
            MessageType::Termination => self.on_termination_request(message, env),
            MessageType::Notification if flags.contains(Flags::PING) => {
                self.on_ping_request(message, authorizer, env)
            }
            MessageType::Notification => self.on_reauthentication_request(message, env),
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
        if self.state != PaaState::Terminating {
            self.close(CloseCause::TerminatedByPeer(cause));
        }
        Ok(())
    }

    /// A ping is answered at a limited rate whenever there is an SA (RFC 5191 §4.2).
    fn on_ping_request(
        &mut self,
        message: &Message<'_>,
        authorizer: &mut dyn Authorizer,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        let association = self
            .security
            .association
            .as_ref()
            .ok_or(Reject::MessageUnexpected)?;
        message.verify(association.auth(), env.work)?;
        check_ping_rate(&self.config, self.ping_answered, env.now)?;
        let header = message.header;
        let mut confidential = Vec::new();
        if let Some(octets) = message.encapsulated {
            let mut request = Vec::from(octets);
            let decrypts = association.crypt(
                Sender::Pac,
                header.session_id,
                header.sequence,
                &mut request,
                env.work,
            );
            if !decrypts || Avps::new(&request).any(|avp| avp.is_err()) {
                return Err(Reject::EncapsulationInvalid);
            }
            authorizer.confidential_answer(&request, &mut confidential);
        }
        self.ping_answered = Some(env.now);
        self.exchange.accept(message);
        let mut answer = self.exchange.answer(&header);
        if !confidential.is_empty() && confidential.len() <= CONFIDENTIAL_LEN_MAX {
            encapsulate(
                &mut answer,
                association,
                Sender::Paa,
                &mut confidential,
                env,
            );
        }
        answer.finish(Some(association.auth()), env.work);
        Ok(())
    }

    /// PNR with A bit: the PaC wants to re-authenticate (RFC 5191 §4.3).
    fn on_reauthentication_request(
        &mut self,
        message: &Message<'_>,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        let key = self.security.auth_key().ok_or(Reject::MessageUnexpected)?;
        let crossing = self.state == PaaState::Authenticating
            && self.exchange.outstanding_kind() == Some(MessageType::Auth)
            && self.security.nonces.pac.is_empty();
        if self.state != PaaState::Open && !crossing {
            return Err(Reject::MessageUnexpected);
        }
        message.verify(key, env.work)?;
        self.exchange.accept(message);
        self.exchange
            .answer(&message.header)
            .finish(self.security.auth_key(), env.work);
        if crossing {
            self.exchange.repeat_request();
        } else {
            self.wishes.reauthenticate = true;
        }
        Ok(())
    }

    fn on_answer(
        &mut self,
        message: &Message<'_>,
        credentials: &M::Credentials,
        authorizer: &mut dyn Authorizer,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        let flags = message.header.flags;
        match message.header.kind {
            MessageType::Auth if flags.contains(Flags::START) => {
                self.on_start_answer(message, credentials, authorizer, env)
            }
            MessageType::Auth if flags.contains(Flags::COMPLETE) => {
                self.on_complete_answer(message, env)
            }
            MessageType::Auth => self.on_auth_answer(message, credentials, authorizer, env),
            kind => {
                authenticate(message, self.security.auth_key(), env.work)?;
                if kind == MessageType::Termination {
                    self.close(CloseCause::Terminated);
                } else {
                    self.exchange.settle();
                    self.events.push(PaaEvent::PingAnswered);
                }
                Ok(())
            }
        }
    }

    /// Sends what the host asked for, one request at a time.
    fn grant_wishes(&mut self, env: &mut Env<'_>) {
        if self.exchange.outstanding_kind().is_some() || self.state == PaaState::Closed {
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
            self.state = PaaState::Terminating;
            self.deadlines.authentication = None;
        } else if self.state == PaaState::Open && core::mem::take(&mut self.wishes.reauthenticate) {
            self.state = PaaState::Authenticating;
            self.deadlines.authentication = Some(env.now + self.config.failed_session_timeout);
            self.start_eap(env);
        } else if self.state == PaaState::Open && core::mem::take(&mut self.wishes.ping) {
            let request =
                self.exchange
                    .request(MessageType::Notification, Flags::PING, self.session_id, env);
            request.finish(self.security.auth_key(), env.work);
            self.exchange.launch(&self.config, env);
        }
    }

    fn close(&mut self, cause: CloseCause) {
        self.exchange.settle();
        self.security = Security::default();
        self.completion = None;
        self.deadlines = Deadlines::default();
        self.wishes = Wishes::default();
        self.state = PaaState::Closed;
        self.events.push(PaaEvent::Closed { cause });
    }
}

/// Flags of PAR\[S\].
pub(super) fn start_flags(config: &Config) -> Flags {
    if config.ip_reconfiguration {
        Flags::START.with(Flags::IP_RECONFIGURATION)
    } else {
        Flags::START
    }
}

/// The AVPs of PAR\[S\] (RFC 5191 §4.1), with the EAP packet first if there is one.
pub(super) fn emit_offer(request: &mut Emitter<'_>, config: &Config, packet: &[u8]) {
    if !packet.is_empty() {
        request.avp(Code::EapPayload, packet);
    }
    for prf in config.algorithms.prfs() {
        request.number(Code::PrfAlgorithm, prf.id());
    }
    for integrity in config.algorithms.integrities() {
        request.number(Code::IntegrityAlgorithm, integrity.id());
    }
    if config.encryption {
        request.number(Code::EncryptionAlgorithm, AES128_CTR);
    }
}
