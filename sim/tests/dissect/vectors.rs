//! Sessions and messages of independent implementations.

use super::*;

fn vectors(path: &str) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware/tests");
    let text = fs::read_to_string(root.join(path)).expect("a file of vectors");
    serde_json::from_str(&text).expect("JSON")
}

fn unhex(value: &Value) -> Vec<u8> {
    let digits = value.as_str().expect("hexadecimal text").as_bytes();
    let digit = |octet: u8| char::from(octet).to_digit(16).expect("a digit") as u8;
    let pairs = digits.chunks(2);
    pairs
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

#[test]
fn sessions_of_an_independent_implementation_are_read_and_verified() {
    let vectors = vectors("vectors/pana-sessions.json");
    let (mut auth, mut channels) = (0, 0);
    for session in vectors["sessions"].as_array().expect("sessions") {
        let name = &session["name"];
        let mut addresses = Vec::new();
        let datagrams: Vec<_> = session["datagrams"]
            .as_array()
            .expect("datagrams")
            .iter()
            .map(|datagram| {
                let socket = |end: &str| -> SocketAddr {
                    let text = datagram[end].as_str().expect("a socket");
                    text.parse().expect("address and port")
                };
                addresses.extend([socket("src").ip(), socket("dst").ip()]);
                (socket("src"), socket("dst"), unhex(&datagram["hex"]))
            })
            .collect();
        if let Some(pac) = session["addresses"]["pac"].as_str() {
            addresses.push(pac.parse::<SocketAddr>().expect("a socket").ip());
        }
        addresses.sort();
        addresses.dedup();
        let (keys, eap) = (&session["pana_keys"], &session["eap"]);
        let (keys, eap) = (keys.as_array(), eap.as_array());
        let mut log = String::new();
        for address in &addresses {
            for key in keys.expect("keys") {
                let line = json!({
                    "type": "session", "time_ns": 0, "meter": 0, "address": address.to_string(),
                    "kid32": key["key_id"], "pana_integrity": session["integrity"]["id"],
                    "pana_auth_key": key["PANA_AUTH_KEY"],
                });
                log.push_str(&format!("{line}\n"));
            }
            for keys in eap.expect("conversations") {
                let line = json!({
                    "type": "session", "time_ns": 0, "meter": 0, "address": address.to_string(),
                    "kid32": 0, "session_id": keys["session_id"], "tek": keys["TEK"],
                });
                log.push_str(&format!("{line}\n"));
            }
        }
        let file = pcapng_of(&datagrams);
        let frames = frames(&file, KeyRing::parse(&log).expect("a log"));
        assert_eq!(frames.len(), datagrams.len());
        for frame in &frames {
            assert_ne!(frame.protocol, Protocol::Other, "{name}: {}", frame.line());
            let unsound = frame.is_unsound();
            assert!(!unsound, "{name}: {}", frame.line());
        }
        for (field, sum) in [("AUTH", &mut auth), ("PCHANNEL", &mut channels)] {
            let (all, sound) = verified(&frames, field);
            let checkable = if keys.expect("keys").is_empty() {
                0
            } else {
                all
            };
            assert_eq!(sound, checkable, "{name}: {field}");
            *sum += sound;
        }
    }
    assert!(
        auth >= 70 && channels >= 20,
        "{auth} AUTH, {channels} PCHANNEL"
    );
}

#[test]
fn apdus_of_an_independent_implementation_are_decrypted() {
    let vectors = vectors("vectors-metering/c1222_apdus.json");
    let meter: SocketAddr = "10.0.0.1:1153".parse().expect("a socket");
    let host: SocketAddr = "172.16.0.1:1153".parse().expect("a socket");
    let (mut opened, mut clear) = (0, 0);
    for vector in vectors["apdus"].as_array().expect("vectors") {
        let id = vector["id"].as_str().expect("a name");
        let file = pcapng_of(&[(meter, host, unhex(&vector["apdu"]))]);
        let mut log = json!({
            "type": "session", "time_ns": 0, "meter": 0, "address": "10.0.0.1", "kid32": 1,
        })
        .to_string();
        if vector["key"].is_string() {
            let line = json!({
                "type": "key", "meter": 0, "kid32": 1, "c1222_key_id": vector["key_id"],
                "key": vector["key"], "derived_at_ns": 0,
            });
            log = format!("{log}\n{line}\n");
        }
        let keys = KeyRing::parse(&log).expect("a log");
        let [frame] = &frames(&file, keys)[..] else {
            panic!("one frame");
        };
        // Those without AC belong to a session that began earlier.
        let in_session = !vector["auth_element_present"].as_bool().expect("a flag");
        if vector["security_mode"] == 0 {
            clear += 1;
        } else if !in_session {
            assert!(
                frame.words.contains("MAC verified"),
                "{id}: {}",
                frame.line()
            );
            opened += 1;
        }
        let services = vector["services"].as_array().expect("services").len();
        if vector["security_mode"] == 0 || !in_session {
            let said = frame.words.split_once(": ").map_or("", |(_, said)| said);
            assert_eq!(said.split("; ").count(), services, "{id}: {}", frame.line());
        }
    }
    assert!(opened > 40 && clear > 5, "{opened} opened, {clear} clear");
}
