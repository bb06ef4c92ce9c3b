//! Reading and writing tables in the formats of a meter, whole or in part.
//!
//! A [`Decoder`] reads fields as [`Format`] says. An [`Encoder`] writes them to a [`Sink`]: a
//! [`Writer`] takes everything, a [`Window`] keeps the part that a partial read asks for. So a
//! table of 32,910 octets is read in parts without ever being built: what lies outside of the
//! window is skipped record by record.

use super::format::{Format, IntegerFormat, Kind, TimeFormat};
use super::number::Number;
use super::types::{Date, DateTime, RecurringDate, TimeOfDay};
use crate::c1222::interval::EndTime;
use crate::wire::{Error, Reader, Writer};

/// Octets of the longest table that has no encoder of its own kind.
const SMALL_MAX: usize = 256;

/// Where the octets of a table go.
pub trait Sink {
    /// Takes the next octets.
    ///
    /// # Errors
    ///
    /// There is no room for them.
    fn put(&mut self, octets: &[u8]) -> Result<(), Error>;

    /// Whether nobody wants the next `count` octets, which then count as written.
    fn skip(&mut self, count: usize) -> bool;
}

impl Sink for Writer<'_> {
    fn put(&mut self, octets: &[u8]) -> Result<(), Error> {
        Writer::put(self, octets)
    }

    fn skip(&mut self, _: usize) -> bool {
        false
    }
}

/// The part of a table from an offset on, as long as a buffer.
#[derive(Debug)]
pub struct Window<'a> {
    buffer: &'a mut [u8],
    /// Octets until the window begins.
    ahead: usize,
    filled: usize,
    total: usize,
}

impl<'a> Window<'a> {
    /// The octets from `offset` on that fit into `buffer`.
    pub fn new(offset: usize, buffer: &'a mut [u8]) -> Self {
        Self {
            buffer,
            ahead: offset,
            filled: 0,
            total: 0,
        }
    }

    /// A window that keeps nothing, to learn how long a table is.
    pub fn measuring() -> Window<'static> {
        Window::new(0, &mut [])
    }

    /// The octets of the window.
    pub fn octets(self) -> &'a [u8] {
        &self.buffer[..self.filled]
    }

    /// Octets of the table so far, those outside of the window included.
    pub const fn total(&self) -> usize {
        self.total
    }
}

impl Sink for Window<'_> {
    fn put(&mut self, octets: &[u8]) -> Result<(), Error> {
        self.total += octets.len();
        let wanted = octets.get(self.ahead..).unwrap_or_default();
        self.ahead = self.ahead.saturating_sub(octets.len());
        let room = &mut self.buffer[self.filled..];
        let count = room.len().min(wanted.len());
        room[..count].copy_from_slice(&wanted[..count]);
        self.filled += count;
        Ok(())
    }

    fn skip(&mut self, count: usize) -> bool {
        let unwanted = count <= self.ahead || self.filled == self.buffer.len();
        if unwanted {
            self.total += count;
            self.ahead = self.ahead.saturating_sub(count);
        }
        unwanted
    }
}

/// Reads the fields of a table.
#[derive(Clone, Copy, Debug)]
pub struct Decoder<'a> {
    reader: Reader<'a>,
    format: Format,
}

impl<'a> Decoder<'a> {
    /// A decoder of `octets`.
    pub const fn new(octets: &'a [u8], format: &Format) -> Self {
        Self {
            reader: Reader::new(octets),
            format: *format,
        }
    }

    /// Reads a whole table.
    ///
    /// # Errors
    ///
    /// What `parse` fails with, or octets are left: a table has no tail.
    pub fn whole<T>(
        octets: &'a [u8],
        format: &Format,
        parse: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut input = Self::new(octets, format);
        let table = parse(&mut input)?;
        if input.reader.is_empty() {
            Ok(table)
        } else {
            Err(Error::Malformed("table length"))
        }
    }

    /// The formats that are read.
    pub const fn format(&self) -> &Format {
        &self.format
    }

    /// Octets that are left.
    pub const fn remaining(&self) -> usize {
        self.reader.remaining()
    }

    /// The next `count` octets.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        self.reader.take(count)
    }

    /// The next `N` octets.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.reader.array()
    }

    /// UINT8, or a bit field of one octet.
    pub fn u8(&mut self) -> Result<u8, Error> {
        self.reader.u8()
    }

    /// UINT16, or a bit field of two octets.
    pub fn u16(&mut self) -> Result<u16, Error> {
        Ok(self.uint(2)? as u16)
    }

    /// UINT32, or a bit field of four octets.
    pub fn u32(&mut self) -> Result<u32, Error> {
        Ok(self.uint(4)? as u32)
    }

    /// An unsigned integer of up to eight octets.
    pub fn uint(&mut self, width: usize) -> Result<u64, Error> {
        let octets = self.reader.take(width)?;
        let add = |value: u64, octet: &u8| value << 8 | u64::from(*octet);
        Ok(if self.format.most_significant_first {
            octets.iter().fold(0, add)
        } else {
            octets.iter().rev().fold(0, add)
        })
    }

    /// A signed integer of one to eight octets.
    pub fn int(&mut self, width: usize) -> Result<i64, Error> {
        let bits = self.uint(width)?;
        let unused = 64 - 8 * width as u32;
        let sign = 1 << (8 * width - 1);
        let negative = bits & sign != 0;
        Ok(match self.format.integer {
            _ if !negative => bits as i64,
            IntegerFormat::TwosComplement => (bits << unused) as i64 >> unused,
            IntegerFormat::OnesComplement => ((bits << unused) as i64 >> unused).wrapping_add(1),
            IntegerFormat::SignMagnitude => -((bits ^ sign) as i64),
        })
    }

    /// NI_FMAT1 or NI_FMAT2.
    pub fn number(&mut self, kind: Kind) -> Result<Number, Error> {
        Number::parse(self.format.number(kind), self)
    }

    /// LTIME_DATE; all zeros stand for none.
    ///
    /// # Errors
    ///
    /// The octets end, or a field is out of range or before the year 2000.
    pub fn date_time(&mut self) -> Result<Option<DateTime>, Error> {
        match self.format.time {
            TimeFormat::None => Ok(None),
            TimeFormat::Bcd | TimeFormat::Fields => {
                let octets = self.digits::<6>()?;
                DateTime::parse(&mut Reader::new(&octets))
            }
            TimeFormat::Minutes => {
                let (minutes, second) = (self.u32()?, self.u8()?);
                let utc = minutes.checked_mul(60).filter(|_| second < 60);
                let utc = utc.and_then(|utc| utc.checked_add(u32::from(second)));
                date(utc)
            }
            TimeFormat::Seconds => {
                let utc = self.u32()?;
                date(Some(utc))
            }
        }
    }

    /// STIME_DATE; all zeros stand for none. It counts minutes, unless the meter counts time in
    /// seconds.
    ///
    /// # Errors
    ///
    /// The octets end, or a field is out of range or before the year 2000.
    pub fn short_time(&mut self) -> Result<Option<DateTime>, Error> {
        match self.format.time {
            TimeFormat::None => Ok(None),
            TimeFormat::Bcd | TimeFormat::Fields => {
                let [year, month, day, hour, minute] = self.digits::<5>()?;
                DateTime::parse(&mut Reader::new(&[year, month, day, hour, minute, 0]))
            }
            TimeFormat::Minutes => {
                let minutes = self.u32()?;
                date(minutes.checked_mul(60))
            }
            TimeFormat::Seconds => {
                let utc = self.u32()?;
                date(Some(utc))
            }
        }
    }

    /// The minute of an STIME_DATE.
    ///
    /// # Errors
    ///
    /// As [`short_time`](Self::short_time).
    pub fn minute(&mut self) -> Result<Option<EndTime>, Error> {
        Ok(self.short_time()?.map(|time| time.minute))
    }

    /// TIME.
    ///
    /// # Errors
    ///
    /// The octets end or a field is out of range.
    pub fn time_of_day(&mut self) -> Result<TimeOfDay, Error> {
        let seconds = match self.format.time {
            TimeFormat::None => Some(0),
            TimeFormat::Bcd | TimeFormat::Fields => {
                let [hour, minute, second] = self.digits::<3>()?.map(u32::from);
                let in_range = hour < 24 && minute < 60 && second < 60;
                in_range.then_some(3600 * hour + 60 * minute + second)
            }
            TimeFormat::Minutes | TimeFormat::Seconds => Some(self.u32()?),
        };
        seconds
            .and_then(TimeOfDay::new)
            .ok_or(Error::Malformed("time of day"))
    }

    /// DATE.
    pub fn date(&mut self) -> Result<Date, Error> {
        self.u16().map(Date)
    }

    /// RDATE.
    pub fn recurring_date(&mut self) -> Result<RecurringDate, Error> {
        self.u16().map(RecurringDate)
    }

    /// `N` numbers of two digits, binary or decimal.
    fn digits<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut octets = self.array::<N>()?;
        if self.format.time == TimeFormat::Bcd {
            for octet in &mut octets {
                let (tens, ones) = (*octet >> 4, *octet & 0x0F);
                if tens > 9 || ones > 9 {
                    return Err(Error::Malformed("decimal digits"));
                }
                *octet = 10 * tens + ones;
            }
        }
        Ok(octets)
    }
}

/// The date of a count, where zero stands for none.
fn date(utc: Option<u32>) -> Result<Option<DateTime>, Error> {
    match utc {
        Some(0) => Ok(None),
        _ => utc
            .and_then(DateTime::from_utc)
            .map(Some)
            .ok_or(Error::Malformed("date")),
    }
}

/// Writes the fields of a table.
pub struct Encoder<'a> {
    sink: &'a mut dyn Sink,
    format: Format,
}

impl<'a> Encoder<'a> {
    /// An encoder in the formats of this meter.
    pub fn new(sink: &'a mut dyn Sink) -> Self {
        Self::with_format(sink, &Format::PROFILE)
    }

    /// An encoder in the formats of another meter.
    pub fn with_format(sink: &'a mut dyn Sink, format: &Format) -> Self {
        Self {
            sink,
            format: *format,
        }
    }

    /// The formats that are written.
    pub const fn format(&self) -> &Format {
        &self.format
    }

    /// Whether nobody wants the next `count` octets, which then count as written.
    pub fn skip(&mut self, count: usize) -> bool {
        self.sink.skip(count)
    }

    /// Octets as they are.
    pub fn put(&mut self, octets: &[u8]) -> Result<(), Error> {
        self.sink.put(octets)
    }

    /// `count` octets of zero.
    pub fn zeros(&mut self, count: usize) -> Result<(), Error> {
        self.fill(0, count)
    }

    /// `text` with spaces behind it to `len` octets; what is longer is cut.
    pub fn text(&mut self, text: &[u8], len: usize) -> Result<(), Error> {
        let shown = &text[..text.len().min(len)];
        self.put(shown)?;
        self.fill(b' ', len - shown.len())
    }

    /// A table that is written to a [`Writer`], of 256 octets at most.
    pub fn small(
        &mut self,
        emit: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut octets = [0; SMALL_MAX];
        let mut writer = Writer::new(&mut octets);
        emit(&mut writer)?;
        self.sink.put(writer.written())
    }

    /// UINT8, or a bit field of one octet.
    pub fn u8(&mut self, value: u8) -> Result<(), Error> {
        self.put(&[value])
    }

    /// UINT16, or a bit field of two octets.
    pub fn u16(&mut self, value: u16) -> Result<(), Error> {
        self.uint(u64::from(value), 2)
    }

    /// UINT32, or a bit field of four octets.
    pub fn u32(&mut self, value: u32) -> Result<(), Error> {
        self.uint(u64::from(value), 4)
    }

    /// The low octets of an unsigned integer, up to eight.
    pub fn uint(&mut self, value: u64, width: usize) -> Result<(), Error> {
        if self.format.most_significant_first {
            self.put(&value.to_be_bytes()[8 - width..])
        } else {
            self.put(&value.to_le_bytes()[..width])
        }
    }

    /// A signed integer of one to eight octets.
    ///
    /// # Errors
    ///
    /// The value takes more octets.
    pub fn int(&mut self, value: i64, width: usize) -> Result<(), Error> {
        let unused = 64 - 8 * width as u32;
        let magnitude_only = self.format.integer != IntegerFormat::TwosComplement;
        let least = i64::MIN >> unused;
        if value << unused >> unused != value || magnitude_only && value == least {
            return Err(Error::Malformed("number"));
        }
        let bits = match self.format.integer {
            _ if value >= 0 => value as u64,
            IntegerFormat::TwosComplement => value as u64,
            IntegerFormat::OnesComplement => (value - 1) as u64,
            IntegerFormat::SignMagnitude => value.unsigned_abs() | 1 << (8 * width - 1),
        };
        self.uint(bits, width)
    }

    /// NI_FMAT1 or NI_FMAT2.
    ///
    /// # Errors
    ///
    /// The sink is full, or the quantity does not fit into its format.
    pub fn number(&mut self, kind: Kind, value: Number) -> Result<(), Error> {
        value.emit(self.format.number(kind), self)
    }

    /// LTIME_DATE; none is all zeros.
    pub fn date_time(&mut self, date: Option<DateTime>) -> Result<(), Error> {
        let utc = || date.and_then(DateTime::to_utc).unwrap_or(0);
        match self.format.time {
            TimeFormat::None => Ok(()),
            TimeFormat::Bcd | TimeFormat::Fields => {
                let octets = date.map_or([0; 6], |date| {
                    let [year, month, day, hour, minute] = fields(date.minute);
                    [year, month, day, hour, minute, date.second]
                });
                self.digits(octets)
            }
            TimeFormat::Minutes => {
                self.u32(utc() / 60)?;
                self.u8((utc() % 60) as u8)
            }
            TimeFormat::Seconds => self.u32(utc()),
        }
    }

    /// STIME_DATE; none is all zeros. Seconds are written where the meter counts in seconds.
    pub fn short_time(&mut self, date: Option<DateTime>) -> Result<(), Error> {
        let utc = || date.and_then(DateTime::to_utc).unwrap_or(0);
        match self.format.time {
            TimeFormat::None => Ok(()),
            TimeFormat::Bcd | TimeFormat::Fields => {
                self.digits(date.map_or([0; 5], |date| fields(date.minute)))
            }
            TimeFormat::Minutes => self.u32(utc() / 60),
            TimeFormat::Seconds => self.u32(utc()),
        }
    }

    /// A whole minute as STIME_DATE; none is all zeros.
    pub fn minute(&mut self, date: Option<EndTime>) -> Result<(), Error> {
        self.short_time(date.map(|minute| DateTime { minute, second: 0 }))
    }

    /// TIME.
    pub fn time_of_day(&mut self, time: TimeOfDay) -> Result<(), Error> {
        match self.format.time {
            TimeFormat::None => Ok(()),
            TimeFormat::Bcd | TimeFormat::Fields => {
                self.digits([time.hour(), time.minute(), time.second()])
            }
            TimeFormat::Minutes | TimeFormat::Seconds => self.u32(time.seconds()),
        }
    }

    fn digits<const N: usize>(&mut self, mut octets: [u8; N]) -> Result<(), Error> {
        if self.format.time == TimeFormat::Bcd {
            octets = octets.map(|number| ((number / 10) << 4) | (number % 10));
        }
        self.put(&octets)
    }

    fn fill(&mut self, octet: u8, count: usize) -> Result<(), Error> {
        if self.skip(count) {
            return Ok(());
        }
        let some = [octet; 32];
        let mut left = count;
        while left > 0 {
            let next = left.min(some.len());
            self.put(&some[..next])?;
            left -= next;
        }
        Ok(())
    }
}

const fn fields(time: EndTime) -> [u8; 5] {
    [time.year, time.month, time.day, time.hour, time.minute]
}
