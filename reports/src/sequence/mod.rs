//! Message-sequence charts: who says what to whom, from top to bottom.
//!
//! ```text
//!            key     meter            relay           head-end
//!    0:00.1   |        |---- PCI ------->|                |       for nobody yet
//!    0:00.2   |        |                 |----- PRY --x   |       lost
//! ```
//!
//! Rows follow each other in the order of time but not to its scale: a longer pause is a band that
//! says how long it lasts. Bars of keys begin and end between the rows at their place in time.
//! The drawing is one SVG element that needs nothing else and follows the reader's choice of a
//! light or dark page.

mod layout;

use crate::markup::Markup;
use crate::number::duration;

use layout::{DETAIL_CHARS, Layout, clock, columns, cut};

/// An entity with a lifeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifeline {
    /// What it is called.
    pub name: String,
    /// Its address, or what else tells it apart.
    pub detail: String,
}

/// What a message is, which sets its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// PANA without EAP inside.
    Pana,
    /// PANA with EAP inside.
    Eap,
    /// C12.22.
    C1222,
    /// Anything else.
    Other,
}

/// A datagram from one lifeline to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrow {
    /// When it was sent, in nanoseconds.
    pub time_ns: u64,
    /// Index of the lifeline that it leaves.
    pub from: usize,
    /// Index of the lifeline that it goes to.
    pub to: usize,
    /// What it is.
    pub kind: Kind,
    /// Its name, written at the arrow.
    pub label: String,
    /// Its essentials, written beside it.
    pub detail: String,
    /// Why it did not arrive, if it did not.
    pub lost: Option<String>,
    /// Whether it repeats an earlier datagram.
    pub repeated: bool,
    /// What an attacker did to it.
    pub attack: Option<String>,
    /// Whether something about it is unsound.
    pub unsound: bool,
    /// Everything about it, shown where a pointer rests on it.
    pub story: String,
}

/// A key, from its derivation to its end, as the entity of the first lifeline has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// What it is called, in a few characters.
    pub name: String,
    /// Everything about it.
    pub story: String,
    /// When it was derived, in nanoseconds.
    pub from_ns: u64,
    /// When a newer key took over, if one did.
    pub superseded_ns: Option<u64>,
    /// When it ended; none if it outlives the chart.
    pub to_ns: Option<u64>,
}

/// A chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    /// What it shows.
    pub title: String,
    /// Where that comes from.
    pub subtitle: String,
    /// What it does not show; written where nobody misses it.
    pub notes: Vec<String>,
    /// Who takes part, from left to right.
    pub lifelines: Vec<Lifeline>,
    /// The datagrams in order.
    pub arrows: Vec<Arrow>,
    /// Keys of the first lifeline.
    pub epochs: Vec<Epoch>,
}

impl Sequence {
    /// The chart as an SVG document.
    ///
    /// # Panics
    ///
    /// If an arrow names a lifeline that does not exist.
    pub fn draw(&self) -> String {
        let layout = Layout::new(self);
        let mut svg = Markup::new();
        let (width, height) = (layout.width, layout.height);
        svg.open(
            "svg",
            &[
                ("xmlns", &"http://www.w3.org/2000/svg"),
                ("class", &"sequence"),
                ("viewBox", &format_args!("0 0 {width} {height}")),
                ("width", &width),
                ("height", &height),
                ("role", &"img"),
            ],
        );
        svg.element("title", &[], &self.title);
        svg.raw(concat!(
            "<style>svg.sequence {\n",
            include_str!("../html/light.css"),
            "}\n"
        ));
        svg.raw("@media (prefers-color-scheme: dark) { svg.sequence {\n");
        svg.raw(concat!(include_str!("../html/dark.css"), "} }\n"));
        svg.raw(concat!(include_str!("sequence.css"), "</style>"));
        text(&mut svg, "title", (columns::MARGIN, 32.0), &self.title);
        text(&mut svg, "sub", (columns::MARGIN, 52.0), &self.subtitle);
        legend(&mut svg, &layout);
        self.notes(&mut svg, &layout);
        self.lifelines(&mut svg, &layout);
        self.epochs(&mut svg, &layout);
        for (arrow, row) in self.arrows.iter().zip(&layout.rows) {
            if let Some((top, pause_ns)) = row.pause {
                pause(&mut svg, &layout, top, pause_ns);
            }
            draw_arrow(&mut svg, &layout, arrow, row.y);
        }
        svg.close();
        svg.finish()
    }

    fn notes(&self, svg: &mut Markup, layout: &Layout) {
        let mut top = layout.notes_top;
        for note in &self.notes {
            let width = layout.width - 2.0 * columns::MARGIN;
            svg.leaf(
                "rect",
                &[
                    ("class", &"note"),
                    ("x", &columns::MARGIN),
                    ("y", &top),
                    ("width", &width),
                    ("height", &22.0),
                    ("rx", &4.0),
                ],
            );
            text(svg, "", (columns::MARGIN + 10.0, top + 15.5), note);
            top += layout::NOTE;
        }
    }

    fn lifelines(&self, svg: &mut Markup, layout: &Layout) {
        for (index, lifeline) in self.lifelines.iter().enumerate() {
            let x = layout.x(index);
            let (top, bottom) = (layout.top, layout.bottom);
            line(svg, "life", (x, top), (x, bottom));
            for y in [top - layout::HEAD, bottom] {
                svg.leaf(
                    "rect",
                    &[
                        ("class", &"head"),
                        ("x", &(x - layout.box_width / 2.0)),
                        ("y", &y),
                        ("width", &layout.box_width),
                        ("height", &layout::HEAD),
                        ("rx", &6.0),
                    ],
                );
                let chars = (layout.box_width / 7.4) as usize;
                text(svg, "name mid", (x, y + 18.0), &cut(&lifeline.name, chars));
                text(
                    svg,
                    "host mid",
                    (x, y + 33.0),
                    &cut(&lifeline.detail, chars),
                );
            }
        }
    }

    fn epochs(&self, svg: &mut Markup, layout: &Layout) {
        let mut ends = [0; columns::LANES];
        for (index, epoch) in self.epochs.iter().enumerate() {
            // The lane that has been free for longest; overlapping keys stand side by side.
            let lane = (0..ends.len()).min_by_key(|lane| ends[*lane]).unwrap_or(0);
            let to_ns = epoch.to_ns.unwrap_or(u64::MAX);
            let free = (0..ends.len()).find(|lane| ends[*lane] <= epoch.from_ns);
            let lane = free.unwrap_or(lane);
            ends[lane] = to_ns;
            let x = layout.lane(lane);
            let (from, to) = (layout.y(epoch.from_ns), layout.y(to_ns));
            let fades = epoch.superseded_ns.map_or(to, |at| layout.y(at).min(to));
            svg.open("g", &[("class", &format_args!("epoch k{}", index % 3))]);
            svg.element("title", &[], &epoch.story);
            for (class, top, bottom) in [("key", from, fades), ("old", fades, to)] {
                if bottom > top || class == "key" {
                    svg.leaf(
                        "rect",
                        &[
                            ("class", &class),
                            ("x", &x),
                            ("y", &top),
                            ("width", &columns::BAR),
                            ("height", &(bottom - top).max(2.0)),
                            ("rx", &3.0),
                        ],
                    );
                }
            }
            text(
                svg,
                "keyname",
                (x + columns::BAR / 2.0, from - 3.0),
                &epoch.name,
            );
            svg.close();
        }
    }
}

/// What the colours mean.
fn legend(svg: &mut Markup, layout: &Layout) {
    let kinds = [
        ("pana", "PANA"),
        ("eap", "EAP in PANA"),
        ("c1222", "C12.22"),
        ("other", "other"),
    ];
    for (index, (class, name)) in kinds.into_iter().enumerate() {
        let x = layout.details + 104.0 * index as f64;
        svg.open("g", &[("class", &class)]);
        line(
            svg,
            "line",
            (x, layout.top - 20.0),
            (x + 18.0, layout.top - 20.0),
        );
        text(svg, "sub", (x + 23.0, layout.top - 16.0), name);
        svg.close();
    }
}

/// A stretch of time in which nothing was sent.
fn pause(svg: &mut Markup, layout: &Layout, top: f64, pause_ns: u64) {
    for index in 0..layout.lifelines {
        let x = layout.x(index);
        svg.leaf(
            "rect",
            &[
                ("class", &"pause"),
                ("x", &(x - 2.0)),
                ("y", &top),
                ("width", &4.0),
                ("height", &layout::PAUSE),
            ],
        );
        line(svg, "dots", (x, top), (x, top + layout::PAUSE));
    }
    let words = format!("{} later", duration(pause_ns as f64 / 1e9));
    text(svg, "time", (columns::TIME, top + 19.0), &words);
}

fn draw_arrow(svg: &mut Markup, layout: &Layout, arrow: &Arrow, y: f64) {
    svg.open("g", &[("class", &classes(arrow))]);
    svg.element("title", &[], &arrow.story);
    text(svg, "time", (columns::TIME, y + 4.0), &clock(arrow.time_ns));
    let (from, to) = (layout.x(arrow.from), layout.x(arrow.to));
    let towards = (to - from).signum();
    if arrow.from == arrow.to {
        // Nobody else is known: a loop.
        let path = format!("M{from} {} h24 v10 h-20", y - 6.0);
        svg.leaf("path", &[("class", &"line"), ("d", &path)]);
        tip(svg, (from + 2.0, y + 4.0), -1.0);
    } else if arrow.lost.is_some() {
        let end = from + (to - from) * 0.72;
        line(svg, "line", (from, y), (end, y));
        let cross = format!("M{} {} l10 10 m0 -10 l-10 10", end - 5.0, y - 5.0);
        svg.leaf("path", &[("class", &"cross"), ("d", &cross)]);
    } else {
        line(svg, "line", (from, y), (to - 6.0 * towards, y));
        tip(svg, (to - towards, y), towards);
    }
    let middle = if arrow.from == arrow.to {
        from + 14.0
    } else {
        f64::midpoint(from, to)
    };
    let chars = ((to - from).abs().max(layout.gap) / 6.9) as usize;
    text(svg, "label", (middle, y - 7.0), &cut(&arrow.label, chars));
    let mut below = y + 4.0;
    for words in layout::wrap(&arrow.detail, DETAIL_CHARS) {
        text(svg, "detail", (layout.details, below), &words);
        below += layout::LINE;
    }
    let marks = marks(arrow);
    if !marks.is_empty() {
        text(
            svg,
            "mark",
            (layout.details, below),
            &cut(&marks, DETAIL_CHARS),
        );
    }
    svg.close();
}

/// What is remarkable about an arrow, in words.
fn marks(arrow: &Arrow) -> String {
    let lost = arrow.lost.as_ref().map(|cause| match cause.as_str() {
        "lost" => "lost on its way".to_owned(),
        cause => format!("did not arrive: {cause}"),
    });
    let repeated = arrow.repeated.then(|| "sent again".to_owned());
    let unsound = arrow.unsound.then(|| "! unsound".to_owned());
    let marks = [unsound, arrow.attack.clone(), repeated, lost];
    let marks: Vec<String> = marks.into_iter().flatten().collect();
    marks.join(" · ")
}

fn classes(arrow: &Arrow) -> String {
    let kind = match arrow.kind {
        Kind::Pana => "pana",
        Kind::Eap => "eap",
        Kind::C1222 => "c1222",
        Kind::Other => "other",
    };
    let mut classes = format!("arrow {kind}");
    for (class, applies) in [
        ("lost", arrow.lost.is_some()),
        ("again", arrow.repeated),
        ("forged", arrow.attack.is_some()),
        ("wrong", arrow.unsound),
    ] {
        if applies {
            classes.push(' ');
            classes.push_str(class);
        }
    }
    classes
}

fn tip(svg: &mut Markup, (x, y): (f64, f64), towards: f64) {
    let back = -9.0 * towards;
    let path = format!("M{x} {y} l{back} -4.5 v9 z");
    svg.leaf("path", &[("class", &"tip"), ("d", &path)]);
}

fn line(svg: &mut Markup, class: &str, from: (f64, f64), to: (f64, f64)) {
    svg.leaf(
        "line",
        &[
            ("class", &class),
            ("x1", &from.0),
            ("y1", &from.1),
            ("x2", &to.0),
            ("y2", &to.1),
        ],
    );
}

fn text(svg: &mut Markup, class: &str, (x, y): (f64, f64), words: &str) {
    svg.element("text", &[("class", &class), ("x", &x), ("y", &y)], words);
}

#[cfg(test)]
mod tests;
