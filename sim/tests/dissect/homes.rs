//! Frames of home area networks.

use super::*;

/// Runs two homes; returns what was captured.
fn homes(test: &str) -> PathBuf {
    let text = r#"Scenario(
        name: "homes",
        seed: 4,
        duration: "40min",
        cohorts: [(
            name: "homes", count: 2, medium: "wan",
            han: (displays: 1, hems: 1, loss: "5%", events: [
                (at: "10min", start: "20min", duration: "30min"),
            ]),
        )],
        media: {"wan": Wan()},
        keys: (session_lifetime: "1h", reauthenticate: Every("15min"), overlap: "2min"),
        capture: (),
    )"#;
    let loaded = load_text("homes.ron", text, &[]).unwrap_or_else(|report| panic!("{report}"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(env!("CARGO_CRATE_NAME"))
        .join(test);
    let options = Options {
        folder: Some(folder),
        force: true,
        ..Options::default()
    };
    let report = run(&loaded, &options, |_| {}).expect("the run ends in order");
    report.capture.expect("a capture").path
}

#[test]
fn frames_of_homes_are_read_verified_and_decrypted() {
    let path = homes("homes");
    let file = fs::read(&path).expect("a file");
    let all = frames(&file, keys_beside(&path));
    let unsound: Vec<_> = all.iter().filter(|frame| frame.is_unsound()).collect();
    assert!(unsound.is_empty(), "{unsound:?}");
    let home: Vec<&Frame> = all.iter().filter(|f| f.protocol == Protocol::Han).collect();
    assert!(
        home.iter()
            .all(|frame| frame.home.is_some_and(|meter| meter < 2))
    );
    let secured = home.iter().filter(|frame| frame.find("Security").is_some());
    let opened = home
        .iter()
        .filter(|frame| frame.words.contains("MIC verified"));
    let secured = secured.count();
    assert!(secured > 500, "{secured}");
    assert_eq!(opened.count(), secured);
    for words in [
        "command, beacon request",
        "beacon, a meter that lets devices associate",
        "association request",
        "association response: 0x",
        "Key request",
        "Key transport",
        "Key confirmation",
        "Usage ",
        "Demand event",
        "Event answer",
    ] {
        assert!(
            home.iter().any(|frame| frame.words.contains(words)),
            "{words}"
        );
    }

    // Without keys nothing is judged but the check sequences; a meter is chosen with its home.
    let blind = frames(&file, KeyRing::default());
    assert!(
        !blind
            .iter()
            .any(|f| f.is_unsound() || f.words.contains("MIC verified"))
    );
    let selection = Selection {
        addresses: vec![IpAddr::from([10, 0, 0, 1])],
        homes: vec![0],
        protocols: vec![Protocol::Han],
        ..Selection::default()
    };
    let chosen = all.iter().filter(|frame| selection.wants(frame)).count();
    let own = home.iter().filter(|frame| frame.home == Some(0)).count();
    assert!(chosen == own && own > 0 && own < home.len());
}

#[test]
fn altered_frames_of_homes_are_unsound() {
    let path = homes("homes_altered");
    let file = fs::read(&path).expect("a file");
    let mut reader = Reader::new(&file).expect("a capture");
    let mut frames_of_homes = Vec::new();
    while let Some(packet) = reader.next_packet().expect("sound blocks") {
        if packet.comment.starts_with("home of meter") {
            let (octets, time_ns) = (packet.octets.to_vec(), packet.time_ns);
            frames_of_homes.push((octets, time_ns, packet.comment.to_owned()));
        }
    }
    let start_s = reader.start_s();
    let rewrite = |change: &dyn Fn(&[u8]) -> Vec<u8>| -> Vec<Frame> {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, "test", start_s).expect("a header");
        let interface = Interface {
            name: "han",
            description: "",
            link_type: sim::capture::pcapng::IEEE802_15_4,
            fcs_octets: 2,
        };
        writer.interface(&interface).expect("an interface");
        for (octets, time_ns, comment) in &frames_of_homes {
            let octets = change(octets);
            let packet = Packet {
                interface: 0,
                time_ns: *time_ns,
                inbound: true,
                octets: &octets,
                original_octets: octets.len() as u32,
                comment,
            };
            writer.packet(&packet).expect("a packet");
        }
        drop(writer);
        frames(&out, keys_beside(&path))
    };
    assert!(!rewrite(&<[u8]>::to_vec).iter().any(Frame::is_unsound));
    // A bit of the payload, with and without a check sequence that fits.
    let flipped = |mend: bool| {
        move |octets: &[u8]| {
            let mut octets = octets.to_vec();
            let len = octets.len() - 2;
            octets[len - 1] ^= 1;
            if mend {
                let check = firmware::han::frame::fcs(&octets[..len]);
                octets[len..].copy_from_slice(&check.to_le_bytes());
            }
            octets
        }
    };
    assert!(rewrite(&flipped(false)).iter().all(Frame::is_unsound));
    let mended = rewrite(&flipped(true));
    let secured = |frame: &&Frame| frame.find("Security").is_some();
    assert!(mended.iter().filter(secured).all(Frame::is_unsound));
    // Cut off anywhere, longer than a frame can be, or nothing at all.
    for len in 0..40 {
        let cut = rewrite(&|octets: &[u8]| octets[..octets.len().min(len)].to_vec());
        for (frame, (octets, ..)) in cut.iter().zip(&frames_of_homes) {
            let whole = octets.len() <= len;
            assert_eq!(frame.is_unsound(), !whole, "{len}: {}", frame.line());
        }
    }
    assert!(rewrite(&|_| vec![0x41; 200]).iter().all(Frame::is_unsound));
}
