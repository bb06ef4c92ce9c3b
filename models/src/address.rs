//! The network addresses of a fleet.
//!
//! Every node can work out the address of every other one: meters, instances and concentrators
//! have consecutive addresses from a first one, attackers those of a network that is not routed
//! (RFC 6598). In a run the first addresses are private ones (RFC 1918); live endpoints have
//! addresses on which their host really receives.

use core::net::{Ipv4Addr, SocketAddrV4};

use firmware::c1222::aptitle::{ApTitle, NETWORK_ROOT};

use crate::datagram::{C1222_PORT, PANA_PORT};
use crate::fleet::Fleet;

/// Meters that the address plan has room for: 10.0.0.0/8 without the first and last address.
pub const METERS_MAX: u32 = (1 << 24) - 2;
/// Instances that the address plan has room for: 172.16.0.0/16.
pub const INSTANCES_MAX: u32 = 65_534;
/// Concentrators that the address plan has room for: 172.17.0.0 to 172.31.255.255.
pub const CONCENTRATORS_MAX: u32 = 15 << 16;

/// First address of 100.64.0.0/10, where attackers have theirs (RFC 6598).
const ATTACKER_NETWORK: u32 = 0x6440_0000;
/// Addresses of one attacker.
const ATTACKER_ADDRESSES: u32 = 1 << 14;
/// Attackers that the address plan has room for.
pub const ATTACKERS_MAX: u32 = 1 << 8;

/// The first address of each kind of node; the others follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressPlan {
    /// Of meters.
    pub meters: Ipv4Addr,
    /// Of instances of the head-end.
    pub instances: Ipv4Addr,
    /// Of concentrators.
    pub concentrators: Ipv4Addr,
}

impl Default for AddressPlan {
    /// 10.0.0.1, 172.16.0.1 and 172.17.0.0.
    fn default() -> Self {
        Self {
            meters: Ipv4Addr::new(10, 0, 0, 1),
            instances: Ipv4Addr::new(172, 16, 0, 1),
            concentrators: Ipv4Addr::new(172, 17, 0, 0),
        }
    }
}

/// The place of `address` among the `count` addresses from `first`.
fn place(address: Ipv4Addr, first: Ipv4Addr, count: u32) -> Option<u32> {
    let place = address.to_bits().checked_sub(first.to_bits())?;
    (place < count).then_some(place)
}

impl Fleet {
    /// The network address of `meter`.
    pub fn meter_address(&self, meter: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.addresses.meters.to_bits() + meter)
    }

    /// The meter with the network address `address`.
    pub fn meter_of_address(&self, address: Ipv4Addr) -> Option<u32> {
        place(address, self.addresses.meters, self.meters())
    }

    /// The network address of an instance.
    pub fn instance_address(&self, instance: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.addresses.instances.to_bits() + instance)
    }

    /// The instance with the network address `address`.
    pub fn instance_of_address(&self, address: Ipv4Addr) -> Option<u32> {
        place(address, self.addresses.instances, self.headend.instances)
    }

    /// The network address of a concentrator.
    pub fn concentrator_address(&self, concentrator: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.addresses.concentrators.to_bits() + concentrator)
    }

    /// The concentrator with the network address `address`.
    pub fn concentrator_of_address(&self, address: Ipv4Addr) -> Option<u32> {
        place(address, self.addresses.concentrators, self.meshes.len())
    }

    /// The meter with the C12.22 title `title`, relative titles being below `base`.
    pub fn meter_of_title(&self, title: ApTitle<'_>, base: &[u8]) -> Option<u32> {
        let mut arcs = title.arcs_below(base, &NETWORK_ROOT)?;
        let (group, number) = (arcs.next()?, arcs.next()?);
        let meter = u32::try_from(number).ok()?.checked_sub(1)?;
        let own = arcs.next().is_none() && meter < self.meters();
        (own && [group, number] == Self::title_arcs(meter).map(u64::from)).then_some(meter)
    }

    /// Where the C12.22 messages of `meter` go: to the relay that it sits behind, if there is one,
    /// else to the instance that serves it.
    pub fn c1222_host(&self, meter: u32) -> Ipv4Addr {
        let home = self.meshes.home(meter);
        let relay = home.filter(|home| self.meshes.kind_of(home.concentrator).relay.is_some());
        relay.map_or_else(
            || self.instance_address(self.instance_of(meter)),
            |home| self.concentrator_address(home.concentrator),
        )
    }

    /// The network address of a member of an attacker.
    pub const fn attacker_address(&self, attacker: u32, member: u32) -> Ipv4Addr {
        let host = attacker * ATTACKER_ADDRESSES + member % ATTACKER_ADDRESSES;
        Ipv4Addr::from_bits(ATTACKER_NETWORK + host)
    }

    /// The attacker with the network address `address`, and which of its members.
    pub fn attacker_of_address(&self, address: Ipv4Addr) -> Option<(u32, u32)> {
        let host = address.to_bits().checked_sub(ATTACKER_NETWORK)?;
        let (attacker, member) = (host / ATTACKER_ADDRESSES, host % ATTACKER_ADDRESSES);
        (attacker < self.attackers.len() as u32).then_some((attacker, member))
    }

    /// The socket on which an instance or a meter at `address` speaks PANA.
    pub const fn pana_socket(address: Ipv4Addr) -> SocketAddrV4 {
        SocketAddrV4::new(address, PANA_PORT)
    }

    /// The socket on which an instance or a meter at `address` speaks C12.22.
    pub const fn c1222_socket(address: Ipv4Addr) -> SocketAddrV4 {
        SocketAddrV4::new(address, C1222_PORT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_one_of_so_many_from_the_first() {
        let first = Ipv4Addr::new(10, 0, 0, 1);
        assert_eq!(place(Ipv4Addr::new(10, 0, 0, 1), first, 2), Some(0));
        assert_eq!(place(Ipv4Addr::new(10, 0, 0, 2), first, 2), Some(1));
        assert_eq!(place(Ipv4Addr::new(10, 0, 0, 3), first, 2), None);
        assert_eq!(place(Ipv4Addr::new(10, 0, 0, 0), first, 2), None);
    }
}
