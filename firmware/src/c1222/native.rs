//! Native addresses of C12.22 over IP (RFC 6142 §2.2).
//!
//! ```text
//! IPv4(4) | IPv4 port(2) | IPv4 port protocol(1) | IPv6(16) | IPv6 port | IPv6 port protocol
//! ```
//!
//! Network order; without a port it is 1153, protocol 11 (hexadecimal) is UDP and 06 is TCP. A
//! field of a table that is wider than its address is filled with zeros on the right, so that
//! addresses in tables are read by their length without these, rounded up to a valid one.

use core::net::{IpAddr, SocketAddr};

use crate::wire::{Error, Reader, Writer};

/// UDP and TCP port of C12.22 (RFC 6142 §2.1).
pub const PORT: u16 = 1_153;

/// Lengths that an address may have.
const LENS: [usize; 6] = [4, 6, 7, 16, 18, 19];
/// Octets of the longest address.
pub const LEN_MAX: usize = 19;

/// How a node is reached at its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// Any other protocol number of IP.
    Other(u8),
}

impl From<u8> for Transport {
    fn from(protocol: u8) -> Self {
        match protocol {
            0x11 => Self::Udp,
            0x06 => Self::Tcp,
            _ => Self::Other(protocol),
        }
    }
}

impl From<Transport> for u8 {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Udp => 0x11,
            Transport::Tcp => 0x06,
            Transport::Other(protocol) => protocol,
        }
    }
}

/// Where a node is on an IP network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NativeAddress {
    /// Address and port.
    pub socket: SocketAddr,
    /// The transport, if the address says which.
    pub transport: Option<Transport>,
}

impl NativeAddress {
    /// Reads an address of exactly the length of `octets`.
    pub fn parse(octets: &[u8]) -> Result<Self, Error> {
        if !LENS.contains(&octets.len()) {
            return Err(Error::Malformed("native address"));
        }
        let mut reader = Reader::new(octets);
        let ip = if octets.len() < 16 {
            IpAddr::from(reader.array::<4>()?)
        } else {
            IpAddr::from(reader.array::<16>()?)
        };
        let port = if reader.is_empty() {
            PORT
        } else {
            reader.u16()?
        };
        let transport = reader.peek().map(Transport::from);
        Ok(Self {
            socket: SocketAddr::new(ip, port),
            transport,
        })
    }

    /// Reads an address from a field that is filled with zeros.
    pub fn parse_padded(field: &[u8]) -> Result<Self, Error> {
        let end = field.iter().rposition(|octet| *octet != 0);
        let least = end.map_or(0, |last| last + 1);
        let len = LENS.into_iter().find(|len| *len >= least);
        let octets = len.and_then(|len| field.get(..len));
        Self::parse(octets.ok_or(Error::Malformed("native address"))?)
    }

    /// Writes the address with its port, and with its transport if it has one.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        match self.socket.ip() {
            IpAddr::V4(ip) => writer.put(&ip.octets())?,
            IpAddr::V6(ip) => writer.put(&ip.octets())?,
        }
        writer.u16(self.socket.port())?;
        self.transport
            .map_or(Ok(()), |transport| writer.u8(transport.into()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(socket: &str, transport: Option<Transport>) -> NativeAddress {
        NativeAddress {
            socket: socket.parse().unwrap(),
            transport,
        }
    }

    #[test]
    fn rfc6142_2_2_addresses_are_told_by_their_length() {
        for (octets, expected) in [
            (&[10, 1, 2, 3][..], address("10.1.2.3:1153", None)),
            (&[10, 1, 2, 3, 4, 0x81], address("10.1.2.3:1153", None)),
            (
                &[10, 1, 2, 3, 4, 0x81, 0x11],
                address("10.1.2.3:1153", Some(Transport::Udp)),
            ),
            (
                &[10, 1, 2, 3, 0, 80, 6],
                address("10.1.2.3:80", Some(Transport::Tcp)),
            ),
        ] {
            assert_eq!(NativeAddress::parse(octets), Ok(expected));
        }
        for len in (0..30).filter(|len| !LENS.contains(len)) {
            let octets = [1; 30];
            assert!(NativeAddress::parse(&octets[..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn rfc6142_2_2_padding_is_stripped_and_the_length_rounded_up() {
        let padded = |octets: &[u8]| {
            let mut field = [0; 20];
            field[..octets.len()].copy_from_slice(octets);
            NativeAddress::parse_padded(&field)
        };
        assert_eq!(padded(&[10, 1, 2]), Ok(address("10.1.2.0:1153", None)));
        assert_eq!(
            padded(&[10, 1, 2, 3, 5]),
            Ok(address("10.1.2.3:1280", None))
        );
        assert_eq!(
            NativeAddress::parse_padded(&[10, 1, 2]),
            Err(Error::Malformed("native address"))
        );
    }

    proptest! {
        #[test]
        fn addresses_survive(ip: [u8; 16], v6: bool, port: u16, protocol: Option<u8>) {
            let ip = if v6 {
                IpAddr::from(ip)
            } else {
                IpAddr::from([ip[0], ip[1], ip[2], ip[3]])
            };
            let address = NativeAddress {
                socket: SocketAddr::new(ip, port),
                transport: protocol.map(Transport::from),
            };
            let mut buffer = [0xA5; LEN_MAX];
            let mut writer = Writer::new(&mut buffer);
            address.emit(&mut writer).unwrap();
            prop_assert_eq!(NativeAddress::parse(writer.written()), Ok(address));
        }
    }
}
