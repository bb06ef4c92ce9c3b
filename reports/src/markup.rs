//! Well-formed markup: HTML and SVG as they leave this crate.
//!
//! Every element is closed, every attribute quoted and every text escaped, so a page is XML as well
//! as HTML and a test can parse it.

use std::fmt::{self, Display, Write as _};

/// Appends formatted text to a `String`.
macro_rules! push {
    ($text:expr, $($format:tt)+) => {
        std::fmt::Write::write_fmt(&mut $text, format_args!($($format)+))
            .expect("a String takes everything")
    };
}
pub(crate) use push;

/// Name and value of an attribute.
pub(crate) type Attribute<'a> = (&'a str, &'a dyn Display);

/// A fragment of markup under construction.
#[derive(Debug, Default)]
pub(crate) struct Markup {
    text: String,
    open: Vec<&'static str>,
}

impl Markup {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Opens an element; [`close`](Self::close) ends it.
    pub(crate) fn open(&mut self, tag: &'static str, attributes: &[Attribute<'_>]) {
        self.start(tag, attributes);
        self.text.push('>');
        self.open.push(tag);
    }

    /// Closes the element opened last.
    ///
    /// # Panics
    ///
    /// If none is open.
    pub(crate) fn close(&mut self) {
        let tag = self.open.pop().expect("an element is open");
        push!(self.text, "</{tag}>");
    }

    /// Adds an element without content: one of SVG's, or a void one of HTML's.
    pub(crate) fn leaf(&mut self, tag: &'static str, attributes: &[Attribute<'_>]) {
        self.start(tag, attributes);
        self.text.push_str("/>");
    }

    /// Adds an element that holds text.
    pub(crate) fn element(
        &mut self,
        tag: &'static str,
        attributes: &[Attribute<'_>],
        text: impl Display,
    ) {
        self.open(tag, attributes);
        self.text(text);
        self.close();
    }

    /// Adds text.
    pub(crate) fn text(&mut self, text: impl Display) {
        write!(Escape(&mut self.text), "{text}").expect("a String takes everything");
    }

    /// Adds a finished fragment.
    pub(crate) fn raw(&mut self, fragment: &str) {
        self.text.push_str(fragment);
    }

    /// The fragment.
    ///
    /// # Panics
    ///
    /// If an element is open.
    pub(crate) fn finish(self) -> String {
        assert!(self.open.is_empty(), "open elements: {:?}", self.open);
        self.text
    }

    fn start(&mut self, tag: &str, attributes: &[Attribute<'_>]) {
        push!(self.text, "<{tag}");
        for (name, value) in attributes {
            push!(self.text, " {name}=\"");
            write!(Escape(&mut self.text), "{value}").expect("a String takes everything");
            self.text.push('"');
        }
    }
}

/// Writes text with the characters replaced that markup gives a meaning.
struct Escape<'a>(&'a mut String);

impl fmt::Write for Escape<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                // XML allows no other control characters.
                '\t' | '\n' => self.0.push(character),
                other if other.is_control() => self.0.push('\u{fffd}'),
                other => self.0.push(other),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod check {
    //! A strict reader of the markup written here.

    /// Asserts that every element is closed and every attribute quoted, and returns the number of
    /// elements.
    pub(crate) fn assert_well_formed(text: &str) -> usize {
        let text = text.strip_prefix("<!DOCTYPE html>").unwrap_or(text);
        let (mut open, mut elements, mut rest) = (Vec::new(), 0, text);
        while let Some(at) = rest.find('<') {
            assert_text(&rest[..at]);
            rest = &rest[at..];
            let end = rest.find('>').expect("every tag ends");
            let (tag, after) = (&rest[1..end], &rest[end + 1..]);
            rest = after;
            if ["style", "script"].contains(&tag.split(' ').next().unwrap_or("")) {
                // Raw text, up to the first end tag.
                let end = if tag.starts_with("style") {
                    "</style>"
                } else {
                    "</script>"
                };
                let (_, after) = rest.split_once(end).expect("raw text ends");
                (elements, rest) = (elements + 1, after);
                continue;
            }
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "nesting");
                continue;
            }
            elements += 1;
            let (tag, is_leaf) = match tag.strip_suffix('/') {
                Some(tag) => (tag, true),
                None => (tag, false),
            };
            let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
            assert_attributes(attributes);
            if !is_leaf {
                open.push(name);
            }
        }
        assert_text(rest);
        assert!(open.is_empty(), "open elements: {open:?}");
        elements
    }

    fn assert_text(text: &str) {
        assert!(!text.contains('>'), "unescaped: {text}");
        for reference in text.split('&').skip(1) {
            let (name, _) = reference.split_once(';').expect("a reference ends");
            assert!(["amp", "lt", "gt", "quot"].contains(&name), "&{name};");
        }
    }

    fn assert_attributes(mut attributes: &str) {
        let mut names = Vec::new();
        while !attributes.is_empty() {
            let (name, rest) = attributes.split_once("=\"").expect("name and value");
            let (value, rest) = rest.split_once('"').expect("a quoted value");
            assert_text(value);
            assert!(!names.contains(&name), "{name} twice");
            names.push(name);
            for word in value.split([' ', ',']) {
                assert!(!["NaN", "inf", "-inf"].contains(&word), "{name}={value}");
            }
            attributes = rest.trim_start();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_attributes_are_escaped() {
        let mut markup = Markup::new();
        markup.open("p", &[("title", &"a \"b\" & <c>")]);
        markup.text("1 < 2 & 3\u{7}");
        markup.leaf("br", &[]);
        markup.close();
        let text = markup.finish();
        assert_eq!(
            text,
            "<p title=\"a &quot;b&quot; &amp; &lt;c&gt;\">1 &lt; 2 &amp; 3\u{fffd}<br/></p>"
        );
        assert_eq!(check::assert_well_formed(&text), 2);
    }

    #[test]
    #[should_panic(expected = "open elements")]
    fn an_open_element_cannot_be_finished() {
        let mut markup = Markup::new();
        markup.open("p", &[]);
        markup.finish();
    }

    #[test]
    #[should_panic(expected = "nesting")]
    fn the_reader_rejects_crossed_elements() {
        check::assert_well_formed("<a><b></a></b>");
    }
}
