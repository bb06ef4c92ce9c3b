//! What is counted in homes.

use firmware::han::Content;
use models::domain::Domain;
use models::event::Agenda;
use models::fleet::Fleet;
use models::han::{HomeDevice, PROTOCOL};
use models::link::Direction;
use models::telemetry::TrafficCount;
use models::time::Time;
use reports::label;
use reports::schema::tables::{HanRow, TrafficRow};

use super::rows::{Span, duration};

/// Homes with a network.
pub(super) fn homes(fleet: &Fleet) -> u64 {
    let cohorts = fleet.cohorts.iter().filter(|cohort| cohort.han.is_some());
    cohorts.map(|cohort| u64::from(cohort.count)).sum()
}

pub(super) fn traffic(
    direction: Direction,
    content: Content,
    bin: &Span,
    count: &TrafficCount,
    homes: u64,
) -> TrafficRow {
    let available = bin.width_ns as f64 * homes.max(1) as f64;
    let airtime_ns = duration(count.airtime);
    TrafficRow {
        medium: label::HAN.to_owned(),
        direction: direction.name(),
        protocol: PROTOCOL,
        message_type: content.name(),
        attacker: None,
        bin_start_ns: bin.start_ns,
        bin_ns: bin.width_ns,
        frames: count.frames,
        bytes: count.octets,
        payload_bytes: count.payload_octets,
        retransmissions: count.retransmissions,
        drops_loss: count.lost,
        drops_queue: count.queue_full,
        airtime_ns,
        utilisation: airtime_ns as f64 / available,
    }
}

/// A row for each device of each home of a domain; what has been counted begins anew.
pub(super) fn rows<A: Agenda>(fleet: &Fleet, world: &mut Domain<A>, bin: &Span) -> Vec<HanRow> {
    let end = Time((bin.start_ns + bin.width_ns) as u64);
    let mut rows = Vec::new();
    world.for_each_meter(|mut meter, _| {
        let number = meter.placement.meter;
        let plan = fleet.cohorts[usize::from(meter.placement.cohort)]
            .han
            .as_ref();
        let (Some(home), Some(plan)) = (meter.premise.home.as_deref_mut(), plan) else {
            return;
        };
        home.account(plan, end);
        let devices = (0..).zip(&mut home.devices);
        rows.extend(devices.map(|(slot, device)| row(number, slot, device, bin)));
    });
    rows
}

fn row(meter: u32, slot: u32, device: &mut HomeDevice, bin: &Span) -> HanRow {
    let window = std::mem::take(&mut device.window);
    let shown = device.shown();
    HanRow {
        meter,
        device: slot,
        kind: device.device.role().name(),
        bin_start_ns: bin.start_ns,
        bin_ns: bin.width_ns,
        frames_down: window.frames_down,
        frames_up: window.frames_up,
        retransmissions: window.retransmissions,
        frames_lost: window.lost,
        bytes: window.octets,
        airtime_ns: duration(window.airtime),
        updates_sent: window.updates_sent,
        updates_received: window.updates_received,
        powered_ns: duration(window.powered),
        stale_ns: duration(window.stale),
        associations: window.associations,
        keys: window.keys,
        key_id: device.device.key().map(|key| key.key_id.into()),
        events_answered: window.answers,
        events_accepted: window.accepted,
        rejects: window.rejects,
        shown_w: shown.map(|(power_w, _)| power_w.into()),
        shown_day_wh: shown.map(|(_, watt_hours)| watt_hours),
    }
}
