//! Whole runs of meters behind C12.22 relays: what arrives, who is reached, and what is lost.

mod common;
#[path = "common/independence.rs"]
mod independence;
#[path = "common/text.rs"]
mod text;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::{metric, overrides, run_fresh};
use independence::assert_independent;
use reports::read::numbers;
use reports::{RejectRow, Results, Row, TrafficRow};
use sim::dissect::{Capture, Frame, KeyRing};
use sim::run::{Options, Report};
use sim::scenario::{load, load_text};
use text::run_text;

/// Two border routers with twelve houses each, up to three hops away.
const VILLAGE: &str = r#"Scenario(
    name: "village",
    seed: 1,
    duration: "3h",
    cohorts: [(
        name: "homes", count: 24, medium: "mesh",
        power_on: Fixed("0s"), boot: Fixed("5s"),
    )],
    media: {
        "mesh": Mesh(
            phy: Oqpsk24, backhaul: "wan", meters_per_concentrator: 12,
            topology: StreetGrid(lot_m: 60.0, block_m: 240.0, scatter_m: 0.0),
            relay: Relay(),
        ),
        "wan": Wan(latency: Fixed("20ms")),
    },
    distribution: (concentrator_boot: Fixed("5s")),
    keys: (session_lifetime: "2h", reauthenticate: Every("50min"), overlap: "2min"),
    headend: (requests: (rate_per_s: 1.0)),
    timeline: [
        (at: "65min", action: OnDemandRead(cohort: "homes", what: Tables(numbers: [1]))),
        (at: "80min", action: ServiceTest(cohort: "homes", fraction: "50%")),
        (at: "100min", action: Disconnect(cohort: "homes", rate_per_s: 0.2)),
    ],
)"#;

const DIRECT: &str = "media.mesh.relay=None";

/// What was discarded for a cause.
fn rejects(report: &Report, protocol: &str, cause: &str) -> f64 {
    let frame = Results::open(&report.folder)
        .table(RejectRow::TABLE)
        .expect("a table");
    let texts = |name: &str| -> Vec<String> {
        let column = frame.column(name).expect("a column");
        let texts = column.str().expect("text").iter().flatten();
        texts.map(str::to_owned).collect()
    };
    let counts = numbers(&frame, "count").expect("numbers");
    let rows = texts("protocol")
        .into_iter()
        .zip(texts("cause"))
        .zip(counts);
    rows.filter(|((p, c), _)| p == protocol && (cause.is_empty() || c == cause))
        .map(|(_, count)| count)
        .sum()
}

/// The sum of a column of the traffic of C12.22 on a medium.
fn traffic(report: &Report, medium: &str, name: &str) -> f64 {
    traffic_of(report, medium, None, name)
}

/// The same of one type of message.
fn traffic_of(report: &Report, medium: &str, kind: Option<&str>, name: &str) -> f64 {
    let frame = Results::open(&report.folder)
        .table(TrafficRow::TABLE)
        .expect("a table");
    let is = |column: &str, wanted: Option<&str>| -> Vec<bool> {
        let column = frame.column(column).expect("a column");
        let texts = column.str().expect("text").iter();
        texts
            .map(|text| wanted.is_none() || text == wanted)
            .collect()
    };
    let [media, protocols, kinds] = [
        is("medium", Some(medium)),
        is("protocol", Some("c1222")),
        is("message_type", kind),
    ];
    let values = numbers(&frame, name).expect("numbers");
    (0..values.len())
        .filter(|row| media[*row] && protocols[*row] && kinds[*row])
        .map(|row| values[row])
        .sum()
}

#[test]
fn a_day_behind_relays_ends_as_one_without() {
    let relayed = run_text("relayed", VILLAGE, &[]);
    let direct = run_text("direct", VILLAGE, &[DIRECT]);
    for path in [
        "meters.joined_ratio",
        "auth.reauthentications",
        "keys.derived",
        "keys.used_after_expiry",
        "reads.delivered",
        "reads.completeness_ratio",
        "requests.count",
        "requests.succeeded",
        "requests.refused",
        "commands.confirmed",
        "grid.open_meters",
    ] {
        if let Some(value) = direct.summary.get(path) {
            assert_eq!(metric(&relayed, path), value, "{path}");
        }
    }
    assert_eq!(metric(&relayed, "reads.completeness_ratio"), 1.0);
    assert!(metric(&relayed, "requests.success_ratio") > 0.97);
    assert_eq!(metric(&relayed, "commands.confirmed"), 24.0);
    // Relays have nothing to complain about; what others discard, they would discard anyway.
    let causes = |report: &Report| report.summary.breakdown("rejects.causes");
    assert_eq!(causes(&relayed), causes(&direct));
    // The octets are the same, but for a Trace to the relay in each test of services.
    let frames = |report| traffic(report, "wan", "frames");
    let more = frames(&relayed) - frames(&direct);
    assert!(more > 0.0 && more <= 2.0 * 24.0, "{more} datagrams");
}

#[test]
fn results_depend_neither_on_threads_nor_on_domains() {
    let sets = [
        "cohorts[0].count=60",
        "headend.instances=3",
        r#"timeline=[
            (at: "65min", action: OnDemandRead(cohort: "homes", what: Tables(numbers: [1]))),
            (at: "70min", action: ConcentratorDown(
                medium: "mesh", fraction: "60%", over: "1min", duration: "1min")),
            (at: "73min", action: OnDemandRead(cohort: "homes", what: Tables(numbers: [1]))),
            (at: "80min", action: ServiceTest(cohort: "homes")),
        ]"#,
    ];
    let report = assert_independent(VILLAGE, &sets, 4);
    assert!(rejects(&report, "c1222", "unknown_title") > 0.0);
}

/// Relays restart after 65 minutes; what is read of the meters then, and when again.
fn restarted(test: &str, reads: &[&str]) -> Report {
    let read = |at: &&str| {
        let what = "what: Tables(numbers: [1])";
        format!(r#"(at: "{at}", action: OnDemandRead(cohort: "homes", {what})),"#)
    };
    let reads: String = reads.iter().map(read).collect();
    let down = r#"(at: "65min", action: ConcentratorDown(
        medium: "mesh", fraction: "100%", over: "0s", duration: "5s"))"#;
    let timeline = format!("timeline=[{reads} {down}]");
    // Reports come within a minute of the quarter of an hour: nobody reports in between.
    let spread = "traffic.report.spread=\"1min\"";
    run_text(test, VILLAGE, &[&timeline, spread])
}

#[test]
fn a_relay_that_restarts_knows_nobody_until_they_report() {
    let report = restarted("restarted", &["66min"]);
    // Every first attempt ends at a relay; the head-end is told, finds out who is meant, and takes
    // the direct way.
    let unknown = rejects(&report, "c1222", "unknown_title");
    assert_eq!(unknown, 24.0);
    let told = rejects(&report, "c1222", "relay_uat");
    assert!(told > 12.0 && told <= unknown, "{told} of {unknown}");
    assert_eq!(metric(&report, "requests.success_ratio"), 1.0);
    assert_eq!(metric(&report, "reads.completeness_ratio"), 1.0);
    // After the next reports, everybody is behind his relay again.
    let again = restarted("again", &["66min", "78min"]);
    assert_eq!(rejects(&again, "c1222", "unknown_title"), unknown);
    assert_eq!(metric(&again, "requests.count"), 48.0);
    assert_eq!(metric(&again, "requests.success_ratio"), 1.0);
    let early = restarted("early", &["66min", "72min"]);
    assert_eq!(
        rejects(&early, "c1222", "unknown_title"),
        unknown,
        "the head-end remembers that the relay has forgotten"
    );
}

#[test]
fn orders_find_another_way_as_well() {
    let sets = [
        r#"timeline=[
            (at: "65min", action: ConcentratorDown(
                medium: "mesh", fraction: "100%", over: "0s", duration: "5s")),
            (at: "66min", action: Disconnect(cohort: "homes", rate_per_s: 0.2)),
        ]"#,
        "traffic.report.spread=\"1min\"",
    ];
    let report = run_text("orders", VILLAGE, &sets);
    assert_eq!(rejects(&report, "c1222", "unknown_title"), 24.0);
    assert_eq!(metric(&report, "commands.applied"), 24.0);
    // An order is given every five seconds; whoever waited for a time-out would wait for another ten.
    let direct = run_text("orders_direct", VILLAGE, &[&sets[..], &[DIRECT]].concat());
    let slowest = |report: &Report| metric(report, "commands.latency_s.p50");
    let longer = slowest(&report) - slowest(&direct);
    assert!((0.0..1.0).contains(&longer), "{longer} s");
}

#[test]
fn ways_end_and_come_back_with_reports() {
    // Reports come every half an hour, ways last for ten minutes.
    let sets = [
        "media.mesh.relay=Relay(route_lifetime: \"10min\")",
        "traffic.report=(every: \"30min\", spread: \"1min\")",
        r#"timeline=[
            (at: "65min", action: OnDemandRead(cohort: "homes", what: Tables(numbers: [1]))),
            (at: "75min", action: OnDemandRead(cohort: "homes", what: Tables(numbers: [1]))),
        ]"#,
    ];
    let report = run_text("ended", VILLAGE, &sets);
    assert_eq!(rejects(&report, "c1222", "unreachable"), 24.0);
    assert!(rejects(&report, "c1222", "relay_netr") > 0.0);
    assert_eq!(rejects(&report, "c1222", "unknown_title"), 0.0);
    assert_eq!(metric(&report, "requests.success_ratio"), 1.0);
}

#[test]
fn a_full_relay_forwards_for_those_whom_it_knows() {
    let sets = ["media.mesh.relay=Relay(nodes_max: 5)", "timeline=[]"];
    let report = run_text("full", VILLAGE, &sets);
    assert!(rejects(&report, "c1222", "nodes_full") > 0.0);
    let completeness = metric(&report, "reads.completeness_ratio");
    // Ten of 24 are remembered: their reports keep their ways open.
    assert!((0.35..0.6).contains(&completeness), "{completeness}");
    assert_eq!(
        metric(&report, "meters.joined_ratio"),
        1.0,
        "PANA needs no relay of C12.22"
    );
}

#[test]
fn one_way_reports_and_segments_pass() {
    let sets = [
        "traffic.report=(one_way: true)",
        "cohorts[0].metering=Metering()",
        "media.mesh.relay=Relay(route_lifetime: \"24h\")",
        r#"timeline=[(at: "65min", action: OnDemandRead(cohort: "homes", what: Profile()))]"#,
        "headend.requests=(rate_per_s: 0.1)",
    ];
    let relayed = run_text("one_way", VILLAGE, &sets);
    let direct = run_text("one_way_direct", VILLAGE, &[&sets[..], &[DIRECT]].concat());
    for path in ["reads.delivered", "requests.succeeded", "requests.segments"] {
        if let Some(value) = direct.summary.get(path) {
            assert_eq!(metric(&relayed, path), value, "{path}");
        }
    }
    assert_eq!(
        rejects(&relayed, "c1222", ""),
        rejects(&direct, "c1222", "")
    );
    let frames = |report: &Report| traffic(report, "wan", "frames");
    assert_eq!(frames(&relayed), frames(&direct));
    assert!(metric(&relayed, "requests.succeeded") > 0.0);
    let long = [
        "cohorts[0].metering=Metering()",
        r#"timeline=[(at: "65min", action: OnDemandRead(
            cohort: "homes", what: Tables(numbers: [0, 1, 22, 23])))]"#,
    ];
    let relayed = run_text("tables", VILLAGE, &long);
    let direct = run_text("tables_direct", VILLAGE, &[&long[..], &[DIRECT]].concat());
    let succeeded = metric(&relayed, "requests.succeeded");
    assert!(succeeded > 12.0, "{succeeded} of 24");
    assert_eq!(succeeded, metric(&direct, "requests.succeeded"));
    let segments = |report: &Report| traffic_of(report, "wan", Some("segment"), "frames");
    assert!(segments(&relayed) > 24.0);
    assert_eq!(segments(&relayed), segments(&direct));
}

/// What a capture of the village shows of the medium and the backhaul.
fn frames(report: &Report) -> Vec<Frame> {
    let path = &report.capture.as_ref().expect("a capture").path;
    let log = fs::read_to_string(path.with_extension("keys.jsonl")).expect("a key log");
    let keys = KeyRing::parse(&log).expect("a sound key log");
    let file = fs::read(path).expect("the file");
    let capture = Capture::new(&file, keys).expect("a capture");
    let frames: Result<Vec<_>, _> = capture.frames().collect();
    frames.expect("sound blocks")
}

#[test]
fn a_capture_shows_both_legs_and_whom_a_relay_lies_before() {
    let report = run_text("captured", VILLAGE, &["capture=()"]);
    let frames = frames(&report);
    let c1222 = |frame: &&Frame| frame.line().contains("C12.22");
    let on = |medium: &str| -> Vec<&Frame> {
        let frames = frames.iter().filter(c1222);
        frames.filter(|frame| frame.interface == medium).collect()
    };
    let relay = |frame: &Frame| {
        let ends = [frame.source, frame.destination];
        ends.into_iter()
            .flatten()
            .any(|end| end.ip().to_string().starts_with("172.17."))
    };
    for medium in ["mesh", "wan"] {
        let frames = on(medium);
        assert!(frames.len() > 24 * 12, "{medium}: {}", frames.len());
        let relayed = frames.iter().filter(|frame| relay(frame)).count();
        // Whoever has just joined is asked for nothing before he has registered.
        assert!(
            relayed == frames.len(),
            "{medium}: {relayed} of {}",
            frames.len()
        );
        let secured = frames
            .iter()
            .filter(|frame| !frame.line().contains("clear"));
        for frame in secured {
            let line = frame.line();
            assert!(
                line.contains("MAC verified") || line.contains("segment"),
                "{medium}: {line}"
            );
        }
    }
    // In a test of services the relay is asked as well, and names itself.
    let answers: Vec<String> = on("wan")
        .into_iter()
        .filter(|frame| frame.line().contains("clear"))
        .filter_map(|frame| frame.find("relay"))
        .map(|relay| relay.text.clone())
        .collect();
    assert!(answers.len() > 5, "{answers:?}");
    assert!(
        answers
            .iter()
            .all(|title| title == ".3.1" || title == ".3.2"),
        "{answers:?}"
    );
    assert_eq!(answers.iter().collect::<BTreeSet<_>>().len(), 2);
}

#[test]
fn relays_do_not_stand_in_the_way_of_power_lines_groups_and_attackers() {
    let cable = r#"Scenario(
        name: "cable", seed: 1, duration: "4h",
        cohorts: [(name: "flats", count: 40, medium: "plc", power_on: Uniform("0s", "10min"))],
        media: {
            "plc": G3Plc(backhaul: "wan", cables: 2, relay: Relay(route_lifetime: "3h")),
            "wan": Wan(latency: Fixed("20ms")),
        },
        keys: (session_lifetime: "5h", reauthenticate: Every("4h", "0%")),
        traffic: (report: (every: "1h", spread: "30min", timeout: "60s")),
        pana: (
            pci: Retransmission(irt: "10s", mrt: "120s", mrc: 0, mrd: "0s"),
            request: Retransmission(irt: "10s", mrt: "60s", mrc: 10, mrd: "0s"),
        ),
    )"#;
    let direct = run_text("cable_direct", cable, &["media.plc.relay=None"]);
    let relayed = run_text("cable", cable, &[]);
    for path in ["meters.joined_ratio", "reads.delivered"] {
        assert_eq!(metric(&relayed, path), metric(&direct, path), "{path}");
    }
    assert!(metric(&relayed, "reads.delivered") > 0.0);

    let order = r#"timeline=[(at: "2h", action: DemandResponse(
        id: 7, cohort: "homes", duration: "1h", level: "40%",
        delivery: Group(fallback_after: "5min")))]"#;
    let group = shipped(
        "mesh_rotation",
        &[
            "duration=150min",
            "headend.groups.confirm_spacing=500ms",
            "expect=[]",
            order,
        ],
    );
    assert!(metric(&group, "demand_response.received_by_group") >= 195.0);
    assert!(metric(&group, "demand_response.confirmed") >= 195.0);

    let hole = shipped("attacks/grey_hole_mesh", &[]);
    assert!(hole.meets_expectations(), "{hole}");
}

#[test]
fn the_shipped_scenario_does_what_it_says() {
    let report = shipped("mesh_relay", &[]);
    assert!(report.meets_expectations(), "{report}");
}

/// A shipped scenario with a relay at its border router.
fn shipped(name: &str, sets: &[&str]) -> Report {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../scenarios/{name}.ron"));
    let sets = [
        &[
            "media.mesh.relay=Relay(route_lifetime: \"2h\")",
            "sweep=Sweep()",
        ],
        sets,
    ]
    .concat();
    let loaded = load(&path, &overrides(&sets)).unwrap_or_else(|report| panic!("{report}"));
    let test = name.replace('/', "_");
    run_fresh(&test, &loaded, Options::default()).expect("the run ends in order")
}

#[test]
fn what_attackers_say_through_a_relay_or_around_it_is_refused() {
    let attacked = |test: &str, attack: &str, sets: &[&str]| {
        let attacker = format!(
            r#"attackers=[(name: "mallory", {attack}, foothold: Relays(count: 1), start: "1h")]"#
        );
        let sets = [&[attacker.as_str(), "timeline=[]"], sets].concat();
        let report = run_text(test, VILLAGE, &sets);
        assert_eq!(metric(&report, "reads.completeness_ratio"), 1.0, "{test}");
        report.summary.breakdown("attacks.outcomes")
    };
    let replay = "attack: Replay(delay: \"3min\"), position: Tap";
    let behind = attacked("replay", replay, &[]);
    assert_eq!(behind, attacked("replay_direct", replay, &[DIRECT]));
    assert!(behind["request_rejected"] > 100, "{behind:?}");
    let tamper =
        "attack: Tamper(what: BitFlip(protocols: C1222, share: \"20%\")), position: OnPath";
    let behind = attacked("tamper", tamper, &[]);
    assert!(behind["request_rejected"] > 30 && behind["response_rejected"] > 30);
    assert!(!behind.contains_key("request_accepted") && !behind.contains_key("response_accepted"));
}

#[test]
fn what_a_relay_cannot_have_is_said_where_it_stands() {
    let set = "media.mesh.relay=Relay(route_lifetime: \"10s\", nodes_max: 0)";
    let report = load_text("test.ron", VILLAGE, &overrides(&[set])).expect_err("two mistakes");
    let text = report.to_string();
    for wanted in [
        "a relay knows a way for 1min to 366d",
        "a relay remembers 1 to 100000 titles",
    ] {
        assert!(text.contains(wanted), "{text}");
    }
    let set = "media.wan.relay=Relay()";
    let report = load_text("test.ron", VILLAGE, &overrides(&[set])).expect_err("no shared medium");
    assert!(report.to_string().contains("relay"), "{report}");
}
