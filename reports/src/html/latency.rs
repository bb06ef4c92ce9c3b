//! Section "Latency": authentications, interval reads and single messages.

use polars::prelude::{DataFrame, PolarsResult};

use super::format::words;
use super::run::{Run, labels, seconds, sorted};
use super::section::Section;
use crate::export::Table;
use crate::number::duration;
use crate::plot::{About, Axis, Figure, Lines, Series, Size, ecdf};
use crate::schema::{Row, TableDef, label};
use crate::stats::quantile_sorted;
use crate::{AuthRow, Error, MessageRow, ReadRow};

/// Points that draw a curve.
const POINTS: usize = 240;

pub(super) fn section(run: &Run) -> Result<Section, Error> {
    let mut section = Section::new("latency", "Latency", lead(run));
    let mut quantiles = Table::new(["what", "count", "p50_s", "p95_s", "p99_s", "max_s"]);
    for source in SOURCES {
        let Some(frame) = run.frame(source.table, source.columns)? else {
            continue;
        };
        let groups = (source.groups)(&frame).map_err(Error::parquet(source.table.name))?;
        for (name, sorted) in &groups {
            let level = |q: f64| quantile_sorted(sorted, q).into();
            let what = format!("{}: {name}", source.title).into();
            let count = (sorted.len() as f64).into();
            quantiles.push([
                what,
                count,
                level(0.5),
                level(0.95),
                level(0.99),
                level(1.0),
            ]);
        }
        section.figures.extend(figure(source, &groups));
    }
    if !quantiles.rows.is_empty() {
        let title = "Latency quantiles, in seconds".to_string();
        section.tables.push((title, quantiles));
    }
    Ok(section)
}

fn lead(run: &Run) -> String {
    let quantile = |path: &str| run.number(path).map(duration);
    let auth = quantile("auth.latency_s.p50").zip(quantile("auth.latency_s.p99"));
    let reads = quantile("reads.latency_s.p50").zip(quantile("reads.latency_s.p99"));
    let sentence = |what: &str, values: Option<(String, String)>| {
        values.map_or_else(String::new, |(p50, p99)| {
            format!("{what} took {p50} in the median and {p99} at the 99th percentile. ")
        })
    };
    let text = sentence("A successful authentication", auth) + &sentence("An interval read", reads);
    text.trim_end().to_string()
}

/// Named groups of sorted latencies in seconds.
type Groups = Vec<(String, Vec<f64>)>;

struct Source {
    table: &'static TableDef,
    columns: &'static [&'static str],
    groups: fn(&DataFrame) -> PolarsResult<Groups>,
    id: &'static str,
    title: &'static str,
    caption: &'static str,
}

const SOURCES: &[Source] = &[
    Source {
        table: AuthRow::TABLE,
        columns: &["kind", "outcome", "latency_ns"],
        groups: authentications,
        id: "authentication-latency",
        title: "Authentication",
        caption: "From the first PANA message to the end of the attempt, of successful attempts.",
    },
    Source {
        table: ReadRow::TABLE,
        columns: &["latency_ns"],
        groups: reads,
        id: "read-latency",
        title: "Interval read",
        caption: "From the end of an interval to its acceptance at the head-end, of delivered reads.",
    },
    Source {
        table: MessageRow::TABLE,
        columns: &["direction", "latency_ns"],
        groups: messages,
        id: "message-latency",
        title: "Message",
        caption: "From hand-over by one application to acceptance by the other, of accepted messages.",
    },
];

fn authentications(frame: &DataFrame) -> PolarsResult<Groups> {
    let (outcomes, names) = labels(frame, "outcome")?;
    let mut latency = seconds(frame, "latency_ns")?;
    for (latency, outcome) in latency.iter_mut().zip(outcomes) {
        if names[outcome] != label::SUCCESS {
            *latency = f64::NAN;
        }
    }
    by_label(frame, "kind", &latency)
}

fn reads(frame: &DataFrame) -> PolarsResult<Groups> {
    let latency = sorted(seconds(frame, "latency_ns")?);
    Ok(vec![("all".to_string(), latency)])
}

fn messages(frame: &DataFrame) -> PolarsResult<Groups> {
    by_label(frame, "direction", &seconds(frame, "latency_ns")?)
}

fn by_label(frame: &DataFrame, column: &str, latency: &[f64]) -> PolarsResult<Groups> {
    let (codes, names) = labels(frame, column)?;
    let group = |(wanted, name): (usize, &String)| {
        let of_label = codes
            .iter()
            .zip(latency)
            .filter(|(code, _)| **code == wanted);
        (words(name), sorted(of_label.map(|(_, latency)| *latency)))
    };
    Ok(names.iter().enumerate().map(group).collect())
}

fn figure(source: &Source, groups: &Groups) -> Option<Figure> {
    let groups = groups.iter().filter(|(_, values)| !values.is_empty());
    let series: Vec<Series> = groups
        .map(|(name, values)| ecdf(name, values, POINTS))
        .collect();
    if series.is_empty() {
        return None;
    }
    let ends = series
        .iter()
        .flat_map(|series| series.points.iter().map(|(x, _)| *x));
    let title = format!("{} latency", source.title);
    let about = About {
        id: source.id,
        title: &title,
        caption: source.caption,
    };
    let plot = Lines {
        x: Axis::durations("Latency", "latency_s", ends),
        y: Axis::over("Share at or below", "share", 0.0, 1.0),
        series,
        events: Vec::new(),
    };
    Some(Figure::new(about, Size::Half, &plot))
}
