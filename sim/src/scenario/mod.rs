//! The scenario language: one file that holds a whole experiment.

pub mod dist;
pub mod field;
pub mod mcu;
mod record;
pub mod schema;
pub mod units;

pub use schema::Scenario;
