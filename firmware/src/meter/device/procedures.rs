//! Procedures: what a write of ST7 does (C12.19-2008 §9.1.8).
//!
//! | procedure | what it does |
//! |---|---|
//! | 0 cold start | forgets data and settings, then 1 |
//! | 1 warm start | starts the firmware anew after a second: sessions and keys are gone |
//! | 2 save configuration | nothing: every write is kept through a loss of power |
//! | 3 clear data | empties registers, load profile and logs |
//! | 4 reset list pointers | empties list 1 (event log), 7 (history log) or 255 (all) |
//! | 5 update last read entry | acknowledges the oldest unread entries of a list: also 2, self reads, and 3, blocks of the load profile |
//! | 6 change mode | completes for the mode of metering alone |
//! | 7, 8 clear status | clears the bits of ST3 that it names; there is no manufacturer status |
//! | 9 remote reset | resets the demand (bit 0), reads the registers (bit 1) |
//! | 10 set date or time | slews or steps the clock, or refuses: a master may set it to any time |
//! | 12 to 15 pending tables | activates or forgets all, or those of an event |
//! | manufacturer 0 | the service switch |
//! | manufacturer 1 | activates a verified firmware image, where the meter takes images |
//!
//! Procedures 18 and 19, log in and out, are not offered: the Security service does the same, and
//! its wrong passwords are counted. Lists 7 and 255 are known from general knowledge alone.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::settings::Settings;
use super::tables::{Context, METERING, REMOTE_RESET};
use super::{
    Device, DeviceConfig, Pending, PendingTables, Posted, Session, SwitchAnswer, settings,
};
use crate::c1219::access::{Groups, Permissions};
use crate::c1219::codec::Decoder;
use crate::c1219::image;
use crate::c1219::log::EventCode;
use crate::c1219::procedure::{Initiate, ResultCode};
use crate::c1219::switch::{self, SwitchCommand, SwitchResponse};
use crate::c1219::{DateTime, Format};
use crate::c1222::epsem::Mode;
use crate::meter::switch::Source;
use crate::metrology::{ClockSet, Utc};
use crate::time::{Duration, Instant};
use crate::wire::Error;

/// The procedure that forgets data and settings.
const COLD_START: u16 = 0;
/// How long the firmware takes to start anew; its last response leaves before that.
const RESTART: Duration = Duration::from_secs(1);
/// ACTION of the remote reset: reset the demand.
const DEMAND_RESET: u8 = 0x01;
/// ACTION of the remote reset: read the registers.
const SELF_READ: u8 = 0x02;
/// MASK of date and time: set the time of day.
const SET_TIME: u8 = 0x01;
/// MASK of date and time: set the date.
const SET_DATE: u8 = 0x02;
/// Selector of a procedure that wants no response.
const NEVER: u8 = 2;
/// LIST of the event log.
const LIST_EVENTS: u8 = 1;
/// LIST of the self reads.
const LIST_SELF_READS: u8 = 2;
/// LIST of the first set of the load profile.
const LIST_PROFILE: u8 = 3;
/// LIST of the history log.
const LIST_HISTORY: u8 = 7;
/// LIST of all lists.
const LIST_ALL: u8 = 255;

/// Result and response data of a procedure.
type Outcome = (ResultCode, Vec<u8>);

impl Device {
    /// Runs a procedure and posts its result, unless it is the one that was run last.
    ///
    /// ST8 is posted at once whatever the selector says, unless it forbids any response: whoever
    /// reads it in the same message has to see its own sequence number.
    pub(super) fn initiate(
        &mut self,
        initiate: &Initiate<'_>,
        session: Session,
        context: &Context<'_>,
        now: Instant,
    ) {
        let posted = self.state.as_ref().and_then(|state| state.posted.as_ref());
        // What is sent again because its response was lost is not done again.
        if posted.is_some_and(|posted| posted.repeats(initiate)) {
            return;
        }
        let (result, data) = self.run(initiate, session, context, now);
        let procedure = initiate.procedure.procedure();
        self.record_use(
            EventCode::PROCEDURE,
            procedure,
            result,
            session,
            context.utc,
        );
        if initiate.procedure.selector() != NEVER {
            self.state().posted = Some(Posted {
                procedure: initiate.procedure,
                sequence: initiate.sequence,
                parameters: initiate.parameters.into(),
                result,
                data,
            });
        }
    }

    fn run(
        &mut self,
        initiate: &Initiate<'_>,
        session: Session,
        context: &Context<'_>,
        now: Instant,
    ) -> Outcome {
        let procedure = initiate.procedure.procedure();
        let images = context.config.vendor_key.is_some();
        let known = procedure == switch::PROCEDURE.procedure()
            || procedure == image::ACTIVATE.procedure() && images
            || self.has_procedure(procedure);
        if !known {
            return only(ResultCode::Unrecognized);
        }
        let rule = self.permission(Permissions::of_procedure(procedure));
        if !rule.is_some_and(|rule| rule.may_write(session.groups)) {
            return only(ResultCode::NoAuthorization);
        }
        let mut input = Decoder::new(initiate.parameters, &Format::PROFILE);
        let outcome = if procedure == image::ACTIVATE.procedure() {
            self.activate_image(initiate, context, now)
        } else if initiate.procedure.is_manufacturer() {
            self.operate_switch(initiate, session.source, context, now)
        } else {
            self.run_standard(procedure, &mut input, session, context, now)
        };
        outcome.unwrap_or_else(|_| only(ResultCode::InvalidParameter))
    }

    /// # Errors
    ///
    /// The parameters are no parameters of the procedure.
    fn run_standard(
        &mut self,
        procedure: u16,
        input: &mut Decoder<'_>,
        session: Session,
        context: &Context<'_>,
        now: Instant,
    ) -> Result<Outcome, Error> {
        let result = match procedure {
            0 | 1 => {
                ends(input, ())?;
                if procedure == COLD_START {
                    self.forget(now);
                }
                self.state().restart_at = Some(now + RESTART);
                ResultCode::Accepted
            }
            2 | 8 => ends(input, ResultCode::Completed)?,
            3 => {
                let result = ends(input, ResultCode::Completed)?;
                self.clear_data();
                result
            }
            4 => {
                let list = input.u8()?;
                ends(input, ())?;
                self.reset_list(list, context.utc)
            }
            5 => {
                let (list, entries) = (input.u8()?, input.u16()?);
                ends(input, ())?;
                self.acknowledge(list, entries, context)
            }
            6 => match (input.u8()?, ends(input, ())?) {
                (METERING, ()) => ResultCode::Completed,
                _ => ResultCode::Conflict,
            },
            7 => {
                let (status1, _) = (input.u16()?, input.u8()?);
                ends(input, ())?;
                self.state().status1 &= !status1;
                ResultCode::Completed
            }
            REMOTE_RESET => {
                let action = input.u8()?;
                ends(input, ())?;
                return self.reset_remotely(action, now);
            }
            10 => return self.set_date_time(input, session, context, now),
            12 => {
                ends(input, ())?;
                self.activate(None, context, now)
            }
            13 => {
                let event = input.array()?;
                ends(input, ())?;
                self.activate(Some(event), context, now)
            }
            14 => {
                ends(input, ())?;
                self.state().pending.clear(|_| true);
                ResultCode::Completed
            }
            15 => {
                let event = input.array()?;
                ends(input, ())?;
                let of_event = |pending: &Pending| pending.event() == Some(event);
                match self.state().pending.clear(of_event) {
                    0 => ResultCode::InvalidParameter,
                    _ => ResultCode::Completed,
                }
            }
            _ => ResultCode::Unrecognized,
        };
        Ok(only(result))
    }

    fn reset_list(&mut self, list: u8, utc: u32) -> ResultCode {
        let state = self.state();
        match list {
            LIST_EVENTS => state.log.reset(),
            LIST_HISTORY => state.history.reset(),
            LIST_ALL => {
                state.log.reset();
                state.history.reset();
            }
            _ => return ResultCode::InvalidParameter,
        }
        self.record(utc, EventCode::POINTERS_RESET, &[list]);
        ResultCode::Completed
    }

    fn acknowledge(&mut self, list: u8, entries: u16, context: &Context<'_>) -> ResultCode {
        let done = match (list, self.measured(context.utc)) {
            (LIST_EVENTS, _) => self.state().log.acknowledge(entries),
            (LIST_HISTORY, _) => self.state().history.acknowledge(entries),
            (LIST_SELF_READS, Some(measured)) => {
                let unread = measured.self_reads_unread();
                let oldest = measured.oldest_unread_self_read();
                let there = entries <= u16::from(unread);
                if there {
                    self.state().self_reads_read = oldest.wrapping_add(entries);
                }
                there
            }
            (LIST_PROFILE, Some(measured)) => {
                let config = &measured.metrology.config().profile;
                let unread = measured.metrology.profile().unread_blocks(config);
                let there = u32::from(entries) <= unread;
                if let Some(metrology) = self.metrology_mut().filter(|_| there) {
                    metrology.acknowledge_profile(entries.into());
                }
                there
            }
            _ => false,
        };
        if done {
            // The event log cannot be read to its end if reading adds to it.
            if list != LIST_EVENTS {
                self.record(context.utc, EventCode::POINTERS_UPDATED, &[list]);
            }
            ResultCode::Completed
        } else {
            ResultCode::InvalidParameter
        }
    }

    /// Empties registers, load profile and logs.
    fn clear_data(&mut self) {
        if let Some(metrology) = self.metrology_mut() {
            metrology.clear();
        }
        let state = self.state();
        state.history.reset();
        state.log.reset();
        state.self_reads_read = 0;
    }

    /// Forgets data and whatever was written; the switch and the clock stay as they are.
    fn forget(&mut self, now: Instant) {
        self.clear_data();
        let state = self.state();
        state.settings = Settings::new();
        state.pending = PendingTables::new();
        state.activate_at = None;
        state.status1 = 0;
        let time = self.time(now);
        if let Some(metrology) = self.metrology_mut() {
            let rules = Arc::clone(&metrology.config().calendar);
            metrology.set_calendar(rules, time);
        }
    }

    /// Resets the demand and reads the registers; tells which of both has been done.
    fn reset_remotely(&mut self, action: u8, now: Instant) -> Result<Outcome, Error> {
        let time = self.time(now);
        let known = action & !(DEMAND_RESET | SELF_READ) == 0 && action != 0;
        let Some(metrology) = self.metrology_mut().filter(|_| known) else {
            return Err(Error::Malformed("action"));
        };
        let mut done = 0;
        if action & SELF_READ != 0 {
            metrology.self_read(time);
            done |= SELF_READ;
        }
        if action & DEMAND_RESET != 0 && metrology.reset_demand(time) {
            done |= DEMAND_RESET;
        }
        let result = if done == action {
            ResultCode::Completed
        } else {
            ResultCode::TimingConstraint
        };
        Ok((result, vec![done]))
    }

    /// Sets date, time of day or both; tells the time before and after.
    fn set_date_time(
        &mut self,
        input: &mut Decoder<'_>,
        session: Session,
        context: &Context<'_>,
        now: Instant,
    ) -> Result<Outcome, Error> {
        let (mask, target, _) = (input.u8()?, input.date_time()?, input.u8()?);
        ends(input, ())?;
        let target = target
            .and_then(DateTime::to_utc)
            .ok_or(Error::Malformed("date"))?;
        let part = |set, of: u32| if mask & set != 0 { of } else { context.utc };
        let (date, time) = (part(SET_DATE, target), part(SET_TIME, target));
        let target = date - date % 86_400 + time % 86_400;
        let operator = session.is_privileged_as(Groups::MASTER);
        let result = if mask & (SET_DATE | SET_TIME) == 0 {
            ResultCode::InvalidParameter
        } else if self.set_clock(target, operator, (context.utc, now)) {
            ResultCode::Completed
        } else {
            ResultCode::TimingConstraint
        };
        let after = self.time(now).as_secs();
        let data = settings::octets_of(|out| {
            out.date_time(DateTime::from_utc(context.utc))?;
            out.date_time(DateTime::from_utc(after))
        })?;
        Ok((result, data))
    }

    /// Sets the clock; `false` if that is refused.
    pub(super) fn set_clock(
        &mut self,
        target: u32,
        operator: bool,
        (utc, now): (u32, Instant),
    ) -> bool {
        let uncorrected = self.uncorrected;
        if let Some(metrology) = self.metrology_mut() {
            let target = Utc::from_secs(target);
            let set = metrology.set_clock(target, operator, (uncorrected, now));
            if set == ClockSet::Refused {
                return false;
            }
        } else {
            let state = self.state();
            state.correction_s += i64::from(target) - i64::from(utc);
        }
        let octets = |utc| {
            let date = DateTime::from_utc(utc);
            settings::octets_of(|out| out.date_time(date)).unwrap_or_default()
        };
        self.record(utc, EventCode::TIME_OLD, &octets(utc));
        let after = self.time(now).as_secs();
        self.record(after, EventCode::TIME_NEW, &octets(after));
        self.schedule_activation(after, now);
        true
    }

    /// Makes the pending tables of an event valid, or all of them.
    fn activate(
        &mut self,
        event: Option<[u8; 6]>,
        context: &Context<'_>,
        now: Instant,
    ) -> ResultCode {
        let of_event = |pending: &Pending| event.is_none() || pending.event() == event;
        let taken = self.state().pending.take(of_event);
        if taken.is_empty() {
            return ResultCode::InvalidParameter;
        }
        let mut all = true;
        for pending in taken {
            all &= self.apply_pending(&pending, context.utc, now);
        }
        self.schedule_activation(context.utc, now);
        if all {
            ResultCode::Completed
        } else {
            ResultCode::Conflict
        }
    }

    /// Puts a complete pending table into force; `false` if the meter cannot work with it.
    pub(super) fn apply_pending(&mut self, pending: &Pending, utc: u32, now: Instant) -> bool {
        let Some(octets) = pending.octets() else {
            return false;
        };
        if self
            .apply(pending.table, octets, false, (utc, now))
            .is_err()
        {
            return false;
        }
        self.make_ready(pending.first(), now);
        self.state().pending.activated_utc = Some(utc);
        let table = pending.table.to_le_bytes();
        self.record(utc, EventCode::PENDING_ACTIVATED, &table);
        true
    }

    /// Reads the registers and resets the demand, if a pending table wants that first.
    fn make_ready(&mut self, (self_read, demand_reset): (bool, bool), now: Instant) {
        let time = self.time(now);
        if let Some(metrology) = self.metrology_mut() {
            if self_read {
                metrology.self_read(time);
            }
            if demand_reset {
                metrology.reset_demand(time);
            }
        }
    }

    /// Takes an order of demand response to a group that the meter is a member of.
    ///
    /// The key of the group is all the right that it takes. ST8 tells nothing of it: it was asked of
    /// the group, not of this meter.
    pub(in crate::meter) fn order_group(
        &mut self,
        config: &DeviceConfig,
        command: SwitchCommand,
        sequence: u8,
        (utc, now): (u32, Instant),
    ) -> ResultCode {
        let policy = &config.switch;
        let state = self.state();
        let answer = state
            .switch
            .order(policy, command, sequence, utc, now, Source::Network);
        self.report(&answer, utc);
        let session = Session::new(Mode::Encrypted);
        let procedure = switch::PROCEDURE.procedure();
        self.record_use(EventCode::PROCEDURE, procedure, answer.result, session, utc);
        answer.result
    }

    fn operate_switch(
        &mut self,
        initiate: &Initiate<'_>,
        source: Source,
        context: &Context<'_>,
        now: Instant,
    ) -> Result<Outcome, Error> {
        let command = SwitchCommand::parse(initiate.parameters)?;
        let state = self.state();
        let policy = &context.config.switch;
        let answer =
            state
                .switch
                .order(policy, command, initiate.sequence, context.utc, now, source);
        self.report(&answer, context.utc);
        Ok((answer.result, response_octets(&answer.response)))
    }

    /// Tells the host, the log and ST8 what has become of an order to the switch.
    pub(super) fn conclude(&mut self, answer: &SwitchAnswer, utc: u32) {
        // ST8 may speak of another order by now, which was refused while this one waited.
        let of = answer.steps[0].map(|(sequence, _)| sequence);
        if let Some(posted) = &mut self.state().posted
            && posted.procedure.procedure() == switch::PROCEDURE.procedure()
            && posted.result == ResultCode::Accepted
            && Some(posted.sequence) == of
        {
            posted.result = answer.result;
            posted.data = response_octets(&answer.response);
        }
        self.report(answer, utc);
    }
}

/// The response data of the procedure of the switch.
fn response_octets(response: &SwitchResponse) -> Vec<u8> {
    let octets = settings::octets_of(|out| out.small(|writer| response.emit(writer)));
    octets.unwrap_or_default()
}

fn only(result: ResultCode) -> Outcome {
    (result, Vec::new())
}

/// `value`, unless there are more parameters than the procedure has.
fn ends<T>(input: &Decoder<'_>, value: T) -> Result<T, Error> {
    if input.remaining() == 0 {
        Ok(value)
    } else {
        Err(Error::Malformed("parameters"))
    }
}
