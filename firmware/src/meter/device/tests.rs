//! The table server: what it serves, what it lets whom write, and what it keeps.

use std::format;
use std::vec::Vec;

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::c1219::DateTime;
use crate::c1219::format::Format;
use crate::c1219::general::{GenConfig, ModeStatus};
use crate::c1219::identity::{PendingEntry, PendingStatus};
use crate::c1219::log::{LogKind, LogView};
use crate::c1219::procedure::Outcome;
use crate::c1219::switch::{SwitchAction, SwitchCommand, SwitchState, SwitchTable};
use crate::c1219::types::contains;
use crate::c1222::ber;
use crate::c1222::interval::EndTime;
use crate::c1222::service::{Blocks, Indices};
use crate::crypto::Work;
use crate::wire::Reader;

const UTC: u32 = 1_768_435_200;
const SERIAL: &[u8] = b".1.1";

/// A device with a requester.
pub(super) struct Bench {
    pub(super) device: Device,
    pub(super) config: DeviceConfig,
    pub(super) session: Session,
    pub(super) now: Instant,
    rng: ChaCha8Rng,
}

impl Bench {
    pub(super) fn new(mode: Mode) -> Self {
        let passwords = [
            Password::new(b"READER", Groups::READER),
            Password::new(b"INSTALLER", Groups::INSTALLER),
            Password::new(b"MASTER", Groups::MASTER),
        ];
        Self {
            device: Device::new(1),
            config: DeviceConfig {
                passwords: passwords.into(),
                ..DeviceConfig::default()
            },
            session: Session::new(mode),
            now: Instant::ZERO,
            rng: ChaCha8Rng::seed_from_u64(1),
        }
    }

    /// A requester with a password.
    pub(super) fn of(password: &[u8]) -> Self {
        let mut bench = Self::new(Mode::Encrypted);
        bench.authorise(password);
        bench
    }

    /// A requester with a password, at a meter with a measuring part that has power.
    pub(super) fn metered(password: &[u8]) -> Self {
        let mut bench = Self::new(Mode::Encrypted);
        bench.equip(metrology::Config::default());
        bench.authorise(password);
        bench
    }

    pub(super) fn equip(&mut self, config: metrology::Config) {
        self.device.equip(Arc::new(config));
        self.tick();
        let time = self.device.time(self.now);
        self.device.metrology_mut().unwrap().power_on(time);
    }

    pub(super) fn authorise(&mut self, password: &[u8]) {
        self.session = Session::new(Mode::Encrypted);
        let request = Request::Security(service::Password::new(password, Some(7)));
        assert_eq!(self.serve(&request).0, ResponseCode::Ok);
    }

    /// What the oscillator shows.
    pub(super) fn utc(&self) -> u32 {
        UTC + self.now.as_secs() as u32
    }

    /// What the clock shows.
    pub(super) fn tick(&mut self) -> u32 {
        let uncorrected = Utc::from_secs(self.utc());
        self.device.tick(uncorrected, self.now).as_secs()
    }

    /// Lets the device do what is due.
    pub(super) fn handle_timeout(&mut self) {
        let utc = self.tick();
        self.device.handle_timeout(&self.config, utc, self.now);
    }

    /// The response to a request: its code and data.
    pub(super) fn serve(&mut self, request: &Request<'_>) -> (ResponseCode, Vec<u8>) {
        let mut buffer = vec![0xA5; 40_000];
        let mut writer = Writer::new(&mut buffer);
        let mut work = Work::default();
        let utc = self.tick();
        let mut env = Env::new(self.now, &mut self.rng, &mut work);
        let (config, session) = (&self.config, &mut self.session);
        let context = (utc, &mut env);
        let succeeded = self
            .device
            .answer(config, SERIAL, request, session, context, &mut writer)
            .unwrap();
        let mut reader = Reader::new(writer.written());
        assert_eq!(ber::read_len(&mut reader), Ok(reader.remaining()));
        let response = Response::parse(reader.rest()).unwrap();
        assert_eq!(response.code == ResponseCode::Ok, succeeded);
        (response.code, response.data.to_vec())
    }

    pub(super) fn read(
        &mut self,
        table: u16,
        selector: Selector<'_>,
    ) -> Result<Vec<u8>, ResponseCode> {
        let table = TableId(table);
        match self.serve(&Request::Read(Read { table, selector })) {
            (ResponseCode::Ok, data) => Ok(Blocks::new(&data).single().unwrap().to_vec()),
            (code, _) => Err(code),
        }
    }

    pub(super) fn table(&mut self, table: u16) -> Vec<u8> {
        self.read(table, Selector::Full).unwrap()
    }

    pub(super) fn write(&mut self, table: u16, offset: Option<u32>, data: &[u8]) -> ResponseCode {
        let selector = offset.map_or(Selector::Full, |offset| Selector::Offset(offset, 0));
        let table = TableId(table);
        self.serve(&Request::Write(Write {
            table,
            selector,
            data,
        }))
        .0
    }

    /// Runs a procedure; returns its result and data.
    pub(super) fn run(
        &mut self,
        procedure: u16,
        sequence: u8,
        parameters: &[u8],
    ) -> (ResultCode, Vec<u8>) {
        let mut octets = procedure.to_le_bytes().to_vec();
        octets.push(sequence);
        octets.extend_from_slice(parameters);
        assert_eq!(self.write(7, None, &octets), ResponseCode::Ok);
        let octets = self.table(8);
        let outcome = Outcome::parse(&octets).unwrap();
        assert!(outcome.answers(ProcedureId(procedure), sequence));
        (outcome.result, outcome.data.to_vec())
    }

    fn log(&mut self, kind: LogKind) -> Vec<(u16, u16, u16, Vec<u8>)> {
        let octets = self.table(match kind {
            LogKind::History => 74,
            LogKind::Event => 76,
        });
        let view = LogView::parse(&octets, kind, &factory::LOG, &Format::PROFILE).unwrap();
        let entries = (0..view.status.valid).map(|element| view.entry(element).unwrap());
        let shown = |entry: crate::c1219::log::LogEntry<'_>| {
            (
                entry.event.0,
                entry.user,
                entry.code,
                entry.argument.to_vec(),
            )
        };
        entries.map(shown).collect()
    }
}

/// Every table number that there can be: standard, manufacturer, pending.
fn all_tables() -> impl Iterator<Item = u16> {
    0..0x2000
}

#[test]
fn what_st0_advertises_is_served_and_nothing_else() {
    advertises_what_it_serves(Bench::of(b"MASTER"));
    advertises_what_it_serves(Bench::metered(b"MASTER"));
}

fn advertises_what_it_serves(mut bench: Bench) {
    let octets = bench.table(0);
    let config = GenConfig::parse(&octets).unwrap();
    let unreadable = [42, 45];
    for table in all_tables() {
        let (set, writable) = match table {
            0..0x0800 => (config.standard_tables, config.standard_writable),
            0x0800..0x1000 => (config.manufacturer_tables, config.manufacturer_writable),
            _ => (&[][..], &[][..]),
        };
        let found = bench.read(table, Selector::Full);
        if !contains(set, table & 0x07FF) {
            assert_eq!(found, Err(ResponseCode::Iar), "table {table}");
        } else if unreadable.contains(&table) {
            assert_eq!(found, Err(ResponseCode::Isc), "table {table}");
        } else {
            assert!(found.is_ok(), "table {table}");
        }
        if !contains(writable, table & 0x07FF) && table < 0x1000 {
            let refused = bench.write(table, None, b"");
            assert_eq!(refused, ResponseCode::Iar, "table {table}");
        }
    }
    for (set, first) in [
        (config.standard_procedures, 0),
        (config.manufacturer_procedures, 0x0800),
    ] {
        for number in 0..64 {
            let (result, _) = bench.run(first + number, number as u8, &[0xEE; 31]);
            let known = result != ResultCode::Unrecognized;
            assert_eq!(known, contains(set, number), "procedure {number}");
        }
    }
    assert_eq!(config.format_control, Format::PROFILE_OCTETS);
}

#[test]
fn any_part_of_a_table_is_a_part_of_it() {
    let mut bench = Bench::of(b"MASTER");
    bench.run(3, 1, &[]);
    for table in [0, 1, 6, 44, 71, 74, 76] {
        let whole = bench.table(table);
        let len = whole.len();
        for offset in (0..len).step_by(1 + len / 97) {
            for count in [0, 1, 13, len - offset] {
                let count = count.min(len - offset);
                let part = Selector::Offset(offset as u32, count as u16);
                let found = bench.read(table, part).unwrap();
                assert_eq!(found, &whole[offset..offset + count]);
            }
        }
        for (offset, count) in [(len, 1), (len + 1, 0), (0, len + 1), (0xFF_FFFF, 0xFFFF)] {
            let beyond = Selector::Offset(offset as u32, count as u16);
            assert_eq!(bench.read(table, beyond), Err(ResponseCode::Onp));
        }
        assert_eq!(bench.read(table, Selector::Default), Err(ResponseCode::Sns));
        let index = Selector::Indices(Indices::new(&[0, 0]).unwrap(), 1);
        assert_eq!(bench.read(table, index), Err(ResponseCode::Sns));
    }
}

#[test]
fn a_table_that_does_not_fit_tells_how_much_does() {
    let mut bench = Bench::new(Mode::Encrypted);
    let mut buffer = [0; 100];
    let mut writer = Writer::new(&mut buffer);
    let mut work = Work::default();
    let mut env = Env::new(bench.now, &mut bench.rng, &mut work);
    let request = Request::Read(Read {
        table: TableId::standard(76),
        selector: Selector::Full,
    });
    let context = (UTC, &mut env);
    let session = &mut bench.session;
    let device = &mut bench.device;
    let answered = device.answer(
        &bench.config,
        SERIAL,
        &request,
        session,
        context,
        &mut writer,
    );
    assert_eq!(answered, Ok(false));
    assert_eq!(writer.written(), [5, 0x10, 0, 0, 0, 92]);
    assert!(
        device.state.is_none(),
        "a meter that is only read keeps nothing"
    );
}

#[test]
fn passwords_decide_who_writes_what() {
    let text = [b'X'; 20];
    let attempts = [
        (Bench::new(Mode::Clear), 5, ResponseCode::Isc),
        (Bench::new(Mode::Encrypted), 5, ResponseCode::Isc),
        (Bench::of(b"READER"), 5, ResponseCode::Isc),
        (Bench::of(b"INSTALLER"), 5, ResponseCode::Ok),
        (Bench::of(b"MASTER"), 5, ResponseCode::Ok),
        (Bench::of(b"INSTALLER"), 44, ResponseCode::Isc),
        (Bench::of(b"MASTER"), 1, ResponseCode::Iar),
        (Bench::of(b"MASTER"), 0x0800, ResponseCode::Iar),
        (Bench::of(b"MASTER"), 500, ResponseCode::Iar),
    ];
    for (mut bench, table, expected) in attempts {
        let before = bench.table(5);
        assert_eq!(bench.write(table, None, &text), expected, "ST{table}");
        let written = expected == ResponseCode::Ok;
        assert_eq!(bench.table(5), if written { text.to_vec() } else { before });
    }
}

#[test]
fn a_password_does_not_help_in_the_clear() {
    let mut bench = Bench::new(Mode::Clear);
    let request = Request::Security(service::Password::new(b"MASTER", None));
    assert_eq!(bench.serve(&request).0, ResponseCode::Isc);
    assert_eq!(bench.write(5, None, &[b'X'; 20]), ResponseCode::Isc);
}

#[test]
fn a_master_gives_and_takes_rights() {
    let mut bench = Bench::of(b"MASTER");
    // ST44 begins with ST0, ST1 and ST5; now readers may write ST5, and procedure 3 nobody.
    let mut records = bench.table(44);
    assert_eq!(records[8..12], [0x05, 0x20, 0xFF, 0x0C]);
    records[11] = Groups::READER.0;
    let clear = Permissions::of_procedure(3).to_le_bytes();
    let at = records
        .chunks(4)
        .position(|record| record[..2] == clear)
        .unwrap();
    records[4 * at + 3] = 0;
    assert_eq!(bench.write(44, None, &records), ResponseCode::Ok);
    assert_eq!(bench.table(44), records);
    assert_eq!(bench.run(3, 1, &[]).0, ResultCode::NoAuthorization);
    assert_eq!(bench.write(5, None, &[b'X'; 20]), ResponseCode::Isc);
    bench.authorise(b"READER");
    assert_eq!(bench.write(5, None, &[b'Y'; 20]), ResponseCode::Ok);
    // The default of ST43 applies where ST44 has no record: ST53.
    assert_eq!(bench.write(53, Some(3), &[0]), ResponseCode::Isc);
    bench.authorise(b"MASTER");
    let defaults = [0x00, 0x20, 0xFF, Groups::READER.0, 0x00, 0x10, 0, 0];
    assert_eq!(bench.write(43, None, &defaults), ResponseCode::Ok);
    bench.authorise(b"READER");
    assert_eq!(bench.write(53, Some(3), &[0]), ResponseCode::Ok);
    assert_eq!(bench.table(53)[3], 0);
    assert_eq!(bench.run(12, 2, &[]).0, ResultCode::NoAuthorization);
}

#[test]
fn passwords_are_written_but_never_read() {
    let mut bench = Bench::of(b"MASTER");
    // Whoever lets everybody read ST42 shows zeros.
    let mut records = bench.table(44);
    let at = records
        .chunks(4)
        .position(|record| record[..2] == [42, 0])
        .unwrap();
    records[4 * at + 1] |= 0x20;
    assert_eq!(bench.write(44, None, &records), ResponseCode::Ok);
    assert_eq!(bench.table(42), [0; 84]);
    // One entry is replaced, the others stay.
    let mut entry = b"SESAME              ".to_vec();
    entry.push(Groups::MASTER.0);
    assert_eq!(bench.write(42, Some(42), &entry), ResponseCode::Ok);
    assert_eq!(bench.table(42), [0; 84]);
    let known = |bench: &mut Bench, password: &[u8]| {
        let request = Request::Security(service::Password::new(password, None));
        bench.serve(&request).0 == ResponseCode::Ok
    };
    assert!(known(&mut bench, b"SESAME") && known(&mut bench, b"INSTALLER"));
    assert!(!known(&mut bench, b"MASTER"));
    // The entry that nobody has set is no password.
    let zeros = Request::Security(service::Password::new(&[0; 20], None));
    assert_eq!(bench.serve(&zeros).0, ResponseCode::Isc);
    assert!(!format!("{:?}", bench.device).contains("SESAME"));
}

#[test]
fn writes_that_make_no_sense_change_nothing() {
    let mut bench = Bench::of(b"MASTER");
    for (table, offset, data) in [
        (5, None, &[b'X'; 19][..]),
        (5, None, &[b'X'; 21]),
        (5, Some(1), &[b'X'; 20]),
        (5, Some(0xFF_FFFF), &[b'X'; 2]),
        // A time zone that is no multiple of a quarter of an hour, or beyond the date line.
        (53, Some(4), &[7, 0]),
        (53, Some(4), &[0xFF, 0x7F]),
        (53, Some(0), &[24]),
        (7, Some(1), &[0; 4]),
        (7, None, &[0; 36]),
        (7, None, &[0; 2]),
    ] {
        let before = bench.table(table);
        assert_eq!(
            bench.write(table, offset, data),
            ResponseCode::Onp,
            "ST{table}"
        );
        assert_eq!(bench.table(table), before);
    }
    let indices = Selector::Indices(Indices::new(&[0, 0]).unwrap(), 1);
    let request = Request::Write(Write {
        table: TableId::standard(5),
        selector: indices,
        data: b"X",
    });
    assert_eq!(bench.serve(&request).0, ResponseCode::Sns);
}

#[test]
fn the_history_tells_who_did_what() {
    let mut bench = Bench::of(b"MASTER");
    assert_eq!(bench.write(5, Some(0), b"A"), ResponseCode::Ok);
    bench.run(30, 1, &[1]);
    bench.run(6, 2, &[1]);
    let history = bench.log(LogKind::History);
    let written = (EventCode::TABLE_WRITTEN.0, 7, 5, vec![0, 0]);
    let unknown = (EventCode::PROCEDURE.0, 7, 30, vec![6, 0]);
    let done = (EventCode::PROCEDURE.0, 7, 6, vec![0, 0]);
    assert_eq!(history, [written, unknown, done.clone()]);
    // ST73 no longer wants procedure 6: octet 23 is the first of the standard procedures.
    assert_eq!(bench.write(73, Some(23), &[0xBF]), ResponseCode::Ok);
    bench.run(6, 3, &[1]);
    bench.run(2, 4, &[]);
    let history = bench.log(LogKind::History);
    let codes: Vec<u16> = history.iter().map(|entry| entry.2).collect();
    assert_eq!(codes, [5, 30, 6, 73, 2]);
}

#[test]
fn lists_are_acknowledged_and_reset() {
    let mut bench = Bench::of(b"MASTER");
    for _ in 0..3 {
        let wrong = Request::Security(service::Password::new(b"GUESS", None));
        assert_eq!(bench.serve(&wrong).0, ResponseCode::Isc);
    }
    let events = bench.log(LogKind::Event);
    assert!(events.iter().all(|entry| entry.0 == WRONG_PASSWORD.0));
    let unread = |bench: &mut Bench| bench.table(76)[9];
    assert_eq!((events.len(), unread(&mut bench)), (3, 3));
    assert_eq!(bench.run(5, 1, &[1, 2, 0]).0, ResultCode::Completed);
    assert_eq!(unread(&mut bench), 1);
    assert_eq!(bench.run(5, 2, &[1, 2, 0]).0, ResultCode::InvalidParameter);
    assert_eq!(bench.run(5, 3, &[9, 0, 0]).0, ResultCode::InvalidParameter);
    assert_eq!(bench.run(5, 4, &[1, 0]).0, ResultCode::InvalidParameter);
    assert_eq!(bench.run(4, 5, &[1]).0, ResultCode::Completed);
    // The reset itself is the only event now.
    let events = bench.log(LogKind::Event);
    assert_eq!(events.iter().map(|entry| entry.0).collect::<Vec<_>>(), [14]);
    // Repeated because its response was lost: not done again.
    assert_eq!(bench.run(4, 5, &[1]).0, ResultCode::Completed);
    assert_eq!(bench.log(LogKind::Event).len(), 1);
    assert_eq!(bench.run(3, 6, &[]).0, ResultCode::Completed);
    assert_eq!(bench.log(LogKind::Event).len(), 0);
    assert_eq!(bench.run(6, 7, &[2]).0, ResultCode::Conflict);
}

#[test]
fn the_status_is_cleared_bit_by_bit() {
    let mut bench = Bench::of(b"MASTER");
    bench.device.state().status1 = 0x0801;
    assert_eq!(bench.run(7, 1, &[0x00, 0x08, 0]).0, ResultCode::Completed);
    let status = ModeStatus::parse(&bench.table(3)).unwrap();
    assert_eq!((status.mode, status.status1), (METERING_ONLY, 1));
}

const METERING_ONLY: u8 = 1;

#[test]
fn the_switch_moves_and_is_logged() {
    let mut bench = Bench::of(b"MASTER");
    let open = SwitchCommand::of(SwitchAction::Open, 0);
    let (result, _) = bench.run(0x0800, 9, &open.octets());
    assert_eq!(result, ResultCode::Accepted);
    bench.now = bench.device.poll_timeout().unwrap();
    let utc = bench.utc();
    bench.handle_timeout();
    let outcome = bench.table(8);
    assert_eq!(
        Outcome::parse(&outcome).unwrap().result,
        ResultCode::Completed
    );
    let table = SwitchTable::parse(&bench.table(0x0800)).unwrap();
    assert_eq!(table.state, SwitchState::Open);
    assert_eq!(table.last_change, DateTime::from_utc(utc));
    let events = bench.log(LogKind::Event);
    assert_eq!(events, [(49, 0, 0, vec![0, 1, 9, 0, 0, 0, 0, 0])]);
}

/// ST53 with its event, to be written to the pending image.
fn pending_offset(event: [u8; 6], amount_min: u8) -> Vec<u8> {
    let mut octets = event.to_vec();
    octets.extend([3, 0, 0, amount_min, 0x5C, 0xFE]);
    octets
}

#[test]
fn a_pending_table_waits_for_its_time() {
    let mut bench = Bench::of(b"INSTALLER");
    let EndTime {
        year,
        month,
        day,
        hour,
        minute,
    } = EndTime::from_utc(UTC + 3_600).unwrap();
    let event = [PendingEntry::AT_TIME, year, month, day, hour, minute];
    let image = pending_offset(event, 30);
    assert_eq!(bench.read(0x1035, Selector::Full), Err(ResponseCode::Iar));
    // In two parts; nothing is scheduled before it is complete.
    assert_eq!(bench.write(0x1035, Some(0), &image[..7]), ResponseCode::Ok);
    assert_eq!(bench.device.poll_timeout(), None);
    assert_eq!(
        bench.write(0x1035, Some(8), &image[8..]),
        ResponseCode::Onp,
        "a gap"
    );
    assert_eq!(bench.write(0x1035, Some(7), &image[7..]), ResponseCode::Ok);
    assert_eq!(bench.table(0x1035), image);
    let status = bench.table(4);
    let status = PendingStatus::parse(&status, &factory::DIMENSIONS, &Format::PROFILE).unwrap();
    assert!(contains(status.standard, 53));
    assert_eq!(
        status
            .entries()
            .map(|entry| entry.table)
            .collect::<Vec<_>>(),
        [53]
    );
    let before = bench.table(53);
    bench.now = bench.device.poll_timeout().unwrap();
    assert_eq!(bench.now, Instant::from_secs(3_600));
    assert_eq!(bench.table(53), before);
    bench.handle_timeout();
    assert_eq!(bench.table(53), image[6..]);
    assert_eq!(bench.device.poll_timeout(), None);
    assert_eq!(bench.read(0x1035, Selector::Full), Err(ResponseCode::Iar));
    assert_eq!(
        bench.log(LogKind::Event)[0].0,
        EventCode::PENDING_ACTIVATED.0
    );
}

#[test]
fn procedures_activate_and_forget_pending_tables() {
    let mut bench = Bench::of(b"MASTER");
    let by_procedure = |number| [PendingEntry::BY_PROCEDURE, number, 0, 0, 0, 0];
    let first = by_procedure(1);
    assert_eq!(
        bench.run(12, 1, &[]).0,
        ResultCode::InvalidParameter,
        "nothing waits"
    );
    assert_eq!(
        bench.write(0x1035, None, &pending_offset(first, 45)),
        ResponseCode::Ok
    );
    let mut name = by_procedure(2).to_vec();
    name.extend([b'N'; 20]);
    assert_eq!(bench.write(0x1005, None, &name), ResponseCode::Ok);
    assert_eq!(
        bench.write(0x1006, None, &[0; 236]),
        ResponseCode::Bsy,
        "two at most"
    );
    assert_eq!(
        bench.write(0x102A, None, &[0; 90]),
        ResponseCode::Iar,
        "passwords never wait"
    );
    assert_eq!(
        bench.run(13, 2, &by_procedure(3)).0,
        ResultCode::InvalidParameter
    );
    assert_eq!(bench.run(13, 3, &first).0, ResultCode::Completed);
    assert_eq!(bench.table(53)[3], 45);
    assert_eq!(bench.run(15, 4, &by_procedure(2)).0, ResultCode::Completed);
    assert_eq!(
        bench.run(15, 5, &by_procedure(2)).0,
        ResultCode::InvalidParameter
    );
    assert_eq!(bench.table(5), b".1.1                ");
    // What a meter cannot work with is found out when it would become valid, and is gone then.
    let mut wrong = pending_offset(first, 45);
    wrong[10..].copy_from_slice(&[1, 0]);
    assert_eq!(bench.write(0x1035, None, &wrong), ResponseCode::Ok);
    assert_eq!(bench.run(12, 6, &[]).0, ResultCode::Conflict);
    assert_eq!(bench.read(0x1035, Selector::Full), Err(ResponseCode::Iar));
    assert_eq!(bench.write(0x1005, None, &name), ResponseCode::Ok);
    assert_eq!(bench.run(14, 7, &[]).0, ResultCode::Completed);
    assert_eq!(bench.read(0x1005, Selector::Full), Err(ResponseCode::Iar));
}

/// A request of any kind, mostly about tables that exist.
fn any_request() -> impl Strategy<Value = (bool, u16, Option<(u32, u16)>, Vec<u8>)> {
    let table = prop_oneof![0u16..80, 0x0800u16..0x0802, 0x1000u16..0x1050, any::<u16>(),];
    let part = prop::option::of((0u32..600, 0u16..600));
    let data = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..48),
        (0u16..32, prop::collection::vec(any::<u8>(), 0..12))
            .prop_map(|(procedure, rest)| { [&procedure.to_le_bytes()[..], &rest].concat() }),
    ];
    (any::<bool>(), table, part, data)
}

proptest! {
    #[test]
    fn no_request_panics(requests in prop::collection::vec(any_request(), 1..20), metered: bool) {
        let mut bench = if metered {
            Bench::metered(b"MASTER")
        } else {
            Bench::of(b"MASTER")
        };
        for (writes, table, part, data) in requests {
            let offset = part.map(|(offset, _)| offset);
            if writes {
                bench.write(table, offset, &data);
            } else {
                let whole = Selector::Full;
                let selector = part.map_or(whole, |(offset, count)| Selector::Offset(offset, count));
                let _ = bench.read(table, selector);
            }
            bench.now = bench.device.poll_timeout().unwrap_or(bench.now).max(bench.now);
            bench.handle_timeout();
        }
        for table in bench.device.tables() {
            let found = bench.read(table, Selector::Offset(0, 1));
            prop_assert!(found.is_ok() || found == Err(ResponseCode::Isc));
        }
    }

    #[test]
    fn without_rights_nothing_changes(requests in prop::collection::vec(any_request(), 1..20)) {
        let shown = |bench: &mut Bench| {
            let tables = bench.device.tables().chain([0x0800]);
            // Logs may tell of attempts, ST7 and ST8 are for readers.
            let tables = tables.filter(|table| !(70..80).contains(table));
            tables.map(|table| bench.read(table, Selector::Full)).collect::<Vec<_>>()
        };
        let mut bench = Bench::metered(b"READER");
        bench.session = Session::new(Mode::Encrypted);
        let before = shown(&mut bench);
        for (_, table, part, data) in requests {
            let code = bench.write(table, part.map(|(offset, _)| offset), &data);
            prop_assert_ne!(code, ResponseCode::Ok);
        }
        prop_assert_eq!(shown(&mut bench), before);
    }
}

mod metered;
