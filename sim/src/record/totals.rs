//! What is added up per meter over the whole run.

use models::telemetry::{AuthRecord, ReadRecord};
use models::time::{Duration, Time};
use reports::label;

/// The totals of one meter.
#[derive(Clone, Debug, Default)]
pub(super) struct MeterTotals {
    /// First power.
    pub(super) powered: Option<Time>,
    /// First key.
    pub(super) joined: Option<Time>,
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
        true
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
