//! Section "Indicators": key performance indicators beside their usual targets.

use super::run::Run;
use super::section::Section;
use crate::export::Table;
use crate::number::{duration, percent, significant};
use crate::summary::kpi::{KPIS, Kpi, Target};

pub(super) fn section(run: &Run) -> Section {
    let measured: Vec<(&Kpi, f64)> = KPIS
        .iter()
        .filter_map(|kpi| Some((kpi, run.number(kpi.path)?)))
        .collect();
    let mut section = Section::new("indicators", "Indicators", lead(&measured));
    let mut table = Table::new(["indicator", "value", "usual target", "met"]);
    for (kpi, value) in &measured {
        let (target, met) = match kpi.target {
            None => (String::new(), ""),
            Some(target) => (
                wanted(kpi, target),
                if target.is_met(*value) { "yes" } else { "no" },
            ),
        };
        table.push([
            kpi.name.into(),
            said(kpi, *value).into(),
            target.into(),
            met.into(),
        ]);
    }
    if !table.rows.is_empty() {
        section.tables.push(("Indicators".to_string(), table));
    }
    section
}

fn lead(measured: &[(&Kpi, f64)]) -> String {
    let judged = measured
        .iter()
        .filter_map(|(kpi, value)| kpi.target.map(|target| target.is_met(*value)));
    let verdicts: Vec<bool> = judged.collect();
    let met = verdicts.iter().filter(|met| **met).count();
    format!(
        "What operators agree on with each other: {met} of the {} indicators with a usual target \
         meet it. Those that this run cannot measure are left out.",
        verdicts.len()
    )
}

fn wanted(kpi: &Kpi, target: Target) -> String {
    match target {
        Target::AtLeast(bound) => format!("at least {}", said(kpi, bound)),
        Target::AtMost(bound) => format!("at most {}", said(kpi, bound)),
    }
}

/// A value of an indicator in its unit, which its path tells.
fn said(kpi: &Kpi, value: f64) -> String {
    let of = kpi.path.split('.').nth(1).unwrap_or(kpi.path);
    if of.ends_with("_ratio") {
        percent(value)
    } else if of.ends_with("_s") {
        duration(value)
    } else {
        significant(value, 3)
    }
}
