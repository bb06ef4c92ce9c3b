//! PSEM services: requests and responses (IEEE 1703-2012 §5.3.2.4.12).
//!
//! A service is its code and data, without the length in front of it (see
//! [`put_service`](super::epsem::put_service)). Codes from 0x20 on are requests, those below are
//! responses. Unknown codes survive as [`Request::Unknown`] and [`ResponseCode::Unknown`].

mod identification;
mod network;
mod response;
mod session;
mod table;

pub use identification::{Feature, Features, Identification};
pub use network::{ConnectionType, NodeType, Register, Registered, Trace, resolved};
pub use response::{Response, ResponseCode};
pub use session::{Logon, Password};
pub use table::{Blocks, Indices, Read, Selector, TableId, Write, checksum, put_read_data};

use super::aptitle::ApTitle;
use crate::wire::{Error, Reader, Writer};

/// A request service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// What the node is and supports (20).
    Identification,
    /// End the session at once (21).
    Terminate,
    /// Leave the network (22).
    Disconnect,
    /// Withdraw the registration of a title (24).
    Deregister(ApTitle<'a>),
    /// Ask for the native address of a title (25).
    Resolve(ApTitle<'a>),
    /// Ask for the relays towards a title (26).
    Trace(ApTitle<'a>),
    /// Register with a master relay (27).
    Register(Register<'a>),
    /// Read from a table (30 to 3F).
    Read(Read<'a>),
    /// Write to a table (40 to 4F).
    Write(Write<'a>),
    /// Open a session (50).
    Logon(Logon),
    /// Raise access by a password (51).
    Security(Password),
    /// Close the session (52).
    Logoff,
    /// Keep the session for this many seconds (70).
    Wait(u8),
    /// Any other code.
    Unknown {
        /// The code.
        code: u8,
        /// What follows it.
        data: &'a [u8],
    },
}

impl<'a> Request<'a> {
    /// Reads a service; nothing may follow its data.
    pub fn parse(service: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(service);
        let code = reader.u8()?;
        let request = match code {
            0x20 => Self::Identification,
            0x21 => Self::Terminate,
            0x22 => Self::Disconnect,
            0x24 => Self::Deregister(ApTitle::parse(&mut reader)?),
            0x25 => Self::Resolve(ApTitle::parse(&mut reader)?),
            0x26 => Self::Trace(ApTitle::parse(&mut reader)?),
            0x27 => Self::Register(Register::parse(&mut reader)?),
            0x30..=0x39 | 0x3E | 0x3F => Self::Read(Read::parse(code, &mut reader)?),
            0x40..=0x49 | 0x4F => Self::Write(Write::parse(code, &mut reader)?),
            0x50 => Self::Logon(Logon::parse(&mut reader)?),
            0x51 => Self::Security(Password::parse(&mut reader)?),
            0x52 => Self::Logoff,
            0x70 => Self::Wait(reader.u8()?),
            _ => Self::Unknown {
                code,
                data: reader.rest(),
            },
        };
        if reader.is_empty() {
            Ok(request)
        } else {
            Err(Error::Malformed("service length"))
        }
    }

    /// The service code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Identification => 0x20,
            Self::Terminate => 0x21,
            Self::Disconnect => 0x22,
            Self::Deregister(_) => 0x24,
            Self::Resolve(_) => 0x25,
            Self::Trace(_) => 0x26,
            Self::Register(_) => 0x27,
            Self::Read(read) => read.code(),
            Self::Write(write) => write.code(),
            Self::Logon(_) => 0x50,
            Self::Security(_) => 0x51,
            Self::Logoff => 0x52,
            Self::Wait(_) => 0x70,
            Self::Unknown { code, .. } => *code,
        }
    }

    /// Writes code and data.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        writer.u8(self.code())?;
        match self {
            Self::Identification | Self::Terminate | Self::Disconnect | Self::Logoff => Ok(()),
            Self::Deregister(title) | Self::Resolve(title) | Self::Trace(title) => {
                title.emit(writer)
            }
            Self::Register(register) => register.emit(writer),
            Self::Read(read) => read.emit(writer),
            Self::Write(write) => write.emit(writer),
            Self::Logon(logon) => logon.emit(writer),
            Self::Security(password) => password.emit(writer),
            Self::Wait(seconds) => writer.u8(*seconds),
            Self::Unknown { data, .. } => writer.put(data),
        }
    }
}
