//! Limits of a run and the account of the events of a domain.

use std::ops::Range;
use std::time::{Duration as WallDuration, Instant as WallInstant};

use models::event::Event;
use models::time::Time;

use super::digest::Digest;
use super::domain::Stop;

/// How many of the last events an error names.
const RECENT: usize = 12;
/// The wall clock is read once in so many events.
const EVENTS_PER_CLOCK_READING: u64 = 1 << 14;

/// What a run may cost before it is stopped with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Events of one domain at one instant: more is a loop that never lets time advance.
    pub events_per_instant: u64,
    /// Events of all domains in the whole run.
    pub events: u64,
    /// Wall time of one call of `run`, checked at window ends and every 16,384 events.
    pub wall_time: Option<WallDuration>,
}

/// The account of a domain: what it has handled and what it may still handle.
pub struct Budget {
    limits: Limits,
    deadline: Option<WallInstant>,
    instant: Time,
    at_instant: u64,
    events: u64,
    /// Number of events at the start of this window.
    at_grant: u64,
    /// Number of events up to which this window may go.
    allowed: u64,
    /// Number of events at which to look closer.
    checkpoint: u64,
    digest: Digest,
    /// Digest of the events that are nobody's of the system under study.
    foreign: Digest,
    recent: [Option<Event>; RECENT],
    capture: Option<Capture>,
}

/// The events of a stretch of time, kept for comparison.
struct Capture {
    span: Range<Time>,
    events: Vec<(Event, u64)>,
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            deadline: None,
            instant: Time::ZERO,
            at_instant: 0,
            events: 0,
            at_grant: 0,
            allowed: 0,
            checkpoint: 0,
            digest: Digest::default(),
            foreign: Digest::default(),
            recent: [None; RECENT],
            capture: None,
        }
    }

    /// Accounts for an event; to be called once for each event, before it is handled.
    ///
    /// `fingerprint` stands for what the event carries (the octets of a datagram, a reading): two
    /// runs whose events agree in key, kind and fingerprint have the same [`Digest`]. It must not
    /// depend on where the domain stores things.
    ///
    /// # Errors
    ///
    /// A limit of the run is exceeded, or the event is earlier than the one before it.
    #[inline]
    pub fn charge(&mut self, event: &Event, fingerprint: u64) -> Result<(), Stop> {
        self.recent[(self.events % RECENT as u64) as usize] = Some(*event);
        self.events += 1;
        if event.time == self.instant {
            self.at_instant += 1;
            if self.at_instant > self.limits.events_per_instant {
                return Err(Stop::EventsPerInstant(self.limits.events_per_instant));
            }
        } else if event.time < self.instant {
            return Err(Stop::Backwards(self.instant));
        } else {
            self.instant = event.time;
            self.at_instant = 1;
        }
        if self.events > self.checkpoint {
            self.check()?;
        }
        self.digest.add_event(event, fingerprint);
        if let Some(capture) = &mut self.capture
            && capture.span.contains(&event.time)
        {
            capture.events.push((*event, fingerprint));
        }
        Ok(())
    }

    /// Notes that the event just charged is an intervention: part of the trajectory, but not of what
    /// the system under study did.
    #[inline]
    pub fn set_foreign(&mut self, event: &Event, fingerprint: u64) {
        self.foreign.add_event(event, fingerprint);
    }

    /// Number of events accounted for.
    pub fn events(&self) -> u64 {
        self.events
    }

    #[cold]
    fn check(&mut self) -> Result<(), Stop> {
        if self.events > self.allowed {
            return Err(Stop::Events(self.limits.events));
        }
        if let (Some(deadline), Some(limit)) = (self.deadline, self.limits.wall_time)
            && WallInstant::now() > deadline
        {
            return Err(Stop::WallTime(limit));
        }
        self.set_checkpoint();
        Ok(())
    }

    fn set_checkpoint(&mut self) {
        let reading = self.events + EVENTS_PER_CLOCK_READING;
        self.checkpoint = self.allowed.min(reading);
    }

    /// Lets the domain handle `events` more in the coming window.
    pub(super) fn grant(&mut self, events: u64) {
        self.at_grant = self.events;
        self.allowed = self.events.saturating_add(events);
        self.checkpoint = self.checkpoint.min(self.allowed);
    }

    /// Number of events since the last grant.
    pub(super) fn granted_used(&self) -> u64 {
        self.events - self.at_grant
    }

    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    pub(super) fn set_deadline(&mut self, deadline: Option<WallInstant>) {
        self.deadline = deadline;
        self.set_checkpoint();
    }

    pub(super) fn digest(&self) -> Digest {
        self.digest
    }

    pub(super) fn foreign(&self) -> Digest {
        self.foreign
    }

    /// Time of the event accounted for last.
    pub(super) fn instant(&self) -> Time {
        self.instant
    }

    /// The last events, the latest last.
    pub(super) fn recent(&self) -> impl Iterator<Item = &Event> {
        let oldest = (self.events % RECENT as u64) as usize;
        let (new, old) = self.recent.split_at(oldest);
        old.iter().chain(new).flatten()
    }

    /// Keeps the events of `span` from now on.
    pub(super) fn capture(&mut self, span: Range<Time>) {
        let events = Vec::new();
        self.capture = Some(Capture { span, events });
    }

    /// Takes the events kept so far.
    pub(super) fn take_captured(&mut self) -> Vec<(Event, u64)> {
        let capture = self.capture.as_mut();
        capture.map_or_else(Vec::new, |capture| std::mem::take(&mut capture.events))
    }
}

impl Default for Limits {
    /// A million events at one instant, any number in all, any wall time.
    fn default() -> Self {
        Self {
            events_per_instant: 1_000_000,
            events: u64::MAX,
            wall_time: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: u64, sequence: u32) -> Event {
        Event {
            time: Time(time),
            target: 0,
            source: 0,
            sequence,
            phase: 0,
            kind: 0,
            payload: 0,
        }
    }

    fn budget(limits: Limits) -> Budget {
        let mut budget = Budget::new(limits);
        budget.grant(limits.events);
        budget
    }

    #[test]
    fn too_many_events_at_one_instant_stop_the_domain() {
        let mut budget = budget(Limits {
            events_per_instant: 3,
            ..Limits::default()
        });
        for time in [0, 5, 5, 5, 6] {
            budget.charge(&at(time, 0), 0).expect("within the limit");
        }
        budget.charge(&at(6, 1), 0).expect("second");
        budget.charge(&at(6, 2), 0).expect("third");
        let stop = budget.charge(&at(6, 3), 0);
        assert!(matches!(stop, Err(Stop::EventsPerInstant(3))));
        assert_eq!(budget.recent().last(), Some(&at(6, 3)));
    }

    #[test]
    fn exactly_the_granted_events_pass() {
        let mut budget = budget(Limits {
            events: 20_000,
            ..Limits::default()
        });
        for i in 0..20_000 {
            budget.charge(&at(i, 0), 0).expect("within the limit");
        }
        let stop = budget.charge(&at(20_000, 0), 0);
        assert!(matches!(stop, Err(Stop::Events(20_000))));
        let times: Vec<_> = budget.recent().map(|event| event.time.0).collect();
        assert_eq!(times, (19_989..=20_000).collect::<Vec<_>>());
    }

    #[test]
    fn a_passed_deadline_stops_the_domain_at_the_next_reading() {
        let limit = WallDuration::ZERO;
        let mut budget = budget(Limits {
            wall_time: Some(limit),
            ..Limits::default()
        });
        budget.set_deadline(Some(WallInstant::now() - WallDuration::from_millis(1)));
        let stop =
            (0..=EVENTS_PER_CLOCK_READING).find_map(|time| budget.charge(&at(time, 0), 0).err());
        assert!(matches!(stop, Some(Stop::WallTime(WallDuration::ZERO))));
    }

    #[test]
    fn time_does_not_run_backwards() {
        let mut budget = budget(Limits::default());
        budget.charge(&at(9, 0), 0).expect("first");
        let stop = budget.charge(&at(8, 0), 0);
        assert!(matches!(stop, Err(Stop::Backwards(Time(9)))));
    }

    #[test]
    fn only_the_captured_span_is_kept() {
        let mut budget = budget(Limits::default());
        budget.capture(Time(3)..Time(5));
        for time in 0..8 {
            budget.charge(&at(time, 0), time * 2).expect("unlimited");
        }
        assert_eq!(budget.take_captured(), [(at(3, 0), 6), (at(4, 0), 8)]);
        assert_eq!(budget.take_captured(), []);
    }
}
