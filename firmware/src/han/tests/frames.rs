//! The octets of frames, against the standard's own.

use std::vec::Vec;

use super::frame::*;
use super::*;
use crate::han::command::{self, Command};
use crate::han::message::Message;
use crate::wire::{Error, Reader, Writer};

fn hex(digits: &str) -> Vec<u8> {
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

/// The headers of the three frames of Annex C.2, with what they say.
#[test]
fn ieee802_15_4_annex_c_headers() {
    let source = Endpoint {
        pan: 0x4321,
        address: Address::Extended(0xACDE_4800_0000_0001),
    };
    let destination = Endpoint {
        pan: 0x4321,
        address: Address::Extended(0xACDE_4800_0000_0002),
    };
    let security = |level| {
        Some(Security {
            level,
            counter: 5,
            key: KeyIdentifier::Implicit,
        })
    };
    let beacon = Header {
        kind: FrameKind::Beacon,
        pending: false,
        ack_request: false,
        sequence: 0x84,
        destination: None,
        source: Some(source),
        security: security(SecurityLevel::Mic64),
    };
    let request = Header {
        kind: FrameKind::Command,
        ack_request: true,
        destination: Some(destination),
        source: Some(Endpoint {
            pan: 0xFFFF,
            ..source
        }),
        security: security(SecurityLevel::EncMic64),
        ..beacon
    };
    for (header, octets) in [
        (beacon, "08d0842143010000000048deac0205000000"),
        (
            request,
            "2bdc842143020000000048deacffff010000000048deac0605000000",
        ),
    ] {
        let octets = hex(octets);
        let mut out = [0xA5; PSDU_MAX];
        let mut writer = Writer::new(&mut out);
        header.emit(&mut writer).unwrap();
        assert_eq!(writer.written(), octets);
        assert_eq!(Header::parse(&mut Reader::new(&octets)), Ok(header));
    }
    // Annex C.2.2 is encrypted without an integrity code, which is refused here.
    let data = hex("69dc842143020000000048deac010000000048deac0405000000d43e022b");
    let error = Error::Malformed("security level");
    assert_eq!(Header::parse(&mut Reader::new(&data)), Err(error));
}

#[test]
fn ieee802_15_4_7_2_1_9_check_sequence() {
    assert_eq!(acknowledgement(0x6A, false), [0x02, 0, 0x6A, 0xE4, 0x79]);
    assert_eq!(checked(&acknowledgement(9, true)), Ok(&[0x12, 0, 9][..]));
    assert_eq!(checked(&[2, 0, 0x6A, 0xE4, 0x78]), Err(Reject::FrameCheck));
    assert_eq!(checked(&[7]), Err(Reject::FrameCheck));
}

#[test]
fn reserved_fields_are_refused() {
    let truncated = Error::Truncated { need: 2, have: 0 };
    for (octets, error) in [
        ("0400", Error::Unsupported(4)),
        ("0120", Error::Malformed("frame version")),
        ("0900", Error::Malformed("frame version")),
        ("0104014321", Error::Malformed("addressing mode")),
        ("4180014321", Error::Malformed("PAN ID compression")),
        ("4108014321ffff", Error::Malformed("PAN ID compression")),
        ("41880143210200", truncated),
    ] {
        let octets = hex(octets);
        let parsed = Header::parse(&mut Reader::new(&octets));
        assert_eq!(parsed, Err(error), "{octets:02x?}");
    }
}

#[test]
fn commands_are_those_of_7_3() {
    for (command, octets) in [
        (
            Command::AssociationRequest {
                capabilities: command::CAPABILITIES,
            },
            "018c",
        ),
        (
            Command::AssociationResponse {
                short: 0x0203,
                status: command::AssociationStatus::AccessDenied,
            },
            "02030202",
        ),
        (Command::DataRequest, "04"),
        (Command::BeaconRequest, "07"),
    ] {
        let mut out = [0xA5; 8];
        let mut writer = Writer::new(&mut out);
        command.emit(&mut writer).unwrap();
        assert_eq!(writer.written(), hex(octets));
        assert_eq!(Command::parse(writer.written()), Ok(command));
    }
    assert_eq!(Command::parse(&[9]), Err(Error::Unsupported(9)));
    let long = Err(Error::Malformed("command length"));
    assert_eq!(Command::parse(&[4, 0]), long);
}

#[test]
fn an_update_takes_45_octets_of_which_18_are_payload() {
    let house = House::joined(std::vec![display()]);
    let update = house.air.iter().rev();
    let update = update
        .clone()
        .find(|sent| sent.transmit.content == Content::Usage)
        .unwrap();
    assert_eq!(update.psdu.len(), 15 + 6 + 18 + 4 + FCS_LEN);
    let received = key::Received::parse(&update.psdu).unwrap();
    let security = received.header.security.unwrap();
    assert_eq!(security.level, SecurityLevel::EncMic32);
    assert_eq!(security.key, KeyIdentifier::Index(0x11));
    // Nothing of the reading is readable.
    let mut plain = [0; 32];
    let mut writer = Writer::new(&mut plain);
    Message::Usage(house.usage()).emit(&mut writer).unwrap();
    assert_ne!(received.payload()[..2], writer.written()[..2]);
}

#[test]
fn installation_codes_are_checked_as_they_are_typed() {
    // A code with its check as a device prints it: the check of 83FE…0505 is B5C3.
    let printed = "83FE D340 7A93 9723 A5C6 39B2 6916 D505 C3B5";
    let code = InstallCode::parse(printed).unwrap();
    assert_eq!(code.print(), printed);
    assert_eq!(
        InstallCode::parse("83fed3407a939723-a5c639b26916d505-c3b5")
            .unwrap()
            .print(),
        printed
    );
    let wrong = printed.replace("D505", "D506");
    assert_eq!(InstallCode::parse(&wrong).err(), Some(CodeError::Check));
    for text in ["", "83FE", &printed[1..], &std::format!("{printed}0"), "x"] {
        assert_eq!(InstallCode::parse(text).err(), Some(CodeError::Digits));
    }
    let mut work = Work::default();
    let (one, two) = (code.key(1, &mut work), code.key(2, &mut work));
    assert!(one != two, "a key is bound to its device");
}
