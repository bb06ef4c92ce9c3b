//! The end of a run for the meter data management system.

use super::Domain;
use crate::event::Agenda;
use crate::time::Time;

impl<A: Agenda> Domain<A> {
    /// Records what the meter data management system has, as of `now`: the end of the run.
    pub fn record_mdms(&mut self, now: Time) {
        let Some(plan) = &self.fleet.mdms else {
            return;
        };
        let (_, mut instances, _) = self
            .access
            .get_mut(&mut self.world)
            .expect("queries are always valid");
        for mut instance in &mut instances {
            let index = instance.index;
            let Some(mdms) = &mut instance.mdms else {
                continue;
            };
            mdms.conclude(plan, self.fleet.begin, now, |rank, day| {
                let meter = self.fleet.meter_at(index, rank);
                self.telemetry.mdms.push((meter, day));
            });
        }
    }
}
