//! The pseudo-random functions of IKEv2 and their expansion prf+ (RFC 7296 §2.13).

use super::hmac::{HmacKey, Sha1, Sha256};
use super::{CmacKey, Work};

/// A pseudo-random function, by its IKEv2 transform type 2 number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Prf {
    /// PRF_HMAC_SHA1 (2), output 20 octets, mandatory in RFC 5191.
    HmacSha1,
    /// PRF_HMAC_SHA2_256 (5), output 32 octets (RFC 4868).
    HmacSha256,
    /// PRF_AES128_CMAC (8), output 16 octets (RFC 4615).
    AesCmac,
}

impl Prf {
    /// The IKEv2 transform number.
    pub const fn id(self) -> u32 {
        match self {
            Self::HmacSha1 => 2,
            Self::HmacSha256 => 5,
            Self::AesCmac => 8,
        }
    }

    /// The function with the IKEv2 transform number `id`, if it is known here.
    pub const fn from_id(id: u32) -> Option<Self> {
        match id {
            2 => Some(Self::HmacSha1),
            5 => Some(Self::HmacSha256),
            8 => Some(Self::AesCmac),
            _ => None,
        }
    }

    /// prf+(`key`, concatenation of `seed`), truncated to the length of `out`.
    ///
    /// T1 = prf(K, S | 01), Tn = prf(K, Tn-1 | S | n).
    ///
    /// # Panics
    /// If `out` is longer than 255 outputs of the function; lengths here are constants.
    pub fn plus(self, key: &[u8], seed: &[&[u8]], out: &mut [u8], work: &mut Work) {
        match self {
            Self::HmacSha1 => {
                let keyed = HmacKey::<Sha1>::new(key, |blocks| work.sha1_blocks += blocks);
                expand::<20>(
                    out,
                    |parts| keyed.tag(parts, |blocks| work.sha1_blocks += blocks),
                    seed,
                );
            }
            Self::HmacSha256 => {
                let keyed = HmacKey::<Sha256>::new(key, |blocks| work.sha256_blocks += blocks);
                expand::<32>(
                    out,
                    |parts| keyed.tag(parts, |blocks| work.sha256_blocks += blocks),
                    seed,
                );
            }
            Self::AesCmac => {
                let keyed = aes_cmac_key(key, work);
                expand(out, |parts| keyed.tag(parts, work), seed);
            }
        }
    }
}

/// The key of AES-CMAC-PRF-128 (RFC 4615 §3).
///
/// One that is not 16 octets long is first compressed.
pub(super) fn aes_cmac_key(key: &[u8], work: &mut Work) -> CmacKey {
    let key = match <[u8; 16]>::try_from(key) {
        Ok(key) => key,
        Err(_) => CmacKey::new(&[0; 16], work).tag(&[key], work),
    };
    CmacKey::new(&key, work)
}

/// The most parts that a prf+ seed is given in.
const SEED_PARTS_MAX: usize = 8;

fn expand<const N: usize>(
    out: &mut [u8],
    mut prf: impl FnMut(&[&[u8]]) -> [u8; N],
    seed: &[&[u8]],
) {
    assert!(
        seed.len() <= SEED_PARTS_MAX,
        "a prf+ seed has at most {SEED_PARTS_MAX} parts"
    );
    let mut previous = [0; N];
    for (chunk, counter) in out.chunks_mut(N).zip(1..=u8::MAX) {
        let counter = [counter];
        let mut parts: [&[u8]; SEED_PARTS_MAX + 2] = [&[]; SEED_PARTS_MAX + 2];
        if counter[0] > 1 {
            parts[0] = &previous;
        }
        parts[1..=seed.len()].copy_from_slice(seed);
        parts[seed.len() + 1] = &counter;
        previous = prf(&parts[..seed.len() + 2]);
        chunk.copy_from_slice(&previous[..chunk.len()]);
    }
}
