//! Rules of the two machines, and properties of conversations.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::psk::PskPeer;
use super::psk::tests::{ID_P, ID_S, Rig};
use super::*;
use crate::wire::Writer;

#[test]
fn rfc3748_4_1_a_repeated_request_gets_the_same_response() {
    let mut rig = Rig::new();
    let identity = rig.start();
    let first = rig.deliver_to_peer(&identity).unwrap().1;
    assert_eq!(rig.deliver_to_peer(&identity).unwrap().1, first);
    let message_1 = rig.deliver_to_server(&first).unwrap().1;
    let message_2 = rig.deliver_to_peer(&message_1).unwrap().1;
    let work = rig.peer_work;
    assert_eq!(rig.deliver_to_peer(&message_1).unwrap().1, message_2);
    assert_eq!(rig.peer_work, work, "the method does not run again");
    let message_3 = rig.deliver_to_server(&message_2).unwrap().1;
    assert_eq!(rig.server.outstanding(), message_3);
    assert_eq!(
        rig.deliver_to_server(&message_2),
        Err(Reject::IdentifierMismatch),
        "the Response was already taken"
    );
}

#[test]
fn rfc3748_4_2_results_need_the_identifier_and_the_method() {
    let mut rig = Rig::new();
    let identity = rig.start();
    let id = identity[1];
    assert_eq!(
        rig.deliver_to_peer(&[3, id, 0, 4]),
        Err(Reject::ResultIdentifierMismatch),
        "nothing was answered yet"
    );
    let first = rig.deliver_to_peer(&identity).unwrap().1;
    assert_eq!(
        rig.deliver_to_peer(&[3, id, 0, 4]),
        Err(Reject::PrematureSuccess),
        "canned"
    );
    let message_1 = rig.deliver_to_server(&first).unwrap().1;
    let message_2 = rig.deliver_to_peer(&message_1).unwrap().1;
    let id = message_2[1];
    assert_eq!(
        rig.deliver_to_peer(&[3, id, 0, 4]),
        Err(Reject::PrematureSuccess)
    );
    assert_eq!(
        rig.deliver_to_peer(&[4, id, 0, 4]),
        Err(Reject::PrematureFailure)
    );
    let message_3 = rig.deliver_to_server(&message_2).unwrap().1;
    let message_4 = rig.deliver_to_peer(&message_3).unwrap().1;
    let id = message_4[1];
    assert!(rig.peer.keys().is_some(), "before Success");
    assert!(rig.peer.take_keys().is_none(), "after Success only");
    assert_eq!(
        rig.deliver_to_peer(&[4, id, 0, 4]),
        Err(Reject::FailureAfterSuccess)
    );
    assert_eq!(
        rig.deliver_to_peer(&[3, id.wrapping_add(1), 0, 4]),
        Err(Reject::ResultIdentifierMismatch)
    );
    assert!(!rig.peer.accepts(&[4, id, 0, 4]));
    assert!(!rig.peer.accepts(&message_3), "not a result");
    assert!(rig.peer.accepts(&[3, id, 0, 4]));
    let success = rig.deliver_to_server(&message_4).unwrap();
    assert_eq!(success, (AuthOutcome::Success, vec![3, id, 0, 4]));
    assert_eq!(
        rig.deliver_to_peer(&success.1).unwrap().0,
        PeerOutcome::Success
    );
    assert_eq!(rig.deliver_to_peer(&success.1), Err(Reject::NotRunning));
    assert_eq!(rig.deliver_to_server(&message_4), Err(Reject::NotRunning));
    assert_eq!(rig.peer.take_keys(), rig.server.take_keys());
    assert_eq!(rig.server.peer_identity(), Some(ID_P));
}

#[test]
fn rfc3748_4_2_failure_before_the_method_ends_the_conversation() {
    let mut rig = Rig::new();
    let identity = rig.start();
    rig.deliver_to_peer(&identity).unwrap();
    assert!(rig.peer.accepts(&[4, identity[1], 0, 4]));
    assert_eq!(
        rig.deliver_to_peer(&[4, identity[1], 0, 4]).unwrap().0,
        PeerOutcome::Failure
    );
    rig.peer.restart();
    assert_eq!(
        rig.deliver_to_peer(&identity).unwrap().0,
        PeerOutcome::Response,
        "a restart opens the next conversation"
    );
}

#[test]
fn rfc3748_5_2_notifications_are_answered_until_the_method_runs() {
    let mut rig = Rig::new();
    let notification = |id| [1, id, 0, 7, 2, b'h', b'i'];
    assert_eq!(
        rig.deliver_to_peer(&notification(7)),
        Ok((PeerOutcome::Response, vec![2, 7, 0, 5, 2]))
    );
    let identity = rig.start();
    let message_1 = rig.exchange(&identity);
    rig.deliver_to_peer(&message_1).unwrap();
    assert_eq!(
        rig.deliver_to_peer(&notification(message_1[1].wrapping_add(1))),
        Err(Reject::NotificationForbidden)
    );
}

#[test]
fn rfc3748_5_3_naks_are_legacy_or_expanded_as_the_request_is() {
    let mut rig = Rig::new();
    let md5 = [1, 9, 0, 6, 4, 0];
    assert_eq!(rig.deliver_to_peer(&md5).unwrap().1, [2, 9, 0, 6, 3, 47]);
    let vendor = [1, 10, 0, 12, 254, 0, 0x60, 0x57, 0, 0, 0, 1];
    assert_eq!(
        rig.deliver_to_peer(&vendor).unwrap().1,
        [
            2, 10, 0, 20, 254, 0, 0, 0, 0, 0, 0, 3, 254, 0, 0, 0, 0, 0, 0, 47
        ]
    );
    for request in [&[1, 11, 0, 6, 3, 47][..], &[1, 11, 0, 5, 0]] {
        assert_eq!(
            rig.deliver_to_peer(request),
            Err(Reject::InvalidRequestType)
        );
    }
    // Once the method runs, other methods are ignored.
    let identity = rig.start();
    let message_1 = rig.exchange(&identity);
    rig.deliver_to_peer(&message_1).unwrap();
    let md5 = [1, message_1[1].wrapping_add(1), 0, 6, 4, 0];
    assert_eq!(rig.deliver_to_peer(&md5), Err(Reject::MethodInterrupted));
}

#[test]
fn a_refused_method_ends_with_failure_and_only_before_it_runs() {
    let mut rig = Rig::new();
    let identity = rig.start();
    let nak = |id, kind| [2, id, 0, 6, 3, kind];
    assert_eq!(
        rig.deliver_to_server(&nak(identity[1], 4)),
        Err(Reject::UnexpectedNak),
        "an Identity Request proposes no method"
    );
    let message_1 = rig.exchange(&identity);
    let id = message_1[1];
    assert_eq!(
        rig.deliver_to_server(&[2, id, 0, 5, 3]),
        Err(Reject::MalformedType)
    );
    let expanded = [
        2, id, 0, 20, 254, 0, 0, 0, 0, 0, 0, 3, 254, 0, 0, 0, 0, 0, 0, 4,
    ];
    assert_eq!(rig.deliver_to_server(&expanded), Err(Reject::UnexpectedNak));
    let mut refused = rig.fork();
    assert_eq!(
        refused.deliver_to_server(&nak(id, 4)),
        Ok((AuthOutcome::Failure, vec![4, id, 0, 4]))
    );
    assert_eq!(refused.server.failure_cause(), Some(FailureCause::Nak));
    let message_3 = rig.exchange(&message_1);
    assert_eq!(
        rig.deliver_to_server(&nak(message_3[1], 4)),
        Err(Reject::UnexpectedNak)
    );
}

#[test]
fn without_identity_request_the_method_comes_first() {
    let mut rig = Rig::with(
        AuthenticatorConfig {
            identity_request: false,
            ..AuthenticatorConfig::default()
        },
        |_| (),
        |_| (),
    );
    let message_1 = rig.start();
    assert_eq!(message_1[4], 47);
    let success = rig.run(message_1);
    assert_eq!(success, PeerOutcome::Success);
}

#[test]
fn the_discard_limit_ends_the_conversation() {
    for limit in [0, 1, 3] {
        let config = AuthenticatorConfig {
            identity_request: false,
            discard_limit: limit,
        };
        let mut rig = Rig::with(config, |_| (), |_| ());
        let message_1 = rig.start();
        let mut message_2 = rig.deliver_to_peer(&message_1).unwrap().1;
        let genuine = message_2.clone();
        *message_2.last_mut().unwrap() ^= 1;
        let reject = Reject::Psk(psk::Reject::UnknownPeer);
        let tolerated = if limit == 0 {
            300
        } else {
            i32::from(limit) - 1
        };
        for _ in 0..tolerated {
            assert_eq!(rig.deliver_to_server(&message_2), Err(reject));
        }
        // What does not match the outstanding Request is nobody's failure.
        assert_eq!(
            rig.deliver_to_server(&[2, message_1[1].wrapping_add(9), 0, 6, 47, 0]),
            Err(Reject::IdentifierMismatch)
        );
        if limit == 0 {
            assert_eq!(
                rig.deliver_to_server(&genuine).unwrap().0,
                AuthOutcome::Request
            );
            continue;
        }
        assert_eq!(
            rig.deliver_to_server(&message_2),
            Ok((AuthOutcome::Failure, vec![4, message_1[1], 0, 4]))
        );
        let cause = FailureCause::Discarded(reject);
        assert_eq!(rig.server.failure_cause(), Some(cause));
        assert_eq!(cause.name(), "psk_unknown_peer");
        assert_eq!(rig.server.peer_identity(), None);
    }
}

#[test]
fn packets_do_not_travel_backwards() {
    let mut rig = Rig::new();
    assert_eq!(
        rig.deliver_to_server(&[2, 0, 0, 5, 1]),
        Err(Reject::NotRunning),
        "not started"
    );
    let identity = rig.start();
    let response = rig.deliver_to_peer(&identity).unwrap().1;
    assert_eq!(rig.deliver_to_peer(&response), Err(Reject::WrongDirection));
    assert_eq!(
        rig.deliver_to_server(&identity),
        Err(Reject::WrongDirection)
    );
    assert_eq!(
        rig.deliver_to_server(&[3, identity[1], 0, 4]),
        Err(Reject::WrongDirection)
    );
    assert_eq!(
        rig.deliver_to_server(&[2, identity[1], 0, 5, 47]),
        Err(Reject::UnexpectedResponseType),
        "the Identity Request is outstanding"
    );
}

#[test]
fn a_short_buffer_is_refused_before_anything_moves() {
    let mut rig = Rig::new();
    let identity = rig.start();
    let mut buffer = [0xA5; MTU - 1];
    let outcome =
        rig.with_peer(|peer, env| peer.handle(&identity, &mut Writer::new(&mut buffer), env));
    assert_eq!(outcome, Err(Reject::NoBuffer));
    assert_eq!(buffer, [0xA5; MTU - 1]);
    let response = rig.deliver_to_peer(&identity).unwrap().1;
    assert_eq!(response, [&[2, identity[1], 0, 29, 1], ID_P].concat());
}

#[test]
fn packets_are_appended_behind_what_the_buffer_holds() {
    let mut rig = Rig::new();
    let identity = rig.start();
    let message_1 = rig.exchange(&identity);
    let mut buffer = [0xA5; MTU + 40];
    let mut out = Writer::new(&mut buffer);
    out.put(&[0x5A; 40]).unwrap();
    let outcome = rig.with_peer(|peer, env| peer.handle(&message_1, &mut out, env));
    assert_eq!(outcome, Ok(PeerOutcome::Response));
    let message_2 = out.written()[40..].to_vec();
    assert_eq!(out.written()[..40], [0x5A; 40]);
    let message_3 = rig.deliver_to_server(&message_2).unwrap().1;
    let mut out = Writer::new(&mut buffer);
    out.put(&[0x5A; 40]).unwrap();
    let outcome = rig.with_peer(|peer, env| peer.handle(&message_3, &mut out, env));
    assert_eq!(outcome, Ok(PeerOutcome::Response));
    let message_4 = out.written()[40..].to_vec();
    assert_eq!(
        rig.deliver_to_server(&message_4).unwrap().0,
        AuthOutcome::Success,
        "the PCHANNEL header is the packet's, not the buffer's"
    );
}

/// A session must stay small: a head-end holds one pair of these per meter.
#[test]
fn sessions_are_small() {
    assert!(size_of::<Peer<PskPeer>>() <= 600);
    assert!(size_of::<Authenticator<psk::PskServer>>() <= 600);
}

#[test]
fn session_ids_are_bounded() {
    assert!(SessionId::new(&[&[1; 60], &[2; 6]]).is_none());
    let id = SessionId::new(&[&[0x2F], &[1; 16]]).unwrap();
    assert_eq!(id.as_bytes(), [&[0x2F][..], &[1; 16]].concat());
    assert_eq!(id.as_bytes().len(), 17);
}

/// One step of an adversary between the ends.
#[derive(Clone, Debug)]
enum Tamper {
    /// Deliver as it is.
    Pass,
    /// Deliver nothing; the Request is sent again.
    Drop,
    /// Flip bits, then deliver.
    Flip(Vec<(prop::sample::Index, u8)>),
    /// Cut off the tail.
    Truncate(prop::sample::Index),
    /// Deliver an earlier packet first.
    Replay(prop::sample::Index),
    /// Deliver made-up octets first.
    Inject(Vec<u8>),
}

fn tamper() -> impl Strategy<Value = Tamper> {
    prop_oneof![
        6 => Just(Tamper::Pass),
        1 => Just(Tamper::Drop),
        2 => prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..4)
            .prop_map(Tamper::Flip),
        1 => any::<prop::sample::Index>().prop_map(Tamper::Truncate),
        1 => any::<prop::sample::Index>().prop_map(Tamper::Replay),
        1 => packet().prop_map(Tamper::Inject),
    ]
}

/// Octets that are likely to be taken for a packet.
fn packet() -> impl Strategy<Value = Vec<u8>> {
    let data = prop::collection::vec(any::<u8>(), 0..120);
    (0u8..6, any::<u8>(), any::<bool>(), data).prop_map(|(code, id, psk, mut data)| {
        if psk && !data.is_empty() {
            data[0] = 47;
        }
        let len = (HEADER_LEN + data.len()) as u8;
        [&[code, id, 0, len], &data[..]].concat()
    })
}

impl Tamper {
    /// What the receiver gets to see of `packet`.
    fn apply(&self, packet: &[u8], seen: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut packet = packet.to_vec();
        match self {
            Self::Pass => vec![packet],
            Self::Drop => vec![],
            Self::Flip(flips) => {
                for (at, mask) in flips {
                    let at = at.index(packet.len());
                    packet[at] ^= mask;
                }
                vec![packet]
            }
            Self::Truncate(at) => {
                packet.truncate(at.index(packet.len()));
                vec![packet]
            }
            Self::Replay(which) if !seen.is_empty() => {
                vec![which.get(seen).clone(), packet]
            }
            Self::Replay(_) => vec![packet],
            Self::Inject(forged) => vec![forged.clone(), packet],
        }
    }
}

proptest! {
    #[test]
    fn parsing_never_panics_and_round_trips(octets in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        packet(),
    ]) {
        if let Ok(view) = Packet::parse(&octets) {
            let mut buffer = [0xA5; MTU];
            let mut out = Writer::new(&mut buffer);
            match view.kind {
                Some(kind) => {
                    put_header(&mut out, view.code, view.identifier, kind, view.data().len())
                        .unwrap();
                    out.put(view.data()).unwrap();
                }
                None => put_result(&mut out, view.code, view.identifier).unwrap(),
            }
            prop_assert_eq!(out.written(), view.octets());
            prop_assert!(octets.starts_with(view.octets()));
        }
    }

    /// Whatever happens on the way, the ends never hold different keys for one success.
    #[test]
    fn tampering_never_yields_unequal_keys(
        script in prop::collection::vec(tamper(), 4..24),
        identity_request: bool,
        discard_limit in 0u8..3,
    ) {
        let config = AuthenticatorConfig { identity_request, discard_limit };
        let mut rig = Rig::with(config, |_| (), |_| ());
        let mut seen: Vec<Vec<u8>> = Vec::new();
        rig.start();
        for pair in script.chunks(2) {
            let request = rig.server.outstanding().to_vec();
            let mut responses: Vec<Vec<u8>> = Vec::new();
            for packet in pair[0].apply(&request, &seen) {
                if let Ok((PeerOutcome::Response, response)) = rig.deliver_to_peer(&packet) {
                    responses.push(response);
                }
            }
            seen.push(request);
            for response in responses {
                for packet in pair[pair.len() - 1].apply(&response, &seen) {
                    let _ = rig.deliver_to_server(&packet);
                }
                seen.push(response);
            }
        }
        // The last word of the authenticator arrives undamaged.
        let last = rig.server.outstanding().to_vec();
        let _ = rig.deliver_to_peer(&last);
        let confirmed = rig.peer.keys().cloned();
        match (rig.peer.take_keys(), rig.server.take_keys()) {
            (Some(peer), Some(server)) => prop_assert_eq!(peer, server),
            // Success is not authenticated, and message 4 can be lost.
            (Some(_), None) => {}
            (None, Some(server)) => {
                prop_assert_eq!(confirmed, Some(server), "the peer proved its keys");
            }
            (None, None) => {}
        }
        if rig.peer.method().server_identity() != ID_S {
            prop_assert!(rig.peer.keys().is_none());
        }
    }

    #[test]
    fn undisturbed_conversations_succeed(seed: u64) {
        let mut rig = Rig::new();
        rig.reseed(seed);
        let request = rig.start();
        prop_assert_eq!(rig.run(request), PeerOutcome::Success);
        let keys = rig.peer.take_keys();
        prop_assert!(keys.is_some());
        prop_assert_eq!(keys, rig.server.take_keys());
        prop_assert!(rig.peer.take_keys().is_none(), "keys move out once");
    }
}
