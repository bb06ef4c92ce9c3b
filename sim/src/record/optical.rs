//! Sessions at optical ports: the table `optical`.

use firmware::c1219::access::Groups;
use models::field::Errand;
use models::fleet::Fleet;
use models::telemetry::OpticalRecord;
use reports::schema::tables::OpticalRow;

use super::rows::time;

pub(super) fn row(fleet: &Fleet, record: &OpticalRecord) -> OpticalRow {
    let service = fleet.visits.service(record.service);
    let attacker = match service.errand {
        Errand::Work { .. } => None,
        Errand::Guess { attacker, .. } => Some(fleet.attackers[attacker as usize].name.clone()),
    };
    OpticalRow {
        meter: record.meter,
        start_ns: time(record.start),
        end_ns: time(record.end),
        user_id: service.user_id.into(),
        user: String::from_utf8_lossy(&service.user).trim_end().to_owned(),
        errand: service.errand.name(),
        attacker,
        outcome: record.outcome,
        baud: record.bits_per_s,
        access: access(record),
        requests: record.requests,
        refused: record.refused,
        tables_read: record.tables_read,
        bytes_read: record.octets_read,
        tables_written: record.tables_written,
        tables_verified: record.tables_verified,
        procedures: record.procedures,
        passwords: record.passwords,
        wrong_passwords: record.wrong_passwords,
        locked_out: record.locked_out,
        packets: record.packets,
        bytes_to_meter: record.octets_to_meter,
        bytes_from_meter: record.octets_from_meter,
        naks: record.naks,
        retransmissions: record.repetitions,
        damaged: record.damaged,
        discarded: record.discarded,
    }
}

/// The greatest rights of a session.
fn access(record: &OpticalRecord) -> &'static str {
    let has = |groups: Groups| Groups(record.groups).meet(groups.0);
    match record.logged_on {
        _ if has(Groups::MASTER) => "master",
        _ if has(Groups::INSTALLER) => "installer",
        _ if has(Groups::READER) => "reader",
        true => "guest",
        false => "none",
    }
}
