//! Section "Joining": how fast meters got their first key.

use polars::prelude::{DataFrame, PolarsResult};

use super::format::counted;
use super::run::{Run, seconds, sorted};
use super::section::Section;
use crate::number::{duration, percent};
use crate::plot::{About, Axis, Band, Figure, Lines, Series, Size, Stack, ecdf};
use crate::schema::Row;
use crate::{Error, MeterRow};

/// Points that draw a curve.
const POINTS: usize = 240;
/// Bars of a histogram.
const BARS: usize = 40;

pub(super) fn section(run: &Run) -> Result<Section, Error> {
    let mut section = Section::new("joining", "Joining", lead(run));
    let columns = ["joined_ns", "time_to_join_ns"];
    if let Some(frame) = run.frame(MeterRow::TABLE, &columns)? {
        section.figures = figures(run, &frame).map_err(Error::parquet(MeterRow::TABLE.name))?;
    }
    Ok(section)
}

fn lead(run: &Run) -> String {
    let Some(median) = run.number("meters.time_to_join_s.p50") else {
        return "No meter got a key.".to_string();
    };
    let [p95, max] = ["p95", "max"].map(|q| {
        run.number(&format!("meters.time_to_join_s.{q}"))
            .unwrap_or(0.0)
    });
    format!(
        "From first power to first C12.22 key, boot included: half of the meters within {}, 95 % \
         within {}, the last after {}.",
        duration(median),
        duration(p95),
        duration(max)
    )
}

fn figures(run: &Run, frame: &DataFrame) -> PolarsResult<Vec<Figure>> {
    let meters = frame.height();
    let joined = sorted(seconds(frame, "joined_ns")?);
    let times = sorted(seconds(frame, "time_to_join_ns")?);
    if joined.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![progress(run, &joined, meters), histogram(&times)])
}

/// Share of meters with a key over time.
fn progress(run: &Run, joined: &[f64], meters: usize) -> Figure {
    let mut curve = ecdf("joined", joined, POINTS);
    let share = joined.len() as f64 / meters as f64;
    for (_, y) in &mut curve.points {
        *y *= share;
    }
    curve.points.insert(0, (0.0, 0.0));
    // The figure ends soon after the last meter joined: the rest of the run has nothing to show.
    let last = joined.last().copied().unwrap_or(0.0);
    let end = (last * 1.15).min(run.end_s().max(last));
    curve.points.push((end, share));
    let title = "Meters with a key";
    let caption = format!(
        "Share of {} that have got their first key; {} at the end.",
        counted(meters as u64, "meter"),
        percent(share)
    );
    let about = About {
        id: "joined-over-time",
        title,
        caption: &caption,
    };
    let plot = Lines {
        x: Axis::time(0.0, end),
        y: Axis::over("Share of meters", "share", 0.0, 1.0),
        series: vec![Series {
            name: "joined".to_string(),
            ..curve
        }],
        events: run.events(),
    };
    Figure::new(about, Size::Half, &plot)
}

fn histogram(times: &[f64]) -> Figure {
    let x = Axis::durations("Time to join", "time_to_join_s", times.iter().copied());
    let edge = |index: usize| x.value(index as f64 / BARS as f64);
    let edges: Vec<f64> = (0..=BARS).map(edge).collect();
    let mut counts = vec![0.0; BARS];
    for time in times {
        let bar = (x.position(*time) * BARS as f64) as usize;
        counts[bar.min(BARS - 1)] += 1.0;
    }
    let y = Axis::linear("Meters", "meters", counts.iter().copied()).counted();
    let about = About {
        id: "time-to-join",
        title: "Time to join",
        caption: "Meters by the time from their first power to their first key.",
    };
    let plot = Stack {
        x,
        y,
        edges,
        bands: vec![Band {
            name: "meters".to_string(),
            values: counts,
        }],
        events: Vec::new(),
    };
    Figure::new(about, Size::Half, &plot)
}
