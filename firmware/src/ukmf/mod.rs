//! The unified key management function: C12.22 keys out of every authentication.
//!
//! Meter and server derive the same keys from the EMSK that EAP exported; nothing is exchanged.
//!
//! ```text
//! EMSK ── KDF("ukmf@ami.example", Session-Id) ── root key (64)
//! root key ── KDF("c1222-key", purpose | index | key id | len | ApTitle) ── C12.22 key (16)
//! ```
//!
//! | module | content | source |
//! |---|---|---|
//! | [`hierarchy`] | root key, C12.22 keys, their names and their key ids | RFC 5295 §3, §4 |
//! | [`epoch`] | one key from derivation to erasure, with its counters | - |
//! | [`policy`] | overlap, grace, array length | - |
//! | [`replay`] | playback rejection of one key | IEEE 1703 |
//! | [`store`] | all keys that one end shares with one peer | - |
//!
//! RFC 5295 fixes the key derivation function; label, optional data, key id ring and overlap are a
//! proposal of this project, because no public text fixes them.
//!
//! The EMSK has to be dropped by the caller of [`KeyStore::install`] (RFC 5295 §5: it never leaves
//! the EAP peer and server).

pub mod epoch;
pub mod group;
pub mod hierarchy;
mod index;
pub mod policy;
pub mod replay;
pub mod store;
#[cfg(test)]
mod tests;

pub use epoch::{EndReason, Epoch, KeyEvent, KeySummary, Usage};
pub use group::{Confirmation, GroupKey};
pub use hierarchy::{KeyContext, KeyName, Purpose, RootKey};
pub use policy::{ArrayLength, InstallError, KeyReject, Policy, Role};
pub use replay::{Freshness, RecentMessages, Replay, ReplayWindow};
pub use store::KeyStore;
