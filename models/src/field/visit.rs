//! Who is at the port of one meter now, and the light between them.

use super::plan::Visit;
use super::visitor::Visitor;
use super::wire::Wire;
use crate::alarm::AlarmClock;
use crate::fleet::Fleet;
use crate::rng::{Purpose, Stream};
use crate::telemetry::OpticalRecord;
use crate::time::Time;

/// What is known of the visits to one meter.
#[derive(Debug)]
pub struct Attendance {
    /// Visits that have begun.
    pub(super) begun: usize,
    pub(super) present: Option<Present>,
    pub(super) to_meter: Wire,
    pub(super) to_visitor: Wire,
    /// What is damaged on the way.
    pub(super) errors: Stream,
    pub(super) alarm: AlarmClock,
}

/// A visitor who is there.
#[derive(Debug)]
pub(super) struct Present {
    pub(super) visit: Visit,
    /// The place of the visit among those of the meter.
    pub(super) index: usize,
    pub(super) visitor: Visitor,
    /// His session, while there is one.
    pub(super) session: Option<OpticalRecord>,
}

impl Attendance {
    /// Before the first visit to `meter`, if there is to be one.
    pub(crate) fn new(fleet: &Fleet, meter: u32) -> Option<Self> {
        if fleet.visits.of(meter).is_empty() {
            return None;
        }
        Some(Self {
            begun: 0,
            present: None,
            to_meter: Wire::default(),
            to_visitor: Wire::default(),
            errors: Stream::new(fleet.seed, meter, Purpose::OpticalLine),
            alarm: AlarmClock::default(),
        })
    }

    /// When the event of the first visit has to be posted, before `end`.
    pub(crate) fn first(&mut self, fleet: &Fleet, meter: u32, end: Time) -> Option<Time> {
        let first = fleet.visits.of(meter).first()?;
        let deadline = firmware::Instant::from_nanos(first.from.as_nanos());
        self.alarm.set(Some(deadline), |at| Time(at.as_nanos()));
        self.alarm.arm(fleet.begin, end).filter(|time| *time < end)
    }

    /// When something is due.
    pub(super) fn next(&self, visits: &[Visit]) -> Time {
        let arrival = visits.get(self.begun);
        let arrival = arrival.map_or(Time::FAR_FUTURE, |visit| visit.from);
        let present = self.present.as_ref().map_or(Time::FAR_FUTURE, |present| {
            present.visitor.next().min(present.visit.until)
        });
        let wires = self.to_meter.next().min(self.to_visitor.next());
        arrival.min(present).min(wires)
    }

    /// Closes the session that is under way at `now`.
    pub(super) fn close(&mut self, outcome: &'static str, now: Time) -> Option<OpticalRecord> {
        let present = self.present.as_mut()?;
        let figures = present.visitor.take_figures();
        let mut record = present.session.take()?;
        let up = std::mem::take(&mut self.to_visitor.count);
        let down = std::mem::take(&mut self.to_meter.count);
        record.end = now;
        record.outcome = outcome;
        record.bits_per_s = figures.baud;
        record.requests = figures.requests;
        record.refused = figures.refused;
        record.tables_read = figures.tables_read;
        record.octets_read = figures.octets_read;
        record.tables_written = figures.tables_written;
        record.tables_verified = figures.verified;
        record.procedures = figures.procedures;
        record.passwords = figures.passwords;
        record.discarded = figures.discarded;
        record.packets = up.packets + down.packets;
        record.octets_to_meter = down.octets;
        record.octets_from_meter = up.octets;
        record.naks = up.naks + down.naks;
        record.repetitions = up.repetitions + down.repetitions;
        record.damaged = up.damaged + down.damaged;
        Some(record)
    }

    /// The session that is under way when the run ends at `now`.
    pub fn unfinished(&mut self, now: Time) -> Option<OpticalRecord> {
        self.close("unfinished", now)
    }
}
