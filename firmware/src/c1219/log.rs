//! Decade 7, history and event logs: ST71 to ST76 (C12.19-2008 §9.8).
//!
//! ```text
//! ST71     flags | standard events, manufacturer events (octets of their SETs)
//!          | octets of a history argument | octets of an event argument
//!          | history entries (2) | event entries (2) [ extended flags | program tables (2) ]
//! ST72     standard events SET | manufacturer events SET
//! ST73/75  SETs of standard events, manufacturer events, standard tables, manufacturer tables,
//!          standard procedures, manufacturer procedures that are logged
//! ST74/76  flags | valid (2) | last element (2) | last sequence number (4) | unread (2)
//!          { [LTIME_DATE] [event number (2)] [sequence number (2)] | user (2)
//!            | table or procedure (2) | argument }*
//! ```
//!
//! The last three octets of ST71 exist from version 2 of the standard on. That the event number is
//! the code of what happened follows the vectors; how others use the field is uncertain.

use super::codec::{Decoder, Encoder};
use super::format::Format;
use super::readings::ListFlags;
use super::types::DateTime;
use crate::wire::Error;

/// What happened: a code of the standard (subset).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventCode(pub u16);

impl EventCode {
    /// Primary power down.
    pub const POWER_DOWN: Self = Self(1);
    /// Primary power up.
    pub const POWER_UP: Self = Self(2);
    /// The time was changed: the old time.
    pub const TIME_OLD: Self = Self(3);
    /// The time was changed: the new time.
    pub const TIME_NEW: Self = Self(4);
    /// End device accessed for read.
    pub const READ_ACCESS: Self = Self(7);
    /// End device accessed for write.
    pub const WRITE_ACCESS: Self = Self(8);
    /// Procedure invoked.
    pub const PROCEDURE: Self = Self(9);
    /// Table written.
    pub const TABLE_WRITTEN: Self = Self(10);
    /// End device programmed.
    pub const PROGRAMMED: Self = Self(11);
    /// Communication terminated normally.
    pub const TERMINATED: Self = Self(12);
    /// Communication terminated abnormally.
    pub const TERMINATED_ABNORMALLY: Self = Self(13);
    /// List pointers reset.
    pub const POINTERS_RESET: Self = Self(14);
    /// List pointers updated.
    pub const POINTERS_UPDATED: Self = Self(15);
    /// Demand reset.
    pub const DEMAND_RESET: Self = Self(20);
    /// Self read.
    pub const SELF_READ: Self = Self(21);
    /// Daylight saving time on.
    pub const DST_ON: Self = Self(22);
    /// Daylight saving time off.
    pub const DST_OFF: Self = Self(23);
    /// Season change.
    pub const SEASON_CHANGE: Self = Self(24);
    /// Rate change.
    pub const RATE_CHANGE: Self = Self(25);
    /// Tier switch.
    pub const TIER_SWITCH: Self = Self(27);
    /// A pending table was activated.
    pub const PENDING_ACTIVATED: Self = Self(28);
    /// The device was reprogrammed.
    pub const REPROGRAMMED: Self = Self(36);
    /// Low battery.
    pub const LOW_BATTERY: Self = Self(44);
    /// Tamper.
    pub const TAMPER: Self = Self(47);
    /// Reverse rotation.
    pub const REVERSE_ROTATION: Self = Self(48);
    /// Control point changed by a command.
    pub const CONTROL_POINT: Self = Self(49);
}

/// ST71 ACT_LOG, and ST70: what the other tables of the decade hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// LOG_FLAGS: the bits are constants of this type.
    pub flags: u8,
    /// NBR_STD_EVENTS: octets of the SET of standard events.
    pub standard_events: u8,
    /// NBR_MFG_EVENTS: octets of the SET of manufacturer events.
    pub manufacturer_events: u8,
    /// HIST_DATA_LENGTH: octets of the argument of a history entry.
    pub history_data_len: u8,
    /// EVENT_DATA_LENGTH: octets of the argument of an event entry.
    pub event_data_len: u8,
    /// NBR_HISTORY_ENTRIES.
    pub history_entries: u16,
    /// NBR_EVENT_ENTRIES.
    pub event_entries: u16,
    /// EXT_LOG_FLAGS and NBR_PROGRAM_TABLES, from version 2 of the standard on.
    pub extension: Option<(u8, u16)>,
}

impl LogLimits {
    /// EVENT_NUMBER_FLAG.
    pub const EVENT_NUMBER: u8 = 0x01;
    /// HIST_DATE_TIME_FLAG.
    pub const DATE_TIME: u8 = 0x02;
    /// HIST_SEQ_NBR_FLAG.
    pub const SEQUENCE: u8 = 0x04;
    /// HIST_INHIBIT_OVF_FLAG.
    pub const HISTORY_INHIBIT_OVERFLOW: u8 = 0x08;
    /// EVENT_INHIBIT_OVF_FLAG.
    pub const EVENT_INHIBIT_OVERFLOW: u8 = 0x10;

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
            let [flags, standard_events, manufacturer_events] = input.array()?;
            let [history_data_len, event_data_len] = input.array()?;
            let (history_entries, event_entries) = (input.u16()?, input.u16()?);
            let extension = if input.remaining() > 0 {
                Some((input.u8()?, input.u16()?))
            } else {
                None
            };
            Ok(Self {
                flags,
                standard_events,
                manufacturer_events,
                history_data_len,
                event_data_len,
                history_entries,
                event_entries,
                extension,
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
            self.standard_events,
            self.manufacturer_events,
            self.history_data_len,
            self.event_data_len,
        ])?;
        out.u16(self.history_entries)?;
        out.u16(self.event_entries)?;
        if let Some((flags, program_tables)) = self.extension {
            out.u8(flags)?;
            out.u16(program_tables)?;
        }
        Ok(())
    }

    /// Octets before the argument of an entry.
    const fn entry_head_len(&self, format: &Format) -> usize {
        let time = if self.has(Self::DATE_TIME) {
            format.date_time_len()
        } else {
            0
        };
        let number = if self.has(Self::EVENT_NUMBER) { 2 } else { 0 };
        let sequence = if self.has(Self::SEQUENCE) { 2 } else { 0 };
        time + number + sequence + 4
    }
}

/// Which of the two logs is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKind {
    /// ST74, who did what with the tables.
    History,
    /// ST76, what happened to the meter.
    Event,
}

impl LogKind {
    /// Entries of the log.
    pub const fn entries(self, limits: &LogLimits) -> u16 {
        match self {
            Self::History => limits.history_entries,
            Self::Event => limits.event_entries,
        }
    }

    /// Octets of an argument.
    pub const fn argument_len(self, limits: &LogLimits) -> usize {
        match self {
            Self::History => limits.history_data_len as usize,
            Self::Event => limits.event_data_len as usize,
        }
    }
}

/// ST72 EVENTS_ID: the events that can be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventsId<'a> {
    /// STD_EVENTS_SUPPORTED.
    pub standard: &'a [u8],
    /// MFG_EVENTS_SUPPORTED.
    pub manufacturer: &'a [u8],
}

impl<'a> EventsId<'a> {
    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many.
    pub fn parse(octets: &'a [u8], limits: &LogLimits) -> Result<Self, Error> {
        Decoder::whole(octets, &Format::PROFILE, |input| {
            Ok(Self {
                standard: input.take(limits.standard_events.into())?,
                manufacturer: input.take(limits.manufacturer_events.into())?,
            })
        })
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// The sink is full.
    pub fn emit(&self, out: &mut Encoder<'_>) -> Result<(), Error> {
        out.put(self.standard)?;
        out.put(self.manufacturer)
    }
}

/// Octets of the SETs of tables and procedures in ST0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dimensions {
    /// DIM_STD_TBLS_USED.
    pub standard_tables: u8,
    /// DIM_MFG_TBLS_USED.
    pub manufacturer_tables: u8,
    /// DIM_STD_PROC_USED.
    pub standard_procedures: u8,
    /// DIM_MFG_PROC_USED.
    pub manufacturer_procedures: u8,
}

/// ST73 HISTORY_LOG_CONTROL or ST75 EVENT_LOG_CONTROL: what is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogControl<'a> {
    /// Events of the standard and of the manufacturer.
    pub events: EventsId<'a>,
    /// Standard tables whose use is logged.
    pub standard_tables: &'a [u8],
    /// Manufacturer tables.
    pub manufacturer_tables: &'a [u8],
    /// Standard procedures whose use is logged.
    pub standard_procedures: &'a [u8],
    /// Manufacturer procedures.
    pub manufacturer_procedures: &'a [u8],
}

impl<'a> LogControl<'a> {
    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many.
    pub fn parse(
        octets: &'a [u8],
        limits: &LogLimits,
        dimensions: &Dimensions,
    ) -> Result<Self, Error> {
        Decoder::whole(octets, &Format::PROFILE, |input| {
            Ok(Self {
                events: EventsId {
                    standard: input.take(limits.standard_events.into())?,
                    manufacturer: input.take(limits.manufacturer_events.into())?,
                },
                standard_tables: input.take(dimensions.standard_tables.into())?,
                manufacturer_tables: input.take(dimensions.manufacturer_tables.into())?,
                standard_procedures: input.take(dimensions.standard_procedures.into())?,
                manufacturer_procedures: input.take(dimensions.manufacturer_procedures.into())?,
            })
        })
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// The sink is full.
    pub fn emit(&self, out: &mut Encoder<'_>) -> Result<(), Error> {
        self.events.emit(out)?;
        [
            self.standard_tables,
            self.manufacturer_tables,
            self.standard_procedures,
            self.manufacturer_procedures,
        ]
        .into_iter()
        .try_for_each(|set| out.put(set))
    }
}

/// The head of ST74 or ST76.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogStatus {
    /// HIST_FLAGS or EVENT_FLAGS.
    pub flags: ListFlags,
    /// NBR_VALID_ENTRIES.
    pub valid: u16,
    /// LAST_ENTRY_ELEMENT.
    pub last_element: u16,
    /// LAST_ENTRY_SEQ_NBR.
    pub last_sequence: u32,
    /// NBR_UNREAD_ENTRIES.
    pub unread: u16,
}

/// An entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEntry<'a> {
    /// When it happened.
    pub time: Option<DateTime>,
    /// EVENT_NUMBER.
    pub event: EventCode,
    /// SEQ_NBR, the low 16 bits.
    pub sequence: u16,
    /// USER_ID: who did it, 0 the meter itself.
    pub user: u16,
    /// TABLE_IDB of the table or procedure that it is about.
    pub code: u16,
    /// The argument; what a shorter one lacks is zeros.
    pub argument: &'a [u8],
}

/// Writes ST74 or ST76; elements for which `entry` has nothing are zeros.
///
/// # Errors
///
/// The sink is full.
pub fn emit<'a>(
    kind: LogKind,
    status: &LogStatus,
    entry: impl Fn(u16) -> Option<LogEntry<'a>>,
    limits: &LogLimits,
    out: &mut Encoder<'_>,
) -> Result<(), Error> {
    out.u8(status.flags.0)?;
    out.u16(status.valid)?;
    out.u16(status.last_element)?;
    out.u32(status.last_sequence)?;
    out.u16(status.unread)?;
    let argument_len = kind.argument_len(limits);
    let len = limits.entry_head_len(out.format()) + argument_len;
    for element in 0..kind.entries(limits) {
        if out.skip(len) {
            continue;
        }
        let Some(entry) = entry(element) else {
            out.zeros(len)?;
            continue;
        };
        if limits.has(LogLimits::DATE_TIME) {
            out.date_time(entry.time)?;
        }
        if limits.has(LogLimits::EVENT_NUMBER) {
            out.u16(entry.event.0)?;
        }
        if limits.has(LogLimits::SEQUENCE) {
            out.u16(entry.sequence)?;
        }
        out.u16(entry.user)?;
        out.u16(entry.code)?;
        let argument = &entry.argument[..entry.argument.len().min(argument_len)];
        out.put(argument)?;
        out.zeros(argument_len - argument.len())?;
    }
    Ok(())
}

/// A received log.
#[derive(Clone, Copy, Debug)]
pub struct LogView<'a> {
    /// The head of the table.
    pub status: LogStatus,
    kind: LogKind,
    entries: &'a [u8],
    limits: LogLimits,
    format: Format,
}

impl<'a> LogView<'a> {
    /// Reads ST74 or ST76.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many.
    pub fn parse(
        octets: &'a [u8],
        kind: LogKind,
        limits: &LogLimits,
        format: &Format,
    ) -> Result<Self, Error> {
        let len = limits.entry_head_len(format) + kind.argument_len(limits);
        Decoder::whole(octets, format, |input| {
            Ok(Self {
                status: LogStatus {
                    flags: ListFlags(input.u8()?),
                    valid: input.u16()?,
                    last_element: input.u16()?,
                    last_sequence: input.u32()?,
                    unread: input.u16()?,
                },
                kind,
                entries: input.take(usize::from(kind.entries(limits)) * len)?,
                limits: *limits,
                format: *format,
            })
        })
    }

    /// An element.
    ///
    /// # Errors
    ///
    /// There is no such element, or its date is none.
    pub fn entry(&self, element: u16) -> Result<LogEntry<'a>, Error> {
        let argument_len = self.kind.argument_len(&self.limits);
        let len = self.limits.entry_head_len(&self.format) + argument_len;
        let start = usize::from(element) * len;
        let octets = self.entries.get(start..start + len);
        let mut input = Decoder::new(octets.ok_or(Error::Malformed("element"))?, &self.format);
        let time = if self.limits.has(LogLimits::DATE_TIME) {
            input.date_time()?
        } else {
            None
        };
        let mut number = |flag| {
            if self.limits.has(flag) {
                input.u16()
            } else {
                Ok(0)
            }
        };
        let event = EventCode(number(LogLimits::EVENT_NUMBER)?);
        let sequence = number(LogLimits::SEQUENCE)?;
        Ok(LogEntry {
            time,
            event,
            sequence,
            user: input.u16()?,
            code: input.u16()?,
            argument: input.take(argument_len)?,
        })
    }
}
