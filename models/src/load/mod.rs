//! Residential electricity use.
//!
//! The mean power by hour comes from measured end-use shapes (`loadshape.csv`: ELCAP shapes,
//! NEEA RBSA 2014 daily energies). A house scales and shifts that shape, days differ, and the
//! energy of each interval is gamma distributed around its mean.

mod house;
mod shape;

pub use house::{House, LoadModel};
pub use shape::{DayKind, Season, ShapeTable};
