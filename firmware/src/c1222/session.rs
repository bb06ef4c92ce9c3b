//! The session of an association (IEEE 1703-2012 §5.3.2.4.12, Logon to Wait).
//!
//! Logon opens a session. Its messages may omit AC: key id and IV are then those of the Logon,
//! which the canonified cleartext ends with in any case, while the invocation ids keep it unique.
//! Logoff and Terminate close the session, and so does silence that is longer than the idle
//! timeout. A session belongs to the association of two nodes, neither to a key nor to a TCP
//! connection: a message with an AC of its own goes on in the same session (RFC 6142 §2.5).

use super::acse::Authentication;
use crate::time::{Duration, Instant};

/// Longest idle timeout that a meter grants, in seconds; also for who asks for none (0).
pub const IDLE_TIMEOUT_MAX_S: u16 = 900;

/// An open session as either end keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Key id and IV of the Logon, if that was secured.
    pub authentication: Option<Authentication>,
    /// Number of the user that has logged on.
    pub user_id: u16,
    idle: Duration,
    deadline: Instant,
}

impl Session {
    /// A session that a Logon of `user_id` opens at `now`, idle for `idle` at most.
    pub fn new(
        authentication: Option<Authentication>,
        user_id: u16,
        idle: Duration,
        now: Instant,
    ) -> Self {
        Self {
            authentication,
            user_id,
            idle,
            deadline: now + idle,
        }
    }

    /// Whether the session has not been idle for too long.
    pub fn is_open(&self, now: Instant) -> bool {
        now < self.deadline
    }

    /// Takes note of a message.
    pub fn touch(&mut self, now: Instant) {
        self.deadline = self.deadline.max(now + self.idle);
    }

    /// Keeps the session open for `pause` without a message, as Wait demands.
    pub fn wait(&mut self, pause: Duration, now: Instant) {
        self.deadline = self.deadline.max(now + pause);
    }
}

/// The idle timeout in seconds that is granted to who asks for `requested`.
pub const fn granted_idle_timeout_s(requested: Option<u16>) -> u16 {
    match requested {
        None | Some(0) => IDLE_TIMEOUT_MAX_S,
        Some(seconds) if seconds > IDLE_TIMEOUT_MAX_S => IDLE_TIMEOUT_MAX_S,
        Some(seconds) => seconds,
    }
}
