//! Retransmission of requests (RFC 5191 §9, after RFC 3315 §14).
//!
//! ```text
//! first RT = IRT + RAND*IRT
//! next RT  = 2*RT + RAND*RT
//! if RT > MRT > 0: RT = MRT + RAND*MRT
//! ```
//!
//! RAND is drawn anew for every RT, uniformly from [-0.1, +0.1]. The exchange fails once the
//! message has been sent MRC times and the last RT has run out, or after MRD.

use crate::{Duration, Env, Instant, Rng};

/// The four parameters of a retransmission (RFC 5191 §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retransmission {
    /// IRT, the first interval.
    pub initial: Duration,
    /// MRT, the longest interval; zero for no limit.
    pub interval_max: Duration,
    /// MRC, how often a message is sent in total; zero for no limit.
    pub transmissions_max: u32,
    /// MRD, after how long the exchange fails; zero for no limit.
    pub duration_max: Duration,
}

impl Retransmission {
    /// PCI_IRT 1 s, PCI_MRT 120 s, sent until answered (RFC 5191 §9).
    pub const CLIENT_INITIATION: Self = Self {
        initial: Duration::from_secs(1),
        interval_max: Duration::from_secs(120),
        transmissions_max: 0,
        duration_max: Duration::ZERO,
    };

    /// REQ_IRT 1 s, REQ_MRT 30 s, REQ_MRC 10 (RFC 5191 §9).
    pub const REQUEST: Self = Self {
        initial: Duration::from_secs(1),
        interval_max: Duration::from_secs(30),
        transmissions_max: 10,
        duration_max: Duration::ZERO,
    };

    /// RT after the first transmission.
    pub fn first(&self, rand: Rand) -> Duration {
        rand.spread(self.initial, 1)
    }

    /// RT after a transmission that followed an interval of `previous`.
    pub fn next(&self, previous: Duration, rand: Rand) -> Duration {
        let doubled = rand.spread(previous, 2);
        if !self.interval_max.is_zero() && doubled > self.interval_max {
            rand.spread(self.interval_max, 1)
        } else {
            doubled
        }
    }
}

/// RAND, in millionths: -100,000 to +100,000 (RFC 3315 §14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rand(i32);

impl Rand {
    const SCALE: u64 = 1_000_000;
    const LIMIT: i32 = 100_000;

    /// A RAND of `millionths`, limited to one tenth either way.
    pub const fn from_millionths(millionths: i32) -> Self {
        if millionths > Self::LIMIT {
            Self(Self::LIMIT)
        } else if millionths < -Self::LIMIT {
            Self(-Self::LIMIT)
        } else {
            Self(millionths)
        }
    }

    /// A uniform draw.
    pub fn draw(rng: &mut dyn Rng) -> Self {
        let values = 2 * Self::LIMIT as u64 + 1;
        // The high half of the product maps 32 random bits to the range with a bias below 1e-4.
        let value = (u64::from(rng.next_u32()) * values) >> 32;
        Self(value as i32 - Self::LIMIT)
    }

    /// `factor` * `duration` + RAND * `duration`.
    fn spread(self, duration: Duration, factor: u64) -> Duration {
        let millionths = (factor * Self::SCALE).saturating_add_signed(i64::from(self.0));
        duration.scaled(millionths, Self::SCALE)
    }
}

/// What a host has to do when a timer has run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry {
    /// Send the same octets again.
    Retransmit,
    /// The peer is unreachable.
    Fail,
}

/// The retransmission state of the outstanding request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timer {
    started: Instant,
    deadline: Instant,
    interval: Duration,
    transmissions: u32,
}

impl Timer {
    /// Starts at the first transmission.
    pub(super) fn start(parameters: &Retransmission, env: &mut Env<'_>) -> Self {
        let interval = parameters.first(Rand::draw(env.rng));
        Self {
            started: env.now,
            deadline: Self::limit(parameters, env.now, env.now + interval),
            interval,
            transmissions: 1,
        }
    }

    /// When the interval ends.
    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Ends the interval; `env.now` has reached the deadline.
    pub(super) fn expire(&mut self, parameters: &Retransmission, env: &mut Env<'_>) -> Expiry {
        let exhausted =
            parameters.transmissions_max != 0 && self.transmissions >= parameters.transmissions_max;
        let late = !parameters.duration_max.is_zero()
            && env.now.saturating_since(self.started) >= parameters.duration_max;
        if exhausted || late {
            return Expiry::Fail;
        }
        self.interval = parameters.next(self.interval, Rand::draw(env.rng));
        self.deadline = Self::limit(parameters, self.started, env.now + self.interval);
        self.transmissions = self.transmissions.saturating_add(1);
        Expiry::Retransmit
    }

    /// MRD ends an interval early.
    fn limit(parameters: &Retransmission, started: Instant, deadline: Instant) -> Instant {
        if parameters.duration_max.is_zero() {
            deadline
        } else {
            deadline.min(started + parameters.duration_max)
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::crypto::Work;

    #[test]
    fn rfc3315_14_rand_covers_its_range_evenly() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut tenths = [0_u32; 20];
        for _ in 0..20_000 {
            let Rand(millionths) = Rand::draw(&mut rng);
            assert!((-100_000..=100_000).contains(&millionths));
            tenths[((millionths + 100_000) / 10_001) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (850..1_150).contains(count)));
    }

    #[test]
    fn rfc5191_9_the_exchange_fails_after_mrd() {
        let parameters = Retransmission {
            duration_max: Duration::from_secs(10),
            ..Retransmission::CLIENT_INITIATION
        };
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut work = Work::NONE;
        let start = Instant::from_secs(100);
        let mut env = Env::new(start, &mut rng, &mut work);
        let mut timer = Timer::start(&parameters, &mut env);
        let mut transmissions = 1;
        loop {
            env.now = timer.deadline();
            match timer.expire(&parameters, &mut env) {
                Expiry::Retransmit => transmissions += 1,
                Expiry::Fail => break,
            }
        }
        assert_eq!(transmissions, 4, "after about 1, 3 and 7 seconds");
        assert_eq!(env.now, Instant::from_secs(110));
    }
}
