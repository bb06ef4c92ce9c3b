//! From a scenario to a fleet that is at home on sockets.

use std::time::{Duration as WallDuration, SystemTime, UNIX_EPOCH};

use models::capture::SocketPorts;
use models::cell::Cells;
use models::dist::Dist;
use models::fleet::{Fleet, Partition};
use models::link::LaneProfile;
use models::time::{Duration, Time};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::LiveError;
use crate::run;
use crate::scenario::Scenario;
use crate::scenario::live::{Links, Live, Role, Transport, is_loopback};

/// The meters are one domain, each head-end instance is another: what they say to each other is
/// handed out instead of being delivered.
const PARTITION: Partition = Partition::Split(1);

/// C12.19 tells the end of an interval in whole minutes.
const MINUTE_S: u64 = 60;

/// A link that is nothing but the real network.
const NO_LINK: LaneProfile = LaneProfile {
    latency: Dist::Fixed(0),
    jitter: Dist::Fixed(0),
    loss_ppb: 0,
    rate_bps: 1_000_000_000_000,
    queue_octets: u64::MAX,
    connection: None,
};

/// The fleet of `scenario` with real addresses and the time of this machine.
///
/// Meters read at the ends of intervals by the calendar, so virtual time counts from the beginning
/// of the interval in which the run begins.
pub(super) fn fleet(scenario: &Scenario, captured: bool) -> Result<Fleet, LiveError> {
    check(scenario)?;
    let live = &scenario.live;
    let mut fleet = run::fleet(scenario, PARTITION);
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    let since_1970 = since_1970.map_err(|_| LiveError::Clock)?;
    let length_s = scenario.traffic.interval.as_secs().max(MINUTE_S);
    let over_s = since_1970.as_secs() % length_s;
    fleet.start_utc_s = since_1970.as_secs() - over_s;
    let over = Duration::from_secs(over_s) + Duration::from_nanos(since_1970.subsec_nanos().into());
    begin_after(&mut fleet, over);
    fleet.addresses = live.addresses();
    // A nonce or an initialisation vector that was used in an earlier run must not come again.
    fleet.protocol_seed = getrandom::u64().map_err(|_| LiveError::Randomness)?;
    if live.links == Links::Real {
        for link in &mut fleet.links {
            (link.up, link.down) = (NO_LINK, NO_LINK);
        }
        fleet.cells = Cells::default();
    }
    if captured {
        fleet.capture.get_or_insert_default();
    }
    if let Some(capture) = &mut fleet.capture {
        capture.at_sockets = Some(SocketPorts {
            pana: live.pana_port,
            c1222: live.c1222_port,
        });
    }
    Ok(fleet)
}

/// Lets the run begin when `over` is over, and everything happen so much later.
fn begin_after(fleet: &mut Fleet, over: Duration) {
    fleet.begin = Time::ZERO + over;
    fleet.duration = fleet.duration + over;
    for step in &mut fleet.timeline {
        step.at = step.at + over;
    }
    for batch in &mut fleet.switching {
        batch.at = batch.at + over;
    }
    fleet.supply.postpone(over);
}

/// Virtual time now, by the clock of this machine.
pub(super) fn now(fleet: &Fleet) -> Result<Time, LiveError> {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    let since_1970 = since_1970.map_err(|_| LiveError::Clock)?;
    let start = WallDuration::from_secs(fleet.start_utc_s);
    let nanos = since_1970.saturating_sub(start).as_nanos();
    Ok(Time(u64::try_from(nanos).unwrap_or(0)).max(fleet.begin))
}

/// What a scenario that is sound in a run cannot have on sockets.
fn check(scenario: &Scenario) -> Result<(), LiveError> {
    if !scenario.attackers.is_empty() {
        return Err(LiveError::Attackers);
    }
    for (field, first, count) in scenario.live.blocks(scenario) {
        if first.is_loopback() && !is_loopback(first, count) {
            return Err(LiveError::Room { field, count });
        }
    }
    Ok(())
}

/// Files that a process needs besides connections: sockets, tables, the capture.
const FILES: u64 = 256;

/// Lets the process have as many files open as its sockets may come to.
pub(super) fn reserve_files(fleet: &Fleet, live: &Live) -> Result<(), LiveError> {
    let opened = match (live.role, live.transport) {
        (Role::Headend, _) | (_, Transport::Udp) => 0,
        (_, Transport::Tcp) => u64::from(fleet.meters()),
    };
    let instances = u64::from(fleet.headend.instances);
    let optical = u64::from(live.optical.first) + live.optical.meters.len() as u64;
    let needed =
        FILES + 2 * optical + 3 * (instances + 1) + u64::from(live.limits.connections) + opened;
    let limits = getrlimit(Resource::RLIMIT_NOFILE);
    let (soft, hard) = limits.map_err(|error| LiveError::Sockets(error.into()))?;
    if needed > hard {
        return Err(LiveError::Files { needed, hard });
    }
    if needed > soft {
        let raised = setrlimit(Resource::RLIMIT_NOFILE, needed, hard);
        raised.map_err(|error| LiveError::Sockets(error.into()))?;
    }
    Ok(())
}

/// The domains that a role needs.
pub(super) fn domains(fleet: &Fleet, role: Role) -> Vec<usize> {
    let meters = fleet.headend.instances as usize;
    match role {
        Role::Both => (0..=meters).collect(),
        Role::Meters => vec![meters],
        Role::Headend => (0..meters).collect(),
    }
}
