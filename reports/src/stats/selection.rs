//! Exact sample quantiles of values that are too many to keep.

use super::{Moments, quantile_sorted};

/// Values that are kept and sorted; 2 MiB.
const KEPT_MAX: usize = 1 << 18;
/// Bits of a value that one pass decides.
const DIGIT: u32 = 16;
const BITS: u32 = u64::BITS;

/// Number, mean and quantiles of a sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample<const N: usize> {
    /// How many values there are.
    pub count: u64,
    /// Their arithmetic mean.
    pub mean: Option<f64>,
    /// The quantiles that were asked for, by definition 7 of Hyndman and Fan (1996).
    pub quantiles: [Option<f64>; N],
}

/// Summarises the values that `scan` shows, which are the same ones in every call.
///
/// Up to 262,144 values are kept and sorted. Of more, each further call of `scan` decides sixteen
/// bits of all order statistics at once, until what is left can be kept: three or four passes for
/// durations, five for any values. Memory is that of a few histograms.
///
/// # Errors
///
/// Those of `scan`.
///
/// # Panics
///
/// If a level is not within 0 to 1.
pub fn sample<const N: usize, E>(
    levels: [f64; N],
    mut scan: impl FnMut(&mut dyn FnMut(f64)) -> Result<(), E>,
) -> Result<Sample<N>, E> {
    sample_with(KEPT_MAX, levels, &mut scan)
}

fn sample_with<const N: usize, E>(
    kept_max: usize,
    levels: [f64; N],
    scan: &mut impl FnMut(&mut dyn FnMut(f64)) -> Result<(), E>,
) -> Result<Sample<N>, E> {
    let (mut moments, mut kept) = (Moments::new(), Vec::new());
    scan(&mut |value| {
        moments.push(value);
        if kept.len() <= kept_max {
            kept.push(value);
        }
    })?;
    let (count, mean) = (moments.count(), moments.mean());
    if kept.len() <= kept_max {
        kept.sort_unstable_by(f64::total_cmp);
        let quantiles = levels.map(|level| quantile_sorted(&kept, level));
        return Ok(Sample {
            count,
            mean,
            quantiles,
        });
    }
    drop(kept);
    let places = levels.map(|level| Place::of(level, count));
    let mut ranks: Vec<u64> = places
        .iter()
        .flat_map(|place| [place.below, place.above])
        .collect();
    ranks.sort_unstable();
    ranks.dedup();
    let statistics = select(kept_max, &ranks, scan)?;
    let statistic = |rank: u64| ranks.binary_search(&rank).map(|at| statistics[at]);
    let quantiles = places.map(|place| {
        let (low, high) = (statistic(place.below).ok()?, statistic(place.above).ok()?);
        Some(low + place.beyond * (high - low))
    });
    Ok(Sample {
        count,
        mean,
        quantiles,
    })
}

/// Between which order statistics a quantile lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    below: u64,
    above: u64,
    /// How far beyond the lower one, from 0 to 1.
    beyond: f64,
}

impl Place {
    fn of(level: f64, count: u64) -> Self {
        assert!((0.0..=1.0).contains(&level), "a quantile's level is 0 to 1");
        let last = count - 1;
        let position = last as f64 * level;
        let below = (position.floor() as u64).min(last);
        Self {
            below,
            above: (below + 1).min(last),
            beyond: position - below as f64,
        }
    }
}

/// Values that agree in their first bits, among which order statistics are looked for.
#[derive(Clone, Debug)]
struct Bucket {
    /// These bits, and zeros.
    prefix: u64,
    /// How many of its values there are.
    count: u64,
    /// Which of its values are wanted, and the place of each in the result.
    wanted: Vec<(u64, usize)>,
}

/// The values of the given ranks, which are in order.
fn select<E>(
    kept_max: usize,
    ranks: &[u64],
    scan: &mut impl FnMut(&mut dyn FnMut(f64)) -> Result<(), E>,
) -> Result<Vec<f64>, E> {
    let mut found = vec![0.0; ranks.len()];
    let mut buckets = vec![Bucket {
        prefix: 0,
        count: u64::MAX,
        wanted: ranks.iter().copied().zip(0..).collect(),
    }];
    let mut known = 0;
    while known < BITS
        && buckets
            .iter()
            .map(|bucket| bucket.count)
            .fold(0, u64::saturating_add)
            > kept_max as u64
    {
        let mut histograms = vec![vec![0_u64; 1 << DIGIT]; buckets.len()];
        scan(&mut |value| {
            let key = key(value);
            if let Some(at) = place(&buckets, known, key) {
                histograms[at][digit(key, known)] += 1;
            }
        })?;
        let split = buckets.iter().zip(&histograms);
        buckets = split
            .flat_map(|(bucket, histogram)| bucket.split(histogram, known))
            .collect();
        known += DIGIT;
    }
    if known == BITS {
        // All values of a bucket are the same.
        for bucket in &buckets {
            for (_, place) in &bucket.wanted {
                found[*place] = value(bucket.prefix);
            }
        }
        return Ok(found);
    }
    let mut kept = vec![Vec::new(); buckets.len()];
    scan(&mut |value| {
        if let Some(at) = place(&buckets, known, key(value)) {
            kept[at].push(value);
        }
    })?;
    for (bucket, kept) in buckets.iter().zip(&mut kept) {
        kept.sort_unstable_by(f64::total_cmp);
        for (rank, place) in &bucket.wanted {
            found[*place] = kept[*rank as usize];
        }
    }
    Ok(found)
}

impl Bucket {
    /// Divides it by the next digit; parts without a wanted value are left out.
    fn split(&self, histogram: &[u64], known: u32) -> Vec<Self> {
        let mut parts: Vec<Self> = Vec::new();
        let (mut before, mut digit) = (0, 0);
        for &(rank, place) in &self.wanted {
            while before + histogram[digit] <= rank {
                before += histogram[digit];
                digit += 1;
            }
            let prefix = self.prefix | (digit as u64) << (BITS - DIGIT - known);
            let wanted = (rank - before, place);
            match parts.last_mut().filter(|part| part.prefix == prefix) {
                Some(part) => part.wanted.push(wanted),
                None => parts.push(Self {
                    prefix,
                    count: histogram[digit],
                    wanted: vec![wanted],
                }),
            }
        }
        parts
    }
}

/// The bucket that a value lies in.
fn place(buckets: &[Bucket], known: u32, key: u64) -> Option<usize> {
    let mask = !u64::MAX.checked_shr(known).unwrap_or(0);
    buckets
        .iter()
        .position(|bucket| bucket.prefix == key & mask)
}

fn digit(key: u64, known: u32) -> usize {
    (key >> (BITS - DIGIT - known)) as usize & ((1 << DIGIT) - 1)
}

/// Bits that are in the order of the values.
fn key(value: f64) -> u64 {
    let bits = value.to_bits();
    if value.is_sign_negative() {
        !bits
    } else {
        bits | 1 << (BITS - 1)
    }
}

/// The value of a key.
fn value(key: u64) -> f64 {
    let positive = key >> (BITS - 1) == 1;
    f64::from_bits(if positive {
        key & !(1 << (BITS - 1))
    } else {
        !key
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVELS: [f64; 6] = [0.0, 0.05, 0.5, 0.95, 0.99, 1.0];

    fn of(kept_max: usize, values: &[f64]) -> (Sample<6>, u32) {
        let mut passes = 0;
        let mut scan = |each: &mut dyn FnMut(f64)| -> Result<(), ()> {
            passes += 1;
            values.iter().for_each(|value| each(*value));
            Ok(())
        };
        let sample = sample_with(kept_max, LEVELS, &mut scan).expect("no error");
        (sample, passes)
    }

    /// What sorting all of `values` gives, and selection with little memory.
    fn both(values: &[f64]) -> u32 {
        let (expected, once) = of(values.len(), values);
        assert_eq!(once, 1, "all of them are kept");
        let (found, passes) = of(10, values);
        assert_eq!(found, expected);
        passes
    }

    #[test]
    fn selection_finds_what_sorting_finds() {
        let mut state = 7_u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state >> 33
        };
        let durations: Vec<f64> = (0..5_000)
            .map(|_| (next() % 90_000_000) as f64 / 1e9)
            .collect();
        both(&durations);
        let signed: Vec<f64> = (0..5_000).map(|_| next() as f64 - 1e9).collect();
        both(&signed);
        let few: Vec<f64> = (0..5_000).map(|_| (next() % 3) as f64).collect();
        assert_eq!(both(&few), 5, "equal values need every digit");
    }

    #[test]
    fn extremes_and_one_value() {
        both(&[
            -1e300,
            -0.0,
            0.0,
            f64::MIN_POSITIVE,
            1e300,
            1.0,
            2.0,
            3.0,
            4.0,
            5.0,
            6.0,
        ]);
        let (sample, _) = of(10, &[4.5]);
        assert_eq!(sample.quantiles, [Some(4.5); 6]);
        let (sample, _) = of(10, &[]);
        assert_eq!(
            (sample.count, sample.mean, sample.quantiles[2]),
            (0, None, None)
        );
    }

    #[test]
    fn keys_are_in_the_order_of_values() {
        let values = [
            f64::NEG_INFINITY,
            -2.5,
            -1.0,
            -0.0,
            0.0,
            1e-300,
            1.0,
            f64::INFINITY,
        ];
        assert!(values.map(key).is_sorted());
        for each in values {
            assert_eq!(value(key(each)).to_bits(), each.to_bits());
        }
    }
}
