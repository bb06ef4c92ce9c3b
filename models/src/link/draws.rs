//! Small generators for draws whose number depends on luck.

use firmware::Rng as _;

use crate::rng::{Stream, mix};

/// A generator of eight octets: SplitMix64, seeded from a [`Stream`].
///
/// A datagram takes one draw of its stream and repeats its attempts from a generator of its own,
/// so the draws of later datagrams do not depend on how often an earlier one was repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws(u64);

impl Draws {
    /// A generator seeded from the next draw of `stream`.
    pub fn from_stream(stream: &mut Stream) -> Self {
        Self(stream.next_u64())
    }

    /// A generator that `seed` and `number` determine.
    pub const fn numbered(seed: u64, number: u64) -> Self {
        Self(mix(seed ^ mix(number)))
    }

    /// 64 random bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// A uniform number in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Whether an event of the given probability happens; draws once in any case.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// An exponential draw of mean one.
    pub fn exponential(&mut self) -> f64 {
        -libm::log(1.0 - self.unit())
    }
}
