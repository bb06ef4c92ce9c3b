//! What happens in a home in each of its events.

use firmware::c1219::switch::Limit;
use firmware::crypto::Work;
use firmware::han::frame::{FCS_LEN, PSDU_MAX, fcs};
use firmware::han::{Coordinator, CoordinatorEvent, DemandEvent, Reject, Transmit, Usage};
use firmware::metrology::Quantity;
use firmware::{Env, Instant};

use super::home::{Home, Window};
use super::plan::HanPlan;
use crate::context::{Exchange, Kind};
use crate::event::Agenda;
use crate::fleet::Fleet;
use crate::link::{Direction, ieee802154};
use crate::meter::MeterHost;
use crate::telemetry::{HomeFrame, KeyRecord, NodeId, Side, TrafficCount};
use crate::time::Time;

/// The protocol, as results name it.
pub const PROTOCOL: &str = "ieee802154";
/// Frames of one event of a home at most; more would be a network that talks to itself.
const FRAMES_MAX: usize = 10_000;

/// Bit in the numbers of events that meters were told of before the run.
const PLANNED: u32 = 1 << 31;

/// Who sends a frame.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sender {
    Meter,
    Device(usize),
}

impl<'c, A: Agenda, X: Exchange> MeterHost<'_, '_, '_, 'c, A, X> {
    /// The premise gets power.
    pub(crate) fn power_home(&mut self) {
        let Some(mut home) = self.meter.premise.home.take() else {
            return;
        };
        if let Some(plan) = self.han_plan() {
            home.power_on(plan, self.now);
        }
        self.meter.premise.home = Some(home);
        self.arm_home();
    }

    /// The premise loses power; the meter's firmware has been told.
    pub(crate) fn darken_home(&mut self) {
        let Some(mut home) = self.meter.premise.home.take() else {
            return;
        };
        if let Some(plan) = self.han_plan() {
            home.power_off(plan, self.now);
        }
        self.drain_coordinator(&mut home);
        self.meter.premise.home = Some(home);
        self.arm_home();
    }

    /// Something may be due in the home.
    pub(crate) fn home(&mut self) {
        let Some(mut home) = self.meter.premise.home.take() else {
            return;
        };
        if home.alarm.ring(self.now)
            && let Some(plan) = self.han_plan()
        {
            self.drive(&mut home, plan);
        }
        self.meter.premise.home = Some(home);
        self.arm_home();
    }

    /// Makes sure that an event is under way when something is due in the home.
    pub(crate) fn arm_home(&mut self) {
        let Some(home) = self.meter.premise.home.as_deref() else {
            return;
        };
        let Some(plan) = self.han_plan() else { return };
        let coordinator = self.meter.firmware.image.han();
        let coordinator = coordinator.and_then(|han| han.poll_timeout());
        let clock = &self.meter.processor.clock;
        let coordinator = coordinator.map_or(Time::FAR_FUTURE, |at| clock.when(at));
        let next = home.next(plan).min(coordinator);
        let next = next.max(home.quiet_from).max(self.now);
        let end = Time(self.context.fleet.duration.as_nanos());
        let Some(home) = self.meter.premise.home.as_deref_mut() else {
            return;
        };
        let deadline = (next < end).then(|| Instant::from_nanos(next.as_nanos()));
        home.alarm.set(deadline, |at| Time(at.as_nanos()));
        if let Some(time) = home.alarm.arm(self.now, end) {
            self.post(time, Kind::Home, 0);
        }
    }

    /// The head-end has ordered a limit from `start` on, by the meter's clock: devices are told.
    pub(crate) fn tell_home(&mut self, start: Instant, limit: &Limit) {
        let start_utc_s = self.context.fleet.start_utc_s + start.as_secs();
        let event = DemandEvent {
            number: limit.event_id,
            start_utc_s: start_utc_s as u32,
            minutes: limit.duration_min,
            reduction_percent: 100_u8.saturating_sub(limit.level_percent),
        };
        self.order_home(event);
    }

    /// The limit is over, perhaps before its time: devices are told that it has no length.
    pub(crate) fn untell_home(&mut self) {
        let home = self.meter.premise.home.as_mut();
        let Some(event) = home.and_then(|home| home.ordered.take()) else {
            return;
        };
        if self.utc_s(self.now) < event.end_utc_s() {
            let minutes = 0;
            self.order_home(DemandEvent { minutes, ..event });
        }
    }

    fn order_home(&mut self, event: DemandEvent) {
        let home = self.meter.premise.home.as_mut();
        let han = self.meter.firmware.image.han_mut();
        if let (Some(home), Some(han)) = (home, han) {
            home.ordered = (event.minutes > 0).then_some(event);
            han.announce(event);
        }
    }

    fn han_plan(&self) -> Option<&'c HanPlan> {
        let cohort = usize::from(self.meter.placement.cohort);
        let fleet: &'c Fleet = self.context.fleet;
        fleet.cohorts[cohort].han.as_ref()
    }

    /// What is due at this moment, and every frame that comes of it.
    fn drive(&mut self, home: &mut Home, plan: &HanPlan) {
        self.measure();
        let mut at = self.now.max(home.quiet_from);
        self.wake(home, plan, at);
        for _ in 0..FRAMES_MAX {
            self.drain(home, plan, at);
            let from_meter = self.send_from_meter(home, plan, &mut at);
            let from_devices = self.send_from_devices(home, plan, &mut at);
            if !from_meter && !from_devices {
                break;
            }
        }
        self.intrude(home, plan, at);
        home.quiet_from = at;
        let utc_s = self.utc_s(at);
        let cohort = usize::from(self.meter.placement.cohort);
        let responds = self.context.fleet.cohorts[cohort].response.is_some();
        home.manage(responds, utc_s, at);
        // Everything until now has been measured: what follows is measured without this share.
        if let Some(metering) = self.meter.premise.metering.as_deref_mut() {
            metering.shed_permille = home.shed.0;
        }
    }

    /// Deadlines of all stations, devices that get power, and announcements.
    fn wake(&mut self, home: &mut Home, plan: &HanPlan, at: Time) {
        for device in &mut home.devices {
            device.account(plan.policy.update_period.scaled(2, 1), at);
            if device.starts.take_if(|starts| *starts <= at).is_some() {
                device.with(at, |device, env| device.power_on(env));
            }
            device.with(at, |device, env| device.handle_timeout(env));
        }
        while let Some(event) = plan.announcements.get(home.announced)
            && event.at <= at
        {
            home.announced += 1;
            let event = DemandEvent {
                // Apart from the numbers that a head-end gives.
                number: PLANNED | home.announced as u32,
                start_utc_s: self.utc_s(event.start),
                minutes: event.minutes,
                reduction_percent: event.reduction_percent,
            };
            if let Some(han) = self.meter.firmware.image.han_mut() {
                han.announce(event);
            }
        }
        let reading = self.reading(home, plan, at);
        self.coordinate(home, at, 0, |han, env| han.handle_timeout(&reading, env));
    }

    /// What the meter tells its devices.
    fn reading(&self, home: &Home, plan: &HanPlan, at: Time) -> Usage {
        let premise = &*self.meter.premise;
        if premise.metering.is_some()
            && let Some(metrology) = self.meter.firmware.image.metrology()
        {
            return Usage {
                tier: metrology.tier(),
                utc_s: self.utc_s(at),
                power_w: metrology.instantaneous().watts,
                energy_wh: metrology.registers().total.of(Quantity::Delivered),
                price_mills: plan.price_mills,
            };
        }
        let watts = self.expected_watts(at) * (1.0 - f64::from(home.shed.0) / 1_000.0);
        Usage {
            tier: 0,
            utc_s: self.utc_s(at),
            power_w: libm::round(watts) as i32,
            energy_wh: premise.register_wh,
            price_mills: plan.price_mills,
        }
    }

    /// The time at the meter.
    fn utc_s(&self, at: Time) -> u32 {
        let local = self.meter.processor.clock.read(at);
        (self.context.fleet.start_utc_s + local.as_secs()) as u32
    }

    /// Calls the coordinator, if the meter's firmware runs, and pays for it.
    fn coordinate<R>(
        &mut self,
        home: &mut Home,
        at: Time,
        octets: usize,
        act: impl FnOnce(&mut Coordinator, &mut Env<'_>) -> R,
    ) -> Option<R> {
        if !self.meter.supply.running {
            return None;
        }
        let han = self.meter.firmware.image.han_mut()?;
        let processor = &mut *self.meter.processor;
        let mut work = Work::NONE;
        let local = processor.clock.read(at);
        let result = act(han, &mut Env::new(local, &mut home.entropy, &mut work));
        if work != Work::NONE {
            let mcu = self.context.fleet.cohorts[usize::from(self.meter.placement.cohort)].mcu;
            let cpu = mcu.time(&work, octets);
            processor.worked = processor.worked + cpu;
            processor.busy_until = processor.busy_until.max(at) + cpu;
        }
        Some(result)
    }

    fn send_from_meter(&mut self, home: &mut Home, plan: &HanPlan, at: &mut Time) -> bool {
        let mut out = [0; PSDU_MAX];
        let sent = self.coordinate(home, *at, PSDU_MAX, |han, env| {
            han.poll_transmit(&mut out, env)
        });
        let Some(Some(transmit)) = sent else {
            return false;
        };
        let psdu = &out[..transmit.len];
        let delivered = self.fly(home, plan, Sender::Meter, transmit, psdu, at);
        self.coordinate(home, *at, 0, |han, env| han.confirm(delivered, env.now));
        true
    }

    fn send_from_devices(&mut self, home: &mut Home, plan: &HanPlan, at: &mut Time) -> bool {
        let mut any = false;
        for slot in 0..home.devices.len() {
            let mut out = [0; PSDU_MAX];
            let sent =
                home.devices[slot].with(*at, |device, env| device.poll_transmit(&mut out, env));
            let Some(transmit) = sent else { continue };
            any = true;
            let psdu = &out[..transmit.len];
            let delivered = self.fly(home, plan, Sender::Device(slot), transmit, psdu, at);
            home.devices[slot].with(*at, |device, env| device.confirm(delivered, env.now));
        }
        any
    }

    /// Sends a frame as often as it takes; returns whether its sender believes that it arrived.
    fn fly(
        &mut self,
        home: &mut Home,
        plan: &HanPlan,
        sender: Sender,
        transmit: Transmit,
        psdu: &[u8],
        at: &mut Time,
    ) -> bool {
        let tries = if transmit.acknowledged {
            1 + ieee802154::FRAME_RETRIES_MAX
        } else {
            1
        };
        let mut count = Window::default();
        let (mut arrived, mut believed) = (false, !transmit.acknowledged);
        for attempt in 0..tries {
            let jammed = plan
                .jamming
                .iter()
                .any(|jam| (jam.from..jam.until).contains(at));
            let flight = home.air.send(&plan.air, psdu.len(), jammed);
            *at = *at + flight.duration;
            if !flight.sent {
                break;
            }
            count.retransmissions += u64::from(attempt > 0);
            count.octets += psdu.len() as u64;
            count.airtime = count.airtime + ieee802154::airtime(psdu.len());
            self.overhear(home, sender, psdu, flight.received, *at);
            let heard = flight.received && self.deliver(home, sender, transmit.channel, psdu, *at);
            arrived |= heard;
            if !transmit.acknowledged {
                break;
            }
            if heard {
                count.airtime = count.airtime + ieee802154::ack_airtime();
            }
            if heard && flight.acknowledged {
                *at = *at + ieee802154::TURNAROUND + ieee802154::ack_airtime();
                believed = true;
                break;
            }
            *at = *at + ieee802154::ACK_WAIT;
        }
        *at = *at + ieee802154::LIFS;
        count.lost = u64::from(!arrived);
        self.count(home, sender, transmit, psdu.len(), &count);
        believed
    }

    /// Hands a frame to those who are on its channel; returns whether it was for one of them.
    fn deliver(
        &mut self,
        home: &mut Home,
        sender: Sender,
        channel: u8,
        psdu: &[u8],
        at: Time,
    ) -> bool {
        if sender == Sender::Meter {
            return self.deliver_to_devices(home, channel, psdu, at);
        }
        let on_channel = self
            .han_plan()
            .is_some_and(|plan| plan.policy.channel == channel);
        if !on_channel {
            return false;
        }
        let handled = self.coordinate(home, at, psdu.len(), |han, env| han.handle_frame(psdu, env));
        match handled {
            None | Some(Err(Reject::Foreign)) => false,
            Some(Ok(())) => true,
            Some(Err(reject)) => {
                let node = NodeId::Meter(self.meter.placement.meter);
                self.context.telemetry.reject(node, PROTOCOL, reject.name());
                true
            }
        }
    }

    fn deliver_to_devices(&mut self, home: &mut Home, channel: u8, psdu: &[u8], at: Time) -> bool {
        let mut heard = false;
        for device in &mut home.devices {
            let handled = device.with(at, |device, env| device.handle_frame(psdu, channel, env));
            match handled {
                Err(Reject::Foreign) => {}
                Ok(()) => heard = true,
                Err(reject) => {
                    heard = true;
                    device.window.rejects += 1;
                    let node = NodeId::HomeDevice(self.meter.placement.meter);
                    self.context.telemetry.reject(node, PROTOCOL, reject.name());
                }
            }
        }
        heard
    }

    /// Counts a frame with its repetitions.
    fn count(
        &mut self,
        home: &mut Home,
        sender: Sender,
        transmit: Transmit,
        octets: usize,
        count: &Window,
    ) {
        let (direction, slot) = match sender {
            Sender::Meter => (Direction::Down, transmit.slot.map(usize::from)),
            Sender::Device(slot) => (Direction::Up, Some(slot)),
        };
        let traffic = &mut self.context.telemetry.home_traffic;
        let traffic = traffic.entry((direction, transmit.content)).or_default();
        traffic.add(&TrafficCount {
            frames: 1,
            octets: count.octets,
            payload_octets: octets as u64,
            retransmissions: count.retransmissions,
            lost: count.lost,
            queue_full: 0,
            airtime: count.airtime,
        });
        let Some(device) = slot.and_then(|slot| home.devices.get_mut(slot)) else {
            return;
        };
        let window = &mut device.window;
        match direction {
            Direction::Down => window.frames_down += 1,
            Direction::Up => window.frames_up += 1,
        }
        window.retransmissions += count.retransmissions;
        window.lost += count.lost;
        window.octets += count.octets;
        window.airtime = window.airtime + count.airtime;
    }

    /// Takes what coordinator and devices have to tell.
    fn drain(&mut self, home: &mut Home, plan: &HanPlan, at: Time) {
        self.drain_coordinator(home);
        let utc_s = self.utc_s(at);
        home.drain(plan, utc_s, at);
    }

    fn drain_coordinator(&mut self, home: &mut Home) {
        let Some(han) = self.meter.firmware.image.han_mut() else {
            return;
        };
        while let Some(event) = han.poll_event() {
            match event {
                CoordinatorEvent::Associated { slot } => {
                    home.devices[usize::from(slot)].window.associations += 1;
                }
                CoordinatorEvent::Updated { slot, .. } => {
                    home.devices[usize::from(slot)].window.updates_sent += 1;
                }
                CoordinatorEvent::Answered { slot, answer } => {
                    let window = &mut home.devices[usize::from(slot)].window;
                    window.answers += 1;
                    window.accepted += u64::from(answer.accepted);
                }
                CoordinatorEvent::KeyEnded(epoch) => self.context.telemetry.keys.push(KeyRecord {
                    time: self.now,
                    meter: self.meter.placement.meter,
                    side: Side::Meter,
                    drift_ppb: self.meter.processor.clock.drift_ppb(),
                    epoch,
                }),
                CoordinatorEvent::KeyConfirmed { .. } => {}
            }
        }
    }

    /// An intruder hears a frame; a capture may want it.
    fn overhear(&mut self, home: &mut Home, sender: Sender, psdu: &[u8], received: bool, at: Time) {
        let from_meter = sender == Sender::Meter;
        if let Some(intruder) = &mut home.intruder {
            let heard = if from_meter {
                &mut intruder.heard_down
            } else {
                &mut intruder.heard_up
            };
            heard.clear();
            heard.extend_from_slice(psdu);
        }
        let (fleet, meter) = (self.context.fleet, self.meter.placement.meter);
        let plan = fleet.capture.as_ref();
        if plan.is_some_and(|plan| plan.selects_home(fleet, meter, at)) {
            self.context.telemetry.home_frames.push(HomeFrame {
                time: at,
                meter,
                from_meter,
                received,
                octets: psdu.to_vec(),
            });
        }
    }

    /// The intruder repeats what he has heard, as it was and with a bit altered.
    fn intrude(&mut self, home: &mut Home, plan: &HanPlan, at: Time) {
        let Some(mut intruder) = home.intruder.take() else {
            return;
        };
        if let Some(every) = plan.intruder_every
            && intruder.next <= at
        {
            intruder.next = at + every;
            let down = (Sender::Meter, intruder.heard_down.clone());
            let up = (Sender::Device(usize::MAX), intruder.heard_up.clone());
            for (sender, psdu) in [down, up] {
                if psdu.len() <= FCS_LEN {
                    continue;
                }
                let mut forged = psdu.clone();
                let body = forged.len() - FCS_LEN;
                let at_bit = intruder.stream.below(8 * body as u64) as usize;
                forged[at_bit / 8] ^= 1 << (at_bit % 8);
                let check = fcs(&forged[..body]).to_le_bytes();
                forged[body..].copy_from_slice(&check);
                self.deliver(home, sender, plan.policy.channel, &psdu, at);
                self.deliver(home, sender, plan.policy.channel, &forged, at);
                intruder.sent += 2;
            }
        }
        home.intruder = Some(intruder);
    }
}
