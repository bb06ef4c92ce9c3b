//! Dissecting captures: those of runs, those of others, and damaged ones.

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

/// A capture on raw IP with one packet per datagram.
fn pcapng_of(datagrams: &[(SocketAddr, SocketAddr, Vec<u8>)]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = Writer::new(&mut file, "test", Some(0)).expect("a header");
    let interface = Interface {
        name: "test",
        description: "",
        link_type: RAW_IP,
        fcs_octets: 0,
    };
    writer.interface(&interface).expect("an interface");
    for (time_ns, (source, destination, payload)) in (0..).zip(datagrams) {
        let mut octets = Vec::new();
        match (source, destination) {
            (SocketAddr::V4(source), SocketAddr::V4(destination)) => {
                sim::capture::frame::ipv4(&mut octets, (*source, *destination), payload);
            }
            _ => ipv6(&mut octets, (*source, *destination), payload),
        }
        let packet = Packet {
            interface: 0,
            time_ns,
            inbound: true,
            octets: &octets,
            original_octets: octets.len() as u32,
            comment: "",
        };
        writer.packet(&packet).expect("a packet");
    }
    drop(writer);
    file
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

fn vectors(path: &str) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware/tests");
    let text = fs::read_to_string(root.join(path)).expect("a file of vectors");
    serde_json::from_str(&text).expect("JSON")
}

fn unhex(value: &Value) -> Vec<u8> {
    let digits = value.as_str().expect("hexadecimal text").as_bytes();
    let digit = |octet: u8| char::from(octet).to_digit(16).expect("a digit") as u8;
    let pairs = digits.chunks(2);
    pairs
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

#[test]
fn sessions_of_an_independent_implementation_are_read_and_verified() {
    let vectors = vectors("vectors/pana-sessions.json");
    let (mut auth, mut channels) = (0, 0);
    for session in vectors["sessions"].as_array().expect("sessions") {
        let name = &session["name"];
        let mut addresses = Vec::new();
        let datagrams: Vec<_> = session["datagrams"]
            .as_array()
            .expect("datagrams")
            .iter()
            .map(|datagram| {
                let socket = |end: &str| -> SocketAddr {
                    let text = datagram[end].as_str().expect("a socket");
                    text.parse().expect("address and port")
                };
                addresses.extend([socket("src").ip(), socket("dst").ip()]);
                (socket("src"), socket("dst"), unhex(&datagram["hex"]))
            })
            .collect();
        if let Some(pac) = session["addresses"]["pac"].as_str() {
            addresses.push(pac.parse::<SocketAddr>().expect("a socket").ip());
        }
        addresses.sort();
        addresses.dedup();
        let (keys, eap) = (&session["pana_keys"], &session["eap"]);
        let (keys, eap) = (keys.as_array(), eap.as_array());
        let mut log = String::new();
        for address in &addresses {
            for key in keys.expect("keys") {
                let line = json!({
                    "type": "session", "time_ns": 0, "meter": 0, "address": address.to_string(),
                    "kid32": key["key_id"], "pana_integrity": session["integrity"]["id"],
                    "pana_auth_key": key["PANA_AUTH_KEY"],
                });
                log.push_str(&format!("{line}\n"));
            }
            for keys in eap.expect("conversations") {
                let line = json!({
                    "type": "session", "time_ns": 0, "meter": 0, "address": address.to_string(),
                    "kid32": 0, "session_id": keys["session_id"], "tek": keys["TEK"],
                });
                log.push_str(&format!("{line}\n"));
            }
        }
        let file = pcapng_of(&datagrams);
        let frames = frames(&file, KeyRing::parse(&log).expect("a log"));
        assert_eq!(frames.len(), datagrams.len());
        for frame in &frames {
            assert_ne!(frame.protocol, Protocol::Other, "{name}: {}", frame.line());
            let unsound = frame.is_unsound();
            assert!(!unsound, "{name}: {}", frame.line());
        }
        for (field, sum) in [("AUTH", &mut auth), ("PCHANNEL", &mut channels)] {
            let (all, sound) = verified(&frames, field);
            let checkable = if keys.expect("keys").is_empty() {
                0
            } else {
                all
            };
            assert_eq!(sound, checkable, "{name}: {field}");
            *sum += sound;
        }
    }
    assert!(
        auth >= 70 && channels >= 20,
        "{auth} AUTH, {channels} PCHANNEL"
    );
}

#[test]
fn apdus_of_an_independent_implementation_are_decrypted() {
    let vectors = vectors("vectors-metering/c1222_apdus.json");
    let meter: SocketAddr = "10.0.0.1:1153".parse().expect("a socket");
    let host: SocketAddr = "172.16.0.1:1153".parse().expect("a socket");
    let (mut opened, mut clear) = (0, 0);
    for vector in vectors["apdus"].as_array().expect("vectors") {
        let id = vector["id"].as_str().expect("a name");
        let file = pcapng_of(&[(meter, host, unhex(&vector["apdu"]))]);
        let mut log = json!({
            "type": "session", "time_ns": 0, "meter": 0, "address": "10.0.0.1", "kid32": 1,
        })
        .to_string();
        if vector["key"].is_string() {
            let line = json!({
                "type": "key", "meter": 0, "kid32": 1, "c1222_key_id": vector["key_id"],
                "key": vector["key"], "derived_at_ns": 0,
            });
            log = format!("{log}\n{line}\n");
        }
        let keys = KeyRing::parse(&log).expect("a log");
        let [frame] = &frames(&file, keys)[..] else {
            panic!("one frame");
        };
        // Those without AC belong to a session that began earlier.
        let in_session = !vector["auth_element_present"].as_bool().expect("a flag");
        if vector["security_mode"] == 0 {
            clear += 1;
        } else if !in_session {
            assert!(
                frame.words.contains("MAC verified"),
                "{id}: {}",
                frame.line()
            );
            opened += 1;
        }
        let services = vector["services"].as_array().expect("services").len();
        if vector["security_mode"] == 0 || !in_session {
            let said = frame.words.split_once(": ").map_or("", |(_, said)| said);
            assert_eq!(said.split("; ").count(), services, "{id}: {}", frame.line());
        }
    }
    assert!(opened > 40 && clear > 5, "{opened} opened, {clear} clear");
}

/// The first packets of a capture, with relays, EAP and C12.22.
fn small_capture(test: &str) -> (Vec<u8>, KeyRing) {
    let path = capture_of(test, &["duration=40s"]);
    let file = fs::read(&path).expect("a file");
    (file, keys_beside(&path))
}

/// Dissects to the end or the first damage; counts frames.
fn survive(file: &[u8], keys: &KeyRing) -> usize {
    let Ok(capture) = Capture::new(file, keys.clone()) else {
        return 0;
    };
    let mut text = String::new();
    capture
        .frames()
        .map_while(Result::ok)
        .fold(0, |count, frame| {
            text.clear();
            frame.write(&mut text).expect("a text takes everything");
            let _ = frame.to_json();
            count + 1
        })
}

#[test]
fn a_file_cut_off_anywhere_is_read_up_to_there() {
    let (file, keys) = small_capture("cut");
    let whole = survive(&file, &keys);
    assert!(whole > 100, "{whole} frames");
    let mut last = 0;
    // Every octet of the first packets; the rest repeats their kinds.
    for length in 0..file.len().min(6_000) {
        let count = survive(&file[..length], &keys);
        assert!(count >= last, "a longer file has no fewer frames");
        last = count;
    }
}

/// The UDP payloads of a capture with their sockets, one of each kind of message.
fn kinds(file: &[u8], keys: &KeyRing) -> Vec<(SocketAddr, SocketAddr, Vec<u8>)> {
    let frames = frames(file, keys.clone());
    let mut reader = Reader::new(file).expect("a capture");
    let mut seen = BTreeSet::new();
    let mut kinds = Vec::new();
    for frame in frames {
        let packet = reader
            .next_packet()
            .expect("sound")
            .expect("as many packets");
        let layer = frame.layers.last().expect("a layer");
        let at = layer.at.expect("a place");
        let (source, destination) = (frame.source, frame.destination);
        if let (Some(source), Some(destination)) = (source, destination)
            && seen.insert((layer.name.clone(), packet.octets.len()))
        {
            let length: usize = layer
                .text
                .split(' ')
                .next()
                .expect("a word")
                .parse()
                .expect("octets");
            let payload = packet.octets[at..at + length].to_vec();
            kinds.push((source, destination, payload));
        }
    }
    kinds
}

#[test]
fn messages_cut_off_anywhere_are_marked_and_never_more() {
    let (file, keys) = small_capture("messages");
    let kinds = kinds(&file, &keys);
    assert!(kinds.len() > 12, "{} kinds of messages", kinds.len());
    for (source, destination, payload) in kinds {
        let cuts: Vec<_> = (1..payload.len())
            .map(|length| (source, destination, payload[..length].to_vec()))
            .collect();
        let file = pcapng_of(&cuts);
        for frame in frames(&file, keys.clone()) {
            assert!(frame.is_unsound(), "{}", frame.line());
            let mut text = String::new();
            frame.write(&mut text).expect("a text takes everything");
            assert!(text.contains("(at octet "), "{text}");
        }
    }
}

#[test]
fn altered_messages_and_files_are_survived() {
    let (file, keys) = small_capture("mutated");
    let kinds = kinds(&file, &keys);
    let (kind, octets) = (
        0..kinds.len(),
        prop::collection::vec(any::<(u16, u8)>(), 1..6),
    );
    proptest!(ProptestConfig::with_cases(3_000), |(kind in kind, octets in octets)| {
        let (source, destination, mut payload) = kinds[kind].clone();
        let mut whole = file[..file.len().min(8_192)].to_vec();
        for (at, octet) in octets {
            let at = usize::from(at);
            let length = payload.len();
            payload[at % length] = octet;
            let length = whole.len();
            whole[at % length] = octet;
        }
        prop_assert_eq!(survive(&pcapng_of(&[(source, destination, payload)]), &keys), 1);
        survive(&whole, &keys);
    });
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

/// Runs `meterstorm dissect FILE --chart CHART` with more arguments.
fn chart(file: &Path, chart: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_meterstorm"))
        .arg("dissect")
        .arg(file)
        .arg("--chart")
        .arg(chart)
        .args(more)
        .output()
        .expect("the program runs")
}

#[test]
fn a_chart_has_an_arrow_for_every_datagram_of_its_meter() {
    let attacker = r#"attackers=[
        (name: "mallory", attack: Tamper(what: BitFlip(share: "10%")), position: OnPath),
    ]"#;
    let path = capture_of("chart", &[attacker]);
    let file = fs::read(&path).expect("a file");
    let capture = Capture::new(&file, keys_beside(&path)).expect("a capture");
    let early = ["--until", "40min"];
    let mut attacked = 0;
    for meter in 0..11_u32 {
        let address = capture.meter_address(meter).expect("a meter");
        let selection = Selection {
            addresses: vec![address],
            until_ns: Some(2_400_000_000_000),
            ..Selection::default()
        };
        let frames = capture.frames().map(|frame| frame.expect("sound blocks"));
        let frames: Vec<Frame> = frames.filter(|frame| selection.wants(frame)).collect();
        let drawn = path.with_extension(format!("{meter}.svg"));
        let number = meter.to_string();
        let output = chart(&path, &drawn, &[&["--meter", &number], &early[..]].concat());
        assert!(output.status.success(), "{output:?}");
        let svg = fs::read_to_string(&drawn).expect("a chart");
        assert!(frames.len() > 20 && frames.len() < 500, "{}", frames.len());
        assert_eq!(svg.matches("<g class=\"arrow ").count(), frames.len());
        let lost = |frame: &&Frame| frame.comment.contains("; ended: ");
        let crosses = frames.iter().filter(lost).count();
        assert_eq!(svg.matches("class=\"cross\"").count(), crosses);
        let is_altered = |frame: &&Frame| frame.comment.contains("held by mallory");
        let altered = frames.iter().filter(is_altered).count();
        let classes = svg.split("<g class=\"arrow ").skip(1);
        let classes = classes.filter_map(|rest| rest.split_once('"'));
        let marked = classes.filter(|(classes, _)| classes.contains("forged"));
        assert_eq!(marked.count(), altered, "what was altered is marked");
        attacked += altered;
        // Joining and a re-authentication: two keys or more.
        assert!(svg.matches("<g class=\"epoch ").count() >= 2);
        // On the mesh somebody stands between the meter and the head-end.
        let heads = svg.matches("class=\"head\"").count() / 2;
        assert!(if meter < 6 { heads == 2 } else { heads > 2 }, "{heads}");
    }
    assert!(attacked > 10, "{attacked} were altered");
}

#[test]
fn a_retransmission_is_marked_as_one() {
    let path = capture_of("again", &[r#"media.wan=Wan(loss: "30%")"#]);
    let drawn = path.with_extension("svg");
    let output = chart(&path, &drawn, &["--meter", "0"]);
    assert!(output.status.success(), "{output:?}");
    let svg = fs::read_to_string(&drawn).expect("a chart");
    assert!(svg.matches(">sent again").count() > 3);
    assert!(svg.matches("class=\"cross\"").count() > 3);
}

#[test]
fn a_long_chart_says_what_it_leaves_out() {
    let socket = |host: u8| SocketAddr::from(([192, 0, 2, host], 716));
    // A PCI, again and again.
    let pci = vec![0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let datagrams = vec![(socket(1), socket(2), pci); 612];
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dissect-long");
    fs::create_dir_all(&folder).expect("a folder");
    let (file, drawn) = (folder.join("long.pcapng"), folder.join("long.svg"));
    fs::write(&file, pcapng_of(&datagrams)).expect("a file");
    let _ = fs::remove_file(&drawn);
    let output = chart(&file, &drawn, &["--address", "192.0.2.1"]);
    assert!(output.status.success(), "{output:?}");
    let svg = fs::read_to_string(&drawn).expect("a chart");
    assert_eq!(svg.matches("<g class=\"arrow ").count(), 500);
    let note = "Only the first 500 of 612 datagrams are shown";
    assert!(svg.contains(note) && String::from_utf8_lossy(&output.stdout).contains(note));
}

#[test]
fn a_chart_takes_hostile_texts_for_what_they_are_and_overwrites_nothing_else() {
    let hostile = "<script>alert(\"1\")</script> -> ]]>&amp;<x; up; ended: <b>; forged by </svg>";
    let mut file = Vec::new();
    let mut writer = Writer::new(&mut file, "test", Some(0)).expect("a header");
    let interface = Interface {
        name: "</title><script>",
        description: "",
        link_type: RAW_IP,
        fcs_octets: 0,
    };
    writer.interface(&interface).expect("an interface");
    let mut octets = Vec::new();
    let ends = ("192.0.2.1:716".parse(), "192.0.2.2:716".parse());
    let ends = (ends.0.expect("a socket"), ends.1.expect("a socket"));
    sim::capture::frame::ipv4(&mut octets, ends, b"<svg onload=x>");
    let packet = Packet {
        interface: 0,
        time_ns: 0,
        inbound: true,
        octets: &octets,
        original_octets: octets.len() as u32,
        comment: hostile,
    };
    writer.packet(&packet).expect("a packet");
    drop(writer);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dissect-hostile");
    fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("a<b>&\"c'.pcapng");
    fs::write(&path, &file).expect("a file");
    let drawn = folder.join("chart.svg");
    let _ = fs::remove_file(&drawn);
    let output = chart(&path, &drawn, &["--address", "192.0.2.1"]);
    assert!(output.status.success(), "{output:?}");
    let svg = fs::read_to_string(&drawn).expect("a chart");
    assert!(svg.contains("a&lt;b&gt;&amp;&quot;c"));
    assert!(!svg.contains("<script") && !svg.contains("<b>") && !svg.contains("<svg o"));
    assert_eq!(svg.matches("</svg>").count(), 1);
    assert_eq!(svg.matches("<g class=\"arrow ").count(), 1);

    // The chart may be drawn again; a capture is no chart.
    assert!(
        chart(&path, &drawn, &["--address", "192.0.2.1"])
            .status
            .success()
    );
    for (target, arguments) in [
        (&path, &["--address", "192.0.2.1"][..]),
        (&drawn, &[]),
        (
            &drawn,
            &["--address", "192.0.2.1", "--address", "192.0.2.2"],
        ),
        (&drawn, &["--address", "192.0.2.9"]),
    ] {
        let output = chart(&path, target, arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
    assert_eq!(fs::read(&path).expect("a file"), file, "it is untouched");
}

/// Runs two homes; returns what was captured.
fn homes(test: &str) -> PathBuf {
    let text = r#"Scenario(
        name: "homes",
        seed: 4,
        duration: "40min",
        cohorts: [(
            name: "homes", count: 2, medium: "wan",
            han: (displays: 1, hems: 1, loss: "5%", events: [
                (at: "10min", start: "20min", duration: "30min"),
            ]),
        )],
        media: {"wan": Wan()},
        keys: (session_lifetime: "1h", reauthenticate: Every("15min"), overlap: "2min"),
        capture: (),
    )"#;
    let loaded = load_text("homes.ron", text, &[]).unwrap_or_else(|report| panic!("{report}"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(env!("CARGO_CRATE_NAME"))
        .join(test);
    let options = Options {
        folder: Some(folder),
        force: true,
        ..Options::default()
    };
    let report = run(&loaded, &options, |_| {}).expect("the run ends in order");
    report.capture.expect("a capture").path
}

#[test]
fn frames_of_homes_are_read_verified_and_decrypted() {
    let path = homes("homes");
    let file = fs::read(&path).expect("a file");
    let all = frames(&file, keys_beside(&path));
    let unsound: Vec<_> = all.iter().filter(|frame| frame.is_unsound()).collect();
    assert!(unsound.is_empty(), "{unsound:?}");
    let home: Vec<&Frame> = all.iter().filter(|f| f.protocol == Protocol::Han).collect();
    assert!(
        home.iter()
            .all(|frame| frame.home.is_some_and(|meter| meter < 2))
    );
    let secured = home.iter().filter(|frame| frame.find("Security").is_some());
    let opened = home
        .iter()
        .filter(|frame| frame.words.contains("MIC verified"));
    let secured = secured.count();
    assert!(secured > 500, "{secured}");
    assert_eq!(opened.count(), secured);
    for words in [
        "command, beacon request",
        "beacon, a meter that lets devices associate",
        "association request",
        "association response: 0x",
        "Key request",
        "Key transport",
        "Key confirmation",
        "Usage ",
        "Demand event",
        "Event answer",
    ] {
        assert!(
            home.iter().any(|frame| frame.words.contains(words)),
            "{words}"
        );
    }

    // Without keys nothing is judged but the check sequences; a meter is chosen with its home.
    let blind = frames(&file, KeyRing::default());
    assert!(
        !blind
            .iter()
            .any(|f| f.is_unsound() || f.words.contains("MIC verified"))
    );
    let selection = Selection {
        addresses: vec![IpAddr::from([10, 0, 0, 1])],
        homes: vec![0],
        protocols: vec![Protocol::Han],
        ..Selection::default()
    };
    let chosen = all.iter().filter(|frame| selection.wants(frame)).count();
    let own = home.iter().filter(|frame| frame.home == Some(0)).count();
    assert!(chosen == own && own > 0 && own < home.len());
}

#[test]
fn altered_frames_of_homes_are_unsound() {
    let path = homes("homes_altered");
    let file = fs::read(&path).expect("a file");
    let mut reader = Reader::new(&file).expect("a capture");
    let mut frames_of_homes = Vec::new();
    while let Some(packet) = reader.next_packet().expect("sound blocks") {
        if packet.comment.starts_with("home of meter") {
            let (octets, time_ns) = (packet.octets.to_vec(), packet.time_ns);
            frames_of_homes.push((octets, time_ns, packet.comment.to_owned()));
        }
    }
    let start_s = reader.start_s();
    let rewrite = |change: &dyn Fn(&[u8]) -> Vec<u8>| -> Vec<Frame> {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, "test", start_s).expect("a header");
        let interface = Interface {
            name: "han",
            description: "",
            link_type: sim::capture::pcapng::IEEE802_15_4,
            fcs_octets: 2,
        };
        writer.interface(&interface).expect("an interface");
        for (octets, time_ns, comment) in &frames_of_homes {
            let octets = change(octets);
            let packet = Packet {
                interface: 0,
                time_ns: *time_ns,
                inbound: true,
                octets: &octets,
                original_octets: octets.len() as u32,
                comment,
            };
            writer.packet(&packet).expect("a packet");
        }
        drop(writer);
        frames(&out, keys_beside(&path))
    };
    assert!(!rewrite(&<[u8]>::to_vec).iter().any(Frame::is_unsound));
    // A bit of the payload, with and without a check sequence that fits.
    let flipped = |mend: bool| {
        move |octets: &[u8]| {
            let mut octets = octets.to_vec();
            let len = octets.len() - 2;
            octets[len - 1] ^= 1;
            if mend {
                let check = firmware::han::frame::fcs(&octets[..len]);
                octets[len..].copy_from_slice(&check.to_le_bytes());
            }
            octets
        }
    };
    assert!(rewrite(&flipped(false)).iter().all(Frame::is_unsound));
    let mended = rewrite(&flipped(true));
    let secured = |frame: &&Frame| frame.find("Security").is_some();
    assert!(mended.iter().filter(secured).all(Frame::is_unsound));
    // Cut off anywhere, longer than a frame can be, or nothing at all.
    for len in 0..40 {
        let cut = rewrite(&|octets: &[u8]| octets[..octets.len().min(len)].to_vec());
        for (frame, (octets, ..)) in cut.iter().zip(&frames_of_homes) {
            let whole = octets.len() <= len;
            assert_eq!(frame.is_unsound(), !whole, "{len}: {}", frame.line());
        }
    }
    assert!(rewrite(&|_| vec![0x41; 200]).iter().all(Frame::is_unsound));
}
