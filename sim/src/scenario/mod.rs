//! The scenario language: one file that holds a whole experiment.
//!
//! A scenario is strict RON (records, choices, lists, maps, texts, numbers, comments) whose
//! quantities carry units. Reading it goes through four stages, each of which reports all
//! mistakes that it finds and leaves the rest to the next one:
//!
//! 1. `lex` and `parse` turn text into values that know where they stand;
//! 2. `patch` lays a scenario upon the one it inherits from, and overrides upon both;
//! 3. `decode` turns values into the types of [`schema`];
//! 4. `check` judges ranges, references and contradictions.

pub mod ast;
pub mod attackers;
pub mod capture;
mod check;
pub mod decode;
pub mod diagnostic;
pub mod dist;
pub mod distribution;
pub mod expect;
pub mod explain;
pub mod field;
pub mod groups;
pub mod han;
mod identity;
mod lex;
pub mod live;
mod load;
mod lower;
pub mod mcu;
pub mod mdms;
pub mod media;
pub mod metering;
pub mod optical;
pub mod outage;
mod parse;
mod patch;
mod record;
pub mod recording;
pub mod replay;
pub mod requests;
pub mod rollout;
pub mod schema;
mod segments;
mod suggest;
pub mod sweep;
pub mod switching;
#[cfg(test)]
mod tests;
pub mod timeline;
pub mod units;

pub use diagnostic::Report;
pub use load::{Loaded, load, load_text};
pub use schema::Scenario;

impl Scenario {
    /// The scenario with all defaults written out, in the language itself.
    pub fn to_ron(&self) -> String {
        let pretty = ron::ser::PrettyConfig::new().struct_names(true);
        ron::ser::to_string_pretty(self, pretty).expect("a scenario holds nothing RON cannot write")
    }
}
