//! Messages that an attacker could send, and what they must not achieve.

use super::*;

/// A meter that waits for PAR\[C\], with the genuine PAR\[C\].
fn awaiting_result(config: &Config) -> (Pair, Vec<u8>) {
    let mut pair = Pair::new(config, true);
    pair.start();
    while pair
        .sent
        .last()
        .is_none_or(|sent| sent.octets[4] & 0x20 == 0)
    {
        assert!(pair.step());
    }
    let complete = pair.sent.last().unwrap().octets.clone();
    assert_eq!(pair.pac.state(), PacState::Authenticating);
    (pair, complete)
}

#[test]
fn rfc3748_4_2_a_forged_failure_does_not_undo_success() {
    let (mut pair, complete) = awaiting_result(&config(&[SHA1], true, 20));
    let identifier = complete[16 + 12 + 8 + 1];
    let mut forged = complete[..16].to_vec();
    avp::push(&mut forged, avp::Code::ResultCode, &[0, 0, 0, 1]);
    let with_eap = forged.len();
    avp::push(&mut forged, avp::Code::EapPayload, &[4, identifier, 0, 4]);
    for len in [with_eap, forged.len()] {
        let mut forged = forged[..len].to_vec();
        forged[2..4].copy_from_slice(&(len as u16).to_be_bytes());
        assert!(pair.deliver(To::Pac, pac_address(), &forged).is_err());
    }
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.pac.state(), PacState::Open);
}

#[test]
fn rfc5191_11_2_a_failure_without_a_key_is_believed_or_not_as_configured() {
    for believed in [true, false] {
        let config = Config {
            unprotected_failure: believed,
            ..config(&[SHA1], true, 20)
        };
        let mut pair = Pair::new(&config, true);
        pair.start();
        // Forged right after the meter has answered the first EAP request.
        while pair.sent.last().is_none_or(|sent| sent.octets[7] != 2) || pair.sent.len() < 5 {
            assert!(pair.step());
        }
        let answer = pair.sent.last().unwrap().octets.clone();
        let mut forged = answer[..16].to_vec();
        // PAR[C] with the next sequence number.
        forged[4..6].copy_from_slice(&[0xA0, 0]);
        let next = u32::from_be_bytes(forged[12..16].try_into().unwrap()) + 1;
        forged[12..16].copy_from_slice(&next.to_be_bytes());
        avp::push(&mut forged, avp::Code::ResultCode, &[0, 0, 0, 1]);
        let len = forged.len() as u16;
        forged[2..4].copy_from_slice(&len.to_be_bytes());
        let result = pair.deliver(To::Pac, pac_address(), &forged);
        pair.run_for(Duration::from_secs(1));
        if believed {
            assert_eq!(result, Ok(()));
            assert_eq!(pair.pac.state(), PacState::Closed);
        } else {
            assert_eq!(result, Err(Reject::FailureUnprotected));
            assert_eq!(pair.pac.state(), PacState::Open, "as if nothing had been");
        }
    }
    // The price: a genuine failure takes until the session times out.
    let config = Config {
        unprotected_failure: false,
        ..config(&[SHA1], true, 20)
    };
    let mut pair = Pair::new(&config, true);
    pair.users.psk = [0x43; 16];
    pair.start();
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.pac.state(), PacState::Authenticating);
    pair.run_for(config.failed_session_timeout);
    assert_eq!(pair.pac.state(), PacState::Closed);
}

#[test]
fn rfc5191_5_3_a_downgraded_offer_changes_the_keys() {
    let both = config(&[SHA256, SHA1], true, 20);
    let mut pair = Pair::new(&both, true);
    pair.start();
    pair.run_for(LATENCY);
    // On the path, the stronger algorithms are taken out of PAR[S].
    let offered = pair.sent.last().unwrap().octets.clone();
    let mut weaker = offered[..16].to_vec();
    avp::push(&mut weaker, avp::Code::PrfAlgorithm, &2_u32.to_be_bytes());
    avp::push(
        &mut weaker,
        avp::Code::IntegrityAlgorithm,
        &7_u32.to_be_bytes(),
    );
    let len = weaker.len() as u16;
    weaker[2..4].copy_from_slice(&len.to_be_bytes());
    assert_eq!(pair.deliver(To::Pac, pac_address(), &weaker), Ok(()));
    pair.run_for(Duration::from_secs(200));
    assert!(pair.rejects.contains(&Reject::AuthInvalid));
    assert!(
        !pair
            .pac_events
            .iter()
            .any(|event| matches!(event, PacEvent::Authenticated { .. }))
    );
}

#[test]
fn rfc5191_5_2_a_forgery_does_not_advance_the_counters() {
    let mut pair = Pair::new(&config(&[SHA1], true, 20), true).authenticated();
    pair.pac_ping();
    let ping = pair.sent.last().unwrap().octets.clone();
    let mut forged = ping.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(
        pair.deliver(To::Paa, pac_address(), &forged),
        Err(Reject::AuthInvalid)
    );
    let stranger: SocketAddr = "203.0.113.9:716".parse().unwrap();
    assert_eq!(
        pair.deliver(To::Paa, stranger, &forged),
        Err(Reject::AuthInvalid)
    );
    let session = pair.paa.session(pair.session()).unwrap();
    assert_eq!(session.pac(), pac_address(), "nor does it move the session");
    assert_eq!(pair.deliver(To::Paa, pac_address(), &ping), Ok(()));
}

#[test]
fn replays_yield_at_most_the_cached_answer() {
    let mut pair = Pair::new(&config(&[SHA1], false, 20), true).authenticated();
    pair.pac_ping();
    pair.run_for(Duration::from_secs(1));
    pair.pac_reauthenticate();
    pair.run_for(Duration::from_secs(1));
    let recorded = pair.sent.clone();
    let key_id = pair.pac.association().unwrap().key_id();
    let events = (pair.pac_events.len(), pair.paa_events.len());
    pair.sent.clear();
    for datagram in &recorded {
        let _ = pair.deliver(datagram.to, pac_address(), &datagram.octets);
    }
    assert_eq!(pair.pac.association().unwrap().key_id(), key_id);
    assert_eq!((pair.pac_events.len(), pair.paa_events.len()), events);
    assert!(pair.sent.len() <= 2, "{} answers", pair.sent.len());
    for sent in &pair.sent {
        assert!(recorded.iter().any(|old| old.octets == sent.octets));
    }
    assert!(pair.agrees());
}
