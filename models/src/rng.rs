//! Random streams: one per (seed, entity, purpose).
//!
//! Every entity draws from streams of its own, one for each purpose, so adding an attacker or a
//! tap never shifts a draw of anybody else, and two arms of an experiment share their randomness
//! wherever they do the same thing (common random numbers).

use core::convert::Infallible;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng, TryRng};

/// What a stream is drawn for. The numbers are part of what a seed means: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum Purpose {
    /// Properties that an entity is born with: keys, clock drift, house size.
    Provisioning = 1,
    /// Nonces, challenges and retransmission jitter of a meter's protocol code.
    MeterProtocol = 2,
    /// Nonces, challenges and retransmission jitter of the head-end towards one peer.
    HeadendProtocol = 3,
    /// Loss, latency and jitter from a meter to the head-end.
    Uplink = 4,
    /// Loss, latency and jitter from the head-end to a meter.
    Downlink = 5,
    /// Electricity use of a premise.
    Load = 6,
    /// When a meter boots, reports and re-authenticates.
    Timing = 7,
    /// What a timeline does to a meter.
    Timeline = 9,
    /// Which messages a record samples.
    Sampling = 8,
    /// How well a hop of a shared medium works over time.
    Channel = 10,
    /// Backoff and collisions on a shared medium.
    Contention = 11,
    /// Where things stand and what shadows them.
    Topology = 12,
    /// When equipment fails and returns.
    Outage = 13,
    /// Everything that an attacker draws.
    Attack = 14,
    /// Whom an attacker has chosen.
    AttackTarget = 15,
    /// Whose switch is operated.
    Switching = 30,
    /// What feeds back behind an open switch.
    BackFeed = 31,
    /// How long a switch waits.
    SwitchDelay = 32,
    /// Whom the head-end asks.
    Requests = 33,
    /// Whether the devices of a home follow demand response.
    Participation = 34,
    /// Which events of demand response a household opts out of, and when.
    OptOut = 35,
    /// The octets of a firmware image.
    Image = 36,
    /// Where a meter that shares no medium stands.
    Site = 40,
    /// How long the router of a home takes to return.
    Router = 41,
    /// How long a meter lives without mains.
    HoldUp = 43,
    /// Who gets access to a cell of a mobile operator.
    Cell = 42,
    /// Appliances, heating, cooling and the car of a household.
    Household = 50,
    /// Errors of a meter's sensors.
    Sensor = 51,
    /// Installation codes of the devices of a home.
    HomeDevice = 60,
    /// Challenges and pauses of the devices of a home.
    HomeProtocol = 61,
    /// Backoff and loss on the air of a home.
    HomeAir = 62,
    /// When the devices of a home get power.
    HomeTiming = 63,
    /// Whose energy management system takes part in demand events.
    HomeParticipation = 64,
    /// What an intruder in a home does.
    HomeIntruder = 65,
    /// Whose meters field technicians visit.
    FieldService = 70,
    /// How long they travel.
    FieldTravel = 71,
    /// What is damaged between a probe and an optical port.
    OpticalLine = 72,
}

/// Words that one refill yields: a ChaCha block.
const BLOCK_WORDS: usize = 16;

/// A random stream of 96 octets of state.
///
/// The generator is ChaCha8. Only its position and one block are kept: a complete generator
/// per purpose and meter would cost three times the memory.
#[derive(Clone)]
pub struct Stream {
    seed: u64,
    id: u64,
    /// The next block of the key stream.
    block: u32,
    /// Words of `words` that have been drawn.
    drawn: u32,
    words: [u32; BLOCK_WORDS],
}

impl Stream {
    /// The stream of `purpose` for `entity`.
    pub const fn new(seed: u64, entity: u32, purpose: Purpose) -> Self {
        Self::with_id(seed, (entity as u64) << 16 | purpose as u64)
    }

    /// The stream towards a peer of which only the address is known, first heard of at `nanos`.
    ///
    /// The time keeps a second session of the same address from repeating the draws of the first.
    pub const fn for_address(seed: u64, address: u64, nanos: u64) -> Self {
        Self::with_id(seed, mix(address ^ mix(nanos)) | 1 << 63)
    }

    const fn with_id(seed: u64, id: u64) -> Self {
        Self {
            seed,
            id,
            block: 0,
            drawn: BLOCK_WORDS as u32,
            words: [0; BLOCK_WORDS],
        }
    }

    fn refill(&mut self) {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..].copy_from_slice(b"meterstorm stream key v1");
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(self.id);
        generator.set_word_pos(u128::from(self.block) * BLOCK_WORDS as u128);
        for word in &mut self.words {
            *word = generator.next_u32();
        }
        self.block += 1;
        self.drawn = 0;
    }

    #[inline]
    fn word(&mut self) -> u32 {
        if self.drawn as usize == BLOCK_WORDS {
            self.refill();
        }
        let word = self.words[self.drawn as usize];
        self.drawn += 1;
        word
    }

    /// A uniform integer in `0..bound`; zero if `bound` is zero.
    ///
    /// The bias is below 2^-32 for every bound used here and the cost does not depend on luck.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A uniform number in `0.0..1.0` with 53 random bits.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Whether an event of probability `billionths` / 10^9 happens.
    ///
    /// Draws once even where the answer is certain, so that two arms which differ in the
    /// probability alone stay in step.
    pub fn chance(&mut self, billionths: u32) -> bool {
        ((u64::from(self.word()) * 1_000_000_000) >> 32) < u64::from(billionths)
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.word())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let low = u64::from(self.word());
        Ok(u64::from(self.word()) << 32 | low)
    }

    fn try_fill_bytes(&mut self, octets: &mut [u8]) -> Result<(), Infallible> {
        for chunk in octets.chunks_mut(4) {
            let word = self.word().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

impl core::fmt::Debug for Stream {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Stream")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// A bijective mix of 64 bits (the finaliser of SplitMix64).
pub const fn mix(mut value: u64) -> u64 {
    value ^= value >> 30;
    value = value.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value ^= value >> 27;
    value = value.wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ value >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_seed_entity_and_purpose_and_repeat_otherwise() {
        let draw = |seed, entity, purpose| Stream::new(seed, entity, purpose).next_u64();
        let first = draw(1, 7, Purpose::Load);
        assert_eq!(first, draw(1, 7, Purpose::Load));
        assert_ne!(first, draw(2, 7, Purpose::Load));
        assert_ne!(first, draw(1, 8, Purpose::Load));
        assert_ne!(first, draw(1, 7, Purpose::Uplink));
    }

    #[test]
    fn a_stream_continues_the_key_stream_of_the_generator() {
        let mut stream = Stream::new(3, 5, Purpose::Load);
        let mut key = [0; 32];
        key[..8].copy_from_slice(&3_u64.to_le_bytes());
        key[8..].copy_from_slice(b"meterstorm stream key v1");
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(5 << 16 | Purpose::Load as u64);
        for _ in 0..100 {
            assert_eq!(stream.next_u32(), generator.next_u32());
        }
    }

    #[test]
    fn chance_and_below_have_the_right_mean() {
        let mut stream = Stream::new(1, 1, Purpose::Uplink);
        let hits = (0..100_000).filter(|_| stream.chance(10_000_000)).count();
        assert!(
            (850..1_150).contains(&hits),
            "1 % of 100,000 within five sigma, got {hits}"
        );
        let sum: u64 = (0..100_000).map(|_| stream.below(1_000)).sum();
        assert!(
            (49_400_000..50_600_000).contains(&sum),
            "mean 499.5 within five sigma, got {sum}"
        );
        assert!(!stream.chance(0) && stream.chance(1_000_000_000));
        assert_eq!(stream.below(0), 0);
    }
}
