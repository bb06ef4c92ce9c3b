//! The components of a meter entity.

use core::net::Ipv4Addr;
use std::collections::VecDeque;

use bevy_ecs::bundle::Bundle;
use bevy_ecs::component::Component;
use bevy_ecs::query::QueryData;
use firmware::meter::Meter;

use super::{Attempt, HoldUp, Metering, Response, Service};
use crate::alarm::AlarmClock;
use crate::clock::Clock;
use crate::concentrator::Admission;
use crate::datagram::Handle;
use crate::field::Attendance;
use crate::han::Home;
use crate::link::Lane;
use crate::load::House;
use crate::rng::Stream;
use crate::time::{Duration, Time};

/// Where a meter stands in the fleet.
#[derive(Clone, Copy, Component, Debug)]
pub struct Placement {
    /// The meter's number, which is also its entity number in events.
    pub meter: u32,
    /// Index of its cohort.
    pub cohort: u16,
    /// Index of its link profile.
    pub link: u16,
    /// Index of the head-end instance that serves it.
    pub instance: u32,
    /// Its network address.
    pub address: Ipv4Addr,
    /// How long after the end of an interval it is reported.
    pub report_offset: Duration,
    /// Whether its messages are recorded one by one.
    pub sampled: bool,
    /// Entity number of its concentrator, if it is on a shared medium.
    pub concentrator: Option<u32>,
    /// Entity number of its cell, if it has a modem of its own.
    pub cell: Option<u32>,
}

/// The firmware, its entropy and the attempt that it is engaged in.
#[derive(Component)]
pub struct Firmware {
    /// The protocol code.
    pub image: Meter,
    /// Entropy of the protocol code.
    pub entropy: Stream,
    /// The authentication under way.
    pub attempt: Option<Attempt>,
}

/// The processor: its clock, what it is busy with and its alarm.
#[derive(Component, Debug)]
pub struct Processor {
    /// The clock that timers and key lifetimes run on.
    pub clock: Clock,
    /// When the work at hand is done.
    pub busy_until: Time,
    /// Datagrams that wait for the processor.
    pub inbox: VecDeque<Handle>,
    /// Rings when the firmware has something to do.
    pub alarm: AlarmClock,
    /// Events that the meter has posted.
    pub posted: u32,
    /// Time spent working.
    pub worked: Duration,
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams that reached the firmware.
    pub received: u64,
}

/// The power supply.
#[derive(Component, Debug)]
pub struct Supply {
    /// Whether there is power.
    pub powered: bool,
    /// Whether the firmware has started since power returned.
    pub running: bool,
    /// Whether the firmware boots although power has not failed.
    pub restarting: bool,
    /// Power cycles and restarts so far: events of an earlier one are void.
    pub cycle: u32,
    /// Draws boot times.
    pub timing: Stream,
    /// Whether the meter has ever joined.
    pub joined: bool,
    /// Whether power has returned and the session has not.
    pub returned: bool,
    /// How far it has got on a shared medium.
    pub admission: Admission,
    /// What carries it over a loss of power, where something does.
    pub hold_up: Option<Box<HoldUp>>,
}

/// The meter's end of its link.
#[derive(Component, Debug)]
pub struct Uplink {
    /// The way to the head-end.
    pub lane: Lane,
    /// Datagrams that wait for access to the cell; one request is under way while there are any.
    pub waiting: Vec<Held>,
}

/// A datagram that waits for access to a cell.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// The datagram.
    pub handle: Handle,
    /// Whether it repeats an earlier one.
    pub retransmission: bool,
}

/// What is behind the meter.
#[derive(Component, Debug)]
pub struct Premise {
    /// Electricity use.
    pub house: House,
    /// The energy register in Wh.
    pub register_wh: u64,
    /// When the switch has moved; nothing while it never has.
    pub service: Option<Box<Service>>,
    /// Full metering, where the cohort has it; it has a house of its own.
    pub metering: Option<Box<Metering>>,
    /// Where the household has been told of demand response.
    pub response: Option<Box<Response>>,
    /// Where there is a home area network.
    pub home: Option<Box<Home>>,
    /// Where somebody visits the optical port.
    pub field: Option<Box<Attendance>>,
}

/// Everything that a meter entity is made of.
#[derive(Bundle)]
pub struct MeterBundle {
    /// See [`Placement`].
    pub placement: Placement,
    /// See [`Firmware`].
    pub firmware: Firmware,
    /// See [`Processor`].
    pub processor: Processor,
    /// See [`Supply`].
    pub supply: Supply,
    /// See [`Uplink`].
    pub uplink: Uplink,
    /// See [`Premise`].
    pub premise: Premise,
}

/// Access to all components of a meter.
#[derive(QueryData)]
#[query_data(mutable)]
pub struct MeterQuery {
    /// See [`Placement`].
    pub placement: &'static Placement,
    /// See [`Firmware`].
    pub firmware: &'static mut Firmware,
    /// See [`Processor`].
    pub processor: &'static mut Processor,
    /// See [`Supply`].
    pub supply: &'static mut Supply,
    /// See [`Uplink`].
    pub uplink: &'static mut Uplink,
    /// See [`Premise`].
    pub premise: &'static mut Premise,
}
