//! Why a PANA message was silently discarded.

use core::fmt;

use crate::eap;

/// The cause of a discarded message; each variant cites the clause that orders the discard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reject {
    /// The enforcement point is closed to everything but PANA (RFC 5191 §2).
    AccessClosed,
    /// An unauthenticated message of a session from another address (RFC 5191 §5.5).
    AddressMismatch,
    /// The PaC selected an algorithm that was not offered (RFC 5191 §4.1).
    AlgorithmNotOffered,
    /// None of the offered algorithms is acceptable (RFC 5191 §4.1).
    AlgorithmUnacceptable,
    /// The AUTH value is not that of the message (RFC 5191 §5.5).
    AuthInvalid,
    /// AUTH is missing although a PANA SA exists (RFC 5191 §5.5).
    AuthMissing,
    /// AUTH before any key exists (RFC 5191 §5.3).
    AuthUnexpected,
    /// An AVP that the message must not carry (RFC 5191 §8, figure 4).
    AvpForbidden,
    /// An AVP value that cannot be decoded (RFC 5191 §8).
    AvpMalformed,
    /// An AVP that the message must carry is missing (RFC 5191 §7).
    AvpMissing,
    /// An AVP is not at its fixed position (RFC 5191 §7: AUTH last, Termination-Cause first).
    AvpMisplaced,
    /// An AVP occurs more often than allowed (RFC 5191 §8, figure 4).
    AvpRepeated,
    /// An AVP runs past the end of the message (RFC 5191 §6.3).
    AvpTruncated,
    /// An AVP code that is neither known nor vendor-specific (RFC 5191 §5.5).
    AvpUnknown,
    /// The EAP packet inside was discarded (RFC 5191 §5.5, RFC 3748).
    Eap(eap::Reject),
    /// An EAP packet that does not fit the message, like a Success outside PAR with C bit
    /// (RFC 5191 §4.1).
    EapMisplaced,
    /// Encryption-Encap without negotiated encryption, or with a plaintext that is no AVP
    /// list (RFC 6786 §4).
    EncapsulationInvalid,
    /// A failure that no key protects, where such are not believed (RFC 5191 §11.2).
    FailureUnprotected,
    /// A flag combination that the message type forbids (RFC 5191 §6.2).
    FlagsInvalid,
    /// Too many sessions are being established (RFC 5191 §11.1).
    HalfOpenLimit,
    /// The datagram is shorter than a header (RFC 5191 §6.2).
    HeaderTruncated,
    /// Session identifier or sequence number of a PCI or PRY is not zero (RFC 5191 §7.1).
    IdentifierNotZero,
    /// Key-Id differs from the one that the PAA assigned (RFC 5191 §5.3).
    KeyIdMismatch,
    /// Key-Id is missing although a new MSK exists (RFC 5191 §5.3).
    KeyIdMissing,
    /// Message Length is not the length of the datagram (RFC 5191 §5.5).
    LengthMismatch,
    /// A success without Session-Lifetime (RFC 5191 §5.7).
    LifetimeMissing,
    /// A message type that does not exist (RFC 5191 §5.5).
    MessageTypeUnknown,
    /// A message type that is not expected in this state or by this end (RFC 5191 §5.5).
    MessageUnexpected,
    /// The first PAR or PAN after the S exchange lacks its Nonce (RFC 5191 §4.1).
    NonceMissing,
    /// A Nonce in a later PAR or PAN (RFC 5191 §4.1).
    NonceUnexpected,
    /// Notification requests or PCI arrive too fast (RFC 5191 §4.2, §11.1).
    RateLimited,
    /// PRY inside PRY, or PRY on the side of the PaC (RFC 6345 §2).
    RelayNested,
    /// Result-Code contradicts the EAP packet or the state of the session (RFC 5191 §4.1).
    ResultContradictory,
    /// Not the expected sequence number (RFC 5191 §5.2).
    SequenceUnexpected,
    /// The session does not exist, or no longer (RFC 5191 §4.4, §5.5).
    SessionUnknown,
}

impl Reject {
    /// A stable name for tables and statistics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccessClosed => "access_closed",
            Self::AddressMismatch => "address_mismatch",
            Self::AlgorithmNotOffered => "algorithm_not_offered",
            Self::AlgorithmUnacceptable => "algorithm_unacceptable",
            Self::AuthInvalid => "auth_invalid",
            Self::AuthMissing => "auth_missing",
            Self::AuthUnexpected => "auth_unexpected",
            Self::AvpForbidden => "avp_forbidden",
            Self::AvpMalformed => "avp_malformed",
            Self::AvpMissing => "avp_missing",
            Self::AvpMisplaced => "avp_misplaced",
            Self::AvpRepeated => "avp_repeated",
            Self::AvpTruncated => "avp_truncated",
            Self::AvpUnknown => "avp_unknown",
            Self::Eap(reject) => reject.name(),
            Self::EapMisplaced => "eap_misplaced",
            Self::EncapsulationInvalid => "encapsulation_invalid",
            Self::FailureUnprotected => "failure_unprotected",
            Self::FlagsInvalid => "flags_invalid",
            Self::HalfOpenLimit => "half_open_limit",
            Self::HeaderTruncated => "header_truncated",
            Self::IdentifierNotZero => "identifier_not_zero",
            Self::KeyIdMismatch => "key_id_mismatch",
            Self::KeyIdMissing => "key_id_missing",
            Self::LengthMismatch => "length_mismatch",
            Self::LifetimeMissing => "lifetime_missing",
            Self::MessageTypeUnknown => "message_type_unknown",
            Self::MessageUnexpected => "message_unexpected",
            Self::NonceMissing => "nonce_missing",
            Self::NonceUnexpected => "nonce_unexpected",
            Self::RateLimited => "rate_limited",
            Self::RelayNested => "relay_nested",
            Self::ResultContradictory => "result_contradictory",
            Self::SequenceUnexpected => "sequence_unexpected",
            Self::SessionUnknown => "session_unknown",
        }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl core::error::Error for Reject {}
