//! The folder of a sweep: where runs lie, which are finished, and the index over them.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use reports::index::{Values, write_index};
use reports::summary::metrics;
use serde_json::{Value, json};

use super::{Cell, cells};
use crate::run::{VERSION, scenario_digest};
use crate::scenario::schema::Sweep;
use crate::scenario::{Loaded, Scenario};

/// What marks the folder of a sweep.
pub(super) const SWEEP: &str = "sweep.json";
/// The index of the runs.
const INDEX: &str = "runs.parquet";
/// Where the runs lie.
const RUNS: &str = "runs";
/// Held while a sweep works in the folder.
const LOCK: &str = "sweep.lock";
/// Longest name of a level as part of a path; longer ones go by their number.
const LEVEL_MAX: usize = 100;

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder has contents that are no sweep; they are never touched.
    #[error("{} is not empty and holds no sweep; choose another folder", .0.display())]
    Foreign(PathBuf),
    /// The folder has runs that do not belong to this sweep.
    #[error(
        "{} is a run that does not belong to this sweep; choose another folder, \
         or pass --force to remove such runs", .0.display()
    )]
    Stray(PathBuf),
    /// Another sweep is at work in the folder.
    #[error("another sweep is at work in {}", .0.display())]
    Busy(PathBuf),
    /// A results folder lacks something or holds something unreadable.
    #[error("{}: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is the matter.
        why: String,
    },
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The index cannot be written.
    #[error(transparent)]
    Index(#[from] reports::Error),
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    |source| StoreError::Io { path, source }
}

/// The folder of a sweep.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    _lock: File,
}

impl Store {
    /// Opens the folder for the sweep of `scenario`, and creates it if there is none.
    ///
    /// # Errors
    ///
    /// The folder holds something else, or with `force` not given runs of another sweep.
    pub fn open(folder: &Path, scenario: &Scenario, force: bool) -> Result<Self, StoreError> {
        let occupied = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
        if folder.is_file() || occupied && !is_sweep(folder) {
            return Err(StoreError::Foreign(folder.to_owned()));
        }
        let runs = folder.join(RUNS);
        fs::create_dir_all(folder).map_err(io_error(folder))?;
        // The mark comes first: a folder with anything else in it can be told to be a sweep.
        if !is_sweep(folder) {
            describe(folder, scenario, false)?;
        }
        let lock = folder.join(LOCK);
        let file = File::create(&lock).map_err(io_error(&lock))?;
        if file.try_lock().is_err() {
            return Err(StoreError::Busy(folder.to_owned()));
        }
        let own: BTreeSet<PathBuf> = cells(&scenario.sweep)
            .map(|cell| folder.join(place(&scenario.sweep, cell)))
            .collect();
        for run in result_folders(&runs)? {
            if own.contains(&run) {
                continue;
            }
            if !force {
                return Err(StoreError::Stray(run));
            }
            fs::remove_dir_all(&run).map_err(io_error(&run))?;
        }
        describe(folder, scenario, false)?;
        let index = folder.join(INDEX);
        match fs::remove_file(&index) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error(&index)(error));
            }
            _ => {}
        }
        Ok(Self {
            folder: folder.to_owned(),
            _lock: file,
        })
    }

    /// The results folder of a run.
    pub fn run_folder(&self, sweep: &Sweep, cell: Cell) -> PathBuf {
        self.folder.join(place(sweep, cell))
    }

    /// Whether the run `variant` is finished in `folder`; removes what is there if it is not.
    ///
    /// # Errors
    ///
    /// The file system refuses.
    pub fn is_finished(folder: &Path, variant: &Loaded) -> Result<bool, StoreError> {
        let manifest = read_json(&folder.join("manifest.json")).unwrap_or_default();
        let finished = manifest["complete"] == true
            && manifest["version"] == VERSION
            && manifest["schema_version"] == reports::SCHEMA_VERSION
            && manifest["scenario_digest"] == scenario_digest(&variant.scenario);
        if !finished && folder.exists() {
            fs::remove_dir_all(folder).map_err(io_error(folder))?;
        }
        Ok(finished)
    }

    /// Writes the index over all runs, which are finished, and marks the sweep as complete.
    ///
    /// # Errors
    ///
    /// A run cannot be read or the index cannot be written.
    pub fn complete(self, scenario: &Scenario) -> Result<(), StoreError> {
        let sweep = &scenario.sweep;
        let rows: Vec<(Cell, Finished)> = cells(sweep)
            .map(|cell| Ok((cell, Finished::read(&self.run_folder(sweep, cell))?)))
            .collect::<Result<_, StoreError>>()?;
        let columns = columns(sweep, &rows);
        write_index(&self.folder.join(INDEX), VERSION, columns)?;
        describe(&self.folder, scenario, true)?;
        let lock = self.folder.join(LOCK);
        fs::remove_file(&lock).map_err(io_error(&lock))
    }
}

/// The numbers of a finished run.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// Its seed.
    pub seed: u64,
    /// Digest of its trajectory.
    pub digest: String,
    /// Its events.
    pub events: u64,
    /// Whether its expectations hold.
    pub meets_expectations: bool,
    /// Its metrics, in the order of `meterstorm explain metrics`.
    pub metrics: Vec<Option<f64>>,
}

impl Finished {
    /// Reads the results folder `folder`.
    ///
    /// # Errors
    ///
    /// There is no manifest or no summary in it, or its run did not end.
    pub fn read(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join("manifest.json");
        let manifest = read_json(&path)?;
        if manifest["complete"] != true {
            let why = "the run did not end".to_owned();
            return Err(StoreError::Unreadable { path, why });
        }
        let summary = read_json(&folder.join("summary.json"))?;
        let number = |path: &str| {
            path.split('.')
                .fold(&summary, |value, step| &value[step])
                .as_f64()
        };
        let expectations = summary["expectations"].as_array();
        Ok(Self {
            seed: manifest["seed"].as_u64().unwrap_or(0),
            digest: manifest["digest"].as_str().unwrap_or("").to_owned(),
            events: manifest["events"].as_u64().unwrap_or(0),
            meets_expectations: expectations
                .is_none_or(|verdicts| verdicts.iter().all(|verdict| verdict["holds"] == true)),
            metrics: metrics()
                .iter()
                .map(|metric| number(&metric.path))
                .collect(),
        })
    }
}

fn columns(sweep: &Sweep, rows: &[(Cell, Finished)]) -> Vec<(String, Values)> {
    let names = sweep.arm_names();
    let texts = |text: &dyn Fn(&Cell, &Finished) -> String| {
        Values::Text(rows.iter().map(|(cell, run)| text(cell, run)).collect())
    };
    let counts = |count: &dyn Fn(&Cell, &Finished) -> u64| {
        Values::UInt64(rows.iter().map(|(cell, run)| count(cell, run)).collect())
    };
    let mut columns = vec![(
        "arm".to_owned(),
        texts(&|cell, _| names[cell.arm].to_owned()),
    )];
    for (index, (path, _)) in sweep.factors.0.iter().enumerate() {
        let label = |cell: &Cell, _: &Finished| sweep.levels(cell.point)[index].1.label();
        columns.push((path.text.clone(), texts(&label)));
    }
    columns.extend([
        (
            "replication".to_owned(),
            counts(&|cell, _| u64::from(cell.replication)),
        ),
        ("folder".to_owned(), texts(&|cell, _| place(sweep, *cell))),
        ("seed".to_owned(), counts(&|_, run| run.seed)),
        ("digest".to_owned(), texts(&|_, run| run.digest.clone())),
        ("events".to_owned(), counts(&|_, run| run.events)),
        (
            "meets_expectations".to_owned(),
            Values::Boolean(rows.iter().map(|(_, run)| run.meets_expectations).collect()),
        ),
    ]);
    for (index, metric) in metrics().iter().enumerate() {
        let values = rows.iter().map(|(_, run)| run.metrics[index]).collect();
        columns.push((metric.path.clone(), Values::Float64(values)));
    }
    columns
}

/// Where a run lies below the folder of the sweep.
pub(super) fn place(sweep: &Sweep, cell: Cell) -> String {
    let mut place = format!("{RUNS}/arm={}", encoded(sweep.arm_names()[cell.arm]));
    let indices = sweep.level_indices(cell.point);
    for ((path, levels), index) in sweep.factors.0.iter().zip(indices) {
        let label = encoded(&levels[index].label());
        let label = match label.len() {
            1..=LEVEL_MAX => label,
            _ => format!("level-{index}"),
        };
        place.push_str(&format!("/{}={label}", encoded(&path.text)));
    }
    place.push_str(&format!("/replication={}", cell.replication));
    place
}

/// Percent-encodes what may not stand in the name of a folder, as Hive does.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-_.[]".contains(&octet) {
            encoded.push(char::from(octet));
        } else {
            encoded.push_str(&format!("%{octet:02X}"));
        }
    }
    encoded
}

/// The text that [`encoded`] made a name of.
pub(super) fn decoded(name: &str) -> String {
    let mut octets = Vec::new();
    let mut rest = name.as_bytes();
    while let [first, others @ ..] = rest {
        let code = others
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(octet) if *first == b'%' => {
                octets.push(octet);
                rest = &others[2..];
            }
            _ => {
                octets.push(*first);
                rest = others;
            }
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// Whether `folder` is the folder of a sweep.
pub fn is_sweep(folder: &Path) -> bool {
    folder.join(SWEEP).is_file()
}

/// All results folders at or below `folder`, in the order of their paths.
///
/// # Errors
///
/// A folder cannot be read.
pub fn result_folders(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        if folder.join("manifest.json").is_file() {
            found.push(folder);
            continue;
        }
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other.map_err(io_error(&folder))?,
        };
        for entry in entries {
            let path = entry.map_err(io_error(&folder))?.path();
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Writes what the sweep varies.
fn describe(folder: &Path, scenario: &Scenario, complete: bool) -> Result<(), StoreError> {
    let sweep = &scenario.sweep;
    let levels = |(path, levels): &(_, Vec<crate::scenario::sweep::Literal>)| {
        let path: &crate::scenario::ast::Name = path;
        let levels: Vec<String> = levels.iter().map(|level| level.label()).collect();
        json!({ "path": path.text, "levels": levels })
    };
    let description = json!({
        "program": "meterstorm",
        "version": VERSION,
        "complete": complete,
        "name": scenario.name,
        "scenario": scenario.to_ron(),
        "arms": sweep.arm_names(),
        "factors": sweep.factors.0.iter().map(levels).collect::<Vec<_>>(),
        "replications": sweep.replications,
        "runs": sweep.runs(),
    });
    let mut text = serde_json::to_string_pretty(&description).unwrap_or_default();
    text.push('\n');
    let path = folder.join(SWEEP);
    fs::write(&path, text).map_err(io_error(&path))
}

pub(super) fn read_json(path: &Path) -> Result<Value, StoreError> {
    let text = fs::read_to_string(path).map_err(io_error(path))?;
    serde_json::from_str(&text).map_err(|error| StoreError::Unreadable {
        path: path.to_owned(),
        why: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_folders_are_safe_and_reversible() {
        assert_eq!(encoded("keys.session_lifetime"), "keys.session_lifetime");
        assert_eq!(encoded("cohorts[0].count"), "cohorts[0].count");
        assert_eq!(encoded("../a=b c%"), "..%2Fa%3Db%20c%25");
        assert_eq!(encoded("ä"), "%C3%A4");
        for text in ["", "../a=b c%", "ä%", "%41", "%"] {
            assert_eq!(decoded(&encoded(text)), text);
        }
        assert_eq!(decoded("%4"), "%4");
    }
}
