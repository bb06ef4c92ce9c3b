//! How a home answers demand response: what it holds back, and what it draws later instead.
//!
//! ```text
//!   power    ----+           +\
//!                |           | \.        rebound: a triangle over `rebound_over` whose area is
//!   expected ....|...........|...\.....   the share `rebound` of what was held back
//!                +-----------+
//!             limited     lifted
//! ```
//!
//! While a limit is in force, the home draws less by its controllable share times what the limit
//! asks for: thermostats, water heaters and chargers cycle. What a house holds back follows its
//! expected power, which is looked at again at every interval.

use firmware::c1219::switch::Limit;

use super::MeterHost;
use crate::context::{Exchange, Kind};
use crate::event::Agenda;
use crate::rng::{Purpose, Stream, mix};
use crate::telemetry::{HeldLoad, LoadChange};
use crate::time::{Duration, Time};

/// What the homes of a cohort do about demand response.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResponsePlan {
    /// Share of the homes whose devices follow, in billionths.
    pub participation_ppb: u32,
    /// Share of a home's power that its devices control, 0 to 1.
    pub controllable: f64,
    /// Share of the participating homes that opt out of an event, in billionths.
    pub opt_out_ppb: u32,
    /// Share of the energy held back that is drawn afterwards, 0 to 2.
    pub rebound: f64,
    /// How long the rebound lasts.
    pub rebound_over: Duration,
}

/// Power that is drawn in addition after a limit: it falls from its peak to nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rebound {
    /// When it begins.
    pub start: Time,
    /// How long it lasts.
    pub over: Duration,
    /// Power at its beginning, in W.
    pub peak_w: f64,
}

impl Rebound {
    /// The end.
    pub fn end(&self) -> Time {
        self.start + self.over
    }

    /// Energy between two times, in Wh.
    fn energy_wh(&self, from: Time, until: Time) -> f64 {
        let over = seconds(self.over);
        let (from, until) = (from.max(self.start), until.min(self.end()));
        if until <= from || over <= 0.0 {
            return 0.0;
        }
        let power =
            |time: Time| self.peak_w * (1.0 - seconds(time.saturating_since(self.start)) / over);
        (power(from) + power(until)) / 2.0 * seconds(until.saturating_since(from)) / 3_600.0
    }
}

/// A limit that a home follows.
#[derive(Clone, Copy, Debug)]
struct Holding {
    /// Share of the home's power that is held back.
    share: f64,
    /// Since when, as far as `spans` do not tell.
    since: Time,
    /// Power held back, in W, since `valued`.
    watts: f64,
    valued: Time,
    /// Energy held back before `valued`, in Wh.
    shed_wh: f64,
}

/// Demand response in one home.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// The event that the household knows of.
    noticed: Option<u32>,
    holding: Option<Holding>,
    /// Times in which a share was held back, in order, as far as nobody has asked for them.
    spans: Vec<(Time, Time, f64)>,
    rebounds: Vec<Rebound>,
}

impl Response {
    /// The home begins to hold back `share` of its power, now `watts`.
    fn hold(&mut self, share: f64, watts: f64, now: Time) {
        self.holding = Some(Holding {
            share,
            since: now,
            watts,
            valued: now,
            shed_wh: 0.0,
        });
    }

    /// The power of the home has changed: what it holds back is `share` of `drawn_w`.
    fn revalue(&mut self, drawn_w: f64, now: Time) -> Option<f64> {
        let holding = self.holding.as_mut()?;
        holding.settle(now);
        holding.watts = holding.share * drawn_w;
        Some(holding.watts)
    }

    /// The home holds nothing back any more; returns the energy held back and what follows.
    fn release(&mut self, plan: &ResponsePlan, now: Time) -> Option<(f64, Rebound)> {
        let mut holding = self.holding.take()?;
        holding.settle(now);
        self.spans.push((holding.since, now, holding.share));
        let back_wh = holding.shed_wh * plan.rebound;
        let hours = seconds(plan.rebound_over) / 3_600.0;
        let rebound = Rebound {
            start: now,
            over: plan.rebound_over,
            peak_w: if hours > 0.0 {
                2.0 * back_wh / hours
            } else {
                0.0
            },
        };
        if rebound.peak_w > 0.0 {
            self.rebounds.push(rebound);
        }
        Some((holding.shed_wh, rebound))
    }

    /// The share of the power between two times that was held back.
    ///
    /// What lies before `until` is forgotten: times are asked for in order.
    pub fn held(&mut self, from: Time, until: Time) -> f64 {
        let length = seconds(until.saturating_since(from));
        if length <= 0.0 {
            return 0.0;
        }
        let overlap =
            |start: Time, end: Time| seconds(end.min(until).saturating_since(start.max(from)));
        let mut held: f64 = 0.0;
        for (start, end, share) in &self.spans {
            held += share * overlap(*start, *end);
        }
        if let Some(holding) = &mut self.holding {
            held += holding.share * overlap(holding.since, until);
        }
        self.spans.retain(|(_, end, _)| *end > until);
        (held / length).min(1.0)
    }

    /// Energy that the home drew in addition between two times, in Wh; asked for in order.
    pub fn returned_wh(&mut self, from: Time, until: Time) -> f64 {
        let energy = self
            .rebounds
            .iter()
            .map(|rebound| rebound.energy_wh(from, until));
        let energy = energy.sum();
        self.rebounds.retain(|rebound| rebound.end() > until);
        energy
    }
}

impl Response {
    /// What a home that would draw `watts` between two times draws more, or less if negative.
    pub(super) fn balance_watts(&mut self, watts: f64, from: Time, until: Time) -> f64 {
        let hours = seconds(until.saturating_since(from)) / 3_600.0;
        if hours <= 0.0 {
            return 0.0;
        }
        self.returned_wh(from, until) / hours - self.held(from, until) * watts.max(0.0)
    }
}

impl Holding {
    fn settle(&mut self, now: Time) {
        self.shed_wh += self.watts * seconds(now.saturating_since(self.valued)) / 3_600.0;
        self.valued = now;
    }
}

fn seconds(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e9
}

impl<A: Agenda, X: Exchange> MeterHost<'_, '_, '_, '_, A, X> {
    /// What the home does about demand response, if it takes part.
    fn response_plan(&self) -> Option<ResponsePlan> {
        let placement = &self.meter.placement;
        let fleet = self.context.fleet;
        let plan = fleet.cohorts[usize::from(placement.cohort)].response?;
        let mut stream = Stream::new(fleet.seed, placement.meter, Purpose::Participation);
        stream.chance(plan.participation_ppb).then_some(plan)
    }

    /// The household learns of an event that begins at `start` of the meter's clock, and may opt
    /// out of it, at any time until its end.
    pub(super) fn notice_limit(&mut self, start: firmware::Instant, limit: &Limit) {
        let Some(plan) = self.response_plan() else {
            return;
        };
        let response = self.meter.premise.response.get_or_insert_default();
        if response.noticed.replace(limit.event_id) == Some(limit.event_id) {
            return;
        }
        let (fleet, meter) = (self.context.fleet, self.meter.placement.meter);
        let seed = fleet.seed ^ mix(u64::from(limit.event_id) + 1);
        let mut stream = Stream::new(seed, meter, Purpose::OptOut);
        let (opts_out, moment) = (stream.chance(plan.opt_out_ppb), stream.unit());
        let length = Duration::from_secs(60 * u64::from(limit.duration_min));
        let end = self.meter.processor.clock.when(start) + length;
        let while_s = seconds(end.saturating_since(self.now));
        let at = self.now + Duration::from_nanos((while_s * moment * 1e9) as u64);
        if opts_out && at.as_nanos() < fleet.duration.as_nanos() {
            self.post(at, Kind::OptOut, limit.event_id);
        }
    }

    /// The household opts out of an event.
    pub fn opt_out(&mut self, event_id: u32) {
        if self.meter.supply.running {
            self.run("schedule", |image, utc, _| {
                image.opt_out(event_id, utc);
            });
        }
    }

    /// The meter asks the home to follow a limit; returns the power that it holds back, in W.
    pub(super) fn follow_limit(&mut self, limit: &Limit) -> f64 {
        let Some(plan) = self.response_plan() else {
            return 0.0;
        };
        self.measure();
        let share = plan.controllable * (1.0 - f64::from(limit.level_percent) / 100.0);
        let watts = share * self.drawn_watts();
        let now = self.now;
        let response = self.meter.premise.response.get_or_insert_default();
        response.hold(share, watts, now);
        self.record_load(LoadChange::Held(watts));
        watts
    }

    /// The limit is over; returns the energy that was held back, in Wh.
    pub(super) fn lift_limit(&mut self) -> f64 {
        let Some(plan) = self.response_plan() else {
            return 0.0;
        };
        self.measure();
        let now = self.now;
        let response = self.meter.premise.response.as_mut();
        let Some((shed_wh, rebound)) = response.and_then(|response| response.release(&plan, now))
        else {
            return 0.0;
        };
        self.record_load(LoadChange::Released(rebound));
        shed_wh
    }

    /// Looks at the power again of which the home holds back a share.
    pub(super) fn revalue_response(&mut self) {
        if self.meter.premise.response.is_none() {
            return;
        }
        let (drawn, now) = (self.drawn_watts(), self.now);
        let response = self.meter.premise.response.as_mut();
        if let Some(watts) = response.and_then(|response| response.revalue(drawn, now)) {
            self.record_load(LoadChange::Held(watts));
        }
    }

    /// Power that the premise would draw, expected or measured; nothing behind an open switch, in W.
    fn drawn_watts(&self) -> f64 {
        let premise = &self.meter.premise;
        let open = premise
            .service
            .as_ref()
            .is_some_and(|service| !service.is_closed());
        if open || !self.meter.supply.powered {
            return 0.0;
        }
        if let Some(metering) = &premise.metering {
            return metering.watts().max(0.0);
        }
        self.expected_watts(self.now)
    }

    /// Power that the premise is expected to draw at `at` where nothing measures it, in W.
    pub(crate) fn expected_watts(&self, at: Time) -> f64 {
        let fleet = self.context.fleet;
        let cohort = &fleet.cohorts[usize::from(self.meter.placement.cohort)];
        match &cohort.replay {
            Some(replay) => {
                let index = self.meter.placement.meter - cohort.first;
                replay.watts(index, Duration::from_nanos(at.as_nanos()))
            }
            None => {
                let house = &self.meter.premise.house;
                house.mean_watts(&fleet.load, at.as_secs())
            }
        }
    }

    fn record_load(&mut self, change: LoadChange) {
        self.context.telemetry.held.push(HeldLoad {
            time: self.now,
            meter: self.meter.placement.meter,
            change,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: ResponsePlan = ResponsePlan {
        participation_ppb: 1_000_000_000,
        controllable: 0.5,
        opt_out_ppb: 0,
        rebound: 0.8,
        rebound_over: Duration::from_secs(3_600),
    };

    fn at(second: u64) -> Time {
        Time::from_secs(second)
    }

    #[test]
    fn what_is_held_back_returns_in_part() {
        let mut response = Response::default();
        response.hold(0.4, 800.0, at(0));
        assert_eq!(response.revalue(1_000.0, at(1_800)), Some(400.0));
        let (shed_wh, rebound) = response.release(&PLAN, at(3_600)).unwrap();
        assert_eq!(shed_wh, 400.0 + 200.0);
        assert_eq!(rebound.peak_w, 2.0 * 480.0);
        assert_eq!(rebound.end(), at(7_200));
        let quarters = (4..12).map(|quarter| (at(quarter * 900), at((quarter + 1) * 900)));
        let returned: Vec<f64> = quarters
            .map(|(from, until)| response.returned_wh(from, until))
            .collect();
        assert!((returned.iter().sum::<f64>() - 480.0).abs() < 1e-9);
        assert!(returned.is_sorted_by(|a, b| a >= b), "{returned:?}");
        assert_eq!(returned[4..], [0.0; 4]);
        assert!(response.rebounds.is_empty(), "forgotten once it is over");
    }

    #[test]
    fn an_interval_is_short_by_the_share_of_its_time() {
        let mut response = Response::default();
        assert_eq!(response.held(at(0), at(900)), 0.0);
        response.hold(0.5, 1.0, at(1_350));
        assert_eq!(response.held(at(900), at(1_800)), 0.25);
        assert_eq!(response.held(at(1_800), at(2_700)), 0.5);
        response.release(&PLAN, at(3_000));
        // Two events in one interval.
        response.hold(1.0, 1.0, at(3_300));
        response.release(&PLAN, at(3_390));
        let expected = (0.5 * 300.0 + 90.0) / 900.0;
        assert!((response.held(at(2_700), at(3_600)) - expected).abs() < 1e-12);
        assert_eq!(response.held(at(3_600), at(4_500)), 0.0);
        assert!(response.spans.is_empty());
    }
}
