//! The measuring part inside the meter: reports, the clock, and the limit of demand.

use alloc::vec;

use super::*;
use crate::c1222::epsem::ResponseControl;
use crate::c1222::service::{Password as Credential, ResponseCode, TableId};
use crate::headend::{
    Call, Class, Message, Part, Persistence, ProfileScope, RequestOrder, RequestOutcome,
    RequestReport, Task,
};
use crate::metrology::{self, Energy, EventKind, Instantaneous, Limit, Quantity, Sample};

fn metered(limit: Option<Limit>) -> Pair {
    let mut pair = Pair::new([7; 16]);
    let config = Arc::new(metrology::Config {
        limit,
        ..metrology::Config::default()
    });
    let idle = Pair::new([7; 16]).meter;
    pair.meter = core::mem::replace(&mut pair.meter, idle).with_metrology(config);
    pair.meter(|meter, utc, env| {
        meter.energise(utc, env.now);
        meter.power_on(utc, env);
    });
    pair.exchange();
    pair
}

/// Lets `seconds` pass at a power of `watts`; returns the events of the measuring part.
fn draw(pair: &mut Pair, seconds: u64, watts: i32) -> Vec<metrology::Event> {
    pair.now += Duration::from_secs(seconds);
    let mut events = Vec::new();
    pair.meter(|meter, utc, env| {
        let sample = Sample {
            energy: Energy([
                watts.unsigned_abs() as u64 * seconds * 1_000 / 3_600,
                0,
                0,
                0,
            ]),
            now: Instantaneous {
                watts,
                ..Instantaneous::default()
            },
        };
        meter.measure(&sample, utc, env.now);
        events.extend(core::iter::from_fn(|| {
            meter.poll_metrology_event(utc, env.now)
        }));
        meter.report(utc, env);
        meter.handle_timeout(utc, env);
    });
    pair.exchange();
    events
}

#[test]
fn closed_intervals_reach_the_head_end() {
    let mut pair = metered(None);
    for _ in 0..4 {
        draw(&mut pair, 900, 2_000);
    }
    let delivered = pair.headend_events.iter().filter_map(|event| match event {
        HeadendEvent::Interval(interval) => Some((interval.end_utc_s, interval.watt_hours)),
        _ => None,
    });
    let expected = [1, 2, 3, 4].map(|number| (UTC + 900 * number, 500));
    assert_eq!(delivered.collect::<Vec<_>>(), expected);
    let total = pair.meter.metrology().unwrap().registers().total;
    assert_eq!(total.of(Quantity::Delivered), 2_000);
}

#[test]
fn a_limit_that_is_exceeded_opens_the_switch() {
    let mut pair = metered(Some(Limit {
        watts: 5_000,
        tolerated: Duration::from_secs(300),
    }));
    assert!(draw(&mut pair, 200, 6_000).is_empty());
    let events = draw(&mut pair, 100, 6_000);
    assert_eq!(events[0].kind, EventKind::LimitExceeded);
    // The relay needs its time.
    draw(&mut pair, 1, 6_000);
    let opened = pair.meter_events.iter().any(|event| {
        matches!(
            event,
            MeterEvent::Switch(SwitchEvent {
                sequence: 0,
                step: SwitchStep::Done {
                    closed: false,
                    moved: true
                },
            })
        )
    });
    assert!(opened);
}

#[test]
fn what_is_measured_survives_an_outage() {
    let mut pair = metered(None);
    draw(&mut pair, 1_000, 3_600);
    pair.meter(|meter, utc, env| meter.power_off(utc, env));
    pair.now += Duration::from_secs(900);
    pair.meter(|meter, utc, env| {
        let sample = Sample {
            energy: Energy([900_000; 4]),
            now: Instantaneous::default(),
        };
        meter.measure(&sample, utc, env.now);
    });
    pair.meter(|meter, utc, env| meter.energise(utc, env.now));
    pair.now += Duration::from_secs(100);
    pair.meter(|meter, utc, env| {
        let sample = Sample {
            energy: Energy([100_000; 4]),
            now: Instantaneous::default(),
        };
        meter.measure(&sample, utc, env.now);
    });
    let registers = pair.meter.metrology().unwrap().registers();
    assert_eq!(registers.total.of(Quantity::Delivered), 1_100);
}

/// Reads a day of the load profile, with `password` if there is one.
fn read_profile(pair: &mut Pair, password: Option<&[u8]>) -> RequestReport {
    request(pair, profile_task(password))
}

fn profile_task(password: Option<&[u8]>) -> Task {
    Task {
        class: Class::Reading,
        messages: Vec::new(),
        profile: Some(ProfileScope {
            depth: Duration::from_secs(86_400),
            password: password.map(|octets| Credential::new(octets, Some(4))),
        }),
        image: None,
        tolerant: false,
        persistence: Persistence {
            attempts: 1,
            timeout: Duration::from_secs(10),
            pause: Duration::ZERO,
            factor: 1,
            deadline: Duration::from_secs(60),
        },
    }
}

/// Makes a request that is answered at once.
fn request(pair: &mut Pair, task: Task) -> RequestReport {
    let order = RequestOrder {
        rank: 0,
        plan: 0,
        due: pair.now,
    };
    pair.headend.request(order, &Arc::new(task));
    pair.advance(pair.now + Duration::from_millis(10));
    let mut reports = pair.headend_events.iter().filter_map(|event| match event {
        HeadendEvent::Request(report) => Some(*report),
        _ => None,
    });
    reports.next_back().expect("answered at once")
}

#[test]
fn the_profile_is_for_readers() {
    let mut pair = metered(None);
    for _ in 0..4 {
        draw(&mut pair, 900, 2_000);
    }
    let refused = RequestOutcome::Denied(ResponseCode::Isc);
    assert_eq!(read_profile(&mut pair, None).outcome, refused);
    assert_eq!(read_profile(&mut pair, Some(b"GUESS")).outcome, refused);
    let read = read_profile(&mut pair, Some(b"MASTER"));
    assert_eq!(read.outcome, RequestOutcome::Answered);
    assert_eq!((read.intervals, read.refused), (4, 0), "{read:?}");
}

#[test]
fn a_table_that_is_too_large_for_a_response_is_read_in_parts() {
    let mut pair = metered(None);
    for _ in 0..4 {
        draw(&mut pair, 900, 2_000);
    }
    let password = Credential::new(b"MASTER", Some(4));
    let read = |number| Call::Read(TableId::standard(number), Part::Full);
    // The load profile alone is longer than four responses; the registers are there at once.
    let calls = vec![Call::Security(password), read(64), read(23)];
    let message = Message {
        response: ResponseControl::OnException,
        ..Message::new(calls)
    };
    let task = Task {
        profile: None,
        messages: vec![message],
        ..profile_task(None)
    };
    let report = request(&mut pair, task);
    assert_eq!(report.outcome, RequestOutcome::Answered, "{report:?}");
    assert_eq!(report.refused, 0);
    assert_eq!(report.repetitions, 0);
    // One with all tables, six parts of 1,400 octets, one in vain, and three to find the end.
    assert_eq!(report.transmissions, 11, "{report:?}");
    assert!(report.parts > 6, "{report:?}");
    assert!(report.octets_up > 4 * 2_048, "{report:?}");
    let registers = pair.headend_events.iter().filter_map(|event| match event {
        HeadendEvent::Register(watt_hours) => Some(*watt_hours),
        _ => None,
    });
    assert_eq!(registers.collect::<Vec<_>>(), [2_000]);
}

#[test]
fn registers_are_known_even_if_they_came_in_parts() {
    let mut pair = metered(None);
    draw(&mut pair, 900, 2_000);
    let password = Credential::new(b"MASTER", Some(4));
    let read = |number| Call::Read(TableId::standard(number), Part::Full);
    // What comes before leaves no room for them.
    let calls = [54, 25, 23].map(read);
    let calls = [Call::Security(password)].into_iter().chain(calls);
    let task = Task {
        profile: None,
        messages: vec![Message::new(calls.collect())],
        ..profile_task(None)
    };
    let report = request(&mut pair, task);
    assert_eq!(report.outcome, RequestOutcome::Answered, "{report:?}");
    assert!(report.parts > 0, "{report:?}");
    let registers = pair.headend_events.iter().filter_map(|event| match event {
        HeadendEvent::Register(watt_hours) => Some(*watt_hours),
        _ => None,
    });
    assert_eq!(registers.collect::<Vec<_>>(), [500], "{report:?}");
}
