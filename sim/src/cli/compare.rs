//! `meterstorm compare`: paired differences between two runs or two arms.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::args::LogFormat;
use super::{Exit, Failure};
use crate::experiment::compare::{Comparison, Difference, LEVEL, Point, compare};
use crate::scenario::expect::known_metrics;

/// Compares two results folders, or two arms of a sweep run by run
///
/// Runs are paired by place and seed, so that their common random numbers cancel:
/// `meterstorm compare DIR/runs/arm=a DIR/runs/arm=b`.
#[derive(Args, Clone, Debug)]
pub(super) struct CompareArgs {
    /// Results folder, or folder of an arm
    #[arg(value_name = "A")]
    a: PathBuf,
    /// The same to compare it with
    #[arg(value_name = "B")]
    b: PathBuf,
    /// Show these metrics only, whether they differ or not
    #[arg(long, value_name = "PATH")]
    metric: Vec<String>,
    /// Form of the output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log: LogFormat,
}

impl CompareArgs {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<Exit, Failure> {
        if let Some(unknown) = self
            .metric
            .iter()
            .find(|m| !known_metrics().contains(&m.as_str()))
        {
            let text =
                format!("there is no metric {unknown}; `meterstorm explain metrics` lists them");
            return Err(Failure::Usage(text));
        }
        let comparison =
            compare(&self.a, &self.b).map_err(|error| Failure::Usage(error.to_string()))?;
        match self.log {
            LogFormat::Json => self.lines(&comparison, out)?,
            LogFormat::Text => {
                for run in &comparison.unpaired {
                    writeln!(
                        io::stderr(),
                        "warning: {} has no counterpart",
                        run.display()
                    )?;
                }
                out.write_all(self.text(&comparison).as_bytes())?;
            }
        }
        Ok(Exit::Success)
    }

    fn is_wanted(&self, difference: &Difference) -> bool {
        match self.metric.is_empty() {
            true => !difference.vanishes,
            false => self.metric.iter().any(|metric| metric == difference.metric),
        }
    }

    /// One JSON line per point and metric.
    fn lines(&self, comparison: &Comparison, out: &mut dyn Write) -> Result<(), Failure> {
        for point in &comparison.points {
            for difference in &point.differences {
                if !self.metric.is_empty() && !self.is_wanted(difference) {
                    continue;
                }
                let line = json!({
                    "type": "difference",
                    "point": point.name,
                    "metric": difference.metric,
                    "pairs": difference.pairs,
                    "mean_a": difference.mean_a,
                    "mean_b": difference.mean_b,
                    "difference": difference.mean,
                    "low": difference.interval.map(|interval| interval.low),
                    "high": difference.interval.map(|interval| interval.high),
                    "level": LEVEL,
                    "vanishes": difference.vanishes,
                });
                writeln!(out, "{line}")?;
            }
        }
        for run in &comparison.unpaired {
            writeln!(out, "{}", json!({ "type": "unpaired", "run": run }))?;
        }
        Ok(())
    }

    fn text(&self, comparison: &Comparison) -> String {
        let mut text = format!("A  {}\nB  {}\n", self.a.display(), self.b.display());
        for point in &comparison.points {
            self.push_point(point, &mut text);
        }
        text
    }

    fn push_point(&self, point: &Point, text: &mut String) {
        let name = match point.name.as_str() {
            "" => String::new(),
            name => format!("{name}: "),
        };
        let noun = if point.pairs == 1 { "pair" } else { "pairs" };
        let _ = writeln!(
            text,
            "\n{name}{} {noun} of runs, {} with identical trajectories",
            point.pairs, point.identical
        );
        let shown: Vec<&Difference> = point
            .differences
            .iter()
            .filter(|difference| self.is_wanted(difference))
            .collect();
        if !shown.is_empty() {
            let _ = writeln!(
                text,
                "  {:<44} {:>12} {:>12} {:>12}   95 % interval",
                "metric", "A", "B", "B - A"
            );
        }
        for difference in &shown {
            let interval = match difference.interval {
                Some(interval) => format!("[{}, {}]", short(interval.low), short(interval.high)),
                None => "-".to_owned(),
            };
            let _ = writeln!(
                text,
                "  {:<44} {:>12} {:>12} {:>12}   {interval}",
                difference.metric,
                short(difference.mean_a),
                short(difference.mean_b),
                short(difference.mean),
            );
        }
        let equal = point
            .differences
            .iter()
            .filter(|difference| difference.vanishes)
            .count();
        let all = point.differences.len();
        let _ = writeln!(text, "  {equal} of {all} metrics are equal in every pair");
    }
}

/// A number in six significant digits or fewer.
fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    if value.fract() == 0.0 && value.abs() < 1e9 {
        return format!("{value:.0}");
    }
    let digits = 5 - value.abs().log10().floor() as i32;
    if !(0..=12).contains(&digits) {
        return format!("{value:.5e}");
    }
    let text = format!("{value:.*}", digits as usize);
    if text.contains('.') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (12.0, "12"),
            (-1_234_567.0, "-1234567"),
            (0.1, "0.1"),
            (1.0 / 3.0, "0.333333"),
            (123_456.789, "123457"),
            (1e-9, "1.00000e-9"),
            (1.5e12, "1.50000e12"),
        ] {
            assert_eq!(short(value), text);
        }
    }
}
