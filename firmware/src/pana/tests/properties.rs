//! Parsers and machines on arbitrary octets.

use proptest::prelude::*;

use super::*;

/// A message with a plausible header, so that parsing gets past it.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    (
        0_u16..7,
        any::<u8>(),
        any::<u32>(),
        prop::collection::vec(
            (
                0_u16..16,
                any::<bool>(),
                prop::collection::vec(any::<u8>(), 0..24),
            ),
            0..6,
        ),
    )
        .prop_map(|(kind, flags, sequence, avps)| {
            let mut octets = vec![];
            let header = Header {
                length: 0,
                flags: Flags::from_bits(u16::from(flags) << 8),
                kind: MessageType::from_id(kind),
                session_id: sequence.rotate_left(7),
                sequence,
            };
            octets.extend_from_slice(&header.emit());
            for (code, vendor, value) in avps {
                match avp::Code::from_id(code).filter(|_| !vendor) {
                    Some(code) => avp::push(&mut octets, code, &value),
                    None => avp::push_vendor(&mut octets, 37_244, code, &value),
                }
            }
            let length = octets.len() as u16;
            octets[2..4].copy_from_slice(&length.to_be_bytes());
            octets
        })
}

fn hurl(pair: &mut Pair, octets: &[u8]) {
    let keys = pair.pac.association().map(Association::key_id);
    for to in [To::Pac, To::Paa] {
        let _ = pair.deliver(to, pac_address(), octets);
    }
    assert_eq!(
        pair.pac.association().map(Association::key_id),
        keys,
        "arbitrary octets neither open nor close a session"
    );
}

proptest! {
    #[test]
    fn arbitrary_octets_are_survived(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Message::parse(&octets);
        hurl(&mut Pair::new(&config(&[SHA1], true, 20), true), &octets);
    }

    #[test]
    fn plausible_messages_are_survived_in_every_phase(
        messages in prop::collection::vec(messages(), 1..8),
        phase_ms in 0_u64..400,
    ) {
        let mut pair = Pair::new(&config(&[SHA256], true, 16), true);
        for octets in &messages {
            hurl(&mut pair, octets);
        }
        pair.start();
        pair.run_for(Duration::from_millis(phase_ms));
        for octets in &messages {
            // The right session and number, so that only the contents can be wrong.
            for sent in pair.sent.clone() {
                let mut octets = octets.clone();
                octets[8..16].copy_from_slice(&sent.octets[8..16]);
                hurl(&mut pair, &octets);
            }
        }
    }

    #[test]
    fn relayed_messages_survive(octets in prop::collection::vec(any::<u8>(), 16..200), port in any::<u16>()) {
        let mut pry = vec![0xA5; 400];
        let pac = SocketAddr::new([0xFE, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1].into(), port);
        let len = relay::wrap(pac, &octets, &mut pry).unwrap();
        let message = Message::parse(&pry[..len]).unwrap();
        prop_assert_eq!(message.pac, Some(pac));
        prop_assert_eq!(message.relayed, Some(&octets[..]));
    }

    #[test]
    fn one_flipped_bit_of_a_protected_message_is_noticed(bit in 0_usize..44 * 8) {
        let mut pair = Pair::new(&config(&[SHA1], true, 20), true).authenticated();
        pair.pac_ping();
        let mut octets = pair.sent.last().unwrap().octets.clone();
        octets[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(pair.deliver(To::Paa, pac_address(), &octets).is_err());
        pair.run_for(Duration::from_secs(1));
        prop_assert!(matches!(pair.pac_events.last(), Some(PacEvent::PingAnswered)));
    }
}
