//! Processors of meters and the time that they take.

use models::cost::McuCost;

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
            /// Cycles per AES key expansion.
            aes_key_schedule_cycles: u32 = 500,
            /// Cycles per SHA-1 compression.
            sha1_block_cycles: u32,
            /// Cycles per SHA-256 compression.
            sha256_block_cycles: u32,
            /// Cycles to copy and parse an octet.
            octet_cycles: u32,
            /// Cycles per datagram, whatever its length.
            datagram_cycles: u32 = 20_000,
        },
    }
}

impl Mcu {
    /// The cycle counts that stand for this processor.
    pub const fn costs(&self) -> McuCost {
        let (clock_hz, aes, schedule, sha1, sha256, octet, datagram) = match self {
            Self::CortexM4 => (80_000_000, 1_440, 400, 1_800, 3_600, 5, 20_000),
            Self::CortexM3 => (32_000_000, 2_368, 700, 2_300, 4_600, 6, 20_000),
            Self::Msp430 => (8_000_000, 2_112, 1_000, 10_000, 20_000, 18, 20_000),
            Self::Avr8 => (8_000_000, 3_500, 1_500, 16_000, 32_000, 45, 30_000),
            Self::HardwareAes => (32_000_000, 500, 100, 2_300, 4_600, 6, 20_000),
            Self::Custom {
                clock,
                aes_block_cycles,
                aes_key_schedule_cycles,
                sha1_block_cycles,
                sha256_block_cycles,
                octet_cycles,
                datagram_cycles,
            } => (
                clock.0,
                *aes_block_cycles,
                *aes_key_schedule_cycles,
                *sha1_block_cycles,
                *sha256_block_cycles,
                *octet_cycles,
                *datagram_cycles,
            ),
        };
        McuCost {
            clock_hz,
            datagram_cycles: datagram as u64,
            octet_cycles: octet as u64,
            aes_block_cycles: aes as u64,
            aes_key_schedule_cycles: schedule as u64,
            sha1_block_cycles: sha1 as u64,
            sha256_block_cycles: sha256 as u64,
        }
    }
}
