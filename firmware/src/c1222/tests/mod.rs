//! Vectors and behaviour that need more than one module.

mod association;
mod data;
mod parsers;
mod relay;
mod sessions;
mod support;
mod vectors;
