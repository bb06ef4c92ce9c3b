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
    assert_eq!(report.failed(), failures.len());
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

/// A vector file of this folder with one text replaced, on its own in a new folder.
fn damaged(folder: &str, file: &str, from: &str, to: &str) -> PathBuf {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", folder, file]
        .iter()
        .collect();
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from));
    let mut target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    target.push(format!("damaged-{from}").replace(|c: char| !c.is_alphanumeric(), "-"));
    std::fs::create_dir_all(&target).unwrap();
    target.push(file);
    std::fs::write(&target, text.replacen(from, to, 1)).unwrap();
    target
}

#[test]
fn wrong_expectations_fail_their_case_only() {
    for (folder, file, from, to) in [
        ("vectors", "eap-psk.json", "e282c7c32f", "e282c7c32e"),
        ("vectors", "eap-psk.json", "\"DONE_FAILURE\"", "\"CONT\""),
        ("vectors", "eap-psk-keys.json", "8d3bd0d8", "8d3bd0d9"),
        (
            "vectors",
            "malformed.json",
            "resend-cached-response",
            "discard",
        ),
        (
            "vectors-metering",
            "eax_prime.json",
            "0d2e32699f99a8",
            "0d2e32699f99a9",
        ),
    ] {
        let report = suite::run(&[damaged(folder, file, from, to)]).unwrap();
        assert!(report.passed() > 0, "{file} {from}");
        assert_eq!(report.failed(), 1, "{file} {from}");
    }
}

#[test]
fn what_is_not_a_vector_file_is_neither_passed_nor_ignored() {
    let unknown = damaged(
        "vectors",
        "eap-psk.json",
        "\"conversations\"",
        "\"dialogues\"",
    );
    let report = suite::run(&[unknown]).unwrap();
    let verdicts: Vec<String> = report.verdicts().iter().map(ToString::to_string).collect();
    assert_eq!(verdicts, ["UNSUPPORTED eap-psk.json"]);
    let broken = damaged("vectors", "eap-psk-keys.json", "\"key_vectors\":", "");
    let report = suite::run(&[broken]).unwrap();
    assert_eq!((report.passed(), report.failed()), (0, 1));
    assert!(suite::run(&["no such file".into()]).is_err());
}
