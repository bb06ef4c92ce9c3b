//! Figures of a comparison: responses to factors, differences, means.

use super::{Arm, Comparison, LEVEL, Point, Section, estimate, title};
use crate::plot::{About, Axis, Estimate, Figure, Intervals, Level, Response, Responses, Size};
use crate::stats::{Interval, mean_interval};

/// Most lines of a figure; an experiment with more gets a figure per level of the other factors.
const LINES_MAX: usize = 6;

/// A line of a figure over the levels of a factor: an arm at fixed levels of the other factors.
struct Line<'a> {
    name: String,
    arm: usize,
    /// The points that it connects, by level of the factor.
    points: Vec<&'a Point>,
}

impl Comparison {
    /// Section with the mean of every headline metric against the levels of a factor.
    pub(super) fn responses(&self, headlines: &[&str]) -> Section {
        let lead = "Means over the replications with their 95 % intervals, at every level.";
        let mut section = Section::new("responses", "Responses", lead.to_string());
        let value = |_: &Point, arm: &Arm, path: &str| arm.values(path);
        for (index, path) in headlines.iter().enumerate() {
            let figures = self.over_levels(path, &format!("response-{index}"), 0, value);
            section.figures.extend(figures);
        }
        section
    }

    /// Section with the paired differences of the arms against the levels of a factor.
    pub(super) fn differences(&self, headlines: &[&str]) -> Section {
        let first = self
            .arms()
            .first()
            .copied()
            .unwrap_or("the first arm")
            .to_string();
        let lead = format!(
            "Differences to {first} within each replication, with their 95 % intervals. An interval \
             that excludes zero is a difference beyond chance, for that metric and level alone."
        );
        let mut section = Section::new("differences", "Differences", lead);
        let value = |point: &Point, arm: &Arm, path: &str| point.paired(arm, path);
        for (index, path) in headlines.iter().enumerate() {
            let figures = self.over_levels(path, &format!("difference-{index}"), 1, value);
            section.figures.extend(figures);
        }
        section
    }

    /// The factor along the horizontal axis: that of the most levels.
    fn main_factor(&self) -> Option<usize> {
        let counts = self.factors.iter().map(|factor| factor.levels.len());
        let counts: Vec<usize> = counts.collect();
        let most = *counts.iter().max()?;
        counts.iter().position(|count| *count == most)
    }

    /// The levels of all other factors that occur, each with the points along the main one.
    fn rows(&self, main: usize) -> Vec<(String, Vec<&Point>)> {
        let mut rows: Vec<(Vec<usize>, Vec<&Point>)> = Vec::new();
        for point in &self.points {
            let mut others = point.levels.clone();
            others.remove(main);
            match rows.iter_mut().find(|(known, _)| *known == others) {
                Some((_, points)) => points.push(point),
                None => rows.push((others, vec![point])),
            }
        }
        let factors = self.factors.iter().enumerate();
        let factors: Vec<_> = factors.filter(|(index, _)| *index != main).collect();
        let name = |levels: &[usize]| -> String {
            let named = factors.iter().zip(levels);
            let named = named.map(|((_, factor), level)| {
                let steps: Vec<&str> = factor.path.rsplit('.').take(2).collect();
                let short = steps.into_iter().rev().collect::<Vec<_>>().join(".");
                format!("{short} {}", factor.levels[*level])
            });
            named.collect::<Vec<_>>().join(", ")
        };
        let named = rows.into_iter();
        named
            .map(|(levels, points)| (name(&levels), points))
            .collect()
    }

    /// Figures of a metric over the main factor: one, or one per level of the other factors.
    fn over_levels(
        &self,
        path: &str,
        id: &str,
        first_arm: usize,
        values: impl Fn(&Point, &Arm, &str) -> Vec<f64>,
    ) -> Vec<Figure> {
        let Some(main) = self.main_factor() else {
            return Vec::new();
        };
        let (rows, arms) = (self.rows(main), self.arms());
        let compared = first_arm..arms.len();
        let together = rows.len() * compared.len() <= LINES_MAX;
        let mut groups: Vec<(String, Vec<Line<'_>>)> = Vec::new();
        for (row, points) in rows {
            let name = |arm: usize| match (together && !row.is_empty(), compared.len()) {
                (true, 1) => row.clone(),
                (true, _) => format!("{}, {row}", arms[arm]),
                (false, _) => arms[arm].to_string(),
            };
            let lines = compared.clone().map(|arm| Line {
                name: name(arm),
                arm,
                points: points.clone(),
            });
            match groups.last_mut() {
                Some((_, group)) if together => group.extend(lines),
                _ => groups.push((
                    if together { String::new() } else { row.clone() },
                    lines.collect(),
                )),
            }
        }
        let figure = |(index, (note, lines)): (usize, (String, Vec<Line<'_>>))| {
            let id = format!("{id}-{index}");
            let what = match first_arm {
                0 => title(path),
                _ => format!("Difference: {}", title(path)),
            };
            self.response_figure((path, what), &id, &note, main, &lines, &values)
        };
        groups.into_iter().enumerate().filter_map(figure).collect()
    }

    fn response_figure(
        &self,
        (path, name): (&str, String),
        id: &str,
        note: &str,
        main: usize,
        lines: &[Line<'_>],
        values: &impl Fn(&Point, &Arm, &str) -> Vec<f64>,
    ) -> Option<Figure> {
        let factor = &self.factors[main];
        let response = |line: &Line<'_>| {
            let mut levels = vec![None; factor.levels.len()];
            for point in &line.points {
                let mean = estimate(&values(point, &point.arms[line.arm], path));
                levels[point.levels[main]] = mean.mean.map(|estimate| Level {
                    estimate,
                    interval: mean.interval,
                });
            }
            Response {
                name: line.name.clone(),
                levels,
            }
        };
        let series: Vec<Response> = lines.iter().map(response).collect();
        let known = || {
            series
                .iter()
                .flat_map(|series| series.levels.iter().flatten())
        };
        known().next()?;
        let extent: Vec<f64> = known()
            .flat_map(|level| {
                let interval = level.interval;
                let ends = interval.map(|interval| [interval.low, interval.high]);
                ends.into_iter().flatten().chain([level.estimate])
            })
            .collect();
        // The name stands above the figure and would be too long beside it.
        let unit = if name.ends_with(" (s)") { " (s)" } else { "" };
        let measure = match name.starts_with("Difference") {
            true => format!("Difference{unit}"),
            false => format!("Mean{unit}"),
        };
        let title = match note.is_empty() {
            true => name,
            false => format!("{name}, {note}"),
        };
        let about = About {
            id,
            title: &title,
            caption: metric_doc(path),
        };
        let plot = Responses {
            x: Axis::names(&factor.path, &factor.path, &factor.levels),
            y: Axis::magnitudes(&measure, path, extent.into_iter()),
            series,
        };
        Some(Figure::new(about, Size::Half, &plot))
    }

    /// Section with the relative differences of every arm to the first, without factors.
    pub(super) fn relative(&self, headlines: &[&str]) -> Section {
        let lead = "Differences to the first arm within each replication, relative to the first \
                    arm's mean. An interval that excludes zero is a difference beyond chance at \
                    95 %, for that metric alone.";
        let mut section = Section::new("differences", "Differences", lead.to_string());
        for point in &self.points {
            for (index, arm) in point.arms.iter().enumerate().skip(1) {
                section
                    .figures
                    .extend(relative(point, index, arm, headlines));
            }
        }
        section
    }

    /// Section with the means of every arm, without factors.
    pub(super) fn means(&self, headlines: &[&str]) -> Section {
        let lead = "Means over the replications with their 95 % intervals.".to_string();
        let mut section = Section::new("means", "Means", lead);
        for (index, path) in headlines.iter().enumerate() {
            let row = |arm: &Arm| {
                let values = arm.values(path);
                Some(Estimate {
                    name: arm.name.clone(),
                    interval: mean_interval(&values.iter().copied().collect(), LEVEL)?,
                    values,
                })
            };
            let arms = self.points.iter().flat_map(|point| &point.arms);
            let rows: Vec<Estimate> = arms.filter_map(row).collect();
            if rows.is_empty() {
                continue;
            }
            let title = title(path);
            let about = About {
                id: &format!("means-{index}"),
                title: &title,
                caption: "Mean per arm with its 95 % interval; ticks below are replications.",
            };
            let plot = Intervals {
                x: Axis::around(&title, "mean", extent(&rows)),
                column: "arm".to_string(),
                rows,
            };
            section.figures.push(Figure::new(about, Size::Half, &plot));
        }
        section
    }
}

fn relative(point: &Point, index: usize, arm: &Arm, headlines: &[&str]) -> Option<Figure> {
    let baseline = point.arms.first()?;
    let row = |path: &&str| {
        let mean = estimate(&baseline.values(path))
            .mean
            .filter(|mean| *mean != 0.0)?;
        let percent: Vec<f64> = point
            .paired(arm, path)
            .iter()
            .map(|d| d / mean.abs() * 100.0)
            .collect();
        let interval = mean_interval(&percent.iter().copied().collect(), LEVEL)?;
        Some(Estimate {
            name: title(path).trim_end_matches(" (s)").to_string(),
            interval,
            values: percent,
        })
    };
    let rows: Vec<Estimate> = headlines.iter().filter_map(row).collect();
    if rows.is_empty() {
        return None;
    }
    let title = format!("{} against {}", arm.name, baseline.name);
    let about = About {
        id: &format!("differences-{index}"),
        title: &title,
        caption: "Mean paired difference with its 95 % interval; ticks below are replications.",
    };
    let plot = Intervals {
        x: Axis::linear("Difference (%)", "difference_percent", extent(&rows)),
        column: "metric".to_string(),
        rows,
    };
    Some(Figure::new(about, Size::Wide, &plot))
}

/// Everything that rows show along their axis.
fn extent(rows: &[Estimate]) -> impl Iterator<Item = f64> {
    rows.iter().flat_map(|row| {
        let Interval { low, high, .. } = row.interval;
        row.values.iter().copied().chain([low, high])
    })
}

/// What a metric means.
fn metric_doc(path: &str) -> &'static str {
    let metrics = crate::summary::metrics();
    let metric = metrics.iter().find(|metric| metric.path == path);
    metric.map_or("", |metric| metric.doc)
}
