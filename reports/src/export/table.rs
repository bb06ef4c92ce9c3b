//! A small table of numbers and words.

use std::fmt;

use crate::Summary;

/// A value of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// No value.
    Missing,
    /// A number; infinite and undefined ones count as missing.
    Number(f64),
    /// Words.
    Text(String),
}

impl From<f64> for Field {
    fn from(number: f64) -> Self {
        if number.is_finite() {
            Self::Number(number)
        } else {
            Self::Missing
        }
    }
}

impl From<Option<f64>> for Field {
    fn from(number: Option<f64>) -> Self {
        number.map_or(Self::Missing, Self::from)
    }
}

impl From<&str> for Field {
    fn from(text: &str) -> Self {
        Self::Text(text.to_string())
    }
}

impl From<String> for Field {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Prints a number in the shortest form that reads back as the same number.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => Ok(()),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Named columns of values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Column names, with the unit as a suffix such as `latency_s`.
    pub columns: Vec<String>,
    /// Rows, each as long as `columns`.
    pub rows: Vec<Vec<Field>>,
}

impl Table {
    /// A table without rows.
    #[must_use]
    pub fn new<T: Into<String>>(columns: impl IntoIterator<Item = T>) -> Self {
        Self {
            columns: columns.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }

    /// Appends a row.
    ///
    /// # Panics
    ///
    /// If the row is not as long as the table is wide.
    pub fn push(&mut self, row: impl IntoIterator<Item = Field>) {
        let row: Vec<_> = row.into_iter().collect();
        assert_eq!(row.len(), self.columns.len(), "one value per column");
        self.rows.push(row);
    }

    /// Every metric of a summary with its value and meaning.
    #[must_use]
    pub fn of_summary(summary: &Summary) -> Self {
        let mut table = Self::new(["metric", "value", "meaning"]);
        for (metric, value) in summary.numbers() {
            table.push([metric.path.as_str().into(), value.into(), metric.doc.into()]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undefined_numbers_are_missing() {
        assert_eq!(Field::from(f64::NAN), Field::Missing);
        assert_eq!(Field::from(f64::INFINITY), Field::Missing);
        assert_eq!(Field::from(0.25).to_string(), "0.25");
        assert_eq!(Field::from(None).to_string(), "");
    }

    #[test]
    fn a_summary_lists_every_metric() {
        let table = Table::of_summary(&Summary::of(&crate::Results::open("".as_ref())).expect("x"));
        assert_eq!(table.rows.len(), crate::summary::metrics().len());
        assert_eq!(table.rows[0][0], "meters.count".into());
    }
}
