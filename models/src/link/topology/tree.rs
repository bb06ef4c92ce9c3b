//! Who forwards for whom: a routing tree on estimated ETX (RFC 6550, RFC 6719).
//!
//! ETX, the expected number of transmissions, is kept in units of 1/128 as on the wire
//! (RFC 6551 §4.3.2). Every station estimates it for its neighbours from its own transmissions and
//! moves to another parent when that is clearly better.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Topology;

/// Units of one transmission (RFC 6551 §4.3.2).
pub const ETX_UNIT: u32 = 128;
/// PARENT_SWITCH_THRESHOLD: 1.5 transmissions (RFC 6719 §5).
const SWITCH_THRESHOLD: u32 = 192;
/// Transmissions that a frame without acknowledgement counts for (Contiki-NG link statistics).
const NO_ACK_PENALTY: u32 = 12;
/// MAX_LINK_METRIC: an estimate is never worse (Contiki-NG: eight transmissions).
const LINK_ETX_MAX: u32 = 1_024;
/// Estimates that count as the first ones, which move faster.
const BOOTSTRAP_SAMPLES: u8 = 8;
/// No parent.
const NONE: u32 = u32::MAX;

/// A neighbour as a station sees it.
#[derive(Clone, Copy, Debug)]
struct Neighbour {
    station: u32,
    edge: u32,
    etx: u32,
    samples: u8,
}

/// A station moved to another parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switch {
    /// The parent that it had.
    pub from: u32,
    /// The parent that it has.
    pub to: u32,
}

/// Neighbours, estimates and parents of all stations.
#[derive(Clone, Debug)]
pub struct RoutingTree {
    /// `neighbours[first[s]..first[s + 1]]` are those of station `s`.
    first: Vec<u32>,
    neighbours: Vec<Neighbour>,
    /// Index into `neighbours`, or `NONE`.
    parents: Vec<u32>,
}

impl RoutingTree {
    /// The tree of least ETX, every estimate being right.
    pub fn new(topology: &Topology) -> Self {
        let stations = topology.places.len();
        let mut first = vec![0_u32; stations + 1];
        for edge in &topology.edges {
            first[edge.a as usize + 1] += 1;
            first[edge.b as usize + 1] += 1;
        }
        for station in 0..stations {
            first[station + 1] += first[station];
        }
        let blank = Neighbour {
            station: NONE,
            edge: NONE,
            etx: LINK_ETX_MAX,
            samples: 0,
        };
        let mut neighbours = vec![blank; 2 * topology.edges.len()];
        let mut next = first.clone();
        for (number, edge) in (0..).zip(&topology.edges) {
            let etx = (f64::from(ETX_UNIT) / edge.delivery.max(1e-9)) as u32;
            for (here, there) in [(edge.a, edge.b), (edge.b, edge.a)] {
                let slot = &mut next[here as usize];
                neighbours[*slot as usize] = Neighbour {
                    station: there,
                    edge: number,
                    etx: etx.min(LINK_ETX_MAX),
                    samples: 0,
                };
                *slot += 1;
            }
        }
        let parents = vec![NONE; stations];
        let mut tree = Self {
            first,
            neighbours,
            parents,
        };
        tree.build();
        tree
    }

    /// Dijkstra from the root; among equals the lower station wins.
    fn build(&mut self) {
        let mut costs = vec![u32::MAX; self.parents.len()];
        let mut open = BinaryHeap::new();
        if let Some(root) = costs.first_mut() {
            *root = 0;
            open.push(Reverse((0_u32, 0_u32)));
        }
        while let Some(Reverse((cost, station))) = open.pop() {
            if cost > costs[station as usize] {
                continue;
            }
            for slot in self.slots(station) {
                let Neighbour {
                    station: child,
                    etx,
                    ..
                } = self.neighbours[slot];
                let through = cost.saturating_add(etx);
                if through < costs[child as usize] {
                    costs[child as usize] = through;
                    self.parents[child as usize] = self.slot_of(child, station);
                    open.push(Reverse((through, child)));
                }
            }
        }
    }

    /// Replaces parents by given ones; `None` leaves a station to ETX.
    ///
    /// Stations must hear their given parents, and the parents must not form a cycle; both are
    /// reported by station otherwise, and the tree is left as it was.
    pub fn impose(&mut self, parents: &[Option<u32>]) -> Result<(), u32> {
        let before = self.parents.clone();
        for (station, parent) in (0..).zip(parents) {
            if let Some(parent) = *parent {
                let slot = self.slot_of(station, parent);
                if slot == NONE {
                    self.parents = before;
                    return Err(station);
                }
                self.parents[station as usize] = slot;
            }
        }
        let cyclic = (1..self.parents.len() as u32).find(|&station| {
            self.parents[station as usize] != NONE && self.hops(station).is_none()
        });
        match cyclic {
            Some(station) => {
                self.parents = before;
                Err(station)
            }
            None => Ok(()),
        }
    }

    fn slots(&self, station: u32) -> core::ops::Range<usize> {
        self.first[station as usize] as usize..self.first[station as usize + 1] as usize
    }

    fn slot_of(&self, station: u32, neighbour: u32) -> u32 {
        self.slots(station)
            .find(|&slot| self.neighbours[slot].station == neighbour)
            .map_or(NONE, |slot| slot as u32)
    }

    /// The parent of `station` and the edge to it.
    pub fn parent(&self, station: u32) -> Option<(u32, u32)> {
        let neighbour = self
            .neighbours
            .get(self.parents[station as usize] as usize)?;
        Some((neighbour.station, neighbour.edge))
    }

    /// The edge between two stations that hear each other.
    pub fn edge(&self, station: u32, neighbour: u32) -> Option<u32> {
        let slot = self.slot_of(station, neighbour);
        self.neighbours
            .get(slot as usize)
            .map(|neighbour| neighbour.edge)
    }

    /// Stations that `station` hears.
    pub fn neighbours(&self, station: u32) -> impl Iterator<Item = u32> {
        self.slots(station)
            .map(|slot| self.neighbours[slot].station)
    }

    /// Stations without a way to the root, in order.
    pub fn isolated(&self) -> impl Iterator<Item = u32> {
        (1..self.parents.len() as u32).filter(|&station| self.hops(station).is_none())
    }

    /// Hops from `station` to the root, if there is a way.
    pub fn hops(&self, station: u32) -> Option<u32> {
        let (mut at, mut hops) = (station, 0);
        while at != 0 {
            // More hops than stations are a cycle.
            if hops as usize == self.parents.len() {
                return None;
            }
            at = self.parent(at)?.0;
            hops += 1;
        }
        Some(hops)
    }

    /// Writes the stations from below the root down to `station`; `false` if there is no way.
    pub fn route_down(&self, station: u32, route: &mut Vec<u32>) -> bool {
        route.clear();
        let mut at = station;
        while at != 0 {
            if route.len() == self.parents.len() {
                return false;
            }
            route.push(at);
            match self.parent(at) {
                Some((parent, _)) => at = parent,
                None => return false,
            }
        }
        route.reverse();
        true
    }

    /// Path ETX of `station` in units, unless its way meets `avoid` or ends before the root.
    fn path_etx(&self, station: u32, avoid: u32) -> Option<u32> {
        let (mut at, mut cost, mut hops) = (station, 0_u32, 0);
        while at != 0 {
            if at == avoid || hops == self.parents.len() {
                return None;
            }
            let neighbour = self.neighbours.get(self.parents[at as usize] as usize)?;
            cost = cost.saturating_add(neighbour.etx);
            at = neighbour.station;
            hops += 1;
        }
        Some(cost)
    }

    /// Path ETX of `station` in units of [`ETX_UNIT`], if there is a way.
    pub fn etx(&self, station: u32) -> Option<u32> {
        self.path_etx(station, NONE)
    }

    /// `station` sent a frame to `neighbour` so many times, the last one with or without success.
    pub fn observe(&mut self, station: u32, neighbour: u32, transmissions: u32, delivered: bool) {
        let slot = self.slot_of(station, neighbour);
        let Some(neighbour) = self.neighbours.get_mut(slot as usize) else {
            return;
        };
        let penalty = if delivered { 0 } else { NO_ACK_PENALTY };
        let sample = (transmissions + penalty).max(1).saturating_mul(ETX_UNIT);
        // EWMA with a weight of 10 %, of 25 % for the first few (Contiki-NG link statistics).
        let percent = if neighbour.samples < BOOTSTRAP_SAMPLES {
            25
        } else {
            10
        };
        neighbour.samples = neighbour.samples.saturating_add(1);
        let etx = neighbour.etx * (100 - percent) + sample.min(LINK_ETX_MAX * 4) * percent;
        neighbour.etx = (etx / 100).clamp(ETX_UNIT, LINK_ETX_MAX);
    }

    /// Looks for a better parent of `station` and moves to it (RFC 6719 §3.2.2).
    ///
    /// The way of the new parent never leads through the station itself, so no cycle forms.
    pub fn reconsider(&mut self, station: u32) -> Option<Switch> {
        self.reconsider_among(station, |_| true)
    }

    /// Looks for a better parent of `station` among those that are `usable`.
    ///
    /// A parent that is not is left for whichever is.
    pub fn reconsider_among(
        &mut self,
        station: u32,
        usable: impl Fn(u32) -> bool,
    ) -> Option<Switch> {
        if station == 0 {
            return None;
        }
        let stays = self
            .parent(station)
            .is_some_and(|(parent, _)| usable(parent));
        let current = self.etx(station).filter(|_| stays);
        let mut best: Option<(u32, u32)> = None;
        for slot in self.slots(station) {
            let neighbour = self.neighbours[slot];
            if !usable(neighbour.station) {
                continue;
            }
            if let Some(cost) = self.path_etx(neighbour.station, station) {
                let cost = cost.saturating_add(neighbour.etx);
                if best.is_none_or(|(least, _)| cost < least) {
                    best = Some((cost, slot as u32));
                }
            }
        }
        let (cost, slot) = best?;
        let better = current.is_none_or(|current| cost + SWITCH_THRESHOLD < current);
        if !better || slot == self.parents[station as usize] {
            return None;
        }
        let from = self.parent(station).map_or(0, |(parent, _)| parent);
        self.parents[station as usize] = slot;
        Some(Switch {
            from,
            to: self.neighbours[slot as usize].station,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Edge, Place};
    use super::*;

    fn topology(stations: usize, edges: &[(u32, u32, f64)]) -> Topology {
        let edges = edges
            .iter()
            .map(|&(a, b, delivery)| Edge { a, b, delivery });
        Topology {
            places: vec![Place::default(); stations],
            edges: edges.collect(),
            tones: Vec::new(),
        }
    }

    /// Station 3 hears 1 and 2, which hear the root.
    fn diamond() -> Topology {
        topology(4, &[(0, 1, 1.0), (0, 2, 1.0), (1, 3, 0.9), (2, 3, 0.5)])
    }

    #[test]
    fn the_tree_has_the_least_etx() {
        // Two good hops are better than one bad one.
        let tree = RoutingTree::new(&topology(3, &[(0, 1, 0.3), (0, 2, 0.9), (1, 2, 0.9)]));
        assert_eq!(tree.parent(1), Some((2, 2)));
        assert_eq!(tree.hops(1), Some(2));
        let mut route = Vec::new();
        assert!(tree.route_down(1, &mut route));
        assert_eq!(route, [2, 1]);
        assert_eq!(tree.etx(1), Some(2 * 142));
    }

    #[test]
    fn a_station_leaves_a_parent_that_no_longer_answers() {
        let mut tree = RoutingTree::new(&diamond());
        assert_eq!(tree.parent(3).map(|(parent, _)| parent), Some(1));
        let mut frames = 0;
        let switch = loop {
            frames += 1;
            tree.observe(3, 1, 4, false);
            if let Some(switch) = tree.reconsider(3) {
                break switch;
            }
            assert!(frames < 10, "never switched");
        };
        assert_eq!(switch, Switch { from: 1, to: 2 });
        assert!(frames >= 1);
        assert_eq!(tree.reconsider(3), None, "and does not flap");
    }

    #[test]
    fn a_slightly_better_parent_is_not_worth_a_switch() {
        let mut tree = RoutingTree::new(&diamond());
        for _ in 0..50 {
            tree.observe(3, 1, 2, true);
            tree.observe(3, 2, 1, true);
        }
        assert_eq!(
            tree.reconsider(3),
            None,
            "one transmission is less than the threshold"
        );
    }

    #[test]
    fn parents_never_form_a_cycle() {
        let ring = topology(
            5,
            &[
                (0, 1, 0.9),
                (1, 2, 0.9),
                (2, 3, 0.9),
                (3, 4, 0.9),
                (1, 4, 0.9),
            ],
        );
        let mut tree = RoutingTree::new(&ring);
        let mut state = 1_u32;
        for _ in 0..5_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let station = 1 + (state >> 8) % 4;
            let neighbours: Vec<u32> = tree.neighbours(station).collect();
            let neighbour = neighbours[(state >> 16) as usize % neighbours.len()];
            tree.observe(station, neighbour, 1 + (state >> 24) % 4, state & 0x80 == 0);
            tree.reconsider(station);
            assert_eq!(tree.isolated().count(), 0);
        }
    }

    #[test]
    fn given_parents_are_checked() {
        let mut tree = RoutingTree::new(&diamond());
        assert_eq!(tree.impose(&[None, None, None, Some(2)]), Ok(()));
        assert_eq!(tree.parent(3).map(|(parent, _)| parent), Some(2));
        assert_eq!(
            tree.impose(&[None, None, Some(1)]),
            Err(2),
            "2 does not hear 1"
        );
        assert_eq!(
            tree.impose(&[None, None, Some(3), Some(2)]),
            Err(2),
            "a cycle"
        );
        assert_eq!(
            tree.parent(3).map(|(parent, _)| parent),
            Some(2),
            "left as it was"
        );
    }

    #[test]
    fn stations_without_a_way_are_isolated() {
        let tree = RoutingTree::new(&topology(5, &[(0, 1, 0.9), (2, 3, 0.9)]));
        assert_eq!(tree.isolated().collect::<Vec<_>>(), [2, 3, 4]);
        assert!(
            RoutingTree::new(&Topology::default())
                .isolated()
                .next()
                .is_none()
        );
    }
}
