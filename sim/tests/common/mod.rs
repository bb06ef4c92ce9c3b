//! What tests of whole runs share.

use std::fs;
use std::path::Path;

use sim::run::{Options, Report, RunError, run};
use sim::scenario::Loaded;

/// Runs a scenario into a fresh folder of the test, in place of what an earlier test run captured.
pub(crate) fn run_fresh(test: &str, loaded: &Loaded, options: Options) -> Result<Report, RunError> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(env!("CARGO_CRATE_NAME"))
        .join(test);
    let _ = fs::remove_dir_all(&folder);
    let options = Options {
        folder: Some(folder),
        force: true,
        ..options
    };
    run(loaded, &options, |_| {})
}

/// A metric of the summary, which has to be there.
pub(crate) fn metric(report: &Report, path: &str) -> f64 {
    let value = report.summary.get(path);
    value.unwrap_or_else(|| panic!("{path} is missing"))
}

/// Overrides as the program takes them.
pub(crate) fn overrides(sets: &[&str]) -> Vec<String> {
    sets.iter().map(|set| (*set).to_owned()).collect()
}
