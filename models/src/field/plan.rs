//! Who visits which meters, when and what for.

use std::sync::Arc;

use firmware::c1218::Baud;
use firmware::c1219::procedure::ProcedureId;
use firmware::c1222::service::{Password, TableId};

use crate::attack::{Attack, is_victim};
use crate::dist::Dist;
use crate::fleet::Fleet;
use crate::rng::{Purpose, Stream, mix};
use crate::time::{Duration, Time};

/// How a visitor's probe talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Octets of a packet at most, 32 to 8192, as it offers.
    pub packet_size: u16,
    /// Packets of a message at most, as it offers.
    pub packets: u8,
    /// The fastest speed that it offers.
    pub baud: Baud,
    /// Share of the packets and acknowledgements of which an octet is damaged, in billionths.
    pub damaged_ppb: u32,
    /// Sessions that are begun at one meter at most; a further one follows when the line is lost.
    pub sessions_max: u32,
}

/// What is written to a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// These octets.
    Octets(Vec<u8>),
    /// A text with the fields of [`Fleet::identity`], padded with spaces to so many octets.
    Text(String, usize),
    /// The time of the visit, as ST52 has it.
    Clock,
}

/// One thing to be done at a meter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Read a whole table.
    Read(TableId),
    /// Write a whole table and, unless it is a clock, read it back.
    Write(TableId, Content),
    /// Run a procedure and ask for its result.
    Run(ProcedureId, Vec<u8>),
}

/// What a visitor comes for.
#[derive(Clone, Debug, PartialEq)]
pub enum Errand {
    /// Some work.
    Work {
        /// What it is called in results.
        name: &'static str,
        /// Who does it knows this password; without one he has the rights of everybody.
        password: Option<Password>,
    },
    /// Trying passwords of decimal digits until one is accepted.
    Guess {
        /// Index of the attacker.
        attacker: u32,
        /// Decimal digits of a password.
        digits: u8,
        /// The first guess.
        first: u64,
        /// How many guesses at each meter.
        guesses: u64,
        /// Pause between two guesses.
        pause: Duration,
        /// How long he waits when the port is locked.
        patience: Duration,
    },
}

impl Errand {
    /// The name in results.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Work { name, .. } => name,
            Self::Guess { .. } => "guess",
        }
    }
}

/// Which meters are visited when.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// When work begins.
    pub at: Time,
    /// Index of the cohort.
    pub cohort: usize,
    /// Share of its meters, in billionths: equal shares are the same meters.
    pub fraction_ppb: u32,
    /// Technicians, who share the meters evenly; each takes neighbouring ones.
    pub technicians: u32,
    /// From meter to meter, in nanoseconds; also to the first one.
    pub travel: Dist,
    /// Time on site.
    pub stay: Duration,
}

/// Visitors with the same errand.
#[derive(Clone, Debug)]
pub struct FieldService {
    /// Number of the user.
    pub user_id: u16,
    /// Name of the user, padded with spaces.
    pub user: [u8; 10],
    /// Their equipment.
    pub probe: Probe,
    /// What they come for.
    pub errand: Errand,
    /// What they do once they are logged on.
    pub tasks: Arc<[Task]>,
    /// Which meters they visit; none for attackers, who have their own victims.
    pub route: Option<Route>,
}

/// Somebody is at a meter for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Visit {
    /// The meter.
    pub meter: u32,
    /// He arrives.
    pub from: Time,
    /// He leaves.
    pub until: Time,
    /// Index of the service.
    pub service: u32,
}

/// Everybody in the field.
#[derive(Clone, Debug, Default)]
pub struct Visits {
    services: Vec<FieldService>,
    /// In order of meter and arrival.
    visits: Vec<Visit>,
}

impl Visits {
    /// The visits of `services` to the meters of `fleet`.
    pub fn new(fleet: &Fleet, services: Vec<FieldService>) -> Self {
        let mut visits = Vec::new();
        for (index, service) in (0..).zip(&services) {
            match (&service.route, &service.errand) {
                (Some(route), _) => follow(fleet, index, route, &mut visits),
                (None, Errand::Guess { attacker, .. }) => {
                    lurk(fleet, index, *attacker, &mut visits);
                }
                (None, Errand::Work { .. }) => {}
            }
        }
        let end = Time(fleet.duration.as_nanos());
        visits.retain(|visit| visit.from < end);
        visits.sort_unstable();
        Self { services, visits }
    }

    /// Whether nobody is in the field.
    pub const fn is_empty(&self) -> bool {
        self.visits.is_empty()
    }

    /// All visits, in order of meter and arrival.
    pub fn all(&self) -> &[Visit] {
        &self.visits
    }

    /// The visits to `meter`, in order of arrival.
    pub fn of(&self, meter: u32) -> &[Visit] {
        let from = self.visits.partition_point(|visit| visit.meter < meter);
        let until = self.visits.partition_point(|visit| visit.meter <= meter);
        &self.visits[from..until]
    }

    /// The service that a visit belongs to.
    pub fn service(&self, index: u32) -> &FieldService {
        &self.services[index as usize]
    }
}

/// Technicians go from meter to meter.
fn follow(fleet: &Fleet, service: u32, route: &Route, visits: &mut Vec<Visit>) {
    let cohort = &fleet.cohorts[route.cohort];
    // One draw per meter whether it counts or not, so a larger share keeps its meters.
    let meters = (cohort.first..cohort.first + cohort.count).filter(|&meter| {
        Stream::new(fleet.seed, meter, Purpose::FieldService).chance(route.fraction_ppb)
    });
    let meters: Vec<u32> = meters.collect();
    let share = meters.len().div_ceil(route.technicians.max(1) as usize);
    let seed = fleet.seed ^ mix(u64::from(service) + 1);
    for (technician, meters) in (0..).zip(meters.chunks(share.max(1))) {
        let mut travel = Stream::new(seed, technician, Purpose::FieldTravel);
        let mut at = route.at;
        for &meter in meters {
            let from = at + route.travel.duration(&mut travel);
            at = from + route.stay;
            visits.push(Visit {
                meter,
                from,
                until: at,
                service,
            });
        }
    }
}

/// Each member of an attack stands at one meter after the other.
fn lurk(fleet: &Fleet, service: u32, attacker: u32, visits: &mut Vec<Visit>) {
    let plan = &fleet.attackers[attacker as usize];
    let Attack::Optical { stay, .. } = plan.attack else {
        return;
    };
    let (campaign, members) = (plan.campaign, plan.capability.count.max(1));
    let victims = (0..fleet.meters()).filter(|&meter| is_victim(fleet, plan, meter));
    for (number, meter) in (0..).zip(victims) {
        let member = number % members;
        let begin = campaign.ramp.scaled(member.into(), members.into());
        let begin = campaign.start + begin;
        let (from, until) = match stay {
            Some(stay) => {
                let from = begin + stay.scaled(u64::from(number / members), 1);
                (from, from + stay)
            }
            // Nobody leaves his first victim.
            None if number < members => (begin, campaign.stop),
            None => continue,
        };
        if from < campaign.stop {
            visits.push(Visit {
                meter,
                from,
                until: until.min(campaign.stop),
                service,
            });
        }
    }
}
