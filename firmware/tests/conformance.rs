//! Runs every vector file of this folder through the conformance suite.

#[path = "../examples/conformance/suite/mod.rs"]
mod suite;

use std::path::PathBuf;

/// Cases of each file, so that none is lost silently.
fn run(folder: &str, file: &str) -> (usize, Vec<String>) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", folder, file]
        .iter()
        .collect();
    let report = suite::run(&[path]).unwrap();
    let failures: Vec<String> = report
        .verdicts()
        .iter()
        .map(ToString::to_string)
        .filter(|verdict| !verdict.starts_with("PASS "))
        .collect();
    let failed = failures
        .iter()
        .filter(|verdict| verdict.starts_with("FAIL "));
    assert_eq!(report.failed(), failed.count());
    (report.passed(), failures)
}

#[track_caller]
fn assert_passes(folder: &str, file: &str, cases: usize) {
    let (passed, failures) = run(folder, file);
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(
        passed >= cases,
        "{file}: {passed} cases of at least {cases}"
    );
}

#[test]
fn every_case_passes() {
    let folders = ["vectors", "vectors-metering"];
    let paths = folders.map(|folder| {
        [env!("CARGO_MANIFEST_DIR"), "tests", folder]
            .iter()
            .collect()
    });
    let report = suite::run(&paths).unwrap();
    let failures: Vec<String> = report
        .verdicts()
        .iter()
        .map(ToString::to_string)
        .filter(|verdict| verdict.starts_with("FAIL "))
        .collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn eap_psk_conversations() {
    assert_passes("vectors", "eap-psk.json", 19);
}

#[test]
fn eap_psk_keys() {
    assert_passes("vectors", "eap-psk-keys.json", 12);
}

#[test]
fn eap_psk_with_another_implementation() {
    assert_passes("vectors", "eap-psk-hostap.json", 4);
}

#[test]
fn malformed_packets() {
    assert_passes("vectors", "malformed.json", 48 + 83);
}

#[test]
fn ukmf_keys() {
    assert_passes("vectors", "ukmf.json", 110);
}

#[test]
fn c1218_packets() {
    assert_passes("vectors-metering", "c1218_packets.json", 5 + 30 + 3);
}

#[test]
fn c1218_session_with_a_client() {
    assert_passes("vectors-metering", "c1218_live_client.json", 2);
}

#[test]
fn c1219_tables() {
    assert_passes("vectors-metering", "c1219_tables.json", 41);
}

#[test]
fn c1222_apdus() {
    assert_passes("vectors-metering", "c1222_apdus.json", 85);
}

#[test]
fn c1222_captured_frames() {
    assert_passes("vectors-metering", "c1222_captured.json", 13);
}

#[test]
fn c1222_exchanges_with_a_client() {
    assert_passes("vectors-metering", "c1222_live_client.json", 9);
}

#[test]
fn c1222_segments() {
    assert_passes("vectors-metering", "c1222_segmentation.json", 7);
}

#[test]
fn eax_prime() {
    assert_passes("vectors-metering", "eax_prime.json", 53);
}

#[test]
fn pana_sessions() {
    assert_passes("vectors", "pana-sessions.json", 13);
}

#[test]
fn pana_retransmission() {
    assert_passes("vectors", "retransmission.json", 8);
}

#[test]
fn pana_with_another_implementation() {
    assert_passes("vectors", "pana-cpana-capture.json", 29);
}
