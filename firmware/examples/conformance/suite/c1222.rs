//! One C12.22 APDU against its fields: parsed, verified, built again.

use firmware::c1222::acse::{Authentication, Header, Qualifier, stream_len};
use firmware::c1222::apdu::{self, Apdu, Protection};
use firmware::c1222::aptitle::{ApTitle, Title};
use firmware::c1222::epsem::{Control, Mode, put_service};
use firmware::c1222::service::{Request, Response};
use firmware::crypto::Work;
use firmware::crypto::eax_prime::EaxPrimeKey;
use firmware::wire::Writer;
use serde_json::Value;

use super::json::{self, equal_octets, expect_number, expect_octets, expect_text};

/// A title from text.
pub(super) fn title(text: &str) -> Result<Title, String> {
    text.parse().map_err(|error| format!("{text}: {error}"))
}

/// The expanded key in the member `key`.
pub(super) fn key(object: &Value, key: &str) -> Result<EaxPrimeKey, String> {
    Ok(EaxPrimeKey::new(
        &json::array(object, key)?,
        &mut Work::default(),
    ))
}

/// The member `key`, unless it is null.
pub(super) fn present<'a>(object: &'a Value, key: &str) -> Result<Option<&'a Value>, String> {
    json::member(object, key).map(|value| Some(value).filter(|value| !value.is_null()))
}

/// Compares an optional number, absent as null.
pub(super) fn expect_optional(
    object: &Value,
    key: &str,
    computed: Option<u64>,
) -> Result<(), String> {
    match (present(object, key)?, computed) {
        (None, None) => Ok(()),
        (Some(_), Some(computed)) => expect_number(object, key, computed),
        (expected, computed) => Err(format!(
            "{key}: computed {computed:?}, expected {expected:?}"
        )),
    }
}

/// Compares optional octets, absent as null.
pub(super) fn expect_optional_octets(
    object: &Value,
    key: &str,
    computed: Option<&[u8]>,
) -> Result<(), String> {
    match (present(object, key)?, computed) {
        (None, None) => Ok(()),
        (Some(_), Some(computed)) => expect_octets(object, key, computed),
        (None, Some(_)) => Err(format!("{key}: present, expected absent")),
        (Some(_), None) => Err(format!("{key}: absent, expected present")),
    }
}

fn expect_title(object: &Value, key: &str, computed: Option<ApTitle<'_>>) -> Result<(), String> {
    match (present(object, key)?, computed) {
        (None, None) => Ok(()),
        (Some(_), Some(computed)) => {
            expect_text(object, key, &computed.to_string())?;
            if title(json::text(object, key)?)?.get() == computed {
                Ok(())
            } else {
                Err(format!("{key}: other octets than its text"))
            }
        }
        (expected, computed) => Err(format!(
            "{key}: computed {computed:?}, expected {expected:?}"
        )),
    }
}

/// Key id and IV that a case names, for APDUs that do not carry them.
pub(super) fn session(case: &Value, key_id: &str, iv: &str) -> Result<Authentication, String> {
    let Some(id) = present(case, key_id)? else {
        expect_optional(case, iv, None)?;
        return Ok(Authentication {
            key_id: None,
            iv: [0; 4],
        });
    };
    let id = id.as_u64().and_then(|id| u8::try_from(id).ok());
    Ok(Authentication {
        key_id: Some(id.ok_or_else(|| format!("{key_id}: not a key id"))?),
        iv: json::array(case, iv)?,
    })
}

/// Parses the APDU of a case, compares every field, verifies and decrypts it.
pub(super) fn check_parsed(case: &Value) -> Result<(), String> {
    let mut octets = json::octets(case, "apdu")?;
    if stream_len(&octets) != Ok(Some(octets.len())) {
        return Err("apdu: length on a stream".into());
    }
    let mut parsed = Apdu::parse_mut(&mut octets).map_err(|error| error.to_string())?;
    let header = *parsed.header();
    let control = parsed.control();
    check_header(case, &header)?;
    expect_text(
        case,
        "base_oid",
        &ApTitle::Absolute(parsed.base()).to_string(),
    )?;
    expect_number(case, "epsem_control", control.octet().into())?;
    expect_number(case, "security_mode", control.mode() as u64)?;
    expect_number(case, "response_control", control.response() as u64)?;
    let session = session(case, "key_id", "iv")?;
    expect_optional_octets(case, "mac", parsed.mac().as_ref().map(<[u8; 4]>::as_slice))?;
    if control.mode() == Mode::Clear {
        for absent in ["key_id", "iv", "key", "canonified_cleartext"] {
            expect_optional(case, absent, None)?;
        }
    } else {
        if header.authentication.is_some_and(|sent| sent != session) {
            return Err("key_id, iv: other than in the APDU".into());
        }
        let key = key(case, "key")?;
        parsed
            .open(&key, session, &mut Work::default())
            .map_err(|failure| format!("mac: {failure:?}"))?;
        let text = match control.mode() {
            Mode::Authenticated => parsed.text(),
            _ => &[],
        };
        let canonical = parsed.canonical(session).parts(text).concat();
        expect_octets(case, "canonified_cleartext", &canonical)?;
    }
    expect_octets(case, "epsem_plaintext", parsed.text())?;
    let payload = parsed.payload().map_err(|error| error.to_string())?;
    let ed_class = payload.ed_class;
    expect_optional_octets(case, "ed_class", ed_class.as_ref().map(<[u8; 4]>::as_slice))?;
    let expected = json::list(case, "services")?;
    let services: Vec<&[u8]> = payload
        .services()
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    if services.len() != expected.len() {
        return Err(format!("services: {} found", services.len()));
    }
    for (service, expected) in services.iter().zip(expected) {
        let expected = expected.as_str().and_then(json::decode);
        equal_octets(
            "services",
            service,
            &expected.ok_or("services: not octets")?,
        )?;
        check_service(service)?;
    }
    Ok(())
}

fn check_header(case: &Value, header: &Header<'_>) -> Result<(), String> {
    expect_title(case, "called_ap_title", header.called)?;
    expect_title(case, "calling_ap_title", header.calling)?;
    let called = header.called_invocation.map(u64::from);
    expect_optional(case, "called_ap_invocation_id", called)?;
    let calling = Some(u64::from(header.invocation));
    expect_optional(case, "calling_ap_invocation_id", calling)
}

/// A service survives its typed codec.
pub(super) fn check_service(service: &[u8]) -> Result<(), String> {
    let failure = |error: firmware::wire::Error| format!("service: {error}");
    let mut out = vec![0xA5; service.len() + 8];
    let mut writer = Writer::new(&mut out);
    if service.first().is_some_and(|code| *code < 0x20) {
        let response = Response::parse(service).map_err(failure)?;
        response.emit(&mut writer).map_err(failure)?;
    } else {
        let request = Request::parse(service).map_err(failure)?;
        if let Request::Unknown { code, .. } = request {
            return Err(format!("service: unknown code {code:#04x}"));
        }
        request.emit(&mut writer).map_err(failure)?;
    }
    equal_octets("service built again", writer.written(), service)
}

/// Builds the APDU of a case from its fields and compares the octets.
///
/// `context` and `qualifier` are the two elements that not every format lists; `in_header` tells
/// whether the APDU carries key id and IV.
pub(super) fn check_built(
    case: &Value,
    context: Option<&str>,
    qualifier: Option<u64>,
    in_header: bool,
) -> Result<(), String> {
    let optional_title = |key: &str| match present(case, key)? {
        Some(_) => title(json::text(case, key)?).map(Some),
        None => Ok(None),
    };
    let number = |key: &str| match present(case, key)? {
        Some(_) => json::number(case, key)
            .and_then(|number| u32::try_from(number).map_err(|error| format!("{key}: {error}")))
            .map(Some),
        None => Ok(None),
    };
    let called = optional_title("called_ap_title")?;
    let calling = optional_title("calling_ap_title")?;
    let context = context.map(title).transpose()?;
    let session = session(case, "key_id", "iv")?;
    let header = Header {
        context: context.as_ref().map(|oid| oid.get().content()),
        called: called.as_ref().map(Title::get),
        called_invocation: number("called_ap_invocation_id")?,
        calling: calling.as_ref().map(Title::get),
        qualifier: qualifier.map(|flags| Qualifier(flags as u8)),
        invocation: number("calling_ap_invocation_id")?.ok_or("no invocation id")?,
        authentication: Some(session).filter(|_| in_header),
        ..Header::default()
    };
    let control = number("epsem_control")?.and_then(|octet| u8::try_from(octet).ok());
    let control = Control::parse(control.ok_or("epsem_control: not an octet")?)
        .map_err(|error| error.to_string())?;
    let ed_class = match present(case, "ed_class")? {
        Some(_) => Some(json::array(case, "ed_class")?),
        None => None,
    };
    let key = match present(case, "key")? {
        Some(_) => Some(key(case, "key")?),
        None => None,
    };
    let services: Vec<Vec<u8>> = json::list(case, "services")?
        .iter()
        .map(|service| service.as_str().and_then(json::decode))
        .collect::<Option<_>>()
        .ok_or("services: not octets")?;
    let room = services.iter().map(Vec::len).sum::<usize>() + 512;
    let mut out = vec![0xA5; room];
    let protection = key.as_ref().map(|key| Protection { key, session });
    let len = apdu::build(
        &header,
        control,
        ed_class,
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
    expect_octets(case, "apdu", &out[..len])
}
