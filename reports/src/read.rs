//! Result folders, finished or left by a killed run, as data frames.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use polars::prelude::{
    DataFrame, DataType, FileMetadataRef, ParquetReader, PolarsError, PolarsResult, SerReader,
};
use polars_parquet::read::{FileMetadata, read_metadata};

use crate::Error;
use crate::schema::{SCHEMA_VERSION, TABLES, TableDef};
use crate::write::{parts_path, table_path};

/// A folder of result tables.
#[derive(Clone, Debug)]
pub struct Results {
    folder: PathBuf,
}

impl Results {
    /// Refers to a folder; nothing is read yet.
    #[must_use]
    pub fn open(folder: &Path) -> Self {
        Self {
            folder: folder.to_path_buf(),
        }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Tables the folder holds, finished or in parts.
    #[must_use]
    pub fn tables(&self) -> Vec<&'static TableDef> {
        let holds =
            |table: &&TableDef| self.is_finished(table) || parts_path(&self.folder, table).is_dir();
        TABLES.iter().copied().filter(holds).collect()
    }

    /// Whether the run finished this table.
    #[must_use]
    pub fn is_finished(&self, table: &TableDef) -> bool {
        table_path(&self.folder, table).is_file()
    }

    /// Reads a whole table.
    pub fn table(&self, table: &'static TableDef) -> Result<DataFrame, Error> {
        let names: Vec<_> = table.columns.iter().map(|column| column.name).collect();
        self.columns(table, &names)
    }

    /// Reads some columns of a table, in the order given.
    ///
    /// A table of a killed run holds the rows that were flushed, possibly none.
    pub fn columns(&self, table: &'static TableDef, columns: &[&str]) -> Result<DataFrame, Error> {
        let mut all: Option<DataFrame> = None;
        for path in self.files(table)? {
            let frame = read(table, &path, columns)?;
            match &mut all {
                None => all = Some(frame),
                Some(all) => {
                    all.vstack_mut(&frame).map_err(Error::parquet(table.name))?;
                }
            }
        }
        match all {
            Some(frame) => Ok(frame),
            None => empty(table, columns).map_err(Error::parquet(table.name)),
        }
    }

    /// Opens a table for reading it in batches.
    pub(crate) fn batches(&self, table: &'static TableDef) -> Result<Batches, Error> {
        let mut files = Vec::new();
        for path in self.files(table)? {
            let mut file = File::open(&path).map_err(|e| Error::io(table.name, &path, e))?;
            let footer = read_metadata(&mut file).map_err(Error::parquet(table.name))?;
            check_version(table, &path, &key_values(&footer))?;
            files.push((path, Arc::new(footer)));
        }
        Ok(Batches { files })
    }

    /// Key-value metadata of a table's file or first part: schema version, provenance.
    pub fn metadata(&self, table: &'static TableDef) -> Result<BTreeMap<String, String>, Error> {
        match self.files(table)?.first() {
            Some(path) => metadata(table, path),
            None => Ok(BTreeMap::new()),
        }
    }

    /// The table's file, or else the parts a killed run left.
    fn files(&self, table: &'static TableDef) -> Result<Vec<PathBuf>, Error> {
        let path = table_path(&self.folder, table);
        if path.is_file() {
            return Ok(vec![path]);
        }
        let parts = parts_path(&self.folder, table);
        let entries = match fs::read_dir(&parts) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Missing {
                    table: table.name,
                    folder: self.folder.clone(),
                });
            }
            other => other.map_err(|e| Error::io(table.name, &parts, e))?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(|e| Error::io(table.name, &parts, e))?.path();
            // Skips the part that was being written.
            if path
                .extension()
                .is_some_and(|extension| extension == "parquet")
            {
                files.push(path);
            }
        }
        files.sort_unstable();
        Ok(files)
    }
}

/// Rows of a batch at most.
const BATCH_ROWS: usize = 1 << 16;

/// A table that is read in batches: large ones do not fit into memory.
#[derive(Clone, Debug)]
pub(crate) struct Batches {
    files: Vec<(PathBuf, FileMetadataRef)>,
}

impl Batches {
    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.files.iter().map(|(_, footer)| footer.num_rows).sum()
    }

    /// Calls `visit` with some columns of all rows, one batch after the other.
    pub(crate) fn visit(
        &self,
        columns: &[&str],
        mut visit: impl FnMut(&DataFrame) -> PolarsResult<()>,
    ) -> PolarsResult<()> {
        for (path, footer) in &self.files {
            for first in (0..footer.num_rows).step_by(BATCH_ROWS) {
                let located = |error: io::Error| {
                    let text = format!("{}: {error}", path.display());
                    PolarsError::from(io::Error::new(error.kind(), text))
                };
                let file = File::open(path).map_err(located)?;
                let mut reader = ParquetReader::new(file);
                reader.set_metadata(footer.clone());
                let frame = reader
                    .with_columns(Some(columns.iter().map(ToString::to_string).collect()))
                    .with_slice(Some((first, BATCH_ROWS)))
                    .finish()?;
                visit(&frame)?;
            }
        }
        Ok(())
    }
}

/// Values of a numeric or boolean column that are not missing.
///
/// Integers beyond 2^53, about 104 days in nanoseconds, lose their last digits.
pub fn numbers(frame: &DataFrame, column: &str) -> PolarsResult<Vec<f64>> {
    let column = frame.column(column)?.cast(&DataType::Float64)?;
    Ok(column.f64()?.iter().flatten().collect())
}

fn read(table: &'static TableDef, path: &Path, columns: &[&str]) -> Result<DataFrame, Error> {
    check_version(table, path, &metadata(table, path)?)?;
    let file = File::open(path).map_err(|e| Error::io(table.name, path, e))?;
    let names = columns.iter().map(ToString::to_string).collect();
    let frame = ParquetReader::new(file)
        .with_columns(Some(names))
        .finish()
        .map_err(Error::parquet(table.name))?;
    // The reader keeps the order of the file.
    frame
        .select(columns.iter().copied())
        .map_err(Error::parquet(table.name))
}

fn check_version(
    table: &'static TableDef,
    path: &Path,
    metadata: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let found = metadata.get("meterstorm.schema_version");
    if found == Some(&SCHEMA_VERSION.to_string()) {
        return Ok(());
    }
    Err(Error::Version {
        table: table.name,
        path: path.to_path_buf(),
        found: found.map_or("none", String::as_str).to_string(),
        expected: SCHEMA_VERSION,
    })
}

fn metadata(table: &'static TableDef, path: &Path) -> Result<BTreeMap<String, String>, Error> {
    let mut file = File::open(path).map_err(|e| Error::io(table.name, path, e))?;
    let footer = read_metadata(&mut file).map_err(Error::parquet(table.name))?;
    Ok(key_values(&footer))
}

fn key_values(footer: &FileMetadata) -> BTreeMap<String, String> {
    let entries = footer.key_value_metadata.iter().flatten();
    entries
        .map(|entry| (entry.key.clone(), entry.value.clone().unwrap_or_default()))
        .collect()
}

/// The table without rows.
pub(crate) fn empty(table: &TableDef, columns: &[&str]) -> PolarsResult<DataFrame> {
    let mut bytes = io::Cursor::new(Vec::new());
    crate::write::write_empty(table, &mut bytes)?;
    ParquetReader::new(bytes)
        .finish()?
        .select(columns.iter().copied())
}

#[cfg(test)]
mod tests {
    use polars_arrow::datatypes::ArrowSchema;
    use polars_parquet::write::{
        CompressionOptions, FileWriter, KeyValue, StatisticsOptions, Version, WriteOptions,
    };

    use super::*;
    use crate::schema::Row;
    use crate::test_folder::TestFolder;
    use crate::write::{Provenance, TableWriter};
    use crate::{ReadRow, RejectRow};

    fn provenance() -> Provenance {
        Provenance::new("0.1.0", "abcd")
    }

    fn read_row(n: i64) -> ReadRow {
        ReadRow {
            meter: n as u32,
            due_ns: n * 900,
            delivered_ns: (n % 2 == 0).then_some(n * 900 + 5),
            latency_ns: (n % 2 == 0).then_some(5),
            interval_wh: 250,
        }
    }

    fn write_reads(folder: &Path, rows: i64) -> TableWriter<ReadRow> {
        let mut writer =
            TableWriter::with_rows_per_part(folder, &provenance(), 10).expect("create");
        for n in 0..rows {
            writer.push(&read_row(n)).expect("push");
        }
        writer
    }

    #[test]
    fn a_finished_folder_reads_back() {
        let folder = TestFolder::new("read_finished");
        write_reads(folder.path(), 25).finish().expect("finish");
        let results = Results::open(folder.path());
        let names: Vec<_> = results.tables().iter().map(|table| table.name).collect();
        assert_eq!(names, ["reads"]);
        assert!(results.is_finished(ReadRow::TABLE));
        let table = results.table(ReadRow::TABLE).expect("table");
        assert_eq!((table.height(), table.width()), (25, 5));
        let some = results
            .columns(ReadRow::TABLE, &["latency_ns", "meter"])
            .expect("columns");
        assert_eq!(some.get_column_names(), ["latency_ns", "meter"]);
        assert_eq!(numbers(&some, "latency_ns").expect("numbers"), [5.0; 13]);
        let metadata = results.metadata(ReadRow::TABLE).expect("metadata");
        assert_eq!(metadata["meterstorm.scenario_digest"], "abcd");
    }

    #[test]
    fn a_killed_run_reads_back_what_it_flushed_in_order() {
        let folder = TestFolder::new("read_killed");
        drop(write_reads(folder.path(), 25));
        // What a kill in the middle of a write leaves.
        let parts = parts_path(folder.path(), ReadRow::TABLE);
        fs::write(parts.join("part-00002.partial"), b"PAR1 half a file").expect("write");
        let results = Results::open(folder.path());
        assert!(!results.is_finished(ReadRow::TABLE));
        let table = results.table(ReadRow::TABLE).expect("table");
        let meters = numbers(&table, "meter").expect("numbers");
        assert!(meters.iter().copied().eq((0..20).map(f64::from)));
        let metadata = results.metadata(ReadRow::TABLE).expect("metadata");
        assert_eq!(metadata["meterstorm.table"], "reads");
    }

    #[test]
    fn a_run_killed_before_its_first_flush_has_an_empty_table() {
        let folder = TestFolder::new("read_unflushed");
        drop(write_reads(folder.path(), 5));
        let results = Results::open(folder.path());
        let table = results.table(ReadRow::TABLE).expect("table");
        assert_eq!((table.height(), table.width()), (0, 5));
        assert!(results.metadata(ReadRow::TABLE).expect("none").is_empty());
    }

    #[test]
    fn a_missing_table_and_a_torn_file_are_typed_errors() {
        let folder = TestFolder::new("read_errors");
        let results = Results::open(folder.path());
        let error = results.table(RejectRow::TABLE).expect_err("no table");
        assert!(
            matches!(
                error,
                Error::Missing {
                    table: "rejects",
                    ..
                }
            ),
            "{error}"
        );
        fs::write(table_path(folder.path(), RejectRow::TABLE), b"PAR1 torn").expect("write");
        let error = results.table(RejectRow::TABLE).expect_err("not Parquet");
        assert!(
            matches!(
                error,
                Error::Parquet {
                    table: "rejects",
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn another_schema_version_is_refused() {
        let folder = TestFolder::new("read_version");
        let path = table_path(folder.path(), RejectRow::TABLE);
        let other = vec![KeyValue {
            key: "meterstorm.schema_version".to_string(),
            value: Some("999".to_string()),
        }];
        let file = File::create(&path).expect("create");
        let options = WriteOptions {
            statistics: StatisticsOptions::default(),
            version: Version::V1,
            compression: CompressionOptions::Uncompressed,
            data_page_size: None,
        };
        FileWriter::try_new(file, ArrowSchema::default(), options)
            .and_then(|mut writer| writer.end(Some(other)))
            .expect("write");
        let error = Results::open(folder.path())
            .table(RejectRow::TABLE)
            .expect_err("another version");
        let Error::Version {
            found, expected, ..
        } = &error
        else {
            panic!("{error}");
        };
        assert_eq!((found.as_str(), *expected), ("999", SCHEMA_VERSION));
    }
}
