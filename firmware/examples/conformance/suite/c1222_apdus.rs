//! `c1222_apdus.json`: complete APDUs in clear, authenticated and encrypted, and damaged ones.

use firmware::c1222::apdu::Apdu;
use firmware::c1222::aptitle::{ApTitle, NETWORK_ROOT, Title};
use firmware::c1222::node::{Config, Node};
use firmware::c1222::reject::Reject;
use firmware::crypto::{Secret, Work};
use firmware::ukmf::{KeyReject, KeyStore, Policy, Replay, Role};
use firmware::{Env, Instant};
use serde_json::Value;

use super::c1222::{self, present};
use super::json::{self, expect_text};
use super::report::Report;
use super::rng::ScriptedRng;

pub(super) fn run(document: &Value, report: &mut Report) -> Option<()> {
    let apdus = document.get("apdus")?.as_array()?;
    apdus.first()?.get("epsem_plaintext")?;
    let name = |case: &Value| case.get("id").and_then(Value::as_str).map(str::to_owned);
    report.case("default-base-oid", || {
        let root = ApTitle::Absolute(&NETWORK_ROOT).to_string();
        expect_text(document, "default_base_oid", &root)
    });
    for case in apdus {
        let name = name(case).unwrap_or_else(|| "unnamed".into());
        report.case(&name, || check(document, case));
    }
    for case in document.get("negative").and_then(Value::as_array)? {
        let name = name(case).unwrap_or_else(|| "unnamed".into());
        report.case(&name, || check_damaged(document, apdus, case));
    }
    Some(())
}

fn check(document: &Value, case: &Value) -> Result<(), String> {
    json::only(
        case,
        &[
            "id",
            "description",
            "apdu",
            "called_ap_title",
            "calling_ap_title",
            "calling_ap_invocation_id",
            "called_ap_invocation_id",
            "application_context",
            "calling_ae_qualifier",
            "epsem_control",
            "security_mode",
            "response_control",
            "ed_class",
            "key_id",
            "iv",
            "auth_element_present",
            "key",
            "base_oid",
            "canonified_cleartext",
            "mac",
            "epsem_plaintext",
            "services",
            "tags",
        ],
    )?;
    if let Some(key_id) = present(case, "key_id")? {
        let listed: [u8; 16] = json::array(json::member(document, "keys")?, &key_id.to_string())?;
        json::expect_octets(case, "key", &listed)?;
    }
    let octets = json::octets(case, "apdu")?;
    let apdu = Apdu::parse(&octets).map_err(|error| error.to_string())?;
    let header = apdu.header();
    let in_header = header.authentication.is_some();
    if json::member(case, "auth_element_present")? != &Value::Bool(in_header) {
        return Err(format!("auth_element_present: computed {in_header}"));
    }
    let qualifier = header.qualifier.map(|flags| u64::from(flags.0));
    c1222::expect_optional(case, "calling_ae_qualifier", qualifier)?;
    let context = header.context.map(|oid| ApTitle::Absolute(oid).to_string());
    match (present(case, "application_context")?, &context) {
        (None, None) => {}
        (_, computed) => {
            let computed = computed.as_deref().unwrap_or("absent");
            expect_text(case, "application_context", computed)?;
        }
    }
    check_tags(case, &octets, context.is_some(), in_header)?;
    c1222::check_parsed(case)?;
    c1222::check_built(case, context.as_deref(), qualifier, in_header)
}

/// The tags that follow from the octets.
fn check_tags(
    case: &Value,
    octets: &[u8],
    has_context: bool,
    in_header: bool,
) -> Result<(), String> {
    let tags = json::list(case, "tags")?;
    let secured = present(case, "key")?.is_some();
    let expect = |tag: &str, computed: bool| {
        if tags.iter().any(|listed| listed == tag) == computed {
            Ok(())
        } else {
            Err(format!("tags: {tag} is {computed}"))
        }
    };
    expect("no-AC", secured && !in_header)?;
    expect("base-oid-is-application-context", has_context)?;
    expect("unequal-nested-length-sizes", unequal_lengths(octets))
}

/// Whether the lengths after BE, 28 and 81 take different numbers of octets.
fn unequal_lengths(octets: &[u8]) -> bool {
    let width = |first: u8| {
        if first < 0x80 {
            0
        } else {
            usize::from(first & 0x7F)
        }
    };
    let mut at = 2 + width(octets[1]);
    while octets[at] != 0xBE {
        at += 2 + usize::from(octets[at + 1]);
    }
    let outer = width(octets[at + 1]);
    at += 2 + outer;
    let middle = width(octets[at + 1]);
    at += 2 + middle;
    let inner = width(octets[at + 1]);
    outer != middle || middle != inner
}

/// A receiver of the damaged APDUs that holds all keys.
struct Receiver {
    node: Node,
    keys: KeyStore,
    rng: ScriptedRng,
    work: Work,
}

impl Receiver {
    fn new(keys: &Value, called: Title, calling: Title) -> Result<Self, String> {
        let mut receiver = Self {
            node: Node::new(called, calling, Config::default()),
            keys: KeyStore::new(Role::Meter, Policy::default()),
            rng: ScriptedRng::default(),
            work: Work::default(),
        };
        let listed = keys.as_object().ok_or("keys: not an object")?;
        for id in listed.keys() {
            let key_id: u8 = id.parse().map_err(|_| format!("keys: {id}"))?;
            let key = Secret::new(json::array(keys, id)?);
            let now = Instant::ZERO;
            let mut env = Env::new(now, &mut receiver.rng, &mut receiver.work);
            // Ids beyond the static range have no place in a meter without authentication.
            if key_id < 16 {
                receiver
                    .keys
                    .install_static(key_id, &key, &mut env)
                    .map_err(|error| format!("{error:?}"))?;
            }
        }
        Ok(receiver)
    }

    /// Services of an accepted copy of `octets`.
    fn receive(&mut self, octets: &[u8], utc: u32) -> Result<usize, Reject> {
        let mut octets = octets.to_vec();
        let mut env = Env::new(Instant::ZERO, &mut self.rng, &mut self.work);
        self.node
            .receive(&mut octets, &mut self.keys, utc, &mut env)
            .map(|incoming| incoming.payload.services().count())
    }
}

fn check_damaged(document: &Value, apdus: &[Value], case: &Value) -> Result<(), String> {
    json::only(
        case,
        &["id", "mutation", "apdu", "key_for_key_id", "expect"],
    )?;
    let octets = json::octets(case, "apdu")?;
    let keys = json::member(document, "keys")?;
    if case
        .get("key_for_key_id")
        .is_some_and(|listed| listed != keys)
    {
        return Err("key_for_key_id: other than the keys of the file".into());
    }
    check_damage(case, apdus, &octets)?;
    let parsed = Apdu::parse(&octets);
    // The damaged APDU may be addressed to somebody else: the MAC has to notice, not the address.
    let titles = parsed.as_ref().ok().map(|apdu| {
        let header = *apdu.header();
        (header.called, header.calling)
    });
    let owned = |title: Option<ApTitle<'_>>| {
        Title::new(title.unwrap_or(ApTitle::UNASSIGNED)).map_err(|error| error.to_string())
    };
    let (called, calling) = titles.unwrap_or_default();
    let mut receiver = Receiver::new(keys, owned(called)?, owned(calling)?)?;
    let utc = parsed
        .as_ref()
        .ok()
        .and_then(|apdu| apdu.header().authentication)
        .map_or(0, |authentication| authentication.utc());
    let expected = json::text(case, "expect")?;
    let outcome = match expected {
        "authentication failure" => expect(receiver.receive(&octets, utc), Reject::BadMac),
        "parse error, no response, error counter +1" => match receiver.receive(&octets, utc) {
            Err(Reject::Malformed(_)) => Ok(()),
            other => Err(format!("{other:?}")),
        },
        "must not be executed as clear text when policy requires security" => {
            match receiver.receive(&octets, utc) {
                Err(Reject::SecurityMode | Reject::Malformed(_)) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        }
        "first copy accepted, second rejected by playback rejection (same calling ApTitle, \
         invocation id and IV)" => {
            let original = json::text(case, "mutation")?.rsplit(' ').next();
            let original = apdus
                .iter()
                .find(|case| case.get("id").and_then(Value::as_str) == original)
                .ok_or("mutation: repeats an unknown APDU")?;
            json::expect_octets(original, "apdu", &octets)?;
            accepted(receiver.receive(&octets, utc))?;
            let replayed = receiver.receive(&octets, utc);
            expect(replayed, Reject::Replay(Replay::Duplicate))
        }
        "rejected by message acceptance window when receiver clock = IV + 3600 s" => {
            let late = receiver.receive(&octets, utc.saturating_add(3600));
            expect(late, Reject::AcceptanceWindow)?;
            accepted(receiver.receive(&octets, utc))
        }
        other => return Err(format!("expect: unknown reaction {other}")),
    };
    outcome.map_err(|got| format!("expect: {expected}, got {got}"))
}

/// The octets are those of a listed APDU but for the damage that the case describes.
fn check_damage(case: &Value, apdus: &[Value], octets: &[u8]) -> Result<(), String> {
    let mutation = json::text(case, "mutation")?;
    let expected = json::text(case, "expect")?;
    let repeats = expected.starts_with("first copy") || expected.starts_with("rejected by");
    let derives = |original: &[u8]| match mutation {
        "truncated-apdu" => original.len() > octets.len() && original.starts_with(octets),
        "trailing-byte" => octets.len() == original.len() + 1 && octets.starts_with(original),
        _ => {
            let differences = octets.iter().zip(original).filter(|(a, b)| a != b).count();
            octets.len() == original.len() && differences == usize::from(!repeats)
        }
    };
    let originals = apdus
        .iter()
        .filter_map(|listed| json::octets(listed, "apdu").ok());
    for original in originals {
        if derives(&original) {
            return Ok(());
        }
    }
    Err("apdu: not a listed APDU with the named damage".into())
}

fn accepted(result: Result<usize, Reject>) -> Result<(), String> {
    match result {
        Ok(services) if services > 0 => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

fn expect(result: Result<usize, Reject>, expected: Reject) -> Result<(), String> {
    match result {
        Err(reject) if reject == expected => Ok(()),
        // A key id changed to one without a key is noticed before its MAC.
        Err(Reject::Key(KeyReject::Unknown)) if expected == Reject::BadMac => Ok(()),
        other => Err(format!("{other:?}")),
    }
}
