//! Block demand: the mean power of aligned half hours.

use super::registers::DEMANDS;
use crate::time::Duration;

/// How demand is measured (ST13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DemandPolicy {
    /// Length of a block in seconds; divides a day, and is a multiple of the interval or of 15 min.
    pub block_s: u32,
    /// RESET_EXCLUSION: how long after a reset another one is ignored.
    pub reset_exclusion: Duration,
    /// P_FAIL_RECOGNTN_TM: shorter outages have no consequence for demand but a missing block.
    pub outage_recognition: Duration,
    /// COLD_LOAD_PICKUP: how long after an outage demand is forgiven.
    pub forgiveness: Duration,
}

impl Default for DemandPolicy {
    /// 30 min, 5 min, 10 s, 5 min.
    fn default() -> Self {
        Self {
            block_s: 1_800,
            reset_exclusion: Duration::from_secs(300),
            outage_recognition: Duration::from_secs(10),
            forgiveness: Duration::from_secs(300),
        }
    }
}

/// The block under way.
///
/// A block counts only if it is whole: one that an outage, a step of the clock or a reset has cut
/// is measured and then dropped, so no maximum ever stems from a part of a block.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OpenBlock {
    /// Since when energy has been counted, in seconds since 1970; none right after a cut.
    begun_utc_s: Option<u32>,
    watt_hours: [u32; DEMANDS],
    /// Blocks that begin before this are forgiven.
    forgiven_until_utc_s: u32,
}

impl OpenBlock {
    /// Counts Wh delivered and received.
    pub(super) fn count(&mut self, units: [u32; DEMANDS]) {
        for (sum, units) in self.watt_hours.iter_mut().zip(units) {
            *sum = sum.saturating_add(units);
        }
    }

    /// The block is no longer whole.
    pub(super) fn cut(&mut self) {
        self.begun_utc_s = None;
    }

    /// Blocks that begin before `utc_s` do not count.
    pub(super) fn forgive_until(&mut self, utc_s: u32) {
        self.forgiven_until_utc_s = self.forgiven_until_utc_s.max(utc_s);
    }

    /// A boundary of blocks is reached: the mean power in W, if the block counts.
    pub(super) fn close(&mut self, end_utc_s: u32, length_s: u32) -> Option<[u32; DEMANDS]> {
        let begun = self.begun_utc_s.replace(end_utc_s);
        let watt_hours = core::mem::take(&mut self.watt_hours);
        let whole = begun.is_some_and(|begun| {
            end_utc_s.checked_sub(begun) == Some(length_s) && begun >= self.forgiven_until_utc_s
        });
        whole.then(|| {
            watt_hours.map(|watt_hours| {
                let watts = u64::from(watt_hours) * 3_600 / u64::from(length_s.max(1));
                u32::try_from(watts).unwrap_or(u32::MAX)
            })
        })
    }

    /// Mean power so far if the block ended now, in W.
    pub(super) fn present(&self, now_utc_s: u32) -> [u32; DEMANDS] {
        let elapsed = self
            .begun_utc_s
            .map_or(0, |begun| now_utc_s.saturating_sub(begun));
        self.watt_hours.map(|watt_hours| {
            let watts = (u64::from(watt_hours) * 3_600).checked_div(u64::from(elapsed));
            u32::try_from(watts.unwrap_or(0)).unwrap_or(u32::MAX)
        })
    }
}
