//! Rules about groups of meters and orders to them.

use firmware::Duration;

use super::super::groups::{self, Delivery, GROUPS_MAX};
use super::super::schema::{Action, Scenario};
use super::super::units::Ratio;
use super::Judge;

/// Longest lifetime of a key.
const LIFETIME_MAX: Duration = Duration::from_secs(365 * 86_400);
/// Longest interval of a Trickle timer.
const INTERVAL_MAX: Duration = Duration::from_secs(3_600);
/// Longest wait for a confirmation.
const FALLBACK_MAX: Duration = Duration::from_secs(86_400);

pub(super) fn check(scenario: &Scenario, judge: &mut Judge<'_>) {
    let groups = &scenario.headend.groups;
    judge.range(
        groups.lifetime < Duration::from_secs(60) || groups.lifetime > LIFETIME_MAX,
        "headend.groups.lifetime",
        "a group key lives 1min to 365d",
    );
    judge.range(
        groups.renew.is_zero() || groups.renew > groups.lifetime,
        "headend.groups.renew",
        "a group key is renewed within its lifetime",
    );
    let second = Duration::from_secs(1);
    judge.range(
        groups.freshness < second || groups.freshness > Duration::from_secs(u16::MAX.into()),
        "headend.groups.freshness",
        "an order is fresh for 1s to 65535s",
    );
    judge.range(
        groups.confirm_spacing > second,
        "headend.groups.confirm_spacing",
        "confirmations spread over at most 1s for each member",
    );
    judge.range(
        groups.interval_min < Duration::from_millis(10) || groups.interval_min > INTERVAL_MAX,
        "headend.groups.interval_min",
        "an interval lasts 10ms to 1h",
    );
    judge.range(
        groups.interval_max < groups.interval_min || groups.interval_max > INTERVAL_MAX,
        "headend.groups.interval_max",
        "the longest interval is no shorter than the first, and lasts at most 1h",
    );
    judge.range(
        groups.redundancy == 0,
        "headend.groups.redundancy",
        "with a redundancy of 0 no station ever forwards anything",
    );
    judge.range(
        !(1..=100).contains(&groups.expirations),
        "headend.groups.expirations",
        "a station is silent after 1 to 100 intervals",
    );
    judge.range(
        groups::cohorts(scenario).len() > GROUPS_MAX,
        "timeline",
        "there are at most 16 groups: key ids F0 to FF",
    );
    for (index, step) in scenario.timeline.iter().enumerate() {
        check_order(&step.action, &format!("timeline[{index}].action"), judge);
    }
}

fn check_order(action: &Action, path: &str, judge: &mut Judge<'_>) {
    let (Action::DemandResponse {
        fraction,
        rate_per_s,
        delivery: Delivery::Group { fallback_after },
        ..
    }
    | Action::CancelResponse {
        fraction,
        rate_per_s,
        delivery: Delivery::Group { fallback_after },
        ..
    }) = action
    else {
        return;
    };
    judge.range(
        *fraction != Ratio::ONE,
        &format!("{path}.fraction"),
        "a group is told as a whole: whoever has its key obeys",
    );
    judge.range(
        rate_per_s.is_some(),
        &format!("{path}.rate_per_s"),
        "one message to all has no rate; `headend.commands` has that of the fallback",
    );
    judge.range(
        *fallback_after > FALLBACK_MAX,
        &format!("{path}.delivery.fallback_after"),
        "the head-end waits at most 1d for confirmations",
    );
}
