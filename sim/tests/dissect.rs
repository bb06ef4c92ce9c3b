//! Dissecting captures: those of runs, those of others, and damaged ones.

#[path = "dissect/charts.rs"]
mod charts;
#[path = "dissect/damage.rs"]
mod damage;
#[path = "dissect/homes.rs"]
mod homes;
#[path = "common/raw_ip.rs"]
mod raw_ip;
#[path = "dissect/vectors.rs"]
mod vectors;

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use proptest::prelude::*;
use serde_json::{Value, json};
use sim::capture::pcapng::{Interface, Packet, RAW_IP, Writer};
use sim::capture::read::Reader;
use sim::dissect::{Capture, Frame, KeyRing, Node, Protocol, Selection, Story, Verdict};
use sim::run::{Options, run};
use sim::scenario::load_text;

/// Every kind of link, a relay element, rotation and pings.
const TOWN: &str = r#"Scenario(
    name: "town",
    seed: 3,
    duration: "50min",
    cohorts: [
        (name: "wan", count: 3, medium: "wan"),
        (name: "lan", count: 3, medium: "lan"),
        (name: "mesh", count: 5, medium: "mesh"),
    ],
    media: {
        "wan": Wan(latency: Uniform("20ms", "80ms"), loss: "2%"),
        "lan": Ethernet(loss: "1%"),
        "mesh": Mesh(
            phy: Oqpsk24, backhaul: "wan",
            topology: StreetGrid(lot_m: 60.0, block_m: 240.0, scatter_m: 0.0),
        ),
    },
    keys: (session_lifetime: "1h", reauthenticate: Every("20min"), overlap: "2min"),
    pana: (ping: "5min"),
    capture: (),
)"#;

/// Runs the town with overrides; returns what was captured.
fn capture_of(test: &str, sets: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(env!("CARGO_CRATE_NAME"))
        .join(test);
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let loaded = load_text("test.ron", TOWN, &sets);
    let loaded = loaded.unwrap_or_else(|report| panic!("{report}"));
    let options = Options {
        folder: Some(folder),
        force: true,
        ..Options::default()
    };
    let report = run(&loaded, &options, |_| {}).expect("the run ends in order");
    report.capture.expect("a capture").path
}

fn keys_beside(path: &Path) -> KeyRing {
    let log = fs::read_to_string(path.with_extension("keys.jsonl")).expect("a key log");
    KeyRing::parse(&log).expect("a sound key log")
}

/// All frames of a sound capture.
fn frames(file: &[u8], keys: KeyRing) -> Vec<Frame> {
    let capture = Capture::new(file, keys).expect("a capture");
    let frames: Result<Vec<_>, _> = capture.frames().collect();
    frames.expect("sound blocks")
}

/// How often a field occurs, and how often it was verified.
fn verified(frames: &[Frame], name: &str) -> (usize, usize) {
    fn count(node: &Node, name: &str, sum: &mut (usize, usize)) {
        if node.name == name {
            sum.0 += 1;
            sum.1 += usize::from(node.verdict == Verdict::Sound);
        }
        for child in &node.children {
            count(child, name, sum);
        }
    }
    let mut sum = (0, 0);
    let layers = frames.iter().flat_map(|frame| &frame.layers);
    layers.for_each(|layer| count(layer, name, &mut sum));
    sum
}

/// A capture on raw IP with one packet per datagram.
fn pcapng_of(datagrams: &[(SocketAddr, SocketAddr, Vec<u8>)]) -> Vec<u8> {
    raw_ip::pcapng(datagrams.iter().map(|(source, destination, payload)| {
        let mut octets = Vec::new();
        match (source, destination) {
            (SocketAddr::V4(source), SocketAddr::V4(destination)) => {
                sim::capture::frame::ipv4(&mut octets, (*source, *destination), payload);
            }
            _ => ipv6(&mut octets, (*source, *destination), payload),
        }
        octets
    }))
}

/// IPv6 and UDP headers without a checksum (RFC 8200 §3).
fn ipv6(out: &mut Vec<u8>, (source, destination): (SocketAddr, SocketAddr), payload: &[u8]) {
    let udp_octets = (8 + payload.len()) as u16;
    out.extend_from_slice(&[0x60, 0, 0, 0]);
    out.extend_from_slice(&udp_octets.to_be_bytes());
    out.extend_from_slice(&[17, 64]);
    for socket in [source, destination] {
        match socket.ip() {
            IpAddr::V6(address) => out.extend_from_slice(&address.octets()),
            IpAddr::V4(address) => out.extend_from_slice(&address.to_ipv6_mapped().octets()),
        }
    }
    for half in [source.port(), destination.port(), udp_octets, 0] {
        out.extend_from_slice(&half.to_be_bytes());
    }
    out.extend_from_slice(payload);
}

#[test]
fn everything_in_a_capture_is_read_verified_and_decrypted() {
    let path = capture_of("whole", &[]);
    let file = fs::read(&path).expect("a file");
    let frames = frames(&file, keys_beside(&path));
    let unsound: Vec<_> = frames.iter().filter(|frame| frame.is_unsound()).collect();
    assert!(unsound.is_empty(), "{unsound:?}");
    assert!(frames.iter().all(|frame| frame.protocol != Protocol::Other));
    for field in ["AUTH", "PCHANNEL", "MAC"] {
        let (all, sound) = verified(&frames, field);
        assert!(all > 40, "{all} {field}");
        assert_eq!(all, sound, "{field}");
    }
    // Times are those of the run, and words name what a message is for.
    assert!(frames.iter().all(|frame| frame.time_ns < 3_000_000_000_000));
    for words in [
        "PCI",
        "PRY, for 10.0.0.",
        "EAP-PSK 3 DONE_SUCCESS",
        "PAR[C], SUCCESS, EAP Success, Key-Id 1, lifetime 3600 s, AUTH verified",
        "PNR[A], AUTH verified",
        "PNA[P], AUTH verified",
        "encrypted, MAC verified: Register .1.",
        "encrypted, MAC verified: Write ST64 LP_DATA_SET1, 17 octets at offset 0",
    ] {
        let found = frames.iter().any(|frame| frame.words.contains(words));
        assert!(found, "no frame says {words}");
    }
}

#[test]
fn without_keys_nothing_is_judged_and_nothing_decrypted() {
    let path = capture_of("keyless", &[]);
    let file = fs::read(&path).expect("a file");
    let frames = frames(&file, KeyRing::default());
    assert!(!frames.iter().any(Frame::is_unsound));
    for field in ["AUTH", "PCHANNEL", "MAC"] {
        assert_eq!(verified(&frames, field).1, 0, "{field}");
    }
    assert!(frames.iter().all(|frame| !frame.words.contains("ST64")));
}

#[test]
fn what_an_attacker_altered_is_what_does_not_verify() {
    let attacker = r#"attackers=[
        (name: "mallory", attack: Tamper(what: BitFlip(share: "20%")), position: OnPath),
    ]"#;
    let path = capture_of("altered", &[attacker]);
    let file = fs::read(&path).expect("a file");
    let frames = frames(&file, keys_beside(&path));
    let (mut altered, mut caught) = (0, 0);
    let mut misled = BTreeSet::new();
    for frame in &frames {
        let story = Story::parse(&frame.comment).expect("a run comments every packet");
        let ends = [frame.source, frame.destination];
        if story.altered_by.is_some() {
            altered += 1;
            caught += u32::from(frame.is_unsound());
            // What goes into the keys is altered unnoticed, and then the keys differ.
            misled.extend(ends);
        } else if frame.is_unsound() {
            assert!(
                ends.iter().any(|end| misled.contains(end)),
                "{}",
                frame.line()
            );
            assert!(frame.words.contains("AUTH failed"), "{}", frame.line());
        }
    }
    // Before a session has a key nothing protects its messages.
    assert!(
        altered > 20 && caught * 2 > altered,
        "{caught} of {altered}"
    );
}

fn meterstorm(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meterstorm"));
    command.args(arguments).output().expect("the program runs")
}

fn lines(output: &Output) -> Vec<String> {
    let text = String::from_utf8(output.stdout.clone()).expect("text");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_program_selects_and_prints() {
    let path = capture_of("program", &[]);
    let file = path.to_str().expect("a plain path");
    let dissect = |more: &[&str]| {
        let output = meterstorm(&[&["dissect", file], more].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        lines(&output)
    };
    let all = dissect(&["--summary"]);
    let of = |protocol: &str| dissect(&["--summary", "--protocol", protocol]).len();
    assert_eq!(of("pana") + of("c1222"), all.len());
    assert!(of("eap") < of("pana") && of("eap") > 50);
    assert_eq!(of("other"), 0);
    let early = dissect(&["--summary", "--until", "10min"]).len();
    let late = dissect(&["--summary", "--from", "10min"]).len();
    assert_eq!(early + late, all.len());
    let meter = dissect(&["--json", "--meter", "2"]);
    assert!(!meter.is_empty() && meter.len() < all.len() / 2);
    for line in meter {
        let frame: Value = serde_json::from_str(&line).expect("JSON");
        let ends = [&frame["source"], &frame["destination"]];
        let is_there = |end: &&Value| end.as_str().is_some_and(|end| end.starts_with("10.0.0.3:"));
        assert!(ends.iter().any(is_there), "{line}");
        assert_eq!(frame["sound"], true);
    }
    assert_eq!(dissect(&["--unsound"]), [""; 0]);
    assert!(dissect(&[]).len() > all.len() * 5);
}

#[test]
fn mistakes_on_the_command_line_are_explained() {
    let path = capture_of("mistakes", &["duration=30s"]);
    let file = path.to_str().expect("a plain path");
    let cargo_toml = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    for (arguments, wanted) in [
        (
            &["dissect", "nowhere.pcapng"][..],
            "cannot read nowhere.pcapng",
        ),
        (&["dissect", cargo_toml], "neither a pcapng nor a pcap file"),
        (&["dissect", file, "--meter", "999"], "knows meter 999"),
        (&["dissect", file, "--from", "soon"], "--from"),
        (
            &["dissect", file, "--keys", cargo_toml],
            "line 1 of the key log",
        ),
    ] {
        let output = meterstorm(arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(wanted), "{said}");
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let path = capture_of("early", &[]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_meterstorm"))
        .arg("dissect")
        .arg(&path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut first = [0; 10];
    let mut out = child.stdout.take().expect("a pipe");
    out.read_exact(&mut first).expect("it prints");
    drop(out);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{output:?}");
}
