//! One home: its devices, their air, and what is counted of them.

use firmware::crypto::Work;
use firmware::han::{Coordinator, DemandEvent, Device, DeviceEvent, Role};
use firmware::{Env, Instant};

use super::air::Air;
use super::plan::HanPlan;
use crate::alarm::AlarmClock;
use crate::fleet::Fleet;
use crate::rng::{Purpose, Stream, mix};
use crate::time::{Duration, Time};

/// What is counted of one device in one time bin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Frames to the device, each counted once.
    pub frames_down: u64,
    /// Frames of the device, each counted once.
    pub frames_up: u64,
    /// Transmissions that repeat a frame, in both directions.
    pub retransmissions: u64,
    /// Frames of both directions that did not come through.
    pub lost: u64,
    /// Octets of all transmissions, without preambles and acknowledgements.
    pub octets: u64,
    /// Time on the air, with preambles and acknowledgements.
    pub airtime: Duration,
    /// Updates that the meter sent.
    pub updates_sent: u64,
    /// Updates that the device has got.
    pub updates_received: u64,
    /// Time with power in which what the device showed was older than two update periods.
    pub stale: Duration,
    /// Time with power.
    pub powered: Duration,
    /// Link keys that the device has taken into use.
    pub keys: u64,
    /// Times that the device has got a short address.
    pub associations: u64,
    /// Demand events that the device has answered.
    pub answers: u64,
    /// Of these, those in which it takes part.
    pub accepted: u64,
    /// Frames that the device discarded.
    pub rejects: u64,
}

/// A device of a home.
#[derive(Debug)]
pub struct HomeDevice {
    /// Its code.
    pub device: Device,
    /// Its entropy.
    pub(super) entropy: Stream,
    /// When it gets power, if that is to come.
    pub(super) starts: Option<Time>,
    /// What has been counted since it was last taken.
    pub window: Window,
    /// When it got its latest update.
    pub(super) updated: Option<Time>,
    /// Up to when its time has been accounted for.
    accounted: Time,
}

impl HomeDevice {
    /// Accounts for the time up to `now`.
    pub(super) fn account(&mut self, fresh_for: Duration, now: Time) {
        let from = self.accounted;
        self.accounted = now.max(from);
        if !self.device.is_on() {
            return;
        }
        let window = &mut self.window;
        window.powered = window.powered + now.saturating_since(from);
        let stale_from = self
            .updated
            .map_or(from, |updated| from.max(updated + fresh_for));
        window.stale = window.stale + now.saturating_since(stale_from);
    }

    /// Power as shown, in W, and energy of the last 24 hours in Wh, by a display.
    pub fn shown(&self) -> Option<(i32, u64)> {
        let Role::Display(display) = self.device.role() else {
            return None;
        };
        let (usage, _) = display.latest()?;
        Some((usage.power_w, display.hours().watt_hours().iter().sum()))
    }

    /// Calls its code at `now`.
    pub(super) fn with<R>(
        &mut self,
        now: Time,
        act: impl FnOnce(&mut Device, &mut Env<'_>) -> R,
    ) -> R {
        // A device pays with time that nobody waits for.
        let mut work = Work::NONE;
        let now = Instant::from_nanos(now.as_nanos());
        act(
            &mut self.device,
            &mut Env::new(now, &mut self.entropy, &mut work),
        )
    }
}

/// A home.
#[derive(Debug)]
pub struct Home {
    /// Its devices, in the order of their places.
    pub devices: Vec<HomeDevice>,
    pub(super) air: Air,
    /// Entropy of the coordinator.
    pub(super) entropy: Stream,
    /// Draws when devices get power.
    pub(super) timing: Stream,
    pub(super) alarm: AlarmClock,
    /// When the frames of the latest event were over.
    pub(super) quiet_from: Time,
    /// Announcements that have been made.
    pub(super) announced: usize,
    /// The event that the head-end has ordered last, unless it is over.
    pub(super) ordered: Option<DemandEvent>,
    /// What is shed now, in thousandths, and since when.
    pub(super) shed: (u16, Time),
    /// Shed time since the last interval, in thousandths of nanoseconds.
    pub(super) shed_milli_nanos: u128,
    /// The intruder's next move, and what he has heard.
    pub(super) intruder: Option<Intruder>,
}

/// An attacker within reach of a home.
#[derive(Debug)]
pub(super) struct Intruder {
    pub(super) next: Time,
    pub(super) heard_down: Vec<u8>,
    pub(super) heard_up: Vec<u8>,
    pub(super) stream: Stream,
    /// Frames that he has put on the air.
    pub(super) sent: u64,
}

impl Home {
    /// The home of `meter` without power, and its coordinator.
    pub(crate) fn new(fleet: &Fleet, meter: u32, plan: &HanPlan) -> (Self, Coordinator) {
        let slots = 0..plan.devices();
        let enrolments: Vec<_> = slots
            .clone()
            .map(|slot| plan.enrolment(fleet, meter, slot))
            .collect();
        let mut work = Work::default();
        // An address of the meter's own, and a PAN that its neighbours hardly have.
        let address = 0x0200_0000_0000_0000 | u64::from(meter) << 8;
        let pan = (mix(1 + u64::from(meter)) % 0xFFFE) as u16;
        let coordinator = Coordinator::new(plan.policy, address, pan, &enrolments, &mut work);
        let stream = |purpose| Stream::new(fleet.seed, meter, purpose);
        let devices = slots.map(|slot| HomeDevice {
            device: Device::new(
                plan.policy,
                &enrolments[slot],
                plan.role(fleet, meter, slot),
                &mut work,
            ),
            entropy: Stream::new(
                fleet.protocol_seed ^ mix(1 + slot as u64),
                meter,
                Purpose::HomeProtocol,
            ),
            starts: None,
            window: Window::default(),
            updated: None,
            accounted: Time::ZERO,
        });
        let home = Self {
            devices: devices.collect(),
            air: Air::new(stream(Purpose::HomeAir)),
            entropy: Stream::new(fleet.protocol_seed, meter, Purpose::HomeProtocol),
            timing: stream(Purpose::HomeTiming),
            alarm: AlarmClock::default(),
            quiet_from: Time::ZERO,
            announced: 0,
            ordered: None,
            shed: (0, Time::ZERO),
            shed_milli_nanos: 0,
            intruder: plan.intruder_every.map(|every| Intruder {
                next: Time::ZERO + every,
                heard_down: Vec::new(),
                heard_up: Vec::new(),
                stream: stream(Purpose::HomeIntruder),
                sent: 0,
            }),
        };
        (home, coordinator)
    }

    /// The premise gets power at `now`: its devices follow.
    pub(super) fn power_on(&mut self, plan: &HanPlan, now: Time) {
        for device in &mut self.devices {
            device.starts = Some(now + plan.device_boot.duration(&mut self.timing));
        }
    }

    /// The premise loses power at `now`.
    pub(super) fn power_off(&mut self, plan: &HanPlan, now: Time) {
        self.account(plan, now);
        self.shed_now(0, now);
        for device in &mut self.devices {
            device.starts = None;
            device.device.power_off();
        }
    }

    /// Accounts for the time of all devices up to `now`.
    pub fn account(&mut self, plan: &HanPlan, now: Time) {
        let fresh_for = plan.policy.update_period.scaled(2, 1);
        for device in &mut self.devices {
            device.account(fresh_for, now);
        }
    }

    /// Lets energy management systems act on the time `utc_s`.
    ///
    /// Where `responds` says that the cohort has a response to demand events, that stands for them.
    pub(super) fn manage(&mut self, responds: bool, utc_s: u32, now: Time) {
        let shed = self.devices.iter().filter(|device| device.device.is_on());
        let shed = shed.map(|device| match device.device.role() {
            Role::Hems(hems) => hems.shed_permille(utc_s),
            Role::Display(_) => 0,
        });
        let shed = shed.max().filter(|_| !responds);
        self.shed_now(shed.unwrap_or(0), now);
    }

    fn shed_now(&mut self, permille: u16, now: Time) {
        let (before, since) = core::mem::replace(&mut self.shed, (permille, now));
        let nanos = u128::from(now.saturating_since(since).as_nanos());
        self.shed_milli_nanos += u128::from(before) * nanos;
    }

    /// The share of an interval's energy that is used in spite of shedding; `now` it is over.
    pub(crate) fn unshed(&mut self, interval: Duration, now: Time) -> f64 {
        self.shed_now(self.shed.0, now);
        let shed = core::mem::take(&mut self.shed_milli_nanos) as f64;
        (1.0 - shed / 1_000.0 / interval.as_nanos().max(1) as f64).max(0.0)
    }

    /// Takes what the devices have to tell at `now`.
    pub(super) fn drain(&mut self, plan: &HanPlan, utc_s: u32, now: Time) {
        let fresh_for = plan.policy.update_period.scaled(2, 1);
        for device in &mut self.devices {
            let local = Instant::from_nanos(now.as_nanos());
            while let Some(event) = device.device.poll_event(utc_s, local) {
                match event {
                    DeviceEvent::Updated { .. } => {
                        device.account(fresh_for, now);
                        device.updated = Some(now);
                        device.window.updates_received += 1;
                    }
                    DeviceEvent::KeyInstalled { .. } => device.window.keys += 1,
                    DeviceEvent::Noted | DeviceEvent::Lost => {}
                }
            }
        }
    }

    /// When something is due next among devices, announcements and the intruder.
    pub(super) fn next(&self, plan: &HanPlan) -> Time {
        let devices = self.devices.iter().map(|device| {
            let deadline = device.device.poll_timeout();
            let deadline = deadline.map(|at| Time(at.as_nanos()));
            let deadline = deadline.unwrap_or(Time::FAR_FUTURE);
            device.starts.unwrap_or(Time::FAR_FUTURE).min(deadline)
        });
        let announcement = plan.announcements.get(self.announced);
        let announcement = announcement.map_or(Time::FAR_FUTURE, |event| event.at);
        let intruder = self.intruder.as_ref();
        let intruder = intruder.map_or(Time::FAR_FUTURE, |intruder| intruder.next);
        devices.fold(announcement.min(intruder), Time::min)
    }
}
