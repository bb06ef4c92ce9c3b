//! Datagrams that do not get through, or not in time: a grey hole, a delay, jamming.

use super::behaviour::{Behaviour, Deed, Order, Passage, Place, Scene, Seen};
use super::plan::Protocols;
use crate::link::jamming::Jammer;
use crate::time::Duration;

/// A node on the path that drops what it is meant to forward, by protocol.
#[derive(Debug)]
pub(super) struct GreyHole {
    pub(super) protocols: Protocols,
    pub(super) share_ppb: u32,
}

impl Behaviour for GreyHole {
    fn intercept(&mut self, seen: &Seen<'_>, scene: &mut Scene<'_>) -> Passage {
        if !self.protocols.include(seen.kind.protocol()) || !scene.stream.chance(self.share_ppb) {
            return Passage::Pass;
        }
        note_dropped(seen, "drop", scene);
        Passage::Drop
    }
}

/// A node on the path that forwards late.
#[derive(Debug)]
pub(super) struct Delayer {
    pub(super) by: Duration,
    pub(super) protocols: Protocols,
    pub(super) share_ppb: u32,
}

impl Behaviour for Delayer {
    fn intercept(&mut self, seen: &Seen<'_>, scene: &mut Scene<'_>) -> Passage {
        if !self.protocols.include(seen.kind.protocol()) || !scene.stream.chance(self.share_ppb) {
            return Passage::Pass;
        }
        Passage::Delay(self.by)
    }
}

/// A jammer: while it sends, nobody is heard.
///
/// On a link of its own a burst swallows datagrams. In a shared medium the medium itself knows
/// the jammer and whom it reaches.
#[derive(Debug)]
pub(super) struct Jamming(pub(super) Jammer);

impl Behaviour for Jamming {
    fn intercept(&mut self, seen: &Seen<'_>, scene: &mut Scene<'_>) -> Passage {
        let is_access = seen.place == Place::Access;
        if !is_access || !self.0.overlaps(seen.departure, seen.departure) {
            return Passage::Pass;
        }
        note_dropped(seen, "jam", scene);
        Passage::Drop
    }
}

fn note_dropped(seen: &Seen<'_>, action: &'static str, scene: &mut Scene<'_>) {
    scene.orders.push(Order::Note(dropped(seen, action)));
}

/// The record of a datagram of somebody else that `action` has ended.
pub(super) fn dropped(seen: &Seen<'_>, action: &'static str) -> Deed {
    Deed {
        action,
        meter: Some(seen.meter),
        time: seen.departure,
        end: None,
        count: 1,
        octets: seen.octets.len() as u64,
        outcome: "dropped",
        cause: Some(seen.kind.name()),
    }
}
