//! The meter's end of the optical port: states, passwords, lock-out (C12.18-2006 §5).
//!
//! ```text
//!            identification        logon
//!   BASE ------------------> ID ----------> SESSION
//!     ^                      | ^              |  |
//!     +--- terminate, -------+ +--- logoff ---+  |
//!     +--- silence, lost line -------------------+
//! ```
//!
//! A request outside its state is answered `isss` and changes nothing. After Terminate, silence or
//! a line that does not acknowledge, sizes and speed are those of the beginning. A user who names
//! a wrong password keeps the rights that he had; too many in a row lock the passwords for a while,
//! which is a rule of the product and not of the standard.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use super::line::{Limits, Parameters, Timing};
use super::link::{Link, LinkEvent, Transmit};
use super::reject::Reject;
use super::service::{self, Negotiate, Negotiated, Request};
use crate::c1219::access::Groups;
use crate::c1222::service::{Logon, Password, Request as Service, Response, ResponseCode};
use crate::time::{Duration, Instant, earlier};
use crate::wire::{Error, Writer};

/// The response to Identification: standard C12.18, version 1, revision 0, no features.
const IDENTIFICATION: [u8; 4] = [0x00, 0x01, 0x00, 0x00];
/// Octets of the longest response: a block of data with its count and checksum.
const RESPONSE_MAX: usize = 4 + u16::MAX as usize;

/// What serves the tables behind the port.
pub trait Tables {
    /// A session of user `user_id` begins; it has the rights of everybody.
    fn begin(&mut self, user_id: u16);

    /// Serves a Read, Write or Security: writes the code and data of the response.
    ///
    /// # Errors
    ///
    /// The response does not fit, which is answered `onp`.
    fn serve(&mut self, request: &Service<'_>, response: &mut Writer<'_>) -> Result<(), Error>;

    /// The groups that the session is in.
    fn groups(&self) -> Groups;

    /// Too many wrong passwords have locked the port.
    fn locked_out(&mut self) {}
}

/// How many wrong passwords lock the port, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lockout {
    /// Wrong passwords in a row, also over several sessions; at least 1.
    pub attempts: u32,
    /// How long no password is accepted.
    pub duration: Duration,
}

/// What the port allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// How far Negotiate goes.
    pub limits: Limits,
    /// Time-outs and repetitions.
    pub timing: Timing,
    /// The lock against guessed passwords, if there is one.
    pub lockout: Option<Lockout>,
}

/// Why a contact ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// Terminate was requested.
    Terminated,
    /// Nothing was heard for the traffic time-out.
    Silence,
    /// A response was not acknowledged, or the line is gone.
    Lost,
    /// The meter lost its power.
    PowerFailed,
}

impl Ending {
    /// The ending in snake case, for tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Terminated => "terminated",
            Self::Silence => "silence",
            Self::Lost => "lost",
            Self::PowerFailed => "power_failed",
        }
    }
}

/// What happened between Identification and the return to the base state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// When Identification was received.
    pub began_at: Instant,
    /// When it ended.
    pub ended_at: Instant,
    /// Number and name of the user who logged on last.
    pub user: Option<(u16, [u8; 10])>,
    /// Every group that the contact was in.
    pub groups: Groups,
    /// Requests that were answered.
    pub services: u32,
    /// Those that were answered otherwise than with `ok`.
    pub refused: u32,
    /// Wrong passwords.
    pub wrong_passwords: u32,
    /// Octets from the line.
    pub octets_received: u64,
    /// Octets to the line, with repetitions.
    pub octets_sent: u64,
    /// Packets sent again.
    pub repetitions: u32,
    /// How it ended.
    pub ending: Ending,
}

impl Contact {
    const fn new(now: Instant) -> Self {
        Self {
            began_at: now,
            ended_at: now,
            user: None,
            groups: Groups::NONE,
            services: 0,
            refused: 0,
            wrong_passwords: 0,
            octets_received: 0,
            octets_sent: 0,
            repetitions: 0,
            ending: Ending::Silence,
        }
    }
}

/// What the host learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// A user logged on.
    LoggedOn {
        /// Number.
        user_id: u16,
        /// Name, padded with spaces.
        user: [u8; 10],
    },
    /// A password was accepted; the session is now in these groups.
    PasswordAccepted(Groups),
    /// A password was wrong.
    PasswordRefused,
    /// No password is accepted before that time.
    LockedOut(Instant),
    /// The contact has ended.
    Ended(Contact),
    /// Octets were discarded.
    Rejected(Reject),
}

/// The state of the session layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Base,
    Identified,
    Session,
}

/// What becomes true once the response has been acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Nothing,
    Agreed(Parameters),
    Terminated,
}

/// The optical port of a meter.
#[derive(Debug)]
pub struct Server {
    policy: Policy,
    link: Link,
    state: State,
    after: After,
    contact: Option<Contact>,
    /// Silence is allowed until then.
    wait_until: Instant,
    wrong_in_a_row: u32,
    locked_until: Instant,
    events: VecDeque<ServerEvent>,
}

impl Server {
    /// A port that nobody has used.
    pub fn new(policy: Policy) -> Self {
        Self {
            link: Link::new(policy.timing),
            policy,
            state: State::Base,
            after: After::Nothing,
            contact: None,
            wait_until: Instant::ZERO,
            wrong_in_a_row: 0,
            locked_until: Instant::ZERO,
            events: VecDeque::new(),
        }
    }

    /// Whether somebody is logged on.
    pub fn is_in_session(&self) -> bool {
        self.state == State::Session
    }

    /// What has been agreed upon with the other end.
    pub const fn parameters(&self) -> &Parameters {
        self.link.parameters()
    }

    /// Takes octets from the line, in pieces of any length.
    pub fn handle_octets(&mut self, octets: &[u8], tables: &mut dyn Tables, now: Instant) {
        if let Some(contact) = &mut self.contact {
            contact.octets_received += octets.len() as u64;
        }
        let had_contact = self.contact.is_some();
        self.link.handle_octets(octets, now);
        self.proceed(tables, now);
        if let Some(contact) = self.contact.as_mut().filter(|_| !had_contact) {
            contact.octets_received += octets.len() as u64;
        }
    }

    /// Acts on every deadline that `now` has reached.
    pub fn handle_timeout(&mut self, tables: &mut dyn Tables, now: Instant) {
        self.link.handle_timeout(now);
        self.proceed(tables, now);
        if self.silence_at().is_some_and(|at| at <= now) {
            self.end(Ending::Silence, now);
            // An endless packet was discarded with the session.
            self.proceed(tables, now);
        }
    }

    /// Power is lost: the contact ends, the lock stays.
    pub fn power_off(&mut self, now: Instant) {
        self.end(Ending::PowerFailed, now);
        self.link = Link::new(self.policy.timing);
    }

    /// The line is gone, where that can be told: the contact ends, the lock stays.
    pub fn hang_up(&mut self, now: Instant) {
        self.end(Ending::Lost, now);
        self.link = Link::new(self.policy.timing);
    }

    /// When [`Server::handle_timeout`] is due next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        earlier(self.link.poll_timeout(), self.silence_at())
    }

    /// The next octets for the line, which they occupy from `now` on.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        let transmit = self.link.poll_transmit(now)?;
        if let Some(contact) = &mut self.contact {
            contact.octets_sent += transmit.octets.len() as u64;
            contact.repetitions += u32::from(transmit.retransmission);
        }
        Some(transmit)
    }

    /// The oldest event.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        self.events.pop_front()
    }

    /// When the silence will have lasted too long.
    fn silence_at(&self) -> Option<Instant> {
        self.contact.as_ref()?;
        // A packet on the line may take longer than that; its own time-outs end it.
        if self.link.is_sending() || self.link.is_receiving() {
            return None;
        }
        let heard = self.link.heard_at() + self.policy.timing.traffic;
        Some(heard.max(self.wait_until))
    }

    fn proceed(&mut self, tables: &mut dyn Tables, now: Instant) {
        while let Some(event) = self.link.poll_event() {
            match event {
                LinkEvent::Message(message) => self.handle_message(&message, tables, now),
                LinkEvent::Oversize => {
                    self.respond(vec![ResponseCode::Onp.into()], After::Nothing);
                }
                LinkEvent::Sent => match core::mem::replace(&mut self.after, After::Nothing) {
                    After::Nothing => {}
                    After::Agreed(parameters) => self.link.set_parameters(parameters),
                    After::Terminated => self.end(Ending::Terminated, now),
                },
                // The agreement needs the acknowledgement, the end does not.
                LinkEvent::Abandoned if self.after == After::Terminated => {
                    self.end(Ending::Terminated, now);
                }
                LinkEvent::Abandoned => self.after = After::Nothing,
                LinkEvent::Lost if self.after == After::Terminated => {
                    self.end(Ending::Terminated, now);
                }
                LinkEvent::Lost => self.end(Ending::Lost, now),
                LinkEvent::Rejected(why) => self.reject(why),
            }
        }
    }

    fn handle_message(&mut self, message: &[u8], tables: &mut dyn Tables, now: Instant) {
        self.wait_until = Instant::ZERO;
        let mut after = After::Nothing;
        let response = match Request::parse(message) {
            Ok(request) => {
                let (response, then) = self.execute(&request, tables, now);
                after = then;
                response
            }
            Err(_) => {
                self.reject(Reject::Service);
                vec![ResponseCode::Err.into()]
            }
        };
        self.respond(response, after);
    }

    fn respond(&mut self, response: Vec<u8>, after: After) {
        let refused = response.first() != Some(&ResponseCode::Ok.into());
        if let Some(contact) = &mut self.contact {
            contact.services += 1;
            contact.refused += u32::from(refused);
        }
        self.after = after;
        if self.link.send(response).is_err() {
            // Longer than what was agreed upon.
            let sent = self.link.send(vec![ResponseCode::Onp.into()]);
            debug_assert_eq!(sent, Ok(()), "one octet fits into any packet");
        }
    }

    /// Carries out a request; returns the response and what follows its acknowledgement.
    fn execute(
        &mut self,
        request: &Request<'_>,
        tables: &mut dyn Tables,
        now: Instant,
    ) -> (Vec<u8>, After) {
        let only = |code: ResponseCode| (vec![u8::from(code)], After::Nothing);
        match (request, self.state) {
            (Request::Common(Service::Identification), State::Base | State::Identified) => {
                self.state = State::Identified;
                self.contact.get_or_insert(Contact::new(now));
                let mut response = vec![ResponseCode::Ok.into()];
                response.extend_from_slice(&IDENTIFICATION);
                (response, After::Nothing)
            }
            (Request::Common(Service::Terminate), _) => {
                self.state = State::Base;
                (vec![ResponseCode::Ok.into()], After::Terminated)
            }
            (Request::Negotiate(offer), State::Identified | State::Session) => self.agree(offer),
            (Request::Common(Service::Wait(seconds)), State::Identified | State::Session) => {
                self.wait_until = now + Duration::from_secs(u64::from(*seconds));
                only(ResponseCode::Ok)
            }
            (Request::Common(Service::Logon(logon)), State::Identified) => {
                self.log_on(logon, tables);
                only(ResponseCode::Ok)
            }
            (Request::Common(Service::Security(_)), State::Session) if now < self.locked_until => {
                only(ResponseCode::Dlk)
            }
            (Request::Common(Service::Security(password)), State::Session) => {
                only(self.check(password, tables, now))
            }
            (Request::Common(service @ (Service::Read(_) | Service::Write(_))), State::Session) => {
                (self.serve(service, tables), After::Nothing)
            }
            (Request::Common(Service::Logoff), State::Session) => {
                self.state = State::Identified;
                only(ResponseCode::Ok)
            }
            (Request::Common(service), _) if !is_known(service) => only(ResponseCode::Sns),
            _ => only(ResponseCode::Isss),
        }
    }

    fn agree(&mut self, offer: &Negotiate<'_>) -> (Vec<u8>, After) {
        let agreed = offer.agree(&self.policy.limits, self.link.parameters());
        let Some(parameters) = agreed else {
            return (vec![ResponseCode::Onp.into()], After::Nothing);
        };
        let negotiated = Negotiated {
            parameters,
            with_baud: !offer.bauds.is_empty(),
        };
        let mut octets = [ResponseCode::Ok.into(); 8];
        let mut writer = Writer::new(&mut octets[1..]);
        let emitted = negotiated.emit(&mut writer);
        debug_assert_eq!(emitted, Ok(()), "four octets fit into seven");
        let len = 1 + writer.len();
        (octets[..len].to_vec(), After::Agreed(parameters))
    }

    fn log_on(&mut self, logon: &Logon, tables: &mut dyn Tables) {
        self.state = State::Session;
        let Logon { user_id, user, .. } = *logon;
        tables.begin(user_id);
        if let Some(contact) = &mut self.contact {
            contact.user = Some((user_id, user));
            contact.groups.0 |= tables.groups().0;
        }
        self.events
            .push_back(ServerEvent::LoggedOn { user_id, user });
    }

    /// Lets the tables judge a password, and counts the wrong ones.
    fn check(
        &mut self,
        password: &Password,
        tables: &mut dyn Tables,
        now: Instant,
    ) -> ResponseCode {
        let password = service::password(password.octets());
        let response = self.serve(&Service::Security(password), tables);
        let code = response
            .first()
            .map_or(ResponseCode::Err, |code| (*code).into());
        match code {
            ResponseCode::Ok => {
                self.wrong_in_a_row = 0;
                let groups = tables.groups();
                if let Some(contact) = &mut self.contact {
                    contact.groups.0 |= groups.0;
                }
                self.events.push_back(ServerEvent::PasswordAccepted(groups));
            }
            ResponseCode::Isc => {
                self.wrong_in_a_row += 1;
                if let Some(contact) = &mut self.contact {
                    contact.wrong_passwords += 1;
                }
                self.events.push_back(ServerEvent::PasswordRefused);
                if let Some(lockout) = self.policy.lockout
                    && self.wrong_in_a_row >= lockout.attempts
                {
                    self.wrong_in_a_row = 0;
                    self.locked_until = now + lockout.duration;
                    tables.locked_out();
                    self.events
                        .push_back(ServerEvent::LockedOut(self.locked_until));
                }
            }
            _ => {}
        }
        code
    }

    /// Lets the tables answer; codes that the line does not know become `onp`.
    fn serve(&self, request: &Service<'_>, tables: &mut dyn Tables) -> Vec<u8> {
        let room = self.link.parameters().message_max().min(RESPONSE_MAX);
        let mut response = vec![0; room];
        let mut writer = Writer::new(&mut response);
        let served = tables.serve(request, &mut writer);
        let len = writer.len();
        response.truncate(len);
        let known = |response: &Response<'_>| response.code <= ResponseCode::Isss;
        match Response::parse(&response) {
            Ok(parsed) if served.is_ok() && known(&parsed) => response,
            _ => vec![ResponseCode::Onp.into()],
        }
    }

    /// Returns to the base state.
    fn end(&mut self, ending: Ending, now: Instant) {
        self.state = State::Base;
        self.after = After::Nothing;
        self.wait_until = Instant::ZERO;
        self.link.reset();
        if let Some(contact) = self.contact.take() {
            self.events.push_back(ServerEvent::Ended(Contact {
                ended_at: now,
                ending,
                ..contact
            }));
        }
    }

    fn reject(&mut self, why: Reject) {
        self.events.push_back(ServerEvent::Rejected(why));
    }
}

/// Whether the line has the service at all.
fn is_known(service: &Service<'_>) -> bool {
    matches!(
        service,
        Service::Identification
            | Service::Terminate
            | Service::Read(_)
            | Service::Write(_)
            | Service::Logon(_)
            | Service::Security(_)
            | Service::Logoff
            | Service::Wait(_)
    )
}
