//! What happened at the sockets, in numbers.

use std::collections::BTreeMap;
use std::fmt;

use models::telemetry::Histogram;
use models::time::Duration;
use serde_json::{Value, json};

use super::visits::Visits;

/// An event that is handled so much later than due counts as late.
const LATE: Duration = Duration::from_millis(100);

/// How far events lag behind the wall clock.
#[derive(Clone, Debug, Default)]
pub struct Lag {
    histogram: Histogram,
    events: u64,
    late: u64,
    max: Duration,
}

impl Lag {
    /// Counts an event that was handled `lag` of wall time after it was due.
    pub fn record(&mut self, lag: Duration) {
        self.histogram.record(lag);
        self.events += 1;
        self.late += u64::from(lag > LATE);
        self.max = self.max.max(lag);
    }

    /// Events counted.
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// Events that lagged more than 100 ms.
    pub const fn late(&self) -> u64 {
        self.late
    }

    /// The largest lag.
    pub const fn max(&self) -> Duration {
        self.max
    }

    /// The lag that `permille` of a thousand events do not exceed, to within 6 %, in seconds.
    pub fn quantile_s(&self, permille: u64) -> f64 {
        let lag = self.histogram.quantile(permille);
        lag.map_or(0.0, |lag| lag.min(self.max).as_nanos() as f64 / 1e9)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.histogram.clear();
        (self.events, self.late, self.max) = (0, 0, Duration::ZERO);
    }
}

/// What went through a socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortFigures {
    /// Whose port it is and what it carries.
    pub name: String,
    /// Where it is.
    pub address: String,
    /// Datagrams or messages received.
    pub received: u64,
    /// Octets of them.
    pub received_octets: u64,
    /// Datagrams or messages sent.
    pub sent: u64,
    /// Octets of them.
    pub sent_octets: u64,
    /// Datagrams that the kernel dropped because the buffer of the socket was full.
    pub kernel_drops: u64,
    /// Octets that the kernel buffers for the socket.
    pub buffer_octets: u64,
}

impl PortFigures {
    /// Whether anything went through it.
    pub(super) const fn is_used(&self) -> bool {
        self.received + self.sent > 0
    }
}

/// What became of TCP connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionFigures {
    /// Accepted.
    pub accepted: u64,
    /// Opened by meters of this process.
    pub opened: u64,
    /// Not accepted, by cause.
    pub refused: BTreeMap<&'static str, u64>,
    /// Ended, by cause.
    pub ended: BTreeMap<&'static str, u64>,
    /// The most that were open at once.
    pub open_max: u64,
}

/// Which sides a process has played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sides {
    /// The meters.
    pub meters: bool,
    /// The head-end.
    pub headend: bool,
}

impl Sides {
    /// Both of them.
    pub const BOTH: Self = Self {
        meters: true,
        headend: true,
    };

    /// In words.
    pub const fn name(self) -> &'static str {
        match (self.meters, self.headend) {
            (true, true) => "meters and head-end",
            (true, false) => "meters",
            (false, _) => "head-end",
        }
    }
}

/// What happened at the sockets of a live run.
#[derive(Clone, Debug)]
pub struct Figures {
    /// The sides that were played.
    pub sides: Sides,
    /// Virtual seconds per second.
    pub pace: f64,
    /// How far events lagged behind the wall clock.
    pub lag: Lag,
    /// By port.
    pub ports: Vec<PortFigures>,
    /// What never came to a node, by cause.
    pub refused: BTreeMap<&'static str, u64>,
    /// What could not be sent, by cause.
    pub unsent: BTreeMap<&'static str, u64>,
    /// TCP connections.
    pub connections: ConnectionFigures,
    /// Optical ports.
    pub optical: Visits,
    /// Datagrams that waited for a node when the run ended.
    pub waiting: u64,
}

impl Figures {
    /// Figures of a run that begins.
    pub fn new(sides: Sides, pace: f64) -> Self {
        Self {
            sides,
            pace,
            lag: Lag::default(),
            ports: Vec::new(),
            refused: BTreeMap::new(),
            unsent: BTreeMap::new(),
            connections: ConnectionFigures::default(),
            optical: Visits::default(),
            waiting: 0,
        }
    }

    /// The sum of a figure over all ports.
    pub fn sum(&self, figure: impl Fn(&PortFigures) -> u64) -> u64 {
        self.ports.iter().map(figure).sum()
    }

    /// The figures as part of `summary.json`.
    pub fn to_json(&self) -> Value {
        let port = |port: &PortFigures| {
            json!({
                "name": port.name,
                "address": port.address,
                "received": port.received,
                "received_bytes": port.received_octets,
                "sent": port.sent,
                "sent_bytes": port.sent_octets,
                "kernel_drops": port.kernel_drops,
                "buffer_bytes": port.buffer_octets,
            })
        };
        json!({
            "role": self.sides.name(),
            "pace": self.pace,
            "lag_s": {
                "p50": self.lag.quantile_s(500),
                "p95": self.lag.quantile_s(950),
                "p99": self.lag.quantile_s(990),
                "max": self.lag.max().as_nanos() as f64 / 1e9,
                "events": self.lag.events(),
                "late": self.lag.late(),
            },
            "ports": self.ports.iter().map(port).collect::<Vec<_>>(),
            "received": self.sum(|port| port.received),
            "sent": self.sum(|port| port.sent),
            "kernel_drops": self.sum(|port| port.kernel_drops),
            "refused": self.refused,
            "unsent": self.unsent,
            "waiting": self.waiting,
            "connections": {
                "accepted": self.connections.accepted,
                "opened": self.connections.opened,
                "refused": self.connections.refused,
                "ended": self.connections.ended,
                "open_max": self.connections.open_max,
            },
            "optical": self.optical.to_json(),
        })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [received, sent, drops] = [
            self.sum(|port| port.received),
            self.sum(|port| port.sent),
            self.sum(|port| port.kernel_drops),
        ];
        writeln!(
            f,
            "live      {}: {received} datagrams received, {sent} sent, {drops} dropped by the kernel",
            self.sides.name()
        )?;
        for (what, counts) in [("refused", &self.refused), ("unsent", &self.unsent)] {
            if !counts.is_empty() {
                writeln!(f, "          {what}: {}", list(counts))?;
            }
        }
        if self.connections != ConnectionFigures::default() {
            let ConnectionFigures {
                accepted,
                opened,
                refused,
                ended,
                open_max,
            } = &self.connections;
            writeln!(
                f,
                "          TCP: {accepted} connections accepted, {opened} opened, {open_max} at once"
            )?;
            for (what, counts) in [("not accepted", refused), ("ended", ended)] {
                if !counts.is_empty() {
                    writeln!(f, "          {what}: {}", list(counts))?;
                }
            }
        }
        if self.optical.ports > 0 {
            writeln!(f, "{}", self.optical)?;
        }
        write!(
            f,
            "lag       p50 {:.3} ms, p95 {:.3} ms, p99 {:.3} ms, max {:.3} ms",
            self.lag.quantile_s(500) * 1e3,
            self.lag.quantile_s(950) * 1e3,
            self.lag.quantile_s(990) * 1e3,
            self.lag.max().as_nanos() as f64 / 1e6,
        )?;
        if self.lag.late() > 0 {
            let (late, events) = (self.lag.late(), self.lag.events());
            write!(
                f,
                "\nOVERLOAD  {late} of {events} events were more than 100 ms late: timers and \
                 latencies of this run are not those of the scenario"
            )?;
        }
        Ok(())
    }
}

fn list(counts: &BTreeMap<&'static str, u64>) -> String {
    let each = counts
        .iter()
        .map(|(cause, count)| format!("{count} {cause}"));
    each.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_events_show() {
        let mut figures = Figures::new(Sides::BOTH, 1.0);
        figures.lag.record(Duration::from_millis(1));
        assert!(!figures.to_string().contains("OVERLOAD"));
        figures.lag.record(Duration::from_millis(500));
        assert!(figures.to_string().contains("OVERLOAD  1 of 2 events"));
        assert_eq!(figures.to_json()["lag_s"]["late"], 1);
        assert_eq!(figures.to_json()["lag_s"]["max"], 0.5);
    }
}
