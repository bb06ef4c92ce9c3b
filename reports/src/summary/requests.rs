//! The metrics of requests of the head-end to meters.

use polars::prelude::PolarsResult;

use super::Builder;
use super::sections::NANOSECONDS;
use super::table::{Rule, Table};
use crate::schema::label;

/// Targets of RFC 8036 §4.2: the class, its time in seconds, and the metric.
const TARGETS: [(&str, f64, &str, &str); 5] = [
    (
        "c1",
        5.0,
        "requests.c1_within_5s_ratio",
        "Requests of class C1 done within 5 s of when they were due (RFC 8036 wants 98 %).",
    ),
    (
        "c2",
        10.0,
        "requests.c2_within_10s_ratio",
        "Requests of class C2 done within 10 s of when they were due (RFC 8036 wants 98 %).",
    ),
    (
        "c3",
        30.0,
        "requests.c3_within_30s_ratio",
        "Requests of class C3 done within 30 s of when they were due (RFC 8036 wants 98 %).",
    ),
    (
        "c4",
        7_200.0,
        "requests.c4_within_2h_ratio",
        "Requests of class C4 done within 2 h of when they were due (RFC 8036 wants 98 %).",
    ),
    (
        "c5",
        604_800.0,
        "requests.c5_within_7d_ratio",
        "Requests of class C5 done within 7 days of when they were due (RFC 8036 wants 98 %).",
    ),
];
/// Registers of midnight are wanted by 07:00.
const MORNING_S: f64 = 7.0 * 3_600.0;
const SUCCEEDED: Rule<'_> = Rule::Is("outcome", label::SUCCESS);

/// Adds what became of requests.
pub(super) fn requests(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let all = frame.height() as f64;
    let outcome = |outcome| frame.count(&[Rule::Is("outcome", outcome)]);
    let done = outcome(label::SUCCESS)?;
    for (path, doc, value) in [
        ("requests.count", "Requests to meters that were due.", all),
        ("requests.succeeded", "Of these, done.", done),
        (
            "requests.rejected",
            "Requests that the meter refused.",
            outcome(label::REJECTED)?,
        ),
        (
            "requests.timed_out",
            "Requests without a response, or without a session to send them in.",
            outcome(label::TIMEOUT)?,
        ),
        (
            "requests.pending",
            "Requests that had not ended at the end of the run.",
            outcome(label::CLOSED)?,
        ),
        (
            "requests.parts",
            "Parts of tables that were too large for one response.",
            frame.sum("parts")?,
        ),
        (
            "requests.refused",
            "Services that meters refused.",
            frame.sum("refused")?,
        ),
        (
            "requests.intervals",
            "Intervals read from load profiles, repeated ones included.",
            frame.sum("intervals")?,
        ),
        (
            "requests.transmissions",
            "Messages sent for requests.",
            frame.sum("transmissions")?,
        ),
        (
            "requests.repetitions",
            "Of these, messages that repeat an earlier one.",
            frame.sum("repetitions")?,
        ),
        (
            "requests.bytes_down",
            "C12.22 messages to meters for requests.",
            frame.sum("bytes_down")?,
        ),
        (
            "requests.bytes_up",
            "C12.22 responses of meters to requests.",
            frame.sum("bytes_up")?,
        ),
    ] {
        out.number(path, doc, Some(value));
    }
    out.ratio(
        "requests.success_ratio",
        "Done of all requests that were due.",
        done,
        all,
    );
    out.spread(
        "requests.latency_s",
        "From the time at which a request was due to its end, of those that were done.",
        frame.seconds("latency_ns", &[]),
    )?;
    for (class, target_s, path, doc) in TARGETS {
        let of_class = Rule::Is("class", class);
        within(frame, of_class, target_s, (path, doc), out)?;
    }
    on_demand(frame, out)?;
    registers(frame, out)?;
    updates(frame, out)?;
    out.breakdown("requests.causes", frame.label_counts("cause")?);
    Ok(())
}

fn on_demand(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let reads = Rule::Is("request", label::ON_DEMAND_READ);
    let done = [reads, SUCCEEDED];
    let (all, done_count) = (frame.count(&[reads])?, frame.count(&done)?);
    out.number("requests.on_demand.count", "On-demand reads.", Some(all));
    out.ratio(
        "requests.on_demand.success_ratio",
        "On-demand reads that were answered, of all.",
        done_count,
        all,
    );
    for (target_s, path, doc) in [
        (
            15.0,
            "requests.on_demand.within_15s_ratio",
            "On-demand reads answered within 15 s, of all.",
        ),
        (
            30.0,
            "requests.on_demand.within_30s_ratio",
            "On-demand reads answered within 30 s, of all.",
        ),
    ] {
        within(frame, reads, target_s, (path, doc), out)?;
    }
    out.spread(
        "requests.on_demand.latency_s",
        "From the order of an on-demand read to its answer.",
        frame.seconds("latency_ns", &done),
    )
}

/// Scheduled reads of registers: how many are there in the morning.
fn registers(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let reads = Rule::Is("request", label::READ_REGISTERS);
    let (path, doc) = (
        "requests.registers.within_7h_ratio",
        "Scheduled reads of registers done within 7 h of when they were due, of all: with those of \
         midnight, the daily read rate.",
    );
    within(frame, reads, MORNING_S, (path, doc), out)
}

/// Firmware updates: whether the new version runs, and what that took.
fn updates(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let updates = Rule::Is("request", label::FIRMWARE_UPDATE);
    let sum = |column| frame.sum_of(column, &[updates]);
    let all = frame.count(&[updates])?;
    for (path, doc, value) in [
        (
            "requests.firmware.count",
            "Meters that a firmware image is for.",
            all,
        ),
        (
            "requests.firmware.bytes_down",
            "C12.22 messages to meters with firmware images.",
            sum("bytes_down")?,
        ),
        (
            "requests.firmware.repetitions",
            "Messages for images that repeat an earlier one.",
            sum("repetitions")?,
        ),
    ] {
        out.number(path, doc, Some(value));
    }
    out.ratio(
        "requests.firmware.success_ratio",
        "Meters that have told to run the new version, of all that it is for.",
        frame.count(&[updates, SUCCEEDED])?,
        all,
    );
    Ok(())
}

/// Adds the share of the chosen requests that were done within `target_s`.
fn within(
    frame: &Table,
    chosen: Rule<'_>,
    target_s: f64,
    (path, doc): (&str, &'static str),
    out: &mut Builder,
) -> PolarsResult<()> {
    let (mut all, mut prompt) = (0.0, 0.0);
    frame.rows(["latency_ns"], &[chosen], |[latency]| {
        all += 1.0;
        prompt += f64::from(latency.is_some_and(|latency| latency <= target_s * NANOSECONDS));
    })?;
    out.ratio(path, doc, prompt, all);
    Ok(())
}
