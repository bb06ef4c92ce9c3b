//! A limit on the rate of datagrams by the network that they come from.
//!
//! Whoever floods an agent with PCI forges their sources, but seldom those of networks that meters
//! are in. The memory is fixed: networks share places, so a flood costs those that happen to
//! share with it, and nobody else.

use alloc::boxed::Box;
use alloc::vec;
use core::hash::{BuildHasher as _, Hasher as _};
use core::net::IpAddr;

use super::config::PciLimit;
use super::enforce::FixedState;
use crate::time::Instant;

/// Places for networks.
const PLACES: usize = 4_096;

/// One token bucket for each place, kept as the time at which it is full again.
#[derive(Debug)]
pub(super) struct Limiter {
    limit: PciLimit,
    full_at: Box<[Instant]>,
}

impl Limiter {
    pub(super) fn new(limit: PciLimit) -> Self {
        Self {
            limit,
            full_at: vec![Instant::ZERO; PLACES].into_boxed_slice(),
        }
    }

    /// Takes a token of the network of `source`; false if there is none at `now`.
    pub(super) fn admits(&mut self, source: IpAddr, now: Instant) -> bool {
        let every = self.limit.every;
        let place = self.place_of(source);
        let full_at = &mut self.full_at[place];
        let from = (*full_at).max(now);
        // Of `burst` tokens, each one that is gone moves the time by `every`.
        let next = from + every;
        if next > now + every.scaled(self.limit.burst.max(1).into(), 1) {
            return false;
        }
        *full_at = next;
        true
    }

    fn place_of(&self, source: IpAddr) -> usize {
        let (bits, width) = match source {
            IpAddr::V4(ip) => (u128::from(ip.to_bits()), 32),
            IpAddr::V6(ip) => (ip.to_bits(), 128),
        };
        let host_bits = width - u32::from(self.limit.prefix_len).min(width);
        let network = bits.checked_shr(host_bits).unwrap_or(0);
        let mut hasher = FixedState::default().build_hasher();
        hasher.write(&network.to_le_bytes());
        (hasher.finish() >> 32) as usize % PLACES
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;
    use crate::time::Duration;

    fn limiter(prefix_len: u8) -> Limiter {
        Limiter::new(PciLimit {
            prefix_len,
            every: Duration::from_secs(2),
            burst: 3,
        })
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn a_network_may_send_a_burst_and_then_one_in_each_period() {
        let mut limiter = limiter(24);
        let source = |host| IpAddr::V4(Ipv4Addr::new(10, 0, 0, host));
        let burst = [1, 2, 3, 4].map(|host| limiter.admits(source(host), at(100)));
        assert_eq!(burst, [true, true, true, false]);
        let later = [101, 102, 103, 104].map(|second| limiter.admits(source(9), at(second)));
        assert_eq!(later, [false, true, false, true]);
        // After a long silence it is a burst again, not more.
        let admitted = (0..10).filter(|_| limiter.admits(source(1), at(9_000)));
        assert_eq!(admitted.count(), 3);
        let other = IpAddr::V4(Ipv4Addr::new(10, 0, 1, 1));
        assert!(limiter.admits(other, at(9_000)), "another network");
    }

    #[test]
    fn the_prefix_says_who_shares() {
        let sources = [[10, 0, 0, 1], [10, 0, 7, 1], [10, 9, 0, 1], [99, 0, 0, 1]];
        let sources = sources.map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
        for (prefix_len, places) in [(0, 1), (8, 2), (16, 3), (32, 4), (255, 4)] {
            let limiter = limiter(prefix_len);
            let mut known = sources.map(|source| limiter.place_of(source)).to_vec();
            known.sort_unstable();
            known.dedup();
            assert_eq!(known.len(), places, "{prefix_len}");
        }
    }
}
