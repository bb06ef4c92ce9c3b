//! What a head-end may want of a meter: services in messages, one message after the other.
//!
//! A task knows no meter and no time: one is shared by all requests of a kind. Reads of the load
//! profile find out by themselves what to ask for, see [`profile`](super::profile).

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::requests::SessionChange;
use super::rollout::Rollout;
use crate::c1219::Format;
use crate::c1219::procedure::{Initiate, ProcedureId};
use crate::c1219::registers::{Block, RegisterData, RegisterView};
use crate::c1219::types::DateTime;
use crate::c1222::acse::Authentication;
use crate::c1222::aptitle::Title;
use crate::c1222::epsem::{Mode, ResponseControl, put_service};
use crate::c1222::service::{
    Blocks, Indices, Logon, Password, Read, Request, Response, Selector, TableId, Write,
};
use crate::c1222::session::Session;
use crate::crypto::Secret;
use crate::meter::METER_REGISTERS;
use crate::time::{Duration, Instant};
use crate::ukmf::group::{GroupKey, KEY_TABLE};
use crate::wire::{Error, Reader, Writer};

/// ST7.
const INITIATE: TableId = TableId::standard(7);
/// ST8.
const OUTCOME: TableId = TableId::standard(8);
/// ST23, the registers as they are.
const REGISTERS: TableId = TableId::standard(23);
/// Standard procedure 10: set date and time.
const SET_DATE_TIME: ProcedureId = ProcedureId::standard(10);
/// Its mask: time and date, but not the qualifier.
const TIME_AND_DATE: u8 = 0x03;
/// Octets of parameters at most (MAX_PROC_PARM_LENGTH of ST0 is one octet).
const PARAMETERS_MAX: usize = 255;

/// How urgent a request is: classes of RFC 8036 §4.2, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Outages, prices, emergencies: 98 % within 5 s (C1).
    Emergency,
    /// Power quality, switches, somebody waiting for an answer: 98 % within 10 s (C2).
    Control,
    /// Configuration, clocks, security: 98 % within 30 s (C3).
    Configuration,
    /// Recurrent reading: 98 % within two hours (C4).
    Reading,
    /// Firmware: 98 % within seven days (C5).
    Firmware,
}

impl Class {
    /// The class as RFC 8036 numbers it, for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Emergency => "c1",
            Self::Control => "c2",
            Self::Configuration => "c3",
            Self::Reading => "c4",
            Self::Firmware => "c5",
        }
    }
}

/// Which part of a table is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Full,
    /// What the table reads by default.
    Default,
    /// Octets from an offset on.
    Offset(u32, u16),
    /// Elements from indices on: two octets each, most significant first.
    Indices(Arc<[u8]>, u16),
}

impl Part {
    fn selector(&self) -> Result<Selector<'_>, Error> {
        Ok(match self {
            Self::Full => Selector::Full,
            Self::Default => Selector::Default,
            Self::Offset(offset, count) => Selector::Offset(*offset, *count),
            Self::Indices(indices, count) => Selector::Indices(Indices::new(indices)?, *count),
        })
    }
}

/// One thing that is asked of a meter: a service, or two that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// What are you?
    Identification,
    /// Open a session.
    Logon(Logon),
    /// Raise access.
    Security(Password),
    /// Close the session.
    Logoff,
    /// End the session at once.
    Terminate,
    /// Keep the session open for this many seconds.
    Wait(u8),
    /// Leave the network.
    Disconnect,
    /// Where are you?
    Resolve,
    /// What lies between us?
    Trace,
    /// Withdraw your registration, which an end device refuses.
    Deregister,
    /// Read a table; the whole of it in parts, where it is too large for a response.
    Read(TableId, Part),
    /// Write to a table.
    Write(TableId, Part, Arc<[u8]>),
    /// Write a procedure to ST7 and read its result from ST8.
    Procedure(ProcedureId, Arc<[u8]>),
    /// Take the key of a group, which the device is a member of.
    GroupKey(Arc<GroupKey>),
    /// Set date and time to those of the transmission, by procedure 10.
    SetTime,
}

impl Call {
    /// Services that the call consists of, each of which is answered.
    pub(super) const fn services(&self) -> usize {
        match self {
            Self::Procedure(..) | Self::SetTime => 2,
            _ => 1,
        }
    }

    /// The procedure that it runs, if it runs one.
    pub(super) const fn procedure(&self) -> Option<ProcedureId> {
        match self {
            Self::Procedure(procedure, _) => Some(*procedure),
            Self::SetTime => Some(SET_DATE_TIME),
            _ => None,
        }
    }

    /// What the responses to its services, all of them `ok`, do to the session.
    ///
    /// `authentication` is that of the message which they answer.
    pub(super) fn session_change(
        &self,
        responses: &[Response<'_>],
        authentication: Option<Authentication>,
        now: Instant,
    ) -> Result<Option<SessionChange>, Error> {
        Ok(match (self, responses) {
            (Self::Logon(logon), [response]) => {
                let granted_s = Reader::new(response.data).u16()?;
                let idle = Duration::from_secs(u64::from(granted_s));
                let session = Session::new(authentication, logon.user_id, idle, now);
                Some(SessionChange::Opened(session))
            }
            (Self::Logoff | Self::Terminate | Self::Disconnect, _) => Some(SessionChange::Closed),
            _ => None,
        })
    }

    /// Energy delivered in Wh, if the call read all registers and `responses` show them.
    pub(super) fn register_wh(&self, responses: &[Response<'_>]) -> Option<u64> {
        let (Self::Read(table, Part::Full), [response]) = (self, responses) else {
            return None;
        };
        register_wh(*table, Blocks::new(response.data).single().ok()?)
    }

    /// Writes the services; `sequence` is that of a procedure, `utc` the time in seconds.
    pub(super) fn put(
        &self,
        meter: &Title,
        sequence: u8,
        utc: u32,
        writer: &mut Writer<'_>,
    ) -> Result<(), Error> {
        let request = match self {
            Self::Identification => Request::Identification,
            Self::Logon(logon) => Request::Logon(*logon),
            Self::Security(password) => Request::Security(*password),
            Self::Logoff => Request::Logoff,
            Self::Terminate => Request::Terminate,
            Self::Wait(seconds) => Request::Wait(*seconds),
            Self::Disconnect => Request::Disconnect,
            Self::Resolve => Request::Resolve(meter.get()),
            Self::Trace => Request::Trace(meter.get()),
            Self::Deregister => Request::Deregister(meter.get()),
            Self::Read(table, part) => Request::Read(Read {
                table: *table,
                selector: part.selector()?,
            }),
            Self::Write(table, part, data) => Request::Write(Write {
                table: *table,
                selector: part.selector()?,
                data,
            }),
            Self::GroupKey(key) => return put_group_key(key, writer),
            Self::Procedure(procedure, parameters) => {
                return put_procedure(*procedure, sequence, parameters, writer);
            }
            Self::SetTime => {
                let now = DateTime::from_utc(utc).ok_or(Error::Malformed("time"))?;
                let mut parameters = [0; 2 + DateTime::LEN];
                parameters[0] = TIME_AND_DATE;
                DateTime::emit(Some(now), &mut Writer::new(&mut parameters[1..]))?;
                return put_procedure(SET_DATE_TIME, sequence, &parameters, writer);
            }
        };
        put_service(writer, |writer| request.emit(writer))
    }
}

/// Energy delivered in Wh, if `octets` are those of the table with all registers.
///
/// The layout is that of the registers of this project's meters; another one is not read.
pub(super) fn register_wh(table: TableId, octets: &[u8]) -> Option<u64> {
    if table != REGISTERS {
        return None;
    }
    let view = RegisterView::parse(octets, &METER_REGISTERS, &Format::PROFILE).ok()?;
    let delivered = view.summation(Block::Total, 0).integer()?;
    u64::try_from(delivered).ok()
}

fn put_group_key(key: &GroupKey, writer: &mut Writer<'_>) -> Result<(), Error> {
    let mut data = Secret::new([0; GroupKey::LEN]);
    key.emit(&mut Writer::new(data.expose_mut()))?;
    let write = Request::Write(Write {
        table: KEY_TABLE,
        selector: Selector::Full,
        data: data.expose(),
    });
    put_service(writer, |writer| write.emit(writer))
}

pub(super) fn put_procedure(
    procedure: ProcedureId,
    sequence: u8,
    parameters: &[u8],
    writer: &mut Writer<'_>,
) -> Result<(), Error> {
    let mut data = [0; 3 + PARAMETERS_MAX];
    let mut initiate = Writer::new(&mut data);
    Initiate {
        procedure,
        sequence,
        parameters,
    }
    .emit(&mut initiate)?;
    let write = Request::Write(Write {
        table: INITIATE,
        selector: Selector::Full,
        data: initiate.written(),
    });
    put_service(writer, |writer| write.emit(writer))?;
    let read = Request::Read(Read {
        table: OUTCOME,
        selector: Selector::Full,
    });
    put_service(writer, |writer| read.emit(writer))
}

/// Calls that travel in one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The calls in order.
    pub calls: Vec<Call>,
    /// Protection.
    pub mode: Mode,
    /// When an answer is wanted; without one the message is done once it is sent.
    pub response: ResponseControl,
}

impl Message {
    /// An encrypted message that is always answered.
    pub const fn new(calls: Vec<Call>) -> Self {
        Self {
            calls,
            mode: Mode::Encrypted,
            response: ResponseControl::Always,
        }
    }

    /// Whether a response without services says nothing.
    pub(super) fn expects_answers(&self) -> bool {
        self.response == ResponseControl::Always && !self.calls.is_empty()
    }
}

/// How persistently a meter is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Persistence {
    /// Transmissions of a message at most, those without a session included.
    pub attempts: u32,
    /// How long to wait for a response, at most as long as a node accepts one (30 s).
    pub timeout: Duration,
    /// Pause after the first attempt that was in vain.
    pub pause: Duration,
    /// What each further pause is longer by, as a factor.
    pub factor: u32,
    /// How long after it was due a request is of no use any more.
    pub deadline: Duration,
}

impl Persistence {
    /// The pause after `attempts` in vain.
    pub(super) fn pause_after(&self, attempts: u32) -> Duration {
        let exponent = attempts.saturating_sub(1).min(20);
        let factor = u64::from(self.factor.max(1)).saturating_pow(exponent);
        let nanos = self.pause.as_nanos().saturating_mul(factor);
        Duration::from_nanos(nanos.min(self.deadline.as_nanos()))
    }
}

/// What is wanted of a load profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfileScope {
    /// How far back it is read at most.
    pub depth: Duration,
    /// Proof that the reader may have intervals, where the meter demands one.
    pub password: Option<Password>,
}

/// What is wanted of a meter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// How urgent it is.
    pub class: Class,
    /// The messages; each is answered before the next one is sent.
    pub messages: Vec<Message>,
    /// Read the load profile after that.
    pub profile: Option<ProfileScope>,
    /// Send and activate this image; then there are no messages and no profile.
    pub image: Option<Arc<Rollout>>,
    /// Go on when the meter refuses a service.
    pub tolerant: bool,
    /// How persistently.
    pub persistence: Persistence,
}
