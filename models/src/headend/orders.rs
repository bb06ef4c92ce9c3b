//! Orders to switches and requests to meters, from the plan to the protocol software and back.

use core::net::{SocketAddr, SocketAddrV4};

use firmware::crypto::Work;
use firmware::headend::{Alarm, CommandOutcome, CommandReport, RequestOrder, SwitchOrder};

use super::host::{InstanceHost, local_time};
use crate::context::{Exchange, Kind};
use crate::datagram::C1222_PORT;
use crate::event::Agenda;
use crate::group::Manner;
use crate::switching::{Batch, Origin};
use crate::telemetry::{AttackRecord, CommandRecord};
use crate::time::{Duration, Time};

impl<A: Agenda, X: Exchange> InstanceHost<'_, '_, A, X> {
    /// Batch `index` of the plan is given: its orders wait in the queue of the instance.
    pub fn order(&mut self, index: u32) {
        let fleet = self.context.fleet;
        let batch = &fleet.switching[index as usize];
        let now = local_time(self.now);
        if let Some(origin) = batch.withdraws {
            self.instance.image.withdraw(origin.number(), now);
        }
        match batch.manner {
            Manner::Alone => {}
            Manner::Group {
                key_id,
                fallback_after,
            } => return self.order_group(batch, key_id, fallback_after),
            Manner::Expel { key_id } => return self.expel(batch, key_id),
        }
        // Each instance has its part of the rate.
        let gap = batch.gap.scaled(u64::from(fleet.headend.instances), 1);
        for rank in 0..fleet.meters_of(self.instance.index) {
            if batch.includes(fleet, fleet.meter_at(self.instance.index, rank)) {
                self.instance.image.order(order(batch, rank, gap), now);
            }
        }
        self.finish(self.now);
    }

    /// A batch is given to all members of a group at once.
    fn order_group(&mut self, batch: &Batch, key_id: u8, fallback_after: Duration) {
        let instances = u64::from(self.context.fleet.headend.instances);
        let order = order(batch, 0, batch.gap.scaled(instances, 1));
        let work = self.with_image(self.own(), |image, utc, env| {
            image.order_group(key_id, order, fallback_after, utc, env);
        });
        self.occupy(&work);
    }

    /// The meters of a batch are no members of a group any more.
    fn expel(&mut self, batch: &Batch, key_id: u8) {
        let fleet = self.context.fleet;
        let index = self.instance.index;
        let ranks: Vec<u32> = (0..fleet.meters_of(index))
            .filter(|&rank| batch.includes(fleet, fleet.meter_at(index, rank)))
            .collect();
        let work = self.with_image(self.own(), |image, utc, env| {
            image.expel(key_id, &ranks, utc, env);
        });
        self.occupy(&work);
    }

    /// What its randomness for all its meters together depends on.
    fn own(&self) -> Option<SocketAddr> {
        let address = SocketAddrV4::new(self.instance.address, C1222_PORT);
        Some(SocketAddr::V4(address))
    }

    /// Takes the time of a core for work that nobody waits for, then sends what came of it.
    fn occupy(&mut self, work: &Work) {
        let cost = self.context.fleet.headend.cost.time(work, 0);
        let done = self.instance.station.occupy(self.now, cost);
        self.instance.load.busy = self.instance.load.busy + cost;
        self.finish(done);
    }

    /// A round of requests of plan `index` begins: they wait in the queue of the instance.
    pub fn round(&mut self, index: u32) {
        let fleet = self.context.fleet;
        let plan = &fleet.requests[index as usize];
        let Some(task) = self.admit_wave(index) else {
            return self.finish(self.now);
        };
        let mut asked = 0;
        for rank in 0..fleet.meters_of(self.instance.index) {
            let meter = fleet.meter_at(self.instance.index, rank);
            if let Some(offset) = plan.offset(fleet, meter) {
                let order = RequestOrder {
                    rank,
                    plan: index,
                    due: local_time(self.now + offset),
                };
                self.instance.image.request(order, &task);
                asked += 1;
            }
        }
        self.begin_wave(index, asked);
        let next = plan.every.map(|every| self.now + every);
        if let Some(next) = next.filter(|next| next.as_nanos() < fleet.duration.as_nanos()) {
            self.post(next, Kind::Round, index);
        }
        self.finish(self.now);
    }

    /// Something is due for orders: they are issued, repeated or given up.
    pub fn command_alarm(&mut self) {
        let due = self.instance.command_alarm.ring(self.now);
        if !self.instance.up {
            return;
        }
        let fleet = self.context.fleet;
        if due && !fleet.groups.is_empty() {
            let work = self.with_image(self.own(), |image, utc, env| image.handle_groups(utc, env));
            self.occupy(&work);
        }
        while due && let Some((rank, _)) = self.instance.image.next_command(local_time(self.now)) {
            let meter = fleet.meter_at(self.instance.index, rank);
            let address = SocketAddrV4::new(fleet.meter_address(meter), C1222_PORT);
            let peer = Some(SocketAddr::V4(address));
            let work = self.with_image(peer, |image, utc, env| {
                image.proceed_command(rank, utc, env);
            });
            let cost = fleet.headend.cost.time(&work, 0);
            let done = self.instance.station.occupy(self.now, cost);
            self.instance.load.busy = self.instance.load.busy + cost;
            self.finish(done);
        }
        self.rearm(Alarm::Commands);
    }

    /// An order has ended.
    pub(super) fn record_command(&mut self, meter: u32, report: CommandReport) {
        let instance = self.instance.index;
        if let Origin::Attacker(attacker) = Origin::of(report.order.origin) {
            self.instance.labels += 1;
            let labels = u64::from(self.instance.labels);
            let outcome = match report.outcome {
                CommandOutcome::Confirmed => "accepted",
                CommandOutcome::Withdrawn
                | CommandOutcome::Superseded
                | CommandOutcome::Pending
                | CommandOutcome::Unreachable => "ignored",
                _ => "rejected",
            };
            let confirmed = report.outcome == CommandOutcome::Confirmed;
            let issued = report.issued.unwrap_or(report.ordered);
            self.context.telemetry.attacks.push(AttackRecord {
                attacker,
                instance,
                label: u64::from(attacker) << 48 | u64::from(instance) << 32 | labels,
                action: report.order.action.name(),
                meter: Some(meter),
                time: Time(issued.as_nanos()),
                end: Some(self.now),
                count: 1,
                octets: 0,
                outcome,
                cause: (!confirmed).then(|| report.outcome.name()),
            });
        }
        self.context.telemetry.commands.push(CommandRecord {
            meter,
            instance,
            report,
        });
    }
}

const fn order(batch: &Batch, rank: u32, gap: Duration) -> SwitchOrder {
    SwitchOrder {
        rank,
        action: batch.action,
        window_s: batch.window_s,
        limit: batch.limit,
        gap,
        origin: batch.origin.number(),
    }
}
