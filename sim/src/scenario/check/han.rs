//! Rules about home area networks.

use firmware::Duration;
use firmware::han::{CHANNELS, DEVICES_MAX};

use super::super::han::Han;
use super::super::schema::Scenario;
use super::super::units::Ratio;
use super::Judge;

/// Shortest time between two updates: sixteen devices need a share of the channel each.
const UPDATE_MIN: Duration = Duration::from_millis(500);
/// Longest burst of interference: longer ones are outages.
const BURST_MAX: Duration = Duration::from_millis(100);
/// Demand events of a scenario at most.
const EVENTS_MAX: usize = 1_000;

pub(super) fn check(scenario: &Scenario, judge: &mut Judge<'_>) {
    for (index, cohort) in scenario.cohorts.iter().enumerate() {
        if let Some(han) = &cohort.han {
            check_han(scenario, han, &format!("cohorts[{index}].han"), judge);
        }
    }
}

fn check_han(scenario: &Scenario, han: &Han, path: &str, judge: &mut Judge<'_>) {
    let at = |name: &str| format!("{path}.{name}");
    let devices = u64::from(han.displays) + u64::from(han.hems);
    judge.range(
        devices > DEVICES_MAX as u64,
        &at(if han.hems > han.displays {
            "hems"
        } else {
            "displays"
        }),
        &format!("a home has at most {DEVICES_MAX} devices"),
    );
    judge.warn(
        devices == 0,
        path,
        "a home area network without devices carries nothing",
        "give it displays or hems, or leave it out",
    );
    judge.range(
        !CHANNELS.contains(&han.channel),
        &at("channel"),
        "the 2.4 GHz band has channels 11 to 26",
    );
    judge.range(
        han.update < UPDATE_MIN || han.update > Duration::from_secs(3_600),
        &at("update"),
        "updates follow each other in 500 ms to 1 h",
    );
    judge.contradiction(
        han.silence < han.update.scaled(2, 1),
        [&at("silence"), &at("update")],
        "a device would ask for a key after one lost update",
        "let it wait for several updates",
    );
    judge.dist(&han.device_boot, &at("device_boot"));
    judge.range(
        han.loss == Ratio::ONE,
        &at("loss"),
        "an air that loses everything connects nobody",
    );
    judge.range(
        han.interference.ppb() >= Ratio::percent(95).ppb(),
        &at("interference"),
        "interference uses less than 95 % of the time; a channel that is never free is jammed",
    );
    judge.range(
        han.burst.is_zero() || han.burst > BURST_MAX,
        &at("burst"),
        "a burst lasts above 0 and at most 100 ms",
    );
    judge.range(
        han.intruder.is_some_and(|every| every < UPDATE_MIN),
        &at("intruder"),
        "an intruder moves every 500 ms at most",
    );
    check_events(scenario, han, path, judge);
    for (index, jam) in han.jamming.iter().enumerate() {
        judge.warn(
            jam.at >= scenario.duration && judge.sound(&["duration"]),
            &format!("{path}.jamming[{index}].at"),
            "the run ends before anything is jammed",
            "jam earlier or run longer",
        );
    }
}

fn check_events(scenario: &Scenario, han: &Han, path: &str, judge: &mut Judge<'_>) {
    judge.range(
        han.events.len() > EVENTS_MAX,
        &format!("{path}.events"),
        &format!("at most {EVENTS_MAX} events"),
    );
    judge.warn(
        han.hems == 0 && !han.events.is_empty(),
        &format!("{path}.events"),
        "displays show demand events but shed nothing",
        "give the homes hems",
    );
    for (index, event) in han.events.iter().enumerate() {
        let at = |name: &str| format!("{path}.events[{index}].{name}");
        judge.range(
            event.duration < Duration::from_secs(60)
                || event.duration.as_secs() / 60 > u64::from(u16::MAX),
            &at("duration"),
            "an event lasts 1 min to 65535 min",
        );
        judge.contradiction(
            event.at > event.start,
            [&at("at"), &at("start")],
            "devices would be told of the event after its beginning",
            "announce it earlier",
        );
        let earlier = index.checked_sub(1).map(|before| &han.events[before]);
        judge.range(
            earlier.is_some_and(|earlier| earlier.at > event.at),
            &at("at"),
            "events stand in order of their announcement",
        );
        judge.warn(
            event.at >= scenario.duration && judge.sound(&["duration"]),
            &at("at"),
            "the run ends before devices are told",
            "announce it earlier or run longer",
        );
    }
}
