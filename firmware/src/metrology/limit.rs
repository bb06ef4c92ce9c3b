//! Contract demand: the meter itself cuts off a premise that draws too much for too long.

use super::utc::Utc;
use crate::time::Duration;

/// A limit of demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Power delivered in W that may be exceeded for `tolerated` only.
    pub watts: u32,
    /// How long.
    pub tolerated: Duration,
}

/// Watches one limit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    since: Option<Utc>,
    tripped: bool,
}

impl Watch {
    /// The premise has drawn `watts` since `from`.
    pub(super) fn see(&mut self, limit: &Limit, watts: i32, from: Utc) {
        if i64::from(watts) > i64::from(limit.watts) {
            self.since.get_or_insert(from);
        } else {
            *self = Self::default();
        }
    }

    /// When the switch opens if nothing changes.
    pub(super) fn due(&self, limit: &Limit) -> Option<Utc> {
        let since = self.since.filter(|_| !self.tripped)?;
        let tolerated = i64::try_from(limit.tolerated.as_nanos()).unwrap_or(i64::MAX);
        Some(since.moved(tolerated))
    }

    /// Whether the limit has been exceeded for too long, once for each time.
    pub(super) fn trips(&mut self, limit: &Limit, now: Utc) -> bool {
        let trips = self.due(limit).is_some_and(|due| due <= now);
        self.tripped |= trips;
        trips
    }

    /// Forgets what was drawn so far.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}
