//! Why EAP-PSK discarded a packet.

/// The cause of a packet that EAP-PSK discarded silently (RFC 4764 §3.3, §5, §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reject {
    /// Shorter than its message type (§5).
    Truncated,
    /// An identity or a payload is longer than allowed (§5.1, §5.2, §5.3).
    TooLong,
    /// The message number T is not the one that is due (§5).
    UnexpectedMessage,
    /// RAND_S is not that of message 1 (§5.2, §5.3, §5.4).
    SessionMismatch,
    /// ID_S is not the server that this peer shares its key with (§5.1).
    UnknownServer,
    /// ID_P is not a peer that this server shares a key with (§5.2).
    UnknownPeer,
    /// MAC_P does not verify (§4.1).
    BadMacP,
    /// MAC_S does not verify (§4.1).
    BadMacS,
    /// The PCHANNEL nonce is not the next one (§3.3, §8.4).
    BadNonce,
    /// The PCHANNEL tag does not verify (§3.3).
    BadTag,
    /// The PCHANNEL payload has an unassigned result or stray octets (§5.3, §6.1).
    MalformedPayload,
    /// An extension was started late, dropped, changed or started empty (§6.2).
    ExtensionMismatch,
    /// DONE_SUCCESS of a peer before that of the server (§6.1).
    PrematureResult,
}

impl Reject {
    /// The cause as a stable snake-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncated => "psk_truncated",
            Self::TooLong => "psk_too_long",
            Self::UnexpectedMessage => "psk_unexpected_message",
            Self::SessionMismatch => "psk_session_mismatch",
            Self::UnknownServer => "psk_unknown_server",
            Self::UnknownPeer => "psk_unknown_peer",
            Self::BadMacP => "psk_bad_mac_p",
            Self::BadMacS => "psk_bad_mac_s",
            Self::BadNonce => "psk_bad_nonce",
            Self::BadTag => "psk_bad_tag",
            Self::MalformedPayload => "psk_malformed_payload",
            Self::ExtensionMismatch => "psk_extension_mismatch",
            Self::PrematureResult => "psk_premature_result",
        }
    }
}
