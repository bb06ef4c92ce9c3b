//! What an instance sends: to meters, to relays that they sit behind, to groups and elsewhere.

use core::net::{SocketAddr, SocketAddrV4};

use firmware::headend::GroupTransmit;
use firmware::meter::Channel;

use super::host::InstanceHost;
use super::{Downlink, Trunk};
use crate::concentrator::{called_meter, relayed_peer};
use crate::context::{Exchange, Outgoing};
use crate::datagram::{C1222_PORT, PANA_PORT};
use crate::event::Agenda;
use crate::group;
use crate::link::Direction;
use crate::telemetry::NodeId;
use crate::time::Time;

/// A datagram on its way down.
struct Downward<'a> {
    rank: u32,
    /// From where, to where.
    sockets: (SocketAddrV4, SocketAddrV4),
    octets: &'a [u8],
    retransmission: bool,
    departure: Time,
}

impl<A: Agenda, X: Exchange> InstanceHost<'_, '_, A, X> {
    /// Hands what the software has to send to lanes; it leaves at `departure`.
    pub(super) fn drain_datagrams(&mut self, departure: Time) {
        let fleet = self.context.fleet;
        let mut scratch = core::mem::take(self.context.scratch);
        while let Some(transmit) = self.instance.image.poll_transmit(&mut scratch) {
            let SocketAddr::V4(destination) = transmit.destination else {
                continue;
            };
            let port = match transmit.channel {
                Channel::Pana => PANA_PORT,
                Channel::C1222 => C1222_PORT,
            };
            let source = SocketAddrV4::new(self.instance.address, port);
            let mut rank = self.rank_of(transmit.destination);
            if rank.is_none()
                && let Some(relay) = fleet.concentrator_of_address(*destination.ip())
            {
                // A relay, or a relay element: on the link of the meter behind it.
                let octets = &scratch[..transmit.len];
                rank = match transmit.channel {
                    Channel::Pana => self.rank_of(relayed_peer(transmit.destination, octets)),
                    Channel::C1222 => self.rank_behind(relay, octets),
                };
            }
            let Some(rank) = rank else {
                let octets = &scratch[..transmit.len];
                self.leave_fleet((source, destination), octets, departure);
                continue;
            };
            let out = Downward {
                rank,
                sockets: (source, destination),
                octets: &scratch[..transmit.len],
                retransmission: transmit.retransmission,
                departure,
            };
            self.send_down(&out);
        }
        while let Some(cast) = self.instance.image.poll_group() {
            self.cast(&cast, departure);
        }
        *self.context.scratch = scratch;
    }

    /// The rank of the meter that a message to the C12.22 relay at a concentrator is for.
    ///
    /// What is for the relay itself is on the same link as all of its meters.
    fn rank_behind(&self, concentrator: u32, octets: &[u8]) -> Option<u32> {
        let fleet = self.context.fleet;
        let plan = &fleet.meshes.concentrators[concentrator as usize];
        let behind = |meter: &u32| {
            let home = fleet.meshes.home(*meter);
            home.is_some_and(|home| home.concentrator == concentrator)
        };
        let meter = called_meter(fleet, octets).filter(behind);
        let meter = meter.or(plan.members.first().copied())?;
        (plan.instance == self.instance.index).then(|| fleet.rank_of(meter))
    }

    /// Sends a message to a group: to each member with a link of its own, and once to each
    /// concentrator that has members behind it.
    fn cast(&mut self, cast: &GroupTransmit, departure: Time) {
        let source = SocketAddrV4::new(self.instance.address, C1222_PORT);
        let destination = SocketAddrV4::new(group::ADDRESS, C1222_PORT);
        let mut reached = vec![false; self.instance.trunks.len()];
        for &rank in &cast.members {
            let trunk = self.instance.downlinks[rank as usize].trunk;
            if let Some(trunk) = trunk
                && core::mem::replace(&mut reached[trunk as usize], true)
            {
                continue;
            }
            self.send_down(&Downward {
                rank,
                sockets: (source, destination),
                octets: &cast.octets,
                retransmission: false,
                departure,
            });
        }
    }

    /// Hands a datagram to the lane of a meter or of its concentrator.
    fn send_down(&mut self, down: &Downward<'_>) {
        let fleet = self.context.fleet;
        let meter = fleet.meter_at(self.instance.index, down.rank);
        let Downlink {
            lane,
            trunk,
            link,
            cohort,
            sampled,
            ..
        } = &mut self.instance.downlinks[down.rank as usize];
        let (lane, target) = match trunk {
            Some(trunk) => {
                let Trunk { concentrator, lane } = &mut self.instance.trunks[*trunk as usize];
                (lane, fleet.concentrator_entity(*concentrator))
            }
            None => (lane, meter),
        };
        let out = Outgoing {
            meter,
            link: usize::from(*link),
            cohort: usize::from(*cohort),
            direction: Direction::Down,
            sampled: *sampled,
            source: down.sockets.0,
            destination: down.sockets.1,
            octets: down.octets,
            label: 0,
            retransmission: down.retransmission,
            departure: down.departure,
            sent: down.departure,
            domain: fleet.domain_of_meter(meter),
            target,
            sender: self.instance.entity,
        };
        self.context
            .transmit(lane, &out, self.now, &mut self.instance.posted);
    }

    /// Sends a datagram to an address that no meter has.
    fn leave_fleet(
        &mut self,
        sockets: (SocketAddrV4, SocketAddrV4),
        octets: &[u8],
        departure: Time,
    ) {
        let reached = self.context.reach_attacker(sockets, octets, departure)
            || self.context.leave(sockets, octets, departure);
        if !reached {
            let node = NodeId::Instance(self.instance.index);
            self.context.telemetry.reject(node, "link", "unroutable");
        }
    }
}
