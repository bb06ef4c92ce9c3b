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

#[cfg(test)]
mod tests {
    use firmware::crypto::Work;
    use firmware::pana::{Emitter, Flags, Message, MessageType};

    use super::*;

    #[test]
    fn a_downgrade_leaves_a_valid_offer_of_the_weakest_algorithms() {
        let mut octets = Vec::new();
        let flags = Flags::REQUEST.with(Flags::START);
        let mut offer = Emitter::new(&mut octets, MessageType::Auth, flags, 7, 9);
        offer.number(Code::PrfAlgorithm, Prf::HmacSha256.id());
        offer.number(Code::PrfAlgorithm, Prf::HmacSha1.id());
        offer.number(Code::IntegrityAlgorithm, Integrity::HmacSha256_128.id());
        offer.finish(None, &mut Work::NONE.clone());

        let Passage::Alter(altered) = downgrade(&octets) else {
            panic!("there is something to weaken");
        };
        assert_eq!(altered.len(), octets.len());
        let message = Message::parse(&altered).expect("still a message");
        assert!(message.prf.has_prf(Prf::HmacSha1) && !message.prf.has_prf(Prf::HmacSha256));
        assert!(message.integrity.has_integrity(Integrity::HmacSha1_160));
        assert_eq!(
            downgrade(&altered),
            Passage::Pass,
            "nothing is left to weaken"
        );
        assert_eq!(
            downgrade(&altered[..20]),
            Passage::Pass,
            "nor in half a message"
        );
    }
}
