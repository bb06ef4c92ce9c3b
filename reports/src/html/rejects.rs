//! Section "Rejects": what nodes discarded, and why.

use std::collections::BTreeMap;

use polars::prelude::{DataFrame, PolarsResult};

use super::bins::Bins;
use super::format::{protocol, words};
use super::run::{Run, floats, labels, seconds};
use super::section::Section;
use crate::number::grouped;
use crate::plot::{About, Axis, Band, Bars, Figure, Size, Stack};
use crate::schema::Row;
use crate::{Error, RejectRow};

/// Causes with a bar of their own; the others share one.
const CAUSES: usize = 15;
/// Causes with a colour of their own over time; the others share one.
const BANDS: usize = 5;

pub(super) fn section(run: &Run) -> Result<Section, Error> {
    let mut section = Section::new("rejects", "Rejects", String::new());
    let columns = [
        "node",
        "protocol",
        "cause",
        "bin_start_ns",
        "bin_ns",
        "count",
    ];
    section.lead = match run.number("rejects.total") {
        None => "The run did not record what its nodes discarded.".to_string(),
        Some(0.0) => "No node discarded a datagram or message.".to_string(),
        Some(total) => format!(
            "Nodes discarded {} datagrams and messages, as the clauses of their protocols order.",
            grouped(total as u64)
        ),
    };
    if let Some(frame) = run.frame(RejectRow::TABLE, &columns)? {
        section.figures = figures(run, &frame).map_err(Error::parquet(RejectRow::TABLE.name))?;
    }
    Ok(section)
}

fn figures(run: &Run, frame: &DataFrame) -> PolarsResult<Vec<Figure>> {
    let causes = named_causes(frame)?;
    let counts = floats(frame, "count")?;
    let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
    for (cause, count) in causes.iter().zip(&counts) {
        *sums.entry(cause).or_default() += count;
    }
    let mut ranking: Vec<_> = sums.into_iter().collect();
    ranking.sort_by(|a, b| b.1.total_cmp(&a.1));
    let bars = bars(&ranking);
    let names: Vec<&str> = ranking.iter().map(|(name, _)| *name).collect();
    let recorded = seconds(frame, "bin_ns")?.first().copied().unwrap_or(0.0);
    let bins = Bins::new(run.end_s(), recorded);
    let starts = seconds(frame, "bin_start_ns")?;
    let rows = causes.iter().map(String::as_str).zip(starts).zip(counts);
    let rows = rows.map(|((cause, start), count)| (cause, start, count));
    Ok(vec![bars, over_time(run, &names, &bins, rows)])
}

/// Node, protocol and cause of every row in words.
fn named_causes(frame: &DataFrame) -> PolarsResult<Vec<String>> {
    let (nodes, node_names) = labels(frame, "node")?;
    let (protocols, protocol_names) = labels(frame, "protocol")?;
    let (causes, cause_names) = labels(frame, "cause")?;
    let name = |row: usize| {
        format!(
            "{}, {}: {}",
            node_names[nodes[row]],
            protocol(&protocol_names[protocols[row]]),
            words(&cause_names[causes[row]])
        )
    };
    Ok((0..frame.height()).map(name).collect())
}

fn bars(ranking: &[(&str, f64)]) -> Figure {
    let shown = ranking.len().min(CAUSES);
    let mut bars: Vec<_> = ranking[..shown]
        .iter()
        .map(|(name, count)| ((*name).to_string(), *count))
        .collect();
    if shown < ranking.len() {
        let rest: f64 = ranking[shown..].iter().map(|(_, count)| count).sum();
        bars.push((format!("{} other causes", ranking.len() - shown), rest));
    }
    let about = About {
        id: "rejects-by-cause",
        title: "Rejects by cause",
        caption: "Discarded datagrams and messages by node, protocol and cause.",
    };
    let values = bars.iter().map(|(_, count)| *count);
    let plot = Bars {
        x: Axis::linear("Discarded", "count", values).counted(),
        column: "cause".to_string(),
        bars,
    };
    Figure::new(about, Size::Half, &plot)
}

fn over_time<'a>(
    run: &Run,
    ranking: &[&str],
    bins: &Bins,
    rows: impl Iterator<Item = (&'a str, f64, f64)>,
) -> Figure {
    let kept = if ranking.len() > BANDS + 1 {
        BANDS
    } else {
        ranking.len()
    };
    let band = |name: String| Band {
        name,
        values: vec![0.0; bins.count()],
    };
    let mut bands: Vec<_> = ranking[..kept]
        .iter()
        .map(|name| band((*name).to_string()))
        .collect();
    if kept < ranking.len() {
        bands.push(band(format!("{} others", ranking.len() - kept)));
    }
    let others = bands.len() - 1;
    for (cause, start_s, count) in rows {
        let of_cause = ranking[..kept].iter().position(|known| *known == cause);
        bands[of_cause.unwrap_or(others)].values[bins.index(start_s)] += count;
    }
    let caption = format!(
        "Discarded datagrams and messages per {} by cause.",
        bins.say()
    );
    let about = About {
        id: "rejects-over-time",
        title: "Rejects over time",
        caption: &caption,
    };
    let totals = Stack::totals(&bands);
    let title = format!("Discarded per {}", bins.say());
    let plot = Stack {
        x: Axis::time(0.0, run.end_s()),
        y: Axis::linear(&title, "count", totals.into_iter()).counted(),
        edges: bins.edges(),
        bands,
        events: run.events(),
    };
    Figure::new(about, Size::Half, &plot)
}
