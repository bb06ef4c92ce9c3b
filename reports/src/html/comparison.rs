//! Several arms of an experiment on one page, with paired differences.

use std::collections::BTreeMap;

use super::format::counted;
use super::page::Page;
use super::section::{Section, write_table};
use crate::export::Table;
use crate::markup::Markup;
use crate::number::significant;
use crate::plot::{About, Axis, Estimate, Figure, Intervals, Size};
use crate::stats::{Interval, Moments, mean_interval};

/// Confidence level of all intervals.
const LEVEL: f64 = 0.95;

/// Metrics with a figure of their own.
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

/// An arm of an experiment: one way to run it, replicated.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// Name of the arm.
    pub name: String,
    /// Metrics of each replication by their path, such as `auth.latency_s.p99`.
    ///
    /// Equal positions of different arms shared their seed.
    pub replications: Vec<BTreeMap<String, f64>>,
}

/// Arms that were run with common random numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Name of the experiment.
    pub name: String,
    /// What it is about, in a sentence.
    pub description: String,
    /// Arms; differences are to the first.
    pub arms: Vec<Arm>,
    /// What names the runs and repeats them: versions, digests, commands, as (what, value).
    pub provenance: Vec<(String, String)>,
}

/// Renders the report of a comparison.
///
/// Means and differences carry Student's intervals at 95 %; a difference is taken within each
/// replication, so what the arms share cancels. With fewer than two common replications there are
/// no intervals, and the page says so.
#[must_use]
pub fn render_comparison(comparison: &Comparison) -> String {
    let metrics = comparison.metrics();
    let replications = comparison.replications();
    let mut body = Markup::new();
    body.open("section", &[("id", &"answer")]);
    write_verdict(comparison, replications, &mut body);
    write_table(
        &mut body,
        "Headline metrics",
        &comparison.table(is_headline),
    );
    body.close();
    let mut contents = vec![("answer", "Answer")];
    for section in [comparison.differences(), comparison.means()] {
        if !section.is_empty() {
            contents.push((section.id, section.title));
            section.write(&mut body);
        }
    }
    contents.push(("methods", "Methods"));
    body.open("section", &[("id", &"methods")]);
    body.element("h2", &[], "Methods");
    body.element(
        "p",
        &[("class", &"prose")],
        methods(comparison, metrics.len()),
    );
    if !comparison.provenance.is_empty() {
        let mut table = Table::new(["what", "value"]);
        for (what, value) in &comparison.provenance {
            table.push([what.as_str().into(), value.as_str().into()]);
        }
        write_table(&mut body, "Provenance", &table);
    }
    body.open("details", &[("class", &"folded")]);
    body.element("summary", &[], "Every metric");
    write_table(&mut body, "All metrics", &comparison.table(|_| true));
    body.close();
    body.close();
    let facts = vec![
        counted(comparison.arms.len() as u64, "arm"),
        counted(replications as u64, "replication"),
    ];
    let page = Page {
        title: comparison.name.clone(),
        description: comparison.description.clone(),
        facts,
        contents,
        body: body.finish(),
    };
    page.write()
}

fn is_headline(path: &str) -> bool {
    HEADLINES.iter().any(|(known, _)| *known == path)
}

impl Comparison {
    /// Replications that every arm has.
    fn replications(&self) -> usize {
        let counts = self.arms.iter().map(|arm| arm.replications.len());
        counts.min().unwrap_or(0)
    }

    /// Paths that any replication has, in the order of a summary.
    fn metrics(&self) -> Vec<String> {
        let known = crate::summary::metrics().iter();
        let has = |path: &str| {
            let mut all = self.arms.iter().flat_map(|arm| &arm.replications);
            all.any(|replication| replication.contains_key(path))
        };
        known
            .map(|metric| metric.path.clone())
            .filter(|path| has(path))
            .collect()
    }

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

    /// Mean of every arm and difference to the first, with intervals.
    fn table(&self, wanted: impl Fn(&str) -> bool) -> Table {
        let mut table = Table::new([
            "metric",
            "arm",
            "replications",
            "mean",
            "mean low",
            "mean high",
            "difference",
            "difference low",
            "difference high",
        ]);
        for path in self.metrics().iter().filter(|path| wanted(path)) {
            for (index, arm) in self.arms.iter().enumerate() {
                let values = arm.values(path);
                let mean = estimate(&values);
                let difference = (index > 0).then(|| estimate(&self.paired(arm, path)));
                let difference = difference.unwrap_or_default();
                table.push([
                    path.as_str().into(),
                    arm.name.as_str().into(),
                    (values.len() as f64).into(),
                    mean.mean.into(),
                    mean.low.into(),
                    mean.high.into(),
                    difference.mean.into(),
                    difference.low.into(),
                    difference.high.into(),
                ]);
            }
        }
        table
    }

    /// Section with the relative differences of every arm to the first.
    fn differences(&self) -> Section {
        let lead = "Differences to the first arm within each replication, relative to the first \
                    arm's mean. An interval that excludes zero is a difference beyond chance at \
                    95 %, for that metric alone.";
        let mut section = Section::new("differences", "Differences", lead.to_string());
        for (index, arm) in self.arms.iter().enumerate().skip(1) {
            section.figures.extend(self.relative(index, arm));
        }
        section
    }

    fn relative(&self, index: usize, arm: &Arm) -> Option<Figure> {
        let baseline = self.arms.first()?;
        let row = |(path, title): &(&str, &str)| {
            let mean = estimate(&baseline.values(path))
                .mean
                .filter(|mean| *mean != 0.0)?;
            let percent: Vec<f64> = self
                .paired(arm, path)
                .iter()
                .map(|d| d / mean.abs() * 100.0)
                .collect();
            let interval = mean_interval(&percent.iter().copied().collect(), LEVEL)?;
            Some(Estimate {
                name: title.trim_end_matches(" (s)").to_string(),
                interval,
                values: percent,
            })
        };
        let rows: Vec<Estimate> = HEADLINES.iter().filter_map(row).collect();
        if rows.is_empty() {
            return None;
        }
        let title = format!("{} against {}", arm.name, baseline.name);
        let about = About {
            id: &format!("differences-{index}"),
            title: &title,
            caption: "Mean paired difference with its 95 % interval; ticks below are replications.",
        };
        let plot = Intervals {
            x: Axis::linear("Difference (%)", "difference_percent", extent(&rows)),
            column: "metric".to_string(),
            rows,
        };
        Some(Figure::new(about, Size::Wide, &plot))
    }

    /// Section with the means of every arm.
    fn means(&self) -> Section {
        let lead = "Means over the replications with their 95 % intervals.".to_string();
        let mut section = Section::new("means", "Means", lead);
        for (index, (path, title)) in HEADLINES.iter().enumerate() {
            let row = |arm: &Arm| {
                let values = arm.values(path);
                Some(Estimate {
                    name: arm.name.clone(),
                    interval: mean_interval(&values.iter().copied().collect(), LEVEL)?,
                    values,
                })
            };
            let rows: Vec<Estimate> = self.arms.iter().filter_map(row).collect();
            if rows.is_empty() {
                continue;
            }
            let about = About {
                id: &format!("means-{index}"),
                title,
                caption: "Mean per arm with its 95 % interval; ticks below are replications.",
            };
            let plot = Intervals {
                x: Axis::around(title, "mean", extent(&rows)),
                column: "arm".to_string(),
                rows,
            };
            section.figures.push(Figure::new(about, Size::Half, &plot));
        }
        section
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
    low: Option<f64>,
    high: Option<f64>,
}

fn estimate(values: &[f64]) -> Mean {
    let moments: Moments = values.iter().copied().collect();
    let interval = mean_interval(&moments, LEVEL);
    Mean {
        mean: moments.mean(),
        low: interval.map(|interval| interval.low),
        high: interval.map(|interval| interval.high),
    }
}

/// Everything that rows show along their axis.
fn extent(rows: &[Estimate]) -> impl Iterator<Item = f64> {
    rows.iter().flat_map(|row| {
        let Interval { low, high, .. } = row.interval;
        row.values.iter().copied().chain([low, high])
    })
}

fn write_verdict(comparison: &Comparison, replications: usize, page: &mut Markup) {
    let (class, mark, words) = if replications < 2 {
        let words = "Fewer than two common replications: differences without intervals";
        ("fair", "!", words.to_string())
    } else {
        let (beyond, all) = comparison.beyond_chance();
        let words = match beyond {
            0 => format!("No headline difference beyond chance among {all}"),
            1 => format!(
                "1 of {} is beyond chance",
                counted(all, "headline difference")
            ),
            n => format!(
                "{n} of {} are beyond chance",
                counted(all, "headline difference")
            ),
        };
        ("none", "±", words)
    };
    page.open("p", &[("class", &format_args!("verdict {class}"))]);
    page.element(
        "span",
        &[("class", &"badge"), ("aria-hidden", &"true")],
        mark,
    );
    page.element("strong", &[], words);
    page.close();
}

impl Comparison {
    /// Headline differences whose interval excludes zero, and all that have an interval.
    fn beyond_chance(&self) -> (u64, u64) {
        let (mut beyond, mut all) = (0, 0);
        for arm in self.arms.iter().skip(1) {
            for (path, _) in HEADLINES {
                let difference = estimate(&self.paired(arm, path));
                if let (Some(low), Some(high)) = (difference.low, difference.high) {
                    all += 1;
                    beyond += u64::from(low > 0.0 || high < 0.0);
                }
            }
        }
        (beyond, all)
    }
}

fn methods(comparison: &Comparison, metrics: usize) -> String {
    let names: Vec<_> = comparison
        .arms
        .iter()
        .map(|arm| arm.name.as_str())
        .collect();
    let replications = comparison.replications();
    format!(
        "The arms {} were run with common random numbers: replications of equal number share their \
         seed, and every entity draws from a stream of its own, so that equal arms give differences \
         of exactly zero. Differences are paired by replication; means and differences over {} carry \
         Student's 95 % intervals, t = {}. The intervals are not corrected for the {metrics} \
         metrics of this page: read a single one as evidence only if it was chosen beforehand.",
        names.join(", "),
        counted(replications as u64, "replication"),
        if replications > 1 {
            significant(crate::stats::t_quantile(0.975, replications as u64 - 1), 4)
        } else {
            "-".to_string()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markup::check::assert_well_formed;

    fn arm(name: &str, values: &[f64]) -> Arm {
        let metrics = |value: &f64| {
            let path = "auth.latency_s.p99".to_string();
            BTreeMap::from([(path, *value), ("auth.success_ratio".to_string(), 1.0)])
        };
        Arm {
            name: name.to_string(),
            replications: values.iter().map(metrics).collect(),
        }
    }

    #[test]
    fn no_arms_at_all_still_give_a_page() {
        assert_well_formed(&render_comparison(&comparison(Vec::new())));
    }

    fn comparison(arms: Vec<Arm>) -> Comparison {
        Comparison {
            name: "overlap <study>".to_string(),
            description: String::new(),
            arms,
            provenance: vec![("version".to_string(), "0.1.0".to_string())],
        }
    }

    #[test]
    fn equal_arms_differ_by_exactly_nothing() {
        let values = [0.3, 0.4, 0.35];
        let comparison = comparison(vec![arm("a", &values), arm("b", &values)]);
        let table = comparison.table(is_headline);
        let b = table.rows.iter().filter(|row| row[1] == "b".into());
        for row in b {
            assert_eq!(row[6..], [0.0.into(), 0.0.into(), 0.0.into()], "{row:?}");
        }
        assert_eq!(comparison.beyond_chance(), (0, 2));
        let page = render_comparison(&comparison);
        assert_well_formed(&page);
        assert!(page.contains("No headline difference beyond chance among 2"));
        assert!(page.contains("<td>version</td><td>0.1.0</td>"));
    }

    #[test]
    fn a_shift_is_found_although_replications_spread_more() {
        // Unpaired, a spread of 9 would hide a shift of 1.
        let comparison = comparison(vec![
            arm("a", &[1.0, 5.0, 10.0]),
            arm("b", &[2.0, 6.0, 11.0]),
        ]);
        let latency = comparison.table(|path| path == "auth.latency_s.p99");
        assert_eq!(latency.rows[1][6..], [1.0.into(), 1.0.into(), 1.0.into()]);
        assert_eq!(comparison.beyond_chance(), (1, 2));
        assert_well_formed(&render_comparison(&comparison));
    }

    #[test]
    fn one_replication_has_no_interval() {
        let comparison = comparison(vec![arm("a", &[1.0]), arm("b", &[2.0])]);
        let latency = comparison.table(|path| path == "auth.latency_s.p99");
        assert_eq!(latency.rows[1][6..], [1.0.into(), None.into(), None.into()]);
        let page = render_comparison(&comparison);
        assert_well_formed(&page);
        assert!(page.contains("Fewer than two common replications"));
    }
}
