//! Sweeps of the real program: resumed, paired and foreseen.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use sim::experiment::compare::compare;
use sim::experiment::plan::plan;
use sim::scenario::load_text;

/// Two arms that differ and one that does not, at two points, three times each.
const STUDY: &str = r#"Scenario(
    name: "study",
    seed: 11,
    duration: "2h",
    cohorts: [(name: "homes", count: 30, medium: "wan")],
    media: {"wan": Wan(latency: Uniform("20ms", "80ms"), loss: "3%")},
    keys: (session_lifetime: "1h", reauthenticate: Every("30min"), overlap: "2min"),
    sweep: (
        factors: {"media.wan.loss": ["1%", "5%"]},
        arms: [
            (name: "plain"),
            (name: "same", set: {"media.wan.up": "5Mb/s"}),
            (name: "identity", set: {"pana.identity_request": true}),
        ],
        replications: 3,
    ),
)"#;

struct Study {
    folder: PathBuf,
    scenario: PathBuf,
}

impl Study {
    fn new(test: &str, text: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("sweeps")
            .join(test);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        let scenario = folder.join("study.ron");
        fs::write(&scenario, text).expect("written");
        Self { folder, scenario }
    }

    fn out(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn command(&self, out: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meterstorm"));
        command
            .arg("sweep")
            .arg(&self.scenario)
            .arg("--out")
            .arg(self.out(out))
            .args(more);
        command
    }

    fn sweep(&self, out: &str, more: &[&str]) -> Output {
        self.command(out, more)
            .output()
            .expect("the program starts")
    }

    /// Sweeps to the end.
    fn complete(&self, out: &str, more: &[&str]) -> PathBuf {
        let output = self.sweep(out, more);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        self.out(out)
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// The octets of a data set by their place. Manifests tell how long a run took, so they are no
/// part of it.
fn dataset(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if !path.ends_with("manifest.json") {
                let place = path.strip_prefix(folder).expect("below").to_owned();
                files.insert(place, fs::read(&path).expect("a file"));
            }
        }
    }
    files
}

fn assert_same(one: &Path, other: &Path) {
    let (one, other) = (dataset(one), dataset(other));
    let places = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(places(&one), places(&other));
    for (place, octets) in &one {
        assert!(*octets == other[place], "{} differs", place.display());
    }
}

fn finished_runs(folder: &Path) -> usize {
    let runs = sim::experiment::store::result_folders(&folder.join("runs")).expect("readable");
    let complete = |run: &PathBuf| {
        fs::read_to_string(run.join("manifest.json"))
            .is_ok_and(|text| text.contains(r#""complete": true"#))
    };
    runs.iter().filter(|run| complete(run)).count()
}

#[test]
fn a_data_set_does_not_depend_on_jobs_and_has_every_run() {
    let study = Study::new("jobs", STUDY);
    let one = study.complete("one", &["--jobs", "1"]);
    let many = study.complete("many", &["--jobs", "3"]);
    assert_same(&one, &many);
    assert_eq!(finished_runs(&one), 18);
    let place = "runs/arm=identity/media.wan.loss=5%25/replication=2/auth.parquet";
    assert!(one.join(place).is_file());
    assert!(one.join("runs.parquet").is_file());
    let description = fs::read_to_string(one.join("sweep.json")).expect("a description");
    assert!(description.contains(r#""complete": true"#), "{description}");
    // A sweep that is complete has nothing to do.
    let again = study.sweep("one", &[]);
    assert!(
        stdout(&again).contains("18 of 18 runs, 18 of them before"),
        "{}",
        stdout(&again)
    );
    assert_same(&one, &many);
}

fn wait_until(child: &mut Child, mut reached: impl FnMut() -> bool) {
    let started = Instant::now();
    while !reached() && child.try_wait().expect("a status").is_none() {
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "nothing happens"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_sweep_that_is_killed_again_and_again_ends_with_the_same_octets() {
    let study = Study::new("killed", STUDY);
    let whole = study.complete("whole", &["--jobs", "2"]);
    let killed = study.out("killed");
    let mut kills = 0;
    // Delays in a sequence without pattern, so that kills fall into every stage of a run.
    let mut state = 12_345_u64;
    for goal in 1..=12 {
        let mut child = study
            .command("killed", &["--jobs", "2", "--quiet"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        wait_until(&mut child, || finished_runs(&killed) >= goal);
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        std::thread::sleep(Duration::from_micros(state >> 48));
        kills += usize::from(child.try_wait().expect("a status").is_none());
        let _ = child.kill();
        child.wait().expect("a status");
    }
    assert!(kills >= 6, "only {kills} of the kills came in time");
    let left = finished_runs(&killed);
    let resumed = study.sweep("killed", &["--jobs", "2"]);
    assert_eq!(resumed.status.code(), Some(0), "{}", stderr(&resumed));
    let expected = format!("18 of 18 runs, {left} of them before");
    assert!(
        stdout(&resumed).contains(&expected),
        "{expected}: {}",
        stdout(&resumed)
    );
    assert_same(&whole, &killed);
}

#[test]
fn equal_arms_do_not_differ_at_all_and_others_do() {
    let study = Study::new("arms", STUDY);
    let out = study.complete("out", &[]);
    let arm = |name: &str| out.join("runs").join(format!("arm={name}"));
    let same = compare(&arm("plain"), &arm("same")).expect("comparable");
    assert_eq!(same.points.len(), 2);
    for point in &same.points {
        assert_eq!((point.pairs, point.identical), (3, 3));
        assert!(point.differences.len() > 20);
        for difference in &point.differences {
            assert!(difference.vanishes, "{}", difference.metric);
            assert_eq!(difference.mean, 0.0);
            let interval = difference.interval.expect("three pairs");
            assert_eq!((interval.low, interval.high), (0.0, 0.0));
        }
    }
    // An identity request and its answer are two more datagrams per authentication.
    let other = compare(&arm("plain"), &arm("identity")).expect("comparable");
    for point in &other.points {
        let of = |metric| {
            point
                .differences
                .iter()
                .find(|d| d.metric == metric)
                .expect("a metric")
        };
        let interval = of("traffic.datagrams").interval.expect("three pairs");
        assert!(interval.low > 0.0, "{interval:?}");
    }
    let arguments = ["compare".into(), arm("plain"), arm("identity")];
    let output = Command::new(env!("CARGO_BIN_EXE_meterstorm"))
        .args(arguments)
        .output();
    let text = stdout(&output.expect("the program starts"));
    assert!(
        text.contains("media.wan.loss=5%: 3 pairs of runs, 0 with identical"),
        "{text}"
    );
    let output = Command::new(env!("CARGO_BIN_EXE_meterstorm"))
        .args(["report".into(), out.clone()])
        .output();
    assert_eq!(
        stdout(&output.expect("the program starts")).lines().count(),
        1
    );
    let page = fs::read_to_string(out.join("report.html")).expect("a page");
    for text in ["3 arms", "2 points", "Difference: ", "<td>5%</td>"] {
        assert!(page.contains(text), "{text}");
    }
    let whole = compare(&out, &arm("plain")).expect_err("three arms");
    assert!(whole.to_string().contains("several arms"), "{whole}");
}

#[test]
fn a_sweep_keeps_what_still_belongs_to_it_and_never_touches_the_rest() {
    let study = Study::new("changed", STUDY);
    let arms = r#"sweep.arms=[(name: "plain")]"#;
    study.complete("out", &["--set", arms]);
    // More replications: those that exist are kept.
    let more = study.sweep("out", &["--set", arms, "--set", "sweep.replications=4"]);
    assert!(
        stdout(&more).contains("8 of 8 runs, 6 of them before"),
        "{}",
        stdout(&more)
    );
    // Fewer: what no longer belongs to the sweep is named, and removed only when told so.
    let fewer = study.sweep("out", &["--set", arms]);
    assert_eq!(fewer.status.code(), Some(2));
    assert!(
        stderr(&fewer).contains("replication=3"),
        "{}",
        stderr(&fewer)
    );
    study.complete("out", &["--set", arms, "--force"]);
    assert_eq!(finished_runs(&study.out("out")), 6);
    // Another scenario makes all runs anew.
    let other = study.sweep("out", &["--set", arms, "--set", "keys.overlap=3min"]);
    assert!(
        stdout(&other).contains("6 of 6 runs, 0 of them before"),
        "{}",
        stdout(&other)
    );

    fs::create_dir_all(study.out("mine")).expect("a folder");
    fs::write(study.out("mine").join("thesis.tex"), "precious").expect("written");
    let foreign = study.sweep("mine", &["--force"]);
    assert_eq!(foreign.status.code(), Some(2));
    assert_eq!(dataset(&study.out("mine")).len(), 1);
}

#[test]
fn expectations_are_judged_in_every_run() {
    let study = Study::new("expectations", STUDY);
    let sets = [
        "--set",
        r#"expect=[AtMost("auth.retransmissions", 0)]"#,
        "--set",
        r#"sweep.factors={"media.wan.loss": ["0%", "20%"]}"#,
        "--set",
        r#"sweep.arms=[]"#,
    ];
    let output = study.sweep("out", &sets);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let text = stdout(&output);
    assert_eq!(text.matches("FAILED in").count(), 3, "{text}");
    assert!(text.contains("arm=baseline/media.wan.loss=20%25"), "{text}");
}

#[test]
fn mistakes_in_a_sweep_are_located_before_anything_runs() {
    let study = Study::new("mistakes", STUDY);
    for (set, words) in [
        ("sweep.replications=0", "runs nothing"),
        ("sweep.replications=4000000000", "at most 100000"),
        (r#"sweep.factors={"media.wan.loss": []}"#, "without levels"),
        (
            r#"sweep.factors={"media.wan.loss": ["1%", "1%"]}"#,
            "given twice",
        ),
        (
            r#"sweep.factors={"media.wan.lsos": ["1%"]}"#,
            "did you mean `loss`?",
        ),
        (
            r#"sweep.factors={"media.wan.loss": ["1%", 5]}"#,
            "has no unit",
        ),
        (r#"sweep.factors={"media.wam.loss": ["1%"]}"#, "error"),
        (r#"sweep.factors={"seed": [1, 2]}"#, "cannot vary"),
        (r#"sweep.arms=[(name: "a"), (name: "a")]"#, "two arms"),
        (r#"sweep.arms=[(name: "../a")]"#, "a name consists of"),
        (
            r#"sweep.arms=[(name: "a", set: {"media.wan.loss": "2%"})]"#,
            "change the same value",
        ),
    ] {
        let output = study.sweep("out", &["--set", set]);
        assert_eq!(output.status.code(), Some(2), "{set}");
        let text = stderr(&output);
        assert!(
            text.contains(words) && text.contains(" --> "),
            "{set}: {text}"
        );
        assert!(!study.out("out").exists(), "{set}");
    }
}

/// The largest memory that a process has had, where the system tells.
fn resident_bytes(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1_024)
}

#[test]
fn a_forecast_is_near_what_happens() {
    let sets = [
        "cohorts.homes.count=2000".to_owned(),
        "sweep.arms=[]".to_owned(),
    ];
    let loaded = load_text("study.ron", STUDY, &sets).unwrap_or_else(|report| panic!("{report}"));
    let forecast = plan(&loaded, std::num::NonZero::<usize>::MIN).expect("probes end");
    assert_eq!(
        (forecast.arms, forecast.points, forecast.replications),
        (1, 2, 3)
    );
    assert!(!forecast.extrapolated);

    let study = Study::new("forecast", STUDY);
    let started = Instant::now();
    let mut child = study
        .command(
            "out",
            &[
                "--jobs", "1", "--quiet", "--set", &sets[0], "--set", &sets[1],
            ],
        )
        .spawn()
        .expect("the program starts");
    let (mut memory, id) = (0_u64, child.id());
    wait_until(&mut child, || {
        memory = memory.max(resident_bytes(id).unwrap_or(0));
        false
    });
    let wall_s = started.elapsed().as_secs_f64();
    let (mut events, mut disk) = (0.0, 0.0);
    for run in sim::experiment::store::result_folders(&study.out("out")).expect("readable") {
        let run_events = sim::experiment::store::Finished::read(&run)
            .expect("finished")
            .events;
        events += run_events as f64;
        disk += fs::read_dir(&run)
            .expect("a folder")
            .flatten()
            .map(|e| e.metadata().expect("a size").len() as f64)
            .sum::<f64>();
    }
    let near = |foreseen: f64, real: f64, factor: f64| {
        let ratio = foreseen / real;
        assert!(
            (1.0 / factor..factor).contains(&ratio),
            "foreseen {foreseen}, was {real}"
        );
    };
    near(forecast.total.events, events, 1.05);
    near(forecast.total.disk_bytes, disk, 1.5);
    // Tests run beside each other, which slows either measurement.
    near(forecast.total.wall_s, wall_s, 4.0);
    // An unoptimised program is larger.
    if memory > 0 {
        near(forecast.total.memory_bytes, memory as f64, 1.6);
    }
}
