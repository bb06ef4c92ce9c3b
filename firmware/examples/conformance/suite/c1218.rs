//! What the formats of C12.18 share: packets, and both ends of a line.

use firmware::Instant;
use firmware::c1218::{Client, LinkEvent, Packet, Server, Tables};
use firmware::c1218::{Link, Timing};
use firmware::c1219::access::Groups;
use firmware::c1222::service::{Request as Service, ResponseCode};
use firmware::wire::{Error, Writer};

use super::json;

/// The acknowledgement.
pub(super) const ACK: u8 = 0x06;

/// Tables that answer with what a vector says, and read back what they were asked.
#[derive(Default)]
pub(super) struct Script {
    /// Responses to come, the last one first.
    pub(super) responses: Vec<Vec<u8>>,
    /// Requests that reached the tables.
    pub(super) served: usize,
}

impl Tables for Script {
    fn begin(&mut self, _: u16) {}

    fn serve(&mut self, _: &Service<'_>, response: &mut Writer<'_>) -> Result<(), Error> {
        self.served += 1;
        let next = self.responses.pop();
        response.put(&next.unwrap_or_else(|| vec![ResponseCode::Iar.into()]))
    }

    fn groups(&self) -> Groups {
        Groups::GUEST
    }
}

/// All octets that a server sends now.
pub(super) fn sent_by_server(server: &mut Server) -> Vec<Vec<u8>> {
    let next = || server.poll_transmit(Instant::ZERO);
    std::iter::from_fn(next).map(|sent| sent.octets).collect()
}

/// All octets that a client sends now.
pub(super) fn sent_by_client(client: &mut Client) -> Vec<Vec<u8>> {
    let next = || client.poll_transmit(Instant::ZERO);
    std::iter::from_fn(next).map(|sent| sent.octets).collect()
}

/// Parses a packet and builds it again.
pub(super) fn check_packet(octets: &[u8]) -> Result<Packet<'_>, String> {
    let packet = Packet::parse(octets).map_err(|error| error.to_string())?;
    let mut built = vec![0xA5; packet.len()];
    packet
        .emit(&mut Writer::new(&mut built))
        .map_err(|error| error.to_string())?;
    json::equal_octets("packet built again", &built, octets)?;
    Ok(packet)
}

/// What a link makes of packets: the octets that it answers with, and the messages.
pub(super) fn receive(
    link: &mut Link,
    packets: &[Vec<u8>],
) -> Result<(Vec<u8>, Vec<Vec<u8>>), String> {
    let mut answers = Vec::new();
    let mut messages = Vec::new();
    for packet in packets {
        link.handle_octets(packet, Instant::ZERO);
        while let Some(sent) = link.poll_transmit(Instant::ZERO) {
            answers.extend(sent.octets);
        }
        while let Some(event) = link.poll_event() {
            match event {
                LinkEvent::Message(message) => messages.push(message),
                LinkEvent::Rejected(_) => {}
                other => return Err(format!("unexpected: {other:?}")),
            }
        }
    }
    Ok((answers, messages))
}

/// A fresh link that has agreed upon packets of `size` octets, as many as there may be.
pub(super) fn link(size: u64) -> Result<Link, String> {
    let mut link = Link::new(Timing::default());
    let mut parameters = *link.parameters();
    parameters.packet_size = u16::try_from(size).map_err(|_| "packet_size: too large")?;
    parameters.packets = u8::MAX;
    link.set_parameters(parameters);
    Ok(link)
}
