//! Civil time of a meter: what its own clock shows.

use crate::time::Duration;

/// A point in civil time by the meter's clock, in nanoseconds since 1970-01-01 UTC.
///
/// Distinct from [`crate::Instant`], which is what the oscillator counts: setting the clock moves
/// this time and not the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Utc(u64);

const BILLION: u64 = 1_000_000_000;

impl Utc {
    /// `secs` seconds since 1970-01-01 UTC.
    pub const fn from_secs(secs: u32) -> Self {
        Self(secs as u64 * BILLION)
    }

    /// `nanos` nanoseconds since 1970-01-01 UTC.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since 1970-01-01 UTC.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970-01-01 UTC; saturates in the year 2106.
    pub const fn as_secs(self) -> u32 {
        let secs = self.0 / BILLION;
        if secs > u32::MAX as u64 {
            u32::MAX
        } else {
            secs as u32
        }
    }

    /// Time since `earlier`, zero if that lies in the future.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This time moved by `nanos`, which may be negative; saturates.
    pub const fn moved(self, nanos: i64) -> Self {
        Self(self.0.saturating_add_signed(nanos))
    }

    /// Nanoseconds from `other` to this time, negative if that is later; saturates.
    pub const fn error_against(self, other: Self) -> i64 {
        let difference = self.0 as i128 - other.0 as i128;
        if difference > i64::MAX as i128 {
            i64::MAX
        } else if difference < i64::MIN as i128 {
            i64::MIN
        } else {
            difference as i64
        }
    }
}

impl core::ops::Add<Duration> for Utc {
    type Output = Self;

    /// Saturates.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_nanos()))
    }
}
