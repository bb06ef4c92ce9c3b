//! The scenario language explained from its own declarations.

use std::fmt::Write as _;

use reports::summary::metrics;

use super::Scenario;
use super::field::{Field, Shown};
use super::suggest::closest;

/// What a type of the scenario language is.
#[derive(Clone, Debug)]
pub enum Shape {
    /// One of several variants.
    Choice(ChoiceShape),
    /// A list of values.
    List(Box<Shape>),
    /// Values by name.
    Map(Box<Shape>),
    /// A value or `None`.
    Optional(Box<Shape>),
    /// A value without parts; the text says what to write.
    Plain(&'static str),
    /// Named fields.
    Record(RecordShape),
}

/// The variants of a choice.
#[derive(Clone, Debug)]
pub struct ChoiceShape {
    /// Name of the type.
    pub name: &'static str,
    /// Lines of its description.
    pub doc: &'static [&'static str],
    /// Its variants.
    pub variants: Vec<RecordShape>,
}

/// The fields of a record or of a variant.
#[derive(Clone, Debug)]
pub struct RecordShape {
    /// Name of the type or of the variant.
    pub name: &'static str,
    /// Lines of its description.
    pub doc: &'static [&'static str],
    /// Its fields in order.
    pub fields: Vec<FieldShape>,
}

/// A field.
#[derive(Clone, Debug)]
pub struct FieldShape {
    /// Name of the field.
    pub name: &'static str,
    /// Lines of its description.
    pub doc: &'static [&'static str],
    /// What it holds.
    pub shape: fn() -> Shape,
    /// Its default as it would be written; none if it must be given.
    pub default: Option<String>,
}

impl FieldShape {
    /// The shape of a field of type `T`.
    pub fn new<T: Field>(
        name: &'static str,
        doc: &'static [&'static str],
        default: Option<fn() -> T>,
    ) -> Self {
        let default = default.map(|default| {
            ron::ser::to_string(&Shown(&default())).expect("defaults hold nothing RON cannot write")
        });
        Self {
            name,
            doc,
            shape: T::shape,
            default,
        }
    }
}

impl Shape {
    /// What to write, in a few words.
    pub fn wanted(&self) -> String {
        match self {
            Self::Choice(choice) => {
                let names: Vec<&str> = choice.variants.iter().map(|v| v.name).collect();
                format!("one of {}", names.join(", "))
            }
            Self::List(element) => format!("a list, each {}", element.wanted()),
            Self::Map(element) => format!("a map of names, each to {}", element.wanted()),
            Self::Optional(inner) => format!("None or {}", inner.wanted()),
            Self::Plain(text) => (*text).to_owned(),
            Self::Record(record) => format!("{}(...)", record.name),
        }
    }

    /// The shape of the elements of lists, maps and options.
    fn element(&self) -> &Self {
        match self {
            Self::List(inner) | Self::Map(inner) | Self::Optional(inner) => inner.element(),
            _ => self,
        }
    }

    /// The names that may follow in a path.
    fn parts(&self) -> Vec<&'static str> {
        match self.element() {
            Self::Choice(choice) => choice.variants.iter().map(|v| v.name).collect(),
            Self::Record(record) => record.fields.iter().map(|f| f.name).collect(),
            _ => Vec::new(),
        }
    }
}

/// What a path leads to.
enum Found {
    Field(FieldShape),
    Variant(RecordShape),
}

/// Explains what `path`, such as `cohorts.power_on` or `media.Wan.loss`, stands for.
///
/// An empty path explains the scenario as a whole. Indices and names of map entries may be
/// given but do not matter. The path `metrics` lists what expectations may refer to.
///
/// # Errors
///
/// If there is nothing at the path: a message with a suggestion.
pub fn explain(path: &str) -> Result<String, String> {
    if path == "metrics" {
        return Ok(list_of_metrics());
    }
    let mut shape = Scenario::shape();
    let mut found = None;
    let mut before = String::new();
    for step in path.split('.').filter(|step| !step.is_empty()) {
        let name = step.split('[').next().unwrap_or(step);
        let next = step_into(&shape, name);
        if next.is_none() && matches!(shape, Shape::Map(_)) {
            shape = shape.element().clone();
            continue;
        }
        let Some(next) = next else {
            let place = if before.is_empty() {
                "a scenario"
            } else {
                &before
            };
            let parts = shape.parts();
            let hint = match closest(name, parts.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if parts.is_empty() => "it has no parts".to_owned(),
                None => format!("known are {}", parts.join(", ")),
            };
            return Err(format!("{place} has no part `{name}`; {hint}"));
        };
        shape = match &next {
            Found::Field(field) => (field.shape)(),
            Found::Variant(variant) => Shape::Record(variant.clone()),
        };
        found = Some(next);
        if !before.is_empty() {
            before.push('.');
        }
        before.push_str(name);
    }
    let mut text = String::new();
    match &found {
        Some(Found::Field(field)) => {
            push_doc(&mut text, "", field.doc);
            let _ = writeln!(text, "\n  value:   {}", shape.wanted());
            let _ = match &field.default {
                Some(default) => writeln!(text, "  default: {default}"),
                None => writeln!(text, "  default: none, the field must be given"),
            };
        }
        Some(Found::Variant(variant)) => push_doc(&mut text, "", variant.doc),
        None => {}
    }
    push_parts(&mut text, shape.element(), found.is_none());
    Ok(text)
}

fn list_of_metrics() -> String {
    let mut text = String::new();
    for metric in metrics() {
        let _ = writeln!(text, "{:<44} {}", metric.path, metric.doc);
    }
    text
}

fn step_into(shape: &Shape, name: &str) -> Option<Found> {
    match shape.element() {
        Shape::Choice(choice) => choice
            .variants
            .iter()
            .find(|variant| variant.name == name)
            .map(|variant| Found::Variant(variant.clone())),
        Shape::Record(record) => record
            .fields
            .iter()
            .find(|field| field.name == name)
            .map(|field| Found::Field(field.clone())),
        _ => None,
    }
}

fn push_doc(text: &mut String, indent: &str, doc: &[&str]) {
    for line in doc {
        let _ = writeln!(text, "{indent}{}", line.trim());
    }
}

/// Lists the fields or variants of `shape`.
fn push_parts(text: &mut String, shape: &Shape, with_doc: bool) {
    match shape {
        Shape::Record(record) => {
            if with_doc {
                push_doc(text, "", record.doc);
            }
            for field in &record.fields {
                let _ = match &field.default {
                    Some(default) if default.len() <= 60 => {
                        writeln!(text, "\n  {}: {default}", field.name)
                    }
                    Some(_) => writeln!(text, "\n  {}", field.name),
                    None => writeln!(text, "\n  {} (required)", field.name),
                };
                push_doc(text, "      ", field.doc);
            }
        }
        Shape::Choice(choice) => {
            for variant in &choice.variants {
                let fields: Vec<String> = variant.fields.iter().map(signature).collect();
                let _ = if fields.is_empty() {
                    writeln!(text, "\n  {}", variant.name)
                } else {
                    writeln!(text, "\n  {}({})", variant.name, fields.join(", "))
                };
                push_doc(text, "      ", variant.doc);
            }
        }
        _ => {}
    }
}

fn signature(field: &FieldShape) -> String {
    match &field.default {
        Some(default) => format!("{}: {default}", field.name),
        None => field.name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_shows_its_meaning_unit_and_default() {
        let text = explain("keys.session_lifetime").unwrap();
        assert!(text.contains("RFC 5191"), "{text}");
        assert!(text.contains("value:   a duration"), "{text}");
        assert!(text.contains("default: \"1d\""), "{text}");
    }

    #[test]
    fn lists_maps_and_variants_are_entered() {
        for path in [
            "cohorts[0].count",
            "cohorts.count",
            "media.wan.Wan.loss",
            "media.Wan.loss",
            "cohorts.power_on.Uniform.min",
            "timeline.action.PowerOn",
        ] {
            assert!(explain(path).is_ok(), "{path}");
        }
        assert!(explain("cohorts.count").unwrap().contains("must be given"));
    }

    #[test]
    fn a_wrong_path_suggests_the_right_one() {
        assert_eq!(
            explain("keys.overlp").unwrap_err(),
            "keys has no part `overlp`; did you mean `overlap`?"
        );
        assert!(explain("seed.x").unwrap_err().contains("no parts"));
    }

    #[test]
    fn every_part_is_documented() {
        fn visit(shape: &Shape, path: &str) {
            let records = match shape.element() {
                Shape::Record(record) => vec![record.clone()],
                Shape::Choice(choice) => choice.variants.clone(),
                _ => return,
            };
            for record in records {
                assert!(!record.doc.is_empty(), "{path}.{}", record.name);
                for field in record.fields {
                    assert!(!field.doc.is_empty(), "{path}.{}", field.name);
                    visit(&(field.shape)(), &format!("{path}.{}", field.name));
                }
            }
        }
        visit(&Scenario::shape(), "");
    }
}
