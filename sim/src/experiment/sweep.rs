//! Runs a sweep: many single-threaded runs at a time, resumed where it was left.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::store::{Finished, Store, StoreError};
use super::{Cell, cells};
use crate::run::{self, Options, RunError};
use crate::scenario::Loaded;
use crate::scenario::schema::Sweep;

/// How a sweep is to be made. None of this changes its results.
#[derive(Debug)]
pub struct SweepOptions {
    /// Its folder.
    pub folder: PathBuf,
    /// Runs at a time.
    pub jobs: NonZero<usize>,
    /// Whether runs of another sweep in the folder are removed.
    pub force: bool,
    /// Set from outside to end the sweep early; the same command resumes it.
    pub interrupt: Arc<AtomicBool>,
}

/// How far a sweep has got.
#[derive(Clone, Copy, Debug)]
pub struct SweepProgress {
    /// Runs that are finished, those of an earlier attempt included.
    pub finished: u64,
    /// Runs in all.
    pub runs: u64,
    /// Whether the last of them was finished by an earlier attempt.
    pub resumed: bool,
}

/// What a sweep yielded.
#[derive(Debug)]
pub struct SweepReport {
    /// Its folder.
    pub folder: PathBuf,
    /// Runs in all.
    pub runs: u64,
    /// Runs that are finished.
    pub finished: u64,
    /// Runs among them that an earlier attempt had finished.
    pub resumed: u64,
    /// Folders of runs that do not meet the expectations.
    pub failed: Vec<PathBuf>,
}

impl SweepReport {
    /// Whether all runs are finished.
    pub fn is_complete(&self) -> bool {
        self.finished == self.runs
    }
}

/// Why a sweep failed.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// Its folder cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A run failed; runs finished until then stay.
    #[error("{}: {source}", folder.display())]
    Run {
        /// The folder of the run.
        folder: PathBuf,
        /// Why.
        source: RunError,
    },
}

/// Runs the sweep of a scenario; `progress` is called after every run.
///
/// # Errors
///
/// See [`SweepError`]. Of several runs that fail the first in the order of the sweep is named.
pub fn sweep(
    loaded: &Loaded,
    options: &SweepOptions,
    mut progress: impl FnMut(&SweepProgress),
) -> Result<SweepReport, SweepError> {
    let scenario = &loaded.scenario;
    let store = Store::open(&options.folder, scenario, options.force)?;
    let cells: Vec<Cell> = cells(&scenario.sweep).collect();
    let worker = Worker {
        loaded,
        store: &store,
        cells: &cells,
        interrupt: &options.interrupt,
        next: AtomicUsize::new(0),
        tally: Mutex::default(),
    };
    std::thread::scope(|scope| {
        let (sender, finished) = channel();
        for _ in 0..options.jobs.get().min(cells.len()) {
            let (worker, sender) = (&worker, sender.clone());
            scope.spawn(move || worker.work(&sender));
        }
        drop(sender);
        for now in finished {
            progress(&now);
        }
    });
    let tally = worker
        .tally
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some((_, error)) = tally.error {
        return Err(error);
    }
    let mut report = SweepReport {
        folder: options.folder.clone(),
        runs: cells.len() as u64,
        finished: tally.finished,
        resumed: tally.resumed,
        failed: Vec::new(),
    };
    if report.is_complete() {
        for cell in &cells {
            let folder = store.run_folder(&scenario.sweep, *cell);
            if !Finished::read(&folder)?.meets_expectations {
                report.failed.push(folder);
            }
        }
        store.complete(scenario)?;
    }
    Ok(report)
}

/// What the threads of a sweep share.
struct Worker<'a> {
    loaded: &'a Loaded,
    store: &'a Store,
    cells: &'a [Cell],
    interrupt: &'a Arc<AtomicBool>,
    /// Index of the first cell that no thread has taken.
    next: AtomicUsize,
    tally: Mutex<Tally>,
}

#[derive(Default)]
struct Tally {
    finished: u64,
    resumed: u64,
    error: Option<(usize, SweepError)>,
}

impl Worker<'_> {
    fn work(&self, progress: &Sender<SweepProgress>) {
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(cell) = self.cells.get(index) else {
                return;
            };
            if self.interrupt.load(Ordering::Relaxed) {
                return;
            }
            let done = self.run(*cell);
            let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
            match done {
                Ok(Done::Interrupted) => return,
                Ok(done) => {
                    let resumed = matches!(done, Done::Before);
                    tally.finished += 1;
                    tally.resumed += u64::from(resumed);
                    let now = SweepProgress {
                        finished: tally.finished,
                        runs: self.cells.len() as u64,
                        resumed,
                    };
                    // The receiver outlives the threads.
                    let _ = progress.send(now);
                }
                Err(error) => {
                    let first = tally.error.as_ref().is_none_or(|(known, _)| index < *known);
                    if first {
                        tally.error = Some((index, error));
                    }
                    // Runs that have begun end by themselves; no other begins.
                    self.next.store(self.cells.len(), Ordering::Relaxed);
                    return;
                }
            }
        }
    }

    fn run(&self, cell: Cell) -> Result<Done, SweepError> {
        let sweep = &self.loaded.scenario.sweep;
        let folder = self.store.run_folder(sweep, cell);
        let variant = variant(self.loaded, cell, &folder)?;
        if Store::is_finished(&folder, &variant)? {
            return Ok(Done::Before);
        }
        let options = Options {
            threads: 1,
            folder: Some(folder.clone()),
            interrupt: Arc::clone(self.interrupt),
            ..Options::default()
        };
        match run::run(&variant, &options, |_| {}) {
            Ok(report) if report.interrupted => Ok(Done::Interrupted),
            Ok(_) => Ok(Done::Now),
            Err(source) => Err(SweepError::Run { folder, source }),
        }
    }
}

/// What became of a run.
enum Done {
    /// An earlier attempt had finished it.
    Before,
    /// It was ended early.
    Interrupted,
    /// It is finished.
    Now,
}

/// The scenario of one run.
fn variant(loaded: &Loaded, cell: Cell, folder: &Path) -> Result<Loaded, StoreError> {
    let seed = Sweep::seed(loaded.scenario.seed, cell.replication);
    let variant = loaded.variant(cell.arm, cell.point, seed);
    variant.map_err(|report| StoreError::Unreadable {
        path: folder.to_owned(),
        why: report.to_string(),
    })
}
