//! Engine, scenario language, recording and experiments of Meterstorm.

pub mod capture;
pub mod cli;
pub mod dissect;
pub mod eaplink;
pub mod engine;
pub mod experiment;
pub mod live;
pub mod record;
pub mod run;
pub mod scenario;
pub mod validation;
