//! C12.22 APDUs as trees: ACSE elements, EPSEM, services (IEEE 1703-2012 §5.3.2).

use std::collections::{BTreeMap, VecDeque};

use firmware::Instant;
use firmware::c1222::acse::{Authentication, Header, Qualifier};
use firmware::c1222::apdu::{Apdu, base};
use firmware::c1222::epsem::{Control, Payload};
use firmware::c1222::segment::{Limits, Reassembler, Segment};
use firmware::c1222::{ApTitle, Mode, ResponseControl, ber};
use firmware::crypto::Work;
use firmware::crypto::eax_prime::{EaxPrimeKey, Failure};
use firmware::wire::{Error, Reader};

use super::Surroundings;
use super::service::{self, Asked};
use super::tree::{Node, Verdict, hex, octets, offset};

/// Requests and sessions that are remembered; older ones give way.
const REMEMBERED_MAX: usize = 1 << 16;
/// APDUs in reassembly at a time.
const PARTIAL_MAX: usize = 256;

/// What earlier APDUs tell about later ones.
#[derive(Debug)]
pub(super) struct Associations {
    /// By calling title and invocation id: what a request asked for.
    asked: BTreeMap<(u64, u32), Vec<Asked>>,
    order: VecDeque<(u64, u32)>,
    /// By both titles: key id and IV of the latest Logon.
    sessions: BTreeMap<(u64, u64), Authentication>,
    segments: Reassembler,
}

impl Associations {
    pub(super) fn new() -> Self {
        let limits = Limits {
            apdus_max: PARTIAL_MAX,
            ..Limits::default()
        };
        Self {
            asked: BTreeMap::new(),
            order: VecDeque::new(),
            sessions: BTreeMap::new(),
            segments: Reassembler::new(limits),
        }
    }

    fn remember(&mut self, request: (u64, u32), asked: Vec<Asked>) {
        if self.asked.insert(request, asked).is_none() {
            self.order.push_back(request);
        }
        if self.order.len() > REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.asked.remove(&oldest);
        }
    }

    fn open_session(&mut self, titles: (u64, u64), authentication: Authentication) {
        if self.sessions.len() >= REMEMBERED_MAX {
            self.sessions.pop_first();
        }
        self.sessions.insert(titles, authentication);
    }
}

/// Dissects the APDU that starts at octet `at`; also says it in a few words.
pub(super) fn dissect(
    apdu: &[u8],
    at: usize,
    around: &Surroundings<'_>,
    associations: &mut Associations,
) -> (Node, String) {
    let mut node = Node::new("C12.22", octets(apdu.len())).at(at);
    let places = match places(apdu) {
        Ok(places) => places,
        Err((place, error)) => {
            let node = Node::problem("C12.22", at + place, error);
            return (node, format!("C12.22 malformed: {error}"));
        }
    };
    let place = |tag: u8| {
        let found = places.iter().find(|(known, _)| *known == tag);
        at + found.map_or(0, |(_, place)| *place)
    };
    match Segment::parse(apdu) {
        Ok(Some(segment)) => {
            let mut words = elements(&segment.header, &place, &mut node);
            words.push_str(", segment");
            let whole = reassemble(&segment, around, associations, &mut node, &mut words);
            if let Some(whole) = whole {
                let (inner, more) = complete(&whole, around, associations);
                node.push(inner);
                words = more;
            }
            (node, words)
        }
        Ok(None) => {
            let words = unsegmented(apdu, at, &place, around, associations, &mut node);
            (node, words)
        }
        Err(error) => {
            node.push(Node::problem("Elements", place(0xA8), error));
            (node, format!("C12.22 malformed: {error}"))
        }
    }
}

/// Where each element starts; for the first that is cut off: where, and why.
fn places(apdu: &[u8]) -> Result<Vec<(u8, usize)>, (usize, Error)> {
    let mut reader = Reader::new(apdu);
    let mut places = Vec::new();
    let place = |reader: &Reader<'_>| apdu.len() - reader.remaining();
    match reader.u8() {
        Ok(0x60) => {}
        Ok(_) => return Err((0, Error::Malformed("APDU tag"))),
        Err(error) => return Err((0, error)),
    }
    let length = ber::read_len(&mut reader).map_err(|error| (1, error))?;
    if length != reader.remaining() {
        let (need, have) = (length, reader.remaining());
        let error = if need > have {
            Error::Truncated { need, have }
        } else {
            Error::Malformed("trailing octets")
        };
        return Err((1, error));
    }
    while !reader.is_empty() {
        let start = place(&reader);
        let mut element = || {
            let tag = reader.u8()?;
            let length = ber::read_len(&mut reader)?;
            reader.take(length)?;
            Ok(tag)
        };
        places.push((element().map_err(|error| (start, error))?, start));
    }
    Ok(places)
}

/// Adds the elements before the user information; says whether it is a request or a response.
fn elements(header: &Header<'_>, place: &dyn Fn(u8) -> usize, node: &mut Node) -> String {
    let title = |title: ApTitle<'_>| match title {
        ApTitle::Relative([]) => "(unassigned)".to_owned(),
        title => title.to_string(),
    };
    let mut add = |name: &str, tag: u8, text: String| {
        node.push(Node::new(name, text).at(place(tag)));
    };
    if let Some(context) = header.context {
        let context = ApTitle::Absolute(context);
        add("aSO-context", 0xA1, context.to_string());
    }
    if let Some(called) = header.called {
        add("called-AP-title", 0xA2, title(called));
    }
    if let Some(total) = header.segmented_len {
        add("segmented APDU length", 0xA3, total.to_string());
    }
    if let Some(invocation) = header.called_invocation {
        add("called-AP-invocation-id", 0xA4, invocation.to_string());
    }
    if let Some(calling) = header.calling {
        add("calling-AP-title", 0xA6, title(calling));
    }
    if let Some(qualifier) = header.qualifier {
        add("calling-AE-qualifier", 0xA7, qualifier_text(qualifier));
    }
    let invocation = header.invocation;
    add("calling-AP-invocation-id", 0xA8, invocation.to_string());
    if let Some(mechanism) = header.mechanism {
        let mechanism = ApTitle::Absolute(mechanism);
        add("mechanism-name", 0x8B, mechanism.to_string());
    }
    if let Some(authentication) = &header.authentication {
        let (key_id, utc) = (authentication.key_id(), authentication.utc());
        let iv = hex(&authentication.iv);
        let text = format!("key id {key_id:#04x}, IV {iv} ({utc} s UTC)");
        add("calling-authentication-value", 0xAC, text);
    }
    match header.called_invocation {
        Some(request) => format!("C12.22 response to {request}"),
        None => format!("C12.22 request {invocation}"),
    }
}

fn qualifier_text(qualifier: Qualifier) -> String {
    let names = [
        (Qualifier::TEST, "TEST"),
        (Qualifier::URGENT, "URGENT"),
        (Qualifier::NOTIFICATION, "NOTIFICATION"),
    ];
    let set = names.iter().filter(|(flag, _)| qualifier.contains(*flag));
    let set: Vec<&str> = set.map(|(_, name)| *name).collect();
    format!("{:#04x} {}", qualifier.0, set.join(" "))
}

/// Adds a segment; returns the complete APDU with its last one.
fn reassemble(
    segment: &Segment<'_>,
    around: &Surroundings<'_>,
    associations: &mut Associations,
    node: &mut Node,
    words: &mut String,
) -> Option<Vec<u8>> {
    let end = segment.offset as usize + segment.chunk.len();
    let text = format!("octets {} to {end} of {}", segment.offset, segment.total);
    *words = format!("{words} {text}");
    node.push(Node::new("Segment", text));
    let now = Instant::from_nanos(around.time_ns);
    match associations.segments.insert(segment, now) {
        Ok(whole) => whole.map(|whole| whole.to_vec()),
        Err(error) => {
            node.push(Node::new("Reassembly", error).judged(Verdict::Unsound));
            None
        }
    }
}

/// Dissects an APDU that was put together from segments; its offsets count in itself.
fn complete(
    whole: &[u8],
    around: &Surroundings<'_>,
    associations: &mut Associations,
) -> (Node, String) {
    let text = format!("{}, offsets count from its start", octets(whole.len()));
    let mut node = Node::new("Reassembled APDU", text);
    let places = match places(whole) {
        Ok(places) => places,
        Err((place, error)) => {
            node.push(Node::problem("Elements", place, error));
            return (node, format!("C12.22 malformed: {error}"));
        }
    };
    let place = |tag: u8| {
        let found = places.iter().find(|(known, _)| *known == tag);
        found.map_or(0, |(_, place)| *place)
    };
    let words = unsegmented(whole, 0, &place, around, associations, &mut node);
    (node, words)
}

fn unsegmented(
    octets: &[u8],
    at: usize,
    place: &dyn Fn(u8) -> usize,
    around: &Surroundings<'_>,
    associations: &mut Associations,
    node: &mut Node,
) -> String {
    let apdu = match Apdu::parse(octets) {
        Ok(apdu) => apdu,
        Err(error) => {
            node.push(Node::problem("User information", place(0xBE), error));
            return format!("C12.22 malformed: {error}");
        }
    };
    let header = *apdu.header();
    let mut words = elements(&header, place, node);
    let control = apdu.control();
    let control_at = at + offset(octets, apdu.text()).saturating_sub(1);
    node.push(control_node(control).at(control_at));

    let titles = Titles::of(&header);
    let session = associations.sessions.get(&titles.pair()).copied();
    let mut opened = octets.to_vec();
    let payload = match control.mode() {
        Mode::Clear => {
            words.push_str(", clear");
            apdu.payload()
        }
        mode => {
            let (state, payload) = open(&mut opened, session, around);
            words = format!("{words}, {}, {}", mode.name(), state.words());
            node.push(state.node(apdu.mac()));
            match payload {
                Some(payload) => payload,
                // In mode 1 the services are readable all the same.
                None if mode == Mode::Authenticated => apdu.payload(),
                None => {
                    let count = apdu.text().len();
                    let text = format!("{}, encrypted", super::tree::octets(count));
                    node.push(Node::new("Services", text).at(control_at + 1));
                    return words;
                }
            }
        }
    };
    match payload {
        Ok(payload) => {
            let known = (&header, &titles, control_at + 1, apdu.text().len());
            let more = services(&payload, known, associations, node);
            format!("{words}: {more}")
        }
        Err(error) => {
            node.push(Node::problem("Services", control_at + 1, error));
            format!("{words}, malformed: {error}")
        }
    }
}

/// The two ends of an association, as numbers.
struct Titles {
    called: u64,
    calling: u64,
}

impl Titles {
    fn of(header: &Header<'_>) -> Self {
        let base = base(header);
        let number = |title: Option<ApTitle<'_>>| {
            let title = title.unwrap_or(ApTitle::UNASSIGNED);
            title.fingerprint(base)
        };
        Self {
            called: number(header.called),
            calling: number(header.calling),
        }
    }

    fn pair(&self) -> (u64, u64) {
        let (a, b) = (self.called, self.calling);
        (a.min(b), a.max(b))
    }
}

fn control_node(control: Control) -> Node {
    let response = match control.response() {
        ResponseControl::Always => "response always",
        ResponseControl::OnException => "response on exception",
        ResponseControl::Never => "response never",
    };
    let mut text = format!(
        "{:#04x}, {}, {response}",
        control.octet(),
        control.mode().name()
    );
    for (flag, name) in [
        (control.is_recovery(), "recovery session"),
        (control.is_proxied(), "proxy used"),
        (control.has_ed_class(), "ED class included"),
    ] {
        if flag {
            text.push_str(", ");
            text.push_str(name);
        }
    }
    Node::new("EPSEM control", text)
}

/// What became of the MAC.
enum Protection {
    Verified { meter: u32, kid32: u32, key_id: u8 },
    NoKey(u8),
    Failed { key_id: u8, tried: usize },
    Forgeable,
}

impl Protection {
    const fn words(&self) -> &'static str {
        match self {
            Self::Verified { .. } => "MAC verified",
            Self::NoKey(_) => "no key",
            Self::Failed { .. } => "MAC failed",
            Self::Forgeable => "cleartext too short",
        }
    }

    fn node(&self, mac: Option<[u8; 4]>) -> Node {
        let mac = hex(&mac.unwrap_or_default());
        let (text, verdict) = match self {
            Self::Verified {
                meter,
                kid32,
                key_id,
            } => (
                format!("verified with key {key_id:#04x} of meter {meter}, Key-Id {kid32}"),
                Verdict::Sound,
            ),
            Self::NoKey(key_id) => (
                format!("not checked: the log has no key {key_id:#04x} of these addresses"),
                Verdict::Unjudged,
            ),
            Self::Failed { key_id, tried } => (
                format!("failed under all {tried} keys {key_id:#04x} of these addresses"),
                Verdict::Unsound,
            ),
            Self::Forgeable => (
                "refused: the cleartext is so short that EAX' can be forged".to_owned(),
                Verdict::Unsound,
            ),
        };
        Node::new("MAC", format!("{mac}, {text}")).judged(verdict)
    }
}

/// Opens the APDU in place with the likeliest key that does it.
fn open<'a>(
    octets: &'a mut [u8],
    session: Option<Authentication>,
    around: &Surroundings<'_>,
) -> (Protection, Option<Result<Payload<'a>, Error>>) {
    let nobody = Authentication {
        key_id: None,
        iv: [0; 4],
    };
    let session = session.unwrap_or(nobody);
    let Ok(mut apdu) = Apdu::parse_mut(octets) else {
        return (Protection::NoKey(session.key_id()), None);
    };
    let authentication = apdu.header().authentication.unwrap_or(session);
    let key_id = authentication.key_id();
    let addresses = around.addresses();
    let keys = around.keys.keys_of(&addresses, key_id, around.time_ns);
    let mut work = Work::NONE;
    for known in &keys {
        let key = EaxPrimeKey::new(&known.key, &mut work);
        match apdu.open(&key, session, &mut work) {
            Ok(()) => {
                let protection = Protection::Verified {
                    meter: known.meter,
                    kid32: known.kid32,
                    key_id,
                };
                return (protection, Some(apdu.into_payload()));
            }
            Err(Failure::CleartextTooShort) => return (Protection::Forgeable, None),
            Err(Failure::Mac) => {}
        }
    }
    let protection = match keys.len() {
        0 => Protection::NoKey(key_id),
        tried => Protection::Failed { key_id, tried },
    };
    (protection, None)
}

/// Adds the device class and the services; says what they are.
fn services(
    payload: &Payload<'_>,
    (header, titles, at, length): (&Header<'_>, &Titles, usize, usize),
    associations: &mut Associations,
    node: &mut Node,
) -> String {
    if let Some(class) = payload.ed_class {
        let text = super::tree::text(&class);
        node.push(Node::new("ED class", text).at(at));
    }
    let asked = header.called_invocation.map(|invocation| {
        let request = (titles.called, invocation);
        let known = associations.asked.get(&request);
        known.cloned().unwrap_or_default()
    });
    let (mut words, mut requests) = (Vec::new(), Vec::new());
    let mut services = payload.services();
    let mut number = 0;
    loop {
        let place = at + length - services.remaining().min(length);
        let Some(service) = services.next() else {
            break;
        };
        let service = match service {
            Ok(service) => service,
            Err(error) => {
                node.push(Node::problem("Service", place, error));
                words.push(format!("malformed: {error}"));
                break;
            }
        };
        let start = at + length - services.remaining().min(length);
        let start = start.saturating_sub(service.len());
        let is_request = service.first().is_some_and(|code| *code >= 0x20);
        let (found, text) = if is_request {
            let (found, text, what) = service::request(service, start);
            requests.push(what);
            (found, text)
        } else {
            let what = asked.as_ref().and_then(|asked| asked.get(number));
            service::response(service, start, what.copied())
        };
        node.push(found);
        words.push(text);
        number += 1;
    }
    if header.called_invocation.is_none() {
        let logs_on = requests.contains(&Asked::Logon);
        associations.remember((titles.calling, header.invocation), requests);
        if let (true, Some(authentication)) = (logs_on, header.authentication) {
            associations.open_session(titles.pair(), authentication);
        }
    }
    words.join("; ")
}
