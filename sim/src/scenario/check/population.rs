//! Rules about cohorts and media.

use firmware::Duration;

use super::super::dist::Dist;
use super::super::identity;
use super::super::mcu::Mcu;
use super::super::schema::{Cohort, Medium, Scenario};
use super::super::units::{Bytes, Rate, Ratio};
use super::Judge;

/// Meters of one cohort.
const COHORT_METERS_MAX: u32 = 10_000_000;

/// Meters of a scenario: what the private IPv4 network 10.0.0.0/8 holds besides the head-end.
const METERS_MAX: u64 = 16_000_000;

/// Octets of an identity in EAP-PSK (RFC 4764 §5: an EAP packet of 1,020 octets at least).
const IDENTITY_BYTES_MAX: usize = 966;

pub(super) fn check(scenario: &Scenario, judge: &mut Judge<'_>) {
    judge.range(
        scenario.cohorts.is_empty(),
        "cohorts",
        "a scenario needs at least one cohort",
    );
    judge.names(
        "cohort",
        scenario.cohorts.iter().map(|cohort| cohort.name.as_str()),
        |index| format!("cohorts[{index}].name"),
    );
    let total: u64 = scenario
        .cohorts
        .iter()
        .map(|cohort| u64::from(cohort.count))
        .sum();
    judge.range(
        total > METERS_MAX,
        "cohorts",
        &format!("{total} meters exceed the address space of {METERS_MAX}"),
    );
    for (index, cohort) in scenario.cohorts.iter().enumerate() {
        check_cohort(scenario, cohort, &format!("cohorts[{index}]"), judge);
    }
    check_identities(scenario, judge);
    for (name, medium) in &scenario.media {
        let path = format!("media.{name}");
        check_medium(medium, &path, judge);
        let carries = |other: &Medium| other.backhaul() == Some(name);
        let used = scenario.cohorts.iter().any(|cohort| cohort.medium == *name)
            || scenario.media.values().any(carries);
        judge.warn(
            !used && judge.sound(&["cohorts"]),
            &path,
            &format!("no cohort uses the medium {name:?}"),
            "remove it or name it in a cohort",
        );
    }
}

fn check_cohort(scenario: &Scenario, cohort: &Cohort, path: &str, judge: &mut Judge<'_>) {
    let count = format!("{path}.count");
    judge.range(cohort.count == 0, &count, "a cohort has at least one meter");
    judge.range(
        cohort.count > COHORT_METERS_MAX,
        &count,
        &format!("a cohort has at most {COHORT_METERS_MAX} meters"),
    );
    judge.medium(scenario, &format!("{path}.medium"), &cohort.medium);
    judge.dist(&cohort.power_on, &format!("{path}.power_on"));
    judge.dist(&cohort.boot, &format!("{path}.boot"));
    judge.dist(&cohort.clock_drift, &format!("{path}.clock_drift"));
    let never = cohort
        .power_on
        .min()
        .is_some_and(|min| min >= scenario.duration && !scenario.duration.is_zero());
    if judge.sound(&["duration"]) {
        judge.warn(
            never,
            &format!("{path}.power_on"),
            "no meter of this cohort gets power before the run ends",
            "power it earlier or run longer",
        );
    }
    judge.range(
        cohort.inbox == 0,
        &format!("{path}.inbox"),
        "a meter must be able to hold at least one datagram",
    );
    if let Mcu::Custom { clock, .. } = &cohort.mcu {
        judge.range(
            clock.0 == 0,
            &format!("{path}.mcu.clock"),
            "a processor needs a clock",
        );
    }
}

fn check_identities(scenario: &Scenario, judge: &mut Judge<'_>) {
    for (index, cohort) in scenario.cohorts.iter().enumerate() {
        let path = format!("cohorts[{index}].identity");
        match identity::check(&cohort.identity) {
            Err(why) => {
                judge.range(true, &path, &why);
            }
            Ok(numbered) => {
                let last = cohort.identity_of(cohort.count.saturating_sub(1));
                judge.range(
                    last.len() > IDENTITY_BYTES_MAX || last.is_empty(),
                    &path,
                    &format!("an identity has 1 to {IDENTITY_BYTES_MAX} octets"),
                );
                judge.contradiction(
                    !numbered && cohort.count > 1,
                    [&path, &format!("cohorts[{index}].count")],
                    "all meters of this cohort would have the same identity",
                    "put {n} or {n:06} where the number of the meter belongs",
                );
            }
        }
        let earlier = scenario.cohorts[..index].iter().position(|other| {
            !other.name.is_empty()
                && other.name != cohort.name
                && other.identity_of(0) == cohort.identity_of(0)
        });
        if let Some(earlier) = earlier {
            judge.contradiction(
                true,
                [&path, &format!("cohorts[{earlier}].identity")],
                "two cohorts would have meters of the same identity",
                "put {cohort} where the name of the cohort belongs",
            );
        }
    }
}

fn check_medium(medium: &Medium, path: &str, judge: &mut Judge<'_>) {
    let (latency, jitter, loss, rates, queue) = match medium {
        Medium::Ethernet {
            latency,
            loss,
            up,
            down,
            queue,
        } => (
            latency,
            None,
            loss,
            [Some(("up", up)), Some(("down", down))],
            queue,
        ),
        Medium::Wan {
            latency,
            jitter,
            loss,
            up,
            down,
            queue,
        } => (
            latency,
            Some(jitter),
            loss,
            [Some(("up", up)), Some(("down", down))],
            queue,
        ),
        Medium::Wifi {
            latency,
            loss,
            rate,
            queue,
            router_boot,
            association,
        } => {
            judge.dist(router_boot, &format!("{path}.router_boot"));
            judge.dist(association, &format!("{path}.association"));
            (latency, None, loss, [Some(("rate", rate)), None], queue)
        }
        // Shared media have rules of their own.
        Medium::Cellular {
            meters_per_cell, ..
        } => {
            judge.range(
                !(1..=100_000).contains(meters_per_cell),
                &format!("{path}.meters_per_cell"),
                "a cell has 1 to 100000 meters",
            );
            return;
        }
        Medium::Mesh { .. } | Medium::G3Plc { .. } => return,
    };
    let latency_path = format!("{path}.latency");
    judge.dist(latency, &latency_path);
    match latency {
        Dist::Normal { .. } => {
            judge.range(
                true,
                &latency_path,
                "a latency needs a smallest value above zero, which a normal distribution lacks",
            );
        }
        dist => {
            judge.range(
                dist.min() == Some(Duration::ZERO),
                &latency_path,
                "the smallest latency must be above zero, or no two nodes could be simulated apart",
            );
        }
    }
    if let Some(jitter) = jitter {
        judge.dist(jitter, &format!("{path}.jitter"));
    }
    judge.range(
        *loss == Ratio::ONE,
        &format!("{path}.loss"),
        "a link that loses everything connects nobody",
    );
    for (name, rate) in rates.into_iter().flatten() {
        judge.range(
            *rate == Rate(0),
            &format!("{path}.{name}"),
            "a link needs a data rate above zero",
        );
    }
    judge.range(
        *queue < Bytes(1_500),
        &format!("{path}.queue"),
        "a queue holds at least one datagram of 1500B",
    );
}
