//! The server end of EAP-PSK (RFC 4764 §4.1, §6).

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::channel::{
    Channel, EXT_PAYLOAD_LEN_MAX, Envelope, Indication, PLAINTEXT_LEN_MAX, Payload,
};
use super::keys::{self, LongTermKeys, SessionKeys};
use super::packet::{ID_LEN_MAX, Message};
use super::{Extension, Reject, ServerExtension};
use crate::crypto::{Work, equal};
use crate::eap::{self, Code, Keys, MethodType, Packet, ServerMethod, ServerStep};
use crate::env::Env;
use crate::wire::{self, Writer};

/// How often CONT of a peer is answered (§6.1 sets no bound).
const ROUNDS_MAX: u8 = 16;

/// What a server knows about its peers.
pub trait Credentials {
    /// The keys shared with the peer named `id_p`, if there is such a peer.
    fn keys(&self, id_p: &[u8], work: &mut Work) -> Option<LongTermKeys>;

    /// Whether the peer named `id_p`, once authenticated, is told DONE_SUCCESS (§6.1).
    fn admits(&self, id_p: &[u8]) -> bool {
        let _ = id_p;
        true
    }
}

#[derive(Debug)]
enum State {
    Start,
    /// Message 1 was sent, message 2 is due.
    Challenged {
        rand_s: [u8; 16],
    },
    /// The peer is authenticated.
    Open(Dialog),
    /// The last message was received; keys exist on success.
    Done(Option<Keys>),
}

/// What lives from message 2 on.
#[derive(Debug)]
struct Dialog {
    rand_s: [u8; 16],
    /// Until message 3 is sent.
    mac_s: Option<[u8; 16]>,
    channel: Channel,
    exported: Keys,
    /// The indication of the next or outstanding Request.
    indication: Indication,
    /// EXT_Type of message 3.
    extension: Option<u8>,
    /// CONT received so far.
    rounds: u8,
}

/// The EAP-PSK server of one conversation.
#[derive(Debug)]
pub struct PskServer {
    id_s: Arc<[u8]>,
    extension: Option<Box<dyn ServerExtension>>,
    /// ID_P of this conversation, once authenticated.
    id_p: Vec<u8>,
    /// EXT_Payload of the next Request.
    payload: Vec<u8>,
    state: State,
}

impl PskServer {
    /// A server named `id_s`, which all its conversations share.
    ///
    /// # Panics
    /// If `id_s` is longer than [`ID_LEN_MAX`]: identities are configuration.
    pub fn new(id_s: impl Into<Arc<[u8]>>) -> Self {
        let id_s = id_s.into();
        assert!(id_s.len() <= ID_LEN_MAX, "ID_S has at most 966 octets");
        Self {
            id_s,
            extension: None,
            id_p: Vec::new(),
            payload: Vec::new(),
            state: State::Start,
        }
    }

    /// Sets the extension that the server starts in message 3.
    pub fn set_extension(&mut self, extension: Option<Box<dyn ServerExtension>>) {
        self.extension = extension;
    }

    fn process_second(
        &mut self,
        second: Second<'_>,
        credentials: &dyn Credentials,
        env: &mut Env<'_>,
    ) -> Result<ServerStep, Reject> {
        let Second {
            rand_s,
            rand_p,
            mac_p,
            id_p,
        } = second;
        let long_term = credentials
            .keys(id_p, env.work)
            .ok_or(Reject::UnknownPeer)?;
        let ak = long_term.authentication(env.work);
        let expected = keys::mac_p(&ak, id_p, &self.id_s, rand_s, rand_p, env.work);
        if !equal(&expected, mac_p) {
            return Err(Reject::BadMacP);
        }
        let session = SessionKeys::derive(&long_term.kdk, rand_p, rand_s, env.work);
        let mut dialog = Dialog {
            rand_s: *rand_s,
            mac_s: Some(keys::mac_s(&ak, &self.id_s, rand_p, env.work)),
            channel: Channel::new(session.channel_key()),
            exported: session.exported,
            indication: Indication::DoneSuccess,
            extension: None,
            rounds: 0,
        };
        self.id_p.clear();
        self.id_p.extend_from_slice(id_p);
        self.payload.clear();
        if !credentials.admits(id_p) {
            dialog.indication = Indication::DoneFailure;
        } else if let Some(extension) = &mut self.extension {
            dialog.extension = Some(extension.kind());
            dialog.indication = fill(&mut self.payload, |out| extension.open(out));
        }
        self.state = State::Open(dialog);
        Ok(ServerStep::Continue)
    }

    fn process_fourth(
        &mut self,
        packet: &Packet<'_>,
        channel: &[u8],
        env: &mut Env<'_>,
    ) -> Result<ServerStep, Reject> {
        let State::Open(dialog) = &mut self.state else {
            return Err(Reject::UnexpectedMessage);
        };
        let mut buffer = [0; PLAINTEXT_LEN_MAX];
        let received = dialog
            .channel
            .receive(packet, channel, &mut buffer, env.work)?;
        if dialog.extension != received.extension.map(|extension| extension.kind) {
            return Err(Reject::ExtensionMismatch);
        }
        match (dialog.indication, received.indication) {
            (Indication::DoneFailure, _) | (_, Indication::DoneFailure) => {
                self.state = State::Done(None);
                Ok(ServerStep::Failure)
            }
            (Indication::DoneSuccess, Indication::DoneSuccess) => {
                if let State::Open(dialog) = core::mem::replace(&mut self.state, State::Done(None))
                {
                    self.state = State::Done(Some(dialog.exported));
                }
                Ok(ServerStep::Success)
            }
            (Indication::Cont, Indication::DoneSuccess) => Err(Reject::PrematureResult),
            (_, Indication::Cont) => Ok(self.go_on(received.extension)),
        }
    }

    /// Prepares message 5 or a later one for a peer that answered CONT.
    fn go_on(&mut self, received: Option<Extension<'_>>) -> ServerStep {
        let State::Open(dialog) = &mut self.state else {
            return ServerStep::Failure;
        };
        dialog.rounds += 1;
        if dialog.rounds > ROUNDS_MAX {
            self.state = State::Done(None);
            return ServerStep::Failure;
        }
        dialog.channel.advance();
        self.payload.clear();
        let (Some(received), Some(extension)) = (received, &mut self.extension) else {
            return ServerStep::Continue;
        };
        let indication = if dialog.indication == Indication::Cont && received.payload.is_empty() {
            // The peer does not know the extension: decide without a payload (§6.2).
            if extension.optional() {
                Indication::DoneSuccess
            } else {
                Indication::DoneFailure
            }
        } else {
            fill(&mut self.payload, |out| {
                extension.answer(received.payload, out)
            })
        };
        // A success that was indicated once is never taken back (§6.1).
        if dialog.indication != Indication::DoneSuccess {
            dialog.indication = indication;
        }
        ServerStep::Continue
    }
}

/// The fields of message 2.
struct Second<'a> {
    rand_s: &'a [u8; 16],
    rand_p: &'a [u8; 16],
    mac_p: &'a [u8; 16],
    id_p: &'a [u8],
}

/// Replaces `payload` by what `write` appends.
fn fill(payload: &mut Vec<u8>, write: impl FnOnce(&mut Writer<'_>) -> Indication) -> Indication {
    let mut buffer = [0; EXT_PAYLOAD_LEN_MAX];
    let mut out = Writer::new(&mut buffer);
    let indication = write(&mut out);
    payload.clear();
    payload.extend_from_slice(out.written());
    indication
}

impl ServerMethod for PskServer {
    type Credentials = dyn Credentials;

    fn kind(&self) -> MethodType {
        MethodType::Psk
    }

    fn restart(&mut self) {
        self.state = State::Start;
        self.id_p.clear();
        self.payload.clear();
        if let Some(extension) = &mut self.extension {
            extension.restart();
        }
    }

    fn request(
        &mut self,
        identifier: u8,
        out: &mut Writer<'_>,
        env: &mut Env<'_>,
    ) -> Result<(), wire::Error> {
        let State::Open(dialog) = &mut self.state else {
            let rand_s = env.random();
            self.state = State::Challenged { rand_s };
            return Message::First {
                rand_s: &rand_s,
                id_s: &self.id_s,
            }
            .emit(Code::Request, identifier, out);
        };
        let mac_s = dialog.mac_s.take();
        let envelope = Envelope {
            code: Code::Request,
            identifier,
            rand_s: &dialog.rand_s,
            mac_s: mac_s.as_ref(),
        };
        let payload = Payload {
            indication: dialog.indication,
            extension: dialog.extension.map(|kind| Extension {
                kind,
                payload: &self.payload,
            }),
        };
        dialog.channel.send(envelope, &payload, out, env.work)
    }

    fn process(
        &mut self,
        response: &Packet<'_>,
        credentials: &dyn Credentials,
        env: &mut Env<'_>,
    ) -> Result<ServerStep, eap::Reject> {
        let step = match (&self.state, Message::parse(response)?) {
            (
                State::Challenged { rand_s },
                Message::Second {
                    rand_s: session,
                    rand_p,
                    mac_p,
                    id_p,
                },
            ) => {
                if rand_s != session {
                    return Err(Reject::SessionMismatch.into());
                }
                let second = Second {
                    rand_s: session,
                    rand_p,
                    mac_p,
                    id_p,
                };
                self.process_second(second, credentials, env)
            }
            (
                State::Open(dialog),
                Message::Fourth {
                    rand_s: session,
                    channel,
                },
            ) => {
                if dialog.rand_s != *session {
                    return Err(Reject::SessionMismatch.into());
                }
                self.process_fourth(response, channel, env)
            }
            _ => Err(Reject::UnexpectedMessage),
        };
        step.map_err(Into::into)
    }

    fn peer_identity(&self) -> Option<&[u8]> {
        match self.state {
            State::Open(_) | State::Done(_) => Some(&self.id_p),
            _ => None,
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
