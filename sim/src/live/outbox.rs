//! What nodes have sent and is not on its way yet.

use std::collections::BTreeMap;
use std::convert::Infallible;

use models::context::{Exchange, Kind};
use models::datagram::Datagram;
use models::event::Event;
use models::time::Time;

use super::clock::Clock;
use super::figures::Lag;

/// Datagrams that wait at most; with an ordinary head-end a tenth of that is a lot.
const WAITING_MAX: usize = 1 << 18;

/// Datagrams by the time at which they leave, in the order in which they were sent.
///
/// Nodes send ahead: a busy processor hands over now what it will have computed in a moment.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: BTreeMap<(Time, u64), Datagram>,
    posted: u64,
    overflows: u64,
}

impl Outbox {
    fn post(&mut self, due: Time, datagram: Datagram) {
        if self.waiting.len() == WAITING_MAX {
            self.overflows += 1;
            return;
        }
        self.waiting.insert((due, self.posted), datagram);
        self.posted += 1;
    }

    /// Takes the first datagram that leaves by `now`, with the time at which it does.
    pub(super) fn take(&mut self, now: Time) -> Option<(Time, Datagram)> {
        let first = self.waiting.first_entry()?;
        let due = first.key().0;
        (due <= now).then(|| (due, first.remove()))
    }

    /// When the next datagram leaves.
    pub(super) fn next_time(&self) -> Option<Time> {
        let (due, _) = self.waiting.keys().next()?;
        Some(*due)
    }

    /// Datagrams that were dropped for want of room, since the last call.
    pub(super) fn take_overflows(&mut self) -> u64 {
        std::mem::take(&mut self.overflows)
    }
}

/// What a live domain borrows while it handles events: it sends to sockets, not to domains.
pub(super) struct Desk<'a> {
    pub(super) clock: &'a Clock,
    pub(super) outbox: &'a mut Outbox,
    /// Lags since the start and since progress was shown last.
    pub(super) lags: [&'a mut Lag; 2],
}

impl Exchange for Desk<'_> {
    type Stop = Infallible;
    const AT_SOCKETS: bool = true;

    fn charge(&mut self, event: &Event, _fingerprint: u64) -> Result<(), Infallible> {
        // What has arrived is due when it is taken from its socket; a timer says when it is due.
        if event.kind != Kind::Arrive as u8 {
            let behind = self.clock.behind(event.time);
            for lag in &mut self.lags {
                lag.record(behind);
            }
        }
        Ok(())
    }

    fn send(
        &mut self,
        _now: Time,
        _to: usize,
        event: Event,
        datagram: Datagram,
    ) -> Result<(), Infallible> {
        self.outbox.post(event.time, datagram);
        Ok(())
    }

    fn leave(&mut self, departure: Time, datagram: Datagram) -> bool {
        self.outbox.post(departure, datagram);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddrV4;

    #[test]
    fn datagrams_leave_in_order_and_never_early() {
        let socket = SocketAddrV4::new([127, 0, 0, 1].into(), 716);
        let datagram = |first: u8| Datagram {
            source: socket,
            destination: socket,
            sent: Time::ZERO,
            octets: vec![first],
            label: 0,
        };
        let mut outbox = Outbox::default();
        for (due, first) in [(30, 3), (10, 1), (30, 4), (20, 2)] {
            outbox.post(Time(due), datagram(first));
        }
        assert_eq!(outbox.take(Time(9)), None);
        assert_eq!(outbox.next_time(), Some(Time(10)));
        let mut taken = Vec::new();
        while let Some((_, datagram)) = outbox.take(Time(30)) {
            taken.push(datagram.octets[0]);
        }
        assert_eq!(taken, [1, 2, 3, 4]);
    }

    #[test]
    fn a_full_outbox_drops_and_says_so() {
        let socket = SocketAddrV4::new([127, 0, 0, 1].into(), 716);
        let mut outbox = Outbox::default();
        for due in 0..WAITING_MAX as u64 + 3 {
            let datagram = Datagram {
                source: socket,
                destination: socket,
                sent: Time::ZERO,
                octets: Vec::new(),
                label: 0,
            };
            outbox.post(Time(due), datagram);
        }
        assert_eq!(outbox.waiting.len(), WAITING_MAX);
        assert_eq!([outbox.take_overflows(), outbox.take_overflows()], [3, 0]);
    }
}
