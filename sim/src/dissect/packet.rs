//! The layers below a datagram: Ethernet, Linux cooked, IPv4, IPv6, UDP and TCP.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use firmware::wire::{Error, Reader};

use super::tree::{Node, hex, octets, offset};
use crate::capture::pcapng;

/// Protocol numbers of TCP and UDP (RFC 9293, RFC 768).
const TCP: u8 = 6;
const UDP: u8 = 17;
/// EtherTypes.
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86DD;
const VLAN: u16 = 0x8100;

/// What carries a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tcp,
}

/// A payload with its sockets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Datagram<'a> {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) transport: Transport,
    pub(super) payload: &'a [u8],
    /// Where the payload starts in the packet.
    pub(super) at: usize,
}

/// Finds the datagram in a packet of `link_type`; says in `layers` what is around it.
pub(super) fn datagram<'a>(
    link_type: u16,
    packet: &'a [u8],
    layers: &mut Vec<Node>,
) -> Option<Datagram<'a>> {
    let mut reader = Reader::new(packet);
    let found = match link_type {
        pcapng::ETHERNET => ethernet(&mut reader, layers),
        // BSD loopback (0, 108) and Linux cooked (113): a header of fixed length in front.
        0 | 108 => reader.take(4).map(|_| None),
        113 => reader.take(14).and_then(|_| reader.u16()).map(Some),
        // Raw IP in its various numbers.
        12 | pcapng::RAW_IP | 228 | 229 => Ok(None),
        other => {
            let why = format!("link type {other} is not known here");
            layers.push(Node::new("Link", why));
            return None;
        }
    };
    let found = match found {
        Ok(Some(IPV4 | IPV6) | None) => network(packet, &mut reader, layers),
        Ok(Some(other)) => {
            layers.push(Node::new("Payload", format!("EtherType {other:#06x}")));
            return None;
        }
        Err(error) => Err(error),
    };
    found.unwrap_or_else(|error| {
        let at = packet.len() - reader.remaining();
        layers.push(Node::problem("Packet", at, error));
        None
    })
}

/// Reads an Ethernet II header; returns the EtherType.
fn ethernet(reader: &mut Reader<'_>, layers: &mut Vec<Node>) -> Result<Option<u16>, Error> {
    let station = |octets: &[u8]| {
        let pairs: Vec<String> = octets.chunks(1).map(hex).collect();
        pairs.join(":")
    };
    let destination = station(reader.take(6)?);
    let source = station(reader.take(6)?);
    let mut kind = reader.u16()?;
    if kind == VLAN {
        reader.u16()?;
        kind = reader.u16()?;
    }
    layers.push(Node::new("Ethernet", format!("{source} -> {destination}")).at(0));
    Ok(Some(kind))
}

/// Reads an IP header and what follows; `None` if there is no datagram in it.
pub(super) fn network<'a>(
    packet: &'a [u8],
    reader: &mut Reader<'a>,
    layers: &mut Vec<Node>,
) -> Result<Option<Datagram<'a>>, Error> {
    let at = packet.len() - reader.remaining();
    let (addresses, protocol, contents) = match reader.peek().map(|octet| octet >> 4) {
        Some(4) => ipv4(reader, at, layers)?,
        Some(6) => ipv6(reader, at, layers)?,
        Some(_) => return Err(Error::Malformed("IP version")),
        None => return Err(Error::Truncated { need: 1, have: 0 }),
    };
    let Some(contents) = contents else {
        return Ok(None);
    };
    let mut reader = Reader::new(contents);
    match protocol {
        UDP => udp(packet, addresses, &mut reader, layers).map(Some),
        TCP => tcp(packet, addresses, &mut reader, layers).map(Some),
        other => {
            layers.push(Node::new("Payload", format!("IP protocol {other}")));
            Ok(None)
        }
    }
}

type Unwrapped<'a> = ((IpAddr, IpAddr), u8, Option<&'a [u8]>);

/// RFC 791 §3.1; no contents if it is a fragment.
fn ipv4<'a>(
    reader: &mut Reader<'a>,
    at: usize,
    layers: &mut Vec<Node>,
) -> Result<Unwrapped<'a>, Error> {
    let header_octets = usize::from(reader.u8()? & 0x0F) * 4;
    reader.u8()?;
    let total = usize::from(reader.u16()?);
    reader.u16()?;
    let fragment = reader.u16()?;
    let _hop_limit = reader.u8()?;
    let protocol = reader.u8()?;
    reader.u16()?;
    let source = Ipv4Addr::from(reader.u32()?);
    let destination = Ipv4Addr::from(reader.u32()?);
    let options = header_octets.checked_sub(20);
    reader.take(options.ok_or(Error::Malformed("IPv4 header length"))?)?;
    let text = format!("{source} -> {destination}, {}", octets(total));
    layers.push(Node::new("IPv4", text).at(at));
    let contents = total.checked_sub(header_octets);
    let contents = reader.take(contents.ok_or(Error::Malformed("IPv4 total length"))?)?;
    let is_fragment = fragment & 0x3FFF != 0;
    if is_fragment {
        layers.push(Node::new("Payload", "a fragment, which is not reassembled"));
    }
    let addresses = (source.into(), destination.into());
    Ok((addresses, protocol, (!is_fragment).then_some(contents)))
}

/// RFC 8200 §3; extension headers other than hop-by-hop and destination options end the reading.
fn ipv6<'a>(
    reader: &mut Reader<'a>,
    at: usize,
    layers: &mut Vec<Node>,
) -> Result<Unwrapped<'a>, Error> {
    reader.u32()?;
    let length = usize::from(reader.u16()?);
    let mut next = reader.u8()?;
    let _hop_limit = reader.u8()?;
    let source = Ipv6Addr::from(reader.array::<16>()?);
    let destination = Ipv6Addr::from(reader.array::<16>()?);
    let text = format!("{source} -> {destination}, {}", octets(40 + length));
    layers.push(Node::new("IPv6", text).at(at));
    let mut contents = reader.sub(length)?;
    while matches!(next, 0 | 43 | 60) {
        next = contents.u8()?;
        let more = usize::from(contents.u8()?);
        contents.take(6 + 8 * more)?;
    }
    Ok((
        (source.into(), destination.into()),
        next,
        Some(contents.rest()),
    ))
}

/// RFC 768.
fn udp<'a>(
    packet: &'a [u8],
    (source, destination): (IpAddr, IpAddr),
    reader: &mut Reader<'a>,
    layers: &mut Vec<Node>,
) -> Result<Datagram<'a>, Error> {
    let source = SocketAddr::new(source, reader.u16()?);
    let destination = SocketAddr::new(destination, reader.u16()?);
    let length = usize::from(reader.u16()?);
    reader.u16()?;
    let length = length
        .checked_sub(8)
        .ok_or(Error::Malformed("UDP length"))?;
    let payload = reader.take(length)?;
    let at = offset(packet, payload);
    let ports = format!("{} -> {}", source.port(), destination.port());
    layers.push(Node::new("UDP", ports).at(at.saturating_sub(8)));
    Ok(Datagram {
        source,
        destination,
        transport: Transport::Udp,
        payload,
        at,
    })
}

/// RFC 9293 §3.1.
fn tcp<'a>(
    packet: &'a [u8],
    (source, destination): (IpAddr, IpAddr),
    reader: &mut Reader<'a>,
    layers: &mut Vec<Node>,
) -> Result<Datagram<'a>, Error> {
    let header = reader.remaining();
    let source = SocketAddr::new(source, reader.u16()?);
    let destination = SocketAddr::new(destination, reader.u16()?);
    let sequence = reader.u32()?;
    reader.u32()?;
    let bits = reader.u16()?;
    reader.take(6)?;
    let options = (usize::from(bits >> 12) * 4).checked_sub(20);
    reader.take(options.ok_or(Error::Malformed("TCP data offset"))?)?;
    let payload = reader.rest();
    let flags = [
        (0x02, "SYN"),
        (0x10, "ACK"),
        (0x08, "PSH"),
        (0x01, "FIN"),
        (0x04, "RST"),
    ];
    let flags = flags.iter().filter(|(bit, _)| bits & bit != 0);
    let flags: Vec<&str> = flags.map(|(_, name)| *name).collect();
    let (from, to) = (source.port(), destination.port());
    let text = format!("{from} -> {to}, sequence {sequence}, {}", flags.join(" "));
    let at = packet.len().min(offset(packet, payload));
    let start = at.saturating_sub(header - payload.len());
    layers.push(Node::new("TCP", text).at(start));
    Ok(Datagram {
        source,
        destination,
        transport: Transport::Tcp,
        payload,
        at,
    })
}
