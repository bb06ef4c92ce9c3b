//! The metrics of registers and demand.

use std::collections::BTreeMap;

use polars::prelude::PolarsResult;

use super::Builder;
use super::table::{Rule, Table};
use crate::schema::label;

const KILO: f64 = 1e3;

const DAY: Rule<'_> = Rule::Is("reason", label::DAY);
const RUN_ENDED: Rule<'_> = Rule::Is("reason", label::RUN_ENDED);

/// Adds what meters with full metering have registered, and whether all of it is accounted for.
pub(super) fn registers(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    out.number(
        "metering.meters",
        "Meters with full metering.",
        Some(frame.count(&[RUN_ENDED])?),
    );
    out.number(
        "metering.days",
        "Local days of meters that ended.",
        Some(frame.count(&[DAY])?),
    );
    for (path, doc, column) in [
        (
            "metering.delivered_kwh",
            "Energy delivered to premises.",
            "delivered_wh",
        ),
        (
            "metering.received_kwh",
            "Energy received from premises.",
            "received_wh",
        ),
    ] {
        let sum = frame.sum_of(column, &[RUN_ENDED])?;
        out.number(path, doc, Some(sum / KILO));
    }
    let mut off = 0.0;
    let columns = [
        "delivered_wh",
        "rate_0_wh",
        "rate_1_wh",
        "rate_2_wh",
        "rate_3_wh",
        "rate_4_wh",
        "rate_5_wh",
    ];
    frame.rows(columns, &[], |[whole, rates @ ..]| {
        let rates: f64 = rates.into_iter().flatten().sum();
        off += (whole.unwrap_or(0.0) - rates).abs();
    })?;
    out.number(
        "metering.rates_off_wh",
        "By how much the registers of all rates miss the total; always 0.",
        Some(off),
    );
    let mut missed = 0.0;
    frame.rows(["delivered_wh", "profile_wh"], &[DAY], |row| {
        if let [Some(whole), Some(part)] = row {
            missed += (whole - part).abs();
        }
    })?;
    out.number(
        "metering.profile_off_wh",
        "By how much load profiles miss the registers at midnight; always 0.",
        Some(missed),
    );
    out.spread(
        "metering.daily_kwh",
        "Energy delivered to a premise from one midnight of its meter to the next.",
        |each: &mut dyn FnMut(f64)| daily(frame, each),
    )
}

/// Energy of a meter from one midnight to the next.
fn daily(frame: &Table, each: &mut dyn FnMut(f64)) -> PolarsResult<()> {
    let mut last: BTreeMap<u64, f64> = BTreeMap::new();
    frame.rows(["meter", "delivered_wh"], &[DAY], |row| {
        if let [Some(meter), Some(whole)] = row
            && let Some(before) = last.insert(meter as u64, whole)
        {
            each((whole - before) / KILO);
        }
    })
}

/// Adds the maxima of demand.
pub(super) fn demand(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let chosen = [RUN_ENDED, Rule::Is("direction", label::DELIVERED)];
    let maxima = |each: &mut dyn FnMut(f64)| {
        // The demand of a rate is beside that of all rates, which has none.
        frame.rows(["rate", "max_w"], &chosen, |row| {
            if let [None, Some(watts)] = row {
                each(watts / KILO);
            }
        })
    };
    out.spread(
        "metering.demand_kw",
        "Maximum demand of a meter since its last reset, at the end of the run.",
        maxima,
    )
}
