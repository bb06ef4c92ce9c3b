//! Campaigns, many attackers at once, what they leave untouched, and the defences to choose from.

mod common;

use std::path::{Path, PathBuf};

use common::{metric as number, overrides, run_fresh};
use reports::read::numbers;
use reports::{AttackRow, Results, Row};
use sim::run::{Options, Report};
use sim::scenario::load;

fn scenario(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../scenarios/attacks")
        .join(format!("{name}.ron"))
}

fn arm(test: &str, name: &str, sets: &[&str]) -> Report {
    let loaded = load(&scenario(name), &overrides(sets));
    let loaded = loaded.unwrap_or_else(|report| panic!("{report}"));
    run_fresh(test, &loaded, Options::default()).expect("the run ends in order")
}

/// Times, victims and outcomes of everything that `attacker` did.
fn deeds(report: &Report, attacker: &str) -> Vec<(u64, Option<u32>, String)> {
    let table = Results::open(&report.folder).table(AttackRow::TABLE);
    let table = table.expect("a table");
    let text = |name| {
        let column = table.column(name).expect("a column").str().expect("text");
        let values: Vec<String> = column.iter().flatten().map(str::to_owned).collect();
        values
    };
    let (who, what, outcome) = (text("attacker"), text("action"), text("outcome"));
    let times = numbers(&table, "time_ns").expect("numbers");
    let meters = table.column("meter").expect("a column").u32();
    let meters: Vec<Option<u32>> = meters.expect("numbers").iter().collect();
    (0..who.len())
        .filter(|row| who[*row] == attacker)
        .map(|row| {
            let deed = format!("{} {}", what[row], outcome[row]);
            (times[row] as u64, meters[row], deed)
        })
        .collect()
}

#[test]
fn a_campaign_starts_ramps_up_and_stops() {
    let flood = |count, every: &str, ramp: &str| {
        format!(
            "attackers=[(name: \"flood\", attack: Flood, position: Remote, count: {count}, \
             every: \"{every}\", start: \"10min\", stop: \"15min\", ramp: \"{ramp}\")]"
        )
    };
    let stateless = "pana.stateless=true";
    let arm = |test: &str, flood: &str| arm(test, "paa_flood", &[stateless, flood]);
    for (test, count, every) in [("one", 1, "10ms"), ("eight", 8, "80ms")] {
        let report = arm(&format!("ramp_{test}"), &flood(count, every, "2min"));
        let times: Vec<f64> = deeds(&report, "flood")
            .iter()
            .map(|(time, ..)| *time as f64 / 1e9)
            .collect();
        // A datagram is noted at its arrival, 20 to 80 ms after it was sent.
        let inside = times.iter().all(|time| (600.0..900.1).contains(time));
        assert!(inside, "nothing before the start or after the stop");
        let within = |from: f64, to: f64| {
            let within = times.iter().filter(|time| (from..to).contains(*time));
            within.count() as f64
        };
        // 100 per second, growing linearly from zero in the first two minutes.
        for (from, to, expected) in [
            (600.0, 660.0, 1_500.0),
            (660.0, 720.0, 4_500.0),
            (720.0, 900.1, 18_000.0),
        ] {
            let counted = within(from, to);
            let sigma = f64::sqrt(expected);
            assert!(
                (counted - expected).abs() < 5.0 * sigma,
                "{test}: {counted} of {expected} between {from} s and {to} s"
            );
        }
    }
}

const TERMINATE: &str = r#"(name: "terminate", attack: Spoof(message: Termination), position: Tap,
    start: "30min", fraction: "50%")"#;
const REPLAY: &str = r#"(name: "replay", attack: Replay(delay: "1min", share: "30%"), position: Tap,
    start: "35min")"#;
const FLOOD: &str = r#"(name: "flood", attack: Flood, position: Remote, every: "100ms", count: 5)"#;

#[test]
fn attackers_do_not_shift_each_others_draws() {
    let with = |test, attackers: &[&str]| {
        let attackers = format!("attackers=[{}]", attackers.join(", "));
        arm(
            test,
            "town",
            &["duration=2h", "headend.instances=2", &attackers],
        )
    };
    let alone = with("alone", &[TERMINATE]);
    let expected = deeds(&alone, "terminate");
    assert!(expected.len() > 2_000, "{}", expected.len());
    for (test, attackers) in [
        ("behind", &[TERMINATE, REPLAY, FLOOD][..]),
        ("before", &[FLOOD, REPLAY, TERMINATE][..]),
    ] {
        let report = with(test, attackers);
        assert!(deeds(&report, "replay").len() > 100);
        assert!(deeds(&report, "terminate") == expected, "{test}");
    }
    let renamed = TERMINATE.replace("\"terminate\"", "\"another\"");
    let renamed = with("renamed", &[&renamed]);
    assert!(
        deeds(&renamed, "another") != expected,
        "the name is the seed"
    );
}

#[test]
fn an_attacker_who_has_not_begun_has_changed_nothing() {
    let sets = ["duration=2h"];
    let town = arm("unattacked", "town", &sets);
    assert_eq!(town.digest, town.benign_digest);
    for (index, (attack, position)) in [
        ("Flood", "Remote"),
        ("Rogue", "Remote"),
        ("Clone", "Remote"),
        ("Replay(delay: \"1s\")", "Tap"),
        ("Spoof(message: Termination)", "Tap"),
        ("Spoof(message: Reauthentication)", "Tap"),
        ("Spoof(message: Initiation)", "Tap"),
        ("Spoof(message: Failure)", "Tap"),
        ("Eavesdrop(leak: PreSharedKey(at: \"1h\"))", "Tap"),
        ("Dictionary(digits: 2, guesses: 100)", "Tap"),
        ("Tamper(what: Downgrade)", "OnPath"),
        ("Tamper(what: BitFlip())", "OnPath"),
        ("Forge(family: CleartextBlock)", "Remote"),
        ("Forge(family: CiphertextBlock)", "Remote"),
        ("Block()", "OnPath"),
        ("Delay(by: \"1min\")", "OnPath"),
        ("Jam(burst: \"1s\", period: \"1s\")", "Tap"),
    ]
    .into_iter()
    .enumerate()
    {
        let attackers = format!(
            "attackers=[(name: \"late\", attack: {attack}, position: {position}, \
             knowledge: PreSharedKeys, start: \"1h59min59s999999us\", every: \"1h\")]"
        );
        let report = arm(&format!("late_{index}"), "town", &[sets[0], &attackers]);
        // Meters in the hands of an attacker switch on in the last microsecond.
        assert_eq!(report.benign_digest, town.digest, "{attack}");
        assert_eq!(number(&report, "attacks.datagrams_accepted"), 0.0);
    }
}

#[test]
fn what_is_rejected_leaves_no_trace_in_benign_events() {
    // Cores enough that nobody waits for an attacker's datagram to be looked at.
    let sets = ["duration=2h", "headend.cores=64"];
    let town = arm("traceless_town", "town", &sets);
    let attackers = format!(
        "attackers=[{TERMINATE}, {}]",
        TERMINATE.replace("terminate", "again")
    );
    let forged = arm("traceless_forged", "town", &[sets[0], sets[1], &attackers]);
    assert!(number(&forged, "attacks.datagrams_rejected") > 4_000.0);
    assert_ne!(forged.digest, town.digest);
    assert_eq!(forged.benign_digest, town.digest);

    let stateless = [sets[0], sets[1], "pana.stateless=true"];
    let quiet = arm("traceless_quiet", "town", &stateless);
    let flood = "attackers=[(name: \"flood\", attack: Flood, position: Remote, every: \"50ms\")]";
    let flood = [&stateless[..], &[flood]].concat();
    let flooded = arm("traceless_flood", "town", &flood);
    assert!(number(&flooded, "attacks.datagrams_accepted") > 140_000.0);
    assert_eq!(flooded.benign_digest, quiet.digest);
}

#[test]
fn a_limit_by_network_keeps_a_flood_out_and_one_by_address_does_not() {
    let limited = |test, prefix| {
        let limit =
            format!("headend.pci_limit=PciLimit(prefix: {prefix}, every: \"1s\", burst: 10)");
        arm(test, "paa_flood", &[&limit])
    };
    let networks = limited("limit_16", 16);
    // 198.18.0.0/15 is two networks of 16 bits: one token a second each for 300 s, and a burst.
    let answered = number(&networks, "attacks.datagrams_accepted");
    assert!((590.0..=620.0).contains(&answered), "{answered}");
    let causes = networks.summary.breakdown("attacks.causes");
    assert!(causes["rate_limited"] > 290_000, "{causes:?}");
    assert!(number(&networks, "headend.half_open_max") < 420.0);
    assert!(number(&networks, "meters.time_to_join_s.max") < 30.0);
    let addresses = limited("limit_32", 32);
    let time = number(&addresses, "attacks.time_to_exhaustion_s");
    assert!((19.0..22.0).contains(&time), "{time}: every source is new");
}

#[test]
fn failures_without_a_key_are_ignored_on_demand() {
    let sets = ["pana.unprotected_failure=false"];
    let report = arm("protected_only", "spoofed_failure", &sets);
    assert!(number(&report, "attacks.datagrams_rejected") > 200.0);
    assert_eq!(number(&report, "attacks.datagrams_accepted"), 0.0);
    assert_eq!(number(&report, "auth.failed"), 0.0);
    assert!(number(&report, "meters.time_to_join_s.max") < 30.0);
}

#[test]
fn an_identity_is_admitted_in_one_place_on_demand() {
    let report = arm("one_place", "clone", &["headend.one_place=true"]);
    assert!(number(&report, "attacks.authentications") >= 20.0);
    assert_eq!(number(&report, "attacks.authentications_accepted"), 0.0);
    let outcomes = report.summary.breakdown("attacks.outcomes");
    assert_eq!(outcomes.get("report_accepted"), None, "{outcomes:?}");
    assert_eq!(number(&report, "auth.failed"), 0.0);
    assert!(number(&report, "reads.completeness_ratio") > 0.999);
    // The price: whoever comes first is the meter. Originals that boot later stay out.
    let early = [
        "headend.one_place=true",
        "attackers.clones.start=0s",
        "attackers.clones.ramp=0s",
        r#"cohorts.homes.power_on=Uniform("30min", "50min")"#,
    ];
    let report = arm("one_place_early", "clone", &early);
    assert!(number(&report, "attacks.authentications_accepted") >= 15.0);
    let joined = number(&report, "meters.joined");
    assert!((180.0..=185.0).contains(&joined), "{joined}");
}

#[test]
fn the_acceptance_window_bounds_how_long_a_message_can_be_held() {
    let held = |test, window: &str| {
        let attackers = r#"attackers=[(name: "hold", attack: Delay(by: "20min", protocols: C1222),
            position: OnPath, start: "1h", stop: "2h")]"#;
        let window = format!("headend.acceptance_window={window}");
        arm(test, "town", &["duration=3h", attackers, &window])
    };
    let strict = held("window_15min", "15min");
    let outcomes = strict.summary.breakdown("attacks.outcomes");
    assert_eq!(outcomes.get("request_accepted"), None, "{outcomes:?}");
    let causes = strict.summary.breakdown("attacks.causes");
    assert!(causes["acceptance_window"] > 500, "{causes:?}");
    let lenient = held("window_30min", "30min");
    let outcomes = lenient.summary.breakdown("attacks.outcomes");
    assert!(outcomes["request_accepted"] > 100, "{outcomes:?}");
}
