//! Text to tokens.
//!
//! Strict RON: words, numbers, quoted and raw texts, brackets, commas, colons, line comments and
//! nested block comments. A mistake yields a report and a token that lets the parser go on.

use super::diagnostic::{Diagnostic, Fault, Report, Span};

/// A token with its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) span: Span,
    pub(super) kind: Kind,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Broken,
    Close(u8),
    Colon,
    Comma,
    End,
    Equals,
    Number(String),
    Open(u8),
    Text { text: String, verbatim: bool },
    Word(String),
}

impl Kind {
    /// What the token is, for messages.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Broken => "something that cannot be read".to_owned(),
            Self::Close(octet) | Self::Open(octet) => format!("`{}`", char::from(*octet)),
            Self::Colon => "`:`".to_owned(),
            Self::Comma => "`,`".to_owned(),
            Self::End => "the end of the text".to_owned(),
            Self::Equals => "`=`".to_owned(),
            Self::Number(text) => format!("the number {text}"),
            Self::Text { .. } => "a text".to_owned(),
            Self::Word(word) => format!("`{word}`"),
        }
    }
}

/// Splits `text` into tokens, the last of which is [`Kind::End`].
///
/// `base` is the offset of `text` in its source.
pub(super) fn tokens(text: &str, source: u32, base: u32, report: &mut Report) -> Vec<Token> {
    let mut lexer = Lexer {
        text,
        at: 0,
        source,
        base,
        report,
    };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next();
        let ended = token.kind == Kind::End;
        tokens.push(token);
        if ended {
            return tokens;
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    source: u32,
    base: u32,
    report: &'a mut Report,
}

impl Lexer<'_> {
    fn next(&mut self) -> Token {
        self.skip_blank();
        let start = self.at;
        let Some(first) = self.rest().chars().next() else {
            return self.token(start, Kind::End);
        };
        let second = self.rest()[first.len_utf8()..].chars().next();
        let signed = matches!(first, '+' | '-' | '.') && second.is_some_and(|c| c.is_ascii_digit());
        let kind = match first {
            '(' | '[' | '{' => self.one(Kind::Open(first as u8)),
            ')' | ']' | '}' => self.one(Kind::Close(first as u8)),
            ':' => self.one(Kind::Colon),
            ',' => self.one(Kind::Comma),
            '=' => self.one(Kind::Equals),
            '"' => self.text(),
            '\'' => self.single_quoted(),
            'r' if self.rest()[1..].trim_start_matches('#').starts_with('"') => self.raw_text(),
            c if c.is_ascii_digit() || signed => self.number(),
            c if c.is_alphabetic() || c == '_' => self.word(),
            _ => self.unknown(first),
        };
        self.token(start, kind)
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn one(&mut self, kind: Kind) -> Kind {
        self.at += 1;
        kind
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span {
            source: self.source,
            start: self.base + start as u32,
            end: self.base + end as u32,
        }
    }

    fn token(&self, start: usize, kind: Kind) -> Token {
        Token {
            span: self.span(start, self.at),
            kind,
        }
    }

    fn error(&mut self, start: usize, end: usize, message: impl Into<String>) {
        let span = self.span(start, end);
        self.report
            .push(Diagnostic::error(Fault::Syntax, span, message));
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
            self.at += rest.len() - trimmed.len();
            if self.rest().starts_with("//") {
                let rest = self.rest();
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if self.rest().starts_with("/*") {
                self.skip_block_comment();
            } else {
                return;
            }
        }
    }

    fn skip_block_comment(&mut self) {
        let start = self.at;
        let mut depth = 0_u32;
        while self.at < self.text.len() {
            let rest = self.rest();
            if rest.starts_with("/*") {
                depth += 1;
                self.at += 2;
            } else if rest.starts_with("*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return;
                }
            } else {
                self.at += rest.chars().next().map_or(1, char::len_utf8);
            }
        }
        self.error(start, start + 2, "this comment is never closed");
    }

    fn word(&mut self) -> Kind {
        let rest = self.rest();
        let length = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let word = rest[..length].to_owned();
        self.at += length;
        Kind::Word(word)
    }

    /// Reads a number; what looks like a quantity without quotation marks is read as its text.
    fn number(&mut self) -> Kind {
        let start = self.at;
        let mut previous = ' ';
        let mut length = 0;
        let rest = self.rest();
        let hexadecimal = rest.trim_start_matches(['+', '-']).starts_with("0x");
        for (offset, c) in rest.char_indices() {
            let next = rest[offset + c.len_utf8()..].chars().next();
            let belongs = match c {
                '+' | '-' => offset == 0 || (matches!(previous, 'e' | 'E') && !hexadecimal),
                '/' => previous.is_alphabetic() && next.is_some_and(char::is_alphabetic),
                _ => c.is_alphanumeric() || matches!(c, '_' | '.' | '%'),
            };
            if !belongs {
                break;
            }
            previous = c;
            length = offset + c.len_utf8();
        }
        let text = rest[..length].to_owned();
        self.at += length;
        if integer(&text).is_some() || real(&text).is_some() {
            return Kind::Number(text);
        }
        let span = self.span(start, self.at);
        self.report.push(
            Diagnostic::error(Fault::Syntax, span, format!("`{text}` is not a number"))
                .with_hint(format!("a quantity is written in quotes: \"{text}\"")),
        );
        Kind::Text {
            text,
            verbatim: false,
        }
    }

    fn text(&mut self) -> Kind {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        let mut verbatim = true;
        while let Some(c) = self.rest().chars().next() {
            match c {
                '"' => {
                    self.at += 1;
                    return Kind::Text { text, verbatim };
                }
                '\\' => {
                    verbatim = false;
                    self.escape(&mut text);
                }
                _ => {
                    text.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
        self.unclosed_text(start)
    }

    /// Reads a text in single quotes as if it were in double ones.
    fn single_quoted(&mut self) -> Kind {
        let start = self.at;
        self.at += 1;
        let rest = self.rest();
        let length = rest.find(['\'', '\n', ',']).unwrap_or(rest.len());
        let text = rest[..length].to_owned();
        self.at += length;
        if self.rest().starts_with('\'') {
            self.at += 1;
        }
        let message = "a text is written in double quotes";
        let span = self.span(start, self.at);
        let hint = format!("write {text:?}");
        self.report
            .push(Diagnostic::error(Fault::Syntax, span, message).with_hint(hint));
        Kind::Text {
            text,
            verbatim: false,
        }
    }

    fn raw_text(&mut self) -> Kind {
        let start = self.at;
        self.at += 1;
        let rest = self.rest();
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        self.at += hashes + 1;
        let closing = format!("\"{}", "#".repeat(hashes));
        let rest = self.rest();
        match rest.find(&closing) {
            Some(length) => {
                let text = rest[..length].to_owned();
                self.at += length + closing.len();
                Kind::Text {
                    text,
                    verbatim: false,
                }
            }
            None => self.unclosed_text(start),
        }
    }

    /// Ends a text that lacks its closing mark with its line, so that what follows is read.
    fn unclosed_text(&mut self, start: usize) -> Kind {
        let rest = &self.text[start..];
        let line = rest.find('\n').unwrap_or(rest.len());
        self.at = start + line;
        self.error(start, start + 1, "this text is never closed");
        Kind::Broken
    }

    fn escape(&mut self, text: &mut String) {
        let start = self.at;
        self.at += 1;
        let Some(c) = self.rest().chars().next() else {
            return;
        };
        self.at += c.len_utf8();
        let resolved = match c {
            '"' | '\\' | '\'' => Some(c),
            '0' => Some('\0'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'x' => self.code(2),
            'u' if self.rest().starts_with('{') => {
                self.at += 1;
                let length = self.rest().find('}').unwrap_or(0).min(6);
                let resolved = self.code(length);
                if self.rest().starts_with('}') {
                    self.at += 1;
                }
                resolved
            }
            _ => None,
        };
        match resolved {
            Some(resolved) => text.push(resolved),
            None => self.error(start, self.at, "unknown escape sequence"),
        }
    }

    /// A character by its code of `length` hexadecimal digits.
    fn code(&mut self, length: usize) -> Option<char> {
        let digits = self.rest().get(..length)?;
        if length == 0 || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
            return None;
        }
        let code = u32::from_str_radix(digits, 16).ok()?;
        self.at += length;
        char::from_u32(code)
    }

    fn unknown(&mut self, first: char) -> Kind {
        let start = self.at;
        self.at += first.len_utf8();
        let span = self.span(start, self.at);
        let mut diagnostic =
            Diagnostic::error(Fault::Syntax, span, format!("unexpected `{first}`"));
        if first == '#' {
            diagnostic = diagnostic.with_hint("a comment starts with //");
        }
        self.report.push(diagnostic);
        Kind::Broken
    }
}

/// The value of an integer as the language writes it.
pub(super) fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (digits, radix) = match digits.get(..2) {
        Some("0x") => (&digits[2..], 16),
        Some("0o") => (&digits[2..], 8),
        Some("0b") => (&digits[2..], 2),
        _ => (digits, 10),
    };
    if !digits.starts_with(|c: char| c.is_digit(radix)) {
        return None;
    }
    let value = i128::from_str_radix(&digits.replace('_', ""), radix).ok()?;
    Some(if negative { -value } else { value })
}

/// The value of a finite decimal number as the language writes it.
pub(super) fn real(text: &str) -> Option<f64> {
    let digits = text.trim_start_matches(['+', '-', '.']);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let value: f64 = text.replace('_', "").parse().ok()?;
    value.is_finite().then_some(value)
}
