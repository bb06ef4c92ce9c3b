//! The metrics of optical ports.

use std::collections::BTreeMap;

use polars::prelude::PolarsResult;

use super::Builder;
use super::sections::{NANOSECONDS, and, count};
use super::table::Table;

/// Adds what technicians did, and intruders tried.
pub(super) fn optical(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let attacker = frame.column("attacker")?;
    let own: Vec<bool> = attacker.str()?.iter().map(|name| name.is_none()).collect();
    let completed = and(&own, &frame.is("outcome", "completed")?);
    let sum = |column: &str| frame.sum(column);
    let locked = frame.column("locked_out")?;
    let locked = locked.bool()?.iter().filter(|row| *row == Some(true));
    let lockouts = locked.count() as f64;
    let written = frame.numbers_where("tables_written", &own)?;
    for (path, doc, value) in [
        (
            "optical.sessions",
            "Sessions of technicians at optical ports.",
            count(&own),
        ),
        (
            "optical.completed",
            "Of these, those in which everything was done.",
            count(&completed),
        ),
        (
            "optical.intruder_sessions",
            "Sessions of intruders.",
            (own.len() as f64) - count(&own),
        ),
        ("optical.tables_read", "Tables read.", sum("tables_read")?),
        (
            "optical.bytes_read",
            "Octets of tables read.",
            sum("bytes_read")?,
        ),
        (
            "optical.tables_written",
            "Tables that technicians have written.",
            written.iter().sum(),
        ),
        (
            "optical.tables_verified",
            "Tables that read back as they were written.",
            sum("tables_verified")?,
        ),
        (
            "optical.procedures",
            "Procedures that meters have carried out.",
            sum("procedures")?,
        ),
        ("optical.refused", "Requests refused.", sum("refused")?),
        (
            "optical.wrong_passwords",
            "Wrong passwords, as meters count them.",
            sum("wrong_passwords")?,
        ),
        (
            "optical.lockouts",
            "Times that a wrong password locked a port.",
            lockouts,
        ),
        (
            "optical.packets",
            "Packets in both directions.",
            sum("packets")?,
        ),
        (
            "optical.bytes",
            "Octets in both directions.",
            sum("bytes_to_meter")? + sum("bytes_from_meter")?,
        ),
        ("optical.naks", "Packets asked for again.", sum("naks")?),
        (
            "optical.retransmissions",
            "Packets sent again.",
            sum("retransmissions")?,
        ),
    ] {
        out.number(path, doc, Some(value));
    }
    out.ratio(
        "optical.completed_ratio",
        "Completed of the sessions of technicians.",
        count(&completed),
        count(&own),
    );
    let (starts, ends) = (frame.numbers("start_ns")?, frame.numbers("end_ns")?);
    let lengths = starts.iter().zip(&ends).zip(&completed);
    let lengths = lengths.filter(|(_, completed)| **completed);
    out.distribution(
        "optical.session_s",
        "Length of the completed sessions.",
        lengths
            .map(|((start, end), _)| (end - start) / NANOSECONDS)
            .collect(),
    );
    let outcomes = frame.column("outcome")?;
    let mut by_outcome: BTreeMap<String, u64> = BTreeMap::new();
    for outcome in outcomes.str()?.iter().flatten() {
        *by_outcome.entry(outcome.to_owned()).or_default() += 1;
    }
    out.breakdown("optical.outcomes", by_outcome);
    Ok(())
}
