//! `eap-psk-hostap.json`: conversations between a peer and a server of another implementation.

use firmware::eap::Packet;
use firmware::eap::psk::Message;
use serde_json::Value;

use super::conversation::{End, Script};
use super::eap_psk::drive;
use super::json::{self, expect_octets};
use super::report::Report;

pub(super) fn run(document: &Value, report: &mut Report) -> Option<()> {
    let conversations = document.as_array()?;
    conversations.first()?.get("keys")?.get("RAND_P")?;
    conversations.first()?.get("messages")?;
    for conversation in conversations {
        let name = conversation.get("name").and_then(Value::as_str);
        report.case(name.unwrap_or("unnamed"), || check(conversation));
    }
    Some(())
}

fn check(conversation: &Value) -> Result<(), String> {
    json::only(
        conversation,
        &["name", "origin", "psk", "id_p", "id_s", "messages", "keys"],
    )?;
    let keys = json::member(conversation, "keys")?;
    let mut messages = Vec::new();
    for message in json::list(conversation, "messages")? {
        json::only(message, &["dir", "hex"])?;
        let receiver = match json::text(message, "dir")? {
            "server->peer" => End::Peer,
            "peer->server" => End::Server,
            other => return Err(format!("dir: unknown direction {other}")),
        };
        messages.push((receiver, json::octets(message, "hex")?));
    }
    let script = Script {
        psk: json::array(conversation, "psk")?,
        wrong_keys: None,
        id_p: json::text(conversation, "id_p")?.as_bytes().to_vec(),
        id_s: json::text(conversation, "id_s")?.as_bytes().to_vec(),
        rand_s: json::array(keys, "RAND_S")?,
        rand_p: json::array(keys, "RAND_P")?,
        messages,
    };
    let course = drive(&script)?;
    if [course.peer_result, course.server_result] != [Some("success"); 2] {
        return Err("our ends do not succeed".into());
    }
    let (long_term, session) = script.keys();
    let names = [
        "AK",
        "KDK",
        "TEK",
        "MSK",
        "EMSK",
        "MAC_P",
        "MAC_S",
        "RAND_P",
        "RAND_S",
        "Session-Id",
    ];
    json::only(keys, &names)?;
    let (rand_s, rand_p) = challenges(&script)?;
    let computed: [&[u8]; 10] = [
        long_term.ak.expose(),
        long_term.kdk.expose(),
        session.tek.expose(),
        session.exported.msk.expose(),
        session.exported.emsk.expose(),
        &course.mac_p.ok_or("no message 2")?,
        &course.mac_s.ok_or("no message 3")?,
        &rand_p,
        &rand_s,
        session.exported.session_id.as_bytes(),
    ];
    for (name, computed) in names.into_iter().zip(computed) {
        expect_octets(keys, name, computed)?;
    }
    Ok(())
}

/// RAND_S and RAND_P as the recorded message 2 carries them.
fn challenges(script: &Script) -> Result<([u8; 16], [u8; 16]), String> {
    script
        .messages
        .iter()
        .filter_map(|(_, octets)| Packet::parse(octets).ok())
        .find_map(|packet| match Message::parse(&packet) {
            Ok(Message::Second { rand_s, rand_p, .. }) => Some((*rand_s, *rand_p)),
            _ => None,
        })
        .ok_or_else(|| "no message 2".into())
}
