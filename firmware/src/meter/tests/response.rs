//! Demand response: scheduled, begun, ended, released, refused by the household.

use super::orders::order;
use super::*;
use crate::c1219::procedure::ResultCode;
use crate::c1219::switch::{Limit, SwitchAction, SwitchCommand, SwitchTable};
use crate::c1219::types::DateTime;
use crate::headend::{CommandOutcome, SwitchOrder};
use crate::meter::switch::{Source, Switch};

const EVENT: Limit = Limit {
    event_id: 7,
    level_percent: 50,
    duration_min: 30,
    start: None,
};

fn limit(limit: Limit, window_s: u16) -> SwitchOrder {
    SwitchOrder {
        limit,
        window_s,
        ..order(SwitchAction::Limit)
    }
}

fn release(window_s: u16) -> SwitchOrder {
    SwitchOrder {
        action: SwitchAction::Release,
        ..limit(EVENT, window_s)
    }
}

impl Pair {
    fn respond(&mut self, order: SwitchOrder) {
        // The rate of the head-end allows the next one.
        self.after(Duration::from_secs(1));
        self.headend.order(order, self.now);
        self.command();
    }
}

fn in_ten_minutes() -> Limit {
    Limit {
        start: DateTime::from_utc(UTC + 600),
        ..EVENT
    }
}

#[test]
fn an_event_is_accepted_begins_is_confirmed_and_ends() {
    let mut pair = Pair::joined(SwitchPolicy::default());
    pair.respond(limit(in_ten_minutes(), 0));
    let [SwitchStep::Scheduled(start, terms)] = pair.steps()[..] else {
        panic!("{:?}", pair.steps())
    };
    assert_eq!(start, Instant::from_secs(600));
    assert_eq!(terms, in_ten_minutes());
    pair.after(Duration::from_secs(598));
    assert_eq!(pair.steps().len(), 1, "announced, not begun");
    assert!(pair.outcomes().is_empty());
    pair.after(Duration::from_secs(10));
    assert_eq!(pair.steps()[1], SwitchStep::Limited(in_ten_minutes()));
    assert_eq!(pair.outcomes(), [CommandOutcome::Confirmed]);
    pair.after(Duration::from_secs(1_800));
    assert_eq!(pair.steps()[2], SwitchStep::Lifted(Lift::Elapsed));
    assert_eq!(pair.steps().len(), 3);
}

#[test]
fn beginnings_and_ends_spread_over_the_window() {
    let mut starts = Vec::new();
    for seed in 0..200 {
        let mut switch = Switch::new(seed);
        let (now, utc) = (Instant::ZERO, UTC);
        let policy = SwitchPolicy::default();
        let command = limit(EVENT, 300);
        let command = SwitchCommand {
            action: command.action,
            window_s: command.window_s,
            limit: command.limit,
        };
        switch.order(&policy, command, 1, utc, now, Source::Network);
        let start = switch.poll_timeout().unwrap();
        let begun = switch.handle_timeout(&policy, utc, start).unwrap();
        assert!(matches!(begun.steps[0], Some((1, SwitchStep::Limited(_)))));
        let end = switch.poll_timeout().unwrap();
        let length = end.saturating_since(start);
        let least = Duration::from_secs(1_800).saturating_sub(Duration::from_millis(50));
        assert!((least..=Duration::from_secs(1_800)).contains(&length));
        starts.push(start);
    }
    starts.sort_unstable();
    assert!(starts[0] < Instant::from_secs(15));
    let middle = starts[100].as_secs();
    assert!((120..180).contains(&middle), "{middle} s");
    assert!(starts[199] > Instant::from_secs(285) && starts[199] < Instant::from_secs(300));
}

#[test]
fn whoever_opts_out_is_left_alone_and_the_head_end_learns_of_it() {
    let mut pair = Pair::joined(SwitchPolicy::default());
    pair.respond(limit(in_ten_minutes(), 0));
    assert!(!pair.meter.opt_out(8, UTC), "another event");
    assert!(pair.meter.opt_out(7, UTC));
    assert!(!pair.meter.opt_out(7, UTC), "once is enough");
    pair.after(Duration::from_secs(700));
    assert_eq!(
        pair.steps().last(),
        Some(&SwitchStep::Lifted(Lift::OptedOut))
    );
    assert_eq!(
        pair.outcomes(),
        [CommandOutcome::Failed(ResultCode::Conflict)]
    );
    pair.respond(limit(in_ten_minutes(), 60));
    assert_eq!(
        pair.steps().last(),
        Some(&SwitchStep::Refused(Refusal::OptedOut)),
        "the same event does not ask twice"
    );
}

#[test]
fn a_release_ends_what_has_begun_and_what_has_not() {
    let mut pair = Pair::joined(SwitchPolicy::default());
    pair.respond(limit(in_ten_minutes(), 0));
    pair.respond(release(0));
    assert_eq!(
        pair.steps()[1..],
        [SwitchStep::Lifted(Lift::Released), SwitchStep::Released]
    );
    pair.after(Duration::from_secs(700));
    assert_eq!(pair.steps().len(), 3, "it never begins");
    assert_eq!(
        pair.outcomes(),
        [CommandOutcome::Superseded, CommandOutcome::Confirmed]
    );

    pair.respond(limit(EVENT, 0));
    pair.after(Duration::from_secs(60));
    pair.respond(release(120));
    let steps = pair.steps();
    let Some(&SwitchStep::Scheduled(end, _)) = steps.last() else {
        panic!("{steps:?}")
    };
    assert!(end <= pair.now + Duration::from_secs(120));
    pair.after(Duration::from_secs(130));
    let steps = pair.steps();
    assert_eq!(
        steps[steps.len() - 2..],
        [SwitchStep::Lifted(Lift::Released), SwitchStep::Released]
    );
    assert_eq!(pair.outcomes()[2..], [CommandOutcome::Confirmed; 2]);
}

#[test]
fn an_event_outlives_a_loss_of_power_but_does_not_begin_after_its_end() {
    for (dark, last) in [
        (900, SwitchStep::Limited(in_ten_minutes())),
        (3_000, SwitchStep::Refused(Refusal::Late)),
    ] {
        let mut pair = Pair::joined(SwitchPolicy::default());
        pair.respond(limit(in_ten_minutes(), 0));
        pair.meter(|meter, utc, env| meter.power_off(utc, env));
        pair.now = Instant::from_secs(dark);
        pair.meter(|meter, utc, env| meter.handle_timeout(utc, env));
        let events = core::iter::from_fn(|| pair.meter.poll_event());
        pair.meter_events.extend(events);
        assert_eq!(pair.steps().last(), Some(&last));
    }
}

#[test]
fn what_is_no_limit_is_refused_and_another_event_supersedes() {
    let mut pair = Pair::joined(SwitchPolicy::default());
    for level_percent in [100, 255] {
        let none = Limit {
            level_percent,
            ..EVENT
        };
        pair.respond(limit(none, 0));
        assert_eq!(
            pair.steps().last(),
            Some(&SwitchStep::Refused(Refusal::Terms))
        );
    }
    let gone = Limit {
        start: DateTime::from_utc(UTC - 3_600),
        ..EVENT
    };
    pair.respond(limit(gone, 0));
    assert_eq!(
        pair.steps().last(),
        Some(&SwitchStep::Refused(Refusal::Late))
    );
    pair.respond(limit(EVENT, 0));
    pair.after(Duration::from_secs(5));
    let other = Limit {
        event_id: 9,
        ..EVENT
    };
    pair.respond(limit(other, 0));
    pair.after(Duration::from_secs(5));
    let steps = pair.steps();
    assert!(matches!(
        steps[steps.len() - 3..],
        [
            SwitchStep::Lifted(Lift::Superseded),
            SwitchStep::Scheduled(..),
            SwitchStep::Limited(Limit { event_id: 9, .. })
        ]
    ));
}

#[test]
fn mt0_tells_the_event_at_hand() {
    let mut switch = Switch::new(1);
    let policy = SwitchPolicy::default();
    let command = SwitchCommand {
        action: SwitchAction::Limit,
        window_s: 0,
        limit: in_ten_minutes(),
    };
    switch.order(&policy, command, 1, UTC, Instant::ZERO, Source::Network);
    let scheduled = SwitchTable {
        last_source: 1,
        last_sequence: 1,
        event_id: 7,
        start: DateTime::from_utc(UTC + 600),
        duration_min: 30,
        ..SwitchTable::default()
    };
    assert_eq!(switch.table(), scheduled, "no limit before it begins");
    switch.handle_timeout(&policy, UTC + 600, Instant::from_secs(600));
    let limited = SwitchTable {
        level_percent: 50,
        ..scheduled
    };
    assert_eq!(switch.table(), limited);
    switch.opt_out(7);
    let opted_out = SwitchTable {
        opted_out: 1,
        ..scheduled
    };
    assert_eq!(switch.table(), opted_out);
}
