//! Registers: energy in total and by tier, maxima of block demand, and copies of all of them.
//!
//! Everything counts whole Wh or varh: what is below one unit waits in the meter until it is one,
//! and the same unit then goes into the total, into its tier, into the interval of the load profile
//! and into the demand block. So tiers add up to totals and intervals to differences of registers
//! exactly, whatever happens in between.

use super::calendar::TIERS;
use super::quantity::{QUANTITIES, Quantity};

/// Demands that are kept: delivered and received active power.
pub const DEMANDS: usize = 2;

/// A maximum demand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// The maximum since the last reset, in W.
    pub max_w: u32,
    /// When its block ended, in seconds since 1970; 0 if there was none.
    pub at_utc_s: u32,
    /// Sum of the maxima of all periods that a reset has ended, in W.
    pub cumulative_w: u32,
}

impl Demand {
    fn take(&mut self, watts: u32, end_utc_s: u32) {
        if watts > self.max_w {
            self.max_w = watts;
            self.at_utc_s = end_utc_s;
        }
    }

    fn reset(&mut self) {
        self.cumulative_w = self.cumulative_w.saturating_add(self.max_w);
        self.max_w = 0;
        self.at_utc_s = 0;
    }
}

/// A data block of ST23: energy and demand in total, or of one tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Wh and varh in the order of [`Quantity`].
    pub energy: [u64; QUANTITIES],
    /// Demand delivered and received.
    pub demands: [Demand; DEMANDS],
}

impl Block {
    /// One quantity in Wh or varh.
    pub const fn of(&self, quantity: Quantity) -> u64 {
        self.energy[quantity.index()]
    }

    /// Energy in both directions, in Wh.
    pub const fn sum_wh(&self) -> u64 {
        self.energy[0] + self.energy[1]
    }

    /// Energy delivered minus energy received, in Wh.
    pub const fn net_wh(&self) -> i64 {
        self.energy[0] as i64 - self.energy[1] as i64
    }

    fn count(&mut self, units: &[u32; QUANTITIES]) {
        for (register, units) in self.energy.iter_mut().zip(units) {
            *register += u64::from(*units);
        }
    }
}

/// The current registers (ST23).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// NBR_DEMAND_RESETS, which wraps.
    pub demand_resets: u8,
    /// Regardless of tiers.
    pub total: Block,
    /// By tier.
    pub tiers: [Block; TIERS],
}

impl Registers {
    /// Counts `units` in total and in `tier`.
    pub(super) fn count(&mut self, tier: u8, units: &[u32; QUANTITIES]) {
        self.total.count(units);
        self.tiers[usize::from(tier) % TIERS].count(units);
    }

    /// Takes the demand of a complete block that has ended in `tier`.
    pub(super) fn take_demand(&mut self, tier: u8, watts: [u32; DEMANDS], end_utc_s: u32) {
        let tier = &mut self.tiers[usize::from(tier) % TIERS];
        for (index, watts) in watts.into_iter().enumerate() {
            self.total.demands[index].take(watts, end_utc_s);
            tier.demands[index].take(watts, end_utc_s);
        }
    }

    /// Ends the demand period: maxima are added to the cumulative demands and cleared.
    pub(super) fn reset_demand(&mut self) {
        self.demand_resets = self.demand_resets.wrapping_add(1);
        let blocks = core::iter::once(&mut self.total).chain(&mut self.tiers);
        for demand in blocks.flat_map(|block| &mut block.demands) {
            demand.reset();
        }
    }
}

/// A copy of the registers: of a self read, a demand reset or the end of a season.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// When, in seconds since 1970.
    pub end_utc_s: u32,
    /// The season until then.
    pub season: u8,
    /// Number of the self read; 0 for other copies.
    pub sequence: u16,
    /// The registers.
    pub registers: Registers,
}
