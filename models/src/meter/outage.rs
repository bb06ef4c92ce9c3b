//! A meter without mains: how long it lives on its capacitor, and who hears of it.

use super::MeterHost;
use crate::context::{Exchange, Kind};
use crate::dist::Dist;
use crate::event::Agenda;
use crate::rng::{Purpose, Stream, mix};
use crate::telemetry::OutageRecord;
use crate::time::{Duration, Time};

/// What carries meters over a loss of power, and what counts as one.
#[derive(Clone, Debug, PartialEq)]
pub struct HoldUpPlan {
    /// How long a capacitor lasts, in nanoseconds.
    pub hold_up: Dist,
    /// Share of the meters whose access lasts as long as the meter does, in billionths.
    pub access_ppb: u32,
    /// Shorter outages are not reported.
    pub momentary: Duration,
}

/// A loss of power and what there is against it.
#[derive(Debug, Default)]
pub struct HoldUp {
    /// When mains were lost.
    lost: Option<Time>,
    /// When the capacitor will be empty, or was.
    dark: Option<Time>,
    /// Whether the access has gone with the mains.
    pub(super) severed: bool,
}

impl HoldUp {
    /// The outage at hand, which may be over at `returned`.
    fn record(&self, meter: u32, returned: Option<Time>, end: Time) -> Option<OutageRecord> {
        Some(OutageRecord {
            meter,
            lost: self.lost?,
            dark: self.dark.filter(|dark| *dark <= returned.unwrap_or(end)),
            returned,
        })
    }

    /// The meter goes dark before the capacitor is empty.
    pub(super) fn empty(&mut self, now: Time) {
        self.dark = Some(now);
    }

    /// The outage that has not ended at the end of the run.
    pub(crate) fn pending(&self, meter: u32, end: Time) -> Option<OutageRecord> {
        self.record(meter, None, end)
    }
}

impl<A: Agenda, X: Exchange> MeterHost<'_, '_, '_, '_, A, X> {
    /// Mains are lost; tells whether the meter lives on for a while.
    pub(super) fn hold_up(&mut self) -> bool {
        let fleet = self.context.fleet;
        let placement = *self.meter.placement;
        let supply = &mut *self.meter.supply;
        let (Some(plan), Some(hold_up)) = (&fleet.hold_up, supply.hold_up.as_deref_mut()) else {
            return false;
        };
        // Whether an access outlives the mains is for good, how long a capacitor lasts is not.
        let stream = |seed| Stream::new(seed, placement.meter, Purpose::HoldUp);
        let lasts = stream(fleet.seed).chance(plan.access_ppb);
        let mut charge = stream(fleet.seed ^ mix(self.now.as_nanos()));
        // The router of a home is without power like the home itself.
        let router = fleet.links[usize::from(placement.link)].home.is_some();
        let dark = self.now + plan.hold_up.duration(&mut charge);
        *hold_up = HoldUp {
            lost: Some(self.now),
            dark: Some(dark),
            severed: !lasts || router,
        };
        if !supply.running {
            hold_up.dark = Some(self.now);
            return false;
        }
        let cycle = supply.cycle;
        self.run("mains", |image, utc, env| image.mains_lost(utc, env));
        self.take_metering_events();
        self.darken_home();
        self.post(dark, Kind::Dark, cycle);
        true
    }

    /// The capacitor is empty, unless mains have returned meanwhile.
    pub fn dark(&mut self, cycle: u32) {
        let supply = &*self.meter.supply;
        if supply.powered || !supply.running || supply.cycle != cycle {
            return;
        }
        let hold_up = supply.hold_up.as_deref();
        if hold_up.and_then(|hold_up| hold_up.dark) == Some(self.now) {
            self.go_dark(|image, _, env| image.halt(env));
        }
    }

    /// Mains return; tells whether the meter has lived on, so that nothing starts.
    pub(super) fn ride_through(&mut self) -> bool {
        let meter = self.meter.placement.meter;
        let supply = &mut *self.meter.supply;
        let Some(hold_up) = supply.hold_up.as_deref_mut() else {
            return false;
        };
        let record = hold_up.record(meter, Some(self.now), self.now);
        *hold_up = HoldUp::default();
        self.context.telemetry.outages.extend(record);
        if !supply.running {
            return false;
        }
        supply.powered = true;
        self.energise();
        self.run("mains", |image, utc, env| image.mains_back(utc, env));
        self.power_home();
        true
    }

    /// Whether nothing gets through to the meter, or from it.
    pub(super) fn is_severed(&self) -> bool {
        let hold_up = self.meter.supply.hold_up.as_deref();
        hold_up.is_some_and(|hold_up| hold_up.severed)
    }
}
