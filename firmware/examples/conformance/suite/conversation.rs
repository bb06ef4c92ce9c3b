//! EAP-PSK conversations as vectors record them, and our two ends in them.

use std::sync::Arc;

use firmware::crypto::{EaxKey, Work};
use firmware::eap::psk::{
    Credentials, Extension, Indication, LongTermKeys, Message, Payload, PeerExtension, PeerPolicy,
    PskPeer, PskServer, ServerExtension, SessionKeys,
};
use firmware::eap::{
    AuthOutcome, Authenticator, AuthenticatorConfig, MTU, MethodType, Packet, Peer, PeerOutcome,
    Reject,
};
use firmware::wire::Writer;
use firmware::{Env, Instant};

use super::rng::ScriptedRng;

/// One end of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Peer,
    Server,
}

/// What a conversation starts from, and its packets.
#[derive(Clone)]
pub(super) struct Script {
    pub(super) psk: [u8; 16],
    /// The long-term keys of a peer that does not hold `psk`.
    pub(super) wrong_keys: Option<LongTermKeys>,
    pub(super) id_p: Vec<u8>,
    pub(super) id_s: Vec<u8>,
    pub(super) rand_s: [u8; 16],
    pub(super) rand_p: [u8; 16],
    /// Packets by their receiver.
    pub(super) messages: Vec<(End, Vec<u8>)>,
}

impl Script {
    /// The keys of the conversation, as the peer has them.
    pub(super) fn keys(&self) -> (LongTermKeys, SessionKeys) {
        let mut work = Work::NONE;
        let long_term = match &self.wrong_keys {
            Some(keys) => keys.clone(),
            None => LongTermKeys::from_psk(&self.psk, &mut work),
        };
        let session = SessionKeys::derive(&long_term.kdk, &self.rand_p, &self.rand_s, &mut work);
        (long_term, session)
    }

    /// The PCHANNEL of the recorded `packet`, decrypted, with its parts; `None` if it has none.
    pub(super) fn open(&self, packet: &[u8]) -> Result<Option<Opened>, String> {
        let view = Packet::parse(packet).map_err(|reject| reject.to_string())?;
        if view.kind != Some(MethodType::Psk) {
            return Ok(None);
        }
        let channel = match Message::parse(&view) {
            Ok(Message::Third { channel, .. } | Message::Fourth { channel, .. }) => channel,
            Ok(_) => return Ok(None),
            Err(reject) => return Err(reject.name().into()),
        };
        let mut opened = Opened {
            header: view.octets()[..22].to_vec(),
            nonce: channel[..4].try_into().expect("a nonce has four octets"),
            tag: channel[4..20].try_into().expect("a tag has 16 octets"),
            ciphertext: channel[20..].to_vec(),
            plaintext: channel[20..].to_vec(),
        };
        let key = EaxKey::new(*self.keys().1.tek.expose());
        let (nonce, tag) = (opened.eax_nonce(), opened.tag);
        let mut work = Work::NONE;
        key.open(
            &nonce,
            &opened.header,
            &mut opened.plaintext,
            &tag,
            &mut work,
        )
        .map_err(|_| "a recorded PCHANNEL does not verify")?;
        // Sealing again must give back what was opened.
        let mut sealed = opened.plaintext.clone();
        let tag = key.seal(&nonce, &opened.header, &mut sealed, &mut work);
        if sealed != opened.ciphertext || tag != opened.tag {
            return Err("a recorded PCHANNEL is not what sealing yields".into());
        }
        Ok(Some(opened))
    }

    /// Our peer, with the policy and the extension that the recorded one showed.
    pub(super) fn peer(&self) -> Result<PeerEnd, String> {
        let payloads = self.payloads(End::Server)?;
        let mut method = PskPeer::new(
            self.id_p.as_slice(),
            Some(Arc::from(self.id_s.as_slice())),
            self.keys().0,
        );
        // To a server that failed, DONE_FAILURE is no choice of the peer but its duty.
        let failed = |payloads: &[Recorded]| {
            payloads
                .iter()
                .any(|payload| payload.indication == Indication::DoneFailure)
        };
        method.set_policy(PeerPolicy {
            refuse: failed(&payloads) && !failed(&self.payloads(End::Peer)?),
            ..PeerPolicy::default()
        });
        if payloads.iter().any(|payload| !payload.payload.is_empty()) {
            method.set_extension(Some(Box::new(ScriptedExtension::new(payloads))));
        }
        Ok(PeerEnd {
            machine: Peer::new(method),
            rng: ScriptedRng::new(&self.rand_p),
        })
    }

    /// Our server, with the policy and the extension that the recorded one showed.
    ///
    /// It starts with Identifier `identifier`, and with an Identity Request if `identity`.
    pub(super) fn server(&self, identifier: u8, identity: bool) -> Result<ServerEnd, String> {
        let payloads = self.payloads(End::Peer)?;
        let mut method = PskServer::new(self.id_s.as_slice());
        let admitted = payloads
            .first()
            .is_none_or(|payload| payload.indication != Indication::DoneFailure);
        if payloads.iter().any(|payload| payload.kind.is_some()) {
            method.set_extension(Some(Box::new(ScriptedExtension::new(payloads))));
        }
        let config = AuthenticatorConfig {
            identity_request: identity,
            discard_limit: 0,
        };
        let mut random = vec![identifier];
        random.extend(self.rand_s);
        Ok(ServerEnd {
            machine: Authenticator::new(method, config),
            rng: ScriptedRng::new(&random),
            registered: Registered {
                id_p: self.id_p.clone(),
                psk: self.psk,
                admitted,
            },
        })
    }

    /// What the packets to `receiver` carry in their PCHANNEL.
    fn payloads(&self, receiver: End) -> Result<Vec<Recorded>, String> {
        let mut payloads = Vec::new();
        for (to, packet) in &self.messages {
            if *to == receiver
                && let Some(opened) = self.open(packet)?
            {
                payloads.push(Recorded::new(&opened.payload()?));
            }
        }
        Ok(payloads)
    }
}

/// A decrypted PCHANNEL.
pub(super) struct Opened {
    pub(super) header: Vec<u8>,
    pub(super) nonce: [u8; 4],
    pub(super) tag: [u8; 16],
    pub(super) ciphertext: Vec<u8>,
    pub(super) plaintext: Vec<u8>,
}

impl Opened {
    /// The nonce as EAX takes it.
    pub(super) fn eax_nonce(&self) -> [u8; 16] {
        let mut nonce = [0; 16];
        nonce[12..].copy_from_slice(&self.nonce);
        nonce
    }

    pub(super) fn payload(&self) -> Result<Payload<'_>, String> {
        Payload::parse(&self.plaintext).map_err(|reject| reject.name().into())
    }
}

/// Our peer and its random numbers.
pub(super) struct PeerEnd {
    pub(super) machine: Peer<PskPeer>,
    rng: ScriptedRng,
}

impl PeerEnd {
    /// Delivers `packet` and returns the outcome with what was sent.
    pub(super) fn handle(&mut self, packet: &[u8]) -> (Result<PeerOutcome, Reject>, Vec<u8>) {
        let mut buffer = [0xA5; MTU];
        let mut out = Writer::new(&mut buffer);
        let mut work = Work::NONE;
        let mut env = Env::new(Instant::ZERO, &mut self.rng, &mut work);
        let outcome = self.machine.handle(packet, &mut out, &mut env);
        (outcome, out.written().to_vec())
    }
}

/// Our server, its random numbers and the one peer that it knows.
pub(super) struct ServerEnd {
    pub(super) machine: Authenticator<PskServer>,
    rng: ScriptedRng,
    registered: Registered,
}

impl ServerEnd {
    /// Starts the conversation and returns the first Request.
    pub(super) fn start(&mut self) -> Result<Vec<u8>, String> {
        let mut buffer = [0xA5; MTU];
        let mut out = Writer::new(&mut buffer);
        let mut work = Work::NONE;
        let mut env = Env::new(Instant::ZERO, &mut self.rng, &mut work);
        self.machine
            .start(&mut out, &mut env)
            .map_err(|error| error.to_string())?;
        Ok(out.written().to_vec())
    }

    /// Delivers `packet` and returns the outcome with what was sent.
    pub(super) fn handle(&mut self, packet: &[u8]) -> (Result<AuthOutcome, Reject>, Vec<u8>) {
        let mut buffer = [0xA5; MTU];
        let mut out = Writer::new(&mut buffer);
        let mut work = Work::NONE;
        let mut env = Env::new(Instant::ZERO, &mut self.rng, &mut work);
        let outcome = self
            .machine
            .handle(packet, &self.registered, &mut out, &mut env);
        (outcome, out.written().to_vec())
    }
}

#[derive(Clone)]
struct Registered {
    id_p: Vec<u8>,
    psk: [u8; 16],
    admitted: bool,
}

impl Credentials for Registered {
    fn keys(&self, id_p: &[u8], work: &mut Work) -> Option<LongTermKeys> {
        (self.id_p == id_p).then(|| LongTermKeys::from_psk(&self.psk, work))
    }

    fn admits(&self, _: &[u8]) -> bool {
        self.admitted
    }
}

/// A recorded payload.
#[derive(Clone, Debug)]
struct Recorded {
    indication: Indication,
    kind: Option<u8>,
    payload: Vec<u8>,
}

impl Recorded {
    fn new(payload: &Payload<'_>) -> Self {
        let extension = payload.extension;
        Self {
            indication: payload.indication,
            kind: extension.map(|extension| extension.kind),
            payload: extension
                .map(|Extension { payload, .. }| payload.to_vec())
                .unwrap_or_default(),
        }
    }
}

/// An extension that says what a recorded one said.
#[derive(Debug)]
struct ScriptedExtension {
    recorded: Vec<Recorded>,
    next: usize,
}

impl ScriptedExtension {
    const fn new(recorded: Vec<Recorded>) -> Self {
        Self { recorded, next: 0 }
    }

    fn say(&mut self, out: &mut Writer<'_>) -> Indication {
        let recorded = &self.recorded[self.next];
        self.next += 1;
        out.put(&recorded.payload)
            .expect("a recorded payload fits a PCHANNEL");
        recorded.indication
    }

    fn recorded_kind(&self) -> u8 {
        self.recorded
            .first()
            .and_then(|recorded| recorded.kind)
            .expect("a recorded extension has a type")
    }
}

impl PeerExtension for ScriptedExtension {
    fn kind(&self) -> u8 {
        self.recorded_kind()
    }

    fn restart(&mut self) {
        self.next = 0;
    }

    fn answer(&mut self, _: Indication, _: &[u8], out: &mut Writer<'_>) -> Indication {
        self.say(out)
    }
}

impl ServerExtension for ScriptedExtension {
    fn kind(&self) -> u8 {
        self.recorded_kind()
    }

    fn restart(&mut self) {
        self.next = 0;
    }

    fn open(&mut self, out: &mut Writer<'_>) -> Indication {
        self.say(out)
    }

    fn answer(&mut self, _: &[u8], out: &mut Writer<'_>) -> Indication {
        self.say(out)
    }

    fn optional(&self) -> bool {
        self.recorded
            .get(self.next)
            .is_some_and(|recorded| recorded.indication == Indication::DoneSuccess)
    }
}
