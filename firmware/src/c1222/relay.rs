//! A relay: forwards messages by their titles, without the keys of anybody.
//!
//! ```text
//! nodes <--- routes, by title ---> relay <--- one upstream ---> master relay or head-end
//! ```
//!
//! A node talks to its relay as if that were the head-end. What comes from below goes to a node
//! below if the relay knows a way, upstream otherwise; what comes from above goes below or nowhere,
//! so that relays in a tree cannot send anything in circles. Secured messages pass untouched: their
//! MAC covers both titles and is checked by the ends alone.
//!
//! Nothing that a node says proves where it is. A request from below is therefore remembered with
//! its address, and only a response to it, from above, makes that address the way to the title: who
//! lies about his title gets no response from a head-end that checks MACs. A way is kept for as
//! long as a registration in clear grants, or for [`Config::route_lifetime`], from the last response
//! on; the deregistration that a head-end confirms in clear ends it at once.
//!
//! The relay answers Identification, Resolve and Trace that are addressed to itself, in clear. To a
//! request from above that it cannot deliver it answers in clear, in its own name: `uat` if it has
//! never known the title, `netr` if it has. Registrations in clear that name no native address are
//! given that of the relay, with PROXY_SERVICE_USED, so that the master relay finds the node behind
//! it. A node without a title is not forwarded: no response would find it.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::acse::Header;
use super::apdu::{self, Apdu, base};
use super::aptitle::{ApTitle, NETWORK_ROOT, Title};
use super::epsem::{Control, Mode, ResponseControl, put_service};
use super::native::{self, NativeAddress, Transport};
use super::segment::Segment;
use super::service::{Identification, Register, Registered, Request, Response, ResponseCode};
use crate::crypto::Work;
use crate::time::{Duration, Instant, earlier};
use crate::wire::{Error, Writer};

/// Requests of one node that wait for their responses.
const ASKED_MAX: usize = 4;
/// How long a response is expected.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);
/// Messages that wait to be sent.
const OUTBOX_MAX: usize = 256;
/// Octets of what the relay says itself.
const OWN_MAX: usize = 256;

/// The rules of a relay.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Title of the relay.
    pub title: Title,
    /// Address of the relay, which registrations get.
    pub address: SocketAddr,
    /// Where everything goes that is for nobody below.
    pub upstream: SocketAddr,
    /// How long a way is kept after a response.
    pub route_lifetime: Duration,
    /// Nodes that it remembers at most.
    pub nodes_max: usize,
}

/// Why a message was not forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// Not an APDU or segment.
    Malformed(Error),
    /// It does not say who sends it, or for whom it is.
    NoTitle,
    /// The sender claims the title of the relay, or the message would go back where it came from.
    Loop,
    /// There is no way to the title, and there never was.
    UnknownTitle,
    /// There is no way to the title any more.
    Unreachable,
    /// It is addressed to the relay, which has no keys, and secured.
    Secured,
    /// No more nodes are remembered.
    NodesFull,
    /// Too many messages wait to be sent.
    OutboxFull,
}

impl Reject {
    /// The cause in snake case, for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::NoTitle => "no_title",
            Self::Loop => "loop",
            Self::UnknownTitle => "unknown_title",
            Self::Unreachable => "unreachable",
            Self::Secured => "secured",
            Self::NodesFull => "nodes_full",
            Self::OutboxFull => "outbox_full",
        }
    }
}

impl From<Error> for Reject {
    fn from(error: Error) -> Self {
        Self::Malformed(error)
    }
}

/// What the relay has counted (statistics codes 5 and 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages and segments that were forwarded.
    pub forwarded: u64,
    /// Messages and segments that were dropped.
    pub dropped: u64,
}

/// A request from below that waits for its response.
#[derive(Clone, Copy, Debug)]
struct Asked {
    invocation: u32,
    from: SocketAddr,
    deadline: Instant,
    /// Whether it withdraws a registration, in clear.
    leaves: bool,
}

/// What is known of a node.
#[derive(Clone, Debug, Default)]
struct Entry {
    /// The way to it and when that ends.
    route: Option<(SocketAddr, Instant)>,
    asked: VecDeque<Asked>,
}

/// A relay.
#[derive(Debug)]
pub struct Relay {
    config: Config,
    /// By absolute title.
    nodes: BTreeMap<Box<[u8]>, Entry>,
    outbox: VecDeque<(SocketAddr, Vec<u8>)>,
    invocation: u32,
    counts: Counts,
}

impl Relay {
    /// A relay that knows nobody.
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            nodes: BTreeMap::new(),
            outbox: VecDeque::new(),
            invocation: 0,
            counts: Counts {
                forwarded: 0,
                dropped: 0,
            },
        }
    }

    /// Takes a datagram from `source`: an APDU or a segment of one.
    ///
    /// # Errors
    ///
    /// It is not forwarded; an error may wait to be sent back.
    pub fn handle_datagram(
        &mut self,
        source: SocketAddr,
        octets: &[u8],
        now: Instant,
    ) -> Result<(), Reject> {
        let result = self.forward(source, octets, now);
        match result {
            Ok(()) => self.counts.forwarded += 1,
            Err(_) => self.counts.dropped += 1,
        }
        result
    }

    /// Copies the next datagram to `out`; returns where it goes and its length.
    pub fn poll_transmit(&mut self, out: &mut [u8]) -> Option<(SocketAddr, usize)> {
        while let Some((destination, octets)) = self.outbox.pop_front() {
            if let Some(out) = out.get_mut(..octets.len()) {
                out.copy_from_slice(&octets);
                return Some((destination, octets.len()));
            }
            self.counts.dropped += 1;
        }
        None
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to forget.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deadlines = self.nodes.values().map(|entry| {
            let asked = entry.asked.iter().map(|asked| asked.deadline).min();
            earlier(entry.route.map(|(_, end)| end), asked)
        });
        deadlines.fold(None, earlier)
    }

    /// Forgets ways whose time is over and requests whose responses did not come.
    ///
    /// A title stays known after its way has ended, until its place is needed.
    pub fn handle_timeout(&mut self, now: Instant) {
        for entry in self.nodes.values_mut() {
            entry.asked.retain(|asked| now < asked.deadline);
            entry.route = entry.route.filter(|(_, end)| now < *end);
        }
    }

    /// The way to a title, if there is one.
    pub fn route(&self, title: ApTitle<'_>, now: Instant) -> Option<SocketAddr> {
        let entry = self.nodes.get(&key(title, &NETWORK_ROOT)?)?;
        entry.route.filter(|(_, end)| now < *end).map(|(to, _)| to)
    }

    /// What has been counted.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Ways that are open at `now`.
    pub fn routes(&self, now: Instant) -> usize {
        let open = |entry: &&Entry| entry.route.is_some_and(|(_, end)| now < end);
        self.nodes.values().filter(open).count()
    }

    fn forward(&mut self, source: SocketAddr, octets: &[u8], now: Instant) -> Result<(), Reject> {
        let from_above = source == self.config.upstream;
        if let Some(segment) = Segment::parse(octets)? {
            let header = segment.header;
            return if from_above {
                // Responses and requests alike: A4 is inside the chunks.
                let destination = self.below(&header, now)?;
                self.send(destination, octets.into())
            } else {
                let destination = self.onward(source, &header, now)?;
                self.remember(source, &header, false, now)?;
                self.send(destination, octets.into())
            };
        }
        let apdu = Apdu::parse(octets)?;
        let header = *apdu.header();
        if self.is_own(&header) {
            return self.serve(source, &apdu, now);
        }
        if from_above {
            return self.down(octets, &apdu, now);
        }
        let destination = self.onward(source, &header, now)?;
        let answered = apdu.control().response() != ResponseControl::Never;
        if header.called_invocation.is_none() && answered {
            self.remember(source, &header, leaves(&apdu), now)?;
        }
        let proxied = self.proxied(&apdu)?;
        self.send(destination, proxied.unwrap_or_else(|| octets.into()))
    }

    /// Where a message from below goes: to another node below, or upstream.
    fn onward(
        &self,
        source: SocketAddr,
        header: &Header<'_>,
        now: Instant,
    ) -> Result<SocketAddr, Reject> {
        let calling = header.calling.ok_or(Reject::NoTitle)?;
        if key(calling, base(header)) == key(self.config.title.get(), &NETWORK_ROOT) {
            return Err(Reject::Loop);
        }
        let below = header.called.and_then(|called| key(called, base(header)));
        let below = below.and_then(|key| self.nodes.get(&key)?.route);
        match below.filter(|(_, end)| now < *end) {
            Some((to, _)) if to == source => Err(Reject::Loop),
            Some((to, _)) => Ok(to),
            None => Ok(self.config.upstream),
        }
    }

    /// Remembers who asks, until the response proves where he is.
    fn remember(
        &mut self,
        source: SocketAddr,
        header: &Header<'_>,
        leaves: bool,
        now: Instant,
    ) -> Result<(), Reject> {
        let calling = header.calling.ok_or(Reject::NoTitle)?;
        let key = key(calling, base(header)).ok_or(Reject::NoTitle)?;
        if !self.nodes.contains_key(&key) && self.nodes.len() >= self.config.nodes_max {
            let idle = |entry: &Entry| entry.route.is_none() && entry.asked.is_empty();
            self.handle_timeout(now);
            self.nodes.retain(|_, entry| !idle(entry));
            if self.nodes.len() >= self.config.nodes_max {
                return Err(Reject::NodesFull);
            }
        }
        let asked = &mut self.nodes.entry(key).or_default().asked;
        let invocation = header.invocation;
        asked.retain(|asked| (asked.invocation, asked.from) != (invocation, source));
        if asked.len() == ASKED_MAX {
            asked.pop_front();
        }
        asked.push_back(Asked {
            invocation,
            from: source,
            deadline: now + RESPONSE_TIMEOUT,
            leaves,
        });
        Ok(())
    }

    /// The way to whom a message from above is for.
    fn below(&self, header: &Header<'_>, now: Instant) -> Result<SocketAddr, Reject> {
        let called = header.called.ok_or(Reject::NoTitle)?;
        let key = key(called, base(header)).ok_or(Reject::NoTitle)?;
        let entry = self.nodes.get(&key).ok_or(Reject::UnknownTitle)?;
        let open = entry.route.filter(|(_, end)| now < *end);
        // Segments of a first response come before any way is known.
        let newest = entry.asked.back().filter(|asked| now < asked.deadline);
        open.map(|(to, _)| to)
            .or(newest.map(|asked| asked.from))
            .ok_or(Reject::Unreachable)
    }

    /// Forwards a complete message from above.
    fn down(&mut self, octets: &[u8], apdu: &Apdu<'_, &[u8]>, now: Instant) -> Result<(), Reject> {
        let header = apdu.header();
        let called = header.called.ok_or(Reject::NoTitle)?;
        let key = key(called, base(header)).ok_or(Reject::NoTitle)?;
        let lifetime = self.config.route_lifetime;
        if let Some(invocation) = header.called_invocation
            && let Some(entry) = self.nodes.get_mut(&key)
        {
            let answered = |asked: &Asked| asked.invocation == invocation && now < asked.deadline;
            let at = entry.asked.iter().position(answered);
            let Some(asked) = at.and_then(|at| entry.asked.remove(at)) else {
                // Sent again, perhaps, because the first one was lost on its way to the node.
                let to = self.route_of(&key, now).ok_or(Reject::Unreachable)?;
                return self.send(to, octets.into());
            };
            let granted = granted(apdu).unwrap_or(lifetime);
            entry.route = Some((asked.from, now + granted));
            if asked.leaves && succeeds(apdu) {
                entry.route = None;
            }
            return self.send(asked.from, octets.into());
        }
        match self.below(header, now) {
            // A request may not reach who has only asked: nothing has proved where he is.
            Ok(to) if self.route_of(&key, now).is_some() => self.send(to, octets.into()),
            Ok(_) => self.refuse(apdu, Reject::Unreachable),
            Err(reject) => self.refuse(apdu, reject),
        }
    }

    fn route_of(&self, key: &[u8], now: Instant) -> Option<SocketAddr> {
        let entry = self.nodes.get(key)?;
        entry.route.filter(|(_, end)| now < *end).map(|(to, _)| to)
    }

    /// Tells in clear that a request from above cannot be delivered.
    fn refuse(&mut self, apdu: &Apdu<'_, &[u8]>, reject: Reject) -> Result<(), Reject> {
        let request = apdu.header().called_invocation.is_none();
        if request && apdu.control().response() != ResponseControl::Never {
            let code = if reject == Reject::UnknownTitle {
                ResponseCode::Uat
            } else {
                ResponseCode::Netr
            };
            let put = |writer: &mut Writer<'_>| {
                put_service(writer, |writer| Response::of(code).emit(writer))
            };
            self.reply(self.config.upstream, apdu.header(), put)?;
        }
        Err(reject)
    }

    /// Answers what is addressed to the relay itself.
    fn serve(
        &mut self,
        source: SocketAddr,
        apdu: &Apdu<'_, &[u8]>,
        now: Instant,
    ) -> Result<(), Reject> {
        let header = apdu.header();
        if header.called_invocation.is_some() {
            // It has asked nobody anything.
            return Err(Reject::Loop);
        }
        if apdu.control().mode() != Mode::Clear {
            return Err(Reject::Secured);
        }
        let payload = apdu.payload()?;
        let mut answers = vec![0; OWN_MAX];
        let mut writer = Writer::new(&mut answers);
        for service in payload.services() {
            self.answer(&Request::parse(service?)?, now, &mut writer)?;
        }
        if apdu.control().response() == ResponseControl::Never {
            return Ok(());
        }
        let services = writer.written();
        self.reply(source, header, |writer| writer.put(services))
    }

    fn answer(
        &self,
        request: &Request<'_>,
        now: Instant,
        writer: &mut Writer<'_>,
    ) -> Result<(), Error> {
        let way = |title: &ApTitle<'_>| self.route(*title, now);
        let own = |title: &ApTitle<'_>| title.same(&self.config.title.get(), &NETWORK_ROOT);
        put_service(writer, |writer| match request {
            Request::Identification => {
                Response::OK.emit(writer)?;
                Identification::emit(&[], writer)
            }
            Request::Resolve(title) => {
                let to = if own(title) {
                    Some(self.config.address)
                } else {
                    way(title)
                };
                let Some(to) = to else {
                    return Response::of(ResponseCode::Uat).emit(writer);
                };
                let mut octets = [0; native::LEN_MAX];
                let len = emit_native(to, &mut octets)?;
                Response::OK.emit(writer)?;
                writer.u8(len as u8)?;
                writer.put(&octets[..len])
            }
            Request::Trace(title) if own(title) => Response::OK.emit(writer),
            Request::Trace(title) if way(title).is_some() => {
                Response::OK.emit(writer)?;
                self.config.title.get().emit(writer)
            }
            Request::Trace(_) => Response::of(ResponseCode::Uat).emit(writer),
            _ => Response::of(ResponseCode::Sns).emit(writer),
        })
    }

    /// A registration in clear that names no address, with that of the relay.
    fn proxied(&self, apdu: &Apdu<'_, &[u8]>) -> Result<Option<Vec<u8>>, Error> {
        let control = apdu.control();
        if control.mode() != Mode::Clear || apdu.header().called_invocation.is_some() {
            return Ok(None);
        }
        let payload = apdu.payload()?;
        let mut services = payload.services();
        let (Some(only), None) = (services.next(), services.next()) else {
            return Ok(None);
        };
        let Request::Register(register) = Request::parse(only?)? else {
            return Ok(None);
        };
        if !register.native_address.is_empty() {
            return Ok(None);
        }
        let mut address = [0; native::LEN_MAX];
        let len = emit_native(self.config.address, &mut address)?;
        let register = Request::Register(Register {
            native_address: &address[..len],
            ..register
        });
        let put = |writer: &mut Writer<'_>| put_service(writer, |writer| register.emit(writer));
        let mut out = vec![0; OWN_MAX];
        let (header, class, work) = (apdu.header(), payload.ed_class, &mut Work::default());
        let len = apdu::build(header, control.proxied(), class, None, &mut out, put, work)?;
        out.truncate(len);
        Ok(Some(out))
    }

    /// Sends a response in clear, in the name of the relay.
    fn reply(
        &mut self,
        to: SocketAddr,
        header: &Header<'_>,
        services: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
    ) -> Result<(), Reject> {
        let own = self.config.title;
        let response = Header {
            context: header.context,
            called: header.calling,
            called_invocation: Some(header.invocation),
            calling: Some(own.get()),
            invocation: self.invocation,
            ..Header::default()
        };
        self.invocation = self.invocation.wrapping_add(1);
        let control = Control::new(Mode::Clear, ResponseControl::Always);
        let mut out = vec![0; 2 * OWN_MAX];
        let work = &mut Work::default();
        let len = apdu::build(&response, control, None, None, &mut out, services, work)?;
        out.truncate(len);
        self.send(to, out)
    }

    fn is_own(&self, header: &Header<'_>) -> bool {
        let called = header.called.and_then(|called| key(called, base(header)));
        called.is_some() && called == key(self.config.title.get(), &NETWORK_ROOT)
    }

    fn send(&mut self, to: SocketAddr, octets: Vec<u8>) -> Result<(), Reject> {
        if self.outbox.len() == OUTBOX_MAX {
            return Err(Reject::OutboxFull);
        }
        self.outbox.push_back((to, octets));
        Ok(())
    }
}

/// The first service of a message in clear.
fn first_service<'a>(apdu: &'a Apdu<'_, &[u8]>) -> Option<&'a [u8]> {
    let clear = apdu.control().mode() == Mode::Clear;
    let payload = apdu.payload().ok().filter(|_| clear)?;
    payload.services().next()?.ok()
}

/// Whether a request withdraws a registration, in clear.
fn leaves(apdu: &Apdu<'_, &[u8]>) -> bool {
    let request = first_service(apdu).map(Request::parse);
    matches!(request, Some(Ok(Request::Deregister(_))))
}

/// Whether a response in clear tells of success.
fn succeeds(apdu: &Apdu<'_, &[u8]>) -> bool {
    let response = first_service(apdu).map(Response::parse);
    matches!(response, Some(Ok(response)) if response.code == ResponseCode::Ok)
}

/// How long a response in clear to a registration lets a way last.
fn granted(apdu: &Apdu<'_, &[u8]>) -> Option<Duration> {
    let response = Response::parse(first_service(apdu)?).ok()?;
    let registered = Registered::parse(response.data).ok()?;
    (response.code == ResponseCode::Ok).then(|| Duration::from_secs(u64::from(registered.period_s)))
}

/// The absolute content of a title; none for one that names nobody.
fn key(title: ApTitle<'_>, base: &[u8]) -> Option<Box<[u8]>> {
    if title == ApTitle::UNASSIGNED {
        return None;
    }
    let absolute = Title::new(title).ok()?.to_absolute(base).ok()?;
    Some(absolute.get().content().into())
}

fn emit_native(socket: SocketAddr, out: &mut [u8]) -> Result<usize, Error> {
    let address = NativeAddress {
        socket,
        transport: Some(Transport::Udp),
    };
    let mut writer = Writer::new(out);
    address.emit(&mut writer)?;
    Ok(writer.len())
}
