//! A meter whose power comes and goes.

use firmware::Env;
use firmware::meter::Meter;

use super::MeterHost;
use crate::concentrator::Admission;
use crate::context::{Exchange, Kind};
use crate::event::Agenda;
use crate::rng::{Purpose, Stream, mix};
use crate::telemetry::Milestone;

impl<A: Agenda, X: Exchange> MeterHost<'_, '_, '_, '_, A, X> {
    /// Power comes on: the firmware will start after its boot time.
    pub fn power_on(&mut self) {
        if self.meter.supply.powered || self.ride_through() {
            return;
        }
        let supply = &mut *self.meter.supply;
        supply.powered = true;
        supply.returned = supply.cycle > 0;
        let milestone = if supply.returned {
            Milestone::Returned
        } else {
            Milestone::Powered
        };
        let milestone = (self.now, self.meter.placement.meter, milestone);
        self.context.telemetry.milestones.push(milestone);
        self.energise();
        let supply = &mut *self.meter.supply;
        let cohort = &self.context.fleet.cohorts[usize::from(self.meter.placement.cohort)];
        let boot = cohort.boot.duration(&mut supply.timing);
        let home = &self.context.fleet.links[usize::from(self.meter.placement.link)].home;
        let (cycle, returned) = (supply.cycle, supply.returned);
        let time = match home {
            // The router of the home has lost its power as well; at first it is already there.
            Some(home) if returned => {
                let seed = self.context.fleet.seed ^ mix(cycle.into());
                let mut stream = Stream::new(seed, self.meter.placement.meter, Purpose::Router);
                home.online(self.now, boot, &mut stream)
            }
            _ => self.now + boot,
        };
        self.post(time, Kind::Boot, cycle);
        self.power_home();
    }

    /// Power is lost: what is not in non-volatile memory is gone.
    pub fn power_off(&mut self) {
        if !self.meter.supply.powered {
            return;
        }
        self.measure();
        self.meter.supply.powered = false;
        if !self.hold_up() {
            self.go_dark(|image, utc, env| image.power_off(utc, env));
        }
    }

    /// The firmware stops as `stop` tells it to.
    pub(super) fn go_dark(&mut self, stop: impl FnOnce(&mut Meter, u32, &mut Env<'_>)) {
        self.fall_silent("unpowered");
        self.with_firmware(stop);
        self.take_metering_events();
        self.drain_events();
        self.meter.supply.restarting = false;
        self.darken_home();
        self.darken_optical();
        self.abandon_attempt("power_lost");
    }

    /// The firmware starts, unless power was lost again meanwhile.
    pub fn boot(&mut self, cycle: u32) {
        if !self.meter.supply.powered || self.meter.supply.cycle != cycle {
            return;
        }
        self.meter.supply.running = true;
        self.admit(Admission::Joining, self.now);
        if core::mem::take(&mut self.meter.supply.restarting) {
            self.run("restart", |image, utc, env| image.restart(utc, env));
            return;
        }
        let trigger = if cycle == 0 {
            "power_on"
        } else {
            "power_return"
        };
        self.run(trigger, |image, utc, env| image.power_on(utc, env));
        if self.meter.firmware.image.is_open() {
            // Its session and keys are in non-volatile memory.
            self.rejoin();
        }
    }

    /// Notes that the meter is back after an interruption, once for each.
    pub(super) fn rejoin(&mut self) {
        if core::mem::take(&mut self.meter.supply.returned) {
            let milestone = (self.now, self.meter.placement.meter, Milestone::Rejoined);
            self.context.telemetry.milestones.push(milestone);
        }
    }
}
