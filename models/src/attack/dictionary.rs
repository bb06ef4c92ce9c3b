//! Guessing a weak pre-shared key from one recorded authentication (RFC 4764 §8.5).
//!
//! MAC_P covers nothing but what travels in clear, so every guess can be tested offline: derive
//! AK, compute the MAC, compare.

use firmware::crypto::{CmacKey, Work};
use firmware::eap::psk::LongTermKeys;

use super::behaviour::{Behaviour, Deed, Order, Scene, Seen};
use super::transcript::{Proof, Told, Transcript};
use crate::dist;
use crate::time::{Duration, Time};

/// Records one authentication and guesses.
#[derive(Debug)]
pub(super) struct Dictionary {
    digits: u8,
    first: u64,
    guesses: u64,
    guess: Duration,
    /// The meter whose authentication is being recorded.
    meter: Option<u32>,
    transcript: Transcript,
    /// When the proof was recorded.
    recorded: Option<Time>,
}

impl Dictionary {
    pub(super) fn new(digits: u8, first: u64, guesses: u64, guess: Duration) -> Self {
        Self {
            digits,
            first,
            guesses,
            guess,
            meter: None,
            transcript: Transcript::default(),
            recorded: None,
        }
    }
}

/// Whether the meter proved knowledge of `psk`.
fn fits(proof: &Proof, psk: &[u8; 16], work: &mut Work) -> bool {
    let keys = LongTermKeys::from_psk(psk, work);
    let mac = CmacKey::new(keys.ak.expose(), work);
    let parts: [&[u8]; 4] = [&proof.id_p, &proof.id_s, &proof.rand_s, &proof.rand_p];
    mac.tag(&parts, work) == proof.mac_p
}

impl Behaviour for Dictionary {
    fn overhear(&mut self, seen: &Seen<'_>, _scene: &mut Scene<'_>) {
        if self.recorded.is_some() || *self.meter.get_or_insert(seen.meter) != seen.meter {
            return;
        }
        if self.transcript.read(seen.octets) == Told::Proof {
            self.recorded = Some(seen.departure);
        }
    }

    fn conclude(&mut self, scene: &mut Scene<'_>) {
        let (Some(recorded), Some(proof)) = (self.recorded, self.transcript.proof.take()) else {
            return;
        };
        let space = 10_u64.saturating_pow(self.digits.into());
        let mut work = Work::NONE;
        let found = (0..self.guesses.min(space)).find(|offset| {
            let number = (self.first + offset) % space;
            fits(&proof, &dist::digits_key(number, self.digits), &mut work)
        });
        let made = found.map_or(self.guesses.min(space), |offset| offset + 1);
        let took = Duration::from_nanos(self.guess.as_nanos().saturating_mul(made));
        scene.orders.push(Order::Note(Deed {
            action: "recover_psk",
            meter: self.meter,
            time: recorded,
            end: Some(recorded + took),
            count: made,
            octets: 0,
            outcome: if found.is_some() {
                "accepted"
            } else {
                "rejected"
            },
            cause: found.is_none().then_some("exhausted"),
        }));
    }
}
