//! Last gasps and restoration messages: what the meter says about a loss of power.
//!
//! ```text
//! mains  ─────┐                                  ┌────────────────
//!             └──────────────────────────────────┘
//! meter  ─────────────────────┐ dark             ┌─ boot, session ─
//!             │ debounce │ copies, spread        │ debounce + jitter │
//!                        └ last gasp: one way                        └ restoration: confirmed
//! ```
//!
//! Voltage has to be gone for a while before it counts as lost. From then on the meter lives on what
//! its capacitor holds; it says so once or a few times, each time at random, because its neighbours
//! do the same, and waits for no answer. Power that returns before an outage is long enough to be
//! reported is counted, and nothing is said. The time of the loss is in non-volatile memory.

use super::access::uniform;
use super::config::OutagePolicy;
use crate::Env;
use crate::c1222::notice::Notice;
use crate::time::{Instant, earlier};

/// Last gasps at most.
pub const GASPS_MAX: usize = 3;

/// What a meter knows of outages.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outage {
    /// When power was lost, by both clocks.
    lost: Option<(Instant, u32)>,
    /// When to say so; in no order.
    gasps: [Option<Instant>; GASPS_MAX],
    /// What to say once there is a session, and from when on.
    restoration: Option<(Instant, Notice)>,
    /// Outages that were too short to be reported.
    momentary: u32,
}

impl Outage {
    /// Power is lost.
    pub(super) fn begin(&mut self, policy: &OutagePolicy, utc: u32, env: &mut Env<'_>) {
        self.lost = Some((env.now, utc));
        for gasp in self.gasps.iter_mut().take(policy.gasps.into()) {
            *gasp = Some(env.now + policy.debounce + uniform(policy.spread, env));
        }
    }

    /// The capacitor is empty.
    pub(super) fn halt(&mut self) {
        self.gasps = [None; GASPS_MAX];
    }

    /// Power has returned.
    pub(super) fn end(&mut self, policy: &OutagePolicy, utc: u32, env: &mut Env<'_>) {
        self.gasps = [None; GASPS_MAX];
        let Some((since, down_utc_s)) = self.lost.take() else {
            return;
        };
        if env.now.saturating_since(since) < policy.momentary {
            self.momentary = self.momentary.saturating_add(1);
            return;
        }
        let (from, to) = policy.restoration;
        let pause = from + uniform(to.saturating_sub(from), env);
        let notice = Notice {
            down_utc_s,
            up_utc_s: Some(utc),
        };
        self.restoration = Some((env.now + pause, notice));
    }

    /// The notice to send now without waiting for an answer.
    pub(super) fn take_gasp(&mut self, now: Instant) -> Option<Notice> {
        let (_, down_utc_s) = self.lost?;
        let due = |gasp: &&mut Option<Instant>| gasp.is_some_and(|at| at <= now);
        self.gasps.iter_mut().find(due)?.take();
        Some(Notice {
            down_utc_s,
            up_utc_s: None,
        })
    }

    /// The notice to send now and to repeat until it is confirmed.
    pub(super) fn take_restoration(&mut self, now: Instant) -> Option<Notice> {
        let (_, notice) = self.restoration.take_if(|(at, _)| *at <= now)?;
        Some(notice)
    }

    /// When there is something to say next; while there is no `session`, restorations wait.
    pub(super) fn poll_timeout(&self, session: bool) -> Option<Instant> {
        let gasp = self.gasps.iter().flatten().min().copied();
        let restoration = self.restoration.filter(|_| session);
        earlier(gasp, restoration.map(|(at, _)| at))
    }

    /// Outages that were too short to be reported.
    pub(super) const fn momentary(&self) -> u32 {
        self.momentary
    }
}
