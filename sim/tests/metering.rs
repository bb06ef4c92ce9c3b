//! Whole runs of complete meters: no watt-hour is lost, whatever happens to the meter.

mod common;
#[path = "common/text.rs"]
mod text;

use std::path::Path;

use common::{metric, overrides, run_fresh};
use models::fleet::Partition;
use reports::read::numbers;
use reports::{CommandRow, FeederRow, GridRow, MeterRow, ReadRow, RegisterRow, Results, Row};
use sim::run::{Options, Report};
use sim::scenario::load;
use text::{files, run_text, run_with};

const HOUR_NS: f64 = 3.6e12;

/// Homes whose clocks gain and lose 72 s in ten hours.
const TOWN: &str = r#"Scenario(
    name: "town",
    seed: 9,
    start: "2026-01-15T00:00:00Z",
    duration: "30h",
    cohorts: [
        (name: "fast", count: 8, medium: "wan", clock_drift: Fixed("2000ppm"),
            metering: (channels: [Received, Delivered], tariff: (zone: "-07:00", seasons: [
                (month: 1, weekday: [(at: "7h", rate: 1), (at: "17h30min", rate: 2)]),
            ]), household: (appliances: true, photovoltaics: (share: "50%")))),
        (name: "slow", count: 8, medium: "wan", clock_drift: Fixed("-2000ppm"),
            metering: (tariff: (zone: "-07:00", seasons: [
                (month: 1, weekday: [(at: "7h", rate: 1), (at: "17h30min", rate: 2)]),
            ]))),
    ],
    media: {"wan": Wan(loss: "1%")},
)"#;

fn column<R: Row>(report: &Report, name: &str) -> Vec<f64> {
    let frame = Results::open(&report.folder)
        .table(R::TABLE)
        .expect("a table");
    numbers(&frame, name).expect("a column of numbers")
}

/// The rows of the table `registers` with this reason.
fn rows(report: &Report, reason: &str) -> Vec<bool> {
    let frame = Results::open(&report.folder)
        .table(RegisterRow::TABLE)
        .expect("a table");
    let reasons = frame.column("reason").expect("a column");
    let reasons = reasons.str().expect("texts").iter();
    reasons.map(|found| found == Some(reason)).collect()
}

fn registers(report: &Report, name: &str, reason: &str) -> Vec<f64> {
    let values = column::<RegisterRow>(report, name).into_iter();
    let rows = values.zip(rows(report, reason));
    rows.filter_map(|(value, wanted)| wanted.then_some(value))
        .collect()
}

/// Nothing is lost between registers, rates, load profile and the reads of the head-end.
fn assert_conserved(report: &Report, test: &str) {
    for path in ["metering.rates_off_wh", "metering.profile_off_wh"] {
        assert_eq!(metric(report, path), 0.0, "{path}: {test}");
    }
    let profiles: f64 = registers(report, "profile_wh", "run_ended").iter().sum();
    let read: f64 = column::<ReadRow>(report, "interval_wh").iter().sum();
    assert_eq!(read, profiles, "{test}");
    let totals: f64 = registers(report, "delivered_wh", "run_ended").iter().sum();
    let open = totals - profiles;
    let meters = metric(report, "metering.meters");
    // What the open intervals have counted is all that is not in a closed one.
    assert!(
        (0.0..meters * 12_000.0).contains(&open),
        "{open} Wh: {test}"
    );
    assert!(read > meters * 1_000.0, "{read} Wh: {test}");
}

/// The shipped meter over local days that begin at `start`.
fn meter_day(test: &str, sets: &[&str]) -> Report {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/meter_day.ron");
    let loaded = load(&path, &overrides(sets)).unwrap_or_else(|report| panic!("{report}"));
    run_fresh(test, &loaded, Options::default()).expect("the run ends in order")
}

/// The rows of the table `feeders`: interval, feeder, load in W.
fn feeder_loads(report: &Report) -> Vec<(u64, u64, f64)> {
    let starts = column::<FeederRow>(report, "bin_start_ns").into_iter();
    let feeders = column::<FeederRow>(report, "feeder").into_iter();
    let loads = column::<FeederRow>(report, "load_w");
    let rows = starts.zip(feeders).zip(loads);
    rows.map(|((start, feeder), load)| ((start / 9e11) as u64, feeder as u64, load))
        .collect()
}

#[test]
fn the_load_of_feeders_is_the_sum_of_what_meters_register() {
    // One in two of eight homes may have no sun on its roof at all.
    let sun = TOWN.replace(
        "photovoltaics: (share: \"50%\")",
        "photovoltaics: (share: \"100%\")",
    );
    assert_ne!(sun, TOWN);
    let report = run_text("feeders", &sun, &[]);
    let registered = |name| registers(&report, name, "run_ended").iter().sum::<f64>() / 1e3;
    for (path, name) in [("drawn", "delivered_wh"), ("fed", "received_wh")] {
        let (sum, meters) = (
            metric(&report, &format!("feeders.{path}_kwh")),
            registered(name),
        );
        // Meters of class 0.5, and less than a watt-hour in the rest of each.
        let tolerance = 0.005 * meters + 0.016;
        assert!(meters > 5.0, "{meters} kWh {path}");
        assert!(
            (sum - meters).abs() < tolerance,
            "{sum} against {meters} kWh {path}"
        );
    }
}

#[test]
fn a_feeder_without_power_has_no_load() {
    let text = r#"Scenario(
        name: "sector",
        duration: "6h",
        cohorts: [(name: "homes", count: 120, medium: "wan")],
        media: {"wan": Wan()},
        distribution: (feeders: 3),
        timeline: [(at: "2h", action: Outage(
            area: Feeder(number: 1), duration: "2h", restoration: Fixed("0s"),
        ))],
    )"#;
    let report = run_text("sector", text, &[]);
    let rows = feeder_loads(&report);
    for &(interval, feeder, load) in rows.iter().filter(|(interval, ..)| *interval < 23) {
        // Meters with one register count the intervals at the edges whole or not at all.
        if feeder != 1 || !(7..=15).contains(&interval) {
            assert!(load > 0.0, "feeder {feeder} in interval {interval}");
        } else if (8..15).contains(&interval) {
            assert_eq!(load, 0.0, "feeder {feeder} in interval {interval}");
        }
    }
    let energy: f64 = rows.iter().map(|(_, _, load)| load / 4.0).sum();
    let read: f64 = column::<ReadRow>(&report, "interval_wh").iter().sum();
    assert!((energy - read).abs() < 1e-6, "{energy} against {read} Wh");
    let meters: f64 = column::<FeederRow>(&report, "meters")[..3].iter().sum();
    assert_eq!(meters, 120.0);
}

#[test]
fn days_on_which_clocks_change_lose_no_energy() {
    for (test, sets, hours) in [
        ("spring", &[][..], [23.0, 24.0]),
        (
            "autumn",
            &["start=2026-10-31T06:00:00Z", "duration=75h"],
            [25.0, 24.0],
        ),
    ] {
        let report = meter_day(test, sets);
        assert!(report.meets_expectations(), "{test}: {report}");
        assert_conserved(&report, test);
        let midnights = registers(&report, "clock_ns", "day");
        let days: Vec<f64> = midnights
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) / HOUR_NS)
            .collect();
        assert_eq!(days, hours, "{test}");
        let totals = registers(&report, "delivered_wh", "day");
        let profiles = registers(&report, "profile_wh", "day");
        assert_eq!(totals, profiles, "{test}");
        assert!(totals.is_sorted() && totals[0] > 0.0, "{totals:?}");
    }
}

#[test]
fn outages_resets_and_set_clocks_lose_no_energy() {
    let timeline = r#"timeline=[
        (at: "5h7min", action: Outage(duration: "40min", restoration: Uniform("0s", "10min"))),
        (at: "8h", action: Outage(duration: "5s")),
        // The fast ones have closed the interval that ends at ten already, the slow ones skip to
        // the next one.
        (at: "9h59min30s", action: SetTime(cohort: "fast")),
        (at: "10h30s", action: SetTime(cohort: "slow")),
        // Procedure 9 with the operator's number 77: reset the demand.
        (at: "12h", action: Download(cohort: "fast", table: 7, data: "09 00 4D 01")),
        (at: "20h3min", action: PowerOff(cohort: "slow", fraction: "50%")),
        (at: "22h20min", action: PowerOn(cohort: "slow")),
    ]"#;
    let report = run_text("disturbed", TOWN, &[timeline]);
    assert_conserved(&report, "disturbed");
    assert_eq!(metric(&report, "requests.success_ratio"), 1.0);
    assert_eq!(metric(&report, "reads.completeness_ratio"), 1.0);
    assert_eq!(registers(&report, "meter", "demand_reset").len(), 8);
    let resets = registers(&report, "demand_resets", "run_ended");
    let meters = registers(&report, "meter", "run_ended");
    for (meter, resets) in meters.iter().zip(&resets) {
        assert_eq!(*resets, f64::from(u8::from(*meter < 8.0)), "meter {meter}");
    }
    // Clocks were right when they were set and have gained or lost 144 s in the twenty hours
    // since. Meters measure within a minute after an interval of their oscillators, which were
    // never set: the last one ended 216 s before the run does, or 684 s.
    let clocks = registers(&report, "clock_ns", "run_ended");
    for (meter, clock) in meters.iter().zip(&clocks) {
        let off_s = (clock - 30.0 * HOUR_NS) / 1e9;
        let (gained_s, ago_s) = match *meter < 8.0 {
            true => (144.0, 216.0),
            false => (-144.0, 684.0),
        };
        let measured_s = gained_s - off_s;
        assert!(
            (ago_s - 62.0..ago_s + 2.0).contains(&measured_s),
            "{meter}: {measured_s} s ago"
        );
    }
    // What was off for more than two hours has counted less.
    let undisturbed = run_text("undisturbed", TOWN, &[]);
    assert_conserved(&undisturbed, "undisturbed");
    let energy =
        |report: &Report| -> f64 { registers(report, "delivered_wh", "run_ended").iter().sum() };
    assert!(energy(&report) < energy(&undisturbed));
}

#[test]
fn intervals_recorded_while_the_head_end_is_down_arrive_afterwards() {
    let down = r#"timeline=[(at: "10h10min", action: HeadendDown(duration: "3h"))]"#;
    let report = run_text("backfill", TOWN, &[down]);
    assert_conserved(&report, "backfill");
    let due = column::<ReadRow>(&report, "due_ns");
    let delivered = column::<ReadRow>(&report, "delivered_ns");
    assert_eq!(due.len(), delivered.len(), "all arrive");
    let late = due.iter().zip(&delivered).filter(|(due, delivered)| {
        let meanwhile = (10.2 * HOUR_NS..13.1 * HOUR_NS).contains(*due);
        meanwhile && **delivered > 13.0 * HOUR_NS
    });
    // Eleven intervals of sixteen meters end in between.
    assert!(late.count() >= 11 * 16);
}

#[test]
fn what_the_meters_measure_is_what_the_grid_loses() {
    let rows: String = (0..16)
        .flat_map(|meter| (0..8).map(move |number| format!("{meter},{number},{}\\n", 40 + meter)))
        .collect();
    let town = TOWN
        .replace(
            "household: (appliances: true, photovoltaics: (share: \"50%\"))",
            "",
        )
        .replace(
            "metering: (",
            &format!("replay: (csv: \"meter,interval,wh\\n{rows}\"), metering: ("),
        );
    let sets = [
        "duration=2h",
        "cohorts.fast.count=16",
        "cohorts.slow.count=16",
        "grid.premises_per_meter=1000",
        r#"timeline=[(at: "1h", action: Disconnect(cohort: "fast")),
            (at: "80min", action: Connect(cohort: "fast"))]"#,
    ];
    let report = run_text("grid", &town, &sets);
    // 40 to 55 Wh in a quarter of an hour.
    let watts: f64 = (40..56).map(|wh| f64::from(wh) * 4.0).sum();
    let lost = column::<GridRow>(&report, "lost_w");
    let most = lost.iter().copied().fold(0.0, f64::max);
    assert!(
        (most / (watts * 1_000.0) - 1.0).abs() < 1e-9,
        "{most} W, not {watts} kW"
    );
    assert_eq!(lost.last(), Some(&0.0));
    let of_meters: f64 = column::<CommandRow>(&report, "load_w")[..16].iter().sum();
    assert!((of_meters / watts - 1.0).abs() < 1e-9, "{of_meters} W");
    assert_conserved_without_reads(&report);
}

#[test]
fn complete_meters_depend_neither_on_threads_nor_on_domains() {
    let sets = [
        "headend.instances=3",
        r#"headend.reads=[(name: "profile", what: Profile(), every: "4h", window: "30min"),
            (name: "registers", what: Registers, every: "1d", first: "1h")]"#,
        r#"timeline=[(at: "5h7min", action: Outage(duration: "40min")),
            (at: "10h30s", action: SetTime(cohort: "slow"))]"#,
    ];
    let one = run_text("one", TOWN, &sets);
    assert_eq!(metric(&one, "requests.success_ratio"), 1.0);
    assert_conserved(&one, "one");
    for (test, partition) in [
        ("two", Partition::ByInstance),
        ("split", Partition::Split(4)),
    ] {
        let options = Options {
            threads: 2,
            partition,
            ..Options::default()
        };
        let other = run_with(test, TOWN, &sets, options);
        assert_eq!(one.digest, other.digest, "{test}");
        let others = files(&other);
        for (table, octets) in files(&one) {
            // The table of meters names the domain of each.
            let same = octets == others[table] || table == MeterRow::TABLE.name;
            assert!(same, "{table} of {test}");
        }
    }
}

/// Registers and rates agree although the switch was open for a while.
fn assert_conserved_without_reads(report: &Report) {
    assert_eq!(metric(report, "metering.rates_off_wh"), 0.0);
    let totals = registers(report, "delivered_wh", "run_ended");
    let meters = registers(report, "meter", "run_ended");
    for (meter, total) in meters.iter().zip(totals) {
        let hourly = (40.0 + meter % 16.0) * 4.0;
        let hours = if *meter < 16.0 { 2.0 - 1.0 / 3.0 } else { 2.0 };
        // The first minute passes without power at the meter.
        let missing = hourly * hours - total;
        assert!(
            (-0.1 * hourly..0.3 * hourly).contains(&missing),
            "{meter}: {total} Wh"
        );
    }
}
