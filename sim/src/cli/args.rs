//! Arguments that several commands share.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::progress::Mode;
use crate::scenario::{Loaded, Report, load};

/// Which scenario, and what to change in it.
#[derive(Args, Clone, Debug)]
pub struct ScenarioArgs {
    /// Scenario file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Override a value, as in `--set duration=2h` or `--set cohorts.homes.count=10`
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// Override the seed
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

impl ScenarioArgs {
    /// The overrides in the order in which they apply, the seed last.
    pub fn overrides(&self) -> Vec<String> {
        let seed = self.seed.map(|seed| format!("seed={seed}"));
        self.set.iter().cloned().chain(seed).collect()
    }

    /// Reads the scenario.
    ///
    /// # Errors
    ///
    /// If there is any mistake: a report of all of them.
    pub fn load(&self) -> Result<Loaded, Report> {
        load(&self.file, &self.overrides())
    }
}

/// What the program says while it works.
#[derive(Args, Clone, Copy, Debug)]
pub struct OutputArgs {
    /// Say nothing but errors and what was asked for
    #[arg(long, short)]
    pub quiet: bool,
    /// Form of messages
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log: LogFormat,
}

impl OutputArgs {
    /// How progress is shown.
    pub fn progress(self) -> Mode {
        match self.log {
            _ if self.quiet => Mode::Silent,
            LogFormat::Json => Mode::Json,
            LogFormat::Text => Mode::Text,
        }
    }
}

/// Form of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

/// Runs a scenario and writes its results to a folder
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// The scenario.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Threads that simulate; results do not depend on it [default: one per core]
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    pub threads: Option<usize>,
    /// Results folder [default: results/NAME, or results/NAME-2 and so on if it exists]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace the results in the folder, and the file of --pcap
    #[arg(long)]
    pub force: bool,
    /// Capture all datagrams, or those that the scenario's `capture` selects, for Wireshark
    #[arg(long, value_name = "FILE")]
    pub pcap: Option<PathBuf>,
    /// What to say.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl RunArgs {
    /// Threads that simulate.
    pub fn threads(&self) -> usize {
        threads_or_cores(self.threads)
    }
}

/// Runs a scenario with one thread and with several, and compares every event
#[derive(Args, Clone, Debug)]
pub struct VerifyArgs {
    /// The scenario.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Threads of the second run [default: one per core, at least 2]
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    pub threads: Option<usize>,
    /// What to say.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl VerifyArgs {
    /// Threads of the second run.
    pub fn threads(&self) -> usize {
        self.threads
            .unwrap_or_else(|| threads_or_cores(None).max(2))
    }
}

/// More threads than any machine has cores for.
const THREADS_MAX: usize = 1_024;

pub(super) fn parse_threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads) if (1..=THREADS_MAX).contains(&threads) => Ok(threads),
        _ => Err(format!("a number from 1 to {THREADS_MAX} is needed")),
    }
}

pub(super) fn threads_or_cores(threads: Option<usize>) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    threads.unwrap_or_else(cores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_overrides_last() {
        let args = ScenarioArgs {
            file: PathBuf::new(),
            set: vec!["seed=1".to_owned(), "duration=1h".to_owned()],
            seed: Some(7),
        };
        assert_eq!(args.overrides(), ["seed=1", "duration=1h", "seed=7"]);
    }

    #[test]
    fn threads_are_bounded() {
        assert_eq!(parse_threads("4"), Ok(4));
        for text in ["0", "-1", "1025", "many"] {
            assert!(parse_threads(text).is_err(), "{text}");
        }
    }

    #[test]
    fn quiet_wins_over_the_log_format() {
        let output = |quiet, log| OutputArgs { quiet, log }.progress();
        assert_eq!(output(true, LogFormat::Json), Mode::Silent);
        assert_eq!(output(false, LogFormat::Json), Mode::Json);
        assert_eq!(output(false, LogFormat::Text), Mode::Text);
    }
}
