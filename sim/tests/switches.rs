//! Service switches end to end: orders travel, loads stop, delays help, seeds repeat.

mod common;

use std::path::Path;

use common::{metric, overrides, run_fresh};
use models::fleet::Partition;
use sim::run::{Options, Report};
use sim::scenario::load;

fn shipped(test: &str, name: &str, sets: &[&str], options: Options) -> Report {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../scenarios")
        .join(format!("{name}.ron"));
    let loaded = load(&path, &overrides(sets)).unwrap_or_else(|report| panic!("{report}"));
    run_fresh(test, &loaded, options).expect("the run ends in order")
}

fn ordinary(test: &str, sets: &[&str]) -> Report {
    let mut all = vec!["cohorts.homes.count=200", "sweep=Sweep()"];
    all.extend(sets);
    shipped(test, "mass_disconnect", &all, Options::default())
}

#[test]
fn five_thousand_switches_open_within_ten_seconds_and_close_again() {
    let report = shipped("as_told", "mass_disconnect", &[], Options::default());
    assert!(report.meets_expectations(), "{report}");
}

#[test]
fn an_open_switch_stops_the_consumption() {
    let until_order = ordinary("until_order", &["duration=1h", "timeline=[]"]);
    let one_more = ordinary("one_more", &["duration=76min", "timeline=[]"]);
    let open = r#"timeline=[(at: "1h", action: Disconnect("homes"))]"#;
    let cut_off = ordinary("cut_off", &[open]);
    let energy = |report| metric(report, "reads.energy_wh");
    // Reports of the last interval before the end of a run may still be missing.
    assert!(energy(&cut_off) >= energy(&until_order));
    assert!(energy(&cut_off) < energy(&one_more));
    assert_eq!(metric(&cut_off, "reads.completeness_ratio"), 1.0);
    assert_eq!(metric(&cut_off, "load.open_switches.end"), 200.0);
    // Everything that is not consumption went on as before.
    let whole = ordinary("whole", &["timeline=[]"]);
    assert_eq!(
        metric(&whole, "reads.delivered"),
        metric(&cut_off, "reads.delivered")
    );
    // The messages of orders draw latencies of the links, so a rotation may slip past the end.
    let keys = metric(&whole, "keys.derived") - metric(&cut_off, "keys.derived");
    assert!(keys.abs() <= 4.0, "{keys}");
}

#[test]
fn orders_do_not_depend_on_threads_or_on_the_division_into_domains() {
    let sets = [
        "cohorts.homes.count=150",
        "headend.instances=3",
        "switch.delay=Geometric(probability: \"20%\")",
    ];
    let run = |test, threads, partition| {
        let options = Options {
            threads,
            partition,
            ..Options::default()
        };
        shipped(test, "mass_disconnect", &sets, options)
    };
    let one = run("one", 1, Partition::ByInstance);
    for (test, threads, partition) in [
        ("two", 2, Partition::ByInstance),
        ("split", 2, Partition::Split(4)),
    ] {
        let other = run(test, threads, partition);
        assert_eq!(one.digest, other.digest, "{test}");
        for table in ["commands", "grid"] {
            let octets = |report: &Report| {
                std::fs::read(report.folder.join(format!("{table}.parquet"))).expect("a table")
            };
            assert!(octets(&one) == octets(&other), "{table} of {test}");
        }
    }
}

#[test]
fn the_same_meters_are_chosen_by_the_same_share() {
    let timeline = r#"timeline=[
        (at: "1h", action: Disconnect(cohort: "homes", fraction: "40%")),
        (at: "2h", action: Connect(cohort: "homes", fraction: "40%")),
    ]"#;
    let report = ordinary("share", &[timeline]);
    let most = metric(&report, "load.open_switches.max");
    assert!((50.0..110.0).contains(&most), "40 % of 200: {most}");
    assert_eq!(metric(&report, "load.open_switches.end"), 0.0);
    assert_eq!(metric(&report, "commands.count"), 2.0 * most);
}

#[test]
fn back_feed_and_dead_meters_are_counted_reasons() {
    let report = ordinary("back_feed", &["cohorts.homes.back_feed=30%"]);
    let causes = report.summary.breakdown("commands.causes");
    let refused = causes["conflict"] as f64;
    assert!((30.0..90.0).contains(&refused), "{causes:?}");
    assert_eq!(metric(&report, "load.open_switches.end"), refused);
    let dark = r#"timeline=[
        (at: "50min", action: PowerOff("homes")),
        (at: "1h", action: Disconnect("homes")),
    ]"#;
    let report = ordinary("dark", &[dark]);
    assert_eq!(metric(&report, "commands.applied"), 0.0);
    assert_eq!(metric(&report, "commands.timed_out"), 200.0);
}

#[test]
fn a_delay_at_the_meters_saves_the_share_that_theory_says() {
    let attack = |test, sets: &[&str]| {
        let name = "attacks/mass_disconnect";
        shipped(test, name, sets, Options::default())
    };
    let bare = attack("bare", &[]);
    assert_eq!(metric(&bare, "commands.saved"), 0.0);
    let delayed = attack("delayed", &[r#"switch.delay=Geometric(probability: "5%")"#]);
    let saved = metric(&delayed, "commands.saved_ratio");
    // 0.95^15, five sigma of 2,000 meters.
    assert!((saved - 0.4633).abs() < 0.056, "{saved}");
    for path in [
        "load.frequency_hz.max",
        "load.ramp_mw_per_s.max",
        "load.lost_mw.max",
    ] {
        assert!(metric(&delayed, path) < metric(&bare, path), "{path}");
    }
}
