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

use super::{AesKey, BlockMode, Work, equal};

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

    /// Encrypts `buffer` in place and returns the tag.
    ///
    /// The tag covers `cleartext`, given in parts, and the ciphertext. `cleartext` must never
    /// repeat under one key with a different message, because it is the nonce.
    pub fn seal(
        &self,
        cleartext: &[&[u8]],
        buffer: &mut [u8],
        rule: Rule,
        work: &mut Work,
    ) -> Result<[u8; MAC_LEN], Failure> {
        check(cleartext, rule)?;
        let seal = Seal {
            subkeys: self.subkeys(),
            cleartext,
            buffer,
        };
        Ok(self.aes.run(seal, work))
    }

    /// Verifies `tag`, then decrypts `buffer` in place.
    ///
    /// `buffer` is untouched on failure.
    pub fn open(
        &self,
        cleartext: &[&[u8]],
        buffer: &mut [u8],
        tag: &[u8; MAC_LEN],
        rule: Rule,
        work: &mut Work,
    ) -> Result<(), Failure> {
        check(cleartext, rule)?;
        let open = Open {
            subkeys: self.subkeys(),
            cleartext,
            buffer,
            tag,
        };
        self.aes.run(open, work)
    }

    const fn subkeys(&self) -> Subkeys {
        Subkeys {
            d: u128::from_be_bytes(self.d),
            q: u128::from_be_bytes(self.q),
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

/// D and Q, to be added to blocks.
#[derive(Clone, Copy)]
struct Subkeys {
    d: u128,
    q: u128,
}

impl Subkeys {
    #[inline(always)]
    fn tag(
        self,
        n: &[u8; 16],
        ciphertext: &[u8],
        encrypt: &mut impl FnMut(&mut [u8; 16]),
    ) -> [u8; MAC_LEN] {
        let c = if ciphertext.is_empty() {
            [0; 16]
        } else {
            self.mac(self.q, &[ciphertext], encrypt)
        };
        core::array::from_fn(|at| n[12 + at] ^ c[12 + at])
    }

    /// The CBC-MAC of the concatenation of `parts`, chained from `start`.
    #[inline(always)]
    fn mac(
        self,
        start: u128,
        parts: &[&[u8]],
        encrypt: &mut impl FnMut(&mut [u8; 16]),
    ) -> [u8; 16] {
        cbc_mac(start, [self.d, self.q], parts, encrypt).to_be_bytes()
    }
}

struct Seal<'a> {
    subkeys: Subkeys,
    cleartext: &'a [&'a [u8]],
    buffer: &'a mut [u8],
}

impl BlockMode for Seal<'_> {
    type Output = [u8; MAC_LEN];

    #[inline(always)]
    fn run(self, mut encrypt: impl FnMut(&mut [u8; 16])) -> [u8; MAC_LEN] {
        let n = self
            .subkeys
            .mac(self.subkeys.d, self.cleartext, &mut encrypt);
        apply_keystream(&counter_start(n), self.buffer, &mut encrypt);
        self.subkeys.tag(&n, self.buffer, &mut encrypt)
    }
}

struct Open<'a> {
    subkeys: Subkeys,
    cleartext: &'a [&'a [u8]],
    buffer: &'a mut [u8],
    tag: &'a [u8; MAC_LEN],
}

impl BlockMode for Open<'_> {
    type Output = Result<(), Failure>;

    #[inline(always)]
    fn run(self, mut encrypt: impl FnMut(&mut [u8; 16])) -> Self::Output {
        let n = self
            .subkeys
            .mac(self.subkeys.d, self.cleartext, &mut encrypt);
        if !equal(&self.subkeys.tag(&n, self.buffer, &mut encrypt), self.tag) {
            return Err(Failure::Mac);
        }
        apply_keystream(&counter_start(n), self.buffer, &mut encrypt);
        Ok(())
    }
}

/// The first counter block: two bits of N are cleared.
const fn counter_start(mut n: [u8; 16]) -> [u8; 16] {
    n[12] &= 0x7F;
    n[14] &= 0x7F;
    n
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

/// The CBC-MAC of the concatenation of `parts`, chained from `start`.
///
/// The last block is masked: by the first of `masks` if it is complete, else, once padded with one
/// bit and zeros, by the second.
#[inline(always)]
fn cbc_mac(
    start: u128,
    masks: [u128; 2],
    parts: &[&[u8]],
    encrypt: &mut impl FnMut(&mut [u8; 16]),
) -> u128 {
    let mut state = start;
    let mut pending = [0; 16];
    let mut filled = 0;
    for part in parts {
        let mut part = *part;
        while !part.is_empty() {
            // A full block is absorbed only when more follows: the last one is special.
            if filled == 16 {
                absorb(&mut state, u128::from_be_bytes(pending), encrypt);
                filled = 0;
            }
            while let (0, Some((block, rest @ [_, ..]))) = (filled, part.split_first_chunk()) {
                absorb(&mut state, u128::from_be_bytes(*block), encrypt);
                part = rest;
            }
            let taken = part.len().min(16 - filled);
            pending[filled..filled + taken].copy_from_slice(&part[..taken]);
            filled += taken;
            part = &part[taken..];
        }
    }
    let mask = if filled == 16 {
        masks[0]
    } else {
        pending[filled] = 0x80;
        pending[filled + 1..].fill(0);
        masks[1]
    };
    absorb(&mut state, u128::from_be_bytes(pending) ^ mask, encrypt);
    state
}

#[inline(always)]
fn absorb(state: &mut u128, block: u128, encrypt: &mut impl FnMut(&mut [u8; 16])) {
    let mut octets = (*state ^ block).to_be_bytes();
    encrypt(&mut octets);
    *state = u128::from_be_bytes(octets);
}

/// Adds the keystream that counts up from `start` as one 128-bit integer.
#[inline(always)]
fn apply_keystream(start: &[u8; 16], buffer: &mut [u8], encrypt: &mut impl FnMut(&mut [u8; 16])) {
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

/// Doubling in GF(2^128) with octet 0 as the least significant one.
fn double(block: &[u8; 16]) -> [u8; 16] {
    let value = u128::from_le_bytes(*block);
    let carry = if value >> 127 == 1 { 0x87 } else { 0 };
    ((value << 1) ^ carry).to_le_bytes()
}
