//! Responses: how estimates change from level to level of a factor.

use super::frame::{Frame, LegendKey, Px};
use super::{About, Axis, Plot, Size, colour};
use crate::export::Table;
use crate::markup::push;
use crate::stats::Interval;

/// Pixels between the marks of two responses at one level.
const DODGE: f64 = 9.0;

/// What was estimated at a level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Level {
    /// The estimate.
    pub(crate) estimate: f64,
    /// Its interval, if there is one.
    pub(crate) interval: Option<Interval>,
}

/// Estimates of one kind at each level; nothing where nothing was measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Response {
    /// Name in the legend.
    pub(crate) name: String,
    /// One estimate per level.
    pub(crate) levels: Vec<Option<Level>>,
}

/// Several responses over the levels of one factor.
#[derive(Clone, Debug)]
pub(crate) struct Responses {
    /// Axis of the levels, by name.
    pub(crate) x: Axis,
    /// Axis of the estimates.
    pub(crate) y: Axis,
    /// Responses in the order of the legend.
    pub(crate) series: Vec<Response>,
}

impl Plot for Responses {
    fn draw(&self, size: Size, about: &About<'_>) -> String {
        let names = self.series.iter().map(|series| series.name.as_str());
        let mut frame = Frame::with_axes(size, about, &self.x, &self.y, LegendKey::Line, names);
        if self.y.low() < 0.0 {
            let zero = frame.y(&self.y, 0.0);
            frame.line("axis", (frame.left, zero), (frame.right, zero));
        }
        for (index, series) in self.series.iter().enumerate() {
            self.connect(&mut frame, index, series);
        }
        // Marks lie above all lines.
        for (index, series) in self.series.iter().enumerate() {
            self.mark(&mut frame, index, series);
        }
        frame.finish()
    }

    fn table(&self) -> Table {
        let low = format!("{}_low", self.y.column);
        let high = format!("{}_high", self.y.column);
        let mut table = Table::new(["series", &self.x.column, &self.y.column, &low, &high]);
        let names = self.x.ticks();
        for series in &self.series {
            for (level, (_, name)) in series.levels.iter().zip(&names) {
                let interval = level.and_then(|level| level.interval);
                table.push([
                    series.name.as_str().into(),
                    name.as_str().into(),
                    level.map(|level| level.estimate).into(),
                    interval.map(|interval| interval.low).into(),
                    interval.map(|interval| interval.high).into(),
                ]);
            }
        }
        table
    }
}

impl Responses {
    /// Where the estimates of a response lie, beside those of the others.
    fn places(&self, frame: &Frame, index: usize, series: &Response) -> Vec<(usize, f64, Level)> {
        let aside = (index as f64 - (self.series.len() as f64 - 1.0) / 2.0) * DODGE;
        let levels = series.levels.iter().enumerate();
        levels
            .filter_map(|(at, level)| Some((at, (*level)?)))
            .filter(|(_, level)| level.estimate.is_finite())
            .map(|(at, level)| (at, frame.x(&self.x, at as f64) + aside, level))
            .collect()
    }

    fn connect(&self, frame: &mut Frame, index: usize, series: &Response) {
        let mut path = String::new();
        for (_, x, level) in self.places(frame, index, series) {
            let step = if path.is_empty() { 'M' } else { 'L' };
            push!(
                path,
                "{step}{} {}",
                Px(x),
                Px(frame.y(&self.y, level.estimate))
            );
        }
        let class = format!("line {} dash{}", colour(index), index % 4);
        frame.path(&class, &path);
    }

    fn mark(&self, frame: &mut Frame, index: usize, series: &Response) {
        let names = self.x.ticks();
        for (at, x, level) in self.places(frame, index, series) {
            let mut tip = format!("{}: {}", series.name, self.y.say(level.estimate));
            if let Some(interval) = level.interval {
                let ends = [interval.low, interval.high];
                let [low, high] = ends.map(|value| frame.y(&self.y, value));
                frame.line("whisker", (x, low), (x, high));
                for end in [low, high] {
                    frame.line("whisker", (x - 3.5, end), (x + 3.5, end));
                }
                let [low, high] = ends.map(|value| self.y.say(value));
                push!(tip, " ({low} to {high})");
            }
            if let Some((_, name)) = names.get(at) {
                push!(tip, "\n{name}");
            }
            frame.svg.open(
                "circle",
                &[
                    ("class", &format_args!("fill {}", colour(index))),
                    ("cx", &Px(x)),
                    ("cy", &Px(frame.y(&self.y, level.estimate))),
                    ("r", &4),
                ],
            );
            frame.svg.element("title", &[], tip);
            frame.svg.close();
        }
    }
}
