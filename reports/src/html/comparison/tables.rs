//! Tables of means and differences.

use super::super::section::write_table;
use super::{Comparison, Mean, estimate, title};
use crate::export::{Field, Table};
use crate::markup::Markup;
use crate::number::significant;

impl Comparison {
    /// The levels of a point, one field per factor.
    fn level_fields<'a>(&'a self, levels: &'a [usize]) -> impl Iterator<Item = Field> + 'a {
        let factors = self.factors.iter().zip(levels);
        factors.map(|(factor, level)| {
            let name = factor.levels.get(*level).map(String::as_str);
            Field::from(name.unwrap_or(""))
        })
    }

    fn columns<'a>(&'a self, more: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        let factors = self.factors.iter().map(|factor| factor.path.as_str());
        factors.chain(more).collect()
    }

    /// The value of a metric that all runs agree on.
    pub(super) fn constant(&self, path: &str) -> Option<f64> {
        let arms = self.points.iter().flat_map(|point| &point.arms);
        let mut values = arms.flat_map(|arm| arm.values(path));
        let first = values.next()?;
        values.all(|value| value == first).then_some(first)
    }

    /// The headline metrics: what all runs agree on in one table, the others arm by arm.
    pub(super) fn write_headlines(&self, headlines: &[&str], page: &mut Markup) {
        let mut equal = Table::new(["metric", "value"]);
        let mut by_arm = Table::new(["metric"].into_iter().chain(self.arms()));
        for path in headlines {
            if let Some(value) = self.constant(path) {
                equal.push([title(path).into(), value.into()]);
            } else if self.factors.is_empty() {
                let arms = self.points.iter().flat_map(|point| &point.arms);
                let means = arms.map(|arm| Field::from(estimate(&arm.values(path)).to_string()));
                by_arm.push([title(path).into()].into_iter().chain(means));
            } else {
                write_table(page, &title(path), &self.pivot(path));
            }
        }
        if !by_arm.rows.is_empty() {
            write_table(page, "Means per arm", &by_arm);
        }
        if !equal.rows.is_empty() {
            write_table(page, "The same in every run", &equal);
        }
    }

    /// A metric of every arm in columns, a row per point.
    pub(super) fn pivot(&self, path: &str) -> Table {
        let mut table = Table::new(self.columns(self.arms()));
        for point in &self.points {
            let arms = point.arms.iter().map(|arm| {
                let text = estimate(&arm.values(path)).to_string();
                Field::from(text)
            });
            table.push(self.level_fields(&point.levels).chain(arms));
        }
        table
    }

    /// Mean of every arm and difference to the first, with intervals, a row per metric and point.
    pub(super) fn table(&self, wanted: impl Fn(&str) -> bool) -> Table {
        let mut table = Table::new(self.columns([
            "metric",
            "arm",
            "replications",
            "mean",
            "mean low",
            "mean high",
            "difference",
            "difference low",
            "difference high",
        ]));
        for path in self.metrics().into_iter().filter(|path| wanted(path)) {
            for point in &self.points {
                for (index, arm) in point.arms.iter().enumerate() {
                    let values = arm.values(path);
                    let mean = estimate(&values);
                    let difference = (index > 0).then(|| estimate(&point.paired(arm, path)));
                    let difference = difference.unwrap_or_default();
                    let fields = [
                        path.into(),
                        arm.name.as_str().into(),
                        (values.len() as f64).into(),
                        mean.mean.into(),
                        mean.low().into(),
                        mean.high().into(),
                        difference.mean.into(),
                        difference.low().into(),
                        difference.high().into(),
                    ];
                    table.push(self.level_fields(&point.levels).chain(fields));
                }
            }
        }
        table
    }
}

impl Mean {
    fn low(self) -> Option<f64> {
        self.interval.map(|interval| interval.low)
    }

    fn high(self) -> Option<f64> {
        self.interval.map(|interval| interval.high)
    }
}

/// As in `784 (761 to 807)`; without interval the mean alone, and a dash if there is none.
impl std::fmt::Display for Mean {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(mean) = self.mean else {
            return f.write_str("–");
        };
        f.write_str(&significant(mean, 4))?;
        match self.interval {
            Some(interval) if interval.low < interval.high => {
                let ends = [interval.low, interval.high].map(|end| significant(end, 4));
                write!(f, " ({} to {})", ends[0], ends[1])
            }
            _ => Ok(()),
        }
    }
}
