//! One record of telemetry as one row of a table.

use firmware::Instant;
use firmware::c1222::epsem::Mode;
use firmware::headend::RequestOutcome;
use firmware::ukmf::group;
use firmware::ukmf::{EndReason, Purpose};
use models::attack::Attacker;
use models::clock::Clock;
use models::datagram::MessageType;
use models::domain::Way;
use models::fleet::Fleet;
use models::link::Direction;
use models::meter::MeterQueryItem;
use models::requests::wave_of;
use models::telemetry::{
    AttackRecord, AttackTraffic, AuthRecord, ImageRecord, InstanceLoad, KeyRecord, MessageRecord,
    NodeId, ReadRecord, RequestRecord, Side, TrafficCount,
};
use models::time::{Duration, Time};
use reports::label;
use reports::schema::Hex;
use reports::schema::tables::{
    AttackRow, AuthRow, FirmwareRow, HeadendRow, KeyRow, MessageRow, MeterRow, ReadRow, RejectRow,
    RequestRow, TrafficRow,
};

use super::totals::MeterTotals;
use crate::scenario::schema::Keys;

/// A time bin in the units of the tables.
pub(super) struct Span {
    pub(super) start_ns: i64,
    pub(super) width_ns: i64,
}

impl Span {
    pub(super) fn new(start: Time, width: Duration) -> Self {
        Self {
            start_ns: time(start),
            width_ns: duration(width),
        }
    }
}

pub(super) fn time(time: Time) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

pub(super) fn duration(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

pub(super) fn auth(record: &AuthRecord) -> AuthRow {
    let succeeded = record.outcome == label::SUCCESS;
    let outcome = match record.outcome {
        "rejected" => label::REJECTED,
        "authentication_timeout" | "peer_unreachable" => label::TIMEOUT,
        label::SUCCESS => label::SUCCESS,
        _ => label::CLOSED,
    };
    AuthRow {
        meter: record.meter,
        instance: record.instance,
        kind: if record.reauthentication {
            label::REAUTHENTICATION
        } else {
            label::INITIAL
        },
        trigger: record.trigger,
        start_ns: time(record.start),
        end_ns: time(record.end),
        latency_ns: duration(record.end.saturating_since(record.start)),
        outcome,
        cause: (!succeeded).then_some(record.outcome),
        key_id: succeeded.then_some(record.key_id),
        round_trips: record.round_trips,
        datagrams_up: record.datagrams_up,
        datagrams_down: record.datagrams_down,
        pana_bytes_up: record.octets_up,
        pana_bytes_down: record.octets_down,
        retransmissions: record.retransmissions,
        meter_aes_blocks: record.work.aes_blocks,
        meter_sha_blocks: record.work.sha1_blocks + record.work.sha256_blocks,
        meter_cpu_ns: duration(record.cpu),
    }
}

pub(crate) fn key(record: &KeyRecord, keys: &Keys, start_utc_s: u64) -> KeyRow {
    let clock = Clock::new(record.drift_ppb.into());
    let at = |instant: Instant| time(clock.when(instant));
    let epoch = &record.epoch;
    let first = [epoch.tx.first, epoch.rx.first].into_iter().flatten().min();
    let last = [epoch.tx.last, epoch.rx.last].into_iter().flatten().max();
    let grace = match record.side {
        Side::Meter => Duration::ZERO,
        Side::Server => keys.grace,
    };
    let lifetime_end = epoch.activated.unwrap_or(epoch.created) + keys.session_lifetime + grace;
    let overlap_end = epoch.superseded.map(|superseded| superseded + keys.overlap);
    let expiry = if epoch.purpose == Purpose::Group {
        let end_s = u64::from(group::expires_utc(epoch)).saturating_sub(start_utc_s);
        Instant::from_secs(end_s)
    } else {
        overlap_end.map_or(lifetime_end, |end| end.min(lifetime_end))
    };
    let end_ns = epoch.ended.map_or(time(record.time), at);
    KeyRow {
        meter: record.meter,
        side: match record.side {
            Side::Meter => label::METER,
            Side::Server => label::HEADEND,
        },
        kid32: epoch.kid32,
        c1222_key_id: epoch.key_id.into(),
        purpose: match epoch.purpose {
            Purpose::C1222Unicast => label::UNICAST,
            Purpose::OpticalPort => "optical",
            Purpose::HanLink => label::HAN,
            Purpose::Group => label::GROUP,
            _ => "private",
        },
        key_name: Hex(epoch.name),
        derived_at_ns: at(epoch.created),
        activated_at_ns: epoch.activated.map(at),
        first_used_at_ns: first.map(at),
        last_used_at_ns: last.map(at),
        superseded_at_ns: epoch.superseded.map(at),
        expires_at_ns: at(expiry),
        ended_at_ns: epoch.ended.map(at),
        end_reason: epoch.reason.map_or(label::RUN_ENDED, end_reason),
        lifetime_ns: end_ns - at(epoch.created),
        messages_sent: epoch.tx.messages.into(),
        messages_received: epoch.rx.messages.into(),
        bytes_protected: epoch.tx.octets + epoch.rx.octets,
    }
}

const fn end_reason(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Expired | EndReason::Superseded => label::EXPIRED,
        EndReason::SlotReused | EndReason::Displaced => label::REPLACED,
        EndReason::Reboot => label::REBOOT,
        EndReason::Terminated => label::TERMINATED,
        EndReason::ReauthenticationFailed
        | EndReason::AuthorizationRejected
        | EndReason::SessionExpired
        | EndReason::PeerUnreachable
        | EndReason::Revoked => label::SESSION_ENDED,
    }
}

pub(super) fn message(record: &MessageRecord) -> MessageRow {
    let (outcome, cause) = match record.outcome {
        "accepted" => (label::SUCCESS, None),
        cause @ ("lost" | "queue_full" | "unpowered" | "restarting" | "access_refused"
        | "inbox_full" | "buffer_full" | "instance_down") => (label::LOST, Some(cause)),
        cause => (label::REJECTED, Some(cause)),
    };
    let delivered = outcome == label::SUCCESS;
    MessageRow {
        meter: record.meter,
        direction: record.direction.name(),
        service: record.kind.name(),
        sent_ns: time(record.sent),
        delivered_ns: delivered.then_some(time(record.end)),
        latency_ns: delivered.then_some(duration(record.end.saturating_since(record.sent))),
        apdu_bytes: record.octets,
        security_mode: match record.mode {
            Some(Mode::Clear) => label::CLEARTEXT,
            Some(Mode::Authenticated) => label::AUTHENTICATED,
            Some(Mode::Encrypted) => label::ENCRYPTED,
            None => "unreadable",
        },
        key_id: record.key_id.map(u32::from),
        outcome,
        cause,
    }
}

pub(super) fn read(record: &ReadRecord) -> ReadRow {
    ReadRow {
        meter: record.meter,
        due_ns: time(record.due),
        delivered_ns: record.delivered.map(time),
        latency_ns: record
            .delivered
            .map(|at| duration(at.saturating_since(record.due))),
        interval_wh: record.watt_hours,
    }
}

pub(super) fn traffic(
    medium: &str,
    direction: Direction,
    kind: MessageType,
    bin: &Span,
    count: &TrafficCount,
    (airtime, channels): (Duration, u64),
) -> TrafficRow {
    let available = bin.width_ns as f64 * channels.max(1) as f64;
    TrafficRow {
        medium: medium.to_owned(),
        direction: direction.name(),
        protocol: kind.protocol(),
        message_type: kind.name(),
        attacker: None,
        bin_start_ns: bin.start_ns,
        bin_ns: bin.width_ns,
        frames: count.frames,
        bytes: count.octets,
        payload_bytes: count.payload_octets,
        retransmissions: count.retransmissions,
        drops_loss: count.lost,
        drops_queue: count.queue_full,
        airtime_ns: duration(airtime),
        utilisation: airtime.as_nanos() as f64 / available,
    }
}

/// How long the frames of `count` occupied their medium: lanes follow from their octets.
pub(super) fn airtime(
    fleet: &Fleet,
    link: usize,
    direction: Direction,
    count: &TrafficCount,
) -> Duration {
    if fleet.meshes.kinds.iter().any(|kind| kind.link == link) {
        return count.airtime;
    }
    let rate_bps = u128::from(fleet.links[link].lane(direction).rate_bps.max(1));
    let nanos = u128::from(count.octets) * 8_000_000_000 / rate_bps;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// What an attacker put on a link, or on the network that remote attackers come from.
pub(super) fn attack_traffic(
    fleet: &Fleet,
    traffic: &AttackTraffic,
    bin: &Span,
    count: &TrafficCount,
    channels: &[u64],
) -> TrafficRow {
    let (medium, use_of) = match traffic.link {
        Some(link) => {
            let airtime = airtime(fleet, link, traffic.direction, count);
            (fleet.links[link].name.as_str(), (airtime, channels[link]))
        }
        None => ("network", (Duration::ZERO, 1)),
    };
    let attacker = &fleet.attackers[traffic.attacker as usize];
    TrafficRow {
        attacker: Some(attacker.name.clone()),
        ..self::traffic(medium, traffic.direction, traffic.kind, bin, count, use_of)
    }
}

pub(super) fn headend(
    instance: u32,
    load: &InstanceLoad,
    (sessions, half_open): (usize, u32),
    rejects: u64,
    cores: usize,
    bin: &Span,
) -> HeadendRow {
    let width = bin.width_ns as f64;
    HeadendRow {
        instance,
        bin_start_ns: bin.start_ns,
        bin_ns: bin.width_ns,
        arrivals: load.arrivals,
        served: load.served,
        dropped: load.buffer_full + load.down,
        queue_max: load.queue_max,
        // Little's law: the mean number waiting is the waiting time spent per unit of time.
        queue_mean: load.waiting.as_nanos() as f64 / width,
        utilisation: load.busy.as_nanos() as f64 / (width * cores as f64),
        auth_completed: load.authentications,
        rejects,
        service_p50_ns: load.service.quantile(500).map(duration),
        service_p99_ns: load.service.quantile(990).map(duration),
        wait_p99_ns: load.wait.quantile(990).map(duration),
        sessions: u32::try_from(sessions).unwrap_or(u32::MAX),
        half_open,
    }
}

pub(super) fn reject(
    node: NodeId,
    protocol: &'static str,
    cause: &'static str,
    count: u64,
    bin: &Span,
) -> RejectRow {
    let (node, node_id) = match node {
        NodeId::Meter(meter) => (label::METER, meter),
        NodeId::Instance(instance) => (label::HEADEND, instance),
        NodeId::Concentrator(concentrator) => (label::CONCENTRATOR, concentrator),
        NodeId::HomeDevice(meter) => (label::HOME_DEVICE, meter),
    };
    RejectRow {
        node,
        node_id,
        protocol,
        cause,
        bin_start_ns: bin.start_ns,
        bin_ns: bin.width_ns,
        count,
    }
}

pub(super) fn attack(attacker: &Attacker, record: &AttackRecord) -> AttackRow {
    AttackRow {
        attacker: attacker.name.clone(),
        attack: attacker.attack.name(),
        action: record.action,
        label: record.label,
        instance: record.instance,
        meter: record.meter,
        time_ns: time(record.time),
        end_ns: record.end.map(time),
        count: record.count,
        bytes: record.octets,
        outcome: record.outcome,
        cause: record.cause,
    }
}

pub(super) fn meter(
    fleet: &Fleet,
    meter: &MeterQueryItem<'_, '_>,
    way: &Way,
    domain: u32,
    totals: &MeterTotals,
) -> MeterRow {
    let placement = meter.placement;
    let [network, number] = Fleet::title_arcs(placement.meter);
    let joined = totals.powered.zip(totals.joined);
    let place = fleet.sites.meters[placement.meter as usize];
    let hub = way
        .concentrator
        .map(|hub| fleet.sites.concentrators[hub as usize]);
    MeterRow {
        meter: placement.meter,
        cohort: fleet.cohorts[usize::from(placement.cohort)].name.clone(),
        domain,
        medium: fleet.links[usize::from(placement.link)].name.clone(),
        instance: placement.instance,
        id_p: fleet.identity(placement.meter),
        ap_title: format!(".{network}.{number}"),
        address: placement.address.to_string(),
        hop_count: way.hops,
        parent_meter: way.parent,
        concentrator: way.concentrator,
        concentrator_x_m: hub.map(|hub| hub.x_m),
        concentrator_y_m: hub.map(|hub| hub.y_m),
        x_m: place.x_m,
        y_m: place.y_m,
        powered_on_ns: totals.powered.map(time),
        joined_ns: totals.joined.map(time),
        time_to_join_ns: joined.map(|(powered, joined)| duration(joined.saturating_since(powered))),
        interruptions: totals.interruptions,
        power_returned_ns: totals.returned.map(time),
        rejoined_ns: totals.rejoined.map(time),
        reading_again_ns: totals.reading.map(time),
        authentications: totals.initial,
        reauthentications: totals.repeated,
        authentication_failures: totals.failed,
        keys_derived: totals.keys,
        reads_due: totals.due,
        reads_delivered: totals.delivered,
        datagrams_up: meter.processor.sent,
        datagrams_down: meter.processor.received,
        cpu_ns: duration(meter.processor.worked),
        clock_drift_ppb: meter.processor.clock.drift_ppb().into(),
        firmware: concat!("meterstorm ", env!("CARGO_PKG_VERSION")),
    }
}

pub(super) fn request(fleet: &Fleet, record: &RequestRecord) -> RequestRow {
    let report = &record.report;
    let plan = &fleet.requests[report.order.plan as usize];
    let at = |instant: Instant| time(Time(instant.as_nanos()));
    let outcome = match report.outcome {
        outcome if outcome.is_success() => label::SUCCESS,
        RequestOutcome::Unanswered | RequestOutcome::Unreachable | RequestOutcome::Late => {
            label::TIMEOUT
        }
        RequestOutcome::Pending => label::CLOSED,
        _ => label::REJECTED,
    };
    let succeeded = outcome == label::SUCCESS;
    let latency = report.ended.saturating_since(report.order.due);
    RequestRow {
        meter: record.meter,
        instance: record.instance,
        name: plan.name.clone(),
        request: plan.kind,
        class: report.class.name(),
        due_ns: at(report.order.due),
        issued_ns: report.issued.map(at),
        responded_ns: report.responded.map(at),
        ended_ns: at(report.ended),
        latency_ns: succeeded.then(|| duration(latency)),
        transmissions: report.transmissions,
        repetitions: report.repetitions,
        bytes_down: report.octets_down.into(),
        bytes_up: report.octets_up.into(),
        parts: report.parts,
        refused: report.refused,
        intervals: report.intervals,
        outcome,
        cause: (!succeeded).then(|| report.outcome.name()),
    }
}

pub(super) fn image(fleet: &Fleet, record: &ImageRecord) -> FirmwareRow {
    let [major, minor] = record.version.to_be_bytes();
    FirmwareRow {
        meter: record.meter,
        time_ns: time(record.time),
        version: format!("{major}.{minor}"),
        wave: wave_of(fleet, record.version, record.meter),
        step: record.step,
        bytes: record.octets.into(),
    }
}
