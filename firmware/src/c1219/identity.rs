//! Decade 0, what the utility knows the meter by: ST2, ST4 and ST6 (C12.19-2008 §9.1).
//!
//! ```text
//! ST2  Kh (6) | Kt (6) | input scalar | configuration (5) | elements (2) | volts
//!      | class (6) | test amperes (6)
//! ST4  SET of pending standard tables | SET of pending manufacturer tables
//!      | last activation STIME | entries { selector | storage (5) | TABLE_IDA (2) }*
//! ST6  owner (20) | division (20) | service point (20) | electrical address (20) | device (20)
//!      | serial number (20) | customer (20) | coordinates (3 * 10) | tariff (8)
//!      | software vendor (4), version, revision, twice | programmer (10) | miscellaneous (30)
//! ```

use super::codec::{Decoder, Encoder};
use super::format::Format;
use super::log::Dimensions;
use super::types::DateTime;
use crate::wire::Error;

/// ST2 NAMEPLATE of an electricity meter; texts are padded with spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nameplate {
    /// E_KH: watt hours of a pulse.
    pub kh: [u8; 6],
    /// E_KT: the same in test mode.
    pub kt: [u8; 6],
    /// E_INPUT_SCALAR.
    pub input_scalar: u8,
    /// E_ED_CONFIG: the form, as "2S".
    pub configuration: [u8; 5],
    /// E_ELEMENTS: 0..2 frequency, 3..5 elements, 6..9 base, 10..15 accuracy class.
    pub elements: u16,
    /// E_VOLTS: 0..3 code of the element voltage, 4..7 code of the supply voltage.
    pub volts: u8,
    /// E_CLASS_MAX_AMPS in amperes.
    pub class_amperes: [u8; 6],
    /// E_TA, test amperes.
    pub test_amperes: [u8; 6],
}

impl Nameplate {
    /// FREQUENCY in hertz, if its code is one that is known.
    pub const fn frequency_hz(&self) -> Option<u8> {
        match self.elements & 0x07 {
            2 => Some(50),
            4 => Some(60),
            _ => None,
        }
    }

    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many.
    pub fn parse(octets: &[u8], format: &Format) -> Result<Self, Error> {
        Decoder::whole(octets, format, |input| {
            Ok(Self {
                kh: input.array()?,
                kt: input.array()?,
                input_scalar: input.u8()?,
                configuration: input.array()?,
                elements: input.u16()?,
                volts: input.u8()?,
                class_amperes: input.array()?,
                test_amperes: input.array()?,
            })
        })
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// The sink is full.
    pub fn emit(&self, out: &mut Encoder<'_>) -> Result<(), Error> {
        out.put(&self.kh)?;
        out.put(&self.kt)?;
        out.u8(self.input_scalar)?;
        out.put(&self.configuration)?;
        out.u16(self.elements)?;
        out.u8(self.volts)?;
        out.put(&self.class_amperes)?;
        out.put(&self.test_amperes)
    }
}

/// An entry of ST4: a table that waits to replace another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PendingEntry {
    /// EVENT_SELECTOR: 0..3 what activates it, 4 self read first, 5 demand reset first.
    pub selector: u8,
    /// EVENT_STORAGE: the time, or the relative time, at which it is activated.
    pub storage: [u8; 5],
    /// TABLE_IDA.
    pub table: u16,
}

impl PendingEntry {
    /// EVENT_CODE of an activation at the time in EVENT_STORAGE.
    pub const AT_TIME: u8 = 0;
    /// EVENT_CODE of an activation by procedure 12 or 13 alone.
    ///
    /// Codes other than that of a time are known from general knowledge alone.
    pub const BY_PROCEDURE: u8 = 15;
}

/// ST4 PENDING_STATUS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingStatus<'a> {
    /// STANDARD_PENDING.
    pub standard: &'a [u8],
    /// MANUFACTURER_PENDING.
    pub manufacturer: &'a [u8],
    /// LAST_ACTIVATION_DATE_TIME.
    pub last_activation: Option<DateTime>,
    entries: &'a [u8],
    format: Format,
}

impl<'a> PendingStatus<'a> {
    const ENTRY_LEN: usize = 8;

    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many, or the date is none.
    pub fn parse(
        octets: &'a [u8],
        dimensions: &Dimensions,
        format: &Format,
    ) -> Result<Self, Error> {
        Decoder::whole(octets, format, |input| {
            let standard = input.take(dimensions.standard_tables.into())?;
            let manufacturer = input.take(dimensions.manufacturer_tables.into())?;
            let last_activation = input.short_time()?;
            let count = usize::from(input.u8()?);
            Ok(Self {
                standard,
                manufacturer,
                last_activation,
                entries: input.take(count * Self::ENTRY_LEN)?,
                format: *format,
            })
        })
    }

    /// What waits.
    pub fn entries(&self) -> impl Iterator<Item = PendingEntry> + use<'a> {
        let mut input = Decoder::new(self.entries, &self.format);
        core::iter::from_fn(move || {
            Some(PendingEntry {
                selector: input.u8().ok()?,
                storage: input.array().ok()?,
                table: input.u16().ok()?,
            })
        })
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// The sink is full, or there are more than 255 entries.
    pub fn emit(
        standard: &[u8],
        manufacturer: &[u8],
        last_activation: Option<DateTime>,
        entries: &[PendingEntry],
        out: &mut Encoder<'_>,
    ) -> Result<(), Error> {
        out.put(standard)?;
        out.put(manufacturer)?;
        out.short_time(last_activation)?;
        out.u8(u8::try_from(entries.len()).map_err(|_| Error::Malformed("entries"))?)?;
        entries.iter().try_for_each(|entry| {
            out.u8(entry.selector)?;
            out.put(&entry.storage)?;
            out.u16(entry.table)
        })
    }
}

/// ST6 UTIL_INFO; texts are padded with spaces, coordinates may be zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UtilityInfo {
    /// OWNER_NAME.
    pub owner: [u8; 20],
    /// UTILITY_DIV.
    pub division: [u8; 20],
    /// SERVICE_POINT_ID.
    pub service_point: [u8; 20],
    /// ELEC_ADDR.
    pub electrical_address: [u8; 20],
    /// DEVICE_ID.
    pub device: [u8; 20],
    /// UTIL_SER_NO.
    pub serial_number: [u8; 20],
    /// CUSTOMER_ID.
    pub customer: [u8; 20],
    /// COORDINATE_1 to COORDINATE_3.
    pub coordinates: [[u8; 10]; 3],
    /// TARIFF_ID.
    pub tariff: [u8; 8],
    /// Vendor, version and revision of the software that set the meter up, EX1 and EX2.
    pub software: [[u8; 6]; 2],
    /// PROGRAMMER_NAME.
    pub programmer: [u8; 10],
    /// MISC_ID.
    pub miscellaneous: [u8; 30],
}

impl UtilityInfo {
    /// Octets of the table.
    pub const LEN: usize = 230;

    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many.
    pub fn parse(octets: &[u8]) -> Result<Self, Error> {
        Decoder::whole(octets, &Format::PROFILE, |input| {
            Ok(Self {
                owner: input.array()?,
                division: input.array()?,
                service_point: input.array()?,
                electrical_address: input.array()?,
                device: input.array()?,
                serial_number: input.array()?,
                customer: input.array()?,
                coordinates: [input.array()?, input.array()?, input.array()?],
                tariff: input.array()?,
                software: [input.array()?, input.array()?],
                programmer: input.array()?,
                miscellaneous: input.array()?,
            })
        })
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// The sink is full.
    pub fn emit(&self, out: &mut Encoder<'_>) -> Result<(), Error> {
        let [x, y, z] = &self.coordinates;
        let [first, second] = &self.software;
        let fields: [&[u8]; 15] = [
            &self.owner,
            &self.division,
            &self.service_point,
            &self.electrical_address,
            &self.device,
            &self.serial_number,
            &self.customer,
            x,
            y,
            z,
            &self.tariff,
            first,
            second,
            &self.programmer,
            &self.miscellaneous,
        ];
        fields.into_iter().try_for_each(|field| out.put(field))
    }
}
