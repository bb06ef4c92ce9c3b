//! What a PAA session and its host tell each other.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::pana::message::ResultCode;
use crate::pana::session::{Authentication, CloseCause};
use crate::{Duration, eap};

/// What the host decides about a peer that EAP has authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The peer gets access.
    Grant {
        /// Names the new keys; unique within the session.
        key_id: u32,
        /// Session-Lifetime; fractions of a second are dropped.
        lifetime: Duration,
    },
    /// PANA_AUTHORIZATION_REJECTED.
    Deny {
        /// Names the key that protects the rejection.
        key_id: u32,
    },
}

/// The host as far as a PAA needs it; lent for each call.
pub trait Authorizer {
    /// Decides about the peer `identity` at `pac`, which EAP has just authenticated.
    fn authorize(&mut self, identity: &[u8], pac: SocketAddr) -> Decision;

    /// Appends AVPs that PAR\[C\] shall carry encrypted (RFC 6786), at most 1,024 octets.
    fn confidential(&mut self, identity: &[u8], avps: &mut Vec<u8>) {
        let _ = (identity, avps);
    }

    /// Appends AVPs that answer the encrypted `request` of a ping, encrypted as well.
    fn confidential_answer(&mut self, request: &[u8], avps: &mut Vec<u8>) {
        let _ = (request, avps);
    }
}

/// Where a PAA session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PaaState {
    /// PAR\[S\] has been sent.
    Starting,
    /// The (re-)authentication phase.
    Authenticating,
    /// PAR\[C\] has been sent.
    Completing,
    /// The access phase.
    Open,
    /// PTR has been sent.
    Terminating,
    /// The session has ended.
    Closed,
}

/// What a PAA session tells its host.
#[derive(Debug)]
pub enum PaaEvent {
    /// EAP succeeded, access was granted, and PAR\[C\] is about to leave: install the keys for
    /// receiving. A second such event before `Authenticated` cannot occur.
    KeysReady {
        /// The Key-Id of the new PANA SA.
        key_id: u32,
        /// Session-Lifetime.
        lifetime: Duration,
        /// What EAP exported.
        keys: eap::Keys,
        /// Whom EAP authenticated.
        identity: Box<[u8]>,
        /// Whether the session is new.
        kind: Authentication,
    },
    /// PAN\[C\] has been verified: the PaC has the keys and access.
    Authenticated {
        /// The Key-Id of the PANA SA.
        key_id: u32,
        /// Session-Lifetime, counted from now.
        lifetime: Duration,
        /// Whether the session is new.
        kind: Authentication,
    },
    /// This session has replaced an older one of the same PaC address, which no longer exists.
    Replaced {
        /// The session identifier of the older one.
        session_id: u32,
    },
    /// A verified message came from another address (RFC 5191 §4.5), which is used from now on.
    AddressChanged {
        /// The address and port of the PaC.
        pac: SocketAddr,
        /// The relay element in between, if there is one.
        relay: Option<SocketAddr>,
    },
    /// The PaC answered a ping.
    PingAnswered,
    /// PAR\[C\] with a rejection is about to leave; the session closes with PAN\[C\].
    Rejected {
        /// Why.
        result_code: ResultCode,
    },
    /// The session has ended and its keys are gone.
    Closed {
        /// Why.
        cause: CloseCause,
    },
}

/// A message to be sent from UDP port 716.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub destination: SocketAddr,
    /// Octets in the buffer.
    pub len: usize,
}
