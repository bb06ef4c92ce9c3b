//! Access to vector documents, and comparison with what they expect.
//!
//! Every accessor names the member in its error, so that a damaged file fails its case legibly.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Reads a JSON file.
pub(super) fn load(path: &Path) -> Result<Value, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: not JSON: {error}", path.display()))
}

/// What is in a folder, in the order of the names.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failure = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failure)? {
        entries.push(entry.map_err(failure)?.path());
    }
    entries.sort();
    Ok(entries)
}

/// The member `key` of an object.
pub(super) fn member<'a>(object: &'a Value, key: &str) -> Result<&'a Value, String> {
    object.get(key).ok_or_else(|| format!("{key}: missing"))
}

/// The member `key` as text.
pub(super) fn text<'a>(object: &'a Value, key: &str) -> Result<&'a str, String> {
    member(object, key)?
        .as_str()
        .ok_or_else(|| format!("{key}: not a string"))
}

/// The member `key` as a number.
pub(super) fn number(object: &Value, key: &str) -> Result<u64, String> {
    member(object, key)?
        .as_u64()
        .ok_or_else(|| format!("{key}: not a number"))
}

/// The member `key` as a list.
pub(super) fn list<'a>(object: &'a Value, key: &str) -> Result<&'a [Value], String> {
    member(object, key)?
        .as_array()
        .map(Vec::as_slice)
        .ok_or_else(|| format!("{key}: not a list"))
}

/// The member `key` as octets.
pub(super) fn octets(object: &Value, key: &str) -> Result<Vec<u8>, String> {
    decode(text(object, key)?).ok_or_else(|| format!("{key}: not hexadecimal"))
}

/// The member `key` as exactly `N` octets.
pub(super) fn array<const N: usize>(object: &Value, key: &str) -> Result<[u8; N], String> {
    octets(object, key)?
        .try_into()
        .map_err(|_| format!("{key}: not {N} octets"))
}

/// Octets from hexadecimal digits.
pub(super) fn decode(digits: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let digit = |digit: u8| char::from(digit).to_digit(16);
    pairs
        .iter()
        .map(|[high, low]| Some((digit(*high)? << 4 | digit(*low)?) as u8))
        .collect()
}

/// Hexadecimal digits of octets.
pub(super) fn encode(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Compares octets with the member `key`.
pub(super) fn expect_octets(object: &Value, key: &str, computed: &[u8]) -> Result<(), String> {
    equal_octets(key, computed, &octets(object, key)?)
}

/// Compares octets.
pub(super) fn equal_octets(what: &str, computed: &[u8], expected: &[u8]) -> Result<(), String> {
    if computed == expected {
        return Ok(());
    }
    let (computed, expected) = (encode(computed), encode(expected));
    Err(format!("{what}: computed {computed}, expected {expected}"))
}

/// Compares a number with the member `key`.
pub(super) fn expect_number(object: &Value, key: &str, computed: u64) -> Result<(), String> {
    let expected = number(object, key)?;
    if computed == expected {
        return Ok(());
    }
    Err(format!("{key}: computed {computed}, expected {expected}"))
}

/// Compares text with the member `key`.
pub(super) fn expect_text(object: &Value, key: &str, computed: &str) -> Result<(), String> {
    let expected = text(object, key)?;
    if computed == expected {
        return Ok(());
    }
    Err(format!("{key}: computed {computed}, expected {expected}"))
}

/// Fails unless every member of an object is one of `known`.
///
/// A member that nothing compares would pass whatever its value is.
pub(super) fn only(object: &Value, known: &[&str]) -> Result<(), String> {
    let Some(object) = object.as_object() else {
        return Err("not an object".into());
    };
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("{key}: unknown member")),
        None => Ok(()),
    }
}
