//! The peer end of EAP-PSK (RFC 4764 §4.1, §6).

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::channel::{
    Channel, EXT_PAYLOAD_LEN_MAX, Envelope, Indication, PLAINTEXT_LEN_MAX, Payload,
};
use super::keys::{self, LongTermKeys, SessionKeys};
use super::packet::{ID_LEN_MAX, Message};
use super::{Extension, PeerExtension, Reject};
use crate::crypto::equal;
use crate::eap::{
    self, Code, Decision, Keys, MethodState, MethodType, Packet, PeerMethod, PeerStep,
};
use crate::env::Env;
use crate::wire::Writer;

/// How often CONT without an extension is answered (§6.1 leaves it open).
const IDLE_ROUNDS_MAX: u8 = 1;
/// CONT is answered this often with a known extension.
const EXTENSION_ROUNDS_MAX: u8 = 16;

/// What the peer decides itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerPolicy {
    /// Answer DONE_FAILURE to an authenticated server (§6.1).
    pub refuse: bool,
    /// Answer DONE_FAILURE to a server that starts an unknown extension (§6.2).
    pub refuse_unknown_extension: bool,
}

#[derive(Debug)]
enum State {
    /// Message 1 is due.
    Start,
    /// Message 2 was sent, message 3 is due.
    Challenged { rand_s: [u8; 16], rand_p: [u8; 16] },
    /// CONT was sent, message 5 or a later one is due.
    Continued(Dialog),
    /// The last message was sent; keys exist on success.
    Done(Option<Keys>),
}

/// What lives from message 3 on.
#[derive(Debug)]
struct Dialog {
    rand_s: [u8; 16],
    channel: Channel,
    exported: Keys,
    /// EXT_Type of message 3.
    extension: Option<u8>,
    /// CONT sent so far.
    rounds: u8,
}

/// The EAP-PSK peer of one meter.
#[derive(Debug)]
pub struct PskPeer {
    id_p: Arc<[u8]>,
    server: Option<Arc<[u8]>>,
    keys: LongTermKeys,
    policy: PeerPolicy,
    extension: Option<Box<dyn PeerExtension>>,
    /// ID_S of this conversation.
    id_s: Vec<u8>,
    state: State,
}

impl PskPeer {
    /// A peer named `id_p` that shares `keys` with `server`.
    ///
    /// Without `server` it answers any server.
    ///
    /// # Panics
    /// If `id_p` is longer than [`ID_LEN_MAX`]: identities are configuration.
    pub fn new(id_p: impl Into<Arc<[u8]>>, server: Option<Arc<[u8]>>, keys: LongTermKeys) -> Self {
        let id_p = id_p.into();
        assert!(id_p.len() <= ID_LEN_MAX, "ID_P has at most 966 octets");
        Self {
            id_p,
            server,
            keys,
            policy: PeerPolicy::default(),
            extension: None,
            id_s: Vec::new(),
            state: State::Start,
        }
    }

    /// Sets the policy.
    pub const fn set_policy(&mut self, policy: PeerPolicy) {
        self.policy = policy;
    }

    /// Sets the extension that the peer knows.
    pub fn set_extension(&mut self, extension: Option<Box<dyn PeerExtension>>) {
        self.extension = extension;
    }

    /// Replaces the long-term keys, from the next conversation on.
    pub fn set_long_term_keys(&mut self, keys: LongTermKeys) {
        self.keys = keys;
    }

    /// ID_S as the server sent it, empty before message 1.
    pub fn server_identity(&self) -> &[u8] {
        &self.id_s
    }

    fn answer_first(
        &mut self,
        packet: &Packet<'_>,
        rand_s: &[u8; 16],
        id_s: &[u8],
        response: &mut Writer<'_>,
        env: &mut Env<'_>,
    ) -> Result<PeerStep, eap::Reject> {
        if self.server.as_ref().is_some_and(|server| **server != *id_s) {
            return Err(Reject::UnknownServer.into());
        }
        let rand_p = env.random();
        let ak = self.keys.authentication(env.work);
        let mac_p = keys::mac_p(&ak, &self.id_p, id_s, rand_s, &rand_p, env.work);
        Message::Second {
            rand_s,
            rand_p: &rand_p,
            mac_p: &mac_p,
            id_p: &self.id_p,
        }
        .emit(Code::Response, packet.identifier, response)
        .map_err(|_| eap::Reject::NoBuffer)?;
        self.id_s.clear();
        self.id_s.extend_from_slice(id_s);
        self.state = State::Challenged {
            rand_s: *rand_s,
            rand_p,
        };
        Ok(PeerStep {
            state: MethodState::Cont,
            decision: Decision::Fail,
        })
    }

    /// The dialog that message 3 opens, once MAC_S has been verified.
    fn open_dialog(
        &self,
        rand_s: &[u8; 16],
        rand_p: &[u8; 16],
        mac_s: &[u8; 16],
        env: &mut Env<'_>,
    ) -> Result<Dialog, Reject> {
        let ak = self.keys.authentication(env.work);
        if !equal(&keys::mac_s(&ak, &self.id_s, rand_p, env.work), mac_s) {
            return Err(Reject::BadMacS);
        }
        let session = SessionKeys::derive(&self.keys.kdk, rand_p, rand_s, env.work);
        Ok(Dialog {
            rand_s: *rand_s,
            channel: Channel::new(session.channel_key()),
            exported: session.exported,
            extension: None,
            rounds: 0,
        })
    }

    /// Answers the verified `received`.
    fn answer(
        &mut self,
        identifier: u8,
        mut dialog: Dialog,
        received: &Payload<'_>,
        response: &mut Writer<'_>,
        env: &mut Env<'_>,
    ) -> Result<PeerStep, eap::Reject> {
        let mut buffer = [0; EXT_PAYLOAD_LEN_MAX];
        let mut payload = Writer::new(&mut buffer);
        let indication = self.decide(dialog.rounds, received, &mut payload);
        let reply = Payload {
            indication,
            extension: dialog.extension.map(|kind| Extension {
                kind,
                payload: payload.written(),
            }),
        };
        let rand_s = dialog.rand_s;
        let envelope = Envelope {
            code: Code::Response,
            identifier,
            rand_s: &rand_s,
            mac_s: None,
        };
        dialog.channel.advance();
        dialog
            .channel
            .send(envelope, &reply, response, env.work)
            .map_err(|_| eap::Reject::NoBuffer)?;
        dialog.rounds += 1;
        let (state, step, decision) = match indication {
            Indication::Cont => (State::Continued(dialog), MethodState::Cont, Decision::Fail),
            Indication::DoneSuccess => (
                State::Done(Some(dialog.exported)),
                MethodState::Done,
                Decision::UncondSucc,
            ),
            Indication::DoneFailure => (State::Done(None), MethodState::Done, Decision::Fail),
        };
        self.state = state;
        Ok(PeerStep {
            state: step,
            decision,
        })
    }

    /// The result indication that answers `received` (§6.1, §6.2).
    fn decide(
        &mut self,
        rounds: u8,
        received: &Payload<'_>,
        payload: &mut Writer<'_>,
    ) -> Indication {
        if received.indication == Indication::DoneFailure || self.policy.refuse {
            return Indication::DoneFailure;
        }
        let handler = self.extension.as_mut();
        let (wanted, rounds_max) = match (received.extension, handler) {
            (Some(extension), Some(handler)) if handler.kind() == extension.kind => (
                handler.answer(received.indication, extension.payload, payload),
                EXTENSION_ROUNDS_MAX,
            ),
            (Some(_), _) if self.policy.refuse_unknown_extension => {
                return Indication::DoneFailure;
            }
            _ => (received.indication, IDLE_ROUNDS_MAX),
        };
        match (wanted, received.indication) {
            (Indication::DoneFailure, _) => Indication::DoneFailure,
            (Indication::DoneSuccess, Indication::DoneSuccess) => Indication::DoneSuccess,
            // Only the server may be the first to indicate success.
            _ if rounds < rounds_max => Indication::Cont,
            _ => Indication::DoneFailure,
        }
    }
}

impl PeerMethod for PskPeer {
    fn kind(&self) -> MethodType {
        MethodType::Psk
    }

    fn identity(&self) -> &[u8] {
        &self.id_p
    }

    /// RFC 4764 §8.8 recommends against them: they are not authenticated.
    fn allows_notifications(&self) -> bool {
        false
    }

    fn restart(&mut self) {
        self.state = State::Start;
        self.id_s.clear();
        if let Some(extension) = &mut self.extension {
            extension.restart();
        }
    }

    fn process(
        &mut self,
        request: &Packet<'_>,
        response: &mut Writer<'_>,
        env: &mut Env<'_>,
    ) -> Result<PeerStep, eap::Reject> {
        let mut buffer = [0; PLAINTEXT_LEN_MAX];
        match (&mut self.state, Message::parse(request)?) {
            (State::Start, Message::First { rand_s, id_s }) => {
                self.answer_first(request, rand_s, id_s, response, env)
            }
            (
                State::Challenged { rand_s, rand_p },
                Message::Third {
                    rand_s: session,
                    mac_s,
                    channel,
                },
            ) => {
                if rand_s != session {
                    return Err(Reject::SessionMismatch.into());
                }
                let (rand_s, rand_p) = (*rand_s, *rand_p);
                let mut dialog = self.open_dialog(&rand_s, &rand_p, mac_s, env)?;
                let received = dialog
                    .channel
                    .receive(request, channel, &mut buffer, env.work)?;
                dialog.extension = received.extension.map(|extension| extension.kind);
                if received
                    .extension
                    .is_some_and(|extension| extension.payload.is_empty())
                {
                    return Err(Reject::ExtensionMismatch.into());
                }
                self.answer(request.identifier, dialog, &received, response, env)
            }
            (
                State::Continued(dialog),
                Message::Fourth {
                    rand_s: session,
                    channel,
                },
            ) => {
                if dialog.rand_s != *session {
                    return Err(Reject::SessionMismatch.into());
                }
                let received = dialog
                    .channel
                    .receive(request, channel, &mut buffer, env.work)?;
                if dialog.extension != received.extension.map(|extension| extension.kind) {
                    return Err(Reject::ExtensionMismatch.into());
                }
                let State::Continued(dialog) =
                    core::mem::replace(&mut self.state, State::Done(None))
                else {
                    return Err(Reject::UnexpectedMessage.into());
                };
                self.answer(request.identifier, dialog, &received, response, env)
            }
            _ => Err(Reject::UnexpectedMessage.into()),
        }
    }

    fn keys(&self) -> Option<&Keys> {
        match &self.state {
            State::Done(keys) => keys.as_ref(),
            _ => None,
        }
    }

    fn take_keys(&mut self) -> Option<Keys> {
        match &mut self.state {
            State::Done(keys) => keys.take(),
            _ => None,
        }
    }
}
