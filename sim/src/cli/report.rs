//! `meterstorm report`: a results folder for people, spreadsheets and papers.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use reports::export::{Table, latex, write_results_csv};
use reports::html::{render, render_comparison};
use reports::{Results, Summary, TABLES};

use super::{Exit, Failure};
use crate::experiment::report::comparison;
use crate::experiment::store::{StoreError, is_sweep};

/// Renders the results of a run or of a sweep as one HTML page that needs nothing else
#[derive(Args, Clone, Debug)]
pub(super) struct ReportArgs {
    /// Results folder, or folder of a sweep
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Page to write [default: DIR/report.html]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print a result table as CSV instead, as in `--csv auth`
    #[arg(long, value_name = "TABLE", conflicts_with_all = ["out", "latex"])]
    csv: Option<String>,
    /// Print the metrics of the summary as a LaTeX table instead
    #[arg(long, conflicts_with = "out")]
    latex: bool,
}

impl ReportArgs {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<Exit, Failure> {
        if let Some(table) = &self.csv {
            self.print_csv(table, out)?;
        } else if self.latex {
            let summary = Summary::of(&Results::open(&self.folder)).map_err(failure)?;
            out.write_all(latex(&Table::of_summary(&summary)).as_bytes())?;
        } else {
            let page = match is_sweep(&self.folder) {
                true => render_comparison(&comparison(&self.folder).map_err(unreadable)?),
                false => render(&self.folder).map_err(failure)?,
            };
            let path = self.out.clone();
            let path = path.unwrap_or_else(|| self.folder.join("report.html"));
            fs::write(&path, page).map_err(|e| named(&path, &e))?;
            writeln!(out, "{}", path.display())?;
        }
        Ok(Exit::Success)
    }

    fn print_csv(&self, name: &str, out: &mut dyn Write) -> Result<(), Failure> {
        let Some(table) = TABLES.iter().find(|table| table.name == name) else {
            let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
            let names = names.join(", ");
            let message = format!("no table is called {name}; there are {names}");
            return Err(Failure::Usage(message));
        };
        write_results_csv(&Results::open(&self.folder), table, out).map_err(failure)
    }
}

/// A folder that holds no results is the caller's mistake, anything else is not.
fn failure(error: reports::Error) -> Failure {
    match error {
        reports::Error::Document { .. } | reports::Error::Missing { .. } => {
            Failure::Usage(error.to_string())
        }
        reports::Error::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe => {
            Failure::Output(source)
        }
        other => Failure::Output(io::Error::other(other)),
    }
}

/// The same for the folder of a sweep.
fn unreadable(error: StoreError) -> Failure {
    Failure::Usage(error.to_string())
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
