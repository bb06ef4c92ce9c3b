//! Engine, scenario language, recording and experiments of Meterstorm.

pub mod scenario;
