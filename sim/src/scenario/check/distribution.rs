//! Rules about the distribution network and its outages.

use firmware::Duration;
use models::distribution::Sites;
use models::link::contention::Table;

use super::super::diagnostic::Fault;
use super::super::dist::Dist;
use super::super::schema::{Action, Area, Scenario, Step};
use super::super::units::{Quantity, Ratio};
use super::Judge;
use super::plan::check_outage;

/// Feeders of a substation.
const FEEDERS_MAX: u32 = 1_000;
/// Failures of a feeder in a run, on average, beyond which nobody lives there.
const FAILURES_MAX: u64 = 10_000;

pub(super) fn check(scenario: &Scenario, judge: &mut Judge<'_>) {
    let plan = &scenario.distribution;
    judge.range(
        !(1..=FEEDERS_MAX).contains(&plan.feeders),
        "distribution.feeders",
        &format!("a town has 1 to {FEEDERS_MAX} feeders"),
    );
    judge.range(
        plan.meters_per_transformer == 0,
        "distribution.meters_per_transformer",
        "a transformer supplies at least one meter",
    );
    judge.dist(
        &plan.concentrator_battery,
        "distribution.concentrator_battery",
    );
    judge.dist(&plan.concentrator_boot, "distribution.concentrator_boot");
    if let Some(failures) = &plan.failures {
        for (dist, name) in [
            (&failures.every, "every"),
            (&failures.lasting, "lasting"),
            (&failures.restoration, "restoration"),
        ] {
            judge.dist(dist, &format!("distribution.failures.{name}"));
        }
        let often = mean(&failures.every).as_nanos().max(1);
        judge.range(
            scenario.duration.as_nanos() / often > FAILURES_MAX,
            "distribution.failures.every",
            &format!("each feeder would fail more than {FAILURES_MAX} times"),
        );
    }
}

/// About the mean of a distribution: what a rule of thumb needs.
fn mean(dist: &Dist<Duration>) -> Duration {
    match *dist {
        Dist::Fixed { value } => value,
        Dist::Uniform { min, max } => Duration::from_nanos(min.as_nanos().midpoint(max.as_nanos())),
        Dist::Exponential { min, mean } => min + mean,
        Dist::LogNormal { median, .. } => median,
        Dist::Normal { mean, .. } => mean,
    }
}

/// Rules about a step of the timeline that takes power; `path` is that of its action.
pub(super) fn check_step(scenario: &Scenario, step: &Step, path: &str, judge: &mut Judge<'_>) {
    match &step.action {
        Action::Outage {
            area,
            duration,
            restoration,
            stagger,
        } => {
            check_outage(*duration, path, judge);
            let feeders = u64::from(scenario.distribution.feeders);
            let last = stagger.scaled(feeders.saturating_sub(1), 1);
            check_end(scenario, step, *duration + last, path, judge);
            judge.dist(restoration, &format!("{path}.restoration"));
            check_area(scenario, *area, path, judge);
            judge.contradiction(
                !stagger.is_zero() && *area != Area::City,
                [&format!("{path}.stagger"), &format!("{path}.area")],
                "only the feeders of a whole city return one after the other",
                "leave stagger out or let the whole city fail",
            );
        }
        Action::ConcentratorDown {
            medium,
            fraction,
            over,
            duration,
        } => {
            check_outage(*duration, path, judge);
            check_end(scenario, step, *over + *duration, path, judge);
            let name = format!("{path}.medium");
            judge.medium(scenario, &name, medium);
            let known = scenario.media.get(medium);
            judge.reject(
                known.is_some_and(|medium| medium.backhaul().is_none()),
                Fault::Contradiction,
                &name,
                "this medium has no concentrators: every meter has a link of its own",
            );
            judge.range(
                *fraction == Ratio::ZERO,
                &format!("{path}.fraction"),
                "a share of 0% means nobody",
            );
        }
        _ => {}
    }
}

/// Warns of an outage of which nobody sees the end.
fn check_end(
    scenario: &Scenario,
    step: &Step,
    lasting: Duration,
    path: &str,
    judge: &mut Judge<'_>,
) {
    if judge.sound(&["duration"]) && step.at < scenario.duration {
        judge.warn(
            step.at + lasting >= scenario.duration,
            &format!("{path}.duration"),
            &format!(
                "the run ends after {}, before all have their power again",
                scenario.duration.to_text()
            ),
            "shorten the outage or run longer",
        );
    }
}

fn check_area(scenario: &Scenario, area: Area, path: &str, judge: &mut Judge<'_>) {
    let number_path = format!("{path}.area.number");
    match area {
        Area::City => {}
        Area::Feeder { number } => {
            let feeders = scenario.distribution.feeders;
            judge.reject(
                number >= feeders && judge.sound(&["distribution.feeders"]),
                Fault::UnknownReference,
                &number_path,
                &format!(
                    "there is no feeder {number}; they are numbered from 0 to {}",
                    feeders.saturating_sub(1)
                ),
            );
        }
        Area::Transformer { number } => {
            let paths = ["media", "cohorts", "headend.instances", "distribution"];
            // A transformer has at least one consumer, so a small number needs no map.
            if !judge.sound(&paths) || number == 0 {
                return;
            }
            let meshes = scenario.meshes(|_| Table::none());
            let meters = scenario.cohorts.iter().map(|cohort| cohort.count).sum();
            let sites = Sites::new(meters, &meshes, scenario.seed);
            let transformers = scenario.network(&sites, &meshes).transformers();
            judge.reject(
                number >= transformers,
                Fault::UnknownReference,
                &number_path,
                &format!(
                    "there is no transformer {number}; they are numbered from 0 to {}",
                    transformers.saturating_sub(1)
                ),
            );
        }
    }
}
