//! The composition that a head-end instance runs.
