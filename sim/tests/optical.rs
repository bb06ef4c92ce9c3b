//! Optical ports end to end: technicians, their errands and rights, bad lines, intruders.

mod common;
#[path = "common/independence.rs"]
mod independence;
#[path = "common/text.rs"]
mod text;

use std::collections::BTreeMap;
use std::path::Path;

use common::{metric, overrides, run_fresh};
use independence::assert_independent;
use reports::read::numbers;
use reports::{OpticalRow, Results, Row};
use sim::run::{Options, Report};
use sim::scenario::{load, load_text};
use text::{files, run_text};

/// Twenty homes and two technicians who know the password of installers.
const DISTRICT: &str = r#"Scenario(
    name: "district",
    seed: 9,
    duration: "4h",
    cohorts: [(name: "homes", count: 20, medium: "wan", clock_drift: Fixed("0ppm"))],
    media: {"wan": Wan()},
    headend: (instances: 2),
    optical: (passwords: [
        (password: "LOOK", access: Reader),
        (password: "INSTALL", access: Installer),
    ]),
    timeline: [
        (at: "10min", action: FieldService(
            cohort: "homes",
            errand: Install(identification: "H-{n:04}"),
            technicians: 2,
            travel: Fixed("3min"),
            per_visit: "2min",
            user_id: 31,
            user: "SETUP",
            password: "INSTALL",
        )),
    ],
)"#;

/// A service of one technician who stays 1 min at each meter, a minute from the next.
fn service(fields: &str) -> String {
    format!(
        "timeline=[(at: \"10min\", action: FieldService(cohort: \"homes\", \
         travel: Fixed(\"1min\"), per_visit: \"1min\", {fields}))]"
    )
}

/// Numbers of the table, by column.
fn column(report: &Report, name: &str) -> Vec<f64> {
    let table = Results::open(&report.folder).table(OpticalRow::TABLE);
    numbers(&table.expect("the table"), name).expect("numbers")
}

fn words(report: &Report, name: &str) -> Vec<String> {
    let table = Results::open(&report.folder).table(OpticalRow::TABLE);
    let table = table.expect("the table");
    let column = table.column(name).expect("a column").str().expect("text");
    column.iter().flatten().map(str::to_owned).collect()
}

fn outcomes(report: &Report) -> BTreeMap<String, u64> {
    report.summary.breakdown("optical.outcomes")
}

#[test]
fn technicians_follow_their_routes_and_leave_what_they_were_sent_for() {
    let report = run_text("install", DISTRICT, &[]);
    assert_eq!(
        outcomes(&report),
        BTreeMap::from([("completed".into(), 20)])
    );
    // Identification and clock; the identification reads back, as do three tables more.
    assert_eq!(metric(&report, "optical.tables_written"), 40.0);
    assert_eq!(metric(&report, "optical.tables_verified"), 20.0);
    assert_eq!(metric(&report, "optical.tables_read"), 80.0);
    assert_eq!(metric(&report, "optical.refused"), 0.0);
    // Two routes of ten meters; each visit follows after 5 min, whatever it needed.
    let mut starts = column(&report, "start_ns");
    starts.sort_by(f64::total_cmp);
    let expected = (0..20).map(|visit| f64::from(13 + 5 * (visit / 2)) * 60e9);
    assert!(starts.iter().copied().eq(expected), "{starts:?}");
    assert!(
        words(&report, "access")
            .iter()
            .all(|access| access == "installer")
    );
    assert!(words(&report, "user").iter().all(|user| user == "SETUP"));
}

/// Who is not allowed to write learns so, and nothing else happens.
#[test]
fn rights_follow_the_password() {
    let write = r#"errand: Configure(writes: [(table: 5, data: "XX")], procedures: [(number: 1)])"#;
    let write = write.replace("XX", &"41".repeat(20));
    for (test, password, access, written, refused, procedures) in [
        // Table, ST7.
        ("guest", "", "guest", 0.0, 2.0, 0.0),
        // Table, procedure: readers may write ST7, but not start the meter anew.
        ("reader", "LOOK", "reader", 0.0, 2.0, 0.0),
        ("installer", "INSTALL", "installer", 1.0, 1.0, 0.0),
        ("master", "MASTER", "master", 1.0, 0.0, 1.0),
    ] {
        let set = service(&format!(
            "fraction: \"20%\", {write}, password: \"{password}\""
        ));
        let report = run_text(test, DISTRICT, &[&set]);
        let visits = metric(&report, "optical.sessions");
        assert!(visits > 0.0);
        assert!(words(&report, "access").iter().all(|seen| seen == access));
        for (path, each) in [
            ("optical.tables_written", written),
            ("optical.tables_verified", written),
            ("optical.refused", refused),
            ("optical.procedures", procedures),
        ] {
            assert_eq!(metric(&report, path), each * visits, "{test}: {path}");
        }
    }
    let set = service("errand: Read(tables: [1]), password: \"GUESS\"");
    let report = run_text("wrong", DISTRICT, &[&set]);
    assert_eq!(
        outcomes(&report),
        BTreeMap::from([("wrong_password".into(), 20)])
    );
    assert_eq!(metric(&report, "optical.tables_read"), 0.0);
}

/// What an exchange costs follows from its octets and the speed.
#[test]
fn lines_cost_their_time() {
    let run = |test: &str, baud: u32| {
        let probe = format!("probe: (baud: {baud}, packet_size: 64, packets: 255)");
        let set = service(&format!("errand: Read(tables: [0, 44, 72, 74]), {probe}"));
        run_text(test, DISTRICT, &[&set])
    };
    let (slow, fast) = (run("slow", 9_600), run("fast", 57_600));
    let lengths = |report: &Report| {
        let (starts, ends) = (column(report, "start_ns"), column(report, "end_ns"));
        let seconds: Vec<f64> = starts
            .iter()
            .zip(&ends)
            .map(|(s, e)| (e - s) / 1e9)
            .collect();
        seconds
    };
    let octets = |report: &Report| {
        let (to, from) = (
            column(report, "bytes_to_meter"),
            column(report, "bytes_from_meter"),
        );
        to.iter()
            .zip(&from)
            .map(|(to, from)| to + from)
            .collect::<Vec<f64>>()
    };
    // The faster one offers one speed more, and is told so.
    assert!(
        octets(&fast)
            .iter()
            .zip(&octets(&slow))
            .all(|(fast, slow)| fast - slow == 1.0)
    );
    for (length, octets) in lengths(&slow).iter().zip(octets(&slow)) {
        let on_line = octets * 10.0 / 9_600.0;
        // Half duplex: the rest is turning around, 175 us a time.
        assert!(
            (on_line..on_line * 1.05).contains(length),
            "{length} {on_line}"
        );
    }
    for (fast, slow) in lengths(&fast).iter().zip(lengths(&slow)) {
        assert!((3.0..6.0).contains(&(slow / fast)), "{slow} {fast}");
    }
}

/// Damaged packets come again and falsify nothing.
#[test]
fn a_bad_line_costs_time_alone() {
    let bad = "probe: (frame_errors: \"5%\", sessions: 20)";
    let tables = "errand: Read(tables: [0, 1, 3, 5, 44, 72, 74, 76])";
    let set = service(&format!("{tables}, {bad}"));
    let report = run_text("bad", DISTRICT, &[&set]);
    let good = run_text("good", DISTRICT, &[&service(tables)]);
    let octets = |report: &Report| -> Vec<(u64, u64)> {
        let done = words(report, "outcome");
        let of = |name| column(report, name);
        let (meters, read) = (of("meter"), of("bytes_read"));
        let rows = (0..done.len()).filter(|row| done[*row] == "completed");
        let mut rows: Vec<_> = rows
            .map(|row| (meters[row] as u64, read[row] as u64))
            .collect();
        rows.sort_unstable();
        rows
    };
    assert_eq!(octets(&report), octets(&good));
    let damaged: f64 = column(&report, "damaged").iter().sum();
    let naks = metric(&report, "optical.naks");
    assert!(damaged > 20.0 && naks > 0.2 * damaged, "{damaged} {naks}");
    assert!(metric(&report, "optical.retransmissions") >= naks / 2.0);
    assert_eq!(metric(&good, "optical.naks"), 0.0);
    let causes = report.summary.breakdown("rejects.causes");
    assert!(causes["optical_crc"] > 0, "{causes:?}");
}

/// 10,000 codes at three tries in five minutes: 11.6 days.
#[test]
fn a_lock_stretches_the_search_for_four_digits() {
    const VAULT: &str = r#"Scenario(
        name: "vault",
        duration: "13d",
        cohorts: [(name: "homes", count: 1, medium: "wan")],
        media: {"wan": Wan()},
        optical: (passwords: [(password: "9999", access: Reader)]),
        traffic: (report: (every: "1d")),
        record: (bins: "1d"),
        attackers: [(
            name: "intruder", attack: Optical(digits: 4), position: Tap, every: "20ms",
        )],
    )"#;
    let length = |report: &Report| {
        let (starts, ends) = (column(report, "start_ns"), column(report, "end_ns"));
        let (first, last) = (starts[0], ends[ends.len() - 1]);
        (last - first) / 1e9
    };
    let locked = run_text("locked", VAULT, &[]);
    assert_eq!(metric(&locked, "attacks.guesses"), 10_000.0);
    assert_eq!(metric(&locked, "attacks.passwords_guessed"), 1.0);
    // 9,999 wrong ones lock the port 3,333 times.
    assert_eq!(metric(&locked, "optical.lockouts"), 3_333.0);
    let days = length(&locked) / 86_400.0;
    let ideal = 3_333.0 * 300.0 / 86_400.0;
    assert!((ideal..ideal * 1.003).contains(&days), "{days} days");

    let open = run_text("open", VAULT, &["optical.lockout_after=0", "duration=1h"]);
    assert_eq!(metric(&open, "attacks.passwords_guessed"), 1.0);
    assert_eq!(metric(&open, "optical.lockouts"), 0.0);
    // Logon, Security and Logoff at 9600 baud, and 20 ms of thought.
    let per_s = 10_000.0 / length(&open);
    assert!((5.0..10.0).contains(&per_s), "{per_s} tries per second");
}

/// Whoever finds a strange probe at the port comes back without anything.
#[test]
fn a_port_has_place_for_one_probe() {
    let intruder = r#"attackers=[(name: "intruder", attack: Optical(digits: 6), position: Tap,
        count: 3, fraction: "100%", start: "5min", stop: "3h")]"#;
    let report = run_text("occupied", DISTRICT, &[intruder]);
    let seen = outcomes(&report);
    assert_eq!((seen["occupied"], seen["completed"]), (3, 17), "{seen:?}");
    assert_eq!(metric(&report, "optical.tables_verified"), 17.0);
}

#[test]
fn a_meter_without_power_answers_nobody() {
    let set = service("errand: Read(tables: [1])");
    let dark = "cohorts.homes.power_on=Fixed(\"3h\")";
    let report = run_text("dark", DISTRICT, &[&set, dark]);
    // Three sessions each; in a minute there is time for no more.
    let seen = outcomes(&report);
    assert_eq!(seen.get("completed"), None, "{seen:?}");
    assert!(seen["no_answer"] >= 40, "{seen:?}");
    assert_eq!(metric(&report, "optical.tables_read"), 0.0);
}

#[test]
fn an_insider_of_the_port_opens_the_switch() {
    let sets = [
        "timeline=[]",
        r#"optical.passwords=[(password: "42", access: Master)]"#,
        "optical.lockout_after=0",
        r#"attackers=[(name: "intruder", attack: Optical(digits: 2, disconnect: true),
            position: Tap, every: "100ms", count: 20, start: "1h")]"#,
    ];
    let report = run_text("switch", DISTRICT, &sets);
    assert_eq!(metric(&report, "attacks.passwords_guessed"), 20.0);
    assert_eq!(metric(&report, "attacks.guesses"), 20.0 * 43.0);
    assert_eq!(metric(&report, "optical.procedures"), 20.0);
    assert_eq!(metric(&report, "load.open_switches.max"), 20.0);
}

#[test]
fn threads_and_partition_do_not_matter() {
    let set = service("errand: Read(), probe: (frame_errors: \"3%\")");
    assert_independent(DISTRICT, &[&set], 3);
}

#[test]
fn the_shipped_day_goes_as_it_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/field_service.ron");
    let loaded = load(&path, &overrides(&[])).unwrap_or_else(|report| panic!("{report}"));
    let report = run_fresh("day", &loaded, Options::default()).expect("the run ends in order");
    assert!(report.meets_expectations(), "{report}");
}

#[test]
fn no_password_is_in_the_tables() {
    let report = run_text("secrets", DISTRICT, &[]);
    for (table, octets) in files(&report) {
        let has = |secret: &[u8]| octets.windows(secret.len()).any(|part| part == secret);
        assert!(!has(b"INSTALL") && !has(b"MASTER"), "{table}");
    }
}

#[test]
fn mistakes_are_located_all_at_once() {
    let sets = [
        r#"optical=(passwords: [(password: "", access: Reader)], lockout: "0s", baud: 9601)"#,
        r#"timeline=[
            (at: "1h", action: FieldService(cohort: "nobody", fraction: "0%", per_visit: "1s",
                technicians: 0, user: "ELEVEN LETTERS", probe: (packet_size: 20, packets: 0))),
            (at: "1h", action: FieldService(cohort: "homes", errand: Read(tables: [5000]))),
            (at: "1h", action: FieldService(cohort: "homes", errand: Install("{n:021}{x}"))),
            (at: "1h", action: FieldService(cohort: "homes",
                errand: Configure(writes: [(table: 5, data: "4")]))),
        ]"#,
        r#"attackers=[(name: "a", attack: Optical(digits: 20, guesses: 0), position: Remote)]"#,
    ];
    let report = load_text("district.ron", DISTRICT, &overrides(&sets)).expect_err("mistakes");
    let text = report.to_string();
    for message in [
        "a password has 1 to 20 octets",
        "a lock that ends at once is none",
        "speeds are 300",
        "there is no cohort \"nobody\"",
        "a share of 0% means nobody",
        "a visit lasts 10s at least",
        "1 to 10000 technicians",
        "at most 10 octets",
        "a packet has 32 to 8192 octets",
        "a message has 1 to 255 packets",
        "from 2048 to 4095",
        "unknown placeholder",
        "pairs of hexadecimal digits",
        "1 to 19 digits",
        "who guesses nothing",
        "cannot be made from there",
    ] {
        assert!(text.contains(message), "{message}: {text}");
    }
}
