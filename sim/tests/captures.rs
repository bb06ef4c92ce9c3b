//! Packet captures: what they contain, and that nothing else depends on them.

mod common;
#[path = "common/text.rs"]
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use common::metric;
use models::fleet::Partition;
use reports::read::numbers;
use reports::{AuthRow, KeyRow, Results, Row, TrafficRow, label};
use sim::capture::read::Reader;
use sim::run::{Options, Report};
use text::{files, run_text, run_with};

/// All media, losses and a power cut; either end prolongs and ends sessions, and the head-end
/// plays all services.
const TOWN: &str = r#"Scenario(
    name: "town",
    seed: 3,
    duration: "90min",
    cohorts: [
        (name: "wan", count: 20, medium: "wan"),
        (name: "lan", count: 9, medium: "lan"),
        (name: "wifi", count: 9, medium: "wifi"),
        (name: "mesh", count: 20, medium: "mesh"),
    ],
    media: {
        "wan": Wan(latency: Uniform("20ms", "80ms"), loss: "2%"),
        "lan": Ethernet(latency: Exponential(min: "2ms", mean: "1ms"), loss: "1%"),
        "wifi": Wifi(),
        "mesh": Mesh(phy: Oqpsk24, backhaul: "wan"),
    },
    keys: (session_lifetime: "40min", reauthenticate: Every("30min"), overlap: "2min"),
    headend: (instances: 3),
    timeline: [
        (at: "15min", action: ServiceTest(cohort: "lan")),
        (at: "20min", action: Reauthenticate(cohort: "lan", by: HeadEnd, within: "1min")),
        (at: "25min", action: Reauthenticate(cohort: "mesh", by: HeadEnd, within: "1min")),
        (at: "35min", action: Terminate(cohort: "mesh", by: HeadEnd, within: "5min")),
        (at: "45min", action: Terminate(cohort: "wifi", by: Meter, within: "1min")),
        (at: "50min", action: PowerOff(cohort: "wan", fraction: "50%", over: "10s")),
        (at: "70min", action: PowerOn(cohort: "wan", within: "10s")),
    ],
)"#;

/// An attacker on the wires of the WAN, and one far away.
const ATTACKERS: &str = r#"attackers=[
    (name: "mallory", attack: Tamper(what: BitFlip(share: "5%")), position: OnPath),
    (name: "flood", attack: Flood, position: Remote, every: "5s"),
]"#;

const CAPTURE: &str = "capture=()";

fn capture(report: &Report) -> Vec<u8> {
    let capture = report.capture.as_ref().expect("a capture");
    fs::read(&capture.path).expect("the file is there")
}

/// The key log beside the capture.
fn key_log(report: &Report) -> String {
    let capture = report.capture.as_ref().expect("a capture");
    fs::read_to_string(capture.path.with_extension("keys.jsonl")).expect("the log is there")
}

/// Frames and octets.
type Sum = (u64, u64);

/// Frames and octets by medium as the file has them; of shared media as its comments say.
fn captured(file: &[u8]) -> BTreeMap<String, Sum> {
    let mut reader = Reader::new(file).expect("a pcapng file");
    let mut sums = BTreeMap::<String, Sum>::new();
    let mut last_ns = 0;
    while let Some(packet) = reader.next_packet().expect("sound blocks") {
        assert!(packet.time_ns >= last_ns, "packets are in order");
        last_ns = packet.time_ns;
        let number = |unit: &str| {
            let words: Vec<&str> = packet.comment.split([' ', ';', ',']).collect();
            let unit = words.iter().position(|word| *word == unit)?;
            words[unit - 1].parse::<u64>().ok()
        };
        let (frames, octets) = match number("transmissions") {
            Some(frames) => (frames, number("octets").expect("both or none")),
            None => (1, u64::from(packet.original_octets)),
        };
        let medium = &reader.interfaces()[packet.interface].name;
        let sum = sums.entry(medium.clone()).or_default();
        *sum = (sum.0 + frames, sum.1 + octets);
    }
    sums
}

/// Frames and octets by medium as the table has them.
fn tabulated(report: &Report) -> BTreeMap<String, Sum> {
    let table = Results::open(&report.folder);
    let table = table.table(TrafficRow::TABLE).expect("a table");
    let column = |name| numbers(&table, name).expect("a column of numbers");
    let (frames, octets) = (column("frames"), column("bytes"));
    let media = table.column("medium").expect("a column");
    let media = media.str().expect("text").iter().flatten();
    let mut sums = BTreeMap::<String, Sum>::new();
    for (medium, (frames, octets)) in media.zip(frames.iter().zip(&octets)) {
        let sum = sums.entry(medium.to_owned()).or_default();
        *sum = (sum.0 + *frames as u64, sum.1 + *octets as u64);
    }
    sums
}

#[test]
fn a_capture_has_the_frames_and_octets_of_the_traffic_table() {
    let report = run_text("whole", TOWN, &[CAPTURE]);
    let file = capture(&report);
    let captured = captured(&file);
    assert_eq!(captured, tabulated(&report));
    assert_eq!(captured.len(), 4, "every medium has traffic");

    let mut reader = Reader::new(&file).expect("a pcapng file");
    let mut ended = 0.0;
    while let Some(packet) = reader.next_packet().expect("sound blocks") {
        ended += f64::from(u8::from(packet.comment.contains("; ended: ")));
    }
    assert_eq!(ended, metric(&report, "traffic.datagrams_lost"));
}

#[test]
fn what_attackers_send_is_captured_and_labelled() {
    let report = run_text("attacked", TOWN, &[CAPTURE, ATTACKERS]);
    let file = capture(&report);
    assert_eq!(captured(&file), tabulated(&report));
    let mut reader = Reader::new(&file).expect("a pcapng file");
    // What was altered on the WAN keeps its label on the mesh behind it.
    let (mut forged, mut altered) = (BTreeSet::new(), BTreeSet::new());
    while let Some(packet) = reader.next_packet().expect("sound blocks") {
        let label = |words| packet.comment.split_once(words).map(|(_, label)| label);
        forged.extend(label("; forged by flood, label ").map(str::to_owned));
        altered.extend(label("; altered or held by mallory, label ").map(str::to_owned));
    }
    let [mallory, flood] = &report.counts.attacks[..] else {
        panic!("two attackers");
    };
    assert!(forged.len() > 100 && altered.len() > 5);
    assert_eq!(forged.len() as u64, flood.actions);
    assert_eq!(altered.len() as u64, mallory.actions);
}

#[test]
fn a_capture_changes_nothing_and_depends_on_neither_threads_nor_domains() {
    let without = run_text("without", TOWN, &[]);
    assert!(without.capture.is_none());
    let options = Options {
        pcap: Some(without.folder.with_file_name("with.pcapng")),
        ..Options::default()
    };
    let with = run_with("with", TOWN, &[], options);
    assert_eq!(without.digest, with.digest);
    assert!(files(&without) == files(&with), "no table differs");
    for (name, threads, partition) in [
        ("threads_2", 2, Partition::ByInstance),
        ("split_1", 1, Partition::Split(1)),
        ("split_4", 2, Partition::Split(4)),
    ] {
        let options = Options {
            threads,
            partition,
            ..Options::default()
        };
        let other = run_with(name, TOWN, &[CAPTURE], options);
        assert!(capture(&with) == capture(&other), "{name} differs");
        assert!(key_log(&with) == key_log(&other), "{name} has other keys");
    }
}

#[test]
fn every_authentication_and_every_key_of_a_captured_meter_is_logged() {
    let report = run_text("key_log", TOWN, &[r#"capture=(cohorts: ["lan"])"#]);
    let log = key_log(&report);
    let table = |table| {
        let table = Results::open(&report.folder).table(table);
        table.expect("a table")
    };
    let of_lan = |meters: Vec<f64>| {
        meters
            .iter()
            .map(|meter| (20.0..29.0).contains(meter))
            .collect()
    };
    let auth = table(AuthRow::TABLE);
    let lan: Vec<bool> = of_lan(numbers(&auth, "meter").expect("meters"));
    let outcomes = auth.column("outcome").expect("a column");
    let outcomes = outcomes.str().expect("text").iter().flatten();
    let succeeded = |(lan, outcome): (bool, &str)| lan && outcome == label::SUCCESS;
    let sessions = lan
        .into_iter()
        .zip(outcomes)
        .filter(|&pair| succeeded(pair));
    let lines = |kind: &str| {
        let kind = format!("\"type\":\"{kind}\"");
        log.lines().filter(|line| line.contains(&kind)).count()
    };
    assert_eq!(lines("session"), sessions.count());

    let keys = table(KeyRow::TABLE);
    let lan: Vec<bool> = of_lan(numbers(&keys, "meter").expect("meters"));
    let sides = keys.column("side").expect("a column");
    let sides = sides.str().expect("text").iter().flatten();
    let at_meters = lan.into_iter().zip(sides);
    let at_meters = at_meters.filter(|&(lan, side)| lan && side == label::METER);
    assert_eq!(lines("key"), at_meters.count());
    assert!(lines("key") > 9, "keys rotate");
}

#[test]
fn selectors_choose() {
    let count = |test: &str, capture: &str| {
        let report = run_text(test, TOWN, &[&format!("capture=({capture})")]);
        report.capture.expect("a capture").packets
    };
    let all = count("all", "");
    let medium = |name: &str| count(name, &format!("media: [\"{name}\"]"));
    let media: u64 = ["wan", "lan", "wifi", "mesh"].map(medium).iter().sum();
    assert_eq!(media, all);
    assert_eq!(
        count("pana", "protocols: [Pana]") + count("c1222", "protocols: [C1222]"),
        all
    );
    let early = count("early", r#"until: "30min""#);
    let late = count("late", r#"from: "30min""#);
    assert_eq!(early + late, all);
    assert_eq!(
        count("some", "meters: [21, 20]"),
        count("one", "meters: [20]") + count("other", "meters: [21]")
    );
    let share = count("share", r#"sample: "25%""#) as f64 / all as f64;
    // Four standard deviations of a binomial share.
    let tolerance = 4.0 * (0.25 * 0.75 / all as f64).sqrt();
    assert!((share - 0.25).abs() < tolerance, "{share} of {all}");
}
