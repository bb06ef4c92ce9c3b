//! Estimates with their confidence intervals, one per row.

use super::frame::{Frame, Px};
use super::{About, Axis, Plot, Size};
use crate::export::Table;
use crate::stats::Interval;

const ROW: f64 = 28.0;

/// A named estimate.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Estimate {
    /// Name.
    pub(crate) name: String,
    /// Estimate and its interval.
    pub(crate) interval: Interval,
    /// The observations it rests on.
    pub(crate) values: Vec<f64>,
}

/// Estimates over one axis.
#[derive(Clone, Debug)]
pub(crate) struct Intervals {
    /// Axis of the estimates.
    pub(crate) x: Axis,
    /// Column name of the rows.
    pub(crate) column: String,
    /// Estimates in order.
    pub(crate) rows: Vec<Estimate>,
}

impl Plot for Intervals {
    fn draw(&self, size: Size, about: &About<'_>) -> String {
        let widest = self.rows.iter().map(|row| row.name.chars().count()).max();
        let label_width = (20.0 + 6.6 * widest.unwrap_or(1) as f64).min(320.0);
        let height = 84.0 + ROW * self.rows.len() as f64;
        let mut frame = Frame::new(size, height, label_width, about);
        for (value, _) in self.x.ticks() {
            let at = frame.x(&self.x, value);
            let class = if value == 0.0 { "axis" } else { "grid" };
            frame.line(class, (at, frame.top), (at, frame.bottom));
        }
        frame.x_axis(&self.x);
        for (row, estimate) in self.rows.iter().enumerate() {
            let middle = frame.top + 6.0 + ROW * (row as f64 + 0.4);
            self.row(&mut frame, estimate, middle);
        }
        frame.finish()
    }

    fn table(&self) -> Table {
        let low = format!("{}_low", self.x.column);
        let high = format!("{}_high", self.x.column);
        let mut table = Table::new([&self.column, &self.x.column, &low, &high]);
        for row in &self.rows {
            let Interval {
                low,
                estimate,
                high,
            } = row.interval;
            table.push([
                row.name.as_str().into(),
                estimate.into(),
                low.into(),
                high.into(),
            ]);
        }
        table
    }
}

impl Intervals {
    fn row(&self, frame: &mut Frame, row: &Estimate, middle: f64) {
        let Interval {
            low,
            estimate,
            high,
        } = row.interval;
        if ![low, estimate, high].iter().all(|value| value.is_finite()) {
            return;
        }
        frame.text("tick end", (frame.left - 8.0, middle + 4.0), &row.name);
        for value in row.values.iter().filter(|value| value.is_finite()) {
            let at = frame.x(&self.x, *value);
            frame.line("observation", (at, middle + 5.0), (at, middle + 11.0));
        }
        let [x0, x, x1] = [low, estimate, high].map(|value| frame.x(&self.x, value));
        frame.line("whisker", (x0, middle), (x1, middle));
        for end in [x0, x1] {
            frame.line("whisker", (end, middle - 5.0), (end, middle + 5.0));
        }
        let [said_low, said, said_high] = [low, estimate, high].map(|value| self.x.say(value));
        frame.svg.open(
            "circle",
            &[
                ("class", &"fill c0"),
                ("cx", &Px(x)),
                ("cy", &Px(middle)),
                ("r", &5),
            ],
        );
        let tip = format!("{}: {said} ({said_low} to {said_high})", row.name);
        frame.svg.element("title", &[], tip);
        frame.svg.close();
    }
}
