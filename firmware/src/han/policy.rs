//! The rules of a home area network, the same at both ends.

use super::frame::SecurityLevel;
use crate::time::Duration;

/// The channels of the 2.4 GHz band (IEEE 802.15.4-2006 §6.1.2).
pub const CHANNELS: core::ops::RangeInclusive<u8> = 11..=26;

/// The rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Channel of the network, 11 to 26.
    pub channel: u8,
    /// Level of everything but key requests and transports, which have the highest one.
    pub level: SecurityLevel,
    /// Time between two updates.
    pub update_period: Duration,
    /// How long a superseded link key is still received under.
    pub overlap: Duration,
    /// How long until a key transport or a key request that came to nothing is repeated.
    pub key_retry: Duration,
    /// How long a device waits for an update before it asks for a key.
    pub silence: Duration,
    /// How long a device listens on one channel for beacons.
    pub scan: Duration,
    /// How long a device that found no network, or was not let in, waits at least.
    pub pause: Duration,
}

/// macResponseWaitTime: 32 base superframes of 960 symbols of 16 µs (§7.4.2).
pub(super) const RESPONSE_WAIT: Duration = Duration::from_micros(491_520);

impl Default for Policy {
    /// Channel 15, level 5, an update every 5 s, an overlap of 300 s.
    ///
    /// The scan lasts nine base superframes per channel, scan duration 3 (§7.1.11).
    fn default() -> Self {
        Self {
            channel: 15,
            level: SecurityLevel::EncMic32,
            update_period: Duration::from_secs(5),
            overlap: Duration::from_secs(300),
            key_retry: Duration::from_secs(5),
            silence: Duration::from_secs(60),
            scan: Duration::from_micros(138_240),
            pause: Duration::from_secs(10),
        }
    }
}
