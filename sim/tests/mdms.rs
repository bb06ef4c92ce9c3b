//! The meter data management system end to end: what is stored, what is missing, what is estimated.

mod common;
#[path = "common/independence.rs"]
mod independence;
#[path = "common/text.rs"]
mod text;

use std::path::Path;

use common::{metric, overrides, run_fresh};
use independence::assert_independent;
use reports::{MdmsRow, ReadRow, Results, Row};
use sim::run::{Options, Report};
use sim::scenario::{load, load_text};
use text::run_text;

/// A Monday; clocks are right, and nothing is lost that is not lost on purpose.
const TOWN: &str = r#"Scenario(
    name: "town",
    seed: 11,
    start: "2026-03-02T00:00:00Z",
    duration: "26h",
    cohorts: [(
        name: "homes", count: 20, medium: "wan",
        power_on: Fixed("0s"), boot: Fixed("10s"), clock_drift: Fixed("0ppm"),
    )],
    media: {"wan": Wan(latency: Fixed("30ms"), loss: "0%")},
    keys: (session_lifetime: "200h"),
)"#;
const MDMS: &str = r#"mdms=(
    deadline: "30min", estimate_after: "2h", settle: "1h", batch_wait: "0s", commit: "0s",
)"#;
const HOMES: f64 = 20.0;

/// The town with the system, and with changes.
fn stored(test: &str, sets: &[&str]) -> Report {
    run_text(test, TOWN, &[&[MDMS], sets].concat())
}

fn column(report: &Report, table: &'static reports::schema::TableDef, name: &str) -> Vec<f64> {
    let frame = Results::open(&report.folder).columns(table, &[name]);
    reports::read::numbers(&frame.expect("the table is there"), name).expect("a number")
}

/// Energy by the end of the interval in seconds, of one meter.
fn energies(report: &Report, meter: f64) -> Vec<(u64, f64)> {
    let [meters, due, energy] =
        ["meter", "due_ns", "interval_wh"].map(|name| column(report, ReadRow::TABLE, name));
    let rows = meters.iter().zip(due).zip(energy);
    let mut found: Vec<(u64, f64)> = rows
        .filter(|((of, _), _)| **of == meter)
        // Meters close an interval when they report it, at most a minute later.
        .map(|((_, due), energy)| ((due / 1e9) as u64 / 900 * 900, energy))
        .collect();
    found.sort_by_key(|(end, _)| *end);
    found
}

#[test]
fn nothing_is_missing_where_nothing_is_lost() {
    let report = stored("sound", &[]);
    // 25 of 26 hours are judged.
    for (path, value) in [
        ("mdms.days", 2.0 * HOMES),
        ("mdms.expected", 100.0 * HOMES),
        ("mdms.on_time", 100.0 * HOMES),
        ("mdms.missing", 0.0),
        ("mdms.late", 0.0),
        ("mdms.duplicates", 0.0),
        ("mdms.misplaced", 0.0),
        ("mdms.completeness_ratio", 1.0),
        ("kpi.interval_completeness_ratio", 1.0),
    ] {
        assert_eq!(metric(&report, path), value, "{path}");
    }
    let total: f64 = (0..20)
        .flat_map(|meter| energies(&report, f64::from(meter)))
        .filter(|(end, _)| *end <= 25 * 3_600)
        .map(|(_, energy)| energy)
        .sum();
    assert_eq!(metric(&report, "mdms.energy_wh"), total);
    let days = column(&report, MdmsRow::TABLE, "expected");
    assert_eq!(days, [vec![96.0; 20], vec![4.0; 20]].concat());
}

#[test]
fn an_outage_of_the_network_delays_exactly_its_intervals() {
    let outage = r#"timeline=[
        (at: "10h5min", action: LinkLoss(medium: "wan", loss: "100%", duration: "4h")),
    ]"#;
    let report = stored("network", &[outage]);
    // Intervals that end from 10:15 to 14:00 arrive at 14:15 and a bit: that of 14:00 within half
    // an hour, those up to 12:15 after more than two hours.
    for (path, value) in [
        ("mdms.late", 15.0 * HOMES),
        ("mdms.replaced", 9.0 * HOMES),
        ("mdms.on_time", 85.0 * HOMES),
        ("mdms.missing", 0.0),
        ("mdms.estimated", 0.0),
        ("mdms.received_ratio", 1.0),
        ("mdms.completeness_ratio", 0.85),
    ] {
        assert_eq!(metric(&report, path), value, "{path}");
    }
}

#[test]
fn a_short_gap_is_interpolated() {
    let outage = r#"timeline=[
        (at: "6h5min", action: PowerOff(cohort: "homes")),
        (at: "7h5min", action: PowerOn(cohort: "homes")),
    ]"#;
    let report = stored("gap", &[outage]);
    assert_eq!(metric(&report, "mdms.missing"), 4.0 * HOMES);
    assert_eq!(metric(&report, "mdms.estimated"), 4.0 * HOMES);
    assert_eq!(metric(&report, "mdms.gaps"), HOMES);
    assert_eq!(metric(&report, "mdms.gap_max"), 4.0);
    let meters = column(&report, MdmsRow::TABLE, "meter");
    let estimated = column(&report, MdmsRow::TABLE, "estimated_wh");
    for meter in 0..20 {
        let meter = f64::from(meter);
        let at = |second: u64| {
            let energies = energies(&report, meter);
            let found = energies.iter().find(|(end, _)| *end == second);
            found.expect("this interval has come").1
        };
        let (from, to) = (at(6 * 3_600), at(7 * 3_600 + 900));
        let line: f64 = (1..=4)
            .map(|step| (from + (to - from) * f64::from(step) / 5.0 + 0.5).floor())
            .sum();
        let found = meters.iter().zip(&estimated);
        let found: f64 = found
            .filter(|(of, _)| **of == meter)
            .map(|(_, energy)| energy)
            .sum();
        assert_eq!(found, line, "meter {meter}");
    }
}

#[test]
fn a_lost_meter_is_estimated_from_like_days() {
    let lost = [
        r#"timeline=[(at: "54h5min", action: PowerOff(cohort: "homes"))]"#,
        "duration=73h",
    ];
    let report = stored("lost", &lost);
    // From 6:15 to 24:00 of the third day.
    assert_eq!(metric(&report, "mdms.missing"), 72.0 * HOMES);
    assert_eq!(metric(&report, "mdms.estimated"), 72.0 * HOMES);
    assert_eq!(metric(&report, "mdms.gap_max"), 72.0);
    assert_eq!(metric(&report, "mdms.received"), 216.0 * HOMES);
    let mut expected = 0.0;
    for meter in 0..20 {
        let energies = energies(&report, f64::from(meter));
        for slot in 24..96 {
            // Monday and Tuesday are working days as well.
            let mean = (energies[slot].1 + energies[96 + slot].1) / 2.0;
            expected += (mean + 0.5).floor();
        }
    }
    assert_eq!(metric(&report, "mdms.estimated_wh"), expected);
}

#[test]
fn completeness_is_that_of_the_reads() {
    let loss = [
        r#"media.wan=Wan(latency: Fixed("30ms"), loss: "45%")"#,
        r#"mdms=(deadline: "20min", batch_wait: "0s", commit: "0s", estimate_after: "20min")"#,
    ];
    let report = stored("lossy", &loss);
    let judged = 25 * 3_600;
    let frame = Results::open(&report.folder)
        .columns(ReadRow::TABLE, &["due_ns", "delivered_ns"])
        .expect("reads");
    let times = |name: &str| -> Vec<Option<i64>> {
        let column = frame.column(name).expect("a column");
        column.i64().expect("times").iter().collect()
    };
    let (mut received, mut on_time) = (0.0, 0.0);
    for (due, delivered) in times("due_ns").into_iter().zip(times("delivered_ns")) {
        let end = due.expect("always there") / 900_000_000_000 * 900;
        let Some(delivered) = delivered.filter(|_| end <= judged) else {
            continue;
        };
        received += 1.0;
        on_time += f64::from(delivered <= (end + 1_200) * 1_000_000_000);
    }
    assert_eq!(metric(&report, "mdms.received"), received);
    assert_eq!(metric(&report, "mdms.on_time"), on_time);
    let expected = metric(&report, "mdms.expected");
    assert_eq!(expected, 100.0 * HOMES);
    assert_eq!(
        metric(&report, "mdms.completeness_ratio"),
        on_time / expected
    );
    assert!(
        on_time < received && received < expected,
        "{on_time}, {received}"
    );
}

#[test]
fn a_slow_loader_delays_and_loses_rows() {
    // The twenty rows of a quarter of an hour need 1,000 s.
    let slow = "mdms=(rows_per_s: 0.02, batch: 1, batch_wait: \"0s\", commit: \"0s\", buffer: 30)";
    let report = stored("slow", &[slow]);
    let [dropped, missing, received] =
        ["mdms.dropped", "mdms.missing", "mdms.received"].map(|path| metric(&report, path));
    // The loader is never idle: one row in 50 s from the first report on, and what waits at 25 h.
    let written = (25.0 * 3_600.0 - 900.0) / 50.0;
    assert!(
        (received - written - 15.0).abs() <= 16.0,
        "{received}, {written}"
    );
    assert_eq!(received + missing, 100.0 * HOMES);
    // Some are lost in the hour that is not judged.
    assert!(
        (missing..missing + 20.0).contains(&dropped),
        "{dropped}, {missing}"
    );
    assert!(dropped > 0.0);
    // Thirty rows wait for 50 s each at most.
    let lag = metric(&report, "mdms.lag_s.max");
    assert!((1_400.0..=1_500.0).contains(&lag), "{lag}");
}

/// Meters with full metering, read by poll, over a failure of power.
const METERED: &str = r#"Scenario(
    name: "metered",
    seed: 5,
    start: "2026-03-02T06:00:00Z",
    duration: "50h",
    cohorts: [(
        name: "homes", count: 10, medium: "wan",
        power_on: Fixed("0s"), boot: Fixed("10s"), metering: (),
    )],
    media: {"wan": Wan(latency: Fixed("30ms"), loss: "0%")},
    traffic: (report: (every: "100h", spread: "0s")),
    headend: (reads: [
        (name: "profile", what: Profile(), every: "4h", first: "10min"),
        (name: "midnight", what: Registers, every: "1d", first: "18h", window: "10min"),
    ]),
    timeline: [
        (at: "30h5min", action: PowerOff(cohort: "homes")),
        (at: "32h5min", action: PowerOn(cohort: "homes")),
    ],
    mdms: (settle: "5h"),
)"#;

#[test]
fn meters_say_where_they_measured_nothing_and_registers_agree() {
    let report = run_text("metered", METERED, &[]);
    assert_eq!(metric(&report, "requests.success_ratio"), 1.0, "{report}");
    for (path, value) in [
        ("mdms.missing", 0.0),
        // From 12:15 to 14:00 seven intervals are without power from end to end; the first one and
        // the last one are so for a part.
        ("mdms.unmeasured", 70.0),
        ("mdms.power_fail", 20.0),
        ("mdms.partial", 20.0),
        ("mdms.completeness_ratio", 1.0),
        // Two midnights have a day between them.
        ("mdms.validated", 10.0),
        ("mdms.validation_failures", 0.0),
    ] {
        assert_eq!(metric(&report, path), value, "{path}");
    }
}

#[test]
fn the_system_changes_nothing_and_depends_on_nothing_else() {
    let sets = [
        MDMS,
        r#"media.wan=Wan(latency: Uniform("20ms", "80ms"), loss: "5%")"#,
        "headend.instances=3",
    ];
    let one = assert_independent(TOWN, &sets, 4);
    let without = run_text("without", TOWN, &sets[1..]);
    assert_eq!(one.digest, without.digest);
    assert_eq!(metric(&without, "mdms.days"), 0.0);
}

#[test]
fn mistakes_are_located_all_at_once() {
    let sets = [
        r#"mdms=(rows_per_s: 0.0, batch: 0, zone: "west", deadline: "2d", estimate_after: "1d",
            interpolate: "2d", settle: "30h")"#,
        r#"traffic=(interval: "7min", report: (every: "7min"))"#,
    ];
    let report = load_text("town.ron", TOWN, &overrides(&sets)).expect_err("mistakes");
    let text = report.to_string();
    for message in [
        "a rate lies between 0.01 and 1e9 rows per second",
        "a batch has one row at least",
        "an offset from UTC is written as",
        "intervals would be estimated that may still come in time",
        "no straight line is longer than 1d",
        "no interval of the run would be judged",
        "a day is no whole number of intervals of 7min, as `mdms` wants it",
    ] {
        assert!(text.contains(message), "{message}: {text}");
    }
}

#[test]
fn the_field_demonstration_shows_what_it_promises() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/new_mexico_demo.ron");
    // Fewer homes than shipped: what holds for each of them.
    let sets = ["cohorts.homes.count=6", "expect=[]"];
    let loaded = load(&path, &overrides(&sets)).unwrap_or_else(|report| panic!("{report}"));
    let report = run_fresh("demonstration", &loaded, Options::default()).expect("a run");
    for (path, value) in [
        ("mdms.missing", 0.0),
        ("mdms.late", 84.0),
        ("mdms.replaced", 36.0),
        ("mdms.validated", 18.0),
        ("mdms.validation_failures", 0.0),
        ("han.keyed_ratio", 1.0),
        ("kpi.demand_response_ratio", 1.0),
    ] {
        assert_eq!(metric(&report, path), value, "{path}");
    }
}
