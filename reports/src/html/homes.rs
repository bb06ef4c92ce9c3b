//! Section "Homes": what displays and energy managers get, and how current it is.

use polars::prelude::{DataFrame, PolarsResult};

use super::bins::Bins;
use super::format::counted;
use super::run::{Run, floats, seconds};
use super::section::Section;
use crate::number::{grouped, percent};
use crate::plot::{About, Axis, Figure, Lines, Series, Size};
use crate::schema::Row;
use crate::{Error, HanRow};

const COLUMNS: [&str; 7] = [
    "bin_start_ns",
    "bin_ns",
    "updates_sent",
    "updates_received",
    "powered_ns",
    "stale_ns",
    "keys",
];

pub(super) fn section(run: &Run) -> Result<Section, Error> {
    let mut section = Section::new("homes", "Homes", lead(run));
    if let Some(frame) = run.frame(HanRow::TABLE, &COLUMNS)? {
        section.figures = figures(run, &frame).map_err(Error::parquet(HanRow::TABLE.name))?;
    }
    Ok(section)
}

fn lead(run: &Run) -> String {
    let ratio = |path: &str| percent(run.number(path).unwrap_or(0.0));
    format!(
        "{} in homes: {} have a link key at the end. They got {} of {} updates and knew something \
         old for {} of the time with power. {} link keys were taken into use.",
        counted(run.count("han.devices"), "device"),
        ratio("han.keyed_ratio"),
        ratio("han.delivery_ratio"),
        grouped(run.count("han.updates_sent")),
        ratio("han.stale_ratio"),
        grouped(run.count("han.keys")),
    )
}

fn figures(run: &Run, frame: &DataFrame) -> PolarsResult<Vec<Figure>> {
    let starts = seconds(frame, "bin_start_ns")?;
    let recorded_s = seconds(frame, "bin_ns")?.first().copied().unwrap_or(0.0);
    let bins = Bins::new(run.end_s(), recorded_s);
    let sums = |column: &str| -> PolarsResult<Vec<f64>> {
        let values = floats(frame, column)?;
        Ok(bins.sums(starts.iter().copied().zip(values)))
    };
    let share = |name: &str, part: &str, whole: &str| -> PolarsResult<Series> {
        let pairs = sums(part)?.into_iter().zip(sums(whole)?);
        // Without anything to share there is no point.
        let shares = pairs.map(|(part, whole)| part / whole);
        let points = bins.edges().into_iter().zip(shares);
        Ok(Series {
            name: name.to_string(),
            points: points.filter(|(_, share)| share.is_finite()).collect(),
        })
    };
    let updates = vec![
        share("updates delivered", "updates_received", "updates_sent")?,
        share("time out of date", "stale_ns", "powered_ns")?,
    ];
    let caption = format!(
        "Updates that devices got of those sent, and the share of their time with power in which \
         they knew something old, per {}.",
        bins.say()
    );
    let about = About {
        id: "homes-updates",
        title: "Updates in homes",
        caption: &caption,
    };
    let plot = Lines {
        x: Axis::time(0.0, run.end_s()),
        y: Axis::over("Share", "share", 0.0, 1.0),
        series: updates,
        events: run.events(),
    };
    let updates = Figure::new(about, Size::Half, &plot);
    let keys = sums("keys")?;
    let caption = format!("Link keys that devices took into use, per {}.", bins.say());
    let about = About {
        id: "homes-keys",
        title: "Link keys",
        caption: &caption,
    };
    let plot = Lines {
        x: Axis::time(0.0, run.end_s()),
        y: Axis::linear("Link keys", "keys", keys.iter().copied()).counted(),
        series: vec![Series {
            name: "taken into use".to_string(),
            points: bins.edges().into_iter().zip(keys).collect(),
        }],
        events: run.events(),
    };
    Ok(vec![updates, Figure::new(about, Size::Half, &plot)])
}
