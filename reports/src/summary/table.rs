//! A table of a results folder, read batch by batch.
//!
//! Some tables have a row per key or interval read of every meter. Whole, they would need more
//! memory than the simulation that wrote them.

use std::collections::BTreeMap;

use polars::prelude::{
    ChunkCompareEq, Column, DataFrame, DataType, PolarsResult, StaticArray, polars_bail,
};

use super::sections::NANOSECONDS;
use crate::read::{Batches, empty};
use crate::schema::TableDef;
use crate::{Error, Results};

/// What a row has to be like to be meant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule<'a> {
    /// The column carries the label.
    Is(&'a str, &'a str),
    /// The column has a value.
    Known(&'a str),
}

impl<'a> Rule<'a> {
    const fn column(self) -> &'a str {
        match self {
            Self::Is(column, _) | Self::Known(column) => column,
        }
    }
}

/// A table whose columns are read when they are asked for.
pub(super) struct Table {
    definition: &'static TableDef,
    batches: Option<Batches>,
    rows: usize,
}

impl Table {
    /// Finds a table; one that is absent has no rows.
    pub(super) fn find(results: &Results, definition: &'static TableDef) -> Result<Self, Error> {
        let batches = match results.batches(definition) {
            Ok(batches) => Some(batches),
            Err(Error::Missing { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            definition,
            rows: batches.as_ref().map_or(0, Batches::rows),
            batches,
        })
    }

    /// Whether the folder holds the table.
    pub(super) const fn is_present(&self) -> bool {
        self.batches.is_some()
    }

    /// Number of rows.
    pub(super) const fn height(&self) -> usize {
        self.rows
    }

    /// Calls `visit` with some columns, one batch of rows after the other.
    fn batches(
        &self,
        columns: &[&str],
        visit: impl FnMut(&DataFrame) -> PolarsResult<()>,
    ) -> PolarsResult<()> {
        if let Some(batches) = &self.batches {
            return batches.visit(columns, visit);
        }
        // Nothing to visit, but a column that no table has is an error without rows as well. A data
        // frame without rows would do, but for 8 MB of zeros that polars keeps for its columns.
        for column in columns {
            let defined = self.definition.columns.iter();
            if !defined
                .map(|defined| defined.name)
                .any(|name| name == *column)
            {
                polars_bail!(ColumnNotFound: "{}.{column}", self.definition.name);
            }
        }
        Ok(())
    }

    /// Calls `visit` with the values of numeric or boolean columns in each row that all rules hold
    /// for.
    ///
    /// Integers beyond 2^53, about 104 days in nanoseconds, lose their last digits.
    pub(super) fn rows<const N: usize>(
        &self,
        columns: [&str; N],
        rules: &[Rule<'_>],
        mut visit: impl FnMut([Option<f64>; N]),
    ) -> PolarsResult<()> {
        let mut needed: Vec<&str> = columns.to_vec();
        needed.extend(rules.iter().map(|rule| rule.column()));
        needed.sort_unstable();
        needed.dedup();
        self.batches(&needed, |frame| {
            let chosen = chosen(frame, rules)?;
            let mut values = Vec::with_capacity(N);
            for column in columns {
                values.push(frame.column(column)?.cast(&DataType::Float64)?);
            }
            let arrays = values.iter().map(|column| Ok(column.f64()?.rechunk()));
            let arrays = arrays.collect::<PolarsResult<Vec<_>>>()?;
            let arrays: Vec<_> = arrays
                .iter()
                .map(|array| array.downcast_as_array())
                .collect();
            for (row, _) in chosen.iter().enumerate().filter(|(_, chosen)| **chosen) {
                visit(std::array::from_fn(|at| arrays[at].get(row)));
            }
            Ok(())
        })
    }

    /// Goes through the values of a column of nanoseconds, in seconds.
    pub(super) fn seconds(
        &self,
        column: &str,
        rules: &[Rule<'_>],
    ) -> impl Fn(&mut dyn FnMut(f64)) -> PolarsResult<()> {
        move |each| {
            self.rows([column], rules, |[value]| {
                if let Some(nanoseconds) = value {
                    each(nanoseconds / NANOSECONDS);
                }
            })
        }
    }

    /// Number of rows that all rules hold for, of which there is at least one.
    pub(super) fn count(&self, rules: &[Rule<'_>]) -> PolarsResult<f64> {
        let mut count = 0_usize;
        self.rows([], rules, |[]| count += 1)?;
        Ok(count as f64)
    }

    /// Sum of a column over the rows that all rules hold for.
    pub(super) fn sum_of(&self, column: &str, rules: &[Rule<'_>]) -> PolarsResult<f64> {
        let mut sum = 0.0;
        self.rows([column], rules, |[value]| sum += value.unwrap_or(0.0))?;
        Ok(sum)
    }

    /// Number of rows per value of a label column; missing values are not counted.
    pub(super) fn label_counts(&self, column: &str) -> PolarsResult<BTreeMap<String, u64>> {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        self.batches(&[column], |frame| {
            for label in frame.column(column)?.str()?.iter().flatten() {
                match counts.get_mut(label) {
                    Some(count) => *count += 1,
                    None => {
                        counts.insert(label.to_string(), 1);
                    }
                }
            }
            Ok(())
        })?;
        Ok(counts)
    }

    /// Reads a column, whole: for tables of moderate length only, like all that follows.
    pub(super) fn column(&self, name: &str) -> PolarsResult<Column> {
        let mut whole: Option<Column> = None;
        self.batches(&[name], |frame| {
            let part = frame.column(name)?;
            match &mut whole {
                Some(whole) => {
                    whole.append(part)?;
                }
                None => whole = Some(part.clone()),
            }
            Ok(())
        })?;
        match whole {
            Some(whole) => Ok(whole),
            None => Ok(empty(self.definition, &[name])?.column(name)?.clone()),
        }
    }

    /// Which rows carry a label.
    pub(super) fn is(&self, column: &str, label: &str) -> PolarsResult<Vec<bool>> {
        let mut rows = Vec::with_capacity(self.rows);
        self.batches(&[column], |frame| {
            rows.append(&mut chosen(frame, &[Rule::Is(column, label)])?);
            Ok(())
        })?;
        Ok(rows)
    }

    /// Values of a numeric or boolean column, row by row.
    pub(super) fn options(&self, column: &str) -> PolarsResult<Vec<Option<f64>>> {
        let mut values = Vec::with_capacity(self.rows);
        self.rows([column], &[], |[value]| values.push(value))?;
        Ok(values)
    }

    /// Values that are not missing.
    pub(super) fn numbers(&self, column: &str) -> PolarsResult<Vec<f64>> {
        let mut values = Vec::with_capacity(self.rows);
        self.rows([column], &[], |[value]| values.extend(value))?;
        Ok(values)
    }

    /// Values of the chosen rows that are not missing.
    pub(super) fn numbers_where(&self, column: &str, rows: &[bool]) -> PolarsResult<Vec<f64>> {
        let mut chosen = rows.iter();
        let mut values = Vec::new();
        self.rows([column], &[], |[value]| {
            let chosen = chosen.next().is_some_and(|chosen| *chosen);
            values.extend(value.filter(|_| chosen));
        })?;
        Ok(values)
    }

    /// Sum of a column.
    pub(super) fn sum(&self, column: &str) -> PolarsResult<f64> {
        self.sum_of(column, &[])
    }
}

/// For which rows of a batch all rules hold.
fn chosen(frame: &DataFrame, rules: &[Rule<'_>]) -> PolarsResult<Vec<bool>> {
    let mut chosen = vec![true; frame.height()];
    for rule in rules {
        let column = frame.column(rule.column())?;
        match rule {
            Rule::Is(_, label) => {
                for (row, found) in chosen.iter_mut().zip(column.str()?.equal(*label).iter()) {
                    *row &= found == Some(true);
                }
            }
            Rule::Known(_) => {
                for (row, known) in chosen.iter_mut().zip(column.is_not_null().iter()) {
                    *row &= known == Some(true);
                }
            }
        }
    }
    Ok(chosen)
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
        assert!(table.numbers("counts").is_err());
    }
}
