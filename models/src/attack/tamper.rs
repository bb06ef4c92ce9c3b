//! Alteration of datagrams on the path.

use firmware::crypto::{Integrity, Prf};
use firmware::pana::HEADER_LEN;
use firmware::pana::avp::{self, Code};

use super::behaviour::{Behaviour, Passage, Scene, Seen};
use super::plan::Tampering;
use crate::datagram::MessageType;

/// A node on the path that alters what it forwards.
#[derive(Debug)]
pub(super) struct Tamperer {
    pub(super) tampering: Tampering,
}

impl Behaviour for Tamperer {
    fn intercept(&mut self, seen: &Seen<'_>, scene: &mut Scene<'_>) -> Passage {
        match self.tampering {
            Tampering::Downgrade if seen.kind == MessageType::ParStart => downgrade(seen.octets),
            Tampering::Downgrade => Passage::Pass,
            Tampering::BitFlip {
                protocols,
                share_ppb,
            } => {
                if !protocols.include(seen.kind.protocol()) || !scene.stream.chance(share_ppb) {
                    return Passage::Pass;
                }
                let mut octets = seen.octets.to_vec();
                let bit = scene.stream.below(octets.len() as u64 * 8);
                if let Some(octet) = octets.get_mut(bit as usize / 8) {
                    *octet ^= 1 << (bit % 8);
                }
                Passage::Alter(octets)
            }
        }
    }
}

/// Writes the weakest pair, HMAC-SHA-1, over every algorithm of an offer (RFC 5191 §4.1).
fn downgrade(octets: &[u8]) -> Passage {
    let mut altered = octets.to_vec();
    let mut at = HEADER_LEN;
    while let Some(&[code, code_low, _, _, len, len_low, ..]) = altered.get(at..at + 8) {
        let len = usize::from(u16::from_be_bytes([len, len_low]));
        let weakest = match Code::from_id(u16::from_be_bytes([code, code_low])) {
            Some(Code::PrfAlgorithm) => Some(Prf::HmacSha1.id()),
            Some(Code::IntegrityAlgorithm) => Some(Integrity::HmacSha1_160.id()),
            _ => None,
        };
        if let Some(weakest) = weakest
            && let Some(value) = altered.get_mut(at + 8..at + 12)
        {
            value.copy_from_slice(&weakest.to_be_bytes());
        }
        at += 8 + len + avp::padding(len);
    }
    if altered == octets {
        Passage::Pass
    } else {
        Passage::Alter(altered)
    }
}
