//! One premise: its size, its habits and the luck of the day.

use super::{DayKind, Season, ShapeTable};
use crate::dist::{gamma_of_mean_one, normal};
use crate::rng::Stream;

/// What all premises of a run share.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadModel {
    /// Mean power by hour.
    pub shapes: ShapeTable,
    /// The season of the shapes.
    pub season: Season,
    /// Standard deviation of the logarithm of a house's size.
    pub house_sigma: f64,
    /// Standard deviation of the logarithm of a day's level.
    pub day_sigma: f64,
    /// Correlation of a day's level with that of the day before.
    pub day_correlation: f64,
    /// Shape of the gamma distribution of an interval's energy; its coefficient of variation is
    /// one over the square root.
    pub interval_shape: f64,
    /// Seconds from 1970-01-01 to the start of the run, in local standard time.
    pub local_epoch_s: u64,
}

/// The state of one premise.
#[derive(Clone, Debug)]
pub struct House {
    /// Energy relative to the mean house.
    scale: f64,
    /// Seconds by which this household lives later than the mean one.
    shift_s: i64,
    /// The day whose level is in force, counted from 1970.
    day: u64,
    /// Logarithm of the day's level, before its variance is compensated.
    day_level: f64,
    /// Energy below one Wh that is not in the register yet.
    remainder_wh: f64,
    stream: Stream,
}

/// Energy that a 200 A service at 240 V cannot exceed, in Wh per hour.
const SERVICE_LIMIT_WH_PER_H: f64 = 200.0 * 240.0;
const DAY_S: u64 = 86_400;

impl House {
    /// A house drawn from `stream`, which it keeps.
    pub fn new(model: &LoadModel, mut stream: Stream) -> Self {
        let sigma = model.house_sigma;
        let scale = libm::exp(sigma * normal(&mut stream) - sigma * sigma / 2.0);
        let shift_s = stream.below(7_200) as i64 - 3_600;
        let day_level = model.day_sigma * normal(&mut stream);
        let day = model.local_epoch_s / DAY_S;
        Self {
            scale,
            shift_s,
            day,
            day_level,
            remainder_wh: 0.0,
            stream,
        }
    }

    /// Whole watt-hours used in the `length_s` seconds that end `end_s` seconds into the run.
    ///
    /// The premise is supplied for a share of that time, from 0 to 1. What is left below one
    /// watt-hour is carried to the next interval: none is lost.
    pub fn energy_wh(
        &mut self,
        model: &LoadModel,
        end_s: u64,
        length_s: u64,
        supplied: f64,
    ) -> u32 {
        // The shape is looked up at the middle of the interval.
        let local_s = model.local_epoch_s + end_s.saturating_sub(length_s / 2);
        self.advance_to_day(model, local_s / DAY_S);
        let watts = self.shape_watts(model, local_s);
        let level = self.level(model);
        let hours = length_s as f64 / 3_600.0;
        let luck = gamma_of_mean_one(model.interval_shape, &mut self.stream);
        let energy = (watts * hours * self.scale * level * luck)
            .min(SERVICE_LIMIT_WH_PER_H * hours)
            * supplied
            + self.remainder_wh;
        let whole = libm::floor(energy);
        self.remainder_wh = energy - whole;
        whole as u32
    }

    /// Whole watt-hours of an interval for which a meter has recorded `milliwatt_hours`.
    ///
    /// The premise is supplied for a share of that time, from 0 to 1. What is left below one
    /// watt-hour is carried to the next interval.
    pub fn recorded_wh(&mut self, milliwatt_hours: i32, supplied: f64) -> u32 {
        let energy = f64::from(milliwatt_hours) / 1e3 * supplied + self.remainder_wh;
        // A whole watt-hour must not be lost to the rounding of its parts.
        let whole = libm::floor(energy + 1e-6).max(0.0);
        self.remainder_wh = energy - whole;
        whole as u32
    }

    /// Power in W over the step around `local_s`, in seconds since 1970 by the local clock.
    ///
    /// Steps are asked for in order.
    pub fn draw_watts(&mut self, model: &LoadModel, local_s: u64) -> f64 {
        let size = self.size(model, local_s);
        let luck = gamma_of_mean_one(model.interval_shape, &mut self.stream);
        (self.shape_watts(model, local_s) * size * luck).min(SERVICE_LIMIT_WH_PER_H)
    }

    /// How much this house uses on the day of `local_s` relative to the mean house.
    ///
    /// Days are asked for in order.
    pub fn size(&mut self, model: &LoadModel, local_s: u64) -> f64 {
        self.advance_to_day(model, local_s / DAY_S);
        self.scale * self.level(model)
    }

    /// The second of the day, counted from 1970, by the habits of this house.
    pub const fn habitual_s(&self, local_s: u64) -> u64 {
        local_s.saturating_add_signed(self.shift_s)
    }

    /// Adds energy to the next interval, beyond what the house would draw anyway.
    pub fn draw_in_addition(&mut self, watt_hours: f64) {
        self.remainder_wh += watt_hours;
    }

    /// The expected power in W at `second_s` seconds into the run, as of the present day's level.
    pub fn mean_watts(&self, model: &LoadModel, second_s: u64) -> f64 {
        let watts = self.shape_watts(model, model.local_epoch_s + second_s);
        watts * self.scale * self.level(model)
    }

    fn shape_watts(&self, model: &LoadModel, local_s: u64) -> f64 {
        let day = DayKind::of_day(local_s / DAY_S);
        let second = local_s.saturating_add_signed(self.shift_s) % DAY_S;
        model.shapes.watts(model.season, day, second)
    }

    fn level(&self, model: &LoadModel) -> f64 {
        libm::exp(self.day_level - model.day_sigma * model.day_sigma / 2.0)
    }

    fn advance_to_day(&mut self, model: &LoadModel, day: u64) {
        let rho = model.day_correlation;
        while self.day < day {
            self.day += 1;
            let innovation = libm::sqrt(1.0 - rho * rho) * model.day_sigma;
            self.day_level = rho * self.day_level + innovation * normal(&mut self.stream);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Purpose;

    /// Thursday, 15 January 2026.
    const START_S: u64 = 1_768_435_200;

    fn model() -> LoadModel {
        LoadModel {
            shapes: ShapeTable::shipped(),
            season: Season::Winter,
            house_sigma: 0.5,
            day_sigma: 0.15,
            day_correlation: 0.6,
            interval_shape: 1.0,
            local_epoch_s: START_S,
        }
    }

    #[test]
    fn the_fleet_mean_is_the_measured_daily_energy() {
        let model = model();
        let houses = 2_000;
        let total: u64 = (0..houses)
            .map(|meter| {
                let mut house = House::new(&model, Stream::new(1, meter, Purpose::Load));
                (1..=96)
                    .map(|i| u64::from(house.energy_wh(&model, i * 900, 900, 1.0)))
                    .sum::<u64>()
            })
            .sum();
        let mean = total as f64 / f64::from(houses);
        // Standard error of the mean: about 1.3 % from house sizes and days.
        assert!((mean / 21_700.0 - 1.0).abs() < 0.06, "{mean} Wh");
    }

    #[test]
    fn intervals_vary_as_much_as_metered_ones_and_respect_the_service() {
        let model = model();
        let mut house = House::new(&model, Stream::new(1, 3, Purpose::Load));
        let intervals: Vec<f64> = (1..=96 * 30)
            .map(|i| f64::from(house.energy_wh(&model, i * 900, 900, 1.0)))
            .collect();
        let mean = intervals.iter().sum::<f64>() / intervals.len() as f64;
        let variance =
            intervals.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / intervals.len() as f64;
        let variation = variance.sqrt() / mean;
        assert!(
            (0.9..1.4).contains(&variation),
            "coefficient of variation {variation}"
        );
        assert!(intervals.iter().all(|&wh| wh <= 12_000.0));
    }

    #[test]
    fn no_energy_is_lost_to_rounding() {
        let model = model();
        let mut house = House::new(&model, Stream::new(1, 4, Purpose::Load));
        let mut register = 0;
        let mut exact_before = house.remainder_wh;
        for minute in 1..=1_440 {
            register += u64::from(house.energy_wh(&model, minute * 60, 60, 1.0));
            assert!((0.0..1.0).contains(&house.remainder_wh));
            let exact = register as f64 + house.remainder_wh;
            assert!(exact >= exact_before);
            exact_before = exact;
        }
        assert!(register > 2_000, "a day of minutes adds up: {register} Wh");
    }
}
