//! EAX with AES-128 and a 16-octet tag (Bellare, Rogaway, Wagner, FSE 2004).
//!
//! OMAC_t(M) is AES-CMAC over the block \[t\] and M. With N = OMAC_0(nonce), H = OMAC_1(header)
//! and C = OMAC_2(ciphertext), the keystream counts up from N and the tag is N xor H xor C.

use core::fmt;

use super::modes::{self, Block};
use super::{AesKey, BlockMode, Secret, Work, equal};

/// An EAX key.
///
/// It is held unexpanded. What is counted is the work of a device that expands it for each of the
/// four passes and derives the subkeys for each OMAC; here all of them share one expansion.
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
        self.run(Seal {
            nonce,
            header,
            buffer,
        })
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
        self.run(Open {
            nonce,
            header,
            buffer,
            tag,
        })?;
        count_keystream(len, work);
        Ok(())
    }

    fn run<M: BlockMode>(&self, mode: M) -> M::Output {
        let uncounted = &mut Work::default();
        AesKey::new(self.0.expose(), uncounted).run(mode, uncounted)
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

struct Seal<'a> {
    nonce: &'a Block,
    header: &'a [u8],
    buffer: &'a mut [u8],
}

impl BlockMode for Seal<'_> {
    type Output = Block;

    #[inline(always)]
    fn run(self, mut encrypt: impl FnMut(&mut Block)) -> Block {
        let subkeys = modes::cmac_subkeys(&mut encrypt);
        let n = omac(&subkeys, 0, self.nonce, &mut encrypt);
        modes::apply_keystream(&n, self.buffer, &mut encrypt);
        tag(&subkeys, n, self.header, self.buffer, &mut encrypt)
    }
}

struct Open<'a> {
    nonce: &'a Block,
    header: &'a [u8],
    buffer: &'a mut [u8],
    tag: &'a Block,
}

impl BlockMode for Open<'_> {
    type Output = Result<(), TagMismatch>;

    #[inline(always)]
    fn run(self, mut encrypt: impl FnMut(&mut Block)) -> Self::Output {
        let subkeys = modes::cmac_subkeys(&mut encrypt);
        let n = omac(&subkeys, 0, self.nonce, &mut encrypt);
        let tag = tag(&subkeys, n, self.header, self.buffer, &mut encrypt);
        if !equal(&tag, self.tag) {
            return Err(TagMismatch);
        }
        modes::apply_keystream(&n, self.buffer, &mut encrypt);
        Ok(())
    }
}

/// N xor OMAC_1(header) xor OMAC_2(ciphertext).
#[inline(always)]
fn tag(
    subkeys: &[Block; 2],
    n: Block,
    header: &[u8],
    ciphertext: &[u8],
    encrypt: &mut impl FnMut(&mut Block),
) -> Block {
    let mut tag = n;
    for (tweak, message) in [(1, header), (2, ciphertext)] {
        modes::add(&mut tag, &omac(subkeys, tweak, message, encrypt));
    }
    tag
}

/// OMAC_t(`message`), where `tweak` is t.
#[inline(always)]
fn omac(
    [complete, padded]: &[Block; 2],
    tweak: u8,
    message: &[u8],
    encrypt: &mut impl FnMut(&mut Block),
) -> Block {
    let mut state = [0; 16];
    state[15] = tweak;
    if message.is_empty() {
        modes::add(&mut state, complete);
        encrypt(&mut state);
        return state;
    }
    encrypt(&mut state);
    modes::cbc_mac(&state, [complete, padded], &[message], encrypt)
}
