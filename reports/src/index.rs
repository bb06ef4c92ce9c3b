//! The index of a campaign: one row per run, with what was varied and every summary metric.
//!
//! Unlike the tables of a run its columns differ from campaign to campaign.

use std::fs::{self, File};
use std::path::Path;

use polars::io::parquet::write::{KeyValueMetadata, ParquetCompression};
use polars::prelude::{Column, DataFrame, NamedFrom, ParquetWriter, Series};
use polars_parquet::write::ZstdLevel;

use crate::{Error, SCHEMA_VERSION};

/// Name of the index, as errors and metadata state it.
const TABLE: &str = "runs";

/// The values of a column, one per run.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Yes or no.
    Boolean(Vec<bool>),
    /// Numbers that a run may lack.
    Float64(Vec<Option<f64>>),
    /// Texts.
    Text(Vec<String>),
    /// Whole numbers.
    UInt64(Vec<u64>),
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Self::Boolean(values) => values.len(),
            Self::Float64(values) => values.len(),
            Self::Text(values) => values.len(),
            Self::UInt64(values) => values.len(),
        }
    }
}

/// Writes the index to `path` at once: it is there as a whole or not at all.
///
/// Its octets depend on the columns and the program's version alone.
pub fn write_index(
    path: &Path,
    program_version: &str,
    columns: Vec<(String, Values)>,
) -> Result<(), Error> {
    let rows = columns.first().map_or(0, |(_, values)| values.len());
    let columns = columns.into_iter().map(|(name, values)| {
        let name = name.into();
        Column::from(match values {
            Values::Boolean(values) => Series::new(name, values),
            Values::Float64(values) => Series::new(name, values),
            Values::Text(values) => Series::new(name, values),
            Values::UInt64(values) => Series::new(name, values),
        })
    });
    let mut frame = DataFrame::new(rows, columns.collect()).map_err(Error::parquet(TABLE))?;
    let metadata = [
        ("meterstorm.schema_version", SCHEMA_VERSION.to_string()),
        ("meterstorm.table", TABLE.to_owned()),
        ("meterstorm.program_version", program_version.to_owned()),
    ];
    let metadata = metadata
        .map(|(key, value)| (key.to_owned(), value))
        .to_vec();
    let partial = path.with_extension("partial");
    let file = File::create(&partial).map_err(|e| Error::io(TABLE, &partial, e))?;
    let level = ZstdLevel::try_new(1).expect("level 1 is in range");
    ParquetWriter::new(file)
        .with_compression(ParquetCompression::Zstd(Some(level)))
        .with_key_value_metadata(Some(KeyValueMetadata::from_static(metadata)))
        .finish(&mut frame)
        .map_err(Error::parquet(TABLE))?;
    fs::rename(&partial, path).map_err(|e| Error::io(TABLE, path, e))
}

#[cfg(test)]
mod tests {
    use polars::prelude::{ParquetReader, SerReader};

    use super::*;
    use crate::test_folder::TestFolder;

    #[test]
    fn an_index_reads_back_and_has_the_same_octets_every_time() {
        let folder = TestFolder::new("index");
        let columns = || {
            vec![
                (
                    "arm".to_owned(),
                    Values::Text(vec!["a".to_owned(), "b".to_owned()]),
                ),
                ("replication".to_owned(), Values::UInt64(vec![0, u64::MAX])),
                (
                    "auth.failed".to_owned(),
                    Values::Float64(vec![None, Some(0.1)]),
                ),
                (
                    "meets_expectations".to_owned(),
                    Values::Boolean(vec![true, false]),
                ),
            ]
        };
        let paths = ["one.parquet", "two.parquet"].map(|name| folder.path().join(name));
        for path in &paths {
            write_index(path, "0.1.0", columns()).expect("written");
        }
        let [one, two] = paths.each_ref().map(|path| fs::read(path).expect("read"));
        assert_eq!(one, two);
        let file = File::open(&paths[0]).expect("a file");
        let frame = ParquetReader::new(file).finish().expect("Parquet");
        assert_eq!((frame.height(), frame.width()), (2, 4));
        let failed = frame.column("auth.failed").expect("a column");
        let failed: Vec<_> = failed.f64().expect("numbers").iter().collect();
        assert_eq!(failed, [None, Some(0.1)]);
    }

    #[test]
    fn columns_of_unequal_length_or_equal_names_are_refused() {
        let folder = TestFolder::new("index_bad");
        let path = folder.path().join("runs.parquet");
        let column = |name: &str, rows| (name.to_owned(), Values::UInt64(vec![0; rows]));
        for columns in [
            vec![column("a", 1), column("b", 2)],
            vec![column("a", 1); 2],
        ] {
            write_index(&path, "0.1.0", columns).expect_err("refused");
            assert!(!path.exists());
        }
    }
}
