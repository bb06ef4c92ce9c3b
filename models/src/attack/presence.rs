//! All attackers of a domain, and what became of their datagrams.
//!
//! They are not components: they take part in what happens on every link, while a handler holds
//! the components of the sender. The domain keeps them next to its ECS world.

use core::net::SocketAddrV4;
use std::collections::BTreeMap;

use firmware::ukmf::GroupKey;

use super::behaviour::{Deed, Forged, Order, Passage, Seen};
use super::block::dropped;
use super::cell::Cell;
use crate::capture::{Candidate, Captured, Fate};
use crate::concentrator::Concentrator;
use crate::context::{Kind, event};
use crate::datagram::{Handle, MessageType, Pool};
use crate::event::{Agenda, Event};
use crate::fleet::Fleet;
use crate::link::{Direction, Medium, StationId};
use crate::telemetry::{AttackRecord, AttackTraffic, TrafficCount};
use crate::time::{Duration, Time};

/// What becomes of a datagram that has passed all attackers on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intercepted {
    /// Whether it ends here.
    pub dropped: bool,
    /// Other octets of the same length, if they were altered.
    pub octets: Option<Vec<u8>>,
    /// How long it is held.
    pub delay: Duration,
    /// The label of whoever was first to forge, alter or hold it.
    pub label: u64,
}

/// A labelled datagram that nobody has judged yet.
#[derive(Debug)]
struct Open {
    record: AttackRecord,
    /// Whether the attacker made it, rather than altered one of somebody else.
    forged: bool,
    /// The station at which it enters a shared medium.
    station: Option<StationId>,
}

/// All cells of a domain, and what became of their datagrams.
#[derive(Debug, Default)]
pub struct Attackers {
    cells: Vec<Cell>,
    open: BTreeMap<u64, Open>,
    /// What has been recorded since it was last taken.
    records: Vec<AttackRecord>,
    /// What attackers have put on links since it was last taken.
    traffic: BTreeMap<AttackTraffic, TrafficCount>,
    /// Captured datagrams that enter or leave where no node of the fleet sends.
    captured: Vec<Captured>,
    orders: Vec<Order>,
}

impl Attackers {
    /// The cells for `instances`, which one domain holds.
    pub fn new(fleet: &Fleet, instances: impl Iterator<Item = u32> + Clone) -> Self {
        let cell = |attacker| {
            let instances = instances.clone();
            instances.map(move |instance| Cell::new(fleet, attacker, instance))
        };
        Self {
            cells: (0..fleet.attackers.len() as u32).flat_map(cell).collect(),
            ..Self::default()
        }
    }

    /// Whether nobody attacks.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Has those who plan to take possession of stations of `concentrator`.
    pub fn occupy(&mut self, fleet: &Fleet, concentrator: &mut Concentrator) {
        for cell in &mut self.cells {
            cell.occupy(fleet, concentrator);
        }
    }

    /// Posts the first events.
    pub fn begin<A: Agenda>(&mut self, fleet: &Fleet, agenda: &mut A, pool: &mut Pool) {
        for index in 0..self.cells.len() {
            let (cell, orders) = (&mut self.cells[index], &mut self.orders);
            cell.with(fleet, Time::ZERO, orders, |act, scene| act.begin(scene));
            self.carry_out(index, fleet, agenda, pool);
        }
    }

    /// Handles an event whose target is a cell.
    pub fn handle<A: Agenda>(
        &mut self,
        event: &Event,
        kind: Kind,
        fleet: &Fleet,
        agenda: &mut A,
        pool: &mut Pool,
    ) {
        let is_target = |cell: &Cell| cell.entity == event.target;
        let Some(index) = self.cells.iter().position(is_target) else {
            return;
        };
        let (cell, orders) = (&mut self.cells[index], &mut self.orders);
        cell.with(fleet, event.time, orders, |act, scene| match kind {
            Kind::Arrive => act.receive(pool.get_mut(Handle(event.payload)), scene),
            _ => act.alarm(event.payload, scene),
        });
        if kind == Kind::Arrive {
            pool.release(Handle(event.payload));
        }
        self.carry_out(index, fleet, agenda, pool);
    }

    /// `attacker` has opened a meter of `instance` and read out its memory.
    pub fn learn<A: Agenda>(
        &mut self,
        (attacker, instance, meter): (u32, u32, u32),
        key: Option<GroupKey>,
        now: Time,
        fleet: &Fleet,
        agenda: &mut A,
        pool: &mut Pool,
    ) {
        let is = |cell: &Cell| cell.attacker == attacker && cell.instance == instance;
        let Some(index) = self.cells.iter().position(is) else {
            return;
        };
        let (cell, orders) = (&mut self.cells[index], &mut self.orders);
        cell.with(fleet, now, orders, |act, scene| {
            act.learn(meter, key, scene);
        });
        self.carry_out(index, fleet, agenda, pool);
    }

    /// Shows a datagram to everybody who hears it.
    pub fn overhear<A: Agenda>(
        &mut self,
        seen: &Seen<'_>,
        fleet: &Fleet,
        agenda: &mut A,
        pool: &mut Pool,
    ) {
        for index in 0..self.cells.len() {
            let (cell, orders) = (&mut self.cells[index], &mut self.orders);
            if cell.covers(fleet, seen) && cell.is_news(seen) {
                let now = seen.departure;
                cell.with(fleet, now, orders, |act, scene| act.overhear(seen, scene));
                self.carry_out(index, fleet, agenda, pool);
            }
        }
    }

    /// Leads a datagram through every node of an attacker.
    pub fn intercept<A: Agenda>(
        &mut self,
        seen: &Seen<'_>,
        fleet: &Fleet,
        agenda: &mut A,
        pool: &mut Pool,
    ) -> Intercepted {
        let mut fate = Intercepted {
            label: seen.label,
            ..Intercepted::default()
        };
        for index in 0..self.cells.len() {
            let (cell, orders) = (&mut self.cells[index], &mut self.orders);
            let octets = fate.octets.as_deref().unwrap_or(seen.octets);
            let seen = Seen { octets, ..*seen };
            if !cell.covers(fleet, &seen) {
                continue;
            }
            let now = seen.departure;
            let passage = cell.with(fleet, now, orders, |act, scene| act.intercept(&seen, scene));
            // Whoever touched it first has the label; what becomes of it is the work of all.
            if fate.label == 0 && matches!(passage, Passage::Alter(_) | Passage::Delay(_)) {
                fate.label = cell.label();
                let open = Open {
                    record: cell.record(fate.label, altered(&seen)),
                    forged: false,
                    station: None,
                };
                self.open.insert(fate.label, open);
            }
            match passage {
                Passage::Pass => {}
                Passage::Drop => fate.dropped = true,
                Passage::Alter(octets) => fate.octets = Some(octets),
                Passage::Delay(by) => fate.delay = fate.delay + by,
            }
            self.carry_out(index, fleet, agenda, pool);
            if fate.dropped {
                self.judge(fate.label, "ignored", Some("dropped"), now);
                break;
            }
        }
        fate
    }

    /// Notes that the jammer of `attacker` ended a datagram on a shared medium.
    pub fn note_jammed(&mut self, attacker: u32, seen: &Seen<'_>, fleet: &Fleet) {
        let instance = fleet.instance_of(seen.meter);
        let is = |cell: &&Cell| cell.attacker == attacker && cell.instance == instance;
        if let Some(cell) = self.cells.iter().find(is) {
            self.records.push(cell.record(0, dropped(seen, "jam")));
        }
    }

    /// Sends a datagram that left the head-end at `departure` to the attacker at its destination;
    /// false if nobody is there.
    pub fn reach<A: Agenda>(
        &mut self,
        (source, destination): (SocketAddrV4, SocketAddrV4),
        octets: &[u8],
        departure: Time,
        fleet: &Fleet,
        agenda: &mut A,
        pool: &mut Pool,
    ) -> bool {
        let Some((attacker, member)) = fleet.attacker_of_address(*destination.ip()) else {
            return false;
        };
        let instance = member % fleet.headend.instances;
        let is = |cell: &&mut Cell| cell.attacker == attacker && cell.instance == instance;
        let Some(cell) = self.cells.iter_mut().find(is) else {
            return false;
        };
        let latency = fleet.links.first();
        let latency = latency.map_or(0, |link| link.down.latency.min());
        let arrival = departure + Duration::from_nanos(latency.unsigned_abs());
        let handle = pool.insert(source, destination, departure, octets);
        // Numbered by the cell: what the head-end posts for others keeps its numbers.
        let (entity, posted) = (cell.entity, &mut cell.posted);
        let arrive = event(arrival, Kind::Arrive, entity, entity, posted, handle.0);
        agenda.post(arrive);
        let count = self.traffic_mut(AttackTraffic {
            attacker,
            link: None,
            direction: Direction::Down,
            kind: MessageType::classify(source.port(), octets),
        });
        count.frames += 1;
        count.octets += frame_octets(fleet, None, octets.len());
        count.payload_octets += octets.len() as u64;
        if let Some(plan) = &fleet.capture {
            let candidate = Candidate {
                time: departure,
                link: None,
                meter: None,
                direction: Direction::Down,
                kind: MessageType::classify(source.port(), octets),
                sockets: (source, destination),
                octets,
                label: 0,
                fate: Fate::Sent,
                passage: None,
            };
            if plan.selects(fleet, &candidate) {
                self.captured.push(candidate.captured(None));
            }
        }
        true
    }

    /// The attacker who made the datagram with `label`, if it is no altered one.
    pub fn forger(&self, label: u64) -> Option<u32> {
        let open = self.open.get(&label)?;
        open.forged.then_some(open.record.attacker)
    }

    /// Who made or altered the datagram with `label`, and whether it was altered.
    pub fn author(&self, label: u64) -> Option<(u32, bool)> {
        let open = self.open.get(&label)?;
        Some((open.record.attacker, !open.forged))
    }

    /// What has been captured since the last call.
    pub fn take_captured(&mut self) -> Vec<Captured> {
        core::mem::take(&mut self.captured)
    }

    /// The station at which the forged datagram with `label` enters its medium.
    pub fn entrance(&self, label: u64) -> Option<StationId> {
        self.open.get(&label)?.station
    }

    /// Counts what an attacker puts on a link.
    pub fn traffic_mut(&mut self, traffic: AttackTraffic) -> &mut TrafficCount {
        self.traffic.entry(traffic).or_default()
    }

    /// Notes what the receiver of the datagram with `label` made of it.
    pub fn judge(
        &mut self,
        label: u64,
        outcome: &'static str,
        cause: Option<&'static str>,
        now: Time,
    ) {
        if label == 0 {
            return;
        }
        if let Some(Open { mut record, .. }) = self.open.remove(&label) {
            record.outcome = outcome;
            record.cause = cause;
            record.end = Some(now);
            self.records.push(record);
        }
    }

    /// What has been recorded since the last call.
    pub fn take_records(&mut self) -> Vec<AttackRecord> {
        core::mem::take(&mut self.records)
    }

    /// What attackers have put on links since the last call.
    pub fn take_traffic(&mut self) -> BTreeMap<AttackTraffic, TrafficCount> {
        core::mem::take(&mut self.traffic)
    }

    /// Evaluates recordings and closes what is open: the run ends at `now`.
    pub fn conclude(&mut self, fleet: &Fleet, now: Time) {
        for index in 0..self.cells.len() {
            let (cell, orders) = (&mut self.cells[index], &mut self.orders);
            cell.with(fleet, now, orders, |act, scene| act.conclude(scene));
            for order in core::mem::take(&mut self.orders) {
                if let Order::Note(deed) = order {
                    let record = self.cells[index].record(0, deed);
                    self.records.push(record);
                }
            }
        }
        let open = core::mem::take(&mut self.open).into_values();
        self.records.extend(open.map(|open| open.record));
    }

    fn carry_out<A: Agenda>(
        &mut self,
        index: usize,
        fleet: &Fleet,
        agenda: &mut A,
        pool: &mut Pool,
    ) {
        let end = fleet.duration.as_nanos();
        for order in core::mem::take(&mut self.orders) {
            let cell = &mut self.cells[index];
            match order {
                Order::Note(deed) => self.records.push(cell.record(0, deed)),
                Order::Alarm(at, payload) if at.0 < end => {
                    let (entity, posted) = (cell.entity, &mut cell.posted);
                    agenda.post(event(at, Kind::Attack, entity, entity, posted, payload));
                }
                Order::Alarm(..) => {}
                Order::Send(forged) => self.send(index, &forged, fleet, agenda, pool),
            }
        }
    }

    fn send<A: Agenda>(
        &mut self,
        index: usize,
        forged: &Forged,
        fleet: &Fleet,
        agenda: &mut A,
        pool: &mut Pool,
    ) {
        let cell = &mut self.cells[index];
        let label = cell.label();
        let record = cell.record(label, sent(forged));
        let (mut kind, mut station) = (Kind::Arrive, None);
        let home = forged.meter.and_then(|meter| fleet.meshes.home(meter));
        let target = if cell.is_in_stations() {
            let Some((concentrator, at)) = cell.station_for(fleet, forged.meter) else {
                // Its victims share no medium with a station that it has.
                return;
            };
            (kind, station) = (Kind::Inject, Some(at));
            fleet.concentrator_entity(concentrator)
        } else {
            let link = cell.link(fleet, forged.meter);
            let frame = frame_octets(fleet, link, forged.octets.len());
            let count = self.traffic.entry(traffic(record.attacker, link, forged));
            let count = count.or_default();
            count.frames += 1;
            count.octets += frame;
            count.payload_octets += forged.octets.len() as u64;
            if let Some(plan) = &fleet.capture {
                let candidate = candidate(forged, link, label);
                if plan.selects(fleet, &candidate) {
                    let author = Some((record.attacker, false));
                    self.captured.push(candidate.captured(author));
                }
            }
            match (forged.direction, home, forged.meter) {
                (Direction::Down, Some(home), _) => fleet.concentrator_entity(home.concentrator),
                (Direction::Down, None, Some(meter)) => meter,
                _ => fleet.instance_entity(cell.instance),
            }
        };
        let (source, destination) = (forged.source, forged.destination);
        let handle = pool.insert(source, destination, forged.arrival, &forged.octets);
        pool.get_mut(handle).label = label;
        let open = Open {
            record,
            forged: true,
            station,
        };
        self.open.insert(label, open);
        let (entity, posted) = (cell.entity, &mut cell.posted);
        let event = event(forged.arrival, kind, target, entity, posted, handle.0);
        agenda.post(event);
    }
}

/// Octets on a link of a UDP payload; from afar it comes as a bare IP packet.
fn frame_octets(fleet: &Fleet, link: Option<usize>, payload: usize) -> u64 {
    let medium = link.map_or(Medium::Wan, |link| fleet.links[link].medium);
    medium.frame_octets(payload) as u64
}

fn traffic(attacker: u32, link: Option<usize>, forged: &Forged) -> AttackTraffic {
    AttackTraffic {
        attacker,
        link,
        direction: forged.direction,
        kind: kind(forged),
    }
}

fn kind(forged: &Forged) -> MessageType {
    let port = match forged.direction {
        Direction::Up => forged.destination.port(),
        Direction::Down => forged.source.port(),
    };
    MessageType::classify(port, &forged.octets)
}

fn candidate(forged: &Forged, link: Option<usize>, label: u64) -> Candidate<'_> {
    Candidate {
        time: forged.arrival,
        link,
        meter: forged.meter,
        direction: forged.direction,
        kind: kind(forged),
        sockets: (forged.source, forged.destination),
        octets: &forged.octets,
        label,
        fate: Fate::Sent,
        passage: None,
    }
}

/// The record of a datagram that nobody has judged.
fn sent(forged: &Forged) -> Deed {
    Deed {
        action: forged.action,
        meter: forged.meter,
        time: forged.arrival,
        end: None,
        count: 1,
        octets: forged.octets.len() as u64,
        outcome: "ignored",
        cause: Some("in_flight"),
    }
}

fn altered(seen: &Seen<'_>) -> Deed {
    Deed {
        action: seen.kind.name(),
        meter: Some(seen.meter),
        time: seen.departure,
        end: None,
        count: 1,
        octets: seen.octets.len() as u64,
        outcome: "ignored",
        cause: Some("in_flight"),
    }
}
