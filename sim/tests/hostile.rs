//! Absurd and hostile scenarios: each is refused in an instant, at its place and with a reason.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const SOUND: &str = r#"(
    name: "x", duration: "1h",
    cohorts: [(name: "homes", count: 10, medium: "wan")],
    media: {"wan": Wan()},
)"#;

const MESH: &str = r#"(
    name: "x", duration: "1h",
    cohorts: [(name: "homes", count: 3, medium: "mesh")],
    media: {"wan": Wan(), "mesh": Mesh(backhaul: "wan")},
)"#;

fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("hostile")
        .join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Checks a file; the shell keeps the program from taking more than 2 GB.
fn check(path: &Path, sets: &[&str]) -> Output {
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -v 2000000; exec \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_meterstorm"))
        .arg("check")
        .arg(path)
        .stdin(Stdio::null());
    for set in sets {
        command.args(["--set", set]);
    }
    let started = Instant::now();
    let output = command.output().expect("a shell starts the program");
    assert!(
        started.elapsed() < Duration::from_secs(60),
        "{} takes for ever",
        path.display()
    );
    output
}

/// Asserts that the scenario is refused with `words`, with a place in a file where there is one.
fn refused(path: &Path, sets: &[&str], words: &str) {
    let output = check(path, sets);
    let told = String::from_utf8_lossy(&output.stderr);
    let what = format!("{} {sets:?}", path.display());
    let begin: String = told.chars().take(2_000).collect();
    assert_eq!(output.status.code(), Some(2), "{what}: {begin}");
    assert!(told.contains(words), "{what}: {words}\n{begin}");
    assert!(!told.contains("panicked"), "{what}: {begin}");
    assert!(told.len() < 200_000, "{what}: {} octets", told.len());
    if !told.contains("cannot read") || told.contains(" --> ") {
        assert!(
            told.contains(" --> ") && told.contains('^'),
            "{what}: {begin}"
        );
    }
}

#[test]
fn numbers_beyond_reason_are_refused() {
    let path = folder("numbers").join("x.ron");
    fs::write(&path, SOUND).expect("written");
    let flood = |fields: &str| {
        format!(r#"attackers=[(name: "a", attack: Flood, position: Remote, {fields})]"#)
    };
    let dictionary = r#"attackers=[(name: "a", position: Tap, attack: Dictionary(
        digits: 8, guesses: 18446744073709551615))]"#;
    let name = format!("name=\"{}\"", "x".repeat(100_000));
    for (set, words) in [
        ("cohorts.homes.count=0", "at least one meter"),
        ("cohorts.homes.count=1000000000", "exceed the address space"),
        ("cohorts.homes.count=99999999999999999999", "out of range"),
        ("cohorts.homes.count=-1", "out of range"),
        ("cohorts.homes.count=1.5", "a whole number"),
        ("duration=-1h", "must start with a number"),
        ("duration=NaNs", "must start with a number"),
        ("duration=infh", "must start with a number"),
        (
            "duration=99999999999999999999d",
            "larger than can be represented",
        ),
        ("duration=1e400s", "unknown unit"),
        ("duration=0s", "no duration"),
        ("duration=36525d", "2106"),
        ("duration=36526d", "at most 36525d"),
        ("load.noise_cv=NaN", "expected a number"),
        ("load.noise_cv=inf", "expected a number"),
        ("load.house_sigma=-1", "between 0 and 3"),
        ("load.house_sigma=1e300", "between 0 and 3"),
        ("media.wan.loss=150%", "at most 100%"),
        ("media.wan.loss=-1%", "not a valid quantity"),
        ("media.wan.up=0b/s", "above zero"),
        ("record.bins=0s", "at least 1s"),
        ("headend.cores=4000000000", "at most 10000 cores"),
        ("headend.instances=4000000000", "at most 1000"),
        (flood("every: \"0s\"").as_str(), "at least 1us"),
        (flood("every: \"1ns\"").as_str(), "at least 1us"),
        (flood("count: 4000000000").as_str(), "1 to 16384"),
        (dictionary, "guesses are made"),
        ("sweep.replications=1000000000", "too many"),
        (
            r#"sweep=(factors: {"cohorts.homes.count": [1, 1000000000]})"#,
            "address space",
        ),
        (name.as_str(), "up to 100"),
        (r#"name="a\u{0}b""#, "a name consists of"),
        (r#"name="../../etc""#, "a name consists of"),
    ] {
        refused(&path, &[set], words);
    }
}

#[test]
fn references_to_nothing_are_refused() {
    let path = folder("references").join("x.ron");
    fs::write(&path, SOUND).expect("written");
    for (set, words) in [
        (
            r#"attackers=[(name: "a", attack: Flood, position: Remote, cohort: Some("hoems"))]"#,
            r#"did you mean "homes"?"#,
        ),
        (
            r#"sweep=(factors: {"keys.overlpa": ["1min"]})"#,
            "did you mean `overlap`?",
        ),
        (
            r#"sweep=(arms: [(name: "a", set: {"kyes.overlap": "1min"})])"#,
            "`keys`",
        ),
        (
            r#"timeline=[(at: "5h", action: PowerOff(cohort: "homes"))]"#,
            "the run ends after 1h",
        ),
        (
            r#"timeline=[(at: "1min", action: PowerOff(cohort: "x"))]"#,
            "there is no cohort",
        ),
        ("cohorts.homes.medium=wna", r#"did you mean "wan"?"#),
        ("kyes.overlap=1min", "did you mean `keys`?"),
    ] {
        refused(&path, &[set], words);
    }
    // Arms that change nothing are permitted, as controls are, but told.
    let output = check(&path, &[r#"sweep=(arms: [(name: "a"), (name: "b")])"#]);
    assert_eq!(output.status.code(), Some(0));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.contains(r#"the arms "a" and "b" change the same"#),
        "{told}"
    );
}

#[test]
fn meshes_that_cannot_be_are_refused() {
    let path = folder("meshes").join("x.ron");
    fs::write(&path, MESH).expect("written");
    for (set, words) in [
        ("media.mesh=Mesh()", "backhaul"),
        ("media.mesh.backhaul=mesh", "this one is shared"),
        (
            "media.mesh.topology=StreetGrid(lot_m: 90000.0, block_m: 90000.0)",
            "hear nobody",
        ),
        (
            "media.mesh.topology=StreetGrid(lot_m: NaN)",
            "expected a number",
        ),
        (
            "media.mesh.topology=StreetGrid(lot_m: -5.0)",
            "between 0.1 and",
        ),
        (
            "media.mesh.topology=Clusters(clusters: 4000000000)",
            "1 to 10000",
        ),
        (
            r#"media.mesh.topology=List(csv: "meter,x_m,y_m,parent
a,1,1,b
b,2,2,c
c,3,3,a
")"#,
            "parents form a cycle: a -> b -> c -> a",
        ),
        ("media.mesh.meters_per_concentrator=4000000000", "1 to 5000"),
        (
            r#"media.mesh=G3Plc(backhaul: "wan", cables: 0)"#,
            "at least one cable",
        ),
    ] {
        refused(&path, &[set], words);
    }
}

#[test]
fn files_that_are_no_scenarios_are_refused() {
    let folder = folder("files");
    let many: String = (0..100_000).map(|n| format!("a{n}: {n}, ")).collect();
    let long = format!("(name: \"x\"{})", " ".repeat(17 << 20));
    for (name, text, words) in [
        ("empty", "", "`meterstorm new FILE`"),
        ("blank", " \n\n", "`meterstorm new FILE`"),
        ("parens", "(".repeat(1_000_000).as_str(), "never closed"),
        (
            "brackets",
            format!("(name: {}", "[".repeat(1_000_000)).as_str(),
            "never closed",
        ),
        ("comments", "/*".repeat(1_000_000).as_str(), "never closed"),
        ("quotes", "(name: \"", "never closed"),
        ("fields", format!("({many})").as_str(), "more like these"),
        ("long", long.as_str(), "larger than 16777216 octets"),
        (
            "itself",
            r#"(base: "itself.ron", name: "x")"#,
            "inherits from itself",
        ),
        ("one", r#"(base: "two.ron")"#, "cannot read"),
        ("two", r#"(base: "one.ron")"#, "inherits from itself"),
        (
            "nobody",
            r#"(base: "nowhere.ron", name: "y")"#,
            "cannot read",
        ),
        ("folder", r#"(base: ".", name: "y")"#, "cannot read"),
    ] {
        let path = folder.join(format!("{name}.ron"));
        fs::write(&path, text).expect("written");
        refused(&path, &[], words);
    }
    let path = folder.join("binary.ron");
    fs::write(&path, b"(\nname: \"\xff\xfe\")").expect("written");
    refused(&path, &[], "line 2 is not UTF-8 text");
    refused(&folder, &[], "cannot read");
    refused(&folder.join("absent.ron"), &[], "cannot read");
    let endless = Path::new("/dev/zero");
    if endless.exists() {
        refused(endless, &[], "larger than 16777216 octets");
    }
}
