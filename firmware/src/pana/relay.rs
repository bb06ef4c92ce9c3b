//! The PANA relay element (RFC 6345).
//!
//! A meter that has no routable address yet sends its PANA messages to a neighbour, which wraps
//! each one in a PRY to the PAA and unwraps what comes back:
//!
//! ```text
//! PaC  --PANA-->  PRE  --PRY{PaC-Information, Relayed-Message}-->  PAA
//!      <--PANA--       <--PRY{PaC-Information, Relayed-Message}--
//! ```
//!
//! The relay element keeps no state: PaC-Information tells it where an answer goes. It can drop,
//! replay or divert messages, but not forge them. It answers from UDP port 716.

use core::net::{IpAddr, SocketAddr};

use crate::wire::{Error, Writer};

use super::Reject;
use super::avp::{Code, padding};
use super::header::{Flags, HEADER_LEN, Header, MessageType};
use super::message::Message;

/// Octets that the wrapping adds to a message of a PaC with an IPv4 address.
pub const OVERHEAD_V4: usize = 40;
/// Octets that the wrapping adds to a message of a PaC with an IPv6 address.
pub const OVERHEAD_V6: usize = 52;

/// Writes a PRY that carries `message` of or for `pac`; returns its length.
pub fn wrap(pac: SocketAddr, message: &[u8], out: &mut [u8]) -> Result<usize, Error> {
    let overhead = match pac.ip() {
        IpAddr::V4(_) => OVERHEAD_V4,
        IpAddr::V6(_) => OVERHEAD_V6,
    };
    let length = overhead + message.len() + padding(message.len());
    let header = Header {
        length: u16::try_from(length).map_err(|_| Error::Malformed("Message Length"))?,
        flags: Flags::NONE,
        kind: MessageType::Relay,
        session_id: 0,
        sequence: 0,
    };
    let mut writer = Writer::new(out);
    writer.put(&header.emit())?;
    let mut value = [0; 18];
    let value = match pac.ip() {
        IpAddr::V4(ip) => {
            value[..4].copy_from_slice(&ip.octets());
            value[4..6].copy_from_slice(&pac.port().to_be_bytes());
            &value[..6]
        }
        IpAddr::V6(ip) => {
            value[..16].copy_from_slice(&ip.octets());
            value[16..].copy_from_slice(&pac.port().to_be_bytes());
            &value[..]
        }
    };
    put_avp(&mut writer, Code::PacInformation, value)?;
    put_avp(&mut writer, Code::RelayedMessage, message)?;
    Ok(length)
}

fn put_avp(writer: &mut Writer<'_>, code: Code, value: &[u8]) -> Result<(), Error> {
    writer.u16(code as u16)?;
    writer.u16(0)?;
    writer.u16(u16::try_from(value.len()).map_err(|_| Error::Malformed("AVP Length"))?)?;
    writer.u16(0)?;
    writer.put(value)?;
    writer.put(&[0; 3][..padding(value.len())])
}

/// The PaC and the message inside a PRY.
pub fn unwrap<'a>(message: &Message<'a>) -> Result<(SocketAddr, &'a [u8]), Reject> {
    if message.header.kind != MessageType::Relay {
        return Err(Reject::MessageUnexpected);
    }
    let pac = message.pac.ok_or(Reject::AvpMissing)?;
    let relayed = message.relayed.ok_or(Reject::AvpMissing)?;
    if Header::parse(relayed)?.kind == MessageType::Relay {
        return Err(Reject::RelayNested);
    }
    Ok((pac, relayed))
}

/// What a relay element sends to the PAA for a datagram of `pac`; returns the length.
///
/// The message inside is not judged, except that a PRY is not relayed again (RFC 6345 §2).
pub fn relay_from_pac(pac: SocketAddr, datagram: &[u8], out: &mut [u8]) -> Result<usize, Reject> {
    if datagram.len() < HEADER_LEN {
        return Err(Reject::HeaderTruncated);
    }
    if Header::parse(datagram)?.kind == MessageType::Relay {
        return Err(Reject::RelayNested);
    }
    wrap(pac, datagram, out).map_err(|_| Reject::LengthMismatch)
}

/// Where a relay element sends what, for a datagram of the PAA.
pub fn relay_from_paa(datagram: &[u8]) -> Result<(SocketAddr, &[u8]), Reject> {
    unwrap(&Message::parse(datagram)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PCI: [u8; 16] = [0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];

    #[test]
    fn rfc6345_wrapping_is_undone_by_unwrapping() {
        for (pac, overhead) in [
            ("169.254.7.194:58956", OVERHEAD_V4),
            ("[fe80::1]:716", OVERHEAD_V6),
        ] {
            let pac = pac.parse().unwrap();
            let mut out = [0xA5; 100];
            let len = relay_from_pac(pac, &PCI, &mut out).unwrap();
            assert_eq!(len, overhead + PCI.len());
            assert_eq!(relay_from_paa(&out[..len]), Ok((pac, &PCI[..])));
            assert!(out[len..].iter().all(|octet| *octet == 0xA5));
        }
    }

    #[test]
    fn rfc6345_2_a_relayed_message_is_not_relayed_again() {
        let pac = "169.254.7.194:58956".parse().unwrap();
        let mut once = [0; 100];
        let len = wrap(pac, &PCI, &mut once).unwrap();
        let mut twice = [0; 200];
        assert_eq!(
            relay_from_pac(pac, &once[..len], &mut twice),
            Err(Reject::RelayNested)
        );
        let len = wrap(pac, &once[..len], &mut twice).unwrap();
        assert_eq!(relay_from_paa(&twice[..len]), Err(Reject::RelayNested));
    }

    #[test]
    fn a_buffer_that_is_too_small_is_an_error() {
        let pac = "169.254.7.194:58956".parse().unwrap();
        assert!(wrap(pac, &PCI, &mut [0; 55]).is_err());
        assert_eq!(wrap(pac, &PCI, &mut [0; 56]), Ok(56));
    }
}
