//! A shared medium at message level: a tree of hops below one root.
//!
//! Every station has one transmitter and a finite queue. A datagram is stored, sent to the next
//! station frame by frame and forwarded from there; upwards each station asks its parent of the
//! moment, downwards the root writes the route into the datagram (RFC 6554).
//!
//! ```text
//! station: | queue | --> transmitter --frames, retries--> next station: | queue | --> ...
//!                         ^ waits for its collision domain
//! ```

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

mod flood;
mod foothold;

use super::channel::{Channel, ChannelModel};
use super::contention::{CollisionDomain, Table};
use super::draws::Draws;
use super::hop::{Hop, HopLoss, Service};
use super::jamming::Noise;
use super::phy::Phy;
use super::topology::{RoutingTree, Topology};
use super::{Cause, Effort, Link, Outcome, Packet, StationId};
use crate::rng::Stream;
use crate::time::{Duration, Time};

use flood::Floods;
pub use flood::{FloodNews, Trickle};
use foothold::Footholds;
pub use foothold::{Custody, Fate, Heard, Held};

/// What all stations of a segment have in common.
#[derive(Clone, Debug)]
pub struct SegmentPlan {
    /// Physical layer and retries.
    pub hop: Hop,
    /// How links vary over time.
    pub channel: ChannelModel,
    /// Contention by utilisation.
    pub contention: Arc<Table>,
    /// Datagrams that wait at a station besides the one being sent.
    pub queue_datagrams: usize,
    /// Side of the square within which stations hear each other's frames, in metres.
    ///
    /// Power lines and channel hopping do not need it: a transformer is one collision domain, a
    /// hopping receiver has its own.
    pub carrier_sense_m: f64,
}

/// Hops after which a datagram is given up: the hop limit of a mesh.
const HOPS_MAX: u8 = 64;
/// From one probe of a neighbour to the next (Contiki-NG RPL_PROBING_INTERVAL).
const PROBE_INTERVAL: Duration = Duration::from_secs(90);
/// PSDU of a probe in octets.
const PROBE_OCTETS: usize = 40;

/// A datagram on its way.
#[derive(Clone, Debug)]
struct Job {
    packet: Packet,
    /// How many datagrams its sender had sent before.
    number: u32,
    /// What is left of the route from the root, last station first.
    route: Vec<u32>,
    hops: u8,
    effort: Effort,
    /// The station that keeps it off the medium, if one does.
    held_at: u32,
}

/// A transmission that is under way.
#[derive(Clone, Copy, Debug)]
struct Serving {
    job: u32,
    to: u32,
    service: Service,
}

#[derive(Clone, Debug)]
struct Station {
    queue: VecDeque<u32>,
    serving: Option<Serving>,
    powered: bool,
    /// Whether it forwards for others.
    admitted: bool,
    /// Counts transmissions, so that the end of one that was cut off is told apart.
    transmission: u32,
    sent: u32,
    probes: u32,
    probed: Time,
}

/// What a segment did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentCounts {
    /// Datagrams handed over a hop, delivered or not.
    pub hops: u64,
    /// Frames on the air, without acknowledgements.
    pub transmissions: u64,
    /// Octets of these frames.
    pub octets: u64,
    /// Parents that were left for better ones.
    pub parent_switches: u64,
}

/// A mesh or a power line with its stations.
#[derive(Clone, Debug)]
pub struct Segment {
    plan: Arc<SegmentPlan>,
    seed: u64,
    tree: RoutingTree,
    channels: Vec<Channel>,
    /// The sender for each edge where they differ, else empty.
    hops: Vec<Hop>,
    stations: Vec<Station>,
    domain_of: Vec<u32>,
    domains: Vec<CollisionDomain>,
    jobs: Vec<Job>,
    free: Vec<u32>,
    agenda: BinaryHeap<Reverse<(Time, u32, u32)>>,
    outcomes: VecDeque<Outcome>,
    counts: SegmentCounts,
    /// What attackers control; most segments have nobody of that kind.
    footholds: Option<Box<Footholds>>,
    /// Broadcasts, once there was one.
    floods: Option<Box<Floods>>,
}

impl Segment {
    /// An idle segment; everything random about it comes from one draw of `stream`.
    pub fn new(plan: Arc<SegmentPlan>, topology: &Topology, stream: &mut Stream) -> Self {
        let mut draws = Draws::from_stream(stream);
        let seed = draws.bits();
        let channels = (0..)
            .zip(&topology.edges)
            .map(|(number, edge)| {
                Channel::new(&plan.channel, edge.delivery, Draws::numbered(!seed, number))
            })
            .collect();
        let hops = topology.tones.iter().map(|&tone| plan.hop.with_tone(tone));
        let station = Station {
            queue: VecDeque::new(),
            serving: None,
            powered: true,
            admitted: true,
            transmission: 0,
            sent: 0,
            probes: 0,
            probed: Time::ZERO,
        };
        let domain_of = collision_domains(&plan, topology);
        let domains = domain_of.iter().max().map_or(0, |last| *last as usize + 1);
        Self {
            seed,
            tree: RoutingTree::new(topology),
            channels,
            hops: hops.collect(),
            stations: vec![station; topology.places.len()],
            domain_of,
            domains: vec![CollisionDomain::new(plan.hop.phy.memory()); domains],
            jobs: Vec::new(),
            free: Vec::new(),
            agenda: BinaryHeap::new(),
            outcomes: VecDeque::new(),
            counts: SegmentCounts::default(),
            footholds: None,
            floods: None,
            plan,
        }
    }

    /// Who forwards for whom at the moment.
    pub const fn tree(&self) -> &RoutingTree {
        &self.tree
    }

    /// Who forwards for whom, to impose given parents.
    pub const fn tree_mut(&mut self) -> &mut RoutingTree {
        &mut self.tree
    }

    /// What it did so far.
    pub const fn counts(&self) -> SegmentCounts {
        self.counts
    }

    /// The collision domains.
    pub fn domains(&self) -> &[CollisionDomain] {
        &self.domains
    }

    /// Gives or takes the power of a station; what it has to send is lost with it.
    pub fn set_power(&mut self, now: Time, station: StationId, powered: bool) {
        let state = &mut self.stations[station.0 as usize];
        state.powered = powered;
        if powered {
            return;
        }
        let cut_off = state.serving.take().map(|serving| serving.job);
        state.transmission = state.transmission.wrapping_add(1);
        let queue = core::mem::take(&mut state.queue);
        for job in cut_off.into_iter().chain(queue) {
            self.end(now, job, Err(Cause::StationDown));
        }
    }

    /// Says whether a station has been admitted to the network: only then do others choose it.
    pub fn set_admitted(&mut self, station: StationId, admitted: bool) {
        self.stations[station.0 as usize].admitted = admitted;
    }

    /// Whether a station has been admitted to the network.
    pub fn is_admitted(&self, station: StationId) -> bool {
        self.stations
            .get(station.0 as usize)
            .is_some_and(|state| state.admitted)
    }

    /// Through which station one that has not been admitted talks to the rest of the world.
    ///
    /// It listens for beacons, which only admitted stations send, and takes the best of them as its
    /// parent. It stays there once it has begun, for a session is bound to its relay element until
    /// it is secured; only at a fresh start, or when its parent falls silent, does it choose again.
    pub fn relay_for(&mut self, station: StationId, fresh: bool) -> Option<StationId> {
        let stations = &self.stations;
        let admitted = |station: u32| stations[station as usize].admitted;
        let parent = self.tree.parent(station.0).map(|(parent, _)| parent);
        let parent = parent.filter(|&parent| admitted(parent));
        if (fresh || parent.is_none())
            && let Some(switch) = self.tree.reconsider_among(station.0, admitted)
        {
            self.counts.parent_switches += 1;
            return Some(StationId(switch.to));
        }
        parent.map(StationId)
    }

    fn insert(&mut self, packet: Packet, number: u32) -> u32 {
        if let Some(index) = self.free.pop() {
            let job = &mut self.jobs[index as usize];
            job.packet = packet;
            job.number = number;
            job.hops = 0;
            job.effort = Effort::default();
            job.route.clear();
            return index;
        }
        self.jobs.push(Job {
            packet,
            number,
            route: Vec::new(),
            hops: 0,
            effort: Effort::default(),
            held_at: 0,
        });
        self.jobs.len() as u32 - 1
    }

    fn end(&mut self, at: Time, job: u32, result: Result<(), Cause>) {
        let Job {
            packet,
            hops,
            effort,
            ..
        } = self.jobs[job as usize];
        self.outcomes.push_back(Outcome {
            packet,
            at,
            result,
            hops,
            effort,
        });
        self.free.push(job);
    }

    /// A datagram reaches the queue of a station that is not its destination.
    fn enqueue(&mut self, now: Time, station: u32, job: u32) {
        let state = &mut self.stations[station as usize];
        if !state.powered {
            self.end(now, job, Err(Cause::StationDown));
        } else if state.serving.is_none() {
            self.start(now, station, job);
        } else if state.queue.len() >= self.plan.queue_datagrams {
            self.end(now, job, Err(Cause::QueueFull));
        } else {
            state.queue.push_back(job);
        }
    }

    /// The next station and the edge to it.
    fn next_hop(&mut self, at: u32, job: u32) -> Option<(u32, u32)> {
        let Job {
            packet,
            route,
            hops,
            ..
        } = &mut self.jobs[job as usize];
        let to = packet.to.0;
        if *hops == HOPS_MAX || to as usize >= self.stations.len() || at == to {
            return None;
        }
        if at == 0 && route.is_empty() {
            if !self.tree.route_down(to, route) {
                return None;
            }
            route.reverse();
        }
        if let Some(next) = route.pop() {
            return Some((next, self.tree.edge(at, next)?));
        }
        // A child that talks to its parent, or a parent to its child, does not ask the root.
        let is_child = self.tree.parent(to).filter(|&(parent, _)| parent == at);
        match is_child {
            Some((_, edge)) => Some((to, edge)),
            None => self.tree.parent(at),
        }
    }

    /// Begins to send; the transmitter of the station is idle.
    fn start(&mut self, now: Time, station: u32, job: u32) {
        let Some((to, edge)) = self.next_hop(station, job) else {
            self.end(now, job, Err(Cause::NoRoute));
            self.serve_next(now, station);
            return;
        };
        let Job {
            packet,
            number,
            hops,
            ..
        } = &mut self.jobs[job as usize];
        *hops += 1;
        let name = u64::from(packet.from.0) << 40 | u64::from(*number) << 8 | u64::from(*hops);
        let mut draws = Draws::numbered(self.seed, name);
        let hears = if self.stations[to as usize].powered {
            1.0
        } else {
            0.0
        };
        let delivery = hears * self.channels[edge as usize].delivery(&self.plan.channel, now);
        let domain = &mut self.domains[self.domain_of[to as usize] as usize];
        let contention = self.plan.contention.at(domain.utilisation(now));
        let payload = packet.payload as usize;
        let hop = self.hops.get(edge as usize).unwrap_or(&self.plan.hop);
        let jammers = self.footholds.as_ref().map(|all| &all.jammers);
        let noise = Noise::new(jammers, now, station, to);
        let service = hop.serve(payload, delivery, &contention, &noise, &mut draws);
        let packet = *packet;
        domain.occupy(now, service.airtime, u64::from(service.transmissions));
        self.counts.hops += 1;
        self.counts.transmissions += u64::from(service.transmissions);
        self.counts.octets += u64::from(service.octets);
        let effort = &mut self.jobs[job as usize].effort;
        effort.transmissions += service.transmissions;
        effort.frames += service.transmissions.min(service.frames);
        effort.octets += service.octets;
        effort.airtime = effort.airtime + service.airtime;
        effort.jammed_by = service.jammed_by.or(effort.jammed_by);
        let state = &mut self.stations[station as usize];
        state.serving = Some(Serving { job, to, service });
        self.agenda.push(Reverse((
            now + service.duration,
            station,
            state.transmission,
        )));
        if service.transmissions > 0 {
            self.be_heard(station, packet);
        }
    }

    fn serve_next(&mut self, now: Time, station: u32) {
        if let Some(job) = self.stations[station as usize].queue.pop_front() {
            self.start(now, station, job);
        }
    }

    /// A transmission is over.
    fn finish(&mut self, now: Time, station: u32) {
        let state = &mut self.stations[station as usize];
        let Some(Serving { job, to, service }) = state.serving.take() else {
            return;
        };
        state.transmission = state.transmission.wrapping_add(1);
        self.learn(now, station, to, &service);
        let arrived = self.stations[to as usize].powered;
        match service.loss {
            Some(HopLoss::ChannelAccess) => self.end(now, job, Err(Cause::ChannelAccess)),
            Some(HopLoss::Retries) => self.end(now, job, Err(Cause::Channel)),
            None if !arrived => self.end(now, job, Err(Cause::StationDown)),
            None if self.jobs[job as usize].packet.to.0 == to => self.end(now, job, Ok(())),
            None if self.is_compromised(StationId(to)) => {
                // Its sender goes on when it is known what becomes of this one.
                return self.hand_over(job, station, to);
            }
            None => self.enqueue(now, to, job),
        }
        self.serve_next(now, station);
    }

    /// What a station learns about its neighbours from a transmission.
    fn learn(&mut self, now: Time, station: u32, to: u32, service: &Service) {
        let delivered = service.loss.is_none();
        let mut news = false;
        if service.loss != Some(HopLoss::ChannelAccess) {
            let by_frame = service.transmissions.div_ceil(service.frames.max(1));
            self.tree.observe(station, to, by_frame, delivered);
            news = !delivered || by_frame > 1;
        }
        if now.saturating_since(self.stations[station as usize].probed) >= PROBE_INTERVAL {
            self.probe(now, station);
            news = true;
        }
        let stations = &self.stations;
        let admitted = |station: u32| stations[station as usize].admitted;
        // A station that joins stays with its relay element.
        if news && admitted(station) && self.tree.reconsider_among(station, admitted).is_some() {
            self.counts.parent_switches += 1;
        }
    }

    /// Tries one neighbour after the other, so that alternatives are known when they are needed.
    fn probe(&mut self, now: Time, station: u32) {
        let state = &mut self.stations[station as usize];
        state.probed = now;
        state.probes += 1;
        let probes = state.probes;
        let count = self.tree.neighbours(station).count();
        let chosen = self
            .tree
            .neighbours(station)
            .nth(probes as usize % count.max(1));
        let Some((neighbour, edge)) =
            chosen.and_then(|to| self.tree.edge(station, to).map(|edge| (to, edge)))
        else {
            return;
        };
        let hears = if self.stations[neighbour as usize].powered {
            1.0
        } else {
            0.0
        };
        let jammers = self.footholds.as_ref().map(|all| &all.jammers);
        let noise = Noise::new(jammers, now, station, neighbour);
        let airtime = self.plan.hop.phy.airtime(PROBE_OCTETS);
        let heard = match noise.destroys(Duration::ZERO, airtime, Duration::ZERO) {
            Some(_) => 0.0,
            None => hears,
        };
        let delivery = heard * self.channels[edge as usize].delivery(&self.plan.channel, now);
        let name = u64::from(station) << 40 | u64::from(probes);
        let mut draws = Draws::numbered(self.seed ^ 1, name);
        let attempts_max = u32::from(self.plan.hop.frame_retries_max) + 1;
        let success = (1..=attempts_max).find(|_| draws.chance(delivery));
        let attempts = success.unwrap_or(attempts_max);
        self.tree
            .observe(station, neighbour, attempts, success.is_some());
        let airtime = airtime.scaled(u64::from(attempts), 1);
        let domain = self.domain_of[neighbour as usize] as usize;
        self.domains[domain].occupy(now, airtime, u64::from(attempts));
    }
}

impl Link for Segment {
    fn send(&mut self, now: Time, packet: Packet) {
        let Some(state) = self.stations.get_mut(packet.from.0 as usize) else {
            let result = Err(Cause::NoRoute);
            self.outcomes.push_back(Outcome {
                packet,
                at: now,
                result,
                hops: 0,
                effort: Effort::default(),
            });
            return;
        };
        let number = state.sent;
        state.sent = state.sent.wrapping_add(1);
        let job = self.insert(packet, number);
        self.enqueue(now, packet.from.0, job);
    }

    fn handle_timeout(&mut self, now: Time) {
        self.handle_floods(now);
        while let Some(&Reverse((time, station, transmission))) = self.agenda.peek() {
            if time > now || self.poll_custody().is_some() {
                break;
            }
            self.agenda.pop();
            if self.stations[station as usize].transmission == transmission {
                self.finish(time, station);
            }
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        let hops = self.agenda.peek().map(|Reverse((time, ..))| *time);
        let floods = self
            .floods
            .as_ref()
            .and_then(|floods| floods.poll_timeout());
        [hops, floods].into_iter().flatten().min()
    }

    fn poll_outcome(&mut self) -> Option<Outcome> {
        self.outcomes.pop_front()
    }
}

/// The collision domain of each station as a receiver.
pub(crate) fn collision_domains(plan: &SegmentPlan, topology: &Topology) -> Vec<u32> {
    let stations = topology.stations();
    match plan.hop.phy {
        Phy::SunFsk(_) => (0..stations).collect(),
        Phy::G3Plc(..) => vec![0; stations as usize],
        Phy::OQpsk => {
            let side = plan.carrier_sense_m.max(1.0);
            let cell = |metres: f64| libm::floor(metres / side) as i64;
            let cells: Vec<_> = topology
                .places
                .iter()
                .map(|place| (cell(place.x_m), cell(place.y_m)))
                .collect();
            let mut known = cells.clone();
            known.sort_unstable();
            known.dedup();
            let number = |cell| known.partition_point(|other| other < cell) as u32;
            cells.iter().map(number).collect()
        }
    }
}

#[cfg(test)]
mod tests;
