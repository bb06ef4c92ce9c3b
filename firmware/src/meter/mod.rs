//! The composition that a meter runs.
//!
//! [`Meter`] joins the network access client, the key store and the C12.22 node of one device.
//! Nothing but PANA passes before the head-end has been authenticated; every success installs a
//! fresh C12.22 key; the meter then registers and pushes its intervals under that key, and
//! re-authenticates before the session ends.
//!
//! ```text
//!   UDP 716  --> PaC (EAP-PSK) --keys--> key store
//!                  | access                 | key for sending
//!                  v                        v
//!   UDP 1153 --> enforcement --> node <--> reporter <-- intervals
//!                                            |
//!                                            +----> end device: tables, procedures, switch
//!   optical port --> C12.18 -----------------------^
//! ```

mod access;
mod association;
mod backlog;
mod config;
mod curtailment;
mod device;
mod group;
mod image;
mod optical;
mod outage;
mod reporter;
mod switch;
#[cfg(test)]
mod tests;

pub(crate) use association::DEVICE_CLASS;
pub use backlog::Interval;
pub use config::{Config, OutagePolicy, Provisioning, Reauthentication, ReportPolicy};
pub use curtailment::Lift;
pub(crate) use device::METER_REGISTERS;
pub use device::{DeviceConfig, ImageEvent, ImageStep, METERED_TABLES, SwitchEvent};
pub(crate) use group::put_order as put_group_order;
pub(crate) use image::end_reason;
pub use image::{Channel, Meter, MeterEvent, Transmit};
pub use outage::GASPS_MAX;
pub use switch::{GeometricDelay, Refusal, SwitchPolicy, SwitchStep};
