//! Finds packets and acknowledgements in a stream of octets.

use alloc::vec::Vec;

use super::packet::{ACK, HEADER_LEN, NAK, OVERHEAD, START};
use super::reject::Reject;
use crate::time::Instant;

/// Something that has been received to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Ack,
    Nak,
    /// As many octets as its header announces; nothing else is verified.
    Packet(Vec<u8>),
    /// An octet that belongs to nothing.
    Noise,
}

/// Why a packet has been given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    TooLong,
    TooShort,
}

impl From<Broken> for Reject {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::TooLong => Self::Length,
            Broken::TooShort => Self::InterCharacter,
        }
    }
}

/// The octets of a packet so far.
#[derive(Debug, Default)]
pub(super) struct Receiver {
    buffer: Vec<u8>,
    /// The packet is longer than agreed: its octets are not kept.
    skipping: bool,
    /// When the next octet is due at the latest.
    deadline: Option<Instant>,
}

impl Receiver {
    /// Takes the next octet; packets beyond `size_max` octets are skipped.
    pub(super) fn push(&mut self, octet: u8, size_max: usize) -> Option<Unit> {
        if self.skipping {
            return None;
        }
        if self.buffer.is_empty() && octet != START {
            return Some(match octet {
                ACK => Unit::Ack,
                NAK => Unit::Nak,
                _ => Unit::Noise,
            });
        }
        self.buffer.push(octet);
        let [_, _, _, _, high, low] = *self.buffer.first_chunk::<HEADER_LEN>()?;
        let len = usize::from(u16::from_be_bytes([high, low])) + OVERHEAD;
        if len > size_max {
            self.buffer.clear();
            self.skipping = true;
            return None;
        }
        (self.buffer.len() == len).then(|| Unit::Packet(core::mem::take(&mut self.buffer)))
    }

    /// Notes when the next octet is due, if a packet has begun.
    pub(super) fn expect_by(&mut self, deadline: Instant) {
        self.deadline = self.is_busy().then_some(deadline);
    }

    /// Gives up a packet whose next octet is overdue.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<Broken> {
        self.deadline.filter(|deadline| *deadline <= now)?;
        self.give_up()
    }

    /// Gives up what has begun, if something has.
    pub(super) fn give_up(&mut self) -> Option<Broken> {
        let broken = match (self.skipping, self.buffer.is_empty()) {
            (true, _) => Some(Broken::TooLong),
            (false, false) => Some(Broken::TooShort),
            (false, true) => None,
        };
        self.buffer.clear();
        self.skipping = false;
        self.deadline = None;
        broken
    }

    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether a packet has begun and not ended.
    pub(super) fn is_busy(&self) -> bool {
        self.skipping || !self.buffer.is_empty()
    }

    /// Whether that packet may still turn out valid.
    pub(super) fn is_receiving(&self) -> bool {
        !self.buffer.is_empty()
    }
}
