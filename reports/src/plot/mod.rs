//! Figures as inline SVG, drawn without any other program.
//!
//! A plot type ([`Lines`], [`Stack`], [`Bars`], [`Spans`], [`Map`], [`Intervals`], [`Responses`])
//! knows how to draw itself and which [`Table`] of numbers stands behind it; a [`Figure`] joins both under one title.
//!
//! * Coordinates are pixels of a fixed canvas that the page scales, rounded to hundredths.
//! * Colours are classes (`c0` to `c7`), which the page resolves for light, dark and print. Nothing
//!   is told by colour alone: lines differ in dashes, bands and cells carry marks and labels.
//! * Every drawing has a title and a description for those who cannot see it, and every mark a title
//!   that a pointer reveals.
//! * Values that are not finite are left out.

mod axis;
mod bars;
mod frame;
mod intervals;
mod lines;
mod map;
mod responses;
mod spans;
mod stack;

pub(crate) use axis::Axis;
pub(crate) use bars::Bars;
pub(crate) use frame::{Event, Size};
pub(crate) use intervals::{Estimate, Intervals};
pub(crate) use lines::{Lines, Series, ecdf};
pub(crate) use map::{Class, Map, Mark, Place};
pub(crate) use responses::{Level, Response, Responses};
pub(crate) use spans::{Span, Spans};
pub(crate) use stack::{Band, Stack};

use crate::export::Table;

/// Number of colours; further series share the last one.
const COLOURS: usize = 8;

/// What a plot type draws.
pub(crate) trait Plot {
    /// The drawing as an `svg` element.
    fn draw(&self, size: Size, about: &About<'_>) -> String;

    /// The numbers behind the drawing.
    fn table(&self) -> Table;
}

/// Words that go with a drawing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    /// Name of the figure, unique on a page; a word of letters and `-`.
    pub(crate) id: &'a str,
    /// What the figure shows.
    pub(crate) title: &'a str,
    /// What there is to see, in a sentence or two.
    pub(crate) caption: &'a str,
}

/// A finished figure.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// Name of the figure, unique on a page.
    pub(crate) id: String,
    /// What the figure shows.
    pub(crate) title: String,
    /// What there is to see.
    pub(crate) caption: String,
    /// Room it takes.
    pub(crate) size: Size,
    /// The drawing.
    pub(crate) svg: String,
    /// The numbers behind it.
    pub(crate) table: Table,
}

impl Figure {
    /// Draws a plot.
    pub(crate) fn new(about: About<'_>, size: Size, plot: &impl Plot) -> Self {
        Self {
            id: about.id.to_string(),
            title: about.title.to_string(),
            caption: about.caption.to_string(),
            size,
            svg: plot.draw(size, &about),
            table: plot.table(),
        }
    }
}

/// Class of the colour of a series.
fn colour(index: usize) -> String {
    format!("c{}", index.min(COLOURS - 1))
}

#[cfg(test)]
mod tests;
