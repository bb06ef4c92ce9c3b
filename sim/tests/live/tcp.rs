//! C12.22 over TCP: both ends, a host that connects to meters, and peers that do not behave.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use firmware::c1222::stream::Deframer;
use models::datagram::is_response;
use sim::live::{LiveOptions, PortFigures, live};
use sim::run::Report;
use sim::scenario::Loaded;

use super::{assert_accounted, folder, metric, run_until, town};

/// A request to every meter every three seconds.
const READS: &str =
    r#"headend.reads=[(name: "look", what: Tables(numbers: [1]), every: "3s", window: "1s")]"#;

fn port<'r>(report: &'r Report, name: &str) -> &'r PortFigures {
    let figures = report.live.as_ref().expect("the run was live");
    let mut ports = figures.ports.iter();
    let port = ports.find(|port| port.name == name);
    port.unwrap_or_else(|| panic!("{name} is missing in {figures:?}"))
}

#[test]
fn meters_keep_a_connection_that_serves_both_ways() {
    let loaded = town(27_210, &["live.transport=Tcp", READS]);
    let report = run_until("tcp", &loaded, |now| {
        now.time.as_nanos() > 9_000_000_000 && now.received > 40 * 40
    });
    assert_eq!(metric(&report, "meters.joined_ratio"), 1.0);
    assert!(metric(&report, "requests.succeeded") >= 80.0);
    let connections = &report.live.as_ref().expect("the run was live").connections;
    assert_eq!((connections.opened, connections.accepted), (40, 40));
    assert!(connections.refused.is_empty(), "{connections:?}");
    assert_eq!(connections.ended.get("end_of_run"), Some(&80));
    // Registrations and their responses one way, requests and theirs the other.
    for name in ["head-end 0 c1222 tcp", "meters c1222 tcp"] {
        let port = port(&report, name);
        assert!(port.received >= 40 * 3 && port.sent >= 40 * 3, "{port:?}");
    }
    let udp = port(&report, "meters c1222");
    assert_eq!((udp.received, udp.sent), (0, 0));
    assert_accounted(&report);
}

/// Runs `loaded` in a thread until `stop`.
fn begin(test: &str, loaded: Loaded, stop: &Arc<AtomicBool>) -> thread::JoinHandle<Report> {
    let options = LiveOptions {
        folder: Some(folder(test).join("results")),
        interrupt: Arc::clone(stop),
        ..LiveOptions::default()
    };
    thread::spawn(move || live(&loaded, &options, |_| ()).expect("the run ends in order"))
}

fn socket(host: [u8; 4], port: u16) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::from(host), port)).expect("a socket");
    let pause = Duration::from_millis(100);
    socket.set_read_timeout(Some(pause)).expect("a timeout");
    socket
}

/// Copies datagrams from one socket to another until `stop`.
fn copy(from: &UdpSocket, stop: &AtomicBool, mut to: impl FnMut(&[u8])) {
    let mut buffer = [0; 2_048];
    while !stop.load(Ordering::Relaxed) {
        if let Ok(len) = from.recv(&mut buffer) {
            to(&buffer[..len]);
        }
    }
}

/// A host between the meter and the head-end: it asks by TCP what it is asked by UDP.
#[test]
fn a_host_that_connects_to_a_meter_is_answered_on_its_connection() {
    const ENDS: [u16; 2] = [27_220, 27_221];
    const METER: [u16; 2] = [27_222, 27_223];
    const MIDDLE: [u16; 2] = [27_224, 27_225];
    let one = "cohorts.homes.count=1";
    let stop = Arc::new(AtomicBool::new(false));
    let headend = begin(
        "host-headend",
        town(ENDS[0], &[one, "live.role=Headend", READS]),
        &stop,
    );
    let to_host = [
        "live.role=Meters".to_owned(),
        format!("live.paa=\"127.50.0.1:{}\"", MIDDLE[0]),
        format!("live.c1222=\"127.50.0.1:{}\"", MIDDLE[1]),
        "live.meters=\"127.16.7.1\"".to_owned(),
        one.to_owned(),
    ];
    let sets: Vec<&str> = to_host.iter().map(String::as_str).collect();
    let meters = begin("host-meters", town(METER[0], &sets), &stop);

    let asked = thread::scope(|scope| {
        let mut asked = 0;
        for channel in 0..2 {
            let below = socket([127, 50, 0, 1], MIDDLE[channel]);
            let above = socket([127, 60, 0, 1], ENDS[channel]);
            let meter = SocketAddrV4::new(Ipv4Addr::new(127, 16, 7, 1), METER[channel]);
            let host = SocketAddrV4::new(Ipv4Addr::LOCALHOST, ENDS[channel]);
            let [down, up] = [&below, &above].map(|socket| socket.try_clone().expect("a socket"));
            let stop = &*stop;
            scope.spawn(move || {
                copy(&below, stop, |octets| {
                    above.send_to(octets, host).expect("it is sent");
                });
            });
            if channel == 0 {
                scope.spawn(move || {
                    copy(&up, stop, |octets| {
                        down.send_to(octets, meter).expect("it is sent");
                    });
                });
                continue;
            }
            let mut stream = None;
            let began = Instant::now();
            let mut buffer = [0; 2_048];
            while asked < 3 && began.elapsed() < Duration::from_secs(40) {
                let Ok(len) = up.recv(&mut buffer) else {
                    continue;
                };
                let octets = &buffer[..len];
                if is_response(octets) {
                    down.send_to(octets, meter).expect("it is sent");
                    continue;
                }
                let stream = stream.get_or_insert_with(|| TcpStream::connect(meter).expect("one"));
                // In two pieces, and with the answer on the same connection.
                stream.write_all(&octets[..7]).expect("it is sent");
                thread::sleep(Duration::from_millis(5));
                stream.write_all(&octets[7..]).expect("it is sent");
                let mut deframer = Deframer::new(2_048);
                let mut piece = [0; 256];
                let answer = loop {
                    if let Some(apdu) = deframer.poll().expect("APDUs") {
                        break apdu.to_vec();
                    }
                    let len = stream.read(&mut piece).expect("an answer");
                    assert_ne!(len, 0, "the connection stays");
                    assert_eq!(deframer.push(&piece[..len]), len);
                };
                assert!(is_response(&answer));
                up.send_to(&answer, host).expect("it is sent");
                asked += 1;
            }
            // The last answer is on its way to the head-end.
            thread::sleep(Duration::from_millis(300));
        }
        stop.store(true, Ordering::Relaxed);
        asked
    });
    assert_eq!(asked, 3);
    let headend = headend.join().expect("the head-end ends");
    let meters = meters.join().expect("the meters end");
    assert!(metric(&headend, "requests.succeeded") >= 3.0);
    assert_eq!(metric(&meters, "meters.joined"), 1.0);
    let tcp = port(&meters, "meters c1222 tcp");
    assert_eq!((tcp.received, tcp.sent), (3, 3));
    let connections = &meters.live.as_ref().expect("the run was live").connections;
    assert_eq!((connections.accepted, connections.opened), (1, 0));
}

/// The octets of an APDU that no key protects.
pub(super) const STRANGE: [u8; 28] = [
    0x60, 0x1A, 0xA2, 5, 0x80, 3, 1, 2, 1, 0xA6, 3, 0x80, 1, 3, 0xA8, 3, 2, 1, 7, 0xBE, 5, 0x28, 3,
    0x81, 1, 0x20, 0, 0,
];

/// Whether the other end closes the connection within some seconds.
fn is_closed(mut stream: TcpStream) -> bool {
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).expect("a timeout");
    match stream.read(&mut [0; 64]) {
        Ok(len) => len == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn peers_that_do_not_behave_lose_their_connections() {
    let limits = [
        "live.limits.connections_per_source=3",
        "live.limits.connections=10",
        "live.limits.idle=\"2s\"",
    ];
    let loaded = town(27_230, &limits);
    let hostile = thread::spawn(|| {
        // After the meters have joined.
        thread::sleep(Duration::from_secs(3));
        let host = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 27_231);
        let meter = SocketAddrV4::new(Ipv4Addr::new(127, 16, 0, 7), 27_231);
        for to in [host, meter] {
            let connect = || TcpStream::connect(to).expect("a connection");
            let mut garbage = connect();
            // One message that is none of a node's, in one piece with what is no message.
            let octets = [&STRANGE[..], b"GET / HTTP/1.1\r\n"].concat();
            garbage.write_all(&octets).expect("it is sent");
            assert!(is_closed(garbage));
            // Nothing at all, and the beginning of a message.
            let silent = connect();
            let mut slow = connect();
            slow.write_all(&STRANGE[..9]).expect("it is sent");
            let mut cut = connect();
            cut.write_all(&STRANGE[..9]).expect("it is sent");
            drop(cut);
            assert!(is_closed(slow));
            assert!(is_closed(silent));
        }
        let connect = |_| TcpStream::connect(host).expect("a connection");
        let greedy: Vec<_> = (0..5).map(connect).collect();
        // The kernel has a connection for those that are not accepted as well.
        assert!(greedy.into_iter().all(is_closed));
        let nobody = SocketAddrV4::new(Ipv4Addr::new(127, 200, 0, 1), 27_231);
        assert!(is_closed(TcpStream::connect(nobody).expect("a connection")));
    });
    let mut over_at = None;
    let report = run_until("misbehaviour", &loaded, |_| {
        over_at = over_at.or_else(|| hostile.is_finished().then(Instant::now));
        over_at.is_some_and(|at| at.elapsed() > Duration::from_secs(3))
    });
    hostile
        .join()
        .expect("the stranger has seen what he should");
    let connections = &report.live.as_ref().expect("the run was live").connections;
    let ended = |cause| connections.ended.get(cause).copied().unwrap_or(0);
    assert_eq!(ended("garbage"), 2, "{connections:?}");
    assert_eq!(ended("cut"), 2, "{connections:?}");
    assert_eq!(ended("slow"), 2, "{connections:?}");
    assert_eq!(ended("silent"), 2 + 3, "{connections:?}");
    let refused = |cause| connections.refused.get(cause).copied().unwrap_or(0);
    assert_eq!([refused("source_limit"), refused("unroutable")], [2, 1]);
    let causes = report.summary.breakdown("rejects.causes");
    let rejected = |name: &str| causes.iter().filter(|(cause, _)| *cause == name).count();
    for cause in ["garbage", "cut", "slow"] {
        assert_eq!(rejected(cause), 1, "{cause} is counted at a node");
    }
    // The meter is in the network, so its enforcement point lets the strange message pass to
    // C12.22; the stranger never authenticated at the head-end.
    assert_eq!(rejected("access_closed"), 1, "{causes:?}");
    assert_eq!(metric(&report, "auth.failed"), 0.0);
    assert_eq!(metric(&report, "meters.joined_ratio"), 1.0);
    assert_accounted(&report);
}

#[test]
fn nothing_but_pana_passes_before_the_network_is_open() {
    // There is no head-end.
    let loaded = town(27_240, &["live.role=Meters"]);
    let stranger = thread::spawn(|| {
        thread::sleep(Duration::from_secs(2));
        let meter = SocketAddrV4::new(Ipv4Addr::new(127, 16, 0, 3), 27_241);
        let mut stream = TcpStream::connect(meter).expect("a connection");
        for _ in 0..5 {
            stream.write_all(&STRANGE).expect("it is sent");
        }
        thread::sleep(Duration::from_secs(1));
        stream
    });
    let report = run_until("closed", &loaded, |_| stranger.is_finished());
    drop(stranger.join().expect("the connection stays"));
    let causes = report.summary.breakdown("rejects.causes");
    let closed = causes.iter().find(|(cause, _)| *cause == "access_closed");
    assert_eq!(closed.map(|(_, count)| *count), Some(5), "{causes:?}");
    let connections = &report.live.as_ref().expect("the run was live").connections;
    assert_eq!(connections.ended.get("end_of_run"), Some(&1));
}

#[test]
fn more_files_than_there_may_be_are_refused_with_advice() {
    let folder = folder("files");
    std::fs::write(folder.join("town.ron"), super::TOWN).expect("a file");
    let program = env!("CARGO_BIN_EXE_meterstorm");
    let ports = "--pana-port 27250 --c1222-port 27251";
    let script = format!("ulimit -n 100; exec {program} live town.ron {ports} --duration 1s");
    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(&folder)
        .output()
        .expect("a shell");
    assert_eq!(output.status.code(), Some(3));
    let errors = String::from_utf8_lossy(&output.stderr);
    for part in ["100 open", "ulimit -Hn", "live.limits.connections=100"] {
        assert!(errors.contains(part), "{part} is not in {errors}");
    }
    assert!(!folder.join("results").exists(), "nothing was begun");
}

#[test]
fn connections_for_fewer_than_all_meters_are_a_contradiction() {
    let sets = ["live.transport=Tcp", "live.limits.connections=39"];
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let report =
        sim::scenario::load_text("town.ron", super::TOWN, &sets).expect_err("it is refused");
    assert!(
        report
            .to_string()
            .contains("turn some of the 40 meters away"),
        "{report}"
    );
}
