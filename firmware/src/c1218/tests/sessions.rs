//! Sessions on a line without mistakes.

use super::*;

#[test]
fn a_session_reads_and_writes_and_ends() {
    let mut rig = Rig::new();
    rig.log_on();
    assert_eq!(rig.common(write(54, b"x")), [3], "nobody may write yet");
    assert_eq!(
        rig.common(security(b"MASTER\0\0")),
        [0],
        "zeros pad as well"
    );
    assert_eq!(rig.common(write(54, b"now")), [0]);
    let response = rig.common(read(54));
    assert_eq!(response, [0, 0, 3, b'n', b'o', b'w', 0xAC]);
    let profile = rig.common(read(64));
    assert_eq!(
        profile.len(),
        1 + 2 + 2_000 + 1,
        "nine packets of 248 octets"
    );
    assert_eq!(profile[3..2_003], rig.memory.contents[&64]);
    assert_eq!(rig.common(Service::Logoff), [0]);
    assert_eq!(rig.common(Service::Terminate), [0]);
    assert_eq!(*rig.server.parameters(), Parameters::default());
    assert_eq!(*rig.client.parameters(), Parameters::default());
    let [contact] = rig.contacts()[..] else {
        panic!("{:?}", rig.events);
    };
    assert_eq!(contact.user, Some((2, *b"READER    ")));
    assert_eq!(contact.groups, Groups(0x09));
    assert_eq!((contact.services, contact.refused), (10, 1));
    assert_eq!(contact.ending, Ending::Terminated);
    assert_eq!(contact.repetitions, 0);
    // Again from the beginning, with the toggles of the beginning.
    rig.log_on();
}

/// The time that a read of 32 octets takes, as the specification digest computes it.
#[test]
fn time_passes_by_the_character() {
    let mut rig = Rig::new();
    rig.memory.contents.insert(1, vec![7; 32]);
    rig.common(Service::Identification);
    rig.common(logon());
    let before = rig.now;
    rig.common(read(1));
    // Request 11, response 36 + 8, two acknowledgements: 57 characters of ten bits.
    let characters = 11 + 1 + 44 + 1;
    let expected = Duration::from_nanos(characters * 10_000_000_000 / 9_600);
    let taken = rig.now.saturating_since(before);
    let error = expected.as_nanos().abs_diff(taken.as_nanos());
    assert!(error <= 4, "{taken} instead of {expected}");
}

#[test]
fn a_new_speed_follows_the_acknowledgement() {
    let mut rig = Rig::new();
    rig.common(Service::Identification);
    let negotiate = |size, packets, bauds| {
        Request::Negotiate(Negotiate {
            packet_size: size,
            packets,
            bauds,
        })
    };
    assert_eq!(
        rig.ask(&negotiate(1_024, 255, &[6])).unwrap(),
        [0, 2, 0, 255, 6]
    );
    let agreed = *rig.server.parameters();
    assert_eq!((agreed.packet_size, agreed.packets), (512, 255));
    assert_eq!(agreed, *rig.client.parameters());
    // No speed in common: the current one is reported.
    assert_eq!(
        rig.ask(&negotiate(64, 1, &[0x0E])).unwrap(),
        [0, 0, 64, 1, 6]
    );
    // No speed offered, none reported.
    assert_eq!(rig.ask(&negotiate(64, 2, &[])).unwrap(), [0, 0, 64, 2]);
    // Nothing to talk in.
    assert_eq!(rig.ask(&negotiate(31, 1, &[])).unwrap(), [4]);
    assert_eq!(rig.ask(&negotiate(64, 0, &[])).unwrap(), [4]);
    assert_eq!(rig.server.parameters().packets, 2);
    assert_eq!(
        rig.ask(&negotiate(64, 2, &[1, 0x0A, 3])).unwrap(),
        [0, 0, 64, 2, 10]
    );
    let before = rig.now;
    assert_eq!(rig.common(logon()), [0]);
    let taken = rig.now.saturating_since(before);
    let expected = Baud::FASTEST.time_of(21 + 1 + 9 + 1);
    assert!(
        taken.as_nanos().abs_diff(expected.as_nanos()) <= 4,
        "{taken}"
    );
}

/// Which service is answered how in which state.
#[test]
fn services_out_of_their_state_are_refused() {
    const ISSS: u8 = 0x0A;
    let services: [(&[u8], [u8; 3]); 14] = [
        (&[0x20], [0, 0, ISSS]),
        (&[0x21], [0, 0, 0]),
        (&[0x22], [2, 2, 2]),
        (&[0x24, 0x80, 0], [2, 2, 2]),
        (&[0x30, 0, 1], [ISSS, ISSS, 0]),
        (&[0x40, 0, 54, 0, 0, 0], [ISSS, ISSS, 3]),
        (b"\x50\0\x02READER    ", [ISSS, 0, ISSS]),
        (b"\x51MASTER              ", [ISSS, ISSS, 0]),
        (&[0x52], [ISSS, ISSS, 0]),
        (&[0x53, 0], [2, 2, 2]),
        (&[0x60, 0, 64, 1], [ISSS, 0, 0]),
        (&[0x70, 1], [ISSS, 0, 0]),
        (&[0x71, 6, 1, 2, 3], [2, 2, 2]),
        (&[0x30, 0], [1, 1, 1]),
    ];
    for (service, expected) in services {
        for (state, code) in expected.into_iter().enumerate() {
            let mut server = Server::new(Policy::default());
            let mut memory = Memory::new();
            let mut messages = vec![vec![0x20], message(&Request::Common(logon()))];
            messages.truncate(state);
            messages.push(service.to_vec());
            let mut response = vec![];
            for (index, message) in messages.iter().enumerate() {
                let octets = packet(index % 2 == 1, message);
                server.handle_octets(&octets, &mut memory, Instant::ZERO);
                while let Some(sent) = server.poll_transmit(Instant::ZERO) {
                    response = sent.octets;
                }
                server.handle_octets(&[packet::ACK], &mut memory, Instant::ZERO);
            }
            let response = Packet::parse(&response).unwrap().data;
            assert_eq!(response[0], code, "{service:02x?} in state {state}");
        }
    }
}

#[test]
fn silence_ends_a_session_and_wait_extends_it_once() {
    let mut rig = Rig::new();
    rig.log_on();
    rig.run_for(Duration::from_millis(5_900));
    assert!(rig.server.is_in_session());
    assert_eq!(rig.common(Service::Wait(20)), [0]);
    rig.run_for(Duration::from_secs(19));
    assert!(rig.server.is_in_session());
    assert_eq!(rig.common(read(1))[0], 0);
    rig.run_for(Duration::from_secs(7));
    assert!(!rig.server.is_in_session(), "the extension was for once");
    assert_eq!(rig.contacts()[0].ending, Ending::Silence);
    assert_eq!(rig.server.parameters().packet_size, 64);
    assert_eq!(
        rig.server.poll_timeout(),
        None,
        "an idle port has no timers"
    );
}

#[test]
fn wrong_passwords_lock_the_port() {
    let lockout = Lockout {
        attempts: 3,
        duration: Duration::from_secs(900),
    };
    let mut rig = Rig::with(Policy {
        lockout: Some(lockout),
        ..Policy::default()
    });
    rig.log_on();
    assert_eq!(rig.common(security(b"WRONG")), [3]);
    assert_eq!(rig.common(security(b"MASTER")), [0], "the row is broken");
    assert_eq!(rig.common(write(54, b"1")), [0]);
    for guess in [b"A", b"B"] {
        assert_eq!(rig.common(security(guess)), [3]);
    }
    assert_eq!(rig.common(write(54, b"2")), [0], "the rights stay");
    assert_eq!(rig.common(Service::Logoff), [0]);
    assert_eq!(rig.common(logon()), [0]);
    assert_eq!(rig.common(security(b"C")), [3]);
    let locked_at = rig.now;
    assert_eq!(
        rig.common(security(b"MASTER")),
        [8],
        "locked, right or wrong"
    );
    assert_eq!(rig.common(write(54, b"3")), [3]);
    let locked = rig.events.iter().find_map(|event| match event {
        ServerEvent::LockedOut(until) => Some(*until),
        _ => None,
    });
    assert!(locked.unwrap() <= locked_at + lockout.duration);
    // Neither a new contact nor a loss of power opens the lock.
    rig.server.power_off(rig.now);
    rig.drain();
    assert_eq!(rig.contacts()[0].ending, Ending::PowerFailed);
    assert_eq!(rig.contacts()[0].wrong_passwords, 4);
    rig.client = Client::new(Timing::default());
    rig.log_on();
    assert_eq!(rig.common(security(b"MASTER")), [8]);
    assert_eq!(rig.common(Service::Wait(255)), [0]);
    rig.run_for(Duration::from_secs(250));
    rig.run_for(Duration::from_secs(700));
    rig.client = Client::new(Timing::default());
    rig.log_on();
    assert_eq!(rig.common(security(b"MASTER")), [0]);
}

#[test]
fn what_does_not_fit_is_not_sent() {
    let mut rig = Rig::new();
    rig.common(Service::Identification);
    rig.common(logon());
    assert_eq!(
        rig.common(read(64)),
        [4],
        "2,000 octets in one packet of 64"
    );
    let error = rig
        .client
        .request(&Request::Common(write(54, &[0; 60])), rig.now);
    assert!(error.is_err(), "the client knows as well");
}
