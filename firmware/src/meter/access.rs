//! Network access: when the meter authenticates, pings and starts over.

use crate::eap::Peer;
use crate::eap::psk::PskPeer;
use crate::memory::Visitor;
use crate::meter::config::{Config, Reauthentication};
use crate::pana::{self, CloseCause, Pac, PacEvent, PacState};
use crate::time::{Duration, Instant, earlier};
use crate::{Env, eap};

/// What network access tells the rest of the meter.
pub(super) enum AccessEvent {
    /// Authenticated: there are keys to install.
    Authenticated {
        key_id: u32,
        lifetime: Duration,
        keys: eap::Keys,
    },
    /// The head-end said no.
    Rejected,
    /// The session is over.
    Closed(CloseCause),
}

/// The PaC and the clockwork around it.
#[derive(Debug)]
pub(super) struct Access {
    pac: Pac<PskPeer>,
    /// When to re-authenticate.
    reauthenticate_at: Option<Instant>,
    /// When to test whether the head-end is alive.
    ping_at: Option<Instant>,
    /// When to look for the head-end again.
    restart_at: Option<Instant>,
    /// Retransmissions that the host has been told of.
    retransmissions: u32,
    /// Whether a termination has ended the latest session (RFC 5191 §4.4).
    terminated: bool,
}

impl Access {
    pub(super) fn new(config: &Config, method: PskPeer) -> Self {
        Self {
            pac: Pac::new(config.pana.clone(), Peer::new(method)),
            reauthenticate_at: None,
            ping_at: None,
            restart_at: None,
            retransmissions: 0,
            terminated: false,
        }
    }

    /// Looks for the head-end.
    pub(super) fn start(&mut self, env: &mut Env<'_>) {
        self.restart_at = None;
        self.terminated = false;
        self.pac.start(env);
    }

    /// Forgets the session as a loss of power does.
    pub(super) fn reset(&mut self) {
        self.pac.reset();
        self.reauthenticate_at = None;
        self.ping_at = None;
        self.restart_at = None;
        self.terminated = false;
    }

    /// Starts a re-authentication now.
    pub(super) fn reauthenticate(&mut self, env: &mut Env<'_>) {
        self.reauthenticate_at = None;
        self.pac.reauthenticate(env);
    }

    /// Logs out, if there is a session; what is not open yet goes on.
    pub(super) fn terminate(&mut self, env: &mut Env<'_>) {
        if self.is_open() {
            self.pac.terminate(env);
        }
    }

    /// Whether a termination has ended the session, and the pause after it lasts.
    pub(super) const fn is_terminated(&self) -> bool {
        self.terminated
    }

    pub(super) fn handle_datagram(
        &mut self,
        octets: &[u8],
        env: &mut Env<'_>,
    ) -> Result<(), pana::Reject> {
        self.pac.handle_datagram(octets, env)
    }

    /// Writes the next message to `out`; returns its length and whether it was sent before.
    pub(super) fn poll_transmit(&mut self, out: &mut [u8]) -> Option<(usize, bool)> {
        let len = self.pac.poll_transmit(out)?;
        let retransmissions = self.pac.retransmissions();
        let repeated = retransmissions != self.retransmissions;
        self.retransmissions = retransmissions;
        Some((len, repeated))
    }

    /// Whether anything but PANA may pass (RFC 5191 §2).
    pub(super) fn is_open(&self) -> bool {
        self.pac.has_access()
    }

    /// Shows `visitor` what is looked at between authentications.
    pub(super) fn visit_idle(&self, visitor: &mut impl Visitor) {
        self.pac.visit_idle(visitor);
        visitor.visit(&self.reauthenticate_at);
        visitor.visit(&self.restart_at);
        visitor.visit(&self.terminated);
    }

    /// The PANA SA.
    pub(super) fn association(&self) -> Option<&pana::Association> {
        self.pac.association()
    }

    /// Whether an authentication is under way.
    pub(super) fn is_authenticating(&self) -> bool {
        matches!(
            self.pac.state(),
            PacState::Discovering | PacState::Authenticating | PacState::AwaitingReauthentication
        )
    }

    /// Whether a session may go on after power returned.
    pub(super) fn survives(&self) -> bool {
        self.pac.state() == PacState::Open
    }

    pub(super) fn handle_timeout(&mut self, config: &Config, env: &mut Env<'_>) {
        let due = |at: Option<Instant>, now| at.is_some_and(|at| at <= now);
        if due(self.pac.poll_timeout(), env.now) {
            self.pac.handle_timeout(env);
        }
        if due(self.restart_at, env.now) {
            self.start(env);
        }
        if due(self.reauthenticate_at, env.now) {
            self.reauthenticate(env);
        }
        if due(self.ping_at, env.now) {
            self.ping_at = config.ping.map(|period| env.now + period);
            self.pac.ping(env);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let session = earlier(self.pac.poll_timeout(), self.restart_at);
        earlier(session, earlier(self.reauthenticate_at, self.ping_at))
    }

    /// The next event; schedules what follows from it.
    pub(super) fn poll_event(&mut self, config: &Config, env: &mut Env<'_>) -> Option<AccessEvent> {
        loop {
            match self.pac.poll_event()? {
                PacEvent::Authenticated {
                    key_id,
                    lifetime,
                    keys,
                    ..
                } => {
                    let pause = reauthentication_pause(&config.reauthentication, lifetime, env);
                    self.reauthenticate_at = Some(env.now + pause);
                    self.ping_at = config.ping.map(|period| env.now + period);
                    return Some(AccessEvent::Authenticated {
                        key_id,
                        lifetime,
                        keys,
                    });
                }
                PacEvent::Rejected { .. } => return Some(AccessEvent::Rejected),
                PacEvent::Closed { cause } => {
                    self.reauthenticate_at = None;
                    self.ping_at = None;
                    self.terminated = matches!(
                        cause,
                        CloseCause::Terminated | CloseCause::TerminatedByPeer(_)
                    );
                    let (least, most) = if self.terminated {
                        config.absence
                    } else {
                        config.retry
                    };
                    let pause = least + uniform(most.saturating_sub(least), env);
                    self.restart_at = Some(env.now + pause);
                    return Some(AccessEvent::Closed(cause));
                }
                PacEvent::AddressReconfiguration
                | PacEvent::PingAnswered
                | PacEvent::Confidential(_) => {}
            }
        }
    }
}

/// How long after a success the next authentication starts.
fn reauthentication_pause(
    rule: &Reauthentication,
    lifetime: Duration,
    env: &mut Env<'_>,
) -> Duration {
    match *rule {
        Reauthentication::Every {
            period,
            jitter_permille,
        } => {
            let half = period.scaled(u64::from(jitter_permille), 1_000);
            period.saturating_sub(half) + uniform(half + half, env)
        }
        Reauthentication::Fraction {
            from_permille,
            to_permille,
        } => {
            let from = lifetime.scaled(u64::from(from_permille), 1_000);
            let to = lifetime.scaled(u64::from(to_permille), 1_000);
            from + uniform(to.saturating_sub(from), env)
        }
    }
}

/// A duration drawn uniformly from zero to `width`.
pub(super) fn uniform(width: Duration, env: &mut Env<'_>) -> Duration {
    let draw = u64::from_be_bytes(env.random());
    Duration::from_nanos(((u128::from(width.as_nanos()) * u128::from(draw)) >> 64) as u64)
}
