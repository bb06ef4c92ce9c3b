//! The rules of a key store, and why a key is not installed or not found.

use super::hierarchy::Purpose;
use crate::time::Duration;

/// Which end of the association a store belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The meter: no grace.
    Meter,
    /// The head-end: grace for receiving; decides when an array moves on.
    Server,
}

/// Keys per authentication: a divisor of 224, so that arrays never straddle the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrayLength(u8);

impl ArrayLength {
    /// One key per authentication.
    pub const ONE: Self = Self(1);

    /// `length` keys per authentication, if it is 1, 2, 4, 7, 8, 14, 16 or 28.
    pub const fn new(length: u8) -> Option<Self> {
        match length {
            1 | 2 | 4 | 7 | 8 | 14 | 16 | 28 => Some(Self(length)),
            _ => None,
        }
    }

    /// The number of keys.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// Rules that both ends agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long a superseded key is still received under.
    pub overlap: Duration,
    /// How long after expiry the server still receives, against clock skew.
    pub grace: Duration,
    /// Keys per authentication.
    pub array_length: ArrayLength,
    /// What the keys are for.
    pub purpose: Purpose,
    /// Messages in both directions after which the server moves on in the array; 0: no limit.
    pub rekey_messages: u32,
    /// Time in use after which the server moves on in the array; zero: no limit.
    pub rekey_interval: Duration,
}

impl Default for Policy {
    /// Overlap 300 s, grace 5 s, one C12.22 unicast key per authentication.
    fn default() -> Self {
        Self {
            overlap: Duration::from_secs(300),
            grace: Duration::from_secs(5),
            array_length: ArrayLength::ONE,
            purpose: Purpose::C1222Unicast,
            rekey_messages: 0,
            rekey_interval: Duration::ZERO,
        }
    }
}

/// Why no key was installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstallError {
    /// The ApTitle is empty or longer than its length octet can say.
    ApTitleLength,
    /// Static keys have ids 0x00 to 0x0F.
    StaticKeyId,
    /// All slots for static keys are taken.
    Full,
}

/// Why a key id selects no key for receiving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyReject {
    /// No key with this id is known.
    Unknown,
    /// The key expired, or was superseded and its overlap is over.
    Expired,
    /// The key was erased before its time.
    Erased,
}
