//! Section "Meters": what became of each of them.

use polars::prelude::{DataFrame, PolarsResult};

use super::format::counted;
use super::run::{Run, floats, indices, labels, seconds};
use super::section::Section;
use crate::export::Table;
use crate::number::{grouped, percent};
use crate::plot::{About, Cell, Class, Figure, Grid, Size};
use crate::schema::Row;
use crate::{Error, MeterRow};

/// Cells up to which every meter has its own.
const CELLS: usize = 2_400;
/// Cohorts with a block of their own; further meters share one.
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

/// Meters by cohort: (meter, outcome) in order of the meter.
struct Meters {
    cohorts: Vec<(String, Vec<(u32, usize)>)>,
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
        Ok(Self {
            cohorts: blocks,
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
        let per_cell = self.count.div_ceil(CELLS);
        let grid = if per_cell <= 1 {
            self.each()
        } else {
            self.aggregated(per_cell)
        };
        let caption = if per_cell <= 1 {
            "Every meter is a cell, in the order of the population.".to_string()
        } else {
            format!(
                "Every cell stands for {} that follow one another in the population.",
                counted(per_cell as u64, "meter")
            )
        };
        let about = About {
            id: "meter-map",
            title: "Meters by outcome",
            caption: &caption,
        };
        Figure::new(about, Size::Wide, &grid)
    }

    fn each(&self) -> Grid {
        let totals = self.totals();
        let cell = |(meter, outcome): &(u32, usize)| Cell {
            class: *outcome,
            label: format!("meter {meter}"),
        };
        let blocks = self.cohorts.iter();
        Grid {
            classes: OUTCOMES.into_iter().zip(totals).collect(),
            blocks: blocks
                .map(|(name, meters)| (name.clone(), meters.iter().map(cell).collect()))
                .collect(),
        }
    }

    fn aggregated(&self, per_cell: usize) -> Grid {
        let mut counts = [0_u64; SHARES.len()];
        let mut cell = |meters: &[(u32, usize)]| {
            let good = meters
                .iter()
                .filter(|(_, outcome)| *outcome == GOOD)
                .count();
            let share = good as f64 / meters.len() as f64;
            let class = SHARES.iter().position(|(_, least)| share >= *least);
            let class = class.unwrap_or(SHARES.len() - 1);
            counts[class] += 1;
            let (first, last) = (meters[0].0, meters[meters.len() - 1].0);
            Cell {
                class,
                label: format!("meters {first} to {last}: {good} of {}", meters.len()),
            }
        };
        let blocks = self.cohorts.iter();
        let blocks = blocks
            .map(|(name, meters)| {
                (
                    name.clone(),
                    meters.chunks(per_cell).map(&mut cell).collect(),
                )
            })
            .collect();
        let classes = SHARES.iter().map(|(class, _)| *class).zip(counts);
        Grid {
            classes: classes.collect(),
            blocks,
        }
    }
}
