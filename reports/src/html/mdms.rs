//! Section "Data management": what the MDMS has of every day.

use polars::prelude::{DataFrame, PolarsResult};

use super::format::counted;
use super::run::{Run, floats, indices, labels, seconds};
use super::section::Section;
use crate::export::Table;
use crate::number::{grouped, percent};
use crate::plot::{About, Axis, Band, Figure, Lines, Series, Size, Stack, ecdf};
use crate::schema::{Row, label};
use crate::{Error, MdmsRow};

/// Points that draw a curve.
const POINTS: usize = 240;

const COLUMNS: [&str; 12] = [
    "meter",
    "day",
    "day_start_ns",
    "expected",
    "on_time",
    "late",
    "unmeasured",
    "missing",
    "estimated",
    "energy_wh",
    "estimated_wh",
    "validation",
];

pub(super) fn section(run: &Run) -> Result<Section, Error> {
    let mut section = Section::new("mdms", "Data management", lead(run));
    if let Some(frame) = run.frame(MdmsRow::TABLE, &COLUMNS)? {
        fill(run, &frame, &mut section).map_err(Error::parquet(MdmsRow::TABLE.name))?;
    }
    Ok(section)
}

fn lead(run: &Run) -> String {
    let count = |path: &str| grouped(run.count(path));
    format!(
        "Of {} that should be there {} were stored by the deadline and {} later; in {} the meter \
         measured nothing. {} are missing, {} of them estimated. {} were compared with the \
         registers; {} do not agree.",
        counted(run.count("mdms.expected"), "interval"),
        count("mdms.on_time"),
        count("mdms.late"),
        count("mdms.unmeasured"),
        count("mdms.missing"),
        count("mdms.estimated"),
        counted(run.count("mdms.validated"), "day"),
        count("mdms.validation_failures"),
    )
}

/// Sums of a day over all meters.
#[derive(Clone, Debug, Default)]
struct Day {
    start_s: f64,
    expected: f64,
    on_time: f64,
    late: f64,
    unmeasured: f64,
    missing: f64,
    estimated: f64,
    energy_wh: f64,
    estimated_wh: f64,
    passed: u64,
    failed: u64,
}

fn fill(run: &Run, frame: &DataFrame, section: &mut Section) -> PolarsResult<()> {
    let days = days(frame)?;
    section.figures.push(by_day(run, &days));
    section.figures.push(by_meter(frame)?);
    let mut table = Table::new([
        "day",
        "expected",
        "on time",
        "late",
        "not measured",
        "missing",
        "estimated",
        "energy_kwh",
        "estimated_kwh",
        "agree",
        "disagree",
    ]);
    for (number, day) in days.iter().enumerate() {
        table.push([
            (number as f64).into(),
            day.expected.into(),
            day.on_time.into(),
            day.late.into(),
            day.unmeasured.into(),
            day.missing.into(),
            day.estimated.into(),
            (day.energy_wh / 1e3).into(),
            (day.estimated_wh / 1e3).into(),
            (day.passed as f64).into(),
            (day.failed as f64).into(),
        ]);
    }
    section.tables.push(("Days".to_string(), table));
    Ok(())
}

fn days(frame: &DataFrame) -> PolarsResult<Vec<Day>> {
    let numbers = indices(frame, "day")?;
    let starts = seconds(frame, "day_start_ns")?;
    let column = |name: &str| floats(frame, name);
    let (expected, on_time, late) = (column("expected")?, column("on_time")?, column("late")?);
    let (unmeasured, missing) = (column("unmeasured")?, column("missing")?);
    let (estimated, energy) = (column("estimated")?, column("energy_wh")?);
    let estimates = column("estimated_wh")?;
    let (verdicts, names) = labels(frame, "validation")?;
    let mut days: Vec<Day> = Vec::new();
    for (row, number) in numbers.iter().enumerate() {
        let number = *number as usize;
        if number >= days.len() {
            days.resize(number + 1, Day::default());
        }
        let day = &mut days[number];
        day.start_s = starts[row].max(0.0);
        day.expected += expected[row];
        day.on_time += on_time[row];
        day.late += late[row];
        day.unmeasured += unmeasured[row];
        day.missing += missing[row];
        day.estimated += estimated[row];
        day.energy_wh += energy[row];
        day.estimated_wh += estimates[row];
        let verdict = names[verdicts[row]].as_str();
        day.passed += u64::from(verdict == label::PASS);
        day.failed += u64::from(verdict == label::FAIL);
    }
    Ok(days)
}

fn by_day(run: &Run, days: &[Day]) -> Figure {
    let mut edges: Vec<f64> = days.iter().map(|day| day.start_s).collect();
    // The last day may be judged to its end, or the run be over before.
    let last = days.last().map_or(0.0, |day| day.start_s + 86_400.0);
    edges.push(last.min(run.end_s()));
    let share = |pick: fn(&Day) -> f64| {
        days.iter()
            .map(|day| pick(day) / day.expected.max(1.0))
            .collect()
    };
    let band = |name: &str, values| Band {
        name: name.to_string(),
        values,
    };
    let plot = Stack {
        x: Axis::time(0.0, run.end_s()),
        y: Axis::over("Share of intervals", "share", 0.0, 1.0),
        edges,
        bands: vec![
            band("on time", share(|day| day.on_time)),
            band("late", share(|day| day.late)),
            band("not measured", share(|day| day.unmeasured)),
            band("missing", share(|day| day.missing)),
        ],
        events: run.events(),
    };
    let about = About {
        id: "mdms-days",
        title: "Intervals by day",
        caption: "What became of the intervals that end on a day, over all meters.",
    };
    Figure::new(about, Size::Half, &plot)
}

/// How complete the data of single meters are.
fn by_meter(frame: &DataFrame) -> PolarsResult<Figure> {
    let meters = indices(frame, "meter")?;
    let (on_time, late) = (floats(frame, "on_time")?, floats(frame, "late")?);
    let (expected, unmeasured) = (floats(frame, "expected")?, floats(frame, "unmeasured")?);
    let count = meters.iter().max().map_or(0, |meter| *meter as usize + 1);
    let mut sums = vec![[0.0; 3]; count];
    for (row, meter) in meters.iter().enumerate() {
        let sum = &mut sums[*meter as usize];
        sum[0] += on_time[row];
        sum[1] += on_time[row] + late[row];
        sum[2] += expected[row] - unmeasured[row];
    }
    let measured = sums.iter().filter(|sum| sum[2] > 0.0);
    let shares = |part: usize| {
        let mut shares: Vec<f64> = measured.clone().map(|sum| sum[part] / sum[2]).collect();
        shares.sort_unstable_by(f64::total_cmp);
        shares
    };
    let (prompt, all) = (shares(0), shares(1));
    let worst = prompt.first().copied().unwrap_or(0.0);
    // The axis begins at the twentieth below the worst, so that what differs can be seen.
    let low = ((worst * 20.0).ceil() - 1.0).max(0.0) / 20.0;
    let caption = format!(
        "Share of the meters whose data are complete to at most this share; the worst has {} of its \
         intervals in time.",
        percent(worst)
    );
    let about = About {
        id: "mdms-meters",
        title: "Completeness by meter",
        caption: &caption,
    };
    let series: Vec<Series> = [("on time", &prompt), ("on time or late", &all)]
        .map(|(name, shares)| {
            let mut curve = ecdf(name, shares, POINTS);
            curve.points.insert(0, (low, 0.0));
            curve
        })
        .into();
    let plot = Lines {
        x: Axis::over("Completeness", "completeness", low, 1.0),
        y: Axis::over("Share of meters", "share", 0.0, 1.0),
        series,
        events: Vec::new(),
    };
    Ok(Figure::new(about, Size::Half, &plot))
}
