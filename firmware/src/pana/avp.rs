//! Attribute-value pairs (RFC 5191 §6.3, §8; RFC 6345 §5; RFC 6786 §4).
//!
//! ```text
//!  0      2       4        6          8
//! | Code  | Flags | Length | Reserved | [Vendor-Id, 4] Value, padded to 4 octets
//! ```
//!
//! Length counts the octets of the value alone: no header, no Vendor-Id, no padding. The
//! reserved bits and the padding are sent as zero and ignored on receipt.

use alloc::vec::Vec;

use crate::wire::Reader;

use super::Reject;

/// The AVP codes of the IETF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum Code {
    /// AUTH (1), always the last AVP.
    Auth = 1,
    /// EAP-Payload (2), one EAP packet.
    EapPayload = 2,
    /// Integrity-Algorithm (3), an IKEv2 transform type 3 number.
    IntegrityAlgorithm = 3,
    /// Key-Id (4).
    KeyId = 4,
    /// Nonce (5), 8 to 256 octets.
    Nonce = 5,
    /// PRF-Algorithm (6), an IKEv2 transform type 2 number.
    PrfAlgorithm = 6,
    /// Result-Code (7).
    ResultCode = 7,
    /// Session-Lifetime (8) in seconds.
    SessionLifetime = 8,
    /// Termination-Cause (9), always the first AVP.
    TerminationCause = 9,
    /// PaC-Information (10), address and UDP port.
    PacInformation = 10,
    /// Relayed-Message (11), one PANA message.
    RelayedMessage = 11,
    /// Encryption-Encap (12), encrypted AVPs.
    EncryptionEncap = 12,
    /// Encryption-Algorithm (13).
    EncryptionAlgorithm = 13,
}

impl Code {
    /// The code with the number `id`, if it is known here.
    pub const fn from_id(id: u16) -> Option<Self> {
        Some(match id {
            1 => Self::Auth,
            2 => Self::EapPayload,
            3 => Self::IntegrityAlgorithm,
            4 => Self::KeyId,
            5 => Self::Nonce,
            6 => Self::PrfAlgorithm,
            7 => Self::ResultCode,
            8 => Self::SessionLifetime,
            9 => Self::TerminationCause,
            10 => Self::PacInformation,
            11 => Self::RelayedMessage,
            12 => Self::EncryptionEncap,
            13 => Self::EncryptionAlgorithm,
            _ => return None,
        })
    }
}

const VENDOR: u16 = 0x8000;

/// One AVP, borrowed from the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avp<'a> {
    /// The code, in the name space of the vendor if there is one.
    pub code: u16,
    /// The vendor, if the V flag is set.
    pub vendor: Option<u32>,
    /// The value without padding.
    pub value: &'a [u8],
}

/// Iterates over a list of AVPs; ends after the first error.
#[derive(Clone, Debug)]
pub struct Avps<'a> {
    reader: Reader<'a>,
}

impl<'a> Avps<'a> {
    /// The AVPs in `octets`, which start at the first AVP.
    pub const fn new(octets: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(octets),
        }
    }

    /// Whether all AVPs have been read.
    pub const fn is_empty(&self) -> bool {
        self.reader.is_empty()
    }

    fn read(&mut self) -> Result<Avp<'a>, crate::wire::Error> {
        let code = self.reader.u16()?;
        let flags = self.reader.u16()?;
        let len = usize::from(self.reader.u16()?);
        self.reader.u16()?;
        let vendor = match flags & VENDOR {
            0 => None,
            _ => Some(self.reader.u32()?),
        };
        let value = self.reader.take(len)?;
        self.reader.take(padding(len))?;
        Ok(Avp {
            code,
            vendor,
            value,
        })
    }
}

impl<'a> Iterator for Avps<'a> {
    type Item = Result<Avp<'a>, Reject>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let avp = self.read().map_err(|_| Reject::AvpTruncated);
        if avp.is_err() {
            self.reader.rest();
        }
        Some(avp)
    }
}

/// Octets that pad a value of `len` octets.
pub const fn padding(len: usize) -> usize {
    len.next_multiple_of(4) - len
}

/// Appends an AVP of the IETF.
pub fn push(out: &mut Vec<u8>, code: Code, value: &[u8]) {
    push_header(out, code as u16, 0, value.len());
    push_value(out, value);
}

/// Appends an AVP of the vendor with the enterprise number `vendor`.
pub fn push_vendor(out: &mut Vec<u8>, vendor: u32, code: u16, value: &[u8]) {
    push_header(out, code, VENDOR, value.len());
    out.extend_from_slice(&vendor.to_be_bytes());
    push_value(out, value);
}

fn push_header(out: &mut Vec<u8>, code: u16, flags: u16, len: usize) {
    let len = u16::try_from(len).expect("AVP values emitted here are shorter than 64 KiB");
    let mut header = [0; 8];
    header[..2].copy_from_slice(&code.to_be_bytes());
    header[2..4].copy_from_slice(&flags.to_be_bytes());
    header[4..6].copy_from_slice(&len.to_be_bytes());
    out.extend_from_slice(&header);
}

fn push_value(out: &mut Vec<u8>, value: &[u8]) {
    out.extend_from_slice(value);
    out.extend_from_slice(&[0; 3][..padding(value.len())]);
}

#[cfg(test)]
mod tests {
    use std::vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc5191_6_3_length_counts_the_value_alone() {
        let mut octets = vec![];
        push(&mut octets, Code::EapPayload, &[1, 28, 0, 5, 1]);
        push_vendor(&mut octets, 37_244, 2, &[1, 1]);
        assert_eq!(
            octets,
            [
                0, 2, 0, 0, 0, 5, 0, 0, 1, 28, 0, 5, 1, 0, 0, 0, 0, 2, 0x80, 0, 0, 2, 0, 0, 0, 0,
                0x91, 0x7C, 1, 1, 0, 0
            ]
        );
        let mut avps = Avps::new(&octets);
        assert_eq!(
            avps.next(),
            Some(Ok(Avp {
                code: 2,
                vendor: None,
                value: &[1, 28, 0, 5, 1]
            }))
        );
        assert_eq!(
            avps.next(),
            Some(Ok(Avp {
                code: 2,
                vendor: Some(37_244),
                value: &[1, 1]
            }))
        );
        assert_eq!(avps.next(), None);
    }

    #[test]
    fn rfc5191_6_3_missing_padding_is_truncation() {
        let octets = [0, 2, 0, 0, 0, 5, 0, 0, 1, 28, 0, 5, 1];
        let mut avps = Avps::new(&octets);
        assert_eq!(avps.next(), Some(Err(Reject::AvpTruncated)));
        assert_eq!(avps.next(), None, "iteration ends after an error");
    }

    proptest! {
        #[test]
        fn parsing_arbitrary_octets_terminates(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Avps::new(&octets).count() <= octets.len() / 8 + 1);
        }

        #[test]
        fn emitted_avps_are_read_back(
            vendor in any::<Option<u32>>(),
            code in 1_u16..14,
            value in prop::collection::vec(any::<u8>(), 0..70),
        ) {
            let mut octets = vec![];
            match vendor {
                Some(vendor) => push_vendor(&mut octets, vendor, code, &value),
                None => push(&mut octets, Code::from_id(code).unwrap(), &value),
            }
            prop_assert_eq!(octets.len() % 4, 0);
            let read: Vec<_> = Avps::new(&octets).collect();
            prop_assert_eq!(read, vec![Ok(Avp { code, vendor, value: &value })]);
        }
    }
}
