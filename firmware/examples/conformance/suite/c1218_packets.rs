//! `c1218_packets.json`: check sequences, messages in packets, and what a receiver refuses.

use firmware::Instant;
use firmware::c1218::service::{Negotiated, Request};
use firmware::c1218::{Link, Parameters, Policy, Server, crc};
use firmware::c1222::service::{Response, ResponseCode};
use firmware::wire::Writer;
use serde_json::Value;

use super::c1218::{self, ACK, Script};
use super::json::{self, expect_octets};
use super::report::Report;

const NAK: u8 = 0x15;

pub(super) fn run(document: &Value, report: &mut Report) -> Option<()> {
    let checks = document.get("crc_check")?.as_array()?;
    let exchanges = document.get("exchanges")?.as_array()?;
    for (index, case) in checks.iter().enumerate() {
        report.case(&format!("crc-{index}"), || {
            json::only(case, &["data", "crc"])?;
            let crc = crc::of(&json::octets(case, "data")?);
            expect_octets(case, "crc", &crc.to_le_bytes())
        });
    }
    for case in exchanges {
        let id = case.get("id").and_then(Value::as_str);
        report.case(id.unwrap_or("unnamed"), || check(exchanges, case));
    }
    for case in json::list(document, "negative").unwrap_or(&[]) {
        let id = case.get("id").and_then(Value::as_str).unwrap_or("unnamed");
        report.case(id, || check_negative(exchanges, id, case));
    }
    Some(())
}

fn check(exchanges: &[Value], case: &Value) -> Result<(), String> {
    json::only(
        case,
        &[
            "id",
            "description",
            "direction",
            "payload",
            "packet_size",
            "packets",
        ],
    )?;
    let payload = json::octets(case, "payload")?;
    let packets = packets(case)?;
    let size = json::number(case, "packet_size")?;
    let sizes = [
        u64::from(Parameters::default().packet_size),
        negotiated_size(exchanges)?,
    ];
    if !sizes.contains(&size) {
        return Err(format!("packet_size: neither of {sizes:?}"));
    }
    match json::text(case, "direction")? {
        "client" => check_request(&payload)?,
        "meter" => check_response(case, &payload)?,
        other => return Err(format!("direction: {other}")),
    }
    check_sent(&payload, &packets, size)?;
    let (answers, messages) = c1218::receive(&mut c1218::link(size)?, &packets)?;
    json::equal_octets("answers", &answers, &vec![ACK; packets.len()])?;
    match messages.as_slice() {
        [message] => json::equal_octets("message", message, &payload),
        others => Err(format!("{} messages", others.len())),
    }
}

/// The size that the Negotiate of the file ends with.
fn negotiated_size(exchanges: &[Value]) -> Result<u64, String> {
    let response = find(exchanges, "negotiate-r")?;
    let payload = json::octets(response, "payload")?;
    let data = payload.get(1..).unwrap_or(&[]);
    let negotiated = Negotiated::parse(data, &Parameters::default());
    let negotiated = negotiated.map_err(|error| format!("negotiate-r: {error}"))?;
    Ok(u64::from(negotiated.parameters.packet_size))
}

fn check_request(payload: &[u8]) -> Result<(), String> {
    let request = Request::parse(payload).map_err(|error| error.to_string())?;
    if payload.first().is_none_or(|code| *code < 0x20) {
        return Err("payload: not a request".into());
    }
    let mut built = vec![0xA5; payload.len()];
    request
        .emit(&mut Writer::new(&mut built))
        .map_err(|error| error.to_string())?;
    json::equal_octets("request built again", &built, payload)
}

fn check_response(case: &Value, payload: &[u8]) -> Result<(), String> {
    let response = Response::parse(payload).map_err(|error| error.to_string())?;
    let expected = match json::text(case, "id")?.strip_prefix("nok-") {
        None => "Ok".to_owned(),
        // The codes are named after their abbreviations.
        Some(name) => name[..1].to_uppercase() + &name[1..],
    };
    if format!("{:?}", response.code) != expected {
        return Err(format!("payload: code {:?}", response.code));
    }
    Ok(())
}

/// Cuts the payload into packets as a sender does.
fn check_sent(payload: &[u8], packets: &[Vec<u8>], size: u64) -> Result<(), String> {
    let first = packets.first().ok_or("packets: none")?;
    let mut link = c1218::link(size)?;
    if c1218::check_packet(first)?.control.toggle {
        // Any packet before turns the toggle.
        link.send(vec![0]).map_err(|error| error.to_string())?;
        acknowledge(&mut link)?;
    }
    link.send(payload.to_vec())
        .map_err(|error| error.to_string())?;
    for (index, expected) in packets.iter().enumerate() {
        c1218::check_packet(expected)?;
        let packet = acknowledge(&mut link)?;
        json::equal_octets(&format!("packet {index}"), &packet, expected)?;
    }
    if link.is_sending() {
        return Err("packets: more computed".into());
    }
    Ok(())
}

/// Lets a link send a packet, and acknowledges it.
fn acknowledge(link: &mut Link) -> Result<Vec<u8>, String> {
    let sent = link.poll_transmit(Instant::ZERO).ok_or("nothing sent")?;
    link.handle_octets(&[ACK], Instant::ZERO);
    Ok(sent.octets)
}

fn check_negative(exchanges: &[Value], id: &str, case: &Value) -> Result<(), String> {
    json::only(case, &["id", "packet", "expect"])?;
    let packet = json::octets(case, "packet")?;
    let expected = json::text(case, "expect")?;
    let size = u64::from(Parameters::default().packet_size);
    match id {
        "bad-crc" => {
            json::expect_text(case, "expect", "receiver answers NAK 15")?;
            let (body, _) = packet.split_at(packet.len().saturating_sub(2));
            let sound = self::packets(find(exchanges, "read-st1")?)?;
            json::equal_octets("packet but for its end", body, &sound[0][..body.len()])?;
            let (answers, messages) = c1218::receive(&mut c1218::link(size)?, &[packet])?;
            json::equal_octets("answer", &answers, &[NAK])?;
            messages.is_empty().then_some(()).ok_or("taken".into())
        }
        "duplicate" => {
            if !expected.starts_with("same toggle and CRC as previous packet: ACK again") {
                return Err(format!("expect: {expected}"));
            }
            let twice = [packet.clone(), packet];
            let (answers, messages) = c1218::receive(&mut c1218::link(size)?, &twice)?;
            json::equal_octets("answers", &answers, &[ACK, ACK])?;
            (messages.len() == 1)
                .then_some(())
                .ok_or("taken twice".into())
        }
        "bad-table-checksum" => {
            json::expect_text(case, "expect", "link ACK, application response err 01")?;
            let mut server = Server::new(Policy::default());
            let mut script = Script::default();
            server.handle_octets(&packet, &mut script, Instant::ZERO);
            let sent = c1218::sent_by_server(&mut server);
            json::equal_octets("answer", &sent[0], &[ACK])?;
            let response = c1218::check_packet(&sent[1])?;
            json::equal_octets("response", response.data, &[ResponseCode::Err.into()])?;
            (script.served == 0).then_some(()).ok_or("written".into())
        }
        _ => Err("id: unknown".into()),
    }
}

fn find<'a>(exchanges: &'a [Value], id: &str) -> Result<&'a Value, String> {
    let mut exchanges = exchanges.iter();
    let found = exchanges.find(|exchange| exchange.get("id").and_then(Value::as_str) == Some(id));
    found.ok_or_else(|| format!("{id}: missing"))
}

fn packets(case: &Value) -> Result<Vec<Vec<u8>>, String> {
    let packets = json::list(case, "packets")?.iter();
    let octets = |packet: &Value| packet.as_str().and_then(json::decode);
    let packets: Option<Vec<_>> = packets.map(octets).collect();
    packets
        .filter(|packets| !packets.is_empty())
        .ok_or("packets: not octets".into())
}
