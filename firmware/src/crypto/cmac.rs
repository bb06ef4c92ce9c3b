//! AES-CMAC (RFC 4493, NIST SP 800-38B).

use core::fmt;

use super::modes::{self, Block};
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
    type Output = Block;

    #[inline(always)]
    fn run(self, mut encrypt: impl FnMut(&mut Block)) -> Block {
        let [complete, padded] = modes::cmac_subkeys(&mut encrypt);
        modes::cbc_mac(&[0; 16], [&complete, &padded], self.parts, &mut encrypt)
    }
}
