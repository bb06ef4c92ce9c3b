//! Captures in front of Wireshark's dissectors: nothing malformed, and C12.22 decrypts.
//!
//! Needs the Debian package `tshark`. Without it the tests say that they were skipped, unless the
//! environment has `CI=true`: there they fail.

#[path = "common/raw_ip.rs"]
mod raw_ip;
#[path = "common/tool.rs"]
mod tool;

use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::Command;

use sim::capture::frame;
use sim::run::{Options, run};
use sim::scenario::{load, load_text};
use tool::tool;

/// What must not occur: a dissector that gives up, or an expert's verdict `Error`.
const WRONG: &str = "_ws.malformed || _ws.expert.severity >= 8388608";

/// Every medium, joining through relays and pings.
const TOWN: &str = r#"Scenario(
    name: "town",
    seed: 3,
    duration: "2h",
    cohorts: [
        (name: "wan", count: 6, medium: "wan"),
        (name: "lan", count: 6, medium: "lan"),
        (name: "wifi", count: 6, medium: "wifi"),
        (name: "mesh", count: 20, medium: "mesh"),
        (name: "plc", count: 6, medium: "plc"),
    ],
    media: {
        "wan": Wan(latency: Uniform("20ms", "80ms"), loss: "2%"),
        "lan": Ethernet(loss: "1%"),
        "wifi": Wifi(),
        "mesh": Mesh(
            phy: Oqpsk24, backhaul: "wan",
            topology: StreetGrid(lot_m: 60.0, block_m: 240.0, scatter_m: 0.0),
        ),
        "plc": G3Plc(band: CenelecA, backhaul: "wan"),
    },
    keys: (session_lifetime: "1h", reauthenticate: Every("20min"), overlap: "2min"),
    pana: (ping: "5min"),
)"#;

fn tshark() -> Option<PathBuf> {
    tool("tshark", "captures were not shown to Wireshark")
}

fn fresh_folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(env!("CARGO_CRATE_NAME"))
        .join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The lines that tshark prints for the packets that `filter` selects, with the `config` folder.
fn show(tshark: &Path, file: &Path, config: &Path, filter: &str, fields: &[&str]) -> Vec<String> {
    let mut command = Command::new(tshark);
    command.env("WIRESHARK_CONFIG_DIR", config).arg("-r");
    command.arg(file).args(["-Y", filter, "-T", "fields"]);
    command.args([
        "-o",
        "ip.check_checksum:TRUE",
        "-o",
        "udp.check_checksum:TRUE",
    ]);
    command.args(fields.iter().flat_map(|field| ["-e", field]));
    let output = command.output().expect("tshark runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let lines = String::from_utf8_lossy(&output.stdout);
    lines.lines().map(str::to_owned).collect()
}

/// Captures all of a run.
fn capture(folder: &Path, loaded: &sim::scenario::Loaded) -> PathBuf {
    let file = folder.join("run.pcapng");
    let options = Options {
        folder: Some(folder.join("results")),
        pcap: Some(file.clone()),
        ..Options::default()
    };
    run(loaded, &options, |_| {}).expect("the run ends in order");
    file
}

/// Writes datagrams as an interface of raw IP would have seen them.
fn write(file: &Path, datagrams: &[(SocketAddrV4, SocketAddrV4, Vec<u8>)]) {
    let capture = raw_ip::pcapng(datagrams.iter().map(|(source, destination, payload)| {
        let mut octets = Vec::new();
        frame::ipv4(&mut octets, (*source, *destination), payload);
        octets
    }));
    fs::write(file, capture).expect("a file");
}

/// Every message of `protocol` is dissected as such, and C12.22 of each meter opens with its keys.
fn assert_sound(tshark: &Path, file: &Path, meters: u32) {
    let none = file.with_extension("none");
    assert_eq!(
        show(
            tshark,
            file,
            &none,
            WRONG,
            &["frame.number", "frame.comment"]
        ),
        [""; 0]
    );
    let unsound = "udp.checksum.status != 1 || ip.checksum.status != 1 || eth.fcs.status == 0";
    assert_eq!(
        show(tshark, file, &none, unsound, &["frame.number"]),
        [""; 0]
    );
    let undissected = "udp && !pana && !c1222";
    assert_eq!(
        show(tshark, file, &none, undissected, &["frame.number"]),
        [""; 0]
    );

    let tables = file.with_extension("wireshark");
    for meter in 0..meters {
        let config = tables.join(format!("meter-{meter:06}/1"));
        let [high, low] = (meter as u16 + 1).to_be_bytes();
        let filter = format!("c1222 && ip.addr == 10.0.{high}.{low}");
        let fields = ["c1222.crypto_good", "c1222.crypto_bad", "frame.comment"];
        let shown = show(tshark, file, &config, &filter, &fields);
        assert!(shown.len() > 4, "meter {meter} has sent something");
        for line in shown {
            assert!(line.starts_with("1\t0\t"), "{line}");
        }
    }
}

#[test]
fn a_malformed_message_is_noticed() {
    let Some(tshark) = tshark() else { return };
    let folder = fresh_folder("malformed");
    let file = folder.join("malformed.pcapng");
    let socket = |host| SocketAddrV4::new([192, 0, 2, host].into(), 1153);
    // A C12.22 message whose called title is longer than the message.
    let message = [0x60, 10, 0xA2, 5, 0x80, 3];
    write(&file, &[(socket(1), socket(2), message.to_vec())]);
    assert_eq!(
        show(&tshark, &file, &folder, WRONG, &["frame.number"]),
        ["1"]
    );
}

#[test]
fn the_quick_start_is_sound_and_decrypts() {
    let Some(tshark) = tshark() else { return };
    let folder = fresh_folder("quickstart");
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/quickstart.ron");
    let sets = ["cohorts.homes.count=12", "duration=4h"].map(str::to_owned);
    let loaded = load(&scenario, &sets).unwrap_or_else(|report| panic!("{report}"));
    let file = capture(&folder, &loaded);
    assert_sound(&tshark, &file, 12);
    // Meters re-authenticate every hour.
    let filter = "frame.comment contains \"pana pnr_auth\"";
    let requests = show(&tshark, &file, &folder, filter, &["frame.number"]);
    assert!(requests.len() >= 12 * 3, "{}", requests.len());
}

#[test]
fn every_medium_with_relays_and_pings_is_sound_and_decrypts() {
    let Some(tshark) = tshark() else { return };
    let folder = fresh_folder("town");
    let loaded = load_text("town.ron", TOWN, &[]).unwrap_or_else(|report| panic!("{report}"));
    let file = capture(&folder, &loaded);
    assert_sound(&tshark, &file, 44);
    let is = |filter: &str| show(&tshark, &file, &folder, filter, &["frame.interface_name"]);
    for comment in ["pana pnr_ping", "pana pna_ping", "pana pana_other"] {
        let filter = format!("frame.comment contains \"{comment}\"");
        assert!(!is(&filter).is_empty(), "there is {comment}");
    }
    let media: BTreeSet<String> = is("pana").into_iter().collect();
    let all = ["wan", "lan", "wifi", "mesh", "plc"].map(str::to_owned);
    assert_eq!(media, BTreeSet::from(all));
}

/// Everything that PANA and C12.22 do: joining with and without a relay, pings, re-authentication
/// and termination by either end, all services.
const SESSIONS: &str = r#"Scenario(
    name: "sessions",
    seed: 11,
    duration: "2h",
    cohorts: [
        (name: "wan", count: 4, medium: "wan"),
        (name: "mesh", count: 12, medium: "mesh"),
    ],
    media: {
        "wan": Wan(latency: Uniform("20ms", "80ms"), loss: "1%"),
        "mesh": Mesh(
            phy: Oqpsk24, backhaul: "wan",
            topology: StreetGrid(lot_m: 60.0, block_m: 240.0, scatter_m: 0.0),
        ),
    },
    keys: (session_lifetime: "8h", reauthenticate: Every("6h"), overlap: "2min"),
    pana: (ping: "7min"),
    timeline: [
        (at: "30min", action: Reauthenticate(cohort: "wan", by: HeadEnd, within: "1min")),
        (at: "30min", action: Reauthenticate(cohort: "mesh", by: HeadEnd, within: "5min")),
        (at: "45min", action: Reauthenticate(cohort: "wan", by: Meter, within: "1min")),
        (at: "45min", action: Reauthenticate(cohort: "mesh", by: Meter, within: "5min")),
        (at: "60min", action: Terminate(cohort: "wan", by: HeadEnd, within: "1min")),
        (at: "60min", action: Terminate(cohort: "mesh", by: Meter, within: "5min")),
        (at: "75min", action: Terminate(cohort: "wan", by: Meter, within: "1min")),
        (at: "75min", action: Terminate(cohort: "mesh", by: HeadEnd, within: "5min")),
        (at: "90min", action: ServiceTest(cohort: "wan", disconnect: true)),
        (at: "90min", action: ServiceTest(cohort: "mesh", disconnect: true)),
    ],
)"#;

#[test]
fn whole_sessions_ended_and_prolonged_by_either_side_are_sound_and_decrypt() {
    let Some(tshark) = tshark() else { return };
    for piggyback in [true, false] {
        let folder = fresh_folder(&format!("whole_{piggyback}"));
        let set = format!("pana.piggyback={piggyback}");
        let loaded = load_text("sessions.ron", SESSIONS, &[set]);
        let loaded = loaded.unwrap_or_else(|report| panic!("{report}"));
        let file = capture(&folder, &loaded);
        assert_sound(&tshark, &file, 16);

        let none = folder.join("none");
        let count = |filter: &str| show(&tshark, &file, &none, filter, &["frame.number"]).len();
        for (said, times) in [
            // A meter joins, is asked again by each end, and returns after each has ended it.
            ("up; pana pan_complete", 5 * 16),
            ("up; pana pnr_auth", 16),
            ("up; pana pnr_ping", 16),
            ("down; pana pna_ping", 16),
            ("up; pana ptr", 16),
            ("down; pana pta", 16),
            ("down; pana ptr", 16),
            ("up; pana pta", 16),
        ] {
            let found = count(&format!("frame.comment contains \"{said}\""));
            assert!(found >= times, "{said}: {found}");
        }
        // Without piggybacking a meter sends requests of its own.
        let requests = count("frame.comment matches \"; up; pana par(;|$)\"");
        assert_eq!(requests > 0, !piggyback, "{requests}");
        assert!(count("pana.type == 5") > 0, "there are relayed messages");
    }
}

/// The head-end reads tables and plays every service with three meters, which then leave.
const SERVICES: &str = r#"Scenario(
    name: "services",
    seed: 3,
    duration: "2h",
    cohorts: [(name: "lan", count: 3, medium: "lan")],
    media: {"lan": Ethernet()},
    headend: (reads: [(
        name: "status", what: Tables(numbers: [0, 1, 3, 41]), every: "30min", first: "10min",
    )]),
    timeline: [
        (at: "20min", action: OnDemandRead(cohort: "lan", what: Tables(numbers: [1]))),
        (at: "30min", action: SetTime(cohort: "lan")),
        (at: "1h", action: ServiceTest(cohort: "lan", disconnect: true)),
    ],
)"#;

#[test]
fn every_service_is_sound_and_decrypts() {
    let Some(tshark) = tshark() else { return };
    let folder = fresh_folder("services");
    let loaded =
        load_text("services.ron", SERVICES, &[]).unwrap_or_else(|report| panic!("{report}"));
    let file = capture(&folder, &loaded);
    assert_sound(&tshark, &file, 3);
    let config = file.with_extension("wireshark").join("meter-000000/1");
    let filter = "c1222 && ip.addr == 10.0.0.1";
    let shown = show(&tshark, &file, &config, filter, &["c1222.cmd"]);
    let seen: BTreeSet<&str> = shown.iter().flat_map(|line| line.split(',')).collect();
    // Identification to Disconnect, Deregister to Register, reads and writes of all kinds, Logon
    // to Logoff, Wait.
    for service in [
        "0x20", "0x21", "0x22", "0x24", "0x25", "0x26", "0x27", "0x30", "0x31", "0x3e", "0x3f",
        "0x40", "0x4f", "0x50", "0x51", "0x52", "0x70",
    ] {
        assert!(seen.contains(service), "{service} of {seen:?}");
    }
}

/// Two meters that rotate every minute use each of their 224 key ids again after 224 minutes.
const REUSE: &str = r#"Scenario(
    name: "reuse",
    duration: "5h",
    cohorts: [(name: "lan", count: 2, medium: "lan")],
    media: {"lan": Ethernet()},
    keys: (session_lifetime: "10min", reauthenticate: Every("1min"), overlap: "30s"),
)"#;

#[test]
fn reused_key_ids_open_with_the_next_folder() {
    let Some(tshark) = tshark() else { return };
    let folder = fresh_folder("reuse");
    let loaded = load_text("reuse.ron", REUSE, &[]).unwrap_or_else(|report| panic!("{report}"));
    let file = capture(&folder, &loaded);
    let tables = file.with_extension("wireshark");
    for meter in 0..2 {
        let of_meter = format!("c1222 && ip.addr == 10.0.0.{}", meter + 1);
        let fields = ["frame.number", "c1222.crypto_good"];
        let opened = |generation: u32| -> BTreeSet<u32> {
            let config = tables.join(format!("meter-{meter:06}/{generation}"));
            assert!(config.is_dir(), "there is a folder {generation}");
            let shown = show(&tshark, &file, &config, &of_meter, &fields);
            let good = shown.iter().filter_map(|line| line.strip_suffix("\t1"));
            good.map(|number| number.parse().expect("a number"))
                .collect()
        };
        let (first, second) = (opened(1), opened(2));
        let all = show(&tshark, &file, &folder, &of_meter, &["frame.number"]);
        assert_eq!(first.len() + second.len(), all.len());
        assert!(second.len() >= 6, "{} opened by the second", second.len());
        assert!(first.last() < second.first(), "each has a time of its own");
    }
}

#[test]
fn recorded_sessions_with_everything_that_pana_has_are_sound() {
    let Some(tshark) = tshark() else { return };
    let folder = fresh_folder("sessions");
    let vectors =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware/tests/vectors/pana-sessions.json");
    let text = fs::read_to_string(vectors).expect("the vectors of the firmware");
    let vectors: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    // Their messages are those of the firmware, octet by octet: its conformance test says so.
    let mut datagrams = Vec::new();
    for session in vectors["sessions"].as_array().expect("a list") {
        for datagram in session["datagrams"].as_array().expect("a list") {
            let socket = |end: &str, host: u8| {
                let text = datagram[end].as_str().expect("a socket");
                match text.parse().expect("a socket") {
                    SocketAddr::V4(socket) => socket,
                    SocketAddr::V6(v6) => SocketAddrV4::new([192, 0, 2, host].into(), v6.port()),
                }
            };
            let hex = datagram["hex"].as_str().expect("octets").as_bytes();
            let octet = |pair: &[u8]| {
                let pair = std::str::from_utf8(pair).expect("digits");
                u8::from_str_radix(pair, 16).expect("an octet")
            };
            let payload = hex.chunks(2).map(octet).collect();
            datagrams.push((socket("src", 10), socket("dst", 1), payload));
        }
    }
    let file = folder.join("sessions.pcapng");
    write(&file, &datagrams);
    assert_eq!(
        show(&tshark, &file, &folder, WRONG, &["frame.number"]),
        [""; 0]
    );
    let count = |filter: &str| show(&tshark, &file, &folder, filter, &["frame.number"]).len();
    assert_eq!(count("pana"), datagrams.len());
    // Re-authentication, pings and terminations by either side.
    // This dissector looks for the flags at another place, so they are compared as octets.
    for (what, filter) in [
        ("initiation", "pana.type == 1"),
        ("start", "pana.type == 2 && udp.payload[4:1] == c0"),
        (
            "termination by the client",
            "pana.type == 3 && udp.dstport == 716 && udp.srcport != 716",
        ),
        (
            "termination by the agent",
            "pana.type == 3 && udp.payload[4:1] == 80 && udp.srcport == 716",
        ),
        ("ping", "pana.type == 4 && udp.payload[4:1] == 88"),
        (
            "re-authentication",
            "pana.type == 4 && udp.payload[4:1] == 90",
        ),
        ("relay", "pana.type == 5"),
    ] {
        assert!(count(filter) > 0, "there is {what}");
    }
}

/// Two homes with everything that is said there: joining, rotations, an event, an outage.
const HOMES: &str = r#"Scenario(
    name: "homes",
    seed: 4,
    duration: "90min",
    cohorts: [(
        name: "homes", count: 2, medium: "wan",
        han: (displays: 1, hems: 1, loss: "5%", events: [
            (at: "10min", start: "20min", duration: "30min"),
        ]),
    )],
    media: {"wan": Wan(loss: "1%")},
    keys: (session_lifetime: "1h", reauthenticate: Every("30min"), overlap: "2min"),
    timeline: [(at: "50min", action: Outage(duration: "5min"))],
)"#;

#[test]
fn frames_in_homes_are_authentic_and_decrypt() {
    let Some(tshark) = tshark() else { return };
    let folder = fresh_folder("homes");
    let loaded = load_text("homes.ron", HOMES, &[]).unwrap_or_else(|report| panic!("{report}"));
    let file = capture(&folder, &loaded);
    let tables = file.with_extension("wireshark");
    let none = file.with_extension("none");
    let wrong = format!("wpan && ({WRONG} || !(wpan.fcs_ok == 1))");
    for meter in 0..2 {
        let own = tables.join(format!("meter-{meter:06}/1"));
        let other = tables.join(format!("meter-{:06}/1", 1 - meter));
        let home = format!("frame.comment contains \"home of meter {meter};\"");
        let fields = ["frame.number", "frame.comment"];
        let filter = format!("{home} && ({wrong})");
        assert_eq!(show(&tshark, &file, &own, &filter, &fields), [""; 0]);

        let secured = format!("{home} && wpan.aux_sec.frame_counter");
        let kinds = |config: &Path| -> BTreeSet<String> {
            let payloads = show(&tshark, &file, config, &secured, &["data.data"]);
            assert!(payloads.len() > 1_000);
            let kind = |payload: &String| payload.get(..2).unwrap_or("").to_owned();
            payloads.iter().map(kind).collect()
        };
        // Key request, transport, confirmation; usage, demand event, answer.
        let known = ["01", "02", "03", "10", "12", "13"].map(str::to_owned);
        assert_eq!(kinds(&own), BTreeSet::from(known));
        let failed = format!("{secured} && wpan.decrypt_error");
        let number = ["frame.number"];
        assert_eq!(show(&tshark, &file, &own, &failed, &number), [""; 0]);
        // The keys of the neighbours open nothing.
        let all = show(&tshark, &file, &none, &secured, &number);
        assert_eq!(show(&tshark, &file, &other, &failed, &number), all);
    }
}
