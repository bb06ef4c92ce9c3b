//! Cells: the presence of an attacker in one domain.

use std::collections::BTreeMap;

use super::behaviour::{Behaviour, Deed, Order, Place, Scene, Seen};
use super::plan::{Attack, Attacker, Foothold, Position};
use super::{
    block, dictionary, eavesdrop, flood, forge, insider, puppet, replay, spoof, tamper, usurp,
};
use crate::concentrator::Concentrator;
use crate::datagram::Handle;
use crate::fleet::Fleet;
use crate::link::jamming::Jammer;
use crate::link::{Segment, StationId};
use crate::rng::{Purpose, Stream};
use crate::telemetry::AttackRecord;
use crate::time::{Duration, Time};

/// An attacker in the domain of one head-end instance.
pub struct Cell {
    pub(super) attacker: u32,
    pub(super) instance: u32,
    pub(super) entity: u32,
    members: u32,
    stream: Stream,
    /// Meters of the instance that are victims, in order.
    victims: Vec<u32>,
    /// Its stations on shared media, with the concentrators of these, in order.
    stations: Vec<(u32, StationId)>,
    /// Whether it has its foothold in stations of shared media.
    in_stations: bool,
    /// What came by at stations lately: when it was sent, by handle.
    noticed: BTreeMap<u32, Time>,
    /// Events posted.
    pub(super) posted: u32,
    /// Labels given out.
    labels: u32,
    behaviour: Box<dyn Behaviour>,
}

impl Cell {
    pub(super) fn new(fleet: &Fleet, attacker: u32, instance: u32) -> Self {
        let plan = &fleet.attackers[attacker as usize];
        let (count, instances) = (plan.capability.count, fleet.headend.instances);
        Self {
            attacker,
            instance,
            entity: fleet.attacker_entity(attacker, instance),
            members: count / instances + u32::from(instance < count % instances),
            stream: Stream::new(plan.seed(fleet.seed), instance, Purpose::Attack),
            victims: victims(fleet, plan, instance),
            stations: Vec::new(),
            in_stations: plan.capability.foothold != Foothold::Access,
            noticed: BTreeMap::new(),
            posted: 0,
            labels: 0,
            behaviour: behaviour(plan, attacker),
        }
    }

    /// Takes possession of stations of `concentrator`, if that is its plan.
    pub(super) fn occupy(&mut self, fleet: &Fleet, concentrator: &mut Concentrator) {
        let plan = &fleet.attackers[self.attacker as usize];
        let members = &fleet.meshes.concentrators[concentrator.index as usize].members;
        let has_victim = |meter: &u32| self.victims.binary_search(meter).is_ok();
        if concentrator.instance != self.instance || !members.iter().any(has_victim) {
            return;
        }
        let segment = &mut concentrator.segment;
        let stations = match plan.capability.foothold {
            Foothold::Access => Vec::new(),
            Foothold::Relays(count) => busiest_relays(segment, members.len() as u32, count),
            Foothold::Meter(meter) => match fleet.meshes.home(meter) {
                Some(home) if home.concentrator == concentrator.index => vec![home.station],
                _ => Vec::new(),
            },
        };
        for station in stations.into_iter().map(StationId) {
            self.stations.push((concentrator.index, station));
            if let Attack::Jam { burst, period } = plan.attack {
                segment.jam(station, jammer(plan, self.attacker, (burst, period)));
                continue;
            }
            if plan.capability.position >= Position::Tap {
                segment.listen(station);
            }
            if plan.capability.position >= Position::OnPath {
                segment.compromise(station);
            }
        }
    }

    /// Whether the attacker sees this datagram and cares.
    pub(super) fn covers(&self, fleet: &Fleet, seen: &Seen<'_>) -> bool {
        let plan = &fleet.attackers[self.attacker as usize];
        let in_reach = match seen.place {
            Place::Access => !self.in_stations,
            Place::Station {
                concentrator,
                station,
                ..
            } => self.stations.contains(&(concentrator, station)),
        };
        in_reach
            && plan.campaign.is_on(seen.departure)
            && !self.is_own(seen.label)
            && self.victims.binary_search(&seen.meter).is_ok()
    }

    /// Whether it has not heard this datagram before, on another hop.
    pub(super) fn is_news(&mut self, seen: &Seen<'_>) -> bool {
        match seen.place {
            Place::Access => true,
            Place::Station {
                handle: Handle(handle),
                sent,
                ..
            } => self.noticed.insert(handle, sent) != Some(sent),
        }
    }

    /// The concentrator and the station at which it sends what is about `meter`, if it has any.
    pub(super) fn station_for(
        &mut self,
        fleet: &Fleet,
        meter: Option<u32>,
    ) -> Option<(u32, StationId)> {
        let Some(home) = meter.and_then(|meter| fleet.meshes.home(meter)) else {
            let drawn = self.stream.below(self.stations.len() as u64);
            return self.stations.get(drawn as usize).copied();
        };
        let mut stations = self.stations.iter();
        stations
            .find(|(concentrator, _)| *concentrator == home.concentrator)
            .copied()
    }

    /// Index of the link profile on which what it sends about `meter` appears; none if it comes
    /// from afar.
    pub(super) fn link(&self, fleet: &Fleet, meter: Option<u32>) -> Option<usize> {
        let plan = &fleet.attackers[self.attacker as usize];
        let is_near = plan.capability.position > Position::Remote;
        meter
            .filter(|_| is_near)
            .map(|meter| fleet.access_of(meter))
    }

    /// Whether it acts at stations of shared media.
    pub(super) const fn is_in_stations(&self) -> bool {
        self.in_stations
    }

    /// Calls `act` on the behaviour.
    pub(super) fn with<R>(
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
            in_stations: self.in_stations,
            orders,
        };
        act(&mut *self.behaviour, &mut scene)
    }

    /// A label that no other datagram of the run has.
    pub(super) fn label(&mut self) -> u64 {
        self.labels += 1;
        u64::from(self.attacker) << 48 | u64::from(self.instance) << 32 | u64::from(self.labels)
    }

    fn is_own(&self, label: u64) -> bool {
        label != 0 && label >> 48 == u64::from(self.attacker)
    }

    pub(super) fn record(&self, label: u64, deed: Deed) -> AttackRecord {
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
            .field("stations", &self.stations)
            .finish_non_exhaustive()
    }
}

/// The meters of an instance that are victims.
fn victims(fleet: &Fleet, plan: &Attacker, instance: u32) -> Vec<u32> {
    (0..fleet.meters_of(instance))
        .map(|rank| fleet.meter_at(instance, rank))
        .filter(|&meter| is_victim(fleet, plan, meter))
        .collect()
}

/// Whether an attacker has chosen `meter`.
///
/// One draw per meter and attacker whether it counts or not, so a larger share keeps its victims.
pub(crate) fn is_victim(fleet: &Fleet, plan: &Attacker, meter: u32) -> bool {
    let mut stream = Stream::new(plan.seed(fleet.seed), meter, Purpose::AttackTarget);
    let chosen = stream.chance(plan.fraction_ppb);
    chosen && plan.cohort.is_none_or(|c| c == fleet.cohort_of(meter))
}

/// The `count` of `1..=stations` that forward for the most others, in order of their numbers.
fn busiest_relays(segment: &Segment, stations: u32, count: u32) -> Vec<u32> {
    let mut below = vec![0_u32; stations as usize + 1];
    let mut route = Vec::new();
    for station in 1..=stations {
        if segment.tree().route_down(station, &mut route) {
            route.pop();
            for &relay in &route {
                below[relay as usize] += 1;
            }
        }
    }
    let mut relays: Vec<u32> = (1..=stations)
        .filter(|&station| below[station as usize] > 0)
        .collect();
    relays.sort_by_key(|&relay| (core::cmp::Reverse(below[relay as usize]), relay));
    relays.truncate(count as usize);
    relays.sort_unstable();
    relays
}

fn jammer(plan: &Attacker, attacker: u32, (burst, period): (Duration, Duration)) -> Jammer {
    Jammer {
        attacker,
        start: plan.campaign.start,
        stop: plan.campaign.stop,
        burst,
        period,
    }
}

fn behaviour(plan: &Attacker, attacker: u32) -> Box<dyn Behaviour> {
    match plan.attack {
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
        Attack::Delay {
            by,
            protocols,
            share_ppb,
        } => Box::new(block::Delayer {
            by,
            protocols,
            share_ppb,
        }),
        Attack::Jam { burst, period } => {
            let jammer = jammer(plan, attacker, (burst, period));
            Box::new(block::Jamming(jammer))
        }
        Attack::MassDisconnect { .. } | Attack::Optical { .. } => Box::new(insider::Insider),
        Attack::GroupOrder {
            level_percent,
            duration_min,
        } => Box::new(usurp::Usurper::new(level_percent, duration_min)),
    }
}
