//! The data dictionary, generated from the definitions in [`schema`](crate::schema).

use std::fmt::Write as _;

use crate::schema::{SCHEMA_VERSION, TABLES, TableDef};

/// The data dictionary of all tables, as Markdown.
#[must_use]
pub fn data_dictionary() -> String {
    let mut text = format!(
        "# Data dictionary\n\n\
         Schema version {SCHEMA_VERSION}. Every table is one Parquet file, `NAME.parquet`; while a \
         run lasts, or when it\nwas killed, the folder `NAME.parts` holds it in parts. Times are \
         nanoseconds of the virtual clock, zero at the\nstart of the run.\n"
    );
    for table in TABLES {
        describe(table, &mut text);
    }
    text
}

fn describe(table: &TableDef, text: &mut String) {
    let doc = words(table.doc);
    write!(
        text,
        "\n## {}\n\n{doc}\n\n\
         | column | type | unit | nullable | meaning |\n\
         |---|---|---|---|---|\n",
        table.name,
    )
    .expect("writing to a String cannot fail");
    for column in table.columns {
        writeln!(
            text,
            "| `{}` | {} | {} | {} | {} |",
            column.name,
            column.kind.name(),
            column.unit.symbol(),
            if column.nullable { "yes" } else { "no" },
            words(column.doc),
        )
        .expect("writing to a String cannot fail");
    }
}

/// Documentation on one line, single-spaced.
fn words(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dictionary_in_the_repository_is_up_to_date() {
        let kept = include_str!("../data-dictionary.md");
        assert!(
            kept == data_dictionary(),
            "write it anew: cargo run -p sim -- dictionary > reports/data-dictionary.md"
        );
    }

    #[test]
    fn every_column_has_one_complete_line() {
        let text = data_dictionary();
        for table in TABLES {
            let heading = format!("\n## {}\n", table.name);
            assert_eq!(text.matches(&heading).count(), 1);
            let section = text.split(&heading).nth(1).expect("heading is there");
            let section = section.split("\n## ").next().expect("never empty");
            let lines: Vec<_> = section
                .lines()
                .filter(|line| line.starts_with("| `"))
                .collect();
            assert_eq!(lines.len(), table.columns.len());
            for (line, column) in lines.iter().zip(table.columns) {
                assert!(line.starts_with(&format!("| `{}` | {}", column.name, column.kind.name())));
                assert_eq!(line.matches('|').count(), 6, "{line}");
            }
        }
    }

    #[test]
    fn a_known_line_reads_as_intended() {
        assert!(data_dictionary().contains(
            "\n| `latency_ns` | int64 | ns | yes | `delivered_ns` - `due_ns`; missing if never \
             delivered. |\n"
        ));
    }
}
