//! Towns and feeders from a seed.

use super::{Edge, Place, Topology};
use crate::dist::normal;
use crate::link::g3plc::{ToneMode, attenuation_db};
use crate::rng::Stream;

/// Houses on both sides of streets that form a grid, the root in the middle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StreetGrid {
    /// Meters, one for each house.
    pub meters: u32,
    /// Width of a lot along the street in metres.
    pub lot_m: f64,
    /// From one street to the next in metres.
    pub block_m: f64,
    /// Standard deviation of a meter from the middle of its lot in metres.
    pub scatter_m: f64,
}

impl StreetGrid {
    /// Where the stations stand.
    pub fn places(&self, stream: &mut Stream) -> Vec<Place> {
        const SETBACK_M: f64 = 12.0;
        let lots_by_block = libm::floor((self.block_m / self.lot_m).max(1.0)) as u32;
        // Two rows of houses to each street, one block per street: as square as they come.
        let by_block = 2 * lots_by_block;
        let blocks = self.meters.div_ceil(by_block);
        let side = libm::ceil(libm::sqrt(f64::from(blocks))).max(1.0) as u32;
        let middle = 0.5 * f64::from(side) * self.block_m;
        let mut places = vec![Place::default()];
        for meter in 0..self.meters {
            let (block, lot) = (meter / by_block, meter % by_block);
            let (column, row) = (block % side, block / side);
            let along = (f64::from(lot / 2) + 0.5) * self.lot_m;
            let across = if lot % 2 == 0 { SETBACK_M } else { -SETBACK_M };
            places.push(Place {
                x_m: f64::from(column) * self.block_m + along - middle
                    + self.scatter_m * normal(stream),
                y_m: (f64::from(row) + 0.5) * self.block_m + across - middle
                    + self.scatter_m * normal(stream),
            });
        }
        places
    }
}

/// Hamlets or apartment blocks: groups of meters around random centres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clusters {
    /// Meters in all groups.
    pub meters: u32,
    /// Groups, at least one.
    pub clusters: u32,
    /// Half the side of the square in which the centres lie, in metres.
    pub half_side_m: f64,
    /// Standard deviation of a meter from its centre in metres.
    pub spread_m: f64,
}

impl Clusters {
    /// Where the stations stand.
    pub fn places(&self, stream: &mut Stream) -> Vec<Place> {
        let centres: Vec<Place> = (0..self.clusters.max(1))
            .map(|_| Place {
                x_m: (2.0 * stream.unit() - 1.0) * self.half_side_m,
                y_m: (2.0 * stream.unit() - 1.0) * self.half_side_m,
            })
            .collect();
        let mut places = vec![Place::default()];
        for meter in 0..self.meters {
            let centre = centres[(meter % self.clusters.max(1)) as usize];
            places.push(Place {
                x_m: centre.x_m + self.spread_m * normal(stream),
                y_m: centre.y_m + self.spread_m * normal(stream),
            });
        }
        places
    }
}

/// The low-voltage cables of one transformer, the root at the transformer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Feeders {
    /// Meters on all cables.
    pub meters: u32,
    /// Cables that leave the transformer, at least one.
    pub cables: u32,
    /// From one house connection to the next in metres.
    pub pitch_m: f64,
    /// Signal to noise ratio next to a sender in dB.
    pub snr_db: f64,
    /// Standard deviation of what is added to the attenuation of a pair, in dB.
    pub scatter_db: f64,
    /// Carrier frequency that stands for the band, in Hz.
    pub frequency_hz: f64,
}

/// Links that deliver less are left out.
const DELIVERY_MIN: f64 = 0.1;
/// House connections between two stations beyond which nothing arrives.
const TAPS_MAX: u32 = 40;
/// One house connection in so many takes its toll as a branch of the cable.
const HOUSES_BY_BRANCH: u32 = 4;

impl Feeders {
    /// The stations and who hears whom in `mode`.
    pub fn topology(&self, mode: ToneMode, stream: &mut Stream) -> Topology {
        Topology {
            tones: Vec::new(),
            ..self.connect(|_| Some(mode), stream)
        }
    }

    /// The stations and who hears whom in the fastest mode that the line between them bears.
    pub fn adaptive_topology(&self, stream: &mut Stream) -> Topology {
        self.connect(ToneMode::for_snr, stream)
    }

    /// Where the stations stand: cables leave the transformer in all directions.
    pub fn places(&self) -> Vec<Place> {
        let cables = self.cables.max(1);
        let mut places = vec![Place::default()];
        for station in 1..=self.meters {
            let (cable, step) = self.position(station);
            let angle = core::f64::consts::TAU * f64::from(cable) / f64::from(cables);
            let metres = f64::from(step) * self.pitch_m;
            places.push(Place {
                x_m: metres * libm::cos(angle),
                y_m: metres * libm::sin(angle),
            });
        }
        places
    }

    /// The cable of a station and its number along it, from 1.
    fn position(&self, station: u32) -> (u32, u32) {
        let cables = self.cables.max(1);
        ((station - 1) % cables, (station - 1) / cables + 1)
    }

    /// A signal passes along its cable; from cable to cable it goes through the busbar.
    fn connect(&self, mode: impl Fn(f64) -> Option<ToneMode>, stream: &mut Stream) -> Topology {
        let position = |station: u32| self.position(station);
        let places = self.places();
        let (mut edges, mut tones) = (Vec::new(), Vec::new());
        for a in 0..=self.meters {
            for b in a + 1..=self.meters {
                let to = position(b);
                let houses = match a {
                    0 => to.1,
                    _ if position(a).0 == to.0 => to.1 - position(a).1,
                    _ => to.1 + position(a).1,
                };
                if houses > TAPS_MAX {
                    // Stations further out on the same cable are only further away.
                    continue;
                }
                let metres = f64::from(houses) * self.pitch_m;
                let loss = attenuation_db(metres, self.frequency_hz, houses / HOUSES_BY_BRANCH);
                let snr = self.snr_db - loss + self.scatter_db * normal(stream);
                let Some(mode) = mode(snr) else {
                    continue;
                };
                let delivery = mode.delivery(snr);
                if delivery >= DELIVERY_MIN {
                    edges.push(Edge { a, b, delivery });
                    tones.push(mode);
                }
            }
        }
        Topology {
            places,
            edges,
            tones,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Propagation, RoutingTree};
    use super::*;
    use crate::rng::Purpose;

    fn stream(seed: u64) -> Stream {
        Stream::new(seed, 1, Purpose::Topology)
    }

    const GRID: StreetGrid = StreetGrid {
        meters: 500,
        lot_m: 20.0,
        block_m: 120.0,
        scatter_m: 2.0,
    };

    #[test]
    fn a_seed_gives_the_same_town_and_another_seed_another() {
        let town = |seed| {
            Propagation::SUBURB_2_4_GHZ.connect(GRID.places(&mut stream(seed)), &mut stream(seed))
        };
        assert_eq!(town(1), town(1));
        assert_ne!(town(1).edges, town(2).edges);
    }

    #[test]
    fn a_street_grid_is_dense_square_and_connected() {
        let places = GRID.places(&mut stream(1));
        assert_eq!(places.len(), 501);
        let far = places
            .iter()
            .map(|p| p.x_m.abs().max(p.y_m.abs()))
            .fold(0.0, f64::max);
        assert!(
            (300.0..450.0).contains(&far),
            "500 lots of 20 m by 60 m, got {far}"
        );
        let topology = Propagation::SUBURB_2_4_GHZ.connect(places, &mut stream(2));
        let tree = RoutingTree::new(&topology);
        assert_eq!(tree.isolated().count(), 0);
        let depth = (1..501).map(|s| tree.hops(s).expect("connected")).max();
        assert!((3..=12).contains(&depth.expect("500 meters")), "{depth:?}");
    }

    #[test]
    fn clusters_out_of_range_are_isolated() {
        let clusters = Clusters {
            meters: 40,
            clusters: 4,
            half_side_m: 50_000.0,
            spread_m: 10.0,
        };
        let topology =
            Propagation::SUBURB_2_4_GHZ.connect(clusters.places(&mut stream(3)), &mut stream(3));
        assert_eq!(RoutingTree::new(&topology).isolated().count(), 40);
    }

    const DISTRICT: Feeders = Feeders {
        meters: 200,
        cables: 5,
        pitch_m: 12.0,
        snr_db: 32.0,
        scatter_db: 4.0,
        frequency_hz: 63_000.0,
    };

    #[test]
    fn adaptive_modes_use_fast_ones_nearby_and_robust_ones_far_away() {
        let topology = DISTRICT.adaptive_topology(&mut stream(4));
        assert_eq!(topology.tones.len(), topology.edges.len());
        assert!(
            topology
                .edges
                .iter()
                .all(|edge| edge.delivery >= 0.95 - 1e-9)
        );
        let mean_m = |mode| {
            let lengths: Vec<f64> = (0..topology.edges.len())
                .filter(|&edge| topology.tones[edge] == mode)
                .map(|edge| {
                    let edge = topology.edges[edge];
                    f64::from(edge.b.abs_diff(edge.a))
                })
                .collect();
            lengths.iter().sum::<f64>() / lengths.len() as f64
        };
        assert!(mean_m(ToneMode::D8psk) < mean_m(ToneMode::SuperRobo));
        assert_eq!(RoutingTree::new(&topology).isolated().count(), 0);
    }

    #[test]
    fn a_district_on_power_lines_takes_a_few_hops() {
        let topology = DISTRICT.topology(ToneMode::Robo, &mut stream(4));
        let tree = RoutingTree::new(&topology);
        assert_eq!(tree.isolated().count(), 0);
        let hops: Vec<u32> = (1..=200)
            .map(|s| tree.hops(s).expect("connected"))
            .collect();
        let mean = f64::from(hops.iter().sum::<u32>()) / 200.0;
        assert!(
            (1.3..4.0).contains(&mean),
            "typically 2 to 4 hops, got {mean}"
        );
        assert!(hops.iter().all(|&hops| hops <= 8), "{hops:?}");
    }
}
