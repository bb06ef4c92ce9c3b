//! The integrity algorithms of IKEv2 as PANA uses them (RFC 5191 §5.4).

use core::fmt;

use super::hmac::{HmacKey, Sha1, Sha256};
use super::{CmacKey, Secret, Work, equal};

/// An integrity algorithm, by its IKEv2 transform type 3 number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Integrity {
    /// AUTH_HMAC_SHA1_160 (7), key and tag of 20 octets, mandatory in RFC 5191.
    HmacSha1_160,
    /// AUTH_HMAC_SHA2_256_128 (12), key of 32 and tag of 16 octets (RFC 4868).
    HmacSha256_128,
    /// AUTH_AES_CMAC_96 (8), key of 16 and tag of 12 octets (RFC 4494).
    AesCmac96,
}

impl Integrity {
    /// The IKEv2 transform number.
    pub const fn id(self) -> u32 {
        match self {
            Self::HmacSha1_160 => 7,
            Self::HmacSha256_128 => 12,
            Self::AesCmac96 => 8,
        }
    }

    /// The algorithm with the IKEv2 transform number `id`, if it is known here.
    pub const fn from_id(id: u32) -> Option<Self> {
        match id {
            7 => Some(Self::HmacSha1_160),
            12 => Some(Self::HmacSha256_128),
            8 => Some(Self::AesCmac96),
            _ => None,
        }
    }

    /// Octets of key material.
    pub const fn key_len(self) -> usize {
        match self {
            Self::HmacSha1_160 => 20,
            Self::HmacSha256_128 => 32,
            Self::AesCmac96 => 16,
        }
    }

    /// Octets of a tag.
    pub const fn tag_len(self) -> usize {
        match self {
            Self::HmacSha1_160 => 20,
            Self::HmacSha256_128 => 16,
            Self::AesCmac96 => 12,
        }
    }

    /// The longest key of all algorithms.
    pub const KEY_LEN_MAX: usize = 32;
    /// The longest tag of all algorithms.
    pub const TAG_LEN_MAX: usize = 20;
}

/// A tag of at most [`Integrity::TAG_LEN_MAX`] octets.
#[derive(Clone, Copy, Debug)]
pub struct Tag {
    octets: [u8; Integrity::TAG_LEN_MAX],
    len: usize,
}

impl Tag {
    /// The octets of the tag.
    pub fn octets(&self) -> &[u8] {
        &self.octets[..self.len]
    }
}

/// A keyed integrity algorithm.
///
/// The pads of HMAC are absorbed when the key is made. What is counted is the work of a device that
/// holds the key alone and expands it for every tag.
#[derive(Clone)]
pub struct MacKey {
    algorithm: Integrity,
    key: Secret<{ Integrity::KEY_LEN_MAX }>,
    pads: Pads,
}

/// What a key of HMAC is expanded to.
#[derive(Clone)]
enum Pads {
    Sha1(HmacKey<Sha1>),
    Sha256(HmacKey<Sha256>),
    /// AES-CMAC has none.
    None,
}

/// Compressions that absorb the two pads of a key.
const PAD_BLOCKS: u32 = 2;

impl MacKey {
    /// A key for `algorithm`, of which the first [`Integrity::key_len`] octets count.
    pub fn new(algorithm: Integrity, key: Secret<{ Integrity::KEY_LEN_MAX }>) -> Self {
        let octets = &key.expose()[..algorithm.key_len()];
        let pads = match algorithm {
            Integrity::HmacSha1_160 => Pads::Sha1(HmacKey::new(octets, |_| ())),
            Integrity::HmacSha256_128 => Pads::Sha256(HmacKey::new(octets, |_| ())),
            Integrity::AesCmac96 => Pads::None,
        };
        Self {
            algorithm,
            key,
            pads,
        }
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> Integrity {
        self.algorithm
    }

    /// The key octets.
    pub fn expose(&self) -> &[u8] {
        &self.key.expose()[..self.algorithm.key_len()]
    }

    /// The tag over the concatenation of `parts`.
    pub fn tag(&self, parts: &[&[u8]], work: &mut Work) -> Tag {
        let mut octets = [0; Integrity::TAG_LEN_MAX];
        match &self.pads {
            Pads::Sha1(keyed) => {
                octets = keyed.tag(parts, |blocks| work.sha1_blocks += PAD_BLOCKS + blocks);
            }
            Pads::Sha256(keyed) => {
                let tag: [u8; 16] =
                    keyed.tag(parts, |blocks| work.sha256_blocks += PAD_BLOCKS + blocks);
                octets[..16].copy_from_slice(&tag);
            }
            Pads::None => {
                let key = self.key.expose().first_chunk();
                let key = key.expect("AUTH_AES_CMAC_96 has a key of 16 octets");
                let tag = CmacKey::new(key, work).tag(parts, work);
                octets[..12].copy_from_slice(&tag[..12]);
            }
        }
        Tag {
            octets,
            len: self.algorithm.tag_len(),
        }
    }

    /// Whether `tag` is the tag over `parts`, compared in constant time.
    pub fn verify(&self, parts: &[&[u8]], tag: &[u8], work: &mut Work) -> bool {
        equal(self.tag(parts, work).octets(), tag)
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MacKey")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}
