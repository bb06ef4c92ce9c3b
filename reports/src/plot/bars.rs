//! Horizontal bars, one per category.

use super::frame::Frame;
use super::{About, Axis, Plot, Size};
use crate::export::Table;

const ROW: f64 = 24.0;

/// Named values as bars, in the order given.
#[derive(Clone, Debug)]
pub(crate) struct Bars {
    /// Axis of the values.
    pub(crate) x: Axis,
    /// Column name of the categories.
    pub(crate) column: String,
    /// Categories with their values.
    pub(crate) bars: Vec<(String, f64)>,
}

impl Plot for Bars {
    fn draw(&self, size: Size, about: &About<'_>) -> String {
        let widest = self.bars.iter().map(|(name, _)| name.chars().count()).max();
        let label_width = (20.0 + 6.6 * widest.unwrap_or(1) as f64).min(260.0);
        let height = 78.0 + ROW * self.bars.len() as f64;
        let mut frame = Frame::new(size, height, label_width, about);
        // Room for the value after the longest bar.
        frame.right -= 60.0;
        for (value, _) in self.x.ticks() {
            let at = frame.x(&self.x, value);
            frame.line("grid", (at, frame.top), (at, frame.bottom));
        }
        frame.x_axis(&self.x);
        for (row, (name, value)) in self.bars.iter().enumerate() {
            let top = frame.top + 4.0 + ROW * row as f64;
            let end = frame.x(&self.x, *value);
            let said = self.x.say(*value);
            frame.text("tick end", (frame.left - 8.0, top + 12.5), name);
            let tip = format!("{name}: {said}");
            let width = (end - frame.left).max(1.0);
            frame.rect("fill c0", (frame.left, top), (width, ROW - 7.0), &tip);
            frame.text("value", (frame.left + width + 6.0, top + 12.5), &said);
        }
        frame.finish()
    }

    fn table(&self) -> Table {
        let mut table = Table::new([&self.column, &self.x.column]);
        for (name, value) in &self.bars {
            table.push([name.as_str().into(), (*value).into()]);
        }
        table
    }
}
