//! Octets that no technician sends, at the optical port of a complete meter.
//!
//! A meter that somebody has pestered is compared with one that nobody has touched: both have
//! measured the same and are read by the same honest session, table by table.

mod port;

use alloc::collections::BTreeMap;
use std::format;
use std::string::String;

use proptest::prelude::*;

use super::*;
use crate::c1218::packet::{ACK, Control, NAK, START};
use crate::c1218::service::Negotiate;
use crate::c1218::{Packet, Parameters, Reject as Cause, crc};
use crate::metrology::{self, Energy, Instantaneous, Sample};
use port::{INTER_CHARACTER, Port, untouched};

/// ST5, which an installer may write.
const IDENTIFICATION: u16 = 5;
/// The history log, ST74: who has written and run what.
const HISTORY: u16 = 74;
/// The event log, ST76: wrong passwords among others.
const EVENTS: u16 = 76;

/// Numbers of the tables in which two meters differ.
fn differing(one: &BTreeMap<u16, Vec<u8>>, other: &BTreeMap<u16, Vec<u8>>) -> Vec<u16> {
    let differs = |table: &&u16| one[table] != other[table];
    one.keys().filter(differs).copied().collect()
}

fn message(request: &Line<'_>) -> Vec<u8> {
    let mut buffer = [0xA5; 64];
    let mut writer = Writer::new(&mut buffer);
    request.emit(&mut writer).unwrap();
    writer.written().to_vec()
}

fn sound(toggle: bool, data: &[u8]) -> Vec<u8> {
    let control = Control {
        toggle,
        ..Control::default()
    };
    let packet = Packet {
        identity: 0,
        control,
        sequence: 0,
        data,
    };
    let mut octets = vec![0xA5; packet.len()];
    packet.emit(&mut Writer::new(&mut octets)).unwrap();
    octets
}

/// Makes the check sequence right again.
fn sealed(mut octets: Vec<u8>) -> Vec<u8> {
    let body = octets.len() - 2;
    let crc = crc::of(&octets[..body]).to_le_bytes();
    octets[body..].copy_from_slice(&crc);
    octets
}

fn logon() -> Request<'static> {
    Request::Logon(Logon {
        user_id: 666,
        user: *b"NOBODY    ",
        idle_timeout_s: None,
    })
}

fn write(table: u16, data: &[u8]) -> Request<'_> {
    Request::Write(Write {
        table: TableId(table),
        selector: Selector::Full,
        data,
    })
}

/// A session with a password that tries to write.
fn session(password: &[u8], identifications: &[[u8; 20]]) -> Vec<Vec<u8>> {
    let offer = Negotiate {
        packet_size: 128,
        packets: 4,
        bauds: &[6, 8],
    };
    let read = Read {
        table: TableId(23),
        selector: Selector::Full,
    };
    let switch = SwitchCommand::of(SwitchAction::Open, 0).octets();
    let mut open = [0; 32];
    let mut writer = Writer::new(&mut open);
    let initiate = Initiate {
        procedure: switch::PROCEDURE,
        sequence: 1,
        parameters: &switch,
    };
    initiate.emit(&mut writer).unwrap();
    let mut requests = vec![
        Line::Common(Request::Identification),
        Line::Negotiate(offer),
        Line::Common(logon()),
        Line::Common(Request::Security(Key::new(password, None))),
        Line::Common(Request::Read(read)),
    ];
    let writes = identifications.iter();
    requests.extend(writes.map(|octets| Line::Common(write(IDENTIFICATION, octets))));
    if password != b"MASTER" {
        requests.push(Line::Common(write(7, writer.written())));
    }
    requests.push(Line::Common(Request::Logoff));
    requests.push(Line::Common(Request::Terminate));
    let packets = requests.iter().enumerate();
    packets
        .map(|(index, request)| sound(index % 2 == 1, &message(request)))
        .collect()
}

/// The requests of a session that a published client held; its password is not known here.
fn recorded() -> Vec<Vec<u8>> {
    let text = include_str!("../../../../tests/vectors-metering/c1218_live_client.json");
    let vectors: serde_json::Value = serde_json::from_str(text).unwrap();
    let packets = vectors["packets"].as_array().unwrap().iter();
    let packets = packets.filter(|packet| packet["dir"] == "rx");
    let octets = packets.map(|packet| {
        let text = packet["octets"].as_str().unwrap();
        let pairs = (0..text.len()).step_by(2);
        pairs
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    });
    octets.collect()
}

/// What befalls a packet of a session.
#[derive(Clone, Debug)]
enum Fault {
    None,
    Lost,
    Altered(usize, u8),
    Cut(usize),
    Twice,
    /// After the next one.
    Late,
    /// Announces more octets than it has.
    Long(u16),
    /// Claims to be one of several, with the right check sequence.
    Sequence(u8, u8),
    /// Its response is not acknowledged.
    Unanswered,
}

fn faults() -> impl Strategy<Value = Vec<(Fault, u64)>> {
    let fault = prop_oneof![
        12 => Just(Fault::None),
        1 => Just(Fault::Lost),
        2 => (any::<usize>(), 1_u8..).prop_map(|(at, mask)| Fault::Altered(at, mask)),
        1 => any::<usize>().prop_map(Fault::Cut),
        1 => Just(Fault::Twice),
        1 => Just(Fault::Late),
        1 => (1_u16..).prop_map(Fault::Long),
        1 => any::<(u8, u8)>().prop_map(|(control, left)| Fault::Sequence(control, left)),
        1 => Just(Fault::Unanswered),
    ];
    prop::collection::vec((fault, pauses()), 0..16)
}

/// Milliseconds between two things said.
fn pauses() -> impl Strategy<Value = u64> {
    prop_oneof![6 => Just(0_u64), 3 => 1..500_u64, 2 => 500..3_000_u64, 1 => 3_000..9_000_u64]
}

/// Says the packets of a session, each with its fault; what has no fault left is said as it is.
fn perform(port: &mut Port, packets: &[Vec<u8>], faults: &[(Fault, u64)]) {
    let mut late = None;
    for (index, packet) in packets.iter().enumerate() {
        let (fault, pause) = faults.get(index).unwrap_or(&(Fault::None, 0));
        let mut octets = packet.clone();
        match fault {
            Fault::None | Fault::Unanswered => {}
            Fault::Lost => octets.clear(),
            Fault::Altered(at, mask) => {
                let at = at % octets.len();
                octets[at] ^= mask;
            }
            Fault::Cut(len) => octets.truncate(len % octets.len()),
            Fault::Twice => octets.extend_from_slice(packet),
            Fault::Late => late = Some(core::mem::take(&mut octets)),
            Fault::Long(more) => {
                let len = u16::from_be_bytes([octets[4], octets[5]]).wrapping_add(*more);
                octets[4..6].copy_from_slice(&len.to_be_bytes());
            }
            Fault::Sequence(control, left) => {
                octets[2] = control & 0xE0;
                octets[3] = *left;
                octets = sealed(octets);
            }
        }
        port.say(&octets);
        if !matches!(fault, Fault::Unanswered | Fault::Late) {
            port.say(&[ACK]);
        }
        if !matches!(fault, Fault::Late)
            && let Some(octets) = late.take()
        {
            port.say(&octets);
            port.say(&[ACK]);
        }
        port.wait(Duration::from_millis(*pause));
    }
}

/// Something that is no session.
#[derive(Clone, Debug)]
enum Nuisance {
    Octets(Vec<u8>),
    /// A sound packet with these contents, as long as that may be.
    Sound(Vec<u8>),
    Answer(bool),
    Negotiate(u16, u8, Vec<u8>),
    Linger(u8),
    Logon,
    Guess(Vec<u8>),
}

fn nuisances() -> impl Strategy<Value = Vec<(Nuisance, u64)>> {
    let octets = |len| prop::collection::vec(any::<u8>(), 0..len);
    let headed = octets(40).prop_map(|octets| [&[START, 0][..], &octets].concat());
    let guess = prop_oneof![
        octets(20),
        Just(b"MASTE".to_vec()),
        Just(b"master".to_vec())
    ];
    let nuisance = prop_oneof![
        2 => octets(120).prop_map(Nuisance::Octets),
        2 => headed.prop_map(Nuisance::Octets),
        2 => octets(120).prop_map(Nuisance::Sound),
        2 => any::<bool>().prop_map(Nuisance::Answer),
        1 => (any::<u16>(), any::<u8>(), octets(11))
            .prop_map(|(size, packets, bauds)| Nuisance::Negotiate(size, packets, bauds)),
        1 => any::<u8>().prop_map(Nuisance::Linger),
        1 => Just(Nuisance::Logon),
        2 => guess.prop_map(Nuisance::Guess),
    ];
    prop::collection::vec((nuisance, pauses()), 0..24)
}

fn pester(port: &mut Port, nuisances: &[(Nuisance, u64)]) {
    for (nuisance, pause) in nuisances {
        match nuisance {
            Nuisance::Octets(octets) => port.say(octets),
            Nuisance::Sound(data) => {
                let packet = port.packet(data);
                port.say(&packet);
            }
            Nuisance::Answer(sound) => port.say(&[if *sound { ACK } else { NAK }]),
            Nuisance::Negotiate(packet_size, packets, bauds) => {
                port.ask(&Line::Common(Request::Identification));
                port.ask(&Line::Negotiate(Negotiate {
                    packet_size: *packet_size,
                    packets: *packets,
                    bauds,
                }));
            }
            Nuisance::Linger(seconds) => port.ask(&Line::Common(Request::Wait(*seconds))),
            Nuisance::Logon => {
                port.ask(&Line::Common(Request::Identification));
                port.ask(&Line::Common(logon()));
            }
            Nuisance::Guess(password) => {
                let guess = Request::Security(Key::new(password, None));
                port.ask(&Line::Common(guess));
            }
        }
        port.wait(Duration::from_millis(*pause));
    }
}

/// A meter that was pestered without a password: only its event log may tell of it.
fn assert_unaltered(port: &mut Port, before: &BTreeMap<u16, Vec<u8>>) -> Result<(), TestCaseError> {
    port.settle();
    port.assert_accounted()?;
    prop_assert!(!port.was_authorised());
    let after = port.read_honestly();
    let expected: &[u16] = if port.wrong_passwords() > 0 {
        &[EVENTS]
    } else {
        &[]
    };
    prop_assert_eq!(differing(before, &after), expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn octets_without_a_session_alter_nothing(nuisances in nuisances()) {
        let mut port = Port::new();
        pester(&mut port, &nuisances);
        assert_unaltered(&mut port, &untouched())?;
    }

    #[test]
    fn mutilated_sessions_without_a_password_alter_nothing(
        of_client: bool,
        faults in faults(),
        nuisances in nuisances(),
    ) {
        let mut port = Port::new();
        let packets = if of_client { recorded() } else { session(b"MASTERS", &[[b'?'; 20]]) };
        perform(&mut port, &packets, &faults);
        pester(&mut port, &nuisances);
        assert_unaltered(&mut port, &untouched())?;
    }

    /// With the password something is written whole, as it was meant, or not at all.
    #[test]
    fn a_mutilated_session_with_the_password_writes_what_it_means(faults in faults()) {
        let before = untouched();
        let mut port = Port::new();
        let meant = [[b'A'; 20], [b'B'; 20]];
        perform(&mut port, &session(b"MASTER", &meant), &faults);
        port.settle();
        port.assert_accounted()?;
        let after = port.read_honestly();
        let mut altered = differing(&before, &after);
        altered.retain(|table| !matches!(*table, IDENTIFICATION | HISTORY | EVENTS));
        prop_assert_eq!(altered, &[] as &[u16]);
        let response = &after[&IDENTIFICATION];
        if *response == before[&IDENTIFICATION] {
            prop_assert_eq!(&after[&HISTORY], &before[&HISTORY]);
        } else {
            prop_assert!(port.was_authorised());
            let response = Response::parse(response).unwrap();
            let written = Blocks::new(response.data).single().unwrap();
            prop_assert!(meant.iter().any(|meant| meant == written), "{:02x?}", written);
        }
    }
}

/// One thing that is wrong with what is said, and nothing else.
#[derive(Clone, Debug)]
enum Defect {
    Noise(u8),
    CheckSequence(u16),
    Control(u8),
    Identity(u8),
    /// A packet that says that others follow, but not that it is one of several.
    Alone(u8),
    /// A packet that continues nothing.
    Orphan(u8),
    Cut(usize),
    Long(u16),
    Repeated,
    Answer(bool),
    Service(usize),
}

fn defects() -> impl Strategy<Value = Vec<Defect>> {
    let defect = prop_oneof![
        any::<u8>()
            .prop_filter("no noise", |octet| !matches!(*octet, START | ACK | NAK))
            .prop_map(Defect::Noise),
        (1_u16..).prop_map(Defect::CheckSequence),
        (1_u8..0x20).prop_map(Defect::Control),
        (1_u8..).prop_map(Defect::Identity),
        (1_u8..).prop_map(Defect::Alone),
        any::<u8>().prop_map(Defect::Orphan),
        any::<usize>().prop_map(Defect::Cut),
        (1_000_u16..).prop_map(Defect::Long),
        Just(Defect::Repeated),
        any::<bool>().prop_map(Defect::Answer),
        any::<usize>().prop_map(Defect::Service),
    ];
    prop::collection::vec(defect, 1..9)
}

/// Services that end early, or whose data have another checksum.
const BROKEN: [&[u8]; 4] = [
    &[0x50, 0x00],
    &[0x30, 0x00],
    &[0x40, 0, 5, 0, 1, 0x41, 0],
    &[0x60],
];

impl Defect {
    /// Says something with the defect; returns the cause for which it is to be discarded.
    fn commit(&self, port: &mut Port) -> Cause {
        let read = [0x30, 0, 1];
        let mut octets = sound(port.toggle, &read);
        let cause = match self {
            Self::Noise(octet) => {
                octets = vec![*octet];
                Cause::Noise
            }
            Self::CheckSequence(mask) => {
                let at = octets.len() - 2;
                octets[at] ^= (mask >> 8) as u8;
                octets[at + 1] ^= *mask as u8;
                Cause::Crc
            }
            Self::Control(bits) => {
                octets[2] |= bits;
                Cause::Control
            }
            Self::Identity(identity) => {
                octets[1] = *identity;
                Cause::Identity
            }
            Self::Alone(left) => {
                octets[3] = *left;
                Cause::Sequence
            }
            Self::Orphan(left) => {
                (octets[2], octets[3]) = (0x80, *left);
                Cause::Sequence
            }
            Self::Cut(len) => {
                octets.truncate(1 + len % (octets.len() - 1));
                Cause::InterCharacter
            }
            Self::Long(len) => {
                octets[4..6].copy_from_slice(&len.to_be_bytes());
                Cause::Length
            }
            Self::Repeated => {
                octets = sound(!port.toggle, &read);
                Cause::Duplicate
            }
            Self::Answer(sound) => {
                octets = vec![if *sound { ACK } else { NAK }];
                Cause::UnexpectedAnswer
            }
            Self::Service(index) => {
                let broken = BROKEN[index % BROKEN.len()];
                octets = port.packet(broken);
                Cause::Service
            }
        };
        if matches!(cause, Cause::Control | Cause::Identity | Cause::Sequence) {
            octets = sealed(octets);
        }
        port.say(&octets);
        cause
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Each defect is counted once, for its cause, and answered as the cause says.
    #[test]
    fn every_defect_is_counted_by_its_cause(negotiated: bool, defects in defects()) {
        let mut port = Port::new();
        port.ask(&Line::Common(Request::Identification));
        if negotiated {
            let (packet_size, packets) = (256, 8);
            port.ask(&Line::Negotiate(Negotiate { packet_size, packets, bauds: &[] }));
            prop_assert_eq!(port.pair.meter.optical_parameters().packet_size, packet_size);
        } else {
            prop_assert_eq!(port.pair.meter.optical_parameters(), Parameters::default());
        }
        port.ask(&Line::Common(logon()));
        for defect in &defects {
            // What is repeated, and what the defect is told from, is this request.
            let packet = port.packet(&[0x30, 0, 1]);
            port.say(&packet);
            port.say(&[ACK]);
            let (acks, naks) = (port.acks, port.naks);
            let known = port.events.len();
            let cause = defect.commit(&mut port);
            port.wait(INTER_CHARACTER);
            prop_assert_eq!(&port.events[known..], &[ServerEvent::Rejected(cause)]);
            let refused = matches!(cause, Cause::Crc | Cause::Control | Cause::Sequence
                | Cause::InterCharacter | Cause::Length);
            let accepted = matches!(cause, Cause::Duplicate | Cause::Service);
            let answers = (port.acks - acks, port.naks - naks);
            prop_assert_eq!(answers, (usize::from(accepted), usize::from(refused)));
            if matches!(cause, Cause::Service) {
                port.say(&[ACK]);
            }
        }
        assert_unaltered(&mut port, &untouched())?;
    }
}

/// Somebody who streams an endless packet holds no session, and what he streams is counted.
#[test]
fn a_packet_without_an_end_holds_no_session() {
    let mut port = Port::new();
    port.ask(&Line::Common(Request::Identification));
    port.ask(&Line::Common(logon()));
    port.say(&[START, 0, 0, 0, 0xFF, 0xFF]);
    for _ in 0..20 {
        port.wait(Duration::from_millis(400));
        port.say(&[0x55]);
    }
    let ended = |event: &ServerEvent| match event {
        ServerEvent::Ended(contact) => Some(contact.ending),
        _ => None,
    };
    let endings: Vec<_> = port.events.iter().filter_map(ended).collect();
    assert_eq!(endings, [Ending::Silence]);
    assert_eq!(port.tally(Cause::Length), 1, "{:?}", port.events);
}

/// The comparison is worth something: the tables are there, and a technician's write is seen.
#[test]
fn an_honest_write_is_seen_by_the_comparison() {
    let before = untouched();
    let kept = before.values().filter(|response| response[0] == 0).count();
    let refused: Vec<String> = before
        .iter()
        .filter(|(_, response)| !matches!(response[0], 0 | 5))
        .map(|(table, response)| format!("{table}: {response:02x?}"))
        .collect();
    assert!(kept > 45, "{kept} tables are read");
    assert_eq!(refused.len(), 3, "passwords, keys, image: {refused:?}");
    let mut port = Port::new();
    perform(&mut port, &session(b"MASTER", &[[b'A'; 20]]), &[]);
    port.settle();
    let after = port.read_honestly();
    assert_eq!(differing(&before, &after), [IDENTIFICATION, HISTORY]);
}
