//! Interval data, registrations, and service contents beyond the vectors.

use std::vec::Vec;

use proptest::prelude::*;

use super::support::{load, octets};
use crate::c1222::aptitle::{APPLICATION_CONTEXT, ApTitle, Title};
use crate::c1222::epsem::{Control, Payload};
use crate::c1222::interval::{Block, CHANNELS, EndTime, Interval, put_push};
use crate::c1222::registrar::{Grant, Registrar};
use crate::c1222::service::{
    Blocks, ConnectionType, Feature, Identification, NodeType, Password, Register, Registered,
    Request, Response, ResponseCode, TableId, Trace, Write, checksum, put_read_data, resolved,
};
use crate::crypto::Secret;
use crate::wire::{Error, Writer};
use crate::{Duration, Instant};

/// Data after the response code in service `index` of a vector.
fn response_data(id: &str, index: usize) -> Vec<u8> {
    let vectors = load("c1222_apdus.json");
    let cases = vectors["apdus"].as_array().unwrap();
    let case = cases.iter().find(|case| case["id"] == id).unwrap();
    let service = octets(&case["services"][index]);
    let response = Response::parse(&service).unwrap();
    assert_eq!(response.code, ResponseCode::Ok);
    response.data.to_vec()
}

fn written<'a>(writer: &'a [u8]) -> Write<'a> {
    let payload = Payload::parse(Control::CLEAR, writer).unwrap();
    let service = payload.services().next().unwrap().unwrap();
    match Request::parse(service) {
        Ok(Request::Write(write)) => write,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_interval_takes_seventeen_octets() {
    let end = EndTime {
        year: 26,
        month: 1,
        day: 15,
        hour: 0,
        minute: 15,
    };
    let interval = Interval {
        valid: true,
        status: [0x20, 0, 0],
        values: [0x0102, 3, 4, 5],
    };
    let mut buffer = [0xA5; 64];
    let mut writer = Writer::new(&mut buffer);
    put_push(&mut writer, 0x01_0203, end, &[interval]).unwrap();
    assert_eq!(
        writer.written(),
        [
            26, 0x4F, 0x00, 0x40, 0x01, 0x02, 0x03, 0x00, 0x11, 26, 1, 15, 0, 15, 0x01, 0x20, 0, 0,
            0x02, 0x01, 3, 0, 4, 0, 5, 0, 0x97
        ]
    );
    let (offset, block) = Block::from_write(&written(writer.written())).unwrap();
    assert_eq!((offset, block.end, block.len()), (0x01_0203, end, 1));
    assert_eq!(block.intervals().collect::<Vec<_>>(), [interval]);
}

#[test]
fn intervals_are_counted_and_addressed() {
    let end = EndTime::from_utc(1_800_000_000).unwrap();
    let mut buffer = [0xA5; 1200];
    for count in [0, 97] {
        let intervals = std::vec![Interval::default(); count];
        let mut writer = Writer::new(&mut buffer);
        assert!(put_push(&mut writer, 0, end, &intervals).is_err());
    }
    let mut writer = Writer::new(&mut buffer);
    put_push(&mut writer, 0, end, &[Interval::default()]).unwrap();
    let mut write = written(writer.written());
    write.table = TableId::standard(65);
    assert_eq!(
        Block::from_write(&write),
        Err(Error::Malformed("interval table"))
    );
    assert_eq!(
        Block::parse(&write.data[..write.data.len() - 1]),
        Err(Error::Malformed("interval count"))
    );
}

#[test]
fn dates_of_the_century_convert_both_ways() {
    for (utc, [year, month, day, hour, minute]) in [
        (946_684_800, [0, 1, 1, 0, 0]),
        (951_782_400, [0, 2, 29, 0, 0]),
        (951_868_800, [0, 3, 1, 0, 0]),
        (1_767_225_600, [26, 1, 1, 0, 0]),
        (1_709_251_140, [24, 2, 29, 23, 59]),
        (4_102_444_740, [99, 12, 31, 23, 59]),
    ] {
        let time = EndTime {
            year,
            month,
            day,
            hour,
            minute,
        };
        assert_eq!(EndTime::from_utc(utc), Some(time));
        assert_eq!(time.to_utc(), Some(utc));
    }
    assert_eq!(EndTime::from_utc(946_684_799), None);
    assert_eq!(EndTime::from_utc(4_102_444_800), None);
}

#[test]
fn an_identification_lists_its_features() {
    let data = response_data("ident-rsp", 0);
    let identification = Identification::parse(&data).unwrap();
    assert_eq!(
        (
            identification.standard,
            identification.version,
            identification.revision
        ),
        (3, 1, 0)
    );
    let features: Vec<_> = identification.features().map(Result::unwrap).collect();
    let mut mechanism = APPLICATION_CONTEXT.to_vec();
    mechanism.extend([0x02, 0x01]);
    assert_eq!(
        features,
        [
            Feature::SecurityMechanism(&mechanism),
            Feature::SessionControl {
                sessionless: true,
                sessions: 4
            },
            Feature::DeviceClass(ApTitle::Relative(b"SH2E")),
            Feature::Identity {
                format: 1,
                text: b"SIM46830789"
            },
        ]
    );
    let mut buffer = [0xA5; 64];
    let mut writer = Writer::new(&mut buffer);
    Identification::emit(&features, &mut writer).unwrap();
    assert_eq!(writer.written(), data);
}

#[test]
fn network_responses_are_read_and_written() {
    let data = response_data("register-rsp", 0);
    let registered = Registered::parse(&data).unwrap();
    let title: Title = ".2.233154".parse().unwrap();
    assert_eq!(
        registered,
        Registered {
            ap_title: title.get(),
            delay_s: 30,
            period_s: 3600,
            info: 1
        }
    );
    let mut buffer = [0xA5; 32];
    let mut writer = Writer::new(&mut buffer);
    registered.emit(&mut writer).unwrap();
    assert_eq!(writer.written(), data);
    let data = response_data("resolve-rsp", 0);
    assert_eq!(resolved(&data), Ok(&[10, 1, 197, 13, 4, 129, 17][..]));
    let data = response_data("trace-rsp", 0);
    let relays: Vec<_> = Trace::new(&data).map(Result::unwrap).collect();
    assert_eq!(
        relays,
        [ApTitle::Relative(&[0]), ApTitle::Relative(&[0, 1])]
    );
}

#[test]
fn read_data_carry_their_checksum() {
    let data = response_data("read-st1-rsp-enc", 1);
    let table = Blocks::new(&data).single().unwrap();
    assert_eq!(&table[..4], b"TOSH");
    let mut buffer = [0xA5; 64];
    let mut writer = Writer::new(&mut buffer);
    put_read_data(&mut writer, table).unwrap();
    assert_eq!(writer.written(), data);
    let mut damaged = data.clone();
    damaged[5] ^= 1;
    assert_eq!(
        Blocks::new(&damaged).single(),
        Err(Error::Malformed("checksum"))
    );
    let sum = table
        .iter()
        .fold(checksum(table), |sum, octet| sum.wrapping_add(*octet));
    assert_eq!(sum, 0);
}

#[test]
fn long_read_data_come_in_blocks() {
    let long = std::vec![1u8; 65_535];
    let mut data = Vec::from([0xFF, 0xFF]);
    data.extend(&long);
    data.push(checksum(&long));
    assert!(
        Blocks::new(&data).any(|block| block.is_err()),
        "a block is missing"
    );
    data.extend([0x00, 0x01, 0x07, 0xF9]);
    let blocks: Vec<_> = Blocks::new(&data)
        .map(|block| block.unwrap().len())
        .collect();
    assert_eq!(blocks, [65_535, 1]);
    data.push(0);
    assert!(
        Blocks::new(&data).any(|block| block.is_err()),
        "octets are left over"
    );
}

#[test]
fn error_codes_carry_their_parameters() {
    let response = Response::parse(&[0x0F, 0, 0, 4, 0]).unwrap();
    assert_eq!(response.size_max(), Some(1024));
    assert_eq!(response.segment(), None);
    let response = Response::parse(&[0x12, 0x00, 0x80, 0x00, 0x40]).unwrap();
    assert_eq!(response.segment(), Some((128, 64)));
    assert_eq!(
        Response::parse(&[0x20]),
        Err(Error::Malformed("response code"))
    );
    assert_eq!(u8::from(Response::parse(&[0x1F]).unwrap().code), 0x1F);
}

#[test]
fn passwords_are_padded_and_do_not_print() {
    let password = Password::new(b"READER", Some(2));
    let mut expected = [b' '; 20];
    expected[..6].copy_from_slice(b"READER");
    assert!(password.is(&Secret::new(expected)));
    assert!(!password.is(&Secret::new([b' '; 20])));
    assert!(!std::format!("{password:?}").contains("82"));
}

#[test]
fn registrations_last_until_they_are_not_renewed() {
    let base: Title = "2.16.124.113620.1.22.0".parse().unwrap();
    let mut registrar = Registrar::new(base, Grant::default());
    let title: Title = ".2.100".parse().unwrap();
    let request = Register {
        node_type: NodeType::END_DEVICE,
        connection_type: ConnectionType::CONNECTIONLESS,
        device_class: *b"SH2E",
        ap_title: title.get(),
        serial_number: &[0x2B],
        native_address: &[],
        period_s: 600,
        my_domain: None,
    };
    let at = Instant::from_secs;
    let granted = registrar.register(&request, None, at(0)).unwrap();
    assert_eq!(granted.period_s, 600);
    let absolute = title.to_absolute(base.get().content()).unwrap();
    let found = registrar.lookup(absolute.get(), at(599)).unwrap();
    assert_eq!(found.expiry, at(0) + Duration::from_secs(600));
    registrar.register(&request, None, at(500)).unwrap();
    let found = registrar.lookup(title.get(), at(1000)).unwrap();
    assert_eq!((found.since, found.expiry), (at(0), at(1100)));
    assert_eq!(registrar.lookup(title.get(), at(1100)), None);
    registrar.register(&request, None, at(1200)).unwrap();
    assert_eq!(
        registrar.lookup(title.get(), at(1200)).unwrap().since,
        at(1200)
    );
    assert!(registrar.deregister(title.get(), at(1300)));
    assert!(!registrar.deregister(title.get(), at(1300)));
    let unassigned = Register {
        ap_title: ApTitle::UNASSIGNED,
        ..request
    };
    assert!(registrar.register(&unassigned, None, at(0)).is_err());
    registrar.register(&request, None, at(0)).unwrap();
    assert_eq!(registrar.expire(at(600)), 1);
    assert!(registrar.is_empty());
}

fn interval() -> impl Strategy<Value = Interval> {
    (any::<bool>(), any::<[u8; 3]>(), any::<[u16; CHANNELS]>()).prop_map(
        |(valid, status, values)| Interval {
            valid,
            status,
            values,
        },
    )
}

proptest! {
    #[test]
    fn every_minute_of_the_century_survives(minute in 15_778_080u32..68_374_080) {
        let utc = minute * 60;
        let time = EndTime::from_utc(utc).unwrap();
        prop_assert_eq!(time.to_utc(), Some(utc));
        prop_assert_eq!(EndTime::from_utc(utc + 59), Some(time));
    }

    #[test]
    fn pushes_of_any_size_survive(
        intervals in proptest::collection::vec(interval(), 1..=96),
        offset in 0u32..0xFF_FFFF,
    ) {
        let end = EndTime::from_utc(1_800_000_000).unwrap();
        let mut buffer = [0xA5; 1200];
        let mut writer = Writer::new(&mut buffer);
        put_push(&mut writer, offset, end, &intervals).unwrap();
        let (found, block) = Block::from_write(&written(writer.written())).unwrap();
        prop_assert_eq!(found, offset);
        prop_assert_eq!(block.intervals().collect::<Vec<_>>(), intervals);
    }
}
