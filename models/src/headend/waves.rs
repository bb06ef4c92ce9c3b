//! Waves of firmware updates that go by how the waves before have ended.
//!
//! ```text
//! scheduled --its time--> may it begin? --yes--> begun --enough failures--> the update is halted
//!                              |no                 ^
//!                              v                   |
//!                           waiting --the wave before is done--+
//! ```
//!
//! An instance knows its own meters only, as in a fleet of head-ends that share nothing: each judges
//! a wave by its part of it, so one may halt while others go on. A wave without meters at an
//! instance is done there. Waves that wait begin later, and so does their activation.

use std::collections::BTreeMap;
use std::sync::Arc;

use firmware::headend::{RequestReport, Rollout, Task};

use super::host::InstanceHost;
use crate::context::{Exchange, Kind};
use crate::event::Agenda;
use crate::fleet::Fleet;
use crate::requests::{RequestPlan, Wave};
use crate::telemetry::ImageRecord;
use crate::time::{Duration, Time};

/// Time from what decides about a wave to its beginning.
const DECISION: Duration = Duration::from_millis(1);
/// Shares are in billionths.
const WHOLE_PPB: u64 = 1_000_000_000;
/// A meter that was not asked because the update was halted.
const HALTED: &str = "halted";
/// A meter that was not asked because its wave waited until the end of the run.
const HELD_BACK: &str = "held_back";

/// How far a wave is at an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Scheduled,
    Waiting,
    Begun,
    Halted,
}

/// What has come of a wave at an instance.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    stage: Stage,
    /// Meters that were asked.
    asked: u32,
    /// Of these, those that run the new image.
    succeeded: u32,
    /// Of these, those that have failed.
    failed: u32,
}

/// What follows from the end of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Consequence {
    Nothing,
    /// The wave of this plan begins.
    Proceed(u32),
    /// The update is halted, the first plan of which this is.
    Halt(u32),
}

/// All waves that go by others, by their plans.
#[derive(Debug)]
pub struct Waves {
    waves: BTreeMap<u32, (Wave, Progress)>,
}

impl Waves {
    /// The waves among `plans`; none if all go by time.
    pub fn new(plans: &[RequestPlan]) -> Option<Self> {
        let waves = (0..).zip(plans);
        let waves =
            waves.filter_map(|(index, plan)| Some((index, (plan.wave?, Progress::default()))));
        let waves: BTreeMap<_, _> = waves.collect();
        (!waves.is_empty()).then_some(Self { waves })
    }

    /// Whether the wave of plan `index` begins now that its time has come; otherwise it waits.
    fn admit(&mut self, index: u32) -> bool {
        let may_begin = self.may_begin(index);
        let Some((_, progress)) = self.waves.get_mut(&index) else {
            return true;
        };
        match progress.stage {
            Stage::Scheduled if may_begin => progress.stage = Stage::Begun,
            Stage::Scheduled => progress.stage = Stage::Waiting,
            Stage::Waiting | Stage::Begun | Stage::Halted => {}
        }
        progress.stage == Stage::Begun
    }

    fn may_begin(&self, index: u32) -> bool {
        let wave = self.waves.get(&index).map(|(wave, _)| wave);
        let gate = wave.filter(|wave| wave.number > 0);
        let Some(share_ppb) = gate.and_then(|wave| wave.proceed_at_ppb) else {
            return true;
        };
        let before = index
            .checked_sub(1)
            .and_then(|before| self.waves.get(&before));
        before.is_some_and(|(_, before)| {
            before.stage == Stage::Begun && is_share(before.succeeded, before.asked, share_ppb)
        })
    }

    /// The wave of plan `index` has asked so many meters.
    fn begin(&mut self, index: u32, asked: u32) -> Consequence {
        if let Some((_, progress)) = self.waves.get_mut(&index) {
            progress.asked = asked;
        }
        self.follow(index)
    }

    /// A request of plan `index` has ended.
    fn conclude(&mut self, index: u32, is_success: bool) -> Consequence {
        let Some((wave, progress)) = self.waves.get_mut(&index) else {
            return Consequence::Nothing;
        };
        if is_success {
            progress.succeeded += 1;
        } else {
            progress.failed += 1;
            let halts = |share_ppb| is_share(progress.failed, progress.asked, share_ppb);
            if progress.stage == Stage::Begun && wave.halt_on_ppb.is_some_and(halts) {
                return Consequence::Halt(index - wave.number);
            }
        }
        self.follow(index)
    }

    /// Lets the wave after that of plan `index` begin if it waits for no more.
    fn follow(&mut self, index: u32) -> Consequence {
        let next = index + 1;
        let may_begin = self.may_begin(next);
        match self.waves.get_mut(&next) {
            Some((wave, progress))
                if wave.number > 0 && progress.stage == Stage::Waiting && may_begin =>
            {
                progress.stage = Stage::Scheduled;
                Consequence::Proceed(next)
            }
            _ => Consequence::Nothing,
        }
    }

    /// Halts the update whose first plan is `first`; returns its plans, and whether each had begun.
    fn halt(&mut self, first: u32) -> Vec<(u32, bool)> {
        let mut halted = Vec::new();
        for (number, (index, (wave, progress))) in (0..).zip(self.waves.range_mut(first..)) {
            if wave.number != number {
                break;
            }
            if progress.stage != Stage::Halted {
                halted.push((*index, progress.stage == Stage::Begun));
                progress.stage = Stage::Halted;
            }
        }
        halted
    }

    /// Meters of `instance` whose waves wait at `now`, the end of the run.
    pub fn held_back(&self, fleet: &Fleet, instance: u32, now: Time) -> Vec<ImageRecord> {
        let waiting = self.waves.iter();
        let waiting = waiting.filter(|(_, (_, progress))| progress.stage == Stage::Waiting);
        waiting
            .flat_map(|(index, _)| {
                let plan = &fleet.requests[*index as usize];
                let meters = meters(fleet, instance, plan);
                meters.filter_map(move |meter| record(plan, meter, HELD_BACK, now))
            })
            .collect()
    }
}

/// Whether `part` is at least a share of `whole`, and more than nothing of something.
fn is_share(part: u32, whole: u32, share_ppb: u32) -> bool {
    let reached = u64::from(part) * WHOLE_PPB >= u64::from(whole) * u64::from(share_ppb);
    reached && (part > 0 || whole == 0)
}

/// The meters of an instance that a plan asks.
fn meters(fleet: &Fleet, instance: u32, plan: &RequestPlan) -> impl Iterator<Item = u32> {
    (0..fleet.meters_of(instance))
        .map(move |rank| fleet.meter_at(instance, rank))
        .filter(move |meter| plan.offset(fleet, *meter).is_some())
}

fn record(plan: &RequestPlan, meter: u32, step: &'static str, time: Time) -> Option<ImageRecord> {
    Some(ImageRecord {
        time,
        meter,
        version: plan.task.image.as_ref()?.manifest.version,
        step,
        octets: 0,
    })
}

/// `task`, activated later by `delay`, in whole seconds.
fn postponed(task: &Arc<Task>, delay: Duration) -> Arc<Task> {
    let Some(image) = task.image.as_ref().filter(|_| !delay.is_zero()) else {
        return Arc::clone(task);
    };
    let seconds = delay.as_nanos().div_ceil(1_000_000_000);
    let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
    let rollout = Rollout {
        activate_utc: image.activate_utc.saturating_add(seconds),
        ..Rollout::clone(image)
    };
    Arc::new(Task {
        image: Some(Arc::new(rollout)),
        ..Task::clone(task)
    })
}

impl<A: Agenda, X: Exchange> InstanceHost<'_, '_, A, X> {
    /// What the meters of plan `index` are asked now that its time has come; none if they are not.
    pub(super) fn admit_wave(&mut self, index: u32) -> Option<Arc<Task>> {
        let plan = &self.context.fleet.requests[index as usize];
        let Some(waves) = self.instance.waves.as_mut().filter(|_| plan.wave.is_some()) else {
            return Some(Arc::clone(&plan.task));
        };
        let delay = self.now.saturating_since(plan.first);
        waves.admit(index).then(|| postponed(&plan.task, delay))
    }

    /// The meters of plan `index`, so many, have been asked.
    pub(super) fn begin_wave(&mut self, index: u32, asked: u32) {
        if let Some(waves) = &mut self.instance.waves {
            let consequence = waves.begin(index, asked);
            self.follow_wave(consequence);
        }
    }

    /// Takes a request that has ended into account, if others wait for its success.
    pub(super) fn judge_wave(&mut self, report: &RequestReport) {
        if let Some(waves) = &mut self.instance.waves {
            let consequence = waves.conclude(report.order.plan, report.outcome.is_success());
            self.follow_wave(consequence);
        }
    }

    fn follow_wave(&mut self, consequence: Consequence) {
        match consequence {
            Consequence::Nothing => {}
            Consequence::Proceed(next) => {
                let at = self.now + DECISION;
                if at.as_nanos() < self.context.fleet.duration.as_nanos() {
                    self.post(at, Kind::Round, next);
                }
            }
            Consequence::Halt(first) => self.halt_waves(first),
        }
    }

    /// Withdraws what of an update has not begun.
    fn halt_waves(&mut self, first: u32) {
        let (fleet, instance) = (self.context.fleet, self.instance.index);
        let waves = self.instance.waves.as_mut();
        for (index, begun) in waves.map_or(Vec::new(), |waves| waves.halt(first)) {
            let plan = &fleet.requests[index as usize];
            let halted: Vec<u32> = if begun {
                let ranks = self.instance.image.withdraw_requests(index);
                let meter = |rank| fleet.meter_at(instance, rank);
                ranks.into_iter().map(meter).collect()
            } else {
                meters(fleet, instance, plan).collect()
            };
            let records = halted.into_iter();
            let records = records.filter_map(|meter| record(plan, meter, HALTED, self.now));
            self.context.telemetry.images.extend(records);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waves(proceed_at_ppb: Option<u32>, halt_on_ppb: Option<u32>) -> Waves {
        // Plan 3 belongs to somebody else, and so does the update at 4.
        let numbers = [(0, 0), (1, 1), (2, 2), (4, 0), (5, 1)];
        let wave = |(index, number)| {
            let wave = Wave {
                number,
                proceed_at_ppb,
                halt_on_ppb,
            };
            (index, (wave, Progress::default()))
        };
        let waves = numbers.into_iter().map(wave).collect();
        Waves { waves }
    }

    #[test]
    fn a_wave_waits_until_enough_of_the_one_before_are_done() {
        let mut waves = waves(Some(900_000_000), None);
        assert!(waves.admit(0));
        assert_eq!(waves.begin(0, 10), Consequence::Nothing);
        for _ in 0..8 {
            assert_eq!(waves.conclude(0, true), Consequence::Nothing);
        }
        assert_eq!(waves.conclude(0, false), Consequence::Nothing);
        assert!(!waves.admit(1), "80 %");
        assert!(!waves.admit(2), "the one before waits itself");
        assert_eq!(waves.conclude(0, true), Consequence::Proceed(1));
        assert!(waves.admit(1));
        // Nobody of the second wave is here: the third follows.
        assert_eq!(waves.begin(1, 0), Consequence::Proceed(2));
        assert!(waves.admit(2));
        assert_eq!(waves.begin(2, 3), Consequence::Nothing);
        assert!(waves.admit(4), "another update");
        waves.begin(4, 10);
        assert!(!waves.admit(5));
    }

    #[test]
    fn enough_failures_halt_an_update_and_no_other() {
        let mut waves = waves(None, Some(200_000_000));
        assert!(waves.admit(0) && waves.admit(1));
        waves.begin(0, 10);
        waves.begin(1, 100);
        assert_eq!(waves.conclude(0, false), Consequence::Nothing);
        assert_eq!(waves.conclude(0, false), Consequence::Halt(0));
        assert_eq!(waves.halt(0), [(0, true), (1, true), (2, false)]);
        assert!(!waves.admit(2));
        assert_eq!(waves.conclude(1, false), Consequence::Nothing, "once");
        assert_eq!(waves.halt(0), []);
        assert!(waves.admit(4) && waves.admit(5), "by time");
    }

    #[test]
    fn no_tolerance_means_that_one_failure_halts() {
        let mut waves = waves(None, Some(0));
        assert!(waves.admit(4));
        assert_eq!(waves.begin(4, 1_000), Consequence::Nothing);
        assert_eq!(waves.conclude(4, true), Consequence::Nothing);
        assert_eq!(waves.conclude(4, false), Consequence::Halt(4));
    }
}
