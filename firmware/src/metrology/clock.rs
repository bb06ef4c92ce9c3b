//! The meter's clock: an oscillator that drifts, corrections, and who may correct it.
//!
//! A small error is slewed: the clock runs faster or slower until it is right, and no instant is
//! skipped or repeated. A larger one is stepped. A set that is too far off is refused unless it
//! comes from an operator: it is more likely an error of the sender, or an attack on the tariff.

use super::utc::Utc;
use crate::time::{Duration, Instant};

/// How a set of the time is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockPolicy {
    /// Errors below this are slewed.
    pub slew_below: Duration,
    /// Rate of the slew in parts per million, 1 to 500,000.
    pub slew_ppm: u32,
    /// Errors above this are refused, unless an operator insists.
    pub reject_above: Duration,
}

impl Default for ClockPolicy {
    /// Slew below 3 s at 2,000 ppm, refuse above 5 min.
    fn default() -> Self {
        Self {
            slew_below: Duration::from_secs(3),
            slew_ppm: 2_000,
            reject_above: Duration::from_secs(300),
        }
    }
}

/// What a set of the time did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockSet {
    /// The clock runs faster or slower until it is right.
    Slewed,
    /// The clock was moved.
    Stepped,
    /// The clock was left alone.
    Refused,
}

/// A correction that is being worked off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slew {
    begun: Instant,
    /// What is to be added in all.
    nanos: i64,
    ppm: u32,
}

impl Slew {
    fn done_by(&self, now: Instant) -> i64 {
        let elapsed = now.saturating_since(self.begun).as_nanos();
        let reach = u128::from(elapsed) * u128::from(self.ppm) / 1_000_000;
        let done = reach.min(u128::from(self.nanos.unsigned_abs())) as i64;
        if self.nanos < 0 { -done } else { done }
    }
}

/// Corrections to the oscillator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Clock {
    offset: i64,
    slew: Option<Slew>,
}

impl Clock {
    /// What the clock shows when the oscillator shows `uncorrected` and has counted to `now`.
    pub(super) fn read(&self, uncorrected: Utc, now: Instant) -> Utc {
        let slewed = self.slew.map_or(0, |slew| slew.done_by(now));
        uncorrected.moved(self.offset.saturating_add(slewed))
    }

    /// Sets the clock to `target`; `operator` insists even on a large correction.
    pub(super) fn set(
        &mut self,
        policy: &ClockPolicy,
        target: Utc,
        operator: bool,
        (uncorrected, now): (Utc, Instant),
    ) -> ClockSet {
        let shown = self.read(uncorrected, now);
        let error = target.error_against(shown);
        let size = Duration::from_nanos(error.unsigned_abs());
        if size > policy.reject_above && !operator {
            return ClockSet::Refused;
        }
        // What has been slewed so far stays; what is left of it is overtaken.
        self.offset = shown.error_against(uncorrected);
        self.slew = None;
        if size < policy.slew_below {
            self.slew = Some(Slew {
                begun: now,
                nanos: error,
                ppm: policy.slew_ppm.clamp(1, 500_000),
            });
            return ClockSet::Slewed;
        }
        self.offset = self.offset.saturating_add(error);
        ClockSet::Stepped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> (Utc, Instant) {
        let origin = 1_700_000_000;
        (
            Utc::from_secs(origin + secs as u32),
            Instant::from_secs(secs),
        )
    }

    fn read(clock: &Clock, secs: u64) -> i64 {
        let (raw, now) = at(secs);
        clock.read(raw, now).error_against(raw)
    }

    #[test]
    fn small_errors_are_slewed_and_time_never_runs_backwards() {
        let mut clock = Clock::default();
        let policy = ClockPolicy::default();
        let (raw, now) = at(1_000);
        let set = clock.set(&policy, raw.moved(-2_000_000_000), false, (raw, now));
        assert_eq!(set, ClockSet::Slewed);
        assert_eq!(read(&clock, 1_000), 0);
        assert_eq!(read(&clock, 1_500), -1_000_000_000, "2,000 ppm of 500 s");
        assert_eq!(read(&clock, 2_000), -2_000_000_000);
        assert_eq!(read(&clock, 9_000), -2_000_000_000, "and no further");
        let mut last = Utc::default();
        for secs in 990..2_010 {
            let (raw, now) = at(secs);
            let shown = clock.read(raw, now);
            assert!(shown > last);
            last = shown;
        }
    }

    #[test]
    fn larger_errors_are_stepped_and_absurd_ones_refused() {
        let mut clock = Clock::default();
        let policy = ClockPolicy::default();
        let (raw, now) = at(50);
        let hour = 3_600_000_000_000;
        assert_eq!(
            clock.set(&policy, raw.moved(hour), false, (raw, now)),
            ClockSet::Refused
        );
        assert_eq!(read(&clock, 60), 0);
        assert_eq!(
            clock.set(&policy, raw.moved(hour), true, (raw, now)),
            ClockSet::Stepped
        );
        assert_eq!(read(&clock, 60), hour);
        let back = raw.moved(-10_000_000_000);
        assert_eq!(
            clock.set(&policy, back, true, (raw, now)),
            ClockSet::Stepped
        );
        assert_eq!(read(&clock, 50), -10_000_000_000);
    }

    #[test]
    fn a_set_overtakes_the_rest_of_a_slew() {
        let mut clock = Clock::default();
        let policy = ClockPolicy::default();
        let (raw, now) = at(0);
        clock.set(&policy, raw.moved(2_000_000_000), false, (raw, now));
        let (raw, now) = at(500);
        assert_eq!(read(&clock, 500), 1_000_000_000);
        clock.set(&policy, raw, false, (raw, now));
        assert_eq!(read(&clock, 500), 1_000_000_000);
        assert_eq!(read(&clock, 1_000), 0);
    }
}
