//! Virtual time.

use core::fmt;

pub use firmware::Duration;

/// A point in virtual time: nanoseconds since the start of the run.
///
/// Distinct from [`firmware::Instant`], which is what a node reads from its own drifting clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

impl Time {
    /// The start of the run.
    pub const ZERO: Self = Self(0);
    /// Later than anything that is simulated.
    pub const FAR_FUTURE: Self = Self(u64::MAX);

    /// The time `secs` seconds after the start.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs * 1_000_000_000)
    }

    /// Nanoseconds since the start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole seconds since the start.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// Time elapsed since `earlier`, zero if `earlier` is later.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl core::ops::Add<Duration> for Time {
    type Output = Self;

    /// Saturates at [`Time::FAR_FUTURE`].
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_nanos()))
    }
}

impl fmt::Display for Time {
    /// Days, hours, minutes and seconds, for example `1d 02:03:04.500000000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.0 / 1_000_000_000;
        let (days, hours, minutes) = (secs / 86_400, secs / 3_600 % 24, secs / 60 % 60);
        if days > 0 {
            write!(f, "{days}d ")?;
        }
        write!(
            f,
            "{hours:02}:{minutes:02}:{:02}.{:09}",
            secs % 60,
            self.0 % 1_000_000_000
        )
    }
}
