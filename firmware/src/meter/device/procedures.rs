//! Procedures: what a write of ST7 does (C12.19-2008 §9.1.8).
//!
//! | procedure | what it does |
//! |---|---|
//! | 2 save configuration | nothing: every write is kept through a loss of power |
//! | 3 clear data | empties the logs |
//! | 4 reset list pointers | empties list 1 (event log), 7 (history log) or 255 (all) |
//! | 5 update last read entry | acknowledges the oldest unread entries of a list |
//! | 6 change mode | completes for the mode of metering alone |
//! | 7, 8 clear status | clears the bits of ST3 that it names; there is no manufacturer status |
//! | 12 to 15 pending tables | activates or forgets all, or those of an event |
//! | manufacturer 0 | the service switch |
//!
//! Procedures 18 and 19, log in and out, are not offered: the Security service does the same, and
//! its wrong passwords are counted. Lists 7 and 255 are known from general knowledge alone.

use alloc::vec::Vec;

use super::tables::{Context, METERING};
use super::{Device, Pending, Posted, Session, SwitchAnswer, settings};
use crate::c1219::Format;
use crate::c1219::access::Permissions;
use crate::c1219::codec::Decoder;
use crate::c1219::log::EventCode;
use crate::c1219::procedure::{Initiate, ResultCode};
use crate::c1219::switch::{self, SwitchCommand, SwitchResponse};
use crate::meter::switch::Source;
use crate::time::Instant;
use crate::wire::Error;

/// Selector of a procedure that wants no response.
const NEVER: u8 = 2;
/// LIST of the event log.
const LIST_EVENTS: u8 = 1;
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
        let known = procedure == switch::PROCEDURE.procedure()
            || super::tables::PROCEDURES.contains(&procedure);
        if !known {
            return only(ResultCode::Unrecognized);
        }
        let rule = self.permission(Permissions::of_procedure(procedure));
        if !rule.is_some_and(|rule| rule.may_write(session.groups)) {
            return only(ResultCode::NoAuthorization);
        }
        let mut input = Decoder::new(initiate.parameters, &Format::PROFILE);
        let outcome = if initiate.procedure.is_manufacturer() {
            self.operate_switch(initiate, session.source, context, now)
        } else {
            self.run_standard(procedure, &mut input, context)
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
        context: &Context<'_>,
    ) -> Result<Outcome, Error> {
        let result = match procedure {
            2 | 8 => ends(input, ResultCode::Completed)?,
            3 => {
                let result = ends(input, ResultCode::Completed)?;
                let state = self.state();
                state.history.reset();
                state.log.reset();
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
                self.acknowledge(list, entries)
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
            12 => {
                ends(input, ())?;
                self.activate(None, context)
            }
            13 => {
                let event = input.array()?;
                ends(input, ())?;
                self.activate(Some(event), context)
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

    fn acknowledge(&mut self, list: u8, entries: u16) -> ResultCode {
        let state = self.state();
        let done = match list {
            LIST_EVENTS => state.log.acknowledge(entries),
            LIST_HISTORY => state.history.acknowledge(entries),
            _ => false,
        };
        if done {
            ResultCode::Completed
        } else {
            ResultCode::InvalidParameter
        }
    }

    /// Makes the pending tables of an event valid, or all of them.
    fn activate(&mut self, event: Option<[u8; 6]>, context: &Context<'_>) -> ResultCode {
        let of_event = |pending: &Pending| event.is_none() || pending.event() == event;
        let taken = self.state().pending.take(of_event);
        if taken.is_empty() {
            return ResultCode::InvalidParameter;
        }
        let mut all = true;
        for pending in taken {
            all &= self.apply_pending(&pending, context.utc);
        }
        if all {
            ResultCode::Completed
        } else {
            ResultCode::Conflict
        }
    }

    /// Puts a complete pending table into force; `false` if the meter cannot work with it.
    pub(super) fn apply_pending(&mut self, pending: &Pending, utc: u32) -> bool {
        let Some(octets) = pending.octets() else {
            return false;
        };
        if settings::check(pending.table, octets).is_err() {
            return false;
        }
        let state = self.state();
        state.settings.set(pending.table, octets);
        state.pending.activated_utc = Some(utc);
        let table = pending.table.to_le_bytes();
        self.record(utc, EventCode::PENDING_ACTIVATED, &table);
        true
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
