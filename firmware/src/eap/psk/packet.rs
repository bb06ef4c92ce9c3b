//! The layout of EAP-PSK messages (RFC 4764 §5).
//!
//! ```text
//!   1   Flags(1) RAND_S(16) ID_S(0..=966)
//!   2   Flags(1) RAND_S(16) RAND_P(16) MAC_P(16) ID_P(0..=966)
//!   3   Flags(1) RAND_S(16) MAC_S(16) PCHANNEL(21..)
//!   4.. Flags(1) RAND_S(16) PCHANNEL(21..)
//! ```
//!
//! The two high bits of Flags are the message number T, from 0. The six reserved bits are sent as
//! zero and ignored, but the PCHANNEL authenticates them as they arrived. Identities end where the
//! EAP packet ends; they are opaque octets, compared as such.

use super::Reject;
use super::channel;
use crate::eap::{Code, MethodType, Packet, put_header};
use crate::wire::{Error, Reader, Writer};

/// The longest identity, so that message 2 fits the EAP MTU, in octets.
pub const ID_LEN_MAX: usize = 966;

/// The reserved bits of the Flags octet.
pub const FLAGS_RESERVED: u8 = 0x3F;

/// A message, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Message 1: the server introduces itself (§5.1).
    First {
        /// Challenge of the server and identifier of the session.
        rand_s: &'a [u8; 16],
        /// Identity of the server.
        id_s: &'a [u8],
    },
    /// Message 2: the peer introduces and authenticates itself (§5.2).
    Second {
        /// As in message 1.
        rand_s: &'a [u8; 16],
        /// Challenge of the peer.
        rand_p: &'a [u8; 16],
        /// Proof of the peer.
        mac_p: &'a [u8; 16],
        /// Identity of the peer.
        id_p: &'a [u8],
    },
    /// Message 3: the server authenticates itself (§5.3).
    Third {
        /// As in message 1.
        rand_s: &'a [u8; 16],
        /// Proof of the server.
        mac_s: &'a [u8; 16],
        /// The protected channel.
        channel: &'a [u8],
    },
    /// Message 4 and all that follow (§5.4).
    Fourth {
        /// As in message 1.
        rand_s: &'a [u8; 16],
        /// The protected channel.
        channel: &'a [u8],
    },
}

impl<'a> Message<'a> {
    /// Checks the lengths of the message in `packet`; the direction is not looked at.
    pub fn parse(packet: &Packet<'a>) -> Result<Self, Reject> {
        if packet.kind != Some(MethodType::Psk) {
            return Err(Reject::UnexpectedMessage);
        }
        let mut reader = Reader::new(packet.data());
        let flags = reader.u8().map_err(|_| Reject::Truncated)?;
        let rand_s = array(&mut reader)?;
        match flags >> 6 {
            0 => Ok(Self::First {
                rand_s,
                id_s: identity(&mut reader)?,
            }),
            1 => Ok(Self::Second {
                rand_s,
                rand_p: array(&mut reader)?,
                mac_p: array(&mut reader)?,
                id_p: identity(&mut reader)?,
            }),
            2 => Ok(Self::Third {
                rand_s,
                mac_s: array(&mut reader)?,
                channel: protected(&mut reader)?,
            }),
            _ => Ok(Self::Fourth {
                rand_s,
                channel: protected(&mut reader)?,
            }),
        }
    }

    /// Appends the packet up to a PCHANNEL, if it has one.
    ///
    /// The EAP Length accounts for the PCHANNEL octets, which are to be appended next.
    pub fn emit(&self, code: Code, identifier: u8, out: &mut Writer<'_>) -> Result<(), Error> {
        let (number, rand_s, fields, channel): (u8, _, [&[u8]; 3], &[u8]) = match *self {
            Self::First { rand_s, id_s } => (0, rand_s, [id_s, &[], &[]], &[]),
            Self::Second {
                rand_s,
                rand_p,
                mac_p,
                id_p,
            } => (1, rand_s, [rand_p, mac_p, id_p], &[]),
            Self::Third {
                rand_s,
                mac_s,
                channel,
            } => (2, rand_s, [mac_s, &[], &[]], channel),
            Self::Fourth { rand_s, channel } => (3, rand_s, [&[], &[], &[]], channel),
        };
        let fields_len: usize = fields.iter().map(|field| field.len()).sum();
        let data_len = 1 + rand_s.len() + fields_len + channel.len();
        put_header(out, code, identifier, MethodType::Psk, data_len)?;
        out.u8(number << 6)?;
        out.put(rand_s)?;
        for field in fields {
            out.put(field)?;
        }
        out.put(channel)
    }
}

fn array<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8; 16], Reject> {
    let octets = reader.take(16).map_err(|_| Reject::Truncated)?;
    octets.try_into().map_err(|_| Reject::Truncated)
}

fn identity<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Reject> {
    let identity = reader.rest();
    if identity.len() > ID_LEN_MAX {
        return Err(Reject::TooLong);
    }
    Ok(identity)
}

fn protected<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Reject> {
    let octets = reader.rest();
    if octets.len() < channel::LEN_MIN {
        return Err(Reject::Truncated);
    }
    if octets.len() > channel::LEN_MAX {
        return Err(Reject::TooLong);
    }
    Ok(octets)
}
