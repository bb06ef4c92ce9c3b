//! Columns of Parquet files that others have written.
//!
//! Result tables have known columns and are read as data frames; here a column has whatever type
//! its writer gave it: texts, numbers, or timestamps of any resolution.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use polars_arrow::array::{Array, PrimitiveArray, Utf8ViewArray};
use polars_arrow::datatypes::{ArrowDataType, Field, TimeUnit};
use polars_arrow::types::NativeType;
use polars_parquet::read::{
    BasicDecompressor, FileMetadata, PageReader, column_iter_to_arrays, infer_schema, read_metadata,
};

use crate::Error;

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name in the file.
    pub name: String,
    /// Its values, row by row.
    pub values: Values,
}

/// The values of a column; none where a row has none.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Whole numbers of any width.
    Integers(Vec<Option<i64>>),
    /// Numbers with fractions.
    Numbers(Vec<Option<f64>>),
    /// Texts.
    Texts(Vec<Option<String>>),
    /// Timestamps in nanoseconds since 1970; those without a zone are taken for UTC.
    Times(Vec<Option<i64>>),
}

/// Reads the columns of the file at `path` whose names `wanted` picks, in the order of the file.
///
/// # Errors
///
/// If the file is none of Parquet, is larger than `octets_max`, or a column that is wanted has a
/// type that [`Values`] knows nothing of, such as a list or a category.
pub fn columns(
    path: &Path,
    octets_max: u64,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Column>, Error> {
    let fail = |reason: String| Error::Document {
        path: path.to_path_buf(),
        reason,
    };
    let length = fs::metadata(path).map_err(|error| fail(error.to_string()))?;
    if length.len() > octets_max {
        return Err(fail(format!("it is larger than {octets_max} octets")));
    }
    let octets = fs::read(path).map_err(|error| fail(error.to_string()))?;
    let metadata = read_metadata(&mut Cursor::new(&octets))
        .map_err(|error| fail(format!("it is no Parquet file: {error}")))?;
    let schema = infer_schema(&metadata).map_err(|error| fail(error.to_string()))?;
    let mut columns = Vec::new();
    for field in schema.iter_values().filter(|field| wanted(&field.name)) {
        let named = |reason: String| fail(format!("column `{}`: {reason}", field.name));
        columns.push(Column {
            name: field.name.to_string(),
            values: values(&octets, &metadata, field).map_err(named)?,
        });
    }
    Ok(columns)
}

/// The values of one column in all row groups.
fn values(octets: &[u8], metadata: &FileMetadata, field: &Field) -> Result<Values, String> {
    let mut values = empty(&field.dtype)?;
    for group in &metadata.row_groups {
        let mut chunks = group
            .columns_under_root_iter(&field.name)
            .into_iter()
            .flatten();
        let (Some(chunk), None) = (chunks.next(), chunks.next()) else {
            return Err("it is nested".to_owned());
        };
        let range = chunk.byte_range();
        let octets = octets
            .get(range.start as usize..range.end as usize)
            .ok_or("it lies outside of the file")?;
        let reader = Cursor::new(octets.to_vec().into());
        let pages = PageReader::new(reader, chunk, Vec::new(), usize::MAX);
        let pages = BasicDecompressor::new(pages, Vec::new());
        let kind = &chunk.descriptor().descriptor.primitive_type;
        let (arrays, _) = column_iter_to_arrays(vec![pages], vec![kind], field.clone(), None)
            .map_err(|error| error.to_string())?;
        for array in arrays {
            append(&mut values, array.as_ref(), &field.dtype)?;
        }
    }
    Ok(values)
}

/// No values, of the kind of a type.
fn empty(dtype: &ArrowDataType) -> Result<Values, String> {
    Ok(match dtype {
        ArrowDataType::Int8
        | ArrowDataType::Int16
        | ArrowDataType::Int32
        | ArrowDataType::Int64
        | ArrowDataType::UInt8
        | ArrowDataType::UInt16
        | ArrowDataType::UInt32 => Values::Integers(Vec::new()),
        ArrowDataType::Float32 | ArrowDataType::Float64 => Values::Numbers(Vec::new()),
        ArrowDataType::Utf8 | ArrowDataType::LargeUtf8 | ArrowDataType::Utf8View => {
            Values::Texts(Vec::new())
        }
        ArrowDataType::Timestamp(..) => Values::Times(Vec::new()),
        other => return Err(format!("it has values of the type {other:?}")),
    })
}

fn append(values: &mut Values, array: &dyn Array, dtype: &ArrowDataType) -> Result<(), String> {
    match values {
        Values::Integers(all) => match dtype {
            ArrowDataType::Int8 => extend::<i8, _>(all, array, i64::from),
            ArrowDataType::Int16 => extend::<i16, _>(all, array, i64::from),
            ArrowDataType::Int32 => extend::<i32, _>(all, array, i64::from),
            ArrowDataType::UInt8 => extend::<u8, _>(all, array, i64::from),
            ArrowDataType::UInt16 => extend::<u16, _>(all, array, i64::from),
            ArrowDataType::UInt32 => extend::<u32, _>(all, array, i64::from),
            _ => extend::<i64, _>(all, array, |value| value),
        },
        Values::Numbers(all) => match dtype {
            ArrowDataType::Float32 => extend::<f32, _>(all, array, f64::from),
            _ => extend::<f64, _>(all, array, |value| value),
        },
        Values::Texts(all) => {
            let texts = array.as_any().downcast_ref::<Utf8ViewArray>();
            let texts = texts.ok_or("its texts are stored in a way that is not known")?;
            all.extend(texts.iter().map(|text| text.map(str::to_owned)));
            Ok(())
        }
        Values::Times(all) => {
            let factor = match dtype {
                ArrowDataType::Timestamp(TimeUnit::Second, _) => 1_000_000_000,
                ArrowDataType::Timestamp(TimeUnit::Millisecond, _) => 1_000_000,
                ArrowDataType::Timestamp(TimeUnit::Microsecond, _) => 1_000,
                _ => 1,
            };
            extend::<i64, _>(all, array, |value| value.saturating_mul(factor))
        }
    }
}

/// Appends the values of an array of `T`.
fn extend<T: NativeType, V>(
    all: &mut Vec<Option<V>>,
    array: &dyn Array,
    convert: impl Fn(T) -> V,
) -> Result<(), String> {
    let array = array.as_any().downcast_ref::<PrimitiveArray<T>>();
    let array = array.ok_or("its values are not what the file says")?;
    all.extend(array.iter().map(|value| value.copied().map(&convert)));
    Ok(())
}
