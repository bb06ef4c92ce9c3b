//! The timing wheel: pending events in the total order of their keys.
//!
//! Six levels of 256 slots cover all of virtual time. A slot of the lowest level is one tick
//! (2^16 ns) wide, a slot of any other level as wide as the whole level below.
//!
//! ```text
//!  time:  | level 5 | level 4 | level 3 | level 2 | level 1 | level 0 |  within a tick  |
//!  bits:  63      56        48        40        32        24        16                 0
//! ```
//!
//! An event is filed at the level of the highest digit in which its time differs from `base`, so
//! everything on one level is earlier than everything on the levels above. When the events at hand
//! are used up, the first slot is opened: a short one is sorted by key and becomes the events at
//! hand, with its neighbours if they are few, a long one is spread over the levels below. Events
//! posted into the stretch at hand go to a small heap beside it. Order is therefore exact, whatever
//! the width of the slots.
//!
//! Invariants: every filed event is later than `reach`; `base` <= `reach`; both only grow.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use models::event::{Agenda, Event};
use models::time::Time;

#[cfg(test)]
mod tests;

const TICK_BITS: u32 = 16;
const TICK_MASK: u64 = (1 << TICK_BITS) - 1;
const DIGIT_BITS: u32 = 8;
const SLOTS: usize = 1 << DIGIT_BITS;
const LEVELS: usize = 6;
const _: () = assert!(TICK_BITS + DIGIT_BITS * LEVELS as u32 == u64::BITS);

/// A slot with no more events than this is sorted at once, however wide it is.
const SHORT: u32 = 32;
/// With fewer events at hand than this the slots that follow on the same level are opened as well.
const FEW: usize = 16;
/// With more late events than this a wide stretch at hand is cut back to one tick.
const CROWDED: usize = 64;

const CHUNK: usize = 4;
const NONE: u32 = u32::MAX;

const BLANK: Event = Event {
    time: Time::ZERO,
    target: 0,
    source: 0,
    sequence: 0,
    phase: 0,
    kind: 0,
    payload: 0,
};

/// Up to [`CHUNK`] events of one slot and the index of the next chunk.
struct Chunk {
    events: [Event; CHUNK],
    len: u32,
    next: u32,
}

/// The chunks of one slot: only the first may be partly filled.
#[derive(Clone, Copy)]
struct Slot {
    head: u32,
    events: u32,
}

const EMPTY: Slot = Slot {
    head: NONE,
    events: 0,
};

struct Level {
    slots: [Slot; SLOTS],
    occupied: [u64; SLOTS / 64],
}

impl Level {
    /// Digit of the first slot that holds events.
    fn first(&self) -> Option<usize> {
        let word = self.occupied.iter().position(|word| *word != 0)?;
        Some(word * 64 + self.occupied[word].trailing_zeros() as usize)
    }
}

/// An event of the heap, whose greatest element is the first event.
struct Late(Event);

/// Pending events of a domain, taken in key order.
pub struct TimingWheel {
    /// Where digits are counted from.
    base: u64,
    /// Last time covered by `sorted` and `late`.
    reach: u64,
    /// The opened slot, the first event last.
    sorted: Vec<Event>,
    /// Events posted into the opened stretch.
    late: BinaryHeap<Late>,
    levels: Vec<Level>,
    /// Bit n is set if level n holds events.
    occupied: u8,
    chunks: Vec<Chunk>,
    free: u32,
    /// Time of the first filed event, if it has been asked for.
    first_filed: Option<u64>,
    len: usize,
    /// Spare buffer for spreading slots.
    spread: Vec<Event>,
}

impl TimingWheel {
    /// An empty wheel.
    pub fn new() -> Self {
        let level = || Level {
            slots: [EMPTY; SLOTS],
            occupied: [0; SLOTS / 64],
        };
        Self {
            base: 0,
            reach: TICK_MASK,
            sorted: Vec::new(),
            late: BinaryHeap::new(),
            levels: (0..LEVELS).map(|_| level()).collect(),
            occupied: 0,
            chunks: Vec::new(),
            free: NONE,
            first_filed: None,
            len: 0,
            spread: Vec::new(),
        }
    }

    /// Number of pending events.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is pending.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Files an event later than `reach` in its slot.
    fn file(&mut self, event: Event) {
        let time = event.time.0;
        let differing = (self.base ^ time) >> TICK_BITS;
        let level = ((u64::BITS - 1 - differing.leading_zeros()) / DIGIT_BITS) as usize;
        let digit = (time >> shift(level)) as usize % SLOTS;

        self.occupied |= 1 << level;
        let level = &mut self.levels[level];
        level.occupied[digit / 64] |= 1 << (digit % 64);
        let slot = &mut level.slots[digit];
        slot.events += 1;
        if let Some(chunk) = self.chunks.get_mut(slot.head as usize)
            && (chunk.len as usize) < CHUNK
        {
            chunk.events[chunk.len as usize] = event;
            chunk.len += 1;
            return;
        }
        let next = slot.head;
        if let Some(chunk) = self.chunks.get_mut(self.free as usize) {
            slot.head = self.free;
            self.free = chunk.next;
            chunk.events[0] = event;
            chunk.len = 1;
            chunk.next = next;
        } else {
            slot.head = self.chunks.len() as u32;
            let mut events = [BLANK; CHUNK];
            events[0] = event;
            let len = 1;
            self.chunks.push(Chunk { events, len, next });
        }
    }

    /// Level and digit of the first slot that holds events.
    fn first_slot(&self) -> Option<(usize, usize)> {
        let level = self.occupied.trailing_zeros() as usize;
        Some((level, self.levels.get(level)?.first()?))
    }

    /// Empties a slot.
    fn take_slot(&mut self, level: usize, digit: usize) -> Slot {
        let of_level = &mut self.levels[level];
        of_level.occupied[digit / 64] &= !(1 << (digit % 64));
        if of_level.first().is_none() {
            self.occupied &= !(1 << level);
        }
        std::mem::replace(&mut of_level.slots[digit], EMPTY)
    }

    /// First time of a slot.
    fn start_of(&self, level: usize, digit: usize) -> u64 {
        let above = u64::MAX
            .checked_shl(shift(level + 1))
            .map_or(0, |mask| self.base & mask);
        above | (digit as u64) << shift(level)
    }

    /// Makes the events of the first slot, or some of them, the events at hand.
    fn open(&mut self, level: usize, digit: usize) {
        let start = self.start_of(level, digit);
        let slot = self.take_slot(level, digit);
        self.first_filed = None;
        self.base = start;

        if level == 0 || slot.events <= SHORT {
            let mut sorted = std::mem::take(&mut self.sorted);
            self.drain(slot, &mut sorted);
            let mut last = digit;
            while let Some(next) = self.levels[level].first()
                && sorted.len() < FEW
                && self.levels[level].slots[next].events <= SHORT
            {
                let slot = self.take_slot(level, next);
                self.drain(slot, &mut sorted);
                last = next;
            }
            self.reach = self.start_of(level, last) | ((1 << shift(level)) - 1);
            sorted.sort_unstable_by(|a, b| order(b, a));
            self.sorted = sorted;
            return;
        }
        self.reach = start | TICK_MASK;
        let mut spread = std::mem::take(&mut self.spread);
        self.drain(slot, &mut spread);
        for event in spread.drain(..) {
            self.insert(event);
        }
        self.spread = spread;
    }

    /// Moves the events of `slot` to `out` and frees its chunks.
    fn drain(&mut self, slot: Slot, out: &mut Vec<Event>) {
        out.reserve(slot.events as usize);
        let mut at = slot.head;
        while let Some(chunk) = self.chunks.get_mut(at as usize) {
            out.extend_from_slice(&chunk.events[..chunk.len as usize]);
            let next = chunk.next;
            chunk.next = self.free;
            self.free = at;
            at = next;
        }
    }

    fn insert(&mut self, event: Event) {
        if event.time.0 <= self.reach {
            self.late.push(Late(event));
        } else {
            self.file(event);
        }
    }

    /// Cuts the stretch at hand back to one tick and files what is later.
    ///
    /// A wide slot that was opened because it held little would otherwise turn the wheel into a
    /// heap once many events are posted into it.
    #[cold]
    fn narrow(&mut self) {
        let sorted_first = self.sorted.last().map_or(u64::MAX, |event| event.time.0);
        let late_first = self.late.peek().map_or(u64::MAX, |late| late.0.time.0);
        let first = sorted_first.min(late_first);
        if first < self.base {
            // Only after a look ahead with nothing taken; the heap serves until the slot is done.
            return;
        }
        self.base = first & !TICK_MASK;
        self.reach = first | TICK_MASK;
        self.first_filed = None;

        let mut sorted = std::mem::take(&mut self.sorted);
        let later = sorted.partition_point(|event| event.time.0 > self.reach);
        for event in sorted.drain(..later) {
            self.file(event);
        }
        self.sorted = sorted;

        let mut late = std::mem::take(&mut self.late).into_vec();
        let reach = self.reach;
        for Late(event) in late.extract_if(.., |late| late.0.time.0 > reach) {
            self.file(event);
        }
        self.late = BinaryHeap::from(late);
    }

    /// Time of the first filed event.
    fn first_filed(&mut self) -> Option<u64> {
        if self.first_filed.is_none() {
            let (level, digit) = self.first_slot()?;
            let mut at = self.levels[level].slots[digit].head;
            while let Some(chunk) = self.chunks.get(at as usize) {
                let times = chunk.events[..chunk.len as usize].iter().map(|e| e.time.0);
                self.first_filed = self.first_filed.into_iter().chain(times).min();
                at = chunk.next;
            }
        }
        self.first_filed
    }
}

impl Agenda for TimingWheel {
    fn post(&mut self, event: Event) {
        self.len += 1;
        let time = event.time.0;
        if time <= self.reach {
            self.late.push(Late(event));
            if self.late.len() > CROWDED && self.reach - self.base > TICK_MASK {
                self.narrow();
            }
            return;
        }
        if let Some(first) = &mut self.first_filed {
            *first = time.min(*first);
        }
        self.file(event);
    }

    fn pop_before(&mut self, end: Time) -> Option<Event> {
        loop {
            let event = match (self.sorted.last(), self.late.peek()) {
                (Some(sorted), None) => {
                    if sorted.time >= end {
                        return None;
                    }
                    self.sorted.pop()?
                }
                (Some(sorted), Some(late)) if order(sorted, &late.0).is_lt() => {
                    if sorted.time >= end {
                        return None;
                    }
                    self.sorted.pop()?
                }
                (_, Some(late)) => {
                    if late.0.time >= end {
                        return None;
                    }
                    self.late.pop()?.0
                }
                (None, None) => {
                    if self.first_filed.is_some_and(|first| first >= end.0) {
                        return None;
                    }
                    let (level, digit) = self.first_slot()?;
                    if self.start_of(level, digit) >= end.0 {
                        return None;
                    }
                    self.open(level, digit);
                    continue;
                }
            };
            self.len -= 1;
            return Some(event);
        }
    }

    // What was posted late has just been dealt with, so its memory is at hand: what matters is what
    // was filed long ago.
    fn upcoming(&self) -> [Option<&Event>; 2] {
        let mut last = self.sorted.iter().rev();
        [last.next(), last.next()]
    }

    fn next_time(&mut self) -> Option<Time> {
        match (self.sorted.last(), self.late.peek()) {
            (Some(sorted), Some(late)) => Some(sorted.time.min(late.0.time)),
            (Some(sorted), None) => Some(sorted.time),
            (None, Some(late)) => Some(late.0.time),
            (None, None) => self.first_filed().map(Time),
        }
    }
}

impl Default for TimingWheel {
    fn default() -> Self {
        Self::new()
    }
}

impl Ord for Late {
    fn cmp(&self, other: &Self) -> Ordering {
        order(&other.0, &self.0)
    }
}

impl PartialOrd for Late {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Late {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Late {}

/// Order of the keys, decided by the time alone where possible.
fn order(a: &Event, b: &Event) -> Ordering {
    a.time.cmp(&b.time).then_with(|| a.key().cmp(&b.key()))
}

/// Position of the digit of `level` in a time.
const fn shift(level: usize) -> u32 {
    TICK_BITS + DIGIT_BITS * level as u32
}
