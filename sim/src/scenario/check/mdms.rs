//! Rules about the meter data management system.

use firmware::Duration;

use super::super::mdms::Mdms;
use super::super::schema::Scenario;
use super::super::units::{Quantity, zone_seconds};
use super::Judge;

const DAY: Duration = Duration::from_secs(86_400);
/// A loader that needs more than this for a row is none.
const RATE_MIN: f64 = 0.01;
const RATE_MAX: f64 = 1e9;

pub(super) fn check(scenario: &Scenario, judge: &mut Judge<'_>) {
    let Some(mdms) = &scenario.mdms else {
        return;
    };
    check_loader(mdms, judge);
    for (field, value) in [
        ("deadline", mdms.deadline),
        ("estimate_after", mdms.estimate_after),
    ] {
        judge.range(
            value.is_zero() || value > DAY.scaled(366, 1),
            &format!("mdms.{field}"),
            "it lies above zero and is at most 366d",
        );
    }
    judge.contradiction(
        mdms.estimate_after < mdms.deadline,
        ["mdms.estimate_after", "mdms.deadline"],
        "intervals would be estimated that may still come in time",
        "estimate no sooner than the deadline",
    );
    judge.range(
        mdms.interpolate > DAY,
        "mdms.interpolate",
        "no straight line is longer than 1d",
    );
    judge.range(
        zone_seconds(&mdms.zone).is_none(),
        "mdms.zone",
        "an offset from UTC is written as \"-07:00\"",
    );
    let interval = scenario.traffic.interval;
    judge.range(
        interval.as_nanos() > 0 && !DAY.as_nanos().is_multiple_of(interval.as_nanos()),
        "traffic.interval",
        &format!(
            "a day is no whole number of intervals of {}, as `mdms` wants it",
            interval.to_text()
        ),
    );
    judge.contradiction(
        mdms.settle >= scenario.duration && !scenario.duration.is_zero(),
        ["mdms.settle", "duration"],
        "no interval of the run would be judged",
        "let the run last longer, or settle in less time",
    );
}

fn check_loader(mdms: &Mdms, judge: &mut Judge<'_>) {
    judge.range(
        !(RATE_MIN..=RATE_MAX).contains(&mdms.rows_per_s),
        "mdms.rows_per_s",
        "a rate lies between 0.01 and 1e9 rows per second",
    );
    judge.range(
        mdms.batch == 0,
        "mdms.batch",
        "a batch has one row at least",
    );
    judge.range(
        mdms.batch_wait > DAY,
        "mdms.batch_wait",
        "a batch waits for 1d at most",
    );
    judge.range(
        mdms.commit > DAY,
        "mdms.commit",
        "a batch takes 1d at most besides its rows",
    );
    judge.contradiction(
        mdms.buffer < mdms.batch,
        ["mdms.buffer", "mdms.batch"],
        "no batch would ever be full",
        "let the buffer hold a batch at least",
    );
}
