//! Orders to the service switch: obeyed, refused, replayed, delayed.

use super::*;
use crate::c1219::procedure::ResultCode;
use crate::c1219::switch::{Limit, SwitchAction};
use crate::headend::{CommandOutcome, CommandPolicy, CommandReport, SwitchOrder};

pub(super) fn order(action: SwitchAction) -> SwitchOrder {
    SwitchOrder {
        rank: 0,
        action,
        window_s: 0,
        limit: Limit::default(),
        gap: Duration::ZERO,
        origin: 1,
    }
}

fn delayed() -> SwitchPolicy {
    SwitchPolicy {
        delay: Some(GeometricDelay {
            period: Duration::from_secs(60),
            probability_ppb: 50_000_000,
        }),
        ..SwitchPolicy::default()
    }
}

impl Pair {
    /// A meter with power and a session.
    pub(super) fn joined(switch: SwitchPolicy) -> Self {
        let mut pair = Self::with_switch([7; 16], switch);
        pair.meter(|meter, utc, env| meter.power_on(utc, env));
        pair.exchange();
        pair
    }

    pub(super) fn order(&mut self, action: SwitchAction) {
        self.headend.order(order(action), self.now);
        self.command();
    }

    pub(super) fn steps(&self) -> Vec<SwitchStep> {
        let step = |event: &MeterEvent| match event {
            MeterEvent::Switch(event) => Some(event.step),
            _ => None,
        };
        self.meter_events.iter().filter_map(step).collect()
    }

    fn reports(&self) -> Vec<CommandReport> {
        let report = |event: &HeadendEvent| match event {
            HeadendEvent::Command(report) => Some(*report),
            _ => None,
        };
        self.headend_events.iter().filter_map(report).collect()
    }

    pub(super) fn outcomes(&self) -> Vec<CommandOutcome> {
        self.reports().iter().map(|report| report.outcome).collect()
    }

    pub(super) fn after(&mut self, duration: Duration) {
        self.advance(self.now + duration);
    }

    /// The first request of the log that goes down on C12.22.
    fn captured(&self) -> Vec<u8> {
        let command = |(up, channel, octets): &(bool, Channel, Vec<u8>)| {
            (!up && *channel == Channel::C1222 && octets.len() > 80).then(|| octets.clone())
        };
        self.log
            .iter()
            .find_map(command)
            .expect("an order was sent")
    }
}

const MOVED_OPEN: SwitchStep = SwitchStep::Done {
    closed: false,
    moved: true,
};
const MOVED_CLOSED: SwitchStep = SwitchStep::Done {
    closed: true,
    moved: true,
};

#[test]
fn a_disconnect_is_accepted_carried_out_and_confirmed() {
    let mut pair = Pair::joined(SwitchPolicy::default());
    pair.order(SwitchAction::Open);
    assert!(matches!(pair.steps()[..], [SwitchStep::Accepted(at)] if at.as_nanos() == 50_000_000));
    assert!(pair.reports().is_empty(), "the contacts have not moved yet");
    pair.after(Duration::from_secs(5));
    assert_eq!(pair.steps().last(), Some(&MOVED_OPEN));
    let [report] = pair.reports()[..] else {
        panic!("one order has ended")
    };
    assert_eq!(report.outcome, CommandOutcome::Confirmed);
    assert_eq!((report.sequence, report.transmissions), (1, 2));
    assert_eq!(report.issued, Some(Instant::ZERO));
    // Once open it stays open, whatever is ordered twice.
    pair.order(SwitchAction::Open);
    assert_eq!(
        pair.steps().last(),
        Some(&SwitchStep::Done {
            closed: false,
            moved: false
        })
    );
    pair.order(SwitchAction::Close);
    pair.after(Duration::from_secs(5));
    assert_eq!(pair.steps().last(), Some(&MOVED_CLOSED));
    assert_eq!(pair.outcomes(), [CommandOutcome::Confirmed; 3]);
}

#[test]
fn a_delayed_order_is_taken_back_by_its_contrary() {
    let mut pair = Pair::joined(delayed());
    pair.order(SwitchAction::Open);
    let [SwitchStep::Accepted(due)] = pair.steps()[..] else {
        panic!("accepted")
    };
    assert!(due >= Instant::from_secs(60), "not before the first minute");
    pair.after(Duration::from_secs(30));
    pair.order(SwitchAction::Close);
    let steps = pair.steps();
    assert_eq!(steps[1], SwitchStep::TakenBack);
    assert!(matches!(
        steps[2],
        SwitchStep::Done {
            closed: true,
            moved: false
        }
    ));
    pair.after(Duration::from_secs(4 * 3_600));
    assert!(!pair.steps().contains(&MOVED_OPEN), "it never opened");
    assert_eq!(
        pair.outcomes(),
        [CommandOutcome::Superseded, CommandOutcome::Confirmed]
    );
}

#[test]
fn the_switch_and_a_waiting_order_survive_a_loss_of_power() {
    let mut pair = Pair::joined(delayed());
    pair.order(SwitchAction::Open);
    let [SwitchStep::Accepted(due)] = pair.steps()[..] else {
        panic!("accepted")
    };
    pair.meter(|meter, utc, env| meter.power_off(utc, env));
    pair.now = due + Duration::from_secs(60);
    pair.meter(|meter, utc, env| {
        meter.power_on(utc, env);
        assert!(meter.poll_timeout().is_some_and(|at| at <= env.now));
        meter.handle_timeout(utc, env);
        assert_eq!(
            core::iter::from_fn(|| meter.poll_event()).find_map(|event| match event {
                MeterEvent::Switch(event) => Some(event.step),
                _ => None,
            }),
            Some(MOVED_OPEN)
        );
    });
}

#[test]
fn voltage_behind_the_switch_keeps_it_open() {
    let mut pair = Pair::joined(SwitchPolicy::default());
    pair.order(SwitchAction::Open);
    pair.after(Duration::from_secs(5));
    pair.meter(|meter, _, _| meter.sense_load_side(true));
    pair.order(SwitchAction::Close);
    assert_eq!(
        pair.outcomes()[1],
        CommandOutcome::Failed(ResultCode::Conflict)
    );
    assert_eq!(
        pair.steps().last(),
        Some(&SwitchStep::Refused(Refusal::BackFeed))
    );
    pair.meter(|meter, _, _| meter.sense_load_side(false));
    pair.order(SwitchAction::Close);
    pair.after(Duration::from_secs(5));
    assert_eq!(pair.steps().last(), Some(&MOVED_CLOSED));
}

#[test]
fn only_the_customer_closes_an_armed_switch() {
    let policy = SwitchPolicy {
        remote_close: false,
        ..SwitchPolicy::default()
    };
    let mut pair = Pair::joined(policy);
    pair.order(SwitchAction::Open);
    pair.after(Duration::from_secs(5));
    pair.order(SwitchAction::Close);
    assert_eq!(
        pair.outcomes()[1],
        CommandOutcome::Failed(ResultCode::Conflict)
    );
    pair.order(SwitchAction::Arm);
    pair.after(Duration::from_secs(600));
    assert!(!pair.steps().contains(&MOVED_CLOSED));
    pair.meter(|meter, utc, env| assert!(meter.press_button(utc, env)));
    pair.after(Duration::from_secs(1));
    assert_eq!(pair.steps().last(), Some(&MOVED_CLOSED));
    pair.meter(|meter, utc, env| assert!(!meter.press_button(utc, env), "it is closed"));
}

#[test]
fn a_worn_out_relay_does_not_move() {
    let policy = SwitchPolicy {
        operations_max: 1,
        ..SwitchPolicy::default()
    };
    let mut pair = Pair::joined(policy);
    pair.order(SwitchAction::Open);
    pair.after(Duration::from_secs(5));
    pair.order(SwitchAction::Close);
    assert_eq!(
        pair.steps().last(),
        Some(&SwitchStep::Refused(Refusal::WornOut))
    );
}

#[test]
fn a_replayed_disconnect_is_rejected_within_the_epoch_and_after_rotation() {
    let mut pair = Pair::joined(SwitchPolicy::default());
    pair.order(SwitchAction::Open);
    pair.after(Duration::from_secs(5));
    pair.order(SwitchAction::Close);
    pair.after(Duration::from_secs(5));
    let captured = pair.captured();
    let replay = |pair: &mut Pair| {
        let mut octets = captured.clone();
        let mut result = Ok(());
        pair.meter(|meter, utc, env| {
            result = meter.handle_datagram(Channel::C1222, &mut octets, utc, env);
        });
        result.unwrap_err().name()
    };
    let before = pair.steps().len();
    assert_eq!(replay(&mut pair), "replay");
    // The hourly re-authentication has brought a new key, and the overlap is over.
    pair.advance(Instant::from_secs(2 * 3_600));
    assert!(pair.authentications().len() >= 2);
    let cause = replay(&mut pair);
    assert!(
        matches!(cause, "key_erased" | "key_expired" | "key_unknown"),
        "{cause}"
    );
    assert_eq!(pair.steps().len(), before, "the switch has not moved");
}

/// What the meter makes of a recorded order to open after power has failed for ten seconds.
fn replay_after_power_cycle(adapt: impl FnOnce(&mut Config)) -> (Result<(), Reject>, Pair) {
    let mut pair = Pair::with_config([7; 16], SwitchPolicy::default(), adapt);
    pair.meter(|meter, utc, env| meter.power_on(utc, env));
    pair.exchange();
    for action in [SwitchAction::Open, SwitchAction::Close] {
        pair.order(action);
        pair.after(Duration::from_secs(5));
    }
    let mut captured = pair.captured();
    pair.meter(|meter, utc, env| meter.power_off(utc, env));
    pair.now += Duration::from_secs(10);
    let mut result = Ok(());
    pair.meter(|meter, utc, env| {
        meter.power_on(utc, env);
        result = meter.handle_datagram(Channel::C1222, &mut captured, utc, env);
    });
    // The switch moves whether or not anybody hears the answer.
    pair.now += Duration::from_secs(5);
    pair.meter(|meter, utc, env| meter.handle_timeout(utc, env));
    pair.meter_events
        .extend(core::iter::from_fn(|| pair.meter.poll_event()));
    (result, pair)
}

#[test]
fn a_power_cycle_makes_room_for_a_replay_only_if_keys_outlive_the_memory_of_messages() {
    let (result, pair) = replay_after_power_cycle(|_| {});
    assert_eq!(result, Err(Reject::AccessClosed), "the keys are gone");
    assert_eq!(pair.steps().last(), Some(&MOVED_CLOSED));

    let (result, pair) = replay_after_power_cycle(|config| config.nonvolatile_session = true);
    assert_eq!(result.unwrap_err().name(), "replay");
    assert_eq!(pair.steps().last(), Some(&MOVED_CLOSED));

    let (result, pair) = replay_after_power_cycle(|config| {
        config.nonvolatile_session = true;
        config.nonvolatile_playback = false;
    });
    assert_eq!(result, Ok(()), "the key is alive and has seen nothing");
    assert_eq!(pair.steps().last(), Some(&MOVED_OPEN));
}

#[test]
fn an_order_under_another_key_or_in_clear_is_rejected() {
    // The order of another head-end, whose meter has another pre-shared key, hence other keys.
    let mut other = Pair::joined(SwitchPolicy::default());
    let mut pair = Pair::joined(SwitchPolicy::default());
    other.rng = ChaCha8Rng::seed_from_u64(99);
    other.meter(|meter, _, env| meter.reauthenticate(env));
    other.exchange();
    other.order(SwitchAction::Open);
    let mut forged = other.captured();
    pair.meter(|meter, utc, env| {
        let result = meter.handle_datagram(Channel::C1222, &mut forged, utc, env);
        let cause = result.unwrap_err().name();
        assert!(matches!(cause, "bad_mac" | "key_unknown"), "{cause}");
    });
    // The same services without any protection.
    let mut clear = [0; 128];
    let len = clear_order(&mut clear);
    pair.meter(|meter, utc, env| {
        let result = meter.handle_datagram(Channel::C1222, &mut clear[..len], utc, env);
        assert_eq!(result.unwrap_err().name(), "security_mode");
    });
    assert!(pair.steps().is_empty());
}

/// A disconnection in mode 0 from the title of the head-end.
fn clear_order(out: &mut [u8]) -> usize {
    use crate::c1222::acse::Header;
    use crate::c1222::apdu;
    use crate::c1222::epsem::{Control, ResponseControl, put_service};
    use crate::c1222::service::{Request, Selector, TableId, Write};

    let (called, calling) = (
        Title::relative(&[1, 1]).unwrap(),
        Title::relative(&[2, 1]).unwrap(),
    );
    let header = Header {
        called: Some(called.get()),
        calling: Some(calling.get()),
        invocation: 77,
        ..Header::default()
    };
    let control = Control::new(Mode::Clear, ResponseControl::Always);
    let write = Request::Write(Write {
        table: TableId::standard(7),
        selector: Selector::Full,
        data: b"\x00\x08\x01\x00\x01\x00\x00\x00\x00\x00\x00",
    });
    let put =
        |writer: &mut crate::wire::Writer<'_>| put_service(writer, |writer| write.emit(writer));
    apdu::build(&header, control, None, None, out, put, &mut Work::default()).unwrap()
}

#[test]
fn a_lost_response_does_not_open_a_switch_twice() {
    let mut pair = Pair::joined(SwitchPolicy::default());
    pair.headend.order(order(SwitchAction::Open), pair.now);
    let mut buffer = [0; 2_048];
    let utc = UTC;
    let (rank, _) = pair.headend.next_command(pair.now).unwrap();
    let mut work = Work::default();
    let mut env = Env::new(pair.now, &mut pair.rng, &mut work);
    pair.headend.proceed_command(rank, utc, &mut env);
    let sent = pair.headend.poll_transmit(&mut buffer).unwrap();
    pair.meter(|meter, utc, env| {
        let octets = &mut buffer[..sent.len];
        meter
            .handle_datagram(Channel::C1222, octets, utc, env)
            .unwrap();
    });
    let mut lost = [0; 2_048];
    while pair.meter.poll_transmit(&mut lost).is_some() {}
    pair.after(Duration::from_secs(60));
    let moves = pair
        .steps()
        .iter()
        .filter(|step| **step == MOVED_OPEN)
        .count();
    assert_eq!(moves, 1);
    assert_eq!(pair.outcomes(), [CommandOutcome::Confirmed]);
    let transmissions = pair.reports()[0].transmissions;
    assert_eq!(transmissions, 2, "the repetition finds it done");
}

#[test]
fn an_order_to_a_moving_switch_is_given_again() {
    let mut pair = Pair::joined(SwitchPolicy::default());
    pair.order(SwitchAction::Open);
    // The contacts need 50 ms: they cannot be stopped any more.
    pair.order(SwitchAction::Close);
    pair.after(CommandPolicy::default().gap);
    assert_eq!(
        pair.steps().last(),
        Some(&SwitchStep::Refused(Refusal::Moving))
    );
    pair.after(Duration::from_secs(10));
    assert!(pair.steps().contains(&MOVED_OPEN));
    assert_eq!(pair.steps().last(), Some(&MOVED_CLOSED));
    assert_eq!(
        pair.outcomes(),
        [CommandOutcome::Superseded, CommandOutcome::Confirmed]
    );
}

#[test]
fn without_a_session_an_order_is_given_up() {
    let mut pair = Pair::new([7; 16]);
    pair.order(SwitchAction::Open);
    pair.after(Duration::from_secs(120));
    assert_eq!(pair.outcomes(), [CommandOutcome::Unreachable]);
    assert_eq!(pair.reports()[0].issued, None);
}

/// V29: of the switches that act with probability p in each minute, 1 - (1 - p)^n have acted
/// after n minutes (Temple, Chen, Tippenhauer 2013; domain figures for 5, 15 and 60 minutes).
#[test]
fn v29_geometric_delay_has_the_published_shares() {
    use rand_chacha::rand_core::Rng;

    const DRAWS: u32 = 200_000;
    for (probability_ppb, shares) in [
        (20_000_000, [(5, 9.6), (15, 26.1), (60, 70.2)]),
        (50_000_000, [(5, 22.6), (15, 53.7), (60, 95.4)]),
        (100_000_000, [(5, 41.0), (15, 79.4), (60, 99.8)]),
    ] {
        let delay = GeometricDelay {
            period: Duration::from_secs(60),
            probability_ppb,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(29);
        let delays: Vec<u64> = (0..DRAWS)
            .map(|_| delay.delay(rng.next_u64()).as_secs())
            .collect();
        assert!(delays.iter().all(|delay| *delay >= 60));
        for (minutes, percent) in shares {
            let acted = delays
                .iter()
                .filter(|delay| **delay <= 60 * minutes)
                .count();
            let share = 100.0 * acted as f64 / f64::from(DRAWS);
            assert!(
                (share - percent).abs() < 1.0,
                "p {probability_ppb} after {minutes} min: {share} %, published {percent} %"
            );
        }
    }
    let certain = GeometricDelay {
        period: Duration::from_secs(60),
        probability_ppb: 1_000_000_000,
    };
    assert_eq!(certain.delay(0), Duration::from_secs(60));
}
