//! `ukmf.json`, the RFC 5295 part: root keys, domain keys and their names.

use firmware::crypto::{Work, kdf};
use serde_json::Value;

use super::json::{self, expect_octets};
use super::report::Report;

pub(super) fn run(document: &Value, report: &mut Report) -> Option<()> {
    let plain = document.get("rfc5295_kdf").and_then(Value::as_array);
    let derivations = document.get("derivations").and_then(Value::as_array);
    if plain.is_none() && derivations.is_none() {
        return None;
    }
    for (index, vector) in plain.into_iter().flatten().enumerate() {
        report.case(&format!("rfc5295-kdf-{index}"), || check_kdf(vector));
    }
    for derivation in derivations.into_iter().flatten() {
        let session = derivation.get("from_session").and_then(Value::as_str);
        let authentication = derivation.get("authentication").and_then(Value::as_u64);
        let name = format!(
            "{}-{}-root",
            session.unwrap_or("unnamed"),
            authentication.unwrap_or_default()
        );
        report.case(&name, || check_root(derivation));
    }
    Some(())
}

fn derive(key: &[u8], label: &str, optional: &[&[u8]], len: usize) -> Vec<u8> {
    let mut out = vec![0xA5; len];
    kdf(key, label, optional, &mut out, &mut Work::default());
    out
}

fn check_kdf(vector: &Value) -> Result<(), String> {
    json::only(
        vector,
        &["EMSK", "label", "optional_data", "length", "USRK"],
    )?;
    let emsk = json::octets(vector, "EMSK")?;
    let optional = json::octets(vector, "optional_data")?;
    let len = usize::try_from(json::number(vector, "length")?).map_err(|e| e.to_string())?;
    if len > 8160 {
        return Err("length: beyond 255 outputs of the PRF".into());
    }
    let key = derive(&emsk, json::text(vector, "label")?, &[&optional], len);
    expect_octets(vector, "USRK", &key)
}

fn check_root(vector: &Value) -> Result<(), String> {
    json::only(
        vector,
        &[
            "from_session",
            "authentication",
            "EMSK",
            "eap_session_id",
            "EMSKname",
            "pana_key_id",
            "aptitle_oid",
            "aptitle",
            "usrk_label",
            "usrk_input",
            "UKMF_RK",
            "UKMF_RK_name",
            "keys",
            "rfc5295_extra",
        ],
    )?;
    let emsk = json::octets(vector, "EMSK")?;
    let session_id = json::octets(vector, "eap_session_id")?;
    expect_octets(vector, "EMSKname", &derive(&session_id, "EMSK", &[], 8))?;
    let label = json::text(vector, "usrk_label")?;
    let input = [label.as_bytes(), &[0], &session_id, &[0, 64]].concat();
    expect_octets(vector, "usrk_input", &input)?;
    let root = derive(&emsk, label, &[&session_id], 64);
    expect_octets(vector, "UKMF_RK", &root)?;
    let name = derive(&session_id, label, &[&session_id], 8);
    expect_octets(vector, "UKMF_RK_name", &name)?;
    let extra = json::member(vector, "rfc5295_extra")?;
    json::only(extra, &["DSRK_domain", "DSRK", "DSUSRK_label", "DSUSRK"])?;
    let domain = json::text(extra, "DSRK_domain")?.as_bytes();
    let domain_root = derive(&emsk, "dsrk@ietf.org", &[domain], 64);
    expect_octets(extra, "DSRK", &domain_root)?;
    let usage = derive(&domain_root, json::text(extra, "DSUSRK_label")?, &[], 64);
    expect_octets(extra, "DSUSRK", &usage)
}
