//! Lines that lose and alter, and arbitrary octets.

use proptest::prelude::*;

use super::*;

/// What befalls one transmission.
#[derive(Clone, Debug)]
enum Fault {
    None,
    Lost,
    Altered(usize, u8),
    Cut(usize),
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let fault = prop_oneof![
        8 => Just(Fault::None),
        1 => Just(Fault::Lost),
        1 => (any::<usize>(), 1_u8..).prop_map(|(at, mask)| Fault::Altered(at, mask)),
        1 => any::<usize>().prop_map(Fault::Cut),
    ];
    prop::collection::vec(fault, 0..60)
}

fn on_line(faults: Vec<Fault>) -> Mistake {
    std::boxed::Box::new(move |index, octets| match faults.get(index) {
        Some(Fault::Lost) => octets.clear(),
        Some(Fault::Altered(at, mask)) => {
            let at = at % octets.len();
            octets[at] ^= mask;
        }
        Some(Fault::Cut(len)) => octets.truncate(len % octets.len()),
        Some(Fault::None) | None => {}
    })
}

fn octets(len: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..len)
}

proptest! {
    #[test]
    fn packets_read_back(
        data in octets(600),
        toggle: bool,
        multi: bool,
        first: bool,
        sequence: u8,
    ) {
        let control = packet::Control { multi, first: multi && first, toggle };
        let packet = Packet { identity: 0, control, sequence, data: &data };
        let mut octets = vec![0xA5; packet.len()];
        packet.emit(&mut Writer::new(&mut octets)).unwrap();
        prop_assert_eq!(Packet::parse(&octets), Ok(packet));
    }

    #[test]
    fn every_burst_of_sixteen_bits_is_noticed(data in octets(64), at: usize, mask in 1_u16..) {
        let mut octets = packet(false, &data);
        let at = at % (octets.len() - 1);
        octets[at] ^= (mask >> 8) as u8;
        octets[at + 1] ^= mask as u8;
        prop_assert!(Packet::parse(&octets).is_err());
    }

    /// A request either fails, or its response is the right one; what is written is written once.
    #[test]
    fn a_bad_line_falsifies_nothing(faults in faults(), data in prop::collection::vec(any::<u8>(), 30)) {
        let mut rig = Rig::new();
        rig.log_on();
        prop_assert_eq!(rig.common(security(b"MASTER")), [0]);
        rig.transmissions = 0;
        rig.mistake = on_line(faults);
        // What takes the client six seconds finds the session closed.
        const ISSS: [u8; 1] = [0x0A];
        let written = rig.ask(&Request::Common(write(54, &data)));
        let seen = match written.as_deref() {
            // A client that has failed starts over.
            None => None,
            Some(response) if response == ISSS => None,
            Some(response) => {
                prop_assert_eq!(response, [0]);
                prop_assert_eq!(rig.memory.writes, 1);
                prop_assert_eq!(&rig.memory.contents[&54], &data);
                rig.ask(&Request::Common(read(64)))
            }
        };
        if let Some(response) = seen.filter(|response| response != &ISSS) {
            prop_assert_eq!(&response[3..2_003], &rig.memory.contents[&64]);
        }
        prop_assert!(rig.memory.writes <= 1);
        // The line recovers, and so does everybody on it.
        rig.mistake = on_line(vec![]);
        rig.run_for(Duration::from_secs(20));
        prop_assert!(!rig.server.is_in_session());
        rig.client = Client::new(Timing::default());
        rig.log_on();
    }

    /// Octets that nobody meant: no panic, no change of a table, and the port still serves.
    #[test]
    fn arbitrary_octets_change_nothing(pieces in prop::collection::vec(octets(80), 1..12)) {
        let mut rig = Rig::new();
        rig.log_on();
        let before = rig.memory.contents.clone();
        for piece in pieces {
            rig.server.handle_octets(&piece, &mut rig.memory, rig.now);
            rig.run_for(Duration::from_millis(300));
        }
        prop_assert_eq!(&rig.memory.contents, &before);
        rig.run_for(Duration::from_secs(20));
        rig.client = Client::new(Timing::default());
        rig.log_on();
    }

    /// Sound packets with arbitrary contents: every one is answered.
    #[test]
    fn arbitrary_requests_are_answered(contents in prop::collection::vec(octets(56), 1..12)) {
        let mut server = Server::new(Policy::default());
        let mut memory = Memory::new();
        for (index, data) in contents.iter().enumerate() {
            let octets = packet(index % 2 == 1, data);
            server.handle_octets(&octets, &mut memory, Instant::ZERO);
            let sent: Vec<_> = std::iter::from_fn(|| server.poll_transmit(Instant::ZERO)).collect();
            prop_assert_eq!(&sent[0].octets, &[packet::ACK]);
            let response = Packet::parse(&sent[1].octets).unwrap();
            prop_assert!(response.data[0] <= 0x0A);
            server.handle_octets(&[packet::ACK], &mut memory, Instant::ZERO);
        }
        prop_assert_eq!(memory.writes, 0);
    }

    #[test]
    fn a_client_survives_arbitrary_octets(pieces in prop::collection::vec(octets(80), 1..12)) {
        let mut client = Client::new(Timing::default());
        client.request(&Request::Common(Service::Identification), Instant::ZERO).unwrap();
        let mut now = Instant::ZERO;
        for piece in pieces {
            client.handle_octets(&piece, now);
            while client.poll_transmit(now).is_some() {}
            now += Duration::from_millis(300);
            client.handle_timeout(now);
        }
        for _ in 0..20 {
            while client.poll_transmit(now).is_some() {}
            let Some(next) = client.poll_timeout() else { break };
            now = now.max(next);
            client.handle_timeout(now);
        }
        prop_assert!(!client.is_waiting());
    }
}
