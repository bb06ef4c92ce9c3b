use std::path::Path;

use super::*;
use crate::schema::{Hex, Row, label};
use crate::test_folder::TestFolder;
use crate::write::{Provenance, TableWriter};
use crate::{AuthRow, HeadendRow, KeyRow, MessageRow, MeterRow, ReadRow, RejectRow, TrafficRow};

const SECOND: i64 = 1_000_000_000;

fn write<R: Row>(folder: &Path, rows: &[R]) {
    let mut writer = TableWriter::create(folder, &Provenance::new("0.1.0", "0")).expect("create");
    for row in rows {
        writer.push(row).expect("push");
    }
    writer.finish().expect("finish");
}

fn meter(meter: u32, joined_s: Option<i64>) -> MeterRow {
    MeterRow {
        meter,
        cohort: "homes".into(),
        domain: 0,
        medium: "ethernet".into(),
        instance: 0,
        id_p: format!("meter-{meter:06}@ami.example"),
        ap_title: String::from("1.3.6"),
        address: String::from("10.0.0.1"),
        hop_count: 1,
        parent_meter: None,
        concentrator: None,
        concentrator_x_m: None,
        concentrator_y_m: None,
        x_m: 12.5,
        y_m: -3.0,
        powered_on_ns: Some(0),
        joined_ns: joined_s.map(|s| s * SECOND),
        time_to_join_ns: joined_s.map(|s| s * SECOND),
        interruptions: 0,
        power_returned_ns: None,
        rejoined_ns: None,
        reading_again_ns: None,
        authentications: 1,
        reauthentications: 0,
        authentication_failures: 0,
        keys_derived: 1,
        reads_due: 0,
        reads_delivered: 0,
        datagrams_up: 0,
        datagrams_down: 0,
        cpu_ns: SECOND / 2,
        clock_drift_ppb: 0,
        firmware: "1",
    }
}

fn auth(kind: &'static str, outcome: &'static str, latency_s: i64, bytes: u32) -> AuthRow {
    AuthRow {
        meter: 0,
        instance: 0,
        kind,
        trigger: "schedule",
        start_ns: 0,
        end_ns: latency_s * SECOND,
        latency_ns: latency_s * SECOND,
        outcome,
        cause: (outcome != label::SUCCESS).then_some("no_answer"),
        key_id: None,
        round_trips: 4,
        datagrams_up: 5,
        datagrams_down: 4,
        pana_bytes_up: bytes,
        pana_bytes_down: bytes + 4,
        retransmissions: 1,
        meter_aes_blocks: 42,
        meter_sha_blocks: 30,
        meter_cpu_ns: 1,
    }
}

fn key(meter: u32, superseded: bool, last_used_s: i64, expires_s: i64) -> KeyRow {
    KeyRow {
        meter,
        side: label::METER,
        kid32: 0,
        c1222_key_id: 16,
        purpose: "unicast",
        key_name: Hex([0; 8]),
        derived_at_ns: 0,
        activated_at_ns: Some(0),
        first_used_at_ns: Some(0),
        last_used_at_ns: Some(last_used_s * SECOND),
        superseded_at_ns: superseded.then_some(SECOND),
        expires_at_ns: expires_s * SECOND,
        ended_at_ns: Some(expires_s * SECOND),
        end_reason: label::EXPIRED,
        lifetime_ns: expires_s * SECOND,
        messages_sent: 3,
        messages_received: 1,
        bytes_protected: 400,
    }
}

#[test]
fn an_empty_folder_has_every_metric_and_no_number() {
    let folder = TestFolder::new("summary_empty");
    let summary = Summary::of(&Results::open(folder.path())).expect("no tables is no error");
    let found: Vec<_> = summary
        .numbers()
        .map(|(metric, _)| metric.clone())
        .collect();
    assert_eq!(found, metrics());
    assert!(summary.numbers().all(|(_, value)| value.is_none()));
}

#[test]
fn paths_are_unique_documented_and_never_continue_one_another() {
    let breakdowns = Summary::of(&Results::open("".as_ref()))
        .expect("empty")
        .breakdowns;
    let mut paths: Vec<_> = metrics()
        .iter()
        .map(|metric| metric.path.as_str())
        .collect();
    paths.extend(breakdowns.iter().map(|(path, _)| *path));
    paths.sort_unstable();
    for pair in paths.windows(2) {
        assert_ne!(pair[0], pair[1]);
        assert!(!pair[1].starts_with(&format!("{}.", pair[0])), "{pair:?}");
    }
    assert!(metrics().iter().all(|metric| metric.doc.ends_with('.')));
}

#[test]
fn meters_and_keys_of_a_small_run() {
    let folder = TestFolder::new("summary_keys");
    write(
        folder.path(),
        &[
            meter(0, Some(10)),
            meter(1, Some(20)),
            meter(2, None),
            meter(3, Some(60)),
        ],
    );
    write(
        folder.path(),
        &[
            key(0, true, 5, 10),
            key(0, true, 10, 10),
            key(1, true, 11, 10),
            key(1, false, 5, 10),
            KeyRow {
                side: label::HEADEND,
                ..key(0, true, 5, 10)
            },
        ],
    );
    let summary = Summary::of(&Results::open(folder.path())).expect("tables are whole");
    for (path, expected) in [
        ("meters.count", 4.0),
        ("meters.joined", 3.0),
        ("meters.joined_ratio", 0.75),
        ("meters.time_to_join_s.p50", 20.0),
        ("meters.time_to_join_s.mean", 30.0),
        ("meters.time_to_join_s.max", 60.0),
        ("keys.derived", 4.0),
        ("keys.rotations", 3.0),
        ("keys.rotations_per_meter.min", 0.0),
        ("keys.rotations_per_meter.mean", 0.75),
        ("keys.rotations_per_meter.max", 2.0),
        ("keys.used_after_expiry", 1.0),
        ("keys.messages_per_key.mean", 4.0),
    ] {
        assert_eq!(summary.get(path), Some(expected), "{path}");
    }
    assert_eq!(summary.breakdown("keys.end_reasons")[label::EXPIRED], 5);
    assert_eq!(summary.get("auth.attempts"), None, "no such table");
}

#[test]
fn authentications_of_a_small_run() {
    let folder = TestFolder::new("summary_auth");
    write(
        folder.path(),
        &[
            auth(label::INITIAL, label::SUCCESS, 1, 300),
            auth(label::INITIAL, label::TIMEOUT, 100, 900),
            auth(label::REAUTHENTICATION, label::SUCCESS, 3, 400),
            auth(label::INITIAL, label::SUCCESS, 2, 320),
        ],
    );
    let summary = Summary::of(&Results::open(folder.path())).expect("tables are whole");
    for (path, expected) in [
        ("auth.attempts", 4.0),
        ("auth.failed", 1.0),
        ("auth.success_ratio", 0.75),
        ("auth.initial", 2.0),
        ("auth.reauthentications", 1.0),
        ("auth.retransmissions", 4.0),
        ("auth.latency_s.min", 1.0),
        ("auth.latency_s.p50", 2.0),
        ("auth.latency_s.max", 3.0),
        ("auth.datagrams_per_initial.mean", 9.0),
        ("auth.pana_bytes_per_initial.min", 604.0),
        ("auth.pana_bytes_per_initial.max", 644.0),
        ("auth.pana_bytes_per_reauthentication.mean", 804.0),
    ] {
        assert_eq!(summary.get(path), Some(expected), "{path}");
    }
    assert_eq!(summary.breakdown("auth.causes")["no_answer"], 1);
}

#[test]
fn reads_traffic_headend_and_rejects_of_a_small_run() {
    let folder = TestFolder::new("summary_rest");
    let read = |latency_s: Option<i64>| ReadRow {
        meter: 0,
        due_ns: 0,
        delivered_ns: latency_s.map(|s| s * SECOND),
        latency_ns: latency_s.map(|s| s * SECOND),
        interval_wh: 100,
    };
    write(
        folder.path(),
        &[read(Some(4)), read(None), read(Some(8)), read(Some(6))],
    );
    let traffic = |direction, protocol, bytes| TrafficRow {
        attacker: None,
        medium: "wan".into(),
        direction,
        protocol,
        message_type: "PAR",
        bin_start_ns: 0,
        bin_ns: SECOND,
        frames: 2,
        bytes,
        payload_bytes: bytes / 2,
        retransmissions: 1,
        drops_loss: 1,
        drops_queue: 0,
        airtime_ns: 4_000_000,
        utilisation: 0.004,
    };
    write(
        folder.path(),
        &[
            traffic(label::UP, "pana", 300),
            traffic(label::DOWN, "c1222", 600),
        ],
    );
    let bin = |utilisation, auth_completed| HeadendRow {
        instance: 0,
        bin_start_ns: 0,
        bin_ns: 2 * SECOND,
        arrivals: 10,
        served: 9,
        dropped: 1,
        queue_max: 7,
        queue_mean: 0.5,
        utilisation,
        auth_completed,
        rejects: 0,
        service_p50_ns: None,
        service_p99_ns: None,
        wait_p99_ns: None,
        sessions: 3,
        half_open: 1,
    };
    write(folder.path(), &[bin(0.25, 4), bin(0.75, 10)]);
    let reject = |cause, count| RejectRow {
        node: label::METER,
        node_id: 0,
        protocol: "pana",
        cause,
        bin_start_ns: 0,
        bin_ns: SECOND,
        count,
    };
    write(
        folder.path(),
        &[
            reject("replay", 2),
            reject("bad_auth", 1),
            reject("replay", 3),
        ],
    );

    let summary = Summary::of(&Results::open(folder.path())).expect("tables are whole");
    for (path, expected) in [
        ("reads.due", 4.0),
        ("reads.completeness_ratio", 0.75),
        ("reads.latency_s.p50", 6.0),
        ("traffic.datagrams", 4.0),
        ("traffic.datagrams_lost", 2.0),
        ("traffic.bytes_up", 300.0),
        ("traffic.c1222_bytes", 600.0),
        ("traffic.pana_per_c1222", 0.5),
        ("headend.dropped", 2.0),
        ("headend.utilisation_max", 0.75),
        ("headend.utilisation_mean", 0.5),
        ("headend.auth_per_s_max", 5.0),
        ("rejects.total", 6.0),
    ] {
        assert_eq!(summary.get(path), Some(expected), "{path}");
    }
    let json = summary.to_json();
    assert_eq!(json["reads"]["due"], json!(4));
    assert_eq!(json["reads"]["latency_s"]["p50"], json!(6));
    assert_eq!(json["headend"]["utilisation_mean"], json!(0.5));
    assert_eq!(
        json["rejects"]["causes"],
        json!({"bad_auth": 1, "replay": 5})
    );
    assert_eq!(json["meters"]["count"], Value::Null);
}

#[test]
fn a_summary_prints_one_line_per_distribution() {
    let folder = TestFolder::new("summary_print");
    write(folder.path(), &[meter(0, Some(10)), meter(1, Some(20))]);
    let summary = Summary::of(&Results::open(folder.path())).expect("tables are whole");
    let text = summary.to_string();
    for line in [
        "meters",
        "  joined_ratio                 100.000 %",
        "  time_to_join_s               min 10  mean 15  p50 15  p95 19.500  p99 19.900  max 20",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn indicators_of_keys_follow_from_their_times() {
    let folder = TestFolder::new("summary_kpi");
    let day = 100;
    // Meter 0 renews its key at 40 s, a second before it expires; meter 1 does so too late; the
    // key of meter 2 lapses at 50 s. The run ends at 100 s.
    let held = |meter: u32, from: i64, superseded: Option<i64>, until: i64| KeyRow {
        derived_at_ns: from * SECOND,
        activated_at_ns: Some(from * SECOND),
        superseded_at_ns: superseded.map(|at| at * SECOND),
        expires_at_ns: until * SECOND,
        lifetime_ns: (until - from) * SECOND,
        c1222_key_id: meter + 1,
        ..key(meter, false, from, until)
    };
    let last = |meter, from| KeyRow {
        end_reason: label::RUN_ENDED,
        ended_at_ns: None,
        c1222_key_id: 7,
        ..held(meter, from, None, day)
    };
    let keys = [
        held(0, 0, Some(40), 41),
        last(0, 40),
        held(1, 0, Some(60), 60),
        last(1, 60),
        held(2, 0, None, 50),
    ];
    write(folder.path(), &keys);
    write(
        folder.path(),
        &[0, 1, 2].map(|number| meter(number, Some(0))),
    );
    let message = |meter: u32, key_id: u32, sent_s: i64| MessageRow {
        meter,
        direction: label::UP,
        service: "write",
        sent_ns: sent_s * SECOND,
        delivered_ns: Some(sent_s * SECOND),
        latency_ns: Some(0),
        apdu_bytes: 80,
        security_mode: label::ENCRYPTED,
        key_id: Some(key_id),
        outcome: label::SUCCESS,
        cause: None,
    };
    // Ages 30 s, 5 s and 10 s; nobody has a key with the last id.
    let messages = [
        message(0, 1, 30),
        message(0, 7, 45),
        message(1, 7, 70),
        message(1, 9, 70),
    ];
    write(folder.path(), &messages);
    let summary = Summary::of(&Results::open(folder.path())).expect("summary");
    for (path, value) in [
        ("kpi.rekey_ratio", 1.0 / 3.0),
        ("kpi.overlap_s.max", 1.0),
        ("kpi.overlap_s.min", 0.0),
        ("kpi.key_age_s.max", 30.0),
        ("kpi.key_age_s.p50", 10.0),
        ("kpi.availability_ratio", (1.0 + 1.0 + 0.5) / 3.0),
    ] {
        let found = summary.get(path).expect(path);
        assert!((found - value).abs() < 1e-9, "{path}: {found}");
    }
    let measured: Vec<&str> = kpi::measured(&summary).map(|(kpi, _)| kpi.path).collect();
    assert!(measured.contains(&"kpi.rekey_ratio"));
    assert!(
        !measured.contains(&"kpi.switch_ratio"),
        "nobody ordered one"
    );
}

#[test]
fn every_indicator_is_a_metric_and_targets_have_two_sides() {
    for kpi in kpi::KPIS {
        let known = metrics().iter().any(|metric| metric.path == kpi.path);
        assert!(known, "{}", kpi.path);
    }
    assert!(kpi::Target::AtLeast(0.5).is_met(0.5) && !kpi::Target::AtLeast(0.5).is_met(0.4));
    assert!(kpi::Target::AtMost(0.5).is_met(0.5) && !kpi::Target::AtMost(0.5).is_met(0.6));
}
