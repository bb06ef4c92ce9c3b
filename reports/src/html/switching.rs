//! Section "Switches": orders to service switches, the load cut off and the frequency.

use polars::prelude::{DataFrame, PolarsResult};

use super::bins::Bins;
use super::format::words;
use super::run::{Run, floats, labels, seconds};
use super::section::Section;
use crate::number::{grouped, percent};
use crate::plot::{About, Axis, Figure, Lines, Series, Size};
use crate::schema::Row;
use crate::{CommandRow, Error, GridRow};

const MEGAWATT: f64 = 1e6;

pub(super) fn section(run: &Run) -> Result<Section, Error> {
    let mut section = Section::new("switches", "Switches", lead(run));
    let columns = ["action", "ordered_ns", "applied_ns"];
    if let Some(frame) = run.frame(CommandRow::TABLE, &columns)? {
        let figure = orders(run, &frame).map_err(Error::parquet(CommandRow::TABLE.name))?;
        section.figures.push(figure);
    }
    let columns = [
        "bin_start_ns",
        "lost_w",
        "frequency_min_hz",
        "frequency_max_hz",
    ];
    if let Some(frame) = run.frame(GridRow::TABLE, &columns)? {
        let figures = grid(run, &frame).map_err(Error::parquet(GridRow::TABLE.name))?;
        section.figures.extend(figures);
    }
    Ok(section)
}

fn lead(run: &Run) -> String {
    let orders = run.count("commands.count");
    if orders == 0 {
        return "Nobody ordered a service switch to move.".to_string();
    }
    let mut lead = format!(
        "Of {} orders to service switches {} were carried out, {} within 10 s; {} were confirmed.",
        grouped(orders),
        percent(run.number("commands.applied_ratio").unwrap_or(0.0)),
        percent(
            run.number("commands.applied_within_10s_ratio")
                .unwrap_or(0.0)
        ),
        percent(run.number("commands.confirmed_ratio").unwrap_or(0.0)),
    );
    if let Some(lost) = run.number("load.lost_mw.max") {
        lead.push_str(&format!(
            " At most {lost:.1} MW were cut off, and the frequency was between {:.2} and {:.2} Hz.",
            run.number("load.frequency_hz.min").unwrap_or(0.0),
            run.number("load.frequency_hz.max").unwrap_or(0.0),
        ));
    }
    let theirs = run.count("commands.unauthorised");
    if theirs > 0 {
        lead.push_str(&format!(
            " {} orders came from attackers; {} of these never opened a switch.",
            grouped(theirs),
            grouped(run.count("commands.saved")),
        ));
    }
    lead
}

/// Orders given and carried out, added up over time.
fn orders(run: &Run, frame: &DataFrame) -> PolarsResult<Figure> {
    let (actions, names) = labels(frame, "action")?;
    let ordered = seconds(frame, "ordered_ns")?;
    let applied = seconds(frame, "applied_ns")?;
    let bins = Bins::fine(run.end_s());
    let mut series = Vec::new();
    for (action, name) in names.iter().enumerate() {
        for (what, times) in [("ordered", &ordered), ("carried out", &applied)] {
            let of_action = times.iter().zip(&actions);
            let times = of_action
                .filter(|(time, of)| **of == action && time.is_finite())
                .map(|(time, _)| *time);
            // What happened in a bin has happened at its end.
            let points = bins.added_up(times);
            let name = format!("{} {what}", words(name));
            series.push(Series { name, points });
        }
    }
    let caption = format!(
        "Orders to service switches and their effect, added up per {}.",
        bins.say()
    );
    let about = About {
        id: "switches-orders",
        title: "Orders and their effect",
        caption: &caption,
    };
    let plot = run.counts_over_time("Orders", "orders", series);
    Ok(Figure::new(about, Size::Half, &plot))
}

/// The load cut off and the frequency.
fn grid(run: &Run, frame: &DataFrame) -> PolarsResult<Vec<Figure>> {
    let starts = seconds(frame, "bin_start_ns")?;
    let bins = Bins::fine(run.end_s());
    let lost: Vec<f64> = floats(frame, "lost_w")?
        .into_iter()
        .map(|watts| watts / MEGAWATT)
        .collect();
    let reduce = |values: &[f64], pick: fn(f64, f64) -> f64, idle: f64| {
        let mut out = vec![f64::NAN; bins.count()];
        for (start, value) in starts.iter().zip(values) {
            let cell = &mut out[bins.index(*start)];
            *cell = if cell.is_nan() {
                *value
            } else {
                pick(*cell, *value)
            };
        }
        let edges = bins.edges();
        let values = out
            .into_iter()
            .map(|value| if value.is_nan() { idle } else { value });
        edges.into_iter().zip(values).collect::<Vec<_>>()
    };
    let load = Series {
        name: "cut off".to_string(),
        points: reduce(&lost, f64::max, 0.0),
    };
    let (low, high) = (
        floats(frame, "frequency_min_hz")?,
        floats(frame, "frequency_max_hz")?,
    );
    let nominal = low.first().copied().unwrap_or(0.0);
    let frequencies = vec![
        Series {
            name: "highest".to_string(),
            points: reduce(&high, f64::max, nominal),
        },
        Series {
            name: "lowest".to_string(),
            points: reduce(&low, f64::min, nominal),
        },
    ];
    let caption = format!("Most load cut off within each {}.", bins.say());
    let about = About {
        id: "switches-load",
        title: "Load cut off",
        caption: &caption,
    };
    let y = Axis::linear("Load (MW)", "lost_mw", load.points.iter().map(|(_, y)| *y));
    let plot = Lines {
        x: Axis::time(0.0, run.end_s()),
        y,
        series: vec![load],
        events: run.events(),
    };
    let load = Figure::new(about, Size::Half, &plot);
    let caption = format!(
        "Extremes of the frequency within each {}: one area with primary control.",
        bins.say()
    );
    let about = About {
        id: "switches-frequency",
        title: "Frequency",
        caption: &caption,
    };
    let values: Vec<f64> = heights(&frequencies).collect();
    let plot = Lines {
        x: Axis::time(0.0, run.end_s()),
        y: Axis::around("Frequency (Hz)", "frequency_hz", values.into_iter()),
        series: frequencies,
        events: run.events(),
    };
    Ok(vec![load, Figure::new(about, Size::Half, &plot)])
}

fn heights(series: &[Series]) -> impl Iterator<Item = f64> {
    series
        .iter()
        .flat_map(|series| series.points.iter().map(|(_, y)| *y))
}
