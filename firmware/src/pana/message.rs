//! PANA messages: what a valid one may carry, and how one is built (RFC 5191 §5.5, §7, §8).

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use crate::crypto::{Integrity, MacKey, Prf, Work};

use super::avp::{self, Avps, Code};
use super::header::{Flags, HEADER_LEN, Header, MessageType};
use super::{Reject, key};

/// Octets of the longest Nonce value (RFC 5191 §8.5).
pub const NONCE_LEN_MAX: usize = 256;
/// Octets of the shortest Nonce value (RFC 5191 §8.5).
pub const NONCE_LEN_MIN: usize = 8;

/// The outcome that a PAR with C bit announces (RFC 5191 §8.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResultCode {
    /// PANA_SUCCESS (0).
    Success,
    /// PANA_AUTHENTICATION_REJECTED (1).
    AuthenticationRejected,
    /// PANA_AUTHORIZATION_REJECTED (2).
    AuthorizationRejected,
}

impl ResultCode {
    /// The number on the wire.
    pub const fn id(self) -> u32 {
        match self {
            Self::Success => 0,
            Self::AuthenticationRejected => 1,
            Self::AuthorizationRejected => 2,
        }
    }

    const fn from_id(id: u32) -> Option<Self> {
        match id {
            0 => Some(Self::Success),
            1 => Some(Self::AuthenticationRejected),
            2 => Some(Self::AuthorizationRejected),
            _ => None,
        }
    }
}

/// Why a session ends (RFC 5191 §8.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TerminationCause {
    /// LOGOUT (1), by the PaC.
    Logout,
    /// ADMINISTRATIVE (4), by the PAA.
    Administrative,
    /// SESSION_TIMEOUT (8), by the PAA.
    SessionTimeout,
    /// Any other value; the session ends all the same.
    Unknown(u32),
}

impl TerminationCause {
    /// The number on the wire.
    pub const fn id(self) -> u32 {
        match self {
            Self::Logout => 1,
            Self::Administrative => 4,
            Self::SessionTimeout => 8,
            Self::Unknown(id) => id,
        }
    }

    const fn from_id(id: u32) -> Self {
        match id {
            1 => Self::Logout,
            4 => Self::Administrative,
            8 => Self::SessionTimeout,
            id => Self::Unknown(id),
        }
    }
}

/// The algorithms of one kind that a message lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    count: u16,
    known: u8,
}

impl Offer {
    fn add(&mut self, index: Option<u8>) {
        self.count = self.count.saturating_add(1);
        self.known |= index.map_or(0, |index| 1 << index);
    }

    const fn contains(self, index: u8) -> bool {
        self.known & (1 << index) != 0
    }

    /// Whether nothing of this kind is listed.
    pub const fn is_empty(self) -> bool {
        self.count == 0
    }

    /// Whether `prf` is listed.
    pub const fn has_prf(self, prf: Prf) -> bool {
        self.contains(prf as u8)
    }

    /// Whether `integrity` is listed.
    pub const fn has_integrity(self, integrity: Integrity) -> bool {
        self.contains(integrity as u8)
    }

    /// Whether AES128_CTR is listed (RFC 6786 §5).
    pub const fn has_aes_ctr(self) -> bool {
        self.contains(0)
    }
}

/// A message that satisfies every rule which does not depend on the state of a session.
///
/// That is: flags and identifiers fit the type, every AVP is known or vendor-specific, allowed in
/// this message, decodable, not repeated and at its place. Unknown vendor-specific AVPs are
/// skipped.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The octets as received.
    pub octets: &'a [u8],
    /// The header.
    pub header: Header,
    /// AUTH, unverified.
    pub auth: Option<&'a [u8]>,
    /// EAP-Payload.
    pub eap: Option<&'a [u8]>,
    /// Key-Id.
    pub key_id: Option<u32>,
    /// Nonce, 8 to 256 octets.
    pub nonce: Option<&'a [u8]>,
    /// Result-Code.
    pub result_code: Option<ResultCode>,
    /// Session-Lifetime in seconds.
    pub lifetime_s: Option<u32>,
    /// Termination-Cause.
    pub termination_cause: Option<TerminationCause>,
    /// PRF-Algorithm.
    pub prf: Offer,
    /// Integrity-Algorithm.
    pub integrity: Offer,
    /// Encryption-Algorithm.
    pub encryption: Offer,
    /// Encryption-Encap, still encrypted.
    pub encapsulated: Option<&'a [u8]>,
    /// PaC-Information.
    pub pac: Option<SocketAddr>,
    /// Relayed-Message.
    pub relayed: Option<&'a [u8]>,
}

impl<'a> Message<'a> {
    /// Reads and validates the one message in `datagram`.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Reject> {
        let header = Header::parse(datagram)?;
        header.check_flags()?;
        let mut message = Self {
            octets: datagram,
            header,
            auth: None,
            eap: None,
            key_id: None,
            nonce: None,
            result_code: None,
            lifetime_s: None,
            termination_cause: None,
            prf: Offer::default(),
            integrity: Offer::default(),
            encryption: Offer::default(),
            encapsulated: None,
            pac: None,
            relayed: None,
        };
        let rules = Rules::of(&header);
        let mut seen = 0;
        let mut avps = Avps::new(&datagram[HEADER_LEN..]);
        let mut first = true;
        while let Some(avp) = avps.next() {
            let avp = avp?;
            if avp.vendor.is_some() {
                if header.kind == MessageType::Relay {
                    return Err(Reject::AvpForbidden);
                }
            } else {
                let code = Code::from_id(avp.code).ok_or(Reject::AvpUnknown)?;
                rules.check(code, &mut seen)?;
                let misplaced = match code {
                    Code::Auth => !avps.is_empty(),
                    Code::TerminationCause => !first,
                    _ => false,
                };
                if misplaced {
                    return Err(Reject::AvpMisplaced);
                }
                message.store(code, avp.value)?;
            }
            first = false;
        }
        if rules.required & !seen != 0 {
            return Err(Reject::AvpMissing);
        }
        Ok(message)
    }

    fn store(&mut self, code: Code, value: &'a [u8]) -> Result<(), Reject> {
        match code {
            Code::Auth => self.auth = Some(value),
            Code::EapPayload => self.eap = Some(value),
            Code::IntegrityAlgorithm => self
                .integrity
                .add(Integrity::from_id(u32_value(value)?).map(|algorithm| algorithm as u8)),
            Code::KeyId => self.key_id = Some(u32_value(value)?),
            Code::Nonce => {
                if !(NONCE_LEN_MIN..=NONCE_LEN_MAX).contains(&value.len()) {
                    return Err(Reject::AvpMalformed);
                }
                self.nonce = Some(value);
            }
            Code::PrfAlgorithm => self
                .prf
                .add(Prf::from_id(u32_value(value)?).map(|algorithm| algorithm as u8)),
            Code::ResultCode => {
                let code = ResultCode::from_id(u32_value(value)?).ok_or(Reject::AvpMalformed)?;
                self.result_code = Some(code);
            }
            Code::SessionLifetime => self.lifetime_s = Some(u32_value(value)?),
            Code::TerminationCause => {
                self.termination_cause = Some(TerminationCause::from_id(u32_value(value)?));
            }
            Code::PacInformation => self.pac = Some(socket_address(value)?),
            Code::RelayedMessage => self.relayed = Some(value),
            Code::EncryptionEncap => self.encapsulated = Some(value),
            Code::EncryptionAlgorithm => {
                let is_aes_ctr = u32_value(value)? == key::AES128_CTR;
                self.encryption.add(is_aes_ctr.then_some(0));
            }
        }
        Ok(())
    }

    /// Checks AUTH under `key`, over the octets as received (RFC 5191 §5.4).
    pub fn verify(&self, key: &MacKey, work: &mut Work) -> Result<(), Reject> {
        let auth = self.auth.ok_or(Reject::AuthMissing)?;
        let tag_len = key.algorithm().tag_len();
        if auth.len() != tag_len {
            return Err(Reject::AuthInvalid);
        }
        // AUTH is the last AVP and no tag needs padding, so the tag ends the message.
        let covered = &self.octets[..self.octets.len() - tag_len];
        let zeros = &[0; Integrity::TAG_LEN_MAX][..tag_len];
        if key.verify(&[covered, zeros], auth, work) {
            Ok(())
        } else {
            Err(Reject::AuthInvalid)
        }
    }

    /// The first octet of the EAP packet, its Code (RFC 3748 §4).
    pub fn eap_code(&self) -> Option<u8> {
        self.eap.and_then(|packet| packet.first().copied())
    }
}

fn u32_value(value: &[u8]) -> Result<u32, Reject> {
    let octets = value.try_into().map_err(|_| Reject::AvpMalformed)?;
    Ok(u32::from_be_bytes(octets))
}

/// PaC-Information: 4 or 16 octets of address, 2 of UDP port (RFC 6345 §5.1).
fn socket_address(value: &[u8]) -> Result<SocketAddr, Reject> {
    let (address, port) = value.split_last_chunk::<2>().ok_or(Reject::AvpMalformed)?;
    let address = if let Ok(v4) = <[u8; 4]>::try_from(address) {
        IpAddr::from(v4)
    } else if let Ok(v6) = <[u8; 16]>::try_from(address) {
        IpAddr::from(v6)
    } else {
        return Err(Reject::AvpMalformed);
    };
    Ok(SocketAddr::new(address, u16::from_be_bytes(*port)))
}

/// Which AVPs a message may, may repeatedly, and must carry; bit n stands for code n.
struct Rules {
    allowed: u16,
    repeatable: u16,
    required: u16,
}

const fn set(codes: &[Code]) -> u16 {
    let mut bits = 0;
    let mut index = 0;
    while index < codes.len() {
        bits |= 1 << codes[index] as u16;
        index += 1;
    }
    bits
}

const ALGORITHMS: u16 = set(&[
    Code::PrfAlgorithm,
    Code::IntegrityAlgorithm,
    Code::EncryptionAlgorithm,
]);
const ANSWER: u16 = set(&[Code::Auth, Code::EncryptionEncap]);
const AUTH_ANSWER: u16 = ANSWER | ALGORITHMS | set(&[Code::EapPayload, Code::KeyId, Code::Nonce]);
const AUTH_REQUEST: u16 = AUTH_ANSWER | set(&[Code::ResultCode, Code::SessionLifetime]);
const TERMINATION: u16 = set(&[Code::TerminationCause]);
const RELAY: u16 = set(&[Code::PacInformation, Code::RelayedMessage]);

impl Rules {
    /// Figure 4 of RFC 5191 §8, RFC 6345 §4.1 and RFC 6786 §4 as a table.
    fn of(header: &Header) -> Self {
        let (allowed, repeatable, required) = match (header.kind, header.is_request()) {
            (MessageType::Auth, true) => (AUTH_REQUEST, ALGORITHMS, 0),
            (MessageType::Auth, false) => (AUTH_ANSWER, 0, 0),
            (MessageType::Termination, true) => (ANSWER | TERMINATION, 0, TERMINATION),
            (MessageType::Termination, false) | (MessageType::Notification, _) => (ANSWER, 0, 0),
            (MessageType::Relay, _) => (RELAY, 0, RELAY),
            (MessageType::ClientInitiation | MessageType::Unknown(_), _) => (0, 0, 0),
        };
        Self {
            allowed,
            repeatable,
            required,
        }
    }

    fn check(&self, code: Code, seen: &mut u16) -> Result<(), Reject> {
        let bit = set(&[code]);
        if self.allowed & bit == 0 {
            return Err(Reject::AvpForbidden);
        }
        if *seen & bit & !self.repeatable != 0 {
            return Err(Reject::AvpRepeated);
        }
        *seen |= bit;
        Ok(())
    }
}

/// Builds one message in a buffer whose capacity is reused.
pub struct Emitter<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Emitter<'a> {
    /// Replaces the contents of `out` by a header.
    pub fn new(
        out: &'a mut Vec<u8>,
        kind: MessageType,
        flags: Flags,
        session_id: u32,
        sequence: u32,
    ) -> Self {
        out.clear();
        let header = Header {
            length: 0,
            flags,
            kind,
            session_id,
            sequence,
        };
        out.extend_from_slice(&header.emit());
        Self { out }
    }

    /// Session identifier and sequence number of the message.
    pub fn identifiers(&self) -> (u32, u32) {
        let word = |at: usize| {
            let octets = self.out[at..at + 4].try_into();
            u32::from_be_bytes(octets.expect("four octets of the header"))
        };
        (word(8), word(12))
    }

    /// Appends an AVP.
    pub fn avp(&mut self, code: Code, value: &[u8]) {
        avp::push(self.out, code, value);
    }

    /// Appends an AVP of type Unsigned32 or Enumerated.
    pub fn number(&mut self, code: Code, value: u32) {
        self.avp(code, &value.to_be_bytes());
    }

    /// Completes the message, with AUTH under `key` if there is one (RFC 5191 §5.4).
    pub fn finish(self, key: Option<&MacKey>, work: &mut Work) {
        let tag_len = key.map_or(0, |key| key.algorithm().tag_len());
        if key.is_some() {
            avp::push(
                self.out,
                Code::Auth,
                &[0; Integrity::TAG_LEN_MAX][..tag_len],
            );
        }
        let length = u16::try_from(self.out.len())
            .expect("nonce, EAP packet and encrypted AVPs are bounded far below 64 KiB");
        self.out[2..4].copy_from_slice(&length.to_be_bytes());
        if let Some(key) = key {
            let tag = key.tag(&[self.out], work);
            let start = self.out.len() - tag_len;
            self.out[start..].copy_from_slice(tag.octets());
        }
    }
}
