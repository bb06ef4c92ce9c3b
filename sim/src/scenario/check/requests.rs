//! Rules about what the head-end asks meters.

use firmware::Duration;
use firmware::c1219::image::Manifest;
use firmware::meter::METERED_TABLES;

use super::super::requests::{Reading, octets};
use super::super::rollout;
use super::super::schema::{Action, Scenario, Schedule, Step};
use super::super::units::{Quantity, Ratio};
use super::Judge;

/// Longest time that a node of the head-end accepts a response (C12.22 node default).
const TIMEOUT_MAX: Duration = Duration::from_secs(30);
/// Most requests per second: beyond it, the time between two of them is no longer exact.
const RATE_MAX: f64 = 1e6;
/// Numbers of tables: eleven bits, and one for those of the manufacturer.
const TABLE_MAX: u16 = 4_095;
/// Tables of one read: their requests fit into a message of 2,048 octets.
const TABLES_MAX: usize = 100;
/// Version of the firmware that meters leave the factory with.
const FACTORY_VERSION: u16 = 0x0203;
/// Octets of blocks in a message of 2,048 octets at most.
const MESSAGE_DATA_MAX: u32 = 1_792;
/// Octets of a download at most.
const DOWNLOAD_MAX: usize = 65_535;
/// Rounds of one schedule at most: more are hardly meant, and would fill the queue.
const ROUNDS_MAX: u64 = 1_000_000;

pub(super) fn check(scenario: &Scenario, judge: &mut Judge<'_>) {
    let requests = &scenario.headend.requests;
    judge.range(
        !(requests.rate_per_s > 0.0 && requests.rate_per_s <= RATE_MAX),
        "headend.requests.rate_per_s",
        "a rate lies above 0 and is at most 1000000 requests per second",
    );
    judge.range(
        requests.outstanding == 0,
        "headend.requests.outstanding",
        "without a message under way none is ever answered",
    );
    let names = scenario.headend.reads.iter().map(|read| read.name.as_str());
    judge.names("schedule", names, |index| {
        format!("headend.reads[{index}].name")
    });
    for (index, schedule) in scenario.headend.reads.iter().enumerate() {
        check_schedule(
            scenario,
            schedule,
            &format!("headend.reads[{index}]"),
            judge,
        );
    }
    for (index, step) in scenario.timeline.iter().enumerate() {
        let path = format!("timeline[{index}].action");
        match &step.action {
            Action::OnDemandRead { what, cohort, .. } => {
                let path = format!("{path}.what");
                check_reading(what, &path, judge);
                check_metered(scenario, what, Some(cohort), &path, judge);
            }
            Action::Download { table, data, .. } => check_download(*table, data, &path, judge),
            Action::FirmwareUpdate { .. } => check_update(scenario, step, &path, judge),
            _ => {}
        }
    }
}

fn check_schedule(scenario: &Scenario, schedule: &Schedule, path: &str, judge: &mut Judge<'_>) {
    let at = |name: &str| format!("{path}.{name}");
    check_reading(&schedule.what, &at("what"), judge);
    let cohort = schedule.cohort.as_deref();
    check_metered(scenario, &schedule.what, cohort, &at("what"), judge);
    if let Some(cohort) = &schedule.cohort {
        judge.cohort(scenario, &at("cohort"), cohort);
    }
    judge.range(
        schedule.every < Duration::from_secs(1),
        &at("every"),
        "the period is a second at least",
    );
    let rounds = scenario.duration.as_nanos() / schedule.every.as_nanos().max(1);
    judge.range(
        rounds > ROUNDS_MAX,
        &at("every"),
        "the run has more than 1000000 rounds of this schedule",
    );
    judge.contradiction(
        schedule.first >= scenario.duration && !scenario.duration.is_zero(),
        [&at("first"), "duration"],
        &format!(
            "the run ends after {}, before the first round",
            scenario.duration.to_text()
        ),
        "let it begin earlier or run longer",
    );
    judge.contradiction(
        schedule.window > schedule.every,
        [&at("window"), &at("every")],
        "the next round begins before all meters of this one have been asked",
        "shorten the window or lengthen the period",
    );
    judge.range(
        !(1..=100).contains(&schedule.attempts),
        &at("attempts"),
        "a message is sent 1 to 100 times",
    );
    judge.range(
        schedule.timeout.is_zero() || schedule.timeout > TIMEOUT_MAX,
        &at("timeout"),
        "the head-end waits for a response longer than nothing and at most 30s",
    );
    judge.range(
        !(1..=100).contains(&schedule.factor),
        &at("factor"),
        "pauses grow by a factor of 1 to 100",
    );
    judge.warn(
        schedule.pause >= schedule.every && schedule.attempts > 1,
        &at("pause"),
        "a second attempt would come after the next round",
        "shorten the pause",
    );
}

fn check_reading(what: &Reading, path: &str, judge: &mut Judge<'_>) {
    match what {
        Reading::Registers => {}
        Reading::Profile { depth } => {
            judge.range(
                depth.is_zero() || *depth > Duration::from_secs(366 * 86_400),
                &format!("{path}.depth"),
                "the depth lies above zero and is at most 366d",
            );
        }
        Reading::Tables { numbers } => {
            let path = format!("{path}.numbers");
            judge.range(
                !(1..=TABLES_MAX).contains(&numbers.len()),
                &path,
                "1 to 100 tables are read at a time",
            );
            judge.range(
                numbers.iter().any(|number| *number > TABLE_MAX),
                &path,
                "standard tables have numbers from 0 to 2047, manufacturer tables from 2048 to 4095",
            );
        }
    }
}

/// Reports what is read of the meters of `cohort`, or of all, and only full metering has.
fn check_metered(
    scenario: &Scenario,
    what: &Reading,
    cohort: Option<&str>,
    path: &str,
    judge: &mut Judge<'_>,
) {
    let wanted = match what {
        Reading::Registers => "registers (ST23)".to_owned(),
        Reading::Profile { .. } => "load profile (ST64)".to_owned(),
        Reading::Tables { numbers } => {
            let Some(table) = numbers.iter().find(|n| METERED_TABLES.contains(n)) else {
                return;
            };
            format!("ST{table}")
        }
    };
    let asked = |name: &str| cohort.is_none_or(|cohort| cohort == name);
    let mut cohorts = scenario.cohorts.iter().enumerate();
    let without = cohorts.find(|(_, one)| asked(&one.name) && one.metering.is_none());
    if let Some((index, one)) = without {
        let message = format!(
            "meters of {:?} have no full metering and so no {wanted}: they refuse every such read",
            one.name
        );
        judge.contradiction(
            true,
            [path, &format!("cohorts[{index}]")],
            &message,
            "give the cohort `metering: Metering()`, or name a cohort that has it",
        );
    }
}

fn check_update(scenario: &Scenario, step: &Step, path: &str, judge: &mut Judge<'_>) {
    let Action::FirmwareUpdate {
        version,
        size,
        block,
        blocks_per_message,
        rate,
        waves,
        wave_every,
        activate,
        spread,
        ..
    } = &step.action
    else {
        return;
    };
    let at = |name: &str| format!("{path}.{name}");
    let number = rollout::version(version);
    judge.range(
        number.is_none_or(|number| number <= FACTORY_VERSION),
        &at("version"),
        "a version has two numbers up to 255, such as 3.1, and is newer than 2.3",
    );
    judge.range(
        !Manifest::BLOCK_LEN.contains(block),
        &at("block"),
        "a block has 64 to 1024 octets",
    );
    let blocks = size.0.div_ceil(u64::from((*block).max(1)));
    judge.range(
        !(1..=u64::from(Manifest::BLOCKS_MAX)).contains(&blocks),
        &at("size"),
        "an image has 1 to 12000 blocks",
    );
    let together = u32::from(*block) * u32::from(*blocks_per_message);
    judge.range(
        together == 0 || together > MESSAGE_DATA_MAX,
        &at("blocks_per_message"),
        "a message carries one block at least and 1792 octets at most",
    );
    judge.range(
        rate.is_some_and(|rate| rate.0 == 0),
        &at("rate"),
        "at no rate nothing is ever sent",
    );
    judge.range(
        waves.contains(&Ratio::ZERO) || !waves.is_sorted_by(|a, b| a < b),
        &at("waves"),
        "each wave is a larger share than the one before, and the first is above 0%",
    );
    judge.range(
        activate.is_zero(),
        &at("activate"),
        "an image needs time to arrive before it is activated",
    );
    judge.range(
        spread.as_secs() > u64::from(u16::MAX) || !spread.as_nanos().is_multiple_of(1_000_000_000),
        &at("spread"),
        "the window of activation is whole seconds and at most 65535s",
    );
    check_gates(&step.action, path, judge);
    let count = rollout::waves(waves).len() as u64;
    let last = step.at + wave_every.scaled(count - 1, 1) + *activate + *spread;
    judge.warn(
        last >= scenario.duration,
        &at("activate"),
        "the run ends before the last wave has been activated",
        "run longer, or activate earlier",
    );
}

/// What lets the waves of an update go on, or halts it.
fn check_gates(action: &Action, path: &str, judge: &mut Judge<'_>) {
    let Action::FirmwareUpdate {
        waves,
        wave_every,
        proceed_at,
        halt_on,
        activate,
        spread,
        ..
    } = action
    else {
        return;
    };
    let at = |name: &str| format!("{path}.{name}");
    judge.range(
        proceed_at.is_some_and(|share| share == Ratio::ZERO),
        &at("proceed_at"),
        "at 0% no wave waits for the one before: leave it out, or say more",
    );
    judge.warn(
        proceed_at.is_some() && waves.len() < 2,
        &at("proceed_at"),
        "there is no second wave that could wait",
        "divide the meters by `waves`",
    );
    judge.warn(
        proceed_at.is_some() && *wave_every <= *activate + *spread,
        &at("wave_every"),
        "no meter runs the new image before the next wave is due, so every wave is late",
        "wait for longer than `activate` and `spread` together",
    );
    let whole = u64::from(Ratio::ONE.ppb());
    let stuck = |(proceed, halt): (Ratio, Ratio)| {
        u64::from(proceed.ppb()) + u64::from(halt.ppb()) > whole && halt != Ratio::ZERO
    };
    judge.warn(
        proceed_at.zip(*halt_on).is_some_and(stuck),
        &at("halt_on"),
        "between the failures that keep the next wave from beginning and those that halt the \
         update, it waits for good",
        "halt it as soon as `proceed_at` cannot be reached any more",
    );
}

fn check_download(table: u16, data: &str, path: &str, judge: &mut Judge<'_>) {
    judge.range(
        table > TABLE_MAX,
        &format!("{path}.table"),
        "standard tables have numbers from 0 to 2047, manufacturer tables from 2048 to 4095",
    );
    let octets = octets(data);
    judge.range(
        octets.is_none(),
        &format!("{path}.data"),
        "octets are pairs of hexadecimal digits",
    );
    judge.range(
        octets.is_some_and(|octets| octets.is_empty() || octets.len() > DOWNLOAD_MAX),
        &format!("{path}.data"),
        "a download has 1 to 65535 octets",
    );
}
