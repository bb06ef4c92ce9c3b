//! Reading pcapng files back, those of this program and of others in the same byte order.

use super::pcapng::{
    BYTE_ORDER_MAGIC, COMMENT, END_OF_OPTIONS, ENHANCED_PACKET, INTERFACE_DESCRIPTION,
    INTERFACE_NAME, SECTION_HEADER,
};

/// Octets of the longest block that is read: far more than any packet has.
const BLOCK_OCTETS_MAX: usize = 16 << 20;
/// if_tsresol: how long a unit of time is.
const TIME_RESOLUTION: u16 = 9;

/// Why a file cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It does not start like a pcapng file of this byte order.
    #[error("this is no pcapng file in little-endian order")]
    NotPcapng,
    /// A block ends after the file, or contradicts itself.
    #[error("the block at octet {at} is damaged or cut off")]
    Damaged {
        /// Where it starts.
        at: usize,
    },
    /// A packet names an interface that has not been described.
    #[error("the packet at octet {at} is of an unknown interface")]
    UnknownInterface {
        /// Where its block starts.
        at: usize,
    },
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// if_name, empty if absent.
    pub name: String,
    /// The link type of its packets.
    pub link_type: u16,
    /// Units of time per second.
    units_per_s: u64,
}

/// A packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Index of the interface.
    pub interface: usize,
    /// Nanoseconds since 1970-01-01 UTC.
    pub time_ns: u64,
    /// What was captured of it.
    pub octets: &'a [u8],
    /// Octets that it had on the link.
    pub original_octets: u32,
    /// opt_comment, empty if absent.
    pub comment: &'a str,
}

/// Reads blocks one after the other; kinds that it does not know are passed over.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    file: &'a [u8],
    at: usize,
    interfaces: Vec<Interface>,
}

impl<'a> Reader<'a> {
    /// Starts to read `file`.
    ///
    /// # Errors
    ///
    /// It is no pcapng file in little-endian byte order.
    pub fn new(file: &'a [u8]) -> Result<Self, ReadError> {
        if word(file, 0) != Some(SECTION_HEADER) || word(file, 8) != Some(BYTE_ORDER_MAGIC) {
            return Err(ReadError::NotPcapng);
        }
        Ok(Self {
            file,
            at: 0,
            interfaces: Vec::new(),
        })
    }

    /// The interfaces described so far.
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// The next packet, none at the end of the file.
    ///
    /// # Errors
    ///
    /// The file is damaged.
    pub fn next_packet(&mut self) -> Result<Option<Packet<'a>>, ReadError> {
        while self.at < self.file.len() {
            let at = self.at;
            let (kind, body) = self.block().ok_or(ReadError::Damaged { at })?;
            match kind {
                // A new section counts its interfaces anew.
                SECTION_HEADER => self.interfaces.clear(),
                INTERFACE_DESCRIPTION => {
                    let interface = interface(body).ok_or(ReadError::Damaged { at })?;
                    self.interfaces.push(interface);
                }
                ENHANCED_PACKET => return self.packet(body, at).map(Some),
                _ => {}
            }
        }
        Ok(None)
    }

    fn block(&mut self) -> Option<(u32, &'a [u8])> {
        let rest = &self.file[self.at..];
        let (kind, length) = (word(rest, 0)?, word(rest, 4)? as usize);
        if length % 4 != 0 || !(12..=BLOCK_OCTETS_MAX).contains(&length) {
            return None;
        }
        let body = rest.get(8..length - 4)?;
        if word(rest, length - 4)? as usize != length {
            return None;
        }
        self.at += length;
        Some((kind, body))
    }

    fn packet(&self, body: &'a [u8], at: usize) -> Result<Packet<'a>, ReadError> {
        let damaged = ReadError::Damaged { at };
        let field = |index: usize| word(body, index * 4).ok_or(damaged);
        let interface = field(0)? as usize;
        let units = u64::from(field(1)?) << 32 | u64::from(field(2)?);
        let (captured, original_octets) = (field(3)? as usize, field(4)?);
        let octets = body.get(20..).and_then(|rest| rest.get(..captured));
        let octets = octets.ok_or(damaged)?;
        let per_s = match self.interfaces.get(interface) {
            Some(interface) => interface.units_per_s,
            None => return Err(ReadError::UnknownInterface { at }),
        };
        let options = body.get(20 + captured.next_multiple_of(4)..);
        let comment = option(options.unwrap_or_default(), COMMENT);
        let time_ns = u128::from(units) * 1_000_000_000 / u128::from(per_s);
        Ok(Packet {
            interface,
            time_ns: u64::try_from(time_ns).map_err(|_| damaged)?,
            octets,
            original_octets,
            comment: core::str::from_utf8(comment.unwrap_or_default()).unwrap_or_default(),
        })
    }
}

fn interface(body: &[u8]) -> Option<Interface> {
    let options = body.get(8..)?;
    let name = option(options, INTERFACE_NAME).unwrap_or_default();
    let units_per_s = match option(options, TIME_RESOLUTION) {
        // The default is microseconds (§4.2).
        None => 1_000_000,
        Some(&[power]) if power & 0x80 != 0 => 1_u64.checked_shl(u32::from(power & 0x7F))?,
        Some(&[power]) => 10_u64.checked_pow(u32::from(power))?,
        Some(_) => return None,
    };
    Some(Interface {
        name: String::from_utf8_lossy(name).into_owned(),
        link_type: u16::from_le_bytes(*body.first_chunk()?),
        units_per_s,
    })
}

/// The value of the first option `wanted`.
fn option(mut options: &[u8], wanted: u16) -> Option<&[u8]> {
    while let [a, b, c, d, rest @ ..] = options {
        let code = u16::from_le_bytes([*a, *b]);
        let length = usize::from(u16::from_le_bytes([*c, *d]));
        if code == END_OF_OPTIONS {
            break;
        }
        let value = rest.get(..length)?;
        if code == wanted {
            return Some(value);
        }
        options = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

fn word(octets: &[u8], at: usize) -> Option<u32> {
    let word = octets.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::super::pcapng;
    use super::*;

    fn file() -> Vec<u8> {
        let mut file = Vec::new();
        let mut writer = pcapng::Writer::new(&mut file, "meterstorm").unwrap();
        let interface = pcapng::Interface {
            name: "wan",
            description: "somewhere",
            link_type: pcapng::RAW_IP,
            fcs_octets: 0,
        };
        writer.interface(&interface).unwrap();
        for length in 0..9 {
            let packet = pcapng::Packet {
                interface: 0,
                time_ns: 1_768_435_200_000_000_001,
                inbound: false,
                octets: &[0x5A; 9][..length],
                original_octets: 70,
                comment: &"comment"[..length.min(7)],
            };
            writer.packet(&packet).unwrap();
        }
        file
    }

    #[test]
    fn what_was_written_is_read_again() {
        let file = file();
        let mut reader = Reader::new(&file).unwrap();
        for length in 0..9 {
            let packet = reader.next_packet().unwrap().expect("a packet");
            assert_eq!(packet.octets, &[0x5A; 9][..length]);
            assert_eq!(packet.comment, &"comment"[..length.min(7)]);
            assert_eq!(packet.time_ns, 1_768_435_200_000_000_001);
            assert_eq!((packet.interface, packet.original_octets), (0, 70));
        }
        assert_eq!(reader.next_packet(), Ok(None));
        let interface = &reader.interfaces()[0];
        assert_eq!((&*interface.name, interface.link_type), ("wan", 101));
    }

    #[test]
    fn damaged_files_end_with_an_error_and_nothing_worse() {
        let whole = file();
        for length in 0..whole.len() {
            if let Ok(mut reader) = Reader::new(&whole[..length]) {
                while let Ok(Some(_)) = reader.next_packet() {}
            }
        }
        for at in 0..whole.len() {
            for octet in [0, 1, 0x7F, 0x80, 0xFF] {
                let mut file = whole.clone();
                file[at] = octet;
                if let Ok(mut reader) = Reader::new(&file) {
                    while let Ok(Some(_)) = reader.next_packet() {}
                }
            }
        }
    }
}
