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
            fn decode(
                node: &crate::scenario::ast::Node,
                decoder: &mut crate::scenario::decode::Decoder<'_>,
            ) -> Option<Self> {
                let known = &[$(stringify!($field)),*];
                let fields = decoder.record(node, stringify!($name), known)?;
                Some(Self {
                    $($field: fields.take(
                        decoder,
                        stringify!($field),
                        crate::scenario::record::record!(@default $($default)?),
                    ),)*
                })
            }

            fn placeholder() -> Self {
                Self {
                    $($field: crate::scenario::field::Field::placeholder(),)*
                }
            }

            fn shape() -> crate::scenario::explain::Shape {
                crate::scenario::explain::Shape::Record(crate::scenario::record::record!(
                    @shape $name [$($doc)*]
                    { $([$($field_doc)*] $field: $ty $(= $default)?,)* }
                ))
            }

            fn write<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serde::Serialize::serialize(self, serializer)
            }
        }
    };
    (@default) => { None };
    (@default $default:expr) => { Some(|| $default) };
    (
        @shape $name:ident [$($doc:literal)*]
        { $([$($field_doc:literal)*] $field:ident: $ty:ty $(= $default:expr)?,)* }
    ) => {
        crate::scenario::explain::RecordShape {
            name: stringify!($name),
            doc: &[$($doc),*],
            fields: vec![$(
                crate::scenario::explain::FieldShape::new::<$ty>(
                    stringify!($field),
                    &[$($field_doc),*],
                    crate::scenario::record::record!(@default $($default)?),
                )
            ),*],
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

/// Declares a choice between variants, each bare or with fields.
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
            fn decode(
                node: &crate::scenario::ast::Node,
                decoder: &mut crate::scenario::decode::Decoder<'_>,
            ) -> Option<Self> {
                let known = &[$(stringify!($variant)),*];
                let variant = decoder.variant(node, stringify!($name), known)?;
                $(
                    if variant == stringify!($variant) {
                        return Some(crate::scenario::record::choice!(
                            @build decoder node $variant $({ $($field $(= $default)?,)* })?
                        ));
                    }
                )*
                None
            }

            fn placeholder() -> Self {
                let variants: &[fn() -> Self] = &[$(
                    || Self::$variant $({
                        $($field: crate::scenario::field::Field::placeholder(),)*
                    })?
                ),*];
                variants[0]()
            }

            fn shape() -> crate::scenario::explain::Shape {
                crate::scenario::explain::Shape::Choice(crate::scenario::explain::ChoiceShape {
                    name: stringify!($name),
                    doc: &[$($doc),*],
                    variants: vec![$(
                        crate::scenario::record::record!(
                            @shape $variant [$($variant_doc)*]
                            { $($([$($field_doc)*] $field: $ty $(= $default)?,)*)? }
                        )
                    ),*],
                })
            }

            fn write<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serde::Serialize::serialize(self, serializer)
            }
        }
    };
    (@build $decoder:ident $node:ident $variant:ident) => {{
        // A bare variant has no fields; whatever is given is reported.
        $decoder.fields($node, stringify!($variant), &[]);
        Self::$variant
    }};
    (
        @build $decoder:ident $node:ident $variant:ident
        { $($field:ident $(= $default:expr)?,)* }
    ) => {{
        let known = &[$(stringify!($field)),*];
        let fields = $decoder.fields($node, stringify!($variant), known);
        Self::$variant {
            $($field: fields.take(
                $decoder,
                stringify!($field),
                crate::scenario::record::record!(@default $($default)?),
            ),)*
        }
    }};
}

pub(super) use {choice, record, settings};
