//! Access to one meter between two events, for a host that stands in for somebody at its door.

use super::Domain;
use crate::context::{Context, Exchange};
use crate::event::Agenda;
use crate::meter::MeterHost;
use crate::time::Time;

impl<A: Agenda> Domain<A> {
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
        let entity = self.entities[meter as usize].expect("the meter is in this domain");
        let mut host = MeterHost {
            meter: meters.get_mut(entity).expect("meters are never despawned"),
            context: &mut context,
            now,
        };
        let outcome = action(&mut host);
        match context.stop.take() {
            Some(stop) => Err(stop),
            None => Ok(outcome),
        }
    }
}
