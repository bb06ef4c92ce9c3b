//! Rules about keys, the PANA exchange, the head-end, traffic and load.

use firmware::Duration;

use super::super::schema::{Keys, Pana, Reauthenticate, Retransmission, Scenario};
use super::super::units::{Quantity, Ratio};
use super::{Fault, Judge};

/// Array lengths that divide the ring of 224 key ids evenly.
const ARRAY_LENGTHS: [u8; 8] = [1, 2, 4, 7, 8, 14, 16, 28];

/// Longest interval: its watt-hours at 200 A and 240 V fit the 16 bits of a register.
const INTERVAL_MAX: Duration = Duration::from_secs(3_600);

pub(super) fn check(scenario: &Scenario, judge: &mut Judge<'_>) {
    check_keys(&scenario.keys, judge);
    check_pana(&scenario.pana, judge);
    check_headend(scenario, judge);
    check_traffic(scenario, judge);
    check_load(scenario, judge);
}

fn check_keys(keys: &Keys, judge: &mut Judge<'_>) {
    const LIFETIME: &str = "keys.session_lifetime";
    const REAUTHENTICATE: &str = "keys.reauthenticate";
    let lifetime = keys.session_lifetime;
    judge.range(
        lifetime.as_secs() == 0
            || !lifetime.as_nanos().is_multiple_of(1_000_000_000)
            || lifetime.as_secs() > u64::from(u32::MAX),
        LIFETIME,
        "a session lifetime is a whole number of seconds, from 1s to 49710d (RFC 5191 §8.9)",
    );
    judge.contradiction(
        keys.overlap >= lifetime,
        [LIFETIME, "keys.overlap"],
        "keys live no longer than the overlap in which an old one is still accepted",
        "shorten overlap or lengthen session_lifetime",
    );
    judge.range(
        !ARRAY_LENGTHS.contains(&keys.array_length),
        "keys.array_length",
        "the length of a key array is one of 1, 2, 4, 7, 8, 14, 16, 28",
    );
    match keys.reauthenticate {
        Reauthenticate::Every { period, jitter } => {
            check_permille(jitter, "keys.reauthenticate.jitter", judge);
            judge.range(
                period.is_zero(),
                "keys.reauthenticate.period",
                "the period must be above zero",
            );
            judge.range(
                jitter == Ratio::ONE,
                "keys.reauthenticate.jitter",
                "a jitter of 100% would let the period vanish",
            );
            let deviation = Duration::from_nanos(jitter.of(period.as_nanos()));
            let latest = period + deviation;
            judge.contradiction(
                latest >= lifetime,
                [LIFETIME, REAUTHENTICATE],
                &format!(
                    "sessions and keys expire after {}, before the re-authentication that may \
                     come as late as {}",
                    lifetime.to_text(),
                    latest.to_text()
                ),
                "lengthen session_lifetime or re-authenticate earlier",
            );
            judge.warn(
                period.saturating_sub(deviation) < keys.overlap,
                REAUTHENTICATE,
                "a key may be superseded twice within the overlap of its predecessor",
                "shorten overlap or re-authenticate less often",
            );
        }
        Reauthenticate::Fraction { from, to } => {
            check_permille(from, "keys.reauthenticate.from", judge);
            check_permille(to, "keys.reauthenticate.to", judge);
            judge.range(
                from > to,
                REAUTHENTICATE,
                "the earliest share exceeds the latest",
            );
            judge.range(
                from == Ratio::ZERO,
                "keys.reauthenticate.from",
                "the earliest share must be above zero",
            );
            judge.contradiction(
                to == Ratio::ONE,
                ["keys.reauthenticate.to", LIFETIME],
                "sessions and keys expire before the re-authentication is done",
                "let the latest share be below 100%",
            );
        }
    }
}

/// Shares of a lifetime are tenths of a per cent in the firmware.
fn check_permille(share: Ratio, path: &str, judge: &mut Judge<'_>) {
    judge.range(
        !share.ppb().is_multiple_of(1_000_000),
        path,
        "the share must be a multiple of 0.1%",
    );
}

fn check_pana(pana: &Pana, judge: &mut Judge<'_>) {
    const ALGORITHMS: &str = "pana.algorithms";
    judge.range(
        pana.algorithms.is_empty(),
        ALGORITHMS,
        "at least one pair of algorithms is needed",
    );
    let repeated = pana
        .algorithms
        .iter()
        .enumerate()
        .any(|(index, algorithm)| pana.algorithms[..index].contains(algorithm));
    judge.reject(
        repeated,
        Fault::Duplicate,
        ALGORITHMS,
        "a pair of algorithms is listed twice",
    );
    judge.range(
        !(8..=256).contains(&pana.nonce_length),
        "pana.nonce_length",
        "a nonce has 8 to 256 octets (RFC 5191 §8.5)",
    );
    judge.contradiction(
        pana.stateless && pana.optimized,
        ["pana.stateless", "pana.optimized"],
        "a PAR that carries an EAP request needs the state that a stateless agent does not keep",
        "switch one of them off",
    );
    check_retransmission(&pana.pci, "pana.pci", judge);
    check_retransmission(&pana.request, "pana.request", judge);
    judge.range(
        pana.failed_session_timeout.is_zero(),
        "pana.failed_session_timeout",
        "the timeout must be above zero",
    );
    judge.range(
        pana.ping.is_some_and(Duration::is_zero),
        "pana.ping",
        "the period must be above zero; leave it out to send no pings",
    );
    judge.range(
        pana.absence.is_zero(),
        "pana.absence",
        "a meter cannot return at the instant of the termination; the time must be above zero",
    );
}

fn check_retransmission(timers: &Retransmission, path: &str, judge: &mut Judge<'_>) {
    let irt = format!("{path}.irt");
    let mrt = format!("{path}.mrt");
    judge.range(
        timers.irt.is_zero(),
        &irt,
        "the initial retransmission time must be above zero",
    );
    judge.contradiction(
        !timers.mrt.is_zero() && timers.mrt < timers.irt,
        [&mrt, &irt],
        "the maximum retransmission time is below the initial one",
        "raise mrt, or set it to 0s for no maximum",
    );
}

fn check_headend(scenario: &Scenario, judge: &mut Judge<'_>) {
    let headend = &scenario.headend;
    judge.range(
        headend.id.is_empty() || headend.id.len() > 966,
        "headend.id",
        "an identity has 1 to 966 octets",
    );
    for (value, name) in [
        (headend.instances, "instances"),
        (headend.cores, "cores"),
        (headend.buffer, "buffer"),
        (headend.half_open_limit, "half_open_limit"),
    ] {
        let path = format!("headend.{name}");
        judge.range(value == 0, &path, "it must be at least 1");
    }
    judge.range(
        headend.acceptance_window < Duration::from_secs(1),
        "headend.acceptance_window",
        "messages carry whole seconds: the window must be a second at least",
    );
    if let Some(limit) = &headend.pci_limit {
        judge.range(
            limit.prefix > 32,
            "headend.pci_limit.prefix",
            "an IPv4 address has 32 bits",
        );
        judge.range(
            limit.every.is_zero(),
            "headend.pci_limit.every",
            "the time between two PCI must be above zero",
        );
        judge.range(
            limit.burst == 0,
            "headend.pci_limit.burst",
            "a network may send one PCI at least",
        );
    }
    judge.range(
        headend.instances > 1_000,
        "headend.instances",
        "a head-end has at most 1000 instances",
    );
    judge.range(
        headend.cores > 10_000,
        "headend.cores",
        "an instance has at most 10000 cores",
    );
}

fn check_traffic(scenario: &Scenario, judge: &mut Judge<'_>) {
    const EVERY: &str = "traffic.report.every";
    let (traffic, report) = (&scenario.traffic, &scenario.traffic.report);
    for (value, path) in [
        (traffic.interval, "traffic.interval"),
        (traffic.registration_period, "traffic.registration_period"),
        (report.every, EVERY),
        (report.timeout, "traffic.report.timeout"),
    ] {
        judge.range(value.is_zero(), path, "the duration must be above zero");
    }
    let interval = traffic.interval.as_nanos().max(1);
    judge.range(
        !interval.is_multiple_of(1_000_000_000) || traffic.interval > INTERVAL_MAX,
        "traffic.interval",
        "an interval is a whole number of seconds, at most 1h",
    );
    judge.contradiction(
        !report.every.as_nanos().is_multiple_of(interval),
        [EVERY, "traffic.interval"],
        "the period of reports is no multiple of the interval",
        "make it a multiple",
    );
    judge.contradiction(
        report.spread > report.every,
        ["traffic.report.spread", EVERY],
        "reports are spread beyond their period",
        "let spread be at most every",
    );
    judge.range(
        report.attempts == 0,
        "traffic.report.attempts",
        "a report is sent at least once",
    );
    let patience = report.timeout.scaled(u64::from(report.attempts), 1);
    if judge.sound(&["traffic.report.attempts", EVERY]) {
        judge.warn(
            patience > report.every,
            "traffic.report.timeout",
            &format!(
                "the attempts of a report last {}, longer than the period of reports",
                patience.to_text()
            ),
            "shorten timeout or lower attempts",
        );
    }
}

fn check_load(scenario: &Scenario, judge: &mut Judge<'_>) {
    let load = &scenario.load;
    for (value, name) in [
        (load.house_sigma, "house_sigma"),
        (load.day_sigma, "day_sigma"),
    ] {
        let path = format!("load.{name}");
        let message = "the spread must lie between 0 and 3";
        judge.range(!(0.0..=3.0).contains(&value), &path, message);
    }
    judge.range(
        !(0.0..1.0).contains(&load.day_correlation),
        "load.day_correlation",
        "the correlation must lie between 0 and 1, which it does not reach",
    );
    judge.range(
        !(0.01..=3.0).contains(&load.noise_cv),
        "load.noise_cv",
        "the coefficient of variation must lie between 0.01 and 3",
    );
}
