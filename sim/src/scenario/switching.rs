//! Service switches: how they move, how the head-end orders it, and what the power system feels.

use firmware::Duration;
use firmware::c1219::access::{Groups, Password};
use firmware::crypto::CmacKey;
use firmware::headend::CommandPolicy;
use firmware::meter::{DeviceConfig, GeometricDelay, SwitchPolicy};
use models::grid::GridPlan;
use models::meter::ResponsePlan;

use super::record::{choice, record, settings};
use super::units::Ratio;

/// Who operates switches, as meters know it.
pub const OPERATOR: &[u8] = b"MASTER";
/// His number.
pub const OPERATOR_ID: u16 = 4;

settings! {
    /// Service switches of all meters.
    pub struct Switch {
        /// Time that the relay needs, 20 to 100 ms.
        operating_time: Duration = Duration::from_millis(50),
        /// Operations that the relay is made for.
        operations: u32 = 10_000,
        /// Whether the head-end may close a switch, or only arm it for the customer.
        remote_close: bool = true,
        /// Random delay of every remote operation, as a defence against simultaneous ones.
        delay: SwitchDelay = SwitchDelay::Never,
    }
}

choice! {
    /// Random delay of remote operations.
    #[derive(Copy, Eq)]
    pub enum SwitchDelay {
        /// None: a switch moves when it is told to.
        Never,
        /// In each period the switch moves with the same probability.
        Geometric {
            /// The probability.
            probability: Ratio,
            /// The period.
            period: Duration = Duration::from_secs(60),
        },
    }
}

settings! {
    /// How the head-end issues orders to switches.
    pub struct Commands {
        /// Orders per second, over all instances.
        rate_per_s: f64 = 50.0,
        /// Orders of an instance that wait for a response at most.
        outstanding: u32 = 500,
        /// Transmissions of a request before its order is given up.
        attempts: u32 = 4,
        /// Time to wait for a response, at most 30 s.
        timeout: Duration = Duration::from_secs(10),
        /// How long after the time of effect the result is asked for.
        settle: Duration = Duration::from_secs(2),
    }
}

settings! {
    /// What the homes of a cohort do about demand response.
    pub struct Response {
        /// Share of the homes with devices that follow.
        participation: Ratio = Ratio::percent(30),
        /// Share of a home's power that these devices control.
        controllable: Ratio = Ratio::percent(40),
        /// Share of these homes that opt out of an event, at any time from its order to its end.
        opt_out: Ratio = Ratio::percent(5),
        /// Share of the energy held back that is drawn after the event.
        rebound: Ratio = Ratio::percent(60),
        /// How long the rebound lasts, falling from its peak to nothing.
        rebound_over: Duration = Duration::from_secs(7_200),
    }
}

settings! {
    /// The power system that the premises are part of: one area with primary control.
    pub struct Grid {
        /// Rated power of the machines on line, in MW.
        system_mw: f64 = 2_000.0,
        /// Premises that each simulated meter stands for.
        premises_per_meter: f64 = 1.0,
        /// Inertia constant H in seconds.
        inertia_s: f64 = 4.0,
        /// Droop of the governors.
        droop: Ratio = Ratio::percent(5),
        /// Damping of the load, per unit of power per per unit of frequency.
        damping: f64 = 1.0,
        /// Time constant of the governors in seconds.
        governor_s: f64 = 0.2,
        /// Time constant of the turbines in seconds.
        turbine_s: f64 = 0.3,
        /// Nominal frequency in Hz.
        nominal_hz: f64 = 60.0,
    }
}

impl Switch {
    /// The same for the firmware of meters.
    pub fn device(&self, vendor_key: Option<CmacKey>) -> DeviceConfig {
        let delay = match self.delay {
            SwitchDelay::Never => None,
            SwitchDelay::Geometric {
                probability,
                period,
            } => Some(GeometricDelay {
                period,
                probability_ppb: probability.ppb(),
            }),
        };
        DeviceConfig {
            passwords: [Password::new(OPERATOR, Groups::MASTER)].into(),
            switch: SwitchPolicy {
                operating_time: self.operating_time,
                operations_max: self.operations,
                remote_close: self.remote_close,
                delay,
            },
            optical: firmware::c1218::Policy::default(),
            vendor_key,
        }
    }
}

/// The time between two of `per_s` actions.
pub fn gap(per_s: f64) -> Duration {
    Duration::from_nanos((1e9 / per_s) as u64)
}

impl Commands {
    /// The same for the software of one of `instances`, which share the rate.
    pub fn policy(&self, instances: u32) -> CommandPolicy {
        CommandPolicy {
            gap: gap(self.rate_per_s).scaled(u64::from(instances), 1),
            outstanding_max: self.outstanding,
            attempts: self.attempts,
            timeout: self.timeout,
            settle: self.settle,
            password: firmware::c1222::service::Password::new(OPERATOR, Some(OPERATOR_ID)),
        }
    }
}

impl Response {
    /// The same for the models.
    pub fn model(&self) -> ResponsePlan {
        let share = |ratio: Ratio| f64::from(ratio.ppb()) / 1e9;
        ResponsePlan {
            participation_ppb: self.participation.ppb(),
            controllable: share(self.controllable),
            opt_out_ppb: self.opt_out.ppb(),
            rebound: share(self.rebound),
            rebound_over: self.rebound_over,
        }
    }
}

impl Grid {
    /// The same for the models.
    pub fn model(&self) -> GridPlan {
        GridPlan {
            system_w: self.system_mw * 1e6,
            premises_per_meter: self.premises_per_meter,
            inertia_s: self.inertia_s,
            droop: f64::from(self.droop.ppb()) / 1e9,
            damping: self.damping,
            governor_s: self.governor_s,
            turbine_s: self.turbine_s,
            nominal_hz: self.nominal_hz,
        }
    }
}
