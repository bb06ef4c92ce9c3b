//! Column buffers: where the values of one column wait to be encoded.

use std::mem;

use polars_arrow::array::{
    Array, DictionaryArray, MutableBinaryViewArray, MutableBooleanArray, MutablePrimitiveArray,
    Utf8ViewArray,
};
use polars_arrow::types::NativeType;

/// An encoded column, ready for the Parquet writer.
pub(crate) type ArrayBox = Box<dyn Array>;

/// Buffer of one column.
pub trait Column: Send {
    /// An empty buffer with room for `rows` values.
    fn with_capacity(rows: usize) -> Self;

    /// Hands out the values and leaves an empty buffer with room for `rows` values.
    fn take(&mut self, rows: usize) -> ArrayBox;
}

impl<T: NativeType> Column for MutablePrimitiveArray<T> {
    fn with_capacity(rows: usize) -> Self {
        Self::with_capacity(rows)
    }

    fn take(&mut self, rows: usize) -> ArrayBox {
        mem::replace(self, Self::with_capacity(rows))
            .freeze()
            .boxed()
    }
}

impl Column for MutableBooleanArray {
    fn with_capacity(rows: usize) -> Self {
        Self::with_capacity(rows)
    }

    fn take(&mut self, rows: usize) -> ArrayBox {
        mem::replace(self, Self::with_capacity(rows))
            .freeze()
            .boxed()
    }
}

impl Column for MutableBinaryViewArray<str> {
    fn with_capacity(rows: usize) -> Self {
        Self::with_capacity(rows)
    }

    fn take(&mut self, rows: usize) -> ArrayBox {
        mem::replace(self, Self::with_capacity(rows))
            .freeze()
            .boxed()
    }
}

/// Labels as codes into the labels seen since the last flush.
///
/// The dictionary starts anew with every row group: its order is the order of first appearance,
/// which depends on the rows alone, and a reader's statistics stay exact.
pub struct LabelColumn {
    codes: MutablePrimitiveArray<u32>,
    labels: Vec<&'static str>,
    last: usize,
}

impl LabelColumn {
    pub(super) fn push(&mut self, label: Option<&'static str>) {
        let code = label.map(|label| self.code(label));
        self.codes.push(code);
    }

    fn code(&mut self, label: &'static str) -> u32 {
        // Neighbouring rows mostly carry the same label, most others the same constant.
        let is = |known: &&'static str| std::ptr::eq(*known, label) || *known == label;
        if !self.labels.get(self.last).is_some_and(is) {
            self.last = self.labels.iter().position(is).unwrap_or_else(|| {
                self.labels.push(label);
                self.labels.len() - 1
            });
        }
        // A row group has at most 2^32 rows, hence labels.
        self.last as u32
    }
}

impl Column for LabelColumn {
    fn with_capacity(rows: usize) -> Self {
        Self {
            codes: MutablePrimitiveArray::with_capacity(rows),
            labels: Vec::new(),
            last: 0,
        }
    }

    fn take(&mut self, rows: usize) -> ArrayBox {
        let taken = mem::replace(self, Self::with_capacity(rows));
        let labels = Utf8ViewArray::from_slice_values(&taken.labels);
        DictionaryArray::try_from_keys(taken.codes.freeze(), labels.boxed(), false)
            .expect("every code indexes the labels")
            .boxed()
    }
}
