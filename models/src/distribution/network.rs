//! Feeders, transformers, and their failures.

use std::collections::{BTreeMap, BTreeSet};

use super::{Sites, SupplyPlan};
use crate::concentrator::{Layout, Meshes};
use crate::dist::Dist;
use crate::link::outage::{Consumer, Extent, Grid, Interruption, Outage, Renewal};
use crate::link::topology::Place;
use crate::rng::{Purpose, Stream, mix};
use crate::time::{Duration, Time};

/// Streams of feeders are numbered from here, whatever else there is in a fleet.
const FIRST_STREAM: u32 = 3 << 30;

/// Failures that come and go at random, each feeder on its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Failures {
    /// Time between failures and time to repair.
    pub process: Renewal,
    /// From the repair to each transformer's return, in nanoseconds.
    pub restoration: Dist,
}

/// An outage at a fixed time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GridOutage {
    /// What fails, and when the first consumers return.
    pub outage: Outage,
    /// Where the whole town fails: from the return of one feeder to that of the next.
    pub stagger: Duration,
}

impl GridOutage {
    /// Names the outage for its draws, below the numbers of failures at random.
    const fn number(&self) -> u32 {
        let extent = match self.outage.extent {
            Extent::Substation => 0,
            Extent::Feeder(feeder) => 1 << 32 | feeder as u64,
            Extent::Transformer(transformer) => 2 << 32 | transformer as u64,
        };
        (mix(self.outage.from.0 ^ mix(extent)) >> 33) as u32
    }
}

/// Concentrators that lose power at a fixed time, the grid being well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConcentratorLoss {
    /// When.
    pub at: Time,
    /// Index of the link profile of their medium.
    pub link: usize,
    /// Share of them, in billionths.
    pub fraction_ppb: u32,
    /// Window over which they lose it.
    pub over: Duration,
    /// How long each is without.
    pub duration: Duration,
}

/// The distribution network of a town.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    grid: Grid,
    feeders: u32,
}

impl Network {
    /// Connects a fleet to `feeders` feeders and transformers of `meters_per_transformer` premises.
    ///
    /// A feeder supplies a sector of the town; along it, transformers follow one another. A power
    /// line segment is behind one transformer, which is that of its concentrator.
    /// `first_concentrator` is the entity of the first one; `battery` tells how long each lives
    /// without the grid, in nanoseconds.
    pub fn new(
        sites: &Sites,
        meshes: &Meshes,
        (feeders, meters_per_transformer): (u32, u32),
        first_concentrator: u32,
        battery: Dist,
    ) -> Self {
        let feeders = feeders.max(1);
        let mut network = Self {
            grid: Grid::default(),
            feeders,
        };
        let mut along: Vec<Vec<(f64, u32, Dist)>> = vec![Vec::new(); feeders as usize];
        for (number, plan) in (0..).zip(&meshes.concentrators) {
            let place = sites.concentrators[number as usize];
            let feeder = sector(place, feeders);
            let entity = first_concentrator + number;
            if let Layout::Feeders { .. } = meshes.kinds[plan.mesh].layout {
                let members = plan.members.iter().map(|&meter| (meter, Dist::Fixed(0)));
                network.connect(feeder, members.chain([(entity, battery)]));
            } else {
                let distance = place.distance_m(Place::default());
                along[feeder as usize].push((distance, entity, battery));
            }
        }
        let connected = network.connect_lists(sites, meshes);
        for (meter, place) in (0..).zip(&sites.meters) {
            let home = meshes
                .home(meter)
                .map(|home| meshes.kind_of(home.concentrator));
            let on_line = home.is_some_and(|kind| matches!(kind.layout, Layout::Feeders { .. }));
            if !on_line && !connected.contains(&meter) {
                let distance = place.distance_m(Place::default());
                let feeder = sector(*place, feeders);
                along[feeder as usize].push((distance, meter, Dist::Fixed(0)));
            }
        }
        for (feeder, mut consumers) in (0..).zip(along) {
            consumers.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            for group in consumers.chunks(meters_per_transformer.max(1) as usize) {
                network.connect(feeder, group.iter().map(|&(_, entity, b)| (entity, b)));
            }
        }
        network
    }

    /// Connects the meters of lists that name their transformers; returns them.
    ///
    /// A transformer stands in the middle of its meters.
    fn connect_lists(&mut self, sites: &Sites, meshes: &Meshes) -> BTreeSet<u32> {
        let mut connected = BTreeSet::new();
        for plan in &meshes.concentrators {
            let Layout::List { meters, .. } = &meshes.kinds[plan.mesh].layout else {
                continue;
            };
            let mut named: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
            for (listed, &meter) in meters.iter().zip(&plan.members) {
                if !listed.transformer.is_empty() {
                    named.entry(&listed.transformer).or_default().push(meter);
                    connected.insert(meter);
                }
            }
            for members in named.into_values() {
                let mean = |coordinate: fn(&Place) -> f64| {
                    let places = members.iter().map(|&meter| &sites.meters[meter as usize]);
                    places.map(coordinate).sum::<f64>() / members.len() as f64
                };
                let middle = Place {
                    x_m: mean(|place| place.x_m),
                    y_m: mean(|place| place.y_m),
                };
                let feeder = sector(middle, self.feeders);
                self.connect(
                    feeder,
                    members.into_iter().map(|meter| (meter, Dist::Fixed(0))),
                );
            }
        }
        connected
    }

    /// Adds a transformer with its consumers to a feeder.
    fn connect(&mut self, feeder: u32, consumers: impl Iterator<Item = (u32, Dist)>) {
        let transformer = self.grid.feeder_of.len() as u32;
        self.grid.feeder_of.push(feeder);
        let consumers = consumers.map(|(entity, battery)| Consumer {
            entity,
            transformer,
            battery,
        });
        self.grid.consumers.extend(consumers);
    }

    /// How many transformers there are.
    pub const fn transformers(&self) -> u32 {
        self.grid.feeder_of.len() as u32
    }

    /// How many feeders there are.
    pub const fn feeders(&self) -> u32 {
        self.feeders
    }

    /// Feeder and transformer of each of the first `entities` entities, where it has one.
    pub fn connections(&self, entities: u32) -> Vec<Option<(u32, u32)>> {
        let mut connections = vec![None; entities as usize];
        for consumer in &self.grid.consumers {
            if let Some(slot) = connections.get_mut(consumer.entity as usize) {
                let feeder = self.grid.feeder_of[consumer.transformer as usize];
                *slot = Some((feeder, consumer.transformer));
            }
        }
        connections
    }

    /// Everybody who is without power because of `outages`, and when.
    ///
    /// The draws of an outage depend on its time and extent, so another one leaves them alone.
    pub fn outages(&self, outages: &[GridOutage], seed: u64) -> Vec<Interruption> {
        let mut interruptions = Vec::new();
        for step in outages {
            let number = step.number();
            if step.outage.extent != Extent::Substation || step.stagger.is_zero() {
                interruptions.extend(self.grid.interruptions(&step.outage, seed, number));
                continue;
            }
            for feeder in 0..self.feeders {
                let later = step.stagger.scaled(u64::from(feeder), 1);
                let outage = Outage {
                    extent: Extent::Feeder(feeder),
                    until: step.outage.until + later,
                    ..step.outage
                };
                interruptions.extend(self.grid.interruptions(&outage, seed, number));
            }
        }
        interruptions
    }

    /// Everybody who is without power because a feeder fails at random before `horizon`.
    pub fn failures(&self, failures: &Failures, horizon: Duration, seed: u64) -> Vec<Interruption> {
        let mut interruptions = Vec::new();
        for feeder in 0..self.feeders {
            let mut stream = Stream::new(seed, FIRST_STREAM | feeder, Purpose::Outage);
            let outages = failures.process.outages(horizon, &mut stream);
            for (number, (from, until)) in (0..).zip(outages) {
                let outage = Outage {
                    extent: Extent::Feeder(feeder),
                    from,
                    until,
                    restoration: failures.restoration,
                };
                // Numbers above those of a timeline: nobody shares draws.
                let number = 1 << 31 | number;
                interruptions.extend(self.grid.interruptions(&outage, seed, number));
            }
        }
        interruptions
    }
}

impl ConcentratorLoss {
    /// Which concentrators are without power, and when; loss `number` of a timeline.
    pub fn interruptions(
        &self,
        meshes: &Meshes,
        first_concentrator: u32,
        seed: u64,
        number: u32,
    ) -> Vec<Interruption> {
        let of_medium = (0..)
            .zip(&meshes.concentrators)
            .filter(|(_, plan)| meshes.kinds[plan.mesh].link == self.link);
        let mut interruptions = Vec::new();
        for (concentrator, _) in of_medium {
            let seed = seed ^ u64::from(number);
            let mut stream = Meshes::stream(seed, concentrator, Purpose::Timeline);
            let chosen = stream.chance(self.fraction_ppb);
            let off = self.at + Duration::from_nanos(stream.below(self.over.as_nanos()));
            if chosen {
                interruptions.push(Interruption {
                    off,
                    on: off + self.duration,
                    entity: first_concentrator + concentrator,
                });
            }
        }
        interruptions
    }
}

impl SupplyPlan {
    /// Puts together what makes entities lose power.
    pub fn gather(parts: impl IntoIterator<Item = Vec<Interruption>>) -> Self {
        Self::new(parts.into_iter().flatten().collect())
    }
}

/// The sector of the town in which a place lies.
fn sector(place: Place, sectors: u32) -> u32 {
    let turn = libm::atan2(place.y_m, place.x_m) / core::f64::consts::TAU + 0.5;
    ((turn * f64::from(sectors)) as u32).min(sectors - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600;

    fn network() -> Network {
        let meshes = Meshes::default();
        let sites = Sites::new(2_400, &meshes, 1);
        Network::new(&sites, &meshes, (6, 12), 10_000, Dist::Fixed(0))
    }

    fn blackout(extent: Extent, stagger_s: u64) -> GridOutage {
        GridOutage {
            outage: Outage {
                extent,
                from: Time::from_secs(HOUR),
                until: Time::from_secs(2 * HOUR),
                restoration: Dist::Fixed(0),
            },
            stagger: Duration::from_secs(stagger_s),
        }
    }

    #[test]
    fn every_meter_has_one_transformer_and_feeders_are_alike() {
        let network = network();
        let connections = network.connections(2_400);
        assert!(connections.iter().all(Option::is_some));
        for feeder in 0..6 {
            let on = connections.iter().flatten().filter(|(f, _)| *f == feeder);
            let on = on.count();
            assert!(
                (330..470).contains(&on),
                "feeder {feeder} has {on} of 2,400"
            );
        }
        let transformer = |wanted| {
            let of = connections.iter().flatten();
            of.filter(|(_, transformer)| *transformer == wanted).count()
        };
        let full = (0..network.transformers()).filter(|&t| transformer(t) == 12);
        assert!(full.count() as u32 >= network.transformers() - 6);
    }

    #[test]
    fn feeders_return_one_after_the_other() {
        let network = network();
        let connections = network.connections(2_400);
        let off = network.outages(&[blackout(Extent::Substation, 600)], 1);
        assert_eq!(off.len(), 2_400);
        for one in off {
            let (feeder, _) = connections[one.entity as usize].expect("connected");
            assert_eq!(one.on, Time::from_secs(2 * HOUR + 600 * u64::from(feeder)));
        }
        let one = network.outages(&[blackout(Extent::Feeder(2), 0)], 1);
        let others = connections.iter().flatten().filter(|(f, _)| *f == 2);
        assert_eq!(one.len(), others.count());
    }

    #[test]
    fn another_outage_leaves_the_draws_of_one_alone() {
        let network = network();
        let spread = |extent, from| {
            let mut step = blackout(extent, 0);
            step.outage.from = Time::from_secs(from);
            step.outage.restoration = Dist::Uniform(0, 600_000_000_000);
            step
        };
        let (one, other) = (
            spread(Extent::Feeder(1), HOUR),
            spread(Extent::Feeder(4), HOUR),
        );
        let alone = network.outages(&[one], 1);
        let both = network.outages(&[other, one], 1);
        assert!(alone.iter().all(|interruption| both.contains(interruption)));
        let returns = |step| {
            let off = network.outages(&[step], 1);
            off.iter().map(|each| each.on).collect::<BTreeSet<_>>()
        };
        let later = spread(Extent::Feeder(1), HOUR + 1);
        assert!(
            returns(one).is_disjoint(&returns(later)),
            "draws of its own"
        );
    }

    #[test]
    fn random_failures_take_a_feeder_as_a_whole() {
        let failures = Failures {
            process: Renewal {
                up: Dist::Fixed(2 * HOUR as i64 * 1_000_000_000),
                down: Dist::Fixed(HOUR as i64 * 1_000_000_000),
            },
            restoration: Dist::Fixed(0),
        };
        let horizon = Duration::from_secs(6 * HOUR);
        let off = network().failures(&failures, horizon, 1);
        // Every feeder fails after two and after five hours.
        assert_eq!(off.len(), 2 * 2_400);
    }
}
