//! The agent: many sessions, floods, cookies, rebooted meters, relays.

use super::*;

const PCI: [u8; 16] = [0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];

fn address(index: u32) -> SocketAddr {
    SocketAddr::new(
        [10, (index >> 16) as u8, (index >> 8) as u8, index as u8].into(),
        716,
    )
}

#[test]
fn rfc5191_11_1_half_open_sessions_are_limited() {
    let limited = Config {
        half_open_max: 100,
        ..config(&[SHA1], true, 20)
    };
    let mut pair = Pair::new(&limited, true);
    for index in 0..100 {
        assert_eq!(pair.deliver(To::Paa, address(index), &PCI), Ok(()));
    }
    assert_eq!(
        pair.deliver(To::Paa, address(100), &PCI),
        Err(Reject::HalfOpenLimit)
    );
    assert_eq!(
        pair.deliver(To::Paa, address(5), &PCI),
        Err(Reject::MessageUnexpected),
        "a repeated PCI is discarded while its session is being established"
    );
    assert_eq!(pair.paa.half_open_count(), 100);
    // A PAA that hears nothing more gives up and has room again.
    pair.run_for(Duration::from_secs(250));
    assert_eq!(pair.paa.half_open_count(), 0);
    assert_eq!(pair.paa.session_count(), 0);
    pair.start();
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.pac.state(), PacState::Open);
}

#[test]
fn rfc5191_11_1_pci_are_limited_by_network() {
    let limited = Config {
        pci_limit: Some(PciLimit {
            prefix_len: 24,
            every: Duration::from_secs(10),
            burst: 5,
        }),
        ..config(&[SHA1], true, 20)
    };
    let mut pair = Pair::new(&limited, true);
    pair.now = Instant::from_secs(1_000);
    let admitted = |pair: &mut Pair, first: u32| {
        let sources = first..first + 100;
        let results = sources.map(|index| pair.deliver(To::Paa, address(index), &PCI));
        results
            .filter(|result| *result != Err(Reject::RateLimited))
            .count()
    };
    assert_eq!(admitted(&mut pair, 0), 5, "a burst of one network");
    assert_eq!(admitted(&mut pair, 100), 0, "of which these are as well");
    assert_eq!(admitted(&mut pair, 256), 5, "and these are not");
    pair.now += Duration::from_secs(25);
    assert_eq!(admitted(&mut pair, 0), 2);
}

#[test]
fn rfc5191_4_1_stateless_answers_keep_no_state() {
    let stateless = Config {
        stateless: true,
        ..config(&[SHA1], true, 20)
    };
    let mut pair = Pair::new(&stateless, true);
    for index in 0..1_000 {
        pair.deliver(To::Paa, address(index), &PCI).unwrap();
    }
    assert_eq!(pair.paa.session_count(), 0);
    let first: Vec<Vec<u8>> = pair.sent.drain(..).map(|sent| sent.octets).collect();
    for index in 0..1_000 {
        pair.deliver(To::Paa, address(index), &PCI).unwrap();
    }
    let second: Vec<Vec<u8>> = pair.sent.drain(..).map(|sent| sent.octets).collect();
    assert_eq!(first, second, "the same PCI yields the same octets");

    let mut pair = Pair::new(&stateless, true).authenticated();
    assert_eq!(pair.traffic().0, 11);
    assert_eq!(pair.paa.session_count(), 1);
    assert_eq!(
        pair.deliver(To::Paa, pac_address(), &PCI),
        Err(Reject::MessageUnexpected),
        "an open session discards a PCI"
    );
    // A PAN[S] that answers no cookie creates nothing.
    let mut forged = pair.sent[2].octets.clone();
    forged[8] ^= 1;
    assert_eq!(
        pair.deliver(To::Paa, pac_address(), &forged),
        Err(Reject::SessionUnknown)
    );
    // Nor does the right one from another address.
    let pan = pair.sent[2].octets.clone();
    let mut fresh = Pair::new(&stateless, true);
    assert_eq!(
        fresh.deliver(To::Paa, address(1), &pan),
        Err(Reject::SessionUnknown)
    );
}

#[test]
fn stateless_cookies_expire() {
    let stateless = Config {
        stateless: true,
        ..config(&[SHA1], true, 20)
    };
    for (wait_s, answered) in [(30, true), (119, true), (200, false)] {
        let mut pair = Pair::new(&stateless, true);
        pair.now = Instant::from_secs(600);
        pair.deliver(To::Paa, pac_address(), &PCI).unwrap();
        let request = pair.sent[0].octets.clone();
        pair.pac.handle_datagram(&request, pac_env!(pair)).unwrap();
        let mut out = [0; 100];
        let len = pair.pac.poll_transmit(&mut out).unwrap();
        pair.now = Instant::from_secs(600 + wait_s);
        let result = pair.deliver(To::Paa, pac_address(), &out[..len]);
        assert_eq!(result.is_ok(), answered, "{wait_s}");
    }
}

#[test]
fn a_rebooted_meter_replaces_its_session_if_the_agent_allows() {
    let strict = config(&[SHA1], true, 20);
    let mut pair = Pair::new(&strict, true).authenticated();
    pair.pac.reset();
    pair.start();
    pair.run_for(Duration::from_secs(600));
    assert_eq!(pair.pac.state(), PacState::Discovering);
    assert_eq!(pair.paa_state(), PaaState::Open, "MUST of RFC 5191 §5.5");
    pair.run_for(LIFETIME);
    assert_eq!(
        pair.pac.state(),
        PacState::Open,
        "after the old one expired"
    );

    for stateless in [false, true] {
        let replacing = Config {
            replace_on_new_pci: true,
            stateless,
            ..strict.clone()
        };
        let mut pair = Pair::new(&replacing, true).authenticated();
        let old = pair.session();
        let old_id = pair.paa.session(old).unwrap().session_id();
        pair.paa_events.clear();
        pair.pac.reset();
        pair.start();
        pair.run_for(Duration::from_secs(2));
        assert_eq!(pair.pac.state(), PacState::Open);
        assert!(pair.paa.session(old).is_none());
        assert_eq!(pair.paa.session_count(), 1);
        assert!(matches!(
            pair.paa_events[..],
            [
                (_, PaaEvent::KeysReady { .. }),
                (_, PaaEvent::Authenticated { .. }),
                (_, PaaEvent::Replaced { session_id })
            ] if session_id == old_id
        ));
        assert!(pair.agrees());
    }
}

#[test]
fn a_forged_pci_leaves_the_open_session_alone() {
    let replacing = Config {
        replace_on_new_pci: true,
        ..config(&[SHA1], true, 20)
    };
    let mut pair = Pair::new(&replacing, true).authenticated();
    let old = pair.session();
    pair.deliver(To::Paa, pac_address(), &PCI).unwrap();
    assert_eq!(pair.paa.session_count(), 2);
    pair.run_for(Duration::from_secs(250));
    assert_eq!(
        pair.paa.session_count(),
        1,
        "the second one was never answered"
    );
    assert_eq!(pair.session(), old);
    pair.pac_reauthenticate();
    pair.run_for(Duration::from_secs(1));
    assert!(pair.agrees());
    assert_eq!(pair.pac.association().unwrap().key_id(), 2);
    // The address still belongs to the old session, which another PCI may try to replace.
    pair.deliver(To::Paa, pac_address(), &PCI).unwrap();
    assert_eq!(pair.paa.session_count(), 2);
}

#[test]
fn rfc6345_a_relayed_session_may_become_direct() {
    let mut pair = Pair::new(&config(&[SHA256], true, 16), true);
    let pre: SocketAddr = "[2001:db8::2]:716".parse().unwrap();
    let inner: SocketAddr = "[fe80::f7c9:cf03:7735:c121]:716".parse().unwrap();
    let mut out = [0; 600];
    let mut wrapped = [0; 600];
    pair.pac.start(pac_env!(pair));
    for _ in 0..20 {
        let Some(len) = pair.pac.poll_transmit(&mut out) else {
            break;
        };
        let len = relay::relay_from_pac(inner, &out[..len], &mut wrapped).unwrap();
        pair.deliver(To::Paa, pre, &wrapped[..len]).unwrap();
        while let Some(sent) = pair.sent.pop() {
            let (pac, message) = relay::relay_from_paa(&sent.octets).unwrap();
            assert_eq!(pac, inner);
            pair.pac.handle_datagram(message, pac_env!(pair)).unwrap();
        }
        while let Some(event) = pair.pac.poll_event() {
            pair.pac_events.push(event);
        }
    }
    assert_eq!(pair.pac.state(), PacState::Open);
    assert_eq!(pair.paa_state(), PaaState::Open);
    let session = pair.paa.session(pair.session()).unwrap();
    assert_eq!((session.pac(), session.relay()), (inner, Some(pre)));
    pair.pac_ping();
    pair.run_for(Duration::from_secs(1));
    let session = pair.paa.session(pair.session()).unwrap();
    assert_eq!((session.pac(), session.relay()), (pac_address(), None));
    assert!(matches!(
        pair.pac_events.last(),
        Some(PacEvent::PingAnswered)
    ));
}

#[test]
fn the_paa_may_open_the_conversation() {
    let mut pair = Pair::new(&config(&[SHA1], false, 8), true);
    let session = pair
        .paa
        .initiate(pac_address(), None, paa_env!(pair))
        .unwrap();
    pair.sessions.push(session);
    pair.drain();
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.pac.state(), PacState::Open);
    assert_eq!(pair.traffic().0, 16, "all but the PCI");
    assert_eq!(
        pair.paa.initiate(pac_address(), None, paa_env!(pair)),
        Err(Reject::MessageUnexpected)
    );
}

#[test]
fn session_references_are_never_reused() {
    let mut pair = Pair::new(&config(&[SHA1], true, 20), true).authenticated();
    let first = pair.session();
    pair.paa.remove(first);
    pair.sessions.clear();
    pair.pac.reset();
    let pair = pair.authenticated();
    assert_ne!(pair.session(), first);
    assert!(pair.paa.session(first).is_none());
    assert_eq!(pair.paa.poll_timeout(first), None);
}
