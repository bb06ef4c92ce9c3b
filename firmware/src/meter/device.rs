//! The end device: serves its C12.19 tables and runs procedures.
//!
//! A request is answered service by service, with the rights that its password gives. Nothing of
//! this is volatile: what a procedure has done survives a loss of power, and so do its result, the
//! logs and whatever was written. A device keeps nothing before somebody has asked for something;
//! until then everything it shows is that of the factory.

mod bank;
mod factory;
mod journal;
mod measured;
mod pending;
mod procedures;
mod ring;
mod settings;
mod tables;
mod tariff;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use zeroize::Zeroize;

use super::switch::{Answer as SwitchAnswer, Source, Switch, SwitchPolicy, SwitchStep, draw};
use crate::Env;
use crate::c1218;
use crate::c1219::access::{Groups, Password, Permissions};
use crate::c1219::codec::{Encoder, Window};
use crate::c1219::image;
use crate::c1219::log::EventCode;
use crate::c1219::procedure::{Initiate, ProcedureId, ResultCode};
use crate::c1222::epsem::{Mode, put_service};
use crate::c1222::service::{
    self, Identification, Read, Request, Response, ResponseCode, Selector, TableId, Write,
    put_read_data,
};
use crate::crypto::CmacKey;
use crate::metrology::{self, Metrology, Utc};
use crate::time::{Duration, Instant, earlier};
use crate::wire::{Error, Writer};
use bank::Bank;
pub use bank::{ImageEvent, ImageStep};
pub use measured::TABLES as METERED_TABLES;

use journal::{EventLog, History, WRONG_PASSWORD};
pub(crate) use measured::REGISTERS as METER_REGISTERS;
use pending::{Pending, PendingTables};
use settings::Settings;
use tables::Context;

/// Octets of a service beyond the data that it carries: length, code, count, checksum.
const READ_OVERHEAD: usize = 8;
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
    /// The key under which the vendor signs images; a meter without one takes none.
    pub vendor_key: Option<CmacKey>,
}

/// The rights under which the services of one message are served.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    groups: Groups,
    secured: bool,
    source: Source,
    /// Number of the user, for the logs; 0 if he has not named one.
    user: u16,
}

impl Session {
    /// A message in `mode`, before any password.
    pub(super) fn new(mode: Mode) -> Self {
        Self {
            groups: Groups::GUEST,
            secured: mode != Mode::Clear,
            source: Source::Network,
            user: 0,
        }
    }

    /// A session at the optical port, before any password; nobody else is on that line.
    pub(super) const fn local() -> Self {
        Self {
            groups: Groups::GUEST,
            secured: true,
            source: Source::Optical,
            user: 0,
        }
    }

    /// The groups that passwords have given.
    pub(super) const fn groups(self) -> Groups {
        self.groups
    }

    /// The same rights of a user who has told his number.
    pub(super) const fn of_user(self, user: u16) -> Self {
        Self { user, ..self }
    }

    /// A message in `mode` within a session of which `kept` are the rights, if it is in one.
    pub(super) fn resumed(kept: Option<Self>, mode: Mode) -> Self {
        let fresh = Self::new(mode);
        kept.map_or(fresh, |kept| Self {
            groups: kept.groups,
            user: kept.user,
            ..fresh
        })
    }

    /// Whether a password has made the requester one of `groups`.
    pub(super) const fn is_privileged_as(self, groups: Groups) -> bool {
        self.groups.meet(groups.0)
    }

    /// Whether a password has given more rights than everybody has.
    pub(super) fn is_privileged(self) -> bool {
        self.groups.0 != Groups::GUEST.0
    }
}

/// ST7 and ST8 as they are kept.
#[derive(Clone, Debug)]
struct Posted {
    procedure: ProcedureId,
    sequence: u8,
    parameters: Vec<u8>,
    result: ResultCode,
    data: Vec<u8>,
}

impl Posted {
    /// Whether `initiate` asks for what has been done, or is being done.
    fn repeats(&self, initiate: &Initiate<'_>) -> bool {
        self.procedure == initiate.procedure
            && self.sequence == initiate.sequence
            && self.parameters == initiate.parameters
            && matches!(self.result, ResultCode::Completed | ResultCode::Accepted)
    }

    /// The firmware has started: a procedure that ordered it is complete.
    fn finish_restart(&mut self) {
        let restarts = matches!(self.procedure.procedure(), 0 | 1)
            || self.procedure.procedure() == image::ACTIVATE.procedure();
        if restarts && self.result == ResultCode::Accepted {
            self.result = ResultCode::Completed;
        }
    }
}

/// The end device behind the tables.
#[derive(Debug)]
struct State {
    switch: Switch,
    posted: Option<Posted>,
    events: VecDeque<SwitchEvent>,
    settings: Settings,
    pending: PendingTables,
    /// When a pending table becomes valid by itself.
    activate_at: Option<Instant>,
    history: History,
    log: EventLog,
    /// ED_STD_STATUS1.
    status1: u16,
    /// When power was lost, until it returns.
    down_utc: Option<u32>,
    /// What is added to the oscillator, in seconds, where there is no measuring part.
    correction_s: i64,
    /// Self reads that have been acknowledged, counted as they are numbered.
    self_reads_read: u16,
    /// When the firmware starts anew.
    restart_at: Option<Instant>,
    /// Once an image has been offered.
    bank: Option<Box<Bank>>,
}

/// An end device; nothing is kept before somebody has asked for something.
#[derive(Debug)]
pub(super) struct Device {
    /// Where the delays of the switch start.
    seed: u64,
    state: Option<Box<State>>,
    /// Whether somebody with a password is at the optical port.
    attended: bool,
    /// The measuring part; a meter without one is told its intervals.
    metrology: Option<Box<Metrology>>,
    /// What the oscillator shows.
    uncorrected: Utc,
}

impl Device {
    /// A new device.
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            seed,
            state: None,
            attended: false,
            metrology: None,
            uncorrected: Utc::from_secs(0),
        }
    }

    /// Gives the device a measuring part.
    pub(super) fn equip(&mut self, config: Arc<metrology::Config>) {
        self.metrology = Some(Box::new(Metrology::new(config)));
    }

    /// The measuring part.
    pub(super) fn metrology(&self) -> Option<&Metrology> {
        self.metrology.as_deref()
    }

    /// The measuring part, to be told what the sensors have measured.
    pub(super) fn metrology_mut(&mut self) -> Option<&mut Metrology> {
        self.metrology.as_deref_mut()
    }

    /// Takes note of what the oscillator shows; returns what the clock shows.
    pub(super) fn tick(&mut self, uncorrected: Utc, now: Instant) -> Utc {
        self.uncorrected = uncorrected;
        self.time(now)
    }

    /// What the clock shows, its corrections included.
    fn time(&self, now: Instant) -> Utc {
        if let Some(metrology) = &self.metrology {
            return metrology.time(self.uncorrected, now);
        }
        let correction_s = self.state.as_ref().map_or(0, |state| state.correction_s);
        self.uncorrected
            .moved(correction_s.saturating_mul(1_000_000_000))
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
        let context = Context {
            config,
            serial,
            utc,
        };
        let code = match request {
            Request::Identification => {
                put_service(writer, |writer| {
                    Response::OK.emit(writer)?;
                    Identification::emit(&[], writer)
                })?;
                return Ok(true);
            }
            Request::Read(read) => match self.read(read, *session, &context, writer.remaining()) {
                Ok(data) => {
                    put_service(writer, |writer| {
                        Response::OK.emit(writer)?;
                        put_read_data(writer, &data)
                    })?;
                    return Ok(true);
                }
                Err(ReadError::TooLong(room)) => {
                    put_service(writer, |writer| {
                        writer.u8(ResponseCode::Rstl.into())?;
                        writer.u32(room)
                    })?;
                    return Ok(false);
                }
                Err(ReadError::Refused(code)) => code,
            },
            Request::Write(_) if self.attended && session.source != Source::Optical => {
                ResponseCode::Bsy
            }
            Request::Write(write) => {
                let written = self.write(write, *session, &context, env);
                written.err().unwrap_or(ResponseCode::Ok)
            }
            Request::Security(password) => self.authorise(password, session, &context),
            _ => ResponseCode::Sns,
        };
        put_service(writer, |writer| Response::of(code).emit(writer))?;
        Ok(code == ResponseCode::Ok)
    }

    /// Moves the switch and activates pending tables if that is due.
    pub(super) fn handle_timeout(&mut self, config: &DeviceConfig, utc: u32, now: Instant) {
        let Some(state) = &mut self.state else {
            return;
        };
        if state.activate_at.is_some_and(|at| at <= now) {
            let due = |pending: &Pending| pending.due_utc().is_some_and(|due| due <= utc);
            for pending in state.pending.take(due) {
                self.apply_pending(&pending, utc, now);
            }
            self.schedule_activation(utc, now);
        }
        let Some(state) = &mut self.state else {
            return;
        };
        if let Some(answer) = state.switch.handle_timeout(&config.switch, utc, now) {
            self.conclude(&answer, utc);
        }
    }

    /// When the switch moves next, or a pending table becomes valid.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let state = self.state.as_ref()?;
        let bank = state.bank.as_ref().and_then(|bank| bank.poll_timeout());
        let activity = earlier(state.activate_at, earlier(state.restart_at, bank));
        earlier(state.switch.poll_timeout(), activity)
    }

    /// Whether the firmware is to start anew now: a procedure has ordered it, or an image takes over.
    pub(super) fn take_restart(&mut self, now: Instant) -> bool {
        let Some(state) = &mut self.state else {
            return false;
        };
        let ordered = state.restart_at.take_if(|at| *at <= now).is_some();
        let bank = state.bank.as_mut();
        let due = bank.is_some_and(|bank| bank.take_over(now)) || ordered;
        if due && let Some(posted) = &mut state.posted {
            posted.finish_restart();
        }
        due
    }

    /// Sets the alarm for the next pending table that becomes valid by itself.
    fn schedule_activation(&mut self, utc: u32, now: Instant) {
        if let Some(state) = &mut self.state {
            let due = state.pending.due_utc();
            let pause = due.map(|due| Duration::from_secs(due.saturating_sub(utc).into()));
            state.activate_at = pause.map(|pause| now + pause);
        }
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

    /// The premise has drawn more than its contract allows for too long: the switch opens.
    pub(super) fn enforce_limit(&mut self, config: &DeviceConfig, utc: u32, now: Instant) {
        let switch = &mut self.state().switch;
        if let Some(answer) = switch.enforce_limit(&config.switch, utc, now) {
            self.conclude(&answer, utc);
        }
    }

    /// The household opts out of a demand-response event; returns whether it is at hand.
    pub(super) fn opt_out(&mut self, event_id: u32, utc: u32) -> bool {
        let Some(state) = self.state.as_mut() else {
            return false;
        };
        let answer = state.switch.opt_out(event_id);
        if let Some(answer) = &answer {
            self.conclude(answer, utc);
        }
        answer.is_some()
    }

    fn state(&mut self) -> &mut State {
        let seed = self.seed;
        self.state.get_or_insert_with(|| {
            Box::new(State {
                switch: Switch::new(seed),
                posted: None,
                events: VecDeque::new(),
                settings: Settings::new(),
                pending: PendingTables::new(),
                activate_at: None,
                history: History::new(),
                log: EventLog::new(),
                status1: 0,
                down_utc: None,
                correction_s: 0,
                self_reads_read: 0,
                restart_at: None,
                bank: None,
            })
        })
    }

    /// The switch as it is.
    fn switch(&self) -> Switch {
        let new = Switch::new(self.seed);
        self.state.as_ref().map_or(new, |state| state.switch)
    }

    /// The record of ST44 or ST43 about a table or procedure.
    fn permission(&self, subject: u16) -> Option<Permissions> {
        const FACTORY: Settings = Settings::new();
        match &self.state {
            Some(state) => state.settings.permission(subject),
            None => FACTORY.permission(subject),
        }
    }

    /// The part of a table that is asked for, if its response fits into `room` octets.
    fn read(
        &self,
        read: &Read<'_>,
        session: Session,
        context: &Context<'_>,
        room: usize,
    ) -> Result<Vec<u8>, ReadError> {
        let (offset, count) = match read.selector {
            Selector::Full => (0, None),
            Selector::Offset(offset, count) => (offset as usize, Some(usize::from(count))),
            // DATA_ACCESS_METHOD of ST0: by offset alone.
            Selector::Default | Selector::Indices(..) => return Err(ResponseCode::Sns.into()),
        };
        if read.table == image::DATA && context.config.vendor_key.is_some() {
            return Err(ResponseCode::Isc.into());
        }
        let mut measure = Window::measuring();
        let mut out = Encoder::new(&mut measure);
        // Whether a table exists is told by ST0, which everybody may read.
        self.emit(read.table, context, &mut out)
            .map_err(|_| ResponseCode::Iar)?;
        let rule = self.permission(read.table.0 & Self::SUBJECT);
        if !rule.is_some_and(|rule| rule.may_read(session.groups)) {
            return Err(ResponseCode::Isc.into());
        }
        let len = measure
            .total()
            .checked_sub(offset)
            .ok_or(ResponseCode::Onp)?;
        let count = count.unwrap_or(len);
        if count > len {
            return Err(ResponseCode::Onp.into());
        }
        let room = room.saturating_sub(READ_OVERHEAD);
        if count > room {
            return Err(ReadError::TooLong(room as u32));
        }
        let mut data = vec![0; count];
        let mut window = Window::new(offset, &mut data);
        self.emit(read.table, context, &mut Encoder::new(&mut window))
            .map_err(|_| ResponseCode::Err)?;
        Ok(data)
    }

    /// Bits of a table number that ST44 tells tables apart by: a pending image is like its table.
    const SUBJECT: u16 = 0x0FFF;

    /// Writes to a table or to its pending image, or runs a procedure.
    fn write(
        &mut self,
        write: &Write<'_>,
        session: Session,
        context: &Context<'_>,
        env: &mut Env<'_>,
    ) -> Result<(), ResponseCode> {
        let now = env.now;
        match write.selector {
            Selector::Full | Selector::Offset(..) => {}
            Selector::Default | Selector::Indices(..) => return Err(ResponseCode::Sns),
        }
        let id = write.table;
        let image = context.config.vendor_key.as_ref();
        let image = image.filter(|_| matches!(id, image::MANIFEST | image::DATA));
        let exists = !id.is_manufacturer() && self.is_writable(id.number()) || image.is_some();
        if !exists || id.is_pending() && !tables::can_wait(id.number()) {
            return Err(ResponseCode::Iar);
        }
        let rule = self.permission(id.0 & Self::SUBJECT);
        if !session.secured || !rule.is_some_and(|rule| rule.may_write(session.groups)) {
            return Err(ResponseCode::Isc);
        }
        if let Some(key) = image {
            return self.write_image(write, key, session, context, env);
        }
        if id == TableId::standard(7) {
            return self.write_procedure(write, session, context, now);
        }
        let octets = self.setting(id.number(), context);
        let octets = octets.map_err(|_| ResponseCode::Err)?;
        if id.is_pending() {
            let pending = &mut self.state().pending;
            pending.write(id.number(), octets.len(), write.selector, write.data)?;
            self.schedule_activation(context.utc, now);
        } else {
            let written = settings::overlaid(octets, write.selector, write.data);
            let mut octets = written.ok_or(ResponseCode::Onp)?;
            let operator = session.is_privileged_as(Groups::MASTER);
            let done = self.apply(id.number(), &octets, operator, (context.utc, now));
            octets.as_mut_slice().zeroize();
            done.map_err(|_| ResponseCode::Onp)?;
        }
        let done = ResultCode::Completed;
        self.record_use(EventCode::TABLE_WRITTEN, id.0, done, session, context.utc);
        Ok(())
    }

    fn write_procedure(
        &mut self,
        write: &Write<'_>,
        session: Session,
        context: &Context<'_>,
        now: Instant,
    ) -> Result<(), ResponseCode> {
        let whole = matches!(write.selector, Selector::Full | Selector::Offset(0, _));
        let initiate = Initiate::parse(write.data)
            .ok()
            .filter(|initiate| initiate.parameters.len() <= usize::from(factory::PARAMETERS_MAX))
            .filter(|_| whole)
            .ok_or(ResponseCode::Onp)?;
        self.initiate(&initiate, session, context, now);
        Ok(())
    }

    /// Gives a session the rights of a password.
    fn authorise(
        &mut self,
        password: &service::Password,
        session: &mut Session,
        context: &Context<'_>,
    ) -> ResponseCode {
        session.user = password.user_id.unwrap_or(session.user);
        let own = self.state.as_ref();
        let own = own.and_then(|state| state.settings.passwords());
        let known = own
            .unwrap_or(&context.config.passwords)
            .iter()
            .find(|entry| entry.groups != Groups::NONE && password.is(&entry.password));
        match known.filter(|_| session.secured) {
            Some(entry) => {
                session.groups = Groups(Groups::GUEST.0 | entry.groups.0);
                ResponseCode::Ok
            }
            None => {
                let user = session.user.to_le_bytes();
                self.record(context.utc, WRONG_PASSWORD, &user);
                ResponseCode::Isc
            }
        }
    }
}

/// Why a table is not read.
enum ReadError {
    /// With this response.
    Refused(ResponseCode),
    /// The response would be longer than so many octets of data.
    TooLong(u32),
}

impl From<ResponseCode> for ReadError {
    fn from(code: ResponseCode) -> Self {
        Self::Refused(code)
    }
}
