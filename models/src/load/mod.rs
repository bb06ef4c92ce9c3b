//! Residential electricity use.
//!
//! The mean power by hour comes from measured end-use shapes (`loadshape.csv`: ELCAP shapes,
//! NEEA RBSA 2014 daily energies). A house scales and shifts that shape, days differ, and the
//! energy of each interval is gamma distributed around its mean.

//!
//! That is enough where a meter counts one quantity. A [`Household`] has power at every moment,
//! reactive power and, on request, [appliances](DeviceKinds), heating and cooling, photovoltaics
//! and an electric car. A [`Replay`] takes the place of all that: data of real meters.

mod devices;
mod house;
mod household;
mod noise;
mod replay;
mod shape;
mod weather;

pub use devices::{Car, Charging, DeviceKinds, Photovoltaics};
pub use house::{House, LoadModel};
pub use household::{Flow, Household, HouseholdPlan};
pub use noise::{frequency_mhz, voltage_deviation};
pub use replay::Replay;
pub use shape::{DayKind, Season, ShapeTable};
pub use weather::Weather;
