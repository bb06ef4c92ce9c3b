//! Limits on what comes from outside, in constant memory.

use std::net::Ipv4Addr;
use std::time::Duration as WallDuration;

use models::rng::mix;

/// Sources that are told apart at once.
const SLOTS: usize = 1 << 15;
/// Slots in which a source may be remembered.
const WAYS: usize = 4;

/// Tokens that refill with time, a second's worth at most.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// Millionths of a token.
    micros: u64,
    filled: WallDuration,
}

impl Bucket {
    fn full(rate: u32) -> Self {
        Self {
            micros: u64::from(rate) * 1_000_000,
            filled: WallDuration::ZERO,
        }
    }

    /// Takes a token of those that come at `rate` per second, if there is one `now`.
    fn take(&mut self, rate: u32, now: WallDuration) -> bool {
        let rate = u64::from(rate);
        let elapsed = now.saturating_sub(self.filled).as_micros();
        let gained = elapsed.saturating_mul(u128::from(rate));
        let gained = u64::try_from(gained).unwrap_or(u64::MAX);
        self.micros = self.micros.saturating_add(gained).min(rate * 1_000_000);
        self.filled = now;
        let left = self.micros.checked_sub(1_000_000);
        self.micros = left.unwrap_or(self.micros);
        left.is_some()
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    source: Option<Ipv4Addr>,
    bucket: Bucket,
}

/// Admits so many datagrams per second from one source, and so many from all.
///
/// A source that is not remembered any more starts with a full bucket, so somebody who has many
/// addresses meets the limit on all sources only.
#[derive(Debug)]
pub(super) struct Limiter {
    per_source: u32,
    total: u32,
    all: Bucket,
    slots: Vec<Slot>,
}

impl Limiter {
    /// A limiter of `per_source` and `total` datagrams per second, where zero is no limit.
    pub(super) fn new(per_source: u32, total: u32) -> Self {
        Self {
            per_source,
            total,
            all: Bucket::full(total),
            slots: vec![Slot::default(); SLOTS],
        }
    }

    /// Whether a datagram from `source` is let in; if not, why.
    pub(super) fn admit(
        &mut self,
        source: Ipv4Addr,
        is_exempt: bool,
        now: WallDuration,
    ) -> Result<(), &'static str> {
        if self.per_source != 0 && !is_exempt {
            let rate = self.per_source;
            if !self.bucket_of(source).take(rate, now) {
                return Err("source_limit");
            }
        }
        if self.total != 0 && !self.all.take(self.total, now) {
            return Err("total_limit");
        }
        Ok(())
    }

    fn bucket_of(&mut self, source: Ipv4Addr) -> &mut Bucket {
        let set = mix(source.to_bits().into()) as usize % (SLOTS / WAYS);
        let rate = self.per_source;
        let ways = &mut self.slots[set * WAYS..(set + 1) * WAYS];
        let known = ways.iter().position(|slot| slot.source == Some(source));
        let index = known.unwrap_or_else(|| {
            let oldest = |index: &usize| ways[*index].bucket.filled;
            (0..WAYS).min_by_key(oldest).unwrap_or(0)
        });
        let slot = &mut ways[index];
        if known.is_none() {
            *slot = Slot {
                source: Some(source),
                bucket: Bucket::full(rate),
            };
        }
        &mut slot.bucket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(limiter: &mut Limiter, source: u32, count: u32, at_ms: u64) -> usize {
        let now = WallDuration::from_millis(at_ms);
        let source = Ipv4Addr::from_bits(source);
        let admit = |_: &u32| limiter.admit(source, false, now).is_ok();
        (0..count).filter(admit).count()
    }

    #[test]
    fn a_source_has_a_second_s_worth_and_then_its_rate() {
        let mut limiter = Limiter::new(100, 0);
        assert_eq!(admitted(&mut limiter, 1, 1_000, 0), 100);
        assert_eq!(admitted(&mut limiter, 1, 1_000, 250), 25);
        assert_eq!(admitted(&mut limiter, 2, 1_000, 250), 100, "another source");
        assert_eq!(admitted(&mut limiter, 1, 1_000, 60_000), 100);
    }

    #[test]
    fn all_sources_share_the_total_and_exempt_ones_only_that() {
        let mut limiter = Limiter::new(10, 50);
        let all: usize = (0..100)
            .map(|source| admitted(&mut limiter, source, 20, 0))
            .sum();
        assert_eq!(all, 50);
        let mut limiter = Limiter::new(10, 50);
        let now = WallDuration::ZERO;
        let exempt = (0..100).filter(|_| limiter.admit(Ipv4Addr::LOCALHOST, true, now).is_ok());
        assert_eq!(exempt.count(), 50);
    }

    #[test]
    fn no_limit_admits_everything_in_the_same_memory() {
        let mut limiter = Limiter::new(0, 0);
        let all: usize = (0..100_000)
            .map(|source| admitted(&mut limiter, source, 1, 0))
            .sum();
        assert_eq!((all, limiter.slots.len()), (100_000, SLOTS));
    }
}
