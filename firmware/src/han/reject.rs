//! Why a received frame was discarded.

use crate::wire::Error;

/// The cause of a discarded frame. Nothing is answered; the host counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// Its check sequence is wrong (IEEE 802.15.4-2006 §7.2.1.9).
    FrameCheck,
    /// Not a frame, or one with a reserved or unsupported field (§7.2.1).
    Malformed(Error),
    /// For another PAN or another address (§7.5.6.2, third level of filtering).
    Foreign,
    /// From a device that is not enrolled: it is told that access is denied (§7.3.2).
    NotEnrolled,
    /// Not secured although it has to be (§7.5.8.2.3).
    Unsecured,
    /// Secured at a lower level than the policy demands (§7.5.8.2.6).
    SecurityLevel,
    /// No key for its key identifier: never known, expired or erased (§7.5.8.2.5).
    KeyUnknown,
    /// Its frame counter has been seen, by a frame that was not this one (§7.5.8.2.3).
    Replay,
    /// The frame received last, once more: its acknowledgement was lost.
    Duplicate,
    /// Its message integrity code is wrong (§7.5.8.2.3).
    BadMic,
    /// It does not answer the challenge that is outstanding.
    Challenge,
    /// The key of this authentication has been handed out as often as it may be.
    KeysExhausted,
    /// Not expected in the present state.
    Unexpected,
}

impl Reject {
    /// The cause in snake case, for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FrameCheck => "frame_check",
            Self::Malformed(_) => "malformed",
            Self::Foreign => "foreign",
            Self::NotEnrolled => "not_enrolled",
            Self::Unsecured => "unsecured",
            Self::SecurityLevel => "security_level",
            Self::KeyUnknown => "key_unknown",
            Self::Replay => "replay",
            Self::Duplicate => "duplicate",
            Self::BadMic => "bad_mic",
            Self::Challenge => "challenge",
            Self::KeysExhausted => "keys_exhausted",
            Self::Unexpected => "unexpected",
        }
    }
}

impl From<Error> for Reject {
    fn from(error: Error) -> Self {
        Self::Malformed(error)
    }
}
