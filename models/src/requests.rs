//! Requests of the head-end to meters: what is wanted, of whom, and when.

use std::sync::Arc;

use firmware::headend::Task;

use crate::fleet::Fleet;
use crate::rng::{Purpose, Stream};
use crate::time::{Duration, Time};

/// Requests of one kind: a schedule, or an entry of the timeline.
#[derive(Clone, Debug)]
pub struct RequestPlan {
    /// What it is called in results.
    pub name: String,
    /// What is wanted, in a word.
    pub kind: &'static str,
    /// What each meter is asked.
    pub task: Arc<Task>,
    /// Index of the cohort; none means all meters.
    pub cohort: Option<usize>,
    /// Share of these meters, in billionths: the same meters for the same share.
    pub fraction_ppb: u32,
    /// Of these, the share that an earlier plan has asked already, in billionths.
    pub except_ppb: u32,
    /// Window over which the meters are asked, one after the other.
    pub window: Duration,
    /// When the first ones are asked.
    pub first: Time,
    /// When they are asked again; none means never.
    pub every: Option<Duration>,
    /// Where it is one of the waves of an update that go by how the waves before have ended.
    pub wave: Option<Wave>,
}

/// One of the waves of an update, whose plans follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wave {
    /// Its number, from 0.
    pub number: u32,
    /// Share of the wave before that has to be done before this one begins, in billionths; none
    /// means that it begins by time.
    pub proceed_at_ppb: Option<u32>,
    /// Share of a wave whose failure halts the update, in billionths; none means that nothing does.
    pub halt_on_ppb: Option<u32>,
}

/// The wave, counted from 1, in which an update to `version` asks `meter`; none if no update does.
pub fn wave_of(fleet: &Fleet, version: u16, meter: u32) -> Option<u32> {
    let is_meant = |plan: &&RequestPlan| {
        let image = plan.task.image.as_ref();
        image.is_some_and(|image| image.manifest.version == version)
    };
    let mut number = 0;
    for plan in fleet.requests.iter().filter(is_meant) {
        // The plans of an update follow each other; only the first one asks meters from the start.
        number = if plan.except_ppb == 0 { 1 } else { number + 1 };
        if plan.offset(fleet, meter).is_some() {
            return Some(number);
        }
    }
    None
}

impl RequestPlan {
    /// When `meter` is asked, after the round has begun; none if it is not.
    ///
    /// Meters follow each other in even steps, in the order of their numbers.
    pub fn offset(&self, fleet: &Fleet, meter: u32) -> Option<Duration> {
        let (first, count) = match self.cohort {
            Some(index) => {
                let cohort = &fleet.cohorts[index];
                (cohort.first, cohort.count)
            }
            None => (0, fleet.meters()),
        };
        let place = meter.checked_sub(first).filter(|place| *place < count)?;
        let chosen = |fraction_ppb| {
            let mut stream = Stream::new(fleet.seed, meter, Purpose::Requests);
            stream.chance(fraction_ppb)
        };
        (chosen(self.fraction_ppb) && !chosen(self.except_ppb))
            .then(|| self.window.scaled(u64::from(place), u64::from(count)))
    }
}
