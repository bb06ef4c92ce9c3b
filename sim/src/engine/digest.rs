//! The digest of a trajectory.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

use models::event::Event;

/// Odd constants with balanced bits, one per multiplication.
const MIX: [u64; 6] = [
    0xa076_1d64_78bd_642f,
    0xe703_7ed1_a0b4_28db,
    0x8ebc_6af0_9c88_c6e3,
    0x5899_65cc_7537_4cc3,
    0x1d8e_4e27_c47d_124f,
    0xeb44_acca_b455_d165,
];

/// What happened in a run, in 128 bits.
///
/// The digest is a sum over events, so it depends neither on the partition into domains nor on the
/// order in which domains advance. It tells accidents apart, not attacks: it is no cryptographic
/// hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Digest(u128);

impl Digest {
    /// Adds an event that happened: its key, its kind and what it carried.
    ///
    /// The payload of the event is left out since it may be a handle into storage of a domain;
    /// `fingerprint` stands for what the handle leads to.
    #[inline]
    pub fn add_event(&mut self, event: &Event, fingerprint: u64) {
        let parties = u64::from(event.target) << 32 | u64::from(event.source);
        let sort = u64::from(event.phase) << 8 | u64::from(event.kind);
        let serial = u64::from(event.sequence) << 32 | sort;
        self.add_words([event.time.0, parties, serial, fingerprint]);
    }

    /// Adds a record of four words, for instance a final counter with its name.
    #[inline]
    pub fn add_words(&mut self, [a, b, c, d]: [u64; 4]) {
        let left = fold(a ^ MIX[0], b ^ MIX[1]);
        let right = fold(c ^ MIX[2], d ^ MIX[3]);
        // The plain words go in once more, in another arrangement, since a fold loses everything
        // when one of its factors happens to be zero.
        let low = fold(left ^ MIX[4] ^ d, right.rotate_left(32) ^ a);
        let high = fold(right ^ MIX[5] ^ b, left.rotate_left(29) ^ c);
        self.0 = self
            .0
            .wrapping_add(u128::from(high) << 64 | u128::from(low));
    }
}

impl Add for Digest {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }
}

impl Sub for Digest {
    type Output = Self;

    /// The digest without the events of `other`.
    fn sub(self, other: Self) -> Self {
        Self(self.0.wrapping_sub(other.0))
    }
}

impl AddAssign for Digest {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for Digest {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), Add::add)
    }
}

impl fmt::Display for Digest {
    /// 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The two halves of the product, combined.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use models::time::Time;

    use super::*;

    const EVENT: Event = Event {
        time: Time(7),
        target: 1,
        source: 2,
        sequence: 3,
        phase: 4,
        kind: 5,
        payload: 6,
    };

    fn of(event: Event, fingerprint: u64) -> Digest {
        let mut digest = Digest::default();
        digest.add_event(&event, fingerprint);
        digest
    }

    #[test]
    fn every_bit_of_an_event_changes_about_half_of_the_digest() {
        let mut variants = Vec::new();
        for bit in 0..64 {
            variants.push(of(EVENT, 9 ^ 1 << bit));
            let mut event = EVENT;
            event.time.0 ^= 1 << bit;
            variants.push(of(event, 9));
        }
        for bit in 0..32 {
            let flip = 1 << bit;
            let (mut target, mut source, mut sequence) = (EVENT, EVENT, EVENT);
            target.target ^= flip;
            source.source ^= flip;
            sequence.sequence ^= flip;
            variants.extend([target, source, sequence].map(|event| of(event, 9)));
        }
        for bit in 0..8 {
            let (mut phase, mut kind) = (EVENT, EVENT);
            phase.phase ^= 1 << bit;
            kind.kind ^= 1 << bit;
            variants.extend([phase, kind].map(|event| of(event, 9)));
        }
        for variant in &variants {
            let flipped = (variant.0 ^ of(EVENT, 9).0).count_ones();
            assert!((32..=96).contains(&flipped), "{flipped} bits of 128");
        }
        let distinct: HashSet<_> = variants.iter().collect();
        assert_eq!(distinct.len(), variants.len());
    }

    #[test]
    fn the_payload_handle_does_not_count() {
        let moved = Event {
            payload: 1234,
            ..EVENT
        };
        assert_eq!(of(moved, 9), of(EVENT, 9));
    }

    #[test]
    fn exchanging_fields_between_events_is_seen() {
        let other = Event {
            time: Time(8),
            target: 11,
            ..EVENT
        };
        let straight = of(EVENT, 1) + of(other, 2);
        let crossed = of(EVENT, 2) + of(other, 1);
        assert_ne!(straight, crossed);
        assert_eq!(straight, of(other, 2) + of(EVENT, 1));
        assert_eq!(straight - of(other, 2), of(EVENT, 1));
    }

    #[test]
    fn small_counters_do_not_collide() {
        let mut seen = HashSet::new();
        for a in 0..40 {
            for b in 0..40 {
                for c in 0..40 {
                    let mut digest = Digest::default();
                    digest.add_words([a, b, c, 0]);
                    assert!(seen.insert(digest.0 as u64), "low half of {a} {b} {c}");
                }
            }
        }
    }

    #[test]
    fn display_is_32_hexadecimal_digits() {
        assert_eq!(Digest::default().to_string(), "0".repeat(32));
        assert_eq!(of(EVENT, 9).to_string().len(), 32);
    }
}
