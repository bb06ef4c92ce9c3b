//! Outages and what the head-end heard of them: the table `outages`.
//!
//! What happened at the meter and what arrived at the head-end are observed apart, so both are kept
//! until the run ends: about 70 octets per outage.

use std::collections::BTreeMap;

use models::fleet::Fleet;
use models::telemetry::{NoticeRecord, OutageRecord};
use models::time::Time;
use reports::label;
use reports::schema::tables::OutageRow;

use super::rows::{duration, time};

/// Everything about outages since the start of the run.
#[derive(Debug, Default)]
pub(super) struct Outages {
    pub(super) outages: Vec<OutageRecord>,
    pub(super) notices: Vec<NoticeRecord>,
}

impl Outages {
    /// The rows of the table, in order of the time at which power was lost.
    pub(super) fn rows(mut self, fleet: &Fleet) -> Vec<OutageRow> {
        let Some(plan) = &fleet.hold_up else {
            return Vec::new();
        };
        self.outages
            .sort_by_key(|record| (record.lost, record.meter));
        self.notices
            .sort_by_key(|record| (record.time, record.meter));
        let mut heard: BTreeMap<u32, Vec<NoticeRecord>> = BTreeMap::new();
        for notice in self.notices {
            heard.entry(notice.meter).or_default().push(notice);
        }
        let mut rows: Vec<OutageRow> = self
            .outages
            .iter()
            .map(|record| {
                let momentary = record
                    .returned
                    .is_some_and(|at| at.saturating_since(record.lost) < plan.momentary);
                OutageRow {
                    meter: record.meter,
                    lost_ns: time(record.lost),
                    dark_ns: record.dark.map(time),
                    returned_ns: record.returned.map(time),
                    kind: if momentary {
                        label::MOMENTARY
                    } else {
                        label::SUSTAINED
                    },
                    last_gasps: 0,
                    last_gasp_ns: None,
                    last_gasp_latency_ns: None,
                    restoration_ns: None,
                    restoration_latency_ns: None,
                }
            })
            .collect();
        for (record, row) in self.outages.iter().zip(&mut rows) {
            // Oldest outages first: each takes the notices that are about it.
            let notices = heard.get_mut(&record.meter);
            for notice in notices.into_iter().flat_map(|notices| {
                let about = |notice: &mut NoticeRecord| is_about(fleet, record, notice);
                notices.extract_if(.., about).collect::<Vec<_>>()
            }) {
                take(record, &notice, row);
            }
        }
        rows
    }
}

/// Whether a notice names the time of an outage; a meter's clock shows whole seconds and drifts.
fn is_about(fleet: &Fleet, record: &OutageRecord, notice: &NoticeRecord) -> bool {
    const TOLERANCE_S: u64 = 30;
    let said = u64::from(notice.notice.down_utc_s);
    let was = fleet.start_utc_s + record.lost.as_secs();
    said.abs_diff(was) <= TOLERANCE_S && record.lost <= notice.time
}

fn take(record: &OutageRecord, notice: &NoticeRecord, row: &mut OutageRow) {
    let since = |from: Time| duration(notice.time.saturating_since(from));
    if notice.notice.up_utc_s.is_none() {
        row.last_gasps += 1;
        row.last_gasp_ns.get_or_insert(time(notice.time));
        row.last_gasp_latency_ns.get_or_insert(since(record.lost));
    } else if let Some(returned) = record.returned {
        row.restoration_ns.get_or_insert(time(notice.time));
        row.restoration_latency_ns.get_or_insert(since(returned));
    }
}
