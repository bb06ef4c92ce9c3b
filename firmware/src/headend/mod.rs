//! The composition that a head-end instance runs.
//!
//! [`Headend`] joins the PANA authentication agent, the key stores and the C12.22 nodes of all
//! subscribed meters. It grants access to whom EAP-PSK has authenticated, derives their keys on
//! the way, accepts registrations and interval reports under those keys and answers them. Orders
//! to the service switches of meters and requests - reads, writes, procedures, sessions - wait in
//! queues and go out under the same keys, to the meters or to the relays that they sit behind.

mod active;
mod commands;
mod config;
mod desk;
mod group;
mod image;
mod parts;
mod profile;
mod relays;
mod request;
mod requests;
mod rollout;
mod service;
mod subscriber;
mod task;

pub use commands::{CommandOutcome, CommandPolicy, CommandReport, GroupTrace, SwitchOrder};
pub use config::{Config, Subscription};
pub use group::{GroupPolicy, GroupTransmit, seal_group_order};
pub use image::{Alarm, Headend, HeadendEvent, StoreAccess, Transmit};
pub use request::{RequestOrder, RequestOutcome, RequestPolicy, RequestReport};
pub use rollout::Rollout;
pub use task::{Call, Class, Message, Part, Persistence, ProfileScope, Task};

pub use crate::meter::Channel;
