//! Where everything stands: one map of the town.

use crate::concentrator::Meshes;
use crate::link::topology::Place;
use crate::rng::{Purpose, Stream};

/// Ground of a premise in m²: a lot of 20 m by 60 m, street included.
const PREMISE_M2: f64 = 1_200.0;
/// The golden angle in radians: successive sites never line up.
const GOLDEN_ANGLE: f64 = 2.399_963_229_728_653;

/// Places of all meters and concentrators, in metres east and north of the substation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sites {
    /// By meter.
    pub meters: Vec<Place>,
    /// By concentrator.
    pub concentrators: Vec<Place>,
}

impl Sites {
    /// Places a fleet of `meters` meters in a round town.
    ///
    /// Concentrators stand on a spiral that fills the town evenly, the first one in the middle;
    /// their meters stand around them as their layout says. All other meters stand anywhere.
    pub fn new(meters: u32, meshes: &Meshes, seed: u64) -> Self {
        let radius_m = Self::radius_m(meters);
        let mut sites = Self {
            meters: vec![Place::default(); meters as usize],
            concentrators: Vec::with_capacity(meshes.len() as usize),
        };
        let sharing = |plan: &crate::concentrator::ConcentratorPlan| plan.members.len();
        let total: usize = meshes.concentrators.iter().map(sharing).sum();
        let mut before = 0;
        for (number, plan) in (0..).zip(&meshes.concentrators) {
            let distance = radius_m * libm::sqrt(before as f64 / total.max(1) as f64);
            let root = polar(distance, GOLDEN_ANGLE * f64::from(number));
            before += plan.members.len();
            sites.concentrators.push(root);
            let around = meshes.places(seed, number);
            for (&meter, place) in plan.members.iter().zip(around.iter().skip(1)) {
                sites.meters[meter as usize] = Place {
                    x_m: root.x_m + place.x_m,
                    y_m: root.y_m + place.y_m,
                };
            }
        }
        for (meter, place) in (0..).zip(&mut sites.meters) {
            if meshes.home(meter).is_none() {
                *place = anywhere(radius_m, &mut Stream::new(seed, meter, Purpose::Site));
            }
        }
        sites
    }

    /// The radius of a town of `meters` meters in metres.
    pub fn radius_m(meters: u32) -> f64 {
        libm::sqrt(f64::from(meters) * PREMISE_M2 / core::f64::consts::PI)
    }
}

/// A place evenly drawn from a disc.
fn anywhere(radius_m: f64, stream: &mut Stream) -> Place {
    let distance = radius_m * libm::sqrt(stream.unit());
    polar(distance, core::f64::consts::TAU * stream.unit())
}

fn polar(distance_m: f64, angle: f64) -> Place {
    Place {
        x_m: distance_m * libm::cos(angle),
        y_m: distance_m * libm::sin(angle),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meters_fill_the_town_evenly() {
        let sites = Sites::new(20_000, &Meshes::default(), 1);
        let radius = Sites::radius_m(20_000);
        let within = |share: f64| {
            let limit = radius * share;
            let inside = sites.meters.iter();
            let inside = inside.filter(|place| place.distance_m(Place::default()) <= limit);
            inside.count() as f64 / 20_000.0
        };
        assert!((within(1.0) - 1.0).abs() < 1e-12);
        // A disc of half the radius has a quarter of the area.
        assert!((within(0.5) - 0.25).abs() < 0.012, "{}", within(0.5));
        assert_eq!(sites, Sites::new(20_000, &Meshes::default(), 1));
        assert_ne!(sites, Sites::new(20_000, &Meshes::default(), 2));
    }
}
