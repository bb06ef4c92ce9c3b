//! What fails together: a feeder takes its meters, relays and concentrators with it.
//!
//! ```text
//! substation -- feeder -- transformer -- meter, relay, concentrator, cell on its battery
//! ```
//!
//! An outage of the grid is an outage of communication as well, and its end is a storm: everything
//! on the feeder starts again within seconds.

use crate::dist::Dist;
use crate::rng::{Purpose, Stream};
use crate::time::{Duration, Time};

/// Something that needs power from a transformer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Consumer {
    /// Its entity.
    pub entity: u32,
    /// Index of its transformer.
    pub transformer: u32,
    /// How long it lives without the grid, in nanoseconds.
    pub battery: Dist,
}

/// The part of the grid that matters here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grid {
    /// The feeder of each transformer.
    pub feeder_of: Vec<u32>,
    /// Meters and equipment.
    pub consumers: Vec<Consumer>,
}

/// Where the power fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Everywhere.
    Substation,
    /// On a feeder.
    Feeder(u32),
    /// At a transformer.
    Transformer(u32),
}

/// A failure and its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outage {
    /// Where.
    pub extent: Extent,
    /// When it begins.
    pub from: Time,
    /// When the first consumers have power again.
    pub until: Time,
    /// From the first to each transformer's return, in nanoseconds.
    pub restoration: Dist,
}

/// One consumer without power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interruption {
    /// When it goes off, its battery having run out.
    pub off: Time,
    /// When it comes back.
    pub on: Time,
    /// Which one.
    pub entity: u32,
}

impl Grid {
    /// The consumers that an outage leaves without power, in order of time.
    ///
    /// A transformer returns as a whole; a consumer whose battery lasts until then notices
    /// nothing. The draws of a consumer depend on `seed`, its entity and the `number` of the outage
    /// only.
    pub fn interruptions(&self, outage: &Outage, seed: u64, number: u32) -> Vec<Interruption> {
        let affected = |transformer: u32| match outage.extent {
            Extent::Substation => true,
            Extent::Feeder(feeder) => self.feeder_of.get(transformer as usize) == Some(&feeder),
            Extent::Transformer(only) => transformer == only,
        };
        let event = |entity: u32| Stream::for_address(seed, u64::from(entity), u64::from(number));
        let returns: Vec<Time> = (0..self.feeder_of.len() as u32)
            .map(|transformer| {
                let mut stream =
                    Stream::new(seed ^ u64::from(number), transformer, Purpose::Outage);
                outage.until + outage.restoration.duration(&mut stream)
            })
            .collect();
        let mut interruptions: Vec<_> = self
            .consumers
            .iter()
            .filter(|consumer| affected(consumer.transformer))
            .filter_map(|consumer| {
                let off = outage.from + consumer.battery.duration(&mut event(consumer.entity));
                let on = *returns.get(consumer.transformer as usize)?;
                (off < on).then_some(Interruption {
                    off,
                    on,
                    entity: consumer.entity,
                })
            })
            .collect();
        interruptions.sort_unstable();
        interruptions
    }
}

/// Failures that come and go at random (an alternating renewal process).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Renewal {
    /// Time between failures, in nanoseconds.
    pub up: Dist,
    /// Time to repair, in nanoseconds.
    pub down: Dist,
}

impl Renewal {
    /// Failures and repairs from the start up to `horizon`, in order.
    pub fn outages(&self, horizon: Duration, stream: &mut Stream) -> Vec<(Time, Time)> {
        let end = Time(horizon.as_nanos());
        let mut outages = Vec::new();
        let mut now = Time::ZERO;
        loop {
            // At least a nanosecond each, so that time passes whatever the distributions say.
            let from = now + self.up.duration(stream) + Duration::from_nanos(1);
            let until = from + self.down.duration(stream) + Duration::from_nanos(1);
            if from >= end {
                return outages;
            }
            outages.push((from, until));
            now = until;
        }
    }

    /// Share of the time without failure, over a long time, by sampling `cycles` of them.
    pub fn availability(&self, cycles: u32, stream: &mut Stream) -> f64 {
        let (mut up, mut down) = (0.0, 0.0);
        for _ in 0..cycles {
            up += self.up.duration(stream).as_nanos() as f64;
            down += self.down.duration(stream).as_nanos() as f64;
        }
        up / (up + down)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000_000;

    /// Two feeders of two transformers with ten meters and a concentrator each.
    fn grid() -> Grid {
        let consumers = (0..44).map(|entity| Consumer {
            entity,
            transformer: entity / 11,
            battery: if entity % 11 == 10 {
                Dist::Fixed(2 * HOUR)
            } else {
                Dist::Fixed(0)
            },
        });
        Grid {
            feeder_of: vec![0, 0, 1, 1],
            consumers: consumers.collect(),
        }
    }

    fn outage(extent: Extent, hours: u64) -> Outage {
        Outage {
            extent,
            from: Time::from_secs(3_600),
            until: Time::from_secs(3_600 * (1 + hours)),
            restoration: Dist::Uniform(0, 10_000_000_000),
        }
    }

    #[test]
    fn a_feeder_takes_its_own_consumers_and_no_others() {
        let off = grid().interruptions(&outage(Extent::Feeder(1), 3), 1, 0);
        let mut entities: Vec<_> = off.iter().map(|interruption| interruption.entity).collect();
        entities.sort_unstable();
        assert_eq!(entities, (22..44).collect::<Vec<_>>());
        let one = grid().interruptions(&outage(Extent::Transformer(2), 3), 1, 0);
        assert_eq!(one.len(), 11);
        assert_eq!(
            grid()
                .interruptions(&outage(Extent::Substation, 3), 1, 0)
                .len(),
            44
        );
        assert!(
            grid()
                .interruptions(&outage(Extent::Feeder(9), 3), 1, 0)
                .is_empty()
        );
    }

    #[test]
    fn a_battery_bridges_a_short_outage_and_delays_a_long_one() {
        let short = grid().interruptions(&outage(Extent::Feeder(0), 1), 1, 0);
        assert_eq!(short.len(), 20, "both concentrators stay on");
        let long = grid().interruptions(&outage(Extent::Feeder(0), 3), 1, 0);
        let concentrator = long
            .iter()
            .find(|i| i.entity == 10)
            .expect("off in the end");
        assert_eq!(concentrator.off, Time::from_secs(3 * 3_600));
    }

    #[test]
    fn a_transformer_returns_as_a_whole_within_the_restoration() {
        let off = grid().interruptions(&outage(Extent::Substation, 3), 1, 0);
        for transformer in 0..4 {
            let mut returns: Vec<_> = off
                .iter()
                .filter(|i| i.entity / 11 == transformer)
                .map(|i| i.on)
                .collect();
            returns.dedup();
            assert_eq!(returns.len(), 1);
            let after = returns[0].saturating_since(Time::from_secs(4 * 3_600));
            assert!(after <= Duration::from_secs(10));
        }
        let again = grid().interruptions(&outage(Extent::Substation, 3), 1, 0);
        assert_eq!(off, again);
        assert_ne!(
            off,
            grid().interruptions(&outage(Extent::Substation, 3), 1, 1)
        );
    }

    #[test]
    fn failures_alternate_and_have_their_availability() {
        let renewal = Renewal {
            up: Dist::Exponential {
                min: 0,
                mean: 719 * HOUR,
            },
            down: Dist::Exponential { min: 0, mean: HOUR },
        };
        let mut stream = Stream::new(1, 1, Purpose::Outage);
        let horizon = Duration::from_secs(720 * 3_600 * 4_000);
        let outages = renewal.outages(horizon, &mut stream);
        assert!((3_700..4_300).contains(&outages.len()), "{}", outages.len());
        assert!(outages.windows(2).all(|pair| pair[0].1 <= pair[1].0));
        let down: u64 = outages.iter().map(|(from, until)| until.0 - from.0).sum();
        let availability = 1.0 - down as f64 / horizon.as_nanos() as f64;
        assert!(
            (availability - 719.0 / 720.0).abs() < 1e-4,
            "{availability}"
        );
        let sampled = renewal.availability(100_000, &mut stream);
        assert!((sampled - 719.0 / 720.0).abs() < 1e-4, "{sampled}");
    }

    #[test]
    fn a_process_that_never_is_up_still_ends() {
        let always_down = Renewal {
            up: Dist::Fixed(0),
            down: Dist::Fixed(HOUR),
        };
        let mut stream = Stream::new(1, 1, Purpose::Outage);
        assert_eq!(
            always_down
                .outages(Duration::from_secs(36_000), &mut stream)
                .len(),
            10
        );
    }
}
