//! When each entity has power.

use crate::fleet::MeterCommand;
use crate::link::outage::Interruption;
use crate::time::{Duration, Time};

/// Interruptions of all entities, known before the run begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SupplyPlan {
    /// By entity and time; those of one entity do not touch each other.
    interruptions: Vec<Interruption>,
}

impl SupplyPlan {
    /// The plan of interruptions in any order, which may overlap.
    pub fn new(mut interruptions: Vec<Interruption>) -> Self {
        interruptions.sort_unstable_by_key(|one| (one.entity, one.off, one.on));
        let mut merged: Vec<Interruption> = Vec::with_capacity(interruptions.len());
        for next in interruptions {
            match merged.last_mut() {
                Some(last) if last.entity == next.entity && next.off <= last.on => {
                    last.on = last.on.max(next.on);
                }
                _ => merged.push(next),
            }
        }
        Self {
            interruptions: merged,
        }
    }

    /// The interruptions of `entity`, in order of time.
    pub fn of(&self, entity: u32) -> &[Interruption] {
        let of = &self.interruptions;
        let from = of.partition_point(|one| one.entity < entity);
        let to = from + of[from..].partition_point(|one| one.entity == entity);
        &of[from..to]
    }

    /// Moves everything to `delay` later.
    pub fn postpone(&mut self, delay: Duration) {
        for interruption in &mut self.interruptions {
            interruption.off = interruption.off + delay;
            interruption.on = interruption.on + delay;
        }
    }

    /// Whether nothing is ever interrupted.
    pub const fn is_empty(&self) -> bool {
        self.interruptions.is_empty()
    }

    /// When a meter first gets power and what happens to it afterwards, given when it is
    /// switched on for the first time and what a timeline commands.
    ///
    /// A meter has power while it is switched on and its transformer is alive.
    pub fn apply(
        &self,
        entity: u32,
        first: Time,
        commands: Vec<(Time, MeterCommand)>,
    ) -> (Time, Vec<(Time, MeterCommand)>) {
        let interruptions = self.of(entity);
        if interruptions.is_empty() {
            return (first, commands);
        }
        // What changes at a time: whether it is switched on, whether its transformer is alive.
        let mut changes = vec![(first, Some(true), None)];
        let mut others = Vec::new();
        for (time, command) in commands {
            match command {
                MeterCommand::PowerOn => changes.push((time, Some(true), None)),
                MeterCommand::PowerOff => changes.push((time, Some(false), None)),
                MeterCommand::Reauthenticate(_) | MeterCommand::Terminate(_) => {
                    others.push((time, command));
                }
            }
        }
        for one in interruptions {
            changes.push((one.off, None, Some(false)));
            changes.push((one.on, None, Some(true)));
        }
        changes.sort_by_key(|(time, _, _)| *time);
        let (mut on, mut alive, mut powered) = (false, true, false);
        let mut steps = Vec::new();
        for instant in changes.chunk_by(|a, b| a.0 == b.0) {
            for &(_, switched, supplied) in instant {
                on = switched.unwrap_or(on);
                alive = supplied.unwrap_or(alive);
            }
            if powered != (on && alive) {
                powered = !powered;
                let command = if powered {
                    MeterCommand::PowerOn
                } else {
                    MeterCommand::PowerOff
                };
                steps.push((instant[0].0, command));
            }
        }
        if steps.is_empty() {
            return (Time::FAR_FUTURE, others);
        }
        let (first, _) = steps.remove(0);
        steps.append(&mut others);
        (first, steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::By;
    use MeterCommand::{PowerOff, PowerOn, Reauthenticate};

    fn at(second: u64) -> Time {
        Time::from_secs(second)
    }

    fn interruption(entity: u32, off: u64, on: u64) -> Interruption {
        Interruption {
            off: at(off),
            on: at(on),
            entity,
        }
    }

    #[test]
    fn overlapping_outages_are_one() {
        let plan = SupplyPlan::new(vec![
            interruption(2, 50, 60),
            interruption(1, 30, 40),
            interruption(1, 10, 20),
            interruption(1, 15, 30),
        ]);
        assert_eq!(plan.of(1), [interruption(1, 10, 40)]);
        assert_eq!(plan.of(2), [interruption(2, 50, 60)]);
        assert!(plan.of(0).is_empty() && plan.of(3).is_empty());
    }

    #[test]
    fn a_meter_needs_its_switch_and_its_transformer() {
        let plan = SupplyPlan::new(vec![interruption(1, 10, 20), interruption(1, 100, 200)]);
        let commands = vec![
            (at(50), PowerOff),
            (at(60), PowerOn),
            (at(70), Reauthenticate(By::Meter)),
            (at(120), PowerOff),
            (at(300), PowerOn),
        ];
        // First switched on in the dark; off when its transformer returns for the second time.
        let (first, steps) = plan.apply(1, at(15), commands.clone());
        assert_eq!(first, at(20));
        let expected = [
            (at(50), PowerOff),
            (at(60), PowerOn),
            (at(100), PowerOff),
            (at(300), PowerOn),
            (at(70), Reauthenticate(By::Meter)),
        ];
        assert_eq!(steps, expected);
        assert_eq!(plan.apply(2, at(15), commands.clone()), (at(15), commands));
    }

    #[test]
    fn power_that_goes_and_comes_at_one_instant_never_went() {
        let plan = SupplyPlan::new(vec![interruption(1, 10, 20)]);
        let (first, steps) = plan.apply(1, at(0), vec![(at(20), PowerOff)]);
        assert_eq!((first, steps), (at(0), vec![(at(10), PowerOff)]));
    }
}
