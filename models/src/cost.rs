//! What handling a datagram costs in processor time, derived from counted work.

use firmware::Duration;
use firmware::crypto::Work;

/// Cycles per operation of a meter's processor.
///
/// A handled datagram takes c0 + c1 · octets + n_aes · t_aes + n_sha · t_sha cycles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct McuCost {
    /// Clock frequency in Hz, positive.
    pub clock_hz: u64,
    /// Cycles per datagram received or sent.
    pub datagram_cycles: u64,
    /// Cycles per octet copied and parsed.
    pub octet_cycles: u64,
    /// Cycles per AES-128 block.
    pub aes_block_cycles: u64,
    /// Cycles per AES-128 key expansion.
    pub aes_key_schedule_cycles: u64,
    /// Cycles per SHA-1 compression.
    pub sha1_block_cycles: u64,
    /// Cycles per SHA-256 compression.
    pub sha256_block_cycles: u64,
}

impl McuCost {
    /// The time for `work` and for moving `octets`.
    pub fn time(&self, work: &Work, octets: usize) -> Duration {
        let cycles = self.datagram_cycles
            + self.octet_cycles * octets as u64
            + self.aes_block_cycles * u64::from(work.aes_blocks)
            + self.aes_key_schedule_cycles * u64::from(work.aes_key_schedules)
            + self.sha1_block_cycles * u64::from(work.sha1_blocks)
            + self.sha256_block_cycles * u64::from(work.sha256_blocks);
        Duration::from_nanos(
            (u128::from(cycles) * 1_000_000_000 / u128::from(self.clock_hz)) as u64,
        )
    }
}

/// Time per operation of a head-end core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerCost {
    /// Time per datagram: receive, session lookup, send.
    pub datagram: Duration,
    /// Time per octet of a datagram.
    pub octet: Duration,
    /// Time per AES-128 block or key expansion.
    pub aes_block: Duration,
    /// Time per SHA-1 or SHA-256 compression.
    pub sha_block: Duration,
    /// Time to fetch a meter's credentials from the subscriber store.
    pub credential_lookup: Duration,
    /// Time to store a new key durably.
    pub key_store_write: Duration,
}

impl ServerCost {
    /// The time for `work` and for moving `octets`, without store accesses.
    pub fn time(&self, work: &Work, octets: usize) -> Duration {
        let aes = u64::from(work.aes_blocks) + u64::from(work.aes_key_schedules);
        let sha = u64::from(work.sha1_blocks) + u64::from(work.sha256_blocks);
        Duration::from_nanos(
            self.datagram.as_nanos()
                + self.octet.as_nanos() * octets as u64
                + self.aes_block.as_nanos() * aes
                + self.sha_block.as_nanos() * sha,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_add_up_to_time_at_the_clock_frequency() {
        let cost = McuCost {
            clock_hz: 8_000_000,
            datagram_cycles: 1_000,
            octet_cycles: 12,
            aes_block_cycles: 2_112,
            aes_key_schedule_cycles: 1_000,
            sha1_block_cycles: 10_000,
            sha256_block_cycles: 12_000,
        };
        let work = Work {
            aes_blocks: 42,
            aes_key_schedules: 4,
            sha1_blocks: 24,
            sha256_blocks: 0,
        };
        // 1,000 + 1,200 + 88,704 + 4,000 + 240,000 cycles at 8 MHz.
        assert_eq!(cost.time(&work, 100), Duration::from_micros(41_863));
    }
}
