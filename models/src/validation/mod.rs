//! Published and closed-form results, and what the models make of them.
//!
//! Every figure is computed anew by the code that runs in a simulation; tests and the printed
//! table share it. The names `V13`, `V14`, … are those of the project's list of validation targets;
//! results that concern one function alone are tested beside it.

mod links;
mod metering;
mod protocol;
mod queueing;

/// A result to be reproduced, and what came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Name of the target, such as `V13`.
    pub id: &'static str,
    /// What is measured, with its unit.
    pub what: String,
    /// Where the result is published or derived.
    pub source: &'static str,
    /// The result.
    pub target: f64,
    /// What came out.
    pub ours: f64,
    /// Permitted error relative to the target; where the target is 0, absolute. 0 means exactly.
    pub tolerance: f64,
}

impl Outcome {
    /// The error relative to the target; where the target is 0, absolute.
    pub fn error(&self) -> f64 {
        match self.target == 0.0 {
            true => self.ours,
            false => self.ours / self.target - 1.0,
        }
    }

    /// Whether the error is within the tolerance.
    pub fn holds(&self) -> bool {
        self.error().abs() <= self.tolerance
    }
}

/// Computes all outcomes, in the order of their names; takes some seconds.
pub fn all() -> Vec<Outcome> {
    let mut outcomes = links::outcomes();
    outcomes.extend(metering::outcomes());
    outcomes.extend(protocol::outcomes());
    outcomes.extend(queueing::outcomes());
    outcomes.sort_by_key(|outcome| outcome.id);
    outcomes
}

/// Outcomes of one target that share source and tolerance.
#[derive(Debug)]
struct Group {
    id: &'static str,
    source: &'static str,
    tolerance: f64,
    outcomes: Vec<Outcome>,
}

impl Group {
    const fn new(id: &'static str, source: &'static str, tolerance: f64) -> Self {
        Self {
            id,
            source,
            tolerance,
            outcomes: Vec::new(),
        }
    }

    /// Adds an outcome.
    fn add(&mut self, what: impl Into<String>, target: f64, ours: f64) {
        self.add_within(what, target, ours, self.tolerance);
    }

    /// Adds an outcome with a tolerance of its own.
    fn add_within(&mut self, what: impl Into<String>, target: f64, ours: f64, tolerance: f64) {
        self.outcomes.push(Outcome {
            id: self.id,
            what: what.into(),
            source: self.source,
            target,
            ours,
            tolerance,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_relative_unless_the_target_is_nothing() {
        let outcome = |target, ours, tolerance| Outcome {
            id: "V00",
            what: String::new(),
            source: "",
            target,
            ours,
            tolerance,
        };
        assert!((outcome(2.0, 2.1, 0.05).error() - 0.05).abs() < 1e-12);
        assert!(outcome(2.0, 2.1, 0.051).holds());
        assert!(!outcome(2.0, 1.8, 0.051).holds());
        assert!(outcome(11.0, 11.0, 0.0).holds());
        assert!(outcome(0.0, 0.0, 0.0).holds());
        assert!(!outcome(0.0, 1e-9, 0.0).holds());
        assert!(!outcome(1.0, f64::NAN, 0.5).holds());
    }
}
