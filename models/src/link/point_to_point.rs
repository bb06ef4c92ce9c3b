//! A meter's own access link as a [`Link`].

use std::collections::VecDeque;
use std::sync::Arc;

use super::{
    Cause, Direction, Effort, Lane, Link, LinkProfile, Outcome, Packet, StationId, Transit,
};
use crate::time::Time;

/// Two lanes between the root and one other station.
#[derive(Clone, Debug)]
pub struct PointToPoint {
    profile: Arc<LinkProfile>,
    up: Lane,
    down: Lane,
    outcomes: VecDeque<Outcome>,
}

impl PointToPoint {
    /// An idle link of the given kind.
    pub const fn new(profile: Arc<LinkProfile>, up: Lane, down: Lane) -> Self {
        Self {
            profile,
            up,
            down,
            outcomes: VecDeque::new(),
        }
    }
}

impl Link for PointToPoint {
    fn send(&mut self, now: Time, packet: Packet) {
        let (lane, direction) = if packet.from == StationId::ROOT {
            (&mut self.down, Direction::Down)
        } else {
            (&mut self.up, Direction::Up)
        };
        let octets = self.profile.medium.frame_octets(packet.payload as usize);
        let (at, result) = match lane.send(self.profile.lane(direction), now, octets) {
            Transit::Delivered(at) => (at, Ok(())),
            Transit::Lost => (now, Err(Cause::Channel)),
            Transit::QueueFull => (now, Err(Cause::QueueFull)),
        };
        self.outcomes.push_back(Outcome {
            packet,
            at,
            result,
            hops: 1,
            effort: Effort::default(),
        });
    }

    /// Nothing is ever due: a lane knows its outcomes at once.
    fn handle_timeout(&mut self, _now: Time) {}

    fn poll_timeout(&self) -> Option<Time> {
        None
    }

    fn poll_outcome(&mut self) -> Option<Outcome> {
        self.outcomes.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LaneProfile, Medium};
    use super::*;
    use crate::dist::Dist;
    use crate::rng::{Purpose, Stream};

    #[test]
    fn it_does_what_its_lanes_do() {
        let lane = LaneProfile {
            latency: Dist::Fixed(5_000_000),
            jitter: Dist::Uniform(0, 9_000_000),
            loss_ppb: 300_000_000,
            rate_bps: 100_000,
            queue_octets: 300,
            connection: None,
        };
        let profile = LinkProfile {
            name: "wan".into(),
            medium: Medium::Wan,
            up: lane,
            down: LaneProfile {
                loss_ppb: 0,
                ..lane
            },
            home: None,
        };
        let new = |purpose| Lane::new(Stream::new(1, 1, purpose));
        let (mut up, mut down) = (new(Purpose::Uplink), new(Purpose::Downlink));
        let mut link = PointToPoint::new(Arc::new(profile), up.clone(), down.clone());
        for number in 0..500 {
            let now = Time(u64::from(number) * 7_000_000);
            let (from, to) = if number % 3 == 0 { (0, 1) } else { (1, 0) };
            let packet = Packet {
                from: StationId(from),
                to: StationId(to),
                payload: 100,
                token: number,
            };
            link.send(now, packet);
            let expected = if from == 0 {
                down.send(
                    &LaneProfile {
                        loss_ppb: 0,
                        ..lane
                    },
                    now,
                    128,
                )
            } else {
                up.send(&lane, now, 128)
            };
            let outcome = link.poll_outcome().expect("a lane decides at once");
            assert_eq!(outcome.packet, packet);
            match expected {
                Transit::Delivered(at) => assert_eq!((outcome.at, outcome.result), (at, Ok(()))),
                Transit::Lost => assert_eq!(outcome.result, Err(Cause::Channel)),
                Transit::QueueFull => assert_eq!(outcome.result, Err(Cause::QueueFull)),
            }
        }
        assert_eq!(link.poll_outcome(), None);
        assert_eq!(link.poll_timeout(), None);
    }
}
