//! Files and messages that are cut off or altered.

use super::*;

/// The first packets of a capture, with relays, EAP and C12.22.
fn small_capture(test: &str) -> (Vec<u8>, KeyRing) {
    let path = capture_of(test, &["duration=40s"]);
    let file = fs::read(&path).expect("a file");
    (file, keys_beside(&path))
}

/// Dissects to the end or the first damage; counts frames.
fn survive(file: &[u8], keys: &KeyRing) -> usize {
    let Ok(capture) = Capture::new(file, keys.clone()) else {
        return 0;
    };
    let mut text = String::new();
    capture
        .frames()
        .map_while(Result::ok)
        .fold(0, |count, frame| {
            text.clear();
            frame.write(&mut text).expect("a text takes everything");
            let _ = frame.to_json();
            count + 1
        })
}

#[test]
fn a_file_cut_off_anywhere_is_read_up_to_there() {
    let (file, keys) = small_capture("cut");
    let whole = survive(&file, &keys);
    assert!(whole > 100, "{whole} frames");
    let mut last = 0;
    // Every octet of the first packets; the rest repeats their kinds.
    for length in 0..file.len().min(6_000) {
        let count = survive(&file[..length], &keys);
        assert!(count >= last, "a longer file has no fewer frames");
        last = count;
    }
}

/// The UDP payloads of a capture with their sockets, one of each kind of message.
fn kinds(file: &[u8], keys: &KeyRing) -> Vec<(SocketAddr, SocketAddr, Vec<u8>)> {
    let frames = frames(file, keys.clone());
    let mut reader = Reader::new(file).expect("a capture");
    let mut seen = BTreeSet::new();
    let mut kinds = Vec::new();
    for frame in frames {
        let packet = reader
            .next_packet()
            .expect("sound")
            .expect("as many packets");
        let layer = frame.layers.last().expect("a layer");
        let at = layer.at.expect("a place");
        let (source, destination) = (frame.source, frame.destination);
        if let (Some(source), Some(destination)) = (source, destination)
            && seen.insert((layer.name.clone(), packet.octets.len()))
        {
            let length: usize = layer
                .text
                .split(' ')
                .next()
                .expect("a word")
                .parse()
                .expect("octets");
            let payload = packet.octets[at..at + length].to_vec();
            kinds.push((source, destination, payload));
        }
    }
    kinds
}

#[test]
fn messages_cut_off_anywhere_are_marked_and_never_more() {
    let (file, keys) = small_capture("messages");
    let kinds = kinds(&file, &keys);
    assert!(kinds.len() > 12, "{} kinds of messages", kinds.len());
    for (source, destination, payload) in kinds {
        let cuts: Vec<_> = (1..payload.len())
            .map(|length| (source, destination, payload[..length].to_vec()))
            .collect();
        let file = pcapng_of(&cuts);
        for frame in frames(&file, keys.clone()) {
            assert!(frame.is_unsound(), "{}", frame.line());
            let mut text = String::new();
            frame.write(&mut text).expect("a text takes everything");
            assert!(text.contains("(at octet "), "{text}");
        }
    }
}

#[test]
fn altered_messages_and_files_are_survived() {
    let (file, keys) = small_capture("mutated");
    let kinds = kinds(&file, &keys);
    let (kind, octets) = (
        0..kinds.len(),
        prop::collection::vec(any::<(u16, u8)>(), 1..6),
    );
    proptest!(ProptestConfig::with_cases(3_000), |(kind in kind, octets in octets)| {
        let (source, destination, mut payload) = kinds[kind].clone();
        let mut whole = file[..file.len().min(8_192)].to_vec();
        for (at, octet) in octets {
            let at = usize::from(at);
            let length = payload.len();
            payload[at % length] = octet;
            let length = whole.len();
            whole[at % length] = octet;
        }
        prop_assert_eq!(survive(&pcapng_of(&[(source, destination, payload)]), &keys), 1);
        survive(&whole, &keys);
    });
}
