//! EAP: the conversation that authenticates a meter and yields its keys.
//!
//! [`Peer`] runs in the meter, [`Authenticator`] (stand-alone, with the EAP server in the same
//! node) at the head-end. Both are the lock-step machines of RFC 4137 over the packets of
//! RFC 3748; the authentication itself is a method behind [`PeerMethod`] and [`ServerMethod`].
//! The one method here is EAP-PSK ([`psk`], RFC 4764); nothing outside its module depends on it.
//!
//! ```text
//!   lower layer (PANA)  --packet-->  Peer / Authenticator  --request/response-->  method
//!                       <--packet--                        <--octets, keys-------
//! ```
//!
//! # Retransmission
//!
//! The lower layer is reliable, so EAP has no timer (RFC 3748 §4.3). A peer that receives the
//! Request that it answered last repeats that Response octet by octet; an authenticator hands its
//! outstanding Request to whoever wants to repeat it ([`Authenticator::outstanding`]).
//!
//! # Keys
//!
//! A finished method exports [`Keys`]: MSK, EMSK and Session-Id (RFC 5247). They are moved out
//! with `take_keys`, never copied.
//!
//! # Buffers
//!
//! A packet is appended to the writer that the caller lends. It must have room for [`MTU`] octets,
//! so that no state machine moves without its answer.

mod authenticator;
mod keys;
mod method;
mod packet;
mod peer;
pub mod psk;
mod reject;
#[cfg(test)]
mod tests;

pub use authenticator::{AuthOutcome, Authenticator, AuthenticatorConfig, FailureCause};
pub use keys::{Keys, SessionId};
pub use method::{Decision, MethodState, PeerMethod, PeerStep, ServerMethod, ServerStep};
pub use packet::{Code, HEADER_LEN, MTU, MethodType, Packet, put_header, put_result};
pub use peer::{Peer, PeerOutcome};
pub use reject::Reject;
