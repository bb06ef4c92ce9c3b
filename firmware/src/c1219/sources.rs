//! Decade 1, data sources: ST11 to ST16 (C12.19-2008 §9.2).
//!
//! ```text
//! ST11  flags | units | demand controls | data control length | data controls | constants
//!       | constants selector | sources
//! ST12  { unit of measure (4) }*
//! ST13  [reset exclusion min] [recognition s | exclusion min | cold load pickup min]
//!       { length min (2), or sub-interval min | multiplier }*
//! ST14  { data control (length) }*
//! ST15  { multiplier NI1 | offset NI1 [ set 1 | set 2: flag | ratio NI1 | ratio NI1 ] }*
//! ST16  { flags }*
//! ```
//!
//! Source `k` of ST16 takes its unit from the entry of ST12 that belongs to the `k`-th source with
//! a unit, and so on for the other tables. Constants of gas meters are not supported.

use super::codec::{Decoder, Encoder};
use super::format::{Format, Kind};
use super::number::Number;
use crate::wire::Error;

/// CONSTANTS_SELECTOR of electricity meters.
const ELECTRIC: u8 = 2;

/// ST11 ACT_SOURCES_LIM, and ST10: what the other tables of the decade hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceLimits {
    /// SOURCE_FLAGS: the bits are constants of this type.
    pub flags: u8,
    /// NBR_UOM_ENTRIES.
    pub units: u8,
    /// NBR_DEMAND_CTRL_ENTRIES.
    pub demand_controls: u8,
    /// DATA_CTRL_LENGTH in octets.
    pub data_control_len: u8,
    /// NBR_DATA_CTRL_ENTRIES.
    pub data_controls: u8,
    /// NBR_CONSTANTS_ENTRIES.
    pub constants: u8,
    /// CONSTANTS_SELECTOR: 0 gas AGA3, 1 gas AGA7, 2 electricity.
    pub constants_selector: u8,
    /// NBR_SOURCES.
    pub sources: u8,
}

impl SourceLimits {
    /// PF_EXCLUDE: demand is forgiven after a loss of power.
    pub const POWER_FAILURE_EXCLUSION: u8 = 0x01;
    /// RESET_EXCLUDE: resets in quick succession are ignored.
    pub const RESET_EXCLUSION: u8 = 0x02;
    /// BLOCK_DEMAND.
    pub const BLOCK_DEMAND: u8 = 0x04;
    /// SLIDING_DEMAND: intervals consist of sub-intervals.
    pub const SLIDING_DEMAND: u8 = 0x08;
    /// THERMAL_DEMAND.
    pub const THERMAL_DEMAND: u8 = 0x10;
    /// SET1_PRESENT: constants have a first set of ratios.
    pub const SET1: u8 = 0x20;
    /// SET2_PRESENT: constants have a second set of ratios.
    pub const SET2: u8 = 0x40;

    /// Whether a flag is set.
    pub const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many.
    pub fn parse(octets: &[u8], format: &Format) -> Result<Self, Error> {
        Decoder::whole(octets, format, |input| {
            let [flags, units, demand_controls, data_control_len] = input.array()?;
            let [data_controls, constants, constants_selector, sources] = input.array()?;
            Ok(Self {
                flags,
                units,
                demand_controls,
                data_control_len,
                data_controls,
                constants,
                constants_selector,
                sources,
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
            self.flags,
            self.units,
            self.demand_controls,
            self.data_control_len,
            self.data_controls,
            self.constants,
            self.constants_selector,
            self.sources,
        ])
    }
}

/// TIME_BASE of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeBase {
    /// Accumulated quantity, as energy (0).
    Bulk,
    /// Value at an instant (1).
    Instantaneous,
    /// Value over a period (2).
    Period,
    /// Demand over a sub-block (3).
    SubBlock,
    /// Demand over a block (4).
    Block,
    /// Net of an accumulated quantity over a time (5).
    NetBulk,
    /// Thermal demand (6).
    Thermal,
    /// Number of events (7).
    Event,
}

/// An entry of ST12: a unit of measure, as its 32 bits.
///
/// ```text
/// 0..7 ID_CODE | 8..10 TIME_BASE | 11..13 MULTIPLIER | 14..17 quadrants 1 to 4 | 18 net flow
/// | 19..21 segmentation | 22 harmonic | 31 not following the standard
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit(pub u32);

impl Unit {
    /// ID_CODE of active power and energy: W, Wh.
    pub const ACTIVE: u8 = 0;
    /// ID_CODE of reactive power and energy: var, varh.
    pub const REACTIVE: u8 = 1;
    /// ID_CODE of apparent power and energy: VA, VAh.
    pub const APPARENT: u8 = 2;
    /// ID_CODE of the voltage: V, root of the mean square.
    pub const VOLTAGE: u8 = 8;
    /// ID_CODE of the current: A, root of the mean square.
    pub const CURRENT: u8 = 12;
    /// ID_CODE of the frequency: Hz. Known from general knowledge alone.
    pub const FREQUENCY: u8 = 33;
    /// MULTIPLIER of thousandths.
    pub const MILLI: u8 = 6;
    /// Quadrants 1 and 4: delivered to the customer.
    pub const DELIVERED: u8 = 0x09;
    /// Quadrants 2 and 3: received from the customer.
    pub const RECEIVED: u8 = 0x06;
    /// Quadrants 1 and 2: lagging.
    pub const LAGGING: u8 = 0x03;
    /// Quadrants 3 and 4: leading.
    pub const LEADING: u8 = 0x0C;
    /// All quadrants.
    pub const ALL: u8 = 0x0F;

    /// The unit of a quantity; `multiplier` is its code, 0 for one.
    pub const fn new(id: u8, base: TimeBase, multiplier: u8, quadrants: u8, net: bool) -> Self {
        Self(
            id as u32
                | (base as u32) << 8
                | (multiplier as u32 & 0x07) << 11
                | (quadrants as u32 & 0x0F) << 14
                | (net as u32) << 18,
        )
    }

    /// ID_CODE.
    pub const fn id(self) -> u8 {
        self.0 as u8
    }

    /// TIME_BASE.
    pub const fn time_base(self) -> TimeBase {
        match self.0 >> 8 & 0x07 {
            0 => TimeBase::Bulk,
            1 => TimeBase::Instantaneous,
            2 => TimeBase::Period,
            3 => TimeBase::SubBlock,
            4 => TimeBase::Block,
            5 => TimeBase::NetBulk,
            6 => TimeBase::Thermal,
            _ => TimeBase::Event,
        }
    }

    /// MULTIPLIER as a code.
    pub const fn multiplier(self) -> u8 {
        (self.0 >> 11 & 0x07) as u8
    }

    /// MULTIPLIER as the exponent of ten.
    pub const fn exponent(self) -> i8 {
        [0, 2, 3, 6, 9, -2, -3, -6][self.multiplier() as usize]
    }

    /// Quadrants 1 to 4 as bits 0 to 3.
    pub const fn quadrants(self) -> u8 {
        (self.0 >> 14 & 0x0F) as u8
    }

    /// NET_FLOW_ACCOUNTABILITY: what is received counts as negative.
    pub const fn is_net(self) -> bool {
        self.0 >> 18 & 1 != 0
    }

    /// SEGMENTATION: 0 all phases, 1 A-B, 2 B-C, 3 C-A, 4 N-G, 5 A-N, 6 B-N, 7 C-N.
    pub const fn segmentation(self) -> u8 {
        (self.0 >> 19 & 0x07) as u8
    }

    /// HARMONIC: the fundamental or a harmonic alone.
    pub const fn is_harmonic(self) -> bool {
        self.0 >> 22 & 1 != 0
    }

    /// NFS: the code is the manufacturer's own.
    pub const fn is_private(self) -> bool {
        self.0 >> 31 != 0
    }
}

/// Reads ST12.
///
/// # Errors
///
/// The octets are too few or too many.
pub fn parse_units<'a>(
    octets: &'a [u8],
    limits: &SourceLimits,
    format: &Format,
) -> Result<impl Iterator<Item = Unit> + use<'a>, Error> {
    let mut input = exactly(octets, 4 * usize::from(limits.units), format)?;
    Ok(core::iter::from_fn(move || input.u32().ok().map(Unit)))
}

/// Writes ST12.
///
/// # Errors
///
/// The sink is full.
pub fn emit_units(units: &[Unit], out: &mut Encoder<'_>) -> Result<(), Error> {
    units.iter().try_for_each(|unit| out.u32(unit.0))
}

/// ST13 DEMAND_CONTROL but for the intervals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DemandControl {
    /// RESET_EXCLUSION: minutes after a reset in which others are ignored.
    pub reset_exclusion_min: u8,
    /// P_FAIL_RECOGNTN_TM: seconds without power that count as a failure.
    pub recognition_s: u8,
    /// P_FAIL_EXCLUSION: minutes after a failure in which no demand counts.
    pub exclusion_min: u8,
    /// COLD_LOAD_PICKUP: minutes without power after which the exclusion applies.
    pub cold_load_min: u8,
}

/// The length of a demand interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DemandInterval {
    /// INT_LENGTH in minutes.
    Block(u16),
    /// SUB_INT in minutes, and how many of them make an interval.
    Sliding {
        /// Minutes of a sub-interval.
        sub_interval_min: u8,
        /// INT_MULTIPLIER.
        multiplier: u8,
    },
}

impl DemandControl {
    /// Reads the table; the intervals come one per demand control.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many.
    pub fn parse<'a>(
        octets: &'a [u8],
        limits: &SourceLimits,
        format: &Format,
    ) -> Result<(Self, impl Iterator<Item = DemandInterval> + use<'a>), Error> {
        let mut input = Decoder::new(octets, format);
        let mut control = Self::default();
        if limits.has(SourceLimits::RESET_EXCLUSION) {
            control.reset_exclusion_min = input.u8()?;
        }
        if limits.has(SourceLimits::POWER_FAILURE_EXCLUSION) {
            control.recognition_s = input.u8()?;
            control.exclusion_min = input.u8()?;
            control.cold_load_min = input.u8()?;
        }
        let rest = input.take(input.remaining())?;
        let mut input = exactly(rest, 2 * usize::from(limits.demand_controls), format)?;
        let sliding = limits.has(SourceLimits::SLIDING_DEMAND);
        let intervals = core::iter::from_fn(move || {
            if !sliding {
                return input.u16().ok().map(DemandInterval::Block);
            }
            let [sub_interval_min, multiplier] = input.array().ok()?;
            Some(DemandInterval::Sliding {
                sub_interval_min,
                multiplier,
            })
        });
        Ok((control, intervals))
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// The sink is full.
    pub fn emit(
        &self,
        intervals: &[DemandInterval],
        limits: &SourceLimits,
        out: &mut Encoder<'_>,
    ) -> Result<(), Error> {
        if limits.has(SourceLimits::RESET_EXCLUSION) {
            out.u8(self.reset_exclusion_min)?;
        }
        if limits.has(SourceLimits::POWER_FAILURE_EXCLUSION) {
            out.put(&[self.recognition_s, self.exclusion_min, self.cold_load_min])?;
        }
        intervals.iter().try_for_each(|interval| match *interval {
            DemandInterval::Block(minutes) => out.u16(minutes),
            DemandInterval::Sliding {
                sub_interval_min,
                multiplier,
            } => out.put(&[sub_interval_min, multiplier]),
        })
    }
}

/// An entry of ST14: what the manufacturer needs to select a source.
///
/// # Errors
///
/// The octets are too few or too many.
pub fn parse_data_controls<'a>(
    octets: &'a [u8],
    limits: &SourceLimits,
) -> Result<impl Iterator<Item = &'a [u8]> + use<'a>, Error> {
    let len = usize::from(limits.data_control_len);
    exactly(
        octets,
        len * usize::from(limits.data_controls),
        &Format::PROFILE,
    )?;
    Ok(octets.chunks_exact(len.max(1)))
}

/// An entry of ST15: a source value times the multiplier plus the offset is the quantity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Constant {
    /// MULTIPLIER.
    pub multiplier: Number,
    /// OFFSET.
    pub offset: Number,
    /// SET1 and SET2: whether it is applied, and two ratios.
    pub sets: [Option<(bool, [Number; 2])>; 2],
}

impl Constant {
    fn parse(limits: &SourceLimits, input: &mut Decoder<'_>) -> Result<Self, Error> {
        let mut constant = Self {
            multiplier: input.number(Kind::First)?,
            offset: input.number(Kind::First)?,
            sets: [None; 2],
        };
        for (set, flag) in constant.sets.iter_mut().zip(SET_FLAGS) {
            if limits.has(flag) {
                let applied = input.u8()? & 1 != 0;
                let ratios = [input.number(Kind::First)?, input.number(Kind::First)?];
                *set = Some((applied, ratios));
            }
        }
        Ok(constant)
    }

    fn emit(&self, limits: &SourceLimits, out: &mut Encoder<'_>) -> Result<(), Error> {
        out.number(Kind::First, self.multiplier)?;
        out.number(Kind::First, self.offset)?;
        for (set, flag) in self.sets.iter().zip(SET_FLAGS) {
            if limits.has(flag) {
                let (applied, ratios) = set.unwrap_or_default();
                out.u8(applied.into())?;
                ratios
                    .into_iter()
                    .try_for_each(|ratio| out.number(Kind::First, ratio))?;
            }
        }
        Ok(())
    }
}

const SET_FLAGS: [u8; 2] = [SourceLimits::SET1, SourceLimits::SET2];

/// Reads ST15 of an electricity meter.
///
/// # Errors
///
/// The octets are too few or too many, a number is none, or the meter is of another kind.
pub fn parse_constants<'a>(
    octets: &'a [u8],
    limits: &SourceLimits,
    format: &Format,
) -> Result<impl Iterator<Item = Constant> + use<'a>, Error> {
    if limits.constants_selector != ELECTRIC {
        return Err(Error::Unsupported(limits.constants_selector.into()));
    }
    let (limits, mut input) = (*limits, Decoder::new(octets, format));
    for _ in 0..limits.constants {
        Constant::parse(&limits, &mut input)?;
    }
    if input.remaining() > 0 {
        return Err(Error::Malformed("table length"));
    }
    let mut input = Decoder::new(octets, format);
    Ok(
        core::iter::from_fn(move || Constant::parse(&limits, &mut input).ok())
            .take(limits.constants.into()),
    )
}

/// Writes ST15.
///
/// # Errors
///
/// The sink is full, or a number does not fit into its format.
pub fn emit_constants(
    constants: &[Constant],
    limits: &SourceLimits,
    out: &mut Encoder<'_>,
) -> Result<(), Error> {
    constants
        .iter()
        .try_for_each(|constant| constant.emit(limits, out))
}

/// An octet of ST16: which tables describe a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source(pub u8);

impl Source {
    /// UOM_ENTRY_FLAG: it has an entry in ST12.
    pub const UNIT: u8 = 0x01;
    /// DEMAND_CTRL_FLAG: it has an entry in ST13.
    pub const DEMAND_CONTROL: u8 = 0x02;
    /// DATA_CTRL_FLAG: it has an entry in ST14.
    pub const DATA_CONTROL: u8 = 0x04;
    /// CONSTANTS_FLAG: it has an entry in ST15.
    pub const CONSTANT: u8 = 0x08;
    /// PULSE_ENGR_FLAG: its values are engineering units instead of pulses.
    pub const ENGINEERING: u8 = 0x10;
    /// CONSTANT_TO_BE_APPLIED: its values still lack the constant.
    pub const UNSCALED: u8 = 0x20;

    /// Whether a flag is set.
    pub const fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }
}

/// A decoder of octets of exactly this number.
fn exactly<'a>(octets: &'a [u8], count: usize, format: &Format) -> Result<Decoder<'a>, Error> {
    if octets.len() == count {
        Ok(Decoder::new(octets, format))
    } else {
        Err(Error::Malformed("table length"))
    }
}
