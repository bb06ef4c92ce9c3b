//! Maps of many entities as a grid of cells, each coloured and marked by its class.

use super::frame::{Frame, Px};
use super::{About, Plot, Size};
use crate::export::Table;

/// A class of cells: how they look and what they mean.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Class {
    /// Style: `good`, `fair`, `poor`, `bad` or `none`.
    pub(crate) style: &'static str,
    /// Meaning, for legend and table.
    pub(crate) name: &'static str,
}

/// A cell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cell {
    /// Index into the classes.
    pub(crate) class: usize,
    /// What it stands for.
    pub(crate) label: String,
}

/// Blocks of cells, filled row by row.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    /// Classes in the order of the legend, each with the number of entities in it.
    pub(crate) classes: Vec<(Class, u64)>,
    /// Named blocks with their cells.
    pub(crate) blocks: Vec<(String, Vec<Cell>)>,
}

impl Grid {
    /// Edge of a cell in pixels: large for few, small for many.
    fn edge(&self) -> f64 {
        match self
            .blocks
            .iter()
            .map(|(_, cells)| cells.len())
            .sum::<usize>()
        {
            0..=60 => 26.0,
            61..=300 => 18.0,
            301..=1_200 => 12.0,
            _ => 10.0,
        }
    }
}

impl Plot for Grid {
    fn draw(&self, size: Size, about: &About<'_>) -> String {
        let edge = self.edge();
        let (width, _) = size.pixels();
        let (left, right) = (8.0, width - 16.0);
        let columns = ((right - left) / edge).floor().max(1.0) as usize;
        let rows = |cells: usize| cells.div_ceil(columns).max(1);
        let cell_rows: usize = self.blocks.iter().map(|(_, cells)| rows(cells.len())).sum();
        let height = 52.0 + 34.0 * self.blocks.len() as f64 + edge * cell_rows as f64;
        let mut frame = Frame::new(size, height, left, about);
        self.legend(&mut frame);
        let mut top = 52.0;
        for (name, cells) in &self.blocks {
            frame.text("block", (left, top + 4.0), name);
            top += 12.0;
            for (index, cell) in cells.iter().enumerate() {
                let x = left + edge * (index % columns) as f64;
                let y = top + edge * (index / columns) as f64;
                let style = self.classes[cell.class].0.style;
                mark(&mut frame, style, (x, y), edge - 2.0, &cell.label);
            }
            top += edge * rows(cells.len()) as f64 + 22.0;
        }
        frame.finish()
    }

    fn table(&self) -> Table {
        let mut table = Table::new(["block", "cell", "class"]);
        for (name, cells) in &self.blocks {
            for cell in cells {
                let class = self.classes[cell.class].0.name;
                table.push([
                    name.as_str().into(),
                    cell.label.as_str().into(),
                    class.into(),
                ]);
            }
        }
        table
    }
}

impl Grid {
    fn legend(&self, frame: &mut Frame) {
        let mut at = frame.left;
        for (class, count) in &self.classes {
            let text = format!("{} ({})", class.name, crate::number::grouped(*count));
            mark(frame, class.style, (at, 8.0), 14.0, "");
            frame.text("legend", (at + 20.0, 19.5), &text);
            at += 44.0 + 6.4 * text.chars().count() as f64;
        }
    }
}

/// A cell with the mark of its style: an empty, struck, crossed or hollow square.
fn mark(frame: &mut Frame, style: &str, at: (f64, f64), edge: f64, tip: &str) {
    frame.rect(&format!("cell {style}"), at, (edge, edge), tip);
    let (x0, y0) = (at.0 + edge * 0.25, at.1 + edge * 0.25);
    let (x1, y1) = (at.0 + edge * 0.75, at.1 + edge * 0.75);
    let path = match style {
        "fair" => format!("M{} {}L{} {}", Px(x0), Px(y1), Px(x1), Px(y0)),
        "poor" => {
            let middle = at.1 + edge / 2.0;
            format!("M{} {}H{}", Px(x0), Px(middle), Px(x1))
        }
        "bad" => format!(
            "M{} {}L{} {}M{} {}L{} {}",
            Px(x0),
            Px(y0),
            Px(x1),
            Px(y1),
            Px(x0),
            Px(y1),
            Px(x1),
            Px(y0)
        ),
        _ => return,
    };
    frame.path("cell-mark", &path);
}
