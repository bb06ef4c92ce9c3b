//! A meter with somebody at its port, and an observer who accounts for every octet on the line.

use super::*;

/// Every table that the meter may have, pending images of the writable ones included.
const TABLES: [core::ops::RangeInclusive<u16>; 3] = [0..=86, 0x0800..=0x0807, 0x1034..=0x1036];
/// The silence that ends a packet.
pub(super) const INTER_CHARACTER: Duration = Duration::from_millis(500);

/// What an observer of the line expects to be told of: every octet belongs to something.
#[derive(Debug, Default)]
struct Ledger {
    partial: Vec<u8>,
    skipping: bool,
    heard_at: Instant,
    noise: usize,
    answers: usize,
    packets: usize,
    too_long: usize,
    too_short: usize,
    /// Of these, packets in the middle of which the session ended: nobody asks for them again.
    abandoned: usize,
}

impl Ledger {
    fn note(&mut self, octet: u8, size_max: u16, now: Instant) {
        self.heard_at = now;
        if self.skipping {
            return;
        }
        if self.partial.is_empty() && octet != START {
            if matches!(octet, ACK | NAK) {
                self.answers += 1;
            } else {
                self.noise += 1;
            }
            return;
        }
        self.partial.push(octet);
        if let [_, _, _, _, high, low, ..] = self.partial[..] {
            let len = usize::from(u16::from_be_bytes([high, low])) + 8;
            self.skipping = len > usize::from(size_max);
            self.packets += usize::from(len == self.partial.len());
            if self.skipping || len == self.partial.len() {
                self.partial.clear();
            }
        }
    }

    /// The session has ended.
    fn end(&mut self, now: Instant) {
        let busy = self.skipping || !self.partial.is_empty();
        self.abandoned += usize::from(busy && now < self.heard_at + INTER_CHARACTER);
        self.silence();
    }

    fn silence(&mut self) {
        self.too_long += usize::from(self.skipping);
        self.too_short += usize::from(!self.partial.is_empty());
        self.skipping = false;
        self.partial.clear();
    }
}

/// A meter that has measured for a while, somebody at its port, and an observer of the line.
pub(super) struct Port {
    pub(super) pair: Pair,
    ledger: Ledger,
    pub(super) events: Vec<ServerEvent>,
    pub(super) acks: usize,
    pub(super) naks: usize,
    /// Toggle of the next packet.
    pub(super) toggle: bool,
}

impl Port {
    pub(super) fn new() -> Self {
        let mut pair = Pair::new([7; 16]);
        let idle = Pair::new([7; 16]).meter;
        let meter = core::mem::replace(&mut pair.meter, idle);
        pair.meter = meter.with_metrology(Arc::new(metrology::Config::default()));
        pair.meter(|meter, utc, env| meter.energise(utc, env.now));
        let mut port = Self {
            pair,
            ledger: Ledger::default(),
            events: vec![],
            acks: 0,
            naks: 0,
            toggle: false,
        };
        for _ in 0..3 {
            port.wait(Duration::from_secs(900));
            port.pair.meter(|meter, utc, env| {
                let sample = Sample {
                    energy: Energy([500_000, 0, 20_000, 0]),
                    now: Instantaneous::default(),
                };
                meter.measure(&sample, utc, env.now);
            });
        }
        port
    }

    /// Hands octets to the meter one by one.
    pub(super) fn say(&mut self, octets: &[u8]) {
        for octet in octets {
            let size_max = self.pair.meter.optical_parameters().packet_size;
            self.ledger.note(*octet, size_max, self.pair.now);
            self.pair
                .meter(|meter, utc, env| meter.handle_optical(&[*octet], utc, env));
            self.hear();
        }
    }

    fn hear(&mut self) {
        while let Some(sent) = self.pair.meter.poll_optical(self.pair.now) {
            self.acks += usize::from(sent.octets == [ACK]);
            self.naks += usize::from(sent.octets == [NAK]);
        }
        while let Some(event) = self.pair.meter.poll_optical_event() {
            if matches!(event, ServerEvent::Ended(_)) {
                self.ledger.end(self.pair.now);
            }
            self.events.push(event);
        }
    }

    /// Lets time pass, with the meter acting on its deadlines.
    pub(super) fn wait(&mut self, pause: Duration) {
        let until = self.pair.now + pause;
        while let Some(next) = self.pair.meter.poll_timeout().filter(|at| *at <= until) {
            self.pair.now = self.pair.now.max(next);
            self.pair
                .meter(|meter, utc, env| meter.handle_timeout(utc, env));
            self.hear();
        }
        self.pair.now = until;
        if self.ledger.heard_at + INTER_CHARACTER <= until {
            self.ledger.silence();
        }
    }

    /// Lets time pass until the port has returned to its base state.
    pub(super) fn settle(&mut self) {
        self.wait(INTER_CHARACTER);
        while let Some(at) = self.pair.meter.poll_optical_timeout() {
            self.wait(at.saturating_since(self.pair.now));
        }
    }

    pub(super) fn packet(&mut self, data: &[u8]) -> Vec<u8> {
        let toggle = self.toggle;
        self.toggle = !toggle;
        sound(toggle, data)
    }

    /// Says a request and acknowledges its response.
    pub(super) fn ask(&mut self, request: &Line<'_>) {
        let packet = self.packet(&message(request));
        self.say(&packet);
        self.say(&[ACK]);
    }

    pub(super) fn tally(&self, cause: Cause) -> usize {
        let wanted = ServerEvent::Rejected(cause);
        self.events.iter().filter(|event| **event == wanted).count()
    }

    /// Whether a password has been accepted.
    pub(super) fn was_authorised(&self) -> bool {
        let accepted = |event: &ServerEvent| matches!(event, ServerEvent::PasswordAccepted(_));
        self.events.iter().any(accepted)
    }

    pub(super) fn wrong_passwords(&self) -> usize {
        let refused = |event: &&ServerEvent| **event == ServerEvent::PasswordRefused;
        self.events.iter().filter(refused).count()
    }

    /// Until when no password is accepted, if that is in the future.
    fn locked_until(&self) -> Option<Instant> {
        let until = |event: &ServerEvent| match event {
            ServerEvent::LockedOut(until) => Some(*until),
            _ => None,
        };
        let latest = self.events.iter().filter_map(until).max();
        latest.filter(|until| *until > self.pair.now)
    }

    /// Every octet is part of a packet that was acknowledged, or was discarded for a counted cause.
    pub(super) fn assert_accounted(&self) -> Result<(), TestCaseError> {
        let ledger = &self.ledger;
        prop_assert_eq!(self.tally(Cause::Noise), ledger.noise);
        prop_assert_eq!(self.tally(Cause::Length), ledger.too_long);
        prop_assert_eq!(self.tally(Cause::InterCharacter), ledger.too_short);
        let damaged = [Cause::Crc, Cause::Control, Cause::Sequence].map(|cause| self.tally(cause));
        let refused = damaged.iter().sum::<usize>();
        let heard = self.acks + refused + self.tally(Cause::Identity);
        prop_assert_eq!(heard, ledger.packets);
        let incomplete = ledger.too_long + ledger.too_short - ledger.abandoned;
        prop_assert_eq!(self.naks, refused + incomplete);
        prop_assert!(self.tally(Cause::UnexpectedAnswer) <= ledger.answers);
        Ok(())
    }

    /// An honest session, after the lock-out if there is one: what it reads of every table.
    pub(super) fn read_honestly(&mut self) -> BTreeMap<u16, Vec<u8>> {
        if let Some(until) = self.locked_until() {
            let mut early = Technician::new();
            early.log_on(&mut self.pair);
            assert_eq!(early.ask(&mut self.pair, secured()), [8], "dlk");
            assert_eq!(early.ask(&mut self.pair, Request::Terminate), [0]);
            self.wait(until.saturating_since(self.pair.now));
        }
        // Whoever is compared with somebody else comes at the same time.
        let at = Instant::from_secs(3_600);
        assert!(self.pair.now < at, "no disturbance lasts that long");
        self.wait(at.saturating_since(self.pair.now));
        let mut honest = Technician::new();
        honest.ask(&mut self.pair, Request::Identification);
        honest.negotiate(&mut self.pair);
        honest.log_on(&mut self.pair);
        assert_eq!(honest.ask(&mut self.pair, secured()), [0]);
        let numbers = TABLES.into_iter().flatten();
        let tables = numbers.map(|table| (table, honest.read(&mut self.pair, table)));
        let tables: BTreeMap<_, _> = tables.collect();
        assert_eq!(honest.ask(&mut self.pair, Request::Terminate), [0]);
        tables
    }
}

impl Technician {
    fn negotiate(&mut self, pair: &mut Pair) {
        let offer = Negotiate {
            packet_size: 512,
            packets: 255,
            bauds: &[6],
        };
        let request = Line::Negotiate(offer);
        self.client.request(&request, pair.now).unwrap();
        self.converse(pair);
        let response = ClientEvent::Response(vec![0, 2, 0, 255, 6]);
        assert_eq!(self.answers.pop(), Some(response));
    }
}

/// What a meter that nobody has touched shows.
pub(super) fn untouched() -> BTreeMap<u16, Vec<u8>> {
    Port::new().read_honestly()
}
