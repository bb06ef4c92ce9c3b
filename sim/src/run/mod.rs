//! One run: from a scenario to a results folder, or to a verdict on its determinism.

mod adapter;
mod build;
mod folder;
mod ledger;
mod report;
mod timeline;
#[cfg(test)]
mod visits;

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration as WallDuration, Instant as WallInstant};

use models::attack::Attacker;
use models::fleet::{Fleet, Partition};
use models::time::{Duration, Time};
use reports::Summary;

use crate::capture::{self, CaptureError};
use crate::engine::{self, Digest, Engine, Limits, Lookahead, Outcome, Verdict};
use crate::live::{Figures, LiveError};
use crate::record::Counts;
use crate::scenario::{self, Loaded, Scenario};

pub use adapter::FleetDomain;
pub(crate) use build::fleet;
pub use folder::FolderError;
pub(crate) use folder::{scenario_digest, write_manifest, write_summary};
pub(crate) use ledger::{Account, Ledger, Places};

use ledger::replace_hint;

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The shortest and the longest virtual time between two looks at the run.
const SYNC_MIN: Duration = Duration::from_secs(60);
const SYNC_MAX: Duration = Duration::from_secs(10_800);
/// Interval reads that all meters together make between two looks at the run.
const READS_PER_SYNC: u64 = 120_000;
/// Time bins that may wait to be written; each has histograms of every head-end instance.
const BINS_PER_SYNC: u64 = 12;

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
    /// What happened at the sockets, if the run was live; then there is no digest.
    pub live: Option<Figures>,
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
    /// A live run cannot begin or go on.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// Results cannot be written or read.
    #[error("cannot record results: {0}")]
    Record(#[from] reports::Error),
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
    let places = Places {
        folder: options.folder.as_deref(),
        pcap: options.pcap.as_deref(),
        force: options.force,
    };
    let folder = places.claim(&scenario.name)?;
    let fleet = fleet(scenario, options.partition);
    let (fleet, mut ledger) = Ledger::open(folder, places.pcap, scenario, fleet)?;
    ledger.use_threads(options.threads);
    let bins = Some(scenario.record.bins);
    let mut engine = engine(scenario, &fleet, options.threads, bins)?;

    let started = WallInstant::now();
    let end = Time::ZERO + scenario.duration;
    let every = sync_every(&fleet, scenario.record.bins);
    let outcome = engine.run(end, every, |domains, sync| {
        let interrupted = options.interrupt.load(Ordering::Relaxed);
        ledger.collect(domains, sync.time, interrupted || sync.time >= end)?;
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
    let closed = ledger.close(&mut domains, sync.time)?;
    // The meters give way to what sums their tables up.
    drop(engine);
    let account = closed.judge(scenario)?;
    let report = Report {
        name: scenario.name.clone(),
        folder: account.folder,
        reached: sync.time,
        interrupted,
        digest: sync.digest,
        benign_digest: sync.own_digest,
        live: None,
        events: sync.events,
        windows: sync.windows,
        threads: options.threads,
        wall: started.elapsed(),
        counts: account.counts,
        capture: account.capture,
        attackers: fleet.attackers.clone(),
        taps: scenario.taps.iter().map(|tap| tap.name.clone()).collect(),
        summary: account.summary,
        verdicts: account.verdicts,
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
    let mut fleet = fleet(scenario, partition);
    // Nobody would take what is captured.
    fleet.capture = None;
    let fleet = Arc::new(fleet);
    let make = |threads| engine(scenario, &fleet, threads, None);
    let end = Time::ZERO + scenario.duration;
    let sync = sync_every(&fleet, scenario.record.bins);
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
    bins: Option<Duration>,
) -> Result<Engine<FleetDomain>, engine::Error> {
    let domain = |index| {
        let domain = FleetDomain::new(fleet, index);
        match bins {
            Some(width) => domain.with_bins(width),
            None => domain,
        }
    };
    let domains = (0..fleet.domains()).map(domain).collect();
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

/// The distance of synchronisation points.
///
/// Between two of them, domains that do not talk run one after the other, each with what it touches
/// in the caches: the rarer, the faster. What is observed waits in memory meanwhile, and nobody
/// looks whether the run is to end; both bound the work that may lie between two.
fn sync_every(fleet: &Fleet, bins: Duration) -> Duration {
    let waiting = bins.scaled(BINS_PER_SYNC, 1);
    // Nobody knows beforehand how much attackers do, and a capture keeps every datagram.
    if !fleet.attackers.is_empty() || fleet.capture.is_some() {
        return SYNC_MIN.min(waiting);
    }
    fleet
        .reports
        .interval
        .scaled(READS_PER_SYNC, u64::from(fleet.meters().max(1)))
        .clamp(SYNC_MIN, SYNC_MAX)
        .min(waiting)
}
