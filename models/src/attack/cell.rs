//! Cells: the presence of an attacker in one domain, and all cells of a domain.
//!
//! Cells are not components: they take part in what happens on every link, while a handler holds
//! the components of the sender. The domain keeps them next to its ECS world.

use core::net::Ipv4Addr;
use std::collections::BTreeMap;

use super::behaviour::{Behaviour, Deed, Forged, Order, Passage, Scene, Seen, Victim};
use super::plan::{Attack, Attacker};
use super::{block, dictionary, eavesdrop, flood, forge, puppet, replay, spoof, tamper};
use crate::context::{Kind, event};
use crate::datagram::{Handle, Pool};
use crate::event::{Agenda, Event};
use crate::fleet::Fleet;
use crate::rng::{Purpose, Stream, mix};
use crate::telemetry::AttackRecord;
use crate::time::Time;

/// An attacker in the domain of one head-end instance.
pub struct Cell {
    attacker: u32,
    instance: u32,
    entity: u32,
    members: u32,
    stream: Stream,
    /// Meters of the instance that are victims, in order.
    victims: Vec<u32>,
    /// Events posted.
    posted: u32,
    /// Labels given out.
    labels: u32,
    behaviour: Box<dyn Behaviour>,
}

impl Cell {
    fn new(fleet: &Fleet, attacker: u32, instance: u32) -> Self {
        let plan = &fleet.attackers[attacker as usize];
        let entity = fleet.attacker_entity(attacker, instance);
        let (count, instances) = (plan.capability.count, fleet.headend.instances);
        Self {
            attacker,
            instance,
            entity,
            members: count / instances + u32::from(instance < count % instances),
            stream: Stream::new(fleet.seed, entity, Purpose::Attack),
            victims: victims(fleet, plan, attacker, instance),
            posted: 0,
            labels: 0,
            behaviour: behaviour(plan.attack),
        }
    }

    fn covers(&self, fleet: &Fleet, seen: &Seen<'_>) -> bool {
        let plan = &fleet.attackers[self.attacker as usize];
        plan.campaign.is_on(seen.departure) && self.victims.binary_search(&seen.meter).is_ok()
    }

    /// Calls `act` on the behaviour.
    fn with<R>(
        &mut self,
        fleet: &Fleet,
        now: Time,
        orders: &mut Vec<Order>,
        act: impl FnOnce(&mut dyn Behaviour, &mut Scene<'_>) -> R,
    ) -> R {
        let mut scene = Scene {
            fleet,
            plan: &fleet.attackers[self.attacker as usize],
            attacker: self.attacker,
            instance: self.instance,
            members: self.members,
            now,
            stream: &mut self.stream,
            victims: &self.victims,
            orders,
        };
        act(&mut *self.behaviour, &mut scene)
    }

    /// A label that no other datagram of the run has.
    fn label(&mut self) -> u64 {
        self.labels += 1;
        u64::from(self.attacker) << 48 | u64::from(self.instance) << 32 | u64::from(self.labels)
    }

    fn record(&self, label: u64, deed: Deed) -> AttackRecord {
        AttackRecord {
            attacker: self.attacker,
            instance: self.instance,
            label,
            action: deed.action,
            meter: deed.meter,
            time: deed.time,
            end: deed.end,
            count: deed.count,
            octets: deed.octets,
            outcome: deed.outcome,
            cause: deed.cause,
        }
    }
}

impl core::fmt::Debug for Cell {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Cell")
            .field("attacker", &self.attacker)
            .field("instance", &self.instance)
            .field("victims", &self.victims.len())
            .finish_non_exhaustive()
    }
}

/// One draw per meter and attacker whether it counts or not, so a larger share keeps its victims.
fn victims(fleet: &Fleet, plan: &Attacker, attacker: u32, instance: u32) -> Vec<u32> {
    let seed = mix(fleet.seed ^ u64::from(attacker + 1));
    (0..fleet.meters_of(instance))
        .map(|rank| fleet.meter_at(instance, rank))
        .filter(|&meter| {
            let mut stream = Stream::new(seed, meter, Purpose::AttackTarget);
            let chosen = stream.chance(plan.fraction_ppb);
            chosen && plan.cohort.is_none_or(|c| c == fleet.cohort_of(meter))
        })
        .collect()
}

fn behaviour(attack: Attack) -> Box<dyn Behaviour> {
    match attack {
        Attack::Flood => Box::new(flood::Flood),
        Attack::Rogue => Box::new(puppet::Puppets::new(puppet::Role::Rogue)),
        Attack::Clone => Box::new(puppet::Puppets::new(puppet::Role::Clone)),
        Attack::Replay {
            delay,
            protocols,
            share_ppb,
        } => Box::new(replay::Replay::new(delay, protocols, share_ppb)),
        Attack::Spoof(message) => Box::new(spoof::Spoofer::new(message)),
        Attack::Eavesdrop(leak) => Box::new(eavesdrop::Eavesdropper::new(leak)),
        Attack::Dictionary {
            digits,
            first,
            guesses,
            guess,
        } => Box::new(dictionary::Dictionary::new(digits, first, guesses, guess)),
        Attack::Tamper(tampering) => Box::new(tamper::Tamperer { tampering }),
        Attack::Forge { family, rule } => Box::new(forge::Forger::new(family, rule)),
        Attack::Block {
            protocols,
            share_ppb,
        } => Box::new(block::GreyHole {
            protocols,
            share_ppb,
        }),
        Attack::Jam { burst, period } => Box::new(block::Jammer { burst, period }),
    }
}

/// All cells of a domain, and what became of their datagrams.
#[derive(Debug, Default)]
pub struct Attackers {
    cells: Vec<Cell>,
    /// Labelled datagrams that nobody has judged yet.
    open: BTreeMap<u64, AttackRecord>,
    /// What has been recorded since it was last taken.
    records: Vec<AttackRecord>,
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
        let Some(index) = self
            .cells
            .iter()
            .position(|cell| cell.entity == event.target)
        else {
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

    /// Shows a datagram that is on its link to every tap.
    pub fn overhear<A: Agenda>(
        &mut self,
        seen: &Seen<'_>,
        fleet: &Fleet,
        agenda: &mut A,
        pool: &mut Pool,
    ) {
        for index in 0..self.cells.len() {
            let (cell, orders) = (&mut self.cells[index], &mut self.orders);
            if cell.covers(fleet, seen) {
                let now = seen.departure;
                cell.with(fleet, now, orders, |act, scene| act.overhear(seen, scene));
                self.carry_out(index, fleet, agenda, pool);
            }
        }
    }

    /// Leads a datagram through every node of an attacker; returns its fate and its label.
    pub fn intercept<A: Agenda>(
        &mut self,
        seen: &Seen<'_>,
        fleet: &Fleet,
        agenda: &mut A,
        pool: &mut Pool,
    ) -> (Passage, u64) {
        let (mut fate, mut label) = (Passage::Pass, 0);
        for index in 0..self.cells.len() {
            let (cell, orders) = (&mut self.cells[index], &mut self.orders);
            if !cell.covers(fleet, seen) {
                continue;
            }
            let octets = match &fate {
                Passage::Alter(octets) => octets,
                _ => seen.octets,
            };
            let seen = Seen { octets, ..*seen };
            let now = seen.departure;
            let passage = cell.with(fleet, now, orders, |act, scene| act.intercept(&seen, scene));
            match passage {
                Passage::Pass => {}
                Passage::Drop => {
                    self.carry_out(index, fleet, agenda, pool);
                    self.judge(label, "ignored", Some("dropped"), now);
                    return (Passage::Drop, 0);
                }
                Passage::Alter(octets) => {
                    // Whoever altered it first has the label; the fate is that of both.
                    if label == 0 {
                        label = cell.label();
                        let record = cell.record(label, altered(&seen));
                        self.open.insert(label, record);
                    }
                    fate = Passage::Alter(octets);
                }
            }
            self.carry_out(index, fleet, agenda, pool);
        }
        (fate, label)
    }

    /// The entity behind an address of an attacker's own.
    pub fn entity_at(&self, fleet: &Fleet, address: Ipv4Addr) -> Option<u32> {
        let (attacker, member) = fleet.attacker_of_address(address)?;
        let instance = member % fleet.headend.instances;
        let is = |cell: &&Cell| cell.attacker == attacker && cell.instance == instance;
        self.cells.iter().find(is).map(|cell| cell.entity)
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
        if let Some(mut record) = self.open.remove(&label) {
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
        self.records
            .extend(core::mem::take(&mut self.open).into_values());
    }

    fn carry_out<A: Agenda>(
        &mut self,
        index: usize,
        fleet: &Fleet,
        agenda: &mut A,
        pool: &mut Pool,
    ) {
        let end = fleet.duration.as_nanos();
        let cell = &mut self.cells[index];
        for order in self.orders.drain(..) {
            match order {
                Order::Note(deed) => self.records.push(cell.record(0, deed)),
                Order::Alarm(at, payload) if at.0 < end => {
                    let (entity, posted) = (cell.entity, &mut cell.posted);
                    agenda.post(event(at, Kind::Attack, entity, entity, posted, payload));
                }
                Order::Alarm(..) => {}
                Order::Send(forged) => {
                    let label = cell.label();
                    let record = cell.record(label, sent(&forged));
                    self.open.insert(label, record);
                    cell.send(label, &forged, fleet, agenda, pool);
                }
            }
        }
    }
}

impl Cell {
    fn send<A: Agenda>(
        &mut self,
        label: u64,
        forged: &Forged,
        fleet: &Fleet,
        agenda: &mut A,
        pool: &mut Pool,
    ) {
        let target = match forged.to {
            Victim::Instance => fleet.instance_entity(self.instance),
            Victim::Meter(meter) => meter,
        };
        let (source, destination) = (forged.source, forged.destination);
        let handle = pool.insert(source, destination, forged.arrival, &forged.octets);
        pool.get_mut(handle).label = label;
        let (entity, posted) = (self.entity, &mut self.posted);
        let kind = Kind::Arrive;
        agenda.post(event(
            forged.arrival,
            kind,
            target,
            entity,
            posted,
            handle.0,
        ));
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
