//! The distribution network in the scenario language, and its outages.

use firmware::Duration;
use models::concentrator::Meshes;
use models::distribution::{
    ConcentratorLoss, Failures as FailurePlan, GridOutage, Network, Sites, SupplyPlan,
};
use models::link::outage::{Extent, Outage, Renewal};
use models::time::Time;

use super::dist::Dist;
use super::record::{choice, record, settings};
use super::schema::{Action, Scenario};

settings! {
    /// The distribution network: which meters and concentrators lose power together.
    pub struct Distribution {
        /// Feeders of the substation, each of which supplies a sector of the town, 1 to 1,000.
        feeders: u32 = 12,
        /// Premises of a transformer; a power line segment has a transformer of its own.
        meters_per_transformer: u32 = 12,
        /// How long a concentrator or border router lives without the grid.
        concentrator_battery: Dist<Duration> = Dist::fixed(Duration::ZERO),
        /// From power to a concentrator or border router that forwards.
        concentrator_boot: Dist<Duration> = Dist::uniform(
            Duration::from_secs(30), Duration::from_secs(120),
        ),
        /// Failures of feeders that come and go at random; none if absent.
        failures: Option<Failures> = None,
    }
}

record! {
    /// Failures of each feeder, independent of those of others.
    pub struct Failures {
        /// From a repair to the next failure.
        every: Dist<Duration>,
        /// From a failure to its repair.
        lasting: Dist<Duration>,
        /// From the repair to the return of each transformer.
        restoration: Dist<Duration> = Dist::fixed(Duration::ZERO),
    }
}

choice! {
    /// A part of the distribution network.
    #[derive(Copy, Eq)]
    pub enum Area {
        /// All of it.
        City,
        /// A feeder.
        Feeder {
            /// Which one, from 0; its sector follows that of the one before, anticlockwise.
            number: u32,
        },
        /// A transformer.
        Transformer {
            /// Which one, from 0.
            number: u32,
        },
    }
}

impl Area {
    const fn extent(self) -> Extent {
        match self {
            Self::City => Extent::Substation,
            Self::Feeder { number } => Extent::Feeder(number),
            Self::Transformer { number } => Extent::Transformer(number),
        }
    }
}

impl Scenario {
    /// The distribution network of the fleet with `meshes`, which stands at `sites`.
    pub fn network(&self, sites: &Sites, meshes: &Meshes) -> Network {
        let Distribution {
            feeders,
            meters_per_transformer,
            concentrator_battery,
            ..
        } = &self.distribution;
        let sizes = (*feeders, *meters_per_transformer);
        let battery = concentrator_battery.model();
        Network::new(sites, meshes, sizes, self.first_concentrator(), battery)
    }

    /// The feeder of each meter.
    pub fn feeders(&self, sites: &Sites, meshes: &Meshes) -> Vec<u16> {
        let meters = self.cohorts.iter().map(|cohort| cohort.count).sum();
        let connections = self.network(sites, meshes).connections(meters).into_iter();
        let feeder = |connection: Option<(u32, u32)>| connection.map_or(0, |(feeder, _)| feeder);
        connections
            .map(|connection| u16::try_from(feeder(connection)).unwrap_or(u16::MAX))
            .collect()
    }

    /// Who is without power when: outages of the timeline and failures at random.
    pub fn supply(&self, sites: &Sites, meshes: &Meshes) -> SupplyPlan {
        let (mut outages, mut losses) = (Vec::new(), Vec::new());
        for step in &self.timeline {
            let from = Time::ZERO + step.at;
            match &step.action {
                Action::Outage {
                    area,
                    duration,
                    restoration,
                    stagger,
                } => outages.push(GridOutage {
                    outage: Outage {
                        extent: area.extent(),
                        from,
                        until: from + *duration,
                        restoration: restoration.model(),
                    },
                    stagger: *stagger,
                }),
                Action::ConcentratorDown {
                    medium,
                    fraction,
                    over,
                    duration,
                } => losses.push(ConcentratorLoss {
                    at: from,
                    link: self
                        .media
                        .keys()
                        .position(|known| known == medium)
                        .unwrap_or(usize::MAX),
                    fraction_ppb: fraction.ppb(),
                    over: *over,
                    duration: *duration,
                }),
                _ => {}
            }
        }
        let first = self.first_concentrator();
        let losses = (0..).zip(losses);
        let losses = losses.map(|(number, loss): (u32, ConcentratorLoss)| {
            loss.interruptions(meshes, first, self.seed, number)
        });
        let mut parts: Vec<_> = losses.collect();
        if !outages.is_empty() || self.distribution.failures.is_some() {
            let network = self.network(sites, meshes);
            parts.push(network.outages(&outages, self.seed));
            if let Some(failures) = &self.distribution.failures {
                let plan = FailurePlan {
                    process: Renewal {
                        up: failures.every.model(),
                        down: failures.lasting.model(),
                    },
                    restoration: failures.restoration.model(),
                };
                parts.push(network.failures(&plan, self.duration, self.seed));
            }
        }
        SupplyPlan::gather(parts)
    }

    /// The entity of the first concentrator: meters and instances come before.
    fn first_concentrator(&self) -> u32 {
        let meters: u32 = self.cohorts.iter().map(|cohort| cohort.count).sum();
        meters + self.headend.instances
    }
}
