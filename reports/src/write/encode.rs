//! One batch of rows to one Parquet row group.
//!
//! Files carry plain Parquet types with logical annotations and no Arrow schema, so every reader
//! sees the same: labels and text as strings, unsigned integers as such. Times, indices and small
//! counters are DELTA_BINARY_PACKED and labels are dictionaries. Large counters stay plain because
//! readers overflow on deltas beyond 63 bits.

use std::io::Write;

use polars::prelude::{PlSmallStr, PolarsError, PolarsResult};
use polars_arrow::datatypes::{ArrowDataType, ArrowSchema, Field};
use polars_parquet::read::ParquetError;
use polars_parquet::write::{
    CompressionOptions, Compressor, DynIter, DynStreamingIterator, Encoding,
    FallibleStreamingIterator as _, FileWriter, KeyValue, StatisticsOptions, Version, WriteOptions,
    ZstdLevel, array_to_columns,
};

use super::{Latch, Provenance};
use crate::Error;
use crate::schema::{ArrayBox, Columns, Kind, Row, TableDef};

/// Encodes rows as one complete Parquet file into any writer.
///
/// For small tables and for tests; a run uses [`TableWriter`](super::TableWriter).
pub fn encode<R: Row>(rows: &[R], provenance: &Provenance, out: impl Write) -> Result<(), Error> {
    let mut columns = R::Columns::with_capacity(rows.len());
    for row in rows {
        columns.push(row);
    }
    let mut out = Latch::new(out);
    let metadata = provenance.metadata(R::TABLE);
    let written = write_rows(R::TABLE, &columns.take(), metadata, &mut out);
    out.into_result()
        .map_err(|e| Error::io(R::TABLE.name, "<writer>".as_ref(), e))?;
    written.map_err(Error::parquet(R::TABLE.name))
}

/// Options every file is written with.
pub(super) fn options() -> WriteOptions {
    WriteOptions {
        statistics: StatisticsOptions {
            min_value: true,
            max_value: true,
            distinct_count: false,
            null_count: true,
            binary_statistics_truncate_length: None,
        },
        version: Version::V1,
        compression: CompressionOptions::Zstd(Some(
            ZstdLevel::try_new(1).expect("level 1 is in range"),
        )),
        data_page_size: None,
    }
}

/// Schema of a table in the Parquet layer's terms.
pub(super) fn schema(table: &TableDef) -> ArrowSchema {
    let fields = table.columns.iter().map(|column| {
        let data_type = match column.kind {
            Kind::Boolean => ArrowDataType::Boolean,
            Kind::Float64 => ArrowDataType::Float64,
            Kind::Int64 => ArrowDataType::Int64,
            Kind::Label | Kind::Text => ArrowDataType::Utf8View,
            Kind::UInt32 => ArrowDataType::UInt32,
            Kind::UInt64 => ArrowDataType::UInt64,
        };
        let name = PlSmallStr::from_static(column.name);
        (name.clone(), Field::new(name, data_type, column.nullable))
    });
    fields.collect()
}

/// Writes the columns as a file of one row group, or of none if they are empty.
pub(super) fn write_rows(
    table: &TableDef,
    arrays: &[ArrayBox],
    metadata: Vec<KeyValue>,
    out: impl Write,
) -> PolarsResult<()> {
    let mut writer = FileWriter::try_new(out, schema(table), options())?;
    if arrays.first().is_some_and(|array| !array.is_empty()) {
        write_row_group(table, arrays, &mut writer)?;
    }
    writer.end(Some(metadata))?;
    Ok(())
}

/// Appends the columns as one row group.
pub(super) fn write_row_group(
    table: &TableDef,
    arrays: &[ArrayBox],
    writer: &mut FileWriter<impl Write>,
) -> PolarsResult<()> {
    let rows = arrays.first().map_or(0, |array| array.len());
    let types = writer.parquet_schema().fields().to_vec();
    let chunks = arrays
        .iter()
        .zip(types)
        .zip(table.columns)
        .map(|((array, type_), column)| {
            let pages = array_to_columns(array, type_, options(), &[encoding(column.kind)])?
                .pop()
                .expect("a flat column has one leaf")
                .map(|page| page.map_err(|e| ParquetError::FeatureNotSupported(e.to_string())));
            let compressed = Compressor::new_from_vec(pages, options().compression, Vec::new());
            Ok(DynStreamingIterator::new(
                compressed.map_err(PolarsError::from),
            ))
        });
    writer.write(rows as u64, DynIter::new(chunks))
}

fn encoding(kind: Kind) -> Encoding {
    match kind {
        Kind::Int64 | Kind::UInt32 => Encoding::DeltaBinaryPacked,
        Kind::Label => Encoding::RleDictionary,
        Kind::Boolean | Kind::Float64 | Kind::Text | Kind::UInt64 => Encoding::Plain,
    }
}
