//! EAP-PSK, mutual authentication with a pre-shared key of 16 octets (RFC 4764).
//!
//! ```text
//!   peer                                                     server
//!     <-- 1  Flags RAND_S ID_S ---------------------------------
//!     --- 2  Flags RAND_S RAND_P MAC_P ID_P ------------------->
//!     <-- 3  Flags RAND_S MAC_S PCHANNEL[result] ---------------
//!     --- 4  Flags RAND_S PCHANNEL[result] -------------------->
//!            (5, 6, ... as 4 in both directions, for extensions)
//! ```
//!
//! AES-128 in the encryption direction is the only primitive. One conversation with 23- and
//! 24-octet identities costs 42 block encryptions at each end, besides 3 once per key.
//!
//! The peer alone determines the session keys: they depend on RAND_P and not on RAND_S.
//!
//! Whatever fails to verify is discarded silently: the method has no error message.

mod channel;
mod extension;
mod keys;
mod packet;
pub mod password;
mod peer;
mod reject;
mod server;
#[cfg(test)]
pub(super) mod tests;

pub use channel::{Channel, Indication, Payload, Protected};
pub use extension::{Extension, PeerExtension, ServerExtension};
pub use keys::{LongTermKeys, SessionKeys};
pub use packet::{FLAGS_RESERVED, ID_LEN_MAX, Message};
pub use peer::{PeerPolicy, PskPeer};
pub use reject::Reject;
pub use server::{Credentials, PskServer};
