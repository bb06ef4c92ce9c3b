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

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::eap::{self, PeerOutcome};
use crate::wire::Writer;
use crate::{Duration, Env, Instant};

use super::avp::{Avps, Code};
use super::config::Config;
use super::exchange::{Arrival, Exchange, authenticate};
use super::header::{Flags, MessageType};
use super::key::{AES128_CTR, Association, KeyInputs, Sender, Suite};
use super::message::{Message, ResultCode, TerminationCause};
use super::session::{
    Authentication, CloseCause, Deadlines, Events, Security, Wishes, check_ping_rate, encapsulate,
};
use super::{EAP_FAILURE, EAP_SUCCESS, Reject, is_eap_request};

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

    /// The session identifier, zero before there is one.
    pub const fn session_id(&self) -> u32 {
        self.session_id
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

    /// The first PAR of a session settles the algorithms (RFC 5191 §4.1).
    fn on_start(&mut self, message: &Message<'_>, env: &mut Env<'_>) -> Result<(), Reject> {
        match self.state {
            PacState::Idle | PacState::Discovering => {}
            PacState::Authenticating if self.exchange.is_repeated(message) => {
                self.exchange.repeat_answer();
                return Ok(());
            }
            // Until the second PAR the PaC repeats its PCI, and a PAA that restarted meanwhile
            // answers with another session.
            PacState::Authenticating if self.exchange.is_initiating() => {}
            _ => return Err(Reject::MessageUnexpected),
        }
        authenticate(message, None, env.work)?;
        let (prf, integrity) = self
            .config
            .algorithms
            .select(message.prf, message.integrity)
            .ok_or(Reject::AlgorithmUnacceptable)?;
        let suite = Suite {
            prf,
            integrity,
            encryption: self.config.encryption && message.encryption.has_aes_ctr(),
        };
        self.peer.restart();
        let mut buffer = [0; eap::MTU];
        let mut response = Writer::new(&mut buffer);
        if let Some(packet) = message.eap {
            if !is_eap_request(packet) {
                return Err(Reject::EapMisplaced);
            }
            self.peer
                .handle(packet, &mut response, env)
                .map_err(Reject::Eap)?;
            // Only a PAA that keeps state sends EAP this early, and it repeats PAR[S] itself.
            self.exchange.settle();
        }
        self.session_id = message.header.session_id;
        self.reconfigure = message.header.flags.contains(Flags::IP_RECONFIGURATION);
        self.security.nonces.clear();
        self.security.suite = Some(suite);
        self.deadlines.authentication = Some(env.now + self.config.failed_session_timeout);
        self.state = PacState::Authenticating;

        self.exchange.accept(message);
        let piggyback = self.config.piggyback && !response.is_empty();
        let mut answer = self.exchange.answer(&message.header);
        if piggyback {
            answer.avp(Code::EapPayload, response.written());
        }
        answer.number(Code::PrfAlgorithm, suite.prf.id());
        answer.number(Code::IntegrityAlgorithm, suite.integrity.id());
        if suite.encryption {
            answer.number(Code::EncryptionAlgorithm, AES128_CTR);
        }
        answer.finish(None, env.work);
        self.security.first_messages = [message.octets, self.exchange.answer_octets()]
            .concat()
            .into_boxed_slice();
        if !piggyback && !response.is_empty() {
            self.send_response(response.written(), env);
        }
        Ok(())
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

    /// A PAR with an EAP request (RFC 5191 §4.1), or the start of a re-authentication (§4.3).
    fn on_auth_request(&mut self, message: &Message<'_>, env: &mut Env<'_>) -> Result<(), Reject> {
        let restarts = match self.state {
            PacState::Authenticating => false,
            PacState::Open => true,
            _ => return Err(Reject::MessageUnexpected),
        };
        authenticate(message, self.security.auth_key(), env.work)?;
        let packet = message.eap.ok_or(Reject::AvpMissing)?;
        if !is_eap_request(packet) {
            return Err(Reject::EapMisplaced);
        }
        let first = restarts || self.security.nonces.paa.is_empty();
        let paa_nonce = match (first, message.nonce) {
            (true, None) => return Err(Reject::NonceMissing),
            (false, Some(_)) => return Err(Reject::NonceUnexpected),
            (_, nonce) => nonce,
        };
        if restarts {
            self.peer.restart();
        }
        let mut buffer = [0; eap::MTU];
        let mut response = Writer::new(&mut buffer);
        let outcome = self
            .peer
            .handle(packet, &mut response, env)
            .map_err(Reject::Eap)?;

        self.exchange.accept(message);
        // The PAA sends its next PAR after it has processed a PAR of the PaC, so this is an
        // answer to that, as it is to a PCI. A ping stays outstanding.
        if self.exchange.outstanding_kind() != Some(MessageType::Notification) {
            self.exchange.settle();
        }
        if restarts {
            self.begin_phase(env);
        }
        self.reconfigure |= message.header.flags.contains(Flags::IP_RECONFIGURATION);
        let piggyback = (self.config.piggyback || self.exchange.outstanding_kind().is_some())
            && !response.is_empty();
        if let Some(nonce) = paa_nonce {
            let nonces = &mut self.security.nonces;
            nonces.paa.clear();
            nonces.paa.extend_from_slice(nonce);
            nonces.pac.resize(self.config.nonce_len(), 0);
            env.rng.fill_bytes(&mut nonces.pac);
        }
        let mut answer = self.exchange.answer(&message.header);
        if first {
            answer.avp(Code::Nonce, &self.security.nonces.pac);
        }
        if piggyback {
            answer.avp(Code::EapPayload, response.written());
        }
        answer.finish(self.security.auth_key(), env.work);
        if outcome != PeerOutcome::Response {
            self.close(CloseCause::EapFailed);
        } else if !piggyback {
            self.send_response(response.written(), env);
        }
        Ok(())
    }

    /// Without piggybacking an EAP response travels in a PAR of the PaC (RFC 5191 §4.1).
    fn send_response(&mut self, packet: &[u8], env: &mut Env<'_>) {
        let mut request =
            self.exchange
                .request(MessageType::Auth, Flags::NONE, self.session_id, env);
        request.avp(Code::EapPayload, packet);
        request.finish(self.security.auth_key(), env.work);
        self.exchange.launch(&self.config, env);
    }

    /// PAR with C bit ends the phase (RFC 5191 §4.1).
    fn on_complete(&mut self, message: &Message<'_>, env: &mut Env<'_>) -> Result<(), Reject> {
        let pings = self.exchange.outstanding_kind() == Some(MessageType::Notification);
        if self.state != PacState::Authenticating || pings {
            return Err(Reject::MessageUnexpected);
        }
        if message.nonce.is_some() {
            return Err(Reject::NonceUnexpected);
        }
        match message.result_code.ok_or(Reject::AvpMissing)? {
            ResultCode::AuthenticationRejected => self.on_failure(message, env),
            result_code => self.on_success(message, result_code, env),
        }
    }

    /// EAP failed: only a re-authentication can protect that message, by the old key.
    fn on_failure(&mut self, message: &Message<'_>, env: &mut Env<'_>) -> Result<(), Reject> {
        authenticate(message, self.security.auth_key(), env.work)?;
        if message.eap.is_some() && message.eap_code() != Some(EAP_FAILURE) {
            return Err(Reject::ResultContradictory);
        }
        // Result-Code alone ends a conversation that has not succeeded, whatever EAP waits for
        // (altReject of RFC 4137 §4.1). A forgery must not undo a success that EAP indicated.
        if self.peer.keys().is_some() {
            let packet = message.eap.ok_or(Reject::ResultContradictory)?;
            self.peer
                .handle(packet, &mut Writer::new(&mut [0; eap::MTU]), env)
                .map_err(Reject::Eap)?;
        }
        self.exchange.settle();
        self.exchange.accept(message);
        self.exchange
            .answer(&message.header)
            .finish(self.security.auth_key(), env.work);
        self.events.push(PacEvent::Rejected {
            result_code: ResultCode::AuthenticationRejected,
        });
        self.close(CloseCause::Rejected);
        Ok(())
    }

    /// EAP succeeded: the new key protects the message, so it is derived first.
    fn on_success(
        &mut self,
        message: &Message<'_>,
        result_code: ResultCode,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        let packet = message.eap.ok_or(Reject::AvpMissing)?;
        if message.eap_code() != Some(EAP_SUCCESS) {
            return Err(Reject::ResultContradictory);
        }
        let association = self.verify_success(message, env)?;
        let mut plaintext = message.encapsulated.map(Vec::from).unwrap_or_default();
        let lifetime_s = self.decrypt(&association, message, &mut plaintext, env)?;
        if result_code == ResultCode::Success && lifetime_s.is_none() {
            return Err(Reject::LifetimeMissing);
        }
        let outcome = self
            .peer
            .handle(packet, &mut Writer::new(&mut [0; eap::MTU]), env)
            .map_err(Reject::Eap)?;
        let (PeerOutcome::Success, Some(keys)) = (outcome, self.peer.take_keys()) else {
            return Err(Reject::ResultContradictory);
        };

        let kind = self.security.authentication();
        let key_id = association.key_id();
        self.exchange.settle();
        self.exchange.accept(message);
        let mut answer = self.exchange.answer(&message.header);
        answer.number(Code::KeyId, key_id);
        answer.finish(Some(association.auth()), env.work);
        let Some(lifetime_s) = lifetime_s.filter(|_| result_code == ResultCode::Success) else {
            self.events.push(PacEvent::Rejected { result_code });
            self.close(CloseCause::Rejected);
            return Ok(());
        };
        let lifetime = Duration::from_secs(lifetime_s.into());
        self.security.association = Some(association);
        self.security.nonces = Default::default();
        self.deadlines = Deadlines {
            authentication: None,
            expiry: Some(env.now + lifetime),
        };
        self.state = PacState::Open;
        self.wishes.reauthenticate = false;
        self.events.push(PacEvent::Authenticated {
            key_id,
            lifetime,
            keys,
            kind,
        });
        if !plaintext.is_empty() {
            self.events
                .push(PacEvent::Confidential(plaintext.into_boxed_slice()));
        }
        if core::mem::take(&mut self.reconfigure) {
            self.events.push(PacEvent::AddressReconfiguration);
        }
        Ok(())
    }

    /// Derives the PANA SA that `message` announces, if its AUTH proves it.
    fn verify_success(
        &mut self,
        message: &Message<'_>,
        env: &mut Env<'_>,
    ) -> Result<Association, Reject> {
        let keys = self.peer.keys().ok_or(Reject::ResultContradictory)?;
        let key_id = message.key_id.ok_or(Reject::KeyIdMissing)?;
        if message.auth.is_none() {
            return Err(Reject::AuthMissing);
        }
        if !self.security.nonces.complete() {
            return Err(Reject::NonceMissing);
        }
        let association = KeyInputs {
            msk: &keys.msk,
            suite: self.security.suite.ok_or(Reject::MessageUnexpected)?,
            first_messages: &self.security.first_messages,
            pac_nonce: &self.security.nonces.pac,
            paa_nonce: &self.security.nonces.paa,
            key_id,
        }
        .derive(env.work);
        message.verify(association.auth(), env.work)?;
        Ok(association)
    }

    /// Decrypts Encryption-Encap in place; returns Session-Lifetime from either place.
    fn decrypt(
        &self,
        association: &Association,
        message: &Message<'_>,
        octets: &mut [u8],
        env: &mut Env<'_>,
    ) -> Result<Option<u32>, Reject> {
        let mut lifetime_s = message.lifetime_s;
        if message.encapsulated.is_none() {
            return Ok(lifetime_s);
        }
        let header = message.header;
        let decrypts = association.crypt(
            Sender::Paa,
            header.session_id,
            header.sequence,
            octets,
            env.work,
        );
        if !decrypts {
            return Err(Reject::EncapsulationInvalid);
        }
        for avp in Avps::new(octets) {
            let avp = avp.map_err(|_| Reject::EncapsulationInvalid)?;
            if avp.vendor.is_none() && avp.code == Code::SessionLifetime as u16 {
                let value = avp
                    .value
                    .try_into()
                    .map_err(|_| Reject::EncapsulationInvalid)?;
                lifetime_s = Some(u32::from_be_bytes(value));
            }
        }
        Ok(lifetime_s)
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
