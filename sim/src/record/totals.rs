//! What is added up per meter over the whole run.

use models::telemetry::{AuthRecord, Milestone, ReadRecord};
use models::time::{Duration, Time};
use reports::label;

/// The totals of one meter.
#[derive(Clone, Debug, Default)]
pub(super) struct MeterTotals {
    /// First power.
    pub(super) powered: Option<Time>,
    /// First key.
    pub(super) joined: Option<Time>,
    /// Interruptions of the power that have ended.
    pub(super) interruptions: u32,
    /// Latest return of the power.
    pub(super) returned: Option<Time>,
    /// First open session since then.
    pub(super) rejoined: Option<Time>,
    /// First delivered read since then.
    pub(super) reading: Option<Time>,
    /// Authentications that opened a session.
    pub(super) initial: u32,
    /// Authentications that prolonged a session.
    pub(super) repeated: u32,
    /// Authentications that failed.
    pub(super) failed: u32,
    /// Keys that have ended.
    pub(super) keys: u32,
    /// Intervals that fell due.
    pub(super) due: u32,
    /// Intervals that were delivered.
    pub(super) delivered: u32,
    /// The newest interval that was delivered.
    newest: u32,
    /// Interval and energy of the reads that are due and not delivered.
    pending: Vec<(u32, u32)>,
}

impl MeterTotals {
    pub(super) fn authenticate(&mut self, record: &AuthRecord) {
        let count = match (record.outcome, record.reauthentication) {
            (label::SUCCESS, false) => &mut self.initial,
            (label::SUCCESS, true) => &mut self.repeated,
            _ => &mut self.failed,
        };
        *count += 1;
    }

    /// Notes what the meter has reached at `time`.
    pub(super) fn reach(&mut self, milestone: Milestone, time: Time) {
        match milestone {
            Milestone::Powered => self.powered = Some(time),
            Milestone::Joined => self.joined = Some(time),
            Milestone::Returned => {
                self.interruptions += 1;
                self.returned = Some(time);
                (self.rejoined, self.reading) = (None, None);
            }
            Milestone::Rejoined => self.rejoined = Some(time),
        }
    }

    pub(super) fn fall_due(&mut self, read: &ReadRecord) {
        self.due += 1;
        self.pending.push((read.interval, read.watt_hours));
    }

    /// Counts a delivery; false if the read was delivered before.
    pub(super) fn deliver(&mut self, read: &ReadRecord) -> bool {
        let is = |(interval, _): &(u32, u32)| *interval == read.interval;
        let Some(place) = self.pending.iter().position(is) else {
            return false;
        };
        self.pending.swap_remove(place);
        self.delivered += 1;
        if self.reading.is_none() && self.returned.is_some() && read.delivered >= self.returned {
            self.reading = read.delivered;
        }
        true
    }

    /// Counts a delivery by a meter of which nothing else is known; false if it is old.
    pub(super) fn deliver_unannounced(&mut self, read: &ReadRecord) -> bool {
        let is_new = read.interval > self.newest;
        self.newest = self.newest.max(read.interval);
        self.delivered += u32::from(is_new);
        is_new
    }

    /// The reads that were never delivered.
    pub(super) fn missing(
        &self,
        meter: u32,
        length: Duration,
    ) -> impl Iterator<Item = ReadRecord> + '_ {
        self.pending
            .iter()
            .map(move |&(interval, watt_hours)| ReadRecord {
                meter,
                interval,
                due: Time(length.as_nanos() * u64::from(interval)),
                delivered: None,
                watt_hours,
            })
    }
}
