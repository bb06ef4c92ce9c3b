//! The time that octets spend on a line, where the terminal itself spends none.

use std::collections::VecDeque;

use firmware::c1218::{Baud, Transmit};
use models::time::{Duration, Time};

/// Octets arrive and leave in portions of so much time on the line: far less than the
/// inter-character time-out, and long enough not to wake up for every octet.
const PORTION: Duration = Duration::from_millis(20);
/// Octets taken at once where the line costs no time.
const UNPACED_PORTION: usize = 4_096;
/// Octets that wait for a program that does not read.
const WAITING_MAX: usize = 16_384;

/// Both directions of a line.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Whether octets take their time.
    paced: bool,
    /// The portion that is arriving.
    incoming: Vec<u8>,
    /// When it has arrived.
    arrives_at: Time,
    /// Whether the one before it left octets behind.
    continues: bool,
    outgoing: VecDeque<Transmit>,
    /// Octets in `outgoing`.
    waiting: usize,
    /// When the first of `outgoing` began.
    began_at: Time,
    /// Octets of it that are gone.
    written: usize,
}

impl Line {
    pub(super) fn new(paced: bool) -> Self {
        Self {
            paced,
            ..Self::default()
        }
    }

    /// Forgets what is on its way.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.paced);
    }

    /// Whether nothing is arriving.
    pub(super) const fn is_silent(&self) -> bool {
        self.incoming.is_empty()
    }

    /// How many octets may be taken from the program at once; none while some are arriving.
    ///
    /// So a program that floods the port waits, as it would for a real line.
    pub(super) fn room(&self, baud: Baud) -> usize {
        if !self.incoming.is_empty() {
            0
        } else if self.paced {
            octets_in(PORTION, baud).max(1)
        } else {
            UNPACED_PORTION
        }
    }

    /// Takes octets from the program; `full` if there may be more.
    pub(super) fn take_in(&mut self, octets: &[u8], full: bool, baud: Baud, now: Time) {
        let from = if self.continues { self.arrives_at } else { now };
        self.continues = full;
        self.incoming.extend_from_slice(octets);
        self.arrives_at = if self.paced {
            from.min(now) + baud.time_of(octets.len())
        } else {
            now
        };
    }

    /// The octets that have arrived by `now`.
    pub(super) fn arrived(&mut self, now: Time) -> Option<Vec<u8>> {
        let arrived = !self.incoming.is_empty() && self.arrives_at <= now;
        arrived.then(|| std::mem::take(&mut self.incoming))
    }

    /// Sends a packet or an acknowledgement; returns whether there is room for it.
    pub(super) fn put(&mut self, transmit: Transmit, now: Time) -> bool {
        if self.waiting + transmit.octets.len() > WAITING_MAX {
            return false;
        }
        self.waiting += transmit.octets.len();
        if self.outgoing.is_empty() {
            self.began_at = self.began_at.max(now);
        }
        self.outgoing.push_back(transmit);
        true
    }

    /// The octets that the program gets by `now`, if there are any.
    pub(super) fn due(&self, now: Time) -> Option<&[u8]> {
        let first = self.outgoing.front()?;
        let sent = if self.paced {
            let since = now.saturating_since(self.began_at);
            if since < first.duration() {
                octets_in(since, first.baud).min(first.octets.len())
            } else {
                first.octets.len()
            }
        } else {
            first.octets.len()
        };
        let due = &first.octets[self.written..sent.max(self.written)];
        (!due.is_empty()).then_some(due)
    }

    /// Notes that the first `count` octets of [`Line::due`] are gone.
    pub(super) fn wrote(&mut self, count: usize, now: Time) {
        let Some(first) = self.outgoing.front() else {
            return;
        };
        self.waiting -= count;
        self.written += count;
        if self.written < first.octets.len() {
            return;
        }
        self.began_at = if self.paced {
            self.began_at + first.duration()
        } else {
            now
        };
        self.written = 0;
        self.outgoing.pop_front();
    }

    /// When something arrives or leaves next.
    pub(super) fn next_time(&self, now: Time) -> Option<Time> {
        let arrival = (!self.incoming.is_empty()).then_some(self.arrives_at);
        let departure = self.outgoing.front().map(|first| {
            let end = self.began_at + first.duration();
            // What is due already waits for a program that does not read.
            if self.paced && end > now {
                end.min(now + PORTION)
            } else {
                now + PORTION
            }
        });
        arrival.into_iter().chain(departure).min()
    }
}

/// How many whole octets a line carries in `time`.
fn octets_in(time: Duration, baud: Baud) -> usize {
    let bits = u128::from(time.as_nanos()) * u128::from(baud.bits_per_second()) / 1_000_000_000;
    usize::try_from(bits / 10).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(len: usize) -> Transmit {
        Transmit {
            octets: vec![0xEE; len],
            baud: Baud::DEFAULT,
            retransmission: false,
        }
    }

    const MILLISECOND: u64 = 1_000_000;

    /// Takes what is due at a time.
    fn take(line: &mut Line, at_ms: u64) -> usize {
        let now = Time(at_ms * MILLISECOND);
        let mut taken = 0;
        while let Some(len) = line.due(now).map(<[u8]>::len) {
            line.wrote(len, now);
            taken += len;
        }
        taken
    }

    /// 9600 baud are 960 octets per second.
    #[test]
    fn octets_take_their_time() {
        let mut line = Line::new(true);
        let start = Time(1_000 * MILLISECOND);
        assert!(line.put(packet(48), start) && line.put(packet(96), start));
        assert_eq!(line.next_time(start), Some(start + PORTION));
        assert_eq!([take(&mut line, 1_000), take(&mut line, 1_025)], [0, 24]);
        // The second follows the first without a pause, however late somebody looks.
        assert_eq!([take(&mut line, 1_100), take(&mut line, 1_150)], [72, 48]);
        assert_eq!(line.next_time(Time(1_150 * MILLISECOND)), None);

        assert_eq!(line.room(Baud::DEFAULT), 19);
        line.take_in(&[1; 19], true, Baud::DEFAULT, start);
        assert_eq!(line.room(Baud::DEFAULT), 0);
        assert_eq!(line.arrived(Time(1_019 * MILLISECOND)), None);
        assert_eq!(line.arrived(Time(1_020 * MILLISECOND)), Some(vec![1; 19]));
        // A flood is taken at the speed of the line, no faster and no slower.
        line.take_in(&[1; 19], true, Baud::DEFAULT, Time(1_020 * MILLISECOND));
        assert_eq!(line.arrived(Time(1_039 * MILLISECOND)), None);
        assert_eq!(line.arrived(Time(1_040 * MILLISECOND)), Some(vec![1; 19]));
    }

    #[test]
    fn without_pacing_nothing_waits_but_for_the_program() {
        let mut line = Line::new(false);
        let mut accepted = 0;
        while line.put(packet(64), Time::ZERO) {
            accepted += 64;
        }
        assert_eq!(accepted, WAITING_MAX);
        assert_eq!(line.due(Time::ZERO).map(<[u8]>::len), Some(64));
        assert_eq!(line.next_time(Time::ZERO), Some(Time::ZERO + PORTION));
        assert_eq!(take(&mut line, 0), WAITING_MAX);
        line.take_in(&[1; 100], false, Baud::DEFAULT, Time::ZERO);
        assert_eq!(line.arrived(Time::ZERO), Some(vec![1; 100]));
    }
}
