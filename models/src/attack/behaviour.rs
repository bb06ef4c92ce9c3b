//! What every attack is written against: inputs it gets, orders it gives.

use core::net::{Ipv4Addr, SocketAddrV4};

use firmware::ukmf::GroupKey;

use super::plan::{Attacker, Position};
use crate::datagram::{Datagram, Handle, MessageType};
use crate::dist::exponential;
use crate::fleet::Fleet;
use crate::link::{Direction, StationId};
use crate::rng::Stream;
use crate::time::{Duration, Time};

/// From a tap or a node on the path to the end of the link next to it.
const ADJACENT: Duration = Duration::from_millis(1);

/// Where a datagram is when an attacker sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the access of a meter or a concentrator.
    Access,
    /// At a station of a shared medium.
    Station {
        /// Index of the concentrator.
        concentrator: u32,
        /// The station.
        station: StationId,
        /// The datagram, which may come by more than once.
        handle: Handle,
        /// When its author sent it.
        sent: Time,
    },
}

/// A datagram on its way, as whoever stands there sees it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Where.
    pub place: Place,
    /// Who sent or altered it before, zero if nobody did.
    pub label: u64,
    /// The meter at one end.
    pub meter: u32,
    /// Which way it goes.
    pub direction: Direction,
    /// What its header says it is.
    pub kind: MessageType,
    /// From where.
    pub source: SocketAddrV4,
    /// To where.
    pub destination: SocketAddrV4,
    /// When it left its sender.
    pub departure: Time,
    /// The UDP payload; of a relayed PANA message what is inside.
    pub octets: &'a [u8],
    /// The UDP payload as it is on the link.
    pub wire: &'a [u8],
}

/// What a node on the path does with a datagram.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Passage {
    /// Forwards it.
    #[default]
    Pass,
    /// Drops it.
    Drop,
    /// Forwards other octets of the same length instead.
    Alter(Vec<u8>),
    /// Forwards it so much later.
    Delay(Duration),
}

/// A datagram that an attacker sends.
#[derive(Clone, Debug)]
pub(super) struct Forged {
    /// Towards the head-end or away from it.
    pub(super) direction: Direction,
    pub(super) source: SocketAddrV4,
    pub(super) destination: SocketAddrV4,
    pub(super) octets: Vec<u8>,
    /// When it arrives, or is handed to a shared medium.
    pub(super) arrival: Time,
    /// What it is meant to do, for the record.
    pub(super) action: &'static str,
    /// The meter that is impersonated or addressed.
    pub(super) meter: Option<u32>,
}

/// Something that an attacker did or achieved without sending a datagram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deed {
    pub(super) action: &'static str,
    pub(super) meter: Option<u32>,
    pub(super) time: Time,
    /// When its effect ended.
    pub(super) end: Option<Time>,
    /// Messages read, guesses made, attempts.
    pub(super) count: u64,
    pub(super) octets: u64,
    pub(super) outcome: &'static str,
    pub(super) cause: Option<&'static str>,
}

/// What a behaviour wants done after it has been called.
#[derive(Debug)]
pub(super) enum Order {
    Send(Forged),
    /// Calls `alarm` of the behaviour.
    Alarm(Time, u32),
    Note(Deed),
}

/// What a behaviour works with.
pub(super) struct Scene<'a> {
    pub(super) fleet: &'a Fleet,
    pub(super) plan: &'a Attacker,
    /// Index of the attacker.
    pub(super) attacker: u32,
    /// Index of the instance whose meters are in reach.
    pub(super) instance: u32,
    /// Attackers of this kind that act here.
    pub(super) members: u32,
    pub(super) now: Time,
    pub(super) stream: &'a mut Stream,
    /// Victims by rank.
    pub(super) victims: &'a [u32],
    /// Whether the attacker sends from stations of shared media.
    pub(super) in_stations: bool,
    pub(super) orders: &'a mut Vec<Order>,
}

impl Scene<'_> {
    /// A victim drawn at random, if there is any.
    pub(super) fn any_victim(&mut self) -> Option<u32> {
        let drawn = self.stream.below(self.victims.len() as u64);
        self.victims.get(drawn as usize).copied()
    }

    /// The time that a datagram of the attacker takes to a node at the link of `meter`.
    fn transit(&mut self, meter: Option<u32>, direction: Direction) -> Duration {
        if self.in_stations {
            // What a medium takes for it will show.
            return Duration::ZERO;
        }
        if self.plan.capability.position > Position::Remote {
            return ADJACENT;
        }
        let link = meter.map_or(0, |meter| self.fleet.access_of(meter));
        let lane = self.fleet.links[link].lane(direction);
        lane.latency.duration(self.stream)
    }

    /// When the next action is due: a Poisson process over all members, thinned during the ramp.
    ///
    /// Returns nothing once the campaign is over.
    pub(super) fn next_action(&mut self) -> Option<Time> {
        let campaign = self.plan.campaign;
        let mean = self.plan.capability.every.as_nanos() as f64 / f64::from(self.members.max(1));
        let mut at = self.now.max(campaign.start);
        loop {
            at = at + Duration::from_nanos(1 + (exponential(self.stream) * mean) as u64);
            if at >= campaign.stop || self.members == 0 {
                return None;
            }
            let elapsed = at.saturating_since(campaign.start).as_nanos();
            if self.stream.below(campaign.ramp.as_nanos()) <= elapsed {
                return Some(at);
            }
        }
    }

    /// Has `alarm` called for the next action.
    pub(super) fn schedule_action(&mut self) {
        if let Some(at) = self.next_action() {
            self.orders.push(Order::Alarm(at, 0));
        }
    }

    /// The address of the instance.
    pub(super) fn instance_address(&self) -> Ipv4Addr {
        self.fleet.instance_address(self.instance)
    }

    /// Sends `octets` to the instance from `source`, to its port `port`.
    pub(super) fn send_up(
        &mut self,
        source: SocketAddrV4,
        port: u16,
        octets: Vec<u8>,
        action: &'static str,
        meter: Option<u32>,
    ) {
        let destination = SocketAddrV4::new(self.instance_address(), port);
        self.send(Direction::Up, (source, destination), octets, action, meter);
    }

    /// Sends `octets` to `meter` in the name of the instance.
    pub(super) fn send_down(
        &mut self,
        meter: u32,
        port: u16,
        octets: Vec<u8>,
        action: &'static str,
    ) {
        let source = SocketAddrV4::new(self.instance_address(), port);
        let destination = SocketAddrV4::new(self.fleet.meter_address(meter), port);
        let sockets = (source, destination);
        self.send(Direction::Down, sockets, octets, action, Some(meter));
    }

    /// Sends `octets`, which are about `meter`, towards the head-end or away from it.
    pub(super) fn send(
        &mut self,
        direction: Direction,
        (source, destination): (SocketAddrV4, SocketAddrV4),
        octets: Vec<u8>,
        action: &'static str,
        meter: Option<u32>,
    ) {
        let arrival = self.now + self.transit(meter, direction);
        self.orders.push(Order::Send(Forged {
            direction,
            source,
            destination,
            octets,
            arrival,
            action,
            meter,
        }));
    }
}

/// An attack: reactions to what happens, each of which may give orders.
pub(super) trait Behaviour: Send + Sync {
    /// Called once, before the first event.
    fn begin(&mut self, _scene: &mut Scene<'_>) {}

    /// An alarm that the behaviour ordered has come.
    fn alarm(&mut self, _payload: u32, _scene: &mut Scene<'_>) {}

    /// A datagram of a victim is on its link, whether it gets through or not.
    fn overhear(&mut self, _seen: &Seen<'_>, _scene: &mut Scene<'_>) {}

    /// A datagram of a victim passes the attacker's node.
    fn intercept(&mut self, _seen: &Seen<'_>, _scene: &mut Scene<'_>) -> Passage {
        Passage::Pass
    }

    /// A datagram arrives at an address of the attacker.
    fn receive(&mut self, _datagram: &mut Datagram, _scene: &mut Scene<'_>) {}

    /// A meter was opened: the group key in its memory, if there was one.
    fn learn(&mut self, _meter: u32, _key: Option<GroupKey>, _scene: &mut Scene<'_>) {}

    /// The run ends: what was recorded is evaluated.
    fn conclude(&mut self, _scene: &mut Scene<'_>) {}
}
