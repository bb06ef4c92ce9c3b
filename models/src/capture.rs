//! Capturing datagrams where links take them over: observation that changes nothing.
//!
//! A capture needs no event and draws nothing, so a run with one has the trajectory of the run
//! without. What it is to contain is fixed beforehand; what it does not contain costs nothing.

use core::net::SocketAddrV4;

use crate::datagram::MessageType;
use crate::fleet::Fleet;
use crate::link::Direction;
use crate::rng::mix;
use crate::time::Time;

/// Which datagrams are captured; an empty list means all.
#[derive(Clone, Debug, PartialEq)]
pub struct CapturePlan {
    /// Meters by number, in ascending order.
    pub meters: Vec<u32>,
    /// Indices of cohorts.
    pub cohorts: Vec<usize>,
    /// Indices of link profiles.
    pub links: Vec<usize>,
    /// Protocols as [`MessageType::protocol`] names them.
    pub protocols: Vec<&'static str>,
    /// The first instant.
    pub from: Time,
    /// The first instant that is not captured any more.
    pub until: Time,
    /// Share of what the rest selects, in billionths.
    pub sample_ppb: u32,
    /// Whether datagrams are seen at sockets, by somebody else, and models only disclose keys.
    pub at_sockets: Option<SocketPorts>,
}

/// The UDP ports of real sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketPorts {
    /// Of PANA.
    pub pana: u16,
    /// Of C12.22.
    pub c1222: u16,
}

impl Default for CapturePlan {
    fn default() -> Self {
        Self {
            meters: Vec::new(),
            cohorts: Vec::new(),
            links: Vec::new(),
            protocols: Vec::new(),
            from: Time::ZERO,
            until: Time::FAR_FUTURE,
            sample_ppb: 1_000_000_000,
            at_sockets: None,
        }
    }
}

/// What became of a captured datagram on its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    Sent,
    /// It does not, for this reason: the link lost it or an attacker dropped it.
    Ended(&'static str),
}

/// What a shared medium took to move a datagram, over all hops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Hops that it made.
    pub hops: u8,
    /// Frames that were sent, repetitions included.
    pub transmissions: u32,
    /// Octets of all these frames.
    pub octets: u32,
}

/// A datagram on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// When a lane took it over; on a shared medium when it arrived or was lost.
    pub time: Time,
    /// Index of the link profile; none for the network that remote attackers come from.
    pub link: Option<usize>,
    /// The meter at one end, as far as it can be told.
    pub meter: Option<u32>,
    /// Which way.
    pub direction: Direction,
    /// What its header says it is.
    pub kind: MessageType,
    /// Where it says it comes from.
    pub source: SocketAddrV4,
    /// Where it goes.
    pub destination: SocketAddrV4,
    /// UDP payload.
    pub octets: Vec<u8>,
    /// Ground truth: see [`crate::datagram::Datagram::label`].
    pub label: u64,
    /// The attacker who made or altered it.
    pub attacker: Option<u32>,
    /// Whether somebody else made it and the attacker altered it or held it up.
    pub altered: bool,
    /// What became of it.
    pub fate: Fate,
    /// On a shared medium: what it took.
    pub passage: Option<Passage>,
}

/// A datagram that may be captured, before anything is copied.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// See [`Captured::time`].
    pub time: Time,
    /// See [`Captured::link`].
    pub link: Option<usize>,
    /// See [`Captured::meter`].
    pub meter: Option<u32>,
    /// See [`Captured::direction`].
    pub direction: Direction,
    /// See [`Captured::kind`].
    pub kind: MessageType,
    /// See [`Captured::source`] and [`Captured::destination`].
    pub sockets: (SocketAddrV4, SocketAddrV4),
    /// UDP payload.
    pub octets: &'a [u8],
    /// See [`Captured::label`].
    pub label: u64,
    /// See [`Captured::fate`].
    pub fate: Fate,
    /// See [`Captured::passage`].
    pub passage: Option<Passage>,
}

impl Candidate<'_> {
    /// The datagram as it is kept; `attacker` says who made or altered it, and which of the two.
    pub fn captured(&self, attacker: Option<(u32, bool)>) -> Captured {
        let (source, destination) = self.sockets;
        Captured {
            time: self.time,
            link: self.link,
            meter: self.meter,
            direction: self.direction,
            kind: self.kind,
            source,
            destination,
            octets: self.octets.to_vec(),
            label: self.label,
            attacker: attacker.map(|(attacker, _)| attacker),
            altered: attacker.is_some_and(|(_, altered)| altered),
            fate: self.fate,
            passage: self.passage,
        }
    }
}

impl CapturePlan {
    /// Whether anything of `meter` may be captured.
    pub fn has_meter(&self, fleet: &Fleet, meter: u32) -> bool {
        let cohort = || self.cohorts.contains(&fleet.cohort_of(meter));
        (self.meters.is_empty() || self.meters.binary_search(&meter).is_ok())
            && (self.cohorts.is_empty() || cohort())
    }

    /// Whether a frame in the home of `meter` is captured at `time`.
    ///
    /// Homes have no link of the fleet and are captured whole: a sample of frames whose counters
    /// do not follow each other is of little use.
    pub fn selects_home(&self, fleet: &Fleet, meter: u32, time: Time) -> bool {
        (self.from..self.until).contains(&time)
            && self.has_meter(fleet, meter)
            && self.links.is_empty()
            && (self.protocols.is_empty() || self.protocols.contains(&crate::han::PROTOCOL))
    }

    /// Whether `candidate` is captured.
    pub fn selects(&self, fleet: &Fleet, candidate: &Candidate<'_>) -> bool {
        (self.from..self.until).contains(&candidate.time)
            && match candidate.meter {
                Some(meter) => self.has_meter(fleet, meter),
                None => self.meters.is_empty() && self.cohorts.is_empty(),
            }
            && (self.links.is_empty()
                || candidate
                    .link
                    .is_some_and(|link| self.links.contains(&link)))
            && (self.protocols.is_empty() || self.protocols.contains(&candidate.kind.protocol()))
            && self.samples(fleet.seed, candidate)
    }

    /// Decides by what the datagram is, not by a stream: another selection shifts no draw.
    fn samples(&self, seed: u64, candidate: &Candidate<'_>) -> bool {
        if self.sample_ppb >= 1_000_000_000 {
            return true;
        }
        let meter = u64::from(candidate.meter.unwrap_or(u32::MAX));
        let link = candidate.link.map_or(0, |link| link as u64 + 1);
        let place = meter << 24 | link << 8 | candidate.direction as u64;
        let hash = mix(mix(seed ^ place) ^ candidate.time.as_nanos());
        (u128::from(hash) * 1_000_000_000) >> 64 < u128::from(self.sample_ppb)
    }
}
