//! ANSI C12.19: the tables of a meter, and the procedures that are written to them.
//!
//! ```text
//! Read ST n        ->  the octets of table n, or a part of them
//! Write ST7        ->  procedure, sequence number, parameters: the procedure runs
//! Read ST8         ->  the same procedure and number, result code, response data
//! ```
//!
//! | module | content |
//! |---|---|
//! | [`types`] | dates, sets and identifiers inside of tables |
//! | [`general`] | ST0, ST1, ST3, ST5: what the meter is and how its tables are written |
//! | [`procedure`] | ST7 and ST8: procedures and their results |
//! | [`switch`] | MT0 and manufacturer procedure 0: the service switch |
//! | [`access`] | who may read, write and run what: ST42, ST44 |
//!
//! Layouts are those of C12.19-2008 with DATA_ORDER 0, TM_FORMAT 2 and CHAR_FORMAT 1: integers
//! least significant octet first, dates as octets, ISO 646 text padded with spaces. The text of
//! the standard is not public; the layouts follow published parsers and captures. The layouts of
//! MT0 and of manufacturer procedure 0 are this project's own, because those of the standard load
//! control tables (ST110 to ST118) cannot be verified.

pub mod access;
pub mod general;
pub mod procedure;
pub mod switch;
#[cfg(test)]
mod tests;
pub mod types;

pub use access::{Groups, Permissions};
pub use procedure::{Initiate, ProcedureId, ResultCode};
pub use switch::{SwitchCommand, SwitchState};
pub use types::DateTime;
