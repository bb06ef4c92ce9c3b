//! Tables of decades 1, 2, 5 and 6: what the measuring part has counted.
//!
//! | tables | content | written |
//! |---|---|---|
//! | ST10 to ST16 | 14 sources: energy, demand, instantaneous values | |
//! | ST20 to ST28 | registers in total and of 6 tiers, past ones, present values | |
//! | ST50 to ST56 | clock, time zone, tariff calendar | ST53, ST54 |
//! | ST60 to ST64 | load profile, blocks of 96 intervals | |
//!
//! Sources 0 to 7 are Wh delivered, received, their sum and net, varh lagging and leading, W demand
//! delivered and received; 8 to 13 are W, var, mV, mA, mHz and VA of the moment.

use crate::c1219::DateTime;
use crate::c1219::blocks::{self, BlockLayout, COMMON, ProfileData};
use crate::c1219::clock::{Clock, ClockState, Qualifier, TimeRemaining};
use crate::c1219::codec::Encoder;
use crate::c1219::format::Format;
use crate::c1219::number::Number;
use crate::c1219::profile::{
    ChannelSelection, IntervalFormat, ProfileLimits, SetLimits, SetStatus, emit_control,
};
use crate::c1219::readings::{
    DataSelection, ListFlags, PresentDemand, PresentSelection, SelfRead, SelfReadStatus,
    emit_present, emit_self_reads,
};
use crate::c1219::registers::{
    Block, Peak, RegisterData, RegisterInfo, RegisterLimits, emit_data, emit_previous,
};
use crate::c1219::sources::{
    Constant, DemandControl, DemandInterval, Source, SourceLimits, TimeBase, Unit, emit_constants,
    emit_units,
};
use crate::c1222::interval::EndTime;
use crate::metrology::{
    BLOCK_INTERVALS, Copy, Metrology, Profile, ProfileConfig, Quantity, Registers, SELF_READS,
    TIERS,
};
use crate::time::Duration;
use crate::wire::Error;

use super::tariff;

/// Numbers of the tables that a meter with a measuring part serves in addition.
pub const TABLES: [u16; 22] = [
    10, 11, 12, 13, 15, 16, 20, 21, 22, 23, 24, 25, 26, 27, 28, 54, 56, 60, 61, 62, 63, 64,
];

/// ST11: block demand; demand is excluded after resets and after power failures.
const SOURCES: SourceLimits = SourceLimits {
    flags: SourceLimits::POWER_FAILURE_EXCLUSION
        | SourceLimits::RESET_EXCLUSION
        | SourceLimits::BLOCK_DEMAND,
    units: UNITS.len() as u8,
    demand_controls: 2,
    data_control_len: 0,
    data_controls: 0,
    constants: 2,
    constants_selector: 2,
    sources: SOURCE_FLAGS.len() as u8,
};

/// ST12.
const UNITS: [Unit; 14] = {
    use TimeBase::{Block, Bulk, Instantaneous};
    const ACTIVE: u8 = Unit::ACTIVE;
    const REACTIVE: u8 = Unit::REACTIVE;
    [
        Unit::new(ACTIVE, Bulk, 0, Unit::DELIVERED, false),
        Unit::new(ACTIVE, Bulk, 0, Unit::RECEIVED, false),
        Unit::new(ACTIVE, Bulk, 0, Unit::ALL, false),
        Unit::new(ACTIVE, Bulk, 0, Unit::ALL, true),
        Unit::new(REACTIVE, Bulk, 0, Unit::LAGGING, false),
        Unit::new(REACTIVE, Bulk, 0, Unit::LEADING, false),
        Unit::new(ACTIVE, Block, 0, Unit::DELIVERED, false),
        Unit::new(ACTIVE, Block, 0, Unit::RECEIVED, false),
        Unit::new(ACTIVE, Instantaneous, 0, Unit::ALL, true),
        Unit::new(REACTIVE, Instantaneous, 0, Unit::ALL, true),
        Unit::new(Unit::VOLTAGE, Instantaneous, Unit::MILLI, 0, false),
        Unit::new(Unit::CURRENT, Instantaneous, Unit::MILLI, 0, false),
        Unit::new(Unit::FREQUENCY, Instantaneous, Unit::MILLI, 0, false),
        Unit::new(Unit::APPARENT, Instantaneous, 0, 0, false),
    ]
};

/// ST16.
const SOURCE_FLAGS: [u8; 14] = {
    const DEMAND: u8 = Source::UNIT | Source::DEMAND_CONTROL;
    const SCALED: u8 = Source::UNIT | Source::CONSTANT;
    const UNIT: u8 = Source::UNIT;
    [
        UNIT, UNIT, UNIT, UNIT, UNIT, UNIT, DEMAND, DEMAND, SCALED, SCALED, UNIT, UNIT, UNIT, UNIT,
    ]
};

/// Source numbers of the quantities, in their order.
const QUANTITY_SOURCES: [u8; 4] = [0, 1, 4, 5];

/// ST21: four self reads; registers have a season, a date, resets and cumulative demands.
pub(crate) const REGISTERS: RegisterLimits = RegisterLimits {
    functions1: RegisterLimits::SEASON
        | RegisterLimits::DATE_TIME
        | RegisterLimits::DEMAND_RESETS
        | RegisterLimits::CUMULATIVE,
    functions2: RegisterLimits::SEQUENCE,
    self_reads: SELF_READS as u8,
    summations: 6,
    demands: 2,
    coincidents: 0,
    occurrences: 1,
    tiers: TIERS as u8,
    present_demands: 2,
    present_values: 6,
};

/// ST22.
const SELECTION: DataSelection<'static> = DataSelection {
    summations: &[0, 1, 2, 3, 4, 5],
    demands: &[6, 7],
    maxima: &[0b11],
    coincidents: &[],
    associated: &[],
};

/// ST27.
const PRESENT: PresentSelection<'static> = PresentSelection {
    demands: &[6, 7],
    values: &[8, 9, 10, 11, 12, 13],
};

/// INT_FMT_CDE of UINT16.
const UINT16: u8 = 2;
/// Days until a self read that is farther away, or never comes.
const DAYS_MAX: u8 = 255;

/// The measuring part as tables show it at a time.
pub(super) struct Measured<'a> {
    pub(super) metrology: &'a Metrology,
    /// By the meter's clock, in seconds since 1970.
    pub(super) utc: u32,
    /// Self reads that have been acknowledged, counted as they are numbered.
    pub(super) self_reads_read: u16,
}

impl Measured<'_> {
    /// Writes a table, or the part of it that `out` wants.
    ///
    /// # Errors
    ///
    /// It is none of these tables ([`Error::Unsupported`]).
    pub(super) fn emit(&self, table: u16, out: &mut Encoder<'_>) -> Result<(), Error> {
        match table {
            10..=16 => self.emit_sources(table, out),
            20..=28 => self.emit_registers(table, out),
            50..=56 => self.emit_time(table, out),
            60..=64 => self.emit_profile(table, out),
            _ => Err(Error::Unsupported(table)),
        }
    }

    fn emit_sources(&self, table: u16, out: &mut Encoder<'_>) -> Result<(), Error> {
        match table {
            10 | 11 => SOURCES.emit(out),
            12 => emit_units(&UNITS, out),
            13 => {
                let policy = &self.metrology.config().demand;
                let control = DemandControl {
                    reset_exclusion_min: minutes(policy.reset_exclusion),
                    recognition_s: small(policy.outage_recognition.as_secs()),
                    exclusion_min: minutes(policy.forgiveness),
                    cold_load_min: minutes(policy.forgiveness),
                };
                let block_min = u16::try_from(policy.block_s / 60).unwrap_or(u16::MAX);
                let intervals = [DemandInterval::Block(block_min); 2];
                control.emit(&intervals, &SOURCES, out)
            }
            15 => {
                let one = Constant {
                    multiplier: Number::Integer(1),
                    ..Constant::default()
                };
                emit_constants(&[one; 2], &SOURCES, out)
            }
            16 => out.put(&SOURCE_FLAGS),
            _ => Err(Error::Unsupported(table)),
        }
    }

    fn emit_registers(&self, table: u16, out: &mut Encoder<'_>) -> Result<(), Error> {
        let metrology = self.metrology;
        match table {
            20 | 21 => REGISTERS.emit(out),
            22 => SELECTION.emit(out),
            23 => emit_data(&Shown(metrology.registers()), &REGISTERS, out),
            24 => emit_copy(metrology.previous_season(), out),
            25 => emit_copy(metrology.previous_reset(), out),
            26 => self.emit_self_reads(out),
            27 => PRESENT.emit(out),
            28 => {
                let demands = metrology.present_demand_w();
                let now = metrology.instantaneous();
                let values = [
                    i64::from(now.watts),
                    i64::from(now.vars),
                    i64::from(now.millivolts),
                    i64::from(now.milliamperes),
                    i64::from(now.millihertz),
                    i64::from(now.volt_amperes()),
                ];
                let demand = |index: u8| PresentDemand {
                    value: watts(demands[usize::from(index)]),
                    ..PresentDemand::default()
                };
                let value = |index: u8| Number::Integer(values[usize::from(index)]);
                emit_present(demand, value, &REGISTERS, out)
            }
            _ => Err(Error::Unsupported(table)),
        }
    }

    fn emit_self_reads(&self, out: &mut Encoder<'_>) -> Result<(), Error> {
        let reads = || self.metrology.self_reads();
        let last = reads().last().map_or(0, |read| read.sequence);
        let status = SelfReadStatus {
            flags: ListFlags(ListFlags::CIRCULAR),
            valid: reads().count() as u8,
            last_element: if reads().next().is_some() {
                element_of(last)
            } else {
                0
            },
            last_sequence: last,
            unread: self.self_reads_unread(),
        };
        let entry = |element| {
            let read = reads().find(|read| element_of(read.sequence) == element)?;
            Some((read.sequence, info(read), Shown(&read.registers)))
        };
        let shown: [_; SELF_READS] = core::array::from_fn(|element| entry(element as u8));
        let entry = |element: u8| {
            let (sequence, info, data) = shown[usize::from(element)].as_ref()?;
            Some(SelfRead {
                sequence: *sequence,
                info: *info,
                data,
            })
        };
        emit_self_reads(&status, entry, &REGISTERS, out)
    }

    /// Self reads that nobody has acknowledged.
    pub(super) fn self_reads_unread(&self) -> u8 {
        let unread = |read: &&Copy| {
            let ahead = read.sequence.wrapping_sub(self.self_reads_read);
            usize::from(ahead) < usize::from(u16::MAX) / 2
        };
        self.metrology.self_reads().filter(unread).count() as u8
    }

    /// Number of the oldest self read that nobody has acknowledged.
    pub(super) fn oldest_unread_self_read(&self) -> u16 {
        let ahead = |read: &&Copy| read.sequence.wrapping_sub(self.self_reads_read);
        let unread = |read: &&Copy| usize::from(ahead(read)) < usize::from(u16::MAX) / 2;
        let oldest = self.metrology.self_reads().find(unread);
        oldest.map_or(self.self_reads_read, |read| read.sequence)
    }

    fn emit_time(&self, table: u16, out: &mut Encoder<'_>) -> Result<(), Error> {
        let metrology = self.metrology;
        let (rules, day) = (metrology.calendar(), metrology.day());
        match table {
            50 | 51 => tariff::TIME.emit(out),
            52 => self.clock().emit(out),
            53 => tariff::time_offset(&rules.zone).emit(&tariff::TIME, out),
            54 => tariff::emit(rules, out),
            55 => ClockState {
                clock: self.clock(),
                tier: metrology.tier(),
                demand_tier: 0,
                tier_drive: 0,
                special: day.special,
                season: day.season,
            }
            .emit(&tariff::TIME, out),
            56 => {
                let switch = rules.next_switch(day, self.utc.max(day.from_utc_s));
                let seconds = switch.saturating_sub(self.utc);
                TimeRemaining {
                    tier_min: u16::try_from(seconds.div_ceil(60)).unwrap_or(u16::MAX),
                    self_read_days: self.days_to_self_read(),
                }
                .emit(out)
            }
            _ => Err(Error::Unsupported(table)),
        }
    }

    /// ST52: UTC, whatever ST53 says; the flag tells of daylight saving time at the meter.
    fn clock(&self) -> Clock {
        let dst = if self.metrology.day().dst {
            Qualifier::DST
        } else {
            0
        };
        // 1970 began on a Thursday.
        let weekday = (self.utc / 86_400 + 4) % 7;
        let flags = Qualifier::GMT | Qualifier::DST_SUPPORTED | dst;
        Clock {
            time: DateTime::from_utc(self.utc),
            qualifier: Qualifier::new(weekday as u8, flags),
        }
    }

    fn days_to_self_read(&self) -> u8 {
        let rules = self.metrology.calendar();
        if !rules.entries.iter().any(|entry| entry.self_read) {
            return DAYS_MAX;
        }
        let noon = self.utc - self.utc % 86_400 + 43_200;
        let reads = |days: &u8| {
            let then = noon.saturating_add(86_400 * u32::from(*days));
            rules.day(then).self_read
        };
        (1..DAYS_MAX).find(reads).unwrap_or(DAYS_MAX)
    }

    fn emit_profile(&self, table: u16, out: &mut Encoder<'_>) -> Result<(), Error> {
        let view = ProfileTable::new(self.metrology);
        match table {
            60 | 61 => view.limits.emit(out),
            62 => {
                let selection = |quantity: Quantity| {
                    let source = QUANTITY_SOURCES[quantity.index()];
                    ChannelSelection {
                        flags: 1,
                        source,
                        end_source: source,
                    }
                };
                let mut channels = [ChannelSelection::default(); 4];
                let mut count = 0;
                for (channel, quantity) in channels.iter_mut().zip(view.config.quantities()) {
                    *channel = selection(quantity);
                    count += 1;
                }
                let ones = [1; 4];
                let factors = Some((&ones[..count], &ones[..count]));
                emit_control(&channels[..count], UINT16, factors, out)
            }
            63 => view.status().emit(out),
            64 => blocks::emit(&view, &view.layout()?, out),
            _ => Err(Error::Unsupported(table)),
        }
    }
}

fn minutes(duration: Duration) -> u8 {
    small(duration.as_secs() / 60)
}

fn small(value: u64) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

/// A demand in W; it has four octets.
fn watts(value: u32) -> Number {
    Number::Integer(i64::from(value.min(i32::MAX as u32)))
}

fn element_of(sequence: u16) -> u8 {
    (usize::from(sequence) % SELF_READS) as u8
}

fn info(copy: &Copy) -> RegisterInfo {
    RegisterInfo {
        end: EndTime::from_utc(copy.end_utc_s),
        season: copy.season,
    }
}

fn emit_copy(copy: Option<&Copy>, out: &mut Encoder<'_>) -> Result<(), Error> {
    let shown = copy.map(|copy| (info(copy), Shown(&copy.registers)));
    let shown = shown
        .as_ref()
        .map(|(info, data)| (*info, data as &dyn RegisterData));
    emit_previous(shown, &REGISTERS, out)
}

/// Registers as ST23 shows them; registers of six octets start over from zero.
struct Shown<'a>(&'a Registers);

impl Shown<'_> {
    fn block(&self, block: Block) -> &crate::metrology::Block {
        match block {
            Block::Total => &self.0.total,
            Block::Tier(tier) => &self.0.tiers[usize::from(tier) % TIERS],
        }
    }
}

impl RegisterData for Shown<'_> {
    fn demand_resets(&self) -> u8 {
        self.0.demand_resets
    }

    fn summation(&self, block: Block, index: u8) -> Number {
        const ROOM: i64 = 1 << 47;
        let block = self.block(block);
        let value = match index {
            0 => block.of(Quantity::Delivered) as i64,
            1 => block.of(Quantity::Received) as i64,
            2 => block.sum_wh() as i64,
            3 => block.net_wh(),
            4 => block.of(Quantity::Lagging) as i64,
            _ => block.of(Quantity::Leading) as i64,
        };
        Number::Integer(value % ROOM)
    }

    fn cumulative(&self, block: Block, demand: u8) -> Number {
        let demand = &self.block(block).demands[usize::from(demand)];
        Number::Integer(demand.cumulative_w.into())
    }

    fn peak(&self, block: Block, demand: u8, _: u8) -> Peak {
        let demand = &self.block(block).demands[usize::from(demand)];
        Peak {
            at: Some(demand.at_utc_s)
                .filter(|at| *at > 0)
                .and_then(EndTime::from_utc),
            value: watts(demand.max_w),
        }
    }
}

/// The load profile as ST61 to ST64 show it.
///
/// Block `k` since the profile began lies at element `k` modulo the number of blocks. The last one
/// is being filled; its end is that of its last interval.
pub(super) struct ProfileTable<'a> {
    registers: &'a Registers,
    profile: &'a Profile,
    config: &'a ProfileConfig,
    limits: ProfileLimits,
}

impl<'a> ProfileTable<'a> {
    pub(super) fn new(metrology: &'a Metrology) -> Self {
        let config = &metrology.config().profile;
        let flags = ProfileLimits::END_READINGS
            | ProfileLimits::SCALARS
            | ProfileLimits::EXTENDED_STATUS
            | ProfileLimits::SIMPLE_STATUS;
        let set = SetLimits {
            blocks: config.blocks,
            intervals: BLOCK_INTERVALS as u16,
            channels: config.channel_count() as u8,
            interval_min: small(u64::from(config.interval_s) / 60),
        };
        let layout = |limits: &ProfileLimits| {
            BlockLayout::new(limits, 0, IntervalFormat::Unsigned(2))
                .map_or(0, |layout| layout.table_len(&Format::PROFILE))
        };
        let mut limits = ProfileLimits::new(0, flags, UINT16, &[set]);
        limits.memory_len = layout(&limits) as u32;
        Self {
            registers: metrology.registers(),
            profile: metrology.profile(),
            config,
            limits,
        }
    }

    fn layout(&self) -> Result<BlockLayout, Error> {
        let layout = BlockLayout::new(&self.limits, 0, IntervalFormat::Unsigned(2));
        layout.ok_or(Error::Unsupported(64))
    }

    /// Intervals since the first one of the profile.
    fn closed(&self) -> u32 {
        self.profile.open_number() - self.profile.origin()
    }

    /// Blocks that have been begun since the profile began.
    fn begun(&self) -> u32 {
        self.closed().div_ceil(BLOCK_INTERVALS)
    }

    /// ST63.
    fn status(&self) -> SetStatus {
        let begun = self.begun();
        let blocks = u32::from(self.config.blocks).max(1);
        let last = begun.saturating_sub(1);
        SetStatus {
            flags: ListFlags(ListFlags::CIRCULAR | SetStatus::ACTIVE),
            valid_blocks: begun.min(blocks) as u16,
            last_block: (last % blocks) as u16,
            last_sequence: begun,
            unread_blocks: self.profile.unread_blocks(self.config) as u16,
            valid_intervals: (self.closed() - last * BLOCK_INTERVALS) as u16,
        }
    }

    /// Number of the first interval of the block at an element; none if no such block is kept.
    fn first(&self, element: u16) -> Option<u32> {
        let blocks = u32::from(self.config.blocks).max(1);
        let last = self.begun().checked_sub(1)?;
        let behind = (last % blocks + blocks - u32::from(element)) % blocks;
        let block = last.checked_sub(behind)?;
        Some(self.profile.origin() + block * BLOCK_INTERVALS)
    }

    /// Number of the last interval of a block that there is.
    fn last(&self, element: u16) -> Option<u32> {
        let end = self.first(element)? + BLOCK_INTERVALS;
        end.min(self.profile.open_number()).checked_sub(1)
    }

    fn interval(&self, element: u16, interval: u16) -> Option<crate::metrology::Interval> {
        let number = self.first(element)? + u32::from(interval);
        self.profile.get(self.config, number)
    }
}

impl ProfileData for ProfileTable<'_> {
    fn end(&self, block: u16) -> Option<EndTime> {
        let last = self.profile.get(self.config, self.last(block)?)?;
        EndTime::from_utc(last.end_utc_s)
    }

    /// What the register shows now, without what has been counted since the end of the block.
    fn end_reading(&self, block: u16, channel: u8) -> Number {
        let Some(last) = self.last(block) else {
            return Number::default();
        };
        let quantity = self.config.quantities().nth(channel.into());
        let quantity = quantity.unwrap_or(Quantity::Delivered);
        let now = self.registers.total.of(quantity);
        let since = self
            .profile
            .counted_since(self.config, last + 1, channel.into());
        Number::Integer(now.saturating_sub(since) as i64)
    }

    fn is_valid(&self, block: u16, interval: u16) -> bool {
        let interval = self.interval(block, interval);
        interval.is_some_and(|interval| interval.status.is_valid())
    }

    fn status(&self, block: u16, interval: u16, nibble: usize) -> u8 {
        let Some(interval) = self.interval(block, interval) else {
            return 0;
        };
        if nibble == COMMON {
            interval.status.flags.0 >> 4
        } else if nibble <= self.config.channel_count() {
            interval.status.code_of(nibble - 1) as u8
        } else {
            0
        }
    }

    fn value(&self, block: u16, interval: u16, channel: u8) -> Number {
        let interval = self.interval(block, interval);
        let count = interval.map_or(0, |interval| interval.counts[usize::from(channel)]);
        Number::Integer(count.into())
    }
}
