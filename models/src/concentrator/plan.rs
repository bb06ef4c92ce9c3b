//! Which meters share a medium, and what that medium looks like.

use core::ops::Range;
use std::sync::Arc;

use crate::link::g3plc::ToneMode;
use crate::link::segment::{SegmentPlan, collision_domains};
use crate::link::topology::{
    Clusters, Feeders, ImportedMeter, Place, Propagation, RoutingTree, StreetGrid, Topology,
};
use crate::rng::{Purpose, Stream};
use crate::time::Duration;

/// Streams of concentrators are numbered from here, whatever else there is in a fleet.
const FIRST_STREAM: u32 = 1 << 31;

/// Where the stations of a segment stand and how they hear each other.
#[derive(Clone, Debug)]
pub enum Layout {
    /// Houses along a grid of streets.
    Streets {
        /// The streets; the number of meters is that of the segment.
        grid: StreetGrid,
        /// How radio waves spread.
        propagation: Propagation,
    },
    /// Hamlets or apartment blocks.
    Clusters {
        /// The groups; the number of meters is that of the segment.
        clusters: Clusters,
        /// How radio waves spread.
        propagation: Propagation,
    },
    /// The cables of a transformer.
    Feeders {
        /// The cables; the number of meters is that of the segment.
        feeders: Feeders,
        /// The mode of all links; without one each link has the fastest that it bears.
        tone: Option<ToneMode>,
    },
    /// A list of meters for the only segment.
    List {
        /// The meters, whose parents are given or left to the routing.
        meters: Arc<[ImportedMeter]>,
        /// How radio waves spread.
        propagation: Propagation,
    },
}

impl Layout {
    /// The stations of a segment of `meters` meters.
    pub fn topology(&self, meters: u32, stream: &mut Stream) -> Topology {
        match self {
            Self::Streets { propagation, .. }
            | Self::Clusters { propagation, .. }
            | Self::List { propagation, .. } => {
                let places = self.places(meters, stream);
                propagation.connect(places, stream)
            }
            Self::Feeders { feeders, tone } => {
                let feeders = Feeders { meters, ..*feeders };
                match tone {
                    Some(tone) => feeders.topology(*tone, stream),
                    None => feeders.adaptive_topology(stream),
                }
            }
        }
    }

    /// Where the stations of [`Self::topology`] stand, without finding out who hears whom.
    pub fn places(&self, meters: u32, stream: &mut Stream) -> Vec<Place> {
        match self {
            Self::Streets { grid, .. } => StreetGrid { meters, ..*grid }.places(stream),
            Self::Clusters { clusters, .. } => {
                let clusters = Clusters {
                    meters,
                    ..*clusters
                };
                clusters.places(stream)
            }
            Self::Feeders { feeders, .. } => Feeders { meters, ..*feeders }.places(),
            Self::List { meters, .. } => {
                let root = core::iter::once(Place::default());
                root.chain(meters.iter().map(|meter| meter.place)).collect()
            }
        }
    }

    /// The parents that a list gives, by station.
    pub fn parents(&self) -> Vec<Option<u32>> {
        match self {
            Self::List { meters, .. } => core::iter::once(None)
                .chain(meters.iter().map(|meter| meter.parent))
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// A kind of shared medium.
#[derive(Clone, Debug)]
pub struct Mesh {
    /// Index of its link profile, whose lanes are those of the concentrator's access.
    pub link: usize,
    /// Index of the link profile of the concentrator's access.
    pub backhaul: usize,
    /// What all its stations have in common.
    pub plan: Arc<SegmentPlan>,
    /// Where they stand.
    pub layout: Layout,
    /// The most meters of one concentrator.
    pub meters_per_concentrator: u32,
    /// A C12.22 relay at each concentrator, if the meters sit behind one.
    pub relay: Option<RelayPlan>,
}

/// The rules of the C12.22 relay of a concentrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayPlan {
    /// How long it knows the way to a meter after a response to it.
    pub route_lifetime: Duration,
    /// Titles that it remembers at most.
    pub nodes_max: usize,
}

/// One concentrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConcentratorPlan {
    /// Index of its kind of medium.
    pub mesh: usize,
    /// Index of the cohort of its meters.
    pub cohort: usize,
    /// Index of the head-end instance that serves its meters.
    pub instance: u32,
    /// Its meters: station n is the meter at n - 1.
    pub members: Vec<u32>,
}

/// Where a meter belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home {
    /// Index of the concentrator.
    pub concentrator: u32,
    /// Number of the station.
    pub station: u32,
}

/// All shared media of a fleet.
#[derive(Clone, Debug, Default)]
pub struct Meshes {
    /// Kinds of media.
    pub kinds: Vec<Mesh>,
    /// Concentrators.
    pub concentrators: Vec<ConcentratorPlan>,
    /// By meter; empty if no meter shares a medium.
    homes: Vec<Option<Home>>,
}

impl Meshes {
    /// Assigns the meters of cohorts, which `instances` serve in turn, to concentrators.
    ///
    /// A cohort is given by its meters and the index of its link profile.
    /// All meters of a concentrator have the same instance, so that a segment never spans domains.
    pub fn new(kinds: Vec<Mesh>, cohorts: &[(Range<u32>, usize)], instances: u32) -> Self {
        let mut meshes = Self {
            kinds,
            ..Self::default()
        };
        for (number, (meters, link)) in cohorts.iter().enumerate() {
            let mesh = meshes.kinds.iter().position(|kind| kind.link == *link);
            if let Some(mesh) = mesh {
                meshes.assign(mesh, number, meters, instances);
            }
        }
        if !meshes.concentrators.is_empty() {
            let meters = cohorts.last().map_or(0, |(meters, _)| meters.end);
            meshes.homes = vec![None; meters as usize];
            for (concentrator, plan) in (0..).zip(&meshes.concentrators) {
                for (station, &meter) in (1..).zip(&plan.members) {
                    meshes.homes[meter as usize] = Some(Home {
                        concentrator,
                        station,
                    });
                }
            }
        }
        meshes
    }

    fn assign(&mut self, mesh: usize, cohort: usize, meters: &Range<u32>, instances: u32) {
        let most = self.kinds[mesh].meters_per_concentrator.max(1) as usize;
        for instance in 0..instances {
            let own: Vec<u32> = meters
                .clone()
                .filter(|meter| meter % instances == instance)
                .collect();
            // As few concentrators as will do, and all about equally large.
            let concentrators = own.len().div_ceil(most);
            for part in 0..concentrators {
                let (from, to) = (
                    part * own.len() / concentrators,
                    (part + 1) * own.len() / concentrators,
                );
                self.concentrators.push(ConcentratorPlan {
                    mesh,
                    cohort,
                    instance,
                    members: own[from..to].to_vec(),
                });
            }
        }
    }

    /// Where `meter` belongs, if it shares a medium.
    pub fn home(&self, meter: u32) -> Option<Home> {
        *self.homes.get(meter as usize)?
    }

    /// The kind of medium of a concentrator.
    pub fn kind_of(&self, concentrator: u32) -> &Mesh {
        &self.kinds[self.concentrators[concentrator as usize].mesh]
    }

    /// How many concentrators there are.
    pub const fn len(&self) -> u32 {
        self.concentrators.len() as u32
    }

    /// Whether no meter shares a medium.
    pub const fn is_empty(&self) -> bool {
        self.concentrators.is_empty()
    }

    /// The random stream of a concentrator.
    pub const fn stream(seed: u64, concentrator: u32, purpose: Purpose) -> Stream {
        Stream::new(seed, FIRST_STREAM | concentrator, purpose)
    }

    /// The stations of a concentrator.
    pub fn topology(&self, seed: u64, concentrator: u32) -> Topology {
        let plan = &self.concentrators[concentrator as usize];
        let mut stream = Self::stream(seed, concentrator, Purpose::Topology);
        self.kinds[plan.mesh]
            .layout
            .topology(plan.members.len() as u32, &mut stream)
    }

    /// Where the stations of a concentrator stand, itself in the middle.
    pub fn places(&self, seed: u64, concentrator: u32) -> Vec<Place> {
        let plan = &self.concentrators[concentrator as usize];
        let mut stream = Self::stream(seed, concentrator, Purpose::Topology);
        self.kinds[plan.mesh]
            .layout
            .places(plan.members.len() as u32, &mut stream)
    }

    /// Meters that have no way to their concentrator, and all meters, of the first `most`
    /// concentrators of a kind of medium.
    pub fn isolated(&self, seed: u64, mesh: usize, most: usize) -> (usize, usize) {
        let (mut isolated, mut meters) = (0, 0);
        let of_kind = (0..)
            .zip(&self.concentrators)
            .filter(|(_, plan)| plan.mesh == mesh);
        for (number, plan) in of_kind.take(most) {
            let topology = self.topology(seed, number);
            isolated += RoutingTree::new(&topology).isolated().count();
            meters += plan.members.len();
        }
        (isolated, meters)
    }

    /// Collision domains of a kind of medium, over all its segments.
    pub fn collision_domains(&self, seed: u64, mesh: usize) -> u64 {
        let plan = &self.kinds[mesh].plan;
        let domains = |number: u32| {
            let domain_of = collision_domains(plan, &self.topology(seed, number));
            domain_of
                .iter()
                .max()
                .map_or(0, |last| u64::from(*last) + 1)
        };
        (0..)
            .zip(&self.concentrators)
            .filter(|(_, plan)| plan.mesh == mesh)
            .map(|(number, _)| domains(number))
            .sum()
    }
}
