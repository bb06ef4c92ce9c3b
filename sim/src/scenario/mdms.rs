//! The meter data management system: how fast it loads, and how it validates and estimates.

use firmware::Duration;
use models::mdms::{MdmsPlan, Rules};

use super::record::{record, settings};
use super::units::zone_seconds;

settings! {
    /// The meter data management system behind the head-end.
    pub struct Mdms {
        /// Rows, that is intervals, that its loaders write per second, over all instances.
        rows_per_s: f64 = 20_000.0,
        /// Rows of a full batch.
        batch: u32 = 1_000,
        /// How long a batch waits to become full.
        batch_wait: Duration = Duration::from_secs(60),
        /// Time that writing a batch takes besides that of its rows.
        commit: Duration = Duration::from_millis(5),
        /// Rows of an instance that wait to be written; more are lost.
        buffer: u32 = 1_000_000,
        /// How long after its end an interval is on time.
        deadline: Duration = Duration::from_secs(86_400),
        /// How long after its end an interval that is not there is estimated.
        estimate_after: Duration = Duration::from_secs(86_400),
        /// Longest gap that a straight line fills; longer ones get the profile of like days.
        interpolate: Duration = Duration::from_secs(7_200),
        /// By how much intervals may miss the difference of two register readings.
        tolerance_wh: u32 = 2,
        /// Intervals that end so shortly before the end of the run are not judged.
        settle: Duration = Duration::from_secs(3_600),
        /// Offset from UTC of its days, which are those of standard time.
        zone: String = "+00:00".to_owned(),
    }
}

impl Mdms {
    /// The plan of the models, for `instances` that share the rate.
    pub fn plan(&self, instances: u32) -> MdmsPlan {
        let row_ns = 1e9 * f64::from(instances) / self.rows_per_s;
        MdmsPlan {
            row_time: Duration::from_nanos(row_ns as u64),
            commit: self.commit,
            batch: self.batch as usize,
            batch_wait: self.batch_wait,
            buffer: self.buffer.into(),
            deadline: self.deadline,
            settle: self.settle,
            rules: Rules {
                estimate_after: self.estimate_after,
                interpolate: self.interpolate,
                tolerance_wh: self.tolerance_wh.into(),
            },
            zone_s: zone_seconds(&self.zone).unwrap_or(0),
        }
    }
}
