//! Home area networks end to end: joining, updates, rotation, outages, jamming, an intruder.

mod common;
#[path = "common/text.rs"]
mod text;

use common::metric;
use models::fleet::Partition;
use sim::run::Options;
use text::{files, run_text, run_with};

/// Keys rotate every half hour; one of the two cohorts has no home area network.
const STREET: &str = r#"Scenario(
    name: "street",
    seed: 4,
    duration: "3h",
    cohorts: [
        (name: "homes", count: 12, medium: "wan", han: (displays: 1, hems: 1)),
        (name: "others", count: 12, medium: "wan"),
    ],
    media: {"wan": Wan(loss: "1%")},
    keys: (session_lifetime: "1h", reauthenticate: Every("30min"), overlap: "2min"),
    headend: (instances: 2),
)"#;

#[test]
fn devices_join_and_no_rotation_costs_an_update() {
    let report = run_text("rotation", STREET, &[]);
    assert_eq!(metric(&report, "han.devices"), 24.0);
    assert_eq!(metric(&report, "han.keyed_ratio"), 1.0);
    let (sent, received) = ("han.updates_sent", "han.updates_received");
    let expected = 24.0 * (3.0 * 3_600.0 - 60.0) / 5.0;
    assert!(metric(&report, received) > 0.98 * expected);
    // 1 % of the frames are lost, and each is sent four times at most.
    assert!(metric(&report, received) >= metric(&report, sent) - 1.0);
    assert!(metric(&report, "han.retransmissions") > 100.0);
    assert!(metric(&report, "han.stale_ratio") < 0.01);
    // One key for each device and authentication of the twelve.
    let authentications = metric(&report, "auth.succeeded") / 2.0;
    let keys = metric(&report, "han.keys");
    assert!((keys - 2.0 * authentications).abs() < 12.0, "{keys}");
    let causes = report.summary.breakdown("rejects.causes");
    let attacks = [
        "bad_mic",
        "replay",
        "challenge",
        "not_enrolled",
        "unsecured",
    ];
    let harmless = !attacks.iter().any(|cause| causes.contains_key(*cause));
    assert!(harmless && causes["duplicate"] > 100, "{causes:?}");
}

#[test]
fn threads_and_partition_do_not_matter() {
    let set = [
        "cohorts.homes.han.interference=20%",
        "cohorts.homes.han.intruder=1min",
    ];
    let run = |test: &str, threads, partition| {
        let options = Options {
            threads,
            partition,
            ..Options::default()
        };
        run_with(test, STREET, &set, options)
    };
    let one = run("one", 1, Partition::ByInstance);
    let two = run("two", 2, Partition::ByInstance);
    let split = run("split", 2, Partition::Split(3));
    for other in [&two, &split] {
        assert_eq!(one.digest, other.digest);
        let (mut ours, mut theirs) = (files(&one), files(other));
        // It names the domain of each meter.
        let removed = (ours.remove("meters"), theirs.remove("meters"));
        assert!(removed.0.is_some() && removed.1.is_some());
        assert!(ours == theirs, "tables differ");
    }
}

#[test]
fn a_home_draws_nothing_that_others_draw() {
    let without = STREET.replace(", han: (displays: 1, hems: 1)", "");
    let with = run_text("with", STREET, &[]);
    let without = run_text("without", &without, &[]);
    for path in [
        "reads.energy_wh",
        "auth.succeeded",
        "traffic.datagrams",
        "keys.derived",
    ] {
        assert_eq!(metric(&with, path), metric(&without, path), "{path}");
    }
}

#[test]
fn devices_find_their_meter_again_after_an_outage_and_a_jammer() {
    let outage = [r#"timeline=[(at: "1h", action: Outage(duration: "10min"))]"#];
    let report = run_text("outage", STREET, &outage);
    assert_eq!(metric(&report, "han.keyed_ratio"), 1.0);
    assert!(metric(&report, "han.associations") >= 48.0, "twice each");

    let jam = [r#"cohorts.homes.han.jamming=[(at: "1h", duration: "30min")]"#];
    let report = run_text("jam", STREET, &jam);
    assert_eq!(metric(&report, "han.keyed_ratio"), 1.0);
    let stale = metric(&report, "han.stale_ratio");
    assert!(
        (0.16..0.20).contains(&stale),
        "a sixth of the time: {stale}"
    );
}

#[test]
fn an_intruder_achieves_nothing() {
    let quiet = run_text("quiet", STREET, &[]);
    let set = ["cohorts.homes.han.intruder=10s"];
    let report = run_text("intruder", STREET, &set);
    let causes = report.summary.breakdown("rejects.causes");
    assert!(
        causes["bad_mic"] > 1_000 && causes["replay"] > 1,
        "{causes:?}"
    );
    for path in ["han.updates_received", "han.keys", "han.keyed_ratio"] {
        let (left, right) = (metric(&report, path), metric(&quiet, path));
        assert!((left / right - 1.0).abs() < 0.01, "{path}: {left} {right}");
    }
}

#[test]
fn energy_managers_shed_what_they_promise() {
    let event = [
        r#"cohorts.homes.han.events=[(at: "30min", start: "1h", duration: "1h", reduction: "50%")]"#,
        "load.noise_cv=0.1",
    ];
    let report = run_text("event", STREET, &event);
    assert_eq!(metric(&report, "han.events_answered"), 12.0);
    assert_eq!(metric(&report, "han.events_accepted"), 12.0);
    let before = run_text("no_event", STREET, &event[1..]);
    let shed = metric(&before, "reads.energy_wh") - metric(&report, "reads.energy_wh");
    // Half of 30 % in one of three hours in half of the homes: 2.5 % of the energy.
    let share = shed / metric(&before, "reads.energy_wh");
    assert!((0.015..0.035).contains(&share), "{share}");
}

#[test]
fn complete_meters_register_what_energy_managers_leave() {
    let metered = STREET.replace("medium: \"wan\", han", "medium: \"wan\", metering: (), han");
    assert_ne!(metered, STREET);
    let event = r#"cohorts.homes.han.events=[(at: "30min", start: "1h", duration: "1h", reduction: "50%")]"#;
    let report = run_text("metered_event", &metered, &[event]);
    assert_eq!(metric(&report, "han.events_accepted"), 12.0);
    let before = run_text("metered_no_event", &metered, &[]);
    let energy = |report| metric(report, "metering.delivered_kwh");
    // Half of 30 % in one of three hours: 5 % of the energy.
    let share = 1.0 - energy(&report) / energy(&before);
    assert!((0.03..0.07).contains(&share), "{share}");
}

#[test]
fn a_head_end_reaches_energy_managers_through_their_meters() {
    let order = r#"timeline=[(at: "30min", action: DemandResponse(
        id: 7, cohort: "homes", notice: "30min", duration: "1h", level: "50%",
    ))]"#;
    let quiet = "load.noise_cv=0.1";
    let report = run_text("ordered", STREET, &[order, quiet]);
    assert_eq!(metric(&report, "han.events_accepted"), 12.0);
    let before = run_text("not_ordered", STREET, &[quiet]);
    let energy = |report| metric(report, "reads.energy_wh");
    let share = 1.0 - energy(&report) / energy(&before);
    assert!((0.015..0.035).contains(&share), "{share}");

    // Taken back half an hour after its beginning, it saves half as much.
    let release = r#"timeline=[
        (at: "30min", action: DemandResponse(
            id: 7, cohort: "homes", notice: "30min", duration: "1h", level: "50%",
        )),
        (at: "90min", action: CancelResponse(id: 7, cohort: "homes")),
    ]"#;
    let released = run_text("released", STREET, &[release, quiet]);
    let half = 1.0 - energy(&released) / energy(&before);
    assert!((0.4..0.6).contains(&(half / share)), "{half} of {share}");
}
