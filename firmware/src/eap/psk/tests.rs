//! EAP-PSK conversations, rule by rule.

use std::boxed::Box;
use std::sync::Arc;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::channel::{EXT_PAYLOAD_LEN_MAX, PLAINTEXT_LEN_MAX};
use super::*;
use crate::crypto::{EaxKey, Work};
use crate::eap::{
    self, AuthOutcome, Authenticator, AuthenticatorConfig, Code, FailureCause, MTU, Packet, Peer,
    PeerMethod, PeerOutcome,
};
use crate::wire::Writer;
use crate::{Env, Instant};

const PSK: [u8; 16] = [0x42; 16];
pub(in crate::eap) const ID_P: &[u8] = b"meter-000001@ami.example";
pub(in crate::eap) const ID_S: &[u8] = b"headend@utility.example";

struct OnePeer {
    admitted: bool,
}

impl Credentials for OnePeer {
    fn keys(&self, id_p: &[u8], work: &mut Work) -> Option<LongTermKeys> {
        (id_p == ID_P).then(|| LongTermKeys::from_psk(&PSK, work))
    }

    fn admits(&self, _: &[u8]) -> bool {
        self.admitted
    }
}

/// A peer and a server, joined by the test.
pub(in crate::eap) struct Rig {
    pub(in crate::eap) peer: Peer<PskPeer>,
    pub(in crate::eap) server: Authenticator<PskServer>,
    pub(in crate::eap) peer_work: Work,
    server_work: Work,
    credentials: OnePeer,
    rng: ChaCha8Rng,
    config: AuthenticatorConfig,
    /// Packets delivered so far, by receiver: true is the peer.
    history: Vec<(bool, Vec<u8>)>,
}

type Handled<T> = Result<(T, Vec<u8>), eap::Reject>;

impl Rig {
    pub(in crate::eap) fn new() -> Self {
        let config = AuthenticatorConfig {
            discard_limit: 0,
            ..AuthenticatorConfig::default()
        };
        Self::with(config, |_| (), |_| ())
    }

    pub(in crate::eap) fn with(
        config: AuthenticatorConfig,
        peer: impl FnOnce(&mut PskPeer),
        server: impl FnOnce(&mut PskServer),
    ) -> Self {
        let keys = LongTermKeys::from_psk(&PSK, &mut Work::default());
        let mut peer_method = PskPeer::new(ID_P, Some(Arc::from(ID_S)), keys);
        peer(&mut peer_method);
        let mut server_method = PskServer::new(ID_S);
        server(&mut server_method);
        Self {
            peer: Peer::new(peer_method),
            server: Authenticator::new(server_method, config),
            peer_work: Work::NONE,
            server_work: Work::NONE,
            credentials: OnePeer { admitted: true },
            rng: ChaCha8Rng::seed_from_u64(1),
            config,
            history: Vec::new(),
        }
    }

    pub(in crate::eap) fn reseed(&mut self, seed: u64) {
        self.rng = ChaCha8Rng::seed_from_u64(seed);
    }

    /// A rig of the same history, without extensions.
    pub(in crate::eap) fn fork(&self) -> Self {
        let mut fork = Self::with(self.config, |_| (), |_| ());
        fork.start();
        for (to_peer, packet) in &self.history {
            let _ = if *to_peer {
                fork.deliver_to_peer(packet).map(|_| ())
            } else {
                fork.deliver_to_server(packet).map(|_| ())
            };
        }
        fork
    }

    pub(in crate::eap) fn start(&mut self) -> Vec<u8> {
        let mut buffer = [0xA5; MTU];
        let mut out = Writer::new(&mut buffer);
        let mut env = Env::new(Instant::ZERO, &mut self.rng, &mut self.server_work);
        self.server.start(&mut out, &mut env).unwrap();
        out.written().to_vec()
    }

    pub(in crate::eap) fn with_peer<T>(
        &mut self,
        act: impl FnOnce(&mut Peer<PskPeer>, &mut Env<'_>) -> T,
    ) -> T {
        let mut env = Env::new(Instant::ZERO, &mut self.rng, &mut self.peer_work);
        act(&mut self.peer, &mut env)
    }

    pub(in crate::eap) fn deliver_to_peer(&mut self, packet: &[u8]) -> Handled<PeerOutcome> {
        self.history.push((true, packet.to_vec()));
        let mut buffer = [0xA5; MTU];
        let mut out = Writer::new(&mut buffer);
        let outcome = self.with_peer(|peer, env| peer.handle(packet, &mut out, env));
        let sent = out.written().to_vec();
        if outcome != Ok(PeerOutcome::Response) {
            assert!(sent.is_empty());
        }
        outcome.map(|outcome| (outcome, sent))
    }

    pub(in crate::eap) fn deliver_to_server(&mut self, packet: &[u8]) -> Handled<AuthOutcome> {
        self.history.push((false, packet.to_vec()));
        let mut buffer = [0xA5; MTU];
        let mut out = Writer::new(&mut buffer);
        let mut env = Env::new(Instant::ZERO, &mut self.rng, &mut self.server_work);
        let outcome = self
            .server
            .handle(packet, &self.credentials, &mut out, &mut env);
        let sent = out.written().to_vec();
        assert_eq!(sent.is_empty(), outcome.is_err());
        outcome.map(|outcome| (outcome, sent))
    }

    /// The Request that follows the peer's answer to `request`.
    pub(in crate::eap) fn exchange(&mut self, request: &[u8]) -> Vec<u8> {
        let response = self.deliver_to_peer(request).unwrap().1;
        self.deliver_to_server(&response).unwrap().1
    }

    /// Runs the conversation to its end.
    pub(in crate::eap) fn run(&mut self, mut packet: Vec<u8>) -> PeerOutcome {
        for _ in 0..100 {
            let (outcome, response) = self.deliver_to_peer(&packet).unwrap();
            if outcome != PeerOutcome::Response {
                return outcome;
            }
            packet = self.deliver_to_server(&response).unwrap().1;
        }
        panic!("a conversation of more than 100 rounds");
    }

    /// Message 3 and what precedes it.
    fn run_to_message_3(&mut self) -> Vec<u8> {
        let identity = self.start();
        let message_1 = self.exchange(&identity);
        self.exchange(&message_1)
    }

    /// A message of the server with any payload, under the keys of the running session.
    fn forge(&self, message_3: &[u8], nonce: u32, plaintext: &[u8]) -> Vec<u8> {
        let Some((_, message_2)) = self
            .history
            .iter()
            .rev()
            .find(|(to_peer, packet)| !to_peer && packet.len() > 54 && packet[4] == 47)
        else {
            panic!("no message 2");
        };
        let rand_s = message_2[6..22].try_into().unwrap();
        let rand_p = message_2[22..38].try_into().unwrap();
        let mut work = Work::NONE;
        let keys = LongTermKeys::from_psk(&PSK, &mut work);
        let session = SessionKeys::derive(&keys.kdk, &rand_p, &rand_s, &mut work);
        let third = nonce == 0;
        let mut packet = message_3[..if third { 38 } else { 22 }].to_vec();
        if !third {
            packet[5] = 0xC0;
        }
        packet[1] = message_3[1].wrapping_add((nonce / 2) as u8);
        let len = packet.len() + 20 + plaintext.len();
        packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
        let mut ciphertext = plaintext.to_vec();
        let tag = EaxKey::new(*session.tek.expose()).seal(
            &u128::from(nonce).to_be_bytes(),
            &packet[..22],
            &mut ciphertext,
            &mut work,
        );
        [&packet, &nonce.to_be_bytes()[..], &tag, &ciphertext].concat()
    }
}

#[test]
fn conversation_costs_42_blocks_at_each_end() {
    let mut setup = Work::NONE;
    LongTermKeys::from_psk(&PSK, &mut setup);
    assert_eq!(setup.aes_blocks, 3);
    let mut rig = Rig::new();
    let request = rig.start();
    assert_eq!(rig.run(request), PeerOutcome::Success);
    assert_eq!(rig.peer_work.aes_blocks, 42);
    assert_eq!(
        rig.server_work.aes_blocks,
        42 + 3,
        "this server also sets the key up"
    );
    assert_eq!(rig.server.peer_identity(), Some(ID_P));
    let keys = rig.peer.take_keys().unwrap();
    assert_eq!(keys, rig.server.take_keys().unwrap());
    assert_eq!(keys.session_id.as_bytes().len(), 33);
    assert_eq!(keys.session_id.as_bytes()[0], 0x2F);
}

#[test]
fn rfc4764_7_message_lengths() {
    let mut rig = Rig::new();
    let request = rig.start();
    rig.run(request);
    let lengths: Vec<_> = rig.history.iter().map(|(_, packet)| packet.len()).collect();
    assert_eq!(lengths, [5, 29, 45, 78, 59, 43, 4]);
}

#[test]
fn a_peer_talks_to_its_server_only() {
    let mut rig = Rig::new();
    let identity = rig.start();
    let mut message_1 = rig.exchange(&identity);
    *message_1.last_mut().unwrap() ^= 1;
    assert_eq!(
        rig.deliver_to_peer(&message_1),
        Err(Reject::UnknownServer.into())
    );
}

#[test]
fn rfc4764_6_1_a_server_that_fails_ends_both() {
    let mut rig = Rig::new();
    rig.credentials.admitted = false;
    let message_3 = rig.run_to_message_3();
    let (_, message_4) = rig.deliver_to_peer(&message_3).unwrap();
    assert!(rig.peer.keys().is_none());
    assert!(!rig.peer.accepts(&[3, message_4[1], 0, 4]));
    assert_eq!(
        rig.deliver_to_peer(&[3, message_4[1], 0, 4]),
        Err(eap::Reject::PrematureSuccess)
    );
    let (outcome, failure) = rig.deliver_to_server(&message_4).unwrap();
    assert_eq!(outcome, AuthOutcome::Failure);
    assert_eq!(rig.server.failure_cause(), Some(FailureCause::Method));
    assert!(rig.server.keys().is_none());
    assert_eq!(
        rig.deliver_to_peer(&failure).unwrap().0,
        PeerOutcome::Failure
    );
}

#[test]
fn rfc4764_6_1_a_peer_that_refuses_ends_both() {
    let refusing = PeerPolicy {
        refuse: true,
        ..PeerPolicy::default()
    };
    let config = AuthenticatorConfig::default();
    let mut rig = Rig::with(config, |peer| peer.set_policy(refusing), |_| ());
    let request = rig.start();
    assert_eq!(rig.run(request), PeerOutcome::Failure);
    assert!(rig.peer.take_keys().is_none());
    assert!(rig.server.take_keys().is_none());
}

#[test]
fn an_idle_cont_is_answered_once_then_refused() {
    let mut rig = Rig::new();
    let message_3 = rig.run_to_message_3();
    let forged = rig.forge(&message_3, 0, &[0x40]);
    let (_, reply) = rig.deliver_to_peer(&forged).unwrap();
    assert_eq!(reply.len(), 43);
    assert!(rig.peer.keys().is_none());
    let mut finished = rig.fork();
    let done = rig.forge(&message_3, 2, &[0x80]);
    finished.deliver_to_peer(&done).unwrap();
    assert!(
        finished.peer.keys().is_some(),
        "the server may still decide"
    );
    let again = rig.forge(&message_3, 2, &[0x40]);
    rig.deliver_to_peer(&again).unwrap();
    assert!(rig.peer.keys().is_none());
    let more = rig.forge(&message_3, 4, &[0x80]);
    assert_eq!(
        rig.deliver_to_peer(&more),
        Err(eap::Reject::MethodDone),
        "DONE_FAILURE was the last word"
    );
}

#[test]
fn rfc4764_6_2_extensions_neither_start_late_nor_change() {
    let cases: [(&[u8], &[u8], Option<Reject>); 5] = [
        (&[0x40], &[0xA0, 1], Some(Reject::ExtensionMismatch)),
        (&[0x60, 1, 9], &[0x80], Some(Reject::ExtensionMismatch)),
        (&[0x60, 1, 9], &[0xA0, 2], Some(Reject::ExtensionMismatch)),
        (&[0x60, 1, 9], &[0xA0, 1], None),
        (&[0x60, 1, 9], &[0x20, 1], Some(Reject::MalformedPayload)),
    ];
    for (first, second, expected) in cases {
        let mut rig = Rig::new();
        let message_3 = rig.run_to_message_3();
        let forged = rig.forge(&message_3, 0, first);
        rig.deliver_to_peer(&forged).unwrap();
        let forged = rig.forge(&message_3, 2, second);
        let outcome = rig.deliver_to_peer(&forged);
        match expected {
            Some(reject) => {
                assert_eq!(outcome, Err(reject.into()));
                // A discard leaves the dialog as it was.
                let kind: &[u8] = if first.len() > 1 { &[0xA0, 1] } else { &[0x80] };
                let proper = rig.forge(&message_3, 2, kind);
                rig.deliver_to_peer(&proper).unwrap();
            }
            None => assert!(outcome.is_ok()),
        }
        assert!(rig.peer.keys().is_some());
    }
}

#[test]
fn an_extension_starts_with_a_payload() {
    let mut rig = Rig::new();
    let message_3 = rig.run_to_message_3();
    let forged = rig.forge(&message_3, 0, &[0xA0, 1]);
    assert_eq!(
        rig.deliver_to_peer(&forged),
        Err(Reject::ExtensionMismatch.into())
    );
    assert_eq!(rig.run(message_3), PeerOutcome::Success);
}

/// Says `pings` times CONT, then DONE_SUCCESS; counts what came back.
#[derive(Debug)]
struct Ping {
    pings: u8,
    left: u8,
    optional: bool,
}

impl Ping {
    fn say(&mut self, out: &mut Writer<'_>) -> Indication {
        out.put(&[self.left; 3]).unwrap();
        if self.left == 0 {
            return Indication::DoneSuccess;
        }
        self.left -= 1;
        Indication::Cont
    }
}

impl ServerExtension for Ping {
    fn kind(&self) -> u8 {
        255
    }

    fn restart(&mut self) {
        self.left = self.pings;
    }

    fn open(&mut self, out: &mut Writer<'_>) -> Indication {
        self.say(out)
    }

    fn answer(&mut self, payload: &[u8], out: &mut Writer<'_>) -> Indication {
        assert_eq!(payload, [&b"echo"[..], &[self.left + 1; 3]].concat());
        self.say(out)
    }

    fn optional(&self) -> bool {
        self.optional
    }
}

/// Sends back what it gets.
#[derive(Debug)]
struct Echo {
    kind: u8,
}

impl PeerExtension for Echo {
    fn kind(&self) -> u8 {
        self.kind
    }

    fn restart(&mut self) {}

    fn answer(
        &mut self,
        indication: Indication,
        payload: &[u8],
        out: &mut Writer<'_>,
    ) -> Indication {
        out.put(b"echo").unwrap();
        out.put(payload).unwrap();
        indication
    }
}

fn extended(pings: u8, optional: bool, known: Option<u8>, policy: PeerPolicy) -> Rig {
    Rig::with(
        AuthenticatorConfig::default(),
        |peer| {
            peer.set_policy(policy);
            if let Some(kind) = known {
                peer.set_extension(Some(Box::new(Echo { kind })));
            }
        },
        |server| {
            server.set_extension(Some(Box::new(Ping {
                pings,
                left: pings,
                optional,
            })));
        },
    )
}

#[test]
fn rfc4764_6_2_a_known_extension_runs_its_rounds() {
    for pings in [0, 1, 5] {
        let mut rig = extended(pings, false, Some(255), PeerPolicy::default());
        for _ in 0..2 {
            rig.history.clear();
            rig.peer.restart();
            let request = rig.start();
            assert_eq!(rig.run(request), PeerOutcome::Success);
            // Identity, messages 1 and 2, one pair per payload, Success.
            assert_eq!(rig.history.len(), 4 + 2 * (usize::from(pings) + 1) + 1);
            assert_eq!(rig.peer.take_keys(), rig.server.take_keys());
        }
    }
}

#[test]
fn rounds_are_bounded_at_both_ends() {
    let mut rig = extended(200, false, Some(255), PeerPolicy::default());
    let request = rig.start();
    assert_eq!(rig.run(request), PeerOutcome::Failure);
    assert!(rig.history.len() < 60);
    assert!(rig.server.take_keys().is_none());
}

#[test]
fn rfc4764_6_2_an_unknown_extension_ends_by_policy() {
    let refusing = PeerPolicy {
        refuse_unknown_extension: true,
        ..PeerPolicy::default()
    };
    for known in [None, Some(7)] {
        for (pings, optional, policy, expected) in [
            (0, false, PeerPolicy::default(), PeerOutcome::Success),
            (3, true, PeerPolicy::default(), PeerOutcome::Success),
            (3, false, PeerPolicy::default(), PeerOutcome::Failure),
            (0, true, refusing, PeerOutcome::Failure),
            (3, true, refusing, PeerOutcome::Failure),
        ] {
            let mut rig = extended(pings, optional, known, policy);
            let request = rig.start();
            assert_eq!(rig.run(request), expected, "{pings} {optional} {policy:?}");
        }
    }
}

#[test]
fn the_largest_identities_and_payloads_fit_the_mtu() {
    let id = vec![b'i'; ID_LEN_MAX];
    let second = Message::Second {
        rand_s: &[1; 16],
        rand_p: &[2; 16],
        mac_p: &[3; 16],
        id_p: &id,
    };
    let mut buffer = [0xA5; MTU];
    let mut out = Writer::new(&mut buffer);
    second.emit(Code::Response, 5, &mut out).unwrap();
    assert_eq!(out.len(), MTU);
    let packet = Packet::parse(out.written()).unwrap();
    assert_eq!(Message::parse(&packet), Ok(second));
    assert_eq!(38 + 20 + PLAINTEXT_LEN_MAX, MTU);
    assert_eq!(EXT_PAYLOAD_LEN_MAX, 960);
}

#[test]
#[should_panic(expected = "ID_P has at most 966 octets")]
fn longer_identities_are_a_configuration_error() {
    let keys = LongTermKeys::from_psk(&PSK, &mut Work::default());
    PskPeer::new(vec![0; ID_LEN_MAX + 1], None, keys);
}

#[test]
fn keys_are_erased_by_the_next_conversation() {
    let mut rig = Rig::new();
    let request = rig.start();
    rig.run(request);
    rig.peer.restart();
    rig.start();
    assert!(rig.peer.keys().is_none());
    assert!(rig.server.keys().is_none());
    assert!(rig.peer.method().keys().is_none());
}

fn message() -> impl Strategy<Value = (u8, [u8; 16], [u8; 16], [u8; 16], Vec<u8>)> {
    let tail = prop::collection::vec(any::<u8>(), 21..200);
    (
        0u8..4,
        any::<[u8; 16]>(),
        any::<[u8; 16]>(),
        any::<[u8; 16]>(),
        tail,
    )
}

proptest! {
    #[test]
    fn messages_round_trip((number, rand_s, rand_p, mac, tail) in message(), id: u8) {
        let (rand_s, rand_p, mac) = (&rand_s, &rand_p, &mac);
        let (message, code) = match number {
            0 => (Message::First { rand_s, id_s: &tail }, Code::Request),
            1 => (Message::Second { rand_s, rand_p, mac_p: mac, id_p: &tail }, Code::Response),
            2 => (Message::Third { rand_s, mac_s: mac, channel: &tail }, Code::Request),
            _ => (Message::Fourth { rand_s, channel: &tail }, Code::Response),
        };
        let mut buffer = [0xA5; MTU];
        let mut out = Writer::new(&mut buffer);
        message.emit(code, id, &mut out).unwrap();
        let packet = Packet::parse(out.written()).unwrap();
        prop_assert_eq!(packet.octets().len(), out.len());
        prop_assert_eq!(Message::parse(&packet), Ok(message));
    }

    #[test]
    fn parsing_never_panics(data in prop::collection::vec(any::<u8>(), 0..120)) {
        let octets = [&[1, 7, 0, 5 + data.len() as u8, 47], &data[..]].concat();
        let packet = Packet::parse(&octets).unwrap();
        if let Ok(message) = Message::parse(&packet) {
            let mut buffer = [0xA5; MTU];
            let mut out = Writer::new(&mut buffer);
            message.emit(Code::Request, 7, &mut out).unwrap();
            let mut emitted = out.written().to_vec();
            // Reserved bits are not sent again.
            emitted[5] |= octets[5] & FLAGS_RESERVED;
            prop_assert_eq!(emitted, octets);
        }
        if let Ok(payload) = Payload::parse(&data) {
            let mut buffer = [0xA5; MTU];
            let mut out = Writer::new(&mut buffer);
            payload.emit(&mut out).unwrap();
            prop_assert_eq!(out.len(), payload.len());
            prop_assert_eq!(Payload::parse(out.written()), Ok(payload));
        }
    }

    /// Authentic payloads of any content neither panic nor yield keys without DONE_SUCCESS.
    #[test]
    fn any_authentic_payload_is_survived(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..8), 1..5),
    ) {
        let mut rig = Rig::new();
        let message_3 = rig.run_to_message_3();
        for (round, payload) in payloads.iter().enumerate() {
            let nonce = 2 * round as u32;
            let forged = rig.forge(&message_3, nonce, payload);
            let accepted = rig.deliver_to_peer(&forged).is_ok();
            if rig.peer.keys().is_some() {
                prop_assert!(accepted && payload[0] >> 6 == 2);
                break;
            }
            if !accepted {
                break;
            }
        }
    }
}
