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
//! | [`format`](mod@format), [`codec`] | how a meter writes its tables, and reading and writing them, whole or in part |
//! | [`types`], [`number`] | dates, sets, identifiers and quantities inside of tables |
//! | [`general`], [`identity`] | decade 0: what the meter is and how its tables are written |
//! | [`procedure`] | ST7 and ST8: procedures and their results |
//! | [`sources`] | decade 1: what is measured, in which units |
//! | [`registers`], [`readings`] | decade 2: energy and demand, now and in the past |
//! | [`access`] | decade 4: who may read, write and run what |
//! | [`clock`], [`calendar`] | decade 5: the time, seasons and tiers |
//! | [`profile`], [`blocks`] | decade 6: load profile |
//! | [`log`] | decade 7: history and event logs |
//! | [`switch`] | MT0 and manufacturer procedure 0: the service switch |
//! | [`image`] | MT3 to MT6 and manufacturer procedure 1: firmware images |
//!
//! Layouts are those of C12.19-2008. This meter writes them with DATA_ORDER 0, TM_FORMAT 2 and
//! CHAR_FORMAT 1: integers least significant octet first, dates as octets, ISO 646 text padded
//! with spaces; tables of other meters are read with the [`Format`] that their ST0 names. A table
//! whose size depends on another takes the limits of that one.
//!
//! The text of the standard is not public; the layouts follow published parsers and captures.
//! Uncertain are: the codes of the nameplate, RDATE of weekly and monthly days, the order of days
//! in ST54, the use of event numbers in ST74 and ST76, the frequency's ID_CODE in ST12. The layouts
//! of manufacturer tables and procedures are this project's own, because those of the standard
//! tables for load control (ST110 to ST118) cannot be verified, and none is for images.

pub mod access;
pub mod blocks;
pub mod calendar;
pub mod clock;
pub mod codec;
pub mod format;
pub mod general;
pub mod identity;
pub mod image;
pub mod log;
pub mod number;
pub mod procedure;
pub mod profile;
pub mod readings;
pub mod registers;
pub mod sources;
pub mod switch;
#[cfg(test)]
mod tests;
pub mod types;

pub use access::{Groups, Permissions};
pub use codec::{Decoder, Encoder, Window};
pub use format::Format;
pub use number::Number;
pub use procedure::{Initiate, ProcedureId, ResultCode};
pub use switch::{SwitchCommand, SwitchState};
pub use types::DateTime;
