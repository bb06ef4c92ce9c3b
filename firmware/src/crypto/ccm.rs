//! CCM* with AES-128 and a 13-octet nonce (IEEE 802.15.4-2006 Annex B), on the `ccm` crate.
//!
//! With a tag of 4, 8 or 16 octets CCM* is CCM (NIST SP 800-38C, RFC 3610) whose length field has
//! two octets. What CCM* adds, encryption without a tag, is not offered: such a frame can be
//! altered bit by bit.

use core::fmt;

use ::ccm::aead::AeadInOut;
use ::ccm::aead::array::Array;
use ::ccm::consts::{U4, U8, U13, U16};
use ::ccm::{Ccm, Tag};
use aes::Aes128Enc;
use aes::cipher::KeyInit;

use super::{TagMismatch, Work};

/// Octets of a nonce: source address, frame counter, security level.
pub const CCM_NONCE_LEN: usize = 13;

/// How long the tag of a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CcmTag {
    /// 4 octets.
    Four,
    /// 8 octets.
    Eight,
    /// 16 octets.
    Sixteen,
}

impl CcmTag {
    /// The number of octets.
    pub const fn len(self) -> usize {
        match self {
            Self::Four => 4,
            Self::Eight => 8,
            Self::Sixteen => 16,
        }
    }

    /// Never: there is no tag without octets.
    pub const fn is_empty(self) -> bool {
        false
    }
}

/// An expanded CCM* key.
#[derive(Clone)]
pub struct CcmKey(Aes128Enc);

impl CcmKey {
    /// Expands `key`.
    pub fn new(key: &[u8; 16], work: &mut Work) -> Self {
        work.key_schedule();
        Self(Aes128Enc::new(key.into()))
    }

    /// Encrypts `buffer` in place; the tag covers nonce, header and plaintext.
    ///
    /// Only the first [`CcmTag::len`] octets of the result are the tag; the others are zero.
    pub fn seal(
        &self,
        nonce: &[u8; CCM_NONCE_LEN],
        header: &[u8],
        buffer: &mut [u8],
        tag: CcmTag,
        work: &mut Work,
    ) -> [u8; 16] {
        count(header.len(), buffer.len(), work);
        let mut octets = [0; 16];
        macro_rules! seal {
            ($len:ty) => {{
                let tag = Ccm::<_, $len, U13>::from(self.0.clone())
                    .encrypt_inout_detached(&Array(*nonce), header, buffer.into())
                    .expect("a frame is shorter than 2^16 octets");
                octets[..tag.len()].copy_from_slice(&tag);
            }};
        }
        match tag {
            CcmTag::Four => seal!(U4),
            CcmTag::Eight => seal!(U8),
            CcmTag::Sixteen => seal!(U16),
        }
        octets
    }

    /// Decrypts `buffer` in place and verifies `tag`, whose length says which tag it is.
    ///
    /// # Errors
    ///
    /// The tag is wrong or has no length of CCM*; `buffer` has no plaintext then.
    pub fn open(
        &self,
        nonce: &[u8; CCM_NONCE_LEN],
        header: &[u8],
        buffer: &mut [u8],
        tag: &[u8],
        work: &mut Work,
    ) -> Result<(), TagMismatch> {
        count(header.len(), buffer.len(), work);
        macro_rules! open {
            ($len:ty) => {
                Ccm::<_, $len, U13>::from(self.0.clone()).decrypt_inout_detached(
                    &Array(*nonce),
                    header,
                    buffer.into(),
                    &Tag::<$len>::try_from(tag).map_err(|_| TagMismatch)?,
                )
            };
        }
        let result = match tag.len() {
            4 => open!(U4),
            8 => open!(U8),
            16 => open!(U16),
            _ => return Err(TagMismatch),
        };
        result.map_err(|_| TagMismatch)
    }
}

impl fmt::Debug for CcmKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CcmKey(redacted)")
    }
}

/// Counts the blocks of B_0, the header with its length, the message twice, and A_0 (Annex B.4).
fn count(header_len: usize, message_len: usize, work: &mut Work) {
    let header = if header_len == 0 {
        0
    } else {
        (header_len + 2).div_ceil(16)
    };
    work.aes(2 + header + 2 * message_len.div_ceil(16));
}
