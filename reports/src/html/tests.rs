//! Reports of folders that a test wrote.

mod field;

use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;
use crate::markup::check::assert_well_formed;
use crate::schema::{Hex, Row};
use crate::test_folder::TestFolder;
use crate::{
    AuthRow, HeadendRow, KeyRow, MdmsRow, MessageRow, MeterRow, Provenance, ReadRow, RejectRow,
    TableWriter, TrafficRow, label,
};

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3_600 * SECOND;

fn write<R: Row>(folder: &Path, rows: impl IntoIterator<Item = R>) {
    let provenance = Provenance::new("0.1.0", "abcd");
    let mut writer = TableWriter::create(folder, &provenance).expect("create");
    for row in rows {
        writer.push(&row).expect("push");
    }
    writer.finish().expect("finish");
}

fn write_manifest(folder: &Path, complete: bool) {
    let manifest = json!({
        "program": "meterstorm",
        "version": "0.1.0",
        "complete": complete,
        "name": "two <meters> & more",
        "duration_s": 7200.0,
        "seed": 7,
        "files": ["scenarios/my study.ron"],
        "overrides": ["seed=7"],
        "timeline": [{ "at_s": 3600.0, "action": "power off" }],
    });
    fs::write(folder.join("manifest.json"), manifest.to_string()).expect("write");
}

fn meter(meter: u32, joined: bool) -> MeterRow {
    MeterRow {
        meter,
        cohort: "homes".to_string(),
        domain: 0,
        medium: "wan".to_string(),
        instance: 0,
        id_p: format!("{meter}@ami.example"),
        ap_title: "1.2.3".to_string(),
        address: "fd00::1".to_string(),
        hop_count: 1,
        parent_meter: None,
        concentrator: None,
        concentrator_x_m: None,
        concentrator_y_m: None,
        x_m: 12.5,
        y_m: -3.0,
        powered_on_ns: Some(0),
        joined_ns: joined.then_some(10 * SECOND),
        time_to_join_ns: joined.then_some(10 * SECOND),
        interruptions: 0,
        power_returned_ns: None,
        rejoined_ns: None,
        reading_again_ns: None,
        authentications: 1,
        reauthentications: 1,
        authentication_failures: 0,
        keys_derived: 2,
        reads_due: 8,
        reads_delivered: 8,
        datagrams_up: 20,
        datagrams_down: 20,
        cpu_ns: SECOND,
        clock_drift_ppb: 0,
        firmware: "1.0",
    }
}

fn key(derived_s: i64, superseded_s: Option<i64>) -> KeyRow {
    KeyRow {
        meter: 0,
        side: label::METER,
        kid32: 1,
        c1222_key_id: 1,
        purpose: "unicast",
        key_name: Hex([0; 8]),
        derived_at_ns: derived_s * SECOND,
        activated_at_ns: Some(derived_s * SECOND),
        first_used_at_ns: None,
        last_used_at_ns: None,
        superseded_at_ns: superseded_s.map(|at| at * SECOND),
        expires_at_ns: 2 * HOUR,
        ended_at_ns: None,
        end_reason: label::RUN_ENDED,
        lifetime_ns: HOUR,
        messages_sent: 1,
        messages_received: 1,
        bytes_protected: 200,
    }
}

fn message(sent_s: i64) -> MessageRow {
    MessageRow {
        meter: 0,
        direction: label::UP,
        service: "write",
        sent_ns: sent_s * SECOND,
        delivered_ns: Some(sent_s * SECOND + SECOND / 10),
        latency_ns: Some(SECOND / 10),
        apdu_bytes: 80,
        security_mode: label::ENCRYPTED,
        key_id: Some(1),
        outcome: label::SUCCESS,
        cause: None,
    }
}

/// A folder with a row or two in every table.
fn write_everything(folder: &Path) {
    write(folder, [meter(0, true), meter(1, false)]);
    write(folder, [key(10, Some(3_600)), key(3_600, None)]);
    write(folder, [message(70), message(3_700)]);
    write(
        folder,
        [AuthRow {
            meter: 0,
            instance: 0,
            kind: label::INITIAL,
            trigger: "power_on",
            start_ns: 9 * SECOND,
            end_ns: 10 * SECOND,
            latency_ns: SECOND,
            outcome: label::SUCCESS,
            cause: None,
            key_id: Some(1),
            round_trips: 4,
            datagrams_up: 5,
            datagrams_down: 4,
            pana_bytes_up: 300,
            pana_bytes_down: 312,
            retransmissions: 0,
            meter_aes_blocks: 42,
            meter_sha_blocks: 30,
            meter_cpu_ns: SECOND / 100,
        }],
    );
    write(
        folder,
        [ReadRow {
            meter: 0,
            due_ns: 900 * SECOND,
            delivered_ns: Some(901 * SECOND),
            latency_ns: Some(SECOND),
            interval_wh: 250,
        }],
    );
    write_network(folder);
}

/// The tables about links and the head-end.
fn write_network(folder: &Path) {
    write(
        folder,
        [TrafficRow {
            attacker: None,
            medium: "wan".to_string(),
            direction: label::UP,
            protocol: "pana",
            message_type: "par_complete",
            bin_start_ns: 0,
            bin_ns: 900 * SECOND,
            frames: 5,
            bytes: 500,
            payload_bytes: 300,
            retransmissions: 0,
            drops_loss: 1,
            drops_queue: 0,
            airtime_ns: 4_000_000,
            utilisation: 0.004,
        }],
    );
    write(
        folder,
        [HeadendRow {
            instance: 0,
            bin_start_ns: 0,
            bin_ns: 900 * SECOND,
            arrivals: 5,
            served: 5,
            dropped: 0,
            queue_max: 2,
            queue_mean: 0.1,
            utilisation: 0.25,
            auth_completed: 1,
            rejects: 1,
            service_p50_ns: Some(1_000),
            service_p99_ns: Some(2_000),
            wait_p99_ns: Some(0),
            sessions: 1,
            half_open: 0,
        }],
    );
    write(
        folder,
        [RejectRow {
            node: label::HEADEND,
            node_id: 0,
            protocol: "c1222",
            cause: "access_closed",
            bin_start_ns: 0,
            bin_ns: 900 * SECOND,
            count: 3,
        }],
    );
}

/// What stands in the table cell after the one with a text.
fn cell_after<'a>(page: &'a str, text: &str) -> &'a str {
    let (_, rest) = page
        .split_once(&format!("<td>{text}</td>"))
        .expect("the cell exists");
    let (_, rest) = rest.split_once("<td").expect("a next cell");
    let (_, rest) = rest.split_once('>').expect("its content");
    rest.split('<').next().unwrap_or("")
}

#[test]
fn a_page_shows_every_table_and_needs_nothing_else() {
    let folder = TestFolder::new("html_everything");
    write_manifest(folder.path(), true);
    write_everything(folder.path());
    let page = render(folder.path()).expect("rendered");
    assert_well_formed(&page);
    for id in [
        "joined-over-time",
        "time-to-join",
        "key-timeline",
        "authentications-over-time",
        "key-age",
        "authentication-latency",
        "read-latency",
        "message-latency",
        "traffic-over-time",
        "headend-utilisation",
        "headend-queue-max",
        "headend-auth-completed",
        "headend-sessions",
        "meter-map",
        "rejects-by-cause",
        "rejects-over-time",
    ] {
        assert_eq!(
            page.matches(&format!("<figure id=\"{id}\"")).count(),
            1,
            "{id}"
        );
        assert!(page.contains(&format!("download=\"{id}.csv\"")), "{id}");
        assert!(page.contains(&format!("<title id=\"{id}-title\">")), "{id}");
    }
    // Nothing is loaded: the only addresses are anchors, data and the name of the SVG vocabulary.
    for reference in page
        .split(" href=\"")
        .skip(1)
        .chain(page.split(" src=\"").skip(1))
    {
        assert!(
            reference.starts_with('#') || reference.starts_with("data:"),
            "{reference:.60}"
        );
    }
    let elsewhere = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!elsewhere.contains("http://") && !elsewhere.contains("https://"));
    assert!(!elsewhere.contains("@import") && !elsewhere.contains("url(http"));
}

#[test]
fn numbers_on_the_page_are_those_of_the_tables() {
    let folder = TestFolder::new("html_numbers");
    write_manifest(folder.path(), true);
    write_everything(folder.path());
    let page = render(folder.path()).expect("rendered");
    assert!(page.contains("<h1>two &lt;meters&gt; &amp; more</h1>"));
    assert!(
        page.contains("<p class=\"tile-value\">50 %</p>"),
        "one of two meters joined"
    );
    assert!(page.contains("1 of 2 meters"));
    assert!(page.contains("1 never joined"));
    // Messages one minute and 100 s after their key was derived.
    assert!(page.contains("half are younger than 80 s"), "key age");
    assert_eq!(cell_after(&page, "PAR complete"), "up");
    assert_eq!(cell_after(&page, "keys.derived"), "2");
    assert_eq!(cell_after(&page, "seed"), "7");
    assert!(page.contains("meterstorm run 'scenarios/my study.ron' --set seed=7"));
    assert!(page.contains("<strong>60 min</strong> power off"));
    // Every figure over time but the one that ends soon after the last join.
    assert_eq!(page.matches("class=\"event-mark\"").count(), 8);
}

#[test]
fn expectations_come_first_and_failures_are_told() {
    let folder = TestFolder::new("html_expectations");
    write_manifest(folder.path(), true);
    let mut verdicts = vec![
        json!({ "expectation": "a <= 1", "measured": 0.5, "holds": true }),
        json!({ "expectation": "b >= 1", "measured": null, "holds": false }),
    ];
    let page_with = |verdicts: &[serde_json::Value]| {
        let summary = json!({ "run": { "name": "x" }, "expectations": verdicts });
        fs::write(folder.path().join("summary.json"), summary.to_string()).expect("write");
        render(folder.path()).expect("rendered")
    };
    let page = page_with(&verdicts);
    assert_well_formed(&page);
    assert!(page.contains("<strong>1 of 2 expectations failed</strong>"));
    assert!(page.contains("<code>a &lt;= 1</code>"));
    assert!(page.contains("<code>b &gt;= 1</code> – nothing was measured"));
    assert_eq!(page.matches("✗ failed").count(), 1);
    verdicts.truncate(1);
    assert!(page_with(&verdicts).contains("<strong>The expectation holds</strong>"));
    assert!(page_with(&[]).contains("states no expectations"));
}

#[test]
fn a_killed_run_has_a_page_that_says_so() {
    let folder = TestFolder::new("html_killed");
    write_manifest(folder.path(), false);
    let provenance = Provenance::new("0.1.0", "abcd");
    let mut writer =
        TableWriter::with_rows_per_part(folder.path(), &provenance, 2).expect("create");
    (0..3).for_each(|index| writer.push(&meter(index, true)).expect("push"));
    drop(writer);
    let page = render(folder.path()).expect("rendered");
    assert_well_formed(&page);
    assert!(page.contains("The run ended early"));
    assert!(page.contains("2 of 2 meters"));
    assert!(
        !page.contains("id=\"key-timeline\""),
        "no keys were flushed"
    );
}

#[test]
fn a_large_population_gives_no_larger_a_page() {
    let sizes = [2_500, 40_000].map(|meters| {
        let folder = TestFolder::new(&format!("html_large_{meters}"));
        write_manifest(folder.path(), true);
        write(
            folder.path(),
            (0..meters).map(|index| meter(index, index % 50 != 0)),
        );
        let page = render(folder.path()).expect("rendered");
        assert_well_formed(&page);
        page.len()
    });
    assert!(sizes[1] < sizes[0] * 2, "{sizes:?}");
    assert!(sizes[1] < 1_000_000, "{sizes:?}");
}

#[test]
fn a_folder_without_results_is_a_typed_error() {
    let folder = TestFolder::new("html_foreign");
    let error = render(folder.path()).expect_err("no manifest");
    assert!(error.to_string().contains("manifest.json"), "{error}");
    fs::write(folder.path().join("manifest.json"), "{ torn").expect("write");
    let error = render(folder.path()).expect_err("not JSON");
    assert!(matches!(error, Error::Document { .. }), "{error}");
}

#[test]
fn data_management_and_indicators_have_sections() {
    let folder = TestFolder::new("html_mdms");
    write_manifest(folder.path(), true);
    write_everything(folder.path());
    let day = |meter: u32, on_time: u32, validation: &'static str| MdmsRow {
        meter,
        day: 0,
        day_start_ns: 0,
        expected: 96,
        received: on_time + 4,
        on_time,
        late: 4,
        replaced: 1,
        unmeasured: 0,
        missing: 92 - on_time,
        gaps: 1,
        gap_max: 92 - on_time,
        estimated: 92 - on_time,
        duplicates: 0,
        dropped: 0,
        misplaced: 0,
        power_fail: 0,
        clock_set: 0,
        partial: 0,
        energy_wh: 12_000,
        estimated_wh: 500,
        register_wh: Some(12_500),
        validation,
        lag_max_ns: SECOND,
    };
    write(
        folder.path(),
        [day(0, 92, label::PASS), day(1, 72, label::FAIL)],
    );
    let page = render(folder.path()).expect("rendered");
    assert_well_formed(&page);
    for id in ["mdms-days", "mdms-meters"] {
        let figure = format!("<figure id=\"{id}\"");
        assert_eq!(page.matches(&figure).count(), 1, "{id}");
    }
    assert!(page.contains("Of 192 intervals that should be there 164 were stored by the deadline"));
    assert!(page.contains("the worst has 75 % of its intervals in time"));
    assert_eq!(cell_after(&page, "intervals by their deadline"), "85.4 %");
    assert_eq!(cell_after(&page, "at least 99.5 %"), "no");
}
