//! Access to one meter between two events, for a host that stands in for somebody at its door.

use super::Domain;
use crate::context::{self, Context, Exchange, Kind};
use crate::event::Agenda;
use crate::meter::MeterHost;
use crate::time::Time;

impl<A: Agenda> Domain<A> {
    /// Has every meter of this domain log out at `now`, and every instance end the sessions of its
    /// meters if it is `by_headend`; all events before `now` have been handled.
    ///
    /// A meter in the middle of an authentication is spared; returns how many are.
    pub fn end_sessions(&mut self, now: Time, by_headend: bool) -> usize {
        let mut spared = 0;
        let fleet = &self.fleet;
        let (mut meters, mut instances, _) = self
            .access
            .get_mut(&mut self.world)
            .expect("queries are always valid");
        let kind = Kind::Terminate;
        for mut meter in &mut meters {
            if meter.firmware.image.is_authenticating() {
                spared += usize::from(meter.firmware.image.is_open());
                continue;
            }
            let number = meter.placement.meter;
            let posted = &mut meter.processor.posted;
            let event = context::event(now, kind, number, number, posted, 0);
            self.agenda.post(event);
        }
        for mut instance in &mut instances {
            let ranks = if by_headend {
                fleet.meters_of(instance.index)
            } else {
                0
            };
            let (entity, posted) = (instance.entity, &mut instance.posted);
            for rank in 0..ranks {
                let event = context::event(now, kind, entity, entity, posted, rank);
                self.agenda.post(event);
            }
        }
        spared
    }

    /// Lets `action` at `meter` of this domain; all events before `now` have been handled.
    ///
    /// # Panics
    ///
    /// The meter is in another domain.
    pub fn visit<X: Exchange, R>(
        &mut self,
        meter: u32,
        now: Time,
        exchange: &mut X,
        action: impl FnOnce(&mut MeterHost<'_, '_, '_, '_, A, X>) -> R,
    ) -> Result<R, X::Stop> {
        let (mut meters, _, _) = self
            .access
            .get_mut(&mut self.world)
            .expect("queries are always valid");
        let mut context = Context {
            fleet: &self.fleet,
            domain: self.index,
            agenda: &mut self.agenda,
            exchange,
            pool: &mut self.pool,
            attackers: &mut self.attackers,
            telemetry: &mut self.telemetry,
            scratch: &mut self.scratch,
            repetitions: 0,
            stop: None,
        };
        let entity = self
            .entities
            .get(meter)
            .expect("the meter is in this domain");
        let mut host = MeterHost {
            meter: meters.get_mut(entity).expect("meters are never despawned"),
            context: &mut context,
            now,
            asker: None,
        };
        let outcome = action(&mut host);
        match context.stop.take() {
            Some(stop) => Err(stop),
            None => Ok(outcome),
        }
    }
}
