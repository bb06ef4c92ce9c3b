//! Book-keeping of one authentication attempt, from its first datagram to its outcome.

use firmware::crypto::Work;

use crate::telemetry::AuthRecord;
use crate::time::{Duration, Time};

/// An authentication attempt that is under way.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// First datagram of the attempt.
    pub start: Time,
    /// Whether a session was open when it began.
    pub reauthentication: bool,
    /// What started it.
    trigger: &'static str,
    /// Datagrams from the head-end that were accepted.
    round_trips: u32,
    /// Datagrams sent and received, octets likewise, datagrams sent more than once.
    datagrams: [u32; 2],
    octets: [u32; 2],
    retransmissions: u32,
    work: Work,
    cpu: Duration,
}

impl Attempt {
    /// An attempt that begins at `start`.
    pub fn new(start: Time, reauthentication: bool, trigger: &'static str) -> Self {
        Self {
            start,
            reauthentication,
            trigger,
            round_trips: 0,
            datagrams: [0; 2],
            octets: [0; 2],
            retransmissions: 0,
            work: Work::NONE,
            cpu: Duration::ZERO,
        }
    }

    /// Counts a datagram that the meter sent.
    pub fn sent(&mut self, octets: usize, retransmission: bool) {
        self.datagrams[0] += 1;
        self.octets[0] += octets as u32;
        self.retransmissions += u32::from(retransmission);
    }

    /// Counts a datagram that the meter received.
    pub fn received(&mut self, octets: usize) {
        self.datagrams[1] += 1;
        self.octets[1] += octets as u32;
    }

    /// Counts a datagram that the firmware accepted.
    pub fn accepted(&mut self) {
        self.round_trips += 1;
    }

    /// Adds what handling a datagram cost.
    pub fn spent(&mut self, work: &Work, cpu: Duration) {
        self.work += *work;
        self.cpu = self.cpu + cpu;
    }

    /// The record of the attempt, which ended at `end` with `outcome`.
    pub fn finish(
        self,
        meter: u32,
        instance: u32,
        end: Time,
        outcome: &'static str,
        key_id: u32,
    ) -> AuthRecord {
        AuthRecord {
            meter,
            instance,
            reauthentication: self.reauthentication,
            start: self.start,
            end,
            outcome,
            trigger: self.trigger,
            round_trips: self.round_trips,
            key_id,
            datagrams_up: self.datagrams[0],
            datagrams_down: self.datagrams[1],
            octets_up: self.octets[0],
            octets_down: self.octets[1],
            retransmissions: self.retransmissions,
            work: self.work,
            cpu: self.cpu,
        }
    }
}
