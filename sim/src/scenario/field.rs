//! Types that a field of a scenario can have.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use firmware::Duration;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::ast::{Node, Value};
use super::decode::Decoder;
use super::diagnostic::{Diagnostic, Fault, Span};
use super::explain::Shape;
use super::lex;
use super::live::{Address, Peer};
use super::units::{Bytes, Civil, Drift, Frequency, Quantity, Rate, Ratio};

/// A type that a field of a scenario can have.
pub trait Field: Sized {
    /// Reads the value; nothing if it is wrong, which has then been reported.
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self>;

    /// A value to go on with after a mistake; no rule judges it and it never leaves the loader.
    fn placeholder() -> Self;

    /// What the type is, for `meterstorm explain`.
    fn shape() -> Shape;

    /// Writes the value as the scenario language would.
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

/// Serialises a field, for derived implementations.
pub fn serialize<T: Field, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    value.write(serializer)
}

/// Lends a field to a serialiser.
pub struct Shown<'a, T>(pub &'a T);

impl<T: Field> Serialize for Shown<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write(serializer)
    }
}

impl<T: Field> Field for Vec<T> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let Value::List(items) = &node.value else {
            decoder.wrong_type(node, "a list in square brackets");
            return None;
        };
        let decoded = items.iter().enumerate().map(|(index, item)| {
            decoder
                .descend(&format!("[{index}]"), item)
                .unwrap_or_else(T::placeholder)
        });
        Some(decoded.collect())
    }

    fn placeholder() -> Self {
        Self::new()
    }

    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(Some(self.len()))?;
        for element in self {
            sequence.serialize_element(&Shown(element))?;
        }
        sequence.end()
    }
}

impl<T: Field> Field for Option<T> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.value {
            Value::Word(word) | Value::Loose(word) if word == "None" => Some(None),
            Value::Tuple {
                name: Some(name),
                items,
            } if name.text == "Some" && items.len() == 1 => T::decode(&items[0], decoder).map(Some),
            _ => T::decode(node, decoder).map(Some),
        }
    }

    fn placeholder() -> Self {
        None
    }

    fn shape() -> Shape {
        Shape::Optional(Box::new(T::shape()))
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Some(value) => serializer.serialize_some(&Shown(value)),
            None => serializer.serialize_none(),
        }
    }
}

impl<T: Field> Field for BTreeMap<String, T> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let entries = match &node.value {
            Value::Map(entries) => entries,
            Value::Record { name: None, fields } if fields.is_empty() => fields,
            _ => {
                decoder.wrong_type(node, "a map in braces, as in {\"name\": ...}");
                return None;
            }
        };
        let decoded = entries.iter().map(|(name, value)| {
            let value = decoder.descend(&name.text, value);
            (name.text.clone(), value.unwrap_or_else(T::placeholder))
        });
        Some(decoded.collect())
    }

    fn placeholder() -> Self {
        Self::new()
    }

    fn shape() -> Shape {
        Shape::Map(Box::new(T::shape()))
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (name, value) in self {
            map.serialize_entry(name, &Shown(value))?;
        }
        map.end()
    }
}

/// Reads a quantity from a text with its unit.
fn quantity<Q: Quantity>(node: &Node, decoder: &mut Decoder<'_>) -> Option<Q> {
    let (text, text_start) = match &node.value {
        Value::Text { text, verbatim } => (text, verbatim.then_some(node.span.start + 1)),
        Value::Loose(text) => (text, Some(node.span.start)),
        Value::Number(number) => {
            bare_number::<Q>(node, number, decoder);
            return None;
        }
        _ => {
            decoder.wrong_type(node, Q::WANTED);
            return None;
        }
    };
    match Q::parse(text) {
        Ok(value) => Some(value),
        Err(_) if lex::real(text).is_some() => {
            bare_number::<Q>(node, text, decoder);
            None
        }
        Err(bad) => {
            // Inside the text the caret stands under the octet at fault, if the text stands in
            // the source as it is.
            let span = match text_start {
                Some(start) if bad.offset > 0 && bad.offset < text.len() => Span {
                    start: start + bad.offset as u32,
                    end: start + text.len() as u32,
                    ..node.span
                },
                _ => node.span,
            };
            let message = format!("{text:?} is not a valid quantity: {}", bad.why);
            let hint = format!("write {}", Q::WANTED);
            decoder.error(Diagnostic::error(Fault::BadUnit, span, message).with_hint(hint));
            None
        }
    }
}

fn bare_number<Q: Quantity>(node: &Node, number: &str, decoder: &mut Decoder<'_>) {
    let message = format!("{number} has no unit");
    let diagnostic = Diagnostic::error(Fault::BareNumber, node.span, message);
    decoder.error(diagnostic.with_hint(format!("write {}", Q::WANTED)));
}

macro_rules! quantity_field {
    ($($quantity:ty: $placeholder:expr),* $(,)?) => {$(
        impl Field for $quantity {
            fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
                quantity(node, decoder)
            }

            fn placeholder() -> Self {
                $placeholder
            }

            fn shape() -> Shape {
                Shape::Plain(Self::WANTED)
            }

            fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.to_text())
            }
        }
    )*};
}

quantity_field!(
    Duration: Duration::from_secs(1),
    Ratio: Ratio::ZERO,
    Rate: Rate(1),
    Bytes: Bytes(1),
    Drift: Drift(0),
    Frequency: Frequency(1),
    Civil: Civil(0),
    Address: Address(Ipv4Addr::LOCALHOST),
    Peer: Peer { address: Ipv4Addr::LOCALHOST, port: None },
);

macro_rules! integer_field {
    ($($integer:ty: $wanted:literal),* $(,)?) => {$(
        impl Field for $integer {
            fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
                let value = match &node.value {
                    Value::Number(text) | Value::Loose(text) => lex::integer(text),
                    _ => None,
                };
                let Some(value) = value else {
                    decoder.wrong_type(node, $wanted);
                    return None;
                };
                let converted = Self::try_from(value).ok();
                if converted.is_none() {
                    let message = format!("{value} is out of range: at most {}", Self::MAX);
                    let message = if value < 0 {
                        format!("{value} is out of range: at least 0")
                    } else {
                        message
                    };
                    decoder.error(Diagnostic::error(Fault::OutOfRange, node.span, message));
                }
                converted
            }

            fn placeholder() -> Self {
                1
            }

            fn shape() -> Shape {
                Shape::Plain($wanted)
            }

            fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.serialize(serializer)
            }
        }
    )*};
}

integer_field!(
    u8: "a whole number up to 255",
    u16: "a whole number up to 65535",
    u32: "a whole number",
    u64: "a whole number",
);

impl Field for f64 {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let value = match &node.value {
            Value::Number(text) => lex::real(text),
            Value::Loose(text) => {
                lex::real(text).or_else(|| Ratio::parse(text).ok().map(Ratio::as_f64))
            }
            Value::Text { text, .. } if text.ends_with('%') => {
                Ratio::parse(text).ok().map(Ratio::as_f64)
            }
            _ => None,
        };
        if value.is_none() {
            decoder.wrong_type(node, "a number or a share such as \"99.9%\"");
        }
        value
    }

    fn placeholder() -> Self {
        1.0
    }

    fn shape() -> Shape {
        Shape::Plain("a number or a share such as \"99.9%\"")
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize(serializer)
    }
}

impl Field for bool {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.value {
            Value::Word(word) | Value::Loose(word) if word == "true" => Some(true),
            Value::Word(word) | Value::Loose(word) if word == "false" => Some(false),
            _ => {
                decoder.wrong_type(node, "true or false");
                None
            }
        }
    }

    fn placeholder() -> Self {
        false
    }

    fn shape() -> Shape {
        Shape::Plain("true or false")
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize(serializer)
    }
}

impl Field for String {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.value {
            Value::Text { text, .. } | Value::Loose(text) => Some(text.clone()),
            Value::Word(word) => {
                let message = format!("expected a text, found `{word}`");
                let diagnostic = Diagnostic::error(Fault::WrongType, node.span, message);
                decoder.error(diagnostic.with_hint(format!("write it in quotes: \"{word}\"")));
                None
            }
            _ => {
                decoder.wrong_type(node, "a text in quotes");
                None
            }
        }
    }

    fn placeholder() -> Self {
        Self::new()
    }

    fn shape() -> Shape {
        Shape::Plain("a text in quotes")
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize(serializer)
    }
}
