//! `malformed.json`, section `eap`: packets injected into recorded conversations.
//!
//! The receiver is brought to the stage that the case names, takes the packet and must react as
//! told. After a discard, and after a repeated Response, the recorded conversation must go on as
//! if nothing had happened.

use firmware::eap::{AuthOutcome, Code, Packet, PeerOutcome};
use serde_json::Value;

use super::conversation::{End, PeerEnd, Script, ServerEnd};
use super::report::Report;
use super::{eap_psk, json};

/// The conversations of this repository, for a vector file that stands alone.
const CONVERSATIONS: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/vectors/eap-psk.json"
));

pub(super) fn run(document: &Value, report: &mut Report) -> Option<()> {
    let cases = document.get("eap")?.as_array()?;
    cases.first()?.get("conversation")?;
    let conversations = report
        .sibling(|document| {
            let conversations = document.get("conversations")?.as_array()?;
            conversations.first()?.get("rand_s")?;
            Some(document.clone())
        })
        .or_else(|| serde_json::from_str(CONVERSATIONS).ok());
    for case in cases {
        let id = case.get("id").and_then(Value::as_str);
        report.case(id.unwrap_or("unnamed"), || {
            check(case, conversations.as_ref())
        });
    }
    Some(())
}

fn check(case: &Value, conversations: Option<&Value>) -> Result<(), String> {
    json::only(
        case,
        &[
            "id",
            "conversation",
            "after_message",
            "to",
            "hex",
            "reaction",
            "basis",
            "level",
            "why",
            "note",
        ],
    )?;
    let name = json::text(case, "conversation")?;
    let recorded = conversations
        .and_then(|document| document.get("conversations")?.as_array())
        .into_iter()
        .flatten()
        .find(|conversation| conversation.get("name").and_then(Value::as_str) == Some(name))
        .ok_or_else(|| format!("conversation: there is no {name}"))?;
    let stage = usize::try_from(json::number(case, "after_message")?).map_err(|e| e.to_string())?;
    let script = eap_psk::script(recorded)?;
    if stage > script.messages.len() {
        return Err("after_message: beyond the conversation".into());
    }
    let level = json::text(case, "level")?;
    if !["MUST", "INFERRED", "UNCERTAIN"].contains(&level) {
        return Err(format!("level: unknown level {level}"));
    }
    let injected = json::octets(case, "hex")?;
    let rig = Rig::new(&script, json::text(case, "to")?)?;
    rig.check(case, stage, &injected)
}

/// The receiver of the injected packet.
enum Machine {
    Peer(PeerEnd),
    Server(ServerEnd),
}

/// What the receiver did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reaction {
    Discarded,
    Answered,
    Succeeded,
    Failed,
}

struct Rig<'a> {
    script: &'a Script,
    machine: Machine,
    end: End,
}

impl<'a> Rig<'a> {
    fn new(script: &'a Script, to: &str) -> Result<Self, String> {
        let (machine, end) = match to {
            "peer" => (Machine::Peer(script.peer()?), End::Peer),
            "server" => {
                let first = script.messages.first().ok_or("no messages")?;
                let opening = Packet::parse(&first.1).map_err(|reject| reject.to_string())?;
                let mut server = script.server(opening.identifier, true)?;
                json::equal_octets("first Request", &server.start()?, &first.1)?;
                (Machine::Server(server), End::Server)
            }
            other => return Err(format!("to: unknown receiver {other}")),
        };
        Ok(Self {
            script,
            machine,
            end,
        })
    }

    fn handle(&mut self, packet: &[u8]) -> (Reaction, Vec<u8>) {
        match &mut self.machine {
            Machine::Peer(peer) => {
                let (outcome, sent) = peer.handle(packet);
                let reaction = match outcome {
                    Err(_) => Reaction::Discarded,
                    Ok(PeerOutcome::Response) => Reaction::Answered,
                    Ok(PeerOutcome::Success) => Reaction::Succeeded,
                    Ok(PeerOutcome::Failure) => Reaction::Failed,
                };
                (reaction, sent)
            }
            Machine::Server(server) => {
                let (outcome, sent) = server.handle(packet);
                let reaction = match outcome {
                    Err(_) => Reaction::Discarded,
                    Ok(AuthOutcome::Request) => Reaction::Answered,
                    Ok(AuthOutcome::Success) => Reaction::Succeeded,
                    Ok(AuthOutcome::Failure) => Reaction::Failed,
                };
                (reaction, sent)
            }
        }
    }

    /// Delivers the recorded messages `from..to` and compares each answer.
    fn replay(&mut self, from: usize, to: usize) -> Result<(), String> {
        for index in from..to {
            let (receiver, packet) = &self.script.messages[index];
            if *receiver != self.end {
                continue;
            }
            let (reaction, sent) = self.handle(packet);
            if reaction == Reaction::Discarded {
                return Err(format!("recorded message {} was discarded", index + 1));
            }
            let expected = self.script.messages.get(index + 1);
            let expected = expected.map_or(&[][..], |(_, packet)| packet);
            json::equal_octets(&format!("message {}", index + 2), &sent, expected)?;
        }
        Ok(())
    }

    fn exports_keys(&mut self) -> bool {
        match &mut self.machine {
            Machine::Peer(peer) => peer.machine.take_keys().is_some(),
            Machine::Server(server) => server.machine.take_keys().is_some(),
        }
    }

    fn check(mut self, case: &Value, stage: usize, injected: &[u8]) -> Result<(), String> {
        self.replay(0, stage)?;
        let (reaction, sent) = self.handle(injected);
        let expected = json::text(case, "reaction")?;
        let wrong = || Err(format!("reaction: {reaction:?}, expected {expected}"));
        match (expected, reaction) {
            ("discard", Reaction::Discarded) => {
                json::equal_octets("sent after a discard", &sent, &[])?;
                self.replay(stage, self.script.messages.len())
            }
            ("resend-cached-response", Reaction::Answered) => {
                json::equal_octets("repeated Response", &sent, &self.last_sent(stage)?)?;
                self.replay(stage, self.script.messages.len())
            }
            ("answer", Reaction::Answered) => self.check_answer(case, stage, injected, &sent),
            ("accept", Reaction::Succeeded) => self.check_next(stage, &sent),
            ("fail", Reaction::Failed) => {
                let result = Packet::parse(&sent).map_err(|reject| reject.to_string())?;
                if result.code != Code::Failure || result.identifier != injected[1] {
                    return Err("no Failure with the Identifier of the Response".into());
                }
                if self.exports_keys() {
                    return Err("keys exported after a failure".into());
                }
                Ok(())
            }
            // Any reaction will do that opens nothing.
            ("implementation-defined", _) if json::text(case, "level")? == "UNCERTAIN" => {
                if reaction == Reaction::Succeeded || self.exports_keys() {
                    return Err("access opened".into());
                }
                Ok(())
            }
            _ => wrong(),
        }
    }

    /// The answer is one of those that the note spells out, or the recorded one.
    fn check_answer(
        &self,
        case: &Value,
        stage: usize,
        injected: &[u8],
        sent: &[u8],
    ) -> Result<(), String> {
        let note = case.get("note").and_then(Value::as_str).unwrap_or_default();
        let allowed: Vec<Vec<u8>> = note
            .split_whitespace()
            .filter(|word| word.len() >= 10)
            .filter_map(json::decode)
            .collect();
        if allowed.is_empty() {
            return self.check_next(stage, sent);
        }
        if sent.get(1) != injected.get(1) || !allowed.iter().any(|answer| answer == sent) {
            return Err(format!("answered {}, expected: {note}", json::encode(sent)));
        }
        Ok(())
    }

    /// `sent` is what the recorded receiver sent after the packet that is due at `stage`.
    fn check_next(&self, stage: usize, sent: &[u8]) -> Result<(), String> {
        let (_, expected) = self
            .script
            .messages
            .get(stage + 1)
            .ok_or("after_message: nothing follows")?;
        json::equal_octets("answer", sent, expected)
    }

    /// What the receiver sent last before `stage`.
    fn last_sent(&self, stage: usize) -> Result<Vec<u8>, String> {
        let sent = self.script.messages[..stage].iter().rev();
        sent.filter(|(receiver, _)| *receiver != self.end)
            .map(|(_, packet)| packet.clone())
            .next()
            .ok_or_else(|| "after_message: nothing was sent".into())
    }
}
