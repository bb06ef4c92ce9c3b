//! A meter whose firmware starts anew although power has not failed: it has to boot as well.

use super::MeterHost;
use super::events::Ending;
use crate::concentrator::Admission;
use crate::context::{Exchange, Kind};
use crate::event::Agenda;

impl<A: Agenda, X: Exchange> MeterHost<'_, '_, '_, '_, A, X> {
    /// The firmware has stopped: the meter hears and says nothing until it has booted.
    ///
    /// The measuring part goes on: what it counts meanwhile is reported afterwards.
    pub(super) fn begin_restart(&mut self) {
        if !self.meter.supply.powered {
            // No capacitor carries a meter while it boots.
            let hold_up = self.meter.supply.hold_up.as_deref_mut();
            hold_up
                .into_iter()
                .for_each(|hold_up| hold_up.empty(self.now));
            return self.go_dark(|image, _, env| image.halt(env));
        }
        self.fall_silent("restarting");
        self.darken_optical();
        self.abandon_attempt("restart");
        let cohort = &self.context.fleet.cohorts[usize::from(self.meter.placement.cohort)];
        let supply = &mut *self.meter.supply;
        let boot = cohort.boot.duration(&mut supply.timing);
        let cycle = supply.cycle;
        self.post(self.now + boot, Kind::Boot, cycle);
    }

    /// Nothing that waits is handled or sent any more, for this `cause`.
    pub(super) fn fall_silent(&mut self, cause: &'static str) {
        self.meter.supply.running = false;
        self.meter.supply.cycle += 1;
        self.admit(Admission::Off, self.now);
        while let Some(handle) = self.meter.processor.inbox.pop_front() {
            self.context.pool.release(handle);
        }
        self.drop_waiting(cause);
    }

    /// The authentication under way, if there is one, ends like this.
    pub(super) fn abandon_attempt(&mut self, outcome: &'static str) {
        if let Some(attempt) = self.meter.firmware.attempt.take() {
            let ending = Ending { outcome, key_id: 0 };
            self.record_attempt(attempt, &ending, self.now);
        }
    }
}
