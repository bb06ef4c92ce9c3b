//! The component of a concentrator entity.

use core::net::Ipv4Addr;

use bevy_ecs::component::Component;

use super::{Forwarder, Mains};
use crate::link::{Lane, Segment};
use crate::time::Time;

/// How far a meter has got on its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Admission {
    /// It is not running.
    Off,
    /// It runs and may talk to its relay element.
    Joining,
    /// It has been authenticated: it talks to the head-end and forwards for others.
    Admitted,
}

impl Admission {
    /// The admission that the payload of an event stands for.
    pub const fn of(payload: u32) -> Self {
        match payload {
            0 => Self::Off,
            1 => Self::Joining,
            _ => Self::Admitted,
        }
    }
}

/// One concentrator with its segment.
#[derive(Component, Debug)]
pub struct Concentrator {
    /// Index among the concentrators.
    pub index: u32,
    /// Entity number in events.
    pub entity: u32,
    /// Its network address, at which its relay element answers.
    pub address: Ipv4Addr,
    /// Index of the link profile of its segment.
    pub link: usize,
    /// Index of the link profile of its own access.
    pub backhaul: usize,
    /// Index of the cohort of its meters.
    pub cohort: usize,
    /// Index of the head-end instance of its meters.
    pub instance: u32,
    /// The mesh or power line; station n is meter `members[n - 1]`.
    pub segment: Segment,
    /// Whether the latest PANA message for a station came through a relay element, by station.
    pub relayed: Vec<bool>,
    /// Its C12.22 relay, if its meters sit behind one.
    pub forwarder: Option<Box<Forwarder>>,
    /// The lane to the head-end.
    pub uplink: Lane,
    /// Its power supply.
    pub mains: Mains,
    /// When a wake-up for the segment is under way.
    pub wake: Time,
    /// Events that it has posted.
    pub posted: u32,
}
