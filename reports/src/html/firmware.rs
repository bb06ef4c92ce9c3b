//! Section "Firmware": how images spread over the meters, and what became of them there.

use std::collections::BTreeSet;

use polars::prelude::{DataFrame, PolarsResult};

use super::bins::Bins;
use super::format::{counted, words};
use super::run::{Run, floats, indices, labels, seconds, sorted};
use super::section::Section;
use crate::export::Table;
use crate::number::{duration, grouped, percent};
use crate::plot::{About, Axis, Bars, Figure, Lines, Series, Size, ecdf};
use crate::schema::{Row, label};
use crate::stats::quantile_sorted;
use crate::{Error, FirmwareRow};

/// Points that draw a curve.
const POINTS: usize = 240;
const KILO: f64 = 1e3;

pub(super) fn section(run: &Run) -> Result<Section, Error> {
    let mut section = Section::new("firmware", "Firmware", lead(run));
    let columns = ["meter", "time_ns", "version", "wave", "step", "bytes"];
    if let Some(frame) = run.frame(FirmwareRow::TABLE, &columns)? {
        let images = Images::of(&frame).map_err(Error::parquet(FirmwareRow::TABLE.name))?;
        section.figures.push(images.progress(run));
        section.figures.extend(images.durations());
        section.figures.push(images.outcomes());
        section
            .tables
            .push(("Firmware by version and wave".to_string(), images.table()));
    }
    Ok(section)
}

fn lead(run: &Run) -> String {
    let activated = run.number("firmware.activated_ratio");
    let mut lead = format!(
        "Of {} that meters agreed to take {} run",
        counted(run.count("firmware.offered"), "image"),
        percent(activated.unwrap_or(0.0)),
    );
    if let Some(median_s) = run.number("firmware.transfer_s.p50") {
        lead.push_str(&format!(
            "; half of the transfers took at most {}",
            duration(median_s)
        ));
    }
    let (faulty, refused) = (run.count("firmware.faulty"), run.count("firmware.refused"));
    lead.push_str(&match faulty + refused {
        0 => ". None arrived damaged, and no offer was refused.".to_string(),
        _ => format!(
            ". {} arrived damaged, and meters refused {} that the vendor had not signed or that \
             were not newer.",
            grouped(faulty),
            counted(refused, "offer"),
        ),
    });
    lead
}

/// Something that became of an image at a meter.
#[derive(Clone, Copy, Debug)]
struct Step {
    version: usize,
    /// Counted from 1; 0 if no update has asked the meter.
    wave: u32,
    meter: u32,
    time_s: f64,
    step: usize,
    bytes: f64,
}

impl Step {
    /// Version and wave.
    const fn group(&self) -> (usize, u32) {
        (self.version, self.wave)
    }
}

/// All steps, those of a version and meter together and in order of time.
#[derive(Debug)]
struct Images {
    steps: Vec<Step>,
    versions: Vec<String>,
    names: Vec<String>,
}

impl Images {
    fn of(frame: &DataFrame) -> PolarsResult<Self> {
        let meters = indices(frame, "meter")?;
        let times = seconds(frame, "time_ns")?;
        let (of_version, versions) = labels(frame, "version")?;
        let waves = indices(frame, "wave")?;
        let (of_step, names) = labels(frame, "step")?;
        let bytes = floats(frame, "bytes")?;
        let mut steps: Vec<Step> = (0..frame.height())
            .map(|row| Step {
                version: of_version[row],
                wave: waves[row],
                meter: meters[row],
                time_s: times[row],
                step: of_step[row],
                bytes: bytes[row],
            })
            .collect();
        // Rows are in order of time, and the sort is stable.
        steps.sort_by_key(|step| (step.version, step.meter));
        Ok(Self {
            steps,
            versions,
            names,
        })
    }

    /// The steps of each version at each meter.
    fn histories(&self) -> impl Iterator<Item = &[Step]> {
        let same = |a: &Step, b: &Step| (a.version, a.meter) == (b.version, b.meter);
        self.steps.chunk_by(same)
    }

    fn is(&self, step: &Step, name: &str) -> bool {
        self.names[step.step] == name
    }

    /// The first time of a step in a history; NaN without it.
    fn first(&self, history: &[Step], name: &str) -> f64 {
        let step = history.iter().find(|step| self.is(step, name));
        step.map_or(f64::NAN, |step| step.time_s)
    }

    /// The name of a version where there are several to tell apart.
    fn qualified(&self, version: usize, what: &str) -> String {
        match self.versions.len() {
            1 => what.to_string(),
            _ => format!("{} {what}", self.versions[version]),
        }
    }

    /// How many meters have come to a step, over time.
    fn progress(&self, run: &Run) -> Figure {
        let bins = Bins::fine(run.end_s());
        let mut series = Vec::new();
        for version in 0..self.versions.len() {
            for (name, say) in [
                (label::OFFERED, "offered"),
                (label::VERIFIED, "complete and verified"),
                (label::ACTIVATED, "running"),
            ] {
                let histories = self.histories();
                let of_version = histories.filter(|history| history[0].version == version);
                let times = of_version.map(|history| self.first(history, name));
                series.push(Series {
                    name: self.qualified(version, say),
                    points: bins.added_up(times),
                });
            }
        }
        let caption = format!(
            "Meters that have agreed to take an image, that have all of it, and that run it, added \
             up per {}. Each wave is a rise of its own.",
            bins.say()
        );
        let about = About {
            id: "firmware-progress",
            title: "Progress of images",
            caption: &caption,
        };
        let plot = run.counts_over_time("Meters", "meters", series);
        Figure::new(about, Size::Wide, &plot)
    }

    /// Times from the offer to later steps, in order, where `is_meant`.
    fn delays(&self, is_meant: impl Fn(&Step) -> bool, name: &str) -> Vec<f64> {
        let histories = self.histories().filter(|history| is_meant(&history[0]));
        sorted(
            histories
                .map(|history| self.first(history, name) - self.first(history, label::OFFERED)),
        )
    }

    /// How long an image takes to get to a meter, and to run there; nothing if none has got there.
    fn durations(&self) -> Option<Figure> {
        let transfers = self.delays(|_| true, label::VERIFIED);
        if transfers.is_empty() {
            return None;
        }
        let activations = self.delays(|_| true, label::ACTIVATED);
        let about = About {
            id: "firmware-durations",
            title: "From the offer to the meter",
            caption: "Share of the images that were complete, and that ran, at most so long after \
                      the meter had agreed to take them; of those that came that far.",
        };
        let both = transfers.iter().chain(&activations).copied();
        let plot = Lines {
            x: Axis::durations("From the offer", "delay_s", both),
            y: Axis::over("Share of images", "share", 0.0, 1.0),
            series: vec![
                ecdf("complete and verified", &transfers, POINTS),
                ecdf("running", &activations, POINTS),
            ],
            events: Vec::new(),
        };
        Some(Figure::new(about, Size::Half, &plot))
    }

    /// The last thing that became of every image at its meter.
    fn outcomes(&self) -> Figure {
        let mut bars = Vec::new();
        for version in 0..self.versions.len() {
            let mut counts = vec![0_u64; self.names.len()];
            let histories = self.histories();
            for history in histories.filter(|history| history[0].version == version) {
                let last = history.last().expect("a history has steps");
                counts[last.step] += 1;
            }
            for (name, count) in self
                .names
                .iter()
                .zip(counts)
                .filter(|(_, count)| *count > 0)
            {
                let say = match name.as_str() {
                    label::OFFERED => "incomplete".to_string(),
                    label::VERIFIED => "not activated".to_string(),
                    label::ACTIVATED => "running".to_string(),
                    other => words(other),
                };
                bars.push((self.qualified(version, &say), count as f64));
            }
        }
        let about = About {
            id: "firmware-outcomes",
            title: "Where images ended",
            caption: "Meters by the last thing that became of an image there: running, complete but \
                      not activated, incomplete, damaged (faulty), refused (unsigned, outdated), or \
                      not offered because of other meters (halted, held back).",
        };
        let plot = Bars {
            x: Axis::linear("Meters", "meters", bars.iter().map(|(_, count)| *count)).counted(),
            column: "outcome".to_string(),
            bars,
        };
        Figure::new(about, Size::Half, &plot)
    }

    /// What became of the images of every version and wave.
    fn table(&self) -> Table {
        let mut table = Table::new([
            "version",
            "wave",
            "offered",
            "complete",
            "running after restart",
            "faulty",
            "refused",
            "not asked",
            "median_transfer_s",
            "written_kb",
            "written_kb_per_image",
        ]);
        let groups: BTreeSet<(usize, u32)> = self.steps.iter().map(Step::group).collect();
        for (version, wave) in groups {
            let is_meant = |step: &Step| step.group() == (version, wave);
            let of_group = || self.steps.iter().filter(|step| is_meant(step));
            let count = |name: &str| of_group().filter(|step| self.is(step, name)).count() as f64;
            let [offered, verified, activated, faulty, halted, held_back] = [
                label::OFFERED,
                label::VERIFIED,
                label::ACTIVATED,
                label::FAULTY,
                label::HALTED,
                label::HELD_BACK,
            ]
            .map(count);
            let known = offered + verified + activated + faulty + halted + held_back;
            let refused = of_group().count() as f64 - known;
            let complete = of_group().filter(|step| self.is(step, label::VERIFIED));
            let kilobytes = complete.map(|step| step.bytes).sum::<f64>() / KILO;
            table.push([
                self.versions[version].as_str().into(),
                f64::from(wave).into(),
                offered.into(),
                verified.into(),
                activated.into(),
                faulty.into(),
                refused.into(),
                (halted + held_back).into(),
                quantile_sorted(&self.delays(is_meant, label::VERIFIED), 0.5).into(),
                kilobytes.into(),
                (kilobytes / verified).into(),
            ]);
        }
        table
    }
}
