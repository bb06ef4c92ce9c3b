//! Where stations stand, who hears whom and who forwards for whom.
//!
//! Station 0 is the root: a concentrator or border router. Generators draw from a stream, so a
//! seed gives the same town on every machine.

mod generate;
mod import;
mod radio;
mod tree;

pub use generate::{Clusters, Feeders, StreetGrid};
pub use import::{ImportError, ImportedMeter, connect, import};
pub use radio::Propagation;
pub use tree::{ETX_UNIT, RoutingTree, Switch};

use super::g3plc::ToneMode;

/// Where a station stands, in metres east and north of the root.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// East.
    pub x_m: f64,
    /// North.
    pub y_m: f64,
}

impl Place {
    /// The distance to another place in metres.
    pub fn distance_m(self, other: Self) -> f64 {
        libm::hypot(self.x_m - other.x_m, self.y_m - other.y_m)
    }
}

/// Two stations that hear each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// One station, the smaller number.
    pub a: u32,
    /// The other one.
    pub b: u32,
    /// Probability that a frame between them and its acknowledgement get through.
    pub delivery: f64,
}

/// Stations and the links between them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Topology {
    /// Where each station stands; the first one is the root.
    pub places: Vec<Place>,
    /// Links, in order of their stations.
    pub edges: Vec<Edge>,
    /// The tone mode of each link of a power line, empty where all use the same.
    pub tones: Vec<ToneMode>,
}

impl Topology {
    /// How many stations there are, the root included.
    pub fn stations(&self) -> u32 {
        self.places.len() as u32
    }
}
