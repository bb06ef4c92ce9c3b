//! Reports of outages in the scenario language.

use firmware::Duration;
use firmware::meter::OutagePolicy;
use models::meter::HoldUpPlan;

use super::dist::Dist;
use super::record::{record, settings};
use super::units::Ratio;

settings! {
    /// What meters say about a loss of power: last gasps, and that it has returned.
    pub struct OutageReports {
        /// How long a meter lives on its capacitor, drawn anew for each outage.
        hold_up: Dist<Duration> = Dist::uniform(Duration::from_secs(5), Duration::from_secs(30)),
        /// Share of the meters whose access lasts as long as they do. That of an Ethernet meter
        /// dies with its switch; the router of a home that a Wi-Fi meter uses always dies.
        access: Ratio = Ratio::ONE,
        /// How long voltage is gone before that counts as a loss of power.
        debounce: Duration = Duration::from_secs(3),
        /// Last gasps that a meter sends, 0 to 3.
        last_gasps: u8 = 2,
        /// Each is sent at random within this time after the debounce.
        spread: Duration = Duration::from_secs(10),
        /// Shorter outages are counted by the meter and not reported.
        momentary: Duration = Duration::from_secs(60),
        /// Least pause between the return of power and the message that says so.
        restoration_after: Duration = Duration::from_secs(30),
        /// Width of the window behind that pause in which a meter draws its moment.
        restoration_spread: Duration = Duration::from_secs(90),
    }
}

impl OutageReports {
    /// What the firmware does.
    pub(crate) fn policy(&self) -> OutagePolicy {
        OutagePolicy {
            debounce: self.debounce,
            gasps: self.last_gasps,
            spread: self.spread,
            momentary: self.momentary,
            restoration: (
                self.restoration_after,
                self.restoration_after + self.restoration_spread,
            ),
        }
    }

    /// What carries the meter meanwhile.
    pub(crate) fn model(&self) -> HoldUpPlan {
        HoldUpPlan {
            hold_up: self.hold_up.model(),
            access_ppb: self.access.ppb(),
            momentary: models::time::Duration::from_nanos(self.momentary.as_nanos()),
        }
    }
}
