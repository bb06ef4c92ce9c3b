//! Packet captures in the scenario language.

use firmware::Duration;
use models::capture::CapturePlan;
use models::time::Time;

use super::record::{choice, record, settings};
use super::schema::Scenario;
use super::units::Ratio;

settings! {
    /// Which datagrams are written to `capture.pcapng` in the results folder.
    pub struct Capture {
        /// Meters by their number in the results; all if empty.
        meters: Vec<u32> = Vec::new(),
        /// Cohorts whose meters are captured; all if empty.
        cohorts: Vec<String> = Vec::new(),
        /// Media whose links are captured; all if empty.
        media: Vec<String> = Vec::new(),
        /// Protocols that are captured; all if empty.
        protocols: Vec<Protocol> = Vec::new(),
        /// Virtual time at which the capture starts.
        from: Duration = Duration::ZERO,
        /// Virtual time at which it ends; the end of the run if absent.
        until: Option<Duration> = None,
        /// Share of the datagrams that the other fields select.
        sample: Ratio = Ratio::ONE,
    }
}

choice! {
    /// A protocol above UDP, or that of homes.
    #[derive(Copy, Eq)]
    pub enum Protocol {
        /// PANA with EAP, on port 716.
        Pana,
        /// C12.22, on port 1153.
        C1222,
        /// IEEE 802.15.4 in homes, frame by frame.
        Ieee802154,
        /// Anything else.
        Other,
    }
}

impl Capture {
    /// The plan for the fleet of `scenario`, which has been checked.
    pub fn plan(&self, scenario: &Scenario) -> CapturePlan {
        let cohort = |name: &String| scenario.cohorts.iter().position(|c| c.name == *name);
        let link = |name: &String| scenario.media.keys().position(|medium| medium == name);
        let mut meters = self.meters.clone();
        meters.sort_unstable();
        CapturePlan {
            meters,
            cohorts: self.cohorts.iter().filter_map(cohort).collect(),
            links: self.media.iter().filter_map(link).collect(),
            protocols: self.protocols.iter().map(|p| p.name()).collect(),
            from: Time::ZERO + self.from,
            until: self.until.map_or(Time::FAR_FUTURE, |at| Time::ZERO + at),
            sample_ppb: self.sample.ppb(),
            at_sockets: None,
        }
    }
}

impl Protocol {
    /// The name in results.
    const fn name(self) -> &'static str {
        match self {
            Self::Pana => "pana",
            Self::C1222 => "c1222",
            Self::Ieee802154 => models::han::PROTOCOL,
            Self::Other => "other",
        }
    }
}
