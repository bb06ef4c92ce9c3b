//! The metrics of registers and demand.

use std::collections::BTreeMap;

use polars::prelude::PolarsResult;

use super::Builder;
use super::sections::{and, count};
use super::table::Table;
use crate::schema::label;

const KILO: f64 = 1e3;

/// Adds what meters with full metering have registered, and whether all of it is accounted for.
pub(super) fn registers(frame: &Table<'_>, out: &mut Builder) -> PolarsResult<()> {
    let (days, ends) = (
        frame.is("reason", label::DAY)?,
        frame.is("reason", label::RUN_ENDED)?,
    );
    out.number(
        "metering.meters",
        "Meters with full metering.",
        Some(count(&ends)),
    );
    out.number(
        "metering.days",
        "Local days of meters that ended.",
        Some(count(&days)),
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
        let sum: f64 = frame.numbers_where(column, &ends)?.iter().sum();
        out.number(path, doc, Some(sum / KILO));
    }
    let delivered = frame.numbers("delivered_wh")?;
    let mut rates = vec![0.0; delivered.len()];
    for column in [
        "rate_0_wh",
        "rate_1_wh",
        "rate_2_wh",
        "rate_3_wh",
        "rate_4_wh",
        "rate_5_wh",
    ] {
        for (sum, part) in rates.iter_mut().zip(frame.numbers(column)?) {
            *sum += part;
        }
    }
    let off = |parts: &[f64]| -> f64 {
        let differences = delivered.iter().zip(parts);
        differences.map(|(whole, part)| (whole - part).abs()).sum()
    };
    out.number(
        "metering.rates_off_wh",
        "By how much the registers of all rates miss the total; always 0.",
        Some(off(&rates)),
    );
    let profile = frame.options("profile_wh")?;
    let at_midnight = days.iter().zip(&delivered).zip(&profile);
    let missed = at_midnight
        .filter(|((day, _), _)| **day)
        .filter_map(|((_, whole), part)| Some((whole - (*part)?).abs()));
    out.number(
        "metering.profile_off_wh",
        "By how much load profiles miss the registers at midnight; always 0.",
        Some(missed.sum()),
    );
    daily(frame, &days, &delivered, out)
}

/// Energy of a meter from one midnight to the next.
fn daily(
    frame: &Table<'_>,
    days: &[bool],
    delivered: &[f64],
    out: &mut Builder,
) -> PolarsResult<()> {
    let mut last: BTreeMap<u64, f64> = BTreeMap::new();
    let mut energies = Vec::new();
    let meters = frame.numbers("meter")?;
    for ((meter, whole), _) in meters
        .iter()
        .zip(delivered)
        .zip(days)
        .filter(|(_, day)| **day)
    {
        let before = last.insert(*meter as u64, *whole);
        energies.extend(before.map(|before| (whole - before) / KILO));
    }
    out.distribution(
        "metering.daily_kwh",
        "Energy delivered to a premise from one midnight of its meter to the next.",
        energies,
    );
    Ok(())
}

/// Adds the maxima of demand.
pub(super) fn demand(frame: &Table<'_>, out: &mut Builder) -> PolarsResult<()> {
    let ends = frame.is("reason", label::RUN_ENDED)?;
    let delivered = and(&ends, &frame.is("direction", label::DELIVERED)?);
    let whole: Vec<bool> = frame.options("rate")?.iter().map(Option::is_none).collect();
    let maxima = frame.numbers_where("max_w", &and(&delivered, &whole))?;
    out.distribution(
        "metering.demand_kw",
        "Maximum demand of a meter since its last reset, at the end of the run.",
        maxima.into_iter().map(|watts| watts / KILO).collect(),
    );
    Ok(())
}
