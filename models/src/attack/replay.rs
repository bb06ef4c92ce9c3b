//! Recorded datagrams, sent again octet by octet.

use core::net::SocketAddrV4;

use super::behaviour::{Behaviour, Scene, Seen};
use super::plan::Protocols;
use crate::datagram::MessageType;
use crate::link::Direction;
use crate::time::Duration;

/// A datagram that waits for being sent again.
#[derive(Debug)]
struct Recorded {
    meter: u32,
    direction: Direction,
    kind: MessageType,
    sockets: (SocketAddrV4, SocketAddrV4),
    octets: Vec<u8>,
}

/// Records and sends again.
#[derive(Debug)]
pub(super) struct Replay {
    delay: Duration,
    protocols: Protocols,
    share_ppb: u32,
    store: Vec<Option<Recorded>>,
    free: Vec<u32>,
}

impl Replay {
    pub(super) fn new(delay: Duration, protocols: Protocols, share_ppb: u32) -> Self {
        Self {
            delay,
            protocols,
            share_ppb,
            store: Vec::new(),
            free: Vec::new(),
        }
    }

    fn keep(&mut self, recorded: Recorded) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.store[slot as usize] = Some(recorded);
            return slot;
        }
        self.store.push(Some(recorded));
        self.store.len() as u32 - 1
    }
}

impl Behaviour for Replay {
    fn overhear(&mut self, seen: &Seen<'_>, scene: &mut Scene<'_>) {
        // A PCI is the same from everybody: sending one is an initiation, not a replay.
        if seen.kind == MessageType::Pci
            || !self.protocols.include(seen.kind.protocol())
            || !scene.stream.chance(self.share_ppb)
        {
            return;
        }
        let slot = self.keep(Recorded {
            meter: seen.meter,
            direction: seen.direction,
            kind: seen.kind,
            sockets: (seen.source, seen.destination),
            octets: seen.wire.to_vec(),
        });
        let at = seen.departure + self.delay;
        scene.orders.push(super::behaviour::Order::Alarm(at, slot));
    }

    fn alarm(&mut self, slot: u32, scene: &mut Scene<'_>) {
        let recorded = self
            .store
            .get_mut(slot as usize)
            .and_then(Option::take)
            .expect("an alarm is ordered for every recorded datagram");
        self.free.push(slot);
        let Recorded {
            meter,
            direction,
            kind,
            sockets,
            octets,
        } = recorded;
        scene.send(direction, sockets, octets, kind.name(), Some(meter));
    }
}
