//! Messages in the name of a victim, without its keys (RFC 5191 §11).
//!
//! A tap knows session identifier and sequence numbers, which stand in clear; what it lacks is
//! PANA_AUTH_KEY. Messages that carry AUTH are sent with one of random octets.

use std::collections::BTreeMap;

use firmware::Rng as _;
use firmware::crypto::Work;
use firmware::eap;
use firmware::pana::avp::Code;
use firmware::pana::{Emitter, Flags, Header, Message, MessageType, ResultCode, TerminationCause};

use super::behaviour::{Behaviour, Scene, Seen};
use super::flood::initiation;
use super::plan::Spoofed;
use crate::datagram::PANA_PORT;
use crate::fleet::Fleet;
use crate::link::Direction;

/// Octets of the AUTH value of HMAC-SHA-256-128 as RFC 5191 takes it.
const AUTH_LEN: usize = 32;

/// Sends one kind of message.
#[derive(Debug)]
pub(super) struct Spoofer {
    message: Spoofed,
    /// Session identifier of each meter and sequence number of its latest request in it.
    sessions: BTreeMap<u32, (u32, Option<u32>)>,
}

impl Spoofer {
    pub(super) fn new(message: Spoofed) -> Self {
        Self {
            message,
            sessions: BTreeMap::new(),
        }
    }

    /// The message under a made-up AUTH, if the victim's session is known.
    fn forge(&self, victim: u32, scene: &mut Scene<'_>) -> Option<Vec<u8>> {
        let (session_id, sequence) = *self.sessions.get(&victim)?;
        // Before its first request, nobody but the meter knows which number it will take.
        let next = sequence.map_or_else(|| scene.stream.next_u32(), |last| last.wrapping_add(1));
        let mut octets = Vec::new();
        let (kind, flags) = match self.message {
            Spoofed::Termination => (MessageType::Termination, Flags::REQUEST),
            Spoofed::Reauthentication => (
                MessageType::Notification,
                Flags::REQUEST.with(Flags::REAUTHENTICATION),
            ),
            Spoofed::Initiation | Spoofed::Failure => return None,
        };
        let mut message = Emitter::new(&mut octets, kind, flags, session_id, next);
        if self.message == Spoofed::Termination {
            message.number(Code::TerminationCause, TerminationCause::Logout.id());
        }
        // Half of them leave AUTH out, as if there were no SA.
        if scene.stream.below(2) == 0 {
            let mut auth = [0; AUTH_LEN];
            scene.stream.fill_bytes(&mut auth);
            message.avp(Code::Auth, &auth);
        }
        message.finish(None, &mut Work::NONE.clone());
        Some(octets)
    }

    /// PAR\[C\] with a failure, in answer to a PAN with EAP-PSK message 2: it must arrive before
    /// the genuine next PAR.
    fn fail(seen: &Seen<'_>, header: &Header, scene: &mut Scene<'_>) {
        let Ok(message) = Message::parse(seen.octets) else {
            return;
        };
        let Some(Ok(packet)) = message.eap.map(eap::Packet::parse) else {
            return;
        };
        let mut failure = [0; eap::HEADER_LEN];
        failure.copy_from_slice(&[4, packet.identifier, 0, eap::HEADER_LEN as u8]);
        let mut octets = Vec::new();
        let flags = Flags::REQUEST.with(Flags::COMPLETE);
        let sequence = header.sequence.wrapping_add(1);
        let mut forged = Emitter::new(
            &mut octets,
            MessageType::Auth,
            flags,
            header.session_id,
            sequence,
        );
        let code = ResultCode::AuthenticationRejected.id();
        forged.number(Code::ResultCode, code);
        forged.avp(Code::EapPayload, &failure);
        forged.finish(None, &mut Work::NONE.clone());
        scene.send_down(seen.meter, PANA_PORT, octets, "failure");
    }
}

impl Behaviour for Spoofer {
    fn begin(&mut self, scene: &mut Scene<'_>) {
        if self.message != Spoofed::Failure {
            scene.schedule_action();
        }
    }

    fn overhear(&mut self, seen: &Seen<'_>, scene: &mut Scene<'_>) {
        if seen.kind.protocol() != "pana" {
            return;
        }
        let Ok(header) = Header::parse(seen.octets) else {
            return;
        };
        if header.session_id != 0 {
            let session = (header.session_id, None);
            let known = self.sessions.entry(seen.meter).or_insert(session);
            if known.0 != header.session_id {
                *known = session;
            }
            if seen.direction == Direction::Up && header.is_request() {
                known.1 = Some(header.sequence);
            }
        }
        let answers = seen.direction == Direction::Up && !header.is_request();
        if self.message == Spoofed::Failure && answers {
            Self::fail(seen, &header, scene);
        }
    }

    fn alarm(&mut self, _payload: u32, scene: &mut Scene<'_>) {
        if let Some(victim) = scene.any_victim() {
            let source = Fleet::pana_socket(scene.fleet.meter_address(victim));
            let (octets, action) = match self.message {
                Spoofed::Initiation => (Some(initiation()), "initiate"),
                Spoofed::Termination => (self.forge(victim, scene), "terminate"),
                Spoofed::Reauthentication => (self.forge(victim, scene), "reauthenticate"),
                Spoofed::Failure => (None, "failure"),
            };
            if let Some(octets) = octets {
                scene.send_up(source, PANA_PORT, octets, action, Some(victim));
            }
        }
        scene.schedule_action();
    }
}
