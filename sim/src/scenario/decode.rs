//! Values to the types of the schema, with all mistakes of a scenario at once.
//!
//! A mistake does not end decoding: the field in which it lies takes its default, or a
//! placeholder if it has none, and its path is remembered so that no later rule judges a value
//! that nobody wrote.

use std::collections::BTreeMap;

use super::ast::{Name, Node, Value};
use super::diagnostic::{Diagnostic, Fault, Report, Span};
use super::field::Field;
use super::suggest::closest;

/// Collects mistakes while values are decoded.
pub struct Decoder<'r> {
    report: &'r mut Report,
    /// Path of the value that is being decoded.
    path: String,
    survey: Survey,
}

/// What is known of the values of a scenario by their paths, such as `cohorts[0].count`.
#[derive(Debug, Default)]
pub struct Survey {
    /// Where values stand.
    places: BTreeMap<String, Span>,
    /// Values that are wrong or absent.
    tainted: Vec<String>,
}

impl Survey {
    /// Where the value at `path` stands, or the value that would hold it.
    pub fn place(&self, path: &str) -> Option<Span> {
        let mut path = path;
        loop {
            if let Some(place) = self.places.get(path) {
                return Some(*place);
            }
            if path.is_empty() {
                return None;
            }
            path = &path[..path.rfind(['.', '[']).unwrap_or(0)];
        }
    }

    /// Remembers that something is wrong with the value at `path`.
    pub fn taint(&mut self, path: &str) {
        self.tainted.push(path.to_owned());
    }

    /// Whether the value at `path` was written.
    pub fn is_written(&self, path: &str) -> bool {
        self.places.contains_key(path)
    }

    /// Whether nothing is wrong with the value at `path` as such and with what holds it.
    pub fn is_known(&self, path: &str) -> bool {
        !self.tainted.iter().any(|tainted| holds(path, tainted))
    }

    /// Whether nothing is wrong with the value at `path`, its parts and what holds it.
    pub fn is_sound(&self, path: &str) -> bool {
        self.is_known(path) && !self.tainted.iter().any(|tainted| holds(tainted, path))
    }
}

/// Whether the value at `part` is, or is a part of, the value at `whole`.
fn holds(part: &str, whole: &str) -> bool {
    part.strip_prefix(whole)
        .is_some_and(|rest| rest.is_empty() || whole.is_empty() || rest.starts_with(['.', '[']))
}

impl<'r> Decoder<'r> {
    /// A decoder that adds mistakes to `report`.
    pub fn new(report: &'r mut Report) -> Self {
        Self {
            report,
            path: String::new(),
            survey: Survey::default(),
        }
    }

    /// Decodes the whole of a scenario.
    pub fn whole<T: Field>(mut self, root: &Node) -> (Option<T>, Survey) {
        self.survey.places.insert(String::new(), root.head());
        let value = T::decode(root, &mut self);
        (value, self.survey)
    }

    /// Adds a mistake in the value that is being decoded.
    pub fn error(&mut self, diagnostic: Diagnostic) {
        self.survey.tainted.push(self.path.clone());
        self.report.push(diagnostic);
    }

    /// Adds the mistake that `node` is not what is wanted.
    pub fn wrong_type(&mut self, node: &Node, wanted: &str) {
        if node.value == Value::Broken {
            // The parser has reported it; only remember that there is no value.
            self.survey.tainted.push(self.path.clone());
            return;
        }
        let message = format!("expected {wanted}, found {}", node.describe());
        self.error(Diagnostic::error(Fault::WrongType, node.head(), message));
    }

    /// Decodes `node` as the value of `step`, a name or an index in brackets.
    pub fn descend<T: Field>(&mut self, step: &str, node: &Node) -> Option<T> {
        let length = self.path.len();
        self.enter(step);
        self.survey.places.insert(self.path.clone(), node.head());
        let value = T::decode(node, self);
        self.path.truncate(length);
        value
    }

    fn enter(&mut self, step: &str) {
        if !self.path.is_empty() && !step.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(step);
    }

    fn taint(&mut self, field: &str) {
        let length = self.path.len();
        self.enter(field);
        self.survey.tainted.push(self.path.clone());
        self.path.truncate(length);
    }

    /// Opens `node` as the record `type_name` with the fields `known`.
    pub fn record<'n>(
        &mut self,
        node: &'n Node,
        type_name: &str,
        known: &'static [&'static str],
    ) -> Option<Fields<'n>> {
        match &node.value {
            Value::Record { name, .. } | Value::Tuple { name, .. } => {
                if let Some(name) = name.as_ref().filter(|name| name.text != type_name) {
                    let message = format!("expected `{type_name}(...)`, found `{}`", name.text);
                    self.error(Diagnostic::error(Fault::WrongType, name.span, message));
                    return None;
                }
                Some(self.fields(node, type_name, known))
            }
            Value::Word(word) if word == type_name => Some(self.fields(node, type_name, known)),
            _ => {
                let wanted = format!("`{type_name}(...)`");
                self.wrong_type(node, &wanted);
                None
            }
        }
    }

    /// Finds out which of the variants `known` of the choice `type_name` is meant by `node`.
    pub fn variant(
        &mut self,
        node: &Node,
        type_name: &str,
        known: &'static [&'static str],
    ) -> Option<&'static str> {
        let (given, span) = match &node.value {
            Value::Record {
                name: Some(name), ..
            }
            | Value::Tuple {
                name: Some(name), ..
            } => (&name.text, name.span),
            Value::Word(word) | Value::Loose(word) => (word, node.span),
            Value::Text { text, .. } if known.contains(&text.as_str()) => {
                let message = format!("expected {type_name}, found the text {text:?}");
                let diagnostic = Diagnostic::error(Fault::WrongType, node.span, message);
                self.error(diagnostic.with_hint(format!("write {text} without quotes")));
                return None;
            }
            _ => {
                let wanted = format!("one of {}", known.join(", "));
                self.wrong_type(node, &wanted);
                return None;
            }
        };
        if let Some(variant) = known.iter().find(|variant| *variant == given) {
            return Some(variant);
        }
        let message = format!("`{given}` is no variant of {type_name}");
        let hint = match closest(given, known.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("known are {}", known.join(", ")),
        };
        self.error(Diagnostic::error(Fault::UnknownVariant, span, message).with_hint(hint));
        None
    }

    /// Opens the fields of `node`, which is of the record or variant `type_name`.
    pub fn fields<'n>(
        &mut self,
        node: &'n Node,
        type_name: &str,
        known: &'static [&'static str],
    ) -> Fields<'n> {
        let mut values = vec![None; known.len()];
        match &node.value {
            Value::Record { fields, .. } => {
                for (name, value) in fields {
                    match known.iter().position(|known| *known == name.text) {
                        Some(index) => values[index] = Some(value),
                        None => self.unknown_field(name, type_name, known),
                    }
                }
            }
            Value::Tuple { items, .. } => {
                for (index, value) in items.iter().enumerate() {
                    match values.get_mut(index) {
                        Some(slot) => *slot = Some(value),
                        None => {
                            let message = format!(
                                "`{type_name}` takes {} values, this is one more",
                                known.len()
                            );
                            self.error(Diagnostic::error(Fault::WrongType, value.head(), message));
                            break;
                        }
                    }
                }
            }
            _ => {}
        }
        Fields {
            known,
            values,
            head: node.head(),
            owner: type_name.to_owned(),
        }
    }

    fn unknown_field(&mut self, name: &Name, type_name: &str, known: &[&'static str]) {
        let message = format!("`{type_name}` has no field `{}`", name.text);
        let hint = match closest(&name.text, known.iter().copied()) {
            Some(meant) => {
                self.taint(meant);
                format!("did you mean `{meant}`?")
            }
            None if known.is_empty() => "it has no fields".to_owned(),
            None => format!("its fields are {}", known.join(", ")),
        };
        let diagnostic = Diagnostic::error(Fault::UnknownField, name.span, message);
        self.report.push(diagnostic.with_hint(hint));
    }
}

/// The fields of a record, to be taken one by one.
pub struct Fields<'n> {
    known: &'static [&'static str],
    values: Vec<Option<&'n Node>>,
    head: Span,
    owner: String,
}

impl Fields<'_> {
    /// Takes a field; absent or wrong, it becomes its default or else a placeholder.
    pub fn take<T: Field>(
        &self,
        decoder: &mut Decoder<'_>,
        name: &str,
        default: Option<fn() -> T>,
    ) -> T {
        let index = self.known.iter().position(|known| *known == name);
        let node = index.and_then(|index| self.values[index]);
        let value = node.and_then(|node| decoder.descend(name, node));
        if let Some(value) = value {
            return value;
        }
        match default {
            Some(default) => default(),
            None => {
                if node.is_none() {
                    self.missing(decoder, name, T::shape().wanted());
                }
                T::placeholder()
            }
        }
    }

    fn missing(&self, decoder: &mut Decoder<'_>, name: &str, wanted: String) {
        let message = format!("`{}` lacks the field `{name}`", self.owner);
        // A field with a similar but unknown name has been reported and is meant.
        let length = decoder.path.len();
        decoder.enter(name);
        let reported = decoder.survey.tainted.contains(&decoder.path);
        if !reported {
            let diagnostic = Diagnostic::error(Fault::MissingField, self.head, message);
            decoder.error(diagnostic.with_hint(format!("add `{name}:` with {wanted}")));
        }
        decoder.path.truncate(length);
    }
}
