//! What the premises of each feeder draw from it, interval by interval.

use std::collections::BTreeMap;

use crate::time::{Duration, Time};

/// Energy of the premises of one feeder in one interval.
///
/// Whole milliwatt-hours: their sum does not depend on the order in which it is formed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeederEnergy {
    /// Drawn from the feeder, in mWh.
    pub drawn_mwh: u64,
    /// Fed into it, in mWh.
    pub fed_mwh: u64,
}

impl FeederEnergy {
    fn add(&mut self, other: Self) {
        self.drawn_mwh += other.drawn_mwh;
        self.fed_mwh += other.fed_mwh;
    }
}

/// Energies by interval and feeder; intervals are numbered from 0 at the start of the run.
#[derive(Clone, Debug, Default)]
pub struct FeederLoads {
    intervals: BTreeMap<u32, Vec<FeederEnergy>>,
}

impl FeederLoads {
    /// Adds the energy of a premise on `feeder` in an interval, in mWh; negative if it was fed in.
    pub fn add(&mut self, interval: u32, feeder: u16, milliwatt_hours: i64) {
        let energy = milliwatt_hours.unsigned_abs();
        let energy = match milliwatt_hours < 0 {
            true => FeederEnergy {
                fed_mwh: energy,
                ..FeederEnergy::default()
            },
            false => FeederEnergy {
                drawn_mwh: energy,
                ..FeederEnergy::default()
            },
        };
        let feeders = self.intervals.entry(interval).or_default();
        slot(feeders, usize::from(feeder)).add(energy);
    }

    /// Moves everything from `other` here.
    pub fn append(&mut self, other: &mut Self) {
        for (interval, energies) in std::mem::take(&mut other.intervals) {
            let feeders = self.intervals.entry(interval).or_default();
            for (feeder, energy) in energies.into_iter().enumerate() {
                slot(feeders, feeder).add(energy);
            }
        }
    }

    /// All intervals up to the last one of which anything is known, with the energies of the first
    /// feeders; those of all others are zero.
    pub fn intervals(&self) -> impl Iterator<Item = (u32, &[FeederEnergy])> {
        let end = self.intervals.keys().next_back().map_or(0, |last| last + 1);
        (0..end).map(|interval| {
            let energies = self.intervals.get(&interval);
            (interval, energies.map_or(&[][..], Vec::as_slice))
        })
    }
}

fn slot(feeders: &mut Vec<FeederEnergy>, feeder: usize) -> &mut FeederEnergy {
    if feeders.len() <= feeder {
        feeders.resize(feeder + 1, FeederEnergy::default());
    }
    &mut feeders[feeder]
}

/// The number of the interval of `length` that `time` lies in.
pub fn interval_at(time: Time, length: Duration) -> u32 {
    u32::try_from(time.as_nanos() / length.as_nanos().max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn energies_add_up_in_any_order() {
        let (mut one, mut two) = (FeederLoads::default(), FeederLoads::default());
        one.add(3, 1, 500);
        one.add(3, 1, -200);
        two.add(3, 1, 40);
        two.add(3, 0, 7);
        two.add(1, 2, 1);
        let (mut first, mut second) = (one.clone(), two.clone());
        first.append(&mut two.clone());
        second.append(&mut one.clone());
        let all = |loads: &FeederLoads| -> Vec<(u32, Vec<FeederEnergy>)> {
            let intervals = loads.intervals();
            intervals
                .map(|(number, all)| (number, all.to_vec()))
                .collect()
        };
        let energy = |drawn_mwh, fed_mwh| FeederEnergy { drawn_mwh, fed_mwh };
        let expected = [
            (0, vec![]),
            (1, vec![energy(0, 0), energy(0, 0), energy(1, 0)]),
            (2, vec![]),
            (3, vec![energy(7, 0), energy(540, 200)]),
        ];
        assert_eq!(all(&first), expected);
        assert_eq!(all(&second), expected);
    }
}
