//! Tables through a loss of power and through a start of the firmware.

use super::optical::{Technician, secured};
use super::*;
use crate::c1219::Format;
use crate::c1219::log::{EventCode, LogKind, LogLimits, LogView};
use crate::c1219::procedure::{Outcome, ResultCode};
use crate::c1222::service::{Blocks, Read, Request, Response, Selector, TableId, Write};

/// A master at the optical port.
fn master(pair: &mut Pair) -> Technician {
    let mut technician = Technician::new();
    technician.log_on(pair);
    assert_eq!(technician.ask(pair, secured()), [0]);
    technician
}

fn write(technician: &mut Technician, pair: &mut Pair, table: u16, data: &[u8]) -> Vec<u8> {
    let write = Write {
        table: TableId(table),
        selector: Selector::Full,
        data,
    };
    technician.ask(pair, Request::Write(write))
}

fn read(technician: &mut Technician, pair: &mut Pair, table: u16) -> Vec<u8> {
    let response = technician.read(pair, table);
    let response = Response::parse(&response).unwrap();
    Blocks::new(response.data).single().unwrap().to_vec()
}

/// The first octets of ST76, with as many entries.
fn events(technician: &mut Technician, pair: &mut Pair, entries: u16) -> Vec<(u16, u32)> {
    let limits = read(technician, pair, 71);
    let mut limits = LogLimits::parse(&limits, &Format::PROFILE).unwrap();
    // A packet of 64 octets carries the head, or one entry.
    let parts = (0..=entries).map(|part| match part {
        0 => (0, 11),
        entry => (11 + 22 * (u32::from(entry) - 1), 22),
    });
    let mut octets = Vec::new();
    for (offset, count) in parts {
        let part = Read {
            table: TableId(76),
            selector: Selector::Offset(offset, count),
        };
        let response = technician.ask(pair, Request::Read(part));
        let response = Response::parse(&response).unwrap();
        octets.extend_from_slice(Blocks::new(response.data).single().unwrap());
    }
    limits.event_entries = entries;
    let view = LogView::parse(&octets, LogKind::Event, &limits, &Format::PROFILE).unwrap();
    assert_eq!(view.status.valid, entries);
    let entry = |element| {
        let entry = view.entry(element).unwrap();
        let argument = entry.argument.first_chunk().copied().unwrap();
        (entry.event.0, u32::from_le_bytes(argument))
    };
    (0..entries).map(entry).collect()
}

#[test]
fn what_was_written_survives_a_loss_of_power() {
    let mut pair = Pair::new([7; 16]);
    let mut technician = master(&mut pair);
    let name = b"TRANSFORMER 12      ";
    assert_eq!(write(&mut technician, &mut pair, 5, name), [0]);
    pair.now = Instant::from_secs(100);
    pair.meter(|meter, utc, env| meter.power_off(utc, env));
    pair.now = Instant::from_secs(160);
    pair.meter(|meter, utc, env| meter.power_on(utc, env));
    let mut technician = master(&mut pair);
    assert_eq!(read(&mut technician, &mut pair, 5), name);
    let power = [(EventCode::POWER_DOWN.0, 0), (EventCode::POWER_UP.0, 60)];
    assert_eq!(events(&mut technician, &mut pair, 2), power);
    let status = read(&mut technician, &mut pair, 3);
    assert_eq!(status, [1, 0x00, 0x08, 0, 0, 0], "power has failed");
}

#[test]
fn the_first_start_of_a_meter_is_no_event() {
    let mut pair = Pair::new([7; 16]);
    pair.meter(|meter, utc, env| meter.power_on(utc, env));
    pair.exchange();
    let mut technician = master(&mut pair);
    assert_eq!(events(&mut technician, &mut pair, 0), []);
}

#[test]
fn a_warm_start_ends_sessions_and_keys() {
    let mut pair = Pair::new([7; 16]);
    pair.meter(|meter, utc, env| meter.power_on(utc, env));
    pair.exchange();
    let mut technician = master(&mut pair);
    assert_eq!(write(&mut technician, &mut pair, 7, &[1, 0, 5]), [0]);
    let posted = read(&mut technician, &mut pair, 8);
    assert_eq!(
        Outcome::parse(&posted).unwrap().result,
        ResultCode::Accepted
    );
    assert!(pair.meter.is_open(), "the response leaves first");
    pair.now += Duration::from_secs(1);
    pair.meter(|meter, utc, env| meter.handle_timeout(utc, env));
    // Until it has booted nothing is to be done.
    assert!(!pair.meter.is_open() && !pair.meter.is_authenticating());
    assert!(pair.meter.live_keys().next().is_none());
    assert!(pair.meter.poll_transmit(&mut [0; 2_048]).is_none());
    pair.take_meter_events();
    assert!(matches!(
        pair.meter_events.last(),
        Some(MeterEvent::Restarting)
    ));
    assert!(!pair.meter.is_open() && pair.meter.is_authenticating());
    let mut technician = master(&mut pair);
    let posted = read(&mut technician, &mut pair, 8);
    assert_eq!(
        Outcome::parse(&posted).unwrap().result,
        ResultCode::Completed
    );
    // The same again is not done again.
    assert_eq!(write(&mut technician, &mut pair, 7, &[1, 0, 5]), [0]);
    pair.now += Duration::from_secs(1);
    pair.meter(|meter, utc, env| meter.handle_timeout(utc, env));
    assert_eq!(read(&mut technician, &mut pair, 8), posted);
}

#[test]
fn wrong_passwords_lock_the_port_and_are_logged() {
    let mut pair = Pair::new([7; 16]);
    let mut technician = Technician::new();
    technician.log_on(&mut pair);
    let wrong = || Request::Security(crate::c1222::service::Password::new(b"GUESS", None));
    for _ in 0..LOCKOUT {
        assert_eq!(technician.ask(&mut pair, wrong()), [3]);
    }
    assert_eq!(technician.ask(&mut pair, wrong()), [8], "locked");
    let logged = events(&mut technician, &mut pair, LOCKOUT as u16 + 1);
    let expected = core::iter::repeat_n((0x0800, 17), LOCKOUT as usize);
    assert!(logged.into_iter().eq(expected.chain([(0x0801, 17)])));
}
