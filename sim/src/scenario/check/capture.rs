//! Rules about packet captures.

use firmware::Duration;

use super::super::schema::Scenario;
use super::super::units::Ratio;
use super::Judge;

pub(super) fn check(scenario: &Scenario, judge: &mut Judge<'_>) {
    let Some(capture) = &scenario.capture else {
        return;
    };
    let count = |cohort: &super::super::schema::Cohort| u64::from(cohort.count);
    let meters: u64 = scenario.cohorts.iter().map(count).sum();
    for (index, &meter) in capture.meters.iter().enumerate() {
        judge.range(
            u64::from(meter) >= meters && judge.sound(&["cohorts"]),
            &format!("capture.meters[{index}]"),
            &format!("meters have the numbers from 0 to {}", meters.max(1) - 1),
        );
    }
    for (index, cohort) in capture.cohorts.iter().enumerate() {
        judge.cohort(scenario, &format!("capture.cohorts[{index}]"), cohort);
    }
    for (index, medium) in capture.media.iter().enumerate() {
        judge.medium(scenario, &format!("capture.media[{index}]"), medium);
    }
    judge.range(
        capture.sample == Ratio::ZERO,
        "capture.sample",
        "a sample of nothing captures nothing; leave `capture` out",
    );
    if let Some(until) = capture.until {
        judge.contradiction(
            until <= capture.from,
            ["capture.until", "capture.from"],
            "the capture ends before it starts",
            "let it end later or start earlier",
        );
    }
    judge.contradiction(
        capture.from >= scenario.duration && scenario.duration != Duration::ZERO,
        ["capture.from", "duration"],
        "the run ends before the capture starts",
        "start the capture earlier or run longer",
    );
}
