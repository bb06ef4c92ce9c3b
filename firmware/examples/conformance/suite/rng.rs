//! Random numbers as a vector prescribes them.

use core::convert::Infallible;
use std::collections::VecDeque;

use firmware::Rng;
use rand_core::TryRng;

/// Yields the given octets and panics beyond their end.
#[derive(Clone, Default)]
pub(super) struct ScriptedRng(VecDeque<u8>);

impl ScriptedRng {
    /// A source of `octets`, in order.
    pub(super) fn new(octets: &[u8]) -> Self {
        Self(octets.iter().copied().collect())
    }
}

impl TryRng for ScriptedRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut octets = [0; 4];
        self.fill_bytes(&mut octets);
        Ok(u32::from_le_bytes(octets))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut octets = [0; 8];
        self.fill_bytes(&mut octets);
        Ok(u64::from_le_bytes(octets))
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Infallible> {
        for octet in octets {
            *octet = self
                .0
                .pop_front()
                .expect("more random octets were drawn than the vector has");
        }
        Ok(())
    }
}
