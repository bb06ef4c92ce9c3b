//! The head-end: instances of protocol software behind queues, serving the fleet.

mod downward;
mod host;
mod instance;
mod orders;
mod station;
mod visitors;
mod waves;

pub use host::InstanceHost;
pub use instance::{Downlink, Instance, Trunk};
pub use station::{Admission, Station};
pub use visitors::Visitors;
pub use waves::Waves;
