//! Time lines: one row per entity, one bar per span of time.

use super::frame::Frame;
use super::{About, Axis, Event, Plot, Size, colour};
use crate::export::Table;
use crate::number::duration;

const ROW: f64 = 17.0;

/// A span of time in a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span {
    /// Begin, in seconds of virtual time.
    pub(crate) from_s: f64,
    /// From when on it is only kept for late users; `to_s` if it never is.
    pub(crate) fades_s: f64,
    /// End, in seconds of virtual time.
    pub(crate) to_s: f64,
    /// What it is.
    pub(crate) label: String,
}

/// Rows of spans over time.
#[derive(Clone, Debug)]
pub(crate) struct Spans {
    /// Axis of time.
    pub(crate) x: Axis,
    /// Column name of the rows.
    pub(crate) column: String,
    /// Named rows with their spans in order of begin.
    pub(crate) rows: Vec<(String, Vec<Span>)>,
    /// Events to mark.
    pub(crate) events: Vec<Event>,
}

impl Plot for Spans {
    fn draw(&self, size: Size, about: &About<'_>) -> String {
        let widest = self.rows.iter().map(|(name, _)| name.chars().count()).max();
        let height = 78.0 + ROW * self.rows.len() as f64;
        let label_width = 20.0 + 6.6 * widest.unwrap_or(1) as f64;
        let mut frame = Frame::new(size, height, label_width, about);
        for (value, _) in self.x.ticks() {
            let at = frame.x(&self.x, value);
            frame.line("grid", (at, frame.top), (at, frame.bottom));
        }
        frame.x_axis(&self.x);
        for (row, (name, spans)) in self.rows.iter().enumerate() {
            let top = frame.top + 3.0 + ROW * row as f64;
            frame.text("tick end", (frame.left - 8.0, top + 9.0), name);
            for (index, span) in spans.iter().enumerate() {
                self.span(&mut frame, span, index, top);
            }
        }
        frame.events(&self.x, &self.events);
        frame.finish()
    }

    fn table(&self) -> Table {
        let mut table = Table::new([
            self.column.as_str(),
            "span",
            "from_s",
            "superseded_s",
            "to_s",
        ]);
        for (name, spans) in &self.rows {
            for span in spans {
                table.push([
                    name.as_str().into(),
                    span.label.as_str().into(),
                    span.from_s.into(),
                    span.fades_s.into(),
                    span.to_s.into(),
                ]);
            }
        }
        table
    }
}

impl Spans {
    /// Neighbours alternate in colour and in height, so that their borders show without colour.
    fn span(&self, frame: &mut Frame, span: &Span, index: usize, top: f64) {
        let [from, fades, to] =
            [span.from_s, span.fades_s, span.to_s].map(|seconds| frame.x(&self.x, seconds));
        let top = top + 5.0 * (index % 2) as f64;
        let class = colour(index % 2);
        let tip = format!(
            "{}\nfrom {} for {}",
            span.label,
            duration(span.from_s),
            duration(span.to_s - span.from_s)
        );
        let width = (fades - from).max(0.75);
        frame.rect(&format!("fill {class}"), (from, top), (width, 6.0), &tip);
        if to > fades {
            let class = format!("fill faded {class}");
            frame.rect(&class, (fades, top), (to - fades, 6.0), &tip);
        }
    }
}
