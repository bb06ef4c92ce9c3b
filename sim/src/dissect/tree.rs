//! What a dissector found, as a tree of named fields.

use std::fmt::{self, Display, Write as _};

use serde_json::{Value, json};

/// How a field turned out where it could be checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// There is nothing to check, or nothing to check it with.
    #[default]
    Unjudged,
    /// It was verified.
    Sound,
    /// It cannot be read, breaks a rule, or failed to verify.
    Unsound,
}

/// A field or a group of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// What it is called.
    pub name: String,
    /// Its value or what there is to say, empty for a mere group.
    pub text: String,
    /// The octet of the captured packet that it starts at, as far as it has one.
    ///
    /// Decrypted fields count from where their cipher text is.
    pub at: Option<usize>,
    /// How it turned out.
    pub verdict: Verdict,
    /// Its parts.
    pub children: Vec<Self>,
}

impl Node {
    /// A field with a value.
    pub fn new(name: impl Into<String>, text: impl Display) -> Self {
        Self {
            name: name.into(),
            text: text.to_string(),
            ..Self::default()
        }
    }

    /// What could not be read, where, and why.
    pub fn problem(name: impl Into<String>, at: usize, why: impl Display) -> Self {
        Self::new(name, why).at(at).judged(Verdict::Unsound)
    }

    /// The same, starting at octet `at`.
    #[must_use]
    pub fn at(mut self, at: usize) -> Self {
        self.at = Some(at);
        self
    }

    /// The same with a verdict.
    #[must_use]
    pub const fn judged(mut self, verdict: Verdict) -> Self {
        self.verdict = verdict;
        self
    }

    /// The same with parts.
    #[must_use]
    pub fn with(mut self, children: Vec<Self>) -> Self {
        self.children = children;
        self
    }

    /// Appends a part.
    pub fn push(&mut self, child: Self) {
        self.children.push(child);
    }

    /// Whether it or any of its parts is unsound.
    pub fn is_unsound(&self) -> bool {
        self.verdict == Verdict::Unsound || self.children.iter().any(Self::is_unsound)
    }

    /// The first field called `name`, of this tree in reading order.
    pub fn find(&self, name: &str) -> Option<&Self> {
        if self.name == name {
            return Some(self);
        }
        self.children.iter().find_map(|child| child.find(name))
    }

    /// The tree as JSON.
    pub fn to_json(&self) -> Value {
        let mut object = json!({ "name": self.name });
        let mut set = |key: &str, value: Value| object[key] = value;
        if !self.text.is_empty() {
            set("value", self.text.clone().into());
        }
        if let Some(at) = self.at {
            set("at", at.into());
        }
        match self.verdict {
            Verdict::Unjudged => {}
            Verdict::Sound => set("sound", true.into()),
            Verdict::Unsound => set("sound", false.into()),
        }
        if !self.children.is_empty() {
            let children = self.children.iter().map(Self::to_json);
            set("fields", children.collect());
        }
        object
    }

    /// Writes the tree, indented by `depth` steps; what is unsound says where it is.
    pub fn write(&self, out: &mut dyn fmt::Write, depth: usize) -> fmt::Result {
        let mark = match self.verdict {
            Verdict::Unsound => '!',
            Verdict::Unjudged | Verdict::Sound => ' ',
        };
        write!(out, "{mark}{:1$}{2}", "", 3 + 2 * depth, self.name)?;
        if !self.text.is_empty() {
            write!(out, ": {}", self.text)?;
        }
        if let (Verdict::Unsound, Some(at)) = (self.verdict, self.at) {
            write!(out, " (at octet {at})")?;
        }
        out.write_char('\n')?;
        self.children
            .iter()
            .try_for_each(|child| child.write(out, depth + 1))
    }
}

/// Where `part` starts within `whole`, of which it is a part.
pub(super) fn offset(whole: &[u8], part: &[u8]) -> usize {
    let offset = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
    // An empty part may be a constant from elsewhere.
    offset.min(whole.len())
}

/// Octets in hexadecimal.
pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a text does not fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// Octets as text where they are printable, else in hexadecimal.
pub(super) fn text(octets: &[u8]) -> String {
    match core::str::from_utf8(octets) {
        Ok(text) if !text.is_empty() && !text.contains(char::is_control) => text.to_owned(),
        _ => hex(octets),
    }
}

/// A count of octets in words.
pub(super) fn octets(count: usize) -> String {
    match count {
        1 => "1 octet".to_owned(),
        count => format!("{count} octets"),
    }
}
