//! What is counted per time bin.
//!
//! Each domain closes its bins itself, in the midst of a window if need be: how often the recorder
//! looks at a run does not depend on how wide they are.

use std::collections::BTreeMap;

use firmware::han::Content;
use models::domain::Domain;
use models::event::Agenda;
use models::fleet::Fleet;
use models::link::Direction;
use models::telemetry::{AttackTraffic, InstanceLoad, NodeId, TrafficCount};
use models::time::{Duration, Time};
use reports::schema::tables::HanRow;

use super::han;
use super::rows::Span;

/// The counts of one time bin, of one domain or of several.
#[derive(Default)]
pub(crate) struct Bin {
    /// When it began.
    pub(super) start: Time,
    /// Its width.
    pub(super) width: Duration,
    pub(super) traffic: Vec<TrafficCount>,
    pub(super) home_traffic: BTreeMap<(Direction, Content), TrafficCount>,
    pub(super) attack_traffic: BTreeMap<AttackTraffic, TrafficCount>,
    pub(super) rejects: BTreeMap<(NodeId, &'static str, &'static str), u64>,
    /// Index, load, and open and half-open sessions of each instance.
    pub(super) loads: Vec<(u32, InstanceLoad, (usize, u32))>,
    pub(super) homes: Vec<HanRow>,
}

impl Bin {
    /// Takes what `world` has counted from `start` to `end`; its counters begin anew.
    pub(crate) fn close<A: Agenda>(
        world: &mut Domain<A>,
        fleet: &Fleet,
        start: Time,
        end: Time,
    ) -> Self {
        let width = end.saturating_since(start);
        let mut bin = Self {
            start,
            width,
            ..Self::default()
        };
        let telemetry = world.telemetry_mut();
        bin.traffic = std::mem::take(&mut telemetry.traffic);
        bin.home_traffic = std::mem::take(&mut telemetry.home_traffic);
        bin.attack_traffic = std::mem::take(&mut telemetry.attack_traffic);
        bin.rejects = std::mem::take(&mut telemetry.rejects);
        world.for_each_instance(|instance| {
            let sessions = instance.image.session_counts();
            let load = std::mem::take(&mut instance.load);
            bin.loads.push((instance.index, load, sessions));
        });
        if han::homes(fleet) > 0 {
            bin.homes = han::rows(fleet, world, &Span::new(start, width));
        }
        bin
    }

    /// Adds what another domain has counted in the same bin.
    pub(super) fn add(&mut self, mut other: Self) {
        if self.traffic.len() < other.traffic.len() {
            let len = other.traffic.len();
            self.traffic.resize(len, TrafficCount::default());
        }
        for (sum, count) in self.traffic.iter_mut().zip(&other.traffic) {
            sum.add(count);
        }
        for (traffic, count) in other.home_traffic {
            self.home_traffic.entry(traffic).or_default().add(&count);
        }
        for (traffic, count) in other.attack_traffic {
            self.attack_traffic.entry(traffic).or_default().add(&count);
        }
        for (node, count) in other.rejects {
            *self.rejects.entry(node).or_default() += count;
        }
        self.loads.append(&mut other.loads);
        self.homes.append(&mut other.homes);
    }
}
