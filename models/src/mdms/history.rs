//! What the system knows of one meter: five octets for each interval.

use firmware::meter::Interval;

use super::{MdmsPlan, Row};
use crate::time::{Duration, Time};

/// Seconds of a day: days are those of standard time.
pub(super) const DAY_S: i64 = 86_400;

/// Which interval is which, and which day it belongs to.
///
/// Times are seconds of virtual time. Meters with full metering have intervals that end by the
/// calendar, the others such that follow each other from the start of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    start_utc_s: i64,
    interval_s: i64,
    /// Where the first interval begins, at zero or before.
    origin_s: i64,
    zone_s: i64,
}

impl Calendar {
    /// The calendar of a run that starts at `start_utc_s`.
    pub fn new(start_utc_s: u64, interval: Duration, by_calendar: bool, zone_s: i64) -> Self {
        let start_utc_s = start_utc_s as i64;
        let interval_s = (interval.as_secs() as i64).max(1);
        Self {
            start_utc_s,
            interval_s,
            origin_s: if by_calendar {
                -(start_utc_s % interval_s)
            } else {
                0
            },
            zone_s,
        }
    }

    /// Length of an interval in seconds.
    pub const fn interval_s(&self) -> i64 {
        self.interval_s
    }

    /// Intervals of a day.
    pub const fn per_day(&self) -> usize {
        (DAY_S / self.interval_s) as usize
    }

    /// The interval that ends at `end_utc_s`, if one does that before `end`, the end of the run.
    pub(super) fn slot(&self, end_utc_s: u32, end: Time) -> Option<u32> {
        let end_s = i64::from(end_utc_s) - self.start_utc_s;
        let since = end_s - self.origin_s;
        let exists = since > 0 && since % self.interval_s == 0 && end_s <= end.as_secs() as i64;
        exists.then(|| (since / self.interval_s - 1) as u32)
    }

    /// When interval `slot` ends.
    pub(super) const fn end_s(&self, slot: usize) -> i64 {
        self.origin_s + (slot as i64 + 1) * self.interval_s
    }

    /// How many intervals end by `second`.
    pub(super) const fn ended_by(&self, second: i64) -> usize {
        let ended = (second - self.origin_s) / self.interval_s;
        if ended > 0 { ended as usize } else { 0 }
    }

    /// Days from 1970 to the day that `second` belongs to, midnight being the end of a day.
    const fn date(&self, second: i64) -> i64 {
        (self.start_utc_s + second - 1 + self.zone_s).div_euclid(DAY_S)
    }

    /// Number of the day that `second` belongs to, that of the first one being 0.
    pub(super) const fn day(&self, second: i64) -> u32 {
        let first = (self.start_utc_s + self.zone_s).div_euclid(DAY_S);
        let day = self.date(second) - first;
        if day > 0 { day as u32 } else { 0 }
    }

    /// When day `day` begins.
    pub(super) const fn day_start_s(&self, day: u32) -> i64 {
        let into = (self.start_utc_s + self.zone_s).rem_euclid(DAY_S);
        day as i64 * DAY_S - into
    }

    /// The day of the week of an interval, Sunday being 0.
    pub(super) const fn weekday(&self, slot: usize) -> u8 {
        // 1970 began on a Thursday.
        (self.date(self.end_s(slot)) + 4).rem_euclid(7) as u8
    }
}

/// What became of an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Nothing has come.
    #[default]
    Missing,
    /// It came in time.
    OnTime,
    /// It came after its deadline.
    Late,
    /// It came when it had been estimated already, and replaced the estimate.
    Replacing,
    /// The meter has said that it measured nothing.
    Unmeasured,
}

impl State {
    /// Whether there is an energy from the meter.
    pub const fn is_received(self) -> bool {
        matches!(self, Self::OnTime | Self::Late | Self::Replacing)
    }
}

/// What is counted per day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct DayCounts {
    pub(super) duplicates: u32,
    /// Rows that the loader had no room for.
    pub(super) dropped: u32,
    /// Longest time from the head-end into the database.
    pub(super) lag_max: Duration,
    /// Intervals that nobody can place.
    pub(super) misplaced: u32,
}

/// The history of a meter.
#[derive(Clone, Debug)]
pub struct History {
    calendar: Calendar,
    /// Energy in the low three octets, the status of the meter in the high one.
    values: Vec<u32>,
    states: Vec<State>,
    days: Vec<DayCounts>,
    /// Readings of the register of delivered energy, in order.
    readings: Vec<(Time, u64)>,
}

const ENERGY: u32 = 0x00FF_FFFF;

impl History {
    /// An empty history.
    pub fn new(calendar: Calendar) -> Self {
        Self {
            calendar,
            values: Vec::new(),
            states: Vec::new(),
            days: Vec::new(),
            readings: Vec::new(),
        }
    }

    /// Its calendar.
    pub const fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// What became of interval `slot`.
    pub fn state(&self, slot: usize) -> State {
        self.states.get(slot).copied().unwrap_or_default()
    }

    /// The energy of interval `slot`, in Wh, if the meter has told it.
    pub fn energy(&self, slot: usize) -> Option<u32> {
        let value = self.values.get(slot)?;
        self.state(slot).is_received().then_some(value & ENERGY)
    }

    /// The status of interval `slot`, as the meter told it.
    pub(super) fn status(&self, slot: usize) -> u8 {
        self.values.get(slot).map_or(0, |value| (value >> 24) as u8)
    }

    pub(super) fn day_counts(&self, day: u32) -> DayCounts {
        self.days.get(day as usize).copied().unwrap_or_default()
    }

    pub(super) fn readings(&self) -> &[(Time, u64)] {
        &self.readings
    }

    /// Takes a row that is there since `stored`.
    pub(super) fn store(&mut self, plan: &MdmsPlan, row: &Row, stored: Time) {
        let slot = row.slot as usize;
        if slot >= self.states.len() {
            // A day at a time.
            let len = (slot / 96 + 1) * 96;
            self.states.resize(len, State::Missing);
            self.values.resize(len, 0);
        }
        let end = Time::from_secs(self.calendar.end_s(slot).max(0) as u64);
        let after = stored.saturating_since(end);
        let lag = stored.saturating_since(row.arrived);
        let day = self.day_of(slot);
        day.lag_max = day.lag_max.max(lag);
        if self.states[slot] != State::Missing {
            self.day_of(slot).duplicates += 1;
            return;
        }
        let Interval {
            watt_hours, status, ..
        } = row.interval;
        self.values[slot] = watt_hours.min(ENERGY) | u32::from(status) << 24;
        self.states[slot] = if !row.interval.is_measured() {
            State::Unmeasured
        } else if after > plan.rules.estimate_after {
            State::Replacing
        } else if after > plan.deadline {
            State::Late
        } else {
            State::OnTime
        };
    }

    /// The loader had no room for interval `slot`.
    pub(super) fn lose(&mut self, slot: u32) {
        self.day_of(slot as usize).dropped += 1;
    }

    /// An interval came at `now` that no interval of the run is.
    pub(super) fn misplace(&mut self, now: Time) {
        let day = self.calendar.day(now.as_secs() as i64);
        self.counts(day).misplaced += 1;
    }

    pub(super) fn read_register(&mut self, now: Time, watt_hours: u64) {
        self.readings.push((now, watt_hours));
    }

    fn day_of(&mut self, slot: usize) -> &mut DayCounts {
        let day = self.calendar.day(self.calendar.end_s(slot));
        self.counts(day)
    }

    fn counts(&mut self, day: u32) -> &mut DayCounts {
        let day = day as usize;
        if day >= self.days.len() {
            self.days.resize(day + 1, DayCounts::default());
        }
        &mut self.days[day]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-07, a Saturday, 07:10 UTC.
    const START: u64 = 1_772_867_400;

    #[test]
    fn days_end_at_midnight_of_the_zone() {
        let calendar = Calendar::new(START, Duration::from_secs(900), true, -7 * 3_600);
        // It is 00:10 there, so the first interval began ten minutes ago.
        let end = Time::from_secs(3 * 86_400);
        assert_eq!(calendar.slot(START as u32 + 300, end), Some(0));
        assert_eq!(calendar.slot(START as u32 + 301, end), None);
        assert_eq!(calendar.slot(START as u32 - 600, end), None);
        assert_eq!(calendar.slot(START as u32 + 3 * 86_400 + 300, end), None);
        assert_eq!((calendar.end_s(0), calendar.end_s(95)), (300, 85_800));
        let days = [0, 95, 96].map(|slot| calendar.day(calendar.end_s(slot)));
        assert_eq!(
            days,
            [0, 0, 1],
            "the interval that ends at midnight is the last"
        );
        assert_eq!(calendar.day_start_s(0), -600);
        assert_eq!((calendar.weekday(95), calendar.weekday(96)), (6, 0));
        assert_eq!(calendar.ended_by(299), 0);
        assert_eq!(calendar.ended_by(1_200), 2);
    }

    #[test]
    fn intervals_follow_each_other_from_the_start_where_there_is_no_calendar() {
        let calendar = Calendar::new(START, Duration::from_secs(900), false, 0);
        let end = Time::from_secs(86_400);
        assert_eq!(calendar.slot(START as u32 + 900, end), Some(0));
        assert_eq!(calendar.slot(START as u32 + 300, end), None);
        assert_eq!(calendar.end_s(0), 900);
    }
}
