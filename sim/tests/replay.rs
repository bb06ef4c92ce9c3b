//! Premises that replay recorded interval data: what goes in comes out, and mistakes are located.

mod common;
#[path = "common/text.rs"]
mod text;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::{metric, overrides, run_fresh};
use models::fleet::Partition;
use reports::read::numbers;
use reports::{MeterRow, ReadRow, RegisterRow, Results, Row};
use sim::run::{Options, Report};
use sim::scenario::{self, load};
use text::{files, run_text, run_with};

const QUARTER_NS: f64 = 9e11;

const SCENARIO: &str = r#"Scenario(
    name: "recorded",
    seed: 2,
    duration: "6h",
    cohorts: [(
        name: "a", count: 2, medium: "wan", power_on: Fixed("0s"), boot: Fixed("1s"),
        clock_drift: Fixed("100ppm"), replay: Replay(file: "homes.csv"),
    )],
    media: {"wan": Wan(latency: Fixed("20ms"), loss: "1%")},
    traffic: (report: (spread: "14min")),
)"#;

/// What the meter `index` uses in interval `number`, in Wh: large and small, and nothing.
fn used(index: usize, number: usize) -> u32 {
    match (index, number % 5) {
        (_, 0) => 0,
        (0, 1) => 1,
        (_, rest) => (977 * number * (rest + 1) + 4_099 * index) as u32 % 9_000,
    }
}

fn csv(intervals: usize) -> String {
    let rows = (0..intervals).flat_map(|number| {
        let row = move |index| format!("m{index},{number},{}\n", used(index, number));
        (0..2).map(row)
    });
    "meter,interval,wh\n".to_owned() + &rows.collect::<String>()
}

/// A fresh folder with the scenario and `data`.
fn folder(test: &str, data: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("recorded-data")
        .join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("recorded.ron"), SCENARIO).expect("a scenario");
    fs::write(folder.join("homes.csv"), data).expect("data");
    folder
}

fn run(test: &str, data: &str, sets: &[&str]) -> Report {
    let path = folder(test, data).join("recorded.ron");
    let loaded = load(&path, &overrides(sets)).unwrap_or_else(|report| panic!("{report}"));
    run_fresh(test, &loaded, Options::default()).expect("the run ends in order")
}

/// The energy of each interval that was due, by meter and number of the interval.
///
/// With a fast clock an interval is over a little before the full quarter of an hour.
fn reads(report: &Report) -> BTreeMap<(usize, usize), u32> {
    let frame = Results::open(&report.folder)
        .table(ReadRow::TABLE)
        .expect("a table");
    let column = |name: &str| numbers(&frame, name).expect("a column of numbers");
    let due = column("due_ns");
    let number = due.iter().map(|due| (due / QUARTER_NS).floor() as usize);
    let meters = column("meter").into_iter().map(|meter| meter as usize);
    let energies = column("interval_wh").into_iter().map(|wh| wh as u32);
    // Reports are spread over 14 minutes behind the end of the interval, so number 1 is the first.
    let keys = meters.zip(number.map(|number| number - 1));
    keys.zip(energies).collect()
}

fn expected(intervals: usize) -> BTreeMap<(usize, usize), u32> {
    (0..intervals)
        .flat_map(|number| (0..2).map(move |index| ((index, number), used(index, number))))
        .collect()
}

#[test]
fn intervals_come_out_as_they_went_in() {
    for (test, sets) in [
        ("simple", &[][..]),
        ("full", &["cohorts.a.metering=Metering()"]),
        // Reading the registers in between divides intervals.
        (
            "divided",
            &[
                "cohorts.a.metering=Metering()",
                r#"headend.reads=[(name: "a", what: Registers, every: "7min")]"#,
            ],
        ),
    ] {
        let report = run(test, &csv(24), sets);
        let reads = reads(&report);
        // Interval 24 ends with the run and is not due any more.
        assert_eq!(reads, expected(23), "{test}");
        assert_eq!(metric(&report, "reads.completeness_ratio"), 1.0, "{test}");
    }
}

#[test]
fn energy_fed_in_is_energy_received() {
    let fed_in = csv(24).replace(",wh\n", ",kwh\n");
    let fed_in: String = fed_in
        .lines()
        .map(|line| match line.split(',').collect::<Vec<_>>()[..] {
            ["m1", number, wh] => format!("m1,{number},-0.0{wh}\n"),
            ["m0", number, wh] => format!("m0,{number},{wh}e-3\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let report = run("fed_in", &fed_in, &["cohorts.a.metering=Metering()"]);
    let frame = Results::open(&report.folder)
        .table(RegisterRow::TABLE)
        .expect("a table");
    let column = |name: &str| numbers(&frame, name).expect("a column of numbers");
    let (delivered, received) = (column("delivered_wh"), column("received_wh"));
    let last = |of: usize| {
        let meters = column("meter");
        meters
            .iter()
            .rposition(|meter| *meter == of as f64)
            .expect("a row")
    };
    assert_eq!((received[last(0)], delivered[last(1)]), (0.0, 0.0));
    // Registers end where the clock of the meter was asked last, in the last interval.
    let all: u32 = (0..23).map(|number| used(0, number)).sum();
    assert!(delivered[last(0)] >= f64::from(all), "{delivered:?}");
    assert!(received[last(1)] > 0.0, "{received:?}");
}

#[test]
fn parquet_of_another_writer_is_read() {
    // Written by pyarrow: texts, timestamps in µs with a zone, kWh as doubles, a list column;
    // rows of two meters in turn from an hour before the run to half an hour after it.
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/homes.parquet");
    let path = folder("parquet", "");
    fs::copy(data, path.join("homes.parquet")).expect("a copy");
    let text = SCENARIO.replace("homes.csv", "homes.parquet");
    fs::write(path.join("recorded.ron"), text).expect("a scenario");
    let loaded = load(&path.join("recorded.ron"), &[]).unwrap_or_else(|report| panic!("{report}"));
    let report = run_fresh("parquet", &loaded, Options::default()).expect("the run ends in order");
    let wh = |name: &str, base: usize, number: usize| {
        (base + (number * 37 + name.len() * 11) % 100) as u32
    };
    let expected: BTreeMap<(usize, usize), u32> = (0..23)
        .flat_map(|number| {
            [
                ((0, number), wh("4711", 250, number)),
                ((1, number), wh("4712, upper floor", 1_000, number)),
            ]
        })
        .collect();
    assert_eq!(reads(&report), expected);
    // What was run can be repeated without the file.
    let again = scenario::load_text("again.ron", &loaded.scenario.to_ron(), &[]);
    assert_eq!(again.expect("a good scenario").scenario, loaded.scenario);

    fs::write(path.join("homes.parquet"), "PAR1 nothing of it").expect("a file");
    let report = load(&path.join("recorded.ron"), &[]).expect_err("no Parquet");
    assert_eq!(report.errors(), 1, "{report}");
    assert!(report.to_string().contains("no Parquet file"), "{report}");
}

#[test]
fn what_is_wrong_with_data_is_shown_where_it_stands() {
    let good = csv(24);
    for (wrong, right, sets, place, words) in [
        (
            "m0,3,",
            "m0,x,",
            &[][..],
            "homes.csv:8:4",
            "`x` is no number of an interval",
        ),
        ("m0,3,", "m0,3,?", &[], "homes.csv:8:6", "is no energy"),
        (
            "m0,3,",
            "m0,3,-",
            &[],
            "homes.csv:8:6",
            "one direction only",
        ),
        (
            "m0,3,",
            "m9,3,",
            &[],
            "homes.csv:8:4",
            "3 intervals of `m9` from 0 on are missing",
        ),
        (
            "m0,3,",
            "#0,3,",
            &[],
            "homes.csv:10:4",
            "interval 3 of `m0` is missing",
        ),
        ("m0,3,", "m0,2,", &[], "homes.csv:8:4", "comes twice"),
        (
            "",
            "",
            &["duration=6h1s"],
            "homes.csv:48:1",
            "have 24 intervals of the run, which has 25",
        ),
        (
            "",
            "",
            &["cohorts.a.count=3"],
            "recorded.ron:6:",
            "data of 2 meters for a cohort of 3",
        ),
        (
            "",
            "",
            &["cohorts.a.metering=(household: (appliances: true))"],
            "recorded.ron:6:",
            "take the place of everything",
        ),
    ] {
        let data = good.replacen(wrong, right, usize::from(!wrong.is_empty()));
        let path = folder("wrong", &data).join("recorded.ron");
        let report = load(&path, &overrides(sets)).expect_err(words).to_string();
        assert!(report.contains(words), "{words}: {report}");
        assert!(
            report.contains(place) || !sets.is_empty(),
            "{place}: {report}"
        );
    }
    // Meters may share data.
    let sets = ["cohorts.a.count=5", "cohorts.a.replay.recycle=true"];
    let reads = reads(&run("recycled", &good, &sets));
    for ((meter, number), wh) in &reads {
        assert_eq!(*wh, used(meter % 2, *number));
    }
    assert_eq!(reads.len(), 5 * 23);
}

#[test]
fn replay_depends_neither_on_threads_nor_on_domains() {
    let data = csv(24).replace('\n', "\\n");
    let text = SCENARIO.replace(
        "file: \"homes.csv\"",
        &format!("csv: \"{data}\", recycle: true"),
    );
    let sets = [
        "cohorts.a.count=30",
        "headend.instances=3",
        "cohorts.a.metering=Metering()",
    ];
    let run = |test, threads, partition| {
        let options = Options {
            threads,
            partition,
            ..Options::default()
        };
        run_with(test, &text, &sets, options)
    };
    let one = run_text("one", &text, &sets);
    let two = run("two", 2, Partition::ByInstance);
    let split = run("split", 2, Partition::Split(4));
    for other in [&two, &split] {
        assert_eq!(one.digest, other.digest);
        let others = files(other);
        for (table, octets) in files(&one) {
            // The table of meters names the domain of each.
            let same = octets == others[table] || table == MeterRow::TABLE.name;
            assert!(same, "{table}");
        }
    }
}
