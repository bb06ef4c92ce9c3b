//! Rows to Parquet files, with bounded memory and readable at any moment.
//!
//! A [`TableWriter`] gathers rows column by column. Every [`ROWS_PER_PART`] rows it writes them as
//! a complete Parquet file of its own, the part, under a temporary name and renames it. A killed
//! run therefore leaves whole parts only. At the end the parts' compressed pages are copied into
//! one file without decoding them.
//!
//! File bytes depend on the rows, on where the caller flushed and on the provenance, on nothing
//! else: no clock, no thread count, no hash seed.

mod encode;
mod merge;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use polars::prelude::PolarsError;
use polars_parquet::write::KeyValue;

use crate::Error;
use crate::schema::{Columns, Row, SCHEMA_VERSION, TableDef};

pub use encode::encode;

/// Rows a writer holds before it writes them as one part and one row group.
pub const ROWS_PER_PART: usize = 32_768;

/// Where a file comes from, kept in its key-value metadata.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Provenance {
    entries: Vec<(String, String)>,
}

impl Provenance {
    /// States the program version and the digest of the expanded scenario.
    #[must_use]
    pub fn new(program_version: &str, scenario_digest: &str) -> Self {
        Self::default()
            .with("program_version", program_version)
            .with("scenario_digest", scenario_digest)
    }

    /// Adds an entry, such as the seed; its key gets the prefix `meterstorm.`.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.entries
            .push((format!("meterstorm.{key}"), value.to_string()));
        self
    }

    fn metadata(&self, table: &TableDef) -> Vec<KeyValue> {
        let schema_version = SCHEMA_VERSION.to_string();
        let own = [
            ("meterstorm.schema_version", schema_version.as_str()),
            ("meterstorm.table", table.name),
        ];
        let given = self.entries.iter().map(|(k, v)| (k.as_str(), v.as_str()));
        own.into_iter()
            .chain(given)
            .map(|(key, value)| KeyValue {
                key: key.to_string(),
                value: Some(value.to_string()),
            })
            .collect()
    }
}

/// A finished table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finished {
    /// The table's file.
    pub path: PathBuf,
    /// Rows in it.
    pub rows: u64,
    /// Its size in octets.
    pub bytes: u64,
}

/// Writes one table of a results folder.
///
/// After an error the table is incomplete and the writer should be dropped; parts written before
/// stay readable. Dropping a writer without [`finish`](Self::finish) loses the rows since the last
/// flush, exactly as a killed process would.
pub struct TableWriter<R: Row> {
    folder: PathBuf,
    provenance: Provenance,
    rows_per_part: usize,
    columns: R::Columns,
    pending: usize,
    rows: u64,
    parts: u32,
    row: PhantomData<fn(&R)>,
}

impl<R: Row> TableWriter<R> {
    /// Starts the table in `folder`, which must exist; removes what an earlier run left of it.
    pub fn create(folder: &Path, provenance: &Provenance) -> Result<Self, Error> {
        Self::with_rows_per_part(folder, provenance, ROWS_PER_PART)
    }

    /// As [`create`](Self::create), with another number of rows per part.
    ///
    /// # Panics
    ///
    /// If `rows_per_part` is zero.
    pub fn with_rows_per_part(
        folder: &Path,
        provenance: &Provenance,
        rows_per_part: usize,
    ) -> Result<Self, Error> {
        assert!(rows_per_part > 0, "a part holds at least one row");
        let writer = Self {
            folder: folder.to_path_buf(),
            provenance: provenance.clone(),
            rows_per_part,
            columns: R::Columns::with_capacity(rows_per_part),
            pending: 0,
            rows: 0,
            parts: 0,
            row: PhantomData,
        };
        let (file, parts) = (table_path(folder, R::TABLE), parts_path(folder, R::TABLE));
        remove(fs::remove_file(&file)).map_err(|e| Error::io(R::TABLE.name, &file, e))?;
        remove(fs::remove_dir_all(&parts)).map_err(|e| Error::io(R::TABLE.name, &parts, e))?;
        fs::create_dir(&parts).map_err(|e| Error::io(R::TABLE.name, &parts, e))?;
        Ok(writer)
    }

    /// Appends a row, and writes a part when enough have gathered.
    #[inline]
    pub fn push(&mut self, row: &R) -> Result<(), Error> {
        self.columns.push(row);
        self.pending += 1;
        if self.pending < self.rows_per_part {
            return Ok(());
        }
        self.flush()
    }

    /// Rows appended so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows + self.pending as u64
    }

    /// Writes the rows gathered so far as a part; does nothing if there are none.
    ///
    /// Call it at moments of virtual time only, or file bytes will differ between equal runs.
    pub fn flush(&mut self) -> Result<(), Error> {
        if self.pending == 0 {
            return Ok(());
        }
        self.write_part()
    }

    /// Turns the parts into the table's file.
    pub fn finish(mut self) -> Result<Finished, Error> {
        if self.pending > 0 || self.parts == 0 {
            self.write_part()?;
        }
        let table = R::TABLE;
        let path = table_path(&self.folder, table);
        let parts: Vec<_> = (0..self.parts).map(|n| self.part_path(n)).collect();
        if let [part] = parts.as_slice() {
            fs::rename(part, &path).map_err(|e| Error::io(table.name, part, e))?;
        } else {
            let metadata = self.provenance.metadata(table);
            write_file(table, &path, |file| {
                merge::merge(table, &parts, metadata, file)
            })?;
        }
        let folder = parts_path(&self.folder, table);
        fs::remove_dir_all(&folder).map_err(|e| Error::io(table.name, &folder, e))?;
        let bytes = fs::metadata(&path)
            .map_err(|e| Error::io(table.name, &path, e))?
            .len();
        Ok(Finished {
            path,
            rows: self.rows,
            bytes,
        })
    }

    fn write_part(&mut self) -> Result<(), Error> {
        let arrays = self.columns.take();
        let metadata = self.provenance.metadata(R::TABLE);
        let written = write_file(R::TABLE, &self.part_path(self.parts), |file| {
            encode::write_rows(R::TABLE, &arrays, metadata, file)
        });
        self.columns.restore(arrays, self.rows_per_part);
        written?;
        self.parts += 1;
        self.rows += self.pending as u64;
        self.pending = 0;
        Ok(())
    }

    fn part_path(&self, number: u32) -> PathBuf {
        parts_path(&self.folder, R::TABLE).join(format!("part-{number:05}.parquet"))
    }
}

/// Writes a table without rows or provenance.
pub(crate) fn write_empty(table: &TableDef, out: impl io::Write) -> Result<(), PolarsError> {
    encode::write_rows(table, &[], Provenance::default().metadata(table), out)
}

/// Path of a finished table.
pub(crate) fn table_path(folder: &Path, table: &TableDef) -> PathBuf {
    folder.join(format!("{}.parquet", table.name))
}

/// Folder of the parts of a table that is not finished.
pub(crate) fn parts_path(folder: &Path, table: &TableDef) -> PathBuf {
    folder.join(format!("{}.parts", table.name))
}

fn remove(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Writes a file under a temporary name and renames it once it is complete.
fn write_file(
    table: &TableDef,
    path: &Path,
    fill: impl FnOnce(&mut Latch<BufWriter<File>>) -> Result<(), PolarsError>,
) -> Result<(), Error> {
    let partial = path.with_extension("partial");
    let io_error = |e| Error::io(table.name, &partial, e);
    let file = File::create(&partial).map_err(io_error)?;
    let mut file = Latch::new(BufWriter::new(file));
    let filled = fill(&mut file).map_err(|source| Error::Parquet {
        table: table.name,
        source,
    });
    // The Parquet layer renders an I/O error as text; the latch kept the original.
    let flushed = file.into_result().and_then(|mut inner| inner.flush());
    if flushed.is_err() || filled.is_err() {
        // The disk may be full of it. Failing to remove it must not hide the first error.
        let _ = fs::remove_file(&partial);
    }
    flushed.map_err(io_error)?;
    filled?;
    fs::rename(&partial, path).map_err(|e| Error::io(table.name, path, e))
}

/// A writer that keeps the first error it met.
struct Latch<W> {
    inner: W,
    error: Option<io::Error>,
}

impl<W> Latch<W> {
    fn new(inner: W) -> Self {
        Self { inner, error: None }
    }

    fn into_result(self) -> io::Result<W> {
        match self.error {
            None => Ok(self.inner),
            Some(error) => Err(error),
        }
    }

    fn latch<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            let again = io::Error::from(error.kind());
            // Not a failure, the caller tries again.
            if error.kind() != io::ErrorKind::Interrupted {
                self.error.get_or_insert(error);
            }
            again
        })
    }
}

impl<W: io::Write> io::Write for Latch<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.inner.write(bytes);
        self.latch(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.inner.flush();
        self.latch(result)
    }
}

#[cfg(test)]
mod tests;
