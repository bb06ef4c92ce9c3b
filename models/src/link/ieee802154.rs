//! IEEE 802.15.4 O-QPSK at 2.4 GHz with unslotted CSMA/CA: constants, airtime and error rates.

use super::csma;
use crate::time::Duration;

/// Airtime of an octet in microseconds: two symbols of 16 µs.
const OCTET_US: u64 = 32;
/// Octets of preamble, start delimiter and length before each PSDU.
const SHR_PHR_OCTETS: u64 = 6;
/// aMaxPHYPacketSize: the longest PSDU in octets.
pub const PSDU_MAX: usize = 127;
/// PSDU of an acknowledgement in octets.
const ACK_OCTETS: usize = 5;
/// aUnitBackoffPeriod: 20 symbols.
pub const UNIT_BACKOFF: Duration = Duration::from_micros(320);
/// Length of a clear channel assessment: 8 symbols.
pub const CCA: Duration = Duration::from_micros(128);
/// aTurnaroundTime: 12 symbols.
pub const TURNAROUND: Duration = Duration::from_micros(192);
/// macAckWaitDuration: 54 symbols.
pub const ACK_WAIT: Duration = Duration::from_micros(864);
/// LIFS: 40 symbols after a long frame.
pub const LIFS: Duration = Duration::from_micros(640);
/// macMaxFrameRetries.
pub const FRAME_RETRIES_MAX: u8 = 3;

/// Time on the air of a frame with a PSDU of `octets`.
pub const fn airtime(octets: usize) -> Duration {
    Duration::from_micros((SHR_PHR_OCTETS + octets as u64) * OCTET_US)
}

/// Time on the air of an acknowledgement.
pub const fn ack_airtime() -> Duration {
    airtime(ACK_OCTETS)
}

/// Time on the channel of a frame that is acknowledged: frame, turnaround, acknowledgement.
pub fn exchange_time(octets: usize) -> Duration {
    airtime(octets) + TURNAROUND + ack_airtime()
}

/// The medium access of this physical layer with its default parameters.
pub const fn csma(acknowledged: bool) -> csma::Parameters {
    csma::Parameters {
        unit_backoff: UNIT_BACKOFF,
        backoff_exponent_min: 3,
        backoff_exponent_max: 5,
        backoffs_max: 4,
        frame_retries_max: FRAME_RETRIES_MAX,
        cca: CCA,
        turnaround: TURNAROUND,
        ack_airtime: if acknowledged {
            Some(ack_airtime())
        } else {
            None
        },
        ack_wait: ACK_WAIT,
        interframe_space: LIFS,
    }
}

/// Binomial coefficients C(16, k) for k = 2..=16.
const BINOMIAL_16: [f64; 15] = [
    120.0, 560.0, 1_820.0, 4_368.0, 8_008.0, 11_440.0, 12_870.0, 11_440.0, 8_008.0, 4_368.0,
    1_820.0, 560.0, 120.0, 16.0, 1.0,
];

/// Bit error rate at a signal to interference and noise ratio of `sinr` (linear, not dB).
///
/// IEEE 802.15.4-2006 Annex E.
pub fn bit_error_rate(sinr: f64) -> f64 {
    let mut sum = 0.0;
    for (index, coefficient) in BINOMIAL_16.into_iter().enumerate() {
        let k = (index + 2) as f64;
        let term = coefficient * libm::exp(20.0 * sinr * (1.0 / k - 1.0));
        sum += if index % 2 == 0 { term } else { -term };
    }
    (8.0 / 15.0 / 16.0 * sum).clamp(0.0, 0.5)
}

/// Probability that one of `octets` is received wrongly at a constant `sinr` (linear).
pub fn packet_error_rate(sinr: f64, octets: usize) -> f64 {
    1.0 - libm::pow(1.0 - bit_error_rate(sinr), 8.0 * octets as f64)
}

/// A ratio given in decibels.
pub fn from_db(decibels: f64) -> f64 {
    libm::pow(10.0, decibels / 10.0)
}

#[cfg(test)]
mod tests {
    use super::super::sixlowpan::FrameProfile;
    use super::super::sixlowpan::tests::AUTHENTICATION;
    use super::*;

    fn assert_within(ours: f64, target: f64, relative: f64) {
        assert!(
            (ours / target - 1.0).abs() <= relative,
            "{ours}, target {target}"
        );
    }

    #[test]
    fn v01_bit_error_rates_of_annex_e() {
        for (db, rate) in [
            (-2.0, 5.197e-3),
            (-1.0, 1.149e-3),
            (0.0, 1.615e-4),
            (0.5, 4.939e-5),
            (1.0, 1.291e-5),
            (2.0, 5.131e-7),
        ] {
            assert_within(bit_error_rate(from_db(db)), rate, 1e-3);
        }
    }

    #[test]
    fn v02_packet_error_rates_at_0_db() {
        assert_within(packet_error_rate(1.0, 20), 0.025_52, 1e-3);
        assert_within(packet_error_rate(1.0, 127), 0.151_4, 1e-3);
    }

    #[test]
    fn v03_one_percent_of_20_octets_are_lost_at_0_4_db() {
        assert!(packet_error_rate(from_db(0.38), 20) > 0.01);
        assert!(packet_error_rate(from_db(0.42), 20) < 0.01);
    }

    #[test]
    fn frames_last_as_long_as_the_standard_says() {
        assert_eq!(airtime(PSDU_MAX), Duration::from_micros(4_256));
        assert_eq!(ack_airtime(), Duration::from_micros(352));
    }

    #[test]
    fn v20_an_authentication_occupies_a_hop_for_66_ms() {
        let frames = AUTHENTICATION
            .into_iter()
            .flat_map(|octets| FrameProfile::SECURED_MESH.frames(octets));
        let nanos: u64 = frames.map(|psdu| exchange_time(psdu).as_nanos()).sum();
        assert_within(nanos as f64 / 1e6, 66.0, 0.02);
    }
}
