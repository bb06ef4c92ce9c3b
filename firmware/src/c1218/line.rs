//! Speed, sizes and times of a line (C12.18-2006 §4.3, §4.4).

use super::packet::OVERHEAD;
use crate::time::Duration;

/// A speed, as Negotiate names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Baud(u8);

impl Baud {
    /// 9600 baud, the speed of every line before Negotiate.
    pub const DEFAULT: Self = Self(0x06);
    /// The fastest speed of the standard, 57600 baud.
    pub const FASTEST: Self = Self(0x0A);

    /// The speed of a code: 01 to 0A of the standard, 0B to 0E as some vendors extend it.
    ///
    /// Code 00, "externally defined", says nothing about the line and is no speed here.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0x01..=0x0E => Some(Self(code)),
            _ => None,
        }
    }

    /// The code.
    pub const fn code(self) -> u8 {
        self.0
    }

    /// Bits per second.
    pub const fn bits_per_second(self) -> u32 {
        match self.0 {
            0x01 => 300,
            0x02 => 600,
            0x03 => 1_200,
            0x04 => 2_400,
            0x05 => 4_800,
            0x07 => 14_400,
            0x08 => 19_200,
            0x09 => 28_800,
            0x0A => 57_600,
            0x0B => 38_400,
            0x0C => 115_200,
            0x0D => 128_000,
            0x0E => 256_000,
            _ => 9_600,
        }
    }

    /// How long `octets` are on the line: ten bits each, with start and stop bit.
    pub const fn time_of(self, octets: usize) -> Duration {
        let bits = octets as u64 * 10;
        Duration::from_nanos(bits * 1_000_000_000 / self.bits_per_second() as u64)
    }
}

impl Default for Baud {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What both ends of a line have agreed upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Octets of a packet at most, 32 to 8192.
    pub packet_size: u16,
    /// Packets of a message at most, 1 to 255.
    pub packets: u8,
    /// Speed of the line.
    pub baud: Baud,
}

impl Parameters {
    /// Octets of the shortest packet size.
    pub const SIZE_MIN: u16 = 32;
    /// Octets of the longest packet size.
    pub const SIZE_MAX: u16 = 8_192;

    /// Octets of data in one packet.
    pub const fn payload_max(&self) -> usize {
        (self.packet_size as usize).saturating_sub(OVERHEAD)
    }

    /// Octets of a message at most.
    pub const fn message_max(&self) -> usize {
        self.payload_max() * self.packets as usize
    }
}

impl Default for Parameters {
    /// Before Negotiate and after Terminate: one packet of 64 octets, at 9600 baud.
    fn default() -> Self {
        Self {
            packet_size: 64,
            packets: 1,
            baud: Baud::DEFAULT,
        }
    }
}

/// How far a device goes in Negotiate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of a packet at most, 32 to 8192.
    pub packet_size: u16,
    /// Packets of a message at most.
    pub packets: u8,
    /// The fastest speed.
    pub baud: Baud,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            packet_size: 512,
            packets: 255,
            baud: Baud::FASTEST,
        }
    }
}

/// Time-outs and repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// The longest silence within a packet.
    pub inter_character: Duration,
    /// How long an acknowledgement is awaited after the last octet of a packet.
    pub response: Duration,
    /// The longest silence within a session.
    pub traffic: Duration,
    /// The least silence between what is received and what is sent.
    pub turn_around: Duration,
    /// How often a packet is repeated.
    pub retries: u32,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            inter_character: Duration::from_millis(500),
            response: Duration::from_secs(2),
            traffic: Duration::from_secs(6),
            turn_around: Duration::from_micros(175),
            retries: 3,
        }
    }
}
