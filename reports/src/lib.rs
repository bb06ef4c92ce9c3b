//! Result tables of a run: their schema, their Parquet files and their statistics.
//!
//! A run of Meterstorm leaves a folder with one Parquet file per table. This crate owns what
//! those files mean and can be used on such a folder with no simulator present:
//!
//! * [`schema`] defines every table once. A definition yields the typed row ([`AuthRow`], …), the
//!   Parquet columns and the [data dictionary](data_dictionary).
//! * [`mod@write`] turns rows into files with bounded memory. What was flushed stays readable when
//!   the process is killed.
//! * [`read`] loads a folder, finished or not, into data frames.
//! * [`foreign`] reads columns of Parquet files that others have written.
//! * [`summary`] reduces a folder to the named numbers that `summary.json` holds and scenario
//!   expectations refer to.
//! * [`index`] lists the runs of a campaign with what was varied and their metrics.
//! * [`stats`] holds the estimators, each with its definition.
//! * [`html`] renders a folder, or the arms of an experiment, as one self-contained page, and
//!   [`export`] writes tables as CSV and LaTeX.
//!
//! ```text
//!   rows --push--> TableWriter --every 65 536 rows--> auth.parts/part-00000.parquet
//!                       |                             auth.parts/part-00001.parquet
//!                       +--finish--> auth.parquet  <-- pages copied, parts removed
//! ```
//!
//! Times are signed 64-bit nanoseconds of the virtual clock, zero at the start of the run.

mod dictionary;
mod error;
pub mod export;
pub mod foreign;
pub mod html;
pub mod index;
mod markup;
mod number;
mod plot;
pub mod read;
pub mod schema;
pub mod sequence;
pub mod stats;
pub mod summary;
pub mod write;

#[cfg(test)]
mod test_folder;

pub use dictionary::data_dictionary;
pub use error::Error;
pub use read::Results;
pub use schema::tables::*;
pub use schema::{Hex, Row, SCHEMA_VERSION, TABLES, label};
pub use summary::Summary;
pub use write::{Finished, Provenance, TableWriter};
