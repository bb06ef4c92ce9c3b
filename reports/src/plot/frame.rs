//! The canvas: margins, grid, ticks, titles and legend.

use std::fmt;

use super::{About, Axis, colour};
use crate::markup::Markup;

/// Patterns by name: strokes in a square of six pixels that tiles.
const PATTERNS: [(&str, &str); 2] = [
    ("rising", "M-1 1L1 -1M0 6L6 0M5 7L7 5"),
    ("dotted", "M1 2H2.4M4 5H5.4"),
];

/// Pixels, rounded to hundredths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Px(pub(super) f64);

impl fmt::Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_assert!(self.0.is_finite(), "coordinates are finite");
        write!(f, "{}", (self.0 * 100.0).round() / 100.0)
    }
}

/// Room a figure takes on the page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Size {
    /// Half the width of the page.
    Half,
    /// The whole width.
    Wide,
}

impl Size {
    /// Width and height in pixels.
    pub(super) fn pixels(self) -> (f64, f64) {
        match self {
            Self::Half => (520.0, 300.0),
            Self::Wide => (1_060.0, 320.0),
        }
    }
}

/// Something that happened at a time, marked by a vertical line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    /// When, in seconds of virtual time.
    pub(crate) at_s: f64,
    /// What, in a few words.
    pub(crate) label: String,
}

/// A canvas with a plotting area.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) svg: Markup,
    id: String,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Frame {
    /// An empty canvas of a given height, with room at the left for labels.
    pub(super) fn new(size: Size, height: f64, label_width: f64, about: &About<'_>) -> Self {
        let (width, _) = size.pixels();
        let mut svg = Markup::new();
        let (title, desc) = (format!("{}-title", about.id), format!("{}-desc", about.id));
        svg.open(
            "svg",
            &[
                ("xmlns", &"http://www.w3.org/2000/svg"),
                ("viewBox", &format_args!("0 0 {width} {}", Px(height))),
                ("class", &"plot"),
                ("role", &"img"),
                ("aria-labelledby", &format_args!("{title} {desc}")),
            ],
        );
        svg.element("title", &[("id", &title)], about.title);
        svg.element("desc", &[("id", &desc)], about.caption);
        Self {
            svg,
            id: about.id.to_string(),
            left: label_width,
            right: width - 16.0,
            top: 20.0,
            bottom: height - 44.0,
        }
    }

    /// The usual canvas: two axes with their grid, below the names of several series.
    pub(super) fn with_axes<'a>(
        size: Size,
        about: &About<'_>,
        x: &Axis,
        y: &Axis,
        key: LegendKey,
        names: impl Iterator<Item = &'a str>,
    ) -> Self {
        let (_, height) = size.pixels();
        let widest = y
            .ticks()
            .iter()
            .map(|(_, label)| label.chars().count())
            .max();
        let mut frame = Self::new(size, height, 42.0 + 6.8 * widest.unwrap_or(1) as f64, about);
        frame.legend(names.collect(), key);
        for (value, label) in y.ticks() {
            let at = frame.y(y, value);
            frame.line("grid", (frame.left, at), (frame.right, at));
            frame.text("tick end", (frame.left - 8.0, at + 4.0), &label);
        }
        let middle = frame.top.midpoint(frame.bottom);
        let turned = format!("rotate(-90 14 {})", Px(middle));
        frame.svg.element(
            "text",
            &[
                ("class", &"axis-title middle"),
                ("x", &14),
                ("y", &Px(middle)),
                ("transform", &turned),
            ],
            &y.title,
        );
        frame.x_axis(x);
        frame
    }

    /// Ticks and title of the horizontal axis.
    pub(super) fn x_axis(&mut self, x: &Axis) {
        self.line("axis", (self.left, self.bottom), (self.right, self.bottom));
        for (value, label) in x.ticks() {
            let at = self.x(x, value);
            self.line("axis", (at, self.bottom), (at, self.bottom + 4.0));
            // A long label at the end of the axis would leave the canvas.
            let edge = self.right + 14.0;
            let half = 3.4 * label.chars().count() as f64;
            match at + half > edge {
                true => self.text("tick end", (edge, self.bottom + 17.0), &label),
                false => self.text("tick middle", (at, self.bottom + 17.0), &label),
            }
        }
        let centre = self.left.midpoint(self.right);
        self.text("axis-title middle", (centre, self.bottom + 37.0), &x.title);
    }

    /// Marks events on a time axis; the page explains them in words.
    pub(super) fn events(&mut self, x: &Axis, events: &[Event]) {
        for event in events {
            if event.at_s < x.low() || event.at_s > x.high() {
                continue;
            }
            let at = self.x(x, event.at_s);
            self.svg.open("g", &[("class", &"event")]);
            self.svg.element("title", &[], &event.label);
            self.line("event-line", (at, self.top), (at, self.bottom));
            let path = format!("M{} {}l-4.5 -7h9z", Px(at), Px(self.top));
            self.svg
                .leaf("path", &[("class", &"event-mark"), ("d", &path)]);
            self.svg.close();
        }
    }

    /// Names above the plotting area, each after its mark; a single series needs none.
    fn legend(&mut self, names: Vec<&str>, key: LegendKey) {
        if names.len() < 2 {
            return;
        }
        if let LegendKey::Fill = key {
            self.define_patterns();
        }
        let (mut at, mut row) = (self.left, 14.0);
        for (index, name) in names.into_iter().enumerate() {
            let width = 42.0 + 6.2 * name.chars().count() as f64;
            if at + width > self.right + 16.0 && at > self.left {
                at = self.left;
                row += 16.0;
            }
            let class = colour(index);
            match key {
                LegendKey::Line => {
                    let class = format!("line {class} dash{}", index % 4);
                    self.line(&class, (at, row), (at + 20.0, row));
                }
                LegendKey::Fill => {
                    let (at, size) = ((at + 4.0, row - 6.0), (14.0, 11.0));
                    self.rect(&format!("fill {class}"), at, size, "");
                    if let Some(pattern) = self.pattern(index) {
                        self.svg.leaf(
                            "rect",
                            &[
                                ("x", &Px(at.0)),
                                ("y", &Px(at.1)),
                                ("width", &Px(size.0)),
                                ("height", &Px(size.1)),
                                ("fill", &pattern),
                            ],
                        );
                    }
                }
            }
            self.text("legend", (at + 25.0, row + 4.0), name);
            at += width;
        }
        self.top = row + 20.0;
    }

    /// Defines the patterns that tell neighbouring bands apart without colour.
    fn define_patterns(&mut self) {
        self.svg.open("defs", &[]);
        for (name, lines) in PATTERNS {
            self.svg.open(
                "pattern",
                &[
                    ("id", &format_args!("{}-{name}", self.id)),
                    ("width", &6),
                    ("height", &6),
                    ("patternUnits", &"userSpaceOnUse"),
                ],
            );
            self.svg.leaf("path", &[("class", &"hatch"), ("d", &lines)]);
            self.svg.close();
        }
        self.svg.close();
    }

    /// The pattern over the colour of a band: none, strokes, dots, and so on.
    pub(super) fn pattern(&self, index: usize) -> Option<String> {
        let (name, _) = PATTERNS.get((index % (PATTERNS.len() + 1)).checked_sub(1)?)?;
        Some(format!("url(#{}-{name})", self.id))
    }

    /// Horizontal pixel of a value.
    pub(super) fn x(&self, axis: &Axis, value: f64) -> f64 {
        self.left + axis.position(value) * (self.right - self.left)
    }

    /// Vertical pixel of a value.
    pub(super) fn y(&self, axis: &Axis, value: f64) -> f64 {
        self.bottom - axis.position(value) * (self.bottom - self.top)
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        self.svg.leaf(
            "line",
            &[
                ("class", &class),
                ("x1", &Px(from.0)),
                ("y1", &Px(from.1)),
                ("x2", &Px(to.0)),
                ("y2", &Px(to.1)),
            ],
        );
    }

    /// A rectangle from its upper left corner; `tip` is what a pointer reveals, if not empty.
    pub(super) fn rect(&mut self, class: &str, at: (f64, f64), size: (f64, f64), tip: &str) {
        let attributes: [(&str, &dyn fmt::Display); 5] = [
            ("class", &class),
            ("x", &Px(at.0)),
            ("y", &Px(at.1)),
            ("width", &Px(size.0)),
            ("height", &Px(size.1)),
        ];
        if tip.is_empty() {
            self.svg.leaf("rect", &attributes);
        } else {
            self.svg.open("rect", &attributes);
            self.svg.element("title", &[], tip);
            self.svg.close();
        }
    }

    pub(super) fn text(&mut self, class: &str, at: (f64, f64), text: &str) {
        let attributes: [(&str, &dyn fmt::Display); 3] =
            [("class", &class), ("x", &Px(at.0)), ("y", &Px(at.1))];
        self.svg.element("text", &attributes, text);
    }

    pub(super) fn path(&mut self, class: &str, path: &str) {
        self.svg.leaf("path", &[("class", &class), ("d", &path)]);
    }

    pub(super) fn finish(mut self) -> String {
        self.svg.close();
        self.svg.finish()
    }
}

/// What stands before a name in a legend.
#[derive(Clone, Copy, Debug)]
pub(super) enum LegendKey {
    /// A piece of the line, with its dashes.
    Line,
    /// A filled box.
    Fill,
}
