//! A results folder as the report sees it: its documents, and columns of its tables.

use std::fs;
use std::path::Path;

use polars::prelude::{DataFrame, DataType, PolarsResult};
use serde_json::Value;

use crate::plot::{Axis, Event, Lines, Series};
use crate::schema::TableDef;
use crate::{Error, Results, Summary};

const NANOSECONDS: f64 = 1e9;

/// A results folder, opened.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) results: Results,
    /// `manifest.json`: what was run.
    pub(super) manifest: Value,
    /// `summary.json`, or what it would hold if the run was killed before it wrote one.
    pub(super) summary: Value,
}

impl Run {
    /// Reads the documents of a folder.
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        let results = Results::open(folder);
        let manifest = document(folder, "manifest.json")?;
        let summary = if folder.join("summary.json").is_file() {
            document(folder, "summary.json")?
        } else {
            Summary::of(&results)?.to_json()
        };
        Ok(Self {
            results,
            manifest,
            summary,
        })
    }

    /// The number at a path of the summary, such as `auth.latency_s.p95`.
    pub(super) fn number(&self, path: &str) -> Option<f64> {
        let mut steps = path.split('.');
        let value = steps.try_fold(&self.summary, |value, step| value.get(step));
        value.and_then(Value::as_f64)
    }

    /// A count of the summary; 0 if it is missing.
    pub(super) fn count(&self, path: &str) -> u64 {
        self.number(path).map_or(0, |number| number.max(0.0) as u64)
    }

    /// A text of the manifest; empty if it is missing.
    pub(super) fn text(&self, key: &str) -> &str {
        self.manifest.get(key).and_then(Value::as_str).unwrap_or("")
    }

    /// Name of the scenario, or else of the folder.
    pub(super) fn name(&self) -> String {
        let summary = &self.summary["run"]["name"];
        let name = summary.as_str().unwrap_or(self.text("name"));
        if !name.is_empty() {
            return name.to_string();
        }
        let folder = self.results.folder().file_name();
        folder.map_or_else(
            || "results".to_string(),
            |name| name.to_string_lossy().into_owned(),
        )
    }

    /// Virtual time that the run reached, in seconds.
    pub(super) fn end_s(&self) -> f64 {
        let reached = self.number("run.reached_s");
        let planned = self.manifest["duration_s"].as_f64();
        reached.or(planned).unwrap_or(0.0)
    }

    /// Whether the run ended as planned.
    pub(super) fn is_complete(&self) -> bool {
        self.manifest["complete"].as_bool().unwrap_or(false)
    }

    /// Counts over the run, with the scenario's timeline.
    pub(super) fn counts_over_time(&self, title: &str, unit: &str, series: Vec<Series>) -> Lines {
        let heights = series.iter().flat_map(|series| &series.points);
        let y = Axis::linear(title, unit, heights.map(|(_, y)| *y)).counted();
        Lines {
            x: Axis::time(0.0, self.end_s()),
            y,
            series,
            events: self.events(),
        }
    }

    /// What the scenario's timeline did, in order.
    pub(super) fn events(&self) -> Vec<Event> {
        let steps = self.manifest["timeline"].as_array();
        let event = |step: &Value| {
            Some(Event {
                at_s: step["at_s"].as_f64()?,
                label: step["action"].as_str()?.to_string(),
            })
        };
        steps.into_iter().flatten().filter_map(event).collect()
    }

    /// Columns of a table; `None` if the run did not record it or it has no rows.
    pub(super) fn frame(
        &self,
        table: &'static TableDef,
        columns: &[&str],
    ) -> Result<Option<DataFrame>, Error> {
        match self.results.columns(table, columns) {
            Ok(frame) if frame.height() > 0 => Ok(Some(frame)),
            Ok(_) | Err(Error::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn document(folder: &Path, name: &'static str) -> Result<Value, Error> {
    let path = folder.join(name);
    let failure = |reason: String| Error::Document {
        path: path.clone(),
        reason,
    };
    let text = fs::read_to_string(&path).map_err(|e| failure(e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| failure(e.to_string()))
}

/// Values of a numeric column; missing ones are NaN.
pub(super) fn floats(frame: &DataFrame, column: &str) -> PolarsResult<Vec<f64>> {
    let column = frame.column(column)?.cast(&DataType::Float64)?;
    let values = column.f64()?.iter();
    Ok(values.map(|value| value.unwrap_or(f64::NAN)).collect())
}

/// Values of a column in nanoseconds as seconds; missing ones are NaN.
pub(super) fn seconds(frame: &DataFrame, column: &str) -> PolarsResult<Vec<f64>> {
    let mut values = floats(frame, column)?;
    values.iter_mut().for_each(|value| *value /= NANOSECONDS);
    Ok(values)
}

/// Indices of a column of identifiers.
pub(super) fn indices(frame: &DataFrame, column: &str) -> PolarsResult<Vec<u32>> {
    let column = frame.column(column)?.cast(&DataType::UInt32)?;
    Ok(column
        .u32()?
        .iter()
        .map(Option::unwrap_or_default)
        .collect())
}

/// A column of labels as indices into its distinct labels, which are sorted.
pub(super) fn labels(frame: &DataFrame, column: &str) -> PolarsResult<(Vec<usize>, Vec<String>)> {
    let values = frame.column(column)?.str()?;
    let mut distinct: Vec<&str> = Vec::new();
    let mut codes = Vec::with_capacity(frame.height());
    for value in values.iter() {
        let value = value.unwrap_or("");
        let known = distinct.iter().position(|label| *label == value);
        codes.push(known.unwrap_or_else(|| {
            distinct.push(value);
            distinct.len() - 1
        }));
    }
    let mut order: Vec<usize> = (0..distinct.len()).collect();
    order.sort_unstable_by_key(|index| distinct[*index]);
    let mut rank = vec![0; distinct.len()];
    for (new, old) in order.iter().enumerate() {
        rank[*old] = new;
    }
    codes.iter_mut().for_each(|code| *code = rank[*code]);
    let names = order.iter().map(|index| distinct[*index].to_string());
    Ok((codes, names.collect()))
}

/// Finite values in order.
pub(super) fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}
