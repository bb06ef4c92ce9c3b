//! Events and their total order.

use crate::time::Time;

/// What decides which of two events comes first: a total order that knows nothing of threads.
///
/// Fields are compared in the order in which they stand here. `sequence` counts the events that
/// `source` has posted, so no two events of a run have equal keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventKey {
    /// When the event happens.
    pub time: Time,
    /// Class of the event: lower phases first within an instant.
    pub phase: u8,
    /// Entity that handles the event.
    pub target: u32,
    /// Entity that posted the event.
    pub source: u32,
    /// How many events `source` had posted before.
    pub sequence: u32,
}

/// An event: 32 octets, copied through the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When the event happens.
    pub time: Time,
    /// Entity that handles the event.
    pub target: u32,
    /// Entity that posted the event.
    pub source: u32,
    /// How many events `source` had posted before.
    pub sequence: u32,
    /// Class of the event: lower phases first within an instant.
    pub phase: u8,
    /// What happens, a code of the models.
    pub kind: u8,
    /// What it happens with, by kind: a datagram handle, a timer generation, an index.
    pub payload: u32,
}

const _: () = assert!(size_of::<Event>() == 32);

impl Event {
    /// The place of the event in the total order.
    pub const fn key(&self) -> EventKey {
        EventKey {
            time: self.time,
            phase: self.phase,
            target: self.target,
            source: self.source,
            sequence: self.sequence,
        }
    }
}

/// Where handlers post future events and from which a domain takes its next one.
///
/// The engine implements it with a timing wheel; tests may use a sorted vector.
pub trait Agenda {
    /// Adds `event`, which must not lie before the event taken last.
    fn post(&mut self, event: Event);

    /// Takes the first event in key order whose time is before `end`.
    fn pop_before(&mut self, end: Time) -> Option<Event>;

    /// Two events posted long ago that are going to be taken soon, the earlier one first, as far as
    /// that is known without effort. Others may come before them.
    fn upcoming(&self) -> [Option<&Event>; 2] {
        [None; 2]
    }

    /// The time of the first event, if any.
    fn next_time(&mut self) -> Option<Time>;
}
