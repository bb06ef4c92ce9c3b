//! C12.22 traffic of the meter: registration, interval reports, and what it is asked for.
//!
//! Segments of long messages are put together here and cut here. One request is outstanding at a
//! time. A request that is not answered is built anew, under whatever key is current then, until
//! its attempts are used up; intervals that were not confirmed go with the next report. One-way
//! reports (response control "never") are sent once and forgotten.

use alloc::boxed::Box;
use alloc::string::String;

use super::association::{Association, DEVICE_CLASS};
use super::backlog::{Backlog, Interval};
use super::config::Config;
use super::device::{Device, DeviceConfig};
use super::group::{self, Memberships};
use crate::Env;
use crate::c1222::acse::Qualifier;
use crate::c1222::aptitle::{NETWORK_ROOT, Title};
use crate::c1222::epsem::{Mode, ResponseControl, put_service};
use crate::c1222::interval::{self, EndTime};
use crate::c1222::node::{Kind, Node, Options, ReplyTo, Sent};
use crate::c1222::notice::Notice;
use crate::c1222::outbox::{DATAGRAM_LEN_DEFAULT, Outbox};
use crate::c1222::segment::{self, Reassembler, Segment, is_segment};
use crate::c1222::service::{
    ConnectionType, NodeType, Register, Registered, Request, Response, ResponseCode,
};
use crate::c1222::stream::APDU_LEN_DEFAULT;
use crate::c1222::{self, Reject};
use crate::time::{Duration, Instant, earlier};
use crate::ukmf::{EndReason, GroupKey, KeyStore, KeySummary};
use crate::wire::{Error, Writer};

/// Intervals per report at most: what fits into a datagram of 576 octets (RFC 6142 §2.6).
const INTERVALS_PER_REPORT: usize = 40;
/// Octets of the longest request: a report with its protection.
const REQUEST_MAX: usize = 640;
/// Octets of the longest message that is taken, and of the longest response.
const MESSAGE_MAX: usize = APDU_LEN_DEFAULT;
/// Octets of a response beyond its services: what protects and frames it.
const RESPONSE_OVERHEAD: usize = 96;
/// What is put together from segments.
const SEGMENTS: segment::Limits = segment::Limits {
    apdu_len_max: MESSAGE_MAX,
    apdus_max: 2,
    timeout: Duration::from_secs(30),
};
/// Connectionless messages are supported and accepted (RFC 6142 §2.2: UDP both ways).
const CONNECTION_TYPE: ConnectionType = ConnectionType(0x36);

/// A request that waits for its response.
#[derive(Clone, Copy, Debug)]
struct Outstanding {
    purpose: Purpose,
    invocation: u32,
    attempt: u32,
    deadline: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Registration,
    /// The end of the registration: the meter leaves the network.
    Deregistration,
    /// A report of intervals, the last of which ends at this time.
    Report(u32),
    /// Power has returned.
    Restoration(Notice),
}

/// Registration and reports of one meter.
#[derive(Debug)]
pub(super) struct Reporter {
    node: Node,
    backlog: Backlog,
    outstanding: Option<Outstanding>,
    /// Until when the registration lasts.
    registered_until: Option<Instant>,
    /// A report is due and waits for a key or for the registration.
    report_due: bool,
    /// The end of an outage that is to be reported.
    restoration: Option<Notice>,
    /// Whether the head-end has told the meter to leave the network, and it has not come back.
    left: bool,
    /// Messages that wait to be sent.
    request: Outbox,
    response: Outbox,
    /// What is there only once somebody has asked for something.
    association: Association,
    reassembler: Option<Box<Reassembler>>,
    groups: Option<Box<Memberships>>,
}

impl Reporter {
    pub(super) fn new(node: Node) -> Self {
        Self {
            node,
            backlog: Backlog::default(),
            outstanding: None,
            registered_until: None,
            report_due: false,
            restoration: None,
            left: false,
            request: Outbox::default(),
            response: Outbox::default(),
            association: Association::default(),
            reassembler: None,
            groups: None,
        }
    }

    /// The serial number that the tables show.
    pub(super) fn serial(&self) -> String {
        alloc::format!("{}", self.node.local().get())
    }

    /// Remembers an interval.
    pub(super) fn push(&mut self, interval: Interval) {
        self.backlog.push(interval);
    }

    /// Reports what is not confirmed, as soon as it can.
    pub(super) fn report(&mut self) {
        self.report_due = true;
    }

    /// Reports that power has returned, as soon as it can.
    pub(super) fn report_restoration(&mut self, notice: Notice) {
        self.restoration = Some(notice);
    }

    /// Sends a last gasp, if there is a key; no answer is wanted.
    pub(super) fn announce(
        &mut self,
        notice: &Notice,
        config: &Config,
        keys: &mut KeyStore,
        utc: u32,
        env: &mut Env<'_>,
    ) {
        let options = Options {
            response: ResponseControl::Never,
            ..options(config.report.mode, Some(Qualifier::NOTIFICATION))
        };
        let mut message = [0; REQUEST_MAX];
        let put = |writer: &mut Writer<'_>| notice.put(writer);
        let built = self
            .node
            .request(&options, keys, utc, &mut message, put, env);
        if let Ok(sent) = built {
            self.request.put(&message[..sent.len], false);
        }
    }

    /// Forgets what a loss of power takes: everything but the intervals.
    pub(super) fn reset(&mut self) {
        self.node.forget_all();
        self.outstanding = None;
        self.registered_until = None;
        self.report_due = false;
        self.restoration = None;
        self.left = false;
        self.request.clear();
        self.response.clear();
        self.association.reset();
        self.reassembler = None;
    }

    /// Sends what is due, if nothing is outstanding and there is a key.
    pub(super) fn proceed(
        &mut self,
        config: &Config,
        keys: &mut KeyStore,
        utc: u32,
        env: &mut Env<'_>,
    ) {
        // A message without a response is not outstanding, but it has to leave before the next.
        if self.outstanding.is_some() || self.left || !self.request.is_empty() {
            return;
        }
        if config.registration.is_some() && self.registered_until.is_none_or(|at| at <= env.now) {
            self.send(Purpose::Registration, 1, config, keys, utc, env);
        } else if let Some(notice) = self.restoration.take() {
            self.send(Purpose::Restoration(notice), 1, config, keys, utc, env);
        } else if self.report_due && self.backlog.unconfirmed_len() > 0 {
            self.send(Purpose::Report(0), 1, config, keys, utc, env);
        }
    }

    pub(super) fn handle_timeout(
        &mut self,
        config: &Config,
        keys: &mut KeyStore,
        utc: u32,
        env: &mut Env<'_>,
    ) {
        if let Some(reassembler) = &mut self.reassembler {
            reassembler.handle_timeout(env.now);
        }
        if let Some(groups) = &mut self.groups {
            groups.handle_timeout(&mut self.node, keys, utc, env);
        }
        let Some(outstanding) = self
            .outstanding
            .filter(|request| request.deadline <= env.now)
        else {
            return;
        };
        self.outstanding = None;
        self.node.forget(outstanding.invocation);
        if outstanding.attempt < config.report.attempts {
            self.send(
                outstanding.purpose,
                outstanding.attempt + 1,
                config,
                keys,
                utc,
                env,
            );
        } else {
            // The next report tries again; a registration is tried again with it.
            self.report_due = false;
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let request = self.outstanding.map(|request| request.deadline);
        let segments = self.reassembler.as_ref();
        let groups = self.groups.as_ref();
        let waiting = earlier(
            segments.and_then(|segments| segments.poll_timeout()),
            groups.and_then(|groups| groups.poll_timeout()),
        );
        earlier(request, waiting)
    }

    /// APDUs that were given up since the last call because segments were missing.
    pub(super) fn take_dropped(&mut self) -> u32 {
        let reassembler = self.reassembler.as_mut();
        reassembler.map_or(0, |reassembler| reassembler.take_dropped())
    }

    /// Takes a message from the head-end, or a segment of one.
    pub(super) fn receive(
        &mut self,
        config: &Config,
        device: &mut Device,
        octets: &mut [u8],
        keys: &mut KeyStore,
        utc: u32,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        if !is_segment(octets) {
            return self.receive_apdu(config, device, octets, keys, utc, env);
        }
        let segment = Segment::parse(octets)?.ok_or(Reject::Segment)?;
        let mut reassembler = self
            .reassembler
            .take()
            .unwrap_or_else(|| Box::new(Reassembler::new(SEGMENTS)));
        let result = match reassembler.insert(&segment, env.now) {
            Ok(Some(apdu)) => self.receive_apdu(config, device, apdu, keys, utc, env),
            Ok(None) => Ok(()),
            Err(_) => Err(Reject::Segment),
        };
        self.reassembler = Some(reassembler);
        result
    }

    fn receive_apdu(
        &mut self,
        config: &Config,
        device: &mut Device,
        octets: &mut [u8],
        keys: &mut KeyStore,
        utc: u32,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        let incoming = match self.node.receive(octets, keys, utc, env) {
            Ok(incoming) => incoming,
            Err(reject) => {
                // What it refuses may be for a group: then it says why the group refuses it.
                let time = (utc, env);
                return match group::is_order(octets) {
                    true => self.receive_order((device, &config.device), octets, time),
                    false => Err(reject),
                };
            }
        };
        match incoming.kind {
            Kind::Response(invocation) => {
                let Some(outstanding) = self
                    .outstanding
                    .take_if(|request| request.invocation == invocation)
                else {
                    return Err(Reject::UnexpectedResponse);
                };
                let service = incoming.payload.services().next();
                let response = Response::parse(service.ok_or(Error::Malformed("service list"))??)?;
                self.conclude(outstanding.purpose, &response, env)?;
            }
            Kind::Request(reply_to) => {
                let mut answers = [0; MESSAGE_MAX - RESPONSE_OVERHEAD];
                let mut writer = Writer::new(&mut answers);
                let device = (device, &config.device);
                let serial = self.serial();
                let served = self.association.serve(
                    &mut self.node,
                    serial.as_bytes(),
                    device,
                    &incoming,
                    (utc, &mut *env),
                    &mut writer,
                )?;
                let wanted = match incoming.response {
                    ResponseControl::Always => true,
                    ResponseControl::OnException => !served.succeeded,
                    ResponseControl::Never => false,
                };
                if wanted {
                    self.respond(&reply_to, writer.written(), keys, utc, env);
                }
                if let Some(key) = &served.joined {
                    let groups = self.groups.get_or_insert_default();
                    groups.join(key, utc, env);
                }
                if served.leave {
                    self.leave(config, keys, utc, env);
                }
            }
        }
        self.proceed(config, keys, utc, env);
        Ok(())
    }

    /// Leaves the network: withdraws the registration, then says nothing until a new session.
    fn leave(&mut self, config: &Config, keys: &mut KeyStore, utc: u32, env: &mut Env<'_>) {
        self.left = true;
        self.report_due = false;
        if let Some(outstanding) = self.outstanding.take() {
            self.node.forget(outstanding.invocation);
        }
        self.request.clear();
        if self.registered_until.take().is_some() {
            self.send(Purpose::Deregistration, 1, config, keys, utc, env);
        }
    }

    /// Copies the next message to `out`; returns its length and whether it was sent before.
    pub(super) fn poll_transmit(&mut self, out: &mut [u8]) -> Option<(usize, bool)> {
        let datagram_len = DATAGRAM_LEN_DEFAULT;
        let response = self.response.poll(datagram_len, out);
        let message = response.or_else(|| self.request.poll(datagram_len, out));
        message.or_else(|| self.groups.as_mut()?.poll_transmit(out))
    }

    /// Takes an order to a group; a meter that is in none refuses it like one without the key.
    fn receive_order(
        &mut self,
        device: (&mut Device, &DeviceConfig),
        octets: &mut [u8],
        time: (u32, &mut Env<'_>),
    ) -> Result<(), Reject> {
        let groups = self.groups.get_or_insert_default();
        groups.receive(&self.node, device, octets, time)
    }

    /// Erases the keys of groups.
    pub(super) fn end_groups(&mut self, reason: EndReason, now: Instant) {
        if let Some(groups) = &mut self.groups {
            groups.end_all(reason, now);
        }
    }

    /// The next key of a group that was erased.
    pub(super) fn poll_group_key(&mut self) -> Option<KeySummary> {
        self.groups.as_mut()?.poll_ended()
    }

    /// Keys of groups as they lie in memory.
    pub(super) fn group_memory(&self) -> impl Iterator<Item = &GroupKey> {
        self.groups.iter().flat_map(|groups| groups.memory())
    }

    /// Keys of groups that are not erased.
    pub(super) fn group_keys(&self) -> impl Iterator<Item = &KeySummary> {
        self.groups.iter().flat_map(|groups| groups.live_keys())
    }

    fn respond(
        &mut self,
        reply_to: &ReplyTo,
        services: &[u8],
        keys: &mut KeyStore,
        utc: u32,
        env: &mut Env<'_>,
    ) {
        let mut message = [0; MESSAGE_MAX];
        let put = |writer: &mut Writer<'_>| writer.put(services);
        let built = self
            .node
            .respond(reply_to, keys, utc, &mut message, put, env);
        // Without a key for the response there is none; the requester asks again.
        let len = built.map_or(0, |sent| sent.len);
        self.response.put(&message[..len], false);
    }

    fn conclude(
        &mut self,
        purpose: Purpose,
        response: &Response<'_>,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        if response.code != ResponseCode::Ok {
            self.report_due = false;
            return Ok(());
        }
        match purpose {
            Purpose::Registration => {
                let granted = Registered::parse(response.data)?;
                let period = Duration::from_secs(u64::from(granted.period_s));
                // Renew in time: nine tenths of what was granted.
                self.registered_until = Some(env.now + period.scaled(9, 10));
                self.report_due |= self.backlog.unconfirmed_len() > 0;
            }
            Purpose::Deregistration | Purpose::Restoration(_) => {}
            Purpose::Report(end_utc_s) => {
                self.backlog.confirm(end_utc_s);
                // More than fits into one report goes at once.
                self.report_due = self.backlog.unconfirmed_len() > 0;
            }
        }
        Ok(())
    }

    fn send(
        &mut self,
        purpose: Purpose,
        attempt: u32,
        config: &Config,
        keys: &mut KeyStore,
        utc: u32,
        env: &mut Env<'_>,
    ) {
        let mut message = [0; REQUEST_MAX];
        let built = match purpose {
            Purpose::Deregistration => {
                self.build_deregistration(config, keys, utc, &mut message, env)
            }
            Purpose::Registration => self.build_registration(config, keys, utc, &mut message, env),
            Purpose::Report(_) => self.build_report(config, keys, utc, &mut message, env),
            Purpose::Restoration(notice) => {
                self.build_restoration(notice, config, keys, utc, &mut message, env)
            }
        };
        let Some((purpose, sent)) = built else {
            // No key: the next authentication calls again.
            if let Purpose::Restoration(notice) = purpose {
                self.restoration = Some(notice);
            }
            self.request.clear();
            return;
        };
        self.request.put(&message[..sent.len], attempt > 1);
        if let Purpose::Report(end_utc_s) = purpose
            && config.report.one_way
        {
            // As good as delivered: nobody will tell. More than fits goes at the next occasion.
            self.backlog.confirm(end_utc_s);
            self.report_due = self.backlog.unconfirmed_len() > 0;
            return;
        }
        self.outstanding = Some(Outstanding {
            purpose,
            invocation: sent.invocation,
            attempt,
            deadline: env.now + config.report.timeout,
        });
    }

    fn build_registration(
        &mut self,
        config: &Config,
        keys: &mut KeyStore,
        utc: u32,
        out: &mut [u8],
        env: &mut Env<'_>,
    ) -> Option<(Purpose, Sent)> {
        let title = *self.node.local();
        let period_s = config
            .registration?
            .as_secs()
            .min(u64::from(Register::NO_PREFERENCE_S));
        let register = Request::Register(Register {
            node_type: NodeType::END_DEVICE,
            connection_type: CONNECTION_TYPE,
            device_class: DEVICE_CLASS,
            ap_title: title.get(),
            serial_number: title.get().content(),
            native_address: &[],
            period_s: period_s as u32,
            my_domain: None,
        });
        let options = options(config.report.mode, None);
        let write = |writer: &mut Writer<'_>| put_service(writer, |writer| register.emit(writer));
        let sent = self
            .node
            .request(&options, keys, utc, out, write, env)
            .ok()?;
        Some((Purpose::Registration, sent))
    }

    fn build_deregistration(
        &mut self,
        config: &Config,
        keys: &mut KeyStore,
        utc: u32,
        out: &mut [u8],
        env: &mut Env<'_>,
    ) -> Option<(Purpose, Sent)> {
        let title = *self.node.local();
        let deregister = Request::Deregister(title.get());
        let options = options(config.report.mode, None);
        let write = |writer: &mut Writer<'_>| put_service(writer, |writer| deregister.emit(writer));
        let sent = self
            .node
            .request(&options, keys, utc, out, write, env)
            .ok()?;
        Some((Purpose::Deregistration, sent))
    }

    fn build_restoration(
        &mut self,
        notice: Notice,
        config: &Config,
        keys: &mut KeyStore,
        utc: u32,
        out: &mut [u8],
        env: &mut Env<'_>,
    ) -> Option<(Purpose, Sent)> {
        let options = options(config.report.mode, Some(Qualifier::NOTIFICATION));
        let write = |writer: &mut Writer<'_>| notice.put(writer);
        let sent = self
            .node
            .request(&options, keys, utc, out, write, env)
            .ok()?;
        Some((Purpose::Restoration(notice), sent))
    }

    fn build_report(
        &mut self,
        config: &Config,
        keys: &mut KeyStore,
        utc: u32,
        out: &mut [u8],
        env: &mut Env<'_>,
    ) -> Option<(Purpose, Sent)> {
        let mut values = [interval::Interval::default(); INTERVALS_PER_REPORT];
        let mut count = 0;
        let mut end_utc_s = 0;
        for interval in self.backlog.next(INTERVALS_PER_REPORT, config.interval_s) {
            values[count] = interval::Interval {
                valid: true,
                status: [interval.status, 0, 0],
                values: [
                    u16::try_from(interval.watt_hours).unwrap_or(u16::MAX),
                    0,
                    0,
                    0,
                ],
            };
            count += 1;
            end_utc_s = interval.end_utc_s;
        }
        let end = EndTime::from_utc(end_utc_s)?;
        let mut options = options(config.report.mode, Some(Qualifier::NOTIFICATION));
        if config.report.one_way {
            options.response = ResponseControl::Never;
        }
        let intervals = &values[..count];
        let write = |writer: &mut Writer<'_>| interval::put_push(writer, 0, end, intervals);
        let sent = self
            .node
            .request(&options, keys, utc, out, write, env)
            .ok()?;
        Some((Purpose::Report(end_utc_s), sent))
    }
}

fn options(mode: Mode, qualifier: Option<Qualifier>) -> Options {
    Options {
        mode,
        response: ResponseControl::Always,
        qualifier,
        ed_class: Some(DEVICE_CLASS),
        terse: false,
    }
}

/// The node of a meter with the given title.
pub(super) fn node(local: Title, config: &Config) -> Node {
    let mode_min = config.report.mode;
    Node::new(
        local,
        config.headend_title,
        c1222::node::Config {
            mode_min,
            response_timeout: config.report.timeout,
            ..c1222::node::Config::default()
        },
    )
}

/// The content octets of the absolute form of `title`, which the keys are bound to.
pub(super) fn absolute(title: &Title) -> Title {
    title.to_absolute(&NETWORK_ROOT).unwrap_or(*title)
}

/// Shorthand for a relative title of two arcs.
pub(super) fn title(arcs: [u32; 2]) -> Title {
    Title::relative(&arcs).unwrap_or(Title::UNASSIGNED)
}
