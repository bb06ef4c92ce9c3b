//! What the optical port discards.

/// Why octets from the line were not taken as a new packet.
///
/// What a [`Reject`] is answered with is said at each; a counted reject has changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reject {
    /// Octets that begin no packet and acknowledge none. Silence.
    Noise,
    /// The check sequence is wrong (C12.18-2006 §4.4.2). NAK.
    Crc,
    /// The packet announces more octets than were negotiated. NAK, once the line is silent.
    Length,
    /// The packet ends early: no octet within the inter-character time-out. NAK.
    InterCharacter,
    /// The control octet has undefined bits or another data format. NAK.
    Control,
    /// The packet is for another device on the line. Silence.
    Identity,
    /// The packet does not continue the message that has begun. NAK.
    Sequence,
    /// A new message begins before the last packet of the one before. ACK.
    Unfinished,
    /// The packet was received before: its toggle and check sequence are the last one's. ACK.
    Duplicate,
    /// An ACK or NAK where none was awaited. Silence.
    UnexpectedAnswer,
    /// A response that answers nothing. ACK.
    UnexpectedMessage,
    /// The message is longer than negotiated. ACK; the request is answered `onp`.
    Oversize,
    /// The service does not parse, or its checksum is wrong. ACK; the request is answered `err`.
    Service,
}

impl Reject {
    /// The cause in snake case, for tables and statistics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Noise => "optical_noise",
            Self::Crc => "optical_crc",
            Self::Length => "optical_length",
            Self::InterCharacter => "optical_inter_character",
            Self::Control => "optical_control",
            Self::Identity => "optical_identity",
            Self::Sequence => "optical_sequence",
            Self::Unfinished => "optical_unfinished",
            Self::Duplicate => "optical_duplicate",
            Self::UnexpectedAnswer => "optical_unexpected_answer",
            Self::UnexpectedMessage => "optical_unexpected_message",
            Self::Oversize => "optical_oversize",
            Self::Service => "optical_service",
        }
    }
}
