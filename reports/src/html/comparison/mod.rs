//! Several arms of an experiment on one page: at every level of its factors, with paired
//! differences.

mod figures;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::format::counted;
use super::page::Page;
use super::section::{Section, write_table};
use crate::export::Table;
use crate::markup::Markup;
use crate::number::significant;
use crate::stats::{Interval, Moments, mean_interval};

/// Confidence level of all intervals.
const LEVEL: f64 = 0.95;

/// Metrics with a figure of their own where an experiment asks for none.
const HEADLINES: [(&str, &str); 8] = [
    ("meters.joined_ratio", "Share of meters that joined"),
    (
        "meters.time_to_join_s.p95",
        "Time to join, 95th percentile (s)",
    ),
    (
        "auth.success_ratio",
        "Share of authentications that succeeded",
    ),
    (
        "auth.latency_s.p99",
        "Authentication latency, 99th percentile (s)",
    ),
    ("keys.rotations_per_meter.mean", "Key rotations per meter"),
    (
        "reads.completeness_ratio",
        "Share of interval reads delivered",
    ),
    ("reads.latency_s.p99", "Read latency, 99th percentile (s)"),
    (
        "traffic.pana_per_c1222",
        "Authentication octets per application octet",
    ),
];

/// Metrics of a run by their path, such as `auth.latency_s.p99`.
pub type Metrics = BTreeMap<String, f64>;

/// An arm of an experiment: one way to run it, replicated.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// Name of the arm.
    pub name: String,
    /// Metrics of each replication, empty for one that is missing.
    ///
    /// Equal positions of different arms shared their seed.
    pub replications: Vec<Metrics>,
}

/// What is varied apart from the arms.
#[derive(Clone, Debug, PartialEq)]
pub struct Factor {
    /// Path of the value that takes the levels.
    pub path: String,
    /// Its levels in order.
    pub levels: Vec<String>,
}

/// All arms at one level of each factor.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Index of the level of each factor, in the order of the factors.
    pub levels: Vec<usize>,
    /// The arms, in the same order at every point.
    pub arms: Vec<Arm>,
}

/// Whether the runs are there and do what is expected of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judged {
    /// Runs in all.
    pub runs: u64,
    /// Runs that are finished.
    pub finished: u64,
    /// What is expected of the runs of an arm at a point.
    pub expectations: Vec<Expected>,
}

/// An expectation of the replications of an arm at a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// The arm and the levels.
    pub of: String,
    /// What is expected.
    pub expectation: String,
    /// What was measured in each replication; nothing where nothing was.
    pub measured: Vec<Option<f64>>,
    /// Replications in which it holds.
    pub held: u64,
}

impl Expected {
    fn fails(&self) -> bool {
        self.held < self.measured.len() as u64
    }

    /// The range of what was measured.
    fn range(&self) -> String {
        let values = || self.measured.iter().flatten().copied();
        let (low, high) = (values().reduce(f64::min), values().reduce(f64::max));
        match (low, high) {
            (Some(low), Some(high)) if low < high => {
                format!("{} to {}", significant(low, 4), significant(high, 4))
            }
            (Some(low), _) => significant(low, 4),
            _ => "nothing".to_string(),
        }
    }
}

/// Arms that were run with common random numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Name of the experiment.
    pub name: String,
    /// What it is about, in a sentence.
    pub description: String,
    /// What is varied apart from the arms; nothing if the arms are all there is.
    pub factors: Vec<Factor>,
    /// The arms at every point; differences are to the first arm.
    pub points: Vec<Point>,
    /// Paths of the metrics that the experiment is about; the usual ones if empty.
    pub headlines: Vec<String>,
    /// Verdict over the runs.
    pub judged: Judged,
    /// What names the runs and repeats them: versions, digests, commands, as (what, value).
    pub provenance: Vec<(String, String)>,
    /// The experiment in the scenario language; may be empty.
    pub scenario: String,
}

/// Renders the report of a comparison.
///
/// Means and differences carry Student's intervals at 95 %; a difference is taken within each
/// replication, so what the arms share cancels. With fewer than two common replications there are
/// no intervals, and the page says so.
#[must_use]
pub fn render_comparison(comparison: &Comparison) -> String {
    let headlines = comparison.headlines();
    let mut body = Markup::new();
    body.open("section", &[("id", &"answer")]);
    write_expectations(comparison, &mut body);
    write_verdict(comparison, &headlines, &mut body);
    comparison.write_headlines(&headlines, &mut body);
    write_expected(&comparison.judged.expectations, &mut body);
    body.close();
    let headlines: Vec<_> = headlines
        .into_iter()
        .filter(|path| comparison.constant(path).is_none())
        .collect();
    let mut contents = vec![("answer", "Answer")];
    let sections = match comparison.factors.is_empty() {
        true => [
            comparison.relative(&headlines),
            comparison.means(&headlines),
        ],
        false => [
            comparison.responses(&headlines),
            comparison.differences(&headlines),
        ],
    };
    for section in sections.iter().filter(|section| !section.is_empty()) {
        contents.push((section.id, section.title));
        section.write(&mut body);
    }
    contents.push(("methods", "Methods"));
    write_methods(comparison, &mut body);
    let page = Page {
        title: comparison.name.clone(),
        description: comparison.description.clone(),
        facts: facts(comparison),
        contents,
        body: body.finish(),
    };
    page.write()
}

fn facts(comparison: &Comparison) -> Vec<String> {
    let mut facts = vec![counted(comparison.arms().len() as u64, "arm")];
    if !comparison.factors.is_empty() {
        facts.push(counted(comparison.points.len() as u64, "point"));
    }
    facts.push(counted(comparison.replications() as u64, "replication"));
    facts
}

/// The name of a metric for people.
fn title(path: &str) -> String {
    if let Some((_, title)) = HEADLINES.iter().find(|(known, _)| *known == path) {
        return (*title).to_string();
    }
    let (mut words, mut unit) = (Vec::new(), "");
    for step in path.split('.') {
        let (word, found) = match step.strip_suffix("_s") {
            Some(word) => (word, " (s)"),
            None => (step, ""),
        };
        unit = if found.is_empty() { unit } else { found };
        words.push(match word {
            "auth" => "authentication".to_string(),
            "headend" => "head-end".to_string(),
            other => other.replace('_', " "),
        });
    }
    let area = words.remove(0);
    let (first, rest) = area.split_at(area.len().min(1));
    format!("{}{rest}: {}{unit}", first.to_uppercase(), words.join(", "))
}

impl Comparison {
    /// Names of the arms.
    fn arms(&self) -> Vec<&str> {
        let point = self.points.first();
        let arms = point.into_iter().flat_map(|point| &point.arms);
        arms.map(|arm| arm.name.as_str()).collect()
    }

    /// Replications that every arm has at every point.
    fn replications(&self) -> usize {
        let arms = self.points.iter().flat_map(|point| &point.arms);
        let counts = arms.map(|arm| {
            let present = arm
                .replications
                .iter()
                .filter(|metrics| !metrics.is_empty());
            present.count()
        });
        counts.min().unwrap_or(0)
    }

    /// Paths that any replication has, in the order of a summary.
    fn metrics(&self) -> Vec<&'static str> {
        let has = |path: &str| {
            let mut all = self
                .points
                .iter()
                .flat_map(|point| &point.arms)
                .flat_map(|arm| &arm.replications);
            all.any(|replication| replication.contains_key(path))
        };
        let known = crate::summary::metrics().iter();
        let known = known.map(|metric| metric.path.as_str());
        known.filter(|path| has(path)).collect()
    }

    /// The metrics that the experiment is about and that were measured, or else the usual ones.
    fn headlines(&self) -> Vec<&'static str> {
        let measured = self.metrics();
        let find = |path: &str| measured.iter().copied().find(|known| *known == path);
        let asked: Vec<_> = self
            .headlines
            .iter()
            .filter_map(|path| find(path))
            .collect();
        if asked.is_empty() {
            let usual = HEADLINES.iter();
            return usual.filter_map(|(path, _)| find(path)).collect();
        }
        asked
    }
}

impl Point {
    /// Differences of an arm to the first one within each replication that has both.
    fn paired(&self, arm: &Arm, path: &str) -> Vec<f64> {
        let Some(baseline) = self.arms.first() else {
            return Vec::new();
        };
        let pairs = arm.replications.iter().zip(&baseline.replications);
        pairs
            .filter_map(|(a, b)| Some(a.get(path)? - b.get(path)?))
            .collect()
    }
}

impl Arm {
    fn values(&self, path: &str) -> Vec<f64> {
        let values = self.replications.iter();
        values
            .filter_map(|metrics| metrics.get(path).copied())
            .collect()
    }
}

/// A mean and, from two values on, its interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Mean {
    mean: Option<f64>,
    interval: Option<Interval>,
}

fn estimate(values: &[f64]) -> Mean {
    let moments: Moments = values.iter().copied().collect();
    Mean {
        mean: moments.mean(),
        interval: mean_interval(&moments, LEVEL),
    }
}

/// Whether the runs do what the experiment expects of them.
fn write_expectations(comparison: &Comparison, page: &mut Markup) {
    let Judged {
        runs,
        finished,
        expectations,
    } = &comparison.judged;
    if *runs == 0 {
        return;
    }
    let failed: Vec<String> = expectations
        .iter()
        .filter(|expected| expected.fails())
        .map(|expected| {
            let (of, range) = (&expected.of, expected.range());
            format!("{of}: {} – measured {range}", expected.expectation)
        })
        .collect();
    let all = counted(expectations.len() as u64, "expectation");
    let (class, mark, words) = if finished < runs {
        let words = format!("{finished} of {} are finished", counted(*runs, "run"));
        ("fair", "!", words)
    } else if expectations.is_empty() {
        let words = "The experiment states no expectations".to_string();
        ("none", "–", words)
    } else if failed.is_empty() {
        let words = format!("All {all} hold in {}", counted(*runs, "run"));
        ("good", "✓", words)
    } else {
        let words = format!("{} of {all} failed", failed.len());
        ("bad", "✗", words)
    };
    write_badge(page, class, mark, &words, &failed);
}

/// Every expectation with what was measured, folded away.
fn write_expected(expectations: &[Expected], page: &mut Markup) {
    if expectations.is_empty() {
        return;
    }
    let mut table = Table::new(["runs", "expectation", "measured", "holds"]);
    for expected in expectations {
        let holds = format!("{} of {}", expected.held, expected.measured.len());
        table.push([
            expected.of.as_str().into(),
            expected.expectation.as_str().into(),
            expected.range().into(),
            holds.into(),
        ]);
    }
    page.open("details", &[("class", &"folded")]);
    page.element("summary", &[], "Every expectation");
    write_table(page, "Expectations", &table);
    page.close();
}

/// Failed expectations that are named one by one.
const NAMED_MAX: usize = 12;

fn write_badge(page: &mut Markup, class: &str, mark: &str, words: &str, lines: &[String]) {
    page.open("p", &[("class", &format_args!("verdict {class}"))]);
    page.element(
        "span",
        &[("class", &"badge"), ("aria-hidden", &"true")],
        mark,
    );
    page.open("span", &[]);
    page.element("strong", &[], words);
    for line in lines.iter().take(NAMED_MAX) {
        page.leaf("br", &[]);
        page.element("code", &[], line);
    }
    if lines.len() > NAMED_MAX {
        page.leaf("br", &[]);
        page.text(format_args!("and {} more", lines.len() - NAMED_MAX));
    }
    page.close();
    page.close();
}

fn write_verdict(comparison: &Comparison, headlines: &[&str], page: &mut Markup) {
    if comparison.arms().len() < 2 {
        return;
    }
    let words = if comparison.replications() < 2 {
        let words = "Fewer than two common replications: differences without intervals";
        return write_badge(page, "fair", "!", words, &[]);
    } else {
        let (beyond, all) = comparison.beyond_chance(headlines);
        match beyond {
            0 => format!("No headline difference beyond chance among {all}"),
            1 => format!(
                "1 of {} is beyond chance",
                counted(all, "headline difference")
            ),
            n => format!(
                "{n} of {} are beyond chance",
                counted(all, "headline difference")
            ),
        }
    };
    write_badge(page, "none", "±", &words, &[]);
}

impl Comparison {
    /// Headline differences whose interval excludes zero, and all that have an interval.
    fn beyond_chance(&self, headlines: &[&str]) -> (u64, u64) {
        let (mut beyond, mut all) = (0, 0);
        for point in &self.points {
            for arm in point.arms.iter().skip(1) {
                for path in headlines {
                    let difference = estimate(&point.paired(arm, path));
                    if let Some(Interval { low, high, .. }) = difference.interval {
                        all += 1;
                        beyond += u64::from(low > 0.0 || high < 0.0);
                    }
                }
            }
        }
        (beyond, all)
    }
}

fn write_methods(comparison: &Comparison, page: &mut Markup) {
    page.open("section", &[("id", &"methods")]);
    page.element("h2", &[], "Methods and provenance");
    page.element("p", &[("class", &"prose")], methods(comparison));
    if !comparison.provenance.is_empty() {
        let mut table = Table::new(["what", "value"]);
        for (what, value) in &comparison.provenance {
            table.push([what.as_str().into(), value.as_str().into()]);
        }
        write_table(page, "Provenance", &table);
    }
    page.open("details", &[("class", &"folded")]);
    page.element("summary", &[], "Every metric");
    write_table(page, "All metrics", &comparison.table(|_| true));
    page.close();
    if !comparison.scenario.is_empty() {
        page.open("details", &[("class", &"card")]);
        page.element("summary", &[], "The scenario with its sweep");
        page.open("pre", &[("tabindex", &0)]);
        page.element("code", &[], &comparison.scenario);
        page.close();
        page.close();
    }
    page.close();
}

fn methods(comparison: &Comparison) -> String {
    let names = comparison.arms();
    let replications = comparison.replications();
    let factors: Vec<String> = comparison
        .factors
        .iter()
        .map(|factor| format!("{} ({})", factor.path, factor.levels.join(", ")))
        .collect();
    let varied = match factors.is_empty() {
        true => String::new(),
        false => format!(" at every combination of {}", factors.join(" and ")),
    };
    format!(
        "The arms {} were run{varied} with common random numbers: replications of equal number share \
         their seed, and every entity draws from a stream of its own, so that equal arms give \
         differences of exactly zero. Differences are paired by replication; means and differences \
         over {} carry Student's 95 % intervals, t = {}. The intervals are not corrected for the {} \
         metrics of this page: read a single one as evidence only if it was chosen beforehand.",
        names.join(", "),
        counted(replications as u64, "replication"),
        if replications > 1 {
            significant(crate::stats::t_quantile(0.975, replications as u64 - 1), 4)
        } else {
            "-".to_string()
        },
        comparison.metrics().len(),
    )
}
