//! The component of a head-end instance entity.

use core::net::Ipv4Addr;

use firmware::memory::Visitor;

use bevy_ecs::component::Component;
use firmware::headend::Headend;

use super::{Station, Visitors, Waves};
use crate::alarm::AlarmClock;
use crate::datagram::Handle;
use crate::link::Lane;
use crate::mdms::Mdms;
use crate::rng::Stream;
use crate::telemetry::InstanceLoad;
use crate::time::Time;

/// The head-end's end of a concentrator's link.
#[derive(Debug)]
pub struct Trunk {
    /// Index of the concentrator.
    pub concentrator: u32,
    /// The lane to the concentrator.
    pub lane: Lane,
}

/// The head-end's end of one meter's link, and its randomness towards that meter.
#[derive(Debug)]
pub struct Downlink {
    /// The lane to the meter, unless it is behind a concentrator.
    pub lane: Lane,
    /// The link of its concentrator, as an index.
    pub trunk: Option<u32>,
    /// Nonces and retransmission jitter towards the meter.
    pub entropy: Stream,
    /// Index of the link profile.
    pub link: u16,
    /// Index of the cohort.
    pub cohort: u16,
    /// Whether the meter's messages are recorded one by one.
    pub sampled: bool,
    /// Rings when a key of the meter ends.
    pub alarm: AlarmClock,
}

/// One instance of the head-end.
#[derive(Component)]
pub struct Instance {
    /// Index among the instances.
    pub index: u32,
    /// Entity number in events.
    pub entity: u32,
    /// Its network address.
    pub address: Ipv4Addr,
    /// The protocol software.
    pub image: Headend,
    /// Cores and buffer.
    pub station: Station<Handle>,
    /// When a wake-up for waiting datagrams is under way.
    pub ready: Time,
    /// Whether it serves.
    pub up: bool,
    /// Links to its meters, by rank.
    pub downlinks: Vec<Downlink>,
    /// Links to the concentrators of its meters, in order of these.
    pub trunks: Vec<Trunk>,
    /// Where the readings of its meters go, if anywhere.
    pub mdms: Option<Box<Mdms>>,
    /// How far updates are whose waves wait for each other, if there are any.
    pub waves: Option<Box<Waves>>,
    /// Where meters are that are not where the plan has them.
    pub visitors: Visitors,
    /// Ring when a session has something to do, by session number.
    pub session_alarms: Vec<AlarmClock>,
    /// Rings when something is due for orders to switches.
    pub command_alarm: AlarmClock,
    /// Orders of attackers that have ended, for their labels.
    pub labels: u32,
    /// Load since the last report.
    pub load: InstanceLoad,
    /// Events that the instance has posted.
    pub posted: u32,
}

impl Instance {
    /// Shows `visitor` what the instance keeps about the meter with this rank.
    pub fn visit_peer(&self, rank: u32, visitor: &mut impl Visitor) {
        visitor.visit(&self.downlinks[rank as usize]);
        self.image.visit_subscriber(rank, visitor);
    }
}
