//! How a fleet came back after its power did.

use polars::prelude::PolarsResult;

use super::Builder;
use super::sections::NANOSECONDS;
use super::table::Table;

/// Adds the numbers of meters whose power was interrupted and returned.
///
/// Times count from the return of the meter's own power and from the first return of any: the
/// latter is what an operator waits for.
pub(super) fn restoration(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let returned = frame.options("power_returned_ns")?;
    let count = returned.iter().flatten().count() as f64;
    let first = returned.iter().flatten().copied().reduce(f64::min);
    out.number(
        "restoration.interrupted",
        "Meters whose power was interrupted and returned.",
        Some(count),
    );
    for (column, ratio, own, all, docs) in [
        (
            "rejoined_ns",
            "restoration.rejoined_ratio",
            "restoration.time_to_rejoin_s",
            "restoration.until_rejoined_s",
            [
                "Authenticated again after the latest return, of meters interrupted.",
                "From the return of a meter's power to its open session.",
                "From the first return of any meter's power to an open session.",
            ],
        ),
        (
            "reading_again_ns",
            "restoration.reading_ratio",
            "restoration.time_to_read_s",
            "restoration.until_reading_s",
            [
                "With a read delivered after the latest return, of meters interrupted.",
                "From the return of a meter's power to its first delivered read.",
                "From the first return of any meter's power to a delivered read.",
            ],
        ),
    ] {
        let reached = frame.options(column)?;
        let pairs: Vec<_> = returned
            .iter()
            .zip(&reached)
            .filter_map(|(returned, reached)| returned.zip(*reached))
            .collect();
        out.ratio(ratio, docs[0], pairs.len() as f64, count);
        let since_own = pairs.iter().map(|(from, to)| (to - from) / NANOSECONDS);
        out.distribution(own, docs[1], since_own.collect());
        let first = first.unwrap_or(0.0);
        let since_first = pairs.iter().map(|(_, to)| (to - first) / NANOSECONDS);
        out.distribution(all, docs[2], since_first.collect());
    }
    Ok(())
}
