//! Cost of the agenda and of the engine on a synthetic load.
//!
//! `cargo bench -p sim --bench phold`; numbers are nanoseconds per hold (take the first event, post
//! one later) and events per second.

#[path = "../tests/phold/mod.rs"]
mod phold;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::Instant;

use models::event::{Agenda, Event, EventKey};
use models::time::{Duration, Time};
use phold::Phold;
use sim::engine::{Digest, TimingWheel};

/// What every agenda without further ado would be.
#[derive(Default)]
struct Heap(BinaryHeap<Reverse<(EventKey, [u32; 2])>>);

impl Agenda for Heap {
    fn post(&mut self, event: Event) {
        let rest = [event.payload, u32::from(event.kind)];
        self.0.push(Reverse((event.key(), rest)));
    }

    fn pop_before(&mut self, end: Time) -> Option<Event> {
        if self.0.peek()?.0.0.time >= end {
            return None;
        }
        let Reverse((key, [payload, kind])) = self.0.pop()?;
        Some(Event {
            time: key.time,
            target: key.target,
            source: key.source,
            sequence: key.sequence,
            phase: key.phase,
            kind: kind as u8,
            payload,
        })
    }

    fn next_time(&mut self) -> Option<Time> {
        self.0.peek().map(|first| first.0.0.time)
    }
}

/// Delays: near-exponential with a mean of one second, or those of a smart meter.
#[derive(Clone, Copy)]
enum Delays {
    Exponential,
    /// Mostly link delays of milliseconds, some timers of seconds, few of hours.
    Metering,
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn draw(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn delay(&mut self, delays: Delays) -> u64 {
        let uniform = (self.draw() >> 11) as f64 / (1u64 << 53) as f64;
        let exponential = -(1.0 - uniform).ln();
        let mean = match (delays, self.draw() % 100) {
            (Delays::Exponential, _) => 1e9,
            (Delays::Metering, 0..80) => 5e6,
            (Delays::Metering, 80..95) => 3e9,
            (Delays::Metering, _) => 3.6e12,
        };
        (exponential * mean) as u64
    }
}

/// Nanoseconds per hold with `pending` events pending.
fn hold(agenda: &mut impl Agenda, pending: u32, delays: Delays) -> f64 {
    let mut random = Random(1);
    let mut sequence = 0;
    let mut event = |random: &mut Random, now: Time, target| {
        sequence += 1;
        Event {
            time: now + Duration::from_nanos(random.delay(delays)),
            target,
            source: target,
            sequence,
            phase: 0,
            kind: 0,
            payload: 0,
        }
    };
    for target in 0..pending {
        agenda.post(event(&mut random, Time::ZERO, target));
    }
    // Draws are made beforehand: their logarithms cost more than the agenda.
    let draws: Vec<u64> = (0..1 << 16).map(|_| random.delay(delays)).collect();
    let holds = 2_000_000;
    let mut round = || {
        let start = Instant::now();
        for i in 0..holds {
            let first = agenda.pop_before(Time::FAR_FUTURE);
            let first = first.expect("as many events pending as ever");
            agenda.post(Event {
                time: first.time + Duration::from_nanos(draws[i % draws.len()]),
                sequence: first.sequence.wrapping_add(pending),
                ..first
            });
        }
        start.elapsed().as_nanos() as f64 / holds as f64
    };
    round();
    round().min(round())
}

/// Events per second of `phold` on `threads` threads, about `events` of them.
fn phold_rate(phold: &Phold, threads: usize, events: u64) -> (f64, Digest) {
    let mut best = 0f64;
    let mut digest = Digest::default();
    for _ in 0..3 {
        let engine = phold.engine().expect("a valid engine");
        let mut engine = engine.with_threads(threads);
        let balls = phold.partition.len() as u64 * u64::from(phold.balls);
        // A ball bounces about 16 times a second.
        let until = Time(events * 1_000_000_000 / (balls * 16));
        let start = Instant::now();
        engine
            .run(until, Duration::from_secs(1), |_, sync| {
                digest = sync.digest;
                Ok(ControlFlow::Continue(()))
            })
            .expect("the run succeeds");
        best = best.max(engine.events() as f64 / start.elapsed().as_secs_f64());
    }
    (best, digest)
}

fn main() {
    println!(
        "{:>10} {:>12} {:>10} {:>10}",
        "pending", "delays", "wheel ns", "heap ns"
    );
    for pending in [10_000, 100_000, 1_000_000] {
        for (delays, name) in [
            (Delays::Exponential, "exponential"),
            (Delays::Metering, "metering"),
        ] {
            let wheel = hold(&mut TimingWheel::new(), pending, delays);
            let heap = hold(&mut Heap::default(), pending, delays);
            println!("{pending:>10} {name:>12} {wheel:>10.1} {heap:>10.1}");
        }
    }

    let mut random = Random(1);
    let words: Vec<[u64; 4]> = (0..1 << 12)
        .map(|_| [0; 4].map(|_: u64| random.draw()))
        .collect();
    let mut digest = Digest::default();
    let start = Instant::now();
    for i in 0..10_000_000 {
        digest.add_words(words[i % words.len()]);
    }
    let nanos = start.elapsed().as_nanos() as f64 / 1e7;
    println!("digest: {nanos:.1} ns per event ({})", black_box(digest));

    println!("entities domains grain threads     events/s  digest");
    for (entities, domains) in [(100, 1), (100, 4), (10_000, 1), (10_000, 4), (10_000, 64)] {
        for (grain, events) in [(0, 3_000_000), (1_000, 500_000)] {
            for threads in [1, 2] {
                let mut phold = Phold::new(entities, domains, 4);
                phold.grain = grain;
                let (rate, digest) = phold_rate(&phold, threads, events);
                println!(
                    "{entities:>8} {domains:>7} {grain:>5} {threads:>7} {rate:>12.0}  {digest}"
                );
            }
        }
    }

    println!("sparse: domains   ns/window  events/window");
    for domains in [2, 8, 32, 128] {
        let mut phold = Phold::new(domains, domains, 1);
        phold.mean = Duration::from_millis(1_000 * u64::from(domains));
        let mut engine = phold.engine().expect("a valid engine");
        let until = Time::from_secs(100_000);
        let start = Instant::now();
        let mut windows = 0;
        engine
            .run(until, Duration::from_secs(1_000), |_, sync| {
                windows = sync.windows;
                Ok(ControlFlow::Continue(()))
            })
            .expect("the run succeeds");
        let nanos = start.elapsed().as_nanos() as f64 / windows as f64;
        let events = engine.events() as f64 / windows as f64;
        println!("{domains:>15} {nanos:>11.0} {events:>14.2}");
    }
}
