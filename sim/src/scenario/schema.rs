//! What a scenario consists of.
//!
//! Every type here is declared through the macros of the `record` module: its fields, their
//! documentation and their defaults serve the decoder, the manifest and `meterstorm explain`
//! alike.

use std::collections::BTreeMap;

use firmware::Duration;

use super::record::{choice, record, settings};
use super::sweep::{Changes, Literal};
use super::units::{Bytes, Civil, Drift, Rate, Ratio};

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
pub use super::replay::Replay;
pub use super::requests::{Reading, Requests, Schedule};
pub use super::rollout::Defect;
pub use super::switching::{Commands, Grid, Response, Switch};

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

record! {
    /// Something that happens at a fixed time.
    pub struct Step {
        /// Virtual time since the start of the run.
        at: Duration,
        /// What happens.
        action: Action,
    }
}

choice! {
    /// A fault or a command.
    pub enum Action {
        /// Meters lose power.
        PowerOff {
            /// Whose meters.
            cohort: String,
            /// Share of the meters, drawn at random.
            fraction: Ratio = Ratio::ONE,
            /// Window over which they lose it, uniformly.
            over: Duration = Duration::ZERO,
        },
        /// All meters of a cohort that are off get power.
        PowerOn {
            /// Whose meters.
            cohort: String,
            /// Window over which they get it, uniformly.
            within: Duration = Duration::ZERO,
        },
        /// Part of the distribution network fails, with everything that it supplies.
        Outage {
            /// What fails.
            area: Area = Area::City,
            /// Until the first consumers return.
            duration: Duration,
            /// From then to the return of each transformer.
            restoration: Dist<Duration> = Dist::fixed(Duration::ZERO),
            /// Of the whole city: from the return of one feeder to that of the next.
            stagger: Duration = Duration::ZERO,
        },
        /// Concentrators or border routers lose power, the grid being well.
        ConcentratorDown {
            /// Whose: the name of their shared medium.
            medium: String,
            /// Share of them, drawn at random.
            fraction: Ratio = Ratio::ONE,
            /// Window over which they lose it, uniformly.
            over: Duration = Duration::ZERO,
            /// How long each is without; it boots afterwards.
            duration: Duration,
        },
        /// An instance of the head-end stops serving.
        HeadendDown {
            /// Which instance, from 0.
            instance: u32 = 0,
            /// How long.
            duration: Duration,
            /// Whether its sessions and keys are gone afterwards.
            lose_sessions: bool = false,
        },
        /// The loss of a medium changes for a while.
        LinkLoss {
            /// Which medium.
            medium: String,
            /// Share of datagrams that are lost meanwhile.
            loss: Ratio,
            /// How long.
            duration: Duration,
        },
        /// The operator opens switches.
        Disconnect {
            /// Whose meters.
            cohort: String,
            /// Share of the meters, drawn at random; equal shares are the same meters.
            fraction: Ratio = Ratio::ONE,
            /// Orders per second; what `headend.commands` allows if absent.
            rate_per_s: Option<f64> = None,
            /// Window in which each meter acts at random; whole seconds.
            window: Duration = Duration::ZERO,
        },
        /// The operator closes switches.
        Connect {
            /// Whose meters.
            cohort: String,
            /// Share of the meters, drawn at random; equal shares are the same meters.
            fraction: Ratio = Ratio::ONE,
            /// Orders per second; what `headend.commands` allows if absent.
            rate_per_s: Option<f64> = None,
            /// Window in which each meter acts at random; whole seconds.
            window: Duration = Duration::ZERO,
        },
        /// The operator reads meters and waits for the answers (RFC 8036 class C2).
        OnDemandRead {
            /// Whose meters.
            cohort: String,
            /// Share of the meters, drawn at random; equal shares are the same meters.
            fraction: Ratio = Ratio::ONE,
            /// What is read.
            what: Reading = Reading::Registers,
            /// Window over which the meters are asked, one after the other.
            window: Duration = Duration::ZERO,
        },
        /// The operator sets the clocks of meters (standard procedure 10).
        SetTime {
            /// Whose meters.
            cohort: String,
            /// Share of the meters, drawn at random; equal shares are the same meters.
            fraction: Ratio = Ratio::ONE,
            /// Window over which the meters are asked, one after the other.
            window: Duration = Duration::ZERO,
        },
        /// The operator writes a table to meters: prices, a calendar, a configuration.
        Download {
            /// Whose meters.
            cohort: String,
            /// Share of the meters, drawn at random; equal shares are the same meters.
            fraction: Ratio = Ratio::ONE,
            /// Number of the table; those of manufacturer tables lie 2048 higher.
            table: u16,
            /// Its octets in hexadecimal digits.
            data: String,
            /// Write a pending table and activate it when all of it is there (procedure 12).
            pending: bool = false,
            /// Window over which the meters are asked, one after the other.
            window: Duration = Duration::ZERO,
        },
        /// The operator sends a firmware image to meters in blocks; it runs from a time on.
        ///
        /// A meter that is interrupted goes on where it was. Once it has started anew its keys are
        /// gone and it authenticates anew.
        FirmwareUpdate {
            /// Whose meters.
            cohort: String,
            /// Share of the meters, drawn at random; equal shares are the same meters.
            fraction: Ratio = Ratio::ONE,
            /// Version, major and minor; meters run 2.3 and take only what is newer.
            version: String,
            /// Size of the image, at most 12,000 blocks.
            size: Bytes,
            /// Octets of a block, 64 to 1,024.
            block: u16 = 256,
            /// Blocks in one message, together at most 1,792 octets; more than about 420 octets
            /// travel in segments.
            blocks_per_message: u16 = 1,
            /// Rate at which all instances together send blocks; no limit if absent.
            rate: Option<Rate> = None,
            /// Shares of these meters that have been asked, wave by wave; all at once if absent.
            waves: Vec<Ratio> = Vec::new(),
            /// From one wave to the next.
            wave_every: Duration = Duration::from_secs(86_400),
            /// Share of a wave that has to run the new image before the next one begins, when its
            /// time has come; each head-end instance looks at its own meters. By time if absent.
            proceed_at: Option<Ratio> = None,
            /// Share of a wave, of its meters at an instance, whose failure halts the update there:
            /// no further meter is asked. Nothing halts it if absent.
            halt_on: Option<Ratio> = None,
            /// From the beginning of a wave to the time at which its meters start anew.
            activate: Duration = Duration::from_secs(12 * 3_600),
            /// Window after that in which each meter starts anew at random; whole seconds.
            spread: Duration = Duration::from_secs(600),
            /// What is wrong with the image, for tests of meters.
            defect: Defect = Defect::Sound,
            /// Window over which the meters of a wave are asked, one after the other.
            window: Duration = Duration::ZERO,
        },
        /// The head-end plays every C12.22 service with meters; refused ones are counted.
        ServiceTest {
            /// Whose meters.
            cohort: String,
            /// Share of the meters, drawn at random; equal shares are the same meters.
            fraction: Ratio = Ratio::ONE,
            /// Tell the meters to leave the network at the end, until their next session.
            disconnect: bool = false,
            /// Window over which the meters are asked, one after the other.
            window: Duration = Duration::ZERO,
        },
        /// The operator asks homes to limit their controllable load: an event of demand response.
        DemandResponse {
            /// Number of the event, which meters show.
            id: u32,
            /// Whose meters.
            cohort: String,
            /// Share of the meters, drawn at random; equal shares are the same meters.
            fraction: Ratio = Ratio::ONE,
            /// From the order to the beginning of the event.
            notice: Duration = Duration::ZERO,
            /// How long the event lasts; whole minutes.
            duration: Duration,
            /// What controllable load may draw, of what it would; whole per cent below 100 %.
            level: Ratio,
            /// Window in which each meter begins and ends at random; whole seconds.
            window: Duration = Duration::ZERO,
            /// Orders per second; what `headend.commands` allows if absent.
            rate_per_s: Option<f64> = None,
            /// How meters are told.
            delivery: Delivery = Delivery::Unicast,
        },
        /// The operator ends an event of demand response early.
        CancelResponse {
            /// Number of the event.
            id: u32,
            /// Whose meters.
            cohort: String,
            /// Share of the meters, drawn at random; equal shares are the same meters.
            fraction: Ratio = Ratio::ONE,
            /// Window in which each meter ends at random; whole seconds.
            window: Duration = Duration::ZERO,
            /// Orders per second; what `headend.commands` allows if absent.
            rate_per_s: Option<f64> = None,
            /// How meters are told.
            delivery: Delivery = Delivery::Unicast,
        },
        /// Meters leave the group of their cohort: they are not given its next key.
        LeaveGroup {
            /// Whose meters.
            cohort: String,
            /// Share of the meters, drawn at random; equal shares are the same meters.
            fraction: Ratio = Ratio::ONE,
        },
        /// Technicians go from meter to meter and talk to the optical ports.
        FieldService {
            /// Whose meters.
            cohort: String,
            /// Share of the meters, drawn at random; equal shares are the same meters.
            fraction: Ratio = Ratio::ONE,
            /// What they do at each.
            errand: FieldErrand = FieldErrand::Read { tables: vec![1, 3, 5, 52, 74, 76] },
            /// How many technicians share the meters; each takes neighbouring ones.
            technicians: u32 = 1,
            /// Time from one meter to the next, and to the first.
            travel: Dist<Duration> = Dist::uniform(
                Duration::from_secs(120), Duration::from_secs(360),
            ),
            /// Time on site, after which a technician leaves whether he has finished or not.
            per_visit: Duration = Duration::from_secs(300),
            /// Number of the user, which the logs of meters show.
            user_id: u16 = 2,
            /// Name of the user, at most 10 octets.
            user: String = "FIELD".to_owned(),
            /// The password; without one a technician has the rights of everybody.
            password: String = String::new(),
            /// His equipment.
            probe: Probe = Probe::default(),
        },
        /// Meters re-authenticate ahead of time, as after a key revocation (RFC 5191 §4.3).
        /// Only open sessions do.
        Reauthenticate {
            /// Whose meters.
            cohort: String,
            /// Share of the meters, drawn at random.
            fraction: Ratio = Ratio::ONE,
            /// Which end begins: a meter asks by PNR, the head-end sends a PAR at once.
            by: By = By::Meter,
            /// Window over which they start, uniformly.
            within: Duration = Duration::ZERO,
        },
        /// Open sessions are terminated by PTR and PTA, and their keys end (RFC 5191 §4.4).
        /// Each meter authenticates anew after `pana.absence`.
        Terminate {
            /// Whose meters.
            cohort: String,
            /// Share of the meters, drawn at random.
            fraction: Ratio = Ratio::ONE,
            /// Which end sends PTR: a meter that logs out, or the head-end.
            by: By = By::Meter,
            /// Window over which they end, uniformly.
            within: Duration = Duration::ZERO,
        },
    }
}

choice! {
    /// Which end of a session acts.
    #[derive(Copy, Eq)]
    pub enum By {
        /// The meter, which is the PaC.
        Meter,
        /// The head-end, which is the PAA.
        HeadEnd,
    }
}

record! {
    /// A passive observer of links.
    pub struct Tap {
        /// Name, unique among the taps.
        name: String,
        /// Medium whose links are observed; all if neither is given.
        medium: Option<String> = None,
        /// Cohort whose links are observed; all if neither is given.
        cohort: Option<String> = None,
    }
}

settings! {
    /// What is written to the results folder.
    pub struct Record {
        /// Share of the meters whose application messages are written one by one.
        messages: Ratio = Ratio::ONE,
        /// Width of the time bins of counters.
        bins: Duration = Duration::from_secs(900),
        /// Tables to write.
        tables: Vec<Table> = Table::ALL.to_vec(),
    }
}

choice! {
    /// A table of the results.
    #[derive(Copy, Eq)]
    pub enum Table {
        /// One row per meter.
        Meters,
        /// One row per authentication attempt.
        Auth,
        /// One row per key epoch.
        Keys,
        /// One row per medium, protocol and time bin.
        Traffic,
        /// One row per application message.
        Messages,
        /// One row per scheduled interval read.
        Reads,
        /// One row per head-end instance and time bin.
        Headend,
        /// One row per node, cause and time bin.
        Rejects,
        /// One row per action of an attacker.
        Attacks,
        /// One row per order to a switch.
        Commands,
        /// One row per request of the head-end to a meter: a read, a download, ...
        Requests,
        /// One row per device of a home and time bin.
        Han,
        /// One row per session at an optical port.
        Optical,
        /// One row per second of the power system, once a switch has moved or homes respond.
        Grid,
        /// One row per metered day or demand reset of a meter with full metering.
        Registers,
        /// One row per maximum of demand at these times.
        Demand,
        /// One row per order of demand response.
        DemandResponse,
        /// One row per meter and day of the meter data management system.
        Mdms,
        /// One row per loss of power of a meter, with `outage_reports`.
        Outages,
        /// One row per thing that becomes of a firmware image at a meter.
        Firmware,
        /// One row per feeder and interval.
        Feeders,
    }
}

impl Table {
    /// All tables.
    pub const ALL: [Self; 21] = [
        Self::Meters,
        Self::Auth,
        Self::Keys,
        Self::Traffic,
        Self::Messages,
        Self::Reads,
        Self::Headend,
        Self::Rejects,
        Self::Attacks,
        Self::Commands,
        Self::Requests,
        Self::Han,
        Self::Optical,
        Self::Grid,
        Self::Registers,
        Self::Demand,
        Self::DemandResponse,
        Self::Mdms,
        Self::Outages,
        Self::Firmware,
        Self::Feeders,
    ];
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
