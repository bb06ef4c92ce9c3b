//! What the measuring part is told: energy of four quadrants and instantaneous values.

/// Quantities that are accumulated; sum and net follow from the first two.
pub const QUANTITIES: usize = 4;

/// An accumulated quantity, in the order of the registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantity {
    /// Active energy delivered to the premise: quadrants 1 and 4.
    Delivered,
    /// Active energy received from the premise: quadrants 2 and 3.
    Received,
    /// Reactive energy, lagging: quadrants 1 and 2.
    Lagging,
    /// Reactive energy, leading: quadrants 3 and 4.
    Leading,
}

impl Quantity {
    /// All of them.
    pub const ALL: [Self; QUANTITIES] = [
        Self::Delivered,
        Self::Received,
        Self::Lagging,
        Self::Leading,
    ];

    /// Its place in arrays of all quantities.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Energy of a stretch of time in mWh and mvarh, in the order of [`Quantity`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Energy(pub [u64; QUANTITIES]);

impl Energy {
    /// The energy of quadrants 1 to 4: active in mWh, reactive in mvarh, all of them magnitudes.
    pub const fn of_quadrants(active: [u64; 4], reactive: [u64; 4]) -> Self {
        Self([
            active[0].saturating_add(active[3]),
            active[1].saturating_add(active[2]),
            reactive[0].saturating_add(reactive[1]),
            reactive[2].saturating_add(reactive[3]),
        ])
    }

    /// One quantity.
    pub const fn of(&self, quantity: Quantity) -> u64 {
        self.0[quantity.index()]
    }
}

/// What is measured at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Instantaneous {
    /// Active power in W; negative towards the grid.
    pub watts: i32,
    /// Reactive power in var; negative leads.
    pub vars: i32,
    /// Voltage in mV.
    pub millivolts: u32,
    /// Current in mA.
    pub milliamperes: u32,
    /// Frequency in mHz.
    pub millihertz: u32,
}

impl Instantaneous {
    /// Apparent power in VA.
    pub const fn volt_amperes(&self) -> u32 {
        let micro = self.millivolts as u64 * self.milliamperes as u64;
        let apparent = micro / 1_000_000;
        if apparent > u32::MAX as u64 {
            u32::MAX
        } else {
            apparent as u32
        }
    }
}

/// What has been measured since the sample before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Energy since then.
    pub energy: Energy,
    /// The values at the end.
    pub now: Instantaneous,
}

/// Divides energy along time without losing any of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Division {
    whole: Energy,
    given: Energy,
    total_us: u64,
}

impl Division {
    /// `whole`, spread evenly over `total_us` microseconds.
    pub(super) const fn new(whole: Energy, total_us: u64) -> Self {
        Self {
            whole,
            given: Energy([0; QUANTITIES]),
            total_us,
        }
    }

    /// What belongs to the time from the last call to `until_us` microseconds after the start.
    pub(super) fn up_to(&mut self, until_us: u64) -> Energy {
        let mut part = [0; QUANTITIES];
        for (index, part) in part.iter_mut().enumerate() {
            let whole = self.whole.0[index];
            let due = if whole == 0 || until_us >= self.total_us {
                whole
            } else {
                (u128::from(whole) * u128::from(until_us) / u128::from(self.total_us)) as u64
            };
            *part = due - self.given.0[index];
            self.given.0[index] = due;
        }
        Energy(part)
    }
}
