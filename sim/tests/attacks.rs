//! Attacks end to end: each succeeds where theory says it must and fails where it must.
//!
//! The scenarios of `scenarios/attacks` are one arm each; the other arm is an override.

mod common;

use std::path::{Path, PathBuf};

use common::{metric as number, overrides, run_fresh};
use models::fleet::Partition;
use reports::summary::metrics;
use sim::run::{Options, Report, RunError, verify};
use sim::scenario::load;

fn scenario(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../scenarios/attacks")
        .join(format!("{name}.ron"))
}

fn attempt(test: &str, name: &str, sets: &[&str], options: Options) -> Result<Report, RunError> {
    let loaded = load(&scenario(name), &overrides(sets));
    let loaded = loaded.unwrap_or_else(|report| panic!("{report}"));
    run_fresh(test, &loaded, options)
}

/// An arm with overrides; its expectations are those of the other arm.
fn arm(test: &str, name: &str, sets: &[&str]) -> Report {
    attempt(test, name, sets, Options::default()).expect("the run ends in order")
}

/// The arm that the scenario describes, whose expectations hold.
fn as_told(name: &str) -> Report {
    let report = arm(name, name, &[]);
    let failed: Vec<String> = report
        .verdicts
        .iter()
        .filter(|verdict| !verdict.holds)
        .map(ToString::to_string)
        .collect();
    assert!(failed.is_empty(), "{name}: {failed:?}\n{report}");
    report
}

#[test]
fn orders_are_obeyed_again_after_a_power_cut_only_if_keys_outlive_the_memory_of_messages() {
    let report = as_told("replay_reboot");
    let orders = number(&report, "commands.count");
    assert_eq!(number(&report, "commands.confirmed"), orders);
    // Not when the recorded order was obeyed, ten minutes later, but when the true one was.
    assert!(number(&report, "commands.latency_s.max") < 10.0);
    for defence in ["keys.playback=Nvram", "keys.storage=Volatile"] {
        let report = arm("replay_reboot_not", "replay_reboot", &[defence]);
        assert!(number(&report, "attacks.datagrams") > 1_000.0);
        assert_eq!(number(&report, "attacks.datagrams_accepted"), 0.0);
    }
}

#[test]
fn a_flood_fills_a_table_in_limit_over_rate_seconds_and_stateless_answers_none() {
    as_told("paa_flood");
    let half = arm(
        "flood_half",
        "paa_flood",
        &["headend.half_open_limit=10000"],
    );
    let time = number(&half, "attacks.time_to_exhaustion_s");
    assert!(
        (time / 10.0 - 1.0).abs() < 0.05,
        "10,000 at 1,000/s: {time}"
    );

    let stateless = arm("flood_stateless", "paa_flood", &["pana.stateless=true"]);
    assert_eq!(stateless.summary.get("attacks.time_to_exhaustion_s"), None);
    assert!(
        number(&stateless, "headend.half_open_max") < 20.0,
        "only meters that join"
    );
    assert_eq!(number(&stateless, "attacks.datagrams_rejected"), 0.0);
    assert_eq!(number(&stateless, "auth.failed"), 0.0);
    assert!(number(&stateless, "meters.time_to_join_s.max") < 30.0);
}

#[test]
fn a_meter_comes_in_with_the_key_and_never_without() {
    as_told("rogue_meter");
    let clones = as_told("clone");
    let outcomes = clones.summary.breakdown("attacks.outcomes");
    assert!(outcomes["report_accepted"] > 50, "{outcomes:?}");
    let key_lost = clones.summary.breakdown("rejects.causes");
    assert!(
        key_lost["key_expired"] > 50,
        "originals lose their keys to clones: {key_lost:?}"
    );
}

#[test]
fn a_replay_is_never_accepted_unless_nothing_is_protected() {
    let replayed = as_told("replay");
    let outcomes = replayed.summary.breakdown("attacks.outcomes");
    assert!(outcomes["request_rejected"] > 5_000, "{outcomes:?}");

    let clear = [
        "traffic.report.security=Clear",
        "attackers[0].attack.protocols=C1222",
        "attackers[1].attack.protocols=C1222",
        "timeline=[]",
    ];
    let clear = arm("replay_clear", "replay", &clear);
    let outcomes = clear.summary.breakdown("attacks.outcomes");
    let rejected = outcomes.get("request_rejected").copied().unwrap_or(0);
    assert!(outcomes["request_accepted"] > 5_000, "{outcomes:?}");
    assert_eq!(rejected, 0, "whatever is in clear is taken: {outcomes:?}");
}

#[test]
fn what_needs_the_authentication_key_cannot_be_forged() {
    let forged = as_told("forced_termination");
    let causes = forged.summary.breakdown("attacks.causes");
    assert!(causes["auth_invalid"] > 1_000, "{causes:?}");
    assert!(causes["auth_missing"] > 1_000, "{causes:?}");

    let initiation = [
        "attackers[0].attack.message=Initiation",
        "attackers[1].attack.message=Initiation",
    ];
    let accepted = arm("initiation", "forced_termination", &initiation);
    assert!(number(&accepted, "attacks.datagrams_accepted") > 1_000.0);
    assert_eq!(
        number(&accepted, "auth.initial"),
        200.0,
        "nobody is thrown out"
    );
    let kept = "headend.replace_on_new_pci=false";
    let refused = arm(
        "initiation_kept",
        "forced_termination",
        &[
            initiation[0],
            initiation[1],
            kept,
            "attackers[0].start=31min",
            "attackers[1].start=31min",
        ],
    );
    assert_eq!(number(&refused, "attacks.datagrams_accepted"), 0.0);
}

#[test]
fn before_there_is_a_key_a_forged_failure_keeps_meters_out() {
    as_told("spoofed_failure");
}

#[test]
fn a_leaked_psk_opens_everything_and_a_session_key_its_epoch() {
    let psk = as_told("eavesdrop_psk");
    let town = as_told("town");
    assert_eq!(
        psk.digest, town.digest,
        "whoever only listens changes nothing"
    );
    assert_eq!(psk.events, town.events);

    let exposure = as_told("exposure");
    let mean = number(&exposure, "attacks.exposure_s.mean");
    assert!(
        (mean / 2_100.0 - 1.0).abs() < 0.12,
        "P/2 + overlap = 2,100 s: {mean}"
    );
    let shorter = [
        r#"keys.reauthenticate=Every("20min", "5%")"#,
        r#"keys.session_lifetime=40min"#,
    ];
    let shorter = arm("exposure_20min", "exposure", &shorter);
    let mean = number(&shorter, "attacks.exposure_s.mean");
    assert!(
        (mean / 900.0 - 1.0).abs() < 0.12,
        "P/2 + overlap = 900 s: {mean}"
    );
    assert!(number(&shorter, "attacks.exposure_s.max") <= 1.05 * 1_200.0 + 300.0);

    let none = arm(
        "eavesdrop_nothing",
        "eavesdrop_psk",
        &["attackers[0].attack=Eavesdrop(Nothing)"],
    );
    assert_eq!(number(&none, "attacks.messages_read"), 0.0);
    assert_eq!(none.digest, town.digest);
}

#[test]
fn a_dictionary_finds_eight_digits_and_not_128_bits() {
    let found = as_told("dictionary");
    let town = arm("dictionary_none", "dictionary", &["attackers=[]"]);
    assert_eq!(
        found.digest, town.digest,
        "whoever only listens changes nothing"
    );
    let random = arm(
        "dictionary_random",
        "dictionary",
        &["cohorts[1].psk=Random"],
    );
    assert_eq!(number(&random, "attacks.dictionaries"), 1.0);
    assert_eq!(number(&random, "attacks.psks_recovered"), 0.0);
}

#[test]
fn alteration_is_caught_where_messages_are_protected() {
    as_told("downgrade");
    as_told("tamper");
    let clear = arm("tamper_clear", "tamper", &["traffic.report.security=Clear"]);
    let outcomes = clear.summary.breakdown("attacks.outcomes");
    assert!(outcomes["request_accepted"] > 50, "{outcomes:?}");
}

#[test]
fn eax_prime_is_forged_with_short_cleartexts_only() {
    as_told("eax_forgery");
    let ruled = [
        "attackers[0].attack.short_cleartext=Reject",
        "attackers[1].attack.short_cleartext=Reject",
    ];
    let ruled = arm("eax_forgery_ruled", "eax_forgery", &ruled);
    assert!(number(&ruled, "attacks.forgeries") > 1_000.0);
    assert_eq!(number(&ruled, "attacks.forgeries_accepted"), 0.0);
    let causes = ruled.summary.breakdown("attacks.causes");
    assert!(causes["cleartext_too_short"] > 1_000, "{causes:?}");
}

#[test]
fn blocking_authentication_starves_the_application() {
    let starved = as_told("grey_hole");
    assert!(starved.summary.breakdown("keys.end_reasons").len() > 1);
    let protocols = "attackers[0].attack.protocols=C1222";
    let deaf = arm("grey_hole_c1222", "grey_hole", &[protocols]);
    assert_eq!(number(&deaf, "auth.failed"), 0.0, "authentication goes on");
}

#[test]
fn jamming_half_of_the_time_delays_unless_it_is_in_step_with_a_timer() {
    as_told("jamming");
    let in_step = [
        "attackers[0].attack.burst=5s",
        "attackers[0].attack.period=10s",
    ];
    let in_step = arm("jamming_in_step", "jamming", &in_step);
    let reads = number(&in_step, "reads.completeness_ratio");
    assert!(reads < 0.7, "{reads}");
}

#[test]
fn attacked_runs_do_not_depend_on_threads_and_equal_arms_do_not_differ() {
    let sets = ["headend.instances=3", "duration=2h"];
    let with = |test, threads| {
        let options = Options {
            threads,
            ..Options::default()
        };
        attempt(test, "clone", &sets, options).expect("the run ends in order")
    };
    let (one, two) = (with("clone_1", 1), with("clone_2", 2));
    assert_eq!(one.digest, two.digest);
    for metric in metrics() {
        assert_eq!(
            one.summary.get(&metric.path),
            two.summary.get(&metric.path),
            "{}",
            metric.path
        );
    }
}

#[test]
fn attackers_need_one_domain_per_instance() {
    let options = Options {
        partition: Partition::Split(2),
        ..Options::default()
    };
    let refused = attempt("split", "clone", &[], options);
    assert!(matches!(refused, Err(RunError::Partition)));
    let loaded = load(&scenario("clone"), &[]).unwrap_or_else(|report| panic!("{report}"));
    let refused = verify(&loaded.scenario, [1, 2], Partition::Split(2));
    assert!(matches!(refused, Err(RunError::Partition)));
}
