//! Shared media at message level: what a frame costs on each physical layer.

use super::contention::Table;
use super::csma::{Capture, Parameters};
use super::g3plc::{self, Band, ToneMode};
use super::sixlowpan::FrameProfile;
use super::{ieee802154, sun_fsk};
use crate::time::Duration;

/// A physical layer with its medium access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phy {
    /// IEEE 802.15.4 O-QPSK at 2.4 GHz, one channel.
    OQpsk,
    /// IEEE 802.15.4 SUN FSK with a hopping sequence for each receiver.
    SunFsk(sun_fsk::Mode),
    /// G3-PLC with one tone mode for all.
    G3Plc(Band, ToneMode),
}

/// PSDU of the frame that stands for all others in a table of contention, in octets.
const TYPICAL_OCTETS: usize = 100;

impl Phy {
    /// The name in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OQpsk => "mesh_2_4_ghz",
            Self::SunFsk(_) => "mesh_sun_fsk",
            Self::G3Plc(..) => "g3_plc",
        }
    }

    /// Headers and fragmentation.
    pub const fn frames(self) -> FrameProfile {
        match self {
            Self::OQpsk => FrameProfile::SECURED_MESH,
            Self::SunFsk(_) => FrameProfile::SECURED_LONG_FRAME,
            Self::G3Plc(band, mode) => FrameProfile {
                psdu_max: mode.psdu_max(band),
                ..FrameProfile::SECURED_MESH
            },
        }
    }

    /// Time on the air of a frame with a PSDU of `octets`.
    pub fn airtime(self, octets: usize) -> Duration {
        match self {
            Self::OQpsk => ieee802154::airtime(octets),
            Self::SunFsk(mode) => mode.airtime(octets),
            Self::G3Plc(band, mode) => mode.frame_time(band, octets),
        }
    }

    /// Medium access with default parameters.
    pub fn csma(self) -> Parameters {
        match self {
            Self::OQpsk => ieee802154::csma(true),
            Self::SunFsk(mode) => mode.csma(),
            Self::G3Plc(band, _) => band.csma(),
        }
    }

    /// Whether every receiver has a channel of its own at any time.
    pub const fn hops_channels(self) -> bool {
        matches!(self, Self::SunFsk(_))
    }

    /// Contention by utilisation; see [`Table::measure`].
    pub fn contention(self, capture: Capture) -> Table {
        let bits = 8 * TYPICAL_OCTETS as u32;
        Table::measure(&self.csma(), self.airtime(TYPICAL_OCTETS), bits, capture)
    }

    /// How far back a collision domain of this medium remembers: a hundred typical frames.
    pub fn memory(self) -> Duration {
        self.airtime(TYPICAL_OCTETS).scaled(100, 1)
    }

    /// Retries of a frame.
    pub const fn frame_retries_max(self) -> u8 {
        match self {
            Self::OQpsk | Self::SunFsk(_) => ieee802154::FRAME_RETRIES_MAX,
            Self::G3Plc(..) => g3plc::FRAME_RETRIES_MAX,
        }
    }
}
