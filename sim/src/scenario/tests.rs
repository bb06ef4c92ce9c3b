use std::fs;

use firmware::Duration;
use proptest::prelude::*;

use super::diagnostic::Fault;
use super::schema::{Mcu, Reauthenticate, Security};
use super::units::{Drift, Ratio};
use super::*;

const SMALL: &str = r#"// A comment.
Scenario(
    name: "small",
    duration: "2h",
    cohorts: [(name: "homes", count: 10, medium: "lan")],
    media: {"lan": Ethernet(loss: "1%")},
)
"#;

fn small(overrides: &[&str]) -> Result<Loaded, Report> {
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    load_text("small.ron", SMALL, &overrides)
}

/// The mistakes of a text as `line:column fault`.
fn faults(text: &str) -> Vec<String> {
    match load_text("x.ron", text, &[]) {
        Ok(_) => Vec::new(),
        Err(report) => report
            .located()
            .map(|mistake| {
                let place = mistake.location.expect("all mistakes here have a place");
                format!("{}:{} {:?}", place.line, place.column, mistake.fault)
            })
            .collect(),
    }
}

/// The first mistake that overriding the small scenario makes.
fn fault_of(set: &str) -> (Fault, String, String) {
    let report = small(&[set]).expect_err(set);
    let first = report.located().next().expect("an error");
    let place = first.location.expect("a place");
    (
        first.fault,
        format!("{}:{}:{}", place.file, place.line, place.column),
        first.message.to_owned(),
    )
}

#[test]
fn defaults_fill_a_short_scenario() {
    let loaded = small(&[]).unwrap();
    let scenario = loaded.scenario;
    assert_eq!(scenario.duration, Duration::from_secs(7_200));
    assert_eq!(scenario.cohorts[0].count, 10);
    assert_eq!(scenario.cohorts[0].mcu, Mcu::CortexM4);
    assert_eq!(
        scenario.media["lan"]
            .profile("lan", &scenario.media)
            .up
            .loss_ppb,
        10_000_000
    );
    assert_eq!(scenario.keys, schema::Keys::default());
    assert_eq!(scenario.start.to_string(), "2026-01-15T00:00:00Z");
    assert!(loaded.warnings.is_empty());
}

#[test]
fn the_expanded_scenario_reads_back_to_the_same_value() {
    let scenario = small(&[
        "keys.reauthenticate=Every(\"30min\", \"5%\")",
        "cohorts.homes.mcu=Custom(clock: \"8MHz\", aes_block_cycles: 2112, \
         sha1_block_cycles: 1, sha256_block_cycles: 2, octet_cycles: 3)",
        "cohorts[0].power_on=LogNormal(\"0s\", \"5s\", 0.25)",
        "cohorts[0].clock_drift=Normal(mean: \"-3ppm\", sd: \"1.5ppm\")",
        "pana.ping=\"1h\"",
        "timeline=[(at: \"1h\", action: PowerOff(\"homes\", \"50%\"))]",
        "taps=[(name: \"t\", medium: Some(\"lan\"))]",
        "expect=[AtLeast(\"meters.joined_ratio\", \"99.9%\"), Between(\"meters.joined\", 1, 1e12)]",
        "description=\"quotes \\\" and \\\\ and \\u{e9}\"",
    ])
    .unwrap()
    .scenario;
    let text = scenario.to_ron();
    let again = load_text("again.ron", &text, &[])
        .unwrap_or_else(|report| panic!("{report}\n{text}"))
        .scenario;
    assert_eq!(again, scenario);
    assert_eq!(again.to_ron(), text);
}

#[test]
fn five_different_mistakes_are_five_located_errors() {
    let text = r#"Scenario(
    name: "five",
    duration: 7200,
    cohorts: [Cohort(name: "homes", cuont: 10, medium: "lna")],
    media: {"lan": Ethernet(loss: "1 percent")},
    keys: Keys(session_lifetime: "1h", reauthenticate: Every("2h")),
)
"#;
    let wanted = [
        "3:15 BareNumber",
        "4:37 UnknownField",
        "4:56 UnknownReference",
        "5:38 BadUnit",
        "6:34 Contradiction",
    ];
    assert_eq!(faults(text), wanted);
}

#[test]
fn a_report_shows_file_line_column_caret_and_hint() {
    let text = "(\n    name: \"x\",\n    durration: \"1h\",\n    cohorts: [],\n    media: {},\n)";
    let shown = load_text("dir/x.ron", text, &[]).unwrap_err().to_string();
    let wanted = "error: `Scenario` has no field `durration`
 --> dir/x.ron:3:5
  |
3 |     durration: \"1h\",
  |     ^^^^^^^^^
  = hint: did you mean `duration`?
";
    assert!(shown.contains(wanted), "{shown}");
}

#[test]
fn mistakes_of_every_kind_are_found() {
    for (set, fault, place) in [
        ("seed", Fault::Syntax, "--set:1:1"),
        ("=1", Fault::Syntax, "--set:1:1"),
        ("cohorts[x].count=1", Fault::Syntax, "--set:1:1"),
        ("name=\"open", Fault::Syntax, "--set:1:6"),
        ("taps=[(name: \"a\"]", Fault::Unbalanced, "--set:1:7"),
        ("duration=15", Fault::BareNumber, "--set:1:10"),
        ("duration=1h15parsecs", Fault::BadUnit, "--set:1:14"),
        ("duration=\"10 potatoes\"", Fault::BadUnit, "--set:1:14"),
        ("seed=-1", Fault::OutOfRange, "--set:1:6"),
        ("seed=maybe", Fault::WrongType, "--set:1:6"),
        ("keys.overlapp=1s", Fault::UnknownField, "--set:1:6"),
        ("cohorts.home.count=1", Fault::UnknownReference, "--set:1:9"),
        ("cohorts[7].count=1", Fault::UnknownReference, "--set:1:1"),
        ("seed.x=1", Fault::UnknownReference, "--set:1:6"),
        ("cohorts.homes.mcu=Z80", Fault::UnknownVariant, "--set:1:19"),
        ("timeline=[(at: \"1h\")]", Fault::MissingField, "--set:1:11"),
        ("timeline=[5]", Fault::WrongType, "--set:1:11"),
        ("duration=0s", Fault::OutOfRange, "--set:1:10"),
        (
            "expect=[AtMost(\"x.y\", 1)]",
            Fault::UnknownMetric,
            "--set:1:16",
        ),
        ("keys.overlap=2d", Fault::Contradiction, "--set:1:14"),
        (
            "cohorts=[(name:\"a\",count:1,medium:\"lan\"),(name:\"a\",count:1,medium:\"lan\")]",
            Fault::Duplicate,
            "--set:1:48",
        ),
    ] {
        if set == "seed.x=1" {
            let report = small(&["seed=1", set]).unwrap_err();
            let mistake = report.located().next().unwrap();
            assert_eq!(mistake.fault, fault);
            continue;
        }
        let (found, at, message) = fault_of(set);
        assert_eq!((found, at.as_str()), (fault, place), "{set}: {message}");
    }
}

#[test]
fn a_plain_number_for_a_quantity_asks_for_its_unit() {
    let report = load_text("x.ron", &SMALL.replace("\"2h\"", "2"), &[]).unwrap_err();
    let mistake = report.located().next().unwrap();
    assert_eq!(mistake.fault, Fault::BareNumber);
    assert!(mistake.hint.unwrap().contains("15min"));
}

#[test]
fn a_quantity_without_quotes_says_so_and_counts() {
    let text = SMALL.replace("\"2h\"", "2h");
    assert_eq!(faults(&text), ["4:15 Syntax"]);
    let report = load_text("x.ron", &text, &[]).unwrap_err();
    assert!(
        report
            .to_string()
            .contains("a quantity is written in quotes: \"2h\"")
    );
}

#[test]
fn syntax_mistakes_end_their_entry_only() {
    let text = r#"(
    name: 'x',
    duration = "2h",
    seed: 1 version: 1,
    cohorts: [(name: "a" count: 0, medium: "lan")],
    media: {"lan": Ethernet(loss: )},
    seed: 2,
)
"#;
    let wanted = [
        "2:11 Syntax",
        "3:14 Syntax",
        "4:12 Syntax",
        "5:25 Syntax",
        "5:33 OutOfRange",
        "6:35 Syntax",
        "7:5 Duplicate",
    ];
    assert_eq!(faults(text), wanted);
}

#[test]
fn an_open_bracket_is_reported_where_it_opens() {
    assert_eq!(
        faults("(name: \"x\", cohorts: [(name: \"a\")"),
        ["1:1 Unbalanced", "1:22 Unbalanced"]
    );
    assert_eq!(faults(""), ["1:1 Syntax"]);
    assert_eq!(faults("/* never"), ["1:1 Syntax", "1:9 Syntax"]);
}

#[test]
fn deep_nesting_is_refused() {
    let deep = "[".repeat(100_000);
    assert!(faults(&deep).iter().any(|fault| fault == "1:65 Syntax"));
    let path = format!("{}=1", "a.".repeat(50_000));
    assert_eq!(fault_of(&path).0, Fault::Syntax);
}

#[test]
fn overrides_take_words_texts_and_ron() {
    let loaded = small(&[
        "duration=3h",
        "seed=0x2a",
        "keys.session_lifetime=\"30min\"",
        "keys.reauthenticate=Fraction(from: \"50%\", to: \"60%\")",
        "cohorts[0].count=20",
        "cohorts.homes.clock_drift=Fixed(\"5ppm\")",
        "media.lan.loss=0.5%",
        "media.lan.queue=128KiB",
        "traffic.report.security=Clear",
        "pana.stateless=true",
        "description=two words",
        "pana.ping=None",
    ])
    .unwrap();
    let scenario = loaded.scenario;
    assert_eq!(scenario.duration, Duration::from_secs(10_800));
    assert_eq!(scenario.seed, 42);
    assert_eq!(scenario.keys.session_lifetime, Duration::from_secs(1_800));
    assert_eq!(
        scenario.keys.reauthenticate,
        Reauthenticate::Fraction {
            from: Ratio::percent(50),
            to: Ratio::percent(60)
        }
    );
    assert_eq!(scenario.cohorts[0].count, 20);
    assert_eq!(
        scenario.cohorts[0].clock_drift,
        dist::Dist::fixed(Drift(5_000))
    );
    assert_eq!(
        scenario.media["lan"]
            .profile("lan", &scenario.media)
            .up
            .loss_ppb,
        5_000_000
    );
    assert_eq!(
        scenario.media["lan"]
            .profile("lan", &scenario.media)
            .up
            .queue_octets,
        128 << 10
    );
    assert_eq!(scenario.traffic.report.security, Security::Clear);
    assert!(scenario.pana.stateless);
    assert_eq!(scenario.description, "two words");
    assert_eq!(loaded.overrides.len(), 12);
}

#[test]
fn a_bare_variant_takes_fields_from_overrides() {
    let text = SMALL.replace("Ethernet(loss: \"1%\")", "Wan");
    let overrides = ["media.lan.jitter=Fixed(\"2ms\")".to_owned()];
    let scenario = load_text("x.ron", &text, &overrides).unwrap().scenario;
    let profile = scenario.media["lan"].profile("lan", &scenario.media);
    assert_eq!(profile.up.jitter, models::dist::Dist::Fixed(2_000_000));
}

#[test]
fn a_scenario_inherits_from_its_base() {
    let folder = std::env::temp_dir().join(format!("meterstorm-base-{}", std::process::id()));
    fs::create_dir_all(folder.join("sub")).unwrap();
    fs::write(folder.join("root.ron"), SMALL).unwrap();
    let middle = "(base: \"../root.ron\", keys: (overlap: \"1min\"), media: {\"lan\": Ethernet(up: \"1Mb/s\")})";
    fs::write(folder.join("sub/middle.ron"), middle).unwrap();
    let leaf = "Scenario(base: \"middle.ron\", name: \"leaf\", keys: Keys(grace: \"1s\"), cohorts: [(name: \"b\", count: 3, medium: \"lan\")])";
    let path = folder.join("sub/leaf.ron");
    fs::write(&path, leaf).unwrap();
    let loaded = load(&path, &[]).unwrap_or_else(|report| panic!("{report}"));
    let scenario = loaded.scenario;
    assert_eq!(scenario.name, "leaf");
    assert_eq!(scenario.duration, Duration::from_secs(7_200));
    assert_eq!(scenario.keys.overlap, Duration::from_secs(60));
    assert_eq!(scenario.keys.grace, Duration::from_secs(1));
    assert_eq!(
        scenario.media["lan"]
            .profile("lan", &scenario.media)
            .up
            .loss_ppb,
        10_000_000
    );
    assert_eq!(
        scenario.media["lan"]
            .profile("lan", &scenario.media)
            .up
            .rate_bps,
        1_000_000
    );
    assert_eq!(scenario.cohorts.len(), 1);
    assert_eq!(scenario.cohorts[0].name, "b");
    assert_eq!(loaded.files.len(), 3);

    // A mistake in the base is reported there.
    fs::write(folder.join("root.ron"), SMALL.replace("2h", "2x")).unwrap();
    let report = load(&path, &[]).unwrap_err();
    let place = report.located().next().unwrap().location.unwrap();
    assert!(
        place.file.ends_with("root.ron") && place.line == 4,
        "{place:?}"
    );

    // A loop is reported where it closes.
    fs::write(folder.join("root.ron"), "(base: \"sub/leaf.ron\")").unwrap();
    let report = load(&path, &[]).unwrap_err();
    let cycle = report.located().next().unwrap();
    assert_eq!(cycle.fault, Fault::Cycle);
    let place = cycle.location.unwrap();
    assert!(
        place.file.ends_with("root.ron") && place.column == 8,
        "{place:?}"
    );

    // So is a base that is absent, without complaints about what it would hold.
    fs::write(&path, "(base: \"absent.ron\", seed: 1.5)").unwrap();
    let report = load(&path, &[]).unwrap_err();
    let found: Vec<Fault> = report.located().map(|mistake| mistake.fault).collect();
    assert_eq!(found, [Fault::Unreadable, Fault::WrongType]);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_without_a_place() {
    let report = load("no/such/file.ron".as_ref(), &[]).unwrap_err();
    let mistake = report.located().next().unwrap();
    assert_eq!(mistake.fault, Fault::Unreadable);
    assert_eq!(mistake.location, None);
    assert!(
        report
            .to_string()
            .starts_with("error: cannot read no/such/file.ron")
    );
}

/// Pieces from which texts that resemble scenarios are put together.
fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("(".to_owned()),
        Just(")".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just(",".to_owned()),
        Just(":".to_owned()),
        Just("=".to_owned()),
        Just("\"".to_owned()),
        Just("r#\"".to_owned()),
        Just("\\u{".to_owned()),
        Just("/*".to_owned()),
        Just("//".to_owned()),
        Just("\n".to_owned()),
        Just("base".to_owned()),
        Just("cohorts: [(name: \"a\", count: 1, medium: \"m\")]".to_owned()),
        Just("media: {\"m\": Wan(latency: Uniform(\"1ms\", \"2ms\"))}".to_owned()),
        Just("keys: Keys(".to_owned()),
        Just("\"1h30min\"".to_owned()),
        Just("1e5".to_owned()),
        Just("-0x".to_owned()),
        "[a-z_]{1,8}",
        "[0-9.%/a-zé]{1,8}",
        "\\PC{0,4}",
    ]
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        let _ = load_text("x.ron", &text, &[]);
        let _ = small(&[&text]);
    }

    #[test]
    fn no_mixture_of_fragments_makes_the_reader_panic(
        pieces in prop::collection::vec(fragment(), 0..60),
        set in prop::collection::vec(fragment(), 0..12),
    ) {
        let result = load_text("x.ron", &pieces.join(" "), &[set.concat()]);
        if let Err(report) = result {
            prop_assert!(report.errors() > 0);
            let _ = report.to_string();
        }
        let _ = small(&[&set.concat()]);
    }

    #[test]
    fn a_scenario_with_a_stretch_cut_out_never_panics(from in 0..SMALL.len(), length in 0..60_usize) {
        let to = (from + length).min(SMALL.len());
        let text = format!("{}{}", &SMALL[..from], &SMALL[to..]);
        if let Err(report) = load_text("x.ron", &text, &[]) {
            prop_assert!(report.errors() > 0);
            let _ = report.to_string();
        }
    }
}
