//! What a run leaves behind: tables, capture, summary and manifest in their places.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use models::fleet::Fleet;
use models::time::Time;
use reports::{Provenance, Results, Summary};

use super::{FleetDomain, RunError, VERSION, folder};
use crate::capture::{self, Capture};
use crate::record::{self, Counts, Recorder};
use crate::scenario::{self, Scenario};

/// Where a run is to leave its results.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places<'a> {
    /// The results folder; a new one below `results` if absent.
    pub(crate) folder: Option<&'a Path>,
    /// The packet capture; if absent, in the results folder if the scenario wants one.
    pub(crate) pcap: Option<&'a Path>,
    /// Whether older results and captures are replaced.
    pub(crate) force: bool,
}

impl Places<'_> {
    /// Takes possession of all places, or of none; returns the folder.
    ///
    /// # Errors
    ///
    /// One is occupied or cannot be written.
    pub(crate) fn claim(&self, name: &str) -> Result<PathBuf, RunError> {
        if let Some(path) = self.pcap {
            claim_file(path, self.force)?;
        }
        let folder = folder::create(self.folder, name, self.force);
        if let (Err(_), Some(path), false) = (&folder, self.pcap, self.force) {
            // It was not there before, and the run that it was for does not begin.
            let _ = fs::remove_file(path);
        }
        Ok(folder?)
    }
}

/// Makes sure that a capture can be written, before anything else is.
fn claim_file(path: &Path, force: bool) -> Result<(), RunError> {
    let opened = OpenOptions::new()
        .write(true)
        .create(true)
        .create_new(!force)
        // An older capture stays until there is something to replace it with.
        .truncate(false)
        .open(path);
    match opened {
        Ok(_) => Ok(()),
        Err(source) => Err(RunError::CaptureFile {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Says how to get over an obstacle, if it is an older file.
pub(super) fn replace_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AlreadyExists => "; --force replaces it",
        _ => "",
    }
}

/// Writes down what domains observe.
pub(crate) struct Ledger {
    folder: PathBuf,
    recorder: Recorder,
    capture: Option<Capture>,
}

/// A ledger whose files are complete.
pub(crate) struct Closed {
    folder: PathBuf,
    counts: Counts,
    capture: Option<capture::Contents>,
}

/// What a closed ledger amounts to.
pub(crate) struct Account {
    /// The results folder.
    pub(crate) folder: PathBuf,
    /// What was counted besides the tables.
    pub(crate) counts: Counts,
    /// The packet capture, if one was wanted.
    pub(crate) capture: Option<capture::Contents>,
    /// The numbers of the tables.
    pub(crate) summary: Summary,
    /// What became of the expectations.
    pub(crate) verdicts: Vec<scenario::expect::Verdict>,
}

impl Ledger {
    /// Creates all files in the `folder` that was claimed; with them comes the fleet, whose capture
    /// plan is set if `pcap` wants one.
    ///
    /// # Errors
    ///
    /// A file cannot be created.
    pub(crate) fn open(
        folder: PathBuf,
        pcap: Option<&Path>,
        scenario: &Scenario,
        mut fleet: Fleet,
    ) -> Result<(Arc<Fleet>, Self), RunError> {
        let in_folder = || fleet.capture.is_some().then(|| folder.join(capture::FILE));
        let pcap = pcap.map(Path::to_owned).or_else(in_folder);
        if pcap.is_some() {
            fleet.capture.get_or_insert_default();
        }
        let fleet = Arc::new(fleet);
        let capture = pcap
            .map(|path| Capture::create(&path, Arc::clone(&fleet), &scenario.keys))
            .transpose()?;
        let provenance = Provenance::new(VERSION, &folder::scenario_digest(scenario))
            .with("scenario", &scenario.name)
            .with("seed", &scenario.seed.to_string());
        let recorder = Recorder::new(
            &folder,
            &provenance,
            Arc::clone(&fleet),
            scenario.keys.clone(),
            &scenario.record.tables,
        )?;
        let ledger = Self {
            folder,
            recorder,
            capture,
        };
        Ok((fleet, ledger))
    }

    /// Writes large tables on up to `threads` threads.
    pub(crate) fn use_threads(&mut self, threads: usize) {
        self.recorder.use_threads(threads);
    }

    /// Takes every delivery as it comes, because the meters are part of another process.
    pub(crate) fn expect_strangers(&mut self) {
        self.recorder.expect_strangers();
    }

    /// Takes what `domains` have observed up to `now`, which may be the end of a time bin.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub(crate) fn collect(
        &mut self,
        domains: &mut [&mut FleetDomain],
        now: Time,
        bin_ends: bool,
    ) -> Result<(), RunError> {
        if let Some(capture) = &mut self.capture {
            capture.collect(domains, now)?;
        }
        self.recorder.collect(domains, now, bin_ends)?;
        Ok(())
    }

    /// Takes what is left `now`, at the end, and completes all files.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub(crate) fn close(
        self,
        domains: &mut [&mut FleetDomain],
        now: Time,
    ) -> Result<Closed, RunError> {
        record::conclude(domains, now);
        let capture = self.capture.map(|capture| capture.finish(domains));
        let capture = capture.transpose()?;
        let counts = self.recorder.finish(domains, now)?;
        Ok(Closed {
            folder: self.folder,
            counts,
            capture,
        })
    }
}

impl Closed {
    /// Sums the tables up and judges the expectations. The domains need not be there any more.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub(crate) fn judge(self, scenario: &Scenario) -> Result<Account, RunError> {
        let summary = Summary::of(&Results::open(&self.folder))?;
        let verdicts = scenario
            .expect
            .iter()
            .map(|expectation| expectation.judge(summary.get(expectation.metric())))
            .collect();
        Ok(Account {
            folder: self.folder,
            counts: self.counts,
            capture: self.capture,
            summary,
            verdicts,
        })
    }
}
