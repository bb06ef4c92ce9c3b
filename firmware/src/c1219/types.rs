//! Types that tables are made of, with DATA_ORDER 0 and TM_FORMAT 2.

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

/// Whether element `number` is in a SET: bit `number % 8` of octet `number / 8`.
pub fn contains(set: &[u8], number: u16) -> bool {
    set.get(usize::from(number / 8))
        .is_some_and(|octet| octet >> (number % 8) & 1 != 0)
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
