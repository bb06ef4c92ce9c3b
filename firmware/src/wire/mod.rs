//! Bounded access to octet strings: nothing here can read or write past the end.
//!
//! Parsers take a [`Reader`] and get a typed [`Error`] where the octets run out. Emitters take a
//! [`Writer`] over a buffer of the size that they announced; a buffer that is too small is a
//! [`Error::Truncated`] as well, never a panic.

mod copy;
mod error;
mod reader;
mod writer;

pub(crate) use copy::copy;
pub use error::Error;
pub use reader::Reader;
pub use writer::Writer;
