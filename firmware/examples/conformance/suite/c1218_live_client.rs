//! `c1218_live_client.json`: a session with a third-party client, played by either end.
//!
//! The server gets what the client sent and has to send what the meter sent, octet by octet; the
//! client of this crate is asked for the same requests and has to send what the other client sent.

use firmware::Instant;
use firmware::c1218::service::Request;
use firmware::c1218::{Client, ClientEvent, Policy, Server, ServerEvent, Timing};
use firmware::c1222::service::Request as Service;
use serde_json::Value;

use super::c1218::{self, ACK, Script};
use super::json;
use super::report::Report;

/// A message of the session: who sent it, its packets, its contents.
struct Message {
    from_client: bool,
    packets: Vec<Vec<u8>>,
    contents: Vec<u8>,
}

pub(super) fn run(document: &Value, report: &mut Report) -> Option<()> {
    let packets = document.get("packets")?.as_array()?;
    packets.first()?.get("dir")?;
    report.case("server", || serve(&messages(packets)?));
    report.case("client", || ask(&messages(packets)?));
    Some(())
}

/// Joins packets to messages, which have to alternate.
fn messages(packets: &[Value]) -> Result<Vec<Message>, String> {
    let mut messages: Vec<Message> = Vec::new();
    let mut left = 0;
    for case in packets {
        json::only(case, &["dir", "octets"])?;
        let octets = json::octets(case, "octets")?;
        let from_client = match json::text(case, "dir")? {
            "rx" => true,
            "tx" => false,
            other => return Err(format!("dir: {other}")),
        };
        let packet = c1218::check_packet(&octets)?;
        if left == 0 {
            if from_client != messages.len().is_multiple_of(2) {
                return Err("dir: requests and responses do not alternate".into());
            }
            messages.push(Message {
                from_client,
                packets: Vec::new(),
                contents: Vec::new(),
            });
        }
        left = packet.sequence;
        let message = messages.last_mut().ok_or("packets: none")?;
        if message.from_client != from_client {
            return Err("dir: within a message".into());
        }
        message.contents.extend_from_slice(packet.data);
        message.packets.push(octets);
    }
    Ok(messages)
}

/// Plays the meter.
fn serve(messages: &[Message]) -> Result<(), String> {
    let mut server = Server::new(Policy::default());
    let mut script = Script::default();
    for pair in messages.chunks(2) {
        let [request, response] = pair else {
            return Err("packets: a request without its response".into());
        };
        let of_tables = matches!(
            Request::parse(&request.contents),
            Ok(Request::Common(
                Service::Read(_) | Service::Write(_) | Service::Security(_)
            ))
        );
        // Whatever tables answer; everything else is up to the server.
        script.responses = of_tables
            .then(|| response.contents.clone())
            .into_iter()
            .collect();
        for packet in &request.packets {
            server.handle_octets(packet, &mut script, Instant::ZERO);
        }
        let mut sent = c1218::sent_by_server(&mut server);
        json::equal_octets("answer", &sent.remove(0), &[ACK])?;
        for expected in &response.packets {
            let packet = sent.first().ok_or("nothing sent")?;
            json::equal_octets("packet of the meter", packet, expected)?;
            server.handle_octets(&[ACK], &mut script, Instant::ZERO);
            sent = c1218::sent_by_server(&mut server);
        }
        if !sent.is_empty() || !script.responses.is_empty() {
            return Err("the meter has more to say".into());
        }
    }
    let events: Vec<ServerEvent> = std::iter::from_fn(|| server.poll_event()).collect();
    match events.last() {
        Some(ServerEvent::Ended(contact)) if contact.refused == 0 => Ok(()),
        other => Err(format!("session ends with {other:?}")),
    }
}

/// Plays the client.
fn ask(messages: &[Message]) -> Result<(), String> {
    let mut client = Client::new(Timing::default());
    for pair in messages.chunks(2) {
        let [request, response] = pair else {
            return Err("packets: a request without its response".into());
        };
        let parsed = Request::parse(&request.contents).map_err(|error| error.to_string())?;
        client
            .request(&parsed, Instant::ZERO)
            .map_err(|error| error.to_string())?;
        for expected in &request.packets {
            let sent = c1218::sent_by_client(&mut client);
            json::equal_octets("packet of the client", &sent.concat(), expected)?;
            client.handle_octets(&[ACK], Instant::ZERO);
        }
        for packet in &response.packets {
            client.handle_octets(packet, Instant::ZERO);
            let sent = c1218::sent_by_client(&mut client);
            json::equal_octets("answer", &sent.concat(), &[ACK])?;
        }
        let event = client.poll_event();
        if event != Some(ClientEvent::Response(response.contents.clone())) {
            return Err(format!("response: {event:?}"));
        }
    }
    Ok(())
}
