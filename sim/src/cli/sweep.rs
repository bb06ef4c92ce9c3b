//! `meterstorm sweep`: runs every variation of a scenario.

use std::io::{self, IsTerminal, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Instant as WallInstant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::args::{LogFormat, OutputArgs, ScenarioArgs, parse_threads, threads_or_cores};
use super::check::report_mistakes;
use super::progress::Mode;
use super::run::{interrupt, warn};
use super::{Exit, Failure};
use crate::experiment::store::StoreError;
use crate::experiment::sweep::{SweepError, SweepOptions, SweepProgress, SweepReport, sweep};

/// Folders of runs that fail their expectations which are named one by one.
const NAMED_MAX: usize = 10;

/// Runs every arm of a scenario at every point, and resumes what was left unfinished
#[derive(Args, Clone, Debug)]
pub(super) struct SweepArgs {
    #[command(flatten)]
    scenario: ScenarioArgs,
    /// Folder of the sweep [default: results/NAME-sweep]; finished runs in it are kept
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Runs at a time, each with one thread [default: one per core]
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    jobs: Option<usize>,
    /// Remove runs from the folder that do not belong to this sweep
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    output: OutputArgs,
}

impl From<SweepError> for Failure {
    fn from(error: SweepError) -> Self {
        match error {
            SweepError::Store(
                StoreError::Foreign(_) | StoreError::Stray(_) | StoreError::Busy(_),
            ) => Self::Usage(error.to_string()),
            _ => Self::Sweep(error),
        }
    }
}

impl SweepArgs {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<Exit, Failure> {
        let loaded = match self.scenario.load() {
            Ok(loaded) => loaded,
            Err(report) => {
                report_mistakes(&report, self.output.log, out)?;
                return Ok(Exit::Usage);
            }
        };
        warn(&loaded, self.output, out)?;
        let name = format!("{}-sweep", loaded.scenario.name);
        let options = SweepOptions {
            folder: self
                .out
                .clone()
                .unwrap_or_else(|| PathBuf::from("results").join(name)),
            jobs: jobs(self.jobs),
            force: self.force,
            interrupt: interrupt(),
        };
        let mut display = Display::new(self.output.progress(), loaded.scenario.sweep.runs());
        let report = sweep(&loaded, &options, |now| display.show(now));
        display.end();
        let report = report?;
        self.print(&report, out)?;
        Ok(match report.failed.is_empty() {
            true => Exit::Success,
            false => Exit::ExpectationFailed,
        })
    }

    fn print(&self, report: &SweepReport, out: &mut dyn Write) -> Result<(), Failure> {
        if self.output.log == LogFormat::Json {
            let line = json!({
                "type": "sweep",
                "folder": report.folder,
                "complete": report.is_complete(),
                "runs": report.runs,
                "finished": report.finished,
                "resumed": report.resumed,
                "failed": report.failed,
            });
            writeln!(out, "{line}")?;
            return Ok(());
        }
        if !self.output.quiet {
            let state = match report.is_complete() {
                true => "complete",
                false => "interrupted; the same command resumes it",
            };
            writeln!(
                out,
                "sweep {state}: {} of {} runs, {} of them before\nresults   {}",
                report.finished,
                report.runs,
                report.resumed,
                report.folder.display()
            )?;
        }
        for folder in report.failed.iter().take(NAMED_MAX) {
            writeln!(out, "expectations FAILED in {}", folder.display())?;
        }
        if report.failed.len() > NAMED_MAX {
            let more = report.failed.len() - NAMED_MAX;
            writeln!(out, "and in {more} more")?;
        }
        Ok(())
    }
}

/// Runs at a time.
pub(super) fn jobs(given: Option<usize>) -> NonZero<usize> {
    NonZero::new(threads_or_cores(given)).unwrap_or(NonZero::<usize>::MIN)
}

/// Shows how many runs are finished.
enum Display {
    Bar(ProgressBar),
    Json,
    Lines(Option<WallInstant>),
    Silent,
}

/// Seconds between two lines.
const LINE_PERIOD_S: u64 = 5;

impl Display {
    fn new(mode: Mode, runs: u64) -> Self {
        match mode {
            Mode::Silent => Self::Silent,
            Mode::Json => Self::Json,
            Mode::Text if io::stderr().is_terminal() => {
                let style =
                    ProgressStyle::with_template("{wide_bar} {pos} of {len} runs, ETA {eta}")
                        .expect("the template is a constant that parses");
                Self::Bar(ProgressBar::new(runs).with_style(style))
            }
            Mode::Text => Self::Lines(None),
        }
    }

    fn show(&mut self, now: &SweepProgress) {
        let SweepProgress {
            finished,
            runs,
            resumed,
        } = *now;
        match self {
            Self::Bar(bar) => bar.set_position(finished),
            // A reader that has gone away is no reason to end the sweep.
            Self::Json => {
                let line = json!({
                    "type": "sweep_progress", "finished": finished, "runs": runs, "resumed": resumed,
                });
                drop(writeln!(io::stdout(), "{line}"));
            }
            Self::Lines(shown) => {
                let due = shown.is_none_or(|last| last.elapsed().as_secs() >= LINE_PERIOD_S);
                if due || finished == runs {
                    *shown = Some(WallInstant::now());
                    drop(writeln!(io::stderr(), "{finished} of {runs} runs"));
                }
            }
            Self::Silent => {}
        }
    }

    fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
