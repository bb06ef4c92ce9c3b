//! What the tables hold when a meter leaves the factory.

use crate::c1219::access::{Groups, Permissions, SecurityLimits};
use crate::c1219::clock::{TimeLimits, TimeOffset};
use crate::c1219::general::ManufacturerId;
use crate::c1219::identity::{Nameplate, UtilityInfo};
use crate::c1219::log::{Dimensions, EventCode, LogControl, LogLimits};
use crate::c1219::types::{TimeOfDay, put_element};

/// MAX_PROC_PARM_LENGTH.
pub(super) const PARAMETERS_MAX: u8 = 32;
/// MAX_RESP_DATA_LEN.
pub(super) const RESPONSE_MAX: u8 = 64;
/// NBR_PENDING: tables that can wait for their activation.
pub(super) const PENDING_MAX: usize = 2;
/// Entries of the history log.
pub(super) const HISTORY_ENTRIES: usize = 100;
/// Octets of the argument of a history entry.
pub(super) const HISTORY_ARGUMENT: usize = 2;
/// Entries of the event log.
pub(super) const EVENT_ENTRIES: usize = 200;
/// Octets of the argument of an event entry.
pub(super) const EVENT_ARGUMENT: usize = 8;
/// Entries of ST42.
pub(super) const PASSWORDS: usize = 4;
/// Octets of the identification in ST5.
pub(super) const IDENTIFICATION: usize = 20;

/// Octets of the SETs of ST0.
pub(super) const DIMENSIONS: Dimensions = Dimensions {
    standard_tables: 10,
    manufacturer_tables: 1,
    standard_procedures: 4,
    manufacturer_procedures: 1,
};

/// ST71.
pub(super) const LOG: LogLimits = LogLimits {
    flags: LogLimits::EVENT_NUMBER | LogLimits::DATE_TIME | LogLimits::SEQUENCE,
    standard_events: 10,
    manufacturer_events: 2,
    history_data_len: HISTORY_ARGUMENT as u8,
    event_data_len: EVENT_ARGUMENT as u8,
    history_entries: HISTORY_ENTRIES as u16,
    event_entries: EVENT_ENTRIES as u16,
    extension: Some((0, 0)),
};

/// ST51 of a meter that knows its time zone and has no tariff.
pub(super) const TIME: TimeLimits = TimeLimits {
    functions1: 0,
    functions2: TimeLimits::TIME_ZONE,
    seasons: 0,
    specials: 0,
    non_recurring: 0,
    recurring: 0,
    tier_switches: 0,
    calendar_len: 0,
};

/// ST53: the time zone of the place of reference, New Mexico.
pub(super) const TIME_OFFSET: TimeOffset = TimeOffset {
    dst_effective: match TimeOfDay::new(7_200) {
        Some(time) => time,
        None => panic!("two in the morning is a time of day"),
    },
    dst_amount_min: 60,
    time_zone_min: -420,
};

/// ST41.
pub(super) const SECURITY: SecurityLimits = SecurityLimits {
    passwords: PASSWORDS as u8,
    password_len: 20,
    keys: 4,
    key_len: 16,
    permissions: PERMISSIONS.len() as u16,
};

const READ_BY_ALL: u16 = 1 << 13;
const RUN_BY_ALL: u16 = 1 << 14;
const ANYBODY: u8 = 0xFF;
const READERS: u8 = Groups::READER.0 | INSTALLERS;
const INSTALLERS: u8 = Groups::INSTALLER.0 | Groups::MASTER.0;
const MASTER: u8 = Groups::MASTER.0;

const fn record(id: u16, read: u8, write: u8) -> Permissions {
    Permissions { id, read, write }
}

const fn procedure(number: u16, run: u8) -> Permissions {
    record(Permissions::of_procedure(number), 0, run)
}

/// ST43: everybody reads, installers write and run what ST44 says nothing about.
pub(super) const DEFAULTS: [Permissions; 2] = [
    record(READ_BY_ALL, ANYBODY, INSTALLERS),
    procedure(0, INSTALLERS),
];

/// ST44: the twelve records of the profile, and those of procedures that it leaves open.
pub(super) const PERMISSIONS: [Permissions; 21] = [
    record(READ_BY_ALL, ANYBODY, 0),
    record(1 | READ_BY_ALL, ANYBODY, 0),
    record(5 | READ_BY_ALL, ANYBODY, INSTALLERS),
    record(7, READERS, READERS),
    record(8 | READ_BY_ALL, ANYBODY, 0),
    record(42, 0, MASTER),
    record(45, 0, MASTER),
    record(54, READERS, INSTALLERS),
    record(64, READERS, 0),
    procedure(9, INSTALLERS),
    procedure(10, INSTALLERS),
    procedure(0x0800, MASTER),
    record(0x0800 | READ_BY_ALL, ANYBODY, 0),
    record(43 | READ_BY_ALL, ANYBODY, MASTER),
    record(44 | READ_BY_ALL, ANYBODY, MASTER),
    procedure(0, MASTER),
    procedure(1, MASTER),
    procedure(3, MASTER),
    procedure(5, READERS),
    record(Permissions::of_procedure(18) | RUN_BY_ALL, 0, ANYBODY),
    record(Permissions::of_procedure(19) | RUN_BY_ALL, 0, ANYBODY),
];

/// Events that the meter can log.
const EVENTS: [EventCode; 18] = [
    EventCode::POWER_DOWN,
    EventCode::POWER_UP,
    EventCode::TIME_OLD,
    EventCode::TIME_NEW,
    EventCode::PROCEDURE,
    EventCode::TABLE_WRITTEN,
    EventCode::POINTERS_RESET,
    EventCode::POINTERS_UPDATED,
    EventCode::DEMAND_RESET,
    EventCode::SELF_READ,
    EventCode::DST_ON,
    EventCode::DST_OFF,
    EventCode::SEASON_CHANGE,
    EventCode::TIER_SWITCH,
    EventCode::PENDING_ACTIVATED,
    EventCode::REPROGRAMMED,
    EventCode::TAMPER,
    EventCode::CONTROL_POINT,
];

/// STD_EVENTS_SUPPORTED of ST72.
pub(super) fn events() -> [u8; 10] {
    let mut set = [0; 10];
    for event in EVENTS {
        put_element(&mut set, event.0, true);
    }
    set
}

/// MFG_EVENTS_SUPPORTED of ST72: a wrong password, a lock-out.
pub(super) const MANUFACTURER_EVENTS: [u8; 2] = [0b11, 0];

/// Octets of ST73 and ST75.
pub(super) const CONTROL_LEN: usize = 28;

/// ST73 and ST75: everything that can be logged is, but for the tiers of every day.
pub(super) fn control() -> [u8; CONTROL_LEN] {
    let mut octets = [0xFF; CONTROL_LEN];
    octets[..10].copy_from_slice(&events());
    put_element(&mut octets[..10], EventCode::TIER_SWITCH.0, false);
    octets[10..12].copy_from_slice(&MANUFACTURER_EVENTS);
    octets
}

/// The sets of ST73 or ST75 in `octets`, which have been checked when they were written.
pub(super) fn parsed_control(octets: &[u8]) -> Option<LogControl<'_>> {
    LogControl::parse(octets, &LOG, &DIMENSIONS).ok()
}

/// ST1 of a meter that runs firmware of this version and revision.
pub(super) fn manufacturer(serial: &[u8], firmware: [u8; 2]) -> ManufacturerId {
    ManufacturerId {
        manufacturer: *b"TOSH",
        model: *b"SH2E1   ",
        hardware: [1, 0],
        firmware,
        serial_number: padded(serial),
    }
}

/// ST2: form 2S, 240 V, 200 A, 60 Hz, one element.
pub(super) const NAMEPLATE: Nameplate = Nameplate {
    kh: *b"7.2   ",
    kt: *b"1.0   ",
    input_scalar: 1,
    configuration: *b"2S   ",
    elements: 0x084C,
    volts: 0x55,
    class_amperes: *b"200   ",
    test_amperes: *b"30    ",
};

/// ST6.
pub(super) fn utility_info(serial: &[u8]) -> UtilityInfo {
    UtilityInfo {
        owner: padded(b"UTILITY"),
        division: padded(b""),
        service_point: padded(b""),
        electrical_address: padded(b""),
        device: padded(serial),
        serial_number: padded(serial),
        customer: padded(b""),
        coordinates: [[0; 10]; 3],
        tariff: padded(b""),
        software: [padded(b"TOSH"), padded(b"")],
        programmer: padded(b""),
        miscellaneous: padded(b""),
    }
}

/// `text` with spaces behind it; what is longer is cut.
fn padded<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut octets = [b' '; N];
    for (target, octet) in octets.iter_mut().zip(text) {
        *target = *octet;
    }
    octets
}
