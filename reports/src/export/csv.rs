//! Comma-separated values (RFC 4180).

use std::io::{self, Write};

use polars::prelude::{AnyValue, DataFrame};

use super::{Field, Table};
use crate::schema::TableDef;
use crate::{Error, Results};

/// A table as CSV with a header line and CRLF line ends (RFC 4180 §2).
#[must_use]
pub fn csv(table: &Table) -> String {
    let mut text = String::new();
    let header = table.columns.iter().map(|name| quoted(name));
    line(&mut text, header);
    for row in &table.rows {
        line(&mut text, row.iter().map(field));
    }
    text
}

/// Writes a result table of a run as CSV, with the columns of the data dictionary.
///
/// Missing values are empty fields.
pub fn write_results_csv(
    results: &Results,
    table: &'static TableDef,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let frame = results.table(table)?;
    write_frame(&frame, out).map_err(|e| Error::io(table.name, results.folder(), e))
}

fn write_frame(frame: &DataFrame, out: &mut dyn Write) -> io::Result<()> {
    let mut text = String::new();
    let names = frame.get_column_names();
    line(&mut text, names.iter().map(|name| quoted(name)));
    let columns = frame.columns();
    for row in 0..frame.height() {
        let values = columns.iter().map(|column| match column.get(row) {
            Err(_) | Ok(AnyValue::Null) => String::new(),
            Ok(value) => match value.get_str() {
                Some(text) => quoted(text),
                None => value.to_string(),
            },
        });
        line(&mut text, values);
        if text.len() > 1 << 16 {
            out.write_all(text.as_bytes())?;
            text.clear();
        }
    }
    out.write_all(text.as_bytes())
}

fn line(text: &mut String, fields: impl Iterator<Item = String>) {
    for (index, field) in fields.enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&field);
    }
    text.push_str("\r\n");
}

fn field(field: &Field) -> String {
    match field {
        Field::Text(text) => quoted(text),
        other => other.to_string(),
    }
}

/// Quotes where the separators would be misread (RFC 4180 §2.5-2.7).
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Row;
    use crate::test_folder::TestFolder;
    use crate::{Provenance, ReadRow, TableWriter};

    #[test]
    fn separators_are_quoted_and_missing_values_empty() {
        let mut table = Table::new(["cause", "count, all"]);
        table.push(["say \"no\"".into(), 2.5.into()]);
        table.push(["plain".into(), None.into()]);
        assert_eq!(
            csv(&table),
            "cause,\"count, all\"\r\n\"say \"\"no\"\"\",2.5\r\nplain,\r\n"
        );
    }

    #[test]
    fn a_result_table_keeps_every_value() {
        let folder = TestFolder::new("export_csv");
        let provenance = Provenance::new("0.1.0", "abcd");
        let mut writer = TableWriter::create(folder.path(), &provenance).expect("create");
        for delivered_ns in [Some(i64::MAX), None] {
            writer
                .push(&ReadRow {
                    meter: 7,
                    due_ns: 900,
                    delivered_ns,
                    latency_ns: None,
                    interval_wh: 250,
                })
                .expect("push");
        }
        writer.finish().expect("finish");
        let mut out = Vec::new();
        let results = Results::open(folder.path());
        write_results_csv(&results, ReadRow::TABLE, &mut out).expect("written");
        let text = String::from_utf8(out).expect("text");
        let lines: Vec<_> = text.split_terminator("\r\n").collect();
        assert_eq!(
            lines,
            [
                "meter,due_ns,delivered_ns,latency_ns,interval_wh",
                "7,900,9223372036854775807,,250",
                "7,900,,,250",
            ]
        );
    }
}
