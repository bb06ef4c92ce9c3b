//! Decade 2, registers: ST21 to ST28 (C12.19-2008 §9.3).
//!
//! ```text
//! ST21     functions (2) | self reads | summations | demands | coincidents | occurrences | tiers
//!          | present demands | present values
//! block    { summation NI1 }* { [time STIME]* [cumulative NI1] [continuous NI1] demand NI2* }*
//!          { coincident NI2* }*
//! data     [demand resets] block of the total { block of a tier }*
//! ST22     { source }* { source }* minimum or maximum SET { source }* { demand }*
//! ST23     data
//! ST24/25  [end STIME] [season] data
//! ST26     status | valid | last element | last sequence number (2) | unread
//!          { [sequence number (2)] [end STIME] [season] data }*
//! ST27     { source }* { source }*
//! ST28     { [time remaining TIME] demand NI2 }* { value NI1 }*
//! ```
//!
//! Registers are written from whatever implements [`RegisterData`]: the state of a meter, or a
//! [`RegisterView`] of received octets.

use super::codec::{Decoder, Encoder};
use super::format::{Format, Kind};
use super::number::Number;
use crate::c1222::interval::EndTime;
use crate::wire::Error;

/// ST21 ACT_REGS, and ST20: what the other tables of the decade hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterLimits {
    /// REG_FUNC1_FLAGS: the bits are constants of this type.
    pub functions1: u8,
    /// REG_FUNC2_FLAGS: the bits are constants of this type.
    pub functions2: u8,
    /// NBR_SELF_READS.
    pub self_reads: u8,
    /// NBR_SUMMATIONS.
    pub summations: u8,
    /// NBR_DEMANDS.
    pub demands: u8,
    /// NBR_COIN_VALUES.
    pub coincidents: u8,
    /// NBR_OCCUR: maxima that are kept of each demand.
    pub occurrences: u8,
    /// NBR_TIERS.
    pub tiers: u8,
    /// NBR_PRESENT_DEMANDS.
    pub present_demands: u8,
    /// NBR_PRESENT_VALUES.
    pub present_values: u8,
}

impl RegisterLimits {
    /// SEASON_INFO_FIELD_FLAG of the first functions.
    pub const SEASON: u8 = 0x01;
    /// DATE_TIME_FIELD_FLAG.
    pub const DATE_TIME: u8 = 0x02;
    /// DEMAND_RESET_CTR_FLAG.
    pub const DEMAND_RESETS: u8 = 0x04;
    /// DEMAND_RESET_LOCK_FLAG.
    pub const RESET_LOCK: u8 = 0x08;
    /// CUM_DEMAND_FLAG.
    pub const CUMULATIVE: u8 = 0x10;
    /// CONT_CUM_DEMAND_FLAG.
    pub const CONTINUOUS: u8 = 0x20;
    /// TIME_REMAINING_FLAG.
    pub const TIME_REMAINING: u8 = 0x40;
    /// SELF_READ_INHIBIT_OVF_FLAG of the second functions.
    pub const INHIBIT_OVERFLOW: u8 = 0x01;
    /// SELF_READ_SEQ_NBR_FLAG.
    pub const SEQUENCE: u8 = 0x02;

    /// Whether there is a field of the first functions.
    pub const fn has(&self, flag: u8) -> bool {
        self.functions1 & flag != 0
    }

    /// Whether self reads are numbered.
    pub const fn numbers_self_reads(&self) -> bool {
        self.functions2 & Self::SEQUENCE != 0
    }

    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many.
    pub fn parse(octets: &[u8], format: &Format) -> Result<Self, Error> {
        Decoder::whole(octets, format, |input| {
            let [functions1, functions2, self_reads, summations, demands] = input.array()?;
            let [
                coincidents,
                occurrences,
                tiers,
                present_demands,
                present_values,
            ] = input.array()?;
            Ok(Self {
                functions1,
                functions2,
                self_reads,
                summations,
                demands,
                coincidents,
                occurrences,
                tiers,
                present_demands,
                present_values,
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
            self.self_reads,
            self.summations,
            self.demands,
            self.coincidents,
            self.occurrences,
            self.tiers,
            self.present_demands,
            self.present_values,
        ])
    }

    /// Octets of a field, if there is one.
    const fn when(&self, flag: u8, len: usize) -> usize {
        if self.has(flag) { len } else { 0 }
    }

    /// Octets of the record of one demand.
    const fn demand_len(&self, format: &Format) -> usize {
        let occurrences = self.occurrences as usize;
        let first = format.number_len(Kind::First);
        self.when(Self::DATE_TIME, occurrences * format.minute_len())
            + self.when(Self::CUMULATIVE, first)
            + self.when(Self::CONTINUOUS, first)
            + occurrences * format.number_len(Kind::Second)
    }

    /// Octets of a data block.
    pub const fn block_len(&self, format: &Format) -> usize {
        let coincident = self.occurrences as usize * format.number_len(Kind::Second);
        self.summations as usize * format.number_len(Kind::First)
            + self.demands as usize * self.demand_len(format)
            + self.coincidents as usize * coincident
    }

    /// Octets of ST23.
    pub const fn data_len(&self, format: &Format) -> usize {
        self.when(Self::DEMAND_RESETS, 1) + (1 + self.tiers as usize) * self.block_len(format)
    }

    /// Octets of the end and the season before registers of the past.
    pub const fn info_len(&self, format: &Format) -> usize {
        self.when(Self::DATE_TIME, format.minute_len()) + self.when(Self::SEASON, 1)
    }

    /// Octets of an entry of ST26.
    pub const fn self_read_len(&self, format: &Format) -> usize {
        let sequence = if self.numbers_self_reads() { 2 } else { 0 };
        sequence + self.info_len(format) + self.data_len(format)
    }
}

/// Which data block of a set of registers is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// All tiers together.
    Total,
    /// A tier, counted from 0.
    Tier(u8),
}

/// A demand that was reached, and when its interval ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peak {
    /// EVENT_TIME.
    pub at: Option<EndTime>,
    /// DEMAND.
    pub value: Number,
}

/// The values of ST23, whatever holds them; indices are below those of the limits.
pub trait RegisterData {
    /// NBR_DEMAND_RESETS.
    fn demand_resets(&self) -> u8;

    /// A summation.
    fn summation(&self, block: Block, index: u8) -> Number;

    /// CUM_DEMAND: maxima of all periods before the last reset, added up.
    fn cumulative(&self, block: Block, demand: u8) -> Number;

    /// CONT_CUM_DEMAND: the same including the present period.
    fn continuous(&self, block: Block, demand: u8) -> Number {
        let _ = (block, demand);
        Number::default()
    }

    /// The maximum, or minimum, of a demand; the highest first.
    fn peak(&self, block: Block, demand: u8, occurrence: u8) -> Peak;

    /// A value at the time of a maximum.
    fn coincident(&self, block: Block, index: u8, occurrence: u8) -> Number {
        let _ = (block, index, occurrence);
        Number::default()
    }
}

/// Writes ST23, or the same part of ST24, ST25 or ST26.
///
/// # Errors
///
/// The sink is full, or a number does not fit into its format.
pub fn emit_data(
    data: &dyn RegisterData,
    limits: &RegisterLimits,
    out: &mut Encoder<'_>,
) -> Result<(), Error> {
    if limits.has(RegisterLimits::DEMAND_RESETS) {
        out.u8(data.demand_resets())?;
    }
    emit_block(data, Block::Total, limits, out)?;
    (0..limits.tiers).try_for_each(|tier| emit_block(data, Block::Tier(tier), limits, out))
}

fn emit_block(
    data: &dyn RegisterData,
    block: Block,
    limits: &RegisterLimits,
    out: &mut Encoder<'_>,
) -> Result<(), Error> {
    if out.skip(limits.block_len(out.format())) {
        return Ok(());
    }
    for index in 0..limits.summations {
        out.number(Kind::First, data.summation(block, index))?;
    }
    for demand in 0..limits.demands {
        let peak = |occurrence| data.peak(block, demand, occurrence);
        if limits.has(RegisterLimits::DATE_TIME) {
            (0..limits.occurrences).try_for_each(|number| out.minute(peak(number).at))?;
        }
        if limits.has(RegisterLimits::CUMULATIVE) {
            out.number(Kind::First, data.cumulative(block, demand))?;
        }
        if limits.has(RegisterLimits::CONTINUOUS) {
            out.number(Kind::First, data.continuous(block, demand))?;
        }
        for number in 0..limits.occurrences {
            out.number(Kind::Second, peak(number).value)?;
        }
    }
    for index in 0..limits.coincidents {
        for number in 0..limits.occurrences {
            out.number(Kind::Second, data.coincident(block, index, number))?;
        }
    }
    Ok(())
}

/// Received registers.
#[derive(Clone, Copy, Debug)]
pub struct RegisterView<'a> {
    octets: &'a [u8],
    limits: RegisterLimits,
    format: Format,
}

impl<'a> RegisterView<'a> {
    /// Reads ST23.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many, or a field is out of range.
    pub fn parse(
        octets: &'a [u8],
        limits: &RegisterLimits,
        format: &Format,
    ) -> Result<Self, Error> {
        Decoder::whole(octets, format, |input| Self::take(limits, input))
    }

    /// Reads registers out of a larger table.
    fn take(limits: &RegisterLimits, input: &mut Decoder<'a>) -> Result<Self, Error> {
        let format = *input.format();
        let octets = input.take(limits.data_len(&format))?;
        let view = Self {
            octets,
            limits: *limits,
            format,
        };
        view.check()?;
        Ok(view)
    }

    /// Reads every field once, so that the accessors cannot fail.
    fn check(&self) -> Result<(), Error> {
        let mut input = Decoder::new(self.octets, &self.format);
        let limits = &self.limits;
        if limits.has(RegisterLimits::DEMAND_RESETS) {
            input.u8()?;
        }
        for _ in 0..=limits.tiers {
            for _ in 0..limits.summations {
                input.number(Kind::First)?;
            }
            for _ in 0..limits.demands {
                if limits.has(RegisterLimits::DATE_TIME) {
                    for _ in 0..limits.occurrences {
                        input.minute()?;
                    }
                }
                for flag in [RegisterLimits::CUMULATIVE, RegisterLimits::CONTINUOUS] {
                    if limits.has(flag) {
                        input.number(Kind::First)?;
                    }
                }
                for _ in 0..limits.occurrences {
                    input.number(Kind::Second)?;
                }
            }
            for _ in 0..usize::from(limits.coincidents) * usize::from(limits.occurrences) {
                input.number(Kind::Second)?;
            }
        }
        Ok(())
    }

    /// A decoder from `offset` in a block on; octets that do not exist read as none.
    fn at(&self, block: Block, offset: usize) -> Decoder<'a> {
        let blocks = match block {
            Block::Total => 0,
            Block::Tier(tier) => 1 + usize::from(tier),
        };
        let resets = self.limits.when(RegisterLimits::DEMAND_RESETS, 1);
        let start = resets + blocks * self.limits.block_len(&self.format) + offset;
        Decoder::new(self.octets.get(start..).unwrap_or_default(), &self.format)
    }

    fn number(&self, block: Block, offset: usize, kind: Kind) -> Number {
        self.at(block, offset).number(kind).unwrap_or_default()
    }

    fn demand_offset(&self, demand: u8) -> usize {
        usize::from(self.limits.summations) * self.format.number_len(Kind::First)
            + usize::from(demand) * self.limits.demand_len(&self.format)
    }

    /// Where the cumulative demand is in the record of a demand.
    fn cumulative_offset(&self, demand: u8) -> usize {
        let times = usize::from(self.limits.occurrences) * self.format.minute_len();
        self.demand_offset(demand) + self.limits.when(RegisterLimits::DATE_TIME, times)
    }
}

impl RegisterData for RegisterView<'_> {
    fn demand_resets(&self) -> u8 {
        if self.limits.has(RegisterLimits::DEMAND_RESETS) {
            self.octets.first().copied().unwrap_or(0)
        } else {
            0
        }
    }

    fn summation(&self, block: Block, index: u8) -> Number {
        let offset = usize::from(index) * self.format.number_len(Kind::First);
        self.number(block, offset, Kind::First)
    }

    fn cumulative(&self, block: Block, demand: u8) -> Number {
        if self.limits.has(RegisterLimits::CUMULATIVE) {
            self.number(block, self.cumulative_offset(demand), Kind::First)
        } else {
            Number::default()
        }
    }

    fn continuous(&self, block: Block, demand: u8) -> Number {
        if !self.limits.has(RegisterLimits::CONTINUOUS) {
            return Number::default();
        }
        let first = self.format.number_len(Kind::First);
        let before = self.limits.when(RegisterLimits::CUMULATIVE, first);
        self.number(block, self.cumulative_offset(demand) + before, Kind::First)
    }

    fn peak(&self, block: Block, demand: u8, occurrence: u8) -> Peak {
        let number = usize::from(occurrence);
        let at = if self.limits.has(RegisterLimits::DATE_TIME) {
            let offset = self.demand_offset(demand) + number * self.format.minute_len();
            self.at(block, offset).minute().unwrap_or_default()
        } else {
            None
        };
        let first = self.format.number_len(Kind::First);
        let offset = self.cumulative_offset(demand)
            + self.limits.when(RegisterLimits::CUMULATIVE, first)
            + self.limits.when(RegisterLimits::CONTINUOUS, first)
            + number * self.format.number_len(Kind::Second);
        Peak {
            at,
            value: self.number(block, offset, Kind::Second),
        }
    }

    fn coincident(&self, block: Block, index: u8, occurrence: u8) -> Number {
        let before = usize::from(index) * usize::from(self.limits.occurrences);
        let number = before + usize::from(occurrence);
        let offset =
            self.demand_offset(self.limits.demands) + number * self.format.number_len(Kind::Second);
        self.number(block, offset, Kind::Second)
    }
}

/// When registers of the past were taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RegisterInfo {
    /// END_DATE_TIME.
    pub end: Option<EndTime>,
    /// SEASON.
    pub season: u8,
}

impl RegisterInfo {
    fn parse(limits: &RegisterLimits, input: &mut Decoder<'_>) -> Result<Self, Error> {
        let mut info = Self::default();
        if limits.has(RegisterLimits::DATE_TIME) {
            info.end = input.minute()?;
        }
        if limits.has(RegisterLimits::SEASON) {
            info.season = input.u8()?;
        }
        Ok(info)
    }

    fn emit(&self, limits: &RegisterLimits, out: &mut Encoder<'_>) -> Result<(), Error> {
        if limits.has(RegisterLimits::DATE_TIME) {
            out.minute(self.end)?;
        }
        if limits.has(RegisterLimits::SEASON) {
            out.u8(self.season)?;
        }
        Ok(())
    }
}

/// Reads ST24 or ST25: registers at the end of a season, or at a demand reset.
///
/// # Errors
///
/// The octets are too few or too many, or a field is out of range.
pub fn parse_previous<'a>(
    octets: &'a [u8],
    limits: &RegisterLimits,
    format: &Format,
) -> Result<(RegisterInfo, RegisterView<'a>), Error> {
    Decoder::whole(octets, format, |input| {
        Ok((
            RegisterInfo::parse(limits, input)?,
            RegisterView::take(limits, input)?,
        ))
    })
}

/// Writes ST24 or ST25; all zeros if there is nothing to show yet.
///
/// # Errors
///
/// The sink is full, or a number does not fit into its format.
pub fn emit_previous(
    previous: Option<(RegisterInfo, &dyn RegisterData)>,
    limits: &RegisterLimits,
    out: &mut Encoder<'_>,
) -> Result<(), Error> {
    let Some((info, data)) = previous else {
        let format = out.format();
        return out.zeros(limits.info_len(format) + limits.data_len(format));
    };
    info.emit(limits, out)?;
    emit_data(data, limits, out)
}
