//! From the folder of a sweep to what its report shows.

use std::collections::BTreeSet;
use std::path::Path;

use reports::html::{Arm, Comparison, Expected, Factor, Judged, Metrics, Point};
use reports::summary::metrics;
use serde_json::Value;

use super::Cell;
use super::store::{Finished, SWEEP, StoreError, decoded, place, read_json};
use crate::scenario::load_text;
use crate::scenario::schema::{Scenario, Sweep};

/// Reads the sweep in `folder`, complete or not, for its report.
///
/// # Errors
///
/// The folder holds no sweep, or one that another version of the program described.
pub fn comparison(folder: &Path) -> Result<Comparison, StoreError> {
    let path = folder.join(SWEEP);
    let description = read_json(&path)?;
    let text = |key: &str| description[key].as_str().unwrap_or("").to_owned();
    let ron = text("scenario");
    let loaded = load_text(SWEEP, &ron, &[]).map_err(|report| StoreError::Unreadable {
        path: path.clone(),
        why: format!(
            "written by version {} of the program, this one reads it so:\n{report}",
            text("version")
        ),
    })?;
    let scenario = loaded.scenario;
    let mut judged = Judged {
        runs: scenario.sweep.runs(),
        ..Judged::default()
    };
    let points = (0..scenario.sweep.points())
        .map(|point| Point {
            levels: scenario.sweep.level_indices(point),
            arms: arms(folder, &scenario.sweep, point, &mut judged),
        })
        .collect();
    Ok(Comparison {
        name: scenario.name.clone(),
        description: scenario.description.clone(),
        factors: factors(&scenario.sweep),
        points,
        headlines: headlines(&scenario),
        judged,
        provenance: provenance(&scenario, &description),
        scenario: ron,
    })
}

fn factors(sweep: &Sweep) -> Vec<Factor> {
    let factors = sweep.factors.0.iter();
    factors
        .map(|(path, levels)| Factor {
            path: path.text.clone(),
            levels: levels.iter().map(|level| level.label()).collect(),
        })
        .collect()
}

/// The runs of every arm at a point.
fn arms(folder: &Path, sweep: &Sweep, point: u64, judged: &mut Judged) -> Vec<Arm> {
    let mut arms = Vec::new();
    for (arm, name) in sweep.arm_names().into_iter().enumerate() {
        let before = judged.expectations.len();
        let mut replications = Vec::new();
        for replication in 0..sweep.replications {
            let cell = Cell {
                arm,
                point,
                replication,
            };
            let place = place(sweep, cell);
            replications.push(run(folder, &place, before, judged));
        }
        arms.push(Arm {
            name: name.to_owned(),
            replications,
        });
    }
    arms
}

/// The metrics of a run, empty if it is not finished.
///
/// Its verdicts join those of the same arm and point, which begin at `first`.
fn run(folder: &Path, place: &str, first: usize, judged: &mut Judged) -> Metrics {
    let folder = folder.join(place);
    let Ok(finished) = Finished::read(&folder) else {
        return Metrics::new();
    };
    judged.finished += 1;
    let summary = read_json(&folder.join("summary.json")).unwrap_or_default();
    let verdicts = summary["expectations"].as_array().into_iter().flatten();
    for (index, verdict) in verdicts.enumerate() {
        if judged.expectations.len() == first + index {
            judged.expectations.push(Expected {
                of: arm_and_levels(place),
                expectation: verdict["expectation"].as_str().unwrap_or("").to_owned(),
                measured: Vec::new(),
                held: 0,
            });
        }
        let expected = &mut judged.expectations[first + index];
        expected.measured.push(verdict["measured"].as_f64());
        expected.held += u64::from(verdict["holds"] == true);
    }
    let values = metrics().iter().zip(finished.metrics);
    values
        .filter_map(|(metric, value)| Some((metric.path.clone(), value?)))
        .collect()
}

/// The place of a run without the number of its replication, for people.
fn arm_and_levels(place: &str) -> String {
    let steps = place.split('/').skip(1);
    let steps = steps.filter(|step| !step.starts_with("replication="));
    steps.map(decoded).collect::<Vec<_>>().join(" ")
}

/// What the expectations are about, in their order.
fn headlines(scenario: &Scenario) -> Vec<String> {
    let cases = scenario.sweep.expect.iter().flat_map(|case| &case.expect);
    let mut known = BTreeSet::new();
    let all = scenario.expect.iter().chain(cases);
    let paths = all.map(|expectation| expectation.metric().to_owned());
    paths.filter(|path| known.insert(path.clone())).collect()
}

fn provenance(scenario: &Scenario, description: &Value) -> Vec<(String, String)> {
    let sweep = &scenario.sweep;
    let text = |key: &str| description[key].as_str().unwrap_or("").to_owned();
    let complete = description["complete"] == true;
    let seeds =
        (0..sweep.replications).map(|number| Sweep::seed(scenario.seed, number).to_string());
    let mut rows: Vec<(String, String)> = [
        (
            "program",
            format!("{} {}", text("program"), text("version")),
        ),
        ("scenario", scenario.name.clone()),
        ("complete", if complete { "yes" } else { "no" }.to_owned()),
        ("seeds", seeds.collect::<Vec<_>>().join(", ")),
    ]
    .map(|(what, value)| (what.to_owned(), value))
    .to_vec();
    for arm in &sweep.arms {
        let changes = arm.set.0.iter();
        let changes: Vec<_> = changes
            .map(|(path, value)| format!("{}={}", path.text, value.to_ron()))
            .collect();
        let changes = match changes.is_empty() {
            true => "the scenario as it is".to_owned(),
            false => changes.join(", "),
        };
        rows.push((format!("arm {}", arm.name), changes));
    }
    rows.push(("index of the runs".to_owned(), "runs.parquet".to_owned()));
    rows
}
