//! What a host lends to a state machine for the length of one call.

use rand_core::Rng;

use crate::crypto::Work;
use crate::time::Instant;

/// Time, randomness and the work counter of one call.
///
/// `now` is read from the clock of the node that runs the code, which may drift against the
/// clocks of other nodes; it never decreases from call to call.
pub struct Env<'a> {
    /// Local time of the node.
    pub now: Instant,
    /// Source of nonces, random challenges and retransmission jitter.
    pub rng: &'a mut dyn Rng,
    /// Cryptographic work done so far; calls add to it.
    pub work: &'a mut Work,
}

impl<'a> Env<'a> {
    /// Bundles the three loans.
    pub fn new(now: Instant, rng: &'a mut dyn Rng, work: &'a mut Work) -> Self {
        Self { now, rng, work }
    }

    /// An array of random octets.
    pub fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut octets = [0; N];
        self.rng.fill_bytes(&mut octets);
        octets
    }
}

impl core::fmt::Debug for Env<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Env")
            .field("now", &self.now)
            .field("work", &self.work)
            .finish_non_exhaustive()
    }
}
