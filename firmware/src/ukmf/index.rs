//! What is asked of a key store with every message, side by side.
//!
//! The keys themselves lie scattered in memory. Whether one of them is due, which one is current
//! and which one has a given id is asked far more often than it changes.

use alloc::boxed::Box;

use super::epoch::{Epoch, Phase};
use crate::time::Instant;

/// The answers about `N` slots of keys, at most eight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Index<const N: usize> {
    /// The first end of a live key.
    pub(super) deadline: Option<Instant>,
    /// The slot of the current key.
    pub(super) current: Option<u8>,
    /// Bit n is set if the key in slot n has events or is erased but still there.
    pub(super) events: u8,
    /// Ids of live keys; `None` in a slot without one.
    key_ids: [Option<u8>; N],
}

impl<const N: usize> Index<N> {
    /// The answers about no keys at all.
    pub(super) const EMPTY: Self = Self {
        deadline: None,
        current: None,
        events: 0,
        key_ids: [None; N],
    };

    /// The answers about `epochs`.
    pub(super) fn of(epochs: &[Option<Box<Epoch>>; N]) -> Self {
        let mut index = Self::EMPTY;
        for (slot, epoch) in epochs.iter().enumerate() {
            let Some(epoch) = epoch else { continue };
            index.events |= u8::from(epoch.has_events()) << slot;
            if epoch.phase == Phase::Erased {
                continue;
            }
            index.key_ids[slot] = Some(epoch.key_id());
            if epoch.phase == Phase::Current {
                index.current = Some(slot as u8);
            }
            let first = index.deadline.unwrap_or(Instant::FAR_FUTURE);
            index.deadline = Some(first.min(epoch.deadline));
        }
        index
    }

    /// The slot of the live key with id `key_id`.
    pub(super) fn slot_of(&self, key_id: u8) -> Option<usize> {
        self.key_ids.iter().position(|id| *id == Some(key_id))
    }
}
