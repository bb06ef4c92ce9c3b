//! What is written down of a run.

use firmware::Duration;

use super::record::{choice, record, settings};
use super::units::Ratio;

record! {
    /// A passive observer of links.
    pub struct Tap {
        /// Name, unique among the taps.
        name: String,
        /// Medium whose links are observed; all if neither is given.
        medium: Option<String> = None,
        /// Cohort whose links are observed; all if neither is given.
        cohort: Option<String> = None,
    }
}

settings! {
    /// What is written to the results folder.
    pub struct Record {
        /// Share of the meters whose application messages are written one by one.
        messages: Ratio = Ratio::ONE,
        /// Width of the time bins of counters.
        bins: Duration = Duration::from_secs(900),
        /// Tables to write.
        tables: Vec<Table> = Table::ALL.to_vec(),
    }
}

choice! {
    /// A table of the results.
    #[derive(Copy, Eq)]
    pub enum Table {
        /// One row per meter.
        Meters,
        /// One row per authentication attempt.
        Auth,
        /// One row per key epoch.
        Keys,
        /// One row per medium, protocol and time bin.
        Traffic,
        /// One row per application message.
        Messages,
        /// One row per scheduled interval read.
        Reads,
        /// One row per head-end instance and time bin.
        Headend,
        /// One row per node, cause and time bin.
        Rejects,
        /// One row per action of an attacker.
        Attacks,
        /// One row per order to a switch.
        Commands,
        /// One row per request of the head-end to a meter: a read, a download, ...
        Requests,
        /// One row per device of a home and time bin.
        Han,
        /// One row per session at an optical port.
        Optical,
        /// One row per second of the power system, once a switch has moved or homes respond.
        Grid,
        /// One row per metered day or demand reset of a meter with full metering.
        Registers,
        /// One row per maximum of demand at these times.
        Demand,
        /// One row per order of demand response.
        DemandResponse,
        /// One row per meter and day of the meter data management system.
        Mdms,
        /// One row per loss of power of a meter, with `outage_reports`.
        Outages,
        /// One row per thing that becomes of a firmware image at a meter.
        Firmware,
        /// One row per feeder and interval.
        Feeders,
    }
}

impl Table {
    /// All tables.
    pub const ALL: [Self; 21] = [
        Self::Meters,
        Self::Auth,
        Self::Keys,
        Self::Traffic,
        Self::Messages,
        Self::Reads,
        Self::Headend,
        Self::Rejects,
        Self::Attacks,
        Self::Commands,
        Self::Requests,
        Self::Han,
        Self::Optical,
        Self::Grid,
        Self::Registers,
        Self::Demand,
        Self::DemandResponse,
        Self::Mdms,
        Self::Outages,
        Self::Firmware,
        Self::Feeders,
    ];
}
