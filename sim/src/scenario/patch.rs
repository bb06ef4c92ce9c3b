//! Inheritance and overrides: changes to a scenario before it is decoded.

use super::ast::{Name, Node, Value};
use super::diagnostic::{Diagnostic, Fault, Report, Span};
use super::lex;
use super::parse::{DEPTH_MAX, parse};
use super::suggest::closest;

/// Lays `over` upon `base`: records and maps are merged name by name, all else is replaced.
pub(super) fn merge(base: Node, over: Node) -> Node {
    let Node { span, value } = over;
    let value = match (base.value, value) {
        (
            Value::Record {
                name: base_name,
                fields: base_fields,
            },
            Value::Record { name, fields },
        ) if same_type(base_name.as_ref(), name.as_ref()) => Value::Record {
            name: name.or(base_name),
            fields: merge_entries(base_fields, fields),
        },
        (Value::Map(base_entries), Value::Map(entries)) => {
            Value::Map(merge_entries(base_entries, entries))
        }
        (_, value) => value,
    };
    Node { span, value }
}

/// Whether two records are of one type as far as their names tell.
fn same_type(base: Option<&Name>, over: Option<&Name>) -> bool {
    match (base, over) {
        (Some(base), Some(over)) => base.text == over.text,
        _ => true,
    }
}

fn merge_entries(mut base: Vec<(Name, Node)>, over: Vec<(Name, Node)>) -> Vec<(Name, Node)> {
    for (name, node) in over {
        match base.iter_mut().find(|(known, _)| known.text == name.text) {
            Some((known, slot)) => {
                let below = std::mem::replace(
                    slot,
                    Node {
                        span: node.span,
                        value: Value::Broken,
                    },
                );
                *slot = merge(below, node);
                *known = name;
            }
            None => base.push((name, node)),
        }
    }
    base
}

/// A step of a path.
enum Step {
    Name(Name),
    Index(usize, Span),
}

/// Applies the override `text`, of the form `path=value`, which is the source `source`.
///
/// Mistakes are added to `report`.
pub(super) fn apply(root: &mut Node, text: &str, source: u32, report: &mut Report) {
    let whole = Span {
        source,
        start: 0,
        end: text.len() as u32,
    };
    let Some((path, value)) = text.split_once('=') else {
        let message = format!("`{text}` sets nothing");
        let diagnostic = Diagnostic::error(Fault::Syntax, whole, message);
        report.push(diagnostic.with_hint("write it as path=value"));
        return;
    };
    let before = report.errors();
    let origin = Span {
        end: path.len() as u32,
        ..whole
    };
    let Some(steps) = steps(path, origin, report) else {
        return;
    };
    let node = value_of(value, source, path.len() + 1, report);
    if report.errors() > before {
        return;
    }
    match descend(root, &steps) {
        Ok(slot) => *slot = node,
        Err(diagnostic) => report.push(*diagnostic),
    }
}

/// Sets the value at `path`, which stands in the scenario itself as does `value`.
///
/// Mistakes are added to `report`.
pub(super) fn set(root: &mut Node, path: &Name, value: &Node, report: &mut Report) {
    // Inside quotation marks if the text stands there as it is.
    let quoted = path.span.end - path.span.start == path.text.len() as u32 + 2;
    let origin = Span {
        start: path.span.start + u32::from(quoted),
        end: path.span.end - u32::from(quoted),
        ..path.span
    };
    let Some(steps) = steps(&path.text, origin, report) else {
        return;
    };
    match descend(root, &steps) {
        Ok(slot) => *slot = value.clone(),
        Err(diagnostic) => report.push(*diagnostic),
    }
}

/// Splits `path`, which stands at `origin`; with escapes in it all steps stand there.
fn steps(path: &str, origin: Span, report: &mut Report) -> Option<Vec<Step>> {
    let verbatim = (origin.end - origin.start) as usize == path.len();
    let mut steps = Vec::new();
    let mut at = 0;
    if path.matches(['.', '[']).count() >= DEPTH_MAX {
        let message = format!("a path has fewer than {DEPTH_MAX} steps");
        report.push(Diagnostic::error(Fault::Syntax, origin, message));
        return None;
    }
    for part in path.split('.') {
        let (name, indices) = match part.find('[') {
            Some(bracket) => part.split_at(bracket),
            None => (part, ""),
        };
        let span = |from: usize, length: usize| match verbatim {
            true => Span {
                start: origin.start + from as u32,
                end: origin.start + (from + length) as u32,
                ..origin
            },
            false => origin,
        };
        let mut malformed = name.is_empty();
        steps.push(Step::Name(Name {
            span: span(at, name.len()),
            text: name.trim().to_owned(),
        }));
        for index in indices.split_inclusive(']') {
            let digits = index.strip_prefix('[').and_then(|i| i.strip_suffix(']'));
            match digits.and_then(|digits| digits.parse().ok()) {
                Some(number) => steps.push(Step::Index(number, span(at, part.len()))),
                None => malformed = true,
            }
        }
        if malformed {
            let message = format!("`{path}` is not a path");
            let diagnostic = Diagnostic::error(Fault::Syntax, span(at, part.len()), message);
            report.push(diagnostic.with_hint("write it as in cohorts[0].count=10"));
            return None;
        }
        at += part.len() + 1;
    }
    Some(steps)
}

/// The value of an override: RON if it looks like it, otherwise a loose word.
fn value_of(text: &str, source: u32, start: usize, report: &mut Report) -> Node {
    let trimmed = text.trim();
    let called = trimmed
        .find('(')
        .is_some_and(|bracket| trimmed[..bracket].chars().all(char::is_alphanumeric));
    if called || trimmed.starts_with(['"', '[', '{', '(']) {
        return parse(text, source, start as u32, report);
    }
    let skipped = text.len() - text.trim_start().len();
    let span = Span {
        source,
        start: (start + skipped) as u32,
        end: (start + skipped + trimmed.len()) as u32,
    };
    Node {
        span,
        value: Value::Loose(trimmed.to_owned()),
    }
}

/// The place to which `steps` lead, made if it does not exist yet.
fn descend<'n>(root: &'n mut Node, steps: &[Step]) -> Result<&'n mut Node, Box<Diagnostic>> {
    let mut node = root;
    for step in steps {
        node = match step {
            Step::Index(index, span) => item(node, *index, *span)?,
            Step::Name(name) => member(node, name)?,
        };
    }
    Ok(node)
}

fn item(node: &mut Node, index: usize, span: Span) -> Result<&mut Node, Box<Diagnostic>> {
    let described = node.describe();
    match &mut node.value {
        Value::List(items) | Value::Tuple { items, .. } => {
            let count = items.len();
            items.get_mut(index).ok_or_else(|| {
                let message = format!("there is no element [{index}], only {count} elements");
                Box::new(Diagnostic::error(Fault::UnknownReference, span, message))
            })
        }
        _ => {
            let message = format!("[{index}] needs a list, found {described}");
            Err(Box::new(Diagnostic::error(
                Fault::UnknownReference,
                span,
                message,
            )))
        }
    }
}

fn member<'n>(node: &'n mut Node, name: &Name) -> Result<&'n mut Node, Box<Diagnostic>> {
    // A bare variant and an override that made this place may get fields.
    if let Value::Word(word) = &node.value
        && lex::integer(word).is_none()
    {
        node.value = Value::Record {
            name: Some(Name {
                span: node.span,
                text: word.clone(),
            }),
            fields: Vec::new(),
        };
    }
    let described = node.describe();
    match &mut node.value {
        Value::Record { fields, .. } | Value::Map(fields) => {
            let known = fields.iter().position(|(known, _)| known.text == name.text);
            let index = known.unwrap_or_else(|| {
                let made = Node {
                    span: name.span,
                    value: Value::Record {
                        name: None,
                        fields: Vec::new(),
                    },
                };
                fields.push((name.clone(), made));
                fields.len() - 1
            });
            Ok(&mut fields[index].1)
        }
        Value::List(items) => {
            let names: Vec<String> = items.iter().filter_map(name_of).collect();
            let index = items
                .iter()
                .position(|item| name_of(item).as_ref() == Some(&name.text));
            match index {
                Some(index) => Ok(&mut items[index]),
                None => {
                    let message = format!("the list has no element named `{}`", name.text);
                    let hint = match closest(&name.text, names.iter().map(String::as_str)) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => "name an element or give its index as in [0]".to_owned(),
                    };
                    let diagnostic = Diagnostic::error(Fault::UnknownReference, name.span, message);
                    Err(Box::new(diagnostic.with_hint(hint)))
                }
            }
        }
        // What an option holds is meant.
        Value::Tuple {
            name: Some(option),
            items,
        } if option.text == "Some" && items.len() == 1 => member(&mut items[0], name),
        Value::Tuple { .. } => {
            let message = format!("{described} has values without names here");
            let diagnostic = Diagnostic::error(Fault::UnknownReference, name.span, message);
            Err(Box::new(
                diagnostic.with_hint("address them by position as in [0]"),
            ))
        }
        _ => {
            let message = format!("`{}` cannot be set within {described}", name.text);
            Err(Box::new(Diagnostic::error(
                Fault::UnknownReference,
                name.span,
                message,
            )))
        }
    }
}

/// The text of an element's field `name`.
fn name_of(item: &Node) -> Option<String> {
    match &item.field("name")?.value {
        Value::Text { text, .. } | Value::Loose(text) => Some(text.clone()),
        _ => None,
    }
}
