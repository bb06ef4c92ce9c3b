//! Lists of meters in files of their own: found next to the scenario, located when wrong.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{metric, overrides, run_fresh};
use reports::read::numbers;
use reports::{MeterRow, Results, Row};
use sim::run::{Options, Report};
use sim::scenario::{self, Loaded};

/// Three meters in a row, two of them at one transformer.
const LIST: &str = "meter,x_m,y_m,parent,transformer
near,55,0,root,T1
middle,110,0,near,T2
far,165,0,middle,T1
";

const SCENARIO: &str = r#"Scenario(
    name: "listed",
    seed: 2,
    duration: "1h",
    cohorts: [(name: "a", count: 3, medium: "mesh")],
    media: {
        "mesh": Mesh(phy: Oqpsk24, backhaul: "wan", topology: List(file: "lists/meters.csv")),
        "wan": Wan(latency: Fixed("20ms")),
    },
)"#;

/// A fresh folder with the scenario and, in a folder below it, `list`.
fn folder(test: &str, list: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("lists-of-meters")
        .join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("lists")).expect("a folder");
    fs::write(folder.join("listed.ron"), SCENARIO).expect("a scenario");
    fs::write(folder.join("lists/meters.csv"), list).expect("a list");
    folder
}

fn load(folder: &Path, sets: &[&str]) -> Result<Loaded, scenario::Report> {
    scenario::load(&folder.join("listed.ron"), &overrides(sets))
}

fn run(test: &str, sets: &[&str]) -> Report {
    let loaded = load(&folder(test, LIST), sets).unwrap_or_else(|report| panic!("{report}"));
    run_fresh(test, &loaded, Options::default()).expect("the run ends in order")
}

/// Whether the power of each meter was interrupted.
fn dark(report: &Report) -> Vec<bool> {
    let meters = Results::open(&report.folder)
        .table(MeterRow::TABLE)
        .expect("a table");
    let returned = meters.column("power_returned_ns").expect("a column");
    let returned = returned.i64().expect("times").iter();
    returned.map(|time| time.is_some()).collect()
}

#[test]
fn a_list_is_found_next_to_its_scenario() {
    let report = run("found", &[]);
    assert_eq!(metric(&report, "meters.joined_ratio"), 1.0);
    let meters = Results::open(&report.folder)
        .table(MeterRow::TABLE)
        .expect("a table");
    let hops = numbers(&meters, "hop_count").expect("a column of numbers");
    assert_eq!(hops, [1.0, 2.0, 3.0]);

    let loaded = load(&folder("names", LIST), &[]).expect("a good scenario");
    let files: Vec<_> = loaded
        .files
        .iter()
        .filter_map(|file| file.file_name())
        .collect();
    assert_eq!(
        files,
        ["listed.ron", "meters.csv"],
        "the manifest names both"
    );
    // The results say what was in the list: they can be repeated without the file.
    let written = loaded.scenario.to_ron();
    let again = scenario::load_text("again.ron", &written, &[]).expect("a good scenario");
    assert_eq!(again.scenario, loaded.scenario);
}

#[test]
fn a_list_says_what_hangs_on_which_transformer() {
    let outage = |number: u32| {
        let area = format!("Outage(area: Transformer(number: {number}), duration: \"5min\")");
        format!("timeline=[(at: \"30min\", action: {area})]")
    };
    let mut hit = Vec::new();
    for number in 0..2 {
        let report = run(&format!("transformer_{number}"), &[&outage(number)]);
        hit.push(dark(&report));
    }
    hit.sort();
    assert_eq!(hit, [[false, true, false], [true, false, true]]);
}

#[test]
fn what_is_wrong_in_a_list_is_shown_where_it_stands() {
    for (wrong, right, place, words) in [
        ("110", "here", "meters.csv:3:8", "`here` is no coordinate"),
        (
            "far,165,0,middle",
            "far,165,0,nobody",
            "meters.csv:4:11",
            "parent `nobody`",
        ),
        (
            "55,0,root",
            "55,0,far",
            "meters.csv:2:11",
            "near -> far -> middle -> near",
        ),
        (
            "far,165",
            "far,90000",
            "meters.csv:4:1",
            "does not hear its parent",
        ),
        (
            "165,0,middle",
            "90000,0,",
            "meters.csv:4:1",
            "`far` is isolated",
        ),
        (
            "meter,x_m",
            "meter,x",
            "meters.csv:1:7",
            "unknown column `x`",
        ),
    ] {
        let list = LIST.replace(wrong, right);
        let report = load(&folder("wrong", &list), &[])
            .expect_err(words)
            .to_string();
        assert!(report.contains(place), "{place}: {report}");
        assert!(report.contains(words), "{words}: {report}");
    }
}

#[test]
fn lists_that_cannot_be_read_are_refused() {
    let topology = |text: &str| format!("media.mesh.topology={text}");
    let refused = |sets: &[&str], words: &str| {
        let report = load(&folder("unreadable", LIST), sets).expect_err(words);
        assert_eq!(report.errors(), 1, "{report}");
        assert!(report.to_string().contains(words), "{words}: {report}");
    };
    for (file, words) in [
        ("nowhere.csv", "cannot read nowhere.csv"),
        ("/dev/zero", "larger than"),
    ] {
        refused(&[&topology(&format!("List(file: \"{file}\")"))], words);
    }
    fs::write(
        folder("binary", LIST).join("lists/meters.csv"),
        [0xFF, 0xFE],
    )
    .expect("a list");
    let binary = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lists-of-meters/binary");
    let report = load(&binary, &[]).expect_err("no text").to_string();
    assert!(
        report.contains("listed.ron:7:") && report.contains("not UTF-8"),
        "{report}"
    );
}
