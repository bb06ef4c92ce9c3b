//! Section "Load": what the premises of each feeder draw, interval by interval.

use std::collections::BTreeMap;

use polars::prelude::{DataFrame, PolarsResult};

use super::format::counted;
use super::run::{Run, floats, indices, seconds};
use super::section::Section;
use crate::export::Table;
use crate::number::percent;
use crate::plot::{About, Axis, Figure, Lines, Series, Size};
use crate::schema::Row;
use crate::{Error, FeederRow};

const KILO: f64 = 1e3;
const COLUMNS: [&str; 6] = [
    "bin_start_ns",
    "feeder",
    "meters",
    "drawn_wh",
    "fed_wh",
    "load_w",
];

pub(super) fn section(run: &Run) -> Result<Section, Error> {
    let mut section = Section::new("load", "Load", lead(run));
    if let Some(frame) = run.frame(FeederRow::TABLE, &COLUMNS)?
        && frame.height() > 0
    {
        fill(run, &frame, &mut section).map_err(Error::parquet(FeederRow::TABLE.name))?;
    }
    Ok(section)
}

fn lead(run: &Run) -> String {
    let number = |path: &str| run.number(path).unwrap_or(0.0);
    format!(
        "Premises on {} drew {:.1} MWh and fed in {:.1} MWh. Together they drew at most {:.2} MW \
         over an interval, a load factor of {}.",
        counted(run.count("feeders.count"), "feeder"),
        number("feeders.drawn_kwh") / KILO,
        number("feeders.fed_kwh") / KILO,
        number("feeders.peak_kw") / KILO,
        percent(number("feeders.load_factor_ratio")),
    )
}

/// Sums and extremes of a feeder.
#[derive(Clone, Copy, Debug, Default)]
struct Feeder {
    meters: u64,
    drawn_wh: f64,
    fed_wh: f64,
    highest_w: f64,
    lowest_w: f64,
}

fn fill(run: &Run, frame: &DataFrame, section: &mut Section) -> PolarsResult<()> {
    let starts = seconds(frame, "bin_start_ns")?;
    let (numbers, meters) = (indices(frame, "feeder")?, indices(frame, "meters")?);
    let (drawn, fed) = (floats(frame, "drawn_wh")?, floats(frame, "fed_wh")?);
    let loads = floats(frame, "load_w")?;
    // Intervals begin at whole seconds.
    let mut together: BTreeMap<u64, f64> = BTreeMap::new();
    let mut feeders: BTreeMap<u64, Feeder> = BTreeMap::new();
    for (row, load) in loads.iter().enumerate() {
        *together.entry(starts[row] as u64).or_default() += load / KILO;
        let fresh = Feeder {
            highest_w: *load,
            lowest_w: *load,
            ..Feeder::default()
        };
        let feeder = feeders.entry(u64::from(numbers[row])).or_insert(fresh);
        feeder.meters = u64::from(meters[row]);
        feeder.drawn_wh += drawn[row];
        feeder.fed_wh += fed[row];
        feeder.highest_w = feeder.highest_w.max(*load);
        feeder.lowest_w = feeder.lowest_w.min(*load);
    }
    section.figures.push(curve(run, &together));
    let mut table = Table::new([
        "feeder",
        "meters",
        "drawn_kwh",
        "fed_kwh",
        "highest_kw",
        "lowest_kw",
    ]);
    for (number, feeder) in &feeders {
        table.push([
            (*number as f64).into(),
            (feeder.meters as f64).into(),
            (feeder.drawn_wh / KILO).into(),
            (feeder.fed_wh / KILO).into(),
            (feeder.highest_w / KILO).into(),
            (feeder.lowest_w / KILO).into(),
        ]);
    }
    section.tables.push(("Feeders".to_string(), table));
    Ok(())
}

/// The load of all feeders over time.
fn curve(run: &Run, together: &BTreeMap<u64, f64>) -> Figure {
    // The last interval is under way.
    let whole = together.len().saturating_sub(1);
    let points: Vec<(f64, f64)> = together
        .iter()
        .take(whole)
        .map(|(start, load)| (*start as f64, *load))
        .collect();
    let heights: Vec<f64> = points.iter().map(|(_, load)| *load).collect();
    let about = About {
        id: "load-curve",
        title: "Load of all feeders",
        caption: "Mean load of each metering interval, at its start: the sum of what premises draw \
                  less what they feed in.",
    };
    let plot = Lines {
        x: Axis::time(0.0, run.end_s()),
        y: Axis::linear("Load (kW)", "load_kw", heights.into_iter()),
        series: vec![Series {
            name: "load".to_string(),
            points,
        }],
        events: run.events(),
    };
    Figure::new(about, Size::Half, &plot)
}
