//! G3-PLC (ITU-T G.9903): frame times of narrow-band power line communication.
//!
//! ```text
//! | preamble | frame control header | data symbols, a multiple of four |
//! ```
//!
//! Data bits pass a Reed-Solomon code, a convolutional code of rate 1/2 and constraint length 7,
//! and are repeated in the robust modes.

use super::csma;
use crate::time::Duration;

/// A frequency plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Band {
    /// 35.9-90.6 kHz, Europe.
    CenelecA,
    /// 154.7-487.5 kHz, the Americas.
    Fcc,
}

/// Modulation and coding of the data symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ToneMode {
    /// DBPSK, every bit six times.
    SuperRobo,
    /// DBPSK, every bit four times.
    Robo,
    /// One bit per carrier.
    Dbpsk,
    /// Two bits per carrier.
    Dqpsk,
    /// Three bits per carrier.
    D8psk,
}

/// The modes from fastest to most robust.
const FASTEST_FIRST: [ToneMode; 5] = [
    ToneMode::D8psk,
    ToneMode::Dqpsk,
    ToneMode::Dbpsk,
    ToneMode::Robo,
    ToneMode::SuperRobo,
];

/// Tail bits of the convolutional code.
const TAIL_BITS: usize = 6;
/// CIFS and RIFS in symbols.
const INTERFRAME_SYMBOLS: u64 = 10;
/// Contention slot in symbols.
const SLOT_SYMBOLS: u64 = 2;
/// macMaxFrameRetries of this medium.
pub const FRAME_RETRIES_MAX: u8 = 5;

impl Band {
    /// Data carriers.
    pub const fn carriers(self) -> usize {
        match self {
            Self::CenelecA => 36,
            Self::Fcc => 72,
        }
    }

    /// Duration of `symbols` data symbols: 278 samples at 400 kHz or 1.2 MHz.
    pub const fn symbols(self, symbols: u64) -> Duration {
        match self {
            Self::CenelecA => Duration::from_nanos(symbols * 695_000),
            Self::Fcc => Duration::from_nanos(symbols * 278_000_000 / 1_200),
        }
    }

    /// Duration of the preamble: 9.5 symbols without prefix, of 256 samples.
    pub const fn preamble(self) -> Duration {
        match self {
            Self::CenelecA => Duration::from_micros(6_080),
            Self::Fcc => Duration::from_nanos(9_500 * 256_000 / 1_200),
        }
    }

    /// Symbols of the frame control header.
    pub const fn header_symbols(self) -> u64 {
        match self {
            Self::CenelecA => 13,
            Self::Fcc => 12,
        }
    }

    /// The most data symbols of a frame.
    pub const fn data_symbols_max(self) -> u64 {
        match self {
            Self::CenelecA => 252,
            Self::Fcc => 511,
        }
    }

    /// Time on the line of an acknowledgement, which is a frame without data.
    pub fn ack_time(self) -> Duration {
        self.preamble() + self.symbols(self.header_symbols())
    }

    /// Response interframe space, between a frame and its acknowledgement.
    pub const fn response_space(self) -> Duration {
        self.symbols(INTERFRAME_SYMBOLS)
    }

    /// The medium access with its default parameters.
    pub fn csma(self) -> csma::Parameters {
        csma::Parameters {
            unit_backoff: self.symbols(SLOT_SYMBOLS),
            backoff_exponent_min: 3,
            backoff_exponent_max: 8,
            backoffs_max: 50,
            frame_retries_max: FRAME_RETRIES_MAX,
            cca: self.symbols(1),
            turnaround: self.symbols(INTERFRAME_SYMBOLS),
            ack_airtime: Some(self.ack_time()),
            ack_wait: self.response_space() + self.ack_time(),
            interframe_space: self.symbols(INTERFRAME_SYMBOLS),
        }
    }
}

impl ToneMode {
    /// Bits per carrier and symbol.
    const fn bits(self) -> usize {
        match self {
            Self::SuperRobo | Self::Robo | Self::Dbpsk => 1,
            Self::Dqpsk => 2,
            Self::D8psk => 3,
        }
    }

    /// How often each bit is sent.
    const fn repetitions(self) -> usize {
        match self {
            Self::SuperRobo => 6,
            Self::Robo => 4,
            Self::Dbpsk | Self::Dqpsk | Self::D8psk => 1,
        }
    }

    /// Parity octets of the Reed-Solomon code.
    const fn parity_octets(self) -> usize {
        match self {
            Self::SuperRobo | Self::Robo => 8,
            Self::Dbpsk | Self::Dqpsk | Self::D8psk => 16,
        }
    }

    /// Data symbols of a PSDU of `octets`.
    pub const fn data_symbols(self, band: Band, octets: usize) -> u64 {
        let bits = ((octets + self.parity_octets()) * 8 + TAIL_BITS) * 2 * self.repetitions();
        (bits.div_ceil(band.carriers() * self.bits()) as u64).next_multiple_of(4)
    }

    /// Time on the line of a frame with a PSDU of `octets`.
    pub fn frame_time(self, band: Band, octets: usize) -> Duration {
        let symbols = band.header_symbols() + self.data_symbols(band, octets);
        band.preamble() + band.symbols(symbols)
    }

    /// Time on the line of a frame that is acknowledged.
    pub fn exchange_time(self, band: Band, octets: usize) -> Duration {
        self.frame_time(band, octets) + band.response_space() + band.ack_time()
    }

    /// The longest PSDU in octets: one Reed-Solomon block within the data symbols of the band.
    pub const fn psdu_max(self, band: Band) -> usize {
        let mut octets = 255 - self.parity_octets();
        while self.data_symbols(band, octets) > band.data_symbols_max() {
            octets -= 1;
        }
        octets
    }

    /// Signal to noise ratio in dB at which 5 % of the frames are lost.
    ///
    /// A fit to certification limits, uncertain by a few decibels.
    pub const fn snr_required_db(self) -> f64 {
        match self {
            Self::SuperRobo => -1.0,
            Self::Robo => 1.0,
            Self::Dbpsk => 5.0,
            Self::Dqpsk => 8.0,
            Self::D8psk => 13.0,
        }
    }

    /// The fastest mode that loses at most 5 % of the frames at `snr_db`, as a tone map picks it.
    pub fn for_snr(snr_db: f64) -> Option<Self> {
        FASTEST_FIRST
            .into_iter()
            .find(|mode| mode.snr_required_db() <= snr_db)
    }

    /// Probability that a frame is received at `snr_db`.
    ///
    /// A logistic curve through 95 % at the required ratio; 1.5 dB less halve what is received.
    pub fn delivery(self, snr_db: f64) -> f64 {
        const STEEPNESS_PER_DB: f64 = 2.0;
        let margin = snr_db - self.snr_required_db() + libm::log(19.0) / STEEPNESS_PER_DB;
        1.0 / (1.0 + libm::exp(-STEEPNESS_PER_DB * margin))
    }
}

/// Attenuation in dB of `metres` of low-voltage cable at `frequency_hz` over `taps` branches.
///
/// 70 dB/km at 75 kHz, rising with the root of the frequency; 4 dB per branch.
pub fn attenuation_db(metres: f64, frequency_hz: f64, taps: u32) -> f64 {
    0.070 * metres * libm::sqrt(frequency_hz / 75_000.0) + 4.0 * f64::from(taps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(duration: Duration) -> f64 {
        duration.as_nanos() as f64 / 1e6
    }

    #[test]
    fn v25_frame_times_of_cenelec_a() {
        for (mode, octets, target) in [
            (ToneMode::Robo, 133, 190.3),
            (ToneMode::Dbpsk, 235, 92.95),
            (ToneMode::Dqpsk, 235, 54.0),
        ] {
            let ours = millis(mode.frame_time(Band::CenelecA, octets));
            assert!(
                (ours / target - 1.0).abs() < 0.01,
                "{mode:?}: {ours}, target {target}"
            );
        }
    }

    #[test]
    fn v26_dqpsk_reaches_the_published_rate() {
        let time = millis(ToneMode::Dqpsk.frame_time(Band::CenelecA, 235));
        let kbps = 235.0 * 8.0 / time;
        assert!((kbps / 33.4 - 1.0).abs() < 0.05, "{kbps} kb/s");
    }

    #[test]
    fn v35_252_symbols_of_robo_carry_133_octets() {
        assert_eq!(ToneMode::Robo.psdu_max(Band::CenelecA), 133);
        assert_eq!(ToneMode::Robo.data_symbols(Band::CenelecA, 133), 252);
        assert_eq!(ToneMode::Dbpsk.psdu_max(Band::CenelecA), 239);
        assert_eq!(ToneMode::Robo.psdu_max(Band::Fcc), 247);
    }

    #[test]
    fn acknowledgements_last_15_and_4_8_ms() {
        assert!((millis(Band::CenelecA.ack_time()) - 15.1).abs() < 0.05);
        assert!((millis(Band::Fcc.ack_time()) - 4.8).abs() < 0.05);
    }

    #[test]
    fn a_better_line_gets_a_faster_mode() {
        assert_eq!(ToneMode::for_snr(-3.0), None);
        assert_eq!(ToneMode::for_snr(1.0), Some(ToneMode::Robo));
        assert_eq!(ToneMode::for_snr(9.0), Some(ToneMode::Dqpsk));
        for mode in FASTEST_FIRST {
            let required = mode.snr_required_db();
            assert!((mode.delivery(required) - 0.95).abs() < 1e-12);
            assert!(mode.delivery(required - 1.5) < 0.52);
        }
    }
}
