//! Cost of recording: nanoseconds and octets per row, table by table.
//!
//! `cargo bench -p reports` prints, for a million rows each, the time to gather a row, the time to
//! encode it, the time to merge parts and the size on disk.

use std::fs;
use std::time::{Duration, Instant};

use reports::schema::Columns;
use reports::{
    AuthRow, Hex, KeyRow, MessageRow, Provenance, ReadRow, Row, TableWriter, label, write,
};

const ROWS: u64 = 1_000_000;
const METERS: u64 = 10_000;
const SECOND: i64 = 1_000_000_000;

fn main() {
    bench(|n, noise| ReadRow {
        meter: (n % METERS) as u32,
        due_ns: (n / METERS) as i64 * 900 * SECOND,
        delivered_ns: Some((n / METERS) as i64 * 900 * SECOND + noise),
        latency_ns: Some(noise),
        interval_wh: (noise % 500) as u32,
    });
    bench(|n, noise| MessageRow {
        meter: (noise as u64 % METERS) as u32,
        direction: if n % 2 == 0 { label::UP } else { label::DOWN },
        service: if n % 2 == 0 { "write" } else { "response" },
        sent_ns: n as i64 * 86_400_000,
        delivered_ns: Some(n as i64 * 86_400_000 + noise),
        latency_ns: Some(noise),
        apdu_bytes: 90 + (noise % 4) as u32,
        security_mode: label::ENCRYPTED,
        key_id: Some(16 + (n / 40_000) as u32),
        outcome: label::SUCCESS,
        cause: None,
    });
    bench(|n, noise| AuthRow {
        meter: (noise as u64 % METERS) as u32,
        instance: 0,
        kind: if n < METERS {
            label::INITIAL
        } else {
            label::REAUTHENTICATION
        },
        trigger: "schedule",
        start_ns: n as i64 * 360_000_000,
        end_ns: n as i64 * 360_000_000 + noise,
        latency_ns: noise,
        outcome: label::SUCCESS,
        cause: None,
        key_id: Some((n / METERS) as u32),
        round_trips: 4,
        datagrams_up: 5,
        datagrams_down: 5,
        pana_bytes_up: 416,
        pana_bytes_down: 396,
        retransmissions: 0,
        meter_aes_blocks: 42,
        meter_sha_blocks: 30,
        meter_cpu_ns: 5_640_625,
    });
    bench(|n, noise| KeyRow {
        meter: (noise as u64 % METERS) as u32,
        side: if n % 2 == 0 {
            label::METER
        } else {
            label::HEADEND
        },
        kid32: (n / METERS) as u32,
        c1222_key_id: 16 + (n / METERS % 224) as u32,
        purpose: "unicast",
        key_name: Hex((noise as u64)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .to_be_bytes()),
        derived_at_ns: n as i64 * SECOND,
        activated_at_ns: Some(n as i64 * SECOND + noise),
        first_used_at_ns: Some(n as i64 * SECOND + 2 * noise),
        last_used_at_ns: Some(n as i64 * SECOND + 4 * noise),
        superseded_at_ns: Some(n as i64 * SECOND + 5 * noise),
        expires_at_ns: n as i64 * SECOND + 6 * noise,
        ended_at_ns: Some(n as i64 * SECOND + 6 * noise),
        end_reason: label::EXPIRED,
        lifetime_ns: 6 * noise,
        messages_sent: 8,
        messages_received: 8,
        bytes_protected: 1_600,
    });
}

/// Prints the cost of one table.
fn bench<R: Row>(row: impl Fn(u64, i64) -> R) {
    // A linear congruential generator: latencies around 100 ms with 27 random bits.
    let mut state = 1_u64;
    let rows: Vec<R> = (0..ROWS)
        .map(|n| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            row(n, (state >> 37) as i64)
        })
        .collect();

    let mut columns = R::Columns::with_capacity(write::ROWS_PER_PART);
    let mut gather = Duration::ZERO;
    for part in rows.chunks(write::ROWS_PER_PART) {
        let start = Instant::now();
        part.iter().for_each(|row| columns.push(row));
        gather += start.elapsed();
        let arrays = columns.take();
        columns.restore(arrays, write::ROWS_PER_PART);
    }

    let folder = std::env::temp_dir().join(format!("reports-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("temporary folder");
    let provenance = Provenance::new("bench", "0");
    let start = Instant::now();
    let mut writer = TableWriter::create(&folder, &provenance).expect("create");
    for row in &rows {
        writer.push(row).expect("push");
    }
    let written = start.elapsed();
    let finished = writer.finish().expect("finish");
    let total = start.elapsed();
    fs::remove_dir_all(&folder).expect("temporary folder is ours");

    let per_row = |time: Duration| time.as_nanos() as f64 / ROWS as f64;
    println!(
        "{:<9} {:>2} columns  gather {:5.1} ns/row  encode {:6.1} ns/row  merge {:5.1} ns/row  {:5.1} B/row",
        R::TABLE.name,
        R::TABLE.columns.len(),
        per_row(gather),
        per_row(written) - per_row(gather),
        per_row(total - written),
        finished.bytes as f64 / ROWS as f64,
    );
}
