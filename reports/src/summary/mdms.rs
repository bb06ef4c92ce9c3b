//! The metrics of the meter data management system.

use polars::prelude::PolarsResult;

use super::Builder;
use super::sections::{NANOSECONDS, count};
use super::table::Table;
use crate::schema::label;

/// Adds what has been stored, what is missing and what was made of it.
pub(super) fn mdms(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    out.number(
        "mdms.days",
        "Days of meters that the meter data management system judged.",
        Some(frame.height() as f64),
    );
    for (path, doc, column) in [
        (
            "mdms.expected",
            "Intervals that should be there.",
            "expected",
        ),
        (
            "mdms.received",
            "Intervals with an energy from the meter.",
            "received",
        ),
        (
            "mdms.on_time",
            "Of these, intervals stored by the deadline.",
            "on_time",
        ),
        ("mdms.late", "Intervals stored after it.", "late"),
        (
            "mdms.replaced",
            "Late intervals that replaced an estimate.",
            "replaced",
        ),
        (
            "mdms.unmeasured",
            "Intervals in which meters say that they measured nothing, as without power.",
            "unmeasured",
        ),
        ("mdms.missing", "Intervals that never came.", "missing"),
        ("mdms.gaps", "Gaps that these form, day by day.", "gaps"),
        (
            "mdms.estimated",
            "Missing intervals with an estimate.",
            "estimated",
        ),
        (
            "mdms.duplicates",
            "Intervals that came again.",
            "duplicates",
        ),
        (
            "mdms.dropped",
            "Intervals that loaders had no room for.",
            "dropped",
        ),
        (
            "mdms.misplaced",
            "Intervals that are none of the run.",
            "misplaced",
        ),
        (
            "mdms.power_fail",
            "Received intervals with a failure of power.",
            "power_fail",
        ),
        (
            "mdms.clock_set",
            "Received intervals in which a clock was set.",
            "clock_set",
        ),
        (
            "mdms.partial",
            "Received intervals shorter or longer than others.",
            "partial",
        ),
        (
            "mdms.energy_wh",
            "Energy of the received intervals.",
            "energy_wh",
        ),
        (
            "mdms.estimated_wh",
            "Energy of the estimates.",
            "estimated_wh",
        ),
    ] {
        out.number(path, doc, Some(frame.sum(column)?));
    }
    let gap_max = frame.numbers("gap_max")?.into_iter().reduce(f64::max);
    out.number("mdms.gap_max", "Intervals of the longest gap.", gap_max);
    let (expected, on_time) = (frame.sum("expected")?, frame.sum("on_time")?);
    let measured = expected - frame.sum("unmeasured")?;
    out.ratio(
        "mdms.completeness_ratio",
        "Stored by the deadline, of the intervals that should be there and that meters measured.",
        on_time,
        measured,
    );
    out.ratio(
        "mdms.received_ratio",
        "Received of the intervals that should be there and that meters measured.",
        frame.sum("received")?,
        measured,
    );
    let (passed, failed) = (
        count(&frame.is("validation", label::PASS)?),
        count(&frame.is("validation", label::FAIL)?),
    );
    out.number(
        "mdms.validated",
        "Days of which intervals were compared with registers.",
        Some(passed + failed),
    );
    out.number(
        "mdms.validation_failures",
        "Of these, days of which they do not agree.",
        Some(failed),
    );
    let some: Vec<bool> = frame
        .options("received")?
        .into_iter()
        .map(|received| received.is_some_and(|received| received > 0.0))
        .collect();
    let lags = frame.numbers_where("lag_max_ns", &some)?;
    out.distribution(
        "mdms.lag_s",
        "Longest time on a day of a meter from the head-end into the database.",
        lags.into_iter().map(|lag| lag / NANOSECONDS).collect(),
    );
    out.breakdown("mdms.validations", frame.label_counts("validation")?);
    Ok(())
}
