//! `meterstorm plan`: what a scenario or its sweep will take.

use std::io::Write;

use clap::Args;
use serde_json::{Value, json};

use super::args::{LogFormat, OutputArgs, ScenarioArgs, parse_threads};
use super::check::report_mistakes;
use super::run::warn;
use super::sweep::jobs;
use super::{Exit, Failure};
use crate::experiment::plan::{Estimate, Forecast, PlanError, plan};

/// Foresees runs, events, memory, time and disk of a scenario or its sweep from short probes
#[derive(Args, Clone, Debug)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    scenario: ScenarioArgs,
    /// Runs at a time [default: one per core]
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    jobs: Option<usize>,
    #[command(flatten)]
    output: OutputArgs,
}

impl PlanArgs {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<Exit, Failure> {
        let loaded = match self.scenario.load() {
            Ok(loaded) => loaded,
            Err(report) => {
                report_mistakes(&report, self.output.log, out)?;
                return Ok(Exit::Usage);
            }
        };
        warn(&loaded, self.output, out)?;
        let forecast = plan(&loaded, jobs(self.jobs)).map_err(|error| match error {
            PlanError::Run(error) => Failure::Run(error),
            PlanError::Variant(_) => Failure::Usage(error.to_string()),
        })?;
        match self.output.log {
            LogFormat::Json => writeln!(out, "{}", json_of(&forecast))?,
            LogFormat::Text => out.write_all(text_of(&forecast).as_bytes())?,
        }
        Ok(Exit::Success)
    }
}

fn json_of(forecast: &Forecast) -> Value {
    let estimate = |estimate: &Estimate| {
        json!({
            "events": estimate.events.round(),
            "wall_s": estimate.wall_s,
            "memory_bytes": estimate.memory_bytes.round(),
            "disk_bytes": estimate.disk_bytes.round(),
        })
    };
    json!({
        "type": "plan",
        "runs": forecast.runs(),
        "arms": forecast.arms,
        "points": forecast.points,
        "replications": forecast.replications,
        "jobs": forecast.jobs,
        "run": estimate(&forecast.run),
        "total": estimate(&forecast.total),
        "probes_s": forecast.probes_s,
        "extrapolated": forecast.extrapolated,
    })
}

fn text_of(forecast: &Forecast) -> String {
    let Forecast { run, total, .. } = forecast;
    let (arms, points) = (forecast.arms, forecast.points);
    let parts = match forecast.runs() {
        1 => String::new(),
        _ => format!(
            " = {arms} arms x {points} points x {} replications",
            forecast.replications
        ),
    };
    let rest = match forecast.extrapolated {
        true => ", ended early",
        false => "",
    };
    format!(
        "runs      {}{parts}\n\
         events    about {} per run, {} in all\n\
         time      about {} per run, {} with {} at a time\n\
         memory    about {} for one run, {} with {} at a time\n\
         disk      about {} per run, {} in all\n\
         probes    {:.1} s{rest}\n",
        forecast.runs(),
        scaled(run.events, ""),
        scaled(total.events, ""),
        clock(run.wall_s),
        clock(total.wall_s),
        forecast.jobs,
        scaled(run.memory_bytes, "B"),
        scaled(total.memory_bytes, "B"),
        forecast.jobs,
        scaled(run.disk_bytes, "B"),
        scaled(total.disk_bytes, "B"),
        forecast.probes_s,
    )
}

/// A number in two or three digits with a decimal prefix.
fn scaled(value: f64, unit: &str) -> String {
    let prefixes = ["", "k", "M", "G", "T", "P"];
    let (mut value, mut prefix) = (value, 0);
    while value >= 999.5 && prefix + 1 < prefixes.len() {
        value /= 1_000.0;
        prefix += 1;
    }
    let digits = usize::from(value < 9.95 && prefix > 0);
    let unit = format!("{}{unit}", prefixes[prefix]);
    format!("{value:.digits$} {unit}").trim_end().to_owned()
}

fn clock(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3_600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_short() {
        assert_eq!(scaled(0.0, "B"), "0 B");
        assert_eq!(scaled(999.0, ""), "999");
        assert_eq!(scaled(1_234_567.0, ""), "1.2 M");
        assert_eq!(scaled(45e9, "B"), "45 GB");
        assert_eq!(clock(0.25), "0.2 s");
        assert_eq!(clock(600.0), "10 min");
        assert_eq!(clock(86_400.0), "24.0 h");
    }
}
