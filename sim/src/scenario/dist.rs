//! Distributions of quantities.

use super::record::choice;
use super::units::Quantity;

choice! {
    /// How a quantity is distributed; a draw is made per meter or per datagram.
    pub enum Dist<Q> {
        /// Always the same value.
        Fixed {
            /// The value.
            value: Q,
        },
        /// Uniform between two values.
        Uniform {
            /// Smallest value.
            min: Q,
            /// Largest value.
            max: Q,
        },
        /// A minimum plus an exponentially distributed part.
        Exponential {
            /// Smallest value.
            min: Q,
            /// Mean of the part beyond the minimum.
            mean: Q,
        },
        /// Lognormal, cut off below.
        LogNormal {
            /// Smallest value; smaller draws yield it.
            min: Q,
            /// Median before the cut.
            median: Q,
            /// Standard deviation of the natural logarithm.
            sigma: f64,
        },
        /// Normal; negative draws of a quantity that cannot be negative yield zero.
        Normal {
            /// Mean.
            mean: Q,
            /// Standard deviation.
            sd: Q,
        },
    }
}

impl<Q: Quantity> Dist<Q> {
    /// Always `value`.
    pub const fn fixed(value: Q) -> Self {
        Self::Fixed { value }
    }

    /// Uniform from `min` to `max`.
    pub const fn uniform(min: Q, max: Q) -> Self {
        Self::Uniform { min, max }
    }

    /// `min` plus an exponential of mean `mean`.
    pub const fn exponential(min: Q, mean: Q) -> Self {
        Self::Exponential { min, mean }
    }

    /// Lognormal with median `median`, not below `min`.
    pub const fn lognormal(min: Q, median: Q, sigma: f64) -> Self {
        Self::LogNormal { min, median, sigma }
    }

    /// Normal about `mean`.
    pub const fn normal(mean: Q, sd: Q) -> Self {
        Self::Normal { mean, sd }
    }

    /// The smallest value that can be drawn; none if there is no such bound.
    pub const fn min(&self) -> Option<Q> {
        match self {
            Self::Fixed { value } => Some(*value),
            Self::Uniform { min, .. }
            | Self::Exponential { min, .. }
            | Self::LogNormal { min, .. } => Some(*min),
            Self::Normal { .. } => None,
        }
    }
}
