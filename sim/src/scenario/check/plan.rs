//! Rules about the run as a whole: timeline, taps, recording, limits and expectations.

use firmware::Duration;

use super::super::diagnostic::{Diagnostic, Fault};
use super::super::expect::known_metrics;
use super::super::schema::{Action, Expectation, Scenario, Step};
use super::super::suggest::closest;
use super::super::units::{Quantity, Ratio};
use super::Judge;

/// Longest run; virtual time itself ends after 584 years.
const DURATION_MAX: Duration = Duration::from_secs(36_525 * 86_400);

pub(super) fn check(scenario: &Scenario, judge: &mut Judge<'_>) {
    judge.range(
        scenario.version != 1,
        "version",
        "this program reads version 1 of the scenario language",
    );
    judge.range(!is_file_name(&scenario.name), "name", NAME_RULE);
    judge.range(
        scenario.duration.is_zero(),
        "duration",
        "a run of no duration shows nothing",
    );
    judge.range(
        scenario.duration > DURATION_MAX,
        "duration",
        "a run lasts at most 36525d",
    );
    judge.contradiction(
        scenario.start.0 + scenario.duration.as_secs() > u64::from(u32::MAX),
        ["start", "duration"],
        "C12.22 counts seconds in 32 bits, so a run must end before 2106-02-07T06:28:15Z",
        "start earlier or run shorter",
    );
    for (index, step) in scenario.timeline.iter().enumerate() {
        check_step(scenario, step, &format!("timeline[{index}]"), judge);
    }
    check_taps(scenario, judge);
    check_record(scenario, judge);
    for (index, expectation) in scenario.expect.iter().enumerate() {
        check_expectation(expectation, &format!("expect[{index}]"), judge);
    }
}

/// What [`is_file_name`] demands.
pub(super) const NAME_RULE: &str = "a name consists of up to 100 letters, digits, `-`, `_` and `.` \
                                    and starts with a letter or digit";

pub(super) fn is_file_name(name: &str) -> bool {
    let permitted = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.len() <= 100
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(permitted)
}

fn check_step(scenario: &Scenario, step: &Step, path: &str, judge: &mut Judge<'_>) {
    let at = format!("{path}.at");
    judge.contradiction(
        step.at >= scenario.duration && !scenario.duration.is_zero(),
        [&at, "duration"],
        &format!(
            "the run ends after {}, before this happens",
            scenario.duration.to_text()
        ),
        "let it happen earlier or run longer",
    );
    let path = format!("{path}.action");
    let (mut whose, mut window, mut share) = (None, None, None);
    match &step.action {
        Action::PowerOff {
            cohort,
            fraction,
            over,
        } => (whose, window, share) = (Some(cohort), Some(*over), Some(*fraction)),
        Action::PowerOn { cohort, within } => {
            (whose, window) = (Some(cohort), Some(*within));
        }
        Action::Reauthenticate {
            cohort,
            fraction,
            within,
            ..
        }
        | Action::Terminate {
            cohort,
            fraction,
            within,
            ..
        } => (whose, window, share) = (Some(cohort), Some(*within), Some(*fraction)),
        Action::Disconnect {
            cohort,
            fraction,
            window: delay,
            ..
        }
        | Action::Connect {
            cohort,
            fraction,
            window: delay,
            ..
        }
        | Action::DemandResponse {
            cohort,
            fraction,
            window: delay,
            ..
        }
        | Action::CancelResponse {
            cohort,
            fraction,
            window: delay,
            ..
        } => (whose, window, share) = (Some(cohort), Some(*delay), Some(*fraction)),
        Action::LeaveGroup { cohort, fraction } => {
            (whose, share) = (Some(cohort), Some(*fraction));
        }
        Action::OnDemandRead {
            cohort,
            fraction,
            window: delay,
            ..
        }
        | Action::SetTime {
            cohort,
            fraction,
            window: delay,
        }
        | Action::Download {
            cohort,
            fraction,
            window: delay,
            ..
        }
        | Action::ServiceTest {
            cohort,
            fraction,
            window: delay,
            ..
        }
        | Action::FirmwareUpdate {
            cohort,
            fraction,
            window: delay,
            ..
        } => (whose, window, share) = (Some(cohort), Some(*delay), Some(*fraction)),
        Action::FieldService { .. } => {}
        Action::Outage { .. } | Action::ConcentratorDown { .. } => {
            super::distribution::check_step(scenario, step, &path, judge);
        }
        Action::HeadendDown {
            instance, duration, ..
        } => {
            check_outage(*duration, &path, judge);
            judge.reject(
                *instance >= scenario.headend.instances && judge.sound(&["headend.instances"]),
                Fault::UnknownReference,
                &format!("{path}.instance"),
                &format!(
                    "there is no instance {instance}; they are numbered from 0 to {}",
                    scenario.headend.instances.saturating_sub(1)
                ),
            );
        }
        Action::LinkLoss {
            medium, duration, ..
        } => {
            check_outage(*duration, &path, judge);
            judge.medium(scenario, &format!("{path}.medium"), medium);
        }
    }
    if let Some(cohort) = whose {
        judge.cohort(scenario, &format!("{path}.cohort"), cohort);
    }
    judge.range(
        share == Some(Ratio::ZERO),
        &format!("{path}.fraction"),
        "a share of 0% means nobody",
    );
    let ends = window.map_or(step.at, |window| step.at + window);
    if judge.sound(&["duration", &at]) {
        judge.warn(
            step.at < scenario.duration && ends > scenario.duration,
            &path,
            "the run ends before this is over",
            "shorten its window or run longer",
        );
    }
}

pub(super) fn check_outage(duration: Duration, path: &str, judge: &mut Judge<'_>) {
    let message = "the duration must be above zero";
    judge.range(duration.is_zero(), &format!("{path}.duration"), message);
}

fn check_taps(scenario: &Scenario, judge: &mut Judge<'_>) {
    judge.names(
        "tap",
        scenario.taps.iter().map(|tap| tap.name.as_str()),
        |index| format!("taps[{index}].name"),
    );
    for (index, tap) in scenario.taps.iter().enumerate() {
        if let Some(medium) = &tap.medium {
            judge.medium(scenario, &format!("taps[{index}].medium"), medium);
        }
        if let Some(cohort) = &tap.cohort {
            judge.cohort(scenario, &format!("taps[{index}].cohort"), cohort);
        }
    }
}

fn check_record(scenario: &Scenario, judge: &mut Judge<'_>) {
    let record = &scenario.record;
    judge.range(
        record.bins < Duration::from_secs(1),
        "record.bins",
        "a time bin is at least 1s wide",
    );
    let repeated = record
        .tables
        .iter()
        .enumerate()
        .any(|(index, table)| record.tables[..index].contains(table));
    judge.reject(
        repeated,
        Fault::Duplicate,
        "record.tables",
        "a table is listed twice",
    );
    let limits = &scenario.limits;
    for (value, name) in [
        (limits.events_per_instant, "events_per_instant"),
        (limits.events, "events"),
    ] {
        let path = format!("limits.{name}");
        judge.range(value == 0, &path, "a budget of nothing ends every run");
    }
    judge.range(
        limits.wall_time.is_some_and(Duration::is_zero),
        "limits.wall_time",
        "a budget of nothing ends every run",
    );
}

pub(super) fn check_expectation(expectation: &Expectation, path: &str, judge: &mut Judge<'_>) {
    let metric = expectation.metric();
    let metric_path = format!("{path}.metric");
    let known = known_metrics();
    if !known.contains(&metric) && judge.sound(&[&metric_path]) {
        let message = format!("there is no metric {metric:?}");
        let hint = match closest(metric, known.iter().copied()) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => "`meterstorm explain metrics` lists them".to_owned(),
        };
        let diagnostic = Diagnostic::error(Fault::UnknownMetric, judge.at(&metric_path), message);
        judge.report.push(diagnostic.with_hint(hint));
    }
    let (low, high) = match expectation {
        Expectation::AtLeast { value, .. }
        | Expectation::AtMost { value, .. }
        | Expectation::Equals { value, .. } => (*value, *value),
        Expectation::Between { low, high, .. } => (*low, *high),
    };
    judge.range(low > high, path, "the lower bound exceeds the upper");
    judge.range(
        metric.ends_with("_ratio") && !(low >= 0.0 && high <= 1.0),
        path,
        "a ratio lies between 0 and 1; percentages are written as in \"99.9%\"",
    );
}
