//! The work counter.

use core::ops::{Add, AddAssign, Sub};

/// Cryptographic operations performed, the input of a processing cost model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// AES-128 block encryptions.
    pub aes_blocks: u32,
    /// AES-128 key expansions.
    pub aes_key_schedules: u32,
    /// SHA-1 compressions (64-octet blocks).
    pub sha1_blocks: u32,
    /// SHA-256 compressions (64-octet blocks).
    pub sha256_blocks: u32,
}

impl Work {
    /// Nothing done yet.
    pub const NONE: Self = Self {
        aes_blocks: 0,
        aes_key_schedules: 0,
        sha1_blocks: 0,
        sha256_blocks: 0,
    };

    /// Counts `blocks` AES block encryptions.
    pub(crate) fn aes(&mut self, blocks: usize) {
        self.aes_blocks += blocks as u32;
    }

    /// Counts one AES key expansion.
    pub(crate) fn key_schedule(&mut self) {
        self.aes_key_schedules += 1;
    }
}

impl Add for Work {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            aes_blocks: self.aes_blocks + other.aes_blocks,
            aes_key_schedules: self.aes_key_schedules + other.aes_key_schedules,
            sha1_blocks: self.sha1_blocks + other.sha1_blocks,
            sha256_blocks: self.sha256_blocks + other.sha256_blocks,
        }
    }
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Work {
    type Output = Self;

    /// The work done since the earlier reading `other` of the same counter.
    fn sub(self, other: Self) -> Self {
        Self {
            aes_blocks: self.aes_blocks - other.aes_blocks,
            aes_key_schedules: self.aes_key_schedules - other.aes_key_schedules,
            sha1_blocks: self.sha1_blocks - other.sha1_blocks,
            sha256_blocks: self.sha256_blocks - other.sha256_blocks,
        }
    }
}
