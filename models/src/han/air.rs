//! The air of a home: one channel of IEEE 802.15.4 at 2.4 GHz among other users of the band.
//!
//! Only one frame of a home is on the air at a time, because the events of a home are settled one
//! after the other; what contends with it are others: wireless LANs, which do not hear it. They
//! come in bursts at random times. A burst under way keeps the sender waiting (CSMA/CA), and one
//! that begins during a frame destroys it. With a duty d and bursts of mean length b an idle
//! channel stays idle for b (1 - d) / d on average, exponentially distributed.

use crate::link::ieee802154;
use crate::rng::Stream;
use crate::time::Duration;

/// The air of the homes of a cohort.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AirPlan {
    /// Probability that a frame is lost for reasons of its own: distance, walls.
    pub loss: f64,
    /// Share of the time that others use the channel, below one.
    pub interference: f64,
    /// Mean length of their bursts.
    pub burst: Duration,
}

/// One transmission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flight {
    /// From the wish to send to the end of the frame, or until it was given up.
    pub duration: Duration,
    /// Whether the channel was idle at last.
    pub sent: bool,
    /// Whether the frame came through.
    pub received: bool,
    /// Whether an acknowledgement of it would come through.
    pub acknowledged: bool,
}

/// The air of one home.
#[derive(Debug)]
pub struct Air {
    stream: Stream,
}

impl Air {
    /// An air with draws of its own.
    pub const fn new(stream: Stream) -> Self {
        Self { stream }
    }

    /// Sends a frame with a PSDU of `octets` once (IEEE 802.15.4-2006 §7.5.1.4).
    ///
    /// On a `jammed` channel nothing is ever sent.
    pub fn send(&mut self, plan: &AirPlan, octets: usize, jammed: bool) -> Flight {
        let parameters = ieee802154::csma(true);
        let mut duration = Duration::ZERO;
        let mut exponent = parameters.backoff_exponent_min;
        let mut idle = false;
        for _ in 0..=parameters.backoffs_max {
            let slots = self.stream.below(1 << exponent);
            duration = duration + parameters.unit_backoff.scaled(slots, 1) + parameters.cca;
            idle = self.stream.unit() >= plan.interference && !jammed;
            if idle {
                break;
            }
            exponent = (exponent + 1).min(parameters.backoff_exponent_max);
        }
        if !idle {
            return Flight {
                duration,
                sent: false,
                received: false,
                acknowledged: false,
            };
        }
        let airtime = ieee802154::airtime(octets);
        let vulnerable = parameters.turnaround + airtime;
        let received = self.survives(plan, vulnerable);
        let acknowledgement = parameters.turnaround + ieee802154::ack_airtime();
        let acknowledged = self.survives(plan, acknowledgement) && received;
        Flight {
            duration: duration + vulnerable,
            sent: true,
            received,
            acknowledged,
        }
    }

    /// Whether something on the air for `length` meets neither a burst nor bad luck.
    fn survives(&mut self, plan: &AirPlan, length: Duration) -> bool {
        let idle_s = plan.burst.as_nanos() as f64 * (1.0 - plan.interference);
        let rate = plan.interference / idle_s.max(1.0);
        let clear = libm::exp(-rate * length.as_nanos() as f64);
        // Draws once whatever the plan, so that two arms of an experiment stay in step.
        self.stream.unit() < (1.0 - plan.loss) * clear
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Purpose;

    fn counts(plan: AirPlan, frames: u32) -> (f64, f64, f64) {
        let mut air = Air::new(Stream::new(1, 1, Purpose::HomeAir));
        let (mut sent, mut received, mut acknowledged) = (0, 0, 0);
        for _ in 0..frames {
            let flight = air.send(&plan, 45, false);
            assert!(flight.sent >= flight.received && flight.received >= flight.acknowledged);
            sent += u32::from(flight.sent);
            received += u32::from(flight.received);
            acknowledged += u32::from(flight.acknowledged);
        }
        let share = |count: u32, of: u32| f64::from(count) / f64::from(of);
        (
            share(sent, frames),
            share(received, sent),
            share(acknowledged, received),
        )
    }

    #[test]
    fn losses_are_those_of_the_closed_form() {
        let plan = AirPlan {
            loss: 0.02,
            interference: 0.5,
            burst: Duration::from_millis(1),
        };
        let (sent, received, acknowledged) = counts(plan, 200_000);
        // Five assessments, each idle with probability one half.
        assert!((sent - 31.0 / 32.0).abs() < 0.003, "{sent}");
        // The channel stays idle for 1 ms on average; a frame of 45 octets takes 192 + 1,632 µs.
        let frame = 0.98 * libm::exp(-1.824);
        assert!((received - frame).abs() < 0.005, "{received} {frame}");
        let ack = 0.98 * libm::exp(-0.544);
        assert!((acknowledged - ack).abs() < 0.01, "{acknowledged} {ack}");
    }

    #[test]
    fn a_quiet_air_loses_what_walls_lose_and_a_jammed_one_everything() {
        let plan = AirPlan {
            loss: 0.1,
            interference: 0.0,
            burst: Duration::from_millis(1),
        };
        let (sent, received, _) = counts(plan, 100_000);
        assert_eq!(sent, 1.0);
        assert!((received - 0.9).abs() < 0.004, "{received}");
        let mut air = Air::new(Stream::new(1, 2, Purpose::HomeAir));
        assert!((0..100).all(|_| !air.send(&plan, 45, true).sent));
    }
}
