//! The parallel discrete-event engine.
//!
//! The world is cut into [`Domain`]s, each with its own agenda (a [`TimingWheel`]) and its own
//! event loop. The [`Engine`] lets them advance in conservative windows: a domain runs up to the
//! time before which no letter of another domain can reach it, given the [`Lookahead`]. Letters are
//! exchanged between windows and ordered by event key, so the trajectory, and with it the
//! [`Digest`], is the same for any number of threads.
//!
//! ```text
//!  queue   pending events of a domain          budget  limits, account of events
//!  domain  what a domain is, outbox            digest  fingerprint of a trajectory
//!  window  lookahead, ends of windows          trace   first difference of two runs
//!  pool    domains and threads                 run     windows, sync points
//! ```
//!
//! The engine knows nothing of meters. It is also the only part that reads the wall clock, and only
//! to stop runs that take too long.

mod budget;
mod digest;
mod domain;
mod error;
mod pool;
mod queue;
mod run;
mod trace;
mod window;

pub use budget::{Budget, Limits};
pub use digest::Digest;
pub use domain::{Domain, Outbox, Stop, describe};
pub use error::{Error, LastEvents};
pub use queue::TimingWheel;
pub use run::{Engine, Outcome, SyncPoint, SyncResult};
pub use trace::{TracedEvent, Verdict, verify};
pub use window::Lookahead;
