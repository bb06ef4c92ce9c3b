//! The fixed header of a PANA message (RFC 5191 §6.2).
//!
//! ```text
//!  0        2          4       6      8                   12                16
//! | Reserved | Length  | Flags | Type | Session Identifier | Sequence Number |
//! ```
//!
//! Length counts the header and all AVPs with their padding, and is a multiple of four. The
//! reserved field and the reserved flag bits are sent as zero and ignored on receipt.

use crate::wire::Reader;

use super::Reject;

/// Octets of a header.
pub const HEADER_LEN: usize = 16;

/// The type of a message; a request and its answer share it (RFC 5191 §7, RFC 6345 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MessageType {
    /// PANA-Client-Initiation (1), sent by the PaC to find a PAA.
    ClientInitiation,
    /// PANA-Auth-Request and PANA-Auth-Answer (2).
    Auth,
    /// PANA-Termination-Request and PANA-Termination-Answer (3).
    Termination,
    /// PANA-Notification-Request and PANA-Notification-Answer (4).
    Notification,
    /// PANA-Relay (5), between relay element and PAA.
    Relay,
    /// Any other value; never valid.
    Unknown(u16),
}

impl MessageType {
    /// The number on the wire.
    pub const fn id(self) -> u16 {
        match self {
            Self::ClientInitiation => 1,
            Self::Auth => 2,
            Self::Termination => 3,
            Self::Notification => 4,
            Self::Relay => 5,
            Self::Unknown(id) => id,
        }
    }

    /// The type with the number `id`.
    pub const fn from_id(id: u16) -> Self {
        match id {
            1 => Self::ClientInitiation,
            2 => Self::Auth,
            3 => Self::Termination,
            4 => Self::Notification,
            5 => Self::Relay,
            id => Self::Unknown(id),
        }
    }
}

/// The six defined flag bits (RFC 5191 §6.2).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags(u16);

impl Flags {
    /// No flag: an answer, or a PCI.
    pub const NONE: Self = Self(0);
    /// R, Request.
    pub const REQUEST: Self = Self(0x8000);
    /// S, Start: the first PAR and PAN of a session.
    pub const START: Self = Self(0x4000);
    /// C, Complete: the last PAR and PAN of a phase.
    pub const COMPLETE: Self = Self(0x2000);
    /// A, re-Authentication: only on PNR and PNA.
    pub const REAUTHENTICATION: Self = Self(0x1000);
    /// P, Ping: only on PNR and PNA.
    pub const PING: Self = Self(0x0800);
    /// I, IP Reconfiguration: the PaC has to obtain another address after success.
    pub const IP_RECONFIGURATION: Self = Self(0x0400);

    const DEFINED: u16 = 0xFC00;

    /// The defined bits of `bits`.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits & Self::DEFINED)
    }

    /// The bits on the wire.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// These flags and `other`.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These flags without `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl core::fmt::Debug for Flags {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (bit, letter) in ["R", "S", "C", "A", "P", "I"].iter().enumerate() {
            if self.0 & (0x8000 >> bit) != 0 {
                f.write_str(letter)?;
            }
        }
        Ok(())
    }
}

/// A header with meaningful values only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Octets of the whole message.
    pub length: u16,
    /// The defined flags.
    pub flags: Flags,
    /// The message type.
    pub kind: MessageType,
    /// Chosen by the PAA; zero in PCI and PRY.
    pub session_id: u32,
    /// The number of the request, or of the request that is answered.
    pub sequence: u32,
}

impl Header {
    /// Reads the header of `datagram`, which has to hold exactly one message (RFC 5191 §5.5).
    pub fn parse(datagram: &[u8]) -> Result<Self, Reject> {
        let mut reader = Reader::new(datagram);
        let mut fields = || -> Result<Self, crate::wire::Error> {
            reader.u16()?;
            Ok(Self {
                length: reader.u16()?,
                flags: Flags::from_bits(reader.u16()?),
                kind: MessageType::from_id(reader.u16()?),
                session_id: reader.u32()?,
                sequence: reader.u32()?,
            })
        };
        let header = fields().map_err(|_| Reject::HeaderTruncated)?;
        if usize::from(header.length) != datagram.len() || !datagram.len().is_multiple_of(4) {
            return Err(Reject::LengthMismatch);
        }
        Ok(header)
    }

    /// The octets of the header.
    pub fn emit(&self) -> [u8; HEADER_LEN] {
        let mut octets = [0; HEADER_LEN];
        octets[2..4].copy_from_slice(&self.length.to_be_bytes());
        octets[4..6].copy_from_slice(&self.flags.bits().to_be_bytes());
        octets[6..8].copy_from_slice(&self.kind.id().to_be_bytes());
        octets[8..12].copy_from_slice(&self.session_id.to_be_bytes());
        octets[12..16].copy_from_slice(&self.sequence.to_be_bytes());
        octets
    }

    /// Whether the message is a request.
    pub const fn is_request(&self) -> bool {
        self.flags.contains(Flags::REQUEST)
    }

    /// Checks the flag combinations that each type allows (RFC 5191 §6.2, §7).
    pub fn check_flags(&self) -> Result<(), Reject> {
        let flags = self.flags.without(Flags::REQUEST);
        let allowed = match self.kind {
            MessageType::Unknown(_) => return Err(Reject::MessageTypeUnknown),
            MessageType::ClientInitiation | MessageType::Relay => {
                !self.is_request() && flags == Flags::NONE
            }
            MessageType::Auth => {
                let stage = flags.without(Flags::IP_RECONFIGURATION);
                (self.is_request() || stage == flags)
                    && [Flags::NONE, Flags::START, Flags::COMPLETE].contains(&stage)
            }
            MessageType::Termination => flags == Flags::NONE,
            MessageType::Notification => [Flags::REAUTHENTICATION, Flags::PING].contains(&flags),
        };
        if !allowed {
            return Err(Reject::FlagsInvalid);
        }
        let unnumbered = matches!(
            self.kind,
            MessageType::ClientInitiation | MessageType::Relay
        );
        if unnumbered && (self.session_id != 0 || self.sequence != 0) {
            return Err(Reject::IdentifierNotZero);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNR_PING: Header = Header {
        length: 16,
        flags: Flags::REQUEST.with(Flags::PING),
        kind: MessageType::Notification,
        session_id: 0x75AA_8EB1,
        sequence: 0x60AD_D645,
    };

    #[test]
    fn rfc5191_6_2_header_survives_the_wire() {
        let octets = PNR_PING.emit();
        assert_eq!(
            octets,
            [
                0, 0, 0, 16, 0x88, 0, 0, 4, 0x75, 0xAA, 0x8E, 0xB1, 0x60, 0xAD, 0xD6, 0x45
            ]
        );
        assert_eq!(Header::parse(&octets), Ok(PNR_PING));
    }

    #[test]
    fn rfc5191_6_2_reserved_bits_are_ignored() {
        let mut octets = PNR_PING.emit();
        octets[0] = 0xFF;
        octets[4] |= 0x03;
        octets[5] = 0xFF;
        assert_eq!(Header::parse(&octets), Ok(PNR_PING));
    }

    #[test]
    fn rfc5191_5_5_length_has_to_match_the_datagram() {
        let octets = PNR_PING.emit();
        assert_eq!(Header::parse(&octets[..15]), Err(Reject::HeaderTruncated));
        let mut longer = [0; 20];
        longer[..16].copy_from_slice(&octets);
        assert_eq!(Header::parse(&longer), Err(Reject::LengthMismatch));
    }

    #[test]
    fn rfc5191_7_flag_combinations() {
        let check = |kind, flags: Flags| {
            Header {
                kind,
                flags,
                session_id: 0,
                sequence: 0,
                ..PNR_PING
            }
            .check_flags()
        };
        let start = Flags::REQUEST.with(Flags::START);
        assert_eq!(check(MessageType::Auth, start), Ok(()));
        assert_eq!(
            check(MessageType::Auth, start.with(Flags::COMPLETE)),
            Err(Reject::FlagsInvalid)
        );
        assert_eq!(
            check(MessageType::Auth, Flags::IP_RECONFIGURATION),
            Err(Reject::FlagsInvalid)
        );
        assert_eq!(
            check(MessageType::Notification, Flags::REQUEST),
            Err(Reject::FlagsInvalid)
        );
        assert_eq!(
            check(MessageType::ClientInitiation, Flags::REQUEST),
            Err(Reject::FlagsInvalid)
        );
        assert_eq!(
            check(MessageType::Unknown(6), Flags::REQUEST),
            Err(Reject::MessageTypeUnknown)
        );
    }
}
