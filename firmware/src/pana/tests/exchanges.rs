//! What a session costs and that every exchange ends where it should.

use super::*;

/// Sums of the digest: octets up and down, for identities of 24 and 23 octets.
#[test]
fn rfc5191_4_1_initial_authentication_costs() {
    let plain = config(&[SHA1], false, 20);
    let pair = Pair::new(&plain, true).authenticated();
    assert_eq!(pair.traffic(), (17, 416, 396));

    let optimized = Config {
        optimized: true,
        ..config(&[SHA256, SHA1], true, 16)
    };
    let pair = Pair::new(&optimized, false).authenticated();
    assert_eq!(pair.traffic(), (7, 288, 316));

    let piggybacked = config(&[CMAC], true, 16);
    let pair = Pair::new(&piggybacked, false).authenticated();
    assert_eq!(pair.traffic(), (9, 300, 304));
}

#[test]
fn rfc5191_4_3_reauthentication_costs() {
    let mut pair = Pair::new(&config(&[SHA1], false, 20), true).authenticated();
    pair.sent.clear();
    pair.pac_reauthenticate();
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.traffic(), (16, 572, 568));
    assert!(pair.agrees());
    assert_eq!(pair.pac.association().unwrap().key_id(), 2);

    let optimized = Config {
        optimized: true,
        ..config(&[SHA256, SHA1], true, 16)
    };
    let mut pair = Pair::new(&optimized, false).authenticated();
    pair.sent.clear();
    pair.paa_reauthenticate();
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.traffic(), (6, 296, 316));
    assert!(pair.agrees());
    assert_eq!(pair.pac.association().unwrap().key_id(), 2);
}

#[test]
fn cryptographic_work_of_the_meter_beyond_eap() {
    let pair = Pair::new(&config(&[SHA1], false, 20), true).authenticated();
    assert_eq!(pair.pac_work.sha1_blocks, 16);
    assert_eq!(pair.pac_work.aes_blocks, 42);
    let optimized = Config {
        optimized: true,
        ..config(&[SHA256, SHA1], true, 16)
    };
    let pair = Pair::new(&optimized, false).authenticated();
    assert_eq!(pair.pac_work.sha256_blocks, 17);
    let pair = Pair::new(&config(&[CMAC], true, 16), false).authenticated();
    assert_eq!(pair.pac_work.aes_blocks, 42 + 25);
}

/// Identities and nonces of 16 octets, SHA-1, piggybacking, EAP-Identity.
#[test]
fn published_arithmetic_of_a_piggybacked_authentication() {
    let config = config(&[SHA1], true, 16);
    let mut pair = Pair::new(&config, true);
    let identity = [b'm'; 16];
    let keys = LongTermKeys::from_psk(&PSK, &mut Work::NONE.clone());
    pair.pac = Pac::new(
        Arc::new(config.clone()),
        Peer::new(PskPeer::new(identity, None, keys)),
    );
    let make: MakeAuthenticator<_> = Box::new(|| {
        Authenticator::new(
            PskServer::new([b's'; 16]),
            AuthenticatorConfig {
                identity_request: true,
                ..AuthenticatorConfig::default()
            },
        )
    });
    pair.paa = Paa::new(Arc::new(config), make, paa_env!(pair));
    let pair = pair.authenticated();
    assert_eq!(pair.traffic(), (11, 348, 336));
}

#[test]
fn events_install_keys_before_they_are_announced() {
    let mut pair = Pair::new(&config(&[SHA256], true, 16), true).authenticated();
    let [
        PacEvent::Authenticated {
            key_id: 1,
            lifetime: LIFETIME,
            keys: pac_keys,
            kind: Authentication::Initial,
        },
    ] = &pair.pac_events[..]
    else {
        panic!("{:?}", pair.pac_events);
    };
    let [
        (
            _,
            PaaEvent::KeysReady {
                key_id: 1,
                keys: paa_keys,
                identity,
                kind: Authentication::Initial,
                ..
            },
        ),
        (_, PaaEvent::Authenticated { key_id: 1, .. }),
    ] = &pair.paa_events[..]
    else {
        panic!("{:?}", pair.paa_events);
    };
    assert_eq!(&identity[..], ID_P);
    assert_eq!(pac_keys, paa_keys);
    assert!(pair.agrees());
    pair.pac_events.clear();
    pair.paa_events.clear();

    pair.pac_terminate();
    pair.run_for(Duration::from_secs(1));
    assert!(matches!(
        pair.pac_events[..],
        [PacEvent::Closed {
            cause: CloseCause::Terminated
        }]
    ));
    assert!(matches!(
        pair.paa_events[..],
        [(
            _,
            PaaEvent::Closed {
                cause: CloseCause::TerminatedByPeer(TerminationCause::Logout)
            }
        )]
    ));
    assert_eq!(pair.paa.session_count(), 0);
    assert!(pair.sessions.is_empty(), "a drained session disappears");
}

#[test]
fn rfc5191_4_4_the_paa_terminates() {
    let mut pair = Pair::new(&config(&[SHA1], true, 20), true).authenticated();
    pair.pac_events.clear();
    pair.paa_terminate();
    pair.run_for(Duration::from_secs(1));
    assert!(matches!(
        pair.pac_events[..],
        [PacEvent::Closed {
            cause: CloseCause::TerminatedByPeer(TerminationCause::Administrative)
        }]
    ));
    assert!(!pair.pac.has_access());
    assert_eq!(pair.paa.session_count(), 0);
}

#[test]
fn rfc5191_4_2_either_end_pings_and_the_rate_is_limited() {
    let mut pair = Pair::new(&config(&[SHA1], true, 20), true).authenticated();
    pair.pac_ping();
    pair.paa_ping();
    pair.run_for(Duration::from_secs(2));
    assert!(matches!(
        pair.pac_events.last(),
        Some(PacEvent::PingAnswered)
    ));
    assert!(matches!(
        pair.paa_events.last(),
        Some((_, PaaEvent::PingAnswered))
    ));
    assert!(pair.rejects.is_empty());

    pair.sent.clear();
    pair.pac_ping();
    pair.run_for(Duration::from_millis(100));
    pair.pac_ping();
    pair.run_for(Duration::from_millis(100));
    assert_eq!(pair.rejects, [Reject::RateLimited]);
    pair.run_for(Duration::from_secs(2));
    assert_eq!(pair.sent.len(), 5, "the second ping is answered later");
}

#[test]
fn rfc5191_4_1_a_wrong_key_is_rejected() {
    for piggyback in [false, true] {
        let mut pair = Pair::new(&config(&[SHA1], piggyback, 20), true);
        pair.users.psk = [0x43; 16];
        pair.start();
        pair.run_for(Duration::from_secs(1));
        assert!(matches!(
            pair.pac_events[..],
            [
                PacEvent::Rejected {
                    result_code: ResultCode::AuthenticationRejected
                },
                PacEvent::Closed {
                    cause: CloseCause::Rejected
                }
            ]
        ));
        assert_eq!(pair.pac.state(), PacState::Closed);
        assert_eq!(pair.paa.session_count(), 0);
        assert_eq!(pair.paa.half_open_count(), 0);
    }
}

#[test]
fn rfc5191_4_1_authorisation_can_be_denied() {
    let mut pair = Pair::new(&config(&[SHA256], true, 16), true);
    pair.host.denies = true;
    pair.start();
    pair.run_for(Duration::from_secs(1));
    assert!(matches!(
        pair.pac_events[..],
        [
            PacEvent::Rejected {
                result_code: ResultCode::AuthorizationRejected
            },
            PacEvent::Closed {
                cause: CloseCause::Rejected
            }
        ]
    ));
    assert!(matches!(
        pair.paa_events[..],
        [
            (
                _,
                PaaEvent::Rejected {
                    result_code: ResultCode::AuthorizationRejected
                }
            ),
            (
                _,
                PaaEvent::Closed {
                    cause: CloseCause::Rejected
                }
            )
        ]
    ));
}

#[test]
fn rfc5191_4_3_a_failed_reauthentication_ends_the_session() {
    let mut pair = Pair::new(&config(&[SHA256], true, 16), true).authenticated();
    pair.users.psk = [0x43; 16];
    pair.pac_reauthenticate();
    pair.run_for(Duration::from_secs(1));
    assert!(!pair.pac.has_access());
    assert_eq!(pair.paa.session_count(), 0);
}

#[test]
fn rfc5191_4_2_a_session_expires_at_both_ends() {
    let mut pair = Pair::new(&config(&[SHA1], true, 20), true).authenticated();
    pair.run_for(LIFETIME);
    assert!(matches!(
        pair.pac_events.last(),
        Some(PacEvent::Closed {
            cause: CloseCause::SessionExpired
        })
    ));
    assert!(matches!(
        pair.paa_events.last(),
        Some((
            _,
            PaaEvent::Closed {
                cause: CloseCause::SessionExpired
            }
        ))
    ));
}

#[test]
fn requests_that_cross_are_resolved() {
    // Both ends re-authenticate at once.
    for piggyback in [false, true] {
        let mut pair = Pair::new(&config(&[SHA1], piggyback, 20), true).authenticated();
        pair.pac_reauthenticate();
        pair.paa_reauthenticate();
        pair.run_for(Duration::from_secs(5));
        assert_eq!(pair.pac.state(), PacState::Open);
        assert_eq!(pair.paa_state(), PaaState::Open);
        assert!(pair.agrees());
        assert_eq!(
            pair.pac.association().unwrap().key_id(),
            2,
            "once, not twice"
        );
    }
    // A ping of either end crosses a re-authentication by the other.
    for piggyback in [false, true] {
        let mut pair = Pair::new(&config(&[SHA1], piggyback, 20), true).authenticated();
        pair.pac_ping();
        pair.paa_reauthenticate();
        pair.run_for(Duration::from_secs(5));
        assert_eq!(pair.pac.association().unwrap().key_id(), 2);
        assert!(pair.agrees());
        pair.paa_ping();
        pair.pac_reauthenticate();
        pair.run_for(Duration::from_secs(5));
        assert_eq!(pair.pac.association().unwrap().key_id(), 3);
        assert!(pair.agrees());
    }
    // Both ends terminate at once.
    let mut pair = Pair::new(&config(&[SHA1], true, 20), true).authenticated();
    pair.pac_terminate();
    pair.paa_terminate();
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.pac.state(), PacState::Closed);
    assert_eq!(pair.paa.session_count(), 0);
    assert_eq!(
        pair.sent.iter().filter(|sent| sent.octets[7] == 3).count(),
        4
    );
    // Termination waits for the request that is under way.
    let mut pair = Pair::new(&config(&[SHA1], false, 20), true).authenticated();
    pair.paa_reauthenticate();
    pair.paa_terminate();
    pair.run_for(Duration::from_secs(5));
    assert_eq!(pair.pac.state(), PacState::Closed);
    assert_eq!(pair.paa.session_count(), 0);
}

/// RFC 5191 §9 counts the transmissions; RFC 5609 would allow one more.
#[test]
fn rfc5191_9_a_dead_peer_is_given_up() {
    for (transmissions_max, count) in [(10, 10), (11, 11)] {
        let mut config = config(&[SHA1], true, 20);
        config.request.transmissions_max = transmissions_max;
        let mut pair = Pair::new(&config, true).authenticated();
        pair.faults.lost = 100;
        pair.sent.clear();
        pair.pac_events.clear();
        let start = pair.now;
        pair.pac_ping();
        pair.run_for(Duration::from_secs(400));
        assert_eq!(pair.sent.len(), count);
        assert!(matches!(
            pair.pac_events[..],
            [PacEvent::Closed {
                cause: CloseCause::PeerUnreachable
            }]
        ));
        // 1, 2, 4, 8, 16 and then 30 seconds, each within a tenth of what precedes it.
        let mut base = Duration::from_secs(1);
        for sent in pair.sent.windows(2) {
            let interval = sent[1].at.saturating_since(sent[0].at);
            assert!(interval >= base.scaled(9, 10), "{interval} {base}");
            assert!(interval <= base.scaled(11, 10), "{interval} {base}");
            assert_eq!(sent[0].octets, sent[1].octets, "octet for octet");
            base = interval.scaled(2, 1).min(Duration::from_secs(30));
        }
        let span = pair.sent.last().unwrap().at.saturating_since(start);
        let nominal_s = [151, 181][usize::from(count == 11)];
        assert!((nominal_s * 85 / 100..=nominal_s * 115 / 100).contains(&span.as_secs()));
    }
}

#[test]
fn rfc5191_9_pci_is_repeated_without_end() {
    let mut pair = Pair::new(&config(&[SHA1], true, 20), true);
    pair.faults.lost = 100;
    pair.start();
    pair.run_for(Duration::from_secs(86_400));
    assert_eq!(pair.pac.state(), PacState::Discovering);
    assert!((700..760).contains(&pair.sent.len()), "{}", pair.sent.len());
}

#[test]
fn rfc5609_5_3_an_authentication_that_stalls_fails() {
    let mut pair = Pair::new(&config(&[SHA1], true, 20), true);
    pair.start();
    pair.run_for(Duration::from_millis(90));
    assert_eq!(pair.pac.state(), PacState::Authenticating);
    pair.faults.lost = 100;
    pair.run_for(Duration::from_secs(200));
    assert!(matches!(
        pair.pac_events[..],
        [PacEvent::Closed {
            cause: CloseCause::AuthenticationTimeout
        }]
    ));
    assert_eq!(pair.paa.half_open_count(), 0);
    assert_eq!(pair.paa.session_count(), 0);
}

#[test]
fn rfc5191_4_1_the_address_may_change_on_the_move() {
    let reconfiguring = Config {
        ip_reconfiguration: true,
        ..config(&[SHA1], true, 20)
    };
    let mut pair = Pair::new(&reconfiguring, true).authenticated();
    assert!(matches!(
        pair.pac_events[..],
        [
            PacEvent::Authenticated { .. },
            PacEvent::AddressReconfiguration
        ]
    ));
    let moved: SocketAddr = "198.51.100.22:64333".parse().unwrap();
    pair.pac_from = moved;
    pair.pac_ping();
    pair.run_for(Duration::from_secs(1));
    assert!(matches!(
        pair.paa_events.last(),
        Some((_, PaaEvent::AddressChanged { pac, relay: None })) if *pac == moved
    ));
    assert!(matches!(
        pair.pac_events.last(),
        Some(PacEvent::PingAnswered)
    ));
}

#[test]
fn state_of_a_session_is_small() {
    let session = size_of::<PaaSession<PskServer>>();
    let pac = size_of::<Pac<PskPeer>>();
    std::println!("PaaSession {session}, Pac {pac}");
    assert!(session <= 1_400, "{session}");
    assert!(pac <= 1_400, "{pac}");
}
