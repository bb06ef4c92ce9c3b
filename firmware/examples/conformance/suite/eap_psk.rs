//! `eap-psk.json`: complete EAP-PSK conversations.
//!
//! Both our ends are driven with the recorded random numbers. Each receives the recorded packets
//! and must send the recorded packet that follows, octet by octet. Packets whose reserved bits are
//! set cannot come from us; there our packet must differ in nothing but what those bits change.

use firmware::crypto::Secret;
use firmware::eap::psk::{self, FLAGS_RESERVED, Indication, LongTermKeys, Message, SessionKeys};
use firmware::eap::{AuthOutcome, Code, MethodType, Packet, PeerOutcome, Reject};
use serde_json::Value;

use super::conversation::{End, PeerEnd, Script, ServerEnd};
use super::json::{self, expect_number, expect_octets, expect_text};
use super::report::Report;

pub(super) fn run(document: &Value, report: &mut Report) -> Option<()> {
    let conversations = document.get("conversations")?.as_array()?;
    conversations.first()?.get("rand_s")?;
    for conversation in conversations {
        let name = conversation.get("name").and_then(Value::as_str);
        report.case(name.unwrap_or("unnamed"), || check(conversation));
    }
    if let Some(padded) = document.get("trailing_octets") {
        let name = padded.get("name").and_then(Value::as_str);
        report.case(name.unwrap_or("trailing_octets"), || {
            check_padding(padded, conversations)
        });
    }
    Some(())
}

/// The script of a recorded conversation.
pub(super) fn script(conversation: &Value) -> Result<Script, String> {
    let mut messages = Vec::new();
    for message in json::list(conversation, "messages")? {
        let receiver = match json::text(message, "dir")? {
            "S->P" => End::Peer,
            "P->S" => End::Server,
            other => return Err(format!("dir: unknown direction {other}")),
        };
        messages.push((receiver, json::octets(message, "hex")?));
    }
    // A peer with a wrong key ends at message 2. Its AK and KDK are those listed; the AK proves
    // itself by MAC_P, the KDK is never used.
    let wrong_keys = if messages.len() == 4 {
        let derived = json::member(conversation, "derived")?;
        Some(LongTermKeys {
            ak: Secret::new(json::array(derived, "AK")?),
            kdk: Secret::new(json::array(derived, "KDK")?),
        })
    } else {
        None
    };
    Ok(Script {
        psk: json::array(conversation, "psk")?,
        wrong_keys,
        id_p: json::octets(conversation, "id_p")?,
        id_s: json::octets(conversation, "id_s")?,
        rand_s: json::array(conversation, "rand_s")?,
        rand_p: json::array(conversation, "rand_p")?,
        messages,
    })
}

/// What our two ends did with a script.
#[derive(Default)]
pub(super) struct Course {
    pub(super) peer_result: Option<&'static str>,
    pub(super) server_result: Option<&'static str>,
    pub(super) peer_discards: Vec<Reject>,
    pub(super) server_discards: Vec<Reject>,
    pub(super) mac_p: Option<[u8; 16]>,
    pub(super) mac_s: Option<[u8; 16]>,
}

/// Drives both ends through `script` and compares what they send.
pub(super) fn drive(script: &Script) -> Result<Course, String> {
    let first = script.messages.first().ok_or("no messages")?;
    let opening = Packet::parse(&first.1).map_err(|reject| reject.to_string())?;
    let identity = opening.kind == Some(MethodType::Identity);
    let mut peer = script.peer()?;
    let mut server = script.server(opening.identifier, identity)?;
    let mut course = Course::default();
    let request = server.start()?;
    if opening.code == Code::Request {
        compare(&request, &first.1)?;
    } else {
        // Records that begin with the Identity Response leave out what it answers.
        compare(&peer.handle(&request).1, &first.1)?;
    }
    for (index, (receiver, packet)) in script.messages.iter().enumerate() {
        let sent = match receiver {
            End::Peer => {
                let (outcome, sent) = peer.handle(packet);
                match outcome {
                    Ok(PeerOutcome::Response) => {}
                    Ok(PeerOutcome::Success) => course.peer_result = Some("success"),
                    Ok(PeerOutcome::Failure) => course.peer_result = Some("failure"),
                    Err(reject) => course.peer_discards.push(reject),
                }
                sent
            }
            End::Server => {
                let (outcome, sent) = server.handle(packet);
                match outcome {
                    Ok(AuthOutcome::Request) => {}
                    Ok(AuthOutcome::Success) => course.server_result = Some("success"),
                    Ok(AuthOutcome::Failure) => course.server_result = Some("failure"),
                    Err(reject) => course.server_discards.push(reject),
                }
                sent
            }
        };
        course.note_macs(&sent);
        match script.messages.get(index + 1) {
            Some((_, expected)) => {
                compare(&sent, expected).map_err(|why| format!("message {}: {why}", index + 2))?;
            }
            None if sent.is_empty() => {}
            None => {
                return Err(format!(
                    "answered the last message with {}",
                    json::encode(&sent)
                ));
            }
        }
    }
    check_exports(script, &course, &mut peer, &mut server)?;
    Ok(course)
}

/// Keys exist exactly where there was success, and are those of the key hierarchy.
fn check_exports(
    script: &Script,
    course: &Course,
    peer: &mut PeerEnd,
    server: &mut ServerEnd,
) -> Result<(), String> {
    let exported = [peer.machine.take_keys(), server.machine.take_keys()];
    let results = [course.peer_result, course.server_result];
    let expected = script.keys().1.exported;
    for (keys, result) in exported.into_iter().zip(results) {
        match (keys, result) {
            (Some(keys), Some("success")) if keys == expected => {}
            (None, None | Some("failure")) => {}
            _ => {
                return Err(
                    "keys exported without success, or not those of the key hierarchy".into(),
                );
            }
        }
    }
    if course.server_result == Some("success")
        && server.machine.peer_identity() != Some(script.id_p.as_slice())
    {
        return Err("the server does not name the peer".into());
    }
    Ok(())
}

impl Course {
    fn note_macs(&mut self, sent: &[u8]) {
        let Ok(packet) = Packet::parse(sent) else {
            return;
        };
        match Message::parse(&packet) {
            Ok(Message::Second { mac_p, .. }) => self.mac_p = Some(*mac_p),
            Ok(Message::Third { mac_s, .. }) => self.mac_s = Some(*mac_s),
            _ => {}
        }
    }
}

/// Compares a packet of ours with the recorded one.
fn compare(sent: &[u8], expected: &[u8]) -> Result<(), String> {
    let equal = json::equal_octets("packet", sent, expected);
    let reserved = Packet::parse(expected)
        .ok()
        .filter(|packet| packet.kind == Some(MethodType::Psk))
        .and_then(|packet| packet.data().first().copied())
        .is_some_and(|flags| flags & FLAGS_RESERVED != 0);
    if !reserved || sent.len() != expected.len() {
        return equal;
    }
    // Flags, and the tag and ciphertext that depend on them; `Script::open` has verified those.
    let mut masked = sent.to_vec();
    masked[5] |= expected[5] & FLAGS_RESERVED;
    let tail = match expected[5] >> 6 {
        2 => 22 + 16 + 4,
        3 => 22 + 4,
        _ => expected.len(),
    };
    let tail = tail.min(expected.len());
    masked[tail..].copy_from_slice(&expected[tail..]);
    json::equal_octets("packet", &masked, expected)
}

fn check(conversation: &Value) -> Result<(), String> {
    json::only(
        conversation,
        &[
            "name",
            "description",
            "psk",
            "id_s",
            "id_p",
            "id_s_ascii",
            "id_p_ascii",
            "rand_s",
            "rand_p",
            "derived",
            "peer_result",
            "server_result",
            "discards",
            "messages",
        ],
    )?;
    let script = script(conversation)?;
    for (key, octets) in [("id_s_ascii", &script.id_s), ("id_p_ascii", &script.id_p)] {
        check_text(conversation, key, octets)?;
    }
    let course = drive(&script)?;
    let (long_term, session) = script.keys();
    check_derived(
        json::member(conversation, "derived")?,
        &long_term,
        &session,
        &course,
    )?;
    for (key, computed) in [
        ("peer_result", course.peer_result),
        ("server_result", course.server_result),
    ] {
        check_result(conversation, key, computed)?;
    }
    if let Some(discards) = conversation.get("discards") {
        json::only(discards, &["peer", "server"])?;
        check_discards(discards, "peer", &course.peer_discards)?;
        check_discards(discards, "server", &course.server_discards)?;
    }
    for (index, message) in json::list(conversation, "messages")?.iter().enumerate() {
        check_message(&script, message).map_err(|why| format!("message {}: {why}", index + 1))?;
    }
    Ok(())
}

/// A readable identity, each octet as the character with its number.
fn check_text(conversation: &Value, key: &str, octets: &[u8]) -> Result<(), String> {
    match conversation.get(key) {
        None | Some(Value::Null) => Ok(()),
        Some(_) => {
            let text: String = octets.iter().map(|octet| char::from(*octet)).collect();
            expect_text(conversation, key, &text)
        }
    }
}

fn check_derived(
    derived: &Value,
    long_term: &LongTermKeys,
    session: &SessionKeys,
    course: &Course,
) -> Result<(), String> {
    let names = [
        "AK",
        "KDK",
        "MAC_P",
        "MAC_S",
        "TEK",
        "MSK",
        "EMSK",
        "session_id",
    ];
    json::only(derived, &names)?;
    let computed: [&[u8]; 8] = [
        long_term.ak.expose(),
        long_term.kdk.expose(),
        course.mac_p.as_ref().map_or(&[], |mac| mac),
        course.mac_s.as_ref().map_or(&[], |mac| mac),
        session.tek.expose(),
        session.exported.msk.expose(),
        session.exported.emsk.expose(),
        session.exported.session_id.as_bytes(),
    ];
    for (name, computed) in names.into_iter().zip(computed) {
        if derived.get(name).is_some() {
            expect_octets(derived, name, computed)?;
        }
    }
    // These exist in every conversation.
    for name in ["AK", "KDK"] {
        json::member(derived, name)?;
    }
    Ok(())
}

fn check_result(
    conversation: &Value,
    key: &str,
    computed: Option<&'static str>,
) -> Result<(), String> {
    match (json::member(conversation, key)?, computed) {
        (Value::Null, None) => Ok(()),
        (Value::String(_), Some(computed)) => expect_text(conversation, key, computed),
        (expected, computed) => Err(format!("{key}: got {computed:?}, expected {expected}")),
    }
}

fn check_discards(discards: &Value, key: &str, computed: &[Reject]) -> Result<(), String> {
    let expected = json::list(discards, key)?;
    if expected.len() != computed.len() {
        return Err(format!(
            "{key}: {computed:?} discarded, expected {}",
            expected.len()
        ));
    }
    for (expected, computed) in expected.iter().zip(computed) {
        json::only(expected, &["discard"])?;
        let name = match computed {
            Reject::Psk(psk::Reject::BadMacP) => "MAC_P",
            Reject::Psk(psk::Reject::BadMacS) => "MAC_S",
            other => other.name(),
        };
        expect_text(expected, "discard", name)?;
    }
    Ok(())
}

/// Compares the fields that the vector spells out for one packet.
fn check_message(script: &Script, message: &Value) -> Result<(), String> {
    json::only(message, &["dir", "hex", "len", "decoded", "pchannel"])?;
    let octets = json::octets(message, "hex")?;
    let packet = Packet::parse(&octets).map_err(|reject| reject.to_string())?;
    expect_number(message, "len", octets.len() as u64)?;
    let decoded = json::member(message, "decoded")?;
    json::only(decoded, &["code", "id", "length", "type", "psk_T"])?;
    let code = match packet.code {
        Code::Request => "Request",
        Code::Response => "Response",
        Code::Success => "Success",
        Code::Failure => "Failure",
    };
    expect_text(decoded, "code", code)?;
    expect_number(decoded, "id", packet.identifier.into())?;
    expect_number(decoded, "length", packet.octets().len() as u64)?;
    if let Some(kind) = packet.kind {
        expect_number(decoded, "type", kind.value().into())?;
    } else if decoded.get("type").is_some() {
        return Err("type: a result has none".into());
    }
    if packet.kind == Some(MethodType::Psk) {
        let number = match Message::parse(&packet).map_err(psk::Reject::name)? {
            Message::First { .. } => 0,
            Message::Second { .. } => 1,
            Message::Third { .. } => 2,
            Message::Fourth { .. } => 3,
        };
        expect_number(decoded, "psk_T", number)?;
    }
    match message.get("pchannel") {
        Some(pchannel) => check_channel(script, &octets, pchannel),
        None => Ok(()),
    }
}

fn check_channel(script: &Script, packet: &[u8], expected: &Value) -> Result<(), String> {
    let opened = script.open(packet)?.ok_or("the packet has no PCHANNEL")?;
    json::only(
        expected,
        &[
            "nonce",
            "eax_nonce16",
            "tag",
            "ciphertext",
            "plaintext",
            "header22",
            "R",
            "E",
            "ext_type",
            "ext_payload",
        ],
    )?;
    expect_octets(expected, "nonce", &opened.nonce)?;
    expect_octets(expected, "eax_nonce16", &opened.eax_nonce())?;
    expect_octets(expected, "tag", &opened.tag)?;
    expect_octets(expected, "ciphertext", &opened.ciphertext)?;
    expect_octets(expected, "plaintext", &opened.plaintext)?;
    expect_octets(expected, "header22", &opened.header)?;
    let payload = opened.payload()?;
    let indication = match payload.indication {
        Indication::Cont => "CONT",
        Indication::DoneSuccess => "DONE_SUCCESS",
        Indication::DoneFailure => "DONE_FAILURE",
    };
    expect_text(expected, "R", indication)?;
    expect_number(expected, "E", payload.extension.is_some().into())?;
    match payload.extension {
        Some(extension) => {
            expect_number(expected, "ext_type", extension.kind.into())?;
            expect_octets(expected, "ext_payload", extension.payload)
        }
        None if expected.get("ext_type").is_some() || expected.get("ext_payload").is_some() => {
            Err("ext_type: there is no extension".into())
        }
        None => Ok(()),
    }
}

/// Octets beyond the EAP Length are ignored (RFC 3748 section 4).
fn check_padding(padded: &Value, conversations: &[Value]) -> Result<(), String> {
    json::only(padded, &["name", "description", "hex"])?;
    let octets = json::octets(padded, "hex")?;
    let packet = Packet::parse(&octets).map_err(|reject| reject.to_string())?;
    if packet.octets().len() == octets.len() {
        return Err("hex: no octets beyond the EAP Length".into());
    }
    for conversation in conversations {
        let script = script(conversation)?;
        let recorded = script.messages.iter();
        let Some(index) = recorded
            .map(|(_, octets)| octets.as_slice())
            .position(|octets| octets == packet.octets())
        else {
            continue;
        };
        let mut peer = script.peer()?;
        for (receiver, message) in &script.messages[..index] {
            if *receiver == End::Peer {
                let (outcome, _) = peer.handle(message);
                outcome.map_err(|reject| reject.to_string())?;
            }
        }
        let (_, sent) = peer.handle(&octets);
        let answer = script
            .messages
            .get(index + 1)
            .ok_or("hex: the last message")?;
        return compare(&sent, &answer.1);
    }
    Err("hex: not a message of any conversation".into())
}
