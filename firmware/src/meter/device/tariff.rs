//! The tariff calendar of the measuring part as ST53 and ST54, and back.
//!
//! A day schedule has a switch at each of its half hours. What a meter cannot follow is refused as
//! a whole: weekly or monthly dates, switches between half hours, tiers, seasons and specials that
//! it does not have. A recurring date with a weekday means the first such day on or after it; the
//! code of that, 8, is known from general knowledge alone.

use alloc::vec::Vec;

use crate::c1219::calendar::{self, Action, CalendarView, TierSwitch};
use crate::c1219::clock::{TimeLimits, TimeOffset};
use crate::c1219::codec::Encoder;
use crate::c1219::format::Format;
use crate::c1219::types::{self, Recurrence, RecurringDate, TimeOfDay};
use crate::metrology::{
    Calendar, Control, DAY_TYPES, Date, Entry, HALF_HOURS, Recurring, SCHEDULES, SEASONS, SPECIALS,
    TIERS, When, Zone,
};
use crate::wire::Error;

/// OFFSET of a recurring date that means the first such weekday on or after it.
const WEEKDAY_FROM: u16 = 8;
/// What is wrong with a calendar that the meter cannot follow.
const UNFIT: Error = Error::Malformed("calendar");

/// ST51: 4 seasons, 2 special schedules, 8 day schedules of 48 half hours.
pub(super) const TIME: TimeLimits = TimeLimits {
    functions1: TimeLimits::SORT_DATES,
    functions2: TimeLimits::SORT_TIER_SWITCHES | TimeLimits::TIME_ZONE,
    seasons: SEASONS as u8,
    specials: SPECIALS as u8,
    non_recurring: 20,
    recurring: 10,
    tier_switches: (SCHEDULES * HALF_HOURS) as u16,
    calendar_len: 1_262,
};

/// ST53 of a zone.
pub(super) const fn time_offset(zone: &Zone) -> TimeOffset {
    TimeOffset {
        dst_effective: match TimeOfDay::new(zone.change_s) {
            Some(time) => time,
            None => TimeOfDay::MIDNIGHT,
        },
        dst_amount_min: zone.dst_min,
        time_zone_min: zone.offset_min,
    }
}

/// The zone of an ST53 that has been checked.
pub(super) const fn zone(offset: &TimeOffset) -> Zone {
    Zone {
        offset_min: offset.time_zone_min,
        dst_min: offset.dst_amount_min,
        change_s: offset.dst_effective.seconds(),
    }
}

/// Writes ST54.
///
/// # Errors
///
/// The sink is full, or there are more dates than the table has room for.
pub(super) fn emit(rules: &Calendar, out: &mut Encoder<'_>) -> Result<(), Error> {
    let (mut once, mut again) = (Vec::new(), Vec::new());
    for entry in &rules.entries {
        let action = action(entry).ok_or(UNFIT)?;
        match entry.when {
            When::Once(date) => {
                let year = 2_000 + u16::from(date.year);
                let date = types::Date::new(year, date.month, date.day).ok_or(UNFIT)?;
                once.push((date, action));
            }
            When::Yearly(date) => {
                let weekday = date.weekday.map_or(0, |weekday| {
                    WEEKDAY_FROM << 4 | u16::from(weekday & 0x07) << 8
                });
                let date = RecurringDate::yearly(date.month, date.day).ok_or(UNFIT)?;
                again.push((RecurringDate(date.0 | weekday), action));
            }
        }
    }
    let mut switches = Vec::with_capacity(SCHEDULES * HALF_HOURS);
    for (schedule, tiers) in rules.schedules.iter().enumerate() {
        for (half_hour, tier) in tiers.iter().enumerate() {
            switches.push(TierSwitch {
                tier: *tier,
                summations: true,
                demands: true,
                minute: (half_hour % 2 * 30) as u8,
                hour: (half_hour / 2) as u8,
                schedule: schedule as u8,
            });
        }
    }
    calendar::Calendar {
        anchor: types::Date::default(),
        non_recurring: &once,
        recurring: &again,
        tier_switches: &switches,
        matrix: rules.matrix.as_flattened(),
    }
    .emit(&TIME, out)
}

fn action(entry: &Entry) -> Option<Action> {
    let control = match entry.control {
        Control::None => calendar::Control::None,
        Control::DstOn => calendar::Control::DstOn,
        Control::DstOff => calendar::Control::DstOff,
        Control::Season(season) => calendar::Control::Season(season),
        Control::Special(special) => calendar::Control::Special(special),
    };
    let flag = |set, flag| if set { flag } else { 0 };
    let flags =
        flag(entry.demand_reset, Action::DEMAND_RESET) | flag(entry.self_read, Action::SELF_READ);
    Action::new(control, flags)
}

/// The rules of an ST54, in a zone.
///
/// # Errors
///
/// The octets are too few or too many, or the meter cannot follow the rules.
pub(super) fn parse(octets: &[u8], zone: Zone) -> Result<Calendar, Error> {
    let view = CalendarView::parse(octets, &TIME, &Format::PROFILE)?;
    let mut rules = Calendar {
        zone,
        ..Calendar::default()
    };
    for (date, action) in view.non_recurring() {
        let year = date.year().checked_sub(2_000).ok_or(UNFIT)?;
        let when = Date {
            year: u8::try_from(year).map_err(|_| UNFIT)?,
            month: date.month(),
            day: date.day(),
        };
        if !date.is_set() || year >= 100 {
            return Err(UNFIT);
        }
        rules.entries.push(entry(When::Once(when), action)?);
    }
    for (date, action) in view.recurring() {
        let Recurrence::Yearly {
            month,
            day,
            offset,
            weekday,
        } = date.recurrence()
        else {
            return Err(UNFIT);
        };
        let weekday = match (u16::from(offset), weekday) {
            (0, _) => None,
            (WEEKDAY_FROM, 0..7) => Some(weekday),
            _ => return Err(UNFIT),
        };
        let when = When::Yearly(Recurring {
            month,
            day,
            weekday,
        });
        rules.entries.push(entry(when, action)?);
    }
    fill_schedules(&view, &mut rules.schedules)?;
    for (season, row) in rules.matrix.iter_mut().enumerate() {
        for (day, schedule) in row.iter_mut().enumerate().take(DAY_TYPES) {
            let number = view.schedule(season as u8, day).ok_or(UNFIT)?;
            if usize::from(number) >= SCHEDULES {
                return Err(UNFIT);
            }
            *schedule = number;
        }
    }
    Ok(rules)
}

fn entry(when: When, action: Action) -> Result<Entry, Error> {
    let control = match action.control() {
        calendar::Control::None => Control::None,
        calendar::Control::DstOn => Control::DstOn,
        calendar::Control::DstOff => Control::DstOff,
        calendar::Control::Season(season) if usize::from(season) < SEASONS => {
            Control::Season(season)
        }
        calendar::Control::Special(special) if usize::from(special) < SPECIALS => {
            Control::Special(special)
        }
        _ => return Err(UNFIT),
    };
    Ok(Entry {
        when,
        control,
        demand_reset: action.has(Action::DEMAND_RESET),
        self_read: action.has(Action::SELF_READ),
    })
}

/// Applies each switch from its half hour to the end of the day; later ones come later in time.
fn fill_schedules(
    view: &CalendarView<'_>,
    schedules: &mut [[u8; HALF_HOURS]; SCHEDULES],
) -> Result<(), Error> {
    let mut filled = [0; SCHEDULES];
    for switch in view.tier_switches().filter(|switch| switch.summations) {
        let half_hour = 2 * usize::from(switch.hour) + usize::from(switch.minute / 30);
        let at = usize::from(switch.schedule);
        let fits = usize::from(switch.tier) < TIERS
            && matches!(switch.minute, 0 | 30)
            && half_hour < HALF_HOURS
            && filled.get(at).is_some_and(|filled| half_hour >= *filled);
        if !fits {
            return Err(UNFIT);
        }
        filled[at] = half_hour;
        schedules[at][half_hour..].fill(switch.tier);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::settings::octets_of;
    use super::*;

    /// ST54 of c1219_tables.json, whose dates recur by month and day alone.
    const VECTOR: &str = include_str!("../../../tests/vectors-metering/c1219_tables.json");

    fn vector() -> Vec<u8> {
        let document: serde_json::Value = serde_json::from_str(VECTOR).unwrap();
        let digits = document["tables"]["54"]["octets"].as_str().unwrap();
        (0..digits.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn the_calendar_of_the_vector_is_understood_and_written_back() {
        let octets = vector();
        let rules = parse(&octets, Zone::default()).unwrap();
        assert_eq!(rules.entries.len(), 8);
        assert_eq!(rules.matrix[1], [3, 3, 2, 6, 7]);
        assert_eq!(
            rules.schedules[0][12..18],
            [1; 6],
            "from six in the morning"
        );
        assert_eq!(octets_of(|out| emit(&rules, out)), Ok(octets));
    }

    #[test]
    fn rules_of_weekdays_survive() {
        let mut rules = Calendar {
            entries: Calendar::us_daylight_saving().to_vec(),
            ..Calendar::default()
        };
        rules.schedules[7][47] = 5;
        rules.matrix[3][4] = 7;
        let octets = octets_of(|out| emit(&rules, out)).unwrap();
        assert_eq!(parse(&octets, Zone::default()), Ok(rules));
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        let octets = vector();
        let with = |at: usize, value: u8| {
            let mut octets = octets.clone();
            octets[at] = value;
            parse(&octets, Zone::default())
        };
        assert!(with(1_261, 7).is_ok());
        // A schedule of the matrix, a tier, a time between half hours, a season, a weekly date.
        let (dates, switches) = (60, 90);
        for (at, value) in [
            (1_261, 8),
            (switches, 0x1E),
            (switches, 0x38),
            (dates + 2, 7),
        ] {
            assert_eq!(with(at, value), Err(UNFIT), "octet {at}");
        }
        assert_eq!(with(dates, 13), Err(UNFIT));
        assert_eq!(
            parse(&octets[1..], Zone::default()),
            Err(Error::Malformed("table length"))
        );
    }
}
