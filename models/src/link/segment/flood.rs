//! One datagram for all stations: forwarded by everybody under a Trickle timer (RFC 6206, RFC 7731).
//!
//! ```text
//! heard --> | I/2 | send at random, unless k copies were heard | 2 I ... | so many intervals, then silence
//! ```
//!
//! The root sends at once. Frames of a broadcast are sent once and acknowledged by nobody: a station
//! has the datagram if it hears all frames of one sender. Stations outside of the network, without
//! power or not admitted, neither hear nor forward. Airtime counts in the collision domains, but a
//! broadcast does not wait behind what its sender has in its queue, and attackers in stations leave
//! it alone.

use std::collections::{BTreeSet, VecDeque};

use super::{Draws, Noise, Segment};
use crate::link::{Effort, StationId};
use crate::time::{Duration, Time};

/// How a broadcast spreads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trickle {
    /// The first interval.
    pub interval_min: Duration,
    /// The longest interval.
    pub interval_max: Duration,
    /// Copies heard within an interval that make a station silent in it.
    pub redundancy: u32,
    /// Intervals after which a station is done; with one, everybody sends at most once.
    pub expirations: u32,
}

/// What happened to a broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloodNews {
    /// A station has it.
    Heard {
        /// The caller's name for it.
        token: u32,
        /// Which station.
        station: StationId,
    },
    /// A station has sent it.
    Sent {
        /// The caller's name for it.
        token: u32,
        /// What that took.
        effort: Effort,
    },
    /// Nobody will send it any more.
    Over {
        /// The caller's name for it.
        token: u32,
    },
}

#[derive(Clone, Copy, Debug, Default)]
struct Node {
    heard: bool,
    copies: u32,
    interval: Duration,
    left: u32,
}

#[derive(Clone, Debug)]
struct Flood {
    token: u32,
    payload: usize,
    trickle: Trickle,
    nodes: Vec<Node>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Send,
    End,
}

/// All broadcasts of a segment.
#[derive(Clone, Debug, Default)]
pub(super) struct Floods {
    /// By number; none once it is over.
    floods: Vec<Option<Flood>>,
    agenda: BTreeSet<(Time, usize, u32, Step)>,
    news: VecDeque<FloodNews>,
}

impl Floods {
    pub(super) fn poll_timeout(&self) -> Option<Time> {
        self.agenda.first().map(|(time, ..)| *time)
    }

    /// Begins an interval of `station`; `unit` places its transmission.
    fn begin(&mut self, number: usize, station: u32, now: Time, unit: f64) {
        let Some(flood) = self.floods[number].as_mut() else {
            return;
        };
        let node = &mut flood.nodes[station as usize];
        node.copies = 0;
        let half = node.interval.as_nanos() / 2;
        let wait = Duration::from_nanos(half + (unit * half as f64) as u64);
        self.agenda
            .insert((now + wait, number, station, Step::Send));
        let end = now + node.interval;
        self.agenda.insert((end, number, station, Step::End));
    }
}

impl Segment {
    /// Sends `payload` octets from the root to all stations.
    pub fn flood(&mut self, now: Time, token: u32, payload: usize, trickle: Trickle) {
        let mut nodes = vec![Node::default(); self.stations.len()];
        nodes[0] = Node {
            heard: true,
            copies: 0,
            interval: trickle.interval_min,
            left: trickle.expirations,
        };
        let floods = self.floods.get_or_insert_default();
        let number = floods.floods.len();
        floods.floods.push(Some(Flood {
            token,
            payload,
            trickle,
            nodes,
        }));
        floods.agenda.insert((now, number, 0, Step::Send));
        let end = now + trickle.interval_min;
        floods.agenda.insert((end, number, 0, Step::End));
    }

    /// What has happened to broadcasts, in order.
    pub fn poll_flood(&mut self) -> Option<FloodNews> {
        self.floods.as_mut()?.news.pop_front()
    }

    pub(super) fn handle_floods(&mut self, now: Time) {
        let Some(mut floods) = self.floods.take() else {
            return;
        };
        while let Some(&(time, number, station, step)) = floods.agenda.first()
            && time <= now
        {
            floods.agenda.pop_first();
            match step {
                Step::Send => self.send_flood(&mut floods, number, station, time),
                Step::End => self.end_interval(&mut floods, number, station, time),
            }
            let over = !floods.agenda.iter().any(|(_, other, ..)| *other == number);
            if let Some(flood) = floods.floods[number].take_if(|_| over) {
                floods
                    .news
                    .push_back(FloodNews::Over { token: flood.token });
            }
        }
        self.floods = Some(floods);
    }

    fn end_interval(&self, floods: &mut Floods, number: usize, station: u32, now: Time) {
        let Some(flood) = floods.floods[number].as_mut() else {
            return;
        };
        let longest = flood.trickle.interval_max;
        let node = &mut flood.nodes[station as usize];
        node.left = node.left.saturating_sub(1);
        if node.left > 0 {
            node.interval = (node.interval + node.interval).min(longest);
            let unit = self.flood_draws(number, station, node.left, 2).unit();
            floods.begin(number, station, now, unit);
        }
    }

    fn flood_draws(&self, number: usize, station: u32, left: u32, purpose: u64) -> Draws {
        let name = (number as u64) << 40 | u64::from(station) << 16 | u64::from(left & 0xFFFF);
        Draws::numbered(self.seed ^ purpose, name)
    }

    fn send_flood(&mut self, floods: &mut Floods, number: usize, station: u32, now: Time) {
        let state = &self.stations[station as usize];
        let Some(flood) = floods.floods[number].as_mut() else {
            return;
        };
        let node = flood.nodes[station as usize];
        let silent = station != 0 && !(state.powered && state.admitted);
        if silent || node.copies >= flood.trickle.redundancy {
            return;
        }
        let mut draws = self.flood_draws(number, station, node.left, 3);
        let own = self.domains[self.domain_of[station as usize] as usize].utilisation(now);
        let contention = self.plan.contention.at(own);
        let frames: Vec<usize> = self.plan.hop.frames.frames(flood.payload).collect();
        let mut effort = Effort::default();
        for &psdu in &frames {
            if draws.chance(contention.access_failure) {
                break;
            }
            effort.transmissions += 1;
            effort.frames += 1;
            effort.octets += psdu as u32;
            effort.airtime = effort.airtime + self.plan.hop.phy.airtime(psdu);
        }
        let complete = effort.frames as usize == frames.len();
        let neighbours: Vec<u32> = self.tree.neighbours(station).collect();
        let (payload, trickle, token) = (flood.payload, flood.trickle, flood.token);
        let mut domains = vec![self.domain_of[station as usize]];
        for to in neighbours {
            domains.push(self.domain_of[to as usize]);
            let hears = self.hears_flood(station, to, payload, now, &mut draws);
            if !hears || !complete {
                continue;
            }
            let Some(flood) = floods.floods[number].as_mut() else {
                return;
            };
            let node = &mut flood.nodes[to as usize];
            if node.heard {
                node.copies += 1;
                continue;
            }
            *node = Node {
                heard: true,
                copies: 0,
                interval: trickle.interval_min,
                left: trickle.expirations,
            };
            let station = StationId(to);
            floods.news.push_back(FloodNews::Heard { token, station });
            let unit = self.flood_draws(number, to, trickle.expirations, 2).unit();
            floods.begin(number, to, now, unit);
        }
        domains.sort_unstable();
        domains.dedup();
        for domain in domains {
            let domain = &mut self.domains[domain as usize];
            domain.occupy(now, effort.airtime, u64::from(effort.transmissions));
        }
        self.counts.transmissions += u64::from(effort.transmissions);
        self.counts.octets += u64::from(effort.octets);
        floods.news.push_back(FloodNews::Sent { token, effort });
    }

    /// Whether `to` hears all frames of a broadcast of `station`.
    fn hears_flood(
        &mut self,
        station: u32,
        to: u32,
        payload: usize,
        now: Time,
        draws: &mut Draws,
    ) -> bool {
        let receiver = &self.stations[to as usize];
        let listens = receiver.powered && (to == 0 || receiver.admitted);
        let Some(edge) = self.tree.edge(station, to) else {
            return false;
        };
        let delivery = self.channels[edge as usize].delivery(&self.plan.channel, now);
        let domain = self.domain_of[to as usize] as usize;
        let collision = self
            .plan
            .contention
            .at(self.domains[domain].utilisation(now))
            .collision;
        let jammers = self.footholds.as_ref().map(|all| &all.jammers);
        let noise = Noise::new(jammers, now, station, to);
        let mut offset = Duration::ZERO;
        let mut all = listens;
        for psdu in self.plan.hop.frames.frames(payload) {
            let airtime = self.plan.hop.phy.airtime(psdu);
            let jammed = noise.destroys(offset, airtime, Duration::ZERO).is_some();
            all &= draws.chance(delivery * (1.0 - collision)) && !jammed;
            offset = offset + airtime;
        }
        all
    }
}
