//! Expectations: assertions on the summary of a run that set the exit code.

use std::fmt;

use serde_json::Value;

use super::schema::Expectation;

/// Paths into `summary.json` on which an expectation may be placed.
const METRICS: &[&str] = &[
    "auth.attempts",
    "auth.datagrams_per_initial.max",
    "auth.datagrams_per_initial.mean",
    "auth.datagrams_per_initial.min",
    "auth.failed",
    "auth.initial",
    "auth.latency_s.max",
    "auth.latency_s.mean",
    "auth.latency_s.p50",
    "auth.latency_s.p95",
    "auth.latency_s.p99",
    "auth.pana_bytes_per_initial.max",
    "auth.pana_bytes_per_initial.mean",
    "auth.pana_bytes_per_initial.min",
    "auth.reauthentications",
    "auth.retransmissions",
    "auth.succeeded",
    "auth.success_ratio",
    "headend.dropped",
    "headend.queue_max",
    "headend.utilisation_max",
    "headend.utilisation_mean",
    "keys.derived",
    "keys.expired",
    "keys.rotations",
    "keys.rotations_per_meter.max",
    "keys.rotations_per_meter.mean",
    "keys.rotations_per_meter.min",
    "keys.used_after_expiry",
    "messages.accepted_ratio",
    "messages.latency_s.max",
    "messages.latency_s.mean",
    "messages.latency_s.p50",
    "messages.latency_s.p95",
    "messages.latency_s.p99",
    "messages.sent",
    "meters.count",
    "meters.joined",
    "meters.joined_ratio",
    "meters.time_to_join_s.max",
    "meters.time_to_join_s.mean",
    "meters.time_to_join_s.p50",
    "meters.time_to_join_s.p95",
    "meters.time_to_join_s.p99",
    "reads.completeness_ratio",
    "reads.delivered",
    "reads.due",
    "reads.latency_s.max",
    "reads.latency_s.mean",
    "reads.latency_s.p50",
    "reads.latency_s.p95",
    "reads.latency_s.p99",
    "rejects.total",
    "run.events",
    "traffic.bytes_down",
    "traffic.bytes_up",
    "traffic.c1222_bytes",
    "traffic.datagrams",
    "traffic.datagrams_lost",
    "traffic.pana_bytes",
];

/// The metrics on which an expectation may be placed, in alphabetical order.
pub fn known_metrics() -> &'static [&'static str] {
    METRICS
}

/// What became of an expectation.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// What was expected.
    pub expectation: Expectation,
    /// What the summary says; nothing if the run yielded no such number.
    pub measured: Option<f64>,
    /// Whether the expectation holds.
    pub holds: bool,
}

impl Expectation {
    /// Path of the metric into `summary.json`.
    pub fn metric(&self) -> &str {
        match self {
            Self::AtLeast { metric, .. }
            | Self::AtMost { metric, .. }
            | Self::Between { metric, .. }
            | Self::Equals { metric, .. } => metric,
        }
    }

    /// Compares the expectation with `summary`; a number that is absent fails it.
    pub fn judge(&self, summary: &Value) -> Verdict {
        let measured = self
            .metric()
            .split('.')
            .try_fold(summary, |value, step| value.get(step))
            .and_then(Value::as_f64);
        let holds = measured.is_some_and(|measured| match self {
            Self::AtLeast { value, .. } => measured >= *value,
            Self::AtMost { value, .. } => measured <= *value,
            Self::Between { low, high, .. } => (*low..=*high).contains(&measured),
            Self::Equals { value, .. } => measured == *value,
        });
        Verdict {
            expectation: self.clone(),
            measured,
            holds,
        }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast { metric, value } => write!(f, "{metric} >= {value}"),
            Self::AtMost { metric, value } => write!(f, "{metric} <= {value}"),
            Self::Between { metric, low, high } => write!(f, "{low} <= {metric} <= {high}"),
            Self::Equals { metric, value } => write!(f, "{metric} = {value}"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = if self.holds { "ok" } else { "FAILED" };
        write!(f, "{outcome}: {}", self.expectation)?;
        match self.measured {
            Some(measured) => write!(f, " (measured {measured})"),
            None => write!(f, " (not measured)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(expectation: Expectation) -> bool {
        expectation
            .judge(&json!({"meters": {"joined_ratio": 0.5, "name": "x"}}))
            .holds
    }

    #[test]
    fn bounds_include_their_ends() {
        let metric = || "meters.joined_ratio".to_owned();
        let at_least = |value| Expectation::AtLeast {
            metric: metric(),
            value,
        };
        let at_most = |value| Expectation::AtMost {
            metric: metric(),
            value,
        };
        let between = |low, high| Expectation::Between {
            metric: metric(),
            low,
            high,
        };
        let equals = |value| Expectation::Equals {
            metric: metric(),
            value,
        };
        assert!(holds(at_least(0.5)) && !holds(at_least(0.51)));
        assert!(holds(at_most(0.5)) && !holds(at_most(0.49)));
        assert!(holds(between(0.5, 0.5)) && !holds(between(0.6, 0.7)));
        assert!(holds(equals(0.5)) && !holds(equals(0.4)));
    }

    #[test]
    fn a_metric_without_a_number_fails() {
        for metric in ["meters.absent", "meters.name", ""] {
            assert!(!holds(Expectation::AtLeast {
                metric: metric.to_owned(),
                value: 0.0
            }));
        }
    }

    #[test]
    fn metrics_are_sorted_and_unique() {
        assert!(METRICS.is_sorted_by(|a, b| a < b));
    }
}
