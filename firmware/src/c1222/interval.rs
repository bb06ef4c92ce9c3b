//! Interval data as a meter pushes them: a Write of ST64 by offset.
//!
//! ```text
//! data = end time(5) | valid SET(n/8) | n * { status(3) | 4 * UINT16 }
//! ```
//!
//! This is a block of ST64 (C12.19 decade 6) without end readings and with as many intervals as
//! are reported: end of the last interval, one bit per interval, then the intervals in order. Table
//! contents are least significant octet first. One interval takes 17 octets of data, 27 as a
//! service. That a push looks like this is a proposal of this project; C12.22 leaves it open.

use super::epsem::put_service;
use super::service::{Request, Selector, TableId, Write};
use crate::wire::{Error, Reader, Writer};

/// Load profile data set 1.
pub const TABLE: TableId = TableId::standard(64);
/// Channels per interval.
pub const CHANNELS: usize = 4;
/// Intervals per block at most: one day of quarter hours.
pub const INTERVALS_MAX: usize = 96;

const INTERVAL_LEN: usize = 3 + 2 * CHANNELS;
const DATA_LEN_MAX: usize = EndTime::LEN + INTERVALS_MAX.div_ceil(8) + INTERVALS_MAX * INTERVAL_LEN;

/// STIME_DATE of C12.19 with TM_FORMAT 2: a minute in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EndTime {
    /// Years since 2000, 0 to 99.
    pub year: u8,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
}

impl EndTime {
    /// Octets on the wire.
    pub const LEN: usize = 5;

    /// Days from 1970-01-01 to 2000-03-01, where the day count of a civil calendar starts best.
    const EPOCH_DAYS: u32 = 11_017;

    /// The minute that `utc`, seconds since 1970, falls into; `None` outside 2000 to 2099.
    pub fn from_utc(utc: u32) -> Option<Self> {
        let (days, second) = (utc / 86_400, utc % 86_400);
        // Counted from March, leap days come last. Every fourth year leaps until 2100.
        let since = i64::from(days) - i64::from(Self::EPOCH_DAYS);
        let (cycle, day) = (since.div_euclid(1461), since.rem_euclid(1461));
        let of_cycle = (day.min(1459)) / 365;
        let day = day - 365 * of_cycle;
        let month = (5 * day + 2) / 153;
        let from_january = month >= 10;
        let year = 4 * cycle + of_cycle + i64::from(from_january);
        Some(Self {
            year: u8::try_from(year).ok().filter(|year| *year < 100)?,
            month: (if from_january { month - 9 } else { month + 3 }) as u8,
            day: (day - (153 * month + 2) / 5 + 1) as u8,
            hour: (second / 3600) as u8,
            minute: (second % 3600 / 60) as u8,
        })
    }

    /// Seconds since 1970; `None` if a field is out of range.
    pub fn to_utc(self) -> Option<u32> {
        let in_range = self.year < 100
            && (1..=12).contains(&self.month)
            && (1..=31).contains(&self.day)
            && self.hour < 24
            && self.minute < 60;
        if !in_range {
            return None;
        }
        let from_january = self.month <= 2;
        let year = i64::from(self.year) - i64::from(from_january);
        let month = i64::from(self.month) + if from_january { 9 } else { -3 };
        let days = i64::from(Self::EPOCH_DAYS)
            + 1461 * year.div_euclid(4)
            + 365 * year.rem_euclid(4)
            + (153 * month + 2) / 5
            + i64::from(self.day)
            - 1;
        let utc = 86_400 * days + i64::from(self.hour) * 3600 + i64::from(self.minute) * 60;
        u32::try_from(utc).ok()
    }

    fn parse(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let [year, month, day, hour, minute] = reader.array()?;
        let time = Self {
            year,
            month,
            day,
            hour,
            minute,
        };
        time.to_utc().ok_or(Error::Malformed("end time"))?;
        Ok(time)
    }

    const fn octets(self) -> [u8; Self::LEN] {
        [self.year, self.month, self.day, self.hour, self.minute]
    }
}

/// One closed interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// Whether the interval counts.
    pub valid: bool,
    /// Extended status: common flags and channel 1, then channels 2 and 3, then channel 4.
    pub status: [u8; 3],
    /// What each channel counted.
    pub values: [u16; CHANNELS],
}

/// Received interval data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// End of the last interval.
    pub end: EndTime,
    valid: &'a [u8],
    intervals: &'a [u8],
}

impl<'a> Block<'a> {
    /// Reads the data of a Write; their length tells the number of intervals.
    pub fn parse(data: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(data);
        let end = EndTime::parse(&mut reader)?;
        let count = reader.remaining() * 8 / (8 * INTERVAL_LEN + 1);
        if !(1..=INTERVALS_MAX).contains(&count) {
            return Err(Error::Malformed("interval count"));
        }
        let valid = reader.take(count.div_ceil(8))?;
        let intervals = reader.take(count * INTERVAL_LEN)?;
        if !reader.is_empty() {
            return Err(Error::Malformed("interval count"));
        }
        Ok(Self {
            end,
            valid,
            intervals,
        })
    }

    /// Reads the data of a Write to [`TABLE`] by offset.
    pub fn from_write(write: &Write<'a>) -> Result<(u32, Self), Error> {
        match write.selector {
            Selector::Offset(offset, _) if write.table == TABLE => {
                Self::parse(write.data).map(|block| (offset, block))
            }
            _ => Err(Error::Malformed("interval table")),
        }
    }

    /// Number of intervals.
    pub const fn len(&self) -> usize {
        self.intervals.len() / INTERVAL_LEN
    }

    /// Always false: a block has at least one interval.
    pub const fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }

    /// The intervals in order.
    pub fn intervals(&self) -> impl Iterator<Item = Interval> + use<'a> {
        let valid = self.valid;
        self.intervals
            .chunks_exact(INTERVAL_LEN)
            .enumerate()
            .map(move |(at, octets)| {
                let mut values = [0; CHANNELS];
                for (value, pair) in values.iter_mut().zip(octets[3..].chunks_exact(2)) {
                    *value = u16::from_le_bytes([pair[0], pair[1]]);
                }
                Interval {
                    valid: valid[at / 8] >> (at % 8) & 1 == 1,
                    status: [octets[0], octets[1], octets[2]],
                    values,
                }
            })
    }
}

/// Writes a push of `intervals`, the last of which ended at `end`, as one service.
///
/// `offset` is where the block lies in ST64. One to 96 intervals.
pub fn put_push(
    writer: &mut Writer<'_>,
    offset: u32,
    end: EndTime,
    intervals: &[Interval],
) -> Result<(), Error> {
    if !(1..=INTERVALS_MAX).contains(&intervals.len()) {
        return Err(Error::Malformed("interval count"));
    }
    let mut data = [0; DATA_LEN_MAX];
    let mut block = Writer::new(&mut data);
    block.put(&end.octets())?;
    for eight in intervals.chunks(8) {
        let valid = eight.iter().enumerate().fold(0, |set, (bit, interval)| {
            set | u8::from(interval.valid) << bit
        });
        block.u8(valid)?;
    }
    for interval in intervals {
        block.put(&interval.status)?;
        for value in interval.values {
            block.put(&value.to_le_bytes())?;
        }
    }
    let write = Request::Write(Write {
        table: TABLE,
        selector: Selector::Offset(offset, 0),
        data: block.written(),
    });
    put_service(writer, |writer| write.emit(writer))
}
