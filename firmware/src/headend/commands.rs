//! Orders to service switches and to homes: a queue with a limited rate, retries, and confirmation by ST8.
//!
//! ```text
//!   order --> queue --rate, outstanding--> Security, Write ST7, Read ST8 --+
//!                                            ^ response missing: again     |
//!                                            +-----------------------------+
//!                                                      | accepted          | completed
//!                                                      v                   v
//!                               at the time of effect: Read ST8 -----> confirmed
//! ```
//!
//! A meter has one order at a time: a new one takes the place of the old one. A repetition carries
//! the sequence number of the original, so a meter that has only lost its response does nothing
//! twice. A meter whose switch is moving is asked again.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::c1219::procedure::{Initiate, Outcome, ResultCode};
use crate::c1219::switch::{self, Limit, SwitchAction, SwitchCommand, SwitchResponse};
use crate::c1222::epsem::{Payload, put_service};
use crate::c1222::service::{
    Blocks, Password, Read, Request, Response, ResponseCode, Selector, TableId, Write,
};
use crate::time::{Duration, Instant, earlier};
use crate::wire::{Error, Writer};

/// Times that an order is asked for its result before it is given up.
const POLLS_MAX: u32 = 100;

/// How orders are issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandPolicy {
    /// Least time between two orders.
    pub gap: Duration,
    /// Requests that wait for a response at most.
    pub outstanding_max: u32,
    /// Transmissions of a request before its order is given up.
    pub attempts: u32,
    /// How long to wait for a response.
    pub timeout: Duration,
    /// How long after the time of effect the result is asked for.
    pub settle: Duration,
    /// The password that lets the head-end operate switches.
    pub password: Password,
}

impl Default for CommandPolicy {
    /// 50 orders per second, 500 outstanding, 4 attempts of 10 s, 2 s to settle.
    fn default() -> Self {
        Self {
            gap: Duration::from_millis(20),
            outstanding_max: 500,
            attempts: 4,
            timeout: Duration::from_secs(10),
            settle: Duration::from_secs(2),
            password: Password::new(b"MASTER", Some(4)),
        }
    }
}

/// An order to the switch of one meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchOrder {
    /// Rank of the meter.
    pub rank: u32,
    /// What its switch is to do.
    pub action: SwitchAction,
    /// Width in seconds of the window in which it acts at random; 0 acts at once.
    pub window_s: u16,
    /// The terms of a limit of demand response.
    pub limit: Limit,
    /// Time to the next order of the same kind; the policy may demand more.
    pub gap: Duration,
    /// Who ordered it: a number of the host.
    pub origin: u32,
}

/// The message to a group that an order was given by before it was given to the meter alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupTrace {
    /// SEQ_NBR in it.
    pub sequence: u8,
    /// When it was sent.
    pub sent: Instant,
}

/// How an order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandOutcome {
    /// ST8 says that it is done.
    Confirmed,
    /// The meter refused a service; the code says which way.
    Denied(ResponseCode),
    /// The procedure failed.
    Failed(ResultCode),
    /// ST8 answers the procedure of somebody else.
    Foreign,
    /// No response in all attempts.
    Unanswered,
    /// There was no session in any attempt.
    Unreachable,
    /// A later order took its place.
    Superseded,
    /// It was withdrawn before it was sent.
    Withdrawn,
    /// It has not ended.
    Pending,
}

impl CommandOutcome {
    /// The outcome in snake case, for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Denied(ResponseCode::Isc) => "insufficient_clearance",
            Self::Denied(_) => "service_refused",
            Self::Failed(result) => result.name(),
            Self::Foreign => "foreign_response",
            Self::Unanswered => "unanswered",
            Self::Unreachable => "unreachable",
            Self::Superseded => "superseded",
            Self::Withdrawn => "withdrawn",
            Self::Pending => "pending",
        }
    }
}

/// An order from its beginning to its end, by the clock of the head-end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandReport {
    /// The order.
    pub order: SwitchOrder,
    /// The message to its group, if there was one.
    pub group: Option<GroupTrace>,
    /// SEQ_NBR of its procedure; 0 if it was never sent.
    pub sequence: u8,
    /// When it was queued.
    pub ordered: Instant,
    /// When it was first sent.
    pub issued: Option<Instant>,
    /// When the first response came.
    pub responded: Option<Instant>,
    /// When it ended.
    pub ended: Instant,
    /// Transmissions.
    pub transmissions: u32,
    /// How it ended.
    pub outcome: CommandOutcome,
}

#[derive(Clone, Copy, Debug)]
struct Queued {
    order: SwitchOrder,
    group: Option<GroupTrace>,
    ordered: Instant,
}

/// An order that is being carried out.
#[derive(Clone, Copy, Debug)]
struct Active {
    report: CommandReport,
    /// Whether the meter has accepted it: only its result is missing.
    accepted: bool,
    /// Whether the meter could not obey at the time.
    busy: bool,
    /// Transmissions of the request at hand.
    attempts: u32,
    polls: u32,
    /// The request that waits for a response.
    invocation: Option<u32>,
    /// When it is sent, sent again or given up.
    due: Instant,
}

/// All orders of an instance.
#[derive(Debug, Default)]
pub(super) struct Commands {
    queue: VecDeque<Queued>,
    /// When the next order may be issued.
    next_issue: Instant,
    active: BTreeMap<u32, Active>,
    /// Deadlines of active orders, by time and rank.
    due: BTreeSet<(Instant, u32)>,
    /// Requests that wait for a response.
    outstanding: u32,
    /// The sequence number that each meter had last.
    sequences: BTreeMap<u32, u8>,
    ended: VecDeque<CommandReport>,
}

/// What to do next for a meter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// A request that is given up.
    pub(super) forget: Option<u32>,
    /// A request to send, if the order has not ended.
    pub(super) send: Option<Send>,
}

/// A request to a meter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Send {
    /// The procedure to write, unless only its result is read.
    initiate: Option<SwitchCommand>,
    sequence: u8,
    password: Password,
    /// Whether it was sent before.
    pub(super) repeated: bool,
}

impl Send {
    /// Writes the services.
    pub(super) fn put(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        let security = Request::Security(self.password);
        put_service(writer, |writer| security.emit(writer))?;
        if let Some(command) = self.initiate {
            let mut parameters = [0; SwitchCommand::LEN_MAX];
            let mut parameters = Writer::new(&mut parameters);
            command.emit(&mut parameters)?;
            let mut data = [0; 3 + SwitchCommand::LEN_MAX];
            let mut data = Writer::new(&mut data);
            Initiate {
                procedure: switch::PROCEDURE,
                sequence: self.sequence,
                parameters: parameters.written(),
            }
            .emit(&mut data)?;
            let write = Request::Write(Write {
                table: TableId::standard(7),
                selector: Selector::Full,
                data: data.written(),
            });
            put_service(writer, |writer| write.emit(writer))?;
        }
        let read = Request::Read(Read {
            table: TableId::standard(8),
            selector: Selector::Full,
        });
        put_service(writer, |writer| read.emit(writer))
    }
}

impl Commands {
    /// Whether an order to the meter is being carried out.
    pub(super) fn is_active(&self, rank: u32) -> bool {
        self.active.contains_key(&rank)
    }

    /// Whether a response of the meter to the request `invocation` is expected.
    pub(super) fn waits_for(&self, rank: u32, invocation: u32) -> bool {
        let active = self.active.get(&rank);
        active.is_some_and(|active| active.invocation == Some(invocation))
    }

    /// Queues an order.
    pub(super) fn order(&mut self, order: SwitchOrder, now: Instant) {
        self.queue.push_back(Queued {
            order,
            group: None,
            ordered: now,
        });
    }

    /// Queues an order that was given to a group before.
    pub(super) fn order_after(&mut self, order: SwitchOrder, group: GroupTrace, now: Instant) {
        self.queue.push_back(Queued {
            order,
            group: Some(group),
            ordered: now,
        });
    }

    /// Withdraws what `origin` has queued and has not been sent.
    pub(super) fn withdraw(&mut self, origin: u32, now: Instant) {
        let (withdrawn, kept): (VecDeque<_>, VecDeque<_>) = core::mem::take(&mut self.queue)
            .into_iter()
            .partition(|queued| queued.order.origin == origin);
        self.queue = kept;
        for queued in withdrawn {
            let report = report(&queued, now, CommandOutcome::Withdrawn);
            self.ended.push_back(report);
        }
    }

    /// The next report of an order that has ended.
    pub(super) fn poll_ended(&mut self) -> Option<CommandReport> {
        self.ended.pop_front()
    }

    /// Orders that have not ended.
    pub(super) fn unfinished(&self, now: Instant) -> impl Iterator<Item = CommandReport> {
        let active = self.active.values().map(|active| active.report);
        let queued = self
            .queue
            .iter()
            .map(move |queued| report(queued, now, CommandOutcome::Pending));
        active.chain(queued)
    }

    /// When something is to be done next.
    pub(super) fn poll_timeout(&self, policy: &CommandPolicy) -> Option<Instant> {
        let issue = self
            .queue
            .front()
            .filter(|_| self.outstanding < policy.outstanding_max)
            .map(|queued| self.next_issue.max(queued.ordered));
        earlier(issue, self.due.first().map(|(due, _)| *due))
    }

    /// The meter for which something is to be done now.
    pub(super) fn next_due(&mut self, policy: &CommandPolicy, now: Instant) -> Option<u32> {
        if let Some((_, rank)) = self.due.first().filter(|(due, _)| *due <= now) {
            return Some(*rank);
        }
        if self.outstanding >= policy.outstanding_max || self.next_issue > now {
            return None;
        }
        let queued = self.queue.pop_front()?;
        self.next_issue = now + policy.gap.max(queued.order.gap);
        let rank = queued.order.rank;
        self.end(rank, CommandOutcome::Superseded, now);
        let last = self.sequences.entry(rank).or_default();
        *last = last.wrapping_add(1).max(1);
        let sequence = *last;
        let active = Active {
            report: CommandReport {
                sequence,
                ..report(&queued, now, CommandOutcome::Pending)
            },
            accepted: false,
            busy: false,
            attempts: 0,
            polls: 0,
            invocation: None,
            due: now,
        };
        self.active.insert(rank, active);
        self.due.insert((now, rank));
        Some(rank)
    }

    /// Does what is due for the meter `rank`, which may be `reachable`.
    pub(super) fn step(
        &mut self,
        policy: &CommandPolicy,
        rank: u32,
        reachable: bool,
        now: Instant,
    ) -> Step {
        let Some(mut active) = self.active.get(&rank).copied() else {
            return Step {
                forget: None,
                send: None,
            };
        };
        let forget = active.invocation.take();
        if forget.is_some() {
            self.outstanding -= 1;
        }
        self.active.insert(rank, active);
        if active.attempts >= policy.attempts {
            let outcome = if active.report.issued.is_none() {
                CommandOutcome::Unreachable
            } else if active.busy {
                CommandOutcome::Failed(ResultCode::TimingConstraint)
            } else {
                CommandOutcome::Unanswered
            };
            self.end(rank, outcome, now);
            return Step { forget, send: None };
        }
        active.attempts += 1;
        let send = reachable.then(|| Send {
            initiate: (!active.accepted).then_some(SwitchCommand {
                action: active.report.order.action,
                window_s: active.report.order.window_s,
                limit: active.report.order.limit,
            }),
            sequence: active.report.sequence,
            password: policy.password,
            repeated: active.attempts > 1,
        });
        self.reschedule(rank, active, now + policy.timeout);
        Step { forget, send }
    }

    /// The request `invocation` to the meter has got nowhere: it is due again at once, and the
    /// attempt does not count. Tells whether it was waiting for its response.
    pub(super) fn resend(&mut self, rank: u32, invocation: u32, now: Instant) -> bool {
        let active = self.active.get(&rank).copied();
        let Some(mut active) = active.filter(|active| active.invocation == Some(invocation)) else {
            return false;
        };
        active.invocation = None;
        active.attempts = active.attempts.saturating_sub(1);
        self.outstanding -= 1;
        self.reschedule(rank, active, now);
        true
    }

    /// Takes note that the request of the last step has been sent.
    pub(super) fn sent(&mut self, rank: u32, invocation: u32, now: Instant) {
        if let Some(active) = self.active.get_mut(&rank) {
            active.invocation = Some(invocation);
            active.report.issued = active.report.issued.or(Some(now));
            active.report.transmissions += 1;
            self.outstanding += 1;
        }
    }

    /// Takes the response to the request `invocation`.
    pub(super) fn respond(
        &mut self,
        policy: &CommandPolicy,
        rank: u32,
        invocation: u32,
        payload: &Payload<'_>,
        (utc, now): (u32, Instant),
    ) -> Result<(), Error> {
        let Some(mut active) = self
            .active
            .get(&rank)
            .copied()
            .filter(|active| active.invocation == Some(invocation))
        else {
            return Ok(());
        };
        active.invocation = None;
        self.outstanding -= 1;
        active.report.responded = active.report.responded.or(Some(now));
        self.active.insert(rank, active);
        let verdict = match judge(payload, &active.report) {
            Ok(verdict) => verdict,
            Err(error) => {
                // What cannot be understood is asked for again.
                self.reschedule(rank, active, now + policy.timeout);
                return Err(error);
            }
        };
        match verdict {
            Verdict::Ended(outcome) => self.end(rank, outcome, now),
            Verdict::Busy => {
                active.busy = true;
                self.reschedule(rank, active, now + policy.settle);
            }
            Verdict::Accepted(effective_utc) => {
                (active.accepted, active.busy) = (true, false);
                active.attempts = 0;
                active.polls += 1;
                if active.polls > POLLS_MAX {
                    self.end(rank, CommandOutcome::Unanswered, now);
                    return Ok(());
                }
                let wait = effective_utc.map_or(0, |at| at.saturating_sub(utc));
                let due = now + Duration::from_secs(u64::from(wait)) + policy.settle;
                self.reschedule(rank, active, due);
            }
        }
        Ok(())
    }

    fn reschedule(&mut self, rank: u32, mut active: Active, due: Instant) {
        self.due.remove(&(active.due, rank));
        active.due = due;
        self.due.insert((due, rank));
        self.active.insert(rank, active);
    }

    fn end(&mut self, rank: u32, outcome: CommandOutcome, now: Instant) {
        if let Some(active) = self.active.remove(&rank) {
            self.due.remove(&(active.due, rank));
            self.outstanding -= u32::from(active.invocation.is_some());
            self.ended.push_back(CommandReport {
                ended: now,
                outcome,
                ..active.report
            });
        }
    }
}

/// What a response means for its order.
enum Verdict {
    Ended(CommandOutcome),
    /// The meter cannot obey at the time.
    Busy,
    /// It takes effect at this time.
    Accepted(Option<u32>),
}

fn judge(payload: &Payload<'_>, report: &CommandReport) -> Result<Verdict, Error> {
    let mut last = None;
    for service in payload.services() {
        let response = Response::parse(service?)?;
        if response.code == ResponseCode::Bsy {
            return Ok(Verdict::Busy);
        }
        if response.code != ResponseCode::Ok {
            return Ok(Verdict::Ended(CommandOutcome::Denied(response.code)));
        }
        last = Some(response);
    }
    let read = last.ok_or(Error::Malformed("service list"))?;
    let outcome = Outcome::parse(Blocks::new(read.data).single()?)?;
    if !outcome.answers(switch::PROCEDURE, report.sequence) {
        return Ok(Verdict::Ended(CommandOutcome::Foreign));
    }
    Ok(match outcome.result {
        ResultCode::Completed => Verdict::Ended(CommandOutcome::Confirmed),
        ResultCode::Accepted => {
            let effective = SwitchResponse::parse(outcome.data)?.effective;
            Verdict::Accepted(effective.and_then(|date| date.to_utc()))
        }
        ResultCode::TimingConstraint => Verdict::Busy,
        failed => Verdict::Ended(CommandOutcome::Failed(failed)),
    })
}

/// The report of an order that was not sent.
const fn report(queued: &Queued, now: Instant, outcome: CommandOutcome) -> CommandReport {
    CommandReport {
        order: queued.order,
        group: queued.group,
        sequence: 0,
        ordered: match queued.group {
            Some(group) => group.sent,
            None => queued.ordered,
        },
        issued: None,
        responded: None,
        ended: now,
        transmissions: 0,
        outcome,
    }
}
