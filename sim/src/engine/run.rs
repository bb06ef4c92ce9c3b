//! The engine: domains advance window by window, sync point by sync point.

use std::error::Error as StdError;
use std::ops::{ControlFlow, Range};
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant as WallInstant;

use models::event::Event;
use models::time::{Duration, Time};

use super::budget::{Budget, Limits};
use super::digest::Digest;
use super::domain::{Domain, Envelope, Outbox, Stop};
use super::error::{Error, LastEvents};
use super::pool::{Closer, Pool, Shared, Slot, get_mut};
use super::window::{Lookahead, Windows};

/// A window that costs less nanoseconds is over before another thread has woken up.
const WORTH_SPREADING: u64 = 20_000;
/// The wall clock is read, and the cost of an event measured, once in so many windows.
const WINDOWS_PER_CLOCK_READING: u64 = 64;

/// Domains and the rules by which they advance.
///
/// The trajectory depends on the domains and the lookahead alone: threads, the distance of sync
/// points and the number of calls of [`run`](Self::run) change nothing.
pub struct Engine<D: Domain> {
    slots: Vec<Mutex<Slot<D>>>,
    lookahead: Arc<Lookahead>,
    threads: usize,
    limits: Limits,
    state: State<D::Letter>,
}

/// What is known of a run at a sync point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncPoint {
    /// The time that all domains have reached: everything before has happened, nothing else.
    pub time: Time,
    /// Number of events so far.
    pub events: u64,
    /// Number of windows so far.
    pub windows: u64,
    /// Digest of the trajectory so far.
    pub digest: Digest,
    /// The same without events that are interventions, see [`Budget::set_foreign`].
    pub own_digest: Digest,
}

/// What the callback at a sync point answers: go on, end the run, or the cause of a failure.
pub type SyncResult = Result<ControlFlow<()>, Box<dyn StdError + Send + Sync>>;

/// How a run ended without error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// At the end that was asked for.
    Finished(SyncPoint),
    /// At a sync point whose callback asked for it.
    Interrupted(SyncPoint),
}

/// What the calling thread keeps about the domains between windows.
struct State<L> {
    now: Time,
    windows: Windows,
    /// Time of the first pending event or letter of each domain.
    next: Vec<u64>,
    inboxes: Vec<Vec<Envelope<L>>>,
    jobs: Vec<u32>,
    events: u64,
    /// Smoothed number of events of a window.
    events_per_window: u64,
    /// Smoothed wall time of an event.
    nanos_per_event: u64,
    rounds: u64,
}

impl<D: Domain> Engine<D> {
    /// An engine at time zero that runs `domains` on the calling thread, without limits.
    ///
    /// # Errors
    ///
    /// `lookahead` is for another number of domains or contains a zero.
    pub fn new(domains: Vec<D>, lookahead: Lookahead) -> Result<Self, Error> {
        if lookahead.domains() != domains.len() {
            return Err(Error::LookaheadSize {
                declared: lookahead.domains(),
                domains: domains.len(),
            });
        }
        lookahead.check()?;
        let lookahead = Arc::new(lookahead);
        let limits = Limits::default();
        let state = State::new(&lookahead);
        let slot = |(index, domain)| {
            let outbox = Outbox::new(index, Arc::clone(&lookahead));
            Mutex::new(Slot::new(domain, Budget::new(limits), outbox))
        };
        Ok(Self {
            slots: domains.into_iter().enumerate().map(slot).collect(),
            lookahead: Arc::clone(&lookahead),
            threads: 1,
            limits,
            state,
        })
    }

    /// Runs on `threads` threads, the calling one included.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Stops with an error when a limit is exceeded.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        for slot in &mut self.slots {
            get_mut(slot).budget.set_limits(limits);
        }
        self
    }

    /// Advances to `until`, calling `on_sync` every `sync_every` of virtual time and at the end.
    ///
    /// Sync points are multiples of `sync_every`. The callback runs on the calling thread and sees
    /// all domains in index order at exactly the time of the sync point: what lies before has
    /// happened, what lies at it or after has not. Returning [`ControlFlow::Break`] ends the run.
    /// Running on later continues where the run ended.
    ///
    /// # Errors
    ///
    /// A domain stopped, a letter came too late or the callback failed. The choice between several
    /// errors of the same window does not depend on threads. A run must not be continued after an
    /// error.
    ///
    /// # Panics
    ///
    /// If a domain or the callback panics.
    pub fn run<F>(
        &mut self,
        until: Time,
        sync_every: Duration,
        mut on_sync: F,
    ) -> Result<Outcome, Error>
    where
        F: FnMut(&mut [&mut D], &SyncPoint) -> SyncResult,
    {
        if sync_every == Duration::ZERO {
            return Err(Error::ZeroSync);
        }
        let deadline = self
            .limits
            .wall_time
            .and_then(|limit| WallInstant::now().checked_add(limit));
        for slot in &mut self.slots {
            get_mut(slot).budget.set_deadline(deadline);
        }
        let threads = self.threads.min(self.slots.len());
        let mut advance = Advance {
            lookahead: &self.lookahead,
            limits: self.limits,
            deadline,
            state: &mut self.state,
        };
        if threads <= 1 {
            let pool = Pool::Alone(&mut self.slots);
            return advance.run(pool, until, sync_every, &mut on_sync);
        }
        let shared = Shared::new(&self.slots);
        thread::scope(|scope| {
            let closer = Closer(&shared);
            for _ in 1..threads {
                scope.spawn(|| shared.serve());
            }
            advance.run(Pool::Shared(closer.0), until, sync_every, &mut on_sync)
        })
    }

    /// The time that all domains have reached.
    pub fn now(&self) -> Time {
        self.state.now
    }

    /// Number of events so far.
    pub fn events(&self) -> u64 {
        self.state.events
    }

    /// The domains in index order.
    pub fn domains_mut(&mut self) -> impl Iterator<Item = &mut D> {
        self.slots.iter_mut().map(|slot| &mut get_mut(slot).domain)
    }

    /// Gives the domains back, in index order.
    pub fn into_domains(self) -> Vec<D> {
        let slots = self.slots.into_iter();
        slots
            .map(|slot| {
                slot.into_inner()
                    .unwrap_or_else(|poisoned| poisoned.into_inner())
                    .domain
            })
            .collect()
    }

    /// Keeps the events of `span` with their fingerprints.
    pub(super) fn capture(&mut self, span: &Range<Time>) {
        for slot in &mut self.slots {
            get_mut(slot).budget.capture(span.clone());
        }
    }

    /// The kept events of all domains in key order, each with fingerprint and domain.
    pub(super) fn take_captured(&mut self) -> Vec<(Event, u64, usize)> {
        let mut all = Vec::new();
        for (domain, slot) in self.slots.iter_mut().enumerate() {
            let captured = get_mut(slot).budget.take_captured();
            all.extend(
                captured
                    .into_iter()
                    .map(|(event, print)| (event, print, domain)),
            );
        }
        all.sort_unstable_by_key(|(event, _, _)| event.key());
        all
    }

    /// What domain `domain` says `event` is.
    pub(super) fn describe(&mut self, domain: usize, event: &Event) -> String {
        get_mut(&mut self.slots[domain]).domain.describe(event)
    }
}

impl<L> State<L> {
    fn new(lookahead: &Lookahead) -> Self {
        let domains = lookahead.domains();
        Self {
            now: Time::ZERO,
            windows: Windows::new(lookahead),
            next: vec![0; domains],
            inboxes: (0..domains).map(|_| Vec::new()).collect(),
            jobs: Vec::with_capacity(domains),
            events: 0,
            // Guesses until the first windows are over.
            events_per_window: 1_000,
            nanos_per_event: 1_000,
            rounds: 0,
        }
    }

    /// Counts the events of a window and, if it was measured, its cost in nanoseconds.
    fn account(&mut self, events: u64, cost: u64) {
        self.events += events;
        self.events_per_window = (3 * self.events_per_window + events) / 4;
        if cost > 0 && events > 0 {
            self.nanos_per_event = (3 * self.nanos_per_event + cost / events) / 4;
        }
    }
}

/// One call of [`Engine::run`].
struct Advance<'a, L> {
    lookahead: &'a Lookahead,
    limits: Limits,
    deadline: Option<WallInstant>,
    state: &'a mut State<L>,
}

impl<L: Send> Advance<'_, L> {
    fn run<D, F>(
        &mut self,
        mut pool: Pool<'_, D>,
        until: Time,
        sync_every: Duration,
        on_sync: &mut F,
    ) -> Result<Outcome, Error>
    where
        D: Domain<Letter = L>,
        F: FnMut(&mut [&mut D], &SyncPoint) -> SyncResult,
    {
        self.look_ahead(&mut pool);
        loop {
            let passed = self.state.now.0 / sync_every.as_nanos();
            let due = (passed + 1).saturating_mul(sync_every.as_nanos());
            let time = Time(due.min(until.0).max(self.state.now.0));
            self.advance(&mut pool, time)?;
            self.state.now = time;
            let (sync, flow) = pool.with_all(|slots| {
                for (slot, inbox) in slots.iter_mut().zip(&mut self.state.inboxes) {
                    std::mem::swap(&mut slot.inbox, inbox);
                    slot.deliver();
                }
                let sync = self.sync(slots);
                let mut domains: Vec<_> = slots.iter_mut().map(|s| &mut s.domain).collect();
                (sync, on_sync(&mut domains, &sync))
            });
            let flow = flow.map_err(|source| Error::Sync { time, source })?;
            // The callback may have posted events.
            self.look_ahead(&mut pool);
            if time >= until {
                return Ok(Outcome::Finished(sync));
            }
            if flow.is_break() {
                return Ok(Outcome::Interrupted(sync));
            }
        }
    }

    fn sync<D: Domain<Letter = L>>(&self, slots: &[&mut Slot<D>]) -> SyncPoint {
        let digest = |slot: &&mut Slot<D>| slot.budget.digest() + slot.domain.digest();
        let digest: Digest = slots.iter().map(digest).sum();
        let foreign: Digest = slots.iter().map(|slot| slot.budget.foreign()).sum();
        SyncPoint {
            time: self.state.now,
            events: self.state.events,
            windows: self.state.rounds,
            digest,
            own_digest: digest - foreign,
        }
    }

    /// Asks every domain for its first event.
    fn look_ahead<D: Domain<Letter = L>>(&mut self, pool: &mut Pool<'_, D>) {
        for (index, next) in self.state.next.iter_mut().enumerate() {
            let first = pool.with(index, |slot| slot.domain.next_time());
            *next = first.map_or(u64::MAX, |time| time.0);
        }
    }

    /// Lets all domains reach `limit`.
    fn advance<D: Domain<Letter = L>>(
        &mut self,
        pool: &mut Pool<'_, D>,
        limit: Time,
    ) -> Result<(), Error> {
        loop {
            let state = &mut *self.state;
            if state.next.iter().all(|next| *next >= limit.0) {
                return Ok(());
            }
            state.windows.update(self.lookahead, &state.next, limit);
            state.jobs.clear();
            let windows = state.next.iter().zip(&state.windows.ends);
            for (index, (next, end)) in windows.enumerate() {
                if next < end {
                    state.jobs.push(index as u32);
                }
            }
            let left = self.limits.events.saturating_sub(state.events);
            let timed = state.rounds.is_multiple_of(WINDOWS_PER_CLOCK_READING)
                && matches!(pool, Pool::Shared(_));
            for job in &state.jobs {
                let index = *job as usize;
                pool.with(index, |slot| {
                    std::mem::swap(&mut slot.inbox, &mut state.inboxes[index]);
                    slot.end = Time(state.windows.ends[index]);
                    slot.budget.grant(left);
                    slot.timed = timed;
                });
            }
            let cost = state
                .events_per_window
                .saturating_mul(state.nanos_per_event);
            pool.work(&state.jobs, cost >= WORTH_SPREADING);
            self.collect(pool)?;
            self.state.rounds += 1;
            if self.state.rounds.is_multiple_of(WINDOWS_PER_CLOCK_READING) {
                self.check_clock(pool)?;
            }
        }
    }

    /// Takes over what the domains of this window have done.
    fn collect<D: Domain<Letter = L>>(&mut self, pool: &mut Pool<'_, D>) -> Result<(), Error> {
        let state = &mut *self.state;
        let mut failed: Option<(Time, usize)> = None;
        let mut latest = (Time::ZERO, 0);
        let (mut events, mut cost) = (0, 0);
        for job in &state.jobs {
            let index = *job as usize;
            pool.with(index, |slot| {
                if let Some(panic) = slot.panic.take() {
                    resume_unwind(panic);
                }
                let instant = slot.budget.instant();
                if slot.outcome.is_err() && failed.is_none_or(|first| (instant, index) < first) {
                    failed = Some((instant, index));
                }
                latest = latest.max((instant, index));
                events += slot.budget.granted_used();
                cost += slot.cost.as_nanos() as u64;
                state.next[index] = slot.next.0;
            });
        }
        state.account(events, cost);
        if let Some((_, domain)) = failed {
            return Err(pool.with(domain, |slot| stopped(domain, slot, None)));
        }
        if state.events > self.limits.events {
            let stop = Stop::Events(self.limits.events);
            return Err(pool.with(latest.1, |slot| stopped(latest.1, slot, Some(stop))));
        }
        let behind = |job: &&u32| state.next[**job as usize] < state.windows.ends[**job as usize];
        if let Some(job) = state.jobs.iter().find(behind) {
            let domain = *job as usize;
            return Err(pool.with(domain, |slot| Error::Stuck {
                domain,
                end: slot.end,
                left: slot.next,
                last: last_events(slot),
            }));
        }
        self.route(pool)
    }

    /// Puts the letters of this window into the inboxes of their receivers.
    fn route<D: Domain<Letter = L>>(&mut self, pool: &mut Pool<'_, D>) -> Result<(), Error> {
        let state = &mut *self.state;
        for job in &state.jobs {
            let from = *job as usize;
            pool.with(from, |slot| {
                for envelope in slot.outbox.envelopes.drain(..) {
                    let to = envelope.to;
                    let (arrival, end) = (envelope.key.time, Time(state.windows.ends[to]));
                    if arrival < end {
                        return Err(Error::LateLetter {
                            from,
                            to,
                            arrival,
                            end,
                        });
                    }
                    state.next[to] = state.next[to].min(arrival.0);
                    state.inboxes[to].push(envelope);
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn check_clock<D: Domain<Letter = L>>(&self, pool: &mut Pool<'_, D>) -> Result<(), Error> {
        if let (Some(deadline), Some(limit)) = (self.deadline, self.limits.wall_time)
            && WallInstant::now() > deadline
        {
            let domain = self.state.jobs[0] as usize;
            let stop = Some(Stop::WallTime(limit));
            return Err(pool.with(domain, |slot| stopped(domain, slot, stop)));
        }
        Ok(())
    }
}

/// The error of a domain that returned one, or that is made to stop for `stop`.
fn stopped<D: Domain>(domain: usize, slot: &mut Slot<D>, stop: Option<Stop>) -> Error {
    let returned = std::mem::replace(&mut slot.outcome, Ok(())).err();
    Error::Stopped {
        domain,
        time: slot.budget.instant(),
        stop: stop.or(returned).expect("the domain returned an error"),
        last: last_events(slot),
    }
}

fn last_events<D: Domain>(slot: &Slot<D>) -> LastEvents {
    let recent = slot.budget.recent();
    LastEvents(recent.map(|event| slot.domain.describe(event)).collect())
}
