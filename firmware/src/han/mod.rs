//! The home area network: a meter, in-home displays and energy management systems.
//!
//! IEEE 802.15.4 at 2.4 GHz without a superframe. Devices join by association, prove that they are
//! the ones that were enrolled, get a link key and are sent an update every few seconds. Every
//! frame after the association is encrypted and authenticated with AES-CCM*.
//!
//! | module | content | source |
//! |---|---|---|
//! | [`frame`] | MAC header, auxiliary security header, check sequence | 802.15.4-2006 §7.2, §7.6.2 |
//! | [`command`] | association, data and beacon requests, beacons | 802.15.4-2006 §7.2.2.1, §7.3 |
//! | [`message`] | keys, usage, texts, demand events | - |
//! | [`install`] | installation codes | - |
//! | [`coordinator`] | the meter's side: who joins, keys, updates | 802.15.4-2006 §7.5.3, §7.5.8 |
//! | [`device`] | the other side | 802.15.4-2006 §7.5.3, §7.5.8 |
//! | [`display`] | what a display shows | - |
//! | [`hems`] | how demand events are answered | - |
//!
//! # Where the link key comes from
//!
//! A device takes no part in network access and has no EMSK, so somebody has to hand it the key
//! that UKMF derives for purpose 03. This project's proposal: the device is enrolled with its
//! installation code; the meter derives one link key for each device from its own authentication,
//! and transports it under the installation key once the device has answered for itself. So
//!
//! - no device is let in before the head-end has authenticated the meter, and all lose their keys
//!   with the meter's session;
//! - every re-authentication of the meter renews the link keys, and the head-end, which has the
//!   same root key, can compute them without any message;
//! - a link key that has leaked reveals neither the next one, which travels under the installation
//!   key, nor that of another device.
//!
//! A transport of an earlier authentication does not work again: frame counters of installation
//! keys never restart.

pub mod command;
pub mod coordinator;
pub mod device;
pub mod display;
pub mod frame;
pub mod hems;
pub mod install;
mod key;
pub mod message;
mod node;
mod peer;
mod policy;
mod reject;
#[cfg(test)]
mod tests;

pub use coordinator::{Content, Coordinator, CoordinatorEvent, DEVICES_MAX, Enrolment, Transmit};
pub use device::{Device, DeviceEvent, Role};
pub use display::Display;
pub use hems::{Hems, HemsConfig};
pub use install::{CodeError, InstallCode};
pub use key::open as open_frame;
pub use message::{DemandEvent, EventAnswer, Text, Usage};
pub use policy::{CHANNELS, Policy};
pub use reject::Reject;
