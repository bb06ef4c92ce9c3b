//! The intervals that a meter remembers.

use alloc::collections::VecDeque;

use crate::metrology::Code;

/// Unconfirmed intervals that a meter keeps: 30 days of 15 minutes.
const UNCONFIRMED_MAX: usize = 2_880;
/// Confirmed intervals that it keeps for reading: one day of 15 minutes.
const CONFIRMED_MAX: usize = 96;

/// Energy of one closed interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// End of the interval, in seconds since 1970-01-01 UTC.
    pub end_utc_s: u32,
    /// Energy delivered, in Wh.
    pub watt_hours: u32,
    /// The first octet of EXTENDED_INT_STATUS: flags, and the code of the energy in the low nibble.
    pub status: u8,
}

impl Interval {
    /// Bits of the status that hold the code.
    const CODE: u8 = 0x0F;

    /// Whether anything was measured in the interval; all others have an energy of zero.
    pub const fn is_measured(&self) -> bool {
        self.status & Self::CODE != Code::Skipped as u8
    }
}

/// An interval as it is kept: a million meters keep a hundred each.
#[derive(Clone, Copy, Debug)]
struct Kept {
    end_utc_s: u32,
    /// Energy in the low three octets, status in the high one.
    packed: u32,
}

impl Kept {
    /// No interval of a meter comes near this energy: 16.8 MWh.
    const ENERGY: u32 = 0x00FF_FFFF;

    const fn new(interval: Interval) -> Self {
        let energy = if interval.watt_hours > Self::ENERGY {
            Self::ENERGY
        } else {
            interval.watt_hours
        };
        Self {
            end_utc_s: interval.end_utc_s,
            packed: energy | (interval.status as u32) << 24,
        }
    }

    const fn interval(self) -> Interval {
        Interval {
            end_utc_s: self.end_utc_s,
            watt_hours: self.packed & Self::ENERGY,
            status: (self.packed >> 24) as u8,
        }
    }
}

/// A queue in non-volatile memory; the oldest intervals give way when it is full.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    intervals: VecDeque<Kept>,
    /// How many of them, the oldest ones, the head-end has.
    confirmed: usize,
}

impl Backlog {
    /// Adds the interval that has just closed.
    pub(super) fn push(&mut self, interval: Interval) {
        if self.unconfirmed_len() == UNCONFIRMED_MAX {
            self.confirmed += 1;
        }
        self.intervals.push_back(Kept::new(interval));
        self.forget();
    }

    /// The oldest unconfirmed intervals that follow each other at `length_s`, `count` at most.
    pub(super) fn next(&self, count: usize, length_s: u32) -> impl Iterator<Item = Interval> {
        let mut expected = None;
        self.intervals
            .iter()
            .skip(self.confirmed)
            .take(count)
            .map(|kept| kept.interval())
            .take_while(move |interval| {
                let contiguous = expected.is_none_or(|end| end == interval.end_utc_s);
                expected = Some(interval.end_utc_s + length_s);
                contiguous
            })
    }

    /// Marks intervals that end no later than `end_utc_s` as confirmed.
    pub(super) fn confirm(&mut self, end_utc_s: u32) {
        while self
            .intervals
            .get(self.confirmed)
            .is_some_and(|interval| interval.end_utc_s <= end_utc_s)
        {
            self.confirmed += 1;
        }
        self.forget();
    }

    /// Intervals that the head-end does not have.
    pub(super) fn unconfirmed_len(&self) -> usize {
        self.intervals.len() - self.confirmed
    }

    fn forget(&mut self) {
        while self.confirmed > CONFIRMED_MAX {
            self.intervals.pop_front();
            self.confirmed -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn interval(number: u32) -> Interval {
        Interval {
            end_utc_s: number * 900,
            watt_hours: number,
            status: number as u8,
        }
    }

    fn next(backlog: &Backlog, count: usize) -> Vec<u32> {
        backlog.next(count, 900).map(|i| i.watt_hours).collect()
    }

    #[test]
    fn confirmation_is_cumulative() {
        let mut backlog = Backlog::default();
        (1..=5).for_each(|number| backlog.push(interval(number)));
        assert_eq!(next(&backlog, 3), [1, 2, 3]);
        backlog.confirm(3 * 900);
        assert_eq!(next(&backlog, 3), [4, 5]);
        backlog.confirm(u32::MAX);
        assert_eq!(backlog.unconfirmed_len(), 0);
    }

    #[test]
    fn what_is_kept_is_what_came() {
        let mut backlog = Backlog::default();
        let came = Interval {
            watt_hours: 0x00FF_FFFF,
            status: 0xA2,
            ..interval(7)
        };
        backlog.push(came);
        assert_eq!(backlog.next(1, 900).collect::<Vec<_>>(), [came]);
    }

    #[test]
    fn a_gap_ends_a_run() {
        let mut backlog = Backlog::default();
        for number in [1, 2, 5, 6] {
            backlog.push(interval(number));
        }
        assert_eq!(next(&backlog, 4), [1, 2]);
        backlog.confirm(2 * 900);
        assert_eq!(next(&backlog, 4), [5, 6]);
    }

    #[test]
    fn the_oldest_gives_way() {
        let mut backlog = Backlog::default();
        let count = UNCONFIRMED_MAX as u32 + 200;
        (1..=count).for_each(|number| backlog.push(interval(number)));
        assert_eq!(backlog.unconfirmed_len(), UNCONFIRMED_MAX);
        assert_eq!(next(&backlog, 1), [201]);
        assert_eq!(backlog.intervals.len(), UNCONFIRMED_MAX + CONFIRMED_MAX);
    }
}
