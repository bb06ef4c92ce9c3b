//! One collision domain under unslotted CSMA/CA, frame by frame.
//!
//! Every node hears every other and all send to the same sink. The message-level links take their
//! tables of contention from runs of this model; it is also what a frame-level mesh reduces to
//! when all its nodes are neighbours.
//!
//! ```text
//! backoff | CCA | turnaround | frame ------------- | turnaround | ACK | IFS
//!         ^ busy: longer backoff, at most `backoffs_max` times
//! ```

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::dist::exponential;
use crate::rng::Stream;
use crate::time::{Duration, Time};

/// Parameters of the medium access (IEEE 802.15.4-2006 §7.5.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// The unit of the random backoff.
    pub unit_backoff: Duration,
    /// macMinBE.
    pub backoff_exponent_min: u32,
    /// macMaxBE.
    pub backoff_exponent_max: u32,
    /// macMaxCSMABackoffs.
    pub backoffs_max: u32,
    /// macMaxFrameRetries.
    pub frame_retries_max: u8,
    /// Length of a clear channel assessment.
    pub cca: Duration,
    /// From assessment to frame and from frame to acknowledgement.
    pub turnaround: Duration,
    /// Airtime of an acknowledgement, if frames are acknowledged.
    pub ack_airtime: Option<Duration>,
    /// From the end of a frame until its acknowledgement is given up.
    pub ack_wait: Duration,
    /// From one frame to the next of the same node.
    pub interframe_space: Duration,
}

/// What happens when frames overlap at the sink.
#[derive(Clone, Copy, Debug)]
pub enum Capture {
    /// All of them are lost: the worst case.
    Never,
    /// The sink stays with the first one, whose bits are wrong with this probability.
    ///
    /// The argument is the linear signal to interference ratio; all powers are equal.
    BySinr(fn(f64) -> f64),
}

/// When nodes have frames to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Always.
    Saturated,
    /// One frame each, all at once.
    Burst,
    /// At random times with this mean interval per node.
    Poisson(Duration),
}

/// A collision domain with its traffic.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// Medium access.
    pub parameters: Parameters,
    /// Senders.
    pub nodes: usize,
    /// Airtime of a frame.
    pub airtime: Duration,
    /// Bits of a frame, to spread errors over.
    pub bits: u32,
    /// Overlap.
    pub capture: Capture,
    /// Arrivals.
    pub traffic: Traffic,
}

/// What a run counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames that were resolved.
    pub offered: u64,
    /// Frames that reached the sink.
    pub delivered: u64,
    /// Frames of which the sender knows that they did, if they are acknowledged.
    pub acknowledged: u64,
    /// Frames given up because the channel was never idle.
    pub access_failures: u64,
    /// Times that a node began to look for an idle channel.
    pub accesses: u64,
    /// Sum over transmissions of the time from there to the frame, in nanoseconds.
    pub access_nanos: u64,
    /// Transmissions.
    pub transmissions: u64,
    /// Transmissions that the sink did not receive.
    pub collisions: u64,
    /// Sum of airtimes of frames and acknowledgements in nanoseconds.
    pub air_nanos: u64,
    /// Sum over delivered frames of the time from arrival to reception, in nanoseconds.
    pub delay_nanos: u64,
    /// When the last frame was resolved.
    pub end: Time,
}

impl Counts {
    /// Share of the frames that reached the sink.
    pub fn delivery_ratio(&self) -> f64 {
        self.delivered as f64 / self.offered as f64
    }

    /// Share of the time that the channel was in use, overlaps counted twice.
    pub fn utilisation(&self) -> f64 {
        self.air_nanos as f64 / self.end.0 as f64
    }
}

/// A signal on the air. Two of the same start are told apart by their place in the list.
#[derive(Clone, Copy, Debug)]
struct Signal {
    start: Time,
    end: Time,
}

impl Signal {
    fn overlaps(&self, start: Time, end: Time) -> bool {
        self.start < end && self.end > start
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Arrival,
    Access,
    Assessed,
    Sent { signal: u64 },
    Acknowledged { signal: u64 },
}

#[derive(Clone, Debug, Default)]
struct Node {
    queue: VecDeque<Time>,
    backoffs: u32,
    exponent: u32,
    retries: u8,
    access_began: Time,
    received: bool,
}

struct Run<'a> {
    cell: &'a Cell,
    stream: &'a mut Stream,
    frames_max: u64,
    arrivals: u64,
    agenda: BinaryHeap<Reverse<(Time, u64, usize, Step)>>,
    posted: u64,
    nodes: Vec<Node>,
    signals: VecDeque<Signal>,
    /// Number of the first signal that is still in `signals`.
    first_signal: u64,
    counts: Counts,
}

impl Cell {
    /// Simulates until `frames` frames are resolved (for a burst: one for each node).
    pub fn run(&self, frames: u64, stream: &mut Stream) -> Counts {
        let mut run = Run {
            cell: self,
            stream,
            frames_max: frames,
            arrivals: 0,
            agenda: BinaryHeap::new(),
            posted: 0,
            nodes: vec![Node::default(); self.nodes],
            signals: VecDeque::new(),
            first_signal: 0,
            counts: Counts::default(),
        };
        for node in 0..self.nodes {
            let first = match self.traffic {
                Traffic::Saturated | Traffic::Burst => Time::ZERO,
                Traffic::Poisson(mean) => run.later(Time::ZERO, mean),
            };
            run.post(first, node, Step::Arrival);
        }
        while let Some(Reverse((now, _, node, step))) = run.agenda.pop() {
            run.handle(now, node, step);
            if run.counts.offered >= frames {
                break;
            }
        }
        run.counts
    }
}

impl Run<'_> {
    fn post(&mut self, time: Time, node: usize, step: Step) {
        self.agenda.push(Reverse((time, self.posted, node, step)));
        self.posted += 1;
    }

    fn later(&mut self, now: Time, mean: Duration) -> Time {
        let nanos = exponential(self.stream) * mean.as_nanos() as f64;
        now + Duration::from_nanos(nanos as u64)
    }

    fn handle(&mut self, now: Time, node: usize, step: Step) {
        match step {
            Step::Arrival => self.arrive(now, node),
            Step::Access => self.access(now, node),
            Step::Assessed => self.assess(now, node),
            Step::Sent { signal } => self.finish(now, node, signal),
            Step::Acknowledged { signal } => {
                if self.receives(signal) {
                    self.counts.acknowledged += 1;
                    self.resolve(now, node);
                } else {
                    let wait = self.cell.parameters.ack_wait;
                    let heard = self.cell.parameters.turnaround
                        + self.cell.parameters.ack_airtime.unwrap_or(Duration::ZERO);
                    self.retry(now + wait.saturating_sub(heard), node);
                }
            }
        }
    }

    fn arrive(&mut self, now: Time, node: usize) {
        self.arrivals += 1;
        self.nodes[node].queue.push_back(now);
        if self.nodes[node].queue.len() == 1 {
            self.begin(now, node);
        }
        if let Traffic::Poisson(mean) = self.cell.traffic
            && self.arrivals < self.frames_max + self.nodes.len() as u64
        {
            let next = self.later(now, mean);
            self.post(next, node, Step::Arrival);
        }
    }

    /// Begins with the frame at the head of the queue.
    fn begin(&mut self, now: Time, node: usize) {
        self.nodes[node].retries = 0;
        self.nodes[node].received = false;
        self.access(now, node);
    }

    fn access(&mut self, now: Time, node: usize) {
        self.counts.accesses += 1;
        let state = &mut self.nodes[node];
        state.backoffs = 0;
        state.exponent = self.cell.parameters.backoff_exponent_min;
        state.access_began = now;
        self.back_off(now, node);
    }

    fn back_off(&mut self, now: Time, node: usize) {
        let parameters = &self.cell.parameters;
        let units = self.stream.below(1 << self.nodes[node].exponent);
        let wait = Duration::from_nanos(units * parameters.unit_backoff.as_nanos());
        self.post(now + wait + parameters.cca, node, Step::Assessed);
    }

    fn assess(&mut self, now: Time, node: usize) {
        let parameters = self.cell.parameters;
        let begin = Time(now.0 - parameters.cca.as_nanos());
        if self
            .signals
            .iter()
            .any(|signal| signal.overlaps(begin, now))
        {
            let state = &mut self.nodes[node];
            state.backoffs += 1;
            state.exponent = (state.exponent + 1).min(parameters.backoff_exponent_max);
            if state.backoffs > parameters.backoffs_max {
                self.counts.access_failures += 1;
                self.resolve(now, node);
            } else {
                self.back_off(now, node);
            }
            return;
        }
        let start = now + parameters.turnaround;
        let began = self.nodes[node].access_began;
        self.counts.access_nanos += start.saturating_since(began).as_nanos();
        self.counts.transmissions += 1;
        let signal = self.emit(start, self.cell.airtime);
        self.post(start + self.cell.airtime, node, Step::Sent { signal });
    }

    /// Puts a signal on the air and forgets those that no frame can overlap with any more.
    fn emit(&mut self, start: Time, airtime: Duration) -> u64 {
        let memory = 2 * self.cell.airtime.as_nanos()
            + self.cell.parameters.ack_wait.as_nanos()
            + self.cell.parameters.cca.as_nanos();
        while self
            .signals
            .front()
            .is_some_and(|signal| signal.end.0 + memory < start.0)
        {
            self.signals.pop_front();
            self.first_signal += 1;
        }
        self.signals.push_back(Signal {
            start,
            end: start + airtime,
        });
        self.counts.air_nanos += airtime.as_nanos();
        self.first_signal + self.signals.len() as u64 - 1
    }

    fn finish(&mut self, now: Time, node: usize, signal: u64) {
        let parameters = self.cell.parameters;
        let received = self.receives(signal);
        self.counts.collisions += u64::from(!received);
        if received && !self.nodes[node].received {
            self.nodes[node].received = true;
            let arrival = self.nodes[node].queue[0];
            self.counts.delivered += 1;
            self.counts.delay_nanos += now.saturating_since(arrival).as_nanos();
        }
        match parameters.ack_airtime {
            None => self.resolve(now, node),
            Some(airtime) if received => {
                let start = now + parameters.turnaround;
                let signal = self.emit(start, airtime);
                self.post(start + airtime, node, Step::Acknowledged { signal });
            }
            Some(_) => self.retry(now + parameters.ack_wait, node),
        }
    }

    fn retry(&mut self, at: Time, node: usize) {
        self.nodes[node].retries += 1;
        if self.nodes[node].retries > self.cell.parameters.frame_retries_max {
            self.resolve(at, node);
        } else {
            self.post(at, node, Step::Access);
        }
    }

    /// The frame at the head of the queue is done with.
    fn resolve(&mut self, now: Time, node: usize) {
        self.counts.offered += 1;
        self.counts.end = self.counts.end.max(now);
        self.nodes[node].queue.pop_front();
        let next = now + self.cell.parameters.interframe_space;
        if self.cell.traffic == Traffic::Saturated {
            self.nodes[node].queue.push_back(next);
        }
        if !self.nodes[node].queue.is_empty() {
            self.nodes[node].retries = 0;
            self.nodes[node].received = false;
            self.post(next, node, Step::Access);
        }
    }

    /// Whether the receiver of a signal gets it in spite of the others.
    fn receives(&mut self, signal: u64) -> bool {
        let index = (signal - self.first_signal) as usize;
        let wanted = self.signals[index];
        let others: Vec<(usize, Signal)> = (0..)
            .zip(self.signals.iter().copied())
            .filter(|&(other, s)| other != index && s.overlaps(wanted.start, wanted.end))
            .collect();
        if others.is_empty() {
            return true;
        }
        let Capture::BySinr(bit_error_rate) = self.cell.capture else {
            return false;
        };
        if others
            .iter()
            .any(|&(other, s)| (s.start, other) < (wanted.start, index))
        {
            return false;
        }
        // The overlap grows at each start and shrinks at each end: one chunk between any two.
        let mut edges: Vec<Time> = others
            .iter()
            .flat_map(|(_, s)| [s.start, s.end.min(wanted.end)])
            .collect();
        edges.sort_unstable();
        let length = wanted.end.saturating_since(wanted.start).as_nanos() as f64;
        let bits = f64::from(self.cell.bits) * length / self.cell.airtime.as_nanos() as f64;
        let mut success = 1.0;
        for edge in edges.windows(2) {
            let interferers = others
                .iter()
                .filter(|(_, s)| s.overlaps(edge[0], edge[1]))
                .count();
            if interferers > 0 {
                let share = edge[1].saturating_since(edge[0]).as_nanos() as f64 / length;
                let right = 1.0 - bit_error_rate(1.0 / interferers as f64);
                success *= libm::pow(right, bits * share);
            }
        }
        self.stream.unit() < success
    }
}

#[cfg(test)]
mod tests;
