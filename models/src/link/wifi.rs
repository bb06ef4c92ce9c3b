//! Wi-Fi of a home as access: a router that belongs to the customer.
//!
//! IEEE 802.11n at 2.4 GHz at message level. What matters to a utility is less the air than the
//! router: it boots after the meter, restarts now and then, and is replaced without notice.

use super::outage::Renewal;
use super::{LaneProfile, LinkProfile, Medium};
use crate::dist::Dist;
use crate::rng::Stream;
use crate::time::{Duration, Time};

const MILLI: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;

/// A home network.
#[derive(Clone, Debug, PartialEq)]
pub struct Home {
    /// From power to a router that forwards, in nanoseconds.
    pub router_boot: Dist,
    /// Association and DHCP, in nanoseconds.
    pub association: Dist,
    /// Restarts and outages of the router.
    pub outages: Renewal,
    /// Share of the meters that lose their Wi-Fi for good each year, in billionths.
    pub lost_per_year_ppb: u32,
}

impl Home {
    /// A router that boots in 60-180 s, fails a few times a year for 5-30 min, and in 3.5 % of the
    /// homes is replaced within a year; the rates are assumptions.
    pub const TYPICAL: Self = Self {
        router_boot: Dist::Uniform(60 * SECOND, 180 * SECOND),
        association: Dist::Uniform(SECOND, 5 * SECOND),
        outages: Renewal {
            up: Dist::Exponential {
                min: 0,
                mean: 120 * 86_400 * SECOND,
            },
            down: Dist::Uniform(5 * 60 * SECOND, 30 * 60 * SECOND),
        },
        lost_per_year_ppb: 35_000_000,
    };

    /// When a meter has an address if the power returns at `power_on`.
    ///
    /// The meter waits for the router; `meter_boot` of its own counts at the same time.
    pub fn online(&self, power_on: Time, meter_boot: Duration, stream: &mut Stream) -> Time {
        let router = power_on + self.router_boot.duration(stream);
        let association = self.association.duration(stream);
        router.max(power_on + meter_boot) + association
    }

    /// When the customer takes the network away, if within `horizon` years of 365 days.
    pub fn lost(&self, horizon_years: u32, stream: &mut Stream) -> Option<Time> {
        const YEAR_NANOS: u64 = 365 * 86_400 * 1_000_000_000;
        let mut lost = None;
        for year in 0..u64::from(horizon_years) {
            let (chosen, when) = (
                stream.chance(self.lost_per_year_ppb),
                stream.below(YEAR_NANOS),
            );
            if chosen && lost.is_none() {
                lost = Some(Time(year * YEAR_NANOS + when));
            }
        }
        lost
    }
}

/// The link of a meter through a home network: median 3 ms, loss 10^-3 after retries.
pub fn link(name: &str) -> LinkProfile {
    // The tail of a busy home: the 99th percentile of a log-normal with this sigma is 70 ms.
    let lane = LaneProfile {
        latency: Dist::LogNormal {
            min: MILLI,
            median: 3 * MILLI,
            sigma: 1.35,
        },
        jitter: Dist::Fixed(0),
        loss_ppb: 1_000_000,
        rate_bps: 6_500_000,
        queue_octets: 65_536,
        connection: None,
    };
    LinkProfile {
        name: name.to_owned(),
        medium: Medium::Wifi,
        up: lane,
        down: lane,
        home: Some(Home::TYPICAL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Purpose;

    #[test]
    fn a_meter_comes_back_after_its_router() {
        let mut stream = Stream::new(1, 1, Purpose::Outage);
        for _ in 0..1_000 {
            let power_on = Time::from_secs(100);
            let online = Home::TYPICAL.online(power_on, Duration::from_secs(20), &mut stream);
            let after = online.saturating_since(power_on).as_secs();
            assert!((61..=185).contains(&after), "{after} s");
        }
        let slow = Home::TYPICAL.online(Time::ZERO, Duration::from_secs(600), &mut stream);
        assert!(
            (601..=605).contains(&(slow.0 / 1_000_000_000)),
            "its own boot counts as well"
        );
    }

    #[test]
    fn a_few_percent_lose_their_network_in_a_year() {
        let lost = (0..20_000)
            .filter(|&meter| {
                let mut stream = Stream::new(1, meter, Purpose::Outage);
                Home::TYPICAL.lost(1, &mut stream).is_some()
            })
            .count();
        assert!((600..800).contains(&lost), "3.5 % of 20,000, got {lost}");
    }

    #[test]
    fn latencies_have_the_median_and_tail_of_a_busy_home() {
        let mut stream = Stream::new(1, 2, Purpose::Uplink);
        let profile = link("wifi");
        let mut draws: Vec<_> = (0..20_000)
            .map(|_| profile.up.latency.sample(&mut stream))
            .collect();
        draws.sort_unstable();
        assert!(
            (2_800_000..3_200_000).contains(&draws[10_000]),
            "{}",
            draws[10_000]
        );
        assert!(
            (50 * MILLI..150 * MILLI).contains(&draws[19_800]),
            "{}",
            draws[19_800]
        );
    }
}
