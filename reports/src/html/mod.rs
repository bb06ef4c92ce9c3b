//! A results folder as one HTML page.
//!
//! The page needs nothing but itself: figures are inline SVG, numbers behind them `data:` links,
//! styles and the few lines of script are part of the text. It answers first (do the expectations
//! hold, what are the headline numbers), then shows figures, then how all of it came about. It
//! renders in light, dark and print, and its size does not grow with the population.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let page = reports::html::render("results/quickstart".as_ref())?;
//! std::fs::write("quickstart.html", page)?;
//! # Ok(())
//! # }
//! ```

mod answer;
mod bins;
mod comparison;
mod feeders;
mod firmware;
mod format;
mod headend;
mod homes;
mod joining;
mod keys;
mod kpi;
mod latency;
mod mdms;
mod meters;
mod methods;
mod optical;
mod outages;
mod page;
mod rejects;
mod response;
mod run;
mod section;
mod switching;
mod traffic;

use std::path::Path;

pub use comparison::{
    Arm, Comparison, Expected, Factor, Judged, Metrics, Point, render_comparison,
};

use crate::Error;
use crate::markup::Markup;
use crate::number::duration;
use page::Page;
use run::Run;
use section::Section;

/// Renders the report of a results folder, finished or left by a killed run.
///
/// Tables that the run did not record leave out their figures.
///
/// # Errors
///
/// If the folder has no readable `manifest.json`, or a table is damaged.
pub fn render(folder: &Path) -> Result<String, Error> {
    let run = Run::open(folder)?;
    let sections: Vec<Section> = [
        kpi::section(&run),
        joining::section(&run)?,
        keys::section(&run)?,
        latency::section(&run)?,
        mdms::section(&run)?,
        traffic::section(&run)?,
        headend::section(&run)?,
        outages::section(&run)?,
        firmware::section(&run)?,
        switching::section(&run)?,
        response::section(&run)?,
        feeders::section(&run)?,
        homes::section(&run)?,
        optical::section(&run)?,
        meters::section(&run)?,
        rejects::section(&run)?,
    ]
    .into_iter()
    .filter(|section| !section.is_empty())
    .collect();
    let mut body = Markup::new();
    body.open("section", &[("id", &"answer")]);
    answer::write(&run, &mut body);
    body.close();
    for section in &sections {
        section.write(&mut body);
    }
    methods::write(&run, &mut body);
    let mut contents = vec![("answer", "Answer")];
    contents.extend(sections.iter().map(|section| (section.id, section.title)));
    contents.push(("methods", "Methods"));
    let facts = [
        format::counted(run.count("meters.count"), "meter"),
        duration(run.end_s()) + " of virtual time",
        format!("seed {}", run.manifest["seed"]),
        format!("Meterstorm {}", run.text("version")),
    ];
    let page = Page {
        title: run.name(),
        description: run.text("description").to_string(),
        facts: facts.to_vec(),
        contents,
        body: body.finish(),
    };
    Ok(page.write())
}

#[cfg(test)]
mod tests;
