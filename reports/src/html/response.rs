//! Section "Demand response": orders, what homes hold back, and what they draw afterwards.

use polars::prelude::{DataFrame, PolarsResult};

use super::bins::Bins;
use super::run::{Run, floats, labels, seconds};
use super::section::Section;
use crate::number::{duration, grouped, percent};
use crate::plot::{About, Axis, Figure, Lines, Series, Size};
use crate::schema::{Row, label};
use crate::{Error, GridRow, ResponseRow};

const KILO: f64 = 1e3;

pub(super) fn section(run: &Run) -> Result<Section, Error> {
    let mut section = Section::new("response", "Demand response", lead(run));
    let columns = ["action", "ordered_ns", "received_ns", "acted_ns"];
    let Some(frame) = run.frame(ResponseRow::TABLE, &columns)? else {
        return Ok(section);
    };
    let figure = orders(run, &frame).map_err(Error::parquet(ResponseRow::TABLE.name))?;
    section.figures.push(figure);
    if let Some(frame) = run.frame(GridRow::TABLE, &["bin_start_ns", "held_w", "rebound_w"])? {
        let figure = load(run, &frame).map_err(Error::parquet(GridRow::TABLE.name))?;
        section.figures.push(figure);
    }
    Ok(section)
}

fn lead(run: &Run) -> String {
    let ratio = |path: &str| {
        let value = run.number(&format!("demand_response.{path}"));
        percent(value.unwrap_or(0.0))
    };
    let latency = run.number("demand_response.latency_s.p95").unwrap_or(0.0);
    format!(
        "Of {} orders to limit load meters took {}, {} within a minute and 95 % of those taken \
         within {}. {} homes held back {:.1} kWh; {} opted out.",
        grouped(run.count("demand_response.orders")),
        ratio("received_ratio"),
        ratio("received_within_60s_ratio"),
        duration(latency),
        grouped(run.count("demand_response.homes")),
        run.number("demand_response.held_kwh").unwrap_or(0.0),
        grouped(run.count("demand_response.opted_out")),
    )
}

/// Orders given, taken and followed, added up over time.
fn orders(run: &Run, frame: &DataFrame) -> PolarsResult<Figure> {
    let (actions, names) = labels(frame, "action")?;
    let limit = names.iter().position(|name| name == label::LIMIT);
    let bins = Bins::fine(run.end_s());
    let mut series = Vec::new();
    for (name, column) in [
        ("ordered", "ordered_ns"),
        ("taken by meters", "received_ns"),
        ("passed on to homes", "acted_ns"),
    ] {
        let times = seconds(frame, column)?.into_iter().zip(&actions);
        let times = times
            .filter(|(_, action)| Some(**action) == limit)
            .map(|(time, _)| time);
        // What happened in a bin has happened at its end.
        let points = bins.added_up(times);
        series.push(Series {
            name: name.to_string(),
            points,
        });
    }
    let caption = format!("Orders to limit load, added up per {}.", bins.say());
    let about = About {
        id: "response-orders",
        title: "Orders and what came of them",
        caption: &caption,
    };
    let plot = run.counts_over_time("Orders", "orders", series);
    Ok(Figure::new(about, Size::Half, &plot))
}

/// Load held back, and load that comes back.
fn load(run: &Run, frame: &DataFrame) -> PolarsResult<Figure> {
    let starts = seconds(frame, "bin_start_ns")?;
    let bins = Bins::fine(run.end_s());
    let peak = |column: &str| -> PolarsResult<Vec<(f64, f64)>> {
        let mut most = vec![0.0; bins.count()];
        for (start, watts) in starts.iter().zip(floats(frame, column)?) {
            let cell: &mut f64 = &mut most[bins.index(*start)];
            *cell = cell.max(watts / KILO);
        }
        Ok(bins.edges().into_iter().zip(most).collect())
    };
    let series = vec![
        Series {
            name: "held back".to_string(),
            points: peak("held_w")?,
        },
        Series {
            name: "in addition afterwards".to_string(),
            points: peak("rebound_w")?,
        },
    ];
    let heights: Vec<f64> = heights(&series).collect();
    let caption = format!(
        "Most load that homes hold back and draw in addition within each {}.",
        bins.say()
    );
    let about = About {
        id: "response-load",
        title: "Load held back and rebound",
        caption: &caption,
    };
    let plot = Lines {
        x: Axis::time(0.0, run.end_s()),
        y: Axis::linear("Load (kW)", "load_kw", heights.into_iter()),
        series,
        events: run.events(),
    };
    Ok(Figure::new(about, Size::Half, &plot))
}

fn heights(series: &[Series]) -> impl Iterator<Item = f64> {
    let points = series.iter().flat_map(|series| &series.points);
    points.map(|(_, y)| *y)
}
