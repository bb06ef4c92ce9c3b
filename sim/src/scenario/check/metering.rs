//! Rules about full metering, tariffs and households.

use firmware::Duration;
use firmware::metrology::{CHANNELS, SCHEDULES, SEASONS, TIERS};

use super::super::metering::{Charging, Holiday, Household, Metering, RateSwitch, Tariff};
use super::super::replay::{Replay, Terms, import};
use super::super::schema::{Cohort, Scenario};
use super::super::units::zone_seconds;
use super::Judge;
use super::shared::report_list;

const HALF_HOUR: Duration = Duration::from_secs(1_800);
const DAY: Duration = Duration::from_secs(86_400);
/// Dates with actions that a calendar holds besides those of daylight saving time and resets.
const HOLIDAYS_MAX: usize = 6;

pub(super) fn check(scenario: &Scenario, judge: &mut Judge<'_>) {
    for (index, cohort) in scenario.cohorts.iter().enumerate() {
        if let Some(replay) = &cohort.replay {
            check_replay(
                scenario,
                cohort,
                replay,
                &format!("cohorts[{index}]"),
                judge,
            );
        }
        let Some(metering) = &cohort.metering else {
            continue;
        };
        let path = format!("cohorts[{index}].metering");
        check_metering(scenario, metering, &path, judge);
        check_tariff(&metering.tariff, &format!("{path}.tariff"), judge);
        check_household(&metering.household, &format!("{path}.household"), judge);
    }
}

fn check_replay(
    scenario: &Scenario,
    cohort: &Cohort,
    replay: &Replay,
    path: &str,
    judge: &mut Judge<'_>,
) {
    let devices = cohort
        .metering
        .as_ref()
        .is_some_and(|metering| metering.household != Household::default());
    judge.contradiction(
        devices,
        [
            &format!("{path}.replay"),
            &format!("{path}.metering.household"),
        ],
        "recorded data take the place of everything that a household uses",
        "remove one of them",
    );
    let csv = format!("{path}.replay.csv");
    // A file that cannot be read has been reported as such.
    if !judge.sound(&[&csv, "start", "duration", "traffic.interval"])
        || scenario.traffic.interval.as_secs() == 0
    {
        return;
    }
    match import(&replay.csv, &Terms::of(scenario, cohort)) {
        Err(mistakes) => {
            report_list(&mistakes, &csv, &replay.csv, judge);
            judge.survey.taint(&csv);
        }
        Ok(series) => {
            let (have, want) = (series.len(), cohort.count as usize);
            let count = format!("{path}.count");
            judge.contradiction(
                have < want && !replay.recycle,
                [&count, &csv],
                &format!("there are data of {have} meters for a cohort of {want}"),
                &format!("`count: {have}`, or `recycle: true` to let meters share data"),
            );
            judge.warn(
                have > want,
                &count,
                &format!("there are data of {have} meters, of which the first {want} are used"),
                "raise it to use all of them",
            );
        }
    }
}

fn check_metering(scenario: &Scenario, metering: &Metering, path: &str, judge: &mut Judge<'_>) {
    let at = |field: &str| format!("{path}.{field}");
    let interval = scenario.traffic.interval;
    let divides = |whole: u64| interval.as_secs() > 0 && whole.is_multiple_of(interval.as_secs());
    judge.contradiction(
        !divides(3_600) || !interval.as_secs().is_multiple_of(60),
        ["traffic.interval", path],
        "a load profile has intervals of whole minutes that divide an hour",
        "use 5min, 15min, 30min or 60min",
    );
    judge.contradiction(
        !scenario.start.0.is_multiple_of(900),
        ["start", path],
        "intervals end at full quarters of an hour, so a run begins at one",
        "start at a multiple of 15 minutes",
    );
    let channels = metering.channels.len();
    judge.range(
        !(1..=CHANNELS).contains(&channels),
        &at("channels"),
        "a load profile has one to four channels",
    );
    for (index, channel) in metering.channels.iter().enumerate() {
        judge.range(
            metering.channels[..index].contains(channel),
            &format!("{path}.channels[{index}]"),
            "this quantity is recorded by another channel already",
        );
    }
    judge.range(
        !(1..=365).contains(&metering.profile_days),
        &at("profile_days"),
        "a load profile keeps 1 to 365 days",
    );
    judge.range(
        !(0.0..=10.0).contains(&metering.starting_current_a),
        &at("starting_current_a"),
        "a starting current lies between 0 and 10 A",
    );
    let block = metering.demand.block.as_secs();
    let whole = metering.demand.block == Duration::from_secs(block);
    judge.range(
        block == 0 || !whole || !block.is_multiple_of(900) || !3_600_u64.is_multiple_of(block),
        &at("demand.block"),
        "a demand block lasts 15, 30 or 60 minutes",
    );
    for (duration, name) in [
        (metering.demand.reset_exclusion, "demand.reset_exclusion"),
        (
            metering.demand.outage_recognition,
            "demand.outage_recognition",
        ),
        (metering.demand.forgiveness, "demand.forgiveness"),
        (metering.clock.reject_above, "clock.reject_above"),
        (metering.clock.slew_below, "clock.slew_below"),
    ] {
        judge.range(duration > DAY, &at(name), "this is at most 1d");
    }
    if let Some(limit) = &metering.limit {
        judge.range(
            !(0.1..=1_000.0).contains(&limit.kw),
            &at("limit.kw"),
            "a limit lies between 0.1 and 1000 kW",
        );
        judge.range(
            limit.tolerated > DAY,
            &at("limit.tolerated"),
            "a limit is tolerated for at most 1d",
        );
    }
}

fn check_tariff(tariff: &Tariff, path: &str, judge: &mut Judge<'_>) {
    let at = |field: &str| format!("{path}.{field}");
    let quarter = |seconds: i64| seconds % 900 == 0;
    judge.range(
        !zone_seconds(&tariff.zone).is_some_and(quarter),
        &at("zone"),
        "a zone is an offset from UTC such as \"-07:00\", a multiple of 15 minutes",
    );
    judge.range(
        tariff.seasons.len() > SEASONS,
        &at("seasons"),
        "a calendar has at most four seasons",
    );
    judge.range(
        tariff.schedules() > SCHEDULES,
        &at("seasons"),
        "a meter holds eight schedules of a day, and these are more",
    );
    for (index, season) in tariff.seasons.iter().enumerate() {
        let path = format!("{path}.seasons[{index}]");
        check_date(season.month, season.day, &path, judge);
        for (switches, name) in [
            (&season.weekday, "weekday"),
            (&season.saturday, "saturday"),
            (&season.sunday, "sunday"),
            (&season.holiday, "holiday"),
        ] {
            check_switches(switches, &format!("{path}.{name}"), judge);
        }
        let earlier = index.checked_sub(1).map(|before| &tariff.seasons[before]);
        judge.range(
            earlier.is_some_and(|e| (e.month, e.day) >= (season.month, season.day)),
            &format!("{path}.month"),
            "seasons stand in the order of their beginning",
        );
    }
    judge.range(
        tariff.holidays.len() > HOLIDAYS_MAX,
        &at("holidays"),
        "a calendar has room for six holidays",
    );
    for (index, holiday) in tariff.holidays.iter().enumerate() {
        let Holiday {
            month,
            day,
            weekday,
        } = *holiday;
        let path = format!("{path}.holidays[{index}]");
        check_date(month, day, &path, judge);
        judge.range(
            weekday.is_some_and(|weekday| weekday > 6),
            &format!("{path}.weekday"),
            "weekdays are 0 (Sunday) to 6 (Saturday)",
        );
    }
    judge.range(
        tariff
            .demand_reset_day
            .is_some_and(|day| !(1..=28).contains(&day)),
        &at("demand_reset_day"),
        "demand is reset on a day that every month has, 1 to 28",
    );
}

fn check_date(month: u8, day: u8, path: &str, judge: &mut Judge<'_>) {
    let days = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    judge.range(
        !(1..=12).contains(&month),
        &format!("{path}.month"),
        "months are 1 to 12",
    );
    judge.range(
        !(1..=days).contains(&day),
        &format!("{path}.day"),
        "that month has no such day",
    );
}

fn check_switches(switches: &[RateSwitch], path: &str, judge: &mut Judge<'_>) {
    for (index, switch) in switches.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let whole = switch.at.as_nanos().is_multiple_of(HALF_HOUR.as_nanos());
        judge.range(
            !whole || switch.at >= DAY,
            &format!("{path}.at"),
            "rates switch at full half hours of a day",
        );
        judge.range(
            usize::from(switch.rate) >= TIERS,
            &format!("{path}.rate"),
            "rates are 0 to 5",
        );
        let before = index.checked_sub(1).map(|before| switches[before].at);
        judge.range(
            before.is_some_and(|before| before >= switch.at),
            &format!("{path}.at"),
            "switches stand in the order of their times",
        );
    }
}

fn check_household(household: &Household, path: &str, judge: &mut Judge<'_>) {
    let mut between = |value: f64, least: f64, most: f64, field: &str| {
        judge.range(
            !(least..=most).contains(&value),
            &format!("{path}.{field}"),
            &format!("the value must lie between {least} and {most}"),
        );
    };
    if let Some(pv) = &household.photovoltaics {
        between(pv.kw, 0.1, 1_000.0, "photovoltaics.kw");
    }
    if let Some(cars) = &household.cars {
        between(cars.kw, 0.1, 1_000.0, "cars.kw");
    }
    let weather = &household.weather;
    between(weather.january_c, -60.0, 50.0, "weather.january_c");
    between(weather.july_c, -60.0, 50.0, "weather.july_c");
    between(weather.swing_k, 0.0, 40.0, "weather.swing_k");
    between(weather.latitude_deg, -66.0, 66.0, "weather.latitude_deg");
    if let Some(cars) = &household.cars
        && let Charging::From { time } = cars.charging
    {
        judge.range(
            time >= DAY,
            &format!("{path}.cars.charging.time"),
            "a time of the day is less than 24h",
        );
    }
}
