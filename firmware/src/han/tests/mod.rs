//! A house on a bench: one coordinator, its devices, and the air between them.

mod frames;
mod joining;
mod properties;
mod roles;
mod rotation;

use std::boxed::Box;
use std::vec;
use std::vec::Vec;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::crypto::{Secret, Work};
use crate::time::{Duration, Instant};
use crate::ukmf::{EndReason, KeySummary, RootKey};
use crate::{Env, Rng};

const METER: u64 = 0x0021_4700_0000_0001;
const PAN: u16 = 0x5A17;
const TITLE: &[u8] = &[0x60, 0x7C, 0x86, 0xF7, 0x54, 0x01, 0x16, 0x00, 0x01];
const HOUR: Duration = Duration::from_secs(3_600);
/// 2026-01-15 00:00:00 UTC.
const START_UTC_S: u32 = 1_768_435_200;

/// A frame as it was on the air.
#[derive(Clone, Debug)]
struct Sent {
    at: Instant,
    /// From the meter, or from a device.
    from: Option<usize>,
    transmit: Transmit,
    psdu: Vec<u8>,
}

struct House {
    now: Instant,
    coordinator: Coordinator,
    devices: Vec<Device>,
    rng: ChaCha8Rng,
    work: Work,
    /// Loss of a frame in percent, and of an acknowledgement.
    loss_percent: u32,
    /// Devices that nothing reaches.
    deaf: Vec<usize>,
    air: Vec<Sent>,
    rejects: Vec<(Option<usize>, Reject)>,
    updates: Vec<(usize, u32)>,
    confirmed: Vec<(u8, u8)>,
    answers: Vec<EventAnswer>,
    ended: Vec<KeySummary>,
    lost: u32,
}

fn enrolment(slot: u64) -> Enrolment {
    let address = 0x0021_4700_00AA_0000 + slot;
    let code = InstallCode::new([slot as u8 + 1; 16]);
    Enrolment {
        address,
        key: code.key(address, &mut Work::default()),
    }
}

fn display() -> Role {
    Role::Display(Box::new(Display::new(0)))
}

impl House {
    fn new(roles: Vec<Role>) -> Self {
        let policy = Policy::default();
        let mut work = Work::default();
        let enrolments: Vec<_> = (0..roles.len() as u64).map(enrolment).collect();
        let mut coordinator = Coordinator::new(policy, METER, PAN, &enrolments, &mut work);
        coordinator.power_on();
        let devices = roles.into_iter().zip(&enrolments);
        let devices = devices
            .map(|(role, enrolment)| Device::new(policy, enrolment, role, &mut work))
            .collect();
        Self {
            now: Instant::ZERO,
            coordinator,
            devices,
            rng: ChaCha8Rng::seed_from_u64(7),
            work,
            loss_percent: 0,
            deaf: vec![],
            air: vec![],
            rejects: vec![],
            updates: vec![],
            confirmed: vec![],
            answers: vec![],
            ended: vec![],
            lost: 0,
        }
    }

    /// A house in which the meter is authenticated and every device has joined.
    fn joined(roles: Vec<Role>) -> Self {
        let mut house = Self::new(roles);
        house.authenticate(1);
        house.power_on_all();
        house.run(Duration::from_secs(30));
        assert!(house.devices.iter().all(Device::is_joined));
        house
    }

    fn power_on_all(&mut self) {
        for device in &mut self.devices {
            let mut env = Env::new(self.now, &mut self.rng, &mut self.work);
            device.power_on(&mut env);
        }
    }

    fn authenticate(&mut self, kid32: u32) {
        let session = [kid32 as u8; 33];
        let emsk = Secret::new([kid32 as u8; 64]);
        let root = RootKey::derive(&emsk, &session, &mut self.work);
        let key_id = crate::ukmf::hierarchy::key_id(kid32, 1, 0);
        let mut env = Env::new(self.now, &mut self.rng, &mut self.work);
        self.coordinator
            .install(root, (&session, TITLE), (kid32, key_id), HOUR, &mut env);
    }

    fn utc_s(&self) -> u32 {
        START_UTC_S + self.now.as_secs() as u32
    }

    fn usage(&self) -> Usage {
        let seconds = self.now.as_secs();
        Usage {
            tier: 1,
            utc_s: self.utc_s(),
            power_w: 720,
            energy_wh: 1_000_000 + seconds / 5,
            price_mills: 110,
        }
    }

    /// Lets everything happen that is due within `length`.
    fn run(&mut self, length: Duration) {
        let end = self.now + length;
        loop {
            self.settle();
            let devices = self.devices.iter().map(Device::poll_timeout);
            let next = devices
                .chain([self.coordinator.poll_timeout()])
                .flatten()
                .min();
            match next {
                Some(at) if at < end => self.now = self.now.max(at),
                _ => break,
            }
        }
        self.now = end;
    }

    /// Deadlines, then frames, until there is nothing to send.
    fn settle(&mut self) {
        let usage = self.usage();
        let mut env = Env::new(self.now, &mut self.rng, &mut self.work);
        self.coordinator.handle_timeout(&usage, &mut env);
        for device in &mut self.devices {
            device.handle_timeout(&mut env);
        }
        for _ in 0..1_000 {
            self.drain();
            if !(self.send_from_meter() | self.send_from_devices()) {
                return;
            }
        }
        panic!("the air is never quiet at {:?}", self.now);
    }

    fn send_from_meter(&mut self) -> bool {
        let mut out = [0xA5; frame::PSDU_MAX];
        let mut env = Env::new(self.now, &mut self.rng, &mut self.work);
        let Some(transmit) = self.coordinator.poll_transmit(&mut out, &mut env) else {
            return false;
        };
        let psdu = &out[..transmit.len];
        let delivered = self.fly(None, transmit, psdu);
        self.coordinator.confirm(delivered, self.now);
        true
    }

    fn send_from_devices(&mut self) -> bool {
        let mut any = false;
        for index in 0..self.devices.len() {
            let mut out = [0xA5; frame::PSDU_MAX];
            let mut env = Env::new(self.now, &mut self.rng, &mut self.work);
            let sent = self.devices[index].poll_transmit(&mut out, &mut env);
            let Some(transmit) = sent else { continue };
            any = true;
            let delivered = self.fly(Some(index), transmit, &out[..transmit.len]);
            self.devices[index].confirm(delivered, self.now);
        }
        any
    }

    /// Sends a frame up to four times; returns whether it was acknowledged, if it asked for that.
    fn fly(&mut self, from: Option<usize>, transmit: Transmit, psdu: &[u8]) -> bool {
        let tries = if transmit.acknowledged { 4 } else { 1 };
        for _ in 0..tries {
            self.now += Duration::from_millis(3);
            self.air.push(Sent {
                at: self.now,
                from,
                transmit,
                psdu: psdu.to_vec(),
            });
            let received = !self.drops() && self.deliver(from, transmit.channel, psdu);
            if received && !self.drops() {
                return true;
            }
        }
        !transmit.acknowledged
    }

    fn drops(&mut self) -> bool {
        self.rng.next_u32() % 100 < self.loss_percent
    }

    /// Hands a frame to whoever may hear it; returns whether its receiver could acknowledge it.
    fn deliver(&mut self, from: Option<usize>, channel: u8, psdu: &[u8]) -> bool {
        if from.is_some() {
            let mut env = Env::new(self.now, &mut self.rng, &mut self.work);
            let on_channel = channel == Policy::default().channel;
            let hears = on_channel && from.is_none_or(|index| !self.deaf.contains(&index));
            if hears && let Err(reject) = self.coordinator.handle_frame(psdu, &mut env) {
                self.rejects.push((None, reject));
            }
            return hears;
        }
        let mut heard = false;
        for (index, device) in self.devices.iter_mut().enumerate() {
            if device.channel() != Some(channel) || self.deaf.contains(&index) {
                continue;
            }
            let mut env = Env::new(self.now, &mut self.rng, &mut self.work);
            match device.handle_frame(psdu, channel, &mut env) {
                Err(Reject::Foreign) => {}
                Ok(()) => heard = true,
                Err(reject) => {
                    heard = true;
                    self.rejects.push((Some(index), reject));
                }
            }
        }
        heard
    }

    fn drain(&mut self) {
        while let Some(event) = self.coordinator.poll_event() {
            match event {
                CoordinatorEvent::KeyConfirmed { slot, key_id } => {
                    self.confirmed.push((slot, key_id));
                }
                CoordinatorEvent::KeyEnded(summary) => self.ended.push(summary),
                CoordinatorEvent::Answered { answer, .. } => self.answers.push(answer),
                CoordinatorEvent::Associated { .. } | CoordinatorEvent::Updated { .. } => {}
            }
        }
        let utc_s = self.utc_s();
        for (index, device) in self.devices.iter_mut().enumerate() {
            while let Some(event) = device.poll_event(utc_s, self.now) {
                match event {
                    DeviceEvent::Updated { utc_s } => self.updates.push((index, utc_s)),
                    DeviceEvent::Lost => self.lost += 1,
                    DeviceEvent::KeyInstalled { .. } | DeviceEvent::Noted => {}
                }
            }
        }
    }

    /// Updates that `device` has got since there were `before` in all.
    fn updates_since(&self, before: usize, device: usize) -> usize {
        let updates = self.updates[before..].iter();
        updates.filter(|(index, _)| *index == device).count()
    }

    fn end_reasons(&self) -> Vec<EndReason> {
        self.ended.iter().filter_map(|key| key.reason).collect()
    }
}
