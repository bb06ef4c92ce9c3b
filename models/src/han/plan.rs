//! What a cohort has in its homes.

use firmware::crypto::{Secret, Work};
use firmware::han::{DEVICES_MAX, Enrolment, Hems, HemsConfig, InstallCode, Policy, Role};

use super::air::AirPlan;
use crate::dist::{self, Dist};
use crate::fleet::Fleet;
use crate::rng::{Purpose, Stream, mix};
use crate::time::{Duration, Time};

/// A demand event that meters tell their devices, having been told of it before the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// When meters tell their devices.
    pub at: Time,
    /// When it begins.
    pub start: Time,
    /// How long it lasts, in minutes.
    pub minutes: u16,
    /// By how much, in percent of what can be shed.
    pub reduction_percent: u8,
}

/// Somebody keeps the channel of every home busy for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jamming {
    /// When it begins.
    pub from: Time,
    /// When it ends.
    pub until: Time,
}

/// The home area networks of a cohort.
#[derive(Clone, Debug, PartialEq)]
pub struct HanPlan {
    /// The rules of the network.
    pub policy: Policy,
    /// Displays in each home.
    pub displays: u32,
    /// Energy management systems in each home.
    pub hems: u32,
    /// From the power of the meter to that of a device, in nanoseconds.
    pub device_boot: Dist,
    /// The air.
    pub air: AirPlan,
    /// Price in thousandths of the currency unit per kWh.
    pub price_mills: u16,
    /// Local time ahead of UTC in seconds.
    pub utc_offset_s: i32,
    /// Share of a premise's power that an energy management system can shed, in thousandths.
    pub sheddable_permille: u16,
    /// Share of the systems whose owner lets them take part in demand events, in billionths.
    pub participation_ppb: u32,
    /// Demand events, in order of their announcement.
    pub announcements: Vec<Announcement>,
    /// Jammers.
    pub jamming: Vec<Jamming>,
    /// An attacker next to each home who repeats and alters what he has heard, this often.
    pub intruder_every: Option<Duration>,
}

impl HanPlan {
    /// Devices in each home, as many as a network can have.
    pub fn devices(&self) -> usize {
        (self.displays as usize + self.hems as usize).min(DEVICES_MAX)
    }

    /// The installation keys of the devices of `meter`, for a key log.
    pub fn installation_keys(&self, fleet: &Fleet, meter: u32) -> Vec<Secret<16>> {
        let slots = 0..self.devices();
        slots
            .map(|slot| self.enrolment(fleet, meter, slot).key)
            .collect()
    }

    /// The device in place `slot` of the home of `meter`, as both of its ends know it.
    pub(super) fn enrolment(&self, fleet: &Fleet, meter: u32, slot: usize) -> Enrolment {
        let seed = fleet.seed ^ mix(1 + slot as u64);
        let mut stream = Stream::new(seed, meter, Purpose::HomeDevice);
        let code = InstallCode::new(dist::key(&mut stream));
        // Locally administered: the meter's number and the place of the device.
        let address = 0x0200_0000_0000_0000 | u64::from(meter) << 8 | (slot as u64 + 1);
        Enrolment {
            address,
            key: code.key(address, &mut Work::default()),
        }
    }

    /// What the device in place `slot` is for: displays come first.
    pub(super) fn role(&self, fleet: &Fleet, meter: u32, slot: usize) -> Role {
        if slot < self.displays as usize {
            let display = firmware::han::Display::new(self.utc_offset_s);
            return Role::Display(Box::new(display));
        }
        let seed = fleet.seed ^ mix(1 + slot as u64);
        let mut stream = Stream::new(seed, meter, Purpose::HomeParticipation);
        Role::Hems(Hems::new(HemsConfig {
            sheddable_permille: self.sheddable_permille,
            takes_part: stream.chance(self.participation_ppb),
        }))
    }
}
