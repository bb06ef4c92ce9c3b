//! The end device: serves its C12.19 tables and runs procedures.
//!
//! A request is answered service by service, with the rights that its password gives. Nothing of
//! this is volatile: what a procedure has done survives a loss of power, and so does its result.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;

use super::switch::{Answer, Source, Switch, SwitchPolicy, SwitchStep};
use crate::Env;
use crate::c1218;
use crate::c1219::access::{Groups, Password, Permissions};
use crate::c1219::general::{GenConfig, ManufacturerId, ModeStatus, put_text};
use crate::c1219::procedure::{Initiate, Outcome, ProcedureId, ResultCode};
use crate::c1219::switch::{self, SwitchCommand, SwitchResponse};
use crate::c1222::epsem::{Mode, put_service};
use crate::c1222::service::{
    Identification, Read, Request, Response, ResponseCode, Selector, TableId, Write, put_read_data,
};
use crate::time::Instant;
use crate::wire::{Error, Writer};

/// Octets of the longest table that is served.
const TABLE_MAX: usize = 64;
/// MAX_PROC_PARM_LENGTH.
const PARAMETERS_MAX: u8 = 32;
/// MAX_RESP_DATA_LEN.
const RESPONSE_MAX: u8 = 16;
/// Octets of a service beyond the data that it carries: length, code, count, checksum.
const READ_OVERHEAD: usize = 8;

/// ST0: little-endian, ISO 646, TM_FORMAT 2, access by offset; an electricity meter of 2008.
const CONFIG: GenConfig<'static> = GenConfig {
    format_control: [0x02, 0x0A, 0x8A],
    device_class: *b"SH2E",
    nameplate_type: 2,
    default_set_used: 0,
    parameters_max: PARAMETERS_MAX,
    response_max: RESPONSE_MAX,
    version: 2,
    revision: 0,
    pending: 0,
    manufacturer_status: 2,
    // 0, 1, 3, 5, 7, 8
    standard_tables: &[0b1010_1011, 0b0000_0001],
    manufacturer_tables: &[0b0000_0001],
    standard_procedures: &[],
    manufacturer_procedures: &[0b0000_0001],
    standard_writable: &[0b1000_0000, 0],
    manufacturer_writable: &[0],
};

/// ST44, and the default of ST43 where nothing else is said: whoever has a key may read.
const PERMISSIONS: [Permissions; 4] = [
    Permissions {
        id: 0x0007,
        read: 0x0E,
        write: 0x0E,
    },
    Permissions {
        id: 0x2008,
        read: 0xFF,
        write: 0x00,
    },
    Permissions {
        id: 0x2800,
        read: 0xFF,
        write: 0x00,
    },
    Permissions {
        id: 0x1800,
        read: 0x00,
        write: 0x08,
    },
];

/// What the meter's host learns of the switch: the sequence number of an order and its fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchEvent {
    /// SEQ_NBR of the procedure.
    pub sequence: u8,
    /// What became of it.
    pub step: SwitchStep,
}

/// The passwords and the switch that all meters of a kind share.
#[derive(Clone, Debug, Default)]
pub struct DeviceConfig {
    /// ST42.
    pub passwords: Arc<[Password]>,
    /// The service switch.
    pub switch: SwitchPolicy,
    /// The optical port.
    pub optical: c1218::Policy,
}

/// The rights under which the services of one message are served.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    groups: Groups,
    secured: bool,
    source: Source,
}

impl Session {
    /// A message in `mode`, before any password.
    pub(super) fn new(mode: Mode) -> Self {
        Self {
            groups: Groups::GUEST,
            secured: mode != Mode::Clear,
            source: Source::Network,
        }
    }

    /// A session at the optical port, before any password; nobody else is on that line.
    pub(super) const fn local() -> Self {
        Self {
            groups: Groups::GUEST,
            secured: true,
            source: Source::Optical,
        }
    }

    /// The groups that passwords have given.
    pub(super) const fn groups(self) -> Groups {
        self.groups
    }

    /// A message in `mode` within a session of which `kept` are the rights, if it is in one.
    pub(super) fn resumed(kept: Option<Self>, mode: Mode) -> Self {
        let fresh = Self::new(mode);
        kept.map_or(fresh, |kept| Self {
            groups: kept.groups,
            ..fresh
        })
    }

    /// Whether a password has given more rights than everybody has.
    pub(super) fn is_privileged(self) -> bool {
        self.groups.0 != Groups::GUEST.0
    }
}

/// ST8 as it is kept.
#[derive(Clone, Copy, Debug, Default)]
struct Posted {
    procedure: ProcedureId,
    sequence: u8,
    result: ResultCode,
    response: Option<SwitchResponse>,
}

/// The end device behind the tables.
#[derive(Debug)]
struct State {
    switch: Switch,
    posted: Posted,
    events: VecDeque<SwitchEvent>,
}

/// An end device; nothing is kept before somebody has asked for something.
#[derive(Debug)]
pub(super) struct Device {
    /// Where the delays of the switch start.
    seed: u64,
    state: Option<Box<State>>,
    /// Whether somebody with a password is at the optical port.
    attended: bool,
}

impl Device {
    /// A new device.
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            seed,
            state: None,
            attended: false,
        }
    }

    /// Whether somebody with a password is at the optical port: until he leaves, the network can
    /// read but not write, lest two change the same thing.
    pub(super) const fn attend(&mut self, attended: bool) {
        self.attended = attended;
    }

    /// Answers one service of a message; tells whether it succeeded.
    pub(super) fn answer(
        &mut self,
        config: &DeviceConfig,
        serial: &[u8],
        request: &Request<'_>,
        session: &mut Session,
        (utc, env): (u32, &mut Env<'_>),
        writer: &mut Writer<'_>,
    ) -> Result<bool, Error> {
        let code = match request {
            Request::Identification => {
                put_service(writer, |writer| {
                    Response::OK.emit(writer)?;
                    Identification::emit(&[], writer)
                })?;
                return Ok(true);
            }
            Request::Read(read) => match self.read(serial, read, *session) {
                Ok(table) => return put_table(&table, read.selector, writer),
                Err(code) => code,
            },
            Request::Write(_) if self.attended && session.source != Source::Optical => {
                ResponseCode::Bsy
            }
            Request::Write(write) => self.write(config, write, *session, utc, env),
            Request::Security(password) => {
                let known = config
                    .passwords
                    .iter()
                    .find(|entry| password.is(&entry.password));
                match known.filter(|_| session.secured) {
                    Some(entry) => {
                        session.groups = Groups(Groups::GUEST.0 | entry.groups.0);
                        ResponseCode::Ok
                    }
                    None => ResponseCode::Isc,
                }
            }
            _ => ResponseCode::Sns,
        };
        put_service(writer, |writer| Response::of(code).emit(writer))?;
        Ok(code == ResponseCode::Ok)
    }

    /// Moves the switch if that is due.
    pub(super) fn handle_timeout(&mut self, config: &DeviceConfig, utc: u32, now: Instant) {
        let Some(state) = &mut self.state else {
            return;
        };
        if let Some(answer) = state.switch.handle_timeout(&config.switch, utc, now) {
            let posted = &mut state.posted;
            // ST8 may speak of another order by now, which was refused while this one waited.
            let of = answer.steps[0].map(|(sequence, _)| sequence);
            if posted.result == ResultCode::Accepted && Some(posted.sequence) == of {
                posted.result = answer.result;
                posted.response = Some(answer.response);
            }
            state.report(&answer);
        }
    }

    /// When the switch moves next.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.state.as_ref()?.switch.poll_timeout()
    }

    /// What became of an order to the switch.
    pub(super) fn poll_event(&mut self) -> Option<SwitchEvent> {
        self.state.as_mut()?.events.pop_front()
    }

    /// Takes note of the voltage on the load side of the open switch.
    pub(super) fn sense_load_side(&mut self, energised: bool) {
        self.state().switch.sense_load_side(energised);
    }

    /// The customer presses the button; returns whether the switch will close.
    pub(super) fn press_button(&mut self, config: &DeviceConfig, utc: u32, now: Instant) -> bool {
        self.state
            .as_mut()
            .is_some_and(|state| state.switch.press_button(&config.switch, utc, now))
    }

    fn state(&mut self) -> &mut State {
        let seed = self.seed;
        self.state.get_or_insert_with(|| {
            Box::new(State {
                switch: Switch::new(seed),
                posted: Posted::default(),
                events: VecDeque::new(),
            })
        })
    }

    /// The octets of a table.
    fn read(
        &self,
        serial: &[u8],
        read: &Read<'_>,
        session: Session,
    ) -> Result<Table, ResponseCode> {
        match read.selector {
            Selector::Full | Selector::Offset(..) => {}
            Selector::Default | Selector::Indices(..) => return Err(ResponseCode::Sns),
        }
        let table = Table::new(|writer| self.emit(serial, read.table, writer));
        // Whether a table exists is told by ST0, which everybody may read.
        let table = table.ok_or(ResponseCode::Iar)?;
        let allowed = permissions(read.table.0).is_none_or(|rule| rule.may_read(session.groups));
        if allowed {
            Ok(table)
        } else {
            Err(ResponseCode::Isc)
        }
    }

    fn emit(&self, serial: &[u8], id: TableId, writer: &mut Writer<'_>) -> Result<(), Error> {
        const ST0: TableId = TableId::standard(0);
        const ST1: TableId = TableId::standard(1);
        const ST3: TableId = TableId::standard(3);
        const ST5: TableId = TableId::standard(5);
        const ST7: TableId = TableId::standard(7);
        const ST8: TableId = TableId::standard(8);
        let posted = self
            .state
            .as_ref()
            .map_or(Posted::default(), |state| state.posted);
        match id {
            ST0 => CONFIG.emit(writer),
            ST1 => manufacturer(serial).emit(writer),
            ST3 => ModeStatus {
                mode: 1,
                ..ModeStatus::default()
            }
            .emit(writer),
            ST5 => put_text(serial, 20, writer),
            ST7 => Initiate {
                procedure: posted.procedure,
                sequence: posted.sequence,
                parameters: &[],
            }
            .emit(writer),
            ST8 => posted.emit(writer),
            switch::TABLE => {
                let switch = self
                    .state
                    .as_ref()
                    .map_or(Switch::new(self.seed), |state| state.switch);
                switch.table().emit(writer)
            }
            _ => Err(Error::Unsupported(id.0)),
        }
    }

    /// Writes to a table: ST7 alone can be written, as a whole.
    fn write(
        &mut self,
        config: &DeviceConfig,
        write: &Write<'_>,
        session: Session,
        utc: u32,
        env: &mut Env<'_>,
    ) -> ResponseCode {
        match write.selector {
            Selector::Full | Selector::Offset(0, _) => {}
            Selector::Offset(..) => return ResponseCode::Onp,
            Selector::Default | Selector::Indices(..) => return ResponseCode::Sns,
        }
        if write.table != TableId::standard(7) {
            return ResponseCode::Iar;
        }
        let groups = session.groups;
        if !session.secured || !permissions(7).is_some_and(|rule| rule.may_write(groups)) {
            return ResponseCode::Isc;
        }
        let Ok(initiate) = Initiate::parse(write.data) else {
            return ResponseCode::Onp;
        };
        if initiate.parameters.len() > usize::from(PARAMETERS_MAX) {
            return ResponseCode::Onp;
        }
        let posted = self.state().posted;
        // What is sent again because its response was lost is not done again.
        let again = posted.procedure == initiate.procedure
            && posted.sequence == initiate.sequence
            && matches!(posted.result, ResultCode::Completed | ResultCode::Accepted)
            && posted.response.is_some();
        if !again {
            self.run(config, &initiate, session, utc, env);
        }
        ResponseCode::Ok
    }

    /// Runs a procedure and posts its result.
    ///
    /// ST8 is posted at once whatever the selector says, unless it forbids any response: whoever
    /// reads it in the same message has to see its own sequence number.
    fn run(
        &mut self,
        config: &DeviceConfig,
        initiate: &Initiate<'_>,
        session: Session,
        utc: u32,
        env: &mut Env<'_>,
    ) {
        const NEVER: u8 = 2;
        let procedure = initiate.procedure.procedure();
        let rule = permissions(Permissions::of_procedure(procedure));
        let Session { groups, source, .. } = session;
        let (result, response) = if procedure != switch::PROCEDURE.procedure() {
            (ResultCode::Unrecognized, None)
        } else if !rule.is_some_and(|rule| rule.may_write(groups)) {
            (ResultCode::NoAuthorization, None)
        } else if let Ok(command) = SwitchCommand::parse(initiate.parameters) {
            let sequence = initiate.sequence;
            let state = self.state();
            let answer =
                state
                    .switch
                    .order(&config.switch, command, sequence, utc, env.now, source);
            state.report(&answer);
            (answer.result, Some(answer.response))
        } else {
            (ResultCode::InvalidParameter, None)
        };
        if initiate.procedure.selector() != NEVER {
            self.state().posted = Posted {
                procedure: initiate.procedure,
                sequence: initiate.sequence,
                result,
                response,
            };
        }
    }
}

impl State {
    fn report(&mut self, answer: &Answer) {
        // What is taken back comes before what takes it back.
        let steps = answer.steps.into_iter().rev().flatten();
        self.events
            .extend(steps.map(|(sequence, step)| SwitchEvent { sequence, step }));
    }
}

impl Posted {
    fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        Outcome {
            procedure: self.procedure,
            sequence: self.sequence,
            result: self.result,
            data: &[],
        }
        .emit(writer)?;
        self.response
            .map_or(Ok(()), |response| response.emit(writer))
    }
}

/// The octets of a table on their way into a response.
struct Table {
    octets: [u8; TABLE_MAX],
    len: usize,
}

impl Table {
    fn new(emit: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>) -> Option<Self> {
        let mut octets = [0; TABLE_MAX];
        let mut writer = Writer::new(&mut octets);
        emit(&mut writer).ok()?;
        let len = writer.len();
        Some(Self { octets, len })
    }

    fn part(&self, selector: Selector<'_>) -> Option<&[u8]> {
        let octets = &self.octets[..self.len];
        match selector {
            Selector::Offset(offset, count) => {
                let start = usize::try_from(offset).ok()?;
                octets.get(start..start.checked_add(usize::from(count))?)
            }
            _ => Some(octets),
        }
    }
}

/// Writes the response to a read.
fn put_table(
    table: &Table,
    selector: Selector<'_>,
    writer: &mut Writer<'_>,
) -> Result<bool, Error> {
    let Some(data) = table.part(selector) else {
        put_service(writer, |writer| {
            Response::of(ResponseCode::Onp).emit(writer)
        })?;
        return Ok(false);
    };
    if writer.remaining() < data.len() + READ_OVERHEAD {
        let room = writer.remaining().saturating_sub(READ_OVERHEAD) as u32;
        put_service(writer, |writer| {
            writer.u8(ResponseCode::Rstl.into())?;
            writer.u32(room)
        })?;
        return Ok(false);
    }
    put_service(writer, |writer| {
        Response::OK.emit(writer)?;
        put_read_data(writer, data)
    })?;
    Ok(true)
}

fn permissions(subject: u16) -> Option<Permissions> {
    PERMISSIONS
        .into_iter()
        .find(|rule| rule.subject() == subject)
}

fn manufacturer(serial: &[u8]) -> ManufacturerId {
    let mut serial_number = [b' '; 16];
    for (target, octet) in serial_number.iter_mut().zip(serial) {
        *target = *octet;
    }
    ManufacturerId {
        manufacturer: *b"TOSH",
        model: *b"SH2E1   ",
        hardware: [1, 0],
        firmware: [2, 3],
        serial_number,
    }
}
