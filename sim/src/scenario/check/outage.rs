//! Rules about reports of outages.

use firmware::Duration;
use firmware::meter::GASPS_MAX;

use super::super::schema::Scenario;
use super::Judge;

/// Longest debounce and pauses: what takes longer than an hour is no report of an outage.
const PAUSE_MAX: Duration = Duration::from_secs(3_600);

pub(super) fn check(scenario: &Scenario, judge: &mut Judge<'_>) {
    let Some(reports) = &scenario.outage_reports else {
        return;
    };
    judge.range(
        usize::from(reports.last_gasps) > GASPS_MAX,
        "outage_reports.last_gasps",
        &format!("a meter sends at most {GASPS_MAX} last gasps"),
    );
    for (name, pause) in [
        ("debounce", reports.debounce),
        ("spread", reports.spread),
        ("momentary", reports.momentary),
        ("restoration_after", reports.restoration_after),
        ("restoration_spread", reports.restoration_spread),
    ] {
        judge.range(
            pause > PAUSE_MAX,
            &format!("outage_reports.{name}"),
            "it is at most 1h",
        );
    }
}
