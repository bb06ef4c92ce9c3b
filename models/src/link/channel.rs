//! How well one link works over time.

use super::draws::Draws;
use crate::time::{Duration, Time};

/// One state of a channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State {
    /// Probability that a frame and its acknowledgement get through.
    pub delivery: f64,
    /// Mean time until the channel leaves the state.
    pub dwell: Duration,
}

/// A kind of channel: states that a link moves between at random times.
///
/// From any state the next one is uniform among the others.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelModel {
    states: Vec<State>,
}

impl ChannelModel {
    /// A model of at least one state; with one state the channel never changes.
    pub fn new(states: Vec<State>) -> Option<Self> {
        (!states.is_empty()).then_some(Self { states })
    }

    /// A channel that never changes.
    pub fn steady() -> Self {
        Self::of([(1.0, 0)])
    }

    /// Good for an hour, fair for 20 minutes, bad for ten.
    ///
    /// Gives the picture of the measured traces of RFC 6687 §4.1: links that stay near one, some
    /// that jump, some that are of little use. The dwell times are an assumption.
    pub fn varying() -> Self {
        Self::of([(0.98, 3_600), (0.6, 1_200), (0.1, 600)])
    }

    fn of<const N: usize>(states: [(f64, u64); N]) -> Self {
        let states = states.map(|(delivery, dwell_s)| State {
            delivery,
            dwell: Duration::from_secs(dwell_s),
        });
        Self {
            states: states.to_vec(),
        }
    }

    /// Mean delivery over a long time.
    pub fn mean_delivery(&self) -> f64 {
        let weight: f64 = self.states.iter().map(|s| s.dwell.as_nanos() as f64).sum();
        if weight == 0.0 {
            return self.states[0].delivery;
        }
        let sum: f64 = self
            .states
            .iter()
            .map(|state| state.delivery * state.dwell.as_nanos() as f64)
            .sum();
        sum / weight
    }

    /// A state drawn by how much time the channel spends in it.
    fn stationary(&self, draws: &mut Draws) -> usize {
        let total: u64 = self.states.iter().map(|s| s.dwell.as_nanos()).sum();
        let mut left = (draws.unit() * total as f64) as u64;
        for (index, state) in self.states.iter().enumerate() {
            if left < state.dwell.as_nanos() {
                return index;
            }
            left -= state.dwell.as_nanos();
        }
        0
    }
}

/// The state of one link, the same in both directions.
#[derive(Clone, Copy, Debug)]
pub struct Channel {
    draws: Draws,
    until: Time,
    state: u8,
    /// Delivery when the state is perfect: what distance and shadowing leave.
    base: f64,
}

impl Channel {
    /// A channel that delivers `base` of what the state of `model` lets through.
    pub fn new(model: &ChannelModel, base: f64, mut draws: Draws) -> Self {
        let state = model.stationary(&mut draws) as u8;
        let mut channel = Self {
            draws,
            until: Time::ZERO,
            state,
            base,
        };
        channel.stay(model, Time::ZERO);
        channel
    }

    /// Probability that a frame gets through at `now`, which never goes back.
    pub fn delivery(&mut self, model: &ChannelModel, now: Time) -> f64 {
        while self.until <= now {
            let others = model.states.len() as u64 - 1;
            let step = 1 + self.draws.bits() % others.max(1);
            self.state = ((u64::from(self.state) + step) % model.states.len() as u64) as u8;
            self.stay(model, self.until);
        }
        self.base * model.states[usize::from(self.state)].delivery
    }

    fn stay(&mut self, model: &ChannelModel, from: Time) {
        let dwell = model.states[usize::from(self.state)].dwell;
        self.until = if model.states.len() == 1 || dwell.is_zero() {
            Time::FAR_FUTURE
        } else {
            let nanos = self.draws.exponential() * dwell.as_nanos() as f64;
            from + Duration::from_nanos(1 + nanos as u64)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_spends_its_time_as_the_dwell_times_say() {
        let model = ChannelModel::varying();
        let mut channel = Channel::new(&model, 1.0, Draws::numbered(7, 1));
        let minutes = 2_000_000;
        let sum: f64 = (0..minutes)
            .map(|minute| channel.delivery(&model, Time::from_secs(60 * minute)))
            .sum();
        let mean = sum / minutes as f64;
        // From any state the next is uniform among the others, so all are entered equally often.
        assert!((mean / model.mean_delivery() - 1.0).abs() < 0.01, "{mean}");
    }

    #[test]
    fn a_steady_channel_delivers_its_base() {
        let model = ChannelModel::steady();
        let mut channel = Channel::new(&model, 0.75, Draws::numbered(7, 2));
        assert_eq!(channel.delivery(&model, Time::ZERO), 0.75);
        assert_eq!(channel.delivery(&model, Time::from_secs(1 << 30)), 0.75);
        assert_eq!(ChannelModel::new(Vec::new()), None);
    }

    #[test]
    fn looking_more_often_does_not_change_a_channel() {
        let model = ChannelModel::varying();
        let mut often = Channel::new(&model, 1.0, Draws::numbered(7, 3));
        let mut rarely = often;
        for hour in 1..200 {
            for minute in 0..60 {
                often.delivery(&model, Time::from_secs(3_600 * (hour - 1) + 60 * minute));
            }
            let now = Time::from_secs(3_600 * hour);
            assert_eq!(often.delivery(&model, now), rarely.delivery(&model, now));
        }
    }
}
