//! Decade 2, what is selected and what is read: ST22 and ST26 to ST28 (C12.19-2008 §9.3).

use super::codec::{Decoder, Encoder};
use super::format::{Format, Kind};
use super::number::Number;
use super::registers::{
    self, RegisterData, RegisterInfo, RegisterLimits, RegisterView, emit_previous,
};
use super::types::TimeOfDay;
use crate::wire::Error;

/// ST22 DATA_SELECTION: sources of the registers, as indices of ST16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataSelection<'a> {
    /// SUMMATION_SELECT.
    pub summations: &'a [u8],
    /// DEMAND_SELECT.
    pub demands: &'a [u8],
    /// MIN_OR_MAX_FLAGS: the demands of which the maximum is kept.
    pub maxima: &'a [u8],
    /// COINCIDENT_SELECT.
    pub coincidents: &'a [u8],
    /// COIN_DEMAND_ASSOC: the demand at whose maximum each is taken.
    pub associated: &'a [u8],
}

impl<'a> DataSelection<'a> {
    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many.
    pub fn parse(octets: &'a [u8], limits: &RegisterLimits) -> Result<Self, Error> {
        Decoder::whole(octets, &Format::PROFILE, |input| {
            let (demands, coincidents) = (limits.demands.into(), limits.coincidents.into());
            Ok(Self {
                summations: input.take(limits.summations.into())?,
                demands: input.take(demands)?,
                maxima: input.take(demands.div_ceil(8))?,
                coincidents: input.take(coincidents)?,
                associated: input.take(coincidents)?,
            })
        })
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// The sink is full.
    pub fn emit(&self, out: &mut Encoder<'_>) -> Result<(), Error> {
        [
            self.summations,
            self.demands,
            self.maxima,
            self.coincidents,
            self.associated,
        ]
        .into_iter()
        .try_for_each(|part| out.put(part))
    }
}

/// LIST_STATUS: how the entries of a list lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListFlags(pub u8);

impl ListFlags {
    /// ORDER: the newest entry comes first.
    pub const DESCENDING: u8 = 0x01;
    /// OVERFLOW: entries that nobody read were lost.
    pub const OVERFLOW: u8 = 0x02;
    /// LIST_TYPE: the list is a ring.
    pub const CIRCULAR: u8 = 0x04;
    /// INHIBIT_OVERFLOW: entries that nobody read are never lost.
    pub const INHIBIT_OVERFLOW: u8 = 0x08;

    /// Whether a flag is set.
    pub const fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }
}

/// The head of ST26.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SelfReadStatus {
    /// LIST_STATUS.
    pub flags: ListFlags,
    /// NBR_VALID_ENTRIES.
    pub valid: u8,
    /// LAST_ENTRY_ELEMENT.
    pub last_element: u8,
    /// LAST_ENTRY_SEQ_NBR.
    pub last_sequence: u16,
    /// NBR_UNREAD_ENTRIES.
    pub unread: u8,
}

/// An entry of ST26.
pub struct SelfRead<'a> {
    /// SELF_READ_SEQ_NBR.
    pub sequence: u16,
    /// When it was taken.
    pub info: RegisterInfo,
    /// The registers.
    pub data: &'a dyn RegisterData,
}

/// Writes ST26; elements for which `entry` has nothing are zeros.
///
/// # Errors
///
/// The sink is full, or a number does not fit into its format.
pub fn emit_self_reads<'a>(
    status: &SelfReadStatus,
    entry: impl Fn(u8) -> Option<SelfRead<'a>>,
    limits: &RegisterLimits,
    out: &mut Encoder<'_>,
) -> Result<(), Error> {
    out.put(&[status.flags.0, status.valid, status.last_element])?;
    out.u16(status.last_sequence)?;
    out.u8(status.unread)?;
    for element in 0..limits.self_reads {
        if out.skip(limits.self_read_len(out.format())) {
            continue;
        }
        let read = entry(element);
        if limits.numbers_self_reads() {
            out.u16(read.as_ref().map_or(0, |read| read.sequence))?;
        }
        emit_previous(read.map(|read| (read.info, read.data)), limits, out)?;
    }
    Ok(())
}

/// Received self reads.
#[derive(Clone, Copy, Debug)]
pub struct SelfReadView<'a> {
    /// The head of the table.
    pub status: SelfReadStatus,
    entries: &'a [u8],
    limits: RegisterLimits,
    format: Format,
}

impl<'a> SelfReadView<'a> {
    /// Reads ST26.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many.
    pub fn parse(
        octets: &'a [u8],
        limits: &RegisterLimits,
        format: &Format,
    ) -> Result<Self, Error> {
        Decoder::whole(octets, format, |input| {
            let [flags, valid, last_element] = input.array()?;
            let status = SelfReadStatus {
                flags: ListFlags(flags),
                valid,
                last_element,
                last_sequence: input.u16()?,
                unread: input.u8()?,
            };
            let len = usize::from(limits.self_reads) * limits.self_read_len(format);
            Ok(Self {
                status,
                entries: input.take(len)?,
                limits: *limits,
                format: *format,
            })
        })
    }

    /// An element: its number, when it was taken, and the registers.
    ///
    /// # Errors
    ///
    /// There is no such element, or one of its fields is out of range.
    pub fn entry(&self, element: u8) -> Result<(u16, RegisterInfo, RegisterView<'a>), Error> {
        let len = self.limits.self_read_len(&self.format);
        let start = usize::from(element) * len;
        let octets = self.entries.get(start..start + len);
        let octets = octets.ok_or(Error::Malformed("element"))?;
        let number = if self.limits.numbers_self_reads() {
            2
        } else {
            0
        };
        let (sequence, rest) = octets.split_at(number);
        let mut input = Decoder::new(sequence, &self.format);
        let sequence = if number > 0 { input.u16()? } else { 0 };
        let (info, data) = registers::parse_previous(rest, &self.limits, &self.format)?;
        Ok((sequence, info, data))
    }
}

/// ST27 PRESENT_REGISTER_SELECT: sources of ST28, as indices of ST16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresentSelection<'a> {
    /// PRESENT_DEMAND_SELECT.
    pub demands: &'a [u8],
    /// PRESENT_VALUE_SELECT.
    pub values: &'a [u8],
}

impl<'a> PresentSelection<'a> {
    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many.
    pub fn parse(octets: &'a [u8], limits: &RegisterLimits) -> Result<Self, Error> {
        Decoder::whole(octets, &Format::PROFILE, |input| {
            Ok(Self {
                demands: input.take(limits.present_demands.into())?,
                values: input.take(limits.present_values.into())?,
            })
        })
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// The sink is full.
    pub fn emit(&self, out: &mut Encoder<'_>) -> Result<(), Error> {
        out.put(self.demands)?;
        out.put(self.values)
    }
}

/// A demand of ST28 that is being formed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PresentDemand {
    /// TIME_REMAINING in the interval, if the meter tells it.
    pub time_remaining: TimeOfDay,
    /// DEMAND_VALUE.
    pub value: Number,
}

/// Writes ST28 PRESENT_REGISTER_DATA.
///
/// # Errors
///
/// The sink is full, or a number does not fit into its format.
pub fn emit_present(
    demand: impl Fn(u8) -> PresentDemand,
    value: impl Fn(u8) -> Number,
    limits: &RegisterLimits,
    out: &mut Encoder<'_>,
) -> Result<(), Error> {
    for index in 0..limits.present_demands {
        let demand = demand(index);
        if limits.has(RegisterLimits::TIME_REMAINING) {
            out.time_of_day(demand.time_remaining)?;
        }
        out.number(Kind::Second, demand.value)?;
    }
    (0..limits.present_values).try_for_each(|index| out.number(Kind::First, value(index)))
}

/// Received present values.
#[derive(Clone, Copy, Debug)]
pub struct PresentView<'a> {
    octets: &'a [u8],
    limits: RegisterLimits,
    format: Format,
}

impl<'a> PresentView<'a> {
    /// Reads ST28.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many, or a field is out of range.
    pub fn parse(
        octets: &'a [u8],
        limits: &RegisterLimits,
        format: &Format,
    ) -> Result<Self, Error> {
        let view = Self {
            octets,
            limits: *limits,
            format: *format,
        };
        Decoder::whole(octets, format, |input| {
            for _ in 0..limits.present_demands {
                view.demand_at(input)?;
            }
            for _ in 0..limits.present_values {
                input.number(Kind::First)?;
            }
            Ok(view)
        })
    }

    /// A demand; zero if there is no such demand.
    pub fn demand(&self, index: u8) -> PresentDemand {
        let start = usize::from(index) * self.demand_len();
        let octets = self.octets.get(start..).unwrap_or_default();
        self.demand_at(&mut Decoder::new(octets, &self.format))
            .unwrap_or_default()
    }

    /// A value; zero if there is no such value.
    pub fn value(&self, index: u8) -> Number {
        let start = usize::from(self.limits.present_demands) * self.demand_len()
            + usize::from(index) * self.format.number_len(Kind::First);
        let octets = self.octets.get(start..).unwrap_or_default();
        Decoder::new(octets, &self.format)
            .number(Kind::First)
            .unwrap_or_default()
    }

    fn demand_at(&self, input: &mut Decoder<'_>) -> Result<PresentDemand, Error> {
        let time_remaining = if self.limits.has(RegisterLimits::TIME_REMAINING) {
            input.time_of_day()?
        } else {
            TimeOfDay::default()
        };
        Ok(PresentDemand {
            time_remaining,
            value: input.number(Kind::Second)?,
        })
    }

    fn demand_len(&self) -> usize {
        let time = if self.limits.has(RegisterLimits::TIME_REMAINING) {
            self.format.time_of_day_len()
        } else {
            0
        };
        time + self.format.number_len(Kind::Second)
    }
}
