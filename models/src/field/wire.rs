//! One direction of the light between probe and port.

use firmware::Rng as _;
use firmware::c1218::{Baud, Transmit};

use crate::rng::Stream;
use crate::time::{Duration, Time};

/// Octets that a UART collects before its processor takes them.
const FIFO: usize = 16;
/// Longest time that it collects: well below the inter-character time-out of 500 ms.
const COLLECT_MAX: Duration = Duration::from_millis(100);

/// What is on its way in one direction.
#[derive(Debug, Default)]
pub(super) struct Wire {
    sending: Option<Sending>,
    /// What has been sent since it was last taken.
    pub(super) count: Count,
}

/// What has been put on a wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) packets: u64,
    pub(super) octets: u64,
    pub(super) naks: u64,
    pub(super) repetitions: u64,
    pub(super) damaged: u64,
}

#[derive(Debug)]
struct Sending {
    octets: Vec<u8>,
    baud: Baud,
    /// When its first octet begins.
    from: Time,
    /// Octets that have been taken at the other end.
    taken: usize,
}

impl Sending {
    /// Octets that are there at the next moment at which somebody takes some.
    fn next(&self) -> usize {
        let one = self.baud.time_of(1).as_nanos().max(1);
        let piece = (COLLECT_MAX.as_nanos() / one) as usize;
        (self.taken + piece.clamp(1, FIFO)).min(self.octets.len())
    }

    fn at(&self) -> Time {
        self.from + self.baud.time_of(self.next())
    }
}

impl Wire {
    /// Whether nothing is on its way.
    pub(super) const fn is_idle(&self) -> bool {
        self.sending.is_none()
    }

    /// When the next octets arrive.
    pub(super) fn next(&self) -> Time {
        self.sending.as_ref().map_or(Time::FAR_FUTURE, Sending::at)
    }

    /// Begins to send at `from`; one of the octets may be damaged.
    pub(super) fn send(
        &mut self,
        transmit: Transmit,
        from: Time,
        damaged_ppb: u32,
        errors: &mut Stream,
    ) {
        let mut octets = transmit.octets;
        let is_packet = octets.len() > 1;
        self.count.packets += u64::from(is_packet);
        self.count.octets += octets.len() as u64;
        self.count.naks += u64::from(octets == [firmware::c1218::packet::NAK]);
        self.count.repetitions += u64::from(transmit.retransmission);
        if damaged_ppb > 0 && errors.chance(damaged_ppb) && !octets.is_empty() {
            let at = errors.below(octets.len() as u64) as usize;
            octets[at] ^= 1 << errors.below(8);
            self.count.damaged += 1;
        }
        self.sending = Some(Sending {
            octets,
            baud: transmit.baud,
            from,
            taken: 0,
        });
    }

    /// The octets that have arrived by `now`, as a receiver at `baud` understands them.
    pub(super) fn take(&mut self, now: Time, baud: Baud, errors: &mut Stream) -> Option<Vec<u8>> {
        let sending = self
            .sending
            .as_mut()
            .filter(|sending| sending.at() <= now)?;
        let next = sending.next();
        let mut piece = sending.octets[sending.taken..next].to_vec();
        sending.taken = next;
        if sending.baud != baud {
            // Bits are sampled at the wrong moments: no octet means anything.
            errors.fill_bytes(&mut piece);
        }
        if next == sending.octets.len() {
            self.sending = None;
        }
        Some(piece)
    }

    /// Whoever was sending is gone.
    pub(super) fn clear(&mut self) {
        self.sending = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Purpose;

    fn stream() -> Stream {
        Stream::new(1, 1, Purpose::OpticalLine)
    }

    fn transmit(len: u8, baud: Baud) -> Transmit {
        Transmit {
            octets: (0..len).collect(),
            baud,
            retransmission: false,
        }
    }

    #[test]
    fn octets_arrive_at_line_speed_in_the_pieces_of_a_uart() {
        let (mut wire, mut errors) = (Wire::default(), stream());
        wire.send(
            transmit(40, Baud::DEFAULT),
            Time::from_secs(1),
            0,
            &mut errors,
        );
        let mut arrived = Vec::new();
        while !wire.is_idle() {
            let at = wire.next();
            assert_eq!(wire.take(Time(at.0 - 1), Baud::DEFAULT, &mut errors), None);
            let piece = wire.take(at, Baud::DEFAULT, &mut errors).unwrap();
            arrived.push((at.0 - 1_000_000_000, piece.len()));
            assert!(piece.iter().is_sorted());
        }
        // 16 octets of ten bits at 9600 baud take 16.67 ms.
        assert_eq!(
            arrived,
            [(16_666_666, 16), (33_333_333, 16), (41_666_666, 8)]
        );
    }

    #[test]
    fn a_slow_line_is_looked_at_before_its_receiver_gives_up() {
        let (mut wire, mut errors) = (Wire::default(), stream());
        let slow = Baud::from_code(1).unwrap();
        wire.send(transmit(40, slow), Time::ZERO, 0, &mut errors);
        assert_eq!(wire.take(wire.next(), slow, &mut errors).unwrap().len(), 3);
    }

    #[test]
    fn damage_and_other_speeds_reach_the_receiver() {
        let (mut wire, mut errors) = (Wire::default(), stream());
        wire.send(
            transmit(10, Baud::DEFAULT),
            Time::ZERO,
            1_000_000_000,
            &mut errors,
        );
        let got = wire.take(wire.next(), Baud::DEFAULT, &mut errors).unwrap();
        let wrong = (0..10).zip(&got).filter(|(sent, got)| sent != *got);
        let bits: u32 = wrong
            .map(|(sent, got): (u8, &u8)| (sent ^ got).count_ones())
            .sum();
        assert_eq!(bits, 1);
        wire.send(transmit(10, Baud::FASTEST), Time::ZERO, 0, &mut errors);
        let got = wire.take(wire.next(), Baud::DEFAULT, &mut errors).unwrap();
        assert_ne!(got, (0..10).collect::<Vec<u8>>());
        assert_eq!((wire.count.damaged, wire.count.octets), (1, 20));
    }
}
