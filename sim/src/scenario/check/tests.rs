use crate::scenario::diagnostic::{Fault, Severity};
use crate::scenario::{Report, load_text};

const SOUND: &str = r#"Scenario(
    name: "sound",
    duration: "2h",
    cohorts: [(name: "homes", count: 10, medium: "lan")],
    media: {"lan": Ethernet()},
)
"#;

fn with(overrides: &[&str]) -> Result<Report, Report> {
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    load_text("sound.ron", SOUND, &overrides).map(|loaded| loaded.warnings)
}

/// Asserts that an override draws exactly one error, of the given kind and with these words.
fn refused(set: &str, fault: Fault, words: &str) {
    let report = with(&[set]).expect_err(set);
    let found: Vec<_> = report
        .diagnostics()
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .collect();
    assert_eq!(found.len(), 1, "{set}: {report}");
    assert_eq!(found[0].fault, fault, "{set}: {report}");
    assert!(found[0].message.contains(words), "{set}: {report}");
}

#[test]
fn ranges_are_kept() {
    for (set, words) in [
        ("version=2", "version 1"),
        ("name=../escape", "letters"),
        ("duration=0s", "no duration"),
        ("duration=40000d", "at most"),
        ("cohorts[0].count=0", "at least one"),
        ("cohorts[0].count=10000001", "at most 10000000"),
        ("cohorts[0].inbox=0", "one datagram"),
        ("cohorts[0].identity=a{m}", "unknown placeholder"),
        ("cohorts[0].identity=a{n", "never closed"),
        ("cohorts[0].boot=Uniform(\"2s\", \"1s\")", "exceeds"),
        ("cohorts[0].boot=LogNormal(\"1s\", \"2s\", -1)", "sigma"),
        ("media.lan.loss=100%", "loses everything"),
        ("media.lan.latency=Fixed(\"0s\")", "above zero"),
        ("media.lan.latency=Normal(\"9ms\", \"1ms\")", "smallest"),
        ("media.lan.up=0b/s", "data rate"),
        ("media.lan.queue=1kB", "1500B"),
        ("keys.session_lifetime=0s", "whole number of seconds"),
        ("keys.session_lifetime=3601500ms", "whole number of seconds"),
        ("keys.array_length=3", "1, 2, 4"),
        ("keys.reauthenticate=Fraction(\"90%\", \"80%\")", "exceeds"),
        (
            "keys.reauthenticate=Fraction(\"0%\", \"80%\")",
            "above zero",
        ),
        ("keys.reauthenticate=Every(\"1h\", \"100%\")", "vanish"),
        ("keys.reauthenticate=Every(\"1h\", \"0.05%\")", "0.1%"),
        ("keys.reauthenticate=Fraction(\"75.55%\", \"80%\")", "0.1%"),
        ("live.optical.first=501", "500 optical ports"),
        ("live.optical.first=11", "only 10 meters"),
        ("live.optical.meters=[3, 10]", "no meter 10"),
        ("traffic.interval=7500ms", "whole number of seconds"),
        ("pana.algorithms=[]", "at least one"),
        ("pana.nonce_length=7", "8 to 256"),
        (
            "pana.pci=Retransmission(\"0s\", \"0s\", 0, \"0s\")",
            "initial",
        ),
        ("pana.failed_session_timeout=0s", "above zero"),
        ("pana.ping=0s", "above zero"),
        ("headend.id=", "1 to 966"),
        ("headend.instances=0", "at least 1"),
        ("headend.instances=1001", "at most 1000"),
        ("headend.cores=0", "at least 1"),
        ("headend.buffer=0", "at least 1"),
        ("headend.half_open_limit=0", "at least 1"),
        ("traffic.report.attempts=0", "at least once"),
        ("traffic.report.timeout=0s", "above zero"),
        ("traffic.registration_period=0s", "above zero"),
        ("load.house_sigma=-0.1", "between 0 and 3"),
        ("load.day_correlation=1", "between 0 and 1"),
        ("load.noise_cv=4", "between 0.01 and 3"),
        ("load.noise_cv=0", "between 0.01 and 3"),
        ("record.bins=10ms", "at least 1s"),
        ("limits.events=0", "budget"),
        ("limits.events_per_instant=0", "budget"),
        ("limits.wall_time=0s", "budget"),
        ("expect=[Between(\"meters.joined\", 2, 1)]", "exceeds"),
        (
            "expect=[AtLeast(\"meters.joined_ratio\", 99.9)]",
            "between 0 and 1",
        ),
    ] {
        refused(set, Fault::OutOfRange, words);
    }
}

#[test]
fn an_empty_population_is_refused() {
    refused("cohorts=[]", Fault::OutOfRange, "at least one cohort");
}

#[test]
fn the_address_space_bounds_the_population() {
    let two = "cohorts=[(name:\"a\",count:9000000,medium:\"lan\"),\
               (name:\"b\",count:9000000,medium:\"lan\")]";
    refused(two, Fault::OutOfRange, "address space");
}

#[test]
fn switches_and_orders_to_them_have_bounds() {
    for (set, words) in [
        ("switch.operating_time=1s", "20ms to 100ms"),
        ("switch.operations=0", "worn out"),
        ("switch.delay=Geometric(probability: \"0%\")", "ever moves"),
        ("headend.commands.rate_per_s=0", "above 0"),
        ("headend.commands.outstanding=0", "none is ever carried out"),
        ("headend.commands.timeout=1min", "at most 30s"),
        ("grid.system_mw=0", "must lie between"),
        ("grid.droop=0%", "never settles"),
        (
            "timeline=[(at:\"1h\", action: Disconnect(cohort: \"homes\", window: \"100000s\"))]",
            "at most 65535s",
        ),
        (
            "timeline=[(at:\"1h\", action: Connect(cohort: \"homes\", rate_per_s: -1.0))]",
            "above 0",
        ),
        (
            "timeline=[(at:\"1h\", action: DemandResponse(id: 1, cohort: \"homes\", duration: \"90s\", \
             level: \"50%\"))]",
            "whole number of minutes",
        ),
        (
            "timeline=[(at:\"1h\", action: DemandResponse(id: 1, cohort: \"homes\", duration: \"1h\", \
             level: \"100%\"))]",
            "no limit",
        ),
        (
            "timeline=[(at:\"1h\", action: DemandResponse(id: 1, cohort: \"homes\", duration: \"1h\", \
             level: \"50%\", notice: \"2d\"))]",
            "at most 1d",
        ),
        (
            "cohorts[0].response=Response(rebound_over: \"0s\")",
            "longer than nothing",
        ),
        (
            "attackers=[(name:\"a\", attack: MassDisconnect(waves: 0), position: HeadEnd, \
             knowledge: Operator)]",
            "waves",
        ),
    ] {
        refused(set, Fault::OutOfRange, words);
    }
    refused(
        "attackers=[(name:\"a\", attack: MassDisconnect(), position: OnPath, knowledge: Operator)]",
        Fault::Contradiction,
        "cannot be made from there",
    );
}

#[test]
fn contradictions_are_found() {
    for (set, words) in [
        ("start=2106-02-07T06:00:00Z", "32 bits"),
        ("keys.session_lifetime=5min", "overlap"),
        ("keys.reauthenticate=Every(\"25h\")", "expire"),
        ("keys.reauthenticate=Every(\"23h\", \"5%\")", "1d9min"),
        ("keys.reauthenticate=Fraction(\"75%\", \"100%\")", "expire"),
        (
            "pana.request=Retransmission(\"2s\", \"1s\", 0, \"0s\")",
            "below",
        ),
        ("traffic.interval=7min", "multiple"),
        ("traffic.report.spread=16min", "spread"),
        ("cohorts[0].identity=meter", "same identity"),
        (
            "timeline=[(at:\"2h\", action: PowerOn(\"homes\"))]",
            "ends after 2h",
        ),
    ] {
        refused(set, Fault::Contradiction, words);
    }
    let report = with(&["pana.stateless=true", "pana.optimized=true"]).unwrap_err();
    assert_eq!(report.diagnostics()[0].fault, Fault::Contradiction);
    assert!(report.to_string().contains("contradicts this"));
}

#[test]
fn references_must_exist() {
    for (set, words) in [
        ("cohorts[0].medium=lann", "no medium \"lann\""),
        (
            "timeline=[(at:\"1h\", action: PowerOff(\"house\"))]",
            "no cohort",
        ),
        (
            "timeline=[(at:\"1h\", action: Reauthenticate(\"x\"))]",
            "no cohort",
        ),
        (
            "timeline=[(at:\"1h\", action: Disconnect(\"house\"))]",
            "no cohort",
        ),
        (
            "timeline=[(at:\"1h\", action: CancelResponse(4, \"homes\"))]",
            "no event 4",
        ),
        (
            "timeline=[(at:\"1h\", action: HeadendDown(1, \"1min\"))]",
            "no instance 1",
        ),
        (
            "timeline=[(at:\"1h\", action: LinkLoss(\"wan\", \"5%\", \"1min\"))]",
            "no medium",
        ),
        ("taps=[(name:\"t\", medium: \"wan\")]", "no medium"),
        ("capture=(media: [\"wan\"])", "no medium"),
        ("capture=(cohorts: [\"flats\"])", "no cohort"),
        ("taps=[(name:\"t\", cohort: \"flats\")]", "no cohort"),
    ] {
        refused(set, Fault::UnknownReference, words);
    }
    refused(
        "expect=[AtLeast(\"meters.joined_ration\", 1)]",
        Fault::UnknownMetric,
        "meters.joined_ration",
    );
}

#[test]
fn names_are_unique() {
    refused(
        "taps=[(name:\"t\"), (name:\"t\")]",
        Fault::Duplicate,
        "two taps",
    );
    refused("record.tables=[Auth, Auth]", Fault::Duplicate, "twice");
    refused(
        "pana.algorithms=[AesCmac, AesCmac]",
        Fault::Duplicate,
        "twice",
    );
    refused("taps=[(name:\"\")]", Fault::OutOfRange, "needs a name");
    refused(
        "capture=(meters: [4000000000])",
        Fault::OutOfRange,
        "numbers from 0 to",
    );
    refused(
        "capture=(sample: \"0%\")",
        Fault::OutOfRange,
        "captures nothing",
    );
    refused(
        r#"capture=(from: "2s", until: "1s")"#,
        Fault::Contradiction,
        "ends before it starts",
    );
    let same = "cohorts=[(name:\"a\",count:1,medium:\"lan\",identity:\"x{n}\"),\
                (name:\"b\",count:1,medium:\"lan\",identity:\"x{n}\")]";
    refused(same, Fault::Contradiction, "same identity");
}

#[test]
fn what_is_hardly_meant_is_a_warning() {
    for (set, words) in [
        ("traffic.report.timeout=5min", "last 20min"),
        ("media.spare=Wan", "no cohort uses"),
        ("cohorts[0].power_on=Fixed(\"3h\")", "before the run ends"),
        ("keys.reauthenticate=Every(\"5min\")", "superseded twice"),
        (
            "timeline=[(at:\"1h\", action: PowerOff(\"homes\", \"50%\", \"2h\"))]",
            "before this is over",
        ),
    ] {
        let warnings = with(&[set]).unwrap_or_else(|report| panic!("{set}: {report}"));
        assert_eq!(warnings.diagnostics().len(), 1, "{set}: {warnings}");
        assert!(warnings.to_string().starts_with("warning: "), "{set}");
        assert!(warnings.to_string().contains(words), "{set}: {warnings}");
    }
}

#[test]
fn a_mistake_draws_no_others_after_it() {
    // The lifetime would be too short, but what was written is no duration.
    refused(
        "keys.session_lifetime=\"5 parsecs\"",
        Fault::BadUnit,
        "parsecs",
    );
    refused(
        "keys.sesion_lifetime=1h",
        Fault::UnknownField,
        "sesion_lifetime",
    );
    refused("cohorts[0].medium=5", Fault::UnknownReference, "no medium");
    refused("media=[]", Fault::WrongType, "map");
    refused("duration=[]", Fault::WrongType, "duration");
}

/// Sets the attackers to one with the given fields besides its name.
fn attacker(fields: &str) -> String {
    format!(r#"attackers=[Attacker(name: "eve", {fields})]"#)
}

#[test]
fn attackers_exist_and_can_do_what_they_do() {
    for (fields, fault, words) in [
        (
            r#"attack: Flood, position: Remote, cohort: "houses""#,
            Fault::UnknownReference,
            "no cohort",
        ),
        (
            r#"attack: Flood, position: Remote, start: "3h""#,
            Fault::Contradiction,
            "the run ends",
        ),
        (
            r#"attack: Flood, position: Remote, start: "1h", stop: "1h""#,
            Fault::Contradiction,
            "before it starts",
        ),
        (
            "attack: Tamper(what: Downgrade), position: Tap",
            Fault::Contradiction,
            "cannot be made from there",
        ),
        (
            "attack: Clone, position: Remote, knowledge: Identities",
            Fault::Contradiction,
            "more knowledge",
        ),
        (
            "attack: Flood, position: Remote, count: 0",
            Fault::OutOfRange,
            "members",
        ),
        (
            r#"attack: Flood, position: Remote, every: "0s""#,
            Fault::OutOfRange,
            "at least 1us",
        ),
        (
            r#"attack: Flood, position: Remote, fraction: "0%""#,
            Fault::OutOfRange,
            "nobody",
        ),
        (
            r#"attack: Replay(delay: "0s"), position: Tap"#,
            Fault::OutOfRange,
            "later",
        ),
        (
            r#"attack: Jam(burst: "2s", period: "1s"), position: Tap"#,
            Fault::OutOfRange,
            "burst",
        ),
        (
            "attack: Dictionary(digits: 17), position: Tap",
            Fault::OutOfRange,
            "digits",
        ),
        (
            "attack: Dictionary(digits: 8, guesses: 0), position: Tap",
            Fault::OutOfRange,
            "guesses are made",
        ),
        (
            r#"attack: Eavesdrop(leak: SessionKey(from: "1h", until: "1h")), position: Tap, knowledge: SessionKeys"#,
            Fault::OutOfRange,
            "empty",
        ),
    ] {
        refused(&attacker(fields), fault, words);
    }
    refused("cohorts[0].psk=Digits(0)", Fault::OutOfRange, "digits");
    let replay = attacker(r#"attack: Replay(delay: "1min"), position: Tap"#);
    let mesh = r#"media={"lan": Mesh(backhaul: "wan"), "wan": Wan()}"#;
    assert!(with(&[mesh, &replay]).is_ok(), "at the concentrator");
    let relays = attacker(r#"attack: Replay(delay: "1min"), position: Tap, foothold: Relays()"#);
    assert!(with(&[mesh, &relays]).is_ok(), "in the mesh");
    let report = with(&[&relays]).expect_err("no mesh, no relays");
    assert!(report.to_string().contains("shares a medium"), "{report}");
    assert!(with(&[&attacker("attack: Flood, position: Remote")]).is_ok());
}

#[test]
fn meters_measure_what_there_is_room_for() {
    let metering = |fields: &str| format!("cohorts[0].metering=Metering({fields})");
    for (fields, words) in [
        ("channels: []", "one to four"),
        (
            "channels: [Delivered, Received, Delivered]",
            "another channel",
        ),
        ("profile_days: 0", "1 to 365"),
        ("starting_current_a: -1", "between 0 and 10"),
        ("demand: (block: \"45min\")", "15, 30 or 60"),
        ("demand: (forgiveness: \"2d\")", "at most 1d"),
        ("limit: (kw: 0)", "between 0.1"),
        ("tariff: (zone: \"MST\")", "offset from UTC"),
        ("tariff: (zone: \"+05:10\")", "multiple of 15"),
        ("tariff: (demand_reset_day: 31)", "every month"),
        ("tariff: (holidays: [(month: 2, day: 30)])", "no such day"),
        (
            "tariff: (holidays: [(month: 9, day: 1, weekday: 7)])",
            "6 (Saturday)",
        ),
        (
            "tariff: (seasons: [(month: 6, weekday: [(at: \"10min\", rate: 1)])])",
            "full half hours",
        ),
        (
            "tariff: (seasons: [(month: 6, weekday: [(at: \"9h\", rate: 6)])])",
            "rates are 0 to 5",
        ),
        (
            "tariff: (seasons: [(month: 6, weekday: [(at: \"9h\", rate: 1), (at: \"8h\", rate: 0)])])",
            "order of their times",
        ),
        (
            "tariff: (seasons: [(month: 6, weekday: []), (month: 1, weekday: [])])",
            "order of their beginning",
        ),
        (
            "household: (weather: (latitude_deg: 91))",
            "between -66 and 66",
        ),
        (
            "household: (cars: (charging: From(\"25h\")))",
            "less than 24h",
        ),
    ] {
        refused(&metering(fields), Fault::OutOfRange, words);
    }
    let sets = [
        metering(""),
        "traffic.interval=7min".to_owned(),
        "traffic.report.every=7min".to_owned(),
    ];
    let report = with(&sets.each_ref().map(String::as_str)).expect_err("7 min");
    assert!(report.to_string().contains("divide an hour"), "{report}");
    let sets = [metering(""), "start=2026-01-15T00:05:00Z".to_owned()];
    let report = with(&sets.each_ref().map(String::as_str)).expect_err("five past");
    assert!(report.to_string().contains("full quarters"), "{report}");
}

#[test]
fn homes_are_possible() {
    let han = |fields: &str| format!("cohorts[0].han=({fields})");
    for (fields, words) in [
        ("displays: 17", "at most 16 devices"),
        ("displays: 8, hems: 9", "at most 16 devices"),
        ("channel: 10", "channels 11 to 26"),
        ("channel: 27", "channels 11 to 26"),
        ("update: \"100ms\"", "500 ms to 1 h"),
        ("update: \"2h\", silence: \"5h\"", "500 ms to 1 h"),
        ("loss: \"100%\"", "loses everything"),
        ("interference: \"95%\"", "less than 95 %"),
        ("burst: \"0s\"", "above 0"),
        ("burst: \"1s\"", "at most 100 ms"),
        ("intruder: \"1ms\"", "every 500 ms at most"),
        (
            "hems: 1, events: [(at: \"1h\", start: \"1h\", duration: \"30s\")]",
            "1 min to 65535 min",
        ),
        (
            "hems: 1, events: [(at: \"1h\", start: \"1h\", duration: \"1h\"), \
             (at: \"0s\", start: \"1h\", duration: \"1h\")]",
            "order of their announcement",
        ),
    ] {
        refused(&han(fields), Fault::OutOfRange, words);
    }
    for (fields, words) in [
        ("update: \"1min\"", "after one lost update"),
        (
            "hems: 1, events: [(at: \"70min\", start: \"1h\", duration: \"1h\")]",
            "after its beginning",
        ),
    ] {
        refused(&han(fields), Fault::Contradiction, words);
    }
    for fields in [
        "displays: 0",
        "events: [(at: \"1h\", start: \"1h\", duration: \"1h\")]",
        "jamming: [(at: \"3h\", duration: \"1h\")]",
    ] {
        let set = han(fields);
        let warnings = with(&[&set]).unwrap_or_else(|report| panic!("{report}"));
        assert_eq!(warnings.diagnostics().len(), 1, "{set}: {warnings}");
    }
}
