//! A scenario as it is written: values that know where they stand.

use super::diagnostic::Span;

/// A value with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where the value stands.
    pub span: Span,
    /// The value.
    pub value: Value,
}

/// A name with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// Where the name stands.
    pub span: Span,
    /// The name.
    pub text: String,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Something that does not follow the grammar and has been reported.
    Broken,
    /// `[a, b]`
    List(Vec<Node>),
    /// The unquoted value of a `--set` option: a text, a number or a word, as the field needs.
    Loose(String),
    /// `{"a": b}`
    Map(Vec<(Name, Node)>),
    /// A number as it is written.
    Number(String),
    /// `Name(a: b)` or `(a: b)`
    Record {
        /// Name before the bracket.
        name: Option<Name>,
        /// Named fields.
        fields: Vec<(Name, Node)>,
    },
    /// `"text"`
    Text {
        /// The text with escapes resolved.
        text: String,
        /// Whether the text stands in the source octet by octet behind one quotation mark.
        verbatim: bool,
    },
    /// `Name(a, b)` or `(a, b)`
    Tuple {
        /// Name before the bracket.
        name: Option<Name>,
        /// Values in order.
        items: Vec<Node>,
    },
    /// `Name`, also `true`, `false` and `None`
    Word(String),
}

impl Node {
    /// What the value is, with an article, for messages.
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Broken => "something broken".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Loose(text) => format!("`{text}`"),
            Value::Map(_) => "a map".to_owned(),
            Value::Number(text) => format!("the number {text}"),
            Value::Record { name, .. } | Value::Tuple { name, .. } => match name {
                Some(name) => format!("`{}(...)`", name.text),
                None => "a record in parentheses".to_owned(),
            },
            Value::Text { text, .. } if text.chars().count() <= 40 => format!("the text {text:?}"),
            Value::Text { .. } => "a text".to_owned(),
            Value::Word(word) => format!("`{word}`"),
        }
    }

    /// The stretch to mark when the value as a whole is meant: its name, or its first octet.
    pub fn head(&self) -> Span {
        match &self.value {
            Value::Record { name, .. } | Value::Tuple { name, .. } => match name {
                Some(name) => name.span,
                None => self.first_octet(),
            },
            Value::List(_) | Value::Map(_) => self.first_octet(),
            _ => self.span,
        }
    }

    /// The value of a named field or of a map entry.
    pub fn field(&self, wanted: &str) -> Option<&Self> {
        match &self.value {
            Value::Record { fields, .. } | Value::Map(fields) => fields
                .iter()
                .find(|(name, _)| name.text == wanted)
                .map(|(_, node)| node),
            _ => None,
        }
    }

    /// The value of a named field or of a map entry, to be changed.
    pub fn field_mut(&mut self, wanted: &str) -> Option<&mut Self> {
        match &mut self.value {
            Value::Record { fields, .. } | Value::Map(fields) => fields
                .iter_mut()
                .find(|(name, _)| name.text == wanted)
                .map(|(_, node)| node),
            _ => None,
        }
    }

    fn first_octet(&self) -> Span {
        Span {
            end: self.span.start + 1,
            ..self.span
        }
    }
}
