//! The response to Identification.
//!
//! ```text
//! 00 standard(1) version(1) revision(1) feature* 00
//! 04 06 len OID          security mechanism
//! 05 flags               bit 7 sessionless, bits 6..0 number of sessions
//! 06 (06|80) len ..      device class
//! 07 len format text     device identity; the length counts format and text
//! ```

use super::super::aptitle::ApTitle;
use super::super::ber;
use crate::wire::{Error, Reader, Writer};

/// What a node is: standard, version, revision, features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identification<'a> {
    /// The standard: 03 is C12.22.
    pub standard: u8,
    /// Its version.
    pub version: u8,
    /// Its revision.
    pub revision: u8,
    features: &'a [u8],
}

impl<'a> Identification<'a> {
    /// Reads the data after the response code.
    pub fn parse(data: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(data);
        Ok(Self {
            standard: reader.u8()?,
            version: reader.u8()?,
            revision: reader.u8()?,
            features: reader.rest(),
        })
    }

    /// The features in order.
    pub const fn features(&self) -> Features<'a> {
        Features {
            reader: Reader::new(self.features),
            done: false,
        }
    }

    /// Writes the data after the response code: C12.22 version 1 revision 0 with `features`.
    pub fn emit(features: &[Feature<'_>], writer: &mut Writer<'_>) -> Result<(), Error> {
        writer.put(&[0x03, 0x01, 0x00])?;
        features
            .iter()
            .try_for_each(|feature| feature.emit(writer))?;
        writer.u8(0)
    }
}

/// One feature of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature<'a> {
    /// A supported security mechanism (04), OID content.
    SecurityMechanism(&'a [u8]),
    /// Sessions (05).
    SessionControl {
        /// Whether messages outside a session are accepted.
        sessionless: bool,
        /// Sessions at a time, at most 127.
        sessions: u8,
    },
    /// Device class (06).
    DeviceClass(ApTitle<'a>),
    /// Device identity (07).
    Identity {
        /// Character format, as in C12.19.
        format: u8,
        /// The text.
        text: &'a [u8],
    },
}

impl<'a> Feature<'a> {
    fn parse(code: u8, reader: &mut Reader<'a>) -> Result<Self, Error> {
        Ok(match code {
            0x04 => Self::SecurityMechanism(ber::expect(reader, 0x06, "mechanism")?.rest()),
            0x05 => {
                let flags = reader.u8()?;
                Self::SessionControl {
                    sessionless: flags & 0x80 != 0,
                    sessions: flags & 0x7F,
                }
            }
            0x06 => Self::DeviceClass(ApTitle::parse(reader)?),
            0x07 => {
                let len = usize::from(reader.u8()?);
                let mut identity = reader.sub(len)?;
                Self::Identity {
                    format: identity.u8()?,
                    text: identity.rest(),
                }
            }
            _ => return Err(Error::Unsupported(u16::from(code))),
        })
    }

    fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        match self {
            Self::SecurityMechanism(oid) => {
                writer.u8(0x04)?;
                ber::write_header(writer, 0x06, oid.len())?;
                writer.put(oid)
            }
            Self::SessionControl {
                sessionless,
                sessions,
            } => writer.put(&[0x05, u8::from(*sessionless) << 7 | sessions & 0x7F]),
            Self::DeviceClass(class) => {
                writer.u8(0x06)?;
                class.emit(writer)
            }
            Self::Identity { format, text } => {
                let len = u8::try_from(text.len() + 1).map_err(|_| Error::Malformed("identity"))?;
                writer.put(&[0x07, len, *format])?;
                writer.put(text)
            }
        }
    }
}

/// An iterator over features; ends at the terminator or after the first error.
#[derive(Clone, Debug)]
pub struct Features<'a> {
    reader: Reader<'a>,
    done: bool,
}

impl<'a> Iterator for Features<'a> {
    type Item = Result<Feature<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let feature = match self.reader.u8() {
            Ok(0) => {
                self.done = true;
                return None;
            }
            Ok(code) => Feature::parse(code, &mut self.reader),
            Err(error) => Err(error),
        };
        self.done = feature.is_err();
        Some(feature)
    }
}
