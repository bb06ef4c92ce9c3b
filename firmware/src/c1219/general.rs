//! Decade 0, general configuration: ST0, ST1, ST3 and ST5 (C12.19-2008 §9.1).
//!
//! ```text
//! ST0  format control (3) | device class (4) | nameplate type | default set used
//!      | MAX_PROC_PARM_LENGTH | MAX_RESP_DATA_LEN | version | revision
//!      | DIM: standard tables, manufacturer tables, standard procedures, manufacturer procedures,
//!        manufacturer status | NBR_PENDING | SETs of these tables and procedures,
//!        and of the tables that can be written
//! ST1  manufacturer (4) | model (8) | hardware version, revision | firmware version, revision
//!      | serial number (16)
//! ST3  mode | status 1 (2) | status 2 | manufacturer status
//! ST5  identification (20)
//! ```

use super::types;
use crate::wire::{Error, Reader, Writer};

/// ST0 GEN_CONFIG: what there is and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GenConfig<'a> {
    /// FORMAT_CONTROL_1 to 3: orders, character, time, access and number formats.
    pub format_control: [u8; 3],
    /// DEVICE_CLASS, the relative OID of the kind of device.
    pub device_class: [u8; 4],
    /// NAMEPLATE_TYPE: 0 gas, 1 water, 2 electric.
    pub nameplate_type: u8,
    /// DEFAULT_SET_USED.
    pub default_set_used: u8,
    /// MAX_PROC_PARM_LENGTH: octets of the parameters of a procedure at most.
    pub parameters_max: u8,
    /// MAX_RESP_DATA_LEN: octets of the response data of a procedure at most.
    pub response_max: u8,
    /// STD_VERSION_NO: 1 of 1997, 2 of 2008.
    pub version: u8,
    /// STD_REVISION_NO.
    pub revision: u8,
    /// NBR_PENDING: tables with a pending image.
    pub pending: u8,
    /// DIM_MFG_STATUS_USED: octets of manufacturer status in ST3.
    pub manufacturer_status: u8,
    /// STD_TBLS_USED.
    pub standard_tables: &'a [u8],
    /// MFG_TBLS_USED.
    pub manufacturer_tables: &'a [u8],
    /// STD_PROC_USED.
    pub standard_procedures: &'a [u8],
    /// MFG_PROC_USED.
    pub manufacturer_procedures: &'a [u8],
    /// STD_TBLS_WRITE, as long as `standard_tables`.
    pub standard_writable: &'a [u8],
    /// MFG_TBLS_WRITE, as long as `manufacturer_tables`.
    pub manufacturer_writable: &'a [u8],
}

impl<'a> GenConfig<'a> {
    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many.
    pub fn parse(octets: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(octets);
        let format_control = reader.array()?;
        let device_class = reader.array()?;
        let [nameplate_type, default_set_used] = reader.array()?;
        let [parameters_max, response_max, version, revision] = reader.array()?;
        let [standard, manufacturer, procedures, private, status] =
            reader.array::<5>()?.map(usize::from);
        let pending = reader.u8()?;
        let table = Self {
            format_control,
            device_class,
            nameplate_type,
            default_set_used,
            parameters_max,
            response_max,
            version,
            revision,
            pending,
            manufacturer_status: status as u8,
            standard_tables: reader.take(standard)?,
            manufacturer_tables: reader.take(manufacturer)?,
            standard_procedures: reader.take(procedures)?,
            manufacturer_procedures: reader.take(private)?,
            standard_writable: reader.take(standard)?,
            manufacturer_writable: reader.take(manufacturer)?,
        };
        types::end(&reader)?;
        Ok(table)
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// The buffer is full, or a set of writable tables is not as long as that of the tables.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        if self.standard_writable.len() != self.standard_tables.len()
            || self.manufacturer_writable.len() != self.manufacturer_tables.len()
        {
            return Err(Error::Malformed("dimension"));
        }
        writer.put(&self.format_control)?;
        writer.put(&self.device_class)?;
        writer.put(&[
            self.nameplate_type,
            self.default_set_used,
            self.parameters_max,
            self.response_max,
            self.version,
            self.revision,
        ])?;
        let sets = [
            self.standard_tables,
            self.manufacturer_tables,
            self.standard_procedures,
            self.manufacturer_procedures,
        ];
        for set in sets {
            writer.u8(u8::try_from(set.len()).map_err(|_| Error::Malformed("dimension"))?)?;
        }
        writer.put(&[self.manufacturer_status, self.pending])?;
        let writable = [self.standard_writable, self.manufacturer_writable];
        sets.into_iter()
            .chain(writable)
            .try_for_each(|set| writer.put(set))
    }
}

/// ST1 GENERAL_MFG_ID: who made it, with MFG_SERIAL_NUMBER as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManufacturerId {
    /// MANUFACTURER.
    pub manufacturer: [u8; 4],
    /// ED_MODEL.
    pub model: [u8; 8],
    /// HW_VERSION_NUMBER and HW_REVISION_NUMBER.
    pub hardware: [u8; 2],
    /// FW_VERSION_NUMBER and FW_REVISION_NUMBER.
    pub firmware: [u8; 2],
    /// MFG_SERIAL_NUMBER.
    pub serial_number: [u8; 16],
}

impl ManufacturerId {
    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many.
    pub fn parse(octets: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(octets);
        let table = Self {
            manufacturer: reader.array()?,
            model: reader.array()?,
            hardware: reader.array()?,
            firmware: reader.array()?,
            serial_number: reader.array()?,
        };
        types::end(&reader)?;
        Ok(table)
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// The buffer is full.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        writer.put(&self.manufacturer)?;
        writer.put(&self.model)?;
        writer.put(&self.hardware)?;
        writer.put(&self.firmware)?;
        writer.put(&self.serial_number)
    }
}

/// ST3 ED_MODE_STATUS with two octets of manufacturer status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModeStatus {
    /// ED_MODE: bit 0 metering, 1 test, 2 meter shop, 3 factory.
    pub mode: u8,
    /// ED_STD_STATUS1: errors of configuration, memory, clock and measurement.
    pub status1: u16,
    /// ED_STD_STATUS2.
    pub status2: u8,
    /// ED_MFG_STATUS.
    pub manufacturer_status: [u8; 2],
}

impl ModeStatus {
    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many.
    pub fn parse(octets: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(octets);
        let table = Self {
            mode: reader.u8()?,
            status1: types::u16(&mut reader)?,
            status2: reader.u8()?,
            manufacturer_status: reader.array()?,
        };
        types::end(&reader)?;
        Ok(table)
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// The buffer is full.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        writer.u8(self.mode)?;
        writer.put(&self.status1.to_le_bytes())?;
        writer.u8(self.status2)?;
        writer.put(&self.manufacturer_status)
    }
}

/// Writes `text` with spaces behind it to `len` octets; what is longer is cut.
///
/// # Errors
///
/// The buffer is full.
pub fn put_text(text: &[u8], len: usize, writer: &mut Writer<'_>) -> Result<(), Error> {
    let field = writer.reserve(len)?;
    field.fill(b' ');
    let shown = text.len().min(len);
    field[..shown].copy_from_slice(&text[..shown]);
    Ok(())
}
