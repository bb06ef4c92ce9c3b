//! One end of an association with one peer, without a session or in one.
//!
//! A meter has a node for its head-end, a head-end one for every meter. A node makes requests and
//! responses, protects them under the keys of a [`KeyStore`] and decides whether a received message
//! is for it, authentic, fresh and, if it is a response, an answer to a request of its own.
//!
//! Every secured message carries its key id and an IV of the UTC second. The invocation ids of a
//! node increase from 0 with every message, over all its keys; the key remembers the highest one
//! as well, so that a node which restarts with a stored key never repeats one under it.
//!
//! A response is protected like its request: same mode, same key. Only if that key has become
//! receive-only in the meantime, the current one is used, because no message is ever sent under a
//! receive-only key; the requester accepts a newer key than that of its request, never an older.

use alloc::boxed::Box;

use super::acse::{Authentication, Header, Qualifier};
use super::apdu::{self, Apdu, Protection};
use super::aptitle::{ApTitle, NETWORK_ROOT, Title};
use super::epsem::{Control, Mode, Payload, ResponseControl};
use super::reject::Reject;
use super::service::Request;
use super::session::Session;
use crate::Env;
use crate::time::{Duration, Instant};
use crate::ukmf::KeyStore;
use crate::wire::{Error, Writer};

/// Requests of one node that wait for a response at the same time.
const OUTSTANDING_MAX: usize = 4;

/// The rules of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How far an IV may be from our clock in either direction, in seconds; `None`: not checked.
    pub acceptance_window_s: Option<u32>,
    /// The lowest security mode of requests that is accepted.
    pub mode_min: Mode,
    /// Whether Identification, Register and Resolve are accepted in clear despite `mode_min`.
    pub registration_in_clear: bool,
    /// Whether messages with RECOVERY_SESSION are exempt from the freshness rules.
    pub recovery: bool,
    /// Whether a called title whose last arc is 0 addresses every node.
    pub broadcast: bool,
    /// How long a response is accepted.
    pub response_timeout: Duration,
}

impl Default for Config {
    /// Encrypted, 15 minutes of acceptance window, registration in clear, 30 s for a response.
    fn default() -> Self {
        Self {
            acceptance_window_s: Some(15 * 60),
            mode_min: Mode::Encrypted,
            registration_in_clear: true,
            recovery: false,
            broadcast: false,
            response_timeout: Duration::from_secs(30),
        }
    }
}

/// What a request is sent with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Protection of the message.
    pub mode: Mode,
    /// When an answer is wanted.
    pub response: ResponseControl,
    /// Flags; [`Qualifier::NOTIFICATION`] for an unsolicited message.
    pub qualifier: Option<Qualifier>,
    /// Device class, required in unsolicited and one-way messages.
    pub ed_class: Option<[u8; 4]>,
    /// Leave key id and IV out within a session: it saves 17 octets, and only nodes that remember
    /// the Logon can read the message.
    pub terse: bool,
}

/// A message that was put into the buffer of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Octets of the APDU.
    pub len: usize,
    /// Its invocation id; a response will name it.
    pub invocation: u32,
    /// The key that protects it.
    pub key_id: Option<u8>,
    /// The time in it, which protects it as well.
    pub iv: [u8; 4],
}

impl Sent {
    /// Key id and IV, for a session that the message opens.
    pub fn authentication(&self) -> Option<Authentication> {
        self.key_id.map(|key_id| Authentication {
            key_id: Some(key_id),
            iv: self.iv,
        })
    }
}

/// Why a message could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// No key may be sent under: C12.22 has to wait for an authentication.
    NoKey,
    /// All invocation ids of the key are used up.
    Exhausted,
    /// The message does not fit or a service cannot be encoded.
    Encoding(Error),
}

impl From<Error> for SendError {
    fn from(error: Error) -> Self {
        Self::Encoding(error)
    }
}

/// What a response to a received request has to match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyTo {
    invocation: u32,
    mode: Mode,
    key_id: u8,
    /// Whether it relied on the key id and IV of the session.
    terse: bool,
}

/// What a received message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A request, to be answered with [`Node::respond`] as its response control says.
    Request(ReplyTo),
    /// The response to the request with this invocation id.
    Response(u32),
}

/// An authentic and fresh message.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// Request or response.
    pub kind: Kind,
    /// How it was protected.
    pub mode: Mode,
    /// The key that protected it.
    pub key_id: Option<u8>,
    /// Key id and IV that are in it, for a session that it opens.
    pub authentication: Option<Authentication>,
    /// When an answer is wanted.
    pub response: ResponseControl,
    /// Flags of the sender.
    pub qualifier: Qualifier,
    /// Device class and services.
    pub payload: Payload<'a>,
}

/// A request that waits for its response.
#[derive(Clone, Copy, Debug)]
struct Outstanding {
    invocation: u32,
    mode: Mode,
    key_id: u8,
    /// Order of the key in its store.
    key_serial: u32,
    deadline: Instant,
}

/// One end of an association.
#[derive(Clone, Debug)]
pub struct Node {
    local: Title,
    peer: Title,
    /// The peer as the playback rejection of static keys knows it.
    sender: u64,
    config: Config,
    /// Next invocation id.
    invocation: u32,
    outstanding: [Option<Outstanding>; OUTSTANDING_MAX],
    session: Option<Box<Session>>,
}

impl Node {
    /// A node with title `local` that talks to `peer`.
    pub fn new(local: Title, peer: Title, config: Config) -> Self {
        Self {
            local,
            peer,
            sender: peer.get().fingerprint(&NETWORK_ROOT),
            config,
            invocation: 0,
            outstanding: [None; OUTSTANDING_MAX],
            session: None,
        }
    }

    /// Opens a session in place of an older one: a Logon was answered with success.
    pub fn open_session(&mut self, session: Session) {
        self.session = Some(Box::new(session));
    }

    /// The session, unless there is none or it has been idle for too long.
    pub fn session(&self, now: Instant) -> Option<&Session> {
        self.session
            .as_deref()
            .filter(|session| session.is_open(now))
    }

    /// Keeps the session open for `pause` without a message; tells whether there is one.
    pub fn wait(&mut self, pause: Duration, now: Instant) -> bool {
        let session = self.session.as_deref_mut();
        session
            .filter(|session| session.is_open(now))
            .map(|session| session.wait(pause, now))
            .is_some()
    }

    /// Closes the session; tells whether there was one.
    pub fn close_session(&mut self, now: Instant) -> bool {
        self.session
            .take()
            .is_some_and(|session| session.is_open(now))
    }

    /// Our title.
    pub const fn local(&self) -> &Title {
        &self.local
    }

    /// Whether the message calls `group` and comes from the peer.
    pub(crate) fn check_group<B: AsRef<[u8]>>(
        &self,
        apdu: &Apdu<'_, B>,
        group: &Title,
    ) -> Result<(), Reject> {
        let (header, base) = (apdu.header(), apdu.base());
        let called = header.called.unwrap_or(ApTitle::UNASSIGNED);
        if !called.same(&group.get(), base) {
            return Err(Reject::CalledTitle);
        }
        let calling = header.calling.unwrap_or(ApTitle::UNASSIGNED);
        if !calling.same(&self.peer.get(), base) {
            return Err(Reject::CallingTitle);
        }
        Ok(())
    }

    /// Takes another title, as the response to a registration orders.
    pub const fn set_local(&mut self, title: Title) {
        self.local = title;
    }

    /// The title of the peer.
    pub const fn peer(&self) -> &Title {
        &self.peer
    }

    /// Builds a request in `out`; `services` writes it, each service through
    /// [`put_service`](super::epsem::put_service).
    ///
    /// `utc` is the time in seconds since 1970. `out` needs up to eight octets more than the
    /// message. If a response is wanted, it is accepted until [`Config::response_timeout`] is over.
    pub fn request(
        &mut self,
        options: &Options,
        keys: &mut KeyStore,
        utc: u32,
        out: &mut [u8],
        services: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
        env: &mut Env<'_>,
    ) -> Result<Sent, SendError> {
        let control = Control::new(options.mode, options.response);
        let envelope = Envelope {
            control,
            called_invocation: None,
            qualifier: options.qualifier,
            ed_class: options.ed_class,
            reply_key: None,
            terse: options.terse,
        };
        let (sent, key_serial) = self.send(&envelope, keys, utc, out, services, env)?;
        if options.response != ResponseControl::Never {
            self.remember(Outstanding {
                invocation: sent.invocation,
                mode: options.mode,
                key_id: sent.key_id.unwrap_or(0),
                key_serial,
                deadline: env.now + self.config.response_timeout,
            });
        }
        Ok(sent)
    }

    /// Builds the response to a received request in `out`, one service per service of the request.
    pub fn respond(
        &mut self,
        to: &ReplyTo,
        keys: &mut KeyStore,
        utc: u32,
        out: &mut [u8],
        services: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
        env: &mut Env<'_>,
    ) -> Result<Sent, SendError> {
        let envelope = Envelope {
            control: Control::new(to.mode, ResponseControl::Always),
            called_invocation: Some(to.invocation),
            qualifier: None,
            ed_class: None,
            reply_key: Some(to.key_id),
            terse: to.terse,
        };
        self.send(&envelope, keys, utc, out, services, env)
            .map(|(sent, _)| sent)
    }

    /// Checks and opens a received APDU in place.
    ///
    /// `utc` is the time in seconds since 1970. Cheap checks come first; state changes only for an
    /// authentic message.
    pub fn receive<'a>(
        &mut self,
        octets: &'a mut [u8],
        keys: &mut KeyStore,
        utc: u32,
        env: &mut Env<'_>,
    ) -> Result<Incoming<'a>, Reject> {
        let len = octets.len();
        let mut apdu = Apdu::parse_mut(octets)?;
        self.check_titles(&apdu)?;
        let header = *apdu.header();
        let control = apdu.control();
        let mode = control.mode();
        let answered = match header.called_invocation {
            Some(invocation) => Some(self.find(invocation, env.now)?),
            None => None,
        };
        let key_id = if mode == Mode::Clear {
            self.check_clear(&apdu, answered)?;
            None
        } else {
            if answered.is_none() && mode < self.config.mode_min {
                return Err(Reject::SecurityMode);
            }
            Some(self.open(&mut apdu, keys, utc, answered, len, env)?)
        };
        let terse = key_id.is_some() && header.authentication.is_none();
        if let Some(session) = &mut self.session
            && session.is_open(env.now)
        {
            session.touch(env.now);
        }
        if let Some(Answered {
            slot, mode: asked, ..
        }) = answered
        {
            if mode < asked {
                return Err(Reject::ResponseMode);
            }
            self.outstanding[slot] = None;
        }
        Ok(Incoming {
            kind: match header.called_invocation {
                Some(invocation) => Kind::Response(invocation),
                None => Kind::Request(ReplyTo {
                    invocation: header.invocation,
                    mode,
                    key_id: key_id.unwrap_or(0),
                    terse,
                }),
            },
            mode,
            key_id,
            authentication: header.authentication,
            response: control.response(),
            qualifier: header.qualifier.unwrap_or_default(),
            payload: apdu.into_payload()?,
        })
    }

    /// Gives up waiting for the response to the request `invocation`.
    pub fn forget(&mut self, invocation: u32) {
        for slot in &mut self.outstanding {
            if slot.is_some_and(|request| request.invocation == invocation) {
                *slot = None;
            }
        }
    }

    /// Gives up waiting for every response and closes the session, as after a restart.
    pub fn forget_all(&mut self) {
        self.outstanding = [None; OUTSTANDING_MAX];
        self.session = None;
    }

    /// Requests that wait for a response.
    pub fn outstanding(&self, now: Instant) -> usize {
        self.outstanding
            .iter()
            .flatten()
            .filter(|request| now < request.deadline)
            .count()
    }

    fn send(
        &mut self,
        envelope: &Envelope,
        keys: &mut KeyStore,
        utc: u32,
        out: &mut [u8],
        services: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
        env: &mut Env<'_>,
    ) -> Result<(Sent, u32), SendError> {
        let mut header = Header {
            called: assigned(&self.peer),
            called_invocation: envelope.called_invocation,
            calling: assigned(&self.local),
            qualifier: envelope.qualifier,
            ..Header::default()
        };
        if envelope.control.mode() == Mode::Clear {
            header.invocation = self.invocation;
            let ed_class = envelope.ed_class;
            let (control, work) = (envelope.control, &mut *env.work);
            let len = apdu::build(&header, control, ed_class, None, out, services, work)?;
            self.invocation = self.invocation.wrapping_add(1);
            let sent = Sent {
                len,
                invocation: header.invocation,
                key_id: None,
                iv: [0; 4],
            };
            return Ok((sent, 0));
        }
        // What leaves key id and IV out is sent under those of the session or with its own.
        let implied = self
            .session(env.now)
            .and_then(|session| session.authentication)
            .filter(|_| envelope.terse);
        let under = envelope
            .reply_key
            .or(implied.map(|implied| implied.key_id()))
            .filter(|key_id| keys.may_send_under(*key_id, env.now));
        let epoch = match under {
            Some(key_id) => keys.sending_under(key_id, env.now),
            None => keys.sending(env),
        }
        .ok_or(SendError::NoKey)?;
        // Never the same twice, neither under one key nor of one node: a response names it alone.
        header.invocation = epoch
            .next_invocation(self.invocation)
            .ok_or(SendError::Exhausted)?;
        self.invocation = header.invocation.wrapping_add(1);
        let implied = implied.filter(|implied| implied.key_id() == epoch.key_id());
        let authentication = implied.unwrap_or(Authentication {
            key_id: Some(epoch.key_id()),
            iv: utc.to_be_bytes(),
        });
        header.authentication = implied.is_none().then_some(authentication);
        let protection = Protection {
            key: epoch.key().ok_or(SendError::NoKey)?,
            session: authentication,
        };
        let len = apdu::build(
            &header,
            envelope.control,
            envelope.ed_class,
            Some(protection),
            out,
            services,
            env.work,
        )?;
        epoch.record_sent(len, env.now);
        let sent = Sent {
            len,
            invocation: header.invocation,
            key_id: Some(authentication.key_id()),
            iv: authentication.iv,
        };
        Ok((sent, epoch.serial()))
    }

    fn check_titles<B: AsRef<[u8]>>(&self, apdu: &Apdu<'_, B>) -> Result<(), Reject> {
        let header = apdu.header();
        let base = apdu.base();
        // A node without a title leaves the element out.
        let called = header.called.unwrap_or(ApTitle::UNASSIGNED);
        let broadcast = self.config.broadcast && called.is_broadcast();
        if !broadcast && !called.same(&self.local.get(), base) {
            return Err(Reject::CalledTitle);
        }
        let calling = header.calling.unwrap_or(ApTitle::UNASSIGNED);
        if !calling.same(&self.peer.get(), base) {
            return Err(Reject::CallingTitle);
        }
        Ok(())
    }

    /// Whether a message in clear may be accepted at all.
    fn check_clear<B: AsRef<[u8]>>(
        &self,
        apdu: &Apdu<'_, B>,
        answered: Option<Answered>,
    ) -> Result<(), Reject> {
        if answered.is_some() || self.config.mode_min == Mode::Clear {
            return Ok(());
        }
        if !self.config.registration_in_clear {
            return Err(Reject::SecurityMode);
        }
        let mut any = false;
        for service in apdu.payload()?.services() {
            match Request::parse(service?)? {
                Request::Identification | Request::Register(_) | Request::Resolve(_) => any = true,
                _ => return Err(Reject::SecurityMode),
            }
        }
        if any {
            Ok(())
        } else {
            Err(Reject::SecurityMode)
        }
    }

    /// Selects the key, checks freshness, verifies and decrypts, and records the message.
    fn open<'a>(
        &self,
        apdu: &mut Apdu<'a, &'a mut [u8]>,
        keys: &mut KeyStore,
        utc: u32,
        answered: Option<Answered>,
        len: usize,
        env: &mut Env<'_>,
    ) -> Result<u8, Reject> {
        let header = apdu.header();
        let session = self.session(env.now);
        let authentication = header
            .authentication
            .or(session.and_then(|session| session.authentication))
            .ok_or(Reject::NoAuthentication)?;
        let invocation = header.invocation;
        let key_id = authentication.key_id();
        let epoch = keys.receiving(key_id, env.now)?;
        if answered.is_some_and(|answered| {
            answered.key_id != key_id && epoch.serial() < answered.key_serial
        }) {
            return Err(Reject::ResponseKey);
        }
        let iv = authentication.utc();
        let sender = self.sender;
        let exempt = self.config.recovery && apdu.control().is_recovery();
        if !exempt {
            // The IV of a session is as old as the session: its invocation ids tell what is fresh.
            if header.authentication.is_some()
                && self
                    .config
                    .acceptance_window_s
                    .is_some_and(|window| iv.abs_diff(utc) > window)
            {
                return Err(Reject::AcceptanceWindow);
            }
            epoch.freshness().check(sender, invocation, iv)?;
        }
        let key = epoch
            .key()
            .ok_or(Reject::Key(crate::ukmf::KeyReject::Erased))?;
        apdu.open(key, authentication, env.work)?;
        keys.accept(key_id, sender, invocation, iv, len, env);
        Ok(key_id)
    }

    fn find(&self, invocation: u32, now: Instant) -> Result<Answered, Reject> {
        self.outstanding
            .iter()
            .enumerate()
            .filter_map(|(slot, request)| request.map(|request| (slot, request)))
            .find(|(_, request)| request.invocation == invocation && now < request.deadline)
            .map(|(slot, request)| Answered {
                slot,
                mode: request.mode,
                key_id: request.key_id,
                key_serial: request.key_serial,
            })
            .ok_or(Reject::UnexpectedResponse)
    }

    /// Keeps a request, in place of the one closest to its deadline if all places are taken.
    fn remember(&mut self, request: Outstanding) {
        let slot = self
            .outstanding
            .iter_mut()
            .min_by_key(|slot| slot.map(|request| request.deadline));
        if let Some(slot) = slot {
            *slot = Some(request);
        }
    }
}

/// The title, unless there is none yet.
fn assigned(title: &Title) -> Option<ApTitle<'_>> {
    Some(title.get()).filter(|title| *title != ApTitle::UNASSIGNED)
}

/// What distinguishes requests from responses before they are built.
struct Envelope {
    control: Control,
    called_invocation: Option<u32>,
    qualifier: Option<Qualifier>,
    ed_class: Option<[u8; 4]>,
    /// The key of the request that is answered.
    reply_key: Option<u8>,
    /// Leave key id and IV out, if the session has them.
    terse: bool,
}

/// The outstanding request that a response names.
#[derive(Clone, Copy)]
struct Answered {
    slot: usize,
    mode: Mode,
    key_id: u8,
    key_serial: u32,
}
