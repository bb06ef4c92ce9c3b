//! Concentrators: where a mesh or a power line meets the wide-area network.
//!
//! A concentrator (border router, data concentrator at a transformer) is the root of a
//! [`Segment`](crate::link::Segment) whose other stations are meters. It forwards datagrams between
//! the segment and its own access to the head-end, and it decides what a meter may send that has
//! not been authenticated: PANA messages, over one hop, to a relay element (RFC 6345).
//!
//! ```text
//!   joining meter --PANA--> admitted meter --PRY--> ... --> concentrator ==lane== head-end
//!   joining meter --PANA--> concentrator ====================PRY======lane======= head-end
//!   admitted meter -------PANA, C12.22----> ... --> concentrator ==lane========== head-end
//! ```
//!
//! Where its medium has one, a C12.22 relay sits at the concentrator, which C12.22 of its meters is
//! then addressed to; see [`Forwarder`].

mod component;
mod foothold;
mod forwarder;
mod host;
mod mains;
mod plan;
mod relay;

pub use component::{Admission, Concentrator};
pub(crate) use forwarder::called_meter;
pub use forwarder::{Forwarder, peer_by_title};
pub use host::ConcentratorHost;
pub(crate) use host::is_for_relay;
pub use mains::Mains;
pub use plan::{ConcentratorPlan, Home, Layout, Mesh, Meshes, RelayPlan};
pub use relay::relayed_peer;
pub(crate) use relay::{inside, is_answer, is_relayed, message_range};
