//! The electrical service of a premise: when its switch was closed, and what it cut off.

use crate::time::Time;

/// The history of a switch since the last interval, and the load behind it.
#[derive(Clone, Debug)]
pub struct Service {
    /// Position before the first of `moves`.
    closed: bool,
    /// Movements in order: when, and whether it closed.
    moves: Vec<(Time, bool)>,
    /// Power that the last opening cut off, in W.
    cut_off_w: f64,
}

impl Default for Service {
    /// Closed since ever.
    fn default() -> Self {
        Self {
            closed: true,
            moves: Vec::new(),
            cut_off_w: 0.0,
        }
    }
}

impl Service {
    /// The switch moves at `now`, while the premise draws `watts`; returns the power concerned.
    ///
    /// What is supplied again counts as what was cut off, so that the balance of both is zero.
    pub fn move_to(&mut self, closed: bool, now: Time, watts: f64) -> f64 {
        self.moves.push((now, closed));
        if !closed {
            self.cut_off_w = watts;
        }
        self.cut_off_w
    }

    /// Whether the premise is supplied now.
    pub fn is_closed(&self) -> bool {
        self.moves.last().map_or(self.closed, |(_, closed)| *closed)
    }

    /// The share of the time from `from` to `until` in which the premise was supplied.
    ///
    /// What lies before `until` is forgotten: intervals are asked for in order.
    pub fn supplied(&mut self, from: Time, until: Time) -> f64 {
        let past = self.moves.partition_point(|(time, _)| *time < until);
        let (mut at, mut supplied) = (from, 0);
        for (time, closed) in self.moves.drain(..past) {
            let time = time.max(from);
            if self.closed {
                supplied += time.saturating_since(at).as_nanos();
            }
            (at, self.closed) = (time, closed);
        }
        if self.closed {
            supplied += until.saturating_since(at).as_nanos();
        }
        let length = until.saturating_since(from).as_nanos().max(1);
        supplied as f64 / length as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Time {
        Time::from_secs(second)
    }

    #[test]
    fn an_interval_is_supplied_while_the_switch_is_closed() {
        let mut service = Service::default();
        assert_eq!(service.supplied(at(0), at(900)), 1.0);
        service.move_to(false, at(1_125), 500.0);
        // Reported late: this movement belongs to the interval after the one asked for.
        service.move_to(true, at(1_900), 700.0);
        assert_eq!(service.supplied(at(900), at(1_800)), 0.25);
        assert_eq!(service.supplied(at(1_800), at(2_700)), 800.0 / 900.0);
        assert_eq!(service.supplied(at(2_700), at(3_600)), 1.0);
        service.move_to(false, at(3_700), 1.0);
        service.supplied(at(3_600), at(4_500));
        assert_eq!(service.supplied(at(4_500), at(5_400)), 0.0);
    }

    #[test]
    fn closing_gives_back_what_opening_took() {
        let mut service = Service::default();
        assert_eq!(service.move_to(false, at(1), 500.0), 500.0);
        assert_eq!(service.move_to(true, at(2), 900.0), 500.0);
    }
}
