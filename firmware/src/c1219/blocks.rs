//! Load profile data: ST64 to ST67 (C12.19-2008 §9.7).
//!
//! ```text
//! block     end STIME { [end reading NI1] [end pulses (4)] }* of each channel
//!           [ valid intervals SET ] { [ status nibbles ] { interval data }* }* of each interval
//! nibbles   common, channel 1 | channel 2, channel 3 | channel 4, unused
//! common    4 DST change, 5 power failure, 6 clock set forward, 7 clock set backward
//! channel   0 ok, 1 overflow, 2 partial, 3 long, 4 skipped, 5 test, 6 set-up changed, 7 stopped
//! ```
//!
//! The profile of this meter takes 32,910 octets. It is written from whatever implements
//! [`ProfileData`], block by block and interval by interval, and only as far as a partial read
//! wants it.

use super::codec::{Decoder, Encoder};
use super::format::{Format, Kind};
use super::number::Number;
use super::profile::{IntervalFormat, ProfileLimits, SetLimits};
use crate::c1222::interval::EndTime;
use crate::wire::Error;

/// The nibble that is common to all channels.
pub const COMMON: usize = 0;
/// DST_FLAG of the common nibble: daylight saving began or ended.
pub const DST_CHANGE: u8 = 0x1;
/// POWER_FAIL_FLAG.
pub const POWER_FAILURE: u8 = 0x2;
/// CLOCK_SET_FORWARD_FLAG.
pub const CLOCK_FORWARD: u8 = 0x4;
/// CLOCK_SET_BACKWARD_FLAG.
pub const CLOCK_BACKWARD: u8 = 0x8;

/// How the blocks of a set are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLayout {
    set: SetLimits,
    flags: u16,
    interval: IntervalFormat,
}

impl BlockLayout {
    /// The layout of set `set`, counted from 0, whose intervals have the format `interval`.
    ///
    /// `None` if there is no such set.
    pub fn new(limits: &ProfileLimits, set: usize, interval: IntervalFormat) -> Option<Self> {
        let set = *limits.sets().get(set)?;
        Some(Self {
            set,
            flags: limits.flags,
            interval,
        })
    }

    /// The limits of the set.
    pub const fn set(&self) -> &SetLimits {
        &self.set
    }

    const fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// Octets of status nibbles of an interval.
    const fn nibbles_len(&self) -> usize {
        if self.has(ProfileLimits::EXTENDED_STATUS) {
            self.set.channels as usize / 2 + 1
        } else {
            0
        }
    }

    const fn simple_len(&self) -> usize {
        if self.has(ProfileLimits::SIMPLE_STATUS) {
            (self.set.intervals as usize).div_ceil(8)
        } else {
            0
        }
    }

    const fn end_len(&self, format: &Format) -> usize {
        let reading = if self.has(ProfileLimits::END_READINGS) {
            format.number_len(Kind::First)
        } else {
            0
        };
        let pulses = if self.has(ProfileLimits::END_PULSES) {
            4
        } else {
            0
        };
        reading + pulses
    }

    /// Octets of an interval.
    pub const fn interval_len(&self, format: &Format) -> usize {
        self.nibbles_len() + self.set.channels as usize * self.interval.width(format)
    }

    /// Octets before the intervals of a block.
    pub const fn head_len(&self, format: &Format) -> usize {
        format.minute_len() + self.set.channels as usize * self.end_len(format) + self.simple_len()
    }

    /// Octets of a block: where the next one begins.
    pub const fn block_len(&self, format: &Format) -> usize {
        self.head_len(format) + self.set.intervals as usize * self.interval_len(format)
    }

    /// Octets of the table.
    pub const fn table_len(&self, format: &Format) -> usize {
        self.set.blocks as usize * self.block_len(format)
    }
}

/// The contents of a set, whatever holds them; indices are below those of the layout.
pub trait ProfileData {
    /// BLK_END_TIME: the end of the last interval of a block.
    fn end(&self, block: u16) -> Option<EndTime>;

    /// BLK_END_READ of a channel.
    fn end_reading(&self, block: u16, channel: u8) -> Number;

    /// BLK_END_PULSE of a channel.
    fn end_pulses(&self, block: u16, channel: u8) -> u32 {
        let _ = (block, channel);
        0
    }

    /// SET_SIMPLE_INT_STATUS: whether an interval has been recorded.
    fn is_valid(&self, block: u16, interval: u16) -> bool;

    /// EXTENDED_INT_STATUS: the common nibble, or that of a channel, the first of which is 1.
    fn status(&self, block: u16, interval: u16, nibble: usize) -> u8;

    /// INT_DATA of a channel.
    fn value(&self, block: u16, interval: u16, channel: u8) -> Number;
}

/// Writes ST64, ST65, ST66 or ST67.
///
/// # Errors
///
/// The sink is full, or a value does not fit into its format.
pub fn emit(
    data: &dyn ProfileData,
    layout: &BlockLayout,
    out: &mut Encoder<'_>,
) -> Result<(), Error> {
    (0..layout.set.blocks).try_for_each(|block| emit_block(data, block, layout, out))
}

fn emit_block(
    data: &dyn ProfileData,
    block: u16,
    layout: &BlockLayout,
    out: &mut Encoder<'_>,
) -> Result<(), Error> {
    if out.skip(layout.block_len(out.format())) {
        return Ok(());
    }
    if !out.skip(layout.head_len(out.format())) {
        emit_head(data, block, layout, out)?;
    }
    for interval in 0..layout.set.intervals {
        if out.skip(layout.interval_len(out.format())) {
            continue;
        }
        for octet in 0..layout.nibbles_len() {
            let nibble = |number| data.status(block, interval, number) & 0x0F;
            out.u8(nibble(2 * octet) << 4 | nibble(2 * octet + 1))?;
        }
        for channel in 0..layout.set.channels {
            let value = data.value(block, interval, channel);
            layout.interval.emit(value, out)?;
        }
    }
    Ok(())
}

fn emit_head(
    data: &dyn ProfileData,
    block: u16,
    layout: &BlockLayout,
    out: &mut Encoder<'_>,
) -> Result<(), Error> {
    out.minute(data.end(block))?;
    for channel in 0..layout.set.channels {
        if layout.has(ProfileLimits::END_READINGS) {
            out.number(Kind::First, data.end_reading(block, channel))?;
        }
        if layout.has(ProfileLimits::END_PULSES) {
            out.u32(data.end_pulses(block, channel))?;
        }
    }
    for octet in 0..layout.simple_len() as u16 {
        let intervals = 8 * octet..(8 * octet + 8).min(layout.set.intervals);
        let set = intervals.fold(0, |set, interval| {
            set | u8::from(data.is_valid(block, interval)) << (interval % 8)
        });
        out.u8(set)?;
    }
    Ok(())
}

/// Received blocks: a table, or some of its blocks read by offset.
#[derive(Clone, Copy, Debug)]
pub struct ProfileView<'a> {
    octets: &'a [u8],
    layout: BlockLayout,
    format: Format,
}

impl<'a> ProfileView<'a> {
    /// Reads whole blocks.
    ///
    /// # Errors
    ///
    /// The octets are no whole number of blocks or more than the table has, or a field is out of
    /// range.
    pub fn parse(octets: &'a [u8], layout: &BlockLayout, format: &Format) -> Result<Self, Error> {
        let len = layout.block_len(format);
        if len == 0 || !octets.len().is_multiple_of(len) || octets.len() > layout.table_len(format)
        {
            return Err(Error::Malformed("table length"));
        }
        let view = Self {
            octets,
            layout: *layout,
            format: *format,
        };
        for block in octets.chunks_exact(len) {
            view.check(&mut Decoder::new(block, format))?;
        }
        Ok(view)
    }

    /// Blocks that there are.
    pub const fn blocks(&self) -> u16 {
        (self.octets.len() / self.layout.block_len(&self.format)) as u16
    }

    /// Reads every field of a block once, so that the accessors cannot fail.
    fn check(&self, input: &mut Decoder<'_>) -> Result<(), Error> {
        let layout = &self.layout;
        input.minute()?;
        for _ in 0..layout.set.channels {
            if layout.has(ProfileLimits::END_READINGS) {
                input.number(Kind::First)?;
            }
            if layout.has(ProfileLimits::END_PULSES) {
                input.u32()?;
            }
        }
        input.take(layout.simple_len())?;
        if layout.interval_len(&self.format) == 0 {
            return Ok(());
        }
        for _ in 0..layout.set.intervals {
            input.take(layout.nibbles_len())?;
            for _ in 0..layout.set.channels {
                layout.interval.take(input)?;
            }
        }
        Ok(())
    }

    /// A decoder from `offset` in a block on; octets that do not exist read as none.
    fn at(&self, block: u16, offset: usize) -> Decoder<'a> {
        let start = usize::from(block) * self.layout.block_len(&self.format) + offset;
        Decoder::new(self.octets.get(start..).unwrap_or_default(), &self.format)
    }

    fn end_at(&self, block: u16, channel: u8) -> Decoder<'a> {
        let ends = usize::from(channel) * self.layout.end_len(&self.format);
        self.at(block, self.format.minute_len() + ends)
    }

    fn interval_offset(&self, interval: u16) -> usize {
        self.layout.head_len(&self.format)
            + usize::from(interval) * self.layout.interval_len(&self.format)
    }
}

impl ProfileData for ProfileView<'_> {
    fn end(&self, block: u16) -> Option<EndTime> {
        self.at(block, 0).minute().ok().flatten()
    }

    fn end_reading(&self, block: u16, channel: u8) -> Number {
        if !self.layout.has(ProfileLimits::END_READINGS) {
            return Number::default();
        }
        let reading = self.end_at(block, channel).number(Kind::First);
        reading.unwrap_or_default()
    }

    fn end_pulses(&self, block: u16, channel: u8) -> u32 {
        if !self.layout.has(ProfileLimits::END_PULSES) {
            return 0;
        }
        let mut input = self.end_at(block, channel);
        if self.layout.has(ProfileLimits::END_READINGS) {
            let _ = input.number(Kind::First);
        }
        input.u32().unwrap_or(0)
    }

    fn is_valid(&self, block: u16, interval: u16) -> bool {
        if !self.layout.has(ProfileLimits::SIMPLE_STATUS) {
            return true;
        }
        let set = self.layout.head_len(&self.format) - self.layout.simple_len();
        let octet = self.at(block, set + usize::from(interval / 8)).u8();
        octet.is_ok_and(|octet| octet >> (interval % 8) & 1 != 0)
    }

    fn status(&self, block: u16, interval: u16, nibble: usize) -> u8 {
        if nibble / 2 >= self.layout.nibbles_len() {
            return 0;
        }
        let offset = self.interval_offset(interval) + nibble / 2;
        let octet = self.at(block, offset).u8().unwrap_or(0);
        if nibble.is_multiple_of(2) {
            octet >> 4
        } else {
            octet & 0x0F
        }
    }

    fn value(&self, block: u16, interval: u16, channel: u8) -> Number {
        let width = self.layout.interval.width(&self.format);
        let offset = self.interval_offset(interval)
            + self.layout.nibbles_len()
            + usize::from(channel) * width;
        let value = self.layout.interval.take(&mut self.at(block, offset));
        value.unwrap_or_default()
    }
}
