//! The meter data management system behind the head-end.
//!
//! ```text
//! head-end instance --intervals--> loader --batches--> history of each meter --> VEE, per day
//!                   --registers-------------------------^
//! ```
//!
//! What the head-end reads waits in the [`Loader`] of its instance, which writes batches of rows at
//! a given rate and has a finite buffer. The history of a meter knows of every interval whether it
//! came in time, late or not at all. When the run is over, missing intervals are estimated
//! (validation, estimation and editing: VEE) and the intervals between two readings of the registers
//! are compared with their difference.
//!
//! The system sends nothing and posts no events: a run with it has the trajectory of the same run
//! without.

mod history;
mod loader;
mod vee;

use firmware::meter::Interval;

pub use history::{Calendar, History, State};
pub use loader::{Loader, Row};
pub use vee::{DayRecord, Rules, Validation};

use crate::fleet::Fleet;
use crate::time::{Duration, Time};

/// How data are loaded and judged.
#[derive(Clone, Debug, PartialEq)]
pub struct MdmsPlan {
    /// Time that an instance's loader needs for a row.
    pub row_time: Duration,
    /// Time that it needs for a batch besides.
    pub commit: Duration,
    /// Rows of a full batch.
    pub batch: usize,
    /// How long a batch waits to become full.
    pub batch_wait: Duration,
    /// Rows that wait at most; others are lost.
    pub buffer: u64,
    /// How long after its end an interval is on time.
    pub deadline: Duration,
    /// How long before the end of the run an interval has to end to be judged.
    pub settle: Duration,
    /// Validation and estimation.
    pub rules: Rules,
    /// By how much the days of the system are ahead of UTC, in seconds.
    pub zone_s: i64,
}

/// The part of the system that belongs to one head-end instance.
#[derive(Debug)]
pub struct Mdms {
    loader: Loader,
    histories: Vec<History>,
}

impl Mdms {
    /// An empty system for the meters of `instance`.
    pub fn new(plan: &MdmsPlan, fleet: &Fleet, instance: u32) -> Self {
        let history = |rank| {
            let meter = fleet.meter_at(instance, rank);
            let metered = fleet.cohorts[fleet.cohort_of(meter)].metering.is_some();
            History::new(Calendar::new(
                fleet.start_utc_s,
                fleet.reports.interval,
                metered,
                plan.zone_s,
            ))
        };
        Self {
            loader: Loader::default(),
            histories: (0..fleet.meters_of(instance)).map(history).collect(),
        }
    }

    /// Takes an interval of the meter with this rank, which the head-end has read at `now`.
    pub fn take(
        &mut self,
        plan: &MdmsPlan,
        fleet: &Fleet,
        rank: u32,
        interval: &Interval,
        now: Time,
    ) {
        let end = Time(fleet.duration.as_nanos());
        let history = &mut self.histories[rank as usize];
        let Some(slot) = history.calendar().slot(interval.end_utc_s, end) else {
            history.misplace(now);
            return;
        };
        let row = Row {
            rank,
            slot,
            interval: *interval,
            arrived: now,
        };
        let histories = &mut self.histories;
        let mut store = |row: &Row, stored: Time| {
            // What the loader has not finished by the end of the run is not there.
            if stored <= end {
                histories[row.rank as usize].store(plan, row, stored);
            }
        };
        if !self.loader.offer(plan, row, &mut store) {
            self.histories[rank as usize].lose(slot);
        }
    }

    /// Takes a reading of the registers of the meter with this rank.
    pub fn take_register(&mut self, rank: u32, watt_hours: u64, now: Time) {
        self.histories[rank as usize].read_register(now, watt_hours);
    }

    /// Judges every meter as of `now`, the end of the run; calls `visit` with rank and day.
    pub fn conclude(
        &mut self,
        plan: &MdmsPlan,
        begin: Time,
        now: Time,
        mut visit: impl FnMut(u32, DayRecord),
    ) {
        let histories = &mut self.histories;
        self.loader.drain(plan, now, &mut |row, stored| {
            if stored <= now {
                histories[row.rank as usize].store(plan, row, stored);
            }
        });
        let judged = Time(now.as_nanos().saturating_sub(plan.settle.as_nanos()));
        for (rank, history) in (0..).zip(&*histories) {
            for day in vee::judge(plan, history, begin, judged) {
                visit(rank, day);
            }
        }
    }
}
