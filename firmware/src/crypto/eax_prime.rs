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

use super::modes::{self, Block};
use super::{AesKey, BlockMode, Secret, Work, equal};

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

/// An EAX′ key and both of its subkeys.
///
/// A device keeps the expanded schedule as well, and so it is counted: once. Here every message
/// expands it again, which takes an AES unit less time than fetching it from memory when each of a
/// hundred thousand meters has one.
#[derive(Clone)]
pub struct EaxPrimeKey {
    key: Secret<16>,
    /// D, the subkey of the cleartext chain and of complete last blocks.
    d: Block,
    /// Q, the subkey of the ciphertext chain and of padded last blocks.
    q: Block,
}

impl EaxPrimeKey {
    /// Derives the subkeys of `key`: one key schedule and one block encryption.
    pub fn new(key: &[u8; 16], work: &mut Work) -> Self {
        let aes = AesKey::new(key, work);
        let mut l = [0; 16];
        aes.encrypt(&mut l, work);
        let d = double(&l);
        let q = double(&d);
        Self {
            key: Secret::new(*key),
            d,
            q,
        }
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
        Ok(self.schedule().run(seal, work))
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
        self.schedule().run(open, work)
    }

    /// The schedule, which was counted when the key was made.
    fn schedule(&self) -> AesKey {
        AesKey::new(self.key.expose(), &mut Work::default())
    }

    const fn subkeys(&self) -> Subkeys<'_> {
        Subkeys {
            d: &self.d,
            q: &self.q,
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
struct Subkeys<'a> {
    d: &'a Block,
    q: &'a Block,
}

impl Subkeys<'_> {
    /// N, the tag of the cleartext, from which the keystream starts.
    #[inline(always)]
    fn cleartext(self, parts: &[&[u8]], encrypt: &mut impl FnMut(&mut Block)) -> Block {
        modes::cbc_mac(self.d, [self.d, self.q], parts, encrypt)
    }

    #[inline(always)]
    fn tag(
        self,
        n: &Block,
        ciphertext: &[u8],
        encrypt: &mut impl FnMut(&mut Block),
    ) -> [u8; MAC_LEN] {
        let c = if ciphertext.is_empty() {
            [0; 16]
        } else {
            modes::cbc_mac(self.q, [self.d, self.q], &[ciphertext], encrypt)
        };
        core::array::from_fn(|at| n[12 + at] ^ c[12 + at])
    }
}

struct Seal<'a> {
    subkeys: Subkeys<'a>,
    cleartext: &'a [&'a [u8]],
    buffer: &'a mut [u8],
}

impl BlockMode for Seal<'_> {
    type Output = [u8; MAC_LEN];

    #[inline(always)]
    fn run(self, mut encrypt: impl FnMut(&mut Block)) -> [u8; MAC_LEN] {
        let n = self.subkeys.cleartext(self.cleartext, &mut encrypt);
        modes::apply_keystream(&counter_start(n), self.buffer, &mut encrypt);
        self.subkeys.tag(&n, self.buffer, &mut encrypt)
    }
}

struct Open<'a> {
    subkeys: Subkeys<'a>,
    cleartext: &'a [&'a [u8]],
    buffer: &'a mut [u8],
    tag: &'a [u8; MAC_LEN],
}

impl BlockMode for Open<'_> {
    type Output = Result<(), Failure>;

    #[inline(always)]
    fn run(self, mut encrypt: impl FnMut(&mut Block)) -> Self::Output {
        let n = self.subkeys.cleartext(self.cleartext, &mut encrypt);
        if !equal(&self.subkeys.tag(&n, self.buffer, &mut encrypt), self.tag) {
            return Err(Failure::Mac);
        }
        modes::apply_keystream(&counter_start(n), self.buffer, &mut encrypt);
        Ok(())
    }
}

/// The first counter block: two bits of N are cleared.
const fn counter_start(mut n: Block) -> Block {
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

/// Doubling in GF(2^128) with octet 0 as the least significant one.
fn double(block: &Block) -> Block {
    modes::double(u128::from_le_bytes(*block)).to_le_bytes()
}
