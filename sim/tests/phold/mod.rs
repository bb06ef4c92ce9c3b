//! PHOLD, the usual synthetic load of parallel simulators, as domains of the engine.
//!
//! Entities send balls to each other: each event draws a delay and a receiver and posts one event.
//! What an entity draws depends on the entity alone, so the trajectory does not depend on the
//! partition.

use std::hint::black_box;
use std::sync::Arc;

use models::event::{Agenda, Event, EventKey};
use models::time::{Duration, Time};
use sim::engine::{Budget, Digest, Domain, Engine, Error, Lookahead, Outbox, Stop, TimingWheel};

/// Shortest delay of a ball.
pub(crate) const LOOKAHEAD: Duration = Duration::from_millis(10);

/// The world: which domain each entity belongs to, and the balls.
#[derive(Clone)]
pub(crate) struct Phold {
    /// Domain of each entity.
    pub(crate) partition: Vec<u32>,
    /// Balls of each entity at the start.
    pub(crate) balls: u32,
    /// Mean delay of a ball beyond the lookahead.
    pub(crate) mean: Duration,
    /// Work per event that leads to nothing, about a nanosecond each.
    pub(crate) grain: u32,
}

/// The entities of one domain.
pub(crate) struct Court {
    partition: Arc<[u32]>,
    /// Place of each entity among those of its domain.
    places: Arc<[u32]>,
    mean: Duration,
    grain: u32,
    agenda: TimingWheel,
    entities: Vec<Entity>,
    /// Changes what the next event at this time or later carries, to be found by `verify`.
    pub(crate) fault_at: Option<Time>,
}

struct Entity {
    index: u32,
    random: u64,
    sequence: u32,
    bounces: u64,
}

impl Phold {
    /// `entities` entities dealt out to `domains` domains in turn.
    pub(crate) fn new(entities: u32, domains: u32, balls: u32) -> Self {
        Self {
            partition: (0..entities).map(|entity| entity % domains).collect(),
            balls,
            mean: Duration::from_millis(50),
            grain: 0,
        }
    }

    /// The engine at time zero.
    pub(crate) fn engine(&self) -> Result<Engine<Court>, Error> {
        let domains = self.partition.iter().max().map_or(0, |last| last + 1);
        let mut sizes = vec![0; domains as usize];
        let place = |domain: &u32| {
            sizes[*domain as usize] += 1;
            sizes[*domain as usize] - 1
        };
        let places: Arc<[u32]> = self.partition.iter().map(place).collect();
        let partition: Arc<[u32]> = self.partition.clone().into();
        let courts = (0..domains).map(|domain| self.court(domain, &partition, &places));
        let lookahead = Lookahead::uniform(domains as usize, LOOKAHEAD);
        Engine::new(courts.collect(), lookahead)
    }

    /// One domain with the first balls of its entities.
    fn court(&self, domain: u32, partition: &Arc<[u32]>, places: &Arc<[u32]>) -> Court {
        let all = 0..self.partition.len() as u32;
        let own: Vec<_> = all
            .filter(|entity| partition[*entity as usize] == domain)
            .collect();
        let entity = |index: &u32| Entity {
            index: *index,
            random: u64::from(*index),
            sequence: 0,
            bounces: 0,
        };
        let mut court = Court {
            partition: Arc::clone(partition),
            places: Arc::clone(places),
            mean: self.mean,
            grain: self.grain,
            agenda: TimingWheel::new(),
            entities: own.iter().map(entity).collect(),
            fault_at: None,
        };
        for entity in own {
            for _ in 0..self.balls {
                let event = court.throw(Time::ZERO, entity, entity);
                court.agenda.post(event);
            }
        }
        court
    }
}

impl Court {
    /// The ball that `source` throws to `target`.
    fn throw(&mut self, now: Time, source: u32, target: u32) -> Event {
        let mean = self.mean.as_nanos();
        let entity = &mut self.entities[self.places[source as usize] as usize];
        let delay = LOOKAHEAD.as_nanos() + entity.draw() % (2 * mean);
        entity.sequence += 1;
        Event {
            time: now + Duration::from_nanos(delay),
            target,
            source,
            sequence: entity.sequence,
            phase: 0,
            kind: 1,
            payload: entity.draw() as u32,
        }
    }
}

impl Entity {
    /// SplitMix64.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.random)
    }
}

fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

impl Domain for Court {
    type Letter = u32;

    fn run(
        &mut self,
        end: Time,
        outbox: &mut Outbox<u32>,
        budget: &mut Budget,
    ) -> Result<(), Stop> {
        while let Some(event) = self.agenda.pop_before(end) {
            let mut carried = u64::from(event.payload);
            if self.fault_at.is_some_and(|fault| event.time >= fault) {
                self.fault_at = None;
                carried ^= 1;
            }
            budget.charge(&event, carried)?;
            for round in 0..self.grain {
                black_box(mix(u64::from(round)));
            }
            let entity = &mut self.entities[self.places[event.target as usize] as usize];
            entity.bounces += 1;
            // What an entity receives changes what it draws: an error spreads.
            entity.random ^= carried;
            let receiver = (entity.draw() % self.partition.len() as u64) as u32;
            let ball = self.throw(event.time, event.target, receiver);
            let to = self.partition[receiver as usize] as usize;
            if to == outbox.from() {
                self.agenda.post(ball);
            } else {
                outbox.send(event.time, to, ball.key(), ball.payload)?;
            }
        }
        Ok(())
    }

    fn deliver(&mut self, key: EventKey, payload: u32) {
        self.agenda.post(Event {
            time: key.time,
            target: key.target,
            source: key.source,
            sequence: key.sequence,
            phase: key.phase,
            kind: 1,
            payload,
        });
    }

    fn next_time(&mut self) -> Option<Time> {
        self.agenda.next_time()
    }

    fn digest(&self) -> Digest {
        let mut digest = Digest::default();
        for entity in &self.entities {
            digest.add_words([entity.index.into(), entity.bounces, entity.random, 0]);
        }
        digest
    }
}
