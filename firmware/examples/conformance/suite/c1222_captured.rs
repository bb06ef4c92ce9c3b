//! `c1222_captured.json`: frames from public captures.

use firmware::c1222::acse::Header;
use firmware::c1222::apdu::Apdu;
use serde_json::Value;

use super::c1222;
use super::json;
use super::report::Report;

pub(super) fn run(document: &Value, report: &mut Report) -> Option<()> {
    let frames = document.get("frames")?.as_array()?;
    frames.first()?.get("element_order")?;
    for case in frames {
        let id = case.get("id").and_then(Value::as_str);
        report.case(id.unwrap_or("unnamed"), || check(case));
    }
    Some(())
}

fn check(case: &Value) -> Result<(), String> {
    json::only(
        case,
        &[
            "id",
            "origin",
            "transport",
            "capture_time_epoch",
            "apdu",
            "element_order",
            "called_ap_title",
            "calling_ap_title",
            "called_ap_invocation_id",
            "calling_ap_invocation_id",
            "epsem_control",
            "security_mode",
            "response_control",
            "ed_class",
            "key_id",
            "iv",
            "key",
            "base_oid",
            "canonified_cleartext",
            "mac",
            "epsem_plaintext",
            "services",
            "notes",
        ],
    )?;
    let octets = json::octets(case, "apdu")?;
    let apdu = Apdu::parse(&octets).map_err(|error| error.to_string())?;
    let header = apdu.header();
    let expected: Vec<&str> = json::list(case, "element_order")?
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let computed = elements(header);
    if computed != expected {
        return Err(format!("element_order: computed {computed:?}"));
    }
    c1222::check_parsed(case)?;
    c1222::check_built(case, None, None, header.authentication.is_some())
}

/// The tags of the elements that a header has, in order.
fn elements(header: &Header<'_>) -> Vec<&'static str> {
    [
        (header.context.is_some(), "a1"),
        (header.called.is_some(), "a2"),
        (header.called_invocation.is_some(), "a4"),
        (header.calling.is_some(), "a6"),
        (header.qualifier.is_some(), "a7"),
        (true, "a8"),
        (header.mechanism.is_some(), "8b"),
        (header.authentication.is_some(), "ac"),
        (true, "be"),
    ]
    .into_iter()
    .filter_map(|(present, tag)| present.then_some(tag))
    .collect()
}
