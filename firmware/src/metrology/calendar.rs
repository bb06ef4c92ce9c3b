//! The tariff calendar: time zone, daylight saving time, seasons, day types, tiers.
//!
//! The rules are those of ST53 and ST54 (C12.19-2008 §9.6): dates that recur or do not, each with
//! an action at its local midnight (daylight saving time begins or ends at a time of its own); day
//! schedules of tier switches; and a matrix that names the schedule of each season and day type.
//!
//! ```text
//!   UTC --zone, DST--> local day --season, special, weekday--> schedule --half hour--> tier
//! ```
//!
//! [`Calendar::day`] works out everything that stays the same until a local midnight or a change
//! of the clocks; a meter keeps that and asks again when it is over.

use alloc::vec::Vec;

use crate::c1222::interval::EndTime;

/// Tiers (rates) of the meter of reference.
pub const TIERS: usize = 6;
/// Half hours of a day, at whose beginnings tiers switch.
pub const HALF_HOURS: usize = 48;
/// Seasons.
pub const SEASONS: usize = 4;
/// Special schedules, as of holidays.
pub const SPECIALS: usize = 2;
/// Day types of a season: Saturday, Sunday, weekday, then the special schedules.
pub const DAY_TYPES: usize = 3 + SPECIALS;
/// Day schedules.
pub const SCHEDULES: usize = 8;

const DAY_S: i64 = 86_400;

/// A local date; the year is that since 2000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// Years since 2000, 0 to 99.
    pub year: u8,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

/// A date of every year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recurring {
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// If set, the first such weekday on or after the date: 0 is Sunday.
    pub weekday: Option<u8>,
}

/// When something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// On one date.
    Once(Date),
    /// Every year.
    Yearly(Recurring),
}

/// What happens (ACTION, bits 0 to 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Nothing but what the flags say.
    None,
    /// Daylight saving time begins.
    DstOn,
    /// Daylight saving time ends.
    DstOff,
    /// A season begins.
    Season(u8),
    /// A special schedule is in force that day.
    Special(u8),
}

/// An entry of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub when: When,
    /// What.
    pub control: Control,
    /// Whether the demand is reset that midnight (ACTION, bit 5).
    pub demand_reset: bool,
    /// Whether the registers are read that midnight (ACTION, bit 6).
    pub self_read: bool,
}

/// Time zone and daylight saving time (ST53).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Zone {
    /// Minutes by which standard time is ahead of UTC; a multiple of 15.
    pub offset_min: i16,
    /// Minutes by which daylight saving time is ahead of standard time.
    pub dst_min: u8,
    /// Second of the day, in the time that ends, at which the clocks change.
    pub change_s: u32,
}

/// The rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Zone and daylight saving time.
    pub zone: Zone,
    /// Dates with actions, at most 30.
    pub entries: Vec<Entry>,
    /// The tier of each half hour of each schedule.
    pub schedules: [[u8; HALF_HOURS]; SCHEDULES],
    /// The schedule of each day type in each season.
    pub matrix: [[u8; DAY_TYPES]; SEASONS],
}

/// What stays the same until `until_utc_s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// Its beginning: a local midnight or a change of the clocks.
    pub from_utc_s: u32,
    /// Its end, the next of these.
    pub until_utc_s: u32,
    /// Local time minus UTC in seconds.
    pub offset_s: i32,
    /// Whether daylight saving time is in force.
    pub dst: bool,
    /// The season.
    pub season: u8,
    /// The special schedule, if one is in force.
    pub special: Option<u8>,
    /// 0 is Sunday.
    pub weekday: u8,
    /// The schedule of the tiers.
    pub schedule: u8,
    /// Whether the demand is reset at the midnight that begins this local day.
    pub demand_reset: bool,
    /// Whether the registers are read at that midnight.
    pub self_read: bool,
}

impl Day {
    /// The second of the local day at `utc_s`.
    pub const fn local_second(&self, utc_s: u32) -> u32 {
        (utc_s as i64 + self.offset_s as i64).rem_euclid(DAY_S) as u32
    }

    /// The local day of `utc_s`, counted from 1970.
    pub const fn local_day(&self, utc_s: u32) -> i64 {
        (utc_s as i64 + self.offset_s as i64).div_euclid(DAY_S)
    }

    /// Whether this stretch begins at a local midnight.
    pub const fn begins_a_day(&self) -> bool {
        self.local_second(self.from_utc_s) == 0
    }
}

impl Default for Calendar {
    /// One tier in UTC, without daylight saving time.
    fn default() -> Self {
        Self {
            zone: Zone::default(),
            entries: Vec::new(),
            schedules: [[0; HALF_HOURS]; SCHEDULES],
            matrix: [[0; DAY_TYPES]; SEASONS],
        }
    }
}

impl Calendar {
    /// The rules of daylight saving time of the United States since 2007.
    pub fn us_daylight_saving() -> [Entry; 2] {
        let sunday = |month, day, control| Entry {
            when: When::Yearly(Recurring {
                month,
                day,
                weekday: Some(0),
            }),
            control,
            demand_reset: false,
            self_read: false,
        };
        [sunday(3, 8, Control::DstOn), sunday(11, 1, Control::DstOff)]
    }

    /// The tier of `day`'s schedule at `utc_s`.
    pub const fn tier(&self, day: &Day, utc_s: u32) -> u8 {
        let half_hour = day.local_second(utc_s) / 1_800;
        let schedule = day.schedule as usize % SCHEDULES;
        let tier = self.schedules[schedule][half_hour as usize % HALF_HOURS];
        tier % TIERS as u8
    }

    /// The second at which the tier switches next after `utc_s`, within `day` at the latest.
    pub fn next_switch(&self, day: &Day, utc_s: u32) -> u32 {
        let tier = self.tier(day, utc_s);
        let mut at = utc_s - day.local_second(utc_s) % 1_800;
        loop {
            at = at.saturating_add(1_800);
            if at >= day.until_utc_s {
                return day.until_utc_s;
            }
            if self.tier(day, at) != tier {
                return at;
            }
        }
    }

    /// Everything about the local day of `utc_s`.
    pub fn day(&self, utc_s: u32) -> Day {
        let standard_s = i32::from(self.zone.offset_min) * 60;
        let (dst, changed, changes) = self.daylight_saving(utc_s, standard_s);
        let dst_s = if dst {
            i32::from(self.zone.dst_min) * 60
        } else {
            0
        };
        let offset_s = standard_s + dst_s;
        let local = i64::from(utc_s) + i64::from(offset_s);
        let number = local.div_euclid(DAY_S);
        let midnight = number * DAY_S - i64::from(offset_s);
        let from = changed.map_or(midnight, |changed| changed.max(midnight));
        let until = changes.map_or(midnight + DAY_S, |changes| changes.min(midnight + DAY_S));
        let mut day = Day {
            from_utc_s: seconds(from),
            until_utc_s: seconds(until),
            offset_s,
            dst,
            season: 0,
            special: None,
            weekday: weekday(number),
            schedule: 0,
            demand_reset: false,
            self_read: false,
        };
        self.apply(number, &mut day);
        let column = match (day.special, day.weekday) {
            (Some(special), _) => 3 + usize::from(special) % SPECIALS,
            (None, 6) => 0,
            (None, 0) => 1,
            (None, _) => 2,
        };
        day.schedule = self.matrix[usize::from(day.season) % SEASONS][column];
        day
    }

    /// Season, special schedule and actions of local day `number`.
    fn apply(&self, number: i64, day: &mut Day) {
        let mut since = i64::MIN;
        for entry in &self.entries {
            if let Control::Season(season) = entry.control
                && let Some(begun) = entry.when.latest(number)
                && begun > since
            {
                (since, day.season) = (begun, season);
            }
            if entry.when.latest(number) == Some(number) {
                if let Control::Special(special) = entry.control {
                    day.special = Some(special);
                }
                day.demand_reset |= entry.demand_reset;
                day.self_read |= entry.self_read;
            }
        }
    }

    /// Whether daylight saving time is in force at `utc_s`, since when, and until when.
    fn daylight_saving(&self, utc_s: u32, standard_s: i32) -> (bool, Option<i64>, Option<i64>) {
        if self.zone.dst_min == 0 {
            return (false, None, None);
        }
        let (now, standard) = (i64::from(utc_s), i64::from(standard_s));
        let saved = i64::from(self.zone.dst_min) * 60;
        let today = (now + standard).div_euclid(DAY_S);
        let mut on = false;
        let (mut changed, mut changes) = (None, None);
        for entry in &self.entries {
            let (begins, ahead) = match entry.control {
                Control::DstOn => (true, 0),
                Control::DstOff => (false, saved),
                _ => continue,
            };
            let change = |day: i64| day * DAY_S + i64::from(self.zone.change_s) - standard - ahead;
            // A change of today may be past or to come; the one before may be a year ago.
            let days = [
                entry.when.latest(today - 1),
                entry.when.on(today),
                entry.when.on(today + 1),
            ];
            for at in days.into_iter().flatten().map(change) {
                if at <= now && changed.is_none_or(|changed| at > changed) {
                    (changed, on) = (Some(at), begins);
                } else if at > now && changes.is_none_or(|changes| at < changes) {
                    changes = Some(at);
                }
            }
        }
        (on, changed, changes)
    }
}

impl When {
    /// The latest such day that is no later than `number`, both counted from 1970.
    fn latest(&self, number: i64) -> Option<i64> {
        match self {
            Self::Once(date) => day_number(*date).filter(|day| *day <= number),
            Self::Yearly(rule) => {
                let year = date_of(number)?.year;
                let this = rule.in_year(year).filter(|day| *day <= number);
                this.or_else(|| rule.in_year(year.checked_sub(1)?))
            }
        }
    }

    /// `number`, if it is such a day.
    fn on(&self, number: i64) -> Option<i64> {
        self.latest(number).filter(|day| *day == number)
    }
}

impl Recurring {
    /// The day in a year, counted from 1970; none on 29 February of a common year.
    fn in_year(&self, year: u8) -> Option<i64> {
        let first = day_number(Date {
            year,
            month: self.month,
            day: self.day,
        })?;
        let wait = self.weekday.map_or(0, |wanted| {
            (i64::from(wanted) - i64::from(weekday(first))).rem_euclid(7)
        });
        Some(first + wait)
    }
}

/// The weekday of a day counted from 1970: 0 is Sunday.
const fn weekday(number: i64) -> u8 {
    (number + 4).rem_euclid(7) as u8
}

/// The day counted from 1970; none if there is no such date.
fn day_number(date: Date) -> Option<i64> {
    let end = EndTime {
        year: date.year,
        month: date.month,
        day: date.day,
        hour: 0,
        minute: 0,
    };
    let number = i64::from(end.to_utc()?) / DAY_S;
    // 31 April would be 1 May.
    (date_of(number)? == date).then_some(number)
}

/// The date of a day counted from 1970; none outside 2000 to 2099.
fn date_of(number: i64) -> Option<Date> {
    let second = u32::try_from(number * DAY_S).ok()?;
    let EndTime {
        year, month, day, ..
    } = EndTime::from_utc(second)?;
    Some(Date { year, month, day })
}

fn seconds(utc_s: i64) -> u32 {
    u32::try_from(utc_s.max(0)).unwrap_or(u32::MAX)
}
