//! What an instance answers: registration, interval reports, and where meters are.
//!
//! The head-end is the master relay of its meters as well: it registers and deregisters them, tells
//! their native addresses (Resolve) and the way to them (Trace), which leads through itself and, if
//! there is one, the relay that they sit behind; see [`relays`](super::relays).
//! It accepts messages in segments. Sessions are opened at meters, not here.

use alloc::boxed::Box;
use core::net::{IpAddr, SocketAddr};

use super::image::{ACCESS_NETWORK, Headend, HeadendEvent};
use super::subscriber::Subscribers;
use crate::c1222::aptitle::{ApTitle, NETWORK_ROOT};
use crate::c1222::epsem::{Mode, ResponseControl, put_service};
use crate::c1222::interval::Block;
use crate::c1222::native::{self, NativeAddress, Transport};
use crate::c1222::node::{Incoming, Kind, ReplyTo};
use crate::c1222::notice::{self, Notice};
use crate::c1222::segment::{self, Reassembler, Segment, is_segment};
use crate::c1222::service::{
    Feature, Identification, Register, Registered, Request, Response, ResponseCode,
};
use crate::c1222::{apdu, security};
use crate::meter::Interval;
use crate::time::{Duration, Instant};
use crate::ukmf::group::CONFIRMATION_TABLE;
use crate::wire::{Error, Writer};
use crate::{Env, Reject, c1222};

/// Octets of the longest response, and of all its services.
const RESPONSE_MAX: usize = 512;
/// What is put together from the segments of one meter.
const SEGMENTS: segment::Limits = segment::Limits {
    apdu_len_max: 65_535,
    apdus_max: 2,
    timeout: Duration::from_secs(30),
};

impl Headend {
    pub(super) fn handle_c1222(
        &mut self,
        source: SocketAddr,
        octets: &mut [u8],
        utc: u32,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        let relay = self.relay_at(source);
        if relay.is_none() && !self.enforcement.is_open(source.ip(), ACCESS_NETWORK) {
            return Err(Reject::AccessClosed);
        }
        let (calling, base) = apdu::sender(octets).map_err(|error| Reject::C1222(error.into()))?;
        let calling = calling.unwrap_or(ApTitle::UNASSIGNED);
        if relay.is_some_and(|relay| calling.same(&relay.get(), base)) {
            return self.hear_relay(source, octets, env.now);
        }
        let rank = self
            .subscribers
            .find_title(calling, base)
            .ok_or(Reject::TitleUnknown)?;
        if relay.is_some() && !self.has_access(rank) {
            return Err(Reject::AccessClosed);
        }
        let result = if is_segment(octets) {
            // Nothing authenticates a segment but the address of its session, or of its relay.
            let place = self.subscribers.get(rank).place;
            if relay.is_none() && place.is_some_and(|place| place != source.ip()) {
                return Err(Reject::TitleUnknown);
            }
            self.assemble(rank, octets, utc, env)
        } else {
            self.serve(rank, octets, utc, env)
        };
        self.collect_key_events(rank);
        let served = result.map_err(Reject::C1222)?;
        if served.reply {
            self.response_to = Some(source);
            if served.proven {
                self.take_way(rank, relay.map(|_| source));
            }
        }
        Ok(())
    }

    /// Whether the enforcement point lets messages of the meter pass that a relay has forwarded.
    ///
    /// They come from the address of the relay, so it is the session of the title that counts.
    fn has_access(&self, rank: u32) -> bool {
        let place = self.subscribers.get(rank).place;
        place.is_some_and(|place| self.enforcement.is_open(place, ACCESS_NETWORK))
    }

    /// Takes a segment; serves the message if it is complete.
    fn assemble(
        &mut self,
        rank: u32,
        octets: &[u8],
        utc: u32,
        env: &mut Env<'_>,
    ) -> Result<Served, c1222::Reject> {
        let segment = Segment::parse(octets)?.ok_or(c1222::Reject::Segment)?;
        let mut reassembler = self
            .subscribers
            .get_mut(rank)
            .reassembler
            .take()
            .unwrap_or_else(|| Box::new(Reassembler::new(SEGMENTS)));
        let result = match reassembler.insert(&segment, env.now) {
            Ok(Some(apdu)) => self.serve(rank, apdu, utc, env),
            Ok(None) => Ok(Served::default()),
            Err(_) => Err(c1222::Reject::Segment),
        };
        self.subscribers.get_mut(rank).reassembler = Some(reassembler);
        result
    }

    /// Serves a message of the meter.
    fn serve(
        &mut self,
        rank: u32,
        octets: &mut [u8],
        utc: u32,
        env: &mut Env<'_>,
    ) -> Result<Served, c1222::Reject> {
        let len = octets.len();
        let subscriber = self.subscribers.get_mut(rank);
        let incoming = subscriber
            .node
            .receive(octets, &mut subscriber.keys, utc, env)?;
        let reply_to = match incoming.kind {
            Kind::Request(reply_to) => reply_to,
            Kind::Response(invocation) => {
                let response = (&incoming.payload, len);
                self.take_response(rank, invocation, response, (utc, env.now))?;
                return Ok(Served::default());
            }
        };
        let mut answers = [0; RESPONSE_MAX];
        let mut writer = Writer::new(&mut answers);
        let succeeded = self.answer(rank, &incoming, env.now, &mut writer)?;
        let wanted = match incoming.response {
            ResponseControl::Always => true,
            ResponseControl::OnException => !succeeded,
            ResponseControl::Never => false,
        };
        let proven = incoming.key_id.is_some() || self.config.mode_min == Mode::Clear;
        let reply = wanted && self.respond(rank, &reply_to, writer.written(), utc, env);
        Ok(Served { reply, proven })
    }

    /// Answers the services of a request; tells whether all of them succeeded.
    fn answer(
        &mut self,
        rank: u32,
        incoming: &Incoming<'_>,
        now: Instant,
        writer: &mut Writer<'_>,
    ) -> Result<bool, c1222::Reject> {
        let mut succeeded = true;
        for service in incoming.payload.services() {
            let code = match Request::parse(service?)? {
                Request::Register(register) => self.register(rank, &register, now, writer)?,
                Request::Deregister(title) => {
                    let code = self.deregister(rank, title, now);
                    put_code(code, writer)?
                }
                Request::Write(write) if write.table == CONFIRMATION_TABLE => {
                    self.confirm(rank, write.data, now)?;
                    put_code(ResponseCode::Ok, writer)?
                }
                Request::Write(write) if write.table == notice::TABLE => {
                    let notice = Notice::from_write(&write)?;
                    self.events.push_back((rank, HeadendEvent::Notice(notice)));
                    put_code(ResponseCode::Ok, writer)?
                }
                Request::Write(write) => {
                    let (_, block) = Block::from_write(&write)?;
                    for interval in intervals(&block, self.config.interval_s) {
                        self.events
                            .push_back((rank, HeadendEvent::Interval(interval)));
                    }
                    put_code(ResponseCode::Ok, writer)?
                }
                Request::Identification => identify(writer)?,
                Request::Resolve(title) => self.resolve(title, now, writer)?,
                Request::Trace(title) => self.trace(title, now, writer)?,
                _ => put_code(ResponseCode::Sns, writer)?,
            };
            succeeded &= code == ResponseCode::Ok;
        }
        Ok(succeeded)
    }

    fn register(
        &mut self,
        rank: u32,
        register: &Register<'_>,
        now: Instant,
        writer: &mut Writer<'_>,
    ) -> Result<ResponseCode, Error> {
        let granted = grant(register, self.config.registration_period);
        let period = Duration::from_secs(u64::from(granted.period_s));
        self.subscribers.get_mut(rank).registered_until = now + period;
        put_service(writer, |writer| {
            Response::OK.emit(writer)?;
            granted.emit(writer)
        })?;
        Ok(ResponseCode::Ok)
    }

    /// Withdraws the registration of the meter that asks for it, and of nobody else.
    fn deregister(&mut self, rank: u32, title: ApTitle<'_>, now: Instant) -> ResponseCode {
        let own = self.subscribers.find_title(title, &NETWORK_ROOT) == Some(rank);
        let subscriber = self.subscribers.get_mut(rank);
        if own && now < subscriber.registered_until {
            subscriber.registered_until = Instant::ZERO;
            ResponseCode::Ok
        } else {
            ResponseCode::Uat
        }
    }

    fn resolve(
        &self,
        title: ApTitle<'_>,
        now: Instant,
        writer: &mut Writer<'_>,
    ) -> Result<ResponseCode, Error> {
        let Some((rank, place)) = registered_at(&self.subscribers, title, now) else {
            return put_code(ResponseCode::Uat, writer);
        };
        let address = NativeAddress {
            socket: self
                .way_of(rank)
                .unwrap_or(SocketAddr::new(place, native::PORT)),
            transport: Some(Transport::Udp),
        };
        let mut octets = [0; native::LEN_MAX];
        let mut native = Writer::new(&mut octets);
        address.emit(&mut native)?;
        let native = native.written();
        put_service(writer, |writer| {
            Response::OK.emit(writer)?;
            writer.u8(native.len() as u8)?;
            writer.put(native)
        })?;
        Ok(ResponseCode::Ok)
    }

    fn trace(
        &self,
        title: ApTitle<'_>,
        now: Instant,
        writer: &mut Writer<'_>,
    ) -> Result<ResponseCode, Error> {
        let Some((rank, _)) = registered_at(&self.subscribers, title, now) else {
            return put_code(ResponseCode::Uat, writer);
        };
        let own = self.config.title;
        let behind = self.way_of(rank).and_then(|relay| self.relay_at(relay));
        put_service(writer, |writer| {
            Response::OK.emit(writer)?;
            own.get().emit(writer)?;
            behind.map_or(Ok(()), |relay| relay.get().emit(writer))
        })?;
        Ok(ResponseCode::Ok)
    }

    fn respond(
        &mut self,
        rank: u32,
        reply_to: &ReplyTo,
        services: &[u8],
        utc: u32,
        env: &mut Env<'_>,
    ) -> bool {
        let subscriber = self.subscribers.get_mut(rank);
        let mut message = [0; RESPONSE_MAX];
        let put = |writer: &mut Writer<'_>| -> Result<(), Error> { writer.put(services) };
        let (keys, node) = (&mut subscriber.keys, &mut subscriber.node);
        let built = node.respond(reply_to, keys, utc, &mut message, put, env);
        let len = built.map_or(0, |sent| sent.len);
        self.response.put(&message[..len], false);
        len > 0
    }
}

/// What a message of a meter leads to.
#[derive(Clone, Copy, Debug, Default)]
struct Served {
    /// Whether there is a response.
    reply: bool,
    /// Whether it is certain that the meter has sent it, or nobody in this network proves who he is.
    proven: bool,
}

/// A meter that is registered and has a session, and where that is.
fn registered_at(
    subscribers: &Subscribers,
    title: ApTitle<'_>,
    now: Instant,
) -> Option<(u32, IpAddr)> {
    let rank = subscribers.find_title(title, &NETWORK_ROOT)?;
    let subscriber = subscribers.get(rank);
    let place = subscriber.place?;
    (now < subscriber.registered_until).then_some((rank, place))
}

fn identify(writer: &mut Writer<'_>) -> Result<ResponseCode, Error> {
    let features = [
        Feature::SecurityMechanism(&security::MECHANISM),
        Feature::SessionControl {
            sessionless: true,
            sessions: 0,
        },
    ];
    put_service(writer, |writer| {
        Response::OK.emit(writer)?;
        Identification::emit(&features, writer)
    })?;
    Ok(ResponseCode::Ok)
}

fn put_code(code: ResponseCode, writer: &mut Writer<'_>) -> Result<ResponseCode, Error> {
    put_service(writer, |writer| Response::of(code).emit(writer))?;
    Ok(code)
}

/// The registration that is granted for `register`.
fn grant<'a>(register: &Register<'a>, longest: Duration) -> Registered<'a> {
    let longest_s = u32::try_from(longest.as_secs()).unwrap_or(Register::NO_PREFERENCE_S);
    let period_s = match register.period_s {
        0 | Register::NO_PREFERENCE_S => longest_s,
        period_s => period_s.min(longest_s),
    };
    Registered {
        ap_title: register.ap_title,
        delay_s: 0,
        period_s,
        info: 0,
    }
}

/// The valid intervals of a block, each with the time of its end.
fn intervals(block: &Block<'_>, length_s: u32) -> impl Iterator<Item = Interval> {
    let end_utc_s = block.end.to_utc().unwrap_or(0);
    let count = block.len() as u32;
    block
        .intervals()
        .zip(0..)
        .filter(|(interval, _)| interval.valid)
        .map(move |(interval, index)| Interval {
            end_utc_s: end_utc_s.saturating_sub((count - 1 - index) * length_s),
            watt_hours: u32::from(interval.values[0]),
            status: interval.status[0],
        })
}
