//! What sharing a channel costs, as a function of how busy it is.

use super::csma::{Capture, Cell, Parameters, Traffic};
use crate::rng::{Purpose, Stream};
use crate::time::{Duration, Time};

/// What a node meets when it sends on a channel of some utilisation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Contention {
    /// Share of the time that the channel is in use, overlaps counted twice.
    pub utilisation: f64,
    /// Probability that the channel is never found idle.
    pub access_failure: f64,
    /// Probability that a transmission is lost to another one.
    pub collision: f64,
    /// Mean time from the wish to send to the frame, in nanoseconds.
    pub access_nanos: f64,
}

/// Contention by utilisation, for one physical layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    rows: Vec<Contention>,
}

/// Senders of the reference runs.
const NODES: usize = 50;
/// Frames of each reference run.
const FRAMES: u64 = 6_000;
/// Offered loads of the reference runs: data and acknowledgements over time, in percent.
const LOADS_PERCENT: [u64; 9] = [1, 5, 10, 15, 20, 30, 40, 60, 90];
/// Seed of the reference runs: a table is a property of the medium, not of a scenario.
const SEED: u64 = 0x6D65_7465_7273;

impl Table {
    /// Runs the frame-by-frame model of a collision domain at several loads.
    ///
    /// `airtime` and `bits` are those of a typical frame. Takes some ten milliseconds, so do it
    /// once for each medium of a scenario.
    pub fn measure(
        parameters: &Parameters,
        airtime: Duration,
        bits: u32,
        capture: Capture,
    ) -> Self {
        let ack = parameters.ack_airtime.unwrap_or(Duration::ZERO);
        let mut rows: Vec<Contention> = Vec::new();
        for percent in LOADS_PERCENT {
            let interval = (airtime + ack).scaled(100 * NODES as u64, percent);
            let cell = Cell {
                parameters: *parameters,
                nodes: NODES,
                airtime,
                bits,
                capture,
                traffic: Traffic::Poisson(interval),
            };
            let row = Self::row(&cell, percent);
            // Beyond saturation more load does not make the channel busier.
            if rows
                .last()
                .is_none_or(|last| row.utilisation > last.utilisation + 0.005)
            {
                rows.push(row);
            }
        }
        Self { rows }
    }

    fn row(cell: &Cell, percent: u64) -> Contention {
        let mut stream = Stream::new(SEED, percent as u32, Purpose::Contention);
        let counts = cell.run(FRAMES, &mut stream);
        let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        Contention {
            utilisation: counts.utilisation(),
            access_failure: share(counts.access_failures, counts.accesses),
            collision: share(counts.collisions, counts.transmissions),
            access_nanos: share(counts.access_nanos, counts.transmissions),
        }
    }

    /// A channel that a sender has to itself.
    pub fn none() -> Self {
        Self {
            rows: vec![Contention::default()],
        }
    }

    /// Contention at `utilisation`, between the measured rows and the last one beyond them.
    pub fn at(&self, utilisation: f64) -> Contention {
        let above = self
            .rows
            .partition_point(|row| row.utilisation < utilisation);
        let (Some(low), Some(high)) = (
            above.checked_sub(1).and_then(|below| self.rows.get(below)),
            self.rows.get(above),
        ) else {
            return self.rows[above.min(self.rows.len() - 1)];
        };
        let share = (utilisation - low.utilisation) / (high.utilisation - low.utilisation);
        let between = |low: f64, high: f64| low + share * (high - low);
        Contention {
            utilisation,
            access_failure: between(low.access_failure, high.access_failure),
            collision: between(low.collision, high.collision),
            access_nanos: between(low.access_nanos, high.access_nanos),
        }
    }
}

/// The stations that hear each other: what one sends the others have to wait for.
///
/// Counts airtime and keeps the utilisation of the recent past, in which what lies further back
/// counts exponentially less.
#[derive(Clone, Copy, Debug)]
pub struct CollisionDomain {
    window: Duration,
    recent_nanos: f64,
    updated: Time,
    airtime: Duration,
    frames: u64,
}

impl CollisionDomain {
    /// An idle domain that remembers for about `window`, which is positive.
    pub const fn new(window: Duration) -> Self {
        Self {
            window,
            recent_nanos: 0.0,
            updated: Time::ZERO,
            airtime: Duration::ZERO,
            frames: 0,
        }
    }

    /// Share of the recent past in which the channel was in use.
    pub fn utilisation(&self, now: Time) -> f64 {
        let elapsed = now.saturating_since(self.updated).as_nanos() as f64;
        let window = self.window.as_nanos() as f64;
        self.recent_nanos * libm::exp(-elapsed / window) / window
    }

    /// Accounts for `frames` frames of together `airtime` on the air at `now`.
    pub fn occupy(&mut self, now: Time, airtime: Duration, frames: u64) {
        let window = self.window.as_nanos() as f64;
        self.recent_nanos = self.utilisation(now) * window + airtime.as_nanos() as f64;
        self.updated = self.updated.max(now);
        self.airtime = self.airtime + airtime;
        self.frames += frames;
    }

    /// Airtime since the start.
    pub const fn airtime(&self) -> Duration {
        self.airtime
    }

    /// Frames since the start.
    pub const fn frames(&self) -> u64 {
        self.frames
    }
}

#[cfg(test)]
mod tests {
    use super::super::ieee802154::{self, bit_error_rate};
    use super::*;

    fn table() -> Table {
        let airtime = ieee802154::airtime(100);
        let capture = Capture::BySinr(bit_error_rate);
        Table::measure(&ieee802154::csma(true), airtime, 848, capture)
    }

    #[test]
    fn delay_and_failures_blow_up_above_a_third_of_the_channel() {
        let table = table();
        let (light, third, heavy) = (table.at(0.02), table.at(0.3), table.at(0.6));
        assert!(
            light.access_failure < 1e-3 && light.collision < 0.01,
            "{light:?}"
        );
        // 3.5 units of backoff, assessment and turnaround; a few have to back off again.
        assert!((1.44e6..1.6e6).contains(&light.access_nanos), "{light:?}");
        assert!(third.access_failure < 0.05, "{third:?}");
        assert!(
            heavy.access_failure > 4.0 * third.access_failure,
            "{heavy:?}"
        );
        assert!(heavy.access_nanos > 1.3 * third.access_nanos, "{heavy:?}");
    }

    #[test]
    fn a_table_agrees_with_a_run_of_other_nodes_at_the_same_utilisation() {
        let cell = Cell {
            parameters: ieee802154::csma(true),
            nodes: 80,
            airtime: ieee802154::airtime(100),
            bits: 848,
            capture: Capture::BySinr(bit_error_rate),
            traffic: Traffic::Poisson(Duration::from_millis(1_200)),
        };
        let run = cell.run(40_000, &mut Stream::new(1, 1, Purpose::Contention));
        let ours = table().at(run.utilisation());
        let failures = run.access_failures as f64 / run.accesses as f64;
        let access = run.access_nanos as f64 / run.transmissions as f64;
        assert!(
            (ours.access_failure - failures).abs() < 0.01,
            "{ours:?}, run {failures}"
        );
        assert!(
            (ours.access_nanos / access - 1.0).abs() < 0.1,
            "{ours:?}, run {access}"
        );
    }

    #[test]
    fn utilisation_is_the_share_of_airtime_and_fades() {
        let mut domain = CollisionDomain::new(Duration::from_secs(1));
        for frame in 0..10_000 {
            domain.occupy(Time(frame * 10_000_000), Duration::from_millis(3), 1);
        }
        let end = Time::from_secs(100);
        assert!((domain.utilisation(end) - 0.3).abs() < 0.01);
        assert!(domain.utilisation(end + Duration::from_secs(5)) < 0.01);
        assert_eq!(domain.airtime(), Duration::from_secs(30));
        assert_eq!(domain.frames(), 10_000);
    }
}
