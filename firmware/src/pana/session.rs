//! What both ends of a session share.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::crypto::MacKey;
use crate::time::earlier;
use crate::{Env, Instant};

use super::avp::Code;
use super::config::Config;
use super::key::{Association, Nonces, Sender, Suite};
use super::message::Emitter;
use super::{Reject, TerminationCause};

/// Whether an authentication opens a session or prolongs it (RFC 5191 §4.1, §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Authentication {
    /// The authentication and authorization phase of a new session.
    Initial,
    /// The re-authentication phase of an open session.
    Reauthentication,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CloseCause {
    /// FAILED_SESS_TIMEOUT ran out during an authentication (RFC 5609 §5.3).
    AuthenticationTimeout,
    /// EAP ended without a result that PANA could convey (RFC 5609 §6.3).
    EapFailed,
    /// The host dropped the session.
    Reset,
    /// PAR with C bit announced a rejection (RFC 5191 §4.1).
    Rejected,
    /// The session lifetime ran out (RFC 5191 §4.2).
    SessionExpired,
    /// A request was sent as often as allowed and never answered (RFC 5191 §9).
    PeerUnreachable,
    /// The peer ended the session (RFC 5191 §4.4).
    TerminatedByPeer(TerminationCause),
    /// This end asked for the end of the session, and got it (RFC 5191 §4.4).
    Terminated,
}

impl CloseCause {
    /// A stable name for tables and statistics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AuthenticationTimeout => "authentication_timeout",
            Self::EapFailed => "eap_failed",
            Self::Reset => "reset",
            Self::Rejected => "rejected",
            Self::SessionExpired => "session_expired",
            Self::PeerUnreachable => "peer_unreachable",
            Self::TerminatedByPeer(_) => "terminated_by_peer",
            Self::Terminated => "terminated",
        }
    }
}

/// Requests of the host that wait until no other request is outstanding (RFC 5191 §5.2).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wishes {
    pub(super) ping: bool,
    pub(super) reauthenticate: bool,
    pub(super) terminate: Option<TerminationCause>,
}

/// The keys of a session and the inputs to the next ones.
#[derive(Debug, Default)]
pub(super) struct Security {
    pub(super) suite: Option<Suite>,
    /// I_PAR and I_PAN, which enter the keys of every re-authentication as well.
    pub(super) first_messages: alloc::boxed::Box<[u8]>,
    pub(super) nonces: Nonces,
    /// The PANA SA in force.
    pub(super) association: Option<Association>,
}

impl Security {
    /// PANA_AUTH_KEY in force.
    pub(super) fn auth_key(&self) -> Option<&MacKey> {
        self.association.as_ref().map(Association::auth)
    }

    /// Which authentication is running.
    pub(super) const fn authentication(&self) -> Authentication {
        if self.association.is_none() {
            Authentication::Initial
        } else {
            Authentication::Reauthentication
        }
    }
}

/// The instants at which a session ends by itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Deadlines {
    /// End of FAILED_SESS_TIMEOUT.
    pub(super) authentication: Option<Instant>,
    /// End of the session lifetime. A re-authentication that is still running does not extend it.
    pub(super) expiry: Option<Instant>,
}

impl Deadlines {
    /// The earlier of the two, and of `other`.
    pub(super) fn earliest(&self, other: Option<Instant>) -> Option<Instant> {
        earlier(earlier(self.authentication, self.expiry), other)
    }

    /// Why the session has to end at `now`, if it has to.
    pub(super) fn reached(&self, now: Instant) -> Option<CloseCause> {
        let reached = |deadline: Option<Instant>| deadline.is_some_and(|at| at <= now);
        if reached(self.expiry) {
            Some(CloseCause::SessionExpired)
        } else if reached(self.authentication) {
            Some(CloseCause::AuthenticationTimeout)
        } else {
            None
        }
    }
}

/// Events that the host has not fetched yet.
#[derive(Debug)]
pub(super) struct Events<E>(VecDeque<E>);

impl<E> Default for Events<E> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<E> Events<E> {
    pub(super) fn push(&mut self, event: E) {
        self.0.push_back(event);
    }

    /// The oldest event. The memory of an empty queue is given back: events are rare.
    pub(super) fn pop(&mut self) -> Option<E> {
        let event = self.0.pop_front();
        if self.0.is_empty() && self.0.capacity() > 0 {
            self.0 = VecDeque::new();
        }
        event
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Encrypts `avps` in place, appends them as Encryption-Encap and forgets them (RFC 6786 §4).
pub(super) fn encapsulate(
    message: &mut Emitter<'_>,
    association: &Association,
    sender: Sender,
    avps: &mut Vec<u8>,
    env: &mut Env<'_>,
) {
    let (session_id, sequence) = message.identifiers();
    if association.crypt(sender, session_id, sequence, avps, env.work) {
        message.avp(Code::EncryptionEncap, avps);
    }
    avps.clear();
}

/// Whether another ping may be answered at `now` (RFC 5191 §4.2).
pub(super) fn check_ping_rate(
    config: &Config,
    answered: Option<Instant>,
    now: Instant,
) -> Result<(), Reject> {
    match answered {
        Some(at) if now.saturating_since(at) < config.ping_interval_min => Err(Reject::RateLimited),
        _ => Ok(()),
    }
}
