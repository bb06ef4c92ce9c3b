//! Section "Head-end": load and sessions of every instance.

use polars::prelude::{DataFrame, PolarsResult};

use super::bins::Bins;
use super::run::{Run, floats, indices, seconds};
use super::section::Section;
use crate::number::{grouped, percent};
use crate::plot::{About, Axis, Figure, Lines, Series, Size};
use crate::schema::Row;
use crate::{Error, HeadendRow};

/// Instances drawn one by one; beyond them their range is.
const INSTANCES: usize = 6;

pub(super) fn section(run: &Run) -> Result<Section, Error> {
    let mut section = Section::new("headend", "Head-end", lead(run));
    let mut columns = vec!["instance", "bin_start_ns", "bin_ns"];
    columns.extend(QUANTITIES.iter().map(|quantity| quantity.column));
    if let Some(frame) = run.frame(HeadendRow::TABLE, &columns)? {
        let figures = QUANTITIES
            .iter()
            .map(|quantity| figure(run, &frame, quantity));
        let figures: PolarsResult<_> = figures.collect();
        section.figures = figures.map_err(Error::parquet(HeadendRow::TABLE.name))?;
    }
    Ok(section)
}

fn lead(run: &Run) -> String {
    let dropped = match run.count("headend.dropped") {
        0 => "none was dropped".to_string(),
        1 => "1 was dropped".to_string(),
        count => format!("{} were dropped", grouped(count)),
    };
    format!(
        "The busiest instance was busy for {} of a bin at most, its longest queue held {} datagrams. \
         {} datagrams arrived; {dropped}.",
        percent(run.number("headend.utilisation_max").unwrap_or(0.0)),
        grouped(run.count("headend.queue_max")),
        grouped(run.count("headend.arrivals")),
    )
}

/// How bins are joined when there are more than a figure shows.
#[derive(Clone, Copy)]
enum Join {
    /// Largest value of a count.
    Max,
    /// Mean of a share.
    Mean,
    /// Mean rate of a count, per second.
    Rate,
}

struct Quantity {
    column: &'static str,
    title: &'static str,
    axis: &'static str,
    caption: &'static str,
    join: Join,
}

const QUANTITIES: &[Quantity] = &[
    Quantity {
        column: "utilisation",
        title: "Utilisation",
        axis: "Busy share of core time (%)",
        caption: "Busy time over available core time.",
        join: Join::Mean,
    },
    Quantity {
        column: "queue_max",
        title: "Longest queue",
        axis: "Datagrams",
        caption: "Longest receive queue within each bin.",
        join: Join::Max,
    },
    Quantity {
        column: "auth_completed",
        title: "Authentication rate",
        axis: "Authentications per second",
        caption: "Authentications completed with success.",
        join: Join::Rate,
    },
    Quantity {
        column: "sessions",
        title: "PANA sessions",
        axis: "Sessions",
        caption: "Sessions established at the end of each bin.",
        join: Join::Max,
    },
];

fn figure(run: &Run, frame: &DataFrame, quantity: &Quantity) -> PolarsResult<Figure> {
    let recorded = seconds(frame, "bin_ns")?.first().copied().unwrap_or(0.0);
    let bins = Bins::new(run.end_s(), recorded);
    let instances = per_instance(frame, quantity, &bins)?;
    let series = if instances.len() <= INSTANCES {
        let name = |index: usize| format!("instance {index}");
        let series = instances.iter().enumerate();
        series
            .map(|(index, values)| steps(name(index), values, &bins))
            .collect()
    } else {
        range(&instances, &bins)
    };
    let highest = series
        .iter()
        .flat_map(|series: &Series| series.points.iter().map(|(_, y)| *y));
    let mut y = Axis::linear(quantity.axis, quantity.column, highest);
    match quantity.join {
        Join::Max => y = y.counted(),
        Join::Mean => y = y.in_units_of(0.01),
        Join::Rate => {}
    }
    let instances = super::format::counted(instances.len() as u64, "instance");
    let caption = format!("{} Bins of {}, {instances}.", quantity.caption, bins.say(),);
    let id = format!("headend-{}", quantity.column.replace('_', "-"));
    let about = About {
        id: &id,
        title: quantity.title,
        caption: &caption,
    };
    let plot = Lines {
        x: Axis::time(0.0, run.end_s()),
        y,
        series,
        events: run.events(),
    };
    Ok(Figure::new(about, Size::Half, &plot))
}

/// One value per instance and bin.
fn per_instance(
    frame: &DataFrame,
    quantity: &Quantity,
    bins: &Bins,
) -> PolarsResult<Vec<Vec<f64>>> {
    let instances = indices(frame, "instance")?;
    let starts = seconds(frame, "bin_start_ns")?;
    let widths = seconds(frame, "bin_ns")?;
    let values = floats(frame, quantity.column)?;
    let count = instances.iter().max().map_or(0, |last| *last as usize + 1);
    let mut out = vec![vec![0.0_f64; bins.count()]; count];
    for (row, instance) in instances.iter().enumerate() {
        let bin = bins.index(starts[row]);
        let cell = &mut out[*instance as usize][bin];
        let lasts_s = bins.lasts_s(bin);
        match quantity.join {
            Join::Max => *cell = cell.max(values[row]),
            Join::Mean => *cell += values[row] * widths[row].min(lasts_s) / lasts_s,
            Join::Rate => *cell += values[row] / lasts_s,
        }
    }
    Ok(out)
}

/// A line that holds each value for the length of its bin.
fn steps(name: String, values: &[f64], bins: &Bins) -> Series {
    let edges = bins.edges();
    let mut points: Vec<_> = edges.iter().copied().zip(values.iter().copied()).collect();
    if let (Some(end), Some(last)) = (edges.last(), values.last()) {
        points.push((*end, *last));
    }
    Series { name, points }
}

/// Largest, mean and smallest value of many instances.
fn range(instances: &[Vec<f64>], bins: &Bins) -> Vec<Series> {
    let reduce = |name: String, of: &dyn Fn(&[f64]) -> f64| {
        let values: Vec<f64> = (0..bins.count())
            .map(|bin| {
                let values: Vec<f64> = instances.iter().map(|values| values[bin]).collect();
                of(&values)
            })
            .collect();
        steps(name, &values, bins)
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    vec![
        reduce("largest".to_string(), &|values| {
            values.iter().copied().fold(f64::MIN, f64::max)
        }),
        reduce("mean".to_string(), &mean),
        reduce("smallest".to_string(), &|values| {
            values.iter().copied().fold(f64::MAX, f64::min)
        }),
    ]
}
