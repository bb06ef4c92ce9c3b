//! Runs JSON vector files against the protocol code.
//!
//! ```text
//! cargo run --release -p firmware --example conformance -- PATH...
//! ```
//!
//! A PATH is a vector file, or a folder that is searched for them. A file is recognised by its
//! content. Each case prints `PASS file case` or `FAIL file case: why`; a file of an unknown format
//! prints `UNSUPPORTED file`. Exit status: 0 all passed, 1 a case failed or nothing was checked,
//! 2 a path could not be read or is not JSON.

mod suite;

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if paths.is_empty() {
        eprintln!("usage: conformance PATH...");
        return ExitCode::from(2);
    }
    // A panic is reported as the failure of its case.
    std::panic::set_hook(Box::new(|_| {}));
    let report = match suite::run(&paths) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("conformance: {error}");
            return ExitCode::from(2);
        }
    };
    for verdict in report.verdicts() {
        println!("{verdict}");
    }
    println!("{} passed, {} failed", report.passed(), report.failed());
    if report.failed() == 0 && report.passed() > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
