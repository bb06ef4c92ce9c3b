//! What happens at meters in the field: outages, optical ports, firmware.

use super::*;
use crate::{FirmwareRow, OpticalRow, OutageRow};

/// Cells of the table below a heading, row by row, without its head.
fn cells(page: &str, title: &str) -> Vec<Vec<String>> {
    let (_, rest) = page
        .split_once(&format!("<h3>{title}</h3>"))
        .expect("the table exists");
    let (_, body) = rest.split_once("<tbody>").expect("its rows");
    let (body, _) = body.split_once("</tbody>").expect("their end");
    let rows = body.split("<tr>").skip(1);
    let content = |cell: &str| {
        let (_, content) = cell.split_once('>').expect("a cell");
        content.split('<').next().unwrap_or("").to_string()
    };
    rows.map(|row| row.split("<td").skip(1).map(content).collect())
        .collect()
}

/// Lines of the CSV behind a figure.
fn csv_of(page: &str, figure: &str) -> Vec<String> {
    let (before, _) = page
        .split_once(&format!("\" download=\"{figure}.csv\""))
        .expect("the figure exists");
    let (_, uri) = before
        .rsplit_once("href=\"data:text/csv;charset=utf-8,")
        .expect("its address");
    let mut octets = Vec::new();
    let mut rest = uri.bytes();
    while let Some(octet) = rest.next() {
        if octet == b'%' {
            let digits = [rest.next(), rest.next()].map(|digit| digit.expect("two digits"));
            let digits = std::str::from_utf8(&digits).expect("ASCII");
            octets.push(u8::from_str_radix(digits, 16).expect("hexadecimal"));
        } else {
            octets.push(octet);
        }
    }
    let text = String::from_utf8(octets).expect("UTF-8");
    text.lines().map(str::to_string).collect()
}

fn assert_has(lines: &[String], wanted: &[&str]) {
    for line in wanted {
        assert!(lines.iter().any(|have| have == line), "{line} in {lines:?}");
    }
}

/// An outage of `meter` with times in seconds; `heard` and `told` are the delays of the messages.
fn outage(
    meter: u32,
    (lost, returned): (i64, Option<i64>),
    dark: Option<i64>,
    heard: Option<i64>,
    told: Option<i64>,
) -> OutageRow {
    let momentary = returned.is_some_and(|returned| returned - lost < 10);
    OutageRow {
        meter,
        lost_ns: lost * SECOND,
        dark_ns: dark.map(|at| at * SECOND),
        returned_ns: returned.map(|at| at * SECOND),
        kind: if momentary {
            label::MOMENTARY
        } else {
            label::SUSTAINED
        },
        last_gasps: u32::from(heard.is_some()),
        last_gasp_ns: heard.map(|after| (lost + after) * SECOND),
        last_gasp_latency_ns: heard.map(|after| after * SECOND),
        restoration_ns: told.map(|after| (returned.unwrap_or(0) + after) * SECOND),
        restoration_latency_ns: told.map(|after| after * SECOND),
    }
}

#[test]
fn outages_show_what_the_head_end_knows() {
    let folder = TestFolder::new("html_outages");
    write_manifest(folder.path(), true);
    let in_mesh = MeterRow {
        medium: "mesh".to_string(),
        ..meter(1, true)
    };
    write(folder.path(), [meter(0, true), in_mesh]);
    write(
        folder.path(),
        [
            outage(0, (1_000, Some(2_000)), Some(1_030), Some(5), Some(60)),
            outage(1, (1_000, Some(2_000)), Some(1_020), None, None),
            outage(0, (3_000, Some(3_002)), None, None, None),
            outage(1, (4_000, None), Some(4_020), Some(30), None),
            outage(0, (4_000, Some(4_025)), None, None, None),
        ],
    );
    let page = render(folder.path()).expect("rendered");
    assert_well_formed(&page);
    assert!(page.contains("lost their mains 5 times, 1 of these too briefly to be reported"));
    assert!(page.contains("the end of 33.3 % of the outages that were long enough"));
    let expected = [
        ["mesh", "2", "0", "1", "0", "1", "0", "30", "1", "0"],
        ["wan", "3", "1", "1", "1", "0", "1", "5", "2", "1"],
    ];
    assert_eq!(cells(&page, "Outages by medium"), expected);
    // Bins last a minute; a level is that at the end of its bin.
    assert_has(
        &csv_of(&page, "outages-over-time"),
        &[
            "without mains,960,0",
            "without mains,1020,2",
            "\"without, and a last gasp has arrived\",1020,1",
            "without mains,2040,0",
            "\"without, and a last gasp has arrived\",2040,0",
            "\"mains back, but not known to be\",2040,1",
            "\"mains back, but not known to be\",2100,0",
            "without mains,3060,0",
            "without mains,4020,2",
            "without mains,7200,1",
            "\"without, and a last gasp has arrived\",7200,1",
        ],
    );
    // Of two outages in each medium one was heard.
    assert_has(
        &csv_of(&page, "outages-last-gasps"),
        &["wan,5,0.5", "mesh,30,0.5"],
    );
    let told = csv_of(&page, "outages-restorations");
    assert_has(&told, &["wan,60,0.5"]);
    assert!(!told.iter().any(|line| line.starts_with("mesh,60,0.")));
}

fn visit(errand: &'static str, outcome: &'static str, lasted: i64) -> OpticalRow {
    OpticalRow {
        meter: 0,
        start_ns: 1_000 * SECOND,
        end_ns: (1_000 + lasted) * SECOND,
        user_id: 17,
        user: "FIELD".to_string(),
        errand,
        attacker: None,
        outcome,
        baud: 9_600,
        access: "reader",
        requests: 10,
        refused: 1,
        tables_read: 4,
        bytes_read: 900,
        tables_written: 2,
        tables_verified: 2,
        procedures: 1,
        passwords: 1,
        wrong_passwords: 0,
        locked_out: false,
        packets: 30,
        bytes_to_meter: 300,
        bytes_from_meter: 1_200,
        naks: 0,
        retransmissions: 3,
        damaged: 0,
        discarded: 0,
    }
}

#[test]
fn optical_ports_tell_technicians_from_intruders() {
    let folder = TestFolder::new("html_optical");
    write_manifest(folder.path(), true);
    let guess = OpticalRow {
        attacker: Some("burglar".to_string()),
        passwords: 3,
        wrong_passwords: 3,
        locked_out: true,
        ..visit("guess", "locked_out", 90)
    };
    let rows = [
        visit("read", "completed", 20),
        visit("read", "completed", 40),
        visit("configure", "no_answer", 60),
        guess,
    ];
    write(folder.path(), rows);
    let page = render(folder.path()).expect("rendered");
    assert_well_formed(&page);
    assert!(
        page.contains("came for in 66.7 % of 3 sessions"),
        "completed"
    );
    assert!(page.contains("Intruders held 1 session."));
    assert!(page.contains("refused 3 passwords and locked their port 1 time."));
    let bars = csv_of(&page, "optical-outcomes");
    let expected = [
        "configure: no answer,1",
        "read: completed,2",
        "guess (burglar): locked out,1",
    ];
    assert_eq!(bars[1..], expected);
    assert_has(
        &csv_of(&page, "optical-durations"),
        &["read,40,1", "configure,60,1", "guess (burglar),90,1"],
    );
    assert_has(
        &csv_of(&page, "optical-passwords"),
        &[
            "wrong passwords,1080,0",
            "wrong passwords,1140,3",
            "sessions that locked a port,1140,1",
        ],
    );
    let table = cells(&page, "Sessions by errand");
    let read = [
        "read", "2", "2", "30", "2", "8", "4", "4", "2", "0", "6", "0",
    ];
    assert_eq!(table[1], read);
    assert_eq!(table[2][0], "guess (burglar)");
    assert_eq!(table[2][8..], ["3", "3", "3", "1"]);
}

#[test]
fn firmware_shows_progress_and_where_images_ended() {
    let folder = TestFolder::new("html_firmware");
    write_manifest(folder.path(), true);
    // Meters 0 to 3 are the first wave.
    let step = |meter: u32, at: i64, step: &'static str, bytes: u64| FirmwareRow {
        meter,
        time_ns: at * SECOND,
        version: "2.0".to_string(),
        wave: Some(1 + meter / 4),
        step,
        bytes,
    };
    let rows = [
        step(0, 100, label::OFFERED, 0),
        step(1, 100, label::OFFERED, 0),
        step(2, 100, "unsigned", 0),
        step(3, 130, label::OFFERED, 0),
        step(0, 400, label::VERIFIED, 64_000),
        step(1, 500, label::FAULTY, 64_000),
        step(0, 1_000, label::ACTIVATED, 64_000),
        step(4, 1_200, label::HALTED, 0),
    ];
    write(folder.path(), rows);
    let page = render(folder.path()).expect("rendered");
    assert_well_formed(&page);
    assert!(page.contains("Of 3 images that meters agreed to take 33.3 % run"));
    assert!(page.contains("1 arrived damaged, and meters refused 1 offer that"));
    assert_has(
        &csv_of(&page, "firmware-progress"),
        &[
            "offered,60,0",
            "offered,120,2",
            "offered,180,3",
            "complete and verified,420,1",
            "running,960,0",
            "running,1020,1",
            "running,7200,1",
        ],
    );
    let ended = csv_of(&page, "firmware-outcomes");
    let expected = [
        "running,1",
        "faulty,1",
        "halted,1",
        "incomplete,1",
        "unsigned,1",
    ];
    assert_eq!(ended[1..], expected);
    assert_has(
        &csv_of(&page, "firmware-durations"),
        &["complete and verified,300,1", "running,900,1"],
    );
    let first = ["2.0", "1", "3", "1", "1", "1", "1", "0", "300", "64", "64"];
    let second = ["2.0", "2", "0", "0", "0", "0", "0", "1", "–", "0", "–"];
    assert_eq!(
        cells(&page, "Firmware by version and wave"),
        [first, second]
    );
}
