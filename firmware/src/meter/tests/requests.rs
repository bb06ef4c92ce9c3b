//! Requests of the head-end: every service played, in sessions and without, in time and too late.

use alloc::vec;

use super::*;
use crate::c1219::procedure::ProcedureId;
use crate::c1222::Reject as C1222Reject;
use crate::c1222::epsem::ResponseControl;
use crate::c1222::service::{Logon, Password as Credential, ResponseCode, TableId};
use crate::headend::{
    Call, Class, Message, Part, Persistence, RequestOrder, RequestOutcome, RequestReport, Task,
};

const PERSISTENCE: Persistence = Persistence {
    attempts: 3,
    timeout: Duration::from_secs(10),
    pause: Duration::from_secs(20),
    factor: 3,
    deadline: Duration::from_secs(3_600),
};
const ST1: TableId = TableId::standard(1);

fn task(messages: Vec<Message>) -> Task {
    Task {
        class: Class::Control,
        messages,
        profile: None,
        image: None,
        tolerant: false,
        persistence: PERSISTENCE,
    }
}

fn logon() -> Call {
    Call::Logon(Logon {
        user_id: 4,
        user: *b"OPERATOR  ",
        idle_timeout_s: Some(60),
    })
}

fn password(user_id: Option<u16>) -> Call {
    Call::Security(Credential::new(b"MASTER", user_id))
}

impl Pair {
    /// A meter with power and a session in PANA.
    fn in_session() -> Self {
        let mut pair = Self::new([7; 16]);
        pair.meter(|meter, utc, env| meter.power_on(utc, env));
        pair.exchange();
        pair
    }

    fn request(&mut self, task: Task) {
        self.request_at(task, self.now);
        // The one before may have been sent just now.
        self.advance(self.now + Duration::from_millis(10));
    }

    fn request_at(&mut self, task: Task, due: Instant) {
        let order = RequestOrder {
            rank: 0,
            plan: 7,
            due,
        };
        self.headend.request(order, &Arc::new(task));
    }

    fn requested(&self) -> Vec<RequestReport> {
        let report = |event: &HeadendEvent| match event {
            HeadendEvent::Request(report) => Some(*report),
            _ => None,
        };
        self.headend_events.iter().filter_map(report).collect()
    }

    /// The only request so far, which has ended.
    fn only(&self) -> RequestReport {
        let [report] = self.requested()[..] else {
            panic!("one request: {:?}", self.requested());
        };
        report
    }

    /// Sends `calls` in one message; tells how the request ended.
    fn ask(&mut self, calls: Vec<Call>) -> RequestOutcome {
        self.request(task(vec![Message::new(calls)]));
        self.requested().last().expect("answered at once").outcome
    }
}

#[test]
fn a_read_is_answered() {
    let mut pair = Pair::in_session();
    pair.request(task(vec![Message::new(vec![Call::Read(ST1, Part::Full)])]));
    let report = pair.only();
    assert_eq!(report.outcome, RequestOutcome::Answered);
    assert_eq!((report.order.plan, report.class.name()), (7, "c2"));
    assert_eq!((report.transmissions, report.repetitions), (1, 0));
    assert!(report.octets_up > report.octets_down, "{report:?}");
    assert!(report.responded.is_some());
}

#[test]
fn every_service_is_played() {
    let mut pair = Pair::in_session();
    let messages = [
        vec![Call::Identification],
        vec![logon()],
        vec![password(None)],
        vec![
            Call::Read(ST1, Part::Full),
            Call::Read(ST1, Part::Offset(4, 8)),
        ],
        vec![Call::Wait(60)],
        vec![Call::Resolve, Call::Trace],
        vec![Call::Logoff],
        vec![logon(), Call::Terminate],
        vec![password(Some(4)), Call::Disconnect],
    ];
    let messages = messages.into_iter().map(Message::new).collect();
    pair.request(task(messages));
    let report = pair.only();
    assert_eq!(report.outcome, RequestOutcome::Answered, "{report:?}");
    assert_eq!((report.transmissions, report.refused), (9, 0));
    // The meter has left: it says nothing until it has authenticated anew.
    let before = pair.log.len();
    let interval = Interval {
        end_utc_s: UTC + 900,
        watt_hours: 1,
        status: 0,
    };
    pair.now = Instant::from_secs(900);
    pair.meter(|meter, utc, env| {
        meter.close_interval(interval);
        meter.report(utc, env);
    });
    pair.exchange();
    assert_eq!(pair.log.len(), before);
    assert!(pair.delivered().is_empty());
}

#[test]
fn services_at_the_wrong_time_or_without_rights_are_refused() {
    let mut pair = Pair::in_session();
    for (call, code) in [
        (Call::Logoff, ResponseCode::Isss),
        (Call::Terminate, ResponseCode::Isss),
        (Call::Wait(5), ResponseCode::Isss),
        (password(None), ResponseCode::Isss),
        (Call::Disconnect, ResponseCode::Isc),
        (Call::Deregister, ResponseCode::Sns),
        (
            Call::Security(Credential::new(b"GUESS", Some(4))),
            ResponseCode::Isc,
        ),
        (
            Call::Read(TableId::standard(2_000), Part::Full),
            ResponseCode::Iar,
        ),
    ] {
        assert_eq!(
            pair.ask(vec![call.clone()]),
            RequestOutcome::Denied(code),
            "{call:?}"
        );
    }
    assert_eq!(pair.ask(vec![logon()]), RequestOutcome::Answered);
    assert_eq!(
        pair.ask(vec![logon()]),
        RequestOutcome::Denied(ResponseCode::Isss),
        "one session at a time"
    );
}

#[test]
fn rights_last_as_long_as_their_session() {
    let mut pair = Pair::in_session();
    let leave = || vec![Call::Disconnect];
    let denied = RequestOutcome::Denied(ResponseCode::Isc);
    // A password with a user id outside a session holds for its message alone.
    assert_eq!(pair.ask(vec![password(Some(4))]), RequestOutcome::Answered);
    assert_eq!(pair.ask(leave()), denied);
    // In a session it lasts, until the session ends by itself.
    assert_eq!(
        pair.ask(vec![logon(), password(None)]),
        RequestOutcome::Answered
    );
    pair.now += Duration::from_secs(61);
    assert_eq!(pair.ask(leave()), denied, "idle for too long");
    assert_eq!(
        pair.ask(vec![logon(), password(None)]),
        RequestOutcome::Answered
    );
    pair.now += Duration::from_secs(59);
    assert_eq!(pair.ask(leave()), RequestOutcome::Answered);
}

#[test]
fn tolerant_requests_go_on_and_count() {
    let mut pair = Pair::in_session();
    let calls = vec![Call::Logoff, Call::Read(ST1, Part::Full), Call::Wait(1)];
    let messages = vec![Message::new(calls), Message::new(vec![Call::Terminate])];
    pair.request(Task {
        tolerant: true,
        ..task(messages)
    });
    let report = pair.only();
    assert_eq!(report.outcome, RequestOutcome::Answered);
    assert_eq!(report.refused, 3);
}

#[test]
fn without_a_response_wanted_none_comes() {
    let mut pair = Pair::in_session();
    let message = |response, call| Message {
        response,
        ..Message::new(vec![call])
    };
    let (never, exception) = (ResponseControl::Never, ResponseControl::OnException);
    let responses = |pair: &Pair| pair.log.iter().filter(|(up, _, _)| *up).count();
    let before = responses(&pair);
    let read = Call::Read(ST1, Part::Full);
    pair.request(task(vec![message(never, read.clone())]));
    assert_eq!(pair.only().outcome, RequestOutcome::Sent);
    assert_eq!(responses(&pair), before, "a one-way message");

    pair.request(task(vec![message(exception, read)]));
    assert_eq!(responses(&pair), before);
    pair.advance(pair.now + Duration::from_secs(20));
    assert_eq!(
        pair.requested()[1].outcome,
        RequestOutcome::Sent,
        "silence is consent"
    );
    pair.request(task(vec![message(exception, Call::Logoff)]));
    assert_eq!(responses(&pair), before + 1, "an exception is told");
    assert_eq!(
        pair.requested()[2].outcome,
        RequestOutcome::Denied(ResponseCode::Isss)
    );
}

#[test]
fn a_meter_without_a_session_is_tried_again_until_it_is_too_late() {
    let mut pair = Pair::new([7; 16]);
    pair.request_at(
        task(vec![Message::new(vec![Call::Identification])]),
        Instant::from_secs(5),
    );
    pair.advance(Instant::from_secs(500));
    let report = pair.only();
    assert_eq!(report.outcome, RequestOutcome::Unreachable);
    assert_eq!((report.transmissions, report.issued), (0, None));
    // 20 s and 60 s of pause, then the last attempt.
    assert_eq!(report.ended, Instant::from_secs(5 + 20 + 60));

    // One that joins in between is served.
    pair.request_at(
        task(vec![Message::new(vec![Call::Identification])]),
        pair.now,
    );
    pair.command();
    pair.meter(|meter, utc, env| meter.power_on(utc, env));
    pair.exchange();
    pair.advance(pair.now + Duration::from_secs(30));
    assert_eq!(pair.requested()[1].outcome, RequestOutcome::Answered);
}

#[test]
fn the_urgent_go_first_and_a_meter_has_one_request_at_a_time() {
    let mut pair = Pair::in_session();
    let routine = Task {
        class: Class::Reading,
        ..task(vec![Message::new(vec![Call::Identification])])
    };
    for _ in 0..3 {
        pair.request_at(routine.clone(), pair.now);
    }
    pair.request_at(
        Task {
            class: Class::Emergency,
            ..routine
        },
        pair.now,
    );
    pair.advance(pair.now + Duration::from_secs(1));
    let classes: Vec<Class> = pair.requested().iter().map(|report| report.class).collect();
    assert_eq!(classes[0], Class::Emergency);
    assert_eq!(classes.len(), 4);
}

#[test]
fn a_request_that_pauses_lets_urgent_ones_pass() {
    let mut pair = Pair::new([7; 16]);
    let of_class = |class, pause| Task {
        class,
        persistence: Persistence {
            pause: Duration::from_secs(pause),
            deadline: Duration::from_secs(700),
            ..PERSISTENCE
        },
        ..task(vec![Message::new(vec![Call::Identification])])
    };
    pair.request(of_class(Class::Reading, 600));
    pair.request(of_class(Class::Reading, 600));
    assert!(pair.requested().is_empty(), "no session, and a long pause");
    pair.meter(|meter, utc, env| meter.power_on(utc, env));
    pair.exchange();
    pair.request(of_class(Class::Control, 5));
    let report = pair.only();
    assert_eq!(report.class, Class::Control);
    assert_eq!(report.outcome, RequestOutcome::Answered);
    // The others go on, one after the other.
    pair.advance(Instant::from_secs(599));
    assert_eq!(pair.requested().len(), 1);
    pair.advance(Instant::from_secs(605));
    let outcomes: Vec<RequestOutcome> = pair
        .requested()
        .iter()
        .map(|report| report.outcome)
        .collect();
    assert_eq!(outcomes, [RequestOutcome::Answered; 3]);
}

#[test]
fn a_procedure_is_run_and_its_result_is_read() {
    let mut pair = Pair::in_session();
    let unknown = Call::Procedure(ProcedureId::standard(2_000), [].into());
    let outcome = pair.ask(vec![password(Some(4)), unknown]);
    assert_eq!(outcome.name(), "unrecognized");
}

#[test]
fn long_messages_travel_in_segments() {
    let mut pair = Pair::in_session();
    let read = || Call::Read(ST1, Part::Full);
    // Forty tables of 32 octets: more than a datagram holds either way.
    let calls: Vec<Call> = core::iter::repeat_with(read).take(40).collect();
    let before = pair.log.len();
    assert_eq!(pair.ask(calls), RequestOutcome::Answered);
    let sent = &pair.log[before..];
    assert!(sent.iter().all(|(_, _, octets)| octets.len() <= 548));
    let up = sent.iter().filter(|(up, _, _)| *up).count();
    assert!(up >= 3, "the response has {up} segments");
}

#[test]
fn segments_that_do_not_come_together_are_given_up_and_counted() {
    let mut pair = Pair::in_session();
    let read = || Call::Read(ST1, Part::Full);
    let calls: Vec<Call> = core::iter::repeat_with(read).take(200).collect();
    pair.request_at(task(vec![Message::new(calls)]), pair.now);
    let (rank, _) = pair.headend.next_command(pair.now).unwrap();
    let mut work = Work::default();
    let mut env = Env::new(pair.now, &mut pair.rng, &mut work);
    pair.headend.proceed_command(rank, UTC, &mut env);
    let mut buffer = [0; 2_048];
    let first = pair.headend.poll_transmit(&mut buffer).unwrap();
    assert!(crate::c1222::segment::is_segment(&buffer[..first.len]));
    let octets = &mut buffer[..first.len];
    pair.meter(|meter, utc, env| {
        meter
            .handle_datagram(Channel::C1222, octets, utc, env)
            .expect("the first part is welcome");
    });
    assert_eq!(pair.meter.poll_timeout(), Some(Instant::from_secs(30)));
    pair.now = Instant::from_secs(30);
    pair.meter(|meter, utc, env| meter.handle_timeout(utc, env));
    let discarded = core::iter::from_fn(|| pair.meter.poll_event())
        .filter(|event| {
            matches!(
                event,
                MeterEvent::Discarded(Reject::C1222(C1222Reject::SegmentsMissing))
            )
        })
        .count();
    assert_eq!(discarded, 1);

    // One that announces more than a meter takes is refused at once.
    let mut huge = Vec::from([0x60, 0x2A]);
    huge.extend([0xA2, 0x04, 0x80, 0x02, 0x01, 0x01]);
    huge.extend([0xA3, 0x05, 0x02, 0x03, 0x01, 0x00, 0x00]);
    huge.extend([0xA6, 0x04, 0x80, 0x02, 0x02, 0x01]);
    huge.extend([0xA8, 0x03, 0x02, 0x01, 0x63]);
    huge.extend([0xBE, 0x10, 0x28, 0x0E, 0x02, 0x01, 0x00, 0x81, 0x09]);
    huge.extend([0x60; 9]);
    pair.meter(|meter, utc, env| {
        assert_eq!(
            meter.handle_datagram(Channel::C1222, &mut huge, utc, env),
            Err(Reject::C1222(C1222Reject::Segment))
        );
    });
}
