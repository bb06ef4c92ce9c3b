//! That a run depends neither on threads nor on how the fleet is divided into domains.

use models::fleet::Partition;
use reports::{MeterRow, Row};
use sim::run::{Options, Report};

use crate::text::{files, run_with};

/// Runs a scenario on one thread, on two, and divided into `parts`: digests and the octets of all
/// tables have to agree. Returns the first run.
pub(crate) fn assert_independent(text: &str, sets: &[&str], parts: u32) -> Report {
    let run = |test, threads, partition| {
        let options = Options {
            threads,
            partition,
            ..Options::default()
        };
        run_with(test, text, sets, options)
    };
    let one = run("one_thread", 1, Partition::ByInstance);
    for (test, partition) in [
        ("two_threads", Partition::ByInstance),
        ("divided", Partition::Split(parts)),
    ] {
        let other = run(test, 2, partition);
        assert_eq!(one.digest, other.digest, "{test}");
        let others = files(&other);
        for (table, octets) in files(&one) {
            // The table of meters names the domain of each.
            let same = octets == others[table] || table == MeterRow::TABLE.name;
            assert!(same, "{table} of {test}");
        }
    }
    one
}
