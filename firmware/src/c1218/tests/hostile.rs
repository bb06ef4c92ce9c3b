//! Damaged, repeated and misplaced packets (C12.18-2006 §4.4).

use super::*;

const ACK: u8 = packet::ACK;
const NAK: u8 = packet::NAK;

/// Hands octets to the meter at once; what it answers immediately.
fn say(rig: &mut Rig, octets: &[u8]) -> Vec<Vec<u8>> {
    rig.server.handle_octets(octets, &mut rig.memory, rig.now);
    rig.events
        .extend(std::iter::from_fn(|| rig.server.poll_event()));
    answers(rig)
}

fn answers(rig: &mut Rig) -> Vec<Vec<u8>> {
    let sent = std::iter::from_fn(|| rig.server.poll_transmit(rig.now));
    sent.map(|sent| sent.octets).collect()
}

/// Lets time pass and hears what the meter says then.
fn wait(rig: &mut Rig, millis: u64) -> Vec<Vec<u8>> {
    rig.now += Duration::from_millis(millis);
    rig.server.handle_timeout(&mut rig.memory, rig.now);
    rig.events
        .extend(std::iter::from_fn(|| rig.server.poll_event()));
    answers(rig)
}

/// A rig whose meter is in a session; the next packet to it has this toggle.
fn in_session() -> (Rig, bool) {
    let mut rig = Rig::new();
    for (toggle, request) in [(false, Service::Identification), (true, logon())] {
        let octets = packet(toggle, &message(&Request::Common(request)));
        assert_eq!(say(&mut rig, &octets).len(), 2);
        say(&mut rig, &[ACK]);
    }
    (rig, false)
}

#[test]
fn a_wrong_check_sequence_is_asked_for_again() {
    let (mut rig, toggle) = in_session();
    let sound = packet(toggle, &[0x30, 0, 1]);
    for index in 0..sound.len() {
        let mut octets = sound.clone();
        octets[index] ^= 0x04;
        let reads = rig.memory.reads;
        let mut said = say(&mut rig, &octets);
        said.extend(wait(&mut rig, 500));
        // Without its first octet it is no packet; with another length it ends elsewhere.
        let expected: &[Vec<u8>] = if index == 0 { &[] } else { &[vec![NAK]] };
        assert_eq!(said, expected, "octet {index}");
        assert_eq!(rig.memory.reads, reads);
        rig.now += Duration::from_secs(1);
    }
    assert_eq!(rig.rejected(Reject::Noise), 1);
    assert_eq!(rig.rejected(Reject::InterCharacter), 1);
    assert_eq!(rig.rejected(Reject::Length), 1);
    assert_eq!(rig.rejected(Reject::Crc), sound.len() - 3);
    assert_eq!(say(&mut rig, &sound)[0], [ACK]);
}

#[test]
fn undefined_control_bits_are_refused() {
    let (mut rig, _) = in_session();
    for control in [0x01, 0x02, 0x04, 0x08, 0x10, 0x40] {
        let mut octets = packet(false, &[0x30, 0, 1]);
        octets[2] = control;
        let body = octets.len() - 2;
        let crc = crc::of(&octets[..body]).to_le_bytes();
        octets[body..].copy_from_slice(&crc);
        assert_eq!(say(&mut rig, &octets), [[NAK]], "{control:02x}");
    }
    assert_eq!(rig.rejected(Reject::Control), 6);
    assert_eq!(rig.memory.reads, 0);
}

#[test]
fn a_packet_for_another_device_is_not_heard() {
    let (mut rig, _) = in_session();
    let mut octets = packet(false, &[0x30, 0, 1]);
    octets[1] = 7;
    let body = octets.len() - 2;
    let crc = crc::of(&octets[..body]).to_le_bytes();
    octets[body..].copy_from_slice(&crc);
    assert!(say(&mut rig, &octets).is_empty());
    assert_eq!(rig.rejected(Reject::Identity), 1);
}

#[test]
fn a_repeated_packet_is_acknowledged_and_not_carried_out_again() {
    let (mut rig, toggle) = in_session();
    say(
        &mut rig,
        &packet(toggle, &message(&Request::Common(security(b"MASTER")))),
    );
    say(&mut rig, &[ACK]);
    let octets = packet(!toggle, &message(&Request::Common(write(54, b"once"))));
    assert_eq!(say(&mut rig, &octets).len(), 2);
    assert_eq!(
        say(&mut rig, &octets),
        [[ACK]],
        "while the response is awaited"
    );
    assert_eq!(rig.memory.writes, 1);
    say(&mut rig, &[ACK]);
    assert_eq!(say(&mut rig, &octets), [[ACK]]);
    assert_eq!(rig.memory.writes, 1);
    assert_eq!(rig.rejected(Reject::Duplicate), 2);
    // The same contents with the other toggle are a new request.
    let octets = packet(toggle, &message(&Request::Common(write(54, b"once"))));
    assert_eq!(say(&mut rig, &octets).len(), 2);
    assert_eq!(rig.memory.writes, 2);
}

#[test]
fn a_packet_where_an_acknowledgement_was_due_is_a_new_request() {
    let (mut rig, toggle) = in_session();
    let first = say(&mut rig, &packet(toggle, &[0x30, 0, 1]));
    assert_eq!(first.len(), 2);
    let second = say(&mut rig, &packet(!toggle, &[0x30, 0, 54]));
    assert_eq!(second[0], [ACK]);
    let data = |octets: &[u8]| Packet::parse(octets).unwrap().data.to_vec();
    assert_eq!(
        data(&second[1])[1..3],
        [0, 30],
        "the answer to the second one"
    );
    let toggles = [&first[1], &second[1]].map(|octets| octets[2] & 0x20);
    assert_ne!(toggles[0], toggles[1], "it is no repetition");
    assert!(rig.server.is_in_session());
}

#[test]
fn a_response_is_repeated_three_times() {
    let (mut rig, toggle) = in_session();
    let response = say(&mut rig, &packet(toggle, &[0x30, 0, 1])).split_off(1);
    assert_eq!(say(&mut rig, &[NAK]), response, "at once");
    for _ in 0..2 {
        assert!(wait(&mut rig, 1_900).is_empty());
        assert_eq!(wait(&mut rig, 200), response);
    }
    assert!(wait(&mut rig, 2_100).is_empty());
    assert_eq!(rig.contacts()[0].ending, Ending::Lost);
    assert_eq!(rig.contacts()[0].repetitions, 3);
    assert!(!rig.server.is_in_session());
    say(&mut rig, &[ACK]);
    assert_eq!(rig.rejected(Reject::UnexpectedAnswer), 1);
}

#[test]
fn a_packet_that_stops_is_asked_for_again() {
    let (mut rig, toggle) = in_session();
    let octets = packet(toggle, &[0x30, 0, 1]);
    assert!(say(&mut rig, &octets[..4]).is_empty());
    assert!(wait(&mut rig, 499).is_empty());
    assert!(
        say(&mut rig, &octets[4..8]).is_empty(),
        "it goes on in time"
    );
    assert!(wait(&mut rig, 499).is_empty());
    assert_eq!(wait(&mut rig, 1), [[NAK]]);
    assert_eq!(rig.rejected(Reject::InterCharacter), 1);
    assert_eq!(say(&mut rig, &octets)[0], [ACK]);
}

#[test]
fn a_packet_longer_than_agreed_is_skipped() {
    let (mut rig, toggle) = in_session();
    let octets = packet(toggle, &[0x41; 57]);
    assert!(say(&mut rig, &octets).is_empty());
    assert_eq!(wait(&mut rig, 500), [[NAK]]);
    assert_eq!(rig.rejected(Reject::Length), 1);
    assert_eq!(rig.memory.writes, 0);
}

fn part(control: u8, sequence: u8, data: &[u8]) -> Vec<u8> {
    let mut octets = vec![0xEE, 0, control, sequence, 0, data.len() as u8];
    octets.extend_from_slice(data);
    let crc = crc::of(&octets).to_le_bytes();
    octets.extend_from_slice(&crc);
    octets
}

#[test]
fn the_packets_of_a_message_come_in_order() {
    let (mut rig, _) = in_session();
    assert_eq!(say(&mut rig, &part(0x80, 1, b"x")), [[NAK]], "no first one");
    assert_eq!(say(&mut rig, &part(0x00, 1, b"x")), [[NAK]], "one of one");
    assert_eq!(say(&mut rig, &part(0xC0, 2, &[0x30])), [[ACK]]);
    assert_eq!(
        say(&mut rig, &part(0xA0, 0, &[0])),
        [[NAK]],
        "one is missing"
    );
    assert_eq!(say(&mut rig, &part(0xA0, 1, &[0])), [[ACK]]);
    assert_eq!(
        say(&mut rig, &part(0x80, 0, &[1])).len(),
        2,
        "a read of ST1"
    );
    assert_eq!((rig.rejected(Reject::Sequence), rig.memory.reads), (3, 1));
    say(&mut rig, &[ACK]);
    assert_eq!(say(&mut rig, &part(0xE0, 200, &[0x30])), [[ACK]]);
    assert_eq!(say(&mut rig, &part(0x00, 0, &[0x52])).len(), 2);
    assert_eq!(rig.rejected(Reject::Unfinished), 1);
}

/// A write beyond the agreed packets: all of them are acknowledged, nothing is written.
#[test]
fn a_message_longer_than_agreed_is_not_possible() {
    let (mut rig, _) = in_session();
    let mut said = vec![];
    for (index, sequence) in (0..3).rev().enumerate() {
        let control = if index == 0 { 0xC0 } else { 0x80 } | (index as u8 % 2) << 5;
        let octets = part(control, sequence, &[0x40; 56]);
        said = say(&mut rig, &octets);
        assert_eq!(said[0], [ACK]);
    }
    assert_eq!(Packet::parse(&said[1]).unwrap().data, [4]);
    assert_eq!(rig.rejected(Reject::Oversize), 1);
    assert_eq!(rig.memory.writes, 0);
}

/// The negative behaviour that the specification digest lists for the tables.
#[test]
fn requests_without_rights_are_refused() {
    let mut rig = Rig::new();
    rig.log_on();
    assert_eq!(
        rig.common(write(1, b"x")),
        [3],
        "a table that cannot be written"
    );
    assert_eq!(rig.common(read(99)), [5], "a table that does not exist");
    let beyond = Service::Read(Read {
        table: TableId(1),
        selector: Selector::Offset(15, 2),
    });
    assert_eq!(rig.common(beyond), [4], "octets beyond the table");
    assert_eq!(rig.memory.writes, 0);
}
