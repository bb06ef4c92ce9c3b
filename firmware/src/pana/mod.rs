//! PANA: EAP over UDP between a meter and the head-end (RFC 5191, 5609, 6345, 6786).
//!
//! [`Pac`] runs in the meter, [`Paa`] with one [`PaaSession`] per meter at the head-end;
//! [`EnforcementPoint`] drops everything else until they have agreed, and [`relay`] lets a meter
//! without an address of its own talk through its neighbour.
//!
//! ```text
//! PaC                                PAA
//!  | PCI                          -> |
//!  | <-  PAR[S] algorithms           |   S exchange: enters every later key
//!  | PAN[S] selected algorithms   -> |
//!  | <-  PAR Nonce, EAP              |
//!  | PAN Nonce, EAP               -> |   ... as often as EAP needs
//!  | <-  PAR[C] Result, Key-Id, AUTH |   first message under the new key
//!  | PAN[C] Key-Id, AUTH          -> |   both ends open
//! ```
//!
//! # Discards
//!
//! Every message that RFC 5191 §5.5 orders to discard is returned as a [`Reject`] and changes
//! nothing: AUTH is verified, and the EAP packet inside accepted, before a sequence number
//! advances.
//!
//! # Calling order
//!
//! After every input: events first, then messages, then the next deadline. A new key is thereby
//! installed before the message that announces it leaves.

pub mod avp;
mod config;
mod enforce;
mod exchange;
mod header;
mod key;
mod limiter;
mod message;
mod paa;
mod paa_session;
mod pac;
mod reject;
pub mod relay;
mod retransmit;
mod session;
#[cfg(test)]
mod tests;

pub use config::{ALGORITHMS_MAX, Algorithms, Config, PciLimit};
pub(crate) use enforce::FixedHasher;
pub use enforce::{EnforcementPoint, LinkId, Side, Traffic};
pub use header::{Flags, HEADER_LEN, Header, MessageType};
pub use key::{AES128_CTR, Association, KeyInputs, Sender, Suite};
pub use message::{
    Emitter, Message, NONCE_LEN_MAX, NONCE_LEN_MIN, Offer, ResultCode, TerminationCause,
};
pub use paa::{MakeAuthenticator, Paa, SessionRef};
pub use paa_session::{Authorizer, Decision, PaaEvent, PaaSession, PaaState, Transmit};
pub use pac::{Pac, PacEvent, PacState};
pub use reject::Reject;
pub use retransmit::{Rand, Retransmission};
pub use session::{Authentication, CloseCause};

/// The UDP port of PANA (RFC 5191 §6.1).
pub const PORT: u16 = 716;

/// Octets that the longest message of these state machines takes: nonce, EAP packet, encrypted
/// AVPs, AUTH, and the relay wrapping.
pub const MESSAGE_LEN_MAX: usize = 2_560;

/// Octets that AVPs may have that are to be encrypted (RFC 6786).
pub const CONFIDENTIAL_LEN_MAX: usize = 1_024;

/// Code of an EAP Request (RFC 3748 §4).
const EAP_REQUEST: u8 = 1;
/// Code of an EAP Success (RFC 3748 §4).
const EAP_SUCCESS: u8 = 3;
/// Code of an EAP Failure (RFC 3748 §4).
const EAP_FAILURE: u8 = 4;

/// Whether `packet` is an EAP Request.
fn is_eap_request(packet: &[u8]) -> bool {
    packet.first() == Some(&EAP_REQUEST)
}
