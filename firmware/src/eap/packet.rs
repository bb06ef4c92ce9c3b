//! EAP packets (RFC 3748 §4, §5).
//!
//! ```text
//!   0      1            2        4      5
//!   +------+------------+--------+------+-----------+
//!   | Code | Identifier | Length | Type | Type-Data |     Code 1 Request, 2 Response
//!   +------+------------+--------+------+-----------+
//!   | Code | Identifier | Length |                        Code 3 Success, 4 Failure
//!   +------+------------+--------+
//! ```
//!
//! Length counts the whole packet; octets beyond it are padding of the lower layer and are cut
//! off before anything else looks at the packet. Type 254 is followed by a Vendor-Id of three and
//! a Vendor-Type of four octets.

use super::Reject;
use crate::wire::{self, Reader, Writer};

/// The packet size that every lower layer carries (RFC 3748 §3.1), in octets.
pub const MTU: usize = 1020;

/// Octets before the Type field.
pub const HEADER_LEN: usize = 4;

/// The Code field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// 1, from the authenticator.
    Request,
    /// 2, from the peer.
    Response,
    /// 3, from the authenticator.
    Success,
    /// 4, from the authenticator.
    Failure,
}

impl Code {
    /// The code point.
    pub const fn value(self) -> u8 {
        match self {
            Self::Request => 1,
            Self::Response => 2,
            Self::Success => 3,
            Self::Failure => 4,
        }
    }

    /// The code with the code point `value`, if there is one.
    pub const fn from_value(value: u8) -> Option<Self> {
        match value {
            1 => Some(Self::Request),
            2 => Some(Self::Response),
            3 => Some(Self::Success),
            4 => Some(Self::Failure),
            _ => None,
        }
    }
}

/// The Type field, with the Vendor-Type where it is expanded (RFC 3748 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MethodType {
    /// 1, Identity.
    Identity,
    /// 2, Notification.
    Notification,
    /// 3, legacy Nak.
    Nak,
    /// 4, MD5-Challenge.
    Md5Challenge,
    /// 47, EAP-PSK (RFC 4764).
    Psk,
    /// 254, Expanded.
    Expanded {
        /// Vendor-Id, 24 bits; 0 is the IETF.
        vendor_id: u32,
        /// Vendor-Type.
        vendor_type: u32,
    },
    /// Any other code point.
    Unknown(u8),
}

/// The code point of Expanded Types.
const EXPANDED: u8 = 254;

impl MethodType {
    /// The Expanded Nak (RFC 3748 §5.3.2).
    pub const EXPANDED_NAK: Self = Self::Expanded {
        vendor_id: 0,
        vendor_type: 3,
    };

    /// The octet of the Type field.
    pub const fn value(self) -> u8 {
        match self {
            Self::Identity => 1,
            Self::Notification => 2,
            Self::Nak => 3,
            Self::Md5Challenge => 4,
            Self::Psk => 47,
            Self::Expanded { .. } => EXPANDED,
            Self::Unknown(value) => value,
        }
    }

    /// Octets of the Type field together with a Vendor-Id and Vendor-Type.
    pub const fn wire_len(self) -> usize {
        match self {
            Self::Expanded { .. } => 8,
            _ => 1,
        }
    }

    /// The same type as eight octets, as an Expanded Nak lists it (RFC 3748 §5.3.2).
    pub const fn expanded(self) -> Self {
        match self {
            Self::Expanded { .. } => self,
            _ => Self::Expanded {
                vendor_id: 0,
                vendor_type: self.value() as u32,
            },
        }
    }

    fn parse(reader: &mut Reader<'_>) -> Result<Self, wire::Error> {
        Ok(match reader.u8()? {
            1 => Self::Identity,
            2 => Self::Notification,
            3 => Self::Nak,
            4 => Self::Md5Challenge,
            47 => Self::Psk,
            EXPANDED => Self::Expanded {
                vendor_id: reader.u24()?,
                vendor_type: reader.u32()?,
            },
            value => Self::Unknown(value),
        })
    }

    /// Appends the type.
    pub fn emit(self, out: &mut Writer<'_>) -> Result<(), wire::Error> {
        out.u8(self.value())?;
        if let Self::Expanded {
            vendor_id,
            vendor_type,
        } = self
        {
            out.u24(vendor_id)?;
            out.u32(vendor_type)?;
        }
        Ok(())
    }
}

/// A view of a packet whose framing is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The Code field.
    pub code: Code,
    /// The Identifier field.
    pub identifier: u8,
    /// The Type field of a Request or Response, `None` for a result.
    pub kind: Option<MethodType>,
    octets: &'a [u8],
    data: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Checks the framing of `octets`; what follows Length is ignored.
    pub fn parse(octets: &'a [u8]) -> Result<Self, Reject> {
        let mut reader = Reader::new(octets);
        let code = reader.u8().map_err(|_| Reject::Truncated)?;
        let code = Code::from_value(code).ok_or(Reject::UnknownCode)?;
        let identifier = reader.u8().map_err(|_| Reject::Truncated)?;
        let len = usize::from(reader.u16().map_err(|_| Reject::Truncated)?);
        if len < HEADER_LEN {
            return Err(Reject::BadLength);
        }
        let octets = octets.get(..len).ok_or(Reject::Truncated)?;
        let mut reader = Reader::new(&octets[HEADER_LEN..]);
        let kind = match code {
            Code::Request | Code::Response if reader.is_empty() => return Err(Reject::BadLength),
            Code::Request | Code::Response => {
                Some(MethodType::parse(&mut reader).map_err(|_| Reject::MalformedType)?)
            }
            Code::Success | Code::Failure if reader.is_empty() => None,
            Code::Success | Code::Failure => return Err(Reject::BadLength),
        };
        Ok(Self {
            code,
            identifier,
            kind,
            octets,
            data: reader.rest(),
        })
    }

    /// The whole packet, without padding.
    pub const fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// The Type-Data.
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }
}

/// Appends the fields before the Type-Data of a Request or Response.
///
/// `data_len` octets of Type-Data must follow.
pub fn put_header(
    out: &mut Writer<'_>,
    code: Code,
    identifier: u8,
    kind: MethodType,
    data_len: usize,
) -> Result<(), wire::Error> {
    let len = u16::try_from(HEADER_LEN + kind.wire_len() + data_len)
        .map_err(|_| wire::Error::Malformed("EAP length"))?;
    out.u8(code.value())?;
    out.u8(identifier)?;
    out.u16(len)?;
    kind.emit(out)
}

/// Appends a Success or Failure.
pub fn put_result(out: &mut Writer<'_>, code: Code, identifier: u8) -> Result<(), wire::Error> {
    out.put(&[code.value(), identifier, 0, HEADER_LEN as u8])
}
