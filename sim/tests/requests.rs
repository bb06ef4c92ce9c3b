//! Requests of the head-end end to end: reads, clocks, tables, every service, and their records.

mod common;
#[path = "common/independence.rs"]
mod independence;
#[path = "common/text.rs"]
mod text;

use std::path::Path;

use common::{metric, overrides, run_fresh};
use independence::assert_independent;
use reports::read::numbers;
use reports::{MeterRow, Results, Row};
use sim::run::{Options, Report};
use sim::scenario::{load, load_text};
use text::run_text;

const TOWN: &str = r#"Scenario(
    name: "town",
    seed: 5,
    duration: "3h",
    cohorts: [
        (name: "homes", count: 60, medium: "wan"),
        (name: "dark", count: 6, medium: "wan", power_on: Fixed("10h")),
    ],
    media: {"wan": Wan(loss: "3%")},
    headend: (
        instances: 3,
        reads: [
            (name: "status", what: Tables(numbers: [1, 5]), every: "1h", window: "10min"),
        ],
    ),
    timeline: [
        (at: "30min", action: OnDemandRead(cohort: "homes", what: Tables(numbers: [1]))),
        (at: "40min", action: OnDemandRead(cohort: "dark", what: Tables(numbers: [1]))),
        (at: "80min", action: ServiceTest(cohort: "homes", fraction: "50%")),
        (at: "100min", action: Disconnect(cohort: "homes")),
    ],
)"#;

fn shipped(test: &str, name: &str, sets: &[&str]) -> Report {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../scenarios/{name}.ron"));
    let loaded = load(&path, &overrides(sets)).unwrap_or_else(|report| panic!("{report}"));
    run_fresh(test, &loaded, Options::default()).expect("the run ends in order")
}

#[test]
fn urgent_requests_overtake_a_poll() {
    let report = shipped("desk", "request_desk", &[]);
    assert!(report.meets_expectations(), "{report}");
}

#[test]
fn requests_end_as_their_meters_allow() {
    let report = run_text("ends", TOWN, &[]);
    let [all, done] = ["requests.count", "requests.succeeded"].map(|path| metric(&report, path));
    // Three rounds of 66, an on-demand read of 66, and the service test of some.
    let tests = all - 4.0 * 66.0;
    assert!((15.0..45.0).contains(&tests), "{tests}");
    // The dark ones answer nothing; rounds have an hour each, the on-demand read has two minutes.
    let causes = report.summary.breakdown("requests.causes");
    assert_eq!(
        metric(&report, "requests.timed_out"),
        3.0 * 6.0,
        "{causes:?}"
    );
    assert_eq!(
        metric(&report, "requests.pending"),
        6.0,
        "of the last round"
    );
    assert_eq!(done, all - 24.0);
    assert_eq!(metric(&report, "requests.rejected"), 0.0);
    assert!(
        metric(&report, "requests.repetitions") > 0.0,
        "3 % are lost"
    );
    // An end device refuses to deregister somebody.
    assert!(metric(&report, "requests.refused") >= tests);
    assert_eq!(metric(&report, "commands.confirmed"), 60.0);
    let causes = report.summary.breakdown("requests.causes");
    assert_eq!(causes.values().sum::<u64>(), 24);
    // Nothing of it disturbs the reports of intervals.
    let quiet = run_text("quiet", TOWN, &["headend.reads=[]", "timeline=[]"]);
    let delivered = |report| metric(report, "reads.delivered");
    assert_eq!(delivered(&report), delivered(&quiet));
}

#[test]
fn tables_that_are_too_large_together_are_read_in_parts() {
    let sets = [
        "headend.reads=[]",
        "cohorts.homes.metering=Metering()",
        r#"timeline=[(at: "30min", action: OnDemandRead(
            cohort: "homes", what: Tables(numbers: [23, 25, 23, 25, 23, 25])))]"#,
    ];
    let report = run_text("parts", TOWN, &sets);
    let succeeded = metric(&report, "requests.succeeded");
    let causes = report.summary.breakdown("requests.causes");
    assert!(succeeded >= 59.0, "{causes:?}");
    // Registers, those of the last reset, and both again: hardly four times in one response.
    assert!(metric(&report, "requests.parts") >= succeeded);
    assert_eq!(metric(&report, "requests.refused"), 0.0);
}

#[test]
fn requests_do_not_depend_on_threads_or_on_the_division_into_domains() {
    assert_independent(TOWN, &[], 4);
}

#[test]
fn mistakes_are_located_all_at_once() {
    let sets = [
        r#"headend.reads=[(name: "a", what: Tables(numbers: [5000]), every: "1h", window: "2h"),
            (name: "a", what: Registers, every: "1h", cohort: "nobody", timeout: "1min")]"#,
        r#"timeline=[(at: "1h", action: Download(cohort: "homes", table: 54, data: "0"))]"#,
        "headend.requests=(rate_per_s: 0.0, outstanding: 0)",
    ];
    let report = load_text("town.ron", TOWN, &overrides(&sets)).expect_err("mistakes");
    let text = report.to_string();
    for message in [
        "manufacturer tables from 2048 to 4095",
        "the next round begins before all meters of this one have been asked",
        "there are two schedules \"a\"",
        "there is no cohort \"nobody\"",
        "longer than nothing and at most 30s",
        "octets are pairs of hexadecimal digits",
        "a rate lies above 0",
        "without a message under way none is ever answered",
    ] {
        assert!(text.contains(message), "{message}: {text}");
    }
}

#[test]
fn what_only_full_metering_has_is_read_of_nobody_else() {
    let mixed = r#"cohorts=[(name: "homes", count: 1, medium: "wan"),
        (name: "dark", count: 1, medium: "wan", metering: Metering())]"#;
    let read = |what: &str| {
        format!("headend.reads=[(name: \"a\", what: {what}, every: \"1h\", cohort: \"dark\")]")
    };
    for what in ["Registers", "Profile()", "Tables(numbers: [1, 23])"] {
        let set = read(what);
        load_text("town.ron", TOWN, &overrides(&[mixed, &set])).expect(what);
        let everybody = set.replace(", cohort: \"dark\"", "");
        let on_demand = format!(
            "timeline=[(at: \"1h\", action: OnDemandRead(cohort: \"homes\", what: {what}))]"
        );
        for (sets, place) in [
            ([mixed, &everybody], "headend.reads"),
            ([mixed, &on_demand], "timeline"),
        ] {
            let report = load_text("town.ron", TOWN, &overrides(&sets)).expect_err(what);
            assert_eq!(report.errors(), 1, "{report}");
            let text = report.to_string();
            assert!(
                text.contains("meters of \"homes\" have no full metering"),
                "{text}"
            );
            assert!(text.contains(place), "located in the {place}: {text}");
        }
    }
}

const ONE_WAY: &str = r#"Scenario(
    name: "one_way",
    seed: 8,
    duration: "12h",
    cohorts: [(name: "homes", count: 100, medium: "wan")],
    media: {"wan": Wan(loss: "10%")},
    traffic: (register: false, report: (one_way: true)),
)"#;

#[test]
fn one_way_reports_save_the_responses_and_lose_what_is_lost() {
    let one_way = run_text("one_way", ONE_WAY, &[]);
    let two_way = run_text("two_way", ONE_WAY, &["traffic.report.one_way=false"]);
    let [due, delivered] = ["reads.due", "reads.delivered"].map(|path| metric(&one_way, path));
    // Every report is one datagram of which one in ten is lost: four standard deviations of it.
    let spread = 4.0 * (0.1 * 0.9 * due).sqrt() / due;
    let ratio = delivered / due;
    assert!((ratio - 0.9).abs() < spread + 0.01, "{ratio} of {due}");
    assert!(metric(&two_way, "reads.completeness_ratio") > 0.99);
    let octets = |report| metric(report, "traffic.c1222_bytes");
    let ratio = octets(&one_way) / octets(&two_way);
    assert!(ratio < 0.6, "{ratio}: no responses, nothing twice");
}

#[test]
fn a_cohort_may_report_one_way_among_others_that_do_not() {
    let cohorts = |first: &str, second: &str| {
        format!(
            r#"cohorts=[(name: "a", count: 50, medium: "wan"{first}),
                (name: "b", count: 50, medium: "wan"{second})]"#
        )
    };
    let (yes, no) = (", report: (one_way: true)", ", report: (one_way: false)");
    let run = |name: &str, first: &str, second: &str, fleet: &str| {
        let report = run_text(name, ONE_WAY, &[&cohorts(first, second), fleet]);
        let frame = Results::open(&report.folder).table(MeterRow::TABLE);
        let frame = frame.expect("a table");
        let [due, delivered] =
            ["reads_due", "reads_delivered"].map(|name| numbers(&frame, name).expect("numbers"));
        let ratio = |rows: std::ops::Range<usize>| {
            delivered[rows.clone()].iter().sum::<f64>() / due[rows].iter().sum::<f64>()
        };
        (ratio(0..50), ratio(50..100), report)
    };
    let one_way = "traffic.report.one_way=true";
    let two_way = "traffic.report.one_way=false";
    // One in ten is lost where nobody asks for it again.
    for (name, first, second, fleet) in [("own", yes, "", two_way), ("other", "", no, one_way)] {
        let (lossy, confirmed, _) = run(name, first, second, fleet);
        assert!((0.87..0.93).contains(&lossy), "{name}: {lossy}");
        assert!(confirmed > 0.99, "{name}: {confirmed}");
    }
    // What all say for themselves is what is said of all.
    let (.., each) = run("each", yes, yes, two_way);
    let (.., all) = run("all", "", "", one_way);
    assert_eq!(each.digest, all.digest);
}

#[test]
fn reads_of_the_load_profile_fill_the_gaps_of_one_way_reports() {
    let sets = [
        "cohorts.homes.count=20",
        "cohorts.homes.metering=Metering()",
        r#"headend.reads=[(name: "profile", what: Profile(), every: "3h", first: "1h")]"#,
    ];
    let report = run_text("gaps", ONE_WAY, &sets);
    let by_reports = run_text("no_reads", ONE_WAY, &sets[..2]);
    let missing = |report| metric(report, "reads.due") - metric(report, "reads.delivered");
    // The last reads are after ten hours; what is lost in the two hours after that stays lost.
    let late = 20.0 * 8.0;
    assert!(missing(&report) < late / 2.0, "{}", missing(&report));
    assert!(missing(&by_reports) > 2.0 * missing(&report));
}
