//! One packet (C12.18-2006 §4.4).
//!
//! ```text
//! EE  identity(1)  control(1)  sequence(1)  length(2)  data  crc(2)
//! control: bit 7 one of several, 6 the first of them, 5 toggle, 4..2 zero, 1..0 data format
//! sequence: packets of the message that still follow
//! ```
//!
//! The length is big-endian and counts the data alone. A packet with its eight other octets is at
//! most as long as the negotiated size.

use super::crc;
use crate::wire::{Error, Reader, Writer};

/// The octet that begins a packet.
pub const START: u8 = 0xEE;
/// The octet that acknowledges a packet.
pub const ACK: u8 = 0x06;
/// The octet that asks for a packet again.
pub const NAK: u8 = 0x15;
/// Octets in front of the data.
pub const HEADER_LEN: usize = 6;
/// Octets of a packet beyond its data.
pub const OVERHEAD: usize = HEADER_LEN + CRC_LEN;
const CRC_LEN: usize = 2;

/// The control octet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// The packet is one of several that make up a message (bit 7).
    pub multi: bool,
    /// It is the first of them (bit 6).
    pub first: bool,
    /// Alternates from packet to packet, and stays when one is repeated (bit 5).
    pub toggle: bool,
}

impl Control {
    const MULTI: u8 = 0x80;
    const FIRST: u8 = 0x40;
    const TOGGLE: u8 = 0x20;

    /// Reads the octet; other data formats than that of C12.18 are refused.
    fn parse(octet: u8) -> Result<Self, Error> {
        if octet & !(Self::MULTI | Self::FIRST | Self::TOGGLE) != 0 {
            return Err(Error::Malformed("control"));
        }
        let control = Self {
            multi: octet & Self::MULTI != 0,
            first: octet & Self::FIRST != 0,
            toggle: octet & Self::TOGGLE != 0,
        };
        if control.first && !control.multi {
            return Err(Error::Malformed("control"));
        }
        Ok(control)
    }

    fn octet(self) -> u8 {
        let bit = |set: bool, mask: u8| if set { mask } else { 0 };
        bit(self.multi, Self::MULTI) | bit(self.first, Self::FIRST) | bit(self.toggle, Self::TOGGLE)
    }
}

/// A packet whose check sequence is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The device on a line that several share; 0 at an optical port.
    pub identity: u8,
    /// The control octet.
    pub control: Control,
    /// Packets of the message that still follow.
    pub sequence: u8,
    /// Its part of the message.
    pub data: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a whole packet.
    ///
    /// # Errors
    ///
    /// It does not begin with [`START`], is shorter or longer than it says, its check sequence is
    /// wrong, or its control octet has bits that are not defined.
    pub fn parse(octets: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(octets);
        if reader.u8()? != START {
            return Err(Error::Malformed("start of packet"));
        }
        let identity = reader.u8()?;
        let control = reader.u8()?;
        let sequence = reader.u8()?;
        let length = usize::from(reader.u16()?);
        let data = reader.take(length)?;
        let crc = u16::from_le_bytes(reader.array()?);
        if !reader.is_empty() {
            return Err(Error::Malformed("length"));
        }
        if crc != crc::of(&octets[..HEADER_LEN + length]) {
            return Err(Error::Malformed("crc"));
        }
        Ok(Self {
            identity,
            control: Control::parse(control)?,
            sequence,
            data,
        })
    }

    /// Writes the packet.
    ///
    /// # Errors
    ///
    /// The buffer is full, or the data are longer than 65,535 octets.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        let length = u16::try_from(self.data.len()).map_err(|_| Error::Malformed("length"))?;
        let start = writer.len();
        writer.put(&[START, self.identity, self.control.octet(), self.sequence])?;
        writer.u16(length)?;
        writer.put(self.data)?;
        let crc = crc::of(&writer.written()[start..]);
        writer.put(&crc.to_le_bytes())
    }

    /// Octets of the packet.
    pub const fn len(&self) -> usize {
        self.data.len() + OVERHEAD
    }

    /// Whether it carries nothing.
    pub const fn is_empty(&self) -> bool {
        self.data.is_empty()
    }
}
