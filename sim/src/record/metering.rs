//! Registers of meters with full metering: the tables `registers` and `demand`.

use firmware::metrology::{Block, Quantity};
use models::fleet::Fleet;
use models::telemetry::{RegisterReason, RegisterRecord};
use reports::label;
use reports::schema::tables::{DemandRow, RegisterRow};

use super::rows::time;

/// The row of the table `registers`.
pub(super) fn registers(fleet: &Fleet, record: &RegisterRecord) -> RegisterRow {
    let registers = &record.registers;
    let total = &registers.total;
    let [
        rate_0_wh,
        rate_1_wh,
        rate_2_wh,
        rate_3_wh,
        rate_4_wh,
        rate_5_wh,
    ] = registers.tiers.map(|tier| tier.of(Quantity::Delivered));
    RegisterRow {
        meter: record.meter,
        reason: reason(record),
        time_ns: time(record.time),
        clock_ns: since_start(fleet, record.utc_s),
        delivered_wh: total.of(Quantity::Delivered),
        received_wh: total.of(Quantity::Received),
        sum_wh: total.sum_wh(),
        net_wh: total.net_wh(),
        lagging_varh: total.of(Quantity::Lagging),
        leading_varh: total.of(Quantity::Leading),
        rate_0_wh,
        rate_1_wh,
        rate_2_wh,
        rate_3_wh,
        rate_4_wh,
        rate_5_wh,
        profile_wh: record.profile_wh,
        demand_resets: registers.demand_resets.into(),
    }
}

/// The rows of the table `demand` that go with it.
pub(super) fn demand(fleet: &Fleet, record: &RegisterRecord) -> Vec<DemandRow> {
    let row = |rate: Option<u32>, block: &Block, direction: usize| {
        let demand = block.demands[direction];
        let had_any = demand.max_w > 0;
        DemandRow {
            meter: record.meter,
            reason: reason(record),
            time_ns: time(record.time),
            direction: [label::DELIVERED, label::RECEIVED][direction],
            rate,
            max_w: demand.max_w,
            max_at_ns: had_any.then(|| since_start(fleet, demand.at_utc_s)),
            cumulative_w: demand.cumulative_w,
        }
    };
    let mut rows = Vec::new();
    for direction in [0, 1] {
        rows.push(row(None, &record.registers.total, direction));
        for (rate, tier) in (0..).zip(&record.registers.tiers) {
            let row = row(Some(rate), tier, direction);
            if row.max_w > 0 || row.cumulative_w > 0 {
                rows.push(row);
            }
        }
    }
    rows
}

const fn reason(record: &RegisterRecord) -> &'static str {
    match record.reason {
        RegisterReason::Day => label::DAY,
        RegisterReason::DemandReset => label::DEMAND_RESET,
        RegisterReason::End => label::RUN_ENDED,
    }
}

/// Seconds since 1970 as nanoseconds since the start of the run, which may be before it.
fn since_start(fleet: &Fleet, utc_s: u32) -> i64 {
    let start = i64::try_from(fleet.start_utc_s).unwrap_or(i64::MAX);
    (i64::from(utc_s) - start).saturating_mul(1_000_000_000)
}
