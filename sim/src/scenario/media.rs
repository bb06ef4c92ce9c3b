//! Media: the links of meters, and what meters share on their way to the head-end.

use firmware::Duration;

use super::dist::Dist;
use super::record::{choice, record};
use super::units::{Bytes, Rate, Ratio};

choice! {
    /// What connects meters with the head-end: a link of each, or a medium that they share.
    pub enum Medium {
        /// Wired local link, as of a meter with a 10/100 Mb/s port.
        Ethernet {
            /// One-way latency beyond serialisation and queueing.
            latency: Dist<Duration> = Dist::exponential(
                Duration::from_millis(1), Duration::from_micros(500),
            ),
            /// Share of datagrams that are lost.
            loss: Ratio = Ratio::ZERO,
            /// Data rate from the meter.
            up: Rate = Rate(100_000_000),
            /// Data rate to the meter.
            down: Rate = Rate(100_000_000),
            /// Octets that wait in each direction before the tail is dropped.
            queue: Bytes = Bytes(64 << 10),
        },
        /// Wide-area access such as DSL or a cellular modem.
        Wan {
            /// One-way latency beyond serialisation, queueing and jitter.
            latency: Dist<Duration> = Dist::lognormal(
                Duration::from_millis(5), Duration::from_millis(20), 0.5,
            ),
            /// Additional delay, drawn for every datagram; it may reorder datagrams.
            jitter: Dist<Duration> = Dist::fixed(Duration::ZERO),
            /// Share of datagrams that are lost.
            loss: Ratio = Ratio::percent(0),
            /// Data rate from the meter.
            up: Rate = Rate(5_000_000),
            /// Data rate to the meter.
            down: Rate = Rate(10_000_000),
            /// Octets that wait in each direction before the tail is dropped.
            queue: Bytes = Bytes(64 << 10),
        },
        /// Wi-Fi through the router of the customer (IEEE 802.11).
        Wifi {
            /// One-way latency beyond serialisation and queueing: that of a busy home.
            latency: Dist<Duration> = Dist::lognormal(
                Duration::from_millis(1), Duration::from_millis(3), 1.35,
            ),
            /// Share of datagrams that are lost after all retries.
            loss: Ratio = Ratio::permille(1),
            /// Data rate in both directions.
            rate: Rate = Rate(6_500_000),
            /// Octets that wait in each direction before the tail is dropped.
            queue: Bytes = Bytes(64 << 10),
            /// From the return of the power, which the home loses with its meter, to the router.
            router_boot: Dist<Duration> = Dist::uniform(
                Duration::from_secs(60), Duration::from_secs(180),
            ),
            /// From the router to an address of the meter: association and DHCP.
            association: Dist<Duration> = Dist::uniform(
                Duration::from_secs(1), Duration::from_secs(5),
            ),
        },
        /// A modem of a mobile operator, which connects when there is something to send.
        Cellular {
            /// Radio technology: sets rates, latency, loss and the time to connect.
            technology: Technology = Technology::LteM1,
            /// How well the modem hears its cell.
            coverage: Coverage = Coverage::Normal,
            /// The most meters that contend for random access to one cell, 1 to 100,000.
            meters_per_cell: u32 = 1_000,
        },
        /// Wireless mesh below border routers (IEEE 802.15.4, 6LoWPAN, RPL).
        Mesh {
            /// Physical layer.
            phy: MeshPhy = MeshPhy::SunFsk150,
            /// Where the meters stand.
            topology: MeshTopology = MeshTopology::StreetGrid {
                lot_m: 20.0,
                block_m: 120.0,
                scatter_m: 2.0,
            },
            /// Point-to-point medium between a border router and the head-end.
            backhaul: String,
            /// The most meters of a border router, 1 to 5,000.
            meters_per_concentrator: u32 = 500,
            /// How the quality of links changes over time.
            fading: Fading = Fading::Steady,
            /// Datagrams that wait at a station before the tail is dropped.
            queue: u32 = 16,
            /// A C12.22 relay at each border router, which C12.22 of its meters is addressed to;
            /// none if absent.
            relay: Option<Relay> = None,
        },
        /// Power line below a data concentrator at a transformer (G3-PLC, ITU-T G.9903).
        G3Plc {
            /// Frequency plan.
            band: Band = Band::CenelecA,
            /// Modulation and coding of the links.
            tone: Tone = Tone::Adaptive,
            /// Point-to-point medium between a data concentrator and the head-end.
            backhaul: String,
            /// The most meters of a data concentrator, 1 to 5,000.
            meters_per_concentrator: u32 = 100,
            /// Cables that leave the transformer.
            cables: u32 = 5,
            /// Metres from one house connection to the next.
            pitch_m: f64 = 12.0,
            /// Signal to noise ratio next to a sender, in dB.
            snr_db: f64 = 32.0,
            /// Standard deviation of what is added to the attenuation of a pair, in dB.
            scatter_db: f64 = 4.0,
            /// Datagrams that wait at a station before the tail is dropped.
            queue: u32 = 16,
            /// A C12.22 relay at each data concentrator, which C12.22 of its meters is addressed
            /// to; none if absent.
            relay: Option<Relay> = None,
        },
    }
}

record! {
    /// A C12.22 relay (RFC 6142): it forwards by title, without keys.
    pub struct Relay {
        /// How long it knows the way to a meter after a response to it, 1min to 366d. A meter whose
        /// reports are answered renews it with each of them.
        route_lifetime: Duration = Duration::from_secs(3_600),
        /// Titles that it remembers at most, 1 to 100,000; what comes from others it discards.
        nodes_max: u32 = 5_000,
    }
}

choice! {
    /// Physical layer of a wireless mesh (IEEE 802.15.4).
    #[derive(Copy, Eq)]
    pub enum MeshPhy {
        /// SUN FSK at 50 kb/s and 915 MHz, every receiver with a hopping sequence of its own.
        SunFsk50,
        /// SUN FSK at 150 kb/s.
        SunFsk150,
        /// SUN FSK at 300 kb/s.
        SunFsk300,
        /// O-QPSK at 250 kb/s and 2.4 GHz, all on one channel.
        Oqpsk24,
    }
}

choice! {
    /// Where the meters of a border router stand; it is in the middle.
    pub enum MeshTopology {
        /// Houses on both sides of streets that form a grid.
        StreetGrid {
            /// Width of a lot along the street, in metres.
            lot_m: f64 = 20.0,
            /// From one street to the next, in metres.
            block_m: f64 = 120.0,
            /// Standard deviation of a meter from the middle of its lot, in metres.
            scatter_m: f64 = 2.0,
        },
        /// Hamlets or apartment blocks around random centres.
        Clusters {
            /// Groups of meters.
            clusters: u32 = 5,
            /// Half the side of the square in which the centres lie, in metres.
            half_side_m: f64 = 200.0,
            /// Standard deviation of a meter from its centre, in metres.
            spread_m: f64 = 20.0,
        },
        /// A list of the meters of the only border router, which stands at 0, 0.
        List {
            /// CSV with columns meter, x_m, y_m and, if wanted, parent and transformer; instead
            /// of it, `file` may name a file with it, relative to the scenario.
            csv: String,
        },
    }
}

choice! {
    /// How the quality of links changes over time.
    #[derive(Copy, Eq)]
    pub enum Fading {
        /// Not at all.
        Steady,
        /// Good for an hour, fair for 20 minutes, bad for ten, on average.
        Varying,
    }
}

choice! {
    /// Frequency plan of a power line (ITU-T G.9903).
    #[derive(Copy, Eq)]
    pub enum Band {
        /// 35.9 to 90.6 kHz.
        CenelecA,
        /// 154.7 to 487.5 kHz.
        Fcc,
    }
}

choice! {
    /// Modulation and coding on a power line (ITU-T G.9903).
    #[derive(Copy, Eq)]
    pub enum Tone {
        /// On each link the fastest that it bears.
        Adaptive,
        /// Every bit six times.
        SuperRobo,
        /// Every bit four times.
        Robo,
        /// One bit per carrier.
        Dbpsk,
        /// Two bits per carrier.
        Dqpsk,
        /// Three bits per carrier.
        D8psk,
    }
}

choice! {
    /// A radio technology of a mobile operator.
    #[derive(Copy, Eq)]
    pub enum Technology {
        /// LTE category 1: 25 ms one way.
        LteCat1,
        /// LTE category M1, half duplex: 80 ms one way.
        LteM1,
        /// NB-IoT: 1.2 s one way.
        NbIot,
    }
}

choice! {
    /// How well a modem hears its cell (3GPP TS 36.331, coverage enhancement).
    #[derive(Copy, Eq)]
    pub enum Coverage {
        /// Maximum coupling loss up to 144 dB.
        Normal,
        /// Up to 154 dB: frames are repeated.
        Extended,
        /// Up to 164 dB, as in a basement: frames are repeated very often.
        Extreme,
    }
}
