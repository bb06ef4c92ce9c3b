//! A queueing station: several cores behind one finite first-in-first-out buffer.

use std::collections::VecDeque;

use crate::time::{Duration, Time};

/// What happens to an arriving job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// A core is free: serve it now.
    Serve,
    /// It waits.
    Queued,
    /// The buffer is full: it is dropped.
    Full,
}

/// Cores and buffer of a head-end instance.
///
/// A job is served where it starts, so the state that it reads is that of the start of its
/// service; the station only keeps when each core falls free.
#[derive(Debug)]
pub struct Station<J> {
    free_at: Vec<Time>,
    waiting: VecDeque<(Time, J)>,
    buffer: usize,
}

impl<J> Station<J> {
    /// An idle station of `cores` cores (at least one) and room for `buffer` waiting jobs.
    pub fn new(cores: usize, buffer: usize) -> Self {
        Self {
            free_at: vec![Time::ZERO; cores.max(1)],
            waiting: VecDeque::new(),
            buffer,
        }
    }

    /// Offers `job` at `now`. `Serve` leaves the job with the caller, as does `Full`.
    pub fn offer(&mut self, now: Time, job: J) -> (Admission, Option<J>) {
        if self.waiting.is_empty() && self.next_free() <= now {
            return (Admission::Serve, Some(job));
        }
        if self.waiting.len() >= self.buffer {
            return (Admission::Full, Some(job));
        }
        self.waiting.push_back((now, job));
        (Admission::Queued, None)
    }

    /// Takes the job that has waited longest, if a core is free at `now`, with its arrival time.
    pub fn take(&mut self, now: Time) -> Option<(Time, J)> {
        if self.next_free() > now {
            return None;
        }
        self.waiting.pop_front()
    }

    /// Occupies the core that falls free first for `service` from `now`; returns the completion.
    pub fn occupy(&mut self, now: Time, service: Duration) -> Time {
        let core = self
            .free_at
            .iter_mut()
            .min()
            .expect("a station has at least one core");
        *core = now.max(*core) + service;
        *core
    }

    /// When the next core falls free.
    pub fn next_free(&self) -> Time {
        *self
            .free_at
            .iter()
            .min()
            .expect("a station has at least one core")
    }

    /// Jobs that wait.
    pub fn queue_len(&self) -> usize {
        self.waiting.len()
    }

    /// Throws away what waits and frees all cores at `now`, as a restart does.
    pub fn clear(&mut self, now: Time) -> impl Iterator<Item = J> {
        self.free_at.fill(now);
        core::mem::take(&mut self.waiting)
            .into_iter()
            .map(|(_, job)| job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::exponential;
    use crate::rng::{Purpose, Stream};

    /// Mean wait in service times of an M/M/c or M/D/c station at utilisation `rho`.
    fn mean_wait(cores: usize, rho: f64, deterministic: bool) -> f64 {
        const SERVICE_NS: f64 = 1e6;
        const JOBS: usize = 2_000_000;
        let mut stream = Stream::new(7, cores as u32, Purpose::Timing);
        let mut station = Station::new(cores, usize::MAX);
        let (mut now, mut waited) = (Time::ZERO, 0.0);
        for _ in 0..JOBS {
            let gap = exponential(&mut stream) * SERVICE_NS / (rho * cores as f64);
            let arrival = Time(now.0 + gap as u64);
            // Serve what became due in between, in order.
            while station.queue_len() > 0 && station.next_free() <= arrival {
                let start = station.next_free();
                let (since, service) = station.take(start).expect("a core is free and a job waits");
                waited += start.saturating_since(since).as_nanos() as f64;
                station.occupy(start, service);
            }
            now = arrival;
            let draw = if deterministic {
                1.0
            } else {
                exponential(&mut stream)
            };
            let service = Duration::from_nanos((draw * SERVICE_NS) as u64);
            if let (Admission::Serve, Some(service)) = station.offer(now, service) {
                station.occupy(now, service);
            }
        }
        waited / JOBS as f64 / SERVICE_NS
    }

    #[test]
    fn waiting_times_match_queueing_theory() {
        for (cores, rho, deterministic, theory) in [
            (1, 0.8, false, 4.0),
            (4, 0.8, false, 0.7455),
            (1, 0.8, true, 2.0),
        ] {
            let wait = mean_wait(cores, rho, deterministic);
            assert!(
                (wait / theory - 1.0).abs() < 0.03,
                "{cores} cores: {wait}, theory {theory}"
            );
        }
    }

    #[test]
    fn a_full_buffer_drops_and_a_restart_empties() {
        let mut station = Station::new(1, 2);
        let now = Time::from_secs(1);
        assert_eq!(station.offer(now, 0), (Admission::Serve, Some(0)));
        station.occupy(now, Duration::from_secs(1));
        assert_eq!(station.offer(now, 1), (Admission::Queued, None));
        assert_eq!(station.offer(now, 2), (Admission::Queued, None));
        assert_eq!(station.offer(now, 3), (Admission::Full, Some(3)));
        assert_eq!(station.take(now), None, "the core is busy");
        assert_eq!(station.take(Time::from_secs(2)), Some((now, 1)));
        assert_eq!(station.clear(now).collect::<Vec<_>>(), [2]);
    }
}
