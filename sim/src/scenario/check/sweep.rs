//! Rules about the variations of a scenario.

use super::super::diagnostic::{Diagnostic, Fault};
use super::super::schema::{Case, Scenario, Sweep};
use super::Judge;
use super::plan::{NAME_RULE, check_expectation, is_file_name};

/// Most runs of a sweep.
const RUNS_MAX: u64 = 100_000;
/// Most scenarios of a sweep that differ in more than their seed; each is checked beforehand.
const VARIANTS_MAX: u64 = 10_000;
/// Values that a variation cannot change, because the sweep itself sets them or needs them.
const FIXED: [&str; 4] = ["base", "seed", "sweep", "version"];

pub(super) fn check(scenario: &Scenario, judge: &mut Judge<'_>) {
    let sweep = &scenario.sweep;
    judge.range(
        sweep.replications == 0,
        "sweep.replications",
        "a sweep of 0 replications runs nothing",
    );
    judge.names(
        "arm",
        sweep.arms.iter().map(|arm| arm.name.as_str()),
        |index| format!("sweep.arms[{index}].name"),
    );
    for (index, arm) in sweep.arms.iter().enumerate() {
        judge.range(
            !is_file_name(&arm.name),
            &format!("sweep.arms[{index}].name"),
            NAME_RULE,
        );
        let twin = sweep.arms[..index]
            .iter()
            .find(|known| known.set == arm.set);
        if let Some(twin) = twin {
            let message = format!(
                "the arms {:?} and {:?} change the same",
                twin.name, arm.name
            );
            let hint = "they will not differ; give one of them changes in `set`";
            judge.warn(true, &format!("sweep.arms[{index}].name"), &message, hint);
        }
        for (path, _) in &arm.set.0 {
            let here = format!("sweep.arms[{index}].set.{}", path.text);
            check_path(&path.text, &here, judge);
            let factor = format!("sweep.factors.{}", path.text);
            judge.contradiction(
                sweep
                    .factors
                    .0
                    .iter()
                    .any(|(known, _)| known.text == path.text),
                [&here, &factor],
                "an arm and a factor change the same value",
                "let the arms differ in other values than the points",
            );
        }
    }
    for (path, levels) in &sweep.factors.0 {
        let here = format!("sweep.factors.{}", path.text);
        check_path(&path.text, &here, judge);
        judge.range(
            levels.is_empty(),
            &here,
            "a factor without levels runs nothing",
        );
        let labels: Vec<String> = levels.iter().map(|level| level.label()).collect();
        for (index, label) in labels.iter().enumerate() {
            if let Some(first) = labels[..index].iter().position(|known| known == label) {
                let message = format!("the level {label:?} is given twice");
                let at = judge.at(&format!("{here}[{index}]"));
                let first = judge.at(&format!("{here}[{first}]"));
                let diagnostic = Diagnostic::error(Fault::Duplicate, at, message);
                judge
                    .report
                    .push(diagnostic.with_related(first, "first given here"));
            }
        }
    }
    for (index, case) in sweep.expect.iter().enumerate() {
        check_case(sweep, case, &format!("sweep.expect[{index}]"), judge);
    }
    let (variants, runs) = (sweep.variants(), sweep.runs());
    let message = format!("{variants} scenarios are too many: at most {VARIANTS_MAX} are checked");
    if !judge.range(variants > VARIANTS_MAX, "sweep", &message) {
        let message = format!("{runs} runs are too many: a sweep has at most {RUNS_MAX}");
        judge.range(runs > RUNS_MAX, "sweep", &message);
    }
}

/// Checks that a case is of an arm and of levels that there are.
fn check_case(sweep: &Sweep, case: &Case, here: &str, judge: &mut Judge<'_>) {
    if let Some(arm) = &case.arm {
        judge.reference(
            &format!("{here}.arm"),
            "arm",
            arm,
            sweep.arm_names().into_iter(),
        );
    }
    for (path, level) in &case.at.0 {
        let at = format!("{here}.at.{}", path.text);
        let factors = &sweep.factors.0;
        let factor = factors.iter().find(|(known, _)| known.text == path.text);
        let (kind, given) = match factor {
            Some(_) => ("level", level.label()),
            None => ("factor", path.text.clone()),
        };
        let known: Vec<String> = match factor {
            Some((_, levels)) => levels.iter().map(|level| level.label()).collect(),
            None => factors.iter().map(|(path, _)| path.text.clone()).collect(),
        };
        judge.reference(&at, kind, &given, known.iter().map(String::as_str));
    }
    judge.range(
        case.expect.is_empty(),
        &format!("{here}.expect"),
        "a case without expectations judges nothing",
    );
    for (index, expectation) in case.expect.iter().enumerate() {
        check_expectation(expectation, &format!("{here}.expect[{index}]"), judge);
    }
}

fn check_path(path: &str, here: &str, judge: &mut Judge<'_>) {
    let top = path.split(['.', '[']).next().unwrap_or(path).trim();
    let message = format!("`{top}` cannot vary within a sweep");
    judge.range(FIXED.contains(&top), here, &message);
}
