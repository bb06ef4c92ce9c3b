//! A meter's session as a message-sequence chart.
//!
//! One arrow per captured datagram. Addresses become lifelines: the meter, relay elements and
//! whoever else takes part, the head-end. A capture shows a datagram on a shared medium and once
//! more on the way behind it; where comments tell of hops, a border router stands between, so that
//! each of the two has a stretch of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use reports::sequence::{Arrow, Epoch, Kind, Lifeline, Sequence};

use super::{Capture, Frame, Node, Protocol, Story};

/// Datagrams that a chart shows at most.
pub const ARROWS_MAX: usize = 500;
/// Lifelines of others than the one it is about at most; the rest share the last one.
const OTHERS_MAX: usize = 5;

/// Collects the frames of one entity for a chart.
#[derive(Debug)]
pub struct Chart<'a> {
    capture: &'a Capture<'a>,
    /// Whose chart it is.
    address: IpAddr,
    meter: Option<u32>,
    frames: Vec<Frame>,
    /// What has been said on a stretch of the way, and last of all.
    said: BTreeMap<Stretch, (BTreeSet<String>, String)>,
    repeated: Vec<bool>,
    /// Datagrams beyond those that are shown.
    beyond: u64,
    /// Selected frames that are no datagrams.
    without: u64,
}

/// Addresses and interface.
type Stretch = (SocketAddr, SocketAddr, String);

/// A participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Party {
    Address(IpAddr),
    /// Between a shared medium and the way behind it.
    Border,
}

impl<'a> Chart<'a> {
    /// A chart about whoever has `address`; `meter` is its number, if it is a meter.
    pub const fn new(capture: &'a Capture<'a>, address: IpAddr, meter: Option<u32>) -> Self {
        Self {
            capture,
            address,
            meter,
            frames: Vec::new(),
            said: BTreeMap::new(),
            repeated: Vec::new(),
            beyond: 0,
            without: 0,
        }
    }

    /// Adds the next frame.
    pub fn push(&mut self, frame: Frame) {
        let (Some(source), Some(destination)) = (frame.source, frame.destination) else {
            self.without += 1;
            return;
        };
        if self.frames.len() == ARROWS_MAX {
            self.beyond += 1;
            return;
        }
        let stretch = (source, destination, frame.interface.clone());
        let message = identity(&frame);
        let (all, last) = self.said.entry(stretch).or_default();
        // A PCI is the same in every session: it is repeated if nothing else was said meanwhile.
        let known = all.contains(&message);
        let repeated = known && (!frame.words.contains("PCI") || *last == message);
        all.insert(message.clone());
        *last = message;
        self.repeated.push(repeated);
        self.frames.push(frame);
    }

    /// Datagrams that are shown.
    pub const fn shown(&self) -> usize {
        self.frames.len()
    }

    /// What is not shown, in sentences.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.beyond > 0 {
            let (shown, all) = (self.shown(), self.shown() as u64 + self.beyond);
            notes.push(format!(
                "Only the first {shown} of {all} datagrams are shown: \
                 choose a shorter time with --from and --until."
            ));
        }
        if self.without > 0 {
            notes.push(format!(
                "{} selected frames are no datagrams and are not shown.",
                self.without
            ));
        }
        notes
    }

    /// The chart; `file` is where it comes from.
    pub fn sequence(&self, file: &str) -> Sequence {
        let parties = self.parties();
        let place = |party: Party| {
            let known = parties.iter().position(|known| *known == party);
            // Those beyond the limit share the place in front of the last.
            known.unwrap_or(parties.len().saturating_sub(2))
        };
        let arrows: Vec<Arrow> = self
            .frames
            .iter()
            .zip(&self.repeated)
            .filter_map(|(frame, &repeated)| {
                let (from, to) = self.ends(frame)?;
                Some(arrow(frame, (place(from), place(to)), repeated))
            })
            .collect();
        let of = match self.meter {
            Some(meter) => format!("Meter {meter}"),
            None => self.address.to_string(),
        };
        let keys = if self.capture.keys().is_empty() {
            "no key log: nothing is verified or decrypted"
        } else {
            "keys of the meter from the key log, paler where a newer one has taken over"
        };
        let mut notes = self.notes();
        let hidden = self.hidden(&parties);
        if hidden > 0 {
            notes.push(format!("{hidden} more addresses share a lifeline."));
        }
        Sequence {
            title: format!("{of}: {} datagrams", arrows.len()),
            subtitle: format!("{}{file} · {keys}", self.identity()),
            notes,
            lifelines: parties.iter().map(|party| self.lifeline(*party)).collect(),
            epochs: self.epochs(&arrows),
            arrows,
        }
    }

    /// The identity of the meter, as far as comments tell.
    fn identity(&self) -> String {
        let name = self.capture.name_of(self.address);
        let identity = name.and_then(|name| name.split_once(" ("));
        let identity = identity.map(|(_, identity)| identity.trim_end_matches(')'));
        identity.map_or_else(String::new, |identity| format!("{identity} · "))
    }

    /// Whether comments tell of a shared medium.
    fn is_shared(&self) -> bool {
        self.frames.iter().any(has_passage)
    }

    /// Everybody in order: the one it is about, others, the border, the head-end.
    fn parties(&self) -> Vec<Party> {
        let mut others = self.everybody();
        let is_headend = |party: &Party| match party {
            Party::Address(address) => self.is_headend(*address),
            Party::Border => false,
        };
        let headends: Vec<Party> = others.iter().copied().filter(is_headend).collect();
        others.retain(|party| !is_headend(party));
        others.truncate(OTHERS_MAX);
        let mut parties = vec![Party::Address(self.address)];
        parties.extend(others);
        parties.extend(headends.into_iter().take(2));
        parties
    }

    /// Everybody but the one it is about, in the order of their first words.
    fn everybody(&self) -> Vec<Party> {
        let mut parties: Vec<Party> = Vec::new();
        for frame in &self.frames {
            let Some((from, to)) = self.ends(frame) else {
                continue;
            };
            for party in [from, to] {
                if party != Party::Address(self.address) && !parties.contains(&party) {
                    parties.push(party);
                }
            }
        }
        // The border stands next to the head-end.
        parties.sort_by_key(|party| *party == Party::Border);
        parties
    }

    fn hidden(&self, parties: &[Party]) -> usize {
        let everybody = self.everybody();
        let hidden = everybody.iter().filter(|party| !parties.contains(party));
        hidden.count()
    }

    /// Which stretch of the way a frame was captured on.
    fn ends(&self, frame: &Frame) -> Option<(Party, Party)> {
        let (source, destination) = (frame.source?.ip(), frame.destination?.ip());
        let (mut from, mut to) = (Party::Address(source), Party::Address(destination));
        if !self.is_shared() {
            return Some((from, to));
        }
        let border = self.border();
        let on_medium = has_passage(frame);
        let (is_up, is_down) = (self.is_headend(destination), self.is_headend(source));
        if is_up && border != from {
            *(if on_medium { &mut to } else { &mut from }) = border;
        } else if is_down && border != to {
            *(if on_medium { &mut from } else { &mut to }) = border;
        }
        Some((from, to))
    }

    /// The concentrator, where it takes part itself.
    fn border(&self) -> Party {
        let sockets = |frame: &Frame| [frame.source, frame.destination];
        let mut addresses = self.frames.iter().flat_map(sockets).flatten();
        let concentrator = addresses.find(|socket| {
            let name = self.capture.name_of(socket.ip());
            name.is_some_and(|name| name.starts_with("concentrator "))
        });
        concentrator.map_or(Party::Border, |socket| Party::Address(socket.ip()))
    }

    /// By its name in the comments; without them everybody is alike.
    fn is_headend(&self, address: IpAddr) -> bool {
        match self.capture.name_of(address) {
            Some(name) => name.starts_with("head-end "),
            None => false,
        }
    }

    fn lifeline(&self, party: Party) -> Lifeline {
        let Party::Address(address) = party else {
            return Lifeline {
                name: "border router".to_owned(),
                detail: "between the shared medium and the network".to_owned(),
            };
        };
        let known = self.capture.name_of(address);
        let unnamed = if address == self.address {
            self.meter
        } else {
            None
        };
        let name = match (known, unnamed) {
            // The identity in brackets is too long for a box; the subtitle has it.
            (Some(name), _) => name.split(" (").next().unwrap_or(name).to_owned(),
            (None, Some(meter)) => format!("meter {meter}"),
            (None, None) => address.to_string(),
        };
        let detail = if name == address.to_string() {
            String::new()
        } else {
            address.to_string()
        };
        Lifeline { name, detail }
    }

    /// Keys of the meter that lived while the chart lasts.
    fn epochs(&self, arrows: &[Arrow]) -> Vec<Epoch> {
        let (Some(first), Some(last)) = (arrows.first(), arrows.last()) else {
            return Vec::new();
        };
        let keys = self.capture.keys().application_keys().iter();
        let mut epochs: Vec<Epoch> = keys
            .filter(|key| Some(key.meter) == self.meter)
            .filter(|key| {
                key.derived_at_ns <= last.time_ns
                    && key.ended_at_ns.is_none_or(|ended| ended >= first.time_ns)
            })
            .map(|key| Epoch {
                name: format!("{:02X}", key.key_id),
                story: format!(
                    "C12.22 key {:#04x} of Key-Id {}, ended: {}",
                    key.key_id, key.kid32, key.end_reason
                ),
                from_ns: key.derived_at_ns,
                superseded_ns: key.superseded_at_ns,
                to_ns: key.ended_at_ns,
            })
            .collect();
        epochs.sort_by_key(|epoch| (epoch.from_ns, epoch.to_ns));
        epochs
    }
}

/// What a repetition has in common with the first transmission, even where one was altered: of
/// PANA the names, session identifiers and sequence numbers, of anything else all of it.
fn identity(frame: &Frame) -> String {
    fn collect(node: &Node, said: &mut String) {
        let names = ["Session-Id", "Sequence number"];
        if names.contains(&node.name.as_str()) {
            said.push_str(&node.text);
            said.push(' ');
        } else if node.name.starts_with("PANA ") {
            said.push_str(&node.name);
            said.push(' ');
        }
        for child in &node.children {
            collect(child, said);
        }
    }
    if !matches!(frame.protocol, Protocol::Pana | Protocol::Eap) {
        return format!("{:?}", frame.layers.last());
    }
    let mut said = String::new();
    frame
        .layers
        .iter()
        .for_each(|layer| collect(layer, &mut said));
    said
}

/// Whether the comment counts the hops of a shared medium.
fn has_passage(frame: &Frame) -> bool {
    frame.comment.contains(" hops, ")
}

fn arrow(frame: &Frame, (from, to): (usize, usize), repeated: bool) -> Arrow {
    let story = Story::parse(&frame.comment);
    let (label, detail) = headline(&frame.words);
    let mut full = frame.line();
    if !frame.comment.is_empty() {
        full.push('\n');
        full.push_str(&frame.comment);
    }
    Arrow {
        time_ns: frame.time_ns,
        from,
        to,
        kind: match frame.protocol {
            Protocol::Pana => Kind::Pana,
            Protocol::Eap => Kind::Eap,
            Protocol::C1222 => Kind::C1222,
            Protocol::Han | Protocol::Other => Kind::Other,
        },
        label,
        detail,
        lost: story.and_then(|story| story.ended.map(str::to_owned)),
        repeated,
        attack: story.and_then(|story| story.attack()),
        unsound: frame.is_unsound(),
        story: full.trim_start().to_owned(),
    }
}

/// The name of a message, and the rest of what there is to say about it.
fn headline(words: &str) -> (String, String) {
    // What a relay element carries is said first.
    if let Some((outer, rest)) = words.split_once(", [")
        && let Some((pry, pac)) = outer.split_once(", for ")
    {
        let inner = rest.strip_suffix(']').unwrap_or(rest);
        let (label, detail) = headline(inner);
        let separator = if detail.is_empty() { "" } else { " · " };
        return (
            format!("{pry} ({label})"),
            format!("{detail}{separator}for {pac}"),
        );
    }
    let (label, rest) = words.split_once(", ").unwrap_or((words, ""));
    if label.starts_with("C12.22") {
        let detail = match rest.split_once(": ") {
            Some((security, services)) => format!("{services} · {security}"),
            None => rest.to_owned(),
        };
        return (label.to_owned(), detail);
    }
    (label.to_owned(), rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_first_and_services_before_their_protection() {
        let of = |words| {
            let (label, detail) = headline(words);
            (label, detail)
        };
        let pair = |label: &str, detail: &str| (label.to_owned(), detail.to_owned());
        assert_eq!(of("PCI"), pair("PCI", ""));
        assert_eq!(of("PAR, EAP-PSK 1"), pair("PAR", "EAP-PSK 1"));
        assert_eq!(
            of("PRY, for 10.0.0.7:716, [PAR, EAP-PSK 1]"),
            pair("PRY (PAR)", "EAP-PSK 1 · for 10.0.0.7:716")
        );
        assert_eq!(
            of("PRY, for 10.0.0.7:716, [PAR[S]]"),
            pair("PRY (PAR[S])", "for 10.0.0.7:716")
        );
        assert_eq!(
            of("C12.22 request 1, encrypted, MAC verified: Write ST64, 17 octets"),
            pair(
                "C12.22 request 1",
                "Write ST64, 17 octets · encrypted, MAC verified"
            )
        );
    }
}
