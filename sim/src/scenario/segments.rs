//! From the schema to the media that meters share.

use core::ops::Range;
use std::sync::Arc;

use models::cell::{CellKind, Cells};
use models::concentrator::{Layout, Mesh, Meshes, RelayPlan};
use models::link::channel::ChannelModel;
use models::link::contention::Table;
use models::link::phy::Phy;
use models::link::segment::SegmentPlan;
use models::link::topology::{Clusters, Feeders, Propagation, StreetGrid, import};
use models::link::{Hop, g3plc, sun_fsk};

use super::schema::{Band, Fading, Medium, MeshPhy, MeshTopology, Relay, Scenario, Tone};

/// Side of the square within which stations at 2.4 GHz defer to each other, in metres.
const CARRIER_SENSE_M: f64 = 200.0;
/// Thermal noise in dBm/Hz and noise figure of a receiver at 915 MHz in dB.
const NOISE_DBM_HZ: f64 = -174.0 + 8.0;

impl Medium {
    /// The medium of the concentrators, if meters share this one.
    pub fn backhaul(&self) -> Option<&str> {
        match self {
            Self::Mesh { backhaul, .. } | Self::G3Plc { backhaul, .. } => Some(backhaul),
            Self::Ethernet { .. }
            | Self::Wan { .. }
            | Self::Wifi { .. }
            | Self::Cellular { .. } => None,
        }
    }

    /// The C12.22 relay at the concentrators, if meters share this medium and sit behind one.
    pub const fn relay(&self) -> Option<&Relay> {
        match self {
            Self::Mesh { relay, .. } | Self::G3Plc { relay, .. } => relay.as_ref(),
            Self::Ethernet { .. }
            | Self::Wan { .. }
            | Self::Wifi { .. }
            | Self::Cellular { .. } => None,
        }
    }

    /// The shared medium with the link index `link` and concentrators on the link `backhaul`.
    fn shared(
        &self,
        (link, backhaul): (usize, usize),
        contention: impl Fn(Phy) -> Table,
    ) -> Option<Mesh> {
        let (phy, layout, fading, queue, most) = match self {
            Self::Mesh {
                phy,
                topology,
                meters_per_concentrator,
                fading,
                queue,
                ..
            } => {
                let layout = mesh_layout(*phy, topology);
                (
                    phy.model(),
                    layout,
                    *fading,
                    *queue,
                    *meters_per_concentrator,
                )
            }
            Self::G3Plc {
                band,
                tone,
                meters_per_concentrator,
                cables,
                pitch_m,
                snr_db,
                scatter_db,
                queue,
                ..
            } => {
                let tone = tone.model();
                let feeders = Feeders {
                    meters: 0,
                    cables: *cables,
                    pitch_m: *pitch_m,
                    snr_db: *snr_db,
                    scatter_db: *scatter_db,
                    frequency_hz: band.middle_hz(),
                };
                let phy = Phy::G3Plc(band.model(), tone.unwrap_or(g3plc::ToneMode::Robo));
                let layout = Layout::Feeders { feeders, tone };
                (
                    phy,
                    layout,
                    Fading::Steady,
                    *queue,
                    *meters_per_concentrator,
                )
            }
            _ => return None,
        };
        let plan = SegmentPlan {
            hop: Hop::new(phy),
            channel: match fading {
                Fading::Steady => ChannelModel::steady(),
                Fading::Varying => ChannelModel::varying(),
            },
            contention: Arc::new(contention(phy)),
            queue_datagrams: queue as usize,
            carrier_sense_m: CARRIER_SENSE_M,
        };
        Some(Mesh {
            link,
            backhaul,
            plan: Arc::new(plan),
            layout,
            meters_per_concentrator: most,
            relay: self.relay().map(Relay::plan),
        })
    }
}

impl Relay {
    const fn plan(&self) -> RelayPlan {
        RelayPlan {
            route_lifetime: self.route_lifetime,
            nodes_max: self.nodes_max as usize,
        }
    }
}

impl Scenario {
    /// The shared media, their concentrators and who belongs to which.
    ///
    /// `contention` is asked once for each medium. Names of media that do not exist are left out,
    /// so that a scenario with other mistakes can be looked at.
    pub fn meshes(&self, contention: impl Fn(Phy) -> Table) -> Meshes {
        let index = |name: &str| self.media.keys().position(|known| known == name);
        let kinds = self
            .media
            .iter()
            .enumerate()
            .filter_map(|(link, (_, medium))| {
                let backhaul = index(medium.backhaul()?)?;
                medium.shared((link, backhaul), &contention)
            });
        Meshes::new(kinds.collect(), &self.members(), self.headend.instances)
    }

    /// The meters of each cohort and the index of their medium.
    fn members(&self) -> Vec<(Range<u32>, usize)> {
        let index = |name: &str| self.media.keys().position(|known| known == name);
        let mut first = 0;
        let cohorts = self.cohorts.iter().map(|cohort| {
            let meters = first..first + cohort.count;
            first = meters.end;
            (meters, index(&cohort.medium).unwrap_or(usize::MAX))
        });
        cohorts.collect()
    }

    /// The cells of mobile operators and who belongs to which.
    pub fn cells(&self) -> Cells {
        let kinds = self.media.values().enumerate();
        let kinds = kinds.filter_map(|(link, medium)| match medium {
            Medium::Cellular {
                technology,
                meters_per_cell,
                ..
            } => Some(CellKind {
                link,
                parameters: technology.model().random_access(),
                meters_per_cell: *meters_per_cell,
            }),
            _ => None,
        });
        let kinds: Vec<CellKind> = kinds.collect();
        Cells::new(&kinds, &self.members(), self.headend.instances)
    }
}

fn mesh_layout(phy: MeshPhy, topology: &MeshTopology) -> Layout {
    let propagation = match phy.sun_fsk() {
        None => Propagation::SUBURB_2_4_GHZ,
        Some(mode) => Propagation {
            noise_dbm: NOISE_DBM_HZ + 10.0 * (mode.rate_bps() as f64).log10(),
            ..Propagation::SUBURB_915_MHZ
        },
    };
    match *topology {
        MeshTopology::List { ref csv } => {
            // A list with mistakes has been reported as such.
            let meters = import(csv).unwrap_or_default().into();
            Layout::List {
                meters,
                propagation,
            }
        }
        MeshTopology::StreetGrid {
            lot_m,
            block_m,
            scatter_m,
        } => {
            let grid = StreetGrid {
                meters: 0,
                lot_m,
                block_m,
                scatter_m,
            };
            Layout::Streets { grid, propagation }
        }
        MeshTopology::Clusters {
            clusters,
            half_side_m,
            spread_m,
        } => {
            let clusters = Clusters {
                meters: 0,
                clusters,
                half_side_m,
                spread_m,
            };
            Layout::Clusters {
                clusters,
                propagation,
            }
        }
    }
}

impl MeshPhy {
    const fn sun_fsk(self) -> Option<sun_fsk::Mode> {
        match self {
            Self::SunFsk50 => Some(sun_fsk::Mode::Kbps50),
            Self::SunFsk150 => Some(sun_fsk::Mode::Kbps150),
            Self::SunFsk300 => Some(sun_fsk::Mode::Kbps300),
            Self::Oqpsk24 => None,
        }
    }

    fn model(self) -> Phy {
        self.sun_fsk().map_or(Phy::OQpsk, Phy::SunFsk)
    }
}

impl Band {
    const fn model(self) -> g3plc::Band {
        match self {
            Self::CenelecA => g3plc::Band::CenelecA,
            Self::Fcc => g3plc::Band::Fcc,
        }
    }

    /// The frequency that stands for the attenuation of the band.
    const fn middle_hz(self) -> f64 {
        match self {
            Self::CenelecA => 63_000.0,
            Self::Fcc => 320_000.0,
        }
    }
}

impl Tone {
    const fn model(self) -> Option<g3plc::ToneMode> {
        match self {
            Self::Adaptive => None,
            Self::SuperRobo => Some(g3plc::ToneMode::SuperRobo),
            Self::Robo => Some(g3plc::ToneMode::Robo),
            Self::Dbpsk => Some(g3plc::ToneMode::Dbpsk),
            Self::Dqpsk => Some(g3plc::ToneMode::Dqpsk),
            Self::D8psk => Some(g3plc::ToneMode::D8psk),
        }
    }
}
