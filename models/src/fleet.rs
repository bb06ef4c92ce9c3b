//! The plan of a fleet: everything that is fixed before the first event.
//!
//! A plan is shared by all domains and never changes, so any domain can work out where any meter
//! is, what its address is and what a timeline does to it, without asking another domain.

use std::sync::Arc;

use firmware::c1219::switch::{Limit, SwitchAction};

use crate::address::AddressPlan;
use crate::attack::{Attacker, is_victim};
use crate::capture::CapturePlan;
use crate::cell::Cells;
use crate::concentrator::Meshes;
use crate::cost::{McuCost, ServerCost};
use crate::dist::Dist;
use crate::distribution::{Sites, SupplyPlan};
use crate::field::Visits;
use crate::grid::GridPlan;
use crate::group::{GroupPlan, Manner};
use crate::han::HanPlan;
use crate::link::{Direction, LaneProfile, LinkProfile};
use crate::load::{LoadModel, Replay};
use crate::mdms::MdmsPlan;
use crate::meter::{HoldUpPlan, MeteringPlan, ResponsePlan};
use crate::requests::RequestPlan;
use crate::rng::{Purpose, Stream};
use crate::switching::Batch;
use crate::time::{Duration, Time};

/// How a meter's pre-shared key came about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PskPolicy {
    /// 128 random bits.
    #[default]
    Random,
    /// So many decimal digits that somebody typed in, at most 16.
    Digits(u8),
}

/// A group of meters that are alike.
#[derive(Clone, Debug)]
pub struct Cohort {
    /// The name in the scenario.
    pub name: String,
    /// The first meter of the cohort; the others follow.
    pub first: u32,
    /// How many meters.
    pub count: u32,
    /// Index of the link profile.
    pub link: usize,
    /// When a meter first gets power, in nanoseconds of virtual time.
    pub power_on: Dist,
    /// From power to the first protocol action, in nanoseconds.
    pub boot: Dist,
    /// Clock error in parts per billion.
    pub clock_drift: Dist,
    /// Processor.
    pub mcu: McuCost,
    /// Pattern of the identity ID_P; see [`Fleet::identity`].
    pub identity: String,
    /// Datagrams that wait while the processor is busy.
    pub inbox: usize,
    /// How the pre-shared keys came about.
    pub psk: PskPolicy,
    /// Share of the meters behind whose open switch something feeds back, in billionths.
    pub back_feed_ppb: u32,
    /// What its firmware is configured with, if that is not [`Fleet::meter_firmware`].
    pub firmware: Option<Arc<firmware::meter::Config>>,
    /// Full metering; none is one register of whole watt-hours.
    pub metering: Option<MeteringPlan>,
    /// Recorded energy that the premises use instead of what the load model says.
    pub replay: Option<Arc<Replay>>,
    /// What homes do about demand response; nothing if absent.
    pub response: Option<ResponsePlan>,
    /// Home area networks, if there are any.
    pub han: Option<HanPlan>,
}

/// The head-end.
#[derive(Clone, Debug)]
pub struct HeadendPlan {
    /// Independent instances, at least one.
    pub instances: u32,
    /// Cores of each instance, at least one.
    pub cores: usize,
    /// Datagrams that wait at an instance.
    pub buffer: usize,
    /// Service times.
    pub cost: ServerCost,
}

/// When meters report their intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportPlan {
    /// Length of an interval.
    pub interval: Duration,
    /// Intervals per report.
    pub intervals_per_report: u32,
    /// Width of the window after the interval's end in which a meter has its fixed offset.
    pub spread: Duration,
}

impl ReportPlan {
    /// The first interval that ends after `time`, the first one after zero being number 1.
    pub fn first_after(&self, time: Time) -> u32 {
        let ended = time.as_nanos() / self.interval.as_nanos().max(1);
        u32::try_from(ended).unwrap_or(u32::MAX).saturating_add(1)
    }
}

/// What happens at a fixed time.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineStep {
    /// When.
    pub at: Time,
    /// What.
    pub action: Action,
}

/// A fault or a command of the timeline.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Meters lose power.
    PowerOff {
        /// Index of the cohort.
        cohort: usize,
        /// Share of its meters, in billionths.
        fraction_ppb: u32,
        /// Window over which they lose it.
        over: Duration,
    },
    /// Meters without power get it.
    PowerOn {
        /// Index of the cohort.
        cohort: usize,
        /// Window over which they get it.
        within: Duration,
    },
    /// An instance of the head-end is down for a while.
    HeadendDown {
        /// Index of the instance.
        instance: u32,
        /// How long.
        duration: Duration,
        /// Whether its sessions and keys are gone afterwards.
        lose_sessions: bool,
    },
    /// The loss of a link profile is different for a while.
    LinkLoss {
        /// Index of the link profile.
        link: usize,
        /// Probability of loss in billionths.
        loss_ppb: u32,
        /// How long.
        duration: Duration,
    },
    /// The operator orders switches to move, or homes to limit what they draw.
    Switch {
        /// Index of the cohort.
        cohort: usize,
        /// Share of its meters, in billionths: the same meters for the same share.
        fraction_ppb: u32,
        /// What they do.
        action: SwitchAction,
        /// Time between two orders; the head-end may demand more.
        gap: Duration,
        /// Seconds within which each meter acts at random.
        window_s: u16,
        /// The terms of a limit of demand response.
        limit: Limit,
        /// Whom it is told.
        manner: Manner,
    },
    /// Meters re-authenticate ahead of time.
    Reauthenticate {
        /// Index of the cohort.
        cohort: usize,
        /// Share of its meters, in billionths.
        fraction_ppb: u32,
        /// Which end begins.
        by: By,
        /// Window over which they start.
        within: Duration,
    },
    /// Sessions are terminated.
    Terminate {
        /// Index of the cohort.
        cohort: usize,
        /// Share of its meters, in billionths.
        fraction_ppb: u32,
        /// Which end ends them.
        by: By,
        /// Window over which they end.
        within: Duration,
    },
}

impl Action {
    /// Whether this is done by the instance that serves a meter, for each of the meters.
    pub const fn is_by_headend(&self) -> bool {
        matches!(
            self,
            Self::Reauthenticate {
                by: By::HeadEnd,
                ..
            } | Self::Terminate {
                by: By::HeadEnd,
                ..
            }
        )
    }
}

/// Which end of a session acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The meter: the PaC.
    Meter,
    /// The head-end: the PAA.
    HeadEnd,
}

/// A passive observer of links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tap {
    /// The name in the scenario.
    pub name: String,
    /// Only links of this profile.
    pub link: Option<usize>,
    /// Only links of this cohort.
    pub cohort: Option<usize>,
}

/// How the fleet is divided into domains. Results do not depend on it, speed does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partition {
    /// One domain for each head-end instance and its meters: domains never talk.
    ByInstance,
    /// The instances in domains of their own, the meters spread over this many others.
    Split(u32),
}

/// What a meter is told to do by the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeterCommand {
    /// Lose power.
    PowerOff,
    /// Get power.
    PowerOn,
    /// Re-authenticate.
    Reauthenticate(By),
    /// End the session.
    Terminate(By),
}

/// The plan.
#[derive(Debug)]
pub struct Fleet {
    /// Root of all randomness.
    pub seed: u64,
    /// Root of the nonces, challenges and jitter of protocol code: the seed, unless the peers are
    /// real ones, to whom nothing may ever be said twice.
    pub protocol_seed: u64,
    /// Where nodes have their addresses.
    pub addresses: AddressPlan,
    /// Civil time of the start, in seconds since 1970-01-01 UTC.
    pub start_utc_s: u64,
    /// When the run begins: at zero, unless the calendar says that some of it is over already.
    pub begin: Time,
    /// From zero to the end of the run.
    pub duration: Duration,
    /// Groups of meters, in order of their meters.
    pub cohorts: Vec<Cohort>,
    /// Link profiles.
    pub links: Vec<LinkProfile>,
    /// Media that meters share, and their concentrators.
    pub meshes: Meshes,
    /// Cells of mobile operators.
    pub cells: Cells,
    /// Where meters and concentrators stand.
    pub sites: Sites,
    /// Who is without power when, besides what the timeline does to meters.
    pub supply: SupplyPlan,
    /// The feeder of each meter.
    pub feeders: Vec<u16>,
    /// From power to a concentrator that forwards, in nanoseconds.
    pub concentrator_boot: Dist,
    /// Electricity use.
    pub load: LoadModel,
    /// Interval reports.
    pub reports: ReportPlan,
    /// The head-end.
    pub headend: HeadendPlan,
    /// Firmware configuration of all meters.
    pub meter_firmware: Arc<firmware::meter::Config>,
    /// Software configuration of all head-end instances.
    pub headend_software: Arc<firmware::headend::Config>,
    /// The meter data management system, if there is one.
    pub mdms: Option<MdmsPlan>,
    /// Faults and commands.
    pub timeline: Vec<TimelineStep>,
    /// What carries meters over a loss of power; nothing if absent.
    pub hold_up: Option<HoldUpPlan>,
    /// Orders to switches, of the timeline and of attackers.
    pub switching: Vec<Batch>,
    /// Requests of the head-end to meters, of schedules and of the timeline.
    pub requests: Vec<RequestPlan>,
    /// Groups of meters with keys of their own.
    pub groups: Vec<GroupPlan>,
    /// The power system that the premises are part of.
    pub grid: GridPlan,
    /// Passive observers.
    pub taps: Vec<Tap>,
    /// Which datagrams are captured, if any are.
    pub capture: Option<CapturePlan>,
    /// Who visits which meters at their optical ports.
    pub visits: Visits,
    /// Attackers; only with [`Partition::ByInstance`].
    pub attackers: Vec<Attacker>,
    /// Share of the meters whose messages are recorded one by one, in billionths.
    pub message_sample_ppb: u32,
    /// Division into domains.
    pub partition: Partition,
}

impl Fleet {
    /// Meters of all cohorts.
    pub fn meters(&self) -> u32 {
        self.cohorts
            .last()
            .map_or(0, |cohort| cohort.first + cohort.count)
    }

    /// The feeder of `meter`.
    pub fn feeder_of(&self, meter: u32) -> u16 {
        self.feeders.get(meter as usize).copied().unwrap_or(0)
    }

    /// What the firmware of `meter` is configured with.
    pub fn firmware_of(&self, meter: u32) -> &Arc<firmware::meter::Config> {
        let own = self.cohorts[self.cohort_of(meter)].firmware.as_ref();
        own.unwrap_or(&self.meter_firmware)
    }

    /// Index of the cohort of `meter`.
    pub fn cohort_of(&self, meter: u32) -> usize {
        self.cohorts
            .partition_point(|cohort| cohort.first + cohort.count <= meter)
    }

    /// Index of the link profile by which `meter` reaches the network: its own link or, if it
    /// shares a medium, that of its concentrator.
    pub fn access_of(&self, meter: u32) -> usize {
        match self.meshes.home(meter) {
            Some(home) => self.meshes.kind_of(home.concentrator).backhaul,
            None => self.cohorts[self.cohort_of(meter)].link,
        }
    }

    /// Index of the instance that serves `meter`.
    pub const fn instance_of(&self, meter: u32) -> u32 {
        meter % self.headend.instances
    }

    /// The place of `meter` among the meters of its instance.
    pub const fn rank_of(&self, meter: u32) -> u32 {
        meter / self.headend.instances
    }

    /// The meter of `instance` with the given rank.
    pub const fn meter_at(&self, instance: u32, rank: u32) -> u32 {
        rank * self.headend.instances + instance
    }

    /// Meters that `instance` serves.
    pub fn meters_of(&self, instance: u32) -> u32 {
        let (meters, instances) = (self.meters(), self.headend.instances);
        meters / instances + u32::from(instance < meters % instances)
    }

    /// The first of the victims of an attacker among the meters of `instance`.
    pub fn first_victim(&self, attacker: &Attacker, instance: u32) -> Option<u32> {
        let mut meters = (0..self.meters_of(instance)).map(|rank| self.meter_at(instance, rank));
        meters.find(|&meter| is_victim(self, attacker, meter))
    }

    /// The entity number of an instance; meters have their own numbers.
    pub fn instance_entity(&self, instance: u32) -> u32 {
        self.meters() + instance
    }

    /// The entity number of a concentrator; they follow the instances.
    pub fn concentrator_entity(&self, concentrator: u32) -> u32 {
        self.meters() + self.headend.instances + concentrator
    }

    /// The entity number of a cell; they follow the concentrators.
    pub fn cell_entity(&self, cell: u32) -> u32 {
        self.concentrator_entity(self.meshes.len()) + cell
    }

    /// Meters, instances, concentrators and cells: the entities that are no attacker's.
    pub fn entities(&self) -> u32 {
        self.cell_entity(self.cells.len())
    }

    /// The entity number of an attacker's cell at an instance; they follow all others.
    pub fn attacker_entity(&self, attacker: u32, instance: u32) -> u32 {
        self.entities() + attacker * self.headend.instances + instance
    }

    /// How many domains there are.
    pub fn domains(&self) -> usize {
        match self.partition {
            Partition::ByInstance => self.headend.instances as usize,
            Partition::Split(meters) => (self.headend.instances + meters) as usize,
        }
    }

    /// The domain of `meter`.
    pub fn domain_of_meter(&self, meter: u32) -> usize {
        match (self.partition, self.meshes.home(meter)) {
            (Partition::ByInstance, _) => self.instance_of(meter) as usize,
            (Partition::Split(_), Some(home)) => self.domain_of_concentrator(home.concentrator),
            (Partition::Split(domains), None) => {
                // The meters of a cell stay together.
                let place = self.cells.of(meter).unwrap_or(meter);
                (self.headend.instances + place % domains) as usize
            }
        }
    }

    /// The domain of a concentrator and all its meters.
    pub fn domain_of_concentrator(&self, concentrator: u32) -> usize {
        match self.partition {
            Partition::ByInstance => {
                self.meshes.concentrators[concentrator as usize].instance as usize
            }
            Partition::Split(domains) => (self.headend.instances + concentrator % domains) as usize,
        }
    }

    /// The domain of a cell and all its meters.
    pub fn domain_of_cell(&self, cell: u32) -> usize {
        match self.partition {
            Partition::ByInstance => self.cells.plans[cell as usize].instance as usize,
            Partition::Split(domains) => (self.headend.instances + cell % domains) as usize,
        }
    }

    /// The domain of an instance.
    pub const fn domain_of_instance(&self, instance: u32) -> usize {
        instance as usize
    }

    /// The shortest time in which anything crosses from one domain to another, if it can.
    pub fn lookahead(&self) -> Option<Duration> {
        match self.partition {
            Partition::ByInstance => None,
            Partition::Split(_) => {
                let lanes = self.links.iter().flat_map(|link| [&link.up, &link.down]);
                let shortest = lanes.map(|lane| lane.latency.min()).min().unwrap_or(0);
                Some(Duration::from_nanos(u64::try_from(shortest).unwrap_or(0)))
            }
        }
    }

    /// Whether the messages of `meter` are recorded one by one.
    pub fn is_sampled(&self, meter: u32) -> bool {
        Stream::new(self.seed, meter, Purpose::Sampling).chance(self.message_sample_ppb)
    }

    /// The identity ID_P of `meter`: `{cohort}` and `{n}` (or `{n:06}`, zero-padded) replaced.
    pub fn identity(&self, meter: u32) -> String {
        let cohort = &self.cohorts[self.cohort_of(meter)];
        expand_identity(&cohort.identity, &cohort.name, meter - cohort.first)
    }

    /// The arcs of the meter's ApTitle below the network root.
    pub const fn title_arcs(meter: u32) -> [u32; 2] {
        [1, meter + 1]
    }

    /// The arcs of the ApTitle of the C12.22 relay at a concentrator, below the network root.
    pub const fn relay_title_arcs(concentrator: u32) -> [u32; 2] {
        [3, concentrator + 1]
    }

    /// The lane profile of `link` at `now`, with the loss that the timeline imposes.
    pub fn lane(&self, link: usize, direction: Direction, now: Time) -> LaneProfile {
        let mut lane = *self.links[link].lane(direction);
        for step in &self.timeline {
            if let Action::LinkLoss {
                link: affected,
                loss_ppb,
                duration,
            } = step.action
                && affected == link
                && step.at <= now
                && now < step.at + duration
            {
                lane.loss_ppb = loss_ppb;
            }
        }
        lane
    }

    /// Everything that the timeline does to `meter`, in the order of the timeline.
    ///
    /// Two draws per step whether it applies or not, so that changing one step leaves the
    /// others alone.
    pub fn commands(&self, meter: u32) -> Vec<(Time, MeterCommand)> {
        let mut stream = Stream::new(self.seed, meter, Purpose::Timeline);
        let cohort_of_meter = self.cohort_of(meter);
        let mut commands = Vec::new();
        for step in &self.timeline {
            let (cohort, fraction_ppb, window, command) = match step.action {
                Action::PowerOff {
                    cohort,
                    fraction_ppb,
                    over,
                } => (cohort, fraction_ppb, over, MeterCommand::PowerOff),
                Action::PowerOn { cohort, within } => {
                    (cohort, 1_000_000_000, within, MeterCommand::PowerOn)
                }
                Action::Reauthenticate {
                    cohort,
                    fraction_ppb,
                    by,
                    within,
                } => {
                    let command = MeterCommand::Reauthenticate(by);
                    (cohort, fraction_ppb, within, command)
                }
                Action::Terminate {
                    cohort,
                    fraction_ppb,
                    by,
                    within,
                } => (cohort, fraction_ppb, within, MeterCommand::Terminate(by)),
                Action::HeadendDown { .. } | Action::LinkLoss { .. } | Action::Switch { .. } => {
                    continue;
                }
            };
            let chosen = stream.chance(fraction_ppb);
            let delay = Duration::from_nanos(stream.below(window.as_nanos()));
            if chosen && cohort == cohort_of_meter {
                commands.push((step.at + delay, command));
            }
        }
        commands
    }
}

/// Replaces `{cohort}`, `{n}` and `{n:0WIDTH}` in an identity pattern.
pub fn expand_identity(pattern: &str, cohort: &str, number: u32) -> String {
    let mut identity = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    while let Some(open) = rest.find('{') {
        identity.push_str(&rest[..open]);
        rest = &rest[open..];
        let close = rest.find('}').map_or(rest.len(), |close| close + 1);
        match &rest[..close] {
            "{cohort}" => identity.push_str(cohort),
            "{n}" => identity.push_str(&number.to_string()),
            field => match field.strip_prefix("{n:0").and_then(|f| f.strip_suffix('}')) {
                Some(width) => {
                    let width = width.parse().unwrap_or(0).min(20);
                    identity.push_str(&format!("{number:0width$}"));
                }
                None => identity.push_str(field),
            },
        }
        rest = &rest[close..];
    }
    identity.push_str(rest);
    identity
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_follow_their_pattern() {
        let expand = |pattern| expand_identity(pattern, "homes", 42);
        assert_eq!(
            expand("{cohort}-{n:06}@ami.example"),
            "homes-000042@ami.example"
        );
        assert_eq!(expand("m{n}"), "m42");
        assert_eq!(
            expand("{x}{n"),
            "{x}{n",
            "what is not a field stays as it is"
        );
    }
}
