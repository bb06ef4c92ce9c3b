//! IEEE 802.15.4 SUN FSK at 902-928 MHz, the physical layer of Wi-SUN field area networks.

use super::csma;
use crate::time::Duration;

/// The longest PSDU in octets: an IPv6 packet of 1,280 octets needs no fragmentation.
pub const PSDU_MAX: usize = 2_047;
/// Octets of preamble (8), start delimiter (2) and PHY header (2) before each PSDU.
const SHR_PHR_OCTETS: u64 = 12;
/// PSDU of an enhanced acknowledgement with address, timing and MIC, in octets.
const ACK_OCTETS: usize = 40;
/// From the end of a frame to its acknowledgement.
pub const TURNAROUND: Duration = Duration::from_millis(1);
/// Time that a node stays on one channel of its hopping sequence.
pub const DWELL: Duration = Duration::from_millis(255);

/// An operating mode of North America.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// 50 kb/s, 129 channels of 200 kHz.
    Kbps50,
    /// 150 kb/s, 64 channels of 400 kHz.
    Kbps150,
    /// 300 kb/s, 42 channels of 600 kHz.
    Kbps300,
}

impl Mode {
    /// Bits per second.
    pub const fn rate_bps(self) -> u64 {
        match self {
            Self::Kbps50 => 50_000,
            Self::Kbps150 => 150_000,
            Self::Kbps300 => 300_000,
        }
    }

    /// Channels of the hopping sequence.
    pub const fn channels(self) -> u32 {
        match self {
            Self::Kbps50 => 129,
            Self::Kbps150 => 64,
            Self::Kbps300 => 42,
        }
    }

    /// Time on the air of a frame with a PSDU of `octets`.
    pub const fn airtime(self, octets: usize) -> Duration {
        Duration::from_nanos((SHR_PHR_OCTETS + octets as u64) * 8_000_000_000 / self.rate_bps())
    }

    /// Time on the air of an acknowledgement.
    pub const fn ack_airtime(self) -> Duration {
        self.airtime(ACK_OCTETS)
    }

    /// Time on the channel of a frame that is acknowledged.
    pub fn exchange_time(self, octets: usize) -> Duration {
        self.airtime(octets) + TURNAROUND + self.ack_airtime()
    }
    /// The medium access: assessment over 8 symbols, unit backoff of assessment and turnaround.
    pub fn csma(self) -> csma::Parameters {
        let cca = Duration::from_nanos(8_000_000_000 / self.rate_bps());
        csma::Parameters {
            unit_backoff: cca + TURNAROUND,
            backoff_exponent_min: 3,
            backoff_exponent_max: 5,
            backoffs_max: 4,
            frame_retries_max: super::ieee802154::FRAME_RETRIES_MAX,
            cca,
            turnaround: TURNAROUND,
            ack_airtime: Some(self.ack_airtime()),
            ack_wait: TURNAROUND + self.ack_airtime(),
            interframe_space: TURNAROUND,
        }
    }
}

/// Bit error rate of non-coherent binary FSK at a linear `eb_n0`.
pub fn bit_error_rate(eb_n0: f64) -> f64 {
    0.5 * libm::exp(-eb_n0 / 2.0)
}

/// Probability that one of `octets` is received wrongly at a linear `eb_n0`.
pub fn packet_error_rate(eb_n0: f64, octets: usize) -> f64 {
    1.0 - libm::pow(1.0 - bit_error_rate(eb_n0), 8.0 * octets as f64)
}

#[cfg(test)]
mod tests {
    use super::super::ieee802154::from_db;
    use super::super::sixlowpan::FrameProfile;
    use super::super::sixlowpan::tests::AUTHENTICATION;
    use super::*;

    #[test]
    fn v21_an_authentication_occupies_a_hop_for_355_or_126_ms() {
        for (mode, target_ms) in [(Mode::Kbps50, 355.0), (Mode::Kbps150, 126.0)] {
            let frames = AUTHENTICATION
                .into_iter()
                .flat_map(|octets| FrameProfile::SECURED_LONG_FRAME.frames(octets));
            let nanos: u64 = frames.map(|psdu| mode.exchange_time(psdu).as_nanos()).sum();
            let ours = nanos as f64 / 1e6;
            assert!(
                (ours / target_ms - 1.0).abs() < 0.02,
                "{ours} ms, target {target_ms}"
            );
        }
    }

    #[test]
    fn a_frame_of_250_octets_lasts_42_or_14_ms() {
        assert_eq!(Mode::Kbps50.airtime(250), Duration::from_micros(41_920));
        assert_eq!(Mode::Kbps150.airtime(250).as_nanos() / 1_000, 13_973);
    }

    #[test]
    fn error_rates_fall_as_published() {
        for (db, rate) in [(12.0, 0.304), (13.0, 0.045), (14.0, 0.003_5)] {
            let ours = packet_error_rate(from_db(db), 250);
            assert!((ours / rate - 1.0).abs() < 0.02, "{ours}, target {rate}");
        }
    }
}
