//! The peer machine (RFC 4137 §4, Appendix A.1).
//!
//! Two points are stricter than RFC 4137, as RFC 3748 §4.2 orders: a Success that the method does
//! not allow is discarded in every state, and a method is bound only by its first answer, so that
//! a forged first Request cannot choose it.

use alloc::vec::Vec;

use super::packet::{Code, MTU, MethodType, Packet, put_header};
use super::{Decision, Keys, MethodState, PeerMethod, PeerStep, Reject};
use crate::env::Env;
use crate::wire::{self, Writer};

/// What a packet led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerOutcome {
    /// A Response was appended to the output.
    Response,
    /// The authenticator reported success: the keys can be taken.
    Success,
    /// The conversation has failed.
    Failure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Success,
    Failure,
}

/// An EAP peer with one method.
///
/// Inputs: [`Self::handle`] takes a packet from the lower layer, [`Self::restart`] begins a new
/// conversation (RFC 4137: eapRestart). A new peer is ready for a conversation.
#[derive(Debug)]
pub struct Peer<M> {
    method: M,
    phase: Phase,
    /// Identifier of the Request answered last.
    last_identifier: Option<u8>,
    last_response: Vec<u8>,
    /// The method's verdict on its last Request; `None` until it has answered one.
    step: Option<PeerStep>,
}

impl<M: PeerMethod> Peer<M> {
    /// A peer at the start of a conversation.
    pub const fn new(method: M) -> Self {
        Self {
            method,
            phase: Phase::Running,
            last_identifier: None,
            last_response: Vec::new(),
            step: None,
        }
    }

    /// Begins a new conversation and erases the keys of the previous one.
    pub fn restart(&mut self) {
        self.method.restart();
        self.phase = Phase::Running;
        self.last_identifier = None;
        self.last_response.clear();
        self.step = None;
    }

    /// Takes a packet; a Response is appended to `out`.
    ///
    /// `out` must have room for [`MTU`] octets.
    pub fn handle(
        &mut self,
        packet: &[u8],
        out: &mut Writer<'_>,
        env: &mut Env<'_>,
    ) -> Result<PeerOutcome, Reject> {
        if self.phase != Phase::Running {
            return Err(Reject::NotRunning);
        }
        if out.remaining() < MTU {
            return Err(Reject::NoBuffer);
        }
        let packet = Packet::parse(packet)?;
        match (packet.code, packet.kind) {
            (Code::Request, Some(kind)) => self.handle_request(&packet, kind, out, env),
            (Code::Success | Code::Failure, _) => {
                self.check_result(&packet)?;
                Ok(self.end(packet.code))
            }
            _ => Err(Reject::WrongDirection),
        }
    }

    /// Moves the keys out, after Success only.
    pub fn take_keys(&mut self) -> Option<Keys> {
        match self.phase {
            Phase::Success => self.method.take_keys(),
            _ => None,
        }
    }

    /// The keys, as soon as the method has succeeded.
    ///
    /// That is before Success arrives: a lower layer that protects the message which carries it
    /// with these very keys (PANA) verifies that message first.
    pub fn keys(&self) -> Option<&Keys> {
        self.method.keys()
    }

    /// Whether `packet` is a Success or Failure that would end the conversation now.
    pub fn accepts(&self, packet: &[u8]) -> bool {
        self.phase == Phase::Running
            && Packet::parse(packet).is_ok_and(|packet| self.check_result(&packet).is_ok())
    }

    /// The method's verdict so far.
    pub fn decision(&self) -> Decision {
        self.step.map_or(Decision::Fail, |step| step.decision)
    }

    /// The method.
    pub const fn method(&self) -> &M {
        &self.method
    }

    /// The method, to be reconfigured between conversations.
    pub const fn method_mut(&mut self) -> &mut M {
        &mut self.method
    }

    fn handle_request(
        &mut self,
        packet: &Packet<'_>,
        kind: MethodType,
        out: &mut Writer<'_>,
        env: &mut Env<'_>,
    ) -> Result<PeerOutcome, Reject> {
        if self.last_identifier == Some(packet.identifier) {
            out.put(&self.last_response).map_err(|_| Reject::NoBuffer)?;
            return Ok(PeerOutcome::Response);
        }
        let start = out.len();
        if kind == MethodType::Notification {
            if self.step.is_some() && !self.method.allows_notifications() {
                return Err(Reject::NotificationForbidden);
            }
            put_header(out, Code::Response, packet.identifier, kind, 0)
                .map_err(|_| Reject::NoBuffer)?;
        } else if kind == self.method.kind() {
            if self
                .step
                .is_some_and(|step| step.state == MethodState::Done)
            {
                return Err(Reject::MethodDone);
            }
            self.step = Some(self.method.process(packet, out, env)?);
        } else if self.step.is_some() {
            return Err(Reject::MethodInterrupted);
        } else {
            self.answer_without_method(packet.identifier, kind, out)?;
        }
        self.last_identifier = Some(packet.identifier);
        self.last_response.clear();
        self.last_response
            .extend_from_slice(&out.written()[start..]);
        Ok(PeerOutcome::Response)
    }

    /// Answers an Identity Request, or one of a method that is not ours with a Nak.
    fn answer_without_method(
        &self,
        identifier: u8,
        kind: MethodType,
        out: &mut Writer<'_>,
    ) -> Result<(), Reject> {
        let written = match kind {
            MethodType::Identity => put_identity(out, identifier, self.method.identity()),
            MethodType::Nak | MethodType::Unknown(0) | MethodType::EXPANDED_NAK => {
                return Err(Reject::InvalidRequestType);
            }
            MethodType::Expanded { .. } => put_expanded_nak(out, identifier, self.method.kind()),
            _ => put_nak(out, identifier, self.method.kind()),
        };
        written.map_err(|_| Reject::NoBuffer)
    }

    /// Whether a Success or Failure counts (RFC 3748 §4.2, RFC 4137 §4.1).
    fn check_result(&self, packet: &Packet<'_>) -> Result<(), Reject> {
        if !matches!(packet.code, Code::Success | Code::Failure) {
            return Err(Reject::WrongDirection);
        }
        if self.last_identifier != Some(packet.identifier) {
            return Err(Reject::ResultIdentifierMismatch);
        }
        let decision = self.decision();
        let running = self
            .step
            .is_some_and(|step| step.state == MethodState::Cont);
        match packet.code {
            Code::Success if running || decision == Decision::Fail => Err(Reject::PrematureSuccess),
            Code::Failure if running => Err(Reject::PrematureFailure),
            Code::Failure if decision == Decision::UncondSucc => Err(Reject::FailureAfterSuccess),
            _ => Ok(()),
        }
    }

    fn end(&mut self, code: Code) -> PeerOutcome {
        if code == Code::Success {
            self.phase = Phase::Success;
            PeerOutcome::Success
        } else {
            self.phase = Phase::Failure;
            self.method.restart();
            PeerOutcome::Failure
        }
    }
}

fn put_identity(out: &mut Writer<'_>, identifier: u8, identity: &[u8]) -> Result<(), wire::Error> {
    let kind = MethodType::Identity;
    put_header(out, Code::Response, identifier, kind, identity.len())?;
    out.put(identity)
}

/// Legacy Nak with the one type that we would accept (RFC 3748 §5.3.1).
fn put_nak(out: &mut Writer<'_>, identifier: u8, desired: MethodType) -> Result<(), wire::Error> {
    put_header(out, Code::Response, identifier, MethodType::Nak, 1)?;
    out.u8(desired.value())
}

/// Expanded Nak with the one type that we would accept (RFC 3748 §5.3.2).
fn put_expanded_nak(
    out: &mut Writer<'_>,
    identifier: u8,
    desired: MethodType,
) -> Result<(), wire::Error> {
    let desired = desired.expanded();
    let kind = MethodType::EXPANDED_NAK;
    put_header(out, Code::Response, identifier, kind, desired.wire_len())?;
    desired.emit(out)
}
