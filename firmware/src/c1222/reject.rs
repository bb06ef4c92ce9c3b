//! Why a received C12.22 message was discarded.

use crate::crypto::eax_prime::Failure;
use crate::ukmf::{KeyReject, Replay};
use crate::wire::Error;

/// The cause of a discarded APDU. Nothing is answered; the host counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// Not an APDU, or one with a forbidden field (IEEE 1703-2012 §5.3.2).
    Malformed(Error),
    /// It is called by another title than ours (§5.3.2.4.2).
    CalledTitle,
    /// It comes from another title than the peer's (§5.3.2.4.5).
    CallingTitle,
    /// Its security mode is lower than the policy allows (§5.3.2.4.11).
    SecurityMode,
    /// It is secured but no AC element says with which key (§5.3.2.4.9).
    NoAuthentication,
    /// No key for its key id: never known, expired, or erased.
    Key(KeyReject),
    /// Its IV is too far from our clock (§5.3.4, message acceptance window).
    AcceptanceWindow,
    /// It was received before (§5.3.4, playback rejection).
    Replay(Replay),
    /// Its MAC is wrong (Annex G).
    BadMac,
    /// Its cleartext is so short that EAX′ is forgeable (Minematsu et al., FSE 2013).
    ShortCleartext,
    /// It answers no request of ours, or one answered or given up already (§5.3.2.4.4).
    UnexpectedResponse,
    /// A segment that is too much: of too long an APDU, at odds with others, or one gap too many.
    Segment,
    /// An APDU whose missing segments did not come in time, or which others crowded out.
    SegmentsMissing,
    /// It answers with a lower security mode than the request had.
    ResponseMode,
    /// It answers under an older key than the request was sent under.
    ResponseKey,
    /// It is under a group key and something else than one order of demand response.
    GroupService,
    /// It is under a group key and wants an answer.
    GroupResponse,
}

impl Reject {
    /// The cause in snake case, for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::CalledTitle => "called_title",
            Self::CallingTitle => "calling_title",
            Self::SecurityMode => "security_mode",
            Self::NoAuthentication => "no_authentication",
            Self::Key(KeyReject::Unknown) => "key_unknown",
            Self::Key(KeyReject::Expired) => "key_expired",
            Self::Key(KeyReject::Erased) => "key_erased",
            Self::AcceptanceWindow => "acceptance_window",
            Self::Replay(Replay::Duplicate) => "replay",
            Self::Replay(Replay::TooOld) => "replay_too_old",
            Self::BadMac => "bad_mac",
            Self::ShortCleartext => "short_cleartext",
            Self::UnexpectedResponse => "unexpected_response",
            Self::Segment => "segment",
            Self::SegmentsMissing => "segments_missing",
            Self::ResponseMode => "response_mode",
            Self::ResponseKey => "response_key",
            Self::GroupService => "group_service",
            Self::GroupResponse => "group_response",
        }
    }
}

impl From<Error> for Reject {
    fn from(error: Error) -> Self {
        Self::Malformed(error)
    }
}

impl From<Failure> for Reject {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Mac => Self::BadMac,
            Failure::CleartextTooShort => Self::ShortCleartext,
        }
    }
}

impl From<KeyReject> for Reject {
    fn from(reject: KeyReject) -> Self {
        Self::Key(reject)
    }
}

impl From<Replay> for Reject {
    fn from(replay: Replay) -> Self {
        Self::Replay(replay)
    }
}
