//! Datagrams that do not get through: a grey hole, and jamming.

use super::behaviour::{Behaviour, Deed, Order, Passage, Scene, Seen};
use super::plan::Protocols;
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

/// A jammer: while it sends, nobody is heard.
#[derive(Debug)]
pub(super) struct Jammer {
    pub(super) burst: Duration,
    pub(super) period: Duration,
}

impl Behaviour for Jammer {
    fn intercept(&mut self, seen: &Seen<'_>, scene: &mut Scene<'_>) -> Passage {
        let elapsed = seen.departure.saturating_since(scene.plan.campaign.start);
        if elapsed.as_nanos() % self.period.as_nanos().max(1) >= self.burst.as_nanos() {
            return Passage::Pass;
        }
        note_dropped(seen, "jam", scene);
        Passage::Drop
    }
}

fn note_dropped(seen: &Seen<'_>, action: &'static str, scene: &mut Scene<'_>) {
    scene.orders.push(Order::Note(Deed {
        action,
        meter: Some(seen.meter),
        time: seen.departure,
        end: None,
        count: 1,
        octets: seen.octets.len() as u64,
        outcome: "dropped",
        cause: Some(seen.kind.name()),
    }));
}
