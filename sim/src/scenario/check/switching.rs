//! Rules about service switches, orders to them, and the power system.

use firmware::Duration;

use super::super::diagnostic::Fault;
use super::super::schema::{Action, Response, Scenario, Step};
use super::super::switching::SwitchDelay;
use super::super::units::Ratio;
use super::Judge;

/// Longest time that a node of the head-end accepts a response (C12.22 node default).
const TIMEOUT_MAX: Duration = Duration::from_secs(30);
/// Most orders per second: beyond it, the time between two of them is no longer exact.
const RATE_MAX: f64 = 1e6;
/// RANDOM_WINDOW has 16 bits.
const WINDOW_MAX: Duration = Duration::from_secs(u16::MAX as u64);

const MINUTE: Duration = Duration::from_secs(60);
/// Longest event, notice and rebound.
const RESPONSE_MAX: Duration = Duration::from_secs(86_400);

pub(super) fn check(scenario: &Scenario, judge: &mut Judge<'_>) {
    check_switch(scenario, judge);
    check_commands(scenario, judge);
    check_grid(scenario, judge);
    for (index, step) in scenario.timeline.iter().enumerate() {
        let (Action::Disconnect {
            rate_per_s, window, ..
        }
        | Action::Connect {
            rate_per_s, window, ..
        }
        | Action::DemandResponse {
            rate_per_s, window, ..
        }
        | Action::CancelResponse {
            rate_per_s, window, ..
        }) = &step.action
        else {
            continue;
        };
        let path = format!("timeline[{index}].action");
        judge.range(
            rate_per_s.is_some_and(|rate| !(rate > 0.0 && rate <= RATE_MAX)),
            &format!("{path}.rate_per_s"),
            "a rate lies above 0 and is at most 1000000 orders per second",
        );
        judge.range(
            *window > WINDOW_MAX || !window.as_nanos().is_multiple_of(1_000_000_000),
            &format!("{path}.window"),
            "a window is a whole number of seconds, at most 65535s",
        );
        check_response(&step.action, &path, judge);
    }
    for (index, cohort) in scenario.cohorts.iter().enumerate() {
        check_home(
            cohort.response.as_ref(),
            &format!("cohorts[{index}]"),
            judge,
        );
    }
    check_cancellations(scenario, judge);
}

/// What the parameters of the procedure can say (MT0 and manufacturer procedure 0).
fn check_response(action: &Action, path: &str, judge: &mut Judge<'_>) {
    let Action::DemandResponse {
        notice,
        duration,
        level,
        ..
    } = action
    else {
        return;
    };
    judge.range(
        duration.is_zero()
            || *duration > RESPONSE_MAX
            || !duration.as_nanos().is_multiple_of(MINUTE.as_nanos()),
        &format!("{path}.duration"),
        "an event lasts a whole number of minutes, 1min to 1d",
    );
    judge.range(
        *notice > RESPONSE_MAX || !notice.as_nanos().is_multiple_of(1_000_000_000),
        &format!("{path}.notice"),
        "a notice is a whole number of seconds, at most 1d",
    );
    judge.range(
        *level >= Ratio::ONE || !level.ppb().is_multiple_of(10_000_000),
        &format!("{path}.level"),
        "a level is a whole number of per cent below 100%, which is no limit",
    );
}

fn check_home(response: Option<&Response>, path: &str, judge: &mut Judge<'_>) {
    let Some(response) = response else {
        return;
    };
    judge.range(
        response.rebound_over.is_zero() || response.rebound_over > RESPONSE_MAX,
        &format!("{path}.response.rebound_over"),
        "a rebound lasts longer than nothing and at most 1d",
    );
}

/// Whoever cancels an event means one that was ordered before.
fn check_cancellations(scenario: &Scenario, judge: &mut Judge<'_>) {
    for (index, step) in scenario.timeline.iter().enumerate() {
        let Action::CancelResponse { id, .. } = step.action else {
            continue;
        };
        let ordered = |other: &Step| match other.action {
            Action::DemandResponse { id: event, .. } => event == id && other.at <= step.at,
            _ => false,
        };
        judge.reject(
            !scenario.timeline.iter().any(ordered),
            Fault::UnknownReference,
            &format!("timeline[{index}].action.id"),
            &format!("no event {id} of demand response is ordered before"),
        );
    }
}

fn check_switch(scenario: &Scenario, judge: &mut Judge<'_>) {
    let switch = &scenario.switch;
    let (least, most) = (Duration::from_millis(20), Duration::from_millis(100));
    judge.range(
        !(least..=most).contains(&switch.operating_time),
        "switch.operating_time",
        "a latching relay of 200 A needs 20ms to 100ms",
    );
    judge.range(
        switch.operations == 0,
        "switch.operations",
        "a switch that is worn out from the start never moves",
    );
    if let SwitchDelay::Geometric {
        probability,
        period,
    } = switch.delay
    {
        judge.range(
            probability == Ratio::ZERO,
            "switch.delay.probability",
            "with a probability of 0% no switch ever moves",
        );
        judge.range(
            period.is_zero() || period > Duration::from_secs(86_400),
            "switch.delay.period",
            "the period lies above zero and is at most 1d",
        );
    }
}

fn check_commands(scenario: &Scenario, judge: &mut Judge<'_>) {
    let commands = &scenario.headend.commands;
    let rate = commands.rate_per_s;
    judge.range(
        !(rate > 0.0 && rate <= RATE_MAX),
        "headend.commands.rate_per_s",
        "a rate lies above 0 and is at most 1000000 orders per second",
    );
    judge.range(
        commands.outstanding == 0,
        "headend.commands.outstanding",
        "without an order under way none is ever carried out",
    );
    judge.range(
        !(1..=100).contains(&commands.attempts),
        "headend.commands.attempts",
        "a request is sent 1 to 100 times",
    );
    judge.range(
        commands.timeout.is_zero() || commands.timeout > TIMEOUT_MAX,
        "headend.commands.timeout",
        "the head-end waits for a response longer than nothing and at most 30s",
    );
    judge.range(
        commands.settle > Duration::from_secs(3_600),
        "headend.commands.settle",
        "results are asked for at most 1h after the effect",
    );
}

fn check_grid(scenario: &Scenario, judge: &mut Judge<'_>) {
    let grid = &scenario.grid;
    for (value, name, least, most) in [
        (grid.system_mw, "system_mw", 0.001, 10_000_000.0),
        (grid.premises_per_meter, "premises_per_meter", 0.001, 1e9),
        (grid.inertia_s, "inertia_s", 0.1, 100.0),
        (grid.damping, "damping", 0.0, 100.0),
        (grid.governor_s, "governor_s", 0.04, 100.0),
        (grid.turbine_s, "turbine_s", 0.04, 100.0),
        (grid.nominal_hz, "nominal_hz", 10.0, 500.0),
    ] {
        judge.range(
            !(least..=most).contains(&value),
            &format!("grid.{name}"),
            &format!("the value must lie between {least} and {most}"),
        );
    }
    judge.range(
        grid.droop == Ratio::ZERO,
        "grid.droop",
        "a droop of 0% is a control loop that never settles",
    );
}
