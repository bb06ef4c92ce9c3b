//! What can be observed of a run: typed records, the one source of all results.
//!
//! Each domain fills its own [`Telemetry`]; the recorder takes the records at synchronisation
//! points and orders them by time and meter, so results depend neither on threads nor on how the
//! fleet is divided into domains.

use std::collections::BTreeMap;

use firmware::c1222::epsem::Mode;
use firmware::c1222::notice::Notice;
use firmware::crypto::Work;
use firmware::han::Content;
use firmware::headend::{CommandReport, RequestReport};
use firmware::meter::SwitchStep;
use firmware::metrology::Registers;
use firmware::ukmf::KeySummary;

use crate::capture::Captured;
use crate::datagram::MessageType;
use crate::disclosure::Disclosure;
use crate::distribution::FeederLoads;
use crate::link::Direction;
use crate::mdms::DayRecord;
use crate::meter::Rebound;
use crate::time::{Duration, Time};

/// An authentication attempt as the meter lived it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthRecord {
    /// The meter.
    pub meter: u32,
    /// Index of the head-end instance.
    pub instance: u32,
    /// Whether it was a re-authentication of an open session.
    pub reauthentication: bool,
    /// First datagram of the attempt.
    pub start: Time,
    /// When the meter knew the outcome.
    pub end: Time,
    /// `success`, or why it failed.
    pub outcome: &'static str,
    /// What started it.
    pub trigger: &'static str,
    /// PANA datagrams from the head-end that the meter accepted.
    pub round_trips: u32,
    /// PANA Key-Id of the new key, zero without one.
    pub key_id: u32,
    /// Datagrams sent by the meter.
    pub datagrams_up: u32,
    /// Datagrams received by the meter.
    pub datagrams_down: u32,
    /// PANA octets sent by the meter (UDP payload).
    pub octets_up: u32,
    /// PANA octets received by the meter (UDP payload).
    pub octets_down: u32,
    /// Datagrams that the meter sent more than once.
    pub retransmissions: u32,
    /// Cryptographic work of the meter.
    pub work: Work,
    /// Processor time of the meter.
    pub cpu: Duration,
}

/// Which end of a key a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The meter.
    Meter,
    /// The head-end.
    Server,
}

/// A key epoch at one end; its times are read from the clock of that end.
#[derive(Clone, Debug)]
pub struct KeyRecord {
    /// When the record was made: the end of the epoch, or of the run.
    pub time: Time,
    /// The meter.
    pub meter: u32,
    /// Which end.
    pub side: Side,
    /// The clock error of that end in parts per billion, to translate the times.
    pub drift_ppb: i32,
    /// The epoch.
    pub epoch: KeySummary,
}

/// An application message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRecord {
    /// The meter.
    pub meter: u32,
    /// Which way.
    pub direction: Direction,
    /// Request or response.
    pub kind: MessageType,
    /// When it was handed to the link.
    pub sent: Time,
    /// When it arrived or was dropped.
    pub end: Time,
    /// UDP payload.
    pub octets: u32,
    /// C12.22 security mode, if the message is readable that far.
    pub mode: Option<Mode>,
    /// C12.22 key id, if the message names one.
    pub key_id: Option<u8>,
    /// `accepted`, `lost`, `queue_full`, `unreachable` or a reject cause.
    pub outcome: &'static str,
}

/// A scheduled interval read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadRecord {
    /// The meter.
    pub meter: u32,
    /// Number of the interval since the start of the run, the first being 1.
    pub interval: u32,
    /// When the interval ended, by the calendar: the read is due then.
    pub due: Time,
    /// When the head-end had it, if it did.
    pub delivered: Option<Time>,
    /// Energy of the interval.
    pub watt_hours: u32,
}

/// What an attacker did and what came of it: ground truth that no defender has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttackRecord {
    /// Index of the attacker.
    pub attacker: u32,
    /// Index of the head-end instance whose meters it is about.
    pub instance: u32,
    /// Label of the datagram; zero for what was done without sending or altering one.
    pub label: u64,
    /// What was tried.
    pub action: &'static str,
    /// The victim, where it is one meter.
    pub meter: Option<u32>,
    /// When: a forged datagram at its arrival, an altered one at its departure.
    pub time: Time,
    /// When its receiver judged it, or when the effect ended.
    pub end: Option<Time>,
    /// Messages, guesses or attempts that the action comprised.
    pub count: u64,
    /// Octets concerned.
    pub octets: u64,
    /// `accepted`, `repeated`, `rejected`, `ignored` or `dropped`.
    pub outcome: &'static str,
    /// Why, as the firmware names it.
    pub cause: Option<&'static str>,
}

/// Traffic of an attacker, by where it was put on which link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttackTraffic {
    /// Index of the attacker.
    pub attacker: u32,
    /// Index of the link profile; none for the network that remote attackers come from.
    pub link: Option<usize>,
    /// Which way.
    pub direction: Direction,
    /// What its header says it is.
    pub kind: MessageType,
}

/// An order to a switch, as the head-end saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandRecord {
    /// The meter.
    pub meter: u32,
    /// Index of the head-end instance.
    pub instance: u32,
    /// From its beginning to its end.
    pub report: CommandReport,
}

/// A request to a meter, as the head-end saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// The meter.
    pub meter: u32,
    /// Index of the head-end instance.
    pub instance: u32,
    /// From its beginning to its end; its plan is an index of those of the fleet.
    pub report: RequestReport,
}

/// A session at an optical port, as whoever made it saw it; `outcome` is how it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpticalRecord {
    /// The meter.
    pub meter: u32,
    /// Index of the service in the field.
    pub service: u32,
    /// The first octet.
    pub start: Time,
    /// The last one.
    pub end: Time,
    /// How it ended.
    pub outcome: &'static str,
    /// The speed that was agreed upon.
    pub bits_per_s: u32,
    /// Whether the meter has accepted a Logon.
    pub logged_on: bool,
    /// Groups that a password has given, as bits of ST42.
    pub groups: u8,
    /// Requests.
    pub requests: u64,
    /// Requests that were answered otherwise than with `ok`, and procedures that failed.
    pub refused: u64,
    /// Tables that were read.
    pub tables_read: u64,
    /// Their octets.
    pub octets_read: u64,
    /// Tables that were written.
    pub tables_written: u64,
    /// Of these, those that read back as they were written.
    pub tables_verified: u64,
    /// Procedures that the meter has carried out.
    pub procedures: u64,
    /// Passwords that the meter has judged.
    pub passwords: u64,
    /// Of these, wrong ones.
    pub wrong_passwords: u64,
    /// Whether the meter has locked its port.
    pub locked_out: bool,
    /// Packets in both directions, repetitions included.
    pub packets: u64,
    /// Octets to the meter.
    pub octets_to_meter: u64,
    /// Octets from the meter.
    pub octets_from_meter: u64,
    /// Packets that were asked for again, in both directions.
    pub naks: u64,
    /// Packets that were sent again, in both directions.
    pub repetitions: u64,
    /// Packets and acknowledgements that were damaged on the way.
    pub damaged: u64,
    /// What the visitor's program has discarded.
    pub discarded: u64,
}

/// A loss of power at a meter that reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutageRecord {
    /// The meter.
    pub meter: u32,
    /// When mains were lost.
    pub lost: Time,
    /// When its capacitor was empty; none if mains returned before.
    pub dark: Option<Time>,
    /// When mains returned; none if the run ended first.
    pub returned: Option<Time>,
}

/// A report of an outage, as the head-end got it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoticeRecord {
    /// The meter.
    pub meter: u32,
    /// When it arrived.
    pub time: Time,
    /// What it says.
    pub notice: Notice,
}

/// What became of a firmware image at a meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageRecord {
    /// When.
    pub time: Time,
    /// The meter.
    pub meter: u32,
    /// Its version.
    pub version: u16,
    /// What, in snake case.
    pub step: &'static str,
    /// Octets of it that were written so far, those written again included.
    pub octets: u32,
}

/// What a meter did about an order to its switch or its home.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SwitchRecord {
    /// When.
    pub time: Time,
    /// The meter.
    pub meter: u32,
    /// Sequence number of the order.
    pub sequence: u8,
    /// What it did.
    pub step: SwitchStep,
    /// Power that was cut off, is supplied again or held back, in W; zero if none was.
    pub watts: f64,
    /// Energy that the home has held back until the end of a limit, in Wh.
    pub shed_wh: f64,
}

/// How the load of a home that follows demand response has changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LoadChange {
    /// It holds back so much, in W, instead of what it held back before.
    Held(f64),
    /// It holds back nothing any more and draws this in addition.
    Released(Rebound),
}

/// A change of load by demand response.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldLoad {
    /// When.
    pub time: Time,
    /// The meter.
    pub meter: u32,
    /// What has changed.
    pub change: LoadChange,
}

/// Why registers are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegisterReason {
    /// A local day has ended.
    Day,
    /// The demand was reset; what the registers were before that.
    DemandReset,
    /// The run has ended.
    End,
}

/// The registers of a meter that measures everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterRecord {
    /// When it became known.
    pub time: Time,
    /// The meter.
    pub meter: u32,
    /// The time of the registers by the meter's clock, in seconds since 1970.
    pub utc_s: u32,
    /// Why.
    pub reason: RegisterReason,
    /// The registers.
    pub registers: Registers,
    /// Wh delivered in all intervals of the load profile that have closed by then, if one of its
    /// channels records that.
    pub profile_wh: Option<u64>,
}

/// What a meter has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Milestone {
    /// Power came on for the first time.
    Powered,
    /// The first authentication succeeded.
    Joined,
    /// Power came back after an interruption.
    Returned,
    /// The session is open again after an interruption.
    Rejoined,
}

/// Traffic of one kind in one direction of one link profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficCount {
    /// Frames handed to the link.
    pub frames: u64,
    /// Octets on the link, headers included.
    pub octets: u64,
    /// UDP payload octets.
    pub payload_octets: u64,
    /// Frames that repeat an earlier one.
    pub retransmissions: u64,
    /// Frames lost on the way.
    pub lost: u64,
    /// Frames dropped at a full queue.
    pub queue_full: u64,
    /// Time on a shared medium; that of a lane follows from its octets.
    pub airtime: Duration,
}

impl TrafficCount {
    /// Adds `other` to the counters.
    pub fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.octets += other.octets;
        self.payload_octets += other.payload_octets;
        self.retransmissions += other.retransmissions;
        self.lost += other.lost;
        self.queue_full += other.queue_full;
        self.airtime = self.airtime + other.airtime;
    }
}

/// Where a datagram was discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeId {
    /// A meter.
    Meter(u32),
    /// A head-end instance.
    Instance(u32),
    /// A concentrator.
    Concentrator(u32),
    /// A device in the home of a meter.
    HomeDevice(u32),
}

/// A captured transmission in a home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeFrame {
    /// The end of the frame.
    pub time: Time,
    /// The meter of the home.
    pub meter: u32,
    /// Whether the meter sent it, or a device.
    pub from_meter: bool,
    /// Whether it came through.
    pub received: bool,
    /// The PSDU, with its check sequence.
    pub octets: Vec<u8>,
}

/// A bounded-error histogram of durations: 16 buckets per power of two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    buckets: Vec<u32>,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: vec![0; 64 * 16],
            count: 0,
        }
    }
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&mut self, duration: Duration) {
        self.buckets[bucket_of(duration.as_nanos())] += 1;
        self.count += 1;
    }

    /// The duration below which `permille` of a thousand counted ones lie, to within 6 %.
    pub fn quantile(&self, permille: u64) -> Option<Duration> {
        let rank = (self.count * permille).div_ceil(1_000).max(1);
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|&count| {
            seen += u64::from(count);
            seen >= rank
        })?;
        Some(Duration::from_nanos(upper_bound(bucket)))
    }

    /// Forgets everything counted.
    pub fn clear(&mut self) {
        self.buckets.fill(0);
        self.count = 0;
    }
}

fn bucket_of(nanos: u64) -> usize {
    if nanos < 16 {
        return nanos as usize;
    }
    let exponent = 63 - nanos.leading_zeros();
    let mantissa = (nanos >> (exponent - 4)) & 15;
    (exponent as usize - 3) * 16 + mantissa as usize
}

fn upper_bound(bucket: usize) -> u64 {
    if bucket < 16 {
        return bucket as u64;
    }
    let exponent = bucket / 16 + 3;
    let mantissa = (bucket % 16) as u64;
    ((16 + mantissa) << (exponent - 4)) + ((1 << (exponent - 4)) - 1)
}

/// The load of one head-end instance in one time bin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceLoad {
    /// Datagrams that arrived.
    pub arrivals: u64,
    /// Datagrams that a core has served.
    pub served: u64,
    /// Datagrams dropped because the buffer was full.
    pub buffer_full: u64,
    /// Datagrams dropped because the instance was down.
    pub down: u64,
    /// The longest queue.
    pub queue_max: u32,
    /// Sum of waiting times, from which the mean queue length follows (Little's law).
    pub waiting: Duration,
    /// Sum of service times over all cores.
    pub busy: Duration,
    /// Authentications completed.
    pub authentications: u64,
    /// Authentications rejected.
    pub rejected: u64,
    /// Service times.
    pub service: Histogram,
    /// Waiting times.
    pub wait: Histogram,
}

/// Everything observed in one domain since the recorder last took it.
#[derive(Debug, Default)]
pub struct Telemetry {
    /// Authentication attempts that ended.
    pub auth: Vec<AuthRecord>,
    /// Key epochs that ended.
    pub keys: Vec<KeyRecord>,
    /// Application messages.
    pub messages: Vec<MessageRecord>,
    /// Interval reads that were delivered.
    pub reads: Vec<ReadRecord>,
    /// Interval reads that fell due, per meter and interval.
    pub due: Vec<ReadRecord>,
    /// Registers of meters that measure everything.
    pub registers: Vec<RegisterRecord>,
    /// What the meter data management system has of each meter and day, at the end of the run.
    pub mdms: Vec<(u32, DayRecord)>,
    /// First power and first join of meters.
    pub milestones: Vec<(Time, u32, Milestone)>,
    /// Discarded datagrams by node, protocol and cause.
    pub rejects: BTreeMap<(NodeId, &'static str, &'static str), u64>,
    /// Traffic by link profile, direction and message type.
    pub traffic: Vec<TrafficCount>,
    /// Traffic in homes.
    pub home_traffic: BTreeMap<(Direction, Content), TrafficCount>,
    /// Captured frames in homes, in no order but that of the events.
    pub home_frames: Vec<HomeFrame>,
    /// Captured datagrams, in no order but that of the events.
    pub captured: Vec<Captured>,
    /// What the keys of captured meters follow from.
    pub disclosed: Vec<Disclosure>,
    /// What passive taps saw: frames and octets, by tap.
    pub taps: Vec<(u64, u64)>,
    /// Datagrams handed to protocol code.
    pub datagrams: u64,
    /// What attackers did.
    pub attacks: Vec<AttackRecord>,
    /// What attackers put on links, which `traffic` does not count.
    pub attack_traffic: BTreeMap<AttackTraffic, TrafficCount>,
    /// Orders to switches that ended.
    pub commands: Vec<CommandRecord>,
    /// Requests to meters that ended.
    pub requests: Vec<RequestRecord>,
    /// Sessions at optical ports that ended.
    pub optical: Vec<OpticalRecord>,
    /// Losses of power that have ended, of meters that report them.
    pub outages: Vec<OutageRecord>,
    /// Reports of outages that have arrived.
    pub notices: Vec<NoticeRecord>,
    /// What became of firmware images.
    pub images: Vec<ImageRecord>,
    /// What switches did.
    pub switches: Vec<SwitchRecord>,
    /// How demand response has changed the load.
    pub held: Vec<HeldLoad>,
    /// What premises draw from their feeders.
    pub feeder_loads: FeederLoads,
}

impl Telemetry {
    /// The traffic counter of a link profile, direction and message type.
    pub fn traffic_mut(
        &mut self,
        profile: usize,
        direction: Direction,
        kind: MessageType,
    ) -> &mut TrafficCount {
        let index = Self::traffic_index(profile, direction, kind);
        if index >= self.traffic.len() {
            self.traffic.resize(index + 1, TrafficCount::default());
        }
        &mut self.traffic[index]
    }

    /// The index into `traffic` of a link profile, direction and message type.
    pub const fn traffic_index(profile: usize, direction: Direction, kind: MessageType) -> usize {
        (profile * 2 + direction as usize) * MessageType::ALL.len() + kind as usize
    }

    /// Counts a discarded datagram.
    pub fn reject(&mut self, node: NodeId, protocol: &'static str, cause: &'static str) {
        *self.rejects.entry((node, protocol, cause)).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histogram_buckets_cover_every_duration_within_6_percent() {
        for shift in 0..64_u32 {
            for offset in [0, 1, 3] {
                let nanos = (1_u64 << shift).saturating_add(offset << shift.saturating_sub(3));
                let bound = upper_bound(bucket_of(nanos));
                assert!(bound >= nanos, "{nanos} above its bucket {bound}");
                assert!(
                    bound as f64 <= nanos as f64 * 1.0625 + 1.0,
                    "{nanos} in bucket {bound}"
                );
            }
        }
    }

    #[test]
    fn quantiles_follow_the_counted_durations() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(500), None);
        for micros in 1..=1_000 {
            histogram.record(Duration::from_micros(micros));
        }
        let median = histogram.quantile(500).unwrap().as_nanos() as f64;
        assert!((median / 500_000.0 - 1.0).abs() < 0.07);
        let p99 = histogram.quantile(990).unwrap().as_nanos() as f64;
        assert!((p99 / 990_000.0 - 1.0).abs() < 0.07);
    }
}
