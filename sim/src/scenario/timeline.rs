//! What happens at fixed times.

use firmware::Duration;

use super::dist::Dist;
use super::distribution::Area;
use super::groups::Delivery;
use super::optical::{FieldErrand, Probe};
use super::record::{choice, record};
use super::requests::Reading;
use super::rollout::Defect;
use super::units::{Bytes, Rate, Ratio};

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
