//! AES-CMAC (RFC 4493, NIST SP 800-38B).

use core::fmt;

use super::{AesKey, BlockMode, Work};

/// An expanded AES-CMAC key.
#[derive(Clone)]
pub struct CmacKey(AesKey);

impl CmacKey {
    /// Expands `key`.
    pub fn new(key: &[u8; 16], work: &mut Work) -> Self {
        Self(AesKey::new(key, work))
    }

    /// The 16-octet tag over the concatenation of `parts`.
    ///
    /// Costs one block encryption per 16 octets (at least one) and one for the subkey.
    pub fn tag(&self, parts: &[&[u8]], work: &mut Work) -> [u8; 16] {
        self.0.run(Tag { parts }, work)
    }
}

impl fmt::Debug for CmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CmacKey(redacted)")
    }
}

struct Tag<'a> {
    parts: &'a [&'a [u8]],
}

impl BlockMode for Tag<'_> {
    type Output = [u8; 16];

    #[inline(always)]
    fn run(self, mut encrypt: impl FnMut(&mut [u8; 16])) -> [u8; 16] {
        omac(self.parts, &mut encrypt)
    }
}

/// CMAC over the concatenation of `parts`, subkey included.
#[inline(always)]
pub(super) fn omac(parts: &[&[u8]], encrypt: &mut impl FnMut(&mut [u8; 16])) -> [u8; 16] {
    let mut subkey = [0; 16];
    encrypt(&mut subkey);
    let k1 = double(u128::from_be_bytes(subkey));
    cbc_mac(0, [k1, double(k1)], parts, encrypt).to_be_bytes()
}

/// The CBC-MAC of the concatenation of `parts`, chained from `start`.
///
/// The last block is masked: by the first of `masks` if it is complete, else, once padded with one
/// bit and zeros, by the second.
#[inline(always)]
pub(super) fn cbc_mac(
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

/// Doubling in GF(2^128) with octet 0 as the most significant one.
const fn double(value: u128) -> u128 {
    (value << 1) ^ ((value >> 127) * 0x87)
}
