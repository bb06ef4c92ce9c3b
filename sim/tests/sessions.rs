//! Sessions that either end re-authenticates or terminates at a given time.

mod common;
#[path = "common/text.rs"]
mod text;

use common::metric;
use models::fleet::Partition;
use reports::read::numbers;
use reports::schema::TableDef;
use reports::{AuthRow, KeyRow, Results, Row, label};
use sim::run::{Options, Report};
use text::{files, run_text, run_with};

const LAN: u32 = 12;
const MESH: u32 = 20;
const MINUTE: f64 = 60e9;

/// Meters on wires and in a mesh, whose own schedule has nothing to do until the end.
const SCENARIO: &str = r#"Scenario(
    name: "sessions",
    seed: 5,
    duration: "4h",
    cohorts: [
        (name: "lan", count: 12, medium: "lan"),
        (name: "mesh", count: 20, medium: "mesh"),
    ],
    media: {
        "lan": Ethernet(),
        "mesh": Mesh(phy: Oqpsk24, backhaul: "lan"),
    },
    keys: (session_lifetime: "12h", reauthenticate: Every("10h"), overlap: "2min"),
    pana: (absence: "3min"),
    headend: (instances: 2),
    timeline: [
        (at: "40min", action: Reauthenticate(cohort: "lan", by: HeadEnd, within: "1min")),
        (at: "50min", action: Reauthenticate(cohort: "mesh", fraction: "50%", by: HeadEnd)),
        (at: "60min", action: Reauthenticate(cohort: "lan", within: "1min")),
        (at: "90min", action: Terminate(cohort: "lan", by: HeadEnd, within: "1min")),
        (at: "100min", action: Terminate(cohort: "mesh", by: HeadEnd, within: "5min")),
        (at: "150min", action: Terminate(cohort: "lan", by: Meter, within: "1min")),
        (at: "160min", action: Terminate(cohort: "mesh", fraction: "50%", by: Meter)),
    ],
)"#;

/// A column of words.
fn words(report: &Report, table: &'static TableDef, column: &str) -> Vec<String> {
    let table = Results::open(&report.folder).table(table);
    let table = table.expect("a table");
    let column = table.column(column).expect("a column");
    let words = column.str().expect("text").iter();
    words
        .map(|word| word.unwrap_or_default().to_owned())
        .collect()
}

/// Meter, kind, trigger, outcome and beginning of every attempt.
fn attempts(report: &Report) -> Vec<(u32, String, String, String, f64)> {
    let auth = Results::open(&report.folder).table(AuthRow::TABLE);
    let auth = auth.expect("a table");
    let meters = numbers(&auth, "meter").expect("numbers");
    let starts = numbers(&auth, "start_ns").expect("numbers");
    let [kinds, triggers, outcomes] =
        ["kind", "trigger", "outcome"].map(|name| words(report, AuthRow::TABLE, name));
    let rows = meters
        .into_iter()
        .zip(kinds)
        .zip(triggers)
        .zip(outcomes)
        .zip(starts);
    rows.map(|((((meter, kind), trigger), outcome), start)| {
        (meter as u32, kind, trigger, outcome, start)
    })
    .collect()
}

#[test]
fn either_end_prolongs_and_ends_sessions_and_meters_return() {
    let report = run_text("either", SCENARIO, &[]);
    let all = attempts(&report);
    assert!(all.iter().all(|attempt| attempt.3 == label::SUCCESS));
    let count = |kind: &str, trigger: &str, meters: std::ops::Range<u32>, window: [f64; 2]| {
        let counts = |(meter, of, by, _, start): &&(u32, String, String, String, f64)| {
            of == kind
                && by == trigger
                && meters.contains(meter)
                && (window[0] * MINUTE..window[1] * MINUTE).contains(start)
        };
        all.iter().filter(counts).count() as u32
    };
    let (lan, mesh) = (0..LAN, LAN..LAN + MESH);
    let (again, first) = (label::REAUTHENTICATION, label::INITIAL);
    assert_eq!(count(again, "headend", lan.clone(), [40.0, 41.1]), LAN);
    let half = count(again, "headend", mesh.clone(), [50.0, 51.0]);
    assert!((4..=16).contains(&half), "about a half: {half}");
    assert_eq!(count(again, "command", lan.clone(), [60.0, 61.1]), LAN);
    // The pause lasts three to six minutes.
    assert_eq!(count(first, "termination", lan.clone(), [93.0, 97.1]), LAN);
    assert_eq!(
        count(first, "termination", mesh.clone(), [103.0, 115.0]),
        MESH
    );
    assert_eq!(
        count(first, "termination", lan.clone(), [153.0, 157.1]),
        LAN
    );
    let left = count(first, "termination", mesh.clone(), [163.0, 170.0]);
    assert!((4..=16).contains(&left), "about a half: {left}");
    let joined = LAN + MESH;
    let prolonged = LAN + half + LAN;
    let returned = LAN + MESH + LAN + left;
    assert_eq!(
        all.len() as u32,
        joined + prolonged + returned,
        "nothing else happened"
    );

    // Both ends erase the keys of a session with it, and say why.
    let of_keys = |column| words(&report, KeyRow::TABLE, column);
    let (sides, reasons) = (of_keys("side"), of_keys("end_reason"));
    let terminated = |side: &str| {
        let of_side = sides.iter().zip(&reasons);
        of_side
            .filter(|(of, why)| *of == side && *why == label::TERMINATED)
            .count() as u32
    };
    let sessions = 2 * LAN + MESH + left;
    assert_eq!(terminated(label::METER), sessions);
    assert_eq!(terminated(label::HEADEND), sessions);
    assert_eq!(metric(&report, "keys.used_after_expiry"), 0.0);
    assert_eq!(metric(&report, "meters.joined_ratio"), 1.0);
    // What could not be reported meanwhile has been reported afterwards.
    assert_eq!(metric(&report, "reads.completeness_ratio"), 1.0);
}

#[test]
fn threads_and_domains_change_nothing() {
    let one = run_text("one", SCENARIO, &[]);
    for (name, threads, partition) in [
        ("threads_2", 2, Partition::ByInstance),
        ("split_3", 2, Partition::Split(3)),
    ] {
        let options = Options {
            threads,
            partition,
            ..Options::default()
        };
        let other = run_with(name, SCENARIO, &[], options);
        assert_eq!(one.digest, other.digest, "{name}");
        let (expected, found) = (files(&one), files(&other));
        // The table of meters names the domain of each.
        for (table, octets) in expected.iter().filter(|(table, _)| **table != "meters") {
            assert!(*octets == found[table], "{name}: table {table} differs");
        }
    }
}

#[test]
fn what_one_step_does_leaves_the_draws_of_others_alone() {
    let meters = |action: &str| -> Vec<(u32, f64)> {
        let step = format!(
            "timeline=[(at: \"40min\", action: {action}), \
            (at: \"2h\", action: Reauthenticate(cohort: \"lan\", fraction: \"40%\", within: \"5min\"))]"
        );
        let report = run_text("draws", SCENARIO, &[&step]);
        let commanded = attempts(&report)
            .into_iter()
            .filter(|attempt| attempt.2 == "command");
        let later = commanded.filter(|attempt| attempt.4 > 100.0 * MINUTE);
        later.map(|attempt| (attempt.0, attempt.4)).collect()
    };
    let by_meter = meters("Terminate(cohort: \"lan\", by: Meter)");
    assert!(!by_meter.is_empty());
    assert_eq!(by_meter, meters("Terminate(cohort: \"lan\", by: HeadEnd)"));
    assert_eq!(
        by_meter,
        meters("Reauthenticate(cohort: \"lan\", by: HeadEnd)")
    );
}

#[test]
fn nothing_happens_to_a_session_while_its_instance_is_down() {
    let timeline = r#"timeline=[
        (at: "30min", action: HeadendDown(instance: 0, duration: "20min")),
        (at: "40min", action: Terminate(cohort: "lan", by: HeadEnd)),
    ]"#;
    let report = run_text("down", SCENARIO, &[timeline]);
    let returned = attempts(&report)
        .into_iter()
        .filter(|attempt| attempt.2 == "termination");
    let mut meters: Vec<u32> = returned.map(|attempt| attempt.0).collect();
    meters.sort_unstable();
    let served_by_the_other: Vec<u32> = (0..LAN).filter(|meter| meter % 2 == 1).collect();
    assert_eq!(meters, served_by_the_other);
}
