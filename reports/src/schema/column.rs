//! Column buffers: where the values of one column wait to be encoded.

use std::mem;

use polars_arrow::Either;
use polars_arrow::array::{
    Array, DictionaryArray, MutableBinaryViewArray, MutableBooleanArray, MutablePrimitiveArray,
    PrimitiveArray, Utf8ViewArray,
};
use polars_arrow::types::NativeType;

/// An encoded column, ready for the Parquet writer.
pub(crate) type ArrayBox = Box<dyn Array>;

/// Buffer of one column.
///
/// Buffers are as large as the processor's cache and live as long as the run: encoding borrows
/// their storage and gives it back, so a part costs no fresh pages.
pub trait Column: Send {
    /// An empty buffer with room for `rows` values.
    fn with_capacity(rows: usize) -> Self;

    /// Hands out the values with their storage and leaves a buffer without any.
    fn take(&mut self) -> ArrayBox;

    /// Takes back the storage of an array this column handed out, or else allocates for `rows`.
    fn restore(&mut self, array: ArrayBox, rows: usize);
}

impl<T: NativeType> Column for MutablePrimitiveArray<T> {
    fn with_capacity(rows: usize) -> Self {
        Self::with_capacity(rows)
    }

    fn take(&mut self) -> ArrayBox {
        mem::take(self).freeze().boxed()
    }

    fn restore(&mut self, mut array: ArrayBox, rows: usize) {
        let array = array.as_any_mut().downcast_mut::<PrimitiveArray<T>>();
        let array =
            array.map(|array| mem::replace(array, PrimitiveArray::new_empty(T::PRIMITIVE.into())));
        *self = restored(array, rows);
    }
}

/// Empties an array for reuse if nothing else refers to its storage.
fn restored<T: NativeType>(
    array: Option<PrimitiveArray<T>>,
    rows: usize,
) -> MutablePrimitiveArray<T> {
    match array.map(PrimitiveArray::into_mut) {
        Some(Either::Right(mut buffer)) => {
            buffer.clear();
            buffer
        }
        _ => MutablePrimitiveArray::with_capacity(rows),
    }
}

impl Column for MutableBooleanArray {
    fn with_capacity(rows: usize) -> Self {
        Self::with_capacity(rows)
    }

    fn take(&mut self) -> ArrayBox {
        mem::take(self).freeze().boxed()
    }

    fn restore(&mut self, _: ArrayBox, rows: usize) {
        // A bit per row is not worth reusing.
        *self = Self::with_capacity(rows);
    }
}

impl Column for MutableBinaryViewArray<str> {
    fn with_capacity(rows: usize) -> Self {
        Self::with_capacity(rows)
    }

    fn take(&mut self) -> ArrayBox {
        mem::take(self).freeze().boxed()
    }

    fn restore(&mut self, _: ArrayBox, rows: usize) {
        // Text is rare, and its buffers grow with its length.
        *self = Self::with_capacity(rows);
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
    #[inline]
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

    fn take(&mut self) -> ArrayBox {
        let labels = Utf8ViewArray::from_slice_values(&self.labels);
        self.labels.clear();
        self.last = 0;
        let codes = mem::take(&mut self.codes).freeze();
        DictionaryArray::try_from_keys(codes, labels.boxed(), false)
            .expect("every code indexes the labels")
            .boxed()
    }

    fn restore(&mut self, mut array: ArrayBox, rows: usize) {
        let array = array.as_any_mut().downcast_mut::<DictionaryArray<u32>>();
        let codes = array.map(|array| {
            let empty = DictionaryArray::new_empty(array.dtype().clone());
            let (_, codes, _) = mem::replace(array, empty).take();
            codes
        });
        self.codes = restored(codes, rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restoring_keeps_the_storage_and_forgets_the_values() {
        let mut column = MutablePrimitiveArray::<i64>::with_capacity(100);
        column.push(Some(1));
        column.push(None);
        let storage = column.values().as_ptr();
        let array = column.take();
        assert_eq!((array.len(), column.capacity()), (2, 0));
        column.restore(array, 100);
        assert_eq!((column.values().len(), column.capacity()), (0, 100));
        assert_eq!(column.values().as_ptr(), storage);
        column.push(Some(3));
        assert_eq!(column.take().null_count(), 0, "no validity is left over");
    }

    #[test]
    fn restoring_an_array_still_in_use_allocates_anew() {
        let mut column = MutablePrimitiveArray::<u32>::with_capacity(10);
        column.push(Some(7));
        let array = column.take();
        let user = array.clone();
        column.restore(array, 10);
        column.push(Some(8));
        let kept = user.as_any().downcast_ref::<PrimitiveArray<u32>>();
        assert_eq!(kept.expect("same type").values().as_slice(), [7]);
    }

    #[test]
    fn a_label_column_starts_a_new_dictionary_after_every_take() {
        let mut column = LabelColumn::with_capacity(4);
        for label in ["a", "b", "a"] {
            column.push(Some(label));
        }
        let labels = |array: &ArrayBox| {
            let array = array.as_any().downcast_ref::<DictionaryArray<u32>>();
            array.expect("a dictionary").values().len()
        };
        let array = column.take();
        assert_eq!((array.len(), labels(&array)), (3, 2));
        column.restore(array, 4);
        column.push(None);
        column.push(Some("c"));
        let array = column.take();
        assert_eq!((array.len(), labels(&array), array.null_count()), (2, 1, 1));
    }
}
