//! The metrics of outages and of what the head-end heard of them.

use polars::prelude::PolarsResult;

use super::Builder;
use super::sections::{NANOSECONDS, count};
use super::table::Table;
use crate::schema::label;

/// Adds how outages were reported.
pub(super) fn outages(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let sustained = frame.is("kind", label::SUSTAINED)?;
    let reported = count(&sustained);
    let (all, heard) = (
        frame.height() as f64,
        frame.numbers("last_gasp_ns")?.len() as f64,
    );
    let returned = frame.numbers_where("returned_ns", &sustained)?.len() as f64;
    let restored = frame.numbers("restoration_ns")?.len() as f64;
    for (path, doc, value) in [
        (
            "outages.count",
            "Losses of power at meters that report them.",
            all,
        ),
        (
            "outages.momentary",
            "Of these, too short to be reported.",
            all - reported,
        ),
        (
            "outages.dark",
            "Of these, longer than the capacitor lasted.",
            frame.numbers("dark_ns")?.len() as f64,
        ),
        (
            "outages.last_gasps",
            "Last gasps that arrived at the head-end.",
            frame.sum("last_gasps")?,
        ),
        (
            "outages.heard",
            "Outages of which a last gasp arrived.",
            heard,
        ),
        (
            "outages.restorations",
            "Outages of whose end the head-end was told.",
            restored,
        ),
    ] {
        out.number(path, doc, Some(value));
    }
    out.ratio(
        "outages.last_gasp_ratio",
        "Outages of which a last gasp arrived, of all.",
        heard,
        all,
    );
    out.ratio(
        "outages.restoration_ratio",
        "Outages of whose end the head-end was told, of those that were long enough and over.",
        restored,
        returned,
    );
    let gasps = seconds(frame.numbers("last_gasp_latency_ns")?);
    let prompt = gasps.iter().filter(|latency| **latency <= 20.0).count();
    out.ratio(
        "outages.last_gasp_within_20s_ratio",
        "Last gasps that arrived within 20 s of the loss, of all outages of which one arrived.",
        prompt as f64,
        gasps.len() as f64,
    );
    out.distribution(
        "outages.last_gasp_latency_s",
        "From the loss of power to the arrival of the first last gasp.",
        gasps,
    );
    out.distribution(
        "outages.restoration_latency_s",
        "From the return of power to the arrival of the message that says so.",
        seconds(frame.numbers("restoration_latency_ns")?),
    );
    Ok(())
}

fn seconds(nanoseconds: Vec<f64>) -> Vec<f64> {
    nanoseconds
        .into_iter()
        .map(|latency| latency / NANOSECONDS)
        .collect()
}
