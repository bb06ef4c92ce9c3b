//! Strangers who send what they like: nothing of it grows memory, all of it is accounted for.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use models::datagram::{MessageType, PANA_PORT};
use models::rng::{Purpose, Stream};
use rand_chacha::rand_core::Rng;

use super::{assert_accounted, metric, run_within, town};

/// Messages to each endpoint, unless the environment wants another number.
const MESSAGES: u64 = 20_000;
/// Messages on a connection, unless it is closed before.
const ON_A_CONNECTION: u64 = 100;
/// Octets by which the resident memory may grow while nine tenths of the messages arrive.
const GROWTH_MAX: u64 = 16 << 20;

/// Noise, and messages with some octets changed; none that a node has to take.
pub(super) struct Hostility {
    random: Stream,
    octets: Vec<u8>,
}

impl Hostility {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: Stream::new(seed, 0, Purpose::Attack),
            octets: Vec::new(),
        }
    }

    pub(super) fn next(&mut self) -> &[u8] {
        let messages: [&[u8]; 3] = [
            // PAR[S] with an AVP
            &[
                0, 0, 0, 28, 0xC0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 0, 6, 0, 0, 0, 4, 0, 0, 0, 0,
                0, 5,
            ],
            // PTR without the AUTH that it needs
            &[0, 0, 0, 16, 0x80, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8],
            // An APDU in clear
            &super::tcp::STRANGE,
        ];
        let Self { random, octets } = self;
        loop {
            octets.clear();
            if random.chance(300_000_000) {
                octets.resize(random.below(1_400) as usize, 0);
                random.fill_bytes(octets);
            } else {
                octets.extend_from_slice(messages[random.below(3) as usize]);
                for _ in 0..random.below(4) {
                    let place = random.below(octets.len() as u64) as usize;
                    octets[place] = random.below(256) as u8;
                }
            }
            // Anybody may ask for a session, so a PAA answers that.
            if MessageType::classify(PANA_PORT, octets) != MessageType::Pci {
                return octets;
            }
        }
    }
}

/// What was sent to an endpoint, and how.
#[derive(Debug, Default)]
struct Onslaught {
    datagrams: u64,
    connections: u64,
}

/// Sends datagrams, not faster than an idle machine can look at them.
fn flood(to: SocketAddrV4, count: u64, seed: u64) -> u64 {
    let from = UdpSocket::bind((Ipv4Addr::new(127, 99, 2, seed as u8), 0)).expect("a socket");
    let mut hostility = Hostility::new(seed);
    let mut sent = 0;
    for number in 0..count {
        sent += u64::from(from.send_to(hostility.next(), to).is_ok());
        if number % 64 == 63 {
            thread::sleep(Duration::from_millis(1));
        }
    }
    sent
}

/// Sends messages on connections, each until it is closed.
fn besiege(to: SocketAddrV4, count: u64, seed: u64) -> u64 {
    let mut hostility = Hostility::new(seed);
    let connections = count / ON_A_CONNECTION;
    for _ in 0..connections {
        let mut stream = TcpStream::connect(to).expect("a connection");
        let sent = (0..ON_A_CONNECTION).all(|_| stream.write_all(hostility.next()).is_ok());
        // Whoever has got everything through waits for what comes of it.
        let patience = Duration::from_millis(if sent { 50 } else { 1 });
        stream.set_read_timeout(Some(patience)).expect("a timeout");
        let _ = stream.read(&mut [0; 256]);
    }
    connections
}

/// Resident memory of this process in octets.
fn resident() -> u64 {
    const PAGE: u64 = 4_096;
    let statm = fs::read_to_string("/proc/self/statm").expect("a process has one");
    let pages = statm.split(' ').nth(1).expect("the second field");
    pages.parse::<u64>().expect("a number") * PAGE
}

/// Sends `count` messages to each endpoint, to all of them at once.
fn attack(port: u16, count: u64, seed: u64) -> Onslaught {
    let host = Ipv4Addr::LOCALHOST;
    let meter = Ipv4Addr::new(127, 16, 0, 7);
    let ends = [
        (host, port),
        (host, port + 1),
        (meter, port),
        (meter, port + 1),
    ];
    thread::scope(|scope| {
        let floods: Vec<_> = (1..)
            .zip(ends)
            .map(|(end, (host, port))| {
                let to = SocketAddrV4::new(host, port);
                scope.spawn(move || flood(to, count, seed + end))
            })
            .collect();
        let sieges: Vec<_> = (5..)
            .zip([host, meter])
            .map(|(end, host)| {
                let to = SocketAddrV4::new(host, port + 1);
                scope.spawn(move || besiege(to, count, seed + end))
            })
            .collect();
        let sum = |threads: Vec<thread::ScopedJoinHandle<'_, u64>>| {
            let each = threads
                .into_iter()
                .map(|thread| thread.join().expect("it is done"));
            each.sum()
        };
        Onslaught {
            datagrams: sum(floods),
            connections: sum(sieges),
        }
    })
}

/// `METERSTORM_HOSTILE=1000000` sends a million messages to each endpoint.
#[test]
fn any_number_of_hostile_messages_is_counted_in_the_same_memory() {
    const PORT: u16 = 27_260;
    let count = std::env::var("METERSTORM_HOSTILE").map_or(MESSAGES, |count| {
        count.parse().expect("METERSTORM_HOSTILE is a number")
    });
    let sets = [
        "live.limits.per_source=0",
        "live.limits.total=0",
        "live.limits.connections_per_source=1000",
        "headend.one_place=true",
    ];
    let loaded = town(PORT, &sets);
    let hostile = thread::spawn(move || {
        // After the meters have joined.
        thread::sleep(Duration::from_secs(3));
        let first = attack(PORT, count / 10, 10);
        let before = resident();
        let began = Instant::now();
        let second = attack(PORT, count - count / 10, 100);
        let took = began.elapsed();
        // What waits in sockets is taken, and allocators settle.
        thread::sleep(Duration::from_secs(2));
        let datagrams = first.datagrams + second.datagrams;
        let connections = first.connections + second.connections;
        (datagrams, connections, [before, resident()], took)
    });
    let mut over_at = None;
    let patience = Duration::from_secs(120 + count / 1_000);
    let report = run_within(patience, "onslaught", &loaded, |now| {
        if hostile.is_finished() {
            over_at.get_or_insert(now.time);
        }
        // Some more seconds of ordinary life, in which keys are renewed.
        over_at.is_some_and(|at| now.time.saturating_since(at).as_secs() >= 5)
    });
    let (sent, besieged, memory, took) = hostile.join().expect("the strangers are done");
    let figures = report.live.as_ref().expect("the run was live");
    let drops = figures.sum(|port| port.kernel_drops);
    let rejected = metric(&report, "rejects.total") as u64;
    println!(
        "{sent} datagrams and {besieged} connections in {:.1} s: {drops} dropped by the kernel, \
         {rejected} rejects; resident {} MiB, then {} MiB\n{figures}",
        took.as_secs_f64(),
        memory[0] >> 20,
        memory[1] >> 20,
    );
    assert_eq!(sent, 4 * count);

    // Every datagram that anybody has sent was received, or the kernel says that it was not.
    let udp = figures
        .ports
        .iter()
        .filter(|port| !port.name.ends_with("tcp"));
    let [received, ours] = udp.fold([0, 0], |[received, sent], port| {
        [received + port.received, sent + port.sent]
    });
    assert_eq!(received + drops, sent + ours, "{figures}");
    assert_accounted(&report);
    // Each of those that came was rejected for a cause; so were messages on connections.
    let tcp = figures
        .ports
        .iter()
        .filter(|port| port.name.ends_with("tcp"));
    let messages: u64 = tcp.map(|port| port.received).sum();
    let connections = &figures.connections;
    let ended = |cause: &str| connections.ended.get(cause).copied().unwrap_or(0);
    let broken: u64 = ["garbage", "cut", "slow", "unread"].map(ended).iter().sum();
    let hostile = sent + messages + broken;
    assert!(
        rejected + drops >= hostile && rejected <= hostile + 100,
        "{rejected} of {hostile}: {:?}",
        report.summary.breakdown("rejects.causes")
    );
    // Connections were all accepted, and ended for a cause.
    assert_eq!((connections.accepted, connections.opened), (besieged, 0));
    assert_eq!(connections.ended.values().sum::<u64>(), besieged);
    assert!(connections.refused.is_empty(), "{connections:?}");

    let [before, after] = memory;
    assert!(
        after < before + GROWTH_MAX,
        "memory grew from {before} to {after} octets"
    );
    // Nobody else has noticed anything but a busy line.
    assert_eq!(metric(&report, "meters.joined_ratio"), 1.0);
    assert_eq!(metric(&report, "keys.used_after_expiry"), 0.0);
    assert!(metric(&report, "auth.reauthentications") >= 80.0);
}
