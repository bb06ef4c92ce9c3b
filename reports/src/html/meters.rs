//! Section "Meters": what became of each of them.

use std::collections::BTreeMap;

use polars::prelude::{DataFrame, PolarsResult};

use super::format::counted;
use super::run::{Run, floats, indices, labels, seconds};
use super::section::Section;
use crate::export::Table;
use crate::number::{grouped, percent};
use crate::plot::{About, Class, Figure, Map, Mark, Place, Size};
use crate::schema::Row;
use crate::{Error, MeterRow};

/// Meters up to which every one has a mark of its own.
const MARKS: usize = 2_400;
/// Squares of ground along the longer side of the map of more meters.
const SQUARES: f64 = 72.0;
/// Cohorts with a row of their own; further meters share one.
const BLOCKS: usize = 12;

pub(super) fn section(run: &Run) -> Result<Section, Error> {
    let mut section = Section::new("meters", "Meters", String::new());
    let columns = [
        "meter",
        "cohort",
        "powered_on_ns",
        "joined_ns",
        "authentication_failures",
        "reads_due",
        "reads_delivered",
        "x_m",
        "y_m",
        "parent_meter",
        "concentrator",
        "concentrator_x_m",
        "concentrator_y_m",
    ];
    if let Some(frame) = run.frame(MeterRow::TABLE, &columns)? {
        let meters = Meters::read(&frame).map_err(Error::parquet(MeterRow::TABLE.name))?;
        section.lead = meters.lead();
        section.figures.push(meters.figure());
        let title = "Meters by cohort and outcome".to_string();
        section.tables.push((title, meters.table()));
    }
    Ok(section)
}

/// What became of a meter, from best to worst.
const OUTCOMES: [Class; 5] = [
    Class {
        style: "good",
        name: "joined, all reads delivered",
    },
    Class {
        style: "fair",
        name: "joined, some attempts failed",
    },
    Class {
        style: "poor",
        name: "joined, some reads missing",
    },
    Class {
        style: "bad",
        name: "never joined",
    },
    Class {
        style: "none",
        name: "never had power",
    },
];
const GOOD: usize = 0;

/// Classes of cells that stand for several meters, and the least share that each promises.
const SHARES: [(Class, f64); 4] = [
    (
        Class {
            style: "good",
            name: "all joined and delivered every read",
        },
        1.0,
    ),
    (
        Class {
            style: "fair",
            name: "at least 99 % of them",
        },
        0.99,
    ),
    (
        Class {
            style: "poor",
            name: "at least 90 %",
        },
        0.9,
    ),
    (
        Class {
            style: "bad",
            name: "fewer than 90 %",
        },
        0.0,
    ),
];

/// A meter on the map.
struct Spot {
    meter: u32,
    outcome: usize,
    place: Place,
    /// The meter that forwards for it.
    parent: Option<u32>,
    /// Its concentrator, and where that stands.
    hub: Option<(u32, Place)>,
}

/// Meters by cohort: (meter, outcome) in order of the meter, and all of them on the map.
struct Meters {
    cohorts: Vec<(String, Vec<(u32, usize)>)>,
    spots: Vec<Spot>,
    count: usize,
}

impl Meters {
    fn read(frame: &DataFrame) -> PolarsResult<Self> {
        let meters = indices(frame, "meter")?;
        let (cohorts, mut names) = labels(frame, "cohort")?;
        let (powered, joined) = (
            seconds(frame, "powered_on_ns")?,
            seconds(frame, "joined_ns")?,
        );
        let failures = floats(frame, "authentication_failures")?;
        let (due, delivered) = (
            floats(frame, "reads_due")?,
            floats(frame, "reads_delivered")?,
        );
        let outcome = |row: usize| match row {
            _ if !powered[row].is_finite() => 4,
            _ if !joined[row].is_finite() => 3,
            _ if delivered[row] < due[row] => 2,
            _ if failures[row] > 0.0 => 1,
            _ => GOOD,
        };
        let blocks = names.len().min(BLOCKS);
        if names.len() > BLOCKS {
            names.truncate(BLOCKS - 1);
            names.push("other cohorts".to_string());
        }
        let mut blocks: Vec<_> = names
            .into_iter()
            .take(blocks)
            .map(|n| (n, Vec::new()))
            .collect();
        let last = blocks.len() - 1;
        for (row, cohort) in cohorts.into_iter().enumerate() {
            blocks[cohort.min(last)].1.push((meters[row], outcome(row)));
        }
        let (x, y) = (floats(frame, "x_m")?, floats(frame, "y_m")?);
        let (parents, hubs) = (
            floats(frame, "parent_meter")?,
            floats(frame, "concentrator")?,
        );
        let (hub_x, hub_y) = (
            floats(frame, "concentrator_x_m")?,
            floats(frame, "concentrator_y_m")?,
        );
        let spot = |row: usize| Spot {
            meter: meters[row],
            outcome: outcome(row),
            place: (x[row], y[row]),
            parent: parents[row].is_finite().then_some(parents[row] as u32),
            hub: hubs[row]
                .is_finite()
                .then(|| (hubs[row] as u32, (hub_x[row], hub_y[row]))),
        };
        Ok(Self {
            cohorts: blocks,
            spots: (0..meters.len()).map(spot).collect(),
            count: meters.len(),
        })
    }

    fn counts(meters: &[(u32, usize)]) -> [u64; OUTCOMES.len()] {
        let mut counts = [0; OUTCOMES.len()];
        meters.iter().for_each(|(_, outcome)| counts[*outcome] += 1);
        counts
    }

    fn totals(&self) -> [u64; OUTCOMES.len()] {
        let mut totals = [0; OUTCOMES.len()];
        for (_, meters) in &self.cohorts {
            for (total, count) in totals.iter_mut().zip(Self::counts(meters)) {
                *total += count;
            }
        }
        totals
    }

    fn lead(&self) -> String {
        let totals = self.totals();
        let text = format!(
            "{} of {} joined and delivered every read that fell due, without a failed attempt ({}).",
            grouped(totals[GOOD]),
            counted(self.count as u64, "meter"),
            percent(totals[GOOD] as f64 / self.count as f64),
        );
        let others = OUTCOMES.iter().zip(totals).skip(1);
        let others: Vec<_> = others
            .filter(|(_, count)| *count > 0)
            .map(|(class, count)| format!("{} {}", grouped(count), class.name))
            .collect();
        if others.is_empty() {
            return text;
        }
        format!("{text} Of the others, {}.", others.join("; "))
    }

    fn table(&self) -> Table {
        let names = OUTCOMES.iter().map(|class| class.name);
        let mut table = Table::new(["cohort", "meters"].into_iter().chain(names));
        for (cohort, meters) in &self.cohorts {
            let counts = Self::counts(meters).map(|count| (count as f64).into());
            let head = [cohort.as_str().into(), (meters.len() as f64).into()];
            table.push(head.into_iter().chain(counts));
        }
        table
    }

    fn figure(&self) -> Figure {
        let (map, caption) = if self.count <= MARKS {
            let caption = "Every meter where it stands, north at the top; lines lead to the meter \
                           or concentrator (diamond) that forwards for it at the end of the run.";
            (self.each(), caption.to_string())
        } else {
            let map = self.by_square();
            let side = map.square_m.unwrap_or_default().round();
            let caption = format!(
                "Every mark stands for a square of ground with a side of {side} m; north at the \
                 top, concentrators are diamonds."
            );
            (map, caption)
        };
        let about = About {
            id: "meter-map",
            title: "Meters by outcome",
            caption: &caption,
        };
        Figure::new(about, Size::Wide, &map)
    }

    /// Concentrators in order of their numbers.
    fn hubs(&self) -> BTreeMap<u32, Place> {
        self.spots.iter().filter_map(|spot| spot.hub).collect()
    }

    fn each(&self) -> Map {
        let places: BTreeMap<u32, Place> = self
            .spots
            .iter()
            .map(|spot| (spot.meter, spot.place))
            .collect();
        let edge = |spot: &Spot| {
            let parent = spot.parent.and_then(|parent| places.get(&parent).copied());
            let to = parent.or(spot.hub.map(|(_, place)| place))?;
            Some((spot.place, to))
        };
        let mark = |spot: &Spot| Mark {
            place: spot.place,
            class: spot.outcome,
            label: format!("meter {}", spot.meter),
        };
        Map {
            classes: OUTCOMES.into_iter().zip(self.totals()).collect(),
            marks: self.spots.iter().map(mark).collect(),
            edges: self.spots.iter().filter_map(edge).collect(),
            hubs: self.hubs().into_values().collect(),
            square_m: None,
        }
    }

    fn by_square(&self) -> Map {
        let range = |of: fn(&Spot) -> f64| {
            let start = (f64::MAX, f64::MIN);
            let values = self.spots.iter().map(of).filter(|value| value.is_finite());
            values.fold(start, |(low, high), value| {
                (low.min(value), high.max(value))
            })
        };
        let (west, east) = range(|spot| spot.place.0);
        let (south, north) = range(|spot| spot.place.1);
        let side = ((east - west).max(north - south) / SQUARES).max(1.0);
        let mut squares: BTreeMap<(i64, i64), (usize, usize)> = BTreeMap::new();
        for spot in &self.spots {
            let square = |metres: f64, from: f64| ((metres - from) / side) as i64;
            let key = (square(spot.place.0, west), square(spot.place.1, south));
            let (good, all) = squares.entry(key).or_default();
            *good += usize::from(spot.outcome == GOOD);
            *all += 1;
        }
        let mut counts = [0_u64; SHARES.len()];
        let marks = squares.into_iter().map(|((column, row), (good, all))| {
            let share = good as f64 / all as f64;
            let class = SHARES.iter().position(|(_, least)| share >= *least);
            let class = class.unwrap_or(SHARES.len() - 1);
            counts[class] += 1;
            Mark {
                place: (
                    west + (column as f64 + 0.5) * side,
                    south + (row as f64 + 0.5) * side,
                ),
                class,
                label: format!("{good} of {}", counted(all as u64, "meter")),
            }
        });
        let marks = marks.collect();
        Map {
            classes: SHARES.iter().map(|(class, _)| *class).zip(counts).collect(),
            marks,
            edges: Vec::new(),
            hubs: self.hubs().into_values().collect(),
            square_m: Some(side),
        }
    }
}
