//! Decade 6, load profile: ST61 to ST63 (C12.19-2008 §9.7); ST64 to ST67 are in [`blocks`].
//!
//! ```text
//! ST61  memory octets (4) | flags (2) | formats
//!       { blocks (2) | intervals of a block (2) | channels | interval min }* of each set
//! ST62  { { flag | source | source of end readings }* | interval format
//!         [ { scalar (2) }* { divisor (2) }* ] }* of each set
//! ST63  { flags | valid blocks (2) | last block (2) | its sequence number (4)
//!         | unread blocks (2) | valid intervals (2) }* of each set
//! ```
//!
//! [`blocks`]: super::blocks

use super::codec::{Decoder, Encoder};
use super::format::{Format, Kind};
use super::number::Number;
use super::readings::ListFlags;
use crate::wire::Error;

/// Sets of load profile data at most: ST64 to ST67.
pub const SETS_MAX: usize = 4;

/// The limits of one set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetLimits {
    /// NBR_BLKS_SET.
    pub blocks: u16,
    /// NBR_BLK_INTS_SET: intervals of a block.
    pub intervals: u16,
    /// NBR_CHNS_SET.
    pub channels: u8,
    /// MAX_INT_TIME_SET: minutes of an interval.
    pub interval_min: u8,
}

/// ST61 ACT_LP, and ST60: what the other tables of the decade hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfileLimits {
    /// LP_MEMORY_LEN in octets.
    pub memory_len: u32,
    /// LP_FLAGS: the bits are constants of this type.
    pub flags: u16,
    /// LP_FMATS: formats of intervals that can be set.
    pub formats: u8,
    sets: [SetLimits; SETS_MAX],
    count: u8,
}

impl ProfileLimits {
    /// BLK_END_READ_FLAG: blocks end with readings of the registers.
    pub const END_READINGS: u16 = 1 << 4;
    /// BLK_END_PULSE_FLAG: blocks end with counts of pulses.
    pub const END_PULSES: u16 = 1 << 5;
    /// SCALAR_DIVISOR_FLAG of the first set; the others follow.
    pub const SCALARS: u16 = 1 << 6;
    /// EXTENDED_INT_STATUS_FLAG: four bits for the interval and for each channel.
    pub const EXTENDED_STATUS: u16 = 1 << 10;
    /// SIMPLE_INT_STATUS_FLAG: one bit for each interval.
    pub const SIMPLE_STATUS: u16 = 1 << 11;

    /// Limits of up to four sets; those beyond are left out.
    pub const fn new(memory_len: u32, flags: u16, formats: u8, sets: &[SetLimits]) -> Self {
        let mut kept = [SetLimits {
            blocks: 0,
            intervals: 0,
            channels: 0,
            interval_min: 0,
        }; SETS_MAX];
        let mut count = 0;
        while count < sets.len() && count < SETS_MAX {
            kept[count] = sets[count];
            count += 1;
        }
        Self {
            memory_len,
            flags,
            formats,
            sets: kept,
            count: count as u8,
        }
    }

    /// Whether a flag is set.
    pub const fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// The sets in use.
    pub fn sets(&self) -> &[SetLimits] {
        &self.sets[..self.count.into()]
    }

    /// Whether the intervals of a set have scalars and divisors.
    pub const fn has_scalars(&self, set: usize) -> bool {
        set < SETS_MAX && self.has(Self::SCALARS << set)
    }

    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many.
    pub fn parse(octets: &[u8], format: &Format) -> Result<Self, Error> {
        Decoder::whole(octets, format, |input| {
            let (memory_len, flags, formats) = (input.u32()?, input.u16()?, input.u8()?);
            let mut sets = [SetLimits::default(); SETS_MAX];
            let mut count = 0;
            while input.remaining() > 0 {
                let set = sets.get_mut(count).ok_or(Error::Malformed("sets"))?;
                *set = SetLimits {
                    blocks: input.u16()?,
                    intervals: input.u16()?,
                    channels: input.u8()?,
                    interval_min: input.u8()?,
                };
                count += 1;
            }
            Ok(Self::new(memory_len, flags, formats, &sets[..count]))
        })
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// The sink is full.
    pub fn emit(&self, out: &mut Encoder<'_>) -> Result<(), Error> {
        out.u32(self.memory_len)?;
        out.u16(self.flags)?;
        out.u8(self.formats)?;
        self.sets().iter().try_for_each(|set| {
            out.u16(set.blocks)?;
            out.u16(set.intervals)?;
            out.put(&[set.channels, set.interval_min])
        })
    }
}

/// INT_FMT_CDE: how interval data are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntervalFormat {
    /// An unsigned integer of 1, 2 or 4 octets (1, 2, 4).
    Unsigned(u8),
    /// A signed integer of 1, 2 or 4 octets (8, 16, 32).
    Signed(u8),
    /// NI_FMAT1 (64) or NI_FMAT2 (128).
    Number(Kind),
}

impl IntervalFormat {
    /// The format of a code.
    ///
    /// # Errors
    ///
    /// The code is not assigned.
    pub const fn parse(code: u8) -> Result<Self, Error> {
        Ok(match code {
            1 => Self::Unsigned(1),
            2 => Self::Unsigned(2),
            4 => Self::Unsigned(4),
            8 => Self::Signed(1),
            16 => Self::Signed(2),
            32 => Self::Signed(4),
            64 => Self::Number(Kind::First),
            128 => Self::Number(Kind::Second),
            _ => return Err(Error::Unsupported(code as u16)),
        })
    }

    /// Octets of a value.
    pub const fn width(self, format: &Format) -> usize {
        match self {
            Self::Unsigned(width) | Self::Signed(width) => width as usize,
            Self::Number(kind) => format.number_len(kind),
        }
    }

    pub(super) fn take(self, input: &mut Decoder<'_>) -> Result<Number, Error> {
        match self {
            Self::Unsigned(width) => {
                let value = input.uint(width.into())?;
                Ok(Number::Integer(value as i64))
            }
            Self::Signed(width) => input.int(width.into()).map(Number::Integer),
            Self::Number(kind) => input.number(kind),
        }
    }

    pub(super) fn emit(self, value: Number, out: &mut Encoder<'_>) -> Result<(), Error> {
        const RANGE: Error = Error::Malformed("interval data");
        let integer = || value.integer().ok_or(RANGE);
        match self {
            Self::Unsigned(width) => {
                let value = u64::try_from(integer()?).map_err(|_| RANGE)?;
                if value >> (8 * u32::from(width)) != 0 {
                    return Err(RANGE);
                }
                out.uint(value, width.into())
            }
            Self::Signed(width) => out.int(integer()?, width.into()),
            Self::Number(kind) => out.number(kind, value),
        }
    }
}

/// An entry of LP_SEL_SET: what a channel records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelSelection {
    /// CHNL_FLAG: bit 0, the channel has an end reading.
    pub flags: u8,
    /// LP_SOURCE_SELECT, an index of ST16.
    pub source: u8,
    /// END_BLK_RDG_SOURCE_SELECT, an index of ST16.
    pub end_source: u8,
}

/// Which data of a set are recorded, and how: its part of ST62 LP_CTRL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetControl<'a> {
    channels: &'a [u8],
    /// INT_FMT_CDE as it is written.
    pub interval_format: u8,
    scalars: &'a [u8],
    divisors: &'a [u8],
    format: Format,
}

impl<'a> SetControl<'a> {
    /// Reads the parts of ST62, one for each set.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many.
    pub fn parse(
        octets: &'a [u8],
        limits: &ProfileLimits,
        format: &Format,
    ) -> Result<impl Iterator<Item = Self> + use<'a>, Error> {
        let mut parts = [None; SETS_MAX];
        Decoder::whole(octets, format, |input| {
            for (set, (part, of)) in parts.iter_mut().zip(limits.sets()).enumerate() {
                let channels = usize::from(of.channels);
                let factors = if limits.has_scalars(set) {
                    2 * channels
                } else {
                    0
                };
                *part = Some(Self {
                    channels: input.take(3 * channels)?,
                    interval_format: input.u8()?,
                    scalars: input.take(factors)?,
                    divisors: input.take(factors)?,
                    format: *format,
                });
            }
            Ok(())
        })?;
        Ok(parts.into_iter().flatten())
    }

    /// What each channel records.
    pub fn channels(&self) -> impl Iterator<Item = ChannelSelection> + use<'a> {
        let (records, _) = self.channels.as_chunks::<3>();
        records
            .iter()
            .map(|[flags, source, end_source]| ChannelSelection {
                flags: *flags,
                source: *source,
                end_source: *end_source,
            })
    }

    /// SCALARS: what a source is multiplied by before it is recorded.
    pub fn scalars(&self) -> impl Iterator<Item = u16> + use<'a> {
        numbers(self.scalars, self.format)
    }

    /// DIVISORS: what a source is divided by before it is recorded.
    pub fn divisors(&self) -> impl Iterator<Item = u16> + use<'a> {
        numbers(self.divisors, self.format)
    }
}

fn numbers<'a>(octets: &'a [u8], format: Format) -> impl Iterator<Item = u16> + use<'a> {
    let mut input = Decoder::new(octets, &format);
    core::iter::from_fn(move || input.u16().ok())
}

/// Writes the part of ST62 of one set; `factors` are scalars and divisors, if the set has any.
///
/// # Errors
///
/// The sink is full.
pub fn emit_control(
    channels: &[ChannelSelection],
    interval_format: u8,
    factors: Option<(&[u16], &[u16])>,
    out: &mut Encoder<'_>,
) -> Result<(), Error> {
    for channel in channels {
        out.put(&[channel.flags, channel.source, channel.end_source])?;
    }
    out.u8(interval_format)?;
    let (scalars, divisors) = factors.unwrap_or_default();
    let mut factors = scalars.iter().chain(divisors);
    factors.try_for_each(|factor| out.u16(*factor))
}

/// The state of a set: its part of ST63 LP_STATUS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetStatus {
    /// LP_SET_STATUS_FLAGS: those of lists, and the constants of this type.
    pub flags: ListFlags,
    /// NBR_VALID_BLOCKS.
    pub valid_blocks: u16,
    /// LAST_BLOCK_ELEMENT.
    pub last_block: u16,
    /// LAST_BLOCK_SEQ_NBR.
    pub last_sequence: u32,
    /// NBR_UNREAD_BLOCKS.
    pub unread_blocks: u16,
    /// NBR_VALID_INT: intervals of the last block.
    pub valid_intervals: u16,
}

impl SetStatus {
    /// Octets of a part.
    pub const LEN: usize = 13;
    /// INTERVAL_ORDER: the newest interval of a block comes first.
    pub const INTERVALS_DESCENDING: u8 = 0x10;
    /// ACTIVE_MODE_FLAG: the set is being recorded.
    pub const ACTIVE: u8 = 0x20;
    /// TEST_MODE: it was recorded in test mode.
    pub const TEST: u8 = 0x40;

    /// Reads the parts of ST63, one for each set.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many.
    pub fn parse<'a>(
        octets: &'a [u8],
        limits: &ProfileLimits,
        format: &Format,
    ) -> Result<impl Iterator<Item = Self> + use<'a>, Error> {
        if octets.len() != limits.sets().len() * Self::LEN {
            return Err(Error::Malformed("table length"));
        }
        let mut input = Decoder::new(octets, format);
        Ok(core::iter::from_fn(move || Self::take(&mut input).ok()))
    }

    fn take(input: &mut Decoder<'_>) -> Result<Self, Error> {
        Ok(Self {
            flags: ListFlags(input.u8()?),
            valid_blocks: input.u16()?,
            last_block: input.u16()?,
            last_sequence: input.u32()?,
            unread_blocks: input.u16()?,
            valid_intervals: input.u16()?,
        })
    }

    /// Writes the part of one set.
    ///
    /// # Errors
    ///
    /// The sink is full.
    pub fn emit(&self, out: &mut Encoder<'_>) -> Result<(), Error> {
        out.u8(self.flags.0)?;
        out.u16(self.valid_blocks)?;
        out.u16(self.last_block)?;
        out.u32(self.last_sequence)?;
        out.u16(self.unread_blocks)?;
        out.u16(self.valid_intervals)
    }
}
