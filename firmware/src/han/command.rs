//! MAC commands and beacons as a PAN without a superframe needs them (IEEE 802.15.4-2006 §7.3).
//!
//! | command | payload |
//! |---|---|
//! | 01 association request | capability information |
//! | 02 association response | short address (2), status |
//! | 04 data request | - |
//! | 07 beacon request | - |
//!
//! ```text
//! beacon  superframe (2) | GTS (1) | pending addresses (1) | 41 4D | version
//! ```
//!
//! The last three octets, the beacon payload, are this project's: they tell a device in search of
//! a meter which of its neighbours' networks is one.

use crate::wire::{Error, Reader, Writer};

/// Beacon order and superframe order 15, final CAP slot 15: no superframe (§7.2.2.1.2).
const NO_SUPERFRAME: u16 = 0x0FFF;
const PAN_COORDINATOR: u16 = 1 << 14;
const ASSOCIATION_PERMIT: u16 = 1 << 15;
/// What the beacon payload of a meter begins with, and its version.
const METER: [u8; 3] = *b"AM\x01";

/// Mains powered, receiver on when idle, asks for a short address (§7.3.1.2).
pub const CAPABILITIES: u8 = 0x8C;

/// The status of an association (Table 83).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssociationStatus {
    /// Associated (00).
    Success,
    /// PAN at capacity (01).
    AtCapacity,
    /// PAN access denied (02).
    AccessDenied,
    /// Any other value.
    Unknown(u8),
}

impl From<u8> for AssociationStatus {
    fn from(code: u8) -> Self {
        match code {
            0 => Self::Success,
            1 => Self::AtCapacity,
            2 => Self::AccessDenied,
            _ => Self::Unknown(code),
        }
    }
}

impl From<AssociationStatus> for u8 {
    fn from(status: AssociationStatus) -> Self {
        match status {
            AssociationStatus::Success => 0,
            AssociationStatus::AtCapacity => 1,
            AssociationStatus::AccessDenied => 2,
            AssociationStatus::Unknown(code) => code,
        }
    }
}

/// A MAC command (Table 82).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// A device wants to associate.
    AssociationRequest {
        /// Capability information.
        capabilities: u8,
    },
    /// The coordinator's answer.
    AssociationResponse {
        /// The address given, FFFF without success.
        short: u16,
        /// Whether it succeeded.
        status: AssociationStatus,
    },
    /// A device asks for what the coordinator holds for it.
    DataRequest,
    /// A device looks for coordinators.
    BeaconRequest,
}

impl Command {
    /// Reads a command from the payload of its frame.
    pub fn parse(payload: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(payload);
        let command = match reader.u8()? {
            1 => Self::AssociationRequest {
                capabilities: reader.u8()?,
            },
            2 => Self::AssociationResponse {
                short: reader.array().map(u16::from_le_bytes)?,
                status: reader.u8()?.into(),
            },
            4 => Self::DataRequest,
            7 => Self::BeaconRequest,
            code => return Err(Error::Unsupported(code.into())),
        };
        if !reader.is_empty() {
            return Err(Error::Malformed("command length"));
        }
        Ok(command)
    }

    /// Writes the command.
    pub fn emit(self, writer: &mut Writer<'_>) -> Result<(), Error> {
        match self {
            Self::AssociationRequest { capabilities } => writer.put(&[1, capabilities]),
            Self::AssociationResponse { short, status } => {
                let [low, high] = short.to_le_bytes();
                writer.put(&[2, low, high, status.into()])
            }
            Self::DataRequest => writer.u8(4),
            Self::BeaconRequest => writer.u8(7),
        }
    }
}

/// Writes the beacon payload of a meter that lets devices associate.
pub fn put_beacon(writer: &mut Writer<'_>) -> Result<(), Error> {
    let superframe = NO_SUPERFRAME | PAN_COORDINATOR | ASSOCIATION_PERMIT;
    writer.put(&superframe.to_le_bytes())?;
    writer.put(&[0, 0])?;
    writer.put(&METER)
}

/// Whether a beacon is of a meter that lets devices associate.
pub fn permits_joining(payload: &[u8]) -> Result<bool, Error> {
    let mut reader = Reader::new(payload);
    let superframe = reader.array().map(u16::from_le_bytes)?;
    let wanted = PAN_COORDINATOR | ASSOCIATION_PERMIT;
    // Guaranteed time slots and pending addresses exist only with a superframe.
    let bare = reader.array()? == [0, 0];
    Ok(superframe & wanted == wanted && bare && reader.rest() == METER)
}
