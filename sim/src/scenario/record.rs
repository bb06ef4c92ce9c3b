//! The macros that declare a part of the scenario language once.
//!
//! One declaration yields the Rust type, its serialised form, its defaults, its decoder and the
//! text that `meterstorm explain` prints.

/// Declares a record; fields without a default must be given.
macro_rules! record {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            $(
                $(#[doc = $field_doc:literal])*
                $field:ident: $ty:ty $(= $default:expr)?,
            )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        pub struct $name {
            $(
                $(#[doc = $field_doc])*
                #[serde(serialize_with = "crate::scenario::field::serialize")]
                pub $field: $ty,
            )*
        }

        impl crate::scenario::field::Field for $name {
            fn write<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serde::Serialize::serialize(self, serializer)
            }
        }
    };
}

/// Declares a record all of whose fields have defaults.
macro_rules! settings {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            $(
                $(#[doc = $field_doc:literal])*
                $field:ident: $ty:ty = $default:expr,
            )*
        }
    ) => {
        record! {
            $(#[doc = $doc])*
            pub struct $name {
                $(
                    $(#[doc = $field_doc])*
                    $field: $ty = $default,
                )*
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($field: $default,)*
                }
            }
        }
    };
}

/// Declares a choice between variants, each bare or with named fields.
macro_rules! choice {
    (
        $(#[doc = $doc:literal])*
        $(#[derive($($derive:ident),*)])?
        pub enum $name:ident $(<$generic:ident>)? {
            $(
                $(#[doc = $variant_doc:literal])*
                $variant:ident $({
                    $(
                        $(#[doc = $field_doc:literal])*
                        $field:ident: $ty:ty $(= $default:expr)?,
                    )*
                })?,
            )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        $(#[derive($($derive),*)])?
        $(
            #[serde(bound(serialize = ""))]
            #[doc = concat!("\n\n`", stringify!($generic), "` is the quantity that is drawn.")]
        )?
        pub enum $name $(<$generic: crate::scenario::units::Quantity>)? {
            $(
                $(#[doc = $variant_doc])*
                $variant $({
                    $(
                        $(#[doc = $field_doc])*
                        #[serde(serialize_with = "crate::scenario::field::serialize")]
                        $field: $ty,
                    )*
                })?,
            )*
        }

        impl $(<$generic: crate::scenario::units::Quantity>)? crate::scenario::field::Field
            for $name $(<$generic>)?
        {
            fn write<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serde::Serialize::serialize(self, serializer)
            }
        }
    };
}

pub(super) use {choice, record, settings};
