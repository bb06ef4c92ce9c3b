//! An insider at the head-end: it sends nothing of its own.
//!
//! What it does goes through the queue of the head-end like every order of the operator; see
//! [`switching`](crate::switching). Its links carry nothing of interest to it.

use super::behaviour::Behaviour;

/// The presence of an insider on links: none.
#[derive(Debug)]
pub(super) struct Insider;

impl Behaviour for Insider {}
