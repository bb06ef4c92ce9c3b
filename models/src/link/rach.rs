//! Random access to an LTE cell: what happens when a city's modems return at once.
//!
//! The model of 3GPP TR 37.868: contention on 54 preambles every 5 ms, a limit on the responses,
//! and retries after a random backoff.
//!
//! ```text
//! modem --preamble--> cell       collided or too weak: no response, back off, try again
//!       <--response--            at most 15 for each opportunity
//!       --message 3-->           repeated by HARQ
//!       <--message 4--           access
//! ```

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::rng::Stream;
use crate::time::{Duration, Time};

/// Parameters of the random access channel (3GPP TR 37.868 table 6.2.2.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// From one opportunity to the next.
    pub opportunity_period: Duration,
    /// Preambles for contention, at least one.
    pub preambles: u32,
    /// preambleTransMax, at least one.
    pub transmissions_max: u32,
    /// From a preamble to the response window.
    pub response_delay: Duration,
    /// ra-ResponseWindowSize in subframes of 1 ms.
    pub response_window_subframes: u32,
    /// Modems answered in one subframe.
    pub grants_per_response: u32,
    /// Longest backoff.
    pub backoff_max: Duration,
    /// From a response to message 3.
    pub message3_delay: Duration,
    /// From message 3 to message 4.
    pub message4_delay: Duration,
    /// From a failed message 3 or 4 to its repetition.
    pub harq_period: Duration,
    /// Probability that message 3 or 4 fails, in billionths.
    pub harq_error_ppb: u32,
    /// Transmissions of message 3 or 4.
    pub harq_transmissions_max: u32,
    /// mac-ContentionResolutionTimer.
    pub contention_timer: Duration,
}

impl Parameters {
    /// The values of TR 37.868; PRACH configuration index 6.
    pub const TR_37_868: Self = Self {
        opportunity_period: Duration::from_millis(5),
        preambles: 54,
        transmissions_max: 10,
        response_delay: Duration::from_millis(3),
        response_window_subframes: 5,
        grants_per_response: 3,
        backoff_max: Duration::from_millis(20),
        message3_delay: Duration::from_millis(5),
        message4_delay: Duration::from_millis(5),
        harq_period: Duration::from_millis(5),
        harq_error_ppb: 100_000_000,
        harq_transmissions_max: 5,
        contention_timer: Duration::from_millis(48),
    };
}

/// How a request for access ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// What the request was made with.
    pub token: u32,
    /// When it was made.
    pub requested: Time,
    /// When it ended.
    pub ended: Time,
    /// Preambles that were sent.
    pub transmissions: u32,
    /// Whether access was granted.
    pub granted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Attempt {
    ready: Time,
    number: u64,
    token: u32,
    requested: Time,
    transmissions: u32,
}

/// The random access channel of a cell.
///
/// After every `request` and `handle_timeout` drain `poll_access`, then ask `poll_timeout`.
#[derive(Debug)]
pub struct Channel {
    parameters: Parameters,
    stream: Stream,
    waiting: BinaryHeap<Reverse<Attempt>>,
    requests: u64,
    ended: VecDeque<Access>,
    collided: u64,
    /// The attempts of one opportunity and the preambles that they picked.
    picks: Vec<(u32, Attempt)>,
}

impl Channel {
    /// An idle channel.
    pub fn new(parameters: Parameters, stream: Stream) -> Self {
        Self {
            parameters,
            stream,
            waiting: BinaryHeap::new(),
            requests: 0,
            ended: VecDeque::new(),
            collided: 0,
            picks: Vec::new(),
        }
    }

    /// A modem wants access at `now`.
    pub fn request(&mut self, now: Time, token: u32) {
        let number = self.requests;
        self.requests += 1;
        let attempt = Attempt {
            ready: now,
            number,
            token,
            requested: now,
            transmissions: 0,
        };
        self.waiting.push(Reverse(attempt));
    }

    /// The next opportunity at which a modem sends a preamble.
    pub fn poll_timeout(&self) -> Option<Time> {
        let Reverse(first) = self.waiting.peek()?;
        let period = self.parameters.opportunity_period.as_nanos();
        Some(Time(first.ready.0.div_ceil(period) * period))
    }

    /// Takes a request that has ended.
    pub fn poll_access(&mut self) -> Option<Access> {
        self.ended.pop_front()
    }

    /// Preambles that more than one modem sent at the same opportunity.
    pub const fn collided_preambles(&self) -> u64 {
        self.collided
    }

    /// The opportunity at `now`: every modem that is ready sends a preamble.
    pub fn handle_timeout(&mut self, now: Time) {
        let mut picks = core::mem::take(&mut self.picks);
        picks.clear();
        while let Some(&Reverse(attempt)) = self.waiting.peek() {
            if attempt.ready > now {
                break;
            }
            self.waiting.pop();
            let preamble = self.stream.below(u64::from(self.parameters.preambles)) as u32;
            let transmissions = attempt.transmissions + 1;
            picks.push((
                preamble,
                Attempt {
                    transmissions,
                    ..attempt
                },
            ));
        }
        picks.sort_unstable();
        let mut grants = 0;
        for group in picks.chunk_by(|a, b| a.0 == b.0) {
            if let [(_, attempt)] = group {
                self.answer(now, *attempt, &mut grants);
            } else {
                self.collided += 1;
                for &(_, attempt) in group {
                    self.give_up_response(now, attempt);
                }
            }
        }
        self.picks = picks;
    }

    /// A preamble that only one modem sent.
    fn answer(&mut self, now: Time, attempt: Attempt, grants: &mut u32) {
        let parameters = self.parameters;
        // Power ramping: the i-th transmission is detected with probability 1 - exp(-i).
        let missed = libm::exp(-f64::from(attempt.transmissions));
        let detected = self.stream.unit() >= missed;
        let subframe = *grants / parameters.grants_per_response;
        if !detected || subframe >= parameters.response_window_subframes {
            self.give_up_response(now, attempt);
            return;
        }
        *grants += 1;
        let response =
            now + parameters.response_delay + Duration::from_millis(u64::from(subframe) + 1);
        let message3 = self.repeated(response + parameters.message3_delay);
        let message4 = message3.and_then(|sent| self.repeated(sent + parameters.message4_delay));
        match message4 {
            Some(ended) => self.end(attempt, ended, true),
            None => self.back_off(response + parameters.contention_timer, attempt),
        }
    }

    /// When a message that is first sent at `start` gets through, if it does.
    fn repeated(&mut self, start: Time) -> Option<Time> {
        let mut sent = start;
        for _ in 0..self.parameters.harq_transmissions_max {
            if !self.stream.chance(self.parameters.harq_error_ppb) {
                return Some(sent);
            }
            sent = sent + self.parameters.harq_period;
        }
        None
    }

    fn give_up_response(&mut self, now: Time, attempt: Attempt) {
        let window = u64::from(self.parameters.response_window_subframes);
        let closed = now + self.parameters.response_delay + Duration::from_millis(window);
        self.back_off(closed, attempt);
    }

    fn back_off(&mut self, from: Time, attempt: Attempt) {
        if attempt.transmissions >= self.parameters.transmissions_max {
            self.end(attempt, from, false);
            return;
        }
        let wait = self
            .stream
            .below(self.parameters.backoff_max.as_nanos() + 1);
        let ready = from + Duration::from_nanos(wait);
        self.waiting.push(Reverse(Attempt { ready, ..attempt }));
    }

    fn end(&mut self, attempt: Attempt, ended: Time, granted: bool) {
        self.ended.push_back(Access {
            token: attempt.token,
            requested: attempt.requested,
            ended,
            transmissions: attempt.transmissions,
            granted,
        });
    }
}
