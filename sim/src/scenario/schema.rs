//! What a scenario consists of.
//!
//! Every type here is declared through the macros of the `record` module: its fields, their
//! documentation and their defaults serve the decoder, the manifest and `meterstorm explain`
//! alike.

use std::collections::BTreeMap;

use firmware::Duration;

use super::record::{choice, record, settings};
use super::sweep::{Changes, Literal};
use super::units::{Civil, Drift, Ratio};

pub use super::attackers::{Attacker, Psk};
pub use super::capture::Capture;
pub use super::dist::Dist;
pub use super::distribution::{Area, Distribution, Failures};
pub use super::groups::{Delivery, Groups};
pub use super::han::Han;
pub use super::live::Live;
pub use super::mcu::Mcu;
pub use super::mdms::Mdms;
pub use super::media::{
    Band, Coverage, Fading, Medium, MeshPhy, MeshTopology, Relay, Technology, Tone,
};
pub use super::metering::Metering;
pub use super::optical::{FieldErrand, Optical, Probe};
pub use super::outage::OutageReports;
pub use super::recording::{Record, Table, Tap};
pub use super::replay::Replay;
pub use super::requests::{Reading, Requests, Schedule};
pub use super::rollout::Defect;
pub use super::switching::{Commands, Grid, Response, Switch};
pub use super::timeline::{Action, By, Step};

record! {
    /// A whole experiment: who takes part, what happens and what is expected.
    pub struct Scenario {
        /// Version of the scenario language; this program reads version 1.
        version: u32 = 1,
        /// Short name, used for the results folder.
        name: String,
        /// What the scenario is about, for reports.
        description: String = String::new(),
        /// Root of all randomness: equal seeds give equal runs.
        seed: u64 = 1,
        /// Civil time at which the run starts.
        start: Civil = Civil(1_768_435_200),
        /// Virtual time that the run lasts.
        duration: Duration,
        /// Groups of meters.
        cohorts: Vec<Cohort>,
        /// Links and shared media by name.
        media: BTreeMap<String, Medium>,
        /// Lifetime and rotation of sessions and keys.
        keys: Keys = Keys::default(),
        /// Parameters of the PANA exchange (RFC 5191).
        pana: Pana = Pana::default(),
        /// The server side.
        headend: Headend = Headend::default(),
        /// The meter data management system behind the head-end; none if absent.
        mdms: Option<Mdms> = None,
        /// Interval data that meters send.
        traffic: Traffic = Traffic::default(),
        /// Consumption that meters measure.
        load: Load = Load::default(),
        /// Service switches of the meters.
        switch: Switch = Switch::default(),
        /// Optical ports of the meters.
        optical: Optical = Optical::default(),
        /// The power system behind the premises.
        grid: Grid = Grid::default(),
        /// Which meters and concentrators lose power together.
        distribution: Distribution = Distribution::default(),
        /// What meters say about a loss of power; nothing if absent.
        outage_reports: Option<OutageReports> = None,
        /// Faults and actions at fixed times.
        timeline: Vec<Step> = Vec::new(),
        /// Passive observers of links; they change nothing.
        taps: Vec<Tap> = Vec::new(),
        /// Datagrams that are captured for Wireshark; none if absent.
        capture: Option<Capture> = None,
        /// How `meterstorm live` puts all this on real sockets.
        live: Live = Live::default(),
        /// Who attacks, and with what.
        attackers: Vec<Attacker> = Vec::new(),
        /// What is written to the results folder.
        record: Record = Record::default(),
        /// Budgets that end a run which would never end by itself.
        limits: Limits = Limits::default(),
        /// Assertions on the summary that set the exit code.
        expect: Vec<Expectation> = Vec::new(),
        /// Variations of this scenario that `meterstorm sweep` runs.
        sweep: Sweep = Sweep::default(),
    }
}

record! {
    /// A group of meters that are alike.
    pub struct Cohort {
        /// Name, unique among the cohorts.
        name: String,
        /// Number of meters, 1 to 10,000,000.
        count: u32,
        /// Medium that connects each meter to the head-end.
        medium: String,
        /// Virtual time at which a meter gets power for the first time.
        power_on: Dist<Duration> = Dist::uniform(Duration::ZERO, Duration::from_secs(60)),
        /// Time from power, or from a restart of the firmware, to the first PANA message.
        boot: Dist<Duration> = Dist::uniform(Duration::from_secs(5), Duration::from_secs(20)),
        /// Relative error of a meter's clock.
        clock_drift: Dist<Drift> = Dist::normal(Drift(0), Drift(20_000)),
        /// Processor, which sets the time that cryptography takes.
        mcu: Mcu = Mcu::CortexM4,
        /// Identity ID_P of a meter; `{n}` or `{n:06}` becomes its number in the cohort.
        identity: String = "{cohort}-{n:06}@ami.example".to_owned(),
        /// Datagrams that a meter holds while its processor is busy.
        inbox: u32 = 16,
        /// How the pre-shared keys came about.
        psk: Psk = Psk::Random,
        /// Share of the meters behind whose open switch something feeds back.
        back_feed: Ratio = Ratio::ZERO,
        /// How its meters report; as all others do (`traffic.report`) if absent.
        report: Option<CohortReport> = None,
        /// Full metering; if absent, meters count whole watt-hours in one register.
        metering: Option<Metering> = None,
        /// Recorded interval data that the premises use; if absent, `load` says what they use.
        replay: Option<Replay> = None,
        /// What homes do about demand response; if absent, nothing.
        response: Option<Response> = None,
        /// Home area network of each meter; none if absent.
        han: Option<Han> = None,
    }
}

record! {
    /// How the meters of a cohort report, unlike others.
    pub struct CohortReport {
        /// Reports want no response and are sent once, or are confirmed; see `traffic.report`.
        one_way: bool,
    }
}

settings! {
    /// Lifetime and rotation of PANA sessions and of the keys derived from them.
    pub struct Keys {
        /// Session-Lifetime that the server grants (RFC 5191 §8.9).
        session_lifetime: Duration = Duration::from_secs(86_400),
        /// When a meter re-authenticates, which rotates its key.
        reauthenticate: Reauthenticate = Reauthenticate::Fraction {
            from: Ratio::percent(75),
            to: Ratio::percent(90),
        },
        /// How long a superseded key is still accepted.
        overlap: Duration = Duration::from_secs(300),
        /// How long the server accepts a key past its expiry, for clock drift.
        grace: Duration = Duration::from_secs(5),
        /// Keys derived per authentication: 1, 2, 4, 7, 8, 14, 16 or 28.
        array_length: u8 = 1,
        /// Whether a meter's session and keys survive a power cut.
        storage: Storage = Storage::Volatile,
        /// Where a meter keeps which messages it has accepted; without effect unless the keys
        /// survive as well (`storage: Nvram`).
        playback: Storage = Storage::Nvram,
    }
}

choice! {
    /// When a meter starts its re-authentication.
    pub enum Reauthenticate {
        /// At a fixed period after the last success.
        Every {
            /// Time since the last success.
            period: Duration,
            /// Uniform deviation to either side, as a share of the period.
            jitter: Ratio = Ratio::percent(10),
        },
        /// At a uniformly drawn share of the session lifetime.
        Fraction {
            /// Earliest share.
            from: Ratio = Ratio::percent(75),
            /// Latest share.
            to: Ratio = Ratio::percent(90),
        },
    }
}

choice! {
    /// Where a meter keeps what it has to remember.
    #[derive(Copy, Eq)]
    pub enum Storage {
        /// In memory: a power cut loses it; without a session the meter authenticates anew.
        Volatile,
        /// In non-volatile memory: it survives a power cut as long as it is valid.
        Nvram,
    }
}

settings! {
    /// Parameters of the PANA exchange (RFC 5191).
    pub struct Pana {
        /// Algorithm pairs in order of preference.
        algorithms: Vec<Algorithm> = vec![Algorithm::HmacSha256],
        /// Carry EAP responses in answers instead of separate requests (RFC 5191 §4.1).
        piggyback: bool = true,
        /// Send the first EAP request in the first PAR.
        optimized: bool = false,
        /// Answer a PCI without keeping state (RFC 5191 §4.1).
        stateless: bool = false,
        /// Ask for the identity with EAP-Request/Identity first (RFC 3748 §5.1).
        identity_request: bool = false,
        /// Length of a nonce in octets, 8 to 256 (RFC 5191 §8.5).
        nonce_length: u16 = 16,
        /// Retransmission of the PCI (RFC 5191 §9: PCI_IRT, PCI_MRT, PCI_MRC, PCI_MRD).
        pci: Retransmission = Retransmission {
            irt: Duration::from_secs(1),
            mrt: Duration::from_secs(120),
            mrc: 0,
            mrd: Duration::ZERO,
        },
        /// Retransmission of requests (RFC 5191 §9: REQ_IRT, REQ_MRT, REQ_MRC, REQ_MRD).
        request: Retransmission = Retransmission {
            irt: Duration::from_secs(1),
            mrt: Duration::from_secs(30),
            mrc: 10,
            mrd: Duration::ZERO,
        },
        /// How long a session may stay unfinished (RFC 5191 §5.6, FAILED_SESS_TIMEOUT).
        failed_session_timeout: Duration = Duration::from_secs(120),
        /// Take a failure that no key protects as final, as RFC 5191 §4.1 has it; otherwise meters
        /// discard it, and a genuine one costs the whole `failed_session_timeout`.
        unprotected_failure: bool = true,
        /// Discarded EAP responses after which the server gives up; 0 means never.
        discard_limit: u8 = 0,
        /// Period of the liveness test in the access phase (RFC 5191 §4.3); none if absent.
        ping: Option<Duration> = None,
        /// Shortest time from the termination of a session until its meter authenticates anew,
        /// above zero; the longest is twice as long, and each meter draws its own.
        absence: Duration = Duration::from_secs(60),
    }
}

choice! {
    /// A pair of PRF and AUTH algorithm (RFC 5191 §5.3).
    #[derive(Copy, Eq)]
    pub enum Algorithm {
        /// PRF_HMAC_SHA2_256 and AUTH_HMAC_SHA2_256_128, codes 5 and 12.
        HmacSha256,
        /// PRF_HMAC_SHA1 and AUTH_HMAC_SHA1_160, codes 2 and 7.
        HmacSha1,
        /// PRF_AES128_CMAC and AUTH_AES_CMAC_96, codes 8 and 8.
        AesCmac,
    }
}

record! {
    /// Parameters of a retransmission (RFC 5191 §9).
    pub struct Retransmission {
        /// Initial retransmission time.
        irt: Duration,
        /// Maximum retransmission time; zero means no maximum.
        mrt: Duration,
        /// Maximum number of transmissions; zero means no maximum.
        mrc: u32,
        /// Maximum duration of the attempt; zero means no maximum.
        mrd: Duration,
    }
}

settings! {
    /// The server side: PANA authentication agents, key store and C12.22 host.
    pub struct Headend {
        /// Identity ID_S in EAP-PSK.
        id: String = "headend@utility.example".to_owned(),
        /// Independent instances; meters are spread evenly over them.
        instances: u32 = 1,
        /// Processor cores of an instance that serve datagrams.
        cores: u32 = 4,
        /// Datagrams that wait at an instance before the tail is dropped.
        buffer: u32 = 4_096,
        /// Unfinished sessions of an instance beyond which a PCI is dropped.
        half_open_limit: u32 = 50_000,
        /// Start afresh on a PCI from a meter that has a session, as after its reboot.
        replace_on_new_pci: bool = true,
        /// How many PCI of a network are answered; all if absent.
        pci_limit: Option<PciLimit> = None,
        /// Refuse an identity while a session of it is open at another address.
        one_place: bool = false,
        /// How far the time in a C12.22 message may be from the clock of the head-end.
        acceptance_window: Duration = Duration::from_secs(900),
        /// Service times.
        costs: ServerCosts = ServerCosts::default(),
        /// Orders to switches.
        commands: Commands = Commands::default(),
        /// Requests to meters.
        requests: Requests = Requests::default(),
        /// Reads that are made again and again.
        reads: Vec<Schedule> = Vec::new(),
        /// Groups of meters that are told something at once.
        groups: Groups = Groups::default(),
    }
}

record! {
    /// A limit on PCI by the network of their source address.
    pub struct PciLimit {
        /// Bits of an IPv4 address that name a network: 24 puts 256 addresses together.
        prefix: u8 = 24,
        /// Mean time between two PCI of a network.
        every: Duration,
        /// PCI that a network may send at once.
        burst: u32 = 8,
    }
}

settings! {
    /// Time that an instance of the head-end spends on a datagram.
    pub struct ServerCosts {
        /// Every datagram.
        per_datagram: Duration = Duration::from_micros(40),
        /// Every octet received.
        per_octet: Duration = Duration::from_nanos(2),
        /// Every AES block operation.
        aes_block: Duration = Duration::from_nanos(40),
        /// Every hash compression.
        sha_block: Duration = Duration::from_nanos(150),
        /// Looking up a meter's long-term key.
        credential_lookup: Duration = Duration::from_micros(200),
        /// Writing a derived key to the key store.
        key_store_write: Duration = Duration::from_micros(2_000),
    }
}

settings! {
    /// Interval data that meters send.
    pub struct Traffic {
        /// Length of a load profile interval.
        interval: Duration = Duration::from_secs(900),
        /// How intervals reach the head-end.
        report: Report = Report::default(),
        /// Register with the C12.22 service before the first report.
        register: bool = true,
        /// Period after which a meter registers again.
        registration_period: Duration = Duration::from_secs(86_400),
    }
}

settings! {
    /// How intervals reach the head-end.
    pub struct Report {
        /// Period of the reports, a multiple of the interval.
        every: Duration = Duration::from_secs(900),
        /// Width of the window behind the period in which each meter has its fixed offset.
        spread: Duration = Duration::from_secs(60),
        /// Protection of the messages (IEEE 1703, EAX').
        security: Security = Security::Encrypted,
        /// Time to wait for the response before the report is sent again.
        timeout: Duration = Duration::from_secs(10),
        /// Transmissions of a report before it waits for the next one.
        attempts: u32 = 4,
        /// Reports want no response and are sent once: what is lost is missing until a read of the
        /// load profile (`headend.reads`) brings it. Cohorts may choose for themselves.
        one_way: bool = false,
    }
}

choice! {
    /// Security mode of C12.22 messages.
    #[derive(Copy, Eq)]
    pub enum Security {
        /// Encrypted and authenticated.
        Encrypted,
        /// Authenticated, readable by anyone.
        Authenticated,
        /// Neither.
        Clear,
    }
}

settings! {
    /// Consumption of the premises, a built-in hourly shape with variation.
    pub struct Load {
        /// Which shape applies.
        season: Season = Season::FromCalendar,
        /// Spread between premises: sigma of a lognormal factor of mean 1.
        house_sigma: f64 = 0.5,
        /// Spread between days of a premise: sigma of a lognormal factor of mean 1.
        day_sigma: f64 = 0.15,
        /// Correlation of a day's level with that of the day before, 0 to 1.
        day_correlation: f64 = 0.6,
        /// Coefficient of variation of an interval about its mean.
        noise_cv: f64 = 1.0,
    }
}

choice! {
    /// Season of the load shape.
    #[derive(Copy, Eq)]
    pub enum Season {
        /// Winter from October to March, summer otherwise.
        FromCalendar,
        /// Summer all year.
        Summer,
        /// Winter all year.
        Winter,
    }
}

settings! {
    /// Budgets that end a run which would never end by itself.
    pub struct Limits {
        /// Events within one instant of virtual time.
        events_per_instant: u64 = 50_000_000,
        /// Events of the whole run.
        events: u64 = 1_000_000_000_000,
        /// Time by the wall clock; none if absent.
        wall_time: Option<Duration> = None,
    }
}

choice! {
    /// An assertion on a number of the summary.
    pub enum Expectation {
        /// The metric is not below the value.
        AtLeast {
            /// Path into `summary.json`.
            metric: String,
            /// Bound in the metric's unit; a ratio may be written as "99.9%".
            value: f64,
        },
        /// The metric is not above the value.
        AtMost {
            /// Path into `summary.json`.
            metric: String,
            /// Bound in the metric's unit; a ratio may be written as "99.9%".
            value: f64,
        },
        /// The metric lies between the values or on one of them.
        Between {
            /// Path into `summary.json`.
            metric: String,
            /// Lower bound.
            low: f64,
            /// Upper bound.
            high: f64,
        },
        /// The metric is exactly the value.
        Equals {
            /// Path into `summary.json`.
            metric: String,
            /// The value.
            value: f64,
        },
    }
}

settings! {
    /// Variations of a scenario: every arm at every point, each replicated.
    pub struct Sweep {
        /// Levels by the path of the value that takes them; a point has one level of each.
        factors: Changes<Vec<Literal>> = Changes::default(),
        /// Sets of changes that are compared with each other; one without changes if absent.
        arms: Vec<Arm> = Vec::new(),
        /// Runs of each arm at each point. Those of one number share a seed in all of them.
        replications: u32 = 1,
        /// What is expected of some arms and points instead of what the scenario expects.
        expect: Vec<Case> = Vec::new(),
    }
}

record! {
    /// Expectations of the runs of an arm, of a level, or of an arm at a level.
    ///
    /// A run is judged by all cases that it belongs to, and by the expectations of the scenario
    /// only if it belongs to none.
    pub struct Case {
        /// Which arm; all if absent.
        arm: Option<String> = None,
        /// Levels of factors by their paths; of factors that are absent, all.
        at: Changes<Literal> = Changes::default(),
        /// Assertions on the summary of each run.
        expect: Vec<Expectation>,
    }
}

record! {
    /// A set of changes to the scenario that is compared with others.
    pub struct Arm {
        /// Name, unique among the arms.
        name: String,
        /// Values by their paths, as in `{"keys.overlap": "1min"}`.
        set: Changes<Literal> = Changes::default(),
    }
}
