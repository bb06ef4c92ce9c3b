//! Several Parquet files of one table to one file, page by page and without decoding.

use std::fs;
use std::io::{Cursor, Write};
use std::path::PathBuf;

use polars::prelude::{PolarsError, PolarsResult};
use polars_parquet::read::{PageReader, read_metadata};
use polars_parquet::write::{
    CompressedPage, DynIter, DynStreamingIterator, FallibleStreamingIterator, FileWriter, KeyValue,
};

use super::encode::{options, schema};
use crate::schema::TableDef;

/// Writes the row groups of all parts, in order, as one file.
///
/// One part is in memory at a time.
pub(super) fn merge(
    table: &TableDef,
    parts: &[PathBuf],
    metadata: Vec<KeyValue>,
    out: impl Write,
) -> PolarsResult<()> {
    let mut writer = FileWriter::try_new(out, schema(table), options())?;
    for part in parts {
        let bytes = fs::read(part)?;
        let size = bytes.len();
        let file = read_metadata(&mut Cursor::new(&bytes))?;
        let start = Cursor::new(bytes.into());
        for group in &file.row_groups {
            let chunks = group.parquet_columns().iter().map(|column| {
                let mut reader = start.clone();
                reader.set_position(column.byte_range().start);
                Ok(DynStreamingIterator::new(Pages {
                    reader: PageReader::new(reader, column, Vec::new(), size),
                    page: None,
                }))
            });
            writer.write(group.num_rows() as u64, DynIter::new(chunks))?;
        }
    }
    writer.end(Some(metadata))?;
    Ok(())
}

/// Pages of a column chunk, lent one at a time as the writer wants them.
struct Pages {
    reader: PageReader,
    page: Option<CompressedPage>,
}

impl FallibleStreamingIterator for Pages {
    type Item = CompressedPage;
    type Error = PolarsError;

    fn advance(&mut self) -> PolarsResult<()> {
        self.page = self.reader.next().transpose()?;
        if let Some(CompressedPage::Data(page)) = &mut self.page {
            // Page headers do not say it: in a flat column every value is a row.
            page.num_rows = Some(page.num_values());
        }
        Ok(())
    }

    fn get(&self) -> Option<&CompressedPage> {
        self.page.as_ref()
    }
}
