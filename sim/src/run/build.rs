//! From a scenario to the plan of a fleet.

use std::sync::Arc;

use firmware::c1219::switch::{Limit, SwitchAction};
use firmware::c1219::types::DateTime;
use firmware::c1222::aptitle::Title;
use firmware::c1222::epsem::Mode;
use firmware::crypto::{Integrity, Prf};
use firmware::eap::AuthenticatorConfig;
use firmware::meter::{Reauthentication, ReportPolicy};
use firmware::{headend, meter, pana, ukmf};
use models::address::AddressPlan;
use models::attack::Attacker;
use models::distribution::Sites;
use models::field::Visits;
use models::fleet::{
    Action, By, Cohort, Fleet, HeadendPlan, Partition, ReportPlan, Tap, TimelineStep,
};
use models::group::Manner;
use models::link::csma::Capture;
use models::switching::batches;
use models::time::{Duration, Time};

use crate::scenario::schema::{self, OutageReports, Scenario};
use crate::scenario::switching::gap;
use crate::scenario::{groups, optical, requests, rollout};

/// Arcs of the head-end's ApTitle below the network root.
const HEADEND_TITLE: [u32; 2] = [2, 1];
/// Range of the pause before a failed authentication is tried again.
const RETRY: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(60));

/// The plan of the fleet that `scenario`, which has been checked, describes.
pub(crate) fn fleet(scenario: &Scenario, partition: Partition) -> Fleet {
    let media: Vec<&String> = scenario.media.keys().collect();
    let link_index = |name: &str| media.iter().position(|medium| *medium == name).unwrap_or(0);
    let mut cohorts = cohorts(scenario, link_index);
    let cohort_index = |name: &str| {
        cohorts
            .iter()
            .position(|cohort| cohort.name == name)
            .unwrap_or(0)
    };
    let pana = Arc::new(pana_config(scenario));
    let server_identity: Arc<[u8]> = scenario.headend.id.as_bytes().into();
    let timeline: Vec<TimelineStep> = scenario
        .timeline
        .iter()
        .filter_map(|step| {
            let at = Time::ZERO + step.at;
            let at_utc_s = scenario.start.0 + at.as_secs();
            let action = action(scenario, &step.action, at_utc_s, cohort_index, link_index)?;
            Some(TimelineStep { at, action })
        })
        .collect();
    let taps = scenario
        .taps
        .iter()
        .map(|tap| Tap {
            name: tap.name.clone(),
            link: tap.medium.as_deref().map(link_index),
            cohort: tap.cohort.as_deref().map(cohort_index),
        })
        .collect();
    let attackers: Vec<Attacker> = scenario
        .attackers
        .iter()
        .map(|attacker| attacker.model(scenario.duration, cohort_index))
        .collect();
    let mut requests = requests::plans(scenario, cohort_index);
    let groups = groups::plans(scenario, &mut requests, cohort_index);
    let meshes = scenario.meshes(|phy| phy.contention(Capture::Never));
    let meters = cohorts.iter().map(|cohort| cohort.count).sum();
    let sites = Sites::new(meters, &meshes, scenario.seed);
    let services = optical::services(scenario, &attackers, cohort_index);
    let meter_firmware = Arc::new(meter_firmware(scenario, &pana, &server_identity));
    configure(scenario, &meter_firmware, &mut cohorts);
    let mut fleet = Fleet {
        seed: scenario.seed,
        protocol_seed: scenario.seed,
        addresses: AddressPlan::default(),
        start_utc_s: scenario.start.0,
        begin: Time::ZERO,
        duration: scenario.duration,
        links: scenario
            .media
            .iter()
            .map(|(name, medium)| medium.profile(name, &scenario.media))
            .collect(),
        supply: scenario.supply(&sites, &meshes),
        feeders: scenario.feeders(&sites, &meshes),
        concentrator_boot: scenario.distribution.concentrator_boot.model(),
        cells: scenario.cells(),
        meshes,
        sites,
        load: scenario.load.model(scenario.start),
        reports: reports(scenario),
        headend: headend_plan(&scenario.headend),
        meter_firmware,
        headend_software: Arc::new(headend_software(scenario, &pana, &server_identity)),
        switching: batches(&timeline, &attackers),
        requests,
        groups,
        mdms: scenario
            .mdms
            .as_ref()
            .map(|mdms| mdms.plan(scenario.headend.instances)),
        grid: scenario.grid.model(),
        hold_up: scenario.outage_reports.as_ref().map(OutageReports::model),
        timeline,
        taps,
        capture: scenario
            .capture
            .as_ref()
            .map(|capture| capture.plan(scenario)),
        attackers,
        message_sample_ppb: scenario.record.messages.ppb(),
        visits: Visits::default(),
        partition,
        cohorts,
    };
    fleet.visits = Visits::new(&fleet, services);
    fleet
}

fn cohorts(scenario: &Scenario, link_index: impl Fn(&str) -> usize) -> Vec<Cohort> {
    let mut first = 0;
    let plan = |cohort: &schema::Cohort| {
        let plan = Cohort {
            name: cohort.name.clone(),
            first,
            count: cohort.count,
            link: link_index(&cohort.medium),
            power_on: cohort.power_on.model(),
            boot: cohort.boot.model(),
            clock_drift: cohort.clock_drift.model(),
            mcu: cohort.mcu.costs(),
            identity: cohort.identity.clone(),
            inbox: cohort.inbox as usize,
            psk: cohort.psk.policy(),
            back_feed_ppb: cohort.back_feed.ppb(),
            firmware: None,
            metering: cohort
                .metering
                .as_ref()
                .map(|metering| metering.plan(scenario, cohort.replay.is_some())),
            replay: cohort
                .replay
                .as_ref()
                .and_then(|replay| replay.model(scenario, cohort))
                .map(Arc::new),
            response: cohort.response.as_ref().map(schema::Response::model),
            han: cohort
                .han
                .as_ref()
                .map(|han| han.plan(scenario.keys.overlap)),
        };
        first += cohort.count;
        plan
    };
    scenario.cohorts.iter().map(plan).collect()
}

fn reports(scenario: &Scenario) -> ReportPlan {
    let traffic = &scenario.traffic;
    let per_report = traffic.report.every.as_nanos() / traffic.interval.as_nanos().max(1);
    ReportPlan {
        interval: traffic.interval,
        intervals_per_report: u32::try_from(per_report).unwrap_or(u32::MAX).max(1),
        spread: traffic.report.spread,
    }
}

fn headend_plan(headend: &schema::Headend) -> HeadendPlan {
    HeadendPlan {
        instances: headend.instances,
        cores: headend.cores as usize,
        buffer: headend.buffer as usize,
        cost: headend.costs.model(),
    }
}

fn pana_config(scenario: &Scenario) -> pana::Config {
    let pana = &scenario.pana;
    let pairs: Vec<_> = pana
        .algorithms
        .iter()
        .map(|algorithm| match algorithm {
            schema::Algorithm::HmacSha256 => (Prf::HmacSha256, Integrity::HmacSha256_128),
            schema::Algorithm::HmacSha1 => (Prf::HmacSha1, Integrity::HmacSha1_160),
            schema::Algorithm::AesCmac => (Prf::AesCmac, Integrity::AesCmac96),
        })
        .collect();
    let retransmission = |schema::Retransmission { irt, mrt, mrc, mrd }: &_| pana::Retransmission {
        initial: *irt,
        interval_max: *mrt,
        transmissions_max: *mrc,
        duration_max: *mrd,
    };
    pana::Config {
        algorithms: pana::Algorithms::new(&pairs),
        piggyback: pana.piggyback,
        optimized: pana.optimized,
        stateless: pana.stateless,
        nonce_len: pana.nonce_length,
        pci: retransmission(&pana.pci),
        request: retransmission(&pana.request),
        failed_session_timeout: pana.failed_session_timeout,
        half_open_max: scenario.headend.half_open_limit,
        replace_on_new_pci: scenario.headend.replace_on_new_pci,
        pci_limit: scenario
            .headend
            .pci_limit
            .as_ref()
            .map(|limit| pana::PciLimit {
                prefix_len: limit.prefix,
                every: limit.every,
                burst: limit.burst,
            }),
        unprotected_failure: pana.unprotected_failure,
        ..pana::Config::default()
    }
}

fn key_policy(keys: &schema::Keys) -> ukmf::Policy {
    ukmf::Policy {
        overlap: keys.overlap,
        grace: keys.grace,
        array_length: ukmf::ArrayLength::new(keys.array_length).unwrap_or(ukmf::ArrayLength::ONE),
        ..ukmf::Policy::default()
    }
}

const fn mode(security: schema::Security) -> Mode {
    match security {
        schema::Security::Encrypted => Mode::Encrypted,
        schema::Security::Authenticated => Mode::Authenticated,
        schema::Security::Clear => Mode::Clear,
    }
}

fn interval_s(scenario: &Scenario) -> u32 {
    u32::try_from(scenario.traffic.interval.as_secs()).unwrap_or(u32::MAX)
}

fn headend_title() -> Title {
    Title::relative(&HEADEND_TITLE).expect("a title of two small arcs is short")
}

fn meter_firmware(
    scenario: &Scenario,
    pana: &Arc<pana::Config>,
    server_identity: &Arc<[u8]>,
) -> meter::Config {
    let permille = |ratio: crate::scenario::units::Ratio| ratio.ppb() / 1_000_000;
    let report = &scenario.traffic.report;
    meter::Config {
        pana: Arc::clone(pana),
        server_identity: Arc::clone(server_identity),
        keys: key_policy(&scenario.keys),
        reauthentication: match scenario.keys.reauthenticate {
            schema::Reauthenticate::Every { period, jitter } => Reauthentication::Every {
                period,
                jitter_permille: permille(jitter),
            },
            schema::Reauthenticate::Fraction { from, to } => Reauthentication::Fraction {
                from_permille: permille(from),
                to_permille: permille(to),
            },
        },
        ping: scenario.pana.ping,
        nonvolatile_session: scenario.keys.storage == schema::Storage::Nvram,
        nonvolatile_playback: scenario.keys.playback == schema::Storage::Nvram,
        retry: RETRY,
        absence: (scenario.pana.absence, scenario.pana.absence.scaled(2, 1)),
        report: ReportPolicy {
            mode: mode(report.security),
            timeout: report.timeout,
            attempts: report.attempts,
            one_way: report.one_way,
        },
        outage: scenario.outage_reports.as_ref().map(OutageReports::policy),
        interval_s: interval_s(scenario),
        registration: scenario
            .traffic
            .register
            .then_some(scenario.traffic.registration_period),
        headend_title: headend_title(),
        device: scenario
            .optical
            .device(scenario.switch.device(rollout::vendor_key(scenario))),
    }
}

/// Gives cohorts with reports of their own a configuration of their own, which they share.
fn configure(scenario: &Scenario, common: &meter::Config, cohorts: &mut [Cohort]) {
    let other = Arc::new(meter::Config {
        report: ReportPolicy {
            one_way: !common.report.one_way,
            ..common.report
        },
        ..common.clone()
    });
    for (cohort, plan) in scenario.cohorts.iter().zip(cohorts) {
        let own = cohort.report.as_ref();
        let differs = own.is_some_and(|report| report.one_way == other.report.one_way);
        plan.firmware = differs.then(|| Arc::clone(&other));
    }
}

fn headend_software(
    scenario: &Scenario,
    pana: &Arc<pana::Config>,
    server_identity: &Arc<[u8]>,
) -> headend::Config {
    headend::Config {
        pana: Arc::clone(pana),
        eap: AuthenticatorConfig {
            identity_request: scenario.pana.identity_request,
            discard_limit: scenario.pana.discard_limit,
        },
        server_identity: Arc::clone(server_identity),
        session_lifetime: scenario.keys.session_lifetime,
        keys: key_policy(&scenario.keys),
        title: headend_title(),
        mode_min: mode(scenario.traffic.report.security),
        interval_s: interval_s(scenario),
        acceptance_window: scenario.headend.acceptance_window,
        one_place: scenario.headend.one_place,
        registration_period: scenario.traffic.registration_period,
        commands: scenario.headend.commands.policy(scenario.headend.instances),
        requests: scenario.headend.requests.policy(scenario.headend.instances),
    }
}

const fn side(by: schema::By) -> By {
    match by {
        schema::By::Meter => By::Meter,
        schema::By::HeadEnd => By::HeadEnd,
    }
}

/// A time in seconds since 1970, which a run cannot exceed.
fn seconds(utc_s: u64) -> u32 {
    u32::try_from(utc_s).unwrap_or(u32::MAX)
}

/// RANDOM_WINDOW of an order.
fn window_s(window: Duration) -> u16 {
    u16::try_from(window.as_secs()).unwrap_or(u16::MAX)
}

fn action(
    scenario: &Scenario,
    action: &schema::Action,
    at_utc_s: u64,
    cohort_index: impl Fn(&str) -> usize,
    link_index: impl Fn(&str) -> usize,
) -> Option<Action> {
    Some(match action {
        schema::Action::PowerOff {
            cohort,
            fraction,
            over,
        } => Action::PowerOff {
            cohort: cohort_index(cohort),
            fraction_ppb: fraction.ppb(),
            over: *over,
        },
        schema::Action::PowerOn { cohort, within } => Action::PowerOn {
            cohort: cohort_index(cohort),
            within: *within,
        },
        schema::Action::HeadendDown {
            instance,
            duration,
            lose_sessions,
        } => Action::HeadendDown {
            instance: *instance,
            duration: *duration,
            lose_sessions: *lose_sessions,
        },
        schema::Action::LinkLoss {
            medium,
            loss,
            duration,
        } => Action::LinkLoss {
            link: link_index(medium),
            loss_ppb: loss.ppb(),
            duration: *duration,
        },
        schema::Action::Disconnect {
            cohort,
            fraction,
            rate_per_s,
            window,
        } => Action::Switch {
            cohort: cohort_index(cohort),
            fraction_ppb: fraction.ppb(),
            action: SwitchAction::Open,
            gap: rate_per_s.map_or(Duration::ZERO, gap),
            window_s: window_s(*window),
            limit: Limit::default(),
            manner: Manner::Alone,
        },
        schema::Action::Connect {
            cohort,
            fraction,
            rate_per_s,
            window,
        } => Action::Switch {
            cohort: cohort_index(cohort),
            fraction_ppb: fraction.ppb(),
            action: SwitchAction::Close,
            gap: rate_per_s.map_or(Duration::ZERO, gap),
            window_s: window_s(*window),
            limit: Limit::default(),
            manner: Manner::Alone,
        },
        schema::Action::DemandResponse {
            id,
            cohort,
            fraction,
            notice,
            duration,
            level,
            window,
            rate_per_s,
            delivery,
        } => Action::Switch {
            cohort: cohort_index(cohort),
            fraction_ppb: fraction.ppb(),
            action: SwitchAction::Limit,
            gap: rate_per_s.map_or(Duration::ZERO, gap),
            window_s: window_s(*window),
            limit: Limit {
                event_id: *id,
                level_percent: (level.ppb() / 10_000_000) as u8,
                duration_min: u16::try_from(duration.as_secs() / 60).unwrap_or(u16::MAX),
                start: (!notice.is_zero())
                    .then(|| DateTime::from_utc(seconds(at_utc_s + notice.as_secs())))
                    .flatten(),
            },
            manner: groups::manner(scenario, cohort, *delivery),
        },
        schema::Action::CancelResponse {
            id,
            cohort,
            fraction,
            window,
            rate_per_s,
            delivery,
        } => Action::Switch {
            cohort: cohort_index(cohort),
            fraction_ppb: fraction.ppb(),
            action: SwitchAction::Release,
            gap: rate_per_s.map_or(Duration::ZERO, gap),
            window_s: window_s(*window),
            limit: Limit {
                event_id: *id,
                ..Limit::default()
            },
            manner: groups::manner(scenario, cohort, *delivery),
        },
        schema::Action::LeaveGroup { cohort, fraction } => Action::Switch {
            cohort: cohort_index(cohort),
            fraction_ppb: fraction.ppb(),
            action: SwitchAction::Release,
            gap: Duration::ZERO,
            window_s: 0,
            limit: Limit::default(),
            manner: groups::departure(scenario, cohort),
        },
        schema::Action::Reauthenticate {
            cohort,
            fraction,
            by,
            within,
        } => Action::Reauthenticate {
            cohort: cohort_index(cohort),
            fraction_ppb: fraction.ppb(),
            by: side(*by),
            within: *within,
        },
        schema::Action::Terminate {
            cohort,
            fraction,
            by,
            within,
        } => Action::Terminate {
            cohort: cohort_index(cohort),
            fraction_ppb: fraction.ppb(),
            by: side(*by),
            within: *within,
        },
        // The supply plan, the plan of requests and that of visits hold what these do.
        schema::Action::Outage { .. }
        | schema::Action::FieldService { .. }
        | schema::Action::ConcentratorDown { .. }
        | schema::Action::OnDemandRead { .. }
        | schema::Action::SetTime { .. }
        | schema::Action::Download { .. }
        | schema::Action::ServiceTest { .. }
        | schema::Action::FirmwareUpdate { .. } => return None,
    })
}
