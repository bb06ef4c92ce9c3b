//! Section "Outages": who is without mains, and what the head-end hears of it.

use polars::prelude::{DataFrame, PolarsResult};

use super::bins::Bins;
use super::format::counted;
use super::run::{Run, indices, labels, seconds, sorted};
use super::section::Section;
use crate::export::{Field, Table};
use crate::number::{duration, grouped, percent};
use crate::plot::{About, Axis, Figure, Lines, Series, Size, ecdf};
use crate::schema::{Row, label};
use crate::stats::quantile_sorted;
use crate::{Error, MeterRow, OutageRow};

/// Points that draw a curve.
const POINTS: usize = 240;
/// Seconds within which a last gasp is expected.
const PROMPT_S: f64 = 20.0;

const COLUMNS: [&str; 8] = [
    "meter",
    "lost_ns",
    "dark_ns",
    "returned_ns",
    "kind",
    "last_gasp_ns",
    "last_gasp_latency_ns",
    "restoration_latency_ns",
];

pub(super) fn section(run: &Run) -> Result<Section, Error> {
    let mut section = Section::new("outages", "Outages", lead(run));
    let Some(frame) = run.frame(OutageRow::TABLE, &COLUMNS)? else {
        return Ok(section);
    };
    let media = match run.frame(MeterRow::TABLE, &["meter", "medium"])? {
        Some(meters) => media(&meters).map_err(Error::parquet(MeterRow::TABLE.name))?,
        None => Media::default(),
    };
    let outages = Outages::of(&frame, &media).map_err(Error::parquet(OutageRow::TABLE.name))?;
    section.figures.push(outages.over_time(run));
    section.figures.push(outages.last_gasps());
    section.figures.extend(outages.restorations());
    section
        .tables
        .push(("Outages by medium".to_string(), outages.table()));
    Ok(section)
}

fn lead(run: &Run) -> String {
    let ratio = |path: &str| {
        let value = run.number(&format!("outages.{path}"));
        value.map_or_else(|| "none".to_string(), percent)
    };
    let (all, momentary) = (run.count("outages.count"), run.count("outages.momentary"));
    let mut lead = format!(
        "Meters lost their mains {} times, {} of these too briefly to be reported. A last gasp of {} \
         arrived",
        grouped(all),
        grouped(momentary),
        counted(run.count("outages.heard"), "outage"),
    );
    if let Some(median_s) = run.number("outages.last_gasp_latency_s.p50") {
        lead.push_str(&format!(
            ", half of them within {}, {} within {PROMPT_S} s",
            duration(median_s),
            ratio("last_gasp_within_20s_ratio"),
        ));
    }
    lead.push_str(&format!(
        ". The head-end was told the end of {} of the outages that were long enough and are over.",
        ratio("restoration_ratio"),
    ));
    lead
}

/// The medium of every meter, as an index into the names of all media.
#[derive(Debug, Default)]
struct Media {
    of_meter: Vec<usize>,
    names: Vec<String>,
}

fn media(meters: &DataFrame) -> PolarsResult<Media> {
    let numbers = indices(meters, "meter")?;
    let (codes, names) = labels(meters, "medium")?;
    let count = numbers.iter().max().map_or(0, |meter| *meter as usize + 1);
    let mut of_meter = vec![0; count];
    for (meter, code) in numbers.into_iter().zip(codes) {
        of_meter[meter as usize] = code;
    }
    Ok(Media { of_meter, names })
}

/// One outage of a meter; times that it lacks are NaN.
#[derive(Clone, Copy, Debug)]
struct Outage {
    medium: usize,
    sustained: bool,
    lost_s: f64,
    dark_s: f64,
    returned_s: f64,
    heard_s: f64,
    heard_after_s: f64,
    told_after_s: f64,
}

impl Outage {
    fn is_heard(&self) -> bool {
        self.heard_s.is_finite()
    }

    fn is_over(&self) -> bool {
        self.returned_s.is_finite()
    }
}

/// All outages, and the media of their meters.
#[derive(Debug)]
struct Outages {
    rows: Vec<Outage>,
    media: Vec<String>,
}

impl Outages {
    fn of(frame: &DataFrame, media: &Media) -> PolarsResult<Self> {
        let meters = indices(frame, "meter")?;
        let (kinds, names) = labels(frame, "kind")?;
        let column = |name: &str| seconds(frame, name);
        let (lost, dark, returned) = (
            column("lost_ns")?,
            column("dark_ns")?,
            column("returned_ns")?,
        );
        let heard = column("last_gasp_ns")?;
        let heard_after = column("last_gasp_latency_ns")?;
        let told_after = column("restoration_latency_ns")?;
        let outage = |row: usize| Outage {
            medium: media
                .of_meter
                .get(meters[row] as usize)
                .copied()
                .unwrap_or(0),
            sustained: names[kinds[row]] == label::SUSTAINED,
            lost_s: lost[row],
            dark_s: dark[row],
            returned_s: returned[row],
            heard_s: heard[row],
            heard_after_s: heard_after[row],
            told_after_s: told_after[row],
        };
        let mut names = media.names.clone();
        if names.is_empty() {
            names.push("all meters".to_string());
        }
        Ok(Self {
            rows: (0..frame.height()).map(outage).collect(),
            media: names,
        })
    }

    fn sustained(&self) -> impl Iterator<Item = &Outage> {
        self.rows.iter().filter(|outage| outage.sustained)
    }

    /// Meters without mains, and what the head-end takes them for.
    fn over_time(&self, run: &Run) -> Figure {
        let bins = Bins::fine(run.end_s());
        let level = |name: &str, span: fn(&Outage) -> Option<(f64, f64)>| {
            let spans = self.sustained().filter_map(span);
            let steps = spans.flat_map(|(from, to)| [(from, 1.0), (to, -1.0)]);
            Series {
                name: name.to_string(),
                points: bins.levels(steps),
            }
        };
        let series = vec![
            level("without mains", |outage| {
                Some((outage.lost_s, outage.returned_s))
            }),
            level("without, and a last gasp has arrived", |outage| {
                let in_time = !outage.is_over() || outage.heard_s < outage.returned_s;
                (outage.is_heard() && in_time).then_some((outage.heard_s, outage.returned_s))
            }),
            level("mains back, but not known to be", |outage| {
                let told_s = outage.returned_s + outage.told_after_s;
                let from_s = outage.returned_s.max(outage.heard_s);
                // A last gasp that arrives after the end was told deceives nobody.
                let deceived = told_s.is_nan() || told_s >= from_s;
                let over = outage.is_heard() && outage.is_over();
                (over && deceived).then_some((from_s, told_s))
            }),
        ];
        let caption = format!(
            "Meters in an outage that is long enough to be reported, at the end of each {}: those \
             without mains, those of them that the head-end has heard, and those that it still \
             takes for dark.",
            bins.say()
        );
        let about = About {
            id: "outages-over-time",
            title: "Meters without mains",
            caption: &caption,
        };
        let plot = run.counts_over_time("Meters", "meters", series);
        Figure::new(about, Size::Wide, &plot)
    }

    /// Share of the outages of each medium that the head-end had heard of after some time.
    fn last_gasps(&self) -> Figure {
        let about = About {
            id: "outages-last-gasps",
            title: "Last gasps",
            caption: "Share of the outages that are long enough to be reported of which a last gasp \
                      had arrived so long after the loss; the rest was never heard.",
        };
        let after = |outage: &Outage| outage.sustained.then_some(outage.heard_after_s);
        self.shares(about, "From the loss of mains", after)
    }

    /// The same for the message that mains have returned, if any returned.
    fn restorations(&self) -> Option<Figure> {
        self.sustained().find(|outage| outage.is_over())?;
        let about = About {
            id: "outages-restorations",
            title: "Restorations",
            caption: "Share of these outages, as far as they are over, whose end the head-end had \
                      been told so long after mains returned.",
        };
        let after = |outage: &Outage| {
            let over = outage.sustained && outage.is_over();
            over.then_some(outage.told_after_s)
        };
        Some(self.shares(about, "From the return of mains", after))
    }

    /// A curve per medium over the outages for which `after` is something; NaN is never.
    fn shares(
        &self,
        about: About<'_>,
        title: &str,
        after: impl Fn(&Outage) -> Option<f64>,
    ) -> Figure {
        let mut series = Vec::new();
        let mut all = Vec::new();
        for (medium, name) in self.media.iter().enumerate() {
            let of_medium = self.rows.iter().filter(|outage| outage.medium == medium);
            let delays: Vec<f64> = of_medium.filter_map(&after).collect();
            if delays.is_empty() {
                continue;
            }
            let arrived = sorted(delays.iter().copied());
            let share = arrived.len() as f64 / delays.len() as f64;
            let mut curve = ecdf(name, &arrived, POINTS);
            curve.points.iter_mut().for_each(|(_, y)| *y *= share);
            all.extend(curve.points.iter().map(|(x, _)| *x));
            series.push(curve);
        }
        let x = Axis::durations(title, "delay_s", all.into_iter());
        for curve in &mut series {
            // What has been reached, or that nothing has, is drawn to the end.
            let reached = curve.points.last().map_or(0.0, |(_, y)| *y);
            if reached == 0.0 {
                curve.points.push((x.low(), 0.0));
            }
            curve.points.push((x.high(), reached));
        }
        let plot = Lines {
            x,
            y: Axis::over("Share of outages", "share", 0.0, 1.0),
            series,
            events: Vec::new(),
        };
        Figure::new(about, Size::Half, &plot)
    }

    fn table(&self) -> Table {
        let mut table = Table::new([
            "medium",
            "outages",
            "too brief",
            "heard",
            "within 20 s",
            "dark unheard",
            "back unheard",
            "median_last_gasp_s",
            "over",
            "end told",
        ]);
        for (medium, name) in self.media.iter().enumerate() {
            let rows: Vec<&Outage> = self
                .rows
                .iter()
                .filter(|outage| outage.medium == medium)
                .collect();
            if rows.is_empty() {
                continue;
            }
            let count = |pick: fn(&Outage) -> bool| -> Field {
                let picked = rows.iter().filter(|outage| pick(outage));
                (picked.count() as f64).into()
            };
            let delays = sorted(rows.iter().map(|outage| outage.heard_after_s));
            table.push([
                name.as_str().into(),
                (rows.len() as f64).into(),
                count(|outage| !outage.sustained),
                count(Outage::is_heard),
                count(|outage| outage.heard_after_s <= PROMPT_S),
                count(|outage| outage.sustained && !outage.is_heard() && outage.dark_s.is_finite()),
                count(|outage| outage.sustained && !outage.is_heard() && outage.dark_s.is_nan()),
                quantile_sorted(&delays, 0.5).into(),
                count(|outage| outage.sustained && outage.is_over()),
                count(|outage| outage.told_after_s.is_finite()),
            ]);
        }
        table
    }
}
