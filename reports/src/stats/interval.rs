//! Confidence intervals of means and proportions.

use std::f64::consts::{FRAC_2_PI, PI};

use super::Moments;

/// Degrees of freedom above which Student's quantile is expanded around the normal one.
const LARGE_DEGREES: u64 = 1_000;

/// A two-sided confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Point estimate.
    pub estimate: f64,
    /// Upper end.
    pub high: f64,
}

/// Student's interval of a mean at a confidence level such as 0.95.
///
/// The values are taken as independent and their mean as normal, as means of replications are.
/// `None` below two values.
///
/// # Panics
///
/// If `level` is not between 0 and 1.
#[must_use]
pub fn mean_interval(values: &Moments, level: f64) -> Option<Interval> {
    let (estimate, deviation) = (values.mean()?, values.standard_deviation()?);
    let t = t_quantile(upper_tail(level), values.count() - 1);
    let half = t * deviation / (values.count() as f64).sqrt();
    Some(Interval {
        low: estimate - half,
        estimate,
        high: estimate + half,
    })
}

/// Wilson's score interval (1927) of a proportion at a confidence level such as 0.95.
///
/// Unlike the textbook interval it stays within 0 to 1 and holds its level near the ends, where
/// success ratios of a healthy system lie. `None` without trials.
///
/// # Panics
///
/// If `level` is not between 0 and 1, or there are more successes than trials.
#[must_use]
pub fn proportion_interval(successes: u64, trials: u64, level: f64) -> Option<Interval> {
    assert!(successes <= trials, "successes are among the trials");
    if trials == 0 {
        return None;
    }
    let (n, z) = (trials as f64, normal_quantile(upper_tail(level)));
    let estimate = successes as f64 / n;
    let shrink = 1.0 + z * z / n;
    let centre = (estimate + z * z / (2.0 * n)) / shrink;
    let half = z / shrink * (estimate * (1.0 - estimate) / n + z * z / (4.0 * n * n)).sqrt();
    Some(Interval {
        low: if successes == 0 { 0.0 } else { centre - half },
        estimate,
        high: if successes == trials {
            1.0
        } else {
            centre + half
        },
    })
}

fn upper_tail(level: f64) -> f64 {
    assert!(
        level > 0.0 && level < 1.0,
        "a confidence level is between 0 and 1"
    );
    f64::midpoint(1.0, level)
}

/// Quantile of the standard normal distribution, to about 12 digits.
///
/// # Panics
///
/// If `p` is not between 0 and 1.
#[must_use]
pub fn normal_quantile(p: f64) -> f64 {
    assert!(p > 0.0 && p < 1.0, "a probability between 0 and 1");
    if p < 0.5 {
        return -normal_quantile(1.0 - p);
    }
    bisect(p, normal_probability)
}

/// Quantile of Student's t distribution, to about 9 digits.
///
/// # Panics
///
/// If `p` is not between 0 and 1, or there is no degree of freedom.
#[must_use]
pub fn t_quantile(p: f64, degrees: u64) -> f64 {
    assert!(p > 0.0 && p < 1.0, "a probability between 0 and 1");
    assert!(degrees > 0, "at least one degree of freedom");
    if p < 0.5 {
        return -t_quantile(1.0 - p, degrees);
    }
    if degrees > LARGE_DEGREES {
        // Abramowitz and Stegun 26.7.5; the next term is below 1e-9 here.
        let (z, n) = (normal_quantile(p), degrees as f64);
        return z
            + (z.powi(3) + z) / (4.0 * n)
            + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * n * n);
    }
    bisect(p, |t| t_probability(t, degrees))
}

/// Inverts a distribution function on the upper half, where `p` is at least 0.5.
fn bisect(p: f64, probability: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    // A thousand doublings leave the range of f64: the loop ends even for a p next to 1.
    while probability(high) < p && high < f64::MAX / 2.0 {
        low = high;
        high *= 2.0;
    }
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return middle;
        }
        if probability(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// Normal distribution function for x ≥ 0, by the series of Marsaglia (2004).
fn normal_probability(x: f64) -> f64 {
    // Beyond 8.3 the tail is below the resolution of f64 next to 1.
    if x > 8.3 {
        return 1.0;
    }
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term > sum * f64::EPSILON / 4.0 {
        odd += 2.0;
        term *= x * x / odd;
        sum += term;
    }
    0.5 + sum * (-x * x / 2.0).exp() / (2.0 * PI).sqrt()
}

/// Student's distribution function for t ≥ 0: Abramowitz and Stegun 26.7.3 and 26.7.4.
fn t_probability(t: f64, degrees: u64) -> f64 {
    let theta = (t / (degrees as f64).sqrt()).atan();
    let (sin, cos) = theta.sin_cos();
    let even = degrees.is_multiple_of(2);
    // Powers of cos with the factors 1/2, 3/4, … or 2/3, 4/5, …
    let (mut factor, mut term, mut sum) = if even { (1, 1.0, 1.0) } else { (2, cos, cos) };
    if degrees == 1 {
        sum = 0.0;
    }
    while factor + 2 < degrees {
        term *= cos * cos * factor as f64 / (factor + 1) as f64;
        sum += term;
        factor += 2;
    }
    let central = if even {
        sin * sum
    } else {
        FRAC_2_PI * (theta + sin * sum)
    };
    f64::midpoint(1.0, central)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(found: f64, expected: f64, error: f64) {
        assert!(
            (found - expected).abs() <= error,
            "{found} is not {expected}"
        );
    }

    #[test]
    fn normal_quantiles_match_published_digits() {
        assert_near(normal_quantile(0.5), 0.0, 1e-12);
        assert_near(normal_quantile(0.975), 1.959_963_984_540_054, 1e-11);
        assert_near(normal_quantile(0.995), 2.575_829_303_548_901, 1e-11);
        assert_near(normal_quantile(0.025), -1.959_963_984_540_054, 1e-11);
        assert_near(normal_quantile(1.0 - 1e-9), 5.997_807_015, 1e-6);
    }

    #[test]
    fn t_quantiles_match_published_tables() {
        for (p, degrees, expected) in [
            (0.975, 1, 12.706_204_736),
            (0.975, 2, 4.302_652_730),
            (0.975, 3, 3.182_446_305),
            (0.975, 4, 2.776_445_105),
            (0.95, 5, 2.015_048_373),
            (0.975, 9, 2.262_157_163),
            (0.995, 10, 3.169_272_673),
            (0.975, 30, 2.042_272_456),
            (0.975, 100, 1.983_971_519),
        ] {
            assert_near(t_quantile(p, degrees), expected, 1e-8);
        }
    }

    #[test]
    fn the_expansion_meets_the_exact_form() {
        let exact = bisect(0.975, |t| t_probability(t, LARGE_DEGREES + 1));
        assert_near(t_quantile(0.975, LARGE_DEGREES + 1), exact, 1e-8);
    }

    #[test]
    fn interval_of_a_mean() {
        let values: Moments = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]
            .into_iter()
            .collect();
        let interval = mean_interval(&values, 0.95).expect("eight values");
        // 5 ± 2.364624 · sqrt(32/7) / sqrt(8)
        assert_near(interval.estimate, 5.0, 1e-12);
        assert_near(interval.low, 3.212_512, 1e-5);
        assert_near(interval.high, 6.787_488, 1e-5);
        assert_eq!(mean_interval(&[1.0].into_iter().collect(), 0.95), None);
    }

    #[test]
    fn wilson_interval_of_a_proportion() {
        // Wilson without continuity correction, as statsmodels and R's binom package give it.
        let interval = proportion_interval(8, 10, 0.95).expect("trials");
        assert_near(interval.low, 0.490_162, 1e-6);
        assert_near(interval.high, 0.943_318, 1e-6);
        let sure = proportion_interval(10, 10, 0.95).expect("trials");
        assert_near(sure.low, 0.722_467, 1e-6);
        assert_eq!(sure.high, 1.0);
        let never = proportion_interval(0, 10, 0.95).expect("trials");
        assert_eq!(never.low, 0.0);
        assert_near(never.high, 0.277_533, 1e-6);
        assert_eq!(proportion_interval(0, 0, 0.95), None);
    }
}
