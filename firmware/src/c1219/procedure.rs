//! ST7 and ST8: procedures and their results (C12.19-2008 §9.1.8, §9.1.9).
//!
//! ```text
//! ST7  procedure (2) | sequence number | parameters
//! ST8  procedure (2) | sequence number | result code | response data
//!      procedure: bits 0..10 number, 11 manufacturer, 12..15 selector of the response
//! ```
//!
//! Whoever has written ST7 reads ST8 and compares procedure and sequence number with its own: the
//! table is one for all requesters. A result of [`ResultCode::Accepted`] means to read again.

use super::types;
use crate::wire::{Error, Reader, Writer};

/// TABLE_IDB: a procedure, and when ST8 is to be posted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcedureId(pub u16);

impl ProcedureId {
    /// Manufacturer procedure `number`.
    pub const fn manufacturer(number: u16) -> Self {
        Self(number & 0x07FF | 0x0800)
    }

    /// Standard procedure `number`.
    pub const fn standard(number: u16) -> Self {
        Self(number & 0x07FF)
    }

    /// Number and manufacturer flag, without the selector.
    pub const fn procedure(self) -> u16 {
        self.0 & 0x0FFF
    }

    /// Whether it is one of the manufacturer's.
    pub const fn is_manufacturer(self) -> bool {
        self.0 & 0x0800 != 0
    }

    /// 0: ST8 on completion, 1: on exception, 2: never, 3: at once and on completion.
    pub const fn selector(self) -> u8 {
        (self.0 >> 12) as u8
    }
}

/// How a procedure ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResultCode {
    /// It is done (0).
    #[default]
    Completed,
    /// It goes on; read ST8 again (1).
    Accepted,
    /// A parameter is invalid; nothing was done (2).
    InvalidParameter,
    /// It contradicts the state or the set-up of the device; nothing was done (3).
    Conflict,
    /// It cannot be done now; nothing was done (4).
    TimingConstraint,
    /// The requester may not do this (5).
    NoAuthorization,
    /// There is no such procedure (6).
    Unrecognized,
    /// Any other value.
    Unknown(u8),
}

impl ResultCode {
    /// The result in snake case, for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Accepted => "accepted",
            Self::InvalidParameter => "invalid_parameter",
            Self::Conflict => "conflict",
            Self::TimingConstraint => "timing_constraint",
            Self::NoAuthorization => "no_authorization",
            Self::Unrecognized => "unrecognized",
            Self::Unknown(_) => "unknown_result",
        }
    }
}

impl From<u8> for ResultCode {
    fn from(code: u8) -> Self {
        match code {
            0 => Self::Completed,
            1 => Self::Accepted,
            2 => Self::InvalidParameter,
            3 => Self::Conflict,
            4 => Self::TimingConstraint,
            5 => Self::NoAuthorization,
            6 => Self::Unrecognized,
            _ => Self::Unknown(code),
        }
    }
}

impl From<ResultCode> for u8 {
    fn from(code: ResultCode) -> Self {
        match code {
            ResultCode::Completed => 0,
            ResultCode::Accepted => 1,
            ResultCode::InvalidParameter => 2,
            ResultCode::Conflict => 3,
            ResultCode::TimingConstraint => 4,
            ResultCode::NoAuthorization => 5,
            ResultCode::Unrecognized => 6,
            ResultCode::Unknown(code) => code,
        }
    }
}

/// ST7 PROC_INITIATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Initiate<'a> {
    /// The procedure.
    pub procedure: ProcedureId,
    /// SEQ_NBR, which the response repeats.
    pub sequence: u8,
    /// Its parameters.
    pub parameters: &'a [u8],
}

impl<'a> Initiate<'a> {
    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The octets are too few.
    pub fn parse(octets: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(octets);
        Ok(Self {
            procedure: ProcedureId(types::u16(&mut reader)?),
            sequence: reader.u8()?,
            parameters: reader.rest(),
        })
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// The buffer is full.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        writer.put(&self.procedure.0.to_le_bytes())?;
        writer.u8(self.sequence)?;
        writer.put(self.parameters)
    }
}

/// ST8 PROC_RESPONSE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome<'a> {
    /// The procedure, as it was written.
    pub procedure: ProcedureId,
    /// SEQ_NBR, as it was written.
    pub sequence: u8,
    /// RESULT_CODE.
    pub result: ResultCode,
    /// Response data.
    pub data: &'a [u8],
}

impl<'a> Outcome<'a> {
    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The octets are too few.
    pub fn parse(octets: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(octets);
        Ok(Self {
            procedure: ProcedureId(types::u16(&mut reader)?),
            sequence: reader.u8()?,
            result: reader.u8()?.into(),
            data: reader.rest(),
        })
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// The buffer is full.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        writer.put(&self.procedure.0.to_le_bytes())?;
        writer.u8(self.sequence)?;
        writer.u8(self.result.into())?;
        writer.put(self.data)
    }

    /// Whether it answers `initiate`.
    pub fn answers(&self, procedure: ProcedureId, sequence: u8) -> bool {
        self.procedure == procedure && self.sequence == sequence
    }
}
