//! Paired comparison: differences between two arms, replication by replication.
//!
//! Two runs are a pair if they lie at the same place below the two folders that are compared and
//! have the same seed. Their common random numbers cancel in the difference, so its interval is
//! far narrower than the difference of two intervals would be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use reports::stats::{Interval, Moments, mean_interval};
use reports::summary::metrics;

use super::store::{Finished, StoreError, decoded, is_sweep, result_folders};

/// Level of the intervals.
pub const LEVEL: f64 = 0.95;

/// What two folders have in common and in what they differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Differences at each point of the sweep.
    pub points: Vec<Point>,
    /// Runs that have no counterpart of the same seed, or did not end.
    pub unpaired: Vec<PathBuf>,
}

/// Differences at one point of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The levels of the factors, as the names of the folders state them; empty without factors.
    pub name: String,
    /// Pairs of runs.
    pub pairs: u64,
    /// Pairs of runs whose trajectories are identical.
    pub identical: u64,
    /// One difference per metric that both runs of a pair have.
    pub differences: Vec<Difference>,
}

/// The difference in one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Path of the metric.
    pub metric: &'static str,
    /// Pairs in which both runs have the metric.
    pub pairs: u64,
    /// Mean of the first folder.
    pub mean_a: f64,
    /// Mean of the second folder.
    pub mean_b: f64,
    /// Mean of the differences, second less first.
    pub mean: f64,
    /// Student's interval of that mean at [`LEVEL`]; none below two pairs.
    pub interval: Option<Interval>,
    /// Whether the difference of every pair is exactly zero.
    pub vanishes: bool,
}

/// Why two folders cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A folder cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A folder holds no results.
    #[error("{} holds no results of a run", .0.display())]
    Empty(PathBuf),
    /// A folder holds several arms.
    #[error("{} holds several arms; name one, as in {}", folder.display(), example.display())]
    SeveralArms {
        /// The folder of the sweep.
        folder: PathBuf,
        /// The folder of one arm.
        example: PathBuf,
    },
    /// No run of one folder has a counterpart in the other.
    #[error(
        "no run in {} has a counterpart of the same place and seed in {}",
        .0.display(), .1.display()
    )]
    Unpaired(PathBuf, PathBuf),
}

/// Compares the runs at or below `a` with those at or below `b`.
///
/// # Errors
///
/// See [`CompareError`].
pub fn compare(a: &Path, b: &Path) -> Result<Comparison, CompareError> {
    let (top_a, top_b) = (single_arm(a)?, single_arm(b)?);
    let (runs_a, runs_b) = (side(&top_a)?, side(&top_b)?);
    let places: BTreeSet<&PathBuf> = runs_a.keys().chain(runs_b.keys()).collect();
    let mut points: BTreeMap<String, Vec<[&Finished; 2]>> = BTreeMap::new();
    let mut unpaired = Vec::new();
    for place in places {
        match (runs_a.get(place), runs_b.get(place)) {
            (Some(Some(run_a)), Some(Some(run_b))) if run_a.seed == run_b.seed => {
                points
                    .entry(point_of(place))
                    .or_default()
                    .push([run_a, run_b]);
            }
            (Some(_), None) => unpaired.push(joined(&top_a, place)),
            (None, Some(_)) => unpaired.push(joined(&top_b, place)),
            _ => unpaired.extend([joined(&top_a, place), joined(&top_b, place)]),
        }
    }
    if points.is_empty() {
        return Err(CompareError::Unpaired(a.to_owned(), b.to_owned()));
    }
    let points = points.into_iter().map(|(name, pairs)| point(name, &pairs));
    Ok(Comparison {
        points: points.collect(),
        unpaired,
    })
}

fn joined(folder: &Path, place: &Path) -> PathBuf {
    match place.as_os_str().is_empty() {
        true => folder.to_owned(),
        false => folder.join(place),
    }
}

/// The runs at or below `folder` by their place in it; nothing for one that did not end.
fn side(folder: &Path) -> Result<BTreeMap<PathBuf, Option<Finished>>, CompareError> {
    let mut runs = BTreeMap::new();
    for run in result_folders(folder)? {
        let place = run.strip_prefix(folder).unwrap_or(&run).to_owned();
        runs.insert(place, Finished::read(&run).ok());
    }
    if runs.values().all(Option::is_none) {
        return Err(CompareError::Empty(folder.to_owned()));
    }
    Ok(runs)
}

/// The only arm of a sweep; any other folder is taken as it is.
fn single_arm(folder: &Path) -> Result<PathBuf, CompareError> {
    if !is_sweep(folder) {
        return Ok(folder.to_owned());
    }
    let entries = fs::read_dir(folder.join("runs")).into_iter().flatten();
    let mut arms: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    arms.sort_unstable();
    match arms.as_slice() {
        [] => Err(CompareError::Empty(folder.to_owned())),
        [arm] => Ok(arm.clone()),
        [example, ..] => Err(CompareError::SeveralArms {
            folder: folder.to_owned(),
            example: example.clone(),
        }),
    }
}

/// The point of a sweep to which the run at `place` belongs.
fn point_of(place: &Path) -> String {
    let steps = place.iter().map(|step| step.to_string_lossy());
    let levels: Vec<String> = steps
        .filter(|step| !step.starts_with("replication="))
        .map(|step| decoded(&step))
        .collect();
    levels.join(" ")
}

fn point(name: String, pairs: &[[&Finished; 2]]) -> Point {
    let differences = metrics().iter().enumerate().filter_map(|(index, metric)| {
        let values: Vec<[f64; 2]> = pairs
            .iter()
            .filter_map(|[a, b]| Some([a.metrics[index]?, b.metrics[index]?]))
            .collect();
        difference(&metric.path, &values)
    });
    Point {
        name,
        pairs: pairs.len() as u64,
        identical: pairs.iter().filter(|[a, b]| a.digest == b.digest).count() as u64,
        differences: differences.collect(),
    }
}

/// The mean difference of the pairs; nothing without a pair.
fn difference(metric: &'static str, pairs: &[[f64; 2]]) -> Option<Difference> {
    let moments = |value: fn(&[f64; 2]) -> f64| pairs.iter().map(value).collect::<Moments>();
    let differences = moments(|[a, b]| b - a);
    Some(Difference {
        metric,
        pairs: pairs.len() as u64,
        mean_a: moments(|[a, _]| *a).mean()?,
        mean_b: moments(|[_, b]| *b).mean()?,
        mean: differences.mean()?,
        interval: mean_interval(&differences, LEVEL),
        vanishes: pairs.iter().all(|[a, b]| a == b),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_paired_differences() {
        // Student's sleep data (1908): ten patients, two drugs; t = 4.0621, p = 0.002833.
        let drug_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let drug_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let pairs: Vec<[f64; 2]> = drug_1
            .into_iter()
            .zip(drug_2)
            .map(|(a, b)| [a, b])
            .collect();
        let found = difference("x", &pairs).expect("pairs");
        let interval = found.interval.expect("ten pairs");
        assert!((found.mean - 1.58).abs() < 1e-12);
        assert!((interval.low - 0.700_114).abs() < 1e-6, "{interval:?}");
        assert!((interval.high - 2.459_886).abs() < 1e-6, "{interval:?}");
        assert!(!found.vanishes);
    }

    #[test]
    fn equal_pairs_differ_by_exactly_nothing_and_one_pair_has_no_interval() {
        let found =
            difference("x", &[[0.1, 0.1], [7e9, 7e9], [1.0 / 3.0, 1.0 / 3.0]]).expect("pairs");
        assert!(found.vanishes);
        assert_eq!(found.mean, 0.0);
        let interval = found.interval.expect("three pairs");
        assert_eq!((interval.low, interval.high), (0.0, 0.0));
        assert_eq!(
            difference("x", &[[1.0, 2.0]]).expect("a pair").interval,
            None
        );
        assert_eq!(difference("x", &[]), None);
    }

    #[test]
    fn replications_of_a_point_belong_together() {
        let place = Path::new("media.lan.loss=5%25/cohorts[0].count=10/replication=3");
        assert_eq!(point_of(place), "media.lan.loss=5% cohorts[0].count=10");
        assert_eq!(point_of(Path::new("replication=0")), "");
        assert_eq!(point_of(Path::new("")), "");
    }
}
