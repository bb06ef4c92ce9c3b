//! Frames of home area networks (IEEE 802.15.4-2006 §7.2, `firmware::han`).

use std::collections::BTreeMap;

use firmware::crypto::Work;
use firmware::han::command::{AssociationStatus, Command, permits_joining};
use firmware::han::frame::{
    Address, Endpoint, FCS_LEN, FrameKind, Header, KeyIdentifier, PSDU_MAX, Security, fcs,
};
use firmware::han::message::Message;
use firmware::han::{Reject, open_frame};
use firmware::wire::Reader;

use super::KeyRing;
use super::tree::{Node, Verdict, hex, octets};
use crate::capture::pcapng;

/// LINKTYPE_IEEE802_15_4_NOFCS.
const WITHOUT_FCS: u16 = 230;
/// Short addresses that are remembered at most.
const STATIONS_MAX: usize = 65_536;

/// Whether frames of `link_type` end with a check sequence; none if they are other frames.
pub(super) const fn check_sequence(link_type: u16) -> Option<bool> {
    match link_type {
        pcapng::IEEE802_15_4 => Some(true),
        WITHOUT_FCS => Some(false),
        _ => None,
    }
}

/// The meter of the home, from the comment of a run.
pub(super) fn home(comment: &str) -> Option<u32> {
    let rest = comment.strip_prefix("home of meter ")?;
    rest.split_once(';')?.0.parse().ok()
}

/// Who got which short address, which secured frames may name instead of the EUI-64.
#[derive(Clone, Debug, Default)]
pub(super) struct Stations(BTreeMap<(u16, u16), u64>);

impl Stations {
    /// Dissects a frame in the home of a meter, at a virtual time.
    pub(super) fn dissect(
        &mut self,
        psdu: &[u8],
        has_fcs: bool,
        place: (Option<u32>, u64),
        keys: &KeyRing,
    ) -> (Node, String) {
        let mut node = Node::new("IEEE 802.15.4", octets(psdu.len())).at(0);
        if psdu.len() > PSDU_MAX {
            node.push(Node::problem("Length", 0, "a frame has at most 127 octets"));
        }
        let cut = if has_fcs { FCS_LEN } else { 0 };
        let Some(len) = psdu.len().checked_sub(cut) else {
            node.push(Node::problem("Frame", 0, "too short for a check sequence"));
            return (node, "802.15.4, malformed".to_owned());
        };
        let (frame, check) = psdu.split_at(len);
        let mut reader = Reader::new(frame);
        let header = match Header::parse(&mut reader) {
            Ok(header) => header,
            Err(error) => {
                node.push(Node::problem("Header", len - reader.remaining(), error));
                node.push(check_node(frame, check));
                return (node, "802.15.4, malformed".to_owned());
            }
        };
        let at = len - reader.remaining();
        head(&header, &mut node);
        let content = match header.security {
            Some(security) => self.secured(frame, (&header, security, at), place, keys),
            None => self.plain(&header, &frame[at..], at),
        };
        let (contents, words) = content;
        node.children.extend(contents);
        node.push(check_node(frame, check));
        let kind = kind(header.kind);
        let words = match words.as_str() {
            "" => format!("802.15.4 {kind}"),
            words => format!("802.15.4 {kind}, {words}"),
        };
        (node, words)
    }

    /// What a frame without security says.
    fn plain(&mut self, header: &Header, payload: &[u8], at: usize) -> (Option<Node>, String) {
        match header.kind {
            FrameKind::Command => match Command::parse(payload) {
                Ok(command) => {
                    self.learn(header, command);
                    let words = command_words(command);
                    (Some(Node::new("Command", &words).at(at)), words)
                }
                Err(error) => (Some(Node::problem("Command", at, error)), String::new()),
            },
            FrameKind::Beacon => match permits_joining(payload) {
                Ok(permits) => {
                    let words = match permits {
                        true => "a meter that lets devices associate",
                        false => "not of a meter that lets devices associate",
                    };
                    (Some(Node::new("Beacon", words).at(at)), words.to_owned())
                }
                Err(error) => (Some(Node::problem("Beacon", at, error)), String::new()),
            },
            FrameKind::Ack if payload.is_empty() => (None, format!("of {}", header.sequence)),
            FrameKind::Ack => {
                let node = Node::problem("Payload", at, "an acknowledgement has none");
                (Some(node), String::new())
            }
            FrameKind::Data => {
                let why = format!("not secured, receivers discard it: {}", hex(payload));
                let node = Node::problem("Payload", at, why);
                (Some(node), "not secured".to_owned())
            }
        }
    }

    /// Remembers what an association response hands out.
    fn learn(&mut self, header: &Header, command: Command) {
        if let Command::AssociationResponse {
            short,
            status: AssociationStatus::Success,
        } = command
            && let Some(Endpoint {
                pan,
                address: Address::Extended(device),
            }) = header.destination
            && self.0.len() < STATIONS_MAX
        {
            self.0.insert((pan, short), device);
        }
    }

    /// What a secured frame says, as far as the key log opens it.
    fn secured(
        &self,
        frame: &[u8],
        (header, security, at): (&Header, Security, usize),
        (home, time_ns): (Option<u32>, u64),
        keys: &KeyRing,
    ) -> (Option<Node>, String) {
        let sender = header.source.and_then(|source| match source.address {
            Address::Extended(device) => Some(device),
            Address::Short(short) => self.0.get(&(source.pan, short)).copied(),
        });
        let payload = |text: String| Node::new("Payload", text).at(at);
        let sealed = octets(frame.len() - at);
        let Some(sender) = sender else {
            let text = format!("{sealed}: the EUI-64 of the sender is not known");
            return (Some(payload(text)), "secured".to_owned());
        };
        let key_id = match security.key {
            KeyIdentifier::Implicit => None,
            KeyIdentifier::Index(index)
            | KeyIdentifier::Source4(_, index)
            | KeyIdentifier::Source8(_, index) => Some(index),
        };
        let candidates = keys.home_keys(home, key_id, time_ns);
        let mut failed = None;
        for candidate in &candidates {
            match open_frame(frame, &candidate.key, sender, &mut Work::default()) {
                Ok(message) => {
                    let (node, words) = message_node(&message);
                    let text = "MIC verified, decrypted".to_owned();
                    let node = payload(text).judged(Verdict::Sound).with(vec![node]);
                    return (Some(node), format!("MIC verified: {words}"));
                }
                Err(Reject::BadMic) => failed = failed.or(Some(Reject::BadMic)),
                // Authentic, but not readable.
                Err(reject) => failed = Some(reject),
            }
        }
        match failed {
            Some(Reject::BadMic) | None if home.is_none() || candidates.is_empty() => {
                let text = format!("{sealed}: no key of the log opens it");
                (Some(payload(text)), "secured".to_owned())
            }
            failed => {
                let why = failed.map_or("not authentic", |reject| reject.name());
                let node = Node::problem("Payload", at, format!("{sealed}: {why}"));
                (Some(node), format!("cannot be opened: {why}"))
            }
        }
    }
}

fn check_node(frame: &[u8], check: &[u8]) -> Node {
    let Ok(found) = check.try_into().map(u16::from_le_bytes) else {
        return Node::new("Check sequence", "not captured");
    };
    let at = frame.len();
    let right = fcs(frame);
    if found == right {
        let text = format!("{found:#06x}, right");
        return Node::new("Check sequence", text)
            .at(at)
            .judged(Verdict::Sound);
    }
    let why = format!("{found:#06x}, but the frame has {right:#06x}");
    Node::problem("Check sequence", at, why)
}

fn head(header: &Header, node: &mut Node) {
    node.push(Node::new("Frame type", kind(header.kind)).at(0));
    let flags = [
        (header.pending, "frame pending"),
        (header.ack_request, "asks for an acknowledgement"),
    ];
    let flags = flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name);
    let flags: Vec<&str> = flags.collect();
    if !flags.is_empty() {
        node.push(Node::new("Flags", flags.join(", ")).at(0));
    }
    node.push(Node::new("Sequence number", header.sequence).at(2));
    for (name, end) in [
        ("Destination", header.destination),
        ("Source", header.source),
    ] {
        if let Some(end) = end {
            node.push(Node::new(name, endpoint(end)));
        }
    }
    if let Some(security) = header.security {
        let key = match security.key {
            KeyIdentifier::Implicit => "installation key".to_owned(),
            KeyIdentifier::Index(index) => format!("link key {index:#04x}"),
            KeyIdentifier::Source4(source, index) => {
                format!("key {index:#04x} of source {source:#010x}")
            }
            KeyIdentifier::Source8(source, index) => {
                format!("key {index:#04x} of source {source:#018x}")
            }
        };
        let level = security.level.code();
        let text = format!("level {level}, frame counter {}, {key}", security.counter);
        node.push(Node::new("Security", text));
    }
}

const fn kind(kind: FrameKind) -> &'static str {
    match kind {
        FrameKind::Beacon => "beacon",
        FrameKind::Data => "data",
        FrameKind::Ack => "acknowledgement",
        FrameKind::Command => "command",
    }
}

fn endpoint(end: Endpoint) -> String {
    match end.address {
        Address::Short(short) => format!("PAN {:#06x}, {short:#06x}", end.pan),
        Address::Extended(device) => format!("PAN {:#06x}, {device:016x}", end.pan),
    }
}

fn command_words(command: Command) -> String {
    match command {
        Command::AssociationRequest { capabilities } => {
            format!("association request, capabilities {capabilities:#04x}")
        }
        Command::AssociationResponse { short, status } => match status {
            AssociationStatus::Success => format!("association response: {short:#06x}"),
            AssociationStatus::AtCapacity => "association response: at capacity".to_owned(),
            AssociationStatus::AccessDenied => "association response: denied".to_owned(),
            AssociationStatus::Unknown(code) => format!("association response: status {code}"),
        },
        Command::DataRequest => "data request".to_owned(),
        Command::BeaconRequest => "beacon request".to_owned(),
    }
}

fn message_node(message: &Message) -> (Node, String) {
    let (name, text) = match message {
        Message::KeyRequest(challenge) => ("Key request", format!("challenge {}", hex(challenge))),
        Message::KeyTransport {
            challenge,
            key_id,
            lifetime_s,
            ..
        } => (
            "Key transport",
            format!(
                "key {key_id:#04x} for {lifetime_s} s, challenge {}",
                hex(challenge)
            ),
        ),
        Message::KeyConfirm => ("Key confirmation", String::new()),
        Message::Usage(usage) => (
            "Usage",
            format!(
                "{} W, {} Wh, tier {}, {} mills at {} s",
                usage.power_w, usage.energy_wh, usage.tier, usage.price_mills, usage.utc_s
            ),
        ),
        Message::Text(text) => ("Text", format!("{}: {}", text.number, text.text())),
        Message::DemandEvent(event) => (
            "Demand event",
            format!(
                "{} from {} s for {} min, {} %",
                event.number, event.start_utc_s, event.minutes, event.reduction_percent
            ),
        ),
        Message::EventAnswer(answer) => {
            let verb = if answer.accepted {
                "accepted"
            } else {
                "declined"
            };
            let text = format!("{} {verb}, {} W", answer.number, answer.reduction_w);
            ("Event answer", text)
        }
    };
    let words = match text.as_str() {
        "" => name.to_owned(),
        text => format!("{name} {text}"),
    };
    (Node::new(name, text), words)
}
