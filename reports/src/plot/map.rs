//! Maps: entities where they stand, joined by who forwards for whom.

use std::fmt::Write as _;

use super::frame::{Frame, Px};
use super::{About, Plot, Size};
use crate::export::Table;
use crate::number::grouped;

/// A place in metres east and north of a reference.
pub(crate) type Place = (f64, f64);

/// A class of cells: how they look and what they mean.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Class {
    /// Style: `good`, `fair`, `poor`, `bad` or `none`.
    pub(crate) style: &'static str,
    /// Meaning, for legend and table.
    pub(crate) name: &'static str,
}

/// A mark on a map.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mark {
    /// Where its middle is.
    pub(crate) place: Place,
    /// Index into the classes.
    pub(crate) class: usize,
    /// What it stands for.
    pub(crate) label: String,
}

/// Marks at their places, north at the top.
#[derive(Clone, Debug)]
pub(crate) struct Map {
    /// Classes in the order of the legend, each with the number of entities in it.
    pub(crate) classes: Vec<(Class, u64)>,
    /// The marks.
    pub(crate) marks: Vec<Mark>,
    /// Lines below the marks, from what is served to what serves it.
    pub(crate) edges: Vec<(Place, Place)>,
    /// What many are served by: drawn as diamonds.
    pub(crate) hubs: Vec<Place>,
    /// Side of the square of ground that a mark stands for; none if it stands for one entity.
    pub(crate) square_m: Option<f64>,
}

/// From metres to pixels.
struct Projection {
    west_m: f64,
    north_m: f64,
    left: f64,
    top: f64,
    pixels_per_m: f64,
}

impl Projection {
    fn of(&self, (x_m, y_m): Place) -> (f64, f64) {
        (
            self.left + (x_m - self.west_m) * self.pixels_per_m,
            self.top + (self.north_m - y_m) * self.pixels_per_m,
        )
    }
}

/// Height of the mapped ground at most, in pixels.
const HEIGHT: f64 = 640.0;
/// Room above it for the legend.
const LEGEND: f64 = 52.0;

impl Map {
    /// West, east, south and north of everything, in metres; never empty.
    fn extent(&self) -> (f64, f64, f64, f64) {
        let margin = self.square_m.unwrap_or(1.0).max(1.0);
        let start = (f64::MAX, f64::MIN, f64::MAX, f64::MIN);
        let places = self.marks.iter().map(|mark| mark.place);
        let (west, east, south, north) = places
            .chain(self.hubs.iter().copied())
            .filter(|(x, y)| x.is_finite() && y.is_finite())
            .fold(start, |(west, east, south, north), (x, y)| {
                (west.min(x), east.max(x), south.min(y), north.max(y))
            });
        if west > east {
            return (-margin, margin, -margin, margin);
        }
        (west - margin, east + margin, south - margin, north + margin)
    }

    fn scale(&self, frame: &mut Frame, projection: &Projection, bottom: f64) {
        // The longest of 1, 2, 5 times a power of ten that takes at most 160 pixels.
        let longest_m = 160.0 / projection.pixels_per_m;
        let power = 10_f64.powf(longest_m.log10().floor());
        let steps = [5.0, 2.0, 1.0].into_iter().map(|step| step * power);
        let metres = steps.into_iter().find(|step| *step <= longest_m);
        let metres = metres.unwrap_or(power);
        let pixels = metres * projection.pixels_per_m;
        let label = if metres >= 1_000.0 {
            format!("{} km", metres / 1_000.0)
        } else {
            format!("{metres} m")
        };
        let (from, to) = (
            (projection.left, bottom),
            (projection.left + pixels, bottom),
        );
        frame.line("map-scale", from, to);
        frame.text("legend", (to.0 + 8.0, bottom + 4.0), &label);
    }
}

impl Plot for Map {
    fn draw(&self, size: Size, about: &About<'_>) -> String {
        let (width, _) = size.pixels();
        let (west, east, south, north) = self.extent();
        let room = width - 24.0;
        let pixels_per_m = (room / (east - west)).min(HEIGHT / (north - south));
        let height = (north - south) * pixels_per_m;
        let mut frame = Frame::new(size, LEGEND + height + 40.0, 8.0, about);
        let projection = Projection {
            west_m: west,
            north_m: north,
            left: frame.left + (room - (east - west) * pixels_per_m) / 2.0,
            top: LEGEND,
            pixels_per_m,
        };
        legend(&mut frame, &self.classes);
        let mut path = String::new();
        for &(from, to) in &self.edges {
            let ((x0, y0), (x1, y1)) = (projection.of(from), projection.of(to));
            let (from, to) = ((Px(x0), Px(y0)), (Px(x1), Px(y1)));
            let _ = write!(path, "M{} {}L{} {}", from.0, from.1, to.0, to.1);
        }
        if !path.is_empty() {
            frame.path("map-edge", &path);
        }
        let edge = match self.square_m {
            Some(metres) => (metres * pixels_per_m - 1.0).max(2.0),
            None => (640.0 / (self.marks.len().max(1) as f64).sqrt()).clamp(6.0, 16.0),
        };
        for one in &self.marks {
            let (x, y) = projection.of(one.place);
            let at = (x - edge / 2.0, y - edge / 2.0);
            mark(
                &mut frame,
                self.classes[one.class].0.style,
                at,
                edge,
                &one.label,
            );
        }
        let mut path = String::new();
        for &hub in &self.hubs {
            let (x, y) = projection.of(hub);
            let _ = write!(path, "M{} {}l6 6l-6 6l-6 -6z", Px(x), Px(y - 6.0));
        }
        if !path.is_empty() {
            frame.path("map-hub", &path);
        }
        self.scale(&mut frame, &projection, LEGEND + height + 20.0);
        frame.finish()
    }

    fn table(&self) -> Table {
        let mut table = Table::new(["x_m", "y_m", "what", "class"]);
        for one in &self.marks {
            let class = self.classes[one.class].0.name;
            let (x, y) = one.place;
            table.push([x.into(), y.into(), one.label.as_str().into(), class.into()]);
        }
        table
    }
}

/// The classes with their marks and counts, above the drawing.
fn legend(frame: &mut Frame, classes: &[(Class, u64)]) {
    let mut at = frame.left;
    for (class, count) in classes {
        let text = format!("{} ({})", class.name, grouped(*count));
        mark(frame, class.style, (at, 8.0), 14.0, "");
        frame.text("legend", (at + 20.0, 19.5), &text);
        at += 44.0 + 6.4 * text.chars().count() as f64;
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
