//! Virtual time by the wall clock.

use std::time::{Duration as WallDuration, Instant as WallInstant};

use models::time::{Duration, Time};

/// Translates between the clock of the machine and virtual time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    started: WallInstant,
    /// Virtual time at the start.
    origin: Time,
    /// Virtual seconds per second.
    pace: f64,
}

impl Clock {
    /// A clock that shows `origin` now and makes `pace` virtual seconds per second.
    pub(super) fn start(origin: Time, pace: f64) -> Self {
        Self {
            started: WallInstant::now(),
            origin,
            pace,
        }
    }

    /// Time by the wall clock since the start.
    pub(super) fn elapsed(&self) -> WallDuration {
        self.started.elapsed()
    }

    /// Virtual time now; it never goes back.
    pub(super) fn now(&self) -> Time {
        self.at(self.elapsed())
    }

    fn at(&self, elapsed: WallDuration) -> Time {
        let nanos = elapsed.as_nanos() as f64 * self.pace;
        Time(self.origin.as_nanos() + nanos as u64)
    }

    /// How much later than `time` it is, by the wall clock; what was due before the start counts
    /// from the start.
    pub(super) fn behind(&self, time: Time) -> Duration {
        let behind = self.now().saturating_since(time.max(self.origin));
        Duration::from_nanos((behind.as_nanos() as f64 / self.pace) as u64)
    }

    /// How long to wait by the wall clock until it is `time`; nothing if that is over.
    pub(super) fn wait(&self, time: Time) -> WallDuration {
        let ahead = time.saturating_since(self.now()).as_nanos();
        WallDuration::from_nanos((ahead as f64 / self.pace) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_time_keeps_its_pace() {
        let clock = Clock::start(Time::from_secs(5), 10.0);
        let later = clock.at(WallDuration::from_secs(3));
        assert_eq!(later, Time::from_secs(35));
        assert_eq!(clock.wait(Time::from_secs(1)), WallDuration::ZERO);
        assert!(clock.wait(Time::from_secs(105)) <= WallDuration::from_secs(10));
    }
}
