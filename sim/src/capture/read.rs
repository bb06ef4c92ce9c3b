//! Reading captures back: pcapng and classic pcap, in either byte order.

use super::pcapng::{
    BYTE_ORDER_MAGIC, COMMENT, END_OF_OPTIONS, ENHANCED_PACKET, INTERFACE_DESCRIPTION,
    INTERFACE_NAME, SECTION_HEADER, START,
};

/// Octets of the longest block that is read: far more than any packet has.
const BLOCK_OCTETS_MAX: usize = 16 << 20;
/// if_tsresol: how long a unit of time is.
const TIME_RESOLUTION: u16 = 9;
/// Simple Packet Block (§4.4): neither interface nor time.
const SIMPLE_PACKET: u32 = 3;
/// The magic number of a classic pcap file with microseconds.
const PCAP_MICROSECONDS: u32 = 0xA1B2_C3D4;
/// The magic number of a classic pcap file with nanoseconds.
const PCAP_NANOSECONDS: u32 = 0xA1B2_3C4D;
/// Octets of the header of a classic pcap file.
const PCAP_HEADER_OCTETS: usize = 24;
/// Octets in front of each packet of a classic pcap file.
const PCAP_RECORD_OCTETS: usize = 16;

/// Why a file cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It does not start like a capture.
    #[error("this is neither a pcapng nor a pcap file")]
    NoCapture,
    /// A block or record ends after the file, or contradicts itself.
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
    /// Nanoseconds since 1970-01-01 UTC; zero if the file does not say.
    pub time_ns: u64,
    /// What was captured of it.
    pub octets: &'a [u8],
    /// Octets that it had on the link.
    pub original_octets: u32,
    /// opt_comment, empty if absent.
    pub comment: &'a str,
}

/// How a file is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Pcapng,
    Pcap,
}

/// Reads blocks one after the other; kinds that it does not know are passed over.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    file: &'a [u8],
    at: usize,
    format: Format,
    order: Order,
    interfaces: Vec<Interface>,
    start_s: Option<u64>,
}

impl<'a> Reader<'a> {
    /// Starts to read `file`.
    ///
    /// # Errors
    ///
    /// It starts neither like pcapng nor like pcap.
    pub fn new(file: &'a [u8]) -> Result<Self, ReadError> {
        let mut reader = Self {
            file,
            at: 0,
            format: Format::Pcapng,
            order: Order::Little,
            interfaces: Vec::new(),
            start_s: None,
        };
        // The block type of a section header reads the same in both orders.
        if Order::Little.word(file, 0) == Some(SECTION_HEADER) {
            Order::of_section(file).ok_or(ReadError::NoCapture)?;
            return Ok(reader);
        }
        for order in [Order::Little, Order::Big] {
            let units_per_s = match order.word(file, 0) {
                Some(PCAP_MICROSECONDS) => 1_000_000,
                Some(PCAP_NANOSECONDS) => 1_000_000_000,
                _ => continue,
            };
            // The upper half of the link type says how long check sequences are.
            let link_type = order.word(file, 20).ok_or(ReadError::NoCapture)? as u16;
            reader.format = Format::Pcap;
            reader.order = order;
            reader.at = PCAP_HEADER_OCTETS;
            reader.interfaces.push(Interface {
                name: String::new(),
                link_type,
                units_per_s,
            });
            return Ok(reader);
        }
        Err(ReadError::NoCapture)
    }

    /// The interfaces described so far.
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// The second since 1970-01-01 UTC at which virtual time starts, if the file says so.
    pub const fn start_s(&self) -> Option<u64> {
        self.start_s
    }

    /// The next packet, none at the end of the file.
    ///
    /// # Errors
    ///
    /// The file is damaged.
    pub fn next_packet(&mut self) -> Result<Option<Packet<'a>>, ReadError> {
        while self.at < self.file.len() {
            let at = self.at;
            if self.format == Format::Pcap {
                return self.record().map(Some).ok_or(ReadError::Damaged { at });
            }
            let (kind, body) = self.block().ok_or(ReadError::Damaged { at })?;
            match kind {
                SECTION_HEADER => {
                    // A new section counts its interfaces anew.
                    self.interfaces.clear();
                    let options = body.get(16..).unwrap_or_default();
                    let comment = self.order.option(options, COMMENT).unwrap_or_default();
                    self.start_s = start_s(comment).or(self.start_s);
                }
                INTERFACE_DESCRIPTION => {
                    let interface = self.interface(body).ok_or(ReadError::Damaged { at })?;
                    self.interfaces.push(interface);
                }
                ENHANCED_PACKET => return self.packet(body, at).map(Some),
                SIMPLE_PACKET => return self.simple_packet(body, at).map(Some),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Ends the reading here.
    pub const fn stop(&mut self) {
        self.at = self.file.len();
    }

    fn block(&mut self) -> Option<(u32, &'a [u8])> {
        let rest = &self.file[self.at..];
        if Order::Little.word(rest, 0)? == SECTION_HEADER {
            self.order = Order::of_section(rest)?;
        }
        let order = self.order;
        let (kind, length) = (order.word(rest, 0)?, order.word(rest, 4)? as usize);
        if length % 4 != 0 || !(12..=BLOCK_OCTETS_MAX).contains(&length) {
            return None;
        }
        let body = rest.get(8..length - 4)?;
        if order.word(rest, length - 4)? as usize != length {
            return None;
        }
        self.at += length;
        Some((kind, body))
    }

    fn packet(&self, body: &'a [u8], at: usize) -> Result<Packet<'a>, ReadError> {
        let damaged = ReadError::Damaged { at };
        let field = |index: usize| self.order.word(body, index * 4).ok_or(damaged);
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
        let comment = self.order.option(options.unwrap_or_default(), COMMENT);
        Ok(Packet {
            interface,
            time_ns: nanoseconds(units, per_s).ok_or(damaged)?,
            octets,
            original_octets,
            comment: core::str::from_utf8(comment.unwrap_or_default()).unwrap_or_default(),
        })
    }

    fn simple_packet(&self, body: &'a [u8], at: usize) -> Result<Packet<'a>, ReadError> {
        let original_octets = self.order.word(body, 0);
        let original_octets = original_octets.ok_or(ReadError::Damaged { at })?;
        if self.interfaces.is_empty() {
            return Err(ReadError::UnknownInterface { at });
        }
        let padded = &body[4..];
        Ok(Packet {
            interface: 0,
            time_ns: 0,
            octets: &padded[..padded.len().min(original_octets as usize)],
            original_octets,
            comment: "",
        })
    }

    /// The next packet of a classic file.
    fn record(&mut self) -> Option<Packet<'a>> {
        let rest = &self.file[self.at..];
        let field = |index: usize| self.order.word(rest, index * 4);
        let (second, units) = (u64::from(field(0)?), u64::from(field(1)?));
        let (captured, original_octets) = (field(2)? as usize, field(3)?);
        let octets = rest.get(PCAP_RECORD_OCTETS..)?.get(..captured)?;
        let per_s = self.interfaces.first()?.units_per_s;
        self.at += PCAP_RECORD_OCTETS + captured;
        Some(Packet {
            interface: 0,
            time_ns: second * 1_000_000_000 + nanoseconds(units, per_s)?,
            octets,
            original_octets,
            comment: "",
        })
    }

    fn interface(&self, body: &[u8]) -> Option<Interface> {
        let options = body.get(8..)?;
        let name = self
            .order
            .option(options, INTERFACE_NAME)
            .unwrap_or_default();
        let units_per_s = match self.order.option(options, TIME_RESOLUTION) {
            // The default is microseconds (§4.2).
            None => 1_000_000,
            Some(&[power]) if power & 0x80 != 0 => 1_u64.checked_shl(u32::from(power & 0x7F))?,
            Some(&[power]) => 10_u64.checked_pow(u32::from(power))?,
            Some(_) => return None,
        };
        Some(Interface {
            name: String::from_utf8_lossy(name).into_owned(),
            link_type: self.order.half(body, 0)?,
            units_per_s,
        })
    }
}

/// The byte order of a file or section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

impl Order {
    /// The order of a section (§4.1).
    fn of_section(octets: &[u8]) -> Option<Self> {
        [Self::Little, Self::Big]
            .into_iter()
            .find(|order| order.word(octets, 8) == Some(BYTE_ORDER_MAGIC))
    }

    fn word(self, octets: &[u8], at: usize) -> Option<u32> {
        let word = *octets.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Little => u32::from_le_bytes(word),
            Self::Big => u32::from_be_bytes(word),
        })
    }

    fn half(self, octets: &[u8], at: usize) -> Option<u16> {
        let half = *octets.get(at..)?.first_chunk()?;
        Some(match self {
            Self::Little => u16::from_le_bytes(half),
            Self::Big => u16::from_be_bytes(half),
        })
    }

    /// The value of the first option `wanted`.
    fn option(self, mut options: &[u8], wanted: u16) -> Option<&[u8]> {
        while let (Some(code), Some(length)) = (self.half(options, 0), self.half(options, 2)) {
            if code == END_OF_OPTIONS {
                break;
            }
            let (rest, length) = (&options[4..], usize::from(length));
            let value = rest.get(..length)?;
            if code == wanted {
                return Some(value);
            }
            options = rest.get(length.next_multiple_of(4)..)?;
        }
        None
    }
}

fn nanoseconds(units: u64, per_s: u64) -> Option<u64> {
    u64::try_from(u128::from(units) * 1_000_000_000 / u128::from(per_s)).ok()
}

/// The start of virtual time that a section's comment states.
fn start_s(comment: &[u8]) -> Option<u64> {
    let comment = core::str::from_utf8(comment).ok()?;
    comment.strip_prefix(START)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::pcapng;
    use super::*;

    fn file() -> Vec<u8> {
        let mut file = Vec::new();
        let mut writer = pcapng::Writer::new(&mut file, "meterstorm", Some(1_768_435_200)).unwrap();
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
        assert_eq!(reader.start_s(), Some(1_768_435_200));
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

    #[test]
    fn classic_files_are_read_in_both_orders() {
        type Words = fn(u32) -> [u8; 4];
        for (word, magic) in [
            (u32::to_le_bytes as Words, PCAP_MICROSECONDS),
            (u32::to_be_bytes as Words, PCAP_NANOSECONDS),
        ] {
            let mut file = Vec::new();
            // Version 2.4 reads as other numbers in the other order; nobody looks at it.
            for header in [magic, 0x0002_0004, 0, 0, 65_535, 101] {
                file.extend_from_slice(&word(header));
            }
            for (length, octet) in [(1, 7), (3, 8)] {
                for field in [5, 6, length, 40] {
                    file.extend_from_slice(&word(field));
                }
                file.extend_from_slice(&[octet; 3][..length as usize]);
            }
            let mut reader = Reader::new(&file).unwrap();
            let first = reader.next_packet().unwrap().expect("a packet");
            let unit_ns = if magic == PCAP_MICROSECONDS { 1_000 } else { 1 };
            assert_eq!(first.time_ns, 5_000_000_000 + 6 * unit_ns);
            assert_eq!((first.octets, first.original_octets), (&[7][..], 40));
            let second = reader.next_packet().unwrap().expect("a packet");
            assert_eq!(second.octets, [8; 3]);
            assert_eq!(reader.next_packet(), Ok(None));
            assert_eq!(reader.interfaces()[0].link_type, 101);
            for length in 0..file.len() {
                if let Ok(mut reader) = Reader::new(&file[..length]) {
                    while let Ok(Some(_)) = reader.next_packet() {}
                }
            }
        }
    }

    #[test]
    fn sections_in_big_endian_order_are_read() {
        let word = u32::to_be_bytes;
        let mut file = Vec::new();
        for field in [
            SECTION_HEADER,
            28,
            BYTE_ORDER_MAGIC,
            1 << 16,
            u32::MAX,
            u32::MAX,
            28,
        ] {
            file.extend_from_slice(&word(field));
        }
        for field in [INTERFACE_DESCRIPTION, 20, 1 << 16, 0, 20] {
            file.extend_from_slice(&word(field));
        }
        for field in [ENHANCED_PACKET, 36, 0, 0, 2_000_001, 2, 9, 0xA5A5_0000, 36] {
            file.extend_from_slice(&word(field));
        }
        for field in [SIMPLE_PACKET, 20, 3, 0x0102_0300, 20] {
            file.extend_from_slice(&word(field));
        }
        let mut reader = Reader::new(&file).unwrap();
        let packet = reader.next_packet().unwrap().expect("a packet");
        assert_eq!(
            (packet.time_ns, packet.octets),
            (2_000_001_000, &[0xA5; 2][..])
        );
        let packet = reader.next_packet().unwrap().expect("a packet");
        assert_eq!((packet.time_ns, packet.octets), (0, &[1, 2, 3][..]));
        assert_eq!(reader.next_packet(), Ok(None));
        assert_eq!(reader.interfaces()[0].link_type, 1);
        assert_eq!(reader.start_s(), None);
    }
}
