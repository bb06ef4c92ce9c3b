//! Waiting at a head-end with one or more cores.

use super::{Group, Outcome};
use crate::dist::exponential;
use crate::headend::{Admission, Station};
use crate::rng::{Purpose, Stream};
use crate::time::{Duration, Time};

/// Jobs of a simulated queue.
const JOBS: usize = 2_000_000;

pub(super) fn outcomes() -> Vec<Outcome> {
    let groups = [few_cores(), many_cores()];
    groups
        .into_iter()
        .flat_map(|group| group.outcomes)
        .collect()
}

/// Waits in service times of `jobs` jobs at a station with Poisson arrivals, in order of arrival.
///
/// Service times are exponential or, if `fixed`, all the same.
fn waits(cores: usize, rho: f64, fixed: bool, jobs: usize) -> Vec<f64> {
    const SERVICE_NS: f64 = 1e6;
    let mut stream = Stream::new(37, cores as u32, Purpose::Timing);
    let mut station = Station::new(cores, usize::MAX);
    let (mut now, mut waits) = (Time::ZERO, Vec::with_capacity(jobs));
    for _ in 0..jobs {
        let gap = exponential(&mut stream) * SERVICE_NS / (rho * cores as f64);
        now = now + Duration::from_nanos(gap as u64);
        while station.queue_len() > 0 && station.next_free() <= now {
            let start = station.next_free();
            let (since, service) = station.take(start).expect("a core is free and a job waits");
            waits.push(start.saturating_since(since).as_nanos() as f64 / SERVICE_NS);
            station.occupy(start, service);
        }
        let share = if fixed { 1.0 } else { exponential(&mut stream) };
        let service = Duration::from_nanos((share * SERVICE_NS) as u64);
        if let (Admission::Serve, Some(service)) = station.offer(now, service) {
            waits.push(0.0);
            station.occupy(now, service);
        }
    }
    waits
}

/// Erlang C: the probability that a job of an M/M/c station waits.
fn erlang_c(cores: u32, rho: f64) -> f64 {
    let load = rho * f64::from(cores);
    // Erlang B by its recursion, which does not overflow.
    let blocking = (1..=cores).fold(1.0, |b, c| load * b / (f64::from(c) + load * b));
    blocking / (1.0 - rho * (1.0 - blocking))
}

fn mean(waits: &[f64]) -> f64 {
    waits.iter().sum::<f64>() / waits.len() as f64
}

fn few_cores() -> Group {
    let mut group = Group::new("V27", "queueing theory, waits in service times", 0.03);
    for (name, cores, fixed, target) in [
        ("M/M/1", 1, false, 4.0),
        ("M/M/4", 4, false, 0.7455),
        ("M/D/1", 1, true, 2.0),
    ] {
        let ours = mean(&waits(cores, 0.8, fixed, JOBS));
        group.add(format!("{name}, load 0.8: mean wait"), target, ours);
    }
    group
}

fn many_cores() -> Group {
    let mut group = Group::new("V37", "queueing theory, waits in service times", 0.05);
    let theory = erlang_c(8, 0.9);
    let capacity = 8.0 * (1.0 - 0.9);
    group.add_within(
        "M/M/8, load 0.9, Erlang C: share that waits",
        0.7015,
        theory,
        1e-3,
    );
    group.add_within(
        "M/M/8, load 0.9, Erlang C: mean wait",
        0.877,
        theory / capacity,
        1e-3,
    );
    let mut waits = waits(8, 0.9, false, JOBS);
    let waiting = waits.iter().filter(|&&wait| wait > 0.0).count() as f64 / waits.len() as f64;
    group.add("M/M/8, load 0.9: share that waits", 0.7015, waiting);
    group.add("M/M/8, load 0.9: mean wait", 0.877, mean(&waits));
    let rank = waits.len() * 99 / 100;
    let (_, p99, _) = waits.select_nth_unstable_by(rank, f64::total_cmp);
    group.add("M/M/8, load 0.9: 99 % wait at most", 5.31, *p99);
    group
}
