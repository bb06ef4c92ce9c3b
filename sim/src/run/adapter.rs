//! A domain of the models as the engine sees it.

use models::context::{Exchange, Kind};
use models::datagram::Datagram;
use models::domain::Domain as World;
use models::event::{Event, EventKey};
use models::fleet::Fleet;
use models::time::{Duration, Time};
use std::sync::Arc;

use crate::engine::{Budget, Domain, Outbox, Stop, TimingWheel, describe};
use crate::record::Bin;

/// A part of the fleet, run by the engine.
pub struct FleetDomain {
    world: World<TimingWheel>,
    fleet: Arc<Fleet>,
    /// The width of time bins that end by themselves.
    bins: Option<Duration>,
    /// When the present time bin has begun.
    bin_start: Time,
    closed: Vec<Bin>,
}

impl FleetDomain {
    /// Builds domain `index` of the fleet.
    pub fn new(fleet: &Arc<Fleet>, index: usize) -> Self {
        let world = World::new(Arc::clone(fleet), index, TimingWheel::new());
        Self {
            world,
            fleet: Arc::clone(fleet),
            bins: None,
            bin_start: fleet.begin,
            closed: Vec::new(),
        }
    }

    /// Ends a time bin at every multiple of `width`.
    #[must_use]
    pub fn with_bins(mut self, width: Duration) -> Self {
        self.bins = Some(width);
        self
    }

    /// The time bins that have ended by `now`, to which this domain has come; if `bin_ends`, the
    /// present one ends now.
    pub(crate) fn take_bins(&mut self, now: Time, bin_ends: bool) -> Vec<Bin> {
        while let Some(end) = self.bin_end().filter(|&end| end <= now) {
            self.close_bin(end);
        }
        if bin_ends && self.bin_start < now {
            self.close_bin(now);
        }
        std::mem::take(&mut self.closed)
    }

    fn bin_end(&self) -> Option<Time> {
        let width = self.bins?.as_nanos();
        let passed = self.bin_start.as_nanos() / width;
        Some(Time((passed + 1).saturating_mul(width)))
    }

    fn close_bin(&mut self, end: Time) {
        let bin = Bin::close(&mut self.world, &self.fleet, self.bin_start, end);
        self.closed.push(bin);
        self.bin_start = end;
    }

    /// The models' side.
    pub fn world_mut(&mut self) -> &mut World<TimingWheel> {
        &mut self.world
    }
}

impl Domain for FleetDomain {
    type Letter = Datagram;

    fn run(
        &mut self,
        end: Time,
        outbox: &mut Outbox<Datagram>,
        budget: &mut Budget,
    ) -> Result<(), Stop> {
        let entities = self.fleet.entities();
        let mut loan = Loan {
            outbox,
            budget,
            entities,
        };
        while let Some(bin_end) = self.bin_end().filter(|&bin_end| bin_end < end) {
            self.world.run(bin_end, &mut loan)?;
            self.close_bin(bin_end);
        }
        self.world.run(end, &mut loan)
    }

    fn deliver(&mut self, key: EventKey, letter: Datagram) {
        self.world.deliver(key, &letter);
    }

    fn next_time(&mut self) -> Option<Time> {
        self.world.next_time()
    }

    fn describe(&self, event: &Event) -> String {
        let Some(kind) = Kind::of(event) else {
            return describe(event);
        };
        let entity = |number: u32| {
            let meters = self.fleet.meters();
            let concentrators = self.fleet.concentrator_entity(0);
            let attackers = self.fleet.entities();
            match (
                number.checked_sub(meters),
                number.checked_sub(concentrators),
            ) {
                (_, Some(_)) if number >= attackers => {
                    format!("attacker cell {}", number - attackers)
                }
                (_, Some(_)) if number >= self.fleet.cell_entity(0) => {
                    format!("cell {}", number - self.fleet.cell_entity(0))
                }
                (_, Some(concentrator)) => format!("concentrator {concentrator}"),
                (Some(instance), None) => format!("instance {instance}"),
                (None, None) => format!("meter {number}"),
            }
        };
        let (target, source) = (entity(event.target), entity(event.source));
        let (time, kind, sequence) = (event.time, kind.name(), event.sequence);
        format!("{time} {kind} at {target} (event {sequence} of {source})")
    }
}

/// What the engine lends for a window.
struct Loan<'a> {
    outbox: &'a mut Outbox<Datagram>,
    budget: &'a mut Budget,
    /// Entities of the fleet: those with higher numbers are attackers'.
    entities: u32,
}

impl Exchange for Loan<'_> {
    type Stop = Stop;

    fn charge(&mut self, event: &Event, fingerprint: u64) -> Result<(), Stop> {
        self.budget.charge(event, fingerprint)?;
        let released = event.kind == Kind::Release as u8;
        if event.source.max(event.target) >= self.entities || released {
            self.budget.set_foreign(event, fingerprint);
        }
        Ok(())
    }

    fn send(&mut self, now: Time, to: usize, event: Event, datagram: Datagram) -> Result<(), Stop> {
        self.outbox.send(now, to, event.key(), datagram)
    }
}
