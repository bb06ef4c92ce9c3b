//! Mistakes in a scenario: where they lie, what they are and how they are shown.

use std::fmt;

use serde::Serialize;

/// A text that is read: a file, or the argument of a `--set` option.
#[derive(Clone, Debug)]
pub struct Source {
    /// Name to show: a path, or `--set`.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// Number of the first line; for a `--set` option its position among them.
    pub first_line: usize,
}

/// A stretch of a source, in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Index of the source.
    pub source: u32,
    /// First octet.
    pub start: u32,
    /// Octet behind the last.
    pub end: u32,
}

/// How bad a mistake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The scenario cannot be run.
    Error,
    /// The scenario runs, but hardly as meant.
    Warning,
}

/// Kinds of mistakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A quantity has a unit that does not fit, or is not a quantity.
    BadUnit,
    /// A plain number stands where a unit is needed.
    BareNumber,
    /// Inheritance from another file leads back to the same file.
    Cycle,
    /// Two values contradict each other.
    Contradiction,
    /// A name is given twice.
    Duplicate,
    /// A required field is absent.
    MissingField,
    /// A value lies outside the permitted range.
    OutOfRange,
    /// The text does not follow the grammar.
    Syntax,
    /// A bracket is not closed, or closed by another one.
    Unbalanced,
    /// A field of this name does not exist.
    UnknownField,
    /// An expectation names a metric that does not exist.
    UnknownMetric,
    /// A name refers to nothing in the scenario.
    UnknownReference,
    /// A choice has no such variant.
    UnknownVariant,
    /// A file cannot be read.
    Unreadable,
    /// A value has the wrong type.
    WrongType,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of mistake it is.
    pub fault: Fault,
    /// What is wrong, without a full stop.
    pub message: String,
    /// Where it lies, if it lies in a text.
    pub span: Option<Span>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Another place that matters, and why.
    pub related: Option<(Span, String)>,
}

impl Diagnostic {
    /// An error at `span`.
    pub fn error(fault: Fault, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            fault,
            message: message.into(),
            span: Some(span),
            hint: None,
            related: None,
        }
    }

    /// The same as a warning.
    pub fn as_warning(self) -> Self {
        Self {
            severity: Severity::Warning,
            ..self
        }
    }

    /// The same with advice.
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// The same with a second place.
    pub fn with_related(self, span: Span, why: impl Into<String>) -> Self {
        Self {
            related: Some((span, why.into())),
            ..self
        }
    }
}

/// A place as people read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Location {
    /// Name of the source.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// A mistake with its place resolved, as `--log json` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Located<'a> {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of mistake it is.
    pub fault: Fault,
    /// Where it lies, if it lies in a text.
    #[serde(flatten)]
    pub location: Option<Location>,
    /// What is wrong.
    pub message: &'a str,
    /// What to do about it.
    pub hint: Option<&'a str>,
}

/// Mistakes that are shown; whoever has more begins with these.
pub const SHOWN_MAX: usize = 100;

/// Octets of a very long line that are shown before and behind a mistake.
const EXCERPT: usize = 120;

/// All mistakes of a scenario with the texts in which they lie.
#[derive(Clone, Debug, Default)]
pub struct Report {
    sources: Vec<Source>,
    diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// Where `text` begins in its source, if it stands octet by octet within `span`.
    pub fn position_of(&self, text: &str, span: Span) -> Option<u32> {
        let source = self.sources.get(span.source as usize)?;
        let within = source.text.get(span.start as usize..span.end as usize)?;
        Some(span.start + within.find(text)? as u32)
    }

    /// Adds a text; its octets are addressed by spans of the index returned.
    ///
    /// # Panics
    ///
    /// If the text is longer than a span can address, which the loader prevents.
    pub fn add_source(&mut self, source: Source) -> u32 {
        assert!(u32::try_from(source.text.len()).is_ok());
        self.sources.push(source);
        self.sources.len() as u32 - 1
    }

    /// The same texts without mistakes.
    pub fn cleared(&self) -> Self {
        Self {
            sources: self.sources.clone(),
            diagnostics: Vec::new(),
        }
    }

    /// Adds the mistakes of `other`, which is about the same texts, that are not known yet.
    pub fn absorb(&mut self, other: Self) {
        for diagnostic in other.diagnostics {
            if !self.diagnostics.contains(&diagnostic) {
                self.diagnostics.push(diagnostic);
            }
        }
    }

    /// Adds a mistake.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Forgets the mistakes of kind `fault`.
    pub fn forget(&mut self, fault: Fault) {
        self.diagnostics
            .retain(|diagnostic| diagnostic.fault != fault);
    }

    /// Puts the mistakes into the order of the texts.
    pub fn sort(&mut self) {
        self.diagnostics.sort_by_key(|diagnostic| diagnostic.span);
    }

    /// The mistakes.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The texts.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Whether there is nothing to report.
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// Number of errors, warnings not counted.
    pub fn errors(&self) -> usize {
        let is_error = |diagnostic: &&Diagnostic| diagnostic.severity == Severity::Error;
        self.diagnostics.iter().filter(is_error).count()
    }

    /// The mistakes with their places resolved.
    ///
    /// Of very many only the first [`SHOWN_MAX`].
    pub fn located(&self) -> impl Iterator<Item = Located<'_>> {
        let shown = self.diagnostics.iter().take(SHOWN_MAX);
        shown.map(|diagnostic| Located {
            severity: diagnostic.severity,
            fault: diagnostic.fault,
            location: diagnostic.span.map(|span| self.locate(span)),
            message: &diagnostic.message,
            hint: diagnostic.hint.as_deref(),
        })
    }

    /// File, line and column at which `span` starts.
    pub fn locate(&self, span: Span) -> Location {
        let source = &self.sources[span.source as usize];
        let (line, line_start, _) = source.line_at(span.start as usize);
        Location {
            file: source.name.clone(),
            line,
            column: source.text[line_start..span.start as usize].chars().count() + 1,
        }
    }

    fn write_excerpt(
        &self,
        f: &mut fmt::Formatter<'_>,
        span: Span,
        note: Option<&str>,
    ) -> fmt::Result {
        let source = &self.sources[span.source as usize];
        let (line, line_start, line_end) = source.line_at(span.start as usize);
        let location = self.locate(span);
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        let (line_start, line_end) = source.around(span.start as usize, line_start, line_end);
        let text = &source.text[line_start..line_end];
        writeln!(
            f,
            "{gutter}--> {}:{}:{}",
            location.file, location.line, location.column
        )?;
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{number} | {text}")?;
        let before = &source.text[line_start..span.start as usize];
        // Tabs stay tabs, so that the caret stands right whatever their width.
        let padding: String = before
            .chars()
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let marked_end = (span.end as usize).clamp(span.start as usize, line_end);
        let marked = &source.text[span.start as usize..marked_end.max(span.start as usize)];
        let carets = "^".repeat(marked.chars().count().max(1));
        match note {
            Some(note) => writeln!(f, "{gutter} | {padding}{carets} {note}"),
            None => writeln!(f, "{gutter} | {padding}{carets}"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in self.diagnostics.iter().take(SHOWN_MAX) {
            let severity = match diagnostic.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            writeln!(f, "{severity}: {}", diagnostic.message)?;
            if let Some(span) = diagnostic.span {
                self.write_excerpt(f, span, None)?;
            }
            if let Some((span, why)) = &diagnostic.related {
                self.write_excerpt(f, *span, Some(why))?;
            }
            if let Some(hint) = &diagnostic.hint {
                writeln!(f, "  = hint: {hint}")?;
            }
            writeln!(f)?;
        }
        match self.diagnostics.len().saturating_sub(SHOWN_MAX) {
            0 => Ok(()),
            more => writeln!(f, "and {more} more like these\n"),
        }
    }
}

impl std::error::Error for Report {}

impl Source {
    /// The part of a line around `offset` that is shown, all of it unless it is very long.
    fn around(&self, offset: usize, start: usize, end: usize) -> (usize, usize) {
        let near = |at: usize| {
            let boundary = |at: &usize| self.text.is_char_boundary(*at);
            (at..=self.text.len()).find(boundary).unwrap_or(end)
        };
        if end - start <= 2 * EXCERPT {
            return (start, end);
        }
        let from = near(offset.saturating_sub(EXCERPT).max(start));
        (from, near((offset + EXCERPT).min(end)))
    }

    /// Number, start and end of the line in which `offset` lies.
    fn line_at(&self, offset: usize) -> (usize, usize, usize) {
        let before = &self.text[..offset];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let rest = &self.text[start..];
        let length = rest.find('\n').unwrap_or(rest.len());
        let length = rest[..length].trim_end_matches('\r').len();
        let end = (start + length).max(offset);
        let number = self.first_line + before.matches('\n').count();
        (number, start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str, start: u32, end: u32) -> String {
        let mut report = Report::default();
        let source = report.add_source(Source {
            name: "a.ron".into(),
            text: text.into(),
            first_line: 1,
        });
        let span = Span { source, start, end };
        report.push(Diagnostic::error(Fault::Syntax, span, "wrong").with_hint("do it differently"));
        report.to_string()
    }

    #[test]
    fn caret_stands_under_the_mistake() {
        let shown = report("(\n\tä: 5,\r\n)", 7, 8);
        let wanted = [
            "error: wrong",
            " --> a.ron:2:5",
            "  |",
            "2 | \tä: 5,",
            "  | \t   ^",
            "  = hint: do it differently",
            "\n",
        ];
        assert_eq!(shown, wanted.join("\n"));
    }

    #[test]
    fn a_very_long_line_is_shown_around_the_mistake() {
        let text = format!("({}?{})", "ä".repeat(5_000), "ö".repeat(5_000));
        let shown = report(&text, 10_001, 10_002);
        assert!(shown.contains(" --> a.ron:1:5002\n"), "{shown}");
        assert!(shown.len() < 1_000, "{} octets", shown.len());
        let lines: Vec<&str> = shown.lines().collect();
        let caret = lines[4].chars().position(|c| c == '^');
        assert_eq!(lines[3].chars().position(|c| c == '?'), caret);
    }

    #[test]
    fn of_very_many_mistakes_the_first_are_shown() {
        let mut report = Report::default();
        let source = report.add_source(Source {
            name: "a.ron".into(),
            text: "x".into(),
            first_line: 1,
        });
        let span = Span {
            source,
            start: 0,
            end: 1,
        };
        for _ in 0..SHOWN_MAX + 7 {
            report.push(Diagnostic::error(Fault::Syntax, span, "wrong"));
        }
        let shown = report.to_string();
        assert_eq!(shown.matches("error: wrong").count(), SHOWN_MAX);
        assert!(shown.ends_with("and 7 more like these\n\n"));
        assert_eq!(report.located().count(), SHOWN_MAX);
    }

    #[test]
    fn caret_of_a_long_span_ends_with_its_line() {
        assert!(report("(a\nb)", 0, 5).contains("1 | (a\n  | ^^\n"));
        assert!(report("", 0, 0).contains("1 | \n  | ^\n"));
    }
}
