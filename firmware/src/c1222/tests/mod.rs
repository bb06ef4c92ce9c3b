//! Vectors and behaviour that need more than one module.

mod support;
mod vectors;
