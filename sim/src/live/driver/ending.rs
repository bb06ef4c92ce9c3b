//! The end of a live run: sessions, what is under way, what has come too late.

use std::time::Duration as WallDuration;

use super::super::LiveError;
use super::super::ports;
use super::Driver;
use crate::run::RunError;
use crate::scenario::live::{AtEnd, Role};

/// After so long without a datagram nothing is under way any more, by the wall clock.
const QUIET: WallDuration = WallDuration::from_millis(200);
/// The longest time between the end of a run and that of the program, by the wall clock.
const WIND_DOWN: WallDuration = WallDuration::from_secs(3);
impl Driver<'_> {
    /// Ends sessions if that is wanted, and brings to an end what is under way.
    pub(super) fn wind_down(&mut self) -> Result<(), RunError> {
        // What there is to tell of the head-end is that of the run, not of its end.
        let mut domains: Vec<_> = self.domains.iter_mut().flatten().collect();
        self.ledger.collect(&mut domains, self.reached, true)?;
        let mut spared = self.end_sessions();
        let began = self.clock.elapsed();
        let (mut arrivals, mut arrived) = (self.arrivals, began);
        loop {
            self.advance()?;
            let now = self.clock.elapsed();
            if self.arrivals != arrivals {
                (arrivals, arrived) = (self.arrivals, now);
            }
            let mut domains = self.domains.iter_mut().flatten();
            let is_idle = self.outbox.next_time().is_none()
                && domains.all(|domain| domain.world_mut().in_flight() == 0);
            let is_quiet = is_idle && now.saturating_sub(arrived) >= QUIET;
            if is_quiet && spared > 0 {
                // Authentications that were under way are over.
                self.end_sessions();
                (spared, arrived) = (0, now);
                continue;
            }
            if is_quiet || now.saturating_sub(began) >= WIND_DOWN {
                return Ok(());
            }
            self.wait()?;
        }
    }

    /// Ends sessions if that is wanted; returns how many meters go on because they authenticate.
    fn end_sessions(&mut self) -> usize {
        if self.live.at_end == AtEnd::Leave {
            return 0;
        }
        let by_headend = self.live.role == Role::Headend;
        let worlds = self.domains.iter_mut().flatten();
        worlds
            .map(|domain| domain.world_mut().end_sessions(self.reached, by_headend))
            .sum()
    }

    /// Ends all traffic; what has arrived and nobody has taken is counted.
    pub(super) fn close_sockets(&mut self) -> Result<(), RunError> {
        self.connections.close();
        self.settle_streams();
        self.drain_ports()
    }

    /// Counts what has arrived and comes too late, and what the kernel has dropped last.
    fn drain_ports(&mut self) -> Result<(), RunError> {
        for index in 0..self.ports.len() {
            let port = &mut self.ports[index];
            // What arrives from now on is not for this run, however much it is.
            let mut left = port.socket.buffer_octets();
            while left > 0 {
                let port = &mut self.ports[index];
                let received = port.socket.receive(&mut self.buffer);
                let Some(received) = received.map_err(LiveError::Sockets)? else {
                    break;
                };
                left = left.saturating_sub(received.len.max(1) as u64);
                port.figures.received += 1;
                port.figures.received_octets += received.len as u64;
                let addressee = ports::addressee(&self.fleet, port.side, received.destination);
                self.refuse(addressee, "run_over");
            }
            let port = &mut self.ports[index];
            let drops = port.socket.kernel_drops();
            port.figures.kernel_drops = drops.unwrap_or(port.figures.kernel_drops);
        }
        Ok(())
    }
}
