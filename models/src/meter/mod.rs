//! The meter: firmware on a processor with a clock, a power supply, a link and a premise.

mod attempt;
mod components;
mod events;
mod host;
mod metering;
mod outage;
mod power;
mod probe;
mod response;
mod restart;
mod sensor;
mod service;
mod uplink;

pub use attempt::Attempt;
pub use components::{
    Firmware, Held, MeterBundle, MeterQuery, MeterQueryItem, Placement, Premise, Processor, Supply,
    Uplink,
};
pub use host::MeterHost;
pub(crate) use host::report_offset;
pub use metering::{Metering, MeteringPlan};
pub use outage::{HoldUp, HoldUpPlan};
pub(crate) use probe::OPTICAL;
pub use probe::Said;
pub use response::{Rebound, Response, ResponsePlan};
pub use sensor::{AccuracyClass, Sensor};
pub use service::Service;
