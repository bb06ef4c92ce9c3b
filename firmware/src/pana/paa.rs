//! The PANA authentication agent: all sessions behind one UDP port (RFC 5191 §4, RFC 6345).
//!
//! A message belongs to the session whose identifier it carries. A PCI carries none: it is
//! attributed to the PaC at its source address and port, behind the relay element that it came
//! through (RFC 6345 §2).
//!
//! # Answering without state
//!
//! With [`Config::stateless`] a PCI is answered by a PAR\[S\] whose session identifier and sequence
//! number are a keyed hash of the address and of the current period. The same PCI yields the
//! same octets throughout the period, and the PAN\[S\] that comes back proves that the PaC
//! receives at its address; only then a session is created.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use hashbrown::HashMap;

use crate::crypto::{Integrity, MacKey, Secret, Work};
use crate::eap;
use crate::{Env, Instant};

use super::config::Config;
use super::enforce::FixedState;
use super::header::{Flags, Header, MessageType};
use super::limiter::Limiter;
use super::message::{Emitter, Message, TerminationCause};
use super::paa_session::{
    Authorizer, PaaEvent, PaaSession, PaaState, Transmit, emit_offer, start_flags,
};
use super::{Reject, relay};

/// Names a session of a [`Paa`]; it never names another session later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionRef {
    slot: u32,
    generation: u32,
}

/// Address of a PaC and of the relay element in between.
type Path = (SocketAddr, Option<SocketAddr>);

impl SessionRef {
    /// The place of the session; sessions that exist at once have different places.
    pub const fn slot(self) -> u32 {
        self.slot
    }
}

#[derive(Debug)]
struct Slot<M> {
    generation: u32,
    entry: Option<Entry<M>>,
}

#[derive(Debug)]
struct Entry<M> {
    session: PaaSession<M>,
    /// The open session that this one replaces once it is authenticated.
    replaces: Option<SessionRef>,
}

/// Makes the EAP authenticator of a new session.
pub type MakeAuthenticator<M> = Box<dyn Fn() -> eap::Authenticator<M> + Send + Sync>;

/// A PANA authentication agent.
///
/// After [`Paa::handle_datagram`] or [`Paa::handle_timeout`] drain [`Paa::poll_event`] and then
/// [`Paa::poll_transmit`] of the session concerned; a closed session disappears when both have
/// returned `None`. Messages are sent from UDP port 716.
pub struct Paa<M> {
    config: Arc<Config>,
    make_authenticator: MakeAuthenticator<M>,
    cookie_key: MacKey,
    slots: Vec<Slot<M>>,
    free: Vec<u32>,
    by_id: HashMap<u32, u32, FixedState>,
    by_path: HashMap<Path, u32, FixedState>,
    half_open: u32,
    /// The answer to a PCI that was given without keeping state.
    reply: Vec<u8>,
    reply_path: Option<Path>,
    pci_limiter: Option<Limiter>,
}

impl<M: eap::ServerMethod> Paa<M> {
    /// An agent without sessions; draws the secret of its stateless answers from `env`.
    pub fn new(
        config: Arc<Config>,
        make_authenticator: MakeAuthenticator<M>,
        env: &mut Env<'_>,
    ) -> Self {
        Self {
            pci_limiter: config.pci_limit.map(Limiter::new),
            config,
            make_authenticator,
            cookie_key: MacKey::new(Integrity::HmacSha256_128, Secret::new(env.random())),
            slots: Vec::new(),
            free: Vec::new(),
            by_id: HashMap::default(),
            by_path: HashMap::default(),
            half_open: 0,
            reply: Vec::new(),
            reply_path: None,
        }
    }

    /// Takes a UDP payload from `source`.
    ///
    /// Returns the session that it concerned, or `None` if a PCI was answered without state;
    /// that answer is fetched with [`Paa::poll_reply`].
    pub fn handle_datagram(
        &mut self,
        source: SocketAddr,
        octets: &[u8],
        credentials: &M::Credentials,
        authorizer: &mut dyn Authorizer,
        env: &mut Env<'_>,
    ) -> Result<Option<SessionRef>, Reject> {
        let mut message = Message::parse(octets)?;
        let mut path = (source, None);
        if message.header.kind == MessageType::Relay {
            let (pac, relayed) = relay::unwrap(&message)?;
            path = (pac, Some(source));
            message = Message::parse(relayed)?;
        }
        match message.header.kind {
            MessageType::ClientInitiation => self.on_initiation(path, env),
            _ => self
                .on_message(path, &message, credentials, authorizer, env)
                .map(Some),
        }
    }

    /// Starts a session with a PaC that did not ask for one (RFC 5191 §4.1).
    pub fn initiate(
        &mut self,
        pac: SocketAddr,
        relay: Option<SocketAddr>,
        env: &mut Env<'_>,
    ) -> Result<SessionRef, Reject> {
        let path = (pac, relay);
        if self.by_path.contains_key(&path) {
            return Err(Reject::MessageUnexpected);
        }
        self.create(path, None, env)
    }

    /// Acts on the deadlines of a session that `env.now` has reached.
    pub fn handle_timeout(&mut self, session: SessionRef, env: &mut Env<'_>) {
        self.with(session, |session| session.handle_timeout(env));
    }

    /// Starts a re-authentication, see [`PaaSession::reauthenticate`].
    pub fn reauthenticate(&mut self, session: SessionRef, env: &mut Env<'_>) {
        self.with(session, |session| session.reauthenticate(env));
    }

    /// Tests whether the PaC is alive, see [`PaaSession::ping`].
    pub fn ping(&mut self, session: SessionRef, env: &mut Env<'_>) {
        self.with(session, |session| session.ping(env));
    }

    /// Ends a session, see [`PaaSession::terminate`].
    pub fn terminate(&mut self, session: SessionRef, cause: TerminationCause, env: &mut Env<'_>) {
        self.with(session, |session| session.terminate(cause, env));
    }

    /// Forgets a session without notice, as a crash does.
    pub fn remove(&mut self, session: SessionRef) {
        if self.entry(session).is_some() {
            self.unindex(session);
            self.vacate(session);
        }
    }

    /// When [`Paa::handle_timeout`] is due next for a session.
    pub fn poll_timeout(&self, session: SessionRef) -> Option<Instant> {
        self.entry(session)?.session.poll_timeout()
    }

    /// The oldest event of a session.
    pub fn poll_event(&mut self, session: SessionRef) -> Option<PaaEvent> {
        self.entry_mut(session)?.session.poll_event()
    }

    /// Writes the next message of a session to `out`.
    pub fn poll_transmit(&mut self, session: SessionRef, out: &mut [u8]) -> Option<Transmit> {
        let entry = self.entry_mut(session)?;
        let transmit = entry.session.poll_transmit(out);
        let is_drained = !entry.session.has_output();
        if transmit.is_none() && is_drained && entry.session.state() == PaaState::Closed {
            self.vacate(session);
        }
        transmit
    }

    /// Writes the stateless answer to the last PCI to `out`.
    pub fn poll_reply(&mut self, out: &mut [u8]) -> Option<Transmit> {
        let (pac, relay) = self.reply_path.take()?;
        match relay {
            Some(relay) => Some(Transmit {
                destination: relay,
                len: relay::wrap(pac, &self.reply, out).ok()?,
            }),
            None => {
                out.get_mut(..self.reply.len())?
                    .copy_from_slice(&self.reply);
                Some(Transmit {
                    destination: pac,
                    len: self.reply.len(),
                })
            }
        }
    }

    /// A session that has not disappeared.
    pub fn session(&self, session: SessionRef) -> Option<&PaaSession<M>> {
        Some(&self.entry(session)?.session)
    }

    /// The session with the identifier `session_id`.
    pub fn find(&self, session_id: u32) -> Option<SessionRef> {
        self.by_id
            .get(&session_id)
            .map(|slot| self.reference(*slot))
    }

    /// The session at a place, see [`SessionRef::slot`].
    pub fn session_at(&self, slot: u32) -> Option<SessionRef> {
        let place = self.slots.get(slot as usize)?;
        place.entry.as_ref().map(|_| self.reference(slot))
    }

    /// How many sessions exist, closed ones that have been drained not counted.
    pub fn session_count(&self) -> usize {
        self.by_id.len()
    }

    /// How many sessions are being established.
    pub const fn half_open_count(&self) -> u32 {
        self.half_open
    }

    /// The parameters.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// A PCI starts a session, unless its PaC has one (RFC 5191 §5.5).
    fn on_initiation(
        &mut self,
        path: Path,
        env: &mut Env<'_>,
    ) -> Result<Option<SessionRef>, Reject> {
        if let Some(limiter) = &mut self.pci_limiter
            && !limiter.admits(path.0.ip(), env.now)
        {
            return Err(Reject::RateLimited);
        }
        let mut replaces = None;
        if let Some(slot) = self.by_path.get(&path) {
            let known = self.reference(*slot);
            let is_open = self
                .session(known)
                .is_some_and(|session| !session.is_half_open());
            if !is_open || !self.config.replace_on_new_pci {
                return Err(Reject::MessageUnexpected);
            }
            replaces = Some(known);
        }
        if self.config.stateless && !self.config.optimized && replaces.is_none() {
            let header = self.cookie(path, self.period(env.now), env.work);
            // Another PaC may happen to have this identifier; then state is unavoidable.
            if header.session_id != 0 && !self.by_id.contains_key(&header.session_id) {
                emit_start_request(&mut self.reply, &self.config, &header, env.work);
                self.reply_path = Some(path);
                return Ok(None);
            }
        }
        self.create(path, replaces, env).map(Some)
    }

    fn on_message(
        &mut self,
        path: Path,
        message: &Message<'_>,
        credentials: &M::Credentials,
        authorizer: &mut dyn Authorizer,
        env: &mut Env<'_>,
    ) -> Result<SessionRef, Reject> {
        let session = match self.find(message.header.session_id) {
            Some(session) => session,
            None => self.resume(path, message, env)?,
        };
        let mut result = Ok(());
        self.with(session, |session| {
            result = session.handle_parsed(path, message, credentials, authorizer, env);
        });
        if result.is_err()
            && let Some(entry) = self.entry(session)
            && entry.session.state() == PaaState::Starting
            && entry.session.poll_timeout().is_none()
        {
            // The PAN[S] that would have created the session was not valid.
            self.remove(session);
        }
        result?;
        self.replace_older(session);
        Ok(session)
    }

    /// The session of a PaC that answers a stateless PAR\[S\].
    fn resume(
        &mut self,
        path: Path,
        message: &Message<'_>,
        env: &mut Env<'_>,
    ) -> Result<SessionRef, Reject> {
        let received = message.header;
        let is_start = received.kind == MessageType::Auth && received.flags == Flags::START;
        if !is_start || !self.config.stateless || self.config.optimized {
            return Err(Reject::SessionUnknown);
        }
        let period = self.period(env.now);
        let header = [Some(period), period.checked_sub(1)]
            .into_iter()
            .flatten()
            .map(|period| self.cookie(path, period, env.work))
            .find(|header| {
                (header.session_id, header.sequence) == (received.session_id, received.sequence)
            })
            .ok_or(Reject::SessionUnknown)?;
        self.check_half_open()?;
        emit_start_request(&mut self.reply, &self.config, &header, env.work);
        let session = PaaSession::resume(
            Arc::clone(&self.config),
            (self.make_authenticator)(),
            &self.reply,
            &header,
            path.0,
            path.1,
        );
        Ok(self.insert(session, None))
    }

    /// A session that is authenticated takes the place of the older one of its PaC.
    fn replace_older(&mut self, session: SessionRef) {
        let Some(entry) = self.entry_mut(session) else {
            return;
        };
        if entry.session.state() != PaaState::Open {
            return;
        }
        let Some(older) = entry.replaces.take() else {
            return;
        };
        let Some(session_id) = self.session(older).map(PaaSession::session_id) else {
            return;
        };
        self.remove(older);
        if let Some(entry) = self.entry_mut(session) {
            entry.session.push_event(PaaEvent::Replaced { session_id });
        }
    }

    /// Number of the period at `now`, in which stateless answers stay the same.
    fn period(&self, now: Instant) -> u64 {
        now.as_nanos() / self.config.cookie_period.as_nanos().max(1)
    }

    /// The header of the stateless PAR\[S\] for `path`.
    fn cookie(&self, (pac, relay): Path, period: u64, work: &mut Work) -> Header {
        let (pac, relay) = (path_octets(Some(pac)), path_octets(relay));
        let tag = self
            .cookie_key
            .tag(&[&pac, &relay, &period.to_be_bytes()], work);
        let word = |at: usize| {
            let octets = tag.octets()[at..at + 4].try_into();
            u32::from_be_bytes(octets.expect("four octets of a tag"))
        };
        Header {
            length: 0,
            flags: start_flags(&self.config).with(Flags::REQUEST),
            kind: MessageType::Auth,
            session_id: word(0),
            sequence: word(4),
        }
    }

    fn check_half_open(&self) -> Result<(), Reject> {
        if self.half_open < self.config.half_open_max {
            Ok(())
        } else {
            Err(Reject::HalfOpenLimit)
        }
    }

    fn create(
        &mut self,
        path: Path,
        replaces: Option<SessionRef>,
        env: &mut Env<'_>,
    ) -> Result<SessionRef, Reject> {
        self.check_half_open()?;
        let mut session_id = u32::from_be_bytes(env.random());
        while session_id == 0 || self.by_id.contains_key(&session_id) {
            session_id = session_id.wrapping_add(1);
        }
        let session = PaaSession::new(
            Arc::clone(&self.config),
            (self.make_authenticator)(),
            session_id,
            path.0,
            path.1,
            env,
        );
        Ok(self.insert(session, replaces))
    }

    fn insert(&mut self, session: PaaSession<M>, replaces: Option<SessionRef>) -> SessionRef {
        let session_id = session.session_id();
        let path = (session.pac(), session.relay());
        self.half_open += u32::from(session.is_half_open());
        let entry = Some(Entry { session, replaces });
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize].entry = entry;
                slot
            }
            None => {
                let generation = 0;
                self.slots.push(Slot { generation, entry });
                u32::try_from(self.slots.len() - 1).expect("session identifiers have 32 bits")
            }
        };
        self.by_id.insert(session_id, slot);
        self.by_path.insert(path, slot);
        self.reference(slot)
    }

    /// Runs `act` on a session and brings the indices in line with what it did.
    fn with(&mut self, session: SessionRef, act: impl FnOnce(&mut PaaSession<M>)) {
        let Some(entry) = self.entry_mut(session) else {
            return;
        };
        let path = (entry.session.pac(), entry.session.relay());
        let was_half_open = entry.session.is_half_open();
        let was_closed = entry.session.state() == PaaState::Closed;
        act(&mut entry.session);
        let moved_to = (entry.session.pac(), entry.session.relay());
        let is_half_open = entry.session.is_half_open();
        let is_closed = entry.session.state() == PaaState::Closed;
        if was_half_open && !is_half_open {
            self.half_open -= 1;
        }
        if moved_to != path {
            if self.by_path.get(&path) == Some(&session.slot) {
                self.by_path.remove(&path);
            }
            self.by_path.insert(moved_to, session.slot);
        }
        if is_closed && !was_closed {
            self.unindex(session);
        }
    }

    /// Makes a session unreachable for datagrams. One that failed to replace another gives the
    /// address back to it.
    fn unindex(&mut self, session: SessionRef) {
        let Some(entry) = self.entry(session) else {
            return;
        };
        let session_id = entry.session.session_id();
        let path = (entry.session.pac(), entry.session.relay());
        let older = entry.replaces.filter(|older| {
            self.session(*older)
                .is_some_and(|older| (older.pac(), older.relay()) == path)
        });
        if self.by_id.get(&session_id) == Some(&session.slot) {
            self.by_id.remove(&session_id);
        }
        if self.by_path.get(&path) == Some(&session.slot) {
            match older {
                Some(older) => self.by_path.insert(path, older.slot),
                None => self.by_path.remove(&path),
            };
        }
    }

    fn vacate(&mut self, session: SessionRef) {
        if let Some(slot) = self.slots.get_mut(session.slot as usize)
            && slot.generation == session.generation
            && let Some(entry) = slot.entry.take()
        {
            self.half_open -= u32::from(entry.session.is_half_open());
            slot.generation = slot.generation.wrapping_add(1);
            self.free.push(session.slot);
        }
    }

    fn reference(&self, slot: u32) -> SessionRef {
        SessionRef {
            slot,
            generation: self.slots[slot as usize].generation,
        }
    }

    fn entry(&self, session: SessionRef) -> Option<&Entry<M>> {
        let slot = self.slots.get(session.slot as usize)?;
        slot.entry
            .as_ref()
            .filter(|_| slot.generation == session.generation)
    }

    fn entry_mut(&mut self, session: SessionRef) -> Option<&mut Entry<M>> {
        let slot = self.slots.get_mut(session.slot as usize)?;
        slot.entry
            .as_mut()
            .filter(|_| slot.generation == session.generation)
    }
}

impl<M> core::fmt::Debug for Paa<M> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Paa")
            .field("config", &self.config)
            .field("sessions", &self.by_id.len())
            .field("half_open", &self.half_open)
            .finish_non_exhaustive()
    }
}

/// The PAR\[S\] with `header` and no EAP packet.
fn emit_start_request(out: &mut Vec<u8>, config: &Config, header: &Header, work: &mut Work) {
    let mut request = Emitter::new(
        out,
        header.kind,
        header.flags,
        header.session_id,
        header.sequence,
    );
    emit_offer(&mut request, config, &[]);
    request.finish(None, work);
}

/// An address as octets that no other address shares: kind, port, address.
fn path_octets(address: Option<SocketAddr>) -> [u8; 19] {
    let mut octets = [0; 19];
    let Some(address) = address else {
        return octets;
    };
    octets[1..3].copy_from_slice(&address.port().to_be_bytes());
    match address.ip() {
        IpAddr::V4(ip) => {
            octets[0] = 4;
            octets[3..7].copy_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            octets[0] = 6;
            octets[3..].copy_from_slice(&ip.octets());
        }
    }
    octets
}
