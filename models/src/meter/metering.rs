//! From the premise to the measuring part of the firmware: sensors and their samples.

use std::sync::Arc;

use firmware::Instant;
use firmware::meter::Meter;
use firmware::metrology::{self, Energy, EventKind, Instantaneous, QUANTITIES, Quantity, Sample};

use super::MeterHost;
use super::sensor::{AccuracyClass, Sensor};
use crate::clock::Clock;
use crate::context::{Exchange, Kind};
use crate::distribution::interval_at;
use crate::event::Agenda;
use crate::load::{Flow, House, Household, HouseholdPlan, frequency_mhz, voltage_deviation};
use crate::telemetry::{ReadRecord, RegisterReason, RegisterRecord};
use crate::time::{Duration, Time};

/// Nominal voltage of a service of form 2S, in V.
const NOMINAL_V: f64 = 240.0;
/// Resistance of service drop and transformer as seen from the meter, in ohms.
const SERVICE_OHM: f64 = 0.08;
/// Temperature at which sensors are specified; theirs follows the weather where there is one.
const REFERENCE_C: f64 = 23.0;

/// What the shares of recorded energy may lack in mWh, so that all of it adds up to the mWh.
const ROUNDING_MWH: f64 = 1e-3;

/// Meters of a cohort that measure everything.
#[derive(Clone, Debug)]
pub struct MeteringPlan {
    /// The measuring part of the firmware.
    pub firmware: Arc<metrology::Config>,
    /// The households.
    pub household: HouseholdPlan,
    /// The sensors.
    pub class: AccuracyClass,
}

/// The measuring side of one meter.
#[derive(Clone, Debug)]
pub struct Metering {
    household: Household,
    sensor: Sensor,
    /// Until when the firmware knows what was measured.
    until: Time,
    /// Whether the service switch is closed.
    connected: bool,
    /// Energy below one mWh that the firmware has not been told, in mWh.
    rest: [f64; QUANTITIES],
    /// Wh delivered in all intervals of the load profile so far, where a channel records that.
    profile_wh: Option<u64>,
    /// Share of its consumption that the household leaves out for its energy managers, in permille.
    pub(crate) shed_permille: u16,
    /// When the next [`Kind::Measure`] is due, if one is under way.
    tick: Option<Time>,
}

impl Metering {
    /// The measuring side of `meter`, which counts what `house` uses.
    ///
    /// Where `recorded` energy is replayed, the house counts for nothing.
    pub(crate) fn new(
        plan: &MeteringPlan,
        house: House,
        recorded: Option<&Arc<[i32]>>,
        (seed, meter): (u64, u32),
    ) -> Self {
        let household = Household::new(&plan.household, house, seed, meter);
        Self {
            household: household.replaying(recorded),
            sensor: Sensor::new(plan.class, seed, meter),
            until: Time::ZERO,
            connected: true,
            rest: [0.0; QUANTITIES],
            profile_wh: plan
                .firmware
                .profile
                .quantities()
                .any(is_delivered)
                .then_some(0),
            shed_permille: 0,
            tick: None,
        }
    }

    /// Power drawn from the grid now if the switch is closed, in W.
    pub fn watts(&self) -> f64 {
        self.household.present().watts
    }

    /// The registers of `image` at the end of the run.
    pub(crate) fn last_record(
        &self,
        image: &Meter,
        meter: u32,
        now: Time,
    ) -> Option<RegisterRecord> {
        let metrology = image.metrology()?;
        Some(RegisterRecord {
            time: now,
            meter,
            utc_s: metrology.accounted_until()?.as_secs(),
            reason: RegisterReason::End,
            registers: *metrology.registers(),
            profile_wh: self.profile_wh,
        })
    }

    /// What the sensors make of `flow` over `length` until `end`.
    fn sample(&mut self, flow: Flow, length: Duration, end: Time, place: &Place) -> Sample {
        let apparent = libm::hypot(flow.watts, flow.vars);
        let feeder = 1.0 + voltage_deviation(place.seed, place.feeder, end);
        let amperes = apparent / NOMINAL_V;
        let direction = if flow.watts < 0.0 { -1.0 } else { 1.0 };
        let volts = (NOMINAL_V * feeder - direction * SERVICE_OHM * amperes).max(0.0);
        let amperes = if volts > 0.0 { apparent / volts } else { 0.0 };
        let tan_phi = if flow.watts == 0.0 {
            0.0
        } else {
            flow.vars / flow.watts
        };
        // What was recorded has the error of its meter already.
        let recorded = self.household.is_recorded();
        let (gain, slack) = if recorded {
            (1.0, ROUNDING_MWH)
        } else {
            (
                1.0 + self.sensor.error(amperes, tan_phi, place.celsius),
                0.0,
            )
        };
        let (watts, vars) = (flow.watts * gain, flow.vars * gain);
        let hours = length.as_nanos() as f64 / 3.6e12;
        let powers = [
            watts.max(0.0),
            (-watts).max(0.0),
            vars.max(0.0),
            (-vars).max(0.0),
        ];
        let mut energy = [0; QUANTITIES];
        for ((energy, rest), power) in energy.iter_mut().zip(&mut self.rest).zip(powers) {
            let exact = power * hours * 1_000.0 + *rest;
            let whole = libm::floor(exact + slack);
            *energy = whole as u64;
            *rest = exact - whole;
        }
        Sample {
            energy: Energy(energy),
            now: Instantaneous {
                watts: watts as i32,
                vars: vars as i32,
                millivolts: (volts * 1_000.0) as u32,
                milliamperes: (amperes * 1_000.0) as u32,
                millihertz: frequency_mhz(place.seed, end),
            },
        }
    }
}

fn is_delivered(quantity: Quantity) -> bool {
    quantity == Quantity::Delivered
}

/// The time of a household at `from`, and when its power changes next.
///
/// What a meter has recorded follows the clock of a meter, people do not.
fn step_of(plan: &HouseholdPlan, clock: &Clock, from: Time) -> (Duration, Time) {
    let step = plan.step().as_nanos();
    let next = |nanos: u64| (nanos / step + 1) * step;
    if plan.recorded.is_some() {
        let nanos = clock.read(from).as_nanos();
        let end = clock.when(Instant::from_nanos(next(nanos)));
        (Duration::from_nanos(nanos), end)
    } else {
        let nanos = from.as_nanos();
        (Duration::from_nanos(nanos), Time(next(nanos)))
    }
}

/// What a sample depends on besides the household.
struct Place {
    seed: u64,
    feeder: u32,
    celsius: f64,
}

impl<A: Agenda, X: Exchange> MeterHost<'_, '_, '_, '_, A, X> {
    /// Tells the firmware everything that was measured until now.
    pub(crate) fn measure(&mut self) {
        if !self.meter.supply.powered {
            return;
        }
        let premise = &mut *self.meter.premise;
        let Some(metering) = premise.metering.as_deref_mut() else {
            return;
        };
        let fleet = self.context.fleet;
        let placement = *self.meter.placement;
        let cohort = &fleet.cohorts[usize::from(placement.cohort)];
        let Some(plan) = &cohort.metering else {
            return;
        };
        while metering.until < self.now {
            let from = metering.until;
            let clock = &self.meter.processor.clock;
            let (since_start, end) = step_of(&plan.household, clock, from);
            let end = end.min(self.now);
            let household = &mut metering.household;
            let mut flow = household.flow(&plan.household, &fleet.load, since_start);
            if flow.watts > 0.0 {
                let used = 1.0 - f64::from(metering.shed_permille) / 1_000.0;
                (flow.watts, flow.vars) = (flow.watts * used, flow.vars * used);
            }
            if let Some(response) = &mut premise.response {
                flow.watts += response.balance_watts(flow.watts, from, end);
            }
            if !metering.connected {
                flow = Flow::default();
            }
            let celsius = plan
                .household
                .devices
                .as_ref()
                .map_or(REFERENCE_C, |devices| {
                    let second = fleet.start_utc_s + from.as_secs();
                    devices.weather.temperature_c(fleet.seed, second)
                });
            let place = Place {
                seed: fleet.seed,
                // The meters of a cohort hang on one feeder.
                feeder: u32::from(placement.cohort),
                celsius,
            };
            let local = clock.read(end);
            let length = if plan.household.recorded.is_some() {
                local.saturating_since(Instant::ZERO + since_start)
            } else {
                end.saturating_since(from)
            };
            let hours = end.saturating_since(from).as_nanos() as f64 / 3.6e12;
            let milliwatt_hours = libm::round(flow.watts * hours * 1_000.0) as i64;
            let interval = interval_at(from, fleet.reports.interval);
            let feeder = fleet.feeder_of(placement.meter);
            let loads = &mut self.context.telemetry.feeder_loads;
            loads.add(interval, feeder, milliwatt_hours);
            let sample = metering.sample(flow, length, end, &place);
            let utc = (fleet.start_utc_s + local.as_secs()) as u32;
            self.meter.firmware.image.measure(&sample, utc, local);
            metering.until = end;
        }
        self.take_metering_events();
    }

    /// Power has returned at the mains: measuring begins at once.
    pub(super) fn energise(&mut self) {
        let Some(metering) = self.meter.premise.metering.as_deref_mut() else {
            return;
        };
        metering.until = self.now;
        // Energy managers start anew, too.
        metering.shed_permille = 0;
        let local = self.meter.processor.clock.read(self.now);
        let utc = (self.context.fleet.start_utc_s + local.as_secs()) as u32;
        self.meter.firmware.image.energise(utc, local);
        self.take_metering_events();
        self.expect_measurement();
    }

    /// Something may be due for a limit of demand.
    pub fn measure_tick(&mut self) {
        let Some(metering) = self.meter.premise.metering.as_deref_mut() else {
            return;
        };
        // A later tick may have been replaced by an earlier one.
        if metering.tick.take_if(|due| *due <= self.now).is_some() {
            self.measure();
            self.run("schedule", |_, _, _| ());
            self.expect_measurement();
        }
    }

    /// The switch has moved: what follows is measured with or without the household.
    pub(super) fn reconnect(&mut self, closed: bool) -> Option<f64> {
        let metering = self.meter.premise.metering.as_deref_mut()?;
        metering.connected = closed;
        Some(metering.watts())
    }

    /// Lets the effects of what was measured happen, and records it.
    pub(super) fn take_metering_events(&mut self) {
        let local = self.meter.processor.clock.read(self.now);
        let utc = (self.context.fleet.start_utc_s + local.as_secs()) as u32;
        while let Some(event) = self.meter.firmware.image.poll_metrology_event(utc, local) {
            self.record_metering(&event);
        }
    }

    fn record_metering(&mut self, event: &metrology::Event) {
        let meter = self.meter.placement.meter;
        let Some(metering) = self.meter.premise.metering.as_deref_mut() else {
            return;
        };
        let telemetry = &mut *self.context.telemetry;
        let (reason, registers) = match &event.kind {
            EventKind::Interval(interval) => {
                let fleet = self.context.fleet;
                let Some(metrology) = self.meter.firmware.image.metrology() else {
                    return;
                };
                let mut channels = metrology.config().profile.quantities().zip(interval.counts);
                let delivered = channels.find(|(of, _)| is_delivered(*of));
                let watt_hours = delivered.map_or(0, |(_, count)| u32::from(count));
                if let Some(sum) = &mut metering.profile_wh {
                    *sum += u64::from(watt_hours);
                }
                let since_s = u64::from(interval.end_utc_s).saturating_sub(fleet.start_utc_s);
                let number = since_s / fleet.reports.interval.as_secs().max(1);
                telemetry.due.push(ReadRecord {
                    meter,
                    interval: u32::try_from(number).unwrap_or(u32::MAX),
                    due: self.now,
                    delivered: None,
                    watt_hours,
                });
                return;
            }
            EventKind::DayEnded(registers) => (RegisterReason::Day, registers),
            EventKind::DemandReset(registers) => (RegisterReason::DemandReset, registers),
            _ => return,
        };
        telemetry.registers.push(RegisterRecord {
            time: self.now,
            meter,
            utc_s: event.utc_s,
            reason,
            registers: **registers,
            profile_wh: metering.profile_wh,
        });
    }

    /// Where demand is limited, measures at every change of power and when the limit trips.
    fn expect_measurement(&mut self) {
        let cohort = &self.context.fleet.cohorts[usize::from(self.meter.placement.cohort)];
        let Some(plan) = cohort
            .metering
            .as_ref()
            .filter(|plan| plan.firmware.limit.is_some())
        else {
            return;
        };
        if !self.meter.supply.powered {
            return;
        }
        let clock = &self.meter.processor.clock;
        let (_, mut due) = step_of(&plan.household, clock, self.now);
        if let Some(metrology) = self.meter.firmware.image.metrology()
            && let (Some(trips), Some(at)) = (metrology.limit_due(), metrology.accounted_until())
        {
            // A clock's drift is far below the microsecond over such a while.
            let wait = trips.saturating_since(at) + Duration::from_micros(1);
            due = due.min(self.now + wait);
        }
        if let Some(metering) = self.meter.premise.metering.as_deref_mut() {
            metering.tick = Some(due);
        }
        if due.as_nanos() < self.context.fleet.duration.as_nanos() {
            self.post(due, Kind::Measure, 0);
        }
    }
}
