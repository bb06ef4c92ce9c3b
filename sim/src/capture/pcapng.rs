//! Writing pcapng (draft-ietf-opsawg-pcapng): sections, interfaces and packets, as they come.

use std::io::{self, Write};

/// Link type LINKTYPE_ETHERNET: Ethernet frames.
pub const ETHERNET: u16 = 1;
/// Link type LINKTYPE_RAW: IPv4 or IPv6 packets.
pub const RAW_IP: u16 = 101;
/// Link type LINKTYPE_IEEE802_15_4_WITHFCS: frames with their check sequence.
pub const IEEE802_15_4: u16 = 195;

pub(super) const SECTION_HEADER: u32 = 0x0A0D_0D0A;
pub(super) const INTERFACE_DESCRIPTION: u32 = 1;
pub(super) const ENHANCED_PACKET: u32 = 6;
pub(super) const BYTE_ORDER_MAGIC: u32 = 0x1A2B_3C4D;

pub(super) const END_OF_OPTIONS: u16 = 0;
pub(super) const COMMENT: u16 = 1;
pub(super) const INTERFACE_NAME: u16 = 2;
const INTERFACE_DESCRIPTION_TEXT: u16 = 3;
const USER_APPLICATION: u16 = 4;
const TIME_RESOLUTION: u16 = 9;
const FCS_LENGTH: u16 = 13;
const PACKET_FLAGS: u16 = 2;

/// What the comment of a section says before the second, since 1970, at which virtual time starts.
pub(super) const START: &str = "virtual time 0 is second ";

/// The exponent of ten of the time resolution: nanoseconds.
const NANOSECONDS: u8 = 9;

/// An interface that packets are captured on.
#[derive(Clone, Copy, Debug)]
pub struct Interface<'a> {
    /// if_name.
    pub name: &'a str,
    /// if_description.
    pub description: &'a str,
    /// The link type of its packets.
    pub link_type: u16,
    /// Octets of the frame check sequence at the end of each packet.
    pub fcs_octets: u8,
}

/// A packet.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Number of the interface, in the order in which they were written.
    pub interface: u32,
    /// Nanoseconds since 1970-01-01 UTC.
    pub time_ns: u64,
    /// Whether it comes in rather than goes out.
    pub inbound: bool,
    /// Octets of the packet.
    pub octets: &'a [u8],
    /// Octets that it has on the link.
    pub original_octets: u32,
    /// opt_comment.
    pub comment: &'a str,
}

/// Writes one section; blocks are written as they come and nothing is kept.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    block: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Begins a section (§4.1) that `application` has written.
    ///
    /// A comment tells readers at which second since 1970 virtual time starts, if there is any.
    ///
    /// # Errors
    ///
    /// `out` does not take it.
    pub fn new(out: W, application: &str, start_s: Option<u64>) -> io::Result<Self> {
        let block = Vec::new();
        let mut writer = Self { out, block };
        writer.begin(SECTION_HEADER);
        writer.word(BYTE_ORDER_MAGIC);
        writer.half(1);
        writer.half(0);
        // The length of the section is not known yet.
        writer.block.extend_from_slice(&u64::MAX.to_le_bytes());
        if let Some(start_s) = start_s {
            writer.option(COMMENT, format!("{START}{start_s}").as_bytes());
        }
        writer.option(USER_APPLICATION, application.as_bytes());
        writer.end()?;
        Ok(writer)
    }

    /// Describes the next interface (§4.2).
    ///
    /// # Errors
    ///
    /// The file does not take it.
    pub fn interface(&mut self, interface: &Interface<'_>) -> io::Result<()> {
        self.begin(INTERFACE_DESCRIPTION);
        self.half(interface.link_type);
        self.half(0);
        // No limit to the length of packets.
        self.word(0);
        self.option(INTERFACE_NAME, interface.name.as_bytes());
        let description = interface.description.as_bytes();
        self.option(INTERFACE_DESCRIPTION_TEXT, description);
        self.option(TIME_RESOLUTION, &[NANOSECONDS]);
        self.option(FCS_LENGTH, &[interface.fcs_octets]);
        self.end()
    }

    /// Writes a packet (§4.3).
    ///
    /// # Errors
    ///
    /// The file does not take it.
    pub fn packet(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        self.begin(ENHANCED_PACKET);
        self.word(packet.interface);
        self.word((packet.time_ns >> 32) as u32);
        self.word(packet.time_ns as u32);
        self.word(packet.octets.len() as u32);
        self.word(packet.original_octets);
        self.block.extend_from_slice(packet.octets);
        self.pad();
        self.option(COMMENT, packet.comment.as_bytes());
        let direction: u32 = if packet.inbound { 1 } else { 2 };
        self.option(PACKET_FLAGS, &direction.to_le_bytes());
        self.end()
    }

    /// Hands everything to the operating system.
    ///
    /// # Errors
    ///
    /// It does not take it.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn begin(&mut self, kind: u32) {
        self.block.clear();
        self.word(kind);
        self.word(0);
    }

    fn half(&mut self, value: u16) {
        self.block.extend_from_slice(&value.to_le_bytes());
    }

    fn word(&mut self, value: u32) {
        self.block.extend_from_slice(&value.to_le_bytes());
    }

    fn pad(&mut self) {
        self.block.resize(self.block.len().next_multiple_of(4), 0);
    }

    /// An option (§3.5); what exceeds the length that one can have is cut off.
    fn option(&mut self, code: u16, value: &[u8]) {
        let value = &value[..value.len().min(usize::from(u16::MAX))];
        self.half(code);
        self.half(value.len() as u16);
        self.block.extend_from_slice(value);
        self.pad();
    }

    /// Ends the options and the block, whose length stands at both its ends (§3.1).
    fn end(&mut self) -> io::Result<()> {
        self.option(END_OF_OPTIONS, &[]);
        let length = self.block.len() as u32 + 4;
        self.word(length);
        self.block[4..8].copy_from_slice(&length.to_le_bytes());
        self.out.write_all(&self.block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_their_length_at_both_ends_and_are_padded() {
        let mut file = Vec::new();
        let mut writer = Writer::new(&mut file, "meterstorm", None).unwrap();
        let interface = Interface {
            name: "wan",
            description: "",
            link_type: RAW_IP,
            fcs_octets: 0,
        };
        writer.interface(&interface).unwrap();
        let packet = Packet {
            interface: 0,
            time_ns: 0x0102_0304_0506_0708,
            inbound: true,
            octets: &[0xA5; 5],
            original_octets: 9,
            comment: "odd",
        };
        writer.packet(&packet).unwrap();

        let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        let mut blocks = Vec::new();
        let mut at = 0;
        while at < file.len() {
            let length = word(at + 4) as usize;
            assert_eq!(word(at + length - 4) as usize, length);
            assert_eq!(length % 4, 0);
            blocks.push(at);
            at += length;
        }
        assert_eq!(at, file.len());
        let kinds: Vec<u32> = blocks.iter().map(|&block| word(block)).collect();
        assert_eq!(
            kinds,
            [SECTION_HEADER, INTERFACE_DESCRIPTION, ENHANCED_PACKET]
        );
        let packet = blocks[2];
        assert_eq!(word(packet + 12), 0x0102_0304, "high half of the time");
        assert_eq!(word(packet + 16), 0x0506_0708);
        assert_eq!((word(packet + 20), word(packet + 24)), (5, 9));
        assert_eq!(
            file[packet + 28..packet + 36],
            [0xA5, 0xA5, 0xA5, 0xA5, 0xA5, 0, 0, 0]
        );
        assert_eq!(word(packet + 36), 3 << 16 | u32::from(COMMENT));
    }
}
