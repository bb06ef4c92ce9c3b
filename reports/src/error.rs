//! What can go wrong with result files.

use std::io;
use std::path::{Path, PathBuf};

use polars::prelude::PolarsError;

/// Failure to write or read result tables.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused, for example because it is full.
    #[error("table {table}: {}: {source}", path.display())]
    Io {
        /// Table concerned.
        table: &'static str,
        /// File or folder concerned.
        path: PathBuf,
        /// What the operating system said; `StorageFull` for a full disk.
        #[source]
        source: io::Error,
    },
    /// A document of the folder is absent or is not what it should be.
    #[error("{}: {reason}", path.display())]
    Document {
        /// File concerned.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Rows could not be encoded, or a file is not valid Parquet.
    #[error("table {table}: {source}")]
    Parquet {
        /// Table concerned.
        table: &'static str,
        /// What the Parquet layer said.
        #[source]
        source: PolarsError,
    },
    /// The folder holds neither the table's file nor parts of it.
    #[error("table {table}: no such table in {}", folder.display())]
    Missing {
        /// Table concerned.
        table: &'static str,
        /// Folder that was searched.
        folder: PathBuf,
    },
    /// A file was written under another schema version.
    #[error("table {table}: schema version {found} in {}, this program reads {expected}", path.display())]
    Version {
        /// Table concerned.
        table: &'static str,
        /// File concerned.
        path: PathBuf,
        /// Version the file states, or `none`.
        found: String,
        /// Version this program knows.
        expected: u32,
    },
}

impl Error {
    pub(crate) fn io(table: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            table,
            path: path.to_path_buf(),
            source,
        }
    }

    pub(crate) fn parquet(table: &'static str) -> impl FnOnce(PolarsError) -> Self {
        move |source| Self::Parquet { table, source }
    }

    /// Whether the disk was full.
    #[must_use]
    pub fn is_storage_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull)
    }
}
