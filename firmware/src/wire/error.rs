//! Why octets could not be read or written.

use core::fmt;

/// A parse or emit failure. Small and `Copy`, so that it can travel inside a reject cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// A field has a value that its standard forbids; names the field.
    Malformed(&'static str),
    /// The octets end before the field does.
    Truncated {
        /// Octets that the field needs.
        need: usize,
        /// Octets that are left.
        have: usize,
    },
    /// A code point that is not supported here.
    Unsupported(u16),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(field) => write!(f, "malformed {field}"),
            Self::Truncated { need, have } => {
                write!(f, "truncated: {need} octets needed, {have} left")
            }
            Self::Unsupported(code) => write!(f, "unsupported code {code:#06x}"),
        }
    }
}

impl core::error::Error for Error {}
