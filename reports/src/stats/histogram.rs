//! Histogram over fixed logarithmic buckets, for streams too long to keep.

/// Buckets per power of two, as a power of two itself.
const SUB_BITS: u32 = 6;
const SUB_BUCKETS: u64 = 1 << SUB_BITS;

/// Counts of unsigned values in logarithmic buckets of at most 1/64 relative width.
///
/// Values below 128 are exact; larger ones share a bucket with values of the same leading seven
/// bits. Bucket bounds never depend on the data, so histograms merge exactly, in any order.
/// Storage grows with the largest value, to 30 KiB at most.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    sum: u128,
    min: Option<u64>,
    max: Option<u64>,
}

impl Histogram {
    /// An empty histogram.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a value.
    pub fn record(&mut self, value: u64) {
        let index = index(value);
        if index >= self.buckets.len() {
            self.buckets.resize(index + 1, 0);
        }
        self.buckets[index] += 1;
        self.count += 1;
        self.sum += u128::from(value);
        self.min = Some(self.min.map_or(value, |min| min.min(value)));
        self.max = Some(self.max.map_or(value, |max| max.max(value)));
    }

    /// Adds all values of another histogram.
    pub fn merge(&mut self, other: &Self) {
        if other.buckets.len() > self.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.into_iter().chain(other.min).min();
        self.max = self.max.into_iter().chain(other.max).max();
    }

    /// Forgets all values and keeps the storage.
    pub fn clear(&mut self) {
        self.buckets.fill(0);
        self.count = 0;
        self.sum = 0;
        self.min = None;
        self.max = None;
    }

    /// Number of values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Smallest value, exact.
    #[must_use]
    pub fn min(&self) -> Option<u64> {
        self.min
    }

    /// Largest value, exact.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        self.max
    }

    /// Arithmetic mean, exact but for rounding.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// Quantile by nearest rank: the ⌈q·n⌉-th smallest value, rounded up within its bucket.
    ///
    /// Never below the true order statistic, and above it by less than 1/64 of it. `None` if
    /// there are no values.
    ///
    /// # Panics
    ///
    /// If `q` is not within 0 to 1.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<u64> {
        assert!((0.0..=1.0).contains(&q), "a quantile's level is 0 to 1");
        let max = self.max?;
        let rank = ((q * self.count as f64).ceil() as u64).clamp(1, self.count);
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Some(upper_bound(index).min(max));
            }
        }
        Some(max)
    }
}

/// Bucket of a value: exact below 2·64, then 64 per power of two.
fn index(value: u64) -> usize {
    let octave = (63 - (value | SUB_BUCKETS).leading_zeros()) - SUB_BITS;
    // At most (64 - 6 + 1) · 64 buckets.
    (u64::from(octave) * SUB_BUCKETS + (value >> octave)) as usize
}

/// Largest value of a bucket.
fn upper_bound(index: usize) -> u64 {
    let index = index as u64;
    let octave = (index / SUB_BUCKETS).saturating_sub(1);
    let leading = index - octave * SUB_BUCKETS;
    (leading << octave) | ((1 << octave) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::new();
        values.into_iter().for_each(|value| histogram.record(value));
        histogram
    }

    #[test]
    fn every_value_lies_in_its_bucket_and_buckets_are_narrow() {
        let mut edges: Vec<u64> = (0..64)
            .flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1])
            .collect();
        edges.extend([0, u64::MAX, u64::MAX - 1, 1_000_000_007]);
        for value in edges {
            let bucket = index(value);
            let high = upper_bound(bucket);
            assert!(value <= high, "{value} above {high}");
            assert!(high - value <= value / 64, "{value} far below {high}");
            assert_eq!(index(high), bucket);
            if high < u64::MAX {
                assert_eq!(index(high + 1), bucket + 1);
            }
        }
    }

    #[test]
    fn small_values_are_exact() {
        let histogram = of(1..=100);
        assert_eq!(histogram.quantile(0.0), Some(1));
        assert_eq!(histogram.quantile(0.5), Some(50));
        assert_eq!(histogram.quantile(0.99), Some(99));
        assert_eq!(histogram.quantile(1.0), Some(100));
        assert_eq!(histogram.mean(), Some(50.5));
    }

    #[test]
    fn large_values_stay_within_the_stated_error() {
        let values: Vec<u64> = (1..=10_000).map(|n| n * n * 7_919).collect();
        let histogram = of(values.iter().copied());
        for q in [0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0] {
            let rank = (q * 10_000.0_f64).ceil() as usize;
            let exact = values[rank - 1];
            let found = histogram.quantile(q).expect("values");
            assert!(exact <= found && found - exact <= exact / 64, "{q}");
        }
        assert_eq!(histogram.max(), values.last().copied());
        assert_eq!(histogram.min(), values.first().copied());
    }

    #[test]
    fn merging_equals_recording_together_in_any_order() {
        let (left, right) = (of([5, 1 << 40, 77]), of([0, 999_999]));
        let all = of([5, 1 << 40, 77, 0, 999_999]);
        let mut ab = left.clone();
        ab.merge(&right);
        let mut ba = right;
        ba.merge(&left);
        assert_eq!(ab, all);
        assert_eq!(ba, all);
        ab.merge(&Histogram::new());
        assert_eq!(ab, all);
    }

    #[test]
    fn an_empty_or_cleared_histogram_has_no_quantile() {
        let mut histogram = of([3]);
        histogram.clear();
        for histogram in [histogram, Histogram::new()] {
            assert_eq!(histogram.count(), 0);
            assert_eq!(histogram.quantile(0.5), None);
            assert_eq!(histogram.mean(), None);
            assert_eq!(histogram.max(), None);
        }
    }
}
