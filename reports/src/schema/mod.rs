//! One definition per table: typed row, Parquet columns, units and documentation.
//!
//! A table is declared with the `table!` macro in a module of [`tables`]. To add one, write its
//! definition there and list it in [`TABLES`]; writing, reading and the data dictionary follow
//! from it.
//!
//! A column's name carries its unit as one of its words (`latency_ns`, `pana_bytes_up`), and a
//! test holds every definition to that.

mod cell;
mod column;
pub mod label;
pub mod tables;

pub use cell::{Cell, Hex};
pub(crate) use column::ArrayBox;
pub use column::Column;

/// Version of all table definitions, stored in every file.
///
/// It changes whenever a column is removed, renamed or changes its meaning; a new column or a new
/// table leaves it.
pub const SCHEMA_VERSION: u32 = 1;

/// Every table a run can write, in the order of the data dictionary.
pub const TABLES: &[&TableDef] = &[
    tables::MeterRow::TABLE,
    tables::AuthRow::TABLE,
    tables::KeyRow::TABLE,
    tables::TrafficRow::TABLE,
    tables::MessageRow::TABLE,
    tables::ReadRow::TABLE,
    tables::HeadendRow::TABLE,
    tables::RejectRow::TABLE,
    tables::AttackRow::TABLE,
    tables::CommandRow::TABLE,
    tables::RequestRow::TABLE,
    tables::HanRow::TABLE,
    tables::OpticalRow::TABLE,
    tables::GridRow::TABLE,
    tables::RegisterRow::TABLE,
    tables::DemandRow::TABLE,
    tables::ResponseRow::TABLE,
    tables::MdmsRow::TABLE,
    tables::OutageRow::TABLE,
    tables::FirmwareRow::TABLE,
    tables::FeederRow::TABLE,
];

/// Definition of a table.
#[derive(Clone, Copy, Debug)]
pub struct TableDef {
    /// Name of the table and stem of its file.
    pub name: &'static str,
    /// What one row is and how rows are ordered.
    pub doc: &'static str,
    /// Columns in file order.
    pub columns: &'static [ColumnDef],
}

/// Definition of a column.
#[derive(Clone, Copy, Debug)]
pub struct ColumnDef {
    /// Column name; one of its words is the unit's token, if the unit has one.
    pub name: &'static str,
    /// Representation of a value.
    pub kind: Kind,
    /// Whether a value can be missing.
    pub nullable: bool,
    /// What a value counts or measures.
    pub unit: Unit,
    /// Meaning of a value, and of a missing one.
    pub doc: &'static str,
}

/// Representation of a column's values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// True or false.
    Boolean,
    /// IEEE 754 double precision.
    Float64,
    /// Signed 64-bit integer.
    Int64,
    /// Text out of a small set, stored as a dictionary per row group.
    Label,
    /// Free text.
    Text,
    /// Unsigned 32-bit integer.
    UInt32,
    /// Unsigned 64-bit integer.
    UInt64,
}

impl Kind {
    /// Type name as the data dictionary prints it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "bool",
            Self::Float64 => "float64",
            Self::Int64 => "int64",
            Self::Label => "string (dictionary)",
            Self::Text => "string",
            Self::UInt32 => "uint32",
            Self::UInt64 => "uint64",
        }
    }
}

/// What a column counts or measures.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unit {
    /// Octets.
    Bytes,
    /// Number of things, or a mean of such numbers.
    Count,
    /// Hertz.
    Hertz,
    /// Identifier, index or name: no arithmetic.
    Identifier,
    /// Metres.
    Metres,
    /// Nanoseconds of virtual time.
    Nanoseconds,
    /// Parts per billion.
    PartsPerBillion,
    /// Share of a whole, 0 to 1.
    Ratio,
    /// Volt-ampere reactive hours.
    VarHours,
    /// Watt-hours.
    WattHours,
    /// Watts.
    Watts,
}

impl Unit {
    /// Symbol as the data dictionary prints it.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Bytes => "B",
            Self::Count => "1",
            Self::Hertz => "Hz",
            Self::Identifier => "",
            Self::Metres => "m",
            Self::Nanoseconds => "ns",
            Self::PartsPerBillion => "ppb",
            Self::Ratio => "ratio",
            Self::VarHours => "varh",
            Self::WattHours => "Wh",
            Self::Watts => "W",
        }
    }

    /// Word a column of this unit carries in its name, if the unit demands one.
    #[must_use]
    pub const fn token(self) -> Option<&'static str> {
        match self {
            Self::Bytes => Some("bytes"),
            Self::Hertz => Some("hz"),
            Self::Metres => Some("m"),
            Self::Nanoseconds => Some("ns"),
            Self::PartsPerBillion => Some("ppb"),
            Self::VarHours => Some("varh"),
            Self::WattHours => Some("wh"),
            Self::Watts => Some("w"),
            Self::Count | Self::Identifier | Self::Ratio => None,
        }
    }
}

/// A typed row of a table.
pub trait Row {
    /// Definition of the table.
    const TABLE: &'static TableDef;

    /// The same rows, column by column.
    type Columns: Columns<Self>;
}

/// Rows gathered column by column until they are encoded.
pub trait Columns<R: ?Sized>: Send {
    /// Empty columns with room for `rows` values each.
    fn with_capacity(rows: usize) -> Self;

    /// Appends a row.
    fn push(&mut self, row: &R);

    /// Hands out one array per column and leaves columns without storage.
    fn take(&mut self) -> Vec<ArrayBox>;

    /// Takes back the storage of the arrays handed out, and makes room for `rows` values.
    fn restore(&mut self, arrays: Vec<ArrayBox>, rows: usize);
}

/// Declares a table: the row type, its columns and their documentation.
///
/// The head reads `visibility table "name" => RowType, ColumnsType`, a field
/// `name: Type = Unit`. A field's documentation is also the column's entry in the data
/// dictionary.
macro_rules! table {
    (
        $(#[doc = $table_doc:literal])+
        $vis:vis table $table:literal => $row:ident, $columns:ident {
            $(
                $(#[doc = $doc:literal])+
                $field:ident : $type:ty = $unit:ident,
            )+
        }
    ) => {
        $(#[doc = $table_doc])+
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $row {
            $(
                $(#[doc = $doc])+
                $vis $field: $type,
            )+
        }

        #[doc = concat!("Rows of table `", $table, "`, column by column.")]
        $vis struct $columns {
            $($field: <$type as $crate::schema::Cell>::Column,)+
        }

        impl $crate::schema::Row for $row {
            const TABLE: &'static $crate::schema::TableDef = &$crate::schema::TableDef {
                name: $table,
                doc: concat!($($table_doc),+),
                columns: &[$(
                    $crate::schema::ColumnDef {
                        name: stringify!($field),
                        kind: <$type as $crate::schema::Cell>::KIND,
                        nullable: <$type as $crate::schema::Cell>::NULLABLE,
                        unit: $crate::schema::Unit::$unit,
                        doc: concat!($($doc),+),
                    },
                )+],
            };

            type Columns = $columns;
        }

        impl $crate::schema::Columns<$row> for $columns {
            fn with_capacity(rows: usize) -> Self {
                Self {
                    $($field: $crate::schema::Column::with_capacity(rows),)+
                }
            }

            fn push(&mut self, row: &$row) {
                $($crate::schema::Cell::push(&row.$field, &mut self.$field);)+
            }

            fn take(&mut self) -> Vec<$crate::schema::ArrayBox> {
                vec![$($crate::schema::Column::take(&mut self.$field),)+]
            }

            fn restore(&mut self, arrays: Vec<$crate::schema::ArrayBox>, rows: usize) {
                let mut arrays = arrays.into_iter();
                $(
                    if let Some(array) = arrays.next() {
                        $crate::schema::Column::restore(&mut self.$field, array, rows);
                    }
                )+
            }
        }
    };
}
pub(crate) use table;

#[cfg(test)]
mod tests;
