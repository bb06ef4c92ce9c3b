//! Firmware updates end to end: waves, loss, outages, and images that must not run.

mod common;
#[path = "common/independence.rs"]
mod independence;
#[path = "common/text.rs"]
mod text;

use std::path::Path;

use common::{metric, overrides, run_fresh};
use independence::assert_independent;
use reports::read::numbers;
use reports::{AuthRow, FirmwareRow, RequestRow, Results, Row};
use sim::run::{Options, Report};
use sim::scenario::{load, load_text};
use text::run_text;

const HOUR_NS: f64 = 3.6e12;

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
fn rows_tell_the_wave_in_which_a_meter_is_asked() {
    let report = run_text("waves", TOWN, &[]);
    let offered = times::<FirmwareRow>(&report, "time_ns", ("step", "offered"));
    let waves = times::<FirmwareRow>(&report, "wave", ("step", "offered"));
    assert_eq!(offered.len(), 60);
    let mut counts = [0; 2];
    for ((meter, at), (same, wave)) in offered.into_iter().zip(waves) {
        assert_eq!(meter, same);
        let second = at >= 2.5 * HOUR_NS;
        assert_eq!(
            wave,
            if second { 2.0 } else { 1.0 },
            "meter {meter} at {at}"
        );
        counts[usize::from(second)] += 1;
    }
    // A fifth of 60, by chance.
    assert!((4..=20).contains(&counts[0]), "{counts:?}");
}

#[test]
fn a_restart_takes_the_boot_time_and_loses_no_interval() {
    // In between, an interval ends for some meters.
    let sets = [
        "cohorts.homes.boot=Fixed(\"3min\")",
        "cohorts.homes.power_on=Fixed(\"0s\")",
        "timeline[0].action.spread=\"20min\"",
    ];
    let report = run_text("boot", TOWN, &sets);
    assert_eq!(metric(&report, "firmware.activated"), 60.0);
    let activated = times::<FirmwareRow>(&report, "time_ns", ("step", "activated"));
    let started = times::<AuthRow>(&report, "start_ns", ("trigger", "restart"));
    assert_eq!(activated.len(), 60);
    for (meter, at) in activated {
        let first = started.iter().filter(|(other, _)| *other == meter);
        let first = first.map(|(_, at)| *at).fold(f64::INFINITY, f64::min);
        assert_eq!(first - at, 180.0 * 1e9, "meter {meter}");
    }
    let quiet = run_text("no_boot", TOWN, &[sets[0], sets[1], "timeline=[]"]);
    for path in ["reads.due", "reads.delivered"] {
        assert_eq!(metric(&report, path), metric(&quiet, path), "{path}");
    }
}

/// Meter and time of the rows of which a column is what is wanted.
fn times<R: Row>(report: &Report, time: &str, (column, wanted): (&str, &str)) -> Vec<(f64, f64)> {
    let table = Results::open(&report.folder).table(R::TABLE);
    let frame = table.expect("a table");
    let [meters, times] = ["meter", time].map(|name| numbers(&frame, name).expect("numbers"));
    let texts = frame.column(column).expect("a column").str();
    let texts = texts.expect("texts").iter();
    let rows = meters.into_iter().zip(times).zip(texts);
    rows.filter_map(|(row, text)| (text == Some(wanted)).then_some(row))
        .collect()
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

/// Waves that wait for the one before.
const GATED: [&str; 2] = [
    r#"timeline[0].action.proceed_at="90%""#,
    r#"timeline[0].action.halt_on="10%""#,
];

#[test]
fn a_bad_image_halts_the_waves_after_the_first() {
    let by_time = run_text("bad_by_time", TOWN, &["timeline[0].action.defect=Altered"]);
    assert_eq!(metric(&by_time, "firmware.faulty"), 60.0, "all meters");
    let [proceed, halt] = GATED;
    let sets = ["timeline[0].action.defect=Altered", proceed, halt];
    let report = run_text("bad_gated", TOWN, &sets);
    // The first wave is a fifth of 60; each of two instances finds out by itself.
    let faulty = metric(&report, "firmware.faulty");
    assert!((4.0..=20.0).contains(&faulty), "{report}");
    assert_eq!(metric(&report, "firmware.halted"), 60.0 - faulty);
    assert_eq!(metric(&report, "firmware.held_back"), 0.0);
    assert_eq!(metric(&report, "firmware.refused"), 0.0);
    assert_eq!(metric(&report, "requests.count"), faulty);
    assert!(report.to_string().contains("meters halted"), "{report}");
}

#[test]
fn a_failure_that_does_not_halt_holds_the_next_wave_back() {
    let [proceed, _] = GATED;
    let sets = ["timeline[0].action.defect=Unsigned", proceed];
    let report = run_text("held_back", TOWN, &sets);
    let asked = metric(&report, "requests.count");
    assert!((4.0..=20.0).contains(&asked), "{report}");
    assert_eq!(metric(&report, "firmware.held_back"), 60.0 - asked);
    assert_eq!(metric(&report, "firmware.halted"), 0.0);
}

#[test]
fn a_slow_wave_delays_the_next_and_its_activation() {
    // The first wave starts anew two hours after it began; the second is due in an hour.
    let due = r#"timeline[0].action.wave_every="1h""#;
    let [proceed, halt] = GATED;
    let by_time = run_text("due_by_time", TOWN, &[due]);
    let gated = run_text("due_gated", TOWN, &[due, proceed, halt]);
    for report in [&by_time, &gated] {
        assert_eq!(metric(report, "firmware.activated"), 60.0, "{report}");
        assert_eq!(metric(report, "requests.firmware.success_ratio"), 1.0);
    }
    let latest = |report: &Report, table, column| {
        let frame = Results::open(&report.folder).table(table).expect("a table");
        let times = numbers(&frame, column).expect("a column of numbers");
        times.into_iter().fold(0.0, f64::max) / HOUR_NS
    };
    let due = |report| latest(report, RequestRow::TABLE, "due_ns");
    let activated = |report| latest(report, FirmwareRow::TABLE, "time_ns");
    assert_eq!(due(&by_time), 1.5);
    assert!((3.5..3.6).contains(&activated(&by_time)));
    // Within 5 minutes the meters of the first wave start anew, a minute later they are asked,
    // once more where that was lost.
    let [due, activated] = [due(&gated), activated(&gated)];
    assert!((2.6..2.7).contains(&due), "{due} h");
    assert!((due + 2.0..due + 2.1).contains(&activated), "{activated} h");
}

#[test]
fn updates_do_not_depend_on_threads_or_on_the_division_into_domains() {
    assert_independent(TOWN, &[], 3);
    let [proceed, halt] = GATED;
    let late = r#"timeline[0].action.wave_every="1h""#;
    assert_independent(TOWN, &[proceed, halt, late], 3);
    assert_independent(
        TOWN,
        &[proceed, halt, "timeline[0].action.defect=Altered"],
        3,
    );
}

#[test]
fn mistakes_are_located_all_at_once() {
    let sets = [r#"timeline=[(at: "1h", action: FirmwareUpdate(
            cohort: "nobody", version: "2.3", size: "40MB", block: 32, blocks_per_message: 0,
            rate: "0b/s", waves: ["10%", "1%"], activate: "0s", spread: "1500ms",
            proceed_at: "0%"))]"#];
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
        "at 0% no wave waits",
    ] {
        assert!(text.contains(message), "{message}: {text}");
    }
}
