//! Layouts against octets that were made independently, and hostile octets.

mod formats;
mod hostile;

use std::vec::Vec;

use proptest::prelude::*;

use super::access::{Groups, Password, Permissions};
use super::general::{GenConfig, ManufacturerId, ModeStatus};
use super::procedure::{Initiate, Outcome, ProcedureId, ResultCode};
use super::switch::{
    self, Limit, SwitchAction, SwitchCommand, SwitchResponse, SwitchState, SwitchTable,
};
use super::types::{self, DateTime};
use crate::wire::{Error, Reader, Writer};

fn emitted(emit: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>) -> Vec<u8> {
    let mut buffer = [0xA5; 256];
    let mut writer = Writer::new(&mut buffer);
    emit(&mut writer).unwrap();
    writer.written().to_vec()
}

#[test]
fn a_disconnect_has_the_octets_of_the_vector() {
    // c1222_apdus.json, mp0-disconnect-enc: 00 08 | 83 | 00 01 0000 00 00 0000.
    let command = SwitchCommand::of(SwitchAction::Open, 0);
    let parameters = command.octets();
    let initiate = Initiate {
        procedure: switch::PROCEDURE,
        sequence: 0x83,
        parameters: &parameters,
    };
    let octets = emitted(|writer| initiate.emit(writer));
    assert_eq!(octets, b"\x00\x08\x83\x00\x01\x00\x00\x00\x00\x00\x00");
    assert_eq!(Initiate::parse(&octets), Ok(initiate));
    assert_eq!(SwitchCommand::parse(&parameters), Ok(command));
}

#[test]
fn a_limit_has_an_event_and_a_start_of_its_own() {
    let command = SwitchCommand {
        action: SwitchAction::Limit,
        window_s: 300,
        limit: Limit {
            event_id: 0x0102_0304,
            level_percent: 40,
            duration_min: 90,
            start: DateTime::from_utc(1_717_243_200),
        },
    };
    let octets = emitted(|writer| command.emit(writer));
    assert_eq!(
        octets,
        b"\x03\x00\x2C\x01\x28\x00\x5A\x00\x04\x03\x02\x01\x18\x06\x01\x0C\x00\x00"
    );
    assert_eq!(SwitchCommand::parse(&octets), Ok(command));
    // The eight octets of the other actions do as well: event 0, at once.
    let short = SwitchCommand {
        limit: Limit {
            event_id: 0,
            start: None,
            ..command.limit
        },
        ..command
    };
    assert_eq!(SwitchCommand::parse(&octets[..8]), Ok(short));
    assert!(SwitchCommand::parse(&octets[..12]).is_err());
    let mut switch = octets;
    switch[0] = 0;
    assert!(SwitchCommand::parse(&switch).is_err(), "not for the switch");
}

#[test]
fn the_immediate_flag_overrides_the_window() {
    let window = |octets: &[u8]| SwitchCommand::parse(octets).unwrap().window_s;
    assert_eq!(window(&[0, 0, 0x2C, 0x01, 0, 0, 0, 0]), 300);
    assert_eq!(window(&[0, 1, 0x2C, 0x01, 0, 0, 0, 0]), 0);
    let command = SwitchCommand::of(SwitchAction::Close, 300);
    assert_eq!(command.octets(), [1, 0, 0x2C, 0x01, 0, 0, 0, 0]);
}

#[test]
fn a_response_echoes_what_it_answers() {
    let response = SwitchResponse {
        state: SwitchState::Open,
        effective: DateTime::from_utc(1_717_243_200),
    };
    let data = emitted(|writer| response.emit(writer));
    // 2024-06-01T12:00:00, as in ST52 of c1219_tables.json.
    assert_eq!(data, b"\x00\x18\x06\x01\x0C\x00\x00");
    let outcome = Outcome {
        procedure: switch::PROCEDURE,
        sequence: 7,
        result: ResultCode::Accepted,
        data: &data,
    };
    let octets = emitted(|writer| outcome.emit(writer));
    let parsed = Outcome::parse(&octets).unwrap();
    assert!(parsed.answers(switch::PROCEDURE, 7));
    assert!(!parsed.answers(ProcedureId::standard(0), 7));
    assert!(!parsed.answers(switch::PROCEDURE, 8));
    assert_eq!(SwitchResponse::parse(parsed.data), Ok(response));
}

#[test]
fn masks_of_st44_decide_what_a_group_may_do() {
    // The records of ST7 and of manufacturer procedure 0 in c1219_tables.json.
    let mut reader = Reader::new(b"\x07\x00\x0E\x0E\x08\x20\xFF\x00\x00\x18\x00\x08");
    let [initiate, response, disconnect] =
        [(); 3].map(|()| Permissions::parse(&mut reader).unwrap());
    assert!(!initiate.may_write(Groups::GUEST) && initiate.may_write(Groups::READER));
    assert!(response.may_read(Groups::NONE) && !response.may_write(Groups::MASTER));
    assert_eq!(disconnect.subject(), Permissions::of_procedure(0x0800));
    assert!(!disconnect.may_write(Groups::INSTALLER) && disconnect.may_write(Groups::MASTER));
}

#[test]
fn dates_out_of_range_are_refused_and_zeros_are_none() {
    let parse = |octets: &[u8]| DateTime::parse(&mut Reader::new(octets));
    assert_eq!(parse(&[0; 6]), Ok(None));
    assert_eq!(parse(&[24, 13, 1, 0, 0, 0]), Err(Error::Malformed("date")));
    assert_eq!(parse(&[24, 1, 1, 0, 0, 60]), Err(Error::Malformed("date")));
    assert!(matches!(parse(&[24, 1]), Err(Error::Truncated { .. })));
}

proptest! {
    #[test]
    fn what_parses_is_written_back(octets: Vec<u8>) {
        if let Ok(table) = GenConfig::parse(&octets) {
            prop_assert_eq!(emitted(|writer| table.emit(writer)), &octets[..]);
        }
        if let Ok(table) = ManufacturerId::parse(&octets) {
            prop_assert_eq!(emitted(|writer| table.emit(writer)), &octets[..]);
        }
        if let Ok(table) = ModeStatus::parse(&octets) {
            prop_assert_eq!(emitted(|writer| table.emit(writer)), &octets[..]);
        }
        if let Ok(table) = Initiate::parse(&octets) {
            prop_assert_eq!(emitted(|writer| table.emit(writer)), &octets[..]);
        }
        if let Ok(table) = Outcome::parse(&octets) {
            prop_assert_eq!(emitted(|writer| table.emit(writer)), &octets[..]);
        }
        let mut reader = Reader::new(&octets);
        if let Ok(entry) = Password::parse(&mut reader) {
            prop_assert_eq!(emitted(|writer| entry.emit(writer)), &octets[..Password::LEN]);
        }
    }

    #[test]
    fn tables_of_the_switch_never_panic(octets in prop::collection::vec(any::<u8>(), 0..32)) {
        if let Ok(table) = SwitchTable::parse(&octets) {
            prop_assert_eq!(emitted(|writer| table.emit(writer)), &octets[..]);
        }
        let _ = SwitchCommand::parse(&octets);
        if let Ok(response) = SwitchResponse::parse(&octets) {
            prop_assert_eq!(emitted(|writer| response.emit(writer)), &octets[..]);
        }
        prop_assert_eq!(types::contains(&octets, u16::MAX), false);
    }

    #[test]
    fn seconds_survive(utc in 946_684_800..4_102_444_800_u32) {
        let date = DateTime::from_utc(utc).unwrap();
        prop_assert_eq!(date.to_utc(), Some(utc));
        let octets = emitted(|writer| DateTime::emit(Some(date), writer));
        prop_assert_eq!(DateTime::parse(&mut Reader::new(&octets)), Ok(Some(date)));
    }
}
