//! Groups of meters that are told something at once: their keys, and how their messages spread.

use std::sync::Arc;

use firmware::Duration;
use firmware::c1222::service::Password;
use firmware::headend::{Class, GroupPolicy, Persistence, Task};
use firmware::ukmf::group::KEY_ID_FIRST;
use models::group::{GroupPlan, Manner};
use models::link::segment::Trickle;
use models::requests::RequestPlan;
use models::time::Time;
use reports::label;

use super::record::{choice, record, settings};
use super::schema::{Action, Scenario};
use super::switching::{OPERATOR, OPERATOR_ID};

/// Groups at most: key ids F0 to FF.
pub const GROUPS_MAX: usize = 16;

settings! {
    /// Groups of meters, one for each cohort that is ordered something as a group.
    pub struct Groups {
        /// How long a group key is valid.
        lifetime: Duration = Duration::from_secs(86_400),
        /// After which time it is renewed, at most its lifetime.
        renew: Duration = Duration::from_secs(43_200),
        /// Whether it is renewed when a member leaves.
        renew_on_leave: bool = true,
        /// How far the time in an order may be from the clock of a meter, whole seconds.
        freshness: Duration = Duration::from_secs(300),
        /// Members confirm at random within this time for each member of the instance.
        confirm_spacing: Duration = Duration::from_millis(10),
        /// First interval of the Trickle timer by which orders spread on shared media (RFC 7731).
        interval_min: Duration = Duration::from_secs(10),
        /// Longest interval of that timer.
        interval_max: Duration = Duration::from_secs(80),
        /// Copies heard within an interval that make a station silent in it.
        redundancy: u32 = 8,
        /// Intervals after which a station is silent; with 1 it sends an order at most once.
        expirations: u32 = 3,
    }
}

choice! {
    /// How an order of demand response gets to meters.
    #[derive(Copy, Eq)]
    pub enum Delivery {
        /// Each meter is told under its own key.
        Unicast,
        /// All meters of the cohort are told at once under their group key.
        Group {
            /// After which time a meter that has not confirmed is told under its own key.
            fallback_after: Duration = Duration::from_secs(60),
        },
    }
}

/// The cohorts that are groups, in the order of their key ids.
pub fn cohorts(scenario: &Scenario) -> Vec<&str> {
    let mut cohorts: Vec<&str> = Vec::new();
    for step in &scenario.timeline {
        let (Action::DemandResponse {
            cohort,
            delivery: Delivery::Group { .. },
            ..
        }
        | Action::CancelResponse {
            cohort,
            delivery: Delivery::Group { .. },
            ..
        }
        | Action::LeaveGroup { cohort, .. }) = &step.action
        else {
            continue;
        };
        if !cohorts.contains(&cohort.as_str()) {
            cohorts.push(cohort);
        }
    }
    cohorts
}

/// The key id of the group of `cohort`, which is one of [`cohorts`].
fn key_id(scenario: &Scenario, cohort: &str) -> u8 {
    let place = cohorts(scenario).iter().position(|name| *name == cohort);
    KEY_ID_FIRST.saturating_add(place.unwrap_or(0) as u8)
}

/// How an order to `cohort` is given.
pub fn manner(scenario: &Scenario, cohort: &str, delivery: Delivery) -> Manner {
    match delivery {
        Delivery::Unicast => Manner::Alone,
        Delivery::Group { fallback_after } => Manner::Group {
            key_id: key_id(scenario, cohort),
            fallback_after,
        },
    }
}

/// How meters of `cohort` leave their group.
pub fn departure(scenario: &Scenario, cohort: &str) -> Manner {
    Manner::Expel {
        key_id: key_id(scenario, cohort),
    }
}

/// How persistently a member is given the key.
const PERSISTENCE: Persistence = Persistence {
    attempts: 4,
    timeout: Duration::from_secs(30),
    pause: Duration::from_secs(30),
    factor: 2,
    deadline: Duration::from_secs(3_600),
};

/// The groups, and what the requests that hand out their keys are called: these follow `requests`.
pub fn plans(
    scenario: &Scenario,
    requests: &mut Vec<RequestPlan>,
    cohort_index: impl Fn(&str) -> usize,
) -> Vec<GroupPlan> {
    let groups = &scenario.headend.groups;
    let plan = |(index, cohort): (usize, &str)| {
        requests.push(RequestPlan {
            name: format!("{}_{cohort}", label::GROUP_KEY),
            kind: label::GROUP_KEY,
            task: Arc::new(Task {
                class: Class::Configuration,
                messages: Vec::new(),
                profile: None,
                image: None,
                tolerant: false,
                persistence: PERSISTENCE,
            }),
            cohort: Some(cohort_index(cohort)),
            // The head-end makes these requests by itself: no round of them is ever due.
            fraction_ppb: 0,
            except_ppb: 0,
            window: Duration::ZERO,
            first: Time::FAR_FUTURE,
            every: None,
            wave: None,
        });
        GroupPlan {
            cohort: cohort_index(cohort),
            policy: GroupPolicy {
                key_id: KEY_ID_FIRST.saturating_add(index as u8),
                lifetime: groups.lifetime,
                renew: groups.renew,
                renew_on_leave: groups.renew_on_leave,
                freshness_s: u16::try_from(groups.freshness.as_secs()).unwrap_or(u16::MAX),
                confirm_spacing: groups.confirm_spacing,
                password: Password::new(OPERATOR, Some(OPERATOR_ID)),
                persistence: PERSISTENCE,
                plan: requests.len() as u32 - 1,
            },
            trickle: Trickle {
                interval_min: groups.interval_min,
                interval_max: groups.interval_max,
                redundancy: groups.redundancy,
                expirations: groups.expirations,
            },
        }
    };
    cohorts(scenario)
        .into_iter()
        .enumerate()
        .map(plan)
        .collect()
}
