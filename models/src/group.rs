//! Groups of meters that hear one order, and how it travels to them.
//!
//! On links of their own the network replicates the message, once for each member. Behind a
//! concentrator it travels once over the backhaul and is then forwarded by every station, see
//! [`flood`](crate::link::segment::Trickle).

use core::net::Ipv4Addr;

use firmware::headend::GroupPolicy;

use crate::link::segment::Trickle;
use crate::time::Duration;

/// All C1222 Nodes (RFC 6142).
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(224, 0, 2, 4);

/// A group.
#[derive(Clone, Debug)]
pub struct GroupPlan {
    /// Index of the cohort whose meters are members, from the start.
    pub cohort: usize,
    /// Its key.
    pub policy: GroupPolicy,
    /// How its messages spread on shared media.
    pub trickle: Trickle,
}

/// Whom an order of a batch is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Each meter alone.
    Alone,
    /// All members of the group with this key id at once.
    Group {
        /// Key id of the group.
        key_id: u8,
        /// After which time a meter that has not confirmed is told alone.
        fallback_after: Duration,
    },
    /// Nobody: the meters are no members of the group any more.
    Expel {
        /// Key id of the group.
        key_id: u8,
    },
}
