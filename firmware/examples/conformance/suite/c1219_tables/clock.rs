//! Decade 5.

use firmware::c1219::calendar::{Calendar, CalendarView, TierSwitch, table_len};
use firmware::c1219::clock::{Clock, ClockState, TimeLimits, TimeOffset, TimeRemaining};
use firmware::c1219::types::DateTime;
use serde_json::Value;

use super::super::json::{self, expect_number, expect_text};
use super::{Limits, emits, equal, minute, parsed};

pub(super) fn limits(table: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let found = parsed(TimeLimits::parse(octets, &limits.format))?;
    let decoded = json::member(table, "decoded")?;
    let calendar = u64::from(found.seasons) | u64::from(found.specials) << 4;
    for (name, value) in [
        ("TIME_FUNC_FLAG1", found.functions1.into()),
        ("TIME_FUNC_FLAG2", found.functions2.into()),
        ("CALENDAR_FUNC", calendar),
        ("NBR_NON_RECURR_DATES", found.non_recurring.into()),
        ("NBR_RECURR_DATES", found.recurring.into()),
        ("NBR_TIER_SWITCHES", found.tier_switches.into()),
        ("CALENDAR_TBL_SIZE", found.calendar_len.into()),
    ] {
        expect_number(decoded, name, value)?;
    }
    equal("table", table_len(&found), found.calendar_len.into())?;
    emits(octets, |out| found.emit(out))
}

/// A second as the file writes it.
fn second(time: Option<DateTime>) -> String {
    time.map_or_else(String::new, |time| {
        format!("{}:{:02}", minute(Some(time.minute)), time.second)
    })
}

pub(super) fn clock(table: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let clock = parsed(Clock::parse(octets, &limits.format))?;
    compare(&clock, json::member(table, "decoded")?)?;
    emits(octets, |out| clock.emit(out))
}

fn compare(clock: &Clock, decoded: &Value) -> Result<(), String> {
    expect_text(decoded, "CLOCK_CALENDAR", &second(clock.time))?;
    expect_number(decoded, "TIME_DATE_QUAL", clock.qualifier.0.into())
}

pub(super) fn offset(table: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let offset = parsed(TimeOffset::parse(octets, &limits.time, &limits.format))?;
    let decoded = json::member(table, "decoded")?;
    let time = offset.dst_effective;
    let time = [time.hour(), time.minute(), time.second()].map(Value::from);
    equal(
        "DST_TIME_EFF",
        &time[..],
        json::list(decoded, "DST_TIME_EFF")?,
    )?;
    expect_number(decoded, "DST_TIME_AMT", offset.dst_amount_min.into())?;
    let zone = json::member(decoded, "TIME_ZONE_OFFSET")?.as_i64();
    equal("TIME_ZONE_OFFSET", Some(offset.time_zone_min.into()), zone)?;
    emits(octets, |out| offset.emit(&limits.time, out))
}

pub(super) fn state(table: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let state = parsed(ClockState::parse(octets, &limits.time, &limits.format))?;
    let decoded = json::member(table, "decoded")?;
    compare(&state.clock, decoded)?;
    for (name, value) in [
        ("CURR_TIER", state.tier),
        ("TIER_DRIVE", state.tier_drive),
        ("SPECIAL_SCHD_ACTIVE", state.special.unwrap_or(15)),
        ("SEASON", state.season),
    ] {
        expect_number(decoded, name, value.into())?;
    }
    emits(octets, |out| state.emit(&limits.time, out))
}

pub(super) fn remaining(table: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let remaining = parsed(TimeRemaining::parse(octets, &limits.format))?;
    let decoded = json::member(table, "decoded")?;
    expect_number(decoded, "TIER_TIME_REMAIN", remaining.tier_min.into())?;
    let days = remaining.self_read_days.into();
    expect_number(decoded, "SELF_READ_DAYS_REMAIN", days)?;
    emits(octets, |out| remaining.emit(out))
}

pub(super) fn calendar(table: &Value, octets: &[u8], limits: &Limits) -> Result<(), String> {
    let view = parsed(CalendarView::parse(octets, &limits.time, &limits.format))?;
    let decoded = json::member(table, "decoded")?;
    let once: Vec<_> = view.non_recurring().collect();
    for (found, expected) in once
        .iter()
        .zip(json::list(decoded, "NON_RECURR_DATES_first4")?)
    {
        expect_number(expected, "YEAR", u64::from(found.0.year()) - 2000)?;
        expect_number(expected, "MONTH", found.0.month().into())?;
        expect_number(expected, "DAY", found.0.day().into())?;
        expect_number(expected, "ACTION", found.1.0.into())?;
    }
    equal("non-recurring dates", once.len(), 4)?;
    let again: Vec<_> = view.recurring().collect();
    for (found, expected) in again
        .iter()
        .zip(json::list(decoded, "RECURR_DATES_first4")?)
    {
        expect_number(expected, "RDATE", found.0.0.into())?;
        expect_number(expected, "ACTION", found.1.0.into())?;
    }
    equal("recurring dates", again.len(), 4)?;
    let switches: Vec<TierSwitch> = view.tier_switches().collect();
    let shown = switches.iter().filter(|switch| switch.schedule == 0);
    let expected = json::list(decoded, "TIER_SWITCHES_schedule0")?;
    for (found, expected) in shown.step_by(6).zip(expected) {
        expect_number(expected, "tier", found.tier.into())?;
        expect_number(expected, "hour", found.hour.into())?;
        expect_number(expected, "minute", found.minute.into())?;
    }
    let matrix = matrix(&view, limits, decoded)?;
    let calendar = Calendar {
        non_recurring: &once,
        recurring: &again,
        tier_switches: &switches,
        matrix: &matrix,
        ..Calendar::default()
    };
    emits(octets, |out| calendar.emit(&limits.time, out))
}

fn matrix(view: &CalendarView<'_>, limits: &Limits, decoded: &Value) -> Result<Vec<u8>, String> {
    let mut matrix = Vec::new();
    let seasons = json::list(decoded, "DAILY_SCHEDULE_ID_MATRIX")?;
    equal("seasons", seasons.len(), limits.time.seasons.into())?;
    for (season, expected) in (0..).zip(seasons) {
        let days = (0..limits.time.days()).map_while(|day| view.schedule(season, day));
        let days: Vec<u8> = days.collect();
        equal("days", &Value::from(days.clone()), expected)?;
        matrix.extend(days);
    }
    Ok(matrix)
}
