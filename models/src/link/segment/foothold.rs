//! Stations of a segment that somebody else controls.
//!
//! A compromised station does what every station does, and acknowledges what it receives, so
//! nobody's estimate of a link gets worse. Besides it hears its neighbours, and what it is about
//! to forward it hands to the caller first:
//!
//! ```text
//! handle_timeout --> poll_custody --> resume(forward | drop | hold) --> handle_timeout ...
//! ```
//!
//! Nothing else happens on the segment in between, so a station that forwards everything leaves
//! no trace.

use std::collections::VecDeque;

use super::super::jamming::{Jammer, Jammers};
use super::super::{Cause, Packet, StationId};
use super::Segment;
use crate::time::Time;

/// A transmission that a compromised station hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The datagram.
    pub packet: Packet,
    /// Who heard it.
    pub by: StationId,
}

/// A datagram that a compromised station is about to forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Custody {
    /// The datagram.
    pub packet: Packet,
    /// The station that has it.
    pub at: StationId,
    /// The station that it came from, whose next datagram waits.
    from: u32,
    job: u32,
}

/// A datagram that a compromised station has taken off the medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held(u32);

impl Held {
    /// The held datagram that the payload of an event stands for.
    pub const fn of(payload: u32) -> Self {
        Self(payload)
    }

    /// What stands for it in the payload of an event.
    pub const fn payload(self) -> u32 {
        self.0
    }
}

/// What a compromised station does with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Forwards it, as its owner would.
    Forward,
    /// Drops it, having acknowledged it.
    Drop,
    /// Keeps it until [`Segment::release`].
    Hold,
}

/// All compromised stations and jammers of a segment.
#[derive(Clone, Debug, Default)]
pub(super) struct Footholds {
    /// Compromised stations that hear each station.
    ears: Vec<Vec<u32>>,
    /// Stations whose datagrams are in other hands, in order.
    forwarders: Vec<u32>,
    heard: VecDeque<Heard>,
    custody: Option<Custody>,
    pub(super) jammers: Jammers,
}

impl Segment {
    fn footholds(&mut self) -> &mut Footholds {
        self.footholds.get_or_insert_default()
    }

    /// Has `station` report what it and its neighbours send, see [`Segment::poll_heard`].
    pub fn listen(&mut self, station: StationId) {
        let audible = self.in_reach(station);
        let stations = self.stations.len();
        let footholds = self.footholds();
        footholds.ears.resize(stations, Vec::new());
        for sender in audible {
            let ears = &mut footholds.ears[sender as usize];
            if !ears.contains(&station.0) {
                ears.push(station.0);
                ears.sort_unstable();
            }
        }
    }

    /// Has `station` hand over what it forwards, see [`Segment::poll_custody`].
    pub fn compromise(&mut self, station: StationId) {
        let forwarders = &mut self.footholds().forwarders;
        forwarders.push(station.0);
        forwarders.sort_unstable();
        forwarders.dedup();
    }

    /// Whether `station` hands over what it forwards.
    pub fn is_compromised(&self, station: StationId) -> bool {
        let forwarders = self.footholds.as_ref().map(|all| &all.forwarders);
        forwarders.is_some_and(|all| all.binary_search(&station.0).is_ok())
    }

    /// Puts a jammer next to `station`: it reaches the station and those that hear it.
    pub fn jam(&mut self, station: StationId, jammer: Jammer) {
        let reach = self.in_reach(station);
        self.footholds().jammers.add(jammer, reach);
    }

    /// The station itself and all that hear it.
    fn in_reach(&self, station: StationId) -> Vec<u32> {
        let own = core::iter::once(station.0);
        own.chain(self.tree.neighbours(station.0)).collect()
    }

    /// Notes who hears what `station` sends.
    pub(super) fn be_heard(&mut self, station: u32, packet: Packet) {
        if let Some(footholds) = &mut self.footholds
            && let Some(ears) = footholds.ears.get(station as usize)
        {
            let heard = |&by: &u32| Heard {
                packet,
                by: StationId(by),
            };
            footholds.heard.extend(ears.iter().map(heard));
        }
    }

    /// Takes the next transmission that a compromised station has heard.
    pub fn poll_heard(&mut self) -> Option<Heard> {
        self.footholds.as_mut()?.heard.pop_front()
    }

    /// Lets the caller decide what becomes of a datagram that `from` has sent to `at`.
    pub(super) fn hand_over(&mut self, job: u32, from: u32, at: u32) {
        let custody = Custody {
            packet: self.jobs[job as usize].packet,
            at: StationId(at),
            from,
            job,
        };
        self.footholds().custody = Some(custody);
    }

    /// The datagram about which the caller has to decide before anything else happens.
    pub fn poll_custody(&self) -> Option<Custody> {
        self.footholds.as_ref()?.custody
    }

    /// Carries out the decision about `custody` at `now`.
    pub fn resume(&mut self, now: Time, custody: Custody, fate: Fate) -> Option<Held> {
        self.footholds().custody = None;
        match fate {
            Fate::Forward => self.enqueue(now, custody.at.0, custody.job),
            Fate::Drop => self.end(now, custody.job, Err(Cause::Channel)),
            Fate::Hold => self.jobs[custody.job as usize].held_at = custody.at.0,
        }
        self.serve_next(now, custody.from);
        (fate == Fate::Hold).then_some(Held(custody.job))
    }

    /// Forwards at `now` a datagram that was held.
    pub fn release(&mut self, now: Time, held: Held) {
        let at = self.jobs[held.0 as usize].held_at;
        self.enqueue(now, at, held.0);
    }
}
