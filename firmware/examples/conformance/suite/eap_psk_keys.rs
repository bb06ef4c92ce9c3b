//! `eap-psk-keys.json`: key derivation alone, and keys from passwords.

use firmware::crypto::Work;
use firmware::eap::psk::password::{self, Padding};
use firmware::eap::psk::{LongTermKeys, SessionKeys};
use serde_json::Value;

use super::json::{self, expect_number, expect_octets, expect_text};
use super::report::Report;

pub(super) fn run(document: &Value, report: &mut Report) -> Option<()> {
    let keys = document.get("key_vectors").and_then(Value::as_array);
    let passwords = document.get("password_vectors").and_then(Value::as_array);
    if keys.is_none() && passwords.is_none() {
        return None;
    }
    for (index, vector) in keys.into_iter().flatten().enumerate() {
        report.case(&format!("key-{index}"), || check_keys(vector));
    }
    for (index, vector) in passwords.into_iter().flatten().enumerate() {
        report.case(&format!("password-{index}"), || check_password(vector));
    }
    Some(())
}

fn check_keys(vector: &Value) -> Result<(), String> {
    json::only(
        vector,
        &["psk", "rand_p", "AK", "KDK", "TEK", "MSK", "EMSK"],
    )?;
    let mut work = Work::NONE;
    let long_term = LongTermKeys::from_psk(&json::array(vector, "psk")?, &mut work);
    let rand_p = json::array(vector, "rand_p")?;
    let session = SessionKeys::derive(&long_term.kdk, &rand_p, &[0; 16], &mut work);
    expect_octets(vector, "AK", long_term.ak.expose())?;
    expect_octets(vector, "KDK", long_term.kdk.expose())?;
    expect_octets(vector, "TEK", session.tek.expose())?;
    expect_octets(vector, "MSK", session.exported.msk.expose())?;
    expect_octets(vector, "EMSK", session.exported.emsk.expose())
}

fn check_password(vector: &Value) -> Result<(), String> {
    json::only(
        vector,
        &[
            "password",
            "id_p",
            "id_s",
            "mmo_padding",
            "P16",
            "salt",
            "iterations",
            "prf",
            "PSK",
            "status",
        ],
    )?;
    let password = json::text(vector, "password")?.as_bytes();
    let id_p = json::text(vector, "id_p")?.as_bytes();
    let id_s = json::text(vector, "id_s")?.as_bytes();
    let padding = match json::text(vector, "mmo_padding")? {
        "zero" => Padding::Zero,
        "md" => Padding::Strengthened,
        "n/a" if password.len() <= 16 => Padding::Zero,
        other => return Err(format!("mmo_padding: unknown value {other}")),
    };
    let mut work = Work::NONE;
    let normalised = password::normalise(password, padding, &mut work);
    let psk = password::pre_shared_key(password, id_p, id_s, padding, &mut work);
    expect_octets(vector, "P16", normalised.expose())?;
    expect_octets(vector, "salt", &password::salt(id_p, id_s))?;
    expect_number(vector, "iterations", password::ITERATIONS.into())?;
    expect_text(vector, "prf", "HMAC-SHA1")?;
    expect_octets(vector, "PSK", psk.expose())
}
