//! Fetching what the next events are going to need while others are handled.

use bevy_ecs::entity::Entity;

use super::{Instances, Meters};
use crate::context::{self, Kind};
use crate::datagram::{PANA_PORT, Pool};
use crate::event::Event;
use crate::fleet::Fleet;
use crate::prefetch::Prefetch;
use firmware::memory::Visitor;
use firmware::meter::Channel;

/// Where it is known what events are going to need.
pub(super) struct Foresight<'a, 'w, 's> {
    pub(super) fleet: &'a Fleet,
    pub(super) entities: &'a [Option<Entity>],
    pub(super) meters: &'a Meters<'w, 's>,
    pub(super) instances: &'a Instances<'w, 's>,
    pub(super) pool: &'a Pool,
}

impl Foresight<'_, '_, '_> {
    /// Fetches the components that `event`, the one after the next, is going to need.
    pub(super) fn fetch_components(&self, event: &Event) {
        let Some(&Some(entity)) = self.entities.get(event.target as usize) else {
            return;
        };
        if event.target < self.fleet.meters() {
            let Ok(meter) = self.meters.get(entity) else {
                return;
            };
            Prefetch.visit(meter.placement);
            Prefetch.visit(meter.processor);
            Prefetch.visit(meter.supply);
            Prefetch.visit(meter.uplink);
            let firmware = meter.firmware;
            Prefetch.visit(&firmware.entropy);
            Prefetch.visit(&firmware.attempt);
            firmware
                .image
                .visit_image(self.channel(event), &mut Prefetch);
            if Kind::of(event) == Some(Kind::Interval) {
                Prefetch.visit(meter.premise);
            }
            // Nearly all that a meter does leads to a datagram for its instance.
            let peer = self
                .fleet
                .instance_entity(self.fleet.instance_of(event.target));
            if let Some(Some(entity)) = self.entities.get(peer as usize)
                && let Ok(instance) = self.instances.get(*entity)
            {
                instance.visit_peer(self.fleet.rank_of(event.target), &mut Prefetch);
            }
        }
    }

    /// Fetches what the components that `next` is going to need refer to.
    pub(super) fn fetch_beyond(&self, next: &Event) {
        let Some(&Some(entity)) = self.entities.get(next.target as usize) else {
            return;
        };
        if next.target < self.fleet.meters() {
            if let Ok(meter) = self.meters.get(entity) {
                meter.firmware.image.visit_memory(&mut Prefetch);
            }
        } else if next.source < self.fleet.meters()
            && let Ok(instance) = self.instances.get(entity)
        {
            let rank = self.fleet.rank_of(next.source);
            instance
                .image
                .visit_memory(rank, self.channel(next), &mut Prefetch);
        }
    }

    /// Which of a node's protocols an event concerns; timers mostly concern the traffic.
    fn channel(&self, event: &Event) -> Channel {
        let arrives = Kind::of(event) == Some(Kind::Arrive);
        match self.pool.get(context::handle(event)) {
            Some(datagram) if arrives && datagram.destination.port() == PANA_PORT => Channel::Pana,
            _ => Channel::C1222,
        }
    }
}
