//! Fetching what the next events are going to need while others are handled.
//!
//! A timer that was set long ago begins an exchange of messages between a meter and its instance,
//! which both have left the caches since. Their components are fetched while two more events lie
//! before it, and what these refer to while one more does; the rest of the exchange finds it there.

use super::entities::Entities;
use super::{Instances, Meters};
use crate::context::Kind;
use crate::event::Event;
use crate::fleet::Fleet;
use crate::prefetch::Prefetch;
use crate::time::Time;
use firmware::memory::Visitor;

/// With fewer meters than this a domain stays in the caches as a whole.
const METERS_MIN: usize = 500;

/// Whether a domain with so many meters is larger than the caches.
pub(super) const fn is_worth_while(meters: usize) -> bool {
    meters >= METERS_MIN
}

/// Where it is known what events are going to need.
pub(super) struct Foresight<'a, 'w, 's> {
    pub(super) fleet: &'a Fleet,
    pub(super) entities: &'a Entities,
    pub(super) meters: &'a Meters<'w, 's>,
    pub(super) instances: &'a Instances<'w, 's>,
}

/// The times of the events that memory has been fetched for, the nearer one first.
#[derive(Default)]
pub(super) struct Foreseen([Time; 2]);

impl Foresight<'_, '_, '_> {
    /// Fetches what the events that come up need, unless that has been done.
    #[inline]
    pub(super) fn fetch(&self, upcoming: [Option<&Event>; 2], foreseen: &mut Foreseen) {
        let [next, following] = upcoming;
        let [nearer, farther] = &mut foreseen.0;
        if let Some(event) = following.filter(|event| event.time != *farther) {
            *farther = event.time;
            self.fetch_components(event);
        }
        if let Some(event) = next.filter(|event| event.time != *nearer) {
            *nearer = event.time;
            self.fetch_beyond(event);
        }
    }

    /// Fetches components of a meter, and what its instance keeps about it.
    fn fetch_components(&self, event: &Event) {
        if event.target >= self.fleet.meters() {
            return;
        }
        if let Some(entity) = self.entities.get(event.target)
            && let Ok(meter) = self.meters.get(entity)
        {
            Prefetch.visit(meter.placement);
            Prefetch.visit(meter.processor);
            Prefetch.visit(meter.supply);
            Prefetch.visit(meter.uplink);
            Prefetch.visit(&meter.firmware.entropy);
            Prefetch.visit(&meter.firmware.attempt);
            meter.firmware.image.visit_idle(&mut Prefetch);
            if Kind::of(event) == Some(Kind::Interval) {
                Prefetch.visit(meter.premise);
            }
        }
        let peer = self
            .fleet
            .instance_entity(self.fleet.instance_of(event.target));
        if let Some(entity) = self.entities.get(peer)
            && let Ok(instance) = self.instances.get(entity)
        {
            instance.visit_peer(self.fleet.rank_of(event.target), &mut Prefetch);
        }
    }

    /// Fetches the keys of both sides.
    fn fetch_beyond(&self, event: &Event) {
        if event.target >= self.fleet.meters() {
            return;
        }
        if let Some(entity) = self.entities.get(event.target)
            && let Ok(meter) = self.meters.get(entity)
        {
            meter.firmware.image.visit_keys(&mut Prefetch);
        }
        let peer = self
            .fleet
            .instance_entity(self.fleet.instance_of(event.target));
        if let Some(entity) = self.entities.get(peer)
            && let Ok(instance) = self.instances.get(entity)
        {
            let rank = self.fleet.rank_of(event.target);
            instance.image.visit_keys(rank, &mut Prefetch);
        }
    }
}
