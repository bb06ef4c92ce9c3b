use std::collections::BTreeMap;

use models::event::EventKey;
use proptest::prelude::*;

use super::*;

/// The obvious agenda.
#[derive(Default)]
struct Model(BTreeMap<EventKey, Event>);

impl Agenda for Model {
    fn post(&mut self, event: Event) {
        let twin = self.0.insert(event.key(), event);
        assert_eq!(twin, None, "keys are unique");
    }

    fn pop_before(&mut self, end: Time) -> Option<Event> {
        let first = self.0.first_entry().filter(|e| e.key().time < end)?;
        Some(first.remove())
    }

    fn next_time(&mut self) -> Option<Time> {
        self.0.keys().next().map(|key| key.time)
    }
}

/// One call on both agendas; times are relative to the event taken last.
#[derive(Clone, Debug)]
enum Call {
    Post {
        after: u64,
        phase: u8,
        target: u32,
    },
    Burst {
        after: u64,
        events: u32,
        spacing: u64,
    },
    PopBefore {
        within: u64,
    },
    PopMany {
        events: u32,
    },
    NextTime,
}

fn delay() -> impl Strategy<Value = u64> {
    prop_oneof![
        2 => Just(0),
        3 => 0..1_000u64,
        3 => 0..1u64 << 17,
        3 => 0..1u64 << 26,
        3 => 0..1u64 << 36,
        2 => 0..1u64 << 50,
        1 => any::<u64>(),
        1 => Just(u64::MAX),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        6 => (delay(), 0..3u8, 0..4u32)
            .prop_map(|(after, phase, target)| Call::Post { after, phase, target }),
        1 => (delay(), 1..200u32, prop_oneof![Just(0), 1..100_000u64])
            .prop_map(|(after, events, spacing)| Call::Burst { after, events, spacing }),
        4 => delay().prop_map(|within| Call::PopBefore { within }),
        1 => (1..100u32).prop_map(|events| Call::PopMany { events }),
        2 => Just(Call::NextTime),
    ]
}

/// Makes `calls` on the wheel and on the model and compares every answer.
fn compare(calls: &[Call]) {
    let (mut wheel, mut model) = (TimingWheel::new(), Model::default());
    let (mut now, mut sequence) = (0u64, 0u32);
    let mut post = |wheel: &mut TimingWheel, model: &mut Model, time, phase, target| {
        sequence += 1;
        let event = Event {
            time: Time(time),
            target,
            source: sequence % 3,
            sequence,
            phase,
            kind: 0,
            payload: sequence,
        };
        wheel.post(event);
        model.post(event);
    };
    for call in calls {
        match *call {
            Call::Post {
                after,
                phase,
                target,
            } => post(
                &mut wheel,
                &mut model,
                now.saturating_add(after),
                phase,
                target,
            ),
            Call::Burst {
                after,
                events,
                spacing,
            } => {
                for i in 0..u64::from(events) {
                    let time = now.saturating_add(after).saturating_add(i * spacing);
                    post(&mut wheel, &mut model, time, 0, events - i as u32);
                }
            }
            Call::PopBefore { within } => {
                let end = Time(now.saturating_add(within));
                let event = wheel.pop_before(end);
                assert_eq!(event, model.pop_before(end));
                now = event.map_or(now, |event| event.time.0);
            }
            Call::PopMany { events } => {
                for _ in 0..events {
                    let event = wheel.pop_before(Time::FAR_FUTURE);
                    assert_eq!(event, model.pop_before(Time::FAR_FUTURE));
                    now = event.map_or(now, |event| event.time.0);
                }
            }
            Call::NextTime => assert_eq!(wheel.next_time(), model.next_time()),
        }
        assert_eq!(wheel.len(), model.0.len());
    }
    while let Some(event) = model.pop_before(Time::FAR_FUTURE) {
        assert_eq!(wheel.next_time(), Some(event.time));
        assert_eq!(wheel.pop_before(Time::FAR_FUTURE), Some(event));
    }
    assert_eq!(wheel.pop_before(Time::FAR_FUTURE), None);
    assert_eq!(wheel.next_time(), model.next_time());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn wheel_takes_events_like_a_sorted_map(calls in prop::collection::vec(call(), 1..200)) {
        compare(&calls);
    }
}

#[test]
fn events_at_the_end_of_time_stay_pending() {
    let mut wheel = TimingWheel::new();
    wheel.post(Event {
        time: Time::FAR_FUTURE,
        ..BLANK
    });
    assert_eq!(wheel.pop_before(Time::FAR_FUTURE), None);
    assert_eq!(wheel.next_time(), Some(Time::FAR_FUTURE));
    assert_eq!(wheel.len(), 1);
}

#[test]
fn an_event_posted_at_the_present_instant_comes_next() {
    let at = |time, target| Event {
        time: Time(time),
        target,
        ..BLANK
    };
    let mut wheel = TimingWheel::new();
    wheel.post(at(5_000_000, 3));
    wheel.post(at(5_000_000, 9));
    assert_eq!(wheel.pop_before(Time::FAR_FUTURE), Some(at(5_000_000, 3)));
    wheel.post(at(5_000_000, 4));
    wheel.post(at(5_000_001, 0));
    assert_eq!(wheel.pop_before(Time::FAR_FUTURE), Some(at(5_000_000, 4)));
    assert_eq!(wheel.pop_before(Time::FAR_FUTURE), Some(at(5_000_000, 9)));
    assert_eq!(wheel.pop_before(Time(5_000_001)), None);
    assert_eq!(wheel.pop_before(Time(5_000_002)), Some(at(5_000_001, 0)));
}

#[test]
fn chunks_are_reused_once_their_slot_is_done() {
    let mut wheel = TimingWheel::new();
    let mut sequence = 0;
    let mut post = |wheel: &mut TimingWheel, time| {
        sequence += 1;
        wheel.post(Event {
            time: Time(time),
            sequence,
            ..BLANK
        });
    };
    for i in 0..1_000 {
        post(&mut wheel, i * 1_000_003);
    }
    let mut grown = 0;
    for round in 0..20_000 {
        let event = wheel.pop_before(Time::FAR_FUTURE).expect("1,000 pending");
        post(&mut wheel, event.time.0 + 1_000_000_000);
        if round == 10_000 {
            grown = wheel.chunks.len();
        }
    }
    assert_eq!(wheel.chunks.len(), grown);
}
