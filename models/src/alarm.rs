//! Alarm events of one node that are under way, and the deadline that they stand for.
//!
//! Protocol code moves its deadline with almost every message, and events cannot be taken back.
//! So alarms are lazy: an event is posted only if none rings in time, and one that rings too early
//! does nothing. A near deadline comes and goes while a far one stays, hence several events are
//! remembered, lest the far one be posted anew after every near one.

use firmware::Instant;

use crate::time::Time;

/// Events that are remembered: one for each kind of deadline that a node has at the same time.
const PENDING_MAX: usize = 4;

/// The alarm clock of one node.
#[derive(Clone, Copy, Debug)]
pub struct AlarmClock {
    /// What the protocol code waits for, by its own clock.
    deadline: Instant,
    /// The time of `deadline`; nothing is to be done before.
    due: Time,
    /// Times of events under way, the earliest first.
    pending: [Time; PENDING_MAX],
}

impl Default for AlarmClock {
    fn default() -> Self {
        Self {
            deadline: Instant::FAR_FUTURE,
            due: Time::FAR_FUTURE,
            pending: [Time::FAR_FUTURE; PENDING_MAX],
        }
    }
}

impl AlarmClock {
    /// Sets the deadline, which `when` translates to a time.
    pub fn set(&mut self, deadline: Option<Instant>, when: impl FnOnce(Instant) -> Time) {
        let next = deadline.unwrap_or(Instant::FAR_FUTURE);
        if next != self.deadline {
            self.deadline = next;
            self.due = deadline.map_or(Time::FAR_FUTURE, when);
        }
    }

    /// Takes note that the event of `now` rings; returns whether the deadline has come.
    pub fn ring(&mut self, now: Time) -> bool {
        while self.pending[0] <= now && self.pending[0] != Time::FAR_FUTURE {
            self.pending.copy_within(1.., 0);
            self.pending[PENDING_MAX - 1] = Time::FAR_FUTURE;
        }
        self.due <= now
    }

    /// The time for which an event has to be posted now, before `end`, so that the deadline rings.
    #[inline]
    pub fn arm(&mut self, now: Time, end: Time) -> Option<Time> {
        let time = self.due.max(now);
        if time >= self.pending[0] || time > end {
            return None;
        }
        // The latest event is forgotten if there are too many: it rings in vain.
        self.pending.copy_within(..PENDING_MAX - 1, 1);
        self.pending[0] = time;
        Some(time)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const END: Time = Time(1_000_000);

    #[test]
    fn a_near_deadline_does_not_cost_the_far_event() {
        let mut clock = AlarmClock::default();
        let set = |clock: &mut AlarmClock, now, deadline| {
            clock.set(Some(Instant::from_nanos(deadline)), |at| {
                Time(at.as_nanos())
            });
            clock.arm(Time(now), END)
        };
        assert_eq!(set(&mut clock, 0, 3_600), Some(Time(3_600)));
        for now in [100, 200, 300] {
            assert_eq!(set(&mut clock, now, now + 30), Some(Time(now + 30)));
            assert_eq!(set(&mut clock, now + 1, 3_600), None, "it is under way");
            assert!(!clock.ring(Time(now + 30)), "the near deadline is over");
            assert_eq!(clock.arm(Time(now + 30), END), None);
        }
        assert!(clock.ring(Time(3_600)));
    }

    #[test]
    fn without_a_deadline_and_after_the_end_nothing_is_posted() {
        let mut clock = AlarmClock::default();
        assert_eq!(clock.arm(Time::ZERO, END), None);
        clock.set(Some(Instant::from_nanos(END.0 + 1)), |at| {
            Time(at.as_nanos())
        });
        assert_eq!(clock.arm(Time::ZERO, END), None);
    }

    proptest! {
        /// Whatever the deadlines do, each is acted upon at its time.
        #[test]
        fn every_deadline_rings_on_time(moves in prop::collection::vec((0..50_u64, 0..200_u64), 1..60)) {
            let mut clock = AlarmClock::default();
            let mut events = std::collections::BTreeSet::new();
            let mut now = Time::ZERO;
            let mut deadline = Time::FAR_FUTURE;
            for (pause, delay) in moves {
                let next = Time(now.0 + pause);
                while let Some(&event) = events.first().filter(|event| **event <= next) {
                    events.remove(&event);
                    prop_assert!(event <= deadline, "the deadline was missed");
                    let due = clock.ring(event);
                    prop_assert_eq!(due, event == deadline);
                    if due {
                        deadline = Time::FAR_FUTURE;
                        clock.set(None, |_| Time::FAR_FUTURE);
                    }
                    events.extend(clock.arm(event, END));
                }
                now = next;
                deadline = Time(now.0 + delay);
                clock.set(Some(Instant::from_nanos(deadline.0)), |at| Time(at.as_nanos()));
                events.extend(clock.arm(now, END));
                prop_assert!(events.first().is_some_and(|event| *event <= deadline));
            }
        }
    }
}
