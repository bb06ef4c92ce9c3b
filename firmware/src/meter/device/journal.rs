//! Logs: what happens to the meter, and who does what with its tables.
//!
//! | event | argument in ST76 |
//! |---|---|
//! | 1, 2 power down, up | - , seconds without power (4) |
//! | 3, 4 time changed | the old, the new time (6) |
//! | 14, 15 list pointers reset, updated | the list |
//! | 20, 21 demand reset, self read | their number |
//! | 22, 23 daylight saving time on, off | - |
//! | 24, 27 season change, tier switch | the season, the tier |
//! | 28 pending table activated | its number (2) |
//! | 36 reprogrammed: the tariff calendar | - |
//! | 49 control point: the switch has moved | state, source, sequence number |
//! | manufacturer 0, 1 wrong password, lock-out | the user (2) |
//!
//! ST74 has events 9 and 10, procedures and table writes, with their user, their number and the
//! result. ST73 and ST75 choose; tiers are not logged unless ST75 says so.

use super::ring::{Entry, Ring};
use super::{Device, Session, SwitchAnswer, SwitchEvent, factory};
use crate::c1219::log::{EventCode, EventsId};
use crate::c1219::procedure::ResultCode;
use crate::c1219::types::contains;
use crate::meter::switch::SwitchStep;
use crate::metrology::{self, EventKind};

/// ED_STD_STATUS1: power has failed.
const POWER_FAILURE: u16 = 1 << 11;
/// Code of the manufacturer's event that a password was wrong; its argument is the user.
pub(super) const WRONG_PASSWORD: EventCode = EventCode(0x0800);
/// Code of the manufacturer's event that too many were; its argument is the user.
const LOCK_OUT: EventCode = EventCode(0x0801);

/// The history log.
pub(super) type History = Ring<{ factory::HISTORY_ARGUMENT }, { factory::HISTORY_ENTRIES }>;
/// The event log.
pub(super) type EventLog = Ring<{ factory::EVENT_ARGUMENT }, { factory::EVENT_ENTRIES }>;

impl Device {
    /// Takes note that power is lost.
    pub(in crate::meter) fn power_down(&mut self, utc: u32) {
        let state = self.state();
        state.status1 |= POWER_FAILURE;
        state.down_utc = Some(utc);
        self.record(utc, EventCode::POWER_DOWN, &[]);
    }

    /// Takes note that the firmware has started, if power had been lost before.
    pub(in crate::meter) fn power_up(&mut self, utc: u32) {
        let down = self.state.as_mut().and_then(|state| state.down_utc.take());
        if let Some(down) = down {
            let outage_s = utc.saturating_sub(down).to_le_bytes();
            self.record(utc, EventCode::POWER_UP, &outage_s);
        }
    }

    /// Takes note of what has happened in the measuring part.
    ///
    /// Power and the setting of the clock are recorded where they come about.
    pub(in crate::meter) fn note_metrology(&mut self, event: &metrology::Event) {
        let utc = event.utc_s;
        match &event.kind {
            EventKind::DemandReset(before) => {
                let number = before.demand_resets.wrapping_add(1);
                self.record(utc, EventCode::DEMAND_RESET, &[number]);
            }
            EventKind::SelfRead { sequence } => {
                self.record(utc, EventCode::SELF_READ, &sequence.to_le_bytes());
            }
            EventKind::Dst(true) => self.record(utc, EventCode::DST_ON, &[]),
            EventKind::Dst(false) => self.record(utc, EventCode::DST_OFF, &[]),
            EventKind::Season(season) => self.record(utc, EventCode::SEASON_CHANGE, &[*season]),
            EventKind::Tier(tier) => self.record(utc, EventCode::TIER_SWITCH, &[*tier]),
            EventKind::CalendarChanged => self.record(utc, EventCode::REPROGRAMMED, &[]),
            EventKind::Interval(_)
            | EventKind::PowerDown
            | EventKind::PowerUp { .. }
            | EventKind::ClockStepped { .. }
            | EventKind::DayEnded(_)
            | EventKind::LimitExceeded => {}
        }
    }

    /// Takes note that wrong passwords have locked the optical port.
    pub(in crate::meter) fn note_lock_out(&mut self, session: Session, utc: u32) {
        self.record(utc, LOCK_OUT, &session.user.to_le_bytes());
    }

    /// Tells the host and the log what has become of an order to the switch.
    pub(super) fn report(&mut self, answer: &SwitchAnswer, utc: u32) {
        // What is taken back comes before what takes it back.
        let steps = answer.steps.into_iter().rev().flatten();
        let state = self.state();
        state
            .events
            .extend(steps.map(|(sequence, step)| SwitchEvent { sequence, step }));
        let table = state.switch.table();
        let takes_effect = |(_, step)| {
            matches!(
                step,
                SwitchStep::Done { moved: true, .. }
                    | SwitchStep::Limited(_)
                    | SwitchStep::Lifted(_)
            )
        };
        if answer.steps.into_iter().flatten().any(takes_effect) {
            let argument = [table.state.into(), table.last_source, table.last_sequence];
            self.record(utc, EventCode::CONTROL_POINT, &argument);
        }
    }

    /// Enters an event into the event log, if ST75 wants it.
    pub(super) fn record(&mut self, utc: u32, event: EventCode, argument: &[u8]) {
        let own = self.state.as_ref();
        let own = own.and_then(|state| state.settings.get(75));
        let chosen = match own.map(factory::parsed_control) {
            Some(control) => control.is_some_and(|control| wants(&control.events, event)),
            None => event != EventCode::TIER_SWITCH,
        };
        if chosen {
            let state = self.state();
            let mut octets = [0; factory::EVENT_ARGUMENT];
            for (target, octet) in octets.iter_mut().zip(argument) {
                *target = *octet;
            }
            state.log.push(Entry {
                utc,
                event,
                user: 0,
                code: 0,
                argument: octets,
            });
        }
    }

    /// Enters the use of a table or procedure into the history log, if ST73 wants it.
    pub(super) fn record_use(
        &mut self,
        event: EventCode,
        code: u16,
        result: ResultCode,
        session: Session,
        utc: u32,
    ) {
        let state = self.state();
        let chosen = state.settings.get(73).is_none_or(|octets| {
            factory::parsed_control(octets).is_some_and(|control| {
                let procedures = [control.standard_procedures, control.manufacturer_procedures];
                let tables = [control.standard_tables, control.manufacturer_tables];
                let [standard, manufacturer] = if event == EventCode::PROCEDURE {
                    procedures
                } else {
                    tables
                };
                let set = if code & 0x0800 != 0 {
                    manufacturer
                } else {
                    standard
                };
                wants(&control.events, event) && contains(set, code & 0x07FF)
            })
        });
        if chosen {
            state.history.push(Entry {
                utc,
                event,
                user: session.user,
                code,
                argument: [result.into(), 0],
            });
        }
    }
}

/// Whether an event is in the SETs of a log control.
fn wants(events: &EventsId<'_>, event: EventCode) -> bool {
    if event.0 & 0x0800 != 0 {
        contains(events.manufacturer, event.0 & 0x07FF)
    } else {
        contains(events.standard, event.0)
    }
}
