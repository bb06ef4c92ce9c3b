//! The metrics of orders to switches and of the power system.

use polars::prelude::PolarsResult;

use super::Builder;
use super::sections::{NANOSECONDS, and, count};
use super::table::Table;
use crate::schema::label;

const MEGAWATT: f64 = 1e6;
/// Target of RFC 8036 §4.2 for connecting and disconnecting: 98 % within this time.
const PROMPT_S: f64 = 10.0;

/// Adds what became of orders to switches.
pub(super) fn commands(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let all = frame.height() as f64;
    let present = |column: &str| -> PolarsResult<f64> { Ok(frame.numbers(column)?.len() as f64) };
    let (issued, accepted) = (present("issued_ns")?, present("accepted_ns")?);
    let latencies: Vec<f64> = frame
        .numbers("latency_ns")?
        .into_iter()
        .map(|latency| latency / NANOSECONDS)
        .collect();
    let applied = latencies.len() as f64;
    let confirmed = count(&frame.is("outcome", label::SUCCESS)?);
    let prompt = latencies.iter().filter(|latency| **latency <= PROMPT_S);
    let prompt = prompt.count() as f64;
    let effect = |effect| -> PolarsResult<f64> { Ok(count(&frame.is("effect", effect)?)) };
    for (path, doc, value) in [
        ("commands.count", "Orders to switches.", all),
        ("commands.issued", "Of these, sent.", issued),
        (
            "commands.accepted",
            "Of these, verified and taken by the meter.",
            accepted,
        ),
        (
            "commands.applied",
            "Orders whose switch came to be in the position ordered.",
            applied,
        ),
        (
            "commands.moved",
            "Of these, orders that moved the switch.",
            effect(label::MOVED)?,
        ),
        (
            "commands.taken_back",
            "Orders that a later one took back before the switch moved.",
            effect(label::TAKEN_BACK)?,
        ),
        (
            "commands.confirmed",
            "Orders of which the meter has confirmed the completion.",
            confirmed,
        ),
        (
            "commands.rejected",
            "Orders that the meter refused.",
            count(&frame.is("outcome", label::REJECTED)?),
        ),
        (
            "commands.timed_out",
            "Orders without a response, or without a session to send them in.",
            count(&frame.is("outcome", label::TIMEOUT)?),
        ),
        (
            "commands.transmissions",
            "Requests sent for orders.",
            frame.numbers("transmissions")?.iter().sum(),
        ),
    ] {
        out.number(path, doc, Some(value));
    }
    for (path, doc, part) in [
        ("commands.applied_ratio", "Applied of all orders.", applied),
        (
            "commands.confirmed_ratio",
            "Confirmed of all orders.",
            confirmed,
        ),
        (
            "commands.applied_within_10s_ratio",
            "Applied within 10 s of the order, of all orders (RFC 8036 §4.2 wants 98 %).",
            prompt,
        ),
    ] {
        out.ratio(path, doc, part, all);
    }
    out.distribution(
        "commands.latency_s",
        "From the order to its effect.",
        latencies,
    );
    unauthorised(frame, out)?;
    outcomes(frame, out)
}

/// Attackers' orders to open: what they achieved, and whom an intervention saved.
fn unauthorised(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let authorised = frame.column("authorised")?;
    let theirs: Vec<bool> = authorised
        .bool()?
        .iter()
        .map(|authorised| authorised == Some(false))
        .collect();
    let theirs = and(&theirs, &frame.is("action", label::DISCONNECT)?);
    let orders = count(&theirs);
    let opened = and(&theirs, &frame.is("effect", label::MOVED)?);
    let opened_count = count(&opened);
    out.number(
        "commands.unauthorised",
        "Orders of attackers to open a switch.",
        Some(orders),
    );
    out.number(
        "commands.unauthorised_opened",
        "Of these, orders that opened it.",
        Some(opened_count),
    );
    out.number(
        "commands.saved",
        "Of these, orders that never opened it: withdrawn, taken back, refused or lost.",
        Some(orders - opened_count),
    );
    out.ratio(
        "commands.saved_ratio",
        "Orders of attackers that never opened a switch, of all of these.",
        orders - opened_count,
        orders,
    );
    let first = frame.numbers_where("ordered_ns", &theirs)?;
    let last = frame.numbers_where("applied_ns", &opened)?;
    let start = first.into_iter().reduce(f64::min);
    let end = last.into_iter().reduce(f64::max);
    out.number(
        "commands.unauthorised_span_s",
        "From the first order of an attacker to the last switch that it opened.",
        start
            .zip(end)
            .map(|(start, end)| (end - start) / NANOSECONDS),
    );
    Ok(())
}

fn outcomes(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    out.breakdown("commands.causes", frame.label_counts("cause")?);
    Ok(())
}

/// What homes held back, and drew in addition afterwards.
fn response(frame: &Table, widths: &[f64], out: &mut Builder) -> PolarsResult<()> {
    for (name, doc, energy, column) in [
        (
            "held",
            "Most load held back at the same time.",
            "Energy held back, in MWh, of all premises that the meters stand for.",
            "held_w",
        ),
        (
            "rebound",
            "Most load in addition at the same time, after it was held back.",
            "Energy drawn in addition, in MWh, of all premises that the meters stand for.",
            "rebound_w",
        ),
    ] {
        let watts = frame.numbers(column)?;
        let most = watts.iter().copied().reduce(f64::max);
        let most = most.map(|watts| watts / MEGAWATT);
        out.number(&format!("load.{name}_mw.max"), doc, most);
        let energy_wns: f64 = watts.iter().zip(widths).map(|(w, ns)| w * ns).sum();
        let hours = NANOSECONDS * 3_600.0;
        let mwh = most.map(|_| energy_wns / hours / MEGAWATT);
        out.number(&format!("load.{name}_mwh"), energy, mwh);
    }
    Ok(())
}

/// Adds what the power system felt.
pub(super) fn grid(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let lost: Vec<f64> = frame
        .numbers("lost_w")?
        .into_iter()
        .map(|watts| watts / MEGAWATT)
        .collect();
    let most = |values: &[f64]| values.iter().copied().reduce(f64::max);
    out.number(
        "load.lost_mw.max",
        "Most load cut off at the same time.",
        most(&lost),
    );
    out.number(
        "load.lost_mw.end",
        "Load cut off at the end of the run.",
        lost.last().copied(),
    );
    let widths: Vec<f64> = frame.numbers("bin_ns")?;
    let held = frame.numbers("held_w")?.into_iter();
    let away: Vec<f64> = held
        .zip(frame.numbers("rebound_w")?)
        .zip(&lost)
        .map(|((held, rebound), lost)| lost + (held - rebound) / MEGAWATT)
        .collect();
    let before = core::iter::once(0.0).chain(away.iter().copied());
    let ramps: Vec<f64> = before
        .zip(&away)
        .zip(&widths)
        .map(|((before, now), width)| (now - before).abs() * NANOSECONDS / width)
        .collect();
    out.number(
        "load.ramp_mw_per_s.max",
        "Steepest change of load within a second.",
        most(&ramps),
    );
    let open = frame.numbers("open_switches")?;
    response(frame, &widths, out)?;
    out.number(
        "load.open_switches.max",
        "Most switches open at the same time.",
        most(&open),
    );
    out.number(
        "load.open_switches.end",
        "Switches open at the end of the run.",
        open.last().copied(),
    );
    let lowest = frame.options("frequency_min_hz")?.into_iter().flatten();
    out.number(
        "load.frequency_hz.min",
        "Lowest frequency of the power system.",
        lowest.reduce(f64::min),
    );
    let highest = frame.options("frequency_max_hz")?.into_iter().flatten();
    out.number(
        "load.frequency_hz.max",
        "Highest frequency of the power system.",
        highest.reduce(f64::max),
    );
    Ok(())
}
