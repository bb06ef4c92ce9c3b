//! Ranges and contradictions: rules that hold between values of a scenario.
//!
//! A rule looks only at values that were written correctly or left to their defaults, so that a
//! mistake that has been reported already does not draw others after it.

mod attack;
mod capture;
mod distribution;
mod groups;
mod han;
mod live;
mod mdms;
mod metering;
mod optical;
mod outage;
mod plan;
mod population;
mod requests;
mod service;
mod shared;
mod sweep;
mod switching;
#[cfg(test)]
mod tests;

use super::Scenario;
use super::decode::Survey;
use super::diagnostic::{Diagnostic, Fault, Report, Span};
use super::dist::Dist;
use super::suggest::closest;
use super::units::Quantity;

/// Adds everything that is wrong in `scenario`, decoded as `survey` tells, to `report`.
pub(super) fn check(scenario: &Scenario, survey: Survey, report: &mut Report) {
    let mut judge = Judge { survey, report };
    population::check(scenario, &mut judge);
    service::check(scenario, &mut judge);
    distribution::check(scenario, &mut judge);
    plan::check(scenario, &mut judge);
    capture::check(scenario, &mut judge);
    sweep::check(scenario, &mut judge);
    shared::check(scenario, &mut judge);
    attack::check(scenario, &mut judge);
    switching::check(scenario, &mut judge);
    groups::check(scenario, &mut judge);
    han::check(scenario, &mut judge);
    optical::check(scenario, &mut judge);
    live::check(scenario, &mut judge);
    requests::check(scenario, &mut judge);
    metering::check(scenario, &mut judge);
    mdms::check(scenario, &mut judge);
    outage::check(scenario, &mut judge);
}

/// Finds places and collects verdicts.
struct Judge<'a> {
    survey: Survey,
    report: &'a mut Report,
}

impl Judge<'_> {
    /// Whether the values at all of `paths` are what somebody meant.
    fn sound(&self, paths: &[&str]) -> bool {
        paths.iter().all(|path| self.survey.is_sound(path))
    }

    fn at(&self, path: &str) -> Span {
        let top = Span {
            source: 0,
            start: 0,
            end: 0,
        };
        self.survey.place(path).unwrap_or(top)
    }

    /// Reports `message` at the value at `path` if `wrong`, and says whether it did.
    fn reject(&mut self, wrong: bool, fault: Fault, path: &str, message: &str) -> bool {
        let reported = wrong && self.sound(&[path]);
        if reported {
            let span = self.at(path);
            self.report.push(Diagnostic::error(fault, span, message));
            self.survey.taint(path);
        }
        reported
    }

    /// Reports that the value at `path` is outside its range if `wrong`.
    fn range(&mut self, wrong: bool, path: &str, message: &str) -> bool {
        self.reject(wrong, Fault::OutOfRange, path, message)
    }

    /// Reports that the values at two paths contradict each other if `wrong`.
    fn contradiction(&mut self, wrong: bool, paths: [&str; 2], message: &str, hint: &str) {
        if wrong && self.sound(&paths) {
            let [first, second] = match paths {
                [first, second] if self.survey.is_written(first) => [first, second],
                [first, second] => [second, first],
            };
            let mut diagnostic =
                Diagnostic::error(Fault::Contradiction, self.at(first), message).with_hint(hint);
            if self.survey.is_written(second) {
                diagnostic = diagnostic.with_related(self.at(second), "contradicts this");
            }
            self.report.push(diagnostic);
        }
    }

    /// Reports that values are hardly meant if `odd`.
    fn warn(&mut self, odd: bool, path: &str, message: &str, hint: &str) {
        if odd && self.sound(&[path]) {
            let diagnostic = Diagnostic::error(Fault::Contradiction, self.at(path), message);
            self.report.push(diagnostic.with_hint(hint).as_warning());
        }
    }

    /// Reports that the text at `path` names no medium.
    fn medium(&mut self, scenario: &Scenario, path: &str, given: &str) {
        if self.survey.is_known("media") {
            let known = scenario.media.keys().map(String::as_str);
            self.reference(path, "medium", given, known);
        }
    }

    /// Reports that the text at `path` names no cohort.
    fn cohort(&mut self, scenario: &Scenario, path: &str, given: &str) {
        let named = |index| self.survey.is_known(&format!("cohorts[{index}].name"));
        if self.survey.is_known("cohorts") && (0..scenario.cohorts.len()).all(named) {
            let known = scenario.cohorts.iter().map(|cohort| cohort.name.as_str());
            self.reference(path, "cohort", given, known);
        }
    }

    fn reference<'k>(
        &mut self,
        path: &str,
        kind: &str,
        given: &str,
        known: impl Iterator<Item = &'k str> + Clone,
    ) {
        if known.clone().any(|name| name == given) || !self.sound(&[path]) {
            return;
        }
        let hint = match closest(given, known.clone()) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => {
                let names: Vec<String> = known.map(|name| format!("{name:?}")).collect();
                if names.is_empty() {
                    format!("the scenario declares no {kind}")
                } else {
                    format!("known are {}", names.join(", "))
                }
            }
        };
        let message = format!("there is no {kind} {given:?}");
        let diagnostic = Diagnostic::error(Fault::UnknownReference, self.at(path), message);
        self.report.push(diagnostic.with_hint(hint));
    }

    /// Reports names that are empty or given twice; `path` yields the path of the nth name.
    fn names<'k>(
        &mut self,
        kind: &str,
        names: impl Iterator<Item = &'k str>,
        path: impl Fn(usize) -> String,
    ) {
        let mut seen: Vec<&str> = Vec::new();
        for (index, name) in names.enumerate() {
            let here = path(index);
            if self.range(name.is_empty(), &here, &format!("a {kind} needs a name"))
                || !self.sound(&[&here])
            {
                seen.push("");
                continue;
            }
            if let Some(first) = seen.iter().position(|known| *known == name) {
                let message = format!("there are two {kind}s {name:?}");
                let diagnostic = Diagnostic::error(Fault::Duplicate, self.at(&here), message);
                let first = self.at(&path(first));
                self.report
                    .push(diagnostic.with_related(first, "first given here"));
            }
            seen.push(name);
        }
    }

    /// Reports what no distribution can be.
    fn dist<Q: Quantity + PartialOrd>(&mut self, dist: &Dist<Q>, path: &str) {
        match dist {
            Dist::Uniform { min, max } => {
                self.range(min > max, path, "the smallest value exceeds the largest");
            }
            Dist::LogNormal { sigma, .. } => {
                self.range(
                    !(0.0..=5.0).contains(sigma),
                    &format!("{path}.sigma"),
                    "sigma must lie between 0 and 5",
                );
            }
            Dist::Fixed { .. } | Dist::Exponential { .. } | Dist::Normal { .. } => {}
        }
    }
}
