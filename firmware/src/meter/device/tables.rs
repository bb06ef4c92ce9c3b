//! Which tables there are, and what they hold now.
//!
//! | tables | content | written |
//! |---|---|---|
//! | ST0 to ST3 | what the meter is, its nameplate, mode and status | |
//! | ST4 | pending tables | as the tables themselves, with bit 12 of the number |
//! | ST5, ST6 | identification, utility information | yes |
//! | ST7, ST8 | procedures and their results | ST7 |
//! | ST40 to ST45 | passwords, access rights, keys | ST42 to ST44 |
//! | ST50 to ST53, ST55 | the clock in UTC, the time zone | ST52, ST53 |
//! | ST70 to ST76 | history and event logs | ST73, ST75 |
//! | MT0 | the service switch | |
//! | MT3 to MT6 | firmware images, where the meter has the key of its vendor | MT4, MT6 |
//!
//! A meter with a measuring part has those of [`measured`] in addition.
//!
//! Passwords and keys read as zeros, and only for whoever ST44 lets read them at all, which is
//! nobody unless a master changes it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::bank::Bank;
use super::journal::History;
use super::measured::{self, Measured};
use super::{Device, DeviceConfig, factory, settings, tariff};
use crate::c1219::DateTime;
use crate::c1219::clock::{Clock, ClockState, Qualifier, TimeOffset};
use crate::c1219::codec::Encoder;
use crate::c1219::format::Format;
use crate::c1219::general::{GenConfig, ModeStatus};
use crate::c1219::identity::{PendingEntry, PendingStatus};
use crate::c1219::image::{self, ImageStatus, Manifest};
use crate::c1219::log::{self, EventsId, LogKind};
use crate::c1219::procedure::{Initiate, Outcome};
use crate::c1219::switch;
use crate::c1219::types::put_element;
use crate::c1222::service::TableId;
use crate::time::Instant;
use crate::wire::Error;

/// Numbers of the standard tables that are served.
pub(super) const STANDARD: [u16; 27] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 40, 41, 42, 43, 44, 45, 50, 51, 52, 53, 55, 70, 71, 72, 73, 74, 75,
    76,
];
/// Bit of the number of a pending image.
const PENDING: u16 = 0x1000;
/// ST52.
pub(super) const CLOCK: u16 = 52;
/// ST53.
pub(super) const ZONE: u16 = 53;
/// ST54.
pub(super) const CALENDAR: u16 = 54;
/// ED_MODE: metering, the only mode of this meter.
pub(super) const METERING: u8 = 0x01;

/// Standard procedures that are carried out.
pub(super) const PROCEDURES: [u16; 14] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 13, 14, 15];
/// The one that needs a measuring part: remote reset.
pub(super) const REMOTE_RESET: u16 = 9;

/// What tables are written from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    /// What all meters of a kind share.
    pub(super) config: &'a DeviceConfig,
    /// What the meter is called.
    pub(super) serial: &'a [u8],
    /// The time by its clock, in seconds since 1970.
    pub(super) utc: u32,
}

impl Device {
    /// Writes a table, or the part of it that `out` wants.
    ///
    /// # Errors
    ///
    /// There is no such table ([`Error::Unsupported`]).
    pub(super) fn emit(
        &self,
        id: TableId,
        context: &Context<'_>,
        out: &mut Encoder<'_>,
    ) -> Result<(), Error> {
        if id == switch::TABLE {
            return out.small(|writer| self.switch().table().emit(writer));
        }
        if id.is_manufacturer() {
            return self.emit_image(id, context, out);
        }
        if id.is_pending() {
            let pending = self.state.as_ref().and_then(|state| {
                let pending = &state.pending;
                pending.get(id.0 & !PENDING)
            });
            return out.put(pending.ok_or(Error::Unsupported(id.0))?.image());
        }
        if let Some(measured) = self.measured(context.utc)
            && matches!(id.number(), 10..=28 | 50..=56 | 60..=64)
        {
            return measured.emit(id.number(), out);
        }
        match id.number() {
            0..=8 => self.emit_general(id.number(), context, out),
            40 | 41 => factory::SECURITY.emit(out),
            42 => out.zeros(factory::SECURITY.passwords_len()),
            45 => out.zeros(factory::SECURITY.keys_len()),
            43 | 44 | 53 | 73 | 75 => out.put(&self.setting(id.number(), context)?),
            50 | 51 => factory::TIME.emit(out),
            52 => clock(context.utc).emit(out),
            55 => ClockState {
                clock: clock(context.utc),
                tier: 0,
                demand_tier: 0,
                tier_drive: 0,
                special: None,
                season: 0,
            }
            .emit(&factory::TIME, out),
            70 | 71 => factory::LOG.emit(out),
            72 => EventsId {
                standard: &factory::events(),
                manufacturer: &factory::MANUFACTURER_EVENTS,
            }
            .emit(out),
            74 => self.emit_log(LogKind::History, out),
            76 => self.emit_log(LogKind::Event, out),
            _ => Err(Error::Unsupported(id.0)),
        }
    }

    /// MT3 to MT5; nobody reads MT6.
    fn emit_image(
        &self,
        id: TableId,
        context: &Context<'_>,
        out: &mut Encoder<'_>,
    ) -> Result<(), Error> {
        if context.config.vendor_key.is_none() {
            return Err(Error::Unsupported(id.0));
        }
        let bank = self.state.as_ref().and_then(|state| state.bank.as_deref());
        match id {
            image::STATUS => {
                let none = ImageStatus {
                    running: self.running_version(),
                    ..ImageStatus::default()
                };
                let status = bank.map_or(none, Bank::status);
                out.small(|writer| status.emit(writer))
            }
            image::MANIFEST => match bank.and_then(Bank::manifest) {
                Some(octets) => out.put(&octets),
                None => out.zeros(Manifest::LEN),
            },
            image::BLOCKS => out.put(bank.map_or(&[], Bank::blocks)),
            _ => Err(Error::Unsupported(id.0)),
        }
    }

    /// The measuring part as its tables show it.
    pub(super) fn measured(&self, utc: u32) -> Option<Measured<'_>> {
        Some(Measured {
            metrology: self.metrology()?,
            utc,
            self_reads_read: self.state.as_ref().map_or(0, |state| state.self_reads_read),
        })
    }

    /// Numbers of the standard tables that are served.
    pub(super) fn tables(&self) -> impl Iterator<Item = u16> + use<> {
        let measured: &[u16] = if self.metrology.is_some() {
            &measured::TABLES
        } else {
            &[]
        };
        STANDARD.into_iter().chain(measured.iter().copied())
    }

    /// Whether there is a standard procedure of this number.
    pub(super) fn has_procedure(&self, number: u16) -> bool {
        PROCEDURES.contains(&number) || number == REMOTE_RESET && self.metrology.is_some()
    }

    /// Whether a standard table can be written.
    pub(super) fn is_writable(&self, table: u16) -> bool {
        match table {
            7 | CLOCK => true,
            CALENDAR => self.metrology.is_some(),
            _ => settings::TABLES.contains(&table),
        }
    }

    /// Decade 0.
    fn emit_general(
        &self,
        table: u16,
        context: &Context<'_>,
        out: &mut Encoder<'_>,
    ) -> Result<(), Error> {
        let posted = self.state.as_ref().and_then(|state| state.posted.as_ref());
        match table {
            0 => self.emit_config(context.config.vendor_key.is_some(), out),
            1 => {
                let version = self.running_version().to_be_bytes();
                out.small(|writer| factory::manufacturer(context.serial, version).emit(writer))
            }
            2 => factory::NAMEPLATE.emit(out),
            3 => out.small(|writer| {
                ModeStatus {
                    mode: METERING,
                    status1: self.state.as_ref().map_or(0, |state| state.status1),
                    ..ModeStatus::default()
                }
                .emit(writer)
            }),
            4 => self.emit_pending(out),
            5 | 6 => out.put(&self.setting(table, context)?),
            7 => out.small(|writer| {
                let none = Initiate {
                    procedure: Default::default(),
                    sequence: 0,
                    parameters: &[],
                };
                let posted = posted.map_or(none, |posted| Initiate {
                    procedure: posted.procedure,
                    sequence: posted.sequence,
                    parameters: &posted.parameters,
                });
                posted.emit(writer)
            }),
            8 => out.small(|writer| {
                let posted = posted.map_or(Outcome::default(), |posted| Outcome {
                    procedure: posted.procedure,
                    sequence: posted.sequence,
                    result: posted.result,
                    data: &posted.data,
                });
                posted.emit(writer)
            }),
            _ => Err(Error::Unsupported(table)),
        }
    }

    /// ST0: what is served and what can be written.
    fn emit_config(&self, images: bool, out: &mut Encoder<'_>) -> Result<(), Error> {
        let (tables_mt, procedures_mt, writable_mt) = if images {
            (0b0111_1001, 0b0000_0011, 0b0101_0000)
        } else {
            (0b0000_0001, 0b0000_0001, 0)
        };
        let mut tables = [0; 10];
        let mut writable = [0; 10];
        for table in self.tables() {
            put_element(&mut tables, table, true);
            put_element(&mut writable, table, self.is_writable(table));
        }
        let mut procedures = [0; 4];
        for number in 0..32 {
            put_element(&mut procedures, number, self.has_procedure(number));
        }
        let config = GenConfig {
            format_control: Format::PROFILE_OCTETS,
            device_class: *b"SH2E",
            nameplate_type: 2,
            default_set_used: 0,
            parameters_max: factory::PARAMETERS_MAX,
            response_max: factory::RESPONSE_MAX,
            version: 2,
            revision: 0,
            pending: factory::PENDING_MAX as u8,
            manufacturer_status: 2,
            standard_tables: &tables,
            manufacturer_tables: &[tables_mt],
            standard_procedures: &procedures,
            manufacturer_procedures: &[procedures_mt],
            standard_writable: &writable,
            manufacturer_writable: &[writable_mt],
        };
        out.small(|writer| config.emit(writer))
    }

    /// ST4.
    fn emit_pending(&self, out: &mut Encoder<'_>) -> Result<(), Error> {
        let mut standard = [0; 10];
        let mut entries: Vec<PendingEntry> = Vec::new();
        let mut activated = None;
        if let Some(state) = &self.state {
            for pending in state.pending.iter() {
                put_element(&mut standard, pending.table, true);
                entries.push(pending.entry());
            }
            activated = state.pending.activated_utc.and_then(DateTime::from_utc);
        }
        PendingStatus::emit(&standard, &[0], activated, &entries, out)
    }

    fn emit_log(&self, kind: LogKind, out: &mut Encoder<'_>) -> Result<(), Error> {
        let Some(state) = &self.state else {
            let status = History::new().status();
            return log::emit(kind, &status, |_| None, &factory::LOG, out);
        };
        match kind {
            LogKind::History => {
                let entry = |element| state.history.entry(element);
                log::emit(kind, &state.history.status(), entry, &factory::LOG, out)
            }
            LogKind::Event => {
                let entry = |element| state.log.entry(element);
                log::emit(kind, &state.log.status(), entry, &factory::LOG, out)
            }
        }
    }

    /// Puts the octets of a table into force, if the meter can work with them.
    ///
    /// # Errors
    ///
    /// It cannot; nothing has changed.
    pub(super) fn apply(
        &mut self,
        table: u16,
        octets: &[u8],
        operator: bool,
        (utc, now): (u32, Instant),
    ) -> Result<(), Error> {
        if table == CLOCK {
            let clock = Clock::parse(octets, &Format::PROFILE)?;
            let target = clock.time.and_then(DateTime::to_utc);
            let target = target.ok_or(Error::Malformed("date"))?;
            let set = self.set_clock(target, operator, (utc, now));
            return set.then_some(()).ok_or(Error::Malformed("clock"));
        }
        if table != CALENDAR {
            settings::check(table, octets)?;
        }
        let time = self.time(now);
        let Some(metrology) = self.metrology_mut() else {
            self.state().settings.set(table, octets);
            return Ok(());
        };
        let rules = match table {
            ZONE => {
                let offset = TimeOffset::parse(octets, &tariff::TIME, &Format::PROFILE)?;
                let mut rules = metrology.calendar().clone();
                rules.zone = tariff::zone(&offset);
                rules
            }
            CALENDAR => tariff::parse(octets, metrology.calendar().zone)?,
            _ => {
                self.state().settings.set(table, octets);
                return Ok(());
            }
        };
        metrology.set_calendar(Arc::new(rules), time);
        Ok(())
    }

    /// The octets of a table that can be written, as they are now.
    pub(super) fn setting(&self, table: u16, context: &Context<'_>) -> Result<Vec<u8>, Error> {
        let settings = self.state.as_ref().map(|state| &state.settings);
        if table == 42 {
            let own = settings.and_then(|settings| settings.passwords());
            return settings::password_octets(own.unwrap_or(&context.config.passwords));
        }
        let live = match (table, self.measured(context.utc)) {
            (ZONE | CALENDAR, Some(measured)) => {
                Some(settings::octets_of(|out| measured.emit(table, out)))
            }
            (CLOCK, _) => Some(settings::octets_of(|out| {
                self.emit(TableId::standard(CLOCK), context, out)
            })),
            _ => None,
        };
        if let Some(octets) = live {
            return octets;
        }
        match settings.and_then(|settings| settings.get(table)) {
            Some(octets) => Ok(octets.into()),
            None => settings::factory_octets(table, context.serial),
        }
    }
}

/// Whether a standard table can wait for its activation: passwords and the time cannot.
pub(super) fn can_wait(table: u16) -> bool {
    table == CALENDAR || table != 42 && settings::TABLES.contains(&table)
}

/// ST52: the clock shows UTC, whatever ST53 says.
fn clock(utc: u32) -> Clock {
    // 1970 began on a Thursday.
    let day_of_week = (utc / 86_400 + 4) % 7;
    Clock {
        time: DateTime::from_utc(utc),
        qualifier: Qualifier::new(day_of_week as u8, Qualifier::GMT),
    }
}
