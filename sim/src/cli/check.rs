//! `meterstorm check`: reads a scenario and reports every mistake.

use std::io::{self, Write};

use clap::Args;
use firmware::Duration;
use serde_json::json;

use super::args::{LogFormat, OutputArgs, ScenarioArgs};
use super::{Exit, Failure};
use crate::scenario::schema::Reauthenticate;
use crate::scenario::units::Quantity;
use crate::scenario::{Report, Scenario};

/// Reads a scenario and reports every mistake in it at once
#[derive(Args, Clone, Debug)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    scenario: ScenarioArgs,
    /// Print the scenario with inheritance, overrides and defaults written out
    #[arg(long)]
    expand: bool,
    #[command(flatten)]
    output: OutputArgs,
}

impl CheckArgs {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<Exit, Failure> {
        let loaded = match self.scenario.load() {
            Ok(loaded) => loaded,
            Err(report) => {
                report_mistakes(&report, self.output.log, out)?;
                return Ok(Exit::Usage);
            }
        };
        if !self.output.quiet {
            report_mistakes(&loaded.warnings, self.output.log, out)?;
        }
        if self.expand {
            writeln!(out, "{}", loaded.scenario.to_ron())?;
        } else if self.output.log == LogFormat::Json {
            let meters = meters(&loaded.scenario);
            let line = json!({"ok": true, "name": loaded.scenario.name, "meters": meters});
            writeln!(out, "{line}")?;
        } else if !self.output.quiet {
            writeln!(out, "ok: {}", self.scenario.file.display())?;
            out.write_all(facts(&loaded.scenario).as_bytes())?;
        }
        Ok(Exit::Success)
    }
}

/// Prints mistakes: text to standard error, JSON lines to `out`.
pub(super) fn report_mistakes(
    report: &Report,
    log: LogFormat,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    if report.is_empty() {
        return Ok(());
    }
    match log {
        LogFormat::Json => {
            for mistake in report.located() {
                let line = serde_json::to_string(&mistake).map_err(io::Error::from)?;
                writeln!(out, "{line}")?;
            }
        }
        LogFormat::Text => {
            let errors = report.errors();
            let warnings = report.diagnostics().len() - errors;
            let mut err = io::stderr().lock();
            writeln!(
                err,
                "{report}{}, {}",
                counted(errors, "error"),
                counted(warnings, "warning")
            )?;
        }
    }
    Ok(())
}

fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

fn meters(scenario: &Scenario) -> u64 {
    scenario
        .cohorts
        .iter()
        .map(|cohort| u64::from(cohort.count))
        .sum()
}

/// The size of the experiment in a few lines.
fn facts(scenario: &Scenario) -> String {
    let meters = meters(scenario);
    let run = scenario.duration;
    let reports = meters * times(run, scenario.traffic.report.every);
    let period = match scenario.keys.reauthenticate {
        Reauthenticate::Every { period, .. } => period,
        Reauthenticate::Fraction { from, to } => {
            let lifetime = scenario.keys.session_lifetime.as_nanos();
            Duration::from_nanos(from.of(lifetime).midpoint(to.of(lifetime)))
        }
    };
    let authentications = meters * (1 + times(run, period));
    let cohorts: Vec<String> = scenario
        .cohorts
        .iter()
        .map(|cohort| format!("{} × {} on {}", cohort.count, cohort.name, cohort.medium))
        .collect();
    let attackers: String = scenario
        .attackers
        .iter()
        .map(|attacker| {
            let plan = attacker.model(run, |_| 0);
            let (attack, capability) = (plan.attack.name(), plan.capability);
            format!("  attacker         {}: {attack}, {capability}\n", plan.name)
        })
        .collect();
    format!(
        "  meters           {meters} ({})\n\
         \x20 virtual time     {} from {}\n\
         \x20 authentications  about {authentications}\n\
         \x20 reports          about {reports}\n\
         \x20 timeline         {} actions\n\
         {attackers}\
         \x20 expectations     {}\n\
         \x20 seed             {}\n",
        cohorts.join(", "),
        run.to_text(),
        scenario.start,
        scenario.timeline.len(),
        scenario.expect.len(),
        scenario.seed,
    )
}

fn times(run: Duration, period: Duration) -> u64 {
    run.as_nanos() / period.as_nanos().max(1)
}
