//! One key from its derivation to its erasure.

use alloc::boxed::Box;

use super::hierarchy::{KeyContext, KeyName, Purpose, RootKey};
use super::replay::Freshness;
use crate::crypto::Work;
use crate::crypto::eax_prime::EaxPrimeKey;
use crate::time::{Duration, Instant};

/// Why a key ceased to exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndReason {
    /// Its lifetime ended.
    Expired,
    /// A newer key replaced it and the overlap is over.
    Superseded,
    /// Its key id was needed for a newer key.
    SlotReused,
    /// More keys were installed than the store holds.
    Displaced,
    /// The session was terminated (PTR/PTA, RFC 5191 §4.4).
    Terminated,
    /// A re-authentication failed (RFC 5191 §4.3).
    ReauthenticationFailed,
    /// Authentication succeeded but access was denied (RFC 5191 §7.1).
    AuthorizationRejected,
    /// The session lifetime ended without re-authentication (RFC 5191 §4.2).
    SessionExpired,
    /// The node restarted; keys are volatile.
    Reboot,
    /// An operator or an application revoked it.
    Revoked,
    /// The other end did not answer and the session was given up (RFC 5191 §9).
    PeerUnreachable,
}

impl EndReason {
    /// The reason in snake case, for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Superseded => "superseded",
            Self::SlotReused => "slot_reused",
            Self::Displaced => "displaced",
            Self::Terminated => "terminated",
            Self::ReauthenticationFailed => "reauthentication_failed",
            Self::AuthorizationRejected => "authorization_rejected",
            Self::SessionExpired => "session_expired",
            Self::Reboot => "reboot",
            Self::Revoked => "revoked",
            Self::PeerUnreachable => "peer_unreachable",
        }
    }
}

/// How much one direction used a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// First message.
    pub first: Option<Instant>,
    /// Latest message.
    pub last: Option<Instant>,
    /// Messages protected.
    pub messages: u32,
    /// Octets of those messages, complete APDUs.
    pub octets: u64,
}

impl Usage {
    pub(crate) fn record(&mut self, octets: usize, now: Instant) {
        self.first.get_or_insert(now);
        self.last = Some(now);
        self.messages = self.messages.saturating_add(1);
        self.octets = self.octets.saturating_add(octets as u64);
    }
}

/// Everything about a key that may be reported; never key material.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySummary {
    /// PANA Key-Id of the authentication, 0 for a static key.
    pub kid32: u32,
    /// C12.22 key id.
    pub key_id: u8,
    /// What the key is for.
    pub purpose: Purpose,
    /// Element of the key array.
    pub index: u16,
    /// Name of the key.
    pub name: KeyName,
    /// When it was derived; it is valid for receiving from then on.
    pub created: Instant,
    /// When this end began to send under it.
    pub activated: Option<Instant>,
    /// When a newer key took over; it is valid for receiving only from then on.
    pub superseded: Option<Instant>,
    /// When it was erased.
    pub ended: Option<Instant>,
    /// Why it was erased.
    pub reason: Option<EndReason>,
    /// Messages sent under it.
    pub tx: Usage,
    /// Authentic messages received under it.
    pub rx: Usage,
}

/// Something that happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyEvent {
    /// It was derived and may be received under.
    Derived(KeySummary),
    /// It is the key for sending now.
    Activated(KeySummary),
    /// A newer key took over; it may only be received under.
    Retired(KeySummary),
    /// It was erased; the summary has the reason.
    Ended(KeySummary),
}

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Receiving, until the peer is known to have it as well.
    Pending,
    /// Sending and receiving.
    Current,
    /// Receiving, until `superseded` + overlap.
    Retired,
    /// Nothing: the key material is gone.
    Erased,
}

/// What the next element of a key array is derived from.
pub(super) struct KeyArray {
    pub(super) root: RootKey,
    pub(super) session_id: Box<[u8]>,
    pub(super) ap_title: Box<[u8]>,
}

impl KeyArray {
    pub(super) fn context(&self, purpose: Purpose, index: u16, key_id: u8) -> KeyContext<'_> {
        KeyContext {
            purpose,
            index,
            key_id,
            ap_title: &self.ap_title,
        }
    }
}

/// Events of an epoch that the host has not taken yet.
#[derive(Clone, Copy, Default)]
pub(super) struct Unreported {
    pub(super) derived: bool,
    pub(super) activated: bool,
    pub(super) retired: bool,
    pub(super) ended: bool,
}

impl Unreported {
    pub(super) const fn any(self) -> bool {
        self.derived || self.activated || self.retired || self.ended
    }
}

/// One generation of a key: material, validity, freshness state and counters.
pub struct Epoch {
    /// `None` once erased.
    pub(super) key: Option<EaxPrimeKey>,
    pub(super) summary: KeySummary,
    pub(super) phase: Phase,
    /// Orders the epochs of one store by derivation.
    pub(super) serial: u32,
    /// Counted from activation; an element after the first ends with its array instead.
    pub(super) lifetime: Duration,
    /// End of sending.
    pub(super) expiry: Instant,
    /// End of receiving.
    pub(super) deadline: Instant,
    pub(super) invocation: u32,
    pub(super) freshness: Freshness,
    /// Derives the next element; held by the newest element of an array.
    pub(super) array: Option<Box<KeyArray>>,
    pub(super) unreported: Unreported,
}

impl Epoch {
    /// The C12.22 key id.
    pub const fn key_id(&self) -> u8 {
        self.summary.key_id
    }

    /// Orders the epochs of one store by derivation: a later key has a larger number.
    pub const fn serial(&self) -> u32 {
        self.serial
    }

    /// What may be reported about the key.
    pub const fn summary(&self) -> &KeySummary {
        &self.summary
    }

    /// The key, unless it has been erased.
    pub const fn key(&self) -> Option<&EaxPrimeKey> {
        self.key.as_ref()
    }

    /// The invocation id for the next message to send, at least `at_least`; never the same twice.
    ///
    /// `None` when all are used up: the key must not be used for sending any more.
    pub fn next_invocation(&mut self, at_least: u32) -> Option<u32> {
        let invocation = self.invocation.max(at_least);
        self.invocation = invocation.checked_add(1)?;
        Some(invocation)
    }

    /// Which messages were received under the key.
    pub const fn freshness(&self) -> &Freshness {
        &self.freshness
    }

    /// Counts a message sent under the key, `octets` long as a complete APDU.
    pub fn record_sent(&mut self, octets: usize, now: Instant) {
        self.summary.tx.record(octets, now);
    }

    pub(super) fn erase(&mut self, reason: EndReason, now: Instant) {
        if self.phase == Phase::Erased {
            return;
        }
        self.key = None;
        self.array = None;
        self.phase = Phase::Erased;
        self.summary.ended = Some(now);
        self.summary.reason = Some(reason);
        self.unreported.ended = true;
    }

    /// Whether there are events to report, or it is erased and nothing refers to it any more.
    pub(super) const fn has_events(&self) -> bool {
        self.unreported.any() || matches!(self.phase, Phase::Erased)
    }

    /// Takes the earliest event that was not reported yet.
    pub(super) fn poll_event(&mut self) -> Option<KeyEvent> {
        let summary = self.summary;
        if core::mem::take(&mut self.unreported.derived) {
            Some(KeyEvent::Derived(summary))
        } else if core::mem::take(&mut self.unreported.activated) {
            Some(KeyEvent::Activated(summary))
        } else if core::mem::take(&mut self.unreported.retired) {
            Some(KeyEvent::Retired(summary))
        } else if core::mem::take(&mut self.unreported.ended) {
            Some(KeyEvent::Ended(summary))
        } else {
            None
        }
    }
}

impl core::fmt::Debug for Epoch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Epoch")
            .field("phase", &self.phase)
            .field("summary", &self.summary)
            .finish_non_exhaustive()
    }
}

/// Derives and expands one element of a key array.
///
/// The name serves reports alone and a node that does not report has no use for it: its hash
/// blocks are not charged to the node.
pub(super) fn expand(
    root: &RootKey,
    session_id: &[u8],
    context: &KeyContext<'_>,
    work: &mut Work,
) -> (EaxPrimeKey, KeyName) {
    let key = EaxPrimeKey::new(root.key(context, work).expose(), work);
    (key, context.name(session_id, &mut Work::default()))
}
