//! Services of a point-to-point line (C12.18-2006 §5): Negotiate, and all others as C12.22 has them.
//!
//! ```text
//! 60 + n  packet size(2) packets(1) baud(1)*n    response 00 packet size(2) packets(1) [baud(1)]
//! 50      user id(2) user(10)                    Logon has no time-out here
//! ```
//!
//! Authenticate (53) and Timing Setup (71) of C12.21 stay unknown requests.

use super::line::{Baud, Limits, Parameters};
use crate::c1222::service;
use crate::wire::{Error, Reader, Writer};

/// A request on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Agree upon sizes and speed (60 to 6B).
    Negotiate(Negotiate<'a>),
    /// A service that C12.22 has as well.
    Common(service::Request<'a>),
}

impl<'a> Request<'a> {
    /// Reads a message.
    ///
    /// # Errors
    ///
    /// It does not have the form of its service, or its checksum is wrong.
    pub fn parse(message: &'a [u8]) -> Result<Self, Error> {
        match message {
            [code @ 0x60..=0x6B, rest @ ..] => {
                let mut reader = Reader::new(rest);
                let negotiate = Negotiate {
                    packet_size: reader.u16()?,
                    packets: reader.u8()?,
                    bauds: reader.take(usize::from(code & 0x0F))?,
                };
                if reader.is_empty() {
                    Ok(Self::Negotiate(negotiate))
                } else {
                    Err(Error::Malformed("service length"))
                }
            }
            _ => service::Request::parse(message).map(Self::Common),
        }
    }

    /// Writes code and data.
    ///
    /// # Errors
    ///
    /// The buffer is full, or more than eleven speeds are offered.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        match self {
            Self::Negotiate(negotiate) => {
                let count = u8::try_from(negotiate.bauds.len())
                    .ok()
                    .filter(|count| *count <= Negotiate::BAUDS_MAX)
                    .ok_or(Error::Malformed("speeds"))?;
                writer.u8(0x60 + count)?;
                writer.u16(negotiate.packet_size)?;
                writer.u8(negotiate.packets)?;
                writer.put(negotiate.bauds)
            }
            Self::Common(request) => request.emit(writer),
        }
    }
}

/// What one end offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiate<'a> {
    /// Octets of a packet at most.
    pub packet_size: u16,
    /// Packets of a message at most.
    pub packets: u8,
    /// Codes of speeds, at most [`Negotiate::BAUDS_MAX`].
    pub bauds: &'a [u8],
}

impl Negotiate<'_> {
    /// How many speeds can be offered.
    pub const BAUDS_MAX: u8 = 11;

    /// What comes of the offer: the smaller sizes and the fastest speed that both ends know.
    ///
    /// If they have no speed in common the `current` one stays. `None` if the offer leaves no
    /// packet to talk in.
    pub fn agree(&self, limits: &Limits, current: &Parameters) -> Option<Parameters> {
        if self.packet_size < Parameters::SIZE_MIN || self.packets == 0 {
            return None;
        }
        let baud = self
            .bauds
            .iter()
            .filter_map(|code| Baud::from_code(*code))
            .filter(|baud| baud.bits_per_second() <= limits.baud.bits_per_second())
            .max_by_key(|baud| baud.bits_per_second());
        Some(Parameters {
            packet_size: self
                .packet_size
                .min(limits.packet_size)
                .clamp(Parameters::SIZE_MIN, Parameters::SIZE_MAX),
            packets: self.packets.min(limits.packets).max(1),
            baud: baud.unwrap_or(current.baud),
        })
    }
}

/// The data of the response to Negotiate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// What is agreed upon.
    pub parameters: Parameters,
    /// Whether a speed was offered, and is therefore reported.
    pub with_baud: bool,
}

impl Negotiated {
    /// Reads what follows the response code; without a speed the `current` one stays.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many, or a value is out of its range.
    pub fn parse(data: &[u8], current: &Parameters) -> Result<Self, Error> {
        let mut reader = Reader::new(data);
        let packet_size = reader.u16()?;
        let packets = reader.u8()?;
        let with_baud = !reader.is_empty();
        let baud = if with_baud {
            Baud::from_code(reader.u8()?).ok_or(Error::Malformed("speed"))?
        } else {
            current.baud
        };
        if !(Parameters::SIZE_MIN..=Parameters::SIZE_MAX).contains(&packet_size) {
            return Err(Error::Malformed("packet size"));
        }
        if packets == 0 || !reader.is_empty() {
            return Err(Error::Malformed("packets"));
        }
        Ok(Self {
            parameters: Parameters {
                packet_size,
                packets,
                baud,
            },
            with_baud,
        })
    }

    /// Writes what follows the response code.
    ///
    /// # Errors
    ///
    /// The buffer is full.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        writer.u16(self.parameters.packet_size)?;
        writer.u8(self.parameters.packets)?;
        if self.with_baud {
            writer.u8(self.parameters.baud.code())?;
        }
        Ok(())
    }
}

/// A password as the tables know it: padded with spaces, whatever it was padded with.
///
/// Some tools pad with zeros, others with spaces.
pub fn password(octets: &[u8]) -> service::Password {
    let end = octets
        .iter()
        .rposition(|octet| !matches!(octet, 0 | b' '))
        .map_or(0, |last| last + 1);
    service::Password::new(&octets[..end], None)
}
