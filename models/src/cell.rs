//! Cells of mobile operators: what the modems of a fleet share.
//!
//! A modem that has been quiet asks its cell for access before it sends. When the power of a
//! city returns, all of them ask within seconds: preambles collide, modems back off and ask
//! again, and some are refused (see [`rach`]). All meters of a cell have
//! the same head-end instance, so that a cell never spans domains. Modems that are paged, and
//! those of concentrators, do not contend.

use core::ops::Range;

use crate::context::{Kind, event};
use crate::event::{Agenda, Event};
use crate::link::rach::{self, Channel, Parameters};
use crate::rng::{Purpose, Stream};
use crate::time::{Duration, Time};

/// A kind of cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellKind {
    /// Index of the link profile.
    pub link: usize,
    /// The random access channel.
    pub parameters: Parameters,
    /// The most meters of a cell.
    pub meters_per_cell: u32,
}

/// A cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellPlan {
    /// Index of the head-end instance that serves its meters.
    pub instance: u32,
    /// The random access channel.
    pub parameters: Parameters,
}

/// All cells of a fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cells {
    /// The cells.
    pub plans: Vec<CellPlan>,
    /// Cell by meter; empty if no meter has one.
    of_meter: Vec<Option<u32>>,
}

impl Cells {
    /// Assigns the meters of cohorts, which `instances` serve in turn, to cells.
    ///
    /// A cohort is given by its meters and the index of its link profile.
    pub fn new(kinds: &[CellKind], cohorts: &[(Range<u32>, usize)], instances: u32) -> Self {
        let mut cells = Self::default();
        if kinds.is_empty() {
            return cells;
        }
        let meters = cohorts.last().map_or(0, |(meters, _)| meters.end);
        cells.of_meter = vec![None; meters as usize];
        for kind in kinds {
            let of_kind = cohorts.iter().filter(|(_, link)| *link == kind.link);
            let members: Vec<u32> = of_kind.flat_map(|(meters, _)| meters.clone()).collect();
            for instance in 0..instances {
                let own = members
                    .iter()
                    .filter(|meter| *meter % instances == instance);
                let own: Vec<u32> = own.copied().collect();
                for group in own.chunks(kind.meters_per_cell.max(1) as usize) {
                    let cell = cells.plans.len() as u32;
                    for &meter in group {
                        cells.of_meter[meter as usize] = Some(cell);
                    }
                    cells.plans.push(CellPlan {
                        instance,
                        parameters: kind.parameters,
                    });
                }
            }
        }
        cells
    }

    /// The cell of `meter`, if it has a modem.
    pub fn of(&self, meter: u32) -> Option<u32> {
        *self.of_meter.get(meter as usize)?
    }

    /// How many cells there are.
    pub const fn len(&self) -> u32 {
        self.plans.len() as u32
    }

    /// Whether no meter has a modem.
    pub const fn is_empty(&self) -> bool {
        self.plans.is_empty()
    }
}

/// The state of a cell.
#[derive(Debug)]
pub struct Cell {
    entity: u32,
    channel: Channel,
    /// When a wake-up for the channel is under way.
    wake: Time,
    posted: u32,
}

impl Cell {
    /// An idle cell, number `index` of the fleet, with the entity number `entity`.
    pub fn new(plan: &CellPlan, seed: u64, index: u32, entity: u32) -> Self {
        Self {
            entity,
            channel: Channel::new(plan.parameters, Stream::new(seed, index, Purpose::Cell)),
            wake: Time::FAR_FUTURE,
            posted: 0,
        }
    }

    /// Handles an event: a modem asks for access, or an opportunity for it has come.
    ///
    /// Nothing is posted for `end`, the end of the run, or later.
    pub fn handle<A: Agenda>(&mut self, happening: &Event, kind: Kind, end: Time, agenda: &mut A) {
        let now = happening.time;
        match kind {
            // The preamble of a request is sent at a later opportunity, never in this instant.
            Kind::Request => {
                let ready = now + Duration::from_nanos(1);
                self.channel.request(ready, happening.source);
            }
            _ if self.wake == now => {
                self.wake = Time::FAR_FUTURE;
                self.channel.handle_timeout(now);
            }
            _ => return,
        }
        while let Some(access) = self.channel.poll_access() {
            self.answer(&access, end, agenda);
        }
        if let Some(due) = self.channel.poll_timeout()
            && due < self.wake
            && due < end
        {
            self.wake = due;
            let (entity, posted) = (self.entity, &mut self.posted);
            agenda.post(event(due, Kind::Medium, entity, entity, posted, 0));
        }
    }

    fn answer<A: Agenda>(&mut self, access: &rach::Access, end: Time, agenda: &mut A) {
        if access.ended < end {
            let (entity, posted) = (self.entity, &mut self.posted);
            let granted = u32::from(access.granted);
            let (time, meter) = (access.ended, access.token);
            agenda.post(event(time, Kind::Access, meter, entity, posted, granted));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_one_instance_and_no_more_meters_than_they_may() {
        let kind = |link, meters_per_cell| CellKind {
            link,
            parameters: Parameters::TR_37_868,
            meters_per_cell,
        };
        let cohorts = [(0..100, 1), (100..150, 0), (150..250, 1), (250..300, 2)];
        let cells = Cells::new(&[kind(1, 30), kind(2, 1_000)], &cohorts, 2);
        // Two instances have 100 meters each on one link and 25 on the other.
        assert_eq!(cells.len(), 2 * 4 + 2);
        assert!((100..150).all(|meter| cells.of(meter).is_none()));
        for cell in 0..cells.len() {
            let members = (0..300).filter(|&meter| cells.of(meter) == Some(cell));
            let members: Vec<u32> = members.collect();
            assert!((1..=30).contains(&members.len()));
            let instance = cells.plans[cell as usize].instance;
            assert!(members.iter().all(|meter| meter % 2 == instance));
        }
    }
}
