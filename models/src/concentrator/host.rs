//! The host of a concentrator: what happens to it in each kind of event.

use core::net::{SocketAddr, SocketAddrV4};

use firmware::pana::relay;

use super::forwarder::called_meter;
use super::{Admission, Concentrator, inside, is_answer, is_relayed};
use crate::capture::{Candidate, Fate, Passage};
use crate::context::{Context, Exchange, Kind, Outgoing, Verdict, event, is_c1222, message_record};
use crate::datagram::{Datagram, Handle, MessageType, PANA_PORT};
use crate::event::Agenda;
use crate::fleet::Fleet;
use crate::group;
use crate::link::segment::FloodNews;
use crate::link::{Cause, Direction, Effort, Link as _, Outcome, Packet, StationId};
use crate::telemetry::NodeId;
use crate::time::Time;

/// A concentrator in the hands of the handler of one event.
pub struct ConcentratorHost<'h, 'c, A, X: Exchange> {
    /// The concentrator.
    pub concentrator: &'h mut Concentrator,
    /// The tools.
    pub context: &'h mut Context<'c, A, X>,
    /// The time of the event.
    pub now: Time,
}

impl<A: Agenda, X: Exchange> ConcentratorHost<'_, '_, A, X> {
    /// The meter `sender` hands a datagram to the medium.
    pub fn offer(&mut self, handle: Handle, sender: u32) {
        let Some(from) = self.station_of(sender) else {
            return self.discard(handle, Cause::NoRoute.name());
        };
        let datagram = self.context.pool.get_mut(handle);
        let destination = datagram.destination;
        // An answer goes back the way of the request, for which the head-end holds the session.
        let back = destination.port() == PANA_PORT
            && self.concentrator.relayed[from.0 as usize]
            && is_answer(&datagram.octets);
        let direct = self.concentrator.segment.is_admitted(from) && !back;
        let to = match self.context.fleet.meter_of_address(*destination.ip()) {
            // A relay element passes something on to a neighbour.
            Some(meter) => self.station_of(meter).inspect(|station| {
                self.concentrator.relayed[station.0 as usize] = true;
            }),
            None if direct => Some(StationId::ROOT),
            None if is_c1222(destination.port()) => {
                return self.discard(handle, "access_closed");
            }
            None => self.relay_element(handle, from),
        };
        match to {
            Some(to) => self.send(from, to, handle),
            None => self.discard(handle, Cause::NoRoute.name()),
        }
    }

    /// A datagram of the head-end arrives.
    pub fn arrive(&mut self, handle: Handle) {
        if !self.concentrator.mains.running {
            return self.discard(handle, "unpowered");
        }
        let profile = &self.context.fleet.links[self.concentrator.backhaul];
        self.concentrator.uplink.keep_up(&profile.up, self.now);
        let datagram = self.context.pool.get_mut(handle);
        let relayed = *datagram.destination.ip() == self.concentrator.address;
        if relayed && is_c1222(datagram.destination.port()) {
            return self.relay_c1222(handle);
        }
        let pana = datagram.destination.port() == PANA_PORT;
        if relayed {
            // The head-end talks to a meter through the relay element here.
            let Some((pac, range)) = inside(&datagram.octets) else {
                return self.discard(handle, "relay_malformed");
            };
            datagram.octets.truncate(range.end);
            datagram.octets.drain(..range.start);
            datagram.destination = pac;
        }
        let destination = *datagram.destination.ip();
        if destination == group::ADDRESS {
            return self.flood(handle);
        }
        let meter = self.context.fleet.meter_of_address(destination);
        match meter.and_then(|meter| self.station_of(meter)) {
            Some(station) => {
                if pana {
                    self.concentrator.relayed[station.0 as usize] = relayed;
                }
                self.send(StationId::ROOT, station, handle);
            }
            None => self.discard(handle, Cause::NoRoute.name()),
        }
    }

    /// Something is due on the medium.
    pub fn wake(&mut self) {
        if self.concentrator.wake != self.now {
            return;
        }
        self.concentrator.wake = Time::FAR_FUTURE;
        self.concentrator.segment.handle_timeout(self.now);
        self.decide();
        self.settle();
    }

    /// The station of meter `sender` starts, stops, or is admitted.
    pub fn admit(&mut self, sender: u32, admission: Admission) {
        let Some(station) = self.station_of(sender) else {
            return;
        };
        let segment = &mut self.concentrator.segment;
        segment.set_admitted(station, admission == Admission::Admitted);
        segment.set_power(self.now, station, admission != Admission::Off);
        self.settle();
    }

    pub(super) fn station_of(&self, meter: u32) -> Option<StationId> {
        let home = self.context.fleet.meshes.home(meter)?;
        (home.concentrator == self.concentrator.index).then_some(StationId(home.station))
    }

    /// Finds the relay element of a station that has not been admitted, and addresses it.
    fn relay_element(&mut self, handle: Handle, from: StationId) -> Option<StationId> {
        let datagram = self.context.pool.get_mut(handle);
        let kind = MessageType::classify(datagram.destination.port(), &datagram.octets);
        let fresh = kind == MessageType::Pci;
        let relay = self.concentrator.segment.relay_for(from, fresh)?;
        let address = match relay {
            StationId::ROOT => self.concentrator.address,
            StationId(station) => {
                let plan = &self.context.fleet.meshes.concentrators;
                let members = &plan[self.concentrator.index as usize].members;
                self.context
                    .fleet
                    .meter_address(members[station as usize - 1])
            }
        };
        self.context.pool.get_mut(handle).destination = SocketAddrV4::new(address, PANA_PORT);
        Some(relay)
    }

    pub(super) fn send(&mut self, from: StationId, to: StationId, handle: Handle) {
        let packet = Packet {
            from,
            to,
            payload: self.context.pool.get_mut(handle).octets.len() as u32,
            token: handle.0,
        };
        self.concentrator.segment.send(self.now, packet);
        self.settle();
    }

    /// Lets outcomes take effect and makes sure that the next step on the medium is noticed.
    pub(super) fn settle(&mut self) {
        self.overhear();
        while let Some(outcome) = self.concentrator.segment.poll_outcome() {
            let handle = Handle(outcome.packet.token);
            self.account(handle, &outcome);
            match outcome.result {
                Err(cause) => self.discard(handle, cause.name()),
                Ok(()) if outcome.packet.to == StationId::ROOT => self.forward(handle),
                Ok(()) => self.hand_over(handle, outcome.packet.to),
            }
        }
        self.settle_floods();
        let end = Time(self.context.fleet.duration.as_nanos());
        let Some(due) = self.concentrator.segment.poll_timeout() else {
            return;
        };
        if due < self.concentrator.wake && due < end {
            self.concentrator.wake = due;
            let (entity, posted) = (self.concentrator.entity, &mut self.concentrator.posted);
            let event = event(due, Kind::Medium, entity, entity, posted, 0);
            self.context.agenda.post(event);
        }
    }

    /// A message to a group is forwarded by everybody.
    fn flood(&mut self, handle: Handle) {
        let Some(plan) = self.context.fleet.groups.first() else {
            return self.discard(handle, Cause::NoRoute.name());
        };
        let payload = self.context.pool.get_mut(handle).octets.len();
        let trickle = plan.trickle;
        let segment = &mut self.concentrator.segment;
        segment.flood(self.now, handle.0, payload, trickle);
        segment.handle_timeout(self.now);
        self.settle();
    }

    /// Hands out what stations have heard of a message to a group, and counts what that takes.
    fn settle_floods(&mut self) {
        while let Some(news) = self.concentrator.segment.poll_flood() {
            match news {
                FloodNews::Heard { token, station } => {
                    let original = self.context.pool.get_mut(Handle(token)).clone();
                    let copy = self.context.pool.insert(
                        original.source,
                        original.destination,
                        original.sent,
                        &original.octets,
                    );
                    self.context.pool.get_mut(copy).label = original.label;
                    self.hand_over(copy, station);
                }
                FloodNews::Sent { token, effort } => self.account_flood(Handle(token), &effort),
                FloodNews::Over { token } => self.context.pool.release(Handle(token)),
            }
        }
    }

    fn account_flood(&mut self, handle: Handle, effort: &Effort) {
        let (link, cohort) = (self.concentrator.link, self.concentrator.cohort);
        let datagram = self.context.pool.get_mut(handle).clone();
        let kind = MessageType::classify(datagram.destination.port(), &datagram.octets);
        let (down, label) = (Direction::Down, datagram.label);
        let count = self.context.traffic_mut(link, down, kind, label);
        count.frames += u64::from(effort.transmissions);
        count.octets += u64::from(effort.octets);
        count.payload_octets += datagram.octets.len() as u64;
        count.airtime = count.airtime + effort.airtime;
        let frames = u64::from(effort.transmissions);
        let octets = u64::from(effort.octets);
        self.context.observe_by_taps((link, cohort), frames, octets);
        self.context.capture(|| Candidate {
            time: self.now,
            link: Some(link),
            meter: None,
            direction: down,
            kind,
            sockets: (datagram.source, datagram.destination),
            octets: &datagram.octets,
            label,
            fate: Fate::Sent,
            passage: Some(Passage {
                hops: 1,
                transmissions: effort.transmissions,
                octets: effort.octets,
            }),
        });
    }

    /// A datagram has arrived at a meter.
    fn hand_over(&mut self, handle: Handle, station: StationId) {
        let Some(delay) = self.relay_past_attackers(handle, station) else {
            return self.discard(handle, Cause::Channel.name());
        };
        let plan = &self.context.fleet.meshes.concentrators[self.concentrator.index as usize];
        let meter = plan.members[station.0 as usize - 1];
        let (entity, posted) = (self.concentrator.entity, &mut self.concentrator.posted);
        let time = self.now + delay;
        let event = event(time, Kind::Arrive, meter, entity, posted, handle.0);
        self.context.agenda.post(event);
    }

    /// A datagram has arrived here and goes on to the head-end.
    fn forward(&mut self, handle: Handle) {
        let fleet: &Fleet = self.context.fleet;
        let datagram = self.context.pool.get_mut(handle);
        if *datagram.destination.ip() == self.concentrator.address
            && is_c1222(datagram.destination.port())
        {
            return self.relay_c1222(handle);
        }
        let (pac, mut source, sent) = (datagram.source, datagram.source, datagram.sent);
        let label = datagram.label;
        let mut destination = datagram.destination;
        let octets = core::mem::take(&mut datagram.octets);
        let mut wrapped = Vec::new();
        let mut message = &octets[..];
        if *destination.ip() == self.concentrator.address {
            let instance = fleet.instance_address(self.concentrator.instance);
            source = SocketAddrV4::new(self.concentrator.address, PANA_PORT);
            destination = SocketAddrV4::new(instance, PANA_PORT);
            wrapped.resize(octets.len() + relay::OVERHEAD_V4 + 3, 0);
            match relay::relay_from_pac(SocketAddr::V4(pac), &octets, &mut wrapped) {
                Ok(len) => message = &wrapped[..len],
                Err(reject) => {
                    let node = NodeId::Concentrator(self.concentrator.index);
                    self.context.telemetry.reject(node, "pana", reject.name());
                    let verdict = Verdict::Rejected(reject.name());
                    self.context.judge(label, verdict, self.now);
                    message = &[];
                }
            }
        }
        if !message.is_empty() {
            let meter = fleet.meter_of_address(*pac.ip()).unwrap_or(0);
            let out = Outgoing {
                meter,
                link: self.concentrator.backhaul,
                cohort: self.concentrator.cohort,
                direction: Direction::Up,
                sampled: is_c1222(source.port()) && fleet.is_sampled(meter),
                source,
                destination,
                octets: message,
                label,
                retransmission: false,
                departure: self.now,
                sent,
                domain: fleet.domain_of_instance(self.concentrator.instance),
                target: fleet.instance_entity(self.concentrator.instance),
                sender: self.concentrator.entity,
            };
            let Concentrator { uplink, posted, .. } = &mut *self.concentrator;
            self.context.transmit(uplink, &out, self.now, posted);
        }
        self.context.pool.get_mut(handle).octets = octets;
        self.context.pool.release(handle);
    }

    /// Counts what a datagram took on the medium.
    fn account(&mut self, handle: Handle, outcome: &Outcome) {
        let (link, cohort) = (self.concentrator.link, self.concentrator.cohort);
        let datagram = self.context.pool.get_mut(handle);
        let payload = datagram.octets.len() as u64 * u64::from(outcome.hops);
        let direction = direction(self.context.fleet, datagram);
        let port = datagram.destination.port();
        let (kind, label) = (
            MessageType::classify(port, &datagram.octets),
            datagram.label,
        );
        let count = self.context.traffic_mut(link, direction, kind, label);
        let effort = &outcome.effort;
        count.frames += u64::from(effort.transmissions);
        count.octets += u64::from(effort.octets);
        count.payload_octets += payload;
        count.retransmissions += u64::from(effort.transmissions - effort.frames);
        count.airtime = count.airtime + effort.airtime;
        match outcome.result {
            Ok(()) => {}
            Err(Cause::QueueFull) => count.queue_full += 1,
            Err(_) => {
                count.lost += 1;
                self.note_jammed(handle, effort.jammed_by);
            }
        }
        let frames = u64::from(effort.transmissions);
        self.context
            .observe_by_taps((link, cohort), frames, u64::from(effort.octets));
        self.capture(handle, direction, kind, outcome);
    }

    fn capture(
        &mut self,
        handle: Handle,
        direction: Direction,
        kind: MessageType,
        outcome: &Outcome,
    ) {
        let fleet = self.context.fleet;
        if fleet.capture.is_none() {
            return;
        }
        let effort = &outcome.effort;
        let datagram = self.context.pool.get_mut(handle).clone();
        let end = match direction {
            Direction::Up => datagram.source,
            Direction::Down => datagram.destination,
        };
        self.context.capture(|| Candidate {
            time: outcome.at.max(self.now),
            link: Some(self.concentrator.link),
            meter: fleet.meter_of_address(*end.ip()),
            direction,
            kind,
            sockets: (datagram.source, datagram.destination),
            octets: &datagram.octets,
            label: datagram.label,
            fate: match outcome.result {
                Ok(()) => Fate::Sent,
                Err(cause) => Fate::Ended(cause.name()),
            },
            passage: Some(Passage {
                hops: outcome.hops,
                transmissions: effort.transmissions,
                octets: effort.octets,
            }),
        });
    }

    /// Ends a datagram that gets no further on its link.
    pub(super) fn discard(&mut self, handle: Handle, cause: &'static str) {
        self.end(handle, ("link", cause), Verdict::Ignored(cause));
    }

    /// Ends a datagram for a cause that a protocol has.
    pub(super) fn end(
        &mut self,
        handle: Handle,
        (protocol, cause): (&'static str, &'static str),
        verdict: Verdict,
    ) {
        let node = NodeId::Concentrator(self.concentrator.index);
        self.context.telemetry.reject(node, protocol, cause);
        let datagram = self.context.pool.get_mut(handle);
        let (source, destination) = (datagram.source, datagram.destination);
        let fleet = self.context.fleet;
        let mut direction = direction(fleet, datagram);
        let (sent, label) = (datagram.sent, datagram.label);
        let octets = core::mem::take(&mut datagram.octets);
        let mut meter = match direction {
            Direction::Up => fleet.meter_of_address(*source.ip()),
            Direction::Down => fleet.meter_of_address(*destination.ip()),
        };
        if meter.is_none() && is_c1222(destination.port()) {
            // It was for the relay here, which goes by titles.
            (direction, meter) = (Direction::Down, called_meter(fleet, &octets));
        }
        let kind = MessageType::classify(source.port(), &octets);
        let application = kind.is_application();
        if let Some(meter) = meter.filter(|meter| application && fleet.is_sampled(*meter)) {
            let times = (sent, self.now);
            let record = message_record(meter, direction, (kind, &octets), times, cause);
            self.context.telemetry.messages.push(record);
        }
        self.context.judge(label, verdict, self.now);
        self.context.pool.get_mut(handle).octets = octets;
        self.context.pool.release(handle);
    }
}

/// Which way a datagram goes on the medium, whoever claims to have sent it.
pub(super) fn direction(fleet: &Fleet, datagram: &Datagram) -> Direction {
    let is_meter = |address| fleet.meter_of_address(address).is_some();
    let down = !is_meter(*datagram.source.ip()) && is_meter(*datagram.destination.ip());
    if down { Direction::Down } else { Direction::Up }
}

/// Whether a datagram that reaches a meter is not for its firmware but for its relay element.
pub(crate) fn is_for_relay(fleet: &Fleet, source: SocketAddrV4, octets: &[u8]) -> bool {
    fleet.meter_of_address(*source.ip()).is_some()
        || (source.port() == PANA_PORT && is_relayed(octets))
}
