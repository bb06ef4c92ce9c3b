//! Validation, estimation and editing (VEE) of what is stored, day by day.
//!
//! A gap is estimated by the first rule that applies:
//!
//! 1. The intervals before and after it say that the power failed: nothing was used.
//! 2. It is short: a straight line between the intervals before and after it.
//! 3. The mean of the same time of day on the same day of the week; without one, on the same kind
//!    of day (working day or weekend); without one, on any day.
//! 4. A straight line, however long it is. Without an interval on both sides it stays open.
//!
//! A reading of the registers lies between two intervals or within one. Between two readings, the
//! registers must have advanced by no less than all intervals that lie between them for certain,
//! and by no more than all intervals that may.

use firmware::metrology::{Code, Flags};

use super::MdmsPlan;
use super::history::{Calendar, History, State};
use crate::time::{Duration, Time};

/// By how much the time of a reading is uncertain: the wait for its response, and clocks.
const READING_S: i64 = 30;

/// The rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long after its end an interval that has not come is estimated.
    pub estimate_after: Duration,
    /// Longest gap that a straight line fills if there is a profile.
    pub interpolate: Duration,
    /// By how much intervals may miss the registers, in Wh.
    pub tolerance_wh: u64,
}

impl Default for Rules {
    /// Estimates after a day, straight lines over two hours, 2 Wh.
    fn default() -> Self {
        Self {
            estimate_after: Duration::from_secs(86_400),
            interpolate: Duration::from_secs(7_200),
            tolerance_wh: 2,
        }
    }
}

/// What the comparison with the registers says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Validation {
    /// No two readings with all intervals between them.
    #[default]
    Unchecked,
    /// Intervals and registers agree.
    Pass,
    /// They do not.
    Fail,
}

impl Validation {
    /// The name in the results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unchecked => "unchecked",
            Self::Pass => "pass",
            Self::Fail => "fail",
        }
    }
}

/// A day of a meter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayRecord {
    /// Number of the day, the first one being 0.
    pub day: u32,
    /// When it begins, in nanoseconds of virtual time; the first one may have begun before.
    pub start_ns: i64,
    /// Intervals that end on the day within the run.
    pub expected: u32,
    /// Intervals that came in time.
    pub on_time: u32,
    /// Intervals that came later.
    pub late: u32,
    /// Of these, intervals that replaced an estimate.
    pub replaced: u32,
    /// Intervals in which the meter measured nothing, as it says.
    pub unmeasured: u32,
    /// Intervals that never came.
    pub missing: u32,
    /// Gaps that they form.
    pub gaps: u32,
    /// Intervals of the longest gap.
    pub gap_max: u32,
    /// Missing intervals with an estimate.
    pub estimated: u32,
    /// Intervals that came again.
    pub duplicates: u32,
    /// Rows that the loader had no room for.
    pub dropped: u32,
    /// Intervals that came on the day and belong nowhere.
    pub misplaced: u32,
    /// Received intervals with a failure of power.
    pub power_fail: u32,
    /// Received intervals in which the clock was set.
    pub clock_set: u32,
    /// Received intervals that were shorter or longer than others.
    pub partial: u32,
    /// Energy of the received intervals.
    pub energy_wh: u64,
    /// Energy of the estimates.
    pub estimated_wh: u64,
    /// By how much the registers advanced between the readings that were compared.
    pub register_wh: Option<u64>,
    /// What the comparison says.
    pub validation: Validation,
    /// Longest time from the head-end into the database.
    pub lag_max: Duration,
}

/// The days of a meter, of intervals that end from `begin` to `judged`.
pub(super) fn judge(
    plan: &MdmsPlan,
    history: &History,
    begin: Time,
    judged: Time,
) -> Vec<DayRecord> {
    let calendar = history.calendar();
    let first = calendar.ended_by(begin.as_secs() as i64);
    let last = calendar.ended_by(judged.as_secs() as i64);
    let estimates = estimate(&plan.rules, history, first..last);
    let mut days: Vec<DayRecord> = Vec::new();
    let mut gap = 0;
    for slot in first..last {
        let day = calendar.day(calendar.end_s(slot));
        if days.last().is_none_or(|last| last.day != day) {
            days.push(open(history, day));
            gap = 0;
        }
        if let Some(record) = days.last_mut() {
            count(history, slot, estimates[slot - first], &mut gap, record);
        }
    }
    for (day, advance, validation) in compare(&plan.rules, history) {
        if let Some(record) = days.iter_mut().find(|record| record.day == day) {
            record.validation = record.validation.max(validation);
            record.register_wh = Some(record.register_wh.unwrap_or(0) + advance);
        }
    }
    days
}

fn open(history: &History, day: u32) -> DayRecord {
    let counts = history.day_counts(day);
    DayRecord {
        day,
        start_ns: history.calendar().day_start_s(day) * 1_000_000_000,
        duplicates: counts.duplicates,
        dropped: counts.dropped,
        misplaced: counts.misplaced,
        lag_max: counts.lag_max,
        ..DayRecord::default()
    }
}

fn count(
    history: &History,
    slot: usize,
    estimate: Option<u32>,
    gap: &mut u32,
    record: &mut DayRecord,
) {
    let state = history.state(slot);
    record.expected += 1;
    if state != State::Missing {
        *gap = 0;
    }
    match state {
        State::OnTime => record.on_time += 1,
        State::Late => record.late += 1,
        State::Replacing => {
            record.late += 1;
            record.replaced += 1;
        }
        State::Unmeasured => record.unmeasured += 1,
        State::Missing => {
            record.missing += 1;
            record.gaps += u32::from(*gap == 0);
            *gap += 1;
            record.gap_max = record.gap_max.max(*gap);
            record.estimated += u32::from(estimate.is_some());
            record.estimated_wh += u64::from(estimate.unwrap_or(0));
        }
    }
    if let Some(energy) = history.energy(slot) {
        record.energy_wh += u64::from(energy);
        let flags = Flags(history.status(slot) & 0xF0);
        let set = flags.contains(Flags::CLOCK_FORWARD) || flags.contains(Flags::CLOCK_BACKWARD);
        record.power_fail += u32::from(flags.contains(Flags::POWER_FAIL));
        record.clock_set += u32::from(set);
        record.partial += u32::from(is_partial(history.status(slot)));
    }
}

const fn is_partial(status: u8) -> bool {
    let code = status & 0x0F;
    code == Code::Partial as u8 || code == Code::Long as u8
}

/// The estimates of the intervals of `range`, none where there is a value or nothing to go by.
pub(super) fn estimate(
    rules: &Rules,
    history: &History,
    range: core::ops::Range<usize>,
) -> Vec<Option<u32>> {
    let mut estimates = vec![None; range.len()];
    let mut slot = range.start;
    while slot < range.end {
        if history.state(slot) != State::Missing {
            slot += 1;
            continue;
        }
        let missing = |slot: &usize| history.state(*slot) == State::Missing;
        let end = (slot..range.end)
            .find(|slot| !missing(slot))
            .unwrap_or(range.end);
        fill(rules, history, slot..end, &range, &mut estimates);
        slot = end;
    }
    estimates
}

fn fill(
    rules: &Rules,
    history: &History,
    gap: core::ops::Range<usize>,
    range: &core::ops::Range<usize>,
    estimates: &mut [Option<u32>],
) {
    let before = gap.start.checked_sub(1).filter(|slot| range.contains(slot));
    let after = Some(gap.end).filter(|slot| range.contains(slot));
    let failed = |slot: Option<usize>| {
        slot.is_some_and(|slot| Flags(history.status(slot)).contains(Flags::POWER_FAIL))
    };
    let out = failed(before) && failed(after);
    let ends = before
        .and_then(|slot| history.energy(slot))
        .zip(after.and_then(|slot| history.energy(slot)));
    let interval_s = history.calendar().interval_s() as u64;
    let is_short = gap.len() as u64 * interval_s <= rules.interpolate.as_secs();
    for slot in gap.clone() {
        let line = || ends.map(|ends| on_line(ends, (slot - gap.start + 1, gap.len() + 1)));
        estimates[slot - range.start] = if out {
            Some(0)
        } else if is_short {
            line().or_else(|| typical(history, slot, range))
        } else {
            typical(history, slot, range).or_else(line)
        };
    }
}

/// The value at step `step` of `steps` on the straight line between two energies, rounded.
pub(super) fn on_line((from, to): (u32, u32), (step, steps): (usize, usize)) -> u32 {
    let (step, steps) = (step as u64, steps as u64);
    let sum = u64::from(from) * (steps - step) + u64::from(to) * step;
    ((sum + steps / 2) / steps) as u32
}

/// The mean of the same time of day on days like that of `slot`, rounded.
fn typical(history: &History, slot: usize, range: &core::ops::Range<usize>) -> Option<u32> {
    let calendar: &Calendar = history.calendar();
    let weekday = calendar.weekday(slot);
    let works = |weekday: u8| (1..=5).contains(&weekday);
    // Same day of the week, same kind of day, any day.
    let mut sums = [(0_u64, 0_u64); 3];
    let per_day = calendar.per_day();
    let first = range.start + (slot - range.start) % per_day;
    for other in (first..range.end).step_by(per_day) {
        // An interval cut short says nothing about others.
        let whole = history.status(other) == 0;
        let Some(energy) = history.energy(other).filter(|_| whole) else {
            continue;
        };
        let day = calendar.weekday(other);
        let matches = [day == weekday, works(day) == works(weekday), true];
        for ((sum, count), _) in sums.iter_mut().zip(matches).filter(|(_, matches)| *matches) {
            *sum += u64::from(energy);
            *count += 1;
        }
    }
    let (sum, count) = sums.into_iter().find(|(_, count)| *count > 0)?;
    Some(((sum + count / 2) / count) as u32)
}

/// What the registers say of the days between readings: day, advance, verdict.
fn compare(rules: &Rules, history: &History) -> Vec<(u32, u64, Validation)> {
    let pairs = history.readings().windows(2);
    let verdict = |pair: &[(Time, u64)]| {
        let [(from, first), (to, last)] = pair else {
            return None;
        };
        let (from_s, to_s) = (from.as_secs() as i64, to.as_secs() as i64);
        let calendar = history.calendar();
        let certain = calendar.between(from_s + READING_S, to_s - 2 * READING_S);
        let possible = calendar.touched(from_s - 2 * READING_S, to_s + READING_S);
        let known = |slot: usize| history.state(slot) != State::Missing;
        if !possible.clone().all(known) {
            return None;
        }
        let sum = |slots: core::ops::Range<usize>| -> u64 {
            slots
                .filter_map(|slot| history.energy(slot))
                .map(u64::from)
                .sum()
        };
        let day = calendar.day((from_s + to_s) / 2);
        let Some(advance) = last.checked_sub(*first) else {
            return Some((day, 0, Validation::Fail));
        };
        let agree = sum(certain) <= advance + rules.tolerance_wh
            && advance <= sum(possible) + rules.tolerance_wh;
        let validation = if agree {
            Validation::Pass
        } else {
            Validation::Fail
        };
        Some((day, advance, validation))
    };
    pairs.filter_map(verdict).collect()
}

impl Calendar {
    /// Intervals that lie between two seconds.
    const fn between(&self, from_s: i64, to_s: i64) -> core::ops::Range<usize> {
        // The first one begins no sooner than the first second.
        let first = self.ended_by(from_s + self.interval_s() - 1);
        let end = self.ended_by(to_s);
        first..if end > first { end } else { first }
    }

    /// Intervals that have any second between two in common.
    const fn touched(&self, from_s: i64, to_s: i64) -> core::ops::Range<usize> {
        self.ended_by(from_s)..self.ended_by(to_s + self.interval_s() - 1)
    }
}

#[cfg(test)]
mod tests;
