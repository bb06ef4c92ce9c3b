//! What the sensors of a meter make of voltage, current and energy.
//!
//! The error of an electricity meter depends on current, phase angle and temperature:
//!
//! ```text
//!   e = e0 + e1 log10(30 A / I) + e_phi tan(phi) + k (T - 23 °C),    0.5 A <= I <= 200 A
//! ```
//!
//! e0, e1, e_phi and k are drawn for each meter; draws that the accuracy class of ANSI C12.20
//! forbids are drawn again, as such a meter would not have left the factory.

use crate::dist::normal;
use crate::rng::{Purpose, Stream};

/// An accuracy class of ANSI C12.20.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccuracyClass {
    /// 0.2 % at full load.
    Class02,
    /// 0.5 % at full load.
    Class05,
}

impl AccuracyClass {
    /// The limit at full load, power factor 1 and 23 °C, in per cent.
    pub const fn percent(self) -> f64 {
        match self {
            Self::Class02 => 0.2,
            Self::Class05 => 0.5,
        }
    }
}

/// The errors of one meter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sensor {
    offset: f64,
    slope: f64,
    phase: f64,
    per_kelvin: f64,
}

/// Draws after which a meter is taken to be exact; each is good in more than half of all cases.
const DRAWS_MAX: u32 = 100;

impl Sensor {
    /// The sensor of `meter`.
    pub fn new(class: AccuracyClass, seed: u64, meter: u32) -> Self {
        let mut stream = Stream::new(seed, meter, Purpose::Sensor);
        let limit = class.percent() / 100.0;
        for _ in 0..DRAWS_MAX {
            let sensor = Self {
                offset: limit / 4.0 * normal(&mut stream),
                slope: limit / 6.0 * normal(&mut stream),
                phase: limit / 4.0 * normal(&mut stream),
                per_kelvin: (0.5 + 0.5 * stream.unit())
                    * if stream.chance(500_000_000) {
                        1e-4
                    } else {
                        -1e-4
                    },
            };
            if sensor.passes(limit) {
                return sensor;
            }
        }
        Self {
            offset: 0.0,
            slope: 0.0,
            phase: 0.0,
            per_kelvin: 0.0,
        }
    }

    /// The relative error at `amperes`, `tan_phi` and `celsius`.
    pub fn error(&self, amperes: f64, tan_phi: f64, celsius: f64) -> f64 {
        let decades = libm::log10(30.0 / amperes.clamp(0.5, 200.0));
        self.offset
            + self.slope * decades
            + self.phase * tan_phi.clamp(-2.0, 2.0)
            + self.per_kelvin * (celsius - 23.0)
    }

    /// The limits of the class: full load, light load (twice that), and power factor 0.5.
    fn passes(&self, limit: f64) -> bool {
        let within =
            |amperes, tan_phi, limit: f64| self.error(amperes, tan_phi, 23.0).abs() <= limit;
        within(30.0, 0.0, limit)
            && within(200.0, 0.0, limit)
            && within(3.0, 0.0, 2.0 * limit)
            && within(30.0, 1.732, 2.0 * limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_meter_is_within_its_class_and_they_differ() {
        for (class, limit) in [
            (AccuracyClass::Class02, 0.002),
            (AccuracyClass::Class05, 0.005),
        ] {
            let errors: Vec<f64> = (0..2_000)
                .map(|meter| {
                    let sensor = Sensor::new(class, 1, meter);
                    assert!(sensor.error(3.0, 0.0, 23.0).abs() <= 2.0 * limit);
                    sensor.error(30.0, 0.0, 23.0)
                })
                .collect();
            assert!(errors.iter().all(|error| error.abs() <= limit));
            let mean = errors.iter().sum::<f64>() / 2_000.0;
            let variance = errors.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / 2_000.0;
            // A normal distribution of a quarter of the limit, hardly cut off; five sigma.
            assert!(mean.abs() < limit / 4.0 / 8.9, "{mean}");
            assert!((0.85..1.1).contains(&(variance.sqrt() / (limit / 4.0))));
        }
    }

    #[test]
    fn nothing_else_is_drawn_for_another_class() {
        let good = Sensor::new(AccuracyClass::Class02, 1, 7);
        let fair = Sensor::new(AccuracyClass::Class05, 1, 7);
        let ratio = fair.error(30.0, 0.0, 23.0) / good.error(30.0, 0.0, 23.0);
        assert!((ratio - 2.5).abs() < 1e-9);
    }
}
