//! Our PaC and our PAA in a recorded session.
//!
//! Both ends draw the recorded random numbers, receive the recorded datagrams, and must send the
//! recorded ones, octet by octet, to the recorded addresses. What an end does unasked (PCI, ping,
//! re-authentication, termination) is asked of it when its datagram is due; a repetition has to
//! come from its timer.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use firmware::crypto::Work;
use firmware::eap::psk::{LongTermKeys, PskPeer, PskServer};
use firmware::eap::{Authenticator, AuthenticatorConfig, Keys, Peer};
use firmware::pana::avp::Code;
use firmware::pana::{
    Flags, Header, MESSAGE_LEN_MAX, MessageType, Paa, PaaEvent, PaaState, Pac, PacEvent, PacState,
    Reject, SessionRef, TerminationCause, relay,
};
use firmware::{Duration, Env, Instant};

use super::json::{self, equal_octets};
use super::pana_record::{Role, Session, avp_value};
use super::pana_script::{Decider, Draws, Host, Style, decisions};

/// What one authentication yielded at one end.
pub(super) struct Yield {
    pub(super) key_id: u32,
    pub(super) auth_key: Vec<u8>,
    pub(super) pac_encryption: Option<Vec<u8>>,
    pub(super) paa_encryption: Option<Vec<u8>>,
    pub(super) keys: Keys,
    pub(super) lifetime: Duration,
}

/// Both ends of a session, as far as they are driven.
pub(super) struct Replay<'a> {
    session: &'a Session<'a>,
    pub(super) pac: Pac<PskPeer>,
    pub(super) paa: Paa<PskServer>,
    pub(super) paa_session: Option<SessionRef>,
    /// False if the recorded PAA proposes an EAP method that ours does not have.
    pub(super) drives_paa: bool,
    host: Host,
    credentials: Host,
    pac_draws: Draws,
    paa_draws: Draws,
    pac_queue: VecDeque<Vec<u8>>,
    paa_queue: VecDeque<(SocketAddr, Vec<u8>)>,
    pre_queue: VecDeque<(SocketAddr, Vec<u8>)>,
    now: Instant,
    previous_us: u64,
    pub(super) pac_yields: Vec<Yield>,
    pub(super) paa_yields: Vec<Yield>,
    pub(super) confidential: Vec<Vec<u8>>,
    pub(super) reconfigured: bool,
    confidential_ping: Vec<u8>,
}

impl<'a> Replay<'a> {
    pub(super) fn new(session: &'a Session<'a>) -> Result<Self, String> {
        let style = Style::of(session)?;
        let (pac_draws, mut paa_draws) = style.draws(session)?;
        // The secret of stateless answers, which are not recorded.
        paa_draws.push(&[0; 32]);
        let encryption = session.value.get("encryption");
        let plaintext = |key| match encryption {
            Some(encryption) => json::octets(encryption, key),
            None => Ok(Vec::new()),
        };
        let plaintext_avps = plaintext("plaintext_avps")?;
        let host = || -> Result<Host, String> {
            Ok(Host {
                id_p: session.id_p.clone(),
                psk: session.psk,
                admits: style.admits,
                decisions: decisions(session, &plaintext_avps)?,
                // Session-Lifetime, which the PAA adds itself, takes 12 octets.
                confidential: plaintext_avps.get(12..).unwrap_or_default().to_vec(),
                confidential_answer: plaintext("ping_answer_plaintext")?,
                asked: Vec::new(),
            })
        };
        let config = Arc::new(style.config);
        let keys = LongTermKeys::from_psk(&session.peer_psk, &mut Work::default());
        let peer = PskPeer::new(
            session.id_p.as_slice(),
            Some(Arc::from(session.id_s.as_slice())),
            keys,
        );
        let id_s: Arc<[u8]> = Arc::from(session.id_s.as_slice());
        let authenticator = AuthenticatorConfig {
            identity_request: style.identity_request,
            discard_limit: 1,
        };
        let make =
            Box::new(move || Authenticator::new(PskServer::new(Arc::clone(&id_s)), authenticator));
        let mut work = Work::NONE;
        let mut env = Env::new(Instant::ZERO, &mut paa_draws, &mut work);
        Ok(Self {
            session,
            pac: Pac::new(Arc::clone(&config), Peer::new(peer)),
            paa: Paa::new(config, make, &mut env),
            paa_session: None,
            drives_paa: style.drives_paa,
            host: host()?,
            credentials: host()?,
            pac_draws,
            paa_draws,
            pac_queue: VecDeque::new(),
            paa_queue: VecDeque::new(),
            pre_queue: VecDeque::new(),
            now: Instant::ZERO,
            previous_us: 0,
            pac_yields: Vec::new(),
            paa_yields: Vec::new(),
            confidential: Vec::new(),
            reconfigured: false,
            confidential_ping: plaintext("ping_request_plaintext")?,
        })
    }

    /// Lets the sender send datagram `index` and its receiver take it.
    pub(super) fn step(&mut self, index: usize) -> Result<(), String> {
        let place = |why: String| format!("datagram {}: {why}", index + 1);
        self.exchange(index).map_err(place)
    }

    fn exchange(&mut self, index: usize) -> Result<(), String> {
        let datagram = &self.session.datagrams[index];
        if datagram.time_us < self.previous_us {
            return Err("t: runs backwards".into());
        }
        self.now = Instant::from_nanos(datagram.time_us * 1_000);
        let answers = self.queued(datagram.from);
        if answers {
            // A relay element forwards at once, an end answers after one step of 20 ms.
            let step_us = if datagram.is_original() { 20_000 } else { 0 };
            if datagram.time_us != self.previous_us + step_us {
                return Err(format!("t: not {step_us} us after the previous datagram"));
            }
        } else {
            self.provoke(index)?;
        }
        self.previous_us = datagram.time_us;
        self.compare_sent(index)?;
        if datagram.lost {
            return Ok(());
        }
        let datagram = datagram.clone();
        match self.deliver(datagram.to, datagram.source, &datagram.octets) {
            Ok(()) => Ok(()),
            // A PCI is discarded once the S exchange is under way (RFC 5191 §5.5).
            Err(Reject::MessageUnexpected) if is_initiation(&datagram.octets) => Ok(()),
            Err(reject) => Err(format!("discarded: {}", reject.name())),
        }
    }

    fn queued(&self, role: Role) -> bool {
        match role {
            Role::Pac => !self.pac_queue.is_empty(),
            Role::Pre => !self.pre_queue.is_empty(),
            Role::Paa => !self.paa_queue.is_empty() || !self.drives_paa,
        }
    }

    /// Makes the sender of a datagram send it unasked.
    fn provoke(&mut self, index: usize) -> Result<(), String> {
        let datagram = self.session.datagrams[index].clone();
        let octets = datagram.inner();
        let header = Header::parse(&octets).map_err(|reject| reject.name().to_owned())?;
        let repeats = self.session.datagrams[..index]
            .iter()
            .any(|earlier| earlier.from == datagram.from && earlier.octets == datagram.octets);
        if repeats {
            self.expire(datagram.from, &datagram.octets)?;
        } else {
            self.command(&datagram.from, &header, &octets)?;
        }
        self.drain();
        Ok(())
    }

    /// Runs the timer of an end that repeats `octets`.
    fn expire(&mut self, role: Role, octets: &[u8]) -> Result<(), String> {
        let mut work = Work::NONE;
        let deadline = match role {
            Role::Pac => self.pac.poll_timeout(),
            _ => self
                .paa_session
                .and_then(|session| self.paa.poll_timeout(session)),
        };
        let deadline = deadline.ok_or("nothing is being repeated")?;
        if deadline > self.now {
            // The record shows one PCI ahead of its time, to be discarded by the PAA.
            if role == Role::Pac && is_initiation(octets) {
                self.pac_queue.push_back(octets.to_vec());
                return Ok(());
            }
            return Err(format!("t: repeated before {deadline}"));
        }
        match (role, self.paa_session) {
            (Role::Pac, _) => {
                let mut env = Env::new(self.now, &mut self.pac_draws, &mut work);
                self.pac.handle_timeout(&mut env);
            }
            (_, Some(session)) => {
                let mut env = Env::new(self.now, &mut self.paa_draws, &mut work);
                self.paa.handle_timeout(session, &mut env);
            }
            _ => {}
        }
        Ok(())
    }

    fn command(&mut self, role: &Role, header: &Header, octets: &[u8]) -> Result<(), String> {
        let mut work = Work::NONE;
        if *role == Role::Pac {
            let mut env = Env::new(self.now, &mut self.pac_draws, &mut work);
            match header.kind {
                MessageType::ClientInitiation => self.pac.start(&mut env),
                MessageType::Termination => self.pac.terminate(&mut env),
                MessageType::Notification if header.flags.contains(Flags::PING) => {
                    let encrypts = avp_value(octets, Code::EncryptionEncap).is_some();
                    if encrypts {
                        let avps = &self.confidential_ping;
                        if !self.pac.ping_confidentially(avps, &mut env) {
                            return Err("encryption was not negotiated".into());
                        }
                    } else {
                        self.pac.ping(&mut env);
                    }
                }
                MessageType::Notification => self.pac.reauthenticate(&mut env),
                _ => return Err("the PaC sends nothing".into()),
            }
            return Ok(());
        }
        let mut env = Env::new(self.now, &mut self.paa_draws, &mut work);
        let Some(session) = self.paa_session else {
            let pac = self.session.datagrams[0].destination;
            let session = self.paa.initiate(pac, None, &mut env);
            self.paa_session = Some(session.map_err(|reject| reject.name().to_owned())?);
            return Ok(());
        };
        match header.kind {
            MessageType::Auth if header.is_request() => self.paa.reauthenticate(session, &mut env),
            MessageType::Termination => {
                let cause = avp_value(octets, Code::TerminationCause);
                let cause = match cause.as_deref() {
                    Some([0, 0, 0, 8]) => TerminationCause::SessionTimeout,
                    _ => TerminationCause::Administrative,
                };
                self.paa.terminate(session, cause, &mut env);
            }
            MessageType::Notification => self.paa.ping(session, &mut env),
            _ => return Err("the PAA sends nothing".into()),
        }
        Ok(())
    }

    fn compare_sent(&mut self, index: usize) -> Result<(), String> {
        let datagram = &self.session.datagrams[index];
        let (destination, sent) = match datagram.from {
            Role::Pac => (None, self.pac_queue.pop_front()),
            Role::Pre => split(self.pre_queue.pop_front()),
            Role::Paa if self.drives_paa => split(self.paa_queue.pop_front()),
            Role::Paa => return Ok(()),
        };
        let sent = sent.ok_or("nothing was sent")?;
        equal_octets("datagram", &sent, &datagram.octets)?;
        if datagram.from == Role::Pre && datagram.to == Role::Pac {
            let relay = self
                .session
                .datagrams
                .iter()
                .find(|other| other.to == Role::Pre);
            if relay.is_none_or(|other| other.destination != datagram.source) {
                return Err("src: the PaC knows the relay element elsewhere".into());
            }
        }
        match destination {
            Some(destination) if destination != datagram.destination => Err(format!(
                "dst: sent to {destination}, expected {}",
                datagram.destination
            )),
            _ => Ok(()),
        }
    }

    /// Hands `octets` to one end; what it sends is queued.
    pub(super) fn deliver(
        &mut self,
        to: Role,
        source: SocketAddr,
        octets: &[u8],
    ) -> Result<(), Reject> {
        let mut work = Work::NONE;
        match to {
            Role::Pac => {
                let mut env = Env::new(self.now, &mut self.pac_draws, &mut work);
                self.pac.handle_datagram(octets, &mut env)?;
            }
            Role::Pre => self.relay(source, octets)?,
            Role::Paa if self.drives_paa => {
                let mut env = Env::new(self.now, &mut self.paa_draws, &mut work);
                let decider = &mut Decider(&mut self.host);
                let handled = self.paa.handle_datagram(
                    source,
                    octets,
                    &self.credentials,
                    decider,
                    &mut env,
                )?;
                self.paa_session = handled.or(self.paa_session);
            }
            Role::Paa => {}
        }
        self.drain();
        Ok(())
    }

    /// The relay element: a PRY comes from the PAA, everything else from the PaC.
    fn relay(&mut self, source: SocketAddr, octets: &[u8]) -> Result<(), Reject> {
        let from_paa = self.session.datagrams.iter().any(|datagram| {
            datagram.from == Role::Paa && datagram.source == source && datagram.to == Role::Pre
        });
        if from_paa {
            let (pac, message) = relay::relay_from_paa(octets)?;
            self.pre_queue.push_back((pac, message.to_vec()));
            return Ok(());
        }
        let mut out = [0xA5; MESSAGE_LEN_MAX];
        let len = relay::relay_from_pac(source, octets, &mut out)?;
        let paa = self
            .session
            .datagrams
            .iter()
            .find(|datagram| datagram.from == Role::Pre && datagram.to == Role::Paa)
            .map(|datagram| datagram.destination)
            .ok_or(Reject::MessageUnexpected)?;
        self.pre_queue.push_back((paa, out[..len].to_vec()));
        Ok(())
    }

    fn drain(&mut self) {
        let mut out = [0xA5; MESSAGE_LEN_MAX];
        while let Some(event) = self.pac.poll_event() {
            self.note_pac(event);
        }
        while let Some(len) = self.pac.poll_transmit(&mut out) {
            self.pac_queue.push_back(out[..len].to_vec());
        }
        let Some(session) = self.paa_session else {
            return;
        };
        while let Some(event) = self.paa.poll_event(session) {
            self.note_paa(session, event);
        }
        while let Some(transmit) = self.paa.poll_transmit(session, &mut out) {
            let octets = out[..transmit.len].to_vec();
            self.paa_queue.push_back((transmit.destination, octets));
        }
    }

    fn note_pac(&mut self, event: PacEvent) {
        match event {
            PacEvent::Authenticated {
                key_id,
                lifetime,
                keys,
                ..
            } => {
                let association = self.pac.association().expect("an open PaC has an SA");
                assert_eq!(association.key_id(), key_id);
                self.pac_yields
                    .push(Yield::new(association, keys, lifetime));
            }
            PacEvent::AddressReconfiguration => self.reconfigured = true,
            PacEvent::Confidential(avps) => self.confidential.push(avps.into_vec()),
            _ => {}
        }
    }

    fn note_paa(&mut self, session: SessionRef, event: PaaEvent) {
        match event {
            PaaEvent::KeysReady {
                key_id,
                lifetime,
                keys,
                ..
            } => self.paa_yields.push(Yield {
                key_id,
                auth_key: Vec::new(),
                pac_encryption: None,
                paa_encryption: None,
                keys,
                lifetime,
            }),
            PaaEvent::Authenticated { key_id, .. } => {
                let association = self
                    .paa
                    .session(session)
                    .and_then(|session| session.association());
                let association = association.expect("an open PAA session has an SA");
                let ready = self.paa_yields.pop().expect("keys are ready before PAN[C]");
                assert_eq!((association.key_id(), ready.key_id), (key_id, key_id));
                self.paa_yields
                    .push(Yield::new(association, ready.keys, ready.lifetime));
            }
            _ => {}
        }
    }

    /// Everything that waits to be sent.
    pub(super) fn queue_lens(&self) -> [usize; 3] {
        [
            self.pac_queue.len(),
            self.pre_queue.len(),
            self.paa_queue.len(),
        ]
    }

    /// What an end sent last.
    pub(super) fn take_last(&mut self, role: Role) -> Option<Vec<u8>> {
        match role {
            Role::Pac => self.pac_queue.pop_back(),
            Role::Pre => self.pre_queue.pop_back().map(|(_, octets)| octets),
            Role::Paa => self.paa_queue.pop_back().map(|(_, octets)| octets),
        }
    }

    /// Access and state at one end, for comparison.
    pub(super) fn state(&self, role: Role) -> (bool, bool, Option<u32>) {
        if role == Role::Pac {
            let key_id = self
                .pac
                .association()
                .map(|association| association.key_id());
            let closed = self.pac.state() == PacState::Closed;
            return (self.pac.has_access(), closed, key_id);
        }
        let session = self
            .paa_session
            .and_then(|session| self.paa.session(session));
        let association = session.and_then(|session| session.association());
        let closed = session.is_none_or(|session| session.state() == PaaState::Closed);
        let key_id = association.map(|association| association.key_id());
        (association.is_some(), closed, key_id)
    }

    pub(super) fn paa_session(&self) -> Option<&firmware::pana::PaaSession<PskServer>> {
        self.paa.session(self.paa_session?)
    }

    /// What confidential pings asked.
    pub(super) fn asked(&self) -> &[Vec<u8>] {
        &self.host.asked
    }
}

impl Yield {
    fn new(association: &firmware::pana::Association, keys: Keys, lifetime: Duration) -> Self {
        let encryption = |sender| {
            association
                .encryption(sender)
                .map(|key| key.expose().to_vec())
        };
        Self {
            key_id: association.key_id(),
            auth_key: association.auth().expose().to_vec(),
            pac_encryption: encryption(firmware::pana::Sender::Pac),
            paa_encryption: encryption(firmware::pana::Sender::Paa),
            keys,
            lifetime,
        }
    }
}

fn split(queued: Option<(SocketAddr, Vec<u8>)>) -> (Option<SocketAddr>, Option<Vec<u8>>) {
    match queued {
        Some((destination, octets)) => (Some(destination), Some(octets)),
        None => (None, None),
    }
}

fn is_initiation(octets: &[u8]) -> bool {
    Header::parse(octets).is_ok_and(|header| header.kind == MessageType::ClientInitiation)
}
