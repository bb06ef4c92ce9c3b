//! Rust types a row may have as fields, and how each becomes a Parquet value.

use std::fmt;

use polars_arrow::array::{MutableBinaryViewArray, MutableBooleanArray, MutablePrimitiveArray};

use super::column::LabelColumn;
use super::{Column, Kind};

/// A field of a row.
pub trait Cell {
    /// Representation in the file.
    const KIND: Kind;

    /// Whether the value can be missing.
    const NULLABLE: bool = false;

    /// Buffer the value is appended to.
    type Column: Column;

    /// Appends the value to its column.
    fn push(&self, column: &mut Self::Column);
}

macro_rules! primitive_cell {
    ($($type:ty => $kind:ident),+ $(,)?) => {$(
        impl Cell for $type {
            const KIND: Kind = Kind::$kind;
            type Column = MutablePrimitiveArray<$type>;

            #[inline]
            fn push(&self, column: &mut Self::Column) {
                column.push_value(*self);
            }
        }

        impl Cell for Option<$type> {
            const KIND: Kind = Kind::$kind;
            const NULLABLE: bool = true;
            type Column = MutablePrimitiveArray<$type>;

            #[inline]
            fn push(&self, column: &mut Self::Column) {
                column.push(*self);
            }
        }
    )+};
}

primitive_cell!(f64 => Float64, i64 => Int64, u32 => UInt32, u64 => UInt64);

impl Cell for bool {
    const KIND: Kind = Kind::Boolean;
    type Column = MutableBooleanArray;

    fn push(&self, column: &mut Self::Column) {
        column.push_value(*self);
    }
}

impl Cell for &'static str {
    const KIND: Kind = Kind::Label;
    type Column = LabelColumn;

    fn push(&self, column: &mut Self::Column) {
        column.push(Some(self));
    }
}

impl Cell for Option<&'static str> {
    const KIND: Kind = Kind::Label;
    const NULLABLE: bool = true;
    type Column = LabelColumn;

    fn push(&self, column: &mut Self::Column) {
        column.push(*self);
    }
}

impl Cell for String {
    const KIND: Kind = Kind::Text;
    type Column = MutableBinaryViewArray<str>;

    fn push(&self, column: &mut Self::Column) {
        column.push_value(self);
    }
}

impl Cell for Option<String> {
    const KIND: Kind = Kind::Text;
    const NULLABLE: bool = true;
    type Column = MutableBinaryViewArray<str>;

    fn push(&self, column: &mut Self::Column) {
        column.push(self.as_deref());
    }
}

/// `N` octets, written as lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hex<const N: usize>(pub [u8; N]);

impl<const N: usize> Hex<N> {
    fn with_digits<T>(&self, use_digits: impl FnOnce(&str) -> T) -> T {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [[0; 2]; N];
        for (pair, octet) in digits.iter_mut().zip(self.0) {
            *pair = [
                DIGITS[usize::from(octet >> 4)],
                DIGITS[usize::from(octet & 0x0f)],
            ];
        }
        use_digits(str::from_utf8(digits.as_flattened()).expect("digits are ASCII"))
    }
}

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_digits(|digits| f.write_str(digits))
    }
}

impl<const N: usize> Cell for Hex<N> {
    const KIND: Kind = Kind::Text;
    type Column = MutableBinaryViewArray<str>;

    fn push(&self, column: &mut Self::Column) {
        self.with_digits(|digits| column.push_value(digits));
    }
}

impl<const N: usize> Cell for Option<Hex<N>> {
    const KIND: Kind = Kind::Text;
    const NULLABLE: bool = true;
    type Column = MutableBinaryViewArray<str>;

    fn push(&self, column: &mut Self::Column) {
        match self {
            Some(hex) => hex.push(column),
            None => column.push_null(),
        }
    }
}
