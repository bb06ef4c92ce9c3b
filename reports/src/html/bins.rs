//! Time bins, few enough to draw.

/// Bins a figure shows at most.
const BINS_MAX: usize = 288;

/// Equal bins from zero to the end of a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bins {
    width_s: f64,
    count: usize,
    end_s: f64,
}

impl Bins {
    /// Bins of a run in which values were recorded per `recorded_s`: as wide, or a multiple.
    pub(super) fn new(end_s: f64, recorded_s: f64) -> Self {
        let end_s = end_s.max(1e-9);
        let recorded_s = if recorded_s > 0.0 {
            recorded_s.min(end_s)
        } else {
            end_s
        };
        let factor = (end_s / recorded_s / BINS_MAX as f64 - 1e-9)
            .ceil()
            .max(1.0);
        let width_s = recorded_s * factor;
        // A last bin that lasts nothing would divide by zero.
        let count = (end_s / width_s - 1e-9).ceil().max(1.0) as usize;
        Self {
            width_s,
            count,
            end_s,
        }
    }

    /// Bins for events that carry their own time.
    pub(super) fn fine(end_s: f64) -> Self {
        const WIDTHS_S: [f64; 11] = [
            1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 21_600.0,
        ];
        let wanted = end_s / 144.0;
        let width = WIDTHS_S.iter().find(|width| **width >= wanted);
        Self::new(end_s, *width.unwrap_or(&wanted))
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The bin of a time; times beyond the end count for the last one.
    pub(super) fn index(&self, time_s: f64) -> usize {
        ((time_s / self.width_s + 1e-9).max(0.0) as usize).min(self.count - 1)
    }

    /// Borders, one more than there are bins.
    pub(super) fn edges(&self) -> Vec<f64> {
        let edge = |index: usize| (index as f64 * self.width_s).min(self.end_s);
        (0..=self.count).map(edge).collect()
    }

    /// How long a bin lasts; the last one may be cut short.
    pub(super) fn lasts_s(&self, index: usize) -> f64 {
        (self.end_s - index as f64 * self.width_s).min(self.width_s)
    }

    /// Sums of weights per bin.
    pub(super) fn sums(&self, events: impl Iterator<Item = (f64, f64)>) -> Vec<f64> {
        let mut sums = vec![0.0; self.count];
        for (time_s, weight) in events.filter(|(time_s, _)| time_s.is_finite()) {
            sums[self.index(time_s)] += weight;
        }
        sums
    }

    /// How often something has happened so far: 0 at first, then the count at the end of each bin.
    pub(super) fn added_up(&self, times_s: impl Iterator<Item = f64>) -> Vec<(f64, f64)> {
        self.levels(times_s.map(|time_s| (time_s, 1.0)))
    }

    /// A level that steps by weights: 0 at first, then the level at the end of each bin.
    pub(super) fn levels(&self, steps: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
        let mut level = 0.0;
        let mut points = vec![(0.0, 0.0)];
        for (edge, step) in self.edges()[1..].iter().zip(self.sums(steps)) {
            level += step;
            points.push((*edge, level));
        }
        points
    }

    /// Width in words.
    pub(super) fn say(&self) -> String {
        crate::number::duration(self.width_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_as_recorded_unless_there_are_too_many() {
        let day = Bins::new(86_400.0, 900.0);
        assert_eq!((day.count(), day.lasts_s(0)), (96, 900.0));
        let month = Bins::new(30.0 * 86_400.0, 900.0);
        assert_eq!(month.count(), 288);
        assert_eq!(month.lasts_s(0), 9_000.0);
        assert_eq!(month.index(9_000.0), 1, "a border belongs to the later bin");
    }

    #[test]
    fn the_last_bin_ends_with_the_run() {
        let bins = Bins::new(1_000.0, 900.0);
        assert_eq!(bins.edges(), [0.0, 900.0, 1_000.0]);
        assert!((bins.lasts_s(1) - 100.0).abs() < 1e-9);
        assert_eq!(bins.index(5_000.0), 1);
        let sums = bins.sums([(0.0, 1.0), (950.0, 2.0), (f64::NAN, 4.0)].into_iter());
        assert_eq!(sums, [1.0, 2.0]);
    }

    #[test]
    fn levels_are_those_at_the_end_of_a_bin() {
        let bins = Bins::new(30.0, 10.0);
        let steps = [(0.0, 2.0), (9.0, -1.0), (25.0, -1.0), (f64::NAN, 7.0)];
        let levels = [(0.0, 0.0), (10.0, 1.0), (20.0, 1.0), (30.0, 0.0)];
        assert_eq!(bins.levels(steps.into_iter()), levels);
        let counts = [(0.0, 0.0), (10.0, 1.0), (20.0, 2.0), (30.0, 2.0)];
        assert_eq!(bins.added_up([5.0, 10.0].into_iter()), counts);
    }

    #[test]
    fn a_run_without_duration_has_one_bin() {
        assert_eq!(Bins::new(0.0, 900.0).count(), 1);
        assert_eq!(Bins::new(10.0, 0.0).count(), 1);
        assert_eq!(Bins::fine(86_400.0).count(), 144);
    }
}
