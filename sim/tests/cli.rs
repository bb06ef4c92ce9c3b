//! Runs the real program and looks at what it prints and how it exits.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn meterstorm(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the program starts")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meterstorm"));
    command.args(arguments);
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// A fresh folder for one test.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn shipped_scenarios() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "ron") {
                found.push(path);
            }
        }
    }
    found
}

const FIVE_MISTAKES: &str = r#"Scenario(
    name: "five",
    duration: 7200,
    cohorts: [Cohort(name: "homes", cuont: 10, medium: "lna")],
    media: {"lan": Ethernet(loss: "1 percent")},
    keys: Keys(session_lifetime: "1h", reauthenticate: Every("2h")),
)
"#;

#[test]
fn shipped_scenarios_are_sound_and_explain_themselves() {
    let scenarios = shipped_scenarios();
    assert!(scenarios.len() >= 3);
    for path in scenarios {
        let shown = path.to_str().expect("UTF-8");
        let output = meterstorm(&["check", shown]);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{shown}: {}",
            stderr(&output)
        );
        assert_eq!(stderr(&output), "", "{shown}");
        assert!(stdout(&output).starts_with("ok: "), "{shown}");
        let text = fs::read_to_string(&path).expect("text");
        for heading in ["// Question ", "// Run ", "// Expect ", "// Sources "] {
            assert!(text.contains(heading), "{shown} lacks {heading}");
        }
    }
}

#[test]
fn five_mistakes_are_five_located_errors_and_exit_code_2() {
    let path = folder("five").join("five.ron");
    fs::write(&path, FIVE_MISTAKES).expect("written");
    let shown = path.to_str().expect("UTF-8");
    let output = meterstorm(&["check", shown]);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    for place in ["3:15", "4:37", "4:56", "5:38", "6:34"] {
        assert!(text.contains(&format!("--> {shown}:{place}\n")), "{text}");
    }
    assert_eq!(text.matches("\nerror: ").count() + 1, 5, "{text}");
    assert!(text.contains("did you mean `count`?"), "{text}");
    assert!(text.ends_with("5 errors, 0 warnings\n"), "{text}");
    assert_eq!(stdout(&output), "");
}

#[test]
fn mistakes_can_be_read_by_machines() {
    let path = folder("json").join("five.ron");
    fs::write(&path, FIVE_MISTAKES).expect("written");
    let shown = path.to_str().expect("UTF-8");
    let output = meterstorm(&["check", shown, "--log", "json"]);
    assert_eq!(output.status.code(), Some(2));
    let lines: Vec<serde_json::Value> = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[0]["fault"], "bare_number");
    assert_eq!(lines[0]["file"], shown);
    assert_eq!(
        (&lines[0]["line"], &lines[0]["column"]),
        (&3.into(), &15.into())
    );
}

#[test]
fn overrides_apply_and_their_mistakes_are_located() {
    let path = folder("set").join("a.ron");
    let output = meterstorm(&["new", path.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(0));
    let shown = path.to_str().expect("UTF-8");
    let good = [
        "check",
        shown,
        "--set",
        "duration=12h",
        "--set",
        "cohorts.homes.count=7",
        "--seed",
        "9",
    ];
    let output = meterstorm(&good);
    let text = stdout(&output);
    assert!(
        text.contains("7 × homes") && text.contains("12h from"),
        "{text}"
    );
    assert!(text.contains("seed             9"), "{text}");
    let bad = ["check", shown, "--set", "seed=3", "--set", "duration=12"];
    let output = meterstorm(&bad);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("--> --set:2:10\n"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn the_expanded_scenario_checks_again_and_expands_to_itself() {
    let folder = folder("expand");
    for path in shipped_scenarios() {
        let first = meterstorm(&["check", path.to_str().expect("UTF-8"), "--expand"]);
        assert_eq!(first.status.code(), Some(0));
        let expanded = folder.join("expanded.ron");
        fs::write(&expanded, &first.stdout).expect("written");
        let second = meterstorm(&["check", expanded.to_str().expect("UTF-8"), "--expand"]);
        assert_eq!(stdout(&second), stdout(&first));
    }
}

#[test]
fn new_never_replaces_a_file_unasked() {
    let path = folder("new").join("study.ron");
    let shown = path.to_str().expect("UTF-8");
    assert_eq!(meterstorm(&["new", shown]).status.code(), Some(0));
    assert_eq!(meterstorm(&["check", shown]).status.code(), Some(0));
    fs::write(&path, "precious").expect("written");
    let output = meterstorm(&["new", shown]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--force"), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(&path).expect("text"), "precious");
    assert_eq!(
        meterstorm(&["new", shown, "--force"]).status.code(),
        Some(0)
    );
    assert!(
        fs::read_to_string(&path)
            .expect("text")
            .contains("Scenario(")
    );
}

#[test]
fn fields_are_explained() {
    let output = meterstorm(&["explain", "keys.overlap"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("default: \"5min\""));
    let output = meterstorm(&["explain", "keys.overlpa"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did you mean `overlap`?"));
    let output = meterstorm(&["explain", "metrics"]);
    assert!(stdout(&output).contains("meters.joined_ratio"));
}

#[test]
fn the_data_dictionary_and_completions_are_printed() {
    let output = meterstorm(&["dictionary"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("latency_ns"));
    for shell in ["bash", "zsh", "fish"] {
        let output = meterstorm(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(stdout(&output).contains("meterstorm"), "{shell}");
    }
}

#[test]
fn a_wrong_command_line_is_exit_code_2_and_help_is_0() {
    assert_eq!(meterstorm(&[]).status.code(), Some(2));
    assert_eq!(meterstorm(&["frobnicate"]).status.code(), Some(2));
    assert_eq!(meterstorm(&["check"]).status.code(), Some(2));
    let output = meterstorm(&["check", "no/such/file.ron"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("cannot read no/such/file.ron"));
    let output = meterstorm(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("Exit codes:"));
    assert_eq!(meterstorm(&["--version"]).status.code(), Some(0));
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let mut child = command(&["dictionary"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(stderr(&output), "");
    assert_eq!(output.status.code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_exit_code_3() {
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("the device");
    let output = command(&["dictionary"])
        .stdout(full)
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(3));
    assert!(
        stderr(&output).starts_with("error: "),
        "{}",
        stderr(&output)
    );
}

const SMALL_RUN: &str = r#"Scenario(
    name: "small",
    duration: "1h",
    cohorts: [(name: "homes", count: 10, medium: "lan")],
    media: {"lan": Ethernet(latency: Fixed("5ms"))},
    expect: [Equals("meters.joined_ratio", "100%")],
)"#;

/// A folder with a scenario in it, and the arguments to run that into the folder `out`.
fn small_run(test: &str) -> (PathBuf, Vec<String>) {
    let folder = folder(test);
    let scenario = folder.join("small.ron");
    fs::write(&scenario, SMALL_RUN).expect("a file");
    let out = folder.join("out");
    let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let arguments = vec![
        "run".to_owned(),
        path(&scenario),
        "--out".to_owned(),
        path(&out),
    ];
    (out, arguments)
}

fn with<'a>(arguments: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    arguments
        .iter()
        .map(String::as_str)
        .chain(more.iter().copied())
        .collect()
}

#[test]
fn a_run_ends_with_a_summary_and_names_its_folder() {
    let (out, arguments) = small_run("run_summary");
    let output = meterstorm(&with(&arguments, &[]));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    for part in [
        "10 of 10 joined",
        "time to join p50",
        "digest",
        "ok: meters.joined_ratio = 1",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
    assert!(text.contains(out.to_str().expect("UTF-8")));
    for file in [
        "manifest.json",
        "summary.json",
        "meters.parquet",
        "keys.parquet",
    ] {
        assert!(out.join(file).is_file(), "{file}");
    }
}

#[test]
fn a_report_is_a_page_a_table_or_latex() {
    let (out, arguments) = small_run("report");
    assert_eq!(meterstorm(&with(&arguments, &[])).status.code(), Some(0));
    let folder = out.to_str().expect("UTF-8");
    let report = |more: &[&str]| {
        let output = meterstorm(&[&["report", folder], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    let path = report(&[]);
    assert_eq!(Path::new(path.trim_end()), out.join("report.html"));
    let page = fs::read_to_string(path.trim_end()).expect("the page");
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("10 of 10 meters"));
    assert!(page.contains("The expectation holds"));
    let csv = report(&["--csv", "meters"]);
    assert_eq!(csv.lines().count(), 11);
    assert!(csv.starts_with("meter,cohort,"));
    assert!(report(&["--latex"]).contains("meters.count & 10 & "));

    let wrong = meterstorm(&["report", folder, "--csv", "metres"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("there are meters, auth"));
    let nowhere = meterstorm(&["report", "no/such/folder"]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(stderr(&nowhere).contains("manifest.json"));
}

#[test]
fn a_quiet_run_says_nothing_and_json_is_json() {
    let (_, arguments) = small_run("run_quiet");
    let output = meterstorm(&with(&arguments, &["--quiet"]));
    assert_eq!(
        (stdout(&output), stderr(&output)),
        (String::new(), String::new())
    );
    let output = meterstorm(&with(&arguments, &["--force", "--log", "json"]));
    let text = stdout(&output);
    let last = text.lines().last().expect("a line");
    let result: serde_json::Value = serde_json::from_str(last).expect("JSON");
    assert_eq!(result["type"], "result");
    assert_eq!(result["summary"]["meters"]["joined"], 10);
}

#[test]
fn an_expectation_that_fails_sets_the_exit_code() {
    let (_, arguments) = small_run("run_expectation");
    let set = r#"expect=[AtLeast("auth.initial", 11)]"#;
    let output = meterstorm(&with(&arguments, &["--set", set]));
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("FAILED: auth.initial >= 11 (measured 10)"));
}

#[test]
fn results_are_not_overwritten_unless_forced() {
    let (out, arguments) = small_run("run_occupied");
    assert_eq!(
        meterstorm(&with(&arguments, &["--quiet"])).status.code(),
        Some(0)
    );
    let again = meterstorm(&with(&arguments, &["--quiet"]));
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("--force"), "{}", stderr(&again));
    assert_eq!(
        meterstorm(&with(&arguments, &["--quiet", "--force"]))
            .status
            .code(),
        Some(0)
    );

    // What is not ours is never deleted.
    fs::remove_file(out.join("manifest.json")).expect("the manifest");
    let foreign = meterstorm(&with(&arguments, &["--quiet", "--force"]));
    assert_eq!(foreign.status.code(), Some(2));
    assert!(out.join("meters.parquet").is_file());
}

#[test]
fn a_capture_overwrites_nothing_unless_forced() {
    let (out, arguments) = small_run("run_capture_occupied");
    let file = out.with_extension("pcapng");
    fs::write(&file, "mine").expect("a file");
    let path = file.display().to_string();
    let capture = with(&arguments, &["--quiet", "--pcap", &path]);
    let refused = meterstorm(&capture);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("--force"), "{}", stderr(&refused));
    assert_eq!(fs::read_to_string(&file).expect("text"), "mine");
    assert!(!out.exists(), "nothing has begun");

    let forced = meterstorm(&[capture.as_slice(), &["--force"]].concat());
    assert_eq!(forced.status.code(), Some(0), "{}", stderr(&forced));
    assert!(
        fs::read(&file)
            .expect("a capture")
            .starts_with(&[0x0A, 0x0D, 0x0D, 0x0A])
    );

    // A results folder that is occupied leaves no file behind either.
    fs::remove_file(&file).expect("a capture");
    assert_eq!(meterstorm(&capture).status.code(), Some(2));
    assert!(!file.exists());

    let nowhere = out.join("missing/capture.pcapng").display().to_string();
    let refused = meterstorm(&with(&arguments, &["--pcap", &nowhere]));
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
}

#[test]
fn a_budget_ends_a_run_with_the_last_events() {
    let (_, arguments) = small_run("run_budget");
    let output = meterstorm(&with(
        &arguments,
        &["--quiet", "--set", "limits.events=100"],
    ));
    assert_eq!(output.status.code(), Some(3));
    let text = stderr(&output);
    assert!(text.contains("more than 100 events"), "{text}");
    assert!(text.contains("datagram arrives at instance 0"), "{text}");
}

#[test]
fn verify_proves_a_run_deterministic() {
    let (_, arguments) = small_run("run_verify");
    let output = meterstorm(&["verify", &arguments[1], "--threads", "3"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("1 thread against 3 threads: identical"));
}

/// Starts a run that lasts for minutes and waits until it has written a part of its messages.
#[cfg(unix)]
fn start_long_run(test: &str) -> (PathBuf, std::process::Child) {
    let (out, arguments) = small_run(test);
    let long = [
        "--quiet",
        "--set",
        "duration=20d",
        "--set",
        "cohorts.homes.count=2000",
    ];
    let mut child = command(&with(&arguments, &long))
        .spawn()
        .expect("the program starts");
    let part = out.join("messages.parts/part-00000.parquet");
    for _ in 0..6_000 {
        if part.is_file() {
            return (out, child);
        }
        assert!(
            child.try_wait().expect("a status").is_none(),
            "the run ended early"
        );
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child.kill().expect("it runs");
    panic!("no part of the messages was written");
}

#[cfg(unix)]
#[test]
fn a_killed_run_leaves_what_was_flushed_readable() {
    let (out, mut child) = start_long_run("run_killed");
    child.kill().expect("it runs");
    child.wait().expect("a status");
    let results = reports::Results::open(&out);
    let messages = results
        .table(<reports::MessageRow as reports::Row>::TABLE)
        .expect("parts");
    let part = reports::write::ROWS_PER_PART;
    assert!(messages.height() >= part, "{} rows", messages.height());
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_ends_in_order() {
    let (out, mut child) = start_long_run("run_interrupted");
    let pid = child.id().to_string();
    let sent = Command::new("kill")
        .args(["-INT", &pid])
        .status()
        .expect("kill runs");
    assert!(sent.success());
    assert_eq!(child.wait().expect("a status").code(), Some(0));
    let manifest = fs::read_to_string(out.join("manifest.json")).expect("a manifest");
    assert!(manifest.contains(r#""complete": false"#));
    assert!(out.join("messages.parquet").is_file());
    assert!(!out.join("messages.parts").exists());
}
