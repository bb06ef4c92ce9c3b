//! The metrics of each table.

use std::collections::BTreeMap;

use polars::prelude::{DataFrame, DataType, PolarsResult};

use super::Builder;
use crate::read::{empty, label_counts, numbers};
use crate::schema::{Row, TableDef, label};
use crate::{
    AttackRow, AuthRow, CommandRow, Error, GridRow, HeadendRow, KeyRow, MessageRow, MeterRow,
    ReadRow, RejectRow, Results, TrafficRow,
};

pub(super) const NANOSECONDS: f64 = 1e9;

type Section = fn(&DataFrame, &mut Builder) -> PolarsResult<()>;

/// A table, the columns its section uses, and the section.
type Source = (&'static TableDef, &'static [&'static str], Section);

const SOURCES: &[Source] = &[
    (
        MeterRow::TABLE,
        &[
            "joined_ns",
            "time_to_join_ns",
            "cpu_ns",
            "power_returned_ns",
            "rejoined_ns",
            "reading_again_ns",
        ],
        meters,
    ),
    (
        AuthRow::TABLE,
        &[
            "kind",
            "latency_ns",
            "outcome",
            "cause",
            "datagrams_up",
            "datagrams_down",
            "pana_bytes_up",
            "pana_bytes_down",
            "retransmissions",
        ],
        auth,
    ),
    (
        MessageRow::TABLE,
        &["latency_ns", "outcome", "apdu_bytes"],
        messages,
    ),
    (ReadRow::TABLE, &["latency_ns", "interval_wh"], reads),
    (
        TrafficRow::TABLE,
        &[
            "direction",
            "protocol",
            "attacker",
            "frames",
            "bytes",
            "retransmissions",
            "drops_loss",
            "drops_queue",
        ],
        traffic,
    ),
    (
        HeadendRow::TABLE,
        &[
            "bin_ns",
            "arrivals",
            "served",
            "dropped",
            "queue_max",
            "utilisation",
            "auth_completed",
            "sessions",
            "half_open",
        ],
        headend,
    ),
    (RejectRow::TABLE, &["cause", "count"], rejects),
    (
        AttackRow::TABLE,
        &[
            "action", "label", "time_ns", "end_ns", "count", "bytes", "outcome", "cause",
        ],
        super::attacks::attacks,
    ),
    (
        CommandRow::TABLE,
        &[
            "authorised",
            "action",
            "ordered_ns",
            "issued_ns",
            "accepted_ns",
            "applied_ns",
            "latency_ns",
            "transmissions",
            "effect",
            "outcome",
            "cause",
        ],
        super::switching::commands,
    ),
    (
        GridRow::TABLE,
        &[
            "bin_ns",
            "open_switches",
            "lost_w",
            "frequency_min_hz",
            "frequency_max_hz",
        ],
        super::switching::grid,
    ),
];

/// Adds the numbers of every table.
pub(super) fn all(results: &Results, out: &mut Builder) -> Result<(), Error> {
    for &(table, columns, section) in SOURCES {
        let frame = load(results, table, columns, out)?;
        section(&frame, out).map_err(Error::parquet(table.name))?;
        if table.name == MeterRow::TABLE.name {
            let meters = out.summary.get("meters.count");
            keys(results, meters, out)?;
        }
    }
    Ok(())
}

/// Loads columns; an absent table becomes an empty frame and its numbers missing.
fn load(
    results: &Results,
    table: &'static TableDef,
    columns: &[&str],
    out: &mut Builder,
) -> Result<DataFrame, Error> {
    let loaded = results.columns(table, columns);
    out.present = !matches!(loaded, Err(Error::Missing { .. }));
    if out.present {
        return loaded;
    }
    empty(table, columns).map_err(Error::parquet(table.name))
}

fn meters(frame: &DataFrame, out: &mut Builder) -> PolarsResult<()> {
    let count = frame.height() as f64;
    let joined = numbers(frame, "joined_ns")?.len() as f64;
    out.number("meters.count", "Meters.", Some(count));
    out.number(
        "meters.joined",
        "Meters that got a C12.22 key.",
        Some(joined),
    );
    out.ratio(
        "meters.joined_ratio",
        "Joined of all meters.",
        joined,
        count,
    );
    out.distribution(
        "meters.time_to_join_s",
        "From first power-on to first C12.22 key, of meters that joined.",
        seconds(frame, "time_to_join_ns")?,
    );
    out.distribution(
        "meters.cpu_s",
        "Busy time of a meter's processor over the run.",
        seconds(frame, "cpu_ns")?,
    );
    super::restoration::restoration(frame, out)
}

fn auth(frame: &DataFrame, out: &mut Builder) -> PolarsResult<()> {
    let succeeded = is(frame, "outcome", label::SUCCESS)?;
    let initial = and(&succeeded, &is(frame, "kind", label::INITIAL)?);
    let repeated = and(&succeeded, &is(frame, "kind", label::REAUTHENTICATION)?);
    let (attempts, successes) = (frame.height() as f64, count(&succeeded));
    out.number("auth.attempts", "Authentication attempts.", Some(attempts));
    out.number(
        "auth.succeeded",
        "Attempts that succeeded.",
        Some(successes),
    );
    out.number(
        "auth.failed",
        "Attempts that did not.",
        Some(attempts - successes),
    );
    out.ratio(
        "auth.success_ratio",
        "Succeeded of all attempts.",
        successes,
        attempts,
    );
    out.number(
        "auth.initial",
        "Initial authentications.",
        Some(count(&initial)),
    );
    out.number(
        "auth.reauthentications",
        "Re-authentications.",
        Some(count(&repeated)),
    );
    out.number(
        "auth.retransmissions",
        "PANA messages meters sent again.",
        Some(sum(frame, "retransmissions")?),
    );
    let nanoseconds = numbers_where(frame, "latency_ns", &succeeded)?;
    out.distribution(
        "auth.latency_s",
        "Duration of successful attempts.",
        nanoseconds.into_iter().map(|ns| ns / NANOSECONDS).collect(),
    );
    for (path, doc, kind) in [
        (
            "initial",
            "Per successful initial authentication.",
            &initial,
        ),
        (
            "reauthentication",
            "Per successful re-authentication.",
            &repeated,
        ),
    ] {
        for quantity in ["datagrams", "pana_bytes"] {
            let up = numbers_where(frame, &format!("{quantity}_up"), kind)?;
            let down = numbers_where(frame, &format!("{quantity}_down"), kind)?;
            let both = up.into_iter().zip(down).map(|(up, down)| up + down);
            out.distribution(&format!("auth.{quantity}_per_{path}"), doc, both.collect());
        }
    }
    out.breakdown("auth.outcomes", label_counts(frame, "outcome")?);
    out.breakdown("auth.causes", label_counts(frame, "cause")?);
    Ok(())
}

/// Keys as meters held them; `meters` is their number, if known.
fn keys(results: &Results, meters: Option<f64>, out: &mut Builder) -> Result<(), Error> {
    const COLUMNS: &[&str] = &[
        "meter",
        "side",
        "last_used_at_ns",
        "superseded_at_ns",
        "expires_at_ns",
        "end_reason",
        "lifetime_ns",
        "messages_sent",
        "messages_received",
    ];
    let frame = load(results, KeyRow::TABLE, COLUMNS, out)?;
    key_numbers(&frame, meters, out).map_err(Error::parquet(KeyRow::TABLE.name))
}

fn key_numbers(frame: &DataFrame, meters: Option<f64>, out: &mut Builder) -> PolarsResult<()> {
    let at_meter = is(frame, "side", label::METER)?;
    let expired = and(&at_meter, &is(frame, "end_reason", label::EXPIRED)?);
    let superseded: Vec<bool> = options(frame, "superseded_at_ns")?
        .into_iter()
        .zip(&at_meter)
        .map(|(time, meter)| time.is_some() && *meter)
        .collect();
    let late = options(frame, "last_used_at_ns")?
        .into_iter()
        .zip(numbers(frame, "expires_at_ns")?)
        .filter(|(used, expiry)| used.is_some_and(|used| used > *expiry));
    out.number(
        "keys.derived",
        "Keys derived by meters.",
        Some(count(&at_meter)),
    );
    out.number(
        "keys.expired",
        "Keys of meters that expired.",
        Some(count(&expired)),
    );
    out.number(
        "keys.rotations",
        "Keys of meters that a newer key took over from.",
        Some(count(&superseded)),
    );
    out.number(
        "keys.used_after_expiry",
        "Keys of either side used after their expiry.",
        Some(late.count() as f64),
    );
    let rotations = rotations_per_meter(numbers_where(frame, "meter", &superseded)?, meters);
    out.distribution(
        "keys.rotations_per_meter",
        "Rotations of each meter.",
        rotations,
    );
    let lifetimes = numbers_where(frame, "lifetime_ns", &at_meter)?;
    out.distribution(
        "keys.lifetime_s",
        "Time a key existed at the meter.",
        lifetimes.into_iter().map(|ns| ns / NANOSECONDS).collect(),
    );
    let sent = numbers_where(frame, "messages_sent", &at_meter)?;
    let received = numbers_where(frame, "messages_received", &at_meter)?;
    out.distribution(
        "keys.messages_per_key",
        "Messages a meter sent or accepted under a key.",
        sent.into_iter().zip(received).map(|(s, r)| s + r).collect(),
    );
    out.breakdown("keys.end_reasons", label_counts(frame, "end_reason")?);
    Ok(())
}

/// Rotations of each meter, zeros included; nothing if the number of meters is unknown.
fn rotations_per_meter(rotated: Vec<f64>, meters: Option<f64>) -> Vec<f64> {
    let Some(meters) = meters else {
        return Vec::new();
    };
    let mut rotations: BTreeMap<u64, f64> = BTreeMap::new();
    for meter in rotated {
        *rotations.entry(meter as u64).or_default() += 1.0;
    }
    let mut rotations: Vec<f64> = rotations.into_values().collect();
    rotations.resize(rotations.len().max(meters as usize), 0.0);
    rotations
}

fn messages(frame: &DataFrame, out: &mut Builder) -> PolarsResult<()> {
    let (sent, accepted) = (
        frame.height() as f64,
        count(&is(frame, "outcome", label::SUCCESS)?),
    );
    out.number(
        "messages.sent",
        "Application messages recorded.",
        Some(sent),
    );
    out.number("messages.accepted", "Messages accepted.", Some(accepted));
    out.ratio(
        "messages.accepted_ratio",
        "Accepted of all messages.",
        accepted,
        sent,
    );
    out.number(
        "messages.apdu_bytes",
        "Octets of the C12.22 APDUs.",
        Some(sum(frame, "apdu_bytes")?),
    );
    out.distribution(
        "messages.latency_s",
        "From hand-over to acceptance, of accepted messages.",
        seconds(frame, "latency_ns")?,
    );
    out.breakdown("messages.outcomes", label_counts(frame, "outcome")?);
    Ok(())
}

fn reads(frame: &DataFrame, out: &mut Builder) -> PolarsResult<()> {
    let latency = seconds(frame, "latency_ns")?;
    let (due, delivered) = (frame.height() as f64, latency.len() as f64);
    out.number("reads.due", "Interval reads that fell due.", Some(due));
    out.number(
        "reads.delivered",
        "Reads the head-end accepted.",
        Some(delivered),
    );
    out.ratio(
        "reads.completeness_ratio",
        "Delivered of all due reads.",
        delivered,
        due,
    );
    out.number(
        "reads.energy_wh",
        "Energy of all due intervals.",
        Some(sum(frame, "interval_wh")?),
    );
    out.distribution("reads.latency_s", "From due to accepted.", latency);
    Ok(())
}

fn traffic(frame: &DataFrame, out: &mut Builder) -> PolarsResult<()> {
    let forged = frame.filter(&frame.column("attacker")?.is_not_null())?;
    for (path, doc, column) in [
        (
            "attacks.traffic_frames",
            "Frames of datagrams that attackers made, and of the answers that they got.",
            "frames",
        ),
        (
            "attacks.traffic_bytes",
            "Octets of these frames on the links.",
            "bytes",
        ),
    ] {
        out.number(path, doc, Some(sum(&forged, column)?));
    }
    // All other numbers are those of the fleet's own datagrams.
    let frame = &frame.filter(&frame.column("attacker")?.is_null())?;
    let bytes_of = |column: &str, label: &str| -> PolarsResult<f64> {
        let of_label = is(frame, column, label)?;
        Ok(numbers_where(frame, "bytes", &of_label)?.iter().sum())
    };
    let (pana, c1222) = (
        bytes_of("protocol", "pana")?,
        bytes_of("protocol", "c1222")?,
    );
    let lost = sum(frame, "drops_loss")? + sum(frame, "drops_queue")?;
    out.number(
        "traffic.datagrams",
        "Datagrams offered to the links.",
        Some(sum(frame, "frames")?),
    );
    out.number(
        "traffic.datagrams_lost",
        "Datagrams lost or dropped.",
        Some(lost),
    );
    out.number(
        "traffic.retransmissions",
        "Datagrams that repeat an earlier message.",
        Some(sum(frame, "retransmissions")?),
    );
    out.number(
        "traffic.bytes_up",
        "Octets on the links towards the head-end.",
        Some(bytes_of("direction", label::UP)?),
    );
    out.number(
        "traffic.bytes_down",
        "Octets on the links towards meters.",
        Some(bytes_of("direction", label::DOWN)?),
    );
    out.number(
        "traffic.pana_bytes",
        "Octets on the links of PANA.",
        Some(pana),
    );
    out.number(
        "traffic.c1222_bytes",
        "Octets on the links of C12.22.",
        Some(c1222),
    );
    out.ratio(
        "traffic.pana_per_c1222",
        "Octets of authentication per octet of application.",
        pana,
        c1222,
    );
    Ok(())
}

fn headend(frame: &DataFrame, out: &mut Builder) -> PolarsResult<()> {
    let largest = |column: &str| -> PolarsResult<Option<f64>> {
        Ok(numbers(frame, column)?.into_iter().reduce(f64::max))
    };
    let utilisation = numbers(frame, "utilisation")?;
    let busy: f64 = utilisation.iter().sum();
    let bins = utilisation.len() as f64;
    for (path, doc, column) in [
        ("headend.arrivals", "Datagrams that arrived.", "arrivals"),
        ("headend.served", "Datagrams served.", "served"),
        (
            "headend.dropped",
            "Datagrams a full buffer dropped.",
            "dropped",
        ),
    ] {
        out.number(path, doc, Some(sum(frame, column)?));
    }
    out.number("headend.queue_max", "Longest queue.", largest("queue_max")?);
    out.number(
        "headend.utilisation_max",
        "Highest utilisation of an instance in a bin.",
        largest("utilisation")?,
    );
    out.ratio(
        "headend.utilisation_mean",
        "Utilisation averaged over instances and bins.",
        busy,
        bins,
    );
    let rates = numbers(frame, "auth_completed")?
        .into_iter()
        .zip(numbers(frame, "bin_ns")?)
        .map(|(completed, bin_ns)| completed * NANOSECONDS / bin_ns);
    out.number(
        "headend.auth_per_s_max",
        "Most authentications per second of an instance in a bin.",
        rates.reduce(f64::max),
    );
    out.number(
        "headend.sessions_max",
        "Most sessions of an instance at the end of a bin.",
        largest("sessions")?,
    );
    out.number(
        "headend.half_open_max",
        "Most half-open sessions of an instance at the end of a bin.",
        largest("half_open")?,
    );
    Ok(())
}

fn rejects(frame: &DataFrame, out: &mut Builder) -> PolarsResult<()> {
    out.number(
        "rejects.total",
        "Datagrams and messages discarded by any node.",
        Some(sum(frame, "count")?),
    );
    let causes = frame.column("cause")?.str()?.iter().flatten();
    let mut totals: BTreeMap<String, u64> = BTreeMap::new();
    for (cause, count) in causes.zip(frame.column("count")?.u64()?.iter().flatten()) {
        match totals.get_mut(cause) {
            Some(total) => *total += count,
            None => {
                totals.insert(cause.to_string(), count);
            }
        }
    }
    out.breakdown("rejects.causes", totals);
    Ok(())
}

/// Which rows carry a label.
pub(super) fn is(frame: &DataFrame, column: &str, label: &str) -> PolarsResult<Vec<bool>> {
    let labels = frame.column(column)?.str()?;
    Ok(labels.iter().map(|found| found == Some(label)).collect())
}

pub(super) fn and(left: &[bool], right: &[bool]) -> Vec<bool> {
    left.iter().zip(right).map(|(l, r)| *l && *r).collect()
}

pub(super) fn count(rows: &[bool]) -> f64 {
    rows.iter().filter(|row| **row).count() as f64
}

fn sum(frame: &DataFrame, column: &str) -> PolarsResult<f64> {
    Ok(numbers(frame, column)?.iter().sum())
}

fn seconds(frame: &DataFrame, column: &str) -> PolarsResult<Vec<f64>> {
    let nanoseconds = numbers(frame, column)?;
    Ok(nanoseconds.into_iter().map(|ns| ns / NANOSECONDS).collect())
}

/// Values of a column, row by row.
pub(super) fn options(frame: &DataFrame, column: &str) -> PolarsResult<Vec<Option<f64>>> {
    let column = frame.column(column)?.cast(&DataType::Float64)?;
    Ok(column.f64()?.iter().collect())
}

/// Values of the chosen rows that are not missing.
pub(super) fn numbers_where(
    frame: &DataFrame,
    column: &str,
    rows: &[bool],
) -> PolarsResult<Vec<f64>> {
    let values = options(frame, column)?.into_iter().zip(rows);
    Ok(values
        .filter_map(|(value, row)| value.filter(|_| *row))
        .collect())
}
