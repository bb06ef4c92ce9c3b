//! The home area network behind a meter: displays, energy management systems, and their air.
//!
//! The coordinator is part of the meter's firmware; the devices run the firmware's device code. A
//! home is a closed system whose only ties to the rest are the meter's keys, its readings and its
//! power, so it is one event when something is due in it: every frame of that moment, with its
//! repetitions, is settled within the event. A meter without a home area network has no such
//! event.

mod air;
mod home;
mod host;
mod plan;

pub use air::{Air, AirPlan, Flight};
pub use home::{Home, HomeDevice, Window};
pub use host::PROTOCOL;
pub use plan::{Announcement, HanPlan, Jamming};
