//! Demand response: what the meter asks the home to do, from when, and until when.
//!
//! ```text
//!           limit                 start                   end, release
//!   idle ----------> scheduled ----------> limited --------------------> over
//!                       |  opt-out, release   | opt-out, another event
//!                       +---------------------+------------------------> over
//! ```
//!
//! The meter measures and tells; thermostats, chargers and the energy manager of the home act. The
//! random window of an order moves beginning and end alike, so that neither comes at once for all.
//! The event at hand is in non-volatile memory: what falls due without power is done when power
//! returns, and what is over by then does not begin.

use super::switch::Refusal;
use crate::c1219::switch::{Limit, SwitchTable};
use crate::c1219::types::DateTime;
use crate::time::{Duration, Instant};

/// Time from an order to the earliest beginning: the home is told within it.
const NOTICE: Duration = Duration::from_millis(50);
/// A level of 100 % is no limit.
const LEVEL_MAX: u8 = 100;

/// Why a limit is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lift {
    /// Its duration has passed.
    Elapsed,
    /// The head-end has released it.
    Released,
    /// The household has opted out.
    OptedOut,
    /// Another event has taken its place.
    Superseded,
}

impl Lift {
    /// The cause in snake case, for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Elapsed => "elapsed",
            Self::Released => "released",
            Self::OptedOut => "opted_out",
            Self::Superseded => "superseded",
        }
    }
}

/// What an order or the time did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// An event is scheduled or released at this time and second.
    Scheduled(Instant, u32),
    /// A limit begins.
    Begun(Limit),
    /// A limit ends.
    Ended(Lift),
    /// There is nothing left to do for the order.
    Idle,
}

/// A change and the sequence number of the order that it belongs to.
pub(super) type Changed = (u8, Change);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Scheduled,
    Limited,
    Over,
}

#[derive(Clone, Copy, Debug)]
struct Event {
    limit: Limit,
    sequence: u8,
    phase: Phase,
    start: Instant,
    start_utc: u32,
    end: Instant,
    /// SEQ_NBR of the release that has set the end.
    released_by: Option<u8>,
}

/// The event at hand, or the one before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Curtailment {
    event: Option<Event>,
    opted_out: bool,
}

impl Curtailment {
    /// No event.
    pub(super) const NONE: Self = Self {
        event: None,
        opted_out: false,
    };

    /// The terms of the event at hand.
    pub(super) fn terms(&self) -> Limit {
        self.event.map_or(Limit::default(), |event| event.limit)
    }

    /// Takes the order to limit; `draw` places it in its window.
    ///
    /// Returns what it leads to and what becomes of the event before it.
    pub(super) fn limit(
        &mut self,
        (limit, window_s): (Limit, u16),
        sequence: u8,
        (utc, now): (u32, Instant),
        draw: u64,
    ) -> Result<(Change, Option<Changed>), Refusal> {
        if limit.level_percent >= LEVEL_MAX || limit.duration_min == 0 {
            return Err(Refusal::Terms);
        }
        let known = self.event.filter(|event| event.limit == limit);
        let same = |event: &Event| event.limit.event_id == limit.event_id;
        if self.opted_out && self.event.as_ref().is_some_and(same) {
            return Err(Refusal::OptedOut);
        }
        let start_utc = limit.start.and_then(DateTime::to_utc).unwrap_or(utc);
        let wait = Duration::from_secs(u64::from(start_utc.saturating_sub(utc)));
        let late = Duration::from_secs(u64::from(utc.saturating_sub(start_utc)));
        let length = Duration::from_secs(60 * u64::from(limit.duration_min));
        if late >= length {
            return Err(Refusal::Late);
        }
        // The same event again does not buy another draw.
        if let Some(event) = known.filter(|event| event.phase != Phase::Over) {
            self.event = Some(Event { sequence, ..event });
            let change = match event.phase {
                Phase::Scheduled => Change::Scheduled(event.start, event.start_utc),
                Phase::Limited | Phase::Over => Change::Idle,
            };
            return Ok((change, None));
        }
        let offset = wait + within(window_s, draw);
        let start = now + offset.max(NOTICE);
        let before = self.event.and_then(|event| event.lifted(Lift::Superseded));
        self.opted_out = false;
        let start_utc = utc.saturating_add(seconds(start.saturating_since(now)));
        self.event = Some(Event {
            limit,
            sequence,
            phase: Phase::Scheduled,
            start,
            start_utc,
            end: now + offset + length.saturating_sub(late),
            released_by: None,
        });
        Ok((Change::Scheduled(start, start_utc), before))
    }

    /// Takes the order to release an event; returns the same as [`Curtailment::limit`].
    pub(super) fn release(
        &mut self,
        (limit, window_s): (Limit, u16),
        sequence: u8,
        (utc, now): (u32, Instant),
        draw: u64,
    ) -> (Change, Option<Changed>) {
        let named = |event: &&mut Event| {
            event.phase != Phase::Over
                && (limit.event_id == 0 || limit.event_id == event.limit.event_id)
        };
        let Some(event) = self.event.as_mut().filter(named) else {
            return (Change::Idle, None);
        };
        let offset = within(window_s, draw);
        if event.phase == Phase::Scheduled || offset.is_zero() {
            let before = event.lifted(Lift::Released);
            event.phase = Phase::Over;
            return (Change::Idle, before);
        }
        event.end = event.end.min(now + offset);
        event.released_by = Some(sequence);
        let end_utc = utc.saturating_add(seconds(event.end.saturating_since(now)));
        (Change::Scheduled(event.end, end_utc), None)
    }

    /// The household opts out of the event at hand; `None` if there is none.
    pub(super) fn opt_out(&mut self, event_id: u32) -> Option<Changed> {
        let named =
            |event: &&mut Event| event.phase != Phase::Over && event.limit.event_id == event_id;
        let event = self.event.as_mut().filter(named)?;
        self.opted_out = true;
        let lifted = event.lifted(Lift::OptedOut);
        event.phase = Phase::Over;
        lifted
    }

    /// Begins or ends the event if that is due; a change of the order `sequence`, and another.
    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
    ) -> Option<(u8, Result<Change, Refusal>, Option<Changed>)> {
        let due = self.poll_timeout().is_some_and(|due| due <= now);
        let event = self.event.as_mut().filter(|_| due)?;
        if event.phase == Phase::Scheduled {
            if event.end <= now {
                event.phase = Phase::Over;
                return Some((event.sequence, Err(Refusal::Late), None));
            }
            event.phase = Phase::Limited;
            return Some((event.sequence, Ok(Change::Begun(event.limit)), None));
        }
        event.phase = Phase::Over;
        let ended = match event.released_by {
            Some(by) => {
                let ended = (event.sequence, Change::Ended(Lift::Released));
                (by, Ok(Change::Idle), Some(ended))
            }
            None => (event.sequence, Ok(Change::Ended(Lift::Elapsed)), None),
        };
        Some(ended)
    }

    /// When the event begins or ends.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.event.and_then(|event| match event.phase {
            Phase::Scheduled => Some(event.start),
            Phase::Limited => Some(event.end),
            Phase::Over => None,
        })
    }

    /// Fills in what MT0 says of demand response.
    pub(super) fn describe(&self, table: &mut SwitchTable) {
        let Some(event) = &self.event else {
            return;
        };
        table.event_id = event.limit.event_id;
        if event.phase == Phase::Limited {
            table.level_percent = event.limit.level_percent;
        }
        table.start = DateTime::from_utc(event.start_utc);
        table.duration_min = event.limit.duration_min;
        table.opted_out = u8::from(self.opted_out);
    }
}

impl Event {
    /// That the event is over, unless it is already.
    fn lifted(&self, lift: Lift) -> Option<Changed> {
        (self.phase != Phase::Over).then_some((self.sequence, Change::Ended(lift)))
    }
}

/// A place in a window, by a uniform draw of 64 bits.
fn within(window_s: u16, draw: u64) -> Duration {
    let width = u128::from(window_s) * 1_000_000_000;
    Duration::from_nanos(((width * u128::from(draw)) >> 64) as u64)
}

/// Whole seconds, rounded up.
fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_nanos().div_ceil(1_000_000_000)).unwrap_or(u32::MAX)
}
