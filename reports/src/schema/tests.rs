use std::collections::BTreeSet;

use super::*;

const UNITS: [Unit; 9] = [
    Unit::Bytes,
    Unit::Count,
    Unit::Hertz,
    Unit::Identifier,
    Unit::Nanoseconds,
    Unit::PartsPerBillion,
    Unit::Ratio,
    Unit::WattHours,
    Unit::Watts,
];

fn columns() -> impl Iterator<Item = (&'static str, &'static ColumnDef)> {
    TABLES
        .iter()
        .flat_map(|table| table.columns.iter().map(|column| (table.name, column)))
}

#[test]
fn names_are_unique_and_in_snake_case() {
    let is_snake = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let tables: BTreeSet<_> = TABLES.iter().map(|table| table.name).collect();
    assert_eq!(tables.len(), TABLES.len());
    assert!(tables.iter().all(|name| is_snake(name)));
    for table in TABLES {
        let names: BTreeSet<_> = table.columns.iter().map(|column| column.name).collect();
        assert_eq!(names.len(), table.columns.len(), "{}", table.name);
        assert!(names.iter().all(|name| is_snake(name)), "{names:?}");
    }
}

#[test]
fn every_table_and_column_says_what_it_means() {
    for table in TABLES {
        assert!(
            table.doc.trim().starts_with("One row per "),
            "{}",
            table.name
        );
    }
    for (table, column) in columns() {
        let doc = column.doc.trim();
        assert!(
            doc.len() > 10 && doc.ends_with(['.', '…']),
            "{table}.{}: {doc}",
            column.name
        );
        assert!(
            !doc.contains('|'),
            "{table}.{} would break the dictionary",
            column.name
        );
    }
}

#[test]
fn a_name_carries_the_token_of_its_unit_and_of_no_other() {
    for (table, column) in columns() {
        let words: Vec<_> = column.name.split('_').collect();
        for unit in UNITS {
            if let Some(token) = unit.token() {
                assert_eq!(
                    words.contains(&token),
                    unit == column.unit,
                    "{table}.{} is in {:?}",
                    column.name,
                    column.unit
                );
            }
        }
    }
}

#[test]
fn times_are_signed_and_identifiers_are_not_fractions() {
    for (table, column) in columns() {
        let name = column.name;
        match column.unit {
            Unit::Nanoseconds => assert_eq!(column.kind, Kind::Int64, "{table}.{name}"),
            Unit::Ratio => assert_eq!(column.kind, Kind::Float64, "{table}.{name}"),
            Unit::Identifier => assert_ne!(column.kind, Kind::Float64, "{table}.{name}"),
            _ => assert!(
                !matches!(column.kind, Kind::Label | Kind::Text),
                "{table}.{name}"
            ),
        }
    }
}

#[test]
fn a_missing_value_is_explained() {
    for (table, column) in columns() {
        assert_eq!(
            column.nullable,
            column.doc.contains("missing"),
            "{table}.{}: {}",
            column.name,
            column.doc
        );
    }
}
