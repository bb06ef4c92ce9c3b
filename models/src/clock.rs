//! A node's own clock, which runs at a constant wrong rate.

use firmware::Instant;

use crate::time::Time;

/// A clock with a constant frequency error.
///
/// A crystal of 20 ppm gains or loses 1.73 s a day. Timers and key lifetimes of a meter run on
/// its clock, so the two ends of a key disagree on when it expires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// Frequency error in parts per billion; positive runs fast.
    drift_ppb: i32,
}

const BILLION: u64 = 1_000_000_000;

impl Clock {
    /// A clock that is right at the start of the run and gains `drift_ppb` nanoseconds a second.
    ///
    /// The error is limited to 10 %, so that clocks always run forward.
    pub fn new(drift_ppb: i64) -> Self {
        Self {
            drift_ppb: drift_ppb.clamp(-100_000_000, 100_000_000) as i32,
        }
    }

    /// The frequency error in parts per billion.
    pub const fn drift_ppb(&self) -> i32 {
        self.drift_ppb
    }

    /// What the clock shows at `time`.
    pub fn read(&self, time: Time) -> Instant {
        // Whole seconds and the rest apart: the products fit 64 bits, and the sum is exact.
        let drift = i64::from(self.drift_ppb);
        let (seconds, rest) = ((time.0 / BILLION) as i64, (time.0 % BILLION) as i64);
        let gained = seconds * drift + rest * drift / BILLION as i64;
        Instant::from_nanos(time.0.saturating_add_signed(gained))
    }

    /// The first time at which the clock shows `instant` or more.
    pub fn when(&self, instant: Instant) -> Time {
        if instant == Instant::FAR_FUTURE {
            return Time::FAR_FUTURE;
        }
        if self.drift_ppb == 0 {
            return Time(instant.as_nanos());
        }
        let rate = BILLION.saturating_add_signed(i64::from(self.drift_ppb));
        let (whole, rest) = (instant.as_nanos() / rate, instant.as_nanos() % rate);
        // After `r` nanoseconds of a second, `read` has rounded `r` · `rate` / 10^9 towards `r`:
        // down if the clock is fast, up if it is slow.
        let nanos = if self.drift_ppb > 0 {
            (rest * BILLION).div_ceil(rate)
        } else {
            rest.checked_sub(1)
                .map_or(0, |before| before * BILLION / rate + 1)
        };
        Time(whole.saturating_mul(BILLION).saturating_add(nanos))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn drift_of_20_ppm_is_1_73_s_a_day_and_51_8_s_in_30_days() {
        let clock = Clock::new(20_000);
        for (days, error_ms) in [(1, 1_728), (30, 51_840)] {
            let time = Time::from_secs(days * 86_400);
            assert_eq!(clock.read(time).as_nanos() - time.0, error_ms * 1_000_000);
        }
    }

    proptest! {
        #[test]
        fn an_alarm_rings_when_it_is_due_and_not_before(
            nanos in 0..400_u64 * 86_400_000_000_000, drift in -100_000_000..=100_000_000_i64,
        ) {
            let clock = Clock::new(drift);
            let alarm = Instant::from_nanos(nanos);
            let time = clock.when(alarm);
            prop_assert!(clock.read(time) >= alarm);
            prop_assert!(time.0 == 0 || clock.read(Time(time.0 - 1)) < alarm);
        }
    }
}
