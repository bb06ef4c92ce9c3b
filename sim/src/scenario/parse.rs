//! Tokens to values.
//!
//! A mistake ends the entry in which it lies, not the text: the parser goes on behind the next
//! comma of the same bracket, so that one run finds all mistakes.

use std::collections::BTreeMap;

use super::ast::{Name, Node, Value};
use super::diagnostic::{Diagnostic, Fault, Report, Span};
use super::lex::{Kind, Token, tokens};

/// Brackets that may be nested; deeper text is refused, so that parsing cannot exhaust the stack.
pub(super) const DEPTH_MAX: usize = 64;

/// Reads one value that is the whole of `text`, which starts at `base` in its source.
///
/// Mistakes are added to `report`; what could not be read is [`Value::Broken`].
pub(super) fn parse(text: &str, source: u32, base: u32, report: &mut Report) -> Node {
    let tokens = tokens(text, source, base, report);
    let mut parser = Parser {
        tokens,
        at: 0,
        open: Vec::new(),
        report,
    };
    let node = parser.value();
    if parser.peek().kind != Kind::End && node.value != Value::Broken {
        let found = parser.peek().kind.describe();
        parser.error(format!("expected the end of the text, found {found}"));
    }
    node
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    /// Brackets that are open, outermost first.
    open: Vec<u8>,
    report: &'a mut Report,
}

/// What stands between a pair of brackets.
#[derive(Default)]
struct Entries {
    named: Vec<(Name, Node)>,
    /// Where each of the named entries stands.
    places: BTreeMap<String, Span>,
    bare: Vec<Node>,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.at]
    }

    fn take(&mut self) -> Token {
        let token = self.tokens[self.at].clone();
        if token.kind != Kind::End {
            self.at += 1;
        }
        token
    }

    fn error(&mut self, message: impl Into<String>) {
        let span = self.peek().span;
        self.report
            .push(Diagnostic::error(Fault::Syntax, span, message));
    }

    fn value(&mut self) -> Node {
        let token = self.peek().clone();
        let value = match token.kind {
            Kind::Number(text) => Value::Number(text),
            Kind::Text { text, verbatim } => Value::Text { text, verbatim },
            Kind::Word(text) => {
                self.take();
                if self.peek().kind == Kind::Open(b'(') {
                    let span = token.span;
                    return self.bracketed(Some(Name { span, text }), b'(');
                }
                return Node {
                    span: token.span,
                    value: Value::Word(text),
                };
            }
            Kind::Open(bracket) => return self.bracketed(None, bracket),
            // The lexer has reported it.
            Kind::Broken => Value::Broken,
            Kind::Close(_) | Kind::Colon | Kind::Comma | Kind::End | Kind::Equals => {
                let found = token.kind.describe();
                self.error(format!("expected a value, found {found}"));
                return Node {
                    span: token.span,
                    value: Value::Broken,
                };
            }
        };
        self.take();
        Node {
            span: token.span,
            value,
        }
    }

    /// Reads from the opening `bracket`, the next token, to its closing one.
    fn bracketed(&mut self, name: Option<Name>, bracket: u8) -> Node {
        let opening = self.take();
        let start = name.as_ref().map_or(opening.span, |name| name.span);
        if self.open.len() == DEPTH_MAX {
            self.report.push(Diagnostic::error(
                Fault::Syntax,
                opening.span,
                format!("brackets are nested more than {DEPTH_MAX} deep"),
            ));
            self.at = self.tokens.len() - 1;
            return Node {
                span: start,
                value: Value::Broken,
            };
        }
        self.open.push(bracket);
        let entries = self.entries(bracket, opening.span);
        self.open.pop();
        let end = self.tokens[self.at.saturating_sub(1)].span.end;
        let span = Span { end, ..start };
        let value = match bracket {
            b'[' => Value::List(entries.bare),
            b'{' => Value::Map(entries.named),
            _ if entries.bare.is_empty() => Value::Record {
                name,
                fields: entries.named,
            },
            _ => Value::Tuple {
                name,
                items: entries.bare,
            },
        };
        Node { span, value }
    }

    fn entries(&mut self, bracket: u8, opening: Span) -> Entries {
        let mut entries = Entries::default();
        loop {
            match self.peek().kind {
                Kind::Close(closing) if closing == closing_of(bracket) => {
                    self.take();
                    return entries;
                }
                Kind::Close(closing) => {
                    let belongs_outside = self
                        .open
                        .iter()
                        .rev()
                        .skip(1)
                        .any(|outer| closing_of(*outer) == closing);
                    if belongs_outside {
                        self.unclosed(bracket, opening);
                        return entries;
                    }
                    let wanted = char::from(closing_of(bracket));
                    let found = char::from(closing);
                    let span = self.take().span;
                    self.report.push(Diagnostic::error(
                        Fault::Unbalanced,
                        span,
                        format!("expected `{wanted}`, found `{found}`"),
                    ));
                    return entries;
                }
                Kind::End => {
                    self.unclosed(bracket, opening);
                    return entries;
                }
                _ => {}
            }
            let before = self.at;
            self.entry(bracket, &mut entries);
            self.end_of_entry(before, bracket);
        }
    }

    fn unclosed(&mut self, bracket: u8, opening: Span) {
        let shown = char::from(bracket);
        self.report.push(Diagnostic::error(
            Fault::Unbalanced,
            opening,
            format!("this `{shown}` is never closed"),
        ));
    }

    fn entry(&mut self, bracket: u8, entries: &mut Entries) {
        let separator = self.tokens.get(self.at + 1).map(|token| &token.kind);
        let name = match (&self.peek().kind, separator) {
            (Kind::Word(text), Some(Kind::Colon | Kind::Equals)) if bracket != b'[' => text.clone(),
            (Kind::Text { text, .. }, Some(Kind::Colon | Kind::Equals)) if bracket == b'{' => {
                text.clone()
            }
            _ if bracket == b'{' => {
                let found = self.peek().kind.describe();
                self.error(format!("expected a name and `:`, found {found}"));
                self.skip_to_comma();
                return;
            }
            _ => {
                let node = self.value();
                if bracket == b'(' && !entries.named.is_empty() && node.value != Value::Broken {
                    self.report.push(
                        Diagnostic::error(
                            Fault::Syntax,
                            node.head(),
                            "a value without a name among named fields",
                        )
                        .with_hint("write it as `name: value`"),
                    );
                    return;
                }
                entries.bare.push(node);
                return;
            }
        };
        let span = self.take().span;
        if self.peek().kind == Kind::Equals {
            self.error("expected `:`, found `=`");
        }
        self.take();
        let node = self.value();
        if !entries.bare.is_empty() {
            self.report.push(
                Diagnostic::error(Fault::Syntax, span, "a named field among bare values")
                    .with_hint("name all fields or none"),
            );
            return;
        }
        if let Some(first) = entries.places.get(&name) {
            self.report.push(
                Diagnostic::error(Fault::Duplicate, span, format!("`{name}` is given twice"))
                    .with_related(*first, "first given here"),
            );
            return;
        }
        entries.places.insert(name.clone(), span);
        entries.named.push((Name { span, text: name }, node));
    }

    /// Accepts a comma behind an entry or the end of the bracket, and recovers otherwise.
    fn end_of_entry(&mut self, before: usize, bracket: u8) {
        match self.peek().kind {
            Kind::Comma => {
                self.take();
            }
            Kind::Close(_) | Kind::End => {}
            Kind::Word(_) | Kind::Number(_) | Kind::Text { .. } | Kind::Open(_)
                if self.at > before =>
            {
                let previous = self.tokens[self.at - 1].span;
                let behind = Span {
                    start: previous.end,
                    ..previous
                };
                let closing = char::from(closing_of(bracket));
                self.report.push(Diagnostic::error(
                    Fault::Syntax,
                    behind,
                    format!("expected `,` or `{closing}` here"),
                ));
            }
            _ => {
                if self.at > before && !matches!(self.peek().kind, Kind::Broken) {
                    let found = self.peek().kind.describe();
                    self.error(format!("expected `,`, found {found}"));
                }
                self.skip_to_comma();
            }
        }
    }

    /// Skips to behind the next comma, or to the closing bracket, of the current bracket.
    fn skip_to_comma(&mut self) {
        let mut depth = 0_usize;
        loop {
            match self.peek().kind {
                Kind::End => return,
                Kind::Comma if depth == 0 => {
                    self.take();
                    return;
                }
                Kind::Close(_) if depth == 0 => return,
                Kind::Close(_) => depth -= 1,
                Kind::Open(_) => depth += 1,
                _ => {}
            }
            self.take();
        }
    }
}

const fn closing_of(bracket: u8) -> u8 {
    match bracket {
        b'(' => b')',
        b'[' => b']',
        _ => b'}',
    }
}
