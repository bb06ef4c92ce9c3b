//! What a domain is to the engine, and how domains write to each other.

use std::sync::Arc;
use std::time::Duration as WallDuration;

use models::event::{Event, EventKey};
use models::time::{Duration, Time};

use super::budget::Budget;
use super::digest::Digest;
use super::window::Lookahead;

/// A part of the simulated world with its own agenda and its own event loop.
///
/// The engine calls [`run`](Self::run) once per window, never once per event, so a domain can
/// prepare its access to the world once per window. Letters reach it through
/// [`deliver`](Self::deliver) before the window in which they count.
pub trait Domain: Send {
    /// What is sent from one domain to another.
    type Letter: Send;

    /// Handles all events before `end` in key order, each charged to `budget` beforehand.
    ///
    /// # Errors
    ///
    /// Whatever `budget` or `outbox` object to, or [`Stop::Model`].
    fn run(
        &mut self,
        end: Time,
        outbox: &mut Outbox<Self::Letter>,
        budget: &mut Budget,
    ) -> Result<(), Stop>;

    /// Takes a letter in: posts an event with `key`.
    ///
    /// Letters come in key order between two windows, but not in key order over all windows.
    fn deliver(&mut self, key: EventKey, letter: Self::Letter);

    /// Time of the first event of the agenda, if any.
    fn next_time(&mut self) -> Option<Time>;

    /// Digest of what the events do not tell, for instance of the telemetry written.
    ///
    /// Asked for at every sync point. Like the digest of the events it must not depend on the
    /// partition: a sum over entities.
    fn digest(&self) -> Digest {
        Digest::default()
    }

    /// Tells a reader of an error or of a comparison what `event` is.
    fn describe(&self, event: &Event) -> String {
        describe(event)
    }
}

/// Why a domain stopped before the end of its window.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// Time does not advance.
    #[error("more than {0} events at one instant")]
    EventsPerInstant(u64),
    /// The run is longer than it may be.
    #[error("more than {0} events in all")]
    Events(u64),
    /// The run takes longer than it may take.
    #[error("more than {0:?} of wall time")]
    WallTime(WallDuration),
    /// The agenda handed out an event that lies before its predecessor.
    #[error("event before its predecessor at {0}")]
    Backwards(Time),
    /// A letter to a domain that was declared never to hear from this one.
    #[error("letter from domain {from} to domain {to}, which were declared never to talk")]
    NeverTalk {
        /// The sender.
        from: usize,
        /// The receiver.
        to: usize,
    },
    /// A letter faster than the declared lookahead.
    #[error("letter from domain {from} to domain {to} arrives at {arrival}, before {earliest}")]
    Lookahead {
        /// The sender.
        from: usize,
        /// The receiver.
        to: usize,
        /// When the letter would arrive.
        arrival: Time,
        /// When it may arrive at the earliest.
        earliest: Time,
    },
    /// The models cannot go on.
    #[error(transparent)]
    Model(Box<dyn std::error::Error + Send + Sync>),
}

/// A letter on its way.
pub(super) struct Envelope<L> {
    pub(super) key: EventKey,
    pub(super) to: usize,
    pub(super) letter: L,
}

/// Letters written in the present window.
pub struct Outbox<L> {
    from: usize,
    lookahead: Arc<Lookahead>,
    pub(super) envelopes: Vec<Envelope<L>>,
}

impl<L> Outbox<L> {
    pub(super) fn new(from: usize, lookahead: Arc<Lookahead>) -> Self {
        Self {
            from,
            lookahead,
            envelopes: Vec::new(),
        }
    }

    /// Sends `letter` to domain `to`, where it becomes an event with `key`; it is `now`.
    ///
    /// # Errors
    ///
    /// [`Stop::NeverTalk`] and [`Stop::Lookahead`] if this contradicts the declared [`Lookahead`].
    pub fn send(&mut self, now: Time, to: usize, key: EventKey, letter: L) -> Result<(), Stop> {
        let from = self.from;
        let Some(lookahead) = self.lookahead.get(from, to) else {
            return Err(Stop::NeverTalk { from, to });
        };
        let (arrival, earliest) = (key.time, now + lookahead);
        if arrival < earliest {
            return Err(Stop::Lookahead {
                from,
                to,
                arrival,
                earliest,
            });
        }
        self.envelopes.push(Envelope { key, to, letter });
        Ok(())
    }

    /// Index of the domain that writes.
    pub fn from(&self) -> usize {
        self.from
    }

    /// The shortest time a letter takes to domain `to`, `None` if there are none.
    pub fn lookahead(&self, to: usize) -> Option<Duration> {
        self.lookahead.get(self.from, to)
    }
}

/// Time, parties and codes of an event, for domains that cannot tell more.
pub fn describe(event: &Event) -> String {
    format!(
        "{} phase {} kind {} target {} source {} #{} payload {}",
        event.time,
        event.phase,
        event.kind,
        event.target,
        event.source,
        event.sequence,
        event.payload
    )
}
