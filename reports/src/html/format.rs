//! Words and addresses for the page.

use crate::markup::push;

/// A text as a `data:` address (RFC 2397), percent-encoded (RFC 3986 §2.1).
pub(super) fn data_uri(media_type: &str, text: &str) -> String {
    let mut uri = format!("data:{media_type};charset=utf-8,");
    uri.reserve(text.len() * 5 / 4);
    for octet in text.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b',' => {
                uri.push(char::from(octet));
            }
            _ => push!(uri, "%{octet:02X}"),
        }
    }
    uri
}

/// A label of a table in words: `access_closed` becomes `access closed`.
pub(super) fn words(label: &str) -> String {
    label.replace('_', " ")
}

/// A protocol under its proper name.
pub(super) fn protocol(label: &str) -> &str {
    match label {
        "pana" => "PANA",
        "eap" => "EAP",
        "c1222" => "C12.22",
        "ukmf" => "UKMF",
        other => other,
    }
}

/// A message type of a protocol in words, PANA's abbreviations as RFC 5191 §7 writes them.
pub(super) fn message_type(protocol: &str, label: &str) -> String {
    const ABBREVIATIONS: [&str; 7] = ["pci", "par", "pan", "ptr", "pta", "pnr", "pna"];
    let word = |word: &str| {
        if protocol == "pana" && ABBREVIATIONS.contains(&word) {
            word.to_uppercase()
        } else {
            word.to_string()
        }
    };
    label.split('_').map(word).collect::<Vec<_>>().join(" ")
}

/// `1 meter`, `2 meters`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", crate::number::grouped(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_address_encodes_what_is_reserved() {
        assert_eq!(
            data_uri("text/csv", "a,b\r\n\"1 %\",µ"),
            "data:text/csv;charset=utf-8,a,b%0D%0A%221%20%25%22,%C2%B5"
        );
    }

    #[test]
    fn abbreviations_of_pana_are_upper_case() {
        assert_eq!(message_type("pana", "par_complete"), "PAR complete");
        assert_eq!(message_type("c1222", "pan_read"), "pan read");
    }

    #[test]
    fn nouns_agree_with_their_number() {
        assert_eq!(counted(1, "meter"), "1 meter");
        assert_eq!(counted(0, "key"), "0 keys");
        assert_eq!(counted(12_000, "meter"), "12,000 meters");
    }
}
