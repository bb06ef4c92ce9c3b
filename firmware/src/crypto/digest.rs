//! SHA-256 over what comes in pieces, on the `sha2` crate.

use core::fmt;

use sha2::{Digest as _, Sha256};

use super::Work;

/// Octets of a block that is compressed.
const BLOCK_LEN: u64 = 64;

/// A running SHA-256.
#[derive(Clone)]
pub struct Digest {
    state: Sha256,
    len: u64,
}

impl Digest {
    /// Of nothing so far.
    pub fn new() -> Self {
        Self {
            state: Sha256::new(),
            len: 0,
        }
    }

    /// Takes more octets; costs a compression for every 64 of them.
    pub fn update(&mut self, octets: &[u8], work: &mut Work) {
        let before = self.len / BLOCK_LEN;
        self.len += octets.len() as u64;
        work.sha256_blocks += (self.len / BLOCK_LEN - before) as u32;
        self.state.update(octets);
    }

    /// The digest of all octets so far; the padding costs one or two compressions.
    pub fn finish(self, work: &mut Work) -> [u8; 32] {
        work.sha256_blocks += 1 + u32::from(self.len % BLOCK_LEN >= 56);
        self.state.finalize().into()
    }
}

impl Default for Digest {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Digest")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_do_not_matter_and_work_is_counted() {
        // FIPS 180-4, example of a message of two blocks.
        let message = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        let mut work = Work::default();
        let mut digest = Digest::new();
        for piece in message.chunks(9) {
            digest.update(piece, &mut work);
        }
        let expected = [
            0x24, 0x8D, 0x6A, 0x61, 0xD2, 0x06, 0x38, 0xB8, 0xE5, 0xC0, 0x26, 0x93, 0x0C, 0x3E,
            0x60, 0x39, 0xA3, 0x3C, 0xE4, 0x59, 0x64, 0xFF, 0x21, 0x67, 0xF6, 0xEC, 0xED, 0xD4,
            0x19, 0xDB, 0x06, 0xC1,
        ];
        assert_eq!(digest.finish(&mut work), expected);
        assert_eq!(work.sha256_blocks, 2);
    }
}
