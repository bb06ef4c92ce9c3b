//! Sessions that either end prolongs or ends ahead of time.

use super::*;
use crate::pana::{Flags, MessageType};
use crate::ukmf::EndReason;

impl Pair {
    fn headend(&mut self, act: impl FnOnce(&mut Headend, &mut Env<'_>)) {
        let mut work = Work::default();
        let mut env = Env::new(self.now, &mut self.rng, &mut work);
        act(&mut self.headend, &mut env);
    }

    /// Type, flags and direction of the PANA messages since the first `from` datagrams.
    fn pana_since(&self, from: usize) -> Vec<(bool, MessageType, Flags)> {
        let pana = |(up, channel, octets): &(bool, Channel, Vec<u8>)| {
            let header = (*channel == Channel::Pana).then(|| pana::Message::parse(octets));
            header
                .map(|message| message.expect("sound").header)
                .map(|header| (*up, header.kind, header.flags))
        };
        self.log[from..].iter().filter_map(pana).collect()
    }

    /// Why keys ended at the meter and at the head-end.
    fn ended(&self) -> (Vec<EndReason>, Vec<EndReason>) {
        let at_meter = self.meter_events.iter().filter_map(|event| match event {
            MeterEvent::KeyEnded(key) => key.reason,
            _ => None,
        });
        let at_headend = self.headend_events.iter().filter_map(|event| match event {
            HeadendEvent::KeyEnded(key) => key.reason,
            _ => None,
        });
        (at_meter.collect(), at_headend.collect())
    }
}

#[test]
fn the_head_end_reauthenticates_with_a_request_of_its_own() {
    let mut pair = Pair::joined(SwitchPolicy::default());
    pair.now = Instant::from_secs(100);
    let before = pair.log.len();
    pair.headend(|headend, env| headend.reauthenticate(0, env));
    pair.exchange();
    assert_eq!(pair.authentications(), [1, 2]);
    let (up, kind, flags) = pair.pana_since(before)[0];
    assert!(!up && kind == MessageType::Auth && !flags.contains(Flags::START));
    let asked = |&(_, kind, _): &_| kind == MessageType::Notification;
    assert!(
        !pair.pana_since(before).iter().any(asked),
        "nobody asked for it"
    );
}

#[test]
fn the_meter_reauthenticates_by_asking() {
    let mut pair = Pair::joined(SwitchPolicy::default());
    pair.now = Instant::from_secs(100);
    let before = pair.log.len();
    pair.meter(|meter, _, env| meter.reauthenticate(env));
    pair.exchange();
    assert_eq!(pair.authentications(), [1, 2]);
    let (up, kind, flags) = pair.pana_since(before)[0];
    assert!(up && kind == MessageType::Notification);
    assert!(flags.contains(Flags::REAUTHENTICATION));
}

#[test]
fn either_end_terminates_and_the_meter_returns_after_its_pause() {
    for by_meter in [true, false] {
        let mut pair = Pair::joined(SwitchPolicy::default());
        pair.now = Instant::from_secs(100);
        let before = pair.log.len();
        if by_meter {
            pair.meter(|meter, _, env| meter.terminate(env));
        } else {
            pair.headend(|headend, env| headend.terminate(0, env));
        }
        pair.exchange();
        // One PTR and its PTA, nothing else.
        let said = pair.pana_since(before);
        let [
            (first_up, MessageType::Termination, request),
            (second_up, MessageType::Termination, answer),
        ] = said[..]
        else {
            panic!("{said:?}");
        };
        assert_eq!((first_up, second_up), (by_meter, !by_meter));
        assert!(request.contains(Flags::REQUEST) && !answer.contains(Flags::REQUEST));
        let terminated = Vec::from([EndReason::Terminated]);
        assert_eq!(pair.ended(), (terminated.clone(), terminated));
        assert!(!pair.meter.is_open() && pair.meter.is_terminated());
        assert_eq!(pair.headend.place(0), None);

        pair.advance(Instant::from_secs(189));
        assert_eq!(pair.authentications(), [1], "the pause is 90 s");
        pair.advance(Instant::from_secs(190));
        assert_eq!(
            pair.authentications(),
            [1, 2],
            "a new session with a key of its own"
        );
        assert!(!pair.meter.is_terminated());
    }
}

#[test]
fn without_a_session_there_is_nothing_to_end_or_to_prolong() {
    let mut pair = Pair::new([7; 16]);
    pair.headend(|headend, env| {
        headend.terminate(0, env);
        headend.reauthenticate(0, env);
    });
    pair.meter(|meter, _, env| {
        meter.terminate(env);
        meter.reauthenticate(env);
    });
    pair.exchange();
    assert!(pair.log.is_empty());
    // A meter that is joining goes on.
    pair.meter(|meter, utc, env| {
        meter.power_on(utc, env);
        meter.terminate(env);
    });
    pair.exchange();
    assert_eq!(pair.authentications(), [1]);
}

#[test]
fn an_end_that_does_not_answer_is_no_termination() {
    let mut pair = Pair::joined(SwitchPolicy::default());
    pair.now = Instant::from_secs(100);
    pair.headend(|headend, env| headend.reauthenticate(0, env));
    let mut buffer = [0; 2_048];
    // Everything that the head-end sends is lost, until it gives up.
    while let Some(next) = pair.headend.deadline(Alarm::Session(0)) {
        while pair.headend.poll_transmit(&mut buffer).is_some() {}
        pair.now = next;
        pair.headend(|headend, env| headend.handle_timeout(Alarm::Session(0), env));
        if pair.headend.place(0).is_none() {
            break;
        }
    }
    let events = core::iter::from_fn(|| pair.headend.poll_event());
    let ended = events.filter_map(|(_, event)| match event {
        HeadendEvent::KeyEnded(key) => key.reason,
        _ => None,
    });
    let reasons: Vec<EndReason> = ended.collect();
    let given_up = [
        EndReason::PeerUnreachable,
        EndReason::ReauthenticationFailed,
    ];
    assert!(
        reasons.len() == 1 && given_up.contains(&reasons[0]),
        "{reasons:?}"
    );
}
