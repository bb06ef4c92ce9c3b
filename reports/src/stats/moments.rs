//! Mean and variance of a stream.

/// Count, mean and variance in one pass (Welford 1962; merging after Chan et al. 1979).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// No values yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value.
    pub fn push(&mut self, value: f64) {
        self.count += 1;
        let before = value - self.mean;
        self.mean += before / self.count as f64;
        self.squares += before * (value - self.mean);
    }

    /// Adds all values of another stream.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        let count = self.count + other.count;
        let (mine, theirs) = (self.count as f64, other.count as f64);
        let apart = other.mean - self.mean;
        self.mean += apart * theirs / count as f64;
        self.squares += other.squares + apart * apart * mine * theirs / count as f64;
        self.count = count;
    }

    /// Number of values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Arithmetic mean.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then_some(self.mean)
    }

    /// Unbiased sample variance, divisor n - 1; `None` below two values.
    #[must_use]
    pub fn variance(&self) -> Option<f64> {
        (self.count > 1).then(|| self.squares / (self.count - 1) as f64)
    }

    /// Square root of the sample variance.
    #[must_use]
    pub fn standard_deviation(&self) -> Option<f64> {
        self.variance().map(f64::sqrt)
    }
}

impl FromIterator<f64> for Moments {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut moments = Self::new();
        values.into_iter().for_each(|value| moments.push(value));
        moments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: [f64; 8] = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];

    #[test]
    fn known_mean_and_variance() {
        let moments: Moments = VALUES.into_iter().collect();
        assert_eq!(moments.count(), 8);
        assert_eq!(moments.mean(), Some(5.0));
        let variance = moments.variance().expect("eight values");
        assert!((variance - 32.0 / 7.0).abs() < 1e-12);
    }

    #[test]
    fn merging_equals_one_pass() {
        let whole: Moments = VALUES.into_iter().collect();
        for cut in 0..=VALUES.len() {
            let mut left: Moments = VALUES[..cut].iter().copied().collect();
            left.merge(&VALUES[cut..].iter().copied().collect());
            assert_eq!(left.count(), 8);
            assert!((left.mean().expect("values") - 5.0).abs() < 1e-12);
            let apart = left.variance().expect("values") - whole.variance().expect("values");
            assert!(apart.abs() < 1e-12, "{cut}");
        }
    }

    #[test]
    fn a_large_offset_does_not_cancel_the_variance() {
        let moments: Moments = [4.0, 7.0, 13.0, 16.0]
            .map(|v| v + 1e9)
            .into_iter()
            .collect();
        assert!((moments.variance().expect("values") - 30.0).abs() < 1e-6);
    }

    #[test]
    fn too_few_values_have_no_moment() {
        assert_eq!(Moments::new().mean(), None);
        let one: Moments = [3.0].into_iter().collect();
        assert_eq!(one.mean(), Some(3.0));
        assert_eq!(one.variance(), None);
    }
}
