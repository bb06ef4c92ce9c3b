//! Voltage and frequency: what all meters of a place have in common, as functions of time.
//!
//! No state and no stream: whoever asks for the same place and time gets the same answer, in any
//! domain and in any order.

use crate::rng::mix;
use crate::time::Time;

/// Seconds between two independent values of the frequency; its correlation time.
const FREQUENCY_S: u64 = 100;
/// Standard deviation of the frequency in mHz.
const FREQUENCY_DEVIATION_MHZ: f64 = 18.0;
/// Seconds between two independent values of a feeder's voltage.
const VOLTAGE_S: u64 = 1_800;
/// Standard deviation of a feeder's voltage relative to the nominal one.
const VOLTAGE_DEVIATION: f64 = 0.01;

const FREQUENCY: u64 = 0x6672_6571_7565_6e63;
const VOLTAGE: u64 = 0x766f_6c74_6167_6500;

/// The frequency of the power system in mHz.
pub fn frequency_mhz(seed: u64, time: Time) -> u32 {
    let deviation = smooth(mix(seed ^ FREQUENCY), time, FREQUENCY_S);
    (60_000.0 + FREQUENCY_DEVIATION_MHZ * deviation) as u32
}

/// Deviation of a feeder's voltage from the nominal one, relative to it.
pub fn voltage_deviation(seed: u64, feeder: u32, time: Time) -> f64 {
    let place = mix(seed ^ VOLTAGE ^ u64::from(feeder));
    VOLTAGE_DEVIATION * smooth(place, time, VOLTAGE_S).clamp(-4.0, 4.0)
}

/// A deviation of about unit variance that passes through independent values every `period_s`.
fn smooth(place: u64, time: Time, period_s: u64) -> f64 {
    let period = period_s * 1_000_000_000;
    let (index, rest) = (time.as_nanos() / period, time.as_nanos() % period);
    let share = rest as f64 / period as f64;
    let (from, to) = (value(place, index), value(place, index + 1));
    // Weights on a circle keep the variance.
    let angle = share * core::f64::consts::FRAC_PI_2;
    from * libm::cos(angle) + to * libm::sin(angle)
}

/// About a standard normal value: the sum of four uniform ones.
fn value(place: u64, index: u64) -> f64 {
    let bits = mix(place ^ mix(index.wrapping_add(1)));
    let sum: u64 = (0..4).map(|part| bits >> (16 * part) & 0xFFFF).sum();
    // Mean 2, variance 1/3.
    (sum as f64 / 65_536.0 - 2.0) * libm::sqrt(3.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frequency_scatters_about_the_nominal_one() {
        let values: Vec<f64> = (0..10_000)
            .map(|step| f64::from(frequency_mhz(7, Time::from_secs(step * 37))))
            .collect();
        let mean = values.iter().sum::<f64>() / 10_000.0;
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 10_000.0;
        assert!((mean - 60_000.0).abs() < 2.0, "{mean} mHz");
        assert!(
            (14.0..22.0).contains(&variance.sqrt()),
            "{} mHz",
            variance.sqrt()
        );
    }

    #[test]
    fn feeders_differ_and_stay_within_service_limits() {
        let at = Time::from_secs(1_000);
        assert_ne!(voltage_deviation(1, 1, at), voltage_deviation(1, 2, at));
        for step in 0..2_000 {
            let deviation = voltage_deviation(1, 1, Time::from_secs(step * 311));
            // 228 to 252 V of 240 V, ANSI C84.1 range A.
            assert!(deviation.abs() < 0.05);
        }
    }
}
