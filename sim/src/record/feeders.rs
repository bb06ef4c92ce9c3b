//! The load of feeders: the table `feeders`.

use models::distribution::{FeederEnergy, FeederLoads};
use models::fleet::Fleet;
use models::time::{Duration, Time};
use reports::schema::tables::FeederRow;

use super::rows::{duration, time};

/// All rows, of feeders that have meters, up to the end of the run. The loads are kept until then:
/// 16 octets per feeder and interval.
pub(super) fn rows(fleet: &Fleet, loads: &FeederLoads, end: Time) -> Vec<FeederRow> {
    let mut meters: Vec<u32> = Vec::new();
    for &feeder in &fleet.feeders {
        let feeder = usize::from(feeder);
        if meters.len() <= feeder {
            meters.resize(feeder + 1, 0);
        }
        meters[feeder] += 1;
    }
    let length = fleet.reports.interval;
    let mut rows = Vec::new();
    for (interval, energies) in loads.intervals() {
        let start = Time::ZERO + length.scaled(u64::from(interval), 1);
        if start >= end {
            // The clock of a meter is ahead.
            continue;
        }
        for (feeder, &meters) in meters.iter().enumerate().filter(|(_, meters)| **meters > 0) {
            let energy = energies.get(feeder).copied().unwrap_or_default();
            rows.push(row(fleet, start, feeder, meters, energy, length));
        }
    }
    rows
}

fn row(
    fleet: &Fleet,
    start: Time,
    feeder: usize,
    meters: u32,
    energy: FeederEnergy,
    length: Duration,
) -> FeederRow {
    let watt_hours = |milli: u64| milli as f64 / 1e3 * fleet.grid.premises_per_meter;
    let (drawn_wh, fed_wh) = (watt_hours(energy.drawn_mwh), watt_hours(energy.fed_mwh));
    let hours = length.as_nanos() as f64 / 3.6e12;
    FeederRow {
        bin_start_ns: time(start),
        bin_ns: duration(length),
        feeder: feeder as u32,
        meters,
        drawn_wh,
        fed_wh,
        load_w: (drawn_wh - fed_wh) / hours,
    }
}
