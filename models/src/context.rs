//! What an event handler works with besides its own components.

use core::net::SocketAddrV4;

use firmware::c1222::apdu::Apdu;

use crate::attack::{Attackers, Place, Seen};
use crate::capture::{Candidate, Fate};
use crate::concentrator::message_range;
use crate::datagram::{C1222_PORT, Datagram, Handle, MessageType, Pool};
use crate::event::{Agenda, Event};
use crate::fleet::Fleet;
use crate::link::{Direction, Lane, Transit};
use crate::telemetry::{AttackTraffic, MessageRecord, Telemetry, TrafficCount};
use crate::time::Time;

/// Octets of the longest datagram that protocol code emits.
pub const DATAGRAM_MAX: usize = 2_048;

/// What happens in an event. The numbers order events of one instant before their targets do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A meter gets power.
    PowerOn,
    /// A meter loses power.
    PowerOff,
    /// A meter's firmware starts; the payload is the power cycle.
    Boot,
    /// A meter is told to re-authenticate, or an instance to re-authenticate a meter; then the
    /// payload is its rank.
    Reauthenticate,
    /// An instance goes down; the payload says whether it loses its sessions.
    InstanceDown,
    /// An instance comes back.
    InstanceUp,
    /// A datagram arrives; the payload is its handle.
    Arrive,
    /// A processor or core falls free and datagrams wait for it.
    Ready,
    /// An alarm of a meter rings.
    Alarm,
    /// A session alarm of an instance rings; the payload is the session.
    SessionAlarm,
    /// A subscriber alarm of an instance rings; the payload is the subscriber.
    SubscriberAlarm,
    /// An interval is over; the payload is its number.
    Interval,
    /// A meter hands a datagram to its shared medium; the payload is the handle.
    Offer,
    /// A meter on a shared medium starts, stops or is admitted; the payload says which.
    Admit,
    /// Something is due on a shared medium.
    Medium,
    /// An attacker acts; the payload is its own.
    Attack,
    /// A forged datagram enters a shared medium at a station; the payload is its handle.
    Inject,
    /// A station of an attacker forwards what it has held; the payload names it.
    Release,
    /// A batch of orders to switches is given; the payload is its index in the plan.
    Order,
    /// Something is due for orders to switches.
    CommandAlarm,
    /// A modem asks its cell for access.
    Request,
    /// A cell has answered a modem; the payload says whether it has access.
    Access,
    /// A round of requests begins; the payload is the index of its plan.
    Round,
    /// A meter that limits demand looks at what is drawn.
    Measure,
    /// A household opts out of demand response; the payload is the event.
    OptOut,
    /// Something is due in the home area network of a meter.
    Home,
    /// A meter is told to end its session, or an instance to end that of a meter; then the
    /// payload is its rank.
    Terminate,
    /// Something is due at the optical port of a meter.
    Optical,
    /// Somebody opens a meter and reads out its memory; the payload is the attacker.
    Theft,
    /// The capacitor of a meter without mains is empty; the payload is the power cycle.
    Dark,
}

impl Kind {
    /// Every kind, in the order of their codes.
    pub const ALL: [Self; 30] = [
        Self::PowerOn,
        Self::PowerOff,
        Self::Boot,
        Self::Reauthenticate,
        Self::InstanceDown,
        Self::InstanceUp,
        Self::Arrive,
        Self::Ready,
        Self::Alarm,
        Self::SessionAlarm,
        Self::SubscriberAlarm,
        Self::Interval,
        Self::Offer,
        Self::Admit,
        Self::Medium,
        Self::Attack,
        Self::Inject,
        Self::Release,
        Self::Order,
        Self::CommandAlarm,
        Self::Request,
        Self::Access,
        Self::Round,
        Self::Measure,
        Self::OptOut,
        Self::Home,
        Self::Terminate,
        Self::Optical,
        Self::Theft,
        Self::Dark,
    ];

    /// The kind of an event.
    pub fn of(event: &Event) -> Option<Self> {
        Self::ALL.get(usize::from(event.kind)).copied()
    }

    /// Class of the events of this kind within an instant.
    pub const fn phase(self) -> u8 {
        match self {
            // What comes out of a medium arrives in the same instant.
            Self::Medium => Self::Arrive as u8 - 1,
            // A meter's datagrams and its admission take effect in the order of the meter.
            Self::Admit => Self::Offer as u8,
            kind => kind as u8,
        }
    }

    /// The name in error messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PowerOn => "power on",
            Self::PowerOff => "power off",
            Self::Dark => "dark",
            Self::Boot => "boot",
            Self::Reauthenticate => "re-authenticate",
            Self::Terminate => "terminate",
            Self::InstanceDown => "instance down",
            Self::InstanceUp => "instance up",
            Self::Arrive => "datagram arrives",
            Self::Ready => "processor ready",
            Self::Alarm => "meter alarm",
            Self::SessionAlarm => "session alarm",
            Self::SubscriberAlarm => "subscriber alarm",
            Self::Interval => "interval ends",
            Self::Offer => "datagram offered",
            Self::Admit => "meter admitted",
            Self::Medium => "medium due",
            Self::Attack => "attacker acts",
            Self::Inject => "forged datagram offered",
            Self::Release => "held datagram forwarded",
            Self::Order => "orders are given",
            Self::CommandAlarm => "command alarm",
            Self::Request => "access requested",
            Self::Access => "access answered",
            Self::Round => "requests fall due",
            Self::Measure => "demand looked at",
            Self::OptOut => "household opts out",
            Self::Home => "home area network due",
            Self::Optical => "optical port due",
            Self::Theft => "meter opened",
        }
    }
}

/// What the models need of the engine while they handle events.
pub trait Exchange {
    /// Why the engine stops a run.
    type Stop;
    /// Whether datagrams come from sockets, so that peers may be anywhere, at any port.
    const AT_SOCKETS: bool = false;

    /// Accounts for `event` before it is handled; `fingerprint` stands for what it carries.
    fn charge(&mut self, event: &Event, fingerprint: u64) -> Result<(), Self::Stop>;

    /// Sends a datagram, which becomes `event` in domain `to`; it is `now`.
    fn send(
        &mut self,
        now: Time,
        to: usize,
        event: Event,
        datagram: Datagram,
    ) -> Result<(), Self::Stop>;

    /// Sends a datagram at `departure` to an address that nobody in the fleet has; returns whether
    /// there is a way to get there.
    fn leave(&mut self, departure: Time, datagram: Datagram) -> bool {
        let _ = (departure, datagram);
        false
    }
}

/// The shared tools of all handlers of a domain, for the length of a window.
pub struct Context<'a, A, X: Exchange> {
    /// The plan.
    pub fleet: &'a Fleet,
    /// Index of this domain.
    pub domain: usize,
    /// Where future events go.
    pub agenda: &'a mut A,
    /// The engine.
    pub exchange: &'a mut X,
    /// Datagrams in flight.
    pub pool: &'a mut Pool,
    /// Attackers on the links of this domain.
    pub attackers: &'a mut Attackers,
    /// What is observed.
    pub telemetry: &'a mut Telemetry,
    /// Where protocol code emits datagrams to: [`DATAGRAM_MAX`] octets, lent out while in use.
    pub scratch: &'a mut Vec<u8>,
    /// Retransmissions and repeated answers that were handed to lanes.
    pub repetitions: u32,
    /// Set when the engine objects: the window ends after the present event.
    pub stop: Option<X::Stop>,
}

/// A datagram that a node hands to its lane.
pub struct Outgoing<'a> {
    /// The meter at one end of the link.
    pub meter: u32,
    /// Index of its link profile.
    pub link: usize,
    /// Index of its cohort.
    pub cohort: usize,
    /// Which way.
    pub direction: Direction,
    /// Whether the meter's messages are recorded one by one.
    pub sampled: bool,
    /// From where.
    pub source: SocketAddrV4,
    /// To where.
    pub destination: SocketAddrV4,
    /// UDP payload.
    pub octets: &'a [u8],
    /// Ground truth: see [`Datagram::label`].
    pub label: u64,
    /// Whether it repeats an earlier datagram.
    pub retransmission: bool,
    /// When it leaves the node.
    pub departure: Time,
    /// When its author sent it, the same unless a concentrator forwards it.
    pub sent: Time,
    /// Domain of the receiver.
    pub domain: usize,
    /// Entity of the receiver.
    pub target: u32,
    /// Entity of the sender.
    pub sender: u32,
}

/// What became of a datagram at its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The protocol code took it.
    Accepted,
    /// The protocol code sent its last answer once more and changed nothing (RFC 5191 §5.2).
    Repeated,
    /// The protocol code discarded it.
    Rejected(&'static str),
    /// It never came to the protocol code.
    Ignored(&'static str),
}

impl Verdict {
    /// The verdict of protocol code that has returned `result`, and has `repeated` an answer.
    pub fn of(result: Result<(), firmware::Reject>, repeated: bool) -> Self {
        match result {
            Ok(()) if repeated => Self::Repeated,
            Ok(()) => Self::Accepted,
            Err(reject) => Self::Rejected(reject.name()),
        }
    }
}

impl<A: Agenda, X: Exchange> Context<'_, A, X> {
    /// Posts an event of `kind` for the entity `target` of this domain.
    pub fn post(&mut self, time: Time, kind: Kind, target: u32, sequence: &mut u32, payload: u32) {
        let event = event(time, kind, target, target, sequence, payload);
        self.agenda.post(event);
    }

    /// Hands a datagram to `lane`; the sender is at `now` and has posted `sequence` events.
    pub fn transmit(&mut self, lane: &mut Lane, out: &Outgoing<'_>, now: Time, sequence: &mut u32) {
        let profile = self.fleet.lane(out.link, out.direction, out.departure);
        self.repetitions = self.repetitions.wrapping_add(u32::from(out.retransmission));
        let frame = self.fleet.links[out.link]
            .medium
            .frame_octets(out.octets.len());
        let transit = lane.send(&profile, out.departure, frame);

        let port = match out.direction {
            // Whoever asks may have any port.
            Direction::Up if X::AT_SOCKETS => out.source.port(),
            Direction::Up => out.destination.port(),
            Direction::Down => out.source.port(),
        };
        let kind = MessageType::classify(port, out.octets);
        let count = self.traffic_mut(out.link, out.direction, kind, out.label);
        count.frames += 1;
        count.octets += frame as u64;
        count.payload_octets += out.octets.len() as u64;
        count.retransmissions += u64::from(out.retransmission);
        match transit {
            Transit::Delivered(_) => {}
            Transit::Lost => count.lost += 1,
            Transit::QueueFull => count.queue_full += 1,
        }
        self.observe_by_taps((out.link, out.cohort), 1, frame as u64);
        if !self.attackers.is_empty() {
            self.transmit_past_attackers(out, kind, transit, now, sequence);
            return;
        }

        match transit {
            Transit::Delivered(arrival) => {
                self.capture_on_lane(out, kind, Fate::Sent);
                self.deliver(out, arrival, now, sequence);
            }
            Transit::Lost => self.lose(out, kind, "lost"),
            Transit::QueueFull => self.lose(out, kind, "queue_full"),
        }
    }

    /// The counter for a datagram on a link, whose label says whether an attacker made it.
    pub fn traffic_mut(
        &mut self,
        link: usize,
        direction: Direction,
        kind: MessageType,
        label: u64,
    ) -> &mut TrafficCount {
        match self.attackers.forger(label) {
            Some(attacker) => self.attackers.traffic_mut(AttackTraffic {
                attacker,
                link: Some(link),
                direction,
                kind,
            }),
            None => self.telemetry.traffic_mut(link, direction, kind),
        }
    }

    /// Lets attackers see the datagram and do to it what they can.
    fn transmit_past_attackers(
        &mut self,
        out: &Outgoing<'_>,
        kind: MessageType,
        transit: Transit,
        now: Time,
        sequence: &mut u32,
    ) {
        let port = match out.direction {
            Direction::Up => out.destination.port(),
            Direction::Down => out.source.port(),
        };
        let range = message_range(port, out.octets);
        let seen = Seen {
            place: Place::Access,
            label: out.label,
            meter: out.meter,
            direction: out.direction,
            kind: MessageType::classify(port, &out.octets[range.clone()]),
            source: out.source,
            destination: out.destination,
            departure: out.departure,
            octets: &out.octets[range.clone()],
            wire: out.octets,
        };
        self.attackers
            .overhear(&seen, self.fleet, self.agenda, self.pool);
        let arrival = match transit {
            Transit::Delivered(arrival) => arrival,
            Transit::Lost => return self.lose(out, kind, "lost"),
            Transit::QueueFull => return self.lose(out, kind, "queue_full"),
        };
        let fate = self
            .attackers
            .intercept(&seen, self.fleet, self.agenda, self.pool);
        if fate.dropped {
            self.traffic_mut(out.link, out.direction, kind, out.label)
                .lost += 1;
            self.capture_on_lane(out, kind, Fate::Ended("dropped"));
            self.record_message(out, kind, "lost");
            return;
        }
        let altered = fate.octets.map(|octets| {
            let mut wire = out.octets.to_vec();
            wire[range].copy_from_slice(&octets);
            wire
        });
        let out = Outgoing {
            octets: altered.as_deref().unwrap_or(out.octets),
            label: fate.label,
            ..*out
        };
        self.capture_on_lane(&out, kind, Fate::Sent);
        self.deliver(&out, arrival + fate.delay, now, sequence);
    }

    /// Ends a datagram that its link has lost.
    fn lose(&mut self, out: &Outgoing<'_>, kind: MessageType, cause: &'static str) {
        self.capture_on_lane(out, kind, Fate::Ended(cause));
        self.judge(out.label, Verdict::Ignored(cause), out.departure);
        self.record_message(out, kind, cause);
    }

    fn capture_on_lane(&mut self, out: &Outgoing<'_>, kind: MessageType, fate: Fate) {
        self.capture(|| Candidate {
            time: out.departure,
            link: Some(out.link),
            meter: Some(out.meter),
            direction: out.direction,
            kind,
            sockets: (out.source, out.destination),
            octets: out.octets,
            label: out.label,
            fate,
            passage: None,
        });
    }

    /// Captures the datagram that `candidate` describes, if the plan wants it.
    pub fn capture<'a>(&mut self, candidate: impl FnOnce() -> Candidate<'a>) {
        let Some(plan) = &self.fleet.capture else {
            return;
        };
        if plan.at_sockets.is_some() {
            return;
        }
        let candidate = candidate();
        if plan.selects(self.fleet, &candidate) {
            let attacker = self.attackers.author(candidate.label);
            self.telemetry.captured.push(candidate.captured(attacker));
        }
    }

    /// Sends a datagram from an instance to an attacker, if one is at `destination`.
    pub fn reach_attacker(
        &mut self,
        sockets: (SocketAddrV4, SocketAddrV4),
        octets: &[u8],
        departure: Time,
    ) -> bool {
        let (attackers, agenda) = (&mut *self.attackers, &mut *self.agenda);
        attackers.reach(sockets, octets, departure, self.fleet, agenda, self.pool)
    }

    /// Sends a datagram to an address that nobody in the fleet has, if there is a way.
    pub fn leave(
        &mut self,
        (source, destination): (SocketAddrV4, SocketAddrV4),
        octets: &[u8],
        departure: Time,
    ) -> bool {
        let datagram = Datagram {
            source,
            destination,
            sent: departure,
            octets: octets.to_vec(),
            label: 0,
        };
        self.exchange.leave(departure, datagram)
    }

    /// Tells the attacker, if the datagram with `label` is of one, what its receiver made of it.
    pub fn judge(&mut self, label: u64, verdict: Verdict, now: Time) {
        if label != 0 {
            let (outcome, cause) = match verdict {
                Verdict::Accepted => ("accepted", None),
                Verdict::Repeated => ("repeated", None),
                Verdict::Rejected(cause) => ("rejected", Some(cause)),
                Verdict::Ignored(cause) => ("ignored", Some(cause)),
            };
            self.attackers.judge(label, outcome, cause, now);
        }
    }

    fn deliver(&mut self, out: &Outgoing<'_>, arrival: Time, now: Time, sequence: &mut u32) {
        let mut event = event(arrival, Kind::Arrive, out.target, out.sender, sequence, 0);
        if out.domain == self.domain {
            let handle = self
                .pool
                .insert(out.source, out.destination, out.sent, out.octets);
            self.pool.get_mut(handle).label = out.label;
            event.payload = handle.0;
            self.agenda.post(event);
            return;
        }
        let datagram = Datagram {
            source: out.source,
            destination: out.destination,
            sent: out.sent,
            octets: out.octets.to_vec(),
            label: out.label,
        };
        if let Err(stop) = self.exchange.send(now, out.domain, event, datagram) {
            self.stop = Some(stop);
        }
    }

    /// Taps listen: they count, and touch nothing else.
    pub fn observe_by_taps(&mut self, (link, cohort): (usize, usize), frames: u64, octets: u64) {
        if self.fleet.taps.is_empty() {
            return;
        }
        self.telemetry.taps.resize(self.fleet.taps.len(), (0, 0));
        for (tap, seen) in self.fleet.taps.iter().zip(&mut self.telemetry.taps) {
            let listens = tap.link.is_none_or(|tapped| tapped == link)
                && tap.cohort.is_none_or(|tapped| tapped == cohort);
            if listens {
                seen.0 += frames;
                seen.1 += octets;
            }
        }
    }

    /// Records an application message that was dropped by its sender's lane.
    fn record_message(&mut self, out: &Outgoing<'_>, kind: MessageType, outcome: &'static str) {
        let application = kind.is_application();
        if !out.sampled || !application {
            return;
        }
        self.telemetry.messages.push(message_record(
            out.meter,
            out.direction,
            (kind, out.octets),
            (out.sent, out.departure),
            outcome,
        ));
    }
}

/// The record of the application message `octets` of the given type.
pub fn message_record(
    meter: u32,
    direction: Direction,
    (kind, octets): (MessageType, &[u8]),
    (sent, end): (Time, Time),
    outcome: &'static str,
) -> MessageRecord {
    let apdu = Apdu::parse(octets).ok();
    MessageRecord {
        meter,
        direction,
        kind,
        sent,
        end,
        octets: octets.len() as u32,
        mode: apdu.as_ref().map(|apdu| apdu.control().mode()),
        key_id: apdu
            .and_then(|apdu| apdu.header().authentication)
            .map(|authentication| authentication.key_id()),
        outcome,
    }
}

/// An event of `kind`, numbered by its source.
pub fn event(
    time: Time,
    kind: Kind,
    target: u32,
    source: u32,
    sequence: &mut u32,
    payload: u32,
) -> Event {
    let event = Event {
        time,
        target,
        source,
        sequence: *sequence,
        phase: kind.phase(),
        kind: kind as u8,
        payload,
    };
    *sequence = sequence.wrapping_add(1);
    event
}

/// A fingerprint of a datagram: equal for equal octets from and to equal sockets.
pub fn fingerprint(datagram: &Datagram) -> u64 {
    let socket = |address: &SocketAddrV4| {
        u64::from(address.ip().to_bits()) << 16 | u64::from(address.port())
    };
    let mut hash = crate::rng::mix(socket(&datagram.source) ^ datagram.octets.len() as u64);
    hash = crate::rng::mix(hash ^ socket(&datagram.destination));
    let (words, rest) = datagram.octets.as_chunks();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let last = (!rest.is_empty()).then_some(&last);
    for word in words.iter().chain(last) {
        // A multiply-rotate step per word: enough to tell runs apart, at a nanosecond each.
        hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        hash ^= hash >> 29;
    }
    hash
}

/// Whether a socket is the C12.22 port.
pub const fn is_c1222(port: u16) -> bool {
    port == C1222_PORT
}

/// Shorthand for the handle in an event's payload.
pub const fn handle(event: &Event) -> Handle {
    Handle(event.payload)
}
