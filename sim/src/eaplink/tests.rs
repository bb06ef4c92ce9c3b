use std::io;

use firmware::eap::{Code, MethodType};

use super::frame::{self, Input};
use super::*;

const PSK: [u8; 16] = *b"0123456789abcdef";
const WRONG: [u8; 16] = *b"0123456789abcdeF";

fn users(psk: &[u8; 16]) -> Users {
    let digits: String = psk.iter().map(|octet| format!("{octet:02x}")).collect();
    Users::parse(&format!("# who may come\n\nmeter 7 {digits}\n")).expect("a sound list")
}

/// One end with what it says, fed frame by frame.
struct Rig<E> {
    end: E,
    rng: ChaCha20Rng,
    said: Vec<(u8, Vec<u8>)>,
}

impl<E: End> Rig<E> {
    fn new(end: E, seed: u64) -> Self {
        let rng = generator(Some(seed)).expect("a seed needs no entropy");
        let said = Vec::new();
        Self { end, rng, said }
    }

    /// Sends one frame; returns the EAP packet that it led to, if any.
    fn send(&mut self, kind: u8, body: &[u8]) -> Option<Vec<u8>> {
        let mut input = ((body.len() + 1) as u16).to_be_bytes().to_vec();
        input.push(kind);
        input.extend_from_slice(body);
        let mut output = Vec::new();
        // Every call continues the stream of random numbers.
        let rng = self.rng.clone();
        self.rng.set_stream(self.rng.get_stream() + 1);
        serve(&mut self.end, rng, &mut input.as_slice(), &mut output).expect("sound frames");
        let mut packet = None;
        let mut rest = output.as_slice();
        while let [high, low, kind, ..] = *rest {
            let len = usize::from(u16::from_be_bytes([high, low]));
            let body = rest[3..2 + len].to_vec();
            if kind == 1 {
                packet = Some(body.clone());
            }
            self.said.push((kind, body));
            rest = &rest[2 + len..];
        }
        packet
    }

    fn texts(&self, kind: u8) -> Vec<&str> {
        let of_kind = self.said.iter().filter(|(said, _)| *said == kind);
        of_kind
            .map(|(_, body)| std::str::from_utf8(body).expect("UTF-8"))
            .collect()
    }
}

/// Runs a conversation until nobody has anything to say.
fn converse(peer: &mut Rig<PeerEnd>, server: &mut Rig<ServerEnd>) {
    peer.send(3, &[]);
    let mut request = server.send(3, &[]);
    while let Some(packet) = request {
        request = peer
            .send(1, &packet)
            .and_then(|response| server.send(1, &response));
    }
}

fn pair(peer_psk: &[u8; 16], discard_limit: u8) -> (Rig<PeerEnd>, Rig<ServerEnd>) {
    let peer = PeerEnd::new(b"meter 7", Some(b"hes"), peer_psk);
    let server = ServerEnd::new(b"hes", users(&PSK), discard_limit);
    (Rig::new(peer, 1), Rig::new(server, 2))
}

#[test]
fn both_ends_report_the_same_keys_conversation_after_conversation() {
    let (mut peer, mut server) = pair(&PSK, 0);
    converse(&mut peer, &mut server);
    converse(&mut peer, &mut server);
    let results = peer.texts(2);
    assert_eq!(results.len(), 2);
    assert_eq!(results, server.texts(2));
    assert_ne!(results[0], results[1], "fresh keys");
    for result in results {
        assert!(result.starts_with("outcome=success msk="), "{result}");
        assert!(result.contains(" peer_id=6d657465722037 server_id=686573 method=psk"));
    }
    let last = server.said.iter().rposition(|(kind, _)| *kind == 1);
    let result = server.said.iter().rposition(|(kind, _)| *kind == 2);
    assert!(last < result, "RESULT follows the last EAP frame");
}

#[test]
fn a_wrong_key_is_discarded_silently_unless_a_limit_says_otherwise() {
    let (mut peer, mut server) = pair(&WRONG, 0);
    converse(&mut peer, &mut server);
    assert_eq!(server.texts(4), ["psk_bad_mac_p"]);
    assert!(server.texts(2).is_empty() && peer.texts(2).is_empty());

    let (mut peer, mut server) = pair(&WRONG, 1);
    converse(&mut peer, &mut server);
    assert_eq!(
        server.texts(2),
        ["outcome=failure method=psk cause=psk_bad_mac_p"]
    );
    // The peer has answered no message 3 yet, so it may not take the Failure for an answer.
    assert!(peer.texts(2).is_empty());
}

#[test]
fn a_timeout_repeats_the_request_octet_by_octet() {
    let (mut peer, mut server) = pair(&PSK, 0);
    assert_eq!(server.send(7, &[]), None);
    assert_eq!(server.texts(5), ["no Request is outstanding"]);
    let first = server.send(3, &[]).expect("a Request");
    assert_eq!(server.send(7, &[]), Some(first.clone()));
    let response = peer.send(1, &first).expect("a Response");
    assert_eq!(peer.send(1, &first), Some(response), "the same Response");
    assert_eq!(peer.send(7, &[]), None);
}

#[test]
fn garbage_is_discarded_and_the_conversation_goes_on() {
    let (mut peer, mut server) = pair(&PSK, 0);
    peer.send(1, &[]);
    peer.send(1, &[1, 2, 0, 3]);
    peer.send(9, b"what?");
    peer.send(2, b"outcome=success");
    assert_eq!(peer.texts(4).len(), 2);
    assert_eq!(peer.texts(5), ["there are no frames of kind 9"]);
    converse(&mut peer, &mut server);
    assert_eq!(peer.texts(2).len(), 1);
}

#[test]
fn a_peer_names_its_method_to_a_server_that_proposes_another() {
    let (mut peer, _) = pair(&PSK, 0);
    let nak = peer.send(1, &[1, 8, 0, 6, 4, 0]).expect("a Response");
    let expected = [
        Code::Response.value(),
        8,
        0,
        6,
        MethodType::Nak.value(),
        MethodType::Psk.value(),
    ];
    assert_eq!(nak, expected);
}

#[test]
fn input_that_ends_or_breaks_inside_a_frame_is_an_error() {
    let read = |octets: &[u8]| {
        frame::read(&mut &*octets, &mut Vec::new())
            .map(|input| input.map(|input| input == Input::Start))
            .map_err(|error| error.kind())
    };
    assert_eq!(read(&[]), Ok(None));
    assert_eq!(read(&[0, 1, 3]), Ok(Some(true)));
    assert_eq!(read(&[0]), Err(io::ErrorKind::UnexpectedEof));
    assert_eq!(read(&[0, 5, 1, 2]), Err(io::ErrorKind::UnexpectedEof));
    assert_eq!(read(&[0, 0]), Err(io::ErrorKind::InvalidData));
}

#[test]
fn a_list_of_users_is_read_or_refused_with_its_line() {
    let refused = |text: &str| Users::parse(text).expect_err(text).to_string();
    assert_eq!(refused("meter"), "line 1: expected `identity psk-hex`");
    assert_eq!(
        refused("\nmeter 00ff"),
        "line 2: a pre-shared key has 32 hexadecimal digits, not 4 characters"
    );
    let key = "00112233445566778899aabbccddeeff";
    let twice = format!("meter {key}\nmeter {key}");
    assert_eq!(refused(&twice), "line 2: `meter` is listed twice");
    let odd = key.replace('f', "x");
    assert_eq!(
        refused(&format!("meter {odd}")),
        "line 1: a pre-shared key has only hexadecimal digits"
    );
}
