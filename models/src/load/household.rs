//! A household as its meter sees it: power at every moment, active and reactive.

use std::sync::Arc;

use firmware::metrology::Calendar;

use super::devices::{DeviceKinds, Devices, EndUses};
use super::{House, LoadModel, replay};
use crate::rng::{Purpose, Stream};
use crate::time::Duration;

/// Length of a step without devices: the hourly shape with variation.
const COARSE_S: u64 = 900;
/// Length of a step with devices.
const FINE_S: u64 = 60;

/// What the households of a cohort have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct HouseholdPlan {
    /// Seed of what all households share: the weather.
    pub seed: u64,
    /// Civil time of the start of the run, in seconds since 1970.
    pub start_utc_s: u64,
    /// Whose local time households live by.
    pub calendar: Arc<Calendar>,
    /// Devices; none is the hourly shape with variation alone.
    pub devices: Option<DeviceKinds>,
    /// Length of the intervals of recorded data, where households replay those.
    pub recorded: Option<Duration>,
    end_uses: Option<EndUses>,
}

impl HouseholdPlan {
    /// A plan.
    pub fn new(
        seed: u64,
        start_utc_s: u64,
        calendar: Arc<Calendar>,
        devices: Option<DeviceKinds>,
    ) -> Self {
        let appliances = devices.as_ref().is_some_and(|devices| devices.appliances);
        Self {
            seed,
            start_utc_s,
            calendar,
            devices,
            recorded: None,
            end_uses: appliances.then(EndUses::shipped),
        }
    }

    /// How long power stays the same.
    pub const fn step(&self) -> Duration {
        match self.recorded {
            Some(interval) => interval,
            None => Duration::from_secs(self.step_s()),
        }
    }

    const fn step_s(&self) -> u64 {
        if self.devices.is_some() {
            FINE_S
        } else {
            COARSE_S
        }
    }
}

/// Power at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Flow {
    /// Active power in W; negative towards the grid.
    pub watts: f64,
    /// Reactive power in var; negative leads.
    pub vars: f64,
}

/// One household.
#[derive(Clone, Debug)]
pub struct Household {
    house: House,
    devices: Option<Box<Devices>>,
    /// Recorded energy of the intervals in mWh, instead of all that.
    recorded: Option<Arc<[i32]>>,
    /// Reactive power of the hourly shape, relative to its active power.
    tan_phi: f64,
    /// Number of the step in force plus one; 0 before the first.
    steps: u64,
    flow: Flow,
    /// What follows the hourly shape.
    shaped: Flow,
    /// Local time minus UTC, and until when it stays so.
    offset_s: i32,
    offset_until_utc_s: u32,
}

impl Household {
    /// The household of `meter` in the house that it measures.
    pub fn new(plan: &HouseholdPlan, house: House, seed: u64, meter: u32) -> Self {
        let mut stream = Stream::new(seed, meter, Purpose::Household);
        // Power factor 0.92 to 0.98.
        let power_factor = 0.92 + 0.06 * stream.unit();
        let tan_phi = libm::sqrt(1.0 - power_factor * power_factor) / power_factor;
        let devices = plan.devices.as_ref();
        Self {
            house,
            devices: devices.map(|kinds| Box::new(Devices::new(kinds, stream))),
            recorded: None,
            tan_phi,
            steps: 0,
            flow: Flow::default(),
            shaped: Flow::default(),
            offset_s: 0,
            offset_until_utc_s: 0,
        }
    }

    /// The same household, which replays recorded energy.
    pub fn replaying(mut self, series: Option<&Arc<[i32]>>) -> Self {
        self.recorded = series.map(Arc::clone);
        self
    }

    /// Whether it replays what a meter has recorded.
    pub const fn is_recorded(&self) -> bool {
        self.recorded.is_some()
    }

    /// Power in the step that `since_start` lies in; steps are asked for in order.
    pub fn flow(&mut self, plan: &HouseholdPlan, model: &LoadModel, since_start: Duration) -> Flow {
        if let (Some(series), Some(interval)) = (&self.recorded, plan.recorded) {
            let watts = replay::watts(series, interval, since_start);
            let vars = watts * self.tan_phi;
            self.flow = Flow { watts, vars };
            return self.flow;
        }
        let step = since_start.as_nanos() / plan.step().as_nanos();
        while self.steps <= step {
            self.flow = self.next(plan, model, self.steps);
            self.steps += 1;
        }
        self.flow
    }

    /// The flow of the step asked for last.
    pub const fn present(&self) -> Flow {
        self.flow
    }

    fn next(&mut self, plan: &HouseholdPlan, model: &LoadModel, step: u64) -> Flow {
        let length = plan.step_s();
        let utc_s = (plan.start_utc_s + step * length) as u32;
        if utc_s >= self.offset_until_utc_s {
            let day = plan.calendar.day(utc_s);
            self.offset_s = day.offset_s;
            self.offset_until_utc_s = day.until_utc_s;
        }
        let local_s = u64::from(utc_s).saturating_add_signed(i64::from(self.offset_s));
        if plan.end_uses.is_none() && (step * length).is_multiple_of(COARSE_S) {
            let watts = self.house.draw_watts(model, local_s + COARSE_S / 2);
            self.shaped = Flow {
                watts,
                vars: watts * self.tan_phi,
            };
        }
        let (Some(devices), Some(kinds)) = (&mut self.devices, &plan.devices) else {
            return self.shaped;
        };
        let shared = (kinds, plan.end_uses.as_ref(), model);
        let (watts, vars) = devices.minute(shared, &mut self.house, plan.seed, local_s);
        Flow {
            watts: self.shaped.watts + watts,
            vars: self.shaped.vars + vars,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Car, Charging, Photovoltaics, Season, ShapeTable, Weather};
    use super::*;

    /// Thursday, 15 January 2026.
    const START_S: u64 = 1_768_435_200;
    /// Monday, 15 June 2026.
    const SUMMER_S: u64 = 1_781_481_600;

    fn model(season: Season) -> LoadModel {
        LoadModel {
            shapes: ShapeTable::shipped(),
            season,
            house_sigma: 0.5,
            day_sigma: 0.15,
            day_correlation: 0.6,
            interval_shape: 1.0,
            local_epoch_s: START_S,
        }
    }

    fn nothing() -> DeviceKinds {
        DeviceKinds {
            appliances: false,
            hvac_ppb: 0,
            evaporative: false,
            photovoltaics: None,
            cars: None,
            weather: Weather::default(),
        }
    }

    fn plan(start_s: u64, devices: Option<DeviceKinds>) -> HouseholdPlan {
        HouseholdPlan::new(1, start_s, Arc::new(Calendar::default()), devices)
    }

    /// Mean power of each quarter of an hour of `days` days, in W.
    fn quarters(plan: &HouseholdPlan, model: &LoadModel, meter: u32, days: u64) -> Vec<f64> {
        let house = House::new(model, Stream::new(1, meter, Purpose::Load));
        let mut household = Household::new(plan, house, 1, meter);
        let minutes: Vec<f64> = (0..days * 1_440)
            .map(|minute| {
                let since = Duration::from_secs(minute * 60);
                household.flow(plan, model, since).watts
            })
            .collect();
        let mean = |chunk: &[f64]| chunk.iter().sum::<f64>() / chunk.len() as f64;
        minutes.chunks(15).map(mean).collect()
    }

    fn kwh(quarters: &[f64]) -> f64 {
        quarters.iter().sum::<f64>() / 4_000.0
    }

    #[test]
    fn v33_appliances_use_what_was_measured_and_peak_when_it_did() {
        let (plan, model) = (
            plan(
                START_S,
                Some(DeviceKinds {
                    appliances: true,
                    ..nothing()
                }),
            ),
            model(Season::Winter),
        );
        let houses = 600;
        let mut hours = [0.0; 24];
        let mut total = 0.0;
        for meter in 0..houses {
            // Thursday and Friday are weekdays.
            let quarters = quarters(&plan, &model, meter, 2);
            total += kwh(&quarters) / 2.0;
            for (index, watts) in quarters.iter().enumerate() {
                hours[index / 4 % 24] += watts / 8.0 / f64::from(houses);
            }
        }
        let mean = total / f64::from(houses);
        // 21.7 kWh; the size of houses alone gives the mean a standard error of 2.2 %.
        assert!((mean / 21.725 - 1.0).abs() < 0.07, "{mean} kWh");
        let peak = hours.iter().copied().fold(0.0, f64::max);
        let ratio = peak / (hours.iter().sum::<f64>() / 24.0);
        // Habits differ by up to an hour, which flattens the peak of 1.55 a little.
        assert!((1.35..1.6).contains(&ratio), "{ratio}");
        let hour_of_peak = hours.iter().position(|watts| *watts == peak).unwrap();
        assert!([7, 17, 18, 19].contains(&hour_of_peak), "{hour_of_peak}");
    }

    #[test]
    fn quarters_of_an_hour_vary_as_metered_ones_and_diversity_flattens_peaks() {
        let (plan, model) = (
            plan(
                START_S,
                Some(DeviceKinds {
                    appliances: true,
                    ..nothing()
                }),
            ),
            model(Season::Winter),
        );
        let all: Vec<Vec<f64>> = (0..100)
            .map(|meter| quarters(&plan, &model, meter, 4))
            .collect();
        let variation = |watts: &[f64]| {
            let mean = watts.iter().sum::<f64>() / watts.len() as f64;
            let variance = watts.iter().map(|w| (w - mean).powi(2)).sum::<f64>();
            (variance / watts.len() as f64).sqrt() / mean
        };
        let mut variations: Vec<f64> = all.iter().map(|watts| variation(watts)).collect();
        variations.sort_by(f64::total_cmp);
        assert!(
            (0.8..1.4).contains(&variations[50]),
            "median {}",
            variations[50]
        );
        let peak_of = |houses: &[Vec<f64>]| {
            (0..houses[0].len())
                .map(|at| houses.iter().map(|watts| watts[at]).sum::<f64>() / houses.len() as f64)
                .fold(0.0, f64::max)
        };
        let single = all
            .iter()
            .map(|watts| peak_of(std::slice::from_ref(watts)))
            .sum::<f64>()
            / 100.0;
        let (ten, hundred) = (peak_of(&all[..10]), peak_of(&all));
        assert!(
            single > 1.5 * ten && ten > 1.2 * hundred,
            "{single} {ten} {hundred} W"
        );
        assert!(all.iter().flatten().all(|watts| *watts <= 48_000.0));
    }

    #[test]
    fn photovoltaics_feed_in_by_day_only() {
        let photovoltaics = Some(Photovoltaics {
            share_ppb: 1_000_000_000,
            watts: 5_000.0,
        });
        let devices = DeviceKinds {
            appliances: true,
            photovoltaics,
            ..nothing()
        };
        let (plan, model) = (plan(SUMMER_S, Some(devices)), model(Season::Summer));
        let quarters = quarters(&plan, &model, 3, 10);
        let (mut fed_in, mut at_night) = (0.0, 0.0_f64);
        for (index, watts) in quarters.iter().enumerate() {
            fed_in += (-watts).max(0.0) / 4_000.0;
            if !(5..19).contains(&(index / 4 % 24)) {
                at_night = at_night.min(*watts);
            }
        }
        assert!((20.0..300.0).contains(&fed_in), "{fed_in} kWh in ten days");
        assert_eq!(at_night, 0.0);
    }

    #[test]
    fn cars_charge_in_step_where_a_cheap_rate_begins() {
        let fleet = |charging| {
            let cars = Some(Car {
                share_ppb: 1_000_000_000,
                watts: 7_200.0,
                charging,
            });
            let devices = DeviceKinds { cars, ..nothing() };
            let (plan, model) = (plan(START_S, Some(devices)), model(Season::Winter));
            let mut sum = vec![0.0; 4 * 96];
            for meter in 0..200 {
                for (sum, watts) in sum.iter_mut().zip(quarters(&plan, &model, meter, 4)) {
                    *sum += watts / 200.0;
                }
            }
            sum
        };
        let midnight = fleet(Charging::From(0));
        let step = midnight[192] - midnight[191];
        // Four of seven cars at 7.2 kW each.
        assert!((2_500.0..5_500.0).contains(&step), "{step} W at midnight");
        let evening = fleet(Charging::AtArrival);
        let steepest = evening
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .fold(0.0, f64::max);
        assert!(steepest < step / 2.0, "{steepest} W");
        let driven = (kwh(&evening) - kwh(&midnight)).abs() / kwh(&evening);
        assert!(driven < 0.2, "the energy is about the same: {driven}");
    }

    #[test]
    fn heating_and_cooling_follow_the_weather() {
        let energy = |start, season, evaporative| {
            let devices = DeviceKinds {
                hvac_ppb: 1_000_000_000,
                evaporative,
                ..nothing()
            };
            let (with, without) = (plan(start, Some(devices)), plan(start, Some(nothing())));
            let model = model(season);
            (0..50)
                .map(|meter| {
                    kwh(&quarters(&with, &model, meter, 4))
                        - kwh(&quarters(&without, &model, meter, 4))
                })
                .sum::<f64>()
                / 200.0
        };
        // Heat pumps use 20 to 50 kWh a day in winter; cooling of a dry climate 6 to 25.
        let (winter, summer) = (
            energy(START_S, Season::Winter, false),
            energy(SUMMER_S, Season::Summer, false),
        );
        assert!((20.0..60.0).contains(&winter), "{winter} kWh");
        assert!((3.0..30.0).contains(&summer), "{summer} kWh");
        // Evaporative coolers use 6 to 15 kWh, and heating is what it was.
        let summer = energy(SUMMER_S, Season::Summer, true);
        assert!((6.0..15.0).contains(&summer), "{summer} kWh");
        assert_eq!(energy(START_S, Season::Winter, true), winter);
    }
}
