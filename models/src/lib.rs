//! ECS models of an Advanced Metering Infrastructure.

pub mod clock;
pub mod cost;
pub mod dist;
pub mod event;
pub mod link;
pub mod load;
pub mod rng;
pub mod time;
