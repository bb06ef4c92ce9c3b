//! Rules about live endpoints.

use std::net::Ipv4Addr;

use firmware::Duration;

use super::super::live::{LiveOptical, Role, Transport, is_loopback};
use super::super::schema::{Cohort, Scenario};
use super::Judge;

/// Connections of a process, which may have 20,000 files open on an ordinary system.
const CONNECTIONS_MAX: u32 = 15_000;

pub(super) fn check(scenario: &Scenario, judge: &mut Judge<'_>) {
    // Nobody has asked for sockets, so a fleet may be larger than what has room on them.
    if !judge.survey.is_written("live") {
        return;
    }
    let live = &scenario.live;
    judge.range(
        !(0.1..=100.0).contains(&live.pace),
        "live.pace",
        "the pace must lie between 0.1 and 100",
    );
    for (path, port) in [
        ("live.pana_port", live.pana_port),
        ("live.c1222_port", live.c1222_port),
    ] {
        judge.range(port == 0, path, "ports have the numbers from 1 to 65535");
    }
    judge.contradiction(
        live.pana_port == live.c1222_port,
        ["live.c1222_port", "live.pana_port"],
        "PANA and C12.22 cannot share a port",
        "choose two ports",
    );
    judge.contradiction(
        live.paa.is_some() && live.role != Role::Meters,
        ["live.paa", "live.role"],
        "only meters look for another PAA",
        "play `role: Meters`",
    );
    judge.contradiction(
        live.c1222.is_some() && live.role != Role::Meters,
        ["live.c1222", "live.role"],
        "only meters look for another C12.22 host",
        "play `role: Meters`",
    );
    judge.range(
        !(1..=CONNECTIONS_MAX).contains(&live.limits.connections),
        "live.limits.connections",
        &format!("a process holds 1 to {CONNECTIONS_MAX} connections"),
    );
    judge.range(
        live.limits.connections_per_source == 0,
        "live.limits.connections_per_source",
        "an address has at least one connection",
    );
    judge.range(
        !(Duration::from_secs(1)..=Duration::from_secs(86_400)).contains(&live.limits.idle),
        "live.limits.idle",
        "a connection is closed after 1 s to 24 h",
    );
    check_optical(scenario, judge);
    if judge.sound(&["cohorts", "headend.instances"]) {
        check_addresses(scenario, judge);
        check_connections(scenario, judge);
    }
}

fn check_optical(scenario: &Scenario, judge: &mut Judge<'_>) {
    let optical = &scenario.live.optical;
    let most = LiveOptical::PORTS_MAX;
    let first = optical.first as usize;
    judge.range(
        first > most || first + optical.meters.len() > most,
        if first > most {
            "live.optical.first"
        } else {
            "live.optical.meters"
        },
        &format!("a process has {most} optical ports at most"),
    );
    judge.contradiction(
        (first > 0 || !optical.meters.is_empty()) && scenario.live.role == Role::Headend,
        ["live.optical", "live.role"],
        "a head-end has no optical ports",
        "play `role: Meters` or `role: Both`",
    );
    if !judge.sound(&["cohorts"]) {
        return;
    }
    let meters: u64 = scenario
        .cohorts
        .iter()
        .map(|cohort| u64::from(cohort.count))
        .sum();
    judge.range(
        u64::from(optical.first) > meters,
        "live.optical.first",
        &format!("there are only {meters} meters"),
    );
    let stranger = optical
        .meters
        .iter()
        .find(|meter| u64::from(**meter) >= meters);
    if let Some(stranger) = stranger {
        judge.range(
            true,
            "live.optical.meters",
            &format!("there is no meter {stranger}: the {meters} meters count from 0"),
        );
    }
}

fn check_connections(scenario: &Scenario, judge: &mut Judge<'_>) {
    let live = &scenario.live;
    let count = |cohort: &Cohort| u64::from(cohort.count);
    let meters: u64 = scenario.cohorts.iter().map(count).sum();
    let connections = u64::from(live.limits.connections);
    judge.contradiction(
        live.transport == Transport::Tcp && live.role == Role::Both && connections < meters,
        ["live.limits.connections", "live.transport"],
        &format!("the head-end would turn some of the {meters} meters away"),
        "allow as many connections as there are meters, or play the sides in two processes",
    );
}

fn check_addresses(scenario: &Scenario, judge: &mut Judge<'_>) {
    let blocks = scenario.live.blocks(scenario);
    for &(path, first, count) in &blocks {
        let last = u64::from(first.to_bits()) + count.max(1) - 1;
        let unusable = first.is_unspecified() || first.is_broadcast() || first.is_multicast();
        judge.range(
            unusable || last >= u64::from(u32::MAX),
            path,
            "that is not the address of a node",
        );
        judge.range(
            first.is_loopback() && !is_loopback(first, count),
            path,
            &format!("{count} addresses from {first} leave the loopback network 127.0.0.0/8"),
        );
        judge.contradiction(
            !scenario.live.exposed && !first.is_loopback(),
            [path, "live.exposed"],
            &format!("{first} can be reached from other machines"),
            "add `exposed: true` if that is meant",
        );
    }
    let end = |first: Ipv4Addr, count: u64| u64::from(first.to_bits()) + count;
    for (index, &(path, first, count)) in blocks.iter().enumerate() {
        for &(other, start, length) in &blocks[..index] {
            let apart = end(first, count) <= u64::from(start.to_bits())
                || end(start, length) <= u64::from(first.to_bits());
            judge.contradiction(
                !apart,
                [path, other],
                "the same addresses would have two owners",
                "leave more room between the first addresses",
            );
        }
    }
}
