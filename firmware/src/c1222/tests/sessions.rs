//! Sessions of two nodes: what relies on the Logon, and when it no longer does.

use std::vec::Vec;

use super::association::{ENCRYPTED, End, READ, pair, reply};
use crate::c1222::acse::Authentication;
use crate::c1222::apdu::Apdu;
use crate::c1222::node::{Kind, Options, Sent};
use crate::c1222::reject::Reject;
use crate::c1222::service::{Logon, Request, Response};
use crate::c1222::session::{IDLE_TIMEOUT_MAX_S, Session, granted_idle_timeout_s};
use crate::ukmf::Replay;
use crate::{Duration, Instant};

const TERSE: Options = Options {
    terse: true,
    ..ENCRYPTED
};
const LOGON: Request<'static> = Request::Logon(Logon {
    user_id: 4,
    user: *b"TECHNICIAN",
    idle_timeout_s: Some(60),
});

fn session(authentication: Option<Authentication>, now: u64) -> Session {
    let (idle, now) = (Duration::from_secs(60), Instant::from_secs(now));
    Session::new(authentication, 4, idle, now)
}

/// The host logs on to the meter; both have the session.
fn logged_on() -> (End, End) {
    let (mut meter, mut host) = pair();
    let (mut logon, sent): (Vec<u8>, Sent) = host.request(&TERSE, &LOGON);
    assert_eq!(
        Apdu::parse(&logon).unwrap().header().authentication,
        sent.authentication(),
        "a Logon says what later messages leave out"
    );
    let incoming = meter.receive(&mut logon).unwrap();
    let (to, authentication) = (reply(incoming.kind), incoming.authentication);
    assert_eq!(authentication, sent.authentication());
    meter.node.open_session(session(authentication, 0));
    let answer = meter.respond(&to, Response::OK).unwrap();
    assert!(host.hear(&answer).is_ok());
    host.node.open_session(session(sent.authentication(), 0));
    (meter, host)
}

#[test]
fn messages_of_a_session_do_without_key_id_and_iv() {
    let (mut meter, mut host) = logged_on();
    for at in [1, 50, 100] {
        (meter.now, host.now) = (at, at);
        let (full, _) = host.request(&ENCRYPTED, &READ);
        let (terse, _) = host.request(&TERSE, &READ);
        assert_eq!(full.len(), terse.len() + 17);
        assert!(meter.hear(&full).is_ok(), "both belong to the session");
        let to = reply(meter.hear(&terse).unwrap());
        let answer = meter.respond(&to, Response::OK).unwrap();
        let header = *Apdu::parse(&answer).unwrap().header();
        assert_eq!(header.authentication, None, "answered in kind");
        assert!(matches!(host.hear(&answer), Ok(Kind::Response(_))));
        assert_eq!(
            meter.hear(&terse),
            Err(Reject::Replay(Replay::Duplicate)),
            "the invocation id tells it from a copy"
        );
    }
}

#[test]
fn without_its_session_a_terse_message_says_nothing() {
    let (mut meter, mut host) = logged_on();
    let (terse, _) = host.request(&TERSE, &READ);
    meter.now = 61;
    assert_eq!(meter.hear(&terse), Err(Reject::NoAuthentication), "idle");
    assert!(meter.node.session(Instant::from_secs(61)).is_none());
    assert!(!meter.node.close_session(Instant::from_secs(61)));

    let (mut meter, mut host) = logged_on();
    let (terse, _) = host.request(&TERSE, &READ);
    assert!(meter.node.close_session(Instant::ZERO));
    assert_eq!(meter.hear(&terse), Err(Reject::NoAuthentication), "closed");

    let (mut stranger, _) = pair();
    assert_eq!(stranger.hear(&terse), Err(Reject::NoAuthentication));
}

#[test]
fn waiting_and_talking_keep_a_session_open() {
    let (mut meter, mut host) = logged_on();
    assert!(meter.node.wait(Duration::from_secs(200), Instant::ZERO));
    (meter.now, host.now) = (199, 0);
    let (terse, _) = host.request(&TERSE, &READ);
    assert!(meter.hear(&terse).is_ok());
    let idle = |at| meter.node.session(Instant::from_secs(at)).is_some();
    assert!(idle(258) && !idle(259), "60 s after the last message");
    assert!(
        !meter
            .node
            .wait(Duration::from_secs(5), Instant::from_secs(300))
    );
}

#[test]
fn a_new_key_takes_over_in_the_middle_of_a_session() {
    let (mut meter, mut host) = logged_on();
    meter.install(2, true);
    host.install(2, true);
    let (message, sent) = host.request(&TERSE, &READ);
    let header = *Apdu::parse(&message).unwrap().header();
    assert_eq!(
        header.authentication,
        sent.authentication(),
        "a key of its own"
    );
    assert_eq!(sent.key_id, Some(0x12));
    assert!(meter.hear(&message).is_ok());
    assert!(meter.node.session(Instant::ZERO).is_some());
}

#[test]
fn idle_timeouts_are_granted_up_to_the_maximum() {
    assert_eq!(granted_idle_timeout_s(Some(60)), 60);
    for requested in [None, Some(0), Some(IDLE_TIMEOUT_MAX_S), Some(u16::MAX)] {
        assert_eq!(granted_idle_timeout_s(requested), IDLE_TIMEOUT_MAX_S);
    }
}
