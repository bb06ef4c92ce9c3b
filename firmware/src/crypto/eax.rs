//! EAX with AES-128 and a 16-octet tag (Bellare, Rogaway, Wagner, FSE 2004).

use core::fmt;

use ::eax::aead::{AeadInOut, KeyInit};
use ::eax::{Eax, Nonce, Tag};
use aes::Aes128Enc;

use super::{Secret, Work};

/// An EAX key.
///
/// The `eax` crate expands the key for each of its four passes, so the key is held unexpanded.
#[derive(Clone)]
pub struct EaxKey(Secret<16>);

/// The tag does not match: nothing was decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagMismatch;

impl EaxKey {
    /// Takes custody of `key`.
    pub const fn new(key: [u8; 16]) -> Self {
        Self(Secret::new(key))
    }

    /// Encrypts `buffer` in place and returns the tag over nonce, header and ciphertext.
    pub fn seal(
        &self,
        nonce: &[u8; 16],
        header: &[u8],
        buffer: &mut [u8],
        work: &mut Work,
    ) -> [u8; 16] {
        count(header.len(), buffer.len(), true, work);
        self.cipher()
            .encrypt_inout_detached(&Nonce::from(*nonce), header, buffer.into())
            .expect("header and buffer are far below the EAX limits of 2^36 octets")
            .into()
    }

    /// Verifies `tag`, then decrypts `buffer` in place; `buffer` is untouched on a mismatch.
    pub fn open(
        &self,
        nonce: &[u8; 16],
        header: &[u8],
        buffer: &mut [u8],
        tag: &[u8; 16],
        work: &mut Work,
    ) -> Result<(), TagMismatch> {
        let tag = Tag::from(*tag);
        let result =
            self.cipher()
                .decrypt_inout_detached(&Nonce::from(*nonce), header, buffer.into(), &tag);
        count(header.len(), buffer.len(), result.is_ok(), work);
        result.map_err(|_| TagMismatch)
    }

    fn cipher(&self) -> Eax<Aes128Enc> {
        Eax::new(self.0.expose().into())
    }
}

/// Three OMAC passes, each with its tweak block and its subkey, and the keystream.
fn count(header: usize, message: usize, keystream: bool, work: &mut Work) {
    let omac = |len: usize| (16 + len).div_ceil(16) + 1;
    work.aes(omac(16) + omac(header) + omac(message));
    work.aes_key_schedules += 3;
    if keystream {
        work.aes(message.div_ceil(16));
        work.key_schedule();
    }
}

impl fmt::Debug for EaxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EaxKey(redacted)")
    }
}
