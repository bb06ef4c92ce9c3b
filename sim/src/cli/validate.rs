//! `meterstorm validate`: published results and what comes out here.

use std::io::Write;

use clap::Args;
use models::validation::Outcome;
use serde_json::json;

use super::args::LogFormat;
use super::{Exit, Failure};
use crate::validation::all;

/// Reproduces published and closed-form results and prints target, outcome and error of each
#[derive(Args, Clone, Debug)]
pub(super) struct ValidateArgs {
    /// Print a table in Markdown
    #[arg(long, conflicts_with = "log")]
    markdown: bool,
    /// Form of the output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log: LogFormat,
}

impl ValidateArgs {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<Exit, Failure> {
        let folder = format!("meterstorm-validate-{}", std::process::id());
        let outcomes = all(&std::env::temp_dir().join(folder)).map_err(Failure::Run)?;
        if self.markdown {
            out.write_all(markdown(&outcomes).as_bytes())?;
        } else if self.log == LogFormat::Json {
            for outcome in &outcomes {
                writeln!(out, "{}", json_of(outcome))?;
            }
        } else {
            out.write_all(text(&outcomes).as_bytes())?;
        }
        Ok(match outcomes.iter().all(Outcome::holds) {
            true => Exit::Success,
            false => Exit::ExpectationFailed,
        })
    }
}

fn json_of(outcome: &Outcome) -> serde_json::Value {
    json!({
        "type": "outcome",
        "id": outcome.id,
        "what": outcome.what,
        "source": outcome.source,
        "target": outcome.target,
        "ours": outcome.ours,
        "error": outcome.error(),
        "tolerance": outcome.tolerance,
        "holds": outcome.holds(),
    })
}

fn text(outcomes: &[Outcome]) -> String {
    let widest = outcomes.iter().map(|outcome| outcome.what.chars().count());
    let width = widest.max().unwrap_or(0);
    let mut text = format!(
        "{:<4} {:<width$} {:>10} {:>10} {:>9} {:>9}\n",
        "", "", "target", "ours", "error", "allowed"
    );
    for outcome in outcomes {
        let [target, ours, error, allowed] = fields(outcome);
        let verdict = if outcome.holds() { "" } else { "  FAILED" };
        text += &format!(
            "{:<4} {:<width$} {target:>10} {ours:>10} {error:>9} {allowed:>9}{verdict}\n",
            outcome.id, outcome.what
        );
    }
    let held = outcomes.iter().filter(|outcome| outcome.holds()).count();
    text + &format!("{held} of {} results are reproduced\n", outcomes.len())
}

fn markdown(outcomes: &[Outcome]) -> String {
    let mut text =
        "# Validation\n\nPublished and closed-form results, and what this program makes \
                    of them. Printed by `meterstorm validate --markdown`; the tests check the same \
                    numbers.\n\n| id | result | target | ours | error | allowed | source |\n\
                    |---|---|---:|---:|---:|---:|---|\n"
            .to_owned();
    for outcome in outcomes {
        let [target, ours, error, allowed] = fields(outcome);
        text += &format!(
            "| {} | {} | {target} | {ours} | {error} | {allowed} | {} |\n",
            outcome.id, outcome.what, outcome.source
        );
    }
    text
}

/// Target, outcome, error and tolerance as they are printed.
fn fields(outcome: &Outcome) -> [String; 4] {
    let allowed = match outcome.tolerance {
        0.0 => "exact".to_owned(),
        tolerance => format!("{} %", short(tolerance * 100.0)),
    };
    let error = format!("{:.2} %", outcome.error() * 100.0);
    // No sign in front of nothing.
    let error = if error == "-0.00 %" {
        "0.00 %".to_owned()
    } else {
        error
    };
    [short(outcome.target), short(outcome.ours), error, allowed]
}

/// A number in four significant digits.
fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = 3 - value.abs().log10().floor() as i32;
    match digits {
        ..0 => format!("{value:.0}"),
        0..7 => {
            let text = format!("{value:.*}", digits as usize);
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text,
            }
        }
        _ => format!("{value:.2e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_digits() {
        for (value, text) in [
            (0.0, "0"),
            (11.0, "11"),
            (684.0, "684"),
            (181_234.5, "181234"),
            (0.701_53, "0.7015"),
            (0.004_512, "0.004512"),
            (4.4e-9, "4.40e-9"),
        ] {
            assert_eq!(short(value), text);
        }
    }
}
