//! `pana-sessions.json`: complete PANA sessions.
//!
//! Every datagram is decoded and compared with its description, every AUTH is verified under a key
//! derived from the recorded inputs, and both our ends are driven through the session and must
//! send every datagram octet by octet, at the recorded time, to the recorded address.
//!
//! Two records are beyond our ends and are replayed as far as they go. In `pana-04d-nak` the PAA
//! proposes an EAP method that ours does not have: there the PaC alone is driven. In
//! `pana-03-stateless-loss` the PAA answers a PCI without state from a secret that is not
//! recorded: there ours keeps state, and repeats the same PAR\[S\] by its timer.

use firmware::crypto::{MacKey, Secret, Work};
use firmware::pana::avp::Code;
use firmware::pana::{Association, Flags, Header, KeyInputs, Message, MessageType, Suite};
use serde_json::Value;

use super::json::{self, equal_octets, expect_number, expect_octets, expect_text};
use super::pana_record::{Conversation, Datagram, Role, Session, address, avp_value, time_us};
use super::pana_replay::{Replay, Yield};
use super::report::Report;

pub(super) fn run(document: &Value, report: &mut Report) -> Option<()> {
    let sessions = document.get("sessions")?.as_array()?;
    sessions.first()?.get("pana_keys")?;
    for session in sessions {
        let name = session.get("name").and_then(Value::as_str);
        report.case(name.unwrap_or("unnamed"), || check(session));
    }
    Some(())
}

fn check(value: &Value) -> Result<(), String> {
    json::text(value, "name")?;
    let session = Session::parse(value)?;
    check_conversations(&session)?;
    let suite = check_algorithms(&session)?;
    expect_octets(value, "I_PAR", &session.first_request().unwrap_or_default())?;
    expect_octets(value, "I_PAN", &session.first_answer().unwrap_or_default())?;
    let associations = check_keys(&session, suite)?;
    check_auth(&session, &associations)?;
    check_encryption(&session, &associations)?;
    check_addresses(&session)?;
    replay(&session)
}

/// The inputs and outputs of every EAP conversation that exported keys.
fn check_conversations(session: &Session<'_>) -> Result<(), String> {
    let expected = json::list(session.value, "eap")?;
    // A conversation that failed exports nothing and is not listed.
    let computed: &[Conversation] = if expected.is_empty() {
        &[]
    } else {
        &session.conversations
    };
    if expected.len() != computed.len() {
        return Err(format!("eap: {} conversations took place", computed.len()));
    }
    if expected.is_empty() && !json::list(session.value, "pana_keys")?.is_empty() {
        return Err("eap: keys without a conversation".into());
    }
    for (expected, computed) in expected.iter().zip(computed) {
        json::only(
            expected,
            &[
                "AK",
                "KDK",
                "RAND_S",
                "RAND_P",
                "TEK",
                "MSK",
                "EMSK",
                "session_id",
            ],
        )?;
        expect_octets(expected, "AK", computed.long_term.ak.expose())?;
        expect_octets(expected, "KDK", computed.long_term.kdk.expose())?;
        expect_octets(expected, "RAND_S", &computed.rand_s)?;
        expect_octets(expected, "RAND_P", &computed.rand_p)?;
        expect_octets(expected, "TEK", computed.session.tek.expose())?;
        let exported = &computed.session.exported;
        expect_octets(expected, "MSK", exported.msk.expose())?;
        expect_octets(expected, "EMSK", exported.emsk.expose())?;
        expect_octets(expected, "session_id", exported.session_id.as_bytes())?;
    }
    Ok(())
}

/// What PAN with S bit selected.
fn check_algorithms(session: &Session<'_>) -> Result<Suite, String> {
    let answer = session.first_answer().ok_or("there is no PAN[S]")?;
    let message = Message::parse(&answer).map_err(|reject| reject.name().to_owned())?;
    let offered = session.offered()?;
    let (prf, _) = *offered
        .iter()
        .find(|(prf, _)| message.prf.has_prf(*prf))
        .ok_or("PAN[S] selects no PRF")?;
    let (_, integrity) = *offered
        .iter()
        .find(|(_, integrity)| message.integrity.has_integrity(*integrity))
        .ok_or("PAN[S] selects no integrity algorithm")?;
    let expected = json::member(session.value, "prf")?;
    json::only(expected, &["id", "name"])?;
    expect_number(expected, "id", prf.id().into())?;
    let name = match prf.id() {
        2 => "PRF_HMAC_SHA1",
        5 => "PRF_HMAC_SHA2_256",
        _ => "PRF_AES128_CMAC",
    };
    expect_text(expected, "name", name)?;
    let expected = json::member(session.value, "integrity")?;
    json::only(expected, &["id", "name", "key_len", "tag_len"])?;
    expect_number(expected, "id", integrity.id().into())?;
    expect_number(expected, "key_len", integrity.key_len() as u64)?;
    expect_number(expected, "tag_len", integrity.tag_len() as u64)?;
    let name = match integrity.id() {
        7 => "AUTH_HMAC_SHA1_160",
        12 => "AUTH_HMAC_SHA2_256_128",
        _ => "AUTH_AES_CMAC_96",
    };
    expect_text(expected, "name", name)?;
    Ok(Suite {
        prf,
        integrity,
        encryption: message.encryption.has_aes_ctr(),
    })
}

/// The nonces of each authentication, those of the PaC first.
fn nonces(session: &Session<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let collect = |role| {
        let mut nonces: Vec<Vec<u8>> = session
            .messages()
            .filter(|(from, _)| *from == role)
            .filter_map(|(_, octets)| avp_value(&octets, Code::Nonce))
            .collect();
        nonces.dedup();
        nonces
    };
    collect(Role::Pac)
        .into_iter()
        .zip(collect(Role::Paa))
        .collect()
}

/// The PANA SAs, derived from MSK, S exchange, nonces and Key-Id as the datagrams have them.
fn check_keys(session: &Session<'_>, suite: Suite) -> Result<Vec<Association>, String> {
    let mut first_messages = session.first_request().unwrap_or_default();
    first_messages.extend(session.first_answer().unwrap_or_default());
    let mut key_ids: Vec<u32> = session
        .messages()
        .filter_map(|(_, octets)| avp_value(&octets, Code::KeyId))
        .filter_map(|value| Some(u32::from_be_bytes(value.try_into().ok()?)))
        .collect();
    key_ids.dedup();
    let expected = json::list(session.value, "pana_keys")?;
    if expected.len() != key_ids.len() {
        return Err(format!(
            "pana_keys: {} Key-Ids were assigned",
            key_ids.len()
        ));
    }
    let mut associations = Vec::new();
    let inputs = session.conversations.iter().zip(nonces(session));
    for ((expected, key_id), (conversation, nonces)) in expected.iter().zip(key_ids).zip(inputs) {
        json::only(
            expected,
            &[
                "key_id",
                "msk",
                "pac_nonce",
                "paa_nonce",
                "PANA_AUTH_KEY",
                "prf_plus_seed",
                "PANA_PAC_ENCR_KEY",
                "PANA_PAA_ENCR_KEY",
            ],
        )?;
        let msk = &conversation.session.exported.msk;
        let inputs = KeyInputs {
            msk,
            suite,
            first_messages: &first_messages,
            pac_nonce: &nonces.0,
            paa_nonce: &nonces.1,
            key_id,
        };
        let association = inputs.derive(&mut Work::default());
        expect_number(expected, "key_id", key_id.into())?;
        expect_octets(expected, "msk", msk.expose())?;
        expect_octets(expected, "pac_nonce", &nonces.0)?;
        expect_octets(expected, "paa_nonce", &nonces.1)?;
        expect_octets(expected, "PANA_AUTH_KEY", association.auth().expose())?;
        let seed = [
            b"IETF PANA",
            first_messages.as_slice(),
            &nonces.0,
            &nonces.1,
            &key_id.to_be_bytes(),
        ]
        .concat();
        expect_octets(expected, "prf_plus_seed", &seed)?;
        check_encryption_keys(expected, &association)?;
        // The listed seed has to yield the listed key.
        let mut key = Secret::<32>::default();
        let key_len = suite.integrity.key_len();
        let octets = &mut key.expose_mut()[..key_len];
        let seed = json::octets(expected, "prf_plus_seed")?;
        suite
            .prf
            .plus(msk.expose(), &[&seed], octets, &mut Work::default());
        expect_octets(expected, "PANA_AUTH_KEY", octets)?;
        associations.push(association);
    }
    Ok(associations)
}

fn check_encryption_keys(expected: &Value, association: &Association) -> Result<(), String> {
    use firmware::pana::Sender;
    for (key, sender) in [
        ("PANA_PAC_ENCR_KEY", Sender::Pac),
        ("PANA_PAA_ENCR_KEY", Sender::Paa),
    ] {
        match (association.encryption(sender), expected.get(key)) {
            (Some(computed), _) => expect_octets(expected, key, computed.expose())?,
            (None, None) => {}
            (None, Some(_)) => return Err(format!("{key}: encryption was not negotiated")),
        }
    }
    Ok(())
}

/// Verifies every AUTH and that there is one wherever there has to be one.
fn check_auth(session: &Session<'_>, associations: &[Association]) -> Result<(), String> {
    let mut current: Option<&MacKey> = None;
    let mut upcoming = associations.iter();
    for (index, (_, octets)) in session.messages().enumerate() {
        let place = |why: &str| format!("message {}: {why}", index + 1);
        let message = Message::parse(&octets).map_err(|reject| place(reject.name()))?;
        let header = message.header;
        let announces = header.is_request() && message.key_id.is_some();
        if announces && current.is_none_or(|key| message.verify(key, &mut Work::default()).is_err())
        {
            let association = upcoming.next().ok_or_else(|| place("no key is left"))?;
            current = Some(association.auth());
        }
        match (current, message.auth) {
            (Some(key), _) => message
                .verify(key, &mut Work::default())
                .map_err(|reject| place(reject.name()))?,
            (None, Some(_)) => return Err(place("AUTH before there is a key")),
            (None, None) => {}
        }
    }
    Ok(())
}

/// Encryption-Encap (RFC 6786).
fn check_encryption(session: &Session<'_>, associations: &[Association]) -> Result<(), String> {
    let Some(expected) = session.value.get("encryption") else {
        return Ok(());
    };
    json::only(
        expected,
        &[
            "plaintext_avps",
            "key",
            "ping_request_plaintext",
            "ping_answer_plaintext",
            "first_counter_block",
            "network_key",
            "ciphertext",
        ],
    )?;
    let association = associations.first().ok_or("encryption without a key")?;
    expect_text(expected, "key", "PANA_PAA_ENCR_KEY")?;
    let complete = session
        .find(|header| header.is_request() && header.flags.contains(Flags::COMPLETE))
        .ok_or("there is no PAR[C]")?;
    let header = Header::parse(&complete).map_err(|reject| reject.name().to_owned())?;
    let ciphertext = avp_value(&complete, Code::EncryptionEncap).unwrap_or_default();
    expect_octets(expected, "ciphertext", &ciphertext)?;
    let mut block = vec![2];
    for word in [association.key_id(), header.session_id, header.sequence] {
        block.extend(word.to_be_bytes());
    }
    block.extend([0, 0, 1]);
    expect_octets(expected, "first_counter_block", &block)?;
    let pings = |request: bool| {
        session.find(move |header| {
            header.kind == MessageType::Notification && header.is_request() == request
        })
    };
    for (key, message, sender) in [
        (
            "plaintext_avps",
            Some(complete),
            firmware::pana::Sender::Paa,
        ),
        (
            "ping_request_plaintext",
            pings(true),
            firmware::pana::Sender::Pac,
        ),
        (
            "ping_answer_plaintext",
            pings(false),
            firmware::pana::Sender::Paa,
        ),
    ] {
        let octets = message.unwrap_or_default();
        let header = Header::parse(&octets).map_err(|reject| reject.name().to_owned())?;
        let mut plaintext = avp_value(&octets, Code::EncryptionEncap).unwrap_or_default();
        let (id, sequence) = (header.session_id, header.sequence);
        if !association.crypt(sender, id, sequence, &mut plaintext, &mut Work::default()) {
            return Err("encryption was not negotiated".into());
        }
        expect_octets(expected, key, &plaintext)?;
    }
    let plaintext = json::octets(expected, "plaintext_avps")?;
    // Session-Lifetime takes 12 octets, the header of the vendor-specific AVP another 12.
    let network_key = plaintext.get(24..40).unwrap_or_default();
    expect_octets(expected, "network_key", network_key)
}

fn check_addresses(session: &Session<'_>) -> Result<(), String> {
    let expected = json::member(session.value, "addresses")?;
    json::only(expected, &["pac", "paa"])?;
    let paa = address(expected, "paa")?;
    let pac = address(expected, "pac")?;
    let at = |datagram: &Datagram, role| {
        if datagram.from == role {
            Some(datagram.source)
        } else if datagram.to == role {
            Some(datagram.destination)
        } else {
            None
        }
    };
    let mut last = None;
    for datagram in &session.datagrams {
        if at(datagram, Role::Paa).is_some_and(|seen| seen != paa) {
            return Err(format!("addresses: the PAA is not at {paa}"));
        }
        last = at(datagram, Role::Pac).or(last);
    }
    if last == Some(pac) {
        Ok(())
    } else {
        Err(format!("addresses: the PaC is not at {pac} in the end"))
    }
}

fn replay(session: &Session<'_>) -> Result<(), String> {
    let mut replay = Replay::new(session)?;
    let events = json::list(session.value, "events")?;
    for index in 0..session.datagrams.len() {
        replay.step(index)?;
        for event in events {
            if json::number(event, "after")? == index as u64 + 1 {
                check_event(session, &replay, event, index)?;
            }
        }
    }
    if let Some(event) = events.iter().find(|event| {
        let after = json::number(event, "after");
        !after.is_ok_and(|after| (1..=session.datagrams.len() as u64).contains(&after))
    }) {
        return Err(format!("events: {event} does not follow a datagram"));
    }
    if replay.queue_lens() != [0; 3] {
        return Err("more was sent than is recorded".into());
    }
    check_yields(session, &replay)
}

/// What the keys of both ends are, and that they are those of the key hierarchy.
fn check_yields(session: &Session<'_>, replay: &Replay<'_>) -> Result<(), String> {
    let denied = session.messages().any(|(_, octets)| {
        avp_value(&octets, Code::ResultCode).is_some_and(|value| value != [0; 4])
    });
    let expected = json::list(session.value, "pana_keys")?;
    let mut ends: Vec<&[Yield]> = vec![&replay.pac_yields];
    if replay.drives_paa {
        ends.push(&replay.paa_yields);
    }
    for yields in ends {
        if denied && yields.is_empty() {
            continue;
        }
        if yields.len() != expected.len() {
            return Err(format!("{} authentications succeeded", yields.len()));
        }
        for ((expected, computed), conversation) in
            expected.iter().zip(yields).zip(&session.conversations)
        {
            expect_number(expected, "key_id", computed.key_id.into())?;
            expect_octets(expected, "PANA_AUTH_KEY", &computed.auth_key)?;
            for (key, octets) in [
                ("PANA_PAC_ENCR_KEY", &computed.pac_encryption),
                ("PANA_PAA_ENCR_KEY", &computed.paa_encryption),
            ] {
                if let Some(octets) = octets {
                    expect_octets(expected, key, octets)?;
                }
            }
            if computed.keys != conversation.session.exported {
                return Err("keys exported by EAP differ from the key hierarchy".into());
            }
        }
    }
    if let Some(encryption) = session.value.get("encryption") {
        let [first, second] = &replay.confidential[..] else {
            return Err("the PaC did not receive two encrypted lists of AVPs".into());
        };
        expect_octets(encryption, "plaintext_avps", first)?;
        expect_octets(encryption, "ping_answer_plaintext", second)?;
        let asked = replay.asked().concat();
        equal_octets(
            "ping_request_plaintext",
            &asked,
            &json::octets(encryption, "ping_request_plaintext")?,
        )?;
    }
    Ok(())
}

/// Compares an event with the state of the ends after datagram `index`.
fn check_event(
    session: &Session<'_>,
    replay: &Replay<'_>,
    event: &Value,
    index: usize,
) -> Result<(), String> {
    json::only(event, &["after", "t", "who", "event"])?;
    let text = json::text(event, "event")?;
    let roles: &[Role] = match json::text(event, "who")? {
        "both" => &[Role::Pac, Role::Paa],
        "pac" => &[Role::Pac],
        "paa" => &[Role::Paa],
        other => return Err(format!("who: unknown {other}")),
    };
    let time = time_us(event, "t")?;
    let at = session.datagrams[index].time_us;
    if let Some((_, moved)) = text
        .split_once("address changed to ")
        .or_else(|| text.split_once("address updated to "))
    {
        let moved = moved.parse().map_err(|_| "event: not an address")?;
        return check_move(session, replay, roles, (moved, time, index));
    }
    if time != at {
        return Err(format!("event: at {time} us, expected {at} us"));
    }
    for role in roles {
        if *role == Role::Paa && !replay.drives_paa {
            continue;
        }
        check_state(replay, *role, text)?;
    }
    if text.contains("reconfigures") != replay.reconfigured {
        return Err("event: the I bit was not noticed, or there was none".into());
    }
    Ok(())
}

fn check_state(replay: &Replay<'_>, role: Role, text: &str) -> Result<(), String> {
    let (has_access, is_closed, key_id) = replay.state(role);
    if let Some((_, number)) = text.split_once("Key-Id ") {
        let number = number.parse().map_err(|_| "event: not a Key-Id")?;
        if key_id != Some(number) {
            return Err(format!("event: {role:?} has key {key_id:?}"));
        }
    }
    let as_expected = if text.starts_with("OPEN") {
        has_access
    } else if text.starts_with("CLOSED") {
        !has_access && is_closed
    } else if text.contains("PaC address updated") {
        let session = replay.paa_session().ok_or("event: no session")?;
        let cleared = session.relay().is_none();
        has_access && cleared == text.contains("PRE attribute cleared")
    } else {
        return Err(format!("event: unknown {text}"));
    };
    if as_expected {
        Ok(())
    } else {
        Err(format!("event: {role:?} is not {text}"))
    }
}

/// A new address of the PaC: it is used by its next datagram, or known to the PAA.
fn check_move(
    session: &Session<'_>,
    replay: &Replay<'_>,
    roles: &[Role],
    (moved, time, index): (core::net::SocketAddr, u64, usize),
) -> Result<(), String> {
    if roles == [Role::Pac] {
        let next = session.datagrams.get(index + 1);
        let next = next.ok_or("event: the PaC does not speak afterwards")?;
        return if next.source == moved && time + 20_000 == next.time_us {
            Ok(())
        } else {
            Err("event: the next datagram is not sent from there then".into())
        };
    }
    let known = replay.paa_session().map(|session| session.pac());
    if known == Some(moved) && time == session.datagrams[index].time_us {
        Ok(())
    } else {
        Err(format!("event: the PAA knows the PaC at {known:?}"))
    }
}
