//! Optical ports of live meters: floods, names, and meters without power.

#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use models::rng::{Purpose, Stream};
use nix::libc;
use rand_chacha::rand_core::Rng;
use sim::live::{LiveOptions, Visits, live};
use sim::run::Report;
use sim::scenario::load_text;

const TOWN: &str = r#"Scenario(
    name: "town",
    seed: 5,
    duration: "1h",
    cohorts: [
        (name: "homes", count: 3, medium: "wan", power_on: Fixed("0s"), boot: Fixed("100ms")),
        (name: "dark", count: 1, medium: "wan", power_on: Fixed("30min")),
    ],
    media: { "wan": Wan() },
    traffic: (interval: "1min", report: (every: "1min", spread: "1s")),
    live: (optical: (first: 4)),
)"#;

/// Identification, and the acknowledgement and response of a port that nobody has used.
const IDENTIFICATION: [u8; 9] = [0xEE, 0, 0, 0, 0, 1, 0x20, 0x13, 0x10];
const IDENTIFIED: [u8; 14] = [0x06, 0xEE, 0, 0, 0, 0, 5, 0, 0, 1, 0, 0, 0xC6, 0xB5];

fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(env!("CARGO_CRATE_NAME"))
        .join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Runs the town until `program` is done with the ports in the folder that it is given.
fn run_with<T: Send + 'static>(
    test: &str,
    port: u16,
    sets: &[&str],
    program: impl FnOnce(&Path) -> T + Send + 'static,
) -> (Report, T) {
    let ports = [
        format!("live.pana_port={port}"),
        format!("live.c1222_port={}", port + 1),
    ];
    let sets = sets.iter().map(|set| (*set).to_owned());
    let sets: Vec<String> = ports.into_iter().chain(sets).collect();
    let loaded = load_text("town.ron", TOWN, &sets).unwrap_or_else(|report| panic!("{report}"));
    let folder = folder(test);
    let names = folder.join("ports");
    let interrupt = Arc::new(AtomicBool::new(false));
    let options = LiveOptions {
        folder: Some(folder.join("results")),
        optical_folder: Some(names.clone()),
        interrupt: Arc::clone(&interrupt),
        ..LiveOptions::default()
    };
    let worker = thread::spawn(move || {
        let began = Instant::now();
        while !names.join("meter-000003").exists() {
            assert!(began.elapsed() < Duration::from_secs(20), "no ports");
            thread::sleep(Duration::from_millis(20));
        }
        thread::sleep(Duration::from_secs(1));
        program(&names)
    });
    let report = live(&loaded, &options, |_| {
        if worker.is_finished() {
            interrupt.store(true, Ordering::Relaxed);
        }
    });
    let outcome = worker.join().expect("the program works");
    assert!(!folder.join("ports").exists(), "the names are gone");
    (report.expect("the run ends in order"), outcome)
}

fn visits(report: &Report) -> &Visits {
    &report.live.as_ref().expect("the run was live").optical
}

fn open(names: &Path, meter: u32) -> File {
    let mut options = File::options();
    options.read(true).write(true);
    options.custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK);
    let path = names.join(format!("meter-{meter:06}"));
    options.open(path).expect("the port opens")
}

/// Reads until `wanted` octets are there, for two seconds at most.
fn read(port: &mut File, wanted: usize) -> Vec<u8> {
    let mut octets = Vec::new();
    let began = Instant::now();
    while octets.len() < wanted && began.elapsed() < Duration::from_secs(2) {
        let mut buffer = [0; 64];
        match port.read(&mut buffer) {
            Ok(count) => octets.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(5));
            }
            Err(error) => panic!("{error}"),
        }
    }
    octets
}

/// Writes noise, packets and half packets as fast as they are taken; reads nothing.
fn flood(port: &mut File, length: Duration, seed: u64) -> u64 {
    let mut random = Stream::new(seed, 0, Purpose::Attack);
    let (mut written, began) = (0, Instant::now());
    while began.elapsed() < length {
        let mut octets = [0; 64];
        random.fill_bytes(&mut octets);
        // A packet that announces too much would swallow the whole flood, as it would everywhere.
        for octet in octets
            .iter_mut()
            .filter(|octet| **octet == IDENTIFICATION[0])
        {
            *octet = 0;
        }
        let (packet, noise) = octets.split_at_mut(IDENTIFICATION.len());
        packet.copy_from_slice(&IDENTIFICATION);
        packet[8] ^= noise[0] & 1;
        match port.write(&octets) {
            Ok(count) => written += count as u64,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(1));
            }
            Err(error) => panic!("{error}"),
        }
    }
    written
}

/// A program that floods a port is held to the speed of the line, and disturbs nobody else.
#[test]
fn a_flood_is_no_faster_than_the_line() {
    let length = Duration::from_secs(4);
    let (report, answers) = run_with("flood", 27_460, &[], move |names| {
        let mut hostile = open(names, 0);
        let flooding = thread::spawn(move || flood(&mut hostile, length, 1));
        let mut answers = Vec::new();
        while !flooding.is_finished() {
            let mut port = open(names, 1);
            port.write_all(&IDENTIFICATION).expect("it is taken");
            answers.push(read(&mut port, IDENTIFIED.len()));
        }
        flooding.join().expect("it floods");
        answers
    });
    assert!(answers.len() >= 10, "{}", answers.len());
    assert!(
        answers.iter().all(|answer| *answer == IDENTIFIED),
        "{answers:02X?}"
    );
    let visits = visits(&report);
    assert_eq!((visits.ports, visits.probes), (4, 1 + answers.len() as u64));
    // 960 octets per second, and what lies in buffers is not lost.
    let flooded = visits.received_octets - 9 * answers.len() as u64;
    let most = 960.0 * report.wall.as_secs_f64();
    assert!((960..=most as u64).contains(&flooded), "{visits}");
    assert!(visits.rejects["optical_crc"] > 10, "{visits}");
    assert!(visits.naks > 10, "{visits}");
    assert_eq!(report.summary.get("meters.joined"), Some(3.0));
}

/// Without pacing as much arrives as the machine can handle, and every discard is counted.
#[test]
fn an_unpaced_flood_is_counted_and_bounded() {
    let sets = ["live.optical.paced=false"];
    let length = Duration::from_secs(3);
    let (report, written) = run_with("unpaced", 27_470, &sets, move |names| {
        let mut hostile = open(names, 0);
        flood(&mut hostile, length, 2)
    });
    let visits = visits(&report);
    assert!(
        visits.received_octets > 20_000 && visits.received_octets <= written,
        "{visits}"
    );
    let rejected: u64 = visits.rejects.values().sum();
    assert!(rejected > 100, "{visits}");
    assert!(
        visits.unread_octets > 0,
        "nobody reads the answers: {visits}"
    );
    let counted = report.summary.breakdown("rejects.causes");
    let optical = counted
        .iter()
        .filter(|(cause, _)| cause.starts_with("optical_"));
    assert_eq!(optical.map(|(_, count)| count).sum::<u64>(), rejected);
    assert_eq!(report.summary.get("meters.joined"), Some(3.0));
}

#[test]
fn a_meter_without_power_says_nothing() {
    let (report, answer) = run_with("dark", 27_480, &[], |names| {
        let mut port = open(names, 3);
        port.write_all(&IDENTIFICATION).expect("it is taken");
        read(&mut port, 1)
    });
    assert_eq!(answer, [0; 0]);
    let visits = visits(&report);
    assert_eq!((visits.unpowered_octets, visits.sent_octets), (9, 0));
}

#[test]
fn ports_never_take_the_place_of_something_else() {
    let folder = folder("occupied");
    let names = folder.join("ports");
    fs::create_dir_all(&names).expect("a folder");
    fs::write(names.join("meter-000001"), "mine").expect("a file");
    let sets = ["live.pana_port=27490", "live.c1222_port=27491"].map(str::to_owned);
    let loaded = load_text("town.ron", TOWN, &sets).unwrap_or_else(|report| panic!("{report}"));
    let options = LiveOptions {
        folder: Some(folder.join("results")),
        optical_folder: Some(names.clone()),
        force: true,
        ..LiveOptions::default()
    };
    let error = live(&loaded, &options, |_| {}).expect_err("it does not begin");
    assert!(error.to_string().contains("meter-000001"), "{error}");
    let left: Vec<_> = fs::read_dir(&names).expect("the folder stays").collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(
        fs::read(names.join("meter-000001")).expect("it stays"),
        b"mine"
    );
}
