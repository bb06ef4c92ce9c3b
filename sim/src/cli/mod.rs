//! The command-line program `meterstorm`.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | done, and every expectation holds |
//! | 1 | the run ended, but an expectation failed |
//! | 2 | the command line or the scenario is wrong |
//! | 3 | something else failed: a full disk, an exhausted budget, a mistake of this program |
//!
//! Results go to standard output, messages for people to standard error. A reader that closes
//! its end early, as `head` does, is no failure.

mod args;
mod check;
mod compare;
mod dissect;
mod eap;
mod live;
mod new;
mod plan;
pub mod progress;
mod report;
mod run;
mod sweep;
mod validate;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

pub use args::{LogFormat, OutputArgs, RunArgs, ScenarioArgs, VerifyArgs};

use crate::experiment::sweep::SweepError;
use crate::run::RunError;
use crate::scenario::explain::explain;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything went as it should.
    Success = 0,
    /// An expectation of the scenario failed.
    ExpectationFailed = 1,
    /// The command line or the scenario is wrong.
    Usage = 2,
    /// Anything else failed.
    Internal = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line or the scenario is wrong; the text says how.
    #[error("{0}")]
    Usage(String),
    /// Standard output or a file could not be written.
    #[error(transparent)]
    Output(#[from] io::Error),
    /// A run could not be made or not be finished.
    #[error(transparent)]
    Run(RunError),
    /// A sweep could not be made or not be finished.
    #[error(transparent)]
    Sweep(SweepError),
}

impl Failure {
    /// How the program ends with this failure.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Success,
            Self::Output(_) | Self::Run(_) | Self::Sweep(_) => Exit::Internal,
        }
    }
}

/// Simulates smart metering with the protocol code that real meters run.
#[derive(Debug, Parser)]
#[command(name = "meterstorm", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 success, 1 an expectation failed, \
    2 wrong command line or scenario, 3 any other failure.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::CheckArgs),
    Compare(compare::CompareArgs),
    /// Prints a script that completes commands and options in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Prints what every column of the result tables means, as Markdown
    Dictionary,
    Dissect(dissect::DissectArgs),
    EapPeer(eap::EapPeerArgs),
    EapServer(eap::EapServerArgs),
    /// Explains a field of a scenario, such as `keys.overlap`
    ///
    /// Without a path it explains the scenario as a whole; `metrics` lists what expectations
    /// may refer to.
    Explain {
        /// The field
        path: Option<String>,
    },
    Live(live::LiveArgs),
    New(new::NewArgs),
    Plan(plan::PlanArgs),
    Report(report::ReportArgs),
    Run(RunArgs),
    Sweep(sweep::SweepArgs),
    Validate(validate::ValidateArgs),
    Verify(VerifyArgs),
}

/// Runs the program with `arguments`, the first of which is its name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version arrive as errors that are printed to standard output.
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Success
            };
            return match error.print() {
                Ok(()) => exit,
                Err(error) => Failure::from(error).exit(),
            };
        }
    };
    let mut out = io::stdout().lock();
    let result = dispatch(cli.command, &mut out).and_then(|exit| {
        out.flush()?;
        Ok(exit)
    });
    result.unwrap_or_else(|failure| {
        if failure.exit() != Exit::Success {
            // Standard error is the last resort: if it is closed there is nobody to tell.
            let _ = writeln!(io::stderr(), "error: {}", chain(&failure));
        }
        failure.exit()
    })
}

/// An error and its causes, each once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

fn dispatch(command: Command, out: &mut dyn Write) -> Result<Exit, Failure> {
    match command {
        Command::Check(args) => return args.run(out),
        Command::Compare(args) => return args.run(out),
        Command::Completions { shell } => {
            // The generator panics when it cannot write, so it writes to memory.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "meterstorm", &mut script);
            out.write_all(&script)?;
        }
        Command::Dictionary => out.write_all(reports::data_dictionary().as_bytes())?,
        Command::Dissect(args) => return args.run(out),
        Command::EapPeer(args) => return args.run(out),
        Command::EapServer(args) => return args.run(out),
        Command::Explain { path } => {
            let text = explain(path.as_deref().unwrap_or("")).map_err(Failure::Usage)?;
            out.write_all(text.as_bytes())?;
        }
        Command::Live(args) => return args.run(out),
        Command::New(args) => args.run(out)?,
        Command::Plan(args) => return args.run(out),
        Command::Report(args) => return args.run(out),
        Command::Run(args) => return args.run(out),
        Command::Sweep(args) => return args.run(out),
        Command::Validate(args) => return args.run(out),
        Command::Verify(args) => return args.run(out),
    }
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn failures_map_to_exit_codes() {
        assert_eq!(Failure::Usage(String::new()).exit(), Exit::Usage);
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(Failure::from(full).exit(), Exit::Internal);
        let closed = io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(Failure::from(closed).exit(), Exit::Success);
    }
}
