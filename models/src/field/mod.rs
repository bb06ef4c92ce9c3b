//! People at the optical ports of meters: technicians with their errands, and intruders.
//!
//! ```text
//!   plan: who is where, from when until when
//!     |
//!   visitor (C12.18 client, errand) ==wire: octets at line speed, some damaged==> optical port
//!                                   <==========================================   of the meter
//! ```
//!
//! A visitor talks to the port that the firmware has, and gets what the tables give to his
//! password. Technicians travel: the next appointment follows when travel and the time on site,
//! which is fixed in advance, are over; whoever has not finished by then packs up. So a route
//! never depends on what happens at a meter, nor on how the fleet is divided into domains.

mod host;
mod plan;
mod visit;
mod visitor;
mod wire;

pub use plan::{Content, Errand, FieldService, Probe, Route, Task, Visit, Visits};
pub use visit::Attendance;
