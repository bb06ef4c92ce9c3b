//! The power supply of a concentrator.

use super::ConcentratorHost;
use crate::context::{Exchange, Kind, event};
use crate::event::Agenda;
use crate::link::StationId;
use crate::rng::Stream;

/// Whether a concentrator has power, and whether it has started since.
#[derive(Clone, Debug)]
pub struct Mains {
    /// Whether there is power.
    pub powered: bool,
    /// Whether it has started since power returned.
    pub running: bool,
    /// Power cycles so far: events of an earlier one are void.
    pub cycle: u32,
    /// Draws boot times.
    pub timing: Stream,
}

impl Mains {
    /// A concentrator that has been running for long.
    pub const fn new(timing: Stream) -> Self {
        Self {
            powered: true,
            running: true,
            cycle: 0,
            timing,
        }
    }
}

impl<A: Agenda, X: Exchange> ConcentratorHost<'_, '_, A, X> {
    /// Power is lost: what it held is gone, and its stations have no root.
    pub fn power_off(&mut self) {
        let mains = &mut self.concentrator.mains;
        if !mains.powered {
            return;
        }
        (mains.powered, mains.running) = (false, false);
        mains.cycle += 1;
        self.concentrator.relayed.fill(false);
        if let Some(forwarder) = &mut self.concentrator.forwarder {
            forwarder.restart();
        }
        let segment = &mut self.concentrator.segment;
        segment.set_admitted(StationId::ROOT, false);
        segment.set_power(self.now, StationId::ROOT, false);
        self.settle();
    }

    /// Power comes on: it will forward again after its boot time.
    pub fn power_on(&mut self) {
        let mains = &mut self.concentrator.mains;
        if mains.powered {
            return;
        }
        mains.powered = true;
        let boot = self.context.fleet.concentrator_boot;
        let (cycle, time) = (mains.cycle, self.now + boot.duration(&mut mains.timing));
        let (entity, posted) = (self.concentrator.entity, &mut self.concentrator.posted);
        let event = event(time, Kind::Boot, entity, entity, posted, cycle);
        self.context.agenda.post(event);
    }

    /// It starts, unless power was lost again meanwhile.
    pub fn boot(&mut self, cycle: u32) {
        let mains = &mut self.concentrator.mains;
        if !mains.powered || mains.cycle != cycle {
            return;
        }
        mains.running = true;
        let segment = &mut self.concentrator.segment;
        segment.set_power(self.now, StationId::ROOT, true);
        segment.set_admitted(StationId::ROOT, true);
    }
}
