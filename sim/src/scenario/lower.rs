//! From the schema to the parameters of the models.

use std::collections::BTreeMap;

use firmware::Duration;
use models::cost::ServerCost;
use models::link::wifi::Home;
use models::link::{self, LaneProfile, LinkProfile, cellular};
use models::load::{self, LoadModel, ShapeTable};

use super::dist::Dist;
use super::schema::{Coverage, Load, Medium, Season, ServerCosts, Technology};
use super::units::{Bytes, Civil, Drift, Quantity, Rate, Ratio};

/// A quantity that models draw, in whole units.
pub trait Drawn: Quantity {
    /// Number of units: nanoseconds, parts per thousand million.
    fn units(self) -> i64;
}

impl Drawn for Duration {
    fn units(self) -> i64 {
        i64::try_from(self.as_nanos()).unwrap_or(i64::MAX)
    }
}

impl Drawn for Drift {
    fn units(self) -> i64 {
        self.0
    }
}

impl<Q: Drawn> Dist<Q> {
    /// The distribution over whole units.
    pub fn model(&self) -> models::dist::Dist {
        match *self {
            Self::Fixed { value } => models::dist::Dist::Fixed(value.units()),
            Self::Uniform { min, max } => models::dist::Dist::Uniform(min.units(), max.units()),
            Self::Exponential { min, mean } => models::dist::Dist::Exponential {
                min: min.units(),
                mean: mean.units(),
            },
            Self::LogNormal { min, median, sigma } => models::dist::Dist::LogNormal {
                min: min.units(),
                median: median.units(),
                sigma,
            },
            Self::Normal { mean, sd } => models::dist::Dist::Normal {
                mean: mean.units(),
                deviation: sd.units(),
            },
        }
    }
}

impl Medium {
    /// The profile of a link of this medium, which the scenario calls `name`.
    ///
    /// That of a shared medium has the lanes of its concentrators.
    pub fn profile(&self, name: &str, media: &BTreeMap<String, Self>) -> LinkProfile {
        let lane =
            |latency: &Dist<Duration>, jitter, loss: Ratio, rate: Rate, queue: Bytes| LaneProfile {
                latency: latency.model(),
                jitter,
                loss_ppb: loss.ppb(),
                rate_bps: rate.0,
                queue_octets: queue.0,
                connection: None,
            };
        let none = models::dist::Dist::Fixed(0);
        let mut home = None;
        let (medium, up, down) = match self {
            Self::Ethernet {
                latency,
                loss,
                up,
                down,
                queue,
            } => {
                let up = lane(latency, none, *loss, *up, *queue);
                let down = lane(latency, none, *loss, *down, *queue);
                (link::Medium::Ethernet, up, down)
            }
            Self::Wan {
                latency,
                jitter,
                loss,
                up,
                down,
                queue,
            } => {
                let up = lane(latency, jitter.model(), *loss, *up, *queue);
                let down = lane(latency, jitter.model(), *loss, *down, *queue);
                (link::Medium::Wan, up, down)
            }
            Self::Wifi {
                latency,
                loss,
                rate,
                queue,
                router_boot,
                association,
            } => {
                home = Some(Home {
                    router_boot: router_boot.model(),
                    association: association.model(),
                    ..Home::TYPICAL
                });
                let lane = lane(latency, none, *loss, *rate, *queue);
                (link::Medium::Wifi, lane, lane)
            }
            Self::Cellular {
                technology,
                coverage,
                ..
            } => return technology.model().link_in(name, coverage.model()),
            Self::Mesh { backhaul, .. } | Self::G3Plc { backhaul, .. } => {
                return LinkProfile {
                    name: name.to_owned(),
                    ..media[backhaul].profile(backhaul, media)
                };
            }
        };
        LinkProfile {
            name: name.to_owned(),
            medium,
            up,
            down,
            home,
        }
    }
}

impl Technology {
    pub(super) const fn model(self) -> cellular::Technology {
        match self {
            Self::LteCat1 => cellular::Technology::LteCat1,
            Self::LteM1 => cellular::Technology::LteM1,
            Self::NbIot => cellular::Technology::NbIot,
        }
    }
}

impl Coverage {
    const fn model(self) -> cellular::Coverage {
        match self {
            Self::Normal => cellular::Coverage::Normal,
            Self::Extended => cellular::Coverage::Extended,
            Self::Extreme => cellular::Coverage::Extreme,
        }
    }
}

impl ServerCosts {
    /// The cost model of a head-end core.
    pub const fn model(&self) -> ServerCost {
        ServerCost {
            datagram: self.per_datagram,
            octet: self.per_octet,
            aes_block: self.aes_block,
            sha_block: self.sha_block,
            credential_lookup: self.credential_lookup,
            key_store_write: self.key_store_write,
        }
    }
}

impl Load {
    /// The load model of a run that starts at `start`.
    pub fn model(&self, start: Civil) -> LoadModel {
        let (_, month, _) = start.date();
        let season = match self.season {
            Season::FromCalendar if (4..=9).contains(&month) => load::Season::Summer,
            Season::FromCalendar | Season::Winter => load::Season::Winter,
            Season::Summer => load::Season::Summer,
        };
        LoadModel {
            shapes: ShapeTable::shipped(),
            season,
            house_sigma: self.house_sigma,
            day_sigma: self.day_sigma,
            day_correlation: self.day_correlation,
            interval_shape: 1.0 / (self.noise_cv * self.noise_cv),
            local_epoch_s: start.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load_text;

    #[test]
    fn a_medium_becomes_a_profile_of_two_lanes() {
        let text = r#"(
            name: "x",
            duration: "1h",
            cohorts: [(name: "a", count: 1, medium: "dsl")],
            media: {"dsl": Wan(
                latency: Uniform("20ms", "80ms"), jitter: Fixed("1ms"),
                loss: "1%", up: "1Mb/s", down: "10Mb/s", queue: "32KiB",
            )},
        )"#;
        let scenario = load_text("x.ron", text, &[]).unwrap().scenario;
        let profile = scenario.media["dsl"].profile("dsl", &scenario.media);
        assert_eq!(profile.medium, link::Medium::Wan);
        assert_eq!(profile.up.rate_bps, 1_000_000);
        assert_eq!(profile.down.rate_bps, 10_000_000);
        assert_eq!(profile.up.loss_ppb, 10_000_000);
        assert_eq!(profile.up.queue_octets, 32_768);
        assert_eq!(
            profile.up.latency,
            models::dist::Dist::Uniform(20_000_000, 80_000_000)
        );
        assert_eq!(profile.up.jitter, models::dist::Dist::Fixed(1_000_000));
    }

    #[test]
    fn the_calendar_decides_the_season() {
        let load = Load::default();
        let at = |text: &str| load.model(Civil::parse(text).unwrap()).season;
        assert_eq!(at("2026-03-31T23:59:59Z"), load::Season::Winter);
        assert_eq!(at("2026-04-01T00:00:00Z"), load::Season::Summer);
        assert_eq!(at("2026-09-30T00:00:00Z"), load::Season::Summer);
        assert_eq!(at("2026-10-01T00:00:00Z"), load::Season::Winter);
    }
}
