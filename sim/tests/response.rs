//! Demand response end to end: orders travel, homes hold back, load returns, seeds repeat.

mod common;

use std::path::Path;

use common::{metric, overrides, run_fresh};
use models::fleet::Partition;
use sim::run::{Options, Report};
use sim::scenario::load;

fn shipped(test: &str, sets: &[&str], options: Options) -> Report {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/demand_response.ron");
    let loaded = load(&path, &overrides(sets)).unwrap_or_else(|report| panic!("{report}"));
    run_fresh(test, &loaded, options).expect("the run ends in order")
}

fn small(test: &str, sets: &[&str]) -> Report {
    let mut all = vec![
        "cohorts.homes.count=300",
        "grid.premises_per_meter=1.0",
        "sweep=Sweep()",
    ];
    all.extend(sets);
    shipped(test, &all, Options::default())
}

#[test]
fn the_event_does_what_the_scenario_expects() {
    let report = shipped("as_told", &[], Options::default());
    assert!(report.meets_expectations(), "{report}");
}

#[test]
fn what_the_grid_sees_is_what_the_meters_measure() {
    let event = small("event", &[]);
    let without = small("without", &["timeline=[]"]);
    let energy = |report| metric(report, "reads.energy_wh") / 1e6;
    let missing_mwh = energy(&without) - energy(&event);
    let held_mwh = metric(&event, "load.held_mwh");
    let rebound_mwh = metric(&event, "load.rebound_mwh");
    assert!((rebound_mwh / held_mwh - 0.6).abs() < 1e-3);
    let homes_mwh = metric(&event, "demand_response.held_kwh") / 1e3;
    assert!((homes_mwh / held_mwh - 1.0).abs() < 1e-3, "{homes_mwh} MWh");
    // Meters measure energy that varies about its mean; they share all other luck.
    let expected = held_mwh - rebound_mwh;
    assert!(
        (missing_mwh / expected - 1.0).abs() < 0.1,
        "{missing_mwh} of {expected} MWh"
    );
}

#[test]
fn no_order_that_does_not_act_goes_without_a_reason() {
    let report = small(
        "reasons",
        &[
            "cohorts.homes.response.opt_out=\"30%\"",
            "media.wan.loss=\"10%\"",
        ],
    );
    let orders = metric(&report, "demand_response.orders");
    let confirmed = metric(&report, "demand_response.confirmed");
    let causes = report.summary.breakdown("demand_response.causes");
    let counted: u64 = causes.values().sum();
    assert_eq!(orders, confirmed + counted as f64, "{causes:?}");
    assert!(causes["conflict"] > 0, "who opts out in time refuses");
    assert!(metric(&report, "demand_response.opted_out") > 20.0);
}

#[test]
fn a_released_event_is_over_for_all() {
    let report = small(
        "released",
        &[r#"timeline=[
            (at: "1h", action: DemandResponse(id: 1, cohort: "homes", duration: "2h", level: "0%")),
            (at: "90min", action: CancelResponse(id: 1, cohort: "homes")),
        ]"#],
    );
    assert_eq!(metric(&report, "demand_response.lifted"), 300.0);
    let effects = report.summary.breakdown("demand_response.effects");
    assert!(!effects.contains_key("elapsed"), "{effects:?}");
    assert!(effects["released"] > 280, "{effects:?}");
}

#[test]
fn events_do_not_depend_on_threads_or_on_the_division_into_domains() {
    let sets = [
        "cohorts.homes.count=150",
        "headend.instances=3",
        "cohorts.homes.response.opt_out=\"30%\"",
        "sweep=Sweep()",
        "expect=[]",
    ];
    let run = |test, threads, partition| {
        let options = Options {
            threads,
            partition,
            ..Options::default()
        };
        shipped(test, &sets, options)
    };
    let one = run("one", 1, Partition::ByInstance);
    let other = run("two", 2, Partition::Split(4));
    assert_eq!(one.digest, other.digest);
    for table in ["demand_response", "grid", "reads"] {
        let octets = |report: &Report| {
            std::fs::read(report.folder.join(format!("{table}.parquet")))
                .expect("the table is there")
        };
        assert!(octets(&one) == octets(&other), "{table}");
    }
}
