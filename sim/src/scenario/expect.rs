//! Expectations: assertions on the summary of a run that set the exit code.

use std::fmt;
use std::sync::LazyLock;

use reports::summary::metrics;

use super::schema::Expectation;

/// The metrics on which an expectation may be placed: the numbers of `summary.json`.
pub fn known_metrics() -> &'static [&'static str] {
    static PATHS: LazyLock<Vec<&str>> = LazyLock::new(|| {
        metrics()
            .iter()
            .map(|metric| metric.path.as_str())
            .collect()
    });
    &PATHS
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

    /// Compares the expectation with what was measured; a number that is absent fails it.
    pub fn judge(&self, measured: Option<f64>) -> Verdict {
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
    use super::*;

    fn holds(expectation: Expectation) -> bool {
        expectation.judge(Some(0.5)).holds
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
        let expectation = Expectation::AtLeast {
            metric: "meters.joined".to_owned(),
            value: 0.0,
        };
        let verdict = expectation.judge(None);
        assert!(!verdict.holds);
        assert_eq!(
            verdict.to_string(),
            "FAILED: meters.joined >= 0 (not measured)"
        );
    }

    #[test]
    fn the_numbers_of_the_summary_are_known() {
        assert!(known_metrics().contains(&"meters.joined_ratio"));
        assert!(known_metrics().contains(&"meters.time_to_join_s.p95"));
    }
}
