//! Links: how datagrams get from one station to another.
//!
//! An access link of one meter - Ethernet, a wide-area network, Wi-Fi, a modem - is a pair of
//! [`Lane`]s, one for each direction. Whoever sends owns the lane and its random stream: a meter
//! its uplink, the head-end the downlink of each meter. A datagram waits for the lane (finite
//! queue), occupies it for its length over the rate, then travels for a random latency, unless it
//! is lost.
//!
//! A medium that many meters share - a mesh, a power line - is a [`Segment`]: a routing tree of
//! [`Hop`]s that store and forward, below one concentrator or border router.
//!
//! ```text
//!   meter ==lane============================ WAN ============================ head-end
//!   meter --hop--> meter --hop--> concentrator ==lane============ WAN ======== head-end
//!         `------- Segment -----'
//! ```
//!
//! Both are a [`Link`], and so will be a model that simulates every frame. [`csma`] is that model
//! for one collision domain; the tables of [`contention`] that a [`Segment`] works with are runs of
//! it, so the levels cannot drift apart.
//!
//! | module | what it knows |
//! |---|---|
//! | [`sixlowpan`] | compressed headers and fragments |
//! | [`ieee802154`], [`sun_fsk`], [`g3plc`] | airtimes and error rates |
//! | [`csma`], [`contention`] | what sharing a channel costs |
//! | [`channel`], [`hop`], [`segment`] | one link over time, one hop, a tree of hops |
//! | [`topology`] | where stations stand, who hears whom, who forwards for whom |
//! | [`cellular`], [`rach`], [`wifi`] | access through an operator or a home router |
//! | [`outage`] | what fails together |
//! | [`jamming`] | who shouts everybody down |

pub mod cellular;
pub mod channel;
pub mod contention;
pub mod csma;
pub mod draws;
pub mod g3plc;
pub mod hop;
pub mod ieee802154;
pub mod jamming;
mod lane;
pub mod outage;
pub mod phy;
mod point_to_point;
mod profile;
pub mod rach;
pub mod segment;
pub mod sixlowpan;
pub mod sun_fsk;
pub mod topology;
pub mod wifi;

pub use hop::Hop;
pub use lane::{Lane, Transit};
pub use point_to_point::PointToPoint;
pub use profile::{Direction, LaneProfile, LinkProfile, Medium};
pub use segment::Segment;

use crate::time::{Duration, Time};

/// A station of a link: the root (concentrator, border router, head-end) is station 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StationId(pub u32);

impl StationId {
    /// The station that connects the link to the rest of the world.
    pub const ROOT: Self = Self(0);
}

/// A datagram as a link sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Who sends it.
    pub from: StationId,
    /// Who shall get it.
    pub to: StationId,
    /// Octets of UDP payload.
    pub payload: u32,
    /// The caller's name for it, for example the handle of its octets.
    pub token: u32,
}

/// Why a link did not deliver a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The queue of a station on the way was full.
    QueueFull,
    /// Lost on the way: noise, or retries without success.
    Channel,
    /// The channel was never idle.
    ChannelAccess,
    /// No route to the destination.
    NoRoute,
    /// The station that had it lost its power.
    StationDown,
}

impl Cause {
    /// The name in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Channel => "lost",
            Self::ChannelAccess => "channel_access",
            Self::NoRoute => "no_route",
            Self::StationDown => "station_down",
        }
    }
}

/// What moving a datagram took, over all its hops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Frames that were sent, repetitions included.
    pub transmissions: u32,
    /// Frames without the repetitions.
    pub frames: u32,
    /// Octets of all transmissions.
    pub octets: u32,
    /// Time that they and their acknowledgements occupied the medium.
    pub airtime: Duration,
    /// The attacker whose jammer destroyed a frame or held one up, which no station can tell.
    pub jammed_by: Option<u32>,
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The datagram.
    pub packet: Packet,
    /// When it arrives or is lost; never before the call that made the outcome known.
    pub at: Time,
    /// `Ok` if it is delivered.
    pub result: Result<(), Cause>,
    /// Hops that it made.
    pub hops: u8,
    /// What they took; nothing on a lane, which counts for itself.
    pub effort: Effort,
}

/// A link of any kind, as the event loop drives it.
///
/// Like all protocol code a link has no clock: after every `send` and `handle_timeout` the caller
/// drains `poll_outcome` and then asks `poll_timeout` when to come back. Time never goes back.
///
/// A link at message level knows the outcome of a last hop when it starts and says so at once; the
/// event loop posts the arrival for the time in the outcome, as it does for a lane. A link at
/// frame level comes back for every step. Outcomes are in an order that does not depend on
/// anything but the calls.
pub trait Link {
    /// Takes over a datagram at `now`.
    fn send(&mut self, now: Time, packet: Packet);

    /// Does what is due at `now`.
    fn handle_timeout(&mut self, now: Time);

    /// When something is due.
    fn poll_timeout(&self) -> Option<Time>;

    /// Takes the next outcome.
    fn poll_outcome(&mut self) -> Option<Outcome>;
}
