//! Whole runs: real protocol code in every entity, from a scenario to a results folder.

mod common;
#[path = "common/text.rs"]
mod text;

use common::metric;
use models::fleet::Partition;
use reports::read::numbers;
use reports::{AuthRow, MeterRow, ReadRow, Results, Row, TABLES, label};
use sim::run::{Options, Report};
use text::{files, run_text, run_with};

/// The rows of every table, whatever the files say about their origin.
fn assert_same_rows(left: &Report, right: &Report) {
    for table in TABLES {
        let rows = |report: &Report| {
            Results::open(&report.folder)
                .table(table)
                .expect("every table can be read")
        };
        let (left, right) = (rows(left), rows(right));
        assert!(left.equals_missing(&right), "table {} differs", table.name);
    }
}

/// A lossy afternoon with an outage, of which every table has rows.
const AFTERNOON: &str = r#"Scenario(
    name: "afternoon",
    seed: 7,
    duration: "2h",
    cohorts: [
        (name: "wan", count: 40, medium: "wan"),
        (name: "lan", count: 21, medium: "lan"),
    ],
    media: {
        "wan": Wan(latency: Uniform("20ms", "80ms"), loss: "2%"),
        "lan": Ethernet(latency: Exponential(min: "2ms", mean: "1ms")),
    },
    keys: (session_lifetime: "40min", reauthenticate: Every("30min"), overlap: "2min"),
    headend: (instances: 3),
    timeline: [
        (at: "50min", action: PowerOff(cohort: "wan", fraction: "50%", over: "10s")),
        (at: "70min", action: PowerOn(cohort: "wan", within: "10s")),
    ],
)"#;

#[test]
fn results_do_not_depend_on_threads() {
    let threads = |threads| Options {
        threads,
        ..Options::default()
    };
    let one = run_with("threads_1", AFTERNOON, &[], threads(1));
    for (name, count) in [("threads_2", 2), ("threads_3", 3)] {
        let many = run_with(name, AFTERNOON, &[], threads(count));
        assert_eq!(one.digest, many.digest);
        let (one, many) = (files(&one), files(&many));
        for (table, octets) in &one {
            assert!(
                *octets == many[table],
                "table {table} differs with {count} threads"
            );
        }
    }
}

#[test]
fn results_do_not_depend_on_the_division_into_domains() {
    let apart = run_text("by_instance", AFTERNOON, &[]);
    for (name, domains, threads) in [("split_1", 1, 1), ("split_4", 4, 2)] {
        let options = Options {
            partition: Partition::Split(domains),
            threads,
            ..Options::default()
        };
        let split = run_with(name, AFTERNOON, &[], options);
        assert_eq!(apart.digest, split.digest, "{domains} domains of meters");
        let (apart, split) = (files(&apart), files(&split));
        // The table of meters names the domain of each.
        for (table, octets) in apart
            .iter()
            .filter(|(table, _)| **table != MeterRow::TABLE.name)
        {
            assert!(
                *octets == split[table],
                "table {table} differs with {domains} domains"
            );
        }
    }
}

#[test]
fn a_passive_tap_changes_nothing() {
    let without = run_text("without_tap", AFTERNOON, &[]);
    let taps = r#"taps=[(name: "all"), (name: "lan only", medium: "lan")]"#;
    let with = run_text("with_tap", AFTERNOON, &[taps]);
    assert_eq!(without.digest, with.digest);
    assert_same_rows(&without, &with);

    let [all, lan] = with.counts.taps[..] else {
        panic!("two taps");
    };
    let total = with
        .summary
        .get("traffic.datagrams")
        .expect("there is traffic");
    assert_eq!(
        all.0 as f64, total,
        "a tap on every link sees every datagram"
    );
    assert!(0 < lan.0 && lan.0 < all.0);
}

#[test]
fn another_seed_is_another_trajectory() {
    let one = run_text("seed_7", AFTERNOON, &[]);
    let other = run_text("seed_8", AFTERNOON, &["seed=8"]);
    assert_ne!(one.digest, other.digest);
}

#[test]
fn no_key_is_used_out_of_its_time_and_every_read_arrives_after_an_outage() {
    let report = run_text("afternoon", AFTERNOON, &[]);
    assert_eq!(metric(&report, "meters.joined_ratio"), 1.0);
    assert_eq!(metric(&report, "keys.used_after_expiry"), 0.0);
    assert_eq!(
        metric(&report, "reads.completeness_ratio"),
        1.0,
        "the backlog follows after the outage"
    );
    let reboots = report.summary.breakdown("keys.end_reasons")[label::REBOOT];
    assert!(
        reboots > 20,
        "about half of 40 meters lost their keys at both ends: {reboots}"
    );
}

/// One quiet meter; `{}` stands for the PANA section.
fn quiet(pana: &str) -> String {
    format!(
        r#"Scenario(
            name: "quiet",
            duration: "90min",
            cohorts: [(
                name: "homes", count: 5, medium: "lan",
                identity: "m{{n:011}}@a.b",
            )],
            media: {{"lan": Ethernet(latency: Fixed("5ms"))}},
            keys: (session_lifetime: "2h", reauthenticate: Every("1h", "0%")),
            headend: (id: "headend@util.com"),
            pana: {pana},
        )"#
    )
}

/// Datagrams and octets, up and down, of the authentications of one kind.
fn exchange(report: &Report, kind: &str) -> Vec<[f64; 4]> {
    let frame = Results::open(&report.folder)
        .table(AuthRow::TABLE)
        .expect("a table");
    let kinds = frame.column("kind").expect("a column");
    let kinds: Vec<String> = kinds
        .str()
        .expect("text")
        .iter()
        .flatten()
        .map(str::to_owned)
        .collect();
    let column = |name: &str| numbers(&frame, name).expect("a column of numbers");
    let columns = [
        "datagrams_up",
        "datagrams_down",
        "pana_bytes_up",
        "pana_bytes_down",
    ]
    .map(column);
    (0..kinds.len())
        .filter(|row| kinds[*row] == kind)
        .map(|row| [0, 1, 2, 3].map(|index| columns[index][row]))
        .collect()
}

#[test]
fn an_initial_authentication_has_the_octets_that_arithmetic_predicts() {
    // 16-octet identities and nonces, HMAC-SHA-1, piggybacked, EAP-Identity: 11 datagrams and
    // 684 octets, 348 of them from the meter.
    let pana =
        "(algorithms: [HmacSha1], piggyback: true, identity_request: true, nonce_length: 16)";
    let report = run_text("arithmetic_sha1", &quiet(pana), &[]);
    let initial = exchange(&report, label::INITIAL);
    assert_eq!(initial, vec![[6.0, 5.0, 348.0, 336.0]; 5]);
    assert_eq!(report.summary.get("auth.retransmissions"), Some(0.0));
}

#[test]
fn a_reauthentication_takes_ten_datagrams_with_identity_and_eight_without() {
    for (name, identity, expected) in [("identity", true, 10.0), ("no_identity", false, 8.0)] {
        let pana = format!("(identity_request: {identity})");
        let report = run_text(name, &quiet(&pana), &[]);
        let repeated = exchange(&report, label::REAUTHENTICATION);
        assert_eq!(repeated.len(), 5);
        for [up, down, ..] in repeated {
            assert_eq!(up + down, expected);
            assert_eq!(
                up, down,
                "every datagram is half of a request and its answer"
            );
        }
    }
}

#[test]
fn every_algorithm_pair_and_exchange_form_opens_the_session() {
    for (name, pana) in [
        ("cmac", "(algorithms: [AesCmac])"),
        ("all", "(algorithms: [AesCmac, HmacSha256, HmacSha1])"),
        ("separate", "(piggyback: false, identity_request: true)"),
        ("optimized", "(optimized: true)"),
        ("stateless", "(stateless: true)"),
        ("ping", r#"(ping: Some("10min"))"#),
    ] {
        let report = run_text(name, &quiet(pana), &[]);
        assert_eq!(
            report.summary.get("meters.joined_ratio"),
            Some(1.0),
            "{name}"
        );
        assert_eq!(report.summary.get("auth.failed"), Some(0.0), "{name}");
        assert_eq!(
            report.summary.get("auth.reauthentications"),
            Some(5.0),
            "{name}"
        );
        assert_eq!(report.summary.get("rejects.total"), Some(0.0), "{name}");
    }
}

#[test]
fn meters_find_back_to_a_head_end_that_lost_its_sessions() {
    let sets = [
        "duration=3h",
        r#"timeline=[(at: "40min", action: HeadendDown(duration: "1min", lose_sessions: true))]"#,
    ];
    let report = run_text("lost_sessions", &quiet("()"), &sets);
    // The meters notice at their next re-authentication, which goes unanswered.
    assert_eq!(report.summary.get("auth.initial"), Some(10.0));
    let completeness = report
        .summary
        .get("reads.completeness_ratio")
        .expect("reads are due");
    assert_eq!(completeness, 1.0);
    let causes = report.summary.breakdown("rejects.causes");
    assert!(
        causes["access_closed"] > 0,
        "reports without a session are refused: {causes:?}"
    );
    assert!(
        causes["session_unknown"] > 0,
        "so are re-authentications: {causes:?}"
    );
}

#[test]
fn a_stored_session_survives_a_power_cut() {
    let timeline = r#"timeline=[
        (at: "20min", action: PowerOff(cohort: "homes")),
        (at: "25min", action: PowerOn(cohort: "homes")),
    ]"#;
    let stored = run_text("nvram", &quiet("()"), &[timeline, "keys.storage=Nvram"]);
    assert_eq!(stored.summary.get("auth.initial"), Some(5.0));
    let volatile = run_text(
        "volatile",
        &quiet("()"),
        &[timeline, "keys.storage=Volatile"],
    );
    assert_eq!(volatile.summary.get("auth.initial"), Some(10.0));
}

#[test]
fn what_is_delivered_is_what_was_metered() {
    let report = run_text("metered", &quiet("()"), &["duration=6h"]);
    let frame = Results::open(&report.folder)
        .table(ReadRow::TABLE)
        .expect("a table");
    let due = numbers(&frame, "due_ns").expect("times");
    let delivered = numbers(&frame, "delivered_ns").expect("times");
    assert_eq!(
        frame.height(),
        5 * 23,
        "23 intervals end and are reported within six hours"
    );
    assert_eq!(due.len(), delivered.len());
    let energy: f64 = numbers(&frame, "interval_wh").expect("energy").iter().sum();
    assert!(
        (1_000.0..60_000.0).contains(&energy),
        "five homes, a quarter of a day: {energy} Wh"
    );
}
