//! Whole runs in which meters say that power is gone and that it has returned.

mod common;
#[path = "common/independence.rs"]
mod independence;
#[path = "common/text.rs"]
mod text;

use common::metric;
use independence::assert_independent;
use reports::read::numbers;
use reports::schema::tables::OutageRow;
use reports::{Results, Row};
use sim::run::Report;
use text::run_text;

/// Homes on accesses of their own that lose nothing and live as long as the meters.
const HOMES: &str = r#"Scenario(
    name: "homes",
    seed: 1,
    duration: "2h",
    cohorts: [(name: "homes", count: 60, medium: "wan")],
    media: {"wan": Wan(latency: Fixed("50ms"))},
    headend: (instances: 3),
    outage_reports: (
        hold_up: Fixed("20s"), debounce: "3s", last_gasps: 2, spread: "8s",
        restoration_after: "30s", restoration_spread: "60s",
    ),
    timeline: [
        (at: "30min", action: PowerOff(cohort: "homes", over: "1min")),
        (at: "45min", action: PowerOn(cohort: "homes", within: "1min")),
    ],
)"#;

fn column(report: &Report, name: &str) -> Vec<f64> {
    let frame = Results::open(&report.folder)
        .table(OutageRow::TABLE)
        .expect("a table");
    numbers(&frame, name).expect("a column of numbers")
}

#[test]
fn every_outage_is_heard_in_time_where_the_access_lives_on() {
    let report = run_text("heard", HOMES, &[]);
    assert_eq!(metric(&report, "outages.count"), 60.0);
    assert_eq!(metric(&report, "outages.dark"), 60.0);
    assert_eq!(metric(&report, "outages.last_gasps"), 120.0);
    assert_eq!(metric(&report, "outages.last_gasp_ratio"), 1.0);
    assert_eq!(metric(&report, "outages.restoration_ratio"), 1.0);
    // The first of two uniform moments in 8 s, after 3 s and the latency: 5.67 s on average.
    let latency = column(&report, "last_gasp_latency_ns");
    assert!(latency.iter().all(|ns| (3.04e9..=11.1e9).contains(ns)));
    let mean = latency.iter().sum::<f64>() / 60.0;
    assert!((4.9e9..6.5e9).contains(&mean), "{mean}");
    // Boot and join, which take less than the pause, then 30 to 90 s.
    let restored = column(&report, "restoration_latency_ns");
    assert!(restored.iter().all(|ns| (30.0e9..=125.0e9).contains(ns)));
    let dark = column(&report, "dark_ns");
    let lost = column(&report, "lost_ns");
    assert!(
        dark.iter()
            .zip(&lost)
            .all(|(dark, lost)| dark - lost == 20e9)
    );
}

#[test]
fn a_short_outage_is_ridden_through_and_not_reported() {
    let sets = [
        "timeline[0].action.over=0s",
        "timeline[1].at=30min2s",
        "timeline[1].action.within=0s",
    ];
    let report = run_text("short", HOMES, &sets);
    assert_eq!(metric(&report, "outages.momentary"), 60.0);
    assert_eq!(metric(&report, "outages.dark"), 0.0);
    assert_eq!(metric(&report, "outages.last_gasps"), 0.0, "debounced");
    assert_eq!(metric(&report, "outages.restorations"), 0.0);
    assert_eq!(metric(&report, "auth.initial"), 60.0, "sessions went on");
    assert_eq!(metric(&report, "reads.completeness_ratio"), 1.0);
    // Without a capacitor the same two seconds cost every session.
    let bare = run_text(
        "bare",
        HOMES,
        &[&sets[..], &["outage_reports=None"]].concat(),
    );
    assert_eq!(metric(&bare, "auth.initial"), 120.0);
}

#[test]
fn nobody_hears_of_an_access_that_dies_with_the_mains() {
    let report = run_text("severed", HOMES, &[r#"outage_reports.access="0%""#]);
    assert_eq!(metric(&report, "outages.heard"), 0.0);
    assert_eq!(metric(&report, "outages.restoration_ratio"), 1.0);
    let causes = report.summary.breakdown("rejects.causes");
    assert_eq!(causes.get("access_unpowered"), Some(&120), "{causes:?}");
    let half = run_text("half", HOMES, &[r#"outage_reports.access="50%""#]);
    let heard = metric(&half, "outages.heard");
    assert!((18.0..=42.0).contains(&heard), "{heard} of 60");
}

#[test]
fn reports_of_outages_depend_neither_on_threads_nor_on_domains() {
    assert_independent(HOMES, &[], 4);
}
