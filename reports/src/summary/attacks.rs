//! The metrics of the table of attacks.

use std::collections::BTreeMap;

use polars::prelude::PolarsResult;

use super::Builder;
use super::sections::{NANOSECONDS, and, count};
use super::table::Table;
use crate::schema::label;

/// Adds what attackers did and achieved.
pub(super) fn attacks(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    datagrams(frame, out)?;
    authentications(frame, out)?;
    guesses(frame, out)?;
    reading(frame, out)?;
    outcomes(frame, out)
}

/// Datagrams that were sent or altered.
fn datagrams(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let labelled: Vec<bool> = frame
        .options("label")?
        .into_iter()
        .map(|label| label.is_some_and(|label| label > 0.0))
        .collect();
    let having = |outcome| -> PolarsResult<f64> {
        Ok(count(&and(&labelled, &frame.is("outcome", outcome)?)))
    };
    let accepted = having(label::ACCEPTED)?;
    let rejected = having(label::REJECTED)?;
    for (path, doc, value) in [
        (
            "attacks.datagrams",
            "Datagrams that attackers sent or altered.",
            count(&labelled),
        ),
        (
            "attacks.datagrams_accepted",
            "Of these, accepted by their receivers.",
            accepted,
        ),
        (
            "attacks.datagrams_repeated",
            "Of these, duplicates to which the last answer was sent again, without any effect.",
            having(label::REPEATED)?,
        ),
        (
            "attacks.datagrams_rejected",
            "Of these, discarded by protocol code.",
            rejected,
        ),
        (
            "attacks.datagrams_ignored",
            "Of these, never judged: dropped at a full queue or a dead node, or still under way.",
            having(label::IGNORED)?,
        ),
        (
            "attacks.datagrams_dropped",
            "Datagrams of victims that attackers dropped.",
            count(&frame.is("outcome", label::DROPPED)?),
        ),
    ] {
        out.number(path, doc, Some(value));
    }
    out.ratio(
        "attacks.accepted_ratio",
        "Accepted of the datagrams that were judged.",
        accepted,
        accepted + rejected,
    );
    let times = frame.numbers("time_ns")?;
    let full = frame.numbers_where("time_ns", &frame.is("cause", "half_open_limit")?)?;
    let span = |first: f64| {
        let refused = full.iter().copied().reduce(f64::min)?;
        Some((refused - first) / NANOSECONDS)
    };
    out.number(
        "attacks.time_to_exhaustion_s",
        "From the first action to the first datagram refused for too many half-open sessions.",
        times.iter().copied().reduce(f64::min).and_then(span),
    );
    Ok(())
}

/// Sessions opened, keys found, forgeries accepted.
fn authentications(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let accepted = frame.is("outcome", label::ACCEPTED)?;
    for (action, tried, succeeded, doc) in [
        (
            "authenticate",
            "attacks.authentications",
            "attacks.authentications_accepted",
            "Authentications of meters in the hands of attackers.",
        ),
        (
            "recover_psk",
            "attacks.dictionaries",
            "attacks.psks_recovered",
            "Dictionary attacks on a recorded authentication.",
        ),
        (
            "forge_short",
            "attacks.forgeries",
            "attacks.forgeries_accepted",
            "EAX′ forgeries with a short cleartext.",
        ),
    ] {
        let rows = frame.is("action", action)?;
        out.number(tried, doc, Some(count(&rows)));
        let both = count(&and(&rows, &accepted));
        out.number(succeeded, "Of these, successful.", Some(both));
        let ratio = format!("{succeeded}_ratio");
        out.ratio(&ratio, "Successful of all of these.", both, count(&rows));
    }
    Ok(())
}

/// Passwords that intruders tried at optical ports.
fn guesses(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let rows = frame.is("action", "guess_password")?;
    let found = and(&rows, &frame.is("outcome", label::ACCEPTED)?);
    let guesses = frame.numbers_where("count", &rows)?.iter().sum();
    out.number(
        "attacks.guesses",
        "Passwords tried at optical ports.",
        Some(guesses),
    );
    out.number(
        "attacks.passwords_guessed",
        "Of these, right ones.",
        Some(count(&found)),
    );
    Ok(())
}

/// What eavesdroppers recorded and could read.
fn reading(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let sum = |column: &str, rows: &[bool]| -> PolarsResult<f64> {
        Ok(frame.numbers_where(column, rows)?.iter().sum())
    };
    let recorded = frame.is("action", "record")?;
    let with_key = frame.is("action", "read_with_key")?;
    let with_psk = frame.is("action", "read_with_psk")?;
    let messages = sum("count", &recorded)?;
    let read = sum("count", &with_key)? + sum("count", &with_psk)?;
    out.number(
        "attacks.messages_recorded",
        "C12.22 messages that eavesdroppers recorded.",
        Some(messages),
    );
    out.number(
        "attacks.messages_read",
        "Of these, opened with leaked keys.",
        Some(read),
    );
    out.ratio(
        "attacks.read_ratio",
        "Opened of recorded messages.",
        read,
        messages,
    );
    out.number(
        "attacks.bytes_read",
        "Octets of plain text in the messages opened.",
        Some(sum("bytes", &with_key)? + sum("bytes", &with_psk)?),
    );
    let (leaks, ends) = (frame.options("time_ns")?, frame.options("end_ns")?);
    let exposures = leaks.iter().zip(&ends).zip(&with_key);
    out.distribution(
        "attacks.exposure_s",
        "From the leak of a C12.22 key until it is accepted no longer, of keys that were superseded.",
        exposures
            .filter(|(_, with_key)| **with_key)
            .filter_map(|((leak, end), _)| Some(((*end)? - (*leak)?) / NANOSECONDS))
            .collect(),
    );
    Ok(())
}

/// Rows by action and outcome, and by cause.
fn outcomes(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let text = |column: &str| -> PolarsResult<Vec<Option<String>>> {
        let column = frame.column(column)?;
        let values = column.str()?;
        Ok(values
            .iter()
            .map(|value| value.map(str::to_owned))
            .collect())
    };
    let mut by_outcome: BTreeMap<String, u64> = BTreeMap::new();
    for (action, outcome) in text("action")?.into_iter().zip(text("outcome")?) {
        let (action, outcome) = (action.unwrap_or_default(), outcome.unwrap_or_default());
        *by_outcome.entry(format!("{action}_{outcome}")).or_default() += 1;
    }
    out.breakdown("attacks.outcomes", by_outcome);
    let mut by_cause: BTreeMap<String, u64> = BTreeMap::new();
    for cause in text("cause")?.into_iter().flatten() {
        *by_cause.entry(cause).or_default() += 1;
    }
    out.breakdown("attacks.causes", by_cause);
    Ok(())
}
