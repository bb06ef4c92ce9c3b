//! Attackers in the stations of a mesh and a power line: what they hear, forward and drown out.

mod common;

use std::collections::BTreeSet;
use std::fs;

use common::{metric as number, overrides, run_fresh};
use reports::read::numbers;
use reports::{MeterRow, Results, Row, TrafficRow};
use sim::run::{Options, Report};
use sim::scenario::load_text;

/// Houses far enough apart for three hops below one border router.
const VILLAGE: &str = r#"Scenario(
    name: "village",
    seed: 1,
    duration: "4h",
    cohorts: [(
        name: "homes", count: 60, medium: "mesh",
        power_on: Uniform("0s", "5min"), boot: Fixed("5s"),
    )],
    media: {
        "mesh": Mesh(
            phy: Oqpsk24, backhaul: "wan",
            topology: StreetGrid(lot_m: 60.0, block_m: 240.0, scatter_m: 0.0),
        ),
        "wan": Wan(latency: Fixed("20ms")),
    },
    keys: (session_lifetime: "2h", reauthenticate: Every("1h", "5%"), overlap: "5min"),
    traffic: (report: (every: "15min", spread: "5min", timeout: "10s")),
)"#;

/// A cable of houses behind one coordinator.
const CABLE: &str = r#"Scenario(
    name: "cable",
    seed: 1,
    duration: "4h",
    cohorts: [(name: "flats", count: 60, medium: "plc", power_on: Uniform("0s", "30min"))],
    media: {
        "plc": G3Plc(band: CenelecA, backhaul: "wan", meters_per_concentrator: 60, cables: 1),
        "wan": Wan(latency: Fixed("20ms")),
    },
    keys: (session_lifetime: "2h", reauthenticate: Every("1h", "5%"), overlap: "5min"),
    traffic: (report: (every: "1h", spread: "30min", timeout: "60s")),
    pana: (
        pci: Retransmission(irt: "10s", mrt: "120s", mrc: 0, mrd: "0s"),
        request: Retransmission(irt: "10s", mrt: "60s", mrc: 10, mrd: "0s"),
    ),
)"#;

/// Runs `text` with one attacker of the given fields, or none.
fn attacked(test: &str, text: &str, attacker: &str, sets: &[&str]) -> Report {
    let attackers = match attacker {
        "" => "attackers=[]".to_owned(),
        fields => format!("attackers=[(name: \"mallory\", {fields})]"),
    };
    let sets = [overrides(sets), vec![attackers]].concat();
    let loaded = load_text("test.ron", text, &sets).unwrap_or_else(|report| panic!("{report}"));
    run_fresh(test, &loaded, Options::default()).expect("the run ends in order")
}

/// How often attackers saw this outcome of this action.
fn outcomes(report: &Report, name: &str) -> u64 {
    let outcomes = report.summary.breakdown("attacks.outcomes");
    outcomes.get(name).copied().unwrap_or(0)
}

/// Accepted datagrams of attackers, by action.
fn accepted(report: &Report) -> Vec<String> {
    let outcomes = report.summary.breakdown("attacks.outcomes");
    let names = outcomes.into_keys();
    names.filter(|name| name.ends_with("_accepted")).collect()
}

fn column(report: &Report, name: &str) -> Vec<f64> {
    let table = Results::open(&report.folder).table(MeterRow::TABLE);
    numbers(&table.expect("a table"), name).expect("numbers")
}

/// Meters that never had a key.
fn outsiders(report: &Report) -> BTreeSet<usize> {
    let keys = column(report, "keys_derived");
    (0..keys.len())
        .filter(|meter| keys[*meter] == 0.0)
        .collect()
}

#[test]
fn who_only_listens_or_forwards_leaves_no_trace() {
    for (medium, text) in [("mesh", VILLAGE), ("plc", CABLE)] {
        let quiet = attacked(&format!("{medium}_quiet"), text, "", &[]);
        let tap = r#"attack: Eavesdrop(leak: PreSharedKey(at: "3h")), position: Tap,
            knowledge: PreSharedKeys, foothold: Relays(count: 3)"#;
        let tap = attacked(&format!("{medium}_tap"), text, tap, &[]);
        assert_eq!(tap.digest, quiet.digest, "{medium}");
        assert!(number(&tap, "attacks.messages_recorded") > 100.0);
        assert_eq!(number(&tap, "attacks.read_ratio"), 1.0, "the key opens all");
        // A forwarding station whose campaign begins when all is over.
        let late = r#"attack: Block(), position: OnPath, foothold: Relays(count: 3),
            start: "3h59min59s999999us""#;
        let late = attacked(&format!("{medium}_late"), text, late, &[]);
        assert_eq!(late.digest, quiet.digest, "{medium}");
        assert_eq!(late.benign_digest, quiet.benign_digest);
        assert_eq!(late.events, quiet.events);
    }
}

#[test]
fn a_message_is_heard_where_it_comes_by_and_only_once() {
    let record = |test, foothold: &str| {
        let tap = format!("attack: Eavesdrop(), position: Tap, foothold: {foothold}");
        attacked(test, VILLAGE, &tap, &[])
    };
    let root = record("heard_access", "Access");
    let all = number(&root, "attacks.messages_recorded");
    let relay = record("heard_relay", "Relays()");
    let relayed = number(&relay, "attacks.messages_recorded");
    // A station hears more than what reaches the head-end: what is lost behind it as well.
    assert!(
        relayed > 0.5 * all && relayed < 1.2 * all,
        "{relayed} {all}"
    );
    let edge = record("heard_edge", "Meter(number: 59)");
    let heard = outcomes(&edge, "record_accepted");
    assert!(heard > 0 && heard < 60, "{heard} of 60 meters");
}

#[test]
fn a_grey_hole_starves_whom_it_forwards_for_and_nobody_sees_a_bad_link() {
    for (medium, text) in [("mesh", VILLAGE), ("plc", CABLE)] {
        let hole = "attack: Block(protocols: Pana), position: OnPath, foothold: Relays()";
        let quiet = attacked(&format!("{medium}_hole_quiet"), text, "", &[]);
        assert!(outsiders(&quiet).is_empty(), "{medium}");
        let early = attacked(&format!("{medium}_hole"), text, hole, &[]);
        assert!(number(&early, "attacks.datagrams_dropped") > 0.0);
        let (out, hops) = (outsiders(&early), column(&quiet, "hop_count"));
        assert!(!out.is_empty() && out.len() < 60, "{medium}: {out:?}");
        assert!(
            out.iter().all(|meter| hops[*meter] > 1.0),
            "{medium}: whoever hears the root needs nobody: {out:?}"
        );
        let later = attacked(
            &format!("{medium}_hole_later"),
            text,
            &hole.replace("Relays()", "Relays(count: 3), start: \"1h\""),
            &[],
        );
        assert_eq!(number(&later, "meters.joined_ratio"), 1.0, "{medium}");
        // Their keys end two hours after the last authentication; some find another way then.
        let reads = |report| number(report, "reads.completeness_ratio");
        assert!(reads(&later) < reads(&quiet) - 0.02, "{medium}");
        assert_eq!(number(&later, "keys.used_after_expiry"), 0.0);
    }
}

#[test]
fn a_hole_for_the_application_leaves_authentication_alone() {
    let hole = "attack: Block(protocols: C1222), position: OnPath, foothold: Relays()";
    let (quiet, deaf) = (
        attacked("application_quiet", VILLAGE, "", &[]),
        attacked("application", VILLAGE, hole, &[]),
    );
    assert_eq!(number(&deaf, "meters.joined_ratio"), 1.0);
    assert!(number(&deaf, "reads.completeness_ratio") < 0.95);
    let failed = |report| number(report, "auth.failed");
    assert!(failed(&deaf) <= failed(&quiet) + 2.0);
}

#[test]
fn a_relay_that_alters_what_it_forwards_is_caught() {
    let downgrade = "attack: Tamper(what: Downgrade), position: OnPath, foothold: Relays()";
    // A village in which the busiest relay has meters to bring in.
    let both = ["pana.algorithms=[HmacSha256, HmacSha1]", "seed=2"];
    let report = attacked("downgrade", VILLAGE, downgrade, &both);
    let causes = report.summary.breakdown("attacks.causes");
    assert!(
        outcomes(&report, "par_start_accepted") > 0,
        "the offer is taken"
    );
    assert_eq!(causes.get("algorithm_unacceptable"), None, "{causes:?}");
    assert!(!outsiders(&report).is_empty(), "and AUTH fails for good");
    let causes = report.summary.breakdown("rejects.causes");
    assert!(causes["auth_invalid"] > 0, "{causes:?}");

    // The defence: the meter accepts nothing weak, so it knows at the first message.
    let strong = ["pana.algorithms=[HmacSha256]", "seed=2"];
    let report = attacked("downgrade_refused", VILLAGE, downgrade, &strong);
    let causes = report.summary.breakdown("attacks.causes");
    assert_eq!(outcomes(&report, "par_start_accepted"), 0);
    assert!(causes["algorithm_unacceptable"] > 0, "{causes:?}");

    let flip = r#"attack: Tamper(what: BitFlip(protocols: C1222, share: "50%")),
        position: OnPath, foothold: Relays()"#;
    let report = attacked("flip", VILLAGE, flip, &[]);
    assert!(number(&report, "attacks.datagrams_rejected") > 100.0);
    assert_eq!(number(&report, "attacks.datagrams_accepted"), 0.0);
    let clear = ["traffic.report.security=Clear"];
    let report = attacked("flip_clear", VILLAGE, flip, &clear);
    assert!(number(&report, "attacks.datagrams_accepted") > 10.0);
}

#[test]
fn replays_and_forgeries_over_the_air_fail_as_over_a_wire() {
    let replay = r#"attack: Replay(delay: "20s"), position: Tap, foothold: Relays(),
        start: "30min""#;
    let report = attacked("replay", VILLAGE, replay, &[]);
    assert!(number(&report, "attacks.datagrams_rejected") > 1_000.0);
    assert_eq!(accepted(&report), [""; 0], "after authentication none is");
    let spoof = |message, start: &str| {
        format!(
            "attack: Spoof(message: {message}), position: Tap, foothold: Relays(count: 3), {start}"
        )
    };
    let forged = spoof("Termination", "start: \"1h\"");
    let report = attacked("terminate", VILLAGE, &forged, &[]);
    assert!(number(&report, "attacks.datagrams_rejected") > 5_000.0);
    assert_eq!(number(&report, "attacks.datagrams_accepted"), 0.0);

    // Before there is a key, a failure is believed: meters near the stations stay out.
    let report = attacked("failure", VILLAGE, &spoof("Failure", ""), &[]);
    assert!(outcomes(&report, "failure_accepted") > 100);
    let out = outsiders(&report);
    assert!(!out.is_empty() && out.len() < 60, "{out:?}");
}

#[test]
fn what_is_held_beyond_the_acceptance_window_is_refused() {
    let delay = |by| {
        format!(
            "attack: Delay(by: \"{by}\", protocols: C1222), position: OnPath, \
             foothold: Relays(), start: \"1h\""
        )
    };
    let late = attacked("late", VILLAGE, &delay("20min"), &[]);
    let causes = late.summary.breakdown("attacks.causes");
    assert!(causes["acceptance_window"] > 100, "{causes:?}");
    assert_eq!(outcomes(&late, "request_accepted"), 0);
    // Held for less than a report is repeated: later, and that is all.
    let short = attacked("short", VILLAGE, &delay("3s"), &[]);
    assert!(outcomes(&short, "request_accepted") > 100);
    assert_eq!(number(&short, "reads.completeness_ratio"), 1.0);
    let quiet = attacked("short_quiet", VILLAGE, "", &[]);
    let slower =
        number(&short, "messages.latency_s.p99") - number(&quiet, "messages.latency_s.p99");
    assert!((2.9..3.5).contains(&slower), "{slower}");
}

#[test]
fn a_jammer_silences_its_surroundings_for_the_time_that_it_sends() {
    let jam = |foothold, burst| {
        format!(
            "attack: Jam(burst: \"{burst}\", period: \"1min\"), position: Tap, \
             foothold: {foothold}, start: \"2h\""
        )
    };
    // All the time, next to the busiest relay: nothing comes through its surroundings.
    let report = attacked("jam_all", VILLAGE, &jam("Relays()", "1min"), &[]);
    let due = column(&report, "reads_due");
    let delivered = column(&report, "reads_delivered");
    let deaf = |meter: &usize| delivered[*meter] <= 0.55 * due[*meter];
    let silenced = (0..60).filter(deaf).count();
    assert!(silenced > 20, "{silenced} of 60 lose the second half");
    assert!(number(&report, "attacks.datagrams_dropped") > 1_000.0);
    // A datagram that meets a burst of 1 s is repeated 10 s later.
    let report = attacked("jam_short", VILLAGE, &jam("Relays()", "1s"), &[]);
    assert!(number(&report, "reads.completeness_ratio") > 0.99);
    assert!(number(&report, "attacks.datagrams_dropped") > 10.0);
    // At the edge, few hear it.
    let edge = attacked("jam_edge", VILLAGE, &jam("Meter(number: 59)", "1min"), &[]);
    let delivered = column(&edge, "reads_delivered");
    let deaf = |meter: &usize| delivered[*meter] <= 0.55 * due[*meter];
    let few = (0..60).filter(deaf).count();
    assert!(few > 0 && few < silenced, "{few} of {silenced}");
}

#[test]
fn what_attackers_send_takes_airtime_and_has_rows_of_its_own() {
    let flood = "attack: Flood, position: Remote, foothold: Relays(), count: 20, start: \"1h\"";
    let flooded = attacked("flood", VILLAGE, flood, &[]);
    let table = Results::open(&flooded.folder).table(TrafficRow::TABLE);
    let table = table.expect("a table");
    let authors = table.column("attacker").expect("a column");
    let authors: Vec<Option<&str>> = authors.str().expect("text").iter().collect();
    let (frames, airtime) = (
        numbers(&table, "frames").expect("numbers"),
        numbers(&table, "airtime_ns").expect("numbers"),
    );
    let own = |row: &usize| authors[*row] == Some("mallory");
    let rows: Vec<usize> = (0..authors.len()).filter(own).collect();
    let frames: f64 = rows.iter().map(|row| frames[*row]).sum();
    assert_eq!(frames, number(&flooded, "attacks.traffic_frames"));
    // One hop at least and the backhaul, for a PCI every 50 ms over three hours.
    assert!(frames > 1.9 * 20.0 * 3.0 * 3_600.0, "{frames}");
    assert!(rows.iter().all(|row| airtime[*row] > 0.0));
    let quiet = attacked("flood_quiet", VILLAGE, "", &[]);
    let fleet = |report| number(report, "traffic.pana_bytes");
    assert!(
        (fleet(&flooded) / fleet(&quiet) - 1.0).abs() < 0.02,
        "the fleet's own traffic is counted apart"
    );
}

#[test]
fn attacked_meshes_do_not_depend_on_threads() {
    let loaded = |threads| {
        let sets = [
            "headend.instances=3".to_owned(),
            "media.mesh.meters_per_concentrator=10".to_owned(),
            r#"attackers=[
                (name: "a", attack: Tamper(what: BitFlip(share: "10%")), position: OnPath,
                 foothold: Relays(count: 2)),
                (name: "b", attack: Replay(delay: "5s", share: "20%"), position: Tap,
                 foothold: Relays()),
                (name: "c", attack: Delay(by: "1s", share: "20%"), position: OnPath,
                 foothold: Relays()),
                (name: "d", attack: Jam(burst: "1s", period: "20s"), position: Tap,
                 foothold: Relays()),
            ]"#
            .to_owned(),
        ];
        let loaded = load_text("test.ron", VILLAGE, &sets);
        let loaded = loaded.unwrap_or_else(|report| panic!("{report}"));
        let options = Options {
            threads,
            ..Options::default()
        };
        let test = format!("threads_{threads}");
        run_fresh(&test, &loaded, options).expect("the run ends in order")
    };
    let (one, two) = (loaded(1), loaded(2));
    assert_eq!(one.digest, two.digest);
    assert_eq!(one.benign_digest, two.benign_digest);
    for table in ["attacks", "traffic", "rejects", "auth"] {
        let octets = |report: &Report| fs::read(report.folder.join(format!("{table}.parquet")));
        assert_eq!(octets(&one).unwrap(), octets(&two).unwrap(), "{table}");
    }
}

#[test]
fn footholds_that_cannot_be_are_refused_where_they_are_written() {
    let mistakes = |fields: &str, sets: &[&str]| {
        let attackers = format!("attackers=[(name: \"mallory\", {fields})]");
        let sets = [overrides(sets), vec![attackers]].concat();
        let report = load_text("test.ron", VILLAGE, &sets).expect_err("a mistake");
        report.to_string()
    };
    let hole = "attack: Block(), position: OnPath, foothold:";
    let wan = ["cohorts[0].medium=wan"];
    for (fields, sets, wanted) in [
        (
            format!("{hole} Relays(count: 0)"),
            &[][..],
            "1 to 64 relays",
        ),
        (
            format!("{hole} Meter(number: 60)"),
            &[],
            "no meter of this number",
        ),
        (
            format!("{hole} Relays()"),
            &wan,
            "no victim shares a medium",
        ),
        (
            format!("{hole} Meter(number: 5)"),
            &wan,
            "a link of its own",
        ),
        (
            "attack: Rogue, position: Remote, knowledge: Identities, foothold: Relays()".to_owned(),
            &[],
            "a foothold has no effect",
        ),
        (
            "attack: Delay(by: \"0s\"), position: OnPath".to_owned(),
            &[],
            "longer than nothing",
        ),
        (
            "attack: Delay(by: \"1s\"), position: Tap".to_owned(),
            &[],
            "cannot be made from there",
        ),
    ] {
        let report = mistakes(&fields, sets);
        assert!(report.contains(wanted), "{fields}: {report}");
        assert!(report.contains("--set"), "located: {report}");
    }
}
