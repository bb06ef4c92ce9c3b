//! The host of a meter's firmware: what happens to a meter in each kind of event.

use core::net::{SocketAddr, SocketAddrV4};

use firmware::Env;
use firmware::crypto::Work;
use firmware::meter::{Channel, Interval, Meter};
use firmware::pana::relay;

use super::{Attempt, MeterQueryItem, Processor};
use crate::concentrator::{Admission, is_for_relay};
use crate::context::{Context, Exchange, Kind, Verdict, event, is_c1222, message_record};
use crate::datagram::{C1222_PORT, Handle, MessageType, PANA_PORT};
use crate::event::Agenda;
use crate::fleet::Fleet;
use crate::link::Direction;
use crate::telemetry::{NodeId, ReadRecord};
use crate::time::{Duration, Time};

/// A meter in the hands of the handler of one event.
pub struct MeterHost<'h, 'w, 's, 'c, A, X: Exchange> {
    /// Its components.
    pub meter: MeterQueryItem<'w, 's>,
    /// The tools.
    pub context: &'h mut Context<'c, A, X>,
    /// The time of the event.
    pub now: Time,
    /// Where the C12.22 message at hand came from, if that may be anywhere.
    pub asker: Option<SocketAddrV4>,
}

/// What the firmware is called with.
struct Input {
    /// What an attempt that begins now was started by.
    trigger: &'static str,
    /// Octets to be moved.
    octets: usize,
}

impl<A: Agenda, X: Exchange> MeterHost<'_, '_, '_, '_, A, X> {
    /// Somebody opens the meter and reads out its memory.
    pub fn open_memory(&mut self, attacker: u32) {
        let key = self.meter.firmware.image.group_memory().next().cloned();
        let placement = &self.meter.placement;
        let who = (attacker, placement.instance, placement.meter);
        let Context {
            attackers,
            fleet,
            agenda,
            pool,
            ..
        } = &mut *self.context;
        attackers.learn(who, key, self.now, fleet, *agenda, pool);
    }

    /// A command to re-authenticate.
    pub fn reauthenticate(&mut self) {
        if self.meter.supply.running {
            self.run("command", |image, _, env| image.reauthenticate(env));
        }
    }

    /// A command to log out.
    pub fn terminate(&mut self) {
        if self.meter.supply.running {
            self.run("command", |image, _, env| image.terminate(env));
        }
    }

    /// A datagram arrives: it is handled, waits for the processor, or is lost on a dead meter.
    pub fn arrive(&mut self, handle: Handle) {
        if !self.meter.supply.running || self.is_severed() {
            let restarts = self.meter.supply.restarting;
            let cause = if restarts { "restarting" } else { "unpowered" };
            self.reject(handle, "link", cause);
            return;
        }
        let limit = self.context.fleet.cohorts[usize::from(self.meter.placement.cohort)].inbox;
        let processor = &mut *self.meter.processor;
        if processor.inbox.is_empty() && processor.busy_until <= self.now {
            self.handle_datagram(handle);
        } else if processor.inbox.len() < limit {
            processor.inbox.push_back(handle);
            if processor.inbox.len() == 1 {
                let (time, cycle) = (processor.busy_until, self.meter.supply.cycle);
                self.post(time, Kind::Ready, cycle);
            }
        } else {
            self.reject(handle, "link", "inbox_full");
        }
    }

    /// The processor falls free while datagrams wait.
    pub fn ready(&mut self, cycle: u32) {
        if !self.meter.supply.running || self.meter.supply.cycle != cycle {
            return;
        }
        // A timer may have kept the processor busy beyond the time that was foreseen.
        if self.meter.processor.busy_until <= self.now
            && let Some(handle) = self.meter.processor.inbox.pop_front()
        {
            self.handle_datagram(handle);
        }
        if !self.meter.processor.inbox.is_empty() {
            let time = self.meter.processor.busy_until;
            self.post(time, Kind::Ready, cycle);
        }
    }

    /// The alarm rings: the firmware's deadline has come, or has moved.
    pub fn alarm(&mut self) {
        let due = self.meter.processor.alarm.ring(self.now);
        if !self.meter.supply.running {
            return;
        }
        if due {
            let image = &self.meter.firmware.image;
            let trigger = if image.is_open() {
                "schedule"
            } else if image.is_terminated() {
                "termination"
            } else {
                "retry"
            };
            self.run(trigger, |image, utc, env| image.handle_timeout(utc, env));
        } else {
            self.arm();
        }
    }

    /// Interval `number` is over: its energy is registered and reported.
    pub fn interval(&mut self, number: u32) {
        let plan = self.context.fleet.reports;
        let next = self.interval_time(number + 1);
        if next.0 < self.context.fleet.duration.as_nanos() {
            self.post(next, Kind::Interval, number + 1);
        }
        let (running, restarting) = (self.meter.supply.running, self.meter.supply.restarting);
        if !self.meter.supply.powered || !(running || restarting) {
            return;
        }
        if self.meter.premise.metering.is_some() {
            self.measure();
            self.revalue_response();
            if restarting {
                return;
            }
            let report = number.is_multiple_of(plan.intervals_per_report);
            self.run("schedule", |image, utc, env| {
                if report {
                    image.report(utc, env);
                }
            });
            return;
        }
        let end_s = plan.interval.as_nanos() / 1_000_000_000 * u64::from(number);
        self.revalue_response();
        let premise = &mut *self.meter.premise;
        let length_s = plan.interval.as_secs();
        let clock = &self.meter.processor.clock;
        let boundary = |number: u32| {
            let nanos = plan.interval.as_nanos() * u64::from(number);
            clock.when(firmware::Instant::from_nanos(nanos))
        };
        let mut supplied = premise.service.as_mut().map_or(1.0, |service| {
            service.supplied(boundary(number - 1), boundary(number))
        });
        if let Some(response) = &mut premise.response {
            let (from, until) = (boundary(number - 1), boundary(number));
            premise
                .house
                .draw_in_addition(supplied * response.returned_wh(from, until));
            supplied *= 1.0 - response.held(from, until);
        }
        if let Some(home) = &mut premise.home {
            supplied *= home.unshed(plan.interval, self.now);
        }
        let cohort = &self.context.fleet.cohorts[usize::from(self.meter.placement.cohort)];
        let watt_hours = match &cohort.replay {
            Some(replay) => {
                let index = self.meter.placement.meter - cohort.first;
                let recorded = replay.milliwatt_hours(index, u64::from(number).saturating_sub(1));
                premise.house.recorded_wh(recorded, supplied)
            }
            None => {
                let load = &self.context.fleet.load;
                premise.house.energy_wh(load, end_s, length_s, supplied)
            }
        };
        premise.register_wh += u64::from(watt_hours);
        let feeder = self.context.fleet.feeder_of(self.meter.placement.meter);
        let loads = &mut self.context.telemetry.feeder_loads;
        loads.add(number - 1, feeder, i64::from(watt_hours) * 1_000);
        self.context.telemetry.due.push(ReadRecord {
            meter: self.meter.placement.meter,
            interval: number,
            due: self.now,
            delivered: None,
            watt_hours,
        });
        let interval = Interval {
            end_utc_s: (self.context.fleet.start_utc_s + end_s) as u32,
            watt_hours,
            status: 0,
        };
        if restarting {
            // The interval is counted all the same, and reported with those after it.
            self.with_firmware(|image, _, _| image.close_interval(interval));
            return;
        }
        let report = number.is_multiple_of(plan.intervals_per_report);
        self.run("schedule", |image, utc, env| {
            image.close_interval(interval);
            if report {
                image.report(utc, env);
            }
        });
    }

    /// When interval `number` is reported, by the meter's clock.
    pub fn interval_time(&self, number: u32) -> Time {
        let interval = self.context.fleet.reports.interval.as_nanos();
        let local = firmware::Instant::from_nanos(interval * u64::from(number))
            + self.meter.placement.report_offset;
        self.meter.processor.clock.when(local)
    }

    fn handle_datagram(&mut self, handle: Handle) {
        let datagram = self.context.pool.get_mut(handle);
        if self.meter.placement.concentrator.is_some()
            && is_for_relay(self.context.fleet, datagram.source, &datagram.octets)
        {
            self.relay(handle);
            return;
        }
        let (sent, source) = (datagram.sent, datagram.source);
        let mut port = source.port();
        let label = datagram.label;
        if X::AT_SOCKETS && is_c1222(datagram.destination.port()) {
            // A host that asks from a port of its own (RFC 6142 §2.1).
            port = C1222_PORT;
            self.asker = Some(source);
        }
        let mut octets = core::mem::take(&mut datagram.octets);
        let channel = if is_c1222(port) {
            Channel::C1222
        } else {
            Channel::Pana
        };
        let kind = MessageType::classify(port, &octets);
        if channel == Channel::C1222 {
            // Whoever reads registers reads those of now.
            self.measure();
        }
        // The record reads the message before the firmware decrypts it in place.
        let record = self.message_record(kind, &octets, sent);
        self.context.telemetry.datagrams += 1;
        self.meter.processor.received += 1;
        let link = &self.context.fleet.links[usize::from(self.meter.placement.link)];
        self.meter.uplink.lane.keep_up(&link.up, self.now);

        let mut result = Ok(());
        let input = Input {
            trigger: "headend",
            octets: octets.len(),
        };
        let done = self.call(input, |image, utc, env| {
            result = image.handle_datagram(channel, &mut octets, utc, env);
        });
        if channel == Channel::Pana
            && let Some(attempt) = &mut self.meter.firmware.attempt
        {
            attempt.received(octets.len());
            if result.is_ok() {
                attempt.accepted();
            }
        }
        let repetitions = self.context.repetitions;
        self.settle(done);
        let repeated = self.context.repetitions != repetitions;
        self.context
            .judge(label, Verdict::of(result, repeated), self.now);
        let outcome = match result {
            Ok(()) => "accepted",
            Err(reject) => {
                let node = NodeId::Meter(self.meter.placement.meter);
                self.context
                    .telemetry
                    .reject(node, channel.name(), reject.name());
                reject.name()
            }
        };
        if let Some(mut record) = record {
            record.outcome = outcome;
            self.context.telemetry.messages.push(record);
        }
        self.context.pool.get_mut(handle).octets = octets;
        self.context.pool.release(handle);
    }

    /// Relays a PANA message between a joining neighbour and the head-end (RFC 6345).
    fn relay(&mut self, handle: Handle) {
        if !self.meter.firmware.image.is_open() {
            self.reject(handle, "pana", "access_closed");
            return;
        }
        let placement = *self.meter.placement;
        let fleet: &Fleet = self.context.fleet;
        let datagram = self.context.pool.get_mut(handle);
        let mut scratch = core::mem::take(self.context.scratch);
        let up = fleet.meter_of_address(*datagram.source.ip()).is_some();
        let result = if up {
            let pac = SocketAddr::V4(datagram.source);
            let instance = fleet.instance_address(placement.instance);
            datagram.source = SocketAddrV4::new(placement.address, PANA_PORT);
            datagram.destination = SocketAddrV4::new(instance, PANA_PORT);
            relay::relay_from_pac(pac, &datagram.octets, &mut scratch)
        } else {
            relay::relay_from_paa(&datagram.octets).map(|(pac, message)| {
                scratch[..message.len()].copy_from_slice(message);
                if let SocketAddr::V4(pac) = pac {
                    datagram.destination = pac;
                }
                message.len()
            })
        };
        if let Ok(len) = result {
            datagram.octets.clear();
            datagram.octets.extend_from_slice(&scratch[..len]);
        }
        let octets = datagram.octets.len();
        *self.context.scratch = scratch;
        self.context.telemetry.datagrams += 1;

        let mcu = fleet.cohorts[usize::from(placement.cohort)].mcu;
        let cpu = mcu.time(&Work::NONE, octets);
        let processor = &mut *self.meter.processor;
        processor.worked = processor.worked + cpu;
        processor.busy_until = processor.busy_until.max(self.now) + cpu;
        let done = processor.busy_until;
        match result {
            Ok(_) => self.offer(handle, done),
            Err(reject) => self.reject(handle, "pana", reject.name()),
        }
    }

    /// Hands a datagram to the shared medium.
    pub(super) fn offer(&mut self, handle: Handle, departure: Time) {
        if let Some(concentrator) = self.meter.placement.concentrator {
            let (meter, posted) = (self.meter.placement.meter, &mut self.meter.processor.posted);
            let kind = Kind::Offer;
            let event = event(departure, kind, concentrator, meter, posted, handle.0);
            self.context.agenda.post(event);
        }
    }

    /// Tells the shared medium whether the session is open.
    pub(super) fn update_admission(&mut self, time: Time) {
        if self.meter.placement.concentrator.is_some() {
            let admission = if self.meter.firmware.image.is_open() {
                Admission::Admitted
            } else {
                Admission::Joining
            };
            self.admit(admission, time);
        }
    }

    /// Tells the shared medium how far this meter has got.
    pub(super) fn admit(&mut self, admission: Admission, time: Time) {
        if let Some(concentrator) = self.meter.placement.concentrator
            && self.meter.supply.admission != admission
        {
            self.meter.supply.admission = admission;
            let (meter, posted) = (self.meter.placement.meter, &mut self.meter.processor.posted);
            let payload = admission as u32;
            let event = event(time, Kind::Admit, concentrator, meter, posted, payload);
            self.context.agenda.post(event);
        }
    }

    fn message_record(
        &self,
        kind: MessageType,
        octets: &[u8],
        sent: Time,
    ) -> Option<crate::telemetry::MessageRecord> {
        let application = kind.is_application();
        (application && self.meter.placement.sampled).then(|| {
            let meter = self.meter.placement.meter;
            message_record(
                meter,
                Direction::Down,
                (kind, octets),
                (sent, self.now),
                "accepted",
            )
        })
    }

    fn reject(&mut self, handle: Handle, protocol: &'static str, cause: &'static str) {
        let node = NodeId::Meter(self.meter.placement.meter);
        self.context.telemetry.reject(node, protocol, cause);
        let datagram = self.context.pool.get_mut(handle);
        let label = datagram.label;
        let kind = MessageType::classify(datagram.source.port(), &datagram.octets);
        let (octets, sent) = (core::mem::take(&mut datagram.octets), datagram.sent);
        self.context.judge(label, Verdict::Ignored(cause), self.now);
        if let Some(mut record) = self.message_record(kind, &octets, sent) {
            record.outcome = cause;
            self.context.telemetry.messages.push(record);
        }
        self.context.pool.get_mut(handle).octets = octets;
        self.context.pool.release(handle);
    }

    /// Runs `action` on the firmware and lets its consequences take effect.
    pub(super) fn run(
        &mut self,
        trigger: &'static str,
        action: impl FnOnce(&mut Meter, u32, &mut Env<'_>),
    ) {
        let done = self.call(Input { trigger, octets: 0 }, action);
        self.settle(done);
    }

    /// Runs `action` on the firmware and accounts for its cost; returns when it is done.
    fn call(&mut self, input: Input, action: impl FnOnce(&mut Meter, u32, &mut Env<'_>)) -> Time {
        let was_open = self.meter.firmware.image.is_open();
        let work = self.with_firmware(action);
        let mcu = self.context.fleet.cohorts[usize::from(self.meter.placement.cohort)].mcu;
        let cpu = mcu.time(&work, input.octets);
        let processor = &mut *self.meter.processor;
        processor.worked = processor.worked + cpu;
        processor.busy_until = processor.busy_until.max(self.now) + cpu;

        let firmware = &mut *self.meter.firmware;
        if firmware.attempt.is_none() && firmware.image.is_authenticating() {
            let repeated = was_open && firmware.image.is_open();
            firmware.attempt = Some(Attempt::new(self.now, repeated, input.trigger));
        }
        if let Some(attempt) = &mut firmware.attempt {
            attempt.spent(&work, cpu);
        }
        processor.busy_until
    }

    /// Takes events, sends datagrams and sets the alarm after the firmware was called.
    fn settle(&mut self, done: Time) {
        let ending = self.drain_events();
        self.drain_datagrams(done);
        if self.meter.supply.restarting {
            self.begin_restart();
            return;
        }
        self.update_admission(done);
        if let Some(ending) = ending
            && let Some(attempt) = self.meter.firmware.attempt.take()
        {
            self.record_attempt(attempt, &ending, done);
        }
        self.rearm();
        self.arm_home();
        self.serve_optical();
    }

    pub(super) fn with_firmware(
        &mut self,
        action: impl FnOnce(&mut Meter, u32, &mut Env<'_>),
    ) -> Work {
        let local = self.meter.processor.clock.read(self.now);
        let utc = (self.context.fleet.start_utc_s + local.as_secs()) as u32;
        let mut work = Work::NONE;
        let firmware = &mut *self.meter.firmware;
        let mut env = Env::new(local, &mut firmware.entropy, &mut work);
        action(&mut firmware.image, utc, &mut env);
        work
    }

    /// Takes over the firmware's deadline.
    pub(crate) fn rearm(&mut self) {
        let deadline = self.meter.firmware.image.poll_timeout();
        let Processor { alarm, clock, .. } = &mut *self.meter.processor;
        alarm.set(deadline, |instant| clock.when(instant));
        self.arm();
    }

    /// Makes sure that an alarm event is under way no later than the deadline.
    fn arm(&mut self) {
        let end = Time(self.context.fleet.duration.as_nanos());
        if let Some(time) = self.meter.processor.alarm.arm(self.now, end) {
            self.post(time, Kind::Alarm, 0);
        }
    }

    pub(crate) fn post(&mut self, time: Time, kind: Kind, payload: u32) {
        let target = self.meter.placement.meter;
        let sequence = &mut self.meter.processor.posted;
        self.context.post(time, kind, target, sequence, payload);
    }
}

/// The offset of a meter's reports behind the end of an interval.
pub(crate) fn report_offset(spread: Duration, stream: &mut crate::rng::Stream) -> Duration {
    Duration::from_nanos(stream.below(spread.as_nanos()))
}
