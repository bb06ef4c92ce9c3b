//! What EAX′ is made of: chaining and counting over a block function.
//!
//! All of it is inlined into one run of a [`BlockMode`](super::BlockMode), so that a message
//! prepares the processor's AES unit once, and blocks stay in its registers.

use crate::wire::copy;

/// A block of AES.
pub(super) type Block = [u8; 16];

/// Octets that short parts are joined in before they are absorbed; whole blocks.
const JOINED: usize = 128;

/// Adds `addend` to `sum`, bit by bit.
#[inline(always)]
pub(super) fn add(sum: &mut Block, addend: &Block) {
    for (octet, addend) in sum.iter_mut().zip(addend) {
        *octet ^= addend;
    }
}

/// The CBC-MAC of the concatenation of `parts`, chained from `start`.
///
/// The last block is masked: by the first of `masks` if it is complete, else, once padded with one
/// bit and zeros, by the second.
#[inline(always)]
pub(super) fn cbc_mac(
    start: &Block,
    masks: [&Block; 2],
    parts: &[&[u8]],
    encrypt: &mut impl FnMut(&mut Block),
) -> Block {
    let mut state = *start;
    let mut joined = [0; JOINED];
    let mut filled = 0;
    for &part in parts {
        let mut part = part;
        while !part.is_empty() {
            // A full block is absorbed only when more follows: the last one is special.
            if filled == JOINED {
                joined.as_chunks().0.iter().for_each(|block| {
                    absorb(&mut state, block, encrypt);
                });
                filled = 0;
            }
            while let (0, Some((block, rest @ [_, ..]))) = (filled, part.split_first_chunk()) {
                absorb(&mut state, block, encrypt);
                part = rest;
            }
            let (front, rest) = part.split_at(part.len().min(JOINED - filled));
            copy(front, &mut joined[filled..]);
            filled += front.len();
            part = rest;
        }
    }
    let mut blocks = joined.as_chunks().0.iter();
    let before_last = filled.saturating_sub(1) / 16;
    for block in blocks.by_ref().take(before_last) {
        absorb(&mut state, block, encrypt);
        filled -= 16;
    }
    let mut last = *blocks.next().unwrap_or(&[0; 16]);
    if filled == 16 {
        add(&mut last, masks[0]);
    } else {
        last[filled] = 0x80;
        last[filled + 1..].fill(0);
        add(&mut last, masks[1]);
    }
    absorb(&mut state, &last, encrypt);
    state
}

#[inline(always)]
fn absorb(state: &mut Block, block: &Block, encrypt: &mut impl FnMut(&mut Block)) {
    add(state, block);
    encrypt(state);
}

/// Adds the keystream that counts up from `start` as one 128-bit integer.
#[inline(always)]
pub(super) fn apply_keystream(
    start: &Block,
    buffer: &mut [u8],
    encrypt: &mut impl FnMut(&mut Block),
) {
    let mut counter = u128::from_be_bytes(*start);
    for chunk in buffer.chunks_mut(16) {
        let mut block = counter.to_be_bytes();
        encrypt(&mut block);
        match <&mut Block>::try_from(&mut *chunk) {
            Ok(chunk) => add(chunk, &block),
            Err(_) => {
                for (octet, key) in chunk.iter_mut().zip(block) {
                    *octet ^= key;
                }
            }
        }
        counter = counter.wrapping_add(1);
    }
}

/// Doubling in GF(2^128); the time does not depend on the value.
pub(super) const fn double(value: u128) -> u128 {
    (value << 1) ^ (0x87 * (value >> 127))
}
