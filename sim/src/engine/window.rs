//! Conservative windows: how far each domain may advance on its own.

use models::time::{Duration, Time};

use super::error::Error;

/// Shortest time a letter takes from one domain to another, for every pair.
///
/// Pairs without an entry never talk. Kept sparse: a star of 2,000 concentrators around a head-end
/// has 4,000 entries, not four million.
#[derive(Clone, Debug)]
pub struct Lookahead {
    /// For each sender the receivers in ascending order.
    rows: Vec<Vec<Edge>>,
}

#[derive(Clone, Copy, Debug)]
struct Edge {
    to: u32,
    nanos: u64,
}

impl Lookahead {
    /// `domains` domains that never talk to each other.
    pub fn none(domains: usize) -> Self {
        Self {
            rows: vec![Vec::new(); domains],
        }
    }

    /// `domains` domains of which each talks to each.
    pub fn uniform(domains: usize, lookahead: Duration) -> Self {
        let mut all = Self::none(domains);
        for from in 0..domains {
            for to in (0..domains).filter(|to| *to != from) {
                all.set(from, to, Some(lookahead));
            }
        }
        all
    }

    /// Domains that talk only to `hub`, and `hub` to them.
    pub fn star(domains: usize, hub: usize, lookahead: Duration) -> Self {
        let mut star = Self::none(domains);
        for leaf in (0..domains).filter(|leaf| *leaf != hub) {
            star.set(leaf, hub, Some(lookahead));
            star.set(hub, leaf, Some(lookahead));
        }
        star
    }

    /// Declares the shortest time a letter takes from `from` to `to`, `None` if there are none.
    ///
    /// # Panics
    ///
    /// If either domain does not exist.
    pub fn set(&mut self, from: usize, to: usize, lookahead: Option<Duration>) {
        assert!(to < self.rows.len(), "no domain {to}");
        let row = &mut self.rows[from];
        let place = row.binary_search_by_key(&to, |edge| edge.to as usize);
        match (place, lookahead.map(Duration::as_nanos)) {
            (Ok(at), Some(nanos)) => row[at].nanos = nanos,
            (Ok(at), None) => drop(row.remove(at)),
            (Err(at), Some(nanos)) => row.insert(
                at,
                Edge {
                    to: to as u32,
                    nanos,
                },
            ),
            (Err(_), None) => {}
        }
    }

    /// The shortest time a letter takes from `from` to `to`, `None` if there are none.
    pub fn get(&self, from: usize, to: usize) -> Option<Duration> {
        let row = self.rows.get(from)?;
        // The row of a hub is contiguous: try the place where `to` would then be.
        let guess = to.wrapping_sub(row.first()?.to as usize);
        if let Some(edge) = row.get(guess)
            && edge.to as usize == to
        {
            return Some(Duration::from_nanos(edge.nanos));
        }
        let at = row.binary_search_by_key(&to, |edge| edge.to as usize);
        Some(Duration::from_nanos(row[at.ok()?].nanos))
    }

    /// Number of domains.
    pub fn domains(&self) -> usize {
        self.rows.len()
    }

    /// Refuses pairs without any delay: such domains could only advance event by event.
    pub(super) fn check(&self) -> Result<(), Error> {
        for (from, row) in self.rows.iter().enumerate() {
            if let Some(edge) = row.iter().find(|edge| edge.nanos == 0) {
                let to = edge.to as usize;
                return Err(Error::ZeroLookahead { from, to });
            }
        }
        Ok(())
    }
}

/// How many domains are settled one by one before all lookaheads are relaxed in passes.
const SELECTIONS: usize = 8;

/// The ends of the next windows.
pub(super) struct Windows {
    /// Earliest time of anything a domain may yet handle, letters not yet written included.
    earliest: Vec<u64>,
    /// The same for domains that are not settled, later than everything for the others.
    unsettled: Vec<u64>,
    /// Per domain, the time before which no letter can reach it any more.
    pub(super) ends: Vec<u64>,
    /// Domains that no letter ever reaches.
    deaf: Vec<u32>,
    /// Shortest of all lookaheads.
    shortest: u64,
}

impl Windows {
    pub(super) fn new(lookahead: &Lookahead) -> Self {
        let domains = lookahead.domains();
        let edges = || lookahead.rows.iter().flatten();
        let mut hears = vec![false; domains];
        edges().for_each(|edge| hears[edge.to as usize] = true);
        Self {
            earliest: vec![0; domains],
            unsettled: vec![0; domains],
            ends: vec![0; domains],
            deaf: (0..domains as u32)
                .filter(|domain| !hears[*domain as usize])
                .collect(),
            shortest: edges().map(|edge| edge.nanos).min().unwrap_or(u64::MAX),
        }
    }

    /// Computes the ends from the time of the first pending event or letter of each domain.
    ///
    /// A domain may handle what no chain of letters, started by any pending event, can precede:
    /// the shortest path over the lookaheads from any domain, back to itself included.
    pub(super) fn update(&mut self, lookahead: &Lookahead, next: &[u64], limit: Time) {
        self.earliest.copy_from_slice(next);
        self.unsettled.copy_from_slice(next);
        self.ends.fill(limit.0);
        self.deaf
            .iter()
            .for_each(|deaf| self.ends[*deaf as usize] = 0);
        if !self.settle_first(lookahead) {
            self.relax_all(lookahead, limit);
        }
        self.deaf
            .iter()
            .for_each(|deaf| self.ends[*deaf as usize] = limit.0);
    }

    /// Settles the earliest domains; returns whether nothing else matters.
    ///
    /// As a rule few domains have something to do at nearly the same time, and the letters of all
    /// others arrive after the latest end. Then this costs a few looks at every domain instead of
    /// several at every pair.
    fn settle_first(&mut self, lookahead: &Lookahead) -> bool {
        for _ in 0..SELECTIONS {
            let earliest = self.unsettled.iter().copied().min().unwrap_or(u64::MAX);
            let latest_end = self.ends.iter().copied().max().unwrap_or(0);
            if earliest.saturating_add(self.shortest) >= latest_end {
                return true;
            }
            let first = self.unsettled.iter().position(|time| *time == earliest);
            let first = first.expect("the minimum is among them");
            for edge in &lookahead.rows[first] {
                let to = edge.to as usize;
                let arrival = earliest.saturating_add(edge.nanos);
                self.ends[to] = self.ends[to].min(arrival);
                if arrival < self.earliest[to] {
                    // Not yet settled, or it would have been earlier.
                    self.earliest[to] = arrival;
                    self.unsettled[to] = arrival;
                }
            }
            self.unsettled[first] = u64::MAX;
        }
        false
    }

    /// Relaxes every lookahead until nothing changes; a star takes two or three passes.
    fn relax_all(&mut self, lookahead: &Lookahead, limit: Time) {
        let mut settled = false;
        while !settled {
            settled = true;
            for (from, row) in lookahead.rows.iter().enumerate() {
                let earliest = self.earliest[from];
                if earliest >= limit.0 {
                    continue;
                }
                for edge in row {
                    let to = edge.to as usize;
                    let arrival = earliest.saturating_add(edge.nanos);
                    self.ends[to] = self.ends[to].min(arrival);
                    if arrival < self.earliest[to] {
                        self.earliest[to] = arrival;
                        settled = false;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const IDLE: u64 = u64::MAX;

    fn ends(lookahead: &Lookahead, next: &[u64], limit: u64) -> Vec<u64> {
        let mut windows = Windows::new(lookahead);
        windows.update(lookahead, next, Time(limit));
        windows.ends
    }

    #[test]
    fn domains_that_never_talk_run_to_the_limit() {
        assert_eq!(ends(&Lookahead::none(3), &[1, 2, 3], 1_000), [1_000; 3]);
    }

    #[test]
    fn a_pair_is_bounded_by_the_other_and_by_its_own_echo() {
        let pair = Lookahead::uniform(2, Duration::from_nanos(10));
        // Domain 0 hears from domain 1 at 50 + 10 at the earliest unless it speaks first, at 5: the
        // answer is then back at 25.
        assert_eq!(ends(&pair, &[5, 50], 1_000), [25, 15]);
        assert_eq!(ends(&pair, &[5, IDLE], 1_000), [25, 15]);
        assert_eq!(ends(&pair, &[IDLE, IDLE], 1_000), [1_000; 2]);
    }

    #[test]
    fn idle_domains_pass_letters_on() {
        let mut line = Lookahead::none(4);
        line.set(0, 1, Some(Duration::from_nanos(10)));
        line.set(1, 2, Some(Duration::from_nanos(3)));
        line.set(2, 3, Some(Duration::from_nanos(200)));
        assert_eq!(ends(&line, &[7, IDLE, IDLE, IDLE], 100), [100, 17, 20, 100]);
    }

    #[test]
    fn a_star_of_leaves_is_bounded_through_its_hub() {
        let star = Lookahead::star(4, 3, Duration::from_nanos(10));
        assert_eq!(ends(&star, &[5, 100, 200, 300], 1_000), [25, 25, 25, 15]);
    }

    /// Ends from the shortest paths between all pairs, by Floyd and Warshall.
    fn ends_by_all_paths(lookahead: &Lookahead, next: &[u64], limit: u64) -> Vec<u64> {
        let domains = next.len();
        let distance = |from, to| lookahead.get(from, to).map_or(IDLE, Duration::as_nanos);
        let mut paths: Vec<Vec<u64>> = (0..domains)
            .map(|from| (0..domains).map(|to| distance(from, to)).collect())
            .collect();
        for via in 0..domains {
            for from in 0..domains {
                for to in 0..domains {
                    let detour = paths[from][via].saturating_add(paths[via][to]);
                    paths[from][to] = paths[from][to].min(detour);
                }
            }
        }
        let arrival = |to: usize| {
            let arrivals = (0..domains).map(|from| next[from].saturating_add(paths[from][to]));
            arrivals.min().unwrap_or(IDLE).min(limit)
        };
        (0..domains).map(arrival).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn ends_are_what_the_shortest_paths_allow(
            domains in 1..24usize,
            edges in prop::collection::vec((0..24usize, 0..24usize, 1..300u64), 0..80),
            times in prop::collection::vec(prop_oneof![0..1_000u64, Just(IDLE)], 24),
        ) {
            let mut lookahead = Lookahead::none(domains);
            for (from, to, nanos) in edges {
                if from < domains && to < domains && from != to {
                    lookahead.set(from, to, Some(Duration::from_nanos(nanos)));
                }
            }
            let next = &times[..domains];
            let exact = ends_by_all_paths(&lookahead, next, 900);
            prop_assert_eq!(ends(&lookahead, next, 900), exact);
        }
    }

    #[test]
    fn entries_can_be_replaced_and_removed() {
        let mut lookahead = Lookahead::uniform(3, Duration::from_nanos(4));
        lookahead.set(0, 2, Some(Duration::from_nanos(9)));
        lookahead.set(1, 2, None);
        assert_eq!(lookahead.get(0, 2), Some(Duration::from_nanos(9)));
        assert_eq!(lookahead.get(0, 1), Some(Duration::from_nanos(4)));
        assert_eq!(lookahead.get(1, 2), None);
        assert_eq!(lookahead.get(0, 0), None);
        assert_eq!(lookahead.get(7, 0), None);
    }
}
