//! Estimators, each with its definition.
//!
//! All are deterministic functions of their input; none samples.

mod histogram;
mod interval;
mod moments;
mod quantile;
mod selection;

pub use histogram::Histogram;
pub use interval::{Interval, mean_interval, normal_quantile, proportion_interval, t_quantile};
pub use moments::Moments;
pub use quantile::{quantile, quantile_sorted};
pub use selection::{Sample, sample};
