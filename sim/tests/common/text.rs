//! Runs of scenarios that tests write down themselves.

use std::collections::BTreeMap;
use std::fs;

use reports::TABLES;
use reports::schema::TableDef;
use sim::run::{Options, Report};
use sim::scenario::load_text;

use crate::common::{overrides, run_fresh};

/// Runs a scenario that has to be sound, to its end.
pub(crate) fn run_with(test: &str, text: &str, sets: &[&str], options: Options) -> Report {
    let loaded = load_text("test.ron", text, &overrides(sets));
    let loaded = loaded.unwrap_or_else(|report| panic!("{report}"));
    run_fresh(test, &loaded, options).expect("the run ends in order")
}

/// The same with one thread and one domain per instance.
pub(crate) fn run_text(test: &str, text: &str, sets: &[&str]) -> Report {
    run_with(test, text, sets, Options::default())
}

/// The octets of every table.
pub(crate) fn files(report: &Report) -> BTreeMap<&'static str, Vec<u8>> {
    let read = |table: &&'static TableDef| {
        let path = report.folder.join(format!("{}.parquet", table.name));
        (table.name, fs::read(path).expect("every table is there"))
    };
    TABLES.iter().map(read).collect()
}
