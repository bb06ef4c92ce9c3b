//! Processors of meters and the time that they take.

use firmware::Duration;

use super::record::choice;
use super::units::Frequency;

choice! {
    /// Processor of a meter.
    ///
    /// The presets are typical published cycle counts of portable C or assembler code.
    pub enum Mcu {
        /// 32-bit core at 80 MHz with table-driven AES in assembler.
        CortexM4,
        /// 32-bit core at 32 MHz with AES in C.
        CortexM3,
        /// 16-bit core at 8 MHz with optimised AES (132 cycles per octet).
        Msp430,
        /// 8-bit core at 8 MHz.
        Avr8,
        /// 32-bit core at 32 MHz with an AES peripheral.
        HardwareAes,
        /// Anything else.
        Custom {
            /// Clock of the core.
            clock: Frequency,
            /// Cycles per AES block operation.
            aes_block_cycles: u32,
            /// Cycles per SHA-1 compression.
            sha1_block_cycles: u32,
            /// Cycles per SHA-256 compression.
            sha256_block_cycles: u32,
            /// Cycles to copy and parse an octet.
            byte_cycles: u32,
            /// Cycles per datagram, whatever its length.
            datagram_cycles: u32 = 20_000,
        },
    }
}

/// Cycle counts of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct McuCosts {
    /// Clock in hertz.
    pub clock_hz: u64,
    /// Cycles per AES block operation.
    pub aes_block_cycles: u32,
    /// Cycles per SHA-1 compression.
    pub sha1_block_cycles: u32,
    /// Cycles per SHA-256 compression.
    pub sha256_block_cycles: u32,
    /// Cycles to copy and parse an octet.
    pub byte_cycles: u32,
    /// Cycles per datagram, whatever its length.
    pub datagram_cycles: u32,
}

impl Mcu {
    /// The cycle counts that stand for this processor.
    pub const fn costs(&self) -> McuCosts {
        let (clock_hz, aes, sha1, sha256, byte, datagram) = match self {
            Self::CortexM4 => (80_000_000, 1_440, 1_800, 3_600, 5, 20_000),
            Self::CortexM3 => (32_000_000, 2_368, 2_300, 4_600, 6, 20_000),
            Self::Msp430 => (8_000_000, 2_112, 10_000, 20_000, 18, 20_000),
            Self::Avr8 => (8_000_000, 3_500, 16_000, 32_000, 45, 30_000),
            Self::HardwareAes => (32_000_000, 500, 2_300, 4_600, 6, 20_000),
            Self::Custom {
                clock,
                aes_block_cycles,
                sha1_block_cycles,
                sha256_block_cycles,
                byte_cycles,
                datagram_cycles,
            } => (
                clock.0,
                *aes_block_cycles,
                *sha1_block_cycles,
                *sha256_block_cycles,
                *byte_cycles,
                *datagram_cycles,
            ),
        };
        McuCosts {
            clock_hz,
            aes_block_cycles: aes,
            sha1_block_cycles: sha1,
            sha256_block_cycles: sha256,
            byte_cycles: byte,
            datagram_cycles: datagram,
        }
    }
}

impl McuCosts {
    /// The time that `cycles` take, rounded up to a nanosecond.
    pub const fn time(&self, cycles: u64) -> Duration {
        let nanos = (cycles as u128 * 1_000_000_000).div_ceil(self.clock_hz as u128);
        Duration::from_nanos(nanos as u64)
    }
}
