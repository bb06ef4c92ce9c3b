//! EAX with AES-128 and a 16-octet tag (Bellare, Rogaway, Wagner, FSE 2004), on the `eax` crate.
//!
//! OMAC_t(M) is AES-CMAC over the block \[t\] and M. With N = OMAC_0(nonce), H = OMAC_1(header)
//! and C = OMAC_2(ciphertext), the keystream counts up from N and the tag is N xor H xor C.

use core::fmt;

use ::eax::aead::{AeadInOut, KeyInit};
use ::eax::{Eax, Nonce, Tag};
use aes::Aes128Enc;

use super::{Secret, Work};

/// An EAX key.
///
/// It is held unexpanded: the `eax` crate expands it for each of its four passes.
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

    /// Encrypts `buffer` in place; the tag covers nonce, header and ciphertext.
    pub fn seal(
        &self,
        nonce: &[u8; 16],
        header: &[u8],
        buffer: &mut [u8],
        work: &mut Work,
    ) -> [u8; 16] {
        count_tag(header.len(), buffer.len(), work);
        count_keystream(buffer.len(), work);
        self.cipher()
            .encrypt_inout_detached(&Nonce::from(*nonce), header, buffer.into())
            .expect("header and buffer are far below the EAX limits of 2^36 octets")
            .into()
    }

    /// Verifies `tag`, then decrypts `buffer` in place.
    ///
    /// `buffer` is untouched on a mismatch.
    pub fn open(
        &self,
        nonce: &[u8; 16],
        header: &[u8],
        buffer: &mut [u8],
        tag: &[u8; 16],
        work: &mut Work,
    ) -> Result<(), TagMismatch> {
        let len = buffer.len();
        count_tag(header.len(), len, work);
        self.cipher()
            .decrypt_inout_detached(
                &Nonce::from(*nonce),
                header,
                buffer.into(),
                &Tag::from(*tag),
            )
            .map_err(|_| TagMismatch)?;
        count_keystream(len, work);
        Ok(())
    }

    fn cipher(&self) -> Eax<Aes128Enc> {
        Eax::new(self.0.expose().into())
    }
}

impl fmt::Debug for EaxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EaxKey(redacted)")
    }
}

/// Counts three OMAC passes, each with its key schedule, tweak block and subkey.
fn count_tag(header_len: usize, message_len: usize, work: &mut Work) {
    for len in [16, header_len, message_len] {
        work.key_schedule();
        work.aes((16 + len).div_ceil(16) + 1);
    }
}

/// Counts the keystream and its key schedule.
fn count_keystream(len: usize, work: &mut Work) {
    work.key_schedule();
    work.aes(len.div_ceil(16));
}
