//! Reading a capture with this program's own parsers and the key log beside it.
//!
//! ```text
//! capture::read --packet--> packet --datagram--> pana --EAP-Payload--> eap
//!                                          \---> c1222 --> service       |
//! key log --> keys ------------------------------^-----------------------+
//! ```
//!
//! The parsers are those of the firmware, so a dissection shows what a meter or the head-end makes
//! of a message: what they would refuse is marked, with the octet and the reason. Nothing a file
//! contains makes the dissector fail; a damaged file is read up to the damage.

mod c1222;
mod chart;
mod eap;
mod han;
mod keys;
mod packet;
mod pana;
mod select;
mod service;
mod story;
mod tables;
mod tree;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};

use crate::capture::read::{ReadError, Reader};

use c1222::Associations;
pub use chart::{ARROWS_MAX, Chart};
pub use keys::{ApplicationKey, KeyLogError, KeyRing, Session};
use packet::{Datagram, Transport};
pub use select::{Protocol, Selection};
pub use story::Story;
pub use tree::{Node, Verdict};

/// UDP port of PANA (RFC 5191 §6.1).
const PANA_PORT: u16 = 716;
/// UDP and TCP port of C12.22 (RFC 6142 §5).
const C1222_PORT: u16 = 1153;

/// What is known around a message while it is read.
#[derive(Clone, Copy)]
struct Surroundings<'a> {
    keys: &'a KeyRing,
    /// Virtual time.
    time_ns: u64,
    source: IpAddr,
    destination: IpAddr,
    /// The PaC, where a relay element or a C12.22 relay speaks for it.
    pac: Option<IpAddr>,
}

/// A dissected packet.
#[derive(Clone, Debug)]
pub struct Frame {
    /// From 1, as Wireshark counts.
    pub number: u64,
    /// Virtual time in nanoseconds, or time since the first packet where the file has no start.
    pub time_ns: u64,
    /// Name of the interface.
    pub interface: String,
    /// Where the datagram says it comes from, if there is one.
    pub source: Option<SocketAddr>,
    /// Where it goes.
    pub destination: Option<SocketAddr>,
    /// The PaC that a relay element or a C12.22 relay speaks for.
    pub pac: Option<SocketAddr>,
    /// The meter in whose home it was sent, as far as the file says.
    pub home: Option<u32>,
    /// What it is.
    pub protocol: Protocol,
    /// What it is, in a few words.
    pub words: String,
    /// What the file says about it.
    pub comment: String,
    /// Octets captured.
    pub octets: usize,
    /// Octets on the link.
    pub original_octets: u32,
    /// Its layers.
    pub layers: Vec<Node>,
}

/// A capture in memory, ready to be dissected.
#[derive(Debug)]
pub struct Capture<'a> {
    file: &'a [u8],
    keys: KeyRing,
    start_ns: u64,
    names: BTreeMap<IpAddr, String>,
}

impl<'a> Capture<'a> {
    /// Looks through `file` once, for its start and the names in its comments.
    ///
    /// # Errors
    ///
    /// It is no capture.
    pub fn new(file: &'a [u8], keys: KeyRing) -> Result<Self, ReadError> {
        let mut reader = Reader::new(file)?;
        let mut names = BTreeMap::new();
        let mut first_ns = None;
        // What is damaged shows when frames are read.
        while let Ok(Some(found)) = reader.next_packet() {
            first_ns.get_or_insert(found.time_ns);
            let Some(story) = Story::parse(found.comment) else {
                continue;
            };
            let link_type = reader.interfaces()[found.interface].link_type;
            let datagram = packet::datagram(link_type, found.octets, &mut Vec::new());
            let Some(datagram) = datagram else {
                continue;
            };
            for (socket, name) in [
                (datagram.source, story.from),
                (datagram.destination, story.to),
            ] {
                names.entry(socket.ip()).or_insert_with(|| name.to_owned());
            }
        }
        let start_ns = reader.start_s().map(|start_s| start_s * 1_000_000_000);
        Ok(Self {
            file,
            keys,
            start_ns: start_ns.or(first_ns).unwrap_or_default(),
            names,
        })
    }

    /// The keys that it is read with.
    pub const fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// Who has an address, as far as the comments of the file tell.
    pub fn name_of(&self, address: IpAddr) -> Option<&str> {
        self.names.get(&address).map(String::as_str)
    }

    /// The address of a meter, from the key log or the comments.
    pub fn meter_address(&self, meter: u32) -> Option<IpAddr> {
        let name = format!("meter {meter} (");
        let named = || {
            let mut names = self.names.iter();
            names.find(|(_, known)| known.starts_with(&name))
        };
        let known = self.keys.address_of(meter);
        known.or_else(|| named().map(|(address, _)| *address))
    }

    /// Its frames in order.
    ///
    /// # Panics
    ///
    /// Never: the file was recognised before.
    pub fn frames(&self) -> Frames<'_> {
        Frames {
            capture: self,
            reader: Reader::new(self.file).expect("the file was recognised"),
            number: 0,
            associations: Associations::new(),
            stations: han::Stations::default(),
        }
    }
}

/// Dissects one packet after the other; ends after the first error.
#[derive(Debug)]
pub struct Frames<'a> {
    capture: &'a Capture<'a>,
    reader: Reader<'a>,
    number: u64,
    associations: Associations,
    stations: han::Stations,
}

impl Iterator for Frames<'_> {
    type Item = Result<Frame, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = match self.reader.next_packet() {
            Ok(found) => found?,
            Err(error) => {
                self.reader.stop();
                return Some(Err(error));
            }
        };
        self.number += 1;
        let interface = &self.reader.interfaces()[found.interface];
        let mut frame = Frame {
            number: self.number,
            time_ns: found.time_ns.saturating_sub(self.capture.start_ns),
            interface: interface.name.clone(),
            source: None,
            destination: None,
            pac: None,
            home: han::home(found.comment),
            protocol: Protocol::Other,
            words: String::new(),
            comment: found.comment.to_owned(),
            octets: found.octets.len(),
            original_octets: found.original_octets,
            layers: Vec::new(),
        };
        let link_type = interface.link_type;
        if let Some(check) = han::check_sequence(link_type) {
            let keys = &self.capture.keys;
            let place = (frame.home, frame.time_ns);
            let (node, words) = self.stations.dissect(found.octets, check, place, keys);
            (frame.protocol, frame.words) = (Protocol::Han, words);
            frame.layers.push(node);
            return Some(Ok(frame));
        }
        match packet::datagram(link_type, found.octets, &mut frame.layers) {
            Some(datagram) => self.message(&datagram, &mut frame),
            None => frame.words = frame.layers.last().map_or_else(String::new, outline),
        }
        Some(Ok(frame))
    }
}

/// A layer in a few words.
fn outline(node: &Node) -> String {
    format!("{}: {}", node.name, node.text)
}

impl Frames<'_> {
    fn message(&mut self, datagram: &Datagram<'_>, frame: &mut Frame) {
        let around = Surroundings {
            keys: &self.capture.keys,
            time_ns: frame.time_ns,
            source: datagram.source.ip(),
            destination: datagram.destination.ip(),
            pac: None,
        };
        frame.source = Some(datagram.source);
        frame.destination = Some(datagram.destination);
        frame.protocol = protocol_of(datagram);
        match frame.protocol {
            Protocol::Pana | Protocol::Eap => {
                let (node, digest) = pana::dissect(datagram.payload, datagram.at, &around);
                if node
                    .children
                    .iter()
                    .any(|field| field.name == "EAP-Payload")
                {
                    frame.protocol = Protocol::Eap;
                }
                frame.pac = digest.pac;
                frame.words = digest.words;
                frame.layers.push(node);
            }
            Protocol::C1222 => self.apdus(datagram, &around, frame),
            Protocol::Han | Protocol::Other => {
                let count = datagram.payload.len();
                frame.words = match datagram.transport {
                    Transport::Tcp if count == 0 => {
                        frame.layers.last().map_or_else(String::new, outline)
                    }
                    Transport::Tcp | Transport::Udp => {
                        format!("payload of {}", tree::octets(count))
                    }
                };
                if count > 0 {
                    let node = Node::new("Payload", tree::hex(datagram.payload));
                    frame.layers.push(node.at(datagram.at));
                }
            }
        }
    }

    /// The meter whose message a C12.22 relay forwards: no meter is at either end, and one by title.
    fn behind_relay(&self, apdu: &[u8], around: &Surroundings<'_>) -> Option<IpAddr> {
        let keys = around.keys;
        let ends = [around.source, around.destination];
        let known = ends.iter().any(|end| keys.meter_at(*end).is_some());
        let by_title = || keys.address_by_title(apdu);
        (!known).then(by_title).flatten()
    }

    /// One APDU in a datagram of UDP; those that a segment of TCP holds in full.
    fn apdus(&mut self, datagram: &Datagram<'_>, around: &Surroundings<'_>, frame: &mut Frame) {
        let mut words = Vec::new();
        let (mut rest, mut at) = (datagram.payload, datagram.at);
        loop {
            let whole = match datagram.transport {
                Transport::Udp => rest.len(),
                Transport::Tcp => {
                    let length = firmware::c1222::acse::stream_len(rest);
                    let complete = length.ok().flatten().filter(|length| *length <= rest.len());
                    let Some(length) = complete else {
                        let text = format!("{}, a part of an APDU", tree::octets(rest.len()));
                        words.push(format!("C12.22 {text}"));
                        frame.layers.push(Node::new("C12.22", text).at(at));
                        break;
                    };
                    length
                }
            };
            let (apdu, more) = rest.split_at(whole);
            let behind = self.behind_relay(apdu, around);
            let around = Surroundings {
                pac: behind,
                ..*around
            };
            frame.pac = behind.map(|meter| SocketAddr::new(meter, C1222_PORT));
            let (node, said) = c1222::dissect(apdu, at, &around, &mut self.associations);
            frame.layers.push(node);
            words.push(said);
            (rest, at) = (more, at + whole);
            if rest.is_empty() {
                break;
            }
        }
        frame.words = words.join(" | ");
    }
}

/// By the registered ports; on others by what the payload looks like.
fn protocol_of(datagram: &Datagram<'_>) -> Protocol {
    let ports = [datagram.source.port(), datagram.destination.port()];
    let payload = datagram.payload;
    if payload.is_empty() {
        return Protocol::Other;
    }
    if ports.contains(&C1222_PORT) {
        return Protocol::C1222;
    }
    if datagram.transport == Transport::Udp {
        if ports.contains(&PANA_PORT) {
            return Protocol::Pana;
        }
        if firmware::pana::Message::parse(payload).is_ok() {
            return Protocol::Pana;
        }
    }
    match firmware::c1222::acse::stream_len(payload) {
        Ok(Some(length)) if length == payload.len() => Protocol::C1222,
        _ => Protocol::Other,
    }
}

impl Frame {
    /// Whether anything in it cannot be read, breaks a rule or fails to verify.
    pub fn is_unsound(&self) -> bool {
        self.layers.iter().any(Node::is_unsound)
    }

    /// The first field called `name`.
    pub fn find(&self, name: &str) -> Option<&Node> {
        self.layers.iter().find_map(|layer| layer.find(name))
    }

    /// One line: number, time, interface, addresses, what it is, and what became of it.
    pub fn line(&self) -> String {
        let seconds = self.time_ns / 1_000_000_000;
        let rest = self.time_ns % 1_000_000_000;
        let socket = |socket: Option<SocketAddr>| match socket {
            Some(socket) => socket.to_string(),
            None => "-".to_owned(),
        };
        let mark = if self.is_unsound() { '!' } else { ' ' };
        let mut line = format!(
            "{mark}{:>6} {seconds:>6}.{rest:09} {} {} -> {} {}",
            self.number,
            self.interface,
            socket(self.source),
            socket(self.destination),
            self.words
        );
        if let Some(story) = Story::parse(&self.comment) {
            for said in [
                story.ended.map(|cause| format!("lost: {cause}")),
                story.attack(),
            ]
            .into_iter()
            .flatten()
            {
                line = format!("{line} ({said})");
            }
        }
        line
    }

    /// The line, the comment and the tree.
    ///
    /// # Errors
    ///
    /// `out` does not take it.
    pub fn write(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        writeln!(out, "{}", self.line())?;
        if !self.comment.is_empty() {
            writeln!(out, "    {}", self.comment)?;
        }
        if self.octets != self.original_octets as usize {
            let captured = tree::octets(self.octets);
            writeln!(out, "    {captured} of {} captured", self.original_octets)?;
        }
        self.layers.iter().try_for_each(|layer| layer.write(out, 0))
    }

    /// All of it as one JSON object.
    pub fn to_json(&self) -> Value {
        let socket = |socket: Option<SocketAddr>| socket.map(|socket| socket.to_string());
        json!({
            "number": self.number,
            "time_ns": self.time_ns,
            "interface": self.interface,
            "source": socket(self.source),
            "destination": socket(self.destination),
            "pac": socket(self.pac),
            "protocol": self.protocol.name(),
            "summary": self.words,
            "comment": self.comment,
            "octets": self.octets,
            "original_octets": self.original_octets,
            "sound": !self.is_unsound(),
            "layers": self.layers.iter().map(Node::to_json).collect::<Vec<_>>(),
        })
    }
}
