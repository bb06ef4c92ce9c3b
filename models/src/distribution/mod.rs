//! The distribution network: where meters and equipment stand and what loses power together.
//!
//! ```text
//! substation -- feeder (a sector of the town) -- transformer -- meters, concentrators, cells
//! ```
//!
//! Everything here is worked out before the first event from the seed alone. Each entity learns
//! when it has power from one [`SupplyPlan`], so an outage is correlated across domains without
//! any message between them.

mod load;
mod network;
mod sites;
mod supply;

pub use load::{FeederEnergy, FeederLoads, interval_at};
pub use network::{ConcentratorLoss, Failures, GridOutage, Network};
pub use sites::Sites;
pub use supply::SupplyPlan;
