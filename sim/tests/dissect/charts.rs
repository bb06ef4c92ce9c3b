//! Message-sequence charts.

use super::*;

/// Runs `meterstorm dissect FILE --chart CHART` with more arguments.
fn chart(file: &Path, chart: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_meterstorm"))
        .arg("dissect")
        .arg(file)
        .arg("--chart")
        .arg(chart)
        .args(more)
        .output()
        .expect("the program runs")
}

#[test]
fn a_chart_has_an_arrow_for_every_datagram_of_its_meter() {
    let attacker = r#"attackers=[
        (name: "mallory", attack: Tamper(what: BitFlip(share: "10%")), position: OnPath),
    ]"#;
    let path = capture_of("chart", &[attacker]);
    let file = fs::read(&path).expect("a file");
    let capture = Capture::new(&file, keys_beside(&path)).expect("a capture");
    let early = ["--until", "40min"];
    let mut attacked = 0;
    for meter in 0..11_u32 {
        let address = capture.meter_address(meter).expect("a meter");
        let selection = Selection {
            addresses: vec![address],
            until_ns: Some(2_400_000_000_000),
            ..Selection::default()
        };
        let frames = capture.frames().map(|frame| frame.expect("sound blocks"));
        let frames: Vec<Frame> = frames.filter(|frame| selection.wants(frame)).collect();
        let drawn = path.with_extension(format!("{meter}.svg"));
        let number = meter.to_string();
        let output = chart(&path, &drawn, &[&["--meter", &number], &early[..]].concat());
        assert!(output.status.success(), "{output:?}");
        let svg = fs::read_to_string(&drawn).expect("a chart");
        assert!(frames.len() > 20 && frames.len() < 500, "{}", frames.len());
        assert_eq!(svg.matches("<g class=\"arrow ").count(), frames.len());
        let lost = |frame: &&Frame| frame.comment.contains("; ended: ");
        let crosses = frames.iter().filter(lost).count();
        assert_eq!(svg.matches("class=\"cross\"").count(), crosses);
        let is_altered = |frame: &&Frame| frame.comment.contains("held by mallory");
        let altered = frames.iter().filter(is_altered).count();
        let classes = svg.split("<g class=\"arrow ").skip(1);
        let classes = classes.filter_map(|rest| rest.split_once('"'));
        let marked = classes.filter(|(classes, _)| classes.contains("forged"));
        assert_eq!(marked.count(), altered, "what was altered is marked");
        attacked += altered;
        // Joining and a re-authentication: two keys or more.
        assert!(svg.matches("<g class=\"epoch ").count() >= 2);
        // On the mesh somebody stands between the meter and the head-end.
        let heads = svg.matches("class=\"head\"").count() / 2;
        assert!(if meter < 6 { heads == 2 } else { heads > 2 }, "{heads}");
    }
    assert!(attacked > 10, "{attacked} were altered");
}

#[test]
fn a_retransmission_is_marked_as_one() {
    let path = capture_of("again", &[r#"media.wan=Wan(loss: "30%")"#]);
    let drawn = path.with_extension("svg");
    let output = chart(&path, &drawn, &["--meter", "0"]);
    assert!(output.status.success(), "{output:?}");
    let svg = fs::read_to_string(&drawn).expect("a chart");
    assert!(svg.matches(">sent again").count() > 3);
    assert!(svg.matches("class=\"cross\"").count() > 3);
}

#[test]
fn a_long_chart_says_what_it_leaves_out() {
    let socket = |host: u8| SocketAddr::from(([192, 0, 2, host], 716));
    // A PCI, again and again.
    let pci = vec![0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let datagrams = vec![(socket(1), socket(2), pci); 612];
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dissect-long");
    fs::create_dir_all(&folder).expect("a folder");
    let (file, drawn) = (folder.join("long.pcapng"), folder.join("long.svg"));
    fs::write(&file, pcapng_of(&datagrams)).expect("a file");
    let _ = fs::remove_file(&drawn);
    let output = chart(&file, &drawn, &["--address", "192.0.2.1"]);
    assert!(output.status.success(), "{output:?}");
    let svg = fs::read_to_string(&drawn).expect("a chart");
    assert_eq!(svg.matches("<g class=\"arrow ").count(), 500);
    let note = "Only the first 500 of 612 datagrams are shown";
    assert!(svg.contains(note) && String::from_utf8_lossy(&output.stdout).contains(note));
}

#[test]
fn a_chart_takes_hostile_texts_for_what_they_are_and_overwrites_nothing_else() {
    let hostile = "<script>alert(\"1\")</script> -> ]]>&amp;<x; up; ended: <b>; forged by </svg>";
    let mut file = Vec::new();
    let mut writer = Writer::new(&mut file, "test", Some(0)).expect("a header");
    let interface = Interface {
        name: "</title><script>",
        description: "",
        link_type: RAW_IP,
        fcs_octets: 0,
    };
    writer.interface(&interface).expect("an interface");
    let mut octets = Vec::new();
    let ends = ("192.0.2.1:716".parse(), "192.0.2.2:716".parse());
    let ends = (ends.0.expect("a socket"), ends.1.expect("a socket"));
    sim::capture::frame::ipv4(&mut octets, ends, b"<svg onload=x>");
    let packet = Packet {
        interface: 0,
        time_ns: 0,
        inbound: true,
        octets: &octets,
        original_octets: octets.len() as u32,
        comment: hostile,
    };
    writer.packet(&packet).expect("a packet");
    drop(writer);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dissect-hostile");
    fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("a<b>&\"c'.pcapng");
    fs::write(&path, &file).expect("a file");
    let drawn = folder.join("chart.svg");
    let _ = fs::remove_file(&drawn);
    let output = chart(&path, &drawn, &["--address", "192.0.2.1"]);
    assert!(output.status.success(), "{output:?}");
    let svg = fs::read_to_string(&drawn).expect("a chart");
    assert!(svg.contains("a&lt;b&gt;&amp;&quot;c"));
    assert!(!svg.contains("<script") && !svg.contains("<b>") && !svg.contains("<svg o"));
    assert_eq!(svg.matches("</svg>").count(), 1);
    assert_eq!(svg.matches("<g class=\"arrow ").count(), 1);

    // The chart may be drawn again; a capture is no chart.
    assert!(
        chart(&path, &drawn, &["--address", "192.0.2.1"])
            .status
            .success()
    );
    for (target, arguments) in [
        (&path, &["--address", "192.0.2.1"][..]),
        (&drawn, &[]),
        (
            &drawn,
            &["--address", "192.0.2.1", "--address", "192.0.2.2"],
        ),
        (&drawn, &["--address", "192.0.2.9"]),
    ] {
        let output = chart(&path, target, arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
    assert_eq!(fs::read(&path).expect("a file"), file, "it is untouched");
}
