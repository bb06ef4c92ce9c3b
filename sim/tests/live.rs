//! Live endpoints: real sockets on loopback addresses, unprivileged ports, no matter how fast.

#![cfg(target_os = "linux")]

#[path = "live/hostile.rs"]
mod hostile;
#[path = "live/tcp.rs"]
mod tcp;
#[path = "common/tool.rs"]
mod tool;

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hostile::Hostility;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use sim::live::{LiveOptions, live};
use sim::run::Report;
use sim::scenario::{Loaded, load_text};

/// Meters that are in a hurry.
const TOWN: &str = r#"Scenario(
    name: "town",
    seed: 5,
    duration: "1h",
    cohorts: [(
        name: "homes", count: 40, medium: "wan",
        power_on: Uniform("0s", "500ms"), boot: Fixed("100ms"),
    )],
    media: { "wan": Wan() },
    keys: (session_lifetime: "10min", reauthenticate: Every("2s"), overlap: "1s"),
    traffic: (interval: "1min", report: (every: "1min", spread: "1s")),
)"#;

fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(env!("CARGO_CRATE_NAME"))
        .join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The town at a pair of ports that no other test has.
fn town(port: u16, sets: &[&str]) -> Loaded {
    let ports = [
        format!("live.pana_port={port}"),
        format!("live.c1222_port={}", port + 1),
    ];
    let sets = sets.iter().map(|set| (*set).to_owned());
    let sets: Vec<String> = ports.into_iter().chain(sets).collect();
    load_text("town.ron", TOWN, &sets).unwrap_or_else(|report| panic!("{report}"))
}

/// Runs until `enough` says so, for a minute at most.
fn run_until(
    test: &str,
    loaded: &Loaded,
    enough: impl FnMut(&sim::live::LiveProgress) -> bool,
) -> Report {
    run_within(Duration::from_secs(60), test, loaded, enough)
}

/// Runs until `enough` says so, or patience is at its end.
fn run_within(
    patience: Duration,
    test: &str,
    loaded: &Loaded,
    mut enough: impl FnMut(&sim::live::LiveProgress) -> bool,
) -> Report {
    let interrupt = Arc::new(AtomicBool::new(false));
    let options = LiveOptions {
        folder: Some(folder(test).join("results")),
        interrupt: Arc::clone(&interrupt),
        ..LiveOptions::default()
    };
    let began = Instant::now();
    live(loaded, &options, |now| {
        if enough(now) || began.elapsed() > patience {
            interrupt.store(true, Ordering::Relaxed);
        }
    })
    .expect("the run ends in order")
}

fn metric(report: &Report, path: &str) -> f64 {
    report
        .summary
        .get(path)
        .unwrap_or_else(|| panic!("{path} is missing"))
}

/// Everything received is accounted for: handed to protocol code, refused, or still waiting.
fn assert_accounted(report: &Report) {
    let figures = report.live.as_ref().expect("the run was live");
    let refused: u64 = figures.refused.values().sum();
    let link_rejects: u64 = report
        .summary
        .breakdown("rejects.causes")
        .iter()
        .filter(|(cause, _)| {
            ["inbox_full", "unpowered", "buffer_full", "instance_down"].contains(&cause.as_str())
        })
        .map(|(_, count)| count)
        .sum();
    assert_eq!(
        figures.sum(|port| port.received),
        report.counts.datagrams + refused + link_rejects + figures.waiting,
        "{figures:?}"
    );
}

#[test]
fn meters_and_head_end_converse_through_sockets() {
    let loaded = town(27_160, &[]);
    let report = run_until("both", &loaded, |now| {
        now.time.as_nanos() > 8_000_000_000 && now.received > 40 * 25
    });
    assert_eq!(metric(&report, "meters.joined_ratio"), 1.0);
    assert!(metric(&report, "auth.reauthentications") >= 40.0);
    assert_eq!(metric(&report, "auth.failed"), 0.0);
    assert_eq!(metric(&report, "keys.used_after_expiry"), 0.0);
    let figures = report.live.as_ref().expect("the run was live");
    for port in &figures.ports {
        assert!(port.received >= 40 && port.sent >= 40, "{port:?}");
    }
    assert_accounted(&report);
}

#[test]
fn two_head_ends_share_the_meters() {
    let loaded = town(27_170, &["headend.instances=2"]);
    let report = run_until("instances", &loaded, |now| now.received > 40 * 15);
    assert_eq!(metric(&report, "meters.joined_ratio"), 1.0);
    let figures = report.live.as_ref().expect("the run was live");
    assert_eq!(figures.ports.len(), 6);
    assert!(figures.ports.iter().all(|port| port.received >= 20));
}

/// A process of the program itself.
struct Process {
    child: Child,
    results: PathBuf,
}

impl Process {
    fn start(folder: &Path, name: &str, arguments: &[&str]) -> Self {
        let scenario = folder.join("town.ron");
        fs::write(&scenario, TOWN).expect("a file");
        let results = folder.join(name);
        let child = Command::new(env!("CARGO_BIN_EXE_meterstorm"))
            .arg("live")
            .arg(&scenario)
            .args(arguments)
            .args(["--log", "json", "--out"])
            .arg(&results)
            .stdout(Stdio::null())
            .spawn()
            .expect("the program starts");
        Self { child, results }
    }

    fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        kill(id, signal).expect("it is still there");
    }

    /// Ends the process by a signal; it has to end in order, with everything written.
    fn end(mut self, signal: Signal) -> Value {
        self.signal(signal);
        let status = self.child.wait().expect("it ends");
        assert_eq!(status.code(), Some(0));
        let text = fs::read_to_string(self.results.join("summary.json")).expect("a summary");
        let manifest = fs::read_to_string(self.results.join("manifest.json")).expect("a manifest");
        assert!(manifest.contains("\"live\": true"), "{manifest}");
        for table in ["meters", "auth", "keys", "rejects", "headend"] {
            assert!(
                self.results.join(format!("{table}.parquet")).is_file(),
                "{table}"
            );
        }
        serde_json::from_str(&text).expect("JSON")
    }
}

#[test]
fn two_processes_converse_and_end_in_order_by_signals() {
    let folder = folder("processes");
    let ports = ["--pana-port", "27180", "--c1222-port", "27181"];
    // Sessions are looked at when a bin ends.
    let often = ["--set", "record.bins=\"1s\""];
    let arguments = |role| [&["--role", role][..], &ports, &often].concat();
    let headend = Process::start(&folder, "headend", &arguments("headend"));
    let meters = Process::start(&folder, "meters", &arguments("meters"));
    thread::sleep(Duration::from_secs(8));
    let meters = meters.end(Signal::SIGTERM);
    let headend = headend.end(Signal::SIGINT);
    assert_eq!(meters["run"]["interrupted"], true);
    assert_eq!(meters["meters"]["joined"], 40);
    assert_eq!(meters["auth"]["failed"], 0);
    assert_eq!(meters["live"]["unsent"], serde_json::json!({}));
    assert_eq!(headend["headend"]["sessions_max"], 40, "{headend}");
    let received = |summary: &Value| summary["live"]["received"].as_u64();
    assert!(received(&headend) > Some(40 * 5), "{headend}");
}

#[test]
fn a_second_signal_ends_a_process_at_once() {
    let folder = folder("impatience");
    let ports = ["--pana-port", "27300", "--c1222-port", "27301"];
    let arguments = |role| [&["--role", role][..], &ports].concat();
    let headend = Process::start(&folder, "headend", &arguments("headend"));
    let mut meters = Process::start(&folder, "meters", &arguments("meters"));
    thread::sleep(Duration::from_secs(5));
    // Nobody answers the meters that log out, so they listen for a fifth of a second at least.
    headend.signal(Signal::SIGSTOP);
    meters.signal(Signal::SIGTERM);
    thread::sleep(Duration::from_millis(50));
    meters.signal(Signal::SIGTERM);
    let status = meters.child.wait().expect("it ends");
    assert_eq!(status.code(), Some(3), "not in order");
    headend.signal(Signal::SIGCONT);
    headend.end(Signal::SIGTERM);
}

#[test]
fn virtual_time_keeps_the_pace_that_is_wanted() {
    let loaded = town(27_310, &["live.pace=10"]);
    let began = Instant::now();
    let report = run_until("pace", &loaded, |now| now.time.as_nanos() > 60_000_000_000);
    let wall = began.elapsed().as_secs_f64();
    // Never faster; and at the pace of the machine's clock it would have taken a minute.
    assert!((6.0..30.0).contains(&wall), "{wall} s for a minute");
    assert_eq!(metric(&report, "meters.joined_ratio"), 1.0);
    assert_eq!(metric(&report, "auth.failed"), 0.0);
    // Timers and key lifetimes go by virtual time: a key every 2 s.
    assert!(metric(&report, "auth.reauthentications") >= 40.0 * 20.0);
}

/// Sends `count` datagrams of a stranger; returns how many have gone.
fn flood(from: &UdpSocket, to: SocketAddrV4, count: u64, seed: u64) -> u64 {
    let mut hostility = Hostility::new(seed);
    let sent = |_: &u64| from.send_to(hostility.next(), to).is_ok();
    (0..count).filter(sent).count() as u64
}

#[test]
fn strangers_are_counted_and_change_nothing() {
    let loaded = town(
        27_190,
        &["live.limits.per_source=0", "headend.half_open_limit=100"],
    );
    let hostile = thread::spawn(|| {
        // After the meters have joined.
        thread::sleep(Duration::from_secs(3));
        let mut sent = 0;
        let targets = [
            (Ipv4Addr::new(127, 0, 0, 1), 27_190),
            (Ipv4Addr::new(127, 0, 0, 1), 27_191),
            (Ipv4Addr::new(127, 16, 0, 7), 27_190),
            (Ipv4Addr::new(127, 16, 0, 7), 27_191),
            // Nobody lives there.
            (Ipv4Addr::new(127, 200, 0, 1), 27_190),
        ];
        for (seed, (host, port)) in (1..).zip(targets) {
            let from = UdpSocket::bind((Ipv4Addr::new(127, 99, 0, seed as u8), 0));
            let from = from.expect("a socket");
            for batch in 0..20 {
                sent += flood(
                    &from,
                    SocketAddrV4::new(host, port),
                    100,
                    seed * 100 + batch,
                );
                thread::sleep(Duration::from_millis(2));
            }
        }
        sent
    });
    let mut finished_at = None;
    let report = run_until("hostile", &loaded, |now| {
        // Some more seconds of ordinary life.
        let since = *finished_at.get_or_insert_with(Instant::now);
        if !hostile.is_finished() {
            finished_at = None;
            return false;
        }
        since.elapsed() > Duration::from_secs(5) && now.received > 10_000
    });
    let sent = hostile.join().expect("the stranger is done");
    assert_eq!(sent, 10_000);
    assert_eq!(metric(&report, "meters.joined_ratio"), 1.0);
    assert_eq!(metric(&report, "auth.failed"), 0.0);
    let figures = report.live.as_ref().expect("the run was live");
    assert_eq!(figures.refused.get("unroutable"), Some(&2_000));
    assert_accounted(&report);
    // Nothing of it was lost on the way, so this is all that anybody has ever sent here.
    let drops = figures.sum(|port| port.kernel_drops);
    let ours = figures.sum(|port| port.sent);
    let received = figures.sum(|port| port.received);
    assert!(ours + sent >= received + drops, "{figures}");
    assert!(metric(&report, "rejects.total") > 4_000.0);
}

#[test]
fn a_source_is_limited_and_the_others_are_not() {
    let loaded = town(27_200, &["live.limits.per_source=50"]);
    let hostile = thread::spawn(|| {
        thread::sleep(Duration::from_secs(2));
        let from = UdpSocket::bind((Ipv4Addr::new(127, 99, 1, 1), 0)).expect("a socket");
        let to = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 27_200);
        (0..10)
            .map(|seed| {
                thread::sleep(Duration::from_millis(5));
                flood(&from, to, 200, seed)
            })
            .sum::<u64>()
    });
    let report = run_until("limits", &loaded, |now| {
        hostile.is_finished() && now.time.as_nanos() > 6_000_000_000
    });
    assert_eq!(hostile.join().expect("the stranger is done"), 2_000);
    let figures = report.live.as_ref().expect("the run was live");
    let limited = figures.refused.get("source_limit").copied().unwrap_or(0);
    assert!(limited > 1_000, "{figures}");
    assert_eq!(metric(&report, "auth.failed"), 0.0);
    assert_eq!(metric(&report, "meters.joined_ratio"), 1.0);
    assert_accounted(&report);
}

/// The commands of the section `Live endpoints` of the README that need tshark.
fn commands_of_the_readme() -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(readme).expect("the README");
    let section = readme
        .split("## Live endpoints")
        .nth(1)
        .expect("the section");
    let block = section
        .split("```sh\n")
        .nth(1)
        .expect("a block of commands");
    block.split("```").next().expect("its end").to_owned()
}

#[test]
fn the_readme_leads_to_decrypted_messages() {
    if tool::tool("tshark", "a live capture was not shown to Wireshark").is_none() {
        return;
    }
    let folder = folder("readme");
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    std::os::unix::fs::symlink(scenarios, folder.join("scenarios")).expect("a link");
    let program = Path::new(env!("CARGO_BIN_EXE_meterstorm"));
    let program = program.parent().expect("its folder").display();
    let script = format!("PATH=\"{program}:$PATH\"\n{}", commands_of_the_readme());
    let output = Command::new("sh")
        .args(["-ec", &script])
        .current_dir(&folder)
        .output()
        .expect("a shell");
    let (out, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}{errors}");
    assert!(out.contains("PANA-Client-Initiation"), "{out}");
    // Registration and its response, at least: decrypted, and their MAC is right.
    let good = out.lines().filter(|line| line.starts_with("1\t"));
    assert!(good.count() >= 2, "{out}");

    // Nothing in the whole capture is malformed, and everything is dissected.
    for filter in [
        "_ws.malformed || _ws.expert.severity >= 8388608",
        "udp && !pana && !c1222",
    ] {
        let output = Command::new("tshark")
            .env(
                "WIRESHARK_CONFIG_DIR",
                folder.join("live.wireshark/meter-000003/1"),
            )
            .arg("-r")
            .arg(folder.join("live.pcapng"))
            .args(["-Y", filter])
            .output()
            .expect("tshark runs");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{filter}");
    }
}
