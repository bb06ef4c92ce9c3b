//! Where two runs of the same model part.

use std::cmp::Ordering;
use std::fmt;
use std::ops::{ControlFlow, Range};

use models::event::Event;
use models::time::{Duration, Time};

use super::digest::Digest;
use super::domain::Domain;
use super::error::Error;
use super::run::{Engine, SyncPoint};

/// Whether two runs have the same trajectory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Both runs have this digest.
    Identical {
        /// Digest at the end.
        digest: Digest,
        /// Number of events of each run.
        events: u64,
    },
    /// The runs differ from this event on.
    Diverged {
        /// Position of the event in the key order of the whole run, from 0.
        index: u64,
        /// What the first run does there, `None` if it has no more events in the stretch.
        left: Option<TracedEvent>,
        /// What the second run does there.
        right: Option<TracedEvent>,
    },
    /// The digests differ after this stretch although its events agree.
    ///
    /// Either the difference is in the state that domains add to the digest, or the runs do not
    /// even repeat themselves and agreed when they were repeated.
    Elusive {
        /// Where the digests still agreed.
        from: Time,
        /// Where they no longer agreed.
        to: Time,
    },
}

/// An event of a run, for a reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedEvent {
    /// The event; its payload may be a handle into storage of its domain.
    pub event: Event,
    /// What stands for the content of the event.
    pub fingerprint: u64,
    /// The domain in which it happened.
    pub domain: usize,
    /// What the domain says it is.
    pub text: String,
}

/// Runs the model `make` makes for each number of threads and finds the first difference.
///
/// Both runs are compared by digest every `sync_every`; if they differ, they are repeated and the
/// events of the first differing stretch compared in key order. A shorter `sync_every` therefore
/// needs less memory in that case.
///
/// # Errors
///
/// Making or running a model failed.
pub fn verify<D: Domain>(
    make: impl Fn(usize) -> Result<Engine<D>, Error>,
    threads: [usize; 2],
    until: Time,
    sync_every: Duration,
) -> Result<Verdict, Error> {
    let [left, right] = [
        syncs(&mut make(threads[0])?, until, sync_every)?,
        syncs(&mut make(threads[1])?, until, sync_every)?,
    ];
    let same = |(left, right): (&SyncPoint, &SyncPoint)| left.digest == right.digest;
    let Some(at) = left.iter().zip(&right).position(|pair| !same(pair)) else {
        let (digest, events) = left
            .last()
            .map(|s| (s.digest, s.events))
            .unwrap_or_default();
        return Ok(Verdict::Identical { digest, events });
    };
    let before = at.checked_sub(1).map(|before| left[before]);
    let from = before.map_or(Time::ZERO, |sync| sync.time);
    let span = from..left[at].time;
    let mut engines = [make(threads[0])?, make(threads[1])?];
    let [left, right] = &mut engines;
    let events = [
        captured(left, &span, sync_every)?,
        captured(right, &span, sync_every)?,
    ];
    let Some(position) = first_difference(&events) else {
        let Range { start, end } = span;
        return Ok(Verdict::Elusive {
            from: start,
            to: end,
        });
    };
    let [left, right] = [0, 1].map(|side| {
        let (event, fingerprint, domain) = *events[side].get(position)?;
        Some(TracedEvent {
            event,
            fingerprint,
            domain,
            text: engines[side].describe(domain, &event),
        })
    });
    Ok(Verdict::Diverged {
        index: before.map_or(0, |sync| sync.events) + position as u64,
        left,
        right,
    })
}

/// Runs to the end and returns what was known at every sync point.
fn syncs<D: Domain>(
    engine: &mut Engine<D>,
    until: Time,
    sync_every: Duration,
) -> Result<Vec<SyncPoint>, Error> {
    let mut syncs = Vec::new();
    engine.run(until, sync_every, |_, sync| {
        syncs.push(*sync);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(syncs)
}

/// Runs to the end of `span` and returns its events with fingerprint and domain, in key order.
fn captured<D: Domain>(
    engine: &mut Engine<D>,
    span: &Range<Time>,
    sync_every: Duration,
) -> Result<Vec<(Event, u64, usize)>, Error> {
    engine.capture(span);
    engine.run(span.end, sync_every, |_, _| Ok(ControlFlow::Continue(())))?;
    Ok(engine.take_captured())
}

/// Position of the first difference in what the digest covers.
fn first_difference([left, right]: &[Vec<(Event, u64, usize)>; 2]) -> Option<usize> {
    let same = |a: &(Event, u64, usize), b: &(Event, u64, usize)| {
        a.0.key() == b.0.key() && a.0.kind == b.0.kind && a.1 == b.1
    };
    let differs = left.iter().zip(right).position(|(a, b)| !same(a, b));
    differs.or_else(|| match left.len().cmp(&right.len()) {
        Ordering::Equal => None,
        _ => Some(left.len().min(right.len())),
    })
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |side: &Option<TracedEvent>| match side {
            Some(traced) => traced.to_string(),
            None => "nothing".into(),
        };
        match self {
            Self::Identical { digest, events } => write!(f, "identical: {events} events, {digest}"),
            Self::Diverged { index, left, right } => {
                let (left, right) = (text(left), text(right));
                write!(
                    f,
                    "diverged at event {index}\n  first run:  {left}\n  second run: {right}"
                )
            }
            Self::Elusive { from, to } => {
                write!(
                    f,
                    "digests differ between {from} and {to}, the events agree"
                )
            }
        }
    }
}

impl fmt::Display for TracedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            fingerprint,
            domain,
            text,
            ..
        } = self;
        write!(f, "{text}, fingerprint {fingerprint:016x}, domain {domain}")
    }
}
