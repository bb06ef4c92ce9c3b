//! Exact sample quantiles.

/// Quantile of sorted values, by linear interpolation between order statistics.
///
/// Definition 7 of Hyndman and Fan (1996), the default of R and NumPy: with values x₀ ≤ … ≤ xₙ₋₁
/// and h = (n - 1)·q, the quantile is x⌊h⌋ + (h - ⌊h⌋)·(x⌊h⌋₊₁ - x⌊h⌋). So `q` = 0 is the minimum,
/// 1 the maximum and 0.5 the median. `None` if there are no values.
///
/// # Panics
///
/// If `q` is not within 0 to 1.
#[must_use]
pub fn quantile_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    assert!((0.0..=1.0).contains(&q), "a quantile's level is 0 to 1");
    debug_assert!(sorted.is_sorted(), "values are sorted and none is NaN");
    let last = sorted.len().checked_sub(1)?;
    let position = last as f64 * q;
    let below = position.floor() as usize;
    let low = sorted[below];
    let high = sorted[(below + 1).min(last)];
    Some(low + (position - below as f64) * (high - low))
}

/// Quantile of values in any order; sorts them.
///
/// See [`quantile_sorted`] for definition and panics.
#[must_use]
pub fn quantile(values: &mut [f64], q: f64) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    quantile_sorted(values, q)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_of_definition_7() {
        // numpy.quantile([15, 20, 35, 40, 50], q)
        let values = [15.0, 20.0, 35.0, 40.0, 50.0];
        for (q, expected) in [
            (0.0, 15.0),
            (0.05, 16.0),
            (0.25, 20.0),
            (0.30, 23.0),
            (0.5, 35.0),
            (0.9, 46.0),
            (1.0, 50.0),
        ] {
            let found = quantile_sorted(&values, q).expect("values");
            assert!((found - expected).abs() < 1e-12, "{q}: {found}");
        }
    }

    #[test]
    fn order_does_not_matter() {
        let mut values = [3.0, 1.0, 2.0, 4.0];
        assert_eq!(quantile(&mut values, 0.5), Some(2.5));
    }

    #[test]
    fn one_value_is_every_quantile_and_none_has_no_quantile() {
        assert_eq!(quantile_sorted(&[7.0], 0.0), Some(7.0));
        assert_eq!(quantile_sorted(&[7.0], 0.99), Some(7.0));
        assert_eq!(quantile_sorted(&[], 0.5), None);
    }

    #[test]
    #[should_panic(expected = "0 to 1")]
    fn a_level_beyond_one_is_a_mistake() {
        let _ = quantile_sorted(&[1.0], 1.5);
    }
}
