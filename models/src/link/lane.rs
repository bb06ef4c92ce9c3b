//! One direction of one meter's link.

use super::LaneProfile;
use super::cellular::Modem;
use crate::rng::Stream;
use crate::time::{Duration, Time};

/// What became of a datagram that was handed to a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transit {
    /// It arrives at this time.
    Delivered(Time),
    /// It is lost on the way.
    Lost,
    /// The lane's queue was full.
    QueueFull,
}

/// The state of a lane: when it falls idle, when its latest frame arrives, its random stream.
///
/// A lane keeps its frames in order: a path with a varying latency delays what follows a slow
/// frame. Only jitter, which comes on top, lets frames overtake each other.
#[derive(Clone, Debug)]
pub struct Lane {
    idle_at: Time,
    latest: Time,
    modem: Modem,
    stream: Stream,
}

impl Lane {
    /// An idle lane that draws from `stream`.
    pub const fn new(stream: Stream) -> Self {
        Self {
            idle_at: Time::ZERO,
            latest: Time::ZERO,
            modem: Modem::IDLE,
            stream,
        }
    }

    /// Sends a frame of `octets` at `now`.
    ///
    /// Loss and latency are drawn for every frame, delivered or not, so that the draws of later
    /// frames do not depend on the fate of earlier ones.
    pub fn send(&mut self, profile: &LaneProfile, now: Time, octets: usize) -> Transit {
        let lost = self.stream.chance(profile.loss_ppb);
        let latency = profile.latency.duration(&mut self.stream);
        let jitter = profile.jitter.duration(&mut self.stream);
        let setup = match &profile.connection {
            Some(connection) => self.modem.wait(connection, now, &mut self.stream),
            None => Duration::ZERO,
        };

        let backlog = self.idle_at.saturating_since(now);
        if !backlog.is_zero() {
            let waiting =
                u128::from(backlog.as_nanos()) * u128::from(profile.rate_bps) / 8_000_000_000;
            if waiting + octets as u128 > u128::from(profile.queue_octets) {
                return Transit::QueueFull;
            }
        }
        self.idle_at = self.idle_at.max(now + setup) + serialisation(octets, profile.rate_bps);
        if lost {
            return Transit::Lost;
        }
        self.latest = self.latest.max(self.idle_at + latency);
        Transit::Delivered(self.latest + jitter)
    }

    /// Whether a frame sent at `time` would have to wait for a connection, if the link has them.
    pub fn is_idle(&self, time: Time) -> bool {
        self.modem.is_idle(time)
    }

    /// A frame came the other way, so the link is up.
    pub fn keep_up(&mut self, profile: &LaneProfile, now: Time) {
        if let Some(connection) = &profile.connection {
            self.modem.keep_up(connection, now);
        }
    }
}

/// The time that `octets` take at `rate_bps` bits per second.
fn serialisation(octets: usize, rate_bps: u64) -> Duration {
    // Frames are far shorter than the 2 GB that fit 64 bits.
    Duration::from_nanos((octets as u64).saturating_mul(8_000_000_000) / rate_bps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::Dist;
    use crate::rng::Purpose;

    fn profile() -> LaneProfile {
        LaneProfile {
            latency: Dist::Fixed(5_000_000),
            jitter: Dist::Fixed(0),
            loss_ppb: 0,
            rate_bps: 1_000_000,
            queue_octets: 3_000,
            connection: None,
        }
    }

    fn lane() -> Lane {
        Lane::new(Stream::new(1, 1, Purpose::Uplink))
    }

    #[test]
    fn frames_queue_behind_each_other_and_overflow() {
        let (mut lane, profile, now) = (lane(), profile(), Time::from_secs(1));
        // 1,000 octets at 1 Mb/s occupy the lane for 8 ms.
        let arrivals: Vec<_> = (0..5).map(|_| lane.send(&profile, now, 1_000)).collect();
        let at = |ms: u64| Transit::Delivered(now + Duration::from_millis(ms));
        assert_eq!(
            arrivals,
            [
                at(13),
                at(21),
                at(29),
                Transit::QueueFull,
                Transit::QueueFull
            ]
        );
        let later = now + Duration::from_millis(8);
        assert_eq!(
            lane.send(&profile, later, 1_000),
            at(37),
            "room again after one frame left"
        );
    }

    #[test]
    fn a_frame_larger_than_the_queue_still_crosses_an_idle_lane() {
        let transit = lane().send(&profile(), Time::ZERO, 4_000);
        assert_eq!(transit, Transit::Delivered(Time(37_000_000)));
    }

    #[test]
    fn a_varying_latency_keeps_the_order_and_jitter_does_not() {
        let latency = LaneProfile {
            latency: Dist::Uniform(1_000_000, 90_000_000),
            ..profile()
        };
        let jitter = LaneProfile {
            jitter: Dist::Uniform(0, 90_000_000),
            ..profile()
        };
        let overtaken = |profile: &LaneProfile| {
            let mut lane = lane();
            let arrivals: Vec<_> = (0..200)
                .map(|number| lane.send(profile, Time(number * 10_000_000), 100))
                .map(|transit| match transit {
                    Transit::Delivered(time) => time,
                    other => panic!("{other:?}"),
                })
                .collect();
            arrivals.windows(2).filter(|pair| pair[1] < pair[0]).count()
        };
        assert_eq!(overtaken(&latency), 0);
        assert!(overtaken(&jitter) > 20);
    }

    #[test]
    fn losing_more_does_not_change_the_latency_of_what_arrives() {
        let random = LaneProfile {
            latency: Dist::Uniform(1_000, 9_000_000),
            ..profile()
        };
        let lossy = LaneProfile {
            loss_ppb: 300_000_000,
            ..random
        };
        let (mut a, mut b, mut lost) = (lane(), lane(), 0);
        for second in 0..1_000 {
            let now = Time::from_secs(second);
            let (all, some) = (a.send(&random, now, 100), b.send(&lossy, now, 100));
            if some == Transit::Lost {
                lost += 1;
            } else {
                assert_eq!(all, some);
            }
        }
        assert!(
            (240..360).contains(&lost),
            "30 % of 1,000 within four sigma, got {lost}"
        );
    }
}
