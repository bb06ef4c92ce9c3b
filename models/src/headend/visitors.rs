//! Meters that are not where the address plan has them.
//!
//! A real meter, or one behind a translator of addresses, is known by its identity. Once it has
//! authenticated, what comes from its address is its own, and what goes there is for it. An attacker
//! with a meter's identity settles nowhere: what goes to its address must not reach the meter.

use core::net::Ipv4Addr;
use std::collections::BTreeMap;

/// Addresses of meters outside of the address plan: one of each meter at most.
#[derive(Debug, Default)]
pub struct Visitors {
    ranks: BTreeMap<Ipv4Addr, u32>,
    addresses: BTreeMap<u32, Ipv4Addr>,
}

impl Visitors {
    /// The meter with `rank` has authenticated from `address`.
    pub fn settle(&mut self, rank: u32, address: Ipv4Addr) {
        if let Some(earlier) = self.addresses.insert(rank, address)
            && self.ranks.get(&earlier) == Some(&rank)
        {
            self.ranks.remove(&earlier);
        }
        self.ranks.insert(address, rank);
    }

    /// The meter that has authenticated last from `address`.
    pub fn rank_at(&self, address: Ipv4Addr) -> Option<u32> {
        self.ranks.get(&address).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_has_one_address_and_an_address_its_latest_meter() {
        let [here, there] = [1, 2].map(|host| Ipv4Addr::new(192, 0, 2, host));
        let mut visitors = Visitors::default();
        visitors.settle(7, here);
        assert_eq!(visitors.rank_at(here), Some(7));
        visitors.settle(7, there);
        assert_eq!(
            [visitors.rank_at(here), visitors.rank_at(there)],
            [None, Some(7)]
        );
        visitors.settle(8, there);
        visitors.settle(7, here);
        assert_eq!(
            [visitors.rank_at(here), visitors.rank_at(there)],
            [Some(7), Some(8)]
        );
    }
}
