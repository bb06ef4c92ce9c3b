//! What a meter sends: onto a link of its own, through its cell, or onto a shared medium.

use core::net::SocketAddrV4;

use firmware::meter::Channel;

use super::{Held, MeterHost};
use crate::context::{Exchange, Kind, Outgoing, event, message_record};
use crate::datagram::{self, C1222_PORT, MessageType, PANA_PORT};
use crate::event::Agenda;
use crate::fleet::Fleet;
use crate::link::Direction;
use crate::telemetry::NodeId;
use crate::time::Time;

/// Datagrams that a modem holds while it waits for access.
const WAITING_MAX: usize = 16;

impl<A: Agenda, X: Exchange> MeterHost<'_, '_, '_, '_, A, X> {
    /// Sends what the firmware has to send; it leaves at `departure`.
    pub(super) fn drain_datagrams(&mut self, departure: Time) {
        let placement = *self.meter.placement;
        let fleet: &Fleet = self.context.fleet;
        let instance = fleet.instance_address(placement.instance);
        let host = placement
            .concentrator
            .map_or(instance, |_| fleet.c1222_host(placement.meter));
        let mut scratch = core::mem::take(self.context.scratch);
        while let Some(transmit) = self.meter.firmware.image.poll_transmit(&mut scratch) {
            let (port, peer) = match transmit.channel {
                Channel::Pana => (PANA_PORT, instance),
                Channel::C1222 => (C1222_PORT, host),
            };
            self.meter.processor.sent += 1;
            if self.is_severed() {
                let node = NodeId::Meter(placement.meter);
                self.context
                    .telemetry
                    .reject(node, "link", "access_unpowered");
                continue;
            }
            if transmit.channel == Channel::Pana
                && let Some(attempt) = &mut self.meter.firmware.attempt
            {
                attempt.sent(transmit.len, transmit.retransmission);
            }
            let octets = &scratch[..transmit.len];
            let asker = self
                .asker
                .filter(|_| transmit.channel == Channel::C1222 && datagram::is_response(octets));
            let sockets = (
                SocketAddrV4::new(placement.address, port),
                asker.unwrap_or(SocketAddrV4::new(peer, port)),
            );
            if placement.concentrator.is_some() {
                let repeated = u32::from(transmit.retransmission);
                self.context.repetitions = self.context.repetitions.wrapping_add(repeated);
                let (source, destination) = sockets;
                let handle = self
                    .context
                    .pool
                    .insert(source, destination, departure, octets);
                if transmit.channel == Channel::C1222 {
                    // The last message of an authentication goes first, to the relay element.
                    self.update_admission(departure);
                }
                self.offer(handle, departure);
                continue;
            }
            if let Some(cell) = placement.cell
                && (self.meter.uplink.lane.is_idle(departure)
                    || !self.meter.uplink.waiting.is_empty())
            {
                self.hold(cell, sockets, octets, transmit.retransmission, departure);
                continue;
            }
            let times = (departure, departure);
            self.transmit(sockets, octets, transmit.retransmission, times);
        }
        *self.context.scratch = scratch;
    }

    /// Hands a datagram to the lane: it leaves and was sent at `times`.
    fn transmit(
        &mut self,
        (source, destination): (SocketAddrV4, SocketAddrV4),
        octets: &[u8],
        retransmission: bool,
        (departure, sent): (Time, Time),
    ) {
        let placement = *self.meter.placement;
        let fleet: &Fleet = self.context.fleet;
        let out = Outgoing {
            meter: placement.meter,
            link: usize::from(placement.link),
            cohort: usize::from(placement.cohort),
            direction: Direction::Up,
            sampled: placement.sampled,
            source,
            destination,
            octets,
            label: 0,
            retransmission,
            departure,
            sent,
            domain: fleet.domain_of_instance(placement.instance),
            target: fleet.instance_entity(placement.instance),
            sender: placement.meter,
        };
        let lane = &mut self.meter.uplink.lane;
        self.context
            .transmit(lane, &out, self.now, &mut self.meter.processor.posted);
    }

    /// Keeps a datagram until the cell has given access, and asks for it if nobody has yet.
    fn hold(
        &mut self,
        cell: u32,
        (source, destination): (SocketAddrV4, SocketAddrV4),
        octets: &[u8],
        retransmission: bool,
        departure: Time,
    ) {
        let pool = &mut *self.context.pool;
        let handle = pool.insert(source, destination, departure, octets);
        let held = Held {
            handle,
            retransmission,
        };
        let waiting = &mut self.meter.uplink.waiting;
        if waiting.len() == WAITING_MAX {
            self.drop_held(held, "queue_full");
            return;
        }
        waiting.push(held);
        if waiting.len() == 1 {
            let (meter, posted) = (self.meter.placement.meter, &mut self.meter.processor.posted);
            let request = event(departure, Kind::Request, cell, meter, posted, 0);
            self.context.agenda.post(request);
        }
    }

    /// The cell has answered: what has waited leaves now, or never.
    pub fn access(&mut self, granted: bool) {
        if !granted {
            self.drop_waiting("access_refused");
            return;
        }
        for held in core::mem::take(&mut self.meter.uplink.waiting) {
            let datagram = self.context.pool.get_mut(held.handle);
            let sockets = (datagram.source, datagram.destination);
            let (octets, sent) = (core::mem::take(&mut datagram.octets), datagram.sent);
            let times = (self.now.max(sent), sent);
            self.transmit(sockets, &octets, held.retransmission, times);
            self.context.pool.get_mut(held.handle).octets = octets;
            self.context.pool.release(held.handle);
        }
    }

    /// Ends everything that waits for access.
    pub(super) fn drop_waiting(&mut self, cause: &'static str) {
        for held in core::mem::take(&mut self.meter.uplink.waiting) {
            self.drop_held(held, cause);
        }
    }

    fn drop_held(&mut self, held: Held, cause: &'static str) {
        let meter = self.meter.placement.meter;
        let telemetry = &mut *self.context.telemetry;
        telemetry.reject(NodeId::Meter(meter), "link", cause);
        let datagram = self.context.pool.get_mut(held.handle);
        let kind = MessageType::classify(datagram.destination.port(), &datagram.octets);
        let application = kind.is_application();
        if application && self.meter.placement.sampled {
            let times = (datagram.sent, self.now.max(datagram.sent));
            let message = (kind, &datagram.octets[..]);
            let record = message_record(meter, Direction::Up, message, times, cause);
            self.context.telemetry.messages.push(record);
        }
        self.context.pool.release(held.handle);
    }
}
