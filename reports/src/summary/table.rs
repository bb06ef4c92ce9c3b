//! A table of a results folder, read column by column.
//!
//! Some tables have a row per key or interval read of every meter. Whole, they would need more
//! memory than the simulation that wrote them.

use std::collections::BTreeMap;

use polars::prelude::{Column, DataFrame, DataType, PolarsError, PolarsResult};

use crate::read::{empty, numbers};
use crate::schema::TableDef;
use crate::{Error, Results};

/// A table whose columns are read when they are asked for.
pub(super) struct Table<'a> {
    results: &'a Results,
    definition: &'static TableDef,
    rows: usize,
    present: bool,
}

impl<'a> Table<'a> {
    /// Finds a table; one that is absent has no rows.
    pub(super) fn find(results: &'a Results, definition: &'static TableDef) -> Result<Self, Error> {
        let first: Vec<_> = definition.columns[..1].iter().map(|c| c.name).collect();
        let (rows, present) = match results.columns(definition, &first) {
            Ok(frame) => (frame.height(), true),
            Err(Error::Missing { .. }) => (0, false),
            Err(error) => return Err(error),
        };
        Ok(Self {
            results,
            definition,
            rows,
            present,
        })
    }

    /// Whether the folder holds the table.
    pub(super) const fn is_present(&self) -> bool {
        self.present
    }

    /// Number of rows.
    pub(super) const fn height(&self) -> usize {
        self.rows
    }

    /// Reads some columns.
    pub(super) fn select(&self, columns: &[&str]) -> PolarsResult<DataFrame> {
        if !self.present {
            return empty(self.definition, columns);
        }
        let read = self.results.columns(self.definition, columns);
        read.map_err(|error| match error {
            Error::Parquet { source, .. } => source,
            other => PolarsError::ComputeError(other.to_string().into()),
        })
    }

    /// Reads a column.
    pub(super) fn column(&self, name: &str) -> PolarsResult<Column> {
        let frame = self.select(&[name])?;
        frame.column(name).cloned()
    }

    /// Which rows carry a label.
    pub(super) fn is(&self, column: &str, label: &str) -> PolarsResult<Vec<bool>> {
        let column = self.column(column)?;
        let labels = column.str()?;
        Ok(labels.iter().map(|found| found == Some(label)).collect())
    }

    /// Number of rows per value of a label column; missing values are not counted.
    pub(super) fn label_counts(&self, column: &str) -> PolarsResult<BTreeMap<String, u64>> {
        let column = self.column(column)?;
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for label in column.str()?.iter().flatten() {
            *counts.entry(label).or_default() += 1;
        }
        let owned = counts.into_iter().map(|(label, n)| (label.to_string(), n));
        Ok(owned.collect())
    }

    /// Values of a numeric or boolean column, row by row.
    ///
    /// Integers beyond 2^53, about 104 days in nanoseconds, lose their last digits.
    pub(super) fn options(&self, column: &str) -> PolarsResult<Vec<Option<f64>>> {
        let column = self.column(column)?.cast(&DataType::Float64)?;
        Ok(column.f64()?.iter().collect())
    }

    /// Values that are not missing.
    pub(super) fn numbers(&self, column: &str) -> PolarsResult<Vec<f64>> {
        numbers(&self.select(&[column])?, column)
    }

    /// Values of the chosen rows that are not missing.
    pub(super) fn numbers_where(&self, column: &str, rows: &[bool]) -> PolarsResult<Vec<f64>> {
        let column = self.column(column)?.cast(&DataType::Float64)?;
        let values = column.f64()?.iter().zip(rows);
        Ok(values
            .filter_map(|(value, row)| value.filter(|_| *row))
            .collect())
    }

    /// Sum of a column.
    pub(super) fn sum(&self, column: &str) -> PolarsResult<f64> {
        Ok(self.numbers(column)?.iter().sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RejectRow;
    use crate::schema::Row;
    use crate::test_folder::TestFolder;
    use crate::write::{Provenance, TableWriter};

    #[test]
    fn labels_are_counted() {
        let folder = TestFolder::new("read_labels");
        let mut writer =
            TableWriter::create(folder.path(), &Provenance::new("0.1.0", "abcd")).expect("create");
        for cause in ["replay", "bad_auth", "replay"] {
            let row = RejectRow {
                node: "meter",
                node_id: 0,
                protocol: "pana",
                cause,
                bin_start_ns: 0,
                bin_ns: 1,
                count: 1,
            };
            writer.push(&row).expect("push");
        }
        writer.finish().expect("finish");
        let results = Results::open(folder.path());
        let table = Table::find(&results, RejectRow::TABLE).expect("table");
        let counts = table.label_counts("cause").expect("labels");
        let counts: Vec<_> = counts.iter().map(|(k, n)| (k.as_str(), *n)).collect();
        assert_eq!(counts, [("bad_auth", 1), ("replay", 2)]);
    }

    #[test]
    fn an_absent_table_has_no_rows() {
        let folder = TestFolder::new("read_absent");
        let results = Results::open(folder.path());
        let table = Table::find(&results, RejectRow::TABLE).expect("no error");
        assert!(!table.is_present());
        assert_eq!(table.height(), 0);
        assert!(table.numbers("count").expect("a column").is_empty());
    }
}
