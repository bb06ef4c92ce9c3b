//! Response services: a code and, if it is `ok`, the data of the answered request.

use crate::wire::{Error, Reader, Writer};

/// The outcome of a service (IEEE 1703-2012 §5.3.2.4.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResponseCode {
    /// Done (00).
    Ok,
    /// Error without a closer description (01).
    Err,
    /// Service not supported (02).
    Sns,
    /// Insufficient security clearance (03).
    Isc,
    /// Operation not possible (04).
    Onp,
    /// Inappropriate action requested (05).
    Iar,
    /// Device busy (06).
    Bsy,
    /// Data not ready (07).
    Dnr,
    /// Data locked (08).
    Dlk,
    /// Renegotiate request (09).
    Rno,
    /// Invalid service sequence state (0A).
    Isss,
    /// Security mechanism error (0B).
    Sme,
    /// Unknown application title (0C).
    Uat,
    /// Network time-out (0D).
    Nett,
    /// Network not reachable (0E).
    Netr,
    /// Request too large (0F), followed by the maximum size.
    Rqtl,
    /// Response too large (10), followed by the maximum size.
    Rstl,
    /// Segmentation not possible (11).
    Sgnp,
    /// Segmentation error (12), followed by offset and size.
    Sgerr,
    /// Any other value.
    Unknown(u8),
}

impl From<u8> for ResponseCode {
    fn from(code: u8) -> Self {
        match code {
            0x00 => Self::Ok,
            0x01 => Self::Err,
            0x02 => Self::Sns,
            0x03 => Self::Isc,
            0x04 => Self::Onp,
            0x05 => Self::Iar,
            0x06 => Self::Bsy,
            0x07 => Self::Dnr,
            0x08 => Self::Dlk,
            0x09 => Self::Rno,
            0x0A => Self::Isss,
            0x0B => Self::Sme,
            0x0C => Self::Uat,
            0x0D => Self::Nett,
            0x0E => Self::Netr,
            0x0F => Self::Rqtl,
            0x10 => Self::Rstl,
            0x11 => Self::Sgnp,
            0x12 => Self::Sgerr,
            _ => Self::Unknown(code),
        }
    }
}

impl From<ResponseCode> for u8 {
    fn from(code: ResponseCode) -> Self {
        match code {
            ResponseCode::Ok => 0x00,
            ResponseCode::Err => 0x01,
            ResponseCode::Sns => 0x02,
            ResponseCode::Isc => 0x03,
            ResponseCode::Onp => 0x04,
            ResponseCode::Iar => 0x05,
            ResponseCode::Bsy => 0x06,
            ResponseCode::Dnr => 0x07,
            ResponseCode::Dlk => 0x08,
            ResponseCode::Rno => 0x09,
            ResponseCode::Isss => 0x0A,
            ResponseCode::Sme => 0x0B,
            ResponseCode::Uat => 0x0C,
            ResponseCode::Nett => 0x0D,
            ResponseCode::Netr => 0x0E,
            ResponseCode::Rqtl => 0x0F,
            ResponseCode::Rstl => 0x10,
            ResponseCode::Sgnp => 0x11,
            ResponseCode::Sgerr => 0x12,
            ResponseCode::Unknown(code) => code,
        }
    }
}

/// A response service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// The outcome.
    pub code: ResponseCode,
    /// What follows it; its form depends on the code and the answered request.
    pub data: &'a [u8],
}

impl<'a> Response<'a> {
    /// A successful response without data.
    pub const OK: Self = Self {
        code: ResponseCode::Ok,
        data: &[],
    };

    /// A response of `code` without data.
    pub const fn of(code: ResponseCode) -> Self {
        Self { code, data: &[] }
    }

    /// Reads a service; request codes are not responses.
    pub fn parse(service: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(service);
        let code = reader.u8()?;
        if code >= 0x20 {
            return Err(Error::Malformed("response code"));
        }
        Ok(Self {
            code: code.into(),
            data: reader.rest(),
        })
    }

    /// Writes code and data.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        writer.u8(self.code.into())?;
        writer.put(self.data)
    }

    /// The maximum size that `rqtl` and `rstl` report, in octets.
    ///
    /// Four octets; whether the standard has three is uncertain.
    pub fn size_max(&self) -> Option<u32> {
        match self.code {
            ResponseCode::Rqtl | ResponseCode::Rstl => {
                self.data.try_into().ok().map(u32::from_be_bytes)
            }
            _ => None,
        }
    }

    /// The offset and size that `sgerr` reports, of equal width.
    pub fn segment(&self) -> Option<(u32, u32)> {
        let width = self.data.len() / 2;
        if self.code != ResponseCode::Sgerr
            || !self.data.len().is_multiple_of(2)
            || !(1..=3).contains(&width)
        {
            return None;
        }
        let number = |octets: &[u8]| octets.iter().fold(0, |n, octet| n << 8 | u32::from(*octet));
        let (offset, size) = self.data.split_at(width);
        Some((number(offset), number(size)))
    }
}
