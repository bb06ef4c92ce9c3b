//! Appliances, heating and cooling, photovoltaics and the car of one household, by the minute.

use super::weather::Weather;
use super::{DayKind, House, LoadModel, ShapeTable};
use crate::dist::{gamma_of_mean_one, normal};
use crate::rng::Stream;
use firmware::Rng as _;

const DAY_S: u64 = 86_400;

/// Power of an evaporative cooler, its fan and pump, as a share of that of a compressor: 400 to 800 W.
const COOLER_SHARE: f64 = 0.2;
/// Outdoor temperature in °C from which it runs: above the 21.1 °C to which rooms are heated.
const COOLER_ON_C: f64 = 21.1;
/// Further warmth in K at which it runs all the time.
const COOLER_SPAN_K: f64 = 6.0;

/// Which devices the households of a cohort have.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceKinds {
    /// Appliances one by one instead of the hourly shape with variation.
    pub appliances: bool,
    /// Electric heating and cooling, in billionths of the households.
    pub hvac_ppb: u32,
    /// Whether these cool by evaporation, as in dry climates, instead of by a compressor.
    pub evaporative: bool,
    /// Photovoltaics, if any household has them.
    pub photovoltaics: Option<Photovoltaics>,
    /// Electric cars, if any household has one.
    pub cars: Option<Car>,
    /// The climate.
    pub weather: Weather,
}

/// Photovoltaics on the roof.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Photovoltaics {
    /// Share of the households, in billionths.
    pub share_ppb: u32,
    /// Rated power in W.
    pub watts: f64,
}

/// An electric car.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Car {
    /// Share of the households, in billionths.
    pub share_ppb: u32,
    /// Power of the charger in W.
    pub watts: f64,
    /// When it charges.
    pub charging: Charging,
}

/// When a car charges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charging {
    /// As soon as it is at home.
    AtArrival,
    /// From this second of the day on, as a cheap tariff begins.
    From(u32),
}

/// An appliance that is switched on now and then.
struct Kind {
    end_use: &'static str,
    watts: (f64, f64),
    minutes: (u64, u64),
    /// Share of the time for which it draws power while it runs.
    duty: f64,
    /// Reactive power relative to active power.
    tan_phi: f64,
}

const fn kind(
    end_use: &'static str,
    watts: (f64, f64),
    minutes: (u64, u64),
    duty: f64,
    tan_phi: f64,
) -> Kind {
    Kind {
        end_use,
        watts,
        minutes,
        duty,
        tan_phi,
    }
}

/// Power, duration and duty: domain figures of the load study; motors at a power factor of 0.8.
const KINDS: [Kind; 6] = [
    kind("waterheater", (4_500.0, 4_500.0), (5, 20), 1.0, 0.0),
    kind("dryer", (5_000.0, 5_000.0), (40, 60), 0.6, 0.1),
    kind("dishwasher", (1_200.0, 1_200.0), (60, 90), 0.6, 0.1),
    kind("range", (1_000.0, 3_000.0), (20, 60), 0.5, 0.0),
    kind("microwave", (1_300.0, 1_300.0), (2, 5), 1.0, 0.2),
    kind("clotheswasher", (500.0, 500.0), (40, 40), 0.7, 0.75),
];

/// What runs all the time, lights and electronics, at a power factor of 0.95.
const CONTINUOUS: [&str; 2] = ["lights", "plugs"];
const CONTINUOUS_TAN: f64 = 0.33;
/// What is cold all the time: compressors that cycle, at a power factor of 0.85.
const COLD: [&str; 2] = ["refrigerator", "freezer"];
const MOTOR_TAN: f64 = 0.62;

impl Kind {
    /// Energy of one use in kWh.
    fn energy_kwh(&self) -> f64 {
        let watts = (self.watts.0 + self.watts.1) / 2.0;
        watts * self.duty * self.minutes_mean() / 60_000.0
    }

    fn minutes_mean(&self) -> f64 {
        (self.minutes.0 + self.minutes.1) as f64 / 2.0
    }
}

/// Hourly energies of the end uses, shared by all households.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct EndUses {
    kinds: Vec<ShapeTable>,
    continuous: Vec<ShapeTable>,
    cold: Vec<ShapeTable>,
}

impl EndUses {
    pub(super) fn shipped() -> Self {
        let of = |names: &[&str]| names.iter().copied().map(ShapeTable::of).collect();
        Self {
            kinds: KINDS
                .iter()
                .map(|kind| ShapeTable::of(kind.end_use))
                .collect(),
            continuous: of(&CONTINUOUS),
            cold: of(&COLD),
        }
    }
}

/// An appliance in use.
#[derive(Clone, Copy, Debug, Default)]
struct Use {
    minutes_left: u32,
    watts: f64,
}

/// A compressor that cycles.
#[derive(Clone, Copy, Debug, Default)]
struct Cycle {
    on: bool,
    minutes_left: f64,
    watts: f64,
}

/// What a car is going to need.
#[derive(Clone, Copy, Debug)]
struct Charge {
    /// Local second, counted from 1970, from which it charges.
    from_s: u64,
    need_wh: f64,
}

/// The devices of one household.
#[derive(Clone, Debug)]
pub(super) struct Devices {
    uses: [Use; KINDS.len()],
    cold: [Cycle; COLD.len()],
    /// Luck of lights and electronics in this quarter of an hour.
    luck: f64,
    /// Rated power of the compressor, if it has one, in W.
    hvac_w: f64,
    hvac: Cycle,
    photovoltaics: bool,
    car: bool,
    charge: Option<Charge>,
    /// What the car at the charger lacks.
    lacking_wh: f64,
    /// The local day for which the car has been planned.
    planned_day: u64,
    stream: Stream,
}

impl Devices {
    /// Draws what the household has.
    pub(super) fn new(kinds: &DeviceKinds, mut stream: Stream) -> Self {
        let hvac = stream.chance(kinds.hvac_ppb);
        let hvac_w = 2_000.0 + 2_000.0 * stream.unit();
        let has = |share: Option<u32>, stream: &mut Stream| stream.chance(share.unwrap_or(0));
        let photovoltaics = has(kinds.photovoltaics.map(|pv| pv.share_ppb), &mut stream);
        let car = has(kinds.cars.map(|car| car.share_ppb), &mut stream);
        let cold = [(); COLD.len()].map(|()| Cycle {
            on: false,
            minutes_left: 45.0 * stream.unit(),
            watts: 120.0 + 60.0 * stream.unit(),
        });
        Self {
            uses: [Use::default(); KINDS.len()],
            cold,
            luck: 1.0,
            hvac_w: if hvac { hvac_w } else { 0.0 },
            hvac: Cycle::default(),
            photovoltaics,
            car,
            charge: None,
            lacking_wh: 0.0,
            planned_day: 0,
            stream,
        }
    }

    /// Active and reactive power of the minute that begins at `local_s`, in W and var.
    pub(super) fn minute(
        &mut self,
        (kinds, end_uses, model): (&DeviceKinds, Option<&EndUses>, &LoadModel),
        house: &mut House,
        seed: u64,
        local_s: u64,
    ) -> (f64, f64) {
        let (mut watts, mut vars) = (0.0, 0.0);
        let mut add = |power: f64, tan: f64| {
            watts += power;
            vars += power * tan;
        };
        let size = house.size(model, local_s);
        let habitual = house.habitual_s(local_s);
        let day = DayKind::of_day(local_s / DAY_S);
        let mean = |table: &ShapeTable, at: u64| table.watts(model.season, day, at % DAY_S);
        if let Some(end_uses) = end_uses {
            if local_s % 900 < 60 {
                // Coefficient of variation 0.3.
                self.luck = gamma_of_mean_one(11.0, &mut self.stream);
            }
            let of = end_uses.continuous.iter();
            let continuous: f64 = of.map(|table| mean(table, habitual)).sum();
            add(continuous * size * self.luck, CONTINUOUS_TAN);
            for (table, cycle) in end_uses.cold.iter().zip(&mut self.cold) {
                let duty = (mean(table, local_s) / cycle.watts).min(0.95);
                add(
                    cycle.minute(duty, (12.0, 20.0), &mut self.stream),
                    MOTOR_TAN,
                );
            }
            for ((kind, table), state) in KINDS.iter().zip(&end_uses.kinds).zip(&mut self.uses) {
                let hourly_kwh = mean(table, habitual) * size / 1_000.0;
                add(
                    state.minute(kind, hourly_kwh, &mut self.stream),
                    kind.tan_phi,
                );
            }
        }
        if self.hvac_w > 0.0 {
            let outdoors = kinds.weather.temperature_c(seed, local_s);
            // Set points 70 and 75 °F; the design temperatures are 25 K below and 12 K above.
            let duty = ((21.1 - outdoors) / 25.0).max((outdoors - 23.9) / 12.0);
            self.hvac.watts = self.hvac_w;
            let evaporates = kinds.evaporative && outdoors > COOLER_ON_C;
            let duty = if evaporates {
                self.hvac.watts = self.hvac_w * COOLER_SHARE;
                (outdoors - COOLER_ON_C) / COOLER_SPAN_K
            } else {
                duty
            };
            let duty = duty.clamp(0.0, 1.0);
            add(
                self.hvac.minute(duty, (8.0, 14.0), &mut self.stream),
                MOTOR_TAN,
            );
        }
        if let Some(pv) = kinds.photovoltaics.filter(|_| self.photovoltaics) {
            let sky = libm::pow(kinds.weather.sun(local_s), 1.2);
            let light = kinds.weather.clouds(seed, local_s);
            // An inverter leads a little.
            add(-0.8 * pv.watts * sky * light, 0.1);
        }
        if let Some(car) = kinds.cars.filter(|_| self.car) {
            // What begins at midnight does so before that day is planned.
            if let Some(charge) = self.charge.take_if(|charge| charge.from_s <= local_s) {
                self.lacking_wh += charge.need_wh;
            }
            self.plan_charge(car, local_s);
            add(self.charge_watts(car), 0.05);
        }
        (watts, vars)
    }

    /// Decides once a day whether and when the car comes home, and what it needs.
    fn plan_charge(&mut self, car: Car, local_s: u64) {
        let day = local_s / DAY_S;
        if day == self.planned_day {
            return;
        }
        self.planned_day = day;
        // Four days in seven, at 18:00 with two hours of deviation, 8 kWh in the median.
        let drives = self.stream.chance(571_428_571);
        let arrival = 64_800.0 + 7_200.0 * normal(&mut self.stream);
        let need_wh = 8_000.0 * libm::exp(0.5 * normal(&mut self.stream));
        if !drives {
            return;
        }
        let arrival = arrival.clamp(0.0, 86_399.0) as u64;
        let start = match car.charging {
            Charging::AtArrival => arrival,
            // The next time that the clock shows it.
            Charging::From(second) if u64::from(second) < arrival => u64::from(second) + DAY_S,
            Charging::From(second) => u64::from(second),
        };
        self.charge = Some(Charge {
            from_s: day * DAY_S + start,
            need_wh,
        });
    }

    fn charge_watts(&mut self, car: Car) -> f64 {
        let watts = car.watts.min(self.lacking_wh * 60.0);
        self.lacking_wh -= watts / 60.0;
        watts
    }
}

impl Use {
    /// Power in the next minute of an appliance that uses `hourly_kwh` in this hour on average.
    fn minute(&mut self, kind: &Kind, hourly_kwh: f64, stream: &mut Stream) -> f64 {
        let (draw, height, length) = (stream.unit(), stream.unit(), stream.next_u64());
        if self.minutes_left == 0 {
            // Uses per minute; while it runs it cannot be started.
            let rate = hourly_kwh / kind.energy_kwh() / 60.0;
            let idle = (1.0 - rate * kind.minutes_mean()).max(0.1);
            if draw >= rate / idle {
                return 0.0;
            }
            let span = kind.minutes.1 - kind.minutes.0 + 1;
            self.minutes_left = (kind.minutes.0 + length % span) as u32;
            self.watts = kind.watts.0 + (kind.watts.1 - kind.watts.0) * height;
        } else if draw >= kind.duty {
            self.minutes_left -= 1;
            return 0.0;
        }
        self.minutes_left -= 1;
        self.watts
    }
}

impl Cycle {
    /// Mean power in the next minute of a compressor that is to run for a share `duty`.
    fn minute(&mut self, duty: f64, on_minutes: (f64, f64), stream: &mut Stream) -> f64 {
        let draw = stream.unit();
        self.minutes_left -= 1.0;
        if self.minutes_left <= 0.0 {
            let on = on_minutes.0 + (on_minutes.1 - on_minutes.0) * draw;
            if self.on && duty < 1.0 {
                self.on = false;
                self.minutes_left += on * (1.0 - duty) / duty.max(0.02);
            } else if duty > 0.02 {
                self.on = true;
                self.minutes_left += on;
            } else {
                self.minutes_left = 1.0;
            }
        }
        if self.on { self.watts } else { 0.0 }
    }
}
