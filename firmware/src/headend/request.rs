//! A request to a meter, as its host gives it and learns how it ended.

use super::task::Class;
use crate::c1219::procedure::ResultCode;
use crate::c1222::service::ResponseCode;
use crate::time::{Duration, Instant};

/// How requests are issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestPolicy {
    /// Least time between the beginnings of two requests.
    pub gap: Duration,
    /// Messages that wait for a response at most.
    pub outstanding_max: u32,
}

impl Default for RequestPolicy {
    /// 200 requests per second, 500 outstanding.
    fn default() -> Self {
        Self {
            gap: Duration::from_millis(5),
            outstanding_max: 500,
        }
    }
}

/// A request to one meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestOrder {
    /// Rank of the meter.
    pub rank: u32,
    /// What it belongs to: a number of the host.
    pub plan: u32,
    /// When it is to be sent.
    pub due: Instant,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestOutcome {
    /// The meter has done everything.
    Answered,
    /// It was sent, and no answer was wanted.
    Sent,
    /// The meter refused a service; the code says which way.
    Denied(ResponseCode),
    /// A procedure failed.
    Failed(ResultCode),
    /// The response does not say what was asked for.
    Unintelligible,
    /// No response in all attempts.
    Unanswered,
    /// There was no session in any attempt.
    Unreachable,
    /// Its deadline passed before it could be sent.
    Late,
    /// It has not ended.
    Pending,
}

impl RequestOutcome {
    /// The outcome in snake case, for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Sent => "sent",
            Self::Denied(ResponseCode::Sns) => "service_not_supported",
            Self::Denied(ResponseCode::Isc) => "insufficient_clearance",
            Self::Denied(ResponseCode::Onp) => "operation_not_possible",
            Self::Denied(ResponseCode::Iar) => "inappropriate_action",
            Self::Denied(ResponseCode::Bsy) => "busy",
            Self::Denied(ResponseCode::Dnr) => "data_not_ready",
            Self::Denied(ResponseCode::Dlk) => "data_locked",
            Self::Denied(ResponseCode::Isss) => "invalid_state",
            Self::Denied(ResponseCode::Rstl) => "response_too_large",
            Self::Denied(_) => "service_refused",
            Self::Failed(result) => result.name(),
            Self::Unintelligible => "unintelligible",
            Self::Unanswered => "unanswered",
            Self::Unreachable => "unreachable",
            Self::Late => "late",
            Self::Pending => "pending",
        }
    }

    /// Whether the request has achieved what it was for, as far as can be known.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Answered | Self::Sent)
    }
}

/// A request from its beginning to its end, by the clock of the head-end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestReport {
    /// The request.
    pub order: RequestOrder,
    /// How urgent it was.
    pub class: Class,
    /// When its first message was first sent.
    pub issued: Option<Instant>,
    /// When the first response came.
    pub responded: Option<Instant>,
    /// When it ended.
    pub ended: Instant,
    /// Messages sent, repeated ones included.
    pub transmissions: u32,
    /// Of these, repeated ones.
    pub repetitions: u32,
    /// Octets of the messages to the meter.
    pub octets_down: u32,
    /// Octets of the responses.
    pub octets_up: u32,
    /// Parts of tables that were read because a response with the whole would be too large.
    pub parts: u32,
    /// Services that the meter refused, not those that were asked again for less.
    pub refused: u32,
    /// Intervals of the load profile that were read.
    pub intervals: u32,
    /// How it ended.
    pub outcome: RequestOutcome,
}

impl RequestReport {
    pub(super) const fn new(order: RequestOrder, class: Class, now: Instant) -> Self {
        Self {
            order,
            class,
            issued: None,
            responded: None,
            ended: now,
            transmissions: 0,
            repetitions: 0,
            octets_down: 0,
            octets_up: 0,
            parts: 0,
            refused: 0,
            intervals: 0,
            outcome: RequestOutcome::Pending,
        }
    }
}
