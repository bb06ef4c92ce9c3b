//! Orders to groups end to end: one message, whoever it does not reach, and whoever steals the key.

mod common;

use std::path::Path;

use common::{metric, overrides, run_fresh};
use models::fleet::Partition;
use sim::run::{Options, Report};
use sim::scenario::load;

const ORDER: &str = r#"timeline=[(at: "1h", action: DemandResponse(
    id: 7, cohort: "homes", duration: "1h", level: "40%", delivery: Group()))]"#;

fn arm(test: &str, file: &str, sets: &[&str], options: Options) -> Report {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let loaded = load(&path.join(file), &overrides(sets));
    let loaded = loaded.unwrap_or_else(|report| panic!("{report}"));
    run_fresh(test, &loaded, options).expect("the run ends in order")
}

fn homes(test: &str, sets: &[&str]) -> Report {
    let mut all = vec![
        "cohorts.homes.count=300",
        "duration=3h",
        "media.wan.loss=\"0%\"",
        ORDER,
        "sweep=Sweep()",
        "expect=[]",
    ];
    all.extend(sets);
    arm(test, "demand_response.ron", &all, Options::default())
}

fn usurped(test: &str, sets: &[&str]) -> Report {
    let mut all = vec!["sweep=Sweep()", "expect=[]"];
    all.extend(sets);
    let file = "attacks/stolen_group_key.ron";
    arm(test, file, &all, Options::default())
}

#[test]
fn one_message_reaches_all_where_nothing_is_lost() {
    let report = homes("clean", &[]);
    assert_eq!(metric(&report, "demand_response.orders"), 300.0);
    assert_eq!(metric(&report, "demand_response.received_by_group"), 300.0);
    assert_eq!(metric(&report, "demand_response.confirmed"), 300.0);
    assert_eq!(metric(&report, "demand_response.fallbacks"), 0.0);
    assert_eq!(metric(&report, "demand_response.transmissions"), 0.0);
    assert!(metric(&report, "demand_response.latency_s.max") < 0.2);
    assert_eq!(metric(&report, "rejects.total"), 0.0);
}

#[test]
fn whoever_a_lossy_network_leaves_out_is_told_alone() {
    let report = homes("lossy", &["media.wan.loss=\"20%\""]);
    let by_group = metric(&report, "demand_response.received_by_group");
    let fallbacks = metric(&report, "demand_response.fallbacks");
    // 80 % hear the order, and 64 % are heard of.
    assert!((by_group / 300.0 - 0.8).abs() < 0.1, "{by_group} of 300");
    assert!((fallbacks / 300.0 - 0.36).abs() < 0.1, "{fallbacks} of 300");
    assert!(metric(&report, "demand_response.received") >= 298.0);
}

#[test]
fn a_mesh_forwards_one_copy_to_all() {
    let order = ORDER
        .replace("1h\", action", "2h\", action")
        .replace("Group()", "Group(fallback_after: \"5min\")");
    let sets = |delivery: &'static str| {
        let order = order.replace("Group(fallback_after: \"5min\")", delivery);
        let mut all = vec![
            "duration=150min".to_owned(),
            "headend.groups.confirm_spacing=500ms".to_owned(),
            "sweep=Sweep()".to_owned(),
            "expect=[]".to_owned(),
        ];
        all.push(order);
        all
    };
    let run = |test, delivery| {
        let sets = sets(delivery);
        let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
        arm(test, "mesh_rotation.ron", &sets, Options::default())
    };
    let group = run("mesh_group", "Group(fallback_after: \"5min\")");
    let unicast = run("mesh_unicast", "Unicast");
    assert!(metric(&group, "demand_response.received_by_group") >= 195.0);
    assert!(metric(&group, "demand_response.received") >= 199.0);
    let slowest = |report| metric(report, "demand_response.latency_s.p95");
    assert!(slowest(&group) < slowest(&unicast));
}

#[test]
fn a_stolen_key_commands_all_members_until_the_next_one() {
    let as_told = arm(
        "as_told",
        "attacks/stolen_group_key.ron",
        &["sweep=Sweep()"],
        Options::default(),
    );
    assert!(as_told.meets_expectations(), "{as_told}");
    let causes = as_told.summary.breakdown("attacks.causes");
    assert_eq!(causes.keys().collect::<Vec<_>>(), ["bad_mac"]);
    let kept = usurped("kept", &["headend.groups.renew_on_leave=false"]);
    assert_eq!(metric(&kept, "attacks.accepted_ratio"), 1.0);
    let renewed = usurped("renewed", &["headend.groups.renew=15min"]);
    // The key of an hour and of quarters of an hour: the order at once, hardly another.
    assert!(metric(&renewed, "attacks.accepted_ratio") < 0.1);
    let nothing = usurped("nothing", &["timeline=[]"]);
    assert_eq!(metric(&nothing, "attacks.datagrams"), 0.0);
}

#[test]
fn a_replayed_order_is_refused_by_everybody() {
    let attacker = r#"attackers=[(name: "echo", position: Tap, start: "40min", stop: "50min",
        attack: Replay(delay: "20s", protocols: C1222))]"#;
    let report = usurped("replayed", &[attacker]);
    assert_eq!(metric(&report, "attacks.datagrams_accepted"), 0.0);
    let causes = report.summary.breakdown("attacks.causes");
    assert!(causes["replay"] >= 500, "{causes:?}");
}

#[test]
fn groups_do_not_depend_on_threads_or_on_the_division_into_domains() {
    let sets = [
        "cohorts.homes.count=150",
        "headend.instances=3",
        "duration=3h",
        "headend.groups.renew=20min",
        "media.wan.loss=\"10%\"",
        ORDER,
        "sweep=Sweep()",
        "expect=[]",
    ];
    let run = |test, threads, partition| {
        let options = Options {
            threads,
            partition,
            ..Options::default()
        };
        arm(test, "demand_response.ron", &sets, options)
    };
    let one = run("one", 1, Partition::ByInstance);
    let other = run("two", 2, Partition::Split(4));
    assert_eq!(one.digest, other.digest);
    for table in ["demand_response", "keys", "requests"] {
        let octets = |report: &Report| {
            std::fs::read(report.folder.join(format!("{table}.parquet")))
                .expect("the table is there")
        };
        assert!(octets(&one) == octets(&other), "{table}");
    }
}
