//! A log that keeps its newest entries.

use alloc::vec::Vec;

use crate::c1219::DateTime;
use crate::c1219::log::{EventCode, LogEntry, LogStatus};
use crate::c1219::readings::ListFlags;

/// Something that happened, with an argument of `N` octets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<const N: usize> {
    pub(super) utc: u32,
    pub(super) event: EventCode,
    pub(super) user: u16,
    pub(super) code: u16,
    pub(super) argument: [u8; N],
}

/// A ring of at most `CAPACITY` entries; it takes memory for those that there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Ring<const N: usize, const CAPACITY: usize> {
    entries: Vec<Entry<N>>,
    /// Sequence number of the newest entry; the first of all has 1.
    last: u32,
    /// Sequence number before element 0, since the pointers were reset.
    base: u32,
    unread: u16,
    overflow: bool,
}

impl<const N: usize, const CAPACITY: usize> Ring<N, CAPACITY> {
    /// An empty log.
    pub(super) const fn new() -> Self {
        Self {
            entries: Vec::new(),
            last: 0,
            base: 0,
            unread: 0,
            overflow: false,
        }
    }

    /// Adds an entry; the oldest gives way if there is no room.
    pub(super) fn push(&mut self, entry: Entry<N>) {
        let element = self.element(self.last.wrapping_add(1));
        match self.entries.get_mut(element) {
            Some(oldest) => *oldest = entry,
            None => self.entries.push(entry),
        }
        self.last = self.last.wrapping_add(1);
        if usize::from(self.unread) < CAPACITY {
            self.unread += 1;
        } else {
            self.overflow = true;
        }
    }

    /// Forgets all entries; sequence numbers go on.
    pub(super) fn reset(&mut self) {
        *self = Self {
            last: self.last,
            base: self.last,
            ..Self::new()
        };
    }

    /// Marks the oldest `count` unread entries as read; `false` if there are fewer.
    pub(super) const fn acknowledge(&mut self, count: u16) -> bool {
        if count > self.unread {
            return false;
        }
        self.unread -= count;
        self.overflow = false;
        true
    }

    /// The head of the table.
    pub(super) fn status(&self) -> LogStatus {
        let overflow = if self.overflow {
            ListFlags::OVERFLOW
        } else {
            0
        };
        LogStatus {
            flags: ListFlags(ListFlags::CIRCULAR | overflow),
            valid: self.entries.len() as u16,
            last_element: if self.entries.is_empty() {
                0
            } else {
                self.element(self.last) as u16
            },
            last_sequence: self.last,
            unread: self.unread,
        }
    }

    /// An element as the table shows it.
    pub(super) fn entry(&self, element: u16) -> Option<LogEntry<'_>> {
        let entry = self.entries.get(usize::from(element))?;
        // How far it is behind the newest element.
        let behind = (self.element(self.last) + CAPACITY - usize::from(element)) % CAPACITY;
        Some(LogEntry {
            time: DateTime::from_utc(entry.utc),
            event: entry.event,
            sequence: self.last.wrapping_sub(behind as u32) as u16,
            user: entry.user,
            code: entry.code,
            argument: &entry.argument,
        })
    }

    /// Where an entry lies.
    const fn element(&self, sequence: u32) -> usize {
        sequence.wrapping_sub(self.base).wrapping_sub(1) as usize % CAPACITY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(utc: u32) -> Entry<2> {
        Entry {
            utc,
            event: EventCode::PROCEDURE,
            user: 0,
            code: 0,
            argument: [0; 2],
        }
    }

    #[test]
    fn the_newest_entries_stay_and_are_numbered() {
        let mut ring = Ring::<2, 4>::new();
        assert_eq!((ring.status().valid, ring.status().last_sequence), (0, 0));
        for number in 1..=6 {
            ring.push(entry(1_700_000_000 + number));
        }
        let status = ring.status();
        assert_eq!((status.valid, status.last_element), (4, 1));
        assert_eq!((status.last_sequence, status.unread), (6, 4));
        assert!(status.flags.has(ListFlags::OVERFLOW));
        let sequences = (0..5).map(|element| ring.entry(element).map(|entry| entry.sequence));
        assert!(sequences.eq([Some(5), Some(6), Some(3), Some(4), None]));
    }

    #[test]
    fn acknowledging_and_resetting() {
        let mut ring = Ring::<2, 4>::new();
        for number in 0..6 {
            ring.push(entry(number));
        }
        assert!(!ring.acknowledge(5), "four are there");
        assert!(ring.acknowledge(3));
        assert_eq!(ring.status().unread, 1);
        assert!(!ring.status().flags.has(ListFlags::OVERFLOW));
        ring.reset();
        let status = ring.status();
        assert_eq!(
            (status.valid, status.unread, status.last_sequence),
            (0, 0, 6)
        );
        ring.push(entry(7));
        assert_eq!(ring.entry(0).map(|entry| entry.sequence), Some(7));
        assert_eq!(ring.status().last_element, 0);
    }
}
