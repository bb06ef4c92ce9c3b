//! `c1222_live_client.json`: exchanges with a third-party client.
//!
//! Requests and responses are opened and compared; the response must match its request as a client
//! demands; both are built again from what was parsed.

use firmware::c1222::acse::{Authentication, Header};
use firmware::c1222::apdu::{self, Apdu, Protection};
use firmware::c1222::aptitle::{ApTitle, NETWORK_ROOT};
use firmware::c1222::epsem::{Control, Mode, put_service};
use firmware::crypto::Work;
use firmware::crypto::eax_prime::EaxPrimeKey;
use serde_json::Value;

use super::c1222;
use super::json::{self, expect_number, expect_octets};
use super::report::Report;

pub(super) fn run(document: &Value, report: &mut Report) -> Option<()> {
    let exchanges = document.get("exchanges")?.as_array()?;
    exchanges.first()?.get("request_epsem")?;
    report.case("base-oid", || {
        let root = ApTitle::Absolute(&NETWORK_ROOT).to_string();
        json::expect_text(document, "base_oid", &root)
    });
    for (index, case) in exchanges.iter().enumerate() {
        report.case(&format!("exchange-{index}"), || {
            expect_number(case, "n", index as u64)?;
            check(document, case)
        });
    }
    Some(())
}

fn check(document: &Value, case: &Value) -> Result<(), String> {
    json::only(
        case,
        &[
            "n",
            "security_mode",
            "auth_element_present",
            "effective_key_id",
            "effective_iv",
            "request",
            "request_canonified_cleartext",
            "request_epsem",
            "response",
            "response_epsem",
        ],
    )?;
    let session = c1222::session(case, "effective_key_id", "effective_iv")?;
    let key = match session.key_id {
        Some(key_id) => {
            let keys = json::member(document, "keys")?;
            Some(c1222::key(keys, &key_id.to_string())?)
        }
        None => None,
    };
    let mut request = json::octets(case, "request")?;
    let mut response = json::octets(case, "response")?;
    check_one(case, "request", &mut request, session, key.as_ref())?;
    check_one(case, "response", &mut response, session, key.as_ref())?;
    let request = Apdu::parse(&request).map_err(|error| error.to_string())?;
    let response = Apdu::parse(&response).map_err(|error| error.to_string())?;
    check_match(case, &request, &response)
}

fn check_one(
    case: &Value,
    which: &str,
    octets: &mut [u8],
    session: Authentication,
    key: Option<&EaxPrimeKey>,
) -> Result<(), String> {
    let original = octets.to_vec();
    let mut parsed = Apdu::parse_mut(octets).map_err(|error| format!("{which}: {error}"))?;
    let (header, control) = (*parsed.header(), parsed.control());
    expect_number(case, "security_mode", control.mode() as u64)?;
    if header.authentication.is_some_and(|sent| sent != session) {
        return Err(format!("{which}: other key id or IV"));
    }
    let canonical = parsed.canonical(session).parts(&[]).concat();
    match (control.mode(), key) {
        (Mode::Clear, _) => {}
        (_, None) => return Err("effective_key_id: missing".into()),
        (_, Some(key)) => parsed
            .open(key, session, &mut Work::default())
            .map_err(|failure| format!("{which}: {failure:?}"))?,
    }
    if which == "request" {
        let secured = control.mode() != Mode::Clear;
        let expected = Some(canonical.as_slice()).filter(|_| secured);
        c1222::expect_optional_octets(case, "request_canonified_cleartext", expected)?;
    }
    expect_octets(case, &format!("{which}_epsem"), parsed.text())?;
    let payload = parsed.payload().map_err(|error| error.to_string())?;
    let services: Vec<&[u8]> = payload
        .services()
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    for service in &services {
        c1222::check_service(service)?;
    }
    let built = build(&header, control, &services, session, key)?;
    json::equal_octets(&format!("{which} built again"), &built, &original)
}

fn build(
    header: &Header<'_>,
    control: Control,
    services: &[&[u8]],
    session: Authentication,
    key: Option<&EaxPrimeKey>,
) -> Result<Vec<u8>, String> {
    let mut out = vec![0xA5; 2048];
    let protection = key.map(|key| Protection { key, session });
    let len = apdu::build(
        header,
        control,
        None,
        protection,
        &mut out,
        |writer| {
            services
                .iter()
                .try_for_each(|service| put_service(writer, |writer| writer.put(service)))
        },
        &mut Work::default(),
    )
    .map_err(|error| error.to_string())?;
    out.truncate(len);
    Ok(out)
}

/// What a client checks before it believes a response.
fn check_match(
    case: &Value,
    request: &Apdu<'_, &[u8]>,
    response: &Apdu<'_, &[u8]>,
) -> Result<(), String> {
    let (asked, answered) = (request.header(), response.header());
    let in_header = asked.authentication.is_some();
    if json::member(case, "auth_element_present")? != &Value::Bool(in_header) {
        return Err(format!("auth_element_present: computed {in_header}"));
    }
    if asked.called_invocation.is_some() {
        return Err("request: is a response".into());
    }
    if answered.called_invocation != Some(asked.invocation) {
        return Err("response: answers another request".into());
    }
    if (answered.called, answered.calling) != (asked.calling, asked.called) {
        return Err("response: titles are not swapped".into());
    }
    if response.control().mode() < request.control().mode() {
        return Err("response: lower security mode".into());
    }
    Ok(())
}
