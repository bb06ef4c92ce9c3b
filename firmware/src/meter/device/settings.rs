//! Tables that can be written: what has been, and whether what is to be makes sense.
//!
//! A meter keeps what it has been given and nothing else; everything it shares with its fleet comes
//! from the factory. A write is put into a copy of the table, the copy is checked as a whole, and
//! takes the place of the table if it passes: no table is ever half written.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::factory;
use crate::c1219::access::{Password, Permissions};
use crate::c1219::clock::TimeOffset;
use crate::c1219::codec::{Decoder, Encoder, Window};
use crate::c1219::format::Format;
use crate::c1219::identity::UtilityInfo;
use crate::c1222::service::Selector;
use crate::wire::{Error, Reader};

/// Numbers of the tables that are kept here.
pub(super) const TABLES: [u16; 8] = [5, 6, 42, 43, 44, 53, 73, 75];

/// The longest offset from Greenwich, in minutes.
const TIME_ZONE_MAX_MIN: i16 = 14 * 60;
/// Time zones are multiples of the interval of the load profile, in minutes.
const TIME_ZONE_STEP_MIN: i16 = 15;
/// The longest shift of daylight saving time, in minutes.
const DST_MAX_MIN: u8 = 120;

/// What has been written.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// Table numbers and octets, but for ST42.
    tables: Vec<(u16, Box<[u8]>)>,
    /// ST42.
    passwords: Option<Box<[Password]>>,
}

impl Settings {
    /// Settings of the factory.
    pub(super) const fn new() -> Self {
        Self {
            tables: Vec::new(),
            passwords: None,
        }
    }

    /// The octets that were written to a table.
    pub(super) fn get(&self, table: u16) -> Option<&[u8]> {
        let found = self.tables.iter().find(|(number, _)| *number == table)?;
        Some(&found.1)
    }

    /// The passwords that were written to ST42.
    pub(super) fn passwords(&self) -> Option<&[Password]> {
        self.passwords.as_deref()
    }

    /// The record about a table or procedure in ST44, or else the default in ST43.
    pub(super) fn permission(&self, subject: u16) -> Option<Permissions> {
        let mut own = self.records(44, &factory::PERMISSIONS);
        own.find(|record| record.subject() == subject).or_else(|| {
            let kind = usize::from(subject & Permissions::of_procedure(0) != 0);
            self.records(43, &factory::DEFAULTS).nth(kind)
        })
    }

    fn records<'a>(
        &'a self,
        table: u16,
        of_factory: &'a [Permissions],
    ) -> impl Iterator<Item = Permissions> + 'a {
        let written = self.get(table);
        let of_factory = if written.is_some() { &[] } else { of_factory };
        let written = written.unwrap_or_default().chunks_exact(Permissions::LEN);
        written
            .filter_map(|record| Permissions::parse(&mut Reader::new(record)).ok())
            .chain(of_factory.iter().copied())
    }

    /// Keeps the octets of a table, which have been checked.
    pub(super) fn set(&mut self, table: u16, octets: &[u8]) {
        if table == 42 {
            self.passwords = parse_passwords(octets).ok();
            return;
        }
        let octets = octets.into();
        match self.tables.iter_mut().find(|(number, _)| *number == table) {
            Some((_, kept)) => *kept = octets,
            None => self.tables.push((table, octets)),
        }
    }
}

/// The octets of a table of the factory.
pub(super) fn factory_octets(table: u16, serial: &[u8]) -> Result<Vec<u8>, Error> {
    octets_of(|out| match table {
        5 => out.text(serial, factory::IDENTIFICATION),
        6 => factory::utility_info(serial).emit(out),
        43 => emit_permissions(&factory::DEFAULTS, out),
        44 => emit_permissions(&factory::PERMISSIONS, out),
        53 => factory::TIME_OFFSET.emit(&factory::TIME, out),
        73 | 75 => out.put(&factory::control()),
        _ => Err(Error::Unsupported(table)),
    })
}

/// The octets of ST42.
pub(super) fn password_octets(passwords: &[Password]) -> Result<Vec<u8>, Error> {
    let mut octets = octets_of(|out| {
        passwords
            .iter()
            .take(factory::PASSWORDS)
            .try_for_each(|entry| out.small(|writer| entry.emit(writer)))
    })?;
    // Entries that nobody has set: a password of zeros that gives no rights.
    octets.resize(factory::SECURITY.passwords_len(), 0);
    Ok(octets)
}

/// Everything that `emit` writes.
pub(super) fn octets_of(
    emit: impl Fn(&mut Encoder<'_>) -> Result<(), Error>,
) -> Result<Vec<u8>, Error> {
    let mut window = Window::measuring();
    emit(&mut Encoder::new(&mut window))?;
    let mut octets = vec![0; window.total()];
    emit(&mut Encoder::new(&mut Window::new(0, &mut octets)))?;
    Ok(octets)
}

/// A table after a write: `octets`, with `data` in the part that the selector names.
///
/// `None` if the part is not within the table, or is not as long as the data.
pub(super) fn overlaid(
    mut octets: Vec<u8>,
    selector: Selector<'_>,
    data: &[u8],
) -> Option<Vec<u8>> {
    let start = match selector {
        Selector::Full if data.len() == octets.len() => 0,
        Selector::Offset(offset, _) => usize::try_from(offset).ok()?,
        _ => return None,
    };
    let part = octets.get_mut(start..start.checked_add(data.len())?)?;
    part.copy_from_slice(data);
    Some(octets)
}

/// Fails unless a meter can work with these octets of a table.
pub(super) fn check(table: u16, octets: &[u8]) -> Result<(), Error> {
    match table {
        5 if octets.len() == factory::IDENTIFICATION => Ok(()),
        6 => UtilityInfo::parse(octets).map(|_| ()),
        42 => parse_passwords(octets).map(|_| ()),
        43 => permissions(octets, factory::DEFAULTS.len()),
        44 => permissions(octets, factory::PERMISSIONS.len()),
        53 => {
            let offset = TimeOffset::parse(octets, &factory::TIME, &Format::PROFILE)?;
            let zone = offset.time_zone_min;
            let known = zone.abs() <= TIME_ZONE_MAX_MIN
                && zone % TIME_ZONE_STEP_MIN == 0
                && offset.dst_amount_min <= DST_MAX_MIN;
            known.then_some(()).ok_or(Error::Malformed("time offset"))
        }
        73 | 75 => factory::parsed_control(octets)
            .map(|_| ())
            .ok_or(Error::Malformed("table length")),
        _ => Err(Error::Malformed("table")),
    }
}

fn emit_permissions(records: &[Permissions], out: &mut Encoder<'_>) -> Result<(), Error> {
    records
        .iter()
        .try_for_each(|record| out.small(|writer| record.emit(writer)))
}

fn permissions(octets: &[u8], count: usize) -> Result<(), Error> {
    if octets.len() == count * Permissions::LEN {
        Ok(())
    } else {
        Err(Error::Malformed("table length"))
    }
}

fn parse_passwords(octets: &[u8]) -> Result<Box<[Password]>, Error> {
    let mut passwords = Vec::with_capacity(factory::PASSWORDS);
    Decoder::whole(octets, &Format::PROFILE, |input| {
        for _ in 0..factory::PASSWORDS {
            let entry = input.take(Password::LEN)?;
            passwords.push(Password::parse(&mut Reader::new(entry))?);
        }
        Ok(())
    })?;
    Ok(passwords.into())
}
