//! `meterstorm run` and `meterstorm verify`.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use models::fleet::Partition;
use models::time::Time;
use serde_json::json;

use super::args::{LogFormat, OutputArgs, RunArgs, VerifyArgs};
use super::check::report_mistakes;
use super::progress::Progress;
use super::{Exit, Failure};
use crate::engine::Verdict;
use crate::live::LiveError;
use crate::run::{self, FolderError, Options, Report, RunError};
use crate::scenario::Loaded;

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Folder(FolderError::Occupied(_) | FolderError::Foreign(_))
            | RunError::CaptureFile { .. }
            | RunError::Live(
                LiveError::Attackers | LiveError::Room { .. } | LiveError::Open { .. },
            ) => Self::Usage(error.to_string()),
            _ => Self::Run(error),
        }
    }
}

impl RunArgs {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<Exit, Failure> {
        let loaded = match self.scenario.load() {
            Ok(loaded) => loaded,
            Err(report) => {
                report_mistakes(&report, self.output.log, out)?;
                return Ok(Exit::Usage);
            }
        };
        warn(&loaded, self.output, out)?;
        let options = Options {
            threads: self.threads(),
            folder: self.out.clone(),
            force: self.force,
            pcap: self.pcap.clone(),
            interrupt: interrupt(),
            ..Options::default()
        };
        let end = Time::ZERO + loaded.scenario.duration;
        let mut progress = Some(Progress::start(self.output.progress(), end));
        let report = run::run(&loaded, &options, |now| {
            if let Some(progress) = &mut progress {
                progress.update(now.time, now.events);
            }
        });
        if let (Some(progress), Ok(report)) = (progress.take(), &report) {
            progress.finish(report.reached, report.events);
        }
        let report = report?;
        print(&report, self.output, out)?;
        Ok(exit(&report))
    }
}

/// How the program ends after a run.
pub(super) fn exit(report: &Report) -> Exit {
    match report.meets_expectations() {
        _ if report.interrupted => Exit::Success,
        true => Exit::Success,
        false => Exit::ExpectationFailed,
    }
}

/// Prints what a run has yielded.
pub(super) fn print(
    report: &Report,
    output: OutputArgs,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    match output.log {
        LogFormat::Json => {
            let line = json!({
                "type": "result",
                "name": report.name,
                "folder": report.folder,
                "reached_s": report.reached.as_nanos() as f64 / 1e9,
                "interrupted": report.interrupted,
                "events": report.events,
                "wall_s": report.wall.as_secs_f64(),
                "digest": report.live.is_none().then(|| report.digest.to_string()),
                "meets_expectations": report.meets_expectations(),
                "summary": report.summary.to_json(),
            });
            writeln!(out, "{line}")?;
        }
        LogFormat::Text if output.quiet => {
            for verdict in report.verdicts.iter().filter(|verdict| !verdict.holds) {
                writeln!(out, "{}: {verdict}", report.name)?;
            }
        }
        LogFormat::Text => writeln!(out, "{report}")?,
    }
    Ok(())
}

impl VerifyArgs {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<Exit, Failure> {
        let loaded = match self.scenario.load() {
            Ok(loaded) => loaded,
            Err(report) => {
                report_mistakes(&report, self.output.log, out)?;
                return Ok(Exit::Usage);
            }
        };
        warn(&loaded, self.output, out)?;
        let threads = [1, self.threads()];
        let verdict = run::verify(&loaded.scenario, threads, Partition::ByInstance)?;
        let identical = matches!(verdict, Verdict::Identical { .. });
        match self.output.log {
            LogFormat::Json => {
                let line = json!({
                    "type": "verdict",
                    "identical": identical,
                    "threads": threads,
                    "text": verdict.to_string(),
                });
                writeln!(out, "{line}")?;
            }
            LogFormat::Text if self.output.quiet && identical => {}
            LogFormat::Text => {
                let [one, many] = threads;
                writeln!(out, "{one} thread against {many} threads: {verdict}")?;
            }
        }
        Ok(if identical {
            Exit::Success
        } else {
            Exit::ExpectationFailed
        })
    }
}

/// Prints the warnings of a scenario.
pub(super) fn warn(
    loaded: &Loaded,
    output: OutputArgs,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    if output.quiet {
        return Ok(());
    }
    report_mistakes(&loaded.warnings, output.log, out)
}

/// A flag that Ctrl-C sets, so that a run ends in order; a second Ctrl-C ends the program.
pub(super) fn interrupt() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    // Where signals cannot be handled Ctrl-C ends the program at once; finished parts stay.
    let _ = ctrlc::set_handler(move || {
        if set.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Internal as i32);
        }
    });
    flag
}
