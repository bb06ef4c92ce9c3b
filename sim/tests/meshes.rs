//! Whole runs on shared media: joining through relays, frames per hop, outages, determinism.

mod common;
#[path = "common/text.rs"]
mod text;

use std::fs;
use std::path::Path;

use common::{metric, overrides};
use models::fleet::Partition;
use reports::read::numbers;
use reports::{MeterRow, ReadRow, Results, Row, TrafficRow};
use sim::run::{Options, Report};
use sim::scenario::{load, load_text};
use text::{files, run_text, run_with};

/// What is wrong with a scenario.
fn mistakes(text: &str, sets: &[&str]) -> String {
    match load_text("test.ron", text, &overrides(sets)) {
        Ok(_) => panic!("nothing is wrong"),
        Err(report) => report.to_string(),
    }
}

/// A column of numbers; what is missing in the table is missing here.
fn column<R: Row>(report: &Report, name: &str) -> Vec<f64> {
    let frame = Results::open(&report.folder)
        .table(R::TABLE)
        .expect("a table");
    numbers(&frame, name).expect("a column of numbers")
}

/// A column of text.
fn texts<R: Row>(report: &Report, name: &str) -> Vec<String> {
    let frame = Results::open(&report.folder)
        .table(R::TABLE)
        .expect("a table");
    let column = frame.column(name).expect("a column");
    let texts = column.str().expect("text").iter().flatten();
    texts.map(str::to_owned).collect()
}

/// The sum of a column of traffic over a medium and a protocol.
fn traffic(report: &Report, medium: &str, protocol: &str, name: &str) -> f64 {
    let (media, protocols) = (
        texts::<TrafficRow>(report, "medium"),
        texts::<TrafficRow>(report, "protocol"),
    );
    let rows = column::<TrafficRow>(report, name);
    rows.iter()
        .zip(media.iter().zip(&protocols))
        .filter(|(_, (m, p))| *m == medium && *p == protocol)
        .map(|(value, _)| value)
        .sum()
}

/// A village at 2.4 GHz with houses far enough apart for three hops.
const VILLAGE: &str = r#"Scenario(
    name: "village",
    seed: 1,
    duration: "1h",
    cohorts: [(
        name: "homes", count: 24, medium: "mesh",
        power_on: Fixed("0s"), boot: Fixed("5s"),
    )],
    media: {
        "mesh": Mesh(
            phy: Oqpsk24, backhaul: "wan",
            topology: StreetGrid(lot_m: 60.0, block_m: 240.0, scatter_m: 0.0),
        ),
        "wan": Wan(latency: Fixed("20ms")),
    },
)"#;

#[test]
fn a_mesh_joins_ring_by_ring_through_relays() {
    for seed in 1..=4 {
        let seed = format!("seed={seed}");
        let report = run_text("ring_by_ring", VILLAGE, &[&seed]);
        assert_eq!(metric(&report, "meters.joined_ratio"), 1.0, "{seed}");
        assert_eq!(metric(&report, "reads.completeness_ratio"), 1.0, "{seed}");
        assert_eq!(metric(&report, "keys.used_after_expiry"), 0.0);
        let hops = column::<MeterRow>(&report, "hop_count");
        let joined = column::<MeterRow>(&report, "joined_ns");
        let first = |ring: f64| {
            let of_ring = hops.iter().zip(&joined).filter(|(hops, _)| **hops == ring);
            of_ring.map(|(_, joined)| *joined).fold(f64::MAX, f64::min)
        };
        let rings = hops.iter().fold(0.0, |most: f64, hops| most.max(*hops));
        assert!(rings >= 2.0, "{seed}: {hops:?}");
        // Parents may change later, so only the first of each ring is certain to be in order.
        assert!(first(1.0) < first(2.0), "{seed}");
        let causes = report.summary.breakdown("rejects.causes");
        assert!(
            causes["no_route"] > 0,
            "outer rings called before anybody could relay: {causes:?}"
        );
    }
}

/// One authentication of eleven messages, with identities and nonces of 16 octets.
fn single(phy: &str, meters: u32) -> String {
    format!(
        r#"Scenario(
            name: "single",
            duration: "10min",
            cohorts: [(name: "homes", count: {meters}, medium: "mesh", identity: "m{{n:011}}@a.b")],
            media: {{
                "mesh": Mesh(
                    phy: {phy}, backhaul: "lan",
                    topology: StreetGrid(lot_m: 2.0, block_m: 2.0, scatter_m: 0.0),
                ),
                "lan": Ethernet(latency: Fixed("5ms")),
            }},
            keys: (session_lifetime: "2h", reauthenticate: Every("1h", "0%")),
            headend: (id: "headend@util.com"),
            pana: (algorithms: [HmacSha1], identity_request: true),
        )"#
    )
}

#[test]
fn v20_v21_one_hop_of_an_authentication_takes_the_frames_and_airtime_of_the_arithmetic() {
    // The airtimes of V20 and V21 count the turnaround in front of each acknowledgement, during
    // which nobody sends.
    for (phy, frames, milliseconds, turnaround_ms) in [
        ("Oqpsk24", 17.0, 66.0, 0.192),
        ("SunFsk50", 11.0, 355.0, 1.0),
        ("SunFsk150", 11.0, 126.0, 1.0),
    ] {
        let report = run_text(&format!("hop_{phy}"), &single(phy, 1), &[]);
        assert_eq!(metric(&report, "meters.joined_ratio"), 1.0);
        assert_eq!(traffic(&report, "mesh", "pana", "frames"), frames, "{phy}");
        let airtime = traffic(&report, "mesh", "pana", "airtime_ns") / 1e6;
        let channel = airtime + frames * turnaround_ms;
        assert!(
            (channel / milliseconds - 1.0).abs() < 0.03,
            "{phy}: {channel} ms"
        );
        assert_eq!(traffic(&report, "mesh", "pana", "payload_bytes"), 684.0);
        // The relay element at the border router wraps every message: 40 octets and padding.
        let wrapped = traffic(&report, "lan", "pana", "payload_bytes");
        assert_eq!(wrapped, 684.0 + 11.0 * 40.0, "{phy}");
    }
}

#[test]
fn a_relayed_hop_carries_the_octets_of_the_relay_element() {
    let report = run_text("relayed_hop", VILLAGE, &["duration=\"10min\""]);
    let hops = column::<MeterRow>(&report, "hop_count");
    assert!(hops.contains(&2.0));
    // What the head-end gets of a joining meter is wrapped, whichever hop it took.
    let payload = traffic(&report, "wan", "pana", "payload_bytes");
    let direct = run_text(
        "not_relayed",
        VILLAGE,
        &["duration=\"10min\"", "cohorts[0].medium=wan"],
    );
    let unwrapped = traffic(&direct, "wan", "pana", "payload_bytes");
    let datagrams = traffic(&report, "wan", "pana", "frames");
    assert!(
        payload >= unwrapped + 40.0 * traffic(&direct, "wan", "pana", "frames"),
        "{payload} octets in {datagrams} datagrams, {unwrapped} without relays"
    );
}

#[test]
fn results_depend_neither_on_threads_nor_on_domains() {
    let sets = [
        "cohorts[0].count=60",
        "media.mesh.meters_per_concentrator=10",
        "headend=(instances: 3)",
        r#"keys=(session_lifetime: "40min", reauthenticate: Every("20min"), overlap: "2min")"#,
        r#"timeline=[(at: "20min", action: PowerOff(cohort: "homes", fraction: "30%"))]"#,
    ];
    let with = |name, threads, partition| {
        let options = Options {
            threads,
            partition,
            ..Options::default()
        };
        run_with(name, VILLAGE, &sets, options)
    };
    let one = with("one", 1, Partition::ByInstance);
    let expected = files(&one);
    for (name, threads, partition) in [
        ("threads", 2, Partition::ByInstance),
        ("split_1", 1, Partition::Split(1)),
        ("split_4", 2, Partition::Split(4)),
    ] {
        let other = with(name, threads, partition);
        assert_eq!(one.digest, other.digest, "{name}");
        let files = files(&other);
        // The table of meters names the domain of each.
        for (table, octets) in expected.iter().filter(|(table, _)| **table != "meters") {
            assert!(*octets == files[table], "{name}: table {table} differs");
        }
    }
}

#[test]
fn meters_find_other_ways_when_relays_lose_power() {
    let sets = [
        "cohorts[0].count=60",
        "media.mesh.topology=StreetGrid(lot_m: 40.0, block_m: 160.0, scatter_m: 2.0)",
        "duration=\"4h\"",
        r#"timeline=[(at: "65min", action: PowerOff(cohort: "homes", fraction: "20%"))]"#,
    ];
    let report = run_text("relays_lost", VILLAGE, &sets);
    let causes = report.summary.breakdown("rejects.causes");
    assert!(
        causes.contains_key("lost"),
        "somebody sent to a relay that was gone: {causes:?}"
    );
    let (meter, due) = (
        column::<ReadRow>(&report, "meter"),
        column::<ReadRow>(&report, "due_ns"),
    );
    let delivered = delivered(&report);
    let late = |row: &usize| due[*row] > 3.0 * 3_600e9;
    let dark: Vec<f64> = {
        let mut dark: Vec<f64> = (0..60).map(f64::from).collect();
        dark.retain(|number| !(0..due.len()).any(|row| late(&row) && meter[row] == *number));
        dark
    };
    assert!(
        (5..=20).contains(&dark.len()),
        "a fifth of 60 meters: {dark:?}"
    );
    let rows: Vec<usize> = (0..due.len()).filter(late).collect();
    let arrived = rows.iter().filter(|row| delivered[**row]).count();
    assert!(
        arrived as f64 >= 0.98 * rows.len() as f64,
        "{arrived} of {} reads of the others arrive",
        rows.len()
    );
}

/// Whether each read was delivered.
fn delivered(report: &Report) -> Vec<bool> {
    let frame = Results::open(&report.folder)
        .table(ReadRow::TABLE)
        .expect("a table");
    let column = frame.column("delivered_ns").expect("a column");
    column.is_not_null().iter().flatten().collect()
}

#[test]
fn a_power_line_joins_and_reports() {
    let text = r#"Scenario(
        name: "plc",
        duration: "2h",
        cohorts: [(
            name: "flats", count: 100, medium: "plc", power_on: Uniform("0s", "30min"),
        )],
        media: {
            "plc": G3Plc(band: CenelecA, backhaul: "modem", meters_per_concentrator: 50, cables: 2),
            "modem": Cellular(technology: LteM1),
        },
        // Messages queue for longer than the second after which PANA repeats them by default, and
        // reports within a minute would keep the line busy for most of it.
        traffic: (report: (spread: "10min", timeout: "60s")),
        pana: (
            pci: Retransmission(irt: "10s", mrt: "120s", mrc: 0, mrd: "0s"),
            request: Retransmission(irt: "10s", mrt: "60s", mrc: 10, mrd: "0s"),
        ),
    )"#;
    let report = run_text("plc", text, &[]);
    assert_eq!(metric(&report, "meters.joined_ratio"), 1.0);
    assert!(metric(&report, "reads.completeness_ratio") >= 0.98);
    let hops = column::<MeterRow>(&report, "hop_count");
    assert!(hops.iter().any(|hops| *hops > 1.0), "{hops:?}");
    let busiest = column::<TrafficRow>(&report, "utilisation")
        .into_iter()
        .fold(0.0, f64::max);
    assert!(busiest > 0.0 && busiest < 1.0, "{busiest}");
}

#[test]
fn every_access_of_its_own_connects() {
    for (name, medium) in [
        ("wifi", "Wifi()"),
        ("cat1", "Cellular(technology: LteCat1)"),
        ("m1", "Cellular(technology: LteM1, coverage: Extended)"),
        ("nb_iot", "Cellular(technology: NbIot)"),
    ] {
        let text = format!(
            r#"Scenario(
                name: "{name}", duration: "1h",
                cohorts: [(name: "homes", count: 20, medium: "access")],
                media: {{"access": {medium}}},
            )"#
        );
        let report = run_text(name, &text, &[]);
        assert_eq!(metric(&report, "meters.joined_ratio"), 1.0, "{name}");
        assert_eq!(metric(&report, "reads.completeness_ratio"), 1.0, "{name}");
        assert!(traffic(&report, "access", "c1222", "airtime_ns") > 0.0);
    }
}

#[test]
fn what_a_mesh_lacks_is_said_where_it_is_lacking() {
    let mesh = |fields: &str| {
        format!(
            r#"(
    name: "x", duration: "1h",
    cohorts: [(name: "a", count: 10, medium: "mesh")],
    media: {{
        "mesh": Mesh({fields}),
        "wan": Wan(),
    }},
)"#
        )
    };
    let located = |fields: &str, wanted: &str| {
        let report = mistakes(&mesh(fields), &[]);
        assert!(report.contains(wanted), "{report}");
        assert!(report.contains("test.ron:5:"), "{report}");
    };
    located("", "backhaul");
    located("backhaul: \"wam\"", "there is no medium \"wam\"");
    located("backhaul: \"mesh\"", "this one is shared");
    located(
        "backhaul: \"wan\", meters_per_concentrator: 0",
        "a concentrator has 1 to 5000 meters",
    );
    located(
        "backhaul: \"wan\", topology: StreetGrid(lot_m: 90000.0, block_m: 90000.0)",
        "8 of 10 meters hear nobody who has a way to the concentrator",
    );
    let good = mesh("backhaul: \"wan\"");
    for (set, wanted) in [
        ("cohorts[0].count=0", "a cohort has at least one meter"),
        ("cohorts[0].count=1000000000", "exceed the address space"),
        (
            r#"timeline=[(at: "1min", action: LinkLoss(medium: "mesh", loss: "5%", duration: "1min"))]"#,
            "name that of its backhaul",
        ),
    ] {
        let report = mistakes(&good, &[set]);
        assert!(report.contains(wanted), "{report}");
    }
}

#[test]
fn a_reauthentication_goes_directly_to_the_head_end() {
    let report = run_text("direct", &single("Oqpsk24", 1), &["duration=\"2h30min\""]);
    assert_eq!(metric(&report, "auth.reauthentications"), 2.0);
    let kinds = texts::<TrafficRow>(&report, "message_type");
    let (media, frames) = (
        texts::<TrafficRow>(&report, "medium"),
        column::<TrafficRow>(&report, "frames"),
    );
    let sent = |kind: &str| -> f64 {
        let rows = (0..frames.len()).filter(|row| media[*row] == "lan" && kinds[*row] == kind);
        rows.map(|row| frames[row]).sum()
    };
    assert_eq!(sent("pana_other"), 11.0, "only the first one was relayed");
    assert_eq!((sent("pnr_auth"), sent("pna_auth")), (2.0, 2.0));
    assert_eq!(report.summary.get("rejects.total"), Some(0.0));
}

/// A chain of three meters from a list; `{}` stands for the parent of the last one.
fn listed(last: &str) -> String {
    format!(
        r##"(
    name: "listed", seed: 2, duration: "1h",
    cohorts: [(name: "a", count: 3, medium: "mesh")],
    media: {{
        "mesh": Mesh(phy: Oqpsk24, backhaul: "wan", topology: List(csv: r#"meter,x_m,y_m,parent
near,55,0,root
middle,110,0,near
far,{last}
"#)),
        "wan": Wan(latency: Fixed("20ms")),
    }},
)"##
    )
}

#[test]
fn a_list_says_who_stands_where_and_forwards_for_whom() {
    let report = run_text("listed", &listed("165,0,middle"), &[]);
    assert_eq!(metric(&report, "meters.joined_ratio"), 1.0);
    assert_eq!(column::<MeterRow>(&report, "hop_count"), [1.0, 2.0, 3.0]);

    for (last, wanted) in [
        ("165,0,far", "line 4"),
        ("45000,0,", "`far` is isolated"),
        ("45000,0,middle", "does not hear its parent"),
        ("here,0,", "line 4, field 2 of the list"),
    ] {
        let report = mistakes(&listed(last), &[]);
        assert!(report.contains(wanted), "{report}");
        assert!(report.contains("test.ron:8:"), "{report}");
    }
    for set in ["cohorts[0].count=4", "headend.instances=2"] {
        let report = mistakes(&listed("165,0,middle"), &[set]);
        assert!(report.contains("the list has 3 meters"), "{report}");
    }
}

#[test]
fn a_list_may_stand_in_a_file_of_its_own() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("meshes_list");
    fs::create_dir_all(&folder).expect("a folder");
    let scenario = listed("165,0,middle");
    let (from, to) = (
        scenario.find("List(").expect("a list"),
        scenario.find(")),").expect("its end"),
    );
    let list = &scenario[scenario.find("meter,x_m").expect("a header")..to - 2];
    let mut named = scenario.clone();
    named.replace_range(from..to, "List(file: \"homes.csv\"");
    let path = folder.join("listed.ron");
    fs::write(&path, &named).expect("a file");
    fs::write(folder.join("homes.csv"), list).expect("a file");
    let loaded = load(&path, &[]).unwrap_or_else(|report| panic!("{report}"));
    let inline = load_text("test.ron", &scenario, &[]).expect("sound");
    assert_eq!(loaded.scenario, inline.scenario);

    let mistaken = list.replace("middle,110,0", "middle,here,0");
    fs::write(folder.join("homes.csv"), mistaken).expect("a file");
    let report = load(&path, &[]).expect_err("no coordinate").to_string();
    assert!(report.contains("homes.csv:3:8"), "{report}");
    fs::remove_file(folder.join("homes.csv")).expect("it is there");
    let report = load(&path, &[]).expect_err("no file").to_string();
    assert!(report.contains("listed.ron:5:"), "{report}");
    assert!(report.contains("cannot read"), "{report}");
}
