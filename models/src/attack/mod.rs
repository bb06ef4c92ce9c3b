//! Attackers on the links between meters and head-end.
//!
//! An attacker is described by a [`Capability`] - position, knowledge, resources - a
//! [`Campaign`] and an [`Attack`]. It acts through one [`Cell`] per head-end instance, so cells
//! never reach beyond their domain. A cell sees the octets on the links that its position covers,
//! posts forged datagrams through a lane of its own and draws from a random stream of its own:
//! whatever it does, no draw of anybody else moves, and one that only listens changes nothing.
//!
//! ```text
//!   sender --lane--> overhear (tap) --> intercept (on path) --> receiver
//!                       |                  drop, alter, delay
//!                       +--> forged datagrams, labelled --------> receiver
//! ```
//!
//! Attackers use the protocol code of the `firmware` crate for what they build and break; they
//! succeed or fail because the victim's code accepts or rejects the octets.
//!
//! | module | attack |
//! |---|---|
//! | `flood` | state exhaustion of the authentication agent by PCI |
//! | `puppet` | a meter without the pre-shared key, or a clone with it |
//! | `replay` | recorded datagrams, sent again later |
//! | `spoof` | forged terminations, failures and re-authentications |
//! | `eavesdrop` | recording, and decryption after a key has leaked |
//! | `dictionary` | guessing a weak pre-shared key offline |
//! | `tamper` | alteration on the path, downgrade of algorithms included |
//! | `forge` | EAX′ forgeries in the domain of short cleartexts |
//! | `block` | grey hole, delay and jamming |
//! | `insider` | mass disconnection by somebody with an operator's rights |
//! | `usurp` | orders under the group key of one opened meter |
//!
//! On a medium that many meters share the foothold of an attacker is the access of the
//! concentrator or a station: it hears what its neighbours send, has in its hands what it forwards
//! or relays, and sends with the airtime of everybody else. A jammer is a property of the medium
//! ([`jamming`](crate::link::jamming)).
//!
//! # Ground truth
//!
//! Every datagram that an attacker sends or alters carries a label that no protocol code sees.
//! When its receiver has judged it, an [`AttackRecord`](crate::telemetry::AttackRecord) tells
//! what became of it; what defenders could have noticed stays in the other records.

mod behaviour;
mod block;
mod cell;
mod dictionary;
mod eavesdrop;
mod flood;
mod forge;
mod insider;
mod plan;
mod presence;
mod puppet;
mod replay;
mod spoof;
mod tamper;
mod transcript;
mod usurp;

pub use behaviour::{Passage, Place, Seen};
pub use cell::Cell;
pub(crate) use cell::is_victim;
pub use plan::{
    Attack, Attacker, Campaign, Capability, Family, Foothold, Knowledge, Leak, Position, Protocols,
    Spoofed, Tampering,
};
pub use presence::{Attackers, Intercepted};
