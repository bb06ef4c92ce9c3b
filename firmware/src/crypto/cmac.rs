//! AES-CMAC (RFC 4493, NIST SP 800-38B), on the `cmac` crate.

use core::fmt;

use ::cmac::digest::InnerInit;
use ::cmac::{Cmac, KeyInit, Mac};
use aes::Aes128Enc;

use super::Work;
use crate::wire::Writer;

/// Octets of a message that is joined before it is authenticated.
const JOINED_MAX: usize = 128;

/// An expanded AES-CMAC key.
#[derive(Clone)]
pub struct CmacKey(Aes128Enc);

impl CmacKey {
    /// Expands `key`.
    pub fn new(key: &[u8; 16], work: &mut Work) -> Self {
        work.key_schedule();
        Self(Aes128Enc::new(key.into()))
    }

    /// The 16-octet tag over the concatenation of `parts`.
    ///
    /// Costs one block encryption per 16 octets (at least one) and one for the subkey.
    pub fn tag(&self, parts: &[&[u8]], work: &mut Work) -> [u8; 16] {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        work.aes(len.div_ceil(16).max(1) + 1);
        let mut mac = Cmac::inner_init(&self.0);
        // The AES unit is prepared for every update, at the price of a block: join short parts.
        let mut joined = [0; JOINED_MAX];
        let mut writer = Writer::new(&mut joined);
        if parts.iter().all(|part| writer.put(part).is_ok()) {
            mac.update(writer.written());
        } else {
            parts.iter().for_each(|part| mac.update(part));
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for CmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CmacKey(redacted)")
    }
}
