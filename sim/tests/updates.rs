//! Firmware updates end to end: waves, loss, outages, and images that must not run.

mod common;
#[path = "common/independence.rs"]
mod independence;
#[path = "common/text.rs"]
mod text;

use std::path::Path;

use common::{metric, overrides, run_fresh};
use independence::assert_independent;
use sim::run::Options;
use sim::scenario::{load, load_text};
use text::run_text;

const TOWN: &str = r#"Scenario(
    name: "town",
    seed: 5,
    duration: "8h",
    cohorts: [(name: "homes", count: 60, medium: "wan")],
    media: {"wan": Wan(loss: "3%")},
    headend: (instances: 2),
    timeline: [
        (at: "30min", action: FirmwareUpdate(
            cohort: "homes",
            version: "3.0",
            size: "20kB",
            block: 256,
            rate: "100kb/s",
            waves: ["20%", "100%"],
            wave_every: "2h",
            activate: "2h",
            spread: "5min",
        )),
    ],
)"#;

#[test]
fn a_rollout_reaches_its_target_in_spite_of_an_outage() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/firmware_rollout.ron");
    let loaded = load(&path, &overrides(&[])).unwrap_or_else(|report| panic!("{report}"));
    let report = run_fresh("rollout", &loaded, Options::default()).expect("the run ends in order");
    assert!(report.meets_expectations(), "{report}");
    // An image of 64,000 octets each, and hardly anything twice.
    let verified = metric(&report, "firmware.verified");
    let octets = metric(&report, "firmware.bytes");
    let ratio = octets / (verified * 64_000.0);
    assert!((1.0..1.05).contains(&ratio), "{ratio}");
}

#[test]
fn a_restart_costs_an_authentication_and_nothing_else() {
    let report = run_text("restart", TOWN, &[]);
    assert_eq!(metric(&report, "firmware.offered"), 60.0);
    assert_eq!(metric(&report, "firmware.activated"), 60.0);
    assert_eq!(metric(&report, "requests.firmware.success_ratio"), 1.0);
    let quiet = run_text("no_restart", TOWN, &["timeline=[]"]);
    let initial = |report| metric(report, "auth.initial");
    assert_eq!(initial(&quiet), 60.0);
    assert_eq!(initial(&report), 120.0, "keys are volatile");
    let delivered = |report| metric(report, "reads.delivered");
    assert_eq!(delivered(&report), delivered(&quiet));
}

#[test]
fn what_is_altered_or_unsigned_never_runs() {
    let defect = |defect: &str| format!("timeline[0].action.defect={defect}");
    let report = run_text("altered", TOWN, &[&defect("Altered")]);
    assert_eq!(metric(&report, "firmware.faulty"), 60.0);
    assert_eq!(metric(&report, "firmware.activated"), 0.0);
    let causes = report.summary.breakdown("requests.causes");
    assert_eq!(causes.get("conflict"), Some(&60), "{causes:?}");

    let report = run_text("unsigned", TOWN, &[&defect("Unsigned")]);
    assert_eq!(metric(&report, "firmware.offered"), 0.0);
    // Whose answer was lost is asked again, and refuses again.
    assert!(metric(&report, "firmware.refused") >= 60.0);
    assert_eq!(metric(&report, "firmware.activated"), 0.0);
    assert_eq!(metric(&report, "requests.rejected"), 60.0);
}

#[test]
fn updates_do_not_depend_on_threads_or_on_the_division_into_domains() {
    assert_independent(TOWN, &[], 3);
}

#[test]
fn mistakes_are_located_all_at_once() {
    let sets = [r#"timeline=[(at: "1h", action: FirmwareUpdate(
            cohort: "nobody", version: "2.3", size: "40MB", block: 32, blocks_per_message: 0,
            rate: "0b/s", waves: ["10%", "1%"], activate: "0s", spread: "1500ms"))]"#];
    let report = load_text("town.ron", TOWN, &overrides(&sets)).expect_err("mistakes");
    let text = report.to_string();
    for message in [
        "there is no cohort \"nobody\"",
        "newer than 2.3",
        "a block has 64 to 1024 octets",
        "an image has 1 to 12000 blocks",
        "a message carries one block at least",
        "at no rate nothing is ever sent",
        "each wave is a larger share than the one before",
        "an image needs time to arrive",
        "whole seconds and at most 65535s",
    ] {
        assert!(text.contains(message), "{message}: {text}");
    }
}
