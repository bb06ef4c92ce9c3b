//! What a scenario or its sweep will take: runs, events, memory, time and disk.
//!
//! The forecast rests on short probes, which are runs of the scenario with fewer meters. Events,
//! time and disk grow by a constant per meter, so two probes of different size tell it; a
//! population no larger than a probe is run as it is. A probe that takes too long is ended, and
//! the rest is assumed to go on as its second half did. What a smaller population does not show
//! is not foreseen: a head-end that only the full fleet overloads, or a fault in the part that was
//! not probed. Memory follows from a model, see [`memory_bytes`].

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration as WallDuration, Instant as WallInstant};

use models::time::Time;

use crate::run::{self, Options, RunError};
use crate::scenario::{Loaded, Report};

/// Meters of the smaller and the larger probe.
const PROBE_METERS: [u64; 2] = [100, 400];
/// Variants of a sweep that are probed; the others are assumed to be like them on average.
const VARIANTS_PROBED_MAX: u64 = 16;
/// Wall time of a probe at most, shared by the variants that are probed.
const PROBE_WALL_MAX: WallDuration = WallDuration::from_secs(4);

/// Memory of the program without meters, in octets.
const MEMORY_FIXED: f64 = 41e6;
/// Memory of a meter with its link and its session at the head-end, in octets.
const MEMORY_PER_METER: f64 = 7.75e3;
/// Memory per event, for records that wait to be written, in octets.
const MEMORY_PER_EVENT: f64 = 14.0;
/// Memory of the records that wait to be written at most, in octets.
const MEMORY_WAITING_MAX: f64 = 40e6;
/// Memory that earlier runs leave unusable to the later ones of a sweep: so many times what a run
/// takes beyond [`MEMORY_FIXED`], and at most so many octets, since the allocator gives large free
/// pieces back.
const MEMORY_LEFT: f64 = 2.0;
const MEMORY_LEFT_MAX: f64 = 140e6;

/// What one run is expected to take.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// Events handled.
    pub events: f64,
    /// Wall time with one thread, in seconds.
    pub wall_s: f64,
    /// Largest memory, in octets.
    pub memory_bytes: f64,
    /// Octets of the results folder.
    pub disk_bytes: f64,
}

/// What a scenario or its sweep is expected to take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// Arms of the sweep.
    pub arms: u64,
    /// Points of the sweep.
    pub points: u64,
    /// Replications of each.
    pub replications: u64,
    /// Runs at a time.
    pub jobs: u64,
    /// A run, on average over the variants.
    pub run: Estimate,
    /// The whole, with `jobs` runs at a time.
    pub total: Estimate,
    /// Wall time that the probes took, in seconds.
    pub probes_s: f64,
    /// Whether a probe was ended before the scenario was.
    pub extrapolated: bool,
}

impl Forecast {
    /// All runs.
    pub fn runs(&self) -> u64 {
        self.arms * self.points * self.replications
    }
}

/// Why nothing can be foreseen.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A probe failed, as the run would.
    #[error("a probe failed: {0}")]
    Run(#[from] RunError),
    /// A variation of the scenario is wrong.
    #[error("{0}")]
    Variant(Report),
}

/// Foresees the sweep of a scenario, which may be a single run, with `jobs` runs at a time.
///
/// # Errors
///
/// A probe fails.
pub fn plan(loaded: &Loaded, jobs: NonZero<usize>) -> Result<Forecast, PlanError> {
    let started = WallInstant::now();
    let sweep = &loaded.scenario.sweep;
    let probed = sweep.variants().min(VARIANTS_PROBED_MAX);
    let budget = PROBE_WALL_MAX / probed as u32;
    let (mut sum, mut memory, mut extrapolated) = (Estimate::default(), 0.0_f64, false);
    for index in 0..probed {
        let variant = index * sweep.variants() / probed;
        let (arm, point) = (variant / sweep.points(), variant % sweep.points());
        let variant = loaded
            .variant(arm as usize, point, loaded.scenario.seed)
            .map_err(PlanError::Variant)?;
        let (estimate, whole) = estimate(&variant, budget)?;
        extrapolated |= !whole;
        memory = memory.max(estimate.memory_bytes);
        sum.events += estimate.events;
        sum.wall_s += estimate.wall_s;
        sum.disk_bytes += estimate.disk_bytes;
    }
    let run = Estimate {
        events: sum.events / probed as f64,
        wall_s: sum.wall_s / probed as f64,
        memory_bytes: memory,
        disk_bytes: sum.disk_bytes / probed as f64,
    };
    let runs = sweep.runs() as f64;
    let at_a_time = (jobs.get() as f64).min(runs);
    Ok(Forecast {
        arms: sweep.arms.len().max(1) as u64,
        points: sweep.points(),
        replications: u64::from(sweep.replications),
        jobs: jobs.get() as u64,
        run,
        total: Estimate {
            events: run.events * runs,
            wall_s: run.wall_s * runs / at_a_time,
            memory_bytes: sweep_memory_bytes(memory, runs, at_a_time),
            disk_bytes: run.disk_bytes * runs,
        },
        probes_s: started.elapsed().as_secs_f64(),
        extrapolated,
    })
}

/// Memory that a run of `meters` meters with `events` events takes, in octets.
///
/// Fitted to the largest resident set of runs of 100 to 40,000 meters for 1 h to 24 h with 4 to 64
/// head-end instances, from 38 MB to 401 MB, all of which it meets within 24 %.
pub fn memory_bytes(meters: u64, events: f64) -> f64 {
    let waiting = (MEMORY_PER_EVENT * events).min(MEMORY_WAITING_MAX);
    MEMORY_FIXED + MEMORY_PER_METER * meters as f64 + waiting
}

/// Memory that `runs` runs of `run_bytes` each take when `at_a_time` of them run at a time.
///
/// Fitted to sweeps of six runs of 500 to 20,000 meters, one and two at a time, from 54 MB to
/// 630 MB, all of which it meets within 25 %.
fn sweep_memory_bytes(run_bytes: f64, runs: f64, at_a_time: f64) -> f64 {
    let run = run_bytes - MEMORY_FIXED;
    let left = if runs > at_a_time {
        (MEMORY_LEFT * run).min(MEMORY_LEFT_MAX)
    } else {
        0.0
    };
    MEMORY_FIXED + run * at_a_time + left
}

/// Foresees one run, and says whether every probe ended.
fn estimate(loaded: &Loaded, budget: WallDuration) -> Result<(Estimate, bool), PlanError> {
    let meters = |loaded: &Loaded| -> u64 {
        let counts = loaded
            .scenario
            .cohorts
            .iter()
            .map(|cohort| u64::from(cohort.count));
        counts.sum()
    };
    let all = meters(loaded);
    let [small, large] = PROBE_METERS.map(|wanted| scaled(loaded, wanted, all));
    let [few, many] = [&small, &large].map(meters);
    let last = probe(&large, budget)?;
    if many >= all || few >= many {
        let share = all as f64 / many as f64;
        let events = last.0.events * share;
        let run = Estimate {
            events,
            wall_s: last.0.wall_s * share,
            memory_bytes: memory_bytes(all, events),
            disk_bytes: last.0.disk_bytes * share,
        };
        return Ok((run, last.1));
    }
    let first = probe(&small, budget)?;
    let beyond = (all - many) as f64 / (many - few) as f64;
    let extend = |few: f64, many: f64| many + (many - few).max(0.0) * beyond;
    let events = extend(first.0.events, last.0.events);
    let run = Estimate {
        events,
        wall_s: extend(first.0.wall_s, last.0.wall_s),
        memory_bytes: memory_bytes(all, events),
        disk_bytes: extend(first.0.disk_bytes, last.0.disk_bytes),
    };
    Ok((run, first.1 && last.1))
}

/// The scenario with about `wanted` of its `all` meters, every cohort in proportion.
fn scaled(loaded: &Loaded, wanted: u64, all: u64) -> Loaded {
    let mut scaled = loaded.clone();
    scaled.scenario.expect.clear();
    if wanted < all {
        for cohort in &mut scaled.scenario.cohorts {
            let share = (u64::from(cohort.count) * wanted).div_ceil(all);
            cohort.count = share.max(1) as u32;
        }
    }
    scaled
}

/// Runs a probe for at most `budget`, and says whether it ended.
fn probe(loaded: &Loaded, budget: WallDuration) -> Result<(Estimate, bool), PlanError> {
    let folder = ProbeFolder::new();
    let interrupt = Arc::new(AtomicBool::new(false));
    let options = Options {
        folder: Some(folder.0.clone()),
        interrupt: Arc::clone(&interrupt),
        ..Options::default()
    };
    let started = WallInstant::now();
    let mut course: Vec<(Time, u64)> = Vec::new();
    let report = run::run(loaded, &options, |now| {
        course.push((now.time, now.events));
        if now.wall > budget {
            interrupt.store(true, Ordering::Relaxed);
        }
    })?;
    let wall_s = started.elapsed().as_secs_f64();
    let seconds = |time: Time| time.as_nanos() as f64 / 1e9;
    let end = Time::ZERO + loaded.scenario.duration;
    let reached = seconds(report.reached);
    let missing = (seconds(end) - reached).max(0.0);
    // The first half holds the start, which does not come again.
    let half = course
        .get(course.len() / 2)
        .copied()
        .unwrap_or((Time::ZERO, 0));
    let span = reached - seconds(half.0);
    let rate = if span > 0.0 {
        (report.events - half.1) as f64 / span
    } else {
        0.0
    };
    let growth = 1.0 + rate * missing / (report.events.max(1) as f64);
    let simulation_s = report.wall.as_secs_f64();
    let estimate = Estimate {
        events: report.events as f64 * growth,
        wall_s: wall_s - simulation_s + simulation_s * growth,
        memory_bytes: 0.0,
        disk_bytes: size(&folder.0) as f64 * growth,
    };
    Ok((estimate, missing == 0.0))
}

fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}

/// Where a probe writes its results, which are thrown away.
struct ProbeFolder(PathBuf);

impl ProbeFolder {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("meterstorm-probe-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for ProbeFolder {
    fn drop(&mut self) {
        // It lies among temporary files: whoever cleans those up removes what remains.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load_text;

    #[test]
    fn cohorts_shrink_in_proportion_and_none_vanishes() {
        let text = r#"(
            name: "x", duration: "1h",
            cohorts: [
                (name: "a", count: 9000, medium: "lan"),
                (name: "b", count: 1000, medium: "lan"),
                (name: "c", count: 1, medium: "lan"),
            ],
            media: {"lan": Ethernet()},
        )"#;
        let loaded = load_text("x.ron", text, &[]).expect("sound");
        let counts = |wanted| -> Vec<u32> {
            let scaled = scaled(&loaded, wanted, 10_001);
            scaled
                .scenario
                .cohorts
                .iter()
                .map(|cohort| cohort.count)
                .collect()
        };
        assert_eq!(counts(100), [90, 10, 1]);
        assert_eq!(counts(20_000), [9_000, 1_000, 1]);
    }
}
