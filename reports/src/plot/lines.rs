//! Step functions: counts over time, empirical distribution functions.

use super::frame::{Frame, LegendKey, Px};
use super::{About, Axis, Event, Plot, Size, colour};
use crate::export::{Field, Table};
use crate::markup::push;

/// Places along the axis where a pointer reads values off a figure.
const PROBES: usize = 120;

/// A named sequence of points in order of x.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    /// Name in the legend.
    pub(crate) name: String,
    /// Points.
    pub(crate) points: Vec<(f64, f64)>,
}

/// Several step functions over the same axes: a value holds until the next point.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    /// Horizontal axis.
    pub(crate) x: Axis,
    /// Vertical axis.
    pub(crate) y: Axis,
    /// Series in the order of the legend.
    pub(crate) series: Vec<Series>,
    /// Events to mark, if the horizontal axis is time.
    pub(crate) events: Vec<Event>,
}

impl Plot for Lines {
    fn draw(&self, size: Size, about: &About<'_>) -> String {
        let names = self.series.iter().map(|series| series.name.as_str());
        let mut frame = Frame::with_axes(size, about, &self.x, &self.y, LegendKey::Line, names);
        frame.events(&self.x, &self.events);
        for (index, series) in self.series.iter().enumerate() {
            let class = format!("line {} dash{}", colour(index), index % 4);
            let path = self.path(&frame, series);
            frame.path(&class, &path);
        }
        self.probes(&mut frame);
        frame.finish()
    }

    fn table(&self) -> Table {
        let mut table = Table::new(["series", &self.x.column, &self.y.column]);
        for series in &self.series {
            for (x, y) in &series.points {
                table.push([series.name.as_str().into(), (*x).into(), Field::from(*y)]);
            }
        }
        table
    }
}

impl Lines {
    fn path(&self, frame: &Frame, series: &Series) -> String {
        let mut path = String::new();
        let finite = |(x, y): &&(f64, f64)| x.is_finite() && y.is_finite();
        for (x, y) in series.points.iter().filter(finite) {
            let (x, y) = (Px(frame.x(&self.x, *x)), Px(frame.y(&self.y, *y)));
            if path.is_empty() {
                push!(path, "M{x} {y}");
            } else {
                push!(path, "H{x}V{y}");
            }
        }
        path
    }

    /// Invisible strips that tell a pointer the values at their place.
    fn probes(&self, frame: &mut Frame) {
        let width = (frame.right - frame.left) / PROBES as f64;
        for probe in 0..PROBES {
            let x = self.x.value((probe as f64 + 0.5) / PROBES as f64);
            let mut tip = self.x.say(x);
            let mut known = false;
            for series in &self.series {
                if let Some(y) = value_at(series, x) {
                    push!(tip, "\n{}: {}", series.name, self.y.say(y));
                    known = true;
                }
            }
            if known {
                let left = frame.left + probe as f64 * width;
                let height = frame.bottom - frame.top;
                frame.rect("probe", (left, frame.top), (width, height), &tip);
            }
        }
    }
}

/// The value that holds at a place, if the series has begun.
fn value_at(series: &Series, x: f64) -> Option<f64> {
    let after = series.points.partition_point(|(at, _)| *at <= x);
    let (_, y) = series.points.get(after.checked_sub(1)?)?;
    y.is_finite().then_some(*y)
}

/// The empirical distribution function of sorted values at `points` levels at most.
///
/// Points are (value, share of values at or below it).
pub(crate) fn ecdf(name: &str, sorted: &[f64], points: usize) -> Series {
    debug_assert!(sorted.is_sorted(), "values are sorted");
    let (count, points) = (sorted.len(), points.min(sorted.len()));
    let point = |index: usize| {
        let rank = (index + 1) * count / points;
        (sorted[rank - 1], rank as f64 / count as f64)
    };
    let start = sorted.first().map(|first| (*first, 0.0));
    Series {
        name: name.to_string(),
        points: start.into_iter().chain((0..points).map(point)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_function_keeps_its_ends() {
        let values: Vec<f64> = (1..=1_000).map(f64::from).collect();
        let series = ecdf("all", &values, 10);
        assert_eq!(series.points.len(), 11);
        assert_eq!(series.points[0], (1.0, 0.0));
        assert_eq!(series.points[5], (500.0, 0.5));
        assert_eq!(series.points[10], (1_000.0, 1.0));
        assert!(ecdf("none", &[], 10).points.is_empty());
        assert_eq!(ecdf("one", &[4.0], 10).points, [(4.0, 0.0), (4.0, 1.0)]);
    }
}
