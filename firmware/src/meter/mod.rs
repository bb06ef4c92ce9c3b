//! The composition that a meter runs.
