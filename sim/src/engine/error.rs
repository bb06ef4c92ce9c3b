//! Why a run ended early.

use std::fmt;

use models::time::Time;

use super::domain::Stop;

/// The last events of a domain, described, the latest last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastEvents(pub Vec<String>);

/// Why the engine cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A domain exceeded a limit, broke a rule or failed.
    #[error("domain {domain} stopped at {time}: {stop}{last}")]
    Stopped {
        /// Index of the domain.
        domain: usize,
        /// Time of the last event of the domain.
        time: Time,
        /// The reason.
        stop: Stop,
        /// What the domain did before.
        last: LastEvents,
    },
    /// A domain left events behind that it should have handled.
    #[error("domain {domain} ran until {end} but left an event at {left}{last}")]
    Stuck {
        /// Index of the domain.
        domain: usize,
        /// End of its window.
        end: Time,
        /// Time of the event it left.
        left: Time,
        /// What the domain did before.
        last: LastEvents,
    },
    /// A letter for a time that its receiver has already passed: its sender was wrong about `now`.
    #[error("letter from domain {from} to domain {to} for {arrival}, already passed at {end}")]
    LateLetter {
        /// The sender.
        from: usize,
        /// The receiver.
        to: usize,
        /// When the letter was to arrive.
        arrival: Time,
        /// How far the receiver has advanced.
        end: Time,
    },
    /// Two domains that talk without delay cannot advance in windows.
    #[error("no lookahead from domain {from} to domain {to}")]
    ZeroLookahead {
        /// The sender.
        from: usize,
        /// The receiver.
        to: usize,
    },
    /// The lookahead was declared for another number of domains.
    #[error("lookahead of {declared} domains for {domains} domains")]
    LookaheadSize {
        /// Number of domains of the lookahead.
        declared: usize,
        /// Number of domains.
        domains: usize,
    },
    /// Sync points must lie apart.
    #[error("sync points without distance")]
    ZeroSync,
    /// The callback at a sync point failed.
    #[error("cannot go on after sync point {time}")]
    Sync {
        /// The sync point.
        time: Time,
        /// What failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl fmt::Display for LastEvents {
    /// A heading and one line per event, nothing if there are none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, "; last events:")?;
        for event in &self.0 {
            write!(f, "\n  {event}")?;
        }
        Ok(())
    }
}
