//! The engine under a synthetic load and under domains that break its rules.

mod phold;

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration as WallDuration;

use models::event::{Agenda, Event, EventKey};
use models::time::{Duration, Time};
use phold::{Court, LOOKAHEAD, Phold};
use sim::engine::{
    Budget, Domain, Engine, Error, Limits, Lookahead, Outbox, Outcome, Stop, SyncPoint,
    TimingWheel, Verdict, describe, verify,
};

const UNTIL: Time = Time::from_secs(2);
const SYNC_EVERY: Duration = Duration::from_millis(300);

/// Runs to the end and returns what was known there.
fn finish<D: Domain>(engine: &mut Engine<D>, until: Time, sync_every: Duration) -> SyncPoint {
    let outcome = engine
        .run(until, sync_every, |_, _| Ok(ControlFlow::Continue(())))
        .expect("the run succeeds");
    match outcome {
        Outcome::Finished(sync) => sync,
        Outcome::Interrupted(sync) => panic!("interrupted at {}", sync.time),
    }
}

/// The error of a run that must fail.
fn fail<D: Domain>(engine: &mut Engine<D>) -> Error {
    engine
        .run(UNTIL, SYNC_EVERY, |_, _| Ok(ControlFlow::Continue(())))
        .expect_err("the run fails")
}

fn phold(entities: u32, domains: u32, threads: usize) -> Engine<Court> {
    let mut phold = Phold::new(entities, domains, 4);
    if threads > 1 {
        // Otherwise the windows would cost too little to be spread over threads.
        phold.grain = 1_000;
    }
    let engine = phold.engine().expect("a valid engine");
    engine.with_threads(threads)
}

#[test]
fn digest_is_the_same_for_any_number_of_threads() {
    let alone = finish(&mut phold(60, 8, 1), UNTIL, SYNC_EVERY);
    assert!(alone.events > 7_000, "{} events", alone.events);
    for threads in [2, 3, 8] {
        let together = finish(&mut phold(60, 8, threads), UNTIL, SYNC_EVERY);
        assert_eq!(together, alone, "{threads} threads");
    }
}

#[test]
fn digest_is_the_same_for_any_partition() {
    let whole = finish(&mut phold(60, 1, 1), UNTIL, SYNC_EVERY);
    let mut blocks = Phold::new(60, 1, 4);
    blocks.partition = (0..60).map(|entity| entity / 15).collect();
    let mut lopsided = Phold::new(60, 1, 4);
    lopsided.partition = (0..60).map(|entity| u32::from(entity == 41)).collect();
    for mut phold in [Phold::new(60, 2, 4), Phold::new(60, 7, 4), blocks, lopsided] {
        phold.grain = 1_000;
        for threads in [1, 3] {
            let engine = phold.engine().expect("a valid engine");
            let sync = finish(&mut engine.with_threads(threads), UNTIL, SYNC_EVERY);
            assert_eq!((sync.digest, sync.events), (whole.digest, whole.events));
        }
    }
}

#[test]
fn sync_points_and_interruptions_do_not_change_the_trajectory() {
    let whole = finish(&mut phold(40, 4, 1), UNTIL, Duration::from_secs(100));
    for threads in [1, 2] {
        let mut engine = phold(40, 4, threads);
        let mut times = Vec::new();
        loop {
            let outcome = engine.run(UNTIL, Duration::from_millis(700), |domains, sync| {
                assert_eq!(domains.len(), 4);
                for domain in domains {
                    let next = domain.next_time().expect("balls fly for ever");
                    assert!(next >= sync.time);
                }
                times.push(sync.time);
                Ok(ControlFlow::Break(()))
            });
            if let Outcome::Finished(sync) = outcome.expect("the run succeeds") {
                assert_eq!((sync.digest, sync.events), (whole.digest, whole.events));
                break;
            }
        }
        let expected = [700, 1_400, 2_000].map(|millis| Time::ZERO + Duration::from_millis(millis));
        assert_eq!(times, expected);
    }
}

#[test]
fn a_failing_callback_ends_the_run() {
    let outcome = phold(10, 2, 2).run(UNTIL, SYNC_EVERY, |_, _| Err("disk full".into()));
    let Err(Error::Sync { time, source }) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(time, Time::ZERO + SYNC_EVERY);
    assert_eq!(source.to_string(), "disk full");
}

#[test]
fn domains_that_never_talk_take_one_window_per_sync_point() {
    let mut events = Vec::new();
    for i in 0..500 {
        events.push(at(u64::from(i) * 3_000_000, i));
    }
    let domains = (0..6).map(|_| Script::new(&events)).collect();
    let mut engine = Engine::new(domains, Lookahead::none(6))
        .expect("a valid engine")
        .with_threads(2);
    let sync = finish(&mut engine, UNTIL, Duration::from_secs(1));
    assert_eq!((sync.events, sync.windows), (3_000, 2));
}

#[test]
fn empty_stretches_are_skipped() {
    let mut script = Script::new(&[at(0, 0), at(1_900_000_000, 1)]);
    script.letters = vec![(1_900_000_000, 1, 1_950_000_000)];
    let pair = Lookahead::uniform(2, Duration::from_nanos(1_000));
    let mut engine = Engine::new(vec![script, Script::new(&[])], pair).expect("valid");
    let sync = finish(&mut engine, UNTIL, Duration::from_secs(10));
    assert_eq!((sync.events, sync.windows), (3, 3));
}

#[test]
fn an_endless_instant_is_an_error_that_names_the_last_events() {
    for threads in [1, 2] {
        let mut loops = Script::new(&[at(5, 0)]);
        loops.repeat_at = Some(Time(9));
        loops.agenda.post(at(9, 1));
        let limits = Limits {
            events_per_instant: 500,
            ..Limits::default()
        };
        let mut engine = Engine::new(vec![Script::new(&[at(1, 0)]), loops], Lookahead::none(2))
            .expect("a valid engine")
            .with_threads(threads)
            .with_limits(limits);
        let error = fail(&mut engine);
        let Error::Stopped {
            domain,
            time,
            stop,
            last,
        } = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!((*domain, *time), (1, Time(9)));
        assert!(matches!(stop, Stop::EventsPerInstant(500)));
        assert_eq!(last.0.len(), 12);
        assert_eq!(last.0[11], describe(&at(9, 501)));
        assert!(error.to_string().contains("#501"), "{error}");
    }
}

#[test]
fn the_event_limit_holds_over_all_domains() {
    let total = finish(&mut phold(40, 4, 1), UNTIL, SYNC_EVERY).events;
    for (threads, events, passes) in [(1, total, true), (1, total - 1, false), (2, 1_000, false)] {
        let limits = Limits {
            events,
            ..Limits::default()
        };
        let mut engine = phold(40, 4, threads).with_limits(limits);
        let outcome = engine.run(UNTIL, SYNC_EVERY, |_, _| Ok(ControlFlow::Continue(())));
        match outcome {
            Ok(_) => assert!(passes, "{events} of {total} events"),
            Err(Error::Stopped { stop, last, .. }) => {
                assert!(!passes && matches!(stop, Stop::Events(n) if n == events));
                assert!(!last.0.is_empty());
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_run_without_wall_time_left_is_an_error() {
    let limits = Limits {
        wall_time: Some(WallDuration::ZERO),
        ..Limits::default()
    };
    let error = fail(&mut phold(40, 4, 2).with_limits(limits));
    let Error::Stopped { stop, .. } = error else {
        panic!("{error:?}");
    };
    assert!(matches!(stop, Stop::WallTime(WallDuration::ZERO)));
}

#[test]
fn letters_must_respect_the_declared_lookahead() {
    let pair = Lookahead::uniform(2, Duration::from_nanos(100));
    let mut hasty = Script::new(&[at(50, 0)]);
    hasty.letters = vec![(50, 1, 149)];
    let mut engine = Engine::new(vec![hasty, Script::new(&[])], pair).expect("valid");
    let error = fail(&mut engine);
    let Error::Stopped { domain, stop, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(domain, 0);
    assert!(matches!(
        stop,
        Stop::Lookahead {
            from: 0,
            to: 1,
            arrival: Time(149),
            earliest: Time(150)
        }
    ));
}

#[test]
fn letters_between_domains_that_never_talk_are_an_error() {
    let mut writes = Script::new(&[at(50, 0)]);
    writes.letters = vec![(50, 1, 5_000)];
    let domains = vec![writes, Script::new(&[])];
    let error = fail(&mut Engine::new(domains, Lookahead::none(2)).expect("valid"));
    let Error::Stopped { stop, .. } = error else {
        panic!("{error:?}");
    };
    assert!(matches!(stop, Stop::NeverTalk { from: 0, to: 1 }));
}

#[test]
fn a_sender_that_lies_about_the_time_is_found_out() {
    let mut liar = Script::new(&[at(50, 0)]);
    liar.letters = vec![(50, 1, 120)];
    liar.claimed_now = Some(Time(20));
    let domains = vec![liar, Script::new(&[at(130, 0)])];
    let pair = Lookahead::uniform(2, Duration::from_nanos(100));
    let error = fail(&mut Engine::new(domains, pair).expect("valid"));
    assert!(
        matches!(
            error,
            Error::LateLetter {
                from: 0,
                to: 1,
                arrival: Time(120),
                end: Time(150)
            }
        ),
        "{error:?}"
    );
}

#[test]
fn a_domain_that_does_not_advance_is_an_error() {
    let mut lazy = Script::new(&[at(50, 0)]);
    lazy.lazy = true;
    let mut engine = Engine::new(vec![lazy], Lookahead::none(1)).expect("valid");
    let error = fail(&mut engine);
    assert!(matches!(
        error,
        Error::Stuck {
            domain: 0,
            left: Time(50),
            ..
        }
    ));
}

#[test]
fn lookahead_must_be_positive_and_fit_the_domains() {
    let domains = || vec![Script::new(&[]), Script::new(&[])];
    let mut zero = Lookahead::none(2);
    zero.set(1, 0, Some(Duration::ZERO));
    let error = Engine::new(domains(), zero).err();
    assert!(matches!(
        error,
        Some(Error::ZeroLookahead { from: 1, to: 0 })
    ));
    let error = Engine::new(domains(), Lookahead::none(3)).err();
    assert!(matches!(
        error,
        Some(Error::LookaheadSize {
            declared: 3,
            domains: 2
        })
    ));
    let mut engine = Engine::new(domains(), Lookahead::none(2)).expect("valid");
    let outcome = engine.run(UNTIL, Duration::ZERO, |_, _| Ok(ControlFlow::Continue(())));
    assert!(matches!(outcome, Err(Error::ZeroSync)));
}

#[test]
fn a_panic_reaches_the_caller_whoever_runs_the_domain() {
    for threads in [1, 2, 3] {
        let mut engine = phold(60, 6, threads);
        let run = || {
            engine.run(UNTIL, SYNC_EVERY, |domains, sync| {
                assert!(sync.time < Time::from_secs(1), "deliberate");
                domains[0].fault_at = None;
                Ok(ControlFlow::Continue(()))
            })
        };
        assert!(catch_unwind(AssertUnwindSafe(run)).is_err());

        let bombs = (0..6).map(|domain| {
            let mut script = Script::new(&[]);
            (0..100).for_each(|i| script.agenda.post(at(i * 1_000, i as u32)));
            script.panics_at = (domain == 4).then_some(Time(70_000));
            script
        });
        let lookahead = Lookahead::uniform(6, Duration::from_nanos(10_000));
        let engine = Engine::new(bombs.collect(), lookahead).expect("valid");
        let mut engine = engine.with_threads(threads);
        let run = || engine.run(UNTIL, SYNC_EVERY, |_, _| Ok(ControlFlow::Continue(())));
        assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
    }
}

#[test]
fn two_threads_run_two_domains_at_once() {
    let (to_right, from_left) = channel();
    let (to_left, from_right) = channel();
    let mut domains = vec![Script::new(&[at(5, 0)]), Script::new(&[at(5, 0)])];
    domains[0].rendezvous = Some((to_right, from_right));
    domains[1].rendezvous = Some((to_left, from_left));
    let engine = Engine::new(domains, Lookahead::none(2)).expect("valid");
    let sync = finish(&mut engine.with_threads(2), UNTIL, Duration::from_secs(2));
    assert_eq!((sync.events, sync.windows), (2, 1));
}

#[test]
fn verify_confirms_identical_runs() {
    let make = |threads| Ok(phold(60, 5, threads));
    let verdict = verify(make, [1, 4], UNTIL, SYNC_EVERY).expect("both runs succeed");
    let sync = finish(&mut phold(60, 5, 1), UNTIL, SYNC_EVERY);
    let (digest, events) = (sync.digest, sync.events);
    assert_eq!(verdict, Verdict::Identical { digest, events });
}

#[test]
fn verify_names_the_first_diverging_event() {
    let fault = Time::ZERO + Duration::from_millis(1_234);
    let make = |threads| {
        let mut engine = phold(60, 5, threads);
        if threads > 1 {
            let court = engine.domains_mut().nth(3).expect("five domains");
            court.fault_at = Some(fault);
        }
        Ok(engine)
    };
    let verdict = verify(make, [1, 2], UNTIL, SYNC_EVERY).expect("both runs succeed");
    let Verdict::Diverged { index, left, right } = &verdict else {
        panic!("{verdict}");
    };
    let (left, right) = (left.as_ref().expect("left"), right.as_ref().expect("right"));
    assert_eq!((left.event, left.domain), (right.event, 3));
    assert_eq!(left.fingerprint ^ 1, right.fingerprint);
    assert!(left.event.time >= fault && left.event.time < fault + LOOKAHEAD);
    // The position is that in the whole run: so many events precede the fault.
    let before = finish(&mut phold(60, 5, 1), left.event.time, SYNC_EVERY);
    assert_eq!(*index, before.events);
    assert!(verdict.to_string().contains("domain 3"), "{verdict}");
}

#[test]
fn verify_admits_when_the_events_do_not_show_the_difference() {
    let runs = std::cell::Cell::new(0);
    let make = |threads| {
        runs.set(runs.get() + 1);
        let mut engine = phold(20, 2, threads);
        // Only the second of the four runs fails.
        if runs.get() == 2 {
            let court = engine.domains_mut().next().expect("two domains");
            court.fault_at = Some(Time::from_secs(1));
        }
        Ok(engine)
    };
    let verdict = verify(make, [1, 2], UNTIL, Duration::from_millis(400)).expect("runs succeed");
    let time = |millis| Time::ZERO + Duration::from_millis(millis);
    assert_eq!(
        verdict,
        Verdict::Elusive {
            from: time(800),
            to: time(1_200)
        }
    );
}

/// A domain that handles given events and can be told to misbehave.
struct Script {
    agenda: TimingWheel,
    /// When to write (at this event time), to whom and for when.
    letters: Vec<(u64, usize, u64)>,
    claimed_now: Option<Time>,
    repeat_at: Option<Time>,
    panics_at: Option<Time>,
    lazy: bool,
    /// Whom to tell that this domain runs, and where to hear that the other does.
    rendezvous: Option<(Sender<()>, Receiver<()>)>,
}

impl Script {
    fn new(events: &[Event]) -> Self {
        let mut agenda = TimingWheel::new();
        events.iter().for_each(|event| agenda.post(*event));
        Self {
            agenda,
            letters: Vec::new(),
            claimed_now: None,
            repeat_at: None,
            panics_at: None,
            lazy: false,
            rendezvous: None,
        }
    }
}

impl Domain for Script {
    type Letter = ();

    fn run(&mut self, end: Time, outbox: &mut Outbox<()>, budget: &mut Budget) -> Result<(), Stop> {
        if self.lazy {
            return Ok(());
        }
        if let Some((to, from)) = &self.rendezvous {
            to.send(()).expect("the other domain is there");
            from.recv_timeout(WallDuration::from_secs(60))
                .expect("the other domain runs at the same time");
        }
        while let Some(event) = self.agenda.pop_before(end) {
            budget.charge(&event, 0)?;
            assert_ne!(self.panics_at, Some(event.time), "deliberate");
            if self.repeat_at == Some(event.time) {
                self.agenda.post(at(event.time.0, event.sequence + 1));
            }
            for &(_, to, arrival) in self.letters.iter().filter(|l| l.0 == event.time.0) {
                let now = self.claimed_now.unwrap_or(event.time);
                outbox.send(now, to, at(arrival, 0).key(), ())?;
            }
        }
        Ok(())
    }

    fn deliver(&mut self, key: EventKey, (): ()) {
        self.agenda.post(at(key.time.0, key.sequence));
    }

    fn next_time(&mut self) -> Option<Time> {
        self.agenda.next_time()
    }
}

fn at(nanos: u64, sequence: u32) -> Event {
    Event {
        time: Time(nanos),
        target: 0,
        source: 0,
        sequence,
        phase: 0,
        kind: 0,
        payload: 0,
    }
}
