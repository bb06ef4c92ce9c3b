//! The metrics of each table.

use std::collections::BTreeMap;

use polars::prelude::PolarsResult;

use super::Builder;
use super::table::{Rule, Table};
use crate::schema::{Row, TableDef, label};
use crate::{
    AttackRow, AuthRow, CommandRow, DemandRow, Error, FeederRow, FirmwareRow, GridRow, HanRow,
    HeadendRow, KeyRow, MdmsRow, MessageRow, MeterRow, OpticalRow, OutageRow, ReadRow, RegisterRow,
    RejectRow, RequestRow, ResponseRow, Results, TrafficRow,
};

pub(super) const NANOSECONDS: f64 = 1e9;

type Section = fn(&Table, &mut Builder) -> PolarsResult<()>;

const SECTIONS: &[(&TableDef, Section)] = &[
    (MeterRow::TABLE, meters),
    (KeyRow::TABLE, keys),
    (AuthRow::TABLE, auth),
    (MessageRow::TABLE, messages),
    (ReadRow::TABLE, reads),
    (TrafficRow::TABLE, traffic),
    (HeadendRow::TABLE, headend),
    (RejectRow::TABLE, rejects),
    (AttackRow::TABLE, super::attacks::attacks),
    (CommandRow::TABLE, super::switching::commands),
    (RequestRow::TABLE, super::requests::requests),
    (HanRow::TABLE, super::han::han),
    (OpticalRow::TABLE, super::optical::optical),
    (GridRow::TABLE, super::switching::grid),
    (RegisterRow::TABLE, super::metering::registers),
    (DemandRow::TABLE, super::metering::demand),
    (ResponseRow::TABLE, super::response::responses),
    (MdmsRow::TABLE, super::mdms::mdms),
    (OutageRow::TABLE, super::outages::outages),
    (FirmwareRow::TABLE, super::firmware::images),
    (FeederRow::TABLE, super::feeders::feeders),
];

/// Adds the numbers of every table.
pub(super) fn all(results: &Results, out: &mut Builder) -> Result<(), Error> {
    for &(definition, section) in SECTIONS {
        let table = Table::find(results, definition)?;
        out.present = table.is_present();
        section(&table, out).map_err(Error::parquet(definition.name))?;
    }
    Ok(())
}

fn meters(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let count = frame.height() as f64;
    let joined = frame.numbers("joined_ns")?.len() as f64;
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

fn auth(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    const SUCCEEDED: Rule<'_> = Rule::Is("outcome", label::SUCCESS);
    let of_kind = |kind| [SUCCEEDED, Rule::Is("kind", kind)];
    let (initial, repeated) = (of_kind(label::INITIAL), of_kind(label::REAUTHENTICATION));
    let (attempts, successes) = (frame.height() as f64, frame.count(&[SUCCEEDED])?);
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
        Some(frame.count(&initial)?),
    );
    out.number(
        "auth.reauthentications",
        "Re-authentications.",
        Some(frame.count(&repeated)?),
    );
    out.number(
        "auth.retransmissions",
        "PANA messages meters sent again.",
        Some(frame.sum("retransmissions")?),
    );
    out.spread(
        "auth.latency_s",
        "Duration of successful attempts.",
        frame.seconds("latency_ns", &[SUCCEEDED]),
    )?;
    for (path, doc, rules) in [
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
            let (up, down) = (format!("{quantity}_up"), format!("{quantity}_down"));
            let both = |each: &mut dyn FnMut(f64)| {
                frame.rows([&up, &down], rules, |[up, down]| {
                    if let (Some(up), Some(down)) = (up, down) {
                        each(up + down);
                    }
                })
            };
            out.spread(&format!("auth.{quantity}_per_{path}"), doc, both)?;
        }
    }
    out.breakdown("auth.outcomes", frame.label_counts("outcome")?);
    out.breakdown("auth.causes", frame.label_counts("cause")?);
    Ok(())
}

/// C12.22 keys as meters held them: the link keys of homes have metrics of their own.
pub(super) const AT_METER: [Rule<'_>; 2] = [
    Rule::Is("side", label::METER),
    Rule::Is("purpose", label::UNICAST),
];

fn keys(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let [side, purpose] = AT_METER;
    let superseded = [side, purpose, Rule::Known("superseded_at_ns")];
    let mut late = 0.0;
    frame.rows(["last_used_at_ns", "expires_at_ns"], &[], |row| {
        if let [Some(used), Some(expiry)] = row {
            late += f64::from(used > expiry);
        }
    })?;
    out.number(
        "keys.derived",
        "Keys derived by meters.",
        Some(frame.count(&AT_METER)?),
    );
    out.number(
        "keys.expired",
        "Keys of meters that expired.",
        Some(frame.count(&[side, purpose, Rule::Is("end_reason", label::EXPIRED)])?),
    );
    out.number(
        "keys.rotations",
        "Keys of meters that a newer key took over from.",
        Some(frame.count(&superseded)?),
    );
    out.number(
        "keys.used_after_expiry",
        "Keys of either side used after their expiry.",
        Some(late),
    );
    let meters = out.summary.get("meters.count");
    out.distribution(
        "keys.rotations_per_meter",
        "Rotations of each meter.",
        rotations_per_meter(frame, &superseded, meters)?,
    );
    out.spread(
        "keys.lifetime_s",
        "Time a key existed at the meter.",
        frame.seconds("lifetime_ns", &AT_METER),
    )?;
    let messages = |each: &mut dyn FnMut(f64)| {
        frame.rows(["messages_sent", "messages_received"], &AT_METER, |row| {
            if let [Some(sent), Some(received)] = row {
                each(sent + received);
            }
        })
    };
    out.spread(
        "keys.messages_per_key",
        "Messages a meter sent or accepted under a key.",
        messages,
    )?;
    out.breakdown("keys.end_reasons", frame.label_counts("end_reason")?);
    Ok(())
}

/// Rotations of each meter, zeros included; nothing if the number of meters is unknown.
fn rotations_per_meter(
    frame: &Table,
    superseded: &[Rule<'_>],
    meters: Option<f64>,
) -> PolarsResult<Vec<f64>> {
    let Some(meters) = meters else {
        return Ok(Vec::new());
    };
    let mut rotations: BTreeMap<u64, f64> = BTreeMap::new();
    frame.rows(["meter"], superseded, |[meter]| {
        if let Some(meter) = meter {
            *rotations.entry(meter as u64).or_default() += 1.0;
        }
    })?;
    let mut rotations: Vec<f64> = rotations.into_values().collect();
    rotations.resize(rotations.len().max(meters as usize), 0.0);
    Ok(rotations)
}

fn messages(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let accepted = frame.count(&[Rule::Is("outcome", label::SUCCESS)])?;
    let sent = frame.height() as f64;
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
        Some(frame.sum("apdu_bytes")?),
    );
    out.spread(
        "messages.latency_s",
        "From hand-over to acceptance, of accepted messages.",
        frame.seconds("latency_ns", &[]),
    )?;
    out.breakdown("messages.outcomes", frame.label_counts("outcome")?);
    Ok(())
}

fn reads(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let due = frame.height() as f64;
    let delivered = frame.count(&[Rule::Known("latency_ns")])?;
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
        Some(frame.sum("interval_wh")?),
    );
    out.spread(
        "reads.latency_s",
        "From due to accepted.",
        frame.seconds("latency_ns", &[]),
    )
}

fn traffic(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let attacker = frame.column("attacker")?;
    let forged: Vec<bool> = attacker.str()?.iter().map(|name| name.is_some()).collect();
    let homes = frame.is("medium", label::HAN)?;
    let own = forged.iter().zip(&homes);
    let own: Vec<bool> = own.map(|(forged, home)| !forged && !home).collect();
    let sum = |column: &str, rows: &[bool]| -> PolarsResult<f64> {
        Ok(frame.numbers_where(column, rows)?.iter().sum())
    };
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
        out.number(path, doc, Some(sum(column, &forged)?));
    }
    out.number(
        "traffic.han_bytes",
        "Octets of frames in homes, which the numbers of datagrams leave out.",
        Some(sum("bytes", &homes)?),
    );
    // All other numbers are those of the fleet's own datagrams.
    let bytes_of = |column: &str, label: &str| -> PolarsResult<f64> {
        sum("bytes", &and(&own, &frame.is(column, label)?))
    };
    let (pana, c1222) = (
        bytes_of("protocol", "pana")?,
        bytes_of("protocol", "c1222")?,
    );
    let lost = sum("drops_loss", &own)? + sum("drops_queue", &own)?;
    out.number(
        "traffic.datagrams",
        "Datagrams offered to the links.",
        Some(sum("frames", &own)?),
    );
    out.number(
        "traffic.datagrams_lost",
        "Datagrams lost or dropped.",
        Some(lost),
    );
    out.number(
        "traffic.retransmissions",
        "Datagrams that repeat an earlier message.",
        Some(sum("retransmissions", &own)?),
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

fn headend(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let largest = |column: &str| -> PolarsResult<Option<f64>> {
        Ok(frame.numbers(column)?.into_iter().reduce(f64::max))
    };
    let utilisation = frame.numbers("utilisation")?;
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
        out.number(path, doc, Some(frame.sum(column)?));
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
    let rates = frame
        .numbers("auth_completed")?
        .into_iter()
        .zip(frame.numbers("bin_ns")?)
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

fn rejects(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    out.number(
        "rejects.total",
        "Datagrams and messages discarded by any node.",
        Some(frame.sum("count")?),
    );
    let (causes, counts) = (frame.column("cause")?, frame.column("count")?);
    let causes = causes.str()?.iter().flatten();
    let mut totals: BTreeMap<String, u64> = BTreeMap::new();
    for (cause, count) in causes.zip(counts.u64()?.iter().flatten()) {
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

pub(super) fn and(left: &[bool], right: &[bool]) -> Vec<bool> {
    left.iter().zip(right).map(|(l, r)| *l && *r).collect()
}

pub(super) fn count(rows: &[bool]) -> f64 {
    rows.iter().filter(|row| **row).count() as f64
}

fn seconds(frame: &Table, column: &str) -> PolarsResult<Vec<f64>> {
    let nanoseconds = frame.numbers(column)?;
    Ok(nanoseconds.into_iter().map(|ns| ns / NANOSECONDS).collect())
}
