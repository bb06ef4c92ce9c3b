//! ECS models of an Advanced Metering Infrastructure.

pub mod event;
pub mod time;
