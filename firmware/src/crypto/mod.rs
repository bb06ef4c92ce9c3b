//! Cryptography with a work counter.
//!
//! Every operation adds the block-cipher and hash-block operations that it performed to a
//! [`Work`], from which a cost model derives processor time and energy. Secrets zeroise on drop,
//! never print and compare in constant time. [`AesKey`] and [`CmacKey`] hold their schedules;
//! an [`EaxPrimeKey`](eax_prime::EaxPrimeKey), which every meter has for hours, is expanded for
//! each message, and the `eax` crate expands an [`EaxKey`] itself.
//!
//! The AES block, CCM*, CMAC, EAX and the hashes come from the RustCrypto crates. [`eax_prime`],
//! which no crate offers, is written here on the block function, and HMAC on the compression
//! functions: a key absorbs its pads once, not with every message.

mod aes_block;
mod ccm;
mod cmac;
mod digest;
mod eax;
pub mod eax_prime;
mod hmac;
mod kdf;
mod mac;
mod modes;
mod pbkdf2;
mod prf;
mod secret;
#[cfg(test)]
mod tests;
mod work;

pub use aes_block::AesKey;
pub(crate) use aes_block::BlockMode;
pub use ccm::{CCM_NONCE_LEN, CcmKey, CcmTag};
pub use cmac::CmacKey;
pub use digest::Digest;
pub use eax::{EaxKey, TagMismatch};
pub use kdf::kdf;
pub use mac::{Integrity, MacKey, Tag};
pub use pbkdf2::pbkdf2_hmac_sha1;
pub use prf::Prf;
pub use secret::{Secret, equal};
pub use work::Work;
