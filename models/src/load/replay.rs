//! Recorded interval data in place of the load model.
//!
//! What a meter has recorded is what its register showed: the errors of its sensors are in it, and
//! its intervals are those of its clock. So it is replayed without another error and by the clock
//! of the meter that replays it, and comes out of the registers as it went in.

use std::sync::Arc;

use crate::time::Duration;

/// What the meters of a cohort have recorded, interval by interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// Length of an interval, not zero.
    pub interval: Duration,
    /// Energy since the start of the run in mWh, negative towards the grid; meters take the series
    /// in turn.
    pub series: Vec<Arc<[i32]>>,
}

impl Replay {
    /// The series of the meter that is the `index`-th of its cohort.
    pub fn of(&self, index: u32) -> Option<&Arc<[i32]>> {
        let place = index as usize % self.series.len().max(1);
        self.series.get(place)
    }

    /// Energy of interval `number`, from 0, of the `index`-th meter in mWh.
    pub fn milliwatt_hours(&self, index: u32, number: u64) -> i32 {
        self.of(index).map_or(0, |series| at(series, number))
    }

    /// Power of the `index`-th meter at a time since the start of the run, in W.
    pub fn watts(&self, index: u32, since_start: Duration) -> f64 {
        self.of(index)
            .map_or(0.0, |series| watts(series, self.interval, since_start))
    }
}

/// Energy of interval `number`; beyond the data their last interval goes on.
fn at(series: &[i32], number: u64) -> i32 {
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    let energy = series.get(number).or(series.last());
    energy.copied().unwrap_or(0)
}

/// Mean power of the interval that a time lies in, in W.
pub(super) fn watts(series: &[i32], interval: Duration, since_start: Duration) -> f64 {
    let length = interval.as_nanos().max(1);
    let energy = at(series, since_start.as_nanos() / length);
    // A mWh is 3.6 J.
    f64::from(energy) * 3.6e9 / length as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meters_take_the_series_in_turn_and_the_last_interval_goes_on() {
        let replay = Replay {
            interval: Duration::from_secs(900),
            series: vec![[250_000, 1].into(), [-4_000].into()],
        };
        let energies = [(0, 0), (0, 1), (0, 7), (1, 0), (2, 0), (3, 9)]
            .map(|(index, number)| replay.milliwatt_hours(index, number));
        assert_eq!(energies, [250_000, 1, 1, -4_000, 250_000, -4_000]);
        let quarter = Duration::from_secs(899);
        assert_eq!(replay.watts(0, quarter), 1_000.0);
        assert_eq!(replay.watts(1, quarter), -16.0);
    }
}
