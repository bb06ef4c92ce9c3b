//! Axes: from values to pixels, and where the ticks are.

use crate::number::{duration, fixed, significant};

/// Steps a linear axis may take, times powers of ten.
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];
/// Steps of minutes and hours that divide the next larger unit.
const SEXAGESIMAL: [f64; 6] = [1.0, 2.0, 5.0, 10.0, 15.0, 30.0];
const HOURS: [f64; 6] = [1.0, 2.0, 3.0, 4.0, 6.0, 12.0];

/// How values are spread along an axis.
#[derive(Clone, Debug, PartialEq)]
enum Scale {
    /// Equal steps.
    Linear,
    /// Equal ratios.
    Logarithmic,
    /// Names at 0, 1, 2, …
    Names(Vec<String>),
}

/// An axis: its title, range and scale.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    /// What it shows, with the unit in parentheses.
    pub(crate) title: String,
    /// Column name in the table behind the figure.
    pub(crate) column: String,
    /// Smallest value.
    low: f64,
    /// Largest value.
    high: f64,
    scale: Scale,
    /// Distance of ticks, in values; unused on a logarithmic axis.
    step: f64,
    /// What a tick's label is divided by, for axes in minutes, hours or kilobits.
    unit: f64,
}

impl Axis {
    /// A linear axis from zero, or from below it, to a round number at or above the values.
    pub(crate) fn linear(title: &str, column: &str, values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = range(values);
        let (low, high) = (low.min(0.0), high.max(0.0));
        let high = if high > low { high } else { low + 1.0 };
        let step = nice_step(high - low, 5.0);
        Self {
            title: title.to_string(),
            column: column.to_string(),
            low: (low / step).floor() * step,
            high: (high / step - 1e-9).ceil() * step,
            scale: Scale::Linear,
            step,
            unit: 1.0,
        }
    }

    /// A linear axis around the values, which need not include zero.
    pub(crate) fn around(title: &str, column: &str, values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = range(values);
        let span = if high > low {
            high - low
        } else {
            low.abs().max(1e-6) * 0.2
        };
        let step = nice_step(span * 1.1, 4.0);
        Self {
            title: title.to_string(),
            column: column.to_string(),
            low: ((low - span * 0.05) / step).floor() * step,
            high: ((high + span * 0.05) / step).ceil() * step,
            scale: Scale::Linear,
            step,
            unit: 1.0,
        }
    }

    /// The same axis with whole-numbered ticks, for counts.
    pub(crate) fn counted(mut self) -> Self {
        self.step = self.step.max(1.0);
        self.high = (self.high / self.step - 1e-9).ceil() * self.step;
        self
    }

    /// The same axis labelled in another unit.
    pub(crate) fn in_units_of(mut self, unit: f64) -> Self {
        self.unit = unit;
        let step = nice_step((self.high - self.low) / unit, 5.0) * unit;
        self.step = step;
        self.high = (self.high / step - 1e-9).ceil() * step;
        self
    }

    /// An axis over exactly a range, for shares and the like.
    pub(crate) fn over(title: &str, column: &str, low: f64, high: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self {
            title: title.to_string(),
            column: column.to_string(),
            low,
            high,
            scale: Scale::Linear,
            step: nice_step(high - low, 5.0),
            unit: 1.0,
        }
    }

    /// An axis of virtual time over a range in seconds, labelled in s, min, h or d.
    pub(crate) fn time(low: f64, high: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        let (unit, symbol, steps) = match high - low {
            span if span > 96.0 * 3_600.0 => (86_400.0, "d", STEPS.as_slice()),
            span if span > 2.0 * 3_600.0 => (3_600.0, "h", HOURS.as_slice()),
            span if span > 120.0 => (60.0, "min", SEXAGESIMAL.as_slice()),
            _ => (1.0, "s", STEPS.as_slice()),
        };
        let wanted = (high - low) / unit / 8.0;
        let step = match steps.iter().find(|step| **step >= wanted) {
            Some(step) if wanted >= 0.5 => *step,
            _ => nice_step((high - low) / unit, 8.0),
        };
        Self {
            title: format!("Virtual time ({symbol})"),
            column: "time_s".to_string(),
            low,
            high,
            scale: Scale::Linear,
            step: step * unit,
            unit,
        }
    }

    /// An axis of durations that suits their spread: logarithmic if they span decades.
    pub(crate) fn durations(title: &str, column: &str, values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = range(values);
        // Three decades are enough; what is smaller lies at the lower end.
        let high = if high > 0.0 { high } else { 1.0 };
        let low = low.max(high * 1e-3);
        if high < 20.0 * low {
            let mut axis = Self::over(title, column, 0.0, high.max(low));
            axis.high = (axis.high / axis.step - 1e-9).ceil() * axis.step;
            axis.title = format!("{title} (s)");
            return axis;
        }
        Self {
            title: format!("{title} (s, logarithmic)"),
            column: column.to_string(),
            low: round_down(low),
            high: -round_down(-high.max(low * 2.0)),
            scale: Scale::Logarithmic,
            step: 1.0,
            unit: 1.0,
        }
    }

    /// An axis of magnitudes: logarithmic if they are positive and span decades, else from zero.
    pub(crate) fn magnitudes(title: &str, column: &str, values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = range(values);
        if low <= 0.0 || high < 30.0 * low {
            return Self::linear(title, column, [low, high].into_iter());
        }
        Self {
            title: format!("{title}, logarithmic"),
            column: column.to_string(),
            low: round_down(low),
            high: -round_down(-high),
            scale: Scale::Logarithmic,
            step: 1.0,
            unit: 1.0,
        }
    }

    /// An axis of names at 0, 1, 2, …, with half a step of room at either end.
    pub(crate) fn names(title: &str, column: &str, names: &[String]) -> Self {
        Self {
            title: title.to_string(),
            column: column.to_string(),
            low: -0.5,
            high: names.len().max(1) as f64 - 0.5,
            scale: Scale::Names(names.to_vec()),
            step: 1.0,
            unit: 1.0,
        }
    }

    /// Smallest value.
    pub(crate) fn low(&self) -> f64 {
        self.low
    }

    /// Largest value.
    pub(crate) fn high(&self) -> f64 {
        self.high
    }

    /// Where a value lies, 0 to 1; values beyond the ends lie at the ends.
    pub(crate) fn position(&self, value: f64) -> f64 {
        let position = match &self.scale {
            Scale::Linear | Scale::Names(_) => (value - self.low) / (self.high - self.low),
            Scale::Logarithmic => {
                (value.max(self.low) / self.low).log10() / (self.high / self.low).log10()
            }
        };
        position.clamp(0.0, 1.0)
    }

    /// The inverse of [`position`](Self::position).
    pub(crate) fn value(&self, position: f64) -> f64 {
        match &self.scale {
            Scale::Linear | Scale::Names(_) => self.low + position * (self.high - self.low),
            Scale::Logarithmic => self.low * (self.high / self.low).powf(position),
        }
    }

    /// Ticks with their labels.
    pub(crate) fn ticks(&self) -> Vec<(f64, String)> {
        match &self.scale {
            Scale::Linear => self.linear_ticks(),
            Scale::Logarithmic => self.logarithmic_ticks(),
            Scale::Names(names) => {
                let ticks = names.iter().enumerate();
                ticks.map(|(at, name)| (at as f64, name.clone())).collect()
            }
        }
    }

    fn linear_ticks(&self) -> Vec<(f64, String)> {
        let first = (self.low / self.step - 1e-9).ceil();
        let last = (self.high / self.step + 1e-9).floor();
        let step = self.step / self.unit;
        // As many decimals as the step has.
        let decimals = (0..9).find(|decimals| {
            let scaled = step * 10_f64.powi(*decimals);
            (scaled - scaled.round()).abs() < 1e-6
        });
        let decimals = decimals.unwrap_or(9) as usize;
        let count = (last - first).clamp(0.0, 50.0) as u32;
        (0..=count)
            .map(|index| {
                let tick = first + f64::from(index);
                (tick * self.step, fixed(tick * step, decimals))
            })
            .collect()
    }

    fn logarithmic_ticks(&self) -> Vec<(f64, String)> {
        let decades = (self.high / self.low).log10();
        let digits: &[f64] = if decades > 3.5 { &[1.0] } else { &STEPS };
        let first = self.low.log10().floor() as i32;
        let last = self.high.log10().ceil() as i32;
        let candidates = (first..=last)
            .flat_map(|power| digits.iter().map(move |digit| digit * 10_f64.powi(power)));
        candidates
            .filter(|tick| *tick >= self.low * 0.999 && *tick <= self.high * 1.001)
            .map(|tick| (tick, significant(tick, 1)))
            .collect()
    }

    /// A value in words, with the precision of a tooltip.
    pub(crate) fn say(&self, value: f64) -> String {
        if self.column.ends_with("_s") {
            duration(value)
        } else {
            significant(value / self.unit, 4)
        }
    }
}

/// Smallest and largest finite value; (0, 0) if there is none.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values
        .filter(|value| value.is_finite())
        .fold(None, |range: Option<(f64, f64)>, value| {
            let (low, high) = range.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        })
        .unwrap_or((0.0, 0.0))
}

/// A round step that divides a span into about `parts`.
fn nice_step(span: f64, parts: f64) -> f64 {
    let raw = span / parts;
    let decade = 10_f64.powf(raw.log10().floor());
    let factor = STEPS.iter().find(|step| **step * decade >= raw * 0.999);
    factor.unwrap_or(&10.0) * decade
}

/// The next of 1, 2, 5 times a power of ten towards minus infinity.
fn round_down(value: f64) -> f64 {
    let size = value.abs();
    let decade = 10_f64.powf(size.log10().floor());
    let digit = size / decade;
    if value > 0.0 {
        let below = STEPS.iter().rev().find(|step| **step <= digit * 1.000_001);
        below.unwrap_or(&1.0) * decade
    } else {
        let above = STEPS.iter().find(|step| **step >= digit * 0.999_999);
        -above.unwrap_or(&10.0) * decade
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks().into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn a_linear_axis_starts_at_zero_and_ends_on_a_tick() {
        let axis = Axis::linear("Meters", "meters", [3.0, 940.0].into_iter());
        assert_eq!((axis.low(), axis.high()), (0.0, 1_000.0));
        assert_eq!(labels(&axis), ["0", "200", "400", "600", "800", "1,000"]);
        assert_eq!(axis.position(500.0), 0.5);
        assert_eq!(axis.position(5_000.0), 1.0);
        assert_eq!(axis.value(0.25), 250.0);
    }

    #[test]
    fn counts_have_whole_ticks_and_nothing_has_an_axis_too() {
        let axis = Axis::linear("Meters", "meters", [2.0].into_iter()).counted();
        assert_eq!(labels(&axis), ["0", "1", "2"]);
        let empty = Axis::linear("Meters", "meters", [].into_iter());
        assert_eq!((empty.low(), empty.high()), (0.0, 1.0));
        let negative = Axis::linear("Difference", "x", [-3.0, 1.0, f64::NAN].into_iter());
        assert_eq!(
            labels(&negative),
            ["\u{2212}3", "\u{2212}2", "\u{2212}1", "0", "1"]
        );
    }

    #[test]
    fn time_is_labelled_in_the_unit_that_suits_it() {
        for (high, title, expected) in [
            (
                86_400.0,
                "Virtual time (h)",
                vec!["0", "3", "6", "9", "12", "15", "18", "21", "24"],
            ),
            (
                7_200.0,
                "Virtual time (min)",
                vec!["0", "15", "30", "45", "60", "75", "90", "105", "120"],
            ),
            (
                60.0,
                "Virtual time (s)",
                vec!["0", "10", "20", "30", "40", "50", "60"],
            ),
            (
                10.0 * 86_400.0,
                "Virtual time (d)",
                vec!["0", "2", "4", "6", "8", "10"],
            ),
        ] {
            let axis = Axis::time(0.0, high);
            assert_eq!(axis.title, title);
            assert_eq!(labels(&axis), expected);
        }
    }

    #[test]
    fn durations_over_decades_are_logarithmic() {
        let axis = Axis::durations("Latency", "latency_s", [0.17, 7.4].into_iter());
        assert_eq!((axis.low(), axis.high()), (0.1, 10.0));
        assert_eq!(labels(&axis), ["0.1", "0.2", "0.5", "1", "2", "5", "10"]);
        assert!((axis.position(1.0) - 0.5).abs() < 1e-12);
        assert!((axis.value(0.5) - 1.0).abs() < 1e-12);
        assert_eq!(axis.position(0.0), 0.0);
        let narrow = Axis::durations("Latency", "latency_s", [5.0, 20.4].into_iter());
        assert_eq!(labels(&narrow), ["0", "5", "10", "15", "20", "25"]);
    }

    #[test]
    fn magnitudes_are_logarithmic_over_decades_and_names_have_room() {
        let axis = Axis::magnitudes("Exposure (s)", "exposure", [2_015.0, 280_193.0].into_iter());
        assert_eq!((axis.low(), axis.high()), (2_000.0, 500_000.0));
        assert_eq!(axis.title, "Exposure (s), logarithmic");
        let axis = Axis::magnitudes("Share", "share", [0.0, 0.9].into_iter());
        assert_eq!((axis.low(), axis.high()), (0.0, 1.0));
        let names = ["1h".to_string(), "1d".to_string()];
        let axis = Axis::names("Period", "period", &names);
        assert_eq!(labels(&axis), names);
        assert_eq!(axis.position(0.0), 0.25);
        assert_eq!(axis.position(1.0), 0.75);
    }

    #[test]
    fn units_divide_the_labels_only() {
        let axis = Axis::linear("Traffic (kbit/s)", "traffic", [7_600.0].into_iter());
        let axis = axis.in_units_of(1e3);
        assert_eq!(labels(&axis), ["0", "2", "4", "6", "8"]);
        assert_eq!(axis.position(4_000.0), 0.5);
    }
}
