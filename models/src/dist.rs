//! Distributions of durations and other quantities.
//!
//! The only place of the models where floating point decides an event time. All transcendental
//! functions come from `libm`, whose results do not depend on the platform.

use firmware::Duration;
use firmware::Rng as _;

use crate::rng::Stream;

/// A distribution over integers of some unit: nanoseconds, parts per billion, ...
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dist {
    /// Always the same value.
    Fixed(i64),
    /// Uniform between two bounds, both included.
    Uniform(i64, i64),
    /// A minimum plus an exponential excess of the given mean.
    Exponential {
        /// The least value.
        min: i64,
        /// The mean excess over `min`.
        mean: i64,
    },
    /// Log-normal by its median and the standard deviation of its logarithm, cut off from below.
    LogNormal {
        /// The least value.
        min: i64,
        /// The median.
        median: i64,
        /// Standard deviation of the natural logarithm.
        sigma: f64,
    },
    /// Normal by mean and standard deviation.
    Normal {
        /// The mean.
        mean: i64,
        /// The standard deviation.
        deviation: i64,
    },
}

impl Dist {
    /// Draws a value.
    pub fn sample(&self, stream: &mut Stream) -> i64 {
        match *self {
            Self::Fixed(value) => value,
            Self::Uniform(low, high) => {
                low.saturating_add_unsigned(stream.below(high.abs_diff(low).saturating_add(1)))
            }
            Self::Exponential { min, mean } => {
                min.saturating_add((exponential(stream) * mean as f64) as i64)
            }
            Self::LogNormal { min, median, sigma } => {
                min.max((median as f64 * libm::exp(sigma * normal(stream))) as i64)
            }
            Self::Normal { mean, deviation } => {
                mean.saturating_add((normal(stream) * deviation as f64) as i64)
            }
        }
    }

    /// Draws a duration, for a distribution over nanoseconds; negative values count as zero.
    pub fn duration(&self, stream: &mut Stream) -> Duration {
        Duration::from_nanos(u64::try_from(self.sample(stream)).unwrap_or(0))
    }

    /// A value that no draw falls below.
    pub fn min(&self) -> i64 {
        match *self {
            Self::Fixed(value) => value,
            Self::Uniform(low, high) => low.min(high),
            Self::Exponential { min, .. } | Self::LogNormal { min, .. } => min,
            Self::Normal { .. } => i64::MIN,
        }
    }
}

/// A standard exponential draw.
pub fn exponential(stream: &mut Stream) -> f64 {
    -libm::log(1.0 - stream.unit())
}

/// A standard normal draw (Box-Muller, one of the pair).
pub fn normal(stream: &mut Stream) -> f64 {
    let radius = libm::sqrt(2.0 * exponential(stream));
    radius * libm::cos(core::f64::consts::TAU * stream.unit())
}

/// A gamma draw of the given `shape` and mean one (Marsaglia and Tsang, 2000).
///
/// `shape` must be positive.
pub fn gamma_of_mean_one(shape: f64, stream: &mut Stream) -> f64 {
    // Shapes below one are drawn with one more and scaled down, as the paper's section 6 says.
    let boost = if shape < 1.0 {
        libm::pow(1.0 - stream.unit(), 1.0 / shape)
    } else {
        1.0
    };
    let drawn_shape = if shape < 1.0 { shape + 1.0 } else { shape };
    let d = drawn_shape - 1.0 / 3.0;
    let c = 1.0 / libm::sqrt(9.0 * d);
    loop {
        let x = normal(stream);
        let root = 1.0 + c * x;
        if root <= 0.0 {
            continue;
        }
        let v = root * root * root;
        let u = 1.0 - stream.unit();
        if libm::log(u) < 0.5 * x * x + d * (1.0 - v + libm::log(v)) {
            return boost * d * v / shape;
        }
    }
}

/// A random 128-bit key.
pub fn key(stream: &mut Stream) -> [u8; 16] {
    let mut octets = [0; 16];
    stream.fill_bytes(&mut octets);
    octets
}

/// The key that somebody types in as the last `digits` decimal digits of `number`, zeros behind.
pub fn digits_key(mut number: u64, digits: u8) -> [u8; 16] {
    let mut octets = [0; 16];
    for octet in octets.iter_mut().take(digits.into()).rev() {
        *octet = b'0' + (number % 10) as u8;
        number /= 10;
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Purpose;

    fn mean_and_deviation(mut draw: impl FnMut(&mut Stream) -> f64) -> (f64, f64) {
        let mut stream = Stream::new(11, 1, Purpose::Provisioning);
        let draws: Vec<f64> = (0..50_000).map(|_| draw(&mut stream)).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        (mean, variance.sqrt())
    }

    #[test]
    fn typed_keys_are_padded_with_zeros_behind() {
        assert_eq!(&digits_key(4_711, 8), b"00004711\0\0\0\0\0\0\0\0");
        assert_eq!(
            &digits_key(123_456, 4)[..5],
            b"3456\0",
            "the last digits count"
        );
        assert_eq!(digits_key(7, 16), *b"0000000000000007");
    }

    #[test]
    fn moments_match_theory() {
        let (mean, deviation) = mean_and_deviation(normal);
        assert!(
            mean.abs() < 0.025 && (deviation - 1.0).abs() < 0.02,
            "{mean} {deviation}"
        );
        let (mean, deviation) = mean_and_deviation(exponential);
        assert!((mean - 1.0).abs() < 0.025 && (deviation - 1.0).abs() < 0.04);
        for shape in [0.8, 1.5, 9.0] {
            let (mean, deviation) = mean_and_deviation(|s| gamma_of_mean_one(shape, s));
            assert!((mean - 1.0).abs() < 0.03, "shape {shape}: mean {mean}");
            assert!(
                (deviation - (1.0 / shape).sqrt()).abs() < 0.04,
                "shape {shape}: {deviation}"
            );
        }
    }

    #[test]
    fn uniform_includes_both_bounds_and_nothing_else() {
        let mut stream = Stream::new(5, 1, Purpose::Timing);
        let mut seen = [false; 3];
        for _ in 0..200 {
            seen[usize::try_from(Dist::Uniform(0, 2).sample(&mut stream)).unwrap()] = true;
        }
        assert_eq!(seen, [true; 3]);
        assert_eq!(Dist::Uniform(4, 4).sample(&mut stream), 4);
        assert_eq!(
            Dist::Normal {
                mean: -5,
                deviation: 0
            }
            .duration(&mut stream),
            Duration::ZERO
        );
    }

    #[test]
    fn no_draw_falls_below_the_minimum() {
        let mut stream = Stream::new(5, 2, Purpose::Uplink);
        for dist in [
            Dist::Exponential { min: 10, mean: 5 },
            Dist::LogNormal {
                min: 10,
                median: 12,
                sigma: 2.0,
            },
        ] {
            assert!((0..10_000).all(|_| dist.sample(&mut stream) >= dist.min()));
        }
    }
}
