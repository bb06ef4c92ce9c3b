//! The loop of a live run: events by the wall clock, datagrams through sockets.

mod ending;
mod streams;

use std::io::{Error, ErrorKind};
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration as WallDuration;

use firmware::meter::Channel;
use models::capture::{Candidate, Fate};
use models::context::{DATAGRAM_MAX, Kind};
use models::datagram::{Datagram, MessageType};
use models::event::EventKey;
use models::fleet::Fleet;
use models::link::Direction;
use models::time::Time;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::clock::Clock;
use super::connections::{self, Connections, Doorman};
use super::figures::{Figures, Lag, PortFigures, Sides};
use super::limiter::Limiter;
use super::optical::{OpticalFolder, OpticalPorts};
use super::outbox::{Desk, Outbox};
use super::ports::{self, Addressee, Port, PortMap, Side};
use super::tcp::Listener;
use super::{LiveError, LiveOptions, LiveProgress, plan};
use crate::engine::Digest;
use crate::run::{self, Account, FleetDomain, Ledger, Places, Report, RunError};
use crate::scenario::expect::Verdict;
use crate::scenario::live::{Live, Role};
use crate::scenario::{Loaded, Scenario};

/// Datagrams taken from one socket before the others, and timers, have their turn.
const BATCH: usize = 256;
/// Sockets that the kernel names at once.
const READY: usize = 256;
/// The longest time without a look at signals, by the wall clock.
const DOZE: WallDuration = WallDuration::from_millis(50);
/// Time between two looks at what domains have observed, by the wall clock.
const COLLECT: WallDuration = WallDuration::from_millis(500);

/// Runs the scenario by the wall clock.
pub(super) fn run(
    loaded: &Loaded,
    options: &LiveOptions,
    progress: impl FnMut(&LiveProgress),
) -> Result<Report, RunError> {
    let scenario = &loaded.scenario;
    let places = Places {
        folder: options.folder.as_deref(),
        pcap: options.pcap.as_deref(),
        force: options.force,
    };
    let fleet = plan::fleet(scenario, options.pcap.is_some())?;
    plan::reserve_files(&fleet, &scenario.live)?;
    let ports = ports::open(&fleet, &scenario.live)?;
    let listeners = ports::listen(&fleet, &scenario.live)?;
    let folder = places.claim(&scenario.name)?;
    let optical = OpticalFolder {
        path: options.optical_path(&folder),
        force: options.force,
    };
    let (fleet, ledger) = Ledger::open(folder, places.pcap, scenario, fleet)?;
    let mut driver = Driver::new(scenario, fleet, (ports, listeners), ledger)?;
    driver.attach(&optical, options)?;
    let interrupted = driver.work(options, progress)?;
    let report = driver.conclude(interrupted)?;
    run::write_summary(&report)?;
    run::write_manifest(&report, loaded)?;
    Ok(report)
}

/// Something that has arrived at a socket.
struct Arrival<'o> {
    side: Side,
    channel: Channel,
    source: SocketAddrV4,
    destination: SocketAddrV4,
    octets: &'o [u8],
    /// Whether there was more.
    truncated: bool,
}

/// Everything that takes part in a live run.
struct Driver<'a> {
    scenario: &'a Scenario,
    live: &'a Live,
    fleet: Arc<Fleet>,
    /// By number; those of the other side are absent.
    domains: Vec<Option<FleetDomain>>,
    ports: Vec<Port>,
    /// By side, in the order of the listeners.
    streams: Vec<(Side, PortFigures)>,
    connections: Connections,
    map: PortMap,
    epoll: Epoll,
    limiter: Limiter,
    outbox: Outbox,
    optical: OpticalPorts,
    ledger: Ledger,
    clock: Clock,
    /// No event before this time is left.
    reached: Time,
    /// The end of the last time bin.
    bin_end: Time,
    /// Datagrams that have become events.
    arrivals: u32,
    figures: Figures,
    /// Lag since progress was shown last.
    recent: Lag,
    buffer: Vec<u8>,
}

impl<'a> Driver<'a> {
    fn new(
        scenario: &'a Scenario,
        fleet: Arc<Fleet>,
        (ports, listeners): (Vec<Port>, Vec<(Listener, PortFigures)>),
        mut ledger: Ledger,
    ) -> Result<Self, RunError> {
        let live = &scenario.live;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(sockets)?;
        for (index, port) in (0..).zip(&ports) {
            let event = EpollEvent::new(EpollFlags::EPOLLIN, index);
            epoll.add(&port.socket, event).map_err(sockets)?;
        }
        let streams = listeners.iter();
        let streams = streams.map(|(listener, figures)| (listener.side, figures.clone()));
        let streams = streams.collect();
        let listeners = listeners.into_iter().map(|(listener, _)| listener);
        let connections = Connections::new(listeners.collect(), &live.limits, &epoll);
        let mut domains: Vec<_> = (0..fleet.domains()).map(|_| None).collect();
        for index in plan::domains(&fleet, live.role) {
            domains[index] = Some(FleetDomain::new(&fleet, index));
        }
        if live.role == Role::Headend {
            ledger.expect_strangers();
        }
        // Building a large fleet has taken a moment.
        let origin = plan::now(&fleet)?;
        Ok(Self {
            scenario,
            live,
            domains,
            streams,
            connections: connections.map_err(LiveError::Sockets)?,
            map: PortMap::new(live),
            epoll,
            limiter: Limiter::new(live.limits.per_source, live.limits.total),
            outbox: Outbox::default(),
            optical: OpticalPorts::default(),
            ledger,
            clock: Clock::start(origin, live.pace),
            reached: fleet.begin,
            bin_end: fleet.begin,
            arrivals: 0,
            figures: Figures::new(
                Sides {
                    meters: live.role != Role::Headend,
                    headend: live.role != Role::Meters,
                },
                live.pace,
            ),
            recent: Lag::default(),
            buffer: vec![0; DATAGRAM_MAX],
            ports,
            fleet,
        })
    }

    /// Opens the optical ports of meters.
    fn attach(&mut self, folder: &OpticalFolder, options: &LiveOptions) -> Result<(), LiveError> {
        let plan = &self.live.optical;
        self.optical = OpticalPorts::open(&self.fleet, plan, folder, &self.epoll)?;
        if let Some(announce) = options.announce.filter(|_| !self.optical.is_empty()) {
            announce(&folder.path, self.optical.len());
        }
        Ok(())
    }

    /// Works until the end of the scenario or a signal; returns whether it was a signal.
    fn work(
        &mut self,
        options: &LiveOptions,
        mut progress: impl FnMut(&LiveProgress),
    ) -> Result<bool, RunError> {
        let end = Time(self.fleet.duration.as_nanos());
        let mut collected = WallDuration::ZERO;
        loop {
            let interrupted = options.interrupt.load(Ordering::Relaxed);
            if interrupted || self.clock.now() >= end {
                self.wind_down()?;
                return Ok(interrupted);
            }
            self.advance()?;
            if self.clock.elapsed().saturating_sub(collected) >= COLLECT {
                collected = self.clock.elapsed();
                self.connections.sweep(&self.epoll, collected);
                self.settle_streams();
                self.collect()?;
                progress(&self.progress(end));
                self.recent.clear();
            }
            self.wait()?;
        }
    }

    /// Handles everything that is due, and sends what is.
    fn advance(&mut self) -> Result<(), RunError> {
        let due = Time(self.clock.now().as_nanos() + 1).max(self.reached);
        self.reached = due;
        let mut desk = Desk {
            clock: &self.clock,
            outbox: &mut self.outbox,
            lags: [&mut self.figures.lag, &mut self.recent],
        };
        for domain in self.domains.iter_mut().flatten() {
            let Ok(()) = domain.world_mut().run(due, &mut desk);
        }
        self.optical.advance(due, &mut self.domains, &mut desk)?;
        while let Some((_, datagram)) = self.outbox.take(self.clock.now()) {
            self.transmit(datagram);
        }
        let overflows = self.outbox.take_overflows();
        if overflows > 0 {
            *self.figures.unsent.entry("outbox_full").or_default() += overflows;
        }
        Ok(())
    }

    /// Waits for a datagram, or for the next thing that is due, and takes datagrams in.
    fn wait(&mut self) -> Result<(), RunError> {
        let domains = self.domains.iter_mut().flatten();
        let events = domains.filter_map(|domain| domain.world_mut().next_time());
        let due = events.chain(self.outbox.next_time());
        let due = due.chain(self.optical.next_time(self.reached)).min();
        let wait = due.map_or(DOZE, |due| self.clock.wait(due)).min(DOZE);
        // The kernel counts milliseconds: rather late than busy.
        let millis = wait.as_nanos().div_ceil(1_000_000) as u16;
        let mut ready = [EpollEvent::empty(); READY];
        let count = match self.epoll.wait(&mut ready, EpollTimeout::from(millis)) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(sockets(error)),
        };
        for event in &ready[..count] {
            match event.data() {
                token if self.optical.note(token) => {}
                stream if stream >= connections::LISTENERS => self.stream_ready(stream),
                port => self.receive(port as usize)?,
            }
        }
        Ok(())
    }

    /// Takes datagrams from the port with this number.
    fn receive(&mut self, index: usize) -> Result<(), RunError> {
        for _ in 0..BATCH {
            let port = &mut self.ports[index];
            let received = port.socket.receive(&mut self.buffer);
            let Some(received) = received.map_err(LiveError::Sockets)? else {
                return Ok(());
            };
            let (side, channel) = (port.side, port.channel);
            port.figures.received += 1;
            port.figures.received_octets += received.len as u64;
            port.figures.kernel_drops += received.dropped;

            let there = SocketAddrV4::new(received.destination, self.port_of(channel));
            let buffer = std::mem::take(&mut self.buffer);
            let arrival = Arrival {
                side,
                channel,
                source: received.source,
                destination: there,
                octets: &buffer[..received.len],
                truncated: received.truncated,
            };
            let admitted = self.take_in(&arrival);
            self.buffer = buffer;
            if admitted && channel == Channel::C1222 {
                let (local, remote) = (received.destination, received.source);
                self.connections.spoken_by_datagram(local, remote);
            }
        }
        Ok(())
    }

    /// Hands what has arrived at a socket to the node that it is for; returns whether it does.
    fn take_in(&mut self, arrival: &Arrival<'_>) -> bool {
        let &Arrival {
            side,
            channel,
            source,
            destination,
            octets,
            truncated,
        } = arrival;
        let addressee = ports::addressee(&self.fleet, side, *destination.ip());
        let exempt = self.lobby().is_exempt(side, *source.ip());
        let now = self.clock.elapsed();
        let admitted = self.limiter.admit(*source.ip(), exempt, now);
        let refusal = match (addressee, admitted) {
            (_, Err(cause)) => Some(cause),
            (None, _) => Some("unroutable"),
            _ if truncated => Some("too_long"),
            // RFC 6142 §2.1; nothing could be answered either.
            _ if source.port() == 0 => Some("port_zero"),
            _ => None,
        };
        if let Some(cause) = refusal {
            self.refuse(addressee, cause);
            return false;
        }
        let Some(addressee) = addressee else {
            return false;
        };
        self.observe((source, destination), channel, side, octets, true);
        let port = match (side, channel) {
            // A meter tells what it has received by the ports, and has one PAA only.
            (Side::Meters, Channel::Pana) => ports::canonical(channel),
            _ => self.map.translate(channel, source.port()),
        };
        let datagram = Datagram {
            source: SocketAddrV4::new(*source.ip(), port),
            destination: SocketAddrV4::new(*destination.ip(), ports::canonical(channel)),
            sent: self.clock.now(),
            octets: octets.to_vec(),
            label: 0,
        };
        self.deliver(addressee, &datagram);
        true
    }

    /// Makes `datagram` an event of now.
    fn deliver(&mut self, addressee: Addressee, datagram: &Datagram) {
        let key = EventKey {
            time: datagram.sent.max(self.reached),
            phase: Kind::Arrive.phase(),
            target: addressee.target,
            // Nobody of the fleet has posted it.
            source: u32::MAX,
            sequence: self.arrivals,
        };
        self.arrivals = self.arrivals.wrapping_add(1);
        if let Some(domain) = &mut self.domains[addressee.domain] {
            domain.world_mut().deliver(key, datagram);
        }
    }

    /// Counts what no node gets to see.
    fn refuse(&mut self, addressee: Option<Addressee>, cause: &'static str) {
        *self.figures.refused.entry(cause).or_default() += 1;
        let Some(addressee) = addressee else {
            return;
        };
        if let Some(domain) = &mut self.domains[addressee.domain] {
            let telemetry = domain.world_mut().telemetry_mut();
            telemetry.reject(addressee.node, "socket", cause);
        }
    }

    /// Sends what a node has sent.
    fn transmit(&mut self, datagram: Datagram) {
        let (side, channel, to) = ports::route(&self.fleet, self.live, self.map, &datagram);
        let from = *datagram.source.ip();
        if channel == Channel::C1222
            && let Some(stream) = self.stream_for(side, from, to, &datagram.octets)
        {
            match stream {
                Ok(id) => {
                    let now = self.clock.elapsed();
                    self.connections.send(id, datagram.octets, &self.epoll, now);
                    self.settle_streams();
                }
                Err(cause) => *self.figures.unsent.entry(cause).or_default() += 1,
            }
            return;
        }
        let mut ports = self.ports.iter_mut();
        let port = ports.find(|port| port.side == side && port.channel == channel);
        let Some(port) = port else {
            *self.figures.unsent.entry("no_port").or_default() += 1;
            return;
        };
        match port.socket.send(from, to, &datagram.octets) {
            Ok(()) => {
                port.figures.sent += 1;
                port.figures.sent_octets += datagram.octets.len() as u64;
                let here = SocketAddrV4::new(from, self.port_of(channel));
                self.observe((here, to), channel, side, &datagram.octets, false);
            }
            Err(error) => {
                let cause = unsent_cause(&error);
                *self.figures.unsent.entry(cause).or_default() += 1;
            }
        }
    }

    const fn port_of(&self, channel: Channel) -> u16 {
        match channel {
            Channel::Pana => self.live.pana_port,
            Channel::C1222 => self.live.c1222_port,
        }
    }

    /// Captures a datagram at a socket, once: where both ends are here, where it is sent.
    fn observe(
        &mut self,
        (source, destination): (SocketAddrV4, SocketAddrV4),
        channel: Channel,
        side: Side,
        octets: &[u8],
        inbound: bool,
    ) {
        let Some(plan) = &self.fleet.capture else {
            return;
        };
        let fleet = &self.fleet;
        let is_ours = |address| match side {
            Side::Headend(_) => fleet.meter_of_address(address).is_some(),
            Side::Meters => fleet.instance_of_address(address).is_some(),
        };
        let both = self.live.role == Role::Both;
        if inbound && both && is_ours(*source.ip()) && source.port() == self.port_of(channel) {
            return;
        }
        let upward = inbound == matches!(side, Side::Headend(_));
        let direction = if upward {
            Direction::Up
        } else {
            Direction::Down
        };
        let meter = if upward {
            source.ip()
        } else {
            destination.ip()
        };
        let meter = fleet.meter_of_address(*meter);
        let candidate = Candidate {
            time: self.clock.now(),
            link: meter.map(|meter| fleet.access_of(meter)),
            meter,
            direction,
            kind: MessageType::classify(ports::canonical(channel), octets),
            sockets: (source, destination),
            octets,
            label: 0,
            fate: Fate::Sent,
            passage: None,
        };
        if plan.selects(fleet, &candidate) {
            let mut captured = candidate.captured(None);
            // It was seen at the socket, not on the link of the model.
            captured.link = None;
            if let Some(domain) = self.domains.iter_mut().flatten().next() {
                domain.world_mut().telemetry_mut().captured.push(captured);
            }
        }
    }

    /// Writes down what the domains have observed.
    fn collect(&mut self) -> Result<(), RunError> {
        let now = self.reached;
        let bins = self.scenario.record.bins.as_nanos();
        let last = Time(now.as_nanos() / bins * bins);
        let bin_ends = last > self.bin_end;
        if bin_ends {
            self.bin_end = last;
        }
        let mut domains: Vec<_> = self.domains.iter_mut().flatten().collect();
        self.ledger.collect(&mut domains, now, bin_ends)
    }

    fn sum(&self, figure: impl Fn(&PortFigures) -> u64) -> u64 {
        let ports = self.ports.iter().map(|port| &port.figures);
        let streams = self.streams.iter().map(|(_, figures)| figures);
        ports.chain(streams).map(figure).sum()
    }

    fn progress(&self, end: Time) -> LiveProgress {
        let since_begin = |time: Time| Time::ZERO + time.saturating_since(self.fleet.begin);
        let figures = &self.figures;
        let refused: u64 = figures.refused.values().sum();
        LiveProgress {
            time: since_begin(self.reached),
            end: since_begin(end),
            events: figures.lag.events(),
            received: self.sum(|port| port.received),
            sent: self.sum(|port| port.sent),
            refused: refused + self.sum(|port| port.kernel_drops),
            lag_p99_s: self.recent.quantile_s(990),
            lag_max_s: self.recent.max().as_nanos() as f64 / 1e9,
        }
    }

    /// Completes everything that was written down.
    fn conclude(mut self, interrupted: bool) -> Result<Report, RunError> {
        self.close_sockets()?;
        let now = self.reached;
        let mut desk = Desk {
            clock: &self.clock,
            outbox: &mut self.outbox,
            lags: [&mut self.figures.lag, &mut self.recent],
        };
        let visits = self.optical.close(now, &mut self.domains, &mut desk);
        self.figures.optical = visits;
        let mut domains: Vec<_> = self.domains.iter_mut().flatten().collect();
        self.ledger.collect(&mut domains, now, true)?;
        let mut account = self.ledger.close(&mut domains, now)?.judge(self.scenario)?;
        account
            .verdicts
            .retain(|verdict| is_known(self.live.role, verdict));
        self.figures.waiting = domains
            .iter_mut()
            .map(|domain| domain.world_mut().in_flight() as u64)
            .sum();
        let ports = self.ports.into_iter().map(|port| port.figures);
        let streams = self.streams.into_iter().map(|(_, figures)| figures);
        self.figures.ports = ports.chain(streams.filter(PortFigures::is_used)).collect();
        self.figures.connections = self.connections.figures;
        let Account {
            folder,
            counts,
            capture,
            summary,
            verdicts,
        } = account;
        Ok(Report {
            name: self.scenario.name.clone(),
            folder,
            reached: Time::ZERO + now.saturating_since(self.fleet.begin),
            interrupted,
            digest: Digest::default(),
            benign_digest: Digest::default(),
            events: self.figures.lag.events(),
            windows: 0,
            threads: 1,
            wall: self.clock.elapsed(),
            counts,
            capture,
            attackers: Vec::new(),
            taps: self
                .scenario
                .taps
                .iter()
                .map(|tap| tap.name.clone())
                .collect(),
            summary,
            verdicts,
            live: Some(self.figures),
        })
    }
}

/// Whether a process that plays `role` knows what the expectation of `verdict` is about.
///
/// Intervals end by the calendar, so even with both sides there may be nothing to judge.
fn is_known(role: Role, verdict: &Verdict) -> bool {
    let metric = verdict.expectation.metric();
    let elsewhere = match role {
        Role::Both => false,
        // Whether a read was delivered is known at the head-end, whether it was due at the meter.
        Role::Meters => metric.starts_with("reads."),
        Role::Headend => metric.starts_with("meters."),
    };
    verdict.measured.is_some() && !elsewhere
}

fn sockets(error: Errno) -> RunError {
    LiveError::Sockets(error.into()).into()
}

/// Why the kernel has not taken a datagram.
fn unsent_cause(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::WouldBlock => "buffer_full",
        ErrorKind::PermissionDenied => "not_permitted",
        ErrorKind::AddrNotAvailable | ErrorKind::InvalidInput => "no_address",
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => "unreachable",
        _ => "failed",
    }
}
