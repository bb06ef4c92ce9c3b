//! One run: from a scenario to a results folder, or to a verdict on its determinism.

mod adapter;
mod build;
mod folder;
mod report;
mod timeline;

use std::fs::{self, OpenOptions};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration as WallDuration, Instant as WallInstant};

use models::attack::Attacker;
use models::fleet::{Fleet, Partition};
use models::time::{Duration, Time};
use reports::{Provenance, Results, Summary};

use crate::capture::{self, Capture, CaptureError};
use crate::engine::{self, Digest, Engine, Limits, Lookahead, Outcome, Verdict};
use crate::record::{self, Counts, Recorder};
use crate::scenario::{self, Loaded, Scenario};

pub use adapter::FleetDomain;
pub use folder::FolderError;
pub(crate) use folder::scenario_digest;

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The longest virtual time between two looks at the run.
const SYNC_MAX: Duration = Duration::from_secs(60);

/// How a run is to be made. None of this changes its results.
#[derive(Debug)]
pub struct Options {
    /// Threads, at least one.
    pub threads: usize,
    /// Where the results go; a new folder below `results` if absent.
    pub folder: Option<PathBuf>,
    /// Whether an existing results folder is replaced.
    pub force: bool,
    /// Where a packet capture goes; if absent, into the results folder if the scenario wants one.
    pub pcap: Option<PathBuf>,
    /// How the fleet is divided into domains.
    pub partition: Partition,
    /// Set from outside to end the run early, with what was recorded complete and readable.
    pub interrupt: Arc<AtomicBool>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threads: 1,
            folder: None,
            force: false,
            pcap: None,
            partition: Partition::ByInstance,
            interrupt: Arc::default(),
        }
    }
}

/// How far a run has got.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Virtual time reached.
    pub time: Time,
    /// Virtual time at which the run ends.
    pub end: Time,
    /// Events so far.
    pub events: u64,
    /// Wall time so far.
    pub wall: WallDuration,
}

/// What a run yielded.
#[derive(Debug)]
pub struct Report {
    /// Name of the scenario.
    pub name: String,
    /// The results folder.
    pub folder: PathBuf,
    /// Virtual time reached: the duration of the scenario, unless interrupted.
    pub reached: Time,
    /// Whether the run was ended early.
    pub interrupted: bool,
    /// Digest of the trajectory.
    pub digest: Digest,
    /// The same without the events of attackers: what the fleet and the head-end did.
    pub benign_digest: Digest,
    /// Events handled.
    pub events: u64,
    /// Windows of the engine.
    pub windows: u64,
    /// Threads used.
    pub threads: usize,
    /// Wall time of the simulation proper, recording included.
    pub wall: WallDuration,
    /// What was counted besides the tables.
    pub counts: Counts,
    /// The packet capture, if one was wanted.
    pub capture: Option<capture::Contents>,
    /// Names of the taps, in the order of their counts.
    pub taps: Vec<String>,
    /// Attackers, in the order of their counts.
    pub attackers: Vec<Attacker>,
    /// The numbers of the tables.
    pub summary: Summary,
    /// What became of the expectations.
    pub verdicts: Vec<scenario::expect::Verdict>,
}

impl Report {
    /// Whether all expectations hold.
    pub fn meets_expectations(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.holds)
    }
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The results folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The file for the capture is there already or cannot be written; nothing has begun.
    #[error("cannot write the capture {}: {source}{}", path.display(), replace_hint(source))]
    CaptureFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The engine stopped.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// The fleet is divided in a way in which attackers cannot act.
    #[error("attackers act only where each head-end instance and its meters are one domain")]
    Partition,
    /// The packet capture cannot be written.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// Results cannot be written or read.
    #[error("cannot record results: {0}")]
    Record(#[from] reports::Error),
}

/// Makes sure that a capture can be written, before anything else is.
fn claim(path: &Path, force: bool) -> Result<(), RunError> {
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

fn replace_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AlreadyExists => "; --force replaces it",
        _ => "",
    }
}

/// Runs the scenario, calling `progress` now and then.
///
/// # Errors
///
/// See [`RunError`]; what was recorded before stays readable.
pub fn run(
    loaded: &Loaded,
    options: &Options,
    mut progress: impl FnMut(&Progress),
) -> Result<Report, RunError> {
    let scenario = &loaded.scenario;
    check_partition(scenario, options.partition)?;
    if let Some(path) = &options.pcap {
        claim(path, options.force)?;
    }
    let folder = folder::create(options.folder.as_deref(), &scenario.name, options.force);
    if let (Err(_), Some(path), false) = (&folder, &options.pcap, options.force) {
        // It was not there before, and the run that it was for does not begin.
        let _ = fs::remove_file(path);
    }
    let folder = folder?;
    let mut fleet = build::fleet(scenario, options.partition);
    let in_folder = || fleet.capture.is_some().then(|| folder.join(capture::FILE));
    let pcap = options.pcap.clone().or_else(in_folder);
    if pcap.is_some() {
        fleet.capture.get_or_insert_default();
    }
    let fleet = Arc::new(fleet);
    let mut capture = pcap
        .map(|path| Capture::create(&path, Arc::clone(&fleet), &scenario.keys))
        .transpose()?;
    let provenance = Provenance::new(VERSION, &folder::scenario_digest(scenario))
        .with("scenario", &scenario.name)
        .with("seed", &scenario.seed.to_string());
    let mut engine = engine(scenario, &fleet, options.threads)?;
    let mut recorder = Recorder::new(
        &folder,
        &provenance,
        Arc::clone(&fleet),
        scenario.keys.clone(),
        &scenario.record.tables,
    )?;

    let started = WallInstant::now();
    let end = Time::ZERO + scenario.duration;
    let bins = scenario.record.bins;
    let outcome = engine.run(end, sync_every(bins), |domains, sync| {
        let bin_ends = sync.time.as_nanos().is_multiple_of(bins.as_nanos()) || sync.time >= end;
        let interrupted = options.interrupt.load(Ordering::Relaxed);
        if let Some(capture) = &mut capture {
            capture.collect(domains, sync.time)?;
        }
        recorder.collect(domains, sync.time, bin_ends || interrupted)?;
        progress(&Progress {
            time: sync.time,
            end,
            events: sync.events,
            wall: started.elapsed(),
        });
        Ok(if interrupted {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    })?;
    let (sync, interrupted) = match outcome {
        Outcome::Finished(sync) => (sync, false),
        Outcome::Interrupted(sync) => (sync, true),
    };
    let mut domains: Vec<&mut FleetDomain> = engine.domains_mut().collect();
    record::conclude(&mut domains, sync.time);
    let capture = capture
        .map(|capture| capture.finish(&mut domains))
        .transpose()?;
    let counts = recorder.finish(&mut domains, sync.time)?;
    let wall = started.elapsed();

    let summary = Summary::of(&Results::open(&folder))?;
    let verdicts = scenario
        .expect
        .iter()
        .map(|expectation| expectation.judge(summary.get(expectation.metric())))
        .collect();
    let report = Report {
        name: scenario.name.clone(),
        folder,
        reached: sync.time,
        interrupted,
        digest: sync.digest,
        benign_digest: sync.own_digest,
        events: sync.events,
        windows: sync.windows,
        threads: options.threads,
        wall,
        counts,
        capture,
        attackers: fleet.attackers.clone(),
        taps: scenario.taps.iter().map(|tap| tap.name.clone()).collect(),
        summary,
        verdicts,
    };
    folder::write_summary(&report)?;
    folder::write_manifest(&report, loaded)?;
    Ok(report)
}

/// Runs the scenario twice, on `threads[0]` and on `threads[1]` threads, and compares the
/// trajectories event by event where they differ.
///
/// # Errors
///
/// The engine stopped.
pub fn verify(
    scenario: &Scenario,
    threads: [usize; 2],
    partition: Partition,
) -> Result<Verdict, RunError> {
    check_partition(scenario, partition)?;
    let mut fleet = build::fleet(scenario, partition);
    // Nobody would take what is captured.
    fleet.capture = None;
    let fleet = Arc::new(fleet);
    let make = |threads| engine(scenario, &fleet, threads);
    let end = Time::ZERO + scenario.duration;
    let sync = sync_every(scenario.record.bins);
    Ok(engine::verify(make, threads, end, sync)?)
}

/// An attacker sees and reaches a link from within one domain.
fn check_partition(scenario: &Scenario, partition: Partition) -> Result<(), RunError> {
    if scenario.attackers.is_empty() || partition == Partition::ByInstance {
        Ok(())
    } else {
        Err(RunError::Partition)
    }
}

fn engine(
    scenario: &Scenario,
    fleet: &Arc<Fleet>,
    threads: usize,
) -> Result<Engine<FleetDomain>, engine::Error> {
    let domains = (0..fleet.domains())
        .map(|index| FleetDomain::new(fleet, index))
        .collect();
    let limits = &scenario.limits;
    let limits = Limits {
        events_per_instant: limits.events_per_instant,
        events: limits.events,
        wall_time: limits
            .wall_time
            .map(|limit| WallDuration::from_nanos(limit.as_nanos())),
    };
    let engine = Engine::new(domains, lookahead(fleet))?;
    Ok(engine.with_threads(threads).with_limits(limits))
}

/// Meters talk to instances and instances to meters, never like to like.
fn lookahead(fleet: &Fleet) -> Lookahead {
    let mut lookahead = Lookahead::none(fleet.domains());
    if let Some(shortest) = fleet.lookahead() {
        let instances = fleet.headend.instances as usize;
        for instance in 0..instances {
            for meters in instances..fleet.domains() {
                lookahead.set(instance, meters, Some(shortest));
                lookahead.set(meters, instance, Some(shortest));
            }
        }
    }
    lookahead
}

/// The longest distance of synchronisation points of which a bin is a multiple.
fn sync_every(bins: Duration) -> Duration {
    let parts = bins.as_nanos().div_ceil(SYNC_MAX.as_nanos());
    let divides = |parts: &u64| bins.as_nanos().is_multiple_of(*parts);
    let parts = (parts..parts.saturating_mul(2)).find(divides).unwrap_or(1);
    Duration::from_nanos(bins.as_nanos() / parts)
}
