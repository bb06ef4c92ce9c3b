//! PANA messages as trees (RFC 5191, RFC 6345, RFC 6786).

use std::net::{IpAddr, SocketAddr};

use firmware::crypto::{Integrity, Prf, Work};
use firmware::pana::avp::{Avp, Avps, Code, padding};
use firmware::pana::{AES128_CTR, Flags, HEADER_LEN, Header, Message, MessageType};

use super::Surroundings;
use super::eap;
use super::tree::{Node, Verdict, hex, octets};

/// Relayed messages inside each other at most: RFC 6345 §2 allows one.
const DEPTH_MAX: usize = 2;

/// A message in a few words, and who takes part in it besides the ends of the datagram.
#[derive(Clone, Debug, Default)]
pub(super) struct Digest {
    pub(super) words: String,
    /// The PaC that a relay element speaks for.
    pub(super) pac: Option<SocketAddr>,
}

/// Dissects the message in `octets`, which start at octet `at` of the packet.
pub(super) fn dissect(message: &[u8], at: usize, around: &Surroundings<'_>) -> (Node, Digest) {
    nested(message, at, around, 0)
}

fn nested(message: &[u8], at: usize, around: &Surroundings<'_>, depth: usize) -> (Node, Digest) {
    let header = match Header::parse(message) {
        Ok(header) => header,
        Err(reject) => {
            let words = format!("PANA, malformed: {}", reject.name());
            let node = Node::problem("PANA", at, reject.name());
            return (node, Digest { words, pac: None });
        }
    };
    let name = name(&header);
    let mut node = Node::new(format!("PANA {name}"), octets(message.len())).at(at);
    node.push(Node::new("Flags", flags(header.flags)).at(at + 4));
    node.push(Node::new("Session-Id", format!("{:#010x}", header.session_id)).at(at + 8));
    node.push(Node::new("Sequence number", header.sequence).at(at + 12));
    let parsed = Message::parse(message);
    let mut reading = Reading {
        message: parsed.as_ref().ok(),
        around,
        depth,
        digest: Digest {
            words: name,
            pac: None,
        },
    };
    let mut place = at + HEADER_LEN;
    for avp in Avps::new(&message[HEADER_LEN..]) {
        match avp {
            Ok(avp) => {
                let value_at = place + if avp.vendor.is_some() { 12 } else { 8 };
                node.push(reading.avp(&avp, value_at).at(place));
                place = value_at + avp.value.len() + padding(avp.value.len());
            }
            Err(reject) => node.push(Node::problem("AVP", place, reject.name())),
        }
    }
    let mut digest = reading.digest;
    if let Err(reject) = parsed {
        say(&mut digest.words, &format!("invalid: {}", reject.name()));
        let why = format!("a receiver discards it: {}", reject.name());
        node.push(Node::problem("Validity", at, why));
    }
    (node, digest)
}

/// A message while its AVPs are read.
struct Reading<'r, 'a> {
    /// The message, if it is valid.
    message: Option<&'r Message<'a>>,
    around: &'r Surroundings<'r>,
    depth: usize,
    digest: Digest,
}

impl Reading<'_, '_> {
    fn avp(&mut self, avp: &Avp<'_>, value_at: usize) -> Node {
        let code = Code::from_id(avp.code).filter(|_| avp.vendor.is_none());
        let length = octets(avp.value.len());
        let (node, words) = match code {
            Some(Code::EapPayload) => {
                let (eap, words) = eap::dissect(avp.value, value_at, self.around);
                (Node::new("EAP-Payload", length).with(vec![eap]), words)
            }
            Some(Code::RelayedMessage) if self.depth < DEPTH_MAX => {
                let pac = self.digest.pac.map(|pac| pac.ip());
                let around = Surroundings {
                    pac: pac.or(self.around.pac),
                    ..*self.around
                };
                let (inner, digest) = nested(avp.value, value_at, &around, self.depth + 1);
                let node = Node::new("Relayed-Message", length).with(vec![inner]);
                (node, format!("[{}]", digest.words))
            }
            Some(Code::PacInformation) => {
                self.digest.pac = self.message.and_then(|message| message.pac);
                let (text, words) = match self.digest.pac {
                    Some(pac) => (pac.to_string(), format!("for {pac}")),
                    None => (hex(avp.value), String::new()),
                };
                (Node::new("PaC-Information", text), words)
            }
            Some(Code::Auth) => auth(avp, self.message, self.around),
            Some(code) => {
                let (name, text, words) = plain(code, avp.value);
                (Node::new(name, text), words.unwrap_or_default())
            }
            None => {
                let name = match avp.vendor {
                    Some(vendor) => format!("AVP {} of vendor {vendor}", avp.code),
                    None => format!("AVP {}", avp.code),
                };
                (Node::new(name, hex(avp.value)), String::new())
            }
        };
        say(&mut self.digest.words, &words);
        node
    }
}

fn say(words: &mut String, more: &str) {
    if !more.is_empty() {
        words.push_str(", ");
        words.push_str(more);
    }
}

/// The name of a message with the flags that tell its kind, such as `PAR[S]`.
fn name(header: &Header) -> String {
    let request = header.is_request();
    let base = match header.kind {
        MessageType::ClientInitiation => "PCI",
        MessageType::Auth if request => "PAR",
        MessageType::Auth => "PAN",
        MessageType::Termination if request => "PTR",
        MessageType::Termination => "PTA",
        MessageType::Notification if request => "PNR",
        MessageType::Notification => "PNA",
        MessageType::Relay => "PRY",
        MessageType::Unknown(id) => return format!("message of type {id}"),
    };
    let letters = format!("{:?}", header.flags.without(Flags::REQUEST));
    if letters.is_empty() {
        base.to_owned()
    } else {
        format!("{base}[{letters}]")
    }
}

fn flags(flags: Flags) -> String {
    let names = [
        (Flags::REQUEST, "Request"),
        (Flags::START, "Start"),
        (Flags::COMPLETE, "Complete"),
        (Flags::REAUTHENTICATION, "re-Authentication"),
        (Flags::PING, "Ping"),
        (Flags::IP_RECONFIGURATION, "IP Reconfiguration"),
    ];
    let set = names.iter().filter(|(flag, _)| flags.contains(*flag));
    let set: Vec<&str> = set.map(|(_, name)| *name).collect();
    if set.is_empty() {
        "none".to_owned()
    } else {
        set.join(", ")
    }
}

/// AUTH, checked with the keys of the log.
fn auth(avp: &Avp<'_>, message: Option<&Message<'_>>, around: &Surroundings<'_>) -> (Node, String) {
    let field = |text: &str, verdict| {
        let node = Node::new("AUTH", format!("{}, {text}", hex(avp.value)));
        node.judged(verdict)
    };
    let Some(message) = message else {
        let text = "not checked: the message is invalid";
        return (field(text, Verdict::Unjudged), String::new());
    };
    let addresses = around.addresses();
    let sessions = around
        .keys
        .sessions_of(&addresses, message.key_id, around.time_ns);
    let keys = sessions
        .iter()
        .filter_map(|session| Some((session.kid32, session.auth.as_ref()?)));
    let (mut work, mut tried) = (Work::NONE, 0);
    for (kid32, key) in keys {
        tried += 1;
        if message.verify(key, &mut work).is_ok() {
            let text = format!("verified with the key of Key-Id {kid32}");
            return (field(&text, Verdict::Sound), "AUTH verified".to_owned());
        }
    }
    if tried == 0 {
        let text = "not checked: the log has no key for it";
        return (field(text, Verdict::Unjudged), String::new());
    }
    let text = "failed: no key of this meter in the log verifies it";
    (field(text, Verdict::Unsound), "AUTH failed".to_owned())
}

/// Name and value of an AVP without structure of its own, and what the summary says of it.
fn plain(code: Code, value: &[u8]) -> (&'static str, String, Option<String>) {
    let number = value.try_into().ok().map(u32::from_be_bytes);
    let Some(number) = number else {
        return (avp_name(code), hex(value), None);
    };
    let named = |name: Option<&str>| match name {
        Some(name) => format!("{number} {name}"),
        None => format!("{number} (unknown)"),
    };
    let (text, in_summary) = match code {
        Code::ResultCode => {
            let name = match number {
                0 => Some("PANA_SUCCESS"),
                1 => Some("PANA_AUTHENTICATION_REJECTED"),
                2 => Some("PANA_AUTHORIZATION_REJECTED"),
                _ => None,
            };
            let words = name.map(|name| name.trim_start_matches("PANA_").to_owned());
            (
                named(name),
                words.or_else(|| Some(format!("result {number}"))),
            )
        }
        Code::TerminationCause => {
            let name = match number {
                1 => Some("LOGOUT"),
                4 => Some("ADMINISTRATIVE"),
                8 => Some("SESSION_TIMEOUT"),
                _ => None,
            };
            (named(name), name.map(str::to_owned))
        }
        Code::SessionLifetime => (format!("{number} s"), Some(format!("lifetime {number} s"))),
        Code::KeyId => (number.to_string(), Some(format!("Key-Id {number}"))),
        Code::PrfAlgorithm => (named(Prf::from_id(number).map(prf_name)), None),
        Code::IntegrityAlgorithm => (named(Integrity::from_id(number).map(integrity_name)), None),
        Code::EncryptionAlgorithm => (named((number == AES128_CTR).then_some("AES128_CTR")), None),
        _ => (hex(value), None),
    };
    (avp_name(code), text, in_summary)
}

/// The names of RFC 7296 §3.3.2 and RFC 4615.
const fn prf_name(prf: Prf) -> &'static str {
    match prf {
        Prf::HmacSha1 => "PRF_HMAC_SHA1",
        Prf::HmacSha256 => "PRF_HMAC_SHA2_256",
        Prf::AesCmac => "PRF_AES128_CMAC",
    }
}

/// The names of RFC 7296 §3.3.2, RFC 4868 and RFC 4494.
const fn integrity_name(integrity: Integrity) -> &'static str {
    match integrity {
        Integrity::HmacSha1_160 => "AUTH_HMAC_SHA1_160",
        Integrity::HmacSha256_128 => "AUTH_HMAC_SHA2_256_128",
        Integrity::AesCmac96 => "AUTH_AES_CMAC_96",
    }
}

const fn avp_name(code: Code) -> &'static str {
    match code {
        Code::Auth => "AUTH",
        Code::EapPayload => "EAP-Payload",
        Code::IntegrityAlgorithm => "Integrity-Algorithm",
        Code::KeyId => "Key-Id",
        Code::Nonce => "Nonce",
        Code::PrfAlgorithm => "PRF-Algorithm",
        Code::ResultCode => "Result-Code",
        Code::SessionLifetime => "Session-Lifetime",
        Code::TerminationCause => "Termination-Cause",
        Code::PacInformation => "PaC-Information",
        Code::RelayedMessage => "Relayed-Message",
        Code::EncryptionEncap => "Encryption-Encap",
        Code::EncryptionAlgorithm => "Encryption-Algorithm",
    }
}

impl Surroundings<'_> {
    /// Where the meter may be, the likeliest first.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        match self.pac {
            Some(pac) => vec![pac],
            None => vec![self.source, self.destination],
        }
    }
}
