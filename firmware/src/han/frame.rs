//! MAC frames (IEEE 802.15.4-2006 §7.2): header, auxiliary security header, check sequence.
//!
//! ```text
//! control (2) | sequence (1) | dst PAN (2) | dst (0/2/8) | src PAN (2) | src (0/2/8)
//!             | security control (1) | frame counter (4) | key id (0/1/5/9)
//!             | payload | FCS (2)
//! ```
//!
//! Integers are little-endian. The source PAN is left out where it is that of the destination.
//! Frames of version 2 (802.15.4-2015, with information elements) are refused.

use crate::han::Reject;
use crate::wire::{Error, Reader, Writer};

/// aMaxPHYPacketSize: the longest PSDU in octets (§6.4.1).
pub const PSDU_MAX: usize = 127;
/// Octets of the check sequence.
pub const FCS_LEN: usize = 2;
/// The short address of everybody, and the PAN of every PAN (§7.2.1.3).
pub const BROADCAST: u16 = 0xFFFF;

const SECURITY: u16 = 1 << 3;
const PENDING: u16 = 1 << 4;
const ACK_REQUEST: u16 = 1 << 5;
const COMPRESSION: u16 = 1 << 6;
const VERSION_2006: u16 = 1 << 12;

/// The type of a frame (Table 79).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Beacon (0).
    Beacon,
    /// Data (1).
    Data,
    /// Acknowledgement (2).
    Ack,
    /// MAC command (3).
    Command,
}

/// An address within a PAN (§7.2.1.4, §7.2.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// 16 bits, given at association.
    Short(u16),
    /// 64 bits, the EUI-64 that the device was made with.
    Extended(u64),
}

/// One end of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// PAN identifier.
    pub pan: u16,
    /// Address.
    pub address: Address,
}

/// What is protected and how (Table 95).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecurityLevel {
    /// 1: integrity code of 4 octets, nothing encrypted.
    Mic32,
    /// 2: integrity code of 8 octets, nothing encrypted.
    Mic64,
    /// 3: integrity code of 16 octets, nothing encrypted.
    Mic128,
    /// 5: encrypted, integrity code of 4 octets.
    EncMic32,
    /// 6: encrypted, integrity code of 8 octets.
    EncMic64,
    /// 7: encrypted, integrity code of 16 octets.
    EncMic128,
}

impl SecurityLevel {
    /// The code of the level, as it stands in the security control and in the nonce.
    pub const fn code(self) -> u8 {
        match self {
            Self::Mic32 => 1,
            Self::Mic64 => 2,
            Self::Mic128 => 3,
            Self::EncMic32 => 5,
            Self::EncMic64 => 6,
            Self::EncMic128 => 7,
        }
    }

    /// The level with `code`; none for 0 (no security) and 4 (encrypted, but not authentic).
    pub const fn of(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Mic32),
            2 => Some(Self::Mic64),
            3 => Some(Self::Mic128),
            5 => Some(Self::EncMic32),
            6 => Some(Self::EncMic64),
            7 => Some(Self::EncMic128),
            _ => None,
        }
    }
}

/// Which key protects a frame (§7.6.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyIdentifier {
    /// Mode 0: the one key that both ends know without saying.
    Implicit,
    /// Mode 1: the key with this index.
    Index(u8),
    /// Mode 2: the key with this index, of a source named by 4 octets.
    Source4(u32, u8),
    /// Mode 3: the key with this index, of a source named by 8 octets.
    Source8(u64, u8),
}

/// The auxiliary security header (§7.6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Security {
    /// Level.
    pub level: SecurityLevel,
    /// Frame counter; never the same twice under one key by one sender.
    pub counter: u32,
    /// Key.
    pub key: KeyIdentifier,
}

/// A MAC header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Type.
    pub kind: FrameKind,
    /// Whether the sender holds more for the receiver.
    pub pending: bool,
    /// Whether the receiver is to acknowledge.
    pub ack_request: bool,
    /// Sequence number.
    pub sequence: u8,
    /// Receiver.
    pub destination: Option<Endpoint>,
    /// Sender.
    pub source: Option<Endpoint>,
    /// Security, if the frame is secured.
    pub security: Option<Security>,
}

impl Header {
    /// Reads a header, the check sequence of whose frame has been taken off.
    pub fn parse(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let control = u16_le(reader)?;
        let kind = match control & 7 {
            0 => FrameKind::Beacon,
            1 => FrameKind::Data,
            2 => FrameKind::Ack,
            3 => FrameKind::Command,
            code => return Err(Error::Unsupported(code)),
        };
        let version = control >> 12 & 3;
        let secured = control & SECURITY != 0;
        if version > 1 || (secured && version == 0) {
            return Err(Error::Malformed("frame version"));
        }
        let sequence = reader.u8()?;
        let destination = endpoint(reader, control >> 10 & 3, None)?;
        let compressed = control & COMPRESSION != 0;
        let pan = match (compressed, destination) {
            (false, _) => None,
            (true, Some(destination)) => Some(destination.pan),
            (true, None) => return Err(Error::Malformed("PAN ID compression")),
        };
        let source = endpoint(reader, control >> 14 & 3, pan)?;
        if compressed && source.is_none() {
            return Err(Error::Malformed("PAN ID compression"));
        }
        let security = secured.then(|| security(reader)).transpose()?;
        Ok(Self {
            kind,
            pending: control & PENDING != 0,
            ack_request: control & ACK_REQUEST != 0,
            sequence,
            destination,
            source,
            security,
        })
    }

    /// Writes the header.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        let compressed = match (self.destination, self.source) {
            (Some(destination), Some(source)) => destination.pan == source.pan,
            _ => false,
        };
        let flag = |set: bool, bit: u16| if set { bit } else { 0 };
        let control = match self.kind {
            FrameKind::Beacon => 0,
            FrameKind::Data => 1,
            FrameKind::Ack => 2,
            FrameKind::Command => 3,
        } | flag(self.security.is_some(), SECURITY | VERSION_2006)
            | flag(self.pending, PENDING)
            | flag(self.ack_request, ACK_REQUEST)
            | flag(compressed, COMPRESSION)
            | mode(self.destination) << 10
            | mode(self.source) << 14;
        writer.put(&control.to_le_bytes())?;
        writer.u8(self.sequence)?;
        put_endpoint(writer, self.destination, false)?;
        put_endpoint(writer, self.source, compressed)?;
        let Some(security) = self.security else {
            return Ok(());
        };
        let (mode, index) = match security.key {
            KeyIdentifier::Implicit => (0, None),
            KeyIdentifier::Index(index) => (1, Some(index)),
            KeyIdentifier::Source4(_, index) => (2, Some(index)),
            KeyIdentifier::Source8(_, index) => (3, Some(index)),
        };
        writer.u8(security.level.code() | mode << 3)?;
        writer.put(&security.counter.to_le_bytes())?;
        match security.key {
            KeyIdentifier::Implicit | KeyIdentifier::Index(_) => {}
            KeyIdentifier::Source4(source, _) => writer.put(&source.to_le_bytes())?,
            KeyIdentifier::Source8(source, _) => writer.put(&source.to_le_bytes())?,
        }
        index.map_or(Ok(()), |index| writer.u8(index))
    }
}

fn u16_le(reader: &mut Reader<'_>) -> Result<u16, Error> {
    reader.array().map(u16::from_le_bytes)
}

fn endpoint(
    reader: &mut Reader<'_>,
    mode: u16,
    pan: Option<u16>,
) -> Result<Option<Endpoint>, Error> {
    if mode == 0 {
        return Ok(None);
    }
    let pan = match pan {
        Some(pan) => pan,
        None => u16_le(reader)?,
    };
    let address = match mode {
        2 => Address::Short(u16_le(reader)?),
        3 => Address::Extended(reader.array().map(u64::from_le_bytes)?),
        _ => return Err(Error::Malformed("addressing mode")),
    };
    Ok(Some(Endpoint { pan, address }))
}

const fn mode(endpoint: Option<Endpoint>) -> u16 {
    match endpoint {
        None => 0,
        Some(endpoint) => match endpoint.address {
            Address::Short(_) => 2,
            Address::Extended(_) => 3,
        },
    }
}

fn put_endpoint(
    writer: &mut Writer<'_>,
    endpoint: Option<Endpoint>,
    compressed: bool,
) -> Result<(), Error> {
    let Some(endpoint) = endpoint else {
        return Ok(());
    };
    if !compressed {
        writer.put(&endpoint.pan.to_le_bytes())?;
    }
    match endpoint.address {
        Address::Short(address) => writer.put(&address.to_le_bytes()),
        Address::Extended(address) => writer.put(&address.to_le_bytes()),
    }
}

fn security(reader: &mut Reader<'_>) -> Result<Security, Error> {
    let control = reader.u8()?;
    if control >> 5 != 0 {
        return Err(Error::Malformed("security control"));
    }
    let level = SecurityLevel::of(control & 7).ok_or(Error::Malformed("security level"))?;
    let counter = reader.array().map(u32::from_le_bytes)?;
    let key = match control >> 3 {
        0 => KeyIdentifier::Implicit,
        1 => KeyIdentifier::Index(reader.u8()?),
        2 => {
            let source = reader.array().map(u32::from_le_bytes)?;
            KeyIdentifier::Source4(source, reader.u8()?)
        }
        _ => {
            let source = reader.array().map(u64::from_le_bytes)?;
            KeyIdentifier::Source8(source, reader.u8()?)
        }
    };
    Ok(Security {
        level,
        counter,
        key,
    })
}

/// The check sequence of `octets`: ITU-T CRC-16, reflected, initial value 0 (§7.2.1.9).
///
/// ```
/// // The acknowledgement of the figure in §7.2.1.9.
/// assert_eq!(firmware::han::frame::fcs(&[0x02, 0x00, 0x6A]), 0x79E4);
/// ```
pub fn fcs(octets: &[u8]) -> u16 {
    octets.iter().fold(0, |crc, octet| {
        (0..8).fold(crc ^ u16::from(*octet), |crc, _| {
            crc >> 1 ^ if crc & 1 == 1 { 0x8408 } else { 0 }
        })
    })
}

/// Appends the check sequence to what has been written.
pub fn put_fcs(writer: &mut Writer<'_>) -> Result<(), Error> {
    let sequence = fcs(writer.written());
    writer.put(&sequence.to_le_bytes())
}

/// The frame without its check sequence, which must be right.
pub fn checked(psdu: &[u8]) -> Result<&[u8], Reject> {
    if psdu.len() > PSDU_MAX {
        return Err(Error::Malformed("PSDU length").into());
    }
    match psdu.split_last_chunk() {
        Some((frame, sequence)) if u16::from_le_bytes(*sequence) == fcs(frame) => Ok(frame),
        _ => Err(Reject::FrameCheck),
    }
}

/// The acknowledgement of the frame with `sequence` (§7.2.2.3).
pub fn acknowledgement(sequence: u8, pending: bool) -> [u8; 5] {
    let control = 2 | if pending { PENDING as u8 } else { 0 };
    let [low, high] = fcs(&[control, 0, sequence]).to_le_bytes();
    [control, 0, sequence, low, high]
}
