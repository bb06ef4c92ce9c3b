//! The power system behind the premises: what a sudden change of load does to its frequency.
//!
//! One area, one equivalent machine with a governor and a non-reheat turbine:
//!
//! ```text
//!   2 H d(f)/dt = p - load - D f        f, p, load: deviations in per unit
//!   T_t d(p)/dt = g - p                 turbine
//!   T_g d(g)/dt = -f / R - g            governor with droop R
//! ```
//!
//! The slope right after a step is df/dt = -dP f0 / (2 H S), and the frequency settles at
//! -dP / (1/R + D): both are tests. There is no secondary control, no under-frequency load
//! shedding and no limit of the reserve: results hold for the first half minute, and as a bound of
//! how hard a load drop hits, not as a prediction of a blackout.

use crate::time::{Duration, Time};

/// Step of the integration; a quarter of the shortest time constant that is accepted.
const STEP: Duration = Duration::from_millis(10);
/// Deviations below this no longer change anything, in per unit.
const SETTLED: f64 = 1e-9;

/// The power system.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GridPlan {
    /// Rated power of the machines on line, in W.
    pub system_w: f64,
    /// Premises that each simulated meter stands for.
    pub premises_per_meter: f64,
    /// Inertia constant H in seconds: 3 to 6 in ordinary systems.
    pub inertia_s: f64,
    /// Droop R of the governors in per unit: 0.05.
    pub droop: f64,
    /// Damping D of the load, per unit of power per per unit of frequency.
    pub damping: f64,
    /// Time constant of the governors in seconds.
    pub governor_s: f64,
    /// Time constant of the turbines in seconds.
    pub turbine_s: f64,
    /// Nominal frequency in Hz.
    pub nominal_hz: f64,
}

impl Default for GridPlan {
    /// 2 GW with H of 4 s and droop of 5 % (study S10); D 1.0, governor 0.2 s and turbine 0.3 s
    /// as in Kundur, Power System Stability and Control, chapter 11.
    fn default() -> Self {
        Self {
            system_w: 2e9,
            premises_per_meter: 1.0,
            inertia_s: 4.0,
            droop: 0.05,
            damping: 1.0,
            governor_s: 0.2,
            turbine_s: 0.3,
            nominal_hz: 60.0,
        }
    }
}

/// The state of the system, advanced in time.
#[derive(Clone, Debug)]
pub struct Swing {
    plan: GridPlan,
    now: Time,
    /// Load that is missing, in per unit.
    lost: f64,
    frequency: f64,
    turbine: f64,
    governor: f64,
}

impl Swing {
    /// A system in balance.
    pub const fn new(plan: GridPlan) -> Self {
        Self {
            plan,
            now: Time::ZERO,
            lost: 0.0,
            frequency: 0.0,
            turbine: 0.0,
            governor: 0.0,
        }
    }

    /// Sets the power of the simulated premises that is cut off, in W.
    pub fn set_lost(&mut self, watts: f64) {
        self.lost = watts * self.plan.premises_per_meter / self.plan.system_w;
    }

    /// The frequency in Hz.
    pub fn frequency_hz(&self) -> f64 {
        self.plan.nominal_hz * (1.0 + self.frequency)
    }

    /// Lets time pass to `until`; returns the lowest and the highest frequency on the way.
    pub fn advance(&mut self, until: Time) -> (f64, f64) {
        let (mut low, mut high) = (self.frequency_hz(), self.frequency_hz());
        while self.now < until {
            if self.is_at_rest() {
                self.now = until;
                break;
            }
            let step = STEP.min(until.saturating_since(self.now));
            self.step(step.as_nanos() as f64 / 1e9);
            self.now = self.now + step;
            low = low.min(self.frequency_hz());
            high = high.max(self.frequency_hz());
        }
        (low, high)
    }

    /// Whether nothing changes any more.
    fn is_at_rest(&self) -> bool {
        let slopes = self.slopes([self.frequency, self.turbine, self.governor]);
        slopes.iter().all(|slope| slope.abs() < SETTLED)
    }

    fn slopes(&self, [frequency, turbine, governor]: [f64; 3]) -> [f64; 3] {
        let plan = &self.plan;
        [
            (turbine + self.lost - plan.damping * frequency) / (2.0 * plan.inertia_s),
            (governor - turbine) / plan.turbine_s,
            (-frequency / plan.droop - governor) / plan.governor_s,
        ]
    }

    /// One step of the classical Runge-Kutta method.
    fn step(&mut self, seconds: f64) {
        let state = [self.frequency, self.turbine, self.governor];
        let moved =
            |slope: &[f64; 3], by: f64| [0, 1, 2].map(|index| state[index] + by * slope[index]);
        let first = self.slopes(state);
        let second = self.slopes(moved(&first, seconds / 2.0));
        let third = self.slopes(moved(&second, seconds / 2.0));
        let fourth = self.slopes(moved(&third, seconds));
        let mean = [0, 1, 2].map(|index| {
            (first[index] + 2.0 * second[index] + 2.0 * third[index] + fourth[index]) / 6.0
        });
        [self.frequency, self.turbine, self.governor] = moved(&mean, seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    /// A tenth of the system is cut off at once.
    fn step_of_load() -> Swing {
        let plan = GridPlan::default();
        let mut swing = Swing::new(plan);
        swing.set_lost(plan.system_w / 10.0);
        swing
    }

    #[test]
    fn the_first_slope_is_that_of_the_inertia() {
        let mut swing = step_of_load();
        swing.advance(at(20));
        let slope = (swing.frequency_hz() - 60.0) / 0.02;
        // df/dt = -dP f0 / (2 H S) = 0.1 * 60 / 8.
        assert!((slope / 0.75 - 1.0).abs() < 0.01, "{slope} Hz/s");
    }

    #[test]
    fn the_frequency_settles_where_droop_and_damping_say() {
        let mut swing = step_of_load();
        let (low, high) = swing.advance(at(60_000));
        let settled = swing.frequency_hz() - 60.0;
        // 0.1 / (1 / 0.05 + 1) of 60 Hz.
        assert!((settled / (6.0 / 21.0) - 1.0).abs() < 1e-4, "{settled} Hz");
        assert!(high - 60.0 > settled, "it overshoots before: {high} Hz");
        assert!(low >= 60.0, "a lack of load never lowers the frequency");
        swing.set_lost(0.0);
        swing.advance(at(120_000));
        assert!((swing.frequency_hz() - 60.0).abs() < 1e-4);
    }

    #[test]
    fn switching_on_and_off_in_step_swings_wider_than_one_step() {
        let plan = GridPlan::default();
        let reach = |half_period_ms: u64| {
            let mut swing = Swing::new(plan);
            let (mut low, mut high) = (60.0_f64, 60.0_f64);
            for half in 0..20 {
                swing.set_lost(if half % 2 == 0 { 2e8 } else { 0.0 });
                let (below, above) = swing.advance(at((half + 1) * half_period_ms));
                (low, high) = (low.min(below), high.max(above));
            }
            high - low
        };
        let single = reach(30_000);
        assert!(reach(1_500) > 1.2 * single, "near the natural period");
        assert!(
            reach(100) < 0.7 * single,
            "too fast to be more than its mean"
        );
    }
}
