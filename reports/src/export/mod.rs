//! Tables of numbers for other programs: CSV for spreadsheets, LaTeX for papers.
//!
//! A [`Table`] is what stands behind a figure or a list of metrics; [`write_results_csv`] converts a
//! whole result table of a run.

mod csv;
mod latex;
mod table;

pub use csv::{csv, write_results_csv};
pub use latex::latex;
pub use table::{Field, Table};
