//! Bins of equal meaning, stacked: areas over time, histograms.

use super::frame::{Frame, LegendKey, Px};
use super::{About, Axis, Event, Plot, Size, colour};
use crate::export::{Field, Table};
use crate::markup::push;

/// One layer of a stack.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Band {
    /// Name in the legend.
    pub(crate) name: String,
    /// One value per bin.
    pub(crate) values: Vec<f64>,
}

/// Layers of values over bins, the first at the bottom.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    /// Horizontal axis.
    pub(crate) x: Axis,
    /// Vertical axis, at least as high as the stack.
    pub(crate) y: Axis,
    /// Borders of the bins, one more than there are bins.
    pub(crate) edges: Vec<f64>,
    /// Layers.
    pub(crate) bands: Vec<Band>,
    /// Events to mark, if the horizontal axis is time.
    pub(crate) events: Vec<Event>,
}

impl Stack {
    /// Heights of the whole stack.
    pub(crate) fn totals(bands: &[Band]) -> Vec<f64> {
        let bins = bands.first().map_or(0, |band| band.values.len());
        let total = |bin: usize| bands.iter().map(|band| band.values[bin]).sum();
        (0..bins).map(total).collect()
    }

    fn bins(&self) -> usize {
        self.edges.len().saturating_sub(1)
    }

    /// Outline of a band between two heights.
    fn outline(&self, frame: &Frame, below: &[f64], above: &[f64]) -> String {
        let mut path = String::new();
        let bins = self.edges.windows(2).zip(below.iter().zip(above));
        for (edges, (_, above)) in bins.clone() {
            let [x0, x1] = [edges[0], edges[1]].map(|edge| Px(frame.x(&self.x, edge)));
            let y = Px(frame.y(&self.y, *above));
            if path.is_empty() {
                push!(path, "M{x0} {y}H{x1}");
            } else {
                push!(path, "V{y}H{x1}");
            }
        }
        for (edges, (below, _)) in bins.rev() {
            let x0 = Px(frame.x(&self.x, edges[0]));
            push!(path, "V{}H{x0}", Px(frame.y(&self.y, *below)));
        }
        path.push('Z');
        path
    }
}

impl Plot for Stack {
    fn draw(&self, size: Size, about: &About<'_>) -> String {
        let names = self.bands.iter().map(|band| band.name.as_str());
        let mut frame = Frame::with_axes(size, about, &self.x, &self.y, LegendKey::Fill, names);
        let mut below = vec![0.0; self.bins()];
        for (index, band) in self.bands.iter().enumerate() {
            let above: Vec<f64> = below.iter().zip(&band.values).map(|(b, v)| b + v).collect();
            if self.bins() > 0 {
                let path = self.outline(&frame, &below, &above);
                frame.path(&format!("fill band {}", colour(index)), &path);
                if let Some(pattern) = frame.pattern(index).filter(|_| self.bands.len() > 1) {
                    frame.svg.leaf("path", &[("fill", &pattern), ("d", &path)]);
                }
            }
            below = above;
        }
        frame.events(&self.x, &self.events);
        for bin in 0..self.bins() {
            let (from, to) = (self.edges[bin], self.edges[bin + 1]);
            let (x0, x1) = (frame.x(&self.x, from), frame.x(&self.x, to));
            let mut tip = format!("{} to {}", self.x.say(from), self.x.say(to));
            for band in self.bands.iter().rev() {
                push!(tip, "\n{}: {}", band.name, self.y.say(band.values[bin]));
            }
            let size = (x1 - x0, frame.bottom - frame.top);
            let at = (x0, frame.top);
            frame.rect("probe", at, size, &tip);
        }
        frame.finish()
    }

    fn table(&self) -> Table {
        let (from, to) = match self.x.column.rsplit_once('_') {
            Some((name, unit)) => (format!("{name}_from_{unit}"), format!("{name}_to_{unit}")),
            None => ("from".to_string(), "to".to_string()),
        };
        let mut table = Table::new(["series", &from, &to, &self.y.column]);
        for band in &self.bands {
            for (edges, value) in self.edges.windows(2).zip(&band.values) {
                table.push([
                    band.name.as_str().into(),
                    edges[0].into(),
                    edges[1].into(),
                    Field::from(*value),
                ]);
            }
        }
        table
    }
}
