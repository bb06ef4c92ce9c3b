//! EAX with AES-128 and a 16-octet tag (Bellare, Rogaway, Wagner, FSE 2004).
//!
//! OMAC_t(M) is AES-CMAC over the block \[t\] and M. With N = OMAC_0(nonce), H = OMAC_1(header)
//! and C = OMAC_2(ciphertext), the keystream counts up from N and the tag is N xor H xor C. One
//! key schedule serves all four passes; each CMAC computes its subkey, as a device without memory
//! for them does.

use core::fmt;

use super::cmac::omac;
use super::{AesKey, BlockMode, Secret, Work, equal};

/// An EAX key.
///
/// It is expanded for every message: a session then holds 16 octets instead of a key schedule,
/// and it protects a handful of messages only.
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
        let seal = Seal {
            nonce,
            header,
            buffer,
        };
        AesKey::new(self.0.expose(), work).run(seal, work)
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
        let open = Open {
            nonce,
            header,
            buffer,
            tag,
        };
        AesKey::new(self.0.expose(), work).run(open, work)
    }
}

impl fmt::Debug for EaxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EaxKey(redacted)")
    }
}

struct Seal<'a> {
    nonce: &'a [u8; 16],
    header: &'a [u8],
    buffer: &'a mut [u8],
}

impl BlockMode for Seal<'_> {
    type Output = [u8; 16];

    #[inline(always)]
    fn run(self, mut encrypt: impl FnMut(&mut [u8; 16])) -> [u8; 16] {
        let start = tweaked(0, self.nonce, &mut encrypt);
        apply_keystream(&start, self.buffer, &mut encrypt);
        tag(&start, self.header, self.buffer, &mut encrypt)
    }
}

struct Open<'a> {
    nonce: &'a [u8; 16],
    header: &'a [u8],
    buffer: &'a mut [u8],
    tag: &'a [u8; 16],
}

impl BlockMode for Open<'_> {
    type Output = Result<(), TagMismatch>;

    #[inline(always)]
    fn run(self, mut encrypt: impl FnMut(&mut [u8; 16])) -> Self::Output {
        let start = tweaked(0, self.nonce, &mut encrypt);
        let expected = tag(&start, self.header, self.buffer, &mut encrypt);
        if !equal(&expected, self.tag) {
            return Err(TagMismatch);
        }
        apply_keystream(&start, self.buffer, &mut encrypt);
        Ok(())
    }
}

#[inline(always)]
fn tweaked(tweak: u8, message: &[u8], encrypt: &mut impl FnMut(&mut [u8; 16])) -> [u8; 16] {
    let mut block = [0; 16];
    block[15] = tweak;
    omac(&[&block, message], encrypt)
}

#[inline(always)]
fn tag(
    start: &[u8; 16],
    header: &[u8],
    ciphertext: &[u8],
    encrypt: &mut impl FnMut(&mut [u8; 16]),
) -> [u8; 16] {
    let header = tweaked(1, header, encrypt);
    let ciphertext = tweaked(2, ciphertext, encrypt);
    core::array::from_fn(|at| start[at] ^ header[at] ^ ciphertext[at])
}

/// Adds the keystream that counts up from `start` as one 128-bit integer.
#[inline(always)]
pub(super) fn apply_keystream(
    start: &[u8; 16],
    buffer: &mut [u8],
    encrypt: &mut impl FnMut(&mut [u8; 16]),
) {
    let mut counter = u128::from_be_bytes(*start);
    for chunk in buffer.chunks_mut(16) {
        let mut block = counter.to_be_bytes();
        encrypt(&mut block);
        for (octet, key) in chunk.iter_mut().zip(block) {
            *octet ^= key;
        }
        counter = counter.wrapping_add(1);
    }
}
