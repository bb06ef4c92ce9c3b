//! The domains with their mail, and the threads that run them.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration as WallDuration, Instant as WallInstant};

use models::time::Time;

use super::budget::Budget;
use super::domain::{Domain, Envelope, Outbox, Stop};

/// A waiting thread looks so often before it sleeps: a few microseconds, about what waking costs.
const SPINS: u32 = 1 << 9;

/// A domain, what it needs to run through a window, and what came of it.
pub(super) struct Slot<D: Domain> {
    pub(super) domain: D,
    pub(super) budget: Budget,
    pub(super) inbox: Vec<Envelope<D::Letter>>,
    pub(super) outbox: Outbox<D::Letter>,
    /// End of the window, exclusive.
    pub(super) end: Time,
    /// Time of the first pending event after the window.
    pub(super) next: Time,
    /// Whether to measure what the window costs.
    pub(super) timed: bool,
    /// What the window cost, if measured.
    pub(super) cost: WallDuration,
    pub(super) outcome: Result<(), Stop>,
    pub(super) panic: Option<Box<dyn Any + Send>>,
}

impl<D: Domain> Slot<D> {
    pub(super) fn new(domain: D, budget: Budget, outbox: Outbox<D::Letter>) -> Self {
        Self {
            domain,
            budget,
            inbox: Vec::new(),
            outbox,
            end: Time::ZERO,
            next: Time::ZERO,
            timed: false,
            cost: WallDuration::ZERO,
            outcome: Ok(()),
            panic: None,
        }
    }

    /// Takes the letters in, in key order.
    pub(super) fn deliver(&mut self) {
        self.inbox.sort_unstable_by_key(|envelope| envelope.key);
        for envelope in self.inbox.drain(..) {
            self.domain.deliver(envelope.key, envelope.letter);
        }
    }

    /// Runs through one window.
    fn work(&mut self) {
        let start = self.timed.then(WallInstant::now);
        self.deliver();
        self.outcome = self
            .domain
            .run(self.end, &mut self.outbox, &mut self.budget);
        self.next = self.domain.next_time().unwrap_or(Time::FAR_FUTURE);
        self.cost = start.map_or(WallDuration::ZERO, |start| start.elapsed());
    }

    /// Runs through one window; a panic is kept for the calling thread, which would otherwise wait.
    fn work_guarded(&mut self) {
        self.panic = catch_unwind(AssertUnwindSafe(|| self.work())).err();
    }
}

/// How the calling thread reaches the domains.
pub(super) enum Pool<'a, D: Domain> {
    /// There is only the calling thread: no synchronisation.
    Alone(&'a mut [Mutex<Slot<D>>]),
    /// The calling thread and workers.
    Shared(&'a Shared<'a, D>),
}

impl<D: Domain> Pool<'_, D> {
    /// Lets `f` use domain `index`.
    pub(super) fn with<R>(&mut self, index: usize, f: impl FnOnce(&mut Slot<D>) -> R) -> R {
        match self {
            Pool::Alone(slots) => f(get_mut(&mut slots[index])),
            Pool::Shared(shared) => f(&mut lock(&shared.slots[index])),
        }
    }

    /// Runs the domains of `jobs` through their windows, on all threads if `spread`.
    pub(super) fn work(&mut self, jobs: &[u32], spread: bool) {
        match self {
            Pool::Shared(shared) if spread && jobs.len() > 1 => shared.work(jobs),
            _ => {
                for job in jobs {
                    self.with(*job as usize, Slot::work);
                }
            }
        }
    }

    /// Lets `f` use all domains at once, in index order.
    pub(super) fn with_all<R>(&mut self, f: impl FnOnce(&mut [&mut Slot<D>]) -> R) -> R {
        match self {
            Pool::Alone(slots) => {
                let mut slots: Vec<_> = slots.iter_mut().map(get_mut).collect();
                f(&mut slots)
            }
            Pool::Shared(shared) => {
                let mut guards: Vec<_> = shared.slots.iter().map(lock).collect();
                let mut slots: Vec<_> = guards.iter_mut().map(|guard| &mut **guard).collect();
                f(&mut slots)
            }
        }
    }
}

/// What the calling thread and the workers share.
///
/// A job is claimed by counting `unclaimed` down: its value says which one. The calling thread
/// refills the list only when `unfinished` is zero, so a late worker finds either nothing or a job
/// of the new window, never a stale one.
pub(super) struct Shared<'a, D: Domain> {
    slots: &'a [Mutex<Slot<D>>],
    jobs: Vec<AtomicU32>,
    unclaimed: AtomicUsize,
    unfinished: AtomicUsize,
    closed: AtomicBool,
    work: Gate,
    done: Gate,
}

impl<'a, D: Domain> Shared<'a, D> {
    pub(super) fn new(slots: &'a [Mutex<Slot<D>>]) -> Self {
        Self {
            slots,
            jobs: slots.iter().map(|_| AtomicU32::new(0)).collect(),
            unclaimed: AtomicUsize::new(0),
            unfinished: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            work: Gate::default(),
            done: Gate::default(),
        }
    }

    /// The life of a worker thread.
    pub(super) fn serve(&self) {
        loop {
            let ready = || self.unclaimed.load(Acquire) > 0 || self.closed.load(Acquire);
            self.work.wait(ready);
            if self.closed.load(Acquire) {
                return;
            }
            self.help();
        }
    }

    /// Runs jobs until all are claimed.
    fn help(&self) {
        while let Ok(claimed) = self
            .unclaimed
            .fetch_update(SeqCst, SeqCst, |unclaimed| unclaimed.checked_sub(1))
        {
            let index = self.jobs[claimed - 1].load(Relaxed) as usize;
            lock(&self.slots[index]).work_guarded();
            if self.unfinished.fetch_sub(1, SeqCst) == 1 {
                self.done.open();
            }
        }
    }

    fn work(&self, jobs: &[u32]) {
        for (cell, job) in self.jobs.iter().zip(jobs) {
            cell.store(*job, Relaxed);
        }
        self.unfinished.store(jobs.len(), SeqCst);
        self.unclaimed.store(jobs.len(), SeqCst);
        self.work.open();
        self.help();
        self.done.wait(|| self.unfinished.load(SeqCst) == 0);
    }
}

/// Sends the workers home when the calling thread leaves, be it by a panic.
pub(super) struct Closer<'a, D: Domain>(pub(super) &'a Shared<'a, D>);

impl<D: Domain> Drop for Closer<'_, D> {
    fn drop(&mut self) {
        self.0.closed.store(true, SeqCst);
        self.0.work.open();
    }
}

/// Where threads wait for a condition: first looking, then sleeping.
#[derive(Default)]
struct Gate {
    sleepers: AtomicUsize,
    lock: Mutex<()>,
    condvar: Condvar,
}

impl Gate {
    /// Returns once `ready` holds.
    fn wait(&self, ready: impl Fn() -> bool) {
        for _ in 0..SPINS {
            if ready() {
                return;
            }
            std::hint::spin_loop();
        }
        thread::yield_now();
        // Registered before the last look, while `open` looks for sleepers after the change: one of
        // the two sees the other.
        let mut guard = lock(&self.lock);
        self.sleepers.fetch_add(1, SeqCst);
        while !ready() {
            guard = self
                .condvar
                .wait(guard)
                .unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, SeqCst);
    }

    /// Wakes the sleepers; to be called after the change they wait for.
    fn open(&self) {
        if self.sleepers.load(SeqCst) > 0 {
            drop(lock(&self.lock));
            self.condvar.notify_all();
        }
    }
}

/// Locks; a panic of another thread is reported by other means.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reaches the content without locking.
pub(super) fn get_mut<T>(mutex: &mut Mutex<T>) -> &mut T {
    mutex.get_mut().unwrap_or_else(PoisonError::into_inner)
}
