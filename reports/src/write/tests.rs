use std::io::{self, Cursor, Write};

use polars::prelude::{AnyValue, DataFrame, ParquetReader, SerReader};
use polars_parquet::read::read_metadata;

use super::*;
use crate::schema::{Hex, label, table};
use crate::test_folder::TestFolder;

table! {
    /// One row per value, of every type a column can have.
    pub(super) table "probe" => ProbeRow, ProbeColumns {
        /// Required unsigned 32-bit integer.
        small: u32 = Count,
        /// Optional unsigned 32-bit integer.
        small_option: Option<u32> = Count,
        /// Required unsigned 64-bit integer.
        large: u64 = Count,
        /// Optional unsigned 64-bit integer.
        large_option: Option<u64> = Count,
        /// Required signed integer.
        at_ns: i64 = Nanoseconds,
        /// Optional signed integer.
        at_option_ns: Option<i64> = Nanoseconds,
        /// Required floating point.
        share: f64 = Ratio,
        /// Optional floating point.
        share_option: Option<f64> = Ratio,
        /// Required boolean.
        flag: bool = Identifier,
        /// Required label.
        label: &'static str = Identifier,
        /// Optional label.
        label_option: Option<&'static str> = Identifier,
        /// Required text.
        text: String = Identifier,
        /// Optional text.
        text_option: Option<String> = Identifier,
        /// Required octets.
        hex: Hex<4> = Identifier,
        /// Optional octets.
        hex_option: Option<Hex<4>> = Identifier,
    }
}

/// Rows with extremes in front and a mixed pattern after.
fn rows(count: usize) -> Vec<ProbeRow> {
    const LABELS: [&str; 4] = [label::SUCCESS, label::TIMEOUT, label::REJECTED, ""];
    let extremes = [
        (u32::MAX, u64::MAX, i64::MAX / 2),
        (0, 0, i64::MIN / 2),
        (7, 1 << 63, -1),
    ];
    (0..count)
        .map(|n| {
            let mixed = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let (small, large, at_ns) = extremes.get(n).copied().unwrap_or((
                (mixed >> 40) as u32,
                mixed,
                n as i64 * 1_000_000,
            ));
            let present = n % 3 != 1;
            ProbeRow {
                small,
                small_option: present.then_some(small),
                large,
                large_option: present.then_some(large),
                at_ns,
                at_option_ns: present.then_some(at_ns),
                share: n as f64 / 8.0,
                share_option: present.then_some(-0.5),
                flag: n % 2 == 0,
                label: LABELS[n / 5 % 4],
                label_option: present.then_some(LABELS[n % 4]),
                text: format!("text of a row beyond the inline limit {n}"),
                text_option: present.then(|| format!("é{n}")),
                hex: Hex((n as u32).to_be_bytes()),
                hex_option: present.then_some(Hex([0xa5; 4])),
            }
        })
        .collect()
}

fn provenance() -> Provenance {
    Provenance::new("0.1.0", "00112233").with("seed", "1")
}

fn write(folder: &Path, rows: &[ProbeRow], rows_per_part: usize) -> Finished {
    let mut writer =
        TableWriter::with_rows_per_part(folder, &provenance(), rows_per_part).expect("create");
    for row in rows {
        writer.push(row).expect("push");
    }
    writer.finish().expect("finish")
}

fn load(path: &Path) -> DataFrame {
    let file = File::open(path).expect("file exists");
    ParquetReader::new(file).finish().expect("valid Parquet")
}

fn assert_holds(frame: &DataFrame, rows: &[ProbeRow]) {
    fn text<'a>(value: &'a AnyValue<'a>) -> Option<&'a str> {
        value.get_str()
    }
    assert_eq!(frame.height(), rows.len());
    let names: Vec<_> = ProbeRow::TABLE.columns.iter().map(|c| c.name).collect();
    assert_eq!(frame.get_column_names(), names);
    let value = |name: &str, n| frame.column(name).expect("column").get(n).expect("row");
    for (n, row) in rows.iter().enumerate() {
        let option = |some: Option<AnyValue<'static>>| some.unwrap_or(AnyValue::Null);
        assert_eq!(value("small", n), AnyValue::UInt32(row.small));
        assert_eq!(
            value("small_option", n),
            option(row.small_option.map(AnyValue::UInt32))
        );
        assert_eq!(value("large", n), AnyValue::UInt64(row.large));
        assert_eq!(
            value("large_option", n),
            option(row.large_option.map(AnyValue::UInt64))
        );
        assert_eq!(value("at_ns", n), AnyValue::Int64(row.at_ns));
        assert_eq!(
            value("at_option_ns", n),
            option(row.at_option_ns.map(AnyValue::Int64))
        );
        assert_eq!(value("share", n), AnyValue::Float64(row.share));
        assert_eq!(
            value("share_option", n),
            option(row.share_option.map(AnyValue::Float64))
        );
        assert_eq!(value("flag", n), AnyValue::Boolean(row.flag));
        assert_eq!(text(&value("label", n)), Some(row.label));
        assert_eq!(text(&value("label_option", n)), row.label_option);
        assert_eq!(text(&value("text", n)), Some(row.text.as_str()));
        assert_eq!(text(&value("text_option", n)), row.text_option.as_deref());
        assert_eq!(text(&value("hex", n)), Some(row.hex.to_string().as_str()));
        let hex_option = row.hex_option.map(|hex| hex.to_string());
        assert_eq!(text(&value("hex_option", n)), hex_option.as_deref());
    }
}

#[test]
fn rows_survive_a_round_trip_through_one_part() {
    let folder = TestFolder::new("one_part");
    let rows = rows(1_000);
    let finished = write(folder.path(), &rows, 1_000);
    assert_eq!(finished.rows, 1_000);
    assert_eq!(
        finished.bytes,
        fs::metadata(&finished.path).expect("file").len()
    );
    assert_holds(&load(&finished.path), &rows);
}

#[test]
fn rows_survive_a_round_trip_through_many_parts() {
    let folder = TestFolder::new("many_parts");
    let rows = rows(1_000);
    let finished = write(folder.path(), &rows, 64);
    assert_eq!(finished.rows, 1_000);
    assert_holds(&load(&finished.path), &rows);
    let names: Vec<_> = fs::read_dir(folder.path())
        .expect("folder")
        .map(|entry| entry.expect("entry").file_name())
        .collect();
    assert_eq!(
        names,
        ["probe.parquet"],
        "parts and temporary files are gone"
    );
}

#[test]
fn an_empty_table_is_a_valid_file_with_its_columns() {
    let folder = TestFolder::new("empty");
    let finished = write(folder.path(), &[], 64);
    assert_eq!(finished.rows, 0);
    assert_holds(&load(&finished.path), &[]);
}

#[test]
fn all_null_columns_survive_a_round_trip() {
    let folder = TestFolder::new("all_null");
    let mut rows = rows(40);
    for row in &mut rows {
        row.small_option = None;
        row.at_option_ns = None;
        row.share_option = None;
        row.label_option = None;
        row.text_option = None;
    }
    let finished = write(folder.path(), &rows, 16);
    assert_holds(&load(&finished.path), &rows);
}

#[test]
fn equal_rows_give_equal_bytes() {
    let (one, two) = (TestFolder::new("bytes_one"), TestFolder::new("bytes_two"));
    let rows = rows(5_000);
    for rows_per_part in [5_000, 512] {
        let first = write(one.path(), &rows, rows_per_part);
        let second = write(two.path(), &rows, rows_per_part);
        let (first, second) = (fs::read(first.path), fs::read(second.path));
        assert!(first.expect("file") == second.expect("file"));
    }
}

#[test]
fn merged_parts_equal_one_file_with_the_same_row_groups() {
    let folder = TestFolder::new("merge");
    let rows = rows(300);
    let finished = write(folder.path(), &rows, 100);
    let merged = fs::read(&finished.path).expect("file");

    let mut writer = polars_parquet::write::FileWriter::try_new(
        Vec::new(),
        encode::schema(ProbeRow::TABLE),
        encode::options(),
    )
    .expect("schema is valid");
    for group in rows.chunks(100) {
        let mut columns = ProbeColumns::with_capacity(100);
        group.iter().for_each(|row| columns.push(row));
        encode::write_row_group(ProbeRow::TABLE, &columns.take(), &mut writer).expect("encodes");
    }
    let metadata = provenance().metadata(ProbeRow::TABLE);
    writer.end(Some(metadata)).expect("ends");
    assert!(
        merged == writer.into_inner(),
        "copied pages differ from encoded ones"
    );
}

#[test]
fn metadata_and_statistics_are_in_the_file() {
    let folder = TestFolder::new("metadata");
    let finished = write(folder.path(), &rows(300), 100);
    let mut bytes = Cursor::new(fs::read(finished.path).expect("file"));
    let file = read_metadata(&mut bytes).expect("footer");
    let entries: Vec<_> = file
        .key_value_metadata
        .as_ref()
        .expect("metadata")
        .iter()
        .map(|entry| (entry.key.as_str(), entry.value.as_deref().unwrap_or("")))
        .collect();
    assert_eq!(
        entries,
        [
            (
                "meterstorm.schema_version",
                SCHEMA_VERSION.to_string().as_str()
            ),
            ("meterstorm.table", "probe"),
            ("meterstorm.program_version", "0.1.0"),
            ("meterstorm.scenario_digest", "00112233"),
            ("meterstorm.seed", "1"),
        ]
    );
    assert_eq!(file.row_groups.len(), 3);
    for group in &file.row_groups {
        assert_eq!(group.num_rows(), 100);
        for column in group.parquet_columns() {
            assert!(
                column.statistics(&file.footer_buf).is_some(),
                "{:?}",
                column.descriptor()
            );
        }
    }
}

#[test]
fn a_dropped_writer_leaves_every_flushed_row_readable() {
    let folder = TestFolder::new("killed");
    let rows = rows(250);
    let mut writer =
        TableWriter::with_rows_per_part(folder.path(), &provenance(), 100).expect("create");
    for row in &rows {
        writer.push(row).expect("push");
    }
    assert_eq!(writer.rows(), 250);
    // As SIGKILL does: nothing runs after this.
    std::mem::forget(writer);
    let parts = parts_path(folder.path(), ProbeRow::TABLE);
    let first = load(&parts.join("part-00000.parquet"));
    let second = load(&parts.join("part-00001.parquet"));
    assert_holds(&first.vstack(&second).expect("same columns"), &rows[..200]);
    assert!(!parts.join("part-00002.parquet").exists());
}

#[test]
fn a_new_run_replaces_what_a_killed_one_left() {
    let folder = TestFolder::new("replaced");
    let mut killed =
        TableWriter::with_rows_per_part(folder.path(), &provenance(), 10).expect("create");
    for row in rows(35) {
        killed.push(&row).expect("push");
    }
    drop(killed);
    let rows = rows(5);
    let finished = write(folder.path(), &rows, 10);
    assert_holds(&load(&finished.path), &rows);
}

/// A writer that accepts a number of octets and then reports a full disk.
struct Full {
    room: usize,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.room == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let taken = bytes.len().min(self.room);
        self.room -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_a_typed_error_wherever_it_strikes() {
    let rows = rows(50);
    let mut whole = Vec::new();
    encode(&rows, &provenance(), &mut whole).expect("memory has room");
    for room in (0..whole.len()).step_by(61) {
        let error = encode(&rows, &provenance(), Full { room }).expect_err("no room");
        assert!(error.is_storage_full(), "{room}: {error}");
    }
    encode(&rows, &provenance(), Full { room: whole.len() }).expect("just enough room");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_stops_a_table_and_keeps_its_earlier_parts() {
    let folder = TestFolder::new("full");
    let rows = rows(20);
    let mut writer =
        TableWriter::with_rows_per_part(folder.path(), &provenance(), 10).expect("create");
    for row in &rows[..19] {
        writer.push(row).expect("room so far");
    }
    let parts = parts_path(folder.path(), ProbeRow::TABLE);
    let partial = parts.join("part-00001.partial");
    std::os::unix::fs::symlink("/dev/full", &partial).expect("symlink");
    let error = writer.push(&rows[19]).expect_err("no room");
    assert!(error.is_storage_full(), "{error}");
    assert!(error.to_string().contains("part-00001.partial"), "{error}");
    assert!(!partial.exists(), "what did not fit is removed");
    assert_holds(&load(&parts.join("part-00000.parquet")), &rows[..10]);
}

#[test]
fn a_missing_folder_is_a_typed_error() {
    let folder = TestFolder::new("missing");
    let nowhere = folder.path().join("nowhere");
    let error = TableWriter::<ProbeRow>::create(&nowhere, &provenance())
        .err()
        .expect("no folder");
    assert!(
        matches!(&error, Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound),
        "{error}"
    );
}
