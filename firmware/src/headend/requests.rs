//! Requests to meters: a queue by urgency, with bounded outstanding ones, retries and deadlines.
//!
//! ```text
//!   request --> waiting --due--> ready --class, gap, outstanding--> message 1 --+
//!                                  ^                                  ^         | no response:
//!                meter is busy     |                                  +--pause--+ again
//!                with another -----+                                  |
//!                                                       answered: next message
//!                                                       answered: no more --> ended
//! ```
//!
//! A meter has one request at a time, and none while its switch is being operated. Among requests
//! that are due the more urgent class goes first, then the one that has been due for longer. One
//! that pauses after an attempt in vain lets a more urgent one to the same meter pass.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::active::{Active, Verdict, refusal};
use super::profile::ProfileRead;
use super::request::{RequestOrder, RequestOutcome, RequestPolicy, RequestReport};
use super::rollout::ImageSend;
use super::task::{Class, Task};
use crate::c1222::acse::Authentication;
use crate::c1222::epsem::{Payload, ResponseControl};
use crate::c1222::service::Response;
use crate::c1222::session::Session;
use crate::meter::Interval;
use crate::time::{Duration, Instant, earlier};
use crate::wire::Error;

/// How long a request waits while the switch of its meter is being operated, or a service is busy.
const BUSY_PAUSE: Duration = Duration::from_secs(5);
/// Exchanges of one read of the load profile at most.
const PROFILE_EXCHANGES_MAX: u32 = 100;

/// A place in the queue: urgency, due time, order of arrival.
type Place = (Class, Instant, u64);

#[derive(Debug)]
struct Queued {
    order: RequestOrder,
    task: Arc<Task>,
    arrival: u64,
}

impl Queued {
    fn place(&self) -> Place {
        (self.task.class, self.order.due, self.arrival)
    }
}

/// What to do next for a meter.
#[derive(Debug)]
pub(super) struct RequestStep {
    /// A message that is given up.
    pub(super) forget: Option<u32>,
    /// Whether the message at hand is to be sent.
    pub(super) send: bool,
}

/// What a response does to the session with the meter.
#[derive(Clone, Copy, Debug)]
pub(super) enum SessionChange {
    /// A Logon was answered.
    Opened(Session),
    /// A Logoff, Terminate or Disconnect was answered.
    Closed,
}

/// What a response has told.
#[derive(Debug, Default)]
pub(super) struct Learnt {
    /// What became of the session.
    pub(super) session: Vec<SessionChange>,
    /// Energy delivered since the meter is new, in Wh, where its registers were read.
    pub(super) register_wh: Option<u64>,
    /// Intervals of the load profile.
    pub(super) intervals: Vec<Interval>,
    /// End of the newest interval that was read, in seconds since 1970; 0 without one.
    pub(super) read_until_s: u32,
}

/// All requests of an instance.
#[derive(Debug, Default)]
pub(super) struct Requests {
    arrivals: u64,
    waiting: BTreeMap<(Instant, u64), Queued>,
    ready: BTreeMap<Place, Queued>,
    /// When the next request may begin.
    next_issue: Instant,
    active: BTreeMap<u32, Active>,
    /// Requests that wait for the end of another one to their meter.
    blocked: BTreeMap<u32, Vec<Queued>>,
    /// Requests that pause while more urgent ones to their meter are made, the latest last.
    suspended: BTreeMap<u32, Vec<Active>>,
    /// When the rate of images allows the next message with blocks.
    next_slot: Instant,
    /// Deadlines of active requests, by time and rank.
    due: BTreeSet<(Instant, u32)>,
    /// Messages that wait for a response.
    outstanding: u32,
    /// The sequence number that each meter had last.
    sequences: BTreeMap<u32, u8>,
    ended: VecDeque<RequestReport>,
}

impl Requests {
    /// Queues a request.
    pub(super) fn request(&mut self, order: RequestOrder, task: &Arc<Task>) {
        let arrival = self.arrivals;
        self.arrivals += 1;
        let queued = Queued {
            order,
            task: Arc::clone(task),
            arrival,
        };
        self.waiting.insert((order.due, arrival), queued);
    }

    /// Forgets the requests of `plan` that have not begun; returns the ranks of their meters.
    pub(super) fn withdraw(&mut self, plan: u32) -> Vec<u32> {
        let mut ranks = Vec::new();
        let mut stays = |queued: &Queued| {
            let other = queued.order.plan != plan;
            ranks.extend((!other).then_some(queued.order.rank));
            other
        };
        self.waiting.retain(|_, queued| stays(queued));
        self.ready.retain(|_, queued| stays(queued));
        for queue in self.blocked.values_mut() {
            queue.retain(&mut stays);
        }
        ranks.sort_unstable();
        ranks
    }

    /// Whether there is a report of a request that has ended.
    pub(super) fn has_ended(&self) -> bool {
        !self.ended.is_empty()
    }

    /// The next report of a request that has ended.
    pub(super) fn poll_ended(&mut self) -> Option<RequestReport> {
        self.ended.pop_front()
    }

    /// Requests that have not ended, of those that are due.
    pub(super) fn unfinished(&self, now: Instant) -> impl Iterator<Item = RequestReport> {
        let active = self.active.values();
        let active = active.chain(self.suspended.values().flatten());
        let active = active.map(move |active| RequestReport {
            ended: now,
            ..active.report
        });
        let queued = self.ready.values().chain(self.waiting.values());
        let queued = queued.chain(self.blocked.values().flatten());
        let queued = queued.filter(move |queued| queued.order.due <= now);
        active.chain(
            queued.map(move |queued| RequestReport::new(queued.order, queued.task.class, now)),
        )
    }

    /// When something is to be done next.
    pub(super) fn poll_timeout(&self, policy: &RequestPolicy) -> Option<Instant> {
        let free = self.outstanding < policy.outstanding_max;
        let ready = (free && !self.ready.is_empty()).then_some(self.next_issue);
        let waiting = self.waiting.first_key_value().map(|((due, _), _)| *due);
        let waiting = waiting.filter(|_| free);
        let queue = earlier(ready, waiting.map(|due| due.max(self.next_issue)));
        earlier(queue, self.due.first().map(|(due, _)| *due))
    }

    /// The meter for which something is to be done now; not one of which `is_busy` is true.
    pub(super) fn next_due(
        &mut self,
        policy: &RequestPolicy,
        now: Instant,
        is_busy: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        if let Some((_, rank)) = self.due.first().filter(|(due, _)| *due <= now) {
            return Some(*rank);
        }
        if self.outstanding >= policy.outstanding_max || self.next_issue > now {
            return None;
        }
        while let Some(entry) = self.waiting.first_entry()
            && entry.key().0 <= now
        {
            let queued = entry.remove();
            self.ready.insert(queued.place(), queued);
        }
        while let Some((_, queued)) = self.ready.pop_first() {
            let rank = queued.order.rank;
            let report = RequestReport::new(queued.order, queued.task.class, now);
            if now >= queued.order.due + queued.task.persistence.deadline {
                self.ended.push_back(RequestReport {
                    outcome: RequestOutcome::Late,
                    ..report
                });
                continue;
            }
            if is_busy(rank) {
                let again = (now + BUSY_PAUSE, queued.arrival);
                self.waiting.insert(again, queued);
                continue;
            }
            if !self.makes_way(rank, queued.task.class, now) {
                self.blocked.entry(rank).or_default().push(queued);
                continue;
            }
            self.next_issue = now + policy.gap;
            self.begin(queued, report, now);
            return Some(rank);
        }
        None
    }

    /// Whether a request of `class` to the meter can begin; suspends one that pauses for it.
    fn makes_way(&mut self, rank: u32, class: Class, now: Instant) -> bool {
        let Some(active) = self.active.get(&rank) else {
            return true;
        };
        let pauses = active.invocation.is_none() && active.due > now;
        if !pauses || active.task.class <= class {
            return false;
        }
        self.suspend(rank);
        true
    }

    /// Lets the request to the meter rest until [`release`](Self::release).
    fn suspend(&mut self, rank: u32) {
        if let Some(active) = self.active.remove(&rank) {
            self.due.remove(&(active.due, rank));
            self.suspended.entry(rank).or_default().push(active);
        }
    }

    /// Lets others have the meter: the one that was suspended last, or those that wait.
    fn release(&mut self, rank: u32, now: Instant) {
        for queued in self.blocked.remove(&rank).into_iter().flatten() {
            self.ready.insert(queued.place(), queued);
        }
        let Some(suspended) = self.suspended.get_mut(&rank) else {
            return;
        };
        if let Some(mut active) = suspended.pop() {
            active.due = active.due.max(now);
            self.due.insert((active.due, rank));
            self.active.insert(rank, active);
        } else {
            self.suspended.remove(&rank);
        }
    }

    fn begin(&mut self, queued: Queued, report: RequestReport, now: Instant) {
        let rank = queued.order.rank;
        let profile = ProfileRead::begin(&queued.task, queued.task.messages.is_empty());
        let image = ImageSend::begin(&queued.task);
        let active = Active {
            report,
            profile,
            task: queued.task,
            image,
            message: 0,
            parts: None,
            sequence: self.next_sequence(rank),
            attempts: 0,
            sent: false,
            busy: None,
            invocation: None,
            authentication: None,
            due: now,
            exchanges: 0,
            slotted: false,
        };
        self.active.insert(rank, active);
        self.due.insert((now, rank));
    }

    /// SEQ_NBR of the next procedure: never 0, which ST8 has before any procedure.
    fn next_sequence(&mut self, rank: u32) -> u8 {
        let last = self.sequences.entry(rank).or_default();
        *last = last.wrapping_add(1).max(1);
        *last
    }

    /// The request to the meter, for writing its message.
    pub(super) fn active(&self, rank: u32) -> Option<&Active> {
        self.active.get(&rank)
    }

    /// Does what is due for the meter `rank`, which may be `reachable`.
    pub(super) fn step(&mut self, rank: u32, reachable: bool, now: Instant) -> RequestStep {
        let nothing = RequestStep {
            forget: None,
            send: false,
        };
        let Some(active) = self.active.get_mut(&rank) else {
            return nothing;
        };
        let forget = active.invocation.take();
        let persistence = active.task.persistence;
        let deadline = active.report.order.due + persistence.deadline;
        let step = RequestStep {
            forget,
            send: false,
        };
        if forget.is_some() && active.content_with_silence() {
            self.outstanding -= 1;
            self.proceed(rank, now);
            return step;
        }
        if forget.is_some() {
            // The response did not come in time; what follows is a pause, then the next attempt.
            self.outstanding -= 1;
            let pause = persistence.pause_after(active.attempts);
            if active.attempts < persistence.attempts && !pause.is_zero() {
                self.reschedule(rank, deadline.min(now + pause));
                return step;
            }
        }
        if active.attempts >= persistence.attempts || now >= deadline {
            let outcome = active.verdict_in_vain();
            self.end(rank, outcome, now);
            return step;
        }
        if reachable
            && !active.slotted
            && let Some(airtime) = active.image.as_ref().and_then(ImageSend::airtime)
        {
            // Images share a rate: this message has its turn when those before it have had theirs.
            let slot = self.next_slot.max(now);
            self.next_slot = slot + airtime;
            active.slotted = slot > now;
            if active.slotted {
                self.reschedule(rank, slot);
                return step;
            }
        }
        active.slotted = false;
        active.attempts += 1;
        if reachable {
            self.reschedule(rank, now + persistence.timeout);
            return RequestStep { forget, send: true };
        }
        if active.attempts >= persistence.attempts {
            let outcome = active.verdict_in_vain();
            self.end(rank, outcome, now);
            return step;
        }
        // As if it had been sent and not been answered.
        let pause = persistence.pause_after(active.attempts);
        let pause = if pause.is_zero() {
            persistence.timeout
        } else {
            pause
        };
        self.reschedule(rank, deadline.min(now + pause));
        step
    }

    /// The message `invocation` to the meter has got nowhere: it is due again at once, and the
    /// attempt does not count. Tells whether it was waiting for its response.
    pub(super) fn resend(&mut self, rank: u32, invocation: u32, now: Instant) -> bool {
        let active = self.active.get_mut(&rank);
        let Some(active) = active.filter(|active| active.invocation == Some(invocation)) else {
            return false;
        };
        active.invocation = None;
        active.attempts = active.attempts.saturating_sub(1);
        self.outstanding -= 1;
        self.reschedule(rank, now);
        true
    }

    /// Whether the message at hand is sent again.
    pub(super) fn is_repeated(&self, rank: u32) -> bool {
        self.active.get(&rank).is_some_and(|active| active.sent)
    }

    /// Takes note that the message of the last step has been sent.
    ///
    /// `invocation` names the response; `authentication` is what protects it.
    pub(super) fn sent(
        &mut self,
        rank: u32,
        invocation: u32,
        authentication: Option<Authentication>,
        octets: usize,
        now: Instant,
    ) {
        let Some(active) = self.active.get_mut(&rank) else {
            return;
        };
        active.report.issued = active.report.issued.or(Some(now));
        active.report.transmissions += 1;
        active.report.repetitions += u32::from(active.sent);
        active.report.octets_down += octets as u32;
        active.sent = true;
        if active.response_control() == ResponseControl::Never {
            self.proceed(rank, now);
            return;
        }
        active.invocation = Some(invocation);
        active.authentication = authentication;
        self.outstanding += 1;
    }

    /// Takes the response, `octets` long, to the message `invocation`.
    ///
    /// `known` are the end of the last interval that was read of the meter, and the time, both in
    /// seconds since 1970.
    pub(super) fn respond(
        &mut self,
        rank: u32,
        invocation: u32,
        payload: &Payload<'_>,
        octets: usize,
        known: (u32, u32),
        now: Instant,
    ) -> Result<Learnt, Error> {
        let mut learnt = Learnt::default();
        let Some(active) = self
            .active
            .get_mut(&rank)
            .filter(|active| active.invocation == Some(invocation))
        else {
            return Ok(learnt);
        };
        active.invocation = None;
        active.report.responded = active.report.responded.or(Some(now));
        active.report.octets_up += octets as u32;
        active.exchanges += 1;
        self.outstanding -= 1;
        let mut responses = Vec::new();
        for service in payload.services() {
            match service.and_then(Response::parse) {
                Ok(response) => responses.push(response),
                Err(error) => {
                    self.end(rank, RequestOutcome::Unintelligible, now);
                    return Err(error);
                }
            }
        }
        let judged = match (&mut active.profile, &mut active.image) {
            (None, Some(image)) => {
                image
                    .take(&responses, active.sequence, (known.1, now))
                    .map(|asked| {
                        let refused = refusal(&responses, false, &mut active.report);
                        asked.unwrap_or(refused)
                    })
            }
            (Some(profile), _) => profile.take(&responses, known).map(|again| {
                if again {
                    return Verdict::Done;
                }
                learnt.intervals = core::mem::take(&mut profile.intervals);
                learnt.read_until_s = profile.read_until_s;
                let measured = learnt
                    .intervals
                    .iter()
                    .filter(|interval| interval.is_measured());
                active.report.intervals += measured.count() as u32;
                refusal(&responses, false, &mut active.report)
            }),
            (None, None) => active.judge(&responses, now, &mut learnt),
        };
        match judged {
            Ok(Verdict::Done) => self.proceed(rank, now),
            Ok(Verdict::Again(code)) => {
                active.busy = Some(code);
                let pause = active.task.persistence.pause_after(active.attempts);
                self.reschedule(rank, now + pause.max(BUSY_PAUSE));
            }
            Ok(Verdict::Ended(outcome)) => self.end(rank, outcome, now),
            Err(error) => {
                self.end(rank, RequestOutcome::Unintelligible, now);
                return Err(error);
            }
        }
        Ok(learnt)
    }

    /// Goes on to the next message, or ends what has none.
    fn proceed(&mut self, rank: u32, now: Instant) {
        let Some(active) = self.active.get_mut(&rank) else {
            return;
        };
        (active.attempts, active.sent, active.busy) = (0, false, None);
        let done = match (&active.profile, &active.image) {
            (None, Some(image)) => image.is_done(),
            (Some(profile), _) => profile.is_done() || active.exchanges >= PROFILE_EXCHANGES_MAX,
            (None, None) if active.has_parts() => false,
            (None, None) => {
                active.parts = None;
                active.message += 1;
                let over = active.message >= active.task.messages.len();
                active.profile = ProfileRead::begin(&active.task, over);
                over && active.profile.is_none()
            }
        };
        if done {
            let one_way = active.report.responded.is_none();
            let outcome = if one_way {
                RequestOutcome::Sent
            } else {
                RequestOutcome::Answered
            };
            self.end(rank, outcome, now);
            return;
        }
        let sequence = self.next_sequence(rank);
        let Some(active) = self.active.get_mut(&rank) else {
            return;
        };
        active.sequence = sequence;
        let pause = active.image.as_ref().and_then(ImageSend::resumes_at);
        let class = active.task.class;
        self.reschedule(rank, pause.map_or(now, |at| at.max(now)));
        // What takes long gives way to what is more urgent, between two of its messages.
        let blocked = self.blocked.get(&rank);
        if blocked.is_some_and(|queue| queue.iter().any(|queued| queued.task.class < class)) {
            self.suspend(rank);
            for queued in self.blocked.remove(&rank).into_iter().flatten() {
                self.ready.insert(queued.place(), queued);
            }
        }
    }

    fn reschedule(&mut self, rank: u32, due: Instant) {
        if let Some(active) = self.active.get_mut(&rank) {
            self.due.remove(&(active.due, rank));
            active.due = due;
            self.due.insert((due, rank));
        }
    }

    fn end(&mut self, rank: u32, outcome: RequestOutcome, now: Instant) {
        if let Some(active) = self.active.remove(&rank) {
            self.due.remove(&(active.due, rank));
            self.outstanding -= u32::from(active.invocation.is_some());
            self.ended.push_back(RequestReport {
                ended: now,
                outcome,
                ..active.report
            });
            self.release(rank, now);
        }
    }
}
