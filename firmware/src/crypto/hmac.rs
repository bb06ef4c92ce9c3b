//! HMAC (RFC 2104) with SHA-1 and SHA-256, on the compression functions of the RustCrypto crates.
//!
//! A key is held as the two chaining values behind its pads, from which every tag starts.

use zeroize::Zeroize;

use crate::wire::copy;

/// Octets of a hash block, of SHA-1 as of SHA-256.
const BLOCK_LEN: usize = 64;
/// Blocks of a message that are joined before they are compressed.
const JOINED: usize = 3;
/// Octets that padding adds at least: 0x80 and a 64-bit length.
const PADDING: usize = 9;

/// The chaining value of a hash function of the SHA family.
pub(super) trait Chaining: Clone + Zeroize {
    /// Where a message starts.
    const INITIAL: Self;

    /// Compresses whole blocks.
    fn compress(&mut self, blocks: &[[u8; BLOCK_LEN]]);

    /// The words, each written with its most significant octet first.
    fn words(&self) -> &[u32];
}

/// SHA-1 (FIPS 180-4).
#[derive(Clone)]
pub(super) struct Sha1([u32; 5]);

/// SHA-256 (FIPS 180-4).
#[derive(Clone)]
pub(super) struct Sha256([u32; 8]);

impl Chaining for Sha1 {
    const INITIAL: Self = Self([
        0x6745_2301,
        0xEFCD_AB89,
        0x98BA_DCFE,
        0x1032_5476,
        0xC3D2_E1F0,
    ]);

    fn compress(&mut self, blocks: &[[u8; BLOCK_LEN]]) {
        sha1::block_api::compress(&mut self.0, blocks);
    }

    fn words(&self) -> &[u32] {
        &self.0
    }
}

impl Chaining for Sha256 {
    const INITIAL: Self = Self([
        0x6A09_E667,
        0xBB67_AE85,
        0x3C6E_F372,
        0xA54F_F53A,
        0x510E_527F,
        0x9B05_688C,
        0x1F83_D9AB,
        0x5BE0_CD19,
    ]);

    fn compress(&mut self, blocks: &[[u8; BLOCK_LEN]]) {
        sha2::block_api::compress256(&mut self.0, blocks);
    }

    fn words(&self) -> &[u32] {
        &self.0
    }
}

impl Zeroize for Sha1 {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl Zeroize for Sha256 {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

/// A keyed HMAC whose inner and outer pads have been absorbed already.
#[derive(Clone)]
pub(super) struct HmacKey<H: Chaining> {
    inner: H,
    outer: H,
}

impl<H: Chaining> HmacKey<H> {
    /// Absorbs the pads: two compressions, more if the key is longer than one hash block.
    pub(super) fn new(key: &[u8], count: impl FnOnce(u32)) -> Self {
        let mut block = [0; BLOCK_LEN];
        let mut hashed = 0;
        match block.get_mut(..key.len()) {
            Some(front) => front.copy_from_slice(key),
            None => {
                let digest = absorb(H::INITIAL, 0, &[key]);
                put_words(digest.words(), &mut block);
                hashed = blocks_of(key.len());
            }
        }
        count(2 + hashed);
        let [inner, outer] = [0x36, 0x5C].map(|pad| {
            let mut state = H::INITIAL;
            state.compress(&[block.map(|octet| octet ^ pad)]);
            state
        });
        block.zeroize();
        Self { inner, outer }
    }

    /// The first `N` octets of the tag over the concatenation of `parts`.
    pub(super) fn tag<const N: usize>(&self, parts: &[&[u8]], count: impl FnOnce(u32)) -> [u8; N] {
        let len = parts.iter().map(|part| part.len()).sum();
        count(blocks_of(len) + 1);
        let digest = absorb(self.inner.clone(), 1, parts);
        let mut block = [0; BLOCK_LEN];
        let len = put_words(digest.words(), &mut block);
        let mut state = self.outer.clone();
        // A digest and its padding are shorter than a block.
        block[len] = 0x80;
        put_bit_len(BLOCK_LEN + len, &mut block);
        state.compress(&[block]);
        put_words(state.words(), &mut block);
        let mut tag = [0; N];
        tag.copy_from_slice(&block[..N]);
        tag
    }
}

impl<H: Chaining> Drop for HmacKey<H> {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

/// Compressions that `len` octets take with their padding.
const fn blocks_of(len: usize) -> u32 {
    (len + PADDING).div_ceil(BLOCK_LEN) as u32
}

/// The digest of `before` blocks, which led to `state`, and the concatenation of `parts`.
fn absorb<H: Chaining>(mut state: H, before: usize, parts: &[&[u8]]) -> H {
    // Most messages are short, and to compress several blocks at once takes less time than one
    // after the other: parts are joined, with a block in reserve for the padding.
    let mut blocks = [[0; BLOCK_LEN]; JOINED + 1];
    let mut filled = 0;
    let mut len = before * BLOCK_LEN;
    for &part in parts {
        let mut part = part;
        len += part.len();
        while !part.is_empty() {
            if filled == JOINED * BLOCK_LEN {
                state.compress(&blocks[..JOINED]);
                filled = 0;
            }
            let free = &mut blocks.as_flattened_mut()[filled..JOINED * BLOCK_LEN];
            let (front, rest) = part.split_at(part.len().min(free.len()));
            copy(front, free);
            filled += front.len();
            part = rest;
        }
    }
    let (message, _) = blocks.split_at_mut(blocks_of(filled) as usize);
    let padding = &mut message.as_flattened_mut()[filled..];
    padding.fill(0);
    padding[0] = 0x80;
    put_bit_len(len, padding);
    state.compress(message);
    state
}

/// Ends the `padding` of a message of `len` octets.
fn put_bit_len(len: usize, padding: &mut [u8]) {
    if let Some(end) = padding.last_chunk_mut() {
        *end = (8 * len as u64).to_be_bytes();
    }
}

/// Writes `words` to the front of `block`; returns the number of octets.
fn put_words(words: &[u32], block: &mut [u8; BLOCK_LEN]) -> usize {
    for (octets, word) in block.as_chunks_mut().0.iter_mut().zip(words) {
        *octets = word.to_be_bytes();
    }
    4 * words.len()
}
