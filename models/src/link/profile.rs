//! What a kind of link is like.

use super::cellular::Connection;
use super::wifi::Home;
use crate::dist::Dist;

/// The access medium of a meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Medium {
    /// 10/100BASE-TX: Ethernet II framing around IPv4.
    Ethernet,
    /// A wide-area access of which only the IP layer is modelled.
    Wan,
    /// IEEE 802.11 to a home router: QoS data frames around LLC and IPv4.
    Wifi,
    /// A mobile operator: IPv4 as the operator counts it.
    Cellular,
}

/// Octets of an IPv4 header without options (RFC 791) and of a UDP header (RFC 768).
const IPV4_UDP_OCTETS: usize = 20 + 8;
/// Octets of an Ethernet II header and frame check sequence (IEEE 802.3 §3.1).
const ETHERNET_OCTETS: usize = 14 + 4;
/// Octets of a QoS data frame with CCMP (IEEE 802.11-2020 §9.2, §12.5.3) and of LLC/SNAP.
const WIFI_OCTETS: usize = 26 + 16 + 4 + 8;
/// The shortest Ethernet frame; shorter payloads are padded (IEEE 802.3 §4.4.2).
const ETHERNET_FRAME_MIN: usize = 64;

impl Medium {
    /// Octets on the link for a UDP payload of `payload` octets.
    pub const fn frame_octets(self, payload: usize) -> usize {
        let packet = payload + IPV4_UDP_OCTETS;
        match self {
            Self::Wan | Self::Cellular => packet,
            Self::Wifi => packet + WIFI_OCTETS,
            Self::Ethernet => {
                let frame = packet + ETHERNET_OCTETS;
                if frame < ETHERNET_FRAME_MIN {
                    ETHERNET_FRAME_MIN
                } else {
                    frame
                }
            }
        }
    }

    /// The name in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ethernet => "ethernet",
            Self::Wan => "wan",
            Self::Wifi => "wifi",
            Self::Cellular => "cellular",
        }
    }
}

/// Which way a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From a meter to the head-end.
    Up,
    /// From the head-end to a meter.
    Down,
}

impl Direction {
    /// The name in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// One direction of a link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LaneProfile {
    /// Propagation and forwarding time in nanoseconds.
    pub latency: Dist,
    /// Extra delay in nanoseconds on top of `latency`; draws below zero count as zero.
    pub jitter: Dist,
    /// Probability that a datagram is lost, in billionths.
    pub loss_ppb: u32,
    /// Bits per second, positive.
    pub rate_bps: u64,
    /// Octets that may wait for the lane.
    pub queue_octets: u64,
    /// What the first frame after a pause waits for, on links that are not always up.
    pub connection: Option<Connection>,
}

/// A kind of link that a cohort of meters uses.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkProfile {
    /// The name in the scenario.
    pub name: String,
    /// What the frames look like.
    pub medium: Medium,
    /// Meter to head-end.
    pub up: LaneProfile,
    /// Head-end to meter.
    pub down: LaneProfile,
    /// The network of the customer, on links that go through one.
    pub home: Option<Home>,
}

impl LinkProfile {
    /// The profile of one direction.
    pub const fn lane(&self, direction: Direction) -> &LaneProfile {
        match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_count_their_headers_and_padding() {
        assert_eq!(Medium::Wan.frame_octets(16), 44);
        assert_eq!(
            Medium::Ethernet.frame_octets(16),
            64,
            "62 octets are padded to 64"
        );
        assert_eq!(Medium::Ethernet.frame_octets(100), 146);
        assert_eq!(Medium::Wifi.frame_octets(100), 182);
        assert_eq!(Medium::Cellular.frame_octets(100), 128);
    }
}
