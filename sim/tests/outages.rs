//! Whole runs in which the power fails: feeders, concentrators, and what comes back.

mod common;
#[path = "common/text.rs"]
mod text;

use common::{metric, overrides};
use models::fleet::Partition;
use reports::read::numbers;
use reports::{MeterRow, ReadRow, Results, Row};
use sim::run::{Options, Report};
use sim::scenario::load_text;
use text::{files, run_text, run_with};

/// A town on links of its own and on a mesh, with instances that know nothing of each other.
const TOWN: &str = r#"Scenario(
    name: "town",
    seed: 1,
    duration: "2h",
    cohorts: [
        (name: "homes", count: 240, medium: "wan"),
        (name: "mesh", count: 60, medium: "mesh"),
    ],
    media: {
        "wan": Wan(),
        "mesh": Mesh(backhaul: "wan", meters_per_concentrator: 10),
    },
    headend: (instances: 3),
    distribution: (feeders: 4, meters_per_transformer: 10),
    timeline: [
        (at: "30min", action: Outage(area: Feeder(number: 2), duration: "10min")),
    ],
)"#;

const SECOND: i64 = 1_000_000_000;

/// A column of numbers; what is missing in the table is missing here.
fn column<R: Row>(report: &Report, name: &str) -> Vec<f64> {
    let frame = Results::open(&report.folder)
        .table(R::TABLE)
        .expect("a table");
    numbers(&frame, name).expect("a column of numbers")
}

/// When the power of each meter returned, if it was interrupted.
fn returns(report: &Report) -> Vec<Option<i64>> {
    let frame = Results::open(&report.folder)
        .table(MeterRow::TABLE)
        .expect("a table");
    let column = frame.column("power_returned_ns").expect("a column");
    column.i64().expect("times").iter().collect()
}

/// Which quarter of the town each meter stands in, clockwise from the west as feeders are.
fn quarters(report: &Report) -> Vec<i64> {
    let (x, y) = (
        column::<MeterRow>(report, "x_m"),
        column::<MeterRow>(report, "y_m"),
    );
    let quarter = |(x, y): (&f64, &f64)| match (*x >= 0.0, *y >= 0.0) {
        (false, false) => 0,
        (true, false) => 1,
        (true, true) => 2,
        (false, true) => 3,
    };
    x.iter().zip(&y).map(quarter).collect()
}

#[test]
fn a_feeder_takes_a_sector_of_the_town_whatever_serves_it() {
    let report = run_text("sector", TOWN, &[]);
    let returned = returns(&report);
    let quarters = quarters(&report);
    for (meter, (returned, quarter)) in returned.iter().zip(&quarters).enumerate() {
        let expected = (*quarter == 2).then_some(2_400 * SECOND);
        assert_eq!(*returned, expected, "meter {meter} in quarter {quarter}");
    }
    let interrupted = quarters.iter().filter(|quarter| **quarter == 2).count() as f64;
    assert!((30.0..130.0).contains(&interrupted));
    assert_eq!(metric(&report, "restoration.interrupted"), interrupted);
    assert_eq!(metric(&report, "restoration.rejoined_ratio"), 1.0);
    assert_eq!(metric(&report, "restoration.reading_ratio"), 1.0);
    // Volatile keys: everybody once, those who were dark once more.
    assert!(metric(&report, "auth.initial") >= 300.0 + interrupted);
    assert_eq!(metric(&report, "keys.used_after_expiry"), 0.0);
}

#[test]
fn outages_depend_neither_on_threads_nor_on_domains() {
    let random = [
        "distribution.failures=(every: Exponential(\"5min\", \"30min\"), lasting: Uniform(\"1min\", \"9min\"))",
        "distribution.concentrator_battery=Uniform(\"0s\", \"5min\")",
    ];
    let one = run_text("one_thread", TOWN, &random);
    assert!(metric(&one, "restoration.interrupted") > 200.0);
    for (name, threads, partition) in [
        ("three_threads", 3, Partition::ByInstance),
        ("split", 2, Partition::Split(5)),
    ] {
        let options = Options {
            threads,
            partition,
            ..Options::default()
        };
        let other = run_with(name, TOWN, &random, options);
        assert_eq!(one.digest, other.digest, "{name}");
        if partition == Partition::ByInstance {
            assert_eq!(files(&one), files(&other), "{name}");
        }
    }
}

#[test]
fn feeders_of_a_city_return_in_turn() {
    let stages = ["timeline[0].action=Outage(duration: \"10min\", stagger: \"5min\")"];
    let report = run_text("stages", TOWN, &stages);
    let returned = returns(&report);
    for (returned, quarter) in returned.iter().zip(quarters(&report)) {
        assert_eq!(*returned, Some((2_400 + 300 * quarter) * SECOND));
    }
    assert_eq!(metric(&report, "restoration.interrupted"), 300.0);
    let all = metric(&report, "restoration.until_rejoined_s.max");
    assert!((900.0..1_800.0).contains(&all), "{all} s");
}

#[test]
fn an_outage_changes_nothing_for_those_who_have_power() {
    let quiet = run_text("quiet", TOWN, &["timeline=[]"]);
    let report = run_text("elsewhere", TOWN, &[]);
    let lit: Vec<bool> = returns(&report).iter().map(Option::is_none).collect();
    // On links of their own: those on a mesh share it with neighbours in the dark.
    let (before, after) = (
        column::<MeterRow>(&quiet, "datagrams_up"),
        column::<MeterRow>(&report, "datagrams_up"),
    );
    for meter in (0..240).filter(|&meter| lit[meter]) {
        assert_eq!(before[meter], after[meter], "meter {meter}");
    }
}

#[test]
fn on_wifi_the_router_of_the_home_comes_first() {
    let wifi = [
        "media.wan=Wifi(router_boot: Uniform(\"60s\", \"180s\"), association: Fixed(\"2s\"))",
        "media.mesh.backhaul=\"dsl\"",
        "media.dsl=Wan()",
    ];
    let report = run_text("router", TOWN, &wifi);
    // At first the routers are there; after the outage they boot with their meters.
    assert!(metric(&report, "meters.time_to_join_s.min") < 25.0);
    let frame = Results::open(&report.folder).table(MeterRow::TABLE);
    let frame = frame.expect("a table");
    let times = |name: &str| -> Vec<Option<i64>> {
        let column = frame.column(name).expect("a column");
        column.i64().expect("times").iter().collect()
    };
    let waits: Vec<_> = times("power_returned_ns")
        .into_iter()
        .zip(times("rejoined_ns"))
        .take(240)
        .filter_map(|(returned, rejoined)| Some((rejoined? - returned?) / SECOND))
        .collect();
    assert!(waits.len() > 30);
    assert!(
        waits.iter().all(|wait| (62..=200).contains(wait)),
        "{waits:?}"
    );
    let spread = waits.iter().max().zip(waits.iter().min());
    assert!(spread.is_some_and(|(most, least)| most - least > 60));
}

/// Modems of one operator whose power returns at one instant; they boot alike.
const MODEMS: &str = r#"Scenario(
    name: "modems",
    seed: 1,
    duration: "1h",
    cohorts: [(name: "homes", count: 600, medium: "lte", boot: Uniform("5s", "6s"))],
    media: {"lte": Cellular(technology: NbIot, meters_per_cell: 1000)},
    pana: (
        pci: Retransmission(irt: "10s", mrt: "120s", mrc: 0, mrd: "0s"),
        request: Retransmission(irt: "10s", mrt: "60s", mrc: 10, mrd: "0s"),
    ),
    traffic: (report: (spread: "10min", timeout: "60s")),
    timeline: [(at: "20min", action: Outage(duration: "5min"))],
)"#;

#[test]
fn modems_that_return_together_contend_for_their_cell() {
    let crowded = run_text("crowded_cell", MODEMS, &[]);
    let alone = run_text("cell_each", MODEMS, &["media.lte.meters_per_cell=1"]);
    let refused = |report: &Report| {
        let causes = report.summary.breakdown("rejects.causes");
        causes.get("access_refused").copied().unwrap_or(0)
    };
    // 600 requests within a second meet 6 opportunities of 48 preambles and 40 answers each.
    assert!(refused(&crowded) > 0);
    assert_eq!(refused(&alone), 0);
    for report in [&crowded, &alone] {
        assert_eq!(metric(report, "restoration.rejoined_ratio"), 1.0);
        assert_eq!(metric(report, "keys.used_after_expiry"), 0.0);
    }
    let p95 = |report: &Report| metric(report, "restoration.time_to_rejoin_s.p95");
    assert!(
        p95(&crowded) > p95(&alone) + 1.0,
        "{} against {}",
        p95(&crowded),
        p95(&alone)
    );
}

#[test]
fn cells_depend_neither_on_threads_nor_on_domains() {
    let sets = ["headend.instances=3", "media.lte.meters_per_cell=70"];
    let one = run_text("cells_one", MODEMS, &sets);
    for (name, threads, partition) in [
        ("cells_threads", 3, Partition::ByInstance),
        ("cells_split", 2, Partition::Split(4)),
    ] {
        let options = Options {
            threads,
            partition,
            ..Options::default()
        };
        let other = run_with(name, MODEMS, &sets, options);
        assert_eq!(one.digest, other.digest, "{name}");
    }
}

const VILLAGE: &str = r#"Scenario(
    name: "village",
    seed: 1,
    duration: "2h",
    cohorts: [(name: "homes", count: 24, medium: "mesh", power_on: Fixed("0s"))],
    media: {"mesh": Mesh(backhaul: "wan"), "wan": Wan(latency: Fixed("20ms"))},
    traffic: (report: (spread: "30s")),
    timeline: [
        (at: "40min", action: ConcentratorDown(medium: "mesh", duration: "10min")),
    ],
    distribution: (concentrator_boot: Fixed("60s")),
)"#;

#[test]
fn a_dead_border_router_silences_its_meters_and_costs_no_session() {
    let report = run_text("border_router", VILLAGE, &[]);
    let delivered = column::<ReadRow>(&report, "delivered_ns");
    let (dead, alive) = (2_400e9, 2_400e9 + 660e9);
    let silent = |time: &f64| !(dead + 1e9..alive).contains(time);
    assert!(delivered.iter().all(silent));
    // What fell due at 45 min waits for the next report or its own repetition.
    assert_eq!(metric(&report, "reads.completeness_ratio"), 1.0);
    assert_eq!(metric(&report, "auth.initial"), 24.0);
    assert_eq!(metric(&report, "restoration.interrupted"), 0.0);
}

#[test]
fn nobody_joins_through_a_border_router_that_is_dead() {
    let dark = ["timeline[0].at=0s", "timeline[0].action.duration=30min"];
    let report = run_text("dead_start", VILLAGE, &dark);
    let joined = column::<MeterRow>(&report, "joined_ns");
    assert!(joined.iter().all(|joined| *joined >= 1_860e9));
    assert_eq!(metric(&report, "meters.joined_ratio"), 1.0);
}

#[test]
fn impossible_outages_are_refused_where_they_stand() {
    let refuse = |set: &str, words: &str| {
        let report = match load_text("town.ron", TOWN, &overrides(&[set])) {
            Ok(_) => panic!("{set}: nothing is wrong"),
            Err(report) => report.to_string(),
        };
        assert!(report.contains(words), "{set}: {report}");
    };
    let action = |text: &str| format!("timeline[0].action={text}");
    refuse(
        &action("Outage(area: Feeder(number: 4), duration: \"1h\")"),
        "there is no feeder 4; they are numbered from 0 to 3",
    );
    refuse(
        &action("Outage(area: Transformer(number: 999), duration: \"1h\")"),
        "there is no transformer 999",
    );
    refuse(&action("Outage(duration: \"0s\")"), "above zero");
    refuse(
        &action("Outage(area: Feeder(number: 1), duration: \"1min\", stagger: \"1min\")"),
        "only the feeders of a whole city",
    );
    refuse(
        &action("ConcentratorDown(medium: \"wan\", duration: \"1min\")"),
        "no concentrators",
    );
    refuse("timeline[0].at=3h", "the run ends after 2h");
    refuse(
        "media.wan=Cellular(meters_per_cell: 0)",
        "a cell has 1 to 100000 meters",
    );
    refuse("distribution.feeders=0", "1 to 1000 feeders");
    refuse(
        "distribution.failures=(every: Fixed(\"0s\"), lasting: Fixed(\"1s\"))",
        "more than 10000 times",
    );
}

/// A mesh of many rings that comes back as a whole.
const SUBURB: &str = r#"Scenario(
    name: "suburb",
    duration: "3h",
    cohorts: [(name: "homes", count: 200, medium: "mesh", power_on: Uniform("0s", "30min"))],
    media: {
        "mesh": Mesh(phy: SunFsk150, backhaul: "wan", meters_per_concentrator: 200),
        "wan": Wan(latency: Fixed("20ms")),
    },
    timeline: [(at: "1h", action: Outage(duration: "20min"))],
)"#;

#[test]
fn sessions_stay_with_their_relay_elements_when_a_mesh_returns() {
    for seed in 1..=3 {
        let report = run_text("suburb", SUBURB, &[&format!("seed={seed}")]);
        assert_eq!(metric(&report, "restoration.rejoined_ratio"), 1.0);
        assert_eq!(metric(&report, "auth.initial"), 400.0);
        assert_eq!(metric(&report, "auth.failed"), 0.0, "seed {seed}");
        // What comes through another relay element is taken for a stranger's.
        let causes = report.summary.breakdown("rejects.causes");
        let strangers = causes.get("address_mismatch").copied().unwrap_or(0);
        assert!(
            strangers < 60,
            "seed {seed}: {strangers} messages by another relay"
        );
    }
}
