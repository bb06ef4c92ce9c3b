//! Access through a mobile operator: LTE Cat-1, LTE Cat-M1 and NB-IoT.
//!
//! A modem that has been quiet is not connected; the first datagram pays for the connection. How
//! many modems can connect at once is the business of [`rach`].

use super::outage::Renewal;
use super::rach;
use super::{LaneProfile, LinkProfile, Medium};
use crate::dist::Dist;
use crate::rng::Stream;
use crate::time::{Duration, Time};

const MILLI: i64 = 1_000_000;
const MINUTE: i64 = 60_000_000_000;
const DAY: i64 = 1_440 * MINUTE;

/// A radio technology of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Technology {
    /// LTE category 1.
    LteCat1,
    /// LTE category M1, half duplex.
    LteM1,
    /// NB-IoT.
    NbIot,
}

/// How well a modem hears its cell (3GPP TS 36.331, coverage enhancement).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Coverage {
    /// Maximum coupling loss up to 144 dB.
    Normal,
    /// Up to 154 dB: frames are repeated.
    Extended,
    /// Up to 164 dB: a basement; frames are repeated very often.
    Extreme,
}

impl Technology {
    /// The link of a meter with good coverage.
    pub fn link(self, name: &str) -> LinkProfile {
        self.link_in(name, Coverage::Normal)
    }

    /// The link of a meter; weak coverage repeats frames, so rates fall and latencies grow.
    pub fn link_in(self, name: &str, coverage: Coverage) -> LinkProfile {
        // Repetitions as rate divisor and latency factor; LTE Cat-1 has none, so it loses instead.
        let (slower, later, loss_factor) = match (self, coverage) {
            (_, Coverage::Normal) => (1, 1, 1),
            (Self::LteCat1, Coverage::Extended) => (4, 2, 20),
            (Self::LteCat1, Coverage::Extreme) => (10, 4, 200),
            (Self::LteM1, Coverage::Extended) => (8, 3, 1),
            (Self::LteM1, Coverage::Extreme) => (32, 10, 4),
            (Self::NbIot, Coverage::Extended) => (8, 2, 1),
            (Self::NbIot, Coverage::Extreme) => (60, 6, 3),
        };
        let (median_ms, sigma, loss_ppb, up_bps, down_bps) = match self {
            Self::LteCat1 => (25, 0.5, 1_000_000, 5_000_000, 10_000_000),
            Self::LteM1 => (80, 0.6, 5_000_000, 375_000, 300_000),
            Self::NbIot => (1_200, 0.7, 10_000_000, 60_000, 30_000),
        };
        let lane = |rate_bps: u64| LaneProfile {
            latency: Dist::LogNormal {
                min: 5 * MILLI,
                median: median_ms * later * MILLI,
                sigma,
            },
            jitter: Dist::Fixed(0),
            loss_ppb: loss_ppb * loss_factor,
            rate_bps: rate_bps / slower,
            queue_octets: 16_384,
            connection: Some(self.connection()),
        };
        LinkProfile {
            name: name.to_owned(),
            medium: Medium::Cellular,
            up: lane(up_bps),
            down: lane(down_bps),
            home: None,
        }
    }

    /// The random access channel of a cell.
    ///
    /// That of NB-IoT has 48 subcarriers every 160 ms (3GPP TS 36.331, NPRACH-ConfigSIB) and slow
    /// messages; the values are an assumption within what the standard allows.
    pub const fn random_access(self) -> rach::Parameters {
        match self {
            Self::LteCat1 | Self::LteM1 => rach::Parameters::TR_37_868,
            Self::NbIot => rach::Parameters {
                opportunity_period: Duration::from_millis(160),
                preambles: 48,
                response_delay: Duration::from_millis(12),
                response_window_subframes: 40,
                grants_per_response: 1,
                backoff_max: Duration::from_millis(1_024),
                message3_delay: Duration::from_millis(40),
                message4_delay: Duration::from_millis(40),
                harq_period: Duration::from_millis(100),
                contention_timer: Duration::from_millis(640),
                ..rach::Parameters::TR_37_868
            },
        }
    }

    /// What the first datagram after a pause waits for, once the cell has given access.
    pub const fn connection(self) -> Connection {
        let (low_ms, high_ms, inactivity_s) = match self {
            Self::LteCat1 => (80, 260, 10),
            Self::LteM1 => (150, 500, 10),
            Self::NbIot => (1_000, 4_000, 20),
        };
        Connection {
            setup: Dist::Uniform(low_ms * MILLI, high_ms * MILLI),
            inactivity: Duration::from_secs(inactivity_s),
        }
    }
}

/// Connected or idle (3GPP TS 36.331 §4.2.1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Connection {
    /// From idle to connected, in nanoseconds.
    pub setup: Dist,
    /// Silence after which the cell releases the connection.
    pub inactivity: Duration,
}

/// The connection state of one modem.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modem {
    /// Until when it is connected if nothing more is sent.
    connected_until: Time,
}

impl Modem {
    /// A modem that has not sent anything yet.
    pub const IDLE: Self = Self {
        connected_until: Time::ZERO,
    };

    /// Whether it is not connected at `now`.
    pub fn is_idle(&self, now: Time) -> bool {
        now >= self.connected_until
    }

    /// What a datagram sent or received at `now` has to wait for.
    ///
    /// Draws once in any case, so that the draws of later datagrams do not depend on pauses.
    pub fn wait(&mut self, connection: &Connection, now: Time, stream: &mut Stream) -> Duration {
        let setup = connection.setup.duration(stream);
        let wait = if now < self.connected_until {
            Duration::ZERO
        } else {
            setup
        };
        self.connected_until = self.connected_until.max(now + wait + connection.inactivity);
        wait
    }

    /// A datagram from the other side arrives at `now`, so the modem is connected.
    pub fn keep_up(&mut self, connection: &Connection, now: Time) {
        self.connected_until = self.connected_until.max(now + connection.inactivity);
    }
}

/// Failures of a cell: every 30 days, for a median of 40 minutes.
pub const CELL_FAILURES: Renewal = Renewal {
    up: Dist::Exponential {
        min: 0,
        mean: 30 * DAY,
    },
    down: Dist::LogNormal {
        min: MINUTE,
        median: 40 * MINUTE,
        sigma: 0.8,
    },
};

/// How long a cell lives on its battery when the grid fails, in nanoseconds: two to eight hours.
pub const CELL_BATTERY: Dist = Dist::Uniform(120 * MINUTE, 480 * MINUTE);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Purpose;

    fn median(mut draws: Vec<i64>) -> i64 {
        draws.sort_unstable();
        draws[draws.len() / 2]
    }

    #[test]
    fn latencies_have_the_published_medians() {
        for (technology, low_ms, high_ms) in [
            (Technology::LteCat1, 24, 26),
            (Technology::LteM1, 60, 100),
            (Technology::NbIot, 800, 1_600),
        ] {
            let mut stream = Stream::new(1, 1, Purpose::Uplink);
            let link = technology.link("wan");
            let draws = (0..20_000)
                .map(|_| link.up.latency.sample(&mut stream))
                .collect();
            let median = median(draws);
            assert!(
                (low_ms * MILLI..=high_ms * MILLI).contains(&median),
                "{median}"
            );
        }
    }

    #[test]
    fn weak_coverage_is_never_better() {
        for technology in [Technology::LteCat1, Technology::LteM1, Technology::NbIot] {
            let link = |coverage| technology.link_in("wan", coverage).up;
            let (good, weak, worst) = (
                link(Coverage::Normal),
                link(Coverage::Extended),
                link(Coverage::Extreme),
            );
            assert!(good.rate_bps > weak.rate_bps && weak.rate_bps > worst.rate_bps);
            assert!(good.loss_ppb <= weak.loss_ppb && weak.loss_ppb <= worst.loss_ppb);
        }
        let basement = Technology::NbIot.link_in("wan", Coverage::Extreme);
        assert!(
            (200..3_000).contains(&basement.down.rate_bps),
            "0.2-3 kb/s at 164 dB"
        );
    }

    #[test]
    fn only_the_first_datagram_after_a_pause_waits() {
        let connection = Technology::LteCat1.connection();
        let (mut modem, mut stream) = (Modem::default(), Stream::new(1, 1, Purpose::Uplink));
        let mut wait = |secs: u64| modem.wait(&connection, Time::from_secs(secs), &mut stream);
        let first = wait(100).as_nanos() as i64;
        assert!((80 * MILLI..=260 * MILLI).contains(&first));
        assert!(wait(101).is_zero());
        assert!(wait(110).is_zero(), "each datagram keeps the connection");
        assert!(!wait(121).is_zero());
    }
}
