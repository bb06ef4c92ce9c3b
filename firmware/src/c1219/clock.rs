//! Decade 5, the clock: ST51 to ST53, ST55 and ST56 (C12.19-2008 §9.6).
//!
//! ```text
//! ST51  functions (2) | 0..3 seasons, 4..7 specials | non-recurring dates | recurring dates
//!       | tier switches (2) | octets of ST54 (2)
//! ST52  LTIME_DATE | qualifier
//! ST53  time of the change TIME | amount min [time zone min (2)]
//! ST55  LTIME_DATE | qualifier | status (2)
//! ST56  minutes to the next tier (2) | days to the next self read
//! ```

use super::codec::{Decoder, Encoder};
use super::format::Format;
use super::types::{DateTime, TimeOfDay};
use crate::wire::Error;

/// ST51 ACT_TIME_TOU, and ST50: what the other tables of the decade hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimits {
    /// TIME_FUNC_FLAG1: the bits are constants of this type.
    pub functions1: u8,
    /// TIME_FUNC_FLAG2: the bits are constants of this type.
    pub functions2: u8,
    /// NBR_SEASONS, 0 to 15.
    pub seasons: u8,
    /// NBR_SPECIAL_SCHED, 0 to 15.
    pub specials: u8,
    /// NBR_NON_RECURR_DATES.
    pub non_recurring: u8,
    /// NBR_RECURR_DATES.
    pub recurring: u8,
    /// NBR_TIER_SWITCHES.
    pub tier_switches: u16,
    /// CALENDAR_TBL_SIZE in octets.
    pub calendar_len: u16,
}

impl TimeLimits {
    /// TOU_SELF_READ_FLAG of the first functions.
    pub const TOU_SELF_READ: u8 = 0x01;
    /// SEASON_SELF_READ_FLAG.
    pub const SEASON_SELF_READ: u8 = 0x02;
    /// SEASON_DEMAND_RESET_FLAG.
    pub const SEASON_DEMAND_RESET: u8 = 0x04;
    /// SEASON_CHNG_ARMED_FLAG.
    pub const SEASON_CHANGE_ARMED: u8 = 0x08;
    /// SORT_DATES_FLAG.
    pub const SORT_DATES: u8 = 0x10;
    /// ANCHOR_DATE_FLAG: the calendar begins with a date that periods count from.
    pub const ANCHOR_DATE: u8 = 0x20;
    /// CAP_DST_AUTO_FLAG of the second functions.
    pub const DST_AUTOMATIC: u8 = 0x01;
    /// SEPARATE_WEEKDAYS_FLAG: schedules for seven days instead of three.
    pub const SEPARATE_WEEKDAYS: u8 = 0x02;
    /// SEPARATE_SUM_DEMANDS_FLAG: demands have tiers of their own.
    pub const SEPARATE_DEMANDS: u8 = 0x04;
    /// SORT_TIER_SWITCHES_FLAG.
    pub const SORT_TIER_SWITCHES: u8 = 0x08;
    /// CAP_TM_ZN_OFFSET_FLAG: the time zone is known.
    pub const TIME_ZONE: u8 = 0x10;

    /// Days with a schedule in each season: three or seven, and the specials.
    pub const fn days(&self) -> usize {
        let ordinary = if self.functions2 & Self::SEPARATE_WEEKDAYS != 0 {
            7
        } else {
            3
        };
        ordinary + self.specials as usize
    }

    /// Whether the calendar has an anchor date.
    pub const fn has_anchor(&self) -> bool {
        self.functions1 & Self::ANCHOR_DATE != 0
    }

    /// Whether the time zone is known.
    pub const fn has_time_zone(&self) -> bool {
        self.functions2 & Self::TIME_ZONE != 0
    }

    /// Whether demands have tiers of their own.
    pub const fn separates_demands(&self) -> bool {
        self.functions2 & Self::SEPARATE_DEMANDS != 0
    }

    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many.
    pub fn parse(octets: &[u8], format: &Format) -> Result<Self, Error> {
        Decoder::whole(octets, format, |input| {
            let [functions1, functions2, calendar, non_recurring, recurring] = input.array()?;
            Ok(Self {
                functions1,
                functions2,
                seasons: calendar & 0x0F,
                specials: calendar >> 4,
                non_recurring,
                recurring,
                tier_switches: input.u16()?,
                calendar_len: input.u16()?,
            })
        })
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// The sink is full.
    pub fn emit(&self, out: &mut Encoder<'_>) -> Result<(), Error> {
        out.put(&[
            self.functions1,
            self.functions2,
            self.seasons & 0x0F | self.specials << 4,
            self.non_recurring,
            self.recurring,
        ])?;
        out.u16(self.tier_switches)?;
        out.u16(self.calendar_len)
    }
}

/// TIME_DATE_QUAL: what the time means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Qualifier(pub u8);

impl Qualifier {
    /// DST_FLAG: daylight saving time is in force.
    pub const DST: u8 = 0x08;
    /// GMT_FLAG: the time is that of Greenwich.
    pub const GMT: u8 = 0x10;
    /// TM_ZN_APPLIED_FLAG: the time zone is in the time.
    pub const ZONE_APPLIED: u8 = 0x20;
    /// DST_APPLIED_FLAG: daylight saving is in the time.
    pub const DST_APPLIED: u8 = 0x40;
    /// DST_SUPPORTED_FLAG.
    pub const DST_SUPPORTED: u8 = 0x80;

    /// A day of the week, Sunday 0, and flags.
    pub const fn new(day_of_week: u8, flags: u8) -> Self {
        Self(day_of_week & 0x07 | flags & 0xF8)
    }

    /// DAY_OF_WEEK, Sunday 0.
    pub const fn day_of_week(self) -> u8 {
        self.0 & 0x07
    }

    /// Whether a flag is set.
    pub const fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }
}

/// ST52 CLOCK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// CLOCK_CALENDAR; none if the clock is not set.
    pub time: Option<DateTime>,
    /// TIME_DATE_QUAL.
    pub qualifier: Qualifier,
}

impl Clock {
    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many, or the date is none.
    pub fn parse(octets: &[u8], format: &Format) -> Result<Self, Error> {
        Decoder::whole(octets, format, Self::take)
    }

    pub(super) fn take(input: &mut Decoder<'_>) -> Result<Self, Error> {
        Ok(Self {
            time: input.date_time()?,
            qualifier: Qualifier(input.u8()?),
        })
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// The sink is full.
    pub fn emit(&self, out: &mut Encoder<'_>) -> Result<(), Error> {
        out.date_time(self.time)?;
        out.u8(self.qualifier.0)
    }
}

/// ST53 TIME_OFFSET.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeOffset {
    /// DST_TIME_EFF: when daylight saving begins and ends on its days.
    pub dst_effective: TimeOfDay,
    /// DST_TIME_AMT in minutes.
    pub dst_amount_min: u8,
    /// TIME_ZONE_OFFSET in minutes east of Greenwich, if the meter knows it.
    pub time_zone_min: i16,
}

impl TimeOffset {
    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many, or the time is none.
    pub fn parse(octets: &[u8], limits: &TimeLimits, format: &Format) -> Result<Self, Error> {
        Decoder::whole(octets, format, |input| {
            Ok(Self {
                dst_effective: input.time_of_day()?,
                dst_amount_min: input.u8()?,
                time_zone_min: if limits.has_time_zone() {
                    input.int(2)? as i16
                } else {
                    0
                },
            })
        })
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// The sink is full, or the time zone does not fit into its format.
    pub fn emit(&self, limits: &TimeLimits, out: &mut Encoder<'_>) -> Result<(), Error> {
        out.time_of_day(self.dst_effective)?;
        out.u8(self.dst_amount_min)?;
        if limits.has_time_zone() {
            out.int(self.time_zone_min.into(), 2)?;
        }
        Ok(())
    }
}

/// ST55 CLOCK_STATE.
///
/// ```text
/// status  0..2 tier [ 3..5 tier of demands ] | 6..7 TIER_DRIVE | 8..11 special | 12..15 season
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockState {
    /// The time.
    pub clock: Clock,
    /// CURR_TIER, or that of the summations, 0 to 7.
    pub tier: u8,
    /// CURR_DEMAND_TIER, 0 to 7, where demands have tiers of their own.
    pub demand_tier: u8,
    /// TIER_DRIVE, 0 to 3: what decides about the tier; 0 the calendar.
    pub tier_drive: u8,
    /// SPECIAL_SCHD_ACTIVE; none is 15.
    pub special: Option<u8>,
    /// SEASON, 0 to 15.
    pub season: u8,
}

impl ClockState {
    const NO_SPECIAL: u8 = 15;

    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many, or the date is none.
    pub fn parse(octets: &[u8], limits: &TimeLimits, format: &Format) -> Result<Self, Error> {
        Decoder::whole(octets, format, |input| {
            let clock = Clock::take(input)?;
            let status = input.u16()?;
            let special = (status >> 8 & 0x0F) as u8;
            let demand_tier = (status >> 3 & 0x07) as u8;
            Ok(Self {
                clock,
                tier: (status & 0x07) as u8,
                demand_tier: if limits.separates_demands() {
                    demand_tier
                } else {
                    0
                },
                tier_drive: (status >> 6 & 0x03) as u8,
                special: Some(special).filter(|special| *special != Self::NO_SPECIAL),
                season: (status >> 12) as u8,
            })
        })
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// The sink is full.
    pub fn emit(&self, limits: &TimeLimits, out: &mut Encoder<'_>) -> Result<(), Error> {
        self.clock.emit(out)?;
        let demand_tier = if limits.separates_demands() {
            u16::from(self.demand_tier & 0x07) << 3
        } else {
            0
        };
        let special = self.special.unwrap_or(Self::NO_SPECIAL);
        out.u16(
            u16::from(self.tier & 0x07)
                | demand_tier
                | u16::from(self.tier_drive & 0x03) << 6
                | u16::from(special & 0x0F) << 8
                | u16::from(self.season & 0x0F) << 12,
        )
    }
}

/// ST56 TIME_REMAIN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeRemaining {
    /// TIER_TIME_REMAIN: minutes until the tier changes.
    pub tier_min: u16,
    /// SELF_READ_DAYS_REMAIN: days until the next self read.
    pub self_read_days: u8,
}

impl TimeRemaining {
    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many.
    pub fn parse(octets: &[u8], format: &Format) -> Result<Self, Error> {
        Decoder::whole(octets, format, |input| {
            Ok(Self {
                tier_min: input.u16()?,
                self_read_days: input.u8()?,
            })
        })
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// The sink is full.
    pub fn emit(&self, out: &mut Encoder<'_>) -> Result<(), Error> {
        out.u16(self.tier_min)?;
        out.u8(self.self_read_days)
    }
}
