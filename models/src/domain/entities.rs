//! Where the entities of a domain are in its world.

use bevy_ecs::entity::Entity;

use crate::fleet::{Fleet, Partition};

/// The ECS entities of a domain by entity number of the models.
///
/// A domain with the meters of one instance holds a place for each of these alone, not for every
/// meter of the fleet: with many instances, that would be most of a domain's memory.
pub(super) struct Entities {
    meters: Vec<Option<Entity>>,
    /// Meters of this domain.
    own: usize,
    /// Instances, concentrators and cells.
    others: Vec<Option<Entity>>,
    /// Meters of the fleet.
    count: u32,
    /// The distance between the numbers of two meters that can both be of this domain.
    stride: u32,
}

impl Entities {
    /// No entity of a domain of `fleet`.
    pub(super) fn new(fleet: &Fleet) -> Self {
        let count = fleet.meters();
        let stride = match fleet.partition {
            Partition::ByInstance => fleet.headend.instances,
            Partition::Split(_) => 1,
        };
        Self {
            meters: vec![None; count.div_ceil(stride) as usize],
            own: 0,
            others: vec![None; (fleet.entities() - count) as usize],
            count,
            stride,
        }
    }

    /// Says where `number` is.
    pub(super) fn insert(&mut self, number: u32, entity: Entity) {
        let place = match number.checked_sub(self.count) {
            None => {
                self.own += 1;
                &mut self.meters[(number / self.stride) as usize]
            }
            Some(other) => &mut self.others[other as usize],
        };
        *place = Some(entity);
    }

    /// Meters of this domain.
    pub(super) const fn meters(&self) -> usize {
        self.own
    }

    /// Where `number` is, a meter of this domain or any other entity of the fleet.
    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<Entity> {
        match number.checked_sub(self.count) {
            None => self.meters[(number / self.stride) as usize],
            Some(other) => self.others[other as usize],
        }
    }
}
