//! A results folder reduced to named numbers.
//!
//! Every number has a path such as `auth.latency_s.p95`; `summary.json` nests by the path's steps
//! and scenario expectations refer to it. [`metrics`] lists all paths with their meaning.
//! Times are seconds here, unlike in the tables, because people read these.

mod attacks;
mod feeders;
mod firmware;
mod han;
pub mod kpi;
mod mdms;
mod metering;
mod optical;
mod outages;
mod requests;
mod response;
mod restoration;
mod sections;
mod switching;
mod table;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::{Error, Results, stats};

/// A number a summary can hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Metric {
    /// Path into the summary, steps separated by dots.
    pub path: String,
    /// Meaning of the number.
    pub doc: &'static str,
}

/// All metrics of the tables, in the order of a summary.
#[must_use]
pub fn metrics() -> &'static [Metric] {
    static METRICS: LazyLock<Vec<Metric>> = LazyLock::new(|| {
        let nowhere = Results::open("".as_ref());
        let summary = Summary::of(&nowhere).expect("absent tables are not an error");
        summary.numbers.into_iter().map(|(m, _)| m).collect()
    });
    &METRICS
}

/// Named numbers of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    numbers: Vec<(Metric, Option<f64>)>,
    breakdowns: Vec<(&'static str, BTreeMap<String, u64>)>,
}

impl Summary {
    /// Computes the summary of a results folder.
    ///
    /// A number is missing if its table is, or if it has no value, as a ratio of nothing has none.
    /// Large tables are gone through in batches: memory grows with the number of meters, not with
    /// that of rows.
    pub fn of(results: &Results) -> Result<Self, Error> {
        let mut builder = Builder {
            summary: Self::default(),
            present: true,
        };
        sections::all(results, &mut builder)?;
        kpi::all(results, &mut builder)?;
        Ok(builder.summary)
    }

    /// The number at a path; `None` if it is missing or the path unknown.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<f64> {
        let found = self.numbers.iter().find(|(metric, _)| metric.path == path);
        found.and_then(|(_, value)| *value)
    }

    /// All numbers, in order.
    pub fn numbers(&self) -> impl Iterator<Item = (&Metric, Option<f64>)> {
        self.numbers.iter().map(|(metric, value)| (metric, *value))
    }

    /// Counts by label at a path such as `rejects.causes`; empty if the path is unknown.
    #[must_use]
    pub fn breakdown(&self, path: &str) -> BTreeMap<String, u64> {
        let found = self.breakdowns.iter().find(|(known, _)| *known == path);
        found.map(|(_, counts)| counts.clone()).unwrap_or_default()
    }

    /// The summary as nested objects; missing numbers are null.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut root = Map::new();
        for (metric, value) in &self.numbers {
            insert(&mut root, &metric.path, value.map_or(Value::Null, number));
        }
        for (path, counts) in &self.breakdowns {
            insert(&mut root, path, json!(counts));
        }
        Value::Object(root)
    }
}

/// Counts as integers, everything else as it is.
fn number(value: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        json!(value as i64)
    } else {
        json!(value)
    }
}

fn insert(root: &mut Map<String, Value>, path: &str, value: Value) {
    let (parents, leaf) = path.rsplit_once('.').unwrap_or(("", path));
    let object = parents
        .split('.')
        .filter(|step| !step.is_empty())
        .fold(root, |object, step| {
            object
                .entry(step)
                .or_insert_with(|| Value::Object(Map::new()))
                .as_object_mut()
                .expect("no metric's path continues another's")
        });
    object.insert(leaf.to_string(), value);
}

/// Prints one line per number, and one per distribution, under a heading per section.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut heading = "";
        let mut line = "";
        for (metric, value) in &self.numbers {
            let (section, rest) = metric.path.split_once('.').unwrap_or(("", &metric.path));
            if section != heading {
                if !heading.is_empty() {
                    writeln!(f)?;
                }
                write!(f, "{section}")?;
                heading = section;
            }
            let (name, part) = rest.split_once('.').unwrap_or((rest, ""));
            if part.is_empty() || name != line {
                write!(f, "\n  {name:<28}")?;
                line = name;
            } else {
                write!(f, " ")?;
            }
            if !part.is_empty() {
                write!(f, " {part}")?;
            }
            match value {
                None => write!(f, " -")?,
                Some(value) if name.ends_with("_ratio") => write!(f, " {:.3} %", value * 100.0)?,
                Some(value) if value.fract() == 0.0 => write!(f, " {value:.0}")?,
                Some(value) => write!(f, " {value:.3}")?,
            }
        }
        for (path, counts) in self.breakdowns.iter().filter(|(_, c)| !c.is_empty()) {
            write!(f, "\n{path}")?;
            for (label, count) in counts {
                write!(f, "\n  {label:<28} {count}")?;
            }
        }
        writeln!(f)
    }
}

/// Collects the numbers of one section after the other.
struct Builder {
    summary: Summary,
    /// Whether the tables of the section exist; without them its numbers are missing.
    present: bool,
}

impl Builder {
    fn number(&mut self, path: &str, doc: &'static str, value: Option<f64>) {
        let metric = Metric {
            path: path.to_string(),
            doc,
        };
        let value = value.filter(|_| self.present);
        self.summary.numbers.push((metric, value));
    }

    fn ratio(&mut self, path: &str, doc: &'static str, part: f64, whole: f64) {
        self.number(path, doc, (whole > 0.0).then(|| part / whole));
    }

    /// Adds minimum, mean, quantiles and maximum of values.
    fn distribution(&mut self, path: &str, doc: &'static str, values: Vec<f64>) {
        let scan = |each: &mut dyn FnMut(f64)| {
            values.iter().for_each(|value| each(*value));
            Ok::<_, Infallible>(())
        };
        let Ok(()) = self.spread(path, doc, scan);
    }

    /// The same of values that need not fit into memory: those that `scan` shows in each call.
    fn spread<E>(
        &mut self,
        path: &str,
        doc: &'static str,
        scan: impl FnMut(&mut dyn FnMut(f64)) -> Result<(), E>,
    ) -> Result<(), E> {
        let sample = stats::sample([0.0, 0.50, 0.95, 0.99, 1.0], scan)?;
        let [min, p50, p95, p99, max] = sample.quantiles;
        for (step, value) in [
            ("min", min),
            ("mean", sample.mean),
            ("p50", p50),
            ("p95", p95),
            ("p99", p99),
            ("max", max),
        ] {
            self.number(&format!("{path}.{step}"), doc, value);
        }
        Ok(())
    }

    fn breakdown(&mut self, path: &'static str, counts: BTreeMap<String, u64>) {
        self.summary.breakdowns.push((path, counts));
    }
}

#[cfg(test)]
mod tests;
