//! Jammers: while one sends, whoever is in its reach hears nothing else.
//!
//! At message level a jammer is a rhythm of bursts. A frame that overlaps a burst at its receiver
//! is lost, and so is one whose acknowledgement overlaps a burst at its sender; a sender that
//! hears a burst finds the channel busy and gives up. What repeats itself for longer than a burst
//! gets through.

use crate::time::{Duration, Time};

/// A jammer and when it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jammer {
    /// Index of the attacker that it belongs to.
    pub attacker: u32,
    /// First burst.
    pub start: Time,
    /// No burst from here on.
    pub stop: Time,
    /// Length of a burst.
    pub burst: Duration,
    /// From burst to burst.
    pub period: Duration,
}

impl Jammer {
    /// Whether any burst overlaps the time from `from` to `until`, both included.
    pub fn overlaps(&self, from: Time, until: Time) -> bool {
        let from = from.max(self.start);
        if from > until || from >= self.stop {
            return false;
        }
        let period = self.period.as_nanos().max(1);
        let phase = from.saturating_since(self.start).as_nanos() % period;
        let next = from + Duration::from_nanos(period - phase);
        phase < self.burst.as_nanos() || (next <= until && next < self.stop)
    }
}

/// The jammers of a segment and the stations that they reach.
#[derive(Clone, Debug, Default)]
pub(super) struct Jammers(Vec<(Jammer, Vec<u32>)>);

impl Jammers {
    /// Adds a jammer that the stations in `reach` hear.
    pub(super) fn add(&mut self, jammer: Jammer, mut reach: Vec<u32>) {
        reach.sort_unstable();
        reach.dedup();
        self.0.push((jammer, reach));
    }

    /// The attacker whose burst `station` hears between `from` and `until`, if any.
    pub(super) fn at(&self, station: u32, from: Time, until: Time) -> Option<u32> {
        let hit = |(jammer, reach): &&(Jammer, Vec<u32>)| {
            reach.binary_search(&station).is_ok() && jammer.overlaps(from, until)
        };
        self.0.iter().find(hit).map(|(jammer, _)| jammer.attacker)
    }
}

/// What jammers do to a hop that begins at `now`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Noise<'a> {
    jammers: Option<&'a Jammers>,
    now: Time,
    sender: u32,
    receiver: u32,
}

impl<'a> Noise<'a> {
    /// The jammers that matter from `sender` to `receiver` at `now`.
    pub(super) fn new(jammers: Option<&'a Jammers>, now: Time, sender: u32, receiver: u32) -> Self {
        Self {
            jammers,
            now,
            sender,
            receiver,
        }
    }

    /// Who keeps the sender from its channel, so long after the hop began.
    pub fn blocks_access(&self, after: Duration) -> Option<u32> {
        let at = self.now + after;
        self.jammers?.at(self.sender, at, at)
    }

    /// Who destroys a frame that begins so long after the hop did, or its acknowledgement.
    pub fn destroys(&self, after: Duration, airtime: Duration, ack: Duration) -> Option<u32> {
        let begin = self.now + after;
        let end = begin + airtime;
        let jammers = self.jammers?;
        let frame = jammers.at(self.receiver, begin, end);
        frame.or_else(|| jammers.at(self.sender, end, end + ack))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JAMMER: Jammer = Jammer {
        attacker: 3,
        start: Time(1_000),
        stop: Time(2_000),
        burst: Duration::from_nanos(20),
        period: Duration::from_nanos(100),
    };

    #[test]
    fn a_frame_is_hit_by_the_burst_before_within_and_never_outside_the_campaign() {
        let hit = |from, until| JAMMER.overlaps(Time(from), Time(until));
        assert!(!hit(0, 999), "not yet");
        assert!(hit(0, 1_000) && hit(1_000, 1_000) && hit(1_019, 1_019));
        assert!(!hit(1_020, 1_099), "between two bursts");
        assert!(hit(1_020, 1_100), "the next one begins");
        assert!(hit(1_115, 1_130) && !hit(1_950, 2_050), "and no more");
    }

    #[test]
    fn random_instants_are_hit_for_the_duty_and_frames_for_duty_plus_length() {
        let jammer = Jammer {
            stop: Time(1_001_000),
            ..JAMMER
        };
        let share = |length| {
            let hits =
                (1_000..1_000_000).filter(|&at| jammer.overlaps(Time(at), Time(at + length)));
            hits.count() as f64 / 999_000.0
        };
        assert!((share(0) - 0.20).abs() < 1e-3);
        assert!((share(30) - 0.50).abs() < 1e-3, "(20 + 30) / 100");
        assert!(
            (share(80) - 1.0).abs() < 1e-3,
            "no frame fits between bursts"
        );
    }

    #[test]
    fn only_stations_in_reach_are_hit() {
        let mut jammers = Jammers::default();
        jammers.add(JAMMER, vec![4, 2, 4]);
        let at = |station| jammers.at(station, Time(1_005), Time(1_005));
        assert_eq!([1, 2, 3, 4].map(at), [None, Some(3), None, Some(3)]);
        let noise = |sender, receiver| Noise::new(Some(&jammers), Time(1_000), sender, receiver);
        let (frame, ack) = (Duration::from_nanos(70), Duration::from_nanos(10));
        let late = Duration::from_nanos(25);
        assert_eq!(noise(1, 2).blocks_access(Duration::ZERO), None);
        assert_eq!(noise(2, 1).blocks_access(Duration::ZERO), Some(3));
        assert_eq!(noise(1, 2).destroys(late, frame, ack), None);
        assert_eq!(noise(1, 2).destroys(Duration::ZERO, frame, ack), Some(3));
        assert_eq!(
            noise(2, 1).destroys(late, frame, ack),
            Some(3),
            "the acknowledgement"
        );
        assert_eq!(Noise::default().destroys(late, frame, ack), None);
    }
}
