//! Point-to-point access links: Ethernet and a generic wide-area network.
//!
//! A link has two lanes, one for each direction. Whoever sends owns the lane and its random
//! stream: a meter its uplink, the head-end the downlink of each meter. A datagram waits for the
//! lane (finite queue), occupies it for its length over the rate, then travels for a random
//! latency, unless it is lost.

pub mod cellular;
pub mod csma;
pub mod g3plc;
pub mod ieee802154;
mod lane;
pub mod outage;
mod profile;
pub mod rach;
pub mod sixlowpan;
pub mod sun_fsk;
pub mod topology;
pub mod wifi;

pub use lane::{Lane, Transit};
pub use profile::{Direction, LaneProfile, LinkProfile, Medium};
