//! The stand-alone authenticator machine (RFC 4137 §5, Appendix A.2).
//!
//! It proposes one method; a Nak therefore ends the conversation with Failure. Retransmission is
//! left to the lower layer.

use alloc::vec::Vec;

use super::packet::{Code, MTU, MethodType, Packet, put_header, put_result};
use super::{Keys, Reject, ServerMethod, ServerStep};
use crate::env::Env;
use crate::wire::{self, Writer};

/// How an authenticator behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthenticatorConfig {
    /// Whether the conversation opens with an Identity Request (RFC 3748 §5.1).
    pub identity_request: bool,
    /// The method discard that ends the conversation with Failure; 0: none ever does.
    ///
    /// A method that discards silently would leave a peer with a wrong key waiting until a timer
    /// expires. Only Responses that match the outstanding Request count.
    pub discard_limit: u8,
}

impl Default for AuthenticatorConfig {
    fn default() -> Self {
        Self {
            identity_request: true,
            discard_limit: 1,
        }
    }
}

/// What a Response led to; the packet is in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthOutcome {
    /// The next Request.
    Request,
    /// Success: the peer is authenticated and the keys can be taken.
    Success,
    /// Failure; [`Authenticator::failure_cause`] tells why.
    Failure,
}

/// Why a conversation ended with Failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureCause {
    /// The peer refused the method with a Nak.
    Nak,
    /// The method failed: one side indicated failure.
    Method,
    /// The discard limit was reached with this discard.
    Discarded(Reject),
}

impl FailureCause {
    /// The cause as a stable snake-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nak => "nak",
            Self::Method => "method",
            Self::Discarded(reject) => reject.name(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No conversation was started yet.
    Idle,
    /// The Identity Request is outstanding.
    Identity,
    /// The first Request of the method is outstanding: a Nak is admissible.
    Proposed,
    /// The method has started.
    Continue,
    Success,
    Failure(FailureCause),
}

/// An EAP authenticator with the server end of one method.
///
/// [`Self::start`] begins a conversation, [`Self::handle`] takes the packets of the peer.
#[derive(Debug)]
pub struct Authenticator<M> {
    method: M,
    config: AuthenticatorConfig,
    phase: Phase,
    /// Identifier of the outstanding Request.
    identifier: u8,
    /// Responses that the method discarded in this conversation.
    discards: u8,
    outstanding: Vec<u8>,
}

impl<M: ServerMethod> Authenticator<M> {
    /// An authenticator that has not started a conversation.
    pub const fn new(method: M, config: AuthenticatorConfig) -> Self {
        Self {
            method,
            config,
            phase: Phase::Idle,
            identifier: 0,
            discards: 0,
            outstanding: Vec::new(),
        }
    }

    /// Begins a new conversation: appends the first Request.
    ///
    /// The keys of the previous conversation are erased. The first Identifier is random, each following one is the next (RFC 3748 §4.1).
    pub fn start(&mut self, out: &mut Writer<'_>, env: &mut Env<'_>) -> Result<(), wire::Error> {
        self.method.restart();
        self.discards = 0;
        [self.identifier] = env.random();
        if self.config.identity_request {
            self.phase = Phase::Identity;
            let identifier = self.identifier;
            self.hold(|_, out| {
                put_header(out, Code::Request, identifier, MethodType::Identity, 0)
            })?;
        } else {
            self.phase = Phase::Proposed;
            self.hold_method_request(env)?;
        }
        out.put(&self.outstanding)
    }

    /// Takes a packet of the peer; the answer is appended to `out`.
    ///
    /// `out` must have room for [`MTU`] octets.
    pub fn handle(
        &mut self,
        packet: &[u8],
        credentials: &M::Credentials,
        out: &mut Writer<'_>,
        env: &mut Env<'_>,
    ) -> Result<AuthOutcome, Reject> {
        if out.remaining() < MTU {
            return Err(Reject::NoBuffer);
        }
        let packet = Packet::parse(packet)?;
        let Some(kind) = packet.kind.filter(|_| packet.code == Code::Response) else {
            return Err(Reject::WrongDirection);
        };
        if matches!(self.phase, Phase::Idle | Phase::Success | Phase::Failure(_)) {
            return Err(Reject::NotRunning);
        }
        if packet.identifier != self.identifier {
            return Err(Reject::IdentifierMismatch);
        }
        let outcome = match kind {
            MethodType::Nak | MethodType::EXPANDED_NAK => self.handle_nak(&packet, kind)?,
            MethodType::Identity if self.phase == Phase::Identity => {
                self.next_request(Phase::Proposed, env)?
            }
            _ if kind == self.method.kind() && self.phase != Phase::Identity => {
                self.handle_method(&packet, credentials, env)?
            }
            _ => return Err(Reject::UnexpectedResponseType),
        };
        out.put(&self.outstanding).map_err(|_| Reject::NoBuffer)?;
        Ok(outcome)
    }

    /// Moves the keys out, after Success only.
    pub fn take_keys(&mut self) -> Option<Keys> {
        match self.phase {
            Phase::Success => self.method.take_keys(),
            _ => None,
        }
    }

    /// The packet sent last, to be repeated octet by octet.
    pub fn outstanding(&self) -> &[u8] {
        &self.outstanding
    }

    /// The keys, after Success only.
    pub fn keys(&self) -> Option<&Keys> {
        match self.phase {
            Phase::Success => self.method.keys(),
            _ => None,
        }
    }

    /// The identity of the peer, once the method has authenticated it.
    pub fn peer_identity(&self) -> Option<&[u8]> {
        self.method.peer_identity()
    }

    /// Why the conversation ended with Failure, if it did.
    pub const fn failure_cause(&self) -> Option<FailureCause> {
        match self.phase {
            Phase::Failure(cause) => Some(cause),
            _ => None,
        }
    }

    /// The method.
    pub const fn method(&self) -> &M {
        &self.method
    }

    /// The method, to be reconfigured between conversations.
    pub const fn method_mut(&mut self) -> &mut M {
        &mut self.method
    }

    fn handle_nak(&mut self, packet: &Packet<'_>, nak: MethodType) -> Result<AuthOutcome, Reject> {
        // An Expanded Nak answers Expanded Types only (RFC 3748 §5.3.2).
        let expanded = matches!(self.method.kind(), MethodType::Expanded { .. });
        if self.phase != Phase::Proposed || (nak == MethodType::EXPANDED_NAK && !expanded) {
            return Err(Reject::UnexpectedNak);
        }
        if packet.data().is_empty() {
            return Err(Reject::MalformedType);
        }
        self.end(Phase::Failure(FailureCause::Nak))
    }

    fn handle_method(
        &mut self,
        packet: &Packet<'_>,
        credentials: &M::Credentials,
        env: &mut Env<'_>,
    ) -> Result<AuthOutcome, Reject> {
        match self.method.process(packet, credentials, env) {
            Ok(ServerStep::Continue) => self.next_request(Phase::Continue, env),
            Ok(ServerStep::Success) => self.end(Phase::Success),
            Ok(ServerStep::Failure) => self.end(Phase::Failure(FailureCause::Method)),
            Err(reject) => {
                self.discards = self.discards.saturating_add(1);
                if self.config.discard_limit == 0 || self.discards < self.config.discard_limit {
                    return Err(reject);
                }
                self.end(Phase::Failure(FailureCause::Discarded(reject)))
            }
        }
    }

    fn next_request(&mut self, phase: Phase, env: &mut Env<'_>) -> Result<AuthOutcome, Reject> {
        self.phase = phase;
        self.identifier = self.identifier.wrapping_add(1);
        self.hold_method_request(env)
            .map_err(|_| Reject::NoBuffer)?;
        Ok(AuthOutcome::Request)
    }

    fn end(&mut self, phase: Phase) -> Result<AuthOutcome, Reject> {
        self.phase = phase;
        let (code, outcome) = if phase == Phase::Success {
            (Code::Success, AuthOutcome::Success)
        } else {
            self.method.restart();
            (Code::Failure, AuthOutcome::Failure)
        };
        let identifier = self.identifier;
        self.hold(|_, out| put_result(out, code, identifier))
            .map_err(|_| Reject::NoBuffer)?;
        Ok(outcome)
    }

    fn hold_method_request(&mut self, env: &mut Env<'_>) -> Result<(), wire::Error> {
        let identifier = self.identifier;
        self.hold(|method, out| method.request(identifier, out, env))
    }

    /// Makes the packet that `write` appends the outstanding one.
    fn hold(
        &mut self,
        write: impl FnOnce(&mut M, &mut Writer<'_>) -> Result<(), wire::Error>,
    ) -> Result<(), wire::Error> {
        let mut buffer = [0; MTU];
        let mut out = Writer::new(&mut buffer);
        write(&mut self.method, &mut out)?;
        self.outstanding.clear();
        self.outstanding.extend_from_slice(out.written());
        Ok(())
    }
}
