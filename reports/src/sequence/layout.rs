//! Where everything of a chart is, in pixels.

use super::{Arrow, Sequence};

/// Places from left to right.
pub(super) mod columns {
    /// Free space at the sides.
    pub(in super::super) const MARGIN: f64 = 20.0;
    /// Where times end.
    pub(in super::super) const TIME: f64 = 122.0;
    /// Lanes of key bars.
    pub(in super::super) const LANES: usize = 3;
    /// Width of a key bar.
    pub(in super::super) const BAR: f64 = 10.0;
    /// From one lane to the next.
    pub(super) const LANE: f64 = 26.0;
    /// Where the first lane is.
    pub(super) const KEYS: f64 = 142.0;
}

/// Height of a lifeline's box.
pub(super) const HEAD: f64 = 42.0;
/// Height of a pause.
pub(super) const PAUSE: f64 = 30.0;
/// Height of a note and the space below.
pub(super) const NOTE: f64 = 28.0;
/// From one line of text to the next.
pub(super) const LINE: f64 = 15.0;
/// Characters of a line beside an arrow.
pub(super) const DETAIL_CHARS: usize = 84;
/// Lines beside an arrow, before what is remarkable.
const DETAIL_LINES: usize = 2;
/// Height of a row with one line beside it.
const ROW: f64 = 34.0;
/// A pause as long as this is shown as one.
const PAUSE_MIN_NS: u64 = 10_000_000_000;

/// Where an arrow is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Row {
    /// Its line.
    pub(super) y: f64,
    /// Top and length of the pause in front of it, in nanoseconds.
    pub(super) pause: Option<(f64, u64)>,
}

/// The places of a chart.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) notes_top: f64,
    pub(super) lifelines: usize,
    /// Between two lifelines.
    pub(super) gap: f64,
    pub(super) box_width: f64,
    /// Where the texts beside arrows begin.
    pub(super) details: f64,
    /// Ends of the lifelines.
    pub(super) top: f64,
    pub(super) bottom: f64,
    pub(super) rows: Vec<Row>,
    first_x: f64,
    /// Time and place of each row, in order.
    places: Vec<(u64, f64)>,
}

impl Layout {
    pub(super) fn new(chart: &Sequence) -> Self {
        let lifelines = chart.lifelines.len().max(1);
        let gap = if lifelines > 2 { 210.0 } else { 280.0 };
        let box_width = gap - 30.0;
        let keys_end = columns::KEYS + columns::LANE * columns::LANES as f64;
        let first_x = keys_end + box_width / 2.0;
        let last_x = first_x + gap * (lifelines - 1) as f64;
        let details = last_x + box_width / 2.0 + 14.0;
        let notes_top = 66.0;
        let top = notes_top + NOTE * chart.notes.len() as f64 + 10.0 + HEAD;
        let (mut rows, mut places) = (Vec::new(), Vec::new());
        let mut y = top + 12.0;
        let mut before: Option<u64> = None;
        for arrow in &chart.arrows {
            let waited = before.map_or(0, |before| arrow.time_ns.saturating_sub(before));
            let pause = (waited >= PAUSE_MIN_NS).then_some((y, waited));
            y += if pause.is_some() { PAUSE } else { 0.0 };
            let line = y + 22.0;
            rows.push(Row { y: line, pause });
            places.push((arrow.time_ns, line));
            y += ROW + LINE * (lines(arrow) - 1) as f64;
            before = Some(arrow.time_ns);
        }
        let bottom = y + 16.0;
        Self {
            width: (details + 6.3 * DETAIL_CHARS as f64 + columns::MARGIN).ceil(),
            height: (bottom + HEAD + 20.0).ceil(),
            notes_top,
            lifelines: chart.lifelines.len(),
            gap,
            box_width,
            details,
            top,
            bottom,
            rows,
            first_x,
            places,
        }
    }

    /// Where a lifeline is.
    pub(super) fn x(&self, lifeline: usize) -> f64 {
        assert!(lifeline < self.lifelines, "there is no lifeline {lifeline}");
        self.first_x + self.gap * lifeline as f64
    }

    /// The left edge of a lane of key bars.
    pub(super) fn lane(&self, lane: usize) -> f64 {
        columns::KEYS + columns::LANE * lane as f64
    }

    /// Where an instant is: between the rows before and after it.
    pub(super) fn y(&self, time_ns: u64) -> f64 {
        let after = self.places.partition_point(|(at, _)| *at < time_ns);
        match (after.checked_sub(1), self.places.get(after)) {
            (None, Some(first)) if first.0 > time_ns => self.top + 14.0,
            (_, Some(next)) if next.0 == time_ns => next.1,
            (Some(before), Some(next)) => {
                let before = self.places[before];
                let share = (time_ns - before.0) as f64 / (next.0 - before.0) as f64;
                before.1 + share * (next.1 - before.1)
            }
            (_, None) | (None, Some(_)) => self.bottom,
        }
    }
}

/// Lines of text beside an arrow, at least one.
fn lines(arrow: &Arrow) -> usize {
    let remarkable =
        arrow.lost.is_some() || arrow.repeated || arrow.attack.is_some() || arrow.unsound;
    let lines = wrap(&arrow.detail, DETAIL_CHARS).len() + usize::from(remarkable);
    lines.max(1)
}

/// Breaks `text` into lines between its words; what does not fit into the last one is left out,
/// which an ellipsis says.
pub(super) fn wrap(text: &str, chars: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let room = chars.saturating_sub(word.chars().count() + 1);
        match lines.last_mut() {
            Some(line) if line.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    let more = lines.len() > DETAIL_LINES;
    lines.truncate(DETAIL_LINES);
    if let (true, Some(last)) = (more, lines.last_mut()) {
        last.push_str(" …");
    }
    lines.iter().map(|line| cut(line, chars)).collect()
}

/// At most `chars` characters of `text`; an ellipsis says that there are more.
pub(super) fn cut(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    let kept = text.chars().take(chars.saturating_sub(1));
    kept.chain(['…']).collect()
}

/// A virtual time as hours, minutes, seconds and milliseconds.
pub(super) fn clock(time_ns: u64) -> String {
    let ms = time_ns / 1_000_000;
    let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
    let (seconds, rest) = (ms / 1_000 % 60, ms % 1_000);
    format!("{hours}:{minutes:02}:{seconds:02}.{rest:03}")
}
