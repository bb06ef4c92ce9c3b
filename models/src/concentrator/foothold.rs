//! What attackers at stations of a segment see, and what becomes of datagrams in their hands.

use super::host::direction;
use super::{ConcentratorHost, is_for_relay, message_range};
use crate::attack::{Intercepted, Place, Seen};
use crate::context::{Exchange, Kind, event};
use crate::datagram::{Handle, MessageType};
use crate::event::Agenda;
use crate::fleet::Fleet;
use crate::link::segment::{Fate, Held};
use crate::link::{Direction, Link as _, StationId};
use crate::time::Duration;

impl<A: Agenda, X: Exchange> ConcentratorHost<'_, '_, A, X> {
    /// A forged datagram enters the medium at the station of its author.
    pub fn inject(&mut self, handle: Handle) {
        let datagram = self.context.pool.get_mut(handle);
        let (label, destination) = (datagram.label, *datagram.destination.ip());
        let meter = self.context.fleet.meter_of_address(destination);
        let to = meter.map_or(Some(StationId::ROOT), |meter| self.station_of(meter));
        match (self.context.attackers.entrance(label), to) {
            (Some(from), Some(to)) => self.send(from, to, handle),
            _ => self.discard(handle, "no_route"),
        }
    }

    /// A station of an attacker forwards what it has held.
    pub fn release(&mut self, held: Held) {
        self.concentrator.segment.release(self.now, held);
        self.settle();
    }

    /// Has attackers decide about what their stations are about to forward.
    pub(super) fn decide(&mut self) {
        while let Some(custody) = self.concentrator.segment.poll_custody() {
            self.overhear();
            let fate = self.intercept(Handle(custody.packet.token), custody.at);
            let release = self.now + fate.delay;
            let decision = if fate.dropped {
                Fate::Drop
            } else if fate.delay.is_zero() {
                Fate::Forward
            } else {
                Fate::Hold
            };
            let segment = &mut self.concentrator.segment;
            if let Some(held) = segment.resume(self.now, custody, decision)
                && release.0 < self.context.fleet.duration.as_nanos()
            {
                let (entity, posted) = (self.concentrator.entity, &mut self.concentrator.posted);
                let kind = Kind::Release;
                let event = event(release, kind, entity, entity, posted, held.payload());
                self.context.agenda.post(event);
            }
            self.concentrator.segment.handle_timeout(self.now);
        }
    }

    /// Shows attackers what their stations have heard.
    pub(super) fn overhear(&mut self) {
        while let Some(heard) = self.concentrator.segment.poll_heard() {
            self.show(Handle(heard.packet.token), heard.by, |host, seen| {
                let (agenda, pool) = (&mut *host.context.agenda, &mut *host.context.pool);
                let attackers = &mut host.context.attackers;
                attackers.overhear(seen, host.context.fleet, agenda, pool);
            });
        }
    }

    /// Leads a datagram past the relay element of `station`; returns how long it is held, or
    /// nothing if it ends there.
    pub(super) fn relay_past_attackers(
        &mut self,
        handle: Handle,
        station: StationId,
    ) -> Option<Duration> {
        if !self.concentrator.segment.is_compromised(station) {
            return Some(Duration::ZERO);
        }
        let datagram = self.context.pool.get_mut(handle);
        if !is_for_relay(self.context.fleet, datagram.source, &datagram.octets) {
            return Some(Duration::ZERO);
        }
        let fate = self.intercept(handle, station);
        (!fate.dropped).then_some(fate.delay)
    }

    /// Notes that a jammer ended a datagram, if one did.
    pub(super) fn note_jammed(&mut self, handle: Handle, attacker: Option<u32>) {
        if let Some(attacker) = attacker {
            self.show(handle, StationId::ROOT, |host, seen| {
                let (attackers, fleet) = (&mut host.context.attackers, host.context.fleet);
                attackers.note_jammed(attacker, seen, fleet);
            });
        }
    }

    /// Leads a datagram through the hands of the attackers at `station`.
    fn intercept(&mut self, handle: Handle, station: StationId) -> Intercepted {
        let fate = self.show(handle, station, |host, seen| {
            let (agenda, pool) = (&mut *host.context.agenda, &mut *host.context.pool);
            let attackers = &mut host.context.attackers;
            attackers.intercept(seen, host.context.fleet, agenda, pool)
        });
        let Some(mut fate) = fate else {
            return Intercepted::default();
        };
        let datagram = self.context.pool.get_mut(handle);
        datagram.label = fate.label;
        if let Some(octets) = fate.octets.take() {
            let range = message_range(datagram.destination.port(), &datagram.octets);
            datagram.octets[range].copy_from_slice(&octets);
        }
        fate
    }

    /// Calls `act` with a datagram as seen at `station`, unless no meter is at either end of it.
    fn show<R>(
        &mut self,
        handle: Handle,
        station: StationId,
        act: impl FnOnce(&mut Self, &Seen<'_>) -> R,
    ) -> Option<R> {
        let fleet: &Fleet = self.context.fleet;
        let concentrator = self.concentrator.index;
        let datagram = self.context.pool.get_mut(handle);
        let (source, destination) = (datagram.source, datagram.destination);
        let (label, sent) = (datagram.label, datagram.sent);
        let direction = direction(fleet, datagram);
        let octets = core::mem::take(&mut datagram.octets);
        let range = message_range(destination.port(), &octets);
        let address = match (super::inside(&octets), direction) {
            (Some((pac, _)), _) if range.start > 0 => *pac.ip(),
            (_, Direction::Up) => *source.ip(),
            (_, Direction::Down) => *destination.ip(),
        };
        let result = fleet.meter_of_address(address).map(|meter| {
            let message = &octets[range];
            let seen = Seen {
                place: Place::Station {
                    concentrator,
                    station,
                    handle,
                    sent,
                },
                label,
                meter,
                direction,
                kind: MessageType::classify(destination.port(), message),
                source,
                destination,
                departure: self.now,
                octets: message,
                wire: &octets,
            };
            act(self, &seen)
        });
        self.context.pool.get_mut(handle).octets = octets;
        result
    }
}
