//! ST54 CALENDAR: seasons, holidays and the tiers of each day (C12.19-2008 §9.6).
//!
//! ```text
//! [anchor DATE] { DATE | action }* { RDATE | action }* { tier switch (2) | day schedule }*
//! { schedule of Saturday | Sunday | weekday, or of seven days | specials }* of each season
//!
//! action       0..4 control | 5 demand reset | 6 self read
//! tier switch  0..2 tier | 3 summations | 4 demands | 5..10 minute | 11..15 hour
//! ```
//!
//! That Saturday comes first in the matrix is known from general knowledge alone. A calendar is
//! kept as its octets: a fleet shares one, and a meter that has been given its own keeps those.

use super::clock::TimeLimits;
use super::codec::{Decoder, Encoder};
use super::format::Format;
use super::types::{Date, RecurringDate};
use crate::wire::Error;

/// Octets of a date with its action, or of a tier switch with its schedule.
const ENTRY_LEN: usize = 3;

/// CALENDAR_CTRL: what begins on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Nothing (0).
    None,
    /// Daylight saving time (1).
    DstOn,
    /// Standard time (2).
    DstOff,
    /// A season, 0 to 15 (3 to 18).
    Season(u8),
    /// A special day, 0 to 11 (19 to 30).
    Special(u8),
    /// The list has ended (31).
    End,
}

/// CALENDAR_ACTION: what happens on a day, as its octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action(pub u8);

impl Action {
    /// An entry that is not used.
    pub const END: Self = Self(31);
    /// DEMAND_RESET_FLAG.
    pub const DEMAND_RESET: u8 = 0x20;
    /// SELF_READ_FLAG.
    pub const SELF_READ: u8 = 0x40;

    /// The action of a control, with flags; seasons from 16 and specials from 12 on do not exist.
    pub const fn new(control: Control, flags: u8) -> Option<Self> {
        let code = match control {
            Control::None => 0,
            Control::DstOn => 1,
            Control::DstOff => 2,
            Control::Season(season) if season < 16 => 3 + season,
            Control::Special(special) if special < 12 => 19 + special,
            Control::End => 31,
            Control::Season(_) | Control::Special(_) => return None,
        };
        Some(Self(code | flags & 0x60))
    }

    /// What begins.
    pub const fn control(self) -> Control {
        match self.0 & 0x1F {
            0 => Control::None,
            1 => Control::DstOn,
            2 => Control::DstOff,
            code @ 3..=18 => Control::Season(code - 3),
            code @ 19..=30 => Control::Special(code - 19),
            _ => Control::End,
        }
    }

    /// Whether a flag is set.
    pub const fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }
}

/// A time of day from which on a tier applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierSwitch {
    /// NEW_TIER, 0 to 7.
    pub tier: u8,
    /// SUMMATION_SWITCH_FLAG: it applies to the summations.
    pub summations: bool,
    /// DEMANDS_SWITCH_FLAG: it applies to the demands.
    pub demands: bool,
    /// SWITCH_MIN, 0 to 59; larger values are no times.
    pub minute: u8,
    /// SWITCH_HOUR, 0 to 23; larger values are no times.
    pub hour: u8,
    /// DAY_SCH_NUM: the day schedule that it belongs to.
    pub schedule: u8,
}

impl TierSwitch {
    /// An entry that is not used: no tier changes.
    pub const UNUSED: Self = Self {
        tier: 0,
        summations: false,
        demands: false,
        minute: 0,
        hour: 0,
        schedule: 0xFF,
    };

    fn take(input: &mut Decoder<'_>) -> Result<Self, Error> {
        let bits = input.u16()?;
        Ok(Self {
            tier: (bits & 0x07) as u8,
            summations: bits >> 3 & 1 != 0,
            demands: bits >> 4 & 1 != 0,
            minute: (bits >> 5 & 0x3F) as u8,
            hour: (bits >> 11) as u8,
            schedule: input.u8()?,
        })
    }

    fn emit(&self, out: &mut Encoder<'_>) -> Result<(), Error> {
        out.u16(
            u16::from(self.tier & 0x07)
                | u16::from(self.summations) << 3
                | u16::from(self.demands) << 4
                | u16::from(self.minute & 0x3F) << 5
                | u16::from(self.hour & 0x1F) << 11,
        )?;
        out.u8(self.schedule)
    }
}

/// A calendar in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalendarView<'a> {
    octets: &'a [u8],
    limits: TimeLimits,
    format: Format,
}

impl<'a> CalendarView<'a> {
    /// Reads the table. Whether its dates make sense is not for this function to say.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many.
    pub fn parse(octets: &'a [u8], limits: &TimeLimits, format: &Format) -> Result<Self, Error> {
        if octets.len() != table_len(limits) {
            return Err(Error::Malformed("table length"));
        }
        Ok(Self {
            octets,
            limits: *limits,
            format: *format,
        })
    }

    /// The octets.
    pub const fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// ANCHOR_DATE.
    pub fn anchor(&self) -> Option<Date> {
        let date = self.at(0).date().ok()?;
        self.limits.has_anchor().then_some(date)
    }

    /// Days that come once, with what happens on them, up to the end of the list.
    pub fn non_recurring(&self) -> impl Iterator<Item = (Date, Action)> + use<'a> {
        let mut input = self.at(anchor_len(&self.limits));
        let count = self.limits.non_recurring;
        (0..count)
            .map_while(move |_| Some((input.date().ok()?, Action(input.u8().ok()?))))
            .take_while(|(_, action)| action.control() != Control::End)
    }

    /// Days that recur, with what happens on them, up to the end of the list.
    pub fn recurring(&self) -> impl Iterator<Item = (RecurringDate, Action)> + use<'a> {
        let before = usize::from(self.limits.non_recurring) * ENTRY_LEN;
        let mut input = self.at(anchor_len(&self.limits) + before);
        let count = self.limits.recurring;
        (0..count)
            .map_while(move |_| Some((input.recurring_date().ok()?, Action(input.u8().ok()?))))
            .take_while(|(_, action)| action.control() != Control::End)
    }

    /// All tier switches, in the order of the table.
    pub fn tier_switches(&self) -> impl Iterator<Item = TierSwitch> + use<'a> {
        let dates = usize::from(self.limits.non_recurring) + usize::from(self.limits.recurring);
        let mut input = self.at(anchor_len(&self.limits) + dates * ENTRY_LEN);
        let count = self.limits.tier_switches;
        (0..count).map_while(move |_| TierSwitch::take(&mut input).ok())
    }

    /// The number of the day schedule of a day in a season; days as in the matrix.
    pub fn schedule(&self, season: u8, day: usize) -> Option<u8> {
        let days = self.limits.days();
        if season >= self.limits.seasons || day >= days {
            return None;
        }
        let matrix = self.octets.len() - usize::from(self.limits.seasons) * days;
        let at = matrix + usize::from(season) * days + day;
        self.octets.get(at).copied()
    }

    fn at(&self, offset: usize) -> Decoder<'a> {
        Decoder::new(self.octets.get(offset..).unwrap_or_default(), &self.format)
    }
}

/// What a calendar is made of; lists that are shorter than the table are filled up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calendar<'a> {
    /// ANCHOR_DATE, if the meter has one.
    pub anchor: Date,
    /// Days that come once.
    pub non_recurring: &'a [(Date, Action)],
    /// Days that recur.
    pub recurring: &'a [(RecurringDate, Action)],
    /// Tier switches; those of a day schedule in the order of time.
    pub tier_switches: &'a [TierSwitch],
    /// Day schedules of each day of each season.
    pub matrix: &'a [u8],
}

impl Calendar<'_> {
    /// Writes the table.
    ///
    /// # Errors
    ///
    /// The sink is full, a list is longer than the table allows, or the matrix has another size.
    pub fn emit(&self, limits: &TimeLimits, out: &mut Encoder<'_>) -> Result<(), Error> {
        let unused = [
            usize::from(limits.non_recurring).checked_sub(self.non_recurring.len()),
            usize::from(limits.recurring).checked_sub(self.recurring.len()),
            usize::from(limits.tier_switches).checked_sub(self.tier_switches.len()),
        ];
        let matrix_len = usize::from(limits.seasons) * limits.days();
        let ([Some(once), Some(again), Some(switches)], true) =
            (unused, self.matrix.len() == matrix_len)
        else {
            return Err(Error::Malformed("calendar"));
        };
        if limits.has_anchor() {
            out.u16(self.anchor.0)?;
        }
        for (date, action) in self.non_recurring {
            out.u16(date.0)?;
            out.u8(action.0)?;
        }
        emit_unused(once, out)?;
        for (date, action) in self.recurring {
            out.u16(date.0)?;
            out.u8(action.0)?;
        }
        emit_unused(again, out)?;
        for switch in self.tier_switches {
            switch.emit(out)?;
        }
        for _ in 0..switches {
            TierSwitch::UNUSED.emit(out)?;
        }
        out.put(self.matrix)
    }
}

fn emit_unused(count: usize, out: &mut Encoder<'_>) -> Result<(), Error> {
    (0..count).try_for_each(|_| {
        out.u16(0)?;
        out.u8(Action::END.0)
    })
}

/// Octets of the table.
pub const fn table_len(limits: &TimeLimits) -> usize {
    let entries =
        limits.non_recurring as usize + limits.recurring as usize + limits.tier_switches as usize;
    anchor_len(limits) + entries * ENTRY_LEN + limits.seasons as usize * limits.days()
}

const fn anchor_len(limits: &TimeLimits) -> usize {
    if limits.has_anchor() { 2 } else { 0 }
}
