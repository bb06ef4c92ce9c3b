//! The service switch: a latching 200 A relay inside the meter, and when it moves.
//!
//! ```text
//!              order(Open)                 due                       order(Close)
//!   closed --------------> opening, delayed ----> open --------------> closing ----> closed
//!      ^                     | order(Close)        | order(Arm)            ^
//!      +---------------------+ takes it back       +----> armed --button---+
//! ```
//!
//! An order takes effect after its random window, after the defence's delay and after the time
//! that the relay needs. Whatever contradicts an order that waits takes it back, so whoever stops
//! a mass disconnection saves every switch that has not moved yet. Position, waiting order and
//! count of operations are in non-volatile memory; what falls due without power is done when
//! power returns.

use super::curtailment::{Change, Changed, Curtailment, Lift};
use crate::c1219::procedure::ResultCode;
use crate::c1219::switch::{
    Limit, SwitchAction, SwitchCommand, SwitchResponse, SwitchState, SwitchTable,
};
use crate::c1219::types::DateTime;
use crate::time::{Duration, Instant, earlier};

/// Where an order comes from, as LAST_SOURCE tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// C12.22.
    Network = 1,
    /// The optical port: somebody is there, so what keeps remote orders back does not apply.
    Optical = 2,
}

/// LAST_SOURCE of the meter itself, which limits demand.
const SOURCE_LIMIT: u8 = 3;
/// LAST_SOURCE of the button at the meter.
const SOURCE_BUTTON: u8 = 4;
/// SEQ_NBR of what nobody has ordered.
const UNORDERED: u8 = 0;
/// Periods after which a delayed operation happens at the latest: a week of minutes.
const PERIODS_MAX: u64 = 10_080;

/// A random delay of every remote operation: in each period it happens with this probability.
///
/// Temple, Chen and Tippenhauer, SmartGridComm 2013: the number of periods is geometric, so after
/// `n` of them a share of 1 - (1 - p)^n has acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeometricDelay {
    /// The period; a minute in the publication.
    pub period: Duration,
    /// The probability in billionths, 1 to 1,000,000,000.
    pub probability_ppb: u32,
}

impl GeometricDelay {
    /// The delay that belongs to a uniform draw of 64 bits.
    pub fn delay(&self, draw: u64) -> Duration {
        let stay = u128::from(1_000_000_000 - self.probability_ppb.min(1_000_000_000));
        // The share that has not acted after `periods`, in 2^-64.
        let mut waiting = (1u128 << 64) * stay / 1_000_000_000;
        let mut periods = 1;
        while u128::from(draw) < waiting && periods < PERIODS_MAX {
            waiting = waiting * stay / 1_000_000_000;
            periods += 1;
        }
        self.period.scaled(periods, 1)
    }
}

/// What all switches of a fleet have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchPolicy {
    /// Time that the relay needs, 20 to 100 ms.
    pub operating_time: Duration,
    /// Operations that the relay is made for, 3,000 to 10,000; it does not move after that.
    pub operations_max: u32,
    /// Whether the head-end may close the switch, or only arm it for the customer.
    pub remote_close: bool,
    /// The defence against simultaneous operations, if there is one.
    pub delay: Option<GeometricDelay>,
}

impl Default for SwitchPolicy {
    /// 50 ms, 10,000 operations, closed remotely, without delay.
    fn default() -> Self {
        Self {
            operating_time: Duration::from_millis(50),
            operations_max: 10_000,
            remote_close: true,
            delay: None,
        }
    }
}

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwitchStep {
    /// It was accepted and takes effect at this time of the meter's clock.
    Accepted(Instant),
    /// The switch has moved, or was where it should be.
    Done {
        /// Whether the load is supplied now.
        closed: bool,
        /// Whether it has moved.
        moved: bool,
    },
    /// A later order has taken it back.
    TakenBack,
    /// A limit of demand response was accepted and begins, or is released, at this time.
    Scheduled(Instant, Limit),
    /// The limit begins: the home is asked to follow it.
    Limited(Limit),
    /// The limit that the order began, or would have begun, is over.
    Lifted(Lift),
    /// What was to be released is over, or was never there.
    Released,
    /// It was refused, or could not be carried out when it was due.
    Refused(Refusal),
}

/// Why a switch does not move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is voltage on the load side of the open switch.
    BackFeed,
    /// The relay has reached the end of its life.
    WornOut,
    /// Only the customer may close it.
    LocalOnly,
    /// It cannot be armed while it is closed.
    NotOpen,
    /// It is moving.
    Moving,
    /// There is no such action.
    Action,
    /// A limit that is none: no duration, or a level of 100 % and more.
    Terms,
    /// The limit would be over by now.
    Late,
    /// The household has opted out of the event.
    OptedOut,
}

impl Refusal {
    /// The cause in snake case, for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BackFeed => "back_feed",
            Self::WornOut => "worn_out",
            Self::LocalOnly => "local_only",
            Self::NotOpen => "not_open",
            Self::Moving => "moving",
            Self::Action => "action",
            Self::Terms => "terms",
            Self::Late => "late",
            Self::OptedOut => "opted_out",
        }
    }

    const fn result(self) -> ResultCode {
        match self {
            Self::BackFeed
            | Self::WornOut
            | Self::LocalOnly
            | Self::NotOpen
            | Self::Late
            | Self::OptedOut => ResultCode::Conflict,
            Self::Moving => ResultCode::TimingConstraint,
            Self::Action | Self::Terms => ResultCode::InvalidParameter,
        }
    }
}

/// An order that waits.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    close: bool,
    sequence: u8,
    /// When the contacts have moved.
    due: Instant,
    /// The same in UTC, for the response.
    due_utc: u32,
}

/// The answer to an order: for ST8, and for whoever watches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) result: ResultCode,
    pub(super) response: SwitchResponse,
    /// The sequence number and fate of the order itself, and of one that it takes back.
    pub(super) steps: [Option<(u8, SwitchStep)>; 2],
}

/// The switch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Switch {
    state: SwitchState,
    waiting: Option<Waiting>,
    operations: u32,
    last_source: u8,
    last_sequence: u8,
    last_change_utc: Option<u32>,
    /// Whether the load side has voltage while the switch is open.
    back_feed: bool,
    /// State of the generator of delays.
    random: u64,
    /// What the home is asked to do.
    curtailment: Curtailment,
    /// State of the generator of its delays, which are drawn apart.
    response_random: u64,
}

impl Switch {
    /// A new switch, closed, whose delays start at `seed`.
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            state: SwitchState::Closed,
            waiting: None,
            operations: 0,
            last_source: 0,
            last_sequence: 0,
            last_change_utc: None,
            back_feed: false,
            random: seed,
            curtailment: Curtailment::NONE,
            response_random: !seed,
        }
    }

    /// Takes note of the voltage on the load side of the open switch.
    pub(super) const fn sense_load_side(&mut self, energised: bool) {
        self.back_feed = energised;
    }

    /// Takes an order of the head-end. Draws twice whatever is ordered of the switch.
    pub(super) fn order(
        &mut self,
        policy: &SwitchPolicy,
        command: SwitchCommand,
        sequence: u8,
        utc: u32,
        now: Instant,
        source: Source,
    ) -> Answer {
        if command.action.is_response() {
            return self.curtail(command, sequence, (utc, now), source);
        }
        let remote = source == Source::Network;
        let (window_draw, delay_draw) = (draw(&mut self.random), draw(&mut self.random));
        let close = match command.action {
            SwitchAction::Open => false,
            SwitchAction::Close => true,
            SwitchAction::Arm => return self.arm(source, sequence, utc),
            SwitchAction::Limit | SwitchAction::Release | SwitchAction::Unknown(_) => {
                return self.refuse(Refusal::Action, sequence);
            }
        };
        if remote
            && close
            && !policy.remote_close
            && self.waiting.is_none_or(|waiting| waiting.close)
        {
            return self.refuse(Refusal::LocalOnly, sequence);
        }
        if let Some(waiting) = self.waiting {
            if waiting.due <= now + policy.operating_time {
                return self.refuse(Refusal::Moving, sequence);
            }
            if waiting.close != close {
                self.waiting = None;
                self.note(source as u8, sequence, None);
                let taken_back = (waiting.sequence, SwitchStep::TakenBack);
                return self.done(sequence, false, utc, Some(taken_back));
            }
        } else if close == (self.state == SwitchState::Closed) {
            return self.done(sequence, false, utc, None);
        }
        if let Some(refusal) = self.obstacle(policy, close) {
            return self.refuse(refusal, sequence);
        }
        let width = u64::from(command.window_s) * 1_000_000_000;
        let window = ((u128::from(width) * u128::from(window_draw)) >> 64) as u64;
        let delay = policy
            .delay
            .filter(|_| remote)
            .map_or(Duration::ZERO, |delay| delay.delay(delay_draw));
        let pause = Duration::from_nanos(window) + delay + policy.operating_time;
        let fresh = Waiting {
            close,
            sequence,
            due: now + pause,
            due_utc: utc.saturating_add(u32::try_from(pause.as_secs()).unwrap_or(u32::MAX)),
        };
        // The same order again does not buy another draw.
        let waiting = match self.waiting {
            Some(waiting) => Waiting {
                sequence,
                ..waiting
            },
            None => fresh,
        };
        self.waiting = Some(waiting);
        self.note(source as u8, sequence, None);
        Answer {
            result: ResultCode::Accepted,
            response: self.response(waiting.due_utc),
            steps: [Some((sequence, SwitchStep::Accepted(waiting.due))), None],
        }
    }

    /// The customer presses the button of an armed switch; returns whether it will close.
    pub(super) fn press_button(&mut self, policy: &SwitchPolicy, utc: u32, now: Instant) -> bool {
        if self.state != SwitchState::Armed || self.waiting.is_some() {
            return false;
        }
        if self.obstacle(policy, true).is_some() {
            return false;
        }
        self.waiting = Some(Waiting {
            close: true,
            sequence: self.last_sequence,
            due: now + policy.operating_time,
            due_utc: utc,
        });
        self.last_source = SOURCE_BUTTON;
        true
    }

    /// Opens a closed switch because of its demand; draws nothing, and no defence delays it.
    ///
    /// Its steps have the sequence number 0, which no order has.
    pub(super) fn enforce_limit(
        &mut self,
        policy: &SwitchPolicy,
        utc: u32,
        now: Instant,
    ) -> Option<Answer> {
        if self.waiting.is_some() || self.state != SwitchState::Closed {
            return None;
        }
        if let Some(refusal) = self.obstacle(policy, false) {
            return Some(self.refuse(refusal, UNORDERED));
        }
        self.waiting = Some(Waiting {
            close: false,
            sequence: UNORDERED,
            due: now + policy.operating_time,
            due_utc: utc,
        });
        self.last_source = SOURCE_LIMIT;
        None
    }

    /// Moves the contacts if that is due; tells for which order, and what became of it.
    pub(super) fn handle_timeout(
        &mut self,
        policy: &SwitchPolicy,
        utc: u32,
        now: Instant,
    ) -> Option<Answer> {
        let Some(waiting) = self.waiting.take_if(|waiting| waiting.due <= now) else {
            let (sequence, change, other) = self.curtailment.handle_timeout(now)?;
            return Some(match change {
                Ok(change) => self.curtailed(sequence, change, other, utc),
                Err(refusal) => self.refuse(refusal, sequence),
            });
        };
        if let Some(refusal) = self.obstacle(policy, waiting.close) {
            return Some(self.refuse(refusal, waiting.sequence));
        }
        self.state = if waiting.close {
            SwitchState::Closed
        } else {
            SwitchState::Open
        };
        self.operations += 1;
        self.note(self.last_source, waiting.sequence, Some(utc));
        Some(self.done(waiting.sequence, true, utc, None))
    }

    /// When the contacts move or a limit begins or ends next.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let contacts = self.waiting.map(|waiting| waiting.due);
        earlier(contacts, self.curtailment.poll_timeout())
    }

    /// The household opts out of the demand-response event `event_id`, if it is at hand.
    pub(super) fn opt_out(&mut self, event_id: u32) -> Option<Answer> {
        let (sequence, change) = self.curtailment.opt_out(event_id)?;
        let answer = self.refuse(Refusal::OptedOut, sequence);
        Some(Answer {
            steps: [Some((sequence, self.step(change))), None],
            ..answer
        })
    }

    /// MT0.
    pub(super) fn table(&self) -> SwitchTable {
        let mut table = SwitchTable {
            state: self.state,
            last_source: self.last_source,
            last_sequence: self.last_sequence,
            last_change: self.last_change_utc.and_then(DateTime::from_utc),
            ..SwitchTable::default()
        };
        self.curtailment.describe(&mut table);
        table
    }

    /// Takes an order about demand response.
    fn curtail(
        &mut self,
        command: SwitchCommand,
        sequence: u8,
        time: (u32, Instant),
        source: Source,
    ) -> Answer {
        let draw = draw(&mut self.response_random);
        let terms = (command.limit, command.window_s);
        let changed = match command.action {
            SwitchAction::Limit => self.curtailment.limit(terms, sequence, time, draw),
            _ => Ok(self.curtailment.release(terms, sequence, time, draw)),
        };
        match changed {
            Ok((change, other)) => {
                self.note(source as u8, sequence, None);
                self.curtailed(sequence, change, other, time.0)
            }
            Err(refusal) => self.refuse(refusal, sequence),
        }
    }

    /// The answer to an order of which `change` comes, and that ends what `other` tells.
    fn curtailed(&self, sequence: u8, change: Change, other: Option<Changed>, utc: u32) -> Answer {
        let (result, effective_utc) = match change {
            Change::Scheduled(_, at) => (ResultCode::Accepted, at),
            Change::Begun(_) | Change::Ended(_) | Change::Idle => (ResultCode::Completed, utc),
        };
        let other = other.map(|(sequence, change)| (sequence, self.step(change)));
        Answer {
            result,
            response: self.response(effective_utc),
            steps: [Some((sequence, self.step(change))), other],
        }
    }

    fn step(&self, change: Change) -> SwitchStep {
        match change {
            Change::Scheduled(at, _) => SwitchStep::Scheduled(at, self.curtailment.terms()),
            Change::Begun(limit) => SwitchStep::Limited(limit),
            Change::Ended(lift) => SwitchStep::Lifted(lift),
            Change::Idle => SwitchStep::Released,
        }
    }

    /// Arms an open switch; nothing moves.
    fn arm(&mut self, source: Source, sequence: u8, utc: u32) -> Answer {
        if self.waiting.is_some() || self.state == SwitchState::Closed {
            return self.refuse(Refusal::NotOpen, sequence);
        }
        self.state = SwitchState::Armed;
        self.note(source as u8, sequence, Some(utc));
        self.done(sequence, false, utc, None)
    }

    /// Why the switch cannot move this way now.
    fn obstacle(&self, policy: &SwitchPolicy, close: bool) -> Option<Refusal> {
        if close && self.back_feed {
            Some(Refusal::BackFeed)
        } else if self.operations >= policy.operations_max {
            Some(Refusal::WornOut)
        } else {
            None
        }
    }

    fn note(&mut self, source: u8, sequence: u8, changed_utc: Option<u32>) {
        self.last_source = source;
        self.last_sequence = sequence;
        self.last_change_utc = changed_utc.or(self.last_change_utc);
    }

    fn response(&self, effective_utc: u32) -> SwitchResponse {
        SwitchResponse {
            state: self.state,
            effective: DateTime::from_utc(effective_utc),
        }
    }

    fn done(
        &self,
        sequence: u8,
        moved: bool,
        utc: u32,
        taken_back: Option<(u8, SwitchStep)>,
    ) -> Answer {
        let closed = self.state == SwitchState::Closed;
        Answer {
            result: ResultCode::Completed,
            response: self.response(utc),
            steps: [
                Some((sequence, SwitchStep::Done { closed, moved })),
                taken_back,
            ],
        }
    }

    fn refuse(&self, refusal: Refusal, sequence: u8) -> Answer {
        Answer {
            result: refusal.result(),
            response: SwitchResponse {
                state: self.state,
                effective: None,
            },
            steps: [Some((sequence, SwitchStep::Refused(refusal))), None],
        }
    }
}

/// The next 64 random bits (SplitMix64): delays are spread, not secret.
pub(super) const fn draw(random: &mut u64) -> u64 {
    *random = random.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut bits = *random;
    bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ bits >> 31
}
