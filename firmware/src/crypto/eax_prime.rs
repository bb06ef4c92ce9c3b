//! EAX′, the authenticated encryption of ANSI C12.22-2008 / IEEE 1703-2012 (Annex G).
//!
//! EAX′ is not EAX: its subkeys double little-endian, its CBC chains start from those subkeys
//! instead of a tweak block, the authenticated cleartext is nonce and header at once, two bits of
//! the counter start are cleared, an empty ciphertext contributes nothing, and the tag is the last
//! four octets.
//!
//! With cleartext and ciphertext of at most one block each, EAX′ is forgeable without any query
//! (Minematsu, Lucks, Morita, Iwata, FSE 2013). [`Rule::RejectShortCleartext`] keeps callers out
//! of that domain; a conformant C12.22 message never enters it.

use super::{AesKey, Work, equal};

/// Octets of an EAX′ tag.
pub const MAC_LEN: usize = 4;

/// What to do with a cleartext of at most one block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// Refuse cleartexts of 16 octets or fewer: the countermeasure.
    #[default]
    RejectShortCleartext,
    /// Accept any non-empty cleartext, as the bare algorithm does: open to forgery.
    AcceptAnyCleartext,
}

/// Why a message was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The cleartext is empty, or as short as [`Rule::RejectShortCleartext`] forbids.
    CleartextTooShort,
    /// The tag does not match.
    Mac,
}

/// An EAX′ key: expanded schedule and both subkeys.
#[derive(Clone)]
pub struct EaxPrimeKey {
    aes: AesKey,
    /// D, the subkey of the cleartext chain and of complete last blocks.
    d: [u8; 16],
    /// Q, the subkey of the ciphertext chain and of padded last blocks.
    q: [u8; 16],
}

impl EaxPrimeKey {
    /// Expands `key`: one key schedule and one block encryption.
    pub fn new(key: &[u8; 16], work: &mut Work) -> Self {
        let aes = AesKey::new(key, work);
        let mut l = [0; 16];
        aes.encrypt(&mut l, work);
        let d = double(&l);
        let q = double(&d);
        Self { aes, d, q }
    }

    /// Encrypts `buffer` in place and returns the tag over `cleartext` and the ciphertext.
    ///
    /// `cleartext` is given in parts; it must never repeat under one key with a different
    /// message, because it is the nonce.
    pub fn seal(
        &self,
        cleartext: &[&[u8]],
        buffer: &mut [u8],
        rule: Rule,
        work: &mut Work,
    ) -> Result<[u8; MAC_LEN], Failure> {
        check(cleartext, rule)?;
        let n = self.mac(&self.d, cleartext, work);
        self.apply_keystream(&n, buffer, work);
        Ok(self.tag(&n, buffer, work))
    }

    /// Verifies `tag`, then decrypts `buffer` in place; `buffer` is untouched on failure.
    pub fn open(
        &self,
        cleartext: &[&[u8]],
        buffer: &mut [u8],
        tag: &[u8; MAC_LEN],
        rule: Rule,
        work: &mut Work,
    ) -> Result<(), Failure> {
        check(cleartext, rule)?;
        let n = self.mac(&self.d, cleartext, work);
        if !equal(&self.tag(&n, buffer, work), tag) {
            return Err(Failure::Mac);
        }
        self.apply_keystream(&n, buffer, work);
        Ok(())
    }

    fn tag(&self, n: &[u8; 16], ciphertext: &[u8], work: &mut Work) -> [u8; MAC_LEN] {
        let mut tag = *n;
        if !ciphertext.is_empty() {
            xor(&mut tag, &self.mac(&self.q, &[ciphertext], work));
        }
        [tag[12], tag[13], tag[14], tag[15]]
    }

    /// The CBC-MAC of the concatenation of `parts`, chained from `start`.
    fn mac(&self, start: &[u8; 16], parts: &[&[u8]], work: &mut Work) -> [u8; 16] {
        let mut state = *start;
        let mut pending = [0; 16];
        let mut filled = 0;
        for part in parts {
            let mut part = *part;
            while !part.is_empty() {
                // A full block is absorbed only when more follows: the last one is special.
                if filled == 16 {
                    self.absorb(&mut state, &pending, work);
                    filled = 0;
                }
                let taken = part.len().min(16 - filled);
                pending[filled..filled + taken].copy_from_slice(&part[..taken]);
                filled += taken;
                part = &part[taken..];
            }
        }
        if filled == 16 {
            xor(&mut pending, &self.d);
        } else {
            pending[filled] = 0x80;
            pending[filled + 1..].fill(0);
            xor(&mut pending, &self.q);
        }
        self.absorb(&mut state, &pending, work);
        state
    }

    fn absorb(&self, state: &mut [u8; 16], block: &[u8; 16], work: &mut Work) {
        xor(state, block);
        self.aes.encrypt(state, work);
    }

    fn apply_keystream(&self, n: &[u8; 16], buffer: &mut [u8], work: &mut Work) {
        let mut start = *n;
        start[12] &= 0x7F;
        start[14] &= 0x7F;
        let mut counter = u128::from_be_bytes(start);
        for chunk in buffer.chunks_mut(16) {
            let mut block = counter.to_be_bytes();
            self.aes.encrypt(&mut block, work);
            for (octet, key) in chunk.iter_mut().zip(block) {
                *octet ^= key;
            }
            counter = counter.wrapping_add(1);
        }
    }
}

impl core::fmt::Debug for EaxPrimeKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("EaxPrimeKey(redacted)")
    }
}

impl Drop for EaxPrimeKey {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        self.d.zeroize();
        self.q.zeroize();
    }
}

fn check(cleartext: &[&[u8]], rule: Rule) -> Result<(), Failure> {
    let len: usize = cleartext.iter().map(|part| part.len()).sum();
    let min = match rule {
        Rule::RejectShortCleartext => 17,
        Rule::AcceptAnyCleartext => 1,
    };
    if len < min {
        Err(Failure::CleartextTooShort)
    } else {
        Ok(())
    }
}

/// Doubling in GF(2^128) with octet 0 as the least significant one.
fn double(block: &[u8; 16]) -> [u8; 16] {
    let value = u128::from_le_bytes(*block);
    let carry = if value >> 127 == 1 { 0x87 } else { 0 };
    ((value << 1) ^ carry).to_le_bytes()
}

fn xor(target: &mut [u8; 16], source: &[u8; 16]) {
    for (t, s) in target.iter_mut().zip(source) {
        *t ^= s;
    }
}
