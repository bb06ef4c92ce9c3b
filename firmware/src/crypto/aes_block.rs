//! AES-128, encryption direction, with an expanded key schedule.

use core::fmt;

use aes::Aes128Enc;
use aes::cipher::{BlockCipherEncrypt, KeyInit};

use super::Work;

/// An expanded AES-128 key (FIPS 197).
#[derive(Clone)]
pub struct AesKey(Aes128Enc);

impl AesKey {
    /// Expands `key`.
    pub fn new(key: &[u8; 16], work: &mut Work) -> Self {
        work.key_schedule();
        Self(Aes128Enc::new(key.into()))
    }

    /// Encrypts `block` in place.
    #[inline]
    pub fn encrypt(&self, block: &mut [u8; 16], work: &mut Work) {
        work.aes(1);
        self.0.encrypt_block(block.into());
    }

    pub(super) fn cipher(&self) -> &Aes128Enc {
        &self.0
    }
}

impl fmt::Debug for AesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AesKey(redacted)")
    }
}
