//! Types that tables are made of.
//!
//! ```text
//! DATE   0..6 year, 90 to 99 of the last century | 7..10 month | 11..15 day
//! RDATE  0..3 month | 4..7 offset | 8..10 weekday | 11..15 day
//!        0..3 15    | 4..9 period | 10..15 delta
//! ```
//!
//! What [`DateTime`] reads and writes by itself is TM_FORMAT 2; a
//! [`Decoder`](super::codec::Decoder) knows the others.

use crate::c1222::interval::EndTime;
use crate::wire::{Error, Reader, Writer};

/// LTIME_DATE: a second in UTC, as year, month, day, hour, minute and second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DateTime {
    /// The minute.
    pub minute: EndTime,
    /// 0 to 59.
    pub second: u8,
}

impl DateTime {
    /// Octets in a table.
    pub const LEN: usize = EndTime::LEN + 1;

    /// The second `utc`, counted from 1970; `None` outside 2000 to 2099.
    pub fn from_utc(utc: u32) -> Option<Self> {
        Some(Self {
            minute: EndTime::from_utc(utc)?,
            second: (utc % 60) as u8,
        })
    }

    /// Seconds since 1970; `None` if a field is out of range.
    pub fn to_utc(self) -> Option<u32> {
        self.minute.to_utc()?.checked_add(u32::from(self.second))
    }

    /// Reads a date; all zeros stand for none.
    ///
    /// # Errors
    ///
    /// The octets end or a field is out of range.
    pub fn parse(reader: &mut Reader<'_>) -> Result<Option<Self>, Error> {
        let octets: [u8; Self::LEN] = reader.array()?;
        if octets == [0; Self::LEN] {
            return Ok(None);
        }
        let [year, month, day, hour, minute, second] = octets;
        let minute = EndTime {
            year,
            month,
            day,
            hour,
            minute,
        };
        minute
            .to_utc()
            .filter(|_| second < 60)
            .ok_or(Error::Malformed("date"))?;
        Ok(Some(Self { minute, second }))
    }

    /// Writes a date; none is all zeros.
    ///
    /// # Errors
    ///
    /// The buffer is full.
    pub fn emit(date: Option<Self>, writer: &mut Writer<'_>) -> Result<(), Error> {
        let octets = date.map_or([0; Self::LEN], |date| {
            let EndTime {
                year,
                month,
                day,
                hour,
                minute,
            } = date.minute;
            [year, month, day, hour, minute, date.second]
        });
        writer.put(&octets)
    }
}

/// TIME: a second of a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay(u32);

impl TimeOfDay {
    /// The beginning of the day.
    pub const MIDNIGHT: Self = Self(0);

    /// The second `seconds` after midnight; `None` if the day is over by then.
    pub const fn new(seconds: u32) -> Option<Self> {
        if seconds < 86_400 {
            Some(Self(seconds))
        } else {
            None
        }
    }

    /// Seconds since midnight.
    pub const fn seconds(self) -> u32 {
        self.0
    }

    /// 0 to 23.
    pub const fn hour(self) -> u8 {
        (self.0 / 3600) as u8
    }

    /// 0 to 59.
    pub const fn minute(self) -> u8 {
        (self.0 / 60 % 60) as u8
    }

    /// 0 to 59.
    pub const fn second(self) -> u8 {
        (self.0 % 60) as u8
    }
}

/// DATE: a day, as its 16 bits; zero is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Date(pub u16);

impl Date {
    /// A day of 2000 to 2089; `None` if a part is out of range.
    pub const fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        if year < 2000 || year > 2089 || month == 0 || month > 12 || day == 0 || day > 31 {
            return None;
        }
        Some(Self(
            (year - 2000) | (month as u16) << 7 | (day as u16) << 11,
        ))
    }

    /// 1990 to 2089; 2090 to 2117 are not defined.
    pub const fn year(self) -> u16 {
        let year = self.0 & 0x7F;
        if year >= 90 && year <= 99 {
            1900 + year
        } else {
            2000 + year
        }
    }

    /// 1 to 12; 0 and 13 to 15 are no months.
    pub const fn month(self) -> u8 {
        (self.0 >> 7 & 0x0F) as u8
    }

    /// 1 to 31; 0 is no day.
    pub const fn day(self) -> u8 {
        (self.0 >> 11) as u8
    }

    /// Whether it is a day.
    pub const fn is_set(self) -> bool {
        self.month() >= 1 && self.month() <= 12 && self.day() >= 1
    }
}

/// RDATE: a day that recurs, as its 16 bits.
///
/// The weekly and monthly forms, months 13 and 14, are kept as they are: their layout cannot be
/// verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecurringDate(pub u16);

/// What an RDATE says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recurrence {
    /// Every year on a day of a month.
    Yearly {
        /// 1 to 12.
        month: u8,
        /// 1 to 31.
        day: u8,
        /// Which day around it is meant; 0 is the day itself.
        offset: u8,
        /// The weekday that the offset counts, Sunday 0.
        weekday: u8,
    },
    /// Every `period` days, counted from the anchor date with a delay of `delta` days.
    Period {
        /// Days, 1 to 63.
        period: u8,
        /// Days, 0 to 63.
        delta: u8,
    },
    /// Any other form.
    Other,
}

impl RecurringDate {
    /// Every year on this day; `None` if a part is out of range.
    pub const fn yearly(month: u8, day: u8) -> Option<Self> {
        if month == 0 || month > 12 || day == 0 || day > 31 {
            return None;
        }
        Some(Self(month as u16 | (day as u16) << 11))
    }

    /// What it says.
    pub const fn recurrence(self) -> Recurrence {
        let bits = self.0;
        let day = (bits >> 11) as u8;
        match (bits & 0x0F) as u8 {
            month @ 1..=12 if day > 0 => Recurrence::Yearly {
                month,
                day,
                offset: (bits >> 4 & 0x0F) as u8,
                weekday: (bits >> 8 & 0x07) as u8,
            },
            15 if bits >> 4 & 0x3F != 0 => Recurrence::Period {
                period: (bits >> 4 & 0x3F) as u8,
                delta: (bits >> 10) as u8,
            },
            _ => Recurrence::Other,
        }
    }
}

/// Whether element `number` is in a SET: bit `number % 8` of octet `number / 8`.
pub fn contains(set: &[u8], number: u16) -> bool {
    set.get(usize::from(number / 8))
        .is_some_and(|octet| octet >> (number % 8) & 1 != 0)
}

/// Adds element `number` to a SET, or takes it out; what is beyond the set stays as it is.
pub fn put_element(set: &mut [u8], number: u16, present: bool) {
    if let Some(octet) = set.get_mut(usize::from(number / 8)) {
        let bit = 1 << (number % 8);
        *octet = if present { *octet | bit } else { *octet & !bit };
    }
}

/// Reads a UINT16, least significant octet first.
pub(super) fn u16(reader: &mut Reader<'_>) -> Result<u16, Error> {
    reader.array().map(u16::from_le_bytes)
}

/// Reads a UINT32, least significant octet first.
pub(super) fn u32(reader: &mut Reader<'_>) -> Result<u32, Error> {
    reader.array().map(u32::from_le_bytes)
}

/// Fails if octets are left: a table has no tail.
pub(super) fn end(reader: &Reader<'_>) -> Result<(), Error> {
    if reader.is_empty() {
        Ok(())
    } else {
        Err(Error::Malformed("table length"))
    }
}
