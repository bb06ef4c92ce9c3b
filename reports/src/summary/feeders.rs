//! The metrics of the load of feeders.

use std::collections::BTreeMap;

use polars::prelude::PolarsResult;

use super::Builder;
use super::table::Table;

const KILO: f64 = 1e3;

/// Adds the sums of what premises draw, together and by feeder.
pub(super) fn feeders(frame: &Table, out: &mut Builder) -> PolarsResult<()> {
    let (mut drawn, mut fed) = (0.0, 0.0);
    let mut together: BTreeMap<u64, f64> = BTreeMap::new();
    let mut apart: BTreeMap<u64, f64> = BTreeMap::new();
    let columns = ["bin_start_ns", "feeder", "drawn_wh", "fed_wh", "load_w"];
    frame.rows(columns, &[], |row| {
        let [
            Some(start),
            Some(feeder),
            Some(drawn_wh),
            Some(fed_wh),
            Some(load),
        ] = row
        else {
            return;
        };
        drawn += drawn_wh;
        fed += fed_wh;
        *together.entry(start as u64).or_default() += load;
        let peak = apart.entry(feeder as u64).or_insert(load);
        *peak = peak.max(load);
    })?;
    let most = |loads: &BTreeMap<u64, f64>| loads.values().copied().reduce(f64::max);
    let peak = most(&together);
    for (path, doc, value) in [
        (
            "feeders.count",
            "Feeders with meters.",
            frame.is_present().then_some(apart.len() as f64),
        ),
        (
            "feeders.drawn_kwh",
            "Energy that premises drew, in kWh, of all that the meters stand for.",
            Some(drawn / KILO),
        ),
        (
            "feeders.fed_kwh",
            "Energy that premises fed in, in kWh.",
            Some(fed / KILO),
        ),
        (
            "feeders.peak_kw",
            "Highest mean load of an interval, of all feeders together.",
            peak.map(|watts| watts / KILO),
        ),
        (
            "feeders.highest_kw",
            "Highest mean load of an interval of one feeder.",
            most(&apart).map(|watts| watts / KILO),
        ),
    ] {
        out.number(path, doc, value);
    }
    // The last interval may be under way.
    let whole = together.len().saturating_sub(1);
    let mean = together.values().take(whole).sum::<f64>() / whole.max(1) as f64;
    out.ratio(
        "feeders.load_factor_ratio",
        "Mean load per highest load of an interval, of all feeders together.",
        if whole > 0 { mean } else { 0.0 },
        peak.unwrap_or(0.0),
    );
    Ok(())
}
