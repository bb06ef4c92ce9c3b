//! Weather of the whole town: temperature, the sun and its clouds, as functions of time.

use core::f64::consts::{PI, TAU};

use crate::rng::mix;

const DAY_S: u64 = 86_400;
const TEMPERATURE: u64 = 0x7465_6d70_6572_6174;
const CLOUDS: u64 = 0x636c_6f75_6473_0000;
/// Probability that the clouds of an hour are those of the hour before.
const PERSISTENCE: f64 = 0.7;

/// The climate of a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weather {
    /// Mean temperature of January in °C.
    pub january_c: f64,
    /// Mean temperature of July in °C.
    pub july_c: f64,
    /// From the mean of a day to its maximum, in K.
    pub swing_k: f64,
    /// Northern latitude in degrees.
    pub latitude_deg: f64,
}

impl Default for Weather {
    /// Albuquerque, New Mexico: 2 and 26 °C, 7 K, 35 degrees.
    fn default() -> Self {
        Self {
            january_c: 2.0,
            july_c: 26.0,
            swing_k: 7.0,
            latitude_deg: 35.0,
        }
    }
}

impl Weather {
    /// Outdoor temperature in °C, `local_s` seconds since 1970 by the local clock.
    pub fn temperature_c(&self, seed: u64, local_s: u64) -> f64 {
        let (day, second) = (local_s / DAY_S, local_s % DAY_S);
        let (mean, half) = (
            (self.january_c + self.july_c) / 2.0,
            (self.july_c - self.january_c) / 2.0,
        );
        // The year is coldest in the middle of January, the day warmest at three.
        let year = TAU * (day as f64 % 365.25 - 15.0) / 365.25;
        let hour = TAU * (second as f64 / 3_600.0 - 15.0) / 24.0;
        let luck = 2.0 * (uniform(seed ^ TEMPERATURE, day) - 0.5) * 5.0;
        mean - half * libm::cos(year) + self.swing_k * libm::cos(hour) + luck
    }

    /// Sine of the sun's elevation, 0 at night; equation of time and longitude are left out.
    pub fn sun(&self, local_s: u64) -> f64 {
        let (day, second) = (local_s / DAY_S, local_s % DAY_S);
        let declination =
            -23.44_f64.to_radians() * libm::cos(TAU * (day as f64 % 365.25 + 10.0) / 365.25);
        let hour_angle = PI * (second as f64 / 43_200.0 - 1.0);
        let latitude = self.latitude_deg.to_radians();
        let sine = libm::sin(latitude) * libm::sin(declination)
            + libm::cos(latitude) * libm::cos(declination) * libm::cos(hour_angle);
        sine.max(0.0)
    }

    /// Share of the clear sky's light that passes the clouds: clear, broken or overcast.
    pub fn clouds(&self, seed: u64, local_s: u64) -> f64 {
        let hour = local_s / 3_600;
        // The hour that decides: persistence reaches back a day at most.
        let mut from = hour;
        while from > hour.saturating_sub(24) && uniform(seed ^ CLOUDS, 2 * from) < PERSISTENCE {
            from -= 1;
        }
        match uniform(seed ^ CLOUDS, 2 * from + 1) {
            draw if draw < 0.6 => 1.0,
            // Broken clouds flicker from minute to minute.
            draw if draw < 0.85 => 0.3 + 0.6 * uniform(seed ^ CLOUDS ^ 1, local_s / 60),
            draw => 0.15 + (draw - 0.85),
        }
    }
}

/// A uniform number in 0..1 that belongs to `index`.
fn uniform(place: u64, index: u64) -> f64 {
    (mix(place ^ mix(index.wrapping_add(1))) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Midnight of 21 June 2026.
    const SUMMER_S: u64 = 1_782_000_000;

    #[test]
    fn the_sun_is_highest_at_noon_and_gone_at_midnight() {
        let weather = Weather::default();
        let noon = weather.sun(SUMMER_S + 43_200);
        // 90 - 35 + 23.4 degrees.
        assert!(
            (noon - libm::sin(78.4_f64.to_radians())).abs() < 0.005,
            "{noon}"
        );
        assert_eq!(weather.sun(SUMMER_S), 0.0);
        assert!(weather.sun(SUMMER_S + 6 * 3_600) > 0.0);
    }

    #[test]
    fn summers_are_warmer_and_clouds_take_light() {
        let weather = Weather::default();
        let summer: f64 = (0..720)
            .map(|h| weather.temperature_c(3, SUMMER_S + h * 3_600))
            .sum();
        assert!((summer / 720.0 - 26.0).abs() < 3.0, "{}", summer / 720.0);
        let clear = (0..2_000)
            .map(|hour| weather.clouds(3, SUMMER_S + hour * 3_600))
            .inspect(|share| assert!((0.1..=1.0).contains(share)))
            .filter(|share| *share == 1.0)
            .count();
        assert!((1_000..1_400).contains(&clear), "{clear} of 2,000 hours");
    }
}
