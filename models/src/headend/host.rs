//! The host of a head-end instance: what happens to it in each kind of event.

use core::net::{IpAddr, SocketAddr, SocketAddrV4};

use firmware::crypto::Work;
use firmware::headend::{Alarm, Channel, Headend, HeadendEvent, StoreAccess};
use firmware::meter::Interval;
use firmware::{Env, Instant};

use super::{Admission, Instance};
use crate::alarm::AlarmClock;
use crate::concentrator::{peer_by_title, relayed_peer};
use crate::context::{Context, Exchange, Kind, Verdict, is_c1222, message_record};
use crate::datagram::{Handle, MessageType, PANA_PORT};
use crate::event::Agenda;
use crate::link::Direction;
use crate::rng::Stream;
use crate::telemetry::{
    KeyRecord, MessageRecord, NodeId, NoticeRecord, ReadRecord, RequestRecord, Side,
};
use crate::time::{Duration, Time};

/// An instance in the hands of the handler of one event.
pub struct InstanceHost<'h, 'c, A, X: Exchange> {
    /// The instance.
    pub instance: &'h mut Instance,
    /// The tools.
    pub context: &'h mut Context<'c, A, X>,
    /// The time of the event.
    pub now: Time,
}

impl<A: Agenda, X: Exchange> InstanceHost<'_, '_, A, X> {
    /// A datagram arrives: it is served, waits, or is dropped.
    pub fn arrive(&mut self, handle: Handle) {
        self.instance.load.arrivals += 1;
        if !self.instance.up {
            self.instance.load.down += 1;
            self.drop_datagram(handle, "instance_down");
            return;
        }
        match self.instance.station.offer(self.now, handle).0 {
            Admission::Serve => self.serve(handle, self.now),
            Admission::Queued => {
                let queued = self.instance.station.queue_len() as u32;
                self.instance.load.queue_max = self.instance.load.queue_max.max(queued);
                self.wake_when_free();
            }
            Admission::Full => {
                self.instance.load.buffer_full += 1;
                self.drop_datagram(handle, "buffer_full");
            }
        }
    }

    /// A core falls free while datagrams wait.
    pub fn ready(&mut self) {
        if self.instance.ready != self.now {
            return;
        }
        self.instance.ready = Time::FAR_FUTURE;
        while let Some((since, handle)) = self.instance.station.take(self.now) {
            self.serve(handle, since);
        }
        if self.instance.station.queue_len() > 0 {
            self.wake_when_free();
        }
    }

    /// The instance goes down.
    pub fn go_down(&mut self, lose_sessions: bool) {
        self.instance.up = false;
        let waiting: Vec<Handle> = self.instance.station.clear(self.now).collect();
        for handle in waiting {
            self.instance.load.down += 1;
            self.drop_datagram(handle, "instance_down");
        }
        if lose_sessions {
            self.with_image(None, |image, _, env| image.forget_sessions(env));
            self.drain_events();
        }
    }

    /// The instance serves again; alarms that rang meanwhile ring now.
    pub fn come_up(&mut self) {
        self.instance.up = true;
        for session in 0..self.instance.session_alarms.len() as u32 {
            self.rearm(Alarm::Session(session));
        }
        for rank in 0..self.instance.downlinks.len() as u32 {
            self.rearm(Alarm::Subscriber(rank));
        }
        self.rearm(Alarm::Commands);
    }

    /// A session alarm rings.
    pub fn session_alarm(&mut self, session: u32) {
        self.ring(Alarm::Session(session));
    }

    /// A subscriber alarm rings.
    pub fn subscriber_alarm(&mut self, rank: u32) {
        self.ring(Alarm::Subscriber(rank));
    }

    /// The operator has the meter with this rank re-authenticate.
    pub fn reauthenticate(&mut self, rank: u32) {
        self.touch(rank, |image, env| image.reauthenticate(rank, env));
    }

    /// The operator ends the session of the meter with this rank.
    pub fn terminate(&mut self, rank: u32) {
        self.touch(rank, |image, env| image.terminate(rank, env));
    }

    /// Runs `action` on the session of a meter, unless the instance is down.
    fn touch(&mut self, rank: u32, action: impl FnOnce(&mut Headend, &mut Env<'_>)) {
        if !self.instance.up {
            return;
        }
        let fleet = self.context.fleet;
        let meter = fleet.meter_at(self.instance.index, rank);
        let address = SocketAddrV4::new(fleet.meter_address(meter), PANA_PORT);
        let peer = Some(SocketAddr::V4(address));
        let work = self.with_image(peer, |image, _, env| action(image, env));
        let cost = fleet.headend.cost.time(&work, 0);
        let done = self.instance.station.occupy(self.now, cost);
        self.instance.load.busy = self.instance.load.busy + cost;
        self.finish(done);
    }

    fn ring(&mut self, alarm: Alarm) {
        let now = self.now;
        let due = self.alarm_clock(alarm).ring(now);
        if !self.instance.up {
            return;
        }
        if !due {
            self.arm(alarm);
            return;
        }
        let peer = self.instance.image.peer_of(alarm);
        let work = self.with_image(peer, |image, _, env| image.handle_timeout(alarm, env));
        let cost = self.context.fleet.headend.cost.time(&work, 0);
        let done = self.instance.station.occupy(self.now, cost);
        self.instance.load.busy = self.instance.load.busy + cost;
        self.finish(done);
    }

    /// Serves a datagram that arrived at `since`, on a core that is free now.
    fn serve(&mut self, handle: Handle, since: Time) {
        let datagram = self.context.pool.get_mut(handle);
        let (source, sent, label) = (datagram.source, datagram.sent, datagram.label);
        let port = datagram.destination.port();
        let mut octets = core::mem::take(&mut datagram.octets);
        let channel = if is_c1222(port) {
            Channel::C1222
        } else {
            Channel::Pana
        };
        let peer = SocketAddr::V4(source);
        let (origin, about) = match channel {
            Channel::Pana => (source, relayed_peer(peer, &octets)),
            Channel::C1222 => {
                let origin = peer_by_title(self.context.fleet, source, &octets);
                (origin, SocketAddr::V4(origin))
            }
        };
        let record = self.message_record(origin, port, &octets, sent);
        self.context.telemetry.datagrams += 1;
        self.keep_up(origin);
        let mut result = Ok(());
        let work = self.with_image(Some(about), |image, utc, env| {
            result = image.handle_datagram(channel, peer, &mut octets, utc, env);
        });
        let cost = self.service_time(&work, octets.len());
        let done = self.instance.station.occupy(self.now, cost);
        let load = &mut self.instance.load;
        load.served += 1;
        load.busy = load.busy + cost;
        let wait = self.now.saturating_since(since);
        load.waiting = load.waiting + wait;
        load.service.record(cost);
        load.wait.record(wait);

        let mut outcome = "accepted";
        if let Err(reject) = result {
            outcome = reject.name();
            let node = NodeId::Instance(self.instance.index);
            self.context.telemetry.reject(node, channel.name(), outcome);
        }
        if let Some(mut record) = record {
            record.outcome = outcome;
            self.context.telemetry.messages.push(record);
        }
        self.context.pool.get_mut(handle).octets = octets;
        self.context.pool.release(handle);

        let repetitions = self.context.repetitions;
        self.finish(done);
        let repeated = self.context.repetitions != repetitions;
        self.context
            .judge(label, Verdict::of(result, repeated), self.now);
    }

    /// The access of the sender has just sent, so what goes back finds it connected.
    fn keep_up(&mut self, source: SocketAddrV4) {
        let Some(rank) = self.rank_of(SocketAddr::V4(source)) else {
            return;
        };
        let downlink = &mut self.instance.downlinks[rank as usize];
        let profile = &self.context.fleet.links[usize::from(downlink.link)].down;
        if profile.connection.is_some() {
            let lane = match downlink.trunk {
                Some(trunk) => &mut self.instance.trunks[trunk as usize].lane,
                None => &mut downlink.lane,
            };
            lane.keep_up(profile, self.now);
        }
    }

    fn service_time(&mut self, work: &Work, octets: usize) -> Duration {
        let cost = &self.context.fleet.headend.cost;
        let mut time = cost.time(work, octets);
        while let Some(access) = self.instance.image.poll_store_access() {
            time = time
                + match access {
                    StoreAccess::CredentialLookup => cost.credential_lookup,
                    StoreAccess::KeyWrite => cost.key_store_write,
                };
        }
        time
    }

    pub(super) fn finish(&mut self, done: Time) {
        self.drain_events();
        self.drain_datagrams(done);
        while let Some(alarm) = self.instance.image.poll_touched() {
            self.rearm(alarm);
        }
    }

    pub(super) fn with_image(
        &mut self,
        peer: Option<SocketAddr>,
        action: impl FnOnce(&mut Headend, u32, &mut Env<'_>),
    ) -> Work {
        let local = local_time(self.now);
        let utc = (self.context.fleet.start_utc_s + local.as_secs()) as u32;
        let mut work = Work::NONE;
        let known = peer.and_then(|peer| self.rank_of(peer));
        match known {
            Some(rank) => {
                let entropy = &mut self.instance.downlinks[rank as usize].entropy;
                action(
                    &mut self.instance.image,
                    utc,
                    &mut Env::new(local, entropy, &mut work),
                );
            }
            None => {
                let address = match peer {
                    Some(SocketAddr::V4(v4)) => {
                        u64::from(v4.ip().to_bits()) << 16 | u64::from(v4.port())
                    }
                    _ => 0,
                };
                let seed = self.context.fleet.protocol_seed;
                let mut entropy = Stream::for_address(seed, address, self.now.as_nanos());
                action(
                    &mut self.instance.image,
                    utc,
                    &mut Env::new(local, &mut entropy, &mut work),
                );
            }
        }
        work
    }

    /// The rank of the meter with the address of `peer`, if this instance serves it.
    pub(super) fn rank_of(&self, peer: SocketAddr) -> Option<u32> {
        let SocketAddr::V4(peer) = peer else {
            return None;
        };
        let fleet = self.context.fleet;
        let Some(meter) = fleet.meter_of_address(*peer.ip()) else {
            return self.instance.visitors.rank_at(*peer.ip());
        };
        (fleet.instance_of(meter) == self.instance.index).then(|| fleet.rank_of(meter))
    }

    pub(super) fn drain_events(&mut self) {
        let fleet = self.context.fleet;
        while let Some((rank, event)) = self.instance.image.poll_event() {
            let meter = fleet.meter_at(self.instance.index, rank);
            match event {
                HeadendEvent::Authenticated => {
                    self.instance.load.authentications += 1;
                    if let Some(IpAddr::V4(place)) = self.instance.image.place(rank)
                        && fleet.meter_of_address(place).is_none()
                        && fleet.attacker_of_address(place).is_none()
                    {
                        self.instance.visitors.settle(rank, place);
                    }
                }
                HeadendEvent::AuthenticationFailed => self.instance.load.rejected += 1,
                HeadendEvent::KeyEnded(epoch) => self.context.telemetry.keys.push(KeyRecord {
                    time: self.now,
                    meter,
                    side: Side::Server,
                    drift_ppb: 0,
                    epoch,
                }),
                HeadendEvent::Interval(interval) => {
                    self.store_interval(rank, &interval);
                    if !interval.is_measured() {
                        continue;
                    }
                    let start = fleet.start_utc_s;
                    let end_s = u64::from(interval.end_utc_s).saturating_sub(start);
                    let number = end_s / fleet.reports.interval.as_secs().max(1);
                    self.context.telemetry.reads.push(ReadRecord {
                        meter,
                        interval: u32::try_from(number).unwrap_or(u32::MAX),
                        due: Time::from_secs(end_s),
                        delivered: Some(self.now),
                        watt_hours: interval.watt_hours,
                    });
                }
                HeadendEvent::Register(watt_hours) => {
                    if let Some(mdms) = &mut self.instance.mdms {
                        mdms.take_register(rank, watt_hours, self.now);
                    }
                }
                HeadendEvent::Notice(notice) => self.context.telemetry.notices.push(NoticeRecord {
                    meter,
                    time: self.now,
                    notice,
                }),
                HeadendEvent::Command(report) => self.record_command(meter, report),
                HeadendEvent::Request(report) => {
                    self.context.telemetry.requests.push(RequestRecord {
                        meter,
                        instance: self.instance.index,
                        report,
                    });
                    self.judge_wave(&report);
                }
                HeadendEvent::Discarded(reject) => {
                    let node = NodeId::Instance(self.instance.index);
                    let (protocol, cause) = (Channel::C1222.name(), reject.name());
                    self.context.telemetry.reject(node, protocol, cause);
                }
            }
        }
    }

    /// Hands an interval to the meter data management system.
    fn store_interval(&mut self, rank: u32, interval: &Interval) {
        let fleet = self.context.fleet;
        if let (Some(mdms), Some(plan)) = (&mut self.instance.mdms, &fleet.mdms) {
            mdms.take(plan, fleet, rank, interval, self.now);
        }
    }

    fn message_record(
        &self,
        source: SocketAddrV4,
        port: u16,
        octets: &[u8],
        sent: Time,
    ) -> Option<MessageRecord> {
        if self.context.fleet.message_sample_ppb == 0 || !is_c1222(port) {
            return None;
        }
        let rank = self.rank_of(SocketAddr::V4(source))?;
        if !self.instance.downlinks[rank as usize].sampled {
            return None;
        }
        let kind = MessageType::classify(port, octets);
        let application = kind.is_application();
        application.then(|| {
            let meter = self.context.fleet.meter_at(self.instance.index, rank);
            message_record(
                meter,
                Direction::Up,
                (kind, octets),
                (sent, self.now),
                "accepted",
            )
        })
    }

    fn drop_datagram(&mut self, handle: Handle, cause: &'static str) {
        let node = NodeId::Instance(self.instance.index);
        self.context.telemetry.reject(node, "link", cause);
        let label = self.context.pool.get_mut(handle).label;
        self.context.judge(label, Verdict::Ignored(cause), self.now);
        let datagram = self.context.pool.get_mut(handle);
        let (source, sent) = (datagram.source, datagram.sent);
        let port = datagram.destination.port();
        let octets = core::mem::take(&mut datagram.octets);
        let origin = if is_c1222(port) {
            peer_by_title(self.context.fleet, source, &octets)
        } else {
            source
        };
        if let Some(mut record) = self.message_record(origin, port, &octets, sent) {
            record.outcome = cause;
            self.context.telemetry.messages.push(record);
        }
        self.context.pool.get_mut(handle).octets = octets;
        self.context.pool.release(handle);
    }

    /// Makes sure that a core's falling free is noticed.
    fn wake_when_free(&mut self) {
        let time = self.instance.station.next_free().max(self.now);
        if time < self.instance.ready || self.instance.ready <= self.now {
            self.instance.ready = time;
            self.post(time, Kind::Ready, 0);
        }
    }

    /// Takes over the software's deadline behind `alarm`.
    pub(super) fn rearm(&mut self, alarm: Alarm) {
        let deadline = self.instance.image.deadline(alarm);
        self.alarm_clock(alarm)
            .set(deadline, |instant| Time(instant.as_nanos()));
        self.arm(alarm);
    }

    /// Makes sure that an alarm event is under way no later than the deadline.
    fn arm(&mut self, alarm: Alarm) {
        let (now, end) = (self.now, Time(self.context.fleet.duration.as_nanos()));
        if let Some(time) = self.alarm_clock(alarm).arm(now, end) {
            let (kind, payload) = match alarm {
                Alarm::Session(session) => (Kind::SessionAlarm, session),
                Alarm::Subscriber(rank) => (Kind::SubscriberAlarm, rank),
                Alarm::Commands => (Kind::CommandAlarm, 0),
            };
            self.post(time, kind, payload);
        }
    }

    fn alarm_clock(&mut self, alarm: Alarm) -> &mut AlarmClock {
        match alarm {
            Alarm::Session(session) => {
                let index = session as usize;
                let clocks = &mut self.instance.session_alarms;
                if index >= clocks.len() {
                    clocks.resize(index + 1, AlarmClock::default());
                }
                &mut clocks[index]
            }
            Alarm::Subscriber(rank) => &mut self.instance.downlinks[rank as usize].alarm,
            Alarm::Commands => &mut self.instance.command_alarm,
        }
    }

    pub(super) fn post(&mut self, time: Time, kind: Kind, payload: u32) {
        let target = self.instance.entity;
        self.context
            .post(time, kind, target, &mut self.instance.posted, payload);
    }
}

/// The head-end keeps true time.
pub(super) fn local_time(now: Time) -> Instant {
    Instant::from_nanos(now.as_nanos())
}
