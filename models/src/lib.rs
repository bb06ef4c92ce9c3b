//! Models of an Advanced Metering Infrastructure, on an entity component system.
//!
//! A [`fleet::Fleet`] is the plan of everything that takes part. From it each
//! [`domain::Domain`] builds its own ECS world - meters, their links and premises, head-end
//! instances, [attackers](attack) - and handles events in the total order of [`event::EventKey`]. The protocol code
//! inside every entity is that of the `firmware` crate; there is no second implementation.
//!
//! ```text
//!   premise --Wh--> meter firmware --datagram--> uplink lane --> station --> head-end software
//!                        ^  (processor, clock, power)            (cores, buffer)      |
//!                        +------------ downlink lane <--------------------------------+
//! ```
//!
//! Models read no file, no clock of the machine and no environment; all randomness comes from
//! [`rng::Stream`]s; all output is [`telemetry`].

pub mod address;
pub mod alarm;
pub mod attack;
pub mod capture;
pub mod cell;
pub mod clock;
pub mod concentrator;
pub mod context;
pub mod cost;
pub mod datagram;
pub mod disclosure;
pub mod dist;
pub mod distribution;
pub mod domain;
pub mod event;
pub mod field;
pub mod fleet;
pub mod grid;
pub mod group;
pub mod han;
pub mod headend;
pub mod link;
pub mod load;
pub mod mdms;
pub mod meter;
mod prefetch;
pub mod requests;
pub mod rng;
mod spawn;
pub mod switching;
pub mod telemetry;
pub mod time;
pub mod validation;
